//! The partition: decodes chunks, runs them through its stages, exchanges, and sends what comes out to the writer.
//!
//! One step does, in this order: send what waits; as an owner, take what others sent; decode the next chunk and publish
//! its mark of event time; run a decoded chunk whose watermark is known. Nothing is computed while earlier output waits,
//! so memory is bounded by what one chunk (or one closing pane) yields.

use std::rc::Rc;

use bumpalo::Bump;

use super::Step;
use super::exchange::{Exchanger, MeshEnds};
use super::ledger::Ledger;
use super::measure::{At, PartitionMeter};
use super::memory::memory_exceeded;
use super::message::{DeadLetter, Input, Mark, Origin, Returned, Shown};
use super::output::OutputPort;
use super::parts::{PartitionParts, PartitionStats};
use crate::batch::{Batch, Chunk, Decode, Decoded, Failure, RowOrder, Selection, Slice, Values, view};
use crate::error::Result;
use crate::kernel::Simd;
use crate::limits::FAILURE_SAMPLES;
use crate::metrics::{LiveFailure, MemoryShare, Meter, ProgressWriter};
use crate::operator::{Chain, Context, Counts, OnError};
use crate::pipeline::{Frontier, Stages};
use crate::plan::MaxFuture;
use crate::ring::{Consumer, Producer};
use crate::types::{EventTime, OrderKey, Sequence, SplitId};

/// A turn that waits until the watermark at its start is known.
struct Pending {
    turn: u64,
    /// The clock when it was read.
    read_at: EventTime,
    work: Work,
}

/// What a turn brought.
enum Work {
    /// A decoded chunk.
    Chunk(Chunk),
    /// News of a split.
    Split(SplitId),
}

/// The state machine.
pub struct Partition {
    partitions: usize,
    batch_rows: usize,
    on_error: OnError,
    simd: Simd,
    event_time_column: Option<usize>,
    in_turns: bool,
    abreast: bool,
    corrects: bool,
    places: u32,
    min_advance_us: i64,
    max_future: MaxFuture,
    ordered: bool,
    frontier: Frontier,
    input: Consumer<Input>,
    returns: Producer<Returned>,
    decoder: Box<dyn Decode + Send>,
    ledger: Option<Ledger>,
    local: Chain,
    exchanger: Exchanger,
    owner: Chain,
    output: OutputPort,
    progress: ProgressWriter,
    memory: Option<MemoryShare>,
    arena: Bump,
    decoded: Decoded,
    pending: Option<Pending>,
    /// Turn of the next chunk, where chunks are dealt in turn.
    next_turn: u64,
    /// Watermark that the operators after the state were told last.
    advanced: EventTime,
    input_done: bool,
    owner_done: bool,
    counts: Counts,
    stats: PartitionStats,
    meter: PartitionMeter,
    /// When the chunk was read that is through, until a driver asks.
    through: Option<EventTime>,
    /// Greatest event time of each decoded slice.
    greatest: Vec<EventTime>,
}

/// The arena, the counts and the rules, as operators see them: borrows single fields, so that operators and output stay
/// free.
macro_rules! context {
    ($self:ident, $greatest_before:expr) => {
        Context {
            arena: &$self.arena,
            counts: &mut $self.counts,
            greatest_before: $greatest_before,
            latest: EventTime::MAX,
            now: EventTime::MIN,
            stage: 0,
            rows_are_records: true,
            on_error: $self.on_error,
            simd: $self.simd,
        }
    };
}

