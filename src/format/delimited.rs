//! The CSV and JSON encoders: row by row into one buffer, written when full.

use arrow_array::RecordBatch;

use super::encode::{Encode, Out};
use super::options::FormatOptions;
use super::value::{Cells, cells, conformed};
use crate::error::Result;
use crate::types::Schema;

/// Delimited text that our decoder reads back to the same rows: empty text is quoted, NULL is not.
pub(super) struct CsvEncoder {
    options: FormatOptions,
    schema: Schema,
    out: Out,
    header_due: bool,
}

impl CsvEncoder {
    pub(super) fn new(options: &FormatOptions, schema: &Schema, out: Out) -> Self {
        Self { options: options.clone(), schema: schema.clone(), out, header_due: options.header }
    }

    /// Writes the header before the first row, and also where no row ever comes.
    fn header(&mut self) {
        if !std::mem::take(&mut self.header_due) {
            return;
        }
        for (i, field) in self.schema.fields.iter().enumerate() {
            if i > 0 {
                self.out.buffer.push(self.options.delim);
            }
            push_field(&mut self.out.buffer, &field.name, &self.options);
        }
        self.out.buffer.push(b'\n');
    }
}

/// Appends text, in quotes if it needs them.
fn push_field(out: &mut Vec<u8>, text: &str, options: &FormatOptions) {
    let special = |b: u8| b == options.delim || b == options.quote || b == b'\n' || b == b'\r';
    // A blank at either end is quoted for readers that trim.
    let is_plain = !options.is_null_text(text.as_bytes())
        && !text.bytes().any(special)
        && text.trim().len() == text.len()
        && !text.starts_with('\u{feff}');
    if is_plain {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(options.quote);
    for byte in text.bytes() {
        if byte == options.quote || byte == options.escape {
            out.push(options.escape);
        }
        out.push(byte);
    }
    out.push(options.quote);
}

impl Encode for CsvEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.header();
        let batch = conformed(batch, &self.schema)?;
        let columns = cells(&batch, &self.schema);
        for row in 0..batch.num_rows() {
            for (i, column) in columns.iter().enumerate() {
                let out = &mut self.out.buffer;
                if i > 0 {
                    out.push(self.options.delim);
                }
                if column.is_null(row) {
                    out.extend_from_slice(self.options.nullstr.as_deref().unwrap_or_default().as_bytes());
                } else if let Some(text) = column.text(row) {
                    push_field(out, text, &self.options);
                } else {
                    push_number(out, column, row, &self.options);
                }
            }
            self.out.buffer.push(b'\n');
            self.out.drain_full()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush_all()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.header();
        self.out.flush_all()
    }
}

/// Appends a value that is no text; quoted only if the delimiter is one of its characters (`delim = '-'`).
fn push_number(out: &mut Vec<u8>, column: &Cells<'_>, row: usize, options: &FormatOptions) {
    let start = out.len();
    column.push(out, row);
    if out[start..].contains(&options.delim) || out[start..].contains(&options.quote) {
        let text = String::from_utf8_lossy(&out[start..]).into_owned();
        out.truncate(start);
        push_field(out, &text, options);
    }
}

/// One object a line. NaN and infinities, which JSON has no word for, are written as null.
pub(super) struct JsonEncoder {
    schema: Schema,
    /// `{"name":` or `,"name":` for each column.
    keys: Vec<Vec<u8>>,
    out: Out,
}

impl JsonEncoder {
    pub(super) fn new(schema: &Schema, out: Out) -> Self {
        let keys = schema.fields.iter().enumerate().map(|(i, field)| {
            let mut key = vec![if i == 0 { b'{' } else { b',' }];
            push_json_text(&mut key, &field.name);
            key.push(b':');
            key
        });
        Self { schema: schema.clone(), keys: keys.collect(), out }
    }
}

/// Appends a JSON string.
pub(super) fn push_json_text(out: &mut Vec<u8>, text: &str) {
    // Text always has a JSON form and memory always takes it.
    let _ = serde_json::to_writer(out, text);
}

impl Encode for JsonEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = conformed(batch, &self.schema)?;
        let columns = cells(&batch, &self.schema);
        for row in 0..batch.num_rows() {
            let out = &mut self.out.buffer;
            for (key, column) in self.keys.iter().zip(&columns) {
                out.extend_from_slice(key);
                if column.is_null(row) || column.double(row).is_some_and(|value| !value.is_finite()) {
                    out.extend_from_slice(b"null");
                } else if let Some(text) = column.text(row) {
                    push_json_text(out, text);
                } else if column.is_bare() {
                    column.push(out, row);
                } else {
                    out.push(b'"');
                    column.push(out, row);
                    out.push(b'"');
                }
            }
            out.extend_from_slice(if columns.is_empty() { b"{}\n" } else { b"}\n" });
            self.out.drain_full()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush_all()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.out.flush_all()
    }
}
