//! Bitmaps as truth values.
//!
//! Word operations take slices of one length and keep bits past the end zero, given that their operands' are. A truth
//! value of SQL is two bitmaps, `values` and `validity`; no validity means that none is NULL.

/// The bits of word `index` that belong to the first `rows` rows.
pub fn live(rows: usize, index: usize) -> u64 {
    match rows.saturating_sub(index * 64) {
        0 => 0,
        bits @ 1..64 => (1 << bits) - 1,
        _ => u64::MAX,
    }
}

/// Sets the first `rows` bits, clears the rest.
pub fn fill(out: &mut [u64], rows: usize) {
    for (i, word) in out.iter_mut().enumerate() {
        *word = live(rows, i);
    }
}

/// `out &= with`.
pub fn and(out: &mut [u64], with: &[u64]) {
    assert_eq!(out.len(), with.len(), "bitmaps of one length");
    for (a, b) in out.iter_mut().zip(with) {
        *a &= b;
    }
}

/// `out |= with`.
pub fn or(out: &mut [u64], with: &[u64]) {
    assert_eq!(out.len(), with.len(), "bitmaps of one length");
    for (a, b) in out.iter_mut().zip(with) {
        *a |= b;
    }
}

/// `out &= !without`.
pub fn and_not(out: &mut [u64], without: &[u64]) {
    assert_eq!(out.len(), without.len(), "bitmaps of one length");
    for (a, b) in out.iter_mut().zip(without) {
        *a &= !b;
    }
}

/// Flips the first `rows` bits of `out`, clears the rest.
pub fn not(out: &mut [u64], rows: usize) {
    for (i, word) in out.iter_mut().enumerate() {
        *word = !*word & live(rows, i);
    }
}

/// Three-valued AND into `(values, validity)` of `rows` rows: FALSE if either is FALSE, else NULL if either is NULL. No
/// right validity stands for ones.
pub fn and_three(values: &mut [u64], validity: &mut [u64], with: &[u64], with_validity: Option<&[u64]>, rows: usize) {
    assert_eq!(values.len(), validity.len(), "bitmaps of one length");
    assert_eq!(values.len(), with.len(), "bitmaps of one length");
    for i in 0..values.len() {
        let (a, va, b) = (values[i], validity[i], with[i]);
        let vb = with_validity.map_or_else(|| live(rows, i), |words| words[i]);
        values[i] = a & va & b & vb;
        validity[i] = (va & vb) | (va & !a) | (vb & !b);
    }
}

/// Three-valued OR into `(values, validity)` of `rows` rows: TRUE if either is TRUE, else NULL if either is NULL.
pub fn or_three(values: &mut [u64], validity: &mut [u64], with: &[u64], with_validity: Option<&[u64]>, rows: usize) {
    assert_eq!(values.len(), validity.len(), "bitmaps of one length");
    assert_eq!(values.len(), with.len(), "bitmaps of one length");
    for i in 0..values.len() {
        let (a, va, b) = (values[i], validity[i], with[i]);
        let vb = with_validity.map_or_else(|| live(rows, i), |words| words[i]);
        values[i] = (a & va) | (b & vb);
        validity[i] = (va & vb) | values[i];
    }
}

/// Number of set bits.
pub fn count(words: &[u64]) -> usize {
    words.iter().map(|word| word.count_ones() as usize).sum()
}

/// Whether no bit is set.
pub fn is_zero(words: &[u64]) -> bool {
    words.iter().all(|&word| word == 0)
}

/// Calls `f` with the index of every set bit, ascending.
#[inline]
pub fn for_each_set(words: &[u64], mut f: impl FnMut(usize)) {
    for (index, &word) in words.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            f(index * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
}

/// Sets exactly the bits of `selection`.
pub fn from_selection(selection: &[u32], out: &mut [u64]) {
    out.fill(0);
    for &row in selection {
        out[row as usize / 64] |= 1 << (row % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Truth = Option<bool>;
    type Pair = (Truth, Truth);

    fn words(bits: &[bool]) -> Vec<u64> {
        let mut out = vec![0; bits.len().div_ceil(64)];
        for (i, &bit) in bits.iter().enumerate() {
            out[i / 64] |= u64::from(bit) << (i % 64);
        }
        out
    }

    proptest! {
        /// Word operations are the operations of their bits, with a zero tail.
        #[test]
        fn words_are_their_bits(pairs in prop::collection::vec(any::<(bool, bool)>(), 0..200)) {
            let rows = pairs.len();
            let (a, b): (Vec<bool>, Vec<bool>) = pairs.iter().copied().unzip();
            let apply = |f: fn(&mut [u64], &[u64])| { let mut out = words(&a); f(&mut out, &words(&b)); out };
            let expect = |f: fn(bool, bool) -> bool| words(&pairs.iter().map(|&(x, y)| f(x, y)).collect::<Vec<_>>());
            prop_assert_eq!(apply(and), expect(|x, y| x & y));
            prop_assert_eq!(apply(or), expect(|x, y| x | y));
            prop_assert_eq!(apply(and_not), expect(|x, y| x & !y));
            let mut flipped = words(&a);
            not(&mut flipped, rows);
            prop_assert_eq!(&flipped, &expect(|x, _| !x));
            let mut filled = words(&a);
            fill(&mut filled, rows);
            prop_assert_eq!(&filled, &expect(|_, _| true));
            prop_assert_eq!(count(&words(&a)), a.iter().filter(|&&x| x).count());
            prop_assert_eq!(is_zero(&words(&a)), !a.contains(&true));
        }

        /// Three-valued AND and OR are SQL's truth tables.
        #[test]
        fn three_values(pairs in prop::collection::vec(any::<(Option<bool>, Option<bool>)>(), 0..200), right_valid: bool) {
            let rows = pairs.len();
            let pairs: Vec<_> = pairs.into_iter().map(|(a, b)| (a, if right_valid { b.or(Some(true)) } else { b })).collect();
            let split = |f: &dyn Fn(&Pair) -> Truth| {
                let truth: Vec<_> = pairs.iter().map(f).collect();
                (words(&truth.iter().map(|t| t.unwrap_or(false)).collect::<Vec<_>>()),
                 words(&truth.iter().map(Option::is_some).collect::<Vec<_>>()))
            };
            let (b, vb) = split(&|p| p.1);
            let vb = if right_valid { None } else { Some(&vb[..]) };
            let (mut v, mut n) = split(&|p| p.0);
            and_three(&mut v, &mut n, &b, vb, rows);
            prop_assert_eq!((v, n), split(&|&(a, b)| match (a, b) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }));
            let (mut v, mut n) = split(&|p| p.0);
            or_three(&mut v, &mut n, &b, vb, rows);
            prop_assert_eq!((v, n), split(&|&(a, b)| match (a, b) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            }));
        }

        /// A selection sets its bits, and they are found again.
        #[test]
        fn selections_become_bits(keep in prop::collection::vec(any::<bool>(), 0..200)) {
            let map = words(&keep);
            let expected: Vec<u32> = (0..keep.len() as u32).filter(|&i| keep[i as usize]).collect();
            let mut back = vec![u64::MAX; map.len()];
            from_selection(&expected, &mut back);
            prop_assert_eq!(&back, &map);
            let mut seen = vec![];
            for_each_set(&map, |i| seen.push(i as u32));
            prop_assert_eq!(&seen, &expected);
        }
    }
}
