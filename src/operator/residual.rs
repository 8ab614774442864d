//! What must be true of a pair beside its key and its times, for joins from which rows without a partner leave, too.
//!
//! Pairs are found first, as many as leave together; which of them are pairs decides which rows have had a partner, and that
//! decides which of the rows that went without one in between leave.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Column, Selection};
use crate::error::{Error, Result};
use crate::kernel::Simd;
use crate::plan::Expr;

use super::expr::{Evaluator, RowFailures};

/// A condition over the columns of both sides.
pub(super) struct Residual {
    condition: Evaluator,
}

impl Residual {
    /// From a BOOLEAN expression.
    pub(super) fn new(condition: &Expr) -> Self {
        Self { condition: Evaluator::new(condition) }
    }

    /// Of which of the selected of `rows` rows of `columns` it is true; it is not looked at for others.
    pub(super) fn passing<'a>(
        &self,
        columns: &[Column<'_>],
        rows: usize,
        selection: Selection<'_>,
        arena: &'a Bump,
        simd: Simd,
    ) -> Result<&'a [bool]> {
        let mut failures = RowFailures::new(arena, rows);
        let passes = self.condition.evaluate(columns, rows, selection, arena, &mut failures, simd);
        if let Some((_, reason)) = failures.iter().next() {
            return Err(Error::Execution(format!("the condition of a JOIN: {reason}")));
        }
        let words = passes.booleans();
        let is_true = |row: usize| passes.is_valid(row) && words[row / 64] >> (row % 64) & 1 == 1;
        Ok(BumpVec::from_iter_in((0..rows).map(is_true), arena).into_bump_slice())
    }
}
