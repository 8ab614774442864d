//! The first look into a table of slots, for many keys at once, and the prefetches that hide its cache misses.
//!
//! A tagged slot is a 64-bit word: the upper half of the key's hash (the tag) above an entry number plus one; zero if empty.
//! Keys of one or two words stand in the table themselves ([`super::lines`]). The place of a hash is given by its topmost bits,
//! collisions go to the next place. So a table grows by spreading its contents in order. The table itself, with insertion,
//! is `state`'s.

/// Rows that go through the stages of a probe together: enough for as many cache misses as a core can have under way,
/// few enough to stay in the L1 cache.
pub const BLOCK_ROWS: usize = 256;

/// Asks for the cache line of `slice[index]`, if there is such an element; into the L2 cache, which can have more of them
/// under way than the L1.
#[inline(always)]
pub fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if index < slice.len() {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: the element lies inside the slice; a prefetch reads nothing.
        let element = unsafe { slice.as_ptr().add(index) };
        // SAFETY: a prefetch has no effect but on caches.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(element.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}

/// The place that a hash starts at, in a table of `2^bits` places.
#[inline(always)]
pub fn home(hash: u64, bits: u32) -> usize {
    (hash >> (64 - bits)) as usize
}

/// The slot word of entry `entry` under `hash`.
#[inline(always)]
pub fn slot_word(hash: u64, entry: u32) -> u64 {
    hash >> 32 << 32 | (u64::from(entry) + 1)
}

/// The entry that a slot word names; `None` if it is empty.
#[inline(always)]
pub fn entry_of(slot: u64) -> Option<u32> {
    (slot as u32).checked_sub(1)
}

/// The slot that a hash starts at, in a table of `2^bits` tagged slots: the first of two, which are looked at together and
/// never lie in two cache lines.
#[inline(always)]
pub fn tagged_home(hash: u64, bits: u32) -> usize {
    home(hash, bits) & !1
}

/// Places that a look asks for ahead. Any value is correct; from 32 on memory is busy all the time.
pub const AHEAD: usize = 64;

/// The hash that comes [`AHEAD`] after the `k`-th.
#[inline(always)]
fn ahead(hashes: &[u64], next: &[u64], k: usize) -> Option<u64> {
    hashes.get(k + AHEAD).or_else(|| next.get((k + AHEAD).wrapping_sub(hashes.len()))).copied()
}

/// For each hash, the entry of the first slot on its way that bears its tag; `u32::MAX` if there
/// is none before an empty slot. The key of that entry may still differ: with `far` it is asked for, in `words`, of which
/// each key has `width`. `slots` has a power of two of words, of which some are empty.
///
/// With `far` slots are asked for [`AHEAD`] of the look, and at the end those of the `next` hashes; the first ones must
/// have been asked for ([`prefetch_homes`]).
pub fn candidates(slots: &[u64], hashes: [&[u64]; 2], far: bool, words: &[u64], width: usize, out: &mut [u32]) {
    match far {
        true => candidates_in::<true>(slots, hashes, words, width, out),
        false => candidates_in::<false>(slots, hashes, words, width, out),
    }
}

fn candidates_in<const FAR: bool>(
    slots: &[u64],
    [hashes, next]: [&[u64]; 2],
    words: &[u64],
    width: usize,
    out: &mut [u32],
) {
    assert!(slots.len().is_power_of_two() && slots.len() > 1, "a power of two of slots");
    assert!(hashes.len() == out.len(), "one candidate a hash");
    let bits = slots.len().trailing_zeros();
    let mask = slots.len() - 1;
    for (k, (&hash, candidate)) in hashes.iter().zip(out).enumerate() {
        if FAR && let Some(ahead) = ahead(hashes, next, k) {
            prefetch(slots, tagged_home(ahead, bits));
        }
        let mut at = tagged_home(hash, bits);
        let found = loop {
            // Two slots are looked at without a branch between them: which of the two it is cannot be foreseen, that it
            // is one of them mostly can.
            // SAFETY: the mask keeps the index below the length, a power of two.
            let first = unsafe { *slots.get_unchecked(at & mask) };
            // SAFETY: as above.
            let second = unsafe { *slots.get_unchecked((at + 1) & mask) };
            let is_first = (first ^ hash) >> 32 == 0;
            let is_second = (second ^ hash) >> 32 == 0;
            if is_first | is_second {
                break std::hint::select_unpredictable(is_first, first, second) as u32;
            }
            if (first as u32 == 0) | (second as u32 == 0) {
                break 0;
            }
            at += 2;
        };
        *candidate = found.wrapping_sub(1);
        if FAR && found > 0 {
            prefetch(words, *candidate as usize * width);
        }
    }
}

/// Asks for the slots of all hashes.
pub fn prefetch_homes(slots: &[u64], hashes: &[u64]) {
    let bits = slots.len().trailing_zeros();
    hashes.iter().for_each(|&hash| prefetch(slots, tagged_home(hash, bits)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The first slot with the tag or none, wherever the hashes fall, at the end of the table and around it too.
        #[test]
        fn candidates_are_the_first_with_the_tag(
            hashes in prop::collection::vec((0u64..4, 0u64..3, any::<u32>()).prop_map(|(top, tag, low)| top << 62 | tag << 32 | u64::from(low)), 1..24),
            far in any::<bool>(),
        ) {
            let mut slots = vec![0u64; 32];
            for (entry, &hash) in hashes.iter().enumerate().step_by(2) {
                let mut at = tagged_home(hash, 5);
                while slots[at % 32] != 0 { at += 1; }
                slots[at % 32] = slot_word(hash, entry as u32);
            }
            let mut out = vec![0; hashes.len()];
            prefetch_homes(&slots, &hashes);
            candidates(&slots, [&hashes, &[7]], far, &[], 1, &mut out);
            for (&hash, &candidate) in hashes.iter().zip(&out) {
                let way = |i: usize| slots[(tagged_home(hash, 5) + i) % 32];
                let length = (0..32).find(|&i| way(i) == 0).unwrap();
                let expected = (0..length).map(way).find(|slot| slot >> 32 == hash >> 32).and_then(entry_of);
                // Beyond an empty slot in an odd place nothing is promised, and nothing wrong is found.
                let beyond = way(length) == 0 && length % 2 == 0 && expected.is_none() && way(length + 1) >> 32 == hash >> 32;
                if !beyond {
                    prop_assert_eq!(candidate, expected.unwrap_or(u32::MAX));
                }
            }
        }
    }

    #[test]
    fn slot_words_name_their_entry() {
        assert_eq!(entry_of(0), None);
        assert_eq!(entry_of(slot_word(u64::MAX, 0)), Some(0));
        assert_eq!(entry_of(slot_word(0, u32::MAX - 1)), Some(u32::MAX - 1));
    }
}
