//! Updating the state rows of groups: rows of words, one a group, all aggregates of a group side by side.
//!
//! ```text
//! word 0      rows of the group
//! then, for each argument that is a number, a part:
//!   sum       2 words: BIGINT an i128 (low, high), DOUBLE a compensated pair (high, low) as bits
//!   extremes  2 words: the least and the greatest value, i64 or DOUBLE as bits
//! ```
//!
//! A row is a power of two words wide and rows start at a cache line, so a row of eight words is one line. Rows that are
//! NULL in an argument do not touch its part, but count in word 0. An empty part holds the neutral elements ([`Part::clear`]):
//! infinity as the least DOUBLE, minus infinity as the greatest. MIN and MAX order NaN above all numbers; words of DOUBLE are
//! read by [`finished_doubles`].
//!
//! How it is done, by what a block of rows shows; every way gives the same finished values (the one exception are
//! sums of DOUBLE that need more than 106 bits):
//! * one group, or one key in the whole block: [`super::reduce`] over the columns;
//! * up to four groups (AVX-512; two otherwise): the same, once per group, over the rows whose group it is;
//! * else one pass that updates the count and the parts of two arguments of a row before it goes to the next row, with the
//!   rows to come prefetched where the states are larger than a cache. It is bound by instructions (about 26 a row for
//!   five aggregates, 5 cycles). On the CPUs that we know a load right after a store to its address costs next to nothing in
//!   this scalar form, so copies of the states for few groups gain nothing, and vectors over the words of one row lose;
//! * NULLs: rows that are NULL are sent to spare rows, one argument at a time;
//! * comparisons pass over NaN; the rare blocks with NaN or infinity under MIN or MAX are gone through once more.
//!
//! Nothing is allocated. About 50 KB of stack are used.

mod block;
mod fused;
mod plain;
mod running;
mod sums;
#[cfg(test)]
mod tests;

pub use block::{Input, Numbers};
pub use plain::{finished_doubles, merge};
pub use running::Running;
pub use sums::{
    Distances, PAIR_WORDS, add_moments, add_pair, add_pair_sums, add_point, add_wrapping, distances, i128_of,
    pair_value, put_i128, squared_distances, two_square, two_sum,
};

use super::reduce::{self, Mask};
use super::simd::Simd;
use block::{BLOCK, Scratch};
use std::ops::Range;

/// Rows behind the last group's that hold nothing of use: NULLs go there, in turn, so that they do not wait for each other.
pub const SPARE_ROWS: usize = 8;

/// Words past the spare rows that must be there: a row is looked at as an array of this many words.
pub const SPARE_WORDS: usize = fused::VIEW;

/// Bytes of states from which on rows are prefetched. Any value is correct; this is half of a common L2 cache.
const FAR_BYTES: usize = 1 << 20;

/// A cache line of words: the element of vectors of states, for its alignment.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([u64; 8]);

impl Line {
    /// Words of a line.
    pub const WORDS: usize = 8;
    /// All words zero.
    pub const ZERO: Self = Self([0; 8]);

    /// The words of `lines`.
    pub fn words(lines: &[Self]) -> &[u64] {
        // SAFETY: a line is exactly eight words, without padding, and aligned more strictly than they.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * Self::WORDS) }
    }

    /// The words of `lines`, to change.
    pub fn words_mut(lines: &mut [Self]) -> &mut [u64] {
        // SAFETY: as for `words`; the lines are borrowed mutably as long as the words are.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * Self::WORDS) }
    }
}

/// The kind of number that a part keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// i64, or what is widened to it.
    Integer,
    /// DOUBLE.
    Double,
}

/// What is kept of one argument, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Of what.
    pub number: Number,
    /// Whether the sum is kept.
    pub sum: bool,
    /// Whether the least and the greatest value are kept.
    pub extremes: bool,
    /// First word.
    pub word: usize,
}

impl Part {
    /// Number of words.
    pub fn words(self) -> usize {
        2 * usize::from(self.sum) + 2 * usize::from(self.extremes)
    }

    /// First of the two words of the sum; only if it is kept.
    pub fn sum_word(self) -> usize {
        debug_assert!(self.sum);
        self.word
    }

    /// First of the two words of the extremes; only if they are kept.
    pub fn extremes_word(self) -> usize {
        debug_assert!(self.extremes);
        self.word + 2 * usize::from(self.sum)
    }

    /// Makes the part of `row` empty.
    pub fn clear(self, row: &mut [u64]) {
        if self.sum {
            row[self.sum_word()..][..2].fill(0);
        }
        if self.extremes {
            row[self.extremes_word()..][..2].copy_from_slice(&match self.number {
                Number::Integer => [i64::MAX as u64, i64::MIN as u64],
                Number::Double => [f64::INFINITY.to_bits(), f64::NEG_INFINITY.to_bits()],
            });
        }
    }
}

