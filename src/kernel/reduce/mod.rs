//! Whole columns to one state: SUM, MIN, MAX of the rows that a bitmap lets through, or of all.
//!
//! A column is cut into stripes of [`LANES`] rows; row `i` belongs to lane `i % LANES`. Each lane keeps its own state, and
//! lanes are folded in halves (lane `i` takes in lane `i + 8`, then `i + 4`, `i + 2`, `i + 1`). That order is the
//! definition of the result on every CPU and at every level; the last, shorter stripe is padded with neutral elements.
//! Rows that the bitmap stops count as neutral elements too: 0 for SUM, the greatest or least value for MIN and MAX.
//!
//! SUM of DOUBLE keeps a TwoSum pair a lane (see [`super::update`]); SUM of integers keeps the low and high 32 bits of the
//! values apart, which is exact for 2^31 rows at a time. MIN and MAX of DOUBLE pass over NaN: see [`any_special`].
//!
//! Cost: a TwoSum is 6 additions and the low half's one more, 3.5 cycles for 8 rows where two 512-bit additions start in a
//! cycle: about what a core reads from memory meanwhile. Nothing is allocated.

mod lanes;
#[cfg(test)]
mod tests;

use super::bitmap::live;
use super::simd::Simd;
use super::update::two_sum;
use lanes::{DoubleLanes, IntegerLanes};

/// Rows of a stripe: two vectors of 512 bits or four of 256.
pub const LANES: usize = 16;

/// Which of a column's rows count: bit `i` for row `i`, zero past the end; `None` lets all through.
pub type Mask<'a> = Option<&'a [u64]>;

/// What a column of DOUBLE comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Doubles {
    /// The rounded sum; infinities and NaN as IEEE 754 addition has them.
    pub high: f64,
    /// The sum of rounding errors; means nothing where `high` is not finite.
    pub low: f64,
    /// The least value that is not NaN, or infinity.
    pub least: f64,
    /// The greatest value that is not NaN, or minus infinity.
    pub greatest: f64,
}

/// What a column of integers comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integers {
    /// The exact sum.
    pub sum: i128,
    /// The least value, or the greatest that there is.
    pub least: i64,
    /// The greatest value, or the least that there is.
    pub greatest: i64,
}

/// The sum if `SUM`, least and greatest value if `EXTREMES`; what is not asked for stays neutral.
pub fn doubles<const SUM: bool, const EXTREMES: bool>(simd: Simd, values: &[f64], mask: Mask<'_>) -> Doubles {
    #[cfg(target_arch = "x86_64")]
    if simd.is_avx512() {
        // SAFETY: this level exists only where the CPU has the features that the function is compiled with.
        return unsafe { lanes::run_avx512::<DoubleStripes<lanes::Avx512Doubles, SUM, EXTREMES>>(values, mask) };
    }
    #[cfg(target_arch = "x86_64")]
    if !simd.is_scalar() {
        return reduce::<DoubleStripes<lanes::WideDoubles, SUM, EXTREMES>>(values, mask);
    }
    reduce::<DoubleStripes<[f64; 8], SUM, EXTREMES>>(values, mask)
}

/// The sum if `SUM`, least and greatest value if `EXTREMES`; what is not asked for stays neutral. At most 2^31 rows.
pub fn integers<const SUM: bool, const EXTREMES: bool>(simd: Simd, values: &[i64], mask: Mask<'_>) -> Integers {
    assert!(values.len() <= 1 << 31, "{} rows at a time: the halves of the sum hold 2^31", values.len());
    #[cfg(target_arch = "x86_64")]
    if simd.is_avx512() {
        // SAFETY: this level exists only where the CPU has the features that the function is compiled with.
        return unsafe { lanes::run_avx512::<IntegerStripes<lanes::Avx512Integers, SUM, EXTREMES>>(values, mask) };
    }
    reduce::<IntegerStripes<[i64; 8], SUM, EXTREMES>>(values, mask)
}

/// Whether a row that passes is NaN or infinity: the values that MIN and MAX have to look at one by one.
pub fn any_special(simd: Simd, values: &[f64], mask: Mask<'_>) -> bool {
    #[cfg(target_arch = "x86_64")]
    if simd.is_avx512() {
        // SAFETY: this level exists only where the CPU has the features that the function is compiled with.
        return unsafe { lanes::run_avx512::<SpecialStripes<lanes::Avx512Doubles>>(values, mask) };
    }
    #[cfg(target_arch = "x86_64")]
    if !simd.is_scalar() {
        return reduce::<SpecialStripes<lanes::WideDoubles>>(values, mask);
    }
    reduce::<SpecialStripes<[f64; 8]>>(values, mask)
}

