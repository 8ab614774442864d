//! Growable columns that keep their memory: rows on their way to another partition or to the writer.

mod runs;

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};

use arrow_schema::SchemaRef;

use super::{Bitmap, Column, Strings, Values, words_for};
use crate::types::{DataType, Physical, Schema, Value};

pub use runs::Run;

/// Room made for a text value beforehand, and the size up to which text is copied as one block. Any value is correct.
const TEXT_BYTES: usize = 16;

/// The values of a [`ColumnBuffer`].
#[derive(Debug, Clone)]
enum Store {
    Boolean(Bitmap),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Int128(Vec<i128>),
    Utf8 { offsets: Vec<i32>, bytes: Vec<u8> },
}

/// One growable column.
#[derive(Debug, Clone)]
pub struct ColumnBuffer {
    data_type: DataType,
    store: Store,
    validity: Bitmap,
    nulls: usize,
}

impl ColumnBuffer {
    /// An empty column.
    pub fn new(data_type: DataType) -> Self {
        let store = match data_type.physical() {
            Physical::Boolean => Store::Boolean(Bitmap::default()),
            Physical::Int32 => Store::Int32(Vec::new()),
            Physical::Int64 => Store::Int64(Vec::new()),
            Physical::Float64 => Store::Float64(Vec::new()),
            Physical::Int128 => Store::Int128(Vec::new()),
            Physical::Utf8 => Store::Utf8 { offsets: vec![0], bytes: Vec::new() },
        };
        Self { data_type, store, validity: Bitmap::default(), nulls: 0 }
    }

    /// The type.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.validity.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in use (not reserved).
    pub fn size_bytes(&self) -> usize {
        self.len().div_ceil(8)
            + match &self.store {
                Store::Boolean(bits) => bits.len().div_ceil(8),
                Store::Int32(v) => v.len() * 4,
                Store::Int64(v) => v.len() * 8,
                Store::Float64(v) => v.len() * 8,
                Store::Int128(v) => v.len() * 16,
                Store::Utf8 { offsets, bytes } => offsets.len() * 4 + bytes.len(),
            }
    }

    /// Drops all rows, keeps the memory.
    pub fn clear(&mut self) {
        match &mut self.store {
            Store::Boolean(bits) => bits.clear(),
            Store::Int32(v) => v.clear(),
            Store::Int64(v) => v.clear(),
            Store::Float64(v) => v.clear(),
            Store::Int128(v) => v.clear(),
            Store::Utf8 { offsets, bytes } => {
                offsets.truncate(1);
                bytes.clear();
            }
        }
        self.validity.clear();
        self.nulls = 0;
    }

    /// Drops the first `rows` rows, a multiple of 64; keeps the memory.
    fn drop_front(&mut self, rows: usize) {
        match &mut self.store {
            Store::Boolean(bits) => {
                bits.drop_front(rows);
            }
            Store::Int32(v) => drop(v.drain(..rows)),
            Store::Int64(v) => drop(v.drain(..rows)),
            Store::Float64(v) => drop(v.drain(..rows)),
            Store::Int128(v) => drop(v.drain(..rows)),
            Store::Utf8 { offsets, bytes } => {
                let start = offsets[rows];
                bytes.drain(..start as usize);
                offsets.drain(..rows);
                offsets.iter_mut().for_each(|offset| *offset -= start);
            }
        }
        self.nulls -= rows - self.validity.drop_front(rows);
    }

    fn reserve(&mut self, rows: usize) {
        let more = rows.saturating_sub(self.len());
        match &mut self.store {
            Store::Boolean(bits) => bits.reserve(more),
            Store::Int32(v) => v.reserve(more),
            Store::Int64(v) => v.reserve(more),
            Store::Float64(v) => v.reserve(more),
            Store::Int128(v) => v.reserve(more),
            Store::Utf8 { offsets, bytes } => {
                offsets.reserve(more);
                bytes.reserve(more * TEXT_BYTES);
            }
        }
        self.validity.reserve(more);
    }

    /// Appends a NULL.
    pub fn push_null(&mut self) {
        match &mut self.store {
            Store::Boolean(bits) => bits.push(false),
            Store::Int32(v) => v.push(0),
            Store::Int64(v) => v.push(0),
            Store::Float64(v) => v.push(0.0),
            Store::Int128(v) => v.push(0),
            Store::Utf8 { offsets, bytes } => offsets.push(bytes.len() as i32),
        }
        self.validity.push(false);
        self.nulls += 1;
    }

