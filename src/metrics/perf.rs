//! The report of a job that was measured: what each stage and each thread cost, and in one sentence what bound it.
//!
//! Times of a stage are summed over the threads that ran it; rows/s is per thread-second. Figures per row are over the rows
//! that came in.

use serde::Serialize;

use super::meter::{SAMPLED_BATCH, StageKind, StageProfile, ThreadProfile};
use super::report::group_digits;
use crate::sys::{Counter, Counts};

/// Where the time of a job went.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PerfReport {
    /// What bound the job, in words.
    pub verdict: String,
    /// What `cycles_per_row` counts: `core` cycles, or ticks of the `tsc`, which runs at its nominal rate.
    pub cycles: &'static str,
    /// Why the CPU's counters were not read, and what to set; `None` if they were.
    pub counters_refused: Option<String>,
    /// Stages over all threads, in the order of the data's way.
    pub stages: Vec<StageReport>,
    /// Threads: reader, partitions, writer, as far as they are threads of their own.
    pub threads: Vec<ThreadReport>,
    /// Most records of a partition over their mean; 1 is even.
    pub skew_records: f64,
    /// The same of the time that partitions worked.
    pub skew_time: f64,
    /// Time after the threads had ended: what the sink does at the end, a table's layout or a file's footer.
    pub commit_s: f64,
}

/// What one stage cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StageReport {
    /// Its name.
    pub stage: String,
    /// `read`, `decode`, `operator`, `exchange`, `write`, `schedule` or `wait`.
    pub kind: &'static str,
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went on.
    pub rows_out: u64,
    /// Batches that came in.
    pub batches: u64,
    /// Bytes that came in: of text for a decoder, of columns for an operator.
    pub bytes: u64,
    /// Time, without that of the stages after it.
    pub time_s: f64,
    /// Share of the time that all threads worked, 0 to 1.
    pub share: f64,
    /// Rows in over the time.
    pub rows_per_s: f64,
    /// Cycles per row in.
    pub cycles_per_row: Option<f64>,
    /// Instructions per row in.
    pub instructions_per_row: Option<f64>,
    /// Instructions per cycle.
    pub instructions_per_cycle: Option<f64>,
    /// Misses per row in: first-level data cache.
    pub l1_misses_per_row: Option<f64>,
    /// Last-level cache.
    pub llc_misses_per_row: Option<f64>,
    /// Branch prediction.
    pub branch_misses_per_row: Option<f64>,
    /// Address translation.
    pub dtlb_misses_per_row: Option<f64>,
    /// Most bytes that its state held, summed over partitions.
    pub state_bytes: u64,
    /// Most time of a thread in it over the mean of those that have it; 1 is even.
    pub skew: f64,
}

/// What one thread did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ThreadReport {
    /// `reader`, `partition 0`, `writer`, or what it did together.
    pub thread: String,
    /// The CPU that it was pinned to.
    pub core: Option<usize>,
    /// Its life.
    pub elapsed_s: f64,
    /// Of it on a CPU.
    pub cpu_s: f64,
    /// Share of its life in which it worked, 0 to 1.
    pub busy_ratio: f64,
    /// Time that it waited for the source.
    pub wait_source_s: f64,
    /// Time that it waited for input from other threads.
    pub wait_input_s: f64,
    /// Time that it waited for room in its output.
    pub wait_output_s: f64,
    /// Records it decoded.
    pub records: u64,
    /// Cycles of its core in user mode, over its life.
    pub cycles: Option<u64>,
    /// Instructions.
    pub instructions: Option<u64>,
    /// First-level data cache misses.
    pub l1_misses: Option<u64>,
    /// Last-level cache misses.
    pub llc_misses: Option<u64>,
    /// Branch misses.
    pub branch_misses: Option<u64>,
    /// Address translation misses.
    pub dtlb_misses: Option<u64>,
    /// Its stages.
    pub stages: Vec<StageReport>,
}

