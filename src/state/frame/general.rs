//! Frames of DECIMAL and text: a ring of values per key, with the places of the extremes.
//!
//! A ring that is full uses the memory of the value that leaves for the one that comes. MIN and MAX keep the rows that
//! may still become the extreme, best first (a monotonic deque); sums of decimals are exact, what leaves is subtracted.

use std::collections::VecDeque;

use crate::batch::{Column, ColumnBuffer};
use crate::error::Result;
use crate::kernel::arithmetic::fits_precision;
use crate::kernel::update::add_wrapping;

use super::super::AccumulatorKind;
use super::super::finish::decimal_overflow;
use super::{FrameCall, FrameFunction};

/// A value that frames hold.
pub(super) trait Cell: Default {
    /// Becomes the value of row `i`.
    fn set(&mut self, column: &Column<'_>, i: usize);
    /// Appends it.
    fn write(&self, out: &mut ColumnBuffer);
    /// Whether it comes before another.
    fn before(&self, other: &Self) -> bool;
    /// The number, for sums; text has none.
    fn whole(&self) -> i128;
}

impl Cell for i128 {
    fn set(&mut self, column: &Column<'_>, i: usize) {
        *self = column.int128()[i];
    }

    fn write(&self, out: &mut ColumnBuffer) {
        out.push_int128(*self);
    }

    fn before(&self, other: &Self) -> bool {
        self < other
    }

    fn whole(&self) -> i128 {
        *self
    }
}

impl Cell for Vec<u8> {
    fn set(&mut self, column: &Column<'_>, i: usize) {
        self.clear();
        self.extend_from_slice(column.text(i));
    }

    fn write(&self, out: &mut ColumnBuffer) {
        out.push_text(self);
    }

    fn before(&self, other: &Self) -> bool {
        self < other
    }

    fn whole(&self) -> i128 {
        0
    }
}

/// A row of a frame. The value of a NULL means nothing.
#[derive(Debug, Default)]
struct Slot<V> {
    is_value: bool,
    value: V,
}

impl<V: Cell> Slot<V> {
    fn set(&mut self, column: &Column<'_>, i: usize) {
        self.is_value = column.is_valid(i);
        if self.is_value {
            self.value.set(column, i);
        }
    }

    fn write(&self, out: &mut ColumnBuffer) {
        match self.is_value {
            true => self.value.write(out),
            false => out.push_null(),
        }
    }
}

/// The frames of one argument and length.
#[derive(Debug)]
pub(super) struct General<V> {
    frames: Vec<Frame<V>>,
    rows: Option<usize>,
    scale: u8,
    calls: Vec<FrameCall>,
    results: Vec<ColumnBuffer>,
    /// Rows in all frames.
    slots: usize,
}

/// The frame of one key.
#[derive(Debug, Default)]
struct Frame<V> {
    /// The rows, oldest first. A frame without bound keeps the first, the least, the greatest and the newest.
    ring: VecDeque<Slot<V>>,
    /// Rows of the key so far.
    seen: u64,
    /// Rows that may become the least or the greatest, best first; the number of a row is `seen` as it came.
    least: VecDeque<u64>,
    greatest: VecDeque<u64>,
    /// Values in the frame.
    count: u64,
    whole: i128,
    /// Turns of 2^128 by which the true sum differs from `whole`.
    carry: i64,
}

impl<V: Cell> General<V> {
    pub(super) fn new(rows: Option<u64>, calls: Vec<FrameCall>, scale: u8) -> Self {
        Self {
            frames: Vec::new(),
            rows: rows.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)),
            scale,
            results: calls.iter().map(|call| ColumnBuffer::new(call.result)).collect(),
            calls,
            slots: 0,
        }
    }

    /// Bytes that they hold, a text counted as one of a few bytes: it lies in a piece of its own.
    pub(super) fn held_bytes(&self) -> usize {
        let slot = size_of::<Slot<V>>() + if size_of::<V>() == size_of::<Vec<u8>>() { 16 } else { 0 };
        self.frames.capacity() * size_of::<Frame<V>>() + self.slots * (slot + 2 * size_of::<u64>())
    }

    /// Takes rows in and gives a column for each call.
    pub(super) fn push(&mut self, groups: &[u32], argument: &Column<'_>) -> Result<impl Iterator<Item = Column<'_>>> {
        let keys = groups.iter().fold(self.frames.len(), |keys, &group| keys.max(group as usize + 1));
        self.frames.resize_with(keys, Frame::default);
        self.results.iter_mut().for_each(ColumnBuffer::clear);
        for (i, &group) in groups.iter().enumerate() {
            let frame = &mut self.frames[group as usize];
            self.slots -= frame.ring.len();
            match self.rows {
                Some(rows) => frame.take(rows, argument, i),
                None => frame.take_unbounded(argument, i),
            }
            self.slots += frame.ring.len();
            for (call, out) in self.calls.iter().zip(&mut self.results) {
                frame.write(call, self.rows, self.scale, out)?;
            }
        }
        Ok(self.results.iter().map(ColumnBuffer::column))
    }
}

