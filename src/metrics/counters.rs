//! Live counts of a running job: every counted place writes its own slot, a progress line adds the slots up.
//!
//! Invariants:
//! 1. A slot has one writer: [`ProgressWriter`] owns it, is not `Clone`, and counts through `&mut self`. So an increment
//!    is a load and a store, never a read-modify-write.
//! 2. A slot fills cache lines of its own (128 bytes with the neighbour that the prefetcher pulls in).
//! 3. Readers see every count eventually and each alone; counts of different kinds may be of different moments.
//!
//! Cost: registering a writer takes a lock and allocates; counting does neither.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_utils::CachePadded;

use super::lane::{LaneCells, LaneMeters, LaneSnapshot, Moment, QueueWriter, lane};
use super::meter::{ThreadProfile, ThreadStages};

/// The counts of one job while it runs. Shared by reference between the job and whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    slots: Mutex<Vec<Arc<CachePadded<Slot>>>>,
    lanes: Mutex<Vec<(Arc<CachePadded<Slot>>, LaneCells)>>,
    threads: Mutex<Vec<Arc<ThreadStages>>>,
    failures: Arc<Mutex<Vec<LiveFailure>>>,
}

/// One of the first records that failed, as it is known while the job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFailure {
    /// Number of the split.
    pub split: u32,
    /// Number of the record in it.
    pub record: u64,
    /// What was wrong with it.
    pub reason: String,
}

/// What the machines of one lane count with.
#[derive(Debug)]
pub struct LaneWriters {
    /// For the partition.
    pub partition: ProgressWriter,
    /// For whoever fills its queue.
    pub queue: QueueWriter,
    /// For its thread.
    pub meters: LaneMeters,
}

/// What one writer has counted.
#[derive(Debug, Default)]
struct Slot {
    records_read: AtomicU64,
    records_emitted: AtomicU64,
    records_failed: AtomicU64,
    records_late: AtomicU64,
    bytes_read: AtomicU64,
    bytes_expected: AtomicU64,
    records_dropped: AtomicU64,
    /// Descriptors taken from the queue.
    taken: AtomicU64,
    /// Microseconds since the epoch plus 2^63, so that 0 is none.
    watermark: AtomicU64,
}

/// The right to count into one slot.
#[derive(Debug)]
pub struct ProgressWriter {
    slot: Arc<CachePadded<Slot>>,
    failures: Arc<Mutex<Vec<LiveFailure>>>,
}

/// Sums over all writers at about one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgressTotals {
    /// Records read.
    pub records_read: u64,
    /// Rows that left.
    pub records_emitted: u64,
    /// Records that could not be decoded.
    pub records_failed: u64,
    /// Late records.
    pub records_late: u64,
    /// Input bytes read.
    pub bytes_read: u64,
    /// Input bytes there are to read, as far as known; 0 if unknown.
    pub bytes_expected: u64,
    /// Late records that were dropped.
    pub records_dropped: u64,
}

impl Progress {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A slot of its own for the caller. Counts stay in the totals after the writer is dropped.
    pub fn writer(&self) -> ProgressWriter {
        let slot = Arc::<CachePadded<Slot>>::default();
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&slot));
        ProgressWriter { slot, failures: Arc::clone(&self.failures) }
    }

    /// The writers of one more lane, whose queue holds `capacity` descriptors. Lanes are numbered as they are made.
    pub fn lane(&self, capacity: usize) -> LaneWriters {
        let partition = self.writer();
        let (cells, queue, meters) = lane(capacity);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.push((Arc::clone(&partition.slot), cells));
        LaneWriters { partition, queue, meters }
    }

    /// All lanes at about one moment, which is `now`.
    pub fn lanes(&self, now: Moment) -> Vec<LaneSnapshot> {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = |(slot, cells): &(Arc<CachePadded<Slot>>, LaneCells)| {
            let mut snapshot = LaneSnapshot {
                records: get(&slot.records_read),
                failed: get(&slot.records_failed),
                late: get(&slot.records_late),
                dropped: get(&slot.records_dropped),
                watermark_us: match get(&slot.watermark) {
                    0 => None,
                    shifted => Some((shifted ^ (1 << 63)).cast_signed()),
                },
                ..LaneSnapshot::default()
            };
            cells.fill(&mut snapshot, get(&slot.taken), now);
            snapshot
        };
        lanes.iter().map(snapshot).collect()
    }

    /// From now on the stages of a thread are seen.
    pub fn show(&self, stages: &Arc<ThreadStages>) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(stages));
    }

    /// What each thread did so far, by name.
    pub fn profiles(&self) -> Vec<ThreadProfile> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        threads.sort_by(|a, b| a.name().cmp(b.name()));
        threads.iter().map(|thread| thread.profile()).collect()
    }

    /// The first records of each partition that failed.
    pub fn failures(&self) -> Vec<LiveFailure> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds the slots up.
    pub fn totals(&self) -> ProgressTotals {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // Relaxed: the counts are for people; no other memory is read on their strength.
        let sum = |field: fn(&Slot) -> &AtomicU64| slots.iter().map(|slot| field(slot).load(Ordering::Relaxed)).sum();
        ProgressTotals {
            records_read: sum(|slot| &slot.records_read),
            records_emitted: sum(|slot| &slot.records_emitted),
            records_failed: sum(|slot| &slot.records_failed),
            records_late: sum(|slot| &slot.records_late),
            bytes_read: sum(|slot| &slot.bytes_read),
            bytes_expected: sum(|slot| &slot.bytes_expected),
            records_dropped: sum(|slot| &slot.records_dropped),
        }
    }
}

