//! What a partition is made of, and what it did: plain values that cross threads.

use super::exchange::MeshEnds;
use super::ledger::Ledger;
use super::message::{DeadLetter, Input, Output, OutputRows, Returned};
use crate::batch::Decode;
use crate::kernel::Simd;
use crate::metrics::{LatenessHistogram, MemoryShare, ProgressWriter};
use crate::operator::OnError;
use crate::plan::MaxFuture;
use crate::ring::{Consumer, Producer};
use crate::state::KeyHasher;
use crate::time::WatermarkState;

/// What a partition is made of. All of it may cross threads; the partition itself is made on its own thread, so that it
/// touches its memory first.
pub struct PartitionParts {
    /// Its number.
    pub index: usize,
    /// Number of partitions.
    pub partitions: usize,
    /// Rows of a batch at most.
    pub batch_rows: usize,
    /// What to do with records that fail.
    pub on_error: OnError,
    /// The vectors that kernels may use.
    pub simd: Simd,
    /// Event-time column of what is decoded, if the query depends on it.
    pub event_time_column: Option<usize>,
    /// Whether chunks come in turns (else the partition keeps splits).
    pub in_turns: bool,
    /// Whether the splits are read abreast: then a row's place is that in its split, not the turn in which it came.
    pub abreast: bool,
    /// Whether results that left are corrected by late records.
    pub corrects: bool,
    /// Places of a record: as many as rows may come of it.
    pub places: u32,
    /// How far the watermark advances before operators are told again.
    pub min_advance_us: i64,
    /// How far ahead of the clock records may be.
    pub max_future: MaxFuture,
    /// Whether the writer waits for promises.
    pub ordered: bool,
    /// Hashes of keys.
    pub hasher: KeyHasher,
    /// Chunks.
    pub input: Consumer<Input>,
    /// Decoded chunks, back to the reader.
    pub returns: Producer<Returned>,
    /// Decoder.
    pub decoder: Box<dyn Decode + Send>,
    /// Event time; `None` if the query does not depend on it.
    pub ledger: Option<Ledger>,
    /// The way to other partitions.
    pub mesh: MeshEnds,
    /// To the writer.
    pub output: Producer<Output>,
    /// Emptied buffers from the writer.
    pub output_returns: Consumer<OutputRows>,
    /// Live counts.
    pub progress: ProgressWriter,
    /// Memory that state may take, if that is limited.
    pub memory: Option<MemoryShare>,
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
    /// Records for which WHERE was not true.
    pub filtered: u64,
    /// Late records, dropped or not.
    pub late: u64,
    /// Late records that were dropped.
    pub dropped: u64,
    /// How late they were.
    pub lateness: LatenessHistogram,
    /// Rows among `emitted` that correct rows that were sent before.
    pub corrected: u64,
    /// How far event time had come when the input ended, and after how many turns; of partitions that share turns the one
    /// with most knows best.
    pub watermark: Option<(u64, WatermarkState)>,
    /// Records that could not be decoded or computed.
    pub failed: u64,
    /// The first of those.
    pub failures: Vec<DeadLetter>,
    /// Rows or groups that stayed where they were.
    pub natural: u64,
    /// Rows or groups that moved to the owner of their key.
    pub repartitioned: u64,
}
