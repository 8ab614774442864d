//! The columns of a file that declares none.
//!
//! Guarantees: looks at no more than `limits::INFERENCE_RECORDS` records; a type is chosen only if every value seen reads
//! as it, in the order BOOLEAN, BIGINT, DOUBLE, DATE, TIMESTAMP, VARCHAR. Columns without any value are VARCHAR. Records
//! that are broken do not count: reading reports them.

use std::path::Path;

use super::conform::shown;
use super::csv;
use super::field::{Kind, Records};
use super::frame::{FILE_BLOCK_BYTES, Frame};
use super::options::{Format, FormatOptions};
use super::source::open;
use super::{arrow, parquet};
use crate::batch::{Payload, schema_of};
use crate::error::{Error, Result};
use crate::limits::INFERENCE_RECORDS;
use crate::types::text::parse;
use crate::types::{DataType, Field, Schema, SplitId};

/// Records of one look.
const STEP_RECORDS: usize = 1024;

/// The schema of a file.
pub fn infer_schema(path: &Path, options: &FormatOptions) -> Result<Schema> {
    let file = open(path)?;
    let name = shown(path);
    let schema = match options.format {
        Format::Csv => infer_csv(file, &name, options)?,
        Format::Json => infer_json(file, &name, options)?,
        Format::Parquet => schema_of(parquet::metadata(&file, path)?.schema()).map_err(|e| named(&name, e))?,
        Format::Arrow => schema_of(arrow::schema(file, path)?.as_ref()).map_err(|e| named(&name, e))?,
        Format::Table => return Err(Error::Config("format 'table' is for output only".into())),
    };
    for (i, field) in schema.fields.iter().enumerate() {
        if schema.index_of(&field.name) != Some(i) {
            return Err(Error::Data(format!(
                "{name}: two columns are called \"{}\" (case does not count): declare the source's columns",
                field.name
            )));
        }
    }
    Ok(schema)
}

fn named(name: &str, error: Error) -> Error {
    match error {
        Error::Data(text) => Error::Data(format!("{name}: {text}")),
        other => other,
    }
}

/// What the values of a column have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Type(DataType),
}

impl Seen {
    fn add(&mut self, value: DataType) {
        *self = Self::Type(match (*self, value) {
            (Self::Nothing, value) => value,
            (Self::Type(seen), value) if seen == value => seen,
            (Self::Type(DataType::BigInt | DataType::Double), DataType::BigInt | DataType::Double) => DataType::Double,
            (Self::Type(DataType::Date | DataType::Timestamp), DataType::Date | DataType::Timestamp) => {
                DataType::Timestamp
            }
            _ => DataType::Varchar,
        });
    }

    fn data_type(self) -> DataType {
        if let Self::Type(data_type) = self { data_type } else { DataType::Varchar }
    }
}

fn date_or_text(text: &[u8]) -> DataType {
    if parse::date(text).is_some() {
        DataType::Date
    } else if parse::timestamp(text).is_some() {
        DataType::Timestamp
    } else {
        DataType::Varchar
    }
}

fn number_type(text: &[u8]) -> Option<DataType> {
    // "inf" and "nan" read as doubles where one is declared, but a column of them is more likely one of words.
    let is_number = text.iter().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if !is_number {
        None
    } else if !text.contains(&b'.') && parse::integer(text).is_some() {
        Some(DataType::BigInt)
    } else {
        parse::double(text).map(|_| DataType::Double)
    }
}

fn text_type(text: &[u8]) -> DataType {
    if text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false") {
        return DataType::Boolean;
    }
    number_type(text).unwrap_or_else(|| date_or_text(text))
}

fn infer_csv(file: std::fs::File, name: &str, options: &FormatOptions) -> Result<Schema> {
    // The header is read as a record like any other here: its names are wanted.
    let mut frame = Frame::new(SplitId(0), name.into(), Box::new(file), options, None, FILE_BLOCK_BYTES);
    let first = frame.next_chunk(1)?;
    let Some((first, _)) = first else {
        return Err(Error::Data(format!("{name} is empty: nothing to infer columns from")));
    };
    let Payload::Bytes { block, start, end } = &first.payload else {
        return Err(Error::Data(format!("{name}: not text")));
    };
    let record = &block.bytes[*start..*end];
    let names = csv::names(super::frame::trim_line_end(record), options)
        .map_err(|reason| Error::Data(format!("{name}: line {}: {reason}", first.first_record)))?;
    let width = names.len();
    let slots: Vec<u32> = (0..width as u32).collect();
    let mut seen = vec![Seen::Nothing; width];
    let mut records = Records::default();
    let mut look = |bytes: &[u8], seen: &mut Vec<Seen>| {
        records.clear(width);
        csv::split(bytes, &slots, options, &mut records);
        for (i, field) in records.fields.iter().enumerate() {
            let text = field.of(bytes);
            if field.kind != Kind::Null && !options.is_null_text(text) {
                seen[i % width].add(text_type(text.trim_ascii()));
            }
        }
    };
    if !options.header {
        look(record, &mut seen);
    }
    let mut count = 1;
    while count < INFERENCE_RECORDS
        && let Some((chunk, _)) = frame.next_chunk(STEP_RECORDS)?
    {
        if let Payload::Bytes { block, start, end } = &chunk.payload {
            look(&block.bytes[*start..*end], &mut seen);
        }
        count += chunk.records as usize;
    }
    let fields = names.iter().zip(&seen).enumerate().map(|(i, (name, seen))| {
        let is_named = options.header && !name.trim().is_empty();
        let name = if is_named { name.trim().into() } else { csv::default_name(i) };
        Field::new(name, seen.data_type())
    });
    Ok(Schema::new(fields.collect()))
}

fn infer_json(file: std::fs::File, name: &str, options: &FormatOptions) -> Result<Schema> {
    let mut frame = Frame::new(SplitId(0), name.into(), Box::new(file), options, None, FILE_BLOCK_BYTES);
    let mut columns: Vec<(String, Seen)> = Vec::new();
    let mut count = 0;
    let mut objects = 0;
    while count < INFERENCE_RECORDS
        && let Some((chunk, _)) = frame.next_chunk(STEP_RECORDS)?
    {
        count += chunk.records as usize;
        let Payload::Bytes { block, start, end } = &chunk.payload else { continue };
        for line in block.bytes[*start..*end].split(|b| *b == b'\n') {
            // The field order of the lines is kept: `serde_json` is built with `preserve_order`.
            let Ok(object) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line) else {
                continue;
            };
            objects += 1;
            for (key, value) in &object {
                let index = match columns.iter().position(|(name, _)| name.eq_ignore_ascii_case(key)) {
                    Some(index) => index,
                    None => {
                        columns.push((key.clone(), Seen::Nothing));
                        columns.len() - 1
                    }
                };
                if let Some(data_type) = json_type(value) {
                    columns[index].1.add(data_type);
                }
            }
        }
    }
    if objects == 0 {
        return Err(Error::Data(if count == 0 {
            format!("{name} is empty: nothing to infer columns from")
        } else {
            format!("{name}: no line is a JSON object")
        }));
    }
    let fields = columns.into_iter().map(|(name, seen)| Field::new(name, seen.data_type()));
    Ok(Schema::new(fields.collect()))
}

fn json_type(value: &serde_json::Value) -> Option<DataType> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(_) => DataType::Boolean,
        serde_json::Value::Number(number) if number.is_i64() => DataType::BigInt,
        serde_json::Value::Number(_) => DataType::Double,
        serde_json::Value::String(text) => date_or_text(text.as_bytes()),
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => DataType::Varchar,
    })
}
