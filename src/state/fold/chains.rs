//! All values of each group: percentiles, MEDIAN, STRING_AGG.
//!
//! Values lie in the order in which they came, chained by group, so that taking one in is an append. What a group loses when it
//! starts anew is swept out, in place, once most is dead. A value costs 8 bytes beside its words (a number 16 in all);
//! percentiles select in linear time, joining sorts.

use std::cell::RefCell;

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, ColumnBuffer};
use crate::error::{Error, Result};
use crate::kernel::Simd;
use crate::limits::JOINED_TEXT_BYTES_MAX;

use super::super::text;
use super::best::export_tuple;
use super::tuple::{FoldField, Tuple, TupleLayout};
use super::{FoldBlock, FoldRows, FoldStates, Reading, between, not_kept};

/// No entry, no group.
const NONE: u32 = u32::MAX;

/// Dead entries below which nothing is swept. Any value is correct.
const DEAD_MIN: usize = if cfg!(test) { 8 } else { 1 << 16 };

/// Entries by group, in the order in which they were made.
pub(super) struct Links {
    /// For each entry its group and the next entry of the group.
    entries: PaneVec<[u32; 2]>,
    /// For each group its first and last entry, and their number.
    ends: PaneVec<[u32; 3]>,
    dead: usize,
}

impl Links {
    pub(super) fn new(arena: &PaneArena) -> Self {
        Self { entries: PaneVec::new_in(arena.clone()), ends: PaneVec::new_in(arena.clone()), dead: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.ends.clear();
        self.dead = 0;
    }

    pub(super) fn grow(&mut self, groups: usize) {
        self.ends.resize(groups, [NONE, NONE, 0]);
    }

    /// Number of entries of a group.
    pub(super) fn count(&self, group: u32) -> u32 {
        self.ends[group as usize][2]
    }

    /// Appends an entry.
    pub(super) fn push(&mut self, group: u32) {
        assert!(self.entries.len() < NONE as usize, "a pane keeps fewer than 2^32 values of an aggregate");
        let entry = self.entries.len() as u32;
        self.entries.push([group, NONE]);
        self.link(group, entry);
    }

    fn link(&mut self, group: u32, entry: u32) {
        let [first, last, count] = &mut self.ends[group as usize];
        match *last {
            NONE => *first = entry,
            last => self.entries[last as usize][1] = entry,
        }
        *last = entry;
        *count += 1;
    }

    /// The entries of a group.
    pub(super) fn of(&self, group: u32) -> impl Iterator<Item = u32> {
        let some = |entry: u32| (entry != NONE).then_some(entry);
        let first = some(self.ends[group as usize][0]);
        std::iter::successors(first, move |&entry| some(self.entries[entry as usize][1]))
    }

    /// Drops the entries of a group.
    pub(super) fn reset(&mut self, group: u32) {
        let [mut entry, _, count] = std::mem::replace(&mut self.ends[group as usize], [NONE, NONE, 0]);
        while entry != NONE {
            let next = self.entries[entry as usize][1];
            self.entries[entry as usize][0] = NONE;
            entry = next;
        }
        self.dead += count as usize;
    }

    /// Whether most is dead and it is worth sweeping.
    pub(super) fn wants_sweep(&self) -> bool {
        self.dead > DEAD_MIN && self.dead > self.entries.len() / 2
    }

    /// Takes the dead entries out; `moved(group, from, to)` is told, in ascending order, where
    /// each live one goes.
    pub(super) fn sweep(&mut self, mut moved: impl FnMut(u32, usize, usize)) {
        self.ends.fill([NONE, NONE, 0]);
        let mut live = 0;
        for from in 0..self.entries.len() {
            let group = self.entries[from][0];
            if group == NONE {
                continue;
            }
            moved(group, from, live);
            self.entries[live] = [group, NONE];
            self.link(group, live as u32);
            live += 1;
        }
        self.entries.truncate(live);
        self.dead = 0;
    }
}

pub(super) struct Chains {
    layout: TupleLayout,
    separator: Box<str>,
    links: Links,
    words: PaneVec<u64>,
    heap: PaneVec<u8>,
    scratch: RefCell<Scratch>,
}

/// Memory of one group's finish, and of one tuple.
#[derive(Default)]
struct Scratch {
    tuple: Vec<u64>,
    words: Vec<u64>,
    entries: Vec<u32>,
    joined: Vec<u8>,
}

impl Chains {
    pub(super) fn new(fields: &[FoldField], separator: &str, arena: &PaneArena) -> Self {
        Self {
            layout: TupleLayout::new(fields),
            separator: separator.into(),
            links: Links::new(arena),
            words: PaneVec::new_in(arena.clone()),
            heap: PaneVec::new_in(arena.clone()),
            scratch: RefCell::default(),
        }
    }

    fn tuple(&self, entry: u32) -> Tuple<'_> {
        let start = entry as usize * self.layout.width;
        Tuple { words: &self.words[start..start + self.layout.width], heap: &self.heap }
    }

