//! Expressions of `sqlparser` as ours: every node gets its place, every construct that corelane does not run gets an
//! error that names it.

use sqlparser::ast as sp;

use super::ast::{BinaryOp, Clauses, Expr, ExprKind, Ident, OrderItem};
use super::data_type::data_type;
use super::duration;
use super::over::Expiry;
use super::reader::Read;
use super::subquery::{self, Subquery};
use super::tokens::{TokenTable, join, span_of};
use crate::error::{Span, SqlError};
use crate::limits::EXPRESSION_DEPTH_MAX;
use crate::types::DataType;

/// Converts expressions of one statement.
pub(super) struct Converter<'t> {
    table: &'t TokenTable,
    subqueries: &'t [Subquery],
    pub(super) expiries: &'t [Expiry],
}

/// The error that `what` is not supported yet.
pub(super) fn unsupported(span: Span, what: impl std::fmt::Display) -> SqlError {
    SqlError::new(span, format!("{what} is not supported yet"))
}

impl<'t> Converter<'t> {
    /// Over the tokens of the statement, the queries in parentheses among them, and what was taken out of OVER.
    pub(super) fn new(table: &'t TokenTable, subqueries: &'t [Subquery], expiries: &'t [Expiry]) -> Self {
        Self { table, subqueries, expiries }
    }

