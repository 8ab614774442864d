//! What is written reads back; what is read and refused, word for word.

use proptest::prelude::*;

use super::calendar::DAY_US;
use super::{parse, print};

fn printed(print: impl Fn(&mut Vec<u8>)) -> String {
    let mut text = Vec::new();
    print(&mut text);
    String::from_utf8(text).unwrap()
}

fn check_times(days: i32, us: i64) {
    let text = printed(|out| print::date(out, days));
    assert_eq!(parse::date(text.as_bytes()), Some(days), "{text}");
    let text = printed(|out| print::timestamp(out, us));
    assert_eq!(parse::timestamp(text.as_bytes()), Some(us), "{text}");
    let text = printed(|out| print::interval(out, us));
    assert_eq!(parse::interval(text.as_bytes()), Some(us), "{text}");
}

fn check_numbers(long: i64, double: f64, wide: i128) {
    let text = printed(|out| print::integer(out, long));
    assert_eq!(text, long.to_string());
    assert_eq!(parse::integer(text.as_bytes()), Some(long));
    let text = printed(|out| print::double(out, double));
    let read = parse::double(text.as_bytes()).unwrap();
    assert!(read.to_bits() == double.to_bits() || read.is_nan() && double.is_nan(), "{text}");
    for scale in 0..=38 {
        let text = printed(|out| print::decimal(out, wide, scale));
        assert_eq!(text.replace('.', "").parse::<i128>().ok(), Some(wide), "{text}");
        assert_eq!(text.len() - text.find('.').map_or(text.len(), |at| at + 1), usize::from(scale), "{text}");
        let fits = wide.unsigned_abs() < 10_u128.pow(38);
        assert_eq!(parse::exact_decimal(text.as_bytes(), 38, scale), fits.then_some(wide), "{text}");
        assert_eq!(parse::decimal(text.as_bytes(), 38, scale), fits.then_some(wide), "{text}");
    }
}

