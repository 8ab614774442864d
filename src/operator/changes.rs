//! EMIT CHANGES: one row per input row, with the changed group's running values; where windows overlap one for each window
//! that the row belongs to, by the end of the windows.
//!
//! Running values are kept by window, not by slice: what a row costs grows with the number of rows that come of it.

use std::collections::HashMap;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, ColumnBuffer, RowOrder, Selection, gather};
use crate::error::Result;
use crate::kernel::update::Running;
use crate::plan::{AggregateNode, Emit};
use crate::state::KeyHasher;
use crate::time::{Lateness, PaneId, Span};
use crate::types::{EventTime, Schema};

use super::emit::GroupShape;
use super::expiry::Expiry;
use super::revisions::{Before, Revisions, shown_types};
use super::{Context, GroupBy, Keyed, Next, Operator, Panes};

/// Running aggregation by the partition that sees all rows of its keys, in order.
pub struct Changes {
    group_by: GroupBy,
    windowed: bool,
    /// Results and window bounds, one row for each row of the batch and window of it.
    added: BatchBuffer,
    /// The row of the batch that each of them is of.
    rows: Vec<u32>,
    /// In which order they leave.
    order: Vec<u32>,
    /// Memory of one block of rows.
    running: Box<Running>,
    /// Whether groups expire.
    expiry: Option<Expiry>,
    /// What rows take the place of, if that comes out.
    changelog: Option<Box<Changelog>>,
}

/// What groups showed before.
struct Changelog {
    shape: GroupShape,
    /// What groups showed before the batch.
    old: BatchBuffer,
    /// The rows of the batch with all their columns.
    new: BatchBuffer,
    /// Where the row stands that each group showed last.
    last: HashMap<(PaneId, u32), Before>,
    /// By row that was added.
    before: Vec<Option<Before>>,
    numbers: Vec<u32>,
    revisions: Revisions,
}

impl Changelog {
    fn new(node: &AggregateNode, schema: &Schema) -> Self {
        let types = || shown_types(node, schema);
        Self {
            shape: GroupShape::new(node),
            old: BatchBuffer::new(types()),
            new: BatchBuffer::new(types()),
            last: HashMap::new(),
            before: Vec::new(),
            numbers: Vec::new(),
            revisions: Revisions::new(types(), true),
        }
    }

    fn clear(&mut self) {
        self.old.clear();
        self.new.clear();
        self.last.clear();
        self.before.clear();
        self.revisions.clear();
    }

    /// Rows of `groups` are about to come to a pane that had `shown` groups.
    fn remember(&mut self, panes: &Panes, pane: PaneId, window: Span, groups: &[u32], shown: usize) -> Result<()> {
        self.numbers.clear();
        for &group in groups.iter().filter(|group| (**group as usize) < shown) {
            let row = (self.old.len() + self.numbers.len()) as u32;
            self.last.entry((pane, group)).or_insert_with(|| {
                self.numbers.push(group);
                Before::Old(row)
            });
        }
        self.shape.push(&mut self.old, panes, &panes.open[&pane], &self.numbers, window)?;
        for &group in groups {
            let row = self.before.len() as u32;
            self.before.push(self.last.insert((pane, group), Before::New(row)));
        }
        Ok(())
    }

    /// The rows of the batch in `order`, each behind the one that it takes the place of. `added`: what was added to the keys
    /// of `rows`.
    fn batch<'a>(
        &'a mut self,
        keyed: &Keyed<'_>,
        added: &BatchBuffer,
        rows: &[u32],
        order: &[u32],
        arena: &'a Bump,
    ) -> Batch<'a> {
        let Self { old, new, before, revisions, .. } = self;
        let (keys, rest) = new.columns.split_at_mut(keyed.keys.len());
        for (column, key) in keys.iter_mut().zip(keyed.keys) {
            column.append(key, keyed.batch.rows, Some(rows));
        }
        for (column, added) in rest.iter_mut().zip(&added.columns) {
            column.append_range(added, 0, rows.len());
        }
        new.rows_pushed(rows.len());
        for &row in order {
            revisions.push(row, before[row as usize], keyed.batch.key(rows[row as usize] as usize));
        }
        revisions.batch(old, new, arena)
    }
}

