//! Text to values, by the rules in [`super`]. Every function gives `None` for text that is no value of the type.

use super::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, days_from_civil, days_of_month};

/// BOOLEAN.
pub fn boolean(text: &[u8]) -> Option<bool> {
    const TRUE: [&[u8]; 6] = [b"true", b"t", b"1", b"yes", b"y", b"on"];
    const FALSE: [&[u8]; 6] = [b"false", b"f", b"0", b"no", b"n", b"off"];
    let text = text.trim_ascii();
    if TRUE.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        Some(true)
    } else if FALSE.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        Some(false)
    } else {
        None
    }
}

/// BIGINT.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text.trim_ascii());
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

/// INT.
pub fn int(text: &[u8]) -> Option<i32> {
    integer(text).and_then(|value| i32::try_from(value).ok())
}

/// DOUBLE: the nearest one, always.
pub fn double(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (value.is_finite() || !text.iter().any(u8::is_ascii_digit)).then_some(value)
}

/// DECIMAL, times `10^scale`, rounded to it.
pub fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    scaled(text, precision, scale).map(|(value, _)| value)
}

/// DECIMAL, times `10^scale`; a number that would have to be rounded is none.
pub fn exact_decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    scaled(text, precision, scale).and_then(|(value, exact)| exact.then_some(value))
}

/// DATE, as days since the epoch.
pub fn date(text: &[u8]) -> Option<i32> {
    let mut cursor = Cursor { rest: text.trim_ascii() };
    let days = cursor.date()?;
    if cursor.rest.is_empty() { i32::try_from(days).ok() } else { None }
}

/// TIMESTAMP, as microseconds since the epoch.
pub fn timestamp(text: &[u8]) -> Option<i64> {
    let mut cursor = Cursor { rest: text.trim_ascii() };
    let days = cursor.date()?;
    let (time, offset) = if cursor.rest.is_empty() {
        (0, 0)
    } else if cursor.take(b'T') || cursor.take(b't') || cursor.take(b' ') {
        let time = cursor.time(2).filter(|time| *time < i128::from(DAY_US))?;
        cursor.rest = cursor.rest.trim_ascii_start();
        (time, cursor.offset()?)
    } else {
        return None;
    };
    if !cursor.rest.is_empty() {
        return None;
    }
    // In 128 bits, because the first day that 64 bits reach into begins before their range does.
    i64::try_from(i128::from(days) * i128::from(DAY_US) + time - i128::from(offset)).ok()
}

/// INTERVAL, as microseconds.
pub fn interval(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let (negative, unsigned) = sign(text);
    let total = match unsigned {
        [b'P' | b'p', rest @ ..] => {
            let total = Cursor { rest }.iso_interval()?;
            if negative { -total } else { total }
        }
        _ => Cursor { rest: text }.worded_interval()?,
    };
    i64::try_from(total).ok()
}

/// Microseconds of the unit of time of that name: singular, plural or short, in any case.
pub fn unit_us(word: &[u8]) -> Option<i64> {
    const UNITS: [(&[&str], i64); 7] = [
        (&["us", "microsecond", "microseconds"], 1),
        (&["ms", "millisecond", "milliseconds"], 1_000),
        (&["s", "sec", "secs", "second", "seconds"], SECOND_US),
        (&["m", "min", "mins", "minute", "minutes"], MINUTE_US),
        (&["h", "hour", "hours"], HOUR_US),
        (&["d", "day", "days"], DAY_US),
        (&["w", "week", "weeks"], 7 * DAY_US),
    ];
    let is_one_of = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    UNITS.iter().find(|(names, _)| is_one_of(names)).map(|(_, us)| *us)
}

/// Microseconds of a number of units, which may have a sign and a fraction; `None` if it is no number.
pub fn amount(text: &[u8], unit_us: i64) -> Option<i128> {
    let (negative, rest) = sign(text.trim_ascii());
    let mut cursor = Cursor { rest };
    let us = cursor.amount()?.of(unit_us);
    cursor.rest.is_empty().then_some(if negative { -us } else { us })
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

/// The number behind an `e`. Past a billion one is as good as another.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0;
    for b in digits {
        value = (value * 10 + digit(*b)?).min(1_000_000_000);
    }
    Some(if negative { -value } else { value })
}

/// A decimal rounded to the scale, and whether nothing was lost.
fn scaled(text: &[u8], precision: u8, scale: u8) -> Option<(i128, bool)> {
    let (negative, text) = sign(text.trim_ascii());
    let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let point = mantissa.iter().position(|b| *b == b'.').unwrap_or(mantissa.len());
    if mantissa.len() - usize::from(point < mantissa.len()) == 0 {
        return None;
    }
    // Digits left to take: those before the point, and `scale` after it.
    let mut left = point as i64 + exponent + i64::from(scale);
    let mut value: i128 = 0;
    let mut exact = true;
    for (i, byte) in mantissa.iter().enumerate() {
        if i == point {
            continue;
        }
        let digit = i128::from(digit(*byte)?);
        if left > 0 {
            value = value.checked_mul(10)?.checked_add(digit)?;
        } else {
            exact &= digit == 0;
            if left == 0 && digit >= 5 {
                value = value.checked_add(1)?;
            }
        }
        left -= 1;
    }
    while left > 0 && value != 0 {
        value = value.checked_mul(10)?;
        left -= 1;
    }
    let fits = value < 10_i128.checked_pow(u32::from(precision))?;
    fits.then_some((if negative { -value } else { value }, exact))
}

