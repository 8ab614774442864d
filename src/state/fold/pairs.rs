//! CORR, COVAR and REGR: sums of x, y, their squares and their product, as compensated pairs, so that the order of rows does
//! not show ([`crate::kernel::update`]).

use crate::arena::{PaneArena, PaneVec};
use crate::batch::{Column, ColumnBuffer};
use crate::error::Result;
use crate::kernel::Simd;
use crate::kernel::update::{PAIR_WORDS, add_pair_sums, add_point, distances};

use super::{FoldBlock, FoldRows, FoldStates, Line, Reading, not_kept};

pub(super) struct PairSums {
    y: usize,
    x: usize,
    sums: PaneVec<[u64; PAIR_WORDS]>,
}

impl PairSums {
    pub(super) fn new(y: usize, x: usize, arena: &PaneArena) -> Self {
        Self { y, x, sums: PaneVec::new_in(arena.clone()) }
    }
}

impl FoldStates for PairSums {
    fn clear(&mut self) {
        self.sums.clear();
    }

    fn grow(&mut self, groups: usize) {
        self.sums.resize(groups, [0; PAIR_WORDS]);
    }

    fn reset(&mut self, group: u32) {
        self.sums[group as usize] = [0; PAIR_WORDS];
    }

    fn update(&mut self, _: Simd, rows: FoldRows<'_>, arguments: &[Column<'_>]) {
        let (y, x) = (&arguments[self.y], &arguments[self.x]);
        let (ys, xs) = (y.float64(), x.float64());
        for (group, i) in rows.iter().filter(|&(_, i)| y.is_valid(i) && x.is_valid(i)) {
            add_point(&mut self.sums[group as usize], ys[i], xs[i]);
        }
    }

    fn export(&self, groups: &[u32], into: &mut FoldBlock) {
        groups.iter().for_each(|&group| into.words.extend_from_slice(&self.sums[group as usize]));
    }

    fn merge(&mut self, groups: &[u32], from: &FoldBlock) {
        let (blocks, _) = from.words.as_chunks::<PAIR_WORDS>();
        for (&group, words) in groups.iter().zip(blocks) {
            add_pair_sums(&mut self.sums[group as usize], words);
        }
    }

    fn finish(&self, reading: Reading, groups: &[u32], out: &mut ColumnBuffer) -> Result<()> {
        let Reading::Line(line) = reading else { not_kept(reading) };
        for &group in groups {
            let sums = &self.sums[group as usize];
            if line == Line::Count {
                out.push_int64(sums[0].cast_signed());
                continue;
            }
            match value(line, sums) {
                Some(value) => out.push_float64(if value.is_nan() { f64::NAN } else { value }),
                None => out.push_null(),
            }
        }
        Ok(())
    }
}

/// What `line` is; `None` where the pairs do not say.
fn value(line: Line, sums: &[u64; PAIR_WORDS]) -> Option<f64> {
    let n = sums[0] as f64;
    if sums[0] == 0 {
        return None;
    }
    let of = distances(sums);
    match line {
        Line::Count => Some(n),
        Line::Covariance => Some(of.xy / n),
        Line::SampleCovariance => (sums[0] > 1).then(|| of.xy / (n - 1.0)),
        Line::Correlation if of.xx == 0.0 || of.yy == 0.0 => None,
        Line::Correlation => {
            let correlation = of.xy / (of.xx * of.yy).sqrt();
            // Rounding may lead beyond the ends; NaN stays.
            Some(correlation.clamp(-1.0, 1.0))
        }
        Line::Slope | Line::Intercept | Line::Fit if of.xx == 0.0 => None,
        Line::Slope => Some(of.xy / of.xx),
        Line::Intercept => Some((of.y - of.x * (of.xy / of.xx)) / n),
        Line::Fit if of.yy == 0.0 => Some(1.0),
        Line::Fit => Some((of.xy * of.xy / (of.xx * of.yy)).min(1.0)),
    }
}
