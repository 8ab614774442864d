//! A job under the simulator: the same partitions as the threads drive, stepped in an order that a seed decides.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use corelane::batch::{ChunkSource, Decode};
use corelane::connector::{MemoryDecoder, memory_reader};
use corelane::engine::Progress;
use corelane::error::Result;
use corelane::kernel::Simd;
use corelane::operator::OnError;
use corelane::partition::{PartitionStats, RowSink, SourceSplit, Wiring, wire};
use corelane::pipeline::Stages;
use corelane::plan::{JobPlan, Layout, LayoutRequest, ProcessorKind, Strategy};
use corelane::sim::simulate;
use corelane::state::KeyHasher;
use corelane::time::Clock;
use corelane::types::SplitId;

use super::{Row, rows_of};

#[derive(Default)]
struct Keep(Arc<Mutex<Vec<RecordBatch>>>);

impl RowSink for Keep {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.lock().unwrap().push(batch.clone());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// How a simulated job is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub processor: ProcessorKind,
    pub partitions: usize,
    pub strategy: Option<Strategy>,
    pub batch_rows: usize,
    pub ring_slots: usize,
    pub seed: u64,
}

impl Shape {
    /// One of all that seeds run through.
    pub fn of_seed(seed: u64) -> Self {
        Self {
            processor: if seed % 4 == 3 { ProcessorKind::Stp } else { ProcessorKind::Partitioned },
            partitions: 1 + seed as usize % 5,
            strategy: None,
            batch_rows: [1, 3, 16, 100][seed as usize / 4 % 4],
            ring_slots: 1 + seed as usize / 7 % 3,
            seed,
        }
    }
}

/// What came of it.
pub struct Simulated {
    pub rows: Vec<Row>,
    /// Whether the rows are in the order of the input.
    pub ordered: bool,
    pub partitions: Vec<PartitionStats>,
}

impl Simulated {
    /// The sum of a count over the partitions.
    pub fn sum(&self, of: fn(&PartitionStats) -> u64) -> u64 {
        self.partitions.iter().map(of).sum()
    }
}

/// Runs `job` over `splits` in memory.
pub fn simulated(job: &JobPlan, splits: &[Vec<RecordBatch>], shape: Shape) -> Simulated {
    let scan = &job.plan.scan;
    let sources = splits.iter().enumerate().map(|(number, batches)| {
        let batches: Vec<_> = batches.iter().cloned().map(Arc::new).collect();
        let source = memory_reader(SplitId(number as u32), &batches, &scan.source.schema, &scan.projection);
        Box::new(source.unwrap()) as Box<dyn ChunkSource>
    });
    simulated_sources(job, sources.collect(), true, Clock::new(|| 0), shape)
}

/// Runs `job` over these splits, whose chunks are in memory.
pub fn simulated_sources(
    job: &JobPlan,
    sources: Vec<Box<dyn ChunkSource>>,
    bounded: bool,
    clock: Clock,
    shape: Shape,
) -> Simulated {
    let request = LayoutRequest {
        processor: shape.processor,
        partitions: shape.partitions,
        strategy: shape.strategy,
        fan_in_target: 0,
        splits: sources.len(),
    };
    let layout = Layout::new(&job.plan, request).unwrap_or_else(|error| panic!("{shape:?}: {error}"));
    let splits = (0..).map(SplitId).zip(sources).map(|(id, source)| SourceSplit { id, source });
    let hasher = KeyHasher::new(shape.seed);
    let progress = Progress::new();
    let wired = wire(Wiring {
        plan: &job.plan,
        layout: &layout,
        splits: splits.collect(),
        decoders: (0..layout.partitions).map(|_| Box::new(MemoryDecoder) as Box<dyn Decode + Send>).collect(),
        batch_rows: shape.batch_rows,
        on_error: OnError::Skip,
        simd: Simd::detect(),
        hasher,
        progress: &progress,
        memory: None,
        bounded,
        clock,
        ring_slots: shape.ring_slots,
    });
    let kept = Keep::default();
    let batches = Arc::clone(&kept.0);
    let stages = |index| Stages::new(&job.plan, &layout, index, hasher);
    let finished = simulate(wired, stages, Box::new(kept), shape.batch_rows, shape.seed)
        .unwrap_or_else(|error| panic!("{shape:?}: {error}"));
    let rows = rows_of(&batches.lock().unwrap());
    Simulated { rows, ordered: layout.ordered || layout.partitions == 1, partitions: finished.partitions }
}
