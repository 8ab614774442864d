//! Functions of the values of a row over columns: NULL in, NULL out; once per distinct value where the only argument
//! that is no constant is a dictionary smaller than the batch.

use super::datum::{Datum, Mask, Operand, Scalar, Scope};
use super::failures::{FailureReason, RowFailures};
use super::text::small_dictionary;
use crate::batch::{Column, Strings, Values};
use crate::function::{Argument, Failure, Lane, Output, Prepared, RowFunction, Rows, Texts};
use crate::kernel::bitmap;
use crate::types::DataType;

/// A function with what was made of its literal arguments, and the types of arguments and result.
pub(super) struct Call<'c> {
    pub function: RowFunction,
    pub prepared: &'c Prepared,
    pub types: &'c [DataType],
    pub data_type: DataType,
}

impl Call<'_> {
    /// The results of all rows.
    pub fn evaluate<'a>(
        &self,
        scope: Scope<'_, 'a>,
        args: &[Datum<'a>],
        active: Mask<'a>,
        failures: &mut RowFailures<'_>,
    ) -> Datum<'a> {
        if args.iter().any(Datum::is_null) {
            return Datum::Constant(Scalar::Null);
        }
        if let Some(datum) = self.by_code(scope, args, active, failures) {
            return datum;
        }
        let validity = args.iter().fold(None, |validity, arg| scope.both(validity, arg.validity()));
        let wanted = scope.both(validity, active);
        let arguments = scope.arena.alloc_slice_fill_with(args.len(), |i| argument(scope, args[i]));
        let (prepared, result) = (self.prepared, self.data_type.physical());
        let mut rows = Rows::new(scope.rows, (arguments, self.types), wanted, prepared, result, scope.arena);
        (self.function.run)(&mut rows);
        let answered = rows.finish();
        for (row, failure) in &answered.failures {
            failures.record(*row, self.reason(*failure));
        }
        let validity = match answered.nulls {
            Some(nulls) => Some(scope.minus(validity, nulls)),
            None => validity,
        };
        Datum::column(values(answered.output), validity)
    }

    /// The same, if each distinct value of a dictionary is looked at once.
    fn by_code<'a>(
        &self,
        scope: Scope<'_, 'a>,
        args: &[Datum<'a>],
        active: Mask<'a>,
        failures: &mut RowFailures<'_>,
    ) -> Option<Datum<'a>> {
        let is_column = |arg: &&Datum<'a>| matches!(arg, Datum::Column(_));
        let mut columns = args.iter().filter(is_column);
        let (Some(Datum::Column(column)), None) = (columns.next(), columns.next()) else { return None };
        let (codes, dictionary) = small_dictionary(column, scope.rows)?;
        let count = dictionary.len();
        let arguments = scope.arena.alloc_slice_fill_with(args.len(), |i| match args[i] {
            Datum::Column(_) => {
                Argument::Text(Texts { offsets: dictionary.offsets, bytes: dictionary.bytes, codes: None })
            }
            constant => argument(scope, constant),
        });
        let (prepared, result) = (self.prepared, self.data_type.physical());
        let mut rows = Rows::new(count, (arguments, self.types), None, prepared, result, scope.arena);
        (self.function.run)(&mut rows);
        let answered = rows.finish();
        // Texts too long together for the dictionary's offsets may fit row by row.
        if answered.failures.iter().any(|(_, failure)| *failure == Failure::TooLong) {
            return None;
        }
        let validity = self.validity_of_rows(scope, (codes, column.validity), &answered, active, failures);
        let wanted = scope.both(validity, active);
        macro_rules! spread {
            ($variant:ident, $values:expr, $empty:expr) => {{
                let (values, out) = ($values, scope.fill($empty));
                scope.for_each(wanted, |row| out[row] = values[codes[row] as usize]);
                Values::$variant(out)
            }};
        }
        let values = match answered.output {
            Output::Text(text) => {
                let (offsets, bytes) = text.finish();
                Values::Dictionary { codes, values: Strings { offsets, bytes }, source: None }
            }
            Output::Boolean(words) => {
                let out = scope.bitmap();
                scope.for_each(wanted, |row| {
                    let code = codes[row] as usize;
                    out[row / 64] |= (words[code / 64] >> (code % 64) & 1) << (row % 64);
                });
                Values::Boolean(out)
            }
            Output::Int32(values) => spread!(Int32, values, 0),
            Output::Int64(values) => spread!(Int64, values, 0),
            Output::Float64(values) => spread!(Float64, values, 0.0),
            Output::Int128(values) => spread!(Int128, values, 0),
        };
        Some(Datum::column(values, validity))
    }

    /// Validity of rows from NULLs and failures of codes; failures of rows that count are recorded.
    fn validity_of_rows<'a>(
        &self,
        scope: Scope<'_, 'a>,
        (codes, validity): (&[u32], Mask<'a>),
        answered: &crate::function::Answered<'a>,
        active: Mask<'a>,
        failures: &mut RowFailures<'_>,
    ) -> Mask<'a> {
        let Some(nulls) = answered.nulls else { return validity };
        let gaps = scope.bitmap();
        scope.for_each(validity, |row| {
            let code = codes[row] as usize;
            gaps[row / 64] |= (nulls[code / 64] >> (code % 64) & 1) << (row % 64);
        });
        if !answered.failures.is_empty() && !bitmap::is_zero(gaps) {
            scope.for_each(scope.both(Some(scope.copy(Some(gaps))), active), |row| {
                let code = codes[row] as usize;
                // Ascending by code.
                if let Ok(index) = answered.failures.binary_search_by_key(&code, |(code, _)| *code) {
                    failures.record(row, self.reason(answered.failures[index].1));
                }
            });
        }
        Some(scope.minus(validity, gaps))
    }

    fn reason(&self, failure: Failure) -> FailureReason {
        match failure {
            Failure::Overflow => FailureReason::Overflow(self.data_type),
            Failure::TooLong => FailureReason::TextTooLong,
            Failure::Refused(problem) => FailureReason::Refused { function: self.function.name, problem },
        }
    }
}

