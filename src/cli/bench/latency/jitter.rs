//! What the platform takes: a pinned thread looks at the clock and does nothing else, so a gap between two looks is time in
//! which something else ran on its CPU, be it the kernel, another process or another machine on the same host.

use hdrhistogram::Histogram;

use super::super::measurement::Measurement;
use super::load::new_histogram;
use crate::error::{Error, Result};
use crate::sys::{monotonic_ns, pin_current_thread};

/// A gap that counts as one: longer than a look at the clock ever takes by itself.
const GAP_NS: u64 = 10_000;

/// The gaps of a thread.
pub(super) struct Jitter {
    cpu: usize,
    seconds: f64,
    gaps: Histogram<u64>,
    long: u64,
}

impl Jitter {
    /// Looks for `seconds` from a thread of its own.
    pub(super) fn measure(cpu: usize, seconds: f64) -> Result<Self> {
        let look = move || -> Result<(Histogram<u64>, u64)> {
            pin_current_thread(cpu)?;
            let (mut gaps, mut long) = (new_histogram(), 0);
            let start_ns = monotonic_ns();
            let until_ns = start_ns + (seconds * 1e9) as u64;
            let mut last_ns = start_ns;
            while last_ns < until_ns {
                let now_ns = monotonic_ns();
                let gap_ns = now_ns - last_ns;
                gaps.saturating_record(gap_ns.max(1));
                long += u64::from(gap_ns >= GAP_NS);
                last_ns = now_ns;
            }
            Ok((gaps, long))
        };
        let looked = std::thread::spawn(look).join();
        let (gaps, long) =
            looked.unwrap_or_else(|_| Err(Error::Execution("the thread that measures jitter panicked".into())))?;
        Ok(Self { cpu, seconds, gaps, long })
    }

    fn us(&self, percentile: f64) -> f64 {
        self.gaps.value_at_percentile(percentile) as f64 / 1e3
    }

    pub(super) fn line(&self) -> String {
        format!(
            "platform: in {} s a thread that spins on CPU {} was away {} times for 10 us or more, {:.0} us at most\n",
            self.seconds,
            self.cpu,
            self.long,
            self.gaps.max() as f64 / 1e3
        )
    }

    pub(super) fn figures(&self) -> Vec<Measurement> {
        let figure =
            |what: &str, unit, value| Measurement::new("latency", format!("platform, {what}"), unit, vec![value]);
        vec![
            figure("p99.99 of gaps", "us", self.us(99.99)),
            figure("longest gap", "us", self.gaps.max() as f64 / 1e3),
            figure("gaps of 10 us or more", "1/s", self.long as f64 / self.seconds),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Topology;

    #[test]
    fn gaps_fill_the_time() {
        let jitter = Jitter::measure(Topology::read().placement_order()[0], 0.01).unwrap();
        assert!(jitter.gaps.len() > 10 && jitter.gaps.max() >= jitter.gaps.value_at_percentile(50.0));
        assert_eq!(jitter.figures().len(), 3);
    }
}