impl PerfReport {
    /// From what the threads did. `format` is what is decoded, as in `CSV`; it names the stage.
    pub fn new(threads: &[ThreadProfile], format: &str) -> Self {
        let totals = totals(threads);
        let worked_s = worked_s(threads);
        let refused = threads.iter().find_map(|thread| thread.counts.as_ref().err().cloned());
        let partitions = || threads.iter().filter(|thread| records(thread) > 0 || thread.decodes());
        Self {
            verdict: verdict(threads, format),
            stages: totals.iter().map(|total| total.report(worked_s, format, refused.is_some())).collect(),
            cycles: if refused.is_some() { "tsc" } else { "core" },
            counters_refused: refused,
            threads: threads.iter().map(|thread| ThreadReport::new(thread, format)).collect(),
            skew_records: skew(partitions().map(|thread| records(thread) as f64)),
            skew_time: skew(partitions().map(|thread| thread.ticks_in(StageKind::works) as f64)),
            commit_s: 0.0,
        }
    }

    /// As text: the verdict, a table of stages, a table of threads, what to know about the figures.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.verdict.clone()];
        let hardware = self.counters_refused.is_none();
        let mut header =
            vec!["stage", "rows in", "rows out", "batches", "bytes", "time", "share", "rows/s", "cycles/row"];
        if hardware {
            header.extend(["instr/row", "IPC", "L1/row", "LLC/row", "branch/row", "dTLB/row"]);
        }
        header.extend(["state", "skew"]);
        let mut rows = vec![header.into_iter().map(String::from).collect()];
        let figure = |value: Option<f64>, digits: usize| value.map_or("-".into(), |value| format!("{value:.digits$}"));
        for stage in self.stages.iter().filter(|stage| stage.kind != "wait") {
            let counted = |count: u64| if stage.batches == 0 { "-".into() } else { group_digits(count) };
            let mut row = vec![
                stage.stage.clone(),
                counted(stage.rows_in),
                counted(stage.rows_out),
                counted(stage.batches),
                if stage.bytes == 0 { "-".into() } else { bytes(stage.bytes) },
                time(stage.time_s),
                percent(stage.share),
                if stage.rows_in == 0 { "-".into() } else { rate(stage.rows_per_s) },
                figure(stage.cycles_per_row, 1),
            ];
            if hardware {
                row.extend([
                    figure(stage.instructions_per_row, 1),
                    figure(stage.instructions_per_cycle, 2),
                    figure(stage.l1_misses_per_row, 3),
                    figure(stage.llc_misses_per_row, 3),
                    figure(stage.branch_misses_per_row, 3),
                    figure(stage.dtlb_misses_per_row, 3),
                ]);
            }
            row.push(if stage.state_bytes == 0 { "-".into() } else { bytes(stage.state_bytes) });
            row.push(format!("{:.2}", stage.skew));
            rows.push(row);
        }
        lines.extend(table(&rows));
        let mut header = vec!["thread", "core", "records", "worked", "on a CPU", "no source", "no input", "no room"];
        if hardware {
            header.extend(["cycles", "IPC"]);
        }
        let mut rows = vec![header.into_iter().map(String::from).collect()];
        for thread in &self.threads {
            let share = |seconds: f64| percent(seconds / thread.elapsed_s.max(1e-9));
            let mut row = vec![
                thread.thread.clone(),
                thread.core.map_or("-".into(), |core| core.to_string()),
                group_digits(thread.records),
                percent(thread.busy_ratio),
                share(thread.cpu_s),
                share(thread.wait_source_s),
                share(thread.wait_input_s),
                share(thread.wait_output_s),
            ];
            if hardware {
                let cycles = thread.cycles.map(|cycles| cycles as f64);
                let ipc = thread.instructions.zip(cycles.filter(|&c| c > 0.0)).map(|(i, c)| i as f64 / c);
                row.extend([cycles.map_or("-".into(), rate), figure(ipc, 2)]);
            }
            rows.push(row);
        }
        lines.extend(table(&rows));
        if self.threads.iter().filter(|thread| thread.records > 0).count() > 1 {
            lines.push(format!(
                "skew: the fullest partition has {:.2} times the mean of records, the busiest {:.2} times the mean of time",
                self.skew_records, self.skew_time
            ));
        }
        let worked: f64 = self.threads.iter().map(|thread| thread.busy_ratio * thread.elapsed_s).sum();
        let off_cpu: f64 = self.threads.iter().map(|t| (t.busy_ratio * t.elapsed_s - t.cpu_s).max(0.0)).sum();
        if off_cpu > OFF_CPU_RATIO * worked {
            lines.push(format!(
                "{} of the time that threads worked they had no CPU: they waited in system calls, or other work has the cores",
                percent(off_cpu / worked)
            ));
        }
        if self.commit_s >= 1e-3 {
            lines.push(format!("after the threads had ended, the sink took {}", time(self.commit_s)));
        }
        lines.push(match &self.counters_refused {
            Some(reason) => format!("cycles are ticks of the CPU's clock (TSC), no counters: {reason}"),
            None => {
                format!("cycles, instructions and misses are the core's in user mode, of one batch in {SAMPLED_BATCH}")
            }
        });
        lines
    }
}

