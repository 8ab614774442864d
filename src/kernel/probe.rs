//! The first look into a table of tagged slots, for many keys at once, and the prefetches that hide its cache misses.
//!
//! A slot is a 64-bit word: the upper half of the key's hash (the tag) above an entry number plus one; zero if empty. The
//! slot of a hash is given by its topmost bits, collisions go to the next slot. So a table grows by spreading its slots in
//! order, without looking at any key. The table itself, with insertion, is `state`'s.

/// Rows that go through the stages of a probe together: enough for as many cache misses as a core can have under way,
/// few enough to stay in the L1 cache.
pub const BLOCK_ROWS: usize = 256;

/// Asks for the cache line of `slice[index]`, if there is such an element.
#[inline(always)]
pub fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if index < slice.len() {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the element lies inside the slice; a prefetch reads nothing.
        let element = unsafe { slice.as_ptr().add(index) };
        // SAFETY: a prefetch has no effect but on caches.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(element.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}

/// The slot that a hash starts at, in a table of `2^bits` slots.
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

/// For each hash, the entry of the first slot on its way that bears its tag, plus one; 0 if there is none before an empty
/// slot. The key of that entry may still differ. `slots` has a power of two of words, of which some are empty.
pub fn candidates(slots: &[u64], hashes: &[u64], out: &mut [u32]) {
    assert!(slots.len().is_power_of_two() && slots.len() > 1, "a power of two of slots");
    assert_eq!(hashes.len(), out.len(), "one candidate a hash");
    let bits = slots.len().trailing_zeros();
    let mask = slots.len() - 1;
    for (&hash, candidate) in hashes.iter().zip(out) {
        let mut at = home(hash, bits);
        loop {
            // Two slots are looked at without a branch between them: which of the two it is cannot be foreseen, that it
            // is one of them mostly can.
            // SAFETY: the mask keeps the index below the length, a power of two.
            let first = unsafe { *slots.get_unchecked(at & mask) };
            // SAFETY: as above.
            let second = unsafe { *slots.get_unchecked((at + 1) & mask) };
            let is_first = (first ^ hash) >> 32 == 0;
            let is_second = (second ^ hash) >> 32 == 0;
            if is_first | is_second {
                *candidate = std::hint::select_unpredictable(is_first, first, second) as u32;
                break;
            }
            if (first as u32 == 0) | (second as u32 == 0) {
                *candidate = 0;
                break;
            }
            at += 2;
        }
    }
}

/// Asks for the slots of all hashes.
pub fn prefetch_homes(slots: &[u64], hashes: &[u64]) {
    let bits = slots.len().trailing_zeros();
    hashes.iter().for_each(|&hash| prefetch(slots, home(hash, bits)));
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
        ) {
            let mut slots = vec![0u64; 32];
            for (entry, &hash) in hashes.iter().enumerate().step_by(2) {
                let mut at = home(hash, 5);
                while slots[at % 32] != 0 { at += 1; }
                slots[at % 32] = slot_word(hash, entry as u32);
            }
            let mut out = vec![0; hashes.len()];
            prefetch_homes(&slots, &hashes);
            candidates(&slots, &hashes, &mut out);
            for (&hash, &candidate) in hashes.iter().zip(&out) {
                let way = |i: usize| slots[(home(hash, 5) + i) % 32];
                let length = (0..32).find(|&i| way(i) == 0).unwrap();
                let expected = (0..length).map(way).find(|slot| slot >> 32 == hash >> 32).unwrap_or(0) & 0xffff_ffff;
                // Beyond an empty slot in an odd place nothing is promised, and nothing wrong is found.
                let beyond = way(length) == 0 && length % 2 == 0 && expected == 0 && way(length + 1) >> 32 == hash >> 32;
                if !beyond {
                    prop_assert_eq!(u64::from(candidate), expected);
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
