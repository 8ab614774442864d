//! Key columns into words and back.

use super::KeyHasher;
use crate::batch::{Column, ColumnBuffer, Strings, Values};
use crate::types::{DataType, Physical};

/// Both words of a text that is NULL. No UTF-8 text holds the byte 0xFE (or 0xFF).
const NULL_TEXT: u64 = 0xfefe_fefe_fefe_fefe;
/// Topmost byte of the second word of a text of more than 16 bytes; the other bytes are its length, the first word its
/// hash.
const LONG_TEXT: u64 = 0xfe << 56;
/// Texts of up to so many bytes lie in the words themselves, padded with 0xFF.
const SHORT_BYTES: usize = 16;

/// Padding of a short text, by its length.
static PADDING: [[u64; 2]; SHORT_BYTES + 1] = {
    let mut padding = [[0; 2]; SHORT_BYTES + 1];
    let mut length = 0;
    while length <= SHORT_BYTES {
        padding[length] = match length {
            0..8 => [u64::MAX << (8 * length), u64::MAX],
            8..16 => [0, u64::MAX << (8 * (length - 8))],
            _ => [0, 0],
        };
        length += 1;
    }
    padding
};

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
        let second = key[self.word + 1];
        (second >> 56 == LONG_TEXT >> 56 && second != NULL_TEXT).then_some((second & !LONG_TEXT) as usize)
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

    /// Writes the words of `count` keys, those of rows `row_of(0..count)` of `columns`, to `words`, which is zero; tells
    /// whether one holds a long text.
    pub(super) fn pack(
        &self,
        columns: &[Column<'_>],
        hasher: &KeyHasher,
        count: usize,
        row_of: impl Fn(usize) -> usize + Copy,
        words: &mut [u64],
    ) -> bool {
        let width = self.width;
        let mut long = false;
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
                    let text = |k: usize| (strings, row_of(k));
                    long |= pack_texts(words, width, field.word, count, hasher, text);
                }
                Values::Dictionary { codes, values, .. } => {
                    // The code of a NULL means nothing; what it packs to is overwritten below.
                    let last = values.len().saturating_sub(1);
                    if values.is_empty() {
                        words.chunks_exact_mut(width).for_each(|key| key[field.word..field.word + 2].fill(NULL_TEXT));
                    } else {
                        let text = |k: usize| (values, (codes[row_of(k)] as usize).min(last));
                        long |= pack_texts(words, width, field.word, count, hasher, text);
                    }
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
    /// `text(k, t)` gives the text of its t-th text field if it is long.
    pub(super) fn unpack<'t>(
        &self,
        field: usize,
        count: usize,
        words: impl Fn(usize) -> &'t [u64],
        is_absent: impl Fn(usize) -> bool,
        text: impl Fn(usize, usize) -> &'t [u8],
        column: &mut ColumnBuffer,
    ) {
        let field = &self.fields[field];
        let is_null = |k: usize| is_absent(k) || field.null.is_some_and(|(word, bit)| words(k)[word] >> bit & 1 == 1);
        if let Some(t) = field.text {
            for k in 0..count {
                let (first, second) = (words(k)[field.word], words(k)[field.word + 1]);
                if second == NULL_TEXT {
                    column.push_null();
                } else if second >> 56 == LONG_TEXT >> 56 {
                    column.push_text(text(k, t));
                } else {
                    let padding = match second {
                        u64::MAX => 8 + first.leading_ones() / 8,
                        second => second.leading_ones() / 8,
                    };
                    let bytes = (u128::from(second) << 64 | u128::from(first)).to_le_bytes();
                    column.push_short_text(&bytes, SHORT_BYTES - padding as usize);
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

/// Packs `count` texts, given as column and row; tells whether one is long.
#[inline(always)]
fn pack_texts<'t>(
    words: &mut [u64],
    width: usize,
    word: usize,
    count: usize,
    hasher: &KeyHasher,
    text: impl Fn(usize) -> (Strings<'t>, usize),
) -> bool {
    let mut long = false;
    for (k, key) in words.chunks_exact_mut(width).enumerate().take(count) {
        let (strings, i) = text(k);
        let (start, end) = (strings.offsets[i] as usize, strings.offsets[i + 1] as usize);
        let length = end - start;
        let packed = match (PADDING.get(length), strings.bytes.get(start..start + SHORT_BYTES)) {
            (Some(&[first, second]), Some(bytes)) => {
                let bytes: &[u8; SHORT_BYTES] = bytes.try_into().expect("sixteen bytes were taken");
                let all = u128::from_le_bytes(*bytes);
                [all as u64 | first, (all >> 64) as u64 | second]
            }
            (Some(&padding), None) => {
                // Near the end of the bytes sixteen cannot be read at once.
                let mut bytes = [0; SHORT_BYTES];
                bytes[..length].copy_from_slice(&strings.bytes[start..end]);
                let all = u128::from_le_bytes(bytes);
                [all as u64 | padding[0], (all >> 64) as u64 | padding[1]]
            }
            (None, _) => {
                long = true;
                [hasher.text(&strings.bytes[start..end]), LONG_TEXT | length as u64]
            }
        };
        key[word..word + 2].copy_from_slice(&packed);
    }
    long
}

/// Where keys come from: columns of a batch, or groups of another table.
pub trait KeySource {
    /// Number of keys.
    fn len(&self) -> usize;

    /// Writes the words of `count` keys from `from` on to `words`, which is zero; tells whether one holds a long text.
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

    fn pack(&self, from: usize, count: usize, words: &mut [u64]) -> bool {
        match self.selection {
            None => self.layout.pack(self.columns, self.hasher, count, |k| from + k, words),
            Some(selection) => {
                let selection = &selection[from..from + count];
                self.layout.pack(self.columns, self.hasher, count, |k| selection[k] as usize, words)
            }
        }
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
