//! CAST between types, a value that has no counterpart failing its row.
//!
//! * Numbers: rounding is half away from zero, out of range fails; NaN and infinities go to DOUBLE and text only.
//! * BOOLEAN to a number is 0 or 1; a number to BOOLEAN is whether it is not zero.
//! * DATE to TIMESTAMP is midnight UTC; TIMESTAMP to DATE the day it lies in.
//! * Types of one layout (BIGINT, TIMESTAMP, INTERVAL: microseconds; INT, DATE: days) change their name only.
//! * Text: as [`crate::types::text`] writes and reads it.

use bumpalo::collections::Vec as ArenaVec;

use super::datum::{Datum, Mask, Scope};
use super::failures::{FailureReason, RowFailures};
use super::text::{build, small_dictionary};
use crate::batch::{Column, Strings, Values};
use crate::kernel::cast as kernel;
use crate::kernel::lanes::{map, map_flagged, test};
use crate::types::DataType;
use crate::types::text::calendar::DAY_US;
use crate::types::text::{parse, print};

impl print::Sink for ArenaVec<'_, u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice_copy(bytes);
    }
}

/// What every cast needs to know.
#[derive(Clone, Copy)]
struct Job<'c, 'a> {
    scope: Scope<'c, 'a>,
    from: DataType,
    to: DataType,
    active: Mask<'a>,
}

/// CAST(arg AS to).
pub(super) fn cast<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    from: DataType,
    to: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    use DataType::{BigInt, Boolean, Date, Decimal, Double, Int, Interval, Timestamp, Varchar};
    let dated = matches!((from, to), (Date, Timestamp) | (Timestamp, Date));
    let same_layout = from.physical() == to.physical() && !matches!(from, Decimal { .. }) && !dated;
    if arg.is_null() || from == to || same_layout {
        return arg;
    }
    // A constant gets here only if it fails (the others were computed when the expression was compiled).
    let column = scope.column(arg, from.physical());
    let job = Job { scope, from, to, active };
    match (from, to) {
        (_, Varchar) => job.write(column, failures),
        (Varchar, _) => job.read(column, failures),
        (Boolean, _) => job.read_boolean(column, failures),
        (_, Boolean) => job.truth(column),
        (Int, BigInt) => {
            let out = scope.fill(0);
            map(column.int32(), out, i64::from);
            Datum::column(Values::Int64(out), column.validity)
        }
        (Int, Double) => {
            let out = scope.fill(0.0);
            map(column.int32(), out, f64::from);
            Datum::column(Values::Float64(out), column.validity)
        }
        (Int, Decimal { precision, scale }) => job.checked(column.int32(), column, failures, Values::Int128, |x| {
            kernel::i64_to_decimal(i64::from(x), precision, scale)
        }),
        (BigInt, Int) => job.checked(column.int64(), column, failures, Values::Int32, kernel::i64_to_i32),
        (BigInt, Double) => {
            let out = scope.fill(0.0);
            map(column.int64(), out, |x| x as f64);
            Datum::column(Values::Float64(out), column.validity)
        }
        (BigInt, Decimal { precision, scale }) => job
            .checked(column.int64(), column, failures, Values::Int128, |x| kernel::i64_to_decimal(x, precision, scale)),
        (Double, Int) => job.checked(column.float64(), column, failures, Values::Int32, kernel::f64_to_i32),
        (Double, BigInt) => job.checked(column.float64(), column, failures, Values::Int64, kernel::f64_to_i64),
        (Double, Decimal { precision, scale }) => {
            job.checked(column.float64(), column, failures, Values::Int128, |x| {
                kernel::f64_to_decimal(x, precision, scale)
            })
        }
        (Decimal { scale, .. }, Int) => job.checked(column.int128(), column, failures, Values::Int32, |x| {
            let (value, flag) = kernel::decimal_to_i64(x, scale);
            let (value, narrow) = kernel::i64_to_i32(value);
            (value, flag | narrow)
        }),
        (Decimal { scale, .. }, BigInt) => {
            job.checked(column.int128(), column, failures, Values::Int64, |x| kernel::decimal_to_i64(x, scale))
        }
        (Decimal { scale, .. }, Double) => {
            let out = scope.fill(0.0);
            map(column.int128(), out, |x| kernel::decimal_to_f64(x, scale));
            Datum::column(Values::Float64(out), column.validity)
        }
        (Decimal { scale: from_scale, .. }, Decimal { precision, scale }) => {
            job.checked(column.int128(), column, failures, Values::Int128, |x| {
                kernel::rescale(x, from_scale, precision, scale)
            })
        }
        (Date, Timestamp) => {
            job.checked(column.int32(), column, failures, Values::Int64, |days| i64::from(days).overflowing_mul(DAY_US))
        }
        (Timestamp, Date) => {
            let out = scope.fill(0);
            map(column.int64(), out, |us| us.div_euclid(DAY_US) as i32);
            Datum::column(Values::Int32(out), column.validity)
        }
        (Int | BigInt | Double | Decimal { .. } | Date | Timestamp | Interval, _) => {
            panic!("the planner does not cast {from} to {to}")
        }
    }
}

