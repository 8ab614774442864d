//! EMIT FINAL: a group leaves once, when its window closes or the input ends.

use crate::batch::Batch;
use crate::error::Result;
use crate::plan::{AggregateNode, Emit};
use crate::state::{KeyHasher, PartialGroups};
use crate::types::{EventTime, Schema};

use super::{Context, GroupBy, GroupEmitter, Next, Operator, Panes};

/// Grouped aggregation by the partition that sees all rows of its keys.
pub struct Aggregate {
    group_by: GroupBy,
    emitter: GroupEmitter,
    /// Whether the one group of a query without GROUP BY must come out even without rows, from here.
    global: bool,
}

impl Aggregate {
    /// For a node of a plan whose output is `schema`. `owns_global`: see [`MergePanes::new`].
    pub fn new(node: &AggregateNode, schema: &Schema, hasher: KeyHasher, owns_global: bool) -> Self {
        debug_assert_eq!(node.emit, Emit::Final);
        let group_by = GroupBy::new(node, hasher);
        let emitter = GroupEmitter::new(node, schema);
        Self { group_by, emitter, global: is_global(node) && owns_global }
    }
}

fn is_global(node: &AggregateNode) -> bool {
    node.keys.is_empty() && node.window.is_none()
}

impl Operator for Aggregate {
    fn takes_masks(&self) -> bool {
        true
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        self.group_by.ingest(batch, context)
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        if self.global && watermark == EventTime::MAX {
            self.group_by.panes.ensure_global();
        }
        emit_closed(&mut self.group_by.panes, &mut self.emitter, watermark, context, next)
    }
}

fn emit_closed(
    panes: &mut Panes,
    emitter: &mut GroupEmitter,
    watermark: EventTime,
    context: &mut Context<'_>,
    next: &mut Next<'_>,
) -> Result<()> {
    while let Some((start, groups)) = panes.close_next(watermark) {
        emitter.emit(panes, &groups, start, context, next)?;
        panes.recycle(groups);
    }
    Ok(())
}

/// The owner's half of pre-aggregation: merges the partial panes of all partitions for the keys it owns.
pub struct MergePanes {
    panes: Panes,
    emitter: GroupEmitter,
    /// Whether the one group of a query without GROUP BY must come out even without rows, from here.
    global: bool,
    scratch: Vec<u32>,
}

impl MergePanes {
    /// For a node of a plan whose output is `schema`. `owns_global`: whether this partition owns the empty key, so that
    /// the one group of a query without GROUP BY comes out even if no partition saw a row.
    pub fn new(node: &AggregateNode, schema: &Schema, hasher: KeyHasher, owns_global: bool) -> Self {
        let panes = GroupBy::new(node, hasher).panes;
        let emitter = GroupEmitter::new(node, schema);
        Self { panes, emitter, global: is_global(node) && owns_global, scratch: Vec::new() }
    }

    /// Merges some groups of the pane that starts at `start`.
    pub fn merge(&mut self, start: i64, partial: &PartialGroups) {
        self.panes.merge(start, partial, &mut self.scratch);
    }

    /// Every partition has sent its part of the panes that end at or before `watermark`: passes them on.
    pub fn close(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        if self.global && watermark == EventTime::MAX {
            self.panes.ensure_global();
        }
        emit_closed(&mut self.panes, &mut self.emitter, watermark, context, next)
    }
}
