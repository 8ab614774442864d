//! The slots of a key table: from a key and its hash to the key's number.

use super::KeyHasher;
use crate::arena::{PaneArena, PaneVec};
use crate::kernel::Simd;
use crate::kernel::lines::{KeyLine, PairLine, WordLine, find_key, find_keys, prefetch_lines, put_key};
use crate::kernel::probe::{AHEAD, candidates, entry_of, prefetch_homes, slot_word, tagged_home};

/// Places of keys, a power of two of them.
#[derive(Debug)]
pub(super) enum Slots {
    /// Keys of one word stand there themselves.
    Words(PaneVec<WordLine>),
    /// So do keys of two.
    Pairs(PaneVec<PairLine>),
    /// Others stand in the table; their slots tell most of them apart.
    Tagged(PaneVec<u64>),
}

impl Slots {
    const SLOTS_MIN: usize = 64;
    const LINES_MIN: usize = 16;
    /// Keys up to which slots are plenty.
    const SPARSE_KEYS: usize = 1 << 14;
    /// Keys up to which lines of two words are plenty: 8 MB of them.
    const SPARSE_PAIRS: usize = 1 << 17;
    /// Bytes from which on looks are prefetched: more than fits the L1 cache and less than the L2.
    const PREFETCHED_BYTES: usize = 128 << 10;

    /// With room for `expected` keys of `width` words.
    pub(super) fn new(width: usize, expected: usize, arena: &PaneArena) -> Self {
        match width {
            1 => Self::Words(filled(WordLine::EMPTY, Self::word_lines_for(expected), arena)),
            2 => Self::Pairs(filled(PairLine::EMPTY, Self::pair_lines_for(expected), arena)),
            _ => Self::Tagged(filled(0, Self::slots_for(expected), arena)),
        }
    }

