//! The event-time clocks of the splits of one source.

use crate::types::{EventTime, SplitId};

/// Greatest event time seen per split, and which splits have ended.
///
/// The watermark of a split is its greatest event time less the bound; a split that has said nothing holds the least
/// watermark at the beginning of time; one that ended leaves it; when all have ended it is the end of time.
#[derive(Debug, Clone)]
pub struct SplitClocks {
    bound_us: i64,
    greatest: Vec<EventTime>,
    live: Vec<bool>,
}

impl SplitClocks {
    /// Clocks of `splits` splits that have said nothing; those that `mine` denies do not count.
    pub fn new(splits: usize, bound_us: i64, mine: impl Fn(usize) -> bool) -> Self {
        Self { bound_us, greatest: vec![EventTime::MIN; splits], live: (0..splits).map(mine).collect() }
    }

    /// The greatest event time of one split.
    pub fn greatest(&self, split: SplitId) -> EventTime {
        self.greatest[split.0 as usize]
    }

    /// A split showed records up to `greatest`.
    pub fn observe(&mut self, split: SplitId, greatest: EventTime) {
        let known = &mut self.greatest[split.0 as usize];
        *known = (*known).max(greatest);
    }

    /// A split ended.
    pub fn end(&mut self, split: SplitId) {
        self.live[split.0 as usize] = false;
    }

    /// All splits before `split` ended: splits are read one after another.
    pub fn end_before(&mut self, split: SplitId) {
        self.live[..split.0 as usize].fill(false);
    }

    /// The least watermark over the live splits.
    pub fn least(&self) -> EventTime {
        let live = self.greatest.iter().zip(&self.live).filter(|(_, live)| **live);
        live.map(|(greatest, _)| greatest.minus(self.bound_us)).min().unwrap_or(EventTime::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_live_split_decides() {
        let mut clocks = SplitClocks::new(3, 10, |_| true);
        clocks.observe(SplitId(0), EventTime(100));
        clocks.observe(SplitId(1), EventTime(50));
        assert_eq!(clocks.least(), EventTime::MIN, "split 2 has said nothing");
        clocks.observe(SplitId(2), EventTime(70));
        assert_eq!(clocks.least(), EventTime(40));
        clocks.end(SplitId(1));
        assert_eq!((clocks.least(), clocks.greatest(SplitId(0))), (EventTime(60), EventTime(100)));
        clocks.end_before(SplitId(2));
        assert_eq!(clocks.least(), EventTime(60));
        clocks.end(SplitId(2));
        assert_eq!(clocks.least(), EventTime::MAX);
    }
}
