//! Where the time of a thread goes: a meter that is told what the thread turns to.
//!
//! Guarantees: every moment between start and finish belongs to one stage, the one that was entered last, so that the times
//! of stages add up to the thread's life. A stage that calls another is not charged for it. Counts of the CPU are read at
//! one batch in [`SAMPLED_BATCH`] and compared with the rows of those batches alone; over the thread's whole life they are exact.
//!
//! Every thread of a job has one, and whoever watches the job sees its stages while it runs ([`ThreadStages`]); only one that
//! is measured in detail counts bytes and state and has counters of the CPU.
//!
//! Cost: a change of stage reads the cycle counter and writes a few words, 10 to 20 ns; it is made per batch and operator,
//! never per row.

use std::cell::{Cell, RefCell};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_utils::CachePadded;

use super::counters::{add, get};
use crate::sys::{self, Counter, Counts, ThreadCounters};

/// One batch in so many has the counters of the CPU read at each change of stage.
pub const SAMPLED_BATCH: u64 = 64;

/// What a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageKind {
    /// Reads and frames input.
    Read,
    /// Turns chunks into columns.
    Decode,
    /// An operator of the query.
    Operator,
    /// Moves rows or groups to the owners of their keys.
    Exchange,
    /// Puts rows in order, encodes and writes them.
    Write,
    /// Rings, watermarks, what is between the others.
    Schedule,
    /// Nothing to do: the source has nothing.
    WaitSource,
    /// Nothing to do: no input has come.
    WaitInput,
    /// Nothing to do: there is no room for output.
    WaitOutput,
}

impl StageKind {
    /// Whether the thread works meanwhile.
    pub fn works(self) -> bool {
        !matches!(self, Self::WaitSource | Self::WaitInput | Self::WaitOutput)
    }
}

/// A stage of one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageId(usize);

/// What is known of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageProfile {
    /// What it is.
    pub kind: StageKind,
    /// What to call it.
    pub name: &'static str,
    /// Ticks of the thread's clock spent in it, without the stages that it called.
    pub ticks: u64,
    /// Batches that came in.
    pub batches: u64,
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went on.
    pub rows_out: u64,
    /// Bytes that came in.
    pub bytes: u64,
    /// Most bytes that its state held.
    pub state_bytes: u64,
    /// Rows that came in while the CPU's counts were read.
    pub sampled_rows: u64,
    /// Those counts.
    pub sampled: Counts,
}

/// What a thread did, as plain values.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadProfile {
    /// What to call it.
    pub name: String,
    /// The CPU that it was pinned to.
    pub core: Option<usize>,
    /// From start to finish, in nanoseconds.
    pub elapsed_ns: u64,
    /// Of them on a CPU.
    pub cpu_ns: u64,
    /// The same as `elapsed_ns` in ticks of its clock.
    pub ticks: u64,
    /// In the order in which they were added.
    pub stages: Vec<StageProfile>,
    /// What the CPU counted, or why it did not.
    pub counts: Result<Counts, String>,
}

/// What a stage has counted: written by its thread alone.
#[derive(Debug, Default)]
struct Counted {
    ticks: AtomicU64,
    batches: AtomicU64,
    rows_in: AtomicU64,
    rows_out: AtomicU64,
}

/// The stages of a thread, for whoever watches it. A lock is taken when a stage is added, and to look.
#[derive(Debug)]
pub struct ThreadStages {
    now: fn() -> u64,
    name: String,
    core: Option<usize>,
    started_ticks: u64,
    started_ns: u64,
    stages: Mutex<Vec<Stage>>,
}

/// A stage and what it has counted.
#[derive(Debug, Clone)]
struct Stage {
    kind: StageKind,
    name: &'static str,
    counted: Arc<CachePadded<Counted>>,
}

/// What is counted only where costs are measured in detail.
#[derive(Debug, Clone, Copy, Default)]
struct Detail {
    bytes: u64,
    state_bytes: u64,
    sampled_rows: u64,
    sampled: Counts,
}

impl Stage {
    fn profile(&self, detail: Detail) -> StageProfile {
        let Self { kind, name, counted } = self;
        let Detail { bytes, state_bytes, sampled_rows, sampled } = detail;
        StageProfile {
            kind: *kind,
            name,
            ticks: get(&counted.ticks),
            batches: get(&counted.batches),
            rows_in: get(&counted.rows_in),
            rows_out: get(&counted.rows_out),
            bytes,
            state_bytes,
            sampled_rows,
            sampled,
        }
    }
}

