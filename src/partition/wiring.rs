//! The rings of a job: from a layout to the parts of its machines.
//!
//! [`wire`] joins machines by rings whose ends wake the threads behind them. Who drives machines by something else than
//! threads gives [`wire_through`] a [`Join`] of its own; the machines do not see the difference.

use super::exchange::MeshEnds;
use super::ledger::Ledger;
use super::mesh::{Emptied, Mesh};
use super::message::{Input, Mark, Output, OutputRows, Returned};
use super::parts::PartitionParts;
use super::reader::{ReaderParts, SourceSplit};
use super::writer::WriterParts;
use crate::batch::Decode;
use crate::kernel::Simd;
use crate::limits::RING_SLOTS;
use crate::metrics::{LaneMeters, MemoryLimit, Progress, QueueWriter};
use crate::operator::{Gather, OnError};
use crate::pipeline::Stages;
use crate::plan::{Deal, Exchange, Layout, Plan, places_of_row};
use crate::ring::{Consumer, Producer, Wakeup, ring};
use crate::state::KeyHasher;
use crate::time::{Clock, SplitClocks};
use crate::types::Schema;

/// What a job is wired from.
pub struct Wiring<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its layout.
    pub layout: &'a Layout,
    /// All splits of the source, numbered from 0.
    pub splits: Vec<SourceSplit>,
    /// One decoder a partition.
    pub decoders: Vec<Box<dyn Decode + Send>>,
    /// Rows of a batch at most.
    pub batch_rows: usize,
    /// What to do with records that fail.
    pub on_error: OnError,
    /// The vectors that kernels may use.
    pub simd: Simd,
    /// Hashes of keys, the same in all partitions.
    pub hasher: KeyHasher,
    /// Live counts.
    pub progress: &'a Progress,
    /// Memory that the state of all partitions may take, if that is limited.
    pub memory: Option<&'a MemoryLimit>,
    /// Whether the source ends by itself.
    pub bounded: bool,
    /// What time it is.
    pub clock: Clock,
    /// Slots of a ring; [`RING_SLOTS`] but for tests that want them full.
    pub ring_slots: usize,
}

/// One partition, and its own reader where it has one.
pub struct Lane {
    /// Reader of its own (`stp`).
    pub reader: Option<ReaderParts>,
    /// The partition.
    pub partition: PartitionParts,
    /// Rung when one of its rings changes.
    pub bell: Wakeup,
    /// Live counts of its thread.
    pub meters: LaneMeters,
}

/// A machine, as that which a ring comes from or leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The one reader. A partition's own reader is that partition: one thread drives both.
    Reader,
    /// A partition.
    Partition(usize),
    /// The writer.
    Writer,
}

/// Joins machines.
pub trait Join {
    /// Both ends of a bounded way from one machine to another, which may be the same. The end of the one must show at
    /// the other, and what is pushed must be popped once, in order.
    fn join<T: Send + 'static>(&mut self, slots: usize, from: End, to: End) -> (Producer<T>, Consumer<T>);

    /// What wakes the machine.
    fn bell(&self, of: End) -> Wakeup;
}

/// One bell a thread, and plain rings.
struct Bells {
    reader: Wakeup,
    partitions: Vec<Wakeup>,
    writer: Wakeup,
}

impl Join for Bells {
    fn join<T: Send + 'static>(&mut self, slots: usize, from: End, to: End) -> (Producer<T>, Consumer<T>) {
        ring(slots, &self.bell(from), &self.bell(to))
    }

    fn bell(&self, of: End) -> Wakeup {
        match of {
            End::Reader => self.reader.clone(),
            End::Partition(index) => self.partitions[index].clone(),
            End::Writer => self.writer.clone(),
        }
    }
}

/// All machines of a job, in parts.
pub struct Wired {
    /// The one reader, where partitions have none of their own, and its bell.
    pub reader: Option<(ReaderParts, Wakeup)>,
    /// Partitions.
    pub lanes: Vec<Lane>,
    /// The writer and its bell.
    pub writer: (WriterParts, Wakeup),
}

impl Wiring<'_> {
    /// Slots of rings as they are meant.
    pub const SLOTS: usize = RING_SLOTS;
}

/// A reader's ends of the rings to one partition and back, and its count of what it dealt.
type InputEnds = ((Producer<Input>, Consumer<Returned>), QueueWriter);
/// The writer's ends of the rings from one partition and back.
type OutputEnds = (Consumer<Output>, Producer<OutputRows>);

