//! The queries of `tests/slt/*.slt`, with the results that SQLite gives.
//!
//! Every query is run by SQLite and by corelane over the same rows, and both must give what the file says. Under `inline` the rows
//! are compared with the file; a few other ways of running it, chosen by the query, must give the same rows, in the same order but for
//! `stp`. `CORELANE_SLT=all` runs every way of running every query.
//!
//! A new query needs no result: `CORELANE_SLT=write cargo test --test sqllogictest` writes down what SQLite gives. A query that only one of
//! them reads follows `onlyif sqlite` or `onlyif corelane`.
//!
//! Tables: `flights`, 2,000 records from `examples/data`; `t`, 400 rows with NULLs, ties, empty text, signed zeros, and event times
//! out of order; `u`, 60 rows whose `k` meets some of those of `t`. Booleans are 0 and 1, times are microseconds.

mod harness;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::OnceLock;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use corelane::engine::Engine;
use corelane::types::Options;
use harness::sqlite::{add_table, query};
use harness::{Cell, options, rows_of};
use rusqlite::Connection;
use sqllogictest::{
    DB, DBOutput, DefaultColumnType, Runner, default_column_validator, default_normalizer, default_validator,
};

const SOURCES: &str = "
    CREATE SOURCE flights (year INT, month INT, day INT, dep_time INT, sched_dep_time INT, dep_delay INT, arr_time INT,
        sched_arr_time INT, arr_delay INT, carrier VARCHAR, flight INT, tailnum VARCHAR, origin VARCHAR, dest VARCHAR,
        air_time INT, distance INT, hour INT, minute INT, time_hour TIMESTAMP,
        WATERMARK FOR time_hour AS time_hour - INTERVAL '18' HOUR) WITH (connector = 'memory');
    CREATE SOURCE t (id INT, k VARCHAR, g INT, a BIGINT, b DOUBLE, flag BOOLEAN, ts TIMESTAMP,
        WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH (connector = 'memory');
    CREATE SOURCE u (k VARCHAR, n BIGINT, label VARCHAR) WITH (connector = 'memory');";

/// A table: its name and its columns.
struct Table {
    name: &'static str,
    batch: RecordBatch,
}

/// Pseudo-random numbers that stay the same for ever: the results are written down.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// A choice, NULL once in `nulls`.
    fn cell(&mut self, nulls: u64, choices: &[&str]) -> String {
        if self.below(nulls) == 0 { String::new() } else { choices[self.below(choices.len() as u64) as usize].into() }
    }
}

/// CSV text read by corelane itself: empty is NULL, "" is empty text.
fn read(name: &'static str, declaration: &str, csv: &str, nullstr: &str) -> Table {
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), csv).unwrap();
    let path = file.path().display();
    let sql = format!(
        "CREATE SOURCE {name} ({declaration}) WITH (connector = 'file', path = '{path}', format = 'csv', nullstr = '{nullstr}');
         SELECT * FROM {name}"
    );
    let engine = Engine::new();
    let job = engine.compile(&sql, &Options::new()).unwrap_or_else(|error| panic!("{error}")).remove(0);
    let (_, batches) = engine.collect(&job, &options(&[("processor", "inline")])).unwrap();
    let schema = batches[0].schema();
    Table { name, batch: arrow_select::concat::concat_batches(&schema, &batches).unwrap() }
}

