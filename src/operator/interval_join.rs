//! Joins two streams whose rows have equal keys and event times that are not far apart.
//!
//! Rows of both sides arrive in one sequence, ascending in event time, and say which side they are of. Each looks for partners
//! among the rows of the other side that came before it, and waits for those that come after it until event time has passed the
//! last that could. A pair leaves in the place of its later row; a row without a partner, where it is wanted, right after
//! the last time at which one could have come. What is held is what lies within the bounds of the join.
//!
//! Costs a table look-up a row and side, and a copy of the row; memory of rows that are over is given back when they are
//! half of all, so that each is moved once or twice.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, Column, ColumnBuffer, KeyChains, RowOrder, Selection, gather};
use crate::error::Result;
use crate::kernel::Simd;
use crate::plan::{IntervalJoinNode, SourceInput};
use crate::types::{DataType, EventTime, OrderKey, Schema};

use super::expr::Evaluator;
use super::project::evaluate_all;
use super::residual::Residual;
use super::{Context, Next, Operator};

/// Rows of one side. Row 0 is all NULL: the partner of rows that have none.
struct Side {
    rows: BatchBuffer,
    /// Columns of `rows` that are the key, behind those that leave.
    keys: Vec<usize>,
    times: Vec<i64>,
    matched: Vec<bool>,
    chains: KeyChains,
    /// Rows before this one are over.
    live: usize,
    /// How long after a row's time a partner may come, in microseconds.
    waits_us: i64,
    /// Whether rows without a partner leave.
    outer: bool,
}

impl Side {
    /// Rows that are over before memory is given back. Any value is correct.
    const OVER_MIN: usize = 256;

    fn new(columns: &[DataType], keys: &[DataType], waits_us: i64, outer: bool) -> Self {
        let mut rows = BatchBuffer::new(columns.iter().chain(keys).copied());
        rows.columns.iter_mut().for_each(ColumnBuffer::push_null);
        rows.rows_pushed(1);
        Self {
            rows,
            keys: (columns.len()..columns.len() + keys.len()).collect(),
            times: vec![i64::MIN],
            matched: vec![true],
            chains: KeyChains::new(1),
            live: 1,
            waits_us,
            outer,
        }
    }

    /// The last time at which a partner of a row can come.
    fn deadline(&self, row: usize) -> i64 {
        self.times[row].saturating_add(self.waits_us.max(0))
    }

    /// The deadline of the oldest row, if it is over before `now`.
    fn over(&self, now: i64, end: usize) -> Option<i64> {
        (self.live < end).then(|| self.deadline(self.live)).filter(|&deadline| deadline < now)
    }

    /// Gives back the memory of rows that are over, if they are many.
    fn compact(&mut self) {
        let over = self.live - 1;
        if over < Self::OVER_MIN || over * 2 < self.rows.len() {
            return;
        }
        let mut rows = BatchBuffer::new(self.rows.columns.iter().map(ColumnBuffer::data_type));
        rows.append_range(&self.rows, 0, 1);
        rows.append_range(&self.rows, self.live, self.rows.len());
        self.rows = rows;
        self.times.drain(1..self.live);
        self.matched.drain(1..self.live);
        self.live = 1;
        self.chains = KeyChains::new(self.rows.len());
        let columns: Vec<Column<'_>> = self.keys.iter().map(|&key| self.rows.columns[key].column()).collect();
        for row in 1..self.rows.len() {
            self.chains.insert(&columns, row);
        }
    }

    fn held_bytes(&self) -> usize {
        self.rows.size_bytes() + self.times.capacity() * 8 + self.matched.capacity() + self.chains.size_bytes()
    }
}

/// The join.
pub struct IntervalJoin {
    /// The left key, then the right key.
    exprs: Vec<Evaluator>,
    sides: [Side; 2],
    /// Columns of the input that are the left side's; those behind are the right side's.
    left: usize,
    lower_us: i64,
    upper_us: i64,
    /// What else must be true of a pair.
    residual: Option<Residual>,
    scratch: Bump,
}

/// Rows that leave: the row of each side and the place.
struct Pairs<'a> {
    left: BumpVec<'a, u32>,
    right: BumpVec<'a, u32>,
    keys: BumpVec<'a, OrderKey>,
}

