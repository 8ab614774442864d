//! The interpreter: one row, one value at a time, the plainest way to say what an expression means.
//!
//! Calendar, text formats and LIKE have definitions and tests of their own and are shared.

use std::cmp::Ordering;

use super::super::like;
use crate::plan::{ArithmeticOp, CompareOp, DatePart, Expr, ExprKind, Function};
use crate::types::text::calendar::{
    DAY_US, HOUR_US, MINUTE_US, SECOND_US, civil_from_days, day_of_year, days_from_civil, iso_week, weekday,
};
use crate::types::text::{parse, print};
use crate::types::{DataType, Value};

/// The row has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

type Answer = Result<Value, Failed>;

fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Int32(a), Value::Int32(b)) => a.cmp(b),
        (Value::Int64(a), Value::Int64(b)) => a.cmp(b),
        (Value::Float64(a), Value::Float64(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        (Value::Int128(a), Value::Int128(b)) => a.cmp(b),
        (Value::Utf8(a), Value::Utf8(b)) => a.as_bytes().cmp(b.as_bytes()),
        _ => panic!("{a:?} and {b:?} are of different types"),
    }
}

fn decimal(value: Option<i128>, precision: u8) -> Answer {
    value.filter(|v| v.unsigned_abs() < 10u128.pow(u32::from(precision))).map(Value::Int128).ok_or(Failed)
}

