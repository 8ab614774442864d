//! The rings of a job: from a layout to the parts of its machines.

use super::exchange::MeshEnds;
use super::ledger::Ledger;
use super::mesh::Mesh;
use super::message::{Input, Mark, Output, OutputRows, Returned};
use super::parts::PartitionParts;
use super::reader::{ReaderParts, SourceSplit};
use super::writer::WriterParts;
use crate::batch::Decode;
use crate::kernel::Simd;
use crate::limits::RING_SLOTS;
use crate::metrics::{MemoryLimit, Progress};
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

/// A reader's ends of the rings to one partition and back.
type InputEnds = (Producer<Input>, Consumer<Returned>);
/// The writer's ends of the rings from one partition and back.
type OutputEnds = (Consumer<Output>, Producer<OutputRows>);

/// Ring ends from every partition to every partition, and back.
struct MeshRings<M, B> {
    to: Vec<Vec<Producer<M>>>,
    from: Vec<Vec<Consumer<M>>>,
    give_back: Vec<Vec<Producer<B>>>,
    given_back: Vec<Vec<Consumer<B>>>,
}

fn mesh<M, B>(bells: &[Wakeup], slots: usize) -> Vec<Mesh<M, B>> {
    let n = bells.len();
    let mut rings = MeshRings { to: grid(n), from: grid(n), give_back: grid(n), given_back: grid(n) };
    for sender in 0..n {
        for owner in 0..n {
            let (to, from) = ring(slots, &bells[sender], &bells[owner]);
            rings.to[sender].push(to);
            rings.from[owner].push(from);
            let (give, given) = ring(slots, &bells[owner], &bells[sender]);
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

fn meshes(layout: &Layout, bells: &[Wakeup], slots: usize) -> Vec<MeshEnds> {
    match layout.exchange {
        Exchange::None => bells.iter().map(|_| MeshEnds::None).collect(),
        Exchange::RowsByKey | Exchange::RowsTo(_) => mesh(bells, slots).into_iter().map(MeshEnds::Rows).collect(),
        Exchange::Partials => mesh(bells, slots).into_iter().map(MeshEnds::Partials).collect(),
    }
}

/// Where chunks are dealt in turn, the ledgers of all partitions, joined by rings; else each for its own splits.
fn ledgers(wiring: &Wiring<'_>, bells: &[Wakeup]) -> Vec<Option<Ledger>> {
    let n = bells.len();
    let Some(event_time) = wiring.plan.scan.event_time else { return (0..n).map(|_| None).collect() };
    let in_turns = wiring.layout.deal == Deal::RoundRobin;
    let mut to: Vec<Vec<Option<Producer<Mark>>>> = grid(n);
    let mut from: Vec<Vec<Option<Consumer<Mark>>>> = grid(n);
    for sender in 0..n {
        for receiver in 0..n {
            let ends =
                (in_turns && sender != receiver).then(|| ring(wiring.ring_slots, &bells[sender], &bells[receiver]));
            let (producer, consumer) = ends.unzip();
            to[sender].push(producer);
            from[receiver].push(consumer);
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
    let n = wiring.layout.partitions;
    let slots = wiring.ring_slots;
    let own_readers = wiring.layout.deal == Deal::Own;
    let places = places_of_row(&wiring.plan.steps);
    // Places within a chunk have 32 bits.
    let batch_rows = wiring.batch_rows.min((u32::MAX / places) as usize);
    let abreast = wiring.bounded && wiring.layout.deal != Deal::BySplit && wiring.plan.reads_abreast();
    let bells: Vec<Wakeup> = (0..n).map(|_| Wakeup::new()).collect();
    let reader_bell = Wakeup::new();
    let writer_bell = Wakeup::new();
    let output = output_schema(wiring.plan);
    let mut meshes = meshes(wiring.layout, &bells, slots).into_iter();
    let mut ledgers = ledgers(&wiring, &bells).into_iter();
    let mut inputs: Vec<InputEnds> = Vec::new();
    let mut outputs: Vec<OutputEnds> = Vec::new();
    let mut partitions = Vec::new();
    for ((index, decoder), bell) in wiring.decoders.into_iter().enumerate().zip(&bells) {
        let reader_bell = if own_readers { bell } else { &reader_bell };
        let (to_partition, input) = ring(slots, reader_bell, bell);
        // One more than the chunks that can be under way: those in the ring, one pending, one being pushed.
        let (returns, returned) = ring(slots + 2, bell, reader_bell);
        let (to_writer, from_partition) = ring(slots, bell, &writer_bell);
        let (buffers_back, buffers) = ring(slots, &writer_bell, bell);
        inputs.push((to_partition, returned));
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
            progress: wiring.progress.writer(),
            memory: wiring.memory.map(MemoryLimit::share),
        });
    }
    let reader_parts = |splits, ends: Vec<InputEnds>| {
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
        (Some((reader_parts(wiring.splits, inputs), reader_bell)), (0..n).map(|_| None).collect())
    };
    let lanes = partitions.into_iter().zip(bells).zip(&mut own);
    let lanes = lanes.map(|((partition, bell), reader)| Lane { reader: reader.take(), partition, bell }).collect();
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
    Wired { reader, lanes, writer: (writer, writer_bell) }
}

/// Columns that leave the partitions.
fn output_schema(plan: &Plan) -> Schema {
    let partition_steps = plan.steps.len() - Stages::gathered(plan).len();
    plan.input_of(partition_steps)
}
