//! EMIT CHANGES over sessions: one row per input row, with the running values of its session as that stands then.
//!
//! Rows are placed one by one; what they do to states is computed for as many at a time as come before two sessions become
//! one.

use std::collections::HashMap;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, ColumnBuffer};
use crate::error::Result;
use crate::kernel::Simd;
use crate::kernel::update::Running;
use crate::plan::AggregateNode;
use crate::state::{KeyHasher, Session, SessionPlace, SessionTable, StateLayout};
use crate::time::Lateness;
use crate::types::{EventTime, Schema};

use super::super::revisions::{Before, Revisions, shown_types};
use super::super::{Context, GroupBy, Keyed, Next, Operator, Panes};
use super::held::{Held, SessionShape, gap_us};

/// Running sessions by the partition that sees all rows of its keys, in order.
pub struct SessionChanges {
    group_by: GroupBy,
    time_column: usize,
    gap_us: i64,
    held: Held,
    rows: RunningRows,
    /// What rows take the place of, if that comes out.
    changelog: Option<Box<Changelog>>,
}

/// The rows of a batch and their sessions.
struct RunningRows {
    /// Results, and bounds of the sessions.
    added: BatchBuffer,
    rows: Vec<u32>,
    /// The session of each row so far.
    sessions: Vec<u32>,
    /// Rows whose results are there.
    done: usize,
    /// Memory of one block of rows.
    running: Box<Running>,
}

impl RunningRows {
    /// Takes the rows that were placed into the states of their sessions.
    fn settle(&mut self, simd: Simd, layout: &StateLayout, table: &mut SessionTable, keyed: &Keyed<'_>) -> Result<()> {
        let Self { added, rows, sessions, done, running } = self;
        let (results, _) = added.columns.split_at_mut(layout.accumulators.len());
        let (new, rows) = (&sessions[*done..], &rows[*done..sessions.len()]);
        table.states.update_running(simd, layout, new, Some(rows), keyed.arguments, running, results)?;
        *done = sessions.len();
        Ok(())
    }
}

/// What sessions showed before.
struct Changelog {
    shape: SessionShape,
    /// What they showed before the batch.
    old: BatchBuffer,
    /// The rows of the batch with all their columns.
    new: BatchBuffer,
    /// Where the row stands that each session showed last.
    last: HashMap<u32, Before>,
    /// What rows of the batch take the place of, one row after the other.
    before: Vec<Before>,
    /// By row of the batch, where in `before` the next one starts.
    ends: Vec<u32>,
    revisions: Revisions,
}

impl Changelog {
    fn new(node: &AggregateNode, schema: &Schema) -> Self {
        let types = || shown_types(node, schema);
        Self {
            shape: SessionShape::new(node),
            old: BatchBuffer::new(types()),
            new: BatchBuffer::new(types()),
            last: HashMap::new(),
            before: Vec::new(),
            ends: Vec::new(),
            revisions: Revisions::new(types(), true),
        }
    }

    fn clear(&mut self) {
        self.old.clear();
        self.new.clear();
        self.last.clear();
        self.before.clear();
        self.ends.clear();
        self.revisions.clear();
    }

    /// The row that comes takes the place of what a session shows.
    fn replace(&mut self, panes: &Panes, table: &mut SessionTable, number: u32) -> Result<()> {
        let before = match self.last.remove(&number) {
            Some(before) => before,
            // No row of the batch came to it.
            None => {
                self.shape.push(&mut self.old, panes, table, &[number])?;
                Before::Old(self.old.len() as u32 - 1)
            }
        };
        self.before.push(before);
        Ok(())
    }

    /// A session shows the row that comes.
    fn show(&mut self, number: u32) {
        self.last.insert(number, Before::New(self.ends.len() as u32));
        self.ends.push(self.before.len() as u32);
    }

    /// The rows of the batch, each behind those that it takes the place of. `added`: what was added to the keys.
    fn batch<'a>(&'a mut self, keyed: &Keyed<'_>, added: &BatchBuffer, arena: &'a Bump) -> Batch<'a> {
        let Self { old, new, before, ends, revisions, .. } = self;
        let batch = keyed.batch;
        let (keys, rest) = new.columns.split_at_mut(keyed.keys.len());
        for (column, key) in keys.iter_mut().zip(keyed.keys) {
            column.append(key, batch.rows, batch.selection.list());
        }
        for (column, added) in rest.iter_mut().zip(&added.columns) {
            column.append_range(added, 0, added.len());
        }
        new.rows_pushed(ends.len());
        let mut start = 0;
        let mut ends = ends.iter().zip(0..);
        batch.for_each(|i| {
            if let Some((&end, row)) = ends.next() {
                revisions.push(row, before[start..end as usize].iter().copied(), batch.key(i));
                start = end as usize;
            }
        });
        revisions.batch(old, new, arena)
    }
}

