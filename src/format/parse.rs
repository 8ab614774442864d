//! Text to single values. Every function gives `None` for text that is no value of the type; none allocates.

use super::options::TimestampUnit;

/// An integer: sign and digits; a fraction of zeros is allowed (JSON writers print 5.0).
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    let digits = match digits.iter().position(|b| *b == b'.') {
        Some(point) if digits[point + 1..].iter().all(|b| *b == b'0') => &digits[..point],
        Some(_) => return None,
        None => digits,
    };
    if digits.is_empty() {
        return None;
    }
    // Eighteen digits cannot overflow; longer ones are rare and checked.
    let mut value: i64 = 0;
    if digits.len() <= 18 {
        for b in digits {
            value = value * 10 + digit(*b)?;
        }
        return Some(if negative { -value } else { value });
    }
    for b in digits {
        // Downwards, because the least value has no positive twin.
        value = value.checked_mul(10)?.checked_sub(digit(*b)?)?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// A 32-bit integer.
pub(super) fn int(text: &[u8]) -> Option<i32> {
    integer(text).and_then(|value| i32::try_from(value).ok())
}

/// A double: decimal or exponent form, `NaN`, `inf`. The nearest one, always; a number too great for a double is none.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (value.is_finite() || !text.iter().any(u8::is_ascii_digit)).then_some(value)
}

/// TRUE or FALSE: true/false, t/f, yes/no, y/n, 1/0, in any case.
pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    const TRUE: [&[u8]; 5] = [b"true", b"t", b"1", b"yes", b"y"];
    const FALSE: [&[u8]; 5] = [b"false", b"f", b"0", b"no", b"n"];
    if TRUE.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        Some(true)
    } else if FALSE.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        Some(false)
    } else {
        None
    }
}

/// A decimal times 10^scale, rounded half away from zero; `None` if it has more than `precision` digits. Exponents are
/// understood.
pub(super) fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (negative, text) = sign(text);
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&text[..at], int(&text[at + 1..]).filter(|e| e.abs() < 1000)?),
        None => (text, 0),
    };
    let point = mantissa.iter().position(|b| *b == b'.').unwrap_or(mantissa.len());
    if mantissa.len() - usize::from(point < mantissa.len()) == 0 {
        return None;
    }
    // Digits left to take: those before the point, and `scale` after it.
    let mut left = point as i64 + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    for (i, byte) in mantissa.iter().enumerate() {
        if i == point {
            continue;
        }
        let digit = i128::from(digit(*byte)?);
        if left > 0 {
            value = value.checked_mul(10)?.checked_add(digit)?;
        } else if left == 0 && digit >= 5 {
            value = value.checked_add(1)?;
        }
        left -= 1;
    }
    for _ in 0..left.max(0) {
        if value == 0 {
            break;
        }
        value = value.checked_mul(10)?;
    }
    (value < 10i128.checked_pow(u32::from(precision))?).then_some(if negative { -value } else { value })
}

/// Microseconds of a number of `unit`s, which may have a fraction.
pub(super) fn epoch(text: &[u8], unit: TimestampUnit) -> Option<i64> {
    if let Some(count) = integer(text) {
        return unit.to_us(count);
    }
    let scale = match unit {
        TimestampUnit::Second => 6,
        TimestampUnit::Millisecond => 3,
        TimestampUnit::Microsecond => 0,
        TimestampUnit::Nanosecond => return None,
    };
    i64::try_from(decimal(text, 37, scale)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for value in [0, -1, 7, i64::MAX, i64::MIN, 999_999_999_999_999_999] {
            assert_eq!(integer(value.to_string().as_bytes()), Some(value));
        }
        assert_eq!(integer(b"+5.000"), Some(5));
        for text in ["", "-", "5.1", "1e3", "9223372036854775808", "-9223372036854775809", "1 2", ".0", "x"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn decimals_round_half_away_from_zero() {
        for (text, value) in [
            ("1.005", Some(101)),
            ("-1.005", Some(-101)),
            ("1.0049", Some(100)),
            ("12", Some(1200)),
            (".5", Some(50)),
            ("1e2", Some(10_000)),
            ("125e-3", Some(13)),
            ("0.0004", Some(0)),
            ("9999.999", None),
            ("99999", None),
            (".", None),
            ("", None),
            ("1.2.3", None),
        ] {
            assert_eq!(decimal(text.as_bytes(), 6, 2), value, "{text}");
        }
        assert_eq!(decimal(b"99999999999999999999999999999999999999", 38, 0), Some(10i128.pow(38) - 1));
        assert_eq!(decimal(b"0e999", 5, 2), Some(0));
    }

    #[test]
    fn epochs() {
        assert_eq!(epoch(b"1357034400", TimestampUnit::Second), Some(1_357_034_400_000_000));
        assert_eq!(epoch(b"1357034400.25", TimestampUnit::Second), Some(1_357_034_400_250_000));
        assert_eq!(epoch(b"-1", TimestampUnit::Nanosecond), Some(-1));
        assert_eq!(epoch(b"9223372036854775807", TimestampUnit::Second), None);
    }
}
