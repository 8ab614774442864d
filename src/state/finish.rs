//! Results of aggregates from the words of state rows, a column at a time: of closed groups, and running ones.

use crate::batch::{Column, ColumnBuffer};
use crate::error::{Error, Result};
use crate::kernel::Simd;
use crate::kernel::arithmetic::fits_precision;
use crate::kernel::update::{Number, Running, finished_doubles, i128_of, pair_value, squared_distances};
use crate::types::DataType;

use super::fold::FoldRows;
use super::layout::{Accumulator, AccumulatorKind, Kept};
use super::states::{States, input_of};
use super::{StateLayout, text};

/// The error of a SUM that no BIGINT holds.
pub(super) fn bigint_overflow(sum: i128) -> Error {
    Error::Execution(format!("SUM overflows BIGINT (the sum is {sum}): cast the argument to DECIMAL(38, 0) or DOUBLE"))
}

/// The error of a SUM that no DECIMAL holds.
pub(super) fn decimal_overflow() -> Error {
    Error::Execution("SUM of a DECIMAL does not fit 38 digits: cast the argument to DOUBLE".into())
}

/// Where the words of a column of results stand.
trait Source {
    /// Number of results.
    fn len(&self) -> usize;
    /// Rows taken in, NULLs not counted.
    fn count(&self, j: usize) -> u64;
    /// The words of the sum.
    fn sum(&self, j: usize) -> [u64; 2];
    /// The words of the least and the greatest value.
    fn extremes(&self, j: usize) -> [u64; 2];
}

/// The rows of finished groups.
struct Finished<'a> {
    words: &'a [u64],
    shift: u32,
    groups: &'a [u32],
    /// NULLs of the argument by group, of the first ones; the others had none.
    nulls: &'a [u64],
    sum_word: usize,
    extremes_word: usize,
}

impl Finished<'_> {
    #[inline]
    fn pair(&self, j: usize, word: usize) -> [u64; 2] {
        let at = ((self.groups[j] as usize) << self.shift) + word;
        let words = &self.words[at..at + 2];
        [words[0], words[1]]
    }
}

impl Source for Finished<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.groups.len()
    }

    #[inline]
    fn count(&self, j: usize) -> u64 {
        let group = self.groups[j] as usize;
        self.words[group << self.shift] - self.nulls.get(group).copied().unwrap_or(0)
    }

    #[inline]
    fn sum(&self, j: usize) -> [u64; 2] {
        self.pair(j, self.sum_word)
    }

    #[inline]
    fn extremes(&self, j: usize) -> [u64; 2] {
        self.pair(j, self.extremes_word)
    }
}

/// What stood in the states after each row of a block.
struct AfterEach<'a> {
    running: &'a Running,
    nulls: Option<&'a [u64]>,
    rows: usize,
}

impl Source for AfterEach<'_> {
    fn len(&self) -> usize {
        self.rows
    }

    #[inline]
    fn count(&self, j: usize) -> u64 {
        self.running.counts[j] - self.nulls.map_or(0, |nulls| nulls[j])
    }

    #[inline]
    fn sum(&self, j: usize) -> [u64; 2] {
        self.running.sums[j]
    }

    #[inline]
    fn extremes(&self, j: usize) -> [u64; 2] {
        self.running.extremes[j]
    }
}

impl States {
    /// Appends the results of `groups` to `out`, one column for each call.
    pub fn finish(&self, layout: &StateLayout, groups: &[u32], out: &mut [ColumnBuffer]) -> Result<()> {
        out.iter_mut()
            .enumerate()
            .take(layout.accumulators.len())
            .try_for_each(|(call, out)| self.finish_call(layout, call, groups, out))
    }

