//! The state of a row's group after each row, in the order of rows: words per row, for a block at a time.

use std::ops::Range;

use super::block::{BLOCK, Fetched, Input, Scratch};
use super::fused::{Doubles, Integers, Keep, VIEW, with_kind};
use super::{Number, Part, Rows, plain};
use crate::kernel::simd::Simd;

/// What stood in the states after each row of a block.
pub struct Running {
    /// Rows of the group so far.
    pub counts: [u64; BLOCK],
    /// The words of the sum.
    pub sums: [[u64; 2]; BLOCK],
    /// The least and the greatest value.
    pub extremes: [[u64; 2]; BLOCK],
    scratch: Scratch,
}

impl Default for Running {
    fn default() -> Self {
        Self { counts: [0; BLOCK], sums: [[0; 2]; BLOCK], extremes: [[0; 2]; BLOCK], scratch: Scratch::new() }
    }
}

impl Running {
    /// Rows of a block.
    pub const ROWS: usize = BLOCK;

    /// Counts the rows of a block, `groups`.
    pub fn count(&mut self, rows: &mut Rows<'_>, groups: &[u32]) {
        for (&group, count) in groups.iter().zip(&mut self.counts) {
            let word = &mut rows.words[(group as usize) << rows.shift];
            *word += 1;
            *count = *word;
        }
    }

    /// Updates a part with rows `range` of the selected ones, whose groups are `groups`; `range` starts at a multiple of
    /// [`Self::ROWS`] and is no longer. A row that is NULL leaves the state as it is.
    #[expect(clippy::too_many_arguments, reason = "as many as `update`, and the block")]
    pub fn take(
        &mut self,
        simd: Simd,
        rows: &mut Rows<'_>,
        part: Part,
        input: &Input<'_>,
        groups: &[u32],
        range: Range<usize>,
        selection: Option<&[u32]>,
    ) {
        let Self { sums, extremes, scratch, .. } = self;
        let Scratch { ints, doubles, masks, .. } = scratch;
        let fetched = input.fetch(range, selection, &mut ints[0], &mut doubles[0], &mut masks[0]);
        if fetched.valid.is_some() || fetched.special(simd, part) {
            for (j, &group) in groups.iter().enumerate() {
                plain::take_row(rows.row(group as usize), part, &fetched, j);
                let row = rows.row(group as usize);
                if part.sum {
                    sums[j].copy_from_slice(&row[part.sum_word()..][..2]);
                }
                if part.extremes {
                    extremes[j].copy_from_slice(&row[part.extremes_word()..][..2]);
                }
            }
        } else {
            with_kind!(part, K => take_valid::<K>(rows, part, &fetched, groups, sums, extremes));
        }
    }
}

#[inline(always)]
fn take_valid<K: Keep>(
    rows: &mut Rows<'_>,
    part: Part,
    fetched: &Fetched<'_>,
    groups: &[u32],
    sums: &mut [[u64; 2]; BLOCK],
    extremes: &mut [[u64; 2]; BLOCK],
) {
    let values = K::values(&fetched.values).iter().zip(sums).zip(extremes);
    for (&group, ((&value, sum), extremes)) in groups.iter().zip(values) {
        let words = &mut rows.words[((group as usize) << rows.shift) + part.word..];
        let row: &mut [u64; VIEW] = words.first_chunk_mut().expect("spare words stand behind the last row");
        K::take(row, 0, value);
        let mut word = 0;
        if part.sum {
            *sum = [row[0], row[1]];
            word = 2;
        }
        if part.extremes {
            *extremes = [row[word], row[word + 1]];
        }
    }
}
