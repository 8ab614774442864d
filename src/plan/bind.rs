//! Expressions of the syntax tree as typed expressions: names become columns, types are checked, casts explicit.

use super::aggregates;
use super::coerce::{Bound, Literal, Planned, arithmetic, can_cast, cast, common_of, unify};
use super::expr::{ArithmeticOp, CompareOp, Expr, ExprKind, Function};
use super::functions;
use super::grouping::Grouping;
use super::literal;
use super::rows::RowsState;
use super::scope::{Scope, wrong};
use crate::error::{Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Value};

/// Binds expressions of one clause.
pub(super) struct Binder<'a> {
    /// Columns of the input.
    pub(super) scope: &'a Scope<'a>,
    /// What stands at this place besides columns of the input.
    pub(super) mode: Mode,
    /// Names of the SELECT list that may be used where no column has the name.
    pub(super) aliases: Vec<(&'a str, &'a ast::Expr)>,
}

/// What an expression may hold.
pub(super) enum Mode {
    /// Columns of the input; the clause is named in errors.
    Input(&'static str),
    /// Grouping keys and aggregates.
    Grouped(Grouping),
    /// Columns of the input and functions OVER.
    Rows(RowsState),
}

impl<'a> Binder<'a> {
    /// A binder for a clause over the input.
    pub(super) fn input(scope: &'a Scope<'a>, clause: &'static str) -> Self {
        Self { scope, mode: Mode::Input(clause), aliases: Vec::new() }
    }

