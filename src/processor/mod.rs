//! Drivers of a job's machines: the caller's thread (`inline`), one worker behind a locked queue (`simple`), pinned
//! threads (`partitioned`, `stp`).
//!
//! Promises: a thread only steps its machines and waits when they are idle; it holds no behaviour of the engine. When one
//! machine fails, all threads end, and the first failure is what the job returns. A stop request ends reading; what was
//! read is processed and written.

mod drive;
mod inline;
mod measure;
mod simple;
mod threads;

pub use drive::{Finished, Machines, MachinesSetup};

use crate::error::Result;
use crate::plan::ProcessorKind;

/// Runs the machines of a job under the processor of its layout.
pub fn process(machines: Machines<'_>) -> Result<Finished> {
    match machines.setup.layout.processor {
        ProcessorKind::Inline => inline::run(machines),
        ProcessorKind::Simple => simple::run(machines),
        ProcessorKind::Partitioned | ProcessorKind::Stp | ProcessorKind::Auto => threads::run(machines),
    }
}