/// A number of units before its unit is known.
struct Amount {
    whole: i128,
    /// Fraction in units of `1 / power`.
    fraction: i128,
    power: i128,
}

impl Amount {
    /// In microseconds, what is below them cut off.
    fn of(&self, unit_us: i64) -> i128 {
        let unit_us = i128::from(unit_us);
        self.whole * unit_us + self.fraction * unit_us / self.power
    }
}

/// A cursor over text; every step gives `None` when the text does not fit.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    /// A number of `least` to `most` digits (at most 18); further digits are left.
    #[inline]
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let mut value = 0;
        let mut count = 0;
        while count < most
            && let Some(b @ b'0'..=b'9') = self.rest.get(count)
        {
            value = value * 10 + i64::from(b - b'0');
            count += 1;
        }
        self.rest = &self.rest[count..];
        (count >= least).then_some(value)
    }

    fn skip_digits(&mut self) {
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.rest = &self.rest[count..];
    }

    /// Days since the epoch.
    fn date(&mut self) -> Option<i64> {
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let year = self.digits(4, 7)?;
        let year = if negative { -year } else { year };
        self.expect(b'-')?;
        let month = self.digits(1, 2)? as u8;
        self.expect(b'-')?;
        let day = self.digits(1, 2)? as u8;
        let exists = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
        exists.then(|| days_from_civil(year, month, day))
    }

    /// `H:MM[:SS[.f]]` in microseconds, the hour of at most `hour_digits` digits.
    fn time(&mut self, hour_digits: usize) -> Option<i128> {
        let hour = self.digits(1, hour_digits)?;
        self.expect(b':')?;
        let minute = self.digits(2, 2).filter(|m| *m < 60)?;
        let (mut second, mut fraction) = (0, 0);
        if self.take(b':') {
            second = self.digits(2, 2).filter(|s| *s < 60)?;
            if self.take(b'.') {
                fraction = self.fraction()?;
            }
        }
        Some(i128::from(hour) * i128::from(HOUR_US) + i128::from(minute * MINUTE_US + second * SECOND_US + fraction))
    }

    /// Fraction of a second in microseconds; digits past the sixth are cut off.
    fn fraction(&mut self) -> Option<i64> {
        let before = self.rest.len();
        let mut value = self.digits(1, 6)?;
        for _ in before - self.rest.len()..6 {
            value *= 10;
        }
        self.skip_digits();
        Some(value)
    }

    /// Microseconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.rest.is_empty() {
            return Some(0);
        }
        if self.rest.eq_ignore_ascii_case(b"Z") || self.rest.eq_ignore_ascii_case(b"UTC") {
            self.rest = &[];
            return Some(0);
        }
        let negative = self.take(b'-');
        if !negative {
            self.expect(b'+')?;
        }
        let hour = self.digits(2, 2).filter(|h| *h < 24)?;
        let minute = if self.take(b':') || !self.rest.is_empty() { self.digits(2, 2).filter(|m| *m < 60)? } else { 0 };
        let offset = hour * HOUR_US + minute * MINUTE_US;
        Some(if negative { -offset } else { offset })
    }

    /// Digits with or without a point.
    fn amount(&mut self) -> Option<Amount> {
        let before = self.rest.len();
        let whole = i128::from(self.digits(0, 18)?);
        let mut digits = before - self.rest.len();
        let (mut fraction, mut power) = (0, 1);
        if self.take(b'.') {
            let before = self.rest.len();
            fraction = i128::from(self.digits(0, 18)?);
            let count = before - self.rest.len();
            power = 10_i128.pow(count as u32);
            digits += count;
            self.skip_digits();
        }
        (digits > 0).then_some(Amount { whole, fraction, power })
    }

    /// `[nW][nD][T[nH][nM][nS]]`, behind the `P`.
    fn iso_interval(&mut self) -> Option<i128> {
        let mut total = 0;
        let mut in_time = false;
        let mut unit_before = i64::MAX;
        loop {
            if !in_time && (self.take(b'T') || self.take(b't')) {
                in_time = true;
            }
            let amount = self.amount()?;
            let (unit, rest) = self.rest.split_first()?;
            let unit_us = match (unit.to_ascii_uppercase(), in_time) {
                (b'W', false) => 7 * DAY_US,
                (b'D', false) => DAY_US,
                (b'H', true) => HOUR_US,
                (b'M', true) => MINUTE_US,
                (b'S', true) => SECOND_US,
                _ => return None,
            };
            if unit_us >= unit_before {
                return None;
            }
            unit_before = unit_us;
            total += amount.of(unit_us);
            self.rest = rest;
            if self.rest.is_empty() {
                return Some(total);
            }
        }
    }

    /// Numbers with units and times, each with its own sign: `-1 day 02:03:04.5`.
    fn worded_interval(&mut self) -> Option<i128> {
        let mut total = 0_i128;
        loop {
            let (negative, unsigned) = sign(self.rest);
            self.rest = unsigned;
            let us = match self.time(12) {
                Some(time) if self.rest.first().is_none_or(u8::is_ascii_whitespace) => time,
                _ => {
                    self.rest = unsigned;
                    let amount = self.amount()?;
                    self.rest = self.rest.trim_ascii_start();
                    let letters = self.rest.iter().take_while(|b| b.is_ascii_alphabetic()).count();
                    let (word, rest) = self.rest.split_at(letters);
                    self.rest = rest;
                    amount.of(unit_us(word)?)
                }
            };
            total = total.checked_add(if negative { -us } else { us })?;
            self.rest = self.rest.trim_ascii_start();
            if self.rest.is_empty() {
                return Some(total);
            }
        }
    }
}
