//! Sources and sinks: file, generator, memory, standard streams, blackhole.
