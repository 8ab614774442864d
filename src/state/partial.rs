//! Groups on their way to the partition that owns their keys: plain vectors, which may cross threads.

use super::keys::KeyBlock;
use super::states::StateBlock;
use crate::types::Sequence;

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

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Drops all groups, keeps the memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.first.clear();
        self.states.clear();
    }
}
