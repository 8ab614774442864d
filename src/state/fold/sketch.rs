//! APPROX_COUNT_DISTINCT: HyperLogLog++ (Heule, Nunkesser, Hall 2013) with the estimator of Ertl (2017), which needs no
//! tables of corrections.
//!
//! Up to 256 distinct hashes of a group are kept as they are, of 25 bits each, and counted: exact but for one in 100,000. More
//! become 4096 registers of a byte: a standard error of 1.6 %. Which of the two it is, and every register, follow from the set of
//! values alone, and so does the estimate: neither order nor merging shows. The hash is the same on every host.
//!
//! Written here because crates keep registers of their own on the heap, where no limit of memory sees them, or count in a
//! way that depends on the order of rows.

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, ColumnBuffer, Values};
use crate::error::Result;
use crate::kernel::Simd;
use crate::kernel::hash::Hasher;

use super::tuple::encode;
use super::{FoldBlock, FoldRows, FoldStates, Reading, not_kept};

/// Bits that pick the register.
const REGISTER_BITS: u32 = 12;
const REGISTERS: usize = 1 << REGISTER_BITS;
/// Bits that are kept of a hash while there are few, beside the rank of the rest.
const FINE_BITS: u32 = 25;
/// Bits of a rank in an entry; a rank is at most 64 − 25 + 1.
const RANK_BITS: u32 = 6;
/// Greatest rank of a register: all bits behind those that pick it are zero.
const RANK_MAX: usize = 64 - REGISTER_BITS as usize + 1;
/// Entries of a group in its first, second and third block; then come registers.
const FEW: [usize; 3] = [16, 64, 256];
/// 32-bit words of each kind of block.
const WORDS: [usize; 4] = [FEW[0], FEW[1], FEW[2], REGISTERS / 4];
/// The kind of block that is registers.
const DENSE: u8 = 3;
/// The seed of the hash: part of the result.
const SEED: u64 = 0x5bd1_e995_9e37_79b9;

/// What a group has.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Kind of its block.
    kind: u8,
    /// Entries in it, ascending by their fine bits.
    entries: u16,
    /// Number of the block among those of its kind; none while there is no entry.
    block: Option<u32>,
}

const NOTHING: Held = Held { kind: 0, entries: 0, block: None };

/// Blocks of one kind, and those that are free.
struct Blocks {
    words: PaneVec<u32>,
    free: PaneVec<u32>,
}

pub(super) struct Sketches {
    argument: usize,
    hasher: Hasher,
    held: PaneVec<Held>,
    blocks: [Blocks; 4],
}

impl Sketches {
    pub(super) fn new(argument: usize, arena: &PaneArena) -> Self {
        let blocks = || Blocks { words: PaneVec::new_in(arena.clone()), free: PaneVec::new_in(arena.clone()) };
        Self {
            argument,
            hasher: Hasher::new(SEED),
            held: PaneVec::new_in(arena.clone()),
            blocks: [blocks(), blocks(), blocks(), blocks()],
        }
    }

    fn hash(&self, column: &Column<'_>, i: usize) -> u64 {
        match column.values {
            Values::Utf8(_) | Values::Dictionary { .. } => self.hasher.text(column.text(i)),
            Values::Int128(_) => self.hasher.words(&encode(column, i)),
            _ => self.hasher.words(&encode(column, i)[..1]),
        }
    }

    /// A block of a kind, all zero.
    fn take_block(&mut self, kind: u8) -> u32 {
        let (blocks, words) = (&mut self.blocks[kind as usize], WORDS[kind as usize]);
        match blocks.free.pop() {
            Some(block) => {
                blocks.words[block as usize * words..][..words].fill(0);
                block
            }
            None => {
                let block = blocks.words.len() / words;
                blocks.words.resize(blocks.words.len() + words, 0);
                block as u32
            }
        }
    }

    /// The words in use of a group's block.
    fn words(&self, group: u32) -> &[u32] {
        let Held { kind, entries, block } = self.held[group as usize];
        let Some(block) = block else { return &[] };
        let words = WORDS[kind as usize];
        let used = if kind == DENSE { words } else { entries as usize };
        &self.blocks[kind as usize].words[block as usize * words..][..used]
    }

