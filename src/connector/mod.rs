//! Sources and sinks: file, standard streams, generator, nexmark, memory, blackhole.
//!
//! [`SourceConnector::take`] understands a source's options and [`SourceConnector::splits`] lists its splits; files and
//! streams are handed on as places to read bytes from, which room `format` frames and decodes, while the generators and
//! memory bring readers and decoders of their own. [`SinkConnector::open`] makes a [`Sink`]: bytes that become visible at
//! once at [`Output::commit`], or batches kept in memory.
//!
//! Knows nothing of formats, SQL or threads.

mod dead_letter;
mod draw;
mod generator;
mod glob;
mod memory;
mod nexmark;
mod shares;
mod sink;
mod source;

pub use dead_letter::DeadLetters;
pub use generator::{GENERATOR_KEYS, GENERATOR_OPTIONS, Generator, GeneratorDecoder};
pub use memory::{MemoryDecoder, MemorySource, memory_reader};
pub use nexmark::{NEXMARK_KEYS, NEXMARK_OPTIONS, Nexmark, NexmarkDecoder};
pub use shares::{Clock, GeneratorSource, Shares};
pub use sink::{Blackhole, MemorySink, Output, SINK_KEYS, SINK_OPTIONS, Sink, SinkConnector};
pub use source::{Location, SOURCE_KEYS, SOURCE_OPTIONS, SourceConnector};
