//! What holds for any rows, any bytes, any chunk size.

use corelane::batch::{ChunkSource, Decode};
use corelane::connector::SourceConnector;
use corelane::format::{Format, FormatOptions, Input, infer_schema, split_points};
use corelane::types::{DataType, Field, Options, Schema, SplitId, Value};
use proptest::prelude::*;

use crate::rig::*;

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
            let reader = |i| Box::new(generator.shares().source(i, SplitId(i), Box::new(|| 0))) as Box<dyn ChunkSource>;
            let readers = (0..generator.shares().splits() as u32).map(reader).collect();
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
