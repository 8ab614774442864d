//! Formats and connectors together, as an engine composes them: what is written reads back, bad records are isolated,
//! broken files are told, and what a source yields depends neither on chunk sizes nor on who decodes.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use corelane::batch::{BatchBuffer, ChunkSource, Decode, Decoded, Failure, Pull, arrow_schema};
use corelane::connector::{Generator, Location, Sink, SinkConnector, SourceConnector};
use corelane::error::{Error, Result};
use corelane::format::{Format, FormatOptions, Input, SourceFormat, encoder, infer_schema, split_points};
use corelane::types::{DataType, Field, Options, Schema, SplitId, Value};
use proptest::prelude::*;

const FILE_FORMATS: [Format; 4] = [Format::Csv, Format::Json, Format::Parquet, Format::Arrow];

fn all_types() -> Schema {
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

fn value(data_type: DataType) -> BoxedStrategy<Value> {
    let value = match data_type {
        DataType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        DataType::Int | DataType::Date => {
            prop_oneof![any::<i32>(), Just(i32::MIN), Just(i32::MAX), -20_000..20_000].prop_map(Value::Int32).boxed()
        }
        DataType::BigInt | DataType::Timestamp | DataType::Interval => {
            prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -5_000_000i64..5_000_000]
                .prop_map(Value::Int64)
                .boxed()
        }
        DataType::Double => prop_oneof![
            any::<f64>().prop_filter("finite", |x| x.is_finite()),
            Just(-0.0),
            Just(f64::MAX),
            Just(f64::MIN_POSITIVE),
            Just(5e-324),
            (-1000i32..1000).prop_map(|x| f64::from(x) / 100.0)
        ]
        .prop_map(Value::Float64)
        .boxed(),
        DataType::Decimal { .. } => {
            let limit = 10i128.pow(38) - 1;
            prop_oneof![-limit..=limit, Just(limit), Just(-limit), -5i128..5].prop_map(Value::Int128).boxed()
        }
        DataType::Varchar => prop_oneof![
            any::<String>().prop_map(|s| s.replace('\0', "")),
            "[a-z ,\"\n\r\t\\\\;'|]{0,8}",
            Just(String::new()),
            Just("NULL".to_string()),
            Just("\u{feff}x".to_string())
        ]
        .prop_map(|text| Value::Utf8(text.into()))
        .boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 6 => value].boxed()
}

fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
    let row: Vec<BoxedStrategy<Value>> = all_types().fields.iter().map(|field| value(field.data_type)).collect();
    prop::collection::vec(row, 0..40)
}

fn batch_of(schema: &Schema, rows: &[Vec<Value>]) -> RecordBatch {
    let mut buffer = BatchBuffer::for_schema(schema);
    for row in rows {
        buffer.columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        buffer.row_pushed();
    }
    buffer.to_record_batch(schema)
}

