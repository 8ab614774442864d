//! Joins two streams whose rows have equal keys and event times that are not far apart.
//!
//! Rows of each side wait for the watermark; behind it both sides are met in one sequence, ascending in event time. Each row looks
//! for partners among those of the other side that came before it, and stays for those that come after it until event time has
//! passed the last that could. A pair leaves in the place of its later row; a row without a partner, where it is wanted, right
//! after the last time at which one could have come, before all pairs of the time that follows. What is held is what lies within
//! the bounds of the join and of the watermark.
//!
//! Costs a table look-up a row, a step along the rows of its key for each partner and each row that came too late for it, and
//! two copies of the row, by column; rows that are over are dropped in bulk. In steady state it takes no memory.

use std::ops::Range;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, Column, RowOrder, Selection, gather, keys_equal, words_for};
use crate::error::Result;
use crate::plan::{IntervalJoinNode, SourceInput};
use crate::types::{DataType, EventTime, OrderKey, Schema};

use super::join_keys::{KeyHeads, KeyWords};
use super::join_side::{Link, Side, SideColumns, of_side};
use super::residual::Residual;
use super::{Context, Next, Operator};

/// Rows that leave: the row of each side, or [`Self::ABSENT`], and the place.
#[derive(Default)]
struct Pairs {
    rows: [Vec<u32>; 2],
    keys: Vec<OrderKey>,
}

impl Pairs {
    /// No row.
    const ABSENT: u32 = u32::MAX;
    /// Rows gathered before they leave. Any value is correct.
    const ROWS: usize = 4096;

    /// A row without a partner.
    fn push_alone(&mut self, side: usize, row: usize, deadline: OrderKey) {
        self.rows[side].push(row as u32);
        self.rows[1 - side].push(Self::ABSENT);
        self.keys.push(OrderKey { time: EventTime(deadline.time.0.saturating_add(1)), ..deadline });
    }

    /// Which of the rows in `range`, counted from its start, have a partner.
    fn met<'a>(&self, range: Range<usize>, arena: &'a Bump) -> Selection<'a> {
        let [left, right] = self.rows.each_ref().map(|rows| &rows[range.clone()]);
        let is_alone = |row: usize| left[row] == Self::ABSENT || right[row] == Self::ABSENT;
        if !(0..range.len()).any(is_alone) {
            return Selection::All;
        }
        let met = (0..range.len()).filter(|&row| !is_alone(row)).map(|row| row as u32);
        Selection::Rows(BumpVec::from_iter_in(met, arena).into_bump_slice())
    }

    /// Which of the rows in `range`, counted from its start, leave if the residual is true of those that are `passing`: those
    /// with a partner of which it is, and those without that never had one. The rows before must have been settled.
    fn settled<'a>(
        &self,
        range: Range<usize>,
        passing: &[bool],
        links: &mut [Vec<Link>; 2],
        arena: &'a Bump,
    ) -> &'a [u32] {
        let mut leaving = BumpVec::with_capacity_in(range.len(), arena);
        let [left, right] = links;
        for (number, &passes) in passing.iter().enumerate() {
            let leaves = match self.rows.each_ref().map(|rows| rows[range.start + number]) {
                [row, Self::ABSENT] => !left[row as usize].matched,
                [Self::ABSENT, row] => !right[row as usize].matched,
                [row, partner] => {
                    left[row as usize].matched |= passes;
                    right[partner as usize].matched |= passes;
                    passes
                }
            };
            if leaves {
                leaving.push(number as u32);
            }
        }
        leaving.into_bump_slice()
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Vec::clear);
        self.keys.clear();
    }
}

/// The join.
pub struct IntervalJoin {
    sides: [Side; 2],
    words: KeyWords,
    heads: KeyHeads,
    /// From the event time of a left row to that of a right one, in microseconds.
    lower_us: i64,
    upper_us: i64,
    /// What else must be true of a pair.
    residual: Option<Residual>,
    /// Event time of the row that had its turn last.
    reached: i64,
    pairs: Pairs,
    /// Freed when no more of the released rows can meet, and after every batch that leaves.
    scratch: Bump,
    gathered: Bump,
}

impl IntervalJoin {
    const FIRST: usize = IntervalJoinNode::FIRST;

    /// For a node of a plan whose input is `schema`.
    pub fn new(node: &IntervalJoinNode, schema: &Schema) -> Self {
        let types: Vec<DataType> = schema.fields[Self::FIRST..].iter().map(|field| field.data_type).collect();
        let (left, right) = types.split_at(node.left_columns);
        let left = SideColumns::new(Self::FIRST, left, node.keys.iter().map(|(key, _)| key.clone()));
        let first = Self::FIRST + node.left_columns;
        let right = SideColumns::new(first, right, node.keys.iter().map(|(_, key)| key.clone()));
        // The right row comes up to `upper` after the left one, so the left one up to `-lower` after the right one.
        Self {
            sides: [
                Side::new(left, node.upper_us, node.left_outer),
                Side::new(right, node.lower_us.saturating_neg(), node.right_outer),
            ],
            words: KeyWords::default(),
            heads: KeyHeads::default(),
            lower_us: node.lower_us,
            upper_us: node.upper_us,
            residual: node.residual.as_ref().map(Residual::new),
            reached: i64::MIN,
            pairs: Pairs::default(),
            scratch: Bump::new(),
            gathered: Bump::new(),
        }
    }