    /// Takes an entry in.
    fn add(&mut self, group: u32, entry: u32) {
        let Held { kind, entries, block } = self.held[group as usize];
        if let (DENSE, Some(block)) = (kind, block) {
            let words = &mut self.blocks[DENSE as usize].words[block as usize * WORDS[DENSE as usize]..];
            return raise(words, register_of(entry));
        }
        let fine = |entry: u32| entry >> RANK_BITS;
        match self.words(group).binary_search_by_key(&fine(entry), |&known| fine(known)) {
            Ok(at) => {
                let block = block.expect("there is an entry");
                let known = &mut self.blocks[kind as usize].words[block as usize * WORDS[kind as usize] + at];
                *known = entry.max(*known);
            }
            Err(at) => {
                let full = block.is_some() && entries as usize == WORDS[kind as usize];
                if full || block.is_none() {
                    self.widen(group);
                    if full && self.held[group as usize].kind == DENSE {
                        return self.add(group, entry);
                    }
                }
                let Held { kind, entries, block } = &mut self.held[group as usize];
                let start = block.expect("it was just made") as usize * WORDS[*kind as usize];
                let words = &mut self.blocks[*kind as usize].words[start..][..WORDS[*kind as usize]];
                words.copy_within(at..*entries as usize, at + 1);
                words[at] = entry;
                *entries += 1;
            }
        }
    }

    /// Gives a group its first block, or moves what it has to one of the next kind.
    fn widen(&mut self, group: u32) {
        let before = self.held[group as usize];
        let kind = before.kind + u8::from(before.block.is_some());
        let block = self.take_block(kind);
        self.held[group as usize] = Held { kind, entries: before.entries, block: Some(block) };
        let Some(old) = before.block else { return };
        let count = before.entries as usize;
        let mut entries = [0; FEW[2]];
        let start = old as usize * WORDS[before.kind as usize];
        entries[..count].copy_from_slice(&self.blocks[before.kind as usize].words[start..][..count]);
        self.blocks[before.kind as usize].free.push(old);
        let words = &mut self.blocks[kind as usize].words[block as usize * WORDS[kind as usize]..];
        if kind == DENSE {
            entries[..count].iter().for_each(|&entry| raise(words, register_of(entry)));
        } else {
            words[..count].copy_from_slice(&entries[..count]);
        }
    }

    /// Takes a register in.
    fn add_register(&mut self, group: u32, register: usize, rank: u8) {
        while self.held[group as usize].kind != DENSE {
            self.widen(group);
        }
        let Held { block, .. } = self.held[group as usize];
        let start = block.expect("there are registers") as usize * WORDS[DENSE as usize];
        raise(&mut self.blocks[DENSE as usize].words[start..], (register, rank));
    }

    fn estimate(&self, group: u32) -> i64 {
        match self.held[group as usize] {
            Held { kind: DENSE, .. } => estimate(self.words(group)),
            Held { entries, .. } => i64::from(entries),
        }
    }
}

/// The entry of a hash: its first bits, and the rank of the others.
fn entry_of(hash: u64) -> u32 {
    let rest = hash << FINE_BITS;
    let rank = rest.leading_zeros().min(64 - FINE_BITS) + 1;
    ((hash >> (64 - FINE_BITS)) as u32) << RANK_BITS | rank
}

/// The register of an entry, and its rank.
fn register_of(entry: u32) -> (usize, u8) {
    const BETWEEN: u32 = FINE_BITS - REGISTER_BITS;
    let (fine, rank) = (entry >> RANK_BITS, entry & ((1 << RANK_BITS) - 1));
    let between = fine & ((1 << BETWEEN) - 1);
    let rank = if between == 0 { BETWEEN + rank } else { between.leading_zeros() - (32 - BETWEEN) + 1 };
    ((fine >> BETWEEN) as usize, rank as u8)
}

/// Registers lie four in a word.
fn raise(words: &mut [u32], (register, rank): (usize, u8)) {
    let mut bytes = words[register / 4].to_le_bytes();
    bytes[register % 4] = rank.max(bytes[register % 4]);
    words[register / 4] = u32::from_le_bytes(bytes);
}

