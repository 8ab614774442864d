//! EMIT FINAL: a group leaves once, when its window closes or the input ends, and again if late records correct it. EMIT
//! EVERY: it leaves early, too.

use crate::batch::Batch;
use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::{KeyHasher, PartialGroups};
use crate::time::{Lateness, PaneId};
use crate::types::{EventTime, Schema};

use super::closing::Closing;
use super::{Context, GroupBy, Next, Operator, Panes};

/// Grouped aggregation by the partition that sees all rows of its keys.
pub struct Aggregate {
    group_by: GroupBy,
    closing: Closing,
}

impl Aggregate {
    /// For a node of a plan whose output is `schema`. `lateness`: see [`GroupBy::new`]; `owns_global`: see
    /// [`MergePanes::new`].
    pub fn new(
        node: &AggregateNode,
        schema: &Schema,
        lateness: Option<Lateness>,
        hasher: KeyHasher,
        owns_global: bool,
    ) -> Self {
        debug_assert!(node.emit.merges());
        let group_by = GroupBy::new(node, lateness, hasher);
        let closing = Closing::new(node, schema, &group_by.panes, owns_global);
        Self { group_by, closing }
    }
}

impl Operator for Aggregate {
    fn name(&self) -> &'static str {
        "GROUP BY"
    }

    fn takes_masks(&self) -> bool {
        true
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        self.group_by.ingest(batch, context)
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("GROUP BY", self.group_by.panes.held_bytes() + self.closing.held_bytes()))
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        self.closing.close(&mut self.group_by.panes, watermark, context, next)
    }
}

/// The owner's half of pre-aggregation: merges the partial panes of all partitions for the keys it owns.
pub struct MergePanes {
    panes: Panes,
    closing: Closing,
    scratch: Vec<u32>,
}

impl MergePanes {
    /// For a node of a plan whose output is `schema`. `lateness`: see [`GroupBy::new`]; `owns_global`: whether this
    /// partition owns the empty key, so that the one group of a query without GROUP BY comes out even if no partition
    /// saw a row.
    pub fn new(
        node: &AggregateNode,
        schema: &Schema,
        lateness: Option<Lateness>,
        hasher: KeyHasher,
        owns_global: bool,
    ) -> Self {
        let panes = GroupBy::new(node, lateness, hasher).panes;
        let closing = Closing::new(node, schema, &panes, owns_global);
        Self { panes, closing, scratch: Vec::new() }
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        self.panes.held_bytes() + self.closing.held_bytes()
    }

    /// Merges some groups of a pane.
    pub fn merge(&mut self, pane: PaneId, partial: &PartialGroups) {
        self.panes.merge(pane, partial, &mut self.scratch);
    }

    /// Every partition has sent its part of the panes that close at or before `watermark`: passes them on.
    pub fn close(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        self.closing.close(&mut self.panes, watermark, context, next)
    }
}
