//! Aggregates: their names, their arguments, and the clauses DISTINCT, ORDER BY, WITHIN GROUP and FILTER.
//!
//! All of them pass over NULL. So FILTER is a CASE around the argument that leaves it NULL where the condition does not hold,
//! and nothing below the planner knows of it.

use super::bind::Binder;
use super::coerce::{Bound, Literal, Planned};
use super::expr::{Expr, ExprKind};
use super::functions;
use super::query::{AggregateCall, AggregateFunction, AggregateOrder};
use super::scope::{Scope, wrong};
use crate::error::{Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Value};

use AggregateFunction as F;

/// Names of aggregates, what they are, and how they are called.
const AGGREGATES: [(&str, AggregateFunction, &str); 42] = [
    ("COUNT", F::Count, "COUNT(*) or COUNT(column)"),
    ("SUM", F::Sum, "SUM(column)"),
    ("AVG", F::Avg, "AVG(column)"),
    ("MEAN", F::Avg, "MEAN(column)"),
    ("MIN", F::Min, "MIN(column)"),
    ("MAX", F::Max, "MAX(column)"),
    ("BOOL_AND", F::Min, "BOOL_AND(condition)"),
    ("EVERY", F::Min, "EVERY(condition)"),
    ("BOOL_OR", F::Max, "BOOL_OR(condition)"),
    ("VARIANCE", F::Variance, "VARIANCE(column)"),
    ("VAR_SAMP", F::Variance, "VAR_SAMP(column)"),
    ("VAR_POP", F::VariancePop, "VAR_POP(column)"),
    ("STDDEV", F::StdDev, "STDDEV(column)"),
    ("STDDEV_SAMP", F::StdDev, "STDDEV_SAMP(column)"),
    ("STD", F::StdDev, "STD(column)"),
    ("STDDEV_POP", F::StdDevPop, "STDDEV_POP(column)"),
    ("FIRST", F::First, "FIRST(column) or FIRST(column ORDER BY other)"),
    ("ANY_VALUE", F::First, "ANY_VALUE(column)"),
    ("LAST", F::Last, "LAST(column) or LAST(column ORDER BY other)"),
    ("MIN_BY", F::MinBy, "MIN_BY(value, key)"),
    ("ARG_MIN", F::MinBy, "ARG_MIN(value, key)"),
    ("MAX_BY", F::MaxBy, "MAX_BY(value, key)"),
    ("ARG_MAX", F::MaxBy, "ARG_MAX(value, key)"),
    ("STRING_AGG", F::StringAgg, "STRING_AGG(column, ', ') or STRING_AGG(column, ', ' ORDER BY other)"),
    ("LISTAGG", F::StringAgg, "LISTAGG(column, ', ') or LISTAGG(column, ', ') WITHIN GROUP (ORDER BY other)"),
    ("GROUP_CONCAT", F::StringAgg, "GROUP_CONCAT(column) or GROUP_CONCAT(column, ', ')"),
    ("MEDIAN", F::PercentileCont, "MEDIAN(column)"),
    ("PERCENTILE_CONT", F::PercentileCont, "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY column)"),
    ("QUANTILE_CONT", F::PercentileCont, "QUANTILE_CONT(column, 0.5)"),
    ("PERCENTILE_DISC", F::PercentileDisc, "PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY column)"),
    ("QUANTILE_DISC", F::PercentileDisc, "QUANTILE_DISC(column, 0.5)"),
    ("QUANTILE", F::PercentileDisc, "QUANTILE(column, 0.5)"),
    ("APPROX_PERCENTILE", F::ApproxPercentile, "APPROX_PERCENTILE(column, 0.5)"),
    ("APPROX_QUANTILE", F::ApproxPercentile, "APPROX_QUANTILE(column, 0.5)"),
    ("APPROX_COUNT_DISTINCT", F::ApproxCountDistinct, "APPROX_COUNT_DISTINCT(column)"),
    ("CORR", F::Corr, "CORR(y, x)"),
    ("COVAR_POP", F::CovarPop, "COVAR_POP(y, x)"),
    ("COVAR_SAMP", F::CovarSamp, "COVAR_SAMP(y, x)"),
    ("REGR_SLOPE", F::RegrSlope, "REGR_SLOPE(y, x)"),
    ("REGR_INTERCEPT", F::RegrIntercept, "REGR_INTERCEPT(y, x)"),
    ("REGR_R2", F::RegrR2, "REGR_R2(y, x)"),
    ("REGR_COUNT", F::RegrCount, "REGR_COUNT(y, x)"),
];

/// Names of aggregates.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    AGGREGATES.iter().map(|(name, ..)| *name)
}