impl ProgressWriter {
    /// Counts records read and the bytes they came in.
    pub fn add_read(&mut self, records: u64, bytes: u64) {
        add(&self.slot.records_read, records);
        add(&self.slot.bytes_read, bytes);
    }

    /// Counts rows that left.
    pub fn add_emitted(&mut self, records: u64) {
        add(&self.slot.records_emitted, records);
    }

    /// Counts records that could not be decoded.
    pub fn add_failed(&mut self, records: u64) {
        add(&self.slot.records_failed, records);
    }

    /// Counts late records.
    pub fn add_late(&mut self, records: u64) {
        add(&self.slot.records_late, records);
    }

    /// Counts late records that were dropped.
    pub fn add_dropped(&mut self, records: u64) {
        add(&self.slot.records_dropped, records);
    }

    /// Counts a descriptor taken from the queue.
    pub fn add_taken(&mut self) {
        add(&self.slot.taken, 1);
    }

    /// The watermark that the partition goes by, in microseconds since the epoch.
    pub fn set_watermark(&mut self, us: i64) {
        set(&self.slot.watermark, us.cast_unsigned() ^ (1 << 63));
    }

    /// Shows a record that failed. Takes a lock: for the first few only.
    pub fn show_failure(&mut self, failure: LiveFailure) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    /// Announces input of known size, a file say.
    pub fn expect_bytes(&mut self, bytes: u64) {
        add(&self.slot.bytes_expected, bytes);
    }
}

/// Adds to a counter that only the caller writes. Relaxed on both sides: see `Progress::totals`.
pub(super) fn add(counter: &AtomicU64, by: u64) {
    set(counter, get(counter).wrapping_add(by));
}

/// Sets a value that only the caller writes. Relaxed: see `Progress::totals`.
pub(super) fn set(cell: &AtomicU64, value: u64) {
    cell.store(value, Ordering::Relaxed);
}

/// Reads a value. Relaxed: see `Progress::totals`.
pub(super) fn get(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_sums_over_writers_dropped_ones_included() {
        let progress = Progress::new();
        assert_eq!(progress.totals(), ProgressTotals::default());
        let mut reader = progress.writer();
        reader.expect_bytes(1000);
        reader.add_read(3, 300);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut partition = progress.writer();
                    for _ in 0..1000 {
                        partition.add_emitted(2);
                        partition.add_late(1);
                    }
                    partition.add_failed(5);
                });
            }
        });
        let expected = ProgressTotals {
            records_read: 3,
            records_emitted: 8000,
            records_failed: 20,
            records_late: 4000,
            bytes_read: 300,
            bytes_expected: 1000,
            records_dropped: 0,
        };
        assert_eq!(progress.totals(), expected);
    }

    #[test]
    fn lanes_show_what_their_partition_counts() {
        let progress = Progress::new();
        let mut first = progress.lane(8);
        let second = progress.lane(4);
        first.queue.dealt();
        first.queue.dealt();
        first.partition.add_taken();
        first.partition.add_read(7, 70);
        first.partition.add_dropped(2);
        first.partition.set_watermark(-5);
        first.partition.show_failure(LiveFailure { split: 0, record: 3, reason: "no number".into() });
        let lanes = progress.lanes(Moment::default());
        assert_eq!((lanes[0].records, lanes[0].dropped, lanes[0].queue_depth), (7, 2, 1));
        assert_eq!((lanes[0].watermark_us, lanes[1].watermark_us), (Some(-5), None));
        assert_eq!((lanes[1].queue_capacity, progress.totals().records_read), (4, 7));
        assert_eq!(progress.failures()[0].record, 3);
        drop(second);
    }

    #[test]
    fn slots_do_not_share_cache_lines() {
        assert!(align_of::<CachePadded<Slot>>() >= 64);
    }
}