impl Partition {
    /// A partition that runs `stages`.
    pub fn new(parts: PartitionParts, stages: Stages) -> Self {
        let keyed = parts.ordered && !matches!(parts.mesh, MeshEnds::None);
        let exchanger = Exchanger::new(stages.exchange, parts.mesh, &stages.exchanged, parts.index, parts.hasher);
        let mut partition = Self {
            partitions: parts.partitions,
            batch_rows: parts.batch_rows,
            on_error: parts.on_error,
            simd: parts.simd,
            event_time_column: parts.event_time_column,
            in_turns: parts.in_turns,
            abreast: parts.abreast,
            corrects: parts.corrects,
            places: parts.places,
            min_advance_us: parts.min_advance_us,
            max_future: parts.max_future,
            ordered: parts.ordered,
            frontier: stages.frontier,
            input: parts.input,
            returns: parts.returns,
            decoder: parts.decoder,
            ledger: parts.ledger,
            local: stages.local,
            exchanger,
            owner: stages.owner,
            output: OutputPort::new(parts.output, parts.output_returns, stages.output, keyed, parts.batch_rows),
            progress: parts.progress,
            memory: parts.memory,
            arena: Bump::new(),
            decoded: Decoded::default(),
            pending: None,
            next_turn: parts.index as u64,
            advanced: EventTime::MIN,
            input_done: false,
            owner_done: false,
            counts: Counts::default(),
            stats: PartitionStats::default(),
            meter: PartitionMeter::default(),
            through: None,
            greatest: Vec::new(),
        };
        if partition.in_turns && matches!(partition.exchanger, Exchanger::None) {
            // The first rows of other partitions need not wait until this one has had a chunk.
            partition.promise(Some(partition.next_key()), EventTime::MIN);
        }
        partition
    }

    /// From now on `meter`, which is that of the thread that steps it, is told where the time goes.
    pub fn measure(&mut self, meter: &Rc<Meter>) {
        let Self { local, owner, exchanger, .. } = self;
        self.meter = PartitionMeter::new(meter, exchanger, || local.measure(meter), || owner.measure(meter));
    }

    /// Works a little. A thread that looks for work and finds none waits, however often it looks.
    pub fn step(&mut self) -> Result<Step> {
        self.meter.resume();
        let step = self.work()?;
        let is_clear = self.output.is_clear() && self.exchanger.is_clear();
        self.meter.enter(match step {
            Step::Idle if is_clear => At::WaitInput,
            Step::Idle => At::WaitOutput,
            _ => At::Schedule,
        });
        Ok(step)
    }

    fn work(&mut self) -> Result<Step> {
        let mut worked = self.output.flush() | self.exchanger.flush();
        if self.output.is_clear() {
            worked |= self.receive()?;
        }
        if self.output.is_clear() && self.exchanger.is_clear() && !self.input_done {
            worked |= self.ingest()?;
        }
        if worked {
            self.meter.count_left(&self.exchanger);
            self.hold_memory()?;
        }
        worked |= self.output.flush() | self.exchanger.flush();
        if self.input_done
            && let Some(ledger) = &mut self.ledger
        {
            worked |= ledger.drain();
        }
        if self.input_done && self.owner_done && self.output.is_clear() && self.exchanger.is_clear() {
            return Ok(Step::Done);
        }
        Ok(if worked { Step::Worked } else { Step::Idle })
    }

    /// Accounts for the memory of all state here; more than the job may have ends it.
    fn hold_memory(&mut self) -> Result<()> {
        let Some(memory) = &mut self.memory else { return Ok(()) };
        let states = || self.local.states().chain(self.owner.states()).chain(self.exchanger.state());
        let bytes: usize = states().map(|(_, bytes)| bytes).sum();
        memory.hold(bytes as u64).map_err(|exceeded| {
            let (name, bytes) = states().max_by_key(|(_, bytes)| *bytes).unwrap_or(("the job", bytes));
            memory_exceeded(name, bytes, exceeded)
        })
    }

    /// When the last chunk that is through was read; each is told of once. What it says of time is for those who watch.
    pub fn take_through(&mut self) -> Option<EventTime> {
        self.through.take()
    }

