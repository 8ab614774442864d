//! Small domains of keys: where every key column is a dictionary or an integer of a small range, a key is a number.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use bumpalo::Bump;

use crate::batch::{Column, Values};
use crate::kernel::direct::bounds;

/// The numbers of a batch's keys.
#[derive(Debug, Clone, Copy)]
pub struct DirectRows<'a> {
    /// One number a row, selected or not, below `size`.
    pub indices: &'a [u32],
    /// Number of keys that there may be.
    pub size: usize,
    /// Changes when the meaning of the numbers changes.
    pub version: u64,
}

/// What a column's values are numbered by.
#[derive(Debug)]
enum Digits {
    /// Nothing yet.
    Unknown,
    /// Codes of this dictionary, which is held so that nothing else can come to stand at its address.
    Codes(ArrayRef),
    /// Codes of a dictionary that lives for one batch only.
    Passing(usize),
    /// Integers from `least` on, so many.
    Range { least: i64, count: usize },
    /// False and true.
    Boolean,
}

/// The domains of the key columns of a query, as seen so far.
#[derive(Debug)]
pub struct Domain {
    columns: Vec<Digits>,
    version: u64,
    /// Batches since the domains last changed.
    stable: u32,
    /// Batches that are not looked at, because the one before them had too large a domain.
    skipped: u32,
}

impl Domain {
    /// Domains up to this are always small.
    const SMALL: usize = 1 << 16;
    /// Greatest domain: a map of 64 MiB.
    const GREATEST: usize = 1 << 24;
    /// Entries of the map for each row that a pane holds, at most: the map is cleared for each pane.
    const ENTRIES_PER_ROW: usize = 8;
    /// Batches until a domain that was too large is looked at again. Streams drift.
    const SKIP_BATCHES: u32 = 64;

    /// For that many key columns.
    pub fn new(columns: usize) -> Self {
        let columns = (0..columns).map(|_| Digits::Unknown).collect();
        Self { columns, version: 0, stable: 0, skipped: 0 }
    }

    /// Numbers the keys of all rows of a batch, if their domain is small for panes of `pane_rows` rows.
    pub fn index<'a>(
        &mut self,
        columns: &[Column<'a>],
        rows: usize,
        pane_rows: usize,
        arena: &'a Bump,
    ) -> Option<DirectRows<'a>> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return None;
        }
        let (mut changed, mut too_large) = (false, false);
        for (digits, column) in self.columns.iter_mut().zip(columns) {
            match digits.widen(column) {
                Some(widened) => changed |= widened,
                None => {
                    changed = true;
                    too_large = true;
                }
            }
        }
        if changed {
            self.version += 1;
            self.stable = 0;
        } else {
            self.stable = self.stable.saturating_add(1);
        }
        if too_large {
            self.skipped = Self::SKIP_BATCHES;
            return None;
        }
        let size = self.columns.iter().try_fold(1, |size: usize, digits| size.checked_mul(digits.count() + 1))?;
        // A map that was valid for one batch only must pay within it.
        let greatest = match self.stable {
            0 => 2 * rows,
            _ => Self::SMALL.max(pane_rows.saturating_mul(Self::ENTRIES_PER_ROW)).min(Self::GREATEST),
        };
        if size > greatest.max(64) {
            return None;
        }
        let indices = self.numbers(columns, rows, arena);
        Some(DirectRows { indices, size, version: self.version })
    }

    fn numbers<'a>(&self, columns: &[Column<'a>], rows: usize, arena: &'a Bump) -> &'a [u32] {
        if let [Column { values: Values::Dictionary { codes, .. }, validity: None }] = columns {
            return &codes[..rows];
        }
        let indices = arena.alloc_slice_fill_copy(rows, 0);
        for (digits, column) in self.columns.iter().zip(columns) {
            let count = digits.count() as u32;
            match (digits, column.values) {
                (Digits::Range { least, .. }, Values::Int32(values)) => {
                    append(indices, count, |i| i64::from(values[i]).wrapping_sub(*least) as u64);
                }
                (Digits::Range { least, .. }, Values::Int64(values)) => {
                    append(indices, count, |i| values[i].wrapping_sub(*least) as u64);
                }
                (Digits::Boolean, Values::Boolean(words)) => append(indices, count, |i| words[i / 64] >> (i % 64) & 1),
                (_, Values::Dictionary { codes, .. }) => append(indices, count, |i| u64::from(codes[i])),
                (digits, values) => panic!("{digits:?} number no {values:?}"),
            }
            if column.validity.is_some() {
                let null = |index: u32| index - index % (count + 1) + count;
                for (i, index) in indices.iter_mut().enumerate() {
                    *index = if column.is_valid(i) { *index } else { null(*index) };
                }
            }
        }
        indices
    }
}

