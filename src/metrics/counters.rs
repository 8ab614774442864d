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

/// The counts of one job while it runs. Shared by reference between the job and whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    slots: Mutex<Vec<Arc<CachePadded<Slot>>>>,
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
}

/// The right to count into one slot.
#[derive(Debug)]
pub struct ProgressWriter {
    slot: Arc<CachePadded<Slot>>,
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
        ProgressWriter { slot }
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

    /// Announces input of known size, a file say.
    pub fn expect_bytes(&mut self, bytes: u64) {
        add(&self.slot.bytes_expected, bytes);
    }
}

/// Adds to a counter that only the caller writes. Relaxed on both sides: see `Progress::totals`.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
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
        };
        assert_eq!(progress.totals(), expected);
    }

    #[test]
    fn slots_do_not_share_cache_lines() {
        assert!(align_of::<CachePadded<Slot>>() >= 64);
    }
}
