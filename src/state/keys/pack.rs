//! Key columns into words and back.

use super::KeyHasher;
use crate::batch::{Column, ColumnBuffer, Strings, Values};
use crate::kernel::Simd;
use crate::kernel::probe::BLOCK_ROWS;
use crate::kernel::text::{self, NULL as NULL_TEXT};
use crate::types::{DataType, Physical};

/// One key column and its place in the words.
#[derive(Debug, Clone, Copy)]
struct Field {
    physical: Physical,
    word: usize,
    /// Lowest bit, for columns that share a word.
    shift: u32,
    /// Word and bit that say that the value is NULL; text says so itself, and a lone 64-bit key is marked absent.
    null: Option<(usize, u32)>,
    /// Which of the text fields it is.
    text: Option<usize>,
}

/// A text field of a key layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextField {
    /// Its place among all fields.
    pub field: usize,
    /// Its first word.
    word: usize,
}

impl TextField {
    /// The length of the text, if it lies elsewhere than in the words of `key`.
    #[inline]
    pub fn long_length(&self, key: &[u64]) -> Option<usize> {
        text::long_length(key[self.word + 1])
    }
}

/// How the key columns of a query lie in words.
#[derive(Debug, Clone, Default)]
pub struct KeyLayout {
    fields: Vec<Field>,
    width: usize,
    /// The fields that are text.
    pub(super) texts: Vec<TextField>,
}

impl KeyLayout {
    /// For key columns of these types.
    pub fn new(types: impl IntoIterator<Item = DataType>) -> Self {
        let physical: Vec<Physical> = types.into_iter().map(DataType::physical).collect();
        if let [only @ (Physical::Int64 | Physical::Float64)] = physical[..] {
            let field = Field { physical: only, word: 0, shift: 0, null: None, text: None };
            return Self { fields: vec![field], width: 1, texts: Vec::new() };
        }
        let mut layout = Self::default();
        // The word that small fields and NULL bits go to, and how many of its bits are taken.
        let mut open = (0, 64);
        let mut take_bits = |bits: u32, width: &mut usize| {
            if open.1 + bits > 64 {
                open = (*width, 0);
                *width += 1;
            }
            open.1 += bits;
            (open.0, open.1 - bits)
        };
        for physical in physical {
            let width = &mut layout.width;
            let (word, shift) = match physical {
                Physical::Boolean => take_bits(1, width),
                Physical::Int32 => take_bits(32, width),
                Physical::Int64 | Physical::Float64 | Physical::Int128 | Physical::Utf8 => {
                    *width += if matches!(physical, Physical::Int128 | Physical::Utf8) { 2 } else { 1 };
                    (*width, 0)
                }
            };
            let word = match physical {
                Physical::Int64 | Physical::Float64 => word - 1,
                Physical::Int128 | Physical::Utf8 => word - 2,
                Physical::Boolean | Physical::Int32 => word,
            };
            let null = (physical != Physical::Utf8).then(|| take_bits(1, width));
            let text = (physical == Physical::Utf8).then(|| {
                layout.texts.push(TextField { field: layout.fields.len(), word });
                layout.texts.len() - 1
            });
            layout.fields.push(Field { physical, word, shift, null, text });
        }
        layout
    }

    /// Words of a key. No column means no word: there is one key.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether a NULL is told by [`KeySource::is_absent`] instead of by a bit in the words.
    pub fn marks_absence(&self) -> bool {
        matches!(self.fields[..], [Field { physical: Physical::Int64 | Physical::Float64, .. }])
    }

    /// Number of key columns.
    pub(super) fn fields(&self) -> usize {
        self.fields.len()
    }

    /// Whether `key` holds a long text.
    #[inline]
    pub(super) fn has_long(&self, key: &[u64]) -> bool {
        self.texts.iter().any(|text| text.long_length(key).is_some())
    }

