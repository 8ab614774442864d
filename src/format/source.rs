//! A source's format: makes a reader for each split and a decoder for each partition.
//!
//! One [`SourceFormat`] is shared by all readers and decoders of a source. It carries the one thing that a reader learns
//! and decoders need: the header of each CSV file, put there before the split's first chunk exists. Once set it is only read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::csv::{CsvDecoder, Header};
use super::frame::{FILE_BLOCK_BYTES, Frame, OnHeader, PIPE_BLOCK_BYTES};
use super::json::JsonDecoder;
use super::options::{Format, FormatOptions};
use super::split::ByteRange;
use super::{arrow, parquet};
use crate::batch::{ChunkSource, Decode};
use crate::error::{Error, Result};
use crate::types::{Schema, Sequence, SplitId};

/// What a split is read from.
pub enum Input {
    /// A whole file.
    File(PathBuf),
    /// A part of a text file, cut by [`super::split_points`].
    Range(PathBuf, ByteRange),
    /// A stream that is read once, and what to call it: standard input.
    Stream(String, Box<dyn Read + Send>),
}

impl Input {
    fn name(&self) -> String {
        match self {
            Self::File(path) | Self::Range(path, _) => path.display().to_string(),
            Self::Stream(name, _) => name.clone(),
        }
    }
}

/// The format of one source: options, declared columns, and what its files say about themselves.
pub struct SourceFormat {
    pub(super) options: FormatOptions,
    pub(super) schema: Schema,
    /// By split. Set by the split's reader before its first chunk.
    headers: Box<[OnceLock<Header>]>,
}

impl SourceFormat {
    /// The format of a source with all its declared columns and this many splits.
    pub fn new(options: FormatOptions, schema: Schema, splits: usize) -> Result<Arc<Self>> {
        if splits > Sequence::SPLITS_MAX {
            return Err(Error::Config(format!("{splits} splits; the limit is {}", Sequence::SPLITS_MAX)));
        }
        if options.format == Format::Table {
            return Err(Error::Config("format 'table' is for output only".into()));
        }
        let header = || match options.has_header() {
            true => OnceLock::new(),
            false => OnceLock::from(Header::by_position(&schema)),
        };
        let headers = (0..splits).map(|_| header()).collect();
        Ok(Arc::new(Self { options, schema, headers }))
    }

    /// The format's options.
    pub fn options(&self) -> &FormatOptions {
        &self.options
    }

    /// All declared columns.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The reader of one split. A missing file or a broken footer is an error here; a header that lacks a declared
    /// column is one at the first pull. `projection` matters to Arrow streams only, which the reader itself decodes.
    pub fn reader(
        self: &Arc<Self>,
        split: SplitId,
        input: Input,
        projection: &[usize],
    ) -> Result<Box<dyn ChunkSource>> {
        assert!((split.0 as usize) < self.headers.len(), "the source was made for fewer splits");
        match self.options.format {
            Format::Csv | Format::Json => Ok(Box::new(self.frame(split, input)?)),
            Format::Parquet => match input {
                Input::File(path) => Ok(Box::new(parquet::ParquetSource::open(split, &path)?)),
                _ => Err(Error::Config(format!("{}: parquet needs a whole file, not a stream", input.name()))),
            },
            Format::Arrow => arrow::open(self, split, input, projection),
            Format::Table => Err(Error::Config("format 'table' is for output only".into())),
        }
    }

    /// A decoder for one partition; `projection` are indices into the schema, in the order wanted.
    pub fn decoder(self: &Arc<Self>, projection: &[usize]) -> Box<dyn Decode + Send> {
        match self.options.format {
            Format::Csv => Box::new(CsvDecoder::new(Arc::clone(self), projection)),
            Format::Json => Box::new(JsonDecoder::new(self, projection)),
            Format::Parquet => Box::new(parquet::ParquetDecoder::new(self, projection)),
            Format::Arrow | Format::Table => Box::new(arrow::ArrowDecoder::new(self, projection)),
        }
    }

    /// The header of a split.
    pub(super) fn header(&self, split: SplitId) -> Result<&Header> {
        let header = self.headers.get(split.0 as usize).and_then(OnceLock::get);
        header.ok_or_else(|| Error::Data(format!("split {} has a chunk but no header", split.0)))
    }

    fn frame(self: &Arc<Self>, split: SplitId, input: Input) -> Result<Frame> {
        let name = input.name();
        let blank_records = self.options.format == Format::Csv && self.schema.len() == 1;
        let frame = match input {
            Input::File(path) => {
                let on_header = self.on_header(split, &name);
                Frame::new(split, name, Box::new(open(&path)?), &self.options, on_header, FILE_BLOCK_BYTES)
            }
            Input::Stream(_, reader) => {
                let on_header = self.on_header(split, &name);
                Frame::new(split, name, reader, &self.options, on_header, PIPE_BLOCK_BYTES)
            }
            Input::Range(path, range) => {
                let mut file = open(&path)?;
                let mut on_header = self.on_header(split, &name);
                let is_first = range.start == 0;
                if !is_first && on_header.is_some() {
                    // The header stands at the front of the file, in another range.
                    let front = Box::new(open(&path)?);
                    Frame::new(split, name.clone(), front, &self.options, on_header.take(), PIPE_BLOCK_BYTES)
                        .next_chunk(1)?;
                }
                file.seek(SeekFrom::Start(range.start)).map_err(|error| Error::io("read", &path, &error))?;
                let part = Box::new(file.take(range.end.saturating_sub(range.start)));
                let frame = Frame::new(split, name, part, &self.options, on_header, FILE_BLOCK_BYTES);
                if is_first { frame } else { frame.starting_at_line(range.first_line.unwrap_or(1)) }
            }
        };
        let known_width = self.headers[split.0 as usize].get().map(|header| header.fields == 1);
        Ok(frame.with_blank_records(known_width.unwrap_or(blank_records) && self.options.format == Format::Csv))
    }

    /// What to do with the header record of a split; `None` if there is none.
    fn on_header(self: &Arc<Self>, split: SplitId, name: &str) -> Option<OnHeader> {
        if !self.options.has_header() {
            return None;
        }
        let (format, name) = (Arc::clone(self), name.to_string());
        Some(Box::new(move |record| {
            if std::str::from_utf8(record).is_err() {
                return Err(Error::Data(format!("{name}: the header is not valid UTF-8")));
            }
            let header = Header::by_name(record, &format.options, &format.schema, &name)?;
            let blank_is_record = header.fields == 1;
            // A split that is opened again finds the same header.
            let _ = format.headers[split.0 as usize].set(header);
            Ok(blank_is_record)
        }))
    }
}

/// Opens a file to read; a directory is an error here, not at the first read.
pub(super) fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|error| Error::io("open", path, &error))?;
    let is_directory = file.metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_directory {
        return Err(Error::io("open", path, &std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    Ok(file)
}