    /// What it did.
    pub fn into_stats(mut self) -> PartitionStats {
        self.stats.emitted = self.output.emitted();
        self.stats.filtered = self.counts.filtered;
        // The pairs of joins have stages of their own.
        self.stats.corrected = if self.corrects { self.output.corrected() } else { 0 };
        self.stats.late = self.counts.late;
        self.stats.dropped = self.counts.dropped;
        self.stats.lateness = self.counts.lateness;
        self.stats.watermark = self.ledger.as_ref().and_then(Ledger::state);
        (self.stats.natural, self.stats.repartitioned) = self.exchanger.hits();
        self.meter.count_left(&self.exchanger);
        self.stats
    }

    /// As an owner: takes in what other partitions sent.
    fn receive(&mut self) -> Result<bool> {
        match &self.exchanger {
            Exchanger::None => {
                self.owner_done = self.input_done;
                Ok(false)
            }
            Exchanger::Rows(_) => self.receive_rows(),
            Exchanger::Partials(_) => self.receive_partials(),
        }
    }

    fn receive_rows(&mut self) -> Result<bool> {
        let Exchanger::Rows(exchange) = &mut self.exchanger else { return Ok(false) };
        if self.owner_done {
            return Ok(false);
        }
        let Some((partition, message)) = exchange.receive() else { return Ok(false) };
        self.arena.reset();
        let (output, meter) = (&mut self.output, &self.meter);
        let mut collect = |batch: Batch<'_>, context: &mut Context<'_>| collect(output, meter, batch, context);
        let mut context = context!(self, EventTime::MIN);
        // What the watermark releases without a row for this owner happens at the same time.
        context.now = message.origin.map_or(EventTime::MIN, |origin| origin.read_at);
        if let (Some(rows), Some(origin)) = (&message.rows, message.origin) {
            for (stage, batch) in rows.batches(origin.sequence, &self.arena) {
                context.stage = stage;
                self.owner.process(batch, &mut context, &mut collect)?;
            }
            context.stage = 0;
            self.owner.end_batch(&mut context, &mut collect)?;
        }
        if is_due(self.advanced, message.watermark, self.min_advance_us) {
            self.advanced = message.watermark;
            self.owner.advance(message.watermark, &mut context, &mut collect)?;
        }
        self.owner_done = message.origin.is_none();
        if let Some(rows) = message.rows {
            exchange.give_back(partition, rows);
        }
        let (split, first_record) = message.origin.map_or((SplitId(0), 0), |o| (o.split, o.first_record));
        self.publish_late();
        self.settle_failures(split, first_record);
        let after = message.origin.map(|origin| OrderKey { sequence: origin.sequence, row: u32::MAX, ..OrderKey::MIN });
        self.promise(after, self.advanced);
        Ok(true)
    }

    fn receive_partials(&mut self) -> Result<bool> {
        let Exchanger::Partials(exchange) = &mut self.exchanger else { return Ok(false) };
        if self.owner_done {
            return Ok(false);
        }
        let before = self.meter.enter(At::Merge);
        let Some(groups) = exchange.receive() else {
            self.meter.leave(before);
            return Ok(false);
        };
        if groups > 0 {
            self.meter.count_in(At::Merge, groups, || 0);
        }
        self.arena.reset();
        let (output, owner, meter) = (&mut self.output, &mut self.owner, &self.meter);
        let mut context = context!(self, EventTime::MIN);
        let passed = exchange.pass_on(&mut context, &mut |batch, context| {
            meter.count_out(At::Merge, batch.selected());
            owner.process(batch, context, &mut |batch, context| collect(output, meter, batch, context))
        })?;
        self.meter.leave(before);
        if let Some(watermark) = passed {
            self.owner_done = watermark == EventTime::MAX;
            self.promise(None, watermark);
        }
        self.follow_others();
        Ok(true)
    }

