//! The corelane command: everything it does is in [`corelane::cli`].

use std::process::ExitCode;

/// A heap per thread suits pinned partitions, and what a closed pane gave back is kept for the next one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: all the rest may use instructions that the host lacks.
    if corelane::sys::refuse_unsupported_host() {
        return ExitCode::from(2);
    }
    corelane::cli::main()
}
