//! Jobs under the simulator: tables are read, sources opened, chunks decoded and rows computed as ever; only the machines are
//! stepped in an order that a seed decides, over rings as small as one likes.

use arrow_array::RecordBatch;

use super::job::{Control, Engine, layout, partitions, timed};
use super::options::RunOptions;
use super::sink::{Collected, OpenSink};
use super::source::{OpenSource, Started};
use super::tables::Tables;
use crate::error::Result;
use crate::partition::{PartitionStats, Wiring, wire};
use crate::pipeline::Stages;
use crate::plan::JobPlan;
use crate::sim::simulate;
use crate::state::KeyHasher;
use crate::time::Clock;

/// What a simulated job gave.
#[derive(Debug)]
pub struct Simulation {
    /// Its rows.
    pub rows: Vec<RecordBatch>,
    /// Whether they are in the order of the result.
    pub ordered: bool,
    /// What each partition did.
    pub partitions: Vec<PartitionStats>,
}

impl Engine {
    /// Runs `job` under the schedule of `seed`, with rings of `ring_slots`, and returns its rows. The clock stands still.
    pub fn simulate(&self, job: &JobPlan, options: &RunOptions, ring_slots: usize, seed: u64) -> Result<Simulation> {
        let control = Control { clock: Clock::new(|| 0), ..Control::default() };
        let mut job = timed(job, options);
        let tables = Tables::read(self, &mut job, options, &control)?;
        let source = OpenSource::open(&tables.engine, &job, options, partitions(options)?)?;
        let layout = layout(&job, options, source.splits())?;
        let (on_error, bounded) = (source.on_error(), source.is_bounded());
        let Started { splits, decoders } = source.start(layout.partitions, &control)?;
        let hasher = KeyHasher::new(seed);
        let wired = wire(Wiring {
            plan: &job.plan,
            layout: &layout,
            splits,
            decoders,
            batch_rows: options.batch_rows,
            on_error,
            simd: options.simd,
            hasher,
            progress: &control.progress,
            memory: None,
            bounded,
            clock: control.clock.clone(),
            ring_slots,
        });
        let collected = Collected::default();
        let (sink, _) = OpenSink::collect(&collected).into_parts(bounded);
        let stages = |index| Stages::new(&job.plan, &layout, index, hasher);
        let finished = simulate(wired, stages, sink, options.batch_rows, seed)?;
        let ordered = layout.ordered || layout.partitions == 1;
        Ok(Simulation { rows: collected.take(), ordered, partitions: finished.partitions })
    }
}
