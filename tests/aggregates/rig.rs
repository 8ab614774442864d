//! Random records, and a source that holds them.

use std::sync::Arc;

use arrow_array::{BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use corelane::engine::Engine;
use proptest::prelude::*;

use crate::cases::Call;

/// A record; the key and the time are never NULL.
#[derive(Debug, Clone)]
pub struct Record {
    pub key: i64,
    pub n: Option<i64>,
    pub d: Option<f64>,
    pub s: Option<String>,
    pub b: Option<bool>,
    pub time: i64,
}

/// Splits of records with ties, NULLs, NaN, zeros of both signs, texts longer than a key's words.
pub fn records(splits: usize, most: usize, keys: i64) -> impl Strategy<Value = Vec<Vec<Record>>> {
    let double = prop_oneof![
        6 => (-20i32..20).prop_map(|n| f64::from(n) / 4.0),
        2 => -1e6..1e6f64,
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0]),
    ];
    let text = prop_oneof![6 => "[a-d]{0,2}", 1 => "[ab]{17,20}"];
    let some = |strategy: BoxedStrategy<f64>| prop::option::weighted(0.85, strategy);
    let record = (
        0..keys,
        prop::option::weighted(0.85, -6i64..7),
        some(double.boxed()),
        prop::option::weighted(0.85, text),
        prop::option::weighted(0.85, any::<bool>()),
        0i64..30_000_000,
    );
    let record = record.prop_map(|(key, n, d, s, b, time)| Record { key, n, d, s, b, time });
    prop::collection::vec(prop::collection::vec(record, 0..most), 1..=splits)
}

fn batch(records: &[Record]) -> RecordBatch {
    let times = TimestampMicrosecondArray::from_iter_values(records.iter().map(|record| record.time));
    let columns: [(&str, arrow_array::ArrayRef); 6] = [
        ("k", Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.key)))),
        ("n", Arc::new(records.iter().map(|record| record.n).collect::<Int64Array>())),
        ("d", Arc::new(records.iter().map(|record| record.d).collect::<Float64Array>())),
        ("s", Arc::new(records.iter().map(|record| record.s.as_deref()).collect::<StringArray>())),
        ("b", Arc::new(records.iter().map(|record| record.b).collect::<BooleanArray>())),
        ("t", Arc::new(times.with_timezone("UTC"))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

/// An engine with the records as `records`.
pub fn engine(splits: &[Vec<Record>]) -> Engine {
    let mut engine = Engine::new();
    engine.register_splits("records", splits.iter().map(|records| vec![batch(records)]).collect());
    engine
}

/// The declaration of `records`.
pub fn source() -> &'static str {
    "CREATE SOURCE records (k BIGINT, n BIGINT, d DOUBLE, s VARCHAR, b BOOLEAN, t TIMESTAMP,
       WATERMARK FOR t AS t - INTERVAL '1' SECOND) WITH (connector = 'memory');"
}

/// A query of all calls.
pub fn select(first: &str, calls: &[Call], rest: &str) -> String {
    let list: Vec<String> = calls.iter().enumerate().map(|(i, (sql, _))| format!("{sql} AS c{i}")).collect();
    format!("{} SELECT {first}, {} FROM records {rest}", source(), list.join(", "))
}
