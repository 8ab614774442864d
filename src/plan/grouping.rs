//! Expressions above GROUP BY: grouping keys and aggregates become columns of the Aggregate step.

use super::aggregates::{self, is_aggregate};
use super::bind::Binder;
use super::coerce::{Bound, Planned};
use super::expr::{Expr, ExprKind};
use super::query::AggregateCall;
use super::scope::{Scope, wrong};
use crate::error::SqlError;
use crate::sql::ast;
use crate::types::DataType;

/// `window_start` until the number of calls is known.
pub(super) const WINDOW_START: usize = usize::MAX - 1;
/// `window_end` until the number of calls is known.
pub(super) const WINDOW_END: usize = usize::MAX;

/// `op` of a changelog until the number of calls is known.
pub(super) const OP: usize = usize::MAX - 2;

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
            ast::ExprKind::Call { name, over: None, .. } if is_aggregate(&name.value) => {
                let call = aggregates::plan(scope, expr)?;
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
        K::Call { args, clauses, .. } => {
            args.iter().chain(clauses.iter().flat_map(|clauses| clauses.exprs())).collect()
        }
    }
}