impl Changes {
    /// For a node of a plan whose output is `schema`; `lateness`: see [`GroupBy::new`]. Without windows, groups that are not
    /// touched for `state_ttl_us` start anew.
    pub fn new(
        node: &AggregateNode,
        schema: &Schema,
        lateness: Option<Lateness>,
        state_ttl_us: Option<i64>,
        hasher: KeyHasher,
    ) -> Self {
        debug_assert_eq!(node.emit, Emit::Changes);
        let added = shown_types(node, schema).skip(node.keys.len());
        Self {
            group_by: GroupBy::new(node, lateness, hasher),
            windowed: node.window.is_some(),
            added: BatchBuffer::new(added),
            rows: Vec::new(),
            order: Vec::new(),
            running: Box::default(),
            expiry: Expiry::of(node, state_ttl_us),
            changelog: node.changelog.then(|| Box::new(Changelog::new(node, schema))),
        }
    }
}

/// Rows of which several may come of one row of the batch, in `order`: the keys of `rows` with what was added to them.
fn spread<'a>(keyed: &Keyed<'a>, added: &'a BatchBuffer, rows: &[u32], order: &[u32], arena: &'a Bump) -> Batch<'a> {
    let from = BumpVec::from_iter_in(order.iter().map(|&row| rows[row as usize]), arena);
    let keys = keyed.keys.iter().map(|key| gather(key, &from, arena));
    let added = added.columns.iter().map(|column| gather(&column.column(), order, arena));
    let columns = BumpVec::from_iter_in(keys.chain(added), arena).into_bump_slice();
    let places = arena.alloc_slice_fill_iter(from.iter().map(|&i| keyed.batch.key(i as usize)));
    Batch { rows: order.len(), columns, selection: Selection::All, order: RowOrder::Keys(places) }
}

impl Operator for Changes {
    fn name(&self) -> &'static str {
        "GROUP BY"
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let (arena, simd) = (context.arena, context.simd);
        let Self { group_by, windowed, added, rows, order, running, expiry, changelog } = self;
        let now = context.now;
        added.clear();
        rows.clear();
        changelog.iter_mut().for_each(|changelog| changelog.clear());
        let keyed = group_by.evaluate(batch, arena, context)?;
        let overlaps = group_by.panes.lateness().is_some_and(|lateness| lateness.windows.overlap());
        // Else there is a row for each, in order.
        let notes_rows = overlaps || changelog.is_some();
        group_by.for_each_window(keyed, arena, simd, &mut |panes, run, window| {
            let (results, bounds) = added.columns.split_at_mut(panes.layout.accumulators.len());
            let batch = run.keyed.batch;
            let (shown, _) = panes.extent(run.pane);
            let groups = panes.assign(&run, arena, simd, |_, _, groups| groups);
            if let Some(changelog) = changelog {
                changelog.remember(panes, run.pane, window, groups, shown)?;
            }
            let Panes { open, layout, .. } = panes;
            let pane = open.get_mut(&run.pane).expect("rows were just assigned to it");
            if let Some(expiry) = expiry {
                expiry.touch(pane, layout, groups, now);
            }
            let (selection, arguments) = (batch.selection.list(), run.keyed.arguments);
            pane.states.update_running(simd, layout, groups, selection, arguments, running, results)?;
            let count = batch.selected();
            if *windowed {
                bounds[0].extend_int64(std::iter::repeat_n(window.start, count));
                bounds[1].extend_int64(std::iter::repeat_n(window.end.0, count));
            }
            added.rows_pushed(count);
            if notes_rows {
                batch.for_each(|i| rows.push(i as u32));
            }
            Ok(())
        })?;
        if let Some(expiry) = expiry {
            expiry.sweep(&mut group_by.panes, now);
        }
        // Runs came window by window: of one row that of the window which ends first comes first.
        order.clear();
        order.extend(0..rows.len() as u32);
        if overlaps {
            order.sort_unstable_by_key(|&row| (rows[row as usize], row));
        }
        // Several rows may stand for one record.
        let mut inner = context.with_arena(arena);
        inner.rows_are_records &= !notes_rows;
        if let Some(changelog) = changelog {
            return next(changelog.batch(&keyed, added, rows, order, arena), &mut inner);
        }
        if overlaps {
            return next(spread(&keyed, added, rows, order, arena), &mut inner);
        }
        // The rows that are left, with their keys as they came and what was added to them.
        let batch = Batch { columns: keyed.keys, ..keyed.batch }.compact(arena);
        let added = added.columns.iter().map(ColumnBuffer::column);
        let mut columns = BumpVec::with_capacity_in(batch.columns.len() + added.len(), arena);
        columns.extend(batch.columns.iter().copied().chain(added));
        next(Batch { columns: &columns, ..batch }, &mut inner)
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("GROUP BY with EMIT CHANGES", self.group_by.panes.held_bytes()))
    }

    fn advance(&mut self, watermark: EventTime, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        // All rows left when they came; a closed pane only frees its memory.
        self.group_by.panes.free_closed(watermark);
        Ok(())
    }
}
