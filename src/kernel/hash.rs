//! Seeded 64-bit hashes of columns: group tables, exchanges and sets.
//!
//! Contract: 1. equal SQL values of a type hash alike: -0 as +0, every NaN as one, INT as the BIGINT of its value, text
//! whether plain or by dictionary; 2. NULL has a hash of its own; 3. both ends of the word are good: tables take tags from
//! the top and slots from the bottom, and consecutive integers fill either evenly; 4. the same on every CPU; 5. the order
//! of a composite key's columns counts. Another seed gives unrelated hashes; nothing here is meant to resist an attacker.
//!
//! Integers are folded twice (128-bit product, halves combined): one fold leaves the low bits of small multiples poor.
//! Text is rapidhash. Cost: two multiplications a number, about 3 ns for short text.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

use super::lanes::{Lanes, map, zip};

// Digits of pi, as in Blowfish: odd enough, and nobody chose them.
const K: [u64; 4] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1, 0x082e_fa98_ec4e_6c89];

/// A family of hash functions, picked by a seed.
#[derive(Debug, Clone, Copy)]
pub struct Hasher {
    seed: u64,
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
        let seed = fold(seed ^ K[0], K[1]) ^ seed;
        Self { seed, text: RapidSecrets::seed(seed) }
    }

    /// Hash of NULL.
    #[inline(always)]
    pub fn null(&self) -> u64 {
        fold(self.seed ^ K[3], K[2])
    }

    /// Hash of a BIGINT, and of an INT or DATE widened.
    #[inline(always)]
    pub fn int(&self, x: i64) -> u64 {
        fold(fold(x.cast_unsigned() ^ self.seed, K[1]) ^ K[0], K[2])
    }

    /// Hash of a DOUBLE.
    #[inline(always)]
    pub fn double(&self, x: f64) -> u64 {
        let canonical = if x.is_nan() { f64::NAN } else { x + 0.0 };
        self.int(canonical.to_bits().cast_signed())
    }

    /// Hash of a DECIMAL.
    #[inline(always)]
    pub fn decimal(&self, x: i128) -> u64 {
        let x = x.cast_unsigned();
        self.combine(self.int((x as u64).cast_signed()), (x >> 64) as u64)
    }

    /// Hash of a BOOLEAN.
    #[inline(always)]
    pub fn boolean(&self, x: bool) -> u64 {
        self.int(i64::from(x))
    }

    /// Hash of text.
    #[inline]
    pub fn text(&self, text: &[u8]) -> u64 {
        rapidhash_v3_seeded(text, &self.text)
    }

    /// Hash of a composite key from the hash of its first columns and that of the next.
    #[inline(always)]
    pub fn combine(&self, first: u64, next: u64) -> u64 {
        fold(first.rotate_left(29) ^ next ^ self.seed, K[1]) ^ fold(next ^ K[3], K[2])
    }

    /// Hashes of INT or DATE values.
    pub fn int32s(&self, values: impl Lanes<i32>, out: &mut [u64]) {
        map(values, out, |x| self.int(i64::from(x)));
    }

    /// Hashes of BIGINT, TIMESTAMP or INTERVAL values.
    pub fn int64s(&self, values: impl Lanes<i64>, out: &mut [u64]) {
        map(values, out, |x| self.int(x));
    }

    /// Hashes of DOUBLE values.
    pub fn doubles(&self, values: impl Lanes<f64>, out: &mut [u64]) {
        map(values, out, |x| self.double(x));
    }

    /// Hashes of DECIMAL values.
    pub fn decimals(&self, values: impl Lanes<i128>, out: &mut [u64]) {
        map(values, out, |x| self.decimal(x));
    }

    /// Hashes of BOOLEAN values in bitmap words.
    pub fn booleans(&self, words: &[u64], out: &mut [u64]) {
        let hashes = [self.boolean(false), self.boolean(true)];
        for (i, slot) in out.iter_mut().enumerate() {
            *slot = hashes[(words[i / 64] >> (i % 64) & 1) as usize];
        }
    }

    /// Hashes of text values: value `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    pub fn texts(&self, offsets: &[i32], bytes: &[u8], out: &mut [u64]) {
        assert!(offsets.len() > out.len() || out.is_empty(), "one offset more than values");
        for (ends, slot) in offsets.windows(2).zip(out) {
            *slot = self.text(&bytes[ends[0] as usize..ends[1] as usize]);
        }
    }

    /// Hashes of dictionary-coded text from the hashes of the distinct values. A code without a value stands at a NULL
    /// row and hashes to anything.
    pub fn codes(&self, codes: &[u32], hashes: &[u64], out: &mut [u64]) {
        map(codes, out, |code| hashes.get(code as usize).copied().unwrap_or(0));
    }

    /// Replaces the hashes of NULL rows.
    pub fn nulls(&self, validity: &[u64], out: &mut [u64]) {
        let null = self.null();
        for (i, slot) in out.iter_mut().enumerate() {
            if validity[i / 64] >> (i % 64) & 1 == 0 {
                *slot = null;
            }
        }
    }

    /// Appends the next column's hashes to those of a composite key.
    pub fn combine_all(&self, next: &[u64], out: &mut [u64]) {
        for (slot, &next) in out.iter_mut().zip(next) {
            *slot = self.combine(*slot, next);
        }
    }

    /// Hashes of composite keys of two columns.
    pub fn combine_pairs(&self, first: &[u64], next: &[u64], out: &mut [u64]) {
        zip(first, next, out, |a, b| self.combine(a, b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Column hashes are the row hashes; a dictionary hashes as its text; NULL has its own.
        #[test]
        fn columns_hash_as_rows(values in prop::collection::vec(any::<(i64, u8, bool)>(), 0..200), seed: u64) {
            let hasher = Hasher::new(seed);
            let n = values.len();
            let mut out = vec![0; n];
            let longs: Vec<i64> = values.iter().map(|v| v.0).collect();
            hasher.int64s(&longs[..], &mut out);
            prop_assert!((0..n).all(|i| out[i] == hasher.int(longs[i])));
            let ints: Vec<i32> = longs.iter().map(|&v| v as i32).collect();
            hasher.int32s(&ints[..], &mut out);
            prop_assert!((0..n).all(|i| out[i] == hasher.int(i64::from(ints[i]))));
            let doubles: Vec<f64> = longs.iter().map(|&v| f64::from_bits(v as u64)).collect();
            hasher.doubles(&doubles[..], &mut out);
            prop_assert!((0..n).all(|i| out[i] == hasher.double(doubles[i])));
            let decimals: Vec<i128> = longs.iter().map(|&v| i128::from(v) << 40).collect();
            hasher.decimals(&decimals[..], &mut out);
            prop_assert!((0..n).all(|i| out[i] == hasher.decimal(decimals[i])));

            let distinct = ["", "a", "b", "longer than sixteen bytes", "\u{e4}"];
            let codes: Vec<u32> = values.iter().map(|v| u32::from(v.1) % 5).collect();
            let (mut offsets, mut bytes) = (vec![0], vec![]);
            for &code in &codes {
                bytes.extend_from_slice(distinct[code as usize].as_bytes());
                offsets.push(bytes.len() as i32);
            }
            hasher.texts(&offsets, &bytes, &mut out);
            let hashes: Vec<u64> = distinct.iter().map(|text| hasher.text(text.as_bytes())).collect();
            let mut coded = vec![0; n];
            hasher.codes(&codes, &hashes, &mut coded);
            prop_assert_eq!(&out, &coded);

            let mut validity = vec![0u64; n.div_ceil(64)];
            for i in 0..n { validity[i / 64] |= u64::from(values[i].2) << (i % 64); }
            hasher.nulls(&validity, &mut coded);
            let expected: Vec<u64> =
                (0..n).map(|i| if values[i].2 { out[i] } else { hasher.null() }).collect();
            prop_assert_eq!(&coded, &expected);
            let mut bools = vec![0; n];
            hasher.booleans(&validity, &mut bools);
            prop_assert!((0..n).all(|i| bools[i] == hasher.boolean(values[i].2)));
            let mut pairs = vec![0; n];
            hasher.combine_pairs(&out, &bools, &mut pairs);
            hasher.combine_all(&bools, &mut out);
            prop_assert_eq!(out, pairs);
        }
    }

    #[test]
    fn equal_doubles_hash_alike() {
        let hasher = Hasher::new(7);
        assert_eq!(hasher.double(0.0), hasher.double(-0.0));
        assert_eq!(hasher.double(f64::NAN), hasher.double(f64::from_bits(f64::NAN.to_bits() | 1 << 63 | 5)));
        assert_ne!(hasher.combine(1, 2), hasher.combine(2, 1));
        assert_ne!(Hasher::new(0).int(1), Hasher::new(1).int(1));
    }

    /// Spreads sets of keys that defeat weak hashes over 2^12 slots by the low, middle and high bits: the greatest slot
    /// must stay near what a random function gives (mean 16; a random one stays below 45 with near certainty).
    #[test]
    fn both_ends_of_the_word_are_good() {
        let hasher = Hasher::new(42);
        type Keys<'a> = Box<dyn Fn(u64) -> u64 + 'a>;
        let sets: [(&str, Keys<'_>); 7] = [
            ("consecutive", Box::new(|i| hasher.int(i as i64))),
            ("high half only", Box::new(|i| hasher.int((i << 32) as i64))),
            ("multiples of 4096", Box::new(|i| hasher.int((i * 4096) as i64))),
            ("whole doubles", Box::new(|i| hasher.double(i as f64))),
            ("decimals", Box::new(|i| hasher.decimal(i128::from(i) * 100))),
            ("pairs", Box::new(|i| hasher.combine(hasher.int((i % 256) as i64), hasher.int((i / 256) as i64)))),
            ("text", Box::new(|i| hasher.text(format!("key{i}").as_bytes()))),
        ];
        for (name, hash) in sets {
            for shift in [0, 26, 52] {
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
