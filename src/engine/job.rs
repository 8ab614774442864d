//! From SQL text to a finished job.

use std::sync::Arc;

use super::RunOptions;
use crate::error::{Error, Result};
use crate::metrics::{JobReport, Progress};
use crate::plan::JobPlan;
use crate::sys::StopFlag;
use crate::types::Options;

/// What the caller holds on to while a job runs.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// Asks the job to stop reading, drain, flush and report.
    pub stop: StopFlag,
    /// Counts to watch.
    pub progress: Arc<Progress>,
}

/// Parses and plans every job of `text`; schemas of files that declare none are inferred. `settings` win over SET.
pub fn compile(_text: &str, _settings: &Options) -> Result<Vec<JobPlan>> {
    Err(Error::Execution("not built yet".into()))
}

/// How `job` would run: its steps, and their layout over partitions.
pub fn explain(_job: &JobPlan, _options: &RunOptions) -> Result<String> {
    Err(Error::Execution("not built yet".into()))
}

/// Runs `job` to the end of its input, or until it is asked to stop.
pub fn run(_job: &JobPlan, _options: &RunOptions, _control: &Control) -> Result<JobReport> {
    Err(Error::Execution("not built yet".into()))
}
