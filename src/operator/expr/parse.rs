//! Text to values, as CAST from VARCHAR reads them. Spaces around a value are skipped; `None` is "no such value".
//!
//! Reads all that [`super::format`] writes, and: BOOLEAN `t f yes no on off 1 0` in any case; numbers with a sign, DOUBLE
//! and DECIMAL with an exponent; TIMESTAMP with a space for the `T`, without seconds or time, with an offset (`+02:00`)
//! in place of `Z`, none meaning UTC, digits below the microsecond cut; INTERVAL as `1 day 02:03:04.5`, `90 minutes`
//! or ISO 8601 days to seconds.

use crate::kernel::arithmetic::{POWERS_OF_TEN, fits_precision};
use crate::kernel::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, days_from_civil, days_of_month};

/// BOOLEAN.
pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    let text = text.trim_ascii();
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is_one_of(&["true", "t", "yes", "y", "on", "1"]) {
        Some(true)
    } else if is_one_of(&["false", "f", "no", "n", "off", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// BIGINT.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

/// DOUBLE. Digits beyond the greatest DOUBLE are no value; infinity must be spelled.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (value.is_finite() || !text.iter().any(u8::is_ascii_digit)).then_some(value)
}

/// DECIMAL, rounded half away from zero to the scale.
pub(super) fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (negative, text) = sign(text.trim_ascii());
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], integer(&text[at + 1..])?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    // Digits that count: those left of the scaled value's point.
    let kept = exponent.saturating_add(whole.len() as i64).saturating_add(i64::from(scale));
    let mut value: i128 = 0;
    let mut read = 0;
    for &byte in whole.iter().chain(fraction) {
        let digit = i128::from(byte - b'0');
        if read >= kept {
            if read == kept && digit >= 5 {
                value += 1;
            }
            break;
        }
        value = value.checked_mul(10)?.checked_add(digit)?;
        read += 1;
    }
    if value != 0 && read < kept {
        value = value.checked_mul(*POWERS_OF_TEN.get(usize::try_from(kept - read).ok()?)?)?;
    }
    fits_precision(value, precision).then_some(if negative { -value } else { value })
}

/// DATE as days. A time of day behind the date is no date.
pub(super) fn date(text: &[u8]) -> Option<i64> {
    let (days, rest) = leading_date(text.trim_ascii())?;
    rest.is_empty().then_some(days)
}

/// TIMESTAMP as microseconds.
pub(super) fn timestamp(text: &[u8]) -> Option<i64> {
    let (days, rest) = leading_date(text.trim_ascii())?;
    let midnight = i128::from(days) * i128::from(DAY_US);
    let (time, offset) = match rest.split_first() {
        None => (0, 0),
        Some((b'T' | b't' | b' ', rest)) => {
            let (time, rest) = leading_time(rest)?;
            (time, zone(rest.trim_ascii_start())?)
        }
        Some(_) => return None,
    };
    if time >= DAY_US {
        return None;
    }
    i64::try_from(midnight + i128::from(time - offset)).ok()
}

/// INTERVAL as microseconds.
pub(super) fn interval(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let (negative, unsigned) = sign(text);
    let total = match unsigned.split_first() {
        Some((b'P' | b'p', rest)) => {
            let total = iso_interval(rest)?;
            if negative { -total } else { total }
        }
        _ => worded_interval(text)?,
    };
    i64::try_from(total).ok()
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    }
}

