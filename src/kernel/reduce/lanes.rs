//! Eight lanes of one kind of number: as an array, which is the definition, and as vectors of the CPU.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

#[cfg(target_arch = "x86_64")]
use super::{Mask, Stripes, live, reduce};

/// Eight DOUBLEs. `bits` picks lanes: bit `i` for lane `i`.
pub(super) trait DoubleLanes: Copy {
    fn splat(value: f64) -> Self;
    fn load(values: &[f64; 8]) -> Self;
    fn store(self) -> [f64; 8];
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    /// `other` where it is less, else `self`.
    fn least(self, other: Self) -> Self;
    /// `other` where it is greater, else `self`.
    fn greatest(self, other: Self) -> Self;
    /// `self` in the lanes of `bits`, `other` in the rest.
    fn pick(self, bits: u8, other: Self) -> Self;
    /// The lanes that are NaN or infinity.
    fn special(self) -> u8;
}

/// Eight BIGINTs.
pub(super) trait IntegerLanes: Copy {
    fn splat(value: i64) -> Self;
    fn load(values: &[i64; 8]) -> Self;
    fn store(self) -> [i64; 8];
    fn add(self, other: Self) -> Self;
    /// The low 32 bits, without sign.
    fn low_half(self) -> Self;
    /// The high 32 bits, with sign.
    fn high_half(self) -> Self;
    fn least(self, other: Self) -> Self;
    fn greatest(self, other: Self) -> Self;
    fn pick(self, bits: u8, other: Self) -> Self;
}

#[inline(always)]
fn zip<T: Copy>(a: [T; 8], b: [T; 8], f: impl Fn(T, T) -> T) -> [T; 8] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn choose<T: Copy>(a: [T; 8], bits: u8, b: [T; 8]) -> [T; 8] {
    std::array::from_fn(|i| if bits >> i & 1 == 1 { a[i] } else { b[i] })
}

impl DoubleLanes for [f64; 8] {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        [value; 8]
    }

    #[inline(always)]
    fn load(values: &[f64; 8]) -> Self {
        *values
    }

    #[inline(always)]
    fn store(self) -> [f64; 8] {
        self
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        zip(self, other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        zip(self, other, |a, b| a - b)
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        zip(self, other, |a, b| if b < a { b } else { a })
    }

    #[inline(always)]
    fn greatest(self, other: Self) -> Self {
        zip(self, other, |a, b| if b > a { b } else { a })
    }

    #[inline(always)]
    fn pick(self, bits: u8, other: Self) -> Self {
        choose(self, bits, other)
    }

    #[inline(always)]
    fn special(self) -> u8 {
        (0..8).fold(0, |bits, i| bits | u8::from(self[i].is_nan() | (self[i] == f64::INFINITY)) << i)
    }
}

impl IntegerLanes for [i64; 8] {
    #[inline(always)]
    fn splat(value: i64) -> Self {
        [value; 8]
    }

    #[inline(always)]
    fn load(values: &[i64; 8]) -> Self {
        *values
    }

    #[inline(always)]
    fn store(self) -> [i64; 8] {
        self
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        zip(self, other, i64::wrapping_add)
    }

    #[inline(always)]
    fn low_half(self) -> Self {
        self.map(|value| value & 0xFFFF_FFFF)
    }

    #[inline(always)]
    fn high_half(self) -> Self {
        self.map(|value| value >> 32)
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        zip(self, other, i64::min)
    }

    #[inline(always)]
    fn greatest(self, other: Self) -> Self {
        zip(self, other, i64::max)
    }

    #[inline(always)]
    fn pick(self, bits: u8, other: Self) -> Self {
        choose(self, bits, other)
    }
}

/// Two vectors of 256 bits.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Wide<V>(V, V);

/// One vector of 512 bits. To be used inside [`run_avx512`] only.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx512<V>(V);

/// Calls an intrinsic.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($e:expr) => {
        // SAFETY: the lanes of 256 bits need AVX2, the base of every build; those of 512 bits are used at the AVX-512 level
        // only, which exists only where the CPU has it. Loads and stores go through references to whole arrays.
        unsafe { $e }
    };
}

