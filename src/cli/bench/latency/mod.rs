//! `corelane bench latency`: from the time at which a row is due to the time at which it arrives at the sink, through the
//! real machines of a `partitioned` job: reader, rings, pinned partitions, writer.
//!
//! The peak is measured first, by the same job with all rows due at once; loads are given in percent of it. Beside stands
//! what the platform takes by itself: the longest gaps in the time of a thread that only looks at the clock.

mod jitter;
mod load;

pub use self::load::{Drive, Load, Outcome, job};

use hdrhistogram::Histogram;

use super::arguments::LatencyArguments;
use super::machinery::Machinery;
use super::measurement::{Measurement, Outlet, machine_line, table};
use super::scenarios::laid_out;
use crate::batch::ChunkSource;
use crate::engine::{JobPlan, ProcessorKind, RunOptions};
use crate::error::Result;
use crate::partition::RowSink;
use crate::ring::WaitMode;
use crate::sys::{Topology, parse_cpu_list};

/// Percentiles that are shown, with their names.
const PERCENTILES: [(&str, f64); 5] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("p99.99", 99.99)];

/// Rows a second of the case of single records: each finds an idle pipeline.
const SINGLE_ROWS_PER_S: f64 = 1000.0;

/// `partitioned`, as the engine runs it.
#[derive(Debug, Clone)]
pub struct Partitioned {
    options: RunOptions,
    wait: &'static str,
}

impl Partitioned {
    /// At a number of partitions, with one of the wait modes.
    pub fn new(partitions: usize, wait: WaitMode, cores: Option<Vec<usize>>) -> Self {
        let options = RunOptions { wait, cores, ..laid_out(ProcessorKind::Partitioned, partitions) };
        let wait = match wait {
            WaitMode::Spin => "spin",
            WaitMode::Backoff => "backoff",
            WaitMode::Park => "park",
            WaitMode::Yield => "yield",
        };
        Self { options, wait }
    }
}

impl Drive for Partitioned {
    fn name(&self) -> String {
        format!("partitioned {} {}", self.options.partitions.unwrap_or(1), self.wait)
    }

    fn machinery(&self, job: &JobPlan) -> Result<Machinery> {
        Machinery::new(job, self.options.clone())
    }

    fn run(&self, machinery: &Machinery, source: Box<dyn ChunkSource>, sink: Box<dyn RowSink>) -> Result<()> {
        machinery.run(source, sink).map(|_| ())
    }
}

/// What loads are made from.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Distinct keys.
    pub keys: u64,
    /// Length of a load.
    pub seconds: f64,
    /// Most rows of a load.
    pub rows_max: u64,
    /// Percent of the peak.
    pub percents: Vec<u32>,
    /// Whether all contenders get the same loads, of the least of their peaks.
    pub same_loads: bool,
    /// Rounds of each load.
    pub rounds: usize,
}

/// A figure of each round, for each of [`PERCENTILES`] and the greatest.
#[derive(Debug, Clone)]
struct Rounds {
    load: String,
    asked_per_s: f64,
    reached_per_s: Vec<f64>,
    percentiles_us: [Vec<f64>; PERCENTILES.len()],
    max_us: Vec<f64>,
    rows: u64,
}

impl Rounds {
    fn new(load: String, asked_per_s: f64) -> Self {
        let (reached_per_s, max_us) = (Vec::new(), Vec::new());
        Self { load, asked_per_s, reached_per_s, percentiles_us: Default::default(), max_us, rows: 0 }
    }

    fn add(&mut self, outcome: &Outcome) {
        self.reached_per_s.push(outcome.rows_per_s);
        for ((_, percentile), into) in PERCENTILES.iter().zip(&mut self.percentiles_us) {
            into.push(microseconds(&outcome.latencies, *percentile));
        }
        self.max_us.push(outcome.latencies.max() as f64 / 1e3);
        self.rows = outcome.latencies.len();
    }

    fn figures(&self, who: &str) -> Vec<Measurement> {
        let case = |what: &str| format!("{who}, {}, {what}", self.load);
        let names = PERCENTILES.iter().map(|(name, _)| *name).chain(["max"]);
        let values = self.percentiles_us.iter().chain([&self.max_us]);
        let figures = names.zip(values).map(|(name, us)| Measurement::new("latency", case(name), "us", us.clone()));
        let rate = Measurement::new("latency", case("rate"), "records/s", self.reached_per_s.clone());
        figures.chain([rate]).collect()
    }

    fn line(&self) -> Vec<String> {
        let median = |values: &Vec<f64>| Measurement::new("latency", "", "", values.clone()).value();
        let mut cells = vec![self.load.clone(), format!("{:.3}", self.asked_per_s / 1e6)];
        cells.push(format!("{:.3}", median(&self.reached_per_s) / 1e6));
        cells.extend(self.percentiles_us.iter().chain([&self.max_us]).map(|us| format!("{:.1}", median(us))));
        cells.push(self.rows.to_string());
        cells
    }
}

fn microseconds(latencies: &Histogram<u64>, percentile: f64) -> f64 {
    latencies.value_at_percentile(percentile) as f64 / 1e3
}

/// The loads of one contender.
#[derive(Debug, Clone)]
pub struct Swept {
    name: String,
    peak: Measurement,
    loads: Vec<Rounds>,
}