/// Seconds for which all threads worked.
fn worked_s(threads: &[ThreadProfile]) -> f64 {
    threads.iter().map(|thread| thread.seconds(thread.ticks_in(StageKind::works))).sum()
}

/// The stages of all threads, in the order of the data's way.
fn totals(threads: &[ThreadProfile]) -> Vec<Total> {
    let mut totals: Vec<Total> = Vec::new();
    for thread in threads {
        // Operators of one name are told apart by their place.
        let mut seen: Vec<(StageKind, &str, usize)> = Vec::new();
        for stage in &thread.stages {
            let before = seen.iter().filter(|(kind, name, _)| (*kind, *name) == (stage.kind, stage.name)).count();
            seen.push((stage.kind, stage.name, before));
            let at = totals.iter().position(|t| (t.kind, t.name, t.nth) == (stage.kind, stage.name, before));
            let at = at.unwrap_or_else(|| {
                totals.push(Total::new(stage, before));
                totals.len() - 1
            });
            totals[at].add(stage, thread);
        }
    }
    // Readers do not look into what they read: it is what decoders got.
    let decoded = totals.iter().filter(|total| total.kind == StageKind::Decode);
    let (rows, batches, bytes) =
        decoded.fold((0, 0, 0), |sum, t| (sum.0 + t.rows_in, sum.1 + t.batches, sum.2 + t.bytes));
    if let Some(read) = totals.iter_mut().find(|total| total.kind == StageKind::Read) {
        (read.rows_in, read.rows_out, read.batches, read.bytes) = (rows, rows, batches, bytes);
    }
    totals.sort_by_key(|total| order(total.kind));
    totals
}

/// What the stages at which threads work cost so far, over all threads and in the order of the data's way; `format` is what
/// is decoded, or empty.
pub fn stage_reports(threads: &[ThreadProfile], format: &str) -> Vec<StageReport> {
    let (totals, worked_s) = (totals(threads), worked_s(threads));
    let working = totals.iter().filter(|total| total.kind.works());
    working.map(|total| total.report(worked_s, format, true)).collect()
}

/// A stage over all threads.
struct Total {
    kind: StageKind,
    name: &'static str,
    /// How many of the same kind and name come before it in a thread.
    nth: usize,
    rows_in: u64,
    rows_out: u64,
    batches: u64,
    bytes: u64,
    state_bytes: u64,
    seconds: Vec<f64>,
    ticks: u64,
    sampled_rows: u64,
    sampled: Counts,
}

impl Total {
    fn new(stage: &StageProfile, nth: usize) -> Self {
        Self {
            kind: stage.kind,
            name: stage.name,
            nth,
            rows_in: 0,
            rows_out: 0,
            batches: 0,
            bytes: 0,
            state_bytes: 0,
            seconds: Vec::new(),
            ticks: 0,
            sampled_rows: 0,
            sampled: Counts::default(),
        }
    }

    fn add(&mut self, stage: &StageProfile, thread: &ThreadProfile) {
        self.rows_in += stage.rows_in;
        self.rows_out += stage.rows_out;
        self.batches += stage.batches;
        self.bytes += stage.bytes;
        self.state_bytes += stage.state_bytes;
        self.seconds.push(thread.seconds(stage.ticks));
        self.ticks += stage.ticks;
        self.sampled_rows += stage.sampled_rows;
        self.sampled += stage.sampled;
    }

