//! Bitmaps in 64-bit words: bit `i` of a column is bit `i % 64` of word `i / 64`; bits past the end are zero.

/// Words that hold `bits` bits.
pub fn words_for(bits: usize) -> usize {
    bits.div_ceil(64)
}

/// A growable bitmap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    bits: usize,
}

impl Bitmap {
    /// Number of bits.
    pub fn len(&self) -> usize {
        self.bits
    }

    /// Whether there is no bit.
    pub fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// The words; bits past the end are zero.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Forgets all bits, keeps the memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.bits = 0;
    }

    /// Makes room for `more` bits.
    pub fn reserve(&mut self, more: usize) {
        self.words.reserve(words_for(self.bits + more) - self.words.len());
    }

    /// Appends one bit.
    pub fn push(&mut self, bit: bool) {
        if self.bits.is_multiple_of(64) {
            self.words.push(0);
        }
        if bit {
            self.words[self.bits / 64] |= 1 << (self.bits % 64);
        }
        self.bits += 1;
    }

    /// Appends `count` bits, all `bit`.
    pub fn push_many(&mut self, bit: bool, count: usize) {
        let end = self.bits + count;
        self.words.resize(words_for(end), 0);
        if bit && count > 0 {
            let (first, last) = (self.bits / 64, (end - 1) / 64);
            let head = u64::MAX << (self.bits % 64);
            let tail = u64::MAX >> (63 - (end - 1) % 64);
            if first == last {
                self.words[first] |= head & tail;
            } else {
                self.words[first] |= head;
                self.words[first + 1..last].fill(u64::MAX);
                self.words[last] |= tail;
            }
        }
        self.bits = end;
    }

    /// Appends the first `count` bits of `words`.
    pub fn extend(&mut self, words: &[u64], count: usize) {
        let shift = self.bits % 64;
        if shift == 0 {
            self.words.extend_from_slice(&words[..words_for(count)]);
            self.bits += count;
        } else {
            let end = self.bits + count;
            let first = self.bits / 64;
            self.words.resize(words_for(end), 0);
            for (i, &word) in words[..words_for(count)].iter().enumerate() {
                self.words[first + i] |= word << shift;
                if let Some(next) = self.words.get_mut(first + i + 1) {
                    *next |= word >> (64 - shift);
                }
            }
            self.bits = end;
        }
        self.mask_tail();
    }

    /// Drops the first `count` bits, a multiple of 64; returns how many of them were set.
    pub fn drop_front(&mut self, count: usize) -> usize {
        debug_assert!(count.is_multiple_of(64) && count <= self.bits);
        self.bits -= count;
        self.words.drain(..count / 64).map(|word| word.count_ones() as usize).sum()
    }

    fn mask_tail(&mut self) {
        let used = self.bits % 64;
        if used > 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }

    /// Bit `i`.
    pub fn get(&self, i: usize) -> bool {
        self.words[i / 64] >> (i % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every way of appending gives the bits that single pushes give, with a zero tail.
        #[test]
        fn appends_agree_with_single_pushes(runs in prop::collection::vec((any::<bool>(), 0usize..150, any::<[u64; 3]>(), 0usize..192), 0..8)) {
            let mut fast = Bitmap::default();
            let mut slow = Bitmap::default();
            for (bit, count, words, extra) in runs {
                fast.push_many(bit, count);
                for _ in 0..count { slow.push(bit); }
                fast.extend(&words, extra);
                for i in 0..extra { slow.push(words[i / 64] >> (i % 64) & 1 == 1); }
            }
            prop_assert_eq!(fast, slow);
        }

        /// Bits dropped from the front are gone and counted, and more can be appended.
        #[test]
        fn the_rest_stays_when_the_front_is_dropped(bits in prop::collection::vec(any::<bool>(), 0..300), blocks in 0usize..5) {
            let dropped = (blocks * 64).min(bits.len() / 64 * 64);
            let (mut whole, mut rest) = (Bitmap::default(), Bitmap::default());
            bits.iter().for_each(|&bit| whole.push(bit));
            bits[dropped..].iter().for_each(|&bit| rest.push(bit));
            let set = bits[..dropped].iter().filter(|&&bit| bit).count();
            prop_assert_eq!(whole.drop_front(dropped), set);
            whole.push(true);
            rest.push(true);
            prop_assert_eq!(whole, rest);
        }
    }
}
