//! corelane's `partitioned` against what tokio would have given: two baselines in one run, over the same rows.
//!
//! ```text
//! cargo bench --bench tokio_baseline -- [--rows N] [--map-rows N] [--rounds N] [--partitions N] [--keys N]
//!                                       [--only TEXT] [--json FILE] [--quick]
//! ```
//! *tokio-rows* ([`rows`]): records as maps, a channel, state behind a lock that is taken for each record (V1), and the same with
//! one engine task for each partition (V2). *tokio-batches* ([`batches`]): corelane's own operators and batches as tokio tasks
//! joined by tokio channels. All have mimalloc, the release profile, the default runtime of many threads with as many
//! workers as `partitioned` has threads, bounded channels, and no sleeps.
//!
//! Before any time counts every contender's rows are compared with corelane's, one by one. Input is made outside the clock,
//! maps too, and each row is consumed once a round; contenders take turns within a round. Rates are compared: *tokio-rows*
//! runs over fewer rows, because a row as a map takes half a kilobyte. After the scenarios: queues (`--only rings`)
//! and latency at half the load that both can bear (`--only latency`). `--only` takes part of a scenario's name as well.
//!
//! Without arguments, and under `cargo test --benches`, few rows show that everything runs.

mod batches;
mod compare;
mod queries;
mod queues;
mod rows;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arrow_array::RecordBatch;
use corelane::cli::bench::{
    Course, Drive, Measurement, Partitioned, SCENARIOS, Scenario, Sweep, Times, document, laid_out, ring_figures,
    ring_lines, ring_round, table,
};
use corelane::engine::{Control, Engine, Job, JobPlan, JobProcessor, ProcessorKind, processor};
use corelane::limits::RING_SLOTS;
use corelane::ring::WaitMode;
use corelane::sys::Topology;

use self::batches::TokioBatches;
use self::compare::{assert_same, rows_of_batches, rows_of_records};
use self::queries::Query;
use self::rows::{Record, TokioRows, records};

/// The command's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Arguments {
    rows: u64,
    map_rows: u64,
    rounds: usize,
    partitions: usize,
    keys: u64,
    only: String,
    json: Option<PathBuf>,
    quick: bool,
}

