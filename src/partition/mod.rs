//! The state machines of a job: reader, partitions, writer. Each has a `step` that works and returns; threads, the
//! caller (`inline`) and the simulator only drive them.
//!
//! ```text
//! Reader ──Input──► Partition p ──Output──► Writer
//!    ▲ ◄──chunks───   │     ▲  ◄──buffers──
//!                     ▼     │
//!          mesh of rings: rows of a key, or groups of a closed pane; marks of event time
//! ```
//!
//! Promises: a step never blocks, never sleeps and reads no clock (a thread that is measured lends it a meter, on which nothing depends); with full rings it returns [`Step::Idle`] and loses
//! nothing. The rows that leave the writer are a function of the input and the query alone. Between partitions there are
//! only rings.

mod abreast;
mod exchange;
mod ledger;
mod machine;
mod measure;
mod memory;
mod mesh;
mod message;
mod output;
mod parts;
mod reader;
mod reduction;
mod wiring;
mod writer;

pub use machine::Partition;
pub use memory::memory_exceeded;
pub use message::{DeadLetter, Input, Output, Returned};
pub use parts::{PartitionParts, PartitionStats};
pub use reader::{Reader, ReaderParts, ReaderStats, SourceSplit};
pub use wiring::{End, Join, Lane, Wired, Wiring, wire, wire_through};
pub use writer::{RowSink, Writer, WriterParts, WriterStats};

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something; step again.
    Worked,
    /// Nothing could be done: an input is empty or an output full.
    Idle,
    /// Nothing for that long: the source knows when its next record is due, in nanoseconds.
    IdleFor(u64),
    /// All is done; drop the machine.
    Done,
}
