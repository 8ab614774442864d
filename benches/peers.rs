//! corelane's side of the comparison with other engines: see perf/peers/README.md.
//!
//! ```text
//! peers --serve [--threads N] [--cores LIST] [--window-s N] [--above X] [--simd LEVEL]
//! ```
//! Serves the driver, perf/peers/compare.py: one JSON command a line on standard input, one JSON answer a line.
//! `{"do":"load","path":"FILE"}` reads an Arrow file into memory and registers it;
//! `{"do":"run","query":"group_by","key":"symbol","check":true}` runs a query once. The clock runs from the query's text
//! to the last row in memory; check sums are taken after it. Without arguments, as under `cargo test --benches`, it checks
//! every query on a few records against sums taken by hand.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use corelane::engine::{Engine, RunOptions};
use corelane::types::Options;
use serde_json::{Value, json};

/// The command's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TABLE: &str = "CREATE SOURCE t (trade_time TIMESTAMP, symbol VARCHAR, code VARCHAR, id BIGINT, price DOUBLE,
    quantity BIGINT, WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND) WITH (connector = 'memory');";

const QUERIES: [&str; 4] = ["group_by", "tumbling", "rows", "filter_sum"];
const KEYS: [&str; 3] = ["symbol", "code", "id"];

struct Settings {
    serve: bool,
    threads: usize,
    cores: Option<String>,
    simd: String,
    window_s: i64,
    above: f64,
}

fn settings() -> Settings {
    let mut settings =
        Settings { serve: false, threads: 1, cores: None, simd: "auto".into(), window_s: 60, above: 500.0 };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        match flag.as_str() {
            "--serve" => settings.serve = true,
            "--threads" => settings.threads = value().parse().expect("a number of threads"),
            "--cores" => settings.cores = Some(value()),
            "--simd" => settings.simd = value(),
            "--window-s" => settings.window_s = value().parse().expect("a number of seconds"),
            "--above" => settings.above = value().parse().expect("a price"),
            _ => {}
        }
    }
    settings
}

impl Settings {
    fn run_options(&self) -> RunOptions {
        let mut settings = Options::new();
        settings.set("processor", if self.threads == 1 { "inline" } else { "partitioned" });
        settings.set("partitions", self.threads.to_string());
        settings.set("simd", &self.simd);
        if let Some(cores) = &self.cores {
            settings.set("cores", cores);
        }
        RunOptions::from_settings(&mut settings).expect("the settings are valid")
    }

    fn sql(&self, query: &str, key: &str) -> String {
        let aggregates = "COUNT(*) AS n, SUM(quantity) AS s, AVG(price) AS a, MIN(price) AS lo, MAX(price) AS hi";
        let over = format!("OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY {key} ORDER BY trade_time)");
        match query {
            "group_by" => format!("SELECT {key} AS k, {aggregates} FROM t GROUP BY {key}"),
            "tumbling" => format!(
                "SELECT window_start AS w, {key} AS k, {aggregates} FROM t GROUP BY {key}
                 WINDOW TUMBLING (trade_time, INTERVAL '{}' SECOND)",
                self.window_s
            ),
            "rows" => format!(
                "SELECT {key} AS k, price AS p, AVG(price) {over} AS a, MIN(price) {over} AS lo, MAX(price) {over} AS hi
                 FROM t"
            ),
            "filter_sum" => format!("SELECT SUM(price) AS a FROM t WHERE price > {}", self.above),
            other => panic!("unknown query {other}"),
        }
    }

    /// Runs a query once. All sums are taken outside the clock.
    fn run(&self, engine: &Engine, query: &str, key: &str, check: bool) -> Value {
        let sql = format!("{TABLE} {}", self.sql(query, key));
        let options = self.run_options();
        let started = Instant::now();
        let job = engine.compile(&sql, &Options::new()).unwrap_or_else(|error| panic!("{error}\n{sql}")).remove(0);
        let (_, batches) = engine.collect(&job, &options).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        let seconds = started.elapsed().as_secs_f64();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let sums = if check { sums(&batches) } else { BTreeMap::new() };
        json!({"seconds": seconds, "rows": rows, "sums": sums})
    }
}

/// Sums over a result by column: `n s a lo hi p` plainly, `k` and `w` (seconds of the day) weighted by `n`, or by 1.
fn sums(batches: &[RecordBatch]) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for batch in batches {
        let weights = batch.column_by_name("n").map(|n| n.as_primitive::<Int64Type>().values());
        let weight = |row: usize| weights.map_or(1.0, |n| n[row] as f64);
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            assert_eq!(column.null_count(), 0);
            let rows = 0..batch.num_rows();
            let sum: f64 = match field.name().as_str() {
                "k" => {
                    let numbers = key_numbers(column);
                    rows.map(|row| numbers[row] as f64 * weight(row)).sum()
                }
                "w" => {
                    let starts = column.as_primitive::<TimestampMicrosecondType>().values();
                    rows.map(|row| (starts[row] / 1_000_000).rem_euclid(86_400) as f64 * weight(row)).sum()
                }
                "n" | "s" => column.as_primitive::<Int64Type>().values().iter().map(|&value| value as f64).sum(),
                _ => column.as_primitive::<Float64Type>().values().iter().sum(),
            };
            *sums.entry(field.name().clone()).or_insert(0.0) += sum;
        }
    }
    sums
}

/// The number in each key: `S0001234` and 1234 are the same key.
fn key_numbers(column: &ArrayRef) -> Vec<i64> {
    match column.as_primitive_opt::<Int64Type>() {
        Some(ids) => ids.values().to_vec(),
        None => {
            column.as_string::<i32>().iter().map(|text| text.unwrap()[1..].parse().expect("S and digits")).collect()
        }
    }
}

