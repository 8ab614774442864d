//! What every driver shares: the machines, the wish to stop, the first failure, the accounting of time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::metrics::{ActivityWriter, LatencyWriter, Progress, ThreadProfile};
use crate::partition::{Partition, PartitionStats, Reader, ReaderStats, RowSink, Step, Wired, WriterStats};
use crate::pipeline::Stages;
use crate::plan::{Layout, Plan};
use crate::ring::{WaitMode, Wakeup};
use crate::state::KeyHasher;
use crate::sys::{PauseFlag, StopFlag, monotonic_ns};
use crate::time::Clock;

/// What a job runs with.
pub struct MachinesSetup<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its layout.
    pub layout: &'a Layout,
    /// Hashes of keys, as wired.
    pub hasher: KeyHasher,
    /// CPU for each partition; none means not pinned.
    pub cores: &'a [usize],
    /// How threads wait.
    pub wait: WaitMode,
    /// Rows of a batch at most.
    pub batch_rows: usize,
    /// The user's wish to stop.
    pub stop: &'a StopFlag,
    /// Whether to measure in detail where the time goes.
    pub is_measured: bool,
    /// Where the stages of threads are seen.
    pub progress: &'a Progress,
    /// The user's wish that nothing is read for a while.
    pub pause: &'a PauseFlag,
    /// What time it is, for those who watch.
    pub clock: &'a Clock,
}

/// All machines of a job, in parts, and where rows end up.
pub struct Machines<'a> {
    /// What they run with.
    pub setup: MachinesSetup<'a>,
    /// The parts.
    pub wired: Wired,
    /// The sink; returned to be committed.
    pub sink: Box<dyn RowSink>,
}

impl MachinesSetup<'_> {
    pub(super) fn stages(&self, index: usize) -> Stages {
        Stages::new(self.plan, self.layout, index, self.hasher)
    }

    /// Steps a reader as the user wishes; with `enough` nothing more needs to be read.
    pub(super) fn read(&self, reader: &mut Reader, enough: bool) -> Result<Step> {
        let stop = enough || self.stop.is_set();
        if self.pause.is_set() && !stop { Ok(reader.rest()) } else { reader.step(stop) }
    }

    /// Steps a partition, and shows how long a chunk took that is through.
    pub(super) fn process(&self, partition: &mut Partition, latency: &mut LatencyWriter) -> Result<Step> {
        let step = partition.step();
        if let Some(read_at) = partition.take_through() {
            latency.through(read_at.0, self.clock.now().0);
        }
        step
    }
}

/// What the machines did.
pub struct Finished {
    /// Readers.
    pub readers: Vec<ReaderStats>,
    /// Partitions: what each did, and its CPU if pinned.
    pub partitions: Vec<(PartitionStats, Option<usize>)>,
    /// Share of its life in which each partition worked.
    pub busy_ratios: Vec<f64>,
    /// The writer.
    pub writer: WriterStats,
    /// The sink, not committed yet.
    pub sink: Box<dyn RowSink>,
    /// Time that reading, processing and writing took, in nanoseconds, summed over threads.
    pub read_ns: u64,
    /// See `read_ns`.
    pub process_ns: u64,
    /// See `read_ns`.
    pub write_ns: u64,
    /// Where the time of each thread went; empty if that was not measured.
    pub profiles: Vec<ThreadProfile>,
}

/// What the threads of a job tell each other beside the rings: that it failed, or that enough was read.
pub(super) struct Joint {
    /// Set when a machine failed: everyone ends. Release, pairs with the Acquire in `is_halted`; all bells ring after it,
    /// so that no one sleeps through it.
    halted: AtomicBool,
    /// Set when no further row can leave: readers stop.
    enough: AtomicBool,
    failure: Mutex<Option<Error>>,
    bells: Vec<Wakeup>,
}

impl Joint {
    /// For threads that own these bells.
    pub(super) fn new(wired: &Wired) -> Self {
        let lanes = wired.lanes.iter().map(|lane| &lane.bell);
        let bells = lanes.chain(wired.reader.as_ref().map(|(_, bell)| bell)).chain([&wired.writer.1]);
        Self {
            halted: AtomicBool::new(false),
            enough: AtomicBool::new(false),
            failure: Mutex::new(None),
            bells: bells.cloned().collect(),
        }
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    pub(super) fn is_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    pub(super) fn set_enough(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    /// Notes a failure, the first of which the job returns, and ends everyone.
    pub(super) fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.halted.store(true, Ordering::Release);
        self.bells.iter().for_each(Wakeup::wake);
    }

    pub(super) fn into_result(self) -> Result<()> {
        match self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Holds all threads until each has claimed its bell, or sends them home if one could not be started.
#[derive(Default)]
pub(super) struct Gate {
    /// Threads that wait, and whether to go, once that is decided.
    state: Mutex<(usize, Option<bool>)>,
    changed: Condvar,
}

impl Gate {
    /// Waits for the decision; false means to go home.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        self.changed.notify_all();
        loop {
            match state.1 {
                Some(go) => return go,
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Lets `threads` threads go once all are there.
    pub(super) fn open(&self, threads: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0 < threads {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.1 = Some(true);
        self.changed.notify_all();
    }

    /// Sends home who came and who will come.
    pub(super) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.get_or_insert(false);
        self.changed.notify_all();
    }
}

/// Ends the other threads if this one panics: a panic is a defect, but it must not leave a job hanging.
pub(super) struct HaltOnPanic<'a>(pub(super) &'a Joint);

impl Drop for HaltOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(Error::Execution("a thread of the job panicked; this is a defect of corelane".into()));
        }
    }
}

/// Time in which a machine worked. The clock is read when work turns to idling and back, not at every step.
pub(super) struct Stopwatch {
    started_ns: u64,
    idle_since_ns: Option<u64>,
    idle_ns: u64,
    /// Where others can see it.
    shown: Option<ActivityWriter>,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self { started_ns: monotonic_ns(), idle_since_ns: None, idle_ns: 0, shown: None }
    }

    /// One that others can look at.
    pub(super) fn start_shown(mut activity: ActivityWriter, core: Option<usize>) -> Self {
        let started_ns = monotonic_ns();
        activity.started(core, started_ns);
        Self { started_ns, idle_since_ns: None, idle_ns: 0, shown: Some(activity) }
    }

    pub(super) fn worked(&mut self) {
        if let Some(since) = self.idle_since_ns.take() {
            self.idle_ns += monotonic_ns() - since;
            if let Some(shown) = &mut self.shown {
                shown.worked(self.idle_ns);
            }
        }
    }

    pub(super) fn idle(&mut self) {
        if self.idle_since_ns.is_none() {
            let now_ns = monotonic_ns();
            self.idle_since_ns = Some(now_ns);
            if let Some(shown) = &mut self.shown {
                shown.idle(now_ns);
            }
        }
    }

    /// Nanoseconds worked, and their share.
    pub(super) fn stop(mut self) -> (u64, f64) {
        self.worked();
        let now_ns = monotonic_ns();
        if let Some(shown) = &mut self.shown {
            shown.ended(now_ns);
        }
        let total = now_ns - self.started_ns;
        let busy = total.saturating_sub(self.idle_ns);
        (busy, busy as f64 / total.max(1) as f64)
    }
}
