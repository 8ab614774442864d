//! Dates, timestamps and intervals as text, both ways, without allocation.
//!
//! Guarantees: what is written reads back to the same number, over the whole 32-bit range of days and the whole 64-bit
//! range of microseconds (years beyond 9999 carry a sign, as ISO 8601 asks). The calendar is the proleptic Gregorian
//! one; the civil-day formulas are Howard Hinnant's ("chrono-Compatible Low-Level Date Algorithms").

const DAY_US: i64 = 86_400_000_000;

/// Days since the epoch of a civil date; the date must exist.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since the epoch.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// A cursor over text; every step gives `None` when the text does not fit.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn two_digits(&mut self) -> Option<i64> {
        let [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] = self.rest else { return None };
        let value = i64::from(a - b'0') * 10 + i64::from(b - b'0');
        self.rest = rest;
        Some(value)
    }

    /// At least `digits_min` digits, at most 9.
    fn number(&mut self, digits_min: usize) -> Option<i64> {
        let digits = self.rest.iter().take(10).take_while(|b| b.is_ascii_digit()).count();
        if digits < digits_min || digits > 9 {
            return None;
        }
        let value = self.rest[..digits].iter().fold(0, |value, b| value * 10 + i64::from(b - b'0'));
        self.rest = &self.rest[digits..];
        Some(value)
    }

    fn date(&mut self) -> Option<i64> {
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let year = self.number(4)?;
        let year = if negative { -year } else { year };
        if !self.take(b'-') {
            return None;
        }
        let month = self.two_digits().filter(|m| (1..=12).contains(m))?;
        if !self.take(b'-') {
            return None;
        }
        let day = self.two_digits().filter(|d| (1..=days_in_month(year, month)).contains(d))?;
        Some(days_from_civil(year, month, day))
    }

    /// Fraction of a second in microseconds; digits past the sixth are cut off.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > 18 {
            return None;
        }
        let mut value = 0;
        for i in 0..6 {
            value = value * 10 + if i < digits { i64::from(self.rest[i] - b'0') } else { 0 };
        }
        self.rest = &self.rest[digits..];
        Some(value)
    }

    /// `HH:MM[:SS[.f]]` in microseconds, hours below `hours_end`.
    fn time(&mut self) -> Option<i64> {
        let hour = self.two_digits().filter(|h| *h < 24)?;
        if !self.take(b':') {
            return None;
        }
        let minute = self.two_digits().filter(|m| *m < 60)?;
        let second = if self.take(b':') { self.two_digits().filter(|s| *s < 60)? } else { 0 };
        let fraction = if self.take(b'.') { self.fraction()? } else { 0 };
        Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction)
    }

    /// `Z`, `UTC`, `+HH`, `+HHMM`, `+HH:MM` or nothing: microseconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        self.take(b' ');
        if self.rest.is_empty() {
            return Some(0);
        }
        if self.take(b'Z') || self.take(b'z') {
            return Some(0);
        }
        if self.rest == b"UTC" {
            self.rest = &[];
            return Some(0);
        }
        let sign = if self.take(b'-') {
            -1
        } else if self.take(b'+') {
            1
        } else {
            return None;
        };
        let hour = self.two_digits().filter(|h| *h < 24)?;
        self.take(b':');
        let minute = if self.rest.is_empty() { 0 } else { self.two_digits().filter(|m| *m < 60)? };
        Some(sign * (hour * 60 + minute) * 60_000_000)
    }
}

/// Days since the epoch of `2013-01-31`.
pub fn parse_date(text: &[u8]) -> Option<i32> {
    let mut cursor = Cursor { rest: text };
    let days = cursor.date()?;
    if cursor.rest.is_empty() { i32::try_from(days).ok() } else { None }
}

/// Microseconds since the epoch of `2013-01-31T10:00:00.123456Z`: `T` or a blank in the middle, seconds, fraction and
/// offset may be missing (no offset: UTC), a date alone is its midnight.
pub fn parse_timestamp(text: &[u8]) -> Option<i64> {
    let mut cursor = Cursor { rest: text };
    let days = cursor.date()?;
    let (time, offset) = if cursor.rest.is_empty() {
        (0, 0)
    } else if cursor.take(b'T') || cursor.take(b't') || cursor.take(b' ') {
        (cursor.time()?, cursor.offset()?)
    } else {
        return None;
    };
    if !cursor.rest.is_empty() {
        return None;
    }
    // In 128 bits, because the first day that 64 bits reach into begins before their range does.
    i64::try_from(i128::from(days) * i128::from(DAY_US) + i128::from(time - offset)).ok()
}

