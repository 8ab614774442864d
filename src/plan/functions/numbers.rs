//! Functions of numbers.

use super::signature::{Default, Returns, any, decimal, double, number, whole};
use super::{Definition, Group, built, define, rewrite, row, variadic};
use crate::error::Span;
use crate::function::{RowFunction, number as rows};
use crate::plan::coerce::{self, Bound, Planned, common_of};
use crate::plan::expr::{ArithmeticOp, Expr, ExprKind, Function};
use crate::types::{DataType, Value};

const DOUBLE: Returns = Returns::Type(DataType::Double);
const BIGINT: Returns = Returns::Type(DataType::BigInt);
const BOOLEAN: Returns = Returns::Type(DataType::Boolean);

/// A function of one DOUBLE.
const fn of_double(
    name: &'static str,
    about: &'static str,
    function: &'static [super::Form],
    examples: &'static [(&'static str, &'static str)],
) -> Definition {
    define(name, &[], Group::Number, about, function, examples)
}

const fn form(function: RowFunction) -> super::Form {
    const X: &[super::Parameter] = &[double("x")];
    row(X, DOUBLE, function)
}

fn arithmetic(op: ArithmeticOp, args: Vec<Bound>, span: Span) -> Planned<Bound> {
    let mut args = args.into_iter();
    // The number of arguments has been checked.
    let mut next = || args.next().unwrap_or_else(|| Bound::null(span));
    let (left, right) = (next(), next());
    coerce::arithmetic(op, left, right, span)
}

/// GREATEST or LEAST: all of one type.
fn extreme(function: Function, args: Vec<Bound>, span: Span) -> Planned<Bound> {
    let data_type = common_of(&args.iter().collect::<Vec<_>>(), "compare")?;
    let args = args.into_iter().map(|arg| arg.coerce(data_type)).collect::<Planned<Vec<_>>>()?;
    Ok(Bound::typed(Expr { kind: ExprKind::Call { function, args }, data_type }, span))
}

