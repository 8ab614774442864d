//! The proleptic Gregorian calendar by arithmetic on days (Howard Hinnant, "chrono-Compatible Low-Level Date
//! Algorithms"): no table, no loop, exact for every day that 64 bits of microseconds reach, before the epoch too.
//!
//! Days and microseconds count from 1970-01-01T00:00:00Z and may be negative.

/// Microseconds of a second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MINUTE_US: i64 = 60 * SECOND_US;
/// Microseconds of an hour.
pub const HOUR_US: i64 = 60 * MINUTE_US;
/// Microseconds of a day (UTC has no leap second here).
pub const DAY_US: i64 = 24 * HOUR_US;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CivilDate {
    /// Year; 0 is the year before 1.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

/// Day number of a date; month and day must exist.
#[inline]
pub fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    // The year starts in March, so that the leap day is its last.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Date of a day number.
#[inline]
pub fn civil_from_days(days: i64) -> CivilDate {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    CivilDate { year, month, day }
}

/// Whether the year has a 29 February.
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month.
pub fn days_of_month(year: i64, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the week, 0 = Sunday.
#[inline]
pub fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// Day of the year, from 1.
#[inline]
pub fn day_of_year(days: i64) -> i64 {
    days - days_from_civil(civil_from_days(days).year, 1, 1) + 1
}

/// ISO 8601 week number, 1 to 53: the week belongs to the year that its Thursday lies in.
#[inline]
pub fn iso_week(days: i64) -> i64 {
    let thursday = days - (weekday(days) + 6) % 7 + 3;
    (day_of_year(thursday) - 1) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts day by day from 1600 to 2400, and checks every property on the way.
    #[test]
    fn arithmetic_agrees_with_counting() {
        let mut date = CivilDate { year: 1600, month: 1, day: 1 };
        // 1600-01-01 was a Saturday, 135140 days before the epoch.
        let (mut days, mut week_day, mut of_year) = (-135_140, 6, 1);
        let mut week = 52; // It belongs to the last week of 1599.
        while date.year < 2400 {
            assert_eq!(civil_from_days(days), date);
            assert_eq!(days_from_civil(date.year, date.month, date.day), days);
            assert_eq!(weekday(days), week_day);
            assert_eq!(day_of_year(days), of_year);
            if week_day == 1 {
                // A Monday starts week 1 if at least four of its days lie in the new year.
                let days_left = if is_leap(date.year) { 366 } else { 365 } - of_year + 1;
                week = if of_year <= 4 || days_left <= 3 { 1 } else { week + 1 };
            }
            assert_eq!(iso_week(days), week, "{date:?}");
            days += 1;
            week_day = (week_day + 1) % 7;
            of_year += 1;
            date.day += 1;
            if date.day > days_of_month(date.year, date.month) {
                date.day = 1;
                date.month += 1;
            }
            if date.month > 12 {
                date.month = 1;
                date.year += 1;
                of_year = 1;
            }
        }
    }

    #[test]
    fn the_ends_of_time_are_days_too() {
        for days in [i64::MIN / DAY_US - 1, i64::MAX / DAY_US, -719_468, 0, i64::from(i32::MIN), i64::from(i32::MAX)] {
            let date = civil_from_days(days);
            assert_eq!(days_from_civil(date.year, date.month, date.day), days);
            assert!((1..=53).contains(&iso_week(days)));
        }
    }
}
