//! What a query reads or yields: a chain of steps over one scan, and the names of its columns.

use std::ops::Range;

use super::expr::ExprKind;
use super::pace::same_windows;
use super::query::{AggregateNode, Emit, EventTimeColumn, Node, Plan, Scan, Step};
use super::timing::Timing;
use crate::limits;
use crate::time::Windows;
use crate::types::Schema;

/// Rows with names. The scan reads all columns of its source; [`super::prune`] cuts that down in the end.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) scan: Scan,
    pub(super) steps: Vec<Step>,
    /// The names in front of a dot, each with its columns.
    pub(super) parts: Vec<Part>,
    /// Whether the rows have an end.
    pub(super) bounded: bool,
    /// What errors call it.
    pub(super) name: String,
}

/// Columns of one source or query in FROM.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Alias or name; a query in parentheses may have none.
    pub(super) name: Option<String>,
    pub(super) columns: Range<usize>,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A column of the scan, as it is.
    Scan(usize),
    /// The start of a window of so many microseconds.
    WindowStart(i64),
    /// The end of a window.
    WindowEnd,
    /// Computed.
    Other,
}

impl Relation {
    /// Columns.
    pub(super) fn schema(&self) -> Schema {
        self.steps.last().map_or_else(|| self.scan.schema(), |step| step.schema.clone())
    }

    /// Whether a step needs the whole result, so that no other step can follow it in a partition.
    pub(super) fn is_gathered(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.node, Node::Sort(_) | Node::Limit { .. }))
    }

    /// Whether it is columns and filters over its source.
    pub(super) fn is_plain(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.node, Node::Filter(_) | Node::Project(_)))
    }

    /// Whether a step keeps state by key.
    pub(super) fn is_keyed(&self) -> bool {
        self.steps.iter().any(|step| step.node.is_keyed())
    }

    /// Where a column comes from.
    pub(super) fn origin(&self, column: usize) -> Origin {
        origin(&self.steps, column)
    }

    /// The column that holds the watermarked column of the source, and the bound.
    pub(super) fn watermark(&self) -> Option<EventTimeColumn> {
        let declared = self.scan.source.watermark?;
        let column = (0..self.schema().len()).find(|&column| self.origin(column) == Origin::Scan(declared.column))?;
        Some(EventTimeColumn { column, bound_us: declared.bound_us })
    }

    /// A column of the scan as event time, with the bound of its watermark.
    pub(super) fn event_time(&self, scanned: usize) -> EventTimeColumn {
        match self.scan.source.watermark {
            Some(watermark) if watermark.column == scanned => watermark,
            _ => EventTimeColumn { column: scanned, bound_us: limits::WATERMARK_BOUND_US },
        }
    }

    /// The plan, not pruned yet.
    pub(super) fn into_plan(self) -> Plan {
        Plan { scan: self.scan, steps: self.steps, timing: Timing::default(), tables: Vec::new() }
    }
}

/// Where a column of the last of `steps` comes from.
pub(super) fn origin(steps: &[Step], column: usize) -> Origin {
    find_origin(steps, column, false)
}

/// The same of a side of a join: the bounds of windows of single rows are those of windows there, because rows meet when these close.
pub(super) fn joined_origin(steps: &[Step], column: usize) -> Origin {
    find_origin(steps, column, true)
}

fn find_origin(steps: &[Step], mut column: usize, joined: bool) -> Origin {
    for (index, step) in steps.iter().enumerate().rev() {
        match &step.node {
            Node::Filter(_) | Node::First(_) | Node::Sort(_) | Node::Limit { .. } => {}
            Node::Project(exprs) => match exprs.get(column).map(|expr| &expr.kind) {
                Some(ExprKind::Column(below)) => column = *below,
                _ => return Origin::Other,
            },
            Node::Rows(node) if column + node.calls.len() < step.schema.len() => {}
            Node::Frames(node) if column + node.calls.len() < step.schema.len() => {}
            Node::Rank(_) if column + 1 < step.schema.len() => {}
            Node::Lookup(node) if column + node.columns.len() < step.schema.len() => {}
            Node::Windows(node) => match step.schema.len() - column {
                2 if joined => return Origin::WindowStart(node.longest_us()),
                1 if joined => return Origin::WindowEnd,
                1 | 2 => return Origin::Other,
                _ => {}
            },
            Node::Aggregate(AggregateNode {
                window: Some(window), emit: Emit::Final, changelog: false, keys, ..
            }) => {
                // Groups of results of one moment: their windows are those of the results.
                if let (Some(key), Windows::Tumbling { size_us: 1 }) = (keys.get(column), window.windows) {
                    match key.kind {
                        ExprKind::Column(below) => column = below,
                        _ => return Origin::Other,
                    }
                    continue;
                }
                // The start of a session may lie any time before its end.
                let longest_us = match window.windows {
                    Windows::Tumbling { size_us } | Windows::Hopping { size_us, .. } => Some(size_us),
                    Windows::Cumulating { max_us, .. } => Some(max_us),
                    Windows::Session { .. } | Windows::All => None,
                };
                return match (step.schema.len() - column, longest_us) {
                    (2, Some(longest_us)) => Origin::WindowStart(longest_us),
                    (1, _) => Origin::WindowEnd,
                    _ => Origin::Other,
                };
            }
            Node::IntervalJoin(node) => {
                let same = same_windows(node, &steps[..index], column);
                return same.map_or(Origin::Other, |(steps, column)| joined_origin(steps, column));
            }
            Node::Aggregate(_)
            | Node::Rows(_)
            | Node::Frames(_)
            | Node::Rank(_)
            | Node::Branches(_)
            | Node::AsOf(_)
            | Node::Lookup(_) => return Origin::Other,
        }
    }
    Origin::Scan(column)
}
