//! corelane: a streaming SQL engine for one dedicated multi-core Linux host.
//!
//! # The rooms
//! A room imports only rooms of a smaller level; two rooms of one level do not know each other (`tests/tidy.rs` checks).
//!
//! | level | room | its one purpose |
//! |---|---|---|
//! | 0 | [`error`], [`limits`] | public errors; every bound with its name, unit and reason |
//! | 0 | [`sys`] | the only room that talks to OS and CPU |
//! | 1 | [`types`] | data types, schema, values and their text, event time, sequence, order |
//! | 1 | [`ring`], [`arena`], [`metrics`] | SPSC ring pairs and wait strategies; memory freed whole; one-writer counters, meters of time |
//! | 2 | [`kernel`] | pure loops over slices |
//! | 2 | [`function`] | what scalar functions compute |
//! | 2 | [`batch`], [`time`], [`sql`] | columns and chunks; watermark and window arithmetic; text to syntax tree |
//! | 3 | [`state`], [`plan`] | group tables and ROWS rings; checked, typed plans |
//! | 3 | [`mod@format`], [`connector`] | decoders and encoders; sources and sinks |
//! | 4 | [`operator`] | one file per operator |
//! | 5 | [`pipeline`] | plan to a chain of operators |
//! | 6 | [`partition`] | the state machine: `step`, strategies, exchange, watermark ledger |
//! | 7 | [`processor`], [`sim`] | inline, simple, partitioned, stp on pinned threads; the seeded simulator |
//! | 8 | [`engine`] | the library's face |
//! | 9 | [`server`] | many jobs at once: registry, HTTP API, metrics |
//! | 10 | [`cli`] | arguments and terminal output |
//!
//! # The life of a batch
//! A reader cuts its split into numbered chunks and pushes their descriptors into the ring of a partition. The partition
//! decodes the chunk into Arrow columns, views them in its batch arena, and runs them through its operators: filter and
//! project, then either into group state of its own (partial panes, merged when the window closes) or scattered by key to
//! the partitions that own the keys. What leaves goes, with its place in the input, through a ring to the writer, which
//! merges by that place, encodes, and hands the buffers back.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "implements the allocator interface that panes live in")]
pub mod arena;
pub mod batch;
pub mod cli;
pub mod connector;
pub mod engine;
pub mod error;
pub mod format;
pub mod function;
#[allow(unsafe_code, reason = "explicit SIMD and unchecked loads")]
pub mod kernel;
pub mod limits;
pub mod metrics;
pub mod operator;
pub mod partition;
pub mod pipeline;
pub mod plan;
pub mod processor;
pub mod ring;
pub mod server;
pub mod sim;
pub mod sql;
pub mod state;
#[allow(unsafe_code, reason = "calls into the operating system")]
pub mod sys;
pub mod time;
pub mod types;
