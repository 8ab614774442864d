//! What happens when a pane closes: its groups leave, and leave again, corrected, after late records.
//!
//! The groups of a window on time leave when its first pane closes. They are kept while late records may come; the groups
//! of a later pane are merged into them, and those that it changed leave once more. Costs one look at the kept windows per
//! closed pane; without allowed lateness nothing is kept.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::{Groups, PartialGroups};
use crate::time::PaneId;
use crate::types::{EventTime, Schema};

use super::{Context, GroupEmitter, Next, Panes};

/// Passes groups of closed panes on.
pub struct Closing {
    emitter: GroupEmitter,
    /// Windows that were closed and may be corrected, by their start.
    kept: BTreeMap<i64, Groups>,
    /// Whether the one group of a query without GROUP BY must come out even without rows, from here.
    global: bool,
    changes: PartialGroups,
    changed: Vec<u32>,
    late: Vec<u32>,
}

impl Closing {
    /// For a node of a plan whose output is `schema`. `owns_global`: whether this partition owns the empty key, so that
    /// the one group of a query without GROUP BY comes out even if no partition saw a row.
    pub fn new(node: &AggregateNode, schema: &Schema, owns_global: bool) -> Self {
        let is_global = node.keys.is_empty() && node.window.is_none();
        Self {
            emitter: GroupEmitter::new(node, schema),
            kept: BTreeMap::new(),
            global: is_global && owns_global,
            changes: PartialGroups::default(),
            changed: Vec::new(),
            late: Vec::new(),
        }
    }

    /// Bytes of windows that are kept for corrections.
    pub fn held_bytes(&self) -> usize {
        self.kept.values().map(Groups::held_bytes).sum()
    }

    /// Passes on all panes that `watermark` closes, in the order in which they close.
    pub fn close(
        &mut self,
        panes: &mut Panes,
        watermark: EventTime,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        if self.global && watermark == EventTime::MAX {
            panes.ensure_global();
        }
        while let Some((id, groups)) = panes.close_next(watermark) {
            if id.stage == 0 {
                self.emitter.emit(panes, &groups, None, id, context, next)?;
                if panes.lateness().is_some_and(|lateness| lateness.over(id.start) > id.closes) {
                    self.kept.insert(id.start, groups);
                } else {
                    panes.recycle(0, groups);
                }
            } else {
                self.correct(panes, groups, id, context, next)?;
            }
        }
        self.give_up(panes, watermark);
        Ok(())
    }

    /// Merges late groups into their window, and passes on what became of them.
    fn correct(
        &mut self,
        panes: &mut Panes,
        late: Groups,
        id: PaneId,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let Self { emitter, kept, changes, changed, .. } = self;
        changes.clear();
        self.late.clear();
        self.late.extend(0..late.len() as u32);
        late.export(&panes.keyer, &panes.layout, &self.late, changes);
        panes.recycle(id.stage, late);
        // A window may have had no record on time.
        let window = kept.entry(id.start).or_insert_with(|| panes.empty());
        panes.merge_into(window, changes, changed);
        emitter.emit(panes, window, Some(changed), id, context, next)
    }

    /// Frees windows that no record can reach any more.
    fn give_up(&mut self, panes: &mut Panes, watermark: EventTime) {
        let Some(lateness) = panes.lateness() else { return };
        while let Some(window) = self.kept.first_entry()
            && lateness.over(*window.key()) <= watermark
        {
            panes.recycle(0, window.remove());
        }
    }
}
