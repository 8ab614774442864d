//! EMIT CHANGES: one row per input row, with the changed group's running values.

use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, ColumnBuffer};
use crate::error::Result;
use crate::kernel::update::Running;
use crate::plan::{AggregateNode, Emit};
use crate::state::KeyHasher;
use crate::time::Lateness;
use crate::types::{EventTime, Schema};

use super::expiry::Expiry;
use super::{Context, GroupBy, Next, Operator};

/// Running aggregation by the partition that sees all rows of its keys, in order.
pub struct Changes {
    group_by: GroupBy,
    windowed: bool,
    /// Results and window bounds, one row a row of the batch.
    added: BatchBuffer,
    /// Memory of one block of rows.
    running: Box<Running>,
    /// Whether groups expire.
    expiry: Option<Expiry>,
}

impl Changes {
    /// For a node of a plan whose output is `schema`; `lateness`: see [`GroupBy::new`]. Without windows, groups that are not
    /// touched for `state_ttl_us` start anew.
    pub fn new(
        node: &AggregateNode,
        schema: &Schema,
        lateness: Option<Lateness>,
        state_ttl_us: Option<i64>,
        hasher: KeyHasher,
    ) -> Self {
        debug_assert_eq!(node.emit, Emit::Changes);
        let added = schema.fields[node.keys.len()..].iter().map(|field| field.data_type);
        Self {
            group_by: GroupBy::new(node, lateness, hasher),
            windowed: node.window.is_some(),
            added: BatchBuffer::new(added),
            running: Box::default(),
            expiry: state_ttl_us.filter(|_| node.window.is_none()).map(Expiry::new),
        }
    }
}

impl Operator for Changes {
    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let (arena, simd) = (context.arena, context.simd);
        let Self { group_by, windowed, added, running, expiry } = self;
        let now = context.now;
        added.clear();
        let keyed = group_by.evaluate(batch, arena, context)?;
        group_by.for_each_run(keyed, arena, simd, &mut |panes, run| {
            let start = run.pane.start;
            let end = panes.span(start).end;
            let (results, bounds) = added.columns.split_at_mut(panes.layout.accumulators.len());
            let batch = run.keyed.batch;
            panes.assign(&run, arena, |pane, layout, groups| {
                if let Some(expiry) = expiry {
                    expiry.touch(pane, layout, groups, now);
                }
                pane.states.update_running(
                    simd,
                    layout,
                    groups,
                    batch.selection.list(),
                    run.keyed.arguments,
                    running,
                    results,
                )
            })?;
            let count = batch.selected();
            if *windowed {
                bounds[0].extend_int64(std::iter::repeat_n(start, count));
                bounds[1].extend_int64(std::iter::repeat_n(end.0, count));
            }
            added.rows_pushed(count);
            Ok(())
        })?;
        if let Some(expiry) = expiry {
            expiry.sweep(&mut group_by.panes, now);
        }
        // The rows that are left, with their keys as they came and what was added to them.
        let batch = Batch { columns: keyed.keys, ..keyed.batch }.compact(arena);
        let added = added.columns.iter().map(ColumnBuffer::column);
        let mut columns = BumpVec::with_capacity_in(batch.columns.len() + added.len(), arena);
        columns.extend(batch.columns.iter().copied().chain(added));
        next(Batch { columns: &columns, ..batch }, context)
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("GROUP BY with EMIT CHANGES", self.group_by.panes.held_bytes()))
    }

    fn advance(&mut self, watermark: EventTime, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        // All rows left when they came; a closed pane only frees its memory.
        while let Some((id, groups)) = self.group_by.panes.close_next(watermark) {
            self.group_by.panes.recycle(id.stage, groups);
        }
        Ok(())
    }
}
