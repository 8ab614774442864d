//! Functions of the bits of a BIGINT, in two's complement.

use super::prepared::RowFunction;
use super::rows::{Failure, Rows};

/// BITAND(a, b).
pub const BITAND: RowFunction = RowFunction::new("BITAND", |rows| rows.each(|(a, b): (i64, i64)| a & b));

/// BITOR(a, b).
pub const BITOR: RowFunction = RowFunction::new("BITOR", |rows| rows.each(|(a, b): (i64, i64)| a | b));

/// BITXOR(a, b).
pub const BITXOR: RowFunction = RowFunction::new("BITXOR", |rows| rows.each(|(a, b): (i64, i64)| a ^ b));

/// BITNOT(a).
pub const BITNOT: RowFunction = RowFunction::new("BITNOT", |rows| rows.each(|(a,): (i64,)| !a));

/// BIT_COUNT(a).
pub const BIT_COUNT: RowFunction =
    RowFunction::new("BIT_COUNT", |rows| rows.each(|(a,): (i64,)| i64::from(a.count_ones())));

/// BITSHIFTLEFT(a, n): bits that leave at the left are lost.
pub const BITSHIFTLEFT: RowFunction = RowFunction::new("BITSHIFTLEFT", |rows| shift(rows, |a, n| a << n));

/// BITSHIFTRIGHT(a, n): the sign moves in from the left.
pub const BITSHIFTRIGHT: RowFunction = RowFunction::new("BITSHIFTRIGHT", |rows| shift(rows, |a, n| a >> n));

fn shift(rows: &mut Rows<'_, '_>, f: impl Fn(i64, u32) -> i64) {
    rows.each(|(a, n): (i64, i64)| match u32::try_from(n) {
        Ok(n) if n < 64 => Ok(f(a, n)),
        _ => Err(Failure::Refused("the number of places is not between 0 and 63")),
    });
}
