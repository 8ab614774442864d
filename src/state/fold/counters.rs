//! APPROX_PERCENTILE: counters of values by their size, after DDSketch (Masson, Rim, Lee, "DDSketch: a fast and
//! fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019), with buckets taken from the bits of a DOUBLE.
//!
//! A bucket holds the values that have the sign, the exponent and the first seven bits of the mantissa in common: 128 buckets
//! for each power of two, so that two values of one are less than 0.8 % apart. A bucket keeps its least and its greatest value and
//! how many there are; a percentile is found by counting, and between the two ends of its bucket by the share of its rank.
//! So values that are alone in their bucket, and the least and the greatest of all, are exact.
//!
//! Least, greatest and count follow from the set of values alone: neither order nor merging shows, down to the last bit. No
//! bucket is ever given up for space, as the paper does with the least ones: 24 bytes each, there are as many as the values
//! need, and `memory_limit` counts them. 0 has a bucket of its own with what is below 10^-307; an infinity and NaN have theirs.
//!
//! Written here because crates keep their counters on the heap, where no limit of memory sees them, give least buckets up, or find
//! buckets by a logarithm, which differs between libraries. A value costs a binary search among the buckets of its group.

use std::cell::RefCell;

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, ColumnBuffer};
use crate::error::Result;
use crate::kernel::Simd;

use super::tuple::{FoldField, TupleLayout};
use super::{FoldBlock, FoldRows, FoldStates, Reading, between, not_kept};

/// Bits of an encoded DOUBLE that do not show in its bucket.
const FINE_BITS: u32 = 52 - 7;
/// Words of a bucket: its least value, its greatest, their number.
const WIDTH: usize = 3;
/// Buckets in the first kind of block; each next kind has twice as many.
const FIRST: usize = 4;
/// Kinds of blocks: the last one holds all buckets that there are.
const KINDS: usize = 18;

/// What a group has.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Kind of its block.
    kind: u8,
    /// Buckets in it, ascending.
    buckets: u32,
    /// Number of the block among those of its kind; none while there is no bucket.
    block: Option<u32>,
}

const NOTHING: Held = Held { kind: 0, buckets: 0, block: None };

/// Blocks of one kind, and those that are free.
struct Blocks {
    words: PaneVec<u64>,
    free: PaneVec<u32>,
}

pub(super) struct Counters {
    layout: TupleLayout,
    held: PaneVec<Held>,
    blocks: [Blocks; KINDS],
    scratch: RefCell<Vec<u64>>,
}

fn words_of(kind: u8) -> usize {
    WIDTH * (FIRST << kind)
}

/// The bucket of an encoded DOUBLE.
fn bucket_of(word: u64) -> u64 {
    word >> FINE_BITS
}

impl Counters {
    /// `field` is a DOUBLE.
    pub(super) fn new(field: FoldField, arena: &PaneArena) -> Self {
        let layout = TupleLayout::new(&[field]);
        assert!(layout.is_one_number(), "the planner casts to DOUBLE");
        let blocks = || Blocks { words: PaneVec::new_in(arena.clone()), free: PaneVec::new_in(arena.clone()) };
        Self {
            layout,
            held: PaneVec::new_in(arena.clone()),
            blocks: std::array::from_fn(|_| blocks()),
            scratch: RefCell::default(),
        }
    }

    /// The words in use of a group's block.
    fn words(&self, group: u32) -> &[u64] {
        let Held { kind, buckets, block } = self.held[group as usize];
        let Some(block) = block else { return &[] };
        &self.blocks[kind as usize].words[block as usize * words_of(kind)..][..buckets as usize * WIDTH]
    }

    /// The words of a group's block, those that are not in use too.
    fn block_mut(&mut self, group: u32) -> &mut [u64] {
        let Held { kind, block, .. } = self.held[group as usize];
        let Some(block) = block else { return &mut [] };
        let words = words_of(kind);
        &mut self.blocks[kind as usize].words[block as usize * words..][..words]
    }

