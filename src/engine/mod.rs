//! The library's face: jobs, processors, reports.
//!
//! SQL text goes in through [`compile`], comes out as checked jobs, and each of them runs with [`run`] under the
//! [`RunOptions`] in force for it. Knows nothing of the command line.

mod job;
mod options;

pub use crate::metrics::{FailureSample, JobReport, PartitionReport, Progress};
pub use crate::plan::JobPlan;
pub use crate::sys::StopFlag;
pub use job::{Control, compile, explain, run};
pub use options::{ProcessorKind, RunOptions, SETTINGS};
