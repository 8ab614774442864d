//! The last rows of each key: functions over a frame that ends at the current row.
//!
//! Cost per row: O(1) for COUNT, SUM, AVG, FIRST_VALUE, LAG; amortised O(1) for MIN and MAX (monotonic deque); O(frame)
//! for VARIANCE and STDDEV. DOUBLE sums subtract what leaves the frame from a compensated pair and are summed anew each
//! time the frame has been replaced whole, so that no error stays; a frame with an infinity or NaN is summed plainly.

use std::collections::VecDeque;

use crate::batch::{Column, ColumnBuffer, Values};
use crate::error::Result;
use crate::kernel::arithmetic::fits_precision;
use crate::kernel::compare::order_key;
use crate::kernel::update::{add_moments, add_pair, add_wrapping, squared_distances};
use crate::types::{DataType, Value};

use super::AccumulatorKind;
use super::finish::{bigint_overflow, decimal_overflow};

/// A function over the frame.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameFunction {
    /// An aggregate of the frame's values.
    Aggregate(AccumulatorKind),
    /// First value of the frame, NULL or not.
    FirstValue,
    /// The current row's value.
    LastValue,
    /// Number of the row within its key, from 1.
    RowNumber,
    /// Value `offset` rows before, or the default.
    Lag {
        /// Rows back.
        offset: u64,
        /// Value where there is no such row.
        default: Value,
    },
}

/// The state of one function for all keys.
#[derive(Debug)]
pub struct FrameStates {
    function: FrameFunction,
    /// Rows in the frame; `None` for all rows of the key so far.
    rows: Option<usize>,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Int(Vec<Frame<i64>>),
    Float(Vec<Frame<f64>>),
    Decimal(Vec<Frame<i128>>, u8),
    Text(Vec<Frame<Box<[u8]>>>),
}

impl FrameStates {
    /// No keys yet. `rows` counts the current row; `argument` is `None` for COUNT(*) and ROW_NUMBER.
    pub fn new(function: FrameFunction, rows: Option<u64>, argument: Option<DataType>) -> Self {
        let store = match argument {
            Some(DataType::Double) => Store::Float(Vec::new()),
            Some(DataType::Decimal { scale, .. }) => Store::Decimal(Vec::new(), scale),
            Some(DataType::Varchar) => Store::Text(Vec::new()),
            _ => Store::Int(Vec::new()),
        };
        let rows = match function {
            FrameFunction::Lag { offset, .. } => Some(offset.saturating_add(1)),
            _ => rows,
        };
        Self { function, rows: rows.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)), store }
    }

    /// Takes the selected rows in, in order, and appends each row's result to `out`; `groups[j]` is the key of the j-th.
    pub fn push(
        &mut self,
        groups: &[u32],
        selection: Option<&[u32]>,
        argument: Option<&Column<'_>>,
        out: &mut ColumnBuffer,
    ) -> Result<()> {
        let (function, rows) = (&self.function, self.rows);
        match &mut self.store {
            Store::Int(frames) => step_all(frames, function, rows, 0, groups, selection, argument, out),
            Store::Float(frames) => step_all(frames, function, rows, 0, groups, selection, argument, out),
            Store::Decimal(frames, scale) => step_all(frames, function, rows, *scale, groups, selection, argument, out),
            Store::Text(frames) => step_all(frames, function, rows, 0, groups, selection, argument, out),
        }
    }
}

