//! The wish that a job reads nothing for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a running job to stop reading until it is asked to go on. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct PauseFlag(Arc<AtomicBool>);

impl PauseFlag {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a pause, or for its end.
    pub fn set(&self, paused: bool) {
        // Relaxed: the flag carries no data; whoever sees it late pauses one chunk later.
        self.0.store(paused, Ordering::Relaxed);
    }

    /// Whether a pause is asked for.
    pub fn is_set(&self) -> bool {
        // Relaxed: see `set`.
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_when_it_is_taken_back() {
        let pause = PauseFlag::new();
        let other = pause.clone();
        other.set(true);
        assert!(pause.is_set());
        other.set(false);
        assert!(!pause.is_set());
    }
}