#[test]
fn extremes_read_back() {
    for value in [false, true] {
        assert_eq!(parse::boolean(printed(|out| print::boolean(out, value)).as_bytes()), Some(value));
    }
    for value in [i32::MIN, i32::MAX, 0, -719_528, -719_529, 2_932_896, 2_932_897] {
        check_times(value, i64::from(value));
        assert_eq!(parse::int(printed(|out| print::integer(out, i64::from(value))).as_bytes()), Some(value));
    }
    for us in [i64::MIN, i64::MAX, -1, 0, 1, 999_999, 1_000, -62_167_219_200_000_001] {
        check_times(0, us);
    }
    let most = 10_i128.pow(38) - 1;
    let longs = [i64::MIN, i64::MAX, 0, -1, 9, 10, 99, 100, 999_999_999_999_999_999];
    let doubles = [0.0, -0.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e16, 1e-5, f64::NAN, f64::INFINITY];
    let wides = [0, 1, -1, most, -most, i128::MIN, i128::MAX, 10_i128.pow(19), 10_i128.pow(19) - 1];
    for i in 0..doubles.len() {
        check_numbers(longs[i % longs.len()], doubles[i], wides[i % wides.len()]);
        check_numbers(0, -doubles[i], 0);
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(days in any::<i32>(), us in any::<i64>(), bits in any::<u64>(), wide in any::<i128>(), shift in 0..128_u32) {
        check_times(days, us);
        check_times(days, us % (100 * 365 * DAY_US));
        check_times(days, us / 1_000_000 * 1_000_000);
        check_numbers(us >> (shift % 64), f64::from_bits(bits), wide >> shift);
    }

    /// Whatever the text: no panic, and blanks around it change nothing.
    #[test]
    fn any_text_is_read_or_refused(text in "[-+0-9.:eETtPZUCdhmsn ]{0,24}", scale in 0..=38_u8) {
        let padded = format!(" \t{text}\n ");
        let (text, padded) = (text.as_bytes(), padded.as_bytes());
        prop_assert_eq!(parse::boolean(text), parse::boolean(padded));
        prop_assert_eq!(parse::integer(text), parse::integer(padded));
        prop_assert_eq!(parse::double(text).map(f64::to_bits), parse::double(padded).map(f64::to_bits));
        prop_assert_eq!(parse::decimal(text, 38, scale), parse::decimal(padded, 38, scale));
        prop_assert_eq!(parse::date(text), parse::date(padded));
        prop_assert_eq!(parse::timestamp(text), parse::timestamp(padded));
        prop_assert_eq!(parse::interval(text), parse::interval(padded));
    }
}

#[test]
fn integers() {
    for value in [0, -1, 7, i64::MAX, i64::MIN, 999_999_999_999_999_999] {
        assert_eq!(parse::integer(value.to_string().as_bytes()), Some(value));
    }
    assert_eq!(parse::integer(b"+5.000"), Some(5));
    for text in ["", "-", "5.1", "1e3", "9223372036854775808", "-9223372036854775809", "1 2", ".0", "x"] {
        assert_eq!(parse::integer(text.as_bytes()), None, "{text}");
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
        ("0.001e-2", Some(0)),
        ("1e-99999999999999999999", Some(0)),
        ("9999.999", None),
        ("99999", None),
        (".", None),
        ("", None),
        ("-", None),
        ("1.2.3", None),
        ("1e", None),
        ("1e2.0", None),
        ("x", None),
        ("1 2", None),
    ] {
        assert_eq!(parse::decimal(text.as_bytes(), 6, 2), value, "{text}");
    }
    assert_eq!(parse::decimal(b"99999999999999999999999999999999999999", 38, 0), Some(10_i128.pow(38) - 1));
    // Rounding up the greatest 128-bit number is no overflow, only too many digits.
    assert_eq!(parse::decimal(b"170141183460469231731687303715884105727.5", 38, 0), None);
    assert_eq!(parse::decimal(b"0e999", 5, 2), Some(0));
    assert_eq!(parse::decimal(b"1.25", 38, 1), Some(13));
    assert_eq!(parse::decimal(b"-1.25", 38, 1), Some(-13));
    assert_eq!(parse::exact_decimal(b"1.25", 38, 1), None);
    assert_eq!(parse::exact_decimal(b"1.5e2", 38, 0), Some(150));
    assert_eq!(parse::exact_decimal(b"12e-1", 38, 1), Some(12));
    assert_eq!(parse::exact_decimal(b"1e39", 38, 0), None);
    assert_eq!(printed(|out| print::decimal(out, -5, 2)), "-0.05");
}

#[test]
fn known_instants() {
    let us = 1_357_034_400_000_000;
    for text in [
        "2013-01-01T10:00:00Z",
        "2013-01-01t10:00:00z",
        "2013-1-1 10:00:00",
        "2013-01-01 10:00:00",
        "2013-01-01 10:00",
        "2013-01-01 9:00 -01",
        "2013-01-01T12:00:00+02:00",
        "2013-01-01 05:30:00.000000 -0430",
        "2013-01-01T10:00:00.000000000UTC",
        " 2013-01-01T10:00:00  utc ",
    ] {
        assert_eq!(parse::timestamp(text.as_bytes()), Some(us), "{text}");
    }
    assert_eq!(parse::timestamp(b"2013-01-01 10:00:00.5"), Some(us + 500_000));
    assert_eq!(parse::timestamp(b"2013-01-01 10:00:00.0000019999999999999999999"), Some(us + 1));
    assert_eq!(parse::timestamp(b"1969-12-31T23:59:59.999999Z"), Some(-1));
    assert_eq!(parse::timestamp(b"1970-01-01 00:00:01.5"), Some(1_500_000));
    assert_eq!(parse::timestamp(b"1970-01-01T02:00:00+02:00"), Some(0));
    assert_eq!(parse::timestamp(b"1970-01-01T00:00Z"), Some(0));
    for (text, days) in [("2000-02-29", 11_016), ("1970-01-01", 0), ("2024-02-29", 19_782), ("1969-12-31", -1)] {
        assert_eq!(parse::date(text.as_bytes()), Some(days), "{text}");
    }
}

#[test]
fn refuses_what_is_no_instant() {
    for text in [
        "",
        "2013",
        "2013-13-01",
        "2013-02-29",
        "2013-01-01T",
        "2013-01-01T24:00",
        "2013-01-01x",
        "1357034400",
        "yesterday",
        "2024-01-01 25:00",
        "2024-01-01 12",
        "2024-01-01  12:00",
        "2024-01-01 12:00:60",
        "2024-01-01 12:00.5",
        "2024-01-01 12:00:00.",
        "2024-01-01 12:00+2",
        "2024-01-01 12:00+02:",
        "2024-01-01 12:00 CET",
        "\u{e9}-\u{e9}-\u{e9}",
    ] {
        assert_eq!(parse::timestamp(text.as_bytes()), None, "{text}");
    }
    assert_eq!(parse::date(b"2013-01-01T00:00"), None);
    assert_eq!(parse::date(b"2023-02-29"), None);
}

#[test]
fn lengths_of_time() {
    for (text, us) in [
        ("1:30", Some(5_400_000_000)),
        ("-00:00:01.5", Some(-1_500_000)),
        ("1 day 02:00:00.5", Some(93_600_500_000)),
        ("-1 day 02:00", Some(-79_200_000_000)),
        ("1m30s", Some(90_000_000)),
        ("1.5h", Some(5_400_000_000)),
        (".0000001 days", Some(8_640)),
        ("P1DT1H", Some(90_000_000_000)),
        ("-PT1.5S", Some(-1_500_000)),
        ("p1w", Some(604_800_000_000)),
        ("", None),
        ("1", None),
        ("1:30:00x", None),
        ("1:302 days", None),
        ("1 parsec", None),
        ("1 minute 3", None),
        ("..s", None),
        ("-", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("PT1S1H", None),
        ("99999999999999 days", None),
    ] {
        assert_eq!(parse::interval(text.as_bytes()), us, "{text}");
    }
}
