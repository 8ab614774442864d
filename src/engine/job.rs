//! Compiling and running jobs.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::options::RunOptions;
use super::outputs;
use super::report::report;
use super::roots::Roots;
use super::sink::{Collected, OpenSink};
use super::source::{OpenSource, Provider, Started};
use super::tables::Tables;
use crate::error::{Error, Result};
use crate::limits::{self, PARTITIONS_MAX};
use crate::metrics::{JobReport, MemoryLimit, Progress};
use crate::operator::OnError;
use crate::partition::{Wiring, memory_exceeded, wire};
use crate::plan::{JobPlan, Layout, LayoutRequest, MaxFuture, plan_script, table_name};
use crate::processor::{Machines, MachinesSetup, process};
use crate::state::KeyHasher;
use crate::sys::{self, PauseFlag, StopFlag, Topology};
use crate::time::Clock;
use crate::types::Options;

/// What the caller holds on to while a job runs.
#[derive(Debug, Clone)]
pub struct Control {
    /// Asks the job to stop reading, drain, flush and report.
    pub stop: StopFlag,
    /// Asks the job to read nothing for a while; its state stays.
    pub pause: PauseFlag,
    /// Counts to watch.
    pub progress: Arc<Progress>,
    /// What time it is: idle splits and `max_future` go by it.
    pub clock: Clock,
    /// Whether to measure where the time goes, for [`JobReport::perf`].
    pub is_measured: bool,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            stop: StopFlag::default(),
            pause: PauseFlag::default(),
            progress: Arc::default(),
            clock: Clock::new(sys::wall_us),
            is_measured: false,
        }
    }
}

/// Record batches of one table in memory, by split.
pub(super) type Table = Arc<Vec<Vec<Arc<RecordBatch>>>>;

/// Compiles and runs jobs, and holds the tables that `connector = 'memory'` reads.
#[derive(Debug, Default, Clone)]
pub struct Engine {
    tables: BTreeMap<String, Table>,
    roots: Option<Arc<Roots>>,
}

impl Engine {
    /// An engine without tables in memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the sources of that name with `connector = 'memory'` these rows, as one split.
    pub fn register(&mut self, name: &str, batches: Vec<RecordBatch>) {
        self.register_splits(name, vec![batches]);
    }

    /// The same, with the rows of each split by themselves.
    pub fn register_splits(&mut self, name: &str, splits: Vec<Vec<RecordBatch>>) {
        let splits = splits.into_iter().map(|batches| batches.into_iter().map(Arc::new).collect()).collect();
        self.tables.insert(name.to_ascii_lowercase(), Arc::new(splits));
    }

    /// From now on jobs may use files in `roots` only, and neither standard input nor standard output.
    pub fn confine(&mut self, roots: Roots) {
        self.roots = Some(Arc::new(roots));
    }

    pub(super) fn roots(&self) -> Option<&Roots> {
        self.roots.as_deref()
    }

    /// Refuses jobs that get in each other's way, or leave the roots.
    fn check(&self, jobs: &[JobPlan]) -> Result<()> {
        jobs.iter().try_for_each(|job| OpenSink::read(&job.sink).map(drop))?;
        outputs::check(jobs)?;
        self.roots().map_or(Ok(()), |roots| jobs.iter().try_for_each(|job| roots.admit_sinks(job)))
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(&name.to_ascii_lowercase())
    }

    /// Parses and plans every job of `text`; schemas of files that declare none are inferred. `settings` win over SET.
    pub fn compile(&self, text: &str, settings: &Options) -> Result<Vec<JobPlan>> {
        let script = plan_script(text, settings, &Provider::new(self))?;
        self.check(&script.jobs)?;
        Ok(script.jobs)
    }

    /// How `job` would run: its steps, and their layout over partitions.
    pub fn explain(&self, job: &JobPlan, options: &RunOptions) -> Result<String> {
        let mut engine = self.clone();
        // A query in FROM that is read as a table will be one split.
        (0..job.plan.tables.len()).for_each(|table| engine.register(&table_name(table), Vec::new()));
        let source = OpenSource::open(&engine, job, options, partitions(options)?)?;
        let layout = layout(job, options, source.splits())?;
        let mut text = timed(job, options).plan.explain();
        text.push_str(&format!(
            "Layout: processor {}, strategy {}, {} partition{}, batch_rows {}\n",
            layout.processor,
            layout.strategy,
            layout.partitions,
            if layout.partitions == 1 { "" } else { "s" },
            options.batch_rows
        ));
        for reason in &layout.reasons {
            text.push_str(&format!("  {reason}\n"));
        }
        Ok(text)
    }

    /// Runs `job` to the end of its input, or until it is asked to stop.
    pub fn run(&self, job: &JobPlan, options: &RunOptions, control: &Control) -> Result<JobReport> {
        // Once more for this job alone: its sink may be another than the one it was compiled with.
        self.check(std::slice::from_ref(job))?;
        let sink = OpenSink::open(&job.sink, &job.plan.output())?;
        self.run_into(job, options, control, sink)
    }

    /// Runs `job` and returns its rows instead of sending them to its sink.
    pub fn collect(&self, job: &JobPlan, options: &RunOptions) -> Result<(JobReport, Vec<RecordBatch>)> {
        self.collect_with(job, options, &Control::default())
    }

