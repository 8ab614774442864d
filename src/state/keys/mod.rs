//! Keys packed into words, and the tables that number them.
//!
//! A key is a fixed number of 64-bit words per query ([`KeyLayout`]). Equal keys have equal words and no others have, but
//! for texts of more than 16 bytes, whose words hold hash and length and which are compared in full. NULL equals NULL, NaN
//! equals NaN, -0 equals +0.

mod domain;
mod pack;
mod slots;
mod table;
#[cfg(test)]
mod tests;

pub use domain::{DirectRows, Domain};
pub use pack::{KeyLayout, KeySource, PackedColumns};
pub use table::{BlockKeys, KeyBlock, KeyScratch, KeyTable};

use bumpalo::Bump;

use crate::batch::Column;
use crate::kernel::Simd;
use crate::kernel::hash::Hasher;
use crate::kernel::probe::BLOCK_ROWS;
use crate::kernel::scatter;
use crate::types::DataType;

/// Hashes of keys. Seeded per process, so that keys that collide cannot be chosen beforehand; owners and slots are taken
/// from different halves of one hash.
#[derive(Debug, Clone, Copy)]
pub struct KeyHasher {
    hasher: Hasher,
}

impl KeyHasher {
    /// A hasher of this seed.
    pub fn new(seed: u64) -> Self {
        Self { hasher: Hasher::new(seed) }
    }

    /// The hash of a key's words.
    #[inline(always)]
    pub fn hash(&self, words: &[u64]) -> u64 {
        self.hasher.words(words)
    }

    /// The hash of the key of a query without GROUP BY.
    pub fn global(&self) -> u64 {
        self.hash(&[])
    }

    /// The hash of a text that is too long for a key's words.
    pub fn text(&self, text: &[u8]) -> u64 {
        self.hasher.text(text)
    }

    /// Which of `owners` partitions owns the key of `hash`. Uses the lower half: tables use the upper.
    #[inline(always)]
    pub fn owner(hash: u64, owners: usize) -> usize {
        scatter::owner(hash, owners)
    }
}

/// What an operator needs to know of its keys: how they are packed, hashed and, if their domain is small, numbered.
#[derive(Debug)]
pub struct Keyer {
    /// How keys lie in words.
    pub layout: KeyLayout,
    /// Hashes keys.
    pub hasher: KeyHasher,
    domain: Domain,
}

impl Keyer {
    /// For key columns of these types.
    pub fn new(types: impl IntoIterator<Item = DataType>, hasher: KeyHasher) -> Self {
        let layout = KeyLayout::new(types);
        let domain = Domain::new(layout.fields());
        Self { layout, hasher, domain }
    }

    /// Numbers the keys of a batch, if their domain is small for tables that hold the keys of `table_rows` rows.
    pub fn index<'a>(
        &mut self,
        columns: &[Column<'a>],
        rows: usize,
        table_rows: usize,
        arena: &'a Bump,
    ) -> Option<DirectRows<'a>> {
        if columns.is_empty() { None } else { self.domain.index(columns, rows, table_rows, arena) }
    }

    /// The keys of some rows, to be found with kernels of that level.
    pub fn keys<'a>(
        &'a self,
        simd: Simd,
        columns: &'a [Column<'a>],
        rows: usize,
        selection: Option<&'a [u32]>,
    ) -> PackedColumns<'a> {
        PackedColumns { simd, layout: &self.layout, hasher: &self.hasher, columns, rows, selection }
    }

    /// The hashes of some rows' keys.
    pub fn hashes<'a>(&self, keys: &PackedColumns<'_>, arena: &'a Bump) -> &'a [u64] {
        let width = self.layout.width();
        let hashes = arena.alloc_slice_fill_copy(keys.len(), self.hasher.global());
        if width > 0 {
            let block = arena.alloc_slice_fill_copy(BLOCK_ROWS * width, 0);
            for (b, hashes) in hashes.chunks_mut(BLOCK_ROWS).enumerate() {
                let words = &mut block[..hashes.len() * width];
                keys.pack(b * BLOCK_ROWS, hashes.len(), words);
                match width {
                    2 => self.hasher.hasher.keys::<2>(keys.simd, words, hashes),
                    _ => hashes
                        .iter_mut()
                        .zip(words.chunks_exact(width))
                        .for_each(|(hash, key)| *hash = self.hasher.hash(key)),
                }
            }
        }
        hashes
    }
}
