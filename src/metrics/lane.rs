//! Live counters of the lanes of a job: the queue before each partition, what its thread does, how long its records took.
//!
//! Invariants:
//! 1. Each part of a lane has one writer, which is not `Clone` and counts through `&mut self`: the reader its queue, the
//!    partition's thread its activity and latency. A count is a load and a store, never a read-modify-write.
//! 2. Parts of different writers share no cache line.
//! 3. What is seen of a busy lane is true without its help: depth is what was dealt less what was taken, and time on the
//!    clock goes on by itself.
//!
//! Cost: two stores when a thread turns from work to idling or back, a few per chunk.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crossbeam_utils::CachePadded;

use super::counters::{add, get, set};

/// How full a queue is, as a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pressure {
    /// Below 70 %.
    #[default]
    Healthy,
    /// Below 85 %.
    Warning,
    /// Below 95 %.
    Critical,
    /// Full, or next to it: whoever fills it waits.
    Saturated,
}

impl Pressure {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Warning, Self::Critical, Self::Saturated];

    /// The state of a queue with `depth` of `capacity` slots in use.
    pub fn of(depth: u64, capacity: u64) -> Self {
        match depth as f64 / capacity.max(1) as f64 {
            used if used < 0.70 => Self::Healthy,
            used if used < 0.85 => Self::Warning,
            used if used < 0.95 => Self::Critical,
            _ => Self::Saturated,
        }
    }

    /// The name in metrics and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Saturated => "saturated",
        }
    }
}

/// Upper bounds of the latency histogram in microseconds; what took longer is in one bucket more.
pub const LATENCY_BOUNDS_US: [u64; 18] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000,
];
const BUCKETS: usize = LATENCY_BOUNDS_US.len() + 1;

/// No core, not idle, not ended: no number of these.
const NONE: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Queue {
    capacity: AtomicU64,
    dealt: AtomicU64,
    state: AtomicU64,
    events: [AtomicU64; 4],
}

#[derive(Debug)]
pub(super) struct Activity {
    core: AtomicU64,
    started_ns: AtomicU64,
    idle_ns: AtomicU64,
    idle_since_ns: AtomicU64,
    ended_ns: AtomicU64,
    latency: [AtomicU64; BUCKETS],
    latency_sum_us: AtomicU64,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            core: AtomicU64::new(NONE),
            started_ns: AtomicU64::new(NONE),
            idle_ns: AtomicU64::new(0),
            idle_since_ns: AtomicU64::new(NONE),
            ended_ns: AtomicU64::new(NONE),
            latency: Default::default(),
            latency_sum_us: AtomicU64::new(0),
        }
    }
}

/// The right to count what is dealt to a partition.
#[derive(Debug)]
pub struct QueueWriter(Arc<CachePadded<Queue>>);

/// The right to say what a partition's thread does.
#[derive(Debug)]
pub struct ActivityWriter(Arc<CachePadded<Activity>>);

/// The right to say how long a partition's records took.
#[derive(Debug)]
pub struct LatencyWriter(Arc<CachePadded<Activity>>);

/// What a lane's thread is given.
#[derive(Debug)]
pub struct LaneMeters {
    /// What it does.
    pub activity: ActivityWriter,
    /// How long its records took.
    pub latency: LatencyWriter,
}

/// Writers of one lane, and what its readers hold on to.
pub(super) fn lane(capacity: usize) -> (LaneCells, QueueWriter, LaneMeters) {
    let queue = Arc::<CachePadded<Queue>>::default();
    set(&queue.capacity, capacity as u64);
    let activity = Arc::<CachePadded<Activity>>::default();
    let cells = LaneCells { queue: Arc::clone(&queue), activity: Arc::clone(&activity) };
    let meters =
        LaneMeters { activity: ActivityWriter(Arc::clone(&activity)), latency: LatencyWriter(Arc::clone(&activity)) };
    (cells, QueueWriter(queue), meters)
}

