//! Takes rows into the groups of their panes: the part that aggregation in one place, in many, and row by row share.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::arena::ArenaPool;
use crate::batch::{Batch, Column, RowOrder, Selection, Values};
use crate::error::Result;
use crate::kernel::Simd;
use crate::kernel::pane::{self, Pane};
use crate::plan::{AggregateCall, AggregateFunction, AggregateNode, Emit, Expr, Window};
use crate::state::{DirectRows, Groups, KeyHasher, KeyScratch, Keyer, OrderedMap, PartialGroups, StateLayout};
use crate::time::{Lateness, PaneId, Span, Windows};
use crate::types::{DataType, EventTime, Sequence};

use super::Context;
use super::calls::Calls;
use super::expr::Evaluator;
use super::listed;
use super::project::evaluate_all;

/// Groups by pane: the rows of a window that came in one stage of lateness. Without a window there is one pane.
pub struct Panes {
    /// Open panes, in the order in which they close.
    pub open: OrderedMap<PaneId, Groups>,
    /// Layout of the state rows.
    pub layout: StateLayout,
    /// Layout of the keys, and their hashes.
    pub keyer: Keyer,
    lateness: Option<Lateness>,
    pool: ArenaPool,
    scratch: KeyScratch,
    /// Groups and rows of the pane that held most of the last ones closed.
    expected: (usize, usize),
}

impl Panes {
    /// Open panes that are looked at for what to expect: there may be thousands. Any value is correct.
    const LOOKED_AT: usize = 8;

    /// No pane open.
    pub fn new(layout: StateLayout, keyer: Keyer, lateness: Option<Lateness>) -> Self {
        Self {
            open: OrderedMap::default(),
            layout,
            keyer,
            lateness,
            pool: ArenaPool::default(),
            scratch: KeyScratch::default(),
            expected: (0, 0),
        }
    }

    /// The groups of a pane, opened if need be.
    fn pane(&mut self, id: PaneId) -> &mut Groups {
        let Self { pool, keyer, layout, expected, .. } = self;
        // Few records are late.
        let expected = if id.stage == 0 { expected.0 } else { 0 };
        self.open.get_or_insert_with(id, || Groups::new(keyer, layout, expected, pool.take()))
    }

    /// No groups of a window, with room for `expected`.
    pub fn empty(&mut self, expected: usize) -> Groups {
        Groups::new(&self.keyer, &self.layout, expected, self.pool.take())
    }

    /// When the pane closes that closes first.
    pub fn next_to_close(&self) -> Option<EventTime> {
        self.open.first_key().map(|id| id.closes)
    }

    /// Takes out the pane that closes first, if `watermark` closes it.
    pub fn close_next(&mut self, watermark: EventTime) -> Option<(PaneId, Groups)> {
        self.open.first_key().filter(|id| id.closes <= watermark)?;
        self.open.pop_first()
    }

    /// Frees the memory of panes that `watermark` closes.
    pub fn free_closed(&mut self, watermark: EventTime) {
        while let Some((id, groups)) = self.close_next(watermark) {
            self.recycle(id.stage, groups);
        }
    }

    /// The window that a slice is, if it is one: from its start to its end.
    pub fn span(&self, start: i64) -> Span {
        let end = self.lateness.map_or(EventTime::MAX, |lateness| lateness.slices().end(start));
        Span { start, end }
    }

    /// Windows and their late records; none without windows.
    pub fn lateness(&self) -> Option<Lateness> {
        self.lateness
    }

    /// Whether `watermark` closes panes that `before` did not, open here or elsewhere.
    pub fn closes_more(&self, before: EventTime, watermark: EventTime) -> bool {
        match self.lateness {
            None => watermark == EventTime::MAX && before < watermark,
            Some(lateness) => lateness.closes_between(before, watermark),
        }
    }

    /// Bytes of open panes, and of memory kept for the next ones.
    pub fn held_bytes(&self) -> usize {
        self.open.values().map(Groups::held_bytes).sum::<usize>() + self.pool.held_bytes()
    }

    /// Takes the memory of a closed pane of a stage back.
    pub fn recycle(&mut self, stage: u32, groups: Groups) {
        if stage == 0 {
            // A pane like the last ones is expected; what was seen long ago fades.
            let seen = |expected: usize, now: usize| now.max(expected - expected / 8);
            self.expected = (seen(self.expected.0, groups.len()), seen(self.expected.1, groups.rows()));
        }
        self.pool.give(groups.into_arena());
    }

