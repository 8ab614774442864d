//! ROW_NUMBER by values: holds rows back until all of their keys are there, then sorts and numbers them.
//!
//! Guarantees: rows that compare equal are numbered in the order of their other columns, so the same rows get the same
//! numbers under every processor. With a window in the key, rows leave whenever windows close, windows in their order; else at
//! the end of input. Where only the first rows of each key are wanted, the others are dropped now and then, so what is held is
//! bounded by the keys.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow_ord::partition::partition;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::filter_record_batch;

use crate::batch::{Batch, BatchBuffer, RowOrder, Selection, arrow_schema, view};
use crate::error::{Error, Result};
use crate::plan::{RankNode, SortKey};
use crate::types::{EventTime, Schema, Sequence, SplitId};

use super::gather::{orderly, sort};
use super::{Context, Next, Operator};

/// Numbers the rows of each key.
pub struct Rank {
    partition_by: Vec<usize>,
    /// Partition columns, then the order.
    keys: Vec<SortKey>,
    per_window: bool,
    keep: Option<u64>,
    schema: SchemaRef,
    held: BatchBuffer,
    /// Rows from which on those beyond `keep` are dropped.
    cut_at: usize,
    /// Batches that left.
    left: u64,
}

impl Rank {
    /// Rows held before those beyond the wanted ones are dropped. Any value is correct.
    const HELD_ROWS_MIN: usize = 65_536;
    /// Rows of a batch that leaves.
    const BATCH_ROWS: usize = 4096;

    /// For a node of a plan whose input is `schema`.
    pub fn new(node: &RankNode, schema: &Schema) -> Self {
        // Windows leave in their order, whatever else they are numbered by.
        let rest = node.partition_by.iter().copied().filter(|column| Some(*column) != node.window);
        let columns = node.window.into_iter().chain(rest);
        let keys = columns.map(|column| SortKey { column, descending: false, nulls_first: false });
        Self {
            partition_by: node.partition_by.clone(),
            keys: keys.chain(node.order.iter().cloned()).collect(),
            per_window: node.window.is_some(),
            keep: node.keep,
            schema: Arc::new(arrow_schema(schema)),
            held: BatchBuffer::for_schema(schema),
            cut_at: Self::HELD_ROWS_MIN,
            left: 0,
        }
    }

    /// What is held, sorted, with the numbers of the rows, those beyond the wanted ones left out.
    fn ranked(&mut self) -> Result<(RecordBatch, Int64Array)> {
        let failed = |error: ArrowError| Error::Execution(format!("cannot number the rows: {error}"));
        let sorted = sort(&self.held.to_record_batch(&self.schema), &self.keys).map_err(failed)?;
        self.held.clear();
        let mut numbers: Vec<i64> = Vec::with_capacity(sorted.num_rows());
        if self.partition_by.is_empty() {
            numbers.extend(1..=sorted.num_rows() as i64);
        } else {
            let columns: Vec<ArrayRef> =
                self.partition_by.iter().map(|&column| orderly(sorted.column(column))).collect();
            for range in partition(&columns).map_err(failed)?.ranges() {
                numbers.extend(1..=range.len() as i64);
            }
        }
        let numbers = Int64Array::from(numbers);
        let Some(keep) = self.keep else { return Ok((sorted, numbers)) };
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        let wanted: BooleanArray = numbers.values().iter().map(|&number| Some(number <= keep)).collect();
        let kept = filter_record_batch(&sorted, &wanted).map_err(failed)?;
        Ok((kept, numbers.values().iter().copied().filter(|&number| number <= keep).collect()))
    }

    fn hold(&mut self, batch: &RecordBatch, context: &Context<'_>) {
        let columns: Vec<_> =
            batch.columns().iter().map(|array| view(array, 0, batch.num_rows(), context.arena)).collect();
        self.held.append(&columns, batch.num_rows(), None);
    }
}

impl Operator for Rank {
    fn name(&self) -> &'static str {
        "ROW_NUMBER"
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("ROW_NUMBER", self.held.size_bytes()))
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        self.held.append(batch.columns, batch.rows, batch.selection.list());
        if self.keep.is_some() && self.held.len() >= self.cut_at {
            let (kept, _) = self.ranked()?;
            self.hold(&kept, context);
            self.cut_at = (2 * self.held.len()).max(Self::HELD_ROWS_MIN);
        }
        Ok(())
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        if self.held.is_empty() || !(self.per_window || watermark == EventTime::MAX) {
            return Ok(());
        }
        let (rows, numbers) = self.ranked()?;
        let numbers: ArrayRef = Arc::new(numbers);
        for start in (0..rows.num_rows()).step_by(Self::BATCH_ROWS) {
            let count = Self::BATCH_ROWS.min(rows.num_rows() - start);
            let arena = bumpalo::Bump::new();
            let columns: Vec<_> =
                rows.columns().iter().chain([&numbers]).map(|array| view(array, start, count, &arena)).collect();
            let order = RowOrder::Chunk { sequence: Sequence::new(SplitId(0), self.left), first_row: 0, places: 1 };
            self.left += 1;
            let mut inner = context.with_arena(&arena);
            inner.rows_are_records = false;
            next(Batch { rows: count, columns: &columns, selection: Selection::All, order }, &mut inner)?;
        }
        Ok(())
    }
}
