//! What travels through the rings.

use crate::batch::{BatchBuffer, Chunk, Failure};
use crate::state::PartialGroups;
use crate::time::{PaneId, SplitState};
use crate::types::{EventTime, OrderKey, Sequence, SplitId};

use super::mesh::Emptied;

/// From the reader to a partition. The end of input is the end of the ring.
#[derive(Debug)]
pub enum Input {
    /// A chunk.
    Chunk {
        /// Its number over all that the reader dealt, without gaps.
        turn: u64,
        /// The chunk.
        chunk: Chunk,
        /// The clock when it was read.
        read_at: EventTime,
    },
    /// A split became idle or ended.
    Split {
        /// As of a chunk: that it became so has its place in the order of turns.
        turn: u64,
        /// The split.
        split: SplitId,
        /// What it became.
        state: SplitState,
        /// The clock when that was found out.
        read_at: EventTime,
    },
}

/// From a partition back to its reader: a chunk that it is through with.
#[derive(Debug)]
pub struct Returned {
    /// The chunk.
    pub chunk: Chunk,
    /// How far event time goes in it; [`EventTime::MIN`] if nobody asked.
    pub greatest: EventTime,
}

/// From a partition to the writer.
#[derive(Debug)]
pub enum Output {
    /// Rows, ascending in order.
    Rows(OutputRows),
    /// No row before this key will follow.
    Frontier(OrderKey),
    /// Late records that were dropped, for the sink that takes them.
    Late(BatchBuffer),
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

/// From a partition to the owner of keys: the rows of one turn.
#[derive(Debug)]
pub struct RowsMessage {
    /// The turn; `None` at the end of input.
    pub origin: Option<Origin>,
    /// Least watermark over the splits after it.
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
    /// The clock when it was read.
    pub read_at: EventTime,
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
#[expect(clippy::large_enum_variant, reason = "most messages are groups; a box for each would be an allocation")]
pub enum PartialMessage {
    /// Some groups of that pane.
    Groups(PaneId, PartialGroups),
    /// All groups of panes that close at or before this were sent.
    Closed {
        /// The watermark.
        watermark: EventTime,
        /// Whether all splits of the sender are idle, so that it follows others.
        idle: bool,
    },
}

impl Emptied for ScatteredRows {
    const COMES_IN_CROWDS: bool = false;

    fn held_bytes(&self) -> usize {
        self.buffer.size_bytes()
    }
}

impl Emptied for PartialGroups {
    const COMES_IN_CROWDS: bool = true;

    fn held_bytes(&self) -> usize {
        Self::held_bytes(self)
    }
}

/// What a turn showed of event time, for the other partitions.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// Its split.
    pub split: SplitId,
    /// What it showed.
    pub shown: Shown,
    /// The clock when it was read.
    pub read_at: EventTime,
}

/// What a split showed.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// Records with event times up to this.
    Records(EventTime),
    /// That it is idle or has ended.
    State(SplitState),
}
