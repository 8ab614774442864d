//! Which rows of a batch lie in which pane, without a division for each.
//!
//! Panes are `[k * size, (k + 1) * size)` for whole `k`: half-open and aligned to zero, below zero too. A pane that reaches
//! past the ends of i64 is cut off there. The definition of a row's pane is the floor division of its time ([`Pane::of`]).
//! The lanes divide once for a run of rows of one pane and compare the rows after it with both ends, 64 at a time. Where
//! runs are short because times are not quite sorted, a block of rows is compared with the last two panes at once, and
//! runs are read off the two bitmaps; where more than a few panes take turns within 64 rows, each run is divided.
//!
//! Measured on a Xeon at 2.6 GHz over 8192 rows in L2, cycles per row, scalar definition (a division a row), wide, AVX-512:
//! all rows in one pane 13, 0.22, 0.19; sorted over 7 panes 13, 0.40, 0.33; a border crossed with jitter 13, 0.71, 0.57; eight
//! panes of which neighbours overlap 18, 4.3, 2.8; ten panes at random 16, 18, 14 (the calls for runs of one row bound it).
//! Bounds: 0.49, 0.49, 0.16.

use std::ops::Range;

use super::Simd;
use super::direct;
use super::lanes::test;

/// A pane by its first and its last moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pane {
    /// First moment: where the pane starts, unless it is cut off.
    pub first: i64,
    /// Last moment that belongs to it.
    pub last: i64,
}

impl Pane {
    /// The pane of `size`, which is positive, that holds `time`.
    #[inline(always)]
    pub fn of(time: i64, size: i64) -> Self {
        let into = time.rem_euclid(size);
        Self { first: time.saturating_sub(into), last: time.saturating_add(size - 1 - into) }
    }

    /// Whether `time` belongs to it.
    #[inline(always)]
    pub fn holds(self, time: i64) -> bool {
        self.outside(time) >= 0
    }

    /// Negative exactly where `time` does not belong to the pane. A difference that wraps around hides the sign of its own side
    /// only: the other one then differs by more than 2^63 and wraps into the negative.
    #[inline(always)]
    fn outside(self, time: i64) -> i64 {
        time.wrapping_sub(self.first) | self.last.wrapping_sub(time)
    }
}

/// Least and greatest of `times`; `None` if there are none. All rows lie in one pane if
/// `Pane::of(least, size).holds(greatest)`.
pub fn bounds(simd: Simd, times: &[i64]) -> Option<(i64, i64)> {
    simd.run(|| direct::bounds(times))
}

/// Calls `f(pane, j)` for every run of rows of one pane, in order: together the runs are all selected rows, `j` counts
/// those, and neighbouring runs are of different panes. `times` holds the times of all rows; without a selection row `j` is
/// the j-th. `size` is positive.
pub fn for_each_run(
    simd: Simd,
    times: &[i64],
    selection: Option<&[u32]>,
    size: i64,
    mut f: impl FnMut(Pane, Range<usize>),
) {
    assert!(size > 0, "panes have a positive size");
    match selection {
        Some(selection) => runs_of(selection.len(), |j| times[selection[j] as usize], size, &mut f),
        None if simd.is_scalar() => runs_divided(times, size, &mut f),
        None => runs_lanes(times, size, &mut f),
    }
}

/// The definition: a division a row.
fn runs_divided(times: &[i64], size: i64, f: &mut impl FnMut(Pane, Range<usize>)) {
    let mut begin = 0;
    for end in 1..=times.len() {
        let pane = Pane::of(times[begin], size);
        if times.get(end).is_none_or(|&time| Pane::of(time, size) != pane) {
            f(pane, begin..end);
            begin = end;
        }
    }
}

/// A comparison a row and a division a run.
#[inline(always)]
fn runs_of(count: usize, time: impl Fn(usize) -> i64, size: i64, f: &mut impl FnMut(Pane, Range<usize>)) {
    let mut begin = 0;
    while begin < count {
        let pane = Pane::of(time(begin), size);
        let end = (begin + 1..count).find(|&j| !pane.holds(time(j))).unwrap_or(count);
        f(pane, begin..end);
        begin = end;
    }
}

/// Panes beyond the two remembered that are compared with a block of 64 rows before its runs are divided. Any value is
/// correct.
const PANES_TRIED: usize = 6;

