//! Expressions as text: the name of an output column without an alias, as in `avg(price)` or `sum(price * quantity)`.
//!
//! Lower case but for text literals and quoted names; parentheses only where they change the meaning.

use std::fmt::{self, Write};

use super::ast::{BinaryOp, Clauses, Expr, ExprKind, FrameBound, FrameUnits, OrderItem, Over};
use crate::types::DataType;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_expr(f, self, 0)
    }
}

/// How tightly an expression binds; operands that bind less tightly stand in parentheses.
fn strength(kind: &ExprKind) -> u8 {
    match kind {
        ExprKind::Or(_) => 1,
        ExprKind::And(_) => 2,
        ExprKind::Not(_) => 3,
        ExprKind::IsNull { .. } | ExprKind::IsBoolean { .. } => 4,
        ExprKind::Like { .. } | ExprKind::InList { .. } | ExprKind::InSubquery { .. } | ExprKind::Between { .. } => 5,
        ExprKind::Binary { op, .. } => match op {
            BinaryOp::Distinct | BinaryOp::NotDistinct => 4,
            BinaryOp::BitOr => 6,
            BinaryOp::BitAnd => 7,
            BinaryOp::Concat => 8,
            BinaryOp::Add | BinaryOp::Subtract => 9,
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => 10,
            BinaryOp::JsonGet | BinaryOp::JsonGetText => 12,
            _ => 5,
        },
        ExprKind::Negate(_) => 11,
        _ => 13,
    }
}

fn write_expr(f: &mut impl Write, expr: &Expr, least: u8) -> fmt::Result {
    let own = strength(&expr.kind);
    if own < least {
        f.write_char('(')?;
        write_kind(f, &expr.kind, own)?;
        return f.write_char(')');
    }
    write_kind(f, &expr.kind, own)
}

