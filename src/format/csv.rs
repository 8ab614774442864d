//! The CSV decoder: splits records into fields, then builds the projected columns.
//!
//! Guarantees: RFC 4180 with a choice of delimiter, quote and escape; fields that nobody reads are stepped over, not
//! parsed, but their number is checked. Quoted and unquoted fields stay apart, so that `""` is the empty text and nothing
//! is NULL. In a file of one column a blank line is a NULL; elsewhere it is skipped.
//!
//! Not built on a CSV library: those that decode to columns do not tell a quoted field from an unquoted one, and stop at
//! the first bad record of a batch.

use std::sync::Arc;

use super::columns::Columns;
use super::field::{FieldRef, Kind, Records, find_either};
use super::options::FormatOptions;
use super::source::SourceFormat;
use crate::batch::{Chunk, Decode, Decoded, Payload};
use crate::error::{Error, Result, nearest};
use crate::types::{Schema, SplitId};

/// Marks a field of the file that is not read.
const UNREAD: u32 = u32::MAX;

/// How the fields of a file map to declared columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// For each declared column its field.
    positions: Vec<usize>,
    /// Fields of a record.
    pub(super) fields: usize,
}

impl Header {
    /// Without a header record: by position.
    pub(super) fn by_position(schema: &Schema) -> Self {
        Self { positions: (0..schema.len()).collect(), fields: schema.len() }
    }

    /// Finds every declared column in the header record, ignoring case; the first of equal names counts.
    pub(super) fn by_name(record: &[u8], options: &FormatOptions, schema: &Schema, file: &str) -> Result<Self> {
        let names = names(record, options).map_err(|reason| Error::Data(format!("{file}: header: {reason}")))?;
        let position = |wanted: &str| {
            let named = names.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted));
            // A column without a name goes by its number, as when columns are inferred.
            named.or_else(|| (0..names.len()).find(|&i| names[i].trim().is_empty() && default_name(i) == wanted))
        };
        let positions = schema.fields.iter().map(|field| {
            position(&field.name).ok_or_else(|| {
                let hint = match nearest(&field.name, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("it has {}", names.join(", ")),
                };
                Error::Data(format!("{file}: no column \"{}\" in the header: {hint}", field.name))
            })
        });
        Ok(Self { positions: positions.collect::<Result<_>>()?, fields: names.len() })
    }

    /// For each field of the file its place in the projection.
    fn slots(&self, projection: &[usize]) -> Vec<u32> {
        let mut slots = vec![UNREAD; self.fields];
        for (slot, &column) in projection.iter().enumerate() {
            slots[self.positions[column]] = slot as u32;
        }
        slots
    }
}

/// What a column is called that has no name, by its place in the record.
pub(super) fn default_name(index: usize) -> String {
    format!("column{}", index + 1)
}

/// The fields of one record as text.
pub(super) fn names(record: &[u8], options: &FormatOptions) -> Result<Vec<String>, String> {
    let text = |(raw, kind): (&[u8], Kind)| {
        let mut text = Vec::new();
        match kind {
            Kind::Escaped => unescape(options, raw, &mut text)?,
            _ => text.extend_from_slice(raw),
        }
        String::from_utf8(text).map_err(|_| "not valid UTF-8".to_string())
    };
    let mut fields = Vec::new();
    let mut position = 0;
    loop {
        let (field, next) = next_field(record, position, options);
        match field {
            Ok(field) => fields.push(text((field.of(record), field.kind))?),
            Err(reason) => return Err(reason.into()),
        }
        match next {
            Next::Field(at) => position = at,
            Next::Record(_) => return Ok(fields),
        }
    }
}

/// What follows a field.
enum Next {
    /// Another field, there.
    Field(usize),
    /// The end of the record; the next one starts there.
    Record(usize),
}

/// Reads the field that starts at `start`.
#[inline]
fn next_field(bytes: &[u8], start: usize, options: &FormatOptions) -> (Result<FieldRef, &'static str>, Next) {
    if bytes.get(start) == Some(&options.quote) {
        return quoted_field(bytes, start, options);
    }
    let end = find_either(bytes, start, options.delim, b'\n');
    let next = after(bytes, end, options.delim);
    let text_end = match next {
        Next::Record(_) if end > start && bytes[end - 1] == b'\r' => end - 1,
        _ => end,
    };
    (Ok(FieldRef::new(start, text_end, Kind::Plain)), next)
}

