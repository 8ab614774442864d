//! EMIT FINAL and EMIT EVERY over sessions.
//!
//! Rows were aggregated once, into the pane of their slice (see [`crate::time::Windows`]). When a pane closes, its groups
//! join the sessions of their keys. A session leaves at the end of the slice in which it ends: all rows on time that could
//! make it longer have come by then. It is kept while late records may come; when they change it, it leaves again, and if
//! they bridge several, those leave as one. With EMIT EVERY panes are of shorter slices, and of each class of lateness; they
//! join their sessions when a result may show them, and sessions that changed leave at every multiple of the length, too.
//! Costs a look at its key's sessions for each group of each pane.

use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::{Groups, OrderedMap};
use crate::time::{Lateness, PaneId};
use crate::types::{EventTime, OrderKey, Schema};

use super::super::{Context, Next, Panes};
use super::held::{Held, SessionEmitter};

/// Makes sessions of panes and passes them on.
pub(in crate::operator) struct Sessions {
    held: Held,
    /// Closed panes that no result may show yet, by the watermark from which one may.
    waiting: OrderedMap<(EventTime, PaneId), Groups>,
    /// Those that leave at one watermark.
    leaving: Vec<(OrderKey, u32)>,
    emitter: SessionEmitter,
}

impl Sessions {
    /// For a node of a plan whose output is `schema`.
    pub fn new(node: &AggregateNode, schema: &Schema, panes: &Panes) -> Self {
        Self {
            held: Held::new(node, panes, node.changelog),
            waiting: OrderedMap::default(),
            leaving: Vec::new(),
            emitter: SessionEmitter::new(node, schema),
        }
    }

    /// Bytes of sessions that have not left, or may be corrected.
    pub fn held_bytes(&self) -> usize {
        self.held.held_bytes() + self.waiting.values().map(Groups::held_bytes).sum::<usize>()
    }

    /// Passes on all sessions that leave up to `watermark`, in the order in which they do.
    pub fn close(
        &mut self,
        panes: &mut Panes,
        watermark: EventTime,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let Some(lateness) = panes.lateness() else { return Ok(()) };
        loop {
            let waiting = self.waiting.first_key().map(|(known, _)| known);
            let times = [panes.next_to_close(), waiting, self.held.first_due()];
            let Some(now) = times.into_iter().flatten().min().filter(|now| *now <= watermark) else { break };
            // What comes to a session at one time is all there before it leaves.
            while let Some((id, groups)) = panes.close_next(now) {
                let known =
                    lateness.every_us.and_then(|_| lateness.round(id, lateness.windows.of_slice(id.start).next()?));
                match known.filter(|known| known.leaves > now) {
                    Some(known) => {
                        self.waiting.insert((known.leaves, id), groups);
                    }
                    None => self.join(panes, &lateness, (id, groups), now),
                }
            }
            while self.waiting.first_key().is_some_and(|(known, _)| known <= now)
                && let Some(((_, id), groups)) = self.waiting.pop_first()
            {
                self.join(panes, &lateness, (id, groups), now);
            }
            self.leave(panes, &lateness, now, context, next)?;
        }
        self.held.compact(panes);
        Ok(())
    }

    /// Takes the groups of a pane into the sessions of their keys.
    fn join(&mut self, panes: &mut Panes, lateness: &Lateness, (id, groups): (PaneId, Groups), now: EventTime) {
        self.held.join(panes, &groups, |_, _, session| {
            let over = lateness.session_over(session.last);
            if over <= now { now } else { lateness.early(now).map_or(over, |early| early.min(over)) }
        });
        panes.recycle(id.stage, groups);
    }

    /// Passes on what is due `now`, and gives up what no record can reach any more.
    fn leave(
        &mut self,
        panes: &Panes,
        lateness: &Lateness,
        now: EventTime,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let Self { held, leaving, emitter, .. } = self;
        leaving.clear();
        held.look(now, |held, number| {
            let session = held.table.get_mut(number);
            let over = lateness.session_over(session.last);
            if session.changed {
                let (sequence, row) = session.place;
                let corrects = session.left || now > over;
                leaving.push((OrderKey { time: now, stage: u32::from(corrects), sequence, row }, number));
            } else {
                // All of it has been shown.
                rest(held, lateness, number, over, now);
            }
        });
        leaving.sort_unstable();
        // A batch is of first results, or of corrections.
        for stage in leaving.chunk_by(|a, b| a.0.stage == b.0.stage) {
            emitter.emit(panes, &mut held.table, stage, context, next)?;
        }
        for &(_, number) in leaving.iter() {
            let over = lateness.session_over(held.table.get(number).last);
            rest(held, lateness, number, over, now);
        }
        Ok(())
    }
}

/// A session shows all that came to it: it is looked at again when it is over, and when it is given up.
fn rest(held: &mut Held, lateness: &Lateness, number: u32, over: EventTime, now: EventTime) {
    if now < over {
        return held.put(number, over);
    }
    held.table.get_mut(number).left = true;
    let given_up = lateness.over(over);
    if given_up > now {
        held.put(number, given_up);
    } else {
        held.table.remove(number);
    }
}
