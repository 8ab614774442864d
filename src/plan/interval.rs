//! JOIN of two streams within an interval of event time.
//!
//! Both sides are read as one source ([`super::union`]); a row of it holds the columns of its own side, the others NULL. The
//! join meets them in the order of event time, key by key.

use std::sync::Arc;

use super::expr::{ArithmeticOp, CompareOp, Expr, ExprKind};
use super::query::{Node, Scan, SourceInput, Step};
use super::relation::Relation;
use super::scope::wrong;
use super::union::{Arm, by_input, combined, filter_step, shifted};
use crate::error::{Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Field, Schema, Value};

/// Joins rows of two sides with equal keys whose event times are near. Input columns: the number of the side, the event time,
/// the left columns, the right columns. Output columns: the left ones, the right ones.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalJoinNode {
    /// What is equal: over the left columns, and over the right ones, of one type. NULL equals nothing.
    pub keys: Vec<(Expr, Expr)>,
    /// Number of left columns.
    pub left_columns: usize,
    /// The event time of the right row less that of the left one is at least this, in microseconds.
    pub lower_us: i64,
    /// And at most this.
    pub upper_us: i64,
    /// Left rows without a partner leave, too.
    pub left_outer: bool,
    /// Right rows without a partner leave, too.
    pub right_outer: bool,
}

impl IntervalJoinNode {
    /// The key of a row of either side.
    pub fn exchange_keys(&self) -> Vec<Expr> {
        self.keys.iter().map(|(left, right)| by_input(vec![left.clone(), right.clone()], left.data_type)).collect()
    }
}

/// Bounds of the time from a left row to a right one.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    lower_us: Option<i64>,
    upper_us: Option<i64>,
}

impl Bounds {
    /// Takes a condition in, if it bounds the time from the column `left` to the column `right`.
    pub(super) fn take(&mut self, term: &Expr, left: usize, right: usize) -> bool {
        let ExprKind::Compare { op, left: a, right: b } = &term.kind else { return false };
        let (Some((a, a_us)), Some((b, b_us))) = (moment(a), moment(b)) else { return false };
        // right op left + distance
        let (op, distance_us) = if (a, b) == (right, left) {
            (*op, b_us.saturating_sub(a_us))
        } else if (a, b) == (left, right) {
            let flipped = match op {
                CompareOp::Less => CompareOp::Greater,
                CompareOp::LessOrEqual => CompareOp::GreaterOrEqual,
                CompareOp::Greater => CompareOp::Less,
                CompareOp::GreaterOrEqual => CompareOp::LessOrEqual,
                other => *other,
            };
            (flipped, a_us.saturating_sub(b_us))
        } else {
            return false;
        };
        let (lower, upper) = match op {
            CompareOp::Equal => (Some(distance_us), Some(distance_us)),
            CompareOp::GreaterOrEqual => (Some(distance_us), None),
            CompareOp::Greater => (Some(distance_us.saturating_add(1)), None),
            CompareOp::LessOrEqual => (None, Some(distance_us)),
            CompareOp::Less => (None, Some(distance_us.saturating_sub(1))),
            CompareOp::NotEqual => return false,
        };
        self.lower_us = self.lower_us.max(lower);
        self.upper_us = match (self.upper_us, upper) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
        true
    }

    /// Whether there is any.
    pub(super) fn is_some(&self) -> bool {
        self.lower_us.is_some() || self.upper_us.is_some()
    }
}

/// A column, and how much is added to it.
fn moment(expr: &Expr) -> Option<(usize, i64)> {
    let constant = |expr: &Expr| match expr.kind {
        ExprKind::Literal(Value::Int64(us)) if expr.data_type == DataType::Interval => Some(us),
        _ => None,
    };
    match &expr.kind {
        ExprKind::Column(column) if expr.data_type == DataType::Timestamp => Some((*column, 0)),
        ExprKind::Arithmetic { op: ArithmeticOp::Add, left, right } => {
            let (column, us) = moment(left)?;
            Some((column, us.checked_add(constant(right)?)?))
        }
        ExprKind::Arithmetic { op: ArithmeticOp::Subtract, left, right } => {
            let (column, us) = moment(left)?;
            Some((column, us.checked_sub(constant(right)?)?))
        }
        _ => None,
    }
}

/// Both sides as one relation with the join as its last step. `keys` are over the columns of each side.
pub(super) fn join(
    left: Relation,
    right: Relation,
    join: &ast::Join,
    keys: Vec<(Expr, Expr)>,
    bounds: &Bounds,
    schema: Schema,
) -> Result<Relation, SqlError> {
    let (Some(lower_us), Some(upper_us)) = (bounds.lower_us, bounds.upper_us) else {
        let help = "write b.ts BETWEEN a.ts - INTERVAL '1' MINUTE AND a.ts + INTERVAL '1' MINUTE";
        return Err(wrong(join.span, "a JOIN of streams bounds event time from both sides", help));
    };
    let (name, bounded) = (format!("{} and {}", left.name, right.name), left.bounded && right.bounded);
    let arms = [Arm::of(left, join.span)?, Arm::of(right, join.right.span)?];
    let (source, starts) = combined(&arms);
    let mut steps = Vec::from_iter(filter_step(&arms, &source, &starts));
    let mut exprs = vec![
        Expr::column(SourceInput::NUMBER, DataType::Int),
        Expr::column(SourceInput::EVENT_TIME, DataType::Timestamp),
    ];
    let mut fields = vec![Field::new("input", DataType::Int), Field::new("event_time", DataType::Timestamp)];
    for (arm, &start) in arms.iter().zip(&starts) {
        exprs.extend(arm.exprs.iter().map(|expr| shifted(expr, start)));
    }
    fields.extend(schema.fields.iter().cloned());
    let first = exprs.len() - schema.len();
    let left_columns = arms[0].exprs.len();
    steps.push(Step { node: Node::Project(exprs), schema: Schema::new(fields) });
    let keys = keys.iter().map(|(a, b)| (shifted(a, first), shifted(b, first + left_columns))).collect();
    let node = IntervalJoinNode {
        keys,
        left_columns,
        lower_us,
        upper_us,
        left_outer: matches!(join.kind, ast::JoinKind::Left | ast::JoinKind::Full),
        right_outer: matches!(join.kind, ast::JoinKind::Right | ast::JoinKind::Full),
    };
    steps.push(Step { node: Node::IntervalJoin(node), schema });
    let event_time = source.watermark;
    let projection = (0..source.schema.len()).collect();
    let scan = Scan { source: Arc::new(source), projection, event_time };
    Ok(Relation { scan, steps, parts: Vec::new(), bounded, name })
}

impl Arm {
    /// A side of a join: columns and filters over a source with a watermark.
    fn of(relation: Relation, span: Span) -> Result<Self, SqlError> {
        if relation.is_plain() {
            return Ok(Self::new(relation, span));
        }
        let help = "group and join once more around it: SELECT ... FROM (SELECT ... FROM a JOIN b ON ...) AS ab";
        Err(wrong(span, "a side of a JOIN of streams takes columns and filters over one source", help))
    }
}
