//! Five queries that streaming engines are compared by, and their rates under every processor, from memory and from files.
//!
//! Guarantees: input is generated outside the clock, with random keys and prices, times with jitter, text not coded; each
//! row is consumed once a round; contenders take turns within a round, and must give the same rows before any time counts.

use std::path::Path;
use std::time::Instant;

use arrow_array::RecordBatch;

use super::arguments::ScenariosArguments;
use super::measurement::{Measurement, Outlet, machine_line, table};
use crate::engine::{Control, Engine, JobPlan, ProcessorKind, RunOptions};
use crate::error::{Error, Result, nearest};
use crate::sys::Topology;
use crate::types::Options;

/// A query and the columns that it reads.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its number and what it does.
    pub name: &'static str,
    /// The source's name.
    pub source: &'static str,
    /// The source's columns, as declared.
    pub columns: &'static str,
    /// The query.
    pub query: &'static str,
}

const MARKET_DATA: &str = "symbol VARCHAR, price DOUBLE, quantity BIGINT, timestamp TIMESTAMP";
const TRADES: &str = "trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT,
    WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND";

/// The five.
pub const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "0 select",
        source: "orders",
        columns: "order_id BIGINT, customer_id INT, order_date DATE, total_amount DOUBLE",
        query: "SELECT order_id, customer_id, order_date, total_amount FROM orders WHERE total_amount > 100",
    },
    Scenario {
        name: "1 rows window",
        source: "market_data",
        columns: MARKET_DATA,
        query: "SELECT symbol, price,
            AVG(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp),
            MIN(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp),
            MAX(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp) FROM market_data",
    },
    Scenario {
        name: "2 group by",
        source: "market_data",
        columns: MARKET_DATA,
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

impl Scenario {
    /// The scenarios whose name holds `text`.
    pub fn named(text: &str) -> Result<Vec<&'static Self>> {
        let found: Vec<_> = SCENARIOS.iter().filter(|scenario| scenario.name.contains(text)).collect();
        if found.is_empty() {
            let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            let hint = match nearest(text, names.iter().copied()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("scenarios are {}", names.join(", ")),
            };
            return Err(Error::Config(format!("no scenario's name holds '{text}': {hint}")));
        }
        Ok(found)
    }

    /// The job over a source `WITH (with)`, into a sink that counts.
    pub fn job(&self, engine: &Engine, with: &str) -> Result<JobPlan> {
        let Self { source, columns, query, .. } = self;
        let sql = format!(
            "CREATE SOURCE {source} ({columns}) WITH ({with}); CREATE SINK nowhere WITH (connector = 'blackhole');
             INSERT INTO nowhere {query}"
        );
        Ok(engine.compile(&sql, &Options::new())?.remove(0))
    }

    /// The job over a table in memory.
    pub fn job_from_memory(&self, engine: &Engine) -> Result<JobPlan> {
        self.job(engine, "connector = 'memory'")
    }

    /// Rows of the source: 5 of 100 out of order by up to half a second, a millisecond apart.
    pub fn generate(&self, rows: u64, keys: u64) -> Result<Vec<RecordBatch>> {
        let Self { source, columns, .. } = self;
        let engine = Engine::new();
        let sql = format!(
            "CREATE SOURCE {source} ({columns}) WITH (connector = 'generator', rows = '{rows}', seed = '7',
             keys = '{keys}', spacing = '1ms', disorder = '0.05', disorder_by = '500ms'); SELECT * FROM {source}"
        );
        let job = engine.compile(&sql, &Options::new())?.remove(0);
        Ok(engine.collect(&job, &laid_out(ProcessorKind::Inline, 1))?.1)
    }

    /// Writes rows of the source to a file.
    fn write(&self, path: &Path, format: &str, rows: u64, keys: u64) -> Result<()> {
        let Self { source, columns, .. } = self;
        let mut engine = Engine::new();
        engine.register(source, self.generate(rows, keys)?);
        let sql = format!(
            "CREATE SOURCE {source} ({columns}) WITH (connector = 'memory');
             CREATE SINK file WITH (connector = 'file', format = '{format}', path = '{}');
             INSERT INTO file SELECT * FROM {source}",
            path.display()
        );
        let job = engine.compile(&sql, &Options::new())?.remove(0);
        engine.run(&job, &laid_out(ProcessorKind::Inline, 1), &Control::default())?;
        Ok(())
    }
}

