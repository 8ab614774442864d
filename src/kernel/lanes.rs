//! The loops that every elementwise kernel is an instance of: one row function, applied 64 rows at a time.
//!
//! Invariants: 1. row `i` of the output depends on row `i` of the operands only; 2. a flag word holds the flags of exactly
//! 64 rows, and bits past the last row are zero; 3. every row is computed, also rows that are NULL or not selected, so row
//! functions must be total (wrap, never panic).
//!
//! A block's operands are read through closures over `&[T; 64]`: the inner loop has a constant trip count and no bounds
//! check. Truth values are gathered as bytes and packed by a multiplication, which keeps the comparison itself vectorised.

/// An operand of an elementwise kernel: one value a row.
pub trait Lanes<T: Copy>: Copy {
    /// Values of the 64 rows from `64 * block`, by row within the block.
    fn block(self, block: usize) -> impl Fn(usize) -> T;
    /// Values of the last rows, fewer than 64, from `64 * block`.
    fn tail(self, block: usize) -> impl Fn(usize) -> T;
    /// Whether there are at least `rows` values.
    fn covers(self, rows: usize) -> bool;
}

impl<T: Copy> Lanes<T> for &[T] {
    #[inline(always)]
    fn block(self, block: usize) -> impl Fn(usize) -> T {
        let values: &[T; 64] = self[block * 64..].first_chunk().expect("a full block has 64 rows");
        move |i| values[i]
    }

    #[inline(always)]
    fn tail(self, block: usize) -> impl Fn(usize) -> T {
        let values = &self[block * 64..];
        move |i| values[i]
    }

    fn covers(self, rows: usize) -> bool {
        self.len() >= rows
    }
}

/// The same value in every row, without an array of copies.
#[derive(Debug, Clone, Copy)]
pub struct Splat<T>(pub T);

impl<T: Copy> Lanes<T> for Splat<T> {
    #[inline(always)]
    fn block(self, _: usize) -> impl Fn(usize) -> T {
        move |_| self.0
    }

    #[inline(always)]
    fn tail(self, _: usize) -> impl Fn(usize) -> T {
        move |_| self.0
    }

    fn covers(self, _: usize) -> bool {
        true
    }
}

/// `out[i] = f(arg[i])`.
#[inline(always)]
pub fn map<A: Copy, R>(arg: impl Lanes<A>, out: &mut [R], f: impl Fn(A) -> R) {
    zip(arg, Splat(()), out, |a, ()| f(a));
}

/// `out[i] = f(lhs[i], rhs[i])`.
#[inline(always)]
pub fn zip<A: Copy, B: Copy, R>(lhs: impl Lanes<A>, rhs: impl Lanes<B>, out: &mut [R], f: impl Fn(A, B) -> R) {
    assert!(lhs.covers(out.len()), "the left operand has too few rows");
    assert!(rhs.covers(out.len()), "the right operand has too few rows");
    let (blocks, tail) = out.as_chunks_mut::<64>();
    let full = blocks.len();
    for (b, block) in blocks.iter_mut().enumerate() {
        let (left, right) = (lhs.block(b), rhs.block(b));
        for (i, slot) in block.iter_mut().enumerate() {
            *slot = f(left(i), right(i));
        }
    }
    if !tail.is_empty() {
        let (left, right) = (lhs.tail(full), rhs.tail(full));
        for (i, slot) in tail.iter_mut().enumerate() {
            *slot = f(left(i), right(i));
        }
    }
}

/// `(out[i], flag i) = f(arg[i])`; returns whether any row is flagged.
#[inline(always)]
pub fn map_flagged<A: Copy, R>(
    arg: impl Lanes<A>,
    out: &mut [R],
    flags: &mut [u64],
    f: impl Fn(A) -> (R, bool),
) -> bool {
    zip_flagged(arg, Splat(()), out, flags, |a, ()| f(a))
}

/// `(out[i], flag i) = f(lhs[i], rhs[i])`; returns whether any row is flagged. `flags` has one bit a row of `out`.
#[inline(always)]
pub fn zip_flagged<A: Copy, B: Copy, R>(
    lhs: impl Lanes<A>,
    rhs: impl Lanes<B>,
    out: &mut [R],
    flags: &mut [u64],
    f: impl Fn(A, B) -> (R, bool),
) -> bool {
    assert!(lhs.covers(out.len()), "the left operand has too few rows");
    assert!(rhs.covers(out.len()), "the right operand has too few rows");
    assert_eq!(flags.len(), out.len().div_ceil(64), "one flag word for each 64 rows");
    let (blocks, tail) = out.as_chunks_mut::<64>();
    let full = blocks.len();
    let mut any = 0;
    for (b, (block, word)) in blocks.iter_mut().zip(flags.iter_mut()).enumerate() {
        let (left, right) = (lhs.block(b), rhs.block(b));
        // Flags are rare: the first loop only finds out whether there is one, which costs an OR a row.
        let mut flagged = false;
        for (i, slot) in block.iter_mut().enumerate() {
            let (value, flag) = f(left(i), right(i));
            *slot = value;
            flagged |= flag;
        }
        *word = 0;
        if flagged {
            for i in 0..64 {
                *word |= u64::from(f(left(i), right(i)).1) << i;
            }
        }
        any |= *word;
    }
    if !tail.is_empty() {
        let (left, right) = (lhs.tail(full), rhs.tail(full));
        let mut word = 0;
        for (i, slot) in tail.iter_mut().enumerate() {
            let (value, flag) = f(left(i), right(i));
            *slot = value;
            word |= u64::from(flag) << i;
        }
        flags[full] = word;
        any |= word;
    }
    any != 0
}

