//! DATE_TRUNC and EXTRACT: calendar arithmetic on microseconds since the epoch, UTC, before the epoch too.

use super::datum::{Datum, Mask, Scope, with_lanes};
use super::failures::{FailureReason, RowFailures};
use crate::batch::Values;
use crate::kernel::lanes::{map, map_flagged};
use crate::plan::DatePart;
use crate::types::DataType;
use crate::types::text::calendar::{
    DAY_US, HOUR_US, MINUTE_US, SECOND_US, civil_from_days, day_of_year, days_from_civil, iso_week, weekday,
};

/// DATE_TRUNC(part, arg). A start before the least TIMESTAMP fails the row.
pub(super) fn truncate<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    part: DatePart,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    if arg.is_null() {
        return arg;
    }
    let (out, flags) = (scope.fill(0), scope.bitmap());
    let any = with_lanes!(arg.int64(scope.rows), |a| {
        let (out, flags) = (&mut *out, &mut *flags);
        // Fixed units divide by a constant that the compiler knows.
        match part {
            DatePart::Microsecond => {
                map(a, out, |x| x);
                false
            }
            DatePart::Millisecond => map_flagged(a, out, flags, |x| floor_to(x, 1_000)),
            DatePart::Second => map_flagged(a, out, flags, |x| floor_to(x, SECOND_US)),
            DatePart::Minute => map_flagged(a, out, flags, |x| floor_to(x, MINUTE_US)),
            DatePart::Hour => map_flagged(a, out, flags, |x| floor_to(x, HOUR_US)),
            DatePart::Day => map_flagged(a, out, flags, |x| floor_to(x, DAY_US)),
            _ => map_flagged(a, out, flags, |x| from_days(first_day(x.div_euclid(DAY_US), part))),
        }
    });
    let overflow = FailureReason::Overflow(DataType::Timestamp);
    let validity = if any { scope.settle(flags, arg.validity(), active, failures, overflow) } else { arg.validity() };
    Datum::column(Values::Int64(out), validity)
}

/// `x` less its rest modulo `unit`, toward minus infinity.
fn floor_to(x: i64, unit: i64) -> (i64, bool) {
    x.div_euclid(unit).overflowing_mul(unit)
}

fn from_days(days: i64) -> (i64, bool) {
    days.overflowing_mul(DAY_US)
}

/// First day of the week, month, quarter or year that `days` lies in.
fn first_day(days: i64, part: DatePart) -> i64 {
    let date = civil_from_days(days);
    match part {
        DatePart::Week => days - (weekday(days) + 6) % 7,
        DatePart::Month => days_from_civil(date.year, date.month, 1),
        DatePart::Quarter => days_from_civil(date.year, (date.month - 1) / 3 * 3 + 1, 1),
        DatePart::Year => days_from_civil(date.year, 1, 1),
        other => panic!("the planner does not truncate to {other:?}"),
    }
}

/// EXTRACT(part FROM arg). Milliseconds and microseconds include the seconds of the minute, as in PostgreSQL.
pub(super) fn extract<'a>(scope: Scope<'_, 'a>, arg: Datum<'a>, part: DatePart) -> Datum<'a> {
    if arg.is_null() {
        return arg;
    }
    let out = scope.fill(0);
    with_lanes!(arg.int64(scope.rows), |a| map(a, &mut *out, |x| extract_part(x, part)));
    Datum::column(Values::Int64(out), arg.validity())
}

fn extract_part(x: i64, part: DatePart) -> i64 {
    let days = x.div_euclid(DAY_US);
    match part {
        DatePart::Microsecond => x.rem_euclid(MINUTE_US),
        DatePart::Millisecond => x.rem_euclid(MINUTE_US) / 1_000,
        DatePart::Second => x.rem_euclid(MINUTE_US) / SECOND_US,
        DatePart::Minute => x.rem_euclid(HOUR_US) / MINUTE_US,
        DatePart::Hour => x.rem_euclid(DAY_US) / HOUR_US,
        DatePart::Day => i64::from(civil_from_days(days).day),
        DatePart::Week => iso_week(days),
        DatePart::Month => i64::from(civil_from_days(days).month),
        DatePart::Quarter => i64::from((civil_from_days(days).month - 1) / 3 + 1),
        DatePart::Year => civil_from_days(days).year,
        DatePart::DayOfWeek => weekday(days),
        // 1 is Monday, 7 Sunday.
        DatePart::IsoDayOfWeek => (weekday(days) + 6) % 7 + 1,
        DatePart::DayOfYear => day_of_year(days),
        // The year that the Thursday of the week lies in.
        DatePart::IsoYear => civil_from_days(days - (weekday(days) + 6) % 7 + 3).year,
        DatePart::Epoch => x.div_euclid(SECOND_US),
    }
}