/// Options of a run under `processor`.
pub fn laid_out(processor: ProcessorKind, partitions: usize) -> RunOptions {
    RunOptions { processor, partitions: Some(partitions), ..RunOptions::default() }
}

/// A processor at a number of partitions.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Contender {
    processor: ProcessorKind,
    partitions: usize,
}

impl Contender {
    fn name(&self) -> String {
        format!("{} {}", self.processor, self.partitions)
    }
}

/// `inline` and `simple`, which have one partition, and the others at each number of partitions.
fn contenders(partitions: &[usize]) -> Vec<Contender> {
    let one = [ProcessorKind::Inline, ProcessorKind::Simple].map(|processor| Contender { processor, partitions: 1 });
    let many = [ProcessorKind::Partitioned, ProcessorKind::Stp]
        .into_iter()
        .flat_map(|processor| partitions.iter().map(move |&partitions| Contender { processor, partitions }));
    one.into_iter().chain(many).collect()
}

/// Rows of a sample that are compared one by one.
const SAMPLE_ROWS: u64 = 5_000;

/// Fails if a contender gives other rows than the first.
fn compare(scenario: &Scenario, contenders: &[Contender], keys: u64) -> Result<()> {
    let mut engine = Engine::new();
    engine.register(scenario.source, scenario.generate(SAMPLE_ROWS, keys)?);
    let job = scenario.job_from_memory(&engine)?;
    let mut expected: Option<Vec<String>> = None;
    for contender in contenders {
        let (_, batches) = engine.collect(&job, &laid_out(contender.processor, contender.partitions))?;
        let rows = sorted_lines(&batches);
        let expected = expected.get_or_insert_with(|| rows.clone());
        if rows != *expected || rows.is_empty() {
            return Err(Error::Execution(format!(
                "scenario {}: {} gives {} rows that differ from the {} of {}: the run is void",
                scenario.name,
                contender.name(),
                rows.len(),
                expected.len(),
                contenders[0].name()
            )));
        }
    }
    Ok(())
}

/// Rows as text, sorted: each value with all of its digits.
fn sorted_lines(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in batches {
        // The text of a whole column leaves out the middle of long ones, so rows are cut out one by one.
        for row in 0..batch.num_rows() {
            let cells: Vec<String> =
                batch.columns().iter().map(|column| format!("{:?}", column.slice(row, 1))).collect();
            lines.push(cells.join("|"));
        }
    }
    lines.sort_unstable();
    lines
}

/// One input of a scenario: where it comes from, and the engines that hold it for all but `stp`, and for `stp`.
struct Input<'a> {
    from: &'a str,
    rows: u64,
    engines: [&'a Engine; 2],
    job: JobPlan,
}

fn measure(
    scenario: &Scenario,
    input: &Input<'_>,
    contenders: &[Contender],
    rounds: usize,
) -> Result<Vec<Measurement>> {
    let mut rates = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (contender, rates) in contenders.iter().zip(&mut rates) {
            let engine = input.engines[usize::from(contender.processor == ProcessorKind::Stp)];
            let options = laid_out(contender.processor, contender.partitions);
            let started = Instant::now();
            let report = engine.run(&input.job, &options, &Control::default())?;
            let seconds = started.elapsed().as_secs_f64();
            if report.records_read != input.rows {
                return Err(Error::Execution(format!(
                    "scenario {}: {} read {} of {} rows: the run is void",
                    scenario.name,
                    contender.name(),
                    report.records_read,
                    input.rows
                )));
            }
            rates.push(input.rows as f64 / seconds);
        }
    }
    let named = contenders.iter().zip(rates).map(|(contender, rates)| {
        let case = format!("{} {} {}", input.from, scenario.name, contender.name());
        Measurement::new("scenarios", case, "records/s", rates)
    });
    let figures: Vec<Measurement> = named.collect();
    let simple = contenders.iter().position(|contender| contender.processor == ProcessorKind::Simple);
    let base = figures[simple.expect("simple is among them")].clone();
    Ok(figures.into_iter().map(|figure| figure.over(&base)).collect())
}

