//! The corelane command: everything it does is in [`corelane::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: all the rest may use instructions that the host lacks.
    if corelane::sys::refuse_unsupported_host() {
        return ExitCode::from(2);
    }
    corelane::cli::main()
}