/// Bit `i` of `out` is `f(arg[i])`, for `rows` rows.
#[inline(always)]
pub fn test<A: Copy>(arg: impl Lanes<A>, rows: usize, out: &mut [u64], f: impl Fn(A) -> bool) {
    test_pair(arg, Splat(()), rows, out, |a, ()| f(a));
}

/// Bit `i` of `out` is `f(lhs[i], rhs[i])`, for `rows` rows.
#[inline(always)]
pub fn test_pair<A: Copy, B: Copy>(
    lhs: impl Lanes<A>,
    rhs: impl Lanes<B>,
    rows: usize,
    out: &mut [u64],
    f: impl Fn(A, B) -> bool,
) {
    assert!(lhs.covers(rows), "the left operand has too few rows");
    assert!(rhs.covers(rows), "the right operand has too few rows");
    assert_eq!(out.len(), rows.div_ceil(64), "one word for each 64 rows");
    let full = rows / 64;
    for (b, word) in out[..full].iter_mut().enumerate() {
        let (left, right) = (lhs.block(b), rhs.block(b));
        let mut bytes = [0; 64];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from(f(left(i), right(i)));
        }
        *word = pack(&bytes);
    }
    if !rows.is_multiple_of(64) {
        let (left, right) = (lhs.tail(full), rhs.tail(full));
        out[full] = (0..rows % 64).fold(0, |word, i| word | u64::from(f(left(i), right(i))) << i);
    }
}

/// `out[i] = source[i]` where bit `i` of `mask` is set.
#[inline]
pub fn blend<A: Copy>(mask: &[u64], source: impl Lanes<A>, out: &mut [A]) {
    assert!(source.covers(out.len()), "the source has too few rows");
    assert_eq!(mask.len(), out.len().div_ceil(64), "one mask word for each 64 rows");
    let (blocks, tail) = out.as_chunks_mut::<64>();
    let full = blocks.len();
    for (b, (block, &word)) in blocks.iter_mut().zip(mask).enumerate() {
        let value = source.block(b);
        if word == u64::MAX {
            for (i, slot) in block.iter_mut().enumerate() {
                *slot = value(i);
            }
        } else if word != 0 {
            for (i, slot) in block.iter_mut().enumerate() {
                *slot = if word >> i & 1 == 1 { value(i) } else { *slot };
            }
        }
    }
    if !tail.is_empty() {
        let value = source.tail(full);
        for (i, slot) in tail.iter_mut().enumerate() {
            *slot = if mask[full] >> i & 1 == 1 { value(i) } else { *slot };
        }
    }
}

/// Bit `i` of the result is byte `i`, each 0 or 1. The multiplication moves bit 0 of byte `k` to bit `56 + k`; no two
/// products meet in a bit, so nothing carries.
#[inline(always)]
fn pack(bytes: &[u8; 64]) -> u64 {
    let (groups, _) = bytes.as_chunks::<8>();
    let mut word = 0;
    for (k, group) in groups.iter().enumerate() {
        word |= (u64::from_le_bytes(*group).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * k);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Blocks, tails and splats compute what a loop over rows does, flags included.
        #[test]
        fn every_loop_is_the_row_function(a in prop::collection::vec(any::<i32>(), 0..200), c: i32) {
            let rows = a.len();
            let b: Vec<i32> = a.iter().rev().copied().collect();
            let f = |x: i32, y: i32| x.overflowing_add(y);
            let mut out = vec![0; rows];
            let mut flags = vec![u64::MAX; rows.div_ceil(64)];
            let bit = |words: &[u64], i: usize| words[i / 64] >> (i % 64) & 1 == 1;
            let any = zip_flagged(&a[..], &b[..], &mut out, &mut flags, f);
            for i in 0..rows {
                prop_assert_eq!((out[i], bit(&flags, i)), f(a[i], b[i]));
            }
            prop_assert_eq!(any, (0..rows).any(|i| f(a[i], b[i]).1));
            prop_assert!((rows..flags.len() * 64).all(|i| !bit(&flags, i)));
            map_flagged(&a[..], &mut out, &mut flags, |x| f(x, c));
            for i in 0..rows {
                prop_assert_eq!((out[i], bit(&flags, i)), f(a[i], c));
            }
            zip(&a[..], Splat(c), &mut out, |x, y| x ^ y);
            prop_assert!((0..rows).all(|i| out[i] == a[i] ^ c));
            let before = out.clone();
            blend(&flags, &b[..], &mut out);
            let expected: Vec<i32> = (0..rows).map(|i| if bit(&flags, i) { b[i] } else { before[i] }).collect();
            prop_assert_eq!(&out, &expected);
            map(Splat(c), &mut out, |x| x);
            prop_assert!((0..rows).all(|i| out[i] == c));
            test_pair(&a[..], &b[..], rows, &mut flags, |x, y| x < y);
            prop_assert!((0..flags.len() * 64).all(|i| bit(&flags, i) == (i < rows && a[i] < b[i])));
            test(&a[..], rows, &mut flags, |x| x > 0);
            prop_assert!((0..flags.len() * 64).all(|i| bit(&flags, i) == (i < rows && a[i] > 0)));
        }
    }
}
