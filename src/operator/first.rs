//! Passes the first row of each key on, and again one that comes long enough after it.
//!
//! Rows arrive ascending in event time. One leaves if none of its key left within the time that state is kept before it. So
//! what is held are the keys of the rows that left within that time. Rows leave where they are; nothing but keys is copied.

use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, Column, ColumnBuffer, KeyChains, Selection};
use crate::error::Result;
use crate::plan::FirstNode;

use super::expr::Evaluator;
use super::project::evaluate_all;
use super::{Context, Next, Operator};

/// Drops repetitions.
pub struct First {
    column: usize,
    exprs: Vec<Evaluator>,
    ttl_us: i64,
    /// Keys of rows that left, and when, ascending in time.
    keys: BatchBuffer,
    times: Vec<i64>,
    chains: KeyChains,
    /// Whether a row left; others are repetitions within one batch.
    left: Vec<bool>,
    /// Rows before this one are forgotten.
    live: usize,
    /// Rows that are forgotten or did not leave.
    unused: usize,
}

impl First {
    /// Rows that are not used before memory is given back. Any value is correct.
    const UNUSED_MIN: usize = 256;

    /// For a node of a plan; a key is forgotten after `state_ttl_us`, or never.
    pub fn new(node: &FirstNode, state_ttl_us: Option<i64>) -> Self {
        Self {
            column: node.column,
            exprs: node.keys.iter().map(Evaluator::new).collect(),
            ttl_us: state_ttl_us.unwrap_or(i64::MAX),
            keys: BatchBuffer::new(node.keys.iter().map(|key| key.data_type)),
            times: Vec::new(),
            chains: KeyChains::new(0),
            left: Vec::new(),
            live: 0,
            unused: 0,
        }
    }

    fn columns(&self) -> Vec<Column<'_>> {
        self.keys.columns.iter().map(ColumnBuffer::column).collect()
    }

    /// Whether a row of the key that stands in row `i` of `wanted` left not long before `now`.
    fn repeats(&self, held: &[Column<'_>], wanted: &[Column<'_>], i: usize, now: i64) -> bool {
        let found = self.chains.find(held, wanted, i);
        found != KeyChains::END && now.saturating_sub(self.times[found as usize]) < self.ttl_us
    }

    /// Gives back the memory of rows that are not used, if they are many.
    fn compact(&mut self) {
        if self.unused < Self::UNUSED_MIN || self.unused * 2 < self.keys.len() {
            return;
        }
        let kept: Vec<u32> = (self.live..self.keys.len()).filter(|&row| self.left[row]).map(|row| row as u32).collect();
        let mut keys = BatchBuffer::new(self.keys.columns.iter().map(ColumnBuffer::data_type));
        keys.append(&self.columns(), self.keys.len(), Some(&kept));
        self.times = kept.iter().map(|&row| self.times[row as usize]).collect();
        self.keys = keys;
        self.left = vec![true; kept.len()];
        (self.live, self.unused) = (0, 0);
        let mut chains = KeyChains::new(kept.len());
        let columns = self.columns();
        (0..kept.len()).for_each(|row| chains.insert(&columns, row));
        drop(columns);
        self.chains = chains;
    }
}

impl Operator for First {
    fn state(&self) -> Option<(&'static str, usize)> {
        let bytes = self.keys.size_bytes() + self.chains.size_bytes() + self.times.capacity() * 8;
        Some(("DISTINCT", bytes))
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, keys) = evaluate_all(&self.exprs, batch, arena, context)?;
        let times = batch.columns[self.column].int64();
        // What is no repetition of a row before the batch joins the keys; of those that come twice in it one leaves.
        let mut new = BumpVec::with_capacity_in(batch.selected(), arena);
        {
            let held = self.columns();
            batch.for_each(|i| {
                if !self.repeats(&held, keys, i, times[i]) {
                    new.push(i as u32);
                }
            });
        }
        let first = self.keys.len();
        self.keys.append(keys, batch.rows, Some(&new));
        self.times.extend(new.iter().map(|&i| times[i as usize]));
        self.chains.grow(self.times.len());
        self.left.resize(self.times.len(), false);
        let mut leaving = BumpVec::with_capacity_in(new.len(), arena);
        // Lent out while the chains change.
        let held = std::mem::replace(&mut self.keys, BatchBuffer::new([]));
        let columns: Vec<Column<'_>> = held.columns.iter().map(ColumnBuffer::column).collect();
        for (row, &i) in (first..).zip(&new) {
            if !self.repeats(&columns, keys, i as usize, times[i as usize]) {
                self.chains.insert(&columns, row);
                self.left[row] = true;
                leaving.push(i);
            }
        }
        drop(columns);
        self.keys = held;
        self.unused += new.len() - leaving.len();
        if let Some(&now) = self.times.last() {
            while self.live < self.times.len() && now.saturating_sub(self.times[self.live]) >= self.ttl_us {
                self.unused += usize::from(self.left[self.live]);
                self.live += 1;
            }
        }
        let result = match leaving.is_empty() {
            true => Ok(()),
            false => next(Batch { selection: Selection::Rows(&leaving), ..batch }, context),
        };
        self.compact();
        result
    }
}
