//! EMIT FINAL: a group leaves once, when its window closes or the input ends.

use std::sync::Arc;

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
        let layout = Arc::clone(&group_by.panes.layout);
        let emitter = GroupEmitter::new(layout, node.keys.len(), node.window.is_some(), schema);
        Self { group_by, emitter, global: is_global(node) && owns_global }
    }
}

fn is_global(node: &AggregateNode) -> bool {
    node.keys.is_empty() && node.window.is_none()
}

impl Operator for Aggregate {
    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        self.group_by.ingest(batch, context)
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        if self.global && watermark == EventTime::MAX {
            let hash = self.group_by.global_hash();
            ensure_global(&mut self.group_by.panes, hash);
        }
        emit_closed(&mut self.group_by.panes, &mut self.emitter, watermark, context, next)
    }
}

fn ensure_global(panes: &mut Panes, hash: u64) {
    let layout = Arc::clone(&panes.layout);
    panes.pane(i64::MIN).ensure_global(&layout, hash);
}

fn emit_closed(
    panes: &mut Panes,
    emitter: &mut GroupEmitter,
    watermark: EventTime,
    context: &mut Context<'_>,
    next: &mut Next<'_>,
) -> Result<()> {
    while let Some((start, groups)) = panes.close_next(watermark) {
        emitter.emit(&groups, start, panes.end(start), context, next)?;
        panes.recycle(groups);
    }
    Ok(())
}

/// The owner's half of pre-aggregation: merges the partial panes of all partitions for the keys it owns.
pub struct MergePanes {
    panes: Panes,
    emitter: GroupEmitter,
    global_hash: Option<u64>,
}

impl MergePanes {
    /// For a node of a plan whose output is `schema`. `owns_global`: whether this partition owns the empty key, so that
    /// the one group of a query without GROUP BY comes out even if no partition saw a row.
    pub fn new(node: &AggregateNode, schema: &Schema, hasher: KeyHasher, owns_global: bool) -> Self {
        let group_by = GroupBy::new(node, hasher);
        let global_hash = (is_global(node) && owns_global).then(|| group_by.global_hash());
        let panes = group_by.panes;
        let emitter = GroupEmitter::new(Arc::clone(&panes.layout), node.keys.len(), node.window.is_some(), schema);
        Self { panes, emitter, global_hash }
    }

    /// Merges some groups of the pane that starts at `start`.
    pub fn merge(&mut self, start: i64, partial: &PartialGroups) {
        let layout = Arc::clone(&self.panes.layout);
        self.panes.pane(start).merge(&layout, partial);
    }

    /// Every partition has sent its part of the panes that end at or before `watermark`: passes them on.
    pub fn close(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        if let Some(hash) = self.global_hash
            && watermark == EventTime::MAX
        {
            ensure_global(&mut self.panes, hash);
        }
        emit_closed(&mut self.panes, &mut self.emitter, watermark, context, next)
    }
}
