//! Joins each row with the rows of a table that have its key.
//!
//! Guarantees: a row's partners leave in table order, in the places of the row; a key with a NULL in it has no partner. Rows that
//! have one partner at most stay where they are: only the table's columns are gathered; else all columns are.

use std::sync::Arc;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, KeyedTable, RowOrder, Selection, gather};
use crate::error::Result;
use crate::plan::LookupNode;

use super::expr::Evaluator;
use super::project::evaluate_all;
use super::{Context, Next, Operator};

/// A join with a table that was read before the first row.
pub struct Lookup {
    table: Arc<KeyedTable>,
    keys: Vec<Evaluator>,
    columns: Vec<usize>,
    outer: bool,
    /// Whether a row without a partner counts as a filtered record.
    counts_records: bool,
    /// Places of a row that leaves.
    places: u32,
    /// Whether the table's memory, which all partitions share, is accounted for here.
    accounts: bool,
}

impl Lookup {
    /// For a node of a plan whose table has been read, of each of whose rows so many rows may come. Panics if it has not.
    pub fn new(node: &LookupNode, places: u32, counts_records: bool, accounts: bool) -> Self {
        let table = node.loaded.clone().expect("tables are read before the job is wired");
        let keys = node.keys.iter().map(|(key, _)| Evaluator::new(key)).collect();
        Self { table, keys, columns: node.columns.clone(), outer: node.outer, counts_records, places, accounts }
    }
}

/// The places of rows that come of `rows` of a batch, each with its number among those of one row; each has `places` of its own.
pub(super) fn order_of_copies<'a>(
    batch: &Batch<'_>,
    rows: &[u32],
    numbers: &[u32],
    places: u32,
    arena: &'a Bump,
) -> RowOrder<'a> {
    match batch.order {
        RowOrder::Chunk { sequence, .. } | RowOrder::Rows { sequence, .. } => {
            let place =
                |(&i, &number): (&u32, &u32)| batch.key(i as usize).row.saturating_add(number.saturating_mul(places));
            RowOrder::Rows { sequence, rows: arena.alloc_slice_fill_iter(rows.iter().zip(numbers).map(place)) }
        }
        // What comes of a group, or of a pair, is where that is.
        RowOrder::Keys(keys) => RowOrder::Keys(arena.alloc_slice_fill_iter(rows.iter().map(|&i| keys[i as usize]))),
    }
}

impl Operator for Lookup {
    fn name(&self) -> &'static str {
        "JOIN with a table"
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        self.accounts.then(|| ("the table of a JOIN", self.table.size_bytes()))
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, wanted) = evaluate_all(&self.keys, batch, arena, context)?;
        let table = &*self.table;
        let own = table.key_columns(arena);
        // The first partner of each row, of which only the selected count.
        let partners = arena.alloc_slice_fill_copy(batch.rows, table.null_row());
        let mut kept = BumpVec::with_capacity_in(batch.selected(), arena);
        let mut without = 0_u64;
        let mut repeated = false;
        batch.for_each(|i| {
            let found = table.find(own, wanted, i);
            if found != KeyedTable::END {
                partners[i] = found;
                repeated |= table.next(found) != KeyedTable::END;
                kept.push(i as u32);
            } else if self.outer {
                kept.push(i as u32);
            } else {
                without += 1;
            }
        });
        if self.counts_records {
            context.counts.filtered += without;
        }
        let kept = kept.into_bump_slice();
        if !repeated {
            let added = self.columns.iter().map(|&column| gather(&table.column(column), partners, arena));
            let columns = BumpVec::from_iter_in(batch.columns.iter().copied().chain(added), arena).into_bump_slice();
            let selection = if kept.len() == batch.rows { Selection::All } else { Selection::Rows(kept) };
            return next(Batch { columns, selection, ..batch }, context);
        }
        let mut left = BumpVec::with_capacity_in(kept.len(), arena);
        let mut right = BumpVec::with_capacity_in(kept.len(), arena);
        // Of the partners of one row the first is number 0.
        let mut numbers = BumpVec::with_capacity_in(kept.len(), arena);
        for &i in kept {
            let mut partner = partners[i as usize];
            for number in 0_u32.. {
                left.push(i);
                right.push(partner);
                numbers.push(number);
                if partner == table.null_row() {
                    break;
                }
                partner = table.next(partner);
                if partner == KeyedTable::END {
                    break;
                }
            }
        }
        let (left, right) = (left.into_bump_slice(), right.into_bump_slice());
        let passed = batch.columns.iter().map(|column| gather(column, left, arena));
        let added = self.columns.iter().map(|&column| gather(&table.column(column), right, arena));
        let columns = BumpVec::from_iter_in(passed.chain(added), arena).into_bump_slice();
        let order = order_of_copies(&batch, left, &numbers, self.places, arena);
        next(Batch { rows: left.len(), columns, selection: Selection::All, order }, context)
    }
}
