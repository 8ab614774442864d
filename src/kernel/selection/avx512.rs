//! Selections with AVX-512: rows are compressed in a register, and the register is stored.
//!
//! The merge-masked form of the compression is used everywhere: the zero-masked one waits for its old target on Zen 5.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_cmplt_epu32_mask, _mm512_i32gather_epi32, _mm512_loadu_si512,
    _mm512_mask_compress_epi32, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_sllv_epi32, _mm512_srli_epi32,
    _mm512_storeu_si512, _mm512_test_epi32_mask,
};

/// Row numbers 0 to 15.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn first_rows() -> __m512i {
    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}

/// Loads sixteen row numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn load_rows(rows: &[u32; 16]) -> __m512i {
    // SAFETY: the reference covers the 64 bytes that are read; any alignment will do.
    unsafe { _mm512_loadu_si512(rows.as_ptr().cast()) }
}

/// Writes the `rows` of `mask` behind the `filled` entries of `out`; returns how many there are then.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn append(rows: __m512i, mask: u16, out: &mut [u32], filled: usize) -> usize {
    let kept = _mm512_mask_compress_epi32(rows, mask, rows);
    let count = mask.count_ones() as usize;
    if let Some(slots) = out[filled..].first_chunk_mut::<16>() {
        // SAFETY: the reference covers the 64 bytes that are written; any alignment will do.
        unsafe { _mm512_storeu_si512(slots.as_mut_ptr().cast(), kept) };
    } else {
        let mut last = [0; 16];
        // SAFETY: the array is the 64 bytes that are written.
        unsafe { _mm512_storeu_si512(last.as_mut_ptr().cast(), kept) };
        out[filled..filled + count].copy_from_slice(&last[..count]);
    }
    filled + count
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn from_bitmap(words: &[u64], out: &mut [u32]) -> usize {
    let mut rows = first_rows();
    let step = _mm512_set1_epi32(16);
    let mut filled = 0;
    for &word in words {
        for quarter in 0..4 {
            filled = append(rows, (word >> (16 * quarter)) as u16, out, filled);
            rows = _mm512_add_epi32(rows, step);
        }
    }
    filled
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn restrict(words: &[u64], selection: &[u32], out: &mut [u32]) -> usize {
    let (blocks, tail) = selection.as_chunks::<16>();
    let end = _mm512_set1_epi32(((words.len() * 64).min(i32::MAX as usize)) as i32);
    let mut filled = 0;
    for block in blocks {
        let rows = load_rows(block);
        assert_eq!(_mm512_cmplt_epu32_mask(rows, end), u16::MAX, "selected rows have bits");
        let halves = _mm512_srli_epi32::<5>(rows);
        // SAFETY: every row is below 64 times the number of words (checked above), so its half word lies inside.
        let halves = unsafe { _mm512_i32gather_epi32::<4>(halves, words.as_ptr().cast()) };
        let bits = _mm512_sllv_epi32(_mm512_set1_epi32(1), _mm512_and_si512(rows, _mm512_set1_epi32(31)));
        filled = append(rows, _mm512_test_epi32_mask(halves, bits), out, filled);
    }
    filled + super::restrict_each(words, tail, &mut out[filled..])
}