/// A value that frames hold.
trait Cell: Clone {
    fn read(column: &Column<'_>, i: usize) -> Self;
    fn write(&self, out: &mut ColumnBuffer);
    fn before(&self, other: &Self) -> bool;
    /// Exact integer value, for sums of integers and decimals.
    fn whole(&self) -> i128;
    fn double(&self) -> f64;
    fn is_float() -> bool {
        false
    }
}

impl Cell for i64 {
    fn read(column: &Column<'_>, i: usize) -> Self {
        match column.values {
            Values::Int32(values) => i64::from(values[i]),
            Values::Boolean(words) => (words[i / 64] >> (i % 64) & 1) as i64,
            _ => column.int64()[i],
        }
    }
    fn write(&self, out: &mut ColumnBuffer) {
        match out.data_type() {
            DataType::Boolean => out.push_boolean(*self == 1),
            DataType::Int | DataType::Date => out.push_int32(*self as i32),
            _ => out.push_int64(*self),
        }
    }
    fn before(&self, other: &Self) -> bool {
        self < other
    }
    fn whole(&self) -> i128 {
        i128::from(*self)
    }
    fn double(&self) -> f64 {
        *self as f64
    }
}

impl Cell for f64 {
    fn read(column: &Column<'_>, i: usize) -> Self {
        column.float64()[i]
    }
    fn write(&self, out: &mut ColumnBuffer) {
        out.push_float64(*self);
    }
    fn before(&self, other: &Self) -> bool {
        order_key(*self) < order_key(*other)
    }
    fn whole(&self) -> i128 {
        0
    }
    fn double(&self) -> f64 {
        *self
    }
    fn is_float() -> bool {
        true
    }
}

impl Cell for i128 {
    fn read(column: &Column<'_>, i: usize) -> Self {
        column.int128()[i]
    }
    fn write(&self, out: &mut ColumnBuffer) {
        out.push_int128(*self);
    }
    fn before(&self, other: &Self) -> bool {
        self < other
    }
    fn whole(&self) -> i128 {
        *self
    }
    fn double(&self) -> f64 {
        *self as f64
    }
}

impl Cell for Box<[u8]> {
    fn read(column: &Column<'_>, i: usize) -> Self {
        column.text(i).into()
    }
    fn write(&self, out: &mut ColumnBuffer) {
        out.push_text(self);
    }
    fn before(&self, other: &Self) -> bool {
        self < other
    }
    fn whole(&self) -> i128 {
        0
    }
    fn double(&self) -> f64 {
        0.0
    }
}

/// The frame of one key.
#[derive(Debug, Clone)]
struct Frame<T> {
    /// Values of the frame, oldest first; only kept by functions that need what leaves.
    ring: VecDeque<Option<T>>,
    /// Candidates of MIN or MAX: row numbers and values, best first.
    extremes: VecDeque<(u64, T)>,
    /// Rows of the key so far.
    seen: u64,
    /// Values in the frame that are not NULL.
    valid: u64,
    whole: i128,
    /// Turns of 2^128 by which the true sum differs from `whole`.
    carry: i64,
    /// Compensated pair, as bits.
    pair: [u64; 2],
    /// Values in the frame that are infinite or NaN.
    not_finite: u64,
    /// Rows that left since the pair was summed anew.
    left: usize,
    moments: [u64; 5],
    first: Option<Option<T>>,
}

impl<T> Default for Frame<T> {
    fn default() -> Self {
        Self {
            ring: VecDeque::new(),
            extremes: VecDeque::new(),
            seen: 0,
            valid: 0,
            whole: 0,
            carry: 0,
            pair: [0; 2],
            not_finite: 0,
            left: 0,
            moments: [0; 5],
            first: None,
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "one call a column; a struct would only rename them")]
fn step_all<T: Cell>(
    frames: &mut Vec<Frame<T>>,
    function: &FrameFunction,
    rows: Option<usize>,
    scale: u8,
    groups: &[u32],
    selection: Option<&[u32]>,
    argument: Option<&Column<'_>>,
    out: &mut ColumnBuffer,
) -> Result<()> {
    for (j, &group) in groups.iter().enumerate() {
        let i = selection.map_or(j, |s| s[j] as usize);
        let group = group as usize;
        if group >= frames.len() {
            frames.resize_with(group + 1, Frame::default);
        }
        let value = argument.and_then(|column| column.is_valid(i).then(|| T::read(column, i)));
        // COUNT(*) counts rows: a row without argument is a value.
        let counts = argument.is_none() || value.is_some();
        frames[group].step(function, rows, scale, value, counts, out)?;
    }
    Ok(())
}

fn push_cell<T: Cell>(value: Option<&T>, out: &mut ColumnBuffer) {
    match value {
        Some(value) => value.write(out),
        None => out.push_null(),
    }
}

impl<T: Cell> Frame<T> {
    fn step(
        &mut self,
        function: &FrameFunction,
        rows: Option<usize>,
        scale: u8,
        value: Option<T>,
        counts: bool,
        out: &mut ColumnBuffer,
    ) -> Result<()> {
        self.seen += 1;
        match function {
            FrameFunction::RowNumber => out.push_int64(self.seen as i64),
            FrameFunction::LastValue => push_cell(value.as_ref(), out),
            FrameFunction::FirstValue if rows.is_none() => {
                let first = self.first.get_or_insert(value);
                push_cell(first.as_ref(), out);
            }
            FrameFunction::FirstValue => {
                self.enter(rows, value);
                push_cell(self.ring.front().and_then(Option::as_ref), out);
            }
            FrameFunction::Lag { default, .. } => {
                self.enter(rows, value);
                // The ring holds offset + 1 rows; while it is not full there is no such row.
                if Some(self.ring.len()) == rows {
                    push_cell(self.ring.front().and_then(Option::as_ref), out);
                } else {
                    out.push(default);
                }
            }
            FrameFunction::Aggregate(kind) => self.aggregate(*kind, rows, scale, value, counts, out)?,
        }
        Ok(())
    }