    /// Appends a value that lies in memory as this column's type does; panics otherwise.
    pub fn push(&mut self, value: &Value) {
        match (&mut self.store, value) {
            (_, Value::Null) => return self.push_null(),
            (Store::Boolean(bits), Value::Boolean(value)) => bits.push(*value),
            (Store::Int32(v), Value::Int32(value)) => v.push(*value),
            (Store::Int64(v), Value::Int64(value)) => v.push(*value),
            (Store::Float64(v), Value::Float64(value)) => v.push(*value),
            (Store::Int128(v), Value::Int128(value)) => v.push(*value),
            (Store::Utf8 { .. }, Value::Utf8(value)) => return self.push_text(value.as_bytes()),
            (_, value) => panic!("value {value:?} does not lie in memory as {}", self.data_type),
        }
        self.validity.push(true);
    }

    /// Appends a boolean; panics on another layout. So do the typed pushes below.
    pub fn push_boolean(&mut self, value: bool) {
        let Store::Boolean(bits) = &mut self.store else { panic!("{} is not boolean", self.data_type) };
        bits.push(value);
        self.validity.push(true);
    }

    /// Appends a 32-bit value.
    pub fn push_int32(&mut self, value: i32) {
        let Store::Int32(v) = &mut self.store else { panic!("{} is not 32-bit", self.data_type) };
        v.push(value);
        self.validity.push(true);
    }

    /// Appends a 64-bit value.
    pub fn push_int64(&mut self, value: i64) {
        let Store::Int64(v) = &mut self.store else { panic!("{} is not 64-bit", self.data_type) };
        v.push(value);
        self.validity.push(true);
    }

    /// Appends a DOUBLE.
    pub fn push_float64(&mut self, value: f64) {
        let Store::Float64(v) = &mut self.store else { panic!("{} is not double", self.data_type) };
        v.push(value);
        self.validity.push(true);
    }

    /// Appends a DECIMAL.
    pub fn push_int128(&mut self, value: i128) {
        let Store::Int128(v) = &mut self.store else { panic!("{} is not decimal", self.data_type) };
        v.push(value);
        self.validity.push(true);
    }

    /// Appends many 32-bit values and NULLs.
    pub fn extend_nullable_int32(&mut self, values: impl Iterator<Item = Option<i32>>) {
        let Store::Int32(v) = &mut self.store else { panic!("{} is not 32-bit", self.data_type) };
        self.nulls += extend_plain(v, &mut self.validity, values);
    }

    /// Appends many 64-bit values and NULLs.
    pub fn extend_nullable_int64(&mut self, values: impl Iterator<Item = Option<i64>>) {
        let Store::Int64(v) = &mut self.store else { panic!("{} is not 64-bit", self.data_type) };
        self.nulls += extend_plain(v, &mut self.validity, values);
    }

    /// Appends many DOUBLEs and NULLs.
    pub fn extend_nullable_float64(&mut self, values: impl Iterator<Item = Option<f64>>) {
        let Store::Float64(v) = &mut self.store else { panic!("{} is not double", self.data_type) };
        self.nulls += extend_plain(v, &mut self.validity, values);
    }

    /// Appends text, which must be UTF-8 (checked when the column becomes an Arrow array).
    pub fn push_text(&mut self, text: &[u8]) {
        let Store::Utf8 { offsets, bytes } = &mut self.store else { panic!("{} is not text", self.data_type) };
        bytes.extend_from_slice(text);
        offsets.push(bytes.len() as i32);
        self.validity.push(true);
    }

    /// Appends the first `length` of `bytes`, which must be UTF-8: quicker than [`Self::push_text`], the copy is of one size.
    #[inline]
    pub fn push_short_text(&mut self, text: &[u8; 16], length: usize) {
        let Store::Utf8 { offsets, bytes } = &mut self.store else { panic!("{} is not text", self.data_type) };
        let end = bytes.len() + length;
        bytes.extend_from_slice(text);
        bytes.truncate(end);
        offsets.push(end as i32);
        self.validity.push(true);
    }

    /// Appends 32-bit values; panics on another layout. So do the typed extensions below.
    pub fn extend_int32(&mut self, values: impl ExactSizeIterator<Item = i32>) {
        let Store::Int32(v) = &mut self.store else { panic!("{} is not 32-bit", self.data_type) };
        self.validity.push_many(true, values.len());
        v.extend(values);
    }