    /// The typed expression.
    pub(super) fn bind(&mut self, expr: &ast::Expr) -> Planned<Bound> {
        if let Mode::Grouped(grouping) = &mut self.mode
            && let Some(bound) = grouping.replace(self.scope, expr)?
        {
            return Ok(bound);
        }
        let span = expr.span;
        match &expr.kind {
            ast::ExprKind::Column { table, name } => self.column(table.as_ref(), name, span),
            ast::ExprKind::Number(text) => Bound::number(text.clone(), span),
            ast::ExprKind::Text(text) => Ok(Bound::text(text, span)),
            ast::ExprKind::Boolean(value) => {
                Ok(Bound::typed(Expr::literal(Value::Boolean(*value), DataType::Boolean), span))
            }
            ast::ExprKind::Null => Ok(Bound::null(span)),
            ast::ExprKind::Typed(data_type, text) => {
                Ok(Bound::typed(Bound::text(text, span).coerce(*data_type)?, span))
            }
            ast::ExprKind::Interval(us) => Ok(Bound::typed(Expr::literal(Value::Int64(*us), DataType::Interval), span)),
            ast::ExprKind::Not(arg) => {
                let arg = self.bind(arg)?.boolean("the operand of NOT")?;
                Ok(Bound::typed(not(arg), span))
            }
            ast::ExprKind::Negate(arg) => self.negate(arg, span),
            ast::ExprKind::And(terms) => Ok(Bound::typed(boolean(ExprKind::And(self.terms(terms, "AND")?)), span)),
            ast::ExprKind::Or(terms) => Ok(Bound::typed(boolean(ExprKind::Or(self.terms(terms, "OR")?)), span)),
            ast::ExprKind::Binary { op, left, right } => self.binary(*op, left, right, span),
            ast::ExprKind::IsNull { arg, negated } => {
                let arg = Box::new(self.bind(arg)?.expr);
                Ok(Bound::typed(boolean(ExprKind::IsNull { arg, negated: *negated }), span))
            }
            ast::ExprKind::IsBoolean { arg, value, negated } => {
                // x IS TRUE is COALESCE(x, FALSE); it is never NULL.
                let arg = self.bind(arg)?.boolean("the operand of IS TRUE or IS FALSE")?;
                let arg = if *value { arg } else { not(arg) };
                let args = vec![arg, Expr::literal(Value::Boolean(false), DataType::Boolean)];
                let is = boolean(ExprKind::Call { function: Function::Coalesce, args });
                Ok(Bound::typed(if *negated { not(is) } else { is }, span))
            }
            ast::ExprKind::Like { arg, pattern, escape, negated, case_insensitive } => {
                let arg = self.varchar(arg, "LIKE")?;
                let pattern = self.bind(pattern)?;
                let Some(text) = pattern.as_text() else {
                    return Err(wrong(pattern.span, "LIKE takes a pattern in quotes", "as in name LIKE 'A%'"));
                };
                if escape.is_some_and(|escape| ends_with_escape(text, escape)) {
                    return Err(SqlError::new(pattern.span, "the pattern ends with its escape character"));
                }
                let kind = ExprKind::Like {
                    arg: Box::new(arg),
                    pattern: text.into(),
                    negated: *negated,
                    escape: *escape,
                    case_insensitive: *case_insensitive,
                };
                Ok(Bound::typed(boolean(kind), span))
            }
            ast::ExprKind::Subquery(_) => {
                let (table, data_type) = self.one_column(span)?;
                Ok(Bound::typed(Expr { kind: ExprKind::TableValue(table), data_type }, span))
            }
            ast::ExprKind::InSubquery { arg, negated, .. } => {
                let (table, data_type) = self.one_column(span)?;
                let arg = self.bind(arg)?;
                let common = common_of(&[&arg, &Bound::typed(Expr::column(0, data_type), span)], "compare")?;
                let arg = Box::new(arg.coerce(common)?);
                Ok(Bound::typed(boolean(ExprKind::InTable { arg, table, negated: *negated }), span))
            }
            ast::ExprKind::Exists(_) => {
                let table = self.scope.subquery(span)?.table;
                Ok(Bound::typed(boolean(ExprKind::TableExists(table)), span))
            }
            ast::ExprKind::InList { arg, list, negated } => self.in_list(arg, list, *negated, span),
            ast::ExprKind::Between { arg, low, high, negated } => {
                let (arg, low, high) = (self.bind(arg)?, self.bind(low)?, self.bind(high)?);
                let data_type = common_of(&[&arg, &low, &high], "compare")?;
                let (arg, low, high) = (arg.coerce(data_type)?, low.coerce(data_type)?, high.coerce(data_type)?);
                check_copies(&arg, 2, span)?;
                let terms = vec![
                    compare(CompareOp::GreaterOrEqual, arg.clone(), low),
                    compare(CompareOp::LessOrEqual, arg, high),
                ];
                let inside = boolean(ExprKind::And(terms));
                Ok(Bound::typed(if *negated { not(inside) } else { inside }, span))
            }
            ast::ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), span)
            }
            ast::ExprKind::Cast { arg, data_type, or_null } => {
                let arg = self.bind(arg)?;
                if *or_null { try_cast(arg, *data_type, span) } else { explicit_cast(arg, *data_type, span) }
            }
            ast::ExprKind::Extract { part, arg } => {
                let arg = self.bind(arg)?;
                functions::extract(part, arg, span)
            }
            ast::ExprKind::Call { name, args, star, clauses, over } => match &mut self.mode {
                Mode::Rows(rows) if over.is_some() => rows.call(self.scope, expr),
                Mode::Grouped(_) if over.is_some() => Err(not_here(span, "OVER together with GROUP BY")),
                Mode::Input(clause) if over.is_some() => {
                    Err(wrong(span, format!("OVER cannot stand in {clause}"), "it stands in the SELECT list"))
                }
                Mode::Input(clause) if aggregates::is_aggregate(&name.value) => {
                    Err(functions::misplaced_aggregate(&name.value, clause, span))
                }
                Mode::Rows(_) if aggregates::is_aggregate(&name.value) => {
                    Err(not_here(span, "an aggregate beside OVER"))
                }
                _ if clauses.is_some() => {
                    let bound = functions::call(self, name, args, *star, span)?;
                    let message = format!("{} is no aggregate", name.value.to_uppercase());
                    Err(wrong(bound.span, message, "DISTINCT, ORDER BY, WITHIN GROUP and FILTER go with aggregates"))
                }
                _ => functions::call(self, name, args, *star, span),
            },
        }
    }

    /// The table that a query inside an expression has become, and the type of its one column.
    fn one_column(&self, span: Span) -> Planned<(usize, DataType)> {
        let subquery = self.scope.subquery(span)?;
        match subquery.schema.fields.as_slice() {
            [field] => Ok((subquery.table, field.data_type)),
            fields => {
                let message = format!("a subquery where a value stands has one column, this one has {}", fields.len());
                Err(wrong(span, message, "select the column that is meant"))
            }
        }
    }

    fn column(&mut self, table: Option<&ast::Ident>, name: &ast::Ident, span: Span) -> Planned<Bound> {
        match self.scope.resolve(table, name) {
            Ok(index) => {
                let expr = Expr::column(index, self.scope.field(index).data_type);
                Ok(Bound::typed(expr, span))
            }
            Err(error) => {
                let found = self.aliases.iter().copied().find(|(alias, _)| alias.eq_ignore_ascii_case(&name.value));
                let Some((_, expr)) = found.filter(|_| table.is_none()) else {
                    return Err(super::grouping::hint_pseudo_column(error, &name.value));
                };
                if matches!(self.mode, Mode::Input("WHERE")) {
                    let help = "WHERE comes before the SELECT list: repeat the expression";
                    return Err(wrong(span, format!("WHERE cannot use the alias {}", name.value), help));
                }
                // An alias that names itself must not be followed for ever.
                let aliases = std::mem::take(&mut self.aliases);
                let bound = self.bind(expr);
                self.aliases = aliases;
                bound.map(|bound| Bound { span, ..bound })
            }
        }
    }

    fn negate(&mut self, arg: &ast::Expr, span: Span) -> Planned<Bound> {
        let arg = self.bind(arg)?;
        match arg.literal {
            Literal::Number(text) => {
                let text = match text.strip_prefix('-') {
                    Some(positive) => positive.to_string(),
                    None => format!("-{text}"),
                };
                Bound::number(text, span)
            }
            Literal::Null => Ok(Bound::null(span)),
            _ => {
                let data_type = match arg.data_type() {
                    DataType::Int => DataType::BigInt,
                    other if other.is_numeric() || other == DataType::Interval => other,
                    other => return Err(SqlError::new(span, format!("- is not defined on {other}"))),
                };
                let arg = arg.coerce(data_type)?;
                if let ExprKind::Literal(Value::Int64(us)) = arg.kind
                    && let Some(us) = us.checked_neg()
                {
                    return Ok(Bound::typed(Expr::literal(Value::Int64(us), data_type), span));
                }
                Ok(Bound::typed(Expr { kind: ExprKind::Negate(Box::new(arg)), data_type }, span))
            }
        }
    }

    /// The terms of AND or OR; nested ones of the same kind join in.
    fn terms(&mut self, terms: &[ast::Expr], word: &str) -> Planned<Vec<Expr>> {
        let mut out = Vec::with_capacity(terms.len());
        for term in terms {
            let term = self.bind(term)?.boolean(&format!("an operand of {word}"))?;
            match term.kind {
                ExprKind::And(inner) if word == "AND" => out.extend(inner),
                ExprKind::Or(inner) if word == "OR" => out.extend(inner),
                _ => out.push(term),
            }
        }
        Ok(out)
    }

    fn binary(&mut self, op: ast::BinaryOp, left: &ast::Expr, right: &ast::Expr, span: Span) -> Planned<Bound> {
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        let op = match op {
            ast::BinaryOp::Add => return arithmetic(ArithmeticOp::Add, left, right, span),
            ast::BinaryOp::Subtract => return arithmetic(ArithmeticOp::Subtract, left, right, span),
            ast::BinaryOp::Multiply => return arithmetic(ArithmeticOp::Multiply, left, right, span),
            ast::BinaryOp::Divide => return arithmetic(ArithmeticOp::Divide, left, right, span),
            ast::BinaryOp::Modulo => return arithmetic(ArithmeticOp::Modulo, left, right, span),
            ast::BinaryOp::Concat => {
                let args = vec![functions::as_varchar(left)?, functions::as_varchar(right)?];
                let kind = ExprKind::Call { function: Function::ConcatOperator, args };
                return Ok(Bound::typed(Expr { kind, data_type: DataType::Varchar }, span));
            }
            ast::BinaryOp::JsonGet | ast::BinaryOp::JsonGetText | ast::BinaryOp::BitAnd | ast::BinaryOp::BitOr => {
                return functions::operator(op, vec![left, right], span);
            }
            ast::BinaryOp::Distinct | ast::BinaryOp::NotDistinct => {
                let (left, right) = unify(left, right, "compare")?;
                let distinct = boolean(ExprKind::Call { function: Function::Distinct, args: vec![left, right] });
                return Ok(Bound::typed(if op == ast::BinaryOp::Distinct { distinct } else { not(distinct) }, span));
            }
            ast::BinaryOp::Equal => CompareOp::Equal,
            ast::BinaryOp::NotEqual => CompareOp::NotEqual,
            ast::BinaryOp::Less => CompareOp::Less,
            ast::BinaryOp::LessOrEqual => CompareOp::LessOrEqual,
            ast::BinaryOp::Greater => CompareOp::Greater,
            ast::BinaryOp::GreaterOrEqual => CompareOp::GreaterOrEqual,
        };
        let (left, right) = unify(left, right, "compare")?;
        Ok(Bound::typed(compare(op, left, right), span))
    }

    /// An operand that must be text.
    fn varchar(&mut self, arg: &ast::Expr, what: &str) -> Planned<Expr> {
        let arg = self.bind(arg)?;
        if arg.literal == Literal::Null || arg.data_type() == DataType::Varchar {
            return arg.coerce(DataType::Varchar);
        }
        let message = format!("{what} works on VARCHAR, this is {}", arg.data_type());
        Err(wrong(arg.span, message, "convert it with CAST(x AS VARCHAR)"))
    }

    fn in_list(&mut self, arg: &ast::Expr, list: &[ast::Expr], negated: bool, span: Span) -> Planned<Bound> {
        let arg = self.bind(arg)?;
        let list = list.iter().map(|item| self.bind(item)).collect::<Planned<Vec<_>>>()?;
        let parts: Vec<&Bound> = std::iter::once(&arg).chain(&list).collect();
        let data_type = common_of(&parts, "compare")?;
        let arg = arg.coerce(data_type)?;
        let list = list.into_iter().map(|item| item.coerce(data_type)).collect::<Planned<Vec<_>>>()?;
        let mut values = Vec::with_capacity(list.len());
        let mut has_null = false;
        for item in &list {
            match &item.kind {
                ExprKind::Literal(Value::Null) => has_null = true,
                ExprKind::Literal(value) => values.push(value.clone()),
                _ => {
                    // Something that is no constant: compare with each.
                    check_copies(&arg, list.len(), span)?;
                    let mut terms: Vec<Expr> =
                        list.into_iter().map(|item| compare(CompareOp::Equal, arg.clone(), item)).collect();
                    let any = match (terms.len(), terms.pop()) {
                        (1, Some(only)) => only,
                        (_, last) => boolean(ExprKind::Or(terms.into_iter().chain(last).collect())),
                    };
                    return Ok(Bound::typed(if negated { not(any) } else { any }, span));
                }
            }
        }
        let kind = ExprKind::InList { arg: Box::new(arg), list: values, has_null, negated };
        Ok(Bound::typed(boolean(kind), span))
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        branches: &[(ast::Expr, ast::Expr)],
        otherwise: Option<&ast::Expr>,
        span: Span,
    ) -> Planned<Bound> {
        let operand = operand.map(|operand| self.bind(operand)).transpose()?;
        if let Some(operand) = &operand {
            check_copies(&operand.expr, branches.len(), span)?;
        }
        let mut conditions = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len() + 1);
        for (when, then) in branches {
            let when = self.bind(when)?;
            conditions.push(match &operand {
                None => when.boolean("the condition of WHEN")?,
                Some(operand) => {
                    let (left, right) = unify(operand.clone(), when, "compare")?;
                    compare(CompareOp::Equal, left, right)
                }
            });
            results.push(self.bind(then)?);
        }
        let otherwise = otherwise.map(|otherwise| self.bind(otherwise)).transpose()?;
        let parts: Vec<&Bound> = results.iter().chain(&otherwise).collect();
        let data_type = common_of(&parts, "combine")?;
        let results = results.into_iter().map(|result| result.coerce(data_type)).collect::<Planned<Vec<_>>>()?;
        let otherwise = otherwise.map(|otherwise| otherwise.coerce(data_type)).transpose()?.map(Box::new);
        let kind = ExprKind::Case { branches: conditions.into_iter().zip(results).collect(), otherwise };
        Ok(Bound::typed(Expr { kind, data_type }, span))
    }
}

