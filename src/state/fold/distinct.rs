//! The set of values of each group, and aggregates that take each value once: COUNT(DISTINCT), SUM(DISTINCT) and the like.
//!
//! One table numbers the pairs of group and value; the rows whose pair is new go on to aggregates of their own. Merging sends
//! the values, which are taken in like rows. A group that starts anew gets another number in the table, and the table is
//! made anew once most of it is dead.

use std::cell::RefCell;

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, ColumnBuffer, Values};
use crate::error::Result;
use crate::kernel::Simd;
use crate::types::DataType;

use super::super::keys::{KeyLayout, KeyScratch, KeyTable, PackedColumns};
use super::super::{KeyHasher, StateLayout, States, text};
use super::best::export_tuple;
use super::chains::Links;
use super::tuple::{FoldField, NullRule, Tuple, TupleLayout};
use super::{FoldBlock, FoldRows, FoldStates, Reading, not_kept};
pub(super) struct Distinct {
    argument: usize,
    data_type: DataType,
    layout: Box<StateLayout>,
    /// The aggregates.
    inner: States,
    keys: KeyLayout,
    hasher: KeyHasher,
    /// Pairs of the number of a group and a value.
    table: KeyTable,
    /// The pairs of each group.
    links: Links,
    /// The number that each group has in the table.
    numbers: PaneVec<i32>,
    next_number: i32,
    tuple: TupleLayout,
    scratch: RefCell<Scratch>,
}

/// Memory of a batch.
struct Scratch {
    keys: KeyScratch,
    /// Numbers of groups, one a row of the batch.
    numbers: Vec<i32>,
    groups: Vec<u32>,
    rows: Vec<u32>,
    pairs: Vec<u32>,
    new: Vec<u32>,
    /// Keys of the table as columns.
    columns: [ColumnBuffer; 2],
    tuple: Vec<u64>,
}

impl Distinct {
    pub(super) fn new(
        argument: usize,
        data_type: DataType,
        layout: &StateLayout,
        hasher: KeyHasher,
        arena: &PaneArena,
    ) -> Self {
        let keys = KeyLayout::new([DataType::Int, data_type]);
        let field = FoldField { argument: 0, data_type, descending: false, nulls: NullRule::Skip };
        let tuple = TupleLayout::new(&[field]);
        Self {
            argument,
            data_type,
            layout: Box::new(layout.clone()),
            inner: States::new(layout, 0, arena),
            table: KeyTable::new(&keys, 0, arena),
            keys,
            hasher,
            links: Links::new(arena),
            numbers: PaneVec::new_in(arena.clone()),
            next_number: 0,
            scratch: RefCell::new(Scratch {
                keys: KeyScratch::default(),
                numbers: Vec::new(),
                groups: Vec::new(),
                rows: Vec::new(),
                pairs: Vec::new(),
                new: Vec::new(),
                columns: [DataType::Int, data_type].map(ColumnBuffer::new),
                tuple: vec![0; tuple.width],
            }),
            tuple,
        }
    }

    /// Takes rows of a column in.
    fn take(&mut self, simd: Simd, rows: FoldRows<'_>, column: Column<'_>) {
        let mut scratch = self.scratch.borrow_mut();
        let Scratch { keys, numbers, groups, rows: selected, pairs, new, .. } = &mut *scratch;
        groups.clear();
        selected.clear();
        for (group, i) in rows.iter().filter(|&(_, i)| column.is_valid(i)) {
            groups.push(group);
            selected.push(i as u32);
        }
        let Some(last) = selected.iter().max() else { return };
        let length = *last as usize + 1;
        if numbers.len() < length {
            numbers.resize(length, 0);
        }
        for (&group, &i) in groups.iter().zip(&*selected) {
            numbers[i as usize] = self.numbers[group as usize];
        }
        pairs.clear();
        pairs.resize(groups.len(), 0);
        new.clear();
        let columns = [Column::valid(Values::Int32(&numbers[..length])), column];
        let packed = PackedColumns {
            simd,
            layout: &self.keys,
            hasher: &self.hasher,
            columns: &columns,
            rows: length,
            selection: Some(selected),
        };
        self.table.assign(&packed, None, pairs, keys, |j| new.push(j as u32));
        // What is new stays: its groups and rows move to the front.
        for (to, &j) in new.iter().enumerate() {
            groups[to] = groups[j as usize];
            selected[to] = selected[j as usize];
            self.links.push(groups[to]);
        }
        let (groups, selected) = (&groups[..new.len()], &selected[..new.len()]);
        self.inner.update(simd, &self.layout, groups, Some(selected), &[column]);
    }