    /// Appends 64-bit values.
    pub fn extend_int64(&mut self, values: impl ExactSizeIterator<Item = i64>) {
        let Store::Int64(v) = &mut self.store else { panic!("{} is not 64-bit", self.data_type) };
        self.validity.push_many(true, values.len());
        v.extend(values);
    }

    /// Appends DOUBLEs.
    pub fn extend_float64(&mut self, values: impl ExactSizeIterator<Item = f64>) {
        let Store::Float64(v) = &mut self.store else { panic!("{} is not double", self.data_type) };
        self.validity.push_many(true, values.len());
        v.extend(values);
    }

    /// Appends the selected of the first `rows` rows of `column`, in the order of `selection`.
    pub fn append(&mut self, column: &Column<'_>, rows: usize, selection: Option<&[u32]>) {
        match (&mut self.store, column.values) {
            (Store::Boolean(bits), Values::Boolean(words)) => match selection {
                None => bits.extend(words, rows),
                Some(selection) => {
                    for &i in selection {
                        bits.push(words[i as usize / 64] >> (i % 64) & 1 == 1);
                    }
                }
            },
            (Store::Int32(v), Values::Int32(values)) => append_plain(v, values, rows, selection),
            (Store::Int64(v), Values::Int64(values)) => append_plain(v, values, rows, selection),
            (Store::Float64(v), Values::Float64(values)) => append_plain(v, values, rows, selection),
            (Store::Int128(v), Values::Int128(values)) => append_plain(v, values, rows, selection),
            (Store::Utf8 { offsets, bytes }, Values::Utf8(strings)) => match selection {
                Some(selection) => append_text(offsets, bytes, &strings, selection.iter().map(|&i| i as usize)),
                None if rows == 0 => {}
                None => {
                    let (start, end) = (strings.offsets[0], strings.offsets[rows]);
                    let base = bytes.len() as i32 - start;
                    bytes.extend_from_slice(&strings.bytes[start as usize..end as usize]);
                    offsets.extend(strings.offsets[1..=rows].iter().map(|offset| offset + base));
                }
            },
            (Store::Utf8 { offsets, bytes }, Values::Dictionary { codes, values, .. }) => {
                // What stands at a row that is NULL is no code, perhaps.
                let code = |i: usize| if column.is_valid(i) { codes[i] as usize } else { usize::MAX };
                match selection {
                    Some(selection) => {
                        append_text(offsets, bytes, &values, selection.iter().map(|&i| code(i as usize)))
                    }
                    None => append_text(offsets, bytes, &values, (0..rows).map(code)),
                }
            }
            (_, values) => panic!("cannot append {values:?} to a {} column", self.data_type),
        }
        let appended = selection.map_or(rows, <[u32]>::len);
        match (column.validity, selection) {
            (None, _) => self.validity.push_many(true, appended),
            (Some(words), None) => {
                self.validity.extend(words, rows);
                let valid: u32 = (0..words.len()).map(|w| mask_word(words, w, rows).count_ones()).sum();
                self.nulls += rows - valid as usize;
            }
            // A row or two of a column whose length nobody told are looked at one by one.
            (Some(words), Some(_)) if appended <= rows && words[..words_for(rows)].iter().all(|&word| word == 0) => {
                self.validity.push_many(false, appended);
                self.nulls += appended;
            }
            (Some(_), Some(selection)) => {
                for &i in selection {
                    let valid = column.is_valid(i as usize);
                    self.validity.push(valid);
                    self.nulls += usize::from(!valid);
                }
            }
        }
    }

    /// Appends rows `start..end` of another buffer of the same type.
    pub fn append_range(&mut self, from: &Self, start: usize, end: usize) {
        self.append_values(from, start, end);
        self.append_validity(from, start, end);
    }

    fn append_values(&mut self, from: &Self, start: usize, end: usize) {
        match (&mut self.store, &from.store) {
            (Store::Boolean(bits), Store::Boolean(values)) => (start..end).for_each(|i| bits.push(values.get(i))),
            (Store::Int32(v), Store::Int32(values)) => v.extend_from_slice(&values[start..end]),
            (Store::Int64(v), Store::Int64(values)) => v.extend_from_slice(&values[start..end]),
            (Store::Float64(v), Store::Float64(values)) => v.extend_from_slice(&values[start..end]),
            (Store::Int128(v), Store::Int128(values)) => v.extend_from_slice(&values[start..end]),
            (Store::Utf8 { offsets, bytes }, Store::Utf8 { offsets: ends, bytes: text }) => {
                let base = bytes.len() as i32 - ends[start];
                bytes.extend_from_slice(&text[ends[start] as usize..ends[end] as usize]);
                offsets.extend(ends[start + 1..=end].iter().map(|offset| offset + base));
            }
            _ => panic!("cannot append {} to {}", from.data_type, self.data_type),
        }
    }

