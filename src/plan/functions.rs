//! Scalar functions: names, argument counts and types.

use super::bind::{Binder, Mode};
use super::coerce::{Bound, Literal, Planned, cast, common_of, unify};
use super::expr::{DatePart, Expr, ExprKind, Function};
use super::grouping;
use super::scope::wrong;
use crate::error::{Span, SqlError, nearest};
use crate::sql::ast;
use crate::types::{DataType, Value};

/// Scalar functions by name, with how they are called.
const SCALAR: [(&str, &str); 18] = [
    ("COALESCE", "COALESCE(x, y, ...)"),
    ("NULLIF", "NULLIF(x, y)"),
    ("ABS", "ABS(number)"),
    ("ROUND", "ROUND(number) or ROUND(number, digits)"),
    ("FLOOR", "FLOOR(number)"),
    ("CEIL", "CEIL(number)"),
    ("CEILING", "CEIL(number)"),
    ("UPPER", "UPPER(text)"),
    ("LOWER", "LOWER(text)"),
    ("LENGTH", "LENGTH(text)"),
    ("CHAR_LENGTH", "LENGTH(text)"),
    ("SUBSTRING", "SUBSTRING(text, start) or SUBSTRING(text, start, length)"),
    ("SUBSTR", "SUBSTRING(text, start) or SUBSTRING(text, start, length)"),
    ("TRIM", "TRIM(text)"),
    ("CONCAT", "CONCAT(x, y, ...)"),
    ("DATE_TRUNC", "DATE_TRUNC('minute', timestamp)"),
    ("DATE_PART", "DATE_PART('hour', timestamp)"),
    ("EXTRACT", "EXTRACT(HOUR FROM timestamp)"),
];

/// Functions that are known to SQL but not planned yet, and what helps meanwhile.
const LATER: [(&str, &str); 24] = [
    ("TUMBLE", "write GROUP BY ... WINDOW TUMBLING (column, INTERVAL '1' MINUTE)"),
    ("TUMBLING", "write GROUP BY ... WINDOW TUMBLING (column, INTERVAL '1' MINUTE)"),
    ("HOP", "WINDOW TUMBLING is supported"),
    ("SESSION", "WINDOW TUMBLING is supported"),
    ("TUMBLE_START", "select window_start"),
    ("TUMBLE_END", "select window_end"),
    ("ROLLUP", "list the grouping columns"),
    ("CUBE", "list the grouping columns"),
    ("RANK", "ROW_NUMBER is supported"),
    ("DENSE_RANK", "ROW_NUMBER is supported"),
    ("PERCENT_RANK", "ROW_NUMBER is supported"),
    ("NTILE", "ROW_NUMBER is supported"),
    ("NTH_VALUE", "FIRST_VALUE, LAST_VALUE and LAG are supported"),
    ("LEAD", "LAG is supported: rows that are still to come are not known"),
    ("MEDIAN", "aggregates are COUNT, SUM, AVG, MIN, MAX, VARIANCE and STDDEV"),
    ("PERCENTILE_CONT", "aggregates are COUNT, SUM, AVG, MIN, MAX, VARIANCE and STDDEV"),
    ("APPROX_COUNT_DISTINCT", "aggregates are COUNT, SUM, AVG, MIN, MAX, VARIANCE and STDDEV"),
    ("STRING_AGG", "aggregates are COUNT, SUM, AVG, MIN, MAX, VARIANCE and STDDEV"),
    ("ARRAY_AGG", "aggregates are COUNT, SUM, AVG, MIN, MAX, VARIANCE and STDDEV"),
    ("FIRST", "FIRST_VALUE(x) OVER (...) is supported"),
    ("LAST", "LAST_VALUE(x) OVER (...) is supported"),
    ("NOW", "the result depends on the input alone, not on the clock"),
    ("CURRENT_TIMESTAMP", "the result depends on the input alone, not on the clock"),
    ("RANDOM", "the result depends on the input alone"),
];