/// Microseconds of `[-]H:MM:SS[.ffffff]`, any number of hours.
pub fn parse_interval(text: &[u8]) -> Option<i64> {
    let mut cursor = Cursor { rest: text };
    let negative = cursor.take(b'-');
    let digits = cursor.rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits > 12 {
        return None;
    }
    let hours = cursor.rest[..digits].iter().fold(0, |value, b| value * 10 + i128::from(b - b'0'));
    cursor.rest = &cursor.rest[digits..];
    if !cursor.take(b':') {
        return None;
    }
    let minutes = cursor.two_digits().filter(|m| *m < 60)?;
    if !cursor.take(b':') {
        return None;
    }
    let seconds = cursor.two_digits().filter(|s| *s < 60)?;
    let fraction = if cursor.take(b'.') { cursor.fraction()? } else { 0 };
    if !cursor.rest.is_empty() {
        return None;
    }
    let us = hours * 3_600_000_000 + i128::from((minutes * 60 + seconds) * 1_000_000 + fraction);
    i64::try_from(if negative { -us } else { us }).ok()
}

fn push_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = value;
    while rest > 0 || digits.len() - start < width {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends `2013-01-31`.
pub fn push_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil_from_days(days);
    if year < 0 {
        out.push(b'-');
    } else if year > 9999 {
        out.push(b'+');
    }
    push_padded(out, year.unsigned_abs(), 4);
    out.push(b'-');
    push_padded(out, month.unsigned_abs(), 2);
    out.push(b'-');
    push_padded(out, day.unsigned_abs(), 2);
}

/// Appends `HH:MM:SS`, and six digits of fraction if it is not zero.
fn push_time(out: &mut Vec<u8>, us: u64) {
    let seconds = us / 1_000_000;
    push_padded(out, seconds / 3600, 2);
    out.push(b':');
    push_padded(out, seconds / 60 % 60, 2);
    out.push(b':');
    push_padded(out, seconds % 60, 2);
    if !us.is_multiple_of(1_000_000) {
        out.push(b'.');
        push_padded(out, us % 1_000_000, 6);
    }
}

/// Appends `2013-01-31T10:00:00Z`, with a fraction only if it is not zero.
pub fn push_timestamp(out: &mut Vec<u8>, us: i64) {
    push_date(out, us.div_euclid(DAY_US));
    out.push(b'T');
    push_time(out, us.rem_euclid(DAY_US).unsigned_abs());
    out.push(b'Z');
}

/// Appends `[-]HH:MM:SS[.ffffff]`.
pub fn push_interval(out: &mut Vec<u8>, us: i64) {
    if us < 0 {
        out.push(b'-');
    }
    push_time(out, us.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        let us = 1_357_034_400_000_000;
        for text in [
            "2013-01-01T10:00:00Z",
            "2013-01-01 10:00:00",
            "2013-01-01 10:00",
            "2013-01-01T12:00:00+02:00",
            "2013-01-01 05:30:00.000000 -0430",
            "2013-01-01T10:00:00.000000000UTC",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), Some(us), "{text}");
        }
        assert_eq!(parse_timestamp(b"2013-01-01 10:00:00.5"), Some(us + 500_000));
        assert_eq!(parse_timestamp(b"1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(parse_date(b"2000-02-29"), Some(11_016));
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in
            ["", "2013", "2013-13-01", "2013-02-29", "2013-01-01T", "2013-01-01T24:00", "2013-01-01x", "1357034400"]
        {
            assert_eq!(parse_timestamp(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_date(b"2013-01-01T00:00"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(us in any::<i64>(), days in any::<i32>()) {
            for us in [us, us % (100 * 365 * DAY_US), i64::MIN, i64::MAX] {
                let mut text = Vec::new();
                push_timestamp(&mut text, us);
                prop_assert_eq!(parse_timestamp(&text), Some(us), "{}", String::from_utf8_lossy(&text));
                text.clear();
                push_interval(&mut text, us);
                prop_assert_eq!(parse_interval(&text), Some(us));
            }
            for days in [days, i32::MIN, i32::MAX] {
                let mut text = Vec::new();
                push_date(&mut text, i64::from(days));
                prop_assert_eq!(parse_date(&text), Some(days));
            }
        }
    }
}