    /// Writes the words of `count` keys, those of `rows` of `columns`, to `words`; tells whether one holds a long text.
    fn pack(
        &self,
        columns: &[Column<'_>],
        hasher: &KeyHasher,
        count: usize,
        rows: KeyRows<'_>,
        words: &mut [u64],
    ) -> bool {
        match rows {
            KeyRows::From(from) => self.pack_rows(columns, hasher, count, rows, |k| from + k, words),
            KeyRows::List(list) => self.pack_rows(columns, hasher, count, rows, |k| list[k] as usize, words),
        }
    }

    /// [`Self::pack`]; `row_of(k)` is the k-th of `rows`.
    #[inline(always)]
    fn pack_rows(
        &self,
        columns: &[Column<'_>],
        hasher: &KeyHasher,
        count: usize,
        rows: KeyRows<'_>,
        row_of: impl Fn(usize) -> usize + Copy,
        words: &mut [u64],
    ) -> bool {
        let width = self.width;
        let mut long = false;
        // Bits are put beside each other; texts write all of their words.
        if 2 * self.texts.len() < width {
            words.fill(0);
        }
        for (field, column) in self.fields.iter().zip(columns) {
            match column.values {
                Values::Boolean(bits) => {
                    put(field, words, width, count, |k| bits[row_of(k) / 64] >> (row_of(k) % 64) & 1);
                }
                Values::Int32(values) => {
                    put(field, words, width, count, |k| u64::from(values[row_of(k)].cast_unsigned()));
                }
                Values::Int64(values) => put(field, words, width, count, |k| values[row_of(k)] as u64),
                Values::Float64(values) => put(field, words, width, count, |k| canonical_bits(values[row_of(k)])),
                Values::Int128(values) => {
                    for (k, key) in words.chunks_exact_mut(width).enumerate().take(count) {
                        let value = values[row_of(k)] as u128;
                        key[field.word] = value as u64;
                        key[field.word + 1] = (value >> 64) as u64;
                    }
                }
                Values::Utf8(strings) => {
                    let (from, list) = match rows {
                        KeyRows::From(from) => (from, None),
                        KeyRows::List(list) => (0, Some(list)),
                    };
                    let texts = (&strings.offsets[from..], strings.bytes);
                    long |= text::pack(texts, list, &hasher.hasher, words, width, field.word);
                }
                Values::Dictionary { values, .. } if values.is_empty() => {
                    words.chunks_exact_mut(width).for_each(|key| key[field.word..field.word + 2].fill(NULL_TEXT));
                }
                Values::Dictionary { codes, values, .. } => {
                    // The code of a NULL means nothing; what it packs to is overwritten below.
                    let last = values.len() as u32 - 1;
                    long |= pack_codes(values, hasher, |k| codes[row_of(k)].min(last), words, width, field.word);
                }
            }
            if column.validity.is_some() {
                for (k, key) in words.chunks_exact_mut(width).enumerate().take(count) {
                    if !column.is_valid(row_of(k)) {
                        field.set_null(key);
                    }
                }
            }
        }
        long
    }

    /// Appends field `field` of some keys to `column`. `words(k)` are those of the k-th and tell nothing if `is_absent(k)`;
    /// `long_text(k, t)` gives the text of its t-th text field if it is long.
    pub(super) fn unpack<'t>(
        &self,
        field: usize,
        count: usize,
        words: impl Fn(usize) -> &'t [u64],
        is_absent: impl Fn(usize) -> bool,
        long_text: impl Fn(usize, usize) -> &'t [u8],
        column: &mut ColumnBuffer,
    ) {
        let field = &self.fields[field];
        let is_null = |k: usize| is_absent(k) || field.null.is_some_and(|(word, bit)| words(k)[word] >> bit & 1 == 1);
        if let Some(t) = field.text {
            for k in 0..count {
                let (first, second) = (words(k)[field.word], words(k)[field.word + 1]);
                if let Some(length) = text::short_length([first, second]) {
                    let bytes = (u128::from(second) << 64 | u128::from(first)).to_le_bytes();
                    column.push_short_text(&bytes, length);
                } else if second == NULL_TEXT {
                    column.push_null();
                } else {
                    column.push_text(long_text(k, t));
                }
            }
        } else if (0..count).any(&is_null) {
            for k in 0..count {
                if is_null(k) { column.push_null() } else { field.push_plain(words(k), column) }
            }
        } else {
            let word = |k: usize| words(k)[field.word];
            match field.physical {
                Physical::Int64 => column.extend_int64((0..count).map(|k| word(k) as i64)),
                Physical::Float64 => column.extend_float64((0..count).map(|k| f64::from_bits(word(k)))),
                Physical::Int32 => column.extend_int32((0..count).map(|k| (word(k) >> field.shift) as u32 as i32)),
                Physical::Boolean | Physical::Int128 | Physical::Utf8 => {
                    (0..count).for_each(|k| field.push_plain(words(k), column));
                }
            }
        }
    }
}

impl Field {
    /// Appends the value, which is neither NULL nor text.
    fn push_plain(&self, key: &[u64], column: &mut ColumnBuffer) {
        let word = key[self.word];
        match self.physical {
            Physical::Boolean => column.push_boolean(word >> self.shift & 1 == 1),
            Physical::Int32 => column.push_int32((word >> self.shift) as u32 as i32),
            Physical::Int64 => column.push_int64(word as i64),
            Physical::Float64 => column.push_float64(f64::from_bits(word)),
            Physical::Int128 => column.push_int128((u128::from(key[self.word + 1]) << 64 | u128::from(word)) as i128),
            Physical::Utf8 => panic!("text is no plain value"),
        }
    }

