//! EMIT CHANGES PER BATCH over sessions: after each batch of the input one row per session that it changed, where the last of
//! its rows in the batch stood.

use crate::batch::Batch;
use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::KeyHasher;
use crate::time::{Lateness, PaneId};
use crate::types::{EventTime, OrderKey, Schema};

use super::super::per_batch::keep_last;
use super::super::{Context, GroupBy, Next, Operator};
use super::held::{Held, SessionEmitter};

/// Running sessions by the partition that sees all rows of its keys, in order.
pub struct SessionsPerBatch {
    group_by: GroupBy,
    held: Held,
    /// Groups of slices that rows of the batch came to, and where they stood.
    touched: Vec<(PaneId, u32, OrderKey)>,
    /// Sessions that the batch changed.
    changed: Vec<u32>,
    leaving: Vec<(OrderKey, u32)>,
    emitter: SessionEmitter,
}

impl SessionsPerBatch {
    /// For a node of a plan whose output is `schema`; `lateness`: see [`GroupBy::new`].
    pub fn new(node: &AggregateNode, schema: &Schema, lateness: Option<Lateness>, hasher: KeyHasher) -> Self {
        let group_by = GroupBy::new(node, lateness, hasher);
        Self {
            held: Held::new(node, &group_by.panes, node.changelog),
            group_by,
            touched: Vec::new(),
            changed: Vec::new(),
            leaving: Vec::new(),
            emitter: SessionEmitter::new(node, schema),
        }
    }
}

impl Operator for SessionsPerBatch {
    fn name(&self) -> &'static str {
        "GROUP BY"
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        let (arena, simd) = (context.arena, context.simd);
        let Self { group_by, touched, .. } = self;
        let keyed = group_by.evaluate(batch, arena, context)?;
        group_by.for_each_run(keyed, arena, simd, &mut |panes, run| {
            let batch = run.keyed.batch;
            let groups = panes.assign(&run, arena, simd, |pane, layout, groups| {
                pane.states.update(simd, layout, groups, batch.selection.list(), run.keyed.arguments);
                groups
            });
            let mut groups = groups.iter();
            batch.for_each(|i| touched.extend(groups.next().map(|&group| (run.pane, group, batch.key(i)))));
            Ok(())
        })
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        Some(("sessions with EMIT CHANGES PER BATCH", self.group_by.panes.held_bytes() + self.held.held_bytes()))
    }

    fn end_batch(&mut self, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let Self { group_by, held, touched, changed, leaving, emitter } = self;
        let panes = &mut group_by.panes;
        let Some(lateness) = panes.lateness().filter(|_| !panes.open.is_empty()) else { return Ok(()) };
        keep_last(touched);
        // The groups of each pane are numbered from 0, and all were touched.
        for rows in touched.chunk_by(|a, b| a.0 == b.0) {
            let id = rows[0].0;
            let groups = panes.open.remove(&id).expect("a pane that rows came to is open");
            held.join(panes, &groups, |group, number, session| {
                changed.push(number);
                session.latest = session.latest.max(rows[group].2);
                lateness.over(lateness.session_over(session.last))
            });
            panes.recycle(0, groups);
        }
        touched.clear();
        panes.free_closed(EventTime::MAX);
        // What became a part of another one since is changed no more.
        changed.sort_unstable();
        changed.dedup();
        leaving.clear();
        let table = &mut held.table;
        for number in changed.drain(..) {
            let session = table.get_mut(number);
            if session.changed {
                leaving.push((std::mem::replace(&mut session.latest, OrderKey::MIN), number));
            }
        }
        leaving.sort_unstable();
        emitter.emit(panes, table, leaving, context, next)
    }

    fn advance(&mut self, watermark: EventTime, _: &mut Context<'_>, _: &mut Next<'_>) -> Result<()> {
        // All rows left after their batch: sessions that are over only free their memory.
        self.held.look(watermark, |held, number| held.table.remove(number));
        self.held.compact(&self.group_by.panes);
        Ok(())
    }
}
