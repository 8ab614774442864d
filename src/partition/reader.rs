//! The reader: pulls chunks from splits and deals them to partitions.

use super::Step;
use super::message::Input;
use crate::batch::{Chunk, ChunkSource, Pull};
use crate::error::Result;
use crate::plan::Deal;
use crate::ring::{Consumer, Producer};
use crate::types::SplitId;

/// One split and its number in the source.
pub struct SourceSplit {
    /// Number.
    pub id: SplitId,
    /// Cuts chunks.
    pub source: Box<dyn ChunkSource>,
}

/// What a reader is made of.
pub struct ReaderParts {
    /// Splits to read, ascending.
    pub splits: Vec<SourceSplit>,
    /// How chunks are dealt.
    pub deal: Deal,
    /// Rows of a chunk at most.
    pub batch_rows: usize,
    /// To each partition that this reader feeds.
    pub to: Vec<Producer<Input>>,
    /// Decoded chunks, from each.
    pub returns: Vec<Consumer<Chunk>>,
}

/// What a reader did.
#[derive(Debug, Clone, Default)]
pub struct ReaderStats {
    /// Chunks dealt.
    pub chunks: u64,
    /// Most descriptors that waited, per partition.
    pub queue_high_water: Vec<usize>,
}

/// The state machine. It stops when it is told to, as if its splits had ended.
pub struct Reader {
    parts: ReaderParts,
    /// Whether each split has ended.
    ended: Vec<bool>,
    /// Index of the split to pull next.
    current: usize,
    turn: u64,
    /// What found its ring full, and for which partition.
    held: Option<(usize, Input)>,
    chunks: u64,
    /// Splits in a row that had no record yet, and the shortest wait that one of them named.
    pending_splits: usize,
    least_wait_ns: u64,
}

impl Reader {
    /// A reader.
    pub fn new(parts: ReaderParts) -> Self {
        let ended = vec![false; parts.splits.len()];
        Self { parts, ended, current: 0, turn: 0, held: None, chunks: 0, pending_splits: 0, least_wait_ns: 0 }
    }

    /// What it did.
    pub fn stats(&self) -> ReaderStats {
        ReaderStats { chunks: self.chunks, queue_high_water: self.parts.to.iter().map(Producer::high_water).collect() }
    }

    /// Pulls and deals one chunk. With `stop`, ends: what was dealt is still processed.
    pub fn step(&mut self, stop: bool) -> Result<Step> {
        for returned in &mut self.parts.returns {
            while let Some(chunk) = returned.pop() {
                if let Some(split) = self.parts.splits.iter_mut().find(|s| s.id == chunk.split()) {
                    split.source.recycle(chunk);
                }
            }
        }
        if let Some((partition, input)) = self.held.take() {
            return Ok(self.deal(partition, input));
        }
        if stop || self.parts.to.iter().all(Producer::is_abandoned) {
            return Ok(Step::Done);
        }
        let Some(index) = self.choose() else {
            return Ok(if self.ended.iter().all(|&ended| ended) { Step::Done } else { Step::Idle });
        };
        let id = self.parts.splits[index].id;
        match self.parts.splits[index].source.pull(self.parts.batch_rows)? {
            Pull::Chunk(chunk) => {
                self.chunks += 1;
                self.pending_splits = 0;
                let partition = self.partition_of(id);
                let input = Input::Chunk { turn: self.turn, chunk };
                self.turn += 1;
                Ok(self.deal(partition, input))
            }
            Pull::End => {
                self.ended[index] = true;
                if self.parts.deal == Deal::RoundRobin {
                    return Ok(Step::Worked);
                }
                let partition = self.partition_of(id);
                Ok(self.deal(partition, Input::SplitEnd(id)))
            }
            Pull::Pending(wait_ns) => {
                // Where splits are read in turn, only a whole rotation without a record is a reason to sleep.
                self.least_wait_ns = if self.pending_splits == 0 { wait_ns } else { self.least_wait_ns.min(wait_ns) };
                self.pending_splits += 1;
                if self.parts.deal == Deal::BySplit && self.pending_splits < self.parts.splits.len() {
                    return Ok(Step::Worked);
                }
                self.pending_splits = 0;
                Ok(Step::IdleFor(self.least_wait_ns))
            }
        }
    }

    fn partition_of(&self, split: SplitId) -> usize {
        match self.parts.deal {
            Deal::RoundRobin => (self.turn % self.parts.to.len() as u64) as usize,
            Deal::BySplit => split.0 as usize % self.parts.to.len(),
            Deal::Own => 0,
        }
    }

    /// The split to pull: one after another where input order counts, else in turn, passing over full partitions.
    fn choose(&mut self) -> Option<usize> {
        let splits = self.parts.splits.len();
        match self.parts.deal {
            Deal::RoundRobin | Deal::Own => (0..splits).find(|&index| !self.ended[index]),
            Deal::BySplit => {
                let start = self.current;
                let ready = |index: &usize| {
                    let partition = self.partition_of(self.parts.splits[*index].id);
                    !self.ended[*index] && self.parts.to[partition].has_room()
                };
                let found = (0..splits).map(|step| (start + step) % splits).find(ready)?;
                self.current = (found + 1) % splits;
                Some(found)
            }
        }
    }

    fn deal(&mut self, partition: usize, input: Input) -> Step {
        match self.parts.to[partition].push(input) {
            Ok(()) => Step::Worked,
            // A partition that is gone ended the job; its chunks go nowhere.
            Err(_) if self.parts.to[partition].is_abandoned() => Step::Worked,
            Err(input) => {
                self.held = Some((partition, input));
                Step::Idle
            }
        }
    }
}