    /// `expr`, which stands `depth` levels deep.
    pub(super) fn expr(&self, expr: &sp::Expr, depth: usize) -> Read<Expr> {
        if depth > EXPRESSION_DEPTH_MAX {
            let message = format!("the expression is nested deeper than {EXPRESSION_DEPTH_MAX} levels");
            return Err(SqlError::new(place(expr), message));
        }
        let below = depth + 1;
        let boxed = |e: &sp::Expr| self.expr(e, below).map(Box::new);
        Ok(match expr {
            sp::Expr::Identifier(ident) => {
                let name = ident_of(ident);
                Expr { span: name.span, kind: ExprKind::Column { table: None, name } }
            }
            sp::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => {
                    let (table, name) = (ident_of(table), ident_of(name));
                    Expr { span: join(table.span, name.span), kind: ExprKind::Column { table: Some(table), name } }
                }
                _ => {
                    let message = "a column is written name or source.name";
                    return Err(SqlError::new(place(expr), message));
                }
            },
            sp::Expr::Value(value) => self.value(value)?,
            sp::Expr::TypedString(typed) => {
                let span = self.table.with_previous(span_of(typed.value.span));
                let sp::Value::SingleQuotedString(text) = &typed.value.value else {
                    return Err(SqlError::new(span, "expected text in single quotes"));
                };
                match data_type(&typed.data_type, span)? {
                    target @ (DataType::Date | DataType::Timestamp) => {
                        Expr { kind: ExprKind::Typed(target, text.clone()), span }
                    }
                    target => {
                        let arg = Expr { kind: ExprKind::Text(text.clone()), span: span_of(typed.value.span) };
                        Expr { kind: ExprKind::Cast { arg: Box::new(arg), data_type: target, or_null: false }, span }
                    }
                }
            }
            sp::Expr::Interval(interval) => self.interval(interval)?,
            sp::Expr::Nested(inner) => {
                let inner = self.expr(inner, below)?;
                Expr { span: self.table.enclosing(inner.span, false), ..inner }
            }
            sp::Expr::UnaryOp { op, expr: arg } => {
                let arg = self.expr(arg, below)?;
                let span = self.table.with_previous(arg.span);
                match op {
                    sp::UnaryOperator::Not => Expr { kind: ExprKind::Not(Box::new(arg)), span },
                    sp::UnaryOperator::Minus => Expr { kind: ExprKind::Negate(Box::new(arg)), span },
                    sp::UnaryOperator::Plus => arg,
                    _ => return Err(unsupported(span, format_args!("the operator {op}"))),
                }
            }
            sp::Expr::BinaryOp { left, op, right } => self.binary(left, op, right, depth)?,
            sp::Expr::IsNull(arg) => self.postfix(arg, below, |arg| ExprKind::IsNull { arg, negated: false })?,
            sp::Expr::IsNotNull(arg) => self.postfix(arg, below, |arg| ExprKind::IsNull { arg, negated: true })?,
            sp::Expr::IsTrue(arg) => self.is_boolean(arg, below, true, false)?,
            sp::Expr::IsNotTrue(arg) => self.is_boolean(arg, below, true, true)?,
            sp::Expr::IsFalse(arg) => self.is_boolean(arg, below, false, false)?,
            sp::Expr::IsNotFalse(arg) => self.is_boolean(arg, below, false, true)?,
            sp::Expr::IsUnknown(arg) => self.postfix(arg, below, |arg| ExprKind::IsNull { arg, negated: false })?,
            sp::Expr::IsNotUnknown(arg) => self.postfix(arg, below, |arg| ExprKind::IsNull { arg, negated: true })?,
            sp::Expr::InList { expr: arg, list, negated } => {
                let arg = boxed(arg)?;
                if let [sp::Expr::Value(value)] = list.as_slice()
                    && let Some(Subquery::Query(query)) = subquery::find(&value.value, self.subqueries)
                {
                    let span = join(arg.span, self.table.enclosing(span_of(value.span), false));
                    let query = Box::new(query.clone());
                    return Ok(Expr { kind: ExprKind::InSubquery { arg, query, negated: *negated }, span });
                }
                let list = list.iter().map(|item| self.expr(item, below)).collect::<Read<Vec<_>>>()?;
                let span = match list.last() {
                    Some(last) => join(arg.span, self.table.enclosing(last.span, false)),
                    None => return Err(SqlError::new(arg.span, "IN needs at least one value")),
                };
                Expr { kind: ExprKind::InList { arg, list, negated: *negated }, span }
            }
            sp::Expr::Between { expr: arg, negated, low, high } => {
                let (arg, low, high) = (boxed(arg)?, boxed(low)?, boxed(high)?);
                let span = join(arg.span, high.span);
                Expr { kind: ExprKind::Between { arg, low, high, negated: *negated }, span }
            }
            sp::Expr::Like { negated, any, expr: arg, pattern, escape_char } => {
                self.like((arg, pattern, escape_char.as_deref()), *negated, *any, false, below)?
            }
            sp::Expr::ILike { negated, any, expr: arg, pattern, escape_char } => {
                self.like((arg, pattern, escape_char.as_deref()), *negated, *any, true, below)?
            }
            sp::Expr::Case { case_token, end_token, operand, conditions, else_result } => {
                let operand = operand.as_deref().map(boxed).transpose()?;
                let branches = conditions
                    .iter()
                    .map(|when| Ok((self.expr(&when.condition, below)?, self.expr(&when.result, below)?)))
                    .collect::<Read<Vec<_>>>()?;
                let otherwise = else_result.as_deref().map(boxed).transpose()?;
                let span = join(span_of(case_token.0.span), span_of(end_token.0.span));
                Expr { kind: ExprKind::Case { operand, branches, otherwise }, span }
            }
            sp::Expr::Cast { kind, expr: arg, data_type: target, format } => {
                let arg = boxed(arg)?;
                let span = match kind {
                    sp::CastKind::DoubleColon => self.table.with_cast(arg.span),
                    _ => self.table.enclosing(arg.span, true),
                };
                let or_null = matches!(kind, sp::CastKind::TryCast | sp::CastKind::SafeCast);
                if format.is_some() {
                    return Err(unsupported(span, "CAST with FORMAT"));
                }
                Expr { kind: ExprKind::Cast { data_type: data_type(target, span)?, arg, or_null }, span }
            }
            sp::Expr::Extract { field, expr: arg, .. } => {
                let arg = boxed(arg)?;
                let span = self.table.enclosing(arg.span, true);
                Expr { kind: ExprKind::Extract { part: field.to_string().to_ascii_lowercase(), arg }, span }
            }
            sp::Expr::Ceil { expr: arg, field } => self.rounding("CEIL", arg, field, below)?,
            sp::Expr::Floor { expr: arg, field } => self.rounding("FLOOR", arg, field, below)?,
            sp::Expr::Substring { expr: arg, substring_from, substring_for, .. } => {
                let mut args = vec![self.expr(arg, below)?];
                let span = self.table.enclosing(args[0].span, true);
                match (substring_from, substring_for) {
                    (None, Some(_)) => return Err(unsupported(span, "SUBSTRING with FOR alone")),
                    (from, length) => {
                        for part in [from, length].into_iter().flatten() {
                            args.push(self.expr(part, below)?);
                        }
                    }
                }
                call("SUBSTRING", args, span)
            }
            sp::Expr::Trim { trim_where, trim_what, expr: arg, trim_characters } => {
                let mut args = vec![self.expr(arg, below)?];
                let span = self.table.enclosing(args[0].span, true);
                for part in trim_what.as_deref().into_iter().chain(trim_characters.iter().flatten()) {
                    args.push(self.expr(part, below)?);
                }
                let name = match trim_where {
                    None | Some(sp::TrimWhereField::Both) => "TRIM",
                    Some(sp::TrimWhereField::Leading) => "LTRIM",
                    Some(sp::TrimWhereField::Trailing) => "RTRIM",
                };
                call(name, args, span)
            }
            sp::Expr::Position { expr: part, r#in: arg } => {
                let args = vec![self.expr(arg, below)?, self.expr(part, below)?];
                let span = self.table.enclosing(args[0].span, true);
                call("POSITION", args, span)
            }
            sp::Expr::Overlay { expr: arg, overlay_what, overlay_from, overlay_for } => {
                let mut args = Vec::with_capacity(4);
                for part in [arg, overlay_what, overlay_from] {
                    args.push(self.expr(part, below)?);
                }
                let span = self.table.enclosing(args[0].span, true);
                args.push(match overlay_for {
                    Some(length) => self.expr(length, below)?,
                    None => call("LENGTH", vec![args[1].clone()], args[1].span),
                });
                call("OVERLAY", args, span)
            }
            sp::Expr::IsDistinctFrom(left, right) => self.distinct(left, right, BinaryOp::Distinct, below)?,
            sp::Expr::IsNotDistinctFrom(left, right) => self.distinct(left, right, BinaryOp::NotDistinct, below)?,
            sp::Expr::Function(function) => self.function(function, below)?,
            other => return Err(unsupported(self.rough(other), construct(other))),
        })
    }

    /// A place for a construct that is not supported.
    fn rough(&self, expr: &sp::Expr) -> Span {
        match expr {
            sp::Expr::Subquery(_) | sp::Expr::Tuple(_) => self.table.enclosing(place(expr), false),
            sp::Expr::Exists { .. } => self.table.enclosing(place(expr), true),
            _ => place(expr),
        }
    }

    fn value(&self, value: &sp::ValueWithSpan) -> Read<Expr> {
        let span = span_of(value.span);
        match subquery::find(&value.value, self.subqueries) {
            Some(Subquery::Query(query)) => {
                let kind = ExprKind::Subquery(Box::new(query.clone()));
                return Ok(Expr { kind, span: self.table.enclosing(span, false) });
            }
            Some(Subquery::Exists(query)) => return Ok(Expr { kind: ExprKind::Exists(Box::new(query.clone())), span }),
            Some(Subquery::Values(_)) => {
                return Err(SqlError::new(span, "VALUES stands in FROM")
                    .with_help("write IN (1, 2), or FROM (VALUES (1), (2)) AS t (x)"));
            }
            None => {}
        }
        let kind = match &value.value {
            sp::Value::Number(text, false) => ExprKind::Number(text.clone()),
            sp::Value::SingleQuotedString(text) => ExprKind::Text(text.clone()),
            sp::Value::Boolean(value) => ExprKind::Boolean(*value),
            sp::Value::Null => ExprKind::Null,
            sp::Value::Placeholder(text) => return Err(unsupported(span, format_args!("the parameter {text}"))),
            other => {
                let help = "text stands in single quotes: 'text'";
                return Err(unsupported(span, format_args!("the literal {other}")).with_help(help));
            }
        };
        Ok(Expr { kind, span })
    }

    fn interval(&self, interval: &sp::Interval) -> Read<Expr> {
        let value = self.expr(&interval.value, EXPRESSION_DEPTH_MAX)?;
        let mut span = self.table.with_previous(value.span);
        let (ExprKind::Number(text) | ExprKind::Text(text)) = &value.kind else {
            return Err(SqlError::new(value.span, "an interval is written INTERVAL '1' MINUTE"));
        };
        if interval.last_field.is_some() || interval.leading_precision.is_some() {
            return Err(unsupported(span, "an interval with TO or a precision"));
        }
        let length = match &interval.leading_field {
            Some(unit) => {
                let unit = unit.to_string();
                span = self.table.with_following_words(span, &[&unit]);
                duration::interval_us(text, &unit)
            }
            None => duration::text_us(text),
        };
        match length {
            Ok(us) => Ok(Expr { kind: ExprKind::Interval(us), span }),
            Err(message) => Err(SqlError::new(span, message)
                .with_help("units are MICROSECOND, MILLISECOND, SECOND, MINUTE, HOUR, DAY and WEEK")),
        }
    }

    /// A chain of AND (or OR) becomes one node, however long it is.
    fn binary(&self, left: &sp::Expr, op: &sp::BinaryOperator, right: &sp::Expr, depth: usize) -> Read<Expr> {
        if matches!(op, sp::BinaryOperator::And | sp::BinaryOperator::Or) {
            let mut parts = vec![right];
            let mut rest = left;
            while let sp::Expr::BinaryOp { left, op: inner, right } = rest
                && inner == op
            {
                parts.push(right);
                rest = left;
            }
            parts.push(rest);
            let terms = parts.iter().rev().map(|part| self.expr(part, depth + 1)).collect::<Read<Vec<_>>>()?;
            let span = terms.iter().fold(Span::default(), |span, term| join(span, term.span));
            let kind = if *op == sp::BinaryOperator::And { ExprKind::And(terms) } else { ExprKind::Or(terms) };
            return Ok(Expr { kind, span });
        }
        let left = Box::new(self.expr(left, depth + 1)?);
        let right = Box::new(self.expr(right, depth + 1)?);
        let span = join(left.span, right.span);
        let op = match op {
            sp::BinaryOperator::Plus => BinaryOp::Add,
            sp::BinaryOperator::Minus => BinaryOp::Subtract,
            sp::BinaryOperator::Multiply => BinaryOp::Multiply,
            sp::BinaryOperator::Divide => BinaryOp::Divide,
            sp::BinaryOperator::Modulo => BinaryOp::Modulo,
            sp::BinaryOperator::StringConcat => BinaryOp::Concat,
            sp::BinaryOperator::Arrow => BinaryOp::JsonGet,
            sp::BinaryOperator::LongArrow => BinaryOp::JsonGetText,
            sp::BinaryOperator::BitwiseAnd => BinaryOp::BitAnd,
            sp::BinaryOperator::BitwiseOr => BinaryOp::BitOr,
            sp::BinaryOperator::Eq => BinaryOp::Equal,
            sp::BinaryOperator::NotEq => BinaryOp::NotEqual,
            sp::BinaryOperator::Lt => BinaryOp::Less,
            sp::BinaryOperator::LtEq => BinaryOp::LessOrEqual,
            sp::BinaryOperator::Gt => BinaryOp::Greater,
            sp::BinaryOperator::GtEq => BinaryOp::GreaterOrEqual,
            other => return Err(unsupported(span, format_args!("the operator {other}"))),
        };
        Ok(Expr { kind: ExprKind::Binary { op, left, right }, span })
    }

    fn postfix(&self, arg: &sp::Expr, depth: usize, kind: impl Fn(Box<Expr>) -> ExprKind) -> Read<Expr> {
        let arg = self.expr(arg, depth)?;
        let words = ["IS", "NOT", "NULL", "TRUE", "FALSE", "UNKNOWN"];
        let span = self.table.with_following_words(arg.span, &words);
        Ok(Expr { kind: kind(Box::new(arg)), span })
    }

    fn distinct(&self, left: &sp::Expr, right: &sp::Expr, op: BinaryOp, depth: usize) -> Read<Expr> {
        let (left, right) = (Box::new(self.expr(left, depth)?), Box::new(self.expr(right, depth)?));
        let span = join(left.span, right.span);
        Ok(Expr { kind: ExprKind::Binary { op, left, right }, span })
    }

    fn is_boolean(&self, arg: &sp::Expr, depth: usize, value: bool, negated: bool) -> Read<Expr> {
        self.postfix(arg, depth, |arg| ExprKind::IsBoolean { arg, value, negated })
    }

    fn like(
        &self,
        (arg, pattern, escape): (&sp::Expr, &sp::Expr, Option<&sp::Expr>),
        negated: bool,
        any: bool,
        case_insensitive: bool,
        depth: usize,
    ) -> Read<Expr> {
        let arg = Box::new(self.expr(arg, depth)?);
        let pattern = Box::new(self.expr(pattern, depth)?);
        let mut span = join(arg.span, pattern.span);
        if any {
            return Err(unsupported(span, "LIKE ANY"));
        }
        let escape = match escape {
            None => None,
            Some(escape) => {
                let escape = self.expr(escape, depth)?;
                span = join(span, escape.span);
                let mut chars = match &escape.kind {
                    ExprKind::Text(text) => text.chars(),
                    _ => "".chars(),
                };
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Some(c),
                    _ => return Err(SqlError::new(escape.span, "ESCAPE takes one character in quotes")),
                }
            }
        };
        Ok(Expr { kind: ExprKind::Like { arg, pattern, escape, negated, case_insensitive }, span })
    }

    fn rounding(&self, name: &str, arg: &sp::Expr, field: &sp::CeilFloorKind, depth: usize) -> Read<Expr> {
        let arg = self.expr(arg, depth)?;
        let span = self.table.enclosing(arg.span, true);
        match field {
            sp::CeilFloorKind::DateTimeField(sp::DateTimeField::NoDateTime) => Ok(call(name, vec![arg], span)),
            sp::CeilFloorKind::DateTimeField(_) => {
                Err(unsupported(span, format_args!("{name} to a unit of time")).with_help("use DATE_TRUNC"))
            }
            sp::CeilFloorKind::Scale(_) => Err(SqlError::new(span, format!("{name} takes one argument"))
                .with_help("ROUND(x, digits) takes a number of digits")),
        }
    }

    fn function(&self, function: &sp::Function, depth: usize) -> Read<Expr> {
        let span = place_of_name(&function.name);
        let [sp::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else {
            return Err(SqlError::new(span, format!("unknown function {}", function.name)));
        };
        let name = ident_of(name);
        let mut span = self.table.with_arguments(name.span);
        let upper = name.value.to_uppercase();
        if function.uses_odbc_syntax || function.parameters != sp::FunctionArguments::None {
            return Err(unsupported(span, format_args!("this form of {upper}")));
        }
        if function.null_treatment.is_some() {
            return Err(unsupported(span, "IGNORE NULLS"));
        }
        let sp::FunctionArguments::List(list) = &function.args else {
            let reason = match &function.args {
                sp::FunctionArguments::Subquery(_) => "a subquery as an argument".to_string(),
                _ => upper,
            };
            return Err(unsupported(span, reason));
        };
        let mut star = false;
        let mut args = Vec::new();
        for arg in &list.args {
            match arg {
                sp::FunctionArg::Unnamed(sp::FunctionArgExpr::Expr(arg)) => args.push(self.expr(arg, depth)?),
                sp::FunctionArg::Unnamed(sp::FunctionArgExpr::Wildcard) if list.args.len() == 1 => star = true,
                _ => return Err(unsupported(span, format_args!("this form of argument of {upper}"))),
            }
        }
        let clauses = self.clauses(function, list, &upper, span, depth)?;
        if !function.within_group.is_empty() {
            span = self.table.with_following_words(span, &["WITHIN"]);
            span = self.table.with_clause(span, "GROUP");
        }
        if function.filter.is_some() {
            span = self.table.with_clause(span, "FILTER");
        }
        let over = match &function.over {
            None => None,
            Some(over) => {
                span = self.table.with_clause(span, "OVER");
                Some(Box::new(self.over(over, span, depth)?))
            }
        };
        Ok(Expr { kind: ExprKind::Call { name, args, star, clauses, over }, span })
    }

    /// DISTINCT, ORDER BY, WITHIN GROUP and FILTER of a call.
    fn clauses(
        &self,
        function: &sp::Function,
        list: &sp::FunctionArgumentList,
        upper: &str,
        span: Span,
        depth: usize,
    ) -> Read<Option<Box<Clauses>>> {
        let order = |items: &[sp::OrderByExpr]| -> Read<Vec<OrderItem>> {
            items.iter().map(|item| self.order_item(item, depth)).collect()
        };
        let mut clauses = Clauses {
            distinct: list.duplicate_treatment == Some(sp::DuplicateTreatment::Distinct),
            within_group: order(&function.within_group)?,
            filter: function.filter.as_ref().map(|filter| self.expr(filter, depth)).transpose()?,
            ..Clauses::default()
        };
        for clause in &list.clauses {
            match clause {
                sp::FunctionArgumentClause::OrderBy(items) => clauses.order_by = order(items)?,
                _ => return Err(unsupported(span, format_args!("this clause inside {upper}(...)"))),
            }
        }
        Ok((clauses != Clauses::default()).then(|| Box::new(clauses)))
    }

    pub(super) fn order_item(&self, item: &sp::OrderByExpr, depth: usize) -> Read<OrderItem> {
        let expr = self.expr(&item.expr, depth)?;
        let descending = match &item.options.sort {
            None | Some(sp::OrderBySort::Asc) => false,
            Some(sp::OrderBySort::Desc) => true,
            Some(_) => return Err(unsupported(expr.span, "ORDER BY ... USING")),
        };
        Ok(OrderItem { expr, descending, nulls_first: item.options.nulls_first })
    }
}

