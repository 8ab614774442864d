//! Memory freed whole: the arena that the state of a pane lives in.
//!
//! A [`PaneArena`] is a cloneable handle to one bump allocator. Hash tables and vectors of a pane take their memory from
//! it ([`PaneVec`], [`PaneTable`]); freeing them gives nothing back, dropping or recycling the arena frees all at once.
//!
//! Promises: the memory outlives every handle; an arena whose handles are all gone but one can be emptied and used
//! again without returning its largest piece to the system ([`ArenaPool`]). An arena stays on the thread that made it
//! (it is not `Send`), so memory is first touched by its owner.
//!
//! Cost: growing a vector leaves its old memory behind unless it was the last thing allocated, so a pane takes at most
//! twice what its vectors hold.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::rc::Rc;

use allocator_api2::alloc::{AllocError, Allocator};
use bumpalo::Bump;

/// A vector in a pane's arena.
pub type PaneVec<T> = allocator_api2::vec::Vec<T, PaneArena>;
/// A hash table in a pane's arena.
pub type PaneTable<T> = hashbrown::HashTable<T, PaneArena>;

/// A handle to one bump allocator.
#[derive(Debug, Clone, Default)]
pub struct PaneArena {
    bump: Rc<Bump>,
}

impl PaneArena {
    /// Bytes taken from the system.
    pub fn reserved_bytes(&self) -> usize {
        self.bump.allocated_bytes()
    }
}

// SAFETY: memory comes from the bump allocator, which stays at one address inside the `Rc` and lives as long as any
// handle; clones share it, so any of them may free or grow what another allocated. The allocator is never reset while
// a second handle exists (`ArenaPool::give` demands the only one).
unsafe impl Allocator for PaneArena {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        (&*self.bump).allocate(layout)
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller says that `ptr` came from this allocator with this layout.
        unsafe { (&*self.bump).deallocate(ptr, layout) }
    }

    unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: as for `deallocate`; the caller says that `new` is not smaller.
        unsafe { (&*self.bump).grow(ptr, old, new) }
    }
}

/// Emptied arenas waiting to be used again.
#[derive(Debug, Default)]
pub struct ArenaPool {
    free: Vec<PaneArena>,
}

impl ArenaPool {
    /// Emptied arenas kept; more are returned to the system. Any value is correct.
    const KEPT_MAX: usize = 16;

    /// An empty arena.
    pub fn take(&mut self) -> PaneArena {
        self.free.pop().unwrap_or_default()
    }

    /// Empties an arena and keeps it, if this is its only handle (else it is freed when the last one goes).
    pub fn give(&mut self, mut arena: PaneArena) {
        if self.free.len() < Self::KEPT_MAX
            && let Some(bump) = Rc::get_mut(&mut arena.bump)
        {
            bump.reset();
            self.free.push(arena);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_and_tables_live_in_the_arena_and_it_is_reused() {
        let mut pool = ArenaPool::default();
        let arena = pool.take();
        let mut values: PaneVec<u64> = PaneVec::new_in(arena.clone());
        let mut table: PaneTable<u64> = PaneTable::new_in(arena.clone());
        for i in 0..10_000_u64 {
            values.push(i);
            table.insert_unique(i.wrapping_mul(0x9E37_79B9_7F4A_7C15), i, |i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        }
        assert!(arena.reserved_bytes() >= 80_000);
        assert_eq!(values.iter().sum::<u64>(), 49_995_000);
        assert!(table.find(7_u64.wrapping_mul(0x9E37_79B9_7F4A_7C15), |&i| i == 7).is_some());
        drop((values, table));
        pool.give(arena);
        assert!(pool.take().reserved_bytes() > 0, "the memory was kept");
    }

    #[test]
    fn an_arena_in_use_is_not_emptied() {
        let mut pool = ArenaPool::default();
        let arena = pool.take();
        let mut values: PaneVec<u64> = PaneVec::new_in(arena.clone());
        values.push(7);
        pool.give(arena);
        assert_eq!(pool.take().reserved_bytes(), 0, "a fresh arena, not the one in use");
        assert_eq!(values[0], 7);
    }
}
