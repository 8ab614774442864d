//! Fixed cases: text formats, what is evaluated for whom, and what is not copied.

use bumpalo::Bump;

use super::super::{Evaluator, FailureReason, RowFailures, evaluate_constant};
use crate::batch::{Column, Selection, Strings, Values};
use crate::kernel::Simd;
use crate::plan::{ArithmeticOp, CompareOp, DatePart, Expr, ExprKind, Function};
use crate::types::text::{parse, print};
use crate::types::{DataType, Value};

fn expr(kind: ExprKind, data_type: DataType) -> Expr {
    Expr { kind, data_type }
}

fn text(text: &str) -> Expr {
    Expr::literal(Value::Utf8(text.into()), DataType::Varchar)
}

fn long(x: i64) -> Expr {
    Expr::literal(Value::Int64(x), DataType::BigInt)
}

fn cast(arg: Expr, to: DataType) -> Expr {
    expr(ExprKind::Cast(Box::new(arg)), to)
}

fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
    expr(ExprKind::Compare { op, left: Box::new(left), right: Box::new(right) }, DataType::Boolean)
}

fn call(function: Function, args: Vec<Expr>, data_type: DataType) -> Expr {
    expr(ExprKind::Call { function, args }, data_type)
}

fn written(value: Value, data_type: DataType) -> String {
    match evaluate_constant(&cast(Expr::literal(value, data_type), DataType::Varchar)) {
        Ok(Value::Utf8(text)) => text.into(),
        other => panic!("{other:?}"),
    }
}

fn read(from: &str, to: DataType) -> Result<Value, String> {
    evaluate_constant(&cast(text(from), to))
}

const DECIMAL: DataType = DataType::Decimal { precision: 6, scale: 2 };

#[test]
fn values_are_written_as_documented() {
    for (value, data_type, expected) in [
        (Value::Boolean(true), DataType::Boolean, "true"),
        (Value::Int32(-5), DataType::Int, "-5"),
        (Value::Int64(i64::MIN), DataType::BigInt, "-9223372036854775808"),
        (Value::Float64(1.0), DataType::Double, "1.0"),
        (Value::Float64(0.1), DataType::Double, "0.1"),
        (Value::Float64(1e300), DataType::Double, "1e300"),
        (Value::Float64(f64::NAN), DataType::Double, "NaN"),
        (Value::Float64(f64::NEG_INFINITY), DataType::Double, "-inf"),
        (Value::Int128(-50), DECIMAL, "-0.50"),
        (Value::Int128(7), DataType::Decimal { precision: 6, scale: 0 }, "7"),
        (Value::Int32(-719_529), DataType::Date, "-0001-12-31"),
        (Value::Int32(15_706), DataType::Date, "2013-01-01"),
        (Value::Int64(1_357_034_400_000_000), DataType::Timestamp, "2013-01-01T10:00:00Z"),
        (Value::Int64(1_357_034_400_500_000), DataType::Timestamp, "2013-01-01T10:00:00.500000Z"),
        (Value::Int64(-1), DataType::Timestamp, "1969-12-31T23:59:59.999999Z"),
        (Value::Int64(90_500_000), DataType::Interval, "00:01:30.500000"),
        (Value::Int64(-1_000_000), DataType::Interval, "-00:00:01"),
        (Value::Int64(0), DataType::Interval, "00:00:00"),
    ] {
        assert_eq!(written(value.clone(), data_type), expected);
        assert!(super::same(&read(expected, data_type).unwrap(), &value), "{expected} reads back");
    }
}

