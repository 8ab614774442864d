//! The only room that talks to OS and CPU: topology, pinning, clock, CPU features and counters, memory, signals, terminals.
//!
//! Promises: every answer is read once and handed out as plain values; a fact the host does not tell is absent, never
//! guessed. Knows nothing of jobs, partitions or SQL. Linux only; the CPU-feature check covers x86-64.

mod clock;
mod counters;
mod cpu;
mod host;
mod memory;
mod pause;
mod pin;
mod signal;
mod stdin;
mod terminal;
mod topology;

pub use clock::{cycle_counter, monotonic_ns, process_cpu_ns, thread_cpu_ns, wall_us};
pub use counters::{Counter, Counts, ThreadCounters};
pub use cpu::{build_features, has_avx512, kernel_release, model_name, refuse_unsupported_host};
pub use host::{HostSettings, PARANOID_MAX};
pub use memory::{
    HUGE_PAGE_BYTES, Mapping, advise_huge_pages, available_memory_bytes, huge_page_bytes, peak_rss_bytes, rss_bytes,
};
pub use pause::PauseFlag;
pub use pin::{name_current_thread, pin_current_thread, pin_current_thread_to};
pub use signal::{InterruptGuard, StopFlag, call_on_signals, stop_on_interrupt, stop_on_signals};
pub use stdin::{StoppablePipe, StoppableStdin};
pub use terminal::{Stream, is_terminal, width_columns};
pub use topology::{Cpu, Placement, Topology, format_cpu_list, parse_cpu_list};