/// The rows of groups.
#[derive(Debug)]
pub struct Rows<'a> {
    /// Row `i` starts at word `i << shift`. Behind the groups stand [`SPARE_ROWS`] rows and [`SPARE_WORDS`] words.
    pub words: &'a mut [u64],
    /// A row has `1 << shift` words.
    pub shift: u32,
    /// Number of groups.
    pub groups: usize,
}

impl Rows<'_> {
    /// Words that [`Rows::words`] must have.
    pub fn words_for(groups: usize, shift: u32) -> usize {
        ((groups + SPARE_ROWS) << shift) + SPARE_WORDS
    }

    fn row(&mut self, group: usize) -> &mut [u64] {
        &mut self.words[group << self.shift..][..1 << self.shift]
    }

    fn check(&self, parts: &[Part]) {
        assert!(self.words.len() >= Self::words_for(self.groups, self.shift), "states for all groups and spare rows");
        let mut word = 1;
        for part in parts {
            assert_eq!(part.word, word, "parts stand one after another");
            word += part.words();
        }
        assert!(word <= 1 << self.shift, "the parts fit a row");
    }
}

/// The most groups that are reduced one by one. Any value is correct. Five aggregates take 1.3 cycles a row and group more
/// in vectors of 512 bits, against 5 cycles a row for any number of groups.
fn few_groups(simd: Simd) -> usize {
    if simd.is_avx512() { FEW_GROUPS_MAX } else { 1 }
}

/// The most that [`few_groups`] says.
const FEW_GROUPS_MAX: usize = 3;

