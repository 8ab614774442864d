//! What several test files share: running SQL through the engine and looking at the rows.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod simulation;
pub mod sqlite;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use corelane::engine::{Engine, JobReport, RunOptions};
use corelane::types::Options;

/// One cell, exact: doubles by their bits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    Null,
    Integer(i128),
    Double(u64),
    Text(String),
}

impl Cell {
    pub fn double(&self) -> f64 {
        match self {
            Self::Double(bits) => f64::from_bits(*bits),
            Self::Integer(value) => *value as f64,
            other => panic!("{other:?} is no number"),
        }
    }
}

pub type Row = Vec<Cell>;

/// All rows of some batches.
pub fn rows_of(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        for i in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|column| cell(column.as_ref(), i)).collect());
        }
    }
    rows
}

fn cell(array: &dyn Array, i: usize) -> Cell {
    if array.is_null(i) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Integer(array.as_boolean().value(i).into()),
        DataType::Int32 => Cell::Integer(array.as_primitive::<Int32Type>().value(i).into()),
        DataType::Date32 => Cell::Integer(array.as_primitive::<Date32Type>().value(i).into()),
        DataType::Int64 => Cell::Integer(array.as_primitive::<Int64Type>().value(i).into()),
        DataType::Timestamp(_, _) => Cell::Integer(array.as_primitive::<TimestampMicrosecondType>().value(i).into()),
        DataType::Duration(_) => Cell::Integer(array.as_primitive::<DurationMicrosecondType>().value(i).into()),
        DataType::Decimal128(_, _) => Cell::Integer(array.as_primitive::<Decimal128Type>().value(i)),
        DataType::Float64 => Cell::Double(array.as_primitive::<Float64Type>().value(i).to_bits()),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(i).to_string()),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let code = dictionary.keys().value(i) as usize;
            Cell::Text(dictionary.values().as_string::<i32>().value(code).to_string())
        }
        other => panic!("no cell for {other}"),
    }
}

/// Run options from settings as a user writes them.
pub fn options(settings: &[(&str, &str)]) -> RunOptions {
    let mut options = Options::new();
    for (key, value) in settings {
        options.set(key, *value);
    }
    RunOptions::from_settings(&mut options).expect("the settings are valid")
}

/// Runs the first job of `sql` and returns its report and rows.
pub fn run(engine: &Engine, sql: &str, options: &RunOptions) -> (JobReport, Vec<Row>) {
    let jobs = engine.compile(sql, &Options::new()).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let (report, batches) = engine.collect(&jobs[0], options).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    assert!(report.records_balance(), "the counts do not add up: {report:?}");
    (report, rows_of(&batches))
}

/// The same rows, whatever their order.
pub fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

/// Every way to run a job.
pub fn ways() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut ways = Vec::new();
    for rows in ["1", "64", "8192"] {
        ways.extend([("inline", "1", rows), ("simple", "1", rows)]);
        for partitions in ["1", "2", "5"] {
            ways.extend([("partitioned", partitions, rows), ("stp", partitions, rows)]);
        }
    }
    ways
}

/// The rows of `sql`, which are the same under every way to run it.
pub fn everywhere(sql: &str) -> Vec<Row> {
    everywhere_with(sql, &[]).1
}

/// The same with more settings, and the number of late records, which does not change either.
pub fn everywhere_with(sql: &str, more: &[(&str, &str)]) -> (u64, Vec<Row>) {
    let mut first: Option<(u64, Vec<Row>)> = None;
    for (processor, partitions, batch_rows) in ways() {
        let settings = [("processor", processor), ("partitions", partitions), ("batch_rows", batch_rows)];
        let settings = [&settings, more].concat();
        let (report, rows) = run(&Engine::new(), sql, &options(&settings));
        let found = (report.records_late, sorted(rows));
        match &first {
            None => first = Some(found),
            Some(first) => assert_eq!(*first, found, "{settings:?}: {sql}"),
        }
    }
    first.unwrap()
}
