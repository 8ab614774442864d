//! Which columns of a result follow the watermark, and how far behind it.
//!
//! A column that does can be the event time of what comes next: of a window over the result, or of a join with it.

use super::branches::BranchesNode;
use super::expr::{ArithmeticOp, Expr, ExprKind};
use super::interval::IntervalJoinNode;
use super::query::{AggregateNode, Emit, Node, Plan, Scan, SourceInput, Step};
use super::relation::{Origin, Relation, joined_origin};
use crate::time::Windows;

/// How far the values of a column stay behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Once operators were told of watermark W, no row comes whose value is before W less so many microseconds.
    pub(super) lag_us: i64,
    /// Nor one whose value is that moment: a row leaves at once when the watermark reaches its value.
    pub(super) at_bound: bool,
}

impl Relation {
    /// The pace of a column.
    pub(super) fn pace(&self, column: usize) -> Option<Pace> {
        pace(&self.scan, &self.steps, column)
    }

    /// The same, if it is the watermark of the source that is followed: a join goes by that.
    pub(super) fn pace_of_source(&self, column: usize) -> Option<Pace> {
        let own = self.scan.source.watermark?.column;
        let follows = |index: usize| self.scan.projection.get(index) == Some(&own);
        self.pace(column).filter(|_| self.scan.event_time.is_none_or(|event_time| follows(event_time.column)))
    }

    /// The column that stays behind the watermark of the source least, if one follows it.
    pub(super) fn clock(&self) -> Option<(usize, Pace)> {
        let paced = (0..self.schema().len()).filter_map(|column| Some((column, self.pace_of_source(column)?)));
        paced.min_by_key(|(_, pace)| pace.lag_us)
    }
}

impl Plan {
    /// How far behind the watermark the rows that step `index` reads may be by the time of their window, in microseconds:
    /// by the length of a window if that is its start, because they leave at its end.
    pub fn rows_behind_us(&self, index: usize) -> i64 {
        let Node::Aggregate(AggregateNode { window: Some(window), .. }) = &self.steps[index].node else { return 0 };
        // That the column of the scan follows the watermark was seen when the query was planned.
        let of_scan = |_| Some(Pace { lag_us: 0, at_bound: false });
        of_steps(&of_scan, &self.steps[..index], window.column).map_or(0, |pace| pace.lag_us)
    }
}

/// The pace of a column of the last of `steps`, which start at `scan`.
pub(super) fn pace(scan: &Scan, steps: &[Step], column: usize) -> Option<Pace> {
    let of_scan = |index: usize| {
        let column = *scan.projection.get(index)?;
        let own = |input: &SourceInput| Some(input.start + input.source.watermark?.column);
        let source = &scan.source;
        let follows = match scan.event_time {
            Some(event_time) if event_time.column == index => true,
            _ if source.watermark.is_some_and(|watermark| watermark.column == column) => scan.event_time.is_none(),
            _ => source.inputs.iter().any(|input| own(input) == Some(column)) && source.watermark.is_some(),
        };
        follows.then_some(Pace { lag_us: 0, at_bound: false })
    };
    of_steps(&of_scan, steps, column)
}