fn arguments() -> Arguments {
    let mut parsed = Arguments {
        rows: 8_000_000,
        map_rows: 500_000,
        rounds: 5,
        partitions: Topology::read().physical_cores(),
        keys: 100,
        only: String::new(),
        json: None,
        quick: !std::env::args().any(|argument| argument == "--bench"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        match flag.as_str() {
            "--rows" => parsed.rows = value().parse().expect("a number of rows"),
            "--map-rows" => parsed.map_rows = value().parse().expect("a number of rows"),
            "--rounds" => parsed.rounds = value().parse().expect("a number of rounds"),
            "--partitions" => parsed.partitions = value().parse().expect("a number of partitions"),
            "--keys" => parsed.keys = value().parse().expect("a number of keys"),
            "--only" => parsed.only = value(),
            "--json" => parsed.json = Some(value().into()),
            "--quick" => parsed.quick = true,
            // What cargo passes on.
            "--bench" | "--test" => {}
            _ => panic!("unknown argument {flag}"),
        }
    }
    assert!(parsed.rounds > 0 && parsed.partitions > 0 && parsed.keys > 0, "numbers start at 1");
    if parsed.quick {
        (parsed.rows, parsed.map_rows, parsed.rounds, parsed.partitions) = (20_000, 2_000, 1, 2);
    }
    parsed.map_rows = parsed.map_rows.min(parsed.rows);
    parsed
}

/// Rows of the sample that is compared: more than a window of a minute.
const SAMPLE_ROWS: u64 = 70_000;

fn main() {
    let arguments = arguments();
    let mut figures = Vec::new();
    let chosen = |name: &str| name.contains(&arguments.only);
    if SCENARIOS.iter().any(|scenario| chosen(scenario.name)) {
        let mut lines = Vec::new();
        for scenario in SCENARIOS.iter().filter(|scenario| chosen(scenario.name)) {
            compare_rows(scenario, &arguments);
            let (measured, line) = measure(scenario, &arguments);
            figures.extend(measured);
            lines.push(line);
        }
        let Arguments { rows, map_rows, rounds, partitions, keys, .. } = &arguments;
        println!(
            "million records/s, median of {rounds}; in brackets how often partitioned passes it; {rows} rows, tokio-rows \
             {map_rows}; {partitions} partitions, {keys} keys\n"
        );
        let heading = ["scenario", "partitioned", "tokio-batches", "tokio-rows V1", "tokio-rows V2"];
        println!("{}", table(&heading, &lines));
    }
    if chosen("rings") {
        figures.extend(rings(&arguments));
    }
    if chosen("latency") {
        figures.extend(latency(&arguments));
    }
    assert!(!figures.is_empty(), "nothing is called {}", arguments.only);
    if let Some(path) = arguments.json {
        std::fs::write(path, format!("{:#}\n", document(&figures))).expect("the file can be written");
    }
}

/// Rows of a source, in an engine and by themselves.
struct Source {
    engine: Engine,
    job: JobPlan,
    batches: Vec<RecordBatch>,
}

impl Source {
    fn new(scenario: &Scenario, rows: u64, keys: u64) -> Self {
        let batches = scenario.generate(rows, keys).expect("the generator runs");
        let mut engine = Engine::new();
        engine.register(scenario.source, batches.clone());
        let job = scenario.job_from_memory(&engine).expect("the scenarios are valid");
        Self { engine, job, batches }
    }

    fn shared(&self) -> Vec<Arc<RecordBatch>> {
        self.batches.iter().cloned().map(Arc::new).collect()
    }
}

/// Runs a processor over the rows of a source; the rate.
fn run(processor: &dyn JobProcessor, source: &Source, rows: u64) -> f64 {
    let options = laid_out(ProcessorKind::Auto, processor.num_partitions());
    let job = Job { engine: &source.engine, plan: &source.job, options, control: Control::default() };
    let started = Instant::now();
    let report = processor.process_job(&job).expect("the job runs");
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(report.records_read, rows, "{} {}", processor.name(), processor.version());
    rows as f64 / seconds
}

fn tokio_rows(scenario: &Scenario, arguments: &Arguments, version: usize, records: Vec<Record>) -> TokioRows {
    TokioRows {
        tasks: if version == 1 { 1 } else { arguments.partitions },
        partitions: arguments.partitions,
        query: Query::of(scenario),
        records: Mutex::new(records),
        collected: None,
    }
}

/// All contenders give the same rows.
fn compare_rows(scenario: &Scenario, arguments: &Arguments) {
    let source = Source::new(scenario, SAMPLE_ROWS, arguments.keys);
    let collect = |kind, partitions| {
        let (_, batches) = source.engine.collect(&source.job, &laid_out(kind, partitions)).expect("the job runs");
        rows_of_batches(&batches)
    };
    let expected = collect(ProcessorKind::Inline, 1);
    let partitions = arguments.partitions;
    assert_same(expected.clone(), collect(ProcessorKind::Partitioned, partitions), "partitioned");
    for partitions in [1, partitions] {
        let collected = Arc::new(Mutex::new(Vec::new()));
        let contender = TokioBatches { partitions, batches: source.shared(), collected: Some(Arc::clone(&collected)) };
        run(&contender, &source, SAMPLE_ROWS);
        let found = rows_of_batches(&collected.lock().expect("nobody panicked"));
        assert_same(expected.clone(), found, "tokio-batches");
    }
    for version in [1, 2] {
        let collected = Arc::new(Mutex::new(Vec::new()));
        let records = records(&source.batches, SAMPLE_ROWS as usize);
        let mut contender = tokio_rows(scenario, arguments, version, records);
        contender.collected = Some(Arc::clone(&collected));
        run(&contender, &source, SAMPLE_ROWS);
        let records = std::mem::take(&mut *collected.lock().expect("nobody panicked"));
        let found = rows_of_records(records, Query::of(scenario).columns());
        assert_same(expected.clone(), found, &format!("tokio-rows V{version}"));
    }
}

fn measure(scenario: &Scenario, arguments: &Arguments) -> (Vec<Measurement>, Vec<String>) {
    let Arguments { rows, map_rows, partitions, .. } = *arguments;
    let source = Source::new(scenario, rows, arguments.keys);
    let own = processor(ProcessorKind::Partitioned, partitions);
    let batches = TokioBatches { partitions, batches: source.shared(), collected: None };
    let mut rates: [Vec<f64>; 4] = Default::default();
    // The first round is not counted: threads and state take their memory there.
    for round in 0..=arguments.rounds {
        let maps = |version| {
            let records = records(&source.batches, map_rows as usize);
            run(&tokio_rows(scenario, arguments, version, records), &source, map_rows)
        };
        let reached = [run(&*own, &source, rows), run(&batches, &source, rows), maps(1), maps(2)];
        if round > 0 || arguments.quick {
            rates.iter_mut().zip(reached).for_each(|(rates, rate)| rates.push(rate));
        }
    }
    let names = [
        format!("partitioned {partitions}"),
        format!("tokio-batches {partitions}"),
        "tokio-rows V1".into(),
        format!("tokio-rows V2 {partitions}"),
    ];
    let named = names.iter().zip(rates).map(|(name, rates)| {
        Measurement::new("tokio_baseline", format!("{} {name}", scenario.name), "records/s", rates)
    });
    let named: Vec<Measurement> = named.collect();
    let (own, others) = named.split_first().expect("there are four");
    let cell = |figure: &Measurement| format!("{:.3}", figure.value() / 1e6);
    let over = others.iter().map(|other| {
        let ratio = own.clone().over(other).ratio.unwrap_or(0.0);
        format!("{} ({ratio:.2})", cell(other))
    });
    let line = [scenario.name.to_string(), cell(own)].into_iter().chain(over).collect();
    let over = others.iter().map(|other| own.clone().over(other));
    (others.iter().cloned().chain(over).collect(), line)
}

/// corelane's ring beside the queues of others.
fn rings(arguments: &Arguments) -> Vec<Measurement> {
    let topology = Topology::read();
    let cpus = topology.placement(2, None).ok().filter(|placement| placement.cpus.len() == 2);
    let cpus = cpus.map(|placement| [placement.cpus[0], placement.cpus[1]]).filter(|[a, b]| a != b);
    let values = if arguments.quick { 2_000 } else { 1_000_000 };
    let course = Course { cpus, values, slots: RING_SLOTS };
    let mut own: [Times; 4] = Default::default();
    let (mut crossbeam, mut tokio) = (Times::default(), Times::default());
    for _ in 0..arguments.rounds {
        ring_round(&course, &mut own).expect("values arrive");
        queues::round(&course, &mut crossbeam, &mut tokio).expect("values arrive");
    }
    let others = vec![("crossbeam ArrayQueue".to_string(), crossbeam), ("tokio mpsc".to_string(), tokio)];
    let figures = ring_figures(own, others);
    println!("{}", ring_lines(&figures));
    figures
}

/// Latency under the same loads, of the least peak.
fn latency(arguments: &Arguments) -> Vec<Measurement> {
    let Arguments { partitions, rounds, quick, .. } = *arguments;
    let sweep = Sweep {
        keys: if quick { 10 } else { 1000 },
        seconds: if quick { 0.05 } else { 1.0 },
        rows_max: if quick { 2_000 } else { 8_000_000 },
        percents: vec![50],
        same_loads: true,
        rounds,
    };
    let mut figures = Vec::new();
    let mut counts = vec![1, partitions];
    counts.dedup();
    for partitions in counts {
        let own = Partitioned::new(partitions, WaitMode::Backoff, None);
        let batches = TokioBatches { partitions, batches: Vec::new(), collected: None };
        let drives: [&dyn Drive; 2] = [&own, &batches];
        let swept = sweep.run(&drives).expect("every row arrives");
        for swept in &swept {
            println!("{}", swept.lines());
            figures.extend(swept.figures());
        }
        let [own, batches] = [0, 1].map(|index| swept[index].percentile("50 %", "p99.9").expect("it was measured"));
        println!("p99.9 of tokio-batches over that of partitioned: {:.2}\n", batches.value() / own.value());
        figures.push(batches.over(&own));
    }
    figures
}
