//! Data types, schemas, values and their text, and the newtypes for time, sequence and order.
//!
//! Promises: two quantities of different meaning never share a bare integer. Knows nothing of columns, files or SQL text.

mod merging;
mod options;
mod order;
mod schema;
pub mod text;
mod value;

pub use merging::{Merging, not_after};
pub use options::{OptionEntry, Options, size_bytes};
pub use order::{EventTime, OrderKey, Sequence, SplitId};
pub use schema::{DataType, Field, Physical, Schema};
pub use value::Value;
