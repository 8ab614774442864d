//! The state rows of groups: what each takes in, how two merge. What comes out is in `finish`.

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, Values};
use crate::kernel::Simd;
use crate::kernel::update::{self, Input, Line, Numbers, Rows, add_pair, add_wrapping, i128_of, put_i128, two_square};

use super::StateLayout;
use super::fold::{FoldBlock, FoldRows, FoldStates};
use super::layout::Kept;
use super::text;

/// The states of groups, by dense group id, in a pane's arena.
pub struct States {
    lines: PaneVec<Line>,
    groups: usize,
    /// For each argument, the rows of each group that were NULL; empty until there is one.
    pub(super) nulls: PaneVec<PaneVec<u64>>,
    pub(super) heap: PaneVec<u8>,
    /// What stands beside the rows, in the order of the layout's folds.
    pub(super) folds: Vec<Box<dyn FoldStates>>,
    /// Groups and rows of [`Self::update_one`] for folds.
    listed: (Vec<u32>, Vec<u32>),
}

/// Some states on their way to another table: rows one after another, in plain vectors, which may cross threads.
#[derive(Debug, Default)]
pub struct StateBlock {
    rows: Vec<u64>,
    /// For each row, the NULLs of each argument; empty if no argument had one.
    nulls: Vec<u64>,
    heap: Vec<u8>,
    /// What stands beside the rows.
    folds: Vec<FoldBlock>,
}

impl StateBlock {
    /// The words of a row.
    pub(super) fn row(&self, layout: &StateLayout, number: usize) -> &[u64] {
        &self.rows[number << layout.shift..][..layout.width()]
    }

    /// Bytes that it holds, but for what stands beside the rows.
    pub(super) fn held_bytes(&self) -> usize {
        (self.rows.capacity() + self.nulls.capacity()) * size_of::<u64>() + self.heap.capacity()
    }

    /// Drops all rows, keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.nulls.clear();
        self.heap.clear();
        self.folds.iter_mut().for_each(FoldBlock::clear);
    }
}

impl std::fmt::Debug for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("States").field("groups", &self.groups).finish_non_exhaustive()
    }
}

impl States {
    /// No groups, in `arena`; with room for `expected`.
    pub fn new(layout: &StateLayout, expected: usize, arena: &PaneArena) -> Self {
        let room = if expected == 0 { 0 } else { Rows::words_for(expected, layout.shift).div_ceil(Line::WORDS) };
        Self {
            lines: PaneVec::with_capacity_in(room, arena.clone()),
            groups: 0,
            nulls: PaneVec::new_in(arena.clone()),
            heap: PaneVec::new_in(arena.clone()),
            folds: layout.folds.iter().map(|fold| fold.states(arena)).collect(),
            listed: Default::default(),
        }
    }

    /// Forgets all groups, keeps the memory.
    pub fn clear(&mut self) {
        self.groups = 0;
        self.nulls.clear();
        self.heap.clear();
        self.folds.iter_mut().for_each(|fold| fold.clear());
    }

    /// Makes empty states for groups up to `groups`, if they are not there.
    pub fn grow(&mut self, layout: &StateLayout, groups: usize) {
        if groups <= self.groups || layout.empty.is_empty() {
            return;
        }
        self.lines.resize(Rows::words_for(groups, layout.shift).div_ceil(Line::WORDS), Line::ZERO);
        let words = Line::words_mut(&mut self.lines);
        for row in words[self.groups << layout.shift..groups << layout.shift].chunks_exact_mut(layout.width()) {
            row.copy_from_slice(&layout.empty);
        }
        self.groups = groups;
        self.folds.iter_mut().for_each(|fold| fold.grow(groups));
    }

    /// Makes the state of a group empty again.
    pub fn reset(&mut self, layout: &StateLayout, group: u32) {
        assert!((group as usize) < self.groups || layout.empty.is_empty(), "group {group} of {}", self.groups);
        let words = Line::words_mut(&mut self.lines);
        words[(group as usize) << layout.shift..][..layout.width()].copy_from_slice(&layout.empty);
        for nulls in &mut self.nulls {
            if let Some(nulls) = nulls.get_mut(group as usize) {
                *nulls = 0;
            }
        }
        self.folds.iter_mut().for_each(|fold| fold.reset(group));
    }

