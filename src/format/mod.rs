//! Decoders and encoders: csv, json lines, parquet, arrow; text tables for people.
//!
//! Reading: [`FormatOptions::take`] understands the options, [`infer_schema`] finds the columns of a file that declares
//! none, and a [`SourceFormat`] makes a reader ([`SourceFormat::reader`]) for each split and a decoder
//! ([`SourceFormat::decoder`]) for each partition. Readers find record boundaries only; decoders build the projected
//! columns, in canonical Arrow types, and report records that cannot be decoded one by one.
//! Writing: [`encoder`] makes an [`Encode`] over any byte stream.
//!
//! Knows nothing of where bytes come from or go to (room `connector`), nor of SQL text and plans.

mod arrow;
mod boundary;
mod columns;
mod conform;
mod csv;
mod delimited;
mod encode;
mod field;
mod frame;
mod infer;
mod json;
mod options;
mod parquet;
mod source;
mod split;
mod table;
mod value;

pub use encode::{Encode, encoder};
pub use infer::infer_schema;
pub use options::{FORMAT_KEYS, FORMAT_OPTIONS, Format, FormatOptions, TimestampUnit};
pub use source::{Input, SourceFormat};
pub use split::{ByteRange, split_points};