fn tables() -> &'static [Table] {
    static TABLES: OnceLock<Vec<Table>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let declaration = |name: &str| {
            let (_, rest) = SOURCES.split_once(&format!("CREATE SOURCE {name} (")).unwrap();
            let end = rest.find("WATERMARK").unwrap_or(rest.find(") WITH").unwrap());
            rest[..end.min(rest.find(") WITH").unwrap())].trim().trim_end_matches(',').to_string()
        };
        let flights = std::fs::read_to_string("examples/data/flights_january.csv").unwrap();
        // Every 13th record, so that all days are there.
        let lines: Vec<&str> = flights.lines().collect();
        let some = lines[1..].iter().step_by(13).take(2000);
        let flights = std::iter::once(&lines[0]).chain(some).fold(String::new(), |text, line| text + line + "\n");

        let mut draw = Draw(20_130_101);
        let mut t = String::from("id,k,g,a,b,flag,ts\n");
        for id in 0..400 {
            let k = draw.cell(9, &["red", "green", "blue", "Red", "grün", "\"\"", "a_b", "50%", "light blue"]);
            let g = draw.cell(12, &["1", "2", "3", "4"]);
            let a = draw.cell(8, &["0", "1", "-1", "7", "7", "100", "-250", "9007199254740993", "42", "13"]);
            let b = draw.cell(8, &["0.0", "-0.0", "1.5", "-2.25", "1000000", "0.1", "3.14159", "-7", "2.5", "1e-3"]);
            let flag = draw.cell(7, &["true", "false"]);
            // A second a row, out of order by up to eight.
            let second = 1_000 + id + 8 - draw.below(9);
            let (minute, second) = (second / 60, second % 60);
            let ts = format!("2024-03-01T{:02}:{:02}:{second:02}.{:06}Z", minute / 60, minute % 60, id);
            t.push_str(&format!("{id},{k},{g},{a},{b},{flag},{ts}\n"));
        }
        let mut u = String::from("k,n,label\n");
        for n in 0..60 {
            let k = draw.cell(10, &["red", "blue", "violet", "black", "a_b", "\"\""]);
            let label = draw.cell(6, &["warm", "cold", "none"]);
            u.push_str(&format!("{k},{n},{label}\n"));
        }
        vec![
            read("flights", &declaration("flights"), &flights, "NA"),
            read("t", &declaration("t"), &t, ""),
            read("u", &declaration("u"), &u, ""),
        ]
    })
}

#[derive(Debug)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Nine digits: sums of DOUBLE may differ in the last ones, as SQLite adds them up in another way.
fn double(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let rounded: f64 = format!("{value:.8e}").parse().unwrap();
    (rounded + 0.0).to_string()
}

fn text(value: &str) -> String {
    if value.is_empty() { "(empty)".into() } else { value.replace(' ', "_") }
}

/// A cell as the files have it; `scale` is that of a DECIMAL.
fn print(cell: &Cell, scale: Option<i8>) -> String {
    match (cell, scale) {
        (Cell::Null, _) => "NULL".into(),
        (Cell::Integer(value), Some(scale)) => double(*value as f64 / 10_f64.powi(scale.into())),
        (Cell::Integer(value), None) => value.to_string(),
        (Cell::Double(bits), _) => double(f64::from_bits(*bits)),
        (Cell::Text(value), _) => text(value),
    }
}

fn output(rows: Vec<Vec<String>>, columns: usize) -> DBOutput<DefaultColumnType> {
    DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows }
}

struct Sqlite(Connection);

impl Sqlite {
    fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("PRAGMA case_sensitive_like = ON; BEGIN").unwrap();
        for Table { name, batch } in tables() {
            let columns: Vec<String> = batch
                .schema()
                .fields()
                .iter()
                .map(|field| {
                    let affinity = match field.data_type() {
                        DataType::Float64 => "REAL",
                        DataType::Utf8 | DataType::Dictionary(..) => "TEXT",
                        _ => "INTEGER",
                    };
                    format!("{} {affinity}", field.name())
                })
                .collect();
            add_table(&connection, name, &columns.join(", "), &rows_of(std::slice::from_ref(batch)));
        }
        connection.execute_batch("COMMIT").unwrap();
        Self(connection)
    }
}

impl DB for Sqlite {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    fn engine_name(&self) -> &str {
        "sqlite"
    }

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let rows = query(&self.0, sql).map_err(|error| Failure(error.to_string()))?;
        let columns = rows.first().map_or(1, Vec::len);
        Ok(output(rows.iter().map(|row| row.iter().map(|cell| print(cell, None)).collect()).collect(), columns))
    }
}

struct Corelane {
    engine: Engine,
}

