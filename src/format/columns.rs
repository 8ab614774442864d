//! Fields to Arrow columns, one column at a time: the typed half of the CSV and JSON decoders.
//!
//! Guarantees: columns are canonical (`batch::arrow_type`); a field that is no value of its column's type makes the whole
//! record a failure, with the first such column as the reason, and every other record is kept, in order.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::SchemaRef;

use super::field::{FieldRef, Kind, Records};
use super::options::FormatOptions;
use crate::batch::{Chunk, Decoded, Failure, Slice, arrow_schema, arrow_type};
use crate::error::{Error, Result};
use crate::types::text::parse;
use crate::types::{DataType, Field, Schema};

/// Bytes of a field that a reason shows.
const SHOWN_BYTES_MAX: usize = 80;

/// Takes the escapes out of a field between quotes; `Err` says what is wrong with it.
pub(super) type Unescape = fn(&FormatOptions, &[u8], &mut Vec<u8>) -> std::result::Result<(), String>;

/// Builds the projected columns of a text source.
pub(super) struct Columns {
    options: FormatOptions,
    fields: Vec<Field>,
    schema: SchemaRef,
    unescape: Unescape,
    scratch: Vec<u8>,
    /// Records that have a field that is no value: index and reason.
    bad: Vec<(usize, String)>,
}

impl Columns {
    pub(super) fn new(options: &FormatOptions, projected: &Schema, unescape: Unescape) -> Self {
        Self {
            options: options.clone(),
            fields: projected.fields.clone(),
            schema: Arc::new(arrow_schema(&Schema::new(
                // Whatever is declared, text may hold NULL; the field's promise is checked by nobody here.
                projected.fields.iter().map(|field| Field::new(&*field.name, field.data_type)).collect(),
            ))),
            unescape,
            scratch: Vec::new(),
            bad: Vec::new(),
        }
    }

    /// Appends the good records to `into.slices` and the others to `into.failures`.
    pub(super) fn emit(
        &mut self,
        chunk: &Chunk,
        bytes: &[u8],
        records: &mut Records,
        rows_max: usize,
        into: &mut Decoded,
    ) -> Result<()> {
        self.bad.clear();
        let arrays = (0..self.fields.len()).map(|slot| self.build(slot, bytes, records)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        let mut batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| Error::Data(error.to_string()))?;
        if !self.bad.is_empty() {
            // The first bad column of a record is its reason: columns were built in order and the sort is stable.
            self.bad.sort_by_key(|(row, _)| *row);
            self.bad.dedup_by_key(|(row, _)| *row);
            let mut keep = BooleanBufferBuilder::new(records.len());
            keep.append_n(records.len(), true);
            for (row, reason) in self.bad.drain(..) {
                keep.set_bit(row, false);
                let (start, end) = records.spans[row];
                let (start, end) = (start as usize, end as usize);
                records.broken.push(super::field::Broken { start, end, reason });
            }
            batch = arrow_select::filter::filter_record_batch(&batch, &BooleanArray::new(keep.finish(), None))
                .map_err(|error| Error::Data(error.to_string()))?;
        }
        report(chunk, bytes, records, into);
        push_slices(batch, rows_max, into);
        Ok(())
    }

    fn build(&mut self, slot: usize, bytes: &[u8], records: &Records) -> ArrayRef {
        let unit = self.options.timestamp_unit;
        match self.fields[slot].data_type {
            DataType::Boolean => self.booleans(slot, bytes, records),
            DataType::Int => Arc::new(self.primitive::<Int32Type>(slot, bytes, records, parse::int)),
            DataType::BigInt => Arc::new(self.primitive::<Int64Type>(slot, bytes, records, parse::integer)),
            DataType::Double => Arc::new(self.primitive::<Float64Type>(slot, bytes, records, parse::double)),
            DataType::Date => Arc::new(self.primitive::<Date32Type>(slot, bytes, records, parse::date)),
            DataType::Interval => {
                Arc::new(self.primitive::<DurationMicrosecondType>(slot, bytes, records, parse::interval))
            }
            DataType::Timestamp => {
                let parse = |text: &[u8]| parse::timestamp(text).or_else(|| unit.and_then(|unit| unit.read(text)));
                let array = self.primitive::<TimestampMicrosecondType>(slot, bytes, records, parse);
                Arc::new(array.with_timezone("UTC"))
            }
            data_type @ DataType::Decimal { precision, scale } => {
                let parse = |text: &[u8]| parse::decimal(text, precision, scale);
                let array = self.primitive::<Decimal128Type>(slot, bytes, records, parse);
                Arc::new(array.with_data_type(arrow_type(data_type)))
            }
            DataType::Varchar => self.strings(slot, bytes, records),
        }
    }

