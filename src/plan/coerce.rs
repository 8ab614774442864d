//! Types of expressions: common types, explicit casts, constants that take the type of what stands beside them.
//!
//! Rules:
//! 1. A number without point is BIGINT (DECIMAL if it does not fit), one with a point or an exponent DOUBLE. Beside a
//!    DECIMAL a number with a point is taken exactly, as a DECIMAL; beside an INT one that fits is an INT.
//! 2. Text in quotes beside a number, DATE, TIMESTAMP or BOOLEAN is read as that type at plan time.
//! 3. INT, BIGINT, DECIMAL, DOUBLE promote in that order; DATE promotes to TIMESTAMP. Nothing else converts by itself.

use super::expr::{ArithmeticOp, Expr, ExprKind};
use super::literal;
use super::scope::wrong;
use crate::error::{Span, SqlError};
use crate::types::{DataType, Value};

/// Result of planning.
pub(super) type Planned<T> = Result<T, SqlError>;

/// A typed expression with its place, and what kind of constant it was written as.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) expr: Expr,
    pub(super) span: Span,
    pub(super) literal: Literal,
}

/// Constants whose type depends on what stands beside them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    /// None of them: the type is what it is.
    Typed,
    /// NULL.
    Null,
    /// Text in quotes.
    Text,
    /// A number as written.
    Number(String),
}

impl Bound {
    /// An expression whose type is certain.
    pub(super) fn typed(expr: Expr, span: Span) -> Self {
        Self { expr, span, literal: Literal::Typed }
    }

    /// NULL, VARCHAR unless something beside it says otherwise.
    pub(super) fn null(span: Span) -> Self {
        Self { expr: Expr::literal(Value::Null, DataType::Varchar), span, literal: Literal::Null }
    }

    /// Text in quotes.
    pub(super) fn text(text: &str, span: Span) -> Self {
        Self { expr: Expr::literal(Value::Utf8(text.into()), DataType::Varchar), span, literal: Literal::Text }
    }

    /// A number as written.
    pub(super) fn number(text: String, span: Span) -> Planned<Self> {
        let decimal = literal::decimal_type(&text).filter(|_| !text.contains('.'));
        let candidates = [Some(DataType::BigInt).filter(|_| decimal.is_some()), decimal, Some(DataType::Double)];
        for data_type in candidates.into_iter().flatten() {
            if let Some(value) = literal::parse_number(&text, data_type) {
                return Ok(Self { expr: Expr::literal(value, data_type), span, literal: Literal::Number(text) });
            }
        }
        Err(SqlError::new(span, format!("the number {text} is out of range")))
    }

    /// Its type.
    pub(super) fn data_type(&self) -> DataType {
        self.expr.data_type
    }

    /// The text, if it is text in quotes.
    pub(super) fn as_text(&self) -> Option<&str> {
        match (&self.literal, &self.expr.kind) {
            (Literal::Text, ExprKind::Literal(Value::Utf8(text))) => Some(text),
            _ => None,
        }
    }

    /// As an operand of `data_type`. The caller has checked that the conversion is one that happens by itself.
    pub(super) fn coerce(self, data_type: DataType) -> Planned<Expr> {
        match (&self.literal, &self.expr.kind) {
            (Literal::Null, _) => Ok(Expr::literal(Value::Null, data_type)),
            (Literal::Text, ExprKind::Literal(Value::Utf8(text))) => match literal::parse_text(text, data_type) {
                Some(value) => Ok(Expr::literal(value, data_type)),
                None => Err(not_a(self.span, &format!("'{text}'"), data_type)),
            },
            (Literal::Number(text), _) => match literal::parse_number(text, data_type) {
                Some(value) => Ok(Expr::literal(value, data_type)),
                None => cast(self.expr, data_type, self.span),
            },
            _ => cast(self.expr, data_type, self.span),
        }
    }

    /// As a BOOLEAN; `what` names the place it stands at.
    pub(super) fn boolean(self, what: &str) -> Planned<Expr> {
        if self.literal == Literal::Null || self.data_type() == DataType::Boolean {
            return self.coerce(DataType::Boolean);
        }
        let message = format!("{what} must be BOOLEAN, this is {}", self.data_type());
        Err(wrong(self.span, message, "compare it with something, as in x > 0"))
    }
}

fn not_a(span: Span, what: &str, data_type: DataType) -> SqlError {
    let error = SqlError::new(span, format!("{what} is not a valid {data_type}"));
    match data_type {
        DataType::Date => error.with_help("a DATE is written '2024-01-31'"),
        DataType::Timestamp => error.with_help("a TIMESTAMP is written '2024-01-31 12:30:00'"),
        DataType::Interval => error.with_help("an INTERVAL is written INTERVAL '1' MINUTE"),
        _ => error,
    }
}

