//! Scalar functions: one table that says of each its names, the types of its arguments and of its result, what it does,
//! examples, and what computes it. The planner's checks and suggestions, the listing and the documentation come from it.

mod choice;
mod documents;
mod listing;
mod moments;
mod numbers;
mod others;
mod signature;
mod text;

use super::aggregates;
use super::bind::{Binder, Mode};
use super::coerce::{Bound, Literal, Planned, cast};
use super::expr::{Expr, ExprKind, Function};
use super::scope::wrong;
use crate::error::{Span, SqlError, nearest};
use crate::function::{DatePart, RowFunction};
use crate::sql::ast;
use crate::types::{DataType, Value};

pub use listing::{FunctionEntry, Group, functions};
use others::OTHERS;
use signature::{Form, How, Kind, Parameter, Returns, date_part};

/// A scalar function.
struct Definition {
    name: &'static str,
    /// Other names of the same.
    aliases: &'static [&'static str],
    group: Group,
    about: &'static str,
    /// Ways to call it; the first that takes the arguments is taken.
    forms: &'static [Form],
    /// Expressions and the text of their values; every one is run by a test.
    examples: &'static [(&'static str, &'static str)],
}

const fn define(
    name: &'static str,
    aliases: &'static [&'static str],
    group: Group,
    about: &'static str,
    forms: &'static [Form],
    examples: &'static [(&'static str, &'static str)],
) -> Definition {
    Definition { name, aliases, group, about, forms, examples }
}

/// A form that a function of the values of a row computes.
const fn row(parameters: &'static [Parameter], returns: Returns, function: RowFunction) -> Form {
    Form { parameters, variadic: false, returns, how: How::Row(function) }
}

/// A form that the evaluator has loops of its own for.
const fn built(parameters: &'static [Parameter], returns: Returns, function: Function) -> Form {
    Form { parameters, variadic: false, returns, how: How::Built(function) }
}

/// The same for a part of a point in time, the first argument.
const fn of_part(parameters: &'static [Parameter], returns: Returns, function: fn(DatePart) -> Function) -> Form {
    Form { parameters, variadic: false, returns, how: How::OfPart(function) }
}

/// A form that becomes other expressions.
const fn rewrite(
    parameters: &'static [Parameter],
    returns: Returns,
    how: fn(Vec<Bound>, Span) -> Planned<Bound>,
) -> Form {
    Form { parameters, variadic: false, returns, how: How::Rewrite(how) }
}

/// The same for any number of arguments from that of the parameters on.
const fn variadic(
    parameters: &'static [Parameter],
    returns: Returns,
    how: fn(Vec<Bound>, Span) -> Planned<Bound>,
) -> Form {
    Form { parameters, variadic: true, returns, how: How::Rewrite(how) }
}

/// What has a syntax of its own and is only listed.
const fn syntax(parameters: &'static [Parameter], returns: Returns) -> Form {
    Form { parameters, variadic: false, returns, how: How::Syntax }
}

/// The tables.
fn definitions() -> impl Iterator<Item = &'static Definition> + Clone {
    let tables: [&'static [Definition]; 7] = [
        text::TEXT,
        numbers::NUMBERS,
        text::BITS,
        moments::MOMENTS,
        choice::CHOICE,
        documents::JSON,
        documents::PATTERNS,
    ];
    tables.into_iter().flatten()
}

/// Names that can be called, other names of the same functions included.
fn names() -> impl Iterator<Item = &'static str> + Clone {
    let called = |definition: &&Definition| !definition.is_syntax();
    definitions()
        .filter(called)
        .flat_map(|definition| std::iter::once(&definition.name).chain(definition.aliases))
        .copied()
}

impl Definition {
    fn is(&self, upper: &str) -> bool {
        self.name == upper || self.aliases.contains(&upper)
    }

    /// Whether it is no call but an operator or the like.
    fn is_syntax(&self) -> bool {
        self.forms.iter().all(|form| matches!(form.how, How::Syntax))
    }

    /// How it is called, for errors.
    fn usage(&self, name: &str) -> String {
        if self.is_syntax() {
            return self.examples[0].0.into();
        }
        let forms: Vec<String> = self.forms.iter().map(|form| form.written(name, false)).collect();
        let mut distinct: Vec<String> = Vec::with_capacity(forms.len());
        forms.into_iter().for_each(|form| {
            if !distinct.contains(&form) {
                distinct.push(form)
            }
        });
        distinct.join(" or ")
    }

    /// How it is called, for the listing.
    fn signatures(&self) -> Vec<String> {
        let signature = |form: &Form| {
            let call = if self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                form.written(self.name, true)
            } else {
                let side = |index: usize| {
                    form.written("", true).trim_matches(['(', ')']).split(", ").nth(index).map(String::from)
                };
                format!("{} {} {}", side(0).unwrap_or_default(), self.name, side(1).unwrap_or_default())
            };
            format!("{call} -> {}", form.result())
        };
        self.forms.iter().map(signature).collect()
    }
}