#[test]
fn text_is_read_as_documented() {
    for (from, to, expected) in [
        (" YES ", DataType::Boolean, Value::Boolean(true)),
        ("+12", DataType::BigInt, Value::Int64(12)),
        ("infinity", DataType::Double, Value::Float64(f64::INFINITY)),
        ("1.005", DECIMAL, Value::Int128(101)),
        ("-1.005e2", DECIMAL, Value::Int128(-10_050)),
        ("12e-4", DECIMAL, Value::Int128(0)),
        ("50e-4", DECIMAL, Value::Int128(1)),
        (".5", DECIMAL, Value::Int128(50)),
        ("0e999999999999", DECIMAL, Value::Int128(0)),
        ("2013-01-01 12:00:00+02:00", DataType::Timestamp, Value::Int64(1_357_034_400_000_000)),
        ("2013-01-01 10:00", DataType::Timestamp, Value::Int64(1_357_034_400_000_000)),
        ("2013-01-01T10:00:00.1234567Z", DataType::Timestamp, Value::Int64(1_357_034_400_123_456)),
        ("2013-01-01", DataType::Timestamp, Value::Int64(1_356_998_400_000_000)),
        ("1 day 02:00:00.5", DataType::Interval, Value::Int64(93_600_500_000)),
        ("-90 minutes", DataType::Interval, Value::Int64(-5_400_000_000)),
        ("P1DT1H", DataType::Interval, Value::Int64(90_000_000_000)),
        ("1.5h", DataType::Interval, Value::Int64(5_400_000_000)),
    ] {
        assert_eq!(read(from, to), Ok(expected), "{from}");
    }
    for (from, to) in [
        ("maybe", DataType::Boolean),
        ("", DataType::BigInt),
        ("1.5", DataType::BigInt),
        ("9223372036854775808", DataType::BigInt),
        ("2147483648", DataType::Int),
        ("1e999", DataType::Double),
        ("9999.995", DECIMAL),
        ("1e5", DECIMAL),
        (".", DECIMAL),
        ("1e9999999999", DECIMAL),
        ("2013-02-29", DataType::Date),
        ("2013-01-01T10:00:00Z", DataType::Date),
        ("2013-01-01T24:00:00Z", DataType::Timestamp),
        ("2013-01-01T10:60", DataType::Timestamp),
        ("2013-01-01T10:00:00+2", DataType::Timestamp),
        ("999999-01-01", DataType::Timestamp),
        ("one day", DataType::Interval),
        ("P", DataType::Interval),
        ("", DataType::Interval),
    ] {
        assert_eq!(read(from, to), Err(format!("VARCHAR value cannot be cast to {to}")), "{from}");
    }
}

/// Every day of a few centuries and odd microseconds read back as written.
#[test]
fn dates_and_times_round_trip() {
    let mut out = Vec::new();
    for days in (-1_000_000..1_000_000).step_by(997) {
        out.clear();
        print::date(&mut out, days);
        assert_eq!(parse::date(&out), Some(days), "{out:?}");
    }
    for us in [i64::MIN, i64::MAX, -1, 0, 1, 999_999, 1_000, -62_167_219_200_000_001] {
        out.clear();
        print::timestamp(&mut out, us);
        assert_eq!(parse::timestamp(&out), Some(us), "{out:?}");
        out.clear();
        print::interval(&mut out, us);
        assert_eq!(parse::interval(&out), Some(us), "{out:?}");
    }
}

#[test]
fn substrings_count_as_in_postgresql() {
    for (start, length, expected) in [
        (1, Some(2), "he"),
        (0, Some(2), "h"),
        (-5, Some(7), "h"),
        (2, None, "\u{e9}llo"),
        (9, Some(1), ""),
        (2, Some(0), ""),
    ] {
        for word in ["h\u{e9}llo", "hello"] {
            let args = [text(word), long(start)].into_iter().chain(length.map(long)).collect();
            let found = evaluate_constant(&call(Function::Substring, args, DataType::Varchar));
            let expected =
                if word.is_ascii() { expected.replace('\u{e9}', "e") } else { expected.replace("he", "h\u{e9}") };
            assert_eq!(found, Ok(Value::Utf8(expected.into())));
        }
    }
    let negative = call(Function::Substring, vec![text("a"), long(1), long(-1)], DataType::Varchar);
    assert_eq!(evaluate_constant(&negative), Err("negative length in SUBSTRING".into()));
}

#[test]
fn constants_are_evaluated_or_refused() {
    let column = Expr::column(0, DataType::BigInt);
    assert_eq!(evaluate_constant(&column), Err("expected a constant, found a column".into()));
    let sum = |left, right| {
        let (left, right) = (Box::new(left), Box::new(right));
        expr(ExprKind::Arithmetic { op: ArithmeticOp::Add, left, right }, DataType::BigInt)
    };
    assert_eq!(evaluate_constant(&sum(long(1), long(2))), Ok(Value::Int64(3)));
    assert_eq!(evaluate_constant(&sum(long(i64::MAX), long(1))), Err("BIGINT overflow".into()));
    let week = call(
        Function::DateTrunc(DatePart::Week),
        vec![Expr::literal(Value::Int64(-1), DataType::Timestamp)],
        DataType::Timestamp,
    );
    assert_eq!(evaluate_constant(&week), Ok(Value::Int64(-3 * 86_400_000_000)));
}

