//! How much memory the state of a job may take, over all its partitions.
//!
//! Each holder of state keeps a share up to date; the sum is one counter. It is touched when a share changes, at most once a
//! batch, not per row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// A limit, and what is held under it.
#[derive(Debug, Clone)]
pub struct MemoryLimit {
    limit_bytes: u64,
    held: Arc<CachePadded<AtomicU64>>,
}

/// The right to hold memory under a limit.
#[derive(Debug)]
pub struct MemoryShare {
    limit: MemoryLimit,
    bytes: u64,
}

/// More is held than the limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryExceeded {
    /// The limit.
    pub limit_bytes: u64,
    /// Held under it by all shares.
    pub held_bytes: u64,
}

impl MemoryLimit {
    /// Nothing held yet.
    pub fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, held: Arc::default() }
    }

    /// A share that holds nothing yet.
    pub fn share(&self) -> MemoryShare {
        MemoryShare { limit: self.clone(), bytes: 0 }
    }
}

impl MemoryShare {
    /// This share holds `bytes` now.
    pub fn hold(&mut self, bytes: u64) -> Result<(), MemoryExceeded> {
        let change = bytes.wrapping_sub(self.bytes);
        self.bytes = bytes;
        // Relaxed: nothing but the sum is read on its strength, and it wraps like the changes that make it up.
        let held_bytes = match change {
            0 => self.limit.held.load(Ordering::Relaxed),
            change => self.limit.held.fetch_add(change, Ordering::Relaxed).wrapping_add(change),
        };
        let limit_bytes = self.limit.limit_bytes;
        if held_bytes > limit_bytes { Err(MemoryExceeded { limit_bytes, held_bytes }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_shrink() {
        let limit = MemoryLimit::new(100);
        let (mut a, mut b) = (limit.share(), limit.share());
        assert_eq!((a.hold(60), b.hold(40)), (Ok(()), Ok(())));
        assert_eq!(b.hold(41), Err(MemoryExceeded { limit_bytes: 100, held_bytes: 101 }));
        assert_eq!((a.hold(10), b.hold(90)), (Ok(()), Ok(())));
    }
}
