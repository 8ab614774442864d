//! What the lanes of a job did in the last minute: rates, how full they are, and which lane is hot.
//!
//! Counters only grow; looked at once a second they give rates. A lane's state of backpressure is that of the last whole
//! second, so that neither a burst nor the moment of a look makes one. Costs a few words per lane and sample.

use std::collections::VecDeque;

use crate::engine::{LaneSnapshot, Moment, Pressure};
use crate::limits::JOB_SAMPLES_KEPT;
use crate::metrics::ChunkTime;

/// Rates are over so many nanoseconds: long enough to be steady, short enough to be now.
const WINDOW_NS: u64 = 5_500_000_000;
/// Over less, no lane is called hot.
const HOT_WINDOW_NS: u64 = 2_000_000_000;
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
pub(super) struct Samples {
    kept: VecDeque<Sample>,
    pressures: Vec<LanePressure>,
    /// At the last sample: when it was, and each lane's time of chunks.
    last: Option<(Moment, Vec<ChunkTime>)>,
}

/// How full a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct LanePressure {
    /// In the second before the last sample, 0 to 1.
    pub(super) utilization: f64,
    /// The state that follows.
    pub(super) state: Pressure,
    /// How often it came into each state, in the order of [`Pressure::ALL`].
    pub(super) events: [u64; 4],
}

impl LanePressure {
    fn note(&mut self, utilization: f64) {
        self.utilization = utilization;
        let state = self.state.then(utilization);
        if state != self.state {
            self.state = state;
            self.events[state as usize] += 1;
        }
    }
}

/// What a lane does now.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct LaneRate {
    /// Records a second.
    pub(super) records_per_s: f64,
    /// Share of the time in which it worked.
    pub(super) busy_ratio: f64,
    /// How full it is.
    pub(super) pressure: LanePressure,
    /// Whether it holds the others up.
    pub(super) hot: bool,
    /// Records a second between samples, the oldest first.
    pub(super) history: Vec<f64>,
}

impl Samples {
    /// One more.
    pub(super) fn push(&mut self, now: Moment, lanes: &[LaneSnapshot]) {
        if self.kept.len() == JOB_SAMPLES_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Sample { at_ns: now.monotonic_ns, lanes: lanes.iter().map(Counts::of).collect() });
        self.pressures.resize(lanes.len(), LanePressure::default());
        if let Some((then, times)) = &self.last {
            // On the clock that chunks go by.
            let passed_us = u64::try_from(now.wall_us - then.wall_us).unwrap_or_default();
            for ((pressure, lane), &time) in self.pressures.iter_mut().zip(lanes).zip(times) {
                pressure.note(lane.utilization_since(time, passed_us));
            }
        }
        self.last = Some((now, lanes.iter().map(|lane| lane.chunk_time).collect()));
    }

    /// Rates at a moment at which the lanes stand so.
    pub(super) fn rates(&self, at_ns: u64, lanes: &[LaneSnapshot]) -> Vec<LaneRate> {
        let is_in_window = |sample: &&Sample| at_ns.saturating_sub(sample.at_ns) <= WINDOW_NS && sample.at_ns < at_ns;
        let base = self.kept.iter().find(is_in_window);
        let rate = |(index, lane): (usize, &LaneSnapshot)| {
            let now = Counts::of(lane);
            let then = base.and_then(|base| base.lanes.get(index)).copied().unwrap_or_default();
            // The first sample may be to come: since its thread started, then.
            let passed_ns = base.map_or(now.life_ns, |base| at_ns - base.at_ns);
            let busy = now.busy_ns.saturating_sub(then.busy_ns) as f64;
            LaneRate {
                records_per_s: per_second(then.records, now.records, passed_ns),
                busy_ratio: (busy / now.life_ns.saturating_sub(then.life_ns).max(1) as f64).min(1.0),
                pressure: self.pressures.get(index).copied().unwrap_or_default(),
                hot: false,
                history: self.history(index),
            }
        };
        let mut rates: Vec<LaneRate> = lanes.iter().enumerate().map(rate).collect();
        if base.is_some_and(|base| at_ns - base.at_ns >= HOT_WINDOW_NS) {
            let hot: Vec<bool> = (0..rates.len()).map(|index| is_hot(&rates, index)).collect();
            rates.iter_mut().zip(hot).for_each(|(rate, hot)| rate.hot = hot);
        }
        rates
    }

    fn history(&self, lane: usize) -> Vec<f64> {
        let records = |sample: &Sample| sample.lanes.get(lane).map_or(0, |counts| counts.records);
        let pairs = self.kept.iter().zip(self.kept.iter().skip(1));
        pairs.map(|(a, b)| per_second(records(a), records(b), b.at_ns - a.at_ns)).collect()
    }
}

fn per_second(before: u64, after: u64, passed_ns: u64) -> f64 {
    after.saturating_sub(before) as f64 / (passed_ns.max(1) as f64 / 1e9)
}

