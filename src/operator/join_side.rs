//! One side of a join of streams: rows that wait for the watermark, and behind it those that partners may still come for.
//!
//! Rows that were released stand in columns, ascending in event time. Each has a number, counted on for ever, whose lower 32 bits
//! name it; the number of the next older row of its key hangs on it. Rows that are over are dropped from the front once they are
//! half of all: nothing is hashed again, and no memory is taken.

use bumpalo::Bump;

use crate::batch::{Batch, BatchBuffer, Column, ColumnBuffer, Selection};
use crate::error::Result;
use crate::plan::{Expr, ExprKind};
use crate::types::{DataType, EventTime, OrderKey};

use super::Context;
use super::expr::Evaluator;
use super::join_keys::KeyWords;
use super::project::evaluate_all;
use super::waiting::WaitingRows;

/// What a partner needs to know of a released row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Its event time.
    pub(super) time: i64,
    /// Number of the next older row of its key.
    pub(super) older: u32,
    /// Whether it has had a partner.
    pub(super) matched: bool,
}

/// The columns of a side in the input of the join, and its key.
pub(super) struct SideColumns {
    /// The first column in the input.
    first: usize,
    /// Types of the columns, computed keys included.
    types: Vec<DataType>,
    /// Keys that are not columns.
    computed: Vec<Evaluator>,
    /// Columns that are the key; those that are computed stand behind the others.
    keys: Vec<usize>,
}

impl SideColumns {
    /// Of columns that start at `first`, with the key `keys`, over the input.
    pub(super) fn new(first: usize, types: &[DataType], keys: impl Iterator<Item = Expr>) -> Self {
        let (mut types, mut computed) = (types.to_vec(), Vec::new());
        let own = types.len();
        let keys = keys.map(|key| match key.kind {
            ExprKind::Column(column) => column - first,
            _ => {
                types.push(key.data_type);
                computed.push(Evaluator::new(&key));
                own + computed.len() - 1
            }
        });
        let keys = keys.collect();
        Self { first, types, computed, keys }
    }

    /// Views of the key columns of `rows`.
    pub(super) fn keys<'a>(&self, rows: &'a BatchBuffer, arena: &'a Bump) -> &'a [Column<'a>] {
        arena.alloc_slice_fill_iter(self.keys.iter().map(|&key| rows.columns[key].column()))
    }

    /// Columns that leave.
    fn leaving(&self) -> usize {
        self.types.len() - self.computed.len()
    }
}

/// The side.
pub(super) struct Side {
    pub(super) columns: SideColumns,
    waiting: WaitingRows,
    /// Released rows.
    pub(super) rows: BatchBuffer,
    order: Vec<OrderKey>,
    pub(super) links: Vec<Link>,
    /// Words of the keys of the rows that were released last, and which of them have none.
    words: Vec<u64>,
    nulls: Vec<u32>,
    /// The first row that was released last.
    staged: usize,
    /// The row whose turn it is.
    pub(super) turn: usize,
    /// Rows before this one are over.
    live: usize,
    /// Number of row 0.
    base: u32,
    /// One row of NULLs, to gather from where there is no row.
    null: BatchBuffer,
    /// How long after a row's time a partner may come, in microseconds.
    waits_us: i64,
    /// Whether rows without a partner leave.
    pub(super) outer: bool,
}

impl Side {
    /// Rows that are over before memory is given back; a multiple of 64. Any such value is correct.
    const OVER_MIN: usize = 64;
    /// Rows released at a time. Any value is correct.
    const STAGED_ROWS: usize = 4096;

    /// No rows.
    pub(super) fn new(columns: SideColumns, waits_us: i64, outer: bool) -> Self {
        let mut null = BatchBuffer::new(columns.types.iter().copied());
        null.columns.iter_mut().for_each(ColumnBuffer::push_null);
        null.rows_pushed(1);
        Self {
            waiting: WaitingRows::new(columns.types.clone()),
            rows: BatchBuffer::new(columns.types.iter().copied()),
            columns,
            order: Vec::new(),
            links: Vec::new(),
            words: Vec::new(),
            nulls: Vec::new(),
            staged: 0,
            turn: 0,
            live: 0,
            base: 0,
            null,
            waits_us: waits_us.max(0),
            outer,
        }
    }

    /// Takes the rows of a batch in, all of which are of this side.
    pub(super) fn push(&mut self, batch: Batch<'_>, times: &[i64], context: &mut Context<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, computed) = evaluate_all(&self.columns.computed, batch, arena, context)?;
        let own = &batch.columns[self.columns.first..][..self.columns.leaving()];
        let columns = match computed {
            [] => own,
            _ => {
                let mut columns = bumpalo::collections::Vec::with_capacity_in(own.len() + computed.len(), arena);
                columns.extend(own.iter().chain(computed).copied());
                columns.into_bump_slice()
            }
        };
        let key = |i: usize| OrderKey { time: EventTime(times[i]), stage: 0, ..batch.key(i) };
        self.waiting.push(columns, batch.rows, batch.selection.list(), key);
        Ok(())
    }

