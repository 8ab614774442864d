//! Gives each row the bounds of its windows: a row for every window that it belongs to, by the end of the windows.
//!
//! Windows that the watermark had closed when a row came, as its stage of lateness tells, are left out. Where windows do not
//! overlap rows stay where they are, and only the bounds are computed; else all columns are gathered.

use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, Column, Selection, Values, gather};
use crate::error::Result;
use crate::plan::WindowsNode;
use crate::time::Lateness;

use super::lookup::order_of_copies;
use super::{Context, Next, Operator};

/// Assigns windows.
pub struct AssignWindows {
    column: usize,
    lateness: Lateness,
    /// Whether the stage of rows is that of these windows.
    closes: bool,
    /// Places of a row that leaves.
    places: u32,
}

impl AssignWindows {
    /// For a node of a plan, of each of whose rows so many rows may come.
    pub fn new(node: &WindowsNode, places: u32) -> Self {
        Self { column: node.column, lateness: node.lateness(), closes: node.closes, places }
    }
}

impl Operator for AssignWindows {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let column = batch.columns[self.column];
        let times = column.int64();
        let mut timed = BumpVec::with_capacity_in(batch.selected(), arena);
        let mut result = Ok(());
        batch.for_each(|i| {
            if column.is_valid(i) {
                timed.push(i as u32);
            } else if result.is_ok() {
                result = context.fail(batch.key(i), &"the event time is NULL");
            }
        });
        result?;
        let stage = if self.closes { context.stage } else { 0 };
        let slices = self.lateness.slices();
        let bounds = |starts, ends| [starts, ends].map(|bound| Column::valid(Values::Int64(bound)));
        if !self.lateness.windows.overlap() {
            let starts = arena.alloc_slice_fill_copy(batch.rows, 0);
            let ends = arena.alloc_slice_fill_copy(batch.rows, 0);
            for &i in &timed {
                let start = slices.start(times[i as usize]);
                (starts[i as usize], ends[i as usize]) = (start, slices.end(start).0);
            }
            let columns = batch.columns.iter().copied().chain(bounds(starts, ends));
            let columns = BumpVec::from_iter_in(columns, arena).into_bump_slice();
            let selection = if timed.len() == batch.rows { Selection::All } else { Selection::Rows(&timed) };
            return next(Batch { columns, selection, ..batch }, context);
        }
        let mut rows = BumpVec::with_capacity_in(timed.len(), arena);
        let mut numbers = BumpVec::with_capacity_in(timed.len(), arena);
        let (mut starts, mut ends) = (BumpVec::new_in(arena), BumpVec::new_in(arena));
        for &i in &timed {
            let windows = self.lateness.running(slices.start(times[i as usize]), stage);
            for ((_, window), number) in windows.zip(0..) {
                rows.push(i);
                numbers.push(number);
                starts.push(window.start);
                ends.push(window.end.0);
            }
        }
        let (rows, added) = (rows.into_bump_slice(), bounds(starts.into_bump_slice(), ends.into_bump_slice()));
        let passed = batch.columns.iter().map(|column| gather(column, rows, arena));
        let columns = BumpVec::from_iter_in(passed.chain(added), arena).into_bump_slice();
        let order = order_of_copies(&batch, rows, &numbers, self.places, arena);
        let spread = Batch { rows: rows.len(), columns, selection: Selection::All, order };
        // Several rows may stand for one record.
        let mut inner = context.with_arena(arena);
        inner.rows_are_records = false;
        next(spread, &mut inner)
    }
}
