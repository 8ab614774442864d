//! Functions OVER the last rows of a key.
//!
//! All OVER clauses of a query share PARTITION BY and ORDER BY, so that one step with one buffer per key serves them.

use super::aggregates;
use super::bind::Binder;
use super::coerce::{Bound, Literal, Planned};
use super::expr::{Expr, ExprKind};
use super::query::{RankNode, RowsCall, RowsFunction, RowsOrder, SortKey};
use super::scope::{Scope, wrong};
use crate::error::{Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Value};

/// Functions that stand only with OVER.
pub(super) const NAMES: [&str; 4] = ["LAG", "FIRST_VALUE", "LAST_VALUE", "ROW_NUMBER"];

/// Whether a function stands only with OVER.
pub(super) fn is_rows_function(upper: &str) -> bool {
    NAMES.contains(&upper)
}

/// What expressions of a query with OVER see: columns of the input, then the calls.
pub(super) struct RowsState {
    /// PARTITION BY and order, once the first OVER has been met.
    pub(super) shared: Option<(Vec<Expr>, RowsOrder)>,
    /// Functions found so far.
    pub(super) calls: Vec<RowsCall>,
    /// Their text, for the column names.
    pub(super) names: Vec<String>,
    /// ROW_NUMBER by values, and its text.
    pub(super) rank: Option<(RankNode, String, Span)>,
}

impl RowsState {
    /// The column that the call becomes.
    pub(super) fn call(&mut self, scope: &Scope<'_>, expr: &ast::Expr) -> Planned<Bound> {
        let ast::ExprKind::Call { name, args, star, clauses, over: Some(over) } = &expr.kind else {
            return Err(SqlError::new(expr.span, "OVER stands behind a function"));
        };
        let span = expr.span;
        if clauses.is_some() {
            let message =
                "DISTINCT, ORDER BY inside a call, WITHIN GROUP and FILTER together with OVER are not supported yet";
            return Err(wrong(span, message, "put a condition inside: SUM(CASE WHEN condition THEN x END) OVER (...)"));
        }
        if let Some(node) = rank(scope, name, over)? {
            match &self.rank {
                Some((first, ..)) if *first != node => {
                    let message = "two different ROW_NUMBER by values in one query are not supported yet";
                    return Err(wrong(span, message, "put one of them into a query in FROM"));
                }
                Some(_) => {}
                None => self.rank = Some((node, expr.to_string(), span)),
            }
            return Ok(Bound::typed(Expr::column(scope.schema.len(), DataType::BigInt), span));
        }
        let shared = shared(scope, over)?;
        match &self.shared {
            None => self.shared = Some(shared),
            Some(first) if *first == shared => {}
            Some(_) => {
                let message = "OVER clauses with different PARTITION BY or ORDER BY in one query are not supported yet";
                return Err(wrong(span, message, "only the frames (ROWS ...) may differ"));
            }
        }
        let call = plan_call(scope, (name, args, *star), over, span)?;
        let known = self.calls.iter().position(|other| *other == call);
        let index = known.unwrap_or(self.calls.len());
        let data_type = call.data_type;
        if known.is_none() {
            self.calls.push(call);
            self.names.push(expr.to_string());
        }
        Ok(Bound::typed(Expr::column(scope.schema.len() + index, data_type), span))
    }
}

/// ROW_NUMBER in an order of values: anything but one TIMESTAMP column, ascending.
fn rank(scope: &Scope<'_>, name: &ast::Ident, over: &ast::Over) -> Planned<Option<RankNode>> {
    if !name.value.eq_ignore_ascii_case("ROW_NUMBER") || over.order_by.is_empty() {
        return Ok(None);
    }
    let column = |expr: &ast::Expr, clause: &'static str| {
        let bound = Binder::input(scope, clause).bind(expr)?;
        match bound.expr.kind {
            ExprKind::Column(column) => Ok((column, bound.data_type())),
            _ => Err(wrong(
                bound.span,
                format!("{clause} takes columns where rows are numbered by values"),
                "compute it in a query in FROM: FROM (SELECT ..., expression AS name FROM source) AS t",
            )),
        }
    };
    if let [item] = over.order_by.as_slice()
        && !item.descending
        && Binder::input(scope, "ORDER BY of OVER").bind(&item.expr)?.data_type() == DataType::Timestamp
    {
        return Ok(None);
    }
    let partition_by = over.partition_by.iter().map(|key| Ok(column(key, "PARTITION BY")?.0));
    let partition_by = partition_by.collect::<Planned<Vec<_>>>()?;
    let mut order = Vec::with_capacity(over.order_by.len());
    for item in &over.order_by {
        let (column, _) = column(&item.expr, "ORDER BY of OVER")?;
        let nulls_first = item.nulls_first.unwrap_or(item.descending);
        order.push(SortKey { column, descending: item.descending, nulls_first });
    }
    Ok(Some(RankNode { partition_by, window: None, order, keep: None }))
}

