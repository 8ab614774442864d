//! Groups of a closed pane as batches: keys, results, window bounds, in the order of first appearance.

use bumpalo::Bump;

use crate::batch::{Batch, BatchBuffer, RowOrder, Selection};
use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::Groups;
use crate::time::Round;
use crate::types::{EventTime, OrderKey, Schema};

use super::{Context, Next, Panes};

/// Turns groups into rows of the aggregate's output schema.
pub struct GroupEmitter {
    keys: usize,
    calls: usize,
    windowed: bool,
    buffer: BatchBuffer,
    places: Vec<OrderKey>,
    order: Vec<u32>,
    scratch: Bump,
}

impl GroupEmitter {
    /// Groups in a batch. Any value is correct.
    const BATCH_GROUPS: usize = 4096;

    /// For a node of a plan whose output is `schema`.
    pub fn new(node: &AggregateNode, schema: &Schema) -> Self {
        Self {
            keys: node.keys.len(),
            calls: node.calls.len(),
            windowed: node.window.is_some(),
            buffer: BatchBuffer::for_schema(schema),
            places: Vec::new(),
            order: Vec::new(),
            scratch: Bump::new(),
        }
    }

    /// Passes the groups in `only` (else all) to `next`, in a round of their window.
    pub fn emit(
        &mut self,
        panes: &Panes,
        groups: &Groups,
        only: Option<&[u32]>,
        round: Round,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        groups.in_order(only, &mut self.order);
        let results = self.keys..self.keys + self.calls;
        for part in self.order.chunks(Self::BATCH_GROUPS) {
            self.buffer.clear();
            self.places.clear();
            let columns = &mut self.buffer.columns;
            groups.push_keys(&panes.keyer, part, &mut columns[..self.keys]);
            groups.states.finish(&panes.layout, part, &mut columns[results.clone()])?;
            for &group in part {
                let (sequence, row) = groups.first(group);
                // Rows of one window stand together, windows by their end; without windows all rows stand together.
                let time = if self.windowed { round.leaves } else { EventTime::MIN };
                self.places.push(OrderKey { time, stage: round.stage, sequence, row });
            }
            if self.windowed {
                columns[results.end].extend_int64(std::iter::repeat_n(round.window.start, part.len()));
                columns[results.end + 1].extend_int64(std::iter::repeat_n(round.window.end.0, part.len()));
            }
            self.buffer.rows_pushed(part.len());
            let batch = Batch {
                rows: part.len(),
                columns: self.buffer.views(&self.scratch),
                selection: Selection::All,
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
