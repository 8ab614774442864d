//! SIGINT and SIGTERM as a flag that readers look at between chunks.
//!
//! The first signal asks for a clean stop: stop reading, drain, flush, report, exit status 0. A second SIGINT ends
//! the process at once with status 130. Handlers only store to atomics; all else happens on ordinary threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{Error, Result};

/// Asks a running job to stop. Clones share the flag; once set it stays set.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the stop.
    pub fn set(&self) {
        // Relaxed: the flag carries no data; whoever sees it late stops one chunk later.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the stop was asked for.
    pub fn is_set(&self) -> bool {
        // Relaxed: see `set`.
        self.0.load(Ordering::Relaxed)
    }
}

/// Makes SIGINT and SIGTERM set `stop`, and a second SIGINT end the process with status 130. Once per process.
pub fn stop_on_signals(stop: &StopFlag) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("install a handler for", "SIGINT and SIGTERM", &error);
    let interrupted = Arc::new(AtomicBool::new(false));
    // Handlers of one signal run in the order they were registered: the check for the second SIGINT comes before the
    // line that remembers the first.
    flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupted)).map_err(failed)?;
    flag::register(SIGINT, interrupted).map_err(failed)?;
    flag::register(SIGINT, Arc::clone(&stop.0)).map_err(failed)?;
    flag::register(SIGTERM, Arc::clone(&stop.0)).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigterm_sets_the_flag() {
        let stop = StopFlag::new();
        stop_on_signals(&stop).unwrap();
        assert!(!stop.is_set());
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert!(stop.is_set());
    }

    #[test]
    fn clones_share_the_flag() {
        let stop = StopFlag::new();
        let other = stop.clone();
        other.set();
        assert!(stop.is_set());
    }
}
