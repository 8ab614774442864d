//! OVER with frames of any shape: holds a row back until all rows of its frame have come, then answers it.
//!
//! Rows come in the order of OVER, and leave in the order in which they came: one that waits (for LEAD, FOLLOWING, rows that are
//! equal) holds back those behind it. What the watermark, a later row or the end of input says decides only when a row
//! leaves, never with what.
//!
//! Memory: of each partition the values that frames to come still look at, and whole rows that wait. Cost: a look-up of the
//! key a row; then O(log frame) for a bound by RANGE or GROUPS, O(1) for functions without a frame and for aggregates of frames that
//! start with the partition, and one update a row of the frame for aggregates of others.

mod answers;
mod bounds;
mod partition;

use std::collections::VecDeque;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::arena::PaneArena;
use crate::batch::{Batch, BatchBuffer, Column, RowOrder, Selection, Values, same_rows};
use crate::error::Result;
use crate::plan::{Arrangement, FramesNode};
use crate::state::{BlockKeys, KeyBlock, KeyHasher, KeyScratch, KeyTable, Keyer};
use crate::types::{EventTime, OrderKey, Schema};

use super::expr::Evaluator;
use super::project::evaluate_all;
use super::{Context, Next, Operator};
use answers::{Answers, Kept, PLACES};
use bounds::Order;
use partition::Partition;

/// No partition.
const NONE: u32 = u32::MAX;

/// Rows that came together and wait.
struct Segment {
    rows: BatchBuffer,
    keys: Vec<OrderKey>,
    partitions: Vec<u32>,
    answered: usize,
}

/// Functions over frames.
pub struct Frames {
    /// Keys, then what is kept of a row: the order first.
    exprs: Vec<Evaluator>,
    keys: usize,
    order: usize,
    takes_places: bool,
    descending: bool,
    nulls_first: bool,
    /// Partitions are over whenever the watermark advances.
    ends_when_told: bool,
    closes_behind_us: Option<i64>,
    expire_us: Option<i64>,
    keyer: Keyer,
    table: KeyTable,
    memory: PaneArena,
    scratch: KeyScratch,
    rows: usize,
    /// For each key of the table its partition.
    current: Vec<u32>,
    partitions: Vec<Partition>,
    free: Vec<u32>,
    /// Values that partitions look at, by slot.
    values: BatchBuffer,
    /// Slots that nobody looks at.
    unused: usize,
    /// Rows so far.
    count: i64,
    answers: Answers,
    waiting: VecDeque<Segment>,
    spare: Vec<Segment>,
    input: Schema,
    output: BatchBuffer,
    told: EventTime,
    /// When keys that have expired were looked for last.
    looked: EventTime,
    bump: Bump,
}

impl Frames {
    /// Rows answered at a time. Any value is correct.
    const BATCH_ROWS: usize = 4096;
    /// Slots below which nothing is given back. Any value is correct.
    const UNUSED_MIN: usize = if cfg!(test) { 4 } else { 1024 };

    /// For a node of a plan over rows of `input`, whose output is `output`.
    pub fn new(node: &FramesNode, input: &Schema, output: &Schema, hasher: KeyHasher) -> Self {
        let mut kept = Kept::default();
        for key in &node.order {
            // Each has a column of its own: they are the first.
            kept.exprs.push(key.expr.clone());
        }
        let answers = Answers::new(node, &mut kept, hasher);
        let types = kept.exprs.iter().map(|expr| expr.data_type);
        let values = BatchBuffer::new(types.chain(PLACES.into_iter().filter(|_| kept.takes_places)));
        let keyer = Keyer::new(node.partition_by.iter().map(|key| key.data_type), hasher);
        let memory = PaneArena::default();
        Self {
            exprs: node.partition_by.iter().chain(&kept.exprs).map(Evaluator::new).collect(),
            keys: node.partition_by.len(),
            order: node.order.len(),
            takes_places: kept.takes_places,
            descending: node.order.first().is_some_and(|key| key.descending),
            nulls_first: node.order.first().is_some_and(|key| key.nulls_first),
            ends_when_told: matches!(node.arrangement, Arrangement::Values { .. }),
            closes_behind_us: node.closes_behind_us,
            expire_us: node.expire_us,
            table: KeyTable::new(&keyer.layout, 0, &memory),
            keyer,
            memory,
            scratch: KeyScratch::default(),
            rows: 0,
            current: Vec::new(),
            partitions: Vec::new(),
            free: Vec::new(),
            values,
            unused: 0,
            count: 0,
            answers,
            waiting: VecDeque::new(),
            spare: Vec::new(),
            input: input.clone(),
            output: BatchBuffer::for_schema(output),
            told: EventTime::MIN,
            looked: EventTime::MIN,
            bump: Bump::new(),
        }
    }

