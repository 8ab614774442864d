//! Parquet: one chunk per row group; decoders open the file themselves and read the projected columns.
//!
//! Guarantees: the reader looks at the footer only; a broken file is one `Error::Data` that names it. A decoder keeps the
//! footers of the files it met last, so a row group costs no second look at them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::conform::{Located, finish, guard, locate, shown};
use super::source::{SourceFormat, open};
use super::{columns, options::TimestampUnit};
use crate::batch::{Chunk, ChunkSource, Decode, Decoded, Payload, Pull};
use crate::error::{Error, Result};
use crate::types::{Schema, Sequence, SplitId};

/// Files whose footers a decoder keeps.
const OPEN_FILES_MAX: usize = 8;
/// Least rows decoded at a time: single rows would cost more in calls than in values.
const BATCH_ROWS_MIN: usize = 1024;

pub(super) fn metadata(file: &File, path: &Path) -> Result<ArrowReaderMetadata> {
    guard(|error| broken(path, error), || ArrowReaderMetadata::load(file, ArrowReaderOptions::new()))
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Data(format!("{} is not a readable parquet file: {error}", path.display()))
}

/// Names the row groups of one file.
pub(super) struct ParquetSource {
    split: SplitId,
    name: String,
    path: Arc<Path>,
    /// Rows of each row group.
    group_rows: Vec<u64>,
    next: usize,
    first_row: u64,
}

impl ParquetSource {
    pub(super) fn open(split: SplitId, path: &Path) -> Result<Self> {
        let metadata = metadata(&open(path)?, path)?;
        let groups = metadata.metadata().row_groups().iter();
        let group_rows = groups.map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).collect();
        Ok(Self { split, name: shown(path), path: path.into(), group_rows, next: 0, first_row: 1 })
    }
}

impl ChunkSource for ParquetSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn pull(&mut self, _rows_max: usize) -> Result<Pull> {
        let Some(&rows) = self.group_rows.get(self.next) else { return Ok(Pull::End) };
        let chunk = Chunk {
            sequence: Sequence::new(self.split, self.next as u64),
            first_record: self.first_row,
            records: u32::try_from(rows).unwrap_or(u32::MAX),
            payload: Payload::Group { path: Arc::clone(&self.path), index: self.next },
        };
        self.next += 1;
        self.first_row += rows;
        Ok(Pull::Chunk(chunk))
    }

    fn recycle(&mut self, _chunk: Chunk) {}
}

/// A file that a decoder has open.
struct OpenFile {
    path: Arc<Path>,
    file: File,
    metadata: ArrowReaderMetadata,
    located: Located,
}

/// Decodes row groups.
pub(super) struct ParquetDecoder {
    schema: Schema,
    projection: Vec<usize>,
    projected: Schema,
    unit: Option<TimestampUnit>,
    /// Least recently used first.
    open: Vec<OpenFile>,
}

impl ParquetDecoder {
    pub(super) fn new(format: &SourceFormat, projection: &[usize]) -> Self {
        Self {
            schema: format.schema.clone(),
            projection: projection.to_vec(),
            projected: format.schema.project(projection),
            unit: format.options.timestamp_unit,
            open: Vec::new(),
        }
    }

    fn file(&mut self, path: &Arc<Path>) -> Result<&OpenFile> {
        let opened = match self.open.iter().position(|open| open.path == *path) {
            Some(index) => self.open.remove(index),
            None => {
                let file = open(path)?;
                let metadata = metadata(&file, path)?;
                let located = locate(metadata.schema(), &self.schema, &self.projection, &shown(path))?;
                OpenFile { path: Arc::clone(path), file, metadata, located }
            }
        };
        if self.open.len() >= OPEN_FILES_MAX {
            self.open.remove(0);
        }
        self.open.push(opened);
        Ok(self.open.last().expect("one was pushed"))
    }
}

impl Decode for ParquetDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        let Payload::Group { path, index } = &chunk.payload else {
            return Err(Error::Data("a parquet decoder was given a chunk that is no row group".into()));
        };
        let (projected, unit) = (self.projected.clone(), self.unit);
        let open = self.file(path)?;
        let file = open.file.try_clone().map_err(|error| Error::io("open", &**path, &error))?;
        let mask = ProjectionMask::roots(open.metadata.parquet_schema(), open.located.read.iter().copied());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, open.metadata.clone())
            .with_row_groups(vec![*index])
            .with_projection(mask)
            .with_batch_size(rows_max.max(BATCH_ROWS_MIN));
        let mut reader = guard(|error| broken(path, error), || builder.build())?;
        while let Some(batch) = guard(|error| broken(path, error), || reader.next().transpose())? {
            let batch = finish(&batch, &open.located, &projected, unit, &shown(path))?;
            columns::push_slices(batch, rows_max, into);
        }
        Ok(())
    }
}
