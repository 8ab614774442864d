//! Keys in canonical bytes, and their hashes.
//!
//! One key is its columns one after another: a tag (0 NULL, 1 value), then for a value its bytes: 1 (BOOLEAN),
//! 8 (INT as 64-bit, BIGINT, DOUBLE canonical bits), 16 (DECIMAL), or a 32-bit length and the text. Equal keys have equal
//! bytes and no other keys have.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Column, ColumnBuffer, Values};
use crate::kernel::hash::Hasher;
use crate::types::Physical;

/// Hashes of keys. Seeded per process, so that keys that collide cannot be chosen beforehand; owners and slots are taken
/// from different bits of one hash.
#[derive(Debug, Clone, Copy)]
pub struct KeyHasher {
    hasher: Hasher,
}

impl KeyHasher {
    /// A hasher of this seed.
    pub fn new(seed: u64) -> Self {
        Self { hasher: Hasher::new(seed) }
    }

    /// The hash of a key.
    pub fn hash(self, key: &[u8]) -> u64 {
        self.hasher.text(key)
    }

    /// Which of `owners` partitions owns the key of `hash`. Uses middle bits: tables use the lowest and the highest.
    pub fn owner(hash: u64, owners: usize) -> usize {
        (((hash >> 20 & 0xffff_ffff) * owners as u64) >> 32) as usize
    }
}

/// Canonical keys of the selected rows of a batch.
#[derive(Debug, Clone, Copy)]
pub struct EncodedKeys<'a> {
    bytes: &'a [u8],
    offsets: &'a [u32],
    /// One hash a selected row.
    pub hashes: &'a [u64],
}

impl<'a> EncodedKeys<'a> {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The keys of the selected rows `begin..end`.
    #[must_use]
    pub fn slice(&self, begin: usize, end: usize) -> Self {
        Self { bytes: self.bytes, offsets: &self.offsets[begin..=end], hashes: &self.hashes[begin..end] }
    }

    /// Bytes of the j-th selected row's key.
    pub fn get(&self, j: usize) -> &'a [u8] {
        &self.bytes[self.offsets[j] as usize..self.offsets[j + 1] as usize]
    }
}

/// Encodes the keys of the selected of `rows` rows into `arena`.
pub fn encode_keys<'a>(
    columns: &[Column<'_>],
    rows: usize,
    selection: Option<&[u32]>,
    hasher: KeyHasher,
    arena: &'a Bump,
) -> EncodedKeys<'a> {
    let count = selection.map_or(rows, <[u32]>::len);
    let mut bytes = BumpVec::with_capacity_in(count * (columns.len() * 9 + 4), arena);
    let mut offsets = BumpVec::with_capacity_in(count + 1, arena);
    let mut hashes = BumpVec::with_capacity_in(count, arena);
    offsets.push(0);
    for j in 0..count {
        let i = selection.map_or(j, |s| s[j] as usize);
        let start = bytes.len();
        for column in columns {
            encode_value(column, i, &mut bytes);
        }
        hashes.push(hasher.hash(&bytes[start..]));
        offsets.push(u32::try_from(bytes.len()).expect("the keys of one batch are smaller than 4 GiB"));
    }
    EncodedKeys { bytes: bytes.into_bump_slice(), offsets: offsets.into_bump_slice(), hashes: hashes.into_bump_slice() }
}

