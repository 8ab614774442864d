//! Functions OVER: what stands in a call, and the OVER clauses of a query. How they become steps is said in `arrange`.

use super::aggregates;
use super::bind::Binder;
use super::coerce::{Bound, Literal, Planned};
use super::expr::{Expr, ExprKind};
use super::frames::{self, FrameBounds, FrameOrder, FramedCall, FramedFunction};
use super::scope::{Scope, suggest, wrong};
use crate::error::{Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Value};

/// Functions that stand only with OVER.
pub(super) const NAMES: [&str; 11] = [
    "LAG",
    "LEAD",
    "FIRST_VALUE",
    "LAST_VALUE",
    "NTH_VALUE",
    "ROW_NUMBER",
    "RANK",
    "DENSE_RANK",
    "PERCENT_RANK",
    "CUME_DIST",
    "NTILE",
];

/// Whether a function stands only with OVER.
pub(super) fn is_rows_function(upper: &str) -> bool {
    NAMES.contains(&upper)
}

/// What expressions of a query with OVER see: columns of the input, then the calls.
pub(super) struct RowsState {
    /// WINDOW name AS (…).
    pub(super) windows: Vec<ast::NamedWindow>,
    /// OVER clauses that differ in more than their frames.
    pub(super) specs: Vec<Spec>,
    /// Functions found so far.
    pub(super) calls: Vec<Call>,
}

/// An OVER clause but for its frame.
#[derive(PartialEq)]
pub(super) struct Spec {
    pub(super) partition_by: Vec<Expr>,
    pub(super) order: Vec<FrameOrder>,
    pub(super) expire_us: Option<i64>,
}

/// A call and the clause that it stands with.
pub(super) struct Call {
    pub(super) spec: usize,
    pub(super) call: FramedCall,
    /// Its text, for the column name.
    pub(super) name: String,
    pub(super) span: Span,
    /// Of ORDER BY and EXPIRE AFTER.
    pub(super) order_span: Span,
}

impl RowsState {
    /// Nothing found yet.
    pub(super) fn new(windows: &[ast::NamedWindow]) -> Self {
        Self { windows: windows.to_vec(), specs: Vec::new(), calls: Vec::new() }
    }

    /// The column that the call becomes: numbers behind the columns of the input, in the order in which calls are found.
    pub(super) fn call(&mut self, scope: &Scope<'_>, expr: &ast::Expr) -> Planned<Bound> {
        let ast::ExprKind::Call { over: Some(over), .. } = &expr.kind else {
            return Err(SqlError::new(expr.span, "OVER stands behind a function"));
        };
        let span = expr.span;
        let over = resolve(&self.windows, over)?;
        let spec = spec(scope, &over)?;
        let call = plan_call(scope, expr, &over, &spec.order)?;
        let order_span = over.order_by.first().map_or(span, |item| item.expr.span);
        let order_span = over.expire.map_or(order_span, |(_, place)| place);
        let known = self.specs.iter().position(|known| *known == spec);
        let spec = known.unwrap_or_else(|| {
            self.specs.push(spec);
            self.specs.len() - 1
        });
        let data_type = call.data_type;
        let known = self.calls.iter().position(|known| known.spec == spec && known.call == call);
        let index = known.unwrap_or_else(|| {
            self.calls.push(Call { spec, call, name: expr.to_string(), span, order_span });
            self.calls.len() - 1
        });
        Ok(Bound::typed(Expr::column(scope.schema.len() + index, data_type), span))
    }
}