fn of_steps(of_scan: &dyn Fn(usize) -> Option<Pace>, steps: &[Step], column: usize) -> Option<Pace> {
    let Some((step, before)) = steps.split_last() else { return of_scan(column) };
    let below = |column: usize| of_steps(of_scan, before, column);
    match &step.node {
        Node::Filter(_) => below(column),
        // Rows wait until those before them have come.
        Node::First(node) => below(column).map(|pace| Pace { lag_us: pace.lag_us.max(node.delay_us), at_bound: false }),
        Node::Project(exprs) => match exprs.get(column)?.kind {
            ExprKind::Column(column) => below(column),
            _ => None,
        },
        Node::Rows(node) if column + node.calls.len() < step.schema.len() => below(column),
        Node::Frames(node) if node.leaves_at_once() && column + node.calls.len() < step.schema.len() => below(column),
        Node::Rank(node) if node.window.is_some() && column + 1 < step.schema.len() => below(column),
        Node::Windows(node) => {
            let inner = below(node.column);
            match step.schema.len() - column {
                // A row comes while its window is open, or before.
                2 => {
                    inner.map(|inner| Pace { lag_us: inner.lag_us.saturating_add(node.longest_us()), at_bound: false })
                }
                1 => inner.map(|inner| Pace { lag_us: inner.lag_us, at_bound: inner.lag_us == 0 }),
                _ => below(column),
            }
        }
        Node::Lookup(node) if column + node.columns.len() < step.schema.len() => below(column),
        Node::Aggregate(node @ AggregateNode { window: Some(window), emit: Emit::Final, changelog: false, .. }) => {
            let inner = below(window.column)?;
            if let Some(key) = node.keys.get(column) {
                // Groups of one moment of results.
                let of_moment = matches!(window.windows, Windows::Tumbling { size_us: 1 });
                return match key.kind {
                    ExprKind::Column(key) if of_moment => {
                        let key = below(key)?;
                        Some(Pace { lag_us: key.lag_us.max(inner.lag_us), at_bound: false })
                    }
                    _ => None,
                };
            }
            let longest_us = match window.windows {
                Windows::Tumbling { size_us } | Windows::Hopping { size_us, .. } => Some(size_us),
                Windows::Cumulating { max_us, .. } => Some(max_us),
                // The start of a session may lie any time before its end.
                Windows::Session { .. } | Windows::All => None,
            };
            match (step.schema.len() - column, longest_us) {
                (2, Some(size_us)) => Some(Pace { lag_us: inner.lag_us.saturating_add(size_us), at_bound: false }),
                (1, _) => Some(Pace { lag_us: inner.lag_us, at_bound: inner.lag_us == 0 }),
                _ => None,
            }
        }
        Node::IntervalJoin(node) => {
            let is_left = column < node.left_columns;
            let (waits_us, is_nullable, is_open) = match is_left {
                true => (node.upper_us, node.right_outer, node.is_open.1),
                false => (node.lower_us.saturating_neg(), node.left_outer, node.is_open.0),
            };
            if is_nullable || is_open {
                return None;
            }
            of_join(of_scan, before, column, is_left, waits_us.max(0).saturating_add(node.delay_us))
        }
        // A version may be as old as it likes.
        Node::AsOf(node) if column < node.left_columns => of_join(of_scan, before, column, true, node.delay_us),
        _ => None,
    }
}

/// A row leaves a join once no partner can come any more, at the latest: so long after its event time.
fn of_join(
    of_scan: &dyn Fn(usize) -> Option<Pace>,
    steps: &[Step],
    column: usize,
    is_left: bool,
    lag_us: i64,
) -> Option<Pace> {
    let (exprs, origins) = side(steps, is_left)?;
    let (time, own) = (exprs.get(SourceInput::EVENT_TIME)?, exprs.get(IntervalJoinNode::FIRST + column)?);
    let ExprKind::Column(own) = own.kind else { return None };
    let of_time = match origins {
        // Without branches both sides' event time is the whole's.
        None => match (time_column(time)?, of_steps(of_scan, &steps[..steps.len() - 1], own)) {
            (SourceInput::EVENT_TIME, pace) => return pace.map(|pace| Pace { lag_us: pace.lag_us + lag_us, ..pace }),
            (column, _) => column,
        },
        Some(_) => time_column(time)?,
    };
    if own == of_time {
        return Some(Pace { lag_us, at_bound: false });
    }
    // The start of the window whose end is the time.
    match (joined_origin(origins?, own), joined_origin(origins?, of_time)) {
        (Origin::WindowStart(size_us), Origin::WindowEnd) => {
            Some(Pace { lag_us: lag_us.saturating_add(size_us), at_bound: false })
        }
        _ => None,
    }
}

/// The columns that a side of a join before whose node `steps` stand is made of, and the steps of its branch up to there,
/// if it is one.
fn side(steps: &[Step], is_left: bool) -> Option<(&[Expr], Option<&[Step]>)> {
    match &steps.last()?.node {
        Node::Project(exprs) => Some((exprs, None)),
        Node::Branches(BranchesNode { branches }) => {
            let (last, before) = branches.get(usize::from(!is_left))?.steps.split_last()?;
            match &last.node {
                Node::Project(exprs) => Some((exprs, Some(before))),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The column that an event time is, or is just before.
fn time_column(time: &Expr) -> Option<usize> {
    match &time.kind {
        ExprKind::Column(column) => Some(*column),
        ExprKind::Arithmetic { op: ArithmeticOp::Subtract, left, .. } => time_column(left),
        _ => None,
    }
}

/// If both sides of a join are windows that are the same, the steps that lead to a column of it, and the column there.
pub(super) fn same_windows<'s>(
    node: &IntervalJoinNode,
    steps: &'s [Step],
    column: usize,
) -> Option<(&'s [Step], usize)> {
    let is_left = column < node.left_columns;
    let is_nullable = if is_left { node.right_outer } else { node.left_outer };
    if is_nullable || (node.lower_us, node.upper_us) != (0, 0) {
        return None;
    }
    let (exprs, steps) = side(steps, is_left)?;
    let (steps, time) = (steps?, time_column(exprs.get(SourceInput::EVENT_TIME)?)?);
    let ExprKind::Column(own) = exprs.get(IntervalJoinNode::FIRST + column)?.kind else { return None };
    (joined_origin(steps, time) == Origin::WindowEnd).then_some((steps, own))
}