/// Plans a call of a scalar function.
pub(super) fn call(
    binder: &mut Binder<'_>,
    name: &ast::Ident,
    args: &[ast::Expr],
    star: bool,
    span: Span,
) -> Planned<Bound> {
    let upper = name.value.to_uppercase();
    let Some((known, form)) = SCALAR.iter().find(|(known, _)| *known == upper) else {
        return Err(unknown(&binder.mode, name, span));
    };
    if star {
        return Err(wrong(span, format!("{upper}(*) is not a function"), format!("write {form}")));
    }
    let count = args.len();
    let fits = match *known {
        "COALESCE" | "CONCAT" => count >= 1,
        "NULLIF" | "DATE_TRUNC" | "DATE_PART" => count == 2,
        "ROUND" => (1..=2).contains(&count),
        "SUBSTRING" | "SUBSTR" => (2..=3).contains(&count),
        "EXTRACT" => false,
        _ => count == 1,
    };
    if !fits {
        let noun = if count == 1 { "argument" } else { "arguments" };
        return Err(wrong(span, format!("{upper} does not take {count} {noun}"), format!("write {form}")));
    }
    let mut args = args.iter().map(|arg| binder.bind(arg)).collect::<Planned<Vec<_>>>()?.into_iter();
    // The counts have been checked, so the arguments are there.
    let mut next = || args.next().unwrap_or_else(|| Bound::null(span));
    let (function, args, data_type) = match *known {
        "COALESCE" | "CONCAT" => {
            let args: Vec<Bound> = args.collect();
            if *known == "CONCAT" {
                let args = args.into_iter().map(as_varchar).collect::<Planned<Vec<_>>>()?;
                (Function::Concat, args, DataType::Varchar)
            } else {
                let data_type = common_of(&args.iter().collect::<Vec<_>>(), "combine")?;
                let args = args.into_iter().map(|arg| arg.coerce(data_type)).collect::<Planned<Vec<_>>>()?;
                (Function::Coalesce, args, data_type)
            }
        }
        "NULLIF" => {
            let (left, right) = unify(next(), next(), "compare")?;
            let data_type = left.data_type;
            (Function::NullIf, vec![left, right], data_type)
        }
        "DATE_TRUNC" => {
            let part = part_literal(&next())?;
            (Function::DateTrunc(part), vec![timestamp(next(), &upper)?], DataType::Timestamp)
        }
        "DATE_PART" => {
            let part = part_literal(&next())?;
            (Function::Extract(part), vec![timestamp(next(), &upper)?], DataType::BigInt)
        }
        "ABS" | "ROUND" | "FLOOR" | "CEIL" | "CEILING" => {
            let arg = number(next(), &upper)?;
            let data_type = arg.data_type;
            let mut list = vec![arg];
            let function = match *known {
                "ABS" => Function::Abs,
                "FLOOR" => Function::Floor,
                "ROUND" => {
                    let digits = if count == 2 {
                        integer(next(), &upper)?
                    } else {
                        Expr::literal(Value::Int64(0), DataType::BigInt)
                    };
                    list.push(digits);
                    Function::Round
                }
                _ => Function::Ceil,
            };
            (function, list, data_type)
        }
        "SUBSTRING" | "SUBSTR" => {
            let mut list = vec![text(next(), &upper)?, integer(next(), &upper)?];
            if count == 3 {
                list.push(integer(next(), &upper)?);
            }
            (Function::Substring, list, DataType::Varchar)
        }
        _ => {
            let (function, data_type) = match *known {
                "UPPER" => (Function::Upper, DataType::Varchar),
                "LOWER" => (Function::Lower, DataType::Varchar),
                "TRIM" => (Function::Trim, DataType::Varchar),
                _ => (Function::Length, DataType::BigInt),
            };
            (function, vec![text(next(), &upper)?], data_type)
        }
    };
    Ok(Bound::typed(Expr { kind: ExprKind::Call { function, args }, data_type }, span))
}

/// EXTRACT(part FROM x).
pub(super) fn extract(part: &str, arg: Bound, span: Span) -> Planned<Bound> {
    let part = date_part(part, span)?;
    let kind = ExprKind::Call { function: Function::Extract(part), args: vec![timestamp(arg, "EXTRACT")?] };
    Ok(Bound::typed(Expr { kind, data_type: DataType::BigInt }, span))
}

/// The error at a name that is no function.
fn unknown(mode: &Mode, name: &ast::Ident, span: Span) -> SqlError {
    let upper = name.value.to_uppercase();
    if let Some((later, help)) = LATER.iter().find(|(later, _)| *later == upper) {
        return wrong(span, format!("{later} is not supported yet"), *help);
    }
    if super::rows::is_rows_function(&upper) {
        return match mode {
            Mode::Grouped(_) => wrong(
                span,
                format!("{upper} needs OVER, and OVER together with GROUP BY is not supported yet"),
                "leave GROUP BY out",
            ),
            _ => wrong(
                span,
                format!("{upper} needs OVER"),
                format!("write {upper}(...) OVER (PARTITION BY key ORDER BY time)"),
            ),
        };
    }
    let known = SCALAR.iter().map(|(known, _)| *known).chain(grouping::NAMES).chain(super::rows::NAMES);
    let error = SqlError::new(name.span, format!("unknown function {}", name.value));
    match nearest(&name.value, known) {
        Some(near) => error.with_help(format!("did you mean {near}?")),
        None => {
            let names: Vec<&str> = SCALAR.iter().map(|(known, _)| *known).collect();
            error.with_help(format!("functions are {}", names.join(", ")))
        }
    }
}

