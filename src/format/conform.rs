//! What Parquet and Arrow files share: columns found by name, then brought to the declared types.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema};

use super::options::TimestampUnit;
use crate::batch;
use crate::error::{Error, Result, nearest};
use crate::types::{DataType, Field, Schema};

/// Columns of one file: which to read, and where each projected column then stands.
#[derive(Debug)]
pub(super) struct Located {
    /// Indices of the file's columns to read, ascending.
    pub(super) read: Vec<usize>,
    /// For each projected column its index in `read`.
    order: Vec<usize>,
}

impl Located {
    /// For a reader that brings every column of the file.
    pub(super) fn all_read(&mut self) {
        self.order = self.order.iter().map(|&index| self.read[index]).collect();
    }
}

/// Finds the declared columns in a file, ignoring case. Every declared column must be there, read or not, so that whether a
/// file fits does not depend on the query.
pub(super) fn locate(file: &ArrowSchema, schema: &Schema, projection: &[usize], path: &str) -> Result<Located> {
    let names = || file.fields().iter().map(|field| field.name().as_str());
    let mut found = Vec::with_capacity(schema.len());
    for field in &schema.fields {
        // An exact name wins over one that differs in case.
        let index = names().position(|name| name == field.name);
        let index = index.or_else(|| names().position(|name| name.eq_ignore_ascii_case(&field.name)));
        found.push(index.ok_or_else(|| {
            let hint = match nearest(&field.name, names()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
            };
            Error::Data(format!("{path}: no column \"{}\": {hint}", field.name))
        })?);
    }
    let wanted: Vec<usize> = projection.iter().map(|&column| found[column]).collect();
    let mut read = wanted.clone();
    read.sort_unstable();
    read.dedup();
    let order = wanted.iter().map(|index| read.binary_search(index).expect("it is one of them")).collect();
    Ok(Located { read, order })
}

/// The batch as read, with its columns in projected order and in canonical types.
pub(super) fn finish(
    batch: &RecordBatch,
    located: &Located,
    projected: &Schema,
    unit: Option<TimestampUnit>,
    path: &str,
) -> Result<RecordBatch> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(located.order.len());
    for (&index, field) in located.order.iter().zip(&projected.fields) {
        arrays.push(epochs(batch.column(index), field, unit).map_err(|error| within(path, error))?);
    }
    let fields: Vec<ArrowField> = projected
        .fields
        .iter()
        .zip(&arrays)
        .map(|(f, a)| ArrowField::new(&f.name, a.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let ordered = RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), arrays, &options)
        .map_err(|error| Error::Data(format!("{path}: {error}")))?;
    batch::conform(&ordered, projected).map_err(|error| within(path, error))
}

fn within(path: &str, error: Error) -> Error {
    match error {
        Error::Data(text) => Error::Data(format!("{path}: {text}")),
        other => other,
    }
}

/// Integers of a TIMESTAMP column as microseconds; other columns as they are.
fn epochs(array: &ArrayRef, field: &Field, unit: Option<TimestampUnit>) -> Result<ArrayRef> {
    if field.data_type != DataType::Timestamp || !array.data_type().is_integer() {
        return Ok(Arc::clone(array));
    }
    let Some(unit) = unit else {
        return Err(Error::Data(format!(
            "column \"{}\" holds integers: set timestamp_unit = 's', 'ms', 'us' or 'ns' to read them as TIMESTAMP",
            field.name
        )));
    };
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    let counts = arrow_cast::cast_with_options(array, &ArrowType::Int64, &options)
        .map_err(|error| Error::Data(format!("column \"{}\": {error}", field.name)))?;
    let counts = counts.as_primitive::<Int64Type>();
    let times: PrimitiveArray<TimestampMicrosecondType> = counts
        .try_unary(|count| unit.to_us(count).ok_or(count))
        .map_err(|count| Error::Data(format!("column \"{}\": {count} is beyond the range of TIMESTAMP", field.name)))?;
    Ok(Arc::new(times.with_timezone("UTC")))
}

/// Runs a step of a file library, which may panic on a corrupt file: for the caller that is an error like any other. What
/// the step was working on must not be used again.
pub(super) fn guard<T, E: std::fmt::Display>(
    broken: impl Fn(&dyn std::fmt::Display) -> Error,
    step: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|error| broken(&error)),
        Err(_) => Err(broken(&"its contents contradict each other")),
    }
}

/// A path as reports show it.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
