//! Updating the state rows of groups: one loop per aggregate over a column.
//!
//! A state row is `width` 64-bit words; an aggregate owns some of them from `word` on:
//!
//! ```text
//! count     n
//! sum_i64   low, high (i128), n
//! sum_i128  low, high (i128), n, carry (wraps of the i128, signed)
//! sum_f64   high, low (compensated pair, as bits), n
//! moments   n, sum high, sum low, square high, square low
//! extreme   value, seen (0 or 1)
//! extreme_i128  low, high, seen
//! ```
//!
//! NULL rows do not count. DOUBLE sums carry TwoSum pairs (Knuth, TAOCP 4.2.2; Ogita, Rump, Oishi 2005), so the order of
//! addition does not show in the result unless the exact sum needs more than 106 bits; once a sum is not finite the pair's
//! low half is zero, and infinities and NaN behave as in IEEE 754 addition. No allocation.

/// The rows of a batch that are looked at: `groups[j]` is the group of the j-th selected row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Group ids of the selected rows.
    pub groups: &'a [u32],
    /// Their row indices; `None` means row `j` for the j-th.
    pub selection: Option<&'a [u32]>,
    /// Validity bitmap of the column; `None` means that all are valid.
    pub validity: Option<&'a [u64]>,
}

impl Rows<'_> {
    /// Calls `f(group, row)` for every selected row that is not NULL.
    #[inline]
    pub fn for_each(&self, mut f: impl FnMut(usize, usize)) {
        match (self.selection, self.validity) {
            (None, None) => self.groups.iter().enumerate().for_each(|(i, &g)| f(g as usize, i)),
            (Some(selection), None) => {
                self.groups.iter().zip(selection).for_each(|(&g, &i)| f(g as usize, i as usize));
            }
            (selection, Some(words)) => {
                for (j, &g) in self.groups.iter().enumerate() {
                    let i = selection.map_or(j, |s| s[j] as usize);
                    if words[i / 64] >> (i % 64) & 1 == 1 {
                        f(g as usize, i);
                    }
                }
            }
        }
    }
}

/// Where an aggregate's words stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Words of a state row.
    pub width: usize,
    /// First word of the aggregate.
    pub word: usize,
}

impl Place {
    /// The `N` words of `group`.
    #[inline]
    pub fn of<const N: usize>(self, states: &mut [u64], group: usize) -> &mut [u64; N] {
        let start = group * self.width + self.word;
        (&mut states[start..start + N]).try_into().expect("the slice has N words")
    }

    /// The `N` words of `group`, to read.
    #[inline]
    pub fn read<const N: usize>(self, states: &[u64], group: usize) -> [u64; N] {
        let start = group * self.width + self.word;
        states[start..start + N].try_into().expect("the slice has N words")
    }
}

/// `a + b` rounded, and the exact error, for finite results; (sum, 0) otherwise.
#[inline]
pub fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    (sum, if sum.is_finite() { error } else { 0.0 })
}

/// `a * a` rounded, and the exact error, for finite results; (square, 0) otherwise.
#[inline]
pub fn two_square(a: f64) -> (f64, f64) {
    let square = a * a;
    (square, if square.is_finite() { a.mul_add(a, -square) } else { 0.0 })
}

/// Adds `value` to a compensated pair held as bits.
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

/// The DOUBLE that [`super::compare::order_key`] made `ordered` of.
#[inline]
pub fn unorder_f64(ordered: i64) -> f64 {
    f64::from_bits((ordered ^ (((ordered >> 63) as u64) >> 1) as i64) as u64)
}

/// COUNT.
pub fn count(states: &mut [u64], place: Place, rows: Rows<'_>) {
    rows.for_each(|group, _| place.of::<1>(states, group)[0] += 1);
}

/// SUM and AVG of 64-bit integers, exact.
pub fn sum_i64(states: &mut [u64], place: Place, rows: Rows<'_>, values: &[i64]) {
    rows.for_each(|group, i| add_i64(place.of(states, group), values[i]));
}

/// One step of [`sum_i64`]. 2^63 additions of 64-bit values fit an i128.
#[inline]
pub fn add_i64(state: &mut [u64; 3], value: i64) {
    let sum = i128_of(state[0], state[1]).wrapping_add(i128::from(value));
    put_i128(state, sum);
    state[2] += 1;
}

/// SUM and AVG of decimals. Wraps of the i128 are counted, so that a sum that comes back is exact, in any order.
pub fn sum_i128(states: &mut [u64], place: Place, rows: Rows<'_>, values: &[i128]) {
    rows.for_each(|group, i| add_i128(place.of(states, group), values[i]));
}

/// One step of [`sum_i128`].
#[inline]
pub fn add_i128(state: &mut [u64; 4], value: i128) {
    let (sum, carry) = add_wrapping(i128_of(state[0], state[1]), value);
    put_i128(state, sum);
    state[2] += 1;
    state[3] = state[3].wrapping_add_signed(carry);
}

/// The wrapped sum, and by how many turns of 2^128 the true one differs from it.
#[inline]
pub fn add_wrapping(a: i128, b: i128) -> (i128, i64) {
    match a.overflowing_add(b) {
        (sum, false) => (sum, 0),
        (sum, true) => (sum, if b > 0 { 1 } else { -1 }),
    }
}

