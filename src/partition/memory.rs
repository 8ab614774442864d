//! What is said when the state of a job takes more memory than it may.

use crate::error::Error;
use crate::metrics::MemoryExceeded;

/// Why a job ends whose state takes too much memory; `name` is who holds most of it here.
pub fn memory_exceeded(name: &str, bytes: usize, exceeded: MemoryExceeded) -> Error {
    let MemoryExceeded { limit_bytes, held_bytes } = exceeded;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    Error::Execution(format!(
        "memory_limit of {} is reached: {name} holds {} in one partition, the state of the job {} in all; raise \
         memory_limit, or keep less (shorter windows, fewer keys, less allowed_lateness)",
        mib(limit_bytes),
        mib(bytes as u64),
        mib(held_bytes)
    ))
}