    /// No key is in its place any more; the memory is kept.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Words(lines) => lines.fill(WordLine::EMPTY),
            Self::Pairs(lines) => lines.fill(PairLine::EMPTY),
            Self::Tagged(slots) => slots.fill(0),
        }
    }

    /// At most half are taken, of slots that fit the L2 cache a quarter: then nearly all keys are found in the first two
    /// slots.
    fn slots_for(keys: usize) -> usize {
        let slots = if keys <= Self::SPARSE_KEYS { 4 * keys } else { 2 * keys };
        (slots + 1).next_power_of_two().max(Self::SLOTS_MIN)
    }

    /// Three of five places are taken at most: then one key in twenty or fewer is not in its first line.
    fn word_lines_for(keys: usize) -> usize {
        (keys / 3 + 1).next_power_of_two().max(Self::LINES_MIN)
    }

    /// One of three places is taken at most, or three of five if there are many: then one key in forty or fewer is not in its
    /// first line, or one in ten.
    fn pair_lines_for(keys: usize) -> usize {
        let lines = if keys <= Self::SPARSE_PAIRS { keys } else { keys / 9 * 5 };
        lines.next_power_of_two().max(Self::LINES_MIN)
    }

    /// Whether looks are worth a prefetch.
    fn is_far<T>(places: &[T]) -> bool {
        size_of_val(places) > Self::PREFETCHED_BYTES
    }

    /// Asks for the places of the first hashes that [`Self::find_block`] is going to look at.
    pub(super) fn prefetch(&self, hashes: &[u64]) {
        let hashes = &hashes[..hashes.len().min(AHEAD)];
        match self {
            Self::Words(lines) if Self::is_far(lines) => prefetch_lines(lines, hashes),
            Self::Pairs(lines) if Self::is_far(lines) => prefetch_lines(lines, hashes),
            Self::Tagged(slots) if Self::is_far(slots) => prefetch_homes(slots, hashes),
            _ => {}
        }
    }

    /// Writes to `numbers` the number of each key whose words are those of `keys`, or `u32::MAX` if it is not there; of tagged
    /// slots, one whose key, in `words`, has the same tag. `hashes` are those of `keys`, and of keys that come next. Tells
    /// whether all keys were found, without doubt but for long texts.
    pub(super) fn find_block(
        &self,
        simd: Simd,
        keys: &[u64],
        hashes: [&[u64]; 2],
        words: &[u64],
        numbers: &mut [u32],
    ) -> bool {
        match self {
            Self::Words(lines) => find_keys(simd, lines, keys.as_chunks().0, hashes, Self::is_far(lines), numbers),
            Self::Pairs(lines) => find_keys(simd, lines, keys.as_chunks().0, hashes, Self::is_far(lines), numbers),
            Self::Tagged(slots) => {
                let width = keys.len() / numbers.len().max(1);
                candidates(slots, hashes, Self::is_far(slots), words, width, numbers);
                false
            }
        }
    }

    /// The number of a key, or where it is to be put. `is_same(number)` compares keys; for lines it may say so of each key that
    /// has the same words.
    pub(super) fn find(&self, key: &[u64], hash: u64, is_same: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let slots = match self {
            Self::Words(lines) => return find_key(lines, only_key(key), hash, is_same),
            Self::Pairs(lines) => return find_key(lines, only_key(key), hash, is_same),
            Self::Tagged(slots) => slots,
        };
        let mask = slots.len() - 1;
        let mut at = tagged_home(hash, slots.len().trailing_zeros());
        loop {
            let slot = slots[at & mask];
            match entry_of(slot) {
                None => return Err(at & mask),
                Some(number) if slot >> 32 == hash >> 32 && is_same(number) => return Ok(number),
                Some(_) => at += 1,
            }
        }
    }

    /// Puts a new key where [`Self::find`] said.
    pub(super) fn put(&mut self, at: usize, key: &[u64], hash: u64, number: u32) {
        match self {
            Self::Words(lines) => put_key(lines, at, only_key(key), number),
            Self::Pairs(lines) => put_key(lines, at, only_key(key), number),
            Self::Tagged(slots) => slots[at] = slot_word(hash, number),
        }
    }

    /// Makes room for `keys` in all.
    pub(super) fn reserve(&mut self, keys: usize, hasher: &KeyHasher) {
        match self {
            Self::Words(lines) if lines.len() < Self::word_lines_for(keys) => {
                widen(lines, Self::word_lines_for(keys), hasher);
            }
            Self::Pairs(lines) if lines.len() < Self::pair_lines_for(keys) => {
                widen(lines, Self::pair_lines_for(keys), hasher);
            }
            Self::Tagged(slots) if slots.len() < Self::slots_for(keys) => {
                let mut wider = filled(0, Self::slots_for(keys), slots.allocator());
                let (bits, mask) = (wider.len().trailing_zeros(), wider.len() - 1);
                for &slot in slots.iter().filter(|&&slot| slot != 0) {
                    let mut at = tagged_home(slot, bits);
                    while wider[at & mask] != 0 {
                        at += 1;
                    }
                    wider[at & mask] = slot;
                }
                *slots = wider;
            }
            _ => {}
        }
    }
}

/// The words of one key.
fn only_key<const W: usize>(words: &[u64]) -> &[u64; W] {
    words.try_into().expect("a key has the width of its table")
}

/// Spreads the keys over `length` lines.
fn widen<const W: usize, const N: usize>(lines: &mut PaneVec<KeyLine<W, N>>, length: usize, hasher: &KeyHasher) {
    let mut wider = filled(KeyLine::EMPTY, length, lines.allocator());
    for (key, number) in lines.iter().flat_map(KeyLine::iter) {
        // No two of them are one key, whatever their words.
        if let Err(at) = find_key(&wider, &key, hasher.hash(&key), |_| false) {
            put_key(&mut wider, at, &key, number);
        }
    }
    *lines = wider;
}

fn filled<T: Clone>(value: T, length: usize, arena: &PaneArena) -> PaneVec<T> {
    let mut places = PaneVec::new_in(arena.clone());
    places.resize(length, value);
    places
}
