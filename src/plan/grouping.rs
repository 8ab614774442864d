//! Expressions above GROUP BY: grouping keys and aggregates become columns of the Aggregate step.

use super::bind::Binder;
use super::coerce::{Bound, Literal, Planned};
use super::expr::{Expr, ExprKind};
use super::query::{AggregateCall, AggregateFunction};
use super::scope::{Scope, wrong};
use crate::error::{Span, SqlError};
use crate::sql::ast;
use crate::types::DataType;

/// Names of aggregates.
pub(super) const NAMES: [&str; 13] = [
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "VARIANCE",
    "VAR_SAMP",
    "VAR_POP",
    "STDDEV",
    "STDDEV_SAMP",
    "STDDEV_POP",
    "MEAN",
    "STD",
];

/// `window_start` until the number of calls is known.
pub(super) const WINDOW_START: usize = usize::MAX - 1;
/// `window_end` until the number of calls is known.
pub(super) const WINDOW_END: usize = usize::MAX;

/// What expressions above GROUP BY see.
pub(super) struct Grouping {
    /// Grouping keys, over the input.
    pub(super) keys: Vec<Expr>,
    /// Aggregates found so far.
    pub(super) calls: Vec<AggregateCall>,
    /// Their text, for the column names.
    pub(super) names: Vec<String>,
    /// Whether there is a window.
    pub(super) windowed: bool,
}

impl Grouping {
    /// The column of the Aggregate step that `expr` is, if it is one: a key, an aggregate, a window's bound.
    pub(super) fn replace(&mut self, scope: &Scope<'_>, expr: &ast::Expr) -> Planned<Option<Bound>> {
        let span = expr.span;
        match &expr.kind {
            ast::ExprKind::Column { table: None, name } if self.windowed && pseudo_column(&name.value).is_some() => {
                let column = pseudo_column(&name.value).unwrap_or(WINDOW_START);
                return Ok(Some(Bound::typed(Expr::column(column, DataType::Timestamp), span)));
            }
            ast::ExprKind::Call { name, args, star, over: None } if is_aggregate(&name.value) => {
                let call = aggregate(scope, name, args, *star, span)?;
                let known = self.calls.iter().position(|other| *other == call);
                let index = known.unwrap_or(self.calls.len());
                let data_type = call.data_type;
                if known.is_none() {
                    self.calls.push(call);
                    self.names.push(expr.to_string());
                }
                return Ok(Some(Bound::typed(Expr::column(self.keys.len() + index, data_type), span)));
            }
            _ => {}
        }
        if contains_aggregate(expr) {
            return Ok(None);
        }
        if let Ok(bound) = Binder::input(scope, "GROUP BY").bind(expr) {
            if let Some(index) = self.keys.iter().position(|key| *key == bound.expr) {
                return Ok(Some(Bound::typed(Expr::column(index, bound.data_type()), span)));
            }
            if matches!(bound.expr.kind, ExprKind::Literal(_)) {
                return Ok(Some(bound));
            }
            if let ast::ExprKind::Column { name, .. } = &expr.kind {
                let message = format!("column {} is neither grouped nor inside an aggregate", name.value);
                let help = format!("add {0} to GROUP BY, or take MIN({0}) or MAX({0})", name.value);
                return Err(wrong(span, message, help));
            }
        }
        Ok(None)
    }
}

/// `window_start` and `window_end`.
pub(super) fn pseudo_column(name: &str) -> Option<usize> {
    if name.eq_ignore_ascii_case("window_start") {
        Some(WINDOW_START)
    } else if name.eq_ignore_ascii_case("window_end") {
        Some(WINDOW_END)
    } else {
        None
    }
}

/// An unknown column that would be there with a window.
pub(super) fn hint_pseudo_column(error: SqlError, name: &str) -> SqlError {
    if pseudo_column(name).is_none() {
        return error;
    }
    wrong(
        error.span,
        format!("{name} is there only in the SELECT list, HAVING and ORDER BY of a query with a WINDOW"),
        "add WINDOW TUMBLING (column, INTERVAL '1' MINUTE)",
    )
}