    /// Rows that a pane holds, as far as is known: those of panes that closed, or of the fullest of the first that are open.
    fn expected_rows(&self) -> usize {
        self.open.values().take(Self::LOOKED_AT).map(Groups::rows).fold(self.expected.1, usize::max)
    }

    /// Makes sure that the group of a query without GROUP BY is there.
    pub fn ensure_global(&mut self) {
        self.pane(PaneId::ALL);
        let Self { open, layout, .. } = self;
        let place = (Sequence::default(), 0);
        open.values_mut().for_each(|groups| groups.ensure_global(layout, place));
    }

    /// Merges some groups of a pane; `merged` is overwritten.
    pub fn merge(&mut self, id: PaneId, partial: &PartialGroups, merged: &mut Vec<u32>) {
        self.pane(id);
        let Self { open, layout, keyer, scratch, .. } = self;
        if let Some(groups) = open.get_mut(&id) {
            groups.merge(keyer, layout, partial, merged, scratch);
        }
    }

    /// What the groups of `partial` are in another pane, where they are made if need be.
    pub fn number(&mut self, groups: &mut Groups, partial: &PartialGroups, numbers: &mut Vec<u32>) {
        groups.number(&self.keyer, &self.layout, partial, numbers, &mut self.scratch);
    }

    /// Merges groups into those of another pane; `merged` becomes what the groups of `partial` are there.
    pub fn merge_into(&mut self, groups: &mut Groups, partial: &PartialGroups, merged: &mut Vec<u32>) {
        groups.merge(&self.keyer, &self.layout, partial, merged, &mut self.scratch);
    }

    /// Finds the groups of a run's rows and hands them, with their pane, to `take`.
    pub fn assign<'a, R>(
        &mut self,
        run: &Run<'a>,
        arena: &'a Bump,
        simd: Simd,
        take: impl FnOnce(&mut Groups, &StateLayout, &'a [u32]) -> R,
    ) -> R {
        let Keyed { batch, keys, direct, .. } = run.keyed;
        let numbers = arena.alloc_slice_fill_copy(batch.selected(), 0);
        self.pane(run.pane);
        let Self { open, layout, keyer, scratch, .. } = self;
        let pane = open.get_mut(&run.pane).expect("the pane was just opened");
        let selection = batch.selection.list();
        let place = |j: usize| {
            let key = batch.key(selection.map_or(j, |selection| selection[j] as usize));
            (key.sequence, key.row)
        };
        pane.assign(layout, &keyer.keys(simd, keys, batch.rows, selection), direct, numbers, scratch, place);
        // Those ascend by time first.
        if let RowOrder::Keys(_) = batch.order {
            pane.place(numbers, place);
        }
        take(pane, layout, numbers)
    }

    /// Number of groups and of rows of a pane; none if it is not open.
    pub fn extent(&self, id: PaneId) -> (usize, usize) {
        self.open.get(&id).map_or((0, 0), |groups| (groups.len(), groups.rows()))
    }

    /// Takes the rows of a run into their groups, but makes no group beyond the first `limit` of the pane; returns the rows
    /// of groups that were not made.
    pub fn ingest_up_to<'a>(&mut self, run: &Run<'a>, limit: usize, arena: &'a Bump, simd: Simd) -> &'a [u32] {
        self.pane(run.pane).limit(limit);
        let (selection, arguments) = (run.keyed.batch.selection.list(), run.keyed.arguments);
        self.assign(run, arena, simd, |pane, layout, groups| {
            if limit == usize::MAX || !groups.contains(&u32::MAX) {
                pane.states.update(simd, layout, groups, selection, arguments);
                return &[][..];
            }
            let mut left = BumpVec::with_capacity_in(groups.len(), arena);
            let mut known = BumpVec::with_capacity_in(groups.len(), arena);
            let mut known_rows = BumpVec::with_capacity_in(groups.len(), arena);
            for (j, &group) in groups.iter().enumerate() {
                let row = selection.map_or(j as u32, |selection| selection[j]);
                if group == u32::MAX {
                    left.push(row);
                } else {
                    known.push(group);
                    known_rows.push(row);
                }
            }
            pane.states.update(simd, layout, &known, Some(&known_rows), arguments);
            left.into_bump_slice()
        })
    }

