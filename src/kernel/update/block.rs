//! Blocks of rows: the values of an argument as one slice, whatever they are selected from.

use std::ops::Range;

use super::{FEW_GROUPS_MAX, Number, Part, SPARE_ROWS};
use crate::kernel::bitmap::live;
use crate::kernel::reduce::{Mask, any_special};
use crate::kernel::simd::Simd;

/// Rows of a block: ids and two columns of it fit a first-level cache. A multiple of 64. Any other value is correct.
pub(super) const BLOCK: usize = 512;

/// An argument's values, for all rows that a selection may name.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    /// Bits as 0 and 1.
    Bits(&'a [u64]),
    /// To be widened.
    I32(&'a [i32]),
    /// As they are.
    I64(&'a [i64]),
    /// As they are.
    F64(&'a [f64]),
}

/// An argument.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The values; what stands at a NULL means nothing.
    pub numbers: Numbers<'a>,
    /// Set bits are valid rows; `None` means all.
    pub validity: Option<&'a [u64]>,
}

/// Values of a block, one after another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values<'a> {
    Integers(&'a [i64]),
    Doubles(&'a [f64]),
}

/// An argument in a block.
pub(super) struct Fetched<'a> {
    pub(super) values: Values<'a>,
    /// `None` if all rows of the block are valid.
    pub(super) valid: Option<&'a [u64]>,
}

impl Fetched<'_> {
    /// Whether row `j` of the block is valid.
    pub(super) fn is_valid(&self, j: usize) -> bool {
        self.valid.is_none_or(|words| words[j / 64] >> (j % 64) & 1 == 1)
    }

    /// Whether there is a NaN or infinity that `part` has to order.
    pub(super) fn special(&self, simd: Simd, part: Part) -> bool {
        match self.values {
            Values::Doubles(values) if part.extremes => any_special(simd, values, self.valid),
            _ => false,
        }
    }
}

/// Memory of a block.
pub(super) struct Scratch {
    pub(super) ids: [u32; BLOCK],
    pub(super) ints: [[i64; BLOCK]; 2],
    pub(super) doubles: [[f64; BLOCK]; 2],
    pub(super) masks: [[u64; BLOCK / 64]; 2],
    /// The rows of each of a few groups.
    pub(super) own: [[u64; BLOCK / 64]; FEW_GROUPS_MAX],
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            ids: [0; BLOCK],
            ints: [[0; BLOCK]; 2],
            doubles: [[0.0; BLOCK]; 2],
            masks: [[0; BLOCK / 64]; 2],
            own: [[0; BLOCK / 64]; FEW_GROUPS_MAX],
        }
    }
}

impl<'a> Input<'a> {
    /// The kind of number that the values become.
    pub fn number(&self) -> Number {
        match self.numbers {
            Numbers::F64(_) => Number::Double,
            _ => Number::Integer,
        }
    }

    /// Panics unless there are values for `rows` selected rows.
    pub(super) fn check(&self, rows: usize, selection: Option<&[u32]>) {
        let needed = match selection {
            None => rows,
            Some(selection) => {
                assert_eq!(selection.len(), rows, "one group a selected row");
                selection.iter().fold(0, |most, &row| most.max(row)) as usize + usize::from(rows > 0)
            }
        };
        let length = match self.numbers {
            Numbers::Bits(words) => words.len() * 64,
            Numbers::I32(values) => values.len(),
            Numbers::I64(values) => values.len(),
            Numbers::F64(values) => values.len(),
        };
        assert!(length >= needed, "{length} values for {needed} rows");
        assert!(self.validity.is_none_or(|words| words.len() >= needed.div_ceil(64)), "validity for {needed} rows");
    }

    /// Validity of row `i`.
    pub(super) fn is_valid(&self, i: usize) -> bool {
        self.validity.is_none_or(|words| words[i / 64] >> (i % 64) & 1 == 1)
    }