impl Pairs<'_> {
    fn push(&mut self, side: usize, row: usize, partner: usize, key: OrderKey) {
        let (left, right) = if side == 0 { (row, partner) } else { (partner, row) };
        self.left.push(left as u32);
        self.right.push(right as u32);
        self.keys.push(key);
    }
}

impl IntervalJoin {
    const FIRST: usize = IntervalJoinNode::FIRST;

    /// For a node of a plan whose input is `schema`.
    pub fn new(node: &IntervalJoinNode, schema: &Schema) -> Self {
        let types: Vec<DataType> = schema.fields[Self::FIRST..].iter().map(|field| field.data_type).collect();
        let (left, right) = types.split_at(node.left_columns);
        let keys: Vec<DataType> = node.keys.iter().map(|(key, _)| key.data_type).collect();
        let exprs = node.keys.iter().map(|(key, _)| key).chain(node.keys.iter().map(|(_, key)| key));
        // The right row comes up to `upper` after the left one, so the left one up to `-lower` after the right one.
        Self {
            exprs: exprs.map(Evaluator::new).collect(),
            sides: [
                Side::new(left, &keys, node.upper_us, node.left_outer),
                Side::new(right, &keys, node.lower_us.saturating_neg(), node.right_outer),
            ],
            left: node.left_columns,
            lower_us: node.lower_us,
            upper_us: node.upper_us,
            residual: node.residual.as_ref().map(Residual::new),
            scratch: Bump::new(),
        }
    }

    /// Lets rows go whose last partner would have come before `now`; `ends` are the rows of each side that have come so far.
    fn expire(sides: &mut [Side; 2], now: i64, ends: [usize; 2], pairs: &mut Pairs<'_>) {
        loop {
            let over = [sides[0].over(now, ends[0]), sides[1].over(now, ends[1])];
            let (side, deadline) = match over {
                [Some(left), Some(right)] if right < left => (1, right),
                [Some(left), _] => (0, left),
                [None, Some(right)] => (1, right),
                [None, None] => return,
            };
            let own = &mut sides[side];
            let row = own.live;
            own.live += 1;
            if own.outer && !own.matched[row] {
                // Before every row of the time that follows.
                let time = EventTime(deadline.saturating_add(1));
                pairs.push(side, row, 0, OrderKey { time, ..OrderKey::MIN });
            }
        }
    }

    /// The columns that leave.
    fn columns<'a>(&'a self, pairs: &Pairs<'_>, arena: &'a Bump) -> BumpVec<'a, Column<'a>> {
        let [left, right] = &self.sides;
        let right_columns = right.rows.columns.len() - right.keys.len();
        let left = left.rows.columns[..self.left].iter().map(|c| gather(&c.column(), &pairs.left, arena));
        let right = right.rows.columns[..right_columns].iter().map(|c| gather(&c.column(), &pairs.right, arena));
        BumpVec::from_iter_in(left.chain(right), arena)
    }

    /// Drops pairs of which the residual is not true, and those without a partner that had one.
    fn settled<'a>(&mut self, found: Pairs<'a>, arena: &'a Bump, simd: Simd) -> Result<Pairs<'a>> {
        let Some(residual) = self.residual.as_ref().filter(|_| !found.keys.is_empty()) else { return Ok(found) };
        let passing = residual.passing(&self.columns(&found, arena), found.keys.len(), arena, simd)?;
        let mut kept = pairs(arena);
        let [left, right] = &mut self.sides;
        for (i, &key) in found.keys.iter().enumerate() {
            let rows = (found.left[i] as usize, found.right[i] as usize);
            let leaves = match rows {
                (row, 0) => !left.matched[row],
                (0, row) => !right.matched[row],
                (row, partner) => {
                    left.matched[row] |= passing[i];
                    right.matched[partner] |= passing[i];
                    passing[i]
                }
            };
            if leaves {
                kept.push(0, rows.0, rows.1, key);
            }
        }
        Ok(kept)
    }

    fn emit(&self, pairs: Pairs<'_>, arena: &Bump, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        if pairs.keys.is_empty() {
            return Ok(());
        }
        let columns = self.columns(&pairs, arena);
        let order = RowOrder::Keys(&pairs.keys);
        let batch = Batch { rows: pairs.keys.len(), columns: &columns, selection: Selection::All, order };
        let mut inner = context.with_arena(arena);
        inner.rows_are_records = false;
        next(batch, &mut inner)
    }
}

