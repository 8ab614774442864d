//! Values as text, as CAST to VARCHAR and the CSV encoder write them.
//!
//! | type | text |
//! |---|---|
//! | BOOLEAN | `true`, `false` |
//! | INT, BIGINT | digits |
//! | DOUBLE | shortest that reads back the same: `1.0`, `0.1`, `1e300`, `NaN`, `inf`, `-inf` |
//! | DECIMAL | all digits of the scale: `-0.50` |
//! | DATE | `2013-01-01`; a year outside 0 to 9999 has a sign |
//! | TIMESTAMP | `2013-01-01T10:00:00Z`, with three or six digits of a fraction that is not zero |
//! | INTERVAL | ISO 8601 seconds: `PT90.5S`, `-PT1S` |

use std::fmt::{self, Write};

use bumpalo::collections::Vec as ArenaVec;

use crate::kernel::arithmetic::POWERS_OF_TEN;
use crate::kernel::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, civil_from_days};

/// Text appended to bytes in the arena.
pub(super) struct Appender<'v, 'a>(pub &'v mut ArenaVec<'a, u8>);

impl Write for Appender<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice_copy(text.as_bytes());
        Ok(())
    }
}

/// BIGINT.
pub(super) fn integer(out: &mut impl Write, value: i64) -> fmt::Result {
    write!(out, "{value}")
}

/// DOUBLE.
pub(super) fn double(out: &mut impl Write, value: f64) -> fmt::Result {
    out.write_str(ryu::Buffer::new().format(value))
}

/// DECIMAL.
pub(super) fn decimal(out: &mut impl Write, value: i128, scale: u8) -> fmt::Result {
    let power = POWERS_OF_TEN[scale as usize].unsigned_abs();
    let (whole, fraction) = (value.unsigned_abs() / power, value.unsigned_abs() % power);
    let sign = if value < 0 { "-" } else { "" };
    match scale {
        0 => write!(out, "{sign}{whole}"),
        _ => write!(out, "{sign}{whole}.{fraction:0width$}", width = scale as usize),
    }
}

/// DATE.
pub(super) fn date(out: &mut impl Write, days: i64) -> fmt::Result {
    let date = civil_from_days(days);
    match date.year {
        0..=9999 => write!(out, "{:04}-{:02}-{:02}", date.year, date.month, date.day),
        _ => write!(out, "{:+05}-{:02}-{:02}", date.year, date.month, date.day),
    }
}

/// TIMESTAMP.
pub(super) fn timestamp(out: &mut impl Write, us: i64) -> fmt::Result {
    date(out, us.div_euclid(DAY_US))?;
    let time = us.rem_euclid(DAY_US);
    let (hour, minute, second) = (time / HOUR_US, time % HOUR_US / MINUTE_US, time % MINUTE_US / SECOND_US);
    write!(out, "T{hour:02}:{minute:02}:{second:02}")?;
    match time % SECOND_US {
        0 => {}
        fraction if fraction % 1_000 == 0 => write!(out, ".{:03}", fraction / 1_000)?,
        fraction => write!(out, ".{fraction:06}")?,
    }
    out.write_char('Z')
}

/// INTERVAL.
pub(super) fn interval(out: &mut impl Write, us: i64) -> fmt::Result {
    let sign = if us < 0 { "-" } else { "" };
    let (seconds, mut fraction) = (us.unsigned_abs() / 1_000_000, us.unsigned_abs() % 1_000_000);
    write!(out, "{sign}PT{seconds}")?;
    if fraction > 0 {
        let mut width = 6;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        write!(out, ".{fraction:0width$}")?;
    }
    out.write_char('S')
}
