//! The sessions of each key: chains in the order of time, one state row per session.
//!
//! What comes in are groups of one slice: of each key at most one, made of rows that are less than the gap apart. A group
//! joins every session of its key that it is less than the gap from, and so bridges what lay apart. Numbers of sessions are
//! used again; keys that have none left, and the memory of texts, are given back when as many sessions went as there are.

use crate::arena::PaneArena;
use crate::batch::ColumnBuffer;
use crate::error::Result;
use crate::types::{EventTime, Sequence};

use super::keys::{BlockKeys, KeyBlock, KeyScratch, KeyTable, Keyer};
use super::states::StateBlock;
use super::{PartialGroups, StateLayout, States};

/// No session.
const NONE: u32 = u32::MAX;

/// One session.
#[derive(Debug, Clone, Copy)]
pub struct Session {
    /// Time of its first row.
    pub first: i64,
    /// Time of its last row.
    pub last: i64,
    /// Where the first of its rows to come stands in the input.
    pub place: (Sequence, u32),
    /// When to look at it again; the holder of the table decides. [`EventTime::MIN`] at first, and once it is gone.
    pub due: EventTime,
    /// Whether rows came since it left.
    pub changed: bool,
    /// Whether it, or one that became a part of it, left.
    pub left: bool,
    key: u32,
    /// The next session of the key, in the order of time; of a number that is free, nothing.
    next: u32,
}

/// The sessions of all keys.
pub struct SessionTable {
    keys: KeyTable,
    /// First session of each key.
    heads: Vec<u32>,
    sessions: Vec<Session>,
    free: Vec<u32>,
    states: States,
    arena: PaneArena,
    /// Sessions freed since the table was made anew.
    gone: usize,
    /// Where a state row holds the times of its first and its last row.
    times_word: usize,
    scratch: KeyScratch,
    numbers: Vec<u32>,
    block: StateBlock,
}

impl SessionTable {
    /// Sessions freed before the table is made anew. Any value is correct.
    const GONE_MIN: usize = 1024;

    /// No sessions. The last of the layout's accumulators is over the time of rows.
    pub fn new(keyer: &Keyer, layout: &StateLayout) -> Self {
        let (time, _) = layout.accumulators.last().and_then(|last| last.argument).expect("sessions know their time");
        let part = layout.kept[time].part.expect("extremes of a time are kept in a part");
        let arena = PaneArena::default();
        Self {
            keys: KeyTable::new(&keyer.layout, 0, &arena),
            heads: Vec::new(),
            sessions: Vec::new(),
            free: Vec::new(),
            states: States::new(layout, 0, &arena),
            arena,
            gone: 0,
            times_word: layout.parts[part].extremes_word(),
            scratch: KeyScratch::default(),
            numbers: Vec::new(),
            block: StateBlock::default(),
        }
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        let sessions = self.sessions.capacity() * size_of::<Session>();
        self.arena.held_bytes() + sessions + (self.heads.capacity() + self.free.capacity()) * size_of::<u32>()
    }

    /// A session.
    pub fn get(&self, number: u32) -> &Session {
        &self.sessions[number as usize]
    }

    /// A session, to be changed.
    pub fn get_mut(&mut self, number: u32) -> &mut Session {
        &mut self.sessions[number as usize]
    }

    /// Takes groups of one slice in, of each key at most one. `touched` becomes the session of each.
    pub fn merge(
        &mut self,
        keyer: &Keyer,
        layout: &StateLayout,
        gap_us: i64,
        partial: &PartialGroups,
        touched: &mut Vec<u32>,
    ) {
        let Self { keys, heads, scratch, numbers, .. } = self;
        numbers.clear();
        numbers.resize(partial.len(), 0);
        let block = BlockKeys { layout: &keyer.layout, block: &partial.keys };
        keys.assign_packed(&keyer.layout, &keyer.hasher, &block, numbers, scratch, |_| {});
        heads.resize(keys.len(), NONE);
        touched.clear();
        for j in 0..partial.len() {
            let times = &partial.states.row(layout, j)[self.times_word..];
            let (first, last) = (times[0].cast_signed(), times[1].cast_signed());
            let (key, place) = (self.numbers[j], partial.first[j]);
            let group =
                Session { first, last, place, due: EventTime::MIN, changed: true, left: false, key, next: NONE };
            touched.push(self.place(layout, gap_us, group));
        }
        self.states.merge(layout, touched, &partial.states);
    }

