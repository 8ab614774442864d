//! What the lanes of a job did in the last minute: rates, and which lane is hot.
//!
//! Counters only grow; looked at once a second they give rates. Costs a few words per lane and sample.

use std::collections::VecDeque;

use crate::engine::{LaneSnapshot, Pressure};
use crate::limits::JOB_SAMPLES_KEPT;

/// Rates are over so many nanoseconds: long enough to be steady, short enough to be now.
const WINDOW_NS: u64 = 5_500_000_000;
/// A lane this busy may be hot.
const HOT_BUSY: f64 = 0.8;
/// And it is, if it is so many times as busy as the others on average.
const HOT_TIMES: f64 = 1.5;

/// Counters of one lane.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    records: u64,
    busy_ns: u64,
    life_ns: u64,
}

impl Counts {
    fn of(lane: &LaneSnapshot) -> Self {
        Self { records: lane.records, busy_ns: lane.busy_ns, life_ns: lane.life_ns }
    }
}

/// Counters of all lanes at a moment.
#[derive(Debug, Clone)]
struct Sample {
    at_ns: u64,
    lanes: Vec<Counts>,
}

/// Samples, one a second, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(VecDeque<Sample>);

/// What a lane does now.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct LaneRate {
    /// Records a second.
    pub(super) records_per_s: f64,
    /// Share of the time in which it worked.
    pub(super) busy_ratio: f64,
    /// Whether it holds the others up.
    pub(super) hot: bool,
    /// Records a second between samples, the oldest first.
    pub(super) history: Vec<f64>,
}

impl Samples {
    /// One more.
    pub(super) fn push(&mut self, at_ns: u64, lanes: &[LaneSnapshot]) {
        if self.0.len() == JOB_SAMPLES_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Sample { at_ns, lanes: lanes.iter().map(Counts::of).collect() });
    }

    /// Rates at a moment at which the lanes stand so.
    pub(super) fn rates(&self, at_ns: u64, lanes: &[LaneSnapshot]) -> Vec<LaneRate> {
        let base = self.0.iter().find(|sample| at_ns.saturating_sub(sample.at_ns) <= WINDOW_NS && sample.at_ns < at_ns);
        let rate = |(index, lane): (usize, &LaneSnapshot)| {
            let now = Counts::of(lane);
            let then = base.and_then(|base| base.lanes.get(index)).copied().unwrap_or_default();
            // The first sample may be to come: since its thread started, then.
            let passed_ns = base.map_or(now.life_ns, |base| at_ns - base.at_ns);
            let busy = now.busy_ns.saturating_sub(then.busy_ns) as f64;
            LaneRate {
                records_per_s: per_second(then.records, now.records, passed_ns),
                busy_ratio: (busy / now.life_ns.saturating_sub(then.life_ns).max(1) as f64).min(1.0),
                hot: false,
                history: self.history(index),
            }
        };
        let mut rates: Vec<LaneRate> = lanes.iter().enumerate().map(rate).collect();
        for index in hot(&rates, lanes) {
            rates[index].hot = true;
        }
        rates
    }

    fn history(&self, lane: usize) -> Vec<f64> {
        let records = |sample: &Sample| sample.lanes.get(lane).map_or(0, |counts| counts.records);
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        pairs.map(|(a, b)| per_second(records(a), records(b), b.at_ns - a.at_ns)).collect()
    }
}

fn per_second(before: u64, after: u64, passed_ns: u64) -> f64 {
    after.saturating_sub(before) as f64 / (passed_ns.max(1) as f64 / 1e9)
}

/// Lanes that hold the others up: much busier than they are, or with a queue that is full while theirs are not.
fn hot(rates: &[LaneRate], lanes: &[LaneSnapshot]) -> Vec<usize> {
    let others = rates.len().saturating_sub(1);
    if others == 0 {
        return Vec::new();
    }
    let busy: f64 = rates.iter().map(|rate| rate.busy_ratio).sum();
    let jammed = |index: usize| lanes[index].pressure() >= Pressure::Critical;
    let is_hot = |&index: &usize| {
        let own = rates[index].busy_ratio;
        let mean = (busy - own) / others as f64;
        let alone = jammed(index) && (0..lanes.len()).all(|other| other == index || !jammed(other));
        own >= HOT_BUSY && own >= HOT_TIMES * mean || alone
    };
    (0..rates.len()).filter(is_hot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(records: u64, busy_ns: u64, life_ns: u64) -> LaneSnapshot {
        LaneSnapshot { records, busy_ns, life_ns, queue_capacity: 8, ..LaneSnapshot::default() }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn rates_are_of_the_last_seconds() {
        let mut samples = Samples::default();
        for second in 0..=20 {
            let records = if second < 10 { 0 } else { (second - 10) * 100 };
            samples.push(second * SECOND, &[lane(records, 0, second * SECOND)]);
        }
        let rates = samples.rates(20 * SECOND + 1, &[lane(1000, 0, 20 * SECOND)]);
        assert!((rates[0].records_per_s - 100.0).abs() < 1.0, "{rates:?}");
        assert_eq!(rates[0].history.len(), 20);
        assert_eq!((rates[0].history[0], rates[0].history[19]), (0.0, 100.0));
        let fresh = Samples::default().rates(99 * SECOND, &[lane(50, SECOND, 2 * SECOND)]);
        assert_eq!((fresh[0].records_per_s, fresh[0].busy_ratio), (25.0, 0.5));
    }

    #[test]
    fn a_lane_is_hot_that_is_much_busier_or_jammed_alone() {
        let hot_ones = |lanes: &[LaneSnapshot]| -> Vec<bool> {
            Samples::default().rates(SECOND, lanes).iter().map(|rate| rate.hot).collect()
        };
        let (busy, calm) = (lane(9, SECOND, SECOND), lane(9, SECOND / 4, SECOND));
        assert_eq!(hot_ones(&[busy, calm, calm]), [true, false, false]);
        assert_eq!(hot_ones(&[busy, busy]), [false, false]);
        assert_eq!(hot_ones(&[busy]), [false]);
        let jammed = LaneSnapshot { queue_depth: 8, ..calm };
        assert_eq!(hot_ones(&[calm, jammed]), [false, true]);
        assert_eq!(hot_ones(&[jammed, jammed]), [false, false]);
    }

    #[test]
    fn old_samples_go() {
        let mut samples = Samples::default();
        (0..200).for_each(|second| samples.push(second, &[]));
        assert_eq!(samples.0.len(), JOB_SAMPLES_KEPT);
    }
}
