//! The groups of one pane: a table from key to group id, and one state row per group, all in the pane's arena.

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, ColumnBuffer};
use crate::kernel::Simd;
use crate::types::Sequence;

use super::keys::{BlockKeys, DirectRows, KeyScratch, KeyTable, Keyer, PackedColumns};
use super::{PartialGroups, StateLayout, States};

/// Groups and their state. Group ids are dense, in the order in which keys first came.
#[derive(Debug)]
pub struct Groups {
    keys: KeyTable,
    first: PaneVec<(Sequence, u32)>,
    /// The last place in the input that a row had.
    latest: (Sequence, u32),
    /// What is kept of each group.
    pub states: States,
    /// Rows taken in.
    rows: usize,
    arena: PaneArena,
}

impl Groups {
    /// Groups of an [`Self::export_part`] at most. Any value is correct.
    const PART_GROUPS: usize = 4096;

    /// No groups, with keys of `keyer`, in `arena`; with room for `expected` groups.
    pub fn new(keyer: &Keyer, layout: &StateLayout, expected: usize, arena: PaneArena) -> Self {
        Self {
            keys: KeyTable::new(&keyer.layout, expected, &arena),
            first: PaneVec::with_capacity_in(expected, arena.clone()),
            latest: (Sequence::default(), 0),
            states: States::new(layout, expected, &arena),
            rows: 0,
            arena,
        }
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Rows taken in.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes that they hold.
    pub fn held_bytes(&self) -> usize {
        self.arena.held_bytes()
    }

    /// Gives the arena back, for an [`crate::arena::ArenaPool`]; everything else is gone.
    pub fn into_arena(self) -> PaneArena {
        self.arena
    }

    /// Writes the group of each key to `groups`, making new ones; `place(j)` is where the j-th row stands in the input.
    pub fn assign(
        &mut self,
        layout: &StateLayout,
        keys: &PackedColumns<'_>,
        direct: Option<DirectRows<'_>>,
        groups: &mut [u32],
        scratch: &mut KeyScratch,
        place: impl Fn(usize) -> (Sequence, u32),
    ) {
        let first = &mut self.first;
        self.keys.assign(keys, direct, groups, scratch, |j| first.push(place(j)));
        // Rows come in the order of the input, unless several inputs are read abreast.
        if groups.is_empty() {
            return;
        }
        if place(0) < self.latest {
            self.place(groups, &place);
        }
        self.latest = self.latest.max(place(groups.len() - 1));
        self.states.grow(layout, self.keys.len());
        self.rows += groups.len();
    }

    /// The j-th row, of group `groups[j]`, stands at `place(j)`, be it before one that came earlier.
    pub fn place(&mut self, groups: &[u32], place: impl Fn(usize) -> (Sequence, u32)) {
        for (j, &group) in groups.iter().enumerate() {
            if let Some(first) = self.first.get_mut(group as usize) {
                *first = place(j).min(*first);
            }
        }
    }

    /// From now on a row of a new group beyond the first `limit` is given the group `u32::MAX`.
    pub fn limit(&mut self, limit: usize) {
        self.keys.limit(limit);
    }

    /// Makes sure that the group of a query without GROUP BY is there, even without rows; `place` is where its first row
    /// stands.
    pub fn ensure_global(&mut self, layout: &StateLayout, place: (Sequence, u32)) {
        let first = &mut self.first;
        self.keys.number_only_key(|_| first.push(place));
        self.states.grow(layout, self.keys.len());
    }

    /// Takes `rows` rows, or those of them that pass `mask`, into the one group of a query without GROUP BY.
    pub fn update_only(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        place: (Sequence, u32),
        rows: usize,
        mask: Option<&[u64]>,
        arguments: &[Column<'_>],
    ) {
        self.ensure_global(layout, place);
        self.first[0] = place.min(self.first[0]);
        self.rows += rows;
        self.states.update_one(simd, layout, 0, rows, mask, arguments);
    }

    /// The groups in `only`, else all, in the order of first appearance in the input.
    pub fn in_order(&self, only: Option<&[u32]>, order: &mut Vec<u32>) {
        order.clear();
        match only {
            Some(groups) => order.extend(groups),
            None => order.extend(0..self.len() as u32),
        }
        let first = &self.first;
        if only.is_some() || !first.is_sorted() {
            order.sort_unstable_by_key(|&group| first[group as usize]);
        }
    }

    /// Where the first row of `group` stands in the input.
    pub fn first(&self, group: u32) -> (Sequence, u32) {
        self.first[group as usize]
    }

    /// Appends the keys of `groups` to `columns`.
    pub fn push_keys(&self, keyer: &Keyer, groups: &[u32], columns: &mut [ColumnBuffer]) {
        self.keys.push_keys(&keyer.layout, groups, columns);
    }

    /// Copies some groups into a partial that may cross threads.
    pub fn export(&self, keyer: &Keyer, layout: &StateLayout, groups: &[u32], into: &mut PartialGroups) {
        self.keys.export(&keyer.layout, groups, &mut into.keys);
        into.first.extend(groups.iter().map(|&group| self.first[group as usize]));
        self.states.export(layout, groups, &mut into.states);
    }

    /// Copies the groups behind the first `done` into an emptied partial, as many as stay in the cache, and counts them as
    /// done; false if there are none.
    pub fn export_part(&self, keyer: &Keyer, layout: &StateLayout, done: &mut usize, into: &mut PartialGroups) -> bool {
        let mut numbers = [0; Self::PART_GROUPS];
        let numbers = &mut numbers[..Self::PART_GROUPS.min(self.len() - *done)];
        numbers.iter_mut().zip(*done as u32..).for_each(|(number, group)| *number = group);
        into.clear();
        self.export(keyer, layout, numbers, into);
        *done += numbers.len();
        !numbers.is_empty()
    }

    /// Writes to `lists[o]` the groups that partition `o` of as many as there are lists owns.
    pub fn by_owner(&self, keyer: &Keyer, lists: &mut [Vec<u32>]) {
        self.keys.by_owner(&keyer.hasher, lists);
    }

    /// Writes to `groups` what the groups of a partial are here, making new ones; nothing is merged yet.
    pub fn number(
        &mut self,
        keyer: &Keyer,
        layout: &StateLayout,
        partial: &PartialGroups,
        groups: &mut Vec<u32>,
        scratch: &mut KeyScratch,
    ) {
        groups.clear();
        groups.resize(partial.len(), 0);
        let first = &mut self.first;
        let keys = BlockKeys { layout: &keyer.layout, block: &partial.keys };
        self.keys.assign_packed(&keyer.layout, &keyer.hasher, &keys, groups, scratch, |j| first.push(partial.first[j]));
        self.states.grow(layout, self.keys.len());
    }

    /// Merges a partial of another table of the same layout; `groups` is overwritten.
    pub fn merge(
        &mut self,
        keyer: &Keyer,
        layout: &StateLayout,
        partial: &PartialGroups,
        groups: &mut Vec<u32>,
        scratch: &mut KeyScratch,
    ) {
        self.number(keyer, layout, partial, groups, scratch);
        for (&group, &place) in groups.iter().zip(&partial.first) {
            let first = &mut self.first[group as usize];
            *first = place.min(*first);
        }
        self.states.merge(layout, groups, &partial.states);
    }
}
