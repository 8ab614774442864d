//! Lengths of time: `'1' MINUTE`, `'90 seconds'`, `1m`, `500ms`.
//!
//! Only units of fixed length: a month has no number of microseconds.

/// Microseconds in the unit of that name, singular, plural or short.
pub(super) fn unit_us(unit: &str) -> Option<i64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "us" | "microsecond" | "microseconds" => 1,
        "ms" | "millisecond" | "milliseconds" => 1_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000,
        "h" | "hour" | "hours" => 3_600_000_000,
        "d" | "day" | "days" => 86_400_000_000,
        "w" | "week" | "weeks" => 604_800_000_000,
        _ => return None,
    })
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
    let trimmed = number.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() == 0 || fraction.len() > 12 {
        return Err(format!("'{number}' is not a number of {unit}"));
    }
    let too_long = || format!("{number} {unit} is longer than 292,000 years");
    let mut value: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_long())? };
    value = value.checked_mul(i128::from(scale)).ok_or_else(too_long)?;
    if !fraction.is_empty() {
        let part: i128 = fraction.parse().map_err(|_| too_long())?;
        let power = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(0));
        value += part * i128::from(scale) / power;
    }
    i64::try_from(if negative { -value } else { value }).map_err(|_| too_long())
}

/// The sum of the lengths in `text`: `1 minute 30 seconds`, `1m30s`.
pub(super) fn text_us(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is not an interval");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut sum = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic() || c.is_whitespace()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(end);
        let tail = tail.trim_start();
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        if unit.is_empty() {
            return Err(wrong());
        }
        sum = sum.checked_add(interval_us(number, unit)?).ok_or_else(wrong)?;
        rest = tail.trim_start();
    }
    Ok(sum)
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
        assert!(interval_us("1", "month").is_err());
        assert!(interval_us("99999999999999", "days").is_err());
        for text in ["", "1", "x", "1 parsec", "1 minute 3", "..s", "-"] {
            assert!(text_us(text).is_err(), "{text}");
        }
    }
}
