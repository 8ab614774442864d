//! ORDER BY, LIMIT and OFFSET over the whole result: one place sees all rows, the writer.
//!
//! Rows that compare equal under ORDER BY are put in the order of their other columns, so that a LIMIT cuts the same rows
//! off under every processor.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;

use crate::error::{Error, Result};
use crate::plan::{ExprKind, Node, SortKey, Step};

/// The last steps of a plan, over record batches.
pub struct Gather {
    sort: Option<Vec<SortKey>>,
    limit: Option<u64>,
    offset: u64,
    /// The columns that leave, if they are not all.
    shown: Option<Vec<usize>>,
    held: Vec<RecordBatch>,
    held_rows: usize,
    held_bytes: usize,
}

impl Gather {
    /// Rows held before those beyond a LIMIT are dropped. Any value is correct.
    const HELD_ROWS_MIN: usize = 65_536;

    /// For the Sort and Limit steps at the end of a plan, and the Project behind them, which drops columns.
    pub fn new(steps: &[Step]) -> Self {
        let (held, shown) = (Vec::new(), None);
        let mut gather = Self { sort: None, limit: None, offset: 0, shown, held, held_rows: 0, held_bytes: 0 };
        for step in steps {
            match &step.node {
                Node::Sort(keys) => gather.sort = Some(keys.clone()),
                Node::Limit { limit, offset } => {
                    gather.limit = *limit;
                    gather.offset = *offset;
                }
                Node::Project(exprs) => {
                    let columns = exprs.iter().map(|expr| match expr.kind {
                        ExprKind::Column(column) => column,
                        ref other => panic!("{other:?} is computed before the end of a plan"),
                    });
                    gather.shown = Some(columns.collect());
                }
                other => panic!("{other:?} does not belong at the end of a plan"),
            }
        }
        gather
    }

    /// Takes a batch of the result in; what of it may leave at once is returned.
    pub fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let Some(keys) = &self.sort else { return Ok(self.cut(batch)) };
        self.held_rows += batch.num_rows();
        self.held_bytes += batch.get_array_memory_size();
        self.held.push(batch);
        // With a LIMIT only the best rows so far can leave: the others are dropped now and then.
        if let Some(limit) = self.limit {
            let kept = usize::try_from(limit.saturating_add(self.offset)).unwrap_or(usize::MAX);
            if self.held_rows > kept.saturating_mul(2).max(Self::HELD_ROWS_MIN)
                && let Some(sorted) = sort_held(&mut self.held, keys)?
            {
                let best = sorted.slice(0, kept.min(sorted.num_rows()));
                self.held_rows = best.num_rows();
                self.held_bytes = best.get_array_memory_size();
                self.held.push(best);
            }
        }
        Ok(None)
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether batches pass through as they are.
    pub fn is_empty(&self) -> bool {
        self.sort.is_none() && self.limit.is_none() && self.offset == 0
    }

    /// Whether no later row can leave, so that reading on is in vain.
    pub fn is_full(&self) -> bool {
        self.sort.is_none() && self.limit == Some(0)
    }

    /// The rest, at the end of input.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>> {
        let Some(keys) = &self.sort else { return Ok(None) };
        let Some(sorted) = sort_held(&mut self.held, keys)? else { return Ok(None) };
        let Some(rest) = self.cut(sorted) else { return Ok(None) };
        match &self.shown {
            None => Ok(Some(rest)),
            Some(columns) => rest.project(columns).map(Some).map_err(failed),
        }
    }

    fn cut(&mut self, batch: RecordBatch) -> Option<RecordBatch> {
        let rows = batch.num_rows() as u64;
        let skipped = self.offset.min(rows);
        self.offset -= skipped;
        let taken = self.limit.unwrap_or(u64::MAX).min(rows - skipped);
        if let Some(limit) = &mut self.limit {
            *limit -= taken;
        }
        (taken > 0).then(|| batch.slice(skipped as usize, taken as usize))
    }
}

fn failed(error: arrow_schema::ArrowError) -> Error {
    Error::Execution(format!("cannot sort the result: {error}"))
}

/// Takes what is held and sorts it.
fn sort_held(held: &mut Vec<RecordBatch>, keys: &[SortKey]) -> Result<Option<RecordBatch>> {
    let Some(first) = held.first() else { return Ok(None) };
    let all = concat_batches(&first.schema(), held.iter()).map_err(failed)?;
    held.clear();
    sort(&all, keys).map(Some).map_err(failed)
}

/// The rows of a batch in the order of `keys`, then of all columns.
pub(super) fn sort(batch: &RecordBatch, keys: &[SortKey]) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let mut columns: Vec<SortColumn> = keys
        .iter()
        .map(|key| SortColumn {
            values: orderly(batch.column(key.column)),
            options: Some(SortOptions { descending: key.descending, nulls_first: key.nulls_first }),
        })
        .collect();
    columns.extend(batch.columns().iter().map(|values| SortColumn { values: orderly(values), options: None }));
    take_record_batch(batch, &lexsort_to_indices(&columns, None)?)
}

/// A column whose order is SQL's: Arrow sorts -0 before +0 and negative NaN first.
pub(super) fn orderly(array: &ArrayRef) -> ArrayRef {
    use arrow_array::cast::AsArray;
    match array.as_primitive_opt::<arrow_array::types::Float64Type>() {
        Some(values) => {
            let canonical = |v: f64| if v.is_nan() { f64::NAN } else { v + 0.0 };
            Arc::new(values.unary::<_, arrow_array::types::Float64Type>(canonical))
        }
        None => Arc::clone(array),
    }
}
