//! The sessions of each key: chains in the order of time, one state row per session.
//!
//! What comes in are groups of one slice: of each key at most one, made of rows that are less than the gap apart; or single
//! rows. A group joins every session of its key that it is less than the gap from, and so bridges what lay apart. Where it is
//! asked for, a session remembers what it, and those that became a part of it, showed last. Numbers of sessions are
//! used again; keys that have none left, and the memory of texts, are given back when as many sessions went as there are.

use crate::arena::{ArenaPool, PaneArena};
use crate::batch::ColumnBuffer;
use crate::error::Result;
use crate::types::{EventTime, OrderKey, Sequence};

use super::keys::{BlockKeys, DirectRows, KeyBlock, KeyScratch, KeyTable, Keyer, PackedColumns};
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
    /// Where the last one stands, if the holder of the table says so.
    pub latest: OrderKey,
    /// When to look at it again; the holder of the table decides. [`EventTime::MIN`] at first, and once it is gone.
    pub due: EventTime,
    /// Whether rows came since it left.
    pub changed: bool,
    /// Whether it, or one that became a part of it, left when it was over.
    pub left: bool,
    key: u32,
    /// The next session of the key, in the order of time; of a number that is free, nothing.
    next: u32,
    /// The first session as it was shown that this one takes the place of; they are chained by `next`, in the order of time.
    shown: u32,
}

impl Session {
    /// Rows of a key from `first` to `last` that are less than the gap apart; the first of them stands at `place`.
    pub fn new(key: u32, first: i64, last: i64, place: (Sequence, u32)) -> Self {
        Self {
            first,
            last,
            place,
            latest: OrderKey::MIN,
            due: EventTime::MIN,
            changed: true,
            left: false,
            key,
            next: NONE,
            shown: NONE,
        }
    }
}

/// Where rows of a key belong among its sessions.
#[derive(Debug, Clone, Copy)]
pub enum SessionPlace {
    /// Less than the gap from this session, the first such.
    In(u32),
    /// Apart from all: behind this session, or before all of the key.
    Behind(Option<u32>),
}

/// The sessions of all keys.
pub struct SessionTable {
    gap_us: i64,
    keys: KeyTable,
    /// First session of each key.
    heads: Vec<u32>,
    sessions: Vec<Session>,
    free: Vec<u32>,
    /// The states of sessions, by their number.
    pub states: States,
    arena: PaneArena,
    /// Sessions freed since the table was made anew.
    gone: usize,
    /// Whether sessions remember what they showed.
    remembers: bool,
    scratch: KeyScratch,
    numbers: Vec<u32>,
    block: StateBlock,
    compaction: Compaction,
    arenas: ArenaPool,
}

/// Memory of [`SessionTable::compact`].
#[derive(Default)]
struct Compaction {
    /// Sessions that stay, and their keys.
    live: Vec<u32>,
    key_of: Vec<u32>,
    /// Keys that stay.
    keys: Vec<u32>,
    /// By number before, the number after.
    renumbered: Vec<u32>,
    sessions: Vec<Session>,
    key_block: KeyBlock,
    state_block: StateBlock,
}

impl Compaction {
    fn clear(&mut self) {
        self.live.clear();
        self.key_of.clear();
        self.keys.clear();
        self.renumbered.clear();
        self.sessions.clear();
        self.key_block.clear();
        self.state_block.clear();
    }
}

/// Where a state row holds the times of its first and its last row: the last accumulator is over the time of rows.
fn times_word(layout: &StateLayout) -> usize {
    let (time, _) = layout.accumulators.last().and_then(|last| last.argument).expect("sessions know their time");
    let part = layout.kept[time].part.expect("extremes of a time are kept in a part");
    layout.parts[part].extremes_word()
}

impl SessionTable {
    /// Sessions freed before the table is made anew. Any value is correct.
    const GONE_MIN: usize = 1024;
    /// So many times the sessions that are left must have been there for memory to be given back. Any value is correct.
    const MEMORY_FACTOR: usize = 4;

    /// No sessions. `remembers`: whether each knows what it showed when it left last.
    pub fn new(keyer: &Keyer, layout: &StateLayout, gap_us: i64, remembers: bool) -> Self {
        let arena = PaneArena::default();
        Self {
            gap_us,
            keys: KeyTable::new(&keyer.layout, 0, &arena),
            heads: Vec::new(),
            sessions: Vec::new(),
            free: Vec::new(),
            states: States::new(layout, 0, &arena),
            arena,
            gone: 0,
            remembers,
            scratch: KeyScratch::default(),
            numbers: Vec::new(),
            block: StateBlock::default(),
            compaction: Compaction::default(),
            arenas: ArenaPool::default(),
        }
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        let sessions = self.sessions.capacity() * size_of::<Session>();
        self.arena.held_bytes()
            + self.arenas.held_bytes()
            + sessions
            + (self.heads.capacity() + self.free.capacity()) * size_of::<u32>()
    }

    /// A session.
    pub fn get(&self, number: u32) -> &Session {
        &self.sessions[number as usize]
    }

