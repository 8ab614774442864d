//! Comparisons of two operands of one type.

use super::datum::{Datum, Mask, Scalar, Scope, with_lanes};
use super::text;
use crate::batch::Values;
use crate::kernel::bitmap;
use crate::kernel::compare::{self as kernel, Comparison};
use crate::types::Physical;

/// `left op right`; NULL if either is.
pub(super) fn compare<'a>(
    scope: Scope<'_, 'a>,
    op: Comparison,
    left: Datum<'a>,
    right: Datum<'a>,
    active: Mask<'a>,
) -> Datum<'a> {
    let (Some(physical), false) = (left.physical(), right.is_null()) else { return Datum::Constant(Scalar::Null) };
    let rows = scope.rows;
    if physical == Physical::Utf8 {
        return compare_text(scope, op, left, right, active);
    }
    let out = scope.bitmap();
    match physical {
        Physical::Int32 => {
            with_lanes!(left.int32(rows), right.int32(rows), |a, b| kernel::compare(
                scope.simd, op, a, b, rows, &mut *out
            ));
        }
        Physical::Int64 => {
            with_lanes!(left.int64(rows), right.int64(rows), |a, b| kernel::compare(
                scope.simd, op, a, b, rows, &mut *out
            ));
        }
        Physical::Float64 => {
            with_lanes!(left.float64(rows), right.float64(rows), |a, b| kernel::compare(
                scope.simd, op, a, b, rows, &mut *out
            ));
        }
        Physical::Int128 => {
            with_lanes!(left.int128(rows), right.int128(rows), |a, b| kernel::compare(
                scope.simd, op, a, b, rows, &mut *out
            ));
        }
        Physical::Boolean => compare_bits(op, scope.truth(left).0, scope.truth(right).0, rows, out),
        Physical::Utf8 => {}
    }
    Datum::column(Values::Boolean(out), scope.both(left.validity(), right.validity()))
}

/// FALSE < TRUE, a word at a time.
fn compare_bits(op: Comparison, left: &[u64], right: &[u64], rows: usize, out: &mut [u64]) {
    for (i, word) in out.iter_mut().enumerate() {
        let (a, b) = (left[i], right[i]);
        let bits = match op {
            Comparison::Equal => !(a ^ b),
            Comparison::NotEqual => a ^ b,
            Comparison::Less => !a & b,
            Comparison::LessOrEqual => !a | b,
            Comparison::Greater => a & !b,
            Comparison::GreaterOrEqual => a | !b,
        };
        *word = bits & bitmap::live(rows, i);
    }
}

fn compare_text<'a>(
    scope: Scope<'_, 'a>,
    op: Comparison,
    left: Datum<'a>,
    right: Datum<'a>,
    active: Mask<'a>,
) -> Datum<'a> {
    match (left, right) {
        (column, Datum::Constant(Scalar::Utf8(constant))) => compare_constant(scope, op, column, constant, active),
        (Datum::Constant(Scalar::Utf8(constant)), column) => {
            compare_constant(scope, op.flipped(), column, constant, active)
        }
        (left, right) => {
            let validity = scope.both(left.validity(), right.validity());
            let out = scope.bitmap();
            scope.for_each(scope.both(validity, active), |i| {
                out[i / 64] |= u64::from(op.accepts(left.text(i).cmp(right.text(i)))) << (i % 64);
            });
            Datum::column(Values::Boolean(out), validity)
        }
    }
}

fn compare_constant<'a>(
    scope: Scope<'_, 'a>,
    op: Comparison,
    column: Datum<'a>,
    constant: &[u8],
    active: Mask<'a>,
) -> Datum<'a> {
    match op {
        // Equality looks at lengths first.
        Comparison::Equal => text::test(scope, column, active, |text| text == constant),
        Comparison::NotEqual => text::test(scope, column, active, |text| text != constant),
        _ => text::test(scope, column, active, |text| op.accepts(text.cmp(constant))),
    }
}
