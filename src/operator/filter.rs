//! WHERE and HAVING: keeps the rows for which a condition is true.

use crate::batch::Batch;
use crate::error::Result;
use crate::plan::Expr;

use super::expr::{Evaluator, RowFailures};
use super::{Context, Next, Operator};

/// Keeps rows; copies nothing.
pub struct Filter {
    predicate: Evaluator,
    /// Whether what does not pass counts as a filtered record (WHERE, not HAVING).
    counts_records: bool,
}

impl Filter {
    /// A filter on a BOOLEAN expression.
    pub fn new(predicate: &Expr, counts_records: bool) -> Self {
        Self { predicate: Evaluator::new(predicate), counts_records }
    }
}

impl Operator for Filter {
    fn name(&self) -> &'static str {
        if self.counts_records { "WHERE" } else { "HAVING" }
    }

    fn takes_masks(&self) -> bool {
        true
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let mut failures = RowFailures::new(arena, batch.rows);
        let selection =
            self.predicate.select(batch.columns, batch.rows, batch.selection, arena, &mut failures, context.simd);
        let left = context.settle(batch, &failures, arena)?.selected();
        let passed = Batch { selection, ..batch };
        if self.counts_records {
            context.counts.filtered += (left - passed.selected()) as u64;
        }
        next(passed, context)
    }
}