    /// Releases rows before `watermark`, unless some of those released have not had their turn; true if there are more.
    pub(super) fn stage(&mut self, watermark: EventTime, words: &KeyWords, arena: &Bump) -> bool {
        let ready = self.waiting.ready(watermark);
        if self.turn < self.rows.len() {
            return ready > 0;
        }
        let count = ready.min(Self::STAGED_ROWS);
        self.staged = self.rows.len();
        self.words.clear();
        self.nulls.clear();
        if count == 0 {
            return false;
        }
        self.waiting.take(count, arena, &mut self.rows, &mut self.order);
        let link = |key: &OrderKey| Link { time: key.time.0, older: 0, matched: false };
        self.links.extend(self.order[self.staged..].iter().map(link));
        let columns = self.columns.keys(&self.rows, arena);
        words.append(columns, self.staged..self.rows.len(), &mut self.words, &mut self.nulls);
        ready > count
    }

    /// Whether a row before `watermark` has not had its turn.
    pub(super) fn is_behind(&self, watermark: EventTime) -> bool {
        self.turn < self.order.len() || self.waiting.ready(watermark) > 0
    }

    /// The place of the row whose turn it is, if there is one.
    pub(super) fn next(&self) -> Option<OrderKey> {
        self.order.get(self.turn).copied()
    }

    /// The word of the key of a row that was released last; `None` if a part of it is NULL.
    pub(super) fn word(&self, row: usize) -> Option<u64> {
        let index = row - self.staged;
        let is_null = !self.nulls.is_empty() && self.nulls.binary_search(&(index as u32)).is_ok();
        (!is_null).then(|| self.words[index])
    }

    /// The number of a row.
    pub(super) fn number(&self, row: usize) -> u32 {
        self.base.wrapping_add(row as u32)
    }

    /// A number that no row has.
    pub(super) fn no_number(&self) -> u32 {
        self.base.wrapping_sub(1)
    }

    /// The row of a number, if it is still there.
    pub(super) fn row(&self, number: u32) -> Option<usize> {
        let row = number.wrapping_sub(self.base) as usize;
        (row < self.links.len()).then_some(row)
    }

    /// The last time at which a partner of the oldest row can come, if that row has had its turn, with the row's place.
    pub(super) fn due(&self) -> Option<OrderKey> {
        let key = self.order[..self.turn].get(self.live)?;
        Some(OrderKey { time: EventTime(key.time.0.saturating_add(self.waits_us)), ..*key })
    }

    /// Lets the oldest row go; returns it, with what it was due, if it never had a partner.
    pub(super) fn expire(&mut self) -> Option<(usize, OrderKey)> {
        let (due, row) = (self.due()?, self.live);
        self.live += 1;
        (!self.links[row].matched).then_some((row, due))
    }

    /// Lets all rows go that are over before `now`, without a look at them.
    pub(super) fn skip_over(&mut self, now: i64) {
        let had_turn = &self.links[self.live..self.turn];
        self.live += had_turn.partition_point(|link| link.time.saturating_add(self.waits_us) < now);
    }

    /// Drops rows that are over, if they are many; true if any went. `keys` is how many there is room for, which are
    /// looked at then.
    pub(super) fn drop_over(&mut self, keys: usize) -> bool {
        let over = self.live & !63;
        if over < Self::OVER_MIN.max(self.rows.len() / 2).max(keys / 2) {
            return false;
        }
        self.rows.drop_front(over);
        self.order.drain(..over);
        self.links.drain(..over);
        self.base = self.base.wrapping_add(over as u32);
        self.live -= over;
        self.turn -= over;
        // Words are counted from the first row that was released last.
        let words = over.saturating_sub(self.staged);
        self.words.drain(..words);
        self.nulls.retain_mut(|null| match null.checked_sub(words as u32) {
            Some(left) => {
                *null = left;
                true
            }
            None => false,
        });
        self.staged = self.staged.saturating_sub(over);
        true
    }

    /// The columns of `rows`, those released, that leave; one row of NULLs if there is none.
    pub(super) fn leaving<'a>(&'a self, rows: &'a BatchBuffer) -> impl Iterator<Item = Column<'a>> {
        let rows = if rows.is_empty() { &self.null } else { rows };
        rows.columns[..self.columns.leaving()].iter().map(ColumnBuffer::column)
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let plain = self.order.capacity() * size_of::<OrderKey>() + self.links.capacity() * size_of::<Link>();
        self.waiting.held_bytes() + self.rows.size_bytes() + plain
    }
}

/// The rows of `batch` that are of side `number`; `None` if there are none.
pub(super) fn of_side<'a>(batch: Batch<'a>, sides: &[i32], number: usize, arena: &'a Bump) -> Option<Batch<'a>> {
    let is_own = |i: usize| sides[i] as usize == number;
    // A chunk is of one side, and so are the rows that came of it.
    let (mut own, mut all) = (0, 0);
    batch.for_each(|i| {
        own += usize::from(is_own(i));
        all += 1;
    });
    match own {
        0 => None,
        _ if own == all => Some(batch),
        _ => {
            let mut rows = bumpalo::collections::Vec::with_capacity_in(own, arena);
            batch.for_each(|i| {
                if is_own(i) {
                    rows.push(i as u32);
                }
            });
            Some(Batch { selection: Selection::Rows(rows.into_bump_slice()), ..batch })
        }
    }
}
