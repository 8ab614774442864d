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

/// The value of a pair: where an infinity or NaN went in, or the sum overflowed, the high half alone holds it. Every NaN
/// becomes the same: its sign and payload depend on what was added first.
#[inline]
pub fn pair_value(high: f64, low: f64) -> f64 {
    if high.is_finite() && low.is_finite() {
        high + low
    } else if high.is_nan() {
        f64::NAN
    } else {
        high
    }
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
    let sum = pair(state, 1);
    not_negative(product_of_distances(state[0] as f64, sum, sum, pair(state, 3)))
}

/// The sum of products of the distances of two variables from their means: Σxy − Σx·Σy/n, from the pairs of the three sums.
fn product_of_distances(n: f64, x: (f64, f64), y: (f64, f64), xy: (f64, f64)) -> f64 {
    let ((x, x_low), (y, y_low), (xy, xy_low)) = (two_sum(x.0, x.1), two_sum(y.0, y.1), two_sum(xy.0, xy.1));
    let product = x * y;
    let product_low = x.mul_add(y, -product) + (x * y_low + x_low * y);
    let quotient = product / n;
    let quotient_low = (quotient.mul_add(-n, product) + product_low) / n;
    (xy - quotient) + (xy_low - quotient_low)
}

/// Rounding may make a sum of squares negative; every NaN becomes the same.
fn not_negative(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value.max(0.0) }
}

fn pair(words: &[u64], at: usize) -> (f64, f64) {
    (f64::from_bits(words[at]), f64::from_bits(words[at + 1]))
}

/// Words of the sums over pairs of DOUBLEs: n; Σx, Σy, Σx², Σy², Σxy (high, low each).
pub const PAIR_WORDS: usize = 11;

/// Takes a point in.
#[inline]
pub fn add_point(sums: &mut [u64; PAIR_WORDS], y: f64, x: f64) {
    sums[0] += 1;
    let product = x * y;
    let error = if product.is_finite() { x.mul_add(y, -product) } else { 0.0 };
    let parts = [(x, 0.0), (y, 0.0), two_square(x), two_square(y), (product, error)];
    add_parts(sums, parts);
}

/// Adds the sums of other points.
pub fn add_pair_sums(sums: &mut [u64; PAIR_WORDS], from: &[u64; PAIR_WORDS]) {
    sums[0] += from[0];
    add_parts(sums, std::array::from_fn(|part| pair(from, 1 + 2 * part)));
}

fn add_parts(sums: &mut [u64; PAIR_WORDS], parts: [(f64, f64); 5]) {
    let (pairs, _) = sums[1..].as_chunks_mut::<2>();
    for ([high, low], (value, value_low)) in pairs.iter_mut().zip(parts) {
        add_pair(high, low, value, value_low);
    }
}

/// What the sums over pairs say.
#[derive(Debug, Clone, Copy)]
pub struct Distances {
    /// Σx.
    pub x: f64,
    /// Σy.
    pub y: f64,
    /// Sum of squared distances of x from its mean.
    pub xx: f64,
    /// The same of y.
    pub yy: f64,
    /// Sum of the products of both distances.
    pub xy: f64,
}

/// Sums and distances of the points of `sums`, of which there is one at least.
pub fn distances(sums: &[u64; PAIR_WORDS]) -> Distances {
    let n = sums[0] as f64;
    let [x, y, xx, yy, xy] = std::array::from_fn(|part| pair(sums, 1 + 2 * part));
    Distances {
        x: pair_value(x.0, x.1),
        y: pair_value(y.0, y.1),
        xx: not_negative(product_of_distances(n, x, x, xx)),
        yy: not_negative(product_of_distances(n, y, y, yy)),
        xy: product_of_distances(n, x, y, xy),
    }
}