/// One way of running a query.
type Way = (&'static str, &'static str, &'static str);

fn ways() -> Vec<Way> {
    let mut ways = vec![("inline", "1", "1"), ("inline", "1", "64"), ("simple", "1", "64")];
    for processor in ["partitioned", "stp"] {
        for partitions in ["1", "2", "5"] {
            for batch_rows in ["1", "64", "8192"] {
                ways.push((processor, partitions, batch_rows));
            }
        }
    }
    ways
}

/// The ways for one query: three, or all of them.
fn chosen(sql: &str) -> Vec<Way> {
    let ways = ways();
    if std::env::var("CORELANE_SLT").is_ok_and(|mode| mode == "all") {
        return ways;
    }
    let mut hasher = DefaultHasher::new();
    sql.hash(&mut hasher);
    let first = hasher.finish() as usize % ways.len();
    [0, 5, 8].map(|step| ways[(first + step) % ways.len()]).to_vec()
}

impl Corelane {
    fn new() -> Self {
        let mut engine = Engine::new();
        for Table { name, batch } in tables() {
            // In pieces, as a source would give them.
            let pieces = (0..batch.num_rows()).step_by(150);
            let pieces = pieces.map(|start| batch.slice(start, 150.min(batch.num_rows() - start)));
            engine.register(name, pieces.collect());
        }
        Self { engine }
    }

    fn rows(&self, sql: &str, (processor, partitions, batch_rows): Way) -> Result<Vec<Vec<String>>, Failure> {
        let script = format!("{SOURCES} {sql}");
        let failure = |error: corelane::error::Error| Failure(error.to_string());
        let job = self.engine.compile(&script, &Options::new()).map_err(failure)?.remove(0);
        let settings = [("processor", processor), ("partitions", partitions), ("batch_rows", batch_rows)];
        let (report, batches) = self.engine.collect(&job, &options(&settings)).map_err(failure)?;
        assert!(report.records_balance(), "the counts do not add up: {report:?}");
        Ok(batches.iter().flat_map(rows).collect())
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let decimals = |i: usize| match batch.column(i).data_type() {
        DataType::Decimal128(_, scale) => Some(*scale),
        _ => None,
    };
    let cell = |(i, cell): (usize, &Cell)| print(cell, decimals(i));
    rows_of(std::slice::from_ref(batch)).iter().map(|row| row.iter().enumerate().map(cell).collect()).collect()
}

impl DB for Corelane {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    fn engine_name(&self) -> &str {
        "corelane"
    }

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let expected = self.rows(sql, ("inline", "1", "8192"))?;
        let sorted = |rows: &[Vec<String>]| {
            let mut rows = rows.to_vec();
            rows.sort();
            rows
        };
        for way in chosen(sql) {
            let found = self.rows(sql, way).map_err(|error| Failure(format!("{way:?}: {error}")))?;
            let same = if way.0 == "stp" { sorted(&found) == sorted(&expected) } else { found == expected };
            if !same {
                return Err(Failure(format!("{way:?} gives other rows than inline: {found:?} and not {expected:?}")));
            }
        }
        let columns = expected.first().map_or(1, Vec::len);
        Ok(output(expected, columns))
    }
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("tests/slt").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "slt")).collect();
    files.sort();
    files
}

#[test]
fn queries_give_what_sqlite_gives() {
    let write = std::env::var("CORELANE_SLT").is_ok_and(|mode| mode == "write");
    let mut failures = Vec::new();
    for file in files() {
        let mut sqlite = Runner::new(|| async { Ok(Sqlite::new()) });
        if write {
            let update =
                sqlite.update_test_file(&file, " ", default_validator, default_normalizer, default_column_validator);
            futures::executor::block_on(update).unwrap();
        } else if let Err(error) = sqlite.run_file(&file) {
            failures.push(format!("sqlite: {error}"));
        }
        // One query after another, so that all that fail are shown.
        for record in sqllogictest::parse_file(&file).unwrap() {
            let mut corelane = Runner::new(|| async { Ok(Corelane::new()) });
            if let Err(error) = corelane.run(record) {
                failures.push(format!("corelane: {error}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn there_are_enough_queries() {
    let count = |file: &PathBuf| {
        let records = sqllogictest::parse_file::<DefaultColumnType>(file).unwrap();
        records.iter().filter(|record| matches!(record, sqllogictest::Record::Query { .. })).count()
    };
    let queries: usize = files().iter().map(count).sum();
    assert!(queries >= 300, "{queries} queries");
}