impl<'a> Job<'_, 'a> {
    fn reason(&self) -> FailureReason {
        FailureReason::Cast { from: self.from, to: self.to }
    }

    /// A cast by a row function that flags what does not fit.
    fn checked<A: Copy, R: Copy + Default + 'a>(
        self,
        values: &'a [A],
        column: Column<'a>,
        failures: &mut RowFailures<'_>,
        wrap: impl Fn(&'a [R]) -> Values<'a>,
        row: impl Fn(A) -> (R, bool),
    ) -> Datum<'a> {
        let (out, flags) = (self.scope.fill(R::default()), self.scope.bitmap());
        let mut validity = column.validity;
        if map_flagged(values, out, flags, row) {
            validity = self.scope.settle(flags, validity, self.active, failures, self.reason());
        }
        Datum::column(wrap(out), validity)
    }

    fn read_boolean(self, column: Column<'a>, failures: &mut RowFailures<'_>) -> Datum<'a> {
        let words = column.booleans();
        let bits = self.scope.arena.alloc_slice_fill_with(self.scope.rows, |i| words[i / 64] >> (i % 64) & 1 == 1);
        let bits = &*bits;
        match self.to {
            DataType::Int => self.checked(bits, column, failures, Values::Int32, |bit| (i32::from(bit), false)),
            DataType::BigInt => self.checked(bits, column, failures, Values::Int64, |bit| (i64::from(bit), false)),
            DataType::Double => {
                self.checked(bits, column, failures, Values::Float64, |bit| (f64::from(u8::from(bit)), false))
            }
            DataType::Decimal { precision, scale } => self.checked(bits, column, failures, Values::Int128, |bit| {
                kernel::i64_to_decimal(i64::from(bit), precision, scale)
            }),
            to => panic!("the planner does not cast BOOLEAN to {to}"),
        }
    }

    fn truth(self, column: Column<'a>) -> Datum<'a> {
        let (rows, out) = (self.scope.rows, self.scope.bitmap());
        match column.values {
            Values::Int32(values) if self.from == DataType::Int => test(values, rows, out, |x| x != 0),
            Values::Int64(values) if self.from == DataType::BigInt => test(values, rows, out, |x| x != 0),
            Values::Float64(values) => test(values, rows, out, |x| x != 0.0),
            Values::Int128(values) => test(values, rows, out, |x| x != 0),
            _ => panic!("the planner does not cast {} to BOOLEAN", self.from),
        }
        Datum::column(Values::Boolean(out), column.validity)
    }

    /// To text.
    fn write(self, column: Column<'a>, failures: &mut RowFailures<'_>) -> Datum<'a> {
        match self.from {
            DataType::Boolean => {
                let words = column.booleans();
                let rows = self.scope.rows;
                let codes = self.scope.arena.alloc_slice_fill_with(rows, |i| (words[i / 64] >> (i % 64) & 1) as u32);
                let values = Strings { offsets: &[0, 5, 9], bytes: b"falsetrue" };
                Datum::column(Values::Dictionary { codes, values, source: None }, column.validity)
            }
            DataType::Int => {
                let values = column.int32();
                self.write_with(column, failures, |i, out| print::integer(out, i64::from(values[i])))
            }
            DataType::BigInt => {
                let values = column.int64();
                self.write_with(column, failures, |i, out| print::integer(out, values[i]))
            }
            DataType::Double => {
                let values = column.float64();
                self.write_with(column, failures, |i, out| print::double(out, values[i]))
            }
            DataType::Decimal { scale, .. } => {
                let values = column.int128();
                self.write_with(column, failures, |i, out| print::decimal(out, values[i], scale))
            }
            DataType::Date => {
                let values = column.int32();
                self.write_with(column, failures, |i, out| print::date(out, values[i]))
            }
            DataType::Timestamp => {
                let values = column.int64();
                self.write_with(column, failures, |i, out| print::timestamp(out, values[i]))
            }
            DataType::Interval => {
                let values = column.int64();
                self.write_with(column, failures, |i, out| print::interval(out, values[i]))
            }
            DataType::Varchar => Datum::Column(column),
        }
    }

    fn write_with(
        self,
        column: Column<'a>,
        failures: &mut RowFailures<'_>,
        row: impl Fn(usize, &mut ArenaVec<'a, u8>),
    ) -> Datum<'a> {
        build(self.scope, column.validity, self.active, failures, row)
    }

    /// From text.
    fn read(self, column: Column<'a>, failures: &mut RowFailures<'_>) -> Datum<'a> {
        match self.to {
            DataType::Boolean => {
                let (values, validity) = self.read_with(column, failures, parse::boolean);
                let out = self.scope.bitmap();
                test(values, self.scope.rows, out, |x| x);
                Datum::column(Values::Boolean(out), validity)
            }
            DataType::Int => {
                let (values, validity) = self.read_with(column, failures, parse::int);
                Datum::column(Values::Int32(values), validity)
            }
            DataType::Date => {
                let (values, validity) = self.read_with(column, failures, parse::date);
                Datum::column(Values::Int32(values), validity)
            }
            DataType::BigInt => self.read_long(column, failures, parse::integer),
            DataType::Timestamp => self.read_long(column, failures, parse::timestamp),
            DataType::Interval => self.read_long(column, failures, parse::interval),
            DataType::Double => {
                let (values, validity) = self.read_with(column, failures, parse::double);
                Datum::column(Values::Float64(values), validity)
            }
            DataType::Decimal { precision, scale } => {
                let (values, validity) =
                    self.read_with(column, failures, |text| parse::decimal(text, precision, scale));
                Datum::column(Values::Int128(values), validity)
            }
            DataType::Varchar => Datum::Column(column),
        }
    }

    fn read_long(
        self,
        column: Column<'a>,
        failures: &mut RowFailures<'_>,
        parse: impl Fn(&[u8]) -> Option<i64>,
    ) -> Datum<'a> {
        let (values, validity) = self.read_with(column, failures, parse);
        Datum::column(Values::Int64(values), validity)
    }

    fn read_with<T: Copy + Default + 'a>(
        self,
        column: Column<'a>,
        failures: &mut RowFailures<'_>,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> (&'a [T], Mask<'a>) {
        let scope = self.scope;
        let (out, flags) = (scope.fill(T::default()), scope.bitmap());
        let wanted = scope.both(column.validity, self.active);
        let mut failed = false;
        let mut put = |i: usize, value: Option<T>| match value {
            Some(value) => out[i] = value,
            None => {
                flags[i / 64] |= 1 << (i % 64);
                failed = true;
            }
        };
        if let Some((codes, values)) = small_dictionary(&column, scope.rows) {
            let parsed = scope.arena.alloc_slice_fill_with(values.len(), |code| parse(values.get(code)));
            scope.for_each(wanted, |i| put(i, parsed[codes[i] as usize]));
        } else {
            scope.for_each(wanted, |i| put(i, parse(column.text(i))));
        }
        let validity = match failed {
            true => scope.settle(flags, column.validity, self.active, failures, self.reason()),
            false => column.validity,
        };
        (out, validity)
    }
}
