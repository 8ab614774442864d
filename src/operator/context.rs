//! What operators are given beside a batch: the arena, the counts, and what to do with a record that fails.

use std::fmt;
use std::str::FromStr;

use bumpalo::Bump;

use crate::batch::{Batch, BatchBuffer, Selection};
use crate::error::{Error, Result};
use crate::kernel::Simd;
use crate::limits::FAILURE_SAMPLES;
use crate::metrics::LatenessHistogram;
use crate::types::{EventTime, OrderKey};

use super::expr::RowFailures;

/// What to do with a record that cannot be decoded or computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Count it, show the first few, go on.
    #[default]
    Skip,
    /// The same, and write it to the dead-letter file.
    DeadLetter,
    /// End the job. The records that were dealt out before are still looked at, so that the first that fails in the
    /// input is the one that is named.
    Fail,
}

impl FromStr for OnError {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "skip" => Ok(Self::Skip),
            "dead_letter" => Ok(Self::DeadLetter),
            "fail" => Ok(Self::Fail),
            _ => Err(format!("unknown on_error '{text}': expected skip, dead_letter or fail")),
        }
    }
}

/// A record that was read but could not be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFailure {
    /// Where it stood.
    pub place: OrderKey,
    /// Why.
    pub reason: String,
}

/// What became of records; every record read is filtered, dropped, failed or processed in the end.
#[derive(Debug, Default)]
pub struct Counts {
    /// For which WHERE was not true.
    pub filtered: u64,
    /// Late, dropped or not.
    pub late: u64,
    /// Late, and dropped.
    pub dropped: u64,
    /// Those of them, if they are kept for a sink.
    pub dropped_rows: Option<BatchBuffer>,
    /// How late late records were.
    pub lateness: LatenessHistogram,
    /// Could not be computed.
    pub failed: u64,
    /// The first of those.
    pub failures: Vec<RecordFailure>,
}

/// Beside a batch.
pub struct Context<'c> {
    /// Scratch memory, freed after the batch.
    pub arena: &'c Bump,
    /// What became of records so far.
    pub counts: &'c mut Counts,
    /// Greatest event time of the split before the batch's first row.
    pub greatest_before: EventTime,
    /// Event time up to which records are believed: later ones fail, and do not move the watermark.
    pub latest: EventTime,
    /// The job's clock when the batch was read.
    pub now: EventTime,
    /// Stage of lateness of the batch's rows, see [`crate::time::Lateness`]; 0 for rows on time.
    pub stage: u32,
    /// Whether rows stand for records, so that one that fails is counted; rows of groups end the job instead.
    pub rows_are_records: bool,
    /// What to do with a record that fails.
    pub on_error: OnError,
    /// The vectors that kernels may use.
    pub simd: Simd,
}

impl Context<'_> {
    /// The same with other scratch memory.
    pub fn with_arena<'a>(&'a mut self, arena: &'a Bump) -> Context<'a> {
        Context {
            arena,
            counts: self.counts,
            greatest_before: self.greatest_before,
            latest: self.latest,
            now: self.now,
            stage: self.stage,
            rows_are_records: self.rows_are_records,
            on_error: self.on_error,
            simd: self.simd,
        }
    }

    /// Removes the failed rows of `batch` and counts them, or ends the job if that is what was asked for.
    pub fn settle<'b>(&mut self, batch: Batch<'b>, failures: &RowFailures<'_>, arena: &'b Bump) -> Result<Batch<'b>> {
        if failures.is_empty() {
            return Ok(batch);
        }
        for (row, reason) in failures.iter() {
            self.fail(batch.key(row), &reason)?;
        }
        let mut kept = bumpalo::collections::Vec::with_capacity_in(batch.selected(), arena);
        batch.for_each(|i| {
            if failures.reason(i).is_none() {
                kept.push(i as u32);
            }
        });
        Ok(Batch { selection: Selection::Rows(kept.into_bump_slice()), ..batch })
    }

    /// Counts one failed record.
    pub fn fail(&mut self, place: OrderKey, reason: &dyn fmt::Display) -> Result<()> {
        if !self.rows_are_records {
            return Err(Error::Execution(reason.to_string()));
        }
        self.counts.failed += 1;
        if self.counts.failures.len() < FAILURE_SAMPLES || self.on_error == OnError::DeadLetter {
            self.counts.failures.push(RecordFailure { place, reason: reason.to_string() });
        }
        Ok(())
    }
}