/// Bit `i` of `out` says whether `ids[i]` is `id`; zero past the end.
pub fn equal(simd: Simd, ids: &[u32], id: u32, out: &mut [u64]) {
    assert_eq!(out.len(), ids.len().div_ceil(64), "one mask word for each 64 rows");
    #[cfg(target_arch = "x86_64")]
    if simd.is_avx512() {
        // SAFETY: this level exists only where the CPU has the features that the function is compiled with.
        return unsafe { lanes::equal_avx512(ids, id, out) };
    }
    let _ = simd;
    super::lanes::test(ids, ids.len(), out, |other| other == id);
}

/// Number of rows that pass.
pub fn count(rows: usize, mask: Mask<'_>) -> u64 {
    mask.map_or(rows as u64, |words| words.iter().map(|word| u64::from(word.count_ones())).sum())
}

/// What is made of the stripes of a column.
trait Stripes {
    type Value: Copy + Default;
    type Result;
    fn new() -> Self;
    /// Takes in the rows of a stripe that `bits` lets through.
    fn take(&mut self, stripe: &[Self::Value; LANES], bits: Option<u16>);
    fn finish(self) -> Self::Result;
}

/// Takes in every stripe; the last one is padded with rows that do not pass. No closures here: they would not be compiled
/// for the vectors of the caller.
#[inline(always)]
fn reduce<S: Stripes>(values: &[S::Value], mask: Mask<'_>) -> S::Result {
    let mut stripes = S::new();
    let (blocks, rest) = values.as_chunks::<64>();
    match mask {
        None => {
            for block in blocks {
                let (quarters, _) = block.as_chunks::<LANES>();
                stripes.take(&quarters[0], None);
                stripes.take(&quarters[1], None);
                stripes.take(&quarters[2], None);
                stripes.take(&quarters[3], None);
            }
        }
        Some(words) => {
            assert_eq!(words.len(), values.len().div_ceil(64), "one mask word for each 64 rows");
            for (block, &word) in blocks.iter().zip(words) {
                let (quarters, _) = block.as_chunks::<LANES>();
                stripes.take(&quarters[0], Some(word as u16));
                stripes.take(&quarters[1], Some((word >> 16) as u16));
                stripes.take(&quarters[2], Some((word >> 32) as u16));
                stripes.take(&quarters[3], Some((word >> 48) as u16));
            }
        }
    }
    if !rest.is_empty() {
        let mut word = live(rest.len(), 0);
        if let Some(words) = mask {
            word &= words[blocks.len()];
        }
        for (s, part) in rest.chunks(LANES).enumerate() {
            let mut stripe = [S::Value::default(); LANES];
            stripe[..part.len()].copy_from_slice(part);
            stripes.take(&stripe, Some((word >> (s * LANES)) as u16));
        }
    }
    stripes.finish()
}

/// The halves of a stripe and of its bits.
#[inline(always)]
fn halves<T>(stripe: &[T; LANES], bits: Option<u16>) -> [(&[T; 8], Option<u8>); 2] {
    let (eights, _) = stripe.as_chunks::<8>();
    let (first, second) = match bits {
        None => (None, None),
        Some(bits) => (Some(bits as u8), Some((bits >> 8) as u8)),
    };
    [(&eights[0], first), (&eights[1], second)]
}

struct DoubleStripes<V, const SUM: bool, const EXTREMES: bool> {
    high: [V; 2],
    low: [V; 2],
    least: [V; 2],
    greatest: [V; 2],
}

impl<V: DoubleLanes, const SUM: bool, const EXTREMES: bool> Stripes for DoubleStripes<V, SUM, EXTREMES> {
    type Value = f64;
    type Result = Doubles;

    #[inline(always)]
    fn new() -> Self {
        Self {
            high: [V::splat(0.0); 2],
            low: [V::splat(0.0); 2],
            least: [V::splat(f64::INFINITY); 2],
            greatest: [V::splat(f64::NEG_INFINITY); 2],
        }
    }