    /// Finds or makes the session of a group; its state is not taken in yet.
    fn place(&mut self, layout: &StateLayout, gap_us: i64, group: Session) -> u32 {
        let apart = |earlier: i64, later: i64| later.saturating_sub(earlier) >= gap_us;
        let (mut before, mut at) = (NONE, self.heads[group.key as usize]);
        while at != NONE && apart(self.get(at).last, group.first) {
            (before, at) = (at, self.get(at).next);
        }
        if at == NONE || apart(group.last, self.get(at).first) {
            let number = self.make(layout, Session { next: at, ..group });
            *self.link(before, group.key) = number;
            return number;
        }
        let session = self.get_mut(at);
        session.first = session.first.min(group.first);
        session.last = session.last.max(group.last);
        session.place = session.place.min(group.place);
        session.changed = true;
        // The group may reach the ones after it, too.
        loop {
            let next = self.get(at).next;
            if next == NONE || apart(group.last, self.get(next).first) {
                return at;
            }
            let part = *self.get(next);
            self.block.clear();
            self.states.export(layout, &[next], &mut self.block);
            self.states.merge(layout, &[at], &self.block);
            let session = &mut self.sessions[at as usize];
            session.last = session.last.max(part.last);
            session.place = session.place.min(part.place);
            session.left |= part.left;
            self.remove(next);
        }
    }

    /// The place that names the session after `before`, or the first one of the key.
    fn link(&mut self, before: u32, key: u32) -> &mut u32 {
        match before {
            NONE => &mut self.heads[key as usize],
            before => &mut self.sessions[before as usize].next,
        }
    }

    fn make(&mut self, layout: &StateLayout, session: Session) -> u32 {
        if let Some(number) = self.free.pop() {
            self.sessions[number as usize] = session;
            self.states.reset(layout, number);
            return number;
        }
        assert!(self.sessions.len() < NONE as usize, "a table holds fewer than 2^32 sessions");
        self.sessions.push(session);
        self.states.grow(layout, self.sessions.len());
        self.sessions.len() as u32 - 1
    }

    /// Frees a session.
    pub fn remove(&mut self, number: u32) {
        let Session { key, next, .. } = *self.get(number);
        let (mut before, mut at) = (NONE, self.heads[key as usize]);
        while at != number {
            assert!(at != NONE, "a session is in the chain of its key");
            (before, at) = (at, self.get(at).next);
        }
        *self.link(before, key) = next;
        self.get_mut(number).due = EventTime::MIN;
        self.free.push(number);
        self.gone += 1;
    }

    /// Appends the keys of sessions, and their results to the columns behind those.
    pub fn push(
        &self,
        keyer: &Keyer,
        layout: &StateLayout,
        numbers: &[u32],
        keys: &mut [ColumnBuffer],
        results: &mut [ColumnBuffer],
    ) -> Result<()> {
        let key_numbers: Vec<u32> = numbers.iter().map(|&number| self.get(number).key).collect();
        self.keys.push_keys(&keyer.layout, &key_numbers, keys);
        self.states.finish(layout, numbers, results)
    }

    /// Makes the table anew if that is worth it: then sessions have other numbers, and all of them are passed to `numbered`.
    pub fn compact(&mut self, keyer: &Keyer, layout: &StateLayout, mut numbered: impl FnMut(Option<(u32, &Session)>)) {
        if self.gone < Self::GONE_MIN.max(self.sessions.len()) {
            return;
        }
        let mut live = Vec::with_capacity(self.sessions.len() - self.free.len());
        let mut keys = Vec::new();
        let mut heads = Vec::new();
        let mut sessions = Vec::with_capacity(live.capacity());
        for (key, &head) in self.heads.iter().enumerate().filter(|(_, head)| **head != NONE) {
            heads.push(sessions.len() as u32);
            let mut at = head;
            while at != NONE {
                let session = *self.get(at);
                live.push(at);
                let next = if session.next == NONE { NONE } else { sessions.len() as u32 + 1 };
                sessions.push(Session { key: keys.len() as u32, next, ..session });
                at = session.next;
            }
            keys.push(key as u32);
        }
        let arena = PaneArena::default();
        let (mut key_block, mut state_block) = (KeyBlock::default(), StateBlock::default());
        self.keys.export(&keyer.layout, &keys, &mut key_block);
        self.states.export(layout, &live, &mut state_block);
        self.keys = KeyTable::new(&keyer.layout, keys.len(), &arena);
        let block = BlockKeys { layout: &keyer.layout, block: &key_block };
        self.keys.assign_packed(&keyer.layout, &keyer.hasher, &block, &mut keys, &mut self.scratch, |_| {});
        assert!(keys.iter().enumerate().all(|(number, &key)| number == key as usize), "keys are numbered as they come");
        self.states = States::new(layout, live.len(), &arena);
        self.states.grow(layout, live.len());
        let numbers: Vec<u32> = (0..live.len() as u32).collect();
        self.states.merge(layout, &numbers, &state_block);
        self.arena = arena;
        (self.heads, self.sessions, self.gone) = (heads, sessions, 0);
        self.free.clear();
        numbered(None);
        self.sessions.iter().zip(0..).for_each(|(session, number)| numbered(Some((number, session))));
    }
}
