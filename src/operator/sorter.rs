//! Brings rows into an order of values when all are there, and back into the order in which they came.
//!
//! Rows that are equal in the order stand in the order of their other columns, then of their places, so that the same rows
//! stand alike under every processor. All rows are held: until the end of input, or until their windows have closed.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_schema::{ArrowError, SchemaRef};
use bumpalo::Bump;

use crate::batch::{Batch, BatchBuffer, RowOrder, Selection, arrow_schema};
use crate::error::{Error, Result};
use crate::plan::FrameOrder;
use crate::types::{EventTime, Field, OrderKey, Schema};

use super::expr::Evaluator;
use super::gather::orderly;
use super::{Context, Next, Operator};

/// Sorts rows.
pub struct Sorter {
    /// What values are sorted by, held behind the columns; nothing means by place.
    order: Vec<(Evaluator, SortOptions)>,
    per_window: bool,
    /// Columns that leave.
    columns: usize,
    schema: SchemaRef,
    held: BatchBuffer,
    keys: Vec<OrderKey>,
    oldest: Option<OrderKey>,
    output: BatchBuffer,
    taken: Vec<OrderKey>,
}

impl Sorter {
    /// Rows of a batch that leaves. Any value is correct.
    const BATCH_ROWS: usize = 4096;

    /// Sorts rows of `schema` by values, keeping their places.
    pub fn by_values(order: &[FrameOrder], per_window: bool, schema: &Schema) -> Self {
        let option = |key: &FrameOrder| SortOptions { descending: key.descending, nulls_first: key.nulls_first };
        Self::new(order.iter().map(|key| (Evaluator::new(&key.expr), option(key))).collect(), per_window, schema)
    }

    /// Sorts rows of `schema` by their places.
    pub fn by_place(per_window: bool, schema: &Schema) -> Self {
        Self::new(Vec::new(), per_window, schema)
    }

    fn new(order: Vec<(Evaluator, SortOptions)>, per_window: bool, schema: &Schema) -> Self {
        let mut held = schema.clone();
        let by = order.iter().enumerate();
        held.fields.extend(by.map(|(n, (by, _))| Field::new(format!("order {n}"), by.data_type())));
        Self {
            order,
            per_window,
            columns: schema.len(),
            schema: Arc::new(arrow_schema(&held)),
            held: BatchBuffer::for_schema(&held),
            keys: Vec::new(),
            oldest: None,
            output: BatchBuffer::for_schema(schema),
            taken: Vec::new(),
        }
    }

    /// The rows in their order.
    fn sorted(&self) -> Result<Vec<u32>> {
        let mut rows: Vec<u32> = (0..self.keys.len() as u32).collect();
        if self.order.is_empty() {
            rows.sort_by_key(|&row| self.keys[row as usize]);
            return Ok(rows);
        }
        let failed = |error: ArrowError| Error::Execution(format!("cannot sort the rows: {error}"));
        let batch: RecordBatch = self.held.to_record_batch(&self.schema);
        let column = |(column, options): (&ArrayRef, Option<SortOptions>)| {
            let plain = SortOptions { descending: false, nulls_first: false };
            SortColumn { values: orderly(column), options: options.or(Some(plain)) }
        };
        let by = self.order.iter().map(|(_, options)| Some(*options));
        let mut columns: Vec<SortColumn> = batch.columns()[self.columns..].iter().zip(by).map(column).collect();
        columns.extend(batch.columns()[..self.columns].iter().map(|values| column((values, None))));
        // Pairs of one row share its place: those stay as they came.
        let mut places: Vec<u32> = rows.clone();
        places.sort_by_key(|&row| self.keys[row as usize]);
        let mut rank = vec![0_u32; rows.len()];
        places.iter().zip(0..).for_each(|(&row, number)| rank[row as usize] = number);
        let rank: ArrayRef = Arc::new(arrow_array::UInt32Array::from(rank));
        columns.push(SortColumn { values: rank, options: None });
        Ok(lexsort_to_indices(&columns, None).map_err(failed)?.values().to_vec())
    }
}

impl Operator for Sorter {
    fn name(&self) -> &'static str {
        "order of OVER"
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("ORDER BY inside OVER", self.held.size_bytes() + self.keys.capacity() * size_of::<OrderKey>()))
    }

    fn oldest(&self) -> Option<OrderKey> {
        self.oldest
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let mut failures = super::expr::RowFailures::new(arena, batch.rows);
        let by = self
            .order
            .iter()
            .map(|(by, _)| by.evaluate(batch.columns, batch.rows, batch.selection, arena, &mut failures, context.simd));
        let mut columns = bumpalo::collections::Vec::with_capacity_in(batch.columns.len() + self.order.len(), arena);
        columns.extend(batch.columns.iter().copied());
        columns.extend(by);
        let batch = context.settle(batch, &failures, arena)?;
        self.held.append(&columns, batch.rows, batch.selection.list());
        batch.for_each(|i| self.keys.push(batch.key(i)));
        let least = self.keys[self.keys.len() - batch.selected()..].iter().min();
        self.oldest = self.oldest.iter().chain(least).min().copied();
        Ok(())
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        if self.keys.is_empty() || !(self.per_window || watermark == EventTime::MAX) {
            return Ok(());
        }
        // Of the time of the watermark itself more may come.
        let leaves = |key: &OrderKey| watermark == EventTime::MAX || key.time < watermark;
        if !self.keys.iter().any(leaves) {
            return Ok(());
        }
        let rows = self.sorted()?;
        let mut held = BatchBuffer::new(self.held.columns.iter().map(|column| column.data_type()));
        std::mem::swap(&mut held, &mut self.held);
        let keys = std::mem::take(&mut self.keys);
        let mut arena = Bump::new();
        let (left, kept): (Vec<u32>, Vec<u32>) = rows.into_iter().partition(|&row| leaves(&keys[row as usize]));
        self.held.append(held.views(&arena), held.len(), Some(&kept));
        self.keys.extend(kept.iter().map(|&row| keys[row as usize]));
        self.oldest = self.keys.iter().min().copied();
        held.columns.truncate(self.columns);
        for part in left.chunks(Self::BATCH_ROWS) {
            arena.reset();
            self.output.clear();
            self.output.append(held.views(&arena), held.len(), Some(part));
            self.taken.clear();
            self.taken.extend(part.iter().map(|&row| keys[row as usize]));
            // In the order of values places do not ascend; who sorts by place comes behind.
            let order = RowOrder::Keys(&self.taken);
            let columns = self.output.views(&arena);
            let batch = Batch { rows: part.len(), columns, selection: Selection::All, order };
            next(batch, &mut context.with_arena(&arena))?;
        }
        Ok(())
    }
}
