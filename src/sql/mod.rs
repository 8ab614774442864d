//! Text to syntax tree with spans.
//!
//! Promises: every node of the tree knows its place in the text; what corelane does not run is named in an error at
//! that place, never ignored; no text makes it panic, and no text makes it recurse deeper than
//! [`crate::limits::EXPRESSION_DEPTH_MAX`]. `sqlparser` cuts the text into tokens and parses expressions and data
//! types; statements and clauses are read here, because streaming SQL (`WATERMARK FOR`, `WINDOW TUMBLING`, `EMIT`)
//! has clauses of its own. Knows nothing of schemas or sources: names stay names.

pub mod ast;
mod convert;
mod data_type;
mod duration;
mod from;
mod name;
mod over;
mod reader;
mod select;
mod statement;
mod subquery;
mod tokens;
mod window;

pub use statement::parse;
