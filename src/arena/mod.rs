//! Memory freed whole: the arena that the state of a pane lives in.
//!
//! A [`PaneArena`] is a cloneable handle to one allocator. Hash tables and vectors of a pane take their memory from it
//! ([`PaneVec`]). Small pieces come from a bump allocator: freeing them gives nothing back, dropping or recycling the arena
//! frees all at once. Large ones are mappings of their own, made of huge pages where the kernel has them, zero when new,
//! and grown without copying; a freed one is kept for the next large piece of any arena of the pool.
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

/// Large pieces that were freed, and the bytes that each had when it was.
#[derive(Debug, Default)]
struct Spare(RefCell<Vec<(Mapping, usize)>>);

impl Spare {
    fn bytes(&self) -> usize {
        self.0.borrow().iter().map(|(_, bytes)| bytes).sum()
    }

    fn give(&self, mapping: Mapping, bytes: usize) {
        self.0.borrow_mut().push((mapping, bytes));
    }

    /// A mapping of `bytes`, whole huge pages, and whether it is all zero.
    fn take(&self, bytes: usize) -> Result<(Mapping, bool), AllocError> {
        let mut spare = self.0.borrow_mut();
        let best = (0..spare.len()).filter(|&i| spare[i].0.bytes() >= bytes).min_by_key(|&i| spare[i].0.bytes());
        match best {
            Some(i) => {
                let (mut mapping, _) = spare.swap_remove(i);
                mapping.truncate(bytes);
                Ok((mapping, false))
            }
            None => Mapping::new(bytes).map(|mapping| (mapping, true)).ok_or(AllocError),
        }
    }
}

/// What the handles share.
#[derive(Debug, Default)]
struct Memory {
    bump: Bump,
    spare: Rc<Spare>,
    /// Bytes of the large pieces in use. What a mapping has beyond its piece is not touched.
    large_bytes: Cell<usize>,
}

impl Memory {
    fn count_large(&self, before: usize, after: usize) {
        self.large_bytes.set(self.large_bytes.get() - before + after);
    }

    fn allocate_large(&self, layout: Layout, zeroed: bool) -> Result<NonNull<[u8]>, AllocError> {
        if layout.align() > HUGE_PAGE_BYTES {
            return Err(AllocError);
        }
        let (mapping, is_zero) = self.spare.take(mapping_bytes(layout))?;
        let (start, _) = mapping.into_raw();
        self.count_large(0, layout.size());
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

/// Bytes of the mapping that a large piece is: a power of two, so that a freed piece fits the next one of about its size,
/// and a vector grows in place half of the time. Pages that are not touched cost nothing.
fn mapping_bytes(layout: Layout) -> usize {
    layout.size().checked_next_power_of_two().unwrap_or(usize::MAX).max(HUGE_PAGE_BYTES)
}

/// The mapping that a large piece is.
///
/// # Safety
/// `ptr` must be a large piece of this layout that an arena handed out and that its holder gives up.
unsafe fn mapping_of(ptr: NonNull<u8>, layout: Layout) -> Mapping {
    // SAFETY: `allocate_large` and `grow` give up mappings of exactly this length.
    unsafe { Mapping::from_raw(ptr, mapping_bytes(layout)) }
}

/// A handle to one allocator.
#[derive(Debug, Clone, Default)]
pub struct PaneArena {
    memory: Rc<Memory>,
}

impl PaneArena {
    /// Bytes of the pieces that are in use, and of what was taken for small ones.
    pub fn held_bytes(&self) -> usize {
        self.memory.bump.allocated_bytes() + self.memory.large_bytes.get()
    }

    /// Bytes taken from the system for small pieces, and for large ones of its pool that were freed.
    #[cfg(test)]
    fn reserved_bytes(&self) -> usize {
        self.memory.bump.allocated_bytes() + self.memory.spare.bytes()
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
            self.memory.count_large(layout.size(), 0);
            self.memory.spare.give(mapping, layout.size());
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
            return match mapping.grow(mapping_bytes(new)) {
                Ok(mapping) => {
                    self.memory.count_large(old.size(), new.size());
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
    spare: Rc<Spare>,
}

impl ArenaPool {
    /// Emptied arenas kept, whatever they hold; more are returned to the system. Any value is correct.
    const KEPT_MAX: usize = 16;
    /// Emptied arenas kept that hold little: short panes are many. Any value is correct.
    const SMALL_KEPT_MAX: usize = 1024;
    /// What is little, in bytes. Any value is correct.
    const SMALL_BYTES: usize = 16 << 10;

    /// An empty arena.
    pub fn take(&mut self) -> PaneArena {
        let fresh = || Memory { spare: Rc::clone(&self.spare), ..Memory::default() };
        self.free.pop().unwrap_or_else(|| PaneArena { memory: Rc::new(fresh()) })
    }

    /// Bytes of the arenas and large pieces that wait.
    pub fn held_bytes(&self) -> usize {
        self.free.iter().map(PaneArena::held_bytes).sum::<usize>() + self.spare.bytes()
    }

    /// Empties an arena and keeps it, if this is its only handle (else it is freed when the last one goes).
    pub fn give(&mut self, mut arena: PaneArena) {
        let is_small = arena.memory.bump.allocated_bytes() <= Self::SMALL_BYTES;
        if self.free.len() < if is_small { Self::SMALL_KEPT_MAX } else { Self::KEPT_MAX }
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
        assert!(pool.held_bytes() <= held + bytes && pool.held_bytes() >= bytes);
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

    #[test]
    fn arenas_of_a_pool_use_the_large_pieces_of_each_other() {
        let mut pool = ArenaPool::default();
        let (one, two) = (pool.take(), pool.take());
        let large = |arena: &PaneArena| PaneVec::<u64>::with_capacity_in(1 << 20, arena.clone());
        let address = large(&one).as_ptr();
        assert_eq!(one.reserved_bytes(), 8 << 20);
        let again = large(&two);
        assert_eq!((again.as_ptr(), two.reserved_bytes()), (address, 0));
    }
}
