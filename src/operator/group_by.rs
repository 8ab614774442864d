//! Takes rows into the groups of their panes: the part that aggregation in one place, in many, and row by row share.

use std::collections::BTreeMap;
use std::sync::Arc;

use bumpalo::Bump;

use crate::arena::ArenaPool;
use crate::batch::{Batch, Column};
use crate::error::Result;
use crate::plan::{AggregateCall, AggregateFunction, AggregateNode, Expr, ExprKind, Window};
use crate::state::{Accumulator, AccumulatorKind, EncodedKeys, Groups, KeyHasher, StateLayout, encode_keys};
use crate::time::Tumbling;
use crate::types::{DataType, EventTime};

use super::Context;
use super::expr::Evaluator;
use super::project::evaluate_all;

/// What an aggregate of a plan keeps.
pub(super) fn accumulator_kind(function: AggregateFunction) -> AccumulatorKind {
    match function {
        AggregateFunction::Count => AccumulatorKind::Count,
        AggregateFunction::Sum => AccumulatorKind::Sum,
        AggregateFunction::Avg => AccumulatorKind::Avg,
        AggregateFunction::Min => AccumulatorKind::Min,
        AggregateFunction::Max => AccumulatorKind::Max,
        AggregateFunction::Variance => AccumulatorKind::Moments { root: false, population: false },
        AggregateFunction::StdDev => AccumulatorKind::Moments { root: true, population: false },
        AggregateFunction::VariancePop => AccumulatorKind::Moments { root: false, population: true },
        AggregateFunction::StdDevPop => AccumulatorKind::Moments { root: true, population: true },
    }
}

/// The argument as the accumulator takes it: moments are kept over DOUBLE.
fn argument(call: &AggregateCall) -> Option<Expr> {
    let arg = call.arg.clone()?;
    let moments = matches!(accumulator_kind(call.function), AccumulatorKind::Moments { .. });
    if moments && arg.data_type != DataType::Double {
        return Some(Expr { kind: ExprKind::Cast(Box::new(arg)), data_type: DataType::Double });
    }
    Some(arg)
}

/// Groups by pane: the start of a window to its groups. Without a window there is one pane, at the beginning of time.
pub struct Panes {
    /// Open panes, earliest first.
    pub open: BTreeMap<i64, Groups>,
    /// Layout of the state rows.
    pub layout: Arc<StateLayout>,
    window: Option<Tumbling>,
    pool: ArenaPool,
}

impl Panes {
    /// No pane open.
    pub fn new(layout: Arc<StateLayout>, window: Option<Tumbling>) -> Self {
        Self { open: BTreeMap::new(), layout, window, pool: ArenaPool::default() }
    }

    /// The pane that starts at `start`, opened if need be.
    pub fn pane(&mut self, start: i64) -> &mut Groups {
        let pool = &mut self.pool;
        self.open.entry(start).or_insert_with(|| Groups::new(pool.take()))
    }

    /// Takes out the earliest pane, if `watermark` closes it.
    pub fn close_next(&mut self, watermark: EventTime) -> Option<(i64, Groups)> {
        let (&start, _) = self.open.first_key_value()?;
        if self.end(start) > watermark {
            return None;
        }
        self.open.pop_first()
    }

    /// End of the pane that starts at `start`.
    pub fn end(&self, start: i64) -> EventTime {
        self.window.map_or(EventTime::MAX, |window| window.end(start))
    }

    /// Whether `watermark` closes windows that `before` did not, open here or elsewhere.
    pub fn closes_more(&self, before: EventTime, watermark: EventTime) -> bool {
        match self.window {
            None => watermark == EventTime::MAX && before < watermark,
            Some(_) if watermark == EventTime::MIN => false,
            Some(window) => before == EventTime::MIN || window.start(before.0) < window.start(watermark.0),
        }
    }

    /// Takes the memory of a closed pane back.
    pub fn recycle(&mut self, groups: Groups) {
        self.pool.give(groups.into_arena());
    }
}

impl<'a> Run<'a> {
    /// The groups of the run's rows in `pane`.
    pub fn assign(&self, pane: &mut Groups, layout: &StateLayout, batch: &Batch<'_>, arena: &'a Bump) -> &'a [u32] {
        let groups = arena.alloc_slice_fill_copy(self.keys.len(), 0);
        pane.assign(layout, &self.keys, groups, |j| {
            let key = batch.key(self.selection.map_or(j, |s| s[j] as usize));
            (key.sequence, key.row)
        });
        groups
    }
}

