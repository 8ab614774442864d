//! How functions are called: parameters, the types that they take, and the errors at arguments that do not fit.

use super::super::coerce::{Bound, Literal, Planned};
use super::super::expr::{Expr, Function};
use super::super::scope::{suggest, wrong};
use crate::error::{Span, SqlError};
use crate::function::{DatePart, RowFunction};
use crate::types::{DataType, Value};

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Kind {
    /// Any type; the form's rewriting sees to the types.
    Any,
    /// VARCHAR.
    Text,
    /// INT or BIGINT, as BIGINT.
    Whole,
    /// Any number, as DOUBLE.
    Double,
    /// DECIMAL.
    Decimal,
    /// Any number; INT as BIGINT.
    Number,
    /// BOOLEAN.
    Boolean,
    /// TIMESTAMP or DATE, as TIMESTAMP.
    Moment,
    /// INTERVAL.
    Interval,
    /// The name of a part of a point in time, in quotes.
    Part,
    /// The name of a unit of time, in quotes.
    Unit,
}

/// What stands for an argument that is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::plan) enum Default {
    /// Text.
    Text(&'static str),
    /// BIGINT.
    Whole(i64),
    /// The epoch.
    Epoch,
}

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub(in crate::plan) struct Parameter {
    pub(in crate::plan) name: &'static str,
    pub(in crate::plan) kind: Kind,
    pub(in crate::plan) default: Option<Default>,
}

macro_rules! parameters {
    ($($name:ident $kind:ident),+) => {
        $(pub(super) const fn $name(name: &'static str) -> Parameter {
            Parameter { name, kind: Kind::$kind, default: None }
        })+
    };
}

parameters!(any Any, text Text, whole Whole, double Double, decimal Decimal, number Number, moment Moment,
            interval Interval, part Part, unit Unit, boolean Boolean);

impl Parameter {
    /// May be left out.
    pub(super) const fn or(mut self, default: Default) -> Self {
        self.default = Some(default);
        self
    }
}

/// The type of a result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::plan) enum Returns {
    /// Always this.
    Type(DataType),
    /// The type of the first argument, INT as BIGINT.
    First,
    /// The common type of the arguments.
    Common,
}

/// What a call becomes.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// A function of the values of a row.
    Row(RowFunction),
    /// A function that the evaluator has loops of its own for.
    Built(Function),
    /// The same for a part of a point in time, which is the first argument.
    OfPart(fn(DatePart) -> Function),
    /// Other expressions.
    Rewrite(fn(Vec<Bound>, Span) -> Planned<Bound>),
    /// Never called by its name: it has a syntax of its own, which is documented here.
    Syntax,
}

/// One way to call a function.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) parameters: &'static [Parameter],
    /// Whether the last parameter may be repeated.
    pub(super) variadic: bool,
    pub(super) returns: Returns,
    pub(super) how: How,
}

impl Form {
    /// Whether so many arguments may be given.
    pub(super) fn takes(&self, count: usize) -> bool {
        let least = self.parameters.iter().filter(|parameter| parameter.default.is_none()).count();
        count >= least && (self.variadic || count <= self.parameters.len())
    }

    /// The parameter of argument `index`.
    pub(super) fn parameter(&self, index: usize) -> Parameter {
        self.parameters[index.min(self.parameters.len() - 1)]
    }

    /// `NAME(text, n [, fill])`.
    pub(in crate::plan) fn written(&self, name: &str, typed: bool) -> String {
        let mut out = format!("{name}(");
        let mut open = 0;
        for (i, parameter) in self.parameters.iter().enumerate() {
            if parameter.default.is_some() {
                out.push_str(if i > 0 { " [" } else { "[" });
                open += 1;
            }
            if i > 0 {
                out.push_str(", ");
            }
            let kind = if typed { parameter.kind.sql() } else { "" };
            match parameter.kind {
                Kind::Part | Kind::Unit => out.push_str(&format!("'{}'", parameter.name)),
                _ => out.push_str(parameter.name),
            }
            if !kind.is_empty() {
                out.push(' ');
                out.push_str(kind);
            }
        }
        if self.variadic {
            out.push_str(", ...");
        }
        out.push_str(&"]".repeat(open));
        out + ")"
    }