pub(super) static NUMBERS: &[Definition] = &[
    define(
        "ABS",
        &[],
        Group::Number,
        "The number without its sign.",
        &[built(&[number("x")], Returns::First, Function::Abs)],
        &[("ABS(-3)", "3")],
    ),
    define(
        "SIGN",
        &[],
        Group::Number,
        "-1, 0 or 1; 0 of NaN.",
        &[
            row(&[whole("x")], BIGINT, rows::SIGN_WHOLE),
            row(&[decimal("x")], BIGINT, rows::SIGN_DECIMAL),
            row(&[double("x")], BIGINT, rows::SIGN),
        ],
        &[("SIGN(-2.5)", "-1")],
    ),
    define(
        "CEIL",
        &["CEILING"],
        Group::Number,
        "The least whole number that is not below.",
        &[built(&[number("x")], Returns::First, Function::Ceil)],
        &[("CEIL(1.2)", "2.0")],
    ),
    define(
        "FLOOR",
        &[],
        Group::Number,
        "The greatest whole number that is not above.",
        &[built(&[number("x")], Returns::First, Function::Floor)],
        &[("FLOOR(-1.2)", "-2.0")],
    ),
    define(
        "ROUND",
        &[],
        Group::Number,
        "Rounded to `digits` (0) behind the point, half away from zero; negative digits round before the point.",
        &[built(&[number("x"), whole("digits").or(Default::Whole(0))], Returns::First, Function::Round)],
        &[("ROUND(2.5)", "3.0"), ("ROUND(1234.567, 2)", "1234.57"), ("ROUND(1234, -2)", "1200")],
    ),
    define(
        "TRUNC",
        &["TRUNCATE"],
        Group::Number,
        "What is behind the point cut off; of a whole number or a DECIMAL, what is behind `digits` (0).",
        &[
            row(&[whole("x"), whole("digits").or(Default::Whole(0))], Returns::First, rows::TRUNC_WHOLE),
            row(&[decimal("x"), whole("digits").or(Default::Whole(0))], Returns::First, rows::TRUNC_DECIMAL),
            form(rows::TRUNC),
        ],
        &[("TRUNC(-1.7)", "-1.0"), ("TRUNC(CAST(1.987 AS DECIMAL(5, 3)), 1)", "1.900")],
    ),
    of_double(
        "SQRT",
        "The square root; a number below zero fails the record.",
        &[form(rows::SQRT)],
        &[("SQRT(9)", "3.0")],
    ),
    of_double("CBRT", "The cube root.", &[form(rows::CBRT)], &[("CBRT(-27)", "-3.0")]),
    of_double(
        "EXP",
        "e to the power of x; infinite where it is too great for a DOUBLE.",
        &[form(rows::EXP)],
        &[("EXP(0)", "1.0")],
    ),
    of_double(
        "LN",
        "The natural logarithm; a number that is not above zero fails the record.",
        &[form(rows::LN)],
        &[("LN(1)", "0.0")],
    ),
    of_double("LOG10", "The logarithm to base 10; as LN.", &[form(rows::LOG10)], &[("LOG10(1000)", "3.0")]),
    of_double("LOG2", "The logarithm to base 2; as LN.", &[form(rows::LOG2)], &[("LOG2(8)", "3.0")]),
    define(
        "LOG",
        &[],
        Group::Number,
        "The logarithm to `base`, or to base 10.",
        &[form(rows::LOG10), row(&[double("base"), double("x")], DOUBLE, rows::LOG)],
        &[("LOG(100)", "2.0"), ("LOG(2, 64)", "6.0")],
    ),
    define(
        "POWER",
        &["POW"],
        Group::Number,
        "x to the power of y. What is no real number (a root of a number below zero, a negative power of zero) fails the \
         record.",
        &[row(&[double("x"), double("y")], DOUBLE, rows::POWER)],
        &[("POWER(2, 10)", "1024.0")],
    ),
    define(
        "MOD",
        &[],
        Group::Number,
        "The rest of a division, with the sign of x, as `x % y`; NULL if y is 0.",
        &[rewrite(&[number("x"), number("y")], Returns::Common, |args, span| {
            arithmetic(ArithmeticOp::Modulo, args, span)
        })],
        &[("MOD(-7, 3)", "-1"), ("MOD(7, 0)", "NULL")],
    ),
    define(
        "DIV",
        &[],
        Group::Number,
        "The whole part of a division, as `x / y` of whole numbers; NULL if y is 0.",
        &[rewrite(&[whole("x"), whole("y")], BIGINT, |args, span| arithmetic(ArithmeticOp::Divide, args, span))],
        &[("DIV(7, 2)", "3")],
    ),
    define(
        "PI",
        &[],
        Group::Number,
        "The circle's number.",
        &[rewrite(&[], DOUBLE, |_, span| {
            Ok(Bound::typed(Expr::literal(Value::Float64(std::f64::consts::PI), DataType::Double), span))
        })],
        &[("PI()", "3.141592653589793")],
    ),
    of_double("SIN", "The sine; an infinite angle fails the record.", &[form(rows::SIN)], &[("SIN(0)", "0.0")]),
    of_double("COS", "The cosine; as SIN.", &[form(rows::COS)], &[("COS(0)", "1.0")]),
    of_double("TAN", "The tangent; as SIN.", &[form(rows::TAN)], &[("TAN(0)", "0.0")]),
    of_double(
        "COT",
        "The cotangent; as SIN. Infinite at 0.",
        &[form(rows::COT)],
        &[("ROUND(COT(PI() / 4), 9)", "1.0")],
    ),
    of_double(
        "ASIN",
        "The arc sine; a number not between -1 and 1 fails the record.",
        &[form(rows::ASIN)],
        &[("ASIN(0)", "0.0")],
    ),
    of_double("ACOS", "The arc cosine; as ASIN.", &[form(rows::ACOS)], &[("ACOS(1)", "0.0")]),
    of_double("ATAN", "The arc tangent.", &[form(rows::ATAN)], &[("ATAN(0)", "0.0")]),
    define(
        "ATAN2",
        &[],
        Group::Number,
        "The angle of the point (x, y), between -PI() and PI().",
        &[row(&[double("y"), double("x")], DOUBLE, rows::ATAN2)],
        &[("DEGREES(ATAN2(1, -1))", "135.0")],
    ),
    of_double("SINH", "The hyperbolic sine.", &[form(rows::SINH)], &[("SINH(0)", "0.0")]),
    of_double("COSH", "The hyperbolic cosine.", &[form(rows::COSH)], &[("COSH(0)", "1.0")]),
    of_double("TANH", "The hyperbolic tangent.", &[form(rows::TANH)], &[("TANH(0)", "0.0")]),
    of_double("ASINH", "The inverse hyperbolic sine.", &[form(rows::ASINH)], &[("ASINH(0)", "0.0")]),
    of_double(
        "ACOSH",
        "The inverse hyperbolic cosine; a number below 1 fails the record.",
        &[form(rows::ACOSH)],
        &[("ACOSH(1)", "0.0")],
    ),
    of_double(
        "ATANH",
        "The inverse hyperbolic tangent; a number not between -1 and 1 fails the record.",
        &[form(rows::ATANH)],
        &[("ATANH(0)", "0.0")],
    ),
    of_double("DEGREES", "An angle in radians as degrees.", &[form(rows::DEGREES)], &[("DEGREES(PI())", "180.0")]),
    of_double("RADIANS", "An angle in degrees as radians.", &[form(rows::RADIANS)], &[("RADIANS(180) = PI()", "true")]),
    define(
        "GREATEST",
        &[],
        Group::Number,
        "The greatest argument, of any type; NULL ones are skipped.",
        &[variadic(&[any("x")], Returns::Common, |args, span| extreme(Function::Greatest, args, span))],
        &[("GREATEST(1, NULL, 3)", "3")],
    ),
    define(
        "LEAST",
        &[],
        Group::Number,
        "The least argument, of any type; NULL ones are skipped.",
        &[variadic(&[any("x")], Returns::Common, |args, span| extreme(Function::Least, args, span))],
        &[("LEAST('b', 'a')", "a")],
    ),
    define(
        "GCD",
        &[],
        Group::Number,
        "The greatest common divisor, never negative.",
        &[row(&[whole("a"), whole("b")], BIGINT, rows::GCD)],
        &[("GCD(12, -18)", "6")],
    ),
    define(
        "LCM",
        &[],
        Group::Number,
        "The least common multiple, never negative; 0 if either is 0.",
        &[row(&[whole("a"), whole("b")], BIGINT, rows::LCM)],
        &[("LCM(4, 6)", "12")],
    ),
    define(
        "FACTORIAL",
        &[],
        Group::Number,
        "The product of 1 to n; n below 0 or above 20 fails the record.",
        &[row(&[whole("n")], BIGINT, rows::FACTORIAL)],
        &[("FACTORIAL(5)", "120")],
    ),
    define(
        "WIDTH_BUCKET",
        &[],
        Group::Number,
        "Which of `count` buckets of one width between `low` and `high` x lies in, from 1; 0 below, `count + 1` from \
         `high` on.",
        &[row(&[double("x"), double("low"), double("high"), whole("count")], BIGINT, rows::WIDTH_BUCKET)],
        &[("WIDTH_BUCKET(5.3, 0, 10, 5)", "3")],
    ),
    define(
        "ISNAN",
        &[],
        Group::Number,
        "Whether the number is NaN.",
        &[row(&[double("x")], BOOLEAN, rows::ISNAN)],
        &[("ISNAN(CAST('NaN' AS DOUBLE))", "true")],
    ),
    define(
        "ISINF",
        &[],
        Group::Number,
        "Whether the number is infinite.",
        &[row(&[double("x")], BOOLEAN, rows::ISINF)],
        &[("ISINF(EXP(1000))", "true")],
    ),
    define(
        "ISFINITE",
        &[],
        Group::Number,
        "Whether the number is neither NaN nor infinite.",
        &[row(&[double("x")], BOOLEAN, rows::ISFINITE)],
        &[("ISFINITE(1.5)", "true")],
    ),
];
