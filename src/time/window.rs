//! Windows: half-open, aligned to the epoch, made of slices.
//!
//! A *slice* is the longest stretch of time that no window of the query cuts: rows are aggregated once, into their slice, and
//! windows are put together from slices. So what a row costs does not depend on how many windows it belongs to. A tumbling
//! window is one slice; of hopping windows slices are as long as the greatest common divisor of size and slide, of
//! cumulating ones as the step.
//!
//! The time of sessions is cut too: rows of one key in one slice are less than the gap apart, so they belong to one session,
//! and a session is a chain of slices.

use crate::types::EventTime;

/// Equal stretches of time `[k * size, (k + 1) * size)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// Microseconds, positive.
    pub size_us: i64,
}

impl Slices {
    /// Start of the slice that holds `time`. Times within one slice of the ends of i64 belong to one that is cut off there.
    pub fn start(self, time: i64) -> i64 {
        time.saturating_sub(time.rem_euclid(self.size_us))
    }

    /// End (exclusive) of the slice that starts at `start`.
    pub fn end(self, start: i64) -> EventTime {
        EventTime(start.saturating_add(self.size_us))
    }
}

/// One window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Its end (exclusive). Stands first, so that windows are ordered by their end.
    pub end: EventTime,
    /// Its first moment.
    pub start: i64,
}

/// The windows of a query. All lengths are in microseconds and positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// One window of all time, whose results leave every so often.
    All,
    /// `[k * size, (k + 1) * size)`.
    Tumbling {
        /// Length of a window.
        size_us: i64,
    },
    /// `[k * slide, k * slide + size)`.
    Hopping {
        /// Length of a window.
        size_us: i64,
        /// From the start of one window to that of the next; not more than the size, so that every row is in one.
        slide_us: i64,
    },
    /// `[k * max, k * max + j * step)`, for j from 1 to max / step.
    Cumulating {
        /// How much longer each window is than the one before.
        step_us: i64,
        /// Length of the longest; a multiple of the step.
        max_us: i64,
    },
    /// From the first row of a key to `gap` after its last one, as long as none is further than that from the one before.
    Session {
        /// A row that comes so long after the last one, or later, starts a new session.
        gap_us: i64,
    },
}

impl Windows {
    /// Slices of a gap, if it can be cut into so many: a session is seen to be over at the end of a slice.
    const SLICES_PER_GAP: i64 = 8;

    /// The slices that the windows are made of; if results leave `every` so many microseconds, no slice is cut by that either.
    pub fn slices(self, every: Option<i64>) -> Slices {
        let size_us = match self {
            Self::All => i64::MAX,
            Self::Tumbling { size_us } => size_us,
            Self::Hopping { size_us, slide_us } => greatest_common_divisor(size_us, slide_us),
            Self::Cumulating { step_us, .. } => step_us,
            Self::Session { gap_us } => {
                let slices = (1..=Self::SLICES_PER_GAP).rev().find(|slices| gap_us % slices == 0);
                gap_us / slices.unwrap_or(1)
            }
        };
        Slices {
            size_us: match (self, every) {
                (_, None) => size_us,
                (Self::All, Some(every_us)) => every_us,
                (_, Some(every_us)) => greatest_common_divisor(size_us, every_us),
            },
        }
    }

    /// Slices in the longest window, or in the gap of sessions; 1 where windows have no length.
    pub fn slices_per_window(self, every: Option<i64>) -> i64 {
        let slice_us = self.slices(every).size_us;
        match self {
            Self::All => 1,
            Self::Session { gap_us } => gap_us / slice_us,
            Self::Tumbling { size_us } | Self::Hopping { size_us, .. } => size_us / slice_us,
            Self::Cumulating { max_us, .. } => max_us / slice_us,
        }
    }

    /// Whether a slice belongs to several windows.
    pub fn overlap(self) -> bool {
        matches!(self, Self::Hopping { .. } | Self::Cumulating { .. })
    }

    /// How far apart the ends of windows are.
    pub fn spacing_us(self) -> i64 {
        match self {
            Self::All => i64::MAX,
            Self::Tumbling { size_us } => size_us,
            Self::Hopping { slide_us, .. } => slide_us,
            Self::Cumulating { step_us, .. } => step_us,
            Self::Session { gap_us } => gap_us,
        }
    }

