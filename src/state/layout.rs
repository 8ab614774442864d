//! What the aggregates of a query keep of a group, as words of a state row. Calls over one argument share its words.
//!
//! Word 0 counts the group's rows. Numbers of 64 bits stand in parts behind it, integers first ([`crate::kernel::update`]);
//! what is updated one column at a time follows: sums of squares (high, low), DECIMAL sums (low, high, carry) and extremes
//! (low, high each), and words that refer to text in a heap. How many rows were NULL in an argument is kept elsewhere, once
//! there is one, so that COUNT(x), and whether SUM, MIN and MAX have a value, follow from the count of rows.

use crate::kernel::update::{Number, Part};
use crate::types::DataType;

use super::fold::{Fold, Reading};

/// What an aggregate keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AccumulatorKind {
    /// COUNT: of rows, or of values if there is an argument.
    Count,
    /// SUM: exact for integers and decimals, compensated for DOUBLE.
    Sum,
    /// AVG, as DOUBLE.
    Avg,
    /// MIN.
    Min,
    /// MAX.
    Max,
    /// VARIANCE or STDDEV.
    Moments {
        /// STDDEV.
        root: bool,
        /// Divide by n, not n − 1.
        population: bool,
    },
    /// Something that stands beside the state row.
    Folded {
        /// Which of the layout's folds.
        fold: usize,
        /// What is taken from it.
        reading: Reading,
    },
}

/// One aggregate.
#[derive(Debug, Clone, Copy)]
pub struct Accumulator {
    /// What it keeps.
    pub kind: AccumulatorKind,
    /// Which of the arguments it is over, and its type; `None` for COUNT(*) and for what a fold keeps. Calls over equal
    /// expressions have equal indices, which are 0, 1, 2 and so on; arguments that only folds have come behind them.
    pub argument: Option<(usize, DataType)>,
    /// Type of the result.
    pub result: DataType,
}

/// What is kept of one argument: first words, if it is kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// Which of the layout's parts.
    pub(super) part: Option<usize>,
    /// Sum of squares: high, low.
    pub(super) squares: Option<usize>,
    /// Sum of DECIMAL: low, high, carry.
    pub(super) decimal_sum: Option<usize>,
    /// Least, then greatest DECIMAL: low, high each.
    pub(super) decimal_extremes: Option<usize>,
    /// Least, then greatest text: one word each.
    pub(super) texts: Option<usize>,
}

/// The state row of a query: all aggregates of a group side by side. The default is for groups without any state.
#[derive(Debug, Clone, Default)]
pub struct StateLayout {
    /// In the order of the calls.
    pub accumulators: Vec<Accumulator>,
    /// By argument.
    pub(super) kept: Vec<Kept>,
    pub(super) parts: Vec<Part>,
    /// The argument of each part.
    pub(super) part_arguments: Vec<usize>,
    /// A row has `1 << shift` words.
    pub(super) shift: u32,
    /// The row of a group without rows; empty if groups have no state.
    pub(super) empty: Vec<u64>,
    /// What stands beside the rows.
    pub(super) folds: Vec<Fold>,
}

/// The word of text that is not there.
pub(super) const NO_TEXT: u64 = u64::MAX;

