//! Live counters of the lanes of a job: the queue before each partition, what its thread does, how long its records took.
//!
//! Invariants:
//! 1. Each part of a lane has one writer, which is not `Clone` and counts through `&mut self`: the reader its queue, the
//!    partition's thread its activity and latency. A count is a load and a store, never a read-modify-write.
//! 2. Parts of different writers share no cache line.
//! 3. What is seen of a busy or jammed lane is true without its help: depth is what was dealt less what was taken, and time
//!    on the clock goes on by itself.
//!
//! Cost: two stores when a thread turns from work to idling or back, a few per chunk.
//!
//! How full a lane is follows from how long its chunks are in it: between two moments, the time that all of them spent there
//! is their mean number times the time that passed. That time needs no sampling. With n chunks in the lane, of which each
//! came at some time, it is up to now n times now, less the sum of the times of all that came, plus the sum of the times of
//! all that left; the reader keeps the one sum, the partition's thread the other ([`Passed`]).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crossbeam_utils::CachePadded;

use super::counters::{add, get, set};

/// How full a lane is over a while, as a state.
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

    /// So far below the bound of a state the lane has to be before the state is left.
    const MARGIN: f64 = 0.05;

    /// The state of that utilization.
    pub fn of(utilization: f64) -> Self {
        match utilization {
            used if used < 0.70 => Self::Healthy,
            used if used < 0.85 => Self::Warning,
            used if used < 0.95 => Self::Critical,
            _ => Self::Saturated,
        }
    }

    /// The state that follows this one: up at once, down only when that is clear, so that a lane at a bound does not flicker.
    pub fn then(self, utilization: f64) -> Self {
        Self::of(utilization).max(self.min(Self::of(utilization + Self::MARGIN)))
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

/// Chunks that passed a place, and the sum of the times at which they did: a number modulo 2^12 and microseconds modulo 2^52
/// in one word, so that both are seen as of one moment. There are never 2^12 chunks between two places.
#[derive(Debug, Default)]
struct Passed(AtomicU64);

const SUM_BITS: u32 = 52;
const SUM_MASK: u64 = (1 << SUM_BITS) - 1;

impl Passed {
    fn note(&self, at_us: i64) {
        let word = get(&self.0);
        let sum = word.wrapping_add(at_us.cast_unsigned()) & SUM_MASK;
        set(&self.0, (word & !SUM_MASK).wrapping_add(1 << SUM_BITS) | sum);
    }
}

/// The time that all chunks of a lane have spent in it, in microseconds modulo 2^52.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkTime(u64);

impl ChunkTime {
    fn at(now_us: i64, came: &Passed, left: &Passed) -> Self {
        // Who leaves came before, so that what left is read first.
        let (left, came) = (get(&left.0), get(&came.0));
        let inside = (came >> SUM_BITS).wrapping_sub(left >> SUM_BITS) & (u64::MAX >> SUM_BITS);
        let time = inside.wrapping_mul(now_us.cast_unsigned()).wrapping_sub(came).wrapping_add(left);
        Self(time & SUM_MASK)
    }

    /// Microseconds spent since `earlier`.
    pub fn since_us(self, earlier: Self) -> u64 {
        let spent = self.0.wrapping_sub(earlier.0) & SUM_MASK;
        // A chunk that came while the words were read makes it a little too small, or the clock was set back.
        if spent > SUM_MASK / 2 { 0 } else { spent }
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
    came: Passed,
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
    left: Passed,
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
            left: Passed::default(),
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

/// A moment on the clocks that lanes go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// Nanoseconds on the clock of threads, which only goes on.
    pub monotonic_ns: u64,
    /// Microseconds since the epoch on the clock of the reader, which may be set.
    pub wall_us: i64,
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
    /// How long chunks were here, read and not through yet.
    pub chunk_time: ChunkTime,
    /// Nanoseconds in which its thread worked.
    pub busy_ns: u64,
    /// Nanoseconds since its thread started.
    pub life_ns: u64,
    /// How long its chunks took.
    pub latency: LatencyCounts,
}

impl LaneSnapshot {
    /// How full it was between `earlier` and now, `passed_us` later: chunks that were read and not through, on average, as a
    /// share of the slots of its queue, 0 to 1. Above 1, which is cut off, one is worked on and one finds no room.
    pub fn utilization_since(&self, earlier: ChunkTime, passed_us: u64) -> f64 {
        let chunks = self.chunk_time.since_us(earlier) as f64 / passed_us.max(1) as f64;
        (chunks / self.queue_capacity.max(1) as f64).min(1.0)
    }

    /// Share of its life in which it worked, 0 to 1.
    pub fn busy_ratio(&self) -> f64 {
        self.busy_ns as f64 / self.life_ns.max(1) as f64
    }
}

impl LaneCells {
    /// Fills in what these cells know; `taken` descriptors have left the queue.
    pub(super) fn fill(&self, into: &mut LaneSnapshot, taken: u64, now: Moment) {
        let (queue, activity) = (&self.queue, &self.activity);
        into.queue_capacity = get(&queue.capacity);
        // Two counters of two threads: one may be read a little later than the other.
        into.queue_depth = get(&queue.dealt).saturating_sub(taken).min(into.queue_capacity);
        into.chunk_time = ChunkTime::at(now.wall_us, &queue.came, &activity.left);
        into.core = some(get(&activity.core)).and_then(|core| usize::try_from(core).ok());
        if let Some(started_ns) = some(get(&activity.started_ns)) {
            let end_ns = some(get(&activity.ended_ns)).unwrap_or(now.monotonic_ns);
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
    /// A chunk was read for it at `at_us`; it is dealt as soon as there is room.
    pub fn chunk_read(&mut self, at_us: i64) {
        self.0.came.note(at_us);
    }

    /// One more was dealt.
    pub fn dealt(&mut self) {
        add(&self.0.dealt, 1);
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
    /// A chunk that was read at `read_us` is through at `now_us`.
    pub fn through(&mut self, read_us: i64, now_us: i64) {
        self.0.left.note(now_us);
        let us = now_us.saturating_sub(read_us).max(0).cast_unsigned();
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
        cells.fill(&mut snapshot, taken, Moment { monotonic_ns: now_ns, wall_us: (now_ns / 1_000).cast_signed() });
        snapshot
    }

    #[test]
    fn states_have_their_bounds_and_are_left_when_that_is_clear() {
        let states = [0.0, 0.69, 0.70, 0.849, 0.85, 0.949, 0.95, 1.0].map(Pressure::of);
        let [h, w, c, s] = Pressure::ALL;
        assert_eq!(states, [h, h, w, w, c, c, s, s]);
        // Up at once, also over states between; down when it is 5 % below.
        assert_eq!((h.then(0.97), h.then(0.86), s.then(0.97)), (s, c, s));
        assert_eq!((s.then(0.91), s.then(0.89), s.then(0.0)), (s, c, h));
        assert_eq!((w.then(0.66), w.then(0.64), c.then(0.66)), (w, h, w));
        // At a bound it does not flicker.
        let mut state = h;
        let seen: Vec<_> = (0..6)
            .map(|i| {
                state = state.then(if i % 2 == 0 { 0.71 } else { 0.69 });
                state
            })
            .collect();
        assert_eq!(seen, [w; 6]);
    }

    #[test]
    fn depth_is_dealt_less_taken() {
        let (cells, mut queue, _) = lane(8);
        (0..8).for_each(|_| queue.dealt());
        assert_eq!((snapshot(&cells, 0, 0).queue_depth, snapshot(&cells, 7, 0).queue_depth), (8, 1));
        assert_eq!(snapshot(&cells, 20, 0).queue_depth, 0, "never below zero");
    }

    /// A series of chunks, each with when it came and left in milliseconds; how full the lane of 4 was in each second.
    fn utilizations(chunks: &[(i64, i64)], seconds: i64) -> Vec<f64> {
        // Late enough for sums to pass 2^52.
        const START_US: i64 = 1 << 51;
        let (cells, mut queue, mut meters) = lane(4);
        let mut events: Vec<(i64, Option<i64>)> = chunks.iter().map(|&(came, _)| (came, None)).collect();
        events.extend(chunks.iter().map(|&(came, left)| (left, Some(came))));
        events.sort_unstable();
        let mut events = events.into_iter().peekable();
        let mut before = ChunkTime::default();
        let mut second = |second: i64| {
            while let Some((at, came)) = events.next_if(|&(at, _)| at <= second * 1_000) {
                match came {
                    None => queue.chunk_read(START_US + at * 1_000),
                    Some(came) => meters.latency.through(START_US + came * 1_000, START_US + at * 1_000),
                }
            }
            let mut now = LaneSnapshot::default();
            cells.fill(&mut now, 0, Moment { monotonic_ns: 0, wall_us: START_US + second * 1_000_000 });
            let used = now.utilization_since(before, 1_000_000);
            before = now.chunk_time;
            used
        };
        (1..=seconds).map(&mut second).collect()
    }

    #[test]
    fn a_lane_that_keeps_up_is_nearly_empty_however_bursts_fill_it() {
        // Every 100 ms eight chunks at once, each a millisecond of work: 36 ms in all of 100.
        let bursts: Vec<_> = (0..160).map(|i| (i / 8 * 100 + 10, i / 8 * 100 + 11 + i % 8)).collect();
        for used in utilizations(&bursts, 2) {
            assert!((used - 0.09).abs() < 1e-9, "{used}");
        }
    }

    #[test]
    fn a_lane_is_full_that_is_given_more_than_it_does_and_is_empty_after_a_pause() {
        // A chunk is read as soon as there is room: five in the lane, of 100 ms of work each. The last comes at 2 s.
        let slow: Vec<_> = (0..25).map(|i: i64| ((i - 4).max(0) * 100, (i + 1) * 100)).collect();
        let used = utilizations(&slow, 4);
        assert_eq!(used[..2], [1.0, 1.0]);
        // What is left takes 0.1 to 0.5 s.
        assert!((used[2] - 1.5 / 4.0).abs() < 1e-9 && used[3] == 0.0, "{used:?}");
    }

    #[test]
    fn a_lane_that_is_jammed_is_full_though_nothing_moves() {
        let jammed = [(0, 10_000); 4];
        assert_eq!(utilizations(&jammed, 3), [1.0; 3]);
        assert_eq!(utilizations(&jammed[..1], 3), [0.25; 3], "one that is worked on for long is no queue");
    }

    #[test]
    fn a_clock_that_is_set_back_does_no_harm() {
        let (earlier, later) = (ChunkTime(100), ChunkTime(60));
        assert_eq!((later.since_us(earlier), earlier.since_us(later)), (0, 40));
        assert_eq!(ChunkTime(5).since_us(ChunkTime(SUM_MASK - 4)), 10);
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
        [0, 20, 21, 10_000_000, 10_000_001].into_iter().for_each(|us| meters.latency.through(7, 7 + us));
        let counts = snapshot(&cells, 0, 0).latency;
        assert_eq!((counts.buckets[0], counts.buckets[1], counts.buckets[17], counts.buckets[18]), (2, 1, 1, 1));
        assert_eq!(counts.sum_us, 20_000_042);
    }
}
