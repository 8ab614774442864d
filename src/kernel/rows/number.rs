//! What the loops over frames must know of a type: how it lies in a word, its extremes, and its sum.

use crate::kernel::update::{i128_of, put_i128};

/// A sum on its way: a compensated pair (high, low) as bits for DOUBLE, an i128 (low word, high word) for integers.
pub type Sum = [u64; 2];

/// A type of which frames hold values.
pub trait Number: Copy + Default + PartialEq + std::fmt::Debug {
    /// Whether a sum may need more than one value holds.
    const WIDE_SUMS: bool;

    /// What MIN begins with: no value is greater (but NaN).
    const GREATEST: Self;

    /// What MAX begins with: no value is less.
    const LEAST: Self;

    /// The value as a word.
    fn to_word(self) -> u64;

    /// The value that [`Self::to_word`] made `word` of.
    fn from_word(word: u64) -> Self;

    /// Whether every value is canonical, not NaN, and so far from the greatest that no sum of a frame overflows on its
    /// way.
    fn all_plain(values: &[Self]) -> bool;

    /// Whether the value is NaN.
    fn is_nan(self) -> bool;

    /// NaN; only asked for where one is in the frame.
    fn nan() -> Self;

    /// The less of two numbers that are not NaN.
    fn least(self, other: Self) -> Self;

    /// The greater of two numbers that are not NaN.
    fn greatest(self, other: Self) -> Self;

    /// The one form of a number that all equal ones have: -0 becomes +0.
    fn canonical(self) -> Self;

    /// The sum and one more value.
    fn add(sum: Sum, value: Self) -> Sum;

    /// The sum of two sums.
    fn join(a: Sum, b: Sum) -> Sum;

    /// The sum as a value, and the upper word of it where a value is too short for it. `PLAIN` says that all values
    /// were plain.
    fn finish<const PLAIN: bool>(sum: Sum) -> (Self, i64);

    /// The value as a DOUBLE.
    fn to_double(self) -> f64;
}

impl Number for f64 {
    const WIDE_SUMS: bool = false;
    const GREATEST: Self = Self::INFINITY;
    const LEAST: Self = Self::NEG_INFINITY;

    #[inline(always)]
    fn to_word(self) -> u64 {
        self.to_bits()
    }

    #[inline(always)]
    fn from_word(word: u64) -> Self {
        Self::from_bits(word)
    }

    // 2^32 rows of this size stay below the greatest DOUBLE. Integers, because the compiler makes little of a fold of
    // comparisons of DOUBLE.
    #[inline(always)]
    fn all_plain(values: &[Self]) -> bool {
        let most = 1e290_f64.to_bits().cast_signed();
        let odd = values.iter().fold(0, |odd, value| {
            let bits = value.to_bits().cast_signed();
            odd | i64::from(bits & i64::MAX > most) | i64::from(bits == i64::MIN)
        });
        odd == 0
    }

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.is_nan()
    }

    #[inline(always)]
    fn nan() -> Self {
        Self::NAN
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        if self < other { self } else { other }
    }

    #[inline(always)]
    fn greatest(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn canonical(self) -> Self {
        self + 0.0
    }

    #[inline(always)]
    fn add(sum: Sum, value: Self) -> Sum {
        let (high, error) = exact_sum(Self::from_bits(sum[0]), value);
        [high.to_bits(), (Self::from_bits(sum[1]) + error).to_bits()]
    }

    #[inline(always)]
    fn join(a: Sum, b: Sum) -> Sum {
        let (high, error) = exact_sum(Self::from_bits(a[0]), Self::from_bits(b[0]));
        let low = Self::from_bits(a[1]) + Self::from_bits(b[1]) + error;
        [high.to_bits(), low.to_bits()]
    }

    #[inline(always)]
    fn finish<const PLAIN: bool>(sum: Sum) -> (Self, i64) {
        let (high, low) = (Self::from_bits(sum[0]), Self::from_bits(sum[1]));
        (if PLAIN || high.is_finite() { high + low } else { high }, 0)
    }

    #[inline(always)]
    fn to_double(self) -> f64 {
        self
    }
}

/// TwoSum without a test: the error of a sum that is not finite may be NaN. A sum that has once not been finite stays
/// so, and `finish` looks at its high half alone then.
#[inline(always)]
fn exact_sum(lhs: f64, rhs: f64) -> (f64, f64) {
    let sum = lhs + rhs;
    let rhs_part = sum - lhs;
    (sum, (lhs - (sum - rhs_part)) + (rhs - rhs_part))
}

impl Number for i64 {
    const WIDE_SUMS: bool = true;
    const GREATEST: Self = Self::MAX;
    const LEAST: Self = Self::MIN;

    #[inline(always)]
    fn to_word(self) -> u64 {
        self.cast_unsigned()
    }

    #[inline(always)]
    fn from_word(word: u64) -> Self {
        word.cast_signed()
    }

    #[inline(always)]
    fn all_plain(_: &[Self]) -> bool {
        true
    }

    #[inline(always)]
    fn is_nan(self) -> bool {
        false
    }

    #[inline(always)]
    fn nan() -> Self {
        0
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        self.min(other)
    }

    #[inline(always)]
    fn greatest(self, other: Self) -> Self {
        self.max(other)
    }

    #[inline(always)]
    fn canonical(self) -> Self {
        self
    }

    #[inline(always)]
    fn add(sum: Sum, value: Self) -> Sum {
        let value = i128::from(value);
        Self::join(sum, [value as u64, (value >> 64) as u64])
    }

    // 2^63 values of 64 bits fit an i128.
    #[inline(always)]
    fn join(a: Sum, b: Sum) -> Sum {
        let mut sum = [0; 2];
        put_i128(&mut sum, i128_of(a[0], a[1]).wrapping_add(i128_of(b[0], b[1])));
        sum
    }

    #[inline(always)]
    fn finish<const PLAIN: bool>(sum: Sum) -> (Self, i64) {
        (sum[0].cast_signed(), sum[1].cast_signed())
    }

    #[inline(always)]
    fn to_double(self) -> f64 {
        self as f64
    }
}
