//! The writer: merges the partitions' outputs into the order of the result and hands them to the sink.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bumpalo::Bump;

use super::Step;
use super::memory::memory_exceeded;
use super::message::{DeadLetter, Output, OutputRows};
use crate::batch::{BatchBuffer, Run, arrow_schema};
use crate::error::Result;
use crate::metrics::{MemoryShare, Meter, ProgressWriter, StageId, StageKind};
use crate::operator::Gather;
use crate::ring::{Consumer, Producer};
use crate::types::{Merging, OrderKey, Schema, not_after};

/// Where rows end up.
pub trait RowSink: Send {
    /// Takes rows of the result.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Whether rows are thrown away, so that they need not be made into record batches.
    fn discards(&self) -> bool {
        false
    }

    /// Whether the batches are kept, so that giving memory away is better than copying it to use it again.
    fn keeps(&self) -> bool {
        false
    }

    /// Lets everything written be seen, as far as the sink does that before the end (a pipe, a terminal).
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// Completes what was written: footers, buffers. Not called if the job failed.
    fn finish(self: Box<Self>) -> Result<()>;

    /// Takes late records that were dropped, if a sink was named for them.
    fn late(&mut self, batch: &RecordBatch) -> Result<()> {
        let _ = batch;
        Ok(())
    }

    /// Takes records that failed, under `on_error = 'dead_letter'`.
    fn dead_letters(&mut self, letters: &[DeadLetter]) -> Result<()> {
        let _ = letters;
        Ok(())
    }
}

/// What a writer is made of.
pub struct WriterParts {
    /// From each partition.
    pub from: Vec<Consumer<Output>>,
    /// Emptied buffers, to each.
    pub returns: Vec<Producer<OutputRows>>,
    /// Whether to merge by order key; else rows are taken as they come.
    pub ordered: bool,
    /// Whether partitions hold rows back that come before others that leave: those are kept here meanwhile, so that nobody
    /// waits for room in a ring while others wait for him.
    pub keeps_back: bool,
    /// Columns that leave the partitions.
    pub schema: Schema,
    /// Columns of late records.
    pub late_schema: Schema,
    /// Steps over the whole result.
    pub gather: Gather,
    /// Live counts.
    pub progress: ProgressWriter,
    /// Memory that state may take, if that is limited.
    pub memory: Option<MemoryShare>,
}

/// What a writer did.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriterStats {
    /// Rows handed to the sink.
    pub rows: u64,
}

/// One partition's output, as far as it was taken.
struct Lane {
    from: Consumer<Output>,
    returns: Producer<OutputRows>,
    head: Option<OutputRows>,
    /// Rows of `head` that left.
    taken: usize,
    /// No row before this will come.
    frontier: OrderKey,
    /// Taken from the ring, behind `head`, and the bytes of its rows.
    kept: VecDeque<Output>,
    kept_bytes: usize,
}

impl Lane {
    /// The next message.
    fn pop(&mut self) -> Option<Output> {
        let Some(output) = self.kept.pop_front() else { return self.from.pop() };
        if let Output::Rows(rows) = &output {
            self.kept_bytes -= rows.buffer.size_bytes();
        }
        Some(output)
    }

    /// Empties the ring; whether anything was in it.
    fn keep(&mut self) -> bool {
        let before = self.kept.len();
        while let Some(output) = self.from.pop() {
            if let Output::Rows(rows) = &output {
                self.kept_bytes += rows.buffer.size_bytes();
            }
            self.kept.push_back(output);
        }
        self.kept.len() > before
    }

    /// Whether nothing will come.
    fn is_ended(&self) -> bool {
        self.kept.is_empty() && self.from.is_ended()
    }

    /// Key of the next row, or the least that it may have.
    fn next_key(&self) -> OrderKey {
        match &self.head {
            Some(rows) => rows.keys.get(self.taken).copied().unwrap_or(rows.first),
            None => self.frontier,
        }
    }

    /// Whether there is a head none of whose rows has left, and all of them come at or before `bound`.
    fn is_whole_before(&self, bound: OrderKey) -> bool {
        self.taken == 0 && self.head.as_ref().is_some_and(|rows| rows.keys.last().is_none_or(|last| *last <= bound))
    }

    /// Rows of the head up to the last one at or before `bound`.
    fn until(&self, bound: OrderKey) -> usize {
        let Some(rows) = &self.head else { return 0 };
        if rows.keys.is_empty() {
            return rows.buffer.len();
        }
        self.taken + not_after(&rows.keys[self.taken..], bound, |key| *key)
    }

    /// Whether all rows of the head have left.
    fn is_used_up(&self) -> bool {
        self.head.as_ref().is_some_and(|rows| self.taken == rows.buffer.len())
    }
}