fn write(path: &Path, options: &FormatOptions, schema: &Schema, batches: &[RecordBatch]) {
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
fn drain(
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
fn plain(batch: &RecordBatch, schema: &Schema) -> RecordBatch {
    let arrow = Arc::new(arrow_schema(schema));
    let columns = batch.columns().iter().zip(arrow.fields());
    let columns = columns.map(|(array, field)| arrow_cast::cast(array, field.data_type()).unwrap()).collect();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(arrow, columns, &options).unwrap()
}

fn read(
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

fn read_text(text: &[u8], options: &FormatOptions, schema: &Schema, rows_max: usize) -> (RecordBatch, Vec<Failure>) {
    let reader: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(text.to_vec()));
    let projection: Vec<usize> = (0..schema.len()).collect();
    read(vec![Input::Stream("stdin".into(), reader)], options, schema, &projection, rows_max).unwrap()
}

fn csv() -> FormatOptions {
    FormatOptions::new(Format::Csv)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every format gives back what was written, whole and projected, for any chunk size, and counts rows right when
    /// no column is read.
    #[test]
    fn what_is_written_reads_back(rows in rows(), rows_max in prop::sample::select(vec![1usize, 7, 1024]), cut in 0usize..40) {
        let directory = tempfile::tempdir().unwrap();
        let schema = all_types();
        let batch = batch_of(&schema, &rows);
        let cut = cut.min(rows.len());
        let batches = [batch.slice(0, cut), batch.slice(cut, rows.len() - cut)];
        for format in FILE_FORMATS {
            for variant in 0..if format == Format::Csv { 3 } else { 1 } {
                let mut options = FormatOptions::new(format);
                match variant {
                    1 => (options.delim, options.header, options.nullstr) = (b';', false, Some("NULL".into())),
                    2 => (options.quote, options.escape, options.delim) = (b'\'', b'\\', b'-'),
                    _ => {}
                }
                let path = directory.path().join(format!("t{variant}.{}", format.name()));
                write(&path, &options, &schema, &batches);
                for projection in [(0..schema.len()).collect::<Vec<_>>(), vec![5, 2], vec![]] {
                    let input = vec![Input::File(path.clone())];
                    let (found, failures) = read(input, &options, &schema, &projection, rows_max).unwrap();
                    prop_assert_eq!(&failures, &vec![], "{:?}", format);
                    prop_assert_eq!(found.num_rows(), rows.len());
                    let wanted = plain(&batch.project(&projection).unwrap(), &schema.project(&projection));
                    prop_assert_eq!(&found, &wanted, "{:?} {}", format, variant);
                }
            }
        }
    }

    /// Ranges of one file hold its records, once each, and CSV failures keep their lines.
    #[test]
    fn ranges_cover_the_file(rows in rows(), parts in 1usize..6, header in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let schema = all_types();
        let batch = batch_of(&schema, &rows);
        let projection: Vec<usize> = (0..schema.len()).collect();
        for format in [Format::Csv, Format::Json] {
            let mut options = FormatOptions::new(format);
            options.header = header;
            let path = directory.path().join("t.txt");
            write(&path, &options, &schema, std::slice::from_ref(&batch));
            let ranges = split_points(&path, &options, parts).unwrap();
            prop_assert!(ranges.len() <= parts);
            let inputs = ranges.iter().map(|range| Input::Range(path.clone(), *range)).collect();
            let (found, failures) = read(inputs, &options, &schema, &projection, 7).unwrap();
            prop_assert_eq!(failures, vec![]);
            prop_assert_eq!(&found, &batch);
        }
    }

    /// Bad records at any places are the failures, with their lines; all others are kept in order.
    #[test]
    fn bad_records_are_isolated(bad in prop::collection::vec(prop::sample::select(vec![0u8, 0, 0, 1, 2, 3]), 1..60), rows_max in prop::sample::select(vec![1usize, 7, 1024])) {
        let schema = Schema::new(vec![Field::new("n", DataType::BigInt), Field::new("t", DataType::Varchar)]);
        for format in [Format::Csv, Format::Json] {
            let is_csv = format == Format::Csv;
            let mut text: Vec<u8> = if is_csv { b"N,t\n".to_vec() } else { Vec::new() };
            let (mut wanted, mut wanted_bad, mut line) = (Vec::new(), Vec::new(), if is_csv { 2 } else { 1 });
            for (i, kind) in bad.iter().enumerate() {
                let good = if is_csv { format!("{i},\"a\nb\"\n") } else { format!("{{\"n\":{i},\"t\":\"ab\"}}\n") };
                let record = match (kind, is_csv) {
                    (0, _) => good.into_bytes(),
                    (1, true) => b"abc,x\r\n".to_vec(),
                    (2, true) => b"1,2,3\n".to_vec(),
                    (_, true) => b"1,\xff\n".to_vec(),
                    (1, false) => b"{\"n\":\"abc\"}\n".to_vec(),
                    (2, false) => b"{\"n\":1,}\n".to_vec(),
                    (_, false) => b"{\"t\":\"\xff\"}\n".to_vec(),
                };
                if *kind == 0 {
                    wanted.push(i as i64);
                } else {
                    let reason = match (kind, is_csv) {
                        (1, _) => "column \"n\": 'abc' is not a BIGINT",
                        (2, true) => "expected 2 fields, found 3",
                        (2, false) => "not valid JSON: ",
                        _ => "not valid UTF-8",
                    };
                    wanted_bad.push((line, reason, record.clone()));
                }
                line += record.iter().filter(|b| **b == b'\n').count() as u64;
                text.extend_from_slice(&record);
            }
            let (found, failures) = read_text(&text, &FormatOptions::new(format), &schema, rows_max);
            let numbers = arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Int64Type>(found.column(0));
            prop_assert_eq!(numbers.values().to_vec(), wanted);
            prop_assert_eq!(failures.len(), wanted_bad.len());
            for (failure, (line, reason, record)) in failures.iter().zip(wanted_bad) {
                prop_assert_eq!(failure.record, line);
                prop_assert!(failure.reason.starts_with(reason), "{}", failure.reason);
                let end = record.len() - 1 - usize::from(record.ends_with(b"\r\n"));
                prop_assert_eq!(&failure.raw[..], &record[..end]);
            }
        }
    }

    /// Bytes of no format at all: never a panic, and every line is a row or a failure.
    #[test]
    fn noise_does_not_panic(noise in prop::collection::vec(prop::sample::select(b"{}[]:,\"\\\n\r\t 019aeE.-tfn\xff".to_vec()), 0..300), rows_max in 1usize..20) {
        let schema = Schema::new(vec![Field::new("a", DataType::Double), Field::new("b", DataType::Varchar)]);
        for format in [Format::Csv, Format::Json] {
            let mut options = FormatOptions::new(format);
            options.header = false;
            read_text(&noise, &options, &schema, rows_max);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("noise");
        std::fs::write(&path, &noise).unwrap();
        for format in FILE_FORMATS {
            let _ = infer_schema(&path, &FormatOptions::new(format));
        }
    }

    /// Any partition of the rows and any projection give the same rows.
    #[test]
    fn generator_rows_are_a_function_of_their_number(
        seed in any::<u64>(), splits in 1usize..5, rows in 0u64..300, rows_max in 1usize..50,
        skew in prop::sample::select(vec!["0", "1.1"]), disorder in prop::sample::select(vec!["0", "0.3"]),
    ) {
        let schema = Schema::new(all_types().fields.into_iter().chain([Field::new("user_id", DataType::Int)]).collect());
        let generate = |splits: usize, rows_max: usize, projection: &[usize]| {
            let mut options = Options::new();
            let (rows, seed, splits_text) = (rows.to_string(), seed.to_string(), splits.to_string());
            for (key, value) in [("connector", "generator"), ("rows", &*rows), ("seed", &*seed), ("splits", &*splits_text),
                ("skew", skew), ("disorder", disorder), ("nulls", "0.1"), ("keys", "17")] {
                options.set(key, value);
            }
            let SourceConnector::Generator(generator) = SourceConnector::take(&mut options, &schema).unwrap() else { panic!() };
            options.finish("generator", &[]).unwrap();
            let reader = |i| Box::new(generator.source(SplitId(i), Box::new(|| 0))) as Box<dyn ChunkSource>;
            let readers = (0..generator.splits() as u32).map(reader).collect();
            let decoders = (0..3).map(|_| Box::new(generator.decoder(projection)) as Box<dyn Decode + Send>).collect();
            drain(readers, decoders, &schema.project(projection), rows_max).unwrap().0
        };
        let all: Vec<usize> = (0..schema.len()).collect();
        let whole = generate(1, 1024, &all);
        prop_assert_eq!(whole.num_rows() as u64, rows);
        prop_assert_eq!(&generate(splits, rows_max, &all), &whole);
        let some = generate(splits, rows_max, &[7, 5]);
        prop_assert_eq!(some, whole.project(&[7, 5]).unwrap());
        prop_assert_eq!(generate(1, rows_max, &[]).num_rows() as u64, rows);
    }
}

/// A failure in any range of a CSV file has the line of the whole file.
#[test]
fn failures_of_ranges_keep_their_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.csv");
    let bad = |i: usize| i % 100 == 37;
    let record = |i: usize| if bad(i) { "x,y\n".to_string() } else { format!("{i},\"\n\"\n") };
    let text: String = std::iter::once("n,t\n".to_string()).chain((0..2000).map(record)).collect();
    std::fs::write(&path, &text).unwrap();
    let schema = Schema::new(vec![Field::new("n", DataType::BigInt), Field::new("t", DataType::Varchar)]);
    let ranges = split_points(&path, &csv(), 4).unwrap();
    assert_eq!(ranges.len(), 4);
    let inputs = ranges.iter().map(|range| Input::Range(path.clone(), *range)).collect();
    let (found, failures) = read(inputs, &csv(), &schema, &[0, 1], 50).unwrap();
    assert_eq!(found.num_rows(), 1980);
    let lines: Vec<u64> = failures.iter().map(|failure| failure.record).collect();
    let is_bad = text.lines().enumerate().filter(|(_, line)| *line == "x,y");
    let wanted: Vec<u64> = is_bad.map(|(i, _)| i as u64 + 1).collect();
    assert_eq!(lines, wanted);
}

/// Cut anywhere, a Parquet or Arrow file is an error that names it, or (for nothing cut off) reads.
#[test]
fn truncated_files_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let schema = Schema::new(vec![Field::new("n", DataType::BigInt), Field::new("t", DataType::Varchar)]);
    let rows: Vec<Vec<Value>> = (0..100).map(|i| vec![Value::Int64(i), Value::Utf8(i.to_string().into())]).collect();
    for format in [Format::Parquet, Format::Arrow] {
        let options = FormatOptions::new(format);
        let path = directory.path().join("whole");
        write(&path, &options, &schema, &[batch_of(&schema, &rows)]);
        let bytes = std::fs::read(&path).unwrap();
        let broken = directory.path().join("broken.bin");
        for length in (0..bytes.len()).step_by(7) {
            std::fs::write(&broken, &bytes[..length]).unwrap();
            let error = read(vec![Input::File(broken.clone())], &options, &schema, &[0], 10).err();
            let error = error.unwrap_or_else(|| panic!("{format:?} cut to {length} of {} bytes reads", bytes.len()));
            assert!(matches!(error, Error::Data(_)), "{error:?}");
            assert!(error.to_string().contains("broken.bin"), "{error}");
        }
    }
}

/// A file with a byte changed anywhere gives rows or an error that is no panic.
#[test]
fn corrupt_files_do_not_panic() {
    let directory = tempfile::tempdir().unwrap();
    let schema = all_types();
    let row = |i: i64| {
        let text = Value::Utf8(format!("text {}", i % 5).into());
        let exact = Value::Int128(i128::from(i));
        let (small, big, real) = (Value::Int32(i as i32), Value::Int64(i), Value::Float64(i as f64));
        vec![Value::Boolean(i % 2 == 0), small, big, real, exact, text, Value::Null, Value::Int64(i), Value::Null]
    };
    let rows: Vec<Vec<Value>> = (0..50).map(row).collect();
    let projection: Vec<usize> = (0..schema.len()).collect();
    for format in [Format::Parquet, Format::Arrow] {
        let options = FormatOptions::new(format);
        let path = directory.path().join("t");
        write(&path, &options, &schema, &[batch_of(&schema, &rows)]);
        let bytes = std::fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(13) {
            for change in [0x01, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                std::fs::write(&path, &bytes).unwrap();
                let _ = read(vec![Input::File(path.clone())], &options, &schema, &projection, 100);
            }
        }
    }
}

/// The header decides where columns are; files of one source may differ; extra columns do not matter.
#[test]
fn columns_are_found_by_name_in_each_file() {
    let directory = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = ["a.csv", "b.csv"].iter().map(|name| directory.path().join(name)).collect();
    std::fs::write(&paths[0], "\u{feff}\nt,extra,N\r\nx,?,1\r\n\r\n,?,\n").unwrap();
    std::fs::write(&paths[1], "\"n\",T\n2,\"\"").unwrap();
    let schema = Schema::new(vec![Field::new("n", DataType::Int), Field::new("t", DataType::Varchar)]);
    let pattern = format!("{}/*.csv", directory.path().display());
    let mut options = Options::new();
    options.set("path", pattern);
    let connector = SourceConnector::take(&mut options, &schema).unwrap();
    let inputs: Vec<Input> = connector
        .splits(Format::Csv.extensions())
        .unwrap()
        .into_iter()
        .map(|location| match location {
            Location::File(path) => Input::File(path),
            Location::Stdin => panic!("no"),
        })
        .collect();
    let (found, failures) = read(inputs, &csv(), &schema, &[0, 1], 100).unwrap();
    assert_eq!(failures, []);
    let row = |a, b: Option<&str>| vec![a, b.map_or(Value::Null, |b| Value::Utf8(b.into()))];
    let wanted = [row(Value::Int32(1), Some("x")), row(Value::Null, None), row(Value::Int32(2), Some(""))];
    assert_eq!(found, batch_of(&schema, &wanted));

    let schema = Schema::new(vec![Field::new("extras", DataType::Int)]);
    let error = read(vec![Input::File(paths[0].clone())], &csv(), &schema, &[0], 10).unwrap_err().to_string();
    assert!(error.contains("no column \"extras\"") && error.contains("did you mean \"extra\"?"), "{error}");
}

/// Parquet and Arrow find columns by name too, and say which one is missing.
#[test]
fn binary_columns_are_found_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let written = Schema::new(vec![Field::new("Price", DataType::Double), Field::new("ts", DataType::BigInt)]);
    let batch = batch_of(&written, &[vec![Value::Float64(1.5), Value::Int64(1_357_034_400_000)]]);
    for format in [Format::Parquet, Format::Arrow, Format::Csv, Format::Json] {
        let mut options = FormatOptions::new(format);
        let path = directory.path().join("t");
        write(&path, &options, &written, std::slice::from_ref(&batch));
        let wanted = Schema::new(vec![Field::new("ts", DataType::Timestamp), Field::new("price", DataType::Double)]);
        // Integers are no timestamps until a unit is named.
        match read(vec![Input::File(path.clone())], &options, &wanted, &[0, 1], 10) {
            Err(error) => assert!(error.to_string().contains("timestamp_unit"), "{error}"),
            Ok((_, failures)) => assert!(failures[0].reason.contains("timestamp_unit"), "{}", failures[0].reason),
        }
        options.timestamp_unit = Some(corelane::format::TimestampUnit::Millisecond);
        let (found, _) = read(vec![Input::File(path.clone())], &options, &wanted, &[0, 1], 10).unwrap();
        assert_eq!(found, batch_of(&wanted, &[vec![Value::Int64(1_357_034_400_000_000), Value::Float64(1.5)]]));
        let missing = Schema::new(vec![Field::new("pric", DataType::Double)]);
        let missing = read(vec![Input::File(path)], &options, &missing, &[0], 10);
        match format {
            Format::Json => assert!(missing.unwrap().0.column(0).is_null(0)),
            _ => assert!(missing.unwrap_err().to_string().contains("did you mean \"Price\"?")),
        }
    }
}

