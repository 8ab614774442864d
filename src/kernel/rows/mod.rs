//! The last rows of each key: aggregates of frames that end at the current row, in the same time whatever the frame's
//! length.
//!
//! A bounded frame is a ring of values per key. What a frame holds is always two pieces: the rows written since the
//! ring (or the line of the ring that is being written) began, whose aggregate is kept as they come, and what is older,
//! which was folded ahead, last one first, when the ring came to the line: van Herk (1992) and Gil and Werman (1993),
//! on two levels. A row costs one step of the first and one join with the second, whatever the data; nothing is ever
//! taken out of a sum, so that no error stays and infinities and NaN need no care. Frames without bounds keep an
//! aggregate and no rows.
//!
//! NULLs take a place in a frame and do not count. MIN and MAX order DOUBLE with NaN greatest and -0 equal to +0, and
//! give +0; sums of DOUBLE are compensated pairs, those of integers exact. [`rescan`] is the definition: counts,
//! extremes and integer sums equal it always, DOUBLE sums where the exact sum of the frame's values fits the pair (106
//! bits) and no part of it overflows. Results do not depend on how rows are cut into calls.
//!
//! Cost: 95 instructions a row and 30 more for folding ahead (AVG, MIN and MAX of one DOUBLE column, 100 rows), three
//! cache lines, one branch that is missed at the end of a line. NULLs, NaN, -0 and values beyond 1e290 take a slower
//! loop from where they are first met. Folding a line of eight rows by vectors for every row, instead of ahead, took
//! more than twice the time; compiled for AVX-512 the loop is no faster. Memory: 10 bytes a row of the frame and 600 a
//! key; a record grows with the rows that it holds. Unlike other kernels this one owns memory, since a frame is state:
//! it allocates when a key is new or its record must grow, and at no other time. A ring is folded once in a frame's
//! length, in time that goes with a sixteenth of that length.

mod frames;
mod number;
mod record;
mod scalar;
mod steps;

pub use frames::{Frames, Wanted};
pub use number::{Number, Sum};
pub use scalar::rescan;

/// AVG from sums and counts, below 2^52; 0 / 0, NaN, where a frame holds no value.
pub fn averages(sums: &[f64], counts: &[i64], out: &mut [f64]) {
    /// 2^52, whose last bit counts ones: what stands in its mantissa is added to it. Vectors have no other conversion.
    const ONES: f64 = 4_503_599_627_370_496.0;
    for ((out, sum), count) in out.iter_mut().zip(sums).zip(counts) {
        *out = sum / (f64::from_bits(ONES.to_bits() | count.cast_unsigned()) - ONES);
    }
}

/// Where results go, one a row. Slices of what is not asked for are empty.
#[derive(Debug)]
pub struct Results<'a, T> {
    /// Values in the frame that are not NULL. Always asked for.
    pub counts: &'a mut [i64],
    /// Their sum; of integers, its lower word.
    pub sums: &'a mut [T],
    /// The upper word of a sum of integers; not looked at for DOUBLE.
    pub highs: &'a mut [i64],
    /// The least value, if there is one.
    pub least: &'a mut [T],
    /// The greatest value, if there is one.
    pub greatest: &'a mut [T],
    /// What asks for the rows of the frame themselves.
    pub looks: Looks<'a, T>,
}

/// Results that are read from the rows of a frame.
#[derive(Debug, Default)]
pub struct Looks<'a, T> {
    /// The oldest value, if it is not NULL.
    pub oldest: &'a mut [T],
    /// [`Looks::VALUE`] and [`Looks::FULL`]; as long as `oldest`.
    pub oldest_is: &'a mut [u8],
    /// Sum of squared distances from the mean, if there are values.
    pub squares: &'a mut [f64],
}

impl<T> Looks<'_, T> {
    /// The oldest row is not NULL.
    pub const VALUE: u8 = 1;
    /// The frame has as many rows as it may.
    pub const FULL: u8 = 2;

    fn state(is_value: bool, is_full: bool) -> u8 {
        (u8::from(is_value) * Self::VALUE) | (u8::from(is_full) * Self::FULL)
    }

    fn is_empty(&self) -> bool {
        self.oldest.is_empty() && self.squares.is_empty()
    }
}

impl<T> Results<'_, T> {
    /// The results of row `start` on.
    fn from(&mut self, start: usize) -> Results<'_, T> {
        fn cut<V>(slice: &mut [V], start: usize) -> &mut [V] {
            let start = start.min(slice.len());
            &mut slice[start..]
        }
        Results {
            counts: cut(self.counts, start),
            sums: cut(self.sums, start),
            highs: cut(self.highs, start),
            least: cut(self.least, start),
            greatest: cut(self.greatest, start),
            looks: Looks {
                oldest: cut(self.looks.oldest, start),
                oldest_is: cut(self.looks.oldest_is, start),
                squares: cut(self.looks.squares, start),
            },
        }
    }
}

#[cfg(test)]
mod tests;