    /// The same, watched.
    pub(super) fn collect_with(
        &self,
        job: &JobPlan,
        options: &RunOptions,
        control: &Control,
    ) -> Result<(JobReport, Vec<RecordBatch>)> {
        let collected = Collected::default();
        let sink = OpenSink::collect(&collected);
        let report = self.run_into(job, options, control, sink)?;
        Ok((report, collected.take()))
    }

    /// The sink for late records, open, if one is named.
    fn late_sink(&self, job: &JobPlan) -> Result<Option<OpenSink>> {
        let Some(name) = &job.plan.timing.late_sink else { return Ok(None) };
        let definition = outputs::declared_sink(job, name)?;
        self.roots().map_or(Ok(()), |roots| roots.admit_sink(definition))?;
        OpenSink::open(definition, &job.plan.scan.schema()).map(Some)
    }

    fn run_into(&self, job: &JobPlan, options: &RunOptions, control: &Control, sink: OpenSink) -> Result<JobReport> {
        let started_ns = sys::monotonic_ns();
        let mut job = timed(job, options);
        let tables = Tables::read(self, &mut job, options, control)?;
        let job = &job;
        let late = self.late_sink(job)?;
        let wanted = partitions(options)?;
        let source = OpenSource::open(&tables.engine, job, options, wanted)?;
        let layout = layout(job, options, source.splits())?;
        let topology = Topology::read();
        let placement = topology.placement(layout.partitions, options.cores.as_deref())?;
        let sink = sink.with_late(late).with_dead_letters(source.dead_letters()?, source.names());
        let (names, on_error, source_is_bounded) = (source.names(), source.on_error(), source.is_bounded());
        let decoded = source.decoded();
        let hasher = KeyHasher::new(RandomState::new().hash_one("corelane"));
        let Started { splits, decoders } = source.start(layout.partitions, control)?;
        let memory = options.memory_limit_bytes.map(MemoryLimit::new);
        let mut tables_share = memory.as_ref().map(MemoryLimit::share);
        if let Some(share) = &mut tables_share {
            let held = share.hold(tables.held_bytes);
            held.map_err(|exceeded| memory_exceeded("a query in FROM", tables.held_bytes as usize, exceeded))?;
        }
        let wired = wire(Wiring {
            plan: &job.plan,
            layout: &layout,
            splits,
            decoders,
            batch_rows: options.batch_rows,
            on_error,
            simd: options.simd,
            hasher,
            progress: &control.progress,
            memory: memory.as_ref(),
            bounded: source_is_bounded,
            clock: control.clock.clone(),
            ring_slots: Wiring::SLOTS,
        });
        let setup = MachinesSetup {
            plan: &job.plan,
            layout: &layout,
            hasher,
            cores: &placement.cpus,
            wait: options.wait,
            batch_rows: options.batch_rows,
            stop: &control.stop,
            is_measured: control.is_measured,
            progress: &control.progress,
            pause: &control.pause,
            clock: &control.clock,
        };
        let (sink, commit) = sink.into_parts(source_is_bounded);
        let finished = process(Machines { setup, wired, sink })?;
        let write_started_ns = sys::monotonic_ns();
        let mut report = report(job, &layout, &placement, &finished, &names, &decoded);
        tables.report(&mut report);
        if on_error == OnError::Fail
            && let Some(first) = report.failures.first()
        {
            return Err(Error::Data(format!(
                "{}:{}: {} (on_error = 'fail' ends the job at the first bad record)",
                first.source, first.record, first.reason
            )));
        }
        let sink = finished.sink;
        commit.commit(sink)?;
        let now_ns = sys::monotonic_ns();
        let commit_s = (now_ns - write_started_ns) as f64 / 1e9;
        report.write_s += commit_s;
        if let Some(perf) = &mut report.perf {
            perf.commit_s = commit_s;
        }
        report.elapsed_s = (now_ns - started_ns) as f64 / 1e9;
        report.records_per_s = report.records_read as f64 / report.elapsed_s.max(1e-9);
        report.peak_rss_bytes = sys::peak_rss_bytes();
        Ok(report)
    }
}

/// The job with its settings of event time.
pub(super) fn timed(job: &JobPlan, options: &RunOptions) -> JobPlan {
    let mut job = job.clone();
    job.plan.timing = options.timing.clone();
    // Files may well hold the future; who speaks live should not.
    if options.timing.max_future == MaxFuture::BySource && outputs::reads_stdin(&job) {
        job.plan.timing.max_future = MaxFuture::Within(limits::MAX_FUTURE_US);
    }
    if options.timing.late_sink.is_some() {
        job.plan.read_all_columns();
    }
    job
}

/// Partitions asked for: one per physical core unless said otherwise.
pub(super) fn partitions(options: &RunOptions) -> Result<usize> {
    let partitions = match (options.partitions, &options.cores) {
        (Some(partitions), _) => partitions,
        (None, Some(cores)) => cores.len(),
        (None, None) => Topology::read().physical_cores(),
    };
    if partitions == 0 || partitions > PARTITIONS_MAX {
        return Err(Error::Config(format!("{partitions} partitions: expected a number from 1 to {PARTITIONS_MAX}")));
    }
    Ok(partitions)
}

pub(super) fn layout(job: &JobPlan, options: &RunOptions, splits: usize) -> Result<Layout> {
    let request = LayoutRequest {
        processor: options.processor,
        partitions: partitions(options)?,
        strategy: options.strategy,
        fan_in_target: options.fan_in_partition,
        splits,
    };
    Layout::new(&job.plan, request)
}
