//! The groups of one pane: a table from key to group id, and one state row per group, all in the pane's arena.

use crate::arena::{PaneArena, PaneTable, PaneVec};
use crate::batch::{Column, ColumnBuffer};
use crate::error::Result;
use crate::kernel::update::Rows;
use crate::types::Sequence;

use super::{EncodedKeys, PartialGroups, StateLayout, decode_keys};

/// Groups and their state. Group ids are dense, in the order in which keys first came.
#[derive(Debug)]
pub struct Groups {
    table: PaneTable<u32>,
    hashes: PaneVec<u64>,
    key_ends: PaneVec<u64>,
    key_bytes: PaneVec<u8>,
    first: PaneVec<(Sequence, u32)>,
    states: PaneVec<u64>,
    heap: PaneVec<u8>,
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
            states: PaneVec::new_in(arena.clone()),
            heap: PaneVec::new_in(arena.clone()),
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
            *group = self.find_or_insert(layout, keys.hashes[j], keys.get(j), || place(j));
        }
    }

    fn find_or_insert(
        &mut self,
        layout: &StateLayout,
        hash: u64,
        key: &[u8],
        place: impl FnOnce() -> (Sequence, u32),
    ) -> u32 {
        let Self { table, hashes, key_ends, key_bytes, first, states, .. } = self;
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
                states.resize(states.len() + layout.width, 0);
                hashes.push(hash);
                group
            }
        }
    }

    /// Makes sure that the group of the empty key is there: a query without GROUP BY has one group even without rows.
    pub fn ensure_global(&mut self, layout: &StateLayout, hash: u64) {
        self.find_or_insert(layout, hash, &[], || (Sequence::default(), 0));
    }

    /// Takes the selected rows into the states of their groups; `arguments[a]` belongs to the a-th accumulator.
    pub fn update(
        &mut self,
        layout: &StateLayout,
        groups: &[u32],
        selection: Option<&[u32]>,
        arguments: &[Option<Column<'_>>],
    ) {
        for (accumulator, argument) in layout.accumulators.iter().zip(arguments) {
            let rows = Rows { groups, selection, validity: None };
            accumulator.update(&mut self.states, &mut self.heap, rows, argument.as_ref());
        }
    }

    /// Takes the rows in one after another and appends, after each, the running result of its group to `out[a]`.
    pub fn update_running(
        &mut self,
        layout: &StateLayout,
        groups: &[u32],
        selection: Option<&[u32]>,
        arguments: &[Option<Column<'_>>],
        out: &mut [ColumnBuffer],
    ) -> Result<()> {
        for ((accumulator, argument), out) in layout.accumulators.iter().zip(arguments).zip(out) {
            for (j, &group) in groups.iter().enumerate() {
                let row = [selection.map_or(j as u32, |s| s[j])];
                let rows = Rows { groups: &[group], selection: Some(&row), validity: None };
                accumulator.update(&mut self.states, &mut self.heap, rows, argument.as_ref());
                accumulator.finish(&self.states, &self.heap, group as usize, out)?;
            }
        }
        Ok(())
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

    /// Appends the results of `group` to `columns`, one per accumulator.
    pub fn push_results(&self, layout: &StateLayout, group: u32, columns: &mut [ColumnBuffer]) -> Result<()> {
        for (accumulator, column) in layout.accumulators.iter().zip(columns) {
            accumulator.finish(&self.states, &self.heap, group as usize, column)?;
        }
        Ok(())
    }

    /// Copies `group` into a partial that may cross threads.
    pub fn export(&self, layout: &StateLayout, group: u32, into: &mut PartialGroups) {
        let group = group as usize;
        let key = key_of(&self.key_ends, &self.key_bytes, group);
        let row = &self.states[group * layout.width..(group + 1) * layout.width];
        into.push(self.hashes[group], key, self.first[group], row);
        let moved = into.len() - 1;
        for accumulator in &layout.accumulators {
            if let Some(text) = accumulator.text(&self.states, &self.heap, group) {
                accumulator.move_text(&mut into.states, moved, &mut into.heap, text);
            }
        }
    }

    /// The hash of `group`'s key.
    pub fn hash(&self, group: u32) -> u64 {
        self.hashes[group as usize]
    }

    /// Merges a partial of another table of the same layout.
    pub fn merge(&mut self, layout: &StateLayout, partial: &PartialGroups) {
        for from in 0..partial.len() {
            let (hash, key, first) = partial.group(from);
            let group = self.find_or_insert(layout, hash, key, || first) as usize;
            self.first[group] = self.first[group].min(first);
            for accumulator in &layout.accumulators {
                accumulator.merge(&mut self.states, &mut self.heap, group, &partial.states, &partial.heap, from);
            }
        }
    }
}

fn key_of<'a>(ends: &[u64], bytes: &'a [u8], group: usize) -> &'a [u8] {
    let start = if group == 0 { 0 } else { ends[group - 1] };
    &bytes[start as usize..ends[group] as usize]
}
