//! Arithmetic and the numeric functions over columns and constants.
//!
//! A row whose divisor is zero is NULL. A row that overflows is recorded as failed and NULL. What is computed for one row
//! is defined in [`crate::kernel::arithmetic`].

use super::datum::{Datum, Mask, Operand, Scalar, Scope, with_lanes};
use super::failures::{FailureReason, RowFailures};
use crate::batch::Values;
use crate::kernel::arithmetic as kernel;
use crate::kernel::lanes::{Lanes, map, map_flagged, test, zip, zip_flagged};
use crate::kernel::{Simd, bitmap};
use crate::plan::ArithmeticOp;
use crate::types::{DataType, Physical};

/// `left op right`.
pub(super) fn arithmetic<'a>(
    scope: Scope<'_, 'a>,
    op: ArithmeticOp,
    left: Datum<'a>,
    right: Datum<'a>,
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let (Some(physical), false) = (left.physical(), right.is_null()) else { return Datum::Constant(Scalar::Null) };
    let rows = scope.rows;
    let mut validity = scope.both(left.validity(), right.validity());
    if matches!(op, ArithmeticOp::Divide | ArithmeticOp::Modulo) {
        let nonzero = match physical {
            Physical::Int64 => nonzero(scope, right.int64(rows), |x| x != 0),
            Physical::Float64 => nonzero(scope, right.float64(rows), |x| x != 0.0),
            Physical::Int128 => nonzero(scope, right.int128(rows), |x| x != 0),
            other => panic!("the planner does not divide {other:?}"),
        };
        match nonzero {
            Nonzero::All => {}
            Nonzero::None => return Datum::Constant(Scalar::Null),
            Nonzero::Some(words) => validity = scope.both(validity, Some(words)),
        }
    }
    match physical {
        Physical::Int64 => {
            let (out, flags) = (scope.fill(0), scope.bitmap());
            let any = with_lanes!(left.int64(rows), right.int64(rows), |a, b| long_kernel(
                scope.simd,
                op,
                a,
                b,
                &mut *out,
                &mut *flags
            ));
            if any {
                validity = scope.settle(flags, validity, active, failures, FailureReason::Overflow(data_type));
            }
            Datum::column(Values::Int64(out), validity)
        }
        Physical::Float64 => {
            let out = scope.fill(0.0);
            with_lanes!(left.float64(rows), right.float64(rows), |a, b| double_kernel(op, a, b, &mut *out));
            Datum::column(Values::Float64(out), validity)
        }
        Physical::Int128 => {
            let (out, flags) = (scope.fill(0), scope.bitmap());
            let any = with_lanes!(left.int128(rows), right.int128(rows), |a, b| decimal_kernel(
                op,
                a,
                b,
                &mut *out,
                &mut *flags
            ));
            if any {
                validity = scope.settle(flags, validity, active, failures, FailureReason::Overflow(data_type));
            }
            Datum::column(Values::Int128(out), validity)
        }
        other => panic!("the planner does no arithmetic on {other:?}"),
    }
}

fn long_kernel(
    simd: Simd,
    op: ArithmeticOp,
    a: impl Lanes<i64>,
    b: impl Lanes<i64>,
    out: &mut [i64],
    flags: &mut [u64],
) -> bool {
    match op {
        ArithmeticOp::Add => simd.run(|| zip_flagged(a, b, out, flags, kernel::add_i64)),
        ArithmeticOp::Subtract => simd.run(|| zip_flagged(a, b, out, flags, kernel::subtract_i64)),
        ArithmeticOp::Multiply => zip_flagged(a, b, out, flags, kernel::multiply_i64),
        ArithmeticOp::Divide => zip_flagged(a, b, out, flags, kernel::divide_i64),
        ArithmeticOp::Modulo => {
            zip(a, b, out, kernel::modulo_i64);
            false
        }
    }
}

fn double_kernel(op: ArithmeticOp, a: impl Lanes<f64>, b: impl Lanes<f64>, out: &mut [f64]) {
    match op {
        ArithmeticOp::Add => zip(a, b, out, |a, b| a + b),
        ArithmeticOp::Subtract => zip(a, b, out, |a, b| a - b),
        ArithmeticOp::Multiply => zip(a, b, out, |a, b| a * b),
        ArithmeticOp::Divide => zip(a, b, out, |a, b| a / b),
        ArithmeticOp::Modulo => zip(a, b, out, |a, b| a % b),
    }
}

fn decimal_kernel(
    op: ArithmeticOp,
    a: impl Lanes<i128>,
    b: impl Lanes<i128>,
    out: &mut [i128],
    flags: &mut [u64],
) -> bool {
    match op {
        ArithmeticOp::Add => zip_flagged(a, b, out, flags, kernel::add_i128),
        ArithmeticOp::Subtract => zip_flagged(a, b, out, flags, kernel::subtract_i128),
        ArithmeticOp::Multiply => zip_flagged(a, b, out, flags, kernel::multiply_i128),
        ArithmeticOp::Divide => panic!("the planner divides decimals as doubles"),
        ArithmeticOp::Modulo => {
            zip(a, b, out, kernel::modulo_i128);
            false
        }
    }
}

