//! Aggregates as words of a state row: what each takes in, how two merge, what comes out.

use crate::arena::PaneVec;
use crate::batch::{Column, ColumnBuffer, Values};
use crate::error::{Error, Result};
use crate::kernel::arithmetic::fits_precision;
use crate::kernel::compare::order_key;
use crate::kernel::update::{self, Place, Rows};
use crate::types::DataType;

/// What an aggregate keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// One aggregate and where its words stand in the state row.
#[derive(Debug, Clone, Copy)]
pub struct Accumulator {
    /// What it keeps.
    pub kind: AccumulatorKind,
    /// Type of the argument; `None` for COUNT(*).
    pub argument: Option<DataType>,
    /// Type of the result.
    pub result: DataType,
    place: Place,
}

/// The state row of a query: all aggregates of a group side by side.
#[derive(Debug, Clone, Default)]
pub struct StateLayout {
    /// In the order of the calls.
    pub accumulators: Vec<Accumulator>,
    /// Words of a row.
    pub width: usize,
}

impl StateLayout {
    /// Lays out aggregates given as (kind, argument type, result type).
    pub fn new(calls: &[(AccumulatorKind, Option<DataType>, DataType)]) -> Self {
        let mut word = 0;
        let words: Vec<usize> = calls.iter().map(|(kind, argument, _)| words_of(*kind, *argument)).collect();
        let width = words.iter().sum();
        let accumulators = calls.iter().zip(&words).map(|(&(kind, argument, result), words)| {
            let place = Place { width, word };
            word += words;
            Accumulator { kind, argument, result, place }
        });
        Self { accumulators: accumulators.collect(), width }
    }
}

fn is_decimal(data_type: Option<DataType>) -> bool {
    matches!(data_type, Some(DataType::Decimal { .. }))
}

fn words_of(kind: AccumulatorKind, argument: Option<DataType>) -> usize {
    match kind {
        AccumulatorKind::Count => 1,
        AccumulatorKind::Sum | AccumulatorKind::Avg if is_decimal(argument) => 4,
        AccumulatorKind::Sum | AccumulatorKind::Avg => 3,
        AccumulatorKind::Min | AccumulatorKind::Max if is_decimal(argument) => 3,
        AccumulatorKind::Min | AccumulatorKind::Max => 2,
        AccumulatorKind::Moments { .. } => 5,
    }
}

/// Bits of a text word that hold its length; the others hold where it starts. A record is shorter than 2^27 bytes
/// (`limits::RECORD_BYTES_MAX`), and so is its text.
const TEXT_LENGTH_BITS: u32 = 27;

/// A piece of text in a heap, as one word.
fn text_word(start: usize, length: usize) -> u64 {
    assert!(length < 1 << TEXT_LENGTH_BITS, "a text of {length} bytes is longer than a record may be");
    (start as u64) << TEXT_LENGTH_BITS | length as u64
}

fn text_range(word: u64) -> std::ops::Range<usize> {
    let start = (word >> TEXT_LENGTH_BITS) as usize;
    start..start + (word & ((1 << TEXT_LENGTH_BITS) - 1)) as usize
}

fn text_at(heap: &[u8], word: u64) -> &[u8] {
    &heap[text_range(word)]
}

/// The error of a SUM that no BIGINT holds.
pub(super) fn bigint_overflow(sum: i128) -> Error {
    Error::Execution(format!("SUM overflows BIGINT (the sum is {sum}): cast the argument to DECIMAL(38, 0) or DOUBLE"))
}

/// The error of a SUM that no DECIMAL holds.
pub(super) fn decimal_overflow() -> Error {
    Error::Execution("SUM of a DECIMAL does not fit 38 digits: cast the argument to DOUBLE".into())
}