    /// A session, to be changed.
    pub fn get_mut(&mut self, number: u32) -> &mut Session {
        &mut self.sessions[number as usize]
    }

    /// Takes groups of one slice in, of each key at most one; their states end with the times of their rows. `touched`
    /// becomes the session of each.
    pub fn merge(&mut self, keyer: &Keyer, layout: &StateLayout, partial: &PartialGroups, touched: &mut Vec<u32>) {
        let Self { keys, heads, scratch, numbers, .. } = self;
        numbers.clear();
        numbers.resize(partial.len(), 0);
        let block = BlockKeys { layout: &keyer.layout, block: &partial.keys };
        keys.assign_packed(&keyer.layout, &keyer.hasher, &block, numbers, scratch, |_| {});
        heads.resize(keys.len(), NONE);
        touched.clear();
        let times_word = times_word(layout);
        for j in 0..partial.len() {
            let times = &partial.states.row(layout, j)[times_word..];
            let (first, last) = (times[0].cast_signed(), times[1].cast_signed());
            let group = Session::new(self.numbers[j], first, last, partial.first[j]);
            let number = match self.find(&group) {
                SessionPlace::Behind(before) => self.insert(layout, before, group),
                SessionPlace::In(at) => {
                    self.extend(layout, at, &group);
                    while let Some(part) = self.bridged(at, &group) {
                        self.absorb(layout, at, part);
                    }
                    at
                }
            };
            touched.push(number);
        }
        self.states.merge(layout, touched, &partial.states);
    }

    /// Writes the number of each row's key to `numbers`.
    pub fn number_keys(&mut self, keys: &PackedColumns<'_>, direct: Option<DirectRows<'_>>, numbers: &mut [u32]) {
        self.keys.assign(keys, direct, numbers, &mut self.scratch, |_| {});
        self.heads.resize(self.keys.len(), NONE);
    }

    fn apart(&self, earlier: i64, later: i64) -> bool {
        later.saturating_sub(earlier) >= self.gap_us
    }

    /// Where a group belongs among the sessions of its key.
    pub fn find(&self, group: &Session) -> SessionPlace {
        let (mut before, mut at) = (NONE, self.heads[group.key as usize]);
        while at != NONE && self.apart(self.get(at).last, group.first) {
            (before, at) = (at, self.get(at).next);
        }
        match at {
            NONE => SessionPlace::Behind((before != NONE).then_some(before)),
            at if self.apart(group.last, self.get(at).first) => {
                SessionPlace::Behind((before != NONE).then_some(before))
            }
            at => SessionPlace::In(at),
        }
    }

    /// Makes a session of a group that is apart from all others, behind `before`; its state is empty.
    pub fn insert(&mut self, layout: &StateLayout, before: Option<u32>, group: Session) -> u32 {
        let link = *self.link(before.unwrap_or(NONE), group.key);
        let number = self.make(layout, Session { next: link, ..group });
        *self.link(before.unwrap_or(NONE), group.key) = number;
        number
    }

    /// Takes a group into a session that it is less than the gap from, but for its state.
    pub fn extend(&mut self, layout: &StateLayout, at: u32, group: &Session) {
        if self.remembers && !self.get(at).changed {
            let shown = Session { due: EventTime::MIN, next: NONE, shown: NONE, ..*self.get(at) };
            let copy = self.make(layout, shown);
            self.copy_state(layout, at, copy);
            self.get_mut(at).shown = copy;
        }
        let session = self.get_mut(at);
        session.first = session.first.min(group.first);
        session.last = session.last.max(group.last);
        session.place = session.place.min(group.place);
        session.changed = true;
    }

    /// The session behind `at` that a group, which was taken into that, reaches too.
    pub fn bridged(&self, at: u32, group: &Session) -> Option<u32> {
        let next = self.get(at).next;
        (next != NONE && !self.apart(group.last, self.get(next).first)).then_some(next)
    }

    /// Makes the session behind `at` a part of that.
    pub fn absorb(&mut self, layout: &StateLayout, at: u32, part: u32) {
        self.copy_state(layout, part, at);
        let gone = *self.get(part);
        let session = self.get_mut(at);
        session.last = session.last.max(gone.last);
        session.place = session.place.min(gone.place);
        session.latest = session.latest.max(gone.latest);
        session.left |= gone.left;
        self.unlink(part);
        // What it showed is the last of what the whole takes the place of.
        let stands = self.remembers && !gone.changed;
        let shown = if stands { part } else { gone.shown };
        let mut tail = at;
        let mut link = self.get(at).shown;
        while link != NONE {
            (tail, link) = (link, self.get(link).next);
        }
        match tail == at {
            true => self.get_mut(at).shown = shown,
            false => self.get_mut(tail).next = shown,
        }
        if stands {
            let part = self.get_mut(part);
            (part.due, part.next, part.shown) = (EventTime::MIN, NONE, NONE);
        } else {
            self.release(part);
        }
    }

    /// Merges the state of a session into that of another.
    fn copy_state(&mut self, layout: &StateLayout, from: u32, into: u32) {
        self.block.clear();
        self.states.export(layout, &[from], &mut self.block);
        self.states.merge(layout, &[into], &self.block);
    }

