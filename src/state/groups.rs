//! The groups of one pane: a table from key to group id, and one state row per group, all in the pane's arena.

use crate::arena::{PaneArena, PaneTable, PaneVec};
use crate::batch::{Column, ColumnBuffer};
use crate::error::Result;
use crate::kernel::Simd;
use crate::types::Sequence;

use super::{EncodedKeys, PartialGroups, StateLayout, States, decode_keys};

/// Groups and their state. Group ids are dense, in the order in which keys first came.
#[derive(Debug)]
pub struct Groups {
    table: PaneTable<u32>,
    hashes: PaneVec<u64>,
    key_ends: PaneVec<u64>,
    key_bytes: PaneVec<u8>,
    first: PaneVec<(Sequence, u32)>,
    states: States,
    /// Memory of [`Self::merge`].
    merged: Vec<u32>,
    arena: PaneArena,
}

impl Groups {
    /// No groups, in `arena`.
    pub fn new(arena: PaneArena) -> Self {
        Self {
            table: PaneTable::new_in(arena.clone()),
            hashes: PaneVec::new_in(arena.clone()),
            key_ends: PaneVec::new_in(arena.clone()),
            key_bytes: PaneVec::new_in(arena.clone()),
            first: PaneVec::new_in(arena.clone()),
            states: States::new(&arena),
            merged: Vec::new(),
            arena,
        }
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Gives the arena back, for an [`crate::arena::ArenaPool`]; everything else is gone.
    pub fn into_arena(self) -> PaneArena {
        self.arena
    }

    /// Writes the group of each key to `groups`, making new ones; `place(j)` is where the j-th row stands in the input.
    pub fn assign(
        &mut self,
        layout: &StateLayout,
        keys: &EncodedKeys<'_>,
        groups: &mut [u32],
        place: impl Fn(usize) -> (Sequence, u32),
    ) {
        for (j, group) in groups.iter_mut().enumerate() {
            *group = self.find_or_insert(keys.hashes[j], keys.get(j), || place(j));
        }
        self.states.grow(layout, self.len());
    }

    fn find_or_insert(&mut self, hash: u64, key: &[u8], place: impl FnOnce() -> (Sequence, u32)) -> u32 {
        let Self { table, hashes, key_ends, key_bytes, first, .. } = self;
        let entry = table.entry(
            hash,
            |&group| hashes[group as usize] == hash && key_of(key_ends, key_bytes, group as usize) == key,
            |&group| hashes[group as usize],
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(entry) => *entry.get(),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                let group = u32::try_from(first.len()).expect("a pane holds fewer than 2^32 groups");
                entry.insert(group);
                key_bytes.extend_from_slice(key);
                key_ends.push(key_bytes.len() as u64);
                first.push(place());
                hashes.push(hash);
                group
            }
        }
    }

    /// Makes sure that the group of the empty key is there: a query without GROUP BY has one group even without rows.
    pub fn ensure_global(&mut self, layout: &StateLayout, hash: u64) {
        self.find_or_insert(hash, &[], || (Sequence::default(), 0));
        self.states.grow(layout, self.len());
    }

    /// Takes the selected rows into the states of their groups; `arguments` has one column for each argument of the layout.
    pub fn update(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        groups: &[u32],
        selection: Option<&[u32]>,
        arguments: &[Column<'_>],
    ) {
        if self.len() == 1 && selection.is_none() {
            self.states.update_one(simd, layout, 0, groups.len(), None, arguments);
        } else {
            self.states.update(simd, layout, groups, selection, arguments);
        }
    }

    /// Takes the rows in one after another and appends, after each, the running result of its group to `out[a]`.
    pub fn update_running(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        groups: &[u32],
        selection: Option<&[u32]>,
        arguments: &[Column<'_>],
        out: &mut [ColumnBuffer],
    ) -> Result<()> {
        self.states.update_running(simd, layout, groups, selection, arguments, out)
    }

    /// Group ids in the order of first appearance in the input.
    pub fn in_order(&self, order: &mut Vec<u32>) {
        order.clear();
        order.extend(0..self.len() as u32);
        let first = &self.first;
        if !first.is_sorted() {
            order.sort_unstable_by_key(|&group| first[group as usize]);
        }
    }

    /// Where the first row of `group` stands in the input.
    pub fn first(&self, group: u32) -> (Sequence, u32) {
        self.first[group as usize]
    }

    /// Appends the key of `group` to `columns`.
    pub fn push_key(&self, group: u32, columns: &mut [ColumnBuffer]) {
        decode_keys(key_of(&self.key_ends, &self.key_bytes, group as usize), columns);
    }

    /// Appends the results of `groups` to `columns`, one per accumulator.
    pub fn push_results(&self, layout: &StateLayout, groups: &[u32], columns: &mut [ColumnBuffer]) -> Result<()> {
        self.states.finish(layout, groups, columns)
    }

    /// Copies `group` into a partial that may cross threads.
    pub fn export(&self, layout: &StateLayout, group: u32, into: &mut PartialGroups) {
        let key = key_of(&self.key_ends, &self.key_bytes, group as usize);
        into.push(self.hashes[group as usize], key, self.first[group as usize]);
        self.states.export(layout, &[group], &mut into.states);
    }

    /// The hash of `group`'s key.
    pub fn hash(&self, group: u32) -> u64 {
        self.hashes[group as usize]
    }

    /// Merges a partial of another table of the same layout.
    pub fn merge(&mut self, layout: &StateLayout, partial: &PartialGroups) {
        let mut groups = std::mem::take(&mut self.merged);
        groups.clear();
        for from in 0..partial.len() {
            let (hash, key, first) = partial.group(from);
            let group = self.find_or_insert(hash, key, || first);
            self.first[group as usize] = self.first[group as usize].min(first);
            groups.push(group);
        }
        self.states.grow(layout, self.len());
        self.states.merge(layout, &groups, &partial.states);
        self.merged = groups;
    }
}

fn key_of<'a>(ends: &[u64], bytes: &'a [u8], group: usize) -> &'a [u8] {
    let start = if group == 0 { 0 } else { ends[group - 1] };
    &bytes[start as usize..ends[group] as usize]
}
