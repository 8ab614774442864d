//! Constants: text and numbers of SQL as values of a type, and conversion of constants at plan time.
//!
//! The same rules as the casts that run on columns; a constant that has no value in the target type is an error with
//! its place, before anything is read.

use crate::types::text::calendar::DAY_US;
use crate::types::text::{parse, print};
use crate::types::{DataType, Value};

/// Text as a value of `data_type`; `None` if it has none. An INTERVAL is not made of text beside it.
pub(super) fn parse_text(text: &str, data_type: DataType) -> Option<Value> {
    let bytes = text.as_bytes();
    match data_type {
        DataType::Varchar => Some(Value::Utf8(text.into())),
        DataType::Boolean => parse::boolean(bytes).map(Value::Boolean),
        DataType::Int => parse::int(bytes).map(Value::Int32),
        DataType::BigInt => parse::integer(bytes).map(Value::Int64),
        DataType::Double => parse::double(bytes).map(Value::Float64),
        DataType::Decimal { precision, scale } => parse::decimal(bytes, precision, scale).map(Value::Int128),
        DataType::Date => parse::date(bytes).map(Value::Int32),
        DataType::Timestamp => parse::timestamp(bytes).map(Value::Int64),
        DataType::Interval => None,
    }
}

/// A number as written, as a value of `data_type` equal to it; `None` if there is none.
pub(super) fn parse_number(text: &str, data_type: DataType) -> Option<Value> {
    let bytes = text.as_bytes();
    let whole = || parse::exact_decimal(bytes, 38, 0);
    match data_type {
        DataType::Int => whole().and_then(|n| i32::try_from(n).ok()).map(Value::Int32),
        DataType::BigInt => whole().and_then(|n| i64::try_from(n).ok()).map(Value::Int64),
        DataType::Double => parse::double(bytes).filter(|value| value.is_finite()).map(Value::Float64),
        DataType::Decimal { precision, scale } => parse::exact_decimal(bytes, precision, scale).map(Value::Int128),
        _ => None,
    }
}

/// The DECIMAL type that holds the number exactly, if it has at most 38 digits.
pub(super) fn decimal_type(text: &str) -> Option<DataType> {
    let digits = text.trim_start_matches(['-', '+']);
    if digits.contains(['e', 'E']) {
        return None;
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = fraction.len();
    let precision = (whole.trim_start_matches('0').len() + scale).max(1);
    (precision <= 38).then(|| DataType::Decimal {
        precision: u8::try_from(precision).unwrap_or(38),
        scale: u8::try_from(scale).unwrap_or(38),
    })
}

/// A constant of one type as a constant of another; `Err` if the value has none, `Ok(None)` if this conversion is left
/// to the run.
pub(super) fn convert(value: &Value, from: DataType, to: DataType) -> Result<Option<Value>, ()> {
    if from == to || value.is_null() {
        return Ok(Some(value.clone()));
    }
    let found = |value: Option<Value>| value.map(Some).ok_or(());
    match (value, from, to) {
        (Value::Utf8(text), _, _) if to != DataType::Interval => found(parse_text(text, to)),
        (Value::Int32(days), DataType::Date, DataType::Timestamp) => Ok(Some(Value::Int64(i64::from(*days) * DAY_US))),
        (Value::Int64(us), DataType::Timestamp, DataType::Date) => {
            found(i32::try_from(us.div_euclid(DAY_US)).ok().map(Value::Int32))
        }
        (Value::Int32(n), DataType::Int, _) if to.is_numeric() => found(parse_number(&n.to_string(), to)),
        (Value::Int64(n), DataType::BigInt, _) if to.is_numeric() => found(parse_number(&n.to_string(), to)),
        (Value::Int32(n), DataType::Int, DataType::Varchar) => Ok(Some(Value::Utf8(n.to_string().into()))),
        (Value::Int64(n), DataType::BigInt, DataType::Varchar) => Ok(Some(Value::Utf8(n.to_string().into()))),
        (Value::Boolean(b), _, DataType::Varchar) => Ok(Some(Value::Utf8(b.to_string().into()))),
        _ => Ok(None),
    }
}

/// A value as SQL writes it.
pub(super) fn display(value: &Value, data_type: DataType) -> String {
    match (value, data_type) {
        (Value::Null, _) => "NULL".into(),
        (Value::Boolean(b), _) => b.to_string().to_uppercase(),
        (Value::Int32(days), DataType::Date) => format!("DATE '{}'", written(|out| print::date(out, *days))),
        (Value::Int32(n), _) => n.to_string(),
        (Value::Int64(us), DataType::Timestamp) => format!("TIMESTAMP '{}'", written(|out| print::timestamp(out, *us))),
        (Value::Int64(us), DataType::Interval) => format!("INTERVAL '{}'", duration_text(*us)),
        (Value::Int64(n), _) => n.to_string(),
        (Value::Float64(x), _) => written(|out| print::double(out, *x)),
        (Value::Int128(n), DataType::Decimal { scale, .. }) => written(|out| print::decimal(out, *n, scale)),
        (Value::Int128(n), _) => n.to_string(),
        (Value::Utf8(text), _) => format!("'{}'", text.replace('\'', "''")),
    }
}

fn written(print: impl Fn(&mut Vec<u8>)) -> String {
    let mut text = Vec::new();
    print(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// A length of time in the greatest unit that divides it: `1m`, `1500ms`.
pub(super) fn duration_text(us: i64) -> String {
    const UNITS: [(i64, &str); 6] =
        [(DAY_US, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1000, "ms"), (1, "us")];
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| us % unit == 0 && us != 0).unwrap_or((1_000_000, "s"));
    format!("{}{name}", us / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers as written: exactly, or not at all.
    #[test]
    fn reads_numbers() {
        let decimal = |precision, scale| DataType::Decimal { precision, scale };
        assert_eq!(parse_text("1.25", decimal(5, 1)), Some(Value::Int128(13)));
        assert_eq!(parse_number("1.25", decimal(5, 1)), None);
        assert_eq!(parse_number("1.5e2", DataType::Int), Some(Value::Int32(150)));
        assert_eq!(parse_number("1e39", decimal(38, 0)), None);
        assert_eq!(parse_number("1e999", DataType::Double), None);
    }

    #[test]
    fn shows_values_as_sql_writes_them() {
        for (value, data_type, expected) in [
            (Value::Int128(-5), DataType::Decimal { precision: 5, scale: 2 }, "-0.05"),
            (Value::Int32(19_782), DataType::Date, "DATE '2024-02-29'"),
            (Value::Int64(1_500_000), DataType::Timestamp, "TIMESTAMP '1970-01-01T00:00:01.500000Z'"),
            (Value::Int64(90_000_000), DataType::Interval, "INTERVAL '90s'"),
        ] {
            assert_eq!(display(&value, data_type), expected);
        }
        assert_eq!(duration_text(90_000_000), "90s");
    }
}
