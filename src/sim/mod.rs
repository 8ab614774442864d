//! The seeded simulator: the machines of a job, stepped in random order on one thread.
//!
//! Promises: the same seed steps the same machines in the same order; a run in which no machine can do anything more,
//! though not all are done, is an error and not a hang. With rings of one or two slots it reaches interleavings that
//! threads reach once in a blue moon. What it runs is what the threads run: only the driver differs.

mod schedule;

pub use schedule::{Simulated, simulate};