/// Value of an expression in one row.
pub fn evaluate(expr: &Expr, row: &[Value]) -> Answer {
    let get = |expr: &Expr| evaluate(expr, row);
    Ok(match &expr.kind {
        ExprKind::Column(index) => row[*index].clone(),
        ExprKind::Literal(value) => value.clone(),
        ExprKind::Not(arg) => match get(arg)? {
            Value::Boolean(value) => Value::Boolean(!value),
            _ => Value::Null,
        },
        ExprKind::Negate(arg) => match get(arg)? {
            Value::Int64(x) => Value::Int64(x.checked_neg().ok_or(Failed)?),
            Value::Float64(x) => Value::Float64(-x),
            Value::Int128(x) => Value::Int128(-x),
            _ => Value::Null,
        },
        ExprKind::IsNull { arg, negated } => Value::Boolean(get(arg)?.is_null() != *negated),
        ExprKind::Arithmetic { op, left, right } => arithmetic(*op, get(left)?, get(right)?)?,
        ExprKind::Compare { op, left, right } => {
            let (left, right) = (get(left)?, get(right)?);
            if left.is_null() || right.is_null() {
                return Ok(Value::Null);
            }
            let order = order(&left, &right);
            Value::Boolean(match op {
                CompareOp::Equal => order.is_eq(),
                CompareOp::NotEqual => order.is_ne(),
                CompareOp::Less => order.is_lt(),
                CompareOp::LessOrEqual => order.is_le(),
                CompareOp::Greater => order.is_gt(),
                CompareOp::GreaterOrEqual => order.is_ge(),
            })
        }
        ExprKind::And(args) | ExprKind::Or(args) => {
            let deciding = Value::Boolean(matches!(expr.kind, ExprKind::Or(_)));
            let mut result = Value::Boolean(matches!(expr.kind, ExprKind::And(_)));
            for arg in args {
                let value = get(arg)?;
                if value == deciding {
                    return Ok(deciding);
                }
                if value.is_null() {
                    result = Value::Null;
                }
            }
            result
        }
        ExprKind::Case { branches, otherwise } => {
            for (when, then) in branches {
                if get(when)? == Value::Boolean(true) {
                    return get(then);
                }
            }
            otherwise.as_deref().map_or(Ok(Value::Null), get)?
        }
        ExprKind::Cast(arg) => cast(get(arg)?, arg.data_type, expr.data_type)?,
        ExprKind::TryCast(arg) => cast(get(arg)?, arg.data_type, expr.data_type).unwrap_or(Value::Null),
        ExprKind::Like { arg, pattern, negated, escape, case_insensitive } => match get(arg)? {
            Value::Utf8(text) => {
                let matched = like::Pattern::new(pattern, *escape, *case_insensitive).matches(text.as_bytes());
                Value::Boolean(matched != *negated)
            }
            _ => Value::Null,
        },
        ExprKind::TableValue(_) | ExprKind::InTable { .. } | ExprKind::TableExists(_) => {
            panic!("tables are read before")
        }
        ExprKind::InList { arg, list, has_null, negated } => {
            let value = get(arg)?;
            if value.is_null() {
                Value::Null
            } else if list.iter().any(|item| order(item, &value).is_eq()) {
                Value::Boolean(!negated)
            } else if *has_null {
                Value::Null
            } else {
                Value::Boolean(*negated)
            }
        }
        ExprKind::Call { function: Function::Coalesce, args } => {
            for arg in args {
                let value = get(arg)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Value::Null
        }
        ExprKind::Call { function: Function::Row(function), args } => {
            let values = args.iter().map(get).collect::<Result<Vec<_>, _>>()?;
            if values.iter().any(Value::is_null) {
                return Ok(Value::Null);
            }
            let types: Vec<DataType> = args.iter().map(|arg| arg.data_type).collect();
            super::functions::one(*function, &values, &types, expr.data_type)?
        }
        ExprKind::Call { function, args } => {
            let args = args.iter().map(get).collect::<Result<Vec<_>, _>>()?;
            call(*function, args, expr.data_type)?
        }
    })
}

fn arithmetic(op: ArithmeticOp, left: Value, right: Value) -> Answer {
    let zero = matches!(right, Value::Int64(0) | Value::Int128(0)) || right == Value::Float64(0.0);
    if zero && matches!(op, ArithmeticOp::Divide | ArithmeticOp::Modulo) {
        return Ok(Value::Null);
    }
    Ok(match (left, right) {
        (Value::Int64(a), Value::Int64(b)) => {
            let (a, b) = (i128::from(a), i128::from(b));
            let exact = match op {
                ArithmeticOp::Add => a + b,
                ArithmeticOp::Subtract => a - b,
                ArithmeticOp::Multiply => a * b,
                ArithmeticOp::Divide => a / b,
                ArithmeticOp::Modulo => a % b,
            };
            Value::Int64(i64::try_from(exact).map_err(|_| Failed)?)
        }
        (Value::Float64(a), Value::Float64(b)) => Value::Float64(match op {
            ArithmeticOp::Add => a + b,
            ArithmeticOp::Subtract => a - b,
            ArithmeticOp::Multiply => a * b,
            ArithmeticOp::Divide => a / b,
            ArithmeticOp::Modulo => a % b,
        }),
        (Value::Int128(a), Value::Int128(b)) => {
            let exact = match op {
                ArithmeticOp::Add => a.checked_add(b),
                ArithmeticOp::Subtract => a.checked_sub(b),
                ArithmeticOp::Multiply => a.checked_mul(b),
                ArithmeticOp::Divide => panic!("decimals divide as doubles"),
                ArithmeticOp::Modulo => Some(a % b),
            };
            decimal(exact, 38)?
        }
        _ => Value::Null,
    })
}

/// `x / 10^dropped` rounded half away from zero.
fn shift(x: i128, dropped: u8) -> i128 {
    let power = 10u128.pow(u32::from(dropped));
    let (quotient, rest) = (x.unsigned_abs() / power, x.unsigned_abs() % power);
    (quotient + u128::from(rest >= power.div_ceil(2) && dropped > 0)) as i128 * x.signum()
}

fn cast(value: Value, from: DataType, to: DataType) -> Answer {
    let text = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        Ok(Value::Utf8(String::from_utf8(out).unwrap().into()))
    };
    let day = |days: i64| i32::try_from(days).map(Value::Int32).map_err(|_| Failed);
    if value.is_null() || from == to {
        return Ok(value);
    }
    match (&value, from, to) {
        (Value::Boolean(x), _, DataType::Varchar) => text(&|out| print::boolean(out, *x)),
        (Value::Int32(x), DataType::Date, DataType::Varchar) => text(&|out| print::date(out, *x)),
        (Value::Int32(x), _, DataType::Varchar) => text(&|out| print::integer(out, i64::from(*x))),
        (Value::Int64(x), DataType::Timestamp, DataType::Varchar) => text(&|out| print::timestamp(out, *x)),
        (Value::Int64(x), DataType::Interval, DataType::Varchar) => text(&|out| print::interval(out, *x)),
        (Value::Int64(x), _, DataType::Varchar) => text(&|out| print::integer(out, *x)),
        (Value::Float64(x), _, DataType::Varchar) => text(&|out| print::double(out, *x)),
        (Value::Int128(x), DataType::Decimal { scale, .. }, DataType::Varchar) => {
            text(&|out| print::decimal(out, *x, scale))
        }
        (Value::Utf8(x), _, _) => {
            let x = x.as_bytes();
            match to {
                DataType::Boolean => parse::boolean(x).map(Value::Boolean).ok_or(Failed),
                DataType::Int => parse::int(x).map(Value::Int32).ok_or(Failed),
                DataType::BigInt => parse::integer(x).map(Value::Int64).ok_or(Failed),
                DataType::Double => parse::double(x).map(Value::Float64).ok_or(Failed),
                DataType::Decimal { precision, scale } => {
                    parse::decimal(x, precision, scale).map(Value::Int128).ok_or(Failed)
                }
                DataType::Date => parse::date(x).map(Value::Int32).ok_or(Failed),
                DataType::Timestamp => parse::timestamp(x).map(Value::Int64).ok_or(Failed),
                DataType::Interval => parse::interval(x).map(Value::Int64).ok_or(Failed),
                DataType::Varchar => Ok(value),
            }
        }
        (Value::Int32(x), DataType::Date, DataType::Timestamp) => {
            i64::from(*x).checked_mul(DAY_US).map(Value::Int64).ok_or(Failed)
        }
        (Value::Int64(x), DataType::Timestamp, DataType::Date) => day(x.div_euclid(DAY_US)),
        (Value::Int64(_), _, DataType::BigInt | DataType::Timestamp | DataType::Interval) => Ok(value),
        (Value::Float64(x), _, _) => match to {
            DataType::Boolean => Ok(Value::Boolean(*x != 0.0)),
            DataType::Int if x.round() >= -2_147_483_648.0 && x.round() <= 2_147_483_647.0 => {
                Ok(Value::Int32(x.round() as i32))
            }
            DataType::BigInt if x.round() >= -(2f64.powi(63)) && x.round() < 2f64.powi(63) => {
                Ok(Value::Int64(x.round() as i64))
            }
            DataType::Decimal { precision, scale } if x.is_finite() => {
                let scaled = (x * 10f64.powi(i32::from(scale))).round();
                decimal((scaled.abs() < 1e39).then_some(scaled as i128), precision)
            }
            _ => Err(Failed),
        },
        _ => {
            let (unscaled, scale) = match (&value, from) {
                (Value::Boolean(x), _) => (i128::from(*x), 0),
                (Value::Int32(x), _) => (i128::from(*x), 0),
                (Value::Int64(x), _) => (i128::from(*x), 0),
                (Value::Int128(x), DataType::Decimal { scale, .. }) => (*x, scale),
                other => panic!("no cast from {other:?}"),
            };
            match to {
                DataType::Boolean => Ok(Value::Boolean(unscaled != 0)),
                DataType::Int => i32::try_from(shift(unscaled, scale)).map(Value::Int32).map_err(|_| Failed),
                DataType::BigInt => i64::try_from(shift(unscaled, scale)).map(Value::Int64).map_err(|_| Failed),
                DataType::Double => Ok(Value::Float64(unscaled as f64 / 10f64.powi(i32::from(scale)))),
                DataType::Decimal { precision, scale: to_scale } if to_scale >= scale => {
                    decimal(unscaled.checked_mul(10i128.pow(u32::from(to_scale - scale))), precision)
                }
                DataType::Decimal { precision, scale: to_scale } => {
                    decimal(Some(shift(unscaled, scale - to_scale)), precision)
                }
                to => panic!("no cast from {from} to {to}"),
            }
        }
    }
}