/// Arrow streams read from a pipe.
#[test]
fn arrow_streams_read() {
    let schema = all_types();
    let batch = batch_of(&schema, &[vec![Value::Null; 9], vec![Value::Null; 9], vec![Value::Null; 9]]);
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    for projection in [vec![0, 1, 2, 3, 4, 5, 6, 7, 8], vec![3], vec![]] {
        let input = Input::Stream("stdin".into(), Box::new(std::io::Cursor::new(bytes.clone())));
        let options = FormatOptions::new(Format::Arrow);
        let (found, _) = read(vec![input], &options, &schema, &projection, 2).unwrap();
        assert_eq!((found.num_rows(), found.num_columns()), (6, projection.len()));
    }
}

/// Inference names the narrowest type that every value reads as.
#[test]
fn types_are_inferred() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t");
    let types = |text: &str, options: &FormatOptions| {
        std::fs::write(&path, text).unwrap();
        let schema = infer_schema(&path, options)?;
        let columns = schema.fields.iter().map(|f| format!("{} {}", f.name, f.data_type));
        Ok::<_, Error>(columns.collect::<Vec<_>>().join(", "))
    };
    let text = "b,i,d,day,ts,s,none,mix\ntrue,1,1,2013-01-01,2013-01-01,x,NA,2013-01-01\nFALSE,-2,.5,,2013-01-01T10:00:00Z,7,,1\n";
    let mut options = csv();
    options.nullstr = Some("NA".into());
    assert_eq!(
        types(text, &options).unwrap(),
        "b BOOLEAN, i BIGINT, d DOUBLE, day DATE, ts TIMESTAMP, s VARCHAR, none VARCHAR, mix VARCHAR"
    );
    options.header = false;
    assert_eq!(types("1,x\n2,y", &options).unwrap(), "column1 BIGINT, column2 VARCHAR");
    let json = "{\"a\":1,\"b\":\"2013-01-01 10:00\"}\n\nbad\n{\"c\":[1],\"a\":1.5,\"b\":null}\n";
    let wanted = "a DOUBLE, b TIMESTAMP, c VARCHAR";
    assert_eq!(types(json, &FormatOptions::new(Format::Json)).unwrap(), wanted);
    for format in FILE_FORMATS {
        let error = types("", &FormatOptions::new(format)).unwrap_err();
        assert!(matches!(error, Error::Data(_)), "{error}");
    }
    assert!(types("a,A\n1,2\n", &csv()).unwrap_err().to_string().contains("two columns"));
    let written = all_types();
    for format in [Format::Parquet, Format::Arrow] {
        write(&path, &FormatOptions::new(format), &written, &[]);
        assert_eq!(infer_schema(&path, &FormatOptions::new(format)).unwrap(), written);
    }
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

