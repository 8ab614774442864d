//! Sources and sinks: file, standard streams, generator, memory, blackhole.
//!
//! [`SourceConnector::take`] understands a source's options and [`SourceConnector::splits`] lists its splits; files and
//! streams are handed on as places to read bytes from, which room `format` frames and decodes, while the generator and
//! memory bring readers and decoders of their own. [`SinkConnector::open`] makes a [`Sink`]: bytes that become visible at
//! once at [`Output::commit`], or batches kept in memory.
//!
//! Knows nothing of formats, SQL or threads.

mod dead_letter;
mod draw;
mod generator;
mod glob;
mod memory;
mod sink;
mod source;

pub use dead_letter::DeadLetters;
pub use generator::{Clock, GENERATOR_KEYS, Generator, GeneratorDecoder, GeneratorSource};
pub use glob::before_wildcards;
pub use memory::{MemoryDecoder, MemorySource, memory_reader};
pub use sink::{Blackhole, MemorySink, Output, SINK_KEYS, Sink, SinkConnector};
pub use source::{Location, SOURCE_KEYS, SourceConnector};