    /// While all splits that it keeps are idle, a partition goes on with the others, so that none of them waits for it.
    fn follow_others(&mut self) {
        let (Some(ledger), Exchanger::Partials(exchange)) = (&mut self.ledger, &mut self.exchanger) else { return };
        if self.in_turns || !ledger.all_idle() {
            return;
        }
        if let Some(watermark) = exchange.others_closed()
            && watermark < EventTime::MAX
            && exchange.closes_more(self.advanced, watermark)
        {
            ledger.follow(watermark);
            let before = self.meter.enter(At::Exchange);
            exchange.close(watermark, true);
            self.meter.leave(before);
            self.advanced = watermark;
        }
    }

    /// Decodes the next chunk, or runs the decoded one.
    fn ingest(&mut self) -> Result<bool> {
        let mut worked = false;
        if self.pending.is_none() {
            if self.ledger.as_ref().is_some_and(|ledger| !ledger.can_publish()) {
                return Ok(false);
            }
            let input = self.input.pop();
            if input.is_some() {
                self.progress.add_taken();
            }
            match input {
                Some(Input::Chunk { turn, chunk, read_at }) => {
                    self.decode(turn, chunk, read_at)?;
                    worked = true;
                }
                Some(Input::Split { turn, split, state, read_at }) => {
                    if let Some(ledger) = &mut self.ledger {
                        ledger.publish(Mark { split, shown: Shown::State(state), read_at });
                    }
                    self.wait(turn, read_at, Work::Split(split));
                    worked = true;
                }
                None if self.input.is_ended() => {
                    self.end_input()?;
                    return Ok(true);
                }
                None => return self.advance_idle(),
            }
        }
        let Some(pending) = &self.pending else { return Ok(worked) };
        if self.in_turns
            && let Some(ledger) = &mut self.ledger
            && !ledger.fold_before(pending.turn)
        {
            return Ok(worked);
        }
        match self.pending.take() {
            Some(Pending { turn, read_at, work: Work::Chunk(chunk) }) => self.run_chunk(turn, read_at, chunk)?,
            Some(Pending { turn, read_at, work: Work::Split(split) }) => {
                let sequence = Sequence::new(SplitId(0), turn);
                self.end_turn(turn, Origin { sequence, split, first_record: 0, read_at })?;
                self.tell_idle();
            }
            None => {}
        }
        Ok(true)
    }

    /// Without a chunk of its own, still hears how far event time went up to its next turn: a window must not wait for
    /// this partition's next chunk to close.
    fn advance_idle(&mut self) -> Result<bool> {
        let Some(ledger) = self.ledger.as_mut().filter(|_| self.in_turns && self.partitions > 1) else {
            return Ok(false);
        };
        // All marks before the next own turn are of chunks before any chunk to come, so this is exact.
        ledger.fold_before(self.next_turn);
        let before = self.advanced;
        self.advance_local()?;
        Ok(self.advanced > before)
    }

    /// Tells the owners of keys if all splits that this partition keeps are idle now.
    fn tell_idle(&mut self) {
        if let (Some(ledger), Exchanger::Partials(exchange)) = (&self.ledger, &mut self.exchanger)
            && !self.in_turns
            && ledger.all_idle()
        {
            exchange.close(self.advanced, true);
        }
    }

    /// Holds a turn back until the watermark at its start is known.
    fn wait(&mut self, turn: u64, read_at: EventTime, work: Work) {
        self.next_turn = turn + self.partitions as u64;
        self.pending = Some(Pending { turn, read_at, work });
    }