/// The error at an aggregate in a clause that is evaluated row by row.
pub(super) fn misplaced_aggregate(name: &str, clause: &str, span: Span) -> SqlError {
    let upper = name.to_uppercase();
    if clause == "an aggregate" {
        return SqlError::new(span, format!("{upper} cannot stand inside another aggregate"));
    }
    let error = SqlError::new(span, format!("{upper} cannot stand in {clause}"));
    if clause == "WHERE" { error.with_help("conditions on aggregates stand in HAVING") } else { error }
}

fn number(arg: Bound, function: &str) -> Planned<Expr> {
    let data_type = match (&arg.literal, arg.data_type()) {
        (Literal::Null, _) | (_, DataType::Int) => DataType::BigInt,
        (_, data_type) if data_type.is_numeric() => data_type,
        (_, data_type) => {
            return Err(SqlError::new(arg.span, format!("{function} takes a number, this is {data_type}")));
        }
    };
    arg.coerce(data_type)
}

fn integer(arg: Bound, function: &str) -> Planned<Expr> {
    match (&arg.literal, arg.data_type()) {
        (Literal::Null, _) | (_, DataType::Int | DataType::BigInt) => arg.coerce(DataType::BigInt),
        (_, data_type) => {
            Err(SqlError::new(arg.span, format!("{function} takes a whole number here, this is {data_type}")))
        }
    }
}

fn text(arg: Bound, function: &str) -> Planned<Expr> {
    if arg.literal == Literal::Null || arg.data_type() == DataType::Varchar {
        return arg.coerce(DataType::Varchar);
    }
    let message = format!("{function} takes VARCHAR, this is {}", arg.data_type());
    Err(wrong(arg.span, message, "convert it with CAST(x AS VARCHAR)"))
}

fn timestamp(arg: Bound, function: &str) -> Planned<Expr> {
    match (&arg.literal, arg.data_type()) {
        (Literal::Null | Literal::Text, _) | (_, DataType::Date | DataType::Timestamp) => {
            arg.coerce(DataType::Timestamp)
        }
        (_, data_type) => {
            Err(SqlError::new(arg.span, format!("{function} takes a TIMESTAMP or a DATE, this is {data_type}")))
        }
    }
}

/// Any value as text, as `||` and CONCAT take it.
pub(super) fn as_varchar(arg: Bound) -> Planned<Expr> {
    match arg.data_type() {
        _ if arg.literal == Literal::Null => arg.coerce(DataType::Varchar),
        DataType::Interval => Err(SqlError::new(arg.span, "an INTERVAL cannot be converted to text")),
        _ => match arg.literal {
            // As written: 1.50 stays 1.50.
            Literal::Number(text) => Ok(Expr::literal(Value::Utf8(text.into()), DataType::Varchar)),
            _ => cast(arg.expr, DataType::Varchar, arg.span),
        },
    }
}

fn part_literal(arg: &Bound) -> Planned<DatePart> {
    match arg.as_text() {
        Some(text) => date_part(text, arg.span),
        None => Err(wrong(arg.span, "the part of a timestamp stands in quotes", "as in DATE_TRUNC('minute', x)")),
    }
}

fn date_part(name: &str, span: Span) -> Planned<DatePart> {
    let lower = name.to_lowercase();
    Ok(match lower.strip_suffix('s').filter(|short| short.len() > 3).unwrap_or(&lower) {
        "microsecond" => DatePart::Microsecond,
        "millisecond" => DatePart::Millisecond,
        "second" => DatePart::Second,
        "minute" => DatePart::Minute,
        "hour" => DatePart::Hour,
        "day" => DatePart::Day,
        "week" => DatePart::Week,
        "month" => DatePart::Month,
        "quarter" => DatePart::Quarter,
        "year" => DatePart::Year,
        "dow" | "dayofweek" => DatePart::DayOfWeek,
        "doy" | "dayofyear" => DatePart::DayOfYear,
        "epoch" => DatePart::Epoch,
        _ => {
            const KNOWN: [&str; 13] = [
                "microsecond",
                "millisecond",
                "second",
                "minute",
                "hour",
                "day",
                "week",
                "month",
                "quarter",
                "year",
                "dow",
                "doy",
                "epoch",
            ];
            let help = super::scope::suggest(name, KNOWN.into_iter(), "parts are");
            return Err(wrong(span, format!("unknown part of a timestamp {name}"), help));
        }
    })
}