/// Whether a lane holds the others up over the window of rates: it is much busier than they are, or is given much more of
/// the records than they are and alone cannot keep up with its share.
fn is_hot(rates: &[LaneRate], index: usize) -> bool {
    let others = rates.len().saturating_sub(1);
    if others == 0 {
        return false;
    }
    let own = &rates[index];
    let much_more = |of: fn(&LaneRate) -> f64| {
        let sum: f64 = rates.iter().map(of).sum();
        of(own) >= HOT_TIMES * (sum - of(own)) / others as f64
    };
    let jammed = |rate: &LaneRate| rate.pressure.state >= Pressure::Critical;
    let alone = jammed(own) && rates.iter().filter(|&rate| jammed(rate)).count() == 1;
    (own.busy_ratio >= HOT_BUSY && much_more(|rate| rate.busy_ratio)) || (alone && much_more(|rate| rate.records_per_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(records: u64, busy_ns: u64, life_ns: u64) -> LaneSnapshot {
        LaneSnapshot { records, busy_ns, life_ns, queue_capacity: 8, ..LaneSnapshot::default() }
    }

    const SECOND: u64 = 1_000_000_000;

    fn moment(second: u64) -> Moment {
        Moment { monotonic_ns: second * SECOND, wall_us: (second * 1_000_000).cast_signed() }
    }

    #[test]
    fn rates_are_of_the_last_seconds() {
        let mut samples = Samples::default();
        for second in 0..=20 {
            let records = if second < 10 { 0 } else { (second - 10) * 100 };
            samples.push(moment(second), &[lane(records, 0, second * SECOND)]);
        }
        let rates = samples.rates(20 * SECOND + 1, &[lane(1000, 0, 20 * SECOND)]);
        assert!((rates[0].records_per_s - 100.0).abs() < 1.0, "{rates:?}");
        assert_eq!(rates[0].history.len(), 20);
        assert_eq!((rates[0].history[0], rates[0].history[19]), (0.0, 100.0));
        let fresh = Samples::default().rates(99 * SECOND, &[lane(50, SECOND, 2 * SECOND)]);
        assert_eq!((fresh[0].records_per_s, fresh[0].busy_ratio), (25.0, 0.5));
    }

    /// Rates of lanes that did as much in each of four seconds, as (records, share busy, utilization).
    fn steady(lanes: &[(u64, f64, f64)]) -> Vec<LaneRate> {
        let mut samples = Samples::default();
        let at = |second: u64| -> Vec<LaneSnapshot> {
            let lane = |&(records, busy, _): &(u64, f64, f64)| {
                lane(records * second, (busy * (second * SECOND) as f64) as u64, second * SECOND)
            };
            lanes.iter().map(lane).collect()
        };
        for second in 0..4 {
            samples.push(moment(second), &at(second));
            samples.pressures.iter_mut().zip(lanes).for_each(|(pressure, lane)| pressure.note(lane.2));
        }
        samples.rates(4 * SECOND, &at(4))
    }

    fn hot(lanes: &[(u64, f64, f64)]) -> Vec<bool> {
        steady(lanes).iter().map(|rate| rate.hot).collect()
    }

    #[test]
    fn a_lane_is_hot_that_is_much_busier_or_is_given_more_than_it_can_do() {
        let (busy, calm) = ((100, 1.0, 0.5), (100, 0.25, 0.0));
        assert_eq!(hot(&[busy, calm, calm]), [true, false, false]);
        assert_eq!(hot(&[busy, busy]), [false, false], "all of them are: more partitions would help, no other keys");
        assert_eq!(hot(&[busy]), [false], "there are no others");
        assert_eq!(hot(&[(100, 0.75, 0.5), calm]), [false, false], "it keeps up");
        // Its thread waits for a sink, say: not busy, but jammed by what it is given.
        assert_eq!(hot(&[(100, 0.3, 0.1), (200, 0.3, 1.0)]), [false, true]);
        assert_eq!(hot(&[(200, 0.3, 1.0), (200, 0.3, 1.0)]), [false, false]);
        assert_eq!(hot(&[(100, 0.3, 0.1), (110, 0.3, 1.0)]), [false, false], "others are given nearly as much");
    }

    #[test]
    fn a_moment_makes_no_lane_hot() {
        let mut samples = Samples::default();
        let lanes = |second: u64| [lane(9, second * SECOND, second * SECOND), lane(9, 0, second * SECOND)];
        assert!(!samples.rates(SECOND, &lanes(1))[0].hot, "no sample yet");
        samples.push(moment(1), &lanes(1));
        assert!(!samples.rates(2 * SECOND, &lanes(2))[0].hot, "one second");
        samples.push(moment(2), &lanes(2));
        samples.push(moment(3), &lanes(3));
        assert!(samples.rates(3 * SECOND + 1, &lanes(3))[0].hot);
    }

    #[test]
    fn changes_of_state_are_events() {
        let mut pressure = LanePressure::default();
        let states = [0.1, 0.72, 0.68, 0.97, 0.92, 0.3].map(|utilization| {
            pressure.note(utilization);
            pressure.state
        });
        let [h, w, _, s] = Pressure::ALL;
        assert_eq!(states, [h, w, w, s, s, h]);
        assert_eq!((pressure.events, pressure.utilization), ([1, 1, 0, 1], 0.3));
    }

    #[test]
    fn old_samples_go() {
        let mut samples = Samples::default();
        (0..200).for_each(|second| samples.push(moment(second), &[]));
        assert_eq!(samples.kept.len(), JOB_SAMPLES_KEPT);
    }
}
