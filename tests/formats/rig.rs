//! What the tests share: writing a file, and reading sources as an engine would.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use corelane::batch::{BatchBuffer, ChunkSource, Decode, Decoded, Failure, Pull, arrow_schema};
use corelane::connector::{Sink, SinkConnector};
use corelane::error::Result;
use corelane::format::{Format, FormatOptions, Input, SourceFormat, encoder};
use corelane::types::{DataType, Field, Schema, SplitId, Value};

pub const FILE_FORMATS: [Format; 4] = [Format::Csv, Format::Json, Format::Parquet, Format::Arrow];

pub fn all_types() -> Schema {
    Schema::new(vec![
        Field::new("flag", DataType::Boolean),
        Field::new("small", DataType::Int),
        Field::new("big", DataType::BigInt),
        Field::new("real", DataType::Double),
        Field::new("exact", DataType::Decimal { precision: 38, scale: 5 }),
        Field::new("text, \"odd\"", DataType::Varchar),
        Field::new("day", DataType::Date),
        Field::new("at", DataType::Timestamp),
        Field::new("span", DataType::Interval),
    ])
}

pub fn batch_of(schema: &Schema, rows: &[Vec<Value>]) -> RecordBatch {
    let mut buffer = BatchBuffer::for_schema(schema);
    for row in rows {
        buffer.columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        buffer.rows_pushed(1);
    }
    buffer.to_record_batch(&std::sync::Arc::new(corelane::batch::arrow_schema(schema)))
}

pub fn write(path: &Path, options: &FormatOptions, schema: &Schema, batches: &[RecordBatch]) {
    let connector = SinkConnector::File { path: path.display().to_string() };
    let Sink::Bytes(output) = connector.open().unwrap() else { panic!("a file takes bytes") };
    let mut encoder = encoder(options, schema, output.writer().unwrap(), output.name()).unwrap();
    for batch in batches {
        encoder.write(batch).unwrap();
    }
    encoder.finish().unwrap();
    output.commit().unwrap();
}

/// Drains readers in order, dealing chunks to two decoders in turn, and glues the rows together.
pub fn drain(
    readers: Vec<Box<dyn ChunkSource>>,
    mut decoders: Vec<Box<dyn Decode + Send>>,
    schema: &Schema,
    rows_max: usize,
) -> Result<(RecordBatch, Vec<Failure>)> {
    let (mut batches, mut failures, mut turn) = (Vec::new(), Vec::new(), 0);
    for mut reader in readers {
        while let Pull::Chunk(chunk) = reader.pull(rows_max)? {
            let mut decoded = Decoded::default();
            let decoder = turn % decoders.len();
            decoders[decoder].decode(&chunk, rows_max, &mut decoded)?;
            turn += 1;
            reader.recycle(chunk);
            for slice in &decoded.slices {
                assert!(slice.rows > 0 && slice.rows <= rows_max);
                batches.push(slice.batch.slice(slice.offset, slice.rows));
            }
            failures.extend(decoded.failures);
        }
    }
    let arrow = Arc::new(arrow_schema(schema));
    let batches: Vec<RecordBatch> = batches.into_iter().map(|batch| plain(&batch, schema)).collect();
    if schema.is_empty() {
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        return Ok((RecordBatch::try_new_with_options(arrow, vec![], &options).unwrap(), failures));
    }
    Ok((arrow_select::concat::concat_batches(&arrow, &batches).unwrap(), failures))
}

/// The batch without dictionaries.
pub fn plain(batch: &RecordBatch, schema: &Schema) -> RecordBatch {
    let arrow = Arc::new(arrow_schema(schema));
    let columns = batch.columns().iter().zip(arrow.fields());
    let columns = columns.map(|(array, field)| arrow_cast::cast(array, field.data_type()).unwrap()).collect();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(arrow, columns, &options).unwrap()
}

pub fn read(
    inputs: Vec<Input>,
    options: &FormatOptions,
    schema: &Schema,
    projection: &[usize],
    rows_max: usize,
) -> Result<(RecordBatch, Vec<Failure>)> {
    let format = SourceFormat::new(options.clone(), schema.clone(), inputs.len())?;
    let mut readers = Vec::new();
    for (i, input) in inputs.into_iter().enumerate() {
        readers.push(format.reader(SplitId(i as u32), input, projection)?);
    }
    let decoders = (0..2).map(|_| format.decoder(projection)).collect();
    drain(readers, decoders, &schema.project(projection), rows_max)
}

pub fn read_text(
    text: &[u8],
    options: &FormatOptions,
    schema: &Schema,
    rows_max: usize,
) -> (RecordBatch, Vec<Failure>) {
    let reader: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(text.to_vec()));
    let projection: Vec<usize> = (0..schema.len()).collect();
    read(vec![Input::Stream("stdin".into(), reader)], options, schema, &projection, rows_max).unwrap()
}

pub fn csv() -> FormatOptions {
    FormatOptions::new(Format::Csv)
}

#[derive(Clone, Default)]
struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What an encoder makes of the rows.
pub fn encoded(options: &FormatOptions, schema: &Schema, rows: &[Vec<Value>]) -> String {
    let shared = Shared::default();
    let mut encoder = encoder(options, schema, Box::new(shared.clone()), "test").unwrap();
    encoder.write(&batch_of(schema, rows)).unwrap();
    encoder.finish().unwrap();
    let bytes = shared.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}
