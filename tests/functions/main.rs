//! Scalar functions: documented examples, hand-checked cases and SQLite, over literals and over columns.

#[path = "../harness/mod.rs"]
mod harness;

mod cases;
mod documentation;
mod oracle;
mod rig;
