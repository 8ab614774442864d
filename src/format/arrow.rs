//! Arrow IPC: the file format by record batch, as Parquet by row group; the stream format decoded by the reader itself.
//!
//! A stream has no index and must be read in order, so its reader hands over record batches that are in memory already.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, FileReaderBuilder, StreamReader};
use arrow_schema::SchemaRef;

use super::columns::push_slices;
use super::conform::{Located, finish, guard, locate, shown};
use super::options::TimestampUnit;
use super::source::{Input, SourceFormat, open as open_file};
use crate::batch::{Chunk, ChunkSource, Decode, Decoded, Payload, Pull, Slice};
use crate::error::{Error, Result};
use crate::types::{Schema, Sequence, SplitId};

/// What an Arrow IPC file starts with; a stream does not.
const FILE_MAGIC: &[u8] = b"ARROW1";
/// Files that a decoder keeps open.
const OPEN_FILES_MAX: usize = 8;

fn broken(name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Data(format!("{name} is not a readable arrow file: {error}"))
}

/// Whether the file is in the file format; it is left at its start.
fn is_file_format(file: &mut File, path: &Path) -> Result<bool> {
    let mut magic = Vec::new();
    let mut front = Read::by_ref(file).take(FILE_MAGIC.len() as u64);
    front.read_to_end(&mut magic).map_err(|error| Error::io("read", path, &error))?;
    file.seek(SeekFrom::Start(0)).map_err(|error| Error::io("read", path, &error))?;
    Ok(magic == FILE_MAGIC)
}

/// The schema of a file or stream.
pub(super) fn schema(mut file: File, path: &Path) -> Result<SchemaRef> {
    if is_file_format(&mut file, path)? {
        return Ok(file_reader(file, &shown(path), None)?.schema());
    }
    Ok(stream_reader(Box::new(file), &shown(path))?.schema())
}

/// Makes the reader of one split.
pub(super) fn open(
    format: &Arc<SourceFormat>,
    split: SplitId,
    input: Input,
    projection: &[usize],
) -> Result<Box<dyn ChunkSource>> {
    match input {
        Input::File(path) => {
            let mut file = open_file(&path)?;
            if !is_file_format(&mut file, &path)? {
                return StreamSource::boxed(format, split, shown(&path), Box::new(file), projection);
            }
            let reader = file_reader(file, &shown(&path), None)?;
            Ok(Box::new(ArrowSource {
                split,
                name: shown(&path),
                path: path.into(),
                groups: reader.num_batches(),
                next: 0,
            }))
        }
        Input::Stream(name, reader) => StreamSource::boxed(format, split, name, reader, projection),
        Input::Range(path, _) => Err(Error::Config(format!("{}: an arrow file cannot be cut", path.display()))),
    }
}

fn file_reader(file: File, name: &str, projection: Option<Vec<usize>>) -> Result<FileReader<BufReader<File>>> {
    let builder = FileReaderBuilder::new();
    let builder = match projection {
        Some(projection) => builder.with_projection(projection),
        None => builder,
    };
    guard(|error| broken(name, error), || builder.build(BufReader::new(file)))
}

type Stream = StreamReader<BufReader<Box<dyn Read + Send>>>;

fn stream_reader(reader: Box<dyn Read + Send>, name: &str) -> Result<Stream> {
    guard(|error| broken(name, error), || StreamReader::try_new(BufReader::new(reader), None))
}

/// Names the record batches of one file.
struct ArrowSource {
    split: SplitId,
    name: String,
    path: Arc<Path>,
    groups: usize,
    next: usize,
}

impl ChunkSource for ArrowSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn pull(&mut self, _rows_max: usize) -> Result<Pull> {
        if self.next == self.groups {
            return Ok(Pull::End);
        }
        let chunk = Chunk {
            sequence: Sequence::new(self.split, self.next as u64),
            // The footer does not tell rows; nothing of an Arrow file fails row by row, so nobody needs their numbers.
            first_record: 1,
            records: 0,
            payload: Payload::Group { path: Arc::clone(&self.path), index: self.next },
        };
        self.next += 1;
        Ok(Pull::Chunk(chunk))
    }

    fn recycle(&mut self, _chunk: Chunk) {}
}

