//! The job server: deploys SQL as jobs that run side by side, and lets people watch and steer them over HTTP.
//!
//! ```text
//! Listener ──► Api ──► Jobs ──► Job (a thread) ──► Engine::run
//!                │       └────► Registry (jobs.json)
//!                └────► status, metrics: read from the counters that partitions keep
//! ```
//!
//! Promises: a job that was answered for is on the disk, and runs again after a crash; who may not change anything cannot;
//! jobs use files in the configured roots only; a client can hold up neither a job nor another client. Knows nothing of how
//! a job computes; prints nothing.

mod api;
mod config;
mod cores;
mod definition;
mod exposition;
mod guard;
mod http;
mod job;
mod jobs;
mod position;
mod refusal;
mod registry;
mod samples;
mod schema;
mod serve;
mod status;
mod substitute;

pub use config::{Config, LISTEN_DEFAULT, Oversubscribe};
pub use definition::Definition;
pub use schema::config_schema;
pub use serve::Server;
pub use substitute::Environment;