    /// The windows that the slice which starts at `slice` belongs to, by their end. Of a session only the slice itself is
    /// known, as it is where results do not leave early.
    pub fn of_slice(self, slice: i64) -> impl DoubleEndedIterator<Item = Span> + Clone {
        let slice = i128::from(slice);
        // Windows with these numbers, from one start and end to the next.
        let (numbers, starts, ends) = match self {
            Self::All => (0..1, (i64::MIN.into(), 0), (i64::MAX.into(), 0)),
            Self::Tumbling { size_us } => {
                let size = i128::from(size_us);
                let start = slice.div_euclid(size) * size;
                (0..1, (start, 0), (start + size, 0))
            }
            Self::Session { .. } => {
                let size = i128::from(self.slices(None).size_us);
                let start = slice.div_euclid(size) * size;
                (0..1, (start, 0), (start + size, 0))
            }
            Self::Hopping { size_us, slide_us } => {
                let (size, slide) = (i128::from(size_us), i128::from(slide_us));
                let first = (slice - size).div_euclid(slide) * slide + slide;
                let last = slice.div_euclid(slide) * slide;
                (0..(last - first) / slide + 1, (first, slide), (first + size, slide))
            }
            Self::Cumulating { step_us, max_us } => {
                let (step, max) = (i128::from(step_us), i128::from(max_us));
                let start = slice.div_euclid(max) * max;
                let done = (slice - start) / step;
                (0..max / step - done, (start, 0), (start + (done + 1) * step, step))
            }
        };
        let numbers = 0..i64::try_from(numbers.end).unwrap_or(i64::MAX);
        let at = |(first, step): (i128, i128), n: i64| {
            let time = first + step * i128::from(n);
            time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
        };
        numbers.map(move |n| Span { start: at(starts, n), end: EventTime(at(ends, n)) })
    }

    /// End of the first window to end that the slice which starts at `slice` belongs to.
    pub fn first_end(self, slice: i64) -> EventTime {
        self.of_slice(slice).next().map_or(EventTime::MAX, |span| span.end)
    }

    /// End of the last one.
    pub fn last_end(self, slice: i64) -> EventTime {
        self.of_slice(slice).next_back().map_or(EventTime::MAX, |span| span.end)
    }
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans(windows: Windows, slice: i64) -> Vec<(i64, i64)> {
        windows.of_slice(slice).map(|span| (span.start, span.end.0)).collect()
    }

    #[test]
    fn slices_are_half_open_and_aligned_below_zero_too() {
        let slices = Slices { size_us: 60 };
        assert_eq!((slices.start(0), slices.start(59), slices.start(60)), (0, 0, 60));
        assert_eq!((slices.start(-1), slices.start(-60), slices.start(-61)), (-60, -60, -120));
        assert_eq!(slices.end(60), EventTime(120));
    }

    #[test]
    fn a_slice_knows_its_windows() {
        let hopping = Windows::Hopping { size_us: 60, slide_us: 25 };
        assert_eq!((hopping.slices(None).size_us, hopping.slices_per_window(None)), (5, 12));
        assert_eq!(spans(hopping, 0), [(-50, 10), (-25, 35), (0, 60)]);
        assert_eq!(spans(hopping, 10), [(-25, 35), (0, 60)]);
        let cumulating = Windows::Cumulating { step_us: 10, max_us: 30 };
        assert_eq!(spans(cumulating, -30), [(-30, -20), (-30, -10), (-30, 0)]);
        assert_eq!(spans(cumulating, 20), [(0, 30)]);
        assert_eq!(spans(Windows::Tumbling { size_us: 7 }, -7), [(-7, 0)]);
        assert_eq!(Windows::Session { gap_us: 30 }.slices(None).size_us, 5);
        assert_eq!(Windows::Session { gap_us: 13 }.slices(None).size_us, 13);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        for windows in [
            Windows::Tumbling { size_us: 60_000_000 },
            Windows::Hopping { size_us: i64::MAX, slide_us: i64::MAX },
            Windows::Hopping { size_us: 60_000_000, slide_us: 7_000_000 },
            Windows::Cumulating { step_us: 1_000_000, max_us: 60_000_000 },
            Windows::Session { gap_us: i64::MAX },
        ] {
            for time in [i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1] {
                let slice = windows.slices(None).start(time);
                assert!(windows.of_slice(slice).count() >= 1);
                assert!(windows.first_end(slice) <= windows.last_end(slice));
            }
        }
    }

    proptest! {
        /// The windows of a time's slice are the windows that hold the time, and none cuts the slice.
        #[test]
        fn windows_of_a_slice_hold_its_times(
            size in 1i64..60, slide in 1i64..60, steps in 1i64..9, time in -300i64..300, kind in 0..2,
            every in prop::option::of(1i64..30),
        ) {
            let windows = match kind {
                0 => Windows::Hopping { size_us: size.max(slide), slide_us: size.min(slide) },
                _ => Windows::Cumulating { step_us: size, max_us: size * steps },
            };
            let mut expected: Vec<(i64, i64)> = (-1000..1000).flat_map(|k: i64| match windows {
                Windows::Hopping { size_us, slide_us } => vec![(k * slide_us, k * slide_us + size_us)],
                _ => (1..=steps).map(|j| (k * size * steps, k * size * steps + j * size)).collect(),
            }).filter(|&(start, end)| start <= time && time < end).collect();
            expected.sort_unstable_by_key(|&(start, end)| (end, start));
            let slices = windows.slices(every);
            let slice = slices.start(time);
            prop_assert_eq!(spans(windows, slice), expected.clone());
            prop_assert!(expected.iter().all(|&(start, end)| start <= slice && slices.end(slice).0 <= end));
        }
    }
}
