//! Windows that share slices: hopping and cumulating ones.
//!
//! Rows were aggregated once, into the pane of their slice. When a window closes it is put together from the panes of its
//! slices; when it is corrected, from those panes that came to it since. A pane is freed after the last window that takes
//! from it. Costs, per window, one merge for each group of each block of its panes (see [`super::blocks`]); what a row costs
//! does not depend on how many windows it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::Groups;
use crate::time::{Lateness, Round, Span};
use crate::types::{EventTime, Schema};

use super::blocks::{Blocks, ClosedPanes, Merge};
use super::{Context, GroupEmitter, Next, Panes};

/// Puts windows together from panes and passes them on.
pub struct Overlapping {
    emitter: GroupEmitter,
    /// Closed panes by slice and class.
    slices: ClosedPanes,
    /// The same panes by the watermark at which the last window takes from them.
    freed: BTreeSet<(EventTime, i64, u32)>,
    /// Rounds to come that some pane takes part in.
    rounds: BTreeSet<Round>,
    /// Windows that left and may be corrected.
    kept: BTreeMap<Span, Groups>,
    blocks: Blocks,
    merge: Merge,
    changed: Vec<u32>,
    /// Groups of the last window that left: as many are expected in the next.
    window_groups: usize,
}

impl Overlapping {
    /// For a node of a plan whose output is `schema`.
    pub fn new(node: &AggregateNode, schema: &Schema) -> Self {
        Self {
            emitter: GroupEmitter::new(node, schema),
            slices: BTreeMap::new(),
            freed: BTreeSet::new(),
            rounds: BTreeSet::new(),
            kept: BTreeMap::new(),
            blocks: Blocks::default(),
            merge: Merge::default(),
            changed: Vec::new(),
            window_groups: 0,
        }
    }

    /// Bytes of closed panes, and of windows that are kept for corrections.
    pub fn held_bytes(&self) -> usize {
        let groups = self.slices.values().chain(self.kept.values());
        groups.map(Groups::held_bytes).sum::<usize>() + self.blocks.held_bytes()
    }

    /// Passes on all results that leave up to `watermark`.
    pub fn close(
        &mut self,
        panes: &mut Panes,
        watermark: EventTime,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let Some(lateness) = panes.lateness() else { return Ok(()) };
        // Panes close before the first round that takes from them, so all that these rounds need is there then.
        while let Some((id, groups)) = panes.close_next(watermark) {
            let mut last = EventTime::MIN;
            for round in lateness.rounds(id) {
                last = last.max(round.leaves);
                self.rounds.insert(round);
            }
            self.freed.insert((last, id.start, id.stage));
            self.slices.insert((id.start, id.stage), groups);
        }
        // Rows of several windows that leave at one time are put in order together.
        let mut holds = false;
        while let Some(round) = self.rounds.pop_first() {
            if round.leaves > watermark {
                self.rounds.insert(round);
                break;
            }
            let goes_on =
                self.rounds.first().is_some_and(|next| (next.leaves, next.stage) == (round.leaves, round.stage));
            self.leave(panes, &lateness, round, holds || goes_on, context, next)?;
            if holds && !goes_on {
                self.emitter.flush(context, next)?;
            }
            holds = goes_on;
            while let Some(&(last, start, class)) = self.freed.first()
                && last <= round.leaves
                && self.rounds.first().is_none_or(|next| next.leaves > round.leaves)
            {
                self.freed.pop_first();
                if class == 0 {
                    self.blocks.forget(panes, start, lateness.slices().size_us);
                }
                if let Some(groups) = self.slices.remove(&(start, class)) {
                    panes.recycle(class, groups);
                }
            }
        }
        while let Some(window) = self.kept.first_entry()
            && lateness.over(window.key().end) <= watermark
        {
            panes.recycle(1, window.remove());
        }
        Ok(())
    }

    /// Passes on what a round of a window shows, or holds it.
    fn leave(
        &mut self,
        panes: &mut Panes,
        lateness: &Lateness,
        round: Round,
        holds: bool,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let Self { emitter, slices, blocks, kept, merge, changed, window_groups, .. } = self;
        let mut window = kept.remove(&round.window).unwrap_or_else(|| panes.empty(*window_groups));
        let (from, to) = ((round.window.start, 0), (round.window.end.0, 0));
        // The first result of a window takes all that was on time, which has been merged ahead.
        let first = round.stage == 0 && lateness.every_us.is_none();
        let coming = |&(&(start, class), _): &(&(i64, u32), &Groups)| {
            !(first && class == 0) && lateness.round(lateness.pane(start, class), round.window) == Some(round)
        };
        if first {
            blocks.merge_window(panes, slices, round.window, lateness.slices().size_us, &mut window);
        }
        let shown = if first { 0 } else { window.len() as u32 };
        // With a changelog, what the groups that change showed before is looked at before any of them does.
        let passes = if emitter.has_changelog() { &[false, true][..] } else { &[true] };
        for &merges in passes {
            changed.clear();
            for (_, groups) in slices.range(from..to).filter(coming) {
                merge.run(panes, groups, &mut window, merges, |numbers| changed.extend_from_slice(numbers));
            }
            if !merges {
                changed.retain(|group| *group < shown);
                emitter.remember(panes, &window, changed, round.window)?;
            }
        }
        if first {
            changed.clear();
            changed.extend(0..window.len() as u32);
            *window_groups = window.len();
        } else {
            changed.sort_unstable();
            changed.dedup();
        }
        match holds {
            true => emitter.hold(panes, &window, changed, round)?,
            false => emitter.emit(panes, &window, Some(changed), round, context, next)?,
        }
        if lateness.over(round.window.end) > round.leaves {
            kept.insert(round.window, window);
        } else {
            // Not as a pane of stage 0, from whose size that of the next ones is guessed.
            panes.recycle(1, window);
        }
        Ok(())
    }
}
