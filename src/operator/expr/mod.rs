//! Expressions over columns: an [`Evaluator`] is made once from a plan's expression and run once a batch.
//!
//! Promises:
//! 1. The result is that of the definition in [`crate::plan::ExprKind`], row by row, whatever the batch size, the selection
//!    or the encoding of text (plain or dictionary).
//! 2. Scratch and results live in the batch's arena; nothing is taken from the heap per batch. A column reference is
//!    the column itself.
//! 3. A row fails (overflow, impossible cast) only if it is selected, not NULL at that place, and SQL's evaluation order
//!    reaches the place: later operands of AND, OR and COALESCE and branches of CASE see only the rows still open.
//!
//! How: every node computes all rows of the batch in one kernel call, flags what overflowed, and masks the flags by the
//! rows that count (a bitmap handed down and narrowed; one bit a row, so narrowing costs almost nothing). Row-wise work
//! (text) skips the rows that do not count. On a dictionary smaller than the batch, text is looked at once per value.
//!
//! Must not know: where columns come from, what becomes of rows that failed.

mod arithmetic;
mod call;
mod cast;
mod compare;
mod compile;
mod datum;
mod evaluator;
mod failures;
mod in_list;
mod like;
mod logic;
mod moment;
mod text;

#[cfg(test)]
mod tests;

pub use evaluator::{Evaluator, evaluate_constant};
pub use failures::{FailureReason, RowFailures};
