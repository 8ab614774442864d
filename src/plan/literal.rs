//! Constants: text and numbers of SQL as values of a type, and conversion of constants at plan time.
//!
//! The same rules as the casts that run on columns; a constant that has no value in the target type is an error with
//! its place, before anything is read.

use crate::types::{DataType, Value};

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

const DAY_US: i64 = 86_400_000_000;

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let valid = length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

/// `2024-01-31` as days since the epoch.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.trim().splitn(3, '-');
    let year = digits(parts.next()?, 4..=4)?;
    let month = digits(parts.next()?, 1..=2)?;
    let day = digits(parts.next()?, 1..=2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    i32::try_from(days_from_civil(year, month, day)).ok()
}

/// `2024-01-31 12:30:00.25`, with `T` for the space, seconds and fraction left out, `Z` or `+02:00` behind; or a date
/// alone. Microseconds since the epoch, UTC.
pub(super) fn parse_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let split = text.find(['T', 't', ' ']);
    let (date, time) = match split {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.trim_start()),
        None => (text, ""),
    };
    let day_us = i64::from(parse_date(date)?) * DAY_US;
    if time.is_empty() {
        return if split.is_none() { Some(day_us) } else { None };
    }
    let (time, offset_us) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => (time.get(..at)?.trim_end(), parse_offset(time.get(at..)?)?),
        None => (time, 0),
    };
    let mut parts = time.splitn(3, ':');
    let hour = digits(parts.next()?, 1..=2)?;
    let minute = digits(parts.next()?, 2..=2)?;
    let (second, fraction) = match parts.next() {
        Some(rest) => rest.split_once('.').unwrap_or((rest, "")),
        None => ("00", ""),
    };
    let second = digits(second, 2..=2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction_us = match fraction.len() {
        0 => 0,
        1..=9 => digits(&format!("{fraction:0<9}"), 9..=9)? / 1000,
        _ => return None,
    };
    Some(day_us + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction_us - offset_us)
}

fn parse_offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let rest = text.get(1..)?;
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if rest.len() == 4 => (rest.get(..2)?, rest.get(2..)?),
        None => (rest, "00"),
    };
    let (hours, minutes) = (digits(hours, 1..=2)?, digits(minutes, 2..=2)?);
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000_000)
}

/// A number as written, as an integer scaled by `10^scale`; digits beyond the scale are rounded half away from zero.
/// `None` if it is no number or has more than 38 digits. `exact` refuses to round.
fn parse_decimal(text: &str, scale: u8, exact: bool) -> Option<i128> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
        None => (text, 0),
    };
    if !(-1000..=1000).contains(&exponent) {
        return None;
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The digit at index `point` is the first behind the scaled point.
    let point = i32::try_from(whole.len()).ok()? + exponent + i32::from(scale);
    let mut value = 0_i128;
    let mut round_up = false;
    for (i, b) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if !b.is_ascii_digit() {
            return None;
        }
        let i = i32::try_from(i).ok()?;
        if i < point {
            value = value.checked_mul(10)?.checked_add(i128::from(b - b'0'))?;
        } else {
            if exact && b != b'0' {
                return None;
            }
            if i == point {
                round_up = b >= b'5';
            }
        }
    }
    let missing = point - i32::try_from(whole.len() + fraction.len()).ok()?;
    for _ in 0..missing {
        if value == 0 {
            break;
        }
        value = value.checked_mul(10)?;
    }
    value += i128::from(round_up);
    Some(if negative { -value } else { value })
}

/// Whether `value` has at most `precision` digits.
fn has_digits(value: i128, precision: u8) -> bool {
    value.unsigned_abs() < 10_u128.pow(u32::from(precision.min(38)))
}

/// Text as a value of `data_type`; `None` if it has none.
pub(super) fn parse_text(text: &str, data_type: DataType) -> Option<Value> {
    let trimmed = text.trim();
    Some(match data_type {
        DataType::Varchar => Value::Utf8(text.into()),
        DataType::Boolean => Value::Boolean(match trimmed.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => true,
            "false" | "f" | "0" => false,
            _ => return None,
        }),
        DataType::Int => Value::Int32(trimmed.parse().ok()?),
        DataType::BigInt => Value::Int64(trimmed.parse().ok()?),
        DataType::Double => Value::Float64(trimmed.parse().ok()?),
        DataType::Decimal { precision, scale } => {
            Value::Int128(parse_decimal(trimmed, scale, false).filter(|value| has_digits(*value, precision))?)
        }
        DataType::Date => Value::Int32(parse_date(text)?),
        DataType::Timestamp => Value::Int64(parse_timestamp(text)?),
        DataType::Interval => return None,
    })
}

