//! Tables of cache lines in which keys of one or two words stand with their entries: a look is one cache miss, and no second
//! one to compare the key.
//!
//! A line is found by the topmost bits of the hash; from a full line a key goes on to the next. So a table grows by
//! spreading its contents in order. The keys of a line are compared with one key all at once, in vectors, because which place it
//! is cannot be foreseen. The table itself, with growth, is `state`'s.

use super::probe::{AHEAD, home, prefetch};
use super::simd::Simd;

/// A cache line of `N` keys of `W` words and their entries.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct KeyLine<const W: usize, const N: usize> {
    keys: [[u64; W]; N],
    /// Plus one; zero from the first free place on.
    entries: [u32; N],
}

/// A line of keys of one word.
pub type WordLine = KeyLine<1, 5>;
/// A line of keys of two words.
pub type PairLine = KeyLine<2, 3>;

/// What [`find_keys`] writes for a key that is not there.
pub const MISSING: u32 = u32::MAX;

impl<const W: usize, const N: usize> KeyLine<W, N> {
    /// No key.
    pub const EMPTY: Self = Self { keys: [[0; W]; N], entries: [0; N] };

    /// The first words of the keys: where there is one key in all of a line's words of it.
    const FIRSTS: u32 = {
        assert!(size_of::<Self>() == 64 && (W == 1 || W == 2) && (W * 8 + 4) * N <= 64, "a line is filled");
        if W == 1 { (1 << N) - 1 } else { 0x5555_5555 & ((1 << (2 * N)) - 1) }
    };

    /// Whether no place is free.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.entries[N - 1] != 0
    }

    /// Bit `i` for each of the line's eight words that is what `key` has in this place. The definition.
    #[inline(always)]
    fn same_words(&self, key: &[u64; W]) -> u32 {
        let words = self.keys.as_flattened().iter().enumerate();
        words.fold(0, |bits, (i, &word)| bits | u32::from(word == key[i % W]) << i)
    }

    /// Entry plus one of the first key whose words are the same; 0 if there is none.
    #[inline(always)]
    fn entry(&self, same_words: u32) -> u32 {
        let same = if W == 1 { same_words } else { same_words & same_words >> 1 } & Self::FIRSTS;
        if same == 0 {
            return 0;
        }
        // The lowest bit set is the first word of one of the `N` keys. Free places stand behind all others, and say 0. The
        // place is reckoned in bytes: a multiple of `W` needs no division then.
        let entry = (&raw const self.entries).cast::<u8>().wrapping_add(same.trailing_zeros() as usize * (4 / W));
        // SAFETY: one of the entries, as said.
        unsafe { *entry.cast::<u32>() }
    }

    /// The keys and their entries.
    pub fn iter(&self) -> impl Iterator<Item = ([u64; W], u32)> + '_ {
        self.keys.into_iter().zip(self.entries).map_while(|(key, entry)| Some((key, entry.checked_sub(1)?)))
    }
}

/// The entry of `key` for which `is_same` says so; if it is not there, the line that it is to be put into. Of `lines`, a power
/// of two, some have a free place.
#[inline]
pub fn find_key<const W: usize, const N: usize>(
    lines: &[KeyLine<W, N>],
    key: &[u64; W],
    hash: u64,
    is_same: impl Fn(u32) -> bool,
) -> Result<u32, usize> {
    let (bits, mask) = (lines.len().trailing_zeros(), lines.len() - 1);
    let mut at = home(hash, bits) & mask;
    loop {
        for (other, &entry) in lines[at].keys.iter().zip(&lines[at].entries) {
            if entry == 0 {
                return Err(at);
            }
            if other == key && is_same(entry - 1) {
                return Ok(entry - 1);
            }
        }
        at = (at + 1) & mask;
    }
}

/// Puts a key that is not there into the line that [`find_key`] named.
pub fn put_key<const W: usize, const N: usize>(lines: &mut [KeyLine<W, N>], at: usize, key: &[u64; W], entry: u32) {
    let line = &mut lines[at];
    let free = line.entries.iter().filter(|&&entry| entry != 0).count();
    (line.keys[free], line.entries[free]) = (*key, entry + 1);
}

