//! The keys of a join of streams: for each key that has rows, the youngest row of either side.
//!
//! A key becomes one word: itself, if it is one number, else its hash, and then the rows tell whether two keys are the same.
//! Words are computed by column. Costs one look-up a row for both sides together.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::batch::{Column, Values, canonical_bits};

/// Makes words of keys.
#[derive(Debug, Default)]
pub(super) struct KeyWords {
    hasher: DefaultHashBuilder,
}

impl KeyWords {
    /// Whether equal words mean equal keys.
    pub(super) fn are_exact(columns: &[Column<'_>]) -> bool {
        let is_number = |column: &Column<'_>| {
            !matches!(column.values, Values::Int128(_) | Values::Utf8(_) | Values::Dictionary { .. })
        };
        columns.len() == 1 && columns.iter().all(is_number)
    }

    /// Appends the words of the keys in `rows`, and to `nulls` which of them (counted from 0) have a NULL and equal nothing.
    pub(super) fn append(
        &self,
        columns: &[Column<'_>],
        rows: Range<usize>,
        words: &mut Vec<u64>,
        nulls: &mut Vec<u32>,
    ) {
        let first = words.len();
        words.resize(first + rows.len(), 0);
        let exact = Self::are_exact(columns);
        for column in columns {
            let out = &mut words[first..];
            match column.values {
                Values::Boolean(bits) => {
                    self.fold(exact, out, rows.clone().map(|row| bits[row / 64] >> (row % 64) & 1))
                }
                Values::Int32(values) => {
                    self.fold(exact, out, values[rows.clone()].iter().map(|&value| u64::from(value.cast_unsigned())))
                }
                Values::Int64(values) => {
                    self.fold(exact, out, values[rows.clone()].iter().map(|&value| value.cast_unsigned()))
                }
                Values::Float64(values) => {
                    self.fold(exact, out, values[rows.clone()].iter().map(|&value| canonical_bits(value)))
                }
                Values::Int128(values) => {
                    self.fold(exact, out, values[rows.clone()].iter().map(|value| self.hasher.hash_one(value)));
                }
                Values::Utf8(_) | Values::Dictionary { .. } => {
                    self.fold(exact, out, rows.clone().map(|row| self.hasher.hash_one(column.text(row))));
                }
            }
        }
        if columns.iter().any(|column| column.validity.is_some()) {
            let is_null = |row: &usize| columns.iter().any(|column| !column.is_valid(*row));
            nulls.extend(rows.clone().filter(is_null).map(|row| (row - rows.start) as u32));
        }
    }

    fn fold(&self, exact: bool, words: &mut [u64], parts: impl Iterator<Item = u64>) {
        for (word, part) in words.iter_mut().zip(parts) {
            *word = if exact { part } else { self.hasher.hash_one((*word, part)) };
        }
    }
}

/// What is known of a key.
#[derive(Debug, Clone, Copy)]
struct Entry {
    word: u64,
    /// Number of the row that each side put in last.
    heads: [u32; 2],
}

/// The youngest rows by key.
#[derive(Debug, Default)]
pub(super) struct KeyHeads {
    entries: HashTable<Entry>,
    hasher: DefaultHashBuilder,
}

impl KeyHeads {
    /// Puts the row `row` of side `side` in, and returns what the heads of its key were, or `none`; `same` tells whether the key
    /// whose heads these are is that of the row, and is asked only where words are not `exact`.
    #[inline]
    pub(super) fn put(
        &mut self,
        word: u64,
        side: usize,
        row: u32,
        none: [u32; 2],
        same: impl Fn(&[u32; 2]) -> bool,
    ) -> [u32; 2] {
        let Self { entries, hasher } = self;
        let hash = hasher.hash_one(word);
        if let Some(entry) = entries.find_mut(hash, |entry| entry.word == word && same(&entry.heads)) {
            let heads = entry.heads;
            entry.heads[side] = row;
            return heads;
        }
        let mut heads = none;
        heads[side] = row;
        entries.insert_unique(hash, Entry { word, heads }, |entry| hasher.hash_one(entry.word));
        none
    }

    /// Keys that there is room for: what a sweep looks at.
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Forgets heads of rows that are not there any more, and keys that have none left.
    pub(super) fn sweep(&mut self, is_there: impl Fn(usize, u32) -> bool, none: [u32; 2]) {
        self.entries.retain(|entry| {
            let there = [0, 1].map(|side| is_there(side, entry.heads[side]));
            for side in 0..2 {
                if !there[side] {
                    entry.heads[side] = none[side];
                }
            }
            there != [false, false]
        });
    }

    /// Bytes that they hold.
    pub(super) fn held_bytes(&self) -> usize {
        self.entries.allocation_size()
    }
}