    fn decode(&mut self, turn: u64, chunk: Chunk, read_at: EventTime) -> Result<()> {
        let split = chunk.split();
        let latest = self.max_future.latest(read_at);
        self.decoded.clear();
        self.meter.begin_batch();
        let before = self.meter.enter(At::Decode);
        self.decoder.decode(&chunk, self.batch_rows, &mut self.decoded)?;
        self.meter.leave(before);
        if let (Some(ledger), Some(column)) = (&mut self.ledger, self.event_time_column) {
            self.arena.reset();
            self.greatest.clear();
            self.greatest
                .extend(self.decoded.slices.iter().map(|slice| greatest_of(slice, column, latest, &self.arena)));
            let greatest = self.greatest.iter().copied().max().unwrap_or(EventTime::MIN);
            ledger.publish(Mark { split, shown: Shown::Records(greatest), read_at });
        }
        let failed = self.decoded.failures.len() as u64;
        let records = self.decoded.rows() as u64 + failed;
        self.stats.records += records;
        self.meter.count_in(At::Decode, records as usize, || chunk.size_bytes());
        self.meter.count_out(At::Decode, self.decoded.rows());
        self.progress.add_read(records, chunk.size_bytes() as u64);
        if failed > 0 {
            self.stats.failed += failed;
            self.progress.add_failed(failed);
            let letters = self.decoded.failures.drain(..).map(|failure| DeadLetter { split, failure }).collect();
            self.report_failures(letters);
        }
        self.wait(turn, read_at, Work::Chunk(chunk));
        Ok(())
    }

    fn run_chunk(&mut self, turn: u64, read_at: EventTime, chunk: Chunk) -> Result<()> {
        let split = chunk.split();
        // Turns number the chunks of all splits in the order in which they are read; where partitions keep splits, or in
        // which order they are read must not show, the chunk's own number does.
        let own = self.abreast || !self.in_turns;
        let sequence = if own { chunk.sequence } else { Sequence::new(SplitId(0), turn) };
        let mut greatest_before = self.ledger.as_ref().map_or(EventTime::MIN, |ledger| ledger.greatest(split));
        let mut first_row = 0;
        for (number, slice) in self.decoded.slices.iter().enumerate() {
            self.arena.reset();
            let columns = slice.batch.columns().iter().map(|array| view(array, slice.offset, slice.rows, &self.arena));
            let columns = self.arena.alloc_slice_fill_iter(columns);
            let order = RowOrder::Chunk { sequence, first_row, places: self.places };
            let batch = Batch { rows: slice.rows, columns, selection: Selection::All, order };
            let mut context = context!(self, greatest_before);
            (context.latest, context.now) = (self.max_future.latest(read_at), read_at);
            let (exchanger, output, meter) = (&mut self.exchanger, &mut self.output, &self.meter);
            self.local.process(batch, &mut context, &mut |batch, context| {
                let at = match exchanger {
                    Exchanger::None => return collect(output, meter, batch, context),
                    Exchanger::Rows(_) => At::Exchange,
                    Exchanger::Partials(_) => At::GroupBy,
                };
                let before = meter.enter(at);
                meter.count_in(at, batch.selected(), || batch.size_bytes(batch.selected()));
                match exchanger {
                    Exchanger::None => {}
                    Exchanger::Rows(exchange) => exchange.scatter(batch, context)?,
                    Exchanger::Partials(exchange) => exchange.ingest(batch, context)?,
                }
                meter.leave(before);
                Ok(())
            })?;
            if let Some(greatest) = self.greatest.get(number) {
                greatest_before = greatest_before.max(*greatest);
            }
            first_row += slice.rows as u32;
            self.stats.batches += 1;
        }
        self.end_local_batch(greatest_before)?;
        self.settle_failures(split, chunk.first_record);
        if let Some(rows) = self.counts.dropped_rows.take() {
            self.output.late(rows);
        }
        self.publish_late();
        self.through = Some(read_at);
        let origin = Origin { sequence, split, first_record: chunk.first_record, read_at };
        // The reader's ring is as large as the chunks there are, so there is room; a reader that is gone needs none back.
        let greatest = self.greatest.iter().copied().max().unwrap_or(EventTime::MIN);
        let _ = self.returns.push(Returned { chunk, greatest });
        self.decoded.slices.clear();
        self.end_turn(turn, origin)
    }

