//! Groups on their way to the partition that owns their keys: plain vectors, which may cross threads.

use crate::types::Sequence;

use super::states::StateBlock;

/// Some groups of a pane. Its memory is kept when it is cleared and goes back to its sender.
#[derive(Debug, Default)]
pub struct PartialGroups {
    hashes: Vec<u64>,
    key_ends: Vec<usize>,
    key_bytes: Vec<u8>,
    first: Vec<(Sequence, u32)>,
    pub(super) states: StateBlock,
}

impl PartialGroups {
    /// Number of groups.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Drops all groups, keeps the memory.
    pub fn clear(&mut self) {
        self.hashes.clear();
        self.key_ends.clear();
        self.key_bytes.clear();
        self.first.clear();
        self.states.clear();
    }

    /// Appends a group without its states.
    pub(super) fn push(&mut self, hash: u64, key: &[u8], first: (Sequence, u32)) {
        self.hashes.push(hash);
        self.key_bytes.extend_from_slice(key);
        self.key_ends.push(self.key_bytes.len());
        self.first.push(first);
    }

    /// Hash, key and first place of group `i`.
    pub(super) fn group(&self, i: usize) -> (u64, &[u8], (Sequence, u32)) {
        let start = if i == 0 { 0 } else { self.key_ends[i - 1] };
        (self.hashes[i], &self.key_bytes[start..self.key_ends[i]], self.first[i])
    }
}