/// For each key, the entry of the first key with the same words, or [`MISSING`]; tells whether all were found. `lines` are as for
/// [`find_key`].
///
/// With `far` they are asked for [`AHEAD`] of the look, and at the end those of the `next` hashes; the first ones must have
/// been asked for ([`prefetch_lines`]).
pub fn find_keys<const W: usize, const N: usize>(
    simd: Simd,
    lines: &[KeyLine<W, N>],
    keys: &[[u64; W]],
    hashes: [&[u64]; 2],
    far: bool,
    out: &mut [u32],
) -> bool {
    if simd.is_scalar() {
        return find_with(lines, keys, hashes, far, out, |line, key| line.same_words(key));
    }
    #[cfg(target_arch = "x86_64")]
    if simd.is_avx512() {
        // SAFETY: this level exists only where the CPU has AVX-512.
        return unsafe { x86::find_avx512(lines, keys, hashes, far, out) };
    }
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    // SAFETY: the build is for CPUs with AVX2.
    return unsafe { x86::find_avx2(lines, keys, hashes, far, out) };
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    find_with(lines, keys, hashes, far, out, |line, key| line.same_words(key))
}

/// [`find_keys`] with `same_words(line, key)` in the place of [`KeyLine::same_words`]; bits past the keys may be anything.
#[inline(always)]
fn find_with<const W: usize, const N: usize>(
    lines: &[KeyLine<W, N>],
    keys: &[[u64; W]],
    [hashes, next]: [&[u64]; 2],
    far: bool,
    out: &mut [u32],
    same_words: impl Fn(&KeyLine<W, N>, &[u64; W]) -> u32,
) -> bool {
    assert!(lines.len().is_power_of_two() && lines.len() > 1, "a power of two of lines");
    let count = out.len();
    assert!(keys.len() == count && hashes.len() == count, "one hash and one entry a key");
    let bits = lines.len().trailing_zeros();
    let mut missing = 0;
    let rows = || keys.iter().zip(hashes);
    macro_rules! look {
        ($key:expr, $hash:expr, $out:expr) => {
            // SAFETY: there are `2^bits` lines, and the mask keeps the index below that.
            let line = unsafe { lines.get_unchecked(home($hash, bits) & (lines.len() - 1)) };
            let entry = match line.entry(same_words(line, $key)) {
                0 => {
                    let found = if line.is_full() { find_elsewhere(lines, $key, $hash) } else { 0 };
                    missing |= u32::from(found == 0);
                    found
                }
                entry => entry,
            };
            *$out = entry.wrapping_sub(1);
        };
    }
    if far {
        let here = count.saturating_sub(AHEAD);
        let (out_here, out_end) = out.split_at_mut(here);
        for (((key, &hash), out), &ahead) in rows().zip(out_here).zip(&hashes[count - here..]) {
            prefetch(lines, home(ahead, bits));
            look!(key, hash, out);
        }
        let mut ahead = next.iter().skip(AHEAD.saturating_sub(count));
        for ((key, &hash), out) in rows().skip(here).zip(out_end) {
            if let Some(&ahead) = ahead.next() {
                prefetch(lines, home(ahead, bits));
            }
            look!(key, hash, out);
        }
    } else {
        for ((key, &hash), out) in rows().zip(out) {
            look!(key, hash, out);
        }
    }
    missing == 0
}

/// Entry plus one of a key that is not in its first line; 0 if it is nowhere.
#[inline(never)]
fn find_elsewhere<const W: usize, const N: usize>(lines: &[KeyLine<W, N>], key: &[u64; W], hash: u64) -> u32 {
    find_key(lines, key, hash, |_| true).map_or(0, |entry| entry + 1)
}