    /// Shows those who watch how many records were late since the last time.
    fn publish_late(&mut self) {
        let Counts { late, dropped, .. } = self.counts;
        if late > self.stats.late {
            self.progress.add_late(late - self.stats.late);
            self.stats.late = late;
        }
        if dropped > self.stats.dropped {
            self.progress.add_dropped(dropped - self.stats.dropped);
            self.stats.dropped = dropped;
        }
    }

    /// Tells the local operators that a chunk is through, if what leaves them is output.
    fn end_local_batch(&mut self, greatest_before: EventTime) -> Result<()> {
        if !matches!(self.exchanger, Exchanger::None) {
            return Ok(());
        }
        let (output, meter) = (&mut self.output, &self.meter);
        let mut context = context!(self, greatest_before);
        self.local.end_batch(&mut context, &mut |batch, context| collect(output, meter, batch, context))
    }

    /// A turn is through: event time goes on, and with it everything that waits for it.
    fn end_turn(&mut self, turn: u64, origin: Origin) -> Result<()> {
        if let Some(ledger) = &mut self.ledger {
            if self.in_turns { ledger.fold_own(turn) } else { ledger.fold_kept() }
        }
        self.measure_states();
        let watermark = self.ledger.as_ref().map_or(EventTime::MIN, Ledger::watermark);
        if watermark > EventTime::MIN && watermark < EventTime::MAX {
            self.progress.set_watermark(watermark.0);
        }
        if let Exchanger::Rows(exchange) = &mut self.exchanger {
            let before = self.meter.enter(At::Exchange);
            exchange.end_chunk(origin, watermark);
            self.meter.leave(before);
            return Ok(());
        }
        self.advance_local()?;
        if matches!(self.exchanger, Exchanger::None) {
            self.promise(self.in_turns.then(|| self.next_key()), self.advanced);
        }
        Ok(())
    }

    /// The first key of this partition's next chunk, where chunks are dealt in turn.
    fn next_key(&self) -> OrderKey {
        OrderKey { sequence: Sequence::new(SplitId(0), self.next_turn), ..OrderKey::MIN }
    }

    /// Tells local state of the watermark, if that closes anything.
    fn advance_local(&mut self) -> Result<()> {
        let watermark = self.ledger.as_ref().map_or(EventTime::MIN, Ledger::watermark);
        if !is_due(self.advanced, watermark, self.min_advance_us) {
            return Ok(());
        }
        match &mut self.exchanger {
            Exchanger::None => self.advance_chain(watermark),
            Exchanger::Rows(_) => Ok(()),
            Exchanger::Partials(exchange) => {
                if exchange.closes_more(self.advanced, watermark) {
                    let before = self.meter.enter(At::Exchange);
                    exchange.close(watermark, false);
                    self.meter.leave(before);
                    self.advanced = watermark;
                }
                Ok(())
            }
        }
    }

    fn advance_chain(&mut self, watermark: EventTime) -> Result<()> {
        self.advanced = watermark;
        self.arena.reset();
        let (output, meter) = (&mut self.output, &self.meter);
        let mut context = context!(self, EventTime::MIN);
        self.local.advance(watermark, &mut context, &mut |batch, context| collect(output, meter, batch, context))?;
        self.settle_failures(SplitId(0), 0);
        Ok(())
    }

    fn end_input(&mut self) -> Result<()> {
        self.input_done = true;
        match &mut self.exchanger {
            Exchanger::None => {
                self.advance_chain(EventTime::MAX)?;
                self.output.end_buffer();
                self.owner_done = true;
            }
            Exchanger::Rows(exchange) => exchange.end_input(),
            Exchanger::Partials(exchange) => {
                let before = self.meter.enter(At::Exchange);
                exchange.close(EventTime::MAX, false);
                self.meter.leave(before);
            }
        }
        Ok(())
    }

    /// Tells the meter what state holds, before anything closes.
    fn measure_states(&self) {
        if !self.meter.is_detailed() {
            return;
        }
        self.local.measure_states();
        self.owner.measure_states();
        if let Some((_, bytes)) = self.exchanger.state() {
            self.meter.hold(At::GroupBy, bytes);
        }
    }

