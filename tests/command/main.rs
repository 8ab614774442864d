//! The command over real files and pipes: for each thing that can go right or wrong the exit status, what standard output
//! holds and what standard error says.

mod bad_records;
mod bench;
mod documentation;
mod event_time;
mod examples;
mod failures;
mod formats;
mod lab;
mod memory;
mod perf;
mod processors;
mod prompt;
mod refusals;
mod reports;
mod rig;
mod signals;
