//! The definition: one row after another, one part after another.

use super::block::{Fetched, Input, Numbers, Values};
use super::fused::{AHEAD, prefetch};
use super::sums::{i128_of, put_i128, two_sum};
use super::{Number, Part, Rows};
use crate::kernel::reduce::{self, Mask};
use crate::kernel::simd::Simd;

/// [`super::update`].
pub(super) fn update(
    rows: &mut Rows<'_>,
    parts: &[Part],
    inputs: &[Input<'_>],
    groups: &[u32],
    selection: Option<&[u32]>,
) {
    for (j, &group) in groups.iter().enumerate() {
        assert!((group as usize) < rows.groups, "group {group} of {}", rows.groups);
        let i = selection.map_or(j, |selection| selection[j] as usize);
        let row = rows.row(group as usize);
        row[0] += 1;
        for (part, input) in parts.iter().zip(inputs).filter(|(_, input)| input.is_valid(i)) {
            match input.numbers {
                Numbers::Bits(words) => take_integer(row, *part, (words[i / 64] >> (i % 64) & 1) as i64),
                Numbers::I32(values) => take_integer(row, *part, i64::from(values[i])),
                Numbers::I64(values) => take_integer(row, *part, values[i]),
                Numbers::F64(values) => take_double(row, *part, values[i]),
            }
        }
    }
}

/// Does what is left to do for the NaN and infinities of a block, if there are any that `part` orders.
pub(super) fn mark_block(simd: Simd, rows: &mut Rows<'_>, part: Part, fetched: &Fetched<'_>, ids: &[u32]) {
    if !fetched.special(simd, part) {
        return;
    }
    let Values::Doubles(values) = fetched.values else { return };
    for (j, (&id, &value)) in ids.iter().zip(values).enumerate() {
        if fetched.is_valid(j) {
            mark_special(&mut rows.row(id as usize)[part.extremes_word()..], value);
        }
    }
}

/// The same where all values are of one row's group and `mask` says which count.
pub(super) fn mark_values(simd: Simd, row: &mut [u64], part: Part, values: &Values<'_>, mask: Mask<'_>) {
    let Values::Doubles(values) = values else { return };
    if part.extremes && reduce::any_special(simd, values, mask) {
        for (j, &value) in values.iter().enumerate() {
            if mask.is_none_or(|words| words[j / 64] >> (j % 64) & 1 == 1) {
                mark_special(&mut row[part.extremes_word()..], value);
            }
        }
    }
}

/// Takes row `j` of a block into one part, if it is valid.
pub(super) fn take_row(row: &mut [u64], part: Part, fetched: &Fetched<'_>, j: usize) {
    if fetched.is_valid(j) {
        match fetched.values {
            Values::Integers(values) => take_integer(row, part, values[j]),
            Values::Doubles(values) => take_double(row, part, values[j]),
        }
    }
}

fn take_integer(row: &mut [u64], part: Part, value: i64) {
    if part.sum {
        add_integer(&mut row[part.sum_word()..], i128::from(value));
    }
    if part.extremes {
        keep_integers(&mut row[part.extremes_word()..], value, value);
    }
}

fn take_double(row: &mut [u64], part: Part, value: f64) {
    if part.sum {
        add_double(&mut row[part.sum_word()..], value, 0.0);
    }
    if part.extremes {
        keep_double(&mut row[part.extremes_word()..], value);
    }
}

fn add_integer(words: &mut [u64], value: i128) {
    put_i128(words, i128_of(words[0], words[1]).wrapping_add(value));
}

fn add_double(words: &mut [u64], high: f64, low: f64) {
    let (sum, error) = two_sum(f64::from_bits(words[0]), high);
    words[0] = sum.to_bits();
    words[1] = (f64::from_bits(words[1]) + (error + low)).to_bits();
}

fn keep_integers(words: &mut [u64], least: i64, greatest: i64) {
    words[0] = least.min(words[0] as i64) as u64;
    words[1] = greatest.max(words[1] as i64) as u64;
}

/// The greatest value where NaN was seen but infinity was not: then the least value, if it is infinity still, stands for
/// NaN.
const NAN_ONLY: u64 = 0x7FF8_0000_0000_0000;

/// The greatest value where NaN was seen and infinity too.
const NAN_AND_INFINITY: u64 = 0x7FF8_0000_0000_0001;

fn keep_double(words: &mut [u64], value: f64) {
    let (least, greatest) = (f64::from_bits(words[0]), f64::from_bits(words[1]));
    if value < least {
        words[0] = value.to_bits();
    }
    if value > greatest {
        words[1] = value.to_bits();
    }
    mark_special(words, value);
}

/// What is left to do for NaN and infinity after comparisons, which pass over NaN: NaN is the greatest of all values, and
/// whether infinity was there too is remembered for the sake of the least. It does not matter when that is done, as long as
/// it is done in the end.
pub(super) fn mark_special(words: &mut [u64], value: f64) {
    let greatest = f64::from_bits(words[1]);
    if value.is_nan() {
        if !greatest.is_nan() {
            words[1] = if greatest == f64::INFINITY { NAN_AND_INFINITY } else { NAN_ONLY };
        }
    } else if value == f64::INFINITY && greatest.is_nan() {
        words[1] = NAN_AND_INFINITY;
    }
}

/// Merges extremes of doubles.
fn merge_doubles(words: &mut [u64], from: &[u64]) {
    let infinite = |words: &[u64]| words[1] == NAN_AND_INFINITY || f64::from_bits(words[1]) == f64::INFINITY;
    let (nan, infinite) =
        (f64::from_bits(words[1]).is_nan() || f64::from_bits(from[1]).is_nan(), infinite(words) || infinite(from));
    let (least, greatest) = (f64::from_bits(from[0]), f64::from_bits(from[1]));
    if least < f64::from_bits(words[0]) {
        words[0] = least.to_bits();
    }
    words[1] = match (nan, infinite) {
        (true, true) => NAN_AND_INFINITY,
        (true, false) => NAN_ONLY,
        (false, _) if greatest > f64::from_bits(words[1]) => greatest.to_bits(),
        (false, _) => words[1],
    };
}

/// MIN and MAX of DOUBLE from their two words, of which at least one value was taken: NaN above all numbers, and neither a
/// sign on zero nor one on NaN.
#[inline]
pub fn finished_doubles(words: [u64; 2]) -> [f64; 2] {
    let [least, greatest] = words.map(f64::from_bits);
    [
        if least == f64::INFINITY && words[1] == NAN_ONLY { f64::NAN } else { least + 0.0 },
        if greatest.is_nan() { f64::NAN } else { greatest + 0.0 },
    ]
}

/// Takes the rows of a block that pass `mask` into one part of one row, but for the marks of NaN and infinity.
pub(super) fn take_reduced(simd: Simd, row: &mut [u64], part: Part, values: &Values<'_>, mask: Mask<'_>) {
    match values {
        Values::Integers(values) => {
            let all = match (part.sum, part.extremes) {
                (true, true) => reduce::integers::<true, true>(simd, values, mask),
                (true, false) => reduce::integers::<true, false>(simd, values, mask),
                _ => reduce::integers::<false, true>(simd, values, mask),
            };
            if part.sum {
                add_integer(&mut row[part.sum_word()..], all.sum);
            }
            if part.extremes {
                keep_integers(&mut row[part.extremes_word()..], all.least, all.greatest);
            }
        }
        Values::Doubles(values) => {
            let all = match (part.sum, part.extremes) {
                (true, true) => reduce::doubles::<true, true>(simd, values, mask),
                (true, false) => reduce::doubles::<true, false>(simd, values, mask),
                _ => reduce::doubles::<false, true>(simd, values, mask),
            };
            if part.sum {
                add_double(&mut row[part.sum_word()..], all.high, all.low);
            }
            if part.extremes {
                merge_doubles(&mut row[part.extremes_word()..], &[all.least, all.greatest].map(f64::to_bits));
            }
        }
    }
}

/// Merges the count and the parts of rows that stand one after another in `from`, as wide as those of `rows`: the i-th
/// into the row of `groups[i]`.
pub fn merge(rows: &mut Rows<'_>, parts: &[Part], groups: &[u32], from: &[u64]) {
    rows.check(parts);
    assert_eq!(from.len(), groups.len() << rows.shift, "one row a group");
    for (i, (&group, from)) in groups.iter().zip(from.chunks_exact(1 << rows.shift)).enumerate() {
        if let Some(&next) = groups.get(i + AHEAD) {
            prefetch(rows.words.as_ptr().wrapping_add((next as usize) << rows.shift));
        }
        assert!((group as usize) < rows.groups, "group {group} of {}", rows.groups);
        merge_row(rows.row(group as usize), from, parts);
    }
}

/// Merges the count and the parts of a row into those of another.
fn merge_row(row: &mut [u64], from: &[u64], parts: &[Part]) {
    row[0] += from[0];
    for part in parts {
        match part.number {
            Number::Integer => {
                if part.sum {
                    let [low, high] = [from[part.sum_word()], from[part.sum_word() + 1]];
                    add_integer(&mut row[part.sum_word()..], i128_of(low, high));
                }
                if part.extremes {
                    let [least, greatest] = [from[part.extremes_word()], from[part.extremes_word() + 1]];
                    keep_integers(&mut row[part.extremes_word()..], least as i64, greatest as i64);
                }
            }
            Number::Double => {
                if part.sum {
                    let [high, low] = [from[part.sum_word()], from[part.sum_word() + 1]].map(f64::from_bits);
                    add_double(&mut row[part.sum_word()..], high, low);
                }
                if part.extremes {
                    merge_doubles(&mut row[part.extremes_word()..], &from[part.extremes_word()..]);
                }
            }
        }
    }
}