    pub(super) fn rows(&mut self, layout: &StateLayout) -> Rows<'_> {
        Rows { words: Line::words_mut(&mut self.lines), shift: layout.shift, groups: self.groups }
    }

    /// The words of `group`.
    pub(super) fn row(&self, layout: &StateLayout, group: u32) -> &[u64] {
        assert!((group as usize) < self.groups, "group {group} of {}", self.groups);
        &Line::words(&self.lines)[(group as usize) << layout.shift..][..layout.width()]
    }

    /// The words of all rows, of which those of `groups` must be there.
    pub(super) fn words(&self, groups: &[u32]) -> &[u64] {
        let last = groups.iter().copied().max();
        assert!(last.is_none_or(|last| (last as usize) < self.groups), "group {last:?} of {}", self.groups);
        Line::words(&self.lines)
    }

    /// NULLs of the first groups in an argument; the others had none.
    pub(super) fn nulls_by_group(&self, argument: usize) -> &[u64] {
        self.nulls.get(argument).map_or(&[], |nulls| nulls)
    }

    /// NULLs of `group` in an argument.
    pub(super) fn nulls(&self, argument: usize, group: u32) -> u64 {
        self.nulls_by_group(argument).get(group as usize).copied().unwrap_or(0)
    }

    /// Takes the selected rows into their groups: `groups[j]` is the group of the j-th. `arguments` has one column for each
    /// argument of the layout. All groups must be there ([`Self::grow`]).
    pub fn update(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        groups: &[u32],
        selection: Option<&[u32]>,
        arguments: &[Column<'_>],
    ) {
        with_inputs(layout, arguments, |inputs| {
            update::update(simd, &mut self.rows(layout), &layout.parts, inputs, groups, selection);
        });
        let row = |j: usize| selection.map_or(j, |selection| selection[j] as usize);
        let rows = groups.iter().enumerate().map(|(j, &group)| (group, row(j)));
        for (index, (column, kept)) in arguments.iter().zip(&layout.kept).enumerate() {
            self.count_nulls(index, rows.clone(), column);
            self.update_others(layout, kept, rows.clone(), column);
        }
        let rows = FoldRows { groups, rows: selection };
        self.folds.iter_mut().for_each(|fold| fold.update(simd, rows, arguments));
    }

    /// Takes rows into one group: all of the first `rows`, or those that `mask` lets through. Else as [`Self::update`].
    pub fn update_one(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        group: u32,
        rows: usize,
        mask: Option<&[u64]>,
        arguments: &[Column<'_>],
    ) {
        with_inputs(layout, arguments, |inputs| {
            update::update_one(simd, &mut self.rows(layout), group, &layout.parts, inputs, rows, mask);
        });
        let passes = |i: &usize| mask.is_none_or(|words| words[i / 64] >> (i % 64) & 1 == 1);
        let rows = (0..rows).filter(passes).map(|i| (group, i));
        for (index, (column, kept)) in arguments.iter().zip(&layout.kept).enumerate() {
            self.count_nulls(index, rows.clone(), column);
            self.update_others(layout, kept, rows.clone(), column);
        }
        if !self.folds.is_empty() {
            let (groups, selected) = &mut self.listed;
            selected.clear();
            selected.extend(rows.map(|(_, i)| i as u32));
            groups.clear();
            groups.resize(selected.len(), group);
            let rows = FoldRows { groups, rows: Some(selected) };
            self.folds.iter_mut().for_each(|fold| fold.update(simd, rows, arguments));
        }
    }

    /// Counts the NULLs of an argument among (group, row).
    pub(super) fn count_nulls(
        &mut self,
        argument: usize,
        rows: impl Iterator<Item = (u32, usize)>,
        column: &Column<'_>,
    ) {
        let Some(validity) = column.validity else { return };
        for (group, i) in rows {
            if validity[i / 64] >> (i % 64) & 1 == 0 {
                self.nulls_of(argument)[group as usize] += 1;
            }
        }
    }

    /// The NULLs of an argument, by group.
    fn nulls_of(&mut self, argument: usize) -> &mut [u64] {
        let arena = self.nulls.allocator().clone();
        while self.nulls.len() <= argument {
            self.nulls.push(PaneVec::new_in(arena.clone()));
        }
        let nulls = &mut self.nulls[argument];
        if nulls.len() < self.groups {
            nulls.resize(self.groups, 0);
        }
        nulls
    }

    /// Updates what stands in no part with rows given as (group, row).
    pub(super) fn update_others(
        &mut self,
        layout: &StateLayout,
        kept: &Kept,
        rows: impl Iterator<Item = (u32, usize)> + Clone,
        column: &Column<'_>,
    ) {
        let Self { lines, heap, .. } = self;
        let words = Line::words_mut(lines);
        let valid = rows.filter(|&(_, i)| column.is_valid(i)).map(|(group, i)| ((group as usize) << layout.shift, i));
        if let Some(word) = kept.squares {
            let values = column.float64();
            for (row, i) in valid.clone() {
                let (square, error) = two_square(values[i]);
                add_to_pair(&mut words[row + word..], square, error);
            }
        }
        if let Some(word) = kept.decimal_sum {
            let values = column.int128();
            valid.clone().for_each(|(row, i)| add_decimal(&mut words[row + word..], values[i], 0));
        }
        if let Some(word) = kept.decimal_extremes {
            let values = column.int128();
            valid.clone().for_each(|(row, i)| keep_decimals(&mut words[row + word..], values[i], values[i]));
        }
        if let Some(word) = kept.texts {
            for (row, i) in valid {
                text::keep::<true, _>(&mut words[row + word], heap, column.text(i));
                text::keep::<false, _>(&mut words[row + word + 1], heap, column.text(i));
            }
        }
    }

    /// Appends copies of the states of `groups`.
    pub fn export(&self, layout: &StateLayout, groups: &[u32], into: &mut StateBlock) {
        for &group in groups {
            let start = into.rows.len();
            into.rows.extend_from_slice(self.row(layout, group));
            let row = &mut into.rows[start..];
            for word in layout.kept.iter().filter_map(|kept| kept.texts).flat_map(|word| [word, word + 1]) {
                if let Some(text) = text::text_of(&self.heap, row[word]) {
                    into.heap.extend_from_slice(text);
                    row[word] = text::word_of(into.heap.len() - text.len(), text.len());
                }
            }
            if !self.nulls.is_empty() {
                into.nulls.extend((0..layout.kept.len()).map(|argument| self.nulls(argument, group)));
            }
        }
        into.folds.resize_with(self.folds.len(), FoldBlock::default);
        for (fold, into) in self.folds.iter().zip(&mut into.folds) {
            fold.export(groups, into);
        }
    }

    /// Merges the states of a block, the i-th into that of `groups[i]`, which must be there.
    pub fn merge(&mut self, layout: &StateLayout, groups: &[u32], from: &StateBlock) {
        // Without a group there may be no memory yet.
        if groups.is_empty() {
            return;
        }
        for (fold, from) in self.folds.iter_mut().zip(&from.folds) {
            fold.merge(groups, from);
        }
        update::merge(&mut self.rows(layout), &layout.parts, groups, &from.rows);
        let Self { lines, heap, .. } = self;
        let words = Line::words_mut(lines);
        for kept in &layout.kept {
            let others = [kept.squares, kept.decimal_sum, kept.decimal_extremes, kept.texts];
            if others.iter().all(Option::is_none) {
                continue;
            }
            for (&group, from_row) in groups.iter().zip(from.rows.chunks_exact(layout.width())) {
                let row = &mut words[(group as usize) << layout.shift..][..layout.width()];
                if let Some(word) = kept.squares {
                    add_to_pair(&mut row[word..], f64::from_bits(from_row[word]), f64::from_bits(from_row[word + 1]));
                }
                if let Some(word) = kept.decimal_sum {
                    let sum = i128_of(from_row[word], from_row[word + 1]);
                    add_decimal(&mut row[word..], sum, from_row[word + 2].cast_signed());
                }
                if let Some(word) = kept.decimal_extremes {
                    let [least, greatest] = [word, word + 2].map(|word| i128_of(from_row[word], from_row[word + 1]));
                    keep_decimals(&mut row[word..], least, greatest);
                }
                if let Some(word) = kept.texts {
                    if let Some(text) = text::text_of(&from.heap, from_row[word]) {
                        text::keep::<true, _>(&mut row[word], heap, text);
                    }
                    if let Some(text) = text::text_of(&from.heap, from_row[word + 1]) {
                        text::keep::<false, _>(&mut row[word + 1], heap, text);
                    }
                }
            }
        }
        if !from.nulls.is_empty() {
            for argument in 0..layout.kept.len() {
                let nulls = self.nulls_of(argument);
                for (&group, from) in groups.iter().zip(from.nulls.chunks_exact(layout.kept.len())) {
                    nulls[group as usize] += from[argument];
                }
            }
        }
    }
}

/// Calls `f` with the inputs of the layout's parts, without taking memory if they are few.
fn with_inputs(layout: &StateLayout, arguments: &[Column<'_>], f: impl FnOnce(&[Input<'_>])) {
    const FEW: usize = 8;
    let count = layout.part_arguments.len();
    let inputs = layout.part_arguments.iter().map(|&argument| input_of(&arguments[argument]));
    if count > FEW {
        return f(&inputs.collect::<Vec<_>>());
    }
    let mut few = [Input { numbers: Numbers::I64(&[]), validity: None }; FEW];
    few.iter_mut().zip(inputs).for_each(|(slot, input)| *slot = input);
    f(&few[..count]);
}