/// A number as written, as a value of `data_type` equal to it; `None` if there is none.
pub(super) fn parse_number(text: &str, data_type: DataType) -> Option<Value> {
    Some(match data_type {
        DataType::Int => Value::Int32(i32::try_from(parse_decimal(text, 0, true)?).ok()?),
        DataType::BigInt => Value::Int64(i64::try_from(parse_decimal(text, 0, true)?).ok()?),
        DataType::Double => Value::Float64(text.parse().ok().filter(|value: &f64| value.is_finite())?),
        DataType::Decimal { precision, scale } => {
            Value::Int128(parse_decimal(text, scale, true).filter(|value| has_digits(*value, precision))?)
        }
        _ => return None,
    })
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
        (Value::Int32(days), DataType::Date) => format!("DATE '{}'", date_text(i64::from(*days))),
        (Value::Int32(n), _) => n.to_string(),
        (Value::Int64(us), DataType::Timestamp) => format!("TIMESTAMP '{}'", timestamp_text(*us)),
        (Value::Int64(us), DataType::Interval) => format!("INTERVAL '{}'", duration_text(*us)),
        (Value::Int64(n), _) => n.to_string(),
        (Value::Float64(x), _) => format!("{x:?}"),
        (Value::Int128(n), DataType::Decimal { scale, .. }) => decimal_text(*n, scale),
        (Value::Int128(n), _) => n.to_string(),
        (Value::Utf8(text), _) => format!("'{}'", text.replace('\'', "''")),
    }
}

fn date_text(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

fn timestamp_text(us: i64) -> String {
    let time = us.rem_euclid(DAY_US);
    let (second, fraction) = (time / 1_000_000, time % 1_000_000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let text = format!("{} {hour:02}:{minute:02}:{second:02}", date_text(us.div_euclid(DAY_US)));
    if fraction == 0 { text } else { format!("{text}.{fraction:06}") }
}

fn decimal_text(value: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
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

    /// Points in time in the notations taken, and what is refused.
    #[test]
    fn reads_dates_and_timestamps() {
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("2024-02-29"), Some(19_782));
        assert_eq!(parse_date("2023-02-29"), None);
        assert_eq!(parse_date("1969-12-31"), Some(-1));
        assert_eq!(parse_timestamp("1970-01-01 00:00:01.5"), Some(1_500_000));
        assert_eq!(parse_timestamp("1970-01-01T02:00:00+02:00"), Some(0));
        assert_eq!(parse_timestamp("1970-01-01T00:00Z"), Some(0));
        for text in ["", "yesterday", "2024-13-01", "2024-01-01 25:00", "2024-01-01 12", "\u{e9}-\u{e9}-\u{e9}"] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        for days in [-1_000_000, -1, 0, 59, 60, 19_782, 2_000_000] {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    /// Decimals: rounding, exactness, range.
    #[test]
    fn reads_decimals() {
        assert_eq!(parse_decimal("1.25", 1, false), Some(13));
        assert_eq!(parse_decimal("-1.25", 1, false), Some(-13));
        assert_eq!(parse_decimal("1.25", 1, true), None);
        assert_eq!(parse_decimal("1.5e2", 0, true), Some(150));
        assert_eq!(parse_decimal("12e-1", 1, true), Some(12));
        assert_eq!(parse_decimal("0.001e-2", 1, false), Some(0));
        assert_eq!(parse_decimal("1e39", 0, true), None);
        for text in ["", ".", "-", "1.2.3", "1e", "x", "1 2"] {
            assert_eq!(parse_decimal(text, 2, false), None, "{text}");
        }
        assert_eq!(decimal_text(-5, 2), "-0.05");
        assert_eq!(duration_text(90_000_000), "90s");
    }
}