/// Whether a function is an aggregate.
pub(super) fn is_aggregate(name: &str) -> bool {
    names().any(|known| name.eq_ignore_ascii_case(known))
}

/// A call as it is planned.
struct Call<'a> {
    scope: &'a Scope<'a>,
    /// In upper case.
    name: String,
    function: AggregateFunction,
    usage: &'static str,
    span: Span,
    /// What errors say that arguments stand in.
    clause: &'static str,
}

/// What WITHIN GROUP says.
enum Within {
    /// The order of texts to be joined.
    Order(Vec<AggregateOrder>),
    /// The column of a percentile.
    Column { column: Bound, descending: bool },
}

/// An aggregate and its arguments, over the input.
pub(super) fn plan(scope: &Scope<'_>, expr: &ast::Expr) -> Planned<AggregateCall> {
    let ast::ExprKind::Call { name, args, star, clauses, .. } = &expr.kind else {
        return Err(SqlError::new(expr.span, "this is no aggregate"));
    };
    let call = Call::new(scope, name, expr.span);
    let none = ast::Clauses::default();
    call.plan(args, *star, clauses.as_deref().unwrap_or(&none))
}

/// An aggregate with OVER, and its arguments.
pub(super) fn plan_over(scope: &Scope<'_>, expr: &ast::Expr) -> Planned<AggregateCall> {
    let ast::ExprKind::Call { name, args, star, clauses, .. } = &expr.kind else {
        return Err(SqlError::new(expr.span, "this is no aggregate"));
    };
    let call = Call { clause: "an argument of a function with OVER", ..Call::new(scope, name, expr.span) };
    if matches!(call.function, F::First | F::Last) {
        let value = if call.function == F::First { "FIRST" } else { "LAST" };
        let help = format!("write {value}_VALUE(x) OVER (...)");
        return Err(wrong(expr.span, format!("{} cannot stand with OVER", call.name), help));
    }
    let none = ast::Clauses::default();
    call.plan(args, *star, clauses.as_deref().unwrap_or(&none))
}

impl<'a> Call<'a> {
    fn new(scope: &'a Scope<'a>, name: &ast::Ident, span: Span) -> Self {
        let known = AGGREGATES.iter().find(|(known, ..)| name.value.eq_ignore_ascii_case(known));
        let &(_, function, usage) = known.expect("the caller has looked the name up");
        Self { scope, name: name.value.to_uppercase(), function, usage, span, clause: "an aggregate" }
    }

    fn plan(&self, args: &[ast::Expr], star: bool, clauses: &ast::Clauses) -> Planned<AggregateCall> {
        let mut args = self.arguments(args, star)?;
        let order = self.order(clauses)?;
        let (mut order, column) = match self.within_group(clauses)? {
            None => (order, None),
            Some(Within::Order(order)) => (order, None),
            Some(Within::Column { column, descending }) => {
                args.insert(0, column);
                (Vec::new(), Some(descending))
            }
        };
        let second = self.second(&args)?;
        args.truncate(1);
        let distinct = self.distinct(clauses, !args.is_empty())?;
        let (arg, data_type) = self.typed(args.pop())?;
        if let (Some(descending), Some(arg)) = (column, &arg) {
            order = vec![AggregateOrder { expr: arg.clone(), descending, nulls_first: descending }];
        }
        if distinct && self.function == F::StringAgg {
            self.distinct_order(&arg, &mut order, clauses)?;
        }
        let arg = match &clauses.filter {
            None => arg,
            Some(filter) => {
                let filter = Binder::input(self.scope, self.clause).bind(filter)?;
                Some(filtered(filter.boolean("the condition of FILTER")?, arg))
            }
        };
        Ok(AggregateCall { function: self.function, arg, second, order, distinct, data_type })
    }

    fn is_percentile(&self) -> bool {
        matches!(self.function, F::PercentileCont | F::PercentileDisc | F::ApproxPercentile)
    }

    /// The arguments; none of COUNT(*).
    fn arguments(&self, args: &[ast::Expr], star: bool) -> Planned<Vec<Bound>> {
        let Self { name, function, usage, span, .. } = self;
        if star && args.is_empty() {
            return match function {
                F::Count => Ok(Vec::new()),
                _ => Err(wrong(*span, format!("{name}(*) is not a function"), format!("write {usage}"))),
            };
        }
        let (least, most) = match function {
            _ if self.is_percentile() && name != "MEDIAN" || *function == F::StringAgg => (1, 2),
            F::MinBy | F::MaxBy | F::Corr | F::CovarPop | F::CovarSamp => (2, 2),
            F::RegrSlope | F::RegrIntercept | F::RegrR2 | F::RegrCount => (2, 2),
            _ => (1, 1),
        };
        if !(least..=most).contains(&args.len()) {
            let takes = match (least, most) {
                (1, 1) => "one argument",
                (2, 2) => "two arguments",
                _ => "one or two arguments",
            };
            return Err(wrong(*span, format!("{name} takes {takes}, not {}", args.len()), format!("write {usage}")));
        }
        args.iter().map(|arg| Binder::input(self.scope, self.clause).bind(arg)).collect()
    }

