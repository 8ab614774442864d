//! Rows that wait for the watermark, ascending by event time and place.
//!
//! Costs one copy in and one copy out of each row, both by column; rows that come in order move no other. Memory is kept and
//! used again.

use std::collections::VecDeque;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{BatchBuffer, Column, Run};
use crate::types::{DataType, EventTime, OrderKey};

/// A row that waits: its place in the result, and where its columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    key: OrderKey,
    /// Number of the segment, its lower bits.
    segment: u32,
    row: u32,
}

/// The columns of the rows of one batch, kept until the last of them has left.
struct Segment {
    rows: BatchBuffer,
    waiting: usize,
}

/// The rows.
pub(super) struct WaitingRows {
    /// Waiting rows, ascending, from `released` on.
    held: Vec<Held>,
    released: usize,
    /// Segments by number; `segments[0]` has the number `first_segment`.
    segments: VecDeque<Segment>,
    first_segment: u32,
    free: Vec<BatchBuffer>,
    /// Rows of the arriving batch that are not before one that came earlier, and the others.
    in_order: Vec<Held>,
    behind: Vec<Held>,
    types: Vec<DataType>,
}

impl WaitingRows {
    /// None, with columns of these types.
    pub(super) fn new(types: Vec<DataType>) -> Self {
        Self {
            held: Vec::new(),
            released: 0,
            segments: VecDeque::new(),
            first_segment: 0,
            free: Vec::new(),
            in_order: Vec::new(),
            behind: Vec::new(),
            types,
        }
    }

    /// Takes the selected of the first `rows` rows of `columns` in; `key` gives the time and place of each.
    pub(super) fn push(
        &mut self,
        columns: &[Column<'_>],
        rows: usize,
        selection: Option<&[u32]>,
        key: impl Fn(usize) -> OrderKey,
    ) {
        let mut kept = self.free.pop().unwrap_or_else(|| BatchBuffer::new(self.types.iter().copied()));
        kept.clear();
        kept.append(columns, rows, selection);
        let segment = self.first_segment.wrapping_add(self.segments.len() as u32);
        self.in_order.clear();
        self.behind.clear();
        let mut row = 0;
        let mut latest = OrderKey::MIN;
        let mut hold = |i: usize| {
            let held = Held { key: key(i), segment, row };
            if held.key >= latest {
                latest = held.key;
                self.in_order.push(held);
            } else {
                self.behind.push(held);
            }
            row += 1;
        };
        match selection {
            None => (0..rows).for_each(&mut hold),
            Some(selection) => selection.iter().for_each(|&i| hold(i as usize)),
        }
        self.segments.push_back(Segment { waiting: kept.len(), rows: kept });
        self.behind.sort_unstable();
        merge(&mut self.held, self.released, &self.in_order);
        merge(&mut self.held, self.released, &self.behind);
    }

    /// Number of rows before `watermark`.
    pub(super) fn ready(&self, watermark: EventTime) -> usize {
        let waiting = &self.held[self.released..];
        match watermark {
            EventTime::MAX => waiting.len(),
            _ => waiting.partition_point(|held| held.key.time < watermark),
        }
    }

    /// Moves the first `count` rows behind those of `rows`, and their keys behind `keys`.
    pub(super) fn take(&mut self, count: usize, arena: &Bump, rows: &mut BatchBuffer, keys: &mut Vec<OrderKey>) {
        // Neighbours mostly come from one segment, one after another: those are copied together.
        let mut runs: BumpVec<'_, Run> = BumpVec::new_in(arena);
        let taken = &self.held[self.released..self.released + count];
        for held in taken {
            let source = held.segment.wrapping_sub(self.first_segment);
            match runs.last_mut() {
                Some(run) if run.source == source && run.end == held.row => run.end += 1,
                _ => runs.push(Run { source, start: held.row, end: held.row + 1 }),
            }
        }
        keys.extend(taken.iter().map(|held| held.key));
        self.released += count;
        let sources = &*arena.alloc_slice_fill_iter(self.segments.iter().map(|segment| &segment.rows));
        rows.append_runs(sources, &runs, arena);
        for run in &runs {
            self.segments[run.source as usize].waiting -= (run.end - run.start) as usize;
        }
        while let Some(segment) = self.segments.pop_front_if(|segment| segment.waiting == 0) {
            self.first_segment = self.first_segment.wrapping_add(1);
            self.free.push(segment.rows);
        }
        if self.released > self.held.len() / 2 {
            self.held.drain(..self.released);
            self.released = 0;
        }
    }

    /// Bytes that they hold.
    pub(super) fn held_bytes(&self) -> usize {
        let segments = self.segments.iter().map(|segment| segment.rows.size_bytes()).sum::<usize>();
        segments + self.held.capacity() * size_of::<Held>()
    }
}

/// Merges sorted rows into the held ones from `first` on, from behind: only what is not before them moves.
fn merge(held: &mut Vec<Held>, first: usize, rows: &[Held]) {
    let mut old = held.len();
    held.extend_from_slice(rows);
    let mut new = rows.len();
    for place in (first..held.len()).rev() {
        if new == 0 || old == first {
            break;
        }
        if held[old - 1] > rows[new - 1] {
            old -= 1;
            held[place] = held[old];
        } else {
            new -= 1;
            held[place] = rows[new];
        }
    }
    held[first..first + new].copy_from_slice(&rows[..new]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Merging lists one after another gives what sorting all of them gives.
        #[test]
        fn merging_is_sorting(lists in prop::collection::vec(prop::collection::vec(-20i64..20, 0..12), 0..8), first in 0usize..3) {
            let sorted = |mut rows: Vec<Held>| { rows.sort_unstable(); rows };
            let mut number = 0;
            let mut held = Vec::new();
            let mut all = Vec::new();
            // What was released before is not touched, whatever it is.
            let before = Held { key: OrderKey::MAX, segment: 0, row: 0 };
            held.resize(first, before);
            for list in lists {
                let rows = sorted(list.into_iter().map(|time| {
                    number += 1;
                    Held { key: OrderKey { time: EventTime(time), row: number, ..OrderKey::MIN }, segment: 0, row: 0 }
                }).collect());
                merge(&mut held, first, &rows);
                all.extend(rows);
            }
            prop_assert!(held[..first].iter().all(|row| *row == before));
            prop_assert_eq!(&held[first..], sorted(all));
        }
    }
}
