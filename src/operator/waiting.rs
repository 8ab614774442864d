//! Rows that wait for the watermark, ascending by event time and place.
//!
//! Costs one copy in and one copy out of each row, both by column. Which rows wait is kept in a few ascending lists: rows in
//! order join one of them, those that come behind many others make one of their own, and the lists
//! are merged when rows are let go. So a split that is far behind another costs no more than one that is not. Memory is kept and
//! used again.

use std::collections::VecDeque;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{BatchBuffer, Column, Run};
use crate::types::{DataType, EventTime, Merging, OrderKey, not_after};

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

/// Waiting rows, ascending, from `released` on.
#[derive(Debug, Default)]
struct Sorted {
    rows: Vec<Held>,
    released: usize,
}

impl Sorted {
    fn waiting(&self) -> &[Held] {
        &self.rows[self.released..]
    }

    /// Rows that come after `held`.
    fn after(&self, held: &Held) -> usize {
        match self.waiting().last() {
            Some(last) if last > held => self.waiting().len() - self.waiting().partition_point(|row| row <= held),
            _ => 0,
        }
    }

    /// Rows before `watermark`.
    fn ready(&self, watermark: EventTime) -> usize {
        match watermark {
            EventTime::MAX => self.waiting().len(),
            _ => self.waiting().partition_point(|held| held.key.time < watermark),
        }
    }

    fn release(&mut self, count: usize) {
        self.released += count;
        if self.released > self.rows.len() / 2 {
            self.rows.drain(..self.released);
            self.released = 0;
        }
    }
}

/// The rows.
pub(super) struct WaitingRows {
    lists: Vec<Sorted>,
    /// Lists without rows.
    spare: Vec<Sorted>,
    merging: Merging<usize>,
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
            lists: Vec::new(),
            spare: Vec::new(),
            merging: Merging::default(),
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
        let Self { lists, spare, in_order, behind, .. } = self;
        let most = MOVED_PER_ROW * (in_order.len() + behind.len());
        for rows in [in_order, behind] {
            add(lists, spare, rows, most);
        }
    }

    /// Number of rows before `watermark`.
    pub(super) fn ready(&self, watermark: EventTime) -> usize {
        self.lists.iter().map(|list| list.ready(watermark)).sum()
    }

    /// Moves the first `count` rows behind those of `rows`, and their keys behind `keys`.
    pub(super) fn take(&mut self, count: usize, arena: &Bump, rows: &mut BatchBuffer, keys: &mut Vec<OrderKey>) {
        // Neighbours mostly come from one segment, one after another: those are copied together.
        let mut runs: BumpVec<'_, Run> = BumpVec::new_in(arena);
        let Self { lists, merging, first_segment, .. } = self;
        let taken = arena.alloc_slice_fill_copy(lists.len(), 0);
        let first = |(index, list): (usize, &Sorted)| list.waiting().first().map(|held| (held.key, index));
        merging.begin(lists.iter().enumerate().filter_map(first));
        let mut left = count;
        while let Some(index) = merging.first().filter(|_| left > 0) {
            let rest = &lists[index].waiting()[taken[index]..];
            let next = not_after(rest, merging.bound(), |held| held.key).min(left);
            for held in &rest[..next] {
                let source = held.segment.wrapping_sub(*first_segment);
                match runs.last_mut() {
                    Some(run) if run.source == source && run.end == held.row => run.end += 1,
                    _ => runs.push(Run { source, start: held.row, end: held.row + 1 }),
                }
            }
            keys.extend(rest[..next].iter().map(|held| held.key));
            taken[index] += next;
            left -= next;
            match rest.get(next) {
                Some(held) => merging.advance(held.key),
                None => merging.end_first(),
            }
        }
        for (list, &mut taken) in lists.iter_mut().zip(taken) {
            list.release(taken);
        }
        self.spare.extend(lists.extract_if(.., |list| list.waiting().is_empty()));
        let sources = &*arena.alloc_slice_fill_iter(self.segments.iter().map(|segment| &segment.rows));
        rows.append_runs(sources, &runs, arena);
        for run in &runs {
            self.segments[run.source as usize].waiting -= (run.end - run.start) as usize;
        }
        while let Some(segment) = self.segments.pop_front_if(|segment| segment.waiting == 0) {
            self.first_segment = self.first_segment.wrapping_add(1);
            self.free.push(segment.rows);
        }
    }

    /// Bytes that they hold.
    pub(super) fn held_bytes(&self) -> usize {
        let segments = self.segments.iter().map(|segment| segment.rows.size_bytes()).sum::<usize>();
        let lists = self.lists.iter().chain(&self.spare).map(|list| list.rows.capacity()).sum::<usize>();
        segments + lists * size_of::<Held>()
    }
}