impl ThreadStages {
    /// What to call the thread.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the thread did until about now. What it is at is counted when it turns to something else.
    pub(super) fn profile(&self) -> ThreadProfile {
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        ThreadProfile {
            name: self.name.clone(),
            core: self.core,
            elapsed_ns: sys::monotonic_ns().saturating_sub(self.started_ns),
            cpu_ns: 0,
            ticks: (self.now)().wrapping_sub(self.started_ticks),
            stages: stages.iter().map(|stage| stage.profile(Detail::default())).collect(),
            counts: Err("not measured in detail".into()),
        }
    }
}

/// The meter of one thread, made by it.
pub struct Meter {
    shown: Arc<ThreadStages>,
    is_detailed: bool,
    stages: RefCell<Vec<(Stage, Detail)>>,
    current: Cell<usize>,
    /// When the current stage was entered.
    since: Cell<u64>,
    batches: Cell<u64>,
    /// Whether counters are read at each change, and what they were at the last.
    sampling: Cell<bool>,
    counted: Cell<Counts>,
    counters: Result<RefCell<ThreadCounters>, String>,
    started_cpu_ns: u64,
    started_counts: Counts,
}

impl Meter {
    /// The meter of the calling thread, from now on. It begins in a stage of kind [`StageKind::Schedule`].
    pub fn start(name: impl Into<String>, core: Option<usize>, is_detailed: bool) -> Self {
        // A CPU without a cycle counter has nanoseconds for ticks.
        let now = if sys::cycle_counter() == 0 { sys::monotonic_ns } else { sys::cycle_counter };
        let counters = if is_detailed { ThreadCounters::open() } else { Err("not measured in detail".into()) };
        Self { is_detailed, ..Self::with(name.into(), core, now, counters) }
    }

    fn with(name: String, core: Option<usize>, now: fn() -> u64, counters: Result<ThreadCounters, String>) -> Self {
        let counters = counters.map(RefCell::new);
        let counts = counters.as_ref().map_or_else(|_| Counts::default(), |counters| counters.borrow_mut().read());
        let shown = ThreadStages {
            now,
            name,
            core,
            started_ticks: now(),
            started_ns: sys::monotonic_ns(),
            stages: Mutex::default(),
        };
        let meter = Self {
            is_detailed: true,
            stages: RefCell::default(),
            current: Cell::new(0),
            since: Cell::new(shown.started_ticks),
            batches: Cell::new(0),
            sampling: Cell::new(false),
            counted: Cell::new(Counts::default()),
            counters,
            shown: Arc::new(shown),
            started_cpu_ns: sys::thread_cpu_ns(),
            started_counts: counts,
        };
        meter.add(StageKind::Schedule, "scheduling");
        meter
    }

    /// Its stages, for whoever watches.
    pub fn shown(&self) -> &Arc<ThreadStages> {
        &self.shown
    }

    /// Whether bytes and state are counted, and the CPU's counts.
    pub fn is_detailed(&self) -> bool {
        self.is_detailed
    }

    /// A stage; the same for the same kind and name.
    pub fn stage(&self, kind: StageKind, name: &'static str) -> StageId {
        let found = self.stages.borrow().iter().position(|(stage, _)| stage.kind == kind && stage.name == name);
        found.map_or_else(|| self.add(kind, name), StageId)
    }

    /// A stage of its own, even if another is called the same.
    pub fn add(&self, kind: StageKind, name: &'static str) -> StageId {
        let stage = Stage { kind, name, counted: Arc::default() };
        self.shown.stages.lock().unwrap_or_else(PoisonError::into_inner).push(stage.clone());
        let mut stages = self.stages.borrow_mut();
        stages.push((stage, Detail::default()));
        StageId(stages.len() - 1)
    }

    /// What the thread is at.
    pub fn current(&self) -> StageId {
        StageId(self.current.get())
    }

    /// The thread turns to `stage`; returns what it did before, to be entered again afterwards.
    pub fn enter(&self, stage: StageId) -> StageId {
        if stage.0 == self.current.get() {
            return stage;
        }
        self.turn(stage)
    }

    fn turn(&self, stage: StageId) -> StageId {
        let now = (self.shown.now)();
        let before = self.current.replace(stage.0);
        let mut stages = self.stages.borrow_mut();
        add(&stages[before].0.counted.ticks, now.wrapping_sub(self.since.replace(now)));
        if self.sampling.get()
            && let Ok(counters) = &self.counters
        {
            let counts = counters.borrow_mut().read();
            stages[before].1.sampled += counts.since(&self.counted.replace(counts));
            // Reading the counters is nobody's work.
            self.since.set((self.shown.now)());
        }
        StageId(before)
    }

