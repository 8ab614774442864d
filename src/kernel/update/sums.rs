//! Sums that do not show the order of addition: compensated pairs of DOUBLE, integers of 128 bits.
//!
//! A pair (high, low) holds the rounded sum and the sum of rounding errors (Knuth's TwoSum, TAOCP 4.2.2; Ogita, Rump, Oishi
//! 2005). The order of addition does not show in `high + low` unless the exact sum needs more than 106 bits. The high half
//! by itself is plain IEEE 754 addition.

/// `a + b` rounded, and the exact error; where the sum is not finite the error means nothing.
#[inline(always)]
pub fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// The value of a pair: where an infinity or NaN went in, or the sum overflowed, the high half alone holds it.
#[inline]
pub fn pair_value(high: f64, low: f64) -> f64 {
    if high.is_finite() && low.is_finite() { high + low } else { high }
}

/// `a * a` rounded, and the exact error, for finite results; (square, 0) otherwise.
#[inline]
pub fn two_square(a: f64) -> (f64, f64) {
    let square = a * a;
    (square, if square.is_finite() { a.mul_add(a, -square) } else { 0.0 })
}

/// Adds `value` to a compensated pair held as bits, whose low half stays zero once the sum is not finite.
#[inline]
pub fn add_pair(high: &mut u64, low: &mut u64, value: f64, value_low: f64) {
    let (sum, error) = two_sum(f64::from_bits(*high), value);
    *high = sum.to_bits();
    let low_sum = f64::from_bits(*low) + (error + value_low);
    *low = if sum.is_finite() { low_sum } else { 0.0 }.to_bits();
}

/// An i128 in two words.
#[inline]
pub fn i128_of(low: u64, high: u64) -> i128 {
    (u128::from(high) << 64 | u128::from(low)) as i128
}

/// Stores an i128 in two words.
#[inline]
pub fn put_i128(words: &mut [u64], value: i128) {
    words[0] = value as u64;
    words[1] = (value >> 64) as u64;
}

/// The wrapped sum, and by how many turns of 2^128 the true one differs from it.
#[inline]
pub fn add_wrapping(a: i128, b: i128) -> (i128, i64) {
    match a.overflowing_add(b) {
        (sum, false) => (sum, 0),
        (sum, true) => (sum, if b > 0 { 1 } else { -1 }),
    }
}

/// Counts `value`, adds it to the sum and its exact square to the sum of squares: n, sum high, sum low, square high, low.
#[inline]
pub fn add_moments(state: &mut [u64; 5], value: f64) {
    let [n, sum_high, sum_low, square_high, square_low] = state;
    *n += 1;
    add_pair(sum_high, sum_low, value, 0.0);
    let (square, error) = two_square(value);
    add_pair(square_high, square_low, square, error);
}

/// The sum of squared distances from the mean, from the words of [`add_moments`], in double-double arithmetic: the
/// cancellation that ruins Σx² − (Σx)²/n in plain DOUBLE costs half of 106 bits at most here.
pub fn squared_distances(state: &[u64; 5]) -> f64 {
    let n = state[0] as f64;
    let (sum, sum_low) = two_sum(f64::from_bits(state[1]), f64::from_bits(state[2]));
    let (square, square_low) = two_sum(f64::from_bits(state[3]), f64::from_bits(state[4]));
    let (product, product_error) = two_square(sum);
    let product_low = product_error + 2.0 * sum * sum_low;
    let quotient = product / n;
    let quotient_low = (quotient.mul_add(-n, product) + product_low) / n;
    let distance = (square - quotient) + (square_low - quotient_low);
    if distance.is_nan() { distance } else { distance.max(0.0) }
}