/// PARTITION BY and ORDER BY.
fn shared(scope: &Scope<'_>, over: &ast::Over) -> Planned<(Vec<Expr>, RowsOrder)> {
    let mut partition_by = Vec::with_capacity(over.partition_by.len());
    for key in &over.partition_by {
        partition_by.push(Binder::input(scope, "PARTITION BY").bind(key)?.expr);
    }
    let order = match over.order_by.as_slice() {
        [] => RowsOrder::Arrival,
        [item] => {
            let bound = Binder::input(scope, "ORDER BY of OVER").bind(&item.expr)?;
            let ExprKind::Column(column) = bound.expr.kind else {
                return Err(order_error(bound.span, "ORDER BY in OVER takes a column, not an expression"));
            };
            if bound.data_type() != DataType::Timestamp {
                let message = format!(
                    "ORDER BY in OVER takes a TIMESTAMP column, {} is {}",
                    scope.field(column).name,
                    bound.data_type()
                );
                return Err(order_error(bound.span, &message));
            }
            if item.descending {
                return Err(order_error(bound.span, "ORDER BY ... DESC in OVER is not supported yet"));
            }
            RowsOrder::EventTime { column }
        }
        [_, second, ..] => {
            return Err(order_error(second.expr.span, "ORDER BY in OVER takes one column"));
        }
    };
    Ok((partition_by, order))
}

fn order_error(span: Span, message: &str) -> SqlError {
    let help = "order by one TIMESTAMP column, ascending, or leave ORDER BY out to take rows as they arrive";
    wrong(span, message, help)
}

fn plan_call(
    scope: &Scope<'_>,
    (name, args, star): (&ast::Ident, &[ast::Expr], bool),
    over: &ast::Over,
    span: Span,
) -> Planned<RowsCall> {
    let upper = name.value.to_uppercase();
    let mut bind = |arg: &ast::Expr| Binder::input(scope, "an argument of a function with OVER").bind(arg);
    let form = |form: &str| wrong(span, format!("wrong arguments of {upper}"), format!("write {form}"));
    match (upper.as_str(), args) {
        ("ROW_NUMBER", []) if !star => {
            let function = RowsFunction::RowNumber;
            return Ok(RowsCall { function, arg: None, frame_rows: None, data_type: DataType::BigInt });
        }
        ("ROW_NUMBER", _) => return Err(form("ROW_NUMBER()")),
        ("LAG", [arg, rest @ ..]) if rest.len() <= 2 => {
            let arg = bind(arg)?;
            let offset = match rest.first().map(&mut bind).transpose()? {
                None => 1,
                Some(bound) => match bound.expr.kind {
                    ExprKind::Literal(Value::Int64(offset)) if offset >= 0 => offset.unsigned_abs(),
                    _ => {
                        return Err(wrong(
                            bound.span,
                            "the offset of LAG is a whole number of rows",
                            "write LAG(x, 1)",
                        ));
                    }
                },
            };
            let data_type = arg.data_type();
            let default = match rest.get(1).map(&mut bind).transpose()? {
                None => Value::Null,
                Some(bound) => lag_default(bound, data_type)?,
            };
            let function = RowsFunction::Lag { offset, default };
            return Ok(RowsCall { function, arg: Some(arg.expr), frame_rows: None, data_type });
        }
        ("LAG", _) => return Err(form("LAG(x), LAG(x, rows) or LAG(x, rows, default)")),
        _ => {}
    }
    let value = match (upper.as_str(), args) {
        ("FIRST_VALUE", [arg]) => Some((RowsFunction::FirstValue, bind(arg)?)),
        ("LAST_VALUE", [arg]) => Some((RowsFunction::LastValue, bind(arg)?)),
        ("FIRST_VALUE" | "LAST_VALUE", _) => return Err(form(&format!("{upper}(x)"))),
        _ => None,
    };
    let (function, arg, data_type) = match value {
        Some((function, arg)) => {
            let data_type = arg.data_type();
            (function, Some(arg.expr), data_type)
        }
        None if aggregates::is_aggregate(&upper) => {
            let (function, arg, data_type) = aggregates::plan_over(scope, name, args, star, span)?;
            (RowsFunction::Aggregate(function), arg, data_type)
        }
        None => {
            let call = ast::Expr {
                kind: ast::ExprKind::Call { name: name.clone(), args: args.to_vec(), star, clauses: None, over: None },
                span,
            };
            // A scalar function or an unknown one: the same suggestions as without OVER, if it is unknown.
            bind(&call)?;
            return Err(SqlError::new(span, format!("{upper} cannot stand with OVER")));
        }
    };
    let frame_rows = match over.frame {
        Some(frame) => frame.preceding.map(|rows| rows.saturating_add(1)),
        None if !over.order_by.is_empty() => None,
        None => {
            let message = "without ORDER BY and ROWS the frame would be the whole input, with rows still to come";
            return Err(wrong(span, message, "add ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW, or ORDER BY"));
        }
    };
    Ok(RowsCall { function, arg, frame_rows, data_type })
}

fn lag_default(bound: Bound, data_type: DataType) -> Planned<Value> {
    let span = bound.span;
    let fits = bound.literal != Literal::Typed
        || super::coerce::common_type(bound.data_type(), data_type).is_some_and(|common| common == data_type);
    if fits && let ExprKind::Literal(value) = bound.coerce(data_type)?.kind {
        return Ok(value);
    }
    Err(SqlError::new(span, format!("the default of LAG must be a constant of type {data_type}")))
}
