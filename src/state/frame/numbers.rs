//! Frames of values that fit a word: DOUBLE, and everything that lies in memory as integers.

use bumpalo::Bump;

use crate::batch::{Column, Values};
use crate::error::Result;
use crate::kernel::rows::{Frames, Looks, Number, Results, Wanted, averages};
use crate::types::{DataType, Value};

use super::super::AccumulatorKind;
use super::super::finish::bigint_overflow;
use super::{FrameCall, FrameFunction, bitmap};

/// The frames of one argument and length.
#[derive(Debug)]
pub(super) struct Numbers<T> {
    frames: Frames<T>,
    wanted: Wanted,
    oldest: bool,
}

impl<T: Number> Numbers<T> {
    pub(super) fn new(rows: Option<u64>, calls: &[FrameCall]) -> Self {
        use AccumulatorKind::{Avg, Max, Min, Moments, Sum};
        let mut wanted = Wanted::default();
        let mut oldest = false;
        for call in calls {
            match call.function {
                FrameFunction::Aggregate(Sum | Avg) => wanted.sums = true,
                FrameFunction::Aggregate(Min | Max) => wanted.extremes = true,
                FrameFunction::Aggregate(Moments { .. }) => wanted.squares = true,
                FrameFunction::FirstValue | FrameFunction::Lag { .. } => oldest = true,
                _ => {}
            }
        }
        Self { frames: Frames::new(rows, wanted), wanted, oldest }
    }

    /// Bytes that they hold.
    pub(super) fn held_bytes(&self) -> usize {
        self.frames.held_bytes()
    }

    /// Takes rows in and gives what was found for each.
    pub(super) fn push<'a>(
        &mut self,
        groups: &[u32],
        values: &[T],
        validity: Option<&[u64]>,
        arena: &'a Bump,
    ) -> Found<'a, T> {
        let n = groups.len();
        let of = |asked: bool| if asked { n } else { 0 };
        let numbers = |asked| arena.alloc_slice_fill_copy(of(asked), T::default());
        let (sums, least, greatest) =
            (numbers(self.wanted.sums), numbers(self.wanted.extremes), numbers(self.wanted.extremes));
        let highs = arena.alloc_slice_fill_copy(of(self.wanted.sums && T::WIDE_SUMS), 0);
        let counts = arena.alloc_slice_fill_copy(n, 0);
        let looks = Looks {
            oldest: numbers(self.oldest),
            oldest_is: arena.alloc_slice_fill_copy(of(self.oldest), 0),
            squares: arena.alloc_slice_fill_copy(of(self.wanted.squares), 0.0),
        };
        let mut results = Results { counts, sums, highs, least, greatest, looks };
        self.frames.push(groups, &values[..n], validity, &mut results);
        let Results { counts, sums, highs, least, greatest, looks } = results;
        // Without NULLs every frame holds the current row at least.
        let has_values = match counts.iter().fold(i64::MAX, |least, &count| least.min(count)) {
            0 => bitmap(n, arena, |i| counts[i] > 0),
            _ => None,
        };
        Found { counts, has_values, sums, highs, least, greatest, looks }
    }
}

/// What was found for each row of a batch.
pub(super) struct Found<'a, T> {
    counts: &'a [i64],
    /// Which frames hold a value; `None` for all.
    has_values: Option<&'a [u64]>,
    sums: &'a [T],
    highs: &'a [i64],
    least: &'a [T],
    greatest: &'a [T],
    looks: Looks<'a, T>,
}

