//! Sessions: windows that are as long as rows of a key follow each other.
//!
//! Rows were aggregated once, into the pane of their slice (see [`crate::time::Windows`]). When a pane closes, its groups
//! join the sessions of their keys. A session leaves at the end of the slice in which it ends: all rows on time that could
//! make it longer have come by then. It is kept while late records may come; when they change it, it leaves again, and if
//! they bridge several, those leave as one. Costs a look at its key's sessions for each group of each pane.

use std::collections::BTreeMap;

use bumpalo::Bump;

use crate::batch::{Batch, BatchBuffer, RowOrder, Selection};
use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::{Groups, PartialGroups, Session, SessionTable};
use crate::time::Lateness;
use crate::types::{EventTime, OrderKey, Schema};

use super::{Context, Next, Panes};

/// Sessions by when they leave, or are given up. An entry counts only while its session is still due then: one whose time
/// moves on is put down once more and not looked for, and there are few times, because slices end together.
#[derive(Default)]
struct Agenda {
    times: BTreeMap<EventTime, Vec<u32>>,
    entries: usize,
    /// Lists to be used again.
    free: Vec<Vec<u32>>,
}

impl Agenda {
    fn put(&mut self, due: EventTime, number: u32) {
        let Self { times, free, .. } = self;
        times.entry(due).or_insert_with(|| free.pop().unwrap_or_default()).push(number);
        self.entries += 1;
    }

    fn first(&self) -> Option<EventTime> {
        self.times.first_key_value().map(|(due, _)| *due)
    }

    /// Takes out the entries of the first time, if that is not after `now`.
    fn take(&mut self, now: EventTime) -> Option<(EventTime, Vec<u32>)> {
        let (due, numbers) = self.times.first_entry().filter(|first| *first.key() <= now)?.remove_entry();
        self.entries -= numbers.len();
        Some((due, numbers))
    }

    fn recycle(&mut self, mut numbers: Vec<u32>) {
        numbers.clear();
        self.free.push(numbers);
    }

    fn clear(&mut self) {
        while let Some((_, numbers)) = self.take(EventTime::MAX) {
            self.recycle(numbers);
        }
    }
}

/// Makes sessions of panes and passes them on.
pub struct Sessions {
    gap_us: i64,
    keys: usize,
    calls: usize,
    table: SessionTable,
    due: Agenda,
    /// Those that leave at one watermark.
    leaving: Vec<(OrderKey, u32)>,
    buffer: BatchBuffer,
    scratch: Bump,
    partial: PartialGroups,
    touched: Vec<u32>,
}

impl Sessions {
    /// Sessions in a batch. Any value is correct.
    const BATCH_SESSIONS: usize = 4096;

    /// For a node of a plan whose output is `schema`.
    pub fn new(node: &AggregateNode, schema: &Schema, panes: &Panes, gap_us: i64) -> Self {
        Self {
            gap_us,
            keys: node.keys.len(),
            calls: node.calls.len(),
            table: SessionTable::new(&panes.keyer, &panes.layout),
            due: Agenda::default(),
            leaving: Vec::new(),
            buffer: BatchBuffer::for_schema(schema),
            scratch: Bump::new(),
            partial: PartialGroups::default(),
            touched: Vec::new(),
        }
    }

