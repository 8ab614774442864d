//! The rows that a case reads: columns of random values, made before the clock starts.
//!
//! Invariants: 1. every column has whole blocks of [`BLOCK_ROWS`] rows, each of which becomes one batch; 2. values depend
//! on the seed and the row alone; 3. memory is asked for with huge pages and is touched while it is filled.
//! Event times ascend by a microsecond a row, less a random jitter; prices are whole cents below 1,000.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::TimestampMicrosecondArray;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_buffer::{ArrowNativeType, ScalarBuffer};

use crate::batch::{Column, Strings, Values};
use crate::limits::BATCH_ROWS_DEFAULT;
use crate::sys;

/// Rows of a batch.
pub(super) const BLOCK_ROWS: usize = BATCH_ROWS_DEFAULT;
/// Event time of the first row: 2024-01-01, less than a minute's jitter into its window.
const START_US: i64 = 1_704_067_200_000_000;
/// Rows come at most so late.
const JITTER_US: u64 = 1024;
/// Quantities are below this.
const QUANTITY_MAX: u64 = 10_000;
/// Prices are below this many cents.
const PRICE_CENTS: u64 = 100_000;

/// The values of the key column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// No key column.
    None,
    /// Text, coded before the engine sees it: so many distinct values.
    Codes(usize),
    /// 64-bit numbers far apart: so many distinct values.
    Integers(usize),
    /// Text of 4 to 16 bytes, not coded: so many distinct values.
    Text(usize),
}

impl KeyKind {
    /// Number of distinct values.
    pub(super) fn distinct(self) -> usize {
        match self {
            Self::None => 1,
            Self::Codes(count) | Self::Integers(count) | Self::Text(count) => count,
        }
    }
}

/// Which columns a query reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) time: bool,
    pub(super) key: KeyKind,
    pub(super) quantity: bool,
    pub(super) price: bool,
}

/// Text of the mean length in bytes that random keys have, offset included: for sizing before there are any.
const TEXT_ROW_BYTES: usize = 10 + 4;

impl Wanted {
    /// Bytes of one row, about.
    pub(super) fn row_bytes(&self) -> usize {
        let key = match self.key {
            KeyKind::None => 0,
            KeyKind::Codes(_) => 4,
            KeyKind::Integers(_) => 8,
            KeyKind::Text(_) => TEXT_ROW_BYTES,
        };
        key + 8 * (usize::from(self.time) + usize::from(self.quantity) + usize::from(self.price))
    }
}

/// The key column.
#[derive(Debug)]
pub(super) enum Keys {
    None,
    Codes {
        codes: ScalarBuffer<u32>,
        /// The distinct texts, as a source hands them on.
        names: ArrayRef,
    },
    Integers(ScalarBuffer<i64>),
    /// Blocks of `BLOCK_ROWS + 1` offsets, each from 0; the bytes of block `b` start at `starts[b]`.
    Text {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
        starts: Vec<usize>,
    },
}

/// Columns; those that are not wanted are empty.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) rows: usize,
    pub(super) time: ScalarBuffer<i64>,
    pub(super) key: Keys,
    pub(super) quantity: ScalarBuffer<i64>,
    pub(super) price: ScalarBuffer<f64>,
}

