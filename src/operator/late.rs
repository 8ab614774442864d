//! Drops late records, exactly: a record is late if the watermark of its own split, at that record, had already closed
//! its window. Neither the batch size nor the number of partitions shows.

use crate::batch::{Batch, Selection};
use crate::error::Result;
use crate::time::Tumbling;
use crate::types::EventTime;

use super::{Context, Next, Operator, listed};

/// When a record is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateRule {
    /// Its window ended at or before the watermark.
    Window(Tumbling),
    /// It is behind the watermark: rows up to there were released in order.
    Order,
}

impl LateRule {
    fn is_late(self, time: i64, watermark: EventTime) -> bool {
        match self {
            Self::Window(window) => window.is_late(time, watermark),
            Self::Order => EventTime(time) < watermark,
        }
    }
}

/// Drops late records and records without an event time. Its input holds all rows of the batch, selected or not: the
/// watermark runs over those that a filter removed, too.
pub struct Late {
    column: usize,
    bound_us: i64,
    rule: LateRule,
}

impl Late {
    /// Looks at the event time in `column`.
    pub fn new(column: usize, bound_us: i64, rule: LateRule) -> Self {
        Self { column, bound_us, rule }
    }
}

impl Operator for Late {
    fn takes_masks(&self) -> bool {
        true
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let column = &batch.columns[self.column];
        let times = column.int64();
        if column.validity.is_none() {
            let least = times.iter().copied().min().unwrap_or(i64::MAX);
            let greatest = times.iter().copied().max().map_or(context.greatest_before, EventTime);
            let at_end = context.greatest_before.max(greatest).minus(self.bound_us);
            // Lateness only grows with the watermark and shrinks with time: the earliest row against the last watermark
            // stands for all.
            if !self.rule.is_late(least, at_end) {
                return next(batch, context);
            }
        }
        let batch = listed(batch, context.arena, context.simd);
        let mut greatest = context.greatest_before;
        let mut kept = bumpalo::collections::Vec::with_capacity_in(batch.selected(), context.arena);
        let mut selected = batch.selection.list().map(|s| s.iter().copied().peekable());
        for (i, &time) in times.iter().enumerate() {
            let wanted = match &mut selected {
                None => true,
                Some(rows) => rows.next_if_eq(&(i as u32)).is_some(),
            };
            if !column.is_valid(i) {
                if wanted {
                    context.fail(batch.key(i), &"the event time is NULL")?;
                }
                continue;
            }
            if wanted {
                if self.rule.is_late(time, greatest.minus(self.bound_us)) {
                    context.counts.late += 1;
                } else {
                    kept.push(i as u32);
                }
            }
            greatest = greatest.max(EventTime(time));
        }
        next(Batch { selection: Selection::Rows(&kept), ..batch }, context)
    }
}
