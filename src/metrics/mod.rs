//! One-writer counters for what runs, meters of where time goes, and the report of what ran.
//!
//! Promises: a counter costs its writer a load and a store, no locked instruction, and shares its cache line with no
//! other writer; the counts of a report add up ([`JobReport::records_balance`]). Knows nothing of queries or threads.

mod counters;
mod lane;
mod lateness;
mod memory;
mod meter;
mod perf;
mod report;

pub use counters::{LaneWriters, LiveFailure, Progress, ProgressTotals, ProgressWriter};
pub use lane::{
    ActivityWriter, ChunkTime, LATENCY_BOUNDS_US, LaneMeters, LaneSnapshot, LatencyCounts, LatencyWriter, Moment,
    Pressure, QueueWriter,
};
pub use lateness::{LatenessBucket, LatenessHistogram, LatenessReport};
pub use memory::{MemoryExceeded, MemoryLimit, MemoryShare};
pub use meter::{Meter, SAMPLED_BATCH, StageId, StageKind, StageProfile, ThreadProfile, ThreadStages};
pub use perf::{PerfReport, StageReport, ThreadReport, stage_reports};
pub use report::{FailureSample, JobReport, PartitionReport, WatermarkReport, group_digits};
