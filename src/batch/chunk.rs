//! Chunks of undecoded input, and the two faces of every source: one that cuts chunks, one that decodes them.

use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::error::Result;
use crate::types::{Sequence, SplitId};

/// Bytes read from a split, shared by the chunks cut from them. The reader writes into it again once every chunk came
/// back through the return ring.
#[derive(Debug, Default)]
pub struct Block {
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a chunk holds, by source.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Whole text records: `block.bytes[start..end]`.
    Bytes {
        /// Shared bytes.
        block: Arc<Block>,
        /// First byte.
        start: usize,
        /// Past the last byte.
        end: usize,
    },
    /// Rows `offset..offset + rows` of a record batch that is in memory already, projected to what the query reads.
    Columns {
        /// The batch.
        batch: Arc<RecordBatch>,
        /// First row.
        offset: usize,
        /// Number of rows.
        rows: usize,
    },
    /// Rows `first..first + rows` of a generator.
    Generated {
        /// First row.
        first: u64,
        /// Number of rows.
        rows: u32,
    },
    /// A row group (Parquet) or record batch (Arrow IPC) of a file that the decoder opens itself.
    Group {
        /// The file.
        path: Arc<std::path::Path>,
        /// Index of the group in the file.
        index: usize,
    },
}

/// A piece of one split, cut on record boundaries and numbered.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Its place in the input.
    pub sequence: Sequence,
    /// Number of its first record in the split: for text the line, from 1; else the row, from 1. For error reports.
    pub first_record: u64,
    /// Records in it, as far as the reader knows (an estimate for text with quoted newlines).
    pub records: u32,
    /// The data.
    pub payload: Payload,
}

impl Chunk {
    /// Bytes of text in it; 0 for other payloads.
    pub fn size_bytes(&self) -> usize {
        match &self.payload {
            Payload::Bytes { start, end, .. } => end - start,
            _ => 0,
        }
    }

    /// Its split.
    pub fn split(&self) -> SplitId {
        self.sequence.split()
    }
}

/// What a split says when asked for its next chunk.
#[derive(Debug)]
pub enum Pull {
    /// A chunk.
    Chunk(Chunk),
    /// Nothing now, maybe later: after so many nanoseconds, as far as the split knows.
    Pending(u64),
    /// Nothing ever again.
    End,
}

/// The reader's face of one split: finds record boundaries, decodes nothing.
pub trait ChunkSource: Send {
    /// What to call the split in reports: the path, `stdin`, `generator`.
    fn name(&self) -> &str;

    /// The next chunk, of at most `rows_max` records where records can be told apart without decoding. Numbers them
    /// 0, 1, 2, … within the split.
    fn pull(&mut self, rows_max: usize) -> Result<Pull>;

    /// Takes back a chunk that was decoded, to use its memory again.
    fn recycle(&mut self, chunk: Chunk);
}

/// Decoded rows: a slice of a record batch whose columns are those the query reads, in canonical types.
#[derive(Debug, Clone)]
pub struct Slice {
    /// The batch.
    pub batch: Arc<RecordBatch>,
    /// First row.
    pub offset: usize,
    /// Number of rows.
    pub rows: usize,
}

/// A record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Line (text) or row (else) in the split, from 1.
    pub record: u64,
    /// Why, as a user reads it: `column "price": 'abc' is not a DOUBLE`.
    pub reason: String,
    /// The record as read.
    pub raw: Vec<u8>,
}

/// What became of a chunk. Kept and cleared by the partition, so that steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Rows, in order.
    pub slices: Vec<Slice>,
    /// Records that could not be decoded, in order.
    pub failures: Vec<Failure>,
}

impl Decoded {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.slices.clear();
        self.failures.clear();
    }

    /// Number of decoded rows.
    pub fn rows(&self) -> usize {
        self.slices.iter().map(|slice| slice.rows).sum()
    }
}

/// The partition's face of a source: turns chunks into rows. Each partition owns one.
///
/// The projection is given when the decoder is made: it yields those columns, in that order, and need not look at others.
pub trait Decode {
    /// Appends the chunk's rows to `into.slices` (slices of at most `rows_max` rows) and bad records to
    /// `into.failures`. An error means that the source as a whole is unusable (a truncated Parquet file), not one record.
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()>;
}