/// Functions that are known to SQL but not planned yet, and what helps meanwhile.
const LATER: [(&str, &str); 12] = [
    ("TUMBLE", "write GROUP BY ... WINDOW TUMBLING (column, INTERVAL '1' MINUTE)"),
    ("TUMBLING", "write GROUP BY ... WINDOW TUMBLING (column, INTERVAL '1' MINUTE)"),
    ("HOP", "WINDOW TUMBLING is supported"),
    ("SESSION", "WINDOW TUMBLING is supported"),
    ("TUMBLE_START", "select window_start"),
    ("TUMBLE_END", "select window_end"),
    ("ROLLUP", "list the grouping columns"),
    ("CUBE", "list the grouping columns"),
    ("ARRAY_AGG", "STRING_AGG(x, ', ') joins values into a text"),
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
    let Some(definition) = definitions().find(|definition| definition.is(&upper)) else {
        return Err(unknown(&binder.mode, name, span));
    };
    let usage = || format!("write {}", definition.usage(&upper));
    if definition.is_syntax() {
        return Err(wrong(span, format!("{upper} is not called like a function"), usage()));
    }
    if star {
        return Err(wrong(span, format!("{upper}(*) is not a function"), usage()));
    }
    let count = args.len();
    let forms: Vec<&Form> = definition.forms.iter().filter(|form| form.takes(count)).collect();
    let Some(first) = forms.first() else {
        let noun = if count == 1 { "argument" } else { "arguments" };
        return Err(wrong(span, format!("{upper} does not take {count} {noun}"), usage()));
    };
    let args = args.iter().map(|arg| binder.bind(arg)).collect::<Planned<Vec<_>>>()?;
    let accepts = |form: &Form| args.iter().enumerate().all(|(i, arg)| form.parameter(i).kind.accepts(arg));
    let form = forms.iter().find(|form| accepts(form)).unwrap_or(first);
    plan(form, args, &upper, span)
}

/// A call of one form, whose number of arguments is right.
fn plan(form: &Form, args: Vec<Bound>, name: &str, span: Span) -> Planned<Bound> {
    let kinds = |index: usize| form.parameter(index).kind;
    if let How::Rewrite(how) = form.how {
        let mut checked = Vec::with_capacity(args.len());
        for (i, arg) in args.into_iter().enumerate() {
            checked.push(if kinds(i) == Kind::Any { arg } else { kinds(i).check(arg, name)? });
        }
        return how(checked, span);
    }
    let part = match (form.how, args.first()) {
        (How::OfPart(_), Some(first)) => Some(kinds(0).part(first, name)?),
        _ => None,
    };
    let spans: Vec<Span> = args.iter().map(|arg| arg.span).collect();
    let mut exprs = Vec::with_capacity(form.parameters.len());
    for (i, arg) in args.into_iter().enumerate().skip(usize::from(part.is_some())) {
        exprs.push(kinds(i).coerce(arg, name)?);
    }
    for parameter in form.parameters.iter().skip(spans.len()) {
        exprs.extend(parameter.default.map(signature::Default::expr));
    }
    let function = match (form.how, part) {
        (How::Built(function), _) => function,
        (How::OfPart(function), Some(part)) => function(part),
        (How::Row(function), _) => {
            let literals: Vec<Option<&str>> = exprs.iter().map(literal_text).collect();
            function
                .prepare(&literals)
                .map_err(|(index, problem)| SqlError::new(spans.get(index).copied().unwrap_or(span), problem))?;
            Function::Row(function)
        }
        _ => return Err(SqlError::new(span, format!("{name} is not called like a function"))),
    };
    let data_type = match form.returns {
        Returns::Type(data_type) => data_type,
        Returns::First | Returns::Common => exprs.first().map_or(DataType::Varchar, |expr| expr.data_type),
    };
    Ok(Bound::typed(Expr { kind: ExprKind::Call { function, args: exprs }, data_type }, span))
}

fn literal_text(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(Value::Utf8(text)) => Some(text),
        _ => None,
    }
}

/// An operator that is a function with another syntax.
pub(super) fn operator(op: ast::BinaryOp, args: Vec<Bound>, span: Span) -> Planned<Bound> {
    let (name, sign) = match op {
        ast::BinaryOp::JsonGet => ("JSON_EXTRACT", "->"),
        ast::BinaryOp::JsonGetText => ("JSON_EXTRACT_STRING", "->>"),
        ast::BinaryOp::BitAnd => ("BITAND", "&"),
        ast::BinaryOp::BitOr => ("BITOR", "|"),
        other => panic!("{other:?} is no function"),
    };
    let definition = definitions().find(|definition| definition.name == name);
    let forms = definition.expect("the table has what operators stand for").forms;
    let accepts = |form: &&Form| args.iter().enumerate().all(|(i, arg)| form.parameter(i).kind.accepts(arg));
    plan(forms.iter().find(accepts).unwrap_or(&forms[0]), args, sign, span)
}

/// EXTRACT(part FROM x).
pub(super) fn extract(part: &str, arg: Bound, span: Span) -> Planned<Bound> {
    let part = date_part(part, span)?;
    let args = vec![Kind::Moment.coerce(arg, "EXTRACT")?];
    let kind = ExprKind::Call { function: Function::Extract(part), args };
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
    let known = names().chain(aggregates::names()).chain(super::rows::NAMES);
    let error = SqlError::new(name.span, format!("unknown function {}", name.value));
    match nearest(&name.value, known) {
        Some(near) => error.with_help(format!("did you mean {near}?")),
        None => error.with_help("corelane functions lists them all"),
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
