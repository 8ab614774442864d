//! Seeded 64-bit hashes of keys packed into words, and of text.
//!
//! Contract: 1. equal words hash alike, in any batch, on every CPU; 2. both ends of the hash are good: tables take slots and
//! tags from the upper half, exchanges take owners from the lower, and consecutive integers fill either evenly; 3. the
//! order of the words counts. Another seed gives unrelated hashes; nothing here is meant to resist an attacker.
//!
//! Words are folded (128-bit product, halves combined), two a step, and the result is folded once more: one fold leaves
//! the low bits of small multiples poor. Keys of two words, such as text has, are hashed in vectors, which have no such product:
//! the halves of each word are multiplied, the products added (NH of UMAC) and mixed. Text is rapidhash. Cost: two
//! multiplications for a key of one word, two cycles for one of two.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::simd::Simd;

// Digits of pi, as in Blowfish: odd enough, and nobody chose them.
const K: [u64; 4] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1, 0x082e_fa98_ec4e_6c89];

/// A family of hash functions, picked by a seed.
#[derive(Debug, Clone, Copy)]
pub struct Hasher {
    seeds: [u64; 2],
    text: RapidSecrets,
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

impl Hasher {
    /// The family's member for `seed`.
    pub fn new(seed: u64) -> Self {
        // The seed is mixed, so that seeds 0, 1, 2 do not give related hashes.
        let first = fold(seed ^ K[0], K[1]) ^ seed;
        Self { seeds: [first, fold(first ^ K[2], K[3])], text: RapidSecrets::seed(first) }
    }

    /// Hash of text.
    #[inline]
    pub fn text(&self, text: &[u8]) -> u64 {
        rapidhash_v3_seeded(text, &self.text)
    }

    /// Hash of the words of one key.
    #[inline(always)]
    pub fn words(&self, words: &[u64]) -> u64 {
        if let &[a, b] = words {
            return self.pair([a, b]);
        }
        let [first, second] = self.seeds;
        let mut hash = K[3];
        let (pairs, rest) = words.as_chunks::<2>();
        for [a, b] in pairs {
            // Either factor depends on the seed, so that no known word makes the product zero; what came before is
            // added to one of them, so that the order of pairs counts.
            hash = fold(a ^ first, (b ^ second).wrapping_add(hash));
        }
        for word in rest {
            hash = fold(word ^ first, second.wrapping_add(hash) | 1);
        }
        fold(hash ^ K[0], K[2])
    }

    /// Hash of a key of two words.
    #[inline(always)]
    fn pair(&self, key: [u64; 2]) -> u64 {
        let product = |word: u64, seed: u64| {
            let low = (word as u32).wrapping_add(seed as u32);
            let high = ((word >> 32) as u32).wrapping_add((seed >> 32) as u32);
            u64::from(low) * u64::from(high)
        };
        let hash = product(key[0], self.seeds[0]).wrapping_add(product(key[1], self.seeds[1]));
        let hash = (hash ^ hash >> 32).wrapping_mul(K[0]);
        let hash = (hash ^ hash >> 29).wrapping_mul(K[2]);
        hash ^ hash >> 32
    }

    #[inline(always)]
    fn pairs(&self, keys: &[[u64; 2]], out: &mut [u64]) {
        // Eight at a time, so that what is left is the only part that is not vectors.
        let ((eights, keys), (hashes, out)) = (keys.as_chunks::<8>(), out.as_chunks_mut::<8>());
        for (eight, hashes) in eights.iter().zip(hashes) {
            for k in 0..8 {
                hashes[k] = self.pair(eight[k]);
            }
        }
        for (&key, hash) in keys.iter().zip(out) {
            *hash = self.pair(key);
        }
    }