/// `over` with what the named window says that it adds to.
fn resolve(windows: &[ast::NamedWindow], over: &ast::Over) -> Planned<ast::Over> {
    let Some(base) = &over.base else { return Ok(over.clone()) };
    let Some(index) = windows.iter().position(|window| window.name.value.eq_ignore_ascii_case(&base.value)) else {
        let names = windows.iter().map(|window| window.name.value.as_str());
        let help = match windows.is_empty() {
            true => format!("add WINDOW {} AS (PARTITION BY ... ORDER BY ...)", base.value),
            false => suggest(&base.value, names, "windows are"),
        };
        return Err(wrong(base.span, format!("unknown window {}", base.value), help));
    };
    // A window may add to those before it.
    let found = resolve(&windows[..index], &windows[index].over)?;
    let clash = |what: &str| {
        let message = format!("{what} of the window {} cannot be replaced", base.value);
        Err(wrong(base.span, message, "write the whole clause: OVER (PARTITION BY ... ORDER BY ...)"))
    };
    let ast::Over { partition_by, order_by, frame, expire, .. } = over;
    let adds = !partition_by.is_empty() || !order_by.is_empty() || frame.is_some();
    if !partition_by.is_empty() {
        return clash("PARTITION BY");
    }
    if !order_by.is_empty() && !found.order_by.is_empty() {
        return clash("ORDER BY");
    }
    if adds && found.frame.is_some() {
        return clash("the frame");
    }
    Ok(ast::Over {
        base: None,
        partition_by: found.partition_by,
        order_by: if order_by.is_empty() { found.order_by } else { order_by.clone() },
        frame: frame.clone().or(found.frame),
        expire: expire.or(found.expire),
    })
}

/// PARTITION BY, ORDER BY, EXPIRE AFTER.
fn spec(scope: &Scope<'_>, over: &ast::Over) -> Planned<Spec> {
    let mut partition_by = Vec::with_capacity(over.partition_by.len());
    for key in &over.partition_by {
        partition_by.push(Binder::input(scope, "PARTITION BY").bind(key)?.expr);
    }
    let mut order = Vec::with_capacity(over.order_by.len());
    for item in &over.order_by {
        let expr = Binder::input(scope, "ORDER BY of OVER").bind(&item.expr)?.expr;
        // A constant orders nothing.
        if !matches!(expr.kind, ExprKind::Literal(_)) {
            let nulls_first = item.nulls_first.unwrap_or(item.descending);
            order.push(FrameOrder { expr, descending: item.descending, nulls_first });
        }
    }
    Ok(Spec { partition_by, order, expire_us: over.expire.map(|(us, _)| us) })
}

