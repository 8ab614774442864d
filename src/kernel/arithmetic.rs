//! Row functions of arithmetic: the definition of every result, and with [`zip`](super::lanes::zip) and
//! [`zip_flagged`](super::lanes::zip_flagged) the kernels.
//!
//! A checked function returns the wrapped result and whether it overflowed. Divisions are total: a zero divisor yields
//! zero, and the caller makes the row NULL by its own zero test. DECIMAL holds at most 38 digits.

/// The least magnitude that has more than 38 digits.
pub const DECIMAL_LIMIT: i128 = 10i128.pow(38);

/// Powers of ten that fit 128 bits.
pub const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// Whether a scaled decimal has at most `precision` digits.
#[inline(always)]
pub fn fits_precision(value: i128, precision: u8) -> bool {
    value.unsigned_abs() < POWERS_OF_TEN[precision as usize].unsigned_abs()
}

/// `a + b`.
#[inline(always)]
pub fn add_i64(a: i64, b: i64) -> (i64, bool) {
    // The sum has the sign of neither operand; said so, the compiler vectorises it, which it does not for the carry flag.
    let sum = a.wrapping_add(b);
    (sum, ((a ^ sum) & (b ^ sum)) < 0)
}

/// `a - b`.
#[inline(always)]
pub fn subtract_i64(a: i64, b: i64) -> (i64, bool) {
    let difference = a.wrapping_sub(b);
    (difference, ((a ^ b) & (a ^ difference)) < 0)
}

/// `a * b`.
#[inline(always)]
pub fn multiply_i64(a: i64, b: i64) -> (i64, bool) {
    a.overflowing_mul(b)
}

/// `a / b` toward zero; 0 for a zero divisor.
#[inline(always)]
pub fn divide_i64(a: i64, b: i64) -> (i64, bool) {
    if b == 0 { (0, false) } else { a.overflowing_div(b) }
}

/// `a % b` with the sign of `a`; 0 for a zero divisor. Never overflows: the least value modulo -1 is 0.
#[inline(always)]
pub fn modulo_i64(a: i64, b: i64) -> i64 {
    if b == 0 { 0 } else { a.wrapping_rem(b) }
}

/// `-a`.
#[inline(always)]
pub fn negate_i64(a: i64) -> (i64, bool) {
    a.overflowing_neg()
}

/// `|a|`.
#[inline(always)]
pub fn abs_i64(a: i64) -> (i64, bool) {
    a.overflowing_abs()
}

#[inline(always)]
fn decimal((value, overflowed): (i128, bool)) -> (i128, bool) {
    (value, overflowed | (value.unsigned_abs() >= DECIMAL_LIMIT.unsigned_abs()))
}

/// `a + b` of one scale.
#[inline(always)]
pub fn add_i128(a: i128, b: i128) -> (i128, bool) {
    decimal(a.overflowing_add(b))
}

/// `a - b` of one scale.
#[inline(always)]
pub fn subtract_i128(a: i128, b: i128) -> (i128, bool) {
    decimal(a.overflowing_sub(b))
}

/// `a * b`; the scales add up.
#[inline(always)]
pub fn multiply_i128(a: i128, b: i128) -> (i128, bool) {
    decimal(a.overflowing_mul(b))
}

/// `a % b` of one scale, with the sign of `a`; 0 for a zero divisor.
#[inline(always)]
pub fn modulo_i128(a: i128, b: i128) -> i128 {
    if b == 0 { 0 } else { a.wrapping_rem(b) }
}

/// `-a`.
#[inline(always)]
pub fn negate_i128(a: i128) -> (i128, bool) {
    decimal(a.overflowing_neg())
}

/// `|a|`.
#[inline(always)]
pub fn abs_i128(a: i128) -> (i128, bool) {
    decimal(a.overflowing_abs())
}

/// `a / b` rounded half away from zero; `b` is positive.
#[inline(always)]
pub fn divide_half_away(a: i128, b: i128) -> i128 {
    let (quotient, rest) = (a / b, a % b);
    // |rest| >= b - |rest| says 2 |rest| >= b without doubling, which could overflow.
    if rest.abs() >= b - rest.abs() { quotient + a.signum() } else { quotient }
}

/// `10^n` for `n` up to 308: exact up to 22, beyond that by a fixed order of multiplications, so that it is the same on
/// every host (the standard library's `powi` does not promise that).
fn power_of_ten(n: usize) -> f64 {
    const EXACT: [f64; 22] = {
        let mut powers = [1.0; 22];
        let mut i = 1;
        while i < 22 {
            powers[i] = powers[i - 1] * 10.0;
            i += 1;
        }
        powers
    };
    (0..n / 22).fold(EXACT[n % 22], |power, _| power * 1e22)
}

/// `x` rounded to `digits` after the point, half away from zero; negative digits round left of it. A value that has no
/// such digits (or is no number) is itself.
pub fn round_f64(x: f64, digits: i64) -> f64 {
    if !x.is_finite() {
        return x;
    }
    match digits {
        0 => x.round(),
        // From 2^52 on every DOUBLE is whole; below 10^-308 there are no normal digits to round to.
        1.. if x.abs() >= 4_503_599_627_370_496.0 || digits > 308 => x,
        1.. => {
            let power = power_of_ten(digits as usize);
            let scaled = x * power;
            if scaled.is_finite() { scaled.round() / power } else { x }
        }
        -308..0 => {
            let power = power_of_ten(-digits as usize);
            (x / power).round() * power
        }
        _ => 0.0 * x.signum(),
    }
}

