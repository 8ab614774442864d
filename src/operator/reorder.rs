//! ORDER BY event time inside OVER: holds rows back until the watermark has passed them, then releases them in order.
//!
//! Rows leave by (event time, place in the input). What is held is what lies within the bound of the watermark.

use bumpalo::Bump;

use crate::batch::{Batch, BatchBuffer, RowOrder, Selection};
use crate::error::Result;
use crate::types::{EventTime, OrderKey, Schema};

use super::waiting::WaitingRows;
use super::{Context, Next, Operator};

/// Releases rows by event time.
pub struct Reorder {
    column: usize,
    /// Of rows of one time those with this number in this column come first.
    first: Option<(usize, i32)>,
    waiting: WaitingRows,
    output: BatchBuffer,
    keys: Vec<OrderKey>,
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
            waiting: WaitingRows::new(schema.fields.iter().map(|field| field.data_type).collect()),
            output: BatchBuffer::for_schema(schema),
            keys: Vec::new(),
            scratch: Bump::new(),
        }
    }

    /// Of rows of one time those that have `number` in an INT column come first.
    pub fn with_first(self, column: usize, number: i32) -> Self {
        Self { first: Some((column, number)), ..self }
    }
}

impl Operator for Reorder {
    fn name(&self) -> &'static str {
        "order by event time"
    }

    fn process(&mut self, batch: Batch<'_>, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        let times = batch.columns[self.column].int64();
        let first = self.first.map(|(column, number)| (batch.columns[column].int32(), number));
        let stage = |i: usize| first.map_or(0, |(numbers, number)| u32::from(numbers[i] != number));
        let key = |i: usize| OrderKey { time: EventTime(times[i]), stage: stage(i), ..batch.key(i) };
        self.waiting.push(batch.columns, batch.rows, batch.selection.list(), key);
        Ok(())
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("ORDER BY inside OVER", self.waiting.held_bytes()))
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let mut left = self.waiting.ready(watermark);
        while left > 0 {
            let count = left.min(Self::BATCH_ROWS);
            let mut scratch = std::mem::take(&mut self.scratch);
            self.output.clear();
            self.keys.clear();
            self.waiting.take(count, &scratch, &mut self.output, &mut self.keys);
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
