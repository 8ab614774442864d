//! Random numbers without state: number `row` of a stream is a hash of both, so any row can be drawn alone.
//!
//! The hash is the finaliser of SplitMix64 (Steele, Lea, Flood 2014) over a Weyl sequence: a permutation of 64 bits whose
//! outputs pass the usual batteries. Skewed keys are drawn by Vose's alias method: two look-ups, whatever the number of keys.

const WEYL: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser.
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// One stream of random numbers: that of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream(u64);

impl Stream {
    /// The stream of a name: columns differ, projections do not matter.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        let start = mix(seed.wrapping_add(WEYL));
        Self(name.bytes().fold(start, |hash, byte| mix(hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_add(WEYL)))
    }

    /// 64 random bits for a row.
    #[inline]
    pub(super) fn bits(self, row: u64) -> u64 {
        mix(self.0.wrapping_add(row.wrapping_mul(WEYL)))
    }

    /// As many numbers as a row needs: SplitMix64, started at the row's bits.
    #[inline]
    pub(super) fn draws(self, row: u64) -> Draws {
        Draws(self.bits(row))
    }
}

/// The numbers of one row of a stream, one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws(u64);

impl Draws {
    /// The next 64 random bits.
    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(WEYL);
        mix(self.0)
    }

    /// The next number in `0..n`.
    #[inline]
    pub(super) fn below(&mut self, n: u64) -> u64 {
        below(self.bits(), n)
    }

    /// The next number in [0, 1), of 53 bits.
    #[inline]
    pub(super) fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

/// A number in `0..n` from random bits; the bias is below n / 2^64.
#[inline]
pub(super) fn below(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}

/// The bits below which a draw falls with this probability.
pub(super) fn threshold(fraction: f64) -> u64 {
    // Saturates: a fraction of 1 is all but one in 2^64.
    (fraction * 18_446_744_073_709_551_616.0) as u64
}

/// How keys 0..n are chosen.
#[derive(Debug, Clone)]
pub(super) enum Keys {
    /// All alike.
    Uniform(u64),
    /// Key k with a weight of 1 / (k + 1)^skew.
    Zipf(Box<[Slot]>),
}

/// A slot of an alias table: its own key below the threshold, else the alias.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    threshold: u32,
    alias: u32,
}

impl Keys {
    /// `n` keys, at least one; `skew` 0 is uniform. With skew, n must fit 32 bits.
    pub(super) fn new(n: u64, skew: f64) -> Self {
        if skew == 0.0 { Self::Uniform(n) } else { Self::Zipf(alias_table(n as usize, skew)) }
    }

    /// A key from random bits.
    #[inline]
    pub(super) fn draw(&self, bits: u64) -> u64 {
        match self {
            Self::Uniform(n) => below(bits, *n),
            Self::Zipf(slots) => {
                // The upper half picks the slot, the lower half tosses the coin.
                let slot = ((bits >> 32) * slots.len() as u64) >> 32;
                let Slot { threshold, alias } = slots[slot as usize];
                if (bits as u32) < threshold { slot } else { u64::from(alias) }
            }
        }
    }
}

fn alias_table(n: usize, skew: f64) -> Box<[Slot]> {
    let weights: Vec<f64> = (1..=n).map(|rank| (rank as f64).powf(-skew)).collect();
    let total: f64 = weights.iter().sum();
    let mut share: Vec<f64> = weights.iter().map(|weight| weight / total * n as f64).collect();
    let mut slots: Vec<Slot> = (0..n).map(|i| Slot { threshold: u32::MAX, alias: i as u32 }).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| share[i] < 1.0);
    while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
        slots[low] = Slot { threshold: (share[low] * 4_294_967_296.0) as u32, alias: high as u32 };
        share[high] -= 1.0 - share[low];
        if share[high] < 1.0 {
            large.pop();
            small.push(high);
        }
    }
    slots.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frequencies of 200k draws against the exact weights, within five standard deviations.
    #[test]
    fn zipf_draws_have_their_weights() {
        let (n, skew, draws) = (50, 1.2, 200_000u64);
        let keys = Keys::new(n, skew);
        let stream = Stream::new(7, "k");
        let mut counts = vec![0u64; n as usize];
        (0..draws).for_each(|row| counts[keys.draw(stream.bits(row)) as usize] += 1);
        let weights: Vec<f64> = (1..=n).map(|rank| (rank as f64).powf(-skew)).collect();
        let total: f64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(&weights) {
            let p = weight / total;
            let expected = p * draws as f64;
            let deviation = (expected * (1.0 - p)).sqrt();
            assert!((*count as f64 - expected).abs() < 5.0 * deviation, "{count} against {expected}");
        }
    }

    #[test]
    fn uniform_draws_stay_in_range() {
        let stream = Stream::new(1, "x");
        assert!((0..10_000).all(|row| below(stream.bits(row), 7) < 7));
        assert_eq!(threshold(0.0), 0);
        assert_eq!(threshold(1.0), u64::MAX);
    }
}