/// Ring ends from every partition to every partition, and back.
struct MeshRings<M, B> {
    to: Vec<Vec<Producer<M>>>,
    from: Vec<Vec<Consumer<M>>>,
    give_back: Vec<Vec<Producer<B>>>,
    given_back: Vec<Vec<Consumer<B>>>,
}

fn mesh<M: Send + 'static, B: Emptied + Send + 'static>(
    n: usize,
    slots: usize,
    joint: &mut impl Join,
) -> Vec<Mesh<M, B>> {
    let mut rings = MeshRings { to: grid(n), from: grid(n), give_back: grid(n), given_back: grid(n) };
    for sender in 0..n {
        for owner in 0..n {
            let (to, from) = joint.join(slots, End::Partition(sender), End::Partition(owner));
            rings.to[sender].push(to);
            rings.from[owner].push(from);
            let (give, given) = joint.join(slots, End::Partition(owner), End::Partition(sender));
            rings.give_back[owner].push(give);
            rings.given_back[sender].push(given);
        }
    }
    let MeshRings { to, from, give_back, given_back } = rings;
    let ends = to.into_iter().zip(from).zip(give_back.into_iter().zip(given_back));
    ends.map(|((to, from), (give_back, given_back))| Mesh::new(to, from, give_back, given_back)).collect()
}

fn grid<T>(n: usize) -> Vec<Vec<T>> {
    (0..n).map(|_| Vec::new()).collect()
}

fn meshes(layout: &Layout, slots: usize, joint: &mut impl Join) -> Vec<MeshEnds> {
    let n = layout.partitions;
    match layout.exchange {
        Exchange::None => (0..n).map(|_| MeshEnds::None).collect(),
        Exchange::RowsByKey | Exchange::RowsTo(_) => mesh(n, slots, joint).into_iter().map(MeshEnds::Rows).collect(),
        Exchange::Partials => mesh(n, slots, joint).into_iter().map(MeshEnds::Partials).collect(),
    }
}

/// Where chunks are dealt in turn, the ledgers of all partitions, joined by rings; else each for its own splits.
fn ledgers(wiring: &Wiring<'_>, joint: &mut impl Join) -> Vec<Option<Ledger>> {
    let n = wiring.layout.partitions;
    let Some(event_time) = wiring.plan.scan.event_time else { return (0..n).map(|_| None).collect() };
    let in_turns = wiring.layout.deal == Deal::RoundRobin;
    let mut to: Vec<Vec<Option<Producer<Mark>>>> = grid(n);
    let mut from: Vec<Vec<Option<Consumer<Mark>>>> = grid(n);
    for (sender, to) in to.iter_mut().enumerate() {
        for (receiver, from) in from.iter_mut().enumerate() {
            let join = || joint.join(wiring.ring_slots, End::Partition(sender), End::Partition(receiver));
            let ends = (in_turns && sender != receiver).then(join);
            let (producer, consumer) = ends.unzip();
            to.push(producer);
            from.push(consumer);
        }
    }
    let splits = wiring.splits.len();
    let ledger = |(index, (to, from))| {
        let mine = |split| in_turns || split % n == index;
        Some(Ledger::new(index, SplitClocks::new(splits, event_time.bound_us, mine), to, from))
    };
    to.into_iter().zip(from).enumerate().map(ledger).collect()
}

/// Makes all rings and hands their ends out.
pub fn wire(wiring: Wiring<'_>) -> Wired {
    let partitions = (0..wiring.layout.partitions).map(|_| Wakeup::new()).collect();
    wire_through(wiring, &mut Bells { reader: Wakeup::new(), partitions, writer: Wakeup::new() })
}

