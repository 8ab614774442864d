//! Rows to partitions: for every partition the list of its rows, all lists one after another.
//!
//! The definition is a counting sort: count, sum up, place; it is stable, so rows stay in order within a partition. For few
//! partitions it is cheaper to look for the rows of each in turn: `wide` tests 64 owners at once and lists the bits, AVX-512
//! compresses row numbers in a register. Measured on a Xeon at 2.6 GHz over 8192 random owners in L2, cycles per row for 2,
//! 4, 8 and 16 partitions: counting 4.4, 2.8, 2.5, 2.3 (pushing onto one list each costs 3); wide 0.94, 1.9 and so on; AVX-512
//! 0.26, 0.51, 1.1, 2.2. From some number of partitions on all levels count.

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::Simd;
use super::lanes::map;
use super::selection::list_word;

/// Greatest number of partitions.
pub const PARTITIONS_MAX: usize = 256;
/// Up to so many partitions, `wide` looks for the rows of each. Any value is correct.
const WIDE_PARTITIONS_MAX: usize = 5;
/// The same for AVX-512.
const AVX512_PARTITIONS_MAX: usize = 12;

/// Which of `partitions` owns each hash, a byte a row.
pub fn owners(hashes: &[u64], partitions: usize, out: &mut [u8]) {
    assert!((1..=PARTITIONS_MAX).contains(&partitions), "owners are bytes");
    map(
        hashes,
        out,
        #[inline(always)]
        |hash| owner(hash, partitions) as u8,
    );
}

/// Which of `partitions` owns a hash. Takes the lower half of it: tables use the upper.
#[inline(always)]
pub fn owner(hash: u64, partitions: usize) -> usize {
    (((hash & 0xffff_ffff) * partitions as u64) >> 32) as usize
}

/// Lists the rows of every partition: those of partition `p` are `out[starts[p]..starts[p + 1]]`, ascending in `j`, where
/// the j-th row is `rows[j]`, or `j` without `rows`, and belongs to partition `owners[j]`, which is below the number of
/// partitions: one less than `starts` has entries. `out` has as many entries as `owners`.
pub fn scatter(simd: Simd, owners: &[u8], rows: Option<&[u32]>, starts: &mut [u32], out: &mut [u32]) {
    assert!((2..=PARTITIONS_MAX + 1).contains(&starts.len()), "one start more than partitions");
    assert!(u32::try_from(owners.len()).is_ok(), "row numbers are 32-bit");
    assert_eq!(out.len(), owners.len(), "an entry for every row");
    assert!(rows.is_none_or(|rows| rows.len() == owners.len()), "an owner for every row");
    let partitions = starts.len() - 1;
    #[cfg(target_arch = "x86_64")]
    if simd.is_avx512() && partitions <= AVX512_PARTITIONS_MAX {
        // SAFETY: this level exists only where the CPU has the features that the function is compiled with.
        return in_turn(starts, out.len(), |p, filled| unsafe { avx512::list(owners, p, rows, out, filled) });
    }
    if !simd.is_scalar() && partitions <= WIDE_PARTITIONS_MAX {
        return in_turn(starts, out.len(), |p, filled| list(owners, p, rows, out, filled));
    }
    count_and_place(owners, rows, starts, out);
}

/// Lists partition after partition: `list` appends the rows of one and says how far the output is filled then.
fn in_turn(starts: &mut [u32], rows: usize, mut list: impl FnMut(u8, usize) -> usize) {
    let mut filled = 0;
    let partitions = starts.len() - 1;
    for (p, start) in starts[..partitions].iter_mut().enumerate() {
        *start = filled as u32;
        filled = list(p as u8, filled);
    }
    starts[partitions] = filled as u32;
    assert_eq!(filled, rows, "owners are below the number of partitions");
}

fn count_and_place(owners: &[u8], rows: Option<&[u32]>, starts: &mut [u32], out: &mut [u32]) {
    let partitions = starts.len() - 1;
    let mut next = [0_u32; PARTITIONS_MAX];
    for &owner in owners {
        next[owner as usize] += 1;
    }
    let mut sum = 0;
    for (start, next) in starts[..partitions].iter_mut().zip(&mut next) {
        *start = sum;
        sum += std::mem::replace(next, sum);
    }
    starts[partitions] = sum;
    assert_eq!(sum as usize, out.len(), "owners are below the number of partitions");
    for (j, &owner) in owners.iter().enumerate() {
        let place = &mut next[owner as usize];
        out[*place as usize] = rows.map_or(j as u32, |rows| rows[j]);
        *place += 1;
    }
}

fn list(owners: &[u8], partition: u8, rows: Option<&[u32]>, out: &mut [u32], mut filled: usize) -> usize {
    let (blocks, tail) = owners.as_chunks::<64>();
    let begin = filled;
    for (b, block) in blocks.iter().enumerate() {
        let mut word = 0;
        for (k, &owner) in block.iter().enumerate() {
            word |= u64::from(owner == partition) << k;
        }
        let base = (b * 64) as u32;
        filled += match out[filled..].first_chunk_mut::<72>() {
            Some(room) => list_word(word, base, room),
            None => {
                let mut room = [0; 72];
                let count = list_word(word, base, &mut room);
                out[filled..filled + count].copy_from_slice(&room[..count]);
                count
            }
        };
    }
    for (k, _) in tail.iter().enumerate().filter(|(_, owner)| **owner == partition) {
        out[filled] = (blocks.len() * 64 + k) as u32;
        filled += 1;
    }
    if let Some(rows) = rows {
        out[begin..filled].iter_mut().for_each(|slot| *slot = rows[*slot as usize]);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every level gives each partition its rows, in order, as pushing them onto one list each does.
        #[test]
        fn lists_are_those_of_pushing(
            hashes in prop::collection::vec(any::<u64>(), 0..400), partitions in prop_oneof![1usize..20, 200usize..=256],
            lopsided: bool, step in 0u32..3,
        ) {
            let hashes: Vec<u64> = hashes.into_iter().map(|hash| if lopsided && hash % 8 > 0 { 0 } else { hash }).collect();
            let rows: Vec<u32> = (0..hashes.len() as u32).map(|j| j * step + 5).collect();
            let rows = (step > 0).then_some(&rows[..]);
            let mut lists = vec![Vec::new(); partitions];
            for (j, &hash) in hashes.iter().enumerate() {
                lists[owner(hash, partitions)].push(rows.map_or(j as u32, |rows| rows[j]));
            }
            for simd in Simd::available() {
                let mut bytes = vec![0; hashes.len()];
                owners(&hashes, partitions, &mut bytes);
                let mut starts = vec![u32::MAX; partitions + 1];
                let mut out = vec![u32::MAX; hashes.len()];
                scatter(simd, &bytes, rows, &mut starts, &mut out);
                for (p, list) in lists.iter().enumerate() {
                    prop_assert_eq!(&out[starts[p] as usize..starts[p + 1] as usize], &list[..], "{} {}", simd, p);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "owners are below the number of partitions")]
    fn an_owner_that_is_none_is_refused() {
        scatter(Simd::detect(), &[2], None, &mut [0; 3], &mut [0]);
    }
}