    /// Makes the table anew, of live pairs; groups are numbered from the first again.
    fn sweep(&mut self) {
        let (mut live, mut numbers) = (Vec::new(), Vec::new());
        self.links.sweep(|group, from, _| {
            live.push(from as u32);
            numbers.push(group.cast_signed());
        });
        let mut columns = [DataType::Int, self.data_type].map(ColumnBuffer::new);
        self.table.push_keys(&self.keys, &live, &mut columns);
        self.table.clear();
        self.numbers.iter_mut().zip(0..).for_each(|(number, group)| *number = group);
        self.next_number = self.numbers.len() as i32;
        let columns = [Column::valid(Values::Int32(&numbers)), columns[1].column()];
        let packed = PackedColumns {
            simd: Simd::WIDE,
            layout: &self.keys,
            hasher: &self.hasher,
            columns: &columns,
            rows: live.len(),
            selection: None,
        };
        // Live pairs differ, so that their new numbers are their places.
        self.table.assign(&packed, None, &mut live, &mut self.scratch.get_mut().keys, |_| {});
    }
}

impl FoldStates for Distinct {
    fn clear(&mut self) {
        self.inner.clear();
        self.links.clear();
        self.numbers.clear();
        self.next_number = 0;
        self.table.clear();
    }

    fn grow(&mut self, groups: usize) {
        self.inner.grow(&self.layout, groups);
        self.links.grow(groups);
        while self.numbers.len() < groups {
            self.numbers.push(self.next_number);
            self.next_number += 1;
        }
    }

    fn reset(&mut self, group: u32) {
        self.inner.reset(&self.layout, group);
        if self.links.count(group) == 0 {
            return;
        }
        self.links.reset(group);
        self.numbers[group as usize] = self.next_number;
        self.next_number += 1;
        if self.links.wants_sweep() {
            self.sweep();
        }
    }

    fn update(&mut self, simd: Simd, rows: FoldRows<'_>, arguments: &[Column<'_>]) {
        self.take(simd, rows, arguments[self.argument]);
    }

    fn export(&self, groups: &[u32], into: &mut FoldBlock) {
        let Scratch { pairs, columns, tuple, .. } = &mut *self.scratch.borrow_mut();
        pairs.clear();
        for &group in groups {
            into.counts.push(self.links.count(group));
            pairs.extend(self.links.of(group));
        }
        columns.iter_mut().for_each(ColumnBuffer::clear);
        self.table.push_keys(&self.keys, pairs, columns);
        let values = [columns[1].column()];
        for i in 0..pairs.len() {
            self.tuple.encode(&values, i, tuple);
            let text = if self.tuple.texts.is_empty() { &[][..] } else { self.tuple.text_of(&values, i, 0) };
            tuple[0] = if self.tuple.texts.is_empty() { tuple[0] } else { text::word_of(0, text.len()) };
            export_tuple(&self.tuple, Tuple { words: tuple, heap: text }, into);
        }
    }

    fn merge(&mut self, groups: &[u32], from: &FoldBlock) {
        let mut values = ColumnBuffer::new(self.data_type);
        let mut expanded = Vec::new();
        let mut tuples = from.words.chunks_exact(self.tuple.width);
        for (&group, &count) in groups.iter().zip(&from.counts) {
            for words in tuples.by_ref().take(count as usize) {
                self.tuple.push_last(Tuple { words, heap: &from.heap }, &mut values);
                expanded.push(group);
            }
        }
        self.take(Simd::detect(), FoldRows { groups: &expanded, rows: None }, values.column());
    }

    fn finish(&self, reading: Reading, groups: &[u32], out: &mut ColumnBuffer) -> Result<()> {
        let Reading::Inner(call) = reading else { not_kept(reading) };
        self.inner.finish_call(&self.layout, call, groups, out)
    }
}