/// The same, joined by `joint`.
pub fn wire_through(wiring: Wiring<'_>, joint: &mut impl Join) -> Wired {
    let n = wiring.layout.partitions;
    let slots = wiring.ring_slots;
    let own_readers = wiring.layout.deal == Deal::Own;
    let places = places_of_row(&wiring.plan.steps);
    // Places within a chunk have 32 bits.
    let batch_rows = wiring.batch_rows.min((u32::MAX / places) as usize);
    let several = wiring.bounded && wiring.splits.len() > 1;
    let abreast = several && wiring.layout.deal != Deal::BySplit && wiring.plan.reads_abreast();
    let output = output_schema(wiring.plan);
    let mut meshes = meshes(wiring.layout, slots, joint).into_iter();
    let mut ledgers = ledgers(&wiring, joint).into_iter();
    let mut inputs: Vec<InputEnds> = Vec::new();
    let mut outputs: Vec<OutputEnds> = Vec::new();
    let mut partitions = Vec::new();
    let mut meters = Vec::new();
    for (index, decoder) in wiring.decoders.into_iter().enumerate() {
        let here = End::Partition(index);
        let reader = if own_readers { here } else { End::Reader };
        let (to_partition, mut input) = joint.join(slots, reader, here);
        // A reader that waits for room waits for nothing else, and what was dealt is worked off without it.
        input.wake_seldom();
        // One more than the chunks that can be under way: those in the ring, one pending, one being pushed.
        let (mut returns, returned) = joint.join(slots + 2, here, reader);
        if !abreast {
            // Nor does it wait for chunks to come back.
            returns.never_wake();
        }
        let (to_writer, from_partition) = joint.join(slots, here, End::Writer);
        let (buffers_back, buffers) = joint.join(slots, End::Writer, here);
        let counted = wiring.progress.lane(slots);
        meters.push(counted.meters);
        inputs.push(((to_partition, returned), counted.queue));
        outputs.push((from_partition, buffers_back));
        partitions.push(PartitionParts {
            index,
            partitions: n,
            batch_rows,
            on_error: wiring.on_error,
            simd: wiring.simd,
            event_time_column: wiring.plan.scan.event_time.map(|event_time| event_time.column),
            in_turns: wiring.layout.deal == Deal::RoundRobin,
            abreast,
            places,
            corrects: wiring.plan.lateness().is_some_and(|lateness| lateness.corrects),
            min_advance_us: wiring.plan.timing.min_advance_us,
            max_future: wiring.plan.timing.max_future,
            ordered: wiring.layout.ordered,
            hasher: wiring.hasher,
            input,
            returns,
            decoder,
            ledger: ledgers.next().flatten(),
            mesh: meshes.next().unwrap_or(MeshEnds::None),
            output: to_writer,
            output_returns: buffers,
            progress: counted.partition,
            memory: wiring.memory.map(MemoryLimit::share),
        });
    }
    let reader_parts = |splits, ends: Vec<InputEnds>| {
        let (ends, queues): (Vec<_>, _) = ends.into_iter().unzip();
        let (to, returns) = ends.into_iter().unzip();
        ReaderParts {
            splits,
            deal: wiring.layout.deal,
            bounded: wiring.bounded,
            abreast,
            idle_timeout_us: wiring.plan.timing.idle_timeout_us,
            clock: wiring.clock.clone(),
            batch_rows,
            to,
            returns,
            queues,
        }
    };
    let (reader, mut own): (_, Vec<Option<ReaderParts>>) = if own_readers {
        let mut shares: Vec<Vec<SourceSplit>> = grid(n);
        for split in wiring.splits {
            shares[split.id.0 as usize % n].push(split);
        }
        let readers = shares.into_iter().zip(inputs).map(|(splits, ends)| Some(reader_parts(splits, vec![ends])));
        (None, readers.collect())
    } else {
        (Some((reader_parts(wiring.splits, inputs), joint.bell(End::Reader))), (0..n).map(|_| None).collect())
    };
    let lane = |((partition, reader), meters): ((PartitionParts, &mut Option<ReaderParts>), LaneMeters)| {
        let bell = joint.bell(End::Partition(partition.index));
        Lane { reader: reader.take(), partition, bell, meters }
    };
    let lanes = partitions.into_iter().zip(&mut own).zip(meters).map(lane).collect();
    let (from, returns) = outputs.into_iter().unzip();
    let writer = WriterParts {
        from,
        returns,
        ordered: wiring.layout.ordered,
        keeps_back: wiring.plan.holds_rows_back(),
        schema: output,
        late_schema: wiring.plan.scan.schema(),
        gather: Gather::new(Stages::gathered(wiring.plan)),
        progress: wiring.progress.writer(),
        memory: wiring.memory.map(MemoryLimit::share),
    };
    Wired { reader, lanes, writer: (writer, joint.bell(End::Writer)) }
}

/// Columns that leave the partitions.
fn output_schema(plan: &Plan) -> Schema {
    let partition_steps = plan.steps.len() - Stages::gathered(plan).len();
    plan.input_of(partition_steps)
}
