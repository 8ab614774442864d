//! Functions of points in time and lengths of time, in microseconds since the epoch, UTC, by the calendar of
//! [`crate::types::text::calendar`].

use bumpalo::collections::Vec as ArenaVec;

use super::part::DatePart;
use super::prepared::{Prepared, RowFunction};
use super::rows::{Failure, Rows};
use crate::types::text::calendar::{
    CivilDate, DAY_US, HOUR_US, MINUTE_US, SECOND_US, civil_from_days, days_from_civil, days_of_month, weekday,
};

/// Length of a part that always has the same.
fn fixed_us(part: DatePart) -> Option<i64> {
    Some(match part {
        DatePart::Microsecond => 1,
        DatePart::Millisecond => 1_000,
        DatePart::Second => SECOND_US,
        DatePart::Minute => MINUTE_US,
        DatePart::Hour => HOUR_US,
        DatePart::Day => DAY_US,
        DatePart::Week => 7 * DAY_US,
        _ => return None,
    })
}

/// Months of a part that is made of them.
fn months(part: DatePart) -> i64 {
    match part {
        DatePart::Quarter => 3,
        DatePart::Year => 12,
        _ => 1,
    }
}

fn date_of(us: i64) -> CivilDate {
    civil_from_days(us.div_euclid(DAY_US))
}

/// Months since the year 0.
fn month_number(date: CivilDate) -> i64 {
    date.year * 12 + i64::from(date.month) - 1
}

/// `us` some months later (or earlier) at the same time of day; a day that the month does not have becomes its last.
fn add_months(us: i64, months: i64) -> Option<i64> {
    let date = date_of(us);
    let number = month_number(date).checked_add(months)?;
    let year = number.div_euclid(12);
    // Years beyond what 64 bits of microseconds reach would overflow the calendar.
    if year.abs() > 300_000 {
        return None;
    }
    // 1 to 12.
    let month = (number.rem_euclid(12) + 1) as u8;
    let day = date.day.min(days_of_month(year, month));
    let exact = i128::from(days_from_civil(year, month, day)) * i128::from(DAY_US) + i128::from(us.rem_euclid(DAY_US));
    i64::try_from(exact).ok()
}

/// The part of a call whose first argument names one: always a literal.
fn part_of(rows: &Rows<'_, '_>) -> DatePart {
    match rows.prepared() {
        Prepared::Part(part) => *part,
        other => panic!("the planner takes only literal parts, not {other:?}"),
    }
}

/// DATE_ADD(part, n, timestamp).
pub const DATE_ADD: RowFunction = RowFunction::with("DATE_ADD", super::Literals::Part, |rows| {
    let part = part_of(rows);
    rows.each(|(_, n, us): (&[u8], i64, i64)| {
        let later = match fixed_us(part) {
            Some(unit) => n.checked_mul(unit).and_then(|length| us.checked_add(length)),
            None => n.checked_mul(months(part)).and_then(|months| add_months(us, months)),
        };
        later.ok_or(Failure::Overflow)
    });
});

/// How many starts of a part lie behind `from` up to `to`.
fn crossed(part: DatePart, from: i64, to: i64) -> i128 {
    let difference = |number: &dyn Fn(i64) -> i64| i128::from(number(to)) - i128::from(number(from));
    match part {
        // Weeks start on Monday; the epoch was a Thursday.
        DatePart::Week => difference(&|us| (us.div_euclid(DAY_US) + 3).div_euclid(7)),
        _ => match fixed_us(part) {
            Some(unit) => difference(&|us| us.div_euclid(unit)),
            None => difference(&|us| month_number(date_of(us)).div_euclid(months(part))),
        },
    }
}

/// DATE_DIFF(part, from, to).
pub const DATE_DIFF: RowFunction = RowFunction::with("DATE_DIFF", super::Literals::Part, |rows| {
    let part = part_of(rows);
    rows.each(|(_, from, to): (&[u8], i64, i64)| i64::try_from(crossed(part, from, to)).map_err(|_| Failure::Overflow));
});

