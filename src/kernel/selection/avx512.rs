//! Selections with AVX-512: rows are compressed in a register, and the register is stored.
//!
//! The merge-masked form of the compression is used everywhere: the zero-masked one waits for its old target on Zen 5.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_cmplt_epu32_mask, _mm512_i32gather_epi32, _mm512_loadu_si512,
    _mm512_mask_compress_epi32, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_sllv_epi32, _mm512_srli_epi32,
    _mm512_storeu_si512, _mm512_test_epi32_mask,
};

/// Loads sixteen row numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn load_rows(rows: &[u32; 16]) -> __m512i {
    // SAFETY: the reference covers the 64 bytes that are read; any alignment will do.
    unsafe { _mm512_loadu_si512(rows.as_ptr().cast()) }
}

/// Writes those of 64 `rows` whose bit is set in `word` behind the `filled` entries of `out`; returns how many there are
/// then.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn append(rows: [__m512i; 4], word: u64, out: &mut [u32], filled: usize) -> usize {
    let count = word.count_ones() as usize;
    if let Some(room) = out[filled..].first_chunk_mut() {
        store(rows, word, room);
    } else {
        // Near the end of `out` there may be room for those rows and for no more.
        let mut room = [0; 64];
        store(rows, word, &mut room);
        out[filled..filled + count].copy_from_slice(&room[..count]);
    }
    filled + count
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn store(rows: [__m512i; 4], word: u64, out: &mut [u32; 64]) {
    let mut at = 0;
    for (quarter, rows) in rows.into_iter().enumerate() {
        let mask = (word >> (16 * quarter)) as u16;
        let kept = _mm512_mask_compress_epi32(rows, mask, rows);
        debug_assert!(at <= 16 * quarter, "a quarter of a word has at most sixteen bits");
        let slots = out.as_mut_ptr().wrapping_add(at);
        // SAFETY: at most 48 entries stand before the last quarter, so sixteen more are inside; any alignment will do.
        unsafe { _mm512_storeu_si512(slots.cast(), kept) };
        at += mask.count_ones() as usize;
    }
}

/// Row numbers 0 to 63.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn first_rows() -> [__m512i; 4] {
    let first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    [0, 16, 32, 48].map(
        #[inline(always)]
        |step| _mm512_add_epi32(first, _mm512_set1_epi32(step)),
    )
}

/// The row numbers 64 further on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in super::super) fn next_rows(rows: [__m512i; 4]) -> [__m512i; 4] {
    let step = _mm512_set1_epi32(64);
    let [a, b, c, d] = rows;
    [_mm512_add_epi32(a, step), _mm512_add_epi32(b, step), _mm512_add_epi32(c, step), _mm512_add_epi32(d, step)]
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn from_bitmap(words: &[u64], out: &mut [u32]) -> usize {
    let mut rows = first_rows();
    let mut filled = 0;
    for &word in words {
        filled = append(rows, word, out, filled);
        rows = next_rows(rows);
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
        let mask = _mm512_test_epi32_mask(halves, bits);
        // `out` is as long as the selection, so what is left of it has room for this block.
        let slots: &mut [u32; 16] = out[filled..].first_chunk_mut().expect("no more are kept than were selected");
        let kept = _mm512_mask_compress_epi32(rows, mask, rows);
        // SAFETY: the reference covers the 64 bytes that are written; any alignment will do.
        unsafe { _mm512_storeu_si512(slots.as_mut_ptr().cast(), kept) };
        filled += mask.count_ones() as usize;
    }
    filled + super::restrict_each(words, tail, &mut out[filled..])
}