impl SessionChanges {
    /// For a node of a plan whose output is `schema`; `lateness`: see [`GroupBy::new`].
    pub fn new(node: &AggregateNode, schema: &Schema, lateness: Option<Lateness>, hasher: KeyHasher) -> Self {
        let group_by = GroupBy::new(node, lateness, hasher);
        Self {
            time_column: node.time_column().expect("sessions have a time"),
            gap_us: gap_us(node),
            held: Held::new(node, &group_by.panes, false),
            group_by,
            rows: RunningRows {
                added: BatchBuffer::new(shown_types(node, schema).skip(node.keys.len())),
                rows: Vec::new(),
                sessions: Vec::new(),
                done: 0,
                running: Box::default(),
            },
            changelog: node.changelog.then(|| Box::new(Changelog::new(node, schema))),
        }
    }

    /// Takes the rows of a batch in, one after the other.
    fn place(&mut self, keyed: &Keyed<'_>, lateness: &Lateness, arena: &Bump, simd: Simd) -> Result<()> {
        let Self { group_by, time_column, gap_us, held, rows, changelog } = self;
        let panes = &group_by.panes;
        let (layout, batch) = (&panes.layout, keyed.batch);
        let times = batch.columns[*time_column].int64();
        batch.for_each(|i| rows.rows.push(i as u32));
        let keys = arena.alloc_slice_fill_copy(rows.rows.len(), 0);
        held.table.number_keys(
            &panes.keyer.keys(simd, keyed.keys, batch.rows, batch.selection.list()),
            keyed.direct,
            keys,
        );
        for (j, &key) in keys.iter().enumerate() {
            let i = rows.rows[j] as usize;
            let place = batch.key(i);
            let row = Session::new(key, times[i], times[i], (place.sequence, place.row));
            let mut absorbs = false;
            let number = match held.table.find(&row) {
                SessionPlace::Behind(before) => held.table.insert(layout, before, row),
                SessionPlace::In(at) => {
                    if let Some(changelog) = changelog {
                        changelog.replace(panes, &mut held.table, at)?;
                    }
                    held.table.extend(layout, at, &row);
                    while let Some(part) = held.table.bridged(at, &row) {
                        if let Some(changelog) = changelog {
                            changelog.replace(panes, &mut held.table, part)?;
                        }
                        rows.settle(simd, layout, &mut held.table, keyed)?;
                        held.table.absorb(layout, at, part);
                        absorbs = true;
                    }
                    at
                }
            };
            rows.sessions.push(number);
            if let Some(changelog) = changelog {
                changelog.show(number);
            }
            let session = *held.table.get(number);
            // Else it ends when it did before.
            if absorbs || session.last == row.last {
                held.put(number, lateness.over(lateness.session_over(session.last)));
            }
            let bounds = &mut rows.added.columns[layout.accumulators.len()..];
            bounds[0].push_int64(session.first);
            bounds[1].push_int64(session.last.saturating_add(*gap_us));
        }
        rows.settle(simd, layout, &mut held.table, keyed)?;
        rows.added.rows_pushed(keys.len());
        Ok(())
    }
}

impl Operator for SessionChanges {
    fn name(&self) -> &'static str {
        "GROUP BY"
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let arena = context.arena;
        self.changelog.iter_mut().for_each(|changelog| changelog.clear());
        let RunningRows { added, rows, sessions, done, .. } = &mut self.rows;
        added.clear();
        rows.clear();
        sessions.clear();
        *done = 0;
        let keyed = self.group_by.evaluate(batch, arena, context)?;
        let lateness = self.group_by.panes.lateness().expect("sessions have a time");
        self.place(&keyed, &lateness, arena, context.simd)?;
        let added = &self.rows.added;
        if let Some(changelog) = &mut self.changelog {
            // Several rows may stand for one record.
            let mut inner = context.with_arena(arena);
            inner.rows_are_records = false;
            return next(changelog.batch(&keyed, added, arena), &mut inner);
        }
        let batch = Batch { columns: keyed.keys, ..keyed.batch }.compact(arena);
        let added = added.columns.iter().map(ColumnBuffer::column);
        let columns = BumpVec::from_iter_in(batch.columns.iter().copied().chain(added), arena);
        next(Batch { columns: &columns, ..batch }, context)
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("sessions with EMIT CHANGES", self.held.held_bytes()))
    }

    fn advance(&mut self, watermark: EventTime, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        // All rows left when they came: sessions that are over only free their memory.
        self.held.look(watermark, |held, number| held.table.remove(number));
        self.held.compact(&self.group_by.panes);
        Ok(())
    }
}
