//! Waiting without losing a wake-up and without a timer.
//!
//! Each thread owns one [`Wakeup`]; the ends of its rings hold clones of it and call [`Wakeup::wake`] after they changed
//! a ring. The sleeping itself is the token of `std::thread::park`: an `unpark` between a thread's last look at its
//! rings and its `park` makes that `park` return at once, so no wake-up is lost. An `unpark` of a thread that does not
//! sleep is one atomic swap and no system call.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

/// How a thread waits when it has nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitMode {
    /// Burns its core: lowest latency, for isolated cores.
    Spin,
    /// Spins for a microsecond or two, then yields, then parks.
    #[default]
    Backoff,
    /// Parks at once.
    Park,
    /// Never sleeps, but gives its CPU away each time: for threads that share what `Spin` leaves of the host.
    Yield,
}

impl FromStr for WaitMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "spin" => Ok(Self::Spin),
            "backoff" => Ok(Self::Backoff),
            "park" => Ok(Self::Park),
            _ => Err("expected spin, backoff or park".into()),
        }
    }
}

/// The bell of one thread.
#[derive(Debug, Clone, Default)]
pub struct Wakeup {
    thread: Arc<OnceLock<Thread>>,
}

impl Wakeup {
    /// A bell that no thread owns yet: ringing it does nothing, as for partitions that one thread steps in turn.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the owner if it sleeps, or makes its next sleep return at once.
    pub fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// The waiting side, owned by the thread.
#[derive(Debug)]
pub struct Waiter {
    mode: WaitMode,
    idle_rounds: u32,
}

impl Waiter {
    /// Rounds of spinning before yielding; a round is one `pause`, tens of nanoseconds. Any value is correct.
    const SPIN_ROUNDS: u32 = 64;
    /// Rounds of spinning and yielding before parking. Any value is correct.
    const YIELD_ROUNDS: u32 = Self::SPIN_ROUNDS + 16;

    /// Makes the calling thread the owner of `wakeup`. Threads that ring the bell must start to do so only after this
    /// (the drivers hold all threads at a barrier until each has claimed its own).
    pub fn claim(mode: WaitMode, wakeup: &Wakeup) -> Self {
        let claimed = wakeup.thread.set(std::thread::current()).is_ok();
        assert!(claimed, "a bell has one owner");
        Self { mode, idle_rounds: 0 }
    }

    /// To be called after a round that did something.
    pub fn worked(&mut self) {
        self.idle_rounds = 0;
    }

    /// Waits a little after a round in which every ring was looked at and nothing could be done.
    pub fn idle(&mut self) {
        match self.mode {
            WaitMode::Spin => std::hint::spin_loop(),
            WaitMode::Yield => std::thread::yield_now(),
            WaitMode::Backoff if self.idle_rounds < Self::SPIN_ROUNDS => std::hint::spin_loop(),
            WaitMode::Backoff if self.idle_rounds < Self::YIELD_ROUNDS => std::thread::yield_now(),
            WaitMode::Backoff | WaitMode::Park => std::thread::park(),
        }
        self.idle_rounds = self.idle_rounds.saturating_add(1);
    }

    /// A sleep shorter than this is not begun but spun: it would last fifty microseconds, the slack of the kernel's timers.
    const SLEEP_LEAST: Duration = Duration::from_micros(5);

    /// Sleeps until woken or until `duration` has passed, for a source that knows when its next record is due; where
    /// waiting is to be without sleep, returns so that the source is asked again.
    pub fn sleep(&mut self, duration: Duration) {
        match self.mode {
            WaitMode::Spin => std::hint::spin_loop(),
            WaitMode::Yield => std::thread::yield_now(),
            WaitMode::Backoff if duration < Self::SLEEP_LEAST => std::hint::spin_loop(),
            WaitMode::Backoff | WaitMode::Park => std::thread::park_timeout(duration),
        }
    }
}