    /// Takes a run without keys into its one group; its selection is no list.
    fn update_only(&mut self, run: &Run<'_>, simd: Simd) {
        let Keyed { batch, arguments, .. } = run.keyed;
        let Some(first) = batch.first() else { return };
        let key = batch.key(first);
        self.pane(run.pane);
        let Self { open, layout, .. } = self;
        let pane = open.get_mut(&run.pane).expect("the pane was just opened");
        let mask = match batch.selection {
            Selection::Mask(words) => Some(words),
            _ => None,
        };
        pane.update_only(simd, layout, (key.sequence, key.row), batch.rows, mask, arguments);
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
    /// Whether aggregates look at the place of rows in the input.
    takes_places: bool,
}

/// The place of each row in the input, as two columns of which the first counts more.
fn places<'a>(batch: &Batch<'_>, arena: &'a Bump) -> [Column<'a>; 2] {
    let chunk = |i: usize| batch.key(i).sequence.ordinal();
    let row = |i: usize| i64::from(batch.key(i).row);
    let chunks = arena.alloc_slice_fill_iter((0..batch.rows).map(chunk));
    let rows = arena.alloc_slice_fill_iter((0..batch.rows).map(row));
    [Column::valid(Values::Int64(chunks)), Column::valid(Values::Int64(rows))]
}

/// What is done with a run: its panes and the run.
pub type TakeRun<'a, 't> = dyn FnMut(&mut Panes, Run<'a>) -> Result<()> + 't;

/// What is done with a run of rows of one window.
pub type TakeWindow<'a, 't> = dyn FnMut(&mut Panes, Run<'a>, Span) -> Result<()> + 't;

/// What is done with a run of rows of one slice, which starts at the time given.
type TakeSlice<'a, 't> = dyn FnMut(&mut Panes, i64, Keyed<'a>) -> Result<()> + 't;

/// A batch whose keys and arguments are evaluated.
#[derive(Clone, Copy)]
pub struct Keyed<'a> {
    /// The batch; rows that failed are no longer selected.
    pub batch: Batch<'a>,
    /// Key columns.
    pub keys: &'a [Column<'a>],
    /// Arguments of the layout.
    pub arguments: &'a [Column<'a>],
    /// Numbers of the keys, if their domain is small.
    pub(super) direct: Option<DirectRows<'a>>,
    /// Stage of lateness of its rows.
    stage: u32,
}

/// One run of rows of one pane.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The pane.
    pub pane: PaneId,
    /// The batch; its selection are the rows of the run.
    pub keyed: Keyed<'a>,
}

impl GroupBy {
    /// For a node of a plan; `lateness` says what becomes of late records, and there is one if there are windows.
    pub fn new(node: &AggregateNode, lateness: Option<Lateness>, hasher: KeyHasher) -> Self {
        let mut calls = node.calls.clone();
        if let Some(Window { column, windows: Windows::Session { .. } }) = node.window
            && node.emit != Emit::Changes
        {
            // The first and the last moment of each group, behind what the query asks for. Single rows have but one.
            let time = Expr::column(column, DataType::Timestamp);
            let moments = [AggregateFunction::Min, AggregateFunction::Max];
            calls.extend(moments.map(|function| AggregateCall::extreme(function, time.clone())));
        }
        let Calls { arguments, takes_places, layout } = Calls::new(&calls, hasher);
        let exprs = node.keys.iter().chain(&arguments).map(Evaluator::new).collect();
        let time_column = node.time_column();
        debug_assert_eq!(lateness.is_some(), time_column.is_some());
        let keyer = Keyer::new(node.keys.iter().map(|key| key.data_type), hasher);
        let panes = Panes::new(layout, keyer, lateness);
        Self { panes, time_column, exprs, keys: node.keys.len(), takes_places }
    }

    /// Whether there is a key.
    pub fn is_keyed(&self) -> bool {
        self.keys > 0
    }