enum Nonzero<'a> {
    All,
    None,
    Some(&'a [u64]),
}

fn nonzero<'a, T: Copy>(scope: Scope<'_, 'a>, divisor: Operand<'a, T>, is_nonzero: impl Fn(T) -> bool) -> Nonzero<'a> {
    match divisor {
        Operand::Constant(value) if is_nonzero(value) => Nonzero::All,
        Operand::Constant(_) => Nonzero::None,
        Operand::Column(values) => {
            let words = scope.bitmap();
            test(values, scope.rows, words, is_nonzero);
            if bitmap::count(words) == scope.rows { Nonzero::All } else { Nonzero::Some(words) }
        }
    }
}

/// `-arg`.
pub(super) fn negate<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    one(scope, arg, data_type, active, failures, kernel::negate_i64, |x| -x, kernel::negate_i128)
}

/// `|arg|`.
pub(super) fn abs<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    one(scope, arg, data_type, active, failures, kernel::abs_i64, f64::abs, kernel::abs_i128)
}

/// CEIL or FLOOR. A DECIMAL that no longer fits its own precision fails (CEIL of 9.9 as DECIMAL(2, 1)).
pub(super) fn whole<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    up: bool,
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    if arg.physical() == Some(Physical::Int64) {
        return arg;
    }
    let (precision, scale) = decimal_parts(data_type);
    let decimal = move |x| {
        let (value, flag) = if up { kernel::ceil_i128(x, scale) } else { kernel::floor_i128(x, scale) };
        (value, flag | !kernel::fits_precision(value, precision))
    };
    let double = move |x: f64| if up { x.ceil() } else { x.floor() };
    one(scope, arg, data_type, active, failures, |x| (x, false), double, decimal)
}

/// ROUND(arg, digits). A DECIMAL that no longer fits its own precision fails (ROUND of 9.9 as DECIMAL(2, 1)).
pub(super) fn round<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    digits: Datum<'a>,
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let (Some(physical), false) = (arg.physical(), digits.is_null()) else { return Datum::Constant(Scalar::Null) };
    let rows = scope.rows;
    let validity = scope.both(arg.validity(), digits.validity());
    let digits = digits.int64(rows);
    let overflow = FailureReason::Overflow(data_type);
    match physical {
        Physical::Float64 => {
            let out = scope.fill(0.0);
            with_lanes!(arg.float64(rows), digits, |a, b| zip(a, b, &mut *out, kernel::round_f64));
            Datum::column(Values::Float64(out), validity)
        }
        Physical::Int64 => {
            let (out, flags) = (scope.fill(0), scope.bitmap());
            with_lanes!(arg.int64(rows), digits, |a, b| zip_flagged(a, b, &mut *out, &mut *flags, kernel::round_i64));
            Datum::column(Values::Int64(out), scope.settle(flags, validity, active, failures, overflow))
        }
        Physical::Int128 => {
            let (precision, scale) = decimal_parts(data_type);
            let row = |x, digits| {
                let (value, flag) = kernel::round_i128(x, scale, digits);
                (value, flag | !kernel::fits_precision(value, precision))
            };
            let (out, flags) = (scope.fill(0), scope.bitmap());
            with_lanes!(arg.int128(rows), digits, |a, b| zip_flagged(a, b, &mut *out, &mut *flags, row));
            Datum::column(Values::Int128(out), scope.settle(flags, validity, active, failures, overflow))
        }
        other => panic!("the planner does not round {other:?}"),
    }
}

/// Precision and scale of a DECIMAL; of other types, values that are not looked at.
fn decimal_parts(data_type: DataType) -> (u8, u8) {
    match data_type {
        DataType::Decimal { precision, scale } => (precision, scale),
        _ => (38, 0),
    }
}

/// A function of one number, by layout.
#[expect(clippy::too_many_arguments, reason = "one function for each layout")]
fn one<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
    long: impl Fn(i64) -> (i64, bool),
    double: impl Fn(f64) -> f64,
    decimal: impl Fn(i128) -> (i128, bool),
) -> Datum<'a> {
    let Some(physical) = arg.physical() else { return arg };
    let rows = scope.rows;
    let mut validity = arg.validity();
    let overflow = FailureReason::Overflow(data_type);
    let values = match physical {
        Physical::Int64 => {
            let (out, flags) = (scope.fill(0), scope.bitmap());
            if with_lanes!(arg.int64(rows), |a| map_flagged(a, &mut *out, &mut *flags, &long)) {
                validity = scope.settle(flags, validity, active, failures, overflow);
            }
            Values::Int64(out)
        }
        Physical::Float64 => {
            let out = scope.fill(0.0);
            with_lanes!(arg.float64(rows), |a| map(a, &mut *out, &double));
            Values::Float64(out)
        }
        Physical::Int128 => {
            let (out, flags) = (scope.fill(0), scope.bitmap());
            if with_lanes!(arg.int128(rows), |a| map_flagged(a, &mut *out, &mut *flags, &decimal)) {
                validity = scope.settle(flags, validity, active, failures, overflow);
            }
            Values::Int128(out)
        }
        other => panic!("the planner does no arithmetic on {other:?}"),
    };
    Datum::column(values, validity)
}
