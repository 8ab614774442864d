//! The reader: pulls chunks from splits and deals them to partitions.
//!
//! It is the only machine that looks at a clock, and stamps what it deals: that a split is idle, and what time it was when a
//! chunk was read, thereby become facts of the input that all partitions see at the same place in it. The splits of a
//! bounded source are read one after another, unless partitions keep them, or abreast ([`super::abreast`]) where several
//! inputs meet by event time; those of an unbounded one in rotation, because none of them ends.

use super::Step;
use super::abreast::Abreast;
use super::message::{Input, Returned};
use crate::batch::{ChunkSource, Pull};
use crate::error::Result;
use crate::metrics::QueueWriter;
use crate::plan::Deal;
use crate::ring::{Consumer, Producer};
use crate::time::{Clock, SplitState};
use crate::types::{EventTime, SplitId};

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
    /// Whether the splits end by themselves.
    pub bounded: bool,
    /// Whether to read them abreast.
    pub abreast: bool,
    /// How long a split of an unbounded source may have nothing before it is idle, in microseconds; `None` for ever.
    pub idle_timeout_us: Option<i64>,
    /// What time it is.
    pub clock: Clock,
    /// Rows of a chunk at most.
    pub batch_rows: usize,
    /// To each partition that this reader feeds.
    pub to: Vec<Producer<Input>>,
    /// Decoded chunks, from each.
    pub returns: Vec<Consumer<Returned>>,
    /// Live counts of what is dealt to each.
    pub queues: Vec<QueueWriter>,
}

/// What a reader did.
#[derive(Debug, Clone, Default)]
pub struct ReaderStats {
    /// Chunks dealt.
    pub chunks: u64,
    /// Most descriptors that waited, per partition.
    pub queue_high_water: Vec<usize>,
}

/// How far a split is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadState {
    /// It had a record when it was asked last.
    Live,
    /// It had none since then.
    Waiting(EventTime),
    /// It had none for so long that partitions were told.
    Idle,
    /// It has no more.
    Ended,
}

