//! Memory freed whole: the arena that the state of a pane lives in.
//!
//! A [`PaneArena`] is a cloneable handle to one allocator. Hash tables and vectors of a pane take their memory from it
//! ([`PaneVec`]). Small pieces come from a bump allocator: freeing them gives nothing back, dropping or recycling the arena
//! frees all at once. Large ones are mappings of their own, made of huge pages where the kernel has them, zero when new,
//! and grown without copying; a freed one is kept for the arena's next large piece.
//!
//! Promises: the memory outlives every handle; an arena whose handles are all gone but one can be emptied and used
//! again without returning its memory to the system ([`ArenaPool`]). An arena stays on the thread that made it
//! (it is not `Send`), so memory is first touched by its owner.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;

use allocator_api2::alloc::{AllocError, Allocator};
use bumpalo::Bump;

use crate::sys::{HUGE_PAGE_BYTES, Mapping};

/// A vector in a pane's arena.
pub type PaneVec<T> = allocator_api2::vec::Vec<T, PaneArena>;

/// From this size on a piece is a mapping of its own. Half of a huge page: a smaller piece would waste more than it uses.
const LARGE_BYTES: usize = HUGE_PAGE_BYTES / 2;

/// What the handles share.
#[derive(Debug, Default)]
struct Memory {
    bump: Bump,
    /// Large pieces that were freed.
    spare: RefCell<Vec<Mapping>>,
    /// Bytes of all large pieces, freed or not.
    mapped_bytes: Cell<usize>,
}

impl Memory {
    /// A mapping of `bytes`, rounded up to whole huge pages, and whether it is all zero.
    fn map(&self, bytes: usize) -> Result<(Mapping, bool), AllocError> {
        let mut spare = self.spare.borrow_mut();
        let best = (0..spare.len()).filter(|&i| spare[i].bytes() >= bytes).min_by_key(|&i| spare[i].bytes());
        match best {
            Some(i) => {
                let mut mapping = spare.swap_remove(i);
                let before = mapping.bytes();
                mapping.truncate(bytes);
                self.mapped_bytes.set(self.mapped_bytes.get() - before + mapping.bytes());
                Ok((mapping, false))
            }
            None => {
                let mapping = Mapping::new(bytes).ok_or(AllocError)?;
                self.mapped_bytes.set(self.mapped_bytes.get() + mapping.bytes());
                Ok((mapping, true))
            }
        }
    }

    fn allocate_large(&self, layout: Layout, zeroed: bool) -> Result<NonNull<[u8]>, AllocError> {
        if layout.align() > HUGE_PAGE_BYTES {
            return Err(AllocError);
        }
        let (mapping, is_zero) = self.map(layout.size())?;
        let (start, _) = mapping.into_raw();
        if zeroed && !is_zero {
            // SAFETY: the mapping is at least that long and nobody else has it.
            unsafe { start.write_bytes(0, layout.size()) };
        }
        Ok(NonNull::slice_from_raw_parts(start, layout.size()))
    }
}

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE_BYTES
}

/// The mapping that a large piece is: as long as the piece, rounded up to whole huge pages.
///
/// # Safety
/// `ptr` must be a large piece of this layout that an arena handed out and that its holder gives up.
unsafe fn mapping_of(ptr: NonNull<u8>, layout: Layout) -> Mapping {
    // SAFETY: `allocate_large` and `grow` give up mappings of exactly this length.
    unsafe { Mapping::from_raw(ptr, layout.size().next_multiple_of(HUGE_PAGE_BYTES)) }
}

/// A handle to one allocator.
#[derive(Debug, Clone, Default)]
pub struct PaneArena {
    memory: Rc<Memory>,
}

impl PaneArena {
    /// Bytes taken from the system, in use or not.
    pub fn held_bytes(&self) -> usize {
        self.memory.bump.allocated_bytes() + self.memory.mapped_bytes.get()
    }

    /// Bytes taken from the system for small pieces and for large ones that were freed.
    pub fn reserved_bytes(&self) -> usize {
        self.memory.bump.allocated_bytes() + self.memory.spare.borrow().iter().map(Mapping::bytes).sum::<usize>()
    }
}

