//! Lengths of time: `'1' MINUTE`, `'90 seconds'`, `1m`, `500ms`.
//!
//! Only units of fixed length: a month has no number of microseconds. Text is read as everywhere: [`crate::types::text`].

use crate::types::text::parse;

/// Microseconds in the unit of that name, singular, plural or short.
pub(super) fn unit_us(unit: &str) -> Option<i64> {
    parse::unit_us(unit.as_bytes())
}

/// A length in the greatest unit that divides it.
pub(super) fn in_units(us: i64) -> (i64, &'static str) {
    const UNITS: [&str; 5] = ["day", "hour", "minute", "second", "millisecond"];
    let scales = UNITS.into_iter().filter_map(|unit| Some((unit_us(unit)?, unit)));
    let found = scales.into_iter().find(|(scale, _)| us != 0 && us % scale == 0);
    found.map_or((us, "microsecond"), |(scale, unit)| (us / scale, unit))
}

/// `number` units, in microseconds. The error says what is wrong.
pub(super) fn interval_us(number: &str, unit: &str) -> Result<i64, String> {
    let Some(scale) = unit_us(unit) else {
        let lower = unit.to_ascii_lowercase();
        return Err(if ["month", "months", "year", "years", "quarter", "mon", "y"].contains(&lower.as_str()) {
            format!("an interval of {lower} has no fixed length and is not supported")
        } else {
            format!("{unit} is not a unit of time")
        });
    };
    let us = parse::amount(number.as_bytes(), scale).ok_or_else(|| format!("'{number}' is not a number of {unit}"))?;
    i64::try_from(us).map_err(|_| format!("{number} {unit} is longer than 292,000 years"))
}

/// The length that `text` names, as a value of type INTERVAL. The error says what is wrong.
pub(super) fn text_us(text: &str) -> Result<i64, String> {
    if let Some(us) = parse::interval(text.as_bytes()) {
        return Ok(us);
    }
    // Why not: a word that is no unit, or else the first number.
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let first = words.clone().next().and_then(|unit| interval_us(text.split(unit).next()?.trim(), unit).err());
    let reason = words.find_map(|unit| interval_us("1", unit).err()).or(first);
    let is_length = text.trim_start().starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'));
    Err(reason.filter(|_| is_length).unwrap_or_else(|| format!("'{text}' is not an interval")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths in the notations that WINDOW and INTERVAL take.
    #[test]
    fn reads_lengths_of_time() {
        assert_eq!(interval_us("1", "MINUTE"), Ok(60_000_000));
        assert_eq!(interval_us("0.5", "seconds"), Ok(500_000));
        assert_eq!(interval_us("-2", "h"), Ok(-7_200_000_000));
        assert_eq!(text_us("1 minute 30 seconds"), Ok(90_000_000));
        assert_eq!(text_us("1m30s"), Ok(90_000_000));
        assert_eq!(text_us("1 day 02:00"), Ok(93_600_000_000));
        assert!(interval_us("1", "month").is_err());
        assert!(interval_us("99999999999999", "days").is_err());
        for (text, reason) in [
            ("1 month", "an interval of month has no fixed length and is not supported"),
            ("1 day 2 years", "an interval of years has no fixed length and is not supported"),
            ("99999999999999 days", "99999999999999 days is longer than 292,000 years"),
            ("1 minute 3", "'1 minute 3' is not an interval"),
            ("P1M", "'P1M' is not an interval"),
        ] {
            assert_eq!(text_us(text), Err(reason.into()));
        }
        for text in ["", "1", "x", "1 parsec", "1 minute 3", "..s", "-"] {
            assert!(text_us(text).is_err(), "{text}");
        }
    }
}