/// The reading side of a lane.
#[derive(Debug, Clone)]
pub(super) struct LaneCells {
    queue: Arc<CachePadded<Queue>>,
    activity: Arc<CachePadded<Activity>>,
}

/// How long records took from being read to being through their partition, by chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LatencyCounts {
    /// Chunks by upper bound, as in [`LATENCY_BOUNDS_US`]; the last took longer.
    pub buckets: [u64; BUCKETS],
    /// Sum in microseconds.
    pub sum_us: u64,
}

/// A lane at about one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LaneSnapshot {
    /// CPU its thread is pinned to.
    pub core: Option<usize>,
    /// Records decoded.
    pub records: u64,
    /// Records that could not be used.
    pub failed: u64,
    /// Late records.
    pub late: u64,
    /// Late records that were dropped.
    pub dropped: u64,
    /// Watermark it goes by, in microseconds since the epoch; `None` without event time, or before the first record.
    pub watermark_us: Option<i64>,
    /// Descriptors that wait for it.
    pub queue_depth: u64,
    /// Descriptors that may wait.
    pub queue_capacity: u64,
    /// How often its queue came into each state, in the order of [`Pressure::ALL`].
    pub pressure_events: [u64; 4],
    /// Nanoseconds in which its thread worked.
    pub busy_ns: u64,
    /// Nanoseconds since its thread started.
    pub life_ns: u64,
    /// How long its chunks took.
    pub latency: LatencyCounts,
}

impl LaneSnapshot {
    /// The state of its queue.
    pub fn pressure(&self) -> Pressure {
        Pressure::of(self.queue_depth, self.queue_capacity)
    }

    /// The part of its queue in use, 0 to 1.
    pub fn queue_utilization(&self) -> f64 {
        self.queue_depth as f64 / self.queue_capacity.max(1) as f64
    }

    /// Share of its life in which it worked, 0 to 1.
    pub fn busy_ratio(&self) -> f64 {
        self.busy_ns as f64 / self.life_ns.max(1) as f64
    }
}

impl LaneCells {
    /// Fills in what these cells know; `taken` descriptors have left the queue.
    pub(super) fn fill(&self, into: &mut LaneSnapshot, taken: u64, now_ns: u64) {
        let (queue, activity) = (&self.queue, &self.activity);
        into.queue_capacity = get(&queue.capacity);
        // Two counters of two threads: one may be read a little later than the other.
        into.queue_depth = get(&queue.dealt).saturating_sub(taken).min(into.queue_capacity);
        into.pressure_events = std::array::from_fn(|state| get(&queue.events[state]));
        into.core = some(get(&activity.core)).and_then(|core| usize::try_from(core).ok());
        if let Some(started_ns) = some(get(&activity.started_ns)) {
            let end_ns = some(get(&activity.ended_ns)).unwrap_or(now_ns);
            let idling_ns = some(get(&activity.idle_since_ns)).map_or(0, |since| end_ns.saturating_sub(since));
            into.life_ns = end_ns.saturating_sub(started_ns);
            into.busy_ns = into.life_ns.saturating_sub(get(&activity.idle_ns) + idling_ns);
        }
        into.latency.buckets = std::array::from_fn(|bucket| get(&activity.latency[bucket]));
        into.latency.sum_us = get(&activity.latency_sum_us);
    }
}

fn some(value: u64) -> Option<u64> {
    (value != NONE).then_some(value)
}

impl QueueWriter {
    /// One more was dealt; `depth` are there now.
    pub fn dealt(&mut self, depth: usize) {
        add(&self.0.dealt, 1);
        self.note(depth);
    }

    /// There was no room.
    pub fn full(&mut self) {
        self.note(usize::MAX);
    }

    fn note(&mut self, depth: usize) {
        let capacity = get(&self.0.capacity);
        let state = Pressure::of((depth as u64).min(capacity), capacity) as u64;
        if get(&self.0.state) != state {
            set(&self.0.state, state);
            add(&self.0.events[state as usize], 1);
        }
    }
}

