//! Rows that an expression has no answer for.
//!
//! Guarantees: the first reason recorded for a row stays; nothing is allocated until the first row fails, and then in the
//! arena.

use std::fmt;

use bumpalo::Bump;

use crate::kernel::bitmap;
use crate::types::DataType;

/// Why a row failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureReason {
    /// The result does not fit the type.
    Overflow(DataType),
    /// The value has no counterpart in the target type.
    Cast {
        /// Type of the value.
        from: DataType,
        /// Target.
        to: DataType,
    },
    /// SUBSTRING with a length below zero.
    NegativeLength,
    /// The text of one column of a batch would pass 2 GB, or that of one value the bound of its function.
    TextTooLong,
    /// A function is not defined for an argument.
    Refused {
        /// Its name.
        function: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow(data_type) => write!(f, "{data_type} overflow"),
            Self::Cast { from, to } => write!(f, "{from} value cannot be cast to {to}"),
            Self::NegativeLength => f.write_str("negative length in SUBSTRING"),
            Self::TextTooLong => f.write_str("the text is too long"),
            Self::Refused { function, problem } => write!(f, "{function}: {problem}"),
        }
    }
}

#[derive(Debug)]
struct Failed<'a> {
    words: &'a mut [u64],
    reasons: &'a mut [Option<FailureReason>],
}

/// The failed rows of one batch.
#[derive(Debug)]
pub struct RowFailures<'a> {
    arena: &'a Bump,
    rows: usize,
    failed: Option<Failed<'a>>,
}

impl<'a> RowFailures<'a> {
    /// None of `rows` rows has failed.
    pub fn new(arena: &'a Bump, rows: usize) -> Self {
        Self { arena, rows, failed: None }
    }

    /// Whether no row has failed.
    pub fn is_empty(&self) -> bool {
        self.failed.is_none()
    }

    /// The failed rows as bitmap words; `None` if there are none.
    pub fn words(&self) -> Option<&[u64]> {
        self.failed.as_ref().map(|failed| &*failed.words)
    }

    /// Number of failed rows.
    pub fn count(&self) -> usize {
        self.words().map_or(0, bitmap::count)
    }

    /// Why row `row` failed, if it did.
    pub fn reason(&self, row: usize) -> Option<FailureReason> {
        self.failed.as_ref().and_then(|failed| failed.reasons[row])
    }

    /// Failed rows with their reasons, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (usize, FailureReason)> + '_ {
        let reasons = self.failed.as_ref().map_or(&[][..], |failed| &*failed.reasons);
        reasons.iter().enumerate().filter_map(|(row, reason)| Some((row, (*reason)?)))
    }

    /// Records that row `row` failed.
    pub fn record(&mut self, row: usize, reason: FailureReason) {
        let failed = self.failed.get_or_insert_with(|| Failed {
            words: self.arena.alloc_slice_fill_copy(self.rows.div_ceil(64), 0),
            reasons: self.arena.alloc_slice_fill_copy(self.rows, None),
        });
        failed.words[row / 64] |= 1 << (row % 64);
        failed.reasons[row].get_or_insert(reason);
    }

    /// Records that every row of a bitmap failed.
    pub fn record_words(&mut self, words: &[u64], reason: FailureReason) {
        bitmap::for_each_set(words, |row| self.record(row, reason));
    }
}