/// The state machine. It stops when it is told to, as if its splits had ended.
pub struct Reader {
    parts: ReaderParts,
    states: Vec<ReadState>,
    /// Splits that had less than a batch at hand when they were asked last.
    sparse: Vec<bool>,
    /// Index of the split to pull next.
    current: usize,
    abreast: Option<Abreast>,
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
        let states = vec![ReadState::Live; parts.splits.len()];
        let abreast = parts.abreast.then(|| Abreast::new(parts.splits.len(), parts.to.len()));
        Self {
            sparse: vec![false; states.len()],
            parts,
            states,
            current: 0,
            abreast,
            turn: 0,
            held: None,
            chunks: 0,
            pending_splits: 0,
            least_wait_ns: 0,
        }
    }

    /// What it did.
    pub fn stats(&self) -> ReaderStats {
        ReaderStats { chunks: self.chunks, queue_high_water: self.parts.to.iter().map(Producer::high_water).collect() }
    }

    /// Pulls and deals one chunk. With `stop`, ends: what was dealt is still processed.
    pub fn step(&mut self, stop: bool) -> Result<Step> {
        self.take_back();
        if let Some((partition, input)) = self.held.take() {
            return Ok(self.send(partition, input));
        }
        if stop || self.parts.to.iter().all(Producer::is_abandoned) {
            return Ok(Step::Done);
        }
        let Some(index) = self.choose() else {
            let all_ended = self.states.iter().all(|&state| state == ReadState::Ended);
            return Ok(if all_ended { Step::Done } else { Step::Idle });
        };
        if self.is_to_gather(index) {
            return Ok(Step::Idle);
        }
        match self.parts.splits[index].source.pull(self.parts.batch_rows)? {
            Pull::Chunk(chunk) => {
                self.chunks += 1;
                self.pending_splits = 0;
                self.states[index] = ReadState::Live;
                let read_at = self.parts.clock.now();
                if chunk.records as usize >= self.parts.batch_rows {
                    self.sparse[index] = false;
                }
                let partition = self.partition_of(self.parts.splits[index].id);
                self.parts.queues[partition].chunk_read(read_at.0);
                if let Some(abreast) = &mut self.abreast {
                    abreast.dealt(index, partition);
                }
                Ok(self.deal(index, |turn| Input::Chunk { turn, chunk, read_at }))
            }
            Pull::End => {
                self.states[index] = ReadState::Ended;
                Ok(self.deal_state(index, SplitState::Ended, self.parts.clock.now()))
            }
            Pull::Pending(wait_ns) => {
                self.sparse[index] = true;
                Ok(self.pending(index, wait_ns))
            }
        }
    }

    /// Instead of a step, while the job is paused: pulls nothing. A split that is not asked is not idle.
    pub fn rest(&mut self) -> Step {
        self.take_back();
        if let Some((partition, input)) = self.held.take() {
            return self.send(partition, input);
        }
        if self.parts.to.iter().all(Producer::is_abandoned) {
            return Step::Done;
        }
        for state in &mut self.states {
            if let ReadState::Waiting(_) = state {
                *state = ReadState::Live;
            }
        }
        Step::IdleFor(Self::REST_NS)
    }

    /// Between two looks at whether a pause is over. Any value is correct.
    const REST_NS: u64 = 10_000_000;

    /// Gives buffers of decoded chunks back to their splits.
    fn take_back(&mut self) {
        for (partition, returned) in self.parts.returns.iter_mut().enumerate() {
            while let Some(Returned { chunk, greatest }) = returned.pop() {
                if let Some(abreast) = &mut self.abreast {
                    abreast.returned(partition, greatest);
                }
                if let Some(split) = self.parts.splits.iter_mut().find(|s| s.id == chunk.split()) {
                    split.source.recycle(chunk);
                }
            }
            if let Some(abreast) = self.abreast.as_mut().filter(|_| self.parts.to[partition].is_abandoned()) {
                abreast.gone(partition);
            }
        }
    }

    /// A split has nothing now.
    fn pending(&mut self, index: usize, wait_ns: u64) -> Step {
        if let Some(timeout_us) = self.parts.idle_timeout_us.filter(|_| !self.parts.bounded) {
            let now = self.parts.clock.now();
            match self.states[index] {
                ReadState::Live => self.states[index] = ReadState::Waiting(now),
                ReadState::Waiting(since) if now.0.saturating_sub(since.0) >= timeout_us => {
                    self.states[index] = ReadState::Idle;
                    return self.deal_state(index, SplitState::Idle, now);
                }
                _ => {}
            }
        }
        // Where splits are read in rotation, only a whole one without a record is a reason to sleep.
        self.least_wait_ns = if self.pending_splits == 0 { wait_ns } else { self.least_wait_ns.min(wait_ns) };
        self.pending_splits += 1;
        let open = self.states.iter().filter(|&&state| state != ReadState::Ended).count();
        if self.rotates() && self.pending_splits < open {
            return Step::Worked;
        }
        self.pending_splits = 0;
        Step::IdleFor(self.least_wait_ns)
    }

    fn partition_of(&self, split: SplitId) -> usize {
        match self.parts.deal {
            Deal::RoundRobin => (self.turn % self.parts.to.len() as u64) as usize,
            Deal::BySplit => split.0 as usize % self.parts.to.len(),
            Deal::Own => 0,
        }
    }

    /// Whether a split shall wait although its ring has room: what comes little by little is not to fill a ring with crumbs. It
    /// gathers at the source while a partition has so much to do, so that batches grow; once less than half of the
    /// ring is in use it is woken ([`crate::ring::Consumer::wake_seldom`]).
    fn is_to_gather(&self, index: usize) -> bool {
        let ring = &self.parts.to[self.partition_of(self.parts.splits[index].id)];
        self.sparse[index] && ring.depth() >= ring.room().max(1) && !ring.is_abandoned()
    }

    /// Whether splits are read in rotation, else one after another.
    fn rotates(&self) -> bool {
        self.parts.deal == Deal::BySplit || !self.parts.bounded
    }

    /// The split to pull: one after another where input order counts, abreast where event time does, else in turn, passing over
    /// full partitions.
    fn choose(&mut self) -> Option<usize> {
        let splits = self.parts.splits.len();
        let open = |index: &usize| self.states[*index] != ReadState::Ended;
        if let Some(abreast) = &mut self.abreast {
            return abreast.choose(|index| self.states[index] != ReadState::Ended);
        }
        if !self.rotates() {
            return (0..splits).find(open);
        }
        // Where chunks are dealt in turn, in which order splits are read must not depend on how fast partitions are.
        let passes_over = self.parts.deal != Deal::RoundRobin;
        let ready = |index: &usize| {
            let has_room = self.parts.to[self.partition_of(self.parts.splits[*index].id)].has_room();
            open(index) && has_room && !(passes_over && self.is_to_gather(*index))
        };
        let found = (0..splits).map(|step| (self.current + step) % splits).find(ready)?;
        if self.is_to_gather(found) {
            return None;
        }
        self.current = (found + 1) % splits;
        Some(found)
    }

    fn deal_state(&mut self, index: usize, state: SplitState, read_at: EventTime) -> Step {
        let split = self.parts.splits[index].id;
        self.deal(index, |turn| Input::Split { turn, split, state, read_at })
    }

    /// Deals what a split gave, as the next turn.
    fn deal(&mut self, index: usize, input: impl FnOnce(u64) -> Input) -> Step {
        let partition = self.partition_of(self.parts.splits[index].id);
        let input = input(self.turn);
        self.turn += 1;
        self.send(partition, input)
    }

    fn send(&mut self, partition: usize, input: Input) -> Step {
        let ring = &mut self.parts.to[partition];
        match ring.push(input) {
            Ok(()) => {
                self.parts.queues[partition].dealt();
                Step::Worked
            }
            // A partition that is gone ended the job; its chunks go nowhere.
            Err(_) if ring.is_abandoned() => Step::Worked,
            Err(input) => {
                self.held = Some((partition, input));
                Step::Idle
            }
        }
    }
}