/// Lists kept apart; with more the two shortest become one. Any value is correct.
const LISTS_MAX: usize = 8;

/// Rows that may move for each that arrives; merging a further list costs about as much. Any value is correct.
const MOVED_PER_ROW: usize = 2;

/// Adds sorted rows to the list in which the fewest have to move, or makes them a list if those are more than `most`.
fn add(lists: &mut Vec<Sorted>, spare: &mut Vec<Sorted>, rows: &[Held], most: usize) {
    let Some(first) = rows.first() else { return };
    let nearest = lists.iter_mut().map(|list| (list.after(first), list)).min_by_key(|(after, _)| *after);
    if let Some((_, list)) = nearest.filter(|(after, _)| *after <= most) {
        merge(list, rows);
        return;
    }
    let mut list = spare.pop().unwrap_or_default();
    list.rows.clear();
    list.rows.extend_from_slice(rows);
    list.released = 0;
    lists.push(list);
    if lists.len() > LISTS_MAX {
        lists.sort_unstable_by_key(|list| std::cmp::Reverse(list.waiting().len()));
        if let (Some(shortest), Some(list)) = (lists.pop(), lists.last_mut()) {
            merge(list, shortest.waiting());
            spare.push(shortest);
        }
    }
}

/// Merges sorted rows into a list, from behind: only what is not before them moves.
fn merge(list: &mut Sorted, rows: &[Held]) {
    let Sorted { rows: held, released: first } = list;
    let mut old = held.len();
    held.extend_from_slice(rows);
    let mut new = rows.len();
    for place in (*first..held.len()).rev() {
        if new == 0 || old == *first {
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
    held[*first..*first + new].copy_from_slice(&rows[..new]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Values;
    use proptest::prelude::*;

    /// A batch of times, and how many rows are let go after it.
    fn batches() -> impl Strategy<Value = Vec<(Vec<i64>, usize)>> {
        prop::collection::vec((prop::collection::vec(-50i64..50, 0..30), 0usize..40), 0..40)
    }

    proptest! {
        /// Rows leave in the order in which sorting what waits at the time puts them, with their columns and keys.
        #[test]
        fn rows_leave_in_order(batches in batches()) {
            let mut waiting = WaitingRows::new(vec![DataType::BigInt]);
            let mut expected: Vec<(OrderKey, i64)> = Vec::new();
            let (mut arena, mut rows, mut keys) = (Bump::new(), BatchBuffer::new([DataType::BigInt]), Vec::new());
            for (number, (times, count)) in batches.into_iter().enumerate() {
                let key = |i: usize| OrderKey { time: EventTime(times[i]), row: (number * 100 + i) as u32, ..OrderKey::MIN };
                let values: Vec<i64> = (0..times.len()).map(|i| (number * 1_000 + i) as i64).collect();
                waiting.push(&[Column::valid(Values::Int64(&values))], values.len(), None, key);
                expected.extend(values.iter().enumerate().map(|(i, &value)| (key(i), value)));
                expected.sort_unstable();
                let watermark = EventTime(times.first().copied().unwrap_or(0));
                let before = expected.iter().filter(|(key, _)| key.time < watermark).count();
                prop_assert_eq!(waiting.ready(watermark), before);
                prop_assert_eq!(waiting.ready(EventTime::MAX), expected.len());
                let count = count.min(expected.len());
                rows.clear();
                keys.clear();
                waiting.take(count, &arena, &mut rows, &mut keys);
                let taken = keys.iter().copied().zip(rows.columns[0].column().int64().iter().copied());
                prop_assert_eq!(taken.collect::<Vec<_>>(), expected.drain(..count).collect::<Vec<_>>());
                arena.reset();
            }
        }

        /// However far splits lie apart, few lists are kept, each ascending.
        #[test]
        fn lists_are_few_and_ascending(batches in batches()) {
            let mut waiting = WaitingRows::new(vec![DataType::BigInt]);
            for (number, (times, _)) in batches.into_iter().enumerate() {
                let key = |i: usize| OrderKey { time: EventTime(times[i]), row: (number * 100 + i) as u32, ..OrderKey::MIN };
                waiting.push(&[Column::valid(Values::Int64(&times))], times.len(), None, key);
                prop_assert!(waiting.lists.len() <= LISTS_MAX);
                prop_assert!(waiting.lists.iter().all(|list| list.waiting().is_sorted()));
            }
        }
    }
}
