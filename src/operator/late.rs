//! Finds late records, exactly: a record is late if the watermark of its own split, at that record, had already closed its
//! window. Neither the batch size nor the number of partitions shows.
//!
//! What is not late goes on as one batch. Late records whose window's state is still kept follow, one batch for each stage
//! of lateness, so that what comes after need not look at rows (where rows must stay in order, one for each run of rows of
//! one stage); others are dropped. All are counted. Records that are too
//! far ahead of the clock fail here, and do not move the watermark.

use std::fmt;

use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, Selection};
use crate::error::Result;
use crate::kernel::pane;
use crate::time::{Arrival, Lateness};
use crate::types::text::print;
use crate::types::{EventTime, Schema};

use super::{Context, Next, Operator, listed};

/// When a record is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateRule {
    /// Its window ended at or before the watermark.
    Window(Lateness),
    /// It is behind the watermark: rows up to there were released in order.
    Order,
}

impl LateRule {
    /// Whether rows of several stages stay in order.
    fn keeps_order(self) -> bool {
        matches!(self, Self::Window(lateness) if lateness.keeps_order())
    }

    fn arrival(self, time: i64, watermark: EventTime) -> Arrival {
        match self {
            Self::Window(lateness) => lateness.arrival(time, watermark),
            Self::Order if EventTime(time) < watermark => Arrival::TooLate,
            Self::Order => Arrival::OnTime,
        }
    }
}

/// Why a record that is too far ahead fails.
struct Ahead(i64);

impl fmt::Display for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        print::timestamp(&mut text, self.0);
        let text = String::from_utf8_lossy(&text);
        write!(f, "the event time {text} is further ahead of the clock than max_future allows")
    }
}

/// Sorts late records out, and removes records without an event time. Its input holds all rows of the batch, selected or
/// not: the watermark runs over those that a filter removed, too.
pub struct Late {
    column: usize,
    bound_us: i64,
    rule: LateRule,
    /// Late records of the batch that are processed: their stage and row. Where rows stay in order, all of the batch.
    late: Vec<(u32, u32)>,
    /// Columns of dropped records, if they are kept for a sink.
    kept: Option<Schema>,
}

impl Late {
    /// Looks at the event time in `column`; keeps dropped records, whose columns are those of `kept`, if there are any.
    pub fn new(column: usize, bound_us: i64, rule: LateRule, kept: Option<Schema>) -> Self {
        Self { column, bound_us, rule, late: Vec::new(), kept }
    }

    /// Passes the late records of the batch on, stage by stage.
    fn pass_late(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        if !self.rule.keeps_order() {
            self.late.sort_unstable();
        }
        for stage in self.late.chunk_by(|a, b| a.0 == b.0) {
            let rows = context.arena.alloc_slice_fill_iter(stage.iter().map(|&(_, row)| row));
            context.stage = stage[0].0;
            next(Batch { selection: Selection::Rows(rows), ..batch }, context)?;
        }
        context.stage = 0;
        Ok(())
    }
}

impl Operator for Late {
    fn name(&self) -> &'static str {
        "late records"
    }

    fn takes_masks(&self) -> bool {
        true
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let column = &batch.columns[self.column];
        let times = column.int64();
        if column.validity.is_none() {
            let (least, greatest) = match pane::bounds(context.simd, times) {
                Some((least, greatest)) => (least, EventTime(greatest)),
                None => (i64::MAX, context.greatest_before),
            };
            let at_end = context.greatest_before.max(greatest).minus(self.bound_us);
            // Lateness only grows with the watermark and shrinks with time: the earliest row against the last watermark
            // stands for all.
            if greatest <= context.latest && self.rule.arrival(least, at_end) == Arrival::OnTime {
                return next(batch, context);
            }
        }
        let batch = listed(batch, context.arena, context.simd);
        let mut greatest = context.greatest_before;
        let mut kept = BumpVec::with_capacity_in(batch.selected(), context.arena);
        let mut dropped = BumpVec::new_in(context.arena);
        let mut selected = batch.selection.list().map(|s| s.iter().copied().peekable());
        self.late.clear();
        let keeps_order = self.rule.keeps_order();
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
            if EventTime(time) > context.latest {
                if wanted {
                    context.fail(batch.key(i), &Ahead(time))?;
                }
                continue;
            }
            if wanted {
                let watermark = greatest.minus(self.bound_us);
                let arrival = self.rule.arrival(time, watermark);
                if !matches!(arrival, Arrival::OnTime | Arrival::Open(_)) {
                    context.counts.late += 1;
                    context.counts.lateness.record(watermark.0.abs_diff(time));
                }
                match arrival {
                    Arrival::OnTime | Arrival::Late(0) if keeps_order => self.late.push((0, i as u32)),
                    Arrival::OnTime | Arrival::Late(0) => kept.push(i as u32),
                    Arrival::Late(stage) | Arrival::Open(stage) => self.late.push((stage, i as u32)),
                    Arrival::TooLate => dropped.push(i as u32),
                }
            }
            greatest = greatest.max(EventTime(time));
        }
        context.counts.dropped += dropped.len() as u64;
        if let Some(schema) = self.kept.as_ref().filter(|_| !dropped.is_empty()) {
            let rows = context.counts.dropped_rows.get_or_insert_with(|| BatchBuffer::for_schema(schema));
            rows.append(batch.columns, batch.rows, Some(&dropped));
        }
        if !kept.is_empty() {
            next(Batch { selection: Selection::Rows(&kept), ..batch }, context)?;
        }
        self.pass_late(batch, context, next)
    }
}
