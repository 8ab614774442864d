//! The library's face: from SQL text to a finished job.
//!
//! ```
//! use corelane::engine::{Engine, RunOptions};
//!
//! let engine = Engine::new();
//! let sql = "CREATE SOURCE s (id BIGINT) WITH (connector = 'generator', rows = '1000');
//!            SELECT COUNT(*) AS n FROM s";
//! let jobs = engine.compile(sql, &Default::default())?;
//! let (report, rows) = engine.collect(&jobs[0], &RunOptions::default())?;
//! assert_eq!((report.records_read, rows[0].num_rows()), (1000, 1));
//! # Ok::<(), corelane::error::Error>(())
//! ```
//!
//! Promises: the rows of a job depend on its input and its query alone, not on [`RunOptions`]; a job that fails leaves
//! no file under its final name.

mod combined;
mod job;
mod options;
mod outputs;
mod processors;
mod report;
mod roots;
mod simulated;
mod sink;
mod source;
mod split;
mod tables;

pub use crate::metrics::{
    JobReport, LaneSnapshot, LiveFailure, Moment, PerfReport, Pressure, Progress, ProgressTotals,
};
pub use crate::plan::{JobPlan, LateRecords, ProcessorKind, Strategy, Timing};
pub use crate::sys::{PauseFlag, StopFlag};
pub use job::{Control, Engine};
pub use options::{RunOptions, SETTING_OPTIONS, SETTINGS, option_groups};
pub use outputs::reads_stdin;
pub use processors::{Job, JobProcessor, processor};
pub use roots::Roots;
pub use simulated::Simulation;