impl Accumulator {
    /// Takes in the selected rows of the argument.
    pub fn update(&self, states: &mut [u64], heap: &mut PaneVec<u8>, rows: Rows<'_>, argument: Option<&Column<'_>>) {
        use AccumulatorKind::{Avg, Count, Max, Min, Moments, Sum};
        let place = self.place;
        let Some(column) = argument else { return update::count(states, place, rows) };
        let rows = Rows { validity: column.validity, ..rows };
        match (self.kind, column.values) {
            (Count, _) => update::count(states, place, rows),
            (Sum | Avg, Values::Int64(values)) => update::sum_i64(states, place, rows, values),
            (Sum | Avg, Values::Float64(values)) => update::sum_f64(states, place, rows, values),
            (Sum | Avg, Values::Int128(values)) => update::sum_i128(states, place, rows, values),
            (Moments { .. }, Values::Float64(values)) => update::moments(states, place, rows, values),
            (Min, Values::Int32(values)) => update::extreme::<_, true>(states, place, rows, values, i64::from),
            (Max, Values::Int32(values)) => update::extreme::<_, false>(states, place, rows, values, i64::from),
            (Min, Values::Int64(values)) => update::extreme::<_, true>(states, place, rows, values, |v| v),
            (Max, Values::Int64(values)) => update::extreme::<_, false>(states, place, rows, values, |v| v),
            (Min, Values::Float64(values)) => {
                update::extreme::<_, true>(states, place, rows, values, order_key);
            }
            (Max, Values::Float64(values)) => {
                update::extreme::<_, false>(states, place, rows, values, order_key);
            }
            (Min, Values::Int128(values)) => update::extreme_i128::<true>(states, place, rows, values),
            (Max, Values::Int128(values)) => update::extreme_i128::<false>(states, place, rows, values),
            (Min | Max, Values::Boolean(words)) => rows.for_each(|group, i| {
                let bit = (words[i / 64] >> (i % 64) & 1) as i64;
                let state = place.of(states, group);
                match self.kind {
                    Min => update::keep_extreme::<true>(state, bit),
                    _ => update::keep_extreme::<false>(state, bit),
                }
            }),
            (Min | Max, Values::Utf8(_) | Values::Dictionary { .. }) => {
                rows.for_each(|group, i| self.keep_text(place.of(states, group), heap, column.text(i)));
            }
            (kind, values) => panic!("the planner gave {kind:?} an argument of {values:?}"),
        }
    }

    fn keep_text(&self, state: &mut [u64; 2], heap: &mut PaneVec<u8>, text: &[u8]) {
        let better = state[1] == 0
            || match self.kind {
                AccumulatorKind::Min => text < text_at(heap, state[0]),
                _ => text > text_at(heap, state[0]),
            };
        if !better {
            return;
        }
        let old = text_range(state[0]);
        // The old text's place is used again if it is long enough, so that a value that only grows in rank leaves no trail.
        let start = if state[1] == 1 && text.len() <= old.len() {
            heap[old.start..old.start + text.len()].copy_from_slice(text);
            old.start
        } else {
            heap.extend_from_slice(text);
            heap.len() - text.len()
        };
        *state = [text_word(start, text.len()), 1];
    }

    /// Merges the state of `from_group` into that of `group`.
    pub fn merge(
        &self,
        states: &mut [u64],
        heap: &mut PaneVec<u8>,
        group: usize,
        from: &[u64],
        from_heap: &[u8],
        from_group: usize,
    ) {
        use AccumulatorKind::{Avg, Count, Max, Min, Moments, Sum};
        let place = self.place;
        match self.kind {
            Count => place.of::<1>(states, group)[0] += place.read::<1>(from, from_group)[0],
            Sum | Avg if is_decimal(self.argument) => {
                let [low, high, n, carry] = place.read(from, from_group);
                let state = place.of::<4>(states, group);
                update::add_i128(state, update::i128_of(low, high));
                state[2] = state[2] - 1 + n;
                state[3] = state[3].wrapping_add(carry);
            }
            Sum | Avg if self.argument == Some(DataType::Double) => {
                let [high, low, n] = place.read(from, from_group);
                let state = place.of::<3>(states, group);
                let [to_high, to_low, to_n] = state;
                update::add_pair(to_high, to_low, f64::from_bits(high), f64::from_bits(low));
                *to_n += n;
            }
            Sum | Avg => {
                let [low, high, n] = place.read(from, from_group);
                let state = place.of::<3>(states, group);
                let sum = update::i128_of(state[0], state[1]).wrapping_add(update::i128_of(low, high));
                update::put_i128(state, sum);
                state[2] += n;
            }
            Moments { .. } => {
                let [n, sum, sum_low, square, square_low] = place.read::<5>(from, from_group);
                let [to_n, to_sum, to_sum_low, to_square, to_square_low] = place.of::<5>(states, group);
                *to_n += n;
                update::add_pair(to_sum, to_sum_low, f64::from_bits(sum), f64::from_bits(sum_low));
                update::add_pair(to_square, to_square_low, f64::from_bits(square), f64::from_bits(square_low));
            }
            Min | Max => match self.argument {
                Some(DataType::Decimal { .. }) => {
                    let [low, high, seen] = place.read(from, from_group);
                    if seen == 1 {
                        let value = update::i128_of(low, high);
                        let state = place.of(states, group);
                        match self.kind {
                            Min => update::keep_extreme_i128::<true>(state, value),
                            _ => update::keep_extreme_i128::<false>(state, value),
                        }
                    }
                }
                Some(DataType::Varchar) => {
                    let [word, seen] = place.read(from, from_group);
                    if seen == 1 {
                        self.keep_text(place.of(states, group), heap, text_at(from_heap, word));
                    }
                }
                _ => {
                    let [value, seen] = place.read(from, from_group);
                    if seen == 1 {
                        let state = place.of(states, group);
                        match self.kind {
                            Min => update::keep_extreme::<true>(state, value as i64),
                            _ => update::keep_extreme::<false>(state, value as i64),
                        }
                    }
                }
            },
        }
    }

