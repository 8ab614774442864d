//! What the operators of sessions have in common: the sessions that they hold, when to look at each again, and how they leave.

use bumpalo::Bump;

use crate::batch::BatchBuffer;
use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::{Groups, OrderedMap, PartialGroups, Session, SessionTable};
use crate::time::Windows;
use crate::types::{EventTime, OrderKey, Schema};

use super::super::revisions::{Before, Revisions, shown_types};
use super::super::{Context, Next, Panes};

/// Sessions by when to look at them. An entry counts only while its session is still due then: one whose time
/// moves on is put down once more and not looked for, and there are few times, because slices end together.
#[derive(Default)]
struct Agenda {
    times: OrderedMap<EventTime, Vec<u32>>,
    entries: usize,
    /// Lists to be used again.
    free: Vec<Vec<u32>>,
}

impl Agenda {
    fn put(&mut self, due: EventTime, number: u32) {
        let Self { times, free, .. } = self;
        times.get_or_insert_with(due, || free.pop().unwrap_or_default()).push(number);
        self.entries += 1;
    }

    /// Takes out the entries of the first time, if that is not after `now`.
    fn take(&mut self, now: EventTime) -> Option<(EventTime, Vec<u32>)> {
        self.times.first_key().filter(|due| *due <= now)?;
        let (due, numbers) = self.times.pop_first()?;
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

/// Sessions, and when to look at each again.
pub(super) struct Held {
    pub(super) table: SessionTable,
    due: Agenda,
    partial: PartialGroups,
    touched: Vec<u32>,
}

impl Held {
    /// For a node of a plan; `remembers`: see [`SessionTable::new`].
    pub(super) fn new(node: &AggregateNode, panes: &Panes, remembers: bool) -> Self {
        Self {
            table: SessionTable::new(&panes.keyer, &panes.layout, gap_us(node), remembers),
            due: Agenda::default(),
            partial: PartialGroups::default(),
            touched: Vec::new(),
        }
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.table.held_bytes() + self.due.entries * size_of::<u32>()
    }

    /// Looks at a session at `due`, and at no other time.
    pub(super) fn put(&mut self, number: u32, due: EventTime) {
        let session = self.table.get_mut(number);
        if session.due != due {
            session.due = due;
            self.due.put(due, number);
        }
    }

    /// Takes the groups of a pane into the sessions of their keys; `took` is given each group, its session's number and
    /// the session, and says when to look at that again.
    pub(super) fn join(
        &mut self,
        panes: &Panes,
        groups: &Groups,
        mut took: impl FnMut(usize, u32, &mut Session) -> EventTime,
    ) {
        let mut done = 0;
        loop {
            let first = done;
            if !groups.export_part(&panes.keyer, &panes.layout, &mut done, &mut self.partial) {
                return;
            }
            let mut touched = std::mem::take(&mut self.touched);
            self.table.merge(&panes.keyer, &panes.layout, &self.partial, &mut touched);
            for (&number, group) in touched.iter().zip(first..) {
                let due = took(group, number, self.table.get_mut(number));
                self.put(number, due);
            }
            self.touched = touched;
        }
    }

    /// The first time at which to look at some session, if there is one.
    pub(super) fn first_due(&self) -> Option<EventTime> {
        self.due.times.first_key()
    }

    /// Calls `look` with all sessions to be looked at up to `now`.
    pub(super) fn look(&mut self, now: EventTime, mut look: impl FnMut(&mut Self, u32)) {
        while let Some((due, numbers)) = self.due.take(now) {
            for &number in &numbers {
                let session = self.table.get_mut(number);
                if session.due == due {
                    // Whatever else was put down for it at this time does not count any more.
                    session.due = EventTime::MIN;
                    look(self, number);
                }
            }
            self.due.recycle(numbers);
        }
    }

    /// Gives memory of sessions that are gone back, if that is worth it; numbers change then.
    pub(super) fn compact(&mut self, panes: &Panes) {
        let Self { table, due, .. } = self;
        table.compact(&panes.keyer, &panes.layout, |session| match session {
            None => due.clear(),
            Some((number, session)) => due.put(session.due, number),
        });
    }
}

/// The gap of the node's windows.
pub(super) fn gap_us(node: &AggregateNode) -> i64 {
    match node.window.map(|window| window.windows) {
        Some(Windows::Session { gap_us }) => gap_us,
        windows => panic!("{windows:?} are no sessions"),
    }
}

/// What the rows of sessions are made of.
#[derive(Clone, Copy)]
pub(super) struct SessionShape {
    keys: usize,
    calls: usize,
    gap_us: i64,
}

impl SessionShape {
    pub(super) fn new(node: &AggregateNode) -> Self {
        Self { keys: node.keys.len(), calls: node.calls.len(), gap_us: gap_us(node) }
    }

    /// Appends the rows of some sessions.
    pub(super) fn push(
        self,
        into: &mut BatchBuffer,
        panes: &Panes,
        table: &mut SessionTable,
        numbers: &[u32],
    ) -> Result<()> {
        let (keys, rest) = into.columns.split_at_mut(self.keys);
        let (results, bounds) = rest.split_at_mut(self.calls);
        table.push(&panes.keyer, &panes.layout, numbers, keys, results)?;
        let sessions = numbers.iter().map(|&number| table.get(number));
        bounds[0].extend_int64(sessions.clone().map(|session| session.first));
        bounds[1].extend_int64(sessions.map(|session| session.last.saturating_add(self.gap_us)));
        into.rows_pushed(numbers.len());
        Ok(())
    }
}

/// Turns sessions into rows of the aggregate's output schema.
pub(super) struct SessionEmitter {
    shape: SessionShape,
    /// What sessions showed before, if that comes out.
    old: BatchBuffer,
    new: BatchBuffer,
    revisions: Revisions,
    numbers: Vec<u32>,
    scratch: Bump,
}

impl SessionEmitter {
    /// Sessions in a batch. Any value is correct.
    const BATCH_SESSIONS: usize = 4096;

    /// For a node of a plan whose output is `schema`.
    pub(super) fn new(node: &AggregateNode, schema: &Schema) -> Self {
        let types = || shown_types(node, schema);
        Self {
            shape: SessionShape::new(node),
            old: BatchBuffer::new(types()),
            new: BatchBuffer::new(types()),
            revisions: Revisions::new(types(), node.changelog),
            numbers: Vec::new(),
            scratch: Bump::new(),
        }
    }

    /// Passes sessions on, in order; they stand as they are then.
    pub(super) fn emit(
        &mut self,
        panes: &Panes,
        table: &mut SessionTable,
        leaving: &[(OrderKey, u32)],
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let Self { shape, old, new, revisions, numbers, scratch } = self;
        for part in leaving.chunks(Self::BATCH_SESSIONS) {
            old.clear();
            new.clear();
            revisions.clear();
            numbers.clear();
            for (&(place, number), row) in part.iter().zip(0..) {
                let first = numbers.len() as u32;
                table.shown(number, numbers);
                revisions.push(row, (first..numbers.len() as u32).map(Before::Old), place);
            }
            shape.push(old, panes, table, numbers)?;
            numbers.clear();
            numbers.extend(part.iter().map(|(_, number)| *number));
            shape.push(new, panes, table, numbers)?;
            let mut inner = context.with_arena(scratch);
            inner.rows_are_records = false;
            next(revisions.batch(old, new, scratch), &mut inner)?;
            scratch.reset();
            part.iter().for_each(|&(_, number)| table.show(number));
        }
        Ok(())
    }
}