    /// Takes `count` values in, of one bucket.
    fn add(&mut self, group: u32, [least, greatest, count]: [u64; WIDTH]) {
        let bucket = bucket_of(least);
        let (buckets, _) = self.words(group).as_chunks::<WIDTH>();
        match buckets.binary_search_by_key(&bucket, |known| bucket_of(known[0])) {
            Ok(at) => {
                let known = &mut self.block_mut(group)[at * WIDTH..][..WIDTH];
                known[0] = known[0].min(least);
                known[1] = known[1].max(greatest);
                known[2] += count;
            }
            Err(at) => {
                let used = buckets.len() * WIDTH;
                if used == self.block_mut(group).len() {
                    self.widen(group);
                }
                let words = self.block_mut(group);
                words.copy_within(at * WIDTH..used, (at + 1) * WIDTH);
                words[at * WIDTH..][..WIDTH].copy_from_slice(&[least, greatest, count]);
                self.held[group as usize].buckets += 1;
            }
        }
    }

    /// Gives a group its first block, or moves what it has to one of twice the size.
    fn widen(&mut self, group: u32) {
        let before = self.held[group as usize];
        let kind = before.kind + u8::from(before.block.is_some());
        let mut words = std::mem::take(self.scratch.get_mut());
        words.clear();
        words.extend_from_slice(self.words(group));
        let blocks = &mut self.blocks[kind as usize];
        let block = blocks.free.pop().unwrap_or_else(|| {
            let block = blocks.words.len() / words_of(kind);
            blocks.words.resize(blocks.words.len() + words_of(kind), 0);
            block as u32
        });
        self.held[group as usize] = Held { kind, block: Some(block), ..before };
        self.block_mut(group)[..words.len()].copy_from_slice(&words);
        if let Some(old) = before.block {
            self.blocks[before.kind as usize].free.push(old);
        }
        *self.scratch.get_mut() = words;
    }

    /// The value with so many before it.
    fn at_rank(&self, buckets: &[[u64; WIDTH]], rank: u64) -> f64 {
        let mut before = 0;
        for &[least, greatest, count] in buckets {
            let own = rank - before;
            if own < count {
                let (low, high) = (self.layout.double(least), self.layout.double(greatest));
                return match own {
                    0 => low,
                    _ if own + 1 == count || least == greatest => high,
                    _ => between(low, high, own as f64 / (count - 1) as f64),
                };
            }
            before += count;
        }
        f64::NAN
    }

    fn percentile(&self, group: u32, fraction: f64, out: &mut ColumnBuffer) {
        let (buckets, _) = self.words(group).as_chunks::<WIDTH>();
        let count: u64 = buckets.iter().map(|bucket| bucket[2]).sum();
        if count == 0 {
            return out.push_null();
        }
        let place = fraction * (count - 1) as f64;
        let (rank, share) = (place as u64, place - place.floor());
        let low = self.at_rank(buckets, rank);
        let value = if share > 0.0 { between(low, self.at_rank(buckets, rank + 1), share) } else { low };
        out.push_float64(if value.is_nan() { f64::NAN } else { value });
    }
}

