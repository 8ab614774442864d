//! The partition: decodes chunks, runs them through its stages, exchanges, and sends what comes out to the writer.
//!
//! One step does, in this order: send what waits; as an owner, take what others sent; decode the next chunk and publish
//! its mark of event time; run a decoded chunk whose watermark is known. Output is never produced while earlier output
//! waits, so memory is bounded by what one chunk (or one closing pane) yields.

use bumpalo::Bump;

use super::Step;
use super::ledger::Ledger;
use super::mesh::Mesh;
use super::message::{DeadLetter, Input, Mark, OutputRows, PartialMessage, RowsMessage, ScatteredRows};
use super::output::OutputPort;
use crate::batch::{Batch, BatchBuffer, Chunk, Decode, Decoded, Failure, RowOrder, Slice, view};
use crate::error::{Error, Result};
use crate::limits::FAILURE_SAMPLES;
use crate::metrics::Counter;
use crate::operator::expr::{Evaluator, RowFailures};
use crate::operator::{Context, Counts, GroupBy, MergePanes, OnError};
use crate::pipeline::{ExchangeStage, Frontier, Stages};
use crate::ring::{Consumer, Producer};
use crate::state::{KeyHasher, PartialGroups, encode_keys};
use crate::types::{EventTime, OrderKey, Schema, Sequence, SplitId};

/// What a partition is made of. Everything in it may cross threads; the partition itself is made on its own thread.
pub struct PartitionParts {
    /// Its number.
    pub index: usize,
    /// Number of partitions.
    pub partitions: usize,
    /// Rows of a batch at most.
    pub batch_rows: usize,
    /// What to do with records that fail.
    pub on_error: OnError,
    /// Event-time column of what is decoded, if the query depends on it.
    pub event_time_column: Option<usize>,
    /// Whether chunks come in turns (else the partition keeps splits).
    pub in_turns: bool,
    /// Hashes of keys.
    pub hasher: KeyHasher,
    /// Chunks.
    pub input: Consumer<Input>,
    /// Decoded chunks, back to the reader.
    pub returns: Producer<(SplitId, Chunk)>,
    /// Decoder.
    pub decoder: Box<dyn Decode + Send>,
    /// Event time.
    pub ledger: Option<Ledger>,
    /// Rows of other partitions' chunks.
    pub rows_mesh: Option<Mesh<RowsMessage, ScatteredRows>>,
    /// Groups of other partitions' panes.
    pub partials_mesh: Option<Mesh<PartialMessage, PartialGroups>>,
    /// To the writer.
    pub output: Producer<super::Output>,
    /// From the writer.
    pub output_returns: Consumer<OutputRows>,
    /// Whether output rows need keys one by one.
    pub output_keyed: bool,
    /// Whether the writer waits for promises.
    pub ordered: bool,
    /// Records decoded, for whoever watches.
    pub records: Counter,
}

/// What a partition did.
#[derive(Debug, Clone, Default)]
pub struct PartitionStats {
    /// Records taken from chunks, failed ones included.
    pub records: u64,
    /// Batches run.
    pub batches: u64,
    /// Rows sent to the writer.
    pub emitted: u64,
    /// What became of records.
    pub counts: Counts,
    /// The first records that could not be decoded or computed.
    pub failures: Vec<DeadLetter>,
    /// Rows that stayed where they were decoded.
    pub natural: u64,
    /// Rows that moved to the owner of their key.
    pub repartitioned: u64,
}

/// A decoded chunk that waits for its watermark.
struct Pending {
    turn: u64,
    split: SplitId,
    chunk: Chunk,
}

/// The state machine.
pub struct Partition {
    parts: PartitionParts,
    stages: Stages,
    output: OutputPort,
    arena: Bump,
    decoded: Decoded,
    pending: Option<Pending>,
    /// Watermark that operators were told last.
    advanced: EventTime,
    /// The next turn an owner takes rows of.
    next_turn: u64,
    /// Watermark up to which each partition has sent its partial panes.
    closed: Vec<EventTime>,
    /// Rows per owner, while a batch is scattered.
    scatter: Vec<Vec<u32>>,
    input_done: bool,
    owner_done: bool,
    stats: PartitionStats,
}

impl Partition {
    /// Groups in one message of a closed pane. Any value is correct.
    const PARTIAL_GROUPS: usize = 4096;

    /// A partition with `stages`.
    pub fn new(mut parts: PartitionParts, stages: Stages, output: OutputParts) -> Self {
        let partitions = parts.partitions;
        parts.ledger = parts.ledger.take();
        Self {
            output: OutputPort::new(output.to, output.given_back, stages.output.clone(), parts.output_keyed, parts.batch_rows),
            stages,
            arena: Bump::new(),
            decoded: Decoded::default(),
            pending: None,
            advanced: EventTime::MIN,
            next_turn: 0,
            closed: vec![EventTime::MIN; partitions],
            scatter: vec![Vec::new(); partitions],
            input_done: false,
            owner_done: false,
            stats: PartitionStats::default(),
            parts,
        }
    }
}

/// Ends of the rings to the writer.
pub struct OutputParts {
    /// To the writer.
    pub to: Producer<super::Output>,
    /// Buffers back.
    pub given_back: Consumer<OutputRows>,
}
