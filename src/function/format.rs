//! Points in time written and read by a pattern: STRFTIME and STRPTIME, by `chrono`.
//!
//! The pattern is the one of C, with `%f` as six digits of a fraction of a second, and `%-d` and the like without padding.
//! Text without a time of day is midnight, without an offset UTC.

use std::fmt::Write;

use bumpalo::collections::Vec as ArenaVec;
use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveTime};

use super::prepared::{Literals, Prepared, RowFunction};
use super::rows::{Failure, Made, Rows};

/// A compiled pattern.
#[derive(Debug)]
pub struct Format {
    items: Vec<Item<'static>>,
    /// Whether an offset is written: `chrono` takes its name from the heap for every row.
    has_offset: bool,
}

impl Format {
    /// Compiles a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let mut text = String::with_capacity(pattern.len());
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            text.push(c);
            if c == '%' {
                match chars.next() {
                    // chrono's own %f counts nanoseconds.
                    Some('f') => text.push_str("6f"),
                    Some(c) => text.push(c),
                    None => return Err("the pattern ends with %".into()),
                }
            }
        }
        match StrftimeItems::new(&text).parse_to_owned() {
            Ok(items) => {
                // A point in time without an offset cannot be written where one is asked for.
                let timeless = DateTime::UNIX_EPOCH.naive_utc().format_with_items(items.iter());
                let has_offset = timeless.write_to(&mut String::new()).is_err();
                Ok(Self { items, has_offset })
            }
            Err(_) => Err(format!("'{pattern}' holds a % with a letter that means nothing")),
        }
    }

    fn write(&self, us: i64, out: &mut ArenaVec<'_, u8>) -> Result<(), Failure> {
        let moment = DateTime::from_timestamp_micros(us).ok_or(Failure::Overflow)?;
        let (items, out) = (self.items.iter(), &mut Text(out));
        let written = match self.has_offset {
            true => moment.format_with_items(items).write_to(out),
            false => moment.naive_utc().format_with_items(items).write_to(out),
        };
        written.map_err(|_| Failure::Refused("the pattern asks for what a TIMESTAMP has not"))
    }

    /// The point in time that a text means; `None` if it does not fit the pattern or there is none.
    fn read(&self, text: &str) -> Option<i64> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        if parsed.timestamp().is_some() {
            return Some(parsed.to_naive_datetime_with_offset(0).ok()?.and_utc().timestamp_micros());
        }
        let date = parsed.to_naive_date().ok()?;
        let timeless = parsed.hour_div_12().is_none()
            && parsed.hour_mod_12().is_none()
            && parsed.minute().is_none()
            && parsed.second().is_none();
        let time = if timeless {
            NaiveTime::MIN
        } else {
            // An hour alone is a whole one.
            if parsed.minute().is_none() && parsed.second().is_none() {
                parsed.set_minute(0).ok()?;
            }
            parsed.to_naive_time().ok()?
        };
        let local = date.and_time(time).and_utc().timestamp_micros();
        local.checked_sub(i64::from(parsed.offset().unwrap_or(0)) * 1_000_000)
    }
}

/// Text in the arena, as `fmt` writes to it.
struct Text<'t, 'a>(&'t mut ArenaVec<'a, u8>);

impl Write for Text<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice_copy(text.as_bytes());
        Ok(())
    }
}

const WRONG: Failure = Failure::Refused("the pattern is not one of a point in time");

/// STRFTIME(timestamp, pattern).
pub const STRFTIME: RowFunction = RowFunction::with("STRFTIME", Literals::Format, |rows| match rows.prepared() {
    Prepared::Format(format) => rows.write(|(us, _): (i64, &[u8]), out| format.write(us, out)),
    _ => {
        let mut made = Made::new();
        rows.write(|(us, pattern): (i64, &str), out| match made.get(pattern, |text| Format::new(text).ok()) {
            Some(format) => format.write(us, out),
            None => Err(WRONG),
        });
    }
});

/// STRPTIME(text, pattern).
pub const STRPTIME: RowFunction = RowFunction::with("STRPTIME", Literals::Format, |rows| {
    read(rows, |read| read.map(Some).ok_or(Failure::Refused("the text does not fit the pattern")));
});

/// TRY_STRPTIME(text, pattern): NULL where STRPTIME fails.
pub const TRY_STRPTIME: RowFunction = RowFunction::with("TRY_STRPTIME", Literals::Format, |rows| read(rows, Ok));

fn read(rows: &mut Rows<'_, '_>, answer: impl Fn(Option<i64>) -> Result<Option<i64>, Failure>) {
    match rows.prepared() {
        Prepared::Format(format) => rows.each(|(text, _): (&str, &[u8])| answer(format.read(text))),
        _ => {
            let mut made = Made::new();
            rows.each(|(text, pattern): (&str, &str)| match made.get(pattern, |text| Format::new(text).ok()) {
                Some(format) => answer(format.read(text)),
                None => Err(WRONG),
            });
        }
    }
}
