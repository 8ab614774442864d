//! JOIN ... FOR SYSTEM_TIME AS OF: each row with the version of its key that held at its time.

use super::bind::Binder;
use super::expr::{Expr, ExprKind};
use super::from::Relations;
use super::join::Condition;
use super::query::{Node, Step};
use super::relation::Relation;
use super::scope::{Scope, wrong};
use super::streams::Times;
use crate::error::{Result, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Schema};

/// Joins each row of the left side with the row of the right side that has its key and is the last one up to its event
/// time. Columns as of [`super::IntervalJoinNode`].
#[derive(Debug, Clone, PartialEq)]
pub struct AsOfNode {
    /// What is equal: over the left columns, and over the right ones, of one type. NULL equals nothing.
    pub keys: Vec<(Expr, Expr)>,
    /// Number of left columns.
    pub left_columns: usize,
    /// Left rows of whose key there is no version leave, too.
    pub outer: bool,
    /// How far behind the watermark rows may come, in microseconds.
    pub delay_us: i64,
}

impl Relations<'_> {
    /// `left` joined with the versions that `right` has over time, as of `moment`.
    pub(super) fn as_of(
        &self,
        [left, right]: [Relation; 2],
        moment: &ast::Expr,
        mut condition: Condition,
        schema: &Schema,
        join: &ast::Join,
    ) -> Result<Relation> {
        if !matches!(join.kind, ast::JoinKind::Inner | ast::JoinKind::Left) {
            let help = "write JOIN or LEFT JOIN: a version may hold for many rows, or for none";
            return Err(wrong(join.span, "FOR SYSTEM_TIME AS OF is for INNER and LEFT JOIN", help).into());
        }
        let column = self.moment(&left, moment)?;
        let Some(times) = Times::as_of(&left, column, &right) else {
            let message = format!("the versions of {} have no event time", right.name);
            let help = "declare a WATERMARK for the source: the version that holds is the last one up to that time";
            return Err(wrong(join.right.span, message, help).into());
        };
        let width = left.schema().len();
        let of_right = std::mem::take(&mut condition.right).into_iter().map(|mut term| {
            term.map_columns(&mut |column| column + width);
            (term, join.span)
        });
        let rest: Vec<_> = std::mem::take(&mut condition.rest).into_iter().chain(of_right).collect();
        if let (ast::JoinKind::Left, Some((_, span))) = (join.kind, rest.first()) {
            let message = "ON of a LEFT JOIN with versions takes equalities";
            return Err(wrong(*span, message, "a condition on the rows that come out stands in WHERE").into());
        }
        let (mut joined, node) = self.sides([left, right], condition, Some(times), schema, join)?;
        let node = AsOfNode {
            keys: node.keys,
            left_columns: node.left_columns,
            outer: node.left_outer,
            delay_us: node.delay_us,
        };
        joined.steps.push(Step { node: Node::AsOf(node), schema: schema.clone() });
        // A version of which a condition is not true holds all the same: it does not uncover the one before.
        for (term, _) in rest {
            joined.steps.push(Step { node: Node::Filter(term), schema: schema.clone() });
        }
        Ok(joined)
    }

    /// The column that AS OF names: the event time of the left side.
    fn moment(&self, left: &Relation, moment: &ast::Expr) -> Result<usize, SqlError> {
        let schema = left.schema();
        let scope = Scope { schema: &schema, parts: &left.parts, subqueries: &[] };
        let bound = Binder::input(&scope, "AS OF").bind(moment)?;
        match bound.expr.kind {
            ExprKind::Column(column)
                if bound.expr.data_type == DataType::Timestamp && left.pace_of_source(column).is_some() =>
            {
                Ok(column)
            }
            _ => {
                let message = "FOR SYSTEM_TIME AS OF takes the event time of the left side";
                let help = match left.clock() {
                    Some((column, _)) => format!("write AS OF {}", schema.fields[column].name),
                    None => format!("declare a WATERMARK for {}", left.name),
                };
                Err(wrong(moment.span, message, help))
            }
        }
    }
}