fn write_kind(f: &mut impl Write, kind: &ExprKind, own: u8) -> fmt::Result {
    let not = |negated: bool| if negated { "not " } else { "" };
    match kind {
        ExprKind::Column { name, .. } => write_name(f, &name.value, name.quoted),
        ExprKind::Number(text) => f.write_str(&text.to_ascii_lowercase()),
        ExprKind::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        ExprKind::Boolean(value) => write!(f, "{value}"),
        ExprKind::Null => f.write_str("null"),
        ExprKind::Typed(data_type, text) => {
            write!(f, "{} '{}'", data_type.to_string().to_lowercase(), text.replace('\'', "''"))
        }
        ExprKind::Interval(us) => {
            let (count, unit) = super::duration::in_units(*us);
            write!(f, "interval '{count}' {unit}")
        }
        ExprKind::Not(arg) => {
            f.write_str("not ")?;
            write_expr(f, arg, own)
        }
        ExprKind::Negate(arg) => {
            f.write_char('-')?;
            // Two minus signs in a row would start a comment.
            write_expr(f, arg, own + 1)
        }
        ExprKind::And(terms) => write_list(f, terms, " and ", own + 1),
        ExprKind::Or(terms) => write_list(f, terms, " or ", own + 1),
        ExprKind::Binary { op, left, right } => {
            write_expr(f, left, own)?;
            write!(f, " {} ", sign(*op))?;
            write_expr(f, right, own + 1)
        }
        ExprKind::IsNull { arg, negated } => {
            write_expr(f, arg, own)?;
            write!(f, " is {}null", not(*negated))
        }
        ExprKind::IsBoolean { arg, value, negated } => {
            write_expr(f, arg, own)?;
            write!(f, " is {}{value}", not(*negated))
        }
        ExprKind::Like { arg, pattern, escape, negated, case_insensitive } => {
            write_expr(f, arg, own + 1)?;
            write!(f, " {}{} ", not(*negated), if *case_insensitive { "ilike" } else { "like" })?;
            write_expr(f, pattern, own + 1)?;
            match escape {
                Some(c) => write!(f, " escape '{c}'"),
                None => Ok(()),
            }
        }
        ExprKind::InList { arg, list, negated } => {
            write_expr(f, arg, own + 1)?;
            write!(f, " {}in (", not(*negated))?;
            write_list(f, list, ", ", 0)?;
            f.write_char(')')
        }
        ExprKind::Between { arg, low, high, negated } => {
            write_expr(f, arg, own + 1)?;
            write!(f, " {}between ", not(*negated))?;
            write_expr(f, low, own + 1)?;
            f.write_str(" and ")?;
            write_expr(f, high, own + 1)
        }
        ExprKind::Case { operand, branches, otherwise } => {
            f.write_str("case")?;
            if let Some(operand) = operand {
                f.write_char(' ')?;
                write_expr(f, operand, 0)?;
            }
            for (when, then) in branches {
                f.write_str(" when ")?;
                write_expr(f, when, 0)?;
                f.write_str(" then ")?;
                write_expr(f, then, 0)?;
            }
            if let Some(otherwise) = otherwise {
                f.write_str(" else ")?;
                write_expr(f, otherwise, 0)?;
            }
            f.write_str(" end")
        }
        ExprKind::Cast { arg, data_type, or_null } => {
            f.write_str(if *or_null { "try_cast(" } else { "cast(" })?;
            write_expr(f, arg, 0)?;
            write!(f, " as {})", type_name(*data_type))
        }
        ExprKind::Subquery(_) => f.write_str("subquery"),
        ExprKind::InSubquery { arg, negated, .. } => {
            write_expr(f, arg, own + 1)?;
            write!(f, " {}in (subquery)", not(*negated))
        }
        ExprKind::Exists(_) => f.write_str("exists"),
        ExprKind::Extract { part, arg } => {
            write!(f, "extract({part} from ")?;
            write_expr(f, arg, 0)?;
            f.write_char(')')
        }
        ExprKind::Call { name, args, star, clauses, over } => {
            write_name(f, &name.value, name.quoted)?;
            f.write_char('(')?;
            if clauses.as_ref().is_some_and(|clauses| clauses.distinct) {
                f.write_str("distinct ")?;
            }
            if *star {
                f.write_char('*')?;
            }
            write_list(f, args, ", ", 0)?;
            if let Some(clauses) = clauses.as_ref().filter(|clauses| !clauses.order_by.is_empty()) {
                write!(f, " order by {}", order_list(&clauses.order_by))?;
            }
            f.write_char(')')?;
            if let Some(clauses) = clauses {
                write_clauses(f, clauses)?;
            }
            match over {
                Some(over) => write_over(f, over),
                None => Ok(()),
            }
        }
    }
}

fn type_name(data_type: DataType) -> String {
    data_type.to_string().to_lowercase()
}

fn write_name(f: &mut impl Write, name: &str, quoted: bool) -> fmt::Result {
    if quoted { f.write_str(name) } else { f.write_str(&name.to_lowercase()) }
}

fn write_list(f: &mut impl Write, exprs: &[Expr], separator: &str, least: u8) -> fmt::Result {
    for (i, expr) in exprs.iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        write_expr(f, expr, least)?;
    }
    Ok(())
}

/// What stands behind the parentheses of an aggregate.
fn write_clauses(f: &mut impl Write, clauses: &Clauses) -> fmt::Result {
    if !clauses.within_group.is_empty() {
        write!(f, " within group (order by {})", order_list(&clauses.within_group))?;
    }
    match &clauses.filter {
        Some(filter) => write!(f, " filter (where {filter})"),
        None => Ok(()),
    }
}

