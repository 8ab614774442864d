//! Groups of a closed pane as batches: keys, results, window bounds, in the order of first appearance.

use std::sync::Arc;

use bumpalo::Bump;

use crate::batch::{Batch, BatchBuffer, RowOrder};
use crate::error::Result;
use crate::state::{Groups, StateLayout};
use crate::types::{EventTime, OrderKey, Schema};

use super::{Context, Next};

/// Turns groups into rows of the aggregate's output schema.
pub struct GroupEmitter {
    layout: Arc<StateLayout>,
    keys: usize,
    windowed: bool,
    buffer: BatchBuffer,
    places: Vec<OrderKey>,
    order: Vec<u32>,
    scratch: Bump,
}

impl GroupEmitter {
    /// Groups in a batch. Any value is correct.
    const BATCH_GROUPS: usize = 4096;

    /// For `keys` key columns and the results of `layout`, with window bounds if `windowed`; `schema` names them all.
    pub fn new(layout: Arc<StateLayout>, keys: usize, windowed: bool, schema: &Schema) -> Self {
        Self {
            layout,
            keys,
            windowed,
            buffer: BatchBuffer::for_schema(schema),
            places: Vec::new(),
            order: Vec::new(),
            scratch: Bump::new(),
        }
    }

    /// Passes all groups of the pane `[start, end)` to `next`.
    pub fn emit(
        &mut self,
        groups: &Groups,
        start: i64,
        end: EventTime,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        groups.in_order(&mut self.order);
        let results = self.keys..self.keys + self.layout.accumulators.len();
        for part in self.order.chunks(Self::BATCH_GROUPS) {
            self.buffer.clear();
            self.places.clear();
            let columns = &mut self.buffer.columns;
            for &group in part {
                groups.push_key(group, &mut columns[..self.keys]);
            }
            groups.push_results(&self.layout, part, &mut columns[results.clone()])?;
            if self.windowed {
                columns[results.end].extend_int64(part.iter().map(|_| Some(start)));
                columns[results.end + 1].extend_int64(part.iter().map(|_| Some(end.0)));
            }
            self.buffer.rows_pushed(part.len());
            for &group in part {
                let (sequence, row) = groups.first(group);
                // Rows of one window stand together, windows by their end; without windows all rows stand together.
                let time = if self.windowed { end } else { EventTime::MIN };
                self.places.push(OrderKey { time, sequence, row });
            }
            let batch = Batch {
                rows: part.len(),
                columns: self.buffer.views(&self.scratch),
                selection: None,
                order: RowOrder::Keys(&self.places),
            };
            let mut inner = context.with_arena(&self.scratch);
            inner.rows_are_records = false;
            next(batch, &mut inner)?;
            self.scratch.reset();
        }
        Ok(())
    }
}