    /// Puts a row into the ring and returns the one that leaves.
    fn enter(&mut self, rows: Option<usize>, value: Option<T>) -> Option<Option<T>> {
        let leaving = if Some(self.ring.len()) == rows { self.ring.pop_front() } else { None };
        self.ring.push_back(value);
        leaving
    }

    fn aggregate(
        &mut self,
        kind: AccumulatorKind,
        rows: Option<usize>,
        scale: u8,
        value: Option<T>,
        counts: bool,
        out: &mut ColumnBuffer,
    ) -> Result<()> {
        match kind {
            AccumulatorKind::Count => {
                self.valid += u64::from(counts);
                if rows.is_some() {
                    // What counts is remembered as the presence of any value; the value itself does not matter here.
                    let leaving = self.enter_presence(rows, value, counts);
                    self.valid -= u64::from(leaving);
                }
                out.push_int64(self.valid as i64);
            }
            AccumulatorKind::Sum | AccumulatorKind::Avg => {
                self.add(value.as_ref());
                if rows.is_some()
                    && let Some(Some(leaving)) = self.enter(rows, value)
                {
                    self.subtract(&leaving, rows);
                }
                return self.finish_sum(kind == AccumulatorKind::Avg, scale, out);
            }
            AccumulatorKind::Min => self.extreme(rows, value, |new, old| new.before(old), out),
            AccumulatorKind::Max => self.extreme(rows, value, |new, old| old.before(new), out),
            AccumulatorKind::Moments { root, population } => {
                let unit = 10_f64.powi(i32::from(scale));
                let state = if rows.is_some() {
                    self.enter(rows, value);
                    let mut state = [0; 5];
                    self.ring.iter().flatten().for_each(|value| add_moments(&mut state, value.double() / unit));
                    state
                } else {
                    value.iter().for_each(|value| add_moments(&mut self.moments, value.double() / unit));
                    self.moments
                };
                let n = state[0];
                if n == 0 || (n == 1 && !population) {
                    out.push_null();
                } else {
                    let variance = squared_distances(&state) / (if population { n } else { n - 1 }) as f64;
                    out.push_float64(if root { variance.sqrt() } else { variance });
                }
            }
        }
        Ok(())
    }

    /// For COUNT: tells whether the row that leaves the frame had counted.
    fn enter_presence(&mut self, rows: Option<usize>, value: Option<T>, counts: bool) -> bool {
        if value.is_none() && counts {
            // COUNT(*): every row counts, so the one that leaves did.
            return self.seen > rows.unwrap_or(usize::MAX) as u64;
        }
        matches!(self.enter(rows, value), Some(Some(_)))
    }

    fn add(&mut self, value: Option<&T>) {
        let Some(value) = value else { return };
        self.valid += 1;
        if T::is_float() {
            self.not_finite += u64::from(!value.double().is_finite());
            let [high, low] = &mut self.pair;
            add_pair(high, low, value.double(), 0.0);
        } else {
            self.add_whole(value.whole());
        }
    }

    /// Integers are exact; turns of the i128 are counted, so that what left the frame leaves no trace.
    fn add_whole(&mut self, value: i128) {
        let (sum, carry) = add_wrapping(self.whole, value);
        self.whole = sum;
        self.carry += carry;
    }

    fn subtract(&mut self, leaving: &T, rows: Option<usize>) {
        self.valid -= 1;
        if !T::is_float() {
            self.add_whole(-leaving.whole());
            return;
        }
        self.left += 1;
        let was_finite = leaving.double().is_finite();
        self.not_finite -= u64::from(!was_finite);
        let whole_frame_left = Some(self.left) >= rows;
        if self.not_finite > 0 || !was_finite || whole_frame_left || !f64::from_bits(self.pair[0]).is_finite() {
            self.left = 0;
            self.pair = [0; 2];
            let [high, low] = &mut self.pair;
            self.ring.iter().flatten().for_each(|value| add_pair(high, low, value.double(), 0.0));
        } else {
            let [high, low] = &mut self.pair;
            add_pair(high, low, -leaving.double(), 0.0);
        }
    }

    fn finish_sum(&self, average: bool, scale: u8, out: &mut ColumnBuffer) -> Result<()> {
        if self.valid == 0 {
            out.push_null();
        } else if T::is_float() {
            let sum = f64::from_bits(self.pair[0]) + f64::from_bits(self.pair[1]);
            out.push_float64(if average { sum / self.valid as f64 } else { sum });
        } else if average {
            if self.carry != 0 {
                return Err(decimal_overflow());
            }
            out.push_float64(self.whole as f64 / 10_f64.powi(i32::from(scale)) / self.valid as f64);
        } else if matches!(out.data_type(), DataType::Decimal { .. }) {
            if self.carry != 0 || !fits_precision(self.whole, 38) {
                return Err(decimal_overflow());
            }
            out.push_int128(self.whole);
        } else {
            out.push_int64(i64::try_from(self.whole).map_err(|_| bigint_overflow(self.whole))?);
        }
        Ok(())
    }

