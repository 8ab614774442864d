//! SIGINT and SIGTERM as a flag that readers look at between chunks.
//!
//! The first signal asks for a clean stop: stop reading, drain, flush, report, exit status 0. A second SIGINT ends
//! the process at once with status 130. Handlers only store to atomics; all else happens on ordinary threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::unregister;
use signal_hook::{SigId, flag};

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

/// Makes SIGINT set `stop` for as long as the guard lives; then SIGINT does nothing. For sessions that go on after it.
pub fn stop_on_interrupt(stop: &StopFlag) -> Result<InterruptGuard> {
    let failed = |error: std::io::Error| Error::io("install a handler for", "SIGINT", &error);
    flag::register(SIGINT, Arc::clone(&stop.0)).map(InterruptGuard).map_err(failed)
}

/// See [`stop_on_interrupt`].
#[derive(Debug)]
pub struct InterruptGuard(SigId);

impl Drop for InterruptGuard {
    fn drop(&mut self) {
        unregister(self.0);
    }
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

    /// Run in a process of its own, which the second signal ends: this test starts itself once more.
    #[test]
    fn the_second_sigint_ends_the_process_with_130() {
        const CHILD: &str = "CORELANE_TEST_SIGINT_CHILD";
        if std::env::var_os(CHILD).is_some() {
            let stop = StopFlag::new();
            stop_on_signals(&stop).unwrap();
            signal_hook::low_level::raise(SIGTERM).unwrap();
            signal_hook::low_level::raise(SIGINT).unwrap();
            assert!(stop.is_set(), "the first SIGINT asks for a stop, also after SIGTERM");
            signal_hook::low_level::raise(SIGINT).unwrap();
            unreachable!("the second SIGINT ends the process");
        }
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["sys::signal::tests::the_second_sigint_ends_the_process_with_130", "--exact"]);
        assert_eq!(child.env(CHILD, "1").output().unwrap().status.code(), Some(130));
    }

    #[test]
    fn clones_share_the_flag() {
        let stop = StopFlag::new();
        let other = stop.clone();
        other.set();
        assert!(stop.is_set());
    }
}