/// A whole number rounded to `10^-digits`, half away from zero.
pub fn round_i64(x: i64, digits: i64) -> (i64, bool) {
    match digits {
        0.. => (x, false),
        -19..0 => {
            let power = POWERS_OF_TEN[-digits as usize];
            let rounded = divide_half_away(i128::from(x), power) * power;
            (rounded as i64, i64::try_from(rounded).is_err())
        }
        _ => (0, false),
    }
}

/// A decimal of `scale` rounded to `digits` after the point, half away from zero; the scale stays.
pub fn round_i128(x: i128, scale: u8, digits: i64) -> (i128, bool) {
    let dropped = i128::from(scale) - i128::from(digits);
    match dropped {
        ..=0 => (x, false),
        1..=38 => {
            let power = POWERS_OF_TEN[dropped as usize];
            decimal(divide_half_away(x, power).overflowing_mul(power))
        }
        _ => (0, false),
    }
}

/// The greatest whole decimal of `scale` not above `x`.
pub fn floor_i128(x: i128, scale: u8) -> (i128, bool) {
    let power = POWERS_OF_TEN[scale as usize];
    decimal(x.div_euclid(power).overflowing_mul(power))
}

/// The least whole decimal of `scale` not below `x`.
pub fn ceil_i128(x: i128, scale: u8) -> (i128, bool) {
    let power = POWERS_OF_TEN[scale as usize];
    let down = x.div_euclid(power);
    // Wrapping: what stands at a NULL row may be any value, and `down` times `power` may pass the least one.
    decimal((down + i128::from(down.wrapping_mul(power) != x)).overflowing_mul(power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn powers_of_ten_are_near_enough() {
        for n in 0..=308 {
            let exact: f64 = format!("1e{n}").parse().unwrap();
            let error = (power_of_ten(n) / exact - 1.0).abs();
            assert!(if n <= 22 { error == 0.0 } else { error < 1e-14 }, "1e{n}");
        }
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        assert_eq!(round_f64(2.5, 0), 3.0);
        assert_eq!(round_f64(-2.5, 0), -3.0);
        assert_eq!(round_f64(1.25, 1), 1.3);
        assert_eq!(round_f64(1234.5, -2), 1200.0);
        assert_eq!(round_f64(1e300, 5), 1e300);
        assert_eq!(round_f64(1e-300, 400), 1e-300);
        assert_eq!(round_f64(5.0, -400), 0.0);
        assert_eq!(round_i64(-15, -1), (-20, false));
        assert_eq!(round_i64(14, -1), (10, false));
        assert_eq!(round_i64(i64::MAX, -19), (10_000_000_000_000_000_000_i128 as i64, true));
        assert_eq!(round_i64(i64::MAX, i64::MIN), (0, false));
        assert_eq!(round_i128(-125, 2, 1), (-130, false));
        assert_eq!(round_i128(125, 2, -1), (0, false));
        assert_eq!(round_i128(525, 2, -1), (1000, false));
        assert_eq!(round_i128(525, 2, i64::MIN), (0, false));
        assert_eq!((floor_i128(-125, 2).0, ceil_i128(-125, 2).0), (-200, -100));
        assert_eq!((floor_i128(200, 2).0, ceil_i128(200, 2).0), (200, 200));
        assert_eq!(divide_half_away(i128::MAX, i128::MAX), 1);
    }

    proptest! {
        /// Checked 64-bit arithmetic is arithmetic in 128 bits, flagged where it does not fit.
        #[test]
        fn sixty_four_bits_against_128(a: i64, b: i64, small in -3i64..3) {
            for (a, b) in [(a, b), (a, small), (i64::MIN, small), (i64::MAX, small), (small, b)] {
                let (x, y) = (i128::from(a), i128::from(b));
                let check = |(value, flag): (i64, bool), exact: i128| {
                    assert_eq!(value, exact as i64);
                    assert_eq!(flag, i64::try_from(exact).is_err());
                };
                check(add_i64(a, b), x + y);
                check(subtract_i64(a, b), x - y);
                check(multiply_i64(a, b), x * y);
                check(divide_i64(a, b), if y == 0 { 0 } else { x / y });
                check((modulo_i64(a, b), false), if y == 0 { 0 } else { x % y });
                check(negate_i64(a), -x);
                check(abs_i64(a), x.abs());
            }
        }

        /// Decimals are flagged from 39 digits on, and by wrapping.
        #[test]
        fn decimals_hold_38_digits(a in -DECIMAL_LIMIT + 1..DECIMAL_LIMIT, b in -DECIMAL_LIMIT + 1..DECIMAL_LIMIT, shift in 0usize..38) {
            let small = b / POWERS_OF_TEN[shift];
            let fits = |exact: Option<i128>| exact.is_some_and(|v| v.abs() < DECIMAL_LIMIT);
            for b in [b, small] {
                prop_assert_eq!(add_i128(a, b).1, !fits(a.checked_add(b)));
                prop_assert_eq!(subtract_i128(a, b).1, !fits(a.checked_sub(b)));
                prop_assert_eq!(multiply_i128(a, b).1, !fits(a.checked_mul(b)));
                prop_assert_eq!(modulo_i128(a, b), if b == 0 { 0 } else { a % b });
            }
        }
    }
}