/// A number of `least` to `most` digits (at most 18) at the front, and the rest.
fn digits(text: &[u8], least: usize, most: usize) -> Option<(i64, &[u8])> {
    let count = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let (head, rest) = text.split_at(count);
    (count >= least).then(|| (head.iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')), rest))
}

fn expect(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.strip_prefix(&[byte])
}

fn leading_date(text: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, unsigned) = sign(text);
    let (year, rest) = digits(unsigned, 4, 7)?;
    let (month, rest) = digits(expect(rest, b'-')?, 1, 2)?;
    let (day, rest) = digits(expect(rest, b'-')?, 1, 2)?;
    let year = if negative { -year } else { year };
    let (month, day) = (month as u8, day as u8);
    let exists = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    exists.then(|| (days_from_civil(year, month, day), rest))
}

/// `HH:MM[:SS[.fraction]]` with hours of any size below 10^9; the caller bounds them.
fn leading_time(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = digits(text, 1, 9)?;
    let (minute, rest) = digits(expect(rest, b':')?, 2, 2)?;
    let (second, rest) = match expect(rest, b':') {
        Some(rest) => digits(rest, 2, 2)?,
        None => (0, rest),
    };
    let (fraction, rest) = leading_fraction(rest)?;
    (minute < 60 && second < 60).then(|| (hour * HOUR_US + minute * MINUTE_US + second * SECOND_US + fraction, rest))
}

/// Microseconds of `.digits` at the front, if there is a point; digits beyond the sixth are cut.
fn leading_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = expect(text, b'.') else { return Some((0, text)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (value, _) = digits(rest, 1, 6)?;
    Some((value * POWERS_OF_TEN[6 - count.min(6)] as i64, &rest[count..]))
}

/// Microseconds east of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.eq_ignore_ascii_case(b"Z") || text.eq_ignore_ascii_case(b"UTC") {
        return Some(0);
    }
    let (negative, unsigned) = sign(text);
    if unsigned.len() == text.len() {
        return None;
    }
    let (hour, rest) = digits(unsigned, 2, 2)?;
    let rest = expect(rest, b':').unwrap_or(rest);
    let (minute, rest) = if rest.is_empty() { (0, rest) } else { digits(rest, 2, 2)? };
    let offset = hour * HOUR_US + minute * MINUTE_US;
    (rest.is_empty() && hour < 24 && minute < 60).then_some(if negative { -offset } else { offset })
}

/// `[nD][T[nH][nM][n[.n]S]]`, after the `P`.
fn iso_interval(text: &[u8]) -> Option<i128> {
    let mut rest = text;
    let mut total = 0;
    let mut in_time = false;
    let mut parts = 0;
    while !rest.is_empty() {
        if let Some(after) = expect(rest, b'T') {
            (rest, in_time) = (after, true);
            continue;
        }
        let (value, after) = digits(rest, 1, 18)?;
        let (fraction, after) = leading_fraction(after)?;
        let (&unit, after) = after.split_first()?;
        let unit_us = match (unit.to_ascii_uppercase(), in_time) {
            (b'W', false) => 7 * DAY_US,
            (b'D', false) => DAY_US,
            (b'H', true) => HOUR_US,
            (b'M', true) => MINUTE_US,
            (b'S', true) => SECOND_US,
            _ => return None,
        };
        total += i128::from(value) * i128::from(unit_us) + i128::from(fraction) * i128::from(unit_us / SECOND_US);
        parts += 1;
        rest = after;
    }
    (parts > 0).then_some(total)
}

/// Numbers with units and times of day, in any order, each with its own sign: `-1 day 02:03:04.5`.
fn worded_interval(text: &[u8]) -> Option<i128> {
    let mut rest = text;
    let mut total = 0;
    let mut parts = 0;
    while !rest.is_empty() {
        let (negative, unsigned) = sign(rest);
        let (value, after) = match leading_time(unsigned) {
            Some((time, after)) => (i128::from(time), after),
            None => {
                let (value, after) = digits(unsigned, 1, 18)?;
                let (fraction, after) = leading_fraction(after)?;
                let after = after.trim_ascii_start();
                let letters = after.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                let unit_us = i128::from(unit(&after[..letters])?);
                let part = i128::from(value) * unit_us + i128::from(fraction) * unit_us / i128::from(SECOND_US);
                (part, &after[letters..])
            }
        };
        total += if negative { -value } else { value };
        parts += 1;
        rest = after.trim_ascii_start();
    }
    (parts > 0).then_some(total)
}

fn unit(word: &[u8]) -> Option<i64> {
    const UNITS: [(&[&str], i64); 7] = [
        (&["microsecond", "us"], 1),
        (&["millisecond", "ms"], 1_000),
        (&["second", "sec", "s"], SECOND_US),
        (&["minute", "min", "m"], MINUTE_US),
        (&["hour", "h"], HOUR_US),
        (&["day", "d"], DAY_US),
        (&["week", "w"], 7 * DAY_US),
    ];
    let singular = match word {
        [stem @ .., b's' | b'S'] if stem.len() > 2 => stem,
        _ => word,
    };
    UNITS
        .iter()
        .find(|(names, _)| names.iter().any(|name| singular.eq_ignore_ascii_case(name.as_bytes())))
        .map(|(_, us)| *us)
}
