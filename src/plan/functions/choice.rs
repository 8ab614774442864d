//! Functions that choose between values, and what is known of a value's type.

use super::signature::{Returns, any, boolean};
use super::{Definition, Form, Group, define, rewrite, syntax, variadic};
use crate::error::Span;
use crate::plan::coerce::{Bound, Literal, Planned, common_of, unify};
use crate::plan::expr::{Expr, ExprKind, Function};
use crate::types::{DataType, Value};

const BOOLEAN: Returns = Returns::Type(DataType::Boolean);
const VARCHAR: Returns = Returns::Type(DataType::Varchar);

fn coalesce(args: Vec<Bound>, span: Span) -> Planned<Bound> {
    let data_type = common_of(&args.iter().collect::<Vec<_>>(), "combine")?;
    let args = args.into_iter().map(|arg| arg.coerce(data_type)).collect::<Planned<Vec<_>>>()?;
    Ok(Bound::typed(Expr { kind: ExprKind::Call { function: Function::Coalesce, args }, data_type }, span))
}

/// Three arguments; their number has been checked.
fn three(args: Vec<Bound>, span: Span) -> (Bound, Bound, Bound) {
    let mut args = args.into_iter();
    let mut next = || args.next().unwrap_or_else(|| Bound::null(span));
    (next(), next(), next())
}

/// CASE WHEN condition THEN yes ELSE no END.
fn choose(condition: Expr, yes: Bound, no: Bound, span: Span) -> Planned<Bound> {
    let (yes, no) = unify(yes, no, "combine")?;
    let data_type = yes.data_type;
    let kind = ExprKind::Case { branches: vec![(condition, yes)], otherwise: Some(Box::new(no)) };
    Ok(Bound::typed(Expr { kind, data_type }, span))
}

const IF: &[Form] = &[rewrite(&[boolean("condition"), any("yes"), any("no")], Returns::Common, |args, span| {
    let (condition, yes, no) = three(args, span);
    choose(condition.boolean("the condition")?, yes, no, span)
})];

pub(super) static CHOICE: &[Definition] = &[
    define(
        "COALESCE",
        &[],
        Group::Choice,
        "The first argument that is not NULL; those behind it are not evaluated.",
        &[variadic(&[any("x")], Returns::Common, coalesce)],
        &[("COALESCE(NULL, 2, 3)", "2")],
    ),
    define(
        "IFNULL",
        &["NVL"],
        Group::Choice,
        "The first argument, or the second where it is NULL.",
        &[rewrite(&[any("x"), any("otherwise")], Returns::Common, coalesce)],
        &[("IFNULL(NULL, 'none')", "none")],
    ),
    define(
        "NULLIF",
        &[],
        Group::Choice,
        "NULL if both are equal, else the first.",
        &[rewrite(&[any("x"), any("y")], Returns::First, |args, span| {
            let (left, right, _) = three(args, span);
            let (left, right) = unify(left, right, "compare")?;
            let data_type = left.data_type;
            let kind = ExprKind::Call { function: Function::NullIf, args: vec![left, right] };
            Ok(Bound::typed(Expr { kind, data_type }, span))
        })],
        &[("NULLIF('NA', 'NA')", "NULL"), ("NULLIF(5, 0)", "5")],
    ),
    define(
        "IF",
        &["IFF"],
        Group::Choice,
        "`yes` where the condition is TRUE, else `no`; only the one chosen is evaluated.",
        IF,
        &[("IF(2 > 1, 'yes', 'no')", "yes")],
    ),
    define(
        "NVL2",
        &[],
        Group::Choice,
        "`there` where x is not NULL, else `missing`.",
        &[rewrite(&[any("x"), any("there"), any("missing")], Returns::Common, |args, span| {
            let (arg, there, missing) = three(args, span);
            let kind = ExprKind::IsNull { arg: Box::new(arg.expr), negated: true };
            choose(Expr { kind, data_type: DataType::Boolean }, there, missing, span)
        })],
        &[("NVL2(NULL, 'some', 'none')", "none")],
    ),
    define(
        "CASE",
        &[],
        Group::Choice,
        "`CASE WHEN condition THEN result ... ELSE result END`, or `CASE x WHEN value THEN result ... END`: the first that \
         holds; a result is evaluated only where it is chosen. NULL without ELSE.",
        &[syntax(&[any("...")], Returns::Common)],
        &[("CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "two")],
    ),
    define(
        "IS DISTINCT FROM",
        &[],
        Group::Choice,
        "Whether two values differ, NULL being a value like others: never NULL. Also `IS NOT DISTINCT FROM`.",
        &[syntax(&[any("x"), any("y")], BOOLEAN)],
        &[("1 IS DISTINCT FROM NULL", "true"), ("NULL IS NOT DISTINCT FROM NULL", "true")],
    ),
    define(
        "CAST",
        &[],
        Group::Choice,
        "The value as another type, also `x::type`; a value that has none fails the record.",
        &[syntax(&[any("x AS type")], Returns::Common)],
        &[("CAST('12' AS INT) + 1", "13"), ("'2024-02-29'::DATE", "2024-02-29")],
    ),
    define(
        "TRY_CAST",
        &[],
        Group::Choice,
        "As CAST, but NULL of a value that has none.",
        &[syntax(&[any("x AS type")], Returns::Common)],
        &[("TRY_CAST('n/a' AS INT)", "NULL")],
    ),
    define(
        "TYPEOF",
        &[],
        Group::Choice,
        "The name of the type.",
        &[rewrite(&[any("x")], VARCHAR, |args, span| {
            let name = match args.first() {
                Some(arg) if arg.literal != Literal::Null => arg.data_type().to_string(),
                _ => "NULL".into(),
            };
            Ok(Bound::typed(Expr::literal(Value::Utf8(name.into()), DataType::Varchar), span))
        })],
        &[("TYPEOF(1.5)", "DOUBLE")],
    ),
];