fn plan_call(scope: &Scope<'_>, expr: &ast::Expr, over: &ast::Over, order: &[FrameOrder]) -> Planned<FramedCall> {
    let span = expr.span;
    let ast::ExprKind::Call { name, args, star, clauses, .. } = &expr.kind else {
        return Err(SqlError::new(span, "OVER stands behind a function"));
    };
    let (star, upper) = (*star, name.value.to_uppercase());
    if aggregates::is_aggregate(&upper) {
        let call = aggregates::plan_over(scope, expr)?;
        let frame = frames::bounds(scope, over, order)?;
        let data_type = call.data_type;
        return Ok(FramedCall { function: FramedFunction::Aggregate(call), frame, data_type });
    }
    let mut bind = |arg: &ast::Expr| Binder::input(scope, "an argument of a function with OVER").bind(arg);
    if !is_rows_function(&upper) {
        let kind =
            ast::ExprKind::Call { name: name.clone(), args: args.clone(), star, clauses: clauses.clone(), over: None };
        // A scalar function or an unknown one: the same suggestions as without OVER, if it is unknown.
        bind(&ast::Expr { kind, span })?;
        return Err(SqlError::new(span, format!("{upper} cannot stand with OVER")));
    }
    if clauses.is_some() {
        let message = format!("{upper} is no aggregate");
        return Err(wrong(span, message, "DISTINCT, ORDER BY, WITHIN GROUP and FILTER go with aggregates"));
    }
    // Whatever the frame, it must be right.
    let frame = frames::bounds(scope, over, order)?;
    let form = |form: &str| Err(wrong(span, format!("wrong arguments of {upper}"), format!("write {form}")));
    let number = |function, data_type| Ok(FramedCall { function, frame: FrameBounds::CURRENT, data_type });
    let value = |make: fn(Expr) -> FramedFunction, arg: Bound| {
        let data_type = arg.data_type();
        Ok(FramedCall { function: make(arg.expr), frame, data_type })
    };
    match (upper.as_str(), args.as_slice()) {
        ("ROW_NUMBER", []) if !star => number(FramedFunction::RowNumber, DataType::BigInt),
        ("RANK", []) if !star => number(FramedFunction::Rank, DataType::BigInt),
        ("DENSE_RANK", []) if !star => number(FramedFunction::DenseRank, DataType::BigInt),
        ("PERCENT_RANK", []) if !star => number(FramedFunction::PercentRank, DataType::Double),
        ("CUME_DIST", []) if !star => number(FramedFunction::CumeDist, DataType::Double),
        ("ROW_NUMBER" | "RANK" | "DENSE_RANK" | "PERCENT_RANK" | "CUME_DIST", _) => form(&format!("{upper}()")),
        ("NTILE", [arg]) => {
            let help = "write NTILE(4)";
            let buckets = whole(bind(arg)?, 1, "NTILE takes a whole number of buckets, at least 1", help)?;
            number(FramedFunction::Ntile(buckets), DataType::BigInt)
        }
        ("NTILE", _) => form("NTILE(buckets)"),
        ("LAG" | "LEAD", [arg, rest @ ..]) if rest.len() <= 2 => {
            let arg = bind(arg)?;
            let message = format!("the offset of {upper} is a whole number of rows");
            let offset = match rest.first().map(&mut bind).transpose()? {
                None => 1,
                Some(bound) => whole(bound, 0, &message, &format!("write {upper}(x, 1)"))?,
            };
            let offset = i64::try_from(offset).unwrap_or(i64::MAX);
            let data_type = arg.data_type();
            let default = match rest.get(1).map(&mut bind).transpose()? {
                None => Value::Null,
                Some(bound) => default_of(bound, data_type, &upper)?,
            };
            let offset = if upper == "LAG" { -offset } else { offset };
            number(FramedFunction::Shift { arg: arg.expr, offset, default }, data_type)
        }
        ("LAG" | "LEAD", _) => form(&format!("{upper}(x), {upper}(x, rows) or {upper}(x, rows, default)")),
        ("FIRST_VALUE", [arg]) => value(FramedFunction::FirstValue, bind(arg)?),
        ("LAST_VALUE", [arg]) => value(FramedFunction::LastValue, bind(arg)?),
        ("NTH_VALUE", [arg, n]) => {
            let arg = bind(arg)?;
            let message = "the second argument of NTH_VALUE is the number of a row, from 1";
            let n = whole(bind(n)?, 1, message, "write NTH_VALUE(x, 2)")?;
            let data_type = arg.data_type();
            Ok(FramedCall { function: FramedFunction::NthValue(arg.expr, n), frame, data_type })
        }
        ("NTH_VALUE", _) => form("NTH_VALUE(x, n)"),
        _ => form(&format!("{upper}(x)")),
    }
}

/// A constant whole number, `least` or more.
fn whole(bound: Bound, least: i64, message: &str, help: &str) -> Planned<u64> {
    match bound.expr.kind {
        ExprKind::Literal(Value::Int64(number)) if number >= least => Ok(number.unsigned_abs()),
        _ => Err(wrong(bound.span, message, help)),
    }
}

fn default_of(bound: Bound, data_type: DataType, upper: &str) -> Planned<Value> {
    let span = bound.span;
    let fits = bound.literal != Literal::Typed
        || super::coerce::common_type(bound.data_type(), data_type).is_some_and(|common| common == data_type);
    if fits && let ExprKind::Literal(value) = bound.coerce(data_type)?.kind {
        return Ok(value);
    }
    Err(SqlError::new(span, format!("the default of {upper} must be a constant of type {data_type}")))
}
