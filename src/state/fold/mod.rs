//! Aggregates that keep more than a few words of numbers: beside the state rows, each with memory of its own in the pane's
//! arena.
//!
//! A [`Fold`] says what is kept of a group, and over which arguments; calls that need the same share it, and a [`Reading`]
//! says what a call takes from it. What a fold gives depends on the set of rows that were taken in, never on their order or
//! on what was merged into what: where order counts, the place of a row in the input is among what is compared. NULLs are
//! passed over. A query without folds pays nothing.

mod best;
mod chains;
mod counters;
mod distinct;
mod pairs;
mod sketch;
#[cfg(test)]
mod tests;
mod tuple;

use crate::arena::PaneArena;
use crate::batch::{Column, ColumnBuffer};
use crate::error::Result;
use crate::kernel::Simd;
use crate::types::DataType;

use super::{KeyHasher, StateLayout};
use best::Best;
use chains::Chains;
use counters::Counters;
use distinct::Distinct;
use pairs::PairSums;
use sketch::Sketches;
pub use tuple::{FoldField, NullRule};

/// What is kept of each group.
#[derive(Debug, Clone)]
pub enum Fold {
    /// The least or the greatest row, by all fields but the last, which is the result.
    Best {
        /// What rows are compared by, then what is kept.
        fields: Vec<FoldField>,
        /// The greatest.
        greatest: bool,
    },
    /// All values.
    All {
        /// What values are sorted by, then the value (which may be the only field).
        fields: Vec<FoldField>,
        /// What stands between joined texts.
        separator: Box<str>,
    },
    /// Sums of two DOUBLEs, their squares and their product.
    Pairs {
        /// The dependent argument.
        y: usize,
        /// The independent one.
        x: usize,
    },
    /// A sketch of the number of distinct values.
    Sketch {
        /// Of what.
        argument: usize,
    },
    /// Counters of values by their size.
    Counters {
        /// Of what: DOUBLE.
        field: FoldField,
    },
    /// The set of values, and aggregates that take each value once.
    Distinct {
        /// Of what.
        argument: usize,
        /// Its type.
        data_type: DataType,
        /// The aggregates; their only argument is number 0.
        inner: Box<StateLayout>,
        /// Hashes the values.
        hasher: KeyHasher,
    },
}

/// What a call takes from a fold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// The value of the best row.
    Value,
    /// The texts, one after another.
    Joined,
    /// A percentile; counters have the continuous one, nearly.
    Percentile {
        /// From 0 to 1.
        fraction: f64,
        /// Between the two nearest values (DOUBLE); else one of the values.
        continuous: bool,
    },
    /// The estimate of a sketch.
    Estimate,
    /// What a line through pairs says.
    Line(Line),
    /// The result of one of the aggregates that take each value once.
    Inner(usize),
}

/// What a line of least squares through pairs says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// CORR.
    Correlation,
    /// COVAR_POP.
    Covariance,
    /// COVAR_SAMP.
    SampleCovariance,
    /// REGR_SLOPE.
    Slope,
    /// REGR_INTERCEPT.
    Intercept,
    /// REGR_R2.
    Fit,
    /// REGR_COUNT.
    Count,
}

/// Rows to be taken in: `groups[j]` is the group of the j-th.
#[derive(Clone, Copy)]
pub(super) struct FoldRows<'a> {
    pub(super) groups: &'a [u32],
    /// The rows; `None` means the first ones.
    pub(super) rows: Option<&'a [u32]>,
}

impl<'a> FoldRows<'a> {
    /// Group and row of each.
    pub(super) fn iter(self) -> impl Iterator<Item = (u32, usize)> + Clone + 'a {
        let row = move |j: usize| self.rows.map_or(j, |rows| rows[j] as usize);
        self.groups.iter().enumerate().map(move |(j, &group)| (group, row(j)))
    }
}

/// What a fold holds of some groups, on its way to another table: as many pieces as `counts` says for each group.
#[derive(Debug, Default)]
pub(super) struct FoldBlock {
    counts: Vec<u32>,
    words: Vec<u64>,
    heap: Vec<u8>,
}

impl FoldBlock {
    /// Drops all, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.words.clear();
        self.heap.clear();
    }
}

/// What one fold holds of all groups.
pub(super) trait FoldStates {
    /// Forgets all groups, keeps the memory.
    fn clear(&mut self);

    /// Makes empty groups up to `groups`.
    fn grow(&mut self, groups: usize);

    /// Makes a group empty.
    fn reset(&mut self, group: u32);

    /// Takes rows in.
    fn update(&mut self, simd: Simd, rows: FoldRows<'_>, arguments: &[Column<'_>]);

    /// Appends what is held of some groups.
    fn export(&self, groups: &[u32], into: &mut FoldBlock);

    /// Takes in what [`Self::export`] wrote, the i-th group into `groups[i]`.
    fn merge(&mut self, groups: &[u32], from: &FoldBlock);

    /// Appends what `reading` takes from each of `groups`.
    fn finish(&self, reading: Reading, groups: &[u32], out: &mut ColumnBuffer) -> Result<()>;
}

impl Fold {
    /// Whether both keep the same, so that one will do. Sets of values are not looked at.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Best { fields, greatest }, Self::Best { fields: others, greatest: other }) => {
                fields == others && greatest == other
            }
            (Self::All { fields, separator }, Self::All { fields: others, separator: other }) => {
                fields == others && separator == other
            }
            (Self::Pairs { y, x }, Self::Pairs { y: other_y, x: other_x }) => y == other_y && x == other_x,
            (Self::Sketch { argument }, Self::Sketch { argument: other }) => argument == other,
            (Self::Counters { field }, Self::Counters { field: other }) => field == other,
            _ => false,
        }
    }

    /// Nothing held, in `arena`.
    pub(super) fn states(&self, arena: &PaneArena) -> Box<dyn FoldStates> {
        match self {
            Self::Best { fields, greatest } => Box::new(Best::new(fields, *greatest, arena)),
            Self::All { fields, separator } => Box::new(Chains::new(fields, separator, arena)),
            Self::Pairs { y, x } => Box::new(PairSums::new(*y, *x, arena)),
            Self::Sketch { argument } => Box::new(Sketches::new(*argument, arena)),
            Self::Counters { field } => Box::new(Counters::new(*field, arena)),
            Self::Distinct { argument, data_type, inner, hasher } => {
                Box::new(Distinct::new(*argument, *data_type, inner, *hasher, arena))
            }
        }
    }
}

/// The value between two, so far from the first.
fn between(low: f64, high: f64, share: f64) -> f64 {
    if low == high { low } else { low + (high - low) * share }
}

/// What is said if a fold is asked for what it does not keep; the planner never does.
fn not_kept(reading: Reading) -> ! {
    panic!("{reading:?} was asked of a fold that does not keep it")
}
