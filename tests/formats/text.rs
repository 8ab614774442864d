//! One text, one value: a CSV field, a SQL constant and CAST agree, and so do the CSV encoder and CAST to VARCHAR.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use corelane::error::Result;
use corelane::format::FormatOptions;
use corelane::operator::expr::evaluate_constant;
use corelane::plan::{Expr, ExprKind, Node, SchemaProvider, SourceFacts, plan_script};
use corelane::types::{DataType, Field, Options, Schema, Value};

use super::rig::{csv, encoded, read_text};

const TIMESTAMP: DataType = DataType::Timestamp;
const INTERVAL: DataType = DataType::Interval;
const DECIMAL: DataType = DataType::Decimal { precision: 6, scale: 2 };
const AT: i64 = 1_357_034_400_000_000;

fn schema(data_type: DataType) -> Schema {
    Schema::new(vec![Field::new("v", data_type)])
}

fn with_header_off() -> FormatOptions {
    let mut options = csv();
    options.header = false;
    options
}

fn value(array: &ArrayRef, row: usize, data_type: DataType) -> Value {
    assert!(array.is_valid(row));
    match data_type {
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Int => Value::Int32(array.as_primitive::<Int32Type>().value(row)),
        DataType::BigInt => Value::Int64(array.as_primitive::<Int64Type>().value(row)),
        DataType::Double => Value::Float64(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal { .. } => Value::Int128(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Date => Value::Int32(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp => Value::Int64(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Interval => Value::Int64(array.as_primitive::<DurationMicrosecondType>().value(row)),
        DataType::Varchar => Value::Utf8(array.as_string::<i32>().value(row).into()),
    }
}

/// The value of a CSV field, between quotes or not.
fn field(text: &str, data_type: DataType) -> Option<Value> {
    let record = format!("{text}\n\"{text}\"\n");
    let (batch, failures) = read_text(record.as_bytes(), &with_header_off(), &schema(data_type), 10);
    match (batch.num_rows(), failures.len()) {
        (0, 2) => None,
        (2, 0) => {
            let values = [0, 1].map(|row| value(batch.column(0), row, data_type));
            assert!(same(&values[0], &values[1]), "'{text}' is read differently between quotes");
            Some(values[0].clone())
        }
        _ => panic!("'{text}' is read differently between quotes: {failures:?}"),
    }
}

struct Inputs;

impl SchemaProvider for Inputs {
    fn describe(&self, _: &Options) -> Result<SourceFacts> {
        Ok(SourceFacts { schema: schema(DataType::BigInt), bounded: true })
    }
}

/// The value of a constant in SQL.
fn constant(text: &str, data_type: DataType) -> Option<Value> {
    let constant = match data_type {
        DataType::Interval => format!("INTERVAL '{text}'"),
        DataType::Date | DataType::Timestamp => format!("{data_type} '{text}'"),
        _ => format!("CAST('{text}' AS {data_type})"),
    };
    let sql = format!("CREATE SOURCE t WITH (connector = 'file', path = 't.csv'); SELECT {constant} AS x FROM t");
    let script = plan_script(&sql, &Options::new(), &Inputs).ok()?;
    let literal = script.jobs[0].plan.steps.iter().find_map(|step| match &step.node {
        Node::Project(exprs) => exprs.iter().find_map(|expr| match &expr.kind {
            ExprKind::Literal(value) => Some((value.clone(), expr.data_type)),
            _ => None,
        }),
        _ => None,
    });
    let (value, found) = literal.unwrap_or_else(|| panic!("{constant} is no constant"));
    assert_eq!(found, data_type);
    Some(value)
}

fn cast(value: Value, from: DataType, to: DataType) -> Option<Value> {
    let kind = ExprKind::Cast(Box::new(Expr::literal(value, from)));
    evaluate_constant(&Expr { kind, data_type: to }).ok()
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float64(a), Value::Float64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        _ => a == b,
    }
}

#[test]
fn a_text_means_the_same_everywhere() {
    for (data_type, texts) in [
        (DataType::Boolean, &["true", "F", "1", "yes", "n", "on", "OFF", " t ", "2", "maybe", "tr"][..]),
        (DataType::Int, &["12", "+12", " -7 ", "5.0", "5.", "5.1", "1e3", "2147483647", "2147483648", "x", "1 2"]),
        (DataType::BigInt, &["9223372036854775807", "9223372036854775808", "-9223372036854775808", "--1", "\u{a0}1"]),
        (DataType::Double, &["1", ".5", "5.", "1e300", "1e999", "-inf", "Infinity", "nan", "1e", "0x10", " 2.5 "]),
        (DECIMAL, &["1.005", "-1.005", "1e2", "1.5E+2", "9999.994", "9999.995", "1e2.0", "0e99999", ".", "1 ", "1,5"]),
        (
            DataType::Date,
            &["2013-01-31", "2013-1-1", " 2013-01-01 ", "2013-02-29", "13-01-01", "12013-01-01", "-0001-12-31"],
        ),
        (DataType::Date, &["2013-01-01 00:00", "2013/01/01", "20130101", "9999999-01-01", "2013-01-001"]),
        (TIMESTAMP, &["2013-01-01T10:00:00Z", "2013-01-01 10:00:00", "2013-01-01 10:00:00.123456", "2013-01-01"]),
        (TIMESTAMP, &["2013-01-01 9:30", "2013-01-01 10:00:00.1234567899999999", "2013-01-01 10:00:00 UTC"]),
        (TIMESTAMP, &["2013-01-01 10:00:00+02", "2013-01-01T10:00:00+0230", "2013-01-01T10:00:00 -02:30"]),
        (TIMESTAMP, &["2013-01-01 10:00+2", "2013-01-01 10:00+24", "2013-01-01 10:00+02:", "2013-01-01 10:00:00."]),
        (TIMESTAMP, &["2013-01-01  10:00", "2013-01-01T", "2013-01-01 10", "2013-01-01 24:00", "2013-01-01 10:00.5"]),
        (TIMESTAMP, &["294247-01-10 04:00:54.775807", "294247-01-10 04:00:54.775808", "yesterday", "1357034400"]),
        (INTERVAL, &["26:30:00", "1:30", "-00:00:01.5", "1 day 02:00", "1.5 hours", "-90m", "PT90.5S", "P1DT1H"]),
        (INTERVAL, &["1 month", "P1M", "1", "1:60", "1:30x", "ten days", "99999999999999 days", "2 WEEKS 3 secs"]),
    ] {
        for text in texts {
            let read = [
                field(text, data_type),
                constant(text, data_type),
                cast(Value::Utf8((*text).into()), DataType::Varchar, data_type),
            ];
            let all_same = read.iter().all(|value| match (value, &read[0]) {
                (Some(a), Some(b)) => same(a, b),
                (a, b) => a.is_none() && b.is_none(),
            });
            assert!(all_same, "'{text}' as {data_type}: field, constant and CAST are {read:?}");
        }
    }
}

/// And it is the value that was meant.
#[test]
fn a_text_means_what_it_says() {
    for (text, data_type, expected) in [
        ("OFF", DataType::Boolean, Some(Value::Boolean(false))),
        ("5.0", DataType::Int, Some(Value::Int32(5))),
        ("1e999", DataType::Double, None),
        ("-1.005", DECIMAL, Some(Value::Int128(-101))),
        ("2013-1-1", DataType::Date, Some(Value::Int32(15_706))),
        ("2013-01-01 10:00:00.1234569", TIMESTAMP, Some(Value::Int64(AT + 123_456))),
        ("2013-01-01 12:00:00+02", TIMESTAMP, Some(Value::Int64(AT))),
        ("2013-01-01 10:00+2", TIMESTAMP, None),
        ("1 day 02:00", INTERVAL, Some(Value::Int64(93_600_000_000))),
    ] {
        assert_eq!(constant(text, data_type), expected, "{text}");
    }
}

#[test]
fn a_value_is_written_the_same_by_csv_and_cast() {
    for (value, data_type, expected) in [
        (Value::Boolean(true), DataType::Boolean, "true"),
        (Value::Int32(i32::MIN), DataType::Int, "-2147483648"),
        (Value::Int64(-1), DataType::BigInt, "-1"),
        (Value::Float64(1.0), DataType::Double, "1.0"),
        (Value::Float64(0.000_05), DataType::Double, "0.00005"),
        (Value::Float64(1e16), DataType::Double, "1e16"),
        (Value::Float64(f64::NEG_INFINITY), DataType::Double, "-inf"),
        (Value::Int128(-5), DECIMAL, "-0.05"),
        (Value::Int32(-719_529), DataType::Date, "-0001-12-31"),
        (Value::Int64(AT), TIMESTAMP, "2013-01-01T10:00:00Z"),
        (Value::Int64(AT + 500_000), TIMESTAMP, "2013-01-01T10:00:00.500000Z"),
        (Value::Int64(95_400_000_000), INTERVAL, "26:30:00"),
        (Value::Int64(-1_500_000), INTERVAL, "-00:00:01.500000"),
    ] {
        let schema = schema(data_type);
        let written = encoded(&with_header_off(), &schema, &[vec![value.clone()]]);
        assert_eq!(written.trim_end(), expected);
        assert_eq!(cast(value.clone(), data_type, DataType::Varchar), Some(Value::Utf8(expected.into())));
        // What is written reads back in all three places.
        for read in [field(expected, data_type), constant(expected, data_type)] {
            assert_eq!(read, Some(value.clone()), "{expected}");
        }
    }
}