    #[inline(always)]
    fn take(&mut self, stripe: &[f64; LANES], bits: Option<u16>) {
        for (k, (eight, bits)) in halves(stripe, bits).into_iter().enumerate() {
            let loaded = V::load(eight);
            if SUM {
                let value = if let Some(bits) = bits { loaded.pick(bits, V::splat(0.0)) } else { loaded };
                let sum = self.high[k].add(value);
                let part = sum.sub(self.high[k]);
                let error = self.high[k].sub(sum.sub(part)).add(value.sub(part));
                self.high[k] = sum;
                self.low[k] = self.low[k].add(error);
            }
            if EXTREMES {
                let value = if let Some(bits) = bits { loaded.pick(bits, V::splat(f64::INFINITY)) } else { loaded };
                self.least[k] = self.least[k].least(value);
                let value = if let Some(bits) = bits { loaded.pick(bits, V::splat(f64::NEG_INFINITY)) } else { loaded };
                self.greatest[k] = self.greatest[k].greatest(value);
            }
        }
    }

    #[inline(always)]
    fn finish(self) -> Doubles {
        let mut lanes = [Doubles { high: 0.0, low: 0.0, least: f64::INFINITY, greatest: f64::NEG_INFINITY }; LANES];
        for k in 0..2 {
            let (high, low) = (self.high[k].store(), self.low[k].store());
            let (least, greatest) = (self.least[k].store(), self.greatest[k].store());
            for i in 0..8 {
                lanes[8 * k + i] = Doubles { high: high[i], low: low[i], least: least[i], greatest: greatest[i] };
            }
        }
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i].merge::<SUM, EXTREMES>(lanes[i + half]);
            }
        }
        lanes[0]
    }
}

impl Doubles {
    #[inline(always)]
    fn merge<const SUM: bool, const EXTREMES: bool>(&mut self, other: Self) {
        if SUM {
            let (sum, error) = two_sum(self.high, other.high);
            self.high = sum;
            self.low += error + other.low;
        }
        if EXTREMES {
            self.least = if other.least < self.least { other.least } else { self.least };
            self.greatest = if other.greatest > self.greatest { other.greatest } else { self.greatest };
        }
    }
}

struct IntegerStripes<V, const SUM: bool, const EXTREMES: bool> {
    low: [V; 2],
    high: [V; 2],
    least: [V; 2],
    greatest: [V; 2],
}

impl<V: IntegerLanes, const SUM: bool, const EXTREMES: bool> Stripes for IntegerStripes<V, SUM, EXTREMES> {
    type Value = i64;
    type Result = Integers;

    #[inline(always)]
    fn new() -> Self {
        Self {
            low: [V::splat(0); 2],
            high: [V::splat(0); 2],
            least: [V::splat(i64::MAX); 2],
            greatest: [V::splat(i64::MIN); 2],
        }
    }

    #[inline(always)]
    fn take(&mut self, stripe: &[i64; LANES], bits: Option<u16>) {
        for (k, (eight, bits)) in halves(stripe, bits).into_iter().enumerate() {
            let loaded = V::load(eight);
            if SUM {
                let value = if let Some(bits) = bits { loaded.pick(bits, V::splat(0)) } else { loaded };
                self.low[k] = self.low[k].add(value.low_half());
                self.high[k] = self.high[k].add(value.high_half());
            }
            if EXTREMES {
                let value = if let Some(bits) = bits { loaded.pick(bits, V::splat(i64::MAX)) } else { loaded };
                self.least[k] = self.least[k].least(value);
                let value = if let Some(bits) = bits { loaded.pick(bits, V::splat(i64::MIN)) } else { loaded };
                self.greatest[k] = self.greatest[k].greatest(value);
            }
        }
    }

    #[inline(always)]
    fn finish(self) -> Integers {
        let mut out = Integers { sum: 0, least: i64::MAX, greatest: i64::MIN };
        for k in 0..2 {
            let (low, high) = (self.low[k].store(), self.high[k].store());
            let (least, greatest) = (self.least[k].store(), self.greatest[k].store());
            for i in 0..8 {
                out.sum += i128::from(low[i]) + (i128::from(high[i]) << 32);
                out.least = out.least.min(least[i]);
                out.greatest = out.greatest.max(greatest[i]);
            }
        }
        out
    }
}

struct SpecialStripes<V> {
    found: u8,
    lanes: std::marker::PhantomData<V>,
}

impl<V: DoubleLanes> Stripes for SpecialStripes<V> {
    type Value = f64;
    type Result = bool;

    #[inline(always)]
    fn new() -> Self {
        Self { found: 0, lanes: std::marker::PhantomData }
    }

    #[inline(always)]
    fn take(&mut self, stripe: &[f64; LANES], bits: Option<u16>) {
        for (eight, bits) in halves(stripe, bits) {
            self.found |= V::load(eight).special() & bits.unwrap_or(u8::MAX);
        }
    }

    #[inline(always)]
    fn finish(self) -> bool {
        self.found != 0
    }
}
