//! EMIT CHANGES PER BATCH: after each batch of the input one row per group that it changed.
//!
//! A batch is what the reader cut from a split: the number of rows in it is `batch_rows`, or what there was. So how many
//! rows come out depends on that number, as it must; which partition has a batch does not show. A row stands where the last
//! row of its group in the batch stood.

use std::collections::HashSet;

use crate::batch::{Batch, BatchBuffer};
use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::KeyHasher;
use crate::time::{Lateness, PaneId, Span};
use crate::types::{EventTime, OrderKey, Schema};

use super::emit::GroupShape;
use super::expiry::Expiry;
use super::revisions::{Before, Revisions, shown_types};
use super::{Context, GroupBy, Next, Operator, Panes};

/// Running aggregation by the partition that sees all rows of its keys, in order.
pub struct ChangesPerBatch {
    group_by: GroupBy,
    shape: GroupShape,
    /// Groups that rows of the batch came to, and where they stood.
    touched: Vec<(PaneId, u32, OrderKey)>,
    /// The panes that rows of the batch came to, in order, with their windows; how many groups each had before the batch: they
    /// have shown something.
    before: Vec<(PaneId, Span, usize)>,
    /// What groups showed before the batch, if that comes out.
    old: BatchBuffer,
    /// Their rows in `old`.
    old_rows: Vec<(PaneId, u32)>,
    known: HashSet<(PaneId, u32)>,
    new: BatchBuffer,
    revisions: Revisions,
    numbers: Vec<u32>,
    expiry: Option<Expiry>,
    now: EventTime,
}

/// Keeps of each group in a batch the last row; they are in the order of groups then.
pub(super) fn keep_last(touched: &mut Vec<(PaneId, u32, OrderKey)>) {
    touched.sort_unstable();
    touched.dedup_by(|later, kept| {
        let same = (later.0, later.1) == (kept.0, kept.1);
        if same {
            *kept = *later;
        }
        same
    });
}

impl ChangesPerBatch {
    /// See [`super::Changes::new`].
    pub fn new(
        node: &AggregateNode,
        schema: &Schema,
        lateness: Option<Lateness>,
        state_ttl_us: Option<i64>,
        hasher: KeyHasher,
    ) -> Self {
        let types = || shown_types(node, schema);
        Self {
            group_by: GroupBy::new(node, lateness, hasher),
            shape: GroupShape::new(node),
            touched: Vec::new(),
            before: Vec::new(),
            old: BatchBuffer::new(types()),
            old_rows: Vec::new(),
            known: HashSet::new(),
            new: BatchBuffer::new(types()),
            revisions: Revisions::new(types(), node.changelog),
            numbers: Vec::new(),
            expiry: Expiry::of(node, state_ttl_us),
            now: EventTime::MIN,
        }
    }
}

impl Operator for ChangesPerBatch {
    fn name(&self) -> &'static str {
        "GROUP BY"
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        let (arena, simd) = (context.arena, context.simd);
        let Self { group_by, touched, before, old, old_rows, known, numbers, revisions, expiry, now, .. } = self;
        *now = context.now;
        let shape = self.shape;
        let keyed = group_by.evaluate(batch, arena, context)?;
        group_by.for_each_window(keyed, arena, simd, &mut |panes, run, window| {
            let (batch, id) = (run.keyed.batch, run.pane);
            let at = before.binary_search_by_key(&id, |(pane, ..)| *pane).unwrap_or_else(|at| {
                before.insert(at, (id, window, panes.extent(id).0));
                at
            });
            let shown = before[at].2;
            let groups = panes.assign(&run, arena, simd, |_, _, groups| groups);
            if revisions.has_changelog() {
                numbers.clear();
                numbers.extend(groups.iter().filter(|group| (**group as usize) < shown && known.insert((id, **group))));
                shape.push(old, panes, &panes.open[&id], numbers, window)?;
                old_rows.extend(numbers.iter().map(|&group| (id, group)));
            }
            let Panes { open, layout, .. } = panes;
            let pane = open.get_mut(&id).expect("rows were just assigned to it");
            if let Some(expiry) = expiry {
                expiry.touch(pane, layout, groups, *now);
            }
            pane.states.update(simd, layout, groups, batch.selection.list(), run.keyed.arguments);
            let mut j = 0;
            batch.for_each(|i| {
                touched.push((id, groups[j], batch.key(i)));
                j += 1;
            });
            Ok(())
        })
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("GROUP BY with EMIT CHANGES PER BATCH", self.group_by.panes.held_bytes()))
    }

    fn end_batch(&mut self, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let Self { group_by, touched, before, old, old_rows, known, new, revisions, numbers, expiry, .. } = self;
        if touched.is_empty() {
            return Ok(());
        }
        keep_last(touched);
        new.clear();
        for pane in touched.chunk_by(|a, b| a.0 == b.0) {
            numbers.clear();
            numbers.extend(pane.iter().map(|(_, group, _)| *group));
            let (panes, id) = (&group_by.panes, pane[0].0);
            let window = before.binary_search_by_key(&id, |(pane, ..)| *pane).map(|at| before[at].1);
            let window = window.expect("a pane that rows came to is noted");
            self.shape.push(new, panes, &panes.open[&id], numbers, window)?;
        }
        numbers.clear();
        numbers.extend(0..touched.len() as u32);
        // Of windows that overlap one row may be the last of several: these leave by their end.
        numbers.sort_unstable_by_key(|&row| (touched[row as usize].2, touched[row as usize].0));
        let mut shown: Vec<(PaneId, u32, u32)> = Vec::with_capacity(old_rows.len());
        shown.extend(old_rows.iter().zip(0..).map(|(&(pane, group), row)| (pane, group, row)));
        shown.sort_unstable();
        revisions.clear();
        for &row in numbers.iter() {
            let (pane, group, place) = touched[row as usize];
            let old = shown.binary_search_by_key(&(pane, group), |&(pane, group, _)| (pane, group));
            revisions.push(row, old.ok().map(|at| Before::Old(shown[at].2)), place);
        }
        let arena = context.arena;
        let mut inner = context.with_arena(arena);
        inner.rows_are_records = false;
        next(revisions.batch(old, new, arena), &mut inner)?;
        touched.clear();
        before.clear();
        old.clear();
        old_rows.clear();
        known.clear();
        if let Some(expiry) = expiry {
            expiry.sweep(&mut group_by.panes, self.now);
        }
        Ok(())
    }

    fn advance(&mut self, watermark: EventTime, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        // All rows left after their batch; a closed pane only frees its memory.
        self.group_by.panes.free_closed(watermark);
        Ok(())
    }
}