fn call(name: &str, args: Vec<Expr>, span: Span) -> Expr {
    let name = Ident { value: name.into(), quoted: false, span };
    Expr { kind: ExprKind::Call { name, args, star: false, clauses: None, over: None }, span }
}

pub(super) fn ident_of(ident: &sp::Ident) -> Ident {
    Ident { value: ident.value.clone(), quoted: ident.quote_style.is_some(), span: span_of(ident.span) }
}

/// The place that `sqlparser` gives.
fn place(expr: &sp::Expr) -> Span {
    span_of(sp::Spanned::span(expr))
}

fn place_of_name(name: &sp::ObjectName) -> Span {
    span_of(sp::Spanned::span(name))
}

/// The name of a construct that is not supported.
fn construct(expr: &sp::Expr) -> String {
    match expr {
        sp::Expr::Subquery(_) | sp::Expr::InSubquery { .. } => "a subquery".into(),
        sp::Expr::Exists { .. } => "EXISTS".into(),
        sp::Expr::SimilarTo { .. } => "SIMILAR TO".into(),
        sp::Expr::RLike { .. } => "a regular expression".into(),
        sp::Expr::AnyOp { .. } => "ANY".into(),
        sp::Expr::AllOp { .. } => "ALL".into(),
        sp::Expr::AtTimeZone { .. } => "AT TIME ZONE".into(),
        sp::Expr::Collate { .. } => "COLLATE".into(),
        sp::Expr::Convert { .. } => "CONVERT".into(),
        sp::Expr::Tuple(_) => "a list of values in parentheses".into(),
        sp::Expr::GroupingSets(_) | sp::Expr::Cube(_) | sp::Expr::Rollup(_) => "GROUPING SETS".into(),
        sp::Expr::Array(_) | sp::Expr::CompoundFieldAccess { .. } => "an array".into(),
        sp::Expr::Wildcard(_) | sp::Expr::QualifiedWildcard(..) => "* inside an expression".into(),
        _ => "this expression".into(),
    }
}
