//! ORDER BY event time inside OVER: holds rows back until the watermark has passed them, then releases them in order.
//!
//! Rows leave by (event time, place in the input). What is held is what lies within the bound of the watermark.

use std::collections::VecDeque;

use bumpalo::Bump;

use crate::batch::{Batch, BatchBuffer, RowOrder, Selection};
use crate::error::Result;
use crate::types::{EventTime, OrderKey, Schema};

use super::{Context, Next, Operator};

/// A row that waits: its place in the result, and where its columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    key: OrderKey,
    segment: u64,
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
    /// Waiting rows, ascending.
    held: VecDeque<Held>,
    /// Segments by number; `segments[0]` has the number `first_segment`.
    segments: VecDeque<Segment>,
    first_segment: u64,
    free: Vec<BatchBuffer>,
    overlap: Vec<Held>,
    arriving: Vec<Held>,
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
            held: VecDeque::new(),
            segments: VecDeque::new(),
            first_segment: 0,
            free: Vec::new(),
            overlap: Vec::new(),
            arriving: Vec::new(),
            output: BatchBuffer::for_schema(schema),
            keys: Vec::new(),
            schema: schema.clone(),
            scratch: Bump::new(),
        }
    }

    /// Merges the arriving rows, sorted, into the held ones: only the part of those that is not before them moves.
    fn merge_arriving(&mut self) {
        self.arriving.sort_unstable();
        let Some(first) = self.arriving.first().copied() else { return };
        while let Some(last) = self.held.pop_back_if(|last| *last > first) {
            self.overlap.push(last);
        }
        for row in self.arriving.drain(..) {
            while let Some(earlier) = self.overlap.pop_if(|earlier| *earlier < row) {
                self.held.push_back(earlier);
            }
            self.held.push_back(row);
        }
        self.held.extend(self.overlap.drain(..).rev());
    }

    /// Moves the first `count` held rows to the output buffer.
    fn take(&mut self, count: usize, arena: &Bump) {
        self.output.clear();
        self.keys.clear();
        let mut run = bumpalo::collections::Vec::new_in(arena);
        let mut taken = 0;
        while taken < count {
            // Neighbours mostly come from one segment: those are copied together.
            let segment_number = self.held[0].segment;
            run.clear();
            while taken < count
                && let Some(held) = self.held.pop_front_if(|held| held.segment == segment_number)
            {
                run.push(held.row);
                self.keys.push(held.key);
                taken += 1;
            }
            let segment = &mut self.segments[(segment_number - self.first_segment) as usize];
            let columns = segment.rows.views(arena);
            self.output.append(columns, segment.rows.len(), Some(&run));
            segment.waiting -= run.len();
        }
        while let Some(segment) = self.segments.pop_front_if(|segment| segment.waiting == 0) {
            self.first_segment += 1;
            self.free.push(segment.rows);
        }
    }
}

impl Operator for Reorder {
    fn process(&mut self, batch: Batch<'_>, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        let mut rows = self.free.pop().unwrap_or_else(|| BatchBuffer::for_schema(&self.schema));
        rows.clear();
        rows.append(batch.columns, batch.rows, batch.selection.list());
        let segment = self.first_segment + self.segments.len() as u64;
        let times = batch.columns[self.column].int64();
        let mut row = 0;
        batch.for_each(|i| {
            let key = OrderKey { time: EventTime(times[i]), ..batch.key(i) };
            self.arriving.push(Held { key, segment, row });
            row += 1;
        });
        self.segments.push_back(Segment { waiting: rows.len(), rows });
        self.merge_arriving();
        Ok(())
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let ready = if watermark == EventTime::MAX {
            self.held.len()
        } else {
            self.held.partition_point(|h| h.key.time < watermark)
        };
        let mut left = ready;
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
