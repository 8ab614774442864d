//! OVER (PARTITION BY … ROWS …): appends columns computed over the last rows of each key.

use std::collections::BTreeMap;

use bumpalo::collections::Vec as BumpVec;

use crate::arena::PaneArena;
use crate::batch::Batch;
use crate::error::Result;
use crate::plan::{Expr, ExprKind, RowsCall, RowsFunction, RowsNode};
use crate::state::{AccumulatorKind, FrameCall, FrameFunction, FrameStates, KeyHasher, KeyScratch, KeyTable, Keyer};
use crate::types::DataType;

use super::calls::accumulator_kind;
use super::expr::Evaluator;
use super::project::evaluate_all;
use super::{Context, Next, Operator};

/// Functions over frames that end at the current row, by the partition that sees all rows of its keys, in order.
pub struct RowsOver {
    /// Keys, then arguments.
    exprs: Vec<Evaluator>,
    keys: usize,
    frames: FrameStates,
    keyer: Keyer,
    table: KeyTable,
    /// The table's memory.
    memory: PaneArena,
    scratch: KeyScratch,
    /// Rows seen.
    rows: usize,
}

impl RowsOver {
    /// For a node of a plan.
    pub fn new(node: &RowsNode, hasher: KeyHasher) -> Self {
        let mut exprs: Vec<Evaluator> = node.partition_by.iter().map(Evaluator::new).collect();
        let keys = exprs.len();
        // Calls over one argument share its evaluation, and their frames.
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut calls = Vec::new();
        for call in &node.calls {
            let function = function(call);
            let argument = argument(call, &function).map(|arg| {
                let column = *known.entry(format!("{arg:?}")).or_insert_with(|| {
                    exprs.push(Evaluator::new(&arg));
                    exprs.len() - 1 - keys
                });
                (column, arg.data_type)
            });
            calls.push(FrameCall { function, rows: call.frame_rows, argument, result: call.data_type });
        }
        let keyer = Keyer::new(node.partition_by.iter().map(|key| key.data_type), hasher);
        let memory = PaneArena::default();
        let table = KeyTable::new(&keyer.layout, 0, &memory);
        Self {
            exprs,
            keys,
            frames: FrameStates::new(calls),
            keyer,
            table,
            memory,
            scratch: KeyScratch::default(),
            rows: 0,
        }
    }
}

fn function(call: &RowsCall) -> FrameFunction {
    match &call.function {
        RowsFunction::Aggregate(function) => {
            let kind = accumulator_kind(*function);
            FrameFunction::Aggregate(kind.expect("the planner lets no other aggregate stand with OVER"))
        }
        RowsFunction::FirstValue => FrameFunction::FirstValue,
        RowsFunction::LastValue => FrameFunction::LastValue,
        RowsFunction::RowNumber => FrameFunction::RowNumber,
        RowsFunction::Lag { offset, default } => FrameFunction::Lag { offset: *offset, default: default.clone() },
    }
}

/// The argument as the frames take it: moments of a DECIMAL are those of a DOUBLE.
fn argument(call: &RowsCall, function: &FrameFunction) -> Option<Expr> {
    let arg = call.arg.clone()?;
    let moments = matches!(function, FrameFunction::Aggregate(AccumulatorKind::Moments { .. }));
    if moments && matches!(arg.data_type, DataType::Decimal { .. }) {
        return Some(Expr { kind: ExprKind::Cast(Box::new(arg)), data_type: DataType::Double });
    }
    Some(arg)
}

impl Operator for RowsOver {
    fn name(&self) -> &'static str {
        "OVER"
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("OVER", self.frames.held_bytes() + self.memory.held_bytes()))
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, columns) = evaluate_all(&self.exprs, batch, arena, context)?;
        let (keys, arguments) = columns.split_at(self.keys);
        let direct = self.keyer.index(keys, batch.rows, self.rows, arena);
        let groups = arena.alloc_slice_fill_copy(batch.selected(), 0);
        self.table.assign(
            &self.keyer.keys(context.simd, keys, batch.rows, batch.selection.list()),
            direct,
            groups,
            &mut self.scratch,
            |_| {},
        );
        self.rows += groups.len();
        // Results stand one per surviving row, so everything else is cut down to those.
        let arguments = Batch { columns: arguments, ..batch }.compact(arena).columns;
        let batch = batch.compact(arena);
        let results = self.frames.push(groups, arguments, arena)?;
        let mut columns = BumpVec::with_capacity_in(batch.columns.len() + results.len(), arena);
        columns.extend(batch.columns.iter().chain(results).copied());
        next(Batch { columns: &columns, ..batch }, context)
    }
}
