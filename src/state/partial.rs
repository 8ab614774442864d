//! Groups on their way to the partition that owns their keys: plain vectors, which may cross threads.

use super::StateLayout;
use super::keys::{KeyBlock, KeySource, PackedColumns};
use super::states::{StateBlock, States};
use crate::arena::PaneArena;
use crate::batch::Column;
use crate::kernel::Simd;
use crate::types::Sequence;

/// Memory of [`PartialGroups::push_rows`].
#[derive(Debug)]
pub struct RowStates {
    states: States,
    /// 0, 1, 2 and so on.
    numbers: Vec<u32>,
}

impl RowStates {
    /// For states of `layout`.
    pub fn new(layout: &StateLayout) -> Self {
        Self { states: States::new(layout, 0, &PaneArena::default()), numbers: Vec::new() }
    }
}

/// Some groups of a pane. Its memory is kept when it is cleared and goes back to its sender.
#[derive(Debug, Default)]
pub struct PartialGroups {
    pub(super) keys: KeyBlock,
    pub(super) first: Vec<(Sequence, u32)>,
    pub(super) states: StateBlock,
}

impl PartialGroups {
    /// Number of groups.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes that it holds for numbers: keys, places and states.
    pub fn held_bytes(&self) -> usize {
        let places = self.first.capacity() * size_of::<(Sequence, u32)>();
        self.keys.held_bytes() + places + self.states.held_bytes()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Appends a group for each of some rows; `arguments` are columns as long as those of the keys. `scratch` is overwritten.
    pub fn push_rows(
        &mut self,
        simd: Simd,
        layout: &StateLayout,
        keys: &PackedColumns<'_>,
        arguments: &[Column<'_>],
        place: impl Fn(usize) -> (Sequence, u32),
        scratch: &mut RowStates,
    ) {
        let count = keys.len();
        self.keys.push_rows(keys);
        self.first.extend((0..count).map(place));
        let RowStates { states, numbers } = scratch;
        numbers.extend(numbers.len() as u32..count as u32);
        states.clear();
        states.grow(layout, count);
        states.update(simd, layout, &numbers[..count], keys.selection, arguments);
        states.export(layout, &numbers[..count], &mut self.states);
    }

    /// Drops all groups, keeps the memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.first.clear();
        self.states.clear();
    }
}