fn encoded(options: &FormatOptions, schema: &Schema, rows: &[Vec<Value>]) -> String {
    let shared = Shared::default();
    let mut encoder = encoder(options, schema, Box::new(shared.clone()), "test").unwrap();
    encoder.write(&batch_of(schema, rows)).unwrap();
    encoder.finish().unwrap();
    let bytes = shared.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// The exact text of CSV, JSON and tables.
#[test]
fn text_looks_as_documented() {
    let schema = Schema::new(vec![
        Field::new("at", DataType::Timestamp),
        Field::new("symbol", DataType::Varchar),
        Field::new("price", DataType::Double),
        Field::new("d", DataType::Decimal { precision: 9, scale: 2 }),
    ]);
    let at = 1_357_034_400_000_000;
    let rows = [
        vec![Value::Int64(at), Value::Utf8("a,\"b\"".into()), Value::Float64(0.1), Value::Int128(-5)],
        vec![Value::Int64(at + 5), Value::Utf8("".into()), Value::Float64(100.0), Value::Int128(12345)],
        vec![Value::Null, Value::Null, Value::Float64(f64::NAN), Value::Null],
    ];
    assert_eq!(
        encoded(&csv(), &schema, &rows),
        "at,symbol,price,d\n2013-01-01T10:00:00Z,\"a,\"\"b\"\"\",0.1,-0.05\n2013-01-01T10:00:00.000005Z,\"\",100.0,123.45\n,,NaN,\n"
    );
    assert_eq!(
        encoded(&FormatOptions::new(Format::Json), &schema, &rows),
        "{\"at\":\"2013-01-01T10:00:00Z\",\"symbol\":\"a,\\\"b\\\"\",\"price\":0.1,\"d\":-0.05}\n\
         {\"at\":\"2013-01-01T10:00:00.000005Z\",\"symbol\":\"\",\"price\":100.0,\"d\":123.45}\n\
         {\"at\":null,\"symbol\":null,\"price\":null,\"d\":null}\n"
    );
    assert_eq!(
        encoded(&FormatOptions::new(Format::Table), &schema, &rows),
        [
            " at                          | symbol | price |      d",
            "-----------------------------+--------+-------+--------",
            " 2013-01-01T10:00:00Z        | a,\"b\"  |   0.1 |  -0.05",
            " 2013-01-01T10:00:00.000005Z |        | 100.0 | 123.45",
            " NULL                        | NULL   |   NaN |   NULL",
            "(3 rows)",
            "",
        ]
        .join("\n")
    );
    assert_eq!(encoded(&csv(), &schema, &[]), "at,symbol,price,d\n");
}

/// A full disk and a broken pipe come out as I/O errors that name the output.
#[test]
fn write_errors_name_the_output() {
    let schema = Schema::new(vec![Field::new("n", DataType::BigInt)]);
    let rows: Vec<Vec<Value>> = (0..100_000).map(|i| vec![Value::Int64(i * 7_919 % 65_537)]).collect();
    for format in [Format::Csv, Format::Json, Format::Parquet, Format::Arrow, Format::Table] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let made = encoder(&FormatOptions::new(format), &schema, Box::new(full), "out.file");
        let result = made.and_then(|mut encoder| {
            encoder.write(&batch_of(&schema, &rows))?;
            encoder.finish()
        });
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), "cannot write out.file: no space left on device", "{format:?}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut encoder = encoder(&csv(), &schema, Box::new(writer), "stdout").unwrap();
    let error = encoder.write(&batch_of(&schema, &rows)).unwrap_err();
    assert!(matches!(error, Error::Io { broken_pipe: true, .. }), "{error:?}");
}