    /// Bytes of sessions that have not left, or may be corrected.
    pub fn held_bytes(&self) -> usize {
        self.table.held_bytes() + self.due.entries * size_of::<u32>()
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
            let closes = panes.next_to_close().unwrap_or(EventTime::MAX);
            let due = self.due.first().unwrap_or(EventTime::MAX);
            let now = closes.min(due);
            if now > watermark || panes.open.is_empty() && self.due.entries == 0 {
                break;
            }
            // What comes to a session at one time is all there before it leaves.
            while let Some((id, groups)) = panes.close_next(now) {
                self.join(panes, &lateness, &groups, now);
                panes.recycle(id.stage, groups);
            }
            self.leave(panes, &lateness, now, context, next)?;
        }
        let Self { table, due, .. } = self;
        table.compact(&panes.keyer, &panes.layout, |session| match session {
            None => due.clear(),
            Some((number, session)) => {
                due.put(session.due, number);
            }
        });
        Ok(())
    }

    /// Takes the groups of a pane into the sessions of their keys.
    fn join(&mut self, panes: &Panes, lateness: &Lateness, groups: &Groups, now: EventTime) {
        let Self { gap_us, table, due, partial, touched, .. } = self;
        let mut done = 0;
        while groups.export_part(&panes.keyer, &panes.layout, &mut done, partial) {
            table.merge(&panes.keyer, &panes.layout, *gap_us, partial, touched);
            for &number in touched.iter() {
                let session = table.get_mut(number);
                let over = seen_over(session, *gap_us, lateness).max(now);
                if session.due != over {
                    session.due = over;
                    due.put(over, number);
                }
            }
        }
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
        self.leaving.clear();
        while let Some((due, numbers)) = self.due.take(now) {
            for &number in &numbers {
                let session = self.table.get_mut(number);
                if session.due != due {
                    continue;
                }
                // Whatever else was put down for it at this time does not count any more.
                session.due = EventTime::MIN;
                let over = seen_over(session, self.gap_us, lateness);
                if session.changed {
                    let (sequence, row) = session.place;
                    let corrects = session.left || now > over;
                    self.leaving.push((OrderKey { time: now, stage: u32::from(corrects), sequence, row }, number));
                } else {
                    self.table.remove(number);
                }
            }
            self.due.recycle(numbers);
        }
        self.leaving.sort_unstable();
        // A batch is of first results, or of corrections.
        let leaving = std::mem::take(&mut self.leaving);
        for stage in leaving.chunk_by(|a, b| a.0.stage == b.0.stage) {
            for part in stage.chunks(Self::BATCH_SESSIONS) {
                self.emit(panes, part, context, next)?;
            }
        }
        for &(_, number) in &leaving {
            let session = self.table.get_mut(number);
            (session.changed, session.left) = (false, true);
            session.due = lateness.over(seen_over(session, self.gap_us, lateness));
            if session.due > now {
                self.due.put(session.due, number);
            } else {
                self.table.remove(number);
            }
        }
        self.leaving = leaving;
        Ok(())
    }

    fn emit(
        &mut self,
        panes: &Panes,
        part: &[(OrderKey, u32)],
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let Self { table, buffer, scratch, gap_us, .. } = self;
        buffer.clear();
        let numbers = scratch.alloc_slice_fill_iter(part.iter().map(|&(_, number)| number));
        let places = scratch.alloc_slice_fill_iter(part.iter().map(|&(place, _)| place));
        let (keys, rest) = buffer.columns.split_at_mut(self.keys);
        let (results, bounds) = rest.split_at_mut(self.calls);
        table.push(&panes.keyer, &panes.layout, numbers, keys, results)?;
        let sessions = numbers.iter().map(|&number| table.get(number));
        bounds[0].extend_int64(sessions.clone().map(|session| session.first));
        bounds[1].extend_int64(sessions.map(|session| session.last.saturating_add(*gap_us)));
        buffer.rows_pushed(part.len());
        let columns = buffer.views(scratch);
        let batch = Batch { rows: part.len(), columns, selection: Selection::All, order: RowOrder::Keys(places) };
        let mut inner = context.with_arena(scratch);
        inner.rows_are_records = false;
        next(batch, &mut inner)?;
        scratch.reset();
        Ok(())
    }
}

/// The end of the slice in which a session ends: by then all rows on time that belong to it are known.
fn seen_over(session: &Session, gap_us: i64, lateness: &Lateness) -> EventTime {
    let last_moment = session.last.saturating_add(gap_us - 1);
    let slices = lateness.slices();
    slices.end(slices.start(last_moment))
}