    /// Ticks stand in for cycles only where all cycles are ticks.
    fn report(&self, worked_s: f64, format: &str, in_ticks: bool) -> StageReport {
        let time_s: f64 = self.seconds.iter().sum();
        let per_row = |counter| {
            let count = self.sampled.get(counter)? as f64;
            (self.sampled_rows > 0).then(|| count / self.sampled_rows as f64)
        };
        let ticks_per_row = (self.rows_in > 0).then(|| self.ticks as f64 / self.rows_in as f64);
        let cycles = per_row(Counter::Cycles);
        let instructions = per_row(Counter::Instructions);
        StageReport {
            stage: named(self.kind, self.name, format),
            kind: kind_text(self.kind),
            rows_in: self.rows_in,
            rows_out: self.rows_out,
            batches: self.batches,
            bytes: self.bytes,
            time_s,
            share: if self.kind.works() { time_s / worked_s.max(1e-12) } else { 0.0 },
            rows_per_s: if time_s > 0.0 { self.rows_in as f64 / time_s } else { 0.0 },
            cycles_per_row: if in_ticks { ticks_per_row } else { cycles },
            instructions_per_row: instructions,
            instructions_per_cycle: instructions.zip(cycles.filter(|&cycles| cycles > 0.0)).map(|(i, c)| i / c),
            l1_misses_per_row: per_row(Counter::L1Misses),
            llc_misses_per_row: per_row(Counter::LlcMisses),
            branch_misses_per_row: per_row(Counter::BranchMisses),
            dtlb_misses_per_row: per_row(Counter::DtlbMisses),
            state_bytes: self.state_bytes,
            skew: skew(self.seconds.iter().copied()),
        }
    }
}

impl ThreadReport {
    fn new(thread: &ThreadProfile, format: &str) -> Self {
        let worked_s = thread.seconds(thread.ticks_in(StageKind::works));
        let waited = |wanted| thread.seconds(thread.ticks_in(|kind| kind == wanted));
        let stage = |stage: &StageProfile| {
            let mut total = Total::new(stage, 0);
            total.add(stage, thread);
            total.report(worked_s, format, thread.counts.is_err())
        };
        let count = |counter| thread.counts.as_ref().ok().and_then(|counts| counts.get(counter));
        Self {
            thread: thread.name.clone(),
            core: thread.core,
            elapsed_s: thread.elapsed_ns as f64 / 1e9,
            cpu_s: thread.cpu_ns as f64 / 1e9,
            busy_ratio: thread.busy_ratio(),
            wait_source_s: waited(StageKind::WaitSource),
            wait_input_s: waited(StageKind::WaitInput),
            wait_output_s: waited(StageKind::WaitOutput),
            records: records(thread),
            cycles: count(Counter::Cycles),
            instructions: count(Counter::Instructions),
            l1_misses: count(Counter::L1Misses),
            llc_misses: count(Counter::LlcMisses),
            branch_misses: count(Counter::BranchMisses),
            dtlb_misses: count(Counter::DtlbMisses),
            stages: thread.stages.iter().map(stage).collect(),
        }
    }
}

impl ThreadProfile {
    fn decodes(&self) -> bool {
        self.stages.iter().any(|stage| stage.kind == StageKind::Decode)
    }
}

/// Share of its life for which a thread must work, or wait for the source, to be what binds a job.
const BOUND_RATIO: f64 = 0.5;

/// Share of the worked time without a CPU that is worth a line: less is the kernel's own.
const OFF_CPU_RATIO: f64 = 0.1;

