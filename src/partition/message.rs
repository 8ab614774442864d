//! What travels through the rings.

use crate::batch::{BatchBuffer, Chunk, Failure};
use crate::state::PartialGroups;
use crate::time::PaneId;
use crate::types::{EventTime, OrderKey, Sequence, SplitId};

/// From the reader to a partition. The end of input is the end of the ring.
#[derive(Debug)]
pub enum Input {
    /// A chunk.
    Chunk {
        /// Its number over all chunks that the reader dealt, without gaps.
        turn: u64,
        /// The chunk.
        chunk: Chunk,
    },
    /// A split ended (only where partitions keep splits).
    SplitEnd(SplitId),
}

/// From a partition to the writer.
#[derive(Debug)]
pub enum Output {
    /// Rows, ascending in order.
    Rows(OutputRows),
    /// No row before this key will follow.
    Frontier(OrderKey),
    /// Records that could not be decoded or computed, for the dead-letter file.
    DeadLetters(Vec<DeadLetter>),
}

/// Rows of the result.
#[derive(Debug)]
pub struct OutputRows {
    /// Columns.
    pub buffer: BatchBuffer,
    /// Key of each row; empty if no other partition has rows between the first and the last.
    pub keys: Vec<OrderKey>,
    /// Key of the first row.
    pub first: OrderKey,
}

/// A record for the dead-letter file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The split it came from.
    pub split: SplitId,
    /// The record.
    pub failure: Failure,
}

/// From a partition to the owner of keys: the rows of one chunk.
#[derive(Debug)]
pub struct RowsMessage {
    /// The chunk; `None` at the end of input.
    pub origin: Option<Origin>,
    /// Least watermark over the splits after the chunk.
    pub watermark: EventTime,
    /// Rows for this owner, if the chunk held any.
    pub rows: Option<ScatteredRows>,
}

/// Where the rows of a message come from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The chunk's place in the order of all rows.
    pub sequence: Sequence,
    /// Its split.
    pub split: SplitId,
    /// Number of its first record in the split.
    pub first_record: u64,
}

/// Some rows of a chunk.
#[derive(Debug)]
pub struct ScatteredRows {
    /// Columns.
    pub buffer: BatchBuffer,
    /// Index of each row in its chunk.
    pub rows: Vec<u32>,
    /// Stages of lateness: each with the number of rows up to its last.
    pub stages: Vec<(u32, u32)>,
}

/// From a partition to the owner of keys: groups of a closed pane.
#[derive(Debug)]
pub enum PartialMessage {
    /// Some groups of that pane.
    Groups(PaneId, PartialGroups),
    /// All groups of panes that close at or before this were sent.
    Closed(EventTime),
}

/// What a chunk showed of event time, for the other partitions.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// The chunk's split.
    pub split: SplitId,
    /// Greatest event time in the chunk.
    pub greatest: EventTime,
}