/// Converts to `data_type`; constants at once.
pub(super) fn cast(expr: Expr, data_type: DataType, span: Span) -> Planned<Expr> {
    if expr.data_type == data_type {
        return Ok(expr);
    }
    if let ExprKind::Literal(value) = &expr.kind {
        match literal::convert(value, expr.data_type, data_type) {
            Ok(Some(value)) => return Ok(Expr::literal(value, data_type)),
            Ok(None) => {}
            Err(()) => return Err(not_a(span, &literal::display(value, expr.data_type), data_type)),
        }
    }
    Ok(Expr { kind: ExprKind::Cast(Box::new(expr)), data_type })
}

/// Whether CAST goes from one type to the other.
pub(super) fn can_cast(from: DataType, to: DataType) -> bool {
    use DataType as T;
    from == to
        || match (from, to) {
            (T::Interval, _) | (_, T::Interval) => false,
            (_, T::Varchar) | (T::Varchar, _) => true,
            (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => true,
            _ => from.is_numeric() && to.is_numeric(),
        }
}

/// A type as a DECIMAL that holds all its values.
fn as_decimal(data_type: DataType) -> (u8, u8) {
    match data_type {
        DataType::Int => (10, 0),
        DataType::Decimal { precision, scale } => (precision, scale),
        _ => (19, 0),
    }
}

/// The type that both convert to by themselves.
pub(super) fn common_type(a: DataType, b: DataType) -> Option<DataType> {
    use DataType as T;
    if a == b {
        return Some(a);
    }
    Some(match (a, b) {
        (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => T::Timestamp,
        _ if !(a.is_numeric() && b.is_numeric()) => return None,
        (T::Double, _) | (_, T::Double) => T::Double,
        (T::Decimal { .. }, _) | (_, T::Decimal { .. }) => {
            let ((p, s), (q, t)) = (as_decimal(a), as_decimal(b));
            let scale = s.max(t);
            T::Decimal { precision: ((p - s).max(q - t) + scale).min(38), scale }
        }
        _ => T::BigInt,
    })
}

/// The type of all of `parts` together; `verb` says in an error what was to be done with them.
pub(super) fn common_of(parts: &[&Bound], verb: &str) -> Planned<DataType> {
    let mismatch = |span: Span, a: DataType, b: DataType| {
        let error = SqlError::new(span, format!("cannot {verb} {a} with {b}"));
        let text = if a == DataType::Varchar { b } else { a };
        if (a == DataType::Varchar || b == DataType::Varchar) && text != DataType::Interval {
            error.with_help(format!("convert one of them: CAST(x AS {text}) or CAST(x AS VARCHAR)"))
        } else {
            error
        }
    };
    let mut common: Option<DataType> = None;
    for part in parts.iter().filter(|part| part.literal == Literal::Typed) {
        common = Some(match common {
            None => part.data_type(),
            Some(so_far) => {
                common_type(so_far, part.data_type()).ok_or_else(|| mismatch(part.span, so_far, part.data_type()))?
            }
        });
    }
    for part in parts {
        let Literal::Number(text) = &part.literal else { continue };
        common = Some(match common {
            None => part.data_type(),
            Some(so_far) if literal::parse_number(text, so_far).is_some() => so_far,
            Some(so_far) => {
                let exact = literal::decimal_type(text).filter(|_| matches!(so_far, DataType::Decimal { .. }));
                common_type(so_far, exact.unwrap_or(part.data_type()))
                    .ok_or_else(|| mismatch(part.span, so_far, part.data_type()))?
            }
        });
    }
    Ok(common.unwrap_or(DataType::Varchar))
}

/// Both sides as one type.
pub(super) fn unify(left: Bound, right: Bound, verb: &str) -> Planned<(Expr, Expr)> {
    let data_type = common_of(&[&left, &right], verb)?;
    Ok((left.coerce(data_type)?, right.coerce(data_type)?))
}

/// `left op right` with casts. See [`ArithmeticOp`] for the types.
pub(super) fn arithmetic(op: ArithmeticOp, left: Bound, right: Bound, span: Span) -> Planned<Bound> {
    use DataType as T;
    let (left, right) = (beside(left, &right)?, right);
    let (right, left) = (beside(right, &left)?, left);
    let plan = |op, left: Expr, right: Expr, data_type| {
        let kind = ExprKind::Arithmetic { op, left: Box::new(left), right: Box::new(right) };
        fold(Bound::typed(Expr { kind, data_type }, span))
    };
    let (a, b) = (left.data_type(), right.data_type());
    let is_time = |t: T| matches!(t, T::Date | T::Timestamp);
    match (a, b, op) {
        (_, T::Interval, ArithmeticOp::Add | ArithmeticOp::Subtract) if is_time(a) => {
            plan(op, left.coerce(T::Timestamp)?, right.expr, T::Timestamp)
        }
        (T::Interval, _, ArithmeticOp::Add) if is_time(b) => {
            plan(op, right.coerce(T::Timestamp)?, left.expr, T::Timestamp)
        }
        (_, _, ArithmeticOp::Subtract) if is_time(a) && is_time(b) => {
            plan(op, left.coerce(T::Timestamp)?, right.coerce(T::Timestamp)?, T::Interval)
        }
        (T::Interval, T::Interval, ArithmeticOp::Add | ArithmeticOp::Subtract) => {
            plan(op, left.expr, right.expr, T::Interval)
        }
        (T::Interval, T::Int | T::BigInt, ArithmeticOp::Multiply) => {
            plan(op, left.expr, right.coerce(T::BigInt)?, T::Interval)
        }
        (T::Int | T::BigInt, T::Interval, ArithmeticOp::Multiply) => {
            plan(op, right.expr, left.coerce(T::BigInt)?, T::Interval)
        }
        _ if a.is_numeric() && b.is_numeric() => {
            let (a, b) = (beside_decimal(&left, b), beside_decimal(&right, a));
            let (left_type, right_type, result) = numeric_types(op, a, b);
            plan(op, left.coerce(left_type)?, right.coerce(right_type)?, result)
        }
        _ => {
            let sign = match op {
                ArithmeticOp::Add => "+",
                ArithmeticOp::Subtract => "-",
                ArithmeticOp::Multiply => "*",
                ArithmeticOp::Divide => "/",
                ArithmeticOp::Modulo => "%",
            };
            let error = SqlError::new(span, format!("{sign} is not defined on {a} and {b}"));
            Err(if op == ArithmeticOp::Add && (a == T::Varchar || b == T::Varchar) {
                error.with_help("text is joined with ||")
            } else if a == T::Varchar || b == T::Varchar {
                error.with_help("convert text with CAST(x AS DOUBLE)")
            } else if is_time(a) || is_time(b) {
                error.with_help("add or subtract an interval, as in x + INTERVAL '1' DAY")
            } else {
                error
            })
        }
    }
}

/// NULL and text take the type that arithmetic wants beside `other`.
fn beside(part: Bound, other: &Bound) -> Planned<Bound> {
    let wanted = match (&part.literal, other.data_type()) {
        (Literal::Null, DataType::Varchar) => DataType::BigInt,
        (Literal::Null, DataType::Timestamp | DataType::Date) => DataType::Interval,
        (Literal::Null, data_type) => data_type,
        (Literal::Text, data_type @ (DataType::Timestamp | DataType::Date)) => data_type,
        (Literal::Text, data_type) if data_type.is_numeric() => data_type,
        _ => return Ok(part),
    };
    let span = part.span;
    Ok(Bound::typed(part.coerce(wanted)?, span))
}

/// The type of an operand: a number with a point is a DECIMAL beside a DECIMAL.
fn beside_decimal(part: &Bound, other: DataType) -> DataType {
    match (&part.literal, other) {
        (Literal::Number(text), DataType::Decimal { .. }) => literal::decimal_type(text).unwrap_or(part.data_type()),
        _ => part.data_type(),
    }
}

/// Types of the operands and of the result.
fn numeric_types(op: ArithmeticOp, a: DataType, b: DataType) -> (DataType, DataType, DataType) {
    use DataType as T;
    let decimal = matches!(a, T::Decimal { .. }) || matches!(b, T::Decimal { .. });
    if a == T::Double || b == T::Double || decimal && op == ArithmeticOp::Divide {
        return (T::Double, T::Double, T::Double);
    }
    if !decimal {
        return (T::BigInt, T::BigInt, T::BigInt);
    }
    let ((p, s), (q, t)) = (as_decimal(a), as_decimal(b));
    if op == ArithmeticOp::Multiply {
        if s + t > 38 {
            return (T::Double, T::Double, T::Double);
        }
        let operand = |(precision, scale)| T::Decimal { precision, scale };
        let result = T::Decimal { precision: (p + q).min(38), scale: s + t };
        return (operand((p, s)), operand((q, t)), result);
    }
    let scale = s.max(t);
    let carry = u8::from(op != ArithmeticOp::Modulo);
    let result = T::Decimal { precision: ((p - s).max(q - t) + scale + carry).min(38), scale };
    (result, result, result)
}

/// Computes arithmetic on constants; what has no value (an overflow) is an error here rather than in every record.
fn fold(bound: Bound) -> Planned<Bound> {
    let ExprKind::Arithmetic { op, left, right } = &bound.expr.kind else { return Ok(bound) };
    let (ExprKind::Literal(a), ExprKind::Literal(b)) = (&left.kind, &right.kind) else { return Ok(bound) };
    let data_type = bound.expr.data_type;
    let value = match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (Value::Int64(a), Value::Int64(b)) => {
            let result = match op {
                ArithmeticOp::Divide | ArithmeticOp::Modulo if *b == 0 => None,
                ArithmeticOp::Add => Some(a.checked_add(*b)),
                ArithmeticOp::Subtract => Some(a.checked_sub(*b)),
                ArithmeticOp::Multiply => Some(a.checked_mul(*b)),
                ArithmeticOp::Divide => Some(a.checked_div(*b)),
                ArithmeticOp::Modulo => Some(a.checked_rem(*b).or(Some(0))),
            };
            match result {
                None => Value::Null,
                Some(Some(n)) => Value::Int64(n),
                Some(None) => return Err(SqlError::new(bound.span, format!("the result does not fit {data_type}"))),
            }
        }
        (Value::Float64(_), Value::Float64(b))
            if *b == 0.0 && matches!(op, ArithmeticOp::Divide | ArithmeticOp::Modulo) =>
        {
            Value::Null
        }
        (Value::Float64(a), Value::Float64(b)) => Value::Float64(match op {
            ArithmeticOp::Add => a + b,
            ArithmeticOp::Subtract => a - b,
            ArithmeticOp::Multiply => a * b,
            ArithmeticOp::Divide => a / b,
            ArithmeticOp::Modulo => a % b,
        }),
        _ => return Ok(bound),
    };
    // A folded whole number fits beside an INT as the written one would.
    let literal = match (&value, data_type) {
        (Value::Int64(n), DataType::BigInt) => Literal::Number(n.to_string()),
        _ => Literal::Typed,
    };
    Ok(Bound { expr: Expr::literal(value, data_type), span: bound.span, literal })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn decimal(precision: u8, scale: u8) -> DataType {
        DataType::Decimal { precision, scale }
    }

    /// The common type does not depend on the order, and holds the values of both.
    #[test]
    fn common_types() {
        use DataType as T;
        for (a, b, common) in [
            (T::Int, T::BigInt, Some(T::BigInt)),
            (T::BigInt, T::Double, Some(T::Double)),
            (decimal(10, 2), T::Double, Some(T::Double)),
            (decimal(10, 2), T::Int, Some(decimal(12, 2))),
            (decimal(10, 2), decimal(8, 5), Some(decimal(13, 5))),
            (decimal(38, 10), T::BigInt, Some(decimal(38, 10))),
            (T::Date, T::Timestamp, Some(T::Timestamp)),
            (T::Varchar, T::BigInt, None),
            (T::Boolean, T::Int, None),
            (T::Interval, T::BigInt, None),
        ] {
            assert_eq!(common_type(a, b), common);
            assert_eq!(common_type(b, a), common);
        }
    }

    /// Written numbers take the type of what stands beside them if they fit.
    #[test]
    fn numbers_adapt() {
        let number = |text: &str| Bound::number(text.into(), Span::default()).unwrap();
        assert_eq!(number("7").data_type(), DataType::BigInt);
        assert_eq!(number("9223372036854775808").data_type(), decimal(19, 0));
        assert_eq!(number("1.5").data_type(), DataType::Double);
        let column = |data_type| Bound::typed(Expr::column(0, data_type), Span::default());
        let beside = |data_type, text: &str| common_of(&[&column(data_type), &number(text)], "compare").unwrap();
        assert_eq!(beside(DataType::Int, "7"), DataType::Int);
        assert_eq!(beside(DataType::Int, "7000000000"), DataType::BigInt);
        assert_eq!(beside(DataType::Int, "1.5"), DataType::Double);
        assert_eq!(beside(DataType::Int, "2.0"), DataType::Int);
        assert_eq!(beside(decimal(10, 2), "1.5"), decimal(10, 2));
        assert_eq!(beside(decimal(10, 2), "1.005"), decimal(11, 3));
        assert!(Bound::number("1e999".into(), Span::default()).is_err());
    }

    /// Arithmetic on constants is done at plan time; what has no value is an error there.
    #[test]
    fn constants_fold() {
        let number = |text: &str| Bound::number(text.into(), Span::default()).unwrap();
        let fold = |op, a, b| arithmetic(op, number(a), number(b), Span::default()).map(|bound| bound.expr.kind);
        assert_eq!(fold(ArithmeticOp::Divide, "-7", "2"), Ok(ExprKind::Literal(Value::Int64(-3))));
        assert_eq!(fold(ArithmeticOp::Modulo, "7", "0"), Ok(ExprKind::Literal(Value::Null)));
        assert_eq!(fold(ArithmeticOp::Modulo, "-9223372036854775808", "-1"), Ok(ExprKind::Literal(Value::Int64(0))));
        assert_eq!(fold(ArithmeticOp::Add, "1.5", "1"), Ok(ExprKind::Literal(Value::Float64(2.5))));
        assert!(fold(ArithmeticOp::Divide, "-9223372036854775808", "-1").is_err());
    }
}