    /// The side whose row comes next; `None` if there is no row, or a side must release more rows first.
    fn next_side(&self, more: [bool; 2]) -> Option<(usize, OrderKey)> {
        match [self.sides[0].next(), self.sides[1].next()] {
            [Some(left), Some(right)] if right < left => Some((1, right)),
            [Some(left), right] if right.is_some() || !more[1] => Some((0, left)),
            [None, Some(right)] if !more[0] => Some((1, right)),
            _ => None,
        }
    }

    /// Lets rows go whose last partner would have come before `now`, and those that wanted one leave.
    fn expire(&mut self, now: i64) {
        let [left, right] = &mut self.sides;
        loop {
            let due = [&*left, &*right].map(|side| side.due().filter(|due| side.outer && due.time.0 < now));
            let number = match due {
                [Some(left), Some(right)] if right < left => 1,
                [Some(_), _] => 0,
                [None, Some(_)] => 1,
                [None, None] => return,
            };
            let side = if number == 0 { &mut *left } else { &mut *right };
            if let Some((row, deadline)) = side.expire() {
                self.pairs.push_alone(number, row, deadline);
            }
        }
    }

    /// The row of `side` whose turn it is, at `key`, meets those of the other side.
    fn meet(&mut self, side: usize, key: OrderKey, columns: Option<[&[Column<'_>]; 2]>) {
        self.reached = key.time.0;
        let Self { sides: [left, right], heads, pairs, residual, .. } = self;
        // With a residual it shows later which of them are pairs.
        let are_pairs = residual.is_none();
        let none = [left.no_number(), right.no_number()];
        let now = key.time.0;
        let (own, other, from, to) = match side {
            0 => (left, right, now.saturating_add(self.lower_us), now.saturating_add(self.upper_us)),
            _ => (right, left, now.saturating_sub(self.upper_us), now.saturating_sub(self.lower_us)),
        };
        let row = own.turn;
        own.turn += 1;
        let Some(word) = own.word(row) else {
            own.links[row].older = none[side];
            return;
        };
        let same = |heads: &[u32; 2]| {
            let Some(columns) = columns else { return true };
            let (mine, theirs) = (own.row(heads[side]), other.row(heads[1 - side]));
            match (mine, theirs) {
                (Some(mine), _) => keys_equal(columns[side], row, columns[side], mine),
                (None, Some(theirs)) => keys_equal(columns[side], row, columns[1 - side], theirs),
                (None, None) => false,
            }
        };
        let found = heads.put(word, side, own.number(row), none, same);
        own.links[row].older = found[side];
        let first = pairs.keys.len();
        let mut partner = found[1 - side];
        // From the youngest on; those behind one that came too early did so, too.
        while let Some(number) = other.row(partner) {
            let link = &mut other.links[number];
            if link.time < from {
                break;
            }
            if link.time <= to {
                link.matched |= are_pairs;
                pairs.rows[1 - side].push(number as u32);
                pairs.keys.push(OrderKey { stage: 1, ..key });
            }
            partner = link.older;
        }
        if pairs.keys.len() > first {
            own.links[row].matched |= are_pairs;
            pairs.rows[1 - side][first..].reverse();
            pairs.rows[side].resize(pairs.keys.len(), row as u32);
        }
    }

    /// The released rows of both sides meet, up to where more must be released; if there are no more before `watermark`, time goes
    /// on to that.
    fn meet_all(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let mut arena = std::mem::take(&mut self.scratch);
        let more = [0, 1].map(|side: usize| self.sides[side].stage(watermark, &self.words, &arena));
        // Lent out while the rest of the sides changes.
        let rows = [0, 1].map(|side: usize| std::mem::replace(&mut self.sides[side].rows, BatchBuffer::new([])));
        let columns = [0, 1].map(|side: usize| self.sides[side].columns.keys(&rows[side], &arena));
        let columns = (!KeyWords::are_exact(columns[0])).then_some(columns);
        let outer = self.sides.iter().any(|side| side.outer);
        let mut result = Ok(());
        while let Some((side, key)) = self.next_side(more).filter(|_| result.is_ok()) {
            if outer {
                self.expire(key.time.0);
            }
            self.meet(side, key, columns);
            if self.pairs.keys.len() >= Pairs::ROWS {
                result = self.emit(&rows, context, next);
            }
        }
        if !self.is_behind(watermark) {
            self.expire(watermark.0);
        }
        let result = result.and_then(|()| self.emit(&rows, context, next));
        for (side, rows) in self.sides.iter_mut().zip(rows) {
            side.rows = rows;
        }
        arena.reset();
        self.scratch = arena;
        result
    }

    /// Whether a row before `watermark` has not had its turn.
    fn is_behind(&self, watermark: EventTime) -> bool {
        self.sides.iter().any(|side| side.is_behind(watermark))
    }

    /// Passes on the rows that leave.
    fn emit(&mut self, rows: &[BatchBuffer; 2], context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let mut arena = std::mem::take(&mut self.gathered);
        // Lent out while the rest of the sides is looked at.
        let mut links = [0, 1].map(|side: usize| std::mem::take(&mut self.sides[side].links));
        let mut result = Ok(());
        for start in (0..self.pairs.keys.len()).step_by(Pairs::ROWS) {
            let range = start..self.pairs.keys.len().min(start + Pairs::ROWS);
            result = self.emit_part(range, rows, &mut links, &arena, context, next);
            arena.reset();
            if result.is_err() {
                break;
            }
        }
        for (side, links) in self.sides.iter_mut().zip(links) {
            side.links = links;
        }
        self.pairs.clear();
        self.gathered = arena;
        result
    }

    /// Passes some of the rows that leave on; `links` are those of the sides.
    fn emit_part(
        &self,
        range: Range<usize>,
        rows: &[BatchBuffer; 2],
        links: &mut [Vec<Link>; 2],
        arena: &Bump,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let mut columns = BumpVec::new_in(arena);
        for (number, side) in self.sides.iter().enumerate() {
            let partners = Partners::new(&self.pairs.rows[number][range.clone()], arena);
            columns.extend(side.leaving(&rows[number]).map(|column| partners.gather(&column, arena)));
        }
        let selection = match &self.residual {
            None => Selection::All,
            Some(residual) => {
                let met = self.pairs.met(range.clone(), arena);
                let passing = residual.passing(&columns, range.len(), met, arena, context.simd)?;
                Selection::Rows(self.pairs.settled(range.clone(), passing, links, arena))
            }
        };
        let order = RowOrder::Keys(&self.pairs.keys[range.clone()]);
        let batch = Batch { rows: range.len(), columns: &columns, selection, order };
        if batch.selected() == 0 {
            return Ok(());
        }
        let mut inner = context.with_arena(arena);
        inner.rows_are_records = false;
        next(batch, &mut inner)
    }

    /// Drops rows that are over at `now`.
    fn drop_over(&mut self, now: i64) {
        let keys = self.heads.capacity();
        let mut dropped = false;
        for side in &mut self.sides {
            if !side.outer {
                side.skip_over(now);
            }
            dropped |= side.drop_over(keys);
        }
        if dropped {
            let [left, right] = &self.sides;
            let is_there = |side: usize, number| [left, right][side].row(number).is_some();
            self.heads.sweep(is_there, [left.no_number(), right.no_number()]);
        }
    }
}

/// Rows of one side, some of them absent.
struct Partners<'a> {
    rows: &'a [u32],
    /// Those that are there, if not all are.
    there: Option<&'a [u64]>,
}

impl<'a> Partners<'a> {
    fn new(rows: &[u32], arena: &'a Bump) -> Self {
        if !rows.contains(&Pairs::ABSENT) {
            return Self { rows: arena.alloc_slice_copy(rows), there: None };
        }
        let there = arena.alloc_slice_fill_copy(words_for(rows.len()), 0);
        for (i, &row) in rows.iter().enumerate() {
            there[i / 64] |= u64::from(row != Pairs::ABSENT) << (i % 64);
        }
        // Any row will do for those that are absent.
        let row = |&row: &u32| if row == Pairs::ABSENT { 0 } else { row };
        Self { rows: arena.alloc_slice_fill_iter(rows.iter().map(row)), there: Some(there) }
    }