    /// A new partition.
    fn begin(&mut self) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.partitions.push(Partition::default());
            self.partitions.len() as u32 - 1
        });
        self.answers.begin(number, &mut self.partitions[number as usize]);
        number
    }

    /// Gives a partition back that is over.
    fn end(&mut self, number: u32) {
        let partition = std::mem::take(&mut self.partitions[number as usize]);
        self.unused += partition.used();
        self.answers.end(number);
        self.free.push(number);
    }

    /// Whether a key has expired by now: every row to come would begin anew.
    fn has_expired(&self, partition: &Partition) -> bool {
        let (Some(expire_us), Some(behind_us)) = (self.expire_us, self.closes_behind_us) else { return false };
        partition.time.saturating_add(expire_us).saturating_add(behind_us) < self.told.0
    }

    /// Puts the rows whose values begin at slot `first` into their partitions.
    fn take(&mut self, numbers: &[u32], first: usize, segment: &mut Segment) {
        self.current.resize(self.table.len(), NONE);
        for (slot, &key) in (first as u32..).zip(numbers) {
            let mut number = self.current[key as usize];
            let time = match (self.expire_us, self.values.columns.first().map(|order| order.column().values)) {
                (Some(_), Some(Values::Int64(times))) => times[slot as usize],
                _ => 0,
            };
            if number != NONE
                && let Some(expire_us) = self.expire_us
            {
                let partition = &mut self.partitions[number as usize];
                if time.saturating_sub(partition.time) > expire_us {
                    partition.ended = true;
                    if partition.is_over() {
                        self.end(number);
                    }
                    number = NONE;
                }
            }
            if number == NONE {
                number = self.begin();
                self.current[key as usize] = number;
            }
            let partition = &mut self.partitions[number as usize];
            let equal = match partition.last() {
                Some(last) => {
                    let order = &self.values.columns[..self.order];
                    order.iter().all(|order| same_rows(&[order.column()], slot as usize, last.slot as usize))
                }
                None => false,
            };
            partition.push(slot, equal, self.answers.head);
            partition.time = time;
            segment.partitions.push(number);
        }
    }

    /// Answers rows that wait, oldest first, as far as their frames are complete. `all`: no row will follow.
    fn release(&mut self, all: bool, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let bump = std::mem::take(&mut self.bump);
        let mut bump = bump;
        loop {
            bump.reset();
            let count = self.answer(all, &bump, context)?;
            if count == 0 {
                break;
            }
            let Some(segment) = self.waiting.front_mut() else { break };
            let from = segment.answered;
            segment.answered += count;
            self.output.clear();
            let width = self.input.len();
            for (column, from_column) in self.output.columns.iter_mut().zip(&segment.rows.columns) {
                column.append_range(from_column, from, from + count);
            }
            self.answers.append_results(count, &mut self.output.columns[width..]);
            self.output.rows_pushed(count);
            let order = RowOrder::Keys(&segment.keys[from..from + count]);
            let columns = self.output.views(&bump);
            let batch = Batch { rows: count, columns, selection: Selection::All, order };
            next(batch, &mut context.with_arena(&bump))?;
            if self.waiting.front().is_some_and(|segment| segment.answered == segment.rows.len()) {
                self.spare.extend(self.waiting.pop_front());
            }
        }
        self.bump = bump;
        self.give_back();
        Ok(())
    }

    /// Answers rows of the first segment; says how many.
    fn answer(&mut self, all: bool, arena: &Bump, context: &Context<'_>) -> Result<usize> {
        let Some(segment) = self.waiting.pop_front() else { return Ok(0) };
        self.answers.clear_results();
        let values = std::mem::replace(&mut self.values, BatchBuffer::new([]));
        let columns = values.views(arena);
        let arguments = self.answers.views(columns, arena);
        let order = Order {
            column: columns.first().copied().filter(|_| self.order > 0),
            descending: self.descending,
            nulls_first: self.nulls_first,
            closed: self.closes_behind_us.map(|behind_us| self.told.0.saturating_sub(behind_us)),
        };
        let mut count = 0;
        let mut result = Ok(());
        for &number in segment.partitions[segment.answered..].iter().take(Self::BATCH_ROWS) {
            let partition = &self.partitions[number as usize];
            let ended = all || partition.ended || self.has_expired(partition);
            let row = partition.next;
            if !self.answers.needs.iter().all(|&need| order.is_complete(partition, row, need, ended)) {
                break;
            }
            let partition = &mut self.partitions[number as usize];
            match self.answers.answer(number, partition, &order, columns, arguments, context.simd) {
                Ok(keep) => self.unused += partition.forget(keep.min(partition.next)),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            count += 1;
            if partition.is_over() {
                self.end(number);
            }
        }
        self.values = values;
        self.waiting.push_front(segment);
        result.map(|()| count)
    }

    /// Gives the memory of values back that nobody looks at, if it is most.
    fn give_back(&mut self) {
        if self.unused < Self::UNUSED_MIN || self.unused * 2 < self.values.len() {
            return;
        }
        let mut places = vec![NONE; self.values.len()];
        for partition in &mut self.partitions {
            partition.for_each_slot(|slot| places[*slot as usize] = 0);
        }
        let mut used: Vec<u32> = Vec::with_capacity(self.values.len() - self.unused);
        for (slot, place) in places.iter_mut().enumerate().filter(|(_, place)| **place != NONE) {
            *place = used.len() as u32;
            used.push(slot as u32);
        }
        for partition in &mut self.partitions {
            partition.for_each_slot(|slot| *slot = places[*slot as usize]);
        }
        let mut values = BatchBuffer::new(self.values.columns.iter().map(|column| column.data_type()));
        let arena = Bump::new();
        values.append(self.values.views(&arena), self.values.len(), Some(&used));
        self.values = values;
        self.unused = 0;
    }

    /// Lets keys go that have expired.
    fn expire(&mut self) {
        let Some(expire_us) = self.expire_us else { return };
        if self.told.0.saturating_sub(self.looked.0) < expire_us {
            return;
        }
        self.looked = self.told;
        let mut gone = 0;
        for key in 0..self.current.len() {
            let number = self.current[key];
            if number != NONE && self.has_expired(&self.partitions[number as usize]) {
                self.current[key] = NONE;
                self.partitions[number as usize].ended = true;
                if self.partitions[number as usize].is_over() {
                    self.end(number);
                }
            }
            gone += usize::from(self.current[key] == NONE);
        }
        if gone * 2 <= self.current.len() {
            return;
        }
        let live: Vec<u32> = (0..self.current.len() as u32).filter(|&key| self.current[key as usize] != NONE).collect();
        let mut block = KeyBlock::default();
        self.table.export(&self.keyer.layout, &live, &mut block);
        let memory = PaneArena::default();
        let mut table = KeyTable::new(&self.keyer.layout, live.len(), &memory);
        let mut numbers = vec![0; live.len()];
        let keys = BlockKeys { layout: &self.keyer.layout, block: &block };
        table.assign_packed(&self.keyer.layout, &self.keyer.hasher, &keys, &mut numbers, &mut self.scratch, |_| {});
        let mut current = vec![NONE; table.len()];
        for (&key, &number) in live.iter().zip(&numbers) {
            current[number as usize] = self.current[key as usize];
        }
        (self.table, self.memory, self.current) = (table, memory, current);
        self.rows = live.len();
        // Partitions that still wait for their rows to leave are live, too.
        let mut is_free = vec![false; self.partitions.len()];
        self.free.iter().for_each(|&number| is_free[number as usize] = true);
        let count = is_free.iter().rposition(|free| !free).map_or(0, |last| last + 1);
        self.partitions.truncate(count);
        self.free.retain(|&number| (number as usize) < count);
        let live: Vec<u32> = (0..count as u32).filter(|&number| !is_free[number as usize]).collect();
        self.answers.shrink(&live, count);
    }

    /// Forgets everything: all rows are answered, and all partitions are over.
    fn clear(&mut self) {
        debug_assert!(self.waiting.is_empty());
        self.table.clear();
        self.current.clear();
        self.partitions.clear();
        self.free.clear();
        self.values.clear();
        self.unused = 0;
        self.rows = 0;
        self.answers.clear();
    }
}

