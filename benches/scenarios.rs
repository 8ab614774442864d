//! Rows per second of each scenario with each processor at 1 and 2 partitions, from memory and from CSV.
//!
//! ```text
//! cargo bench --bench scenarios -- [--rows N] [--rounds N] [--csv-rows N] [--keys N] [--only TEXT] [--json FILE]
//! ```
//! Input is generated outside the clock: random keys and prices, times with jitter, text not dictionary-coded. Each row is
//! consumed once a round. Contenders take turns within a round; the table shows the median of the rounds and the ratio to
//! `simple` in the same run. Before any time counts, all contenders must give the same rows. Without arguments, and under
//! `cargo test --benches`, it runs a small size, so that it does not rot.

use std::path::{Path, PathBuf};
use std::time::Instant;

use corelane::engine::{Engine, JobPlan, RunOptions};
use corelane::types::Options;

/// The command's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Scenario {
    name: &'static str,
    source: &'static str,
    columns: &'static str,
    query: &'static str,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "0 select",
        source: "orders",
        columns: "order_id BIGINT, customer_id INT, order_date DATE, total_amount DOUBLE",
        query: "SELECT order_id, customer_id, order_date, total_amount FROM orders WHERE total_amount > 100",
    },
    Scenario {
        name: "1 rows window",
        source: "market_data",
        columns: "symbol VARCHAR, price DOUBLE, quantity BIGINT, timestamp TIMESTAMP",
        query: "SELECT symbol, price,
            AVG(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp),
            MIN(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp),
            MAX(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp) FROM market_data",
    },
    Scenario {
        name: "2 group by",
        source: "market_data",
        columns: "symbol VARCHAR, price DOUBLE, quantity BIGINT, timestamp TIMESTAMP",
        query: "SELECT symbol, COUNT(*), AVG(price), MIN(price), MAX(price), SUM(quantity) FROM market_data GROUP BY symbol",
    },
    Scenario {
        name: "3a tumbling",
        source: "trades",
        columns: TRADES,
        query: "SELECT trader_id, symbol, COUNT(*), AVG(price), SUM(quantity), SUM(price * quantity) FROM trades
            GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE)",
    },
    Scenario {
        name: "3b changes",
        source: "trades",
        columns: TRADES,
        query: "SELECT trader_id, symbol, COUNT(*), AVG(price), SUM(quantity), SUM(price * quantity) FROM trades
            GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE) EMIT CHANGES",
    },
];

const TRADES: &str = "trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT,
    WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND";

const CONTENDERS: [(&str, &str); 6] =
    [("inline", "1"), ("simple", "1"), ("partitioned", "1"), ("partitioned", "2"), ("stp", "1"), ("stp", "2")];

struct Arguments {
    rows: u64,
    csv_rows: u64,
    rounds: usize,
    /// Symbols, and traders.
    keys: u64,
    /// Scenarios whose name holds this.
    only: String,
    json: Option<PathBuf>,
}

fn arguments() -> Arguments {
    let mut parsed =
        Arguments { rows: 20_000, csv_rows: 10_000, rounds: 1, keys: 100, only: String::new(), json: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        match flag.as_str() {
            "--rows" => parsed.rows = value().parse().expect("a number of rows"),
            "--csv-rows" => parsed.csv_rows = value().parse().expect("a number of rows"),
            "--rounds" => parsed.rounds = value().parse().expect("a number of rounds"),
            "--keys" => parsed.keys = value().parse().expect("a number of keys"),
            "--only" => parsed.only = value(),
            "--json" => parsed.json = Some(value().into()),
            _ => {}
        }
    }
    parsed
}

fn options(processor: &str, partitions: &str) -> RunOptions {
    let mut settings = Options::new();
    settings.set("processor", processor);
    settings.set("partitions", partitions);
    RunOptions::from_settings(&mut settings).expect("the settings are valid")
}

fn compile(engine: &Engine, sql: &str) -> JobPlan {
    engine.compile(sql, &Options::new()).unwrap_or_else(|error| panic!("{error}\n{sql}")).remove(0)
}

/// The rows of a scenario's source, as batches, in `splits` splits.
fn generate(scenario: &Scenario, rows: u64, keys: u64) -> Vec<arrow_array::RecordBatch> {
    let engine = Engine::new();
    let sql = format!(
        "CREATE SOURCE {} ({}) WITH (connector = 'generator', rows = '{rows}', seed = '7', keys = '{keys}', spacing = '1ms',
         disorder = '0.05', disorder_by = '500ms'); SELECT * FROM {}",
        scenario.source, scenario.columns, scenario.source
    );
    engine.collect(&compile(&engine, &sql), &options("inline", "1")).expect("the generator runs").1
}

