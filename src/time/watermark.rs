//! The event-time clocks of the splits of one source.

use crate::types::{EventTime, SplitId};

/// What is known of a split beside its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitState {
    /// It has had nothing for a while; it may speak again.
    Idle,
    /// Nothing will ever come of it.
    Ended,
}

/// How far event time has come, and which split keeps it from going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatermarkState {
    /// The least watermark over the live splits; where none is live, what it was last.
    pub watermark: EventTime,
    /// The split whose watermark that is, the first of several.
    pub held_by: SplitId,
    /// The clock when that split became the one.
    pub since: EventTime,
}

/// Greatest event time seen per split, and which splits are idle or have ended.
///
/// The watermark of a split is its greatest event time less the bound; a split that has said nothing holds the least
/// watermark at the beginning of time; one that ended, or is idle, leaves it. The least watermark never goes back: what an
/// idle split brings when it speaks again is measured against it.
#[derive(Debug, Clone)]
pub struct SplitClocks {
    bound_us: i64,
    greatest: Vec<EventTime>,
    /// `None` for live splits, and for those that do not count here.
    states: Vec<Option<SplitState>>,
    mine: Vec<bool>,
    least: EventTime,
    held: Option<(SplitId, EventTime)>,
}

impl SplitClocks {
    /// Clocks of `splits` splits that have said nothing; those that `mine` denies do not count.
    pub fn new(splits: usize, bound_us: i64, mine: impl Fn(usize) -> bool) -> Self {
        Self {
            bound_us,
            greatest: vec![EventTime::MIN; splits],
            states: vec![None; splits],
            mine: (0..splits).map(mine).collect(),
            least: EventTime::MIN,
            held: None,
        }
    }

    /// The greatest event time of one split, as its next record is measured against.
    pub fn greatest(&self, split: SplitId) -> EventTime {
        let known = self.greatest[split.0 as usize];
        match self.states[split.0 as usize] {
            // Others went on without it.
            Some(SplitState::Idle) if self.least > EventTime::MIN => {
                known.max(EventTime(self.least.0.saturating_add(self.bound_us)))
            }
            _ => known,
        }
    }

    /// A split showed records up to `greatest`, when the clock stood at `now`.
    pub fn observe(&mut self, split: SplitId, greatest: EventTime, now: EventTime) {
        let index = split.0 as usize;
        self.greatest[index] = self.greatest(split).max(greatest);
        if self.states[index] == Some(SplitState::Idle) {
            self.states[index] = None;
        }
        self.settle(now);
    }

    /// A split became idle or ended, when the clock stood at `now`.
    pub fn leave(&mut self, split: SplitId, state: SplitState, now: EventTime) {
        self.states[split.0 as usize] = Some(state);
        self.settle(now);
    }

    /// Others went on to `watermark` while all splits here were idle.
    pub fn follow(&mut self, watermark: EventTime) {
        self.least = self.least.max(watermark);
    }

    /// The least watermark over the live splits; where none is live, what it was last.
    pub fn least(&self) -> EventTime {
        self.least
    }

    /// Whether there are splits that have not ended, and all of them are idle.
    pub fn all_idle(&self) -> bool {
        let mut open = self.open().peekable();
        open.peek().is_some() && open.all(|index| self.states[index].is_some())
    }

    /// How far event time has come, and what holds it back.
    pub fn state(&self) -> Option<WatermarkState> {
        let (held_by, since) = self.held?;
        Some(WatermarkState { watermark: self.least, held_by, since })
    }

    /// Splits that count here and have not ended.
    fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.states.len()).filter(|&index| self.mine[index] && self.states[index] != Some(SplitState::Ended))
    }

    fn settle(&mut self, now: EventTime) {
        let live = self.open().filter(|&index| self.states[index].is_none());
        let Some(least) = live.min_by_key(|&index| self.greatest[index]) else { return };
        self.least = self.least.max(self.greatest[least].minus(self.bound_us));
        let least = SplitId(least as u32);
        if self.held.is_none_or(|(split, _)| split != least) {
            self.held = Some((least, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(clocks: &mut SplitClocks, split: u32, greatest: i64, now: i64) {
        clocks.observe(SplitId(split), EventTime(greatest), EventTime(now));
    }

    fn leave(clocks: &mut SplitClocks, split: u32, state: SplitState, now: i64) {
        clocks.leave(SplitId(split), state, EventTime(now));
    }

    fn held(clocks: &SplitClocks) -> (i64, u32, i64) {
        let state = clocks.state().unwrap();
        (state.watermark.0, state.held_by.0, state.since.0)
    }

    #[test]
    fn the_least_live_split_decides() {
        let mut clocks = SplitClocks::new(3, 10, |_| true);
        assert_eq!(clocks.state(), None);
        observe(&mut clocks, 0, 100, 1);
        observe(&mut clocks, 1, 50, 2);
        assert_eq!(clocks.least(), EventTime::MIN, "split 2 has said nothing");
        assert_eq!(clocks.state().unwrap().held_by, SplitId(2), "once it could have");
        observe(&mut clocks, 2, 70, 3);
        assert_eq!(held(&clocks), (40, 1, 3));
        leave(&mut clocks, 1, SplitState::Ended, 4);
        assert_eq!((held(&clocks), clocks.greatest(SplitId(0))), ((60, 2, 4), EventTime(100)));
        leave(&mut clocks, 0, SplitState::Ended, 5);
        leave(&mut clocks, 2, SplitState::Ended, 6);
        assert_eq!(held(&clocks), (60, 2, 4), "what it was last");
        assert!(!clocks.all_idle());
    }

    #[test]
    fn an_idle_split_is_waited_for_no_more_and_comes_back_late() {
        let mut clocks = SplitClocks::new(2, 10, |_| true);
        observe(&mut clocks, 0, 30, 1);
        observe(&mut clocks, 1, 100, 2);
        assert_eq!(clocks.least(), EventTime(20));
        leave(&mut clocks, 0, SplitState::Idle, 3);
        assert_eq!(held(&clocks), (90, 1, 3));
        assert_eq!(clocks.greatest(SplitId(0)), EventTime(100), "what it brings now is measured against 90");
        observe(&mut clocks, 0, 40, 4);
        assert_eq!((clocks.greatest(SplitId(0)), clocks.least()), (EventTime(100), EventTime(90)));
        observe(&mut clocks, 1, 120, 5);
        assert_eq!(held(&clocks), (90, 0, 4), "it is live again");
    }

    #[test]
    fn while_all_are_idle_time_stands_still_unless_others_go_on() {
        let mut clocks = SplitClocks::new(3, 10, |split| split != 1);
        observe(&mut clocks, 0, 30, 1);
        observe(&mut clocks, 2, 30, 1);
        leave(&mut clocks, 0, SplitState::Idle, 2);
        assert!(!clocks.all_idle());
        leave(&mut clocks, 2, SplitState::Idle, 3);
        assert!(clocks.all_idle());
        assert_eq!(clocks.least(), EventTime(20));
        clocks.follow(EventTime(50));
        assert_eq!((clocks.least(), clocks.greatest(SplitId(2))), (EventTime(50), EventTime(60)));
    }
}