#[cfg(target_arch = "x86_64")]
impl DoubleLanes for Wide<__m256d> {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self(vector!(_mm256_set1_pd(value)), vector!(_mm256_set1_pd(value)))
    }

    #[inline(always)]
    fn load(values: &[f64; 8]) -> Self {
        let (a, b) = values.split_at(4);
        Self(vector!(_mm256_loadu_pd(a.as_ptr())), vector!(_mm256_loadu_pd(b.as_ptr())))
    }

    #[inline(always)]
    fn store(self) -> [f64; 8] {
        let mut out = [0.0; 8];
        let (a, b) = out.split_at_mut(4);
        vector!(_mm256_storeu_pd(a.as_mut_ptr(), self.0));
        vector!(_mm256_storeu_pd(b.as_mut_ptr(), self.1));
        out
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(vector!(_mm256_add_pd(self.0, other.0)), vector!(_mm256_add_pd(self.1, other.1)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(vector!(_mm256_sub_pd(self.0, other.0)), vector!(_mm256_sub_pd(self.1, other.1)))
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        Self(vector!(_mm256_min_pd(other.0, self.0)), vector!(_mm256_min_pd(other.1, self.1)))
    }

    #[inline(always)]
    fn greatest(self, other: Self) -> Self {
        Self(vector!(_mm256_max_pd(other.0, self.0)), vector!(_mm256_max_pd(other.1, self.1)))
    }

    #[inline(always)]
    fn pick(self, bits: u8, other: Self) -> Self {
        let lanes = |shift: i64| {
            let places = vector!(_mm256_setr_epi64x(1 << shift, 2 << shift, 4 << shift, 8 << shift));
            let all = vector!(_mm256_set1_epi64x(i64::from(bits)));
            let own = vector!(_mm256_and_si256(all, places));
            let set = vector!(_mm256_cmpeq_epi64(own, places));
            vector!(_mm256_castsi256_pd(set))
        };
        Self(vector!(_mm256_blendv_pd(other.0, self.0, lanes(0))), vector!(_mm256_blendv_pd(other.1, self.1, lanes(4))))
    }

    #[inline(always)]
    fn special(self) -> u8 {
        let bits = |v: __m256d| {
            let infinity = vector!(_mm256_set1_pd(f64::INFINITY));
            let not_less = vector!(_mm256_cmp_pd::<_CMP_NLT_UQ>(v, infinity));
            vector!(_mm256_movemask_pd(not_less)) as u8
        };
        bits(self.0) | bits(self.1) << 4
    }
}

#[cfg(target_arch = "x86_64")]
impl DoubleLanes for Avx512<__m512d> {
    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self(vector!(_mm512_set1_pd(value)))
    }

    #[inline(always)]
    fn load(values: &[f64; 8]) -> Self {
        Self(vector!(_mm512_loadu_pd(values.as_ptr())))
    }

    #[inline(always)]
    fn store(self) -> [f64; 8] {
        let mut out = [0.0; 8];
        vector!(_mm512_storeu_pd(out.as_mut_ptr(), self.0));
        out
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(vector!(_mm512_add_pd(self.0, other.0)))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(vector!(_mm512_sub_pd(self.0, other.0)))
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        Self(vector!(_mm512_min_pd(other.0, self.0)))
    }

    #[inline(always)]
    fn greatest(self, other: Self) -> Self {
        Self(vector!(_mm512_max_pd(other.0, self.0)))
    }

    #[inline(always)]
    fn pick(self, bits: u8, other: Self) -> Self {
        Self(vector!(_mm512_mask_blend_pd(bits, other.0, self.0)))
    }

    #[inline(always)]
    fn special(self) -> u8 {
        let infinity = vector!(_mm512_set1_pd(f64::INFINITY));
        vector!(_mm512_cmp_pd_mask::<_CMP_NLT_UQ>(self.0, infinity))
    }
}

#[cfg(target_arch = "x86_64")]
impl IntegerLanes for Avx512<__m512i> {
    #[inline(always)]
    fn splat(value: i64) -> Self {
        Self(vector!(_mm512_set1_epi64(value)))
    }

    #[inline(always)]
    fn load(values: &[i64; 8]) -> Self {
        Self(vector!(_mm512_loadu_epi64(values.as_ptr())))
    }

    #[inline(always)]
    fn store(self) -> [i64; 8] {
        let mut out = [0; 8];
        vector!(_mm512_storeu_epi64(out.as_mut_ptr(), self.0));
        out
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(vector!(_mm512_add_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn low_half(self) -> Self {
        let halves = vector!(_mm512_set1_epi64(0xFFFF_FFFF));
        Self(vector!(_mm512_and_epi64(self.0, halves)))
    }

    #[inline(always)]
    fn high_half(self) -> Self {
        Self(vector!(_mm512_srai_epi64::<32>(self.0)))
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        Self(vector!(_mm512_min_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn greatest(self, other: Self) -> Self {
        Self(vector!(_mm512_max_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn pick(self, bits: u8, other: Self) -> Self {
        Self(vector!(_mm512_mask_blend_epi64(bits, other.0, self.0)))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) type WideDoubles = Wide<__m256d>;
#[cfg(target_arch = "x86_64")]
pub(super) type Avx512Doubles = Avx512<__m512d>;
#[cfg(target_arch = "x86_64")]
pub(super) type Avx512Integers = Avx512<__m512i>;

/// [`super::reduce`] compiled for AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn run_avx512<S: Stripes>(values: &[S::Value], mask: Mask<'_>) -> S::Result {
    reduce::<S>(values, mask)
}

/// [`super::equal`] for AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn equal_avx512(ids: &[u32], id: u32, out: &mut [u64]) {
    let id = _mm512_set1_epi32(id.cast_signed());
    let bits = |ids: &[u32; 16]| {
        // SAFETY: the load goes through a reference to a whole array.
        let ids = unsafe { _mm512_loadu_epi32(ids.as_ptr().cast()) };
        u64::from(_mm512_cmpeq_epi32_mask(ids, id))
    };
    let (blocks, rest) = ids.as_chunks::<64>();
    for (block, word) in blocks.iter().zip(&mut *out) {
        let (parts, _) = block.as_chunks::<16>();
        *word = bits(&parts[0]) | bits(&parts[1]) << 16 | bits(&parts[2]) << 32 | bits(&parts[3]) << 48;
    }
    if !rest.is_empty() {
        let mut block = [0; 64];
        block[..rest.len()].copy_from_slice(rest);
        let (parts, _) = block.as_chunks::<16>();
        let word = bits(&parts[0]) | bits(&parts[1]) << 16 | bits(&parts[2]) << 32 | bits(&parts[3]) << 48;
        out[blocks.len()] = word & live(rest.len(), 0);
    }
}
