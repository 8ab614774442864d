//! The first look into a table of slots, for many keys at once, and the prefetches that hide its cache misses.
//!
//! A tagged slot is a 64-bit word: the upper half of the key's hash (the tag) above an entry number plus one; zero if empty.
//! Keys of one word stand in the table themselves, five of them with their numbers in a cache line ([`KeyLine`]): so a look
//! is one cache miss, without a second one to compare the key. The place of a hash is given by its topmost bits, collisions
//! go to the next place. So a table grows by spreading its contents in order. The table itself, with insertion, is
//! `state`'s.

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

/// For each hash, the entry of the first slot on its way that bears its tag, plus one; 0 if there
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
        *candidate = loop {
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
        if FAR && *candidate > 0 {
            prefetch(words, (*candidate as usize - 1) * width);
        }
    }
}

/// Asks for the slots of all hashes.
pub fn prefetch_homes(slots: &[u64], hashes: &[u64]) {
    let bits = slots.len().trailing_zeros();
    hashes.iter().for_each(|&hash| prefetch(slots, tagged_home(hash, bits)));
}

/// A cache line of keys and their entries.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct KeyLine {
    keys: [u64; KeyLine::KEYS],
    /// Plus one; zero from the first free place on.
    entries: [u32; KeyLine::KEYS],
}

impl KeyLine {
    /// Places of a line.
    pub const KEYS: usize = 5;

    /// Entry plus one of `key`; 0 if it is not here.
    #[inline(always)]
    fn find(&self, key: u64) -> u32 {
        // Without branches: which place it is cannot be foreseen. Free places say 0, whatever their key.
        let entry = |i: usize| if self.keys[i] == key { self.entries[i] } else { 0 };
        entry(0) | entry(1) | entry(2) | entry(3) | entry(4)
    }

    #[inline(always)]
    fn is_full(&self) -> bool {
        self.entries[Self::KEYS - 1] != 0
    }

    /// The keys and their entries.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.keys.into_iter().zip(self.entries).map_while(|(key, entry)| Some((key, entry.checked_sub(1)?)))
    }
}

/// The entry of `key`; if it is not there, the line that it is to be put into. Of `lines`, a power of two, some have a free
/// place.
#[inline(always)]
pub fn find_key(lines: &[KeyLine], key: u64, hash: u64) -> Result<u32, usize> {
    let (bits, mask) = (lines.len().trailing_zeros(), lines.len() - 1);
    let mut at = home(hash, bits) & mask;
    loop {
        match lines[at].find(key) {
            0 if lines[at].is_full() => at = (at + 1) & mask,
            0 => return Err(at),
            entry => return Ok(entry - 1),
        }
    }
}

/// Puts a key that is not there into the line that [`find_key`] named.
pub fn put_key(lines: &mut [KeyLine], at: usize, key: u64, entry: u32) {
    let line = &mut lines[at];
    let free = line.iter().count();
    (line.keys[free], line.entries[free]) = (key, entry + 1);
}

/// For each key, its entry plus one; 0 if it is not there. `lines` as for [`find_key`]; with `far` they are asked for as slots are by [`candidates`].
pub fn find_keys(lines: &[KeyLine], keys: &[u64], [hashes, next]: [&[u64]; 2], far: bool, out: &mut [u32]) {
    assert!(lines.len().is_power_of_two() && lines.len() > 1, "a power of two of lines");
    assert!(keys.len() == out.len() && hashes.len() == out.len(), "one hash and one entry a key");
    let bits = lines.len().trailing_zeros();
    for (k, ((&key, &hash), found)) in keys.iter().zip(hashes).zip(out).enumerate() {
        if far && let Some(ahead) = ahead(hashes, next, k) {
            prefetch(lines, home(ahead, bits));
        }
        *found = find_key(lines, key, hash).map_or(0, |entry| entry + 1);
    }
}

/// Asks for the lines of all hashes.
pub fn prefetch_lines(lines: &[KeyLine], hashes: &[u64]) {
    let bits = lines.len().trailing_zeros();
    hashes.iter().for_each(|&hash| prefetch(lines, home(hash, bits)));
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
                let expected = (0..length).map(way).find(|slot| slot >> 32 == hash >> 32).unwrap_or(0) & 0xffff_ffff;
                // Beyond an empty slot in an odd place nothing is promised, and nothing wrong is found.
                let beyond = way(length) == 0 && length % 2 == 0 && expected == 0 && way(length + 1) >> 32 == hash >> 32;
                if !beyond {
                    prop_assert_eq!(u64::from(candidate), expected);
                }
            }
        }
    }

    proptest! {
        /// Keys are found by themselves, never by their hash alone, however many start at one line.
        #[test]
        fn keys_are_found_in_their_lines(
            tops in prop::collection::vec(0u64..4, 24),
            picked in prop::collection::vec(0u64..24, 0..60),
            far in any::<bool>(),
        ) {
            let hash = |key: u64| tops[key as usize] << 62;
            let mut lines = vec![KeyLine::default(); 4];
            let mut known: Vec<u64> = Vec::new();
            for &key in picked.iter().filter(|&&key| key % 4 != 0) {
                match find_key(&lines, key, hash(key)) {
                    Ok(entry) => prop_assert_eq!(known[entry as usize], key),
                    Err(at) => {
                        prop_assert!(!known.contains(&key));
                        put_key(&mut lines, at, key, known.len() as u32);
                        known.push(key);
                    }
                }
            }
            let hashes: Vec<u64> = picked.iter().map(|&key| hash(key)).collect();
            let mut out = vec![9; picked.len()];
            prefetch_lines(&lines, &hashes);
            find_keys(&lines, &picked, [&hashes, &[7]], far, &mut out);
            for (key, &found) in picked.iter().zip(&out) {
                prop_assert_eq!(found as usize, known.iter().position(|k| k == key).map_or(0, |entry| entry + 1));
            }
            let mut all: Vec<_> = lines.iter().flat_map(KeyLine::iter).collect();
            all.sort_by_key(|&(_, entry)| entry);
            prop_assert_eq!(all, known.into_iter().zip(0..).collect::<Vec<_>>());
        }
    }

    #[test]
    fn slot_words_name_their_entry() {
        assert_eq!(entry_of(0), None);
        assert_eq!(entry_of(slot_word(u64::MAX, 0)), Some(0));
        assert_eq!(entry_of(slot_word(0, u32::MAX - 1)), Some(u32::MAX - 1));
    }
}
