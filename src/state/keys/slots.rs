//! The slots of a key table: from a key and its hash to the key's number.

use super::KeyHasher;
use crate::arena::{PaneArena, PaneVec};
use crate::kernel::probe::{
    AHEAD, KeyLine, candidates, entry_of, find_key, find_keys, prefetch_homes, prefetch_lines, put_key, slot_word,
    tagged_home,
};

/// Places of keys, a power of two of them.
#[derive(Debug)]
pub(super) enum Slots {
    /// Keys of one word stand there themselves.
    Keyed(PaneVec<KeyLine>),
    /// Others stand in the table; their slots tell most of them apart.
    Tagged(PaneVec<u64>),
}

impl Slots {
    const SLOTS_MIN: usize = 64;
    const LINES_MIN: usize = 16;
    /// Keys up to which slots are plenty.
    const SPARSE_KEYS: usize = 1 << 14;
    /// Bytes from which on looks are prefetched: more than fits the L1 cache and less than the L2.
    const PREFETCHED_BYTES: usize = 128 << 10;

    /// With room for `expected` keys of `width` words.
    pub(super) fn new(width: usize, expected: usize, arena: &PaneArena) -> Self {
        match width {
            1 => Self::Keyed(empty(Self::lines_for(expected), arena)),
            _ => Self::Tagged(empty(Self::slots_for(expected), arena)),
        }
    }

    /// No key is in its place any more; the memory is kept.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Keyed(lines) => lines.fill(KeyLine::default()),
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
    fn lines_for(keys: usize) -> usize {
        (keys / 3 + 1).next_power_of_two().max(Self::LINES_MIN)
    }

    /// Whether looks are worth a prefetch.
    fn is_far<T>(places: &[T]) -> bool {
        size_of_val(places) > Self::PREFETCHED_BYTES
    }

    /// Asks for the places of the first hashes that [`Self::find_block`] is going to look at.
    pub(super) fn prefetch(&self, hashes: &[u64]) {
        let hashes = &hashes[..hashes.len().min(AHEAD)];
        match self {
            Self::Keyed(lines) if Self::is_far(lines) => prefetch_lines(lines, hashes),
            Self::Tagged(slots) if Self::is_far(slots) => prefetch_homes(slots, hashes),
            _ => {}
        }
    }

    /// Writes to `numbers` the number plus one of each key, or 0 if it is not there. Of tagged slots the number is one
    /// whose key, in `words`, has the same tag. `hashes` are those of `keys`, and of keys that come
    /// next.
    pub(super) fn find_block(&self, keys: &[u64], hashes: [&[u64]; 2], words: &[u64], numbers: &mut [u32]) {
        match self {
            Self::Keyed(lines) => find_keys(lines, keys, hashes, Self::is_far(lines), numbers),
            Self::Tagged(slots) => {
                let width = keys.len() / numbers.len().max(1);
                candidates(slots, hashes, Self::is_far(slots), words, width, numbers);
            }
        }
    }

    /// The number of a key, or where it is to be put. `is_same(number)` compares keys.
    pub(super) fn find(&self, key: &[u64], hash: u64, is_same: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let slots = match self {
            Self::Keyed(lines) => return find_key(lines, key[0], hash),
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
            Self::Keyed(lines) => put_key(lines, at, key[0], number),
            Self::Tagged(slots) => slots[at] = slot_word(hash, number),
        }
    }

    /// Makes room for `keys` in all.
    pub(super) fn reserve(&mut self, keys: usize, hasher: &KeyHasher) {
        match self {
            Self::Keyed(lines) if lines.len() < Self::lines_for(keys) => {
                let mut wider = empty(Self::lines_for(keys), lines.allocator());
                for (key, number) in lines.iter().flat_map(KeyLine::iter) {
                    if let Err(at) = find_key(&wider, key, hasher.hash(&[key])) {
                        put_key(&mut wider, at, key, number);
                    }
                }
                *lines = wider;
            }
            Self::Tagged(slots) if slots.len() < Self::slots_for(keys) => {
                let mut wider = empty::<u64>(Self::slots_for(keys), slots.allocator());
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

fn empty<T: Clone + Default>(length: usize, arena: &PaneArena) -> PaneVec<T> {
    let mut slots = PaneVec::new_in(arena.clone());
    slots.resize(length, T::default());
    slots
}