/// Generated decimals fit their type, at both ends of precision and scale.
#[test]
fn generated_decimals_fit() {
    for (precision, scale) in [(1, 0), (1, 1), (2, 2), (5, 2), (20, 0), (38, 2), (38, 38)] {
        let schema = Schema::new(vec![Field::new("price", DataType::Decimal { precision, scale })]);
        let mut options = Options::new();
        options.set("rows", "1000");
        let generator = Generator::take(&mut options, &schema).unwrap();
        let reader = Box::new(generator.source(SplitId(0), Box::new(|| 0)));
        let (found, _) = drain(vec![reader], vec![Box::new(generator.decoder(&[0]))], &schema, 100).unwrap();
        let values = arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Decimal128Type>(found.column(0));
        values.validate_decimal_precision(precision).unwrap();
        assert!(values.values().iter().any(|value| *value != 0));
    }
}

/// A rate is kept by the clock that is passed in.
#[test]
fn the_generator_keeps_its_rate() {
    let schema = Schema::new(vec![Field::new("n", DataType::BigInt)]);
    let mut options = Options::new();
    options.set("rate", "1000");
    options.set("rows", "25");
    let generator = Generator::take(&mut options, &schema).unwrap();
    let ticks = std::cell::Cell::new(0);
    let mut source = generator.source(SplitId(0), Box::new(move || ticks.replace(ticks.get() + 10_000)));
    let mut rows = Vec::new();
    loop {
        match source.pull(100).unwrap() {
            Pull::Chunk(chunk) => rows.push(chunk.records),
            Pull::Pending => rows.push(0),
            Pull::End => break,
        }
    }
    assert_eq!(rows, [0, 10, 10, 5]);
}