/// Ertl's estimate ("New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6).
fn estimate(words: &[u32]) -> i64 {
    let mut counts = [0_u32; RANK_MAX + 1];
    words.iter().flat_map(|word| word.to_le_bytes()).for_each(|rank| counts[usize::from(rank)] += 1);
    let registers = REGISTERS as f64;
    let mut sum = registers * tau(1.0 - f64::from(counts[RANK_MAX]) / registers);
    for &count in counts[1..RANK_MAX].iter().rev() {
        sum = 0.5 * (sum + f64::from(count));
    }
    sum += registers * sigma(f64::from(counts[0]) / registers);
    (registers * registers / (2.0 * std::f64::consts::LN_2 * sum)).round() as i64
}

fn sigma(mut x: f64) -> f64 {
    let (mut y, mut z) = (1.0, x);
    if x == 1.0 {
        return f64::INFINITY;
    }
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

impl FoldStates for Sketches {
    fn clear(&mut self) {
        self.held.clear();
        for blocks in &mut self.blocks {
            blocks.words.clear();
            blocks.free.clear();
        }
    }

    fn grow(&mut self, groups: usize) {
        self.held.resize(groups, NOTHING);
    }

    fn reset(&mut self, group: u32) {
        let Held { kind, block, .. } = std::mem::replace(&mut self.held[group as usize], NOTHING);
        if let Some(block) = block {
            self.blocks[kind as usize].free.push(block);
        }
    }

    fn update(&mut self, _: Simd, rows: FoldRows<'_>, arguments: &[Column<'_>]) {
        let column = &arguments[self.argument];
        for (group, i) in rows.iter().filter(|&(_, i)| column.is_valid(i)) {
            self.add(group, entry_of(self.hash(column, i)));
        }
    }

    fn export(&self, groups: &[u32], into: &mut FoldBlock) {
        for &group in groups {
            let words = self.words(group);
            into.counts.push(words.len() as u32);
            into.words.extend(words.iter().map(|&word| u64::from(word)));
        }
    }

    fn merge(&mut self, groups: &[u32], from: &FoldBlock) {
        let mut rest = &from.words[..];
        for (&group, &count) in groups.iter().zip(&from.counts) {
            let (words, others) = rest.split_at(count as usize);
            rest = others;
            if words.len() < WORDS[DENSE as usize] {
                words.iter().for_each(|&word| self.add(group, word as u32));
                continue;
            }
            let ranks = words.iter().flat_map(|&word| (word as u32).to_le_bytes());
            for (register, rank) in ranks.enumerate().filter(|&(_, rank)| rank > 0) {
                self.add_register(group, register, rank);
            }
        }
    }

    fn finish(&self, reading: Reading, groups: &[u32], out: &mut ColumnBuffer) -> Result<()> {
        if reading != Reading::Estimate {
            not_kept(reading);
        }
        out.extend_int64(groups.iter().map(|&group| self.estimate(group)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry says the same as its hash of which register rises how far.
    #[test]
    fn entries_keep_what_registers_need() {
        for i in 0..200_000_u64 {
            // Hashes with long runs of zeros, which random ones never show.
            let hash = Hasher::new(1).words(&[i]) & (u64::MAX << (i % 60)) & !(u64::MAX >> (i % 50) >> 12 << (i % 40));
            let rank = ((hash << REGISTER_BITS).leading_zeros() as usize + 1).min(RANK_MAX) as u8;
            assert_eq!(register_of(entry_of(hash)), ((hash >> (64 - REGISTER_BITS)) as usize, rank), "{hash:x}");
        }
    }

    #[test]
    fn estimates_are_within_their_error() {
        for count in [1_u64, 10, 17, 65, 256, 257, 1000, 10_000, 100_000, 1_000_000] {
            let mut sketches = Sketches::new(0, &PaneArena::default());
            sketches.grow(1);
            (0..count).for_each(|i| sketches.add(0, entry_of(sketches.hasher.words(&[i ^ SEED]))));
            let (found, expected) = (sketches.estimate(0) as f64, count as f64);
            let error = if count <= 256 { 0.0 } else { 5.0 * 0.0163 };
            assert!((found - expected).abs() <= error * expected, "{found} for {count}");
        }
    }
}
