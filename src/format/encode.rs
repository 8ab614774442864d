//! The encoders' face, and the writer below them that names the place in every error.

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::delimited::{CsvEncoder, JsonEncoder};
use super::options::{Format, FormatOptions};
use super::table::TableEncoder;
use crate::batch::{arrow_schema, conform};
use crate::error::{Error, Result};
use crate::types::Schema;

/// Turns record batches into bytes of a format.
pub trait Encode: Send {
    /// Writes the rows of a batch of the encoder's schema; text columns may be dictionaries.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Hands everything that is complete to the stream. Formats with a footer keep what they have not closed.
    fn flush(&mut self) -> Result<()>;

    /// Writes what is left and the footer, and flushes. Without it the output is incomplete.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// An encoder of `schema` over `writer`; `name` is the path or stream that errors name.
pub fn encoder(
    options: &FormatOptions,
    schema: &Schema,
    writer: Box<dyn Write + Send>,
    name: &str,
) -> Result<Box<dyn Encode>> {
    let out = Out::new(writer, name);
    Ok(match options.format {
        Format::Csv => Box::new(CsvEncoder::new(options, schema, out)),
        Format::Json => Box::new(JsonEncoder::new(schema, out)),
        Format::Table => Box::new(TableEncoder::new(schema, out)),
        Format::Parquet => Box::new(ParquetEncoder::new(schema, out)?),
        Format::Arrow => Box::new(ArrowEncoder::new(schema, out)?),
    })
}

/// Rows of a Parquet row group: the unit that readers, ours among them, share out over cores.
const ROW_GROUP_ROWS: usize = 128 << 10;
/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// A buffer before a stream, with the stream's name.
pub(super) struct Out {
    writer: Box<dyn Write + Send>,
    /// Bytes on their way; text encoders append to it.
    pub(super) buffer: Vec<u8>,
    name: Arc<str>,
}

impl Out {
    fn new(writer: Box<dyn Write + Send>, name: &str) -> Self {
        Self { writer, buffer: Vec::with_capacity(BUFFER_BYTES + (BUFFER_BYTES >> 3)), name: name.into() }
    }

    /// Writes the buffer out if it is full.
    pub(super) fn drain_full(&mut self) -> Result<()> {
        if self.buffer.len() >= BUFFER_BYTES { self.drain() } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<()> {
        let written = self.writer.write_all(&self.buffer);
        // Cleared even after an error: what failed must not be written twice.
        self.buffer.clear();
        written.map_err(|error| Error::io("write", &*self.name, &error))
    }

    /// Writes the buffer out and flushes the stream.
    pub(super) fn flush_all(&mut self) -> Result<()> {
        self.drain()?;
        self.writer.flush().map_err(|error| Error::io("write", &*self.name, &error))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            let written = self.writer.write_all(&self.buffer);
            self.buffer.clear();
            written?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let written = self.writer.write_all(&self.buffer);
        self.buffer.clear();
        written?;
        self.writer.flush()
    }
}

/// The batch in the exact types of the output, dictionaries resolved.
fn canonical(batch: &RecordBatch, schema: &Schema, arrow: &SchemaRef) -> Result<RecordBatch> {
    let batch = conform(batch, schema)?;
    let mut columns = Vec::with_capacity(schema.len());
    for (array, field) in batch.columns().iter().zip(arrow.fields()) {
        columns.push(if array.data_type() == field.data_type() {
            Arc::clone(array)
        } else {
            arrow_cast::cast(array, field.data_type()).map_err(|error| Error::Data(error.to_string()))?
        });
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(arrow), columns, &options)
        .map_err(|error| Error::Data(error.to_string()))
}

/// Parquet, compressed with zstd.
struct ParquetEncoder {
    schema: Schema,
    arrow: SchemaRef,
    writer: ArrowWriter<Out>,
    name: Arc<str>,
}

impl ParquetEncoder {
    fn new(schema: &Schema, out: Out) -> Result<Self> {
        let arrow = Arc::new(arrow_schema(schema));
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let name = Arc::clone(&out.name);
        let writer = ArrowWriter::try_new(out, Arc::clone(&arrow), Some(properties))
            .map_err(|error| parquet_error(&name, &error))?;
        Ok(Self { schema: schema.clone(), arrow, writer, name })
    }
}

impl Encode for ParquetEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = canonical(batch, &self.schema, &self.arrow)?;
        self.writer.write(&batch).map_err(|error| parquet_error(&self.name, &error))
    }

    fn flush(&mut self) -> Result<()> {
        // The row group stays open: closing it at every flush would leave tiny ones.
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.writer.finish().map_err(|error| parquet_error(&self.name, &error))?;
        self.writer.inner_mut().flush_all()
    }
}

fn parquet_error(name: &str, error: &ParquetError) -> Error {
    if let ParquetError::External(inner) = error
        && let Some(io) = inner.downcast_ref::<std::io::Error>()
    {
        return Error::io("write", name, io);
    }
    Error::Data(format!("cannot write {name}: {error}"))
}

/// Arrow IPC, file format.
struct ArrowEncoder {
    schema: Schema,
    arrow: SchemaRef,
    writer: FileWriter<Out>,
    name: Arc<str>,
}

impl ArrowEncoder {
    fn new(schema: &Schema, out: Out) -> Result<Self> {
        let arrow = Arc::new(arrow_schema(schema));
        let name = Arc::clone(&out.name);
        let writer = FileWriter::try_new(out, &arrow).map_err(|error| arrow_error(&name, &error))?;
        Ok(Self { schema: schema.clone(), arrow, writer, name })
    }
}

impl Encode for ArrowEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = canonical(batch, &self.schema, &self.arrow)?;
        self.writer.write(&batch).map_err(|error| arrow_error(&self.name, &error))
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.get_mut().flush_all()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.writer.finish().map_err(|error| arrow_error(&self.name, &error))?;
        self.writer.get_mut().flush_all()
    }
}

fn arrow_error(name: &str, error: &arrow_schema::ArrowError) -> Error {
    match error {
        arrow_schema::ArrowError::IoError(_, io) => Error::io("write", name, io),
        other => Error::Data(format!("cannot write {name}: {other}")),
    }
}
