//! What happens when a pane closes: its groups leave, and leave again, corrected, after late records.
//!
//! The groups of a window on time leave when its first pane closes. They are kept while late records may come; the groups
//! of a later pane are merged into them, and those that it changed leave once more. Costs one look at the kept windows per
//! closed pane; without allowed lateness nothing is kept.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::{Groups, PartialGroups};
use crate::time::{PaneId, Round, Windows};
use crate::types::{EventTime, Schema};

use super::overlapping::Overlapping;
use super::sessions::Sessions;
use super::{Context, GroupEmitter, Next, Panes};

/// Passes the results of windows on.
pub enum Closing {
    /// A slice is a window.
    Slices(Box<ClosingSlices>),
    /// A slice belongs to several windows, or leaves before its window does.
    Overlapping(Box<Overlapping>),
    /// A window is a chain of slices of one key.
    Sessions(Box<Sessions>),
}

impl Closing {
    /// For a node of a plan whose output is `schema`. `owns_global`: whether this partition owns the empty key, so that
    /// the one group of a query without GROUP BY comes out even if no partition saw a row.
    pub fn new(node: &AggregateNode, schema: &Schema, panes: &Panes, owns_global: bool) -> Self {
        match node.window.map(|window| window.windows) {
            Some(Windows::Session { .. }) => Self::Sessions(Box::new(Sessions::new(node, schema, panes))),
            _ if panes.lateness().is_some_and(|lateness| lateness.has_classes()) => {
                Self::Overlapping(Box::new(Overlapping::new(node, schema)))
            }
            _ => Self::Slices(Box::new(ClosingSlices::new(node, schema, owns_global))),
        }
    }

    /// Bytes of what is kept beside open panes.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Slices(closing) => closing.held_bytes(),
            Self::Overlapping(closing) => closing.held_bytes(),
            Self::Sessions(closing) => closing.held_bytes(),
        }
    }

    /// Passes on all results that leave up to `watermark`, in the order in which they do.
    pub fn close(
        &mut self,
        panes: &mut Panes,
        watermark: EventTime,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        match self {
            Self::Slices(closing) => closing.close(panes, watermark, context, next),
            Self::Overlapping(closing) => closing.close(panes, watermark, context, next),
            Self::Sessions(closing) => closing.close(panes, watermark, context, next),
        }
    }
}

/// Windows of one slice, or none.
pub struct ClosingSlices {
    emitter: GroupEmitter,
    /// Windows that were closed and may be corrected, by their start.
    kept: BTreeMap<i64, Groups>,
    /// Whether the one group of a query without GROUP BY must come out even without rows, from here.
    global: bool,
    changes: PartialGroups,
    changed: Vec<u32>,
    late: Vec<u32>,
}

impl ClosingSlices {
    fn new(node: &AggregateNode, schema: &Schema, owns_global: bool) -> Self {
        let is_global = node.keys.is_empty() && !node.is_timed();
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
    fn held_bytes(&self) -> usize {
        self.kept.values().map(Groups::held_bytes).sum()
    }

    fn close(
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
                let round = round(panes, id);
                self.emitter.emit(panes, &groups, None, round, context, next)?;
                if panes.lateness().is_some_and(|lateness| lateness.over(round.window.end) > id.closes) {
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
        let window = kept.entry(id.start).or_insert_with(|| panes.empty(0));
        if emitter.has_changelog() {
            let shown = window.len() as u32;
            panes.number(window, changes, changed);
            changed.retain(|group| *group < shown);
            emitter.remember(panes, window, changed, panes.span(id.start))?;
        }
        panes.merge_into(window, changes, changed);
        emitter.emit(panes, window, Some(changed), round(panes, id), context, next)
    }

    /// Frees windows that no record can reach any more.
    fn give_up(&mut self, panes: &mut Panes, watermark: EventTime) {
        let Some(lateness) = panes.lateness() else { return };
        while let Some(window) = self.kept.first_entry()
            && lateness.over(panes.span(*window.key()).end) <= watermark
        {
            panes.recycle(0, window.remove());
        }
    }
}

/// When the groups of a pane leave whose slice is a window.
fn round(panes: &Panes, id: PaneId) -> Round {
    Round { leaves: id.closes, stage: id.stage, window: panes.span(id.start) }
}