impl Operator for Frames {
    fn name(&self) -> &'static str {
        "OVER"
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        let waiting = self.waiting.iter().map(|segment| {
            segment.rows.size_bytes()
                + segment.keys.capacity() * size_of::<OrderKey>()
                + segment.partitions.capacity() * 4
        });
        let partitions = self.partitions.capacity() * size_of::<Partition>();
        let values = self.values.size_bytes() + self.values.len() * Partition::ROW_BYTES;
        let held = self.memory.held_bytes() + self.answers.held_bytes();
        Some(("OVER", waiting.sum::<usize>() + partitions + values + held))
    }

    fn oldest(&self) -> Option<OrderKey> {
        self.waiting.front().map(|segment| segment.keys[segment.answered])
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, columns) = evaluate_all(&self.exprs, batch, arena, context)?;
        let selected = batch.selected();
        if selected == 0 {
            return Ok(());
        }
        let (keys, kept) = columns.split_at(self.keys);
        let direct = self.keyer.index(keys, batch.rows, self.rows, arena);
        let numbers = arena.alloc_slice_fill_copy(selected, 0);
        let packed = self.keyer.keys(context.simd, keys, batch.rows, batch.selection.list());
        self.table.assign(&packed, direct, numbers, &mut self.scratch, |_| {});
        self.rows += selected;
        let mut segment = self.spare.pop().unwrap_or_else(|| Segment {
            rows: BatchBuffer::for_schema(&self.input),
            keys: Vec::new(),
            partitions: Vec::new(),
            answered: 0,
        });
        segment.rows.clear();
        segment.keys.clear();
        segment.partitions.clear();
        segment.answered = 0;
        segment.rows.append(batch.columns, batch.rows, batch.selection.list());
        batch.for_each(|i| segment.keys.push(batch.key(i)));
        let first = self.values.len();
        assert!(first + selected < NONE as usize, "OVER looks at fewer than 2^32 rows at a time");
        let places = &*arena.alloc_slice_fill_iter((0..batch.rows).map(|i| self.count + i as i64));
        let zeros = &*arena.alloc_slice_fill_copy(batch.rows, 0_i64);
        let mut all: BumpVec<'_, Column<'_>> = BumpVec::with_capacity_in(kept.len() + 2, arena);
        all.extend(kept.iter().copied());
        if self.takes_places {
            all.extend([places, zeros].map(|values| Column::valid(Values::Int64(values))));
        }
        self.values.append(&all, batch.rows, batch.selection.list());
        self.count += batch.rows as i64;
        self.take(numbers, first, &mut segment);
        self.waiting.push_back(segment);
        self.release(false, context, next)
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        self.told = watermark;
        let all = self.ends_when_told || watermark == EventTime::MAX;
        self.release(all, context, next)?;
        if all {
            self.clear();
        } else {
            self.expire();
            self.give_back();
        }
        Ok(())
    }
}
