//! Whether contenders give the same rows: all of them, each value; sums over DOUBLE to one part in a thousand million,
//! because who adds in another order without compensation gets other last digits.

use std::cmp::Ordering;

use arrow_array::RecordBatch;

use crate::rows::{Record, Value, value};

/// A row of a result.
pub type Row = Vec<Value>;

/// Rows of batches.
pub fn rows_of_batches(batches: &[RecordBatch]) -> Vec<Row> {
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(move |row| batch.columns().iter().map(|column| value(column, row)).collect())
    });
    rows.collect()
}

/// Rows of records.
pub fn rows_of_records(records: Vec<Record>, columns: &[&str]) -> Vec<Row> {
    let row = |mut record: Record| -> Row {
        columns.iter().map(|name| record.remove(*name).expect("the column is there")).collect()
    };
    records.into_iter().map(row).collect()
}

/// Panics unless both are the same rows, in whatever order.
pub fn assert_same(mut expected: Vec<Row>, mut found: Vec<Row>, who: &str) {
    assert!(!expected.is_empty(), "{who}: nothing to compare");
    assert_eq!(expected.len(), found.len(), "{who}: number of rows");
    expected.sort_by(order);
    found.sort_by(order);
    for (expected, found) in expected.iter().zip(&found) {
        let same = expected.len() == found.len() && expected.iter().zip(found).all(|(a, b)| is_same(a, b));
        assert!(same, "{who}: expected {expected:?}, found {found:?}");
    }
}

/// By what is exact first: floating-point values decide only among rows that are otherwise the same.
fn order(a: &Row, b: &Row) -> Ordering {
    let exact = |row: &Row| -> Vec<Value> { row.iter().filter(|v| !matches!(v, Value::Float(_))).cloned().collect() };
    let by = |a: &Value, b: &Value| match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        _ => Ordering::Greater,
    };
    let all = |a: &[Value], b: &[Value]| a.iter().zip(b).map(|(a, b)| by(a, b)).find(|order| order.is_ne());
    all(&exact(a), &exact(b)).or_else(|| all(a, b)).unwrap_or(Ordering::Equal)
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        _ => a == b,
    }
}