impl ActivityWriter {
    /// Its thread starts to work, on a core if it is pinned.
    pub fn started(&mut self, core: Option<usize>, now_ns: u64) {
        set(&self.0.core, core.map_or(NONE, |core| core as u64));
        set(&self.0.started_ns, now_ns);
    }

    /// It has nothing to do from now on.
    pub fn idle(&mut self, now_ns: u64) {
        set(&self.0.idle_since_ns, now_ns);
    }

    /// It works again; it was idle for `idle_ns` in all.
    pub fn worked(&mut self, idle_ns: u64) {
        set(&self.0.idle_since_ns, NONE);
        set(&self.0.idle_ns, idle_ns);
    }

    /// It is done.
    pub fn ended(&mut self, now_ns: u64) {
        set(&self.0.ended_ns, now_ns);
    }
}

impl LatencyWriter {
    /// A chunk took that long.
    pub fn took(&mut self, us: u64) {
        let bucket = LATENCY_BOUNDS_US.iter().position(|&bound| us <= bound).unwrap_or(LATENCY_BOUNDS_US.len());
        add(&self.0.latency[bucket], 1);
        add(&self.0.latency_sum_us, us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(cells: &LaneCells, taken: u64, now_ns: u64) -> LaneSnapshot {
        let mut snapshot = LaneSnapshot::default();
        cells.fill(&mut snapshot, taken, now_ns);
        snapshot
    }

    #[test]
    fn states_of_a_queue_of_eight() {
        let states: Vec<_> = (0..=8).map(|depth| Pressure::of(depth, 8)).collect();
        assert!(states[..6].iter().all(|&state| state == Pressure::Healthy));
        assert_eq!(states[6..], [Pressure::Warning, Pressure::Critical, Pressure::Saturated]);
    }

    #[test]
    fn depth_is_dealt_less_taken_and_changes_of_state_are_events() {
        let (cells, mut queue, _) = lane(8);
        (1..=8).for_each(|depth| queue.dealt(depth));
        queue.full();
        queue.full();
        let full = snapshot(&cells, 0, 0);
        assert_eq!((full.queue_depth, full.pressure(), full.pressure_events), (8, Pressure::Saturated, [0, 1, 1, 1]));
        queue.dealt(1);
        let after = snapshot(&cells, 8, 0);
        assert_eq!((after.queue_depth, after.pressure(), after.pressure_events), (1, Pressure::Healthy, [1, 1, 1, 1]));
        assert_eq!(snapshot(&cells, 20, 0).queue_depth, 0, "never below zero");
    }

    #[test]
    fn a_busy_thread_is_seen_busy_without_its_help() {
        let (cells, _, mut meters) = lane(8);
        assert_eq!((snapshot(&cells, 0, 50).busy_ns, snapshot(&cells, 0, 50).core), (0, None));
        meters.activity.started(Some(3), 100);
        assert_eq!(snapshot(&cells, 0, 300).busy_ns, 200);
        meters.activity.idle(300);
        assert_eq!((snapshot(&cells, 0, 500).busy_ns, snapshot(&cells, 0, 500).life_ns), (200, 400));
        meters.activity.worked(200);
        meters.activity.ended(600);
        let last = snapshot(&cells, 0, 9_000);
        assert_eq!((last.busy_ns, last.life_ns, last.core, last.busy_ratio()), (300, 500, Some(3), 0.6));
    }

    #[test]
    fn latencies_fall_into_their_buckets() {
        let (cells, _, mut meters) = lane(8);
        [0, 20, 21, 10_000_000, 10_000_001].into_iter().for_each(|us| meters.latency.took(us));
        let counts = snapshot(&cells, 0, 0).latency;
        assert_eq!((counts.buckets[0], counts.buckets[1], counts.buckets[17], counts.buckets[18]), (2, 1, 1, 1));
        assert_eq!(counts.sum_us, 20_000_042);
    }
}
