//! The job server as its users meet it: a process with a configuration file, spoken to over plain TCP.

mod cycles;
mod guard;
mod jobs;
mod malformed;
mod metrics;
mod options;
mod prometheus;
mod recovery;
mod rig;
mod settings;
mod top;