    /// Marks the value NULL, whatever bits were written for it.
    fn set_null(&self, key: &mut [u64]) {
        match self.physical {
            Physical::Utf8 => key[self.word..self.word + 2].fill(NULL_TEXT),
            Physical::Int128 => key[self.word..self.word + 2].fill(0),
            Physical::Int64 | Physical::Float64 => key[self.word] = 0,
            Physical::Int32 => key[self.word] &= !(0xffff_ffff << self.shift),
            Physical::Boolean => key[self.word] &= !(1 << self.shift),
        }
        if let Some((word, bit)) = self.null {
            key[word] |= 1 << bit;
        }
    }
}

fn canonical_bits(value: f64) -> u64 {
    // Adding +0 turns -0 into +0 and leaves the rest.
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

/// Packs `count` values of up to 64 bits.
#[inline(always)]
fn put(field: &Field, words: &mut [u64], width: usize, count: usize, bits: impl Fn(usize) -> u64) {
    if width == 1 {
        words.iter_mut().take(count).enumerate().for_each(|(k, word)| *word |= bits(k) << field.shift);
    } else {
        let keys = words.chunks_exact_mut(width).take(count);
        keys.enumerate().for_each(|(k, key)| key[field.word] |= bits(k) << field.shift);
    }
}

/// Packs texts given by codes; tells whether one is long.
#[inline(always)]
fn pack_codes(
    values: Strings<'_>,
    hasher: &KeyHasher,
    code: impl Fn(usize) -> u32,
    words: &mut [u64],
    width: usize,
    word: usize,
) -> bool {
    let mut codes = [0; BLOCK_ROWS];
    let mut long = false;
    for (b, block) in words.chunks_mut(BLOCK_ROWS * width).enumerate() {
        let codes = &mut codes[..block.len() / width];
        codes.iter_mut().enumerate().for_each(|(k, slot)| *slot = code(b * BLOCK_ROWS + k));
        long |= text::pack((values.offsets, values.bytes), Some(codes), &hasher.hasher, block, width, word);
    }
    long
}

/// The rows of some keys.
#[derive(Clone, Copy)]
enum KeyRows<'a> {
    /// One after another, from this one on.
    From(usize),
    /// These.
    List(&'a [u32]),
}

/// Where keys come from: columns of a batch, or groups of another table.
pub trait KeySource {
    /// Number of keys.
    fn len(&self) -> usize;

    /// Level of kernels to find them with.
    fn simd(&self) -> Simd;

    /// Writes the words of `count` keys from `from` on to `words`, of which there are no more; tells whether one holds a long
    /// text.
    fn pack(&self, from: usize, count: usize, words: &mut [u64]) -> bool;

    /// Whether some key may be absent.
    fn has_absent(&self) -> bool;

    /// Whether key `j` is the NULL of a layout that [`KeyLayout::marks_absence`].
    fn is_absent(&self, j: usize) -> bool;

    /// The text of field `field` of key `j`, in full.
    fn text(&self, j: usize, field: usize) -> &[u8];
}

/// The keys of some rows of columns.
#[derive(Debug, Clone, Copy)]
pub struct PackedColumns<'a> {
    /// Level of kernels.
    pub simd: Simd,
    /// How they are packed.
    pub layout: &'a KeyLayout,
    /// Hashes long texts.
    pub hasher: &'a KeyHasher,
    /// One column a field.
    pub columns: &'a [Column<'a>],
    /// Rows in each column.
    pub rows: usize,
    /// The rows; `None` means all.
    pub selection: Option<&'a [u32]>,
}

impl PackedColumns<'_> {
    fn row(&self, j: usize) -> usize {
        self.selection.map_or(j, |selection| selection[j] as usize)
    }
}

impl KeySource for PackedColumns<'_> {
    fn len(&self) -> usize {
        self.selection.map_or(self.rows, <[u32]>::len)
    }

    fn simd(&self) -> Simd {
        self.simd
    }

    fn pack(&self, from: usize, count: usize, words: &mut [u64]) -> bool {
        let rows = self.selection.map_or(KeyRows::From(from), |rows| KeyRows::List(&rows[from..from + count]));
        self.layout.pack(self.columns, self.hasher, count, rows, words)
    }

    fn has_absent(&self) -> bool {
        self.layout.marks_absence() && self.columns[0].validity.is_some()
    }

    fn is_absent(&self, j: usize) -> bool {
        !self.columns[0].is_valid(self.row(j))
    }

    fn text(&self, j: usize, field: usize) -> &[u8] {
        self.columns[field].text(self.row(j))
    }
}