impl<V: Cell> Frame<V> {
    const FIRST: usize = 0;
    const LEAST: usize = 1;
    const GREATEST: usize = 2;
    const NEWEST: usize = 3;

    fn take(&mut self, rows: usize, argument: &Column<'_>, i: usize) {
        let mut slot = Slot::<V>::default();
        if self.ring.len() == rows
            && let Some(leaving) = self.ring.pop_front()
        {
            slot = leaving;
            if slot.is_value {
                self.count -= 1;
                self.add(-slot.value.whole());
            }
        }
        slot.set(argument, i);
        self.seen += 1;
        self.ring.push_back(slot);
        let first = self.seen - self.ring.len() as u64 + 1;
        let newest = &self.ring[self.ring.len() - 1];
        for (candidates, is_least) in [(&mut self.least, true), (&mut self.greatest, false)] {
            candidates.pop_front_if(|row| *row < first);
            if newest.is_value {
                let new = &newest.value;
                while candidates
                    .pop_back_if(|row| {
                        let old = &self.ring[(*row - first) as usize].value;
                        if is_least { !old.before(new) } else { !new.before(old) }
                    })
                    .is_some()
                {}
                candidates.push_back(self.seen);
            }
        }
        if newest.is_value {
            let whole = newest.value.whole();
            self.count += 1;
            self.add(whole);
        }
    }

    fn take_unbounded(&mut self, argument: &Column<'_>, i: usize) {
        self.seen += 1;
        if self.ring.is_empty() {
            self.ring.resize_with(4, Slot::default);
            self.ring[Self::FIRST].set(argument, i);
        }
        if !argument.is_valid(i) {
            return;
        }
        self.ring[Self::NEWEST].set(argument, i);
        let newest = &self.ring[Self::NEWEST].value;
        let (least, greatest) = (&self.ring[Self::LEAST], &self.ring[Self::GREATEST]);
        let is_least = !least.is_value || newest.before(&least.value);
        let is_greatest = !greatest.is_value || greatest.value.before(newest);
        let whole = newest.whole();
        self.count += 1;
        self.add(whole);
        if is_least {
            self.ring[Self::LEAST].set(argument, i);
        }
        if is_greatest {
            self.ring[Self::GREATEST].set(argument, i);
        }
    }

    /// Decimals have at most 38 digits, so that each can be negated; turns of the sum are counted.
    fn add(&mut self, value: i128) {
        let (sum, carry) = add_wrapping(self.whole, value);
        self.whole = sum;
        self.carry += carry;
    }

    /// The row that MIN or MAX is about, if there is a value.
    fn extreme(&self, candidates: &VecDeque<u64>, kept: usize, rows: Option<usize>) -> Option<&Slot<V>> {
        match rows {
            None => Some(&self.ring[kept]),
            Some(_) => {
                let first = self.seen - self.ring.len() as u64 + 1;
                candidates.front().map(|row| &self.ring[(row - first) as usize])
            }
        }
    }

    fn write(&self, call: &FrameCall, rows: Option<usize>, scale: u8, out: &mut ColumnBuffer) -> Result<()> {
        let write = |slot: Option<&Slot<V>>, out: &mut ColumnBuffer| match slot {
            Some(slot) => slot.write(out),
            None => out.push_null(),
        };
        match &call.function {
            FrameFunction::FirstValue => write(self.ring.front(), out),
            // The ring holds offset + 1 rows; while it is not full there is no such row.
            FrameFunction::Lag { .. } if Some(self.ring.len()) == rows => write(self.ring.front(), out),
            FrameFunction::Lag { default, .. } => out.push(default),
            FrameFunction::Aggregate(AccumulatorKind::Count) => out.push_int64(self.count as i64),
            FrameFunction::Aggregate(AccumulatorKind::Min) => {
                write(self.extreme(&self.least, Self::LEAST, rows), out);
            }
            FrameFunction::Aggregate(AccumulatorKind::Max) => {
                write(self.extreme(&self.greatest, Self::GREATEST, rows), out);
            }
            FrameFunction::Aggregate(AccumulatorKind::Sum | AccumulatorKind::Avg) if self.count == 0 => out.push_null(),
            FrameFunction::Aggregate(AccumulatorKind::Sum) => {
                if self.carry != 0 || !fits_precision(self.whole, 38) {
                    return Err(decimal_overflow());
                }
                out.push_int128(self.whole);
            }
            FrameFunction::Aggregate(AccumulatorKind::Avg) => {
                if self.carry != 0 {
                    return Err(decimal_overflow());
                }
                out.push_float64(self.whole as f64 / 10_f64.powi(i32::from(scale)) / self.count as f64);
            }
            function => panic!("{function:?} has another store, or a cast before it"),
        }
        Ok(())
    }
}