    /// Evaluates keys and arguments of a batch.
    pub fn evaluate<'a>(&mut self, batch: Batch<'a>, arena: &'a Bump, context: &mut Context<'_>) -> Result<Keyed<'a>> {
        // Without keys whole columns are reduced, for which a mask will do.
        let batch = if self.keys == 0 { batch } else { listed(batch, arena, context.simd) };
        let (batch, columns) = evaluate_all(&self.exprs, batch, arena, context)?;
        let (keys, mut arguments) = columns.split_at(self.keys);
        if self.takes_places {
            let mut placed = BumpVec::with_capacity_in(arguments.len() + 2, arena);
            placed.extend(arguments.iter().copied().chain(places(&batch, arena)));
            arguments = placed.into_bump_slice();
        }
        let direct = self.panes.keyer.index(keys, batch.rows, self.panes.expected_rows(), arena);
        Ok(Keyed { batch, keys, arguments, direct, stage: context.stage })
    }

    /// Cuts the batch into runs of rows of one pane, in order, and hands each to `take`.
    pub fn for_each_run<'a>(
        &mut self,
        keyed: Keyed<'a>,
        arena: &'a Bump,
        simd: Simd,
        take: &mut TakeRun<'a, '_>,
    ) -> Result<()> {
        let (Some(lateness), Some(column)) = (self.panes.lateness, self.time_column) else {
            return take(&mut self.panes, Run { pane: PaneId::ALL, keyed });
        };
        self.for_each_slice(lateness, column, keyed, arena, simd, &mut |panes, start, keyed| {
            take(panes, Run { pane: lateness.pane(start, keyed.stage), keyed })
        })
    }

    /// The same for running values, which are kept by window: hands over each run once for every window that its rows belong
    /// to, by the end of the windows.
    pub fn for_each_window<'a>(
        &mut self,
        keyed: Keyed<'a>,
        arena: &'a Bump,
        simd: Simd,
        take: &mut TakeWindow<'a, '_>,
    ) -> Result<()> {
        let (Some(lateness), Some(column)) = (self.panes.lateness, self.time_column) else {
            let all = self.panes.span(PaneId::ALL.start);
            return take(&mut self.panes, Run { pane: PaneId::ALL, keyed }, all);
        };
        self.for_each_slice(lateness, column, keyed, arena, simd, &mut |panes, start, keyed| {
            let mut windows = lateness.running(start, keyed.stage);
            windows.try_for_each(|(pane, window)| take(panes, Run { pane, keyed }, window))
        })
    }

    fn for_each_slice<'a>(
        &mut self,
        lateness: Lateness,
        column: usize,
        keyed: Keyed<'a>,
        arena: &'a Bump,
        simd: Simd,
        take: &mut TakeSlice<'a, '_>,
    ) -> Result<()> {
        let slices = lateness.slices();
        let times = &keyed.batch.columns[column].int64()[..keyed.batch.rows];
        // Most batches lie in one pane: their least and greatest time tell so.
        if let Some((least, greatest)) = pane::bounds(simd, times)
            && Pane::of(least, slices.size_us).holds(greatest)
        {
            return take(&mut self.panes, slices.start(least), keyed);
        }
        let batch = listed(keyed.batch, arena, simd);
        let selected = batch.selection.list();
        let mut result = Ok(());
        pane::for_each_run(simd, times, selected, slices.size_us, |pane, run| {
            let rows = selected.unwrap_or_else(|| arena.alloc_slice_fill_iter(run.clone().map(|row| row as u32)));
            let rows = if selected.is_some() { &rows[run] } else { rows };
            let batch = Batch { selection: Selection::Rows(rows), ..batch };
            if result.is_ok() {
                result = take(&mut self.panes, pane.first, Keyed { batch, ..keyed });
            }
        });
        result
    }

    /// Takes all rows of the batch into their groups.
    pub fn ingest(&mut self, batch: Batch<'_>, context: &mut Context<'_>) -> Result<()> {
        let (arena, simd) = (context.arena, context.simd);
        let keyed = self.evaluate(batch, arena, context)?;
        let whole = self.keys == 0;
        self.for_each_run(keyed, arena, simd, &mut |panes, run| {
            if whole && !matches!(run.keyed.batch.selection, Selection::Rows(_)) {
                panes.update_only(&run, simd);
            } else {
                panes.assign(&run, arena, simd, |pane, layout, groups| {
                    pane.states.update(simd, layout, groups, run.keyed.batch.selection.list(), run.keyed.arguments);
                });
            }
            Ok(())
        })
    }
}