/// How many whole parts fit between `from` and `to`; negative if `to` is the earlier.
fn fitting(part: DatePart, from: i64, to: i64) -> i128 {
    if let Some(unit) = fixed_us(part) {
        return (i128::from(to) - i128::from(from)) / i128::from(unit);
    }
    let mut whole = month_number(date_of(to)) - month_number(date_of(from));
    // The last month may not be full. Outside the range of TIMESTAMP there is nothing it could pass.
    let reached = add_months(from, whole);
    if to >= from && reached.is_none_or(|reached| reached > to) {
        whole -= 1;
    } else if to < from && reached.is_none_or(|reached| reached < to) {
        whole += 1;
    }
    i128::from(whole / months(part))
}

/// DATE_SUB(part, from, to).
pub const DATE_SUB: RowFunction = RowFunction::with("DATE_SUB", super::Literals::Part, |rows| {
    let part = part_of(rows);
    rows.each(|(_, from, to): (&[u8], i64, i64)| i64::try_from(fitting(part, from, to)).map_err(|_| Failure::Overflow));
});

/// DATE_BIN(width, timestamp, origin).
pub const DATE_BIN: RowFunction = RowFunction::new("DATE_BIN", |rows| {
    rows.each(|(width, us, origin): (i64, i64, i64)| {
        if width <= 0 {
            return Err(Failure::Refused("the width is not above zero"));
        }
        let (width, origin) = (i128::from(width), i128::from(origin));
        let start = origin + (i128::from(us) - origin).div_euclid(width) * width;
        i64::try_from(start).map_err(|_| Failure::Overflow)
    });
});

/// The day of a date, if there is such a date and 32 bits hold its number.
fn day_of(year: i64, month: i64, day: i64) -> Result<i32, Failure> {
    const NO_DATE: Failure = Failure::Refused("there is no such date");
    if !(-5_900_000..=5_900_000).contains(&year) {
        return Err(Failure::Overflow);
    }
    let month = u8::try_from(month).ok().filter(|month| (1..=12).contains(month)).ok_or(NO_DATE)?;
    let fits = |day: &u8| (1..=days_of_month(year, month)).contains(day);
    let day = u8::try_from(day).ok().filter(fits).ok_or(NO_DATE)?;
    i32::try_from(days_from_civil(year, month, day)).map_err(|_| Failure::Overflow)
}

/// MAKE_DATE(year, month, day).
pub const MAKE_DATE: RowFunction = RowFunction::new("MAKE_DATE", |rows| {
    rows.each(|(year, month, day): (i64, i64, i64)| day_of(year, month, day));
});

/// MAKE_TIMESTAMP(year, month, day, hour, minute, second).
pub const MAKE_TIMESTAMP: RowFunction = RowFunction::new("MAKE_TIMESTAMP", |rows| {
    rows.each(|(year, month, day, hour, minute, second): (i64, i64, i64, i64, i64, f64)| {
        let days = day_of(year, month, day)?;
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..60.0).contains(&second) {
            return Err(Failure::Refused("there is no such time of day"));
        }
        // Below 60 million, so exact; 59.9999999 s must not become the next minute.
        let fraction_us = ((second * 1e6).round() as i64).min(MINUTE_US - 1);
        let time = hour * HOUR_US + minute * MINUTE_US + fraction_us;
        i64::try_from(i128::from(days) * i128::from(DAY_US) + i128::from(time)).map_err(|_| Failure::Overflow)
    });
});

/// TO_TIMESTAMP(seconds).
pub const TO_TIMESTAMP: RowFunction = RowFunction::new("TO_TIMESTAMP", |rows| {
    rows.each(|(seconds,): (f64,)| {
        let us = (seconds * 1e6).round();
        // 2^63 itself is out of range; NaN is in none.
        let limit = 9_223_372_036_854_775_808.0;
        if (-limit..limit).contains(&us) { Ok(us as i64) } else { Err(Failure::Overflow) }
    });
});

fn scaled(rows: &mut Rows<'_, '_>, unit: i64) {
    rows.each(|(n,): (i64,)| n.checked_mul(unit).ok_or(Failure::Overflow));
}

/// TO_TIMESTAMP of whole seconds.
pub const TO_TIMESTAMP_WHOLE: RowFunction = RowFunction::new("TO_TIMESTAMP", |rows| scaled(rows, SECOND_US));