    /// Hashes of keys of `W` words each, one after another in `words`.
    #[inline]
    pub fn keys<const W: usize>(&self, simd: Simd, words: &[u64], out: &mut [u64]) {
        let (keys, rest) = words.as_chunks::<W>();
        assert!(rest.is_empty() && keys.len() == out.len(), "{W} words a key");
        if W == 2 && !simd.is_scalar() {
            return simd.run(|| self.pairs(words.as_chunks().0, out));
        }
        for (key, hash) in keys.iter().zip(out) {
            *hash = self.words(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A column of keys hashes as its keys do; words that differ hash apart (a 64-bit collision would be a fault).
        #[test]
        fn columns_hash_as_keys(words in prop::collection::vec(any::<u64>(), 0..120), seed: u64) {
            let hasher = Hasher::new(seed);
            let keys = words.len() / 3;
            let mut out = vec![0; keys];
            hasher.keys::<3>(Simd::WIDE, &words[..keys * 3], &mut out);
            for (key, &hash) in words.chunks_exact(3).zip(&out) {
                prop_assert_eq!(hash, hasher.words(key));
                let swapped = [key[2], key[1], key[0]];
                prop_assert_eq!(swapped == key, hasher.words(&swapped) == hash);
                let moved = [key[1], key[0], key[2]];
                prop_assert_eq!(moved == key, hasher.words(&moved) == hash);
                prop_assert_ne!(hasher.words(&key[..2]), hash);
            }
        }

        /// Keys of two words hash alike at every level, and apart from their mirror image.
        #[test]
        fn pairs_hash_alike_at_all_levels(words in prop::collection::vec(any::<u64>(), 0..120), seed: u64) {
            let hasher = Hasher::new(seed);
            let words = &words[..words.len() / 2 * 2];
            for simd in Simd::available() {
                let mut out = vec![0; words.len() / 2];
                hasher.keys::<2>(simd, words, &mut out);
                for (key, &hash) in words.as_chunks::<2>().0.iter().zip(&out) {
                    prop_assert_eq!(hash, hasher.words(key));
                    prop_assert_eq!(key[0] == key[1], hasher.words(&[key[1], key[0]]) == hash);
                }
            }
        }
    }

    #[test]
    fn seeds_and_orders_give_unrelated_hashes() {
        let hasher = Hasher::new(7);
        assert_ne!(hasher.words(&[1, 2]), hasher.words(&[2, 1]));
        assert_ne!(hasher.words(&[1, 2, 3, 4]), hasher.words(&[3, 4, 1, 2]));
        assert_ne!(Hasher::new(0).words(&[1]), Hasher::new(1).words(&[1]));
        assert_ne!(hasher.text(b"a"), Hasher::new(8).text(b"a"));
    }

    /// Spreads sets of keys that defeat weak hashes over 2^12 slots by the low, middle and high bits: the greatest slot
    /// must stay near what a random function gives (mean 16; a random one stays below 45 with near certainty).
    #[test]
    fn both_ends_of_the_word_are_good() {
        (40..44).for_each(|seed| spread(Hasher::new(seed)));
    }

    fn spread(hasher: Hasher) {
        type Keys<'a> = Box<dyn Fn(u64) -> u64 + 'a>;
        // A short text as the words of a key, padded.
        let text = |text: &str| {
            let mut bytes = [0xff; 16];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            let all = u128::from_le_bytes(bytes);
            hasher.words(&[all as u64, (all >> 64) as u64])
        };
        let sets: [(&str, Keys<'_>); 13] = [
            ("consecutive", Box::new(|i| hasher.words(&[i]))),
            ("high half only", Box::new(|i| hasher.words(&[i << 32]))),
            ("multiples of 4096", Box::new(|i| hasher.words(&[i * 4096]))),
            ("whole doubles", Box::new(|i| hasher.words(&[(i as f64).to_bits()]))),
            ("pairs", Box::new(|i| hasher.words(&[i % 256, i / 256]))),
            ("second word only", Box::new(|i| hasher.words(&[7, i]))),
            ("triples", Box::new(|i| hasher.words(&[i % 64, 9, i / 64]))),
            ("first word only", Box::new(|i| hasher.words(&[i, u64::MAX]))),
            ("high half of the first", Box::new(|i| hasher.words(&[i << 32, 0]))),
            ("high half of the second", Box::new(|i| hasher.words(&[0, i << 32]))),
            ("short numbers as text", Box::new(|i| text(&i.to_string()))),
            ("numbered texts", Box::new(|i| text(&format!("S{i:07}")))),
            ("text", Box::new(|i| hasher.text(format!("key{i}").as_bytes()))),
        ];
        for (name, hash) in sets {
            for shift in [0, 20, 26, 52] {
                let mut slots = vec![0u32; 4096];
                for i in 0..65_536 {
                    slots[(hash(i) >> shift & 4095) as usize] += 1;
                }
                let greatest = *slots.iter().max().unwrap();
                assert!(greatest < 45, "{name}: {greatest} keys in one slot by bits from {shift}");
            }
        }
    }
}