    /// Appends the sessions, as they were shown, that a session takes the place of, in the order of time.
    pub fn shown(&self, number: u32, into: &mut Vec<u32>) {
        let mut at = self.get(number).shown;
        while at != NONE {
            into.push(at);
            at = self.get(at).next;
        }
    }

    /// A session left: it stands as it is.
    pub fn show(&mut self, number: u32) {
        let session = self.get_mut(number);
        session.changed = false;
        let mut at = std::mem::replace(&mut session.shown, NONE);
        while at != NONE {
            let next = self.get(at).next;
            self.release(at);
            at = next;
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
        self.show(number);
        self.unlink(number);
        self.release(number);
    }

    /// Takes a session out of the chain of its key.
    fn unlink(&mut self, number: u32) {
        let Session { key, next, .. } = *self.get(number);
        let (mut before, mut at) = (NONE, self.heads[key as usize]);
        while at != number {
            assert!(at != NONE, "a session is in the chain of its key");
            (before, at) = (at, self.get(at).next);
        }
        *self.link(before, key) = next;
    }

    fn release(&mut self, number: u32) {
        let session = self.get_mut(number);
        (session.due, session.changed, session.shown) = (EventTime::MIN, false, NONE);
        self.free.push(number);
        self.gone += 1;
    }

    /// Appends the keys of sessions, and their results to the columns behind those.
    pub fn push(
        &mut self,
        keyer: &Keyer,
        layout: &StateLayout,
        numbers: &[u32],
        keys: &mut [ColumnBuffer],
        results: &mut [ColumnBuffer],
    ) -> Result<()> {
        self.numbers.clear();
        self.numbers.extend(numbers.iter().map(|&number| self.sessions[number as usize].key));
        self.keys.push_keys(&keyer.layout, &self.numbers, keys);
        self.states.finish(layout, numbers, results)
    }

    /// Makes the table anew if that is worth it: then sessions have other numbers, and all that are due
    /// are passed to `numbered`, after nothing. Memory is used again, or given back if there was far more than is needed.
    pub fn compact(&mut self, keyer: &Keyer, layout: &StateLayout, mut numbered: impl FnMut(Option<(u32, &Session)>)) {
        if self.gone < Self::GONE_MIN.max(self.sessions.len()) {
            return;
        }
        let mut scratch = std::mem::take(&mut self.compaction);
        scratch.clear();
        let Compaction { live, keys, key_of, renumbered, sessions, key_block, state_block } = &mut scratch;
        for (key, &head) in self.heads.iter().enumerate().filter(|(_, head)| **head != NONE) {
            let mut at = head;
            while at != NONE {
                live.push(at);
                self.shown(at, live);
                at = self.get(at).next;
            }
            key_of.resize(live.len(), keys.len() as u32);
            keys.push(key as u32);
        }
        renumbered.resize(self.sessions.len(), NONE);
        live.iter().zip(0..).for_each(|(&number, new)| renumbered[number as usize] = new);
        let anew = |number: u32| if number == NONE { NONE } else { renumbered[number as usize] };
        sessions.extend(live.iter().zip(&*key_of).map(|(&number, &key)| {
            let session = *self.get(number);
            Session { key, next: anew(session.next), shown: anew(session.shown), ..session }
        }));
        self.numbers.clear();
        self.numbers.extend(keys.iter().map(|&key| anew(self.heads[key as usize])));
        self.keys.export(&keyer.layout, keys, key_block);
        self.states.export(layout, live, state_block);
        std::mem::swap(&mut self.heads, &mut self.numbers);
        std::mem::swap(&mut self.sessions, sessions);
        let shrinks = live.len().max(Self::GONE_MIN) < renumbered.len() / Self::MEMORY_FACTOR;
        let arena = if shrinks { PaneArena::default() } else { self.arenas.take() };
        self.keys = KeyTable::new(&keyer.layout, keys.len(), &arena);
        self.states = States::new(layout, live.len(), &arena);
        let before = std::mem::replace(&mut self.arena, arena);
        if shrinks {
            self.arenas = ArenaPool::default();
            self.heads.shrink_to_fit();
            self.sessions.shrink_to_fit();
        } else {
            self.arenas.give(before);
        }
        let block = BlockKeys { layout: &keyer.layout, block: key_block };
        self.keys.assign_packed(&keyer.layout, &keyer.hasher, &block, keys, &mut self.scratch, |_| {});
        assert!(keys.iter().enumerate().all(|(number, &key)| number == key as usize), "keys are numbered as they come");
        self.states.grow(layout, live.len());
        live.iter_mut().zip(0..).for_each(|(number, new)| *number = new);
        self.states.merge(layout, live, state_block);
        self.gone = 0;
        self.free.clear();
        numbered(None);
        let standing = self.sessions.iter().zip(0..).filter(|(session, _)| session.due > EventTime::MIN);
        standing.for_each(|(session, number)| numbered(Some((number, session))));
        if !shrinks {
            self.compaction = scratch;
        }
    }
}
