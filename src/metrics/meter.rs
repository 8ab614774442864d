//! Where the time of a thread goes: a meter that is told what the thread turns to.
//!
//! Guarantees: every moment between start and finish belongs to one stage, the one that was entered last, so that the times
//! of stages add up to the thread's life. A stage that calls another is not charged for it. Counts of the CPU are read at
//! one batch in [`SAMPLED_BATCH`] and compared with the rows of those batches alone; over the thread's whole life they are exact.
//!
//! Cost: a change of stage reads the cycle counter and writes a few words, 10 to 20 ns; it is made per batch and operator,
//! never per row. Whoever is not measured has no meter, which costs a branch.

use std::cell::{Cell, RefCell};

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

/// The meter of one thread, made by it.
pub struct Meter {
    now: fn() -> u64,
    name: String,
    core: Option<usize>,
    stages: RefCell<Vec<StageProfile>>,
    current: Cell<usize>,
    /// When the current stage was entered.
    since: Cell<u64>,
    batches: Cell<u64>,
    /// Whether counters are read at each change, and what they were at the last.
    sampling: Cell<bool>,
    counted: Cell<Counts>,
    counters: Result<RefCell<ThreadCounters>, String>,
    started: Moment,
}

/// The clocks and counters when a meter started.
struct Moment {
    ticks: u64,
    monotonic_ns: u64,
    cpu_ns: u64,
    counts: Counts,
}

impl Meter {
    /// The meter of the calling thread, from now on. It begins in a stage of kind [`StageKind::Schedule`].
    pub fn start(name: impl Into<String>, core: Option<usize>) -> Self {
        // A CPU without a cycle counter has nanoseconds for ticks.
        let now = if sys::cycle_counter() == 0 { sys::monotonic_ns } else { sys::cycle_counter };
        Self::with(name.into(), core, now, ThreadCounters::open())
    }

    fn with(name: String, core: Option<usize>, now: fn() -> u64, counters: Result<ThreadCounters, String>) -> Self {
        let counters = counters.map(RefCell::new);
        let counts = counters.as_ref().map_or_else(|_| Counts::default(), |counters| counters.borrow_mut().read());
        let started = Moment { ticks: now(), monotonic_ns: sys::monotonic_ns(), cpu_ns: sys::thread_cpu_ns(), counts };
        let meter = Self {
            now,
            name,
            core,
            stages: RefCell::default(),
            current: Cell::new(0),
            since: Cell::new(started.ticks),
            batches: Cell::new(0),
            sampling: Cell::new(false),
            counted: Cell::new(Counts::default()),
            counters,
            started,
        };
        meter.add(StageKind::Schedule, "scheduling");
        meter
    }

    /// A stage; the same for the same kind and name.
    pub fn stage(&self, kind: StageKind, name: &'static str) -> StageId {
        let found = self.stages.borrow().iter().position(|stage| stage.kind == kind && stage.name == name);
        found.map_or_else(|| self.add(kind, name), StageId)
    }

    /// A stage of its own, even if another is called the same.
    pub fn add(&self, kind: StageKind, name: &'static str) -> StageId {
        let mut stages = self.stages.borrow_mut();
        stages.push(StageProfile {
            kind,
            name,
            ticks: 0,
            batches: 0,
            rows_in: 0,
            rows_out: 0,
            bytes: 0,
            state_bytes: 0,
            sampled_rows: 0,
            sampled: Counts::default(),
        });
        StageId(stages.len() - 1)
    }

    /// The thread turns to `stage`; returns what it did before, to be entered again afterwards.
    pub fn enter(&self, stage: StageId) -> StageId {
        let now = (self.now)();
        let before = self.current.replace(stage.0);
        let mut stages = self.stages.borrow_mut();
        stages[before].ticks += now.wrapping_sub(self.since.replace(now));
        if self.sampling.get()
            && let Ok(counters) = &self.counters
        {
            let counts = counters.borrow_mut().read();
            stages[before].sampled += counts.since(&self.counted.replace(counts));
            // Reading the counters is nobody's work.
            self.since.set((self.now)());
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

    /// Rows came to a stage.
    pub fn count_in(&self, stage: StageId, rows: u64, bytes: u64) {
        let stage = &mut self.stages.borrow_mut()[stage.0];
        stage.batches += 1;
        stage.rows_in += rows;
        stage.bytes += bytes;
        if self.sampling.get() {
            stage.sampled_rows += rows;
        }
    }

    /// Rows went on from a stage.
    pub fn count_out(&self, stage: StageId, rows: u64) {
        self.stages.borrow_mut()[stage.0].rows_out += rows;
    }

    /// A stage's state holds so much now.
    pub fn hold(&self, stage: StageId, bytes: u64) {
        let stage = &mut self.stages.borrow_mut()[stage.0];
        stage.state_bytes = stage.state_bytes.max(bytes);
    }

    /// What the thread did, up to now.
    pub fn finish(&self) -> ThreadProfile {
        self.enter(StageId(self.current.get()));
        let counts = match &self.counters {
            Ok(counters) => Ok(counters.borrow_mut().read().since(&self.started.counts)),
            Err(reason) => Err(reason.clone()),
        };
        ThreadProfile {
            name: self.name.clone(),
            core: self.core,
            elapsed_ns: sys::monotonic_ns() - self.started.monotonic_ns,
            cpu_ns: sys::thread_cpu_ns() - self.started.cpu_ns,
            ticks: self.since.get().wrapping_sub(self.started.ticks),
            stages: self.stages.borrow().clone(),
            counts,
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
            meter.count_in(stage, rows, rows * 8);
            meter.count_out(stage, rows / 2);
            meter.hold(stage, 100 - rows);
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
            meter.count_in(decode, 100 + batch, 0);
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
    fn a_thread_without_work_is_measured_too() {
        let meter = Meter::start("idle", None);
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