/// Takes the selected rows into their groups: `groups[j]` is the group of row `selection[j]`, or of row `j` without a
/// selection. `inputs[p]` is what `parts[p]` keeps; parts stand one after another from word 1, integers before doubles.
/// NULLs are not counted here.
pub fn update(
    simd: Simd,
    rows: &mut Rows<'_>,
    parts: &[Part],
    inputs: &[Input<'_>],
    groups: &[u32],
    selection: Option<&[u32]>,
) {
    rows.check(parts);
    assert_eq!(parts.len(), inputs.len(), "one input a part");
    assert!(parts.is_sorted_by_key(|part| part.number), "integers before doubles");
    inputs.iter().for_each(|input| input.check(groups.len(), selection));
    if simd.is_scalar() {
        return plain::update(rows, parts, inputs, groups, selection);
    }
    if rows.groups == 1 && selection.is_none() {
        assert!(groups.iter().all(|&group| group == 0), "there is one group");
        return update_one(simd, rows, 0, parts, inputs, groups.len(), None);
    }
    let mut scratch = Scratch::new();
    for (b, ids) in groups.chunks(BLOCK).enumerate() {
        let range = b * BLOCK..b * BLOCK + ids.len();
        let (first, last) = ids.iter().fold((u32::MAX, 0), |(low, high), &id| (low.min(id), high.max(id)));
        assert!((last as usize) < rows.groups, "group {last} of {}", rows.groups);
        if ((last - first) as usize) < few_groups(simd) {
            reduce_block(simd, rows, parts, inputs, ids, range, selection, (first, last), &mut scratch);
        } else {
            fused_block(simd, rows, parts, inputs, groups, range, selection, &mut scratch);
        }
    }
}

/// Takes rows into one group: all of the first `count`, or those that `mask` lets through (bit `i` for row `i`, zero past the
/// end), so that a filter needs no list of rows. Else as [`update`].
pub fn update_one(
    simd: Simd,
    rows: &mut Rows<'_>,
    group: u32,
    parts: &[Part],
    inputs: &[Input<'_>],
    count: usize,
    mask: Mask<'_>,
) {
    rows.check(parts);
    assert_eq!(parts.len(), inputs.len(), "one input a part");
    assert!((group as usize) < rows.groups, "group {group} of {}", rows.groups);
    assert!(mask.is_none_or(|words| words.len() == count.div_ceil(64)), "one mask word for each 64 rows");
    inputs.iter().for_each(|input| input.check(count, None));
    let row = rows.row(group as usize);
    row[0] += reduce::count(count, mask);
    let mut buffer = [0; BLOCK];
    let mut words = [0; ONE_ROWS / 64];
    for start in (0..count).step_by(ONE_ROWS) {
        let chunk = start..count.min(start + ONE_ROWS);
        for (part, input) in parts.iter().zip(inputs) {
            let chosen = input.chosen(chunk.clone(), mask, &mut words);
            if let Some(values) = input.direct(chunk.clone()) {
                plain::take_reduced(simd, row, *part, &values, chosen);
                plain::mark_values(simd, row, *part, &values, chosen);
                continue;
            }
            for (b, block) in chunk.clone().step_by(BLOCK).enumerate() {
                let block = block..chunk.end.min(block + BLOCK);
                let chosen = chosen.map(|words| &words[b * (BLOCK / 64)..][..block.len().div_ceil(64)]);
                plain::take_reduced(simd, row, *part, &input.widen(block, &mut buffer), chosen);
            }
        }
    }
}

/// Rows that [`update_one`] reduces at a time: enough for what folding the lanes costs, few enough to be in a cache when they
/// are looked at for NaN. A multiple of the rows of a block. Any other value is correct.
const ONE_ROWS: usize = 2048;

/// A block of which only the groups `first..=last` occur, reduced group by group.
#[expect(clippy::too_many_arguments, reason = "one step of `update`, apart for its length")]
fn reduce_block(
    simd: Simd,
    rows: &mut Rows<'_>,
    parts: &[Part],
    inputs: &[Input<'_>],
    ids: &[u32],
    range: Range<usize>,
    selection: Option<&[u32]>,
    (first, last): (u32, u32),
    scratch: &mut Scratch,
) {
    let Scratch { ints, doubles, masks, own, .. } = scratch;
    let words = ids.len().div_ceil(64);
    if first == last {
        rows.row(first as usize)[0] += ids.len() as u64;
    } else {
        for (group, own) in (first..=last).zip(&mut *own) {
            reduce::equal(simd, ids, group, &mut own[..words]);
            rows.row(group as usize)[0] += reduce::count(ids.len(), Some(&own[..words]));
        }
    }
    for (part, input) in parts.iter().zip(inputs) {
        let fetched = input.fetch(range.clone(), selection, &mut ints[0], &mut doubles[0], &mut masks[0]);
        for (group, own) in (first..=last).zip(&*own) {
            let mut both = *own;
            let mask = match fetched.valid {
                valid if first == last => valid,
                None => Some(&own[..words]),
                Some(valid) => {
                    both.iter_mut().zip(valid).for_each(|(word, valid)| *word &= valid);
                    Some(&both[..words])
                }
            };
            plain::take_reduced(simd, rows.row(group as usize), *part, &fetched.values, mask);
        }
        plain::mark_block(simd, rows, *part, &fetched, ids);
    }
}

/// A block of many groups.
#[expect(clippy::too_many_arguments, reason = "one step of `update`, apart for its length")]
fn fused_block(
    simd: Simd,
    rows: &mut Rows<'_>,
    parts: &[Part],
    inputs: &[Input<'_>],
    groups: &[u32],
    range: Range<usize>,
    selection: Option<&[u32]>,
    scratch: &mut Scratch,
) {
    let Scratch { ints: [a_ints, b_ints], doubles: [a_doubles, b_doubles], masks: [a_mask, b_mask], ids: sent, .. } =
        scratch;
    let ids = &groups[range.clone()];
    let far = (rows.groups << rows.shift) * size_of::<u64>() > FAR_BYTES;
    let next = far.then(|| groups.get(range.start + fused::AHEAD..).unwrap_or(&[]));
    let mut taken = 0;
    if let ([a, b, ..], [a_input, b_input, ..]) = (parts, inputs) {
        let a_fetched = a_input.fetch(range.clone(), selection, a_ints, a_doubles, a_mask);
        let b_fetched = b_input.fetch(range.clone(), selection, b_ints, b_doubles, b_mask);
        if a_fetched.valid.is_none() && b_fetched.valid.is_none() {
            fused::pair(rows, ids, next, (*a, &a_fetched.values), (*b, &b_fetched.values));
            plain::mark_block(simd, rows, *a, &a_fetched, ids);
            plain::mark_block(simd, rows, *b, &b_fetched, ids);
            taken = 2;
        }
    }
    let mut counted = taken > 0;
    for (part, input) in parts.iter().zip(inputs).skip(taken) {
        let fetched = input.fetch(range.clone(), selection, a_ints, a_doubles, a_mask);
        // The first part may count the rows on its way, if no row is sent elsewhere.
        let counts = !counted && part.word == 1 && fetched.valid.is_none();
        let targets = match fetched.valid {
            None => ids,
            Some(valid) => block::send_nulls(ids, valid, rows.groups as u32, sent),
        };
        fused::single(rows, counts, targets, next, (*part, &fetched.values));
        plain::mark_block(simd, rows, *part, &fetched, ids);
        counted |= counts;
    }
    if !counted {
        fused::count(rows, ids, next);
    }
}
