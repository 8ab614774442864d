//! How late late records were: a histogram.
//!
//! Guarantees: the same records give the same figures, however they were spread over histograms that are added up. A
//! figure is within a thousandth of the exact one. Costs nothing before the first late record.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Microseconds by which late records were behind the watermark of their split: a bound larger by that much would have
/// seen the record in time.
#[derive(Debug, Clone, Default)]
pub struct LatenessHistogram(Option<Box<Counts>>);

#[derive(Debug, Clone)]
struct Counts {
    histogram: Histogram<u64>,
    /// Records by number of decimal digits less one, exactly: the histogram's own ranges do not end at powers of ten.
    decades: [u64; u64::MAX.ilog10() as usize + 1],
}

/// A histogram as a report has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LatenessReport {
    /// Late records.
    pub records: u64,
    /// Least.
    pub min_us: u64,
    /// Half of the records were not later.
    pub p50_us: u64,
    /// Nine of ten were not later.
    pub p90_us: u64,
    /// 99 of a hundred were not later.
    pub p99_us: u64,
    /// 999 of a thousand were not later.
    pub p999_us: u64,
    /// Greatest.
    pub max_us: u64,
    /// Records in each range, ascending, from the first range that has any to the last.
    pub buckets: Vec<LatenessBucket>,
}

/// Records that were late by as much.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LatenessBucket {
    /// Late by less than this, and by no less than the bucket before this one.
    pub below_us: u64,
    /// Records.
    pub records: u64,
}

impl LatenessHistogram {
    /// Significant decimal digits kept.
    const DIGITS: u8 = 3;
    /// Greatest lateness told apart: a year.
    const GREATEST_US: u64 = 366 * 86_400 * 1_000_000;

    /// Counts a record.
    pub fn record(&mut self, late_us: u64) {
        let counts = self.counts();
        counts.histogram.saturating_record(late_us);
        counts.decades[late_us.max(1).ilog10() as usize] += 1;
    }

    /// Adds the records of another.
    pub fn add(&mut self, other: &Self) {
        let Some(other) = &other.0 else { return };
        let counts = self.counts();
        counts.histogram.add(&other.histogram).expect("all histograms have the same bounds");
        counts.decades.iter_mut().zip(other.decades).for_each(|(to, from)| *to += from);
    }

    fn counts(&mut self) -> &mut Counts {
        self.0.get_or_insert_with(|| {
            let histogram = Histogram::new_with_bounds(1, Self::GREATEST_US, Self::DIGITS);
            Box::new(Counts { histogram: histogram.expect("the bounds are valid"), decades: [0; _] })
        })
    }

    /// Its figures; `None` without records.
    pub fn report(&self) -> Option<LatenessReport> {
        let Counts { histogram, decades } = self.0.as_deref()?;
        let at = |quantile| histogram.value_at_quantile(quantile);
        let first = decades.iter().position(|&records| records > 0)?;
        let last = decades.iter().rposition(|&records| records > 0)?;
        let bucket = |digits: usize| LatenessBucket {
            below_us: 10_u64.saturating_pow(digits as u32 + 1),
            records: decades[digits],
        };
        Some(LatenessReport {
            records: histogram.len(),
            min_us: histogram.min(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max(),
            buckets: (first..=last).map(bucket).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        let mut whole = LatenessHistogram::default();
        let mut parts = [LatenessHistogram::default(), LatenessHistogram::default()];
        assert_eq!(whole.report(), None);
        for i in 0..1000_u64 {
            whole.record(i * 100);
            parts[i as usize % 2].record(i * 100);
        }
        let [mut sum, other] = parts;
        sum.add(&other);
        sum.add(&LatenessHistogram::default());
        let report = whole.report().unwrap();
        assert_eq!(sum.report().unwrap(), report);
        assert_eq!((report.records, report.min_us), (1000, 0));
        assert!(report.p50_us.abs_diff(50_000) <= 100 && report.max_us.abs_diff(99_900) <= 100, "{report:?}");
        let bucket = |below_us, records| LatenessBucket { below_us, records };
        let expected = [bucket(10, 1), bucket(100, 0), bucket(1000, 9), bucket(10_000, 90), bucket(100_000, 900)];
        assert_eq!(report.buckets, expected);
    }

    #[test]
    fn what_is_beyond_a_year_is_counted() {
        let mut histogram = LatenessHistogram::default();
        histogram.record(u64::MAX);
        let report = histogram.report().unwrap();
        assert_eq!((report.records, report.buckets[0].below_us), (1, u64::MAX));
    }
}