fn lane<'a, T: Copy>(scope: Scope<'_, 'a>, operand: Operand<'a, T>) -> Lane<'a, T> {
    match operand {
        Operand::Column(values) => Lane::column(values),
        Operand::Constant(value) => Lane::constant(scope.arena.alloc(value)),
    }
}

/// An argument as functions see it.
fn argument<'a>(scope: Scope<'_, 'a>, datum: Datum<'a>) -> Argument<'a> {
    let rows = scope.rows;
    match datum {
        Datum::Constant(Scalar::Boolean(value)) => {
            Argument::Boolean(Lane::constant(scope.arena.alloc(if value { u64::MAX } else { 0 })))
        }
        Datum::Constant(Scalar::Utf8(text)) => {
            let offsets = scope.arena.alloc_slice_copy(&[0, text.len() as i32]);
            Argument::Text(Texts { offsets, bytes: text, codes: Some(Lane::constant(&0)) })
        }
        Datum::Column(Column { values: Values::Boolean(words), .. }) => Argument::Boolean(Lane::column(words)),
        Datum::Column(Column { values: Values::Utf8(strings), .. }) => {
            Argument::Text(Texts { offsets: strings.offsets, bytes: strings.bytes, codes: None })
        }
        Datum::Column(Column { values: Values::Dictionary { codes, values, .. }, .. }) => {
            Argument::Text(Texts { offsets: values.offsets, bytes: values.bytes, codes: Some(Lane::column(codes)) })
        }
        Datum::Column(Column { values: Values::Int32(_), .. }) | Datum::Constant(Scalar::Int32(_)) => {
            Argument::Int32(lane(scope, datum.int32(rows)))
        }
        Datum::Column(Column { values: Values::Int64(_), .. }) | Datum::Constant(Scalar::Int64(_)) => {
            Argument::Int64(lane(scope, datum.int64(rows)))
        }
        Datum::Column(Column { values: Values::Float64(_), .. }) | Datum::Constant(Scalar::Float64(_)) => {
            Argument::Float64(lane(scope, datum.float64(rows)))
        }
        Datum::Column(Column { values: Values::Int128(_), .. }) | Datum::Constant(Scalar::Int128(_)) => {
            Argument::Int128(lane(scope, datum.int128(rows)))
        }
        Datum::Constant(Scalar::Null) => panic!("a call with a NULL argument is NULL"),
    }
}

fn values(output: Output<'_>) -> Values<'_> {
    match output {
        Output::Boolean(words) => Values::Boolean(words),
        Output::Int32(values) => Values::Int32(values),
        Output::Int64(values) => Values::Int64(values),
        Output::Float64(values) => Values::Float64(values),
        Output::Int128(values) => Values::Int128(values),
        Output::Text(text) => {
            let (offsets, bytes) = text.finish();
            Values::Utf8(Strings { offsets, bytes })
        }
    }
}