    fn extreme(
        &mut self,
        rows: Option<usize>,
        value: Option<T>,
        better: impl Fn(&T, &T) -> bool,
        out: &mut ColumnBuffer,
    ) {
        if let Some(value) = value {
            if rows.is_none() {
                // Nothing leaves: only the best counts.
                if self.extremes.front().is_none_or(|(_, best)| better(&value, best)) {
                    self.extremes.clear();
                    self.extremes.push_back((self.seen, value));
                }
            } else {
                while self.extremes.back().is_some_and(|(_, last)| !better(last, &value)) {
                    self.extremes.pop_back();
                }
                self.extremes.push_back((self.seen, value));
            }
        }
        if let Some(rows) = rows {
            while self.extremes.front().is_some_and(|(row, _)| row.saturating_add(rows as u64) <= self.seen) {
                self.extremes.pop_front();
            }
        }
        push_cell(self.extremes.front().map(|(_, value)| value), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(function: FrameFunction, rows: Option<u64>, values: &[Option<f64>], result: DataType) -> Vec<Option<f64>> {
        let mut column = ColumnBuffer::new(DataType::Double);
        for value in values {
            column.push(&value.map_or(Value::Null, Value::Float64));
        }
        let mut out = ColumnBuffer::new(result);
        let groups = vec![0; values.len()];
        FrameStates::new(function, rows, Some(DataType::Double))
            .push(&groups, None, Some(&column.column()), &mut out)
            .unwrap();
        let view = out.column();
        (0..values.len())
            .map(|i| {
                view.is_valid(i).then(|| match view.values {
                    Values::Int64(v) => v[i] as f64,
                    _ => view.float64()[i],
                })
            })
            .collect()
    }

    proptest! {
        /// Every function over every frame against a fold of the frame's rows, NULLs and infinities included.
        #[test]
        fn frames_agree_with_folding_each_frame(
            values in prop::collection::vec(prop_oneof![4 => (-1000i32..1000).prop_map(|v| Some(f64::from(v) / 4.0)), 1 => Just(None), 1 => Just(Some(f64::INFINITY))], 0..60),
            rows in prop_oneof![Just(None), (1u64..12).prop_map(Some)],
        ) {
            use AccumulatorKind::*;
            let frame = |i: usize| &values[rows.map_or(0, |n| (i + 1).saturating_sub(n as usize))..=i];
            let expected = |f: &dyn Fn(Vec<f64>) -> Option<f64>| -> Vec<Option<f64>> {
                (0..values.len()).map(|i| f(frame(i).iter().flatten().copied().collect())).collect()
            };
            let got = |kind, result| run(FrameFunction::Aggregate(kind), rows, &values, result);
            prop_assert_eq!(got(Count, DataType::BigInt), expected(&|v| Some(v.len() as f64)));
            prop_assert_eq!(got(Sum, DataType::Double), expected(&|v| (!v.is_empty()).then(|| v.iter().sum())));
            prop_assert_eq!(got(Avg, DataType::Double), expected(&|v| (!v.is_empty()).then(|| v.iter().sum::<f64>() / v.len() as f64)));
            prop_assert_eq!(got(Min, DataType::Double), expected(&|v| v.into_iter().reduce(f64::min)));
            prop_assert_eq!(got(Max, DataType::Double), expected(&|v| v.into_iter().reduce(f64::max)));
            let first: Vec<_> = (0..values.len()).map(|i| frame(i)[0]).collect();
            prop_assert_eq!(run(FrameFunction::FirstValue, rows, &values, DataType::Double), first);
            let lag: Vec<_> = (0..values.len()).map(|i| if i < 3 { Some(-1.0) } else { values[i - 3] }).collect();
            let function = FrameFunction::Lag { offset: 3, default: Value::Float64(-1.0) };
            prop_assert_eq!(run(function, rows, &values, DataType::Double), lag);
        }
    }

    #[test]
    fn a_large_value_that_left_leaves_no_error() {
        let values = [Some(1e300), Some(1e100), Some(1.0), Some(2.0), Some(3.0)];
        let sums = run(FrameFunction::Aggregate(AccumulatorKind::Sum), Some(2), &values, DataType::Double);
        assert_eq!(sums[3..], [Some(3.0), Some(5.0)]);
    }
}