fn write_over(f: &mut impl Write, over: &Over) -> fmt::Result {
    let mut parts = Vec::new();
    if let Some(base) = &over.base {
        let mut name = String::new();
        write_name(&mut name, &base.value, base.quoted)?;
        if over.partition_by.is_empty() && over.order_by.is_empty() && over.frame.is_none() && over.expire.is_none() {
            return write!(f, " over {name}");
        }
        parts.push(name);
    }
    if !over.partition_by.is_empty() {
        parts.push(format!(
            "partition by {}",
            over.partition_by.iter().map(Expr::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    if !over.order_by.is_empty() {
        parts.push(format!("order by {}", order_list(&over.order_by)));
    }
    if let Some(frame) = &over.frame {
        let units = match frame.units {
            FrameUnits::Rows => "rows",
            FrameUnits::Range => "range",
            FrameUnits::Groups => "groups",
        };
        parts.push(format!("{units} between {} and {}", bound_text(&frame.start), bound_text(&frame.end)));
    }
    if let Some((us, _)) = over.expire {
        let (count, unit) = super::duration::in_units(us);
        parts.push(format!("expire after interval '{count}' {unit}"));
    }
    write!(f, " over ({})", parts.join(" "))
}

fn bound_text(bound: &FrameBound) -> String {
    match bound {
        FrameBound::UnboundedPreceding => "unbounded preceding".into(),
        FrameBound::Preceding(offset) => format!("{offset} preceding"),
        FrameBound::CurrentRow => "current row".into(),
        FrameBound::Following(offset) => format!("{offset} following"),
        FrameBound::UnboundedFollowing => "unbounded following".into(),
    }
}

fn order_list(items: &[OrderItem]) -> String {
    items.iter().map(order_text).collect::<Vec<_>>().join(", ")
}

fn order_text(item: &OrderItem) -> String {
    let nulls = match item.nulls_first {
        None => "",
        Some(true) => " nulls first",
        Some(false) => " nulls last",
    };
    format!("{}{}{nulls}", item.expr, if item.descending { " desc" } else { "" })
}

/// The sign of an operator.
fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Modulo => "%",
        BinaryOp::Concat => "||",
        BinaryOp::JsonGet => "->",
        BinaryOp::JsonGetText => "->>",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitOr => "|",
        BinaryOp::Distinct => "is distinct from",
        BinaryOp::NotDistinct => "is not distinct from",
        BinaryOp::Equal => "=",
        BinaryOp::NotEqual => "<>",
        BinaryOp::Less => "<",
        BinaryOp::LessOrEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterOrEqual => ">=",
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::ast::{SelectItem, Statement};

    /// Names of columns without an alias; a name reads back as the same expression.
    #[test]
    fn names_are_compact_and_read_back() {
        for (written, name) in [
            ("COUNT( * )", "count(*)"),
            ("SUM(price*quantity)", "sum(price * quantity)"),
            ("(a + b) * (c * d)", "(a + b) * (c * d)"),
            ("((a)) - (b + c)", "a - (b + c)"),
            ("- (-A)", "-(-a)"),
            ("NOT (a AND b) OR c", "not (a and b) or c"),
            ("\"Mixed Case\" || 'Text'", "Mixed Case || 'Text'"),
            ("Interval '90' second", "interval '90' second"),
            ("CASE a WHEN 1 THEN 'It''s' END", "case a when 1 then 'It''s' end"),
            ("a::decimal(5,2)", "cast(a as decimal(5, 2))"),
            ("x NOT IN (1,2)", "x not in (1, 2)"),
            ("a->'b'->>'c' = 'd'", "a -> 'b' ->> 'c' = 'd'"),
            ("(-a) -> 'b' || c", "(-a) -> 'b' || c"),
            ("-a -> 'b'", "-a -> 'b'"),
            ("(a|b) & c | d", "(a | b) & c | d"),
            ("(a & b) IS NOT DISTINCT FROM (c = d)", "a & b is not distinct from c = d"),
            ("TRY_CAST(a AS INT)", "try_cast(a as int)"),
            ("COUNT(DISTINCT a) FILTER (WHERE b>1)", "count(distinct a) filter (where b > 1)"),
            ("STRING_AGG(a, ',' ORDER BY b DESC NULLS LAST)", "string_agg(a, ',' order by b desc nulls last)"),
            ("PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a)", "percentile_cont(0.5) within group (order by a)"),
        ] {
            let again = [format!("SELECT {written} FROM t"), format!("SELECT {name} AS x FROM t")];
            for text in &again[..if written.contains('"') { 1 } else { 2 }] {
                let statements = super::super::parse(text).unwrap();
                let Statement::Select(query) = &statements[0] else { panic!("{text}") };
                let SelectItem::Expr { expr, .. } = &query.items[0] else { panic!("{text}") };
                assert_eq!(expr.to_string(), name);
            }
        }
    }
}
