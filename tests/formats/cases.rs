//! Single cases: exact text, broken files, names, types, errors.

use std::path::PathBuf;

use arrow_array::Array;
use corelane::batch::{ChunkSource, Pull};
use corelane::connector::{Generator, Location, SourceConnector};
use corelane::error::Error;
use corelane::format::{Format, FormatOptions, Input, encoder, infer_schema, split_points};
use corelane::types::{DataType, Field, Options, Schema, SplitId, Value};

use crate::rig::*;

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
        let reader = Box::new(generator.shares().source(0, SplitId(0), Box::new(|| 0)));
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
    let mut source = generator.shares().source(0, SplitId(0), Box::new(move || ticks.replace(ticks.get() + 10_000)));
    let mut rows = Vec::new();
    loop {
        match source.pull(100).unwrap() {
            Pull::Chunk(chunk) => rows.push(chunk.records),
            Pull::Pending(_) => rows.push(0),
            Pull::End => break,
        }
    }
    assert_eq!(rows, [0, 10, 10, 5]);
}