fn load(path: &str) -> (Engine, usize) {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let reader = arrow_ipc::reader::FileReader::try_new_buffered(file, None).expect("an Arrow file");
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("a record batch")).collect();
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut engine = Engine::new();
    engine.register("t", batches);
    (engine, rows)
}

fn serve(settings: &Settings) {
    let mut engine = Engine::new();
    let mut out = std::io::stdout();
    for line in BufReader::new(std::io::stdin()).lines() {
        let command: Value = serde_json::from_str(&line.expect("standard input is text")).expect("a JSON command");
        let text = |name: &str| command[name].as_str().unwrap_or_else(|| panic!("{command} has no \"{name}\""));
        let answer = match text("do") {
            "load" => {
                // The old table goes first: both might not fit.
                drop(std::mem::take(&mut engine));
                let (loaded, rows) = load(text("path"));
                engine = loaded;
                json!({"rows": rows})
            }
            "forms" => json!({"forms": ["record batches"]}),
            "run" => settings.run(&engine, text("query"), text("key"), command["check"] == true),
            other => panic!("unknown command {other}"),
        };
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("the driver reads");
    }
}

/// A few records, and every query's sums against sums taken row by row.
fn check(settings: &Settings) {
    const ROWS: usize = 5_000;
    const GROUPS: usize = 70;
    let numbers: Vec<i32> = (0..ROWS).map(|row| (row * row * 31 % 4099 % GROUPS) as i32).collect();
    let times: Vec<i64> = (0..ROWS as i64).map(|row| row * 100_000 + row * 37 % 11 * 10_000).collect();
    let prices: Vec<f64> = (0..ROWS).map(|row| (row * 7919 % 10_007) as f64 / 10.0).collect();
    let quantities: Vec<i64> = (0..ROWS as i64).map(|row| 1 + row * 17 % 100).collect();
    let texts = StringArray::from_iter_values(numbers.iter().map(|number| format!("S{number:07}")));
    let dictionary = StringArray::from_iter_values((0..GROUPS).map(|number| format!("S{number:07}")));
    let codes = DictionaryArray::<Int32Type>::new(Int32Array::from(numbers.clone()), Arc::new(dictionary));
    let ids: Int64Array = numbers.iter().map(|&number| Some(i64::from(number))).collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("trade_time", Arc::new(TimestampMicrosecondArray::from(times.clone()).with_timezone("UTC"))),
        ("symbol", Arc::new(texts)),
        ("code", Arc::new(codes)),
        ("id", Arc::new(ids)),
        ("price", Arc::new(Float64Array::from(prices.clone()))),
        ("quantity", Arc::new(Int64Array::from(quantities.clone()))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let mut engine = Engine::new();
    engine.register("t", vec![batch.slice(0, ROWS / 3), batch.slice(ROWS / 3, ROWS - ROWS / 3)]);

    // By window start and key: records, price sum, least and greatest price.
    let mut groups: BTreeMap<(i64, i32), (f64, f64, f64, f64)> = BTreeMap::new();
    let window_us = settings.window_s * 1_000_000;
    for row in 0..ROWS {
        let start = times[row] - times[row].rem_euclid(window_us);
        for start in [-1, start] {
            let group = groups.entry((start, numbers[row])).or_insert((0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY));
            let price = prices[row];
            *group = (group.0 + 1.0, group.1 + price, group.2.min(price), group.3.max(price));
        }
    }
    let quantity: i64 = quantities.iter().sum();
    let near = |found: &Value, expected: f64| (found.as_f64().unwrap() - expected).abs() <= expected.abs() * 1e-9;
    for key in KEYS {
        for query in QUERIES {
            let answer = settings.run(&engine, query, key, true);
            let sums = &answer["sums"];
            let of = |windows: bool| groups.iter().filter(move |((start, _), _)| (*start >= 0) == windows);
            match query {
                "group_by" | "tumbling" => {
                    let windows = query == "tumbling";
                    assert_eq!(answer["rows"], of(windows).count(), "{query} {key}");
                    assert!(
                        near(&sums["n"], ROWS as f64) && near(&sums["s"], quantity as f64),
                        "{query} {key}: {sums}"
                    );
                    assert!(near(&sums["a"], of(windows).map(|(_, g)| g.1 / g.0).sum()), "{query} {key}: {sums}");
                    assert!(near(&sums["lo"], of(windows).map(|(_, g)| g.2).sum()), "{query} {key}: {sums}");
                    assert!(near(&sums["hi"], of(windows).map(|(_, g)| g.3).sum()), "{query} {key}: {sums}");
                    assert!(
                        near(&sums["k"], of(windows).map(|((_, k), g)| f64::from(*k) * g.0).sum()),
                        "{query} {key}"
                    );
                    if windows {
                        let starts = of(true).map(|((start, _), g)| (start / 1_000_000) as f64 * g.0).sum();
                        assert!(near(&sums["w"], starts), "{query} {key}: {sums}");
                    }
                }
                "rows" => {
                    assert_eq!(answer["rows"], ROWS);
                    assert!(near(&sums["p"], prices.iter().sum()), "{query} {key}: {sums}");
                }
                _ => {
                    let above = prices.iter().filter(|price| **price > settings.above).sum();
                    assert!(near(&sums["a"], above), "{query} {key}: {sums}");
                }
            }
            println!("{query} {key}: {} rows agree", answer["rows"]);
        }
    }
}

fn main() {
    let settings = settings();
    if settings.serve { serve(&settings) } else { check(&settings) }
}
