//! What becomes of records that come after their window was closed, and when panes close.
//!
//! A record is late by its own split's watermark, at that record. That is a fact of the split's content, so the order in
//! which splits, partitions and batches are worked on cannot show in what follows from it:
//!
//! - The first result of a window holds the records that were not late. It leaves when the least watermark over all splits
//!   reaches the window's end.
//! - Late records are gathered in *stages*: stage k holds those whose split's watermark had passed the window's end by
//!   at least k - 1 and less than k times the spacing. It leaves, merged into what came before, when the least watermark
//!   has passed the end by k times the spacing, so at most one corrected row per group and stage. The spacing is the
//!   window's size, or the allowed lateness where that is less: corrections leave when a later window closes, and the last
//!   one when the allowed lateness is over.
//! - From there on records are too late, and dropped.
//!
//! Corrections record by record, as they come, would leave earlier, but then their number and values would depend on how
//! splits happen to interleave.

use crate::types::EventTime;

use super::Tumbling;

/// What a record is, next to its split's watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Its window was open.
    OnTime,
    /// Its window was closed, but its state is still there: it belongs to this stage.
    Late(u32),
    /// The state of its window was given up.
    TooLate,
}

/// The rows of a window that came in one stage. Panes ascend in the order in which they close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaneId {
    /// The watermark that closes it.
    pub closes: EventTime,
    /// 0 for records on time; k for the k-th correction.
    pub stage: u32,
    /// Start of the window.
    pub start: i64,
}

impl PaneId {
    /// The pane of a query without windows: all rows, from the beginning to the end of time.
    pub const ALL: Self = Self { closes: EventTime::MAX, stage: 0, start: i64::MIN };
}

/// Windows and what becomes of records that come late to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// The windows.
    pub window: Tumbling,
    /// How long after its end the state of a window is kept for late records, in microseconds of event time; 0 drops them.
    pub allowed_us: i64,
    /// Whether late records make corrections of results that have left; else (EMIT CHANGES) they change the running
    /// values like any other.
    pub corrects: bool,
}

impl Lateness {
    /// What a record at `time` is when its split's watermark stands at `watermark`.
    pub fn arrival(&self, time: i64, watermark: EventTime) -> Arrival {
        let end = self.window.end(self.window.start(time));
        if watermark < end {
            return Arrival::OnTime;
        }
        let late_us = watermark.0.saturating_sub(end.0);
        if late_us >= self.allowed_us {
            Arrival::TooLate
        } else if self.corrects {
            Arrival::Late(u32::try_from(late_us / self.spacing_us()).unwrap_or(u32::MAX - 1) + 1)
        } else {
            Arrival::Late(0)
        }
    }

    /// The pane of the window that starts at `start`, for rows of a stage.
    pub fn pane(&self, start: i64, stage: u32) -> PaneId {
        let after_us = match stage {
            0 if self.corrects => 0,
            0 => self.allowed_us,
            stage => self.spacing_us().saturating_mul(i64::from(stage)).min(self.allowed_us),
        };
        PaneId { closes: EventTime(self.window.end(start).0.saturating_add(after_us)), stage, start }
    }

    /// The watermark from which no record can reach the window that starts at `start`.
    pub fn over(&self, start: i64) -> EventTime {
        EventTime(self.window.end(start).0.saturating_add(self.allowed_us))
    }

    /// Whether some pane closes between these two watermarks, here or elsewhere.
    pub fn closes_between(&self, before: EventTime, watermark: EventTime) -> bool {
        let passes = |shift_us: i64| {
            let index = |time: EventTime| time.0.saturating_sub(shift_us).div_euclid(self.window.size_us);
            index(before) < index(watermark)
        };
        watermark > EventTime::MIN && (before == EventTime::MIN || passes(0) || passes(self.allowed_us))
    }

