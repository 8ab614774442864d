//! The state rows of groups: what each takes in, how two merge. What comes out is in `finish`.

use bumpalo::Bump;

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, Values};
use crate::kernel::Simd;
use crate::kernel::update::{
    self, Input, Line, Numbers, Rows, Running, add_pair, add_wrapping, i128_of, put_i128, two_square,
};

use super::StateLayout;
use super::layout::Kept;
use super::text;

/// The states of groups, by dense group id, in a pane's arena.
pub struct States {
    lines: PaneVec<Line>,
    groups: usize,
    /// For each argument, the rows of each group that were NULL; empty until there is one.
    pub(super) nulls: PaneVec<PaneVec<u64>>,
    pub(super) heap: PaneVec<u8>,
    /// Memory of [`Self::update_running`].
    pub(super) running: Option<Box<Running>>,
}

/// Some states on their way to another table: rows one after another, in plain vectors, which may cross threads.
#[derive(Debug, Default)]
pub struct StateBlock {
    rows: Vec<u64>,
    /// For each row, the NULLs of each argument; empty if no argument had one.
    nulls: Vec<u64>,
    heap: Vec<u8>,
}

impl StateBlock {
    /// Drops all rows, keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.nulls.clear();
        self.heap.clear();
    }
}

impl std::fmt::Debug for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("States").field("groups", &self.groups).finish_non_exhaustive()
    }
}

impl States {
    /// No groups, in `arena`; with room for `expected` of them.
    pub fn new(layout: &StateLayout, expected: usize, arena: &PaneArena) -> Self {
        let lines = Rows::words_for(expected, layout.shift).div_ceil(Line::WORDS);
        Self {
            lines: PaneVec::with_capacity_in(lines, arena.clone()),
            groups: 0,
            nulls: PaneVec::new_in(arena.clone()),
            heap: PaneVec::new_in(arena.clone()),
            running: None,
        }
    }

    /// Makes empty states for groups up to `groups`, if they are not there.
    pub fn grow(&mut self, layout: &StateLayout, groups: usize) {
        if groups <= self.groups {
            return;
        }
        self.lines.resize(Rows::words_for(groups, layout.shift).div_ceil(Line::WORDS), Line::ZERO);
        let words = Line::words_mut(&mut self.lines);
        for row in words[self.groups << layout.shift..groups << layout.shift].chunks_exact_mut(layout.width()) {
            row.copy_from_slice(&layout.empty);
        }
        self.groups = groups;
    }