    /// The word that refers to the heap and its text, if the aggregate of `group` keeps text.
    pub fn text<'a>(&self, states: &[u64], heap: &'a [u8], group: usize) -> Option<&'a [u8]> {
        let keeps_text = matches!(self.kind, AccumulatorKind::Min | AccumulatorKind::Max)
            && self.argument == Some(DataType::Varchar);
        if !keeps_text {
            return None;
        }
        let [word, seen] = self.place.read(states, group);
        (seen == 1).then(|| text_at(heap, word))
    }

    /// Points the text state of `group` at a copy of `text` in another heap.
    pub fn move_text(&self, states: &mut [u64], group: usize, heap: &mut Vec<u8>, text: &[u8]) {
        let start = heap.len();
        heap.extend_from_slice(text);
        self.place.of::<2>(states, group)[0] = text_word(start, text.len());
    }

    /// Appends the result of `group` to `out`.
    pub fn finish(&self, states: &[u64], heap: &[u8], group: usize, out: &mut ColumnBuffer) -> Result<()> {
        use AccumulatorKind::{Avg, Count, Max, Min, Moments, Sum};
        let place = self.place;
        match self.kind {
            Count => out.push_int64(place.read::<1>(states, group)[0] as i64),
            Sum | Avg => self.finish_sum(states, group, out)?,
            Moments { root, population } => {
                let state = place.read::<5>(states, group);
                let n = state[0];
                if n == 0 || (n == 1 && !population) {
                    out.push_null();
                } else {
                    let variance = update::squared_distances(&state) / (if population { n } else { n - 1 }) as f64;
                    out.push_float64(if root { variance.sqrt() } else { variance });
                }
            }
            Min | Max => match self.argument {
                Some(DataType::Decimal { .. }) => match place.read(states, group) {
                    [_, _, 0] => out.push_null(),
                    [low, high, _] => out.push_int128(update::i128_of(low, high)),
                },
                argument => match place.read(states, group) {
                    [_, 0] => out.push_null(),
                    [word, _] => match argument {
                        Some(DataType::Varchar) => out.push_text(text_at(heap, word)),
                        Some(DataType::Double) => out.push_float64(update::unorder_f64(word as i64)),
                        Some(DataType::Boolean) => out.push_boolean(word == 1),
                        Some(DataType::Int | DataType::Date) => out.push_int32(word as i32),
                        _ => out.push_int64(word as i64),
                    },
                },
            },
        }
        Ok(())
    }

    fn finish_sum(&self, states: &[u64], group: usize, out: &mut ColumnBuffer) -> Result<()> {
        let average = self.kind == AccumulatorKind::Avg;
        match self.argument {
            Some(DataType::Double) => {
                let [high, low, n] = self.place.read(states, group);
                let sum = f64::from_bits(high) + f64::from_bits(low);
                match n {
                    0 => out.push_null(),
                    _ if average => out.push_float64(sum / n as f64),
                    _ => out.push_float64(sum),
                }
            }
            Some(DataType::Decimal { scale, .. }) => {
                let [low, high, n, carry] = self.place.read(states, group);
                let sum = update::i128_of(low, high);
                if n == 0 {
                    out.push_null();
                } else if carry != 0 || !fits_precision(sum, 38) {
                    return Err(decimal_overflow());
                } else if average {
                    out.push_float64(sum as f64 / 10_f64.powi(i32::from(scale)) / n as f64);
                } else {
                    out.push_int128(sum);
                }
            }
            _ => {
                let [low, high, n] = self.place.read(states, group);
                let sum = update::i128_of(low, high);
                if n == 0 {
                    out.push_null();
                } else if average {
                    out.push_float64(sum as f64 / n as f64);
                } else {
                    out.push_int64(i64::try_from(sum).map_err(|_| bigint_overflow(sum))?);
                }
            }
        }
        Ok(())
    }
}