fn call(function: Function, args: Vec<Value>, data_type: DataType) -> Answer {
    match function {
        Function::NullIf => {
            let equal = !args[0].is_null() && !args[1].is_null() && order(&args[0], &args[1]).is_eq();
            return Ok(if equal { Value::Null } else { args[0].clone() });
        }
        Function::Concat => {
            let text = args.iter().filter_map(|arg| if let Value::Utf8(text) = arg { Some(&**text) } else { None });
            return Ok(Value::Utf8(text.collect::<String>().into()));
        }
        Function::ConcatWs => {
            let Value::Utf8(separator) = &args[0] else { return Ok(Value::Null) };
            let texts =
                args[1..].iter().filter_map(|arg| if let Value::Utf8(text) = arg { Some(&**text) } else { None });
            return Ok(Value::Utf8(texts.collect::<Vec<_>>().join(separator).into()));
        }
        Function::Greatest | Function::Least => {
            // Of equal ones (0 and -0) the first.
            let mut best = Value::Null;
            for arg in args.into_iter().filter(|arg| !arg.is_null()) {
                let better = if function == Function::Greatest { Ordering::Greater } else { Ordering::Less };
                if best.is_null() || order(&arg, &best) == better {
                    best = arg;
                }
            }
            return Ok(best);
        }
        Function::Distinct => {
            let same = match (args[0].is_null(), args[1].is_null()) {
                (false, false) => order(&args[0], &args[1]).is_eq(),
                (left, right) => left == right,
            };
            return Ok(Value::Boolean(!same));
        }
        _ if args.iter().any(Value::is_null) => return Ok(Value::Null),
        _ => {}
    }
    let int = |i: usize| if let Value::Int64(x) = args[i] { x } else { panic!("expected BIGINT") };
    let text = || if let Value::Utf8(x) = &args[0] { x.to_string() } else { panic!("expected text") };
    let precision = if let DataType::Decimal { precision, .. } = data_type { precision } else { 38 };
    let scale = if let DataType::Decimal { scale, .. } = data_type { scale } else { 0 };
    Ok(match (function, &args[0]) {
        (Function::Abs, Value::Int64(x)) => Value::Int64(x.checked_abs().ok_or(Failed)?),
        (Function::Abs, Value::Float64(x)) => Value::Float64(x.abs()),
        (Function::Abs, Value::Int128(x)) => Value::Int128(x.abs()),
        (Function::Floor, Value::Float64(x)) => Value::Float64(x.floor()),
        (Function::Ceil, Value::Float64(x)) => Value::Float64(x.ceil()),
        (Function::Floor | Function::Ceil, Value::Int128(x)) => {
            let unit = 10i128.pow(u32::from(scale));
            let down = x - x.rem_euclid(unit);
            let up = if down == *x { down } else { down + unit };
            decimal(Some(if function == Function::Floor { down } else { up }), precision)?
        }
        (Function::Round, Value::Float64(x)) => Value::Float64(crate::kernel::arithmetic::round_f64(*x, int(1))),
        (Function::Round, Value::Int64(x)) => match int(1) {
            0.. => Value::Int64(*x),
            digits @ -19..0 => {
                let dropped = -digits as u8;
                let rounded = shift(i128::from(*x), dropped) * 10i128.pow(u32::from(dropped));
                Value::Int64(i64::try_from(rounded).map_err(|_| Failed)?)
            }
            _ => Value::Int64(0),
        },
        (Function::Round, Value::Int128(x)) => match i128::from(scale) - i128::from(int(1)) {
            ..=0 => Value::Int128(*x),
            dropped @ 1..=38 => {
                let rounded = shift(*x, dropped as u8).checked_mul(10i128.pow(dropped as u32));
                decimal(rounded, precision)?
            }
            _ => Value::Int128(0),
        },
        (Function::Upper, _) => Value::Utf8(text().to_uppercase().into()),
        (Function::Lower, _) => Value::Utf8(text().to_lowercase().into()),
        (Function::Trim, _) => Value::Utf8(text().trim_matches(' ').into()),
        (Function::Length, _) => Value::Int64(text().chars().count() as i64),
        (Function::Substring, _) => {
            let start = i128::from(int(1));
            let length = if args.len() > 2 { i128::from(int(2)) } else { i128::MAX / 4 };
            if length < 0 {
                return Err(Failed);
            }
            let within = |position: i128| position >= start && position < start + length;
            let part =
                (1..).zip(text().chars()).filter(|(position, _)| within(*position)).map(|(_, c)| c).collect::<String>();
            Value::Utf8(part.into())
        }
        (Function::ConcatOperator, _) => call(Function::Concat, args, data_type)?,
        (Function::DateTrunc(part), _) => {
            let x = int(0);
            let days = x.div_euclid(DAY_US);
            let date = civil_from_days(days);
            let back = |unit: i64| Some(i128::from(x) - i128::from(x.rem_euclid(unit)));
            let start = |days: i64| Some(i128::from(days) * i128::from(DAY_US));
            let exact = match part {
                DatePart::Microsecond => Some(i128::from(x)),
                DatePart::Millisecond => back(1_000),
                DatePart::Second => back(SECOND_US),
                DatePart::Minute => back(MINUTE_US),
                DatePart::Hour => back(HOUR_US),
                DatePart::Day => back(DAY_US),
                DatePart::Week => start((0..7).map(|n| days - n).find(|&day| weekday(day) == 1).unwrap()),
                DatePart::Month => start(days_from_civil(date.year, date.month, 1)),
                DatePart::Quarter => start(days_from_civil(date.year, [1, 4, 7, 10][(date.month as usize - 1) / 3], 1)),
                DatePart::Year => start(days_from_civil(date.year, 1, 1)),
                _ => None,
            };
            Value::Int64(i64::try_from(exact.unwrap()).map_err(|_| Failed)?)
        }
        (Function::Extract(part), _) => {
            let x = int(0);
            let days = x.div_euclid(DAY_US);
            let time = x.rem_euclid(DAY_US);
            let date = civil_from_days(days);
            Value::Int64(match part {
                DatePart::Microsecond => time % MINUTE_US,
                DatePart::Millisecond => time % MINUTE_US / 1_000,
                DatePart::Second => time / SECOND_US % 60,
                DatePart::Minute => time / MINUTE_US % 60,
                DatePart::Hour => time / HOUR_US,
                DatePart::Day => i64::from(date.day),
                DatePart::Week => iso_week(days),
                DatePart::Month => i64::from(date.month),
                DatePart::Quarter => (i64::from(date.month) + 2) / 3,
                DatePart::Year => date.year,
                DatePart::DayOfWeek => weekday(days),
                DatePart::IsoDayOfWeek => [7, 1, 2, 3, 4, 5, 6][weekday(days) as usize],
                DatePart::DayOfYear => day_of_year(days),
                DatePart::IsoYear => match (iso_week(days), date.month) {
                    (52.., 1) => date.year - 1,
                    (1, 12) => date.year + 1,
                    _ => date.year,
                },
                DatePart::Epoch => x.div_euclid(SECOND_US),
            })
        }
        (function, arg) => panic!("no {function:?} of {arg:?}"),
    })
}