/// Reads a stream and hands over slices of its record batches.
struct StreamSource {
    split: SplitId,
    name: String,
    reader: Stream,
    located: Located,
    projected: Schema,
    unit: Option<TimestampUnit>,
    /// The batch being handed over, and its rows that are gone.
    batch: Option<(Arc<RecordBatch>, usize)>,
    number: u64,
    rows: u64,
}

impl StreamSource {
    fn boxed(
        format: &SourceFormat,
        split: SplitId,
        name: String,
        reader: Box<dyn Read + Send>,
        projection: &[usize],
    ) -> Result<Box<dyn ChunkSource>> {
        let reader = stream_reader(reader, &name)?;
        let mut located = locate(&reader.schema(), &format.schema, projection, &name)?;
        located.all_read();
        let projected = format.schema.project(projection);
        let unit = format.options.timestamp_unit;
        Ok(Box::new(Self { split, name, reader, located, projected, unit, batch: None, number: 0, rows: 0 }))
    }
}

impl ChunkSource for StreamSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn pull(&mut self, rows_max: usize) -> Result<Pull> {
        let (batch, offset) = loop {
            match self.batch.take() {
                Some((batch, offset)) if offset < batch.num_rows() => break (batch, offset),
                _ => {}
            }
            let batch = guard(|error| broken(&self.name, error), || self.reader.next().transpose())?;
            let Some(batch) = batch else { return Ok(Pull::End) };
            let batch = finish(&batch, &self.located, &self.projected, self.unit, &self.name)?;
            self.batch = Some((Arc::new(batch), 0));
        };
        let rows = (batch.num_rows() - offset).min(rows_max.max(1));
        let chunk = Chunk {
            sequence: Sequence::new(self.split, self.number),
            first_record: self.rows + 1,
            records: rows as u32,
            payload: Payload::Columns { batch: Arc::clone(&batch), offset, rows },
        };
        self.batch = Some((batch, offset + rows));
        self.number += 1;
        self.rows += rows as u64;
        Ok(Pull::Chunk(chunk))
    }

    fn recycle(&mut self, _chunk: Chunk) {}
}

/// A file that a decoder has open.
struct OpenFile {
    path: Arc<Path>,
    reader: FileReader<BufReader<File>>,
    located: Located,
}

/// Decodes record batches of files, and passes those of streams on.
pub(super) struct ArrowDecoder {
    schema: Schema,
    projection: Vec<usize>,
    projected: Schema,
    unit: Option<TimestampUnit>,
    /// Least recently used first.
    open: Vec<OpenFile>,
}

impl ArrowDecoder {
    pub(super) fn new(format: &SourceFormat, projection: &[usize]) -> Self {
        Self {
            schema: format.schema.clone(),
            projection: projection.to_vec(),
            projected: format.schema.project(projection),
            unit: format.options.timestamp_unit,
            open: Vec::new(),
        }
    }

    fn file(&mut self, path: &Arc<Path>) -> Result<&mut OpenFile> {
        let opened = match self.open.iter().position(|open| open.path == *path) {
            Some(index) => self.open.remove(index),
            None => {
                let name = shown(path);
                let schema = file_reader(open_file(path)?, &name, None)?.schema();
                let located = locate(&schema, &self.schema, &self.projection, &name)?;
                let reader = file_reader(open_file(path)?, &name, Some(located.read.clone()))?;
                OpenFile { path: Arc::clone(path), reader, located }
            }
        };
        if self.open.len() >= OPEN_FILES_MAX {
            self.open.remove(0);
        }
        self.open.push(opened);
        Ok(self.open.last_mut().expect("one was pushed"))
    }
}

impl Decode for ArrowDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        match &chunk.payload {
            Payload::Columns { batch, offset, rows } => {
                into.slices.push(Slice { batch: Arc::clone(batch), offset: *offset, rows: *rows });
                Ok(())
            }
            Payload::Group { path, index } => {
                let (projected, unit) = (self.projected.clone(), self.unit);
                let open = self.file(path)?;
                let name = shown(path);
                let reader = &mut open.reader;
                let batch = guard(
                    |error| broken(&name, error),
                    || reader.set_index(*index).and_then(|()| reader.next().transpose()),
                )?;
                let Some(batch) = batch else {
                    return Err(broken(&name, &format!("no record batch {index}")));
                };
                push_slices(finish(&batch, &open.located, &projected, unit, &name)?, rows_max, into);
                Ok(())
            }
            _ => Err(Error::Data("an arrow decoder was given a chunk that is no record batch".into())),
        }
    }
}