impl StateLayout {
    /// Lays out the aggregates of a query, which refer to `folds`.
    pub fn new(accumulators: Vec<Accumulator>, folds: Vec<Fold>) -> Self {
        let arguments =
            accumulators.iter().filter_map(|call| call.argument).map(|(index, _)| index + 1).max().unwrap_or(0);
        let mut kept = vec![Kept::default(); arguments];
        let mut empty = vec![0];
        let of = |index: usize| {
            accumulators.iter().filter(move |call| call.argument.is_some_and(|(argument, _)| argument == index))
        };
        let numbers: Vec<(Number, usize, bool, bool)> = (0..arguments)
            .filter_map(|index| {
                let (_, data_type) = of(index).next()?.argument?;
                let number = match data_type {
                    DataType::Decimal { .. } | DataType::Varchar => return None,
                    DataType::Double => Number::Double,
                    _ => Number::Integer,
                };
                let sum = of(index).any(|call| call.kind.needs_sum());
                let extremes = of(index).any(|call| call.kind.is_extreme());
                (sum || extremes).then_some((number, index, sum, extremes))
            })
            .collect();
        let mut parts = Vec::new();
        let mut part_arguments = Vec::new();
        for wanted in [Number::Integer, Number::Double] {
            for &(number, index, sum, extremes) in numbers.iter().filter(|(number, ..)| *number == wanted) {
                let part = Part { number, sum, extremes, word: empty.len() };
                empty.resize(empty.len() + part.words(), 0);
                part.clear(&mut empty);
                kept[index].part = Some(parts.len());
                parts.push(part);
                part_arguments.push(index);
            }
        }
        for (index, kept) in kept.iter_mut().enumerate() {
            let mut place = |words: &[u64]| {
                empty.extend_from_slice(words);
                Some(empty.len() - words.len())
            };
            let sum = of(index).any(|call| call.kind.needs_sum());
            let extremes = of(index).any(|call| call.kind.is_extreme());
            if of(index).any(|call| matches!(call.kind, AccumulatorKind::Moments { .. })) {
                kept.squares = place(&[0; 2]);
            }
            match of(index).next().and_then(|call| call.argument) {
                Some((_, DataType::Decimal { .. })) => {
                    if sum {
                        kept.decimal_sum = place(&[0; 3]);
                    }
                    if extremes {
                        let words = |value: i128| [value as u64, (value >> 64) as u64];
                        kept.decimal_extremes = place([words(i128::MAX), words(i128::MIN)].as_flattened());
                    }
                }
                Some((_, DataType::Varchar)) if extremes => kept.texts = place(&[NO_TEXT; 2]),
                _ => {}
            }
        }
        let shift = empty.len().next_power_of_two().ilog2();
        empty.resize(1 << shift, 0);
        Self { accumulators, kept, parts, part_arguments, shift, empty, folds }
    }

    /// Words of a row.
    pub(super) fn width(&self) -> usize {
        1 << self.shift
    }
}

impl AccumulatorKind {
    fn needs_sum(self) -> bool {
        matches!(self, Self::Sum | Self::Avg | Self::Moments { .. })
    }

    fn is_extreme(self) -> bool {
        matches!(self, Self::Min | Self::Max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// COUNT(*), SUM of a BIGINT, and AVG, MIN and MAX of a DOUBLE take one cache line.
    #[test]
    fn calls_over_one_argument_share_words() {
        let call = |kind, argument, result| Accumulator { kind, argument, result };
        let layout = StateLayout::new(
            vec![
                call(AccumulatorKind::Count, None, DataType::BigInt),
                call(AccumulatorKind::Avg, Some((0, DataType::Double)), DataType::Double),
                call(AccumulatorKind::Min, Some((0, DataType::Double)), DataType::Double),
                call(AccumulatorKind::Sum, Some((1, DataType::BigInt)), DataType::BigInt),
                call(AccumulatorKind::Max, Some((0, DataType::Double)), DataType::Double),
            ],
            Vec::new(),
        );
        assert_eq!((layout.width(), layout.parts.len()), (8, 2));
        assert_eq!(layout.part_arguments, [1, 0]);
        let moments = AccumulatorKind::Moments { root: false, population: true };
        let moments = StateLayout::new(vec![call(moments, Some((0, DataType::Double)), DataType::Double)], Vec::new());
        assert_eq!(moments.width(), 8, "count, sum and squares are five words");
        let count = StateLayout::new(
            vec![call(AccumulatorKind::Count, Some((0, DataType::Varchar)), DataType::BigInt)],
            Vec::new(),
        );
        assert_eq!(count.width(), 1);
    }
}