/// SplitMix64 (Steele, Lea, Flood 2014): the `i`-th number of the stream of `seed`.
#[inline(always)]
pub(super) fn random(seed: u64, i: u64) -> u64 {
    mix(seed.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
}

#[inline(always)]
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number below `bound`, from the high bits of a random one.
#[inline(always)]
fn below(bound: u64, random: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

fn column<T: ArrowNativeType>(rows: usize, value: impl Fn(u64) -> T) -> ScalarBuffer<T> {
    // Zeroed memory of this size comes untouched from the system, so that the advice is in time.
    let mut values = vec![T::default(); rows];
    sys::advise_huge_pages(&values);
    values.iter_mut().zip(0_u64..).for_each(|(slot, i)| *slot = value(i));
    values.into()
}

/// `count` distinct values of `make`.
fn distinct<T: Clone + Eq + Hash>(count: usize, make: impl Fn(u64) -> T) -> Vec<T> {
    let mut seen = HashSet::with_capacity(count);
    (0..).map(make).filter(|value| seen.insert(value.clone())).take(count).collect()
}

/// Distinct texts of 4 to 16 letters and digits.
fn texts(count: usize, seed: u64) -> Vec<Vec<u8>> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    distinct(count, |i| {
        let (shape, letters) = (random(seed, 3 * i), [random(seed, 3 * i + 1), random(seed, 3 * i + 2)]);
        let length = 4 + below(13, shape) as usize;
        (0..length).map(|k| ALPHABET[(letters[k / 8] >> (5 * (k % 8)) & 31) as usize]).collect()
    })
}

impl Input {
    /// The wanted columns of `rows` rows, rounded up to whole blocks.
    pub(super) fn new(wanted: Wanted, rows: usize, seed: u64) -> Self {
        let rows = rows.max(1).next_multiple_of(BLOCK_ROWS);
        let when = |wanted: bool| if wanted { rows } else { 0 };
        let stream = |number: u64| mix(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let [times, keys, names, quantities, prices] = [1, 2, 3, 4, 5].map(stream);
        let time = column(when(wanted.time), |i| START_US + i as i64 - below(JITTER_US, random(times, i)) as i64);
        let key = match wanted.key {
            KeyKind::None => Keys::None,
            KeyKind::Codes(count) => {
                let names = texts(count, names);
                let names = names.iter().map(|name| std::str::from_utf8(name).expect("letters and digits"));
                Keys::Codes {
                    codes: column(rows, |i| below(count as u64, random(keys, i)) as u32),
                    names: Arc::new(StringArray::from_iter_values(names)),
                }
            }
            // The finaliser is a bijection, so distinct numbers stay distinct.
            KeyKind::Integers(count) => {
                Keys::Integers(column(rows, |i| mix(names ^ below(count as u64, random(keys, i))).cast_signed()))
            }
            KeyKind::Text(count) => text_keys(&texts(count, names), rows, keys),
        };
        let quantity = column(when(wanted.quantity), |i| below(QUANTITY_MAX, random(quantities, i)) as i64);
        let price = column(when(wanted.price), |i| below(PRICE_CENTS, random(prices, i)) as f64 / 100.0);
        Self { rows, time, key, quantity, price }
    }

    /// Number of blocks.
    pub(super) fn blocks(&self) -> usize {
        self.rows / BLOCK_ROWS
    }

    /// Bytes that a pass over all rows reads; what a dictionary holds is not among them.
    pub(super) fn size_bytes(&self) -> usize {
        let key = match &self.key {
            Keys::None => 0,
            Keys::Codes { codes, .. } => size_of_val(&codes[..]),
            Keys::Integers(values) => size_of_val(&values[..]),
            Keys::Text { offsets, bytes, .. } => size_of_val(&offsets[..]) + bytes.len(),
        };
        key + 8 * (self.time.len() + self.quantity.len() + self.price.len())
    }

    /// Bytes of it that huge pages back.
    pub(super) fn huge_page_bytes(&self) -> u64 {
        let key = match &self.key {
            Keys::None => 0,
            Keys::Codes { codes, .. } => sys::huge_page_bytes(codes),
            Keys::Integers(values) => sys::huge_page_bytes(values),
            Keys::Text { offsets, bytes, .. } => sys::huge_page_bytes(offsets) + sys::huge_page_bytes(bytes),
        };
        let columns = [&self.time, &self.quantity].map(|column| sys::huge_page_bytes(column));
        key + columns.iter().sum::<u64>() + sys::huge_page_bytes(&self.price)
    }

    /// A sum over everything that [`Input::size_bytes`] counts, in few instructions a byte: a plain read.
    pub(super) fn checksum(&self) -> u64 {
        let words = |values: &[i64]| values.iter().fold(0, |sum: u64, &value| sum.wrapping_add(value.cast_unsigned()));
        let halves = |values: &[u32]| u64::from(values.iter().fold(0, |sum: u32, &value| sum.wrapping_add(value)));
        let key = match &self.key {
            Keys::None => 0,
            Keys::Codes { codes, .. } => halves(codes),
            Keys::Integers(values) => words(values),
            Keys::Text { offsets, bytes, .. } => {
                let offsets = offsets.iter().fold(0, |sum: u32, &value| sum.wrapping_add(value.cast_unsigned()));
                let (eights, _) = bytes.as_chunks::<8>();
                eights.iter().fold(u64::from(offsets), |sum, &eight| sum.wrapping_add(u64::from_le_bytes(eight)))
            }
        };
        let price = self.price.iter().fold(0, |sum: u64, &value| sum.wrapping_add(value.to_bits()));
        [key, words(&self.time), words(&self.quantity), price].into_iter().fold(0, u64::wrapping_add)
    }

    /// The wanted columns of some blocks as an Arrow table over the same bytes. Keys are codes or
    /// integers: Arrow wants text in one piece.
    pub(super) fn table(&self, blocks: Range<usize>) -> RecordBatch {
        let (start, rows) = (blocks.start * BLOCK_ROWS, blocks.len() * BLOCK_ROWS);
        let key: ArrayRef = match &self.key {
            Keys::Codes { codes, names } => {
                let codes = ScalarBuffer::<i32>::new(codes.slice(start, rows).into_inner(), 0, rows);
                Arc::new(DictionaryArray::new(Int32Array::new(codes, None), Arc::clone(names)))
            }
            Keys::Integers(values) => Arc::new(Int64Array::new(values.slice(start, rows), None)),
            Keys::None | Keys::Text { .. } => panic!("no table is made of text keys"),
        };
        let mut columns = vec![("key", key)];
        if !self.time.is_empty() {
            columns.push(("time", Arc::new(TimestampMicrosecondArray::new(self.time.slice(start, rows), None))));
        }
        if !self.quantity.is_empty() {
            columns.push(("quantity", Arc::new(Int64Array::new(self.quantity.slice(start, rows), None))));
        }
        if !self.price.is_empty() {
            columns.push(("price", Arc::new(Float64Array::new(self.price.slice(start, rows), None))));
        }
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    }

    /// Greatest event time up to the end of `block`, at most: what a decoder would have marked.
    pub(super) fn greatest_time(&self, block: usize) -> i64 {
        START_US + ((block + 1) * BLOCK_ROWS) as i64
    }

    /// Column `index` of `time, key, quantity, price`, the rows of one block.
    pub(super) fn column(&self, index: usize, block: usize) -> Column<'_> {
        let rows = block * BLOCK_ROWS..(block + 1) * BLOCK_ROWS;
        Column::valid(match index {
            0 => Values::Int64(&self.time[rows]),
            1 => match &self.key {
                Keys::None => panic!("a query names the key of an input without one"),
                Keys::Codes { codes, names } => {
                    let texts = names.as_string::<i32>();
                    let values = Strings { offsets: texts.value_offsets(), bytes: texts.value_data() };
                    Values::Dictionary { codes: &codes[rows], values, source: Some(names) }
                }
                Keys::Integers(values) => Values::Int64(&values[rows]),
                Keys::Text { offsets, bytes, starts } => Values::Utf8(Strings {
                    offsets: &offsets[block * (BLOCK_ROWS + 1)..(block + 1) * (BLOCK_ROWS + 1)],
                    bytes: &bytes[starts[block]..starts[block + 1]],
                }),
            },
            2 => Values::Int64(&self.quantity[rows]),
            3 => Values::Float64(&self.price[rows]),
            _ => panic!("an input has four columns, and {index} is none of them"),
        })
    }
}

fn text_keys(names: &[Vec<u8>], rows: usize, seed: u64) -> Keys {
    let blocks = rows / BLOCK_ROWS;
    let pick = |i: usize| &names[below(names.len() as u64, random(seed, i as u64)) as usize];
    let mut starts = Vec::with_capacity(blocks + 1);
    starts.push(0);
    let mut offsets = vec![0_i32; blocks * (BLOCK_ROWS + 1)];
    sys::advise_huge_pages(&offsets);
    for (block, offsets) in offsets.chunks_exact_mut(BLOCK_ROWS + 1).enumerate() {
        for i in 0..BLOCK_ROWS {
            offsets[i + 1] = offsets[i] + pick(block * BLOCK_ROWS + i).len() as i32;
        }
        starts.push(starts[block] + offsets[BLOCK_ROWS] as usize);
    }
    let mut bytes = vec![0; starts[blocks]];
    sys::advise_huge_pages(&bytes);
    let mut end = 0;
    for i in 0..rows {
        let name = pick(i);
        bytes[end..end + name.len()].copy_from_slice(name);
        end += name.len();
    }
    Keys::Text { offsets, bytes, starts }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Wanted = Wanted { time: true, key: KeyKind::Text(100), quantity: true, price: true };

    #[test]
    fn the_seed_alone_decides_and_rows_fill_whole_blocks() {
        let [a, b, c] = [7, 7, 8].map(|seed| Input::new(ALL, 10_000, seed));
        assert_eq!((a.rows, a.blocks()), (2 * BLOCK_ROWS, 2));
        assert!(a.price == b.price && a.time == b.time && a.quantity == b.quantity);
        assert_ne!(a.price, c.price);
        let Column { values: Values::Utf8(strings), .. } = a.column(1, 1) else { panic!("plain text") };
        assert!((0..BLOCK_ROWS).all(|i| (4..=16).contains(&strings.get(i).len())));
        let row_bytes = a.size_bytes() / a.rows;
        assert!(row_bytes.abs_diff(ALL.row_bytes()) <= 1, "{row_bytes}");
        assert!(a.time[BLOCK_ROWS..].iter().all(|&time| time <= a.greatest_time(1)));
    }

    #[test]
    fn there_are_as_many_keys_as_asked_for() {
        let count = |key| match Input::new(Wanted { key, ..ALL }, 100_000, 7).key {
            Keys::Codes { codes, names } => {
                assert_eq!(names.len(), 100);
                codes.iter().collect::<HashSet<_>>().len()
            }
            Keys::Integers(values) => values.iter().collect::<HashSet<_>>().len(),
            Keys::None | Keys::Text { .. } => 0,
        };
        assert_eq!(count(KeyKind::Codes(100)), 100);
        assert_eq!(count(KeyKind::Integers(100)), 100);
    }
}
