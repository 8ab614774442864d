//! Functions of points in time and lengths of time.

use super::signature::{Default, Returns, double, interval, moment, part, text, unit, whole};
use super::{Definition, Group, built, define, of_part, rewrite, row, syntax};
use crate::error::Span;
use crate::function::{DatePart, format, moment as rows};
use crate::plan::coerce::{self, Bound, Planned};
use crate::plan::expr::{ArithmeticOp, Expr, Function};
use crate::types::text::calendar::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use crate::types::{DataType, Value};

const BIGINT: Returns = Returns::Type(DataType::BigInt);
const DATE: Returns = Returns::Type(DataType::Date);
const INTERVAL: Returns = Returns::Type(DataType::Interval);
const TIMESTAMP: Returns = Returns::Type(DataType::Timestamp);
const VARCHAR: Returns = Returns::Type(DataType::Varchar);
const DOUBLE: Returns = Returns::Type(DataType::Double);

/// The same as EXTRACT of one part.
const fn extracting(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    forms: &'static [super::Form],
    examples: &'static [(&'static str, &'static str)],
) -> Definition {
    define(name, aliases, Group::Time, about, forms, examples)
}

const fn extract(part: DatePart) -> super::Form {
    const TIME: &[super::Parameter] = &[moment("time")];
    built(TIME, BIGINT, Function::Extract(part))
}

/// `n` units as an INTERVAL.
fn units(unit_us: i64, args: Vec<Bound>, span: Span) -> Planned<Bound> {
    let unit = Bound::typed(Expr::literal(Value::Int64(unit_us), DataType::Interval), span);
    let count = args.into_iter().next().unwrap_or_else(|| Bound::null(span));
    // Beside an INTERVAL a NULL would be one too.
    let count = Bound::typed(count.coerce(DataType::BigInt)?, span);
    coerce::arithmetic(ArithmeticOp::Multiply, unit, count, span)
}

