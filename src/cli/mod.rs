//! Arguments and terminal output: the `corelane` command.
//!
//! Promises: results go to stdout, all else to stderr. Exit status 0: done, also after SIGINT or SIGTERM, and when the
//! reader of stdout has gone; 1: the job failed; 2: usage, SQL or configuration error. Holds no logic of the engine:
//! flags become settings of the same names, the rest is printing.

mod arguments;
pub mod bench;
mod commands;
mod completions;
mod doctor;
mod failure;
mod functions;
mod generate;
mod head;
mod list;
mod options;
mod progress;
mod script;
mod serve;
mod shell;
mod stats;
mod top;
mod topology;

pub use commands::main;
