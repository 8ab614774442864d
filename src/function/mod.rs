//! What scalar functions compute: one definition a function, for one row, with the loop over the rows of a batch.
//!
//! Promises: 1. a function is asked only for rows that count and whose arguments are all there (NULL in, NULL out is the
//! caller's); 2. it gives a value, NULL, or a reason why the row has no answer, and never panics on data; 3. the result
//! is the same on every host: no C library, no clock, no locale; 4. text is written into the batch's arena, nothing is
//! taken from the heap per row, except where patterns, paths or formats come from the data (made once per distinct one
//! and batch).
//!
//! One indirect call a batch: each [`RowFunction`] holds a loop that was made for it. Knows nothing of names, types of
//! arguments and documentation, which are the planner's, and nothing of columns, NULLs and failures, which are the
//! evaluator's.

pub mod bits;
pub mod digest;
pub mod format;
pub mod json;
pub mod moment;
pub mod number;
pub mod part;
mod path;
pub mod pattern;
mod prepared;
mod rows;
mod scan;
pub mod text;

pub use part::DatePart;
pub use prepared::{Literals, Prepared, RowFunction};
pub use rows::{Answered, Argument, Failure, Lane, Output, Rows, TextBuilder, Texts, utf8};