/// What bound the job: the thread that worked the greatest part of its life, and what it did most of that.
fn verdict(threads: &[ThreadProfile], format: &str) -> String {
    let share = |thread: &ThreadProfile, ticks: u64| percent(ticks as f64 / thread.ticks.max(1) as f64);
    let by_busy = |a: &&ThreadProfile, b: &&ThreadProfile| a.busy_ratio().total_cmp(&b.busy_ratio());
    let Some(busiest) = threads.iter().max_by(by_busy) else { return "nothing was measured".into() };
    let waiting = |thread: &ThreadProfile| {
        // A reader that blocks in a system call has no name for it: it works, but not on a CPU.
        let blocked = if thread.reads_mostly() { thread.off_cpu_ratio() } else { 0.0 };
        blocked + thread.ticks_in(|kind| kind == StageKind::WaitSource) as f64 / thread.ticks.max(1) as f64
    };
    let source = threads.iter().map(waiting).fold(0.0, f64::max);
    if source > BOUND_RATIO {
        return format!("waiting for the source: it had nothing for {} of the time", percent(source));
    }
    if busiest.busy_ratio() < BOUND_RATIO {
        let worked = percent(busiest.busy_ratio());
        return format!("bound by no stage: the busiest thread, {}, worked {worked} of its time", busiest.place());
    }
    let ticks = |wanted: StageKind| busiest.ticks_in(|kind| kind == wanted);
    let kinds = [StageKind::Read, StageKind::Decode, StageKind::Operator, StageKind::Exchange, StageKind::Write];
    let kinds = kinds.into_iter().chain([StageKind::Schedule]);
    // The first of equals, so that the verdict does not hang on a tie.
    let most = kinds.rev().max_by_key(|kind| ticks(*kind)).unwrap_or(StageKind::Schedule);
    let place = format!("{} of {}", share(busiest, ticks(most)), busiest.place());
    match most {
        StageKind::Read => format!("reader-bound: {place} in reading {format}"),
        StageKind::Decode => format!("decode-bound: {place} in {format}"),
        StageKind::Exchange => format!("exchange-bound: {place} in moving rows to the owners of their keys"),
        StageKind::Write => {
            let stage = busiest.greatest(StageKind::Write);
            format!("writer-bound: {place} in {}", stage.map_or("writing", |stage| stage.name))
        }
        StageKind::Operator => match busiest.greatest(StageKind::Operator) {
            Some(stage) => {
                format!("operator-bound: {}, {} of {}", stage.name, share(busiest, stage.ticks), busiest.place())
            }
            None => format!("operator-bound: {place}"),
        },
        _ => format!("bound by hand-over between threads: {place} in rings and watermarks"),
    }
}

impl ThreadProfile {
    /// `core 1`, or its name if it is not pinned.
    fn place(&self) -> String {
        self.core.map_or_else(|| format!("the {} thread", self.name), |core| format!("core {core}"))
    }

    /// Whether reading is what it does most.
    fn reads_mostly(&self) -> bool {
        let read = self.ticks_in(|kind| kind == StageKind::Read);
        read * 2 > self.ticks_in(StageKind::works)
    }

    /// The stage of a kind that took most time.
    fn greatest(&self, kind: StageKind) -> Option<&StageProfile> {
        self.stages.iter().filter(|stage| stage.kind == kind).max_by_key(|stage| stage.ticks)
    }
}

/// Records that a thread decoded.
fn records(thread: &ThreadProfile) -> u64 {
    thread.stages.iter().filter(|stage| stage.kind == StageKind::Decode).map(|stage| stage.rows_in).sum()
}

/// The greatest over the mean; 1 if there is nothing.
fn skew(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, max, count) = values.fold((0.0, 0.0, 0.0), |(sum, max, n), v| (sum + v, f64::max(max, v), n + 1.0));
    if sum > 0.0 { max * count / sum } else { 1.0 }
}

/// Place of a stage in the way of the data.
fn order(kind: StageKind) -> u8 {
    match kind {
        StageKind::Read => 0,
        StageKind::Decode => 1,
        // In the order in which a partition has them.
        StageKind::Operator | StageKind::Exchange => 2,
        StageKind::Write => 3,
        StageKind::Schedule => 4,
        StageKind::WaitSource | StageKind::WaitInput | StageKind::WaitOutput => 5,
    }
}

fn kind_text(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Read => "read",
        StageKind::Decode => "decode",
        StageKind::Operator => "operator",
        StageKind::Exchange => "exchange",
        StageKind::Write => "write",
        StageKind::Schedule => "schedule",
        StageKind::WaitSource | StageKind::WaitInput | StageKind::WaitOutput => "wait",
    }
}

fn named(kind: StageKind, name: &str, format: &str) -> String {
    match kind {
        StageKind::Read | StageKind::Decode => format!("{name} {format}").trim_end().into(),
        _ => name.into(),
    }
}

/// Columns as wide as their widest cell: the first to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        line
    };
    rows.iter().map(line).collect()
}

fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.1} us", s * 1e6),
    }
}

fn bytes(count: u64) -> String {
    match count as f64 {
        n if n >= 1e9 => format!("{:.2} GB", n / 1e9),
        n if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        n if n >= 1e3 => format!("{:.1} kB", n / 1e3),
        n => format!("{n} B"),
    }
}

fn rate(per_s: f64) -> String {
    match per_s {
        rate if rate >= 1e9 => format!("{:.2} G", rate / 1e9),
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

#[cfg(test)]
#[path = "perf_tests.rs"]
mod tests;