    fn gather(&self, column: &Column<'a>, arena: &'a Bump) -> Column<'a> {
        let gathered = gather(column, self.rows, arena);
        let validity = match (gathered.validity, self.there) {
            (Some(valid), Some(there)) => {
                Some(&*arena.alloc_slice_fill_iter(valid.iter().zip(there).map(|(valid, there)| valid & there)))
            }
            (valid, there) => valid.or(there),
        };
        Column { validity, ..gathered }
    }
}

impl Operator for IntervalJoin {
    fn name(&self) -> &'static str {
        "JOIN"
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        let sides = self.sides.iter().map(Side::held_bytes).sum::<usize>();
        Some(("JOIN", sides + self.heads.held_bytes()))
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        let of = batch.columns[SourceInput::NUMBER].int32();
        let times = batch.columns[SourceInput::EVENT_TIME].int64();
        for (number, side) in self.sides.iter_mut().enumerate() {
            if let Some(own) = of_side(batch, of, number, context.arena) {
                side.push(own, times, context)?;
            }
        }
        Ok(())
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        loop {
            self.meet_all(watermark, context, next)?;
            let behind = self.is_behind(watermark);
            self.drop_over(if behind { self.reached } else { watermark.0 });
            if !behind {
                return Ok(());
            }
        }
    }
}
