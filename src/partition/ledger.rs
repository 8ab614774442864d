//! Event time across partitions that share splits: what every turn shows of it, folded in the order of turns.
//!
//! Each partition publishes a mark per turn as soon as it knows what came (a chunk is decoded for that), and folds the
//! marks of all partitions in rotation. So it knows the exact watermark at which its chunk starts, whatever the scheduling.
//!
//! No deadlock: a partition publishes the mark of its next turn before it waits for others' marks, so the earliest
//! turn that is not published yet belongs to a partition that waits for nobody.

use std::collections::VecDeque;

use crate::ring::{Consumer, Producer};
use crate::time::{SplitClocks, WatermarkState};
use crate::types::{EventTime, SplitId};

use super::message::{Mark, Shown};

/// What one partition knows of event time.
pub struct Ledger {
    index: usize,
    clocks: SplitClocks,
    /// The next turn to fold.
    next: u64,
    own: VecDeque<Mark>,
    /// To every other partition; `None` at the own index.
    to: Vec<Option<Producer<Mark>>>,
    from: Vec<Option<Consumer<Mark>>>,
}

impl Ledger {
    /// From ring ends, one per partition, none at `index`; without others for partitions that keep their splits.
    pub fn new(
        index: usize,
        clocks: SplitClocks,
        to: Vec<Option<Producer<Mark>>>,
        from: Vec<Option<Consumer<Mark>>>,
    ) -> Self {
        Self { index, clocks, next: 0, own: VecDeque::new(), to, from }
    }

    /// Whether every other partition's ring has room for a mark.
    pub fn can_publish(&self) -> bool {
        self.to.iter().flatten().all(|ring| ring.has_room() || ring.is_abandoned())
    }

    /// Publishes the mark of this partition's next turn.
    pub fn publish(&mut self, mark: Mark) {
        self.own.push_back(mark);
        for ring in self.to.iter_mut().flatten() {
            // A partition that is gone needs no marks; for the others `can_publish` saw room.
            let _ = ring.push(mark);
        }
    }

    /// Folds all marks before `turn`, if they are there: true if the clocks stand at its start.
    pub fn fold_before(&mut self, turn: u64) -> bool {
        while self.next < turn {
            let partition = (self.next % self.to.len().max(1) as u64) as usize;
            let mark = if partition == self.index {
                self.own.pop_front()
            } else {
                self.from[partition].as_mut().and_then(Consumer::pop)
            };
            let Some(mark) = mark else { return false };
            self.apply(mark);
            self.next += 1;
        }
        true
    }

    /// Folds this partition's own mark of `turn`, at which the clocks stand.
    pub fn fold_own(&mut self, turn: u64) {
        debug_assert_eq!(self.next, turn);
        self.fold_kept();
        self.next = turn + 1;
    }

    /// For partitions that keep their splits: no turns, only own marks.
    pub fn fold_kept(&mut self) {
        while let Some(mark) = self.own.pop_front() {
            self.apply(mark);
        }
    }

    fn apply(&mut self, mark: Mark) {
        match mark.shown {
            Shown::Records(greatest) => self.clocks.observe(mark.split, greatest, mark.read_at),
            Shown::State(state) => self.clocks.leave(mark.split, state, mark.read_at),
        }
    }

    /// Greatest event time of `split` so far, as its next record is measured against.
    pub fn greatest(&self, split: SplitId) -> EventTime {
        self.clocks.greatest(split)
    }

    /// Least watermark over the live splits.
    pub fn watermark(&self) -> EventTime {
        self.clocks.least()
    }

    /// Whether all splits that have not ended are idle.
    pub fn all_idle(&self) -> bool {
        self.clocks.all_idle()
    }

    /// Others went on to `watermark` while all splits here were idle.
    pub fn follow(&mut self, watermark: EventTime) {
        self.clocks.follow(watermark);
    }

    /// Turns folded, and how far event time has come.
    pub fn state(&self) -> Option<(u64, WatermarkState)> {
        self.clocks.state().map(|state| (self.next, state))
    }

    /// Throws away what others still publish, once this partition has no more turns: they must not wait for it.
    /// True if there was something.
    pub fn drain(&mut self) -> bool {
        let mut drained = false;
        for ring in self.from.iter_mut().flatten() {
            while ring.pop().is_some() {
                drained = true;
            }
        }
        drained
    }
}