/// Appends the digit of each row to its index, in a system of `count` digits and one for NULL.
#[inline(always)]
fn append(indices: &mut [u32], count: u32, digit: impl Fn(usize) -> u64) {
    for (i, index) in indices.iter_mut().enumerate() {
        // What stands at a row that is NULL may be anything.
        *index = *index * (count + 1) + digit(i).min(u64::from(count)) as u32;
    }
}

impl Digits {
    /// Number of values, NULL not counted.
    fn count(&self) -> usize {
        match self {
            Self::Unknown => 0,
            Self::Codes(dictionary) => dictionary.len(),
            Self::Passing(count) | Self::Range { count, .. } => *count,
            Self::Boolean => 2,
        }
    }

    /// Takes the column's values in; tells whether numbers changed their meaning. `None` if there are too many values.
    fn widen(&mut self, column: &Column<'_>) -> Option<bool> {
        let changed = match column.values {
            Values::Dictionary { source: Some(source), .. } => {
                let known = matches!(self, Self::Codes(held) if is_same(held, source));
                if !known {
                    *self = Self::Codes(Arc::clone(source));
                }
                !known
            }
            Values::Dictionary { values, source: None, .. } => {
                *self = Self::Passing(values.len());
                true
            }
            Values::Boolean(_) => {
                *self = Self::Boolean;
                false
            }
            Values::Int32(values) => {
                let (least, greatest) = bounds(values)?;
                return self.widen_range(i64::from(least), i64::from(greatest));
            }
            Values::Int64(values) => {
                let (least, greatest) = bounds(values)?;
                return self.widen_range(least, greatest);
            }
            Values::Float64(_) | Values::Int128(_) | Values::Utf8(_) => return None,
        };
        (self.count() < Domain::GREATEST).then_some(changed)
    }

    fn widen_range(&mut self, least: i64, greatest: i64) -> Option<bool> {
        let (mut from, mut to) = (i128::from(least), i128::from(greatest));
        if let Self::Range { least, count } = *self {
            let (known_from, known_to) = (i128::from(least), i128::from(least) + count as i128 - 1);
            if known_from <= from && to <= known_to {
                return Some(false);
            }
            (from, to) = (from.min(known_from), to.max(known_to));
        }
        let count = usize::try_from(to - from + 1).ok().filter(|&count| count < Domain::GREATEST);
        let Some(count) = count else {
            // What was seen may be of the past: the next look starts anew.
            *self = Self::Unknown;
            return None;
        };
        // Room at the upper end, so that a range that widens little by little changes its numbers seldom.
        *self = Self::Range { least: i64::try_from(from).ok()?, count: (count + 1).next_power_of_two() - 1 };
        Some(true)
    }
}

/// Whether two dictionaries are the same memory. While one is held, its address stands for its contents.
fn is_same(held: &ArrayRef, seen: &ArrayRef) -> bool {
    Arc::ptr_eq(held, seen) || {
        let (held, seen) = (held.as_string::<i32>(), seen.as_string::<i32>());
        held.value_offsets().as_ptr() == seen.value_offsets().as_ptr()
            && held.value_offsets().len() == seen.value_offsets().len()
            && held.value_data().as_ptr() == seen.value_data().as_ptr()
    }
}