    /// Appends the results of one of the calls.
    pub(super) fn finish_call(
        &self,
        layout: &StateLayout,
        call: usize,
        groups: &[u32],
        out: &mut ColumnBuffer,
    ) -> Result<()> {
        let call = &layout.accumulators[call];
        if let AccumulatorKind::Folded { fold, reading } = call.kind {
            return self.folds[fold].finish(reading, groups, out);
        }
        let argument = call.argument.map(|(index, _)| index);
        let part = argument.and_then(|index| layout.kept[index].part).map(|part| layout.parts[part]);
        let source = Finished {
            words: self.words(groups),
            shift: layout.shift,
            groups,
            nulls: argument.map_or(&[], |argument| self.nulls_by_group(argument)),
            sum_word: part.filter(|part| part.sum).map_or(0, |part| part.sum_word()),
            extremes_word: part.filter(|part| part.extremes).map_or(0, |part| part.extremes_word()),
        };
        let integer = part.is_none_or(|part| part.number == Number::Integer);
        if !finish_numbers(call, integer, &source, out)? {
            for (j, &group) in groups.iter().enumerate() {
                let row = self.row(layout, group);
                let kept = &layout.kept[argument.expect("only COUNT(*) has no argument")];
                finish_other(call, kept, row, &|| source.sum(j), source.count(j), &self.heap, out)?;
            }
        }
        Ok(())
    }

