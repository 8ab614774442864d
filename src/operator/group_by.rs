//! Takes rows into the groups of their panes: the part that aggregation in one place, in many, and row by row share.

use std::collections::BTreeMap;

use bumpalo::Bump;

use crate::arena::ArenaPool;
use crate::batch::{Batch, Column, Selection};
use crate::error::Result;
use crate::kernel::direct::bounds;
use crate::plan::{AggregateCall, AggregateFunction, AggregateNode, Expr, ExprKind, Window};
use crate::state::{Accumulator, AccumulatorKind, DirectRows, Groups, KeyHasher, Keyer, PartialGroups, StateLayout};
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
    pub layout: StateLayout,
    /// Layout of the keys, and their hashes.
    pub keyer: Keyer,
    window: Option<Tumbling>,
    pool: ArenaPool,
    /// Groups and rows of the pane that held most of the last ones closed.
    expected: (usize, usize),
}

impl Panes {
    /// No pane open.
    pub fn new(layout: StateLayout, keyer: Keyer, window: Option<Tumbling>) -> Self {
        Self { open: BTreeMap::new(), layout, keyer, window, pool: ArenaPool::default(), expected: (0, 0) }
    }

    /// The pane that starts at `start`, opened if need be.
    fn pane(&mut self, start: i64) -> &mut Groups {
        let Self { pool, keyer, layout, expected, .. } = self;
        self.open.entry(start).or_insert_with(|| Groups::new(keyer, layout, expected.0, pool.take()))
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
        // A pane like the last ones is expected; what was seen long ago fades.
        let seen = |expected: usize, now: usize| now.max(expected - expected / 4);
        self.expected = (seen(self.expected.0, groups.len()), seen(self.expected.1, groups.rows()));
        self.pool.give(groups.into_arena());
    }

    /// Rows that a pane holds, as far as is known: those of panes that closed, or of the fullest that is open.
    fn expected_rows(&self) -> usize {
        self.open.values().map(Groups::rows).fold(self.expected.1, usize::max)
    }

    /// Makes sure that the group of a query without GROUP BY is there.
    pub fn ensure_global(&mut self) {
        self.pane(i64::MIN);
        let Self { open, layout, .. } = self;
        open.values_mut().for_each(|groups| groups.ensure_global(layout));
    }

    /// Merges some groups of the pane that starts at `start`; `scratch` is overwritten.
    pub fn merge(&mut self, start: i64, partial: &PartialGroups, scratch: &mut Vec<u32>) {
        self.pane(start);
        let Self { open, layout, keyer, .. } = self;
        if let Some(groups) = open.get_mut(&start) {
            groups.merge(keyer, layout, partial, scratch);
        }
    }

    /// Finds the groups of a run's rows and hands them, with their pane, to `take`.
    pub fn assign<'a, R>(
        &mut self,
        run: &Run<'a>,
        batch: &Batch<'_>,
        arena: &'a Bump,
        take: impl FnOnce(&mut Groups, &StateLayout, &'a [u32]) -> R,
    ) -> R {
        let numbers = arena.alloc_slice_fill_copy(run.rows(batch), 0);
        self.pane(run.start);
        let Self { open, layout, keyer, .. } = self;
        let pane = open.get_mut(&run.start).expect("the pane was just opened");
        let selection = run.selection.list();
        let keys = keyer.keys(run.key_columns, batch.rows, selection);
        pane.assign(layout, &keys, run.direct, numbers, |j| {
            let key = batch.key(selection.map_or(j, |s| s[j] as usize));
            (key.sequence, key.row)
        });
        take(pane, layout, numbers)
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
}

/// What is done with a run: its panes, the run, the batch it is of.
pub type TakeRun<'a, 't> = dyn FnMut(&mut Panes, Run<'a>, &Batch<'a>, &mut Context<'_>) -> Result<()> + 't;

/// One run of rows of one pane.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Start of the pane.
    pub start: i64,
    /// Numbers of the keys of all rows of the batch, if their domain is small.
    pub direct: Option<DirectRows<'a>>,
    /// Key columns, of all rows of the batch.
    pub key_columns: &'a [Column<'a>],
    /// Arguments of the layout, of all rows of the batch.
    pub arguments: &'a [Column<'a>],
    /// The rows of the run; a mask only if there is no key.
    pub selection: Selection<'a>,
}

impl Run<'_> {
    /// Number of rows.
    pub fn rows(&self, batch: &Batch<'_>) -> usize {
        Batch { selection: self.selection, ..*batch }.selected()
    }
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
        let keyer = Keyer::new(node.keys.iter().map(|key| key.data_type), hasher);
        let panes = Panes::new(StateLayout::new(accumulators), keyer, window);
        Self { panes, time_column, exprs, keys: node.keys.len() }
    }

    /// Cuts the batch into runs of rows of one pane, in order, and hands each to `take` with its pane open.
    pub fn for_each_run<'a>(
        &mut self,
        batch: Batch<'a>,
        arena: &'a Bump,
        context: &mut Context<'_>,
        take: &mut TakeRun<'a, '_>,
    ) -> Result<()> {
        let batch = batch.listed(arena);
        let (batch, columns) = evaluate_all(&self.exprs, batch, arena, context)?;
        let (key_columns, arguments) = columns.split_at(self.keys);
        let expected_rows = self.panes.expected_rows();
        let direct = self.panes.keyer.index(key_columns, batch.rows, expected_rows, arena);
        let run = |start, selection| Run { start, direct, key_columns, arguments, selection };
        let (Some(window), Some(column)) = (self.panes.window, self.time_column) else {
            return take(&mut self.panes, run(i64::MIN, batch.selection), &batch, context);
        };
        let times = batch.columns[column].int64();
        // Most batches lie in one pane: their least and greatest time tell so.
        if let Some((least, greatest)) = bounds(times)
            && window.start(least) == window.start(greatest)
        {
            return take(&mut self.panes, run(window.start(least), batch.selection), &batch, context);
        }
        let batch = batch.listed(arena);
        let listed = batch.selection.list();
        let count = batch.selected();
        let start_of = |j: usize| window.start(times[listed.map_or(j, |s| s[j] as usize)]);
        let mut rows = listed;
        let mut begin = 0;
        while begin < count {
            let start = start_of(begin);
            let end = start.saturating_add(window.size_us);
            let inside = |j: usize| {
                let time = times[listed.map_or(j, |s| s[j] as usize)];
                (start..end).contains(&time)
            };
            let stop = (begin + 1..count).find(|&j| !inside(j)).unwrap_or(count);
            if begin == 0 && stop == count {
                return take(&mut self.panes, run(start, batch.selection), &batch, context);
            }
            let rows = *rows.get_or_insert_with(|| arena.alloc_slice_fill_with(count, |j| j as u32));
            take(&mut self.panes, run(start, Selection::Rows(&rows[begin..stop])), &batch, context)?;
            begin = stop;
        }
        Ok(())
    }

    /// Takes all rows of the batch into their groups.
    pub fn ingest(&mut self, batch: Batch<'_>, context: &mut Context<'_>) -> Result<()> {
        let arena = context.arena;
        self.for_each_run(batch, arena, context, &mut |panes, run, batch, context| {
            panes.assign(&run, batch, arena, |pane, layout, groups| {
                pane.update(context.simd, layout, groups, batch.rows, run.selection, run.arguments);
            });
            Ok(())
        })
    }
}