impl Sweep {
    /// The peak of each contender, then the single record and every load, contenders in turn within a round.
    pub fn run(&self, drives: &[&dyn Drive]) -> Result<Vec<Swept>> {
        let job = job()?;
        let mut peaks = vec![Vec::new(); drives.len()];
        // Once more than is counted: state and threads take their memory in the first.
        for round in 0..=self.rounds {
            for (drive, peaks) in drives.iter().zip(&mut peaks) {
                let rows = self.rows_max.min(4_000_000);
                let outcome = Load { rows, keys: self.keys, interval_ns: 0.0 }.run(*drive, &job)?;
                if round > 0 {
                    peaks.push(outcome.rows_per_s);
                }
            }
        }
        let peak = |(drive, peaks): (&&dyn Drive, _)| {
            Measurement::new("latency", format!("{}, peak", drive.name()), "records/s", peaks)
        };
        let peaks: Vec<Measurement> = drives.iter().zip(peaks).map(peak).collect();
        let least = peaks.iter().map(Measurement::value).fold(f64::INFINITY, f64::min);
        let swept = drives.iter().zip(peaks).map(|(drive, peak)| {
            let name = drive.name();
            let full = if self.same_loads { least } else { peak.value() };
            let single = Rounds::new("single records".into(), SINGLE_ROWS_PER_S);
            let load = |percent: &u32| Rounds::new(format!("{percent} %"), full * f64::from(*percent) / 100.0);
            let loads = std::iter::once(single).chain(self.percents.iter().map(load)).collect();
            Swept { name, peak, loads }
        });
        let mut swept: Vec<Swept> = swept.collect();
        for index in 0..=self.percents.len() {
            for _ in 0..self.rounds {
                for (drive, swept) in drives.iter().zip(&mut swept) {
                    let rounds = &mut swept.loads[index];
                    let load = Load::at(rounds.asked_per_s, self.seconds, self.rows_max, self.keys);
                    rounds.add(&load.run(*drive, &job)?);
                }
            }
        }
        Ok(swept)
    }
}

impl Swept {
    /// The peak, then each load's percentiles, maximum and rate.
    pub fn figures(&self) -> Vec<Measurement> {
        let loads = self.loads.iter().flat_map(|rounds| rounds.figures(&self.name));
        std::iter::once(self.peak.clone()).chain(loads).collect()
    }

    /// A percentile by the name that figures have (`p99.9`), at a load by its (`50 %`).
    pub fn percentile(&self, load: &str, percentile: &str) -> Option<Measurement> {
        let case = format!("{}, {load}, {percentile}", self.name);
        self.figures().into_iter().find(|figure| figure.case == case)
    }

    /// Medians of the rounds, as a table.
    pub fn lines(&self) -> String {
        let heading = ["load", "M rows/s", "reached", "p50 us", "p90", "p99", "p99.9", "p99.99", "max", "rows"];
        let rows: Vec<Vec<String>> = self.loads.iter().map(Rounds::line).collect();
        format!("{}: peak {:.2} M rows/s\n{}", self.name, self.peak.value() / 1e6, table(&heading, &rows))
    }
}

/// Measures `partitioned` at each wait mode.
pub(super) fn latency(arguments: &LatencyArguments) -> Result<()> {
    let outlet = Outlet::open(arguments.json.as_deref())?;
    let cores = arguments.cores.as_deref().map(parse_cpu_list).transpose()?;
    let physical = Topology::read().physical_cores();
    let partitions = arguments.partitions.or(cores.as_ref().map(Vec::len)).unwrap_or(physical.saturating_sub(2).max(1));
    let modes: Vec<WaitMode> = arguments.wait.iter().filter_map(|mode| mode.parse().ok()).collect();
    let sweep = match arguments.quick {
        true => Sweep { keys: 10, seconds: 0.05, rows_max: 5_000, percents: vec![50], same_loads: false, rounds: 1 },
        false => Sweep {
            keys: arguments.keys,
            seconds: arguments.seconds.clamp(0.01, 3600.0),
            rows_max: arguments.rows,
            percents: arguments.loads.clone(),
            same_loads: false,
            rounds: arguments.rounds,
        },
    };
    outlet.say(&machine_line())?;
    let cpus = Topology::read().placement(partitions, cores.as_deref())?.cpus;
    let mut figures = Vec::new();
    let jitter = jitter::Jitter::measure(cpus[0], if arguments.quick { 0.02 } else { 1.0 })?;
    outlet.say(&jitter.line())?;
    figures.extend(jitter.figures());
    let drives: Vec<Partitioned> =
        modes.iter().map(|mode| Partitioned::new(partitions, *mode, cores.clone())).collect();
    let drives: Vec<&dyn Drive> = drives.iter().map(|drive| drive as &dyn Drive).collect();
    outlet.say(&format!(
        "{} keys, {} s a load, median of {}; from when a row is due to when it is at the sink\n",
        sweep.keys, sweep.seconds, sweep.rounds
    ))?;
    for swept in sweep.run(&drives)? {
        outlet.say(&format!("\n{}", swept.lines()))?;
        figures.extend(swept.figures());
    }
    outlet.finish(&figures)
}
