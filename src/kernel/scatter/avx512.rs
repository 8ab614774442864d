//! The rows of one partition with AVX-512: 64 owners are compared at once, rows compressed in a register.

use std::arch::x86_64::{
    _mm512_add_epi32, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_set1_epi32,
};

use super::super::selection::avx512::{append, first_rows, load_rows};

/// Appends the rows whose owner is `partition` to the `filled` entries of `out`; returns how many there are then.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn list(owners: &[u8], partition: u8, rows: Option<&[u32]>, out: &mut [u32], mut filled: usize) -> usize {
    let wanted = _mm512_set1_epi8(partition.cast_signed());
    let step = _mm512_set1_epi32(16);
    let mut numbers = first_rows();
    let (blocks, tail) = owners.as_chunks::<64>();
    for (b, block) in blocks.iter().enumerate() {
        // SAFETY: the reference covers the 64 bytes that are read; any alignment will do.
        let owners = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        let word = _mm512_cmpeq_epi8_mask(owners, wanted);
        for quarter in 0..4 {
            let named = match rows {
                Some(rows) => load_rows(rows[b * 64 + quarter * 16..].first_chunk().expect("a row for every owner")),
                None => numbers,
            };
            filled = append(named, (word >> (16 * quarter)) as u16, out, filled);
            numbers = _mm512_add_epi32(numbers, step);
        }
    }
    for (k, _) in tail.iter().enumerate().filter(|(_, owner)| **owner == partition) {
        let j = blocks.len() * 64 + k;
        out[filled] = rows.map_or(j as u32, |rows| rows[j]);
        filled += 1;
    }
    filled
}