    fn append_validity(&mut self, from: &Self, start: usize, end: usize) {
        if from.nulls == 0 {
            self.validity.push_many(true, end - start);
        } else {
            for i in start..end {
                let valid = from.validity.get(i);
                self.validity.push(valid);
                self.nulls += usize::from(!valid);
            }
        }
    }

    /// A view of all rows.
    pub fn column(&self) -> Column<'_> {
        let values = match &self.store {
            Store::Boolean(bits) => Values::Boolean(bits.words()),
            Store::Int32(v) => Values::Int32(v),
            Store::Int64(v) => Values::Int64(v),
            Store::Float64(v) => Values::Float64(v),
            Store::Int128(v) => Values::Int128(v),
            Store::Utf8 { offsets, bytes } => Values::Utf8(Strings { offsets, bytes }),
        };
        Column { values, validity: (self.nulls > 0).then(|| self.validity.words()) }
    }

    /// The rows as an Arrow array of [`super::arrow_type`], copied.
    pub fn to_array(&self) -> ArrayRef {
        self.clone().into_array()
    }

    /// The same, without a copy.
    fn into_array(self) -> ArrayRef {
        let rows = self.len();
        let nulls = (self.nulls > 0)
            .then(|| NullBuffer::new(BooleanBuffer::new(Buffer::from_slice_ref(self.validity.words()), 0, rows)));
        match (self.store, self.data_type) {
            (Store::Boolean(bits), _) => {
                let values = BooleanBuffer::new(Buffer::from_slice_ref(bits.words()), 0, bits.len());
                Arc::new(BooleanArray::new(values, nulls))
            }
            (Store::Int32(v), DataType::Date) => Arc::new(PrimitiveArray::<Date32Type>::new(v.into(), nulls)),
            (Store::Int32(v), _) => Arc::new(PrimitiveArray::<Int32Type>::new(v.into(), nulls)),
            (Store::Int64(v), DataType::Timestamp) => {
                Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(v.into(), nulls).with_timezone("UTC"))
            }
            (Store::Int64(v), DataType::Interval) => {
                Arc::new(PrimitiveArray::<DurationMicrosecondType>::new(v.into(), nulls))
            }
            (Store::Int64(v), _) => Arc::new(PrimitiveArray::<Int64Type>::new(v.into(), nulls)),
            (Store::Float64(v), _) => Arc::new(PrimitiveArray::<Float64Type>::new(v.into(), nulls)),
            (Store::Int128(v), data_type) => Arc::new(
                PrimitiveArray::<Decimal128Type>::new(v.into(), nulls).with_data_type(super::arrow_type(data_type)),
            ),
            (Store::Utf8 { offsets, bytes }, _) => {
                Arc::new(StringArray::new(OffsetBuffer::new(offsets.into()), Buffer::from_vec(bytes), nulls))
            }
        }
    }
}

fn mask_word(words: &[u64], index: usize, bits: usize) -> u64 {
    let start = index * 64;
    match bits.saturating_sub(start) {
        0 => 0,
        1..64 => words[index] & ((1 << (bits - start)) - 1),
        _ => words[index],
    }
}

fn append_plain<T: Copy>(into: &mut Vec<T>, values: &[T], rows: usize, selection: Option<&[u32]>) {
    match selection {
        None => into.extend_from_slice(&values[..rows]),
        Some(selection) => into.extend(selection.iter().map(|&i| values[i as usize])),
    }
}

/// Appends values, with bits that say which are NULL, and counts those.
fn extend_plain<T: Copy + Default>(
    into: &mut Vec<T>,
    validity: &mut Bitmap,
    values: impl Iterator<Item = Option<T>>,
) -> usize {
    let before = into.len();
    let (mut word, mut bits, mut valid) = (0_u64, 0, 0);
    into.extend(values.map(|value| {
        if bits == 64 {
            validity.extend(&[word], 64);
            valid += word.count_ones() as usize;
            (word, bits) = (0, 0);
        }
        word |= u64::from(value.is_some()) << bits;
        bits += 1;
        value.unwrap_or_default()
    }));
    validity.extend(&[word], bits);
    valid += word.count_ones() as usize;
    into.len() - before - valid
}