impl FoldStates for Counters {
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
        let mut word = [0];
        for (group, i) in rows.iter() {
            if self.layout.encode(arguments, i, &mut word) {
                self.add(group, [word[0], word[0], 1]);
            }
        }
    }

    fn export(&self, groups: &[u32], into: &mut FoldBlock) {
        for &group in groups {
            let words = self.words(group);
            into.counts.push((words.len() / WIDTH) as u32);
            into.words.extend_from_slice(words);
        }
    }

    fn merge(&mut self, groups: &[u32], from: &FoldBlock) {
        let (buckets, _) = from.words.as_chunks::<WIDTH>();
        let mut buckets = buckets.iter();
        for (&group, &count) in groups.iter().zip(&from.counts) {
            buckets.by_ref().take(count as usize).for_each(|&bucket| self.add(group, bucket));
        }
    }

    fn finish(&self, reading: Reading, groups: &[u32], out: &mut ColumnBuffer) -> Result<()> {
        let Reading::Percentile { fraction, continuous: true } = reading else { not_kept(reading) };
        groups.iter().for_each(|&group| self.percentile(group, fraction, out));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::NullRule;
    use super::*;
    use crate::kernel::compare::order_key;
    use crate::types::DataType;

    fn counters(descending: bool) -> Counters {
        let field = FoldField { argument: 0, data_type: DataType::Double, descending, nulls: NullRule::Skip };
        let mut counters = Counters::new(field, &PaneArena::default());
        counters.grow(1);
        counters
    }

    fn taken(counters: &mut Counters, values: &[f64]) {
        let mut buffer = ColumnBuffer::new(DataType::Double);
        values.iter().for_each(|&value| buffer.push_float64(value));
        let groups = vec![0; values.len()];
        counters.update(Simd::detect(), FoldRows { groups: &groups, rows: None }, &[buffer.column()]);
    }

    fn percentile(counters: &Counters, fraction: f64) -> f64 {
        let mut out = ColumnBuffer::new(DataType::Double);
        counters.finish(Reading::Percentile { fraction, continuous: true }, &[0], &mut out).unwrap();
        match out.column().values {
            crate::batch::Values::Float64(values) => values[0],
            ref other => panic!("{other:?}"),
        }
    }

    /// Over numbers of all sizes and both signs every percentile is within 0.8 % of the exact one, from either end.
    #[test]
    fn percentiles_are_within_their_error() {
        let mut seed = 7_u64;
        let mut draw = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 11) as f64 / (1_u64 << 53) as f64
        };
        for (smallest, largest) in [(1e-3, 1e3), (1.0, 2.0), (1e-150, 1e150), (0.5, 1e6)] {
            let ratio = f64::ln(largest / smallest);
            let value = |_| {
                let size = smallest * f64::exp(draw() * ratio);
                if draw() < 0.3 { -size } else { size }
            };
            let mut values: Vec<f64> = (0..20_000).map(value).collect();
            let (mut up, mut down) = (counters(false), counters(true));
            taken(&mut up, &values);
            taken(&mut down, &values);
            values.sort_by(f64::total_cmp);
            for step in 0..=1000_u32 {
                let fraction = f64::from(step) / 1000.0;
                let place = fraction * (values.len() - 1) as f64;
                let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
                let exact = low + (high - low) * place.fract();
                let allowed = low.abs().max(high.abs()) / 128.0;
                for near in [percentile(&up, fraction), percentile(&down, 1.0 - fraction)] {
                    assert!((near - exact).abs() <= allowed, "{near}, and not {exact}, at {fraction} of {largest}");
                }
            }
            assert_eq!(percentile(&up, 0.0), values[0]);
            assert_eq!(percentile(&up, 1.0), values[values.len() - 1]);
        }
    }

    /// Whole numbers up to 255 have a bucket each, and so have values that are far apart.
    #[test]
    fn few_values_and_small_whole_numbers_are_exact() {
        let mut whole = counters(false);
        let values: Vec<f64> = (-255..=255).map(f64::from).collect();
        taken(&mut whole, &values);
        for (rank, value) in values.iter().enumerate() {
            assert_eq!(percentile(&whole, rank as f64 / 510.0), *value);
        }
        let mut few = counters(false);
        taken(&mut few, &[f64::INFINITY, 3.5, f64::NAN, -0.0, f64::NEG_INFINITY]);
        let found = [0.0, 0.25, 0.5, 0.75, 1.0].map(|fraction| percentile(&few, fraction));
        assert_eq!(found[..4], [f64::NEG_INFINITY, 0.0, 3.5, f64::INFINITY]);
        assert!(found[4].is_nan());
    }

    /// All buckets that there are have a place.
    #[test]
    fn the_last_block_holds_every_bucket() {
        let encoded = |value: f64| order_key(value).cast_unsigned() ^ 1 << 63;
        let all = bucket_of(encoded(f64::NAN)) - bucket_of(encoded(f64::NEG_INFINITY)) + 1;
        assert!(all as usize <= FIRST << (KINDS - 1), "{all} buckets");
        assert!(all as usize > FIRST << (KINDS - 2), "{all} buckets");
    }
}