    /// The type of the result as documentation names it.
    pub(super) fn result(&self) -> String {
        match self.returns {
            Returns::Type(data_type) => data_type.to_string(),
            Returns::First => format!("type of {}", self.parameters[0].name),
            Returns::Common => "common type".into(),
        }
    }
}

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Self::Any | Self::Part | Self::Unit => "",
            Self::Text => "VARCHAR",
            Self::Whole => "BIGINT",
            Self::Double => "DOUBLE",
            Self::Decimal => "DECIMAL",
            Self::Number => "NUMBER",
            Self::Boolean => "BOOLEAN",
            Self::Moment => "TIMESTAMP",
            Self::Interval => "INTERVAL",
        }
    }

    /// Whether an argument of that type is taken.
    pub(super) fn accepts(self, arg: &Bound) -> bool {
        let data_type = arg.data_type();
        if arg.literal == Literal::Null {
            return !matches!(self, Self::Part | Self::Unit);
        }
        match self {
            Self::Any => true,
            Self::Text | Self::Part | Self::Unit => data_type == DataType::Varchar,
            Self::Whole => matches!(data_type, DataType::Int | DataType::BigInt),
            Self::Double | Self::Number => data_type.is_numeric(),
            Self::Decimal => matches!(data_type, DataType::Decimal { .. }),
            Self::Boolean => data_type == DataType::Boolean,
            Self::Moment => matches!(data_type, DataType::Date | DataType::Timestamp) || arg.literal == Literal::Text,
            Self::Interval => data_type == DataType::Interval,
        }
    }

    /// The argument as it is, if this parameter takes it.
    pub(super) fn check(self, arg: Bound, function: &str) -> Planned<Bound> {
        if self.accepts(&arg) { Ok(arg) } else { Err(self.refuse(&arg, function)) }
    }

    /// The argument as this parameter takes it.
    pub(super) fn coerce(self, arg: Bound, function: &str) -> Planned<Expr> {
        if !self.accepts(&arg) {
            return Err(self.refuse(&arg, function));
        }
        let data_type = match self {
            Self::Any => arg.data_type(),
            Self::Text => DataType::Varchar,
            Self::Whole => DataType::BigInt,
            Self::Double => DataType::Double,
            Self::Boolean => DataType::Boolean,
            Self::Moment => DataType::Timestamp,
            Self::Interval => DataType::Interval,
            Self::Decimal if arg.literal == Literal::Null => DataType::Decimal { precision: 18, scale: 3 },
            Self::Decimal => arg.data_type(),
            Self::Number => match (&arg.literal, arg.data_type()) {
                (Literal::Null, _) | (_, DataType::Int) => DataType::BigInt,
                (_, other) => other,
            },
            Self::Part | Self::Unit => {
                self.part(&arg, function)?;
                return Ok(arg.expr);
            }
        };
        arg.coerce(data_type)
    }

    /// The part of a point in time that a literal names.
    pub(super) fn part(self, arg: &Bound, function: &str) -> Planned<DatePart> {
        let Some(name) = arg.as_text() else {
            let help = format!("as in {function}('minute', ...)");
            return Err(wrong(arg.span, "the part of a timestamp stands in quotes", help));
        };
        let part = date_part(name, arg.span)?;
        if self == Self::Unit && !part.is_unit() {
            let units = DatePart::NAMES.iter().filter(|(part, _)| part.is_unit()).map(|(_, names)| names[0]);
            let units: Vec<&str> = units.collect();
            let message = format!("{function} does not count in {}", part.name());
            return Err(wrong(arg.span, message, format!("units are {}", units.join(", "))));
        }
        Ok(part)
    }

    fn refuse(self, arg: &Bound, function: &str) -> SqlError {
        let found = arg.data_type();
        let error = |wanted: &str| SqlError::new(arg.span, format!("{function} takes {wanted}, this is {found}"));
        match self {
            Self::Text => error("VARCHAR").with_help("convert it with CAST(x AS VARCHAR)"),
            Self::Whole => SqlError::new(arg.span, format!("{function} takes a whole number here, this is {found}")),
            Self::Double | Self::Number | Self::Decimal if found == DataType::Varchar => {
                error("a number").with_help("convert text with CAST(x AS DOUBLE)")
            }
            Self::Double | Self::Number | Self::Decimal => error("a number"),
            Self::Boolean => error("a BOOLEAN").with_help("compare it with something, as in x > 0"),
            Self::Moment if found == DataType::Varchar => {
                error("a TIMESTAMP or a DATE").with_help("convert text with CAST(x AS TIMESTAMP)")
            }
            Self::Moment if found.is_numeric() => {
                error("a TIMESTAMP or a DATE").with_help("TO_TIMESTAMP(x) takes seconds, EPOCH_MS(x) milliseconds")
            }
            Self::Moment => error("a TIMESTAMP or a DATE"),
            Self::Interval => error("an INTERVAL").with_help("an INTERVAL is written INTERVAL '1' MINUTE"),
            Self::Any | Self::Part | Self::Unit => {
                let help = format!("as in {function}('minute', ...)");
                wrong(arg.span, "the part of a timestamp stands in quotes", help)
            }
        }
    }
}

impl Default {
    pub(super) fn expr(self) -> Expr {
        match self {
            Self::Text(text) => Expr::literal(Value::Utf8(text.into()), DataType::Varchar),
            Self::Whole(n) => Expr::literal(Value::Int64(n), DataType::BigInt),
            Self::Epoch => Expr::literal(Value::Int64(0), DataType::Timestamp),
        }
    }
}

/// The part of that name.
pub(super) fn date_part(name: &str, span: Span) -> Planned<DatePart> {
    DatePart::named(name).ok_or_else(|| {
        let known = DatePart::NAMES.iter().map(|(_, names)| names[0]);
        wrong(span, format!("unknown part of a timestamp {name}"), suggest(name, known, "parts are"))
    })
}