    pub(super) fn rows(&mut self, layout: &StateLayout) -> Rows<'_> {
        Rows { words: Line::words_mut(&mut self.lines), shift: layout.shift, groups: self.groups }
    }

    /// The words of `group`.
    pub(super) fn row(&self, layout: &StateLayout, group: u32) -> &[u64] {
        assert!((group as usize) < self.groups, "group {group} of {}", self.groups);
        &Line::words(&self.lines)[(group as usize) << layout.shift..][..layout.width()]
    }

    /// NULLs of `group` in an argument.
    pub(super) fn nulls(&self, argument: usize, group: u32) -> u64 {
        self.nulls.get(argument).and_then(|nulls| nulls.get(group as usize)).copied().unwrap_or(0)
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
        let with_inputs = |inputs: &[Input<'_>], states: &mut Self| {
            update::update(simd, &mut states.rows(layout), &layout.parts, inputs, groups, selection);
        };
        let inputs = layout.part_arguments.iter().map(|&argument| input_of(&arguments[argument]));
        with_few(inputs, |inputs| with_inputs(inputs, self));
        for (index, (column, kept)) in arguments.iter().zip(&layout.kept).enumerate() {
            if column.validity.is_some() {
                self.count_nulls(index, groups, selection, column, |_, _| {});
            }
            self.update_others(layout, kept, groups, selection, column);
        }
    }

    /// Takes `rows` rows, or those of them that pass `mask`, into group 0, which must be there. The layout must take masks.
    pub fn update_only(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        rows: usize,
        mask: Option<&[u64]>,
        arguments: &[Column<'_>],
        arena: &Bump,
    ) {
        debug_assert!(layout.takes_masks());
        let ones = |words: &[u64]| words.iter().map(|word| u64::from(word.count_ones())).sum();
        let both = |validity: Option<&'_ [u64]>| match (validity, mask) {
            (Some(valid), Some(mask)) => {
                Some(&*arena.alloc_slice_fill_iter(valid.iter().zip(mask).map(|(valid, mask)| valid & mask)))
            }
            (valid, mask) => valid.or(mask).map(|words| &*arena.alloc_slice_copy(words)),
        };
        let taken = mask.map_or(rows as u64, ones);
        let inputs = layout.part_arguments.iter().map(|&argument| {
            let column = &arguments[argument];
            Input { validity: both(column.validity), ..input_of(column) }
        });
        with_few(inputs, |inputs| {
            update::update_only(simd, &mut self.rows(layout), &layout.parts, inputs, rows, taken)
        });
        for (argument, column) in arguments.iter().enumerate() {
            if column.validity.is_some() {
                let nulls = taken - both(column.validity).map_or(taken, ones);
                self.add_nulls(argument, 0, nulls);
            }
        }
    }

    /// Adds to the NULLs of `group` in an argument.
    fn add_nulls(&mut self, argument: usize, group: u32, more: u64) {
        let arena = self.nulls.allocator().clone();
        while self.nulls.len() <= argument {
            self.nulls.push(PaneVec::new_in(arena.clone()));
        }
        let nulls = &mut self.nulls[argument];
        if nulls.len() <= group as usize {
            nulls.resize(self.groups, 0);
        }
        nulls[group as usize] += more;
    }

    /// Counts the NULLs of an argument, and calls `each` with every row of `groups` and the NULLs of its group so far.
    pub(super) fn count_nulls(
        &mut self,
        argument: usize,
        groups: &[u32],
        selection: Option<&[u32]>,
        column: &Column<'_>,
        mut each: impl FnMut(usize, u64),
    ) {
        for (j, &group) in groups.iter().enumerate() {
            if !column.is_valid(selection.map_or(j, |selection| selection[j] as usize)) {
                self.add_nulls(argument, group, 1);
            }
            each(j, self.nulls(argument, group));
        }
    }

    /// Updates what stands in no part.
    pub(super) fn update_others(
        &mut self,
        layout: &StateLayout,
        kept: &Kept,
        groups: &[u32],
        selection: Option<&[u32]>,
        column: &Column<'_>,
    ) {
        let Self { lines, heap, .. } = self;
        let words = Line::words_mut(lines);
        let valid = groups.iter().enumerate().filter_map(|(j, &group)| {
            let i = selection.map_or(j, |selection| selection[j] as usize);
            column.is_valid(i).then_some(((group as usize) << layout.shift, i))
        });
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
    }

    /// Merges the states of a block, the i-th into that of `groups[i]`, which must be there.
    pub fn merge(&mut self, layout: &StateLayout, groups: &[u32], from: &StateBlock) {
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
            let arena = self.nulls.allocator().clone();
            while self.nulls.len() < layout.kept.len() {
                self.nulls.push(PaneVec::new_in(arena.clone()));
            }
            for (argument, nulls) in self.nulls.iter_mut().enumerate() {
                nulls.resize(self.groups, 0);
                for (&group, from) in groups.iter().zip(from.nulls.chunks_exact(layout.kept.len())) {
                    nulls[group as usize] += from[argument];
                }
            }
        }
    }
}

/// Calls `f` with the inputs as a slice, without taking memory if they are few.
fn with_few<'a>(inputs: impl ExactSizeIterator<Item = Input<'a>>, f: impl FnOnce(&[Input<'a>])) {
    const FEW: usize = 8;
    let count = inputs.len();
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