/// Refuses to repeat an operand so often that nested repetition grows without bound.
fn check_copies(operand: &Expr, copies: usize, span: Span) -> Planned<()> {
    const NODES_MAX: usize = 100_000;
    let mut nodes = 0_usize;
    operand.visit(&mut |_| nodes += 1);
    if nodes.saturating_mul(copies) <= NODES_MAX {
        return Ok(());
    }
    Err(SqlError::new(span, format!("the expression grows beyond {NODES_MAX} operations")))
}

/// CAST.
fn explicit_cast(arg: Bound, data_type: DataType, span: Span) -> Planned<Bound> {
    let from = arg.data_type();
    if arg.literal == Literal::Null {
        return Ok(Bound::typed(Expr::literal(Value::Null, data_type), span));
    }
    if !can_cast(from, data_type) {
        let error = SqlError::new(span, format!("cannot cast {from} to {data_type}"));
        return Err(match (from, data_type) {
            (DataType::Boolean, to) if to.is_numeric() => error.with_help("write CASE WHEN x THEN 1 ELSE 0 END"),
            (_, DataType::Boolean) => error.with_help("compare it with something, as in x <> 0"),
            (_, DataType::Interval) => error.with_help("an INTERVAL is written INTERVAL '1' MINUTE"),
            _ => error,
        });
    }
    if let Literal::Number(text) = &arg.literal {
        let exact = literal::parse_number(text, data_type);
        let rounded =
            || if matches!(data_type, DataType::Decimal { .. }) { literal::parse_text(text, data_type) } else { None };
        if let Some(value) = exact.or_else(rounded) {
            return Ok(Bound::typed(Expr::literal(value, data_type), span));
        }
    }
    let expr = if arg.literal == Literal::Text { arg.coerce(data_type)? } else { cast(arg.expr, data_type, span)? };
    Ok(Bound::typed(expr, span))
}

