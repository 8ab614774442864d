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
//!
//! A record of overlapping windows may be late for some of its windows and on time for others. It is aggregated once, into
//! its slice, apart from the records of that slice that came under other watermarks: each slice has *classes*, one for
//! every stretch of watermarks between which no window of the slice closes, leaves a correction or is given up. Every
//! window takes from the classes in each of its rounds what came to it since the last.
//!
//! The windows of sessions are not known before all their records are. So a record of a session is late if its slice was over
//! (see [`Windows`]), and the first result of a session leaves at the end of the slice in which the session ends: until then
//! no record that is not late can join it, and from then on none.

use crate::types::EventTime;

use super::{Slices, Span, Windows};

/// What a record is, next to its split's watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// All its windows were open, and no early result of them has left that it belongs to.
    OnTime,
    /// All its windows were open, but some early result had left without it: it belongs to this class.
    Open(u32),
    /// Some of its windows were closed, but the state of one is still there: it belongs to this class, or stage.
    Late(u32),
    /// The state of all its windows was given up.
    TooLate,
}

/// The rows of a slice that came in one stage or class. Panes ascend in the order in which they close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaneId {
    /// The watermark that closes it: no record will come to it.
    pub closes: EventTime,
    /// 0 for records on time; of others the stage (for the k-th correction it is k) or, where a slice belongs to several
    /// windows, the class.
    pub stage: u32,
    /// Start of the slice.
    pub start: i64,
}

impl PaneId {
    /// The pane of a query without windows: all rows, from the beginning to the end of time.
    pub const ALL: Self = Self { closes: EventTime::MAX, stage: 0, start: i64::MIN };
}

/// When results of a window leave. Rounds ascend in the order in which their results leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Round {
    /// The watermark at which they leave.
    pub leaves: EventTime,
    /// 0 for first and early results, k for the k-th correction.
    pub stage: u32,
    /// The window.
    pub window: Span,
}

/// Windows and what becomes of records that come late to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// The windows.
    pub windows: Windows,
    /// How long after its end the state of a window is kept for late records, in microseconds of event time; 0 drops them.
    pub allowed_us: i64,
    /// Whether results leave before the window closes: at all multiples of so many microseconds of event time.
    pub every_us: Option<i64>,
    /// Whether late records make corrections of results that have left; else (EMIT CHANGES) they change the running
    /// values like any other.
    pub corrects: bool,
}

impl Lateness {
    /// What a record at `time` is when its split's watermark stands at `watermark`.
    pub fn arrival(&self, time: i64, watermark: EventTime) -> Arrival {
        let slice = self.slices().start(time);
        let base = self.base(slice);
        if watermark < base {
            return Arrival::OnTime;
        }
        let last = if self.has_classes() { self.windows.last_end(slice) } else { base };
        if watermark >= last && watermark.0.saturating_sub(last.0) >= self.allowed_us {
            Arrival::TooLate
        } else if !self.corrects && (!self.windows.overlap() || watermark < self.over(base)) {
            Arrival::Late(0)
        } else if self.has_classes() {
            let class = self.class(base, watermark);
            if watermark < self.windows.first_end(slice) { Arrival::Open(class) } else { Arrival::Late(class) }
        } else {
            let late_us = watermark.0.saturating_sub(base.0);
            Arrival::Late(u32::try_from(late_us / self.spacing_us()).unwrap_or(u32::MAX - 1) + 1)
        }
    }

    /// The slices that rows are grouped into.
    pub fn slices(&self) -> Slices {
        self.windows.slices(self.every_us)
    }

    /// Whether slices have classes, so that windows are put together from them.
    pub fn has_classes(&self) -> bool {
        self.windows.overlap() || self.every_us.is_some()
    }

    /// The pane of the slice that starts at `start`, for rows of a stage or class.
    pub fn pane(&self, start: i64, stage: u32) -> PaneId {
        let base = self.base(start);
        let closes = match stage {
            0 if self.corrects => base,
            0 => after(self.windows.last_end(start), self.allowed_us),
            class if self.has_classes() => self.class_from(base, class + 1),
            stage => after(base, self.spacing_us().saturating_mul(i64::from(stage)).min(self.allowed_us)),
        };
        PaneId { closes, stage, start }
    }

    /// Whether rows go to running values (EMIT CHANGES) of windows of which some may have been given up: rows of different
    /// classes must not change places then.
    pub fn keeps_order(&self) -> bool {
        !self.corrects && self.windows.overlap()
    }

    /// Where running values (EMIT CHANGES) take in rows of the slice that starts at `start` which came in a class: in one pane
    /// for each window that is not given up, by its end.
    pub fn running(&self, start: i64, class: u32) -> impl Iterator<Item = (PaneId, Span)> + use<> {
        debug_assert!(!self.corrects);
        let this = *self;
        let from = if class == 0 { EventTime::MIN } else { self.class_from(self.base(start), class) };
        let pane = move |window: Span| PaneId { closes: this.over(window.end), stage: 0, start: window.start };
        let windows = self.windows.of_slice(start).map(move |window| (pane(window), window));
        windows.filter(move |(pane, _)| from < pane.closes)
    }