    /// ORDER BY inside the parentheses.
    fn order(&self, clauses: &ast::Clauses) -> Planned<Vec<AggregateOrder>> {
        let Some(first) = clauses.order_by.first() else { return Ok(Vec::new()) };
        if !matches!(self.function, F::First | F::Last | F::StringAgg) {
            let help = match self.function {
                _ if self.is_percentile() => format!("write {}", self.usage),
                _ => "leave ORDER BY out".into(),
            };
            return Err(wrong(first.expr.span, format!("the order of rows means nothing to {}", self.name), help));
        }
        self.order_items(&clauses.order_by)
    }

    fn order_items(&self, items: &[ast::OrderItem]) -> Planned<Vec<AggregateOrder>> {
        let order = |item: &ast::OrderItem| {
            let expr = Binder::input(self.scope, self.clause).bind(&item.expr)?.expr;
            let nulls_first = item.nulls_first.unwrap_or(item.descending);
            Ok(AggregateOrder { expr, descending: item.descending, nulls_first })
        };
        items.iter().map(order).collect()
    }

    fn within_group(&self, clauses: &ast::Clauses) -> Planned<Option<Within>> {
        match (self.function, clauses.within_group.as_slice()) {
            (_, []) => Ok(None),
            (F::StringAgg, items) if clauses.order_by.is_empty() => Ok(Some(Within::Order(self.order_items(items)?))),
            (_, [item]) if self.is_percentile() && self.name != "MEDIAN" => {
                let column = Binder::input(self.scope, self.clause).bind(&item.expr)?;
                Ok(Some(Within::Column { column, descending: item.descending }))
            }
            (_, [_, second, ..]) if self.is_percentile() => {
                let message = format!("{} is of one column", self.name);
                Err(wrong(second.expr.span, message, format!("write {}", self.usage)))
            }
            _ => {
                let message = format!("WITHIN GROUP does not go with this form of {}", self.name);
                Err(wrong(self.span, message, format!("write {}", self.usage)))
            }
        }
    }

    /// What stands beside the argument: the other column, the separator or the fraction.
    fn second(&self, args: &[Bound]) -> Planned<Option<Expr>> {
        let second = args.get(1);
        let fraction = |fraction: f64| Expr::literal(Value::Float64(fraction), DataType::Double);
        Ok(match (self.function, second) {
            (F::StringAgg, None) => Some(Expr::literal(Value::Utf8(",".into()), DataType::Varchar)),
            (F::StringAgg, Some(separator)) => match &separator.expr.kind {
                ExprKind::Literal(Value::Utf8(_)) => Some(separator.expr.clone()),
                _ => {
                    let message = format!("the separator of {} is a text in quotes", self.name);
                    return Err(wrong(separator.span, message, format!("write {}(column, ', ')", self.name)));
                }
            },
            (F::PercentileCont, None) if self.name == "MEDIAN" => Some(fraction(0.5)),
            (_, None) if self.is_percentile() => {
                let message = format!("{} needs a column and a fraction", self.name);
                let [standard, short] =
                    ["(0.5) WITHIN GROUP (ORDER BY column)", "(column, 0.5)"].map(|form| self.name.clone() + form);
                return Err(wrong(self.span, message, format!("write {standard} or {short}")));
            }
            (_, Some(bound)) if self.is_percentile() => {
                let value = match bound.literal {
                    Literal::Number(_) => bound.clone().coerce(DataType::Double)?.kind,
                    _ => ExprKind::Literal(Value::Null),
                };
                match value {
                    ExprKind::Literal(Value::Float64(value)) if (0.0..=1.0).contains(&value) => Some(fraction(value)),
                    _ => {
                        let message = format!("the fraction of {} is a number from 0 to 1", self.name);
                        return Err(wrong(bound.span, message, "0.5 is the median, 0.99 the 99th percentile"));
                    }
                }
            }
            (F::MinBy | F::MaxBy, Some(key)) => Some(key.expr.clone()),
            (_, Some(x)) => Some(number(&self.name, x)?.coerce(DataType::Double)?),
            (_, None) => None,
        })
    }