fn pairs(arena: &Bump) -> Pairs<'_> {
    Pairs { left: BumpVec::new_in(arena), right: BumpVec::new_in(arena), keys: BumpVec::new_in(arena) }
}

impl Operator for IntervalJoin {
    fn name(&self) -> &'static str {
        "JOIN"
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("JOIN", self.sides.iter().map(Side::held_bytes).sum()))
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, keys) = evaluate_all(&self.exprs, batch, arena, context)?;
        let of_side = batch.columns[SourceInput::NUMBER].int32();
        let times = batch.columns[SourceInput::EVENT_TIME].int64();
        // All rows go to their side first; they are found only once their turn has come.
        let mut ends = [self.sides[0].rows.len(), self.sides[1].rows.len()];
        for (number, side) in self.sides.iter_mut().enumerate() {
            let mut rows = BumpVec::new_in(arena);
            batch.for_each(|i| {
                if of_side[i] as usize == number {
                    rows.push(i as u32);
                }
            });
            let half = keys.len() / 2;
            let own = match number {
                0 => &batch.columns[Self::FIRST..Self::FIRST + self.left],
                _ => &batch.columns[Self::FIRST + self.left..],
            };
            let mut columns = BumpVec::with_capacity_in(own.len() + half, arena);
            columns.extend(own.iter().chain(&keys[number * half..(number + 1) * half]).copied());
            side.rows.append(&columns, batch.rows, Some(&rows));
            side.times.extend(rows.iter().map(|&row| times[row as usize]));
            side.matched.resize(side.rows.len(), false);
        }
        let scratch = std::mem::take(&mut self.scratch);
        let mut found = pairs(&scratch);
        // Lent out while the rest of the sides changes.
        let rows = [0, 1].map(|number| std::mem::replace(&mut self.sides[number].rows, BatchBuffer::new([])));
        {
            let Self { sides, lower_us, upper_us, residual, .. } = self;
            let views = [0, 1].map(|number: usize| {
                let columns = sides[number].keys.iter().map(|&key| rows[number].columns[key].column());
                &*arena.alloc_slice_fill_iter(columns)
            });
            for (side, rows) in sides.iter_mut().zip(&rows) {
                side.chains.grow(rows.len());
            }
            let mut partners: BumpVec<'_, u32> = BumpVec::new_in(arena);
            batch.for_each(|i| {
                let (number, now) = (of_side[i] as usize, times[i]);
                Self::expire(sides, now, ends, &mut found);
                let row = ends[number];
                ends[number] += 1;
                partners.clear();
                let [left, right] = &mut *sides;
                let (own, other) = if number == 0 { (left, right) } else { (right, left) };
                own.chains.insert(views[number], row);
                let mut partner = other.chains.find(views[1 - number], views[number], row);
                // From the youngest on; those behind one that is over are over, too.
                while partner != KeyChains::END && partner as usize >= other.live {
                    let time = other.times[partner as usize];
                    let ahead_us = if number == 0 { time.saturating_sub(now) } else { now.saturating_sub(time) };
                    if (*lower_us..=*upper_us).contains(&ahead_us) {
                        partners.push(partner);
                    }
                    partner = other.chains.next(partner);
                }
                let key = batch.key(i);
                for &partner in partners.iter().rev() {
                    found.push(number, row, partner as usize, key);
                    // With a residual it shows later which of them are pairs.
                    other.matched[partner as usize] |= residual.is_none();
                    own.matched[row] |= residual.is_none();
                }
            });
        }
        for (side, rows) in self.sides.iter_mut().zip(rows) {
            side.rows = rows;
        }
        let found = self.settled(found, &scratch, context.simd);
        let result = found.and_then(|found| self.emit(found, &scratch, context, next));
        self.scratch = scratch;
        self.scratch.reset();
        self.sides.iter_mut().for_each(Side::compact);
        result
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let ends = [self.sides[0].rows.len(), self.sides[1].rows.len()];
        let scratch = std::mem::take(&mut self.scratch);
        let mut over = pairs(&scratch);
        Self::expire(&mut self.sides, watermark.0, ends, &mut over);
        let result = self.emit(over, &scratch, context, next);
        self.scratch = scratch;
        self.scratch.reset();
        self.sides.iter_mut().for_each(Side::compact);
        result
    }
}
