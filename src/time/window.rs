//! Tumbling windows: half-open, aligned to the epoch.

use crate::types::EventTime;

/// Windows `[k * size, (k + 1) * size)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tumbling {
    /// Microseconds, positive.
    pub size_us: i64,
}

impl Tumbling {
    /// Start of the window that holds `time`. Times within one window of the ends of i64 belong to a window that is cut
    /// off there.
    pub fn start(self, time: i64) -> i64 {
        time.saturating_sub(time.rem_euclid(self.size_us))
    }

    /// End (exclusive) of the window that starts at `start`.
    pub fn end(self, start: i64) -> EventTime {
        EventTime(start.saturating_add(self.size_us))
    }

    /// Whether a record at `time` comes after its window was closed by `watermark` (its window ended at or before it).
    pub fn is_late(self, time: i64, watermark: EventTime) -> bool {
        self.end(self.start(time)) <= watermark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_half_open_and_aligned_below_zero_too() {
        let window = Tumbling { size_us: 60 };
        assert_eq!((window.start(0), window.start(59), window.start(60)), (0, 0, 60));
        assert_eq!((window.start(-1), window.start(-60), window.start(-61)), (-60, -60, -120));
        assert_eq!(window.end(60), EventTime(120));
    }

    #[test]
    fn late_begins_when_the_watermark_reaches_the_end() {
        let window = Tumbling { size_us: 60 };
        assert!(!window.is_late(30, EventTime(59)));
        assert!(window.is_late(30, EventTime(60)));
        assert!(!window.is_late(30, EventTime::MIN));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let window = Tumbling { size_us: 60_000_000 };
        for time in [i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1] {
            assert!(window.start(time) <= time || time < i64::MIN + window.size_us);
            assert!(window.end(window.start(time)).0 >= window.start(time));
        }
    }
}
