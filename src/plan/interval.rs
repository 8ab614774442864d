//! JOIN of two streams within an interval of event time.
//!
//! The join meets rows of both sides ([`super::streams`]) in the order of event time, key by key.

use super::branches::by_input;
use super::expr::{ArithmeticOp, CompareOp, Expr, ExprKind};
use crate::types::{DataType, Value};

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
    /// Which of the two bounds the query does not have; they are as far as can be, or as long as state is kept.
    pub is_open: (bool, bool),
    /// What else must be true of a pair, over the output columns. Only of outer joins; else a filter follows.
    pub residual: Option<Expr>,
    /// How far behind the watermark rows may come, in microseconds.
    pub delay_us: i64,
}

impl IntervalJoinNode {
    /// Columns of the input before those of the sides: the side, and the event time.
    pub const FIRST: usize = 2;
    /// A bound as far as can be; sums with times of the next hundred thousand years do not overflow.
    pub const FAR_US: i64 = i64::MAX / 4;

    /// The same with open bounds no farther than state is kept.
    #[must_use]
    pub fn kept_for(&self, state_ttl_us: Option<i64>) -> Self {
        let mut node = self.clone();
        let far_us = state_ttl_us.unwrap_or(Self::FAR_US);
        if self.is_open.0 {
            node.lower_us = -far_us;
        }
        if self.is_open.1 {
            node.upper_us = far_us;
        }
        node
    }
}

/// The keys of a row of either side.
pub(super) fn keys_of_sides(keys: &[(Expr, Expr)]) -> Vec<Expr> {
    let key = |(left, right): &(Expr, Expr)| by_input(vec![left.clone(), right.clone()], &[0..1, 1..2], left.data_type);
    keys.iter().map(key).collect()
}

/// Bounds of the time from a left row to a right one.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) lower_us: Option<i64>,
    pub(super) upper_us: Option<i64>,
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

    /// Whether there are both.
    pub(super) fn are_both(self) -> bool {
        self.lower_us.is_some() && self.upper_us.is_some()
    }

    /// Whether there is any.
    pub(super) fn is_some(self) -> bool {
        self.lower_us.is_some() || self.upper_us.is_some()
    }

    /// At the same time.
    pub(super) fn same() -> Self {
        Self { lower_us: Some(0), upper_us: Some(0) }
    }
}

/// The columns whose times a condition compares.
pub(super) fn compared(term: &Expr) -> Option<(usize, usize)> {
    match &term.kind {
        ExprKind::Compare { left, right, .. } => Some((moment(left)?.0, moment(right)?.0)),
        _ => None,
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