    /// Event time from one correction of a window to the next.
    fn spacing_us(&self) -> i64 {
        self.window.size_us.min(self.allowed_us).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lateness(size_us: i64, allowed_us: i64, corrects: bool) -> Lateness {
        Lateness { window: Tumbling { size_us }, allowed_us, corrects }
    }

    #[test]
    fn stages_are_spaced_by_the_window_and_end_with_the_allowed_lateness() {
        let lateness = lateness(60, 150, true);
        let at = |watermark| lateness.arrival(30, EventTime(watermark));
        assert_eq!(
            (at(i64::MIN), at(59), at(60), at(119)),
            (Arrival::OnTime, Arrival::OnTime, Arrival::Late(1), Arrival::Late(1))
        );
        assert_eq!(
            (at(120), at(180), at(209), at(210)),
            (Arrival::Late(2), Arrival::Late(3), Arrival::Late(3), Arrival::TooLate)
        );
        let closes = |stage| lateness.pane(0, stage).closes.0;
        assert_eq!([closes(0), closes(1), closes(2), closes(3)], [60, 120, 180, 210]);
        assert_eq!(lateness.over(0), EventTime(210));
    }

    #[test]
    fn nothing_allowed_means_late_is_too_late() {
        let lateness = lateness(60, 0, true);
        assert_eq!(lateness.arrival(0, EventTime(60)), Arrival::TooLate);
        assert_eq!(lateness.pane(0, 0), PaneId { closes: EventTime(60), stage: 0, start: 0 });
    }

    #[test]
    fn running_values_go_on_until_the_allowed_lateness_is_over() {
        let lateness = lateness(60, 150, false);
        assert_eq!(lateness.arrival(30, EventTime(200)), Arrival::Late(0));
        assert_eq!(lateness.arrival(30, EventTime(210)), Arrival::TooLate);
        assert_eq!(lateness.pane(0, 0).closes, EventTime(210));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let lateness = lateness(1, i64::MAX, true);
        assert_eq!(lateness.arrival(i64::MIN, EventTime(i64::MAX - 1)), Arrival::TooLate);
        assert_eq!(lateness.arrival(-10, EventTime(i64::MAX - 20)), Arrival::Late(u32::MAX));
        assert_eq!(lateness.pane(0, u32::MAX).closes, EventTime(1 + i64::from(u32::MAX)));
        assert_eq!(lateness.pane(i64::MAX - 1, 3).closes, EventTime::MAX);
    }

    proptest! {
        /// A late record's pane is still open at the watermark at which it came, and closes no later than the window is
        /// given up; a step of the watermark that closes a pane is one that closes panes.
        #[test]
        fn panes_close_after_their_records_came(
            size in 1i64..50, allowed in 0i64..120, time in -100i64..100, watermark in -300i64..300, before in -300i64..300,
        ) {
            let lateness = lateness(size, allowed, true);
            let start = lateness.window.start(time);
            let stage = match lateness.arrival(time, EventTime(watermark)) {
                Arrival::OnTime => Some(0),
                Arrival::Late(stage) => Some(stage),
                Arrival::TooLate => None,
            };
            match stage {
                Some(stage) => {
                    let pane = lateness.pane(start, stage);
                    prop_assert!(pane.closes > EventTime(watermark) && pane.closes <= lateness.over(start));
                    if stage > 0 {
                        prop_assert!(lateness.pane(start, stage - 1).closes <= EventTime(watermark));
                    }
                    if EventTime(before) < pane.closes && pane.closes <= EventTime(watermark.max(before)) {
                        prop_assert!(lateness.closes_between(EventTime(before), EventTime(watermark.max(before))));
                    }
                }
                None => prop_assert!(lateness.over(start) <= EventTime(watermark)),
            }
            for stage in 0..4 {
                let closes = lateness.pane(start, stage).closes;
                if EventTime(before) < closes && closes <= EventTime(watermark) {
                    prop_assert!(lateness.closes_between(EventTime(before), EventTime(watermark)));
                }
            }
        }
    }
}
