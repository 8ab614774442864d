//! The machines of one job, apart from the engine that otherwise opens its source and its sink: for measuring what lies
//! between them, with a source and a sink of the bench's own, driven by threads or by something else.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::batch::{ChunkSource, Decode};
use crate::connector::MemoryDecoder;
use crate::engine::{Control, JobPlan, RunOptions};
use crate::error::Result;
use crate::operator::OnError;
use crate::partition::{Join, RowSink, SourceSplit, Wired, Wiring, wire, wire_through};
use crate::pipeline::Stages;
use crate::plan::{Layout, LayoutRequest, Plan};
use crate::processor::{Finished, Machines, MachinesSetup, process};
use crate::state::KeyHasher;
use crate::sys::Topology;
use crate::types::SplitId;

/// A job laid out, with one split that ends by itself and whose chunks hold columns.
pub struct Machinery {
    plan: Plan,
    layout: Layout,
    hasher: KeyHasher,
    options: RunOptions,
    control: Control,
}

impl Machinery {
    /// Lays `job` out as `options` say.
    pub fn new(job: &JobPlan, options: RunOptions) -> Result<Self> {
        let request = LayoutRequest {
            processor: options.processor,
            partitions: options.partitions.unwrap_or(1),
            strategy: options.strategy,
            fan_in_target: options.fan_in_partition,
            splits: 1,
        };
        let layout = Layout::new(&job.plan, request)?;
        let hasher = KeyHasher::new(RandomState::new().hash_one("corelane"));
        Ok(Self { plan: job.plan.clone(), layout, hasher, options, control: Control::default() })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Number of partitions.
    pub fn partitions(&self) -> usize {
        self.layout.partitions
    }

    /// Rows of a batch at most.
    pub fn batch_rows(&self) -> usize {
        self.options.batch_rows
    }

    /// What partition `index` runs.
    pub fn stages(&self, index: usize) -> Stages {
        Stages::new(&self.plan, &self.layout, index, self.hasher)
    }

    fn wiring(&self, source: Box<dyn ChunkSource>) -> Wiring<'_> {
        let decoder = |_| -> Box<dyn Decode + Send> { Box::new(MemoryDecoder) };
        Wiring {
            plan: &self.plan,
            layout: &self.layout,
            splits: vec![SourceSplit { id: SplitId(0), source }],
            decoders: (0..self.layout.partitions).map(decoder).collect(),
            batch_rows: self.options.batch_rows,
            on_error: OnError::Skip,
            simd: self.options.simd,
            hasher: self.hasher,
            progress: &self.control.progress,
            memory: None,
            bounded: true,
            clock: self.control.clock.clone(),
            ring_slots: Wiring::SLOTS,
        }
    }

    /// The machines, joined by `joint`.
    pub fn wire_through(&self, source: Box<dyn ChunkSource>, joint: &mut impl Join) -> Wired {
        wire_through(self.wiring(source), joint)
    }

    /// Runs the machines as the engine does.
    pub fn run(&self, source: Box<dyn ChunkSource>, sink: Box<dyn RowSink>) -> Result<Finished> {
        let placement = Topology::read().placement(self.layout.partitions, self.options.cores.as_deref())?;
        let setup = MachinesSetup {
            plan: &self.plan,
            layout: &self.layout,
            hasher: self.hasher,
            cores: &placement.cpus,
            wait: self.options.wait,
            batch_rows: self.options.batch_rows,
            stop: &self.control.stop,
            pause: &self.control.pause,
            clock: &self.control.clock,
            is_measured: self.control.is_measured,
            progress: &self.control.progress,
        };
        process(Machines { setup, wired: wire(self.wiring(source)), sink })
    }
}