// SAFETY: small pieces come from the bump allocator, which stays at one address inside the `Rc` and lives as long as any
// handle; clones share it, so any of them may free or grow what another allocated. The allocator is never reset while
// a second handle exists (`ArenaPool::give` demands the only one). Large pieces are mappings that stay until they are
// freed; then they lie in `spare`, of which each is handed out once. Which of the two a piece is follows from its layout.
unsafe impl Allocator for PaneArena {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if is_large(layout) { self.memory.allocate_large(layout, false) } else { (&self.memory.bump).allocate(layout) }
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if is_large(layout) {
            self.memory.allocate_large(layout, true)
        } else {
            (&self.memory.bump).allocate_zeroed(layout)
        }
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        if is_large(layout) {
            // SAFETY: the caller says that `ptr` came from this allocator with this layout.
            let mapping = unsafe { mapping_of(ptr, layout) };
            self.memory.spare.borrow_mut().push(mapping);
        } else {
            // SAFETY: as above.
            unsafe { (&self.memory.bump).deallocate(ptr, layout) }
        }
    }

    unsafe fn grow(&self, ptr: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if !is_large(new) {
            // SAFETY: the caller says that `ptr` came from this allocator with layout `old`, and that `new` is not smaller.
            return unsafe { (&self.memory.bump).grow(ptr, old, new) };
        }
        if is_large(old) && new.align() <= HUGE_PAGE_BYTES {
            // SAFETY: as above.
            let mapping = unsafe { mapping_of(ptr, old) };
            let before = mapping.bytes();
            return match mapping.grow(new.size()) {
                Ok(mapping) => {
                    let mapped_bytes = &self.memory.mapped_bytes;
                    mapped_bytes.set(mapped_bytes.get() - before + mapping.bytes());
                    Ok(NonNull::slice_from_raw_parts(mapping.into_raw().0, new.size()))
                }
                Err(unchanged) => {
                    // The piece stays its holder's.
                    unchanged.into_raw();
                    Err(AllocError)
                }
            };
        }
        let grown = self.allocate(new)?;
        // SAFETY: the old piece is `old.size()` bytes, the new one is longer, and they do not overlap.
        unsafe { grown.cast::<u8>().copy_from_nonoverlapping(ptr, old.size()) };
        // SAFETY: the caller gives the old piece up.
        unsafe { self.deallocate(ptr, old) };
        Ok(grown)
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

    /// Bytes of the arenas that wait.
    pub fn held_bytes(&self) -> usize {
        self.free.iter().map(PaneArena::held_bytes).sum()
    }

    /// Empties an arena and keeps it, if this is its only handle (else it is freed when the last one goes).
    pub fn give(&mut self, mut arena: PaneArena) {
        if self.free.len() < Self::KEPT_MAX
            && let Some(memory) = Rc::get_mut(&mut arena.memory)
        {
            memory.bump.reset();
            self.free.push(arena);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_live_in_the_arena_and_it_is_reused() {
        let mut pool = ArenaPool::default();
        let arena = pool.take();
        let mut small: PaneVec<u64> = PaneVec::new_in(arena.clone());
        let mut large: PaneVec<u64> = PaneVec::new_in(arena.clone());
        for i in 0..10_000_u64 {
            small.push(i);
            (0..100).for_each(|j| large.push(i * 100 + j));
        }
        assert!(arena.reserved_bytes() >= 80_000);
        assert!(arena.held_bytes() >= 8_080_000 && arena.held_bytes() < 40_000_000, "{}", arena.held_bytes());
        assert_eq!(small.iter().sum::<u64>(), 49_995_000);
        assert!(large.iter().enumerate().all(|(i, &value)| value == i as u64), "growing keeps what was there");
        let bytes = large.capacity() * 8;
        drop((small, large));
        let held = arena.held_bytes();
        pool.give(arena);
        assert!(pool.held_bytes() <= held && pool.held_bytes() >= bytes);
        let arena = pool.take();
        let kept = arena.reserved_bytes();
        assert!(kept >= bytes, "the memory was kept");
        let mut zeroed: PaneVec<u64> = PaneVec::new_in(arena.clone());
        zeroed.resize(bytes / 8, 7);
        assert!(arena.reserved_bytes() <= kept - bytes, "the large piece was used again");
        drop(zeroed);
        let layout = Layout::array::<u64>(bytes / 8).unwrap();
        let piece = arena.allocate_zeroed(layout).unwrap();
        // SAFETY: the piece is that long, zeroed, and nobody else has it.
        assert!(unsafe { piece.as_ref() }.iter().all(|byte| *byte == 0), "a used piece is zeroed again");
        // SAFETY: it came from this arena with this layout.
        unsafe { arena.deallocate(piece.cast(), layout) };
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