/// The state machine.
pub struct Writer {
    lanes: Vec<Lane>,
    ordered: bool,
    keeps_back: bool,
    schema: SchemaRef,
    late_schema: SchemaRef,
    gather: Gather,
    sink: Box<dyn RowSink>,
    /// Rows merged from several partitions.
    merged: BatchBuffer,
    /// Lanes by their next row: whether it is not there yet, and the lane.
    next: Merging<(bool, usize)>,
    /// Which rows come next, and room to list them.
    runs: Vec<Run>,
    arena: Bump,
    batch_rows: usize,
    progress: ProgressWriter,
    memory: Option<MemoryShare>,
    stats: WriterStats,
    flushed: bool,
    /// If the thread is measured: its meter, the stages of putting in order and of writing.
    measured: Option<(Rc<Meter>, StageId, StageId)>,
}

impl Writer {
    /// A writer into `sink`, which gets batches of about `batch_rows` rows where outputs are merged.
    pub fn new(parts: WriterParts, sink: Box<dyn RowSink>, batch_rows: usize) -> Self {
        let lanes = parts.from.into_iter().zip(parts.returns).map(|(from, returns)| Lane {
            from,
            returns,
            head: None,
            taken: 0,
            frontier: OrderKey::MIN,
            kept: VecDeque::new(),
            kept_bytes: 0,
        });
        Self {
            lanes: lanes.collect(),
            ordered: parts.ordered,
            keeps_back: parts.keeps_back,
            merged: BatchBuffer::for_schema(&parts.schema),
            next: Merging::default(),
            runs: Vec::new(),
            arena: Bump::new(),
            schema: Arc::new(arrow_schema(&parts.schema)),
            late_schema: Arc::new(arrow_schema(&parts.late_schema)),
            gather: parts.gather,
            sink,
            batch_rows,
            progress: parts.progress,
            memory: parts.memory,
            stats: WriterStats::default(),
            flushed: true,
            measured: None,
        }
    }

    /// Whether no further row can leave (LIMIT), so that reading on is in vain.
    pub fn is_full(&self) -> bool {
        self.gather.is_full()
    }

    /// From now on `meter`, which is that of the thread that steps it, is told where the time goes.
    pub fn measure(&mut self, meter: &Rc<Meter>) {
        let order = meter.stage(StageKind::Write, if self.ordered { "putting rows in order" } else { "taking rows" });
        self.measured = Some((Rc::clone(meter), order, meter.stage(StageKind::Write, "writing")));
    }

    /// Works a little.
    pub fn step(&mut self) -> Result<Step> {
        if let Some((meter, order, _)) = &self.measured {
            meter.enter(*order);
        }
        let mut worked = false;
        for index in 0..self.lanes.len() {
            worked |= self.fill(index)?;
        }
        worked |= if self.ordered { self.merge()? } else { self.pass()? };
        if worked {
            self.flushed = false;
            return Ok(Step::Worked);
        }
        self.write_merged()?;
        if self.keeps_back && self.keep_back()? {
            return Ok(Step::Worked);
        }
        if self.lanes.iter().all(|lane| lane.head.is_none() && lane.is_ended()) {
            if let Some(rest) = self.gather.finish()? {
                self.write(&rest)?;
            }
            self.writing(|sink| sink.flush())?;
            return Ok(Step::Done);
        }
        if !self.flushed {
            self.writing(|sink| sink.flush())?;
            self.flushed = true;
        }
        Ok(Step::Idle)
    }

    /// What it did, and the sink, to be committed.
    pub fn into_sink(self) -> (WriterStats, Box<dyn RowSink>) {
        (self.stats, self.sink)
    }

    /// Takes messages of a lane until it has rows to give.
    fn fill(&mut self, index: usize) -> Result<bool> {
        let lane = &mut self.lanes[index];
        let mut worked = false;
        while lane.head.is_none()
            && let Some(output) = lane.pop()
        {
            worked = true;
            match output {
                Output::Rows(rows) => {
                    lane.head = Some(rows);
                    lane.taken = 0;
                }
                Output::Frontier(key) => lane.frontier = lane.frontier.max(key),
                Output::Late(rows) => self.sink.late(&rows.into_record_batch(&self.late_schema))?,
                Output::DeadLetters(letters) => self.sink.dead_letters(&letters)?,
            }
        }
        if lane.head.is_none() && lane.is_ended() {
            lane.frontier = OrderKey::MAX;
        }
        Ok(worked)
    }

    /// Empties the rings, as nothing can leave; whether anything was in them.
    fn keep_back(&mut self) -> Result<bool> {
        let kept = self.lanes.iter_mut().fold(false, |kept, lane| lane.keep() | kept);
        if kept {
            self.hold_memory()?;
        }
        Ok(kept)
    }