fn line(scenario: &Scenario, input: &Input<'_>, figures: &[Measurement]) -> Vec<String> {
    let cell = |figure: &Measurement| format!("{:.2} ({:.2})", figure.value() / 1e6, figure.ratio.unwrap_or(1.0));
    let head = [scenario.name.to_string(), input.from.to_string(), input.rows.to_string()];
    head.into_iter().chain(figures.iter().map(cell)).collect()
}

/// Runs the scenarios and prints their rates.
pub(super) fn scenarios(arguments: &ScenariosArguments) -> Result<()> {
    let outlet = Outlet::open(arguments.json.as_deref())?;
    let chosen = Scenario::named(&arguments.only)?;
    let partitions = match arguments.partitions.as_slice() {
        [] if Topology::read().physical_cores() == 1 => vec![1],
        [] => vec![1, Topology::read().physical_cores()],
        given => given.to_vec(),
    };
    let contenders = contenders(&partitions);
    let (rows, file_rows, rounds) = match arguments.quick {
        true => (20_000, 5_000, 1),
        false => (arguments.rows, arguments.file_rows, arguments.rounds),
    };
    let keys = arguments.keys;
    let directory = Directory::new()?;
    let (mut figures, mut lines) = (Vec::new(), Vec::new());
    for scenario in chosen {
        compare(scenario, &contenders, keys)?;
        let batches = scenario.generate(rows, keys)?;
        // stp reads two splits or more, one for each pipeline; the others read the same rows as one. Batches are dealt to the
        // splits in turn, as the partitions of a log get them: all splits are of the same time.
        let pipelines = partitions.iter().copied().max().unwrap_or(1);
        let share = |first| batches.iter().skip(first).step_by(pipelines).cloned().collect();
        let mut split = Engine::new();
        split.register_splits(scenario.source, (0..pipelines).map(share).collect());
        let mut engine = Engine::new();
        engine.register(scenario.source, batches);
        let job = scenario.job_from_memory(&engine)?;
        let mut run = |input: Input<'_>| -> Result<()> {
            let measured = measure(scenario, &input, &contenders, rounds)?;
            lines.push(line(scenario, &input, &measured));
            figures.extend(measured);
            Ok(())
        };
        run(Input { from: "memory", rows, engines: [&engine, &split], job })?;
        drop((engine, split));
        for format in arguments.formats.iter().filter(|format| *format != "none") {
            let path = directory.0.join(format!("{}.{format}", scenario.source));
            scenario.write(&path, format, file_rows, keys)?;
            let engine = Engine::new();
            let with = format!("connector = 'file', format = '{format}', path = '{}'", path.display());
            let job = scenario.job(&engine, &with)?;
            run(Input { from: format, rows: file_rows, engines: [&engine, &engine], job })?;
            std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, &error))?;
        }
    }
    outlet.say(&machine_line())?;
    let times = if rounds == 1 { "one round".into() } else { format!("median of {rounds} rounds") };
    outlet.say(&format!("million records/s, {times}; in brackets the ratio to simple in the same run\n\n"))?;
    let names: Vec<String> = contenders.iter().map(Contender::name).collect();
    let heading: Vec<&str> =
        ["scenario", "input", "rows"].into_iter().chain(names.iter().map(String::as_str)).collect();
    outlet.say(&table(&heading, &lines))?;
    outlet.finish(&figures)
}

/// A directory that goes when the run ends.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("corelane-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| Error::io("create", &path, &error))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_found_by_a_part_of_their_name() {
        assert_eq!(Scenario::named("").unwrap().len(), 5);
        assert_eq!(Scenario::named("3").unwrap().len(), 2);
        let error = Scenario::named("3a tumblin g").unwrap_err().to_string();
        assert!(error.contains("did you mean '3a tumbling'?"), "{error}");
    }

    #[test]
    fn processors_of_one_partition_stand_once() {
        let names: Vec<String> = contenders(&[1, 2]).iter().map(Contender::name).collect();
        assert_eq!(names, ["inline 1", "simple 1", "partitioned 1", "partitioned 2", "stp 1", "stp 2"]);
    }
}
