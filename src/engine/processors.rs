//! Processors as objects, for those who choose one at run time and compare it with others: the benches' baselines
//! implement the same trait.

use super::job::{Control, Engine};
use super::options::RunOptions;
use crate::error::Result;
use crate::metrics::JobReport;
use crate::plan::{JobPlan, ProcessorKind};

/// A job, ready to run.
pub struct Job<'a> {
    /// Tables in memory.
    pub engine: &'a Engine,
    /// The plan.
    pub plan: &'a JobPlan,
    /// How to run it; the processor replaces its own kind and number of partitions.
    pub options: RunOptions,
    /// Stop flag and live counts.
    pub control: Control,
}

/// Lays a job's work over threads and runs it.
pub trait JobProcessor {
    /// Runs a job to its end.
    fn process_job(&self, job: &Job<'_>) -> Result<JobReport>;
    /// Partitions it runs at most.
    fn num_partitions(&self) -> usize;
    /// `inline`, `simple`, `partitioned`, `stp`.
    fn name(&self) -> String;
    /// V1, V2, V3; `V0` for `inline`.
    fn version(&self) -> &'static str;
}

struct Own {
    kind: ProcessorKind,
    partitions: usize,
}

/// The processor of that kind.
pub fn processor(kind: ProcessorKind, partitions: usize) -> Box<dyn JobProcessor> {
    Box::new(Own { kind, partitions })
}

impl JobProcessor for Own {
    fn process_job(&self, job: &Job<'_>) -> Result<JobReport> {
        let options =
            RunOptions { processor: self.kind, partitions: Some(self.num_partitions()), ..job.options.clone() };
        job.engine.run(job.plan, &options, &job.control)
    }

    fn num_partitions(&self) -> usize {
        match self.kind {
            ProcessorKind::Inline | ProcessorKind::Simple => 1,
            _ => self.partitions,
        }
    }

    fn name(&self) -> String {
        self.kind.to_string()
    }

    fn version(&self) -> &'static str {
        match self.kind {
            ProcessorKind::Inline => "V0",
            ProcessorKind::Simple => "V1",
            ProcessorKind::Partitioned | ProcessorKind::Auto => "V2",
            ProcessorKind::Stp => "V3",
        }
    }
}
