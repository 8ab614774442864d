//! The rows of one partition of OVER, as far as they are still looked at.

use std::collections::VecDeque;

/// A row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Where its values stand.
    pub(super) slot: u32,
    /// Number of its group of equal rows in the partition, from 0.
    pub(super) group: u64,
    /// Number of the group's first row.
    pub(super) first: u64,
}

/// A partition. Rows have numbers from 0 in its order.
#[derive(Debug, Default)]
pub(super) struct Partition {
    entries: VecDeque<Entry>,
    /// Number of the first entry.
    base: u64,
    /// The row that is answered next.
    pub(super) next: u64,
    /// Event time of the last row, where that counts.
    pub(super) time: i64,
    /// No row will follow.
    pub(super) ended: bool,
    /// Slots of the first rows, as many as frames that start with the partition look at.
    pub(super) head: Vec<u32>,
    /// For each running aggregate the number of rows that it has taken in.
    pub(super) folded: Vec<u64>,
}

impl Partition {
    /// Rows so far.
    pub(super) fn total(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// Whether all rows are answered and none will follow.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.next == self.total()
    }

    /// The last row.
    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// Row `number`, which must still be there.
    pub(super) fn entry(&self, number: u64) -> &Entry {
        &self.entries[(number - self.base) as usize]
    }

    /// The slot of row `number`: one of the first, or one that is still there.
    pub(super) fn slot(&self, number: u64) -> u32 {
        self.head.get(number as usize).copied().unwrap_or_else(|| self.entry(number).slot)
    }

    /// The slots of some rows that are still there.
    pub(super) fn slots(&self, from: u64, to: u64) -> impl Iterator<Item = u32> {
        self.entries.range((from - self.base) as usize..(to - self.base) as usize).map(|entry| entry.slot)
    }

    /// The number of the first row of which `before` is false. Rows that are gone count as before.
    pub(super) fn find(&self, before: impl Fn(&Entry) -> bool) -> u64 {
        self.base + self.entries.partition_point(before) as u64
    }

    /// Appends a row, which equals the last one or begins a new group.
    pub(super) fn push(&mut self, slot: u32, equal: bool, head: usize) {
        let number = self.total();
        let entry = match self.entries.back() {
            Some(last) if equal => Entry { slot, ..*last },
            Some(last) => Entry { slot, group: last.group + 1, first: number },
            None => Entry { slot, group: 0, first: 0 },
        };
        self.entries.push_back(entry);
        if self.head.len() < head && number == self.head.len() as u64 {
            self.head.push(slot);
        }
    }

    /// Forgets rows before `keep`, but never the last one, to which the next is compared. Returns how many slots are free
    /// now.
    pub(super) fn forget(&mut self, keep: u64) -> usize {
        let mut free = 0;
        while self.base < keep && self.entries.len() > 1 {
            self.entries.pop_front();
            free += usize::from(self.base >= self.head.len() as u64);
            self.base += 1;
        }
        free
    }

    /// Slots in use.
    pub(super) fn used(&self) -> usize {
        let apart = self.head.len().min(self.base as usize);
        apart + self.entries.len()
    }

    /// Calls `f` with every slot in use, some of them twice.
    pub(super) fn for_each_slot(&mut self, mut f: impl FnMut(&mut u32)) {
        self.head.iter_mut().for_each(&mut f);
        self.entries.iter_mut().for_each(|entry| f(&mut entry.slot));
    }

    /// Bytes held for each row.
    pub(super) const ROW_BYTES: usize = size_of::<Entry>();
}