/// Appends the values of `strings` that `indices` names; no text where it names none.
fn append_text(
    offsets: &mut Vec<i32>,
    bytes: &mut Vec<u8>,
    strings: &Strings<'_>,
    indices: impl ExactSizeIterator<Item = usize>,
) {
    offsets.reserve(indices.len());
    for index in indices {
        if index < strings.len() {
            push_text(offsets, bytes, strings, index);
        } else {
            offsets.push(bytes.len() as i32);
        }
    }
}

/// Appends value `index` of `strings`.
#[inline]
fn push_text(offsets: &mut Vec<i32>, bytes: &mut Vec<u8>, strings: &Strings<'_>, index: usize) {
    let (start, end) = (strings.offsets[index] as usize, strings.offsets[index + 1] as usize);
    let after = bytes.len() + (end - start);
    match strings.bytes[start..].first_chunk::<TEXT_BYTES>() {
        // A copy of known size, of which the tail is cut off, is quicker than one of the size of the text.
        Some(block) if end - start <= TEXT_BYTES => {
            bytes.extend_from_slice(block);
            bytes.truncate(after);
        }
        _ => bytes.extend_from_slice(&strings.bytes[start..end]),
    }
    offsets.push(after as i32);
}

/// Growable columns of one schema, all of the same length.
#[derive(Debug, Clone)]
pub struct BatchBuffer {
    /// The columns.
    pub columns: Vec<ColumnBuffer>,
    rows: usize,
}

impl BatchBuffer {
    /// Empty columns of these types.
    pub fn new(data_types: impl IntoIterator<Item = DataType>) -> Self {
        Self { columns: data_types.into_iter().map(ColumnBuffer::new).collect(), rows: 0 }
    }

    /// Empty columns of a schema.
    pub fn for_schema(schema: &Schema) -> Self {
        Self::new(schema.fields.iter().map(|field| field.data_type))
    }

    /// Makes room for `rows` rows in all, so that filling them takes no memory bit by bit (but for
    /// text that is longer than most).
    pub fn reserve(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.reserve(rows));
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes in use.
    pub fn size_bytes(&self) -> usize {
        self.columns.iter().map(ColumnBuffer::size_bytes).sum()
    }

    /// Drops all rows, keeps the memory.
    pub fn clear(&mut self) {
        self.columns.iter_mut().for_each(ColumnBuffer::clear);
        self.rows = 0;
    }

    /// Appends the selected of the first `rows` rows of `columns`.
    pub fn append(&mut self, columns: &[Column<'_>], rows: usize, selection: Option<&[u32]>) {
        debug_assert_eq!(columns.len(), self.columns.len());
        for (buffer, column) in self.columns.iter_mut().zip(columns) {
            buffer.append(column, rows, selection);
        }
        self.rows += selection.map_or(rows, <[u32]>::len);
    }

    /// Appends rows `start..end` of another buffer of the same types.
    pub fn append_range(&mut self, from: &Self, start: usize, end: usize) {
        for (column, from) in self.columns.iter_mut().zip(&from.columns) {
            column.append_range(from, start, end);
        }
        self.rows += end - start;
    }

    /// Drops the first `rows` rows, a multiple of 64; keeps the memory.
    pub fn drop_front(&mut self, rows: usize) {
        self.columns.iter_mut().for_each(|column| column.drop_front(rows));
        self.rows -= rows;
    }

    /// Tells the buffer that `rows` rows were pushed to each column by hand.
    pub fn rows_pushed(&mut self, rows: usize) {
        self.rows += rows;
        debug_assert!(self.columns.iter().all(|column| column.len() == self.rows));
    }

    /// Views of all columns, in `arena`.
    pub fn views<'a>(&'a self, arena: &'a bumpalo::Bump) -> &'a [Column<'a>] {
        arena.alloc_slice_fill_iter(self.columns.iter().map(ColumnBuffer::column))
    }

    /// The rows as an Arrow record batch of `schema`, which is [`super::arrow_schema`] of the columns; copied.
    pub fn to_record_batch(&self, schema: &SchemaRef) -> RecordBatch {
        self.clone().into_record_batch(schema)
    }

    /// The same, without a copy.
    pub fn into_record_batch(self, schema: &SchemaRef) -> RecordBatch {
        let arrays = self.columns.into_iter().map(ColumnBuffer::into_array).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
            .expect("the columns were built for this schema")
    }
}