/// SUM and AVG of DOUBLE.
pub fn sum_f64(states: &mut [u64], place: Place, rows: Rows<'_>, values: &[f64]) {
    rows.for_each(|group, i| add_f64(place.of(states, group), values[i]));
}

/// One step of [`sum_f64`].
#[inline]
pub fn add_f64(state: &mut [u64; 3], value: f64) {
    let [high, low, n] = state;
    add_pair(high, low, value, 0.0);
    *n += 1;
}

/// VARIANCE and STDDEV: sums of values and of exact squares.
pub fn moments(states: &mut [u64], place: Place, rows: Rows<'_>, values: &[f64]) {
    rows.for_each(|group, i| add_moments(place.of(states, group), values[i]));
}

/// One step of [`moments`].
#[inline]
pub fn add_moments(state: &mut [u64; 5], value: f64) {
    let [n, sum_high, sum_low, square_high, square_low] = state;
    *n += 1;
    add_pair(sum_high, sum_low, value, 0.0);
    let (square, error) = two_square(value);
    add_pair(square_high, square_low, square, error);
}

/// The sum of squared distances from the mean, from the words of [`moments`], in double-double arithmetic: the
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

/// MIN (`KEEP_LESS`) or MAX of values mapped to ordered integers by `order`.
pub fn extreme<T: Copy, const KEEP_LESS: bool>(
    states: &mut [u64],
    place: Place,
    rows: Rows<'_>,
    values: &[T],
    order: impl Fn(T) -> i64,
) {
    rows.for_each(|group, i| keep_extreme::<KEEP_LESS>(place.of(states, group), order(values[i])));
}

/// One step of [`extreme`].
#[inline]
pub fn keep_extreme<const KEEP_LESS: bool>(state: &mut [u64; 2], value: i64) {
    let kept = state[0] as i64;
    let better = if KEEP_LESS { value < kept } else { value > kept };
    if state[1] == 0 || better {
        *state = [value as u64, 1];
    }
}

/// MIN or MAX of decimals.
pub fn extreme_i128<const KEEP_LESS: bool>(states: &mut [u64], place: Place, rows: Rows<'_>, values: &[i128]) {
    rows.for_each(|group, i| keep_extreme_i128::<KEEP_LESS>(place.of(states, group), values[i]));
}

/// One step of [`extreme_i128`].
#[inline]
pub fn keep_extreme_i128<const KEEP_LESS: bool>(state: &mut [u64; 3], value: i128) {
    let kept = i128_of(state[0], state[1]);
    let better = if KEEP_LESS { value < kept } else { value > kept };
    if state[2] == 0 || better {
        put_i128(state, value);
        state[2] = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::compare::order_key as order_f64;
    use proptest::prelude::*;

    proptest! {
        /// Any order and any split of the additions give the bits of any other, for values of like magnitude.
        #[test]
        fn compensated_sums_do_not_show_the_order(mut values in prop::collection::vec(-1e6f64..1e6, 1..200), cut in 0usize..200) {
            let fold = |values: &[f64]| values.iter().fold([0; 3], |mut s, &v| { add_f64(&mut s, v); s });
            let result = |s: [u64; 3]| f64::from_bits(s[0]) + f64::from_bits(s[1]);
            let forward = result(fold(&values));
            let (left, right) = values.split_at(cut % values.len());
            let (mut a, b) = (fold(left), fold(right));
            let [high, low, _] = &mut a;
            add_pair(high, low, f64::from_bits(b[0]), f64::from_bits(b[1]));
            prop_assert_eq!(forward.to_bits(), result(a).to_bits());
            values.sort_by(f64::total_cmp);
            prop_assert_eq!(forward.to_bits(), result(fold(&values)).to_bits());
        }

        #[test]
        fn ordered_doubles_sort_as_sql_does(a in any::<f64>(), b in any::<f64>()) {
            if !a.is_nan() && !b.is_nan() {
                prop_assert_eq!(order_f64(a).cmp(&order_f64(b)), a.partial_cmp(&b).unwrap());
                prop_assert!(order_f64(a) < order_f64(f64::NAN));
                prop_assert!(unorder_f64(order_f64(a)) == a);
            }
        }

        /// The variance of shifted values equals that of the values themselves, where plain DOUBLE loses every digit.
        #[test]
        fn variance_survives_a_large_mean(values in prop::collection::vec(0i32..1000, 2..100)) {
            let of = |shift: f64| {
                let mut state = [0; 5];
                values.iter().for_each(|&v| add_moments(&mut state, f64::from(v) + shift));
                squared_distances(&state)
            };
            let (plain, shifted) = (of(0.0), of(1e12));
            prop_assert!((plain - shifted).abs() <= 1e-6 * plain.max(1.0), "{} {}", plain, shifted);
        }
    }

    #[test]
    fn infinities_and_nan_behave_as_in_plain_addition() {
        let sum = |values: &[f64]| {
            let mut s = [0; 3];
            values.iter().for_each(|&v| add_f64(&mut s, v));
            f64::from_bits(s[0]) + f64::from_bits(s[1])
        };
        assert_eq!(sum(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert!(sum(&[f64::NEG_INFINITY, f64::INFINITY]).is_nan());
        assert!(sum(&[1.0, f64::NAN]).is_nan());
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        assert_eq!((order_f64(-0.0), unorder_f64(order_f64(-1.5))), (order_f64(0.0), -1.5));
    }
}