fn codes_column<'a>(arena: &'a Bump, codes: &[u32]) -> Column<'a> {
    let values = Strings { offsets: &[0, 1, 3], bytes: b"x17" };
    Column::valid(Values::Dictionary { codes: arena.alloc_slice_copy(codes), values, source: None })
}

/// `kind = '17' AND CAST(kind AS INT) > 3` fails no row that the first operand decides; alone, the cast does.
#[test]
fn decided_rows_do_not_fail() {
    let arena = Bump::new();
    let columns = [codes_column(&arena, &[0, 1, 0, 1])];
    let kind = Expr::column(0, DataType::Varchar);
    let number = cast(kind.clone(), DataType::Int);
    let above = compare(CompareOp::Greater, number.clone(), Expr::literal(Value::Int32(3), DataType::Int));
    let guarded =
        expr(ExprKind::And(vec![compare(CompareOp::Equal, kind, text("17")), above.clone()]), DataType::Boolean);
    let mut failures = RowFailures::new(&arena, 4);
    assert_eq!(
        Evaluator::new(&guarded).select(&columns, 4, Selection::All, &arena, &mut failures, Simd::detect()),
        Selection::Mask(&[0b1010])
    );
    assert!(failures.is_empty());

    assert_eq!(
        Evaluator::new(&above).select(&columns, 4, Selection::Rows(&[1, 2]), &arena, &mut failures, Simd::detect()),
        Selection::Rows(&[1])
    );
    let reason = FailureReason::Cast { from: DataType::Varchar, to: DataType::Int };
    assert_eq!(failures.iter().collect::<Vec<_>>(), [(2, reason)]);
    assert_eq!((failures.count(), failures.reason(0), failures.words()), (1, None, Some(&[4][..])));

    // A failed row passes no predicate, not even one that is TRUE of it.
    let is_null = expr(ExprKind::IsNull { arg: Box::new(number), negated: false }, DataType::Boolean);
    let mut failures = RowFailures::new(&arena, 4);
    assert_eq!(
        Evaluator::new(&is_null).select(&columns, 4, Selection::All, &arena, &mut failures, Simd::detect()),
        Selection::Rows(&[])
    );
    assert_eq!(failures.count(), 2);
}

/// A column is passed on as it is; text functions keep a dictionary's codes; all rows passing need no list.
#[test]
fn what_is_there_is_not_copied() {
    let arena = Bump::new();
    let columns = [codes_column(&arena, &[0, 1, 0])];
    let column = Expr::column(0, DataType::Varchar);
    let codes = |column: &Column<'_>| match column.values {
        Values::Dictionary { codes, .. } => codes.as_ptr(),
        _ => panic!("expected a dictionary"),
    };
    let before = arena.allocated_bytes_including_metadata() - arena.chunk_capacity();
    let mut failures = RowFailures::new(&arena, 3);
    let same =
        Evaluator::new(&column).evaluate(&columns, 3, Selection::Rows(&[1]), &arena, &mut failures, Simd::detect());
    assert_eq!(codes(&same), codes(&columns[0]));
    assert_eq!(before, arena.allocated_bytes_including_metadata() - arena.chunk_capacity());
    let upper = call(Function::Upper, vec![column.clone()], DataType::Varchar);
    let upper = Evaluator::new(&upper).evaluate(&columns, 3, Selection::All, &arena, &mut failures, Simd::detect());
    assert_eq!(codes(&upper), codes(&columns[0]));
    assert_eq!(upper.value(0), Value::Utf8("X".into()));
    let all = compare(CompareOp::NotEqual, column, text(""));
    assert_eq!(
        Evaluator::new(&all).select(&columns, 3, Selection::All, &arena, &mut failures, Simd::detect()),
        Selection::All
    );
}