    /// The text of a field that is no VARCHAR; `None` for NULL and for fields that have been rejected.
    fn text<'a>(&'a mut self, slot: usize, row: usize, field: FieldRef, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let raw = field.of(bytes);
        let text = match field.kind {
            Kind::Null => return None,
            Kind::Plain => raw,
            Kind::Quoted | Kind::Escaped if self.options.is_null_text(raw) => return None,
            Kind::Quoted => raw,
            Kind::Escaped => {
                self.scratch.clear();
                if let Err(reason) = (self.unescape)(&self.options, raw, &mut self.scratch) {
                    self.bad.push((row, reason));
                    return None;
                }
                &self.scratch
            }
            Kind::Nested => {
                self.bad.push((row, not_a(&self.fields[slot], raw, None)));
                return None;
            }
        };
        Some(text.trim_ascii())
    }

    fn primitive<T: ArrowPrimitiveType>(
        &mut self,
        slot: usize,
        bytes: &[u8],
        records: &Records,
        parse: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> PrimitiveArray<T> {
        let mut values: Vec<T::Native> = Vec::with_capacity(records.len());
        let mut nulls = NullBufferBuilder::new(records.len());
        for (row, field) in records.column(slot).enumerate() {
            // The plain field, by far the most frequent, goes straight to the parser.
            let parsed = match field.kind {
                Kind::Plain => parse(field.of(bytes)),
                _ => None,
            };
            let parsed = match parsed {
                Some(value) => Some(value),
                None => match self.text(slot, row, field, bytes).map(&parse) {
                    Some(None) => {
                        let reason = not_a(&self.fields[slot], field.of(bytes), self.options.timestamp_unit);
                        self.bad.push((row, reason));
                        None
                    }
                    other => other.flatten(),
                },
            };
            values.push(parsed.unwrap_or_default());
            nulls.append(parsed.is_some());
        }
        PrimitiveArray::new(values.into(), nulls.finish())
    }

    fn booleans(&mut self, slot: usize, bytes: &[u8], records: &Records) -> ArrayRef {
        let mut values = BooleanBufferBuilder::new(records.len());
        let mut nulls = NullBufferBuilder::new(records.len());
        for (row, field) in records.column(slot).enumerate() {
            let parsed = match self.text(slot, row, field, bytes).map(parse::boolean) {
                Some(None) => {
                    self.bad.push((row, not_a(&self.fields[slot], field.of(bytes), None)));
                    None
                }
                other => other.flatten(),
            };
            values.append(parsed.unwrap_or_default());
            nulls.append(parsed.is_some());
        }
        Arc::new(BooleanArray::new(values.finish(), nulls.finish()))
    }

    fn strings(&mut self, slot: usize, bytes: &[u8], records: &Records) -> ArrayRef {
        let mut offsets: Vec<i32> = Vec::with_capacity(records.len() + 1);
        let mut text: Vec<u8> = Vec::new();
        let mut nulls = NullBufferBuilder::new(records.len());
        offsets.push(0);
        for (row, field) in records.column(slot).enumerate() {
            let raw = field.of(bytes);
            match field.kind {
                Kind::Null => {}
                Kind::Plain | Kind::Quoted | Kind::Nested => text.extend_from_slice(raw),
                Kind::Escaped => {
                    let length = text.len();
                    if let Err(reason) = (self.unescape)(&self.options, raw, &mut text) {
                        text.truncate(length);
                        self.bad.push((row, reason));
                    }
                }
            }
            nulls.append(field.kind != Kind::Null);
            // Fits: the text of a column is no longer than its chunk.
            offsets.push(text.len() as i32);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Arc::new(StringArray::new(offsets, Buffer::from_vec(text), nulls.finish()))
    }
}

fn not_a(field: &Field, raw: &[u8], unit: Option<super::options::TimestampUnit>) -> String {
    let shown = &raw[..raw.len().min(SHOWN_BYTES_MAX)];
    let dots = if raw.len() > SHOWN_BYTES_MAX { "..." } else { "" };
    let text = String::from_utf8_lossy(shown);
    let hint = if field.data_type == DataType::Timestamp && unit.is_none() && parse::double(raw.trim_ascii()).is_some()
    {
        " (for numbers, set timestamp_unit)"
    } else {
        ""
    };
    let article = if matches!(field.data_type, DataType::Int | DataType::Interval) { "an" } else { "a" };
    format!("column \"{}\": '{text}{dots}' is not {article} {}{hint}", field.name, field.data_type)
}

/// Appends the broken records as failures, in order, each with its line.
fn report(chunk: &Chunk, bytes: &[u8], records: &mut Records, into: &mut Decoded) {
    if records.broken.is_empty() {
        return;
    }
    records.broken.sort_by_key(|broken| broken.start);
    let mut line = chunk.first_record;
    let mut counted = 0;
    for broken in records.broken.drain(..) {
        line += memchr::memchr_iter(b'\n', &bytes[counted..broken.start]).count() as u64;
        counted = broken.start;
        let raw = super::frame::trim_line_end(&bytes[broken.start..broken.end]).to_vec();
        into.failures.push(Failure { record: line, reason: broken.reason, raw });
    }
}

/// Appends the batch in slices of at most `rows_max` rows.
pub(super) fn push_slices(batch: RecordBatch, rows_max: usize, into: &mut Decoded) {
    let rows = batch.num_rows();
    let batch = Arc::new(batch);
    let rows_max = rows_max.max(1);
    for offset in (0..rows).step_by(rows_max) {
        into.slices.push(Slice { batch: Arc::clone(&batch), offset, rows: rows_max.min(rows - offset) });
    }
}
