//! Joins each row with the version of its key that held at its time.
//!
//! Rows of both sides arrive ascending in event time, a version before the rows of its moment. So the version that holds for
//! a row is the one that came last, and one version of each key is all that is kept. A row leaves in its own place.
//!
//! Costs a table look-up a row; memory of versions that others have followed is given back when they are half of all.

use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, Column, ColumnBuffer, KeyChains, RowOrder, Selection, gather};
use crate::error::Result;
use crate::plan::{AsOfNode, IntervalJoinNode, SourceInput};
use crate::types::{DataType, OrderKey, Schema};

use super::expr::Evaluator;
use super::project::evaluate_all;
use super::{Context, Next, Operator};

/// The join.
pub struct AsOf {
    /// The left key, then the right key.
    exprs: Vec<Evaluator>,
    left: usize,
    outer: bool,
    /// Versions: the right columns, then the key. Row 0 is all NULL: the version of rows that have none.
    versions: BatchBuffer,
    chains: KeyChains,
    /// Whether a version still holds.
    holds: Vec<bool>,
    /// Versions that do not.
    over: usize,
}

impl AsOf {
    /// Versions that are over before memory is given back. Any value is correct.
    const OVER_MIN: usize = 256;

    /// For a node of a plan whose input is `schema`.
    pub fn new(node: &AsOfNode, schema: &Schema) -> Self {
        let right = schema.fields[IntervalJoinNode::FIRST + node.left_columns..].iter().map(|field| field.data_type);
        let keys = node.keys.iter().map(|(key, _)| key.data_type);
        let exprs = node.keys.iter().map(|(key, _)| key).chain(node.keys.iter().map(|(_, key)| key));
        Self {
            exprs: exprs.map(Evaluator::new).collect(),
            left: node.left_columns,
            outer: node.outer,
            versions: none_of(right.chain(keys)),
            chains: KeyChains::new(1),
            holds: vec![true],
            over: 0,
        }
    }

    /// Views of the keys of all versions.
    fn keys(versions: &BatchBuffer, width: usize) -> Vec<Column<'_>> {
        let first = versions.columns.len() - width;
        versions.columns[first..].iter().map(ColumnBuffer::column).collect()
    }

    /// Gives back the memory of versions that are over, if they are many.
    fn compact(&mut self) {
        if self.over < Self::OVER_MIN || self.over * 2 < self.versions.len() {
            return;
        }
        let held = &self.holds;
        let kept: Vec<u32> = (1..self.versions.len()).filter(|&row| held[row]).map(|row| row as u32).collect();
        let mut versions = none_of(self.versions.columns.iter().map(ColumnBuffer::data_type));
        let columns: Vec<Column<'_>> = self.versions.columns.iter().map(ColumnBuffer::column).collect();
        versions.append(&columns, self.versions.len(), Some(&kept));
        self.versions = versions;
        self.chains = KeyChains::new(self.versions.len());
        let keys = Self::keys(&self.versions, self.exprs.len() / 2);
        (1..self.versions.len()).for_each(|row| self.chains.insert(&keys, row));
        self.holds = vec![true; self.versions.len()];
        self.over = 0;
    }
}

/// One row that is all NULL.
fn none_of(types: impl Iterator<Item = DataType>) -> BatchBuffer {
    let mut rows = BatchBuffer::new(types);
    rows.columns.iter_mut().for_each(ColumnBuffer::push_null);
    rows.rows_pushed(1);
    rows
}

impl Operator for AsOf {
    fn state(&self) -> Option<(&'static str, usize)> {
        let bytes = self.versions.size_bytes() + self.chains.size_bytes() + self.holds.capacity();
        Some(("the versions of a JOIN", bytes))
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, keys) = evaluate_all(&self.exprs, batch, arena, context)?;
        let (wanted, offered) = keys.split_at(keys.len() / 2);
        let of_side = batch.columns[SourceInput::NUMBER].int32();
        let columns = &batch.columns[IntervalJoinNode::FIRST..];
        // All versions go to the others first; they are found only once their turn has come. A key with a NULL is no key.
        let mut added = BumpVec::new_in(arena);
        let is_version = |i: usize| of_side[i] == 1 && offered.iter().all(|key| key.is_valid(i));
        batch.for_each(|i| {
            if is_version(i) {
                added.push(i as u32);
            }
        });
        let mut version = self.versions.len();
        let own = BumpVec::from_iter_in(columns[self.left..].iter().chain(offered).copied(), arena);
        self.versions.append(&own, batch.rows, Some(&added));
        self.chains.grow(self.versions.len());
        self.holds.resize(self.versions.len(), true);
        let known = Self::keys(&self.versions, offered.len());
        let mut left = BumpVec::with_capacity_in(batch.selected(), arena);
        let mut right = BumpVec::with_capacity_in(batch.selected(), arena);
        let mut places = BumpVec::with_capacity_in(batch.selected(), arena);
        batch.for_each(|i| {
            if is_version(i) {
                self.chains.insert(&known, version);
                let before = self.chains.next(version as u32);
                if before != KeyChains::END {
                    self.holds[before as usize] = false;
                    self.over += 1;
                }
                version += 1;
            } else if of_side[i] == 0 {
                let found = self.chains.find(&known, wanted, i);
                if found != KeyChains::END || self.outer {
                    left.push(i as u32);
                    right.push(if found == KeyChains::END { 0 } else { found });
                    places.push(OrderKey { stage: 0, ..batch.key(i) });
                }
            }
        });
        if !left.is_empty() {
            let passed = columns[..self.left].iter().map(|column| gather(column, &left, arena));
            let count = self.versions.columns.len() - offered.len();
            let versions = self.versions.columns[..count].iter().map(|c| gather(&c.column(), &right, arena));
            let columns = BumpVec::from_iter_in(passed.chain(versions), arena);
            let order = RowOrder::Keys(&places);
            let pairs = Batch { rows: left.len(), columns: &columns, selection: Selection::All, order };
            let mut inner = context.with_arena(arena);
            inner.rows_are_records = false;
            next(pairs, &mut inner)?;
        }
        self.compact();
        Ok(())
    }
}