/// MAKE_TIMESTAMP_MS(milliseconds).
pub const MAKE_TIMESTAMP_MS: RowFunction = RowFunction::new("MAKE_TIMESTAMP_MS", |rows| scaled(rows, 1_000));

/// MAKE_TIMESTAMP(microseconds).
pub const MAKE_TIMESTAMP_US: RowFunction = RowFunction::new("MAKE_TIMESTAMP", |rows| rows.each(|(us,): (i64,)| us));

/// EPOCH(timestamp): seconds with their fraction.
pub const EPOCH: RowFunction = RowFunction::new("EPOCH", |rows| {
    rows.each(|(us,): (i64,)| us.div_euclid(SECOND_US) as f64 + us.rem_euclid(SECOND_US) as f64 / 1e6);
});

/// EPOCH_MS(timestamp).
pub const EPOCH_MS: RowFunction = RowFunction::new("EPOCH_MS", |rows| rows.each(|(us,): (i64,)| us.div_euclid(1_000)));

/// EPOCH_US(timestamp).
pub const EPOCH_US: RowFunction = RowFunction::new("EPOCH_US", |rows| rows.each(|(us,): (i64,)| us));

/// EPOCH_NS(timestamp).
pub const EPOCH_NS: RowFunction = RowFunction::new("EPOCH_NS", |rows| scaled(rows, 1_000));

/// LAST_DAY(timestamp).
pub const LAST_DAY: RowFunction = RowFunction::new("LAST_DAY", |rows| {
    rows.each(|(us,): (i64,)| {
        let date = date_of(us);
        // A day of 64 bits of microseconds fits 32 bits.
        days_from_civil(date.year, date.month, days_of_month(date.year, date.month)) as i32
    });
});

/// DAYNAME(timestamp).
pub const DAYNAME: RowFunction = RowFunction::new("DAYNAME", |rows| {
    const NAMES: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    name(rows, |us| NAMES[weekday(us.div_euclid(DAY_US)) as usize]);
});

/// MONTHNAME(timestamp).
pub const MONTHNAME: RowFunction = RowFunction::new("MONTHNAME", |rows| {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    name(rows, |us| NAMES[usize::from(date_of(us).month) - 1]);
});

fn name(rows: &mut Rows<'_, '_>, name: impl Fn(i64) -> &'static str) {
    rows.write(|(us,): (i64,), out: &mut ArenaVec<'_, u8>| out.extend_from_slice_copy(name(us).as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adding the whole parts that fit never passes the other end, and one more does.
    #[test]
    fn differences_and_sums_agree() {
        let mut seed = 7_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 1) as i64 % 10_000_000_000_000_000
        };
        for _ in 0..20_000 {
            let (a, b) = (random() - 5_000_000_000_000_000, random() - 5_000_000_000_000_000);
            let (from, to) = (a.min(b), a.max(b));
            for part in [DatePart::Month, DatePart::Quarter, DatePart::Year] {
                let whole = i64::try_from(fitting(part, from, to)).unwrap();
                assert!(add_months(from, whole * months(part)).unwrap() <= to, "{part:?} {from} {to}");
                assert!(add_months(from, (whole + 1) * months(part)).unwrap() > to, "{part:?} {from} {to}");
                let back = i64::try_from(fitting(part, to, from)).unwrap();
                assert!(back <= 0 && add_months(to, back * months(part)).unwrap() >= from, "{part:?} {from} {to}");
            }
            let days = to.div_euclid(DAY_US) - from.div_euclid(DAY_US);
            assert_eq!(crossed(DatePart::Day, from, to), i128::from(days));
            let mondays = (from.div_euclid(DAY_US) + 1..=to.div_euclid(DAY_US)).step_by(1).take(800);
            if days < 800 {
                assert_eq!(crossed(DatePart::Week, from, to), mondays.filter(|day| weekday(*day) == 1).count() as i128);
            }
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        assert_eq!(add_months(i64::MAX, 1), None);
        assert_eq!(add_months(0, i64::MIN), None);
        assert_eq!(add_months(i64::MIN, 0), Some(i64::MIN));
        let months = month_number(date_of(i64::MAX)) - month_number(date_of(i64::MIN));
        assert_eq!(fitting(DatePart::Month, i64::MIN, i64::MAX), i128::from(months - 1), "21 December to 10 January");
    }
}