#[inline(always)]
fn runs_lanes(times: &[i64], size: i64, f: &mut impl FnMut(Pane, Range<usize>)) {
    let Some(&first) = times.first() else { return };
    let mut run = 0;
    let mut pane = Pane::of(first, size);
    let mut other = pane;
    let (blocks, tail) = times.as_chunks::<64>();
    for (b, block) in blocks.iter().enumerate() {
        if block.iter().fold(0, |signs, &time| signs | pane.outside(time)) >= 0 {
            continue;
        }
        let base = b * 64;
        let (mut in_pane, mut in_other) = (inside(pane, block), inside(other, block));
        let mut tried = 0;
        let mut at = 0;
        loop {
            at += (!in_pane >> at).trailing_zeros() as usize;
            if at >= 64 {
                break;
            }
            let row = base + at;
            if row > run {
                f(pane, run..row);
            }
            run = row;
            if in_other >> at & 1 == 1 {
                std::mem::swap(&mut pane, &mut other);
                std::mem::swap(&mut in_pane, &mut in_other);
                continue;
            }
            (other, in_other) = (pane, in_pane);
            pane = Pane::of(times[row], size);
            if tried == PANES_TRIED {
                runs_of_rest(&times[..base + 64], size, &mut run, &mut pane, row + 1, f);
                break;
            }
            tried += 1;
            in_pane = inside(pane, block);
        }
    }
    let full = times.len() - tail.len();
    runs_of_rest(times, size, &mut run, &mut pane, full, f);
    f(pane, run..times.len());
}

/// Goes on from row `from` to the end of `times`, a comparison a row: `run` is where the run of `pane` began.
#[inline(always)]
fn runs_of_rest(
    times: &[i64],
    size: i64,
    run: &mut usize,
    pane: &mut Pane,
    from: usize,
    f: &mut impl FnMut(Pane, Range<usize>),
) {
    for (row, &time) in times.iter().enumerate().skip(from) {
        if !pane.holds(time) {
            if row > *run {
                f(*pane, *run..row);
            }
            *run = row;
            *pane = Pane::of(time, size);
        }
    }
}

/// Bit `i` says whether row `i` of the block belongs to `pane`.
#[inline(always)]
fn inside(pane: Pane, block: &[i64; 64]) -> u64 {
    let mut word = [0];
    test(
        &block[..],
        64,
        &mut word,
        #[inline(always)]
        |time| (time >= pane.first) & (time <= pane.last),
    );
    word[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time() -> impl Strategy<Value = i64> {
        let ends = prop::sample::select(vec![i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, -1, 0, 1]);
        prop_oneof![1 => ends, 1 => any::<i64>(), 8 => -300i64..300]
    }

    fn runs(simd: Simd, times: &[i64], selection: Option<&[u32]>, size: i64) -> Vec<(Pane, Range<usize>)> {
        let mut runs = Vec::new();
        for_each_run(simd, times, selection, size, |pane, rows| runs.push((pane, rows)));
        runs
    }

    /// Runs from the pane of each row, by floor division in 128 bits.
    fn plain(times: &[i64], size: i64) -> Vec<(Pane, Range<usize>)> {
        let clip = |x: i128| x.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let mut runs: Vec<(Pane, Range<usize>)> = Vec::new();
        for (j, &time) in times.iter().enumerate() {
            let start = i128::from(time).div_euclid(size.into()) * i128::from(size);
            let pane = Pane { first: clip(start), last: clip(start + i128::from(size) - 1) };
            match runs.last_mut() {
                Some((last, rows)) if *last == pane => rows.end = j + 1,
                _ => runs.push((pane, j..j + 1)),
            }
        }
        runs
    }

    proptest! {
        /// Every level cuts any order of times into the runs of the floor division, selected or not.
        #[test]
        fn runs_are_those_of_floor_division(
            mut times in prop::collection::vec(time(), 0..400), size in prop_oneof![1i64..500, Just(i64::MAX), Just(1 << 62)],
            sorted in 0..3, picks in prop::collection::vec(any::<bool>(), 400),
        ) {
            match sorted {
                0 => {}
                1 => times.sort_unstable(),
                // A border crossed with jitter.
                _ => times = times.iter().zip(0i64..).map(|(&time, i)| i / 2 + time.rem_euclid(40)).collect(),
            }
            let picked: Vec<u32> = (0..times.len() as u32).filter(|&i| picks[i as usize]).collect();
            let picked_times: Vec<i64> = picked.iter().map(|&i| times[i as usize]).collect();
            for simd in Simd::available() {
                prop_assert_eq!(runs(simd, &times, None, size), plain(&times, size), "{}", simd);
                prop_assert_eq!(runs(simd, &times, Some(&picked), size), plain(&picked_times, size), "{}", simd);
                let expected = times.iter().min().copied().zip(times.iter().max().copied());
                prop_assert_eq!(bounds(simd, &times), expected, "{}", simd);
                if let Some(&time) = times.first() {
                    let pane = Pane::of(time, size);
                    for &time in &times {
                        prop_assert_eq!(pane.holds(time), Pane::of(time, size) == pane);
                    }
                }
            }
        }
    }
}