    /// Takes the rows in one after another and appends, after each, the running result of its group to `out`, one column
    /// for each call. All groups must be there ([`States::grow`]).
    #[expect(clippy::too_many_arguments, reason = "as many as `update`, the results and memory")]
    pub fn update_running(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        groups: &[u32],
        selection: Option<&[u32]>,
        arguments: &[Column<'_>],
        running: &mut Running,
        out: &mut [ColumnBuffer],
    ) -> Result<()> {
        self.fold_running(simd, layout, groups, selection, arguments, out)?;
        groups.chunks(Running::ROWS).enumerate().try_for_each(|(block, groups)| {
            let start = block * Running::ROWS;
            self.update_block(simd, layout, groups, start, selection, arguments, running, out)
        })
    }

    /// [`Self::update_running`] of the folds, row by row.
    fn fold_running(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        groups: &[u32],
        selection: Option<&[u32]>,
        arguments: &[Column<'_>],
        out: &mut [ColumnBuffer],
    ) -> Result<()> {
        for (index, fold) in self.folds.iter_mut().enumerate() {
            for (j, group) in groups.chunks(1).enumerate() {
                let row = selection.map_or(j as u32, |selection| selection[j]);
                fold.update(simd, FoldRows { groups: group, rows: Some(&[row]) }, arguments);
                for (call, out) in layout.accumulators.iter().zip(&mut *out) {
                    match call.kind {
                        AccumulatorKind::Folded { fold: of, reading } if of == index => {
                            fold.finish(reading, group, out)?
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// A block of [`Self::update_running`]: the rows from the `start`-th selected on.
    #[expect(clippy::too_many_arguments, reason = "one step of `update_running`")]
    fn update_block(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        groups: &[u32],
        start: usize,
        selection: Option<&[u32]>,
        arguments: &[Column<'_>],
        running: &mut Running,
        out: &mut [ColumnBuffer],
    ) -> Result<()> {
        let rows = groups.len();
        running.count(&mut self.rows(layout), groups);
        let counted = AfterEach { running, nulls: None, rows };
        for (call, out) in layout.accumulators.iter().zip(&mut *out).filter(|(call, _)| call.is_count_of_rows()) {
            finish_numbers(call, true, &counted, out)?;
        }
        let mut selected = [0; Running::ROWS];
        for (j, slot) in selected[..rows].iter_mut().enumerate() {
            *slot = selection.map_or((start + j) as u32, |selection| selection[start + j]);
        }
        let selected = &selected[..rows];
        let mut all_nulls = [0; Running::ROWS];
        for (index, (column, kept)) in arguments.iter().zip(&layout.kept).enumerate() {
            let seen = column.validity.is_some() || self.nulls.get(index).is_some_and(|nulls| !nulls.is_empty());
            if seen {
                for (j, (&group, &row)) in groups.iter().zip(selected).enumerate() {
                    self.count_nulls(index, std::iter::once((group, row as usize)), column);
                    all_nulls[j] = self.nulls(index, group);
                }
            }
            let nulls = seen.then_some(&all_nulls[..rows]);
            let part = kept.part.map(|part| layout.parts[part]);
            if let Some(part) = part {
                let input = input_of(column);
                running.take(simd, &mut self.rows(layout), part, &input, groups, start..start + rows, selection);
            }
            let integer = part.is_none_or(|part| part.number == Number::Integer);
            let calls = || layout.accumulators.iter().enumerate().filter(move |(_, call)| call.is_over(index));
            let source = AfterEach { running, nulls, rows };
            let mut others = false;
            for (c, call) in calls() {
                others |= !finish_numbers(call, integer, &source, &mut out[c])?;
            }
            if others {
                for (j, (&group, &row)) in groups.iter().zip(selected).enumerate() {
                    self.update_others(layout, kept, std::iter::once((group, row as usize)), column);
                    for (c, call) in calls().filter(|(_, call)| !call.is_of_numbers()) {
                        let row = self.row(layout, group);
                        finish_other(call, kept, row, &|| source.sum(j), source.count(j), &self.heap, &mut out[c])?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Accumulator {
    fn is_over(&self, index: usize) -> bool {
        self.argument.is_some_and(|(argument, _)| argument == index)
    }

    /// COUNT(*).
    fn is_count_of_rows(&self) -> bool {
        self.kind == AccumulatorKind::Count && self.argument.is_none()
    }

    /// Whether the result comes from the counts and a part alone.
    fn is_of_numbers(&self) -> bool {
        match self.kind {
            AccumulatorKind::Count => true,
            AccumulatorKind::Moments { .. } | AccumulatorKind::Folded { .. } => false,
            _ => !matches!(self.argument, Some((_, DataType::Decimal { .. } | DataType::Varchar))),
        }
    }
}

/// Appends a column of results, if it comes from the counts and a part alone; else says false.
fn finish_numbers(call: &Accumulator, integer: bool, source: &impl Source, out: &mut ColumnBuffer) -> Result<bool> {
    if !call.is_of_numbers() {
        return Ok(false);
    }
    let rows = 0..source.len();
    let any = |j: usize| source.count(j) > 0;
    match (call.kind, integer) {
        (AccumulatorKind::Count, _) => out.extend_int64(rows.map(|j| source.count(j).cast_signed())),
        (AccumulatorKind::Sum, true) => {
            // A sum that fits is its low half with the sign spread over the high half.
            let fits = |[low, high]: [u64; 2]| (low.cast_signed() >> 63).cast_unsigned() == high;
            if let Some(j) = rows.clone().find(|&j| !fits(source.sum(j))) {
                let [low, high] = source.sum(j);
                return Err(bigint_overflow(i128_of(low, high)));
            }
            extend_int64(out, source, |j| source.sum(j)[0].cast_signed());
        }
        (AccumulatorKind::Avg, true) => extend_float64(out, source, |j| {
            let [low, high] = source.sum(j);
            i128_of(low, high) as f64 / source.count(j) as f64
        }),
        (AccumulatorKind::Sum, false) => extend_float64(out, source, |j| {
            let [high, low] = source.sum(j).map(f64::from_bits);
            pair_value(high, low)
        }),
        (AccumulatorKind::Avg, false) => extend_float64(out, source, |j| {
            let [high, low] = source.sum(j).map(f64::from_bits);
            pair_value(high, low) / source.count(j) as f64
        }),
        (AccumulatorKind::Min, false) => extend_float64(out, source, |j| finished_doubles(source.extremes(j))[0]),
        (AccumulatorKind::Max, false) => extend_float64(out, source, |j| finished_doubles(source.extremes(j))[1]),
        (AccumulatorKind::Min | AccumulatorKind::Max, true) => {
            let which = usize::from(call.kind == AccumulatorKind::Max);
            let value = |j: usize| any(j).then(|| source.extremes(j)[which]);
            match call.result {
                DataType::Boolean => rows.for_each(|j| match value(j) {
                    Some(word) => out.push_boolean(word == 1),
                    None => out.push_null(),
                }),
                DataType::Int | DataType::Date => {
                    out.extend_nullable_int32(rows.map(|j| value(j).map(|word| word as i32)));
                }
                _ => extend_int64(out, source, |j| source.extremes(j)[which].cast_signed()),
            }
        }
        (AccumulatorKind::Moments { .. } | AccumulatorKind::Folded { .. }, _) => return Ok(false),
    }
    Ok(true)
}

/// Whether every result has a value: nearly always so, and then there is no NULL to look for row by row.
fn all_have_values(source: &impl Source) -> bool {
    // Without a branch for each, because the answer is nearly always the same.
    (0..source.len()).fold(true, |all, j| all & (source.count(j) > 0))
}

/// Appends `value(j)` for each result that has a value, NULL for the others.
fn extend_int64(out: &mut ColumnBuffer, source: &impl Source, value: impl Fn(usize) -> i64) {
    let rows = 0..source.len();
    if all_have_values(source) {
        out.extend_int64(rows.map(value));
    } else {
        out.extend_nullable_int64(rows.map(|j| (source.count(j) > 0).then(|| value(j))));
    }
}

/// Appends `value(j)` for each result that has a value, NULL for the others.
fn extend_float64(out: &mut ColumnBuffer, source: &impl Source, value: impl Fn(usize) -> f64) {
    let rows = 0..source.len();
    if all_have_values(source) {
        out.extend_float64(rows.map(value));
    } else {
        out.extend_nullable_float64(rows.map(|j| (source.count(j) > 0).then(|| value(j))));
    }
}

/// Appends the result of a group, of whose rows `count` held a value, for an aggregate of DECIMAL or text, or of squares,
/// for which `sum` is the pair beside them.
fn finish_other(
    call: &Accumulator,
    kept: &Kept,
    row: &[u64],
    sum: &dyn Fn() -> [u64; 2],
    count: u64,
    heap: &[u8],
    out: &mut ColumnBuffer,
) -> Result<()> {
    let greatest = call.kind == AccumulatorKind::Max;
    if let AccumulatorKind::Moments { root, population } = call.kind {
        let word = kept.squares.expect("squares are kept");
        match variance(sum(), [row[word], row[word + 1]], count, population) {
            Some(variance) => out.push_float64(if root { variance.sqrt() } else { variance }),
            None => out.push_null(),
        }
    } else if count == 0 {
        out.push_null();
    } else if let AccumulatorKind::Sum | AccumulatorKind::Avg = call.kind {
        let word = kept.decimal_sum.expect("a sum is kept");
        let sum = i128_of(row[word], row[word + 1]);
        if row[word + 2] != 0 || !fits_precision(sum, 38) {
            return Err(decimal_overflow());
        }
        match (call.kind, call.argument) {
            (AccumulatorKind::Avg, Some((_, DataType::Decimal { scale, .. }))) => {
                out.push_float64(sum as f64 / 10_f64.powi(i32::from(scale)) / count as f64);
            }
            _ => out.push_int128(sum),
        }
    } else if let Some(word) = kept.decimal_extremes {
        let word = word + 2 * usize::from(greatest);
        out.push_int128(i128_of(row[word], row[word + 1]));
    } else {
        let word = row[kept.texts.expect("text is kept") + usize::from(greatest)];
        match text::text_of(heap, word) {
            Some(text) => out.push_text(text),
            None => out.push_null(),
        }
    }
    Ok(())
}

/// VARIANCE of `count` values, from the pairs of their sum and of the sum of their squares.
fn variance(sum: [u64; 2], squares: [u64; 2], count: u64, population: bool) -> Option<f64> {
    let divisor = if population { count } else { count.saturating_sub(1) };
    let [high, low] = sum.map(f64::from_bits);
    let low = if high.is_finite() { low } else { 0.0 };
    let state = [count, high.to_bits(), low.to_bits(), squares[0], squares[1]];
    (divisor > 0).then(|| squared_distances(&state) / divisor as f64)
}