    /// A batch of the input begins: decides whether counters are read until the next.
    pub fn begin_batch(&self) {
        let number = self.batches.replace(self.batches.get() + 1);
        let Ok(counters) = &self.counters else { return };
        // Not the first: it finds the caches cold and the branches unknown.
        let sampling = number % SAMPLED_BATCH == 1;
        if sampling != self.sampling.replace(sampling) && sampling {
            self.counted.set(counters.borrow_mut().read());
        }
    }

    /// Rows came to a stage; `bytes` is asked only in detail.
    pub fn count_in(&self, stage: StageId, rows: usize, bytes: impl FnOnce() -> usize) {
        let (stage, detail) = &mut self.stages.borrow_mut()[stage.0];
        add(&stage.counted.batches, 1);
        add(&stage.counted.rows_in, rows as u64);
        if self.is_detailed {
            detail.bytes += bytes() as u64;
            if self.sampling.get() {
                detail.sampled_rows += rows as u64;
            }
        }
    }

    /// Rows went on from a stage.
    pub fn count_out(&self, stage: StageId, rows: usize) {
        add(&self.stages.borrow()[stage.0].0.counted.rows_out, rows as u64);
    }

    /// A stage's state holds so much now.
    pub fn hold(&self, stage: StageId, bytes: u64) {
        let detail = &mut self.stages.borrow_mut()[stage.0].1;
        detail.state_bytes = detail.state_bytes.max(bytes);
    }

    /// What the thread did, up to now.
    pub fn finish(&self) -> ThreadProfile {
        self.turn(StageId(self.current.get()));
        let counts = match &self.counters {
            Ok(counters) => Ok(counters.borrow_mut().read().since(&self.started_counts)),
            Err(reason) => Err(reason.clone()),
        };
        let stages = self.stages.borrow();
        ThreadProfile {
            cpu_ns: sys::thread_cpu_ns() - self.started_cpu_ns,
            ticks: self.since.get().wrapping_sub(self.shown.started_ticks),
            stages: stages.iter().map(|(stage, detail)| stage.profile(*detail)).collect(),
            counts,
            ..self.shown.profile()
        }
    }
}

impl ThreadProfile {
    /// Ticks in stages of these kinds.
    pub fn ticks_in(&self, wanted: impl Fn(StageKind) -> bool) -> u64 {
        self.stages.iter().filter(|stage| wanted(stage.kind)).map(|stage| stage.ticks).sum()
    }

    /// Seconds that so many of its ticks are.
    pub fn seconds(&self, ticks: u64) -> f64 {
        self.elapsed_ns as f64 / 1e9 * ticks as f64 / self.ticks.max(1) as f64
    }

    /// Share of its life in which it worked, 0 to 1.
    pub fn busy_ratio(&self) -> f64 {
        self.ticks_in(StageKind::works) as f64 / self.ticks.max(1) as f64
    }

    /// Time that was worked but not on a CPU, as a share of its life: blocked in a system call, or others had the core.
    pub fn off_cpu_ratio(&self) -> f64 {
        (self.busy_ratio() - self.cpu_ns as f64 / self.elapsed_ns.max(1) as f64).max(0.0)
    }
}

