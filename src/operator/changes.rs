//! EMIT CHANGES: one row per input row, with the changed group's running values.

use std::collections::HashMap;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, ColumnBuffer};
use crate::error::Result;
use crate::kernel::update::Running;
use crate::plan::{AggregateNode, Emit};
use crate::state::KeyHasher;
use crate::time::{Lateness, PaneId};
use crate::types::{EventTime, Schema};

use super::emit::GroupShape;
use super::expiry::Expiry;
use super::revisions::{Before, Revisions, shown_types};
use super::{Context, GroupBy, Keyed, Next, Operator, Panes};

/// Running aggregation by the partition that sees all rows of its keys, in order.
pub struct Changes {
    group_by: GroupBy,
    windowed: bool,
    /// Results and window bounds, one row a row of the batch.
    added: BatchBuffer,
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
    /// By row of the batch.
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
    fn remember(&mut self, panes: &Panes, pane: PaneId, groups: &[u32], shown: usize) -> Result<()> {
        self.numbers.clear();
        for &group in groups.iter().filter(|group| (**group as usize) < shown) {
            let row = (self.old.len() + self.numbers.len()) as u32;
            self.last.entry((pane, group)).or_insert_with(|| {
                self.numbers.push(group);
                Before::Old(row)
            });
        }
        self.shape.push(&mut self.old, panes, &panes.open[&pane], &self.numbers, panes.span(pane.start))?;
        for &group in groups {
            let row = self.before.len() as u32;
            self.before.push(self.last.insert((pane, group), Before::New(row)));
        }
        Ok(())
    }

    /// The rows of the batch, each behind the one that it takes the place of. `added`: what was added to the keys.
    fn batch<'a>(&'a mut self, keyed: &Keyed<'_>, added: &BatchBuffer, arena: &'a Bump) -> Batch<'a> {
        let Self { old, new, before, revisions, .. } = self;
        let (batch, rows) = (keyed.batch, added.len());
        let (keys, rest) = new.columns.split_at_mut(keyed.keys.len());
        for (column, key) in keys.iter_mut().zip(keyed.keys) {
            column.append(key, batch.rows, batch.selection.list());
        }
        for (column, added) in rest.iter_mut().zip(&added.columns) {
            column.append_range(added, 0, rows);
        }
        new.rows_pushed(rows);
        let mut before = before.iter().zip(0..);
        batch.for_each(|i| {
            if let Some((before, row)) = before.next() {
                revisions.push(row, *before, batch.key(i));
            }
        });
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
            running: Box::default(),
            expiry: Expiry::of(node, state_ttl_us),
            changelog: node.changelog.then(|| Box::new(Changelog::new(node, schema))),
        }
    }
}

impl Operator for Changes {
    fn name(&self) -> &'static str {
        "GROUP BY"
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let (arena, simd) = (context.arena, context.simd);
        let Self { group_by, windowed, added, running, expiry, changelog } = self;
        let now = context.now;
        added.clear();
        changelog.iter_mut().for_each(|changelog| changelog.clear());
        let keyed = group_by.evaluate(batch, arena, context)?;
        group_by.for_each_run(keyed, arena, simd, &mut |panes, run| {
            let start = run.pane.start;
            let end = panes.span(start).end;
            let (results, bounds) = added.columns.split_at_mut(panes.layout.accumulators.len());
            let batch = run.keyed.batch;
            let (shown, _) = panes.extent(run.pane);
            let groups = panes.assign(&run, arena, simd, |_, _, groups| groups);
            if let Some(changelog) = changelog {
                changelog.remember(panes, run.pane, groups, shown)?;
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
                bounds[0].extend_int64(std::iter::repeat_n(start, count));
                bounds[1].extend_int64(std::iter::repeat_n(end.0, count));
            }
            added.rows_pushed(count);
            Ok(())
        })?;
        if let Some(expiry) = expiry {
            expiry.sweep(&mut group_by.panes, now);
        }
        if let Some(changelog) = changelog {
            return next(changelog.batch(&keyed, added, arena), context);
        }
        // The rows that are left, with their keys as they came and what was added to them.
        let batch = Batch { columns: keyed.keys, ..keyed.batch }.compact(arena);
        let added = added.columns.iter().map(ColumnBuffer::column);
        let mut columns = BumpVec::with_capacity_in(batch.columns.len() + added.len(), arena);
        columns.extend(batch.columns.iter().copied().chain(added));
        next(Batch { columns: &columns, ..batch }, context)
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
