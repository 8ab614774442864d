//! The least or greatest row of each group: FIRST, LAST, MIN_BY, MAX_BY.
//!
//! Costs one comparison a row. A text has room of its own for each group, which doubles when it is outgrown.

use std::cmp::Ordering;

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, ColumnBuffer};
use crate::error::Result;
use crate::kernel::Simd;

use super::super::text;
use super::tuple::{FoldField, Tuple, TupleLayout};
use super::{FoldBlock, FoldRows, FoldStates, Reading, not_kept};

pub(super) struct Best {
    layout: TupleLayout,
    /// Fields that rows are compared by.
    compared: usize,
    /// Which order a row must have to what is kept so that it takes its place.
    better: Ordering,
    /// Whether a group has a row.
    present: PaneVec<bool>,
    words: PaneVec<u64>,
    /// Bytes that each text has room for.
    rooms: PaneVec<u32>,
    heap: PaneVec<u8>,
    /// One tuple.
    scratch: Vec<u64>,
}

impl Best {
    pub(super) fn new(fields: &[FoldField], greatest: bool, arena: &PaneArena) -> Self {
        let layout = TupleLayout::new(fields);
        Self {
            scratch: vec![0; layout.width],
            layout,
            compared: fields.len() - 1,
            better: if greatest { Ordering::Less } else { Ordering::Greater },
            present: PaneVec::new_in(arena.clone()),
            words: PaneVec::new_in(arena.clone()),
            rooms: PaneVec::new_in(arena.clone()),
            heap: PaneVec::new_in(arena.clone()),
        }
    }

    fn tuple(&self, group: u32) -> Tuple<'_> {
        let start = group as usize * self.layout.width;
        Tuple { words: &self.words[start..start + self.layout.width], heap: &self.heap }
    }

    /// Keeps the tuple of `words` whose t-th text is `text(layout, t)`, if it is better.
    fn offer<'t>(&mut self, group: u32, words: &[u64], text: impl Fn(&TupleLayout, usize) -> &'t [u8]) {
        let index = group as usize;
        let text = |t: usize| text(&self.layout, t);
        if self.present[index] && self.layout.compare(self.compared, self.tuple(group), words, text) != self.better {
            return;
        }
        let start = index * self.layout.width;
        for (t, &word) in self.layout.texts.iter().enumerate() {
            let text = text(t);
            let room = &mut self.rooms[index * self.layout.texts.len() + t];
            let at = &mut self.words[start + word];
            let mut from = text::start_of(*at);
            if text.len() > *room as usize {
                from = self.heap.len();
                *room = text.len().next_power_of_two() as u32;
                self.heap.resize(from + *room as usize, 0);
            }
            self.heap[from..from + text.len()].copy_from_slice(text);
            *at = text::word_of(from, text.len());
        }
        for (w, &word) in words.iter().enumerate() {
            if !self.layout.texts.contains(&w) {
                self.words[start + w] = word;
            }
        }
        self.present[index] = true;
    }
}

impl FoldStates for Best {
    fn clear(&mut self) {
        self.present.clear();
        self.words.clear();
        self.rooms.clear();
        self.heap.clear();
    }

    fn grow(&mut self, groups: usize) {
        self.present.resize(groups, false);
        self.words.resize(groups * self.layout.width, 0);
        self.rooms.resize(groups * self.layout.texts.len(), 0);
    }

    fn reset(&mut self, group: u32) {
        self.present[group as usize] = false;
    }

    fn update(&mut self, _: Simd, rows: FoldRows<'_>, arguments: &[Column<'_>]) {
        let mut words = std::mem::take(&mut self.scratch);
        for (group, i) in rows.iter() {
            if self.layout.encode(arguments, i, &mut words) {
                self.offer(group, &words, |layout, t| layout.text_of(arguments, i, t));
            }
        }
        self.scratch = words;
    }

    fn export(&self, groups: &[u32], into: &mut FoldBlock) {
        for &group in groups {
            into.counts.push(u32::from(self.present[group as usize]));
            if self.present[group as usize] {
                export_tuple(&self.layout, self.tuple(group), into);
            }
        }
    }

    fn merge(&mut self, groups: &[u32], from: &FoldBlock) {
        let mut tuples = from.words.chunks_exact(self.layout.width.max(1));
        for (&group, &count) in groups.iter().zip(&from.counts) {
            for words in tuples.by_ref().take(count as usize) {
                let tuple = Tuple { words, heap: &from.heap };
                self.offer(group, words, |layout, t| tuple.text(layout.texts[t]));
            }
        }
    }

    fn finish(&self, reading: Reading, groups: &[u32], out: &mut ColumnBuffer) -> Result<()> {
        if reading != Reading::Value {
            not_kept(reading);
        }
        for &group in groups {
            if self.present[group as usize] {
                self.layout.push_last(self.tuple(group), out);
            } else {
                out.push_null();
            }
        }
        Ok(())
    }
}

/// Appends a tuple and its texts.
pub(super) fn export_tuple(layout: &TupleLayout, tuple: Tuple<'_>, into: &mut FoldBlock) {
    let start = into.words.len();
    into.words.extend_from_slice(tuple.words);
    for &word in &layout.texts {
        let text = tuple.text(word);
        into.words[start + word] = text::word_of(into.heap.len(), text.len());
        into.heap.extend_from_slice(text);
    }
}
