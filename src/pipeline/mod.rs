//! Plan to a chain of operators: what one partition runs before and after the exchange.
//!
//! Promises: every partition of a job gets the same stages; which rows reach them is the partition's business. Knows
//! nothing of rings or threads.

mod stages;

pub use stages::{ExchangeStage, Frontier, Stages};