/// Asks for the lines of all hashes.
pub fn prefetch_lines<const W: usize, const N: usize>(lines: &[KeyLine<W, N>], hashes: &[u64]) {
    let bits = lines.len().trailing_zeros();
    hashes.iter().for_each(|&hash| prefetch(lines, home(hash, bits)));
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm256_broadcastsi128_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi64, _mm256_load_si256,
        _mm256_movemask_pd, _mm256_set1_epi64x, _mm512_broadcast_i64x2, _mm512_cmpeq_epi64_mask, _mm512_load_si512,
        _mm512_set1_epi64,
    };

    use super::{KeyLine, find_with};

    /// [`super::find_keys`] with AVX-512.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn find_avx512<const W: usize, const N: usize>(
        lines: &[KeyLine<W, N>],
        keys: &[[u64; W]],
        hashes: [&[u64]; 2],
        far: bool,
        out: &mut [u32],
    ) -> bool {
        find_with(lines, keys, hashes, far, out, |line, key| {
            let key = match key[..] {
                [word] => _mm512_set1_epi64(word.cast_signed()),
                // SAFETY: the two words of the key are read.
                _ => _mm512_broadcast_i64x2(unsafe { _mm_loadu_si128(key.as_ptr().cast()) }),
            };
            // SAFETY: a line has these 64 bytes, and starts at a multiple of 64.
            let line = unsafe { _mm512_load_si512((&raw const *line).cast()) };
            in_register(u32::from(_mm512_cmpeq_epi64_mask(line, key)))
        })
    }

    /// [`super::find_keys`] with AVX2.
    #[target_feature(enable = "avx2")]
    pub(super) fn find_avx2<const W: usize, const N: usize>(
        lines: &[KeyLine<W, N>],
        keys: &[[u64; W]],
        hashes: [&[u64]; 2],
        far: bool,
        out: &mut [u32],
    ) -> bool {
        find_with(lines, keys, hashes, far, out, |line, key| {
            let key = match key[..] {
                [word] => _mm256_set1_epi64x(word.cast_signed()),
                // SAFETY: the two words of the key are read.
                _ => _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(key.as_ptr().cast()) }),
            };
            let half = |half: usize| {
                let words = (&raw const *line).cast::<[u64; 4]>().wrapping_add(half);
                // SAFETY: a line has two halves of these 32 bytes, and starts at a multiple of 64.
                let words = unsafe { _mm256_load_si256(words.cast()) };
                in_register(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(words, key))).cast_unsigned())
            };
            half(0) | half(1) << 4
        })
    }

    /// The same bits, as a value that the compiler must hold in one register: it would join the two halves before they are
    /// bits, in twice as many instructions, or reckon with eight bits and widen them again.
    #[inline(always)]
    fn in_register(mut bits: u32) -> u32 {
        // SAFETY: no instruction is emitted.
        unsafe { std::arch::asm!("/* {0:e} */", inout(reg) bits, options(pure, nomem, nostack, preserves_flags)) };
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keys of few words, zero among them, that start at few lines: they are found by themselves, never by their hash alone,
    /// at every level, and of two keys with the same words the one that is asked for.
    fn check<const W: usize, const N: usize>(
        tops: &[u64],
        picked: &[u64],
        twins: bool,
        far: bool,
    ) -> Result<(), TestCaseError> {
        let hash = |key: u64| tops[key as usize] << 61;
        let words =
            |key: u64| -> [u64; W] { std::array::from_fn(|i| (key >> (3 * i)) & if i + 1 < W { 7 } else { u64::MAX }) };
        let mut lines = vec![KeyLine::<W, N>::EMPTY; 16];
        let mut known: Vec<u64> = Vec::new();
        for &key in picked.iter().filter(|&&key| key % 4 != 1) {
            match find_key(&lines, &words(key), hash(key), |entry| known[entry as usize] == key) {
                Ok(entry) => prop_assert_eq!(known[entry as usize], key),
                Err(at) => {
                    prop_assert!(!known.contains(&key));
                    put_key(&mut lines, at, &words(key), known.len() as u32);
                    known.push(key);
                    if twins && known.len() < 12 {
                        let at = find_key(&lines, &words(key), hash(key), |_| false).unwrap_err();
                        put_key(&mut lines, at, &words(key), known.len() as u32);
                        known.push(key + 100);
                    }
                }
            }
        }
        let hashes: Vec<u64> = picked.iter().map(|&key| hash(key)).collect();
        let keys: Vec<[u64; W]> = picked.iter().map(|&key| words(key)).collect();
        for simd in Simd::available() {
            let mut out = vec![9; picked.len()];
            prefetch_lines(&lines, &hashes);
            let all = find_keys(simd, &lines, &keys, [&hashes, &[7]], far, &mut out);
            prop_assert_eq!(all, picked.iter().all(|key| known.contains(key)));
            for (key, &found) in picked.iter().zip(&out) {
                let expected = known.iter().position(|k| k == key).map_or(MISSING, |entry| entry as u32);
                prop_assert_eq!(found, expected);
            }
        }
        let mut all: Vec<_> = lines.iter().flat_map(KeyLine::iter).collect();
        all.sort_by_key(|&(_, entry)| entry);
        let expected = known.iter().zip(0..).map(|(&key, entry)| (words(key % 100), entry));
        prop_assert_eq!(all, expected.collect::<Vec<_>>());
        Ok(())
    }

    proptest! {
        #[test]
        fn keys_are_found_in_their_lines(
            tops in prop::collection::vec(0u64..8, 24),
            picked in prop::collection::vec(0u64..24, 0..200),
            twins in any::<bool>(),
            far in any::<bool>(),
        ) {
            check::<1, 5>(&tops, &picked, twins, far)?;
            check::<2, 3>(&tops, &picked, twins, far)?;
        }
    }
}