    /// Whether values that are equal are to be taken once; false where that makes no difference.
    fn distinct(&self, clauses: &ast::Clauses, has_argument: bool) -> Planned<bool> {
        if !clauses.distinct {
            return Ok(false);
        }
        match self.function {
            F::Count if !has_argument => {
                let help = "write COUNT(DISTINCT column)";
                Err(wrong(self.span, "COUNT(DISTINCT *) is not supported", help))
            }
            F::Min | F::Max | F::First | F::Last | F::ApproxCountDistinct => Ok(false),
            F::Count | F::Sum | F::Avg | F::Variance | F::StdDev | F::VariancePop | F::StdDevPop => Ok(true),
            F::StringAgg | F::PercentileCont | F::PercentileDisc | F::ApproxPercentile => Ok(true),
            _ => {
                let message = format!("DISTINCT does not go with {}, which looks at two columns", self.name);
                Err(wrong(self.span, message, "leave DISTINCT out"))
            }
        }
    }

    /// Distinct texts are joined in their own order: which of several equal ones comes first would not be known.
    fn distinct_order(
        &self,
        arg: &Option<Expr>,
        order: &mut Vec<AggregateOrder>,
        clauses: &ast::Clauses,
    ) -> Planned<()> {
        let Some(arg) = arg else { return Ok(()) };
        match order.as_slice() {
            [] => order.push(AggregateOrder { expr: arg.clone(), descending: false, nulls_first: false }),
            [item] if item.expr == *arg => {}
            _ => {
                let written = clauses.order_by.iter().chain(&clauses.within_group).next();
                let span = written.map_or(self.span, |item| item.expr.span);
                let message = format!("{}(DISTINCT ...) can be ordered by its argument alone", self.name);
                return Err(wrong(span, message, "leave ORDER BY out, or order by the argument"));
            }
        }
        Ok(())
    }

    /// The argument with casts, and the type of the result.
    fn typed(&self, arg: Option<Bound>) -> Planned<(Option<Expr>, DataType)> {
        let Some(arg) = arg else { return Ok((None, DataType::BigInt)) };
        let own = arg.data_type();
        let (arg, data_type) = match self.function {
            F::Count | F::ApproxCountDistinct => (arg.expr, DataType::BigInt),
            F::Min | F::Max if self.name.starts_with("BOOL_") || self.name == "EVERY" => {
                (arg.boolean(&format!("the argument of {}", self.name))?, DataType::Boolean)
            }
            F::Min | F::Max | F::First | F::Last | F::MinBy | F::MaxBy | F::PercentileDisc => (arg.expr, own),
            F::StringAgg => (functions::as_varchar(arg)?, DataType::Varchar),
            F::Sum | F::Avg | F::Variance | F::StdDev | F::VariancePop | F::StdDevPop => {
                let arg = number(&self.name, &arg)?;
                let data_type = match (&arg.literal, arg.data_type()) {
                    (Literal::Null, _) | (_, DataType::Int) => DataType::BigInt,
                    (_, data_type) => data_type,
                };
                let result = match (self.function, data_type) {
                    (F::Sum, DataType::Decimal { scale, .. }) => DataType::Decimal { precision: 38, scale },
                    (F::Sum, other) => other,
                    _ => DataType::Double,
                };
                (arg.coerce(data_type)?, result)
            }
            F::RegrCount => (number(&self.name, &arg)?.coerce(DataType::Double)?, DataType::BigInt),
            F::PercentileCont | F::ApproxPercentile => {
                (number(&self.name, &arg)?.coerce(DataType::Double)?, DataType::Double)
            }
            F::Corr | F::CovarPop | F::CovarSamp | F::RegrSlope | F::RegrIntercept | F::RegrR2 => {
                (number(&self.name, &arg)?.coerce(DataType::Double)?, DataType::Double)
            }
        };
        Ok((Some(arg), data_type))
    }
}

/// `arg`, if it is a number or NULL.
fn number(name: &str, arg: &Bound) -> Planned<Bound> {
    let data_type = arg.data_type();
    if arg.literal == Literal::Null || data_type.is_numeric() {
        return Ok(arg.clone());
    }
    let error = SqlError::new(arg.span, format!("{name} takes a number, this is {data_type}"));
    Err(match data_type {
        DataType::Varchar => error.with_help(format!("convert it: {name}(CAST(x AS DOUBLE))")),
        DataType::Boolean => error.with_help(format!("write {name}(CASE WHEN x THEN 1 ELSE 0 END)")),
        _ => error,
    })
}

/// `arg` where `filter` holds, NULL elsewhere; something that is not NULL in place of the rows of COUNT(*).
fn filtered(filter: Expr, arg: Option<Expr>) -> Expr {
    let arg = arg.unwrap_or_else(|| Expr::literal(Value::Boolean(true), DataType::Boolean));
    let data_type = arg.data_type;
    Expr { kind: ExprKind::Case { branches: vec![(filter, arg)], otherwise: None }, data_type }
}