    /// For each window of a pane's slice that its rows came to, the round in which they do; windows by their end.
    pub fn rounds(&self, pane: PaneId) -> impl Iterator<Item = Round> {
        let this = *self;
        self.windows.of_slice(pane.start).filter_map(move |window| this.round(pane, window))
    }

    /// The round in which the rows of a pane come to a window of its slice; none if they came too late for it.
    pub fn round(&self, pane: PaneId, window: Span) -> Option<Round> {
        if pane.closes <= window.end {
            let leaves = self.early(pane.closes).map_or(window.end, |early| early.min(window.end));
            return Some(Round { leaves, stage: 0, window });
        }
        // Ends of windows lie between classes, so the whole class came after the window's.
        let from = self.class_from(self.base(pane.start), pane.stage);
        let late_us = from.0.saturating_sub(window.end.0);
        if late_us >= self.allowed_us {
            return None;
        }
        let stage = late_us / self.spacing_us() + 1;
        let leaves = after(window.end, self.spacing_us().saturating_mul(stage).min(self.allowed_us));
        Some(Round { leaves, stage: u32::try_from(stage).unwrap_or(u32::MAX), window })
    }

    /// The first moment at which early results leave, not before `time`; none if there are no early results.
    pub fn early(&self, time: EventTime) -> Option<EventTime> {
        let every_us = self.every_us?;
        let into = time.0.rem_euclid(every_us);
        Some(after(time, if into == 0 { 0 } else { every_us - into }))
    }

    /// The watermark from which it is known that a session whose last row is at `last` is over.
    pub fn session_over(&self, last: i64) -> EventTime {
        let Windows::Session { gap_us } = self.windows else { panic!("{:?} are no sessions", self.windows) };
        self.windows.first_end(self.slices().start(last.saturating_add(gap_us - 1)))
    }

    /// The watermark from which no record can reach a window that ends at `end`.
    pub fn over(&self, end: EventTime) -> EventTime {
        after(end, self.allowed_us)
    }

    /// Whether some pane closes or some result leaves between these two watermarks, here or elsewhere.
    pub fn closes_between(&self, before: EventTime, watermark: EventTime) -> bool {
        let size_us = self.slices().size_us;
        let passes = |shift_us: i64| {
            let index = |time: EventTime| time.0.saturating_sub(shift_us).div_euclid(size_us);
            index(before) < index(watermark)
        };
        watermark > EventTime::MIN && (before == EventTime::MIN || passes(0) || passes(self.allowed_us))
    }

    /// The watermark from which rows of a slice are apart from those before: when the first of its windows closes, or
    /// early results of it may leave.
    fn base(&self, slice: i64) -> EventTime {
        if self.every_us.is_some() { self.slices().end(slice) } else { self.windows.first_end(slice) }
    }

    /// The class of `watermark`, which is not before `base`, that of a slice. From there on, a class begins with every slice and with every slice after the allowed lateness: at all times at which something may happen to
    /// a window.
    fn class(&self, base: EventTime, watermark: EventTime) -> u32 {
        let size_us = self.slices().size_us;
        let shift_us = self.allowed_us % size_us;
        let late_us = watermark.0.saturating_sub(base.0);
        let (slices, rest) = (late_us / size_us, late_us % size_us);
        let class = match shift_us {
            0 => slices,
            _ => slices.saturating_mul(2).saturating_add(i64::from(rest >= shift_us)),
        };
        u32::try_from(class).unwrap_or(u32::MAX - 2) + 1
    }

    /// The watermark at which a class begins, the one before it ends.
    fn class_from(&self, base: EventTime, class: u32) -> EventTime {
        let size_us = self.slices().size_us;
        let shift_us = self.allowed_us % size_us;
        let number = i64::from(class.saturating_sub(1));
        let slices_us = |slices: i64| slices.saturating_mul(size_us);
        after(
            base,
            match shift_us {
                0 => slices_us(number),
                _ => slices_us(number / 2).saturating_add(if number % 2 == 1 { shift_us } else { 0 }),
            },
        )
    }

    /// Event time from one correction of a window to the next.
    fn spacing_us(&self) -> i64 {
        self.windows.spacing_us().min(self.allowed_us).max(1)
    }
}