    /// The values of `rows` where they lie, if they need no widening.
    pub(super) fn direct(&self, rows: Range<usize>) -> Option<Values<'a>> {
        match self.numbers {
            Numbers::F64(values) => Some(Values::Doubles(&values[rows])),
            Numbers::I64(values) => Some(Values::Integers(&values[rows])),
            Numbers::I32(_) | Numbers::Bits(_) => None,
        }
    }

    /// The integers of `rows`, at most [`BLOCK`].
    pub(super) fn widen<'s>(&self, rows: Range<usize>, out: &'s mut [i64; BLOCK]) -> Values<'s> {
        let out = &mut out[..rows.len()];
        match self.numbers {
            Numbers::F64(_) => panic!("a DOUBLE is not widened"),
            Numbers::I64(values) => out.copy_from_slice(&values[rows]),
            Numbers::I32(values) => out.iter_mut().zip(&values[rows]).for_each(|(slot, &v)| *slot = i64::from(v)),
            Numbers::Bits(words) => {
                out.iter_mut().zip(rows).for_each(|(slot, i)| *slot = (words[i / 64] >> (i % 64) & 1) as i64);
            }
        }
        Values::Integers(out)
    }

    /// The rows of `rows`, from a multiple of 64 on, that are valid and pass `mask`.
    pub(super) fn chosen<'s>(&self, rows: Range<usize>, mask: Mask<'s>, out: &'s mut [u64]) -> Mask<'s>
    where
        'a: 's,
    {
        let words = rows.start / 64..rows.end.div_ceil(64);
        match (mask, self.validity) {
            (None, None) => None,
            (Some(mask), None) => Some(&mask[words]),
            (None, Some(valid)) => Some(&valid[words]),
            (Some(mask), Some(valid)) => {
                let out = &mut out[..words.len()];
                for ((slot, mask), valid) in out.iter_mut().zip(&mask[words.clone()]).zip(&valid[words]) {
                    *slot = mask & valid;
                }
                Some(out)
            }
        }
    }

    /// The values and validity of the selected rows of `range`, which starts at a multiple of [`BLOCK`].
    pub(super) fn fetch<'s>(
        &self,
        range: Range<usize>,
        selection: Option<&[u32]>,
        ints: &'s mut [i64; BLOCK],
        doubles: &'s mut [f64; BLOCK],
        mask: &'s mut [u64; BLOCK / 64],
    ) -> Fetched<'s>
    where
        'a: 's,
    {
        let rows = range.len();
        let selected = selection.map(|selection| &selection[range.clone()]);
        let values = match (self.numbers, selected) {
            (Numbers::F64(values), None) => Values::Doubles(&values[range.clone()]),
            (Numbers::I64(values), None) => Values::Integers(&values[range.clone()]),
            (Numbers::F64(values), Some(selected)) => Values::Doubles(gather(selected, doubles, |i| values[i])),
            (Numbers::I64(values), Some(selected)) => Values::Integers(gather(selected, ints, |i| values[i])),
            (Numbers::I32(values), Some(selected)) => {
                Values::Integers(gather(selected, ints, |i| i64::from(values[i])))
            }
            (Numbers::Bits(words), Some(selected)) => {
                Values::Integers(gather(selected, ints, |i| (words[i / 64] >> (i % 64) & 1) as i64))
            }
            (Numbers::I32(_) | Numbers::Bits(_), None) => self.widen(range.clone(), ints),
        };
        let valid = self.validity.map(|words| {
            let mask = &mut mask[..rows.div_ceil(64)];
            match selected {
                None => mask.copy_from_slice(&words[range.start / 64..][..mask.len()]),
                Some(selected) => {
                    for (word, rows) in mask.iter_mut().zip(selected.chunks(64)) {
                        *word = rows
                            .iter()
                            .enumerate()
                            .fold(0, |word, (j, &i)| word | (words[i as usize / 64] >> (i % 64) & 1) << j);
                    }
                }
            }
            &*mask
        });
        let all = |words: &[u64]| words.iter().enumerate().all(|(w, &word)| word & live(rows, w) == live(rows, w));
        Fetched { values, valid: valid.filter(|words| !all(words)) }
    }
}

fn gather<'s, T: Copy>(selected: &[u32], out: &'s mut [T; BLOCK], value: impl Fn(usize) -> T) -> &'s [T] {
    let out = &mut out[..selected.len()];
    for (slot, &i) in out.iter_mut().zip(selected) {
        *slot = value(i as usize);
    }
    out
}

/// `ids` with the rows that are NULL sent to the spare rows behind the last of `groups`.
pub(super) fn send_nulls<'s>(ids: &[u32], valid: &[u64], groups: u32, out: &'s mut [u32; BLOCK]) -> &'s [u32] {
    for ((slots, ids), &word) in out.chunks_mut(64).zip(ids.chunks(64)).zip(valid) {
        for (j, (slot, &id)) in slots.iter_mut().zip(ids).enumerate() {
            *slot = if word >> j & 1 == 1 { id } else { groups + (j % SPARE_ROWS) as u32 };
        }
    }
    &out[..ids.len()]
}
