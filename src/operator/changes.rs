//! EMIT CHANGES: one row per input row, with the changed group's running values.

use crate::batch::{Batch, BatchBuffer, RowOrder, Selection};
use crate::error::Result;
use crate::plan::{AggregateNode, Emit};
use crate::state::KeyHasher;
use crate::types::{EventTime, OrderKey, Schema};

use super::{Context, GroupBy, Next, Operator};

/// Running aggregation by the partition that sees all rows of its keys, in order.
pub struct Changes {
    group_by: GroupBy,
    keys: usize,
    windowed: bool,
    buffer: BatchBuffer,
    places: Vec<OrderKey>,
}

impl Changes {
    /// For a node of a plan whose output is `schema`.
    pub fn new(node: &AggregateNode, schema: &Schema, hasher: KeyHasher) -> Self {
        debug_assert_eq!(node.emit, Emit::Changes);
        Self {
            group_by: GroupBy::new(node, hasher),
            keys: node.keys.len(),
            windowed: node.window.is_some(),
            buffer: BatchBuffer::for_schema(schema),
            places: Vec::new(),
        }
    }
}

impl Operator for Changes {
    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let Self { group_by, keys, windowed, buffer, places } = self;
        buffer.clear();
        places.clear();
        group_by.for_each_run(batch, arena, context, &mut |panes, run, batch, context| {
            let end = panes.end(run.start);
            let (key_columns, rest) = buffer.columns.split_at_mut(*keys);
            for (out, column) in key_columns.iter_mut().zip(run.key_columns) {
                out.append(column, batch.rows, run.selection.list());
            }
            let (results, bounds) = rest.split_at_mut(panes.layout.accumulators.len());
            panes.assign(&run, batch, arena, |pane, layout, groups| {
                pane.update_running(context.simd, layout, groups, run.selection.list(), run.arguments, results)
            })?;
            let count = run.rows(batch);
            if *windowed {
                bounds[0].extend_int64(std::iter::repeat_n(run.start, count));
                bounds[1].extend_int64(std::iter::repeat_n(end.0, count));
            }
            let listed = run.selection.list();
            places.extend((0..count).map(|j| batch.key(listed.map_or(j, |s| s[j] as usize))));
            buffer.rows_pushed(count);
            Ok(())
        })?;
        let columns = buffer.views(arena);
        next(Batch { rows: buffer.len(), columns, selection: Selection::All, order: RowOrder::Keys(places) }, context)
    }

    fn advance(&mut self, watermark: EventTime, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        // All rows left when they came; a closed pane only frees its memory.
        while let Some((_, groups)) = self.group_by.panes.close_next(watermark) {
            self.group_by.panes.recycle(groups);
        }
        Ok(())
    }
}