impl<'a> Found<'a, f64> {
    /// The column of a call over a DOUBLE.
    pub(super) fn double_column(&self, call: &FrameCall, arena: &'a Bump) -> Column<'a> {
        let values = match call.function {
            FrameFunction::Aggregate(AccumulatorKind::Sum) => self.sums,
            FrameFunction::Aggregate(AccumulatorKind::Avg) => {
                let out = arena.alloc_slice_fill_copy(self.counts.len(), 0.0);
                averages(self.sums, self.counts, out);
                out
            }
            FrameFunction::Aggregate(AccumulatorKind::Min) => self.least,
            FrameFunction::Aggregate(AccumulatorKind::Max) => self.greatest,
            _ => {
                return self.other_column(call, arena, |values, default| {
                    let default = if let Value::Float64(default) = default { *default } else { 0.0 };
                    Values::Float64(arena.alloc_slice_fill_iter(values.map(|value| value.unwrap_or(default))))
                });
            }
        };
        Column { values: Values::Float64(values), validity: self.has_values }
    }
}

impl<'a> Found<'a, i64> {
    /// The column of a call over integers, dates, times or booleans. A SUM that no BIGINT holds is an error.
    pub(super) fn integer_column(&self, call: &FrameCall, arena: &'a Bump) -> Result<Column<'a>> {
        let sum = |i: usize| i128::from(self.highs[i]) << 64 | i128::from(self.sums[i].cast_unsigned());
        let is_wide = || self.sums.iter().zip(self.highs).fold(false, |any, (low, high)| any | (low >> 63 != *high));
        let values = match call.function {
            FrameFunction::Aggregate(AccumulatorKind::Sum) => {
                if is_wide()
                    && let Some(i) = (0..self.sums.len()).find(|&i| i64::try_from(sum(i)).is_err())
                {
                    return Err(bigint_overflow(sum(i)));
                }
                Values::Int64(self.sums)
            }
            FrameFunction::Aggregate(AccumulatorKind::Avg) => {
                let n = self.counts.len();
                let sums = match is_wide() {
                    true => arena.alloc_slice_fill_with(n, |i| sum(i) as f64),
                    false => arena.alloc_slice_fill_with(n, |i| self.sums[i] as f64),
                };
                let out = arena.alloc_slice_fill_copy(n, 0.0);
                averages(sums, self.counts, out);
                Values::Float64(out)
            }
            FrameFunction::Aggregate(AccumulatorKind::Min) => of_type(call.result, self.least, arena),
            FrameFunction::Aggregate(AccumulatorKind::Max) => of_type(call.result, self.greatest, arena),
            _ => {
                return Ok(self.other_column(call, arena, |values, default| {
                    let default = match *default {
                        Value::Int64(default) => default,
                        Value::Int32(default) => i64::from(default),
                        Value::Boolean(default) => i64::from(default),
                        _ => 0,
                    };
                    let values = arena.alloc_slice_fill_iter(values.map(|value| value.unwrap_or(default)));
                    of_type(call.result, values, arena)
                }));
            }
        };
        Ok(Column { values, validity: self.has_values })
    }
}

/// Integers as the column of a type holds them.
fn of_type<'a>(data_type: DataType, values: &'a [i64], arena: &'a Bump) -> Values<'a> {
    match data_type {
        DataType::Boolean => {
            let words = values.chunks(64).map(|values| {
                values.iter().enumerate().fold(0_u64, |word, (i, &value)| word | u64::from(value == 1) << i)
            });
            Values::Boolean(arena.alloc_slice_fill_iter(words))
        }
        DataType::Int | DataType::Date => {
            Values::Int32(arena.alloc_slice_fill_iter(values.iter().map(|&value| value as i32)))
        }
        _ => Values::Int64(values),
    }
}

impl<'a, T: Number> Found<'a, T> {
    /// The column of a call whose result does not depend on how values are summed or ordered. `values` makes values of
    /// what is there: `None` where the default stands.
    fn other_column(
        &self,
        call: &FrameCall,
        arena: &'a Bump,
        values: impl FnOnce(&mut dyn ExactSizeIterator<Item = Option<T>>, &Value) -> Values<'a>,
    ) -> Column<'a> {
        let n = self.counts.len();
        let Looks { oldest, oldest_is, squares } = &self.looks;
        let is_value = |i: usize| oldest_is[i] & Looks::<T>::VALUE > 0;
        let is_full = |i: usize| oldest_is[i] & Looks::<T>::FULL > 0;
        match &call.function {
            FrameFunction::Aggregate(AccumulatorKind::Count) => Column::valid(Values::Int64(self.counts)),
            FrameFunction::Aggregate(AccumulatorKind::Moments { root, population }) => {
                let less = i64::from(!population);
                let results = arena.alloc_slice_fill_with(n, |i| {
                    let variance = squares[i] / (self.counts[i] - less) as f64;
                    if *root { variance.sqrt() } else { variance }
                });
                let validity = bitmap(n, arena, |i| self.counts[i] > less);
                Column { values: Values::Float64(results), validity }
            }
            FrameFunction::FirstValue => {
                let values = values(&mut oldest.iter().map(|&value| Some(value)), &Value::Null);
                Column { values, validity: bitmap(n, arena, is_value) }
            }
            FrameFunction::Lag { default, .. } => {
                let values = values(&mut (0..n).map(|i| is_full(i).then(|| oldest[i])), default);
                let has_default = *default != Value::Null;
                let validity = bitmap(n, arena, |i| if is_full(i) { is_value(i) } else { has_default });
                Column { values, validity }
            }
            function => panic!("{function:?} asks nothing of a frame"),
        }
    }
}
