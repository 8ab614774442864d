//! Windows of rows that are not grouped: a table function in FROM gives each row the bounds of its windows.

use super::coerce::Planned;
use super::expr::{Expr, ExprKind};
use super::query::{Node, Step};
use super::relation::{Origin, Relation, origin};
use super::scope::{suggest, wrong};
use super::select::windows;
use crate::limits;
use crate::sql::ast;
use crate::time::{Lateness, Windows};
use crate::types::{DataType, Field, Schema};

/// Repeats each row for every window that it belongs to. Output columns: the input's, then `window_start` and `window_end`
/// (TIMESTAMP).
#[derive(Debug, Clone, PartialEq)]
pub struct WindowsNode {
    /// Event-time column of the node's input.
    pub column: usize,
    /// The windows; no sessions.
    pub windows: Windows,
    /// Whether a record is late for those of its windows that the watermark has closed: rows meet others of their window in a
    /// join.
    pub closes: bool,
}

impl WindowsNode {
    /// When a record is late for its windows.
    pub fn lateness(&self) -> Lateness {
        Lateness { windows: self.windows, allowed_us: 0, every_us: None, corrects: false }
    }

    /// How many windows a row belongs to at most.
    pub fn most(&self) -> u32 {
        u32::try_from(per_row(self.windows)).unwrap_or(u32::MAX)
    }

    /// Length of the longest window.
    pub(super) fn longest_us(&self) -> i64 {
        match self.windows {
            Windows::Tumbling { size_us } | Windows::Hopping { size_us, .. } => size_us,
            Windows::Cumulating { max_us, .. } => max_us,
            Windows::Session { .. } | Windows::All => i64::MAX,
        }
    }
}

fn per_row(windows: Windows) -> i64 {
    match windows {
        Windows::Hopping { size_us, slide_us } => size_us.saturating_add(slide_us - 1) / slide_us,
        Windows::Cumulating { step_us, max_us } => max_us / step_us,
        Windows::Tumbling { .. } | Windows::Session { .. } | Windows::All => 1,
    }
}

/// Gives the rows of a relation the bounds of their windows.
pub(super) fn assign(relation: &mut Relation, window: &ast::Window) -> Planned<()> {
    let mut schema = relation.schema();
    let Some(name) = &window.column else {
        return Err(wrong(window.span, "the window has no event-time column", "write DESCRIPTOR(column)"));
    };
    let Some(column) = schema.index_of(&name.value) else {
        let names = schema.fields.iter().map(|field| field.name.as_str());
        let help = suggest(&name.value, names, "columns are");
        return Err(wrong(name.span, format!("unknown column {}", name.value), help));
    };
    let field = &schema.fields[column];
    if field.data_type != DataType::Timestamp {
        let message = format!("the event time of a window is a TIMESTAMP, {} is {}", field.name, field.data_type);
        return Err(wrong(name.span, message, "declare the column TIMESTAMP"));
    }
    let windows = windows(window)?;
    if let Windows::Session { .. } = windows {
        let help = "add GROUP BY key: where a session starts and ends is known when its rows have come";
        return Err(wrong(window.span, "SESSION without GROUP BY or an aggregate is not supported", help));
    }
    if per_row(windows) > limits::ROW_WINDOWS_MAX {
        let (count, most) = (per_row(windows), limits::ROW_WINDOWS_MAX);
        let message = format!("a row belongs to {count} windows, without GROUP BY {most} are allowed");
        return Err(wrong(window.span, message, "choose a longer slide or step, or GROUP BY window_start, window_end"));
    }
    schema.fields.extend(["window_start", "window_end"].map(|name| Field::new(name, DataType::Timestamp)));
    let node = Node::Windows(WindowsNode { column, windows, closes: false });
    relation.steps.push(Step { node, schema });
    Ok(())
}

/// Appends a filter; one that does not look at the windows of rows comes before them.
pub(super) fn push_filter(steps: &mut Vec<Step>, mut filter: Expr, schema: &Schema) {
    let mut before = steps.len();
    if let Some(Step { node: Node::Windows(_), .. }) = steps.last() {
        let mut looks = false;
        filter.map_columns(&mut |column| {
            looks |= column + 2 >= schema.len();
            column
        });
        before -= usize::from(!looks);
    }
    let fields = &schema.fields[..schema.len() - 2 * (steps.len() - before)];
    steps.insert(before, Step { node: Node::Filter(filter), schema: Schema::new(fields.to_vec()) });
}

/// Notes that rows leave `steps` by the windows whose bound is in `column`, if that is so: records are late by window then.
/// `follows` is the column of the scan that the watermark is of.
pub(super) fn close_by(steps: &mut [Step], mut column: usize, follows: usize) {
    for index in (0..steps.len()).rev() {
        let (before, rest) = steps.split_at_mut(index);
        let width = rest[0].schema.len();
        match &mut rest[0].node {
            Node::Filter(_) => {}
            Node::Project(exprs) => match exprs.get(column).map(|expr| &expr.kind) {
                Some(ExprKind::Column(below)) => column = *below,
                _ => return,
            },
            Node::Windows(node) if column + 2 < width => {}
            Node::Windows(node) => {
                node.closes = origin(before, node.column) == Origin::Scan(follows);
                return;
            }
            _ => return,
        }
    }
}