/// Rows of a result as a set, to be compared: sorted lines of text.
fn fingerprint(engine: &Engine, job: &JobPlan, options: &RunOptions) -> Vec<String> {
    let (_, batches) = engine.collect(job, options).expect("the job runs");
    let mut lines = Vec::new();
    for batch in &batches {
        // Debug output of a column elides the middle of long ones, so rows are cut out one by one.
        for row in 0..batch.num_rows() {
            let cells: Vec<String> =
                batch.columns().iter().map(|column| format!("{:?}", column.slice(row, 1))).collect();
            lines.push(cells.join("|"));
        }
    }
    lines.sort_unstable();
    lines
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Line {
    input: &'static str,
    scenario: &'static str,
    rows: u64,
    rates: Vec<Vec<f64>>,
}

/// `engines`: the one for all but `stp`, and the one for `stp`.
fn measure(
    input: &'static str,
    scenario: &'static Scenario,
    rows: u64,
    rounds: usize,
    engines: [&Engine; 2],
    sql: &str,
) -> Line {
    let job = compile(engines[0], sql);
    let mut rates = vec![Vec::new(); CONTENDERS.len()];
    for _ in 0..rounds {
        for (index, (processor, partitions)) in CONTENDERS.iter().enumerate() {
            let engine = engines[usize::from(*processor == "stp")];
            let started = Instant::now();
            let report = engine.run(&job, &options(processor, partitions), &Default::default()).expect("the job runs");
            assert_eq!(report.records_read, rows);
            rates[index].push(rows as f64 / started.elapsed().as_secs_f64());
        }
    }
    Line { input, scenario: scenario.name, rows, rates }
}

fn main() {
    let arguments = arguments();
    let directory = tempdir();
    let mut lines = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(&arguments.only)) {
        let sql = |with: &str| {
            format!(
                "CREATE SOURCE {} ({}) WITH ({with}); CREATE SINK nowhere WITH (connector = 'blackhole'); INSERT INTO nowhere {}",
                scenario.source, scenario.columns, scenario.query
            )
        };
        // Equality first, on a size that can be compared line by line.
        let mut engine = Engine::new();
        engine.register(scenario.source, generate(scenario, 5_000, arguments.keys));
        let job = compile(&engine, &sql("connector = 'memory'"));
        let expected = fingerprint(&engine, &job, &options("inline", "1"));
        assert!(!expected.is_empty());
        for (processor, partitions) in CONTENDERS {
            let rows = fingerprint(&engine, &job, &options(processor, partitions));
            assert!(rows == expected, "{}: {processor} at {partitions} differs from inline", scenario.name);
        }
        let batches = generate(scenario, arguments.rows, arguments.keys);
        // stp reads two splits, one for each pipeline; the others read the same rows as one.
        let mut split = Engine::new();
        let (front, back) = batches.split_at(batches.len().div_ceil(2));
        split.register_splits(scenario.source, vec![front.to_vec(), back.to_vec()]);
        engine.register(scenario.source, batches);
        let memory = sql("connector = 'memory'");
        lines.push(measure("memory", scenario, arguments.rows, arguments.rounds, [&engine, &split], &memory));
        engine.register(scenario.source, Vec::new());
        drop(split);
        let file = write_csv(&directory, scenario, arguments.csv_rows, arguments.keys);
        let with = format!("connector = 'file', format = 'csv', path = '{}'", file.display());
        lines.push(measure("csv", scenario, arguments.csv_rows, arguments.rounds, [&engine, &engine], &sql(&with)));
    }
    std::fs::remove_dir_all(&directory).expect("the directory is ours");
    print(&lines, arguments.rounds);
    if let Some(path) = arguments.json {
        std::fs::write(&path, json(&lines)).expect("the file can be written");
    }
}

fn tempdir() -> PathBuf {
    let path = std::env::temp_dir().join(format!("corelane-bench-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("the temporary directory is writable");
    path
}

fn write_csv(directory: &Path, scenario: &Scenario, rows: u64, keys: u64) -> PathBuf {
    let path = directory.join(format!("{}.csv", scenario.source));
    let mut engine = Engine::new();
    engine.register(scenario.source, generate(scenario, rows, keys));
    let sql = format!(
        "CREATE SOURCE {} ({}) WITH (connector = 'memory');
         CREATE SINK file WITH (connector = 'file', format = 'csv', path = '{}'); INSERT INTO file SELECT * FROM {}",
        scenario.source,
        scenario.columns,
        path.display(),
        scenario.source
    );
    engine.run(&compile(&engine, &sql), &options("inline", "1"), &Default::default()).expect("the file is written");
    path
}

fn print(lines: &[Line], rounds: usize) {
    let simple = CONTENDERS.iter().position(|(name, _)| *name == "simple").expect("simple is among them");
    println!("million records/s, median of {rounds}; in brackets the ratio to simple in the same run\n");
    print!("| input | scenario | rows |");
    CONTENDERS.iter().for_each(|(processor, partitions)| print!(" {processor} {partitions} |"));
    print!("\n|---|---|---|");
    CONTENDERS.iter().for_each(|_| print!("---|"));
    println!();
    for line in lines {
        let base = median(line.rates[simple].clone());
        print!("| {} | {} | {} |", line.input, line.scenario, line.rows);
        for rates in &line.rates {
            let rate = median(rates.clone());
            print!(" {:.2} ({:.2}) |", rate / 1e6, rate / base);
        }
        println!();
    }
}

fn json(lines: &[Line]) -> String {
    let mut entries = Vec::new();
    for line in lines {
        for ((processor, partitions), rates) in CONTENDERS.iter().zip(&line.rates) {
            entries.push(format!(
                "{{\"bench\":\"scenarios\",\"case\":\"{} {} {processor} {partitions}\",\"value\":{},\"unit\":\"records/s\",\"rounds\":{rates:?}}}",
                line.input,
                line.scenario,
                median(rates.clone())
            ));
        }
    }
    format!("[{}]\n", entries.join(",\n"))
}