fn after(bytes: &[u8], end: usize, delim: u8) -> Next {
    if bytes.get(end) == Some(&delim) { Next::Field(end + 1) } else { Next::Record((end + 1).min(bytes.len())) }
}

fn quoted_field(bytes: &[u8], start: usize, options: &FormatOptions) -> (Result<FieldRef, &'static str>, Next) {
    let (quote, escape) = (options.quote, options.escape);
    let mut kind = Kind::Quoted;
    let mut at = start + 1;
    let close = loop {
        at = find_either(bytes, at, quote, escape);
        if at >= bytes.len() {
            return (Err("a quote is opened but never closed"), Next::Record(bytes.len()));
        }
        if bytes[at] == quote && (escape != quote || bytes.get(at + 1) != Some(&quote)) {
            break at;
        }
        kind = Kind::Escaped;
        at += 2;
    };
    let end = find_either(bytes, close + 1, options.delim, b'\n');
    let next = after(bytes, end, options.delim);
    let is_clean = match next {
        Next::Field(_) => end == close + 1,
        Next::Record(_) => end == close + 1 || (end == close + 2 && bytes[close + 1] == b'\r'),
    };
    let field = if is_clean { Ok(FieldRef::new(start + 1, close, kind)) } else { Err("text after a closing quote") };
    (field, next)
}

/// Takes escapes out: the byte after an escape is literal.
fn unescape(options: &FormatOptions, raw: &[u8], into: &mut Vec<u8>) -> Result<(), String> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(options.escape, rest) {
        into.extend_from_slice(&rest[..at]);
        into.extend(rest.get(at + 1));
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    into.extend_from_slice(rest);
    Ok(())
}

/// Splits `bytes` into records of `slots.len()` fields and keeps those that have a slot.
pub(super) fn split(bytes: &[u8], slots: &[u32], options: &FormatOptions, records: &mut Records) {
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let mut position = 0;
    while position < bytes.len() {
        let start = position;
        let blank = match bytes[start..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            [b'\r'] => 1,
            _ => 0,
        };
        if blank > 0 && slots.len() != 1 {
            position += blank;
            continue;
        }
        let base = records.begin();
        let mut count = 0;
        let mut broken = None;
        position = loop {
            let (field, next) = next_field(bytes, position, options);
            match field {
                Ok(field) => {
                    let slot = slots.get(count).copied().unwrap_or(UNREAD);
                    if slot != UNREAD && !(field.kind == Kind::Plain && options.is_null_text(field.of(bytes))) {
                        records.fields[base + slot as usize] = field;
                    }
                }
                Err(reason) => broken = broken.or(Some(reason)),
            }
            count += 1;
            match next {
                Next::Field(at) => position = at,
                Next::Record(at) => break at,
            }
        };
        if let Some(reason) = broken {
            records.reject(base, start, position, format!("field {count}: {reason}"));
        } else if count != slots.len() {
            let fields = if slots.len() == 1 { "field" } else { "fields" };
            records.reject(base, start, position, format!("expected {} {fields}, found {count}", slots.len()));
        } else if !is_utf8 && std::str::from_utf8(&bytes[start..position]).is_err() {
            records.reject(base, start, position, "not valid UTF-8".into());
        } else {
            records.keep(start, position);
        }
    }
}

/// Decodes chunks of CSV.
pub(super) struct CsvDecoder {
    format: Arc<SourceFormat>,
    projection: Vec<usize>,
    /// The slots of the split decoded last.
    slots: Option<(SplitId, Vec<u32>)>,
    records: Records,
    columns: Columns,
}

impl CsvDecoder {
    pub(super) fn new(format: Arc<SourceFormat>, projection: &[usize]) -> Self {
        let columns = Columns::new(&format.options, &format.schema.project(projection), unescape);
        Self { format, projection: projection.to_vec(), slots: None, records: Records::default(), columns }
    }
}

impl Decode for CsvDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        let Payload::Bytes { block, start, end } = &chunk.payload else {
            return Err(Error::Data("a csv decoder was given a chunk that is not text".into()));
        };
        if self.slots.as_ref().is_none_or(|(split, _)| *split != chunk.split()) {
            self.slots = Some((chunk.split(), self.format.header(chunk.split())?.slots(&self.projection)));
        }
        let Some((_, slots)) = &self.slots else { return Ok(()) };
        let bytes = &block.bytes[*start..*end];
        self.records.clear(self.projection.len());
        split(bytes, slots, &self.format.options, &mut self.records);
        self.columns.emit(chunk, bytes, &mut self.records, rows_max, into)
    }
}