    /// Accounts for the memory of all rows held here.
    fn hold_memory(&mut self) -> Result<()> {
        let Some(memory) = &mut self.memory else { return Ok(()) };
        let kept = self.lanes.iter().map(|lane| lane.kept_bytes).sum::<usize>();
        let sorted = self.gather.held_bytes();
        let name = if kept > sorted { "OVER" } else { "ORDER BY" };
        memory.hold((kept + sorted) as u64).map_err(|exceeded| memory_exceeded(name, kept.max(sorted), exceeded))
    }

    /// Passes on every lane's rows, in whatever order they came.
    fn pass(&mut self) -> Result<bool> {
        let mut worked = false;
        for index in 0..self.lanes.len() {
            if let Some(rows) = self.lanes[index].head.take() {
                self.write_buffer(rows, index)?;
                worked = true;
            }
        }
        Ok(worked)
    }

    /// Moves the rows that come first among all lanes, as many as are sure to. Keys are distinct, so a row at another
    /// lane's bound comes before whatever that lane still has.
    fn merge(&mut self) -> Result<bool> {
        // Of a row and a bound that are equal the row comes first.
        let next = |(index, lane): (usize, &Lane)| (lane.next_key(), (lane.head.is_none(), index));
        self.next.begin(self.lanes.iter().enumerate().map(next));
        let Some((_, index)) = self.next.first() else { return Ok(false) };
        if self.merged.is_empty() && self.lanes[index].is_whole_before(self.next.bound()) {
            if let Some(rows) = self.lanes[index].head.take() {
                self.write_buffer(rows, index)?;
            }
            return Ok(true);
        }
        self.runs.clear();
        let (mut rows, mut used_up) = (0, None);
        while rows < self.batch_rows
            && used_up.is_none()
            && let Some((_, index)) = self.next.first()
        {
            let lane = &mut self.lanes[index];
            let until = lane.until(self.next.bound());
            if until <= lane.taken {
                break;
            }
            self.runs.push(Run { source: index as u32, start: lane.taken as u32, end: until as u32 });
            rows += until - lane.taken;
            lane.taken = until;
            used_up = lane.is_used_up().then_some(index);
            self.next.advance(lane.next_key());
        }
        if rows == 0 {
            return Ok(false);
        }
        self.arena.reset();
        // No run names a lane without rows; whatever stands in its place is not looked at.
        let Some(any) = self.lanes.iter().find_map(|lane| lane.head.as_ref()) else { return Ok(false) };
        let heads = self.lanes.iter().map(|lane| &lane.head.as_ref().unwrap_or(any).buffer);
        let heads = &*self.arena.alloc_slice_fill_iter(heads);
        self.merged.append_runs(heads, &self.runs, &self.arena);
        if let Some(index) = used_up
            && let lane = &mut self.lanes[index]
            && let Some(rows) = lane.head.take()
        {
            let _ = lane.returns.push(rows);
        }
        if self.merged.len() >= self.batch_rows {
            self.write_merged()?;
        }
        Ok(true)
    }

    fn write_merged(&mut self) -> Result<()> {
        if self.merged.is_empty() {
            return Ok(());
        }
        let merged = std::mem::replace(&mut self.merged, BatchBuffer::new([]));
        let result = self.write_rows(&merged);
        self.merged = merged;
        self.merged.clear();
        result
    }

    fn write_buffer(&mut self, rows: OutputRows, index: usize) -> Result<()> {
        if self.sink.keeps() {
            return self.write_batch(rows.buffer.into_record_batch(&self.schema));
        }
        self.write_rows(&rows.buffer)?;
        let _ = self.lanes[index].returns.push(rows);
        Ok(())
    }

    fn write_rows(&mut self, rows: &BatchBuffer) -> Result<()> {
        if self.sink.discards() && self.gather.is_empty() {
            self.count(rows.len());
            return Ok(());
        }
        self.write_batch(rows.to_record_batch(&self.schema))
    }

    fn write_batch(&mut self, batch: RecordBatch) -> Result<()> {
        let passed = self.gather.push(batch)?;
        self.hold_memory()?;
        passed.map_or(Ok(()), |batch| self.write(&batch))
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.count(batch.num_rows());
        self.writing(|sink| sink.write(batch))
    }

    /// Rows leave.
    fn count(&mut self, rows: usize) {
        self.stats.rows += rows as u64;
        self.progress.add_emitted(rows as u64);
        if let Some((meter, _, write)) = &self.measured {
            meter.count_in(*write, rows, || 0);
            meter.count_out(*write, rows);
        }
    }

    /// Does something with the sink.
    fn writing(&mut self, work: impl FnOnce(&mut dyn RowSink) -> Result<()>) -> Result<()> {
        let before = self.measured.as_ref().map(|(meter, _, write)| meter.enter(*write));
        work(&mut *self.sink)?;
        if let (Some((meter, ..)), Some(before)) = (&self.measured, before) {
            meter.enter(before);
        }
        Ok(())
    }
}