fn after(time: EventTime, us: i64) -> EventTime {
    EventTime(time.0.saturating_add(us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lateness(size_us: i64, allowed_us: i64, corrects: bool) -> Lateness {
        Lateness { windows: Windows::Tumbling { size_us }, allowed_us, every_us: None, corrects }
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
        assert_eq!(lateness.over(EventTime(60)), EventTime(210));
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
            let start = lateness.slices().start(time);
            let stage = match lateness.arrival(time, EventTime(watermark)) {
                Arrival::OnTime => Some(0),
                Arrival::Late(stage) | Arrival::Open(stage) => Some(stage),
                Arrival::TooLate => None,
            };
            match stage {
                Some(stage) => {
                    let pane = lateness.pane(start, stage);
                    prop_assert!(pane.closes > EventTime(watermark) && pane.closes <= lateness.over(lateness.slices().end(start)));
                    if stage > 0 {
                        prop_assert!(lateness.pane(start, stage - 1).closes <= EventTime(watermark));
                    }
                    if EventTime(before) < pane.closes && pane.closes <= EventTime(watermark.max(before)) {
                        prop_assert!(lateness.closes_between(EventTime(before), EventTime(watermark.max(before))));
                    }
                }
                None => prop_assert!(lateness.over(lateness.slices().end(start)) <= EventTime(watermark)),
            }
            for stage in 0..4 {
                let closes = lateness.pane(start, stage).closes;
                if EventTime(before) < closes && closes <= EventTime(watermark) {
                    prop_assert!(lateness.closes_between(EventTime(before), EventTime(watermark)));
                }
            }
        }

        /// Whatever came to a slice of overlapping windows comes to each of them in the stage that its watermark says, and
        /// not before its pane closed; a step of the watermark that lets a result leave is one that closes panes.
        #[test]
        fn overlapping_windows_take_late_rows_by_the_definition(
            size in 1i64..50, slide in 1i64..50, cumulates in any::<bool>(), allowed in 0i64..120, time in -100i64..100,
            watermark in -300i64..300, before in -300i64..300, every in prop::option::of(1i64..70),
        ) {
            let windows = match cumulates {
                true => Windows::Cumulating { step_us: slide, max_us: slide * (1 + size % 7) },
                false => Windows::Hopping { size_us: size.max(slide), slide_us: slide.min(size) },
            };
            let lateness = Lateness { windows, allowed_us: allowed, every_us: every, corrects: true };
            let slice = lateness.slices().start(time);
            let class = match lateness.arrival(time, EventTime(watermark)) {
                Arrival::OnTime => Some(0),
                Arrival::Late(class) | Arrival::Open(class) => Some(class),
                Arrival::TooLate => None,
            };
            let pane = class.map(|class| lateness.pane(slice, class));
            if let Some(pane) = pane {
                prop_assert!(pane.closes > EventTime(watermark));
            }
            let spacing = windows.spacing_us().min(allowed).max(1);
            let mut late = false;
            for window in windows.of_slice(slice) {
                let end = window.end.0;
                let stage = if watermark < end {
                    Some(0)
                } else {
                    late = true;
                    (watermark - end < allowed).then(|| (watermark - end) / spacing + 1)
                };
                let round = pane.and_then(|pane| lateness.round(pane, window));
                prop_assert_eq!(round.map(|round| i64::from(round.stage)), stage);
                if let (Some(round), Some(pane), Some(stage)) = (round, pane, stage) {
                    let seen = slice.max(watermark) + 1;
                    let seen = seen.max(lateness.slices().end(slice).0);
                    let early = every.map(|every| (seen + every - 1).div_euclid(every) * every);
                    let first = early.map_or(end, |early| early.min(end));
                    let expected = if stage == 0 { first } else { end + (stage * spacing).min(allowed) };
                    prop_assert_eq!(round.leaves.0, expected);
                    prop_assert!(pane.closes <= round.leaves && round.leaves <= lateness.over(window.end));
                    if EventTime(before) < round.leaves && round.leaves <= EventTime(watermark.max(before)) {
                        prop_assert!(lateness.closes_between(EventTime(before), EventTime(watermark.max(before))));
                    }
                }
            }
            let is_late = !matches!(lateness.arrival(time, EventTime(watermark)), Arrival::OnTime | Arrival::Open(_));
            prop_assert_eq!(late, is_late);
        }

        /// Running values of overlapping windows take a row in for every window that is not given up, and their panes close
        /// when it is.
        #[test]
        fn running_values_take_rows_in_until_their_window_is_given_up(
            size in 1i64..50, slide in 1i64..50, cumulates in any::<bool>(), allowed in 0i64..120, time in -100i64..100,
            watermark in -300i64..300,
        ) {
            let windows = match cumulates {
                true => Windows::Cumulating { step_us: slide, max_us: slide * (1 + size % 7) },
                false => Windows::Hopping { size_us: size.max(slide), slide_us: slide.min(size) },
            };
            let lateness = Lateness { windows, allowed_us: allowed, every_us: None, corrects: false };
            let slice = lateness.slices().start(time);
            let expected: Vec<Span> = windows.of_slice(slice).filter(|window| watermark < window.end.0 + allowed).collect();
            let class = match lateness.arrival(time, EventTime(watermark)) {
                Arrival::OnTime => Some(0),
                Arrival::Late(class) | Arrival::Open(class) => Some(class),
                Arrival::TooLate => None,
            };
            prop_assert_eq!(class.is_some(), !expected.is_empty());
            let panes: Vec<(PaneId, Span)> = class.into_iter().flat_map(|class| lateness.running(slice, class)).collect();
            let found: Vec<Span> = panes.iter().map(|(_, window)| *window).collect();
            prop_assert_eq!(found, expected);
            for (pane, window) in panes {
                prop_assert_eq!((pane.closes, pane.start), (lateness.over(window.end), window.start));
            }
        }
    }
}