    fn push<'t>(&mut self, group: u32, words: &[u64], text: impl Fn(&TupleLayout, usize) -> &'t [u8]) {
        let start = self.words.len();
        self.words.extend_from_slice(words);
        for (t, word) in self.layout.texts.iter().enumerate() {
            let text = text(&self.layout, t);
            self.words[start + word] = text::word_of(self.heap.len(), text.len());
            self.heap.extend_from_slice(text);
        }
        self.links.push(group);
    }

    fn sweep(&mut self) {
        let Self { layout, links, words, heap, .. } = self;
        let (width, mut bytes, mut live) = (layout.width, 0, 0);
        links.sweep(|_, from, to| {
            words.copy_within(from * width..(from + 1) * width, to * width);
            for word in &layout.texts {
                let word = &mut words[to * width + word];
                let range = text::range_of(*word);
                *word = text::word_of(bytes, range.len());
                heap.copy_within(range.clone(), bytes);
                bytes += range.len();
            }
            live = to + 1;
        });
        words.truncate(live * width);
        heap.truncate(bytes);
    }

    fn percentile(&self, group: u32, fraction: f64, continuous: bool, scratch: &mut Scratch, out: &mut ColumnBuffer) {
        let count = self.links.count(group) as usize;
        if count == 0 {
            return out.push_null();
        }
        if !continuous {
            // The first value up to which there are at least so many of all.
            let index = ((fraction * count as f64).ceil() as usize).clamp(1, count) - 1;
            scratch.entries.clear();
            scratch.entries.extend(self.links.of(group));
            let order = |&a: &u32, &b: &u32| self.layout.compare_stored(self.tuple(a), self.tuple(b));
            let (_, &mut entry, _) = scratch.entries.select_nth_unstable_by(index, order);
            return self.layout.push_last(self.tuple(entry), out);
        }
        assert!(self.layout.is_one_number(), "the planner casts to DOUBLE");
        scratch.words.clear();
        scratch.words.extend(self.links.of(group).map(|entry| self.words[entry as usize]));
        let place = fraction * (count - 1) as f64;
        let (_, &mut low, above) = scratch.words.select_nth_unstable(place as usize);
        let share = place - place.floor();
        let low = self.layout.double(low);
        let high = match above.iter().min() {
            Some(&high) if share > 0.0 => self.layout.double(high),
            _ => low,
        };
        let value = between(low, high, share);
        out.push_float64(if value.is_nan() { f64::NAN } else { value });
    }

    fn join(&self, group: u32, scratch: &mut Scratch, out: &mut ColumnBuffer) -> Result<()> {
        if self.links.count(group) == 0 {
            out.push_null();
            return Ok(());
        }
        let Scratch { entries, joined, .. } = scratch;
        entries.clear();
        entries.extend(self.links.of(group));
        // Places of rows differ, and so do distinct values: an order that is not stable will do.
        let order = |&a: &u32, &b: &u32| self.layout.compare_stored(self.tuple(a), self.tuple(b));
        if !entries.is_sorted_by(|a, b| order(a, b).is_le()) {
            entries.sort_unstable_by(order);
        }
        joined.clear();
        let text = self.layout.texts.last().copied().unwrap_or(0);
        for (i, &entry) in entries.iter().enumerate() {
            if i > 0 {
                joined.extend_from_slice(self.separator.as_bytes());
            }
            joined.extend_from_slice(self.tuple(entry).text(text));
            if joined.len() > JOINED_TEXT_BYTES_MAX {
                return Err(Error::Execution(format!(
                    "STRING_AGG makes a text of more than {JOINED_TEXT_BYTES_MAX} bytes of one group: group by more, or join \
                     shorter texts"
                )));
            }
        }
        out.push_text(joined);
        Ok(())
    }
}

impl FoldStates for Chains {
    fn clear(&mut self) {
        self.links.clear();
        self.words.clear();
        self.heap.clear();
    }

    fn grow(&mut self, groups: usize) {
        self.links.grow(groups);
    }

    fn reset(&mut self, group: u32) {
        self.links.reset(group);
        if self.links.wants_sweep() {
            self.sweep();
        }
    }

    fn update(&mut self, _: Simd, rows: FoldRows<'_>, arguments: &[Column<'_>]) {
        let mut words = std::mem::take(&mut self.scratch.get_mut().tuple);
        words.resize(self.layout.width, 0);
        for (group, i) in rows.iter() {
            if self.layout.encode(arguments, i, &mut words) {
                self.push(group, &words, |layout, t| layout.text_of(arguments, i, t));
            }
        }
        self.scratch.get_mut().tuple = words;
    }

    fn export(&self, groups: &[u32], into: &mut FoldBlock) {
        for &group in groups {
            into.counts.push(self.links.count(group));
            self.links.of(group).for_each(|entry| export_tuple(&self.layout, self.tuple(entry), into));
        }
    }

    fn merge(&mut self, groups: &[u32], from: &FoldBlock) {
        let mut tuples = from.words.chunks_exact(self.layout.width);
        for (&group, &count) in groups.iter().zip(&from.counts) {
            for words in tuples.by_ref().take(count as usize) {
                let tuple = Tuple { words, heap: &from.heap };
                self.push(group, words, |layout, t| tuple.text(layout.texts[t]));
            }
        }
    }

    fn finish(&self, reading: Reading, groups: &[u32], out: &mut ColumnBuffer) -> Result<()> {
        let scratch = &mut *self.scratch.borrow_mut();
        for &group in groups {
            match reading {
                Reading::Percentile { fraction, continuous } => {
                    self.percentile(group, fraction, continuous, scratch, out);
                }
                Reading::Joined => self.join(group, scratch, out)?,
                _ => not_kept(reading),
            }
        }
        Ok(())
    }
}
