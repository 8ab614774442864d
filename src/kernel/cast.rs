//! Row functions of casts between numbers: the definition, and with [`map_flagged`](super::lanes::map_flagged) the kernels.
//!
//! Every rounding is half away from zero (as ROUND has it). A value out of the target's range, and NaN or an infinity
//! to anything but DOUBLE, is flagged; what stands beside the flag means nothing.

use super::arithmetic::{POWERS_OF_TEN, divide_half_away, fits_precision};

/// BIGINT to INT.
#[inline(always)]
pub fn i64_to_i32(x: i64) -> (i32, bool) {
    (x as i32, x != i64::from(x as i32))
}

/// DOUBLE to BIGINT.
#[inline(always)]
pub fn f64_to_i64(x: f64) -> (i64, bool) {
    let rounded = x.round();
    // 2^63 is a DOUBLE, the greatest BIGINT is not. NaN fails both comparisons.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded);
    (rounded as i64, !fits)
}

/// DOUBLE to INT.
#[inline(always)]
pub fn f64_to_i32(x: f64) -> (i32, bool) {
    let rounded = x.round();
    let fits = (-2_147_483_648.0..=2_147_483_647.0).contains(&rounded);
    (rounded as i32, !fits)
}

/// Whole number to DECIMAL.
#[inline(always)]
pub fn i64_to_decimal(x: i64, precision: u8, scale: u8) -> (i128, bool) {
    rescale(i128::from(x), 0, precision, scale)
}

/// DOUBLE to DECIMAL: `x * 10^scale`, rounded.
#[inline(always)]
pub fn f64_to_decimal(x: f64, precision: u8, scale: u8) -> (i128, bool) {
    let rounded = (x * POWERS_OF_TEN[scale as usize] as f64).round();
    let value = rounded as i128; // Saturates; NaN becomes 0 and is flagged by itself.
    (value, !rounded.is_finite() | !fits_precision(value, precision))
}

/// DECIMAL to DECIMAL.
#[inline(always)]
pub fn rescale(x: i128, from_scale: u8, precision: u8, scale: u8) -> (i128, bool) {
    let (value, overflowed) = if scale >= from_scale {
        x.overflowing_mul(POWERS_OF_TEN[(scale - from_scale) as usize])
    } else {
        (divide_half_away(x, POWERS_OF_TEN[(from_scale - scale) as usize]), false)
    };
    (value, overflowed | !fits_precision(value, precision))
}

/// DECIMAL to BIGINT.
#[inline(always)]
pub fn decimal_to_i64(x: i128, scale: u8) -> (i64, bool) {
    let whole = divide_half_away(x, POWERS_OF_TEN[scale as usize]);
    (whole as i64, whole != i128::from(whole as i64))
}

/// DECIMAL to DOUBLE: exact digits divided once, so correctly rounded up to 2^53 and scale 22.
#[inline(always)]
pub fn decimal_to_f64(x: i128, scale: u8) -> f64 {
    x as f64 / POWERS_OF_TEN[scale as usize] as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn borders_of_doubles() {
        assert_eq!(f64_to_i64(2.5), (3, false));
        assert_eq!(f64_to_i64(-2.5), (-3, false));
        assert_eq!(f64_to_i64(-9_223_372_036_854_775_808.0), (i64::MIN, false));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 9_223_372_036_854_775_808.0, -1e19] {
            assert!(f64_to_i64(bad).1, "{bad}");
            assert!(f64_to_i32(bad).1, "{bad}");
        }
        assert_eq!(f64_to_i32(2_147_483_647.4), (i32::MAX, false));
        assert!(f64_to_i32(2_147_483_647.5).1);
        assert_eq!(f64_to_i32(-2_147_483_648.4), (i32::MIN, false));
        assert_eq!(f64_to_decimal(1.005, 5, 1), (10, false));
        assert_eq!(f64_to_decimal(-99.95, 3, 1), (-1000, true));
        for bad in [f64::NAN, f64::INFINITY, 1.1e38, -1e300] {
            assert!(f64_to_decimal(bad, 38, 0).1, "{bad}");
        }
        assert_eq!(decimal_to_f64(12345, 2), 123.45);
    }

    proptest! {
        /// Rescaling up and down again is the identity where it fits; halves go away from zero.
        #[test]
        fn rescaling(x in -10i128.pow(20)..10i128.pow(20), down in 0u8..19) {
            let (up, flag) = rescale(x, 0, 38, down.min(17));
            prop_assert!(!flag);
            prop_assert_eq!(rescale(up, down.min(17), 38, 0), (x, false));
            let power = POWERS_OF_TEN[down as usize];
            let slow = (x.abs() + power / 2) / power * x.signum();
            prop_assert_eq!(rescale(x, down, 38, 0), (slow, false));
            prop_assert_eq!(decimal_to_i64(x, down), (slow as i64, i64::try_from(slow).is_err()));
            prop_assert_eq!(i64_to_i32(x as i64).1, i32::try_from(x as i64).is_err());
        }
    }
}