pub(super) static MOMENTS: &[Definition] = &[
    define(
        "EXTRACT",
        &[],
        Group::Time,
        "A part of a point in time: microsecond, millisecond, second (of the minute, whole), minute, hour, day, week (ISO), \
         month, quarter, year, dow (0 is Sunday), isodow (7 is Sunday), doy, isoyear, epoch (whole seconds).",
        &[syntax(&[part("part FROM time")], BIGINT)],
        &[("EXTRACT(HOUR FROM TIMESTAMP '2024-02-29 13:45:06')", "13"), ("EXTRACT(DOY FROM DATE '2024-12-31')", "366")],
    ),
    define(
        "DATE_PART",
        &["DATEPART"],
        Group::Time,
        "As EXTRACT.",
        &[of_part(&[part("hour"), moment("time")], BIGINT, Function::Extract)],
        &[("DATE_PART('quarter', DATE '2024-05-01')", "2")],
    ),
    define(
        "DATE_TRUNC",
        &["DATETRUNC"],
        Group::Time,
        "The start of the microsecond, millisecond, second, minute, hour, day, week (Monday), month, quarter or year.",
        &[of_part(&[unit("minute"), moment("time")], TIMESTAMP, Function::DateTrunc)],
        &[("DATE_TRUNC('month', TIMESTAMP '2024-02-29 13:45:06')", "2024-02-01T00:00:00Z")],
    ),
    define(
        "DATE_BIN",
        &["TIME_BUCKET"],
        Group::Time,
        "The start of the bin of that width that the point in time lies in; bins are counted from `origin` (the epoch, as \
         windows are).",
        &[row(&[interval("width"), moment("time"), moment("origin").or(Default::Epoch)], TIMESTAMP, rows::DATE_BIN)],
        &[("DATE_BIN(INTERVAL '15' MINUTE, TIMESTAMP '2024-02-29 13:45:06')", "2024-02-29T13:45:00Z")],
    ),
    define(
        "DATE_DIFF",
        &["DATEDIFF"],
        Group::Time,
        "How many starts of a part lie between: from 23:59 to 00:01 is one day.",
        &[row(&[unit("day"), moment("from"), moment("to")], BIGINT, rows::DATE_DIFF)],
        &[
            ("DATE_DIFF('day', TIMESTAMP '2024-02-28 23:59:00', TIMESTAMP '2024-03-01 00:01:00')", "2"),
            ("DATE_DIFF('month', DATE '2024-01-31', DATE '2024-02-01')", "1"),
        ],
    ),
    define(
        "DATE_SUB",
        &["DATESUB"],
        Group::Time,
        "How many whole parts fit between: from 31 January to 1 February is no month.",
        &[row(&[unit("day"), moment("from"), moment("to")], BIGINT, rows::DATE_SUB)],
        &[("DATE_SUB('month', DATE '2024-01-31', DATE '2024-03-30')", "1")],
    ),
    define(
        "DATE_ADD",
        &["DATEADD"],
        Group::Time,
        "The point in time `n` parts later, or an INTERVAL later. A day that the month does not have becomes its last.",
        &[
            row(&[unit("month"), whole("n"), moment("time")], TIMESTAMP, rows::DATE_ADD),
            rewrite(&[moment("time"), interval("length")], TIMESTAMP, |args, span| {
                let mut args = args.into_iter();
                let mut next = || args.next().unwrap_or_else(|| Bound::null(span));
                let (time, length) = (next(), next());
                coerce::arithmetic(ArithmeticOp::Add, time, length, span)
            }),
        ],
        &[
            ("DATE_ADD('month', 1, DATE '2024-01-31')", "2024-02-29T00:00:00Z"),
            ("DATE_ADD(DATE '2024-01-31', INTERVAL '1' DAY)", "2024-02-01T00:00:00Z"),
        ],
    ),
    define(
        "MAKE_DATE",
        &[],
        Group::Time,
        "The date of a year, month and day; one that there is not fails the record.",
        &[row(&[whole("year"), whole("month"), whole("day")], DATE, rows::MAKE_DATE)],
        &[("MAKE_DATE(2024, 2, 29)", "2024-02-29")],
    ),
    define(
        "MAKE_TIMESTAMP",
        &[],
        Group::Time,
        "The point in time of a date and a time of day, or of microseconds since the epoch.",
        &[
            row(
                &[whole("year"), whole("month"), whole("day"), whole("hour"), whole("minute"), double("second")],
                TIMESTAMP,
                rows::MAKE_TIMESTAMP,
            ),
            row(&[whole("microseconds")], TIMESTAMP, rows::MAKE_TIMESTAMP_US),
        ],
        &[("MAKE_TIMESTAMP(2024, 2, 29, 13, 45, 6.5)", "2024-02-29T13:45:06.500000Z")],
    ),
    define(
        "MAKE_TIMESTAMP_MS",
        &[],
        Group::Time,
        "The point in time so many milliseconds after the epoch.",
        &[row(&[whole("milliseconds")], TIMESTAMP, rows::MAKE_TIMESTAMP_MS)],
        &[("MAKE_TIMESTAMP_MS(1709214306500)", "2024-02-29T13:45:06.500000Z")],
    ),
    define(
        "TO_TIMESTAMP",
        &[],
        Group::Time,
        "The point in time so many seconds after the epoch.",
        &[
            row(&[whole("seconds")], TIMESTAMP, rows::TO_TIMESTAMP_WHOLE),
            row(&[double("seconds")], TIMESTAMP, rows::TO_TIMESTAMP),
        ],
        &[("TO_TIMESTAMP(1709214306)", "2024-02-29T13:45:06Z"), ("TO_TIMESTAMP(0.25)", "1970-01-01T00:00:00.250000Z")],
    ),
    define(
        "EPOCH",
        &[],
        Group::Time,
        "Seconds since 1970-01-01T00:00:00Z, with their fraction.",
        &[row(&[moment("time")], DOUBLE, rows::EPOCH)],
        &[("EPOCH(TIMESTAMP '2024-02-29 13:45:06.5')", "1709214306.5")],
    ),
    define(
        "EPOCH_MS",
        &[],
        Group::Time,
        "Milliseconds since the epoch; of a whole number the point in time so many milliseconds after the epoch.",
        &[
            row(&[moment("time")], BIGINT, rows::EPOCH_MS),
            row(&[whole("milliseconds")], TIMESTAMP, rows::MAKE_TIMESTAMP_MS),
        ],
        &[("EPOCH_MS(TIMESTAMP '1970-01-01 00:00:01.5')", "1500"), ("EPOCH_MS(1500)", "1970-01-01T00:00:01.500000Z")],
    ),
    define(
        "EPOCH_US",
        &[],
        Group::Time,
        "Microseconds since the epoch.",
        &[row(&[moment("time")], BIGINT, rows::EPOCH_US)],
        &[("EPOCH_US(TIMESTAMP '1970-01-01 00:00:01.5')", "1500000")],
    ),
    define(
        "EPOCH_NS",
        &[],
        Group::Time,
        "Nanoseconds since the epoch; beyond the year 2262 they fail the record.",
        &[row(&[moment("time")], BIGINT, rows::EPOCH_NS)],
        &[("EPOCH_NS(TIMESTAMP '1970-01-01 00:00:01.5')", "1500000000")],
    ),
    define(
        "STRFTIME",
        &[],
        Group::Time,
        "The point in time written by a pattern as C has them: %Y-%m-%d %H:%M:%S, %f (six digits of a fraction of a \
         second), %a %A %b %B (names), %j (day of the year), %s (epoch), %z, %-d (not padded), %% and more.",
        &[row(&[moment("time"), text("pattern")], VARCHAR, format::STRFTIME)],
        &[("STRFTIME(TIMESTAMP '2024-02-29 13:45:06', '%a %d/%m/%Y %H:%M')", "Thu 29/02/2024 13:45")],
    ),
    define(
        "STRPTIME",
        &[],
        Group::Time,
        "The point in time that a text means by a pattern (see STRFTIME); text that does not fit it fails the record. \
         Without a time of day it is midnight, without an offset UTC.",
        &[row(&[text("text"), text("pattern")], TIMESTAMP, format::STRPTIME)],
        &[("STRPTIME('29/02/2024 13:45', '%d/%m/%Y %H:%M')", "2024-02-29T13:45:00Z")],
    ),
    define(
        "TRY_STRPTIME",
        &[],
        Group::Time,
        "As STRPTIME, but NULL of text that does not fit.",
        &[row(&[text("text"), text("pattern")], TIMESTAMP, format::TRY_STRPTIME)],
        &[("TRY_STRPTIME('yesterday', '%d/%m/%Y')", "NULL")],
    ),
    define(
        "LAST_DAY",
        &[],
        Group::Time,
        "The last day of the month.",
        &[row(&[moment("time")], DATE, rows::LAST_DAY)],
        &[("LAST_DAY(DATE '2024-02-01')", "2024-02-29")],
    ),
    define(
        "DAYNAME",
        &[],
        Group::Time,
        "The English name of the day of the week.",
        &[row(&[moment("time")], VARCHAR, rows::DAYNAME)],
        &[("DAYNAME(DATE '2024-02-29')", "Thursday")],
    ),
    define(
        "MONTHNAME",
        &[],
        Group::Time,
        "The English name of the month.",
        &[row(&[moment("time")], VARCHAR, rows::MONTHNAME)],
        &[("MONTHNAME(DATE '2024-02-29')", "February")],
    ),
    extracting("YEAR", &[], "The year.", &[extract(DatePart::Year)], &[("YEAR(DATE '2024-02-29')", "2024")]),
    extracting(
        "QUARTER",
        &[],
        "The quarter, 1 to 4.",
        &[extract(DatePart::Quarter)],
        &[("QUARTER(DATE '2024-02-29')", "1")],
    ),
    extracting("MONTH", &[], "The month, 1 to 12.", &[extract(DatePart::Month)], &[("MONTH(DATE '2024-02-29')", "2")]),
    extracting(
        "WEEK",
        &["WEEKOFYEAR"],
        "The ISO week, 1 to 53.",
        &[extract(DatePart::Week)],
        &[("WEEK(DATE '2024-12-30')", "1")],
    ),
    extracting(
        "ISOYEAR",
        &[],
        "The year that the ISO week belongs to.",
        &[extract(DatePart::IsoYear)],
        &[("ISOYEAR(DATE '2024-12-30')", "2025")],
    ),
    extracting(
        "DAY",
        &["DAYOFMONTH"],
        "The day of the month.",
        &[extract(DatePart::Day)],
        &[("DAY(DATE '2024-02-29')", "29")],
    ),
    extracting(
        "DAYOFWEEK",
        &["WEEKDAY"],
        "The day of the week, 0 is Sunday.",
        &[extract(DatePart::DayOfWeek)],
        &[("DAYOFWEEK(DATE '2024-02-29')", "4")],
    ),
    extracting(
        "ISODOW",
        &[],
        "The day of the week, 1 is Monday, 7 Sunday.",
        &[extract(DatePart::IsoDayOfWeek)],
        &[("ISODOW(DATE '2024-03-03')", "7")],
    ),
    extracting(
        "DAYOFYEAR",
        &[],
        "The day of the year, from 1.",
        &[extract(DatePart::DayOfYear)],
        &[("DAYOFYEAR(DATE '2024-02-29')", "60")],
    ),
    extracting(
        "HOUR",
        &[],
        "The hour.",
        &[extract(DatePart::Hour)],
        &[("HOUR(TIMESTAMP '2024-02-29 13:45:06')", "13")],
    ),
    extracting(
        "MINUTE",
        &[],
        "The minute.",
        &[extract(DatePart::Minute)],
        &[("MINUTE(TIMESTAMP '2024-02-29 13:45:06')", "45")],
    ),
    extracting(
        "SECOND",
        &[],
        "The second, whole.",
        &[extract(DatePart::Second)],
        &[("SECOND(TIMESTAMP '2024-02-29 13:45:06.7')", "6")],
    ),
    extracting(
        "MILLISECOND",
        &[],
        "The milliseconds of the minute, seconds included, as PostgreSQL and DuckDB count them.",
        &[extract(DatePart::Millisecond)],
        &[("MILLISECOND(TIMESTAMP '2024-02-29 13:45:06.7')", "6700")],
    ),
    extracting(
        "MICROSECOND",
        &[],
        "The microseconds of the minute, seconds included.",
        &[extract(DatePart::Microsecond)],
        &[("MICROSECOND(TIMESTAMP '2024-02-29 13:45:06.7')", "6700000")],
    ),
    define(
        "TO_DAYS",
        &[],
        Group::Time,
        "So many days as an INTERVAL.",
        &[rewrite(&[whole("n")], INTERVAL, |args, span| units(DAY_US, args, span))],
        &[("TO_DAYS(2)", "48:00:00")],
    ),
    define(
        "TO_HOURS",
        &[],
        Group::Time,
        "So many hours as an INTERVAL.",
        &[rewrite(&[whole("n")], INTERVAL, |args, span| units(HOUR_US, args, span))],
        &[("TO_HOURS(36)", "36:00:00")],
    ),
    define(
        "TO_MINUTES",
        &[],
        Group::Time,
        "So many minutes as an INTERVAL.",
        &[rewrite(&[whole("n")], INTERVAL, |args, span| units(MINUTE_US, args, span))],
        &[("TO_MINUTES(90)", "01:30:00")],
    ),
    define(
        "TO_SECONDS",
        &[],
        Group::Time,
        "So many seconds as an INTERVAL.",
        &[rewrite(&[whole("n")], INTERVAL, |args, span| units(SECOND_US, args, span))],
        &[("DATE '2024-02-29' + TO_SECONDS(5)", "2024-02-29T00:00:05Z")],
    ),
    define(
        "TO_MILLISECONDS",
        &[],
        Group::Time,
        "So many milliseconds as an INTERVAL.",
        &[rewrite(&[whole("n")], INTERVAL, |args, span| units(1_000, args, span))],
        &[("TO_MILLISECONDS(1500)", "00:00:01.500000")],
    ),
    define(
        "TO_MICROSECONDS",
        &[],
        Group::Time,
        "So many microseconds as an INTERVAL.",
        &[rewrite(&[whole("n")], INTERVAL, |args, span| units(1, args, span))],
        &[("TO_MICROSECONDS(7)", "00:00:00.000007")],
    ),
];