impl StageProfile {
    /// A count of the CPU per row of the sampled batches.
    pub fn per_row(&self, counter: Counter) -> Option<f64> {
        let count = self.sampled.get(counter)?;
        (self.sampled_rows > 0).then(|| count as f64 / self.sampled_rows as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static TIME: Cell<u64> = const { Cell::new(0) };
    }

    fn time() -> u64 {
        TIME.get()
    }

    fn pass(ticks: u64) {
        TIME.set(TIME.get() + ticks);
    }

    fn meter() -> Meter {
        Meter::with("t".into(), Some(3), time, Err("none".into()))
    }

    #[test]
    fn every_tick_belongs_to_one_stage() {
        let meter = meter();
        let outer = meter.stage(StageKind::Operator, "outer");
        let inner = meter.stage(StageKind::Operator, "inner");
        let wait = meter.stage(StageKind::WaitInput, "input");
        assert_eq!(meter.stage(StageKind::Operator, "outer"), outer);
        assert_ne!(meter.add(StageKind::Operator, "outer"), outer);
        pass(5);
        let before = meter.enter(outer);
        pass(10);
        let called = meter.enter(inner);
        pass(100);
        assert_eq!(meter.enter(called), inner);
        pass(20);
        meter.enter(before);
        pass(1);
        meter.enter(wait);
        pass(64);
        let profile = meter.finish();
        let ticks: Vec<u64> = profile.stages.iter().map(|stage| stage.ticks).collect();
        assert_eq!(ticks, [6, 30, 100, 64, 0], "an operator is not charged for the one that it calls");
        assert_eq!((profile.ticks, profile.busy_ratio()), (200, 0.68));
        assert_eq!((profile.name.as_str(), profile.core), ("t", Some(3)));
        assert_eq!(profile.counts, Err("none".into()));
    }

    #[test]
    fn rows_and_state_are_counted() {
        let meter = meter();
        let stage = meter.stage(StageKind::Decode, "decode");
        for rows in [10, 20] {
            meter.begin_batch();
            meter.count_in(stage, rows, || rows * 8);
            meter.count_out(stage, rows / 2);
            meter.hold(stage, 100 - rows as u64);
        }
        let profile = meter.finish();
        let decode = &profile.stages[1];
        assert_eq!((decode.batches, decode.rows_in, decode.rows_out, decode.bytes), (2, 30, 15, 240));
        assert_eq!((decode.state_bytes, decode.sampled_rows), (90, 0), "the most that was held; nothing to sample");
        assert_eq!(decode.per_row(Counter::Cycles), None);
    }

    /// Events that the kernel counts stand in for those of a CPU.
    #[test]
    fn one_batch_in_many_is_counted_by_the_cpu() {
        let counters = match ThreadCounters::open_software() {
            Ok(counters) => counters,
            Err(error) => return println!("not run: {error}"),
        };
        let meter = Meter::with("t".into(), None, sys::monotonic_ns, Ok(counters));
        let decode = meter.stage(StageKind::Decode, "decode");
        let other = meter.stage(StageKind::Operator, "other");
        for batch in 0..SAMPLED_BATCH + 2 {
            meter.begin_batch();
            let before = meter.enter(decode);
            let mut memory = vec![0_u8; 1 << 20];
            memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
            std::hint::black_box(&memory);
            meter.enter(other);
            meter.enter(before);
            meter.count_in(decode, 100 + batch as usize, || 0);
        }
        let profile = meter.finish();
        let [_, decode, other] = &profile.stages[..] else { panic!("{profile:?}") };
        assert_eq!(decode.sampled_rows, 101 + 101 + SAMPLED_BATCH, "the second batch, and the one 64 after it");
        assert!(decode.per_row(Counter::Cycles).unwrap() > 0.0, "{decode:?}");
        assert!(decode.sampled.get(Counter::Cycles) > other.sampled.get(Counter::Cycles), "{profile:?}");
        assert_eq!(decode.per_row(Counter::Instructions), None, "there is no such counter");
        let whole = profile.counts.as_ref().unwrap().get(Counter::Cycles);
        assert!(whole > decode.sampled.get(Counter::Cycles), "the thread is counted from start to finish: {whole:?}");
    }

    #[test]
    fn stages_are_seen_while_the_thread_runs() {
        let meter = meter();
        let decode = meter.stage(StageKind::Decode, "decode");
        let shown = Arc::clone(meter.shown());
        pass(3);
        meter.enter(decode);
        pass(7);
        meter.count_in(decode, 5, || 40);
        meter.count_out(decode, 4);
        let ticks = |profile: &ThreadProfile| profile.stages.iter().map(|stage| stage.ticks).collect::<Vec<_>>();
        assert_eq!(ticks(&shown.profile()), [3, 0], "what it is at is counted later");
        meter.enter(decode);
        assert_eq!(ticks(&shown.profile()), [3, 0], "it turned to nothing else");
        meter.enter(StageId::default());
        let profile = shown.profile();
        assert_eq!((ticks(&profile), profile.ticks), (vec![3, 7], 10));
        let decode = &profile.stages[1];
        assert_eq!((decode.batches, decode.rows_in, decode.rows_out, decode.bytes), (1, 5, 4, 0));
        assert_eq!(meter.finish().stages[1].bytes, 40);
    }

    #[test]
    fn without_detail_only_rows_and_time_are_counted() {
        let meter = Meter::start("t", None, false);
        let stage = meter.stage(StageKind::Decode, "decode");
        meter.begin_batch();
        meter.count_in(stage, 5, || panic!("nobody wants to know"));
        let profile = meter.finish();
        assert_eq!((profile.stages[1].rows_in, profile.stages[1].bytes), (5, 0));
        assert!(profile.counts.is_err());
    }

    #[test]
    fn a_thread_without_work_is_measured_too() {
        let meter = Meter::start("idle", None, true);
        let wait = meter.stage(StageKind::WaitSource, "source");
        meter.enter(wait);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let profile = meter.finish();
        assert!(profile.elapsed_ns >= 20_000_000);
        assert!(profile.busy_ratio() < 0.5, "{profile:?}");
        let waited = profile.seconds(profile.ticks_in(|kind| kind == StageKind::WaitSource));
        assert!((0.0199..profile.elapsed_ns as f64 / 1e9 * 1.001).contains(&waited), "{waited}");
    }
}
