//! Comparisons to bitmaps.
//!
//! Order: integers as numbers; DOUBLE totally, with NaN greatest and equal to itself and -0 equal to +0. NULL is not known
//! here: the caller joins the validity. No allocation; about one load, one compare and an eighth of a pack per row. Compiled
//! for AVX-512, a comparison is a mask: 0.3 cycles a row instead of 0.8 for 64-bit values in L2 (Xeon at 2.6 GHz); 32-bit
//! values gain 7 %.

use super::Simd;
use super::lanes::{Lanes, test_pair};

/// Which comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether two values that stand so to each other pass.
    pub fn accepts(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// The comparison that says the same with its operands exchanged.
    #[must_use]
    pub fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

/// Values with a total order, as SQL has it.
pub trait Ordered: Copy {
    /// Equality in that order.
    fn equal(self, other: Self) -> bool;
    /// Less in that order.
    fn less(self, other: Self) -> bool;
}

macro_rules! ordered_integers {
    ($($t:ty),*) => {$(
        impl Ordered for $t {
            #[inline(always)]
            fn equal(self, other: Self) -> bool {
                self == other
            }

            #[inline(always)]
            fn less(self, other: Self) -> bool {
                self < other
            }
        }
    )*};
}
ordered_integers!(i32, i64, i128);

impl Ordered for f64 {
    #[inline(always)]
    fn equal(self, other: Self) -> bool {
        (self == other) | (self.is_nan() & other.is_nan())
    }

    #[inline(always)]
    fn less(self, other: Self) -> bool {
        (self < other) | (!self.is_nan() & other.is_nan())
    }
}

/// An integer that orders as the DOUBLE does, equal exactly where the DOUBLE is: for sorting, hashing and sets.
pub fn order_key(value: f64) -> i64 {
    // Adding zero turns -0 into +0; every NaN becomes the positive quiet one, above infinity.
    let canonical = if value.is_nan() { f64::NAN.abs() } else { value + 0.0 };
    let bits = canonical.to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// Bit `i` of `out` says whether `lhs[i]` compares so with `rhs[i]`, for `rows` rows.
pub fn compare<T: Ordered>(
    simd: Simd,
    op: Comparison,
    lhs: impl Lanes<T>,
    rhs: impl Lanes<T>,
    rows: usize,
    out: &mut [u64],
) {
    simd.run(|| match op {
        Comparison::Equal => test_pair(
            lhs,
            rhs,
            rows,
            out,
            #[inline(always)]
            |a, b| a.equal(b),
        ),
        Comparison::NotEqual => test_pair(
            lhs,
            rhs,
            rows,
            out,
            #[inline(always)]
            |a, b| !a.equal(b),
        ),
        Comparison::Less => test_pair(
            lhs,
            rhs,
            rows,
            out,
            #[inline(always)]
            |a, b| a.less(b),
        ),
        Comparison::LessOrEqual => test_pair(
            lhs,
            rhs,
            rows,
            out,
            #[inline(always)]
            |a, b| !b.less(a),
        ),
        Comparison::Greater => test_pair(
            lhs,
            rhs,
            rows,
            out,
            #[inline(always)]
            |a, b| b.less(a),
        ),
        Comparison::GreaterOrEqual => test_pair(
            lhs,
            rhs,
            rows,
            out,
            #[inline(always)]
            |a, b| !a.less(b),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Splat;
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    const ALL: [Comparison; 6] = [
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ];

    fn slow_f64(a: f64, b: f64) -> Ordering {
        match (a.is_nan(), b.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => a.partial_cmp(&b).unwrap(),
        }
    }

    fn check<T: Ordered + std::fmt::Debug>(pairs: &[(T, T)], order: impl Fn(T, T) -> Ordering) {
        let (a, b): (Vec<T>, Vec<T>) = pairs.iter().copied().unzip();
        let mut out = vec![0; a.len().div_ceil(64)];
        let bit = |out: &[u64], i: usize| out[i / 64] >> (i % 64) & 1 == 1;
        for (simd, op) in Simd::available().flat_map(|simd| ALL.map(|op| (simd, op))) {
            compare(simd, op, &a[..], &b[..], a.len(), &mut out);
            for i in 0..out.len() * 64 {
                assert_eq!(bit(&out, i), i < a.len() && op.accepts(order(a[i], b[i])), "{op:?} row {i}");
            }
            if let Some(&c) = b.first() {
                compare(simd, op, &a[..], Splat(c), a.len(), &mut out);
                assert!((0..a.len()).all(|i| bit(&out, i) == op.accepts(order(a[i], c))), "{op:?} {c:?}");
                let mut flipped = vec![0; out.len()];
                compare(simd, op.flipped(), Splat(c), &a[..], a.len(), &mut flipped);
                assert_eq!(out, flipped);
            }
        }
    }

    fn double() -> impl Strategy<Value = f64> {
        prop_oneof![
            prop::sample::select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN, 1.0]),
            any::<f64>()
        ]
    }

    proptest! {
        /// Every comparison is the one of the order's definition, for columns and constants.
        #[test]
        fn comparisons_follow_the_order(
            ints in prop::collection::vec((-3i32..3, -3i32..3), 0..200),
            longs in prop::collection::vec(any::<(i64, i64)>(), 0..200),
            decimals in prop::collection::vec(any::<(i128, i128)>(), 0..70),
            doubles in prop::collection::vec((double(), double()), 0..200),
        ) {
            check(&ints, |a, b| a.cmp(&b));
            check(&longs, |a, b| a.cmp(&b));
            check(&decimals, |a, b| a.cmp(&b));
            check(&doubles, slow_f64);
            for (a, b) in doubles {
                prop_assert_eq!(order_key(a).cmp(&order_key(b)), slow_f64(a, b));
            }
        }
    }
}