/// The column of a number as kernels take it.
pub(super) fn input_of<'a>(column: &Column<'a>) -> Input<'a> {
    let numbers = match column.values {
        Values::Boolean(words) => Numbers::Bits(words),
        Values::Int32(values) => Numbers::I32(values),
        Values::Int64(values) => Numbers::I64(values),
        Values::Float64(values) => Numbers::F64(values),
        values => panic!("the planner gave an aggregate of numbers an argument of {values:?}"),
    };
    Input { numbers, validity: column.validity }
}

fn add_to_pair(words: &mut [u64], high: f64, low: f64) {
    let [to_high, to_low] = &mut words[..2] else { unreachable!("a pair has two words") };
    add_pair(to_high, to_low, high, low);
}

/// Wraps of the i128 are counted, so that a sum that comes back is exact, in any order.
fn add_decimal(words: &mut [u64], value: i128, carry: i64) {
    let (sum, wrapped) = add_wrapping(i128_of(words[0], words[1]), value);
    put_i128(words, sum);
    words[2] = words[2].wrapping_add_signed(wrapped).wrapping_add_signed(carry);
}

fn keep_decimals(words: &mut [u64], least: i128, greatest: i128) {
    let [least, greatest] = [least.min(i128_of(words[0], words[1])), greatest.max(i128_of(words[2], words[3]))];
    put_i128(words, least);
    put_i128(&mut words[2..], greatest);
}