/// Whether a function is an aggregate.
pub(super) fn is_aggregate(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether an aggregate (without OVER) is in the expression.
pub(super) fn contains_aggregate(expr: &ast::Expr) -> bool {
    any(expr, &|expr| matches!(&expr.kind, ast::ExprKind::Call { name, over: None, .. } if is_aggregate(&name.value)))
}

/// Whether a function OVER is in the expression.
pub(super) fn contains_over(expr: &ast::Expr) -> bool {
    any(expr, &|expr| matches!(&expr.kind, ast::ExprKind::Call { over: Some(_), .. }))
}

fn any(expr: &ast::Expr, test: &impl Fn(&ast::Expr) -> bool) -> bool {
    test(expr) || children(expr).into_iter().any(|child| any(child, test))
}

/// Direct operands, but for what stands in OVER and inside other queries.
pub(super) fn children(expr: &ast::Expr) -> Vec<&ast::Expr> {
    use ast::ExprKind as K;
    match &expr.kind {
        K::Column { .. } | K::Number(_) | K::Text(_) | K::Boolean(_) | K::Null | K::Typed(..) | K::Interval(_) => {
            Vec::new()
        }
        K::Subquery(_) | K::Exists(_) => Vec::new(),
        K::Not(arg) | K::Negate(arg) => vec![arg],
        K::IsNull { arg, .. } | K::IsBoolean { arg, .. } | K::Cast { arg, .. } | K::Extract { arg, .. } => vec![arg],
        K::InSubquery { arg, .. } => vec![arg],
        K::And(terms) | K::Or(terms) => terms.iter().collect(),
        K::Binary { left, right, .. } => vec![left, right],
        K::Like { arg, pattern, .. } => vec![arg, pattern],
        K::InList { arg, list, .. } => std::iter::once(&**arg).chain(list).collect(),
        K::Between { arg, low, high, .. } => vec![arg, low, high],
        K::Case { operand, branches, otherwise } => {
            let branches = branches.iter().flat_map(|(when, then)| [when, then]);
            operand.as_deref().into_iter().chain(branches).chain(otherwise.as_deref()).collect()
        }
        K::Call { args, .. } => args.iter().collect(),
    }
}

/// An aggregate and its argument, over the input.
fn aggregate(
    scope: &Scope<'_>,
    name: &ast::Ident,
    args: &[ast::Expr],
    star: bool,
    span: Span,
) -> Planned<AggregateCall> {
    let function = function(&name.value);
    let arg = argument(scope, name, args, star, span, "an aggregate")?;
    let (arg, data_type) = typed(function, arg, &name.value)?;
    Ok(AggregateCall { function, arg, data_type })
}

/// The aggregate of that name.
pub(super) fn function(name: &str) -> AggregateFunction {
    match name.to_uppercase().as_str() {
        "COUNT" => AggregateFunction::Count,
        "SUM" => AggregateFunction::Sum,
        "MIN" => AggregateFunction::Min,
        "MAX" => AggregateFunction::Max,
        "VARIANCE" | "VAR_SAMP" => AggregateFunction::Variance,
        "VAR_POP" => AggregateFunction::VariancePop,
        "STDDEV" | "STDDEV_SAMP" | "STD" => AggregateFunction::StdDev,
        "STDDEV_POP" => AggregateFunction::StdDevPop,
        _ => AggregateFunction::Avg,
    }
}

/// The one argument of an aggregate; `None` for COUNT(*).
pub(super) fn argument(
    scope: &Scope<'_>,
    name: &ast::Ident,
    args: &[ast::Expr],
    star: bool,
    span: Span,
    clause: &'static str,
) -> Planned<Option<Bound>> {
    let upper = name.value.to_uppercase();
    match args {
        [] if star && upper == "COUNT" => Ok(None),
        [] if star => Err(wrong(span, format!("{upper}(*) is not a function"), format!("write {upper}(column)"))),
        [arg] => Binder::input(scope, clause).bind(arg).map(Some),
        _ => {
            let help = if upper == "COUNT" {
                "write COUNT(*) or COUNT(column)".into()
            } else {
                format!("write {upper}(column)")
            };
            Err(wrong(span, format!("{upper} takes one argument, not {}", args.len()), help))
        }
    }
}

/// The argument with casts, and the type of the result.
pub(super) fn typed(function: AggregateFunction, arg: Option<Bound>, name: &str) -> Planned<(Option<Expr>, DataType)> {
    use AggregateFunction as F;
    let Some(arg) = arg else { return Ok((None, DataType::BigInt)) };
    match function {
        F::Count => Ok((Some(arg.expr), DataType::BigInt)),
        F::Min | F::Max => {
            let data_type = arg.data_type();
            Ok((Some(arg.expr), data_type))
        }
        F::Sum | F::Avg | F::Variance | F::StdDev | F::VariancePop | F::StdDevPop => {
            let data_type = match (&arg.literal, arg.data_type()) {
                (Literal::Null, _) | (_, DataType::Int) => DataType::BigInt,
                (_, data_type) if data_type.is_numeric() => data_type,
                (_, data_type) => {
                    let upper = name.to_uppercase();
                    let error = SqlError::new(arg.span, format!("{upper} takes a number, this is {data_type}"));
                    return Err(match data_type {
                        DataType::Varchar => error.with_help(format!("convert it: {upper}(CAST(x AS DOUBLE))")),
                        DataType::Boolean => error.with_help(format!("write {upper}(CASE WHEN x THEN 1 ELSE 0 END)")),
                        _ => error,
                    });
                }
            };
            let result = match (function, data_type) {
                (F::Sum, DataType::Decimal { scale, .. }) => DataType::Decimal { precision: 38, scale },
                (F::Sum, other) => other,
                _ => DataType::Double,
            };
            Ok((Some(arg.coerce(data_type)?), result))
        }
    }
}
