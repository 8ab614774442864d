//! Computes the columns of a SELECT list.

use bumpalo::Bump;

use crate::batch::{Batch, Column};
use crate::error::Result;
use crate::plan::Expr;

use super::expr::{Evaluator, RowFailures};
use super::{Context, Next, Operator};

/// Replaces the columns by expressions over them.
pub struct Project {
    exprs: Vec<Evaluator>,
}

impl Project {
    /// A projection.
    pub fn new(exprs: &[Expr]) -> Self {
        Self { exprs: exprs.iter().map(Evaluator::new).collect() }
    }
}

/// Evaluates all of `exprs` over the batch; failed rows are counted and leave the returned batch's selection.
pub(super) fn evaluate_all<'a>(
    exprs: &[Evaluator],
    batch: Batch<'a>,
    arena: &'a Bump,
    context: &mut Context<'_>,
) -> Result<(Batch<'a>, &'a [Column<'a>])> {
    let mut failures = RowFailures::new(arena, batch.rows);
    let columns = arena.alloc_slice_fill_iter(
        exprs
            .iter()
            .map(|expr| expr.evaluate(batch.columns, batch.rows, batch.selection, arena, &mut failures, context.simd)),
    );
    Ok((context.settle(batch, &failures, arena)?, columns))
}

impl Operator for Project {
    fn name(&self) -> &'static str {
        "SELECT"
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, columns) = evaluate_all(&self.exprs, batch, arena, context)?;
        next(Batch { columns, ..batch }, context)
    }
}
