//! ORDER BY of a query: columns of its result, ordinals, and expressions of what the SELECT list may use, which become columns
//! that are dropped once the rows are in order.

use super::bind::Binder;
use super::coerce::Planned;
use super::expr::{Expr, ExprKind};
use super::query::{Node, SortKey, Step};
use super::scope::{suggest, wrong};
use super::select::{Output, Planner};
use crate::sql::ast;
use crate::types::Schema;

impl<'a> Planner<'a> {
    /// The keys, columns of `outputs`; those that are not there are added, hidden.
    pub(super) fn order(&self, binder: &mut Binder<'a>, outputs: &mut Vec<Output>) -> Planned<Vec<SortKey>> {
        let Some((items, _)) = &self.query.order_by else { return Ok(Vec::new()) };
        // As in standard SQL a name alone is one of the result, and inside an expression one of the input before an alias.
        let aliases = std::mem::replace(&mut binder.aliases, self.aliases.clone());
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            let column = self.order_column(binder, outputs, &item.expr)?;
            let nulls_first = item.nulls_first.unwrap_or(item.descending);
            keys.push(SortKey { column, descending: item.descending, nulls_first });
        }
        binder.aliases = aliases;
        Ok(keys)
    }

    fn order_column(&self, binder: &mut Binder<'_>, outputs: &mut Vec<Output>, expr: &ast::Expr) -> Planned<usize> {
        let shown = || outputs.iter().filter(|output| !output.is_hidden);
        match &expr.kind {
            ast::ExprKind::Number(text) => {
                let index = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
                return index.filter(|index| *index < shown().count()).ok_or_else(|| {
                    let help = format!("the result has {} columns", shown().count());
                    wrong(expr.span, format!("ORDER BY {text} names no column of the result"), help)
                });
            }
            ast::ExprKind::Column { table: None, name } => {
                if let Some(index) = shown().position(|output| output.name.eq_ignore_ascii_case(&name.value)) {
                    return Ok(index);
                }
            }
            _ => {}
        }
        let bound = match binder.bind(expr) {
            Ok(bound) => bound,
            Err(error) if error.message.starts_with("unknown column") => {
                let ast::ExprKind::Column { table: None, name } = &expr.kind else { return Err(error) };
                let input = self.scope.schema.fields.iter().map(|field| field.name.as_str());
                let is_new = |name: &&str| !shown().any(|output| output.name.eq_ignore_ascii_case(name));
                let names = shown().map(|output| output.name.as_str()).chain(input.filter(is_new));
                return Err(wrong(error.span, error.message, suggest(&name.value, names, "columns are")));
            }
            Err(error) => return Err(error),
        };
        if let Some(index) = outputs.iter().position(|output| output.expr == bound.expr) {
            return Ok(index);
        }
        if matches!(bound.expr.kind, ExprKind::Literal(_)) {
            let help = match &expr.kind {
                ast::ExprKind::Text(_) => "names of columns stand without quotes, or in double ones",
                _ => "name a column, or its number from 1",
            };
            return Err(wrong(bound.span, format!("ORDER BY {expr} orders nothing: it is a constant"), help));
        }
        if self.query.distinct.is_some() {
            let names: Vec<&str> = shown().map(|output| output.name.as_str()).collect();
            let help = format!("columns of the result are {}", names.join(", "));
            return Err(wrong(
                bound.span,
                format!("ORDER BY {expr} is not in the SELECT list, and rows of SELECT DISTINCT have nothing else"),
                help,
            ));
        }
        outputs.push(Output { expr: bound.expr, name: expr.to_string(), span: bound.span, is_hidden: true });
        Ok(outputs.len() - 1)
    }
}

/// The step that passes the first `width` columns of `schema` on.
pub(super) fn shown(schema: &Schema, width: usize) -> Step {
    let schema = Schema::new(schema.fields[..width].to_vec());
    let exprs = schema.fields.iter().enumerate().map(|(index, field)| Expr::column(index, field.data_type)).collect();
    Step { node: Node::Project(exprs), schema }
}