    /// Sends off what was collected; where the writer merges, with the promise that follows from progress.
    fn promise(&mut self, input: Option<OrderKey>, watermark: EventTime) {
        self.output.end_buffer();
        if !self.ordered {
            return;
        }
        let key = self.frontier.after(input, watermark);
        let held = self.local.oldest().into_iter().chain(self.owner.oldest()).min();
        if let Some(key) = key {
            let key = held.map_or(key, |held| key.min(held));
            self.output.promise(key);
        }
    }

    /// Moves what operators noted of failed records to the statistics and to the dead letters.
    fn settle_failures(&mut self, split: SplitId, first_record: u64) {
        let failed = std::mem::take(&mut self.counts.failed);
        if failed == 0 {
            return;
        }
        self.stats.failed += failed;
        self.progress.add_failed(failed);
        let letters = self.counts.failures.drain(..).map(|failure| DeadLetter {
            split,
            failure: Failure {
                record: first_record + u64::from(failure.place.row / self.places),
                reason: failure.reason,
                raw: Vec::new(),
            },
        });
        let letters: Vec<_> = letters.collect();
        self.report_failures(letters);
    }

    /// Whether a record failed that ends the job: nothing more needs to be read.
    pub fn is_failing(&self) -> bool {
        self.on_error == OnError::Fail && self.stats.failed > 0
    }

    fn keep_samples(&mut self, letters: &[DeadLetter]) {
        let room = FAILURE_SAMPLES.saturating_sub(self.stats.failures.len());
        for DeadLetter { split, failure } in letters.iter().take(room) {
            let (record, reason) = (failure.record, failure.reason.clone());
            self.progress.show_failure(LiveFailure { split: split.0, record, reason });
        }
        self.stats.failures.extend(letters.iter().take(room).cloned());
    }

    /// Handles records that failed.
    fn report_failures(&mut self, letters: Vec<DeadLetter>) {
        self.keep_samples(&letters);
        if self.on_error == OnError::DeadLetter {
            self.output.dead_letters(letters);
        }
    }
}

/// Rows that leave the last operator go to the writer.
fn collect(output: &mut OutputPort, meter: &PartitionMeter, batch: Batch<'_>, context: &mut Context<'_>) -> Result<()> {
    let before = meter.enter(At::Output);
    let rows = batch.selected();
    meter.count_in(At::Output, rows, || batch.size_bytes(rows));
    meter.count_out(At::Output, rows);
    output.collect(batch, context);
    meter.leave(before);
    Ok(())
}

/// Whether operators that were told of one watermark are to be told of the next: not for every little step, but always of
/// the first and of the end of input.
fn is_due(told: EventTime, watermark: EventTime, min_advance_us: i64) -> bool {
    let far = told == EventTime::MIN || watermark == EventTime::MAX;
    watermark > told && (far || watermark.0.saturating_sub(told.0) >= min_advance_us)
}

/// Greatest event time of the valid rows of a slice, those after `latest` left out.
fn greatest_of(slice: &Slice, column: usize, latest: EventTime, arena: &Bump) -> EventTime {
    let column = view(slice.batch.column(column), slice.offset, slice.rows, arena);
    let Values::Int64(times) = column.values else { return EventTime::MIN };
    let greatest = match column.validity {
        None => times.iter().copied().max(),
        Some(_) => (0..times.len()).filter(|&i| column.is_valid(i)).map(|i| times[i]).max(),
    };
    let greatest = greatest.map_or(EventTime::MIN, EventTime);
    if greatest <= latest {
        return greatest;
    }
    let believed = (0..times.len()).filter(|&i| column.is_valid(i) && EventTime(times[i]) <= latest);
    believed.map(|i| EventTime(times[i])).max().unwrap_or(EventTime::MIN)
}