/// Evaluates keys and arguments of a batch and finds the groups.
pub struct GroupBy {
    /// The panes.
    pub panes: Panes,
    /// Column of the event time, if windowed.
    time_column: Option<usize>,
    /// The keys, then the arguments of the layout.
    exprs: Vec<Evaluator>,
    keys: usize,
    hasher: KeyHasher,
}

/// What is done with a run: its panes, the run, the batch it is of.
pub type TakeRun<'a, 't> = dyn FnMut(&mut Panes, Run<'a>, &Batch<'a>, &mut Context<'_>) -> Result<()> + 't;

/// One run of rows of one pane.
pub struct Run<'a> {
    /// Start of the pane.
    pub start: i64,
    /// Canonical keys of the batch's selected rows.
    pub keys: EncodedKeys<'a>,
    /// Key columns, of all rows of the batch.
    pub key_columns: &'a [Column<'a>],
    /// Arguments of the layout, of all rows of the batch.
    pub arguments: &'a [Column<'a>],
    /// The rows of the run; `None` means all rows of the batch.
    pub selection: Option<&'a [u32]>,
}

impl GroupBy {
    /// For a node of a plan.
    pub fn new(node: &AggregateNode, hasher: KeyHasher) -> Self {
        // Calls over one argument share its evaluation and its state.
        let mut arguments: Vec<Expr> = Vec::new();
        let mut accumulators = Vec::new();
        for call in &node.calls {
            let argument = argument(call).map(|arg| {
                let index = arguments.iter().position(|known| *known == arg).unwrap_or(arguments.len());
                let data_type = arg.data_type;
                if index == arguments.len() {
                    arguments.push(arg);
                }
                (index, data_type)
            });
            let kind = accumulator_kind(call.function);
            accumulators.push(Accumulator { kind, argument, result: call.data_type });
        }
        let exprs = node.keys.iter().chain(&arguments).map(Evaluator::new).collect();
        let (window, time_column) = match node.window {
            Some(Window::Tumbling { column, size_us }) => (Some(Tumbling { size_us }), Some(column)),
            None => (None, None),
        };
        let panes = Panes::new(Arc::new(StateLayout::new(accumulators)), window);
        Self { panes, time_column, exprs, keys: node.keys.len(), hasher }
    }

    /// The hash of the key of a query without GROUP BY.
    pub fn global_hash(&self) -> u64 {
        self.hasher.hash(&[])
    }

    /// Cuts the batch into runs of rows of one pane, in order, and hands each to `take` with its pane open.
    pub fn for_each_run<'a>(
        &mut self,
        batch: Batch<'a>,
        arena: &'a Bump,
        context: &mut Context<'_>,
        take: &mut TakeRun<'a, '_>,
    ) -> Result<()> {
        let (batch, columns) = evaluate_all(&self.exprs, batch, arena, context)?;
        let (key_columns, arguments) = columns.split_at(self.keys);
        let keys = encode_keys(key_columns, batch.rows, batch.selection, self.hasher, arena);
        let run = |start, keys, selection| Run { start, keys, key_columns, arguments, selection };
        let (Some(window), Some(column)) = (self.panes.window, self.time_column) else {
            return take(&mut self.panes, run(i64::MIN, keys, batch.selection), &batch, context);
        };
        let times = batch.columns[column].int64();
        let count = batch.selected();
        let start_of = |j: usize| window.start(times[batch.selection.map_or(j, |s| s[j] as usize)]);
        let mut selection = batch.selection;
        let mut begin = 0;
        while begin < count {
            let start = start_of(begin);
            let end = start.saturating_add(window.size_us);
            let inside = |j: usize| {
                let time = times[batch.selection.map_or(j, |s| s[j] as usize)];
                (start..end).contains(&time)
            };
            let stop = (begin + 1..count).find(|&j| !inside(j)).unwrap_or(count);
            if begin == 0 && stop == count {
                return take(&mut self.panes, run(start, keys, selection), &batch, context);
            }
            let rows = *selection.get_or_insert_with(|| arena.alloc_slice_fill_with(count, |j| j as u32));
            let keys = keys.slice(begin, stop);
            take(&mut self.panes, run(start, keys, Some(&rows[begin..stop])), &batch, context)?;
            begin = stop;
        }
        Ok(())
    }

    /// Takes all rows of the batch into their groups.
    pub fn ingest(&mut self, batch: Batch<'_>, context: &mut Context<'_>) -> Result<()> {
        let arena = context.arena;
        self.for_each_run(batch, arena, context, &mut |panes, run, batch, context| {
            let layout = Arc::clone(&panes.layout);
            let pane = panes.pane(run.start);
            let groups = run.assign(pane, &layout, batch, arena);
            pane.update(context.simd, &layout, groups, run.selection, run.arguments);
            Ok(())
        })
    }
}
