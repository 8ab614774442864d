//! ORDER BY event time inside OVER: holds rows back until the watermark has passed them, then releases them in order.
//!
//! Rows leave by (event time, place in the input). What is held is what lies within the bound of the watermark.

use std::collections::VecDeque;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, RowOrder, Run, Selection};
use crate::error::Result;
use crate::types::{EventTime, OrderKey, Schema};

use super::{Context, Next, Operator};

/// A row that waits: its place in the result, and where its columns are. No two have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    key: OrderKey,
    /// Number of the segment, its lower bits.
    segment: u32,
    row: u32,
}

/// The columns of the rows of one batch, kept until the last of them has left.
struct Segment {
    rows: BatchBuffer,
    waiting: usize,
}

/// Releases rows by event time.
pub struct Reorder {
    column: usize,
    /// Of rows of one time those with this number in this column come first.
    first: Option<(usize, i32)>,
    /// Waiting rows, ascending, from `released` on.
    held: Vec<Held>,
    released: usize,
    /// Segments by number; `segments[0]` has the number `first_segment`.
    segments: VecDeque<Segment>,
    first_segment: u32,
    free: Vec<BatchBuffer>,
    /// Rows of the arriving batch that are not before one that came earlier, and the others.
    in_order: Vec<Held>,
    behind: Vec<Held>,
    output: BatchBuffer,
    keys: Vec<OrderKey>,
    schema: Schema,
    /// Freed after every released batch: one advance may release much.
    scratch: Bump,
}

impl Reorder {
    /// Rows released at a time. Any value is correct.
    const BATCH_ROWS: usize = 4096;

    /// Orders by the event time in `column` of rows of `schema`.
    pub fn new(column: usize, schema: &Schema) -> Self {
        Self {
            column,
            first: None,
            held: Vec::new(),
            released: 0,
            segments: VecDeque::new(),
            first_segment: 0,
            free: Vec::new(),
            in_order: Vec::new(),
            behind: Vec::new(),
            output: BatchBuffer::for_schema(schema),
            keys: Vec::new(),
            schema: schema.clone(),
            scratch: Bump::new(),
        }
    }

    /// Of rows of one time those that have `number` in an INT column come first.
    pub fn with_first(self, column: usize, number: i32) -> Self {
        Self { first: Some((column, number)), ..self }
    }

    /// Moves the first `count` held rows to the output buffer.
    fn take(&mut self, count: usize, arena: &Bump) {
        self.output.clear();
        self.keys.clear();
        // Neighbours mostly come from one segment, one after another: those are copied together.
        let mut runs: BumpVec<'_, Run> = BumpVec::new_in(arena);
        let taken = &self.held[self.released..self.released + count];
        for held in taken {
            let source = held.segment.wrapping_sub(self.first_segment);
            match runs.last_mut() {
                Some(run) if run.source == source && run.end == held.row => run.end += 1,
                _ => runs.push(Run { source, start: held.row, end: held.row + 1 }),
            }
        }
        self.keys.extend(taken.iter().map(|held| held.key));
        self.released += count;
        let sources = &*arena.alloc_slice_fill_iter(self.segments.iter().map(|segment| &segment.rows));
        self.output.append_runs(sources, &runs);
        for run in &runs {
            self.segments[run.source as usize].waiting -= (run.end - run.start) as usize;
        }
        while let Some(segment) = self.segments.pop_front_if(|segment| segment.waiting == 0) {
            self.first_segment = self.first_segment.wrapping_add(1);
            self.free.push(segment.rows);
        }
        if self.released > self.held.len() / 2 {
            self.held.drain(..self.released);
            self.released = 0;
        }
    }
}

/// Merges sorted rows into the held ones from `first` on, from behind: only what is not before them moves.
fn merge(held: &mut Vec<Held>, first: usize, rows: &[Held]) {
    let mut old = held.len();
    held.extend_from_slice(rows);
    let mut new = rows.len();
    for place in (first..held.len()).rev() {
        if new == 0 || old == first {
            break;
        }
        if held[old - 1] > rows[new - 1] {
            old -= 1;
            held[place] = held[old];
        } else {
            new -= 1;
            held[place] = rows[new];
        }
    }
    held[first..first + new].copy_from_slice(&rows[..new]);
}

impl Operator for Reorder {
    fn name(&self) -> &'static str {
        "order by event time"
    }

    fn process(&mut self, batch: Batch<'_>, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        let mut rows = self.free.pop().unwrap_or_else(|| BatchBuffer::for_schema(&self.schema));
        rows.clear();
        rows.append(batch.columns, batch.rows, batch.selection.list());
        let segment = self.first_segment.wrapping_add(self.segments.len() as u32);
        let times = batch.columns[self.column].int64();
        self.in_order.clear();
        self.behind.clear();
        let mut row = 0;
        let first = self.first.map(|(column, number)| (batch.columns[column].int32(), number));
        let mut latest = OrderKey::MIN;
        batch.for_each(|i| {
            let stage = first.map_or(0, |(numbers, number)| u32::from(numbers[i] != number));
            let key = OrderKey { time: EventTime(times[i]), stage, ..batch.key(i) };
            let held = Held { key, segment, row };
            if key >= latest {
                latest = key;
                self.in_order.push(held);
            } else {
                self.behind.push(held);
            }
            row += 1;
        });
        self.segments.push_back(Segment { waiting: rows.len(), rows });
        self.behind.sort_unstable();
        merge(&mut self.held, self.released, &self.in_order);
        merge(&mut self.held, self.released, &self.behind);
        Ok(())
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        let segments = self.segments.iter().map(|segment| segment.rows.size_bytes()).sum::<usize>();
        Some(("ORDER BY inside OVER", segments + self.held.capacity() * size_of::<Held>()))
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let waiting = &self.held[self.released..];
        let mut left = match watermark {
            EventTime::MAX => waiting.len(),
            _ => waiting.partition_point(|held| held.key.time < watermark),
        };
        while left > 0 {
            let count = left.min(Self::BATCH_ROWS);
            let mut scratch = std::mem::take(&mut self.scratch);
            self.take(count, &scratch);
            let columns = self.output.views(&scratch);
            let batch = Batch { rows: count, columns, selection: Selection::All, order: RowOrder::Keys(&self.keys) };
            next(batch, &mut context.with_arena(&scratch))?;
            scratch.reset();
            self.scratch = scratch;
            left -= count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Merging lists one after another gives what sorting all of them gives.
        #[test]
        fn merging_is_sorting(lists in prop::collection::vec(prop::collection::vec(-20i64..20, 0..12), 0..8), first in 0usize..3) {
            let sorted = |mut rows: Vec<Held>| { rows.sort_unstable(); rows };
            let mut number = 0;
            let mut held = Vec::new();
            let mut all = Vec::new();
            // What was released before is not touched, whatever it is.
            let before = Held { key: OrderKey::MAX, segment: 0, row: 0 };
            held.resize(first, before);
            for list in lists {
                let rows = sorted(list.into_iter().map(|time| {
                    number += 1;
                    Held { key: OrderKey { time: EventTime(time), row: number, ..OrderKey::MIN }, segment: 0, row: 0 }
                }).collect());
                merge(&mut held, first, &rows);
                all.extend(rows);
            }
            prop_assert!(held[..first].iter().all(|row| *row == before));
            prop_assert_eq!(&held[first..], sorted(all));
        }
    }
}
