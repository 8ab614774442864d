//! Reads only the columns that are used, and drops a Project that changes nothing.
//!
//! A plan is built over all columns of its source; here the scan's projection is cut down and every index that refers
//! to it moves along. Filter and Rows pass the scan's columns on; the first Project or Aggregate ends their reach.

use super::expr::{Expr, ExprKind};
use super::frames::Arrangement;
use super::query::{Emit, Node, Plan, RowsOrder, Scan, SourceInput, Step, Window};
use crate::types::Schema;

/// Cuts down the projection of `plan` (which must be all columns), then drops the last Project if it is an identity. Sort and
/// Limit at its end, and the Project behind them, stay as they are: they name columns of the result.
pub(super) fn prune(plan: &mut Plan) {
    let gathered = |step: &Step| matches!(step.node, Node::Sort(_) | Node::Limit { .. });
    let end = plan.steps.iter().position(gathered).unwrap_or(plan.steps.len());
    let gathered = plan.steps.split_off(end);
    prune_steps(plan);
    let schema = plan.output();
    plan.steps.extend(gathered.into_iter().map(|step| match step.node {
        Node::Project(_) => step,
        _ => Step { schema: schema.clone(), ..step },
    }));
}

fn prune_steps(plan: &mut Plan) {
    let width = plan.scan.projection.len();
    let mut used = vec![false; width];
    let mut mark = |index: usize| {
        if let Some(used) = used.get_mut(index) {
            *used = true;
        }
        index
    };
    if let Some(event_time) = plan.scan.event_time {
        mark(event_time.column);
    }
    each_step(&mut plan.steps, &mut mark);
    // Without a step that ends their reach all columns are the result's.
    if !plan.steps.iter().any(|step| matches!(step.node, Node::Project(_) | Node::Aggregate(_) | Node::Branches(_))) {
        (0..width).for_each(|index| {
            mark(index);
        });
    }
    let mut place = vec![0; width];
    let mut projection = Vec::new();
    for (index, _) in used.iter().enumerate().filter(|(_, used)| **used) {
        place[index] = projection.len();
        projection.push(index);
    }
    let kept = projection.len();
    // Columns behind the scan's are those that a Rows step appends.
    project(plan, projection, &mut |index| if index < width { place[index] } else { index - width + kept });
    drop_identity(&plan.scan, &mut plan.steps);
}

impl Plan {
    /// Reads all columns of the source, also those that the query does not use: records are to be written as they were.
    pub fn read_all_columns(&mut self) {
        let (from, width) = (self.scan.projection.clone(), self.scan.source.schema.len());
        let place = |index: usize| from.get(index).copied().unwrap_or_else(|| index - from.len() + width);
        project(self, (0..width).collect(), &mut |index| place(index));
    }
}

/// Makes the scan read `projection`; `remap` tells where a column of it, or one that a step appends, is now.
fn project(plan: &mut Plan, projection: Vec<usize>, remap: &mut impl FnMut(usize) -> usize) {
    let width = plan.scan.projection.len();
    each_step(&mut plan.steps, remap);
    if let Some(event_time) = &mut plan.scan.event_time {
        event_time.column = remap(event_time.column);
    }
    for step in &mut plan.steps {
        match step.node {
            Node::Filter(_)
            | Node::First(_)
            | Node::Rows(_)
            | Node::Frames(_)
            | Node::Rank(_)
            | Node::Windows(_)
            | Node::Lookup(_) => {
                let appended = step.schema.fields.split_off(width.min(step.schema.len()));
                step.schema = plan.scan.source.schema.project(&projection);
                step.schema.fields.extend(appended);
            }
            _ => break,
        }
    }
    plan.scan.projection = projection;
}

/// Applies `f` to every index into the scan's columns.
fn each_step(steps: &mut [Step], f: &mut impl FnMut(usize) -> usize) {
    for step in steps {
        match &mut step.node {
            Node::Filter(expr) => expr.map_columns(f),
            Node::Rows(node) => {
                node.partition_by.iter_mut().for_each(|expr| expr.map_columns(f));
                if let RowsOrder::EventTime { column } = &mut node.order {
                    *column = f(*column);
                }
                node.calls.iter_mut().filter_map(|call| call.arg.as_mut()).for_each(|expr| expr.map_columns(f));
            }
            Node::Frames(node) => {
                node.exprs_mut().for_each(|expr| expr.map_columns(f));
                if let Arrangement::EventTime { column } = &mut node.arrangement {
                    *column = f(*column);
                }
            }
            Node::Rank(node) => {
                let columns = node.partition_by.iter_mut().chain(&mut node.window);
                columns.chain(node.order.iter_mut().map(|key| &mut key.column)).for_each(|column| *column = f(*column));
            }
            Node::First(node) => {
                node.column = f(node.column);
                node.keys.iter_mut().for_each(|key| key.map_columns(f));
            }
            Node::Windows(node) => node.column = f(node.column),
            Node::Lookup(node) => node.keys.iter_mut().for_each(|(key, _)| key.map_columns(f)),
            Node::Aggregate(node) => {
                node.keys.iter_mut().for_each(|expr| expr.map_columns(f));
                if let Some(Window { column, .. }) = &mut node.window {
                    *column = f(*column);
                }
                if let Emit::Every { column, .. } = &mut node.emit {
                    *column = f(*column);
                }
                node.calls.iter_mut().flat_map(|call| call.exprs_mut()).for_each(|expr| expr.map_columns(f));
                return;
            }
            Node::Project(exprs) => {
                exprs.iter_mut().for_each(|expr| expr.map_columns(f));
                return;
            }
            Node::Branches(node) => {
                f(SourceInput::NUMBER);
                node.branches.iter_mut().for_each(|branch| each_step(&mut branch.steps, f));
                return;
            }
            // A projection, or branches, stand before a join.
            Node::IntervalJoin(_) | Node::AsOf(_) | Node::Sort(_) | Node::Limit { .. } => return,
        }
    }
}

/// A Project that passes all columns in order is dropped; the names it gives move to the Aggregate or Rows step before
/// it. Over the scan itself it stays if it renames.
pub(super) fn drop_identity(scan: &Scan, steps: &mut Vec<Step>) {
    let Some((project, before)) = steps.split_last_mut() else { return };
    let Node::Project(exprs) = &project.node else { return };
    let input: Schema = before.last().map_or_else(|| scan.schema(), |step| step.schema.clone());
    let passes = |(index, expr): (usize, &Expr)| matches!(expr.kind, ExprKind::Column(column) if column == index);
    if exprs.len() != input.len() || !exprs.iter().enumerate().all(passes) {
        return;
    }
    let same = input.fields.iter().zip(&project.schema.fields).all(|(a, b)| a.name == b.name);
    if !same {
        // HAVING stands between; it passes the names of the step below on.
        let below = before.iter().rposition(|step| !matches!(step.node, Node::Filter(_)));
        let named = |index: &usize| {
            matches!(before[*index].node, Node::Aggregate(_) | Node::Rows(_) | Node::Frames(_) | Node::Rank(_))
        };
        let Some(below) = below.filter(named) else { return };
        for step in &mut before[below..] {
            step.schema = project.schema.clone();
        }
    }
    steps.pop();
}
