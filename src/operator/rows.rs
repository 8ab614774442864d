//! OVER (PARTITION BY … ROWS …): appends columns computed over the last rows of each key.

use std::collections::BTreeMap;

use crate::arena::PaneArena;
use crate::batch::{Batch, ColumnBuffer};
use crate::error::Result;
use crate::plan::{RowsFunction, RowsNode};
use crate::state::{FrameFunction, FrameStates, KeyHasher, KeyTable, Keyer};

use super::expr::Evaluator;
use super::group_by::accumulator_kind;
use super::project::evaluate_all;
use super::{Context, Next, Operator};

/// Functions over frames that end at the current row, by the partition that sees all rows of its keys, in order.
pub struct RowsOver {
    exprs: Vec<Evaluator>,
    keys: usize,
    arguments: Vec<Option<usize>>,
    states: Vec<FrameStates>,
    results: Vec<ColumnBuffer>,
    keyer: Keyer,
    table: KeyTable,
    /// Rows seen.
    rows: usize,
}

impl RowsOver {
    /// For a node of a plan.
    pub fn new(node: &RowsNode, hasher: KeyHasher) -> Self {
        let mut exprs: Vec<Evaluator> = node.partition_by.iter().map(Evaluator::new).collect();
        // Calls over one argument share its evaluation.
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let mut arguments = Vec::new();
        let mut states = Vec::new();
        for call in &node.calls {
            arguments.push(call.arg.as_ref().map(|arg| {
                *known.entry(format!("{arg:?}")).or_insert_with(|| {
                    exprs.push(Evaluator::new(arg));
                    exprs.len() - 1
                })
            }));
            let function = match &call.function {
                RowsFunction::Aggregate(function) => FrameFunction::Aggregate(accumulator_kind(*function)),
                RowsFunction::FirstValue => FrameFunction::FirstValue,
                RowsFunction::LastValue => FrameFunction::LastValue,
                RowsFunction::RowNumber => FrameFunction::RowNumber,
                RowsFunction::Lag { offset, default } => {
                    FrameFunction::Lag { offset: *offset, default: default.clone() }
                }
            };
            states.push(FrameStates::new(function, call.frame_rows, call.arg.as_ref().map(|arg| arg.data_type)));
        }
        let keyer = Keyer::new(node.partition_by.iter().map(|key| key.data_type), hasher);
        Self {
            exprs,
            keys: node.partition_by.len(),
            arguments,
            states,
            results: node.calls.iter().map(|call| ColumnBuffer::new(call.data_type)).collect(),
            table: KeyTable::new(&keyer.layout, 0, &PaneArena::default()),
            keyer,
            rows: 0,
        }
    }
}

impl Operator for RowsOver {
    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        let (batch, columns) = evaluate_all(&self.exprs, batch, arena, context)?;
        let key_columns = &columns[..self.keys];
        let direct = self.keyer.index(key_columns, batch.rows, self.rows, arena);
        let groups = arena.alloc_slice_fill_copy(batch.selected(), 0);
        self.table.assign(&self.keyer.keys(key_columns, batch.rows, batch.selection), direct, groups, |_| {});
        self.rows += groups.len();
        for ((state, argument), out) in self.states.iter_mut().zip(&self.arguments).zip(&mut self.results) {
            out.clear();
            state.push(groups, batch.selection, argument.map(|i| &columns[i]), out)?;
        }
        // Results stand one per surviving row, so the input is cut down to those.
        let batch = batch.compact(arena);
        let results = self.results.iter().map(ColumnBuffer::column);
        let mut columns = bumpalo::collections::Vec::with_capacity_in(batch.columns.len() + results.len(), arena);
        columns.extend(batch.columns.iter().copied().chain(results));
        next(Batch { columns: &columns, ..batch }, context)
    }
}