fn encode_value(column: &Column<'_>, i: usize, bytes: &mut BumpVec<'_, u8>) {
    if !column.is_valid(i) {
        bytes.push(0);
        return;
    }
    let fixed = |bits: u64| {
        let mut tagged = [1; 9];
        tagged[1..].copy_from_slice(&bits.to_le_bytes());
        tagged
    };
    match column.values {
        Values::Boolean(words) => bytes.extend_from_slice_copy(&[1, (words[i / 64] >> (i % 64) & 1) as u8]),
        Values::Int32(values) => bytes.extend_from_slice_copy(&fixed(i64::from(values[i]) as u64)),
        Values::Int64(values) => bytes.extend_from_slice_copy(&fixed(values[i] as u64)),
        Values::Float64(values) => bytes.extend_from_slice_copy(&fixed(canonical_bits(values[i]))),
        Values::Int128(values) => {
            bytes.push(1);
            bytes.extend_from_slice_copy(&values[i].to_le_bytes());
        }
        Values::Utf8(_) | Values::Dictionary { .. } => {
            let text = column.text(i);
            bytes.push(1);
            bytes.extend_from_slice_copy(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice_copy(text);
        }
    }
}

fn canonical_bits(value: f64) -> u64 {
    // Adding +0 turns -0 into +0 and leaves the rest.
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

/// Appends the columns of one key to `columns`, which have the types that the key was made of.
pub fn decode_keys(key: &[u8], columns: &mut [ColumnBuffer]) {
    let mut rest = key;
    let mut take = |n: usize| {
        let (head, tail) = rest.split_at(n);
        rest = tail;
        head
    };
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes were taken"));
    for column in columns {
        if take(1)[0] == 0 {
            column.push_null();
            continue;
        }
        match column.data_type().physical() {
            Physical::Boolean => column.push_boolean(take(1)[0] == 1),
            Physical::Int32 => column.push_int32(word(take(8)) as i32),
            Physical::Int64 => column.push_int64(word(take(8)) as i64),
            Physical::Float64 => column.push_float64(f64::from_bits(word(take(8)))),
            Physical::Int128 => {
                column.push_int128(i128::from_le_bytes(take(16).try_into().expect("sixteen bytes were taken")));
            }
            Physical::Utf8 => {
                let length = u32::from_le_bytes(take(4).try_into().expect("four bytes were taken"));
                column.push_text(take(length as usize));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{DataType, Value};
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = [Value; 3]> {
        let float = prop_oneof![Just(Value::Null), any::<f64>().prop_map(Value::Float64), Just(Value::Float64(-0.0))];
        let int = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::Int32)];
        let text = prop_oneof![Just(Value::Null), ".{0,12}".prop_map(|s: String| Value::Utf8(s.into()))];
        (float, int, text).prop_map(|(a, b, c)| [a, b, c])
    }

    fn columns(rows: &[[Value; 3]]) -> Vec<ColumnBuffer> {
        let mut columns: Vec<_> = [DataType::Double, DataType::Int, DataType::Varchar].map(ColumnBuffer::new).into();
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        columns
    }

    proptest! {
        /// Decoding gives the values back (zero and NaN canonical), and encoding those again the same bytes and hash.
        #[test]
        fn keys_survive_the_round_trip(rows in prop::collection::vec(value(), 1..20)) {
            let arena = Bump::new();
            let hasher = KeyHasher::new(7);
            let made = columns(&rows);
            let views: Vec<_> = made.iter().map(ColumnBuffer::column).collect();
            let keys = encode_keys(&views, rows.len(), None, hasher, &arena);
            let mut back = columns(&[]);
            (0..keys.len()).for_each(|j| decode_keys(keys.get(j), &mut back));
            let views: Vec<_> = back.iter().map(ColumnBuffer::column).collect();
            let again = encode_keys(&views, rows.len(), None, hasher, &arena);
            for j in 0..keys.len() {
                prop_assert_eq!(keys.get(j), again.get(j));
                prop_assert_eq!(keys.hashes[j], again.hashes[j]);
            }
            prop_assert_eq!(&back[2].to_array(), &made[2].to_array());
        }
    }

    #[test]
    fn owners_are_all_used() {
        let hasher = KeyHasher::new(1);
        let mut seen = [0; 3];
        (0..300_u32).for_each(|i| seen[KeyHasher::owner(hasher.hash(&i.to_le_bytes()), 3)] += 1);
        assert!(seen.iter().all(|&n| n > 60), "{seen:?}");
    }
}