/// TRY_CAST.
fn try_cast(arg: Bound, data_type: DataType, span: Span) -> Planned<Bound> {
    let from = arg.data_type();
    // What CAST refuses by its types is refused; a constant without a value in the target is NULL.
    match explicit_cast(arg, data_type, span) {
        Ok(Bound { expr: Expr { kind: ExprKind::Cast(arg), data_type }, .. }) => {
            Ok(Bound::typed(Expr { kind: ExprKind::TryCast(arg), data_type }, span))
        }
        Err(_) if can_cast(from, data_type) => Ok(Bound::typed(Expr::literal(Value::Null, data_type), span)),
        other => other,
    }
}

fn ends_with_escape(pattern: &str, escape: char) -> bool {
    let mut escaped = false;
    for c in pattern.chars() {
        escaped = c == escape && !escaped;
    }
    escaped
}

fn not_here(span: Span, what: &str) -> SqlError {
    SqlError::new(span, format!("{what} is not supported yet"))
}

/// A BOOLEAN expression.
pub(super) fn boolean(kind: ExprKind) -> Expr {
    Expr { kind, data_type: DataType::Boolean }
}

fn not(arg: Expr) -> Expr {
    boolean(ExprKind::Not(Box::new(arg)))
}

/// A comparison of two operands of one type.
pub(super) fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
    boolean(ExprKind::Compare { op, left: Box::new(left), right: Box::new(right) })
}
