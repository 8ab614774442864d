//! What sources that make their rows up have in common: rows are numbered, dealt to splits in contiguous shares, and paced
//! by a clock if a rate is set.
//!
//! Guarantees: each row is in one split, whatever the number of splits. No rows are held here: a chunk is two numbers.

use std::sync::Arc;

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::parse::Parser;
use arrow_schema::SchemaRef;

use crate::batch::{Chunk, ChunkSource, Decoded, Payload, Pull, Slice};
use crate::error::{Error, Result};
use crate::types::{Options, Sequence, SplitId};

/// Microseconds of some clock that does not go back. The reader paces by it.
pub type Clock = Box<dyn Fn() -> i64 + Send>;

/// 2024-01-01T00:00:00Z.
const START_US: i64 = 1_704_067_200_000_000;
/// Most splits; beyond it there is nothing to gain.
const SPLITS_MAX: usize = 4096;

/// How many rows there are, and how they are dealt.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    rows: Option<u64>,
    /// Rows a second over all splits.
    rate: Option<f64>,
    splits: usize,
}

impl Shares {
    /// Takes the number of splits out of `options`; `rows` are those in all, and `key` is the option that gave them.
    pub(super) fn take(options: &mut Options, key: &str, rows: Option<u64>, rate: Option<f64>) -> Result<Self> {
        let splits = options.take_parsed("splits", "a whole number of splits")?.unwrap_or(1);
        if !(1..=SPLITS_MAX).contains(&splits) {
            return Err(Error::Config(format!("option splits = '{splits}': expected 1 to {SPLITS_MAX}")));
        }
        if splits > 1 && rows.is_none() {
            return Err(Error::Config(format!("option splits: needs {key}, which are dealt to the splits in shares")));
        }
        Ok(Self { rows, rate, splits })
    }

    /// Rows in all; `None` if they never end.
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Number of splits.
    pub fn splits(&self) -> usize {
        self.splits
    }

    /// The reader of the share with this index, paced by `now_us` if a rate is set. `split` is its number among the splits
    /// of all sources of the job.
    pub fn source(&self, index: u32, split: SplitId, now_us: Clock) -> GeneratorSource {
        let (index, splits) = (u64::from(index), self.splits as u64);
        let border = |i: u64| self.rows.map(|rows| rows / splits * i + rows % splits * i / splits);
        GeneratorSource {
            split,
            next: border(index).unwrap_or(0),
            first: border(index).unwrap_or(0),
            end: border(index + 1).unwrap_or(u64::MAX),
            number: 0,
            rate: self.rate.map(|rate| rate / splits as f64),
            started_us: None,
            now_us,
        }
    }
}

/// Rows a second, if they are to be bounded.
pub(super) fn take_rate(options: &mut Options) -> Result<Option<f64>> {
    let rate: Option<f64> = options.take_parsed("rate", "rows a second, above zero")?;
    if rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
        return Err(Error::Config("option rate: expected rows a second, above zero".into()));
    }
    Ok(rate)
}

/// Event time of the first row.
pub(super) fn take_start(options: &mut Options) -> Result<i64> {
    let Some(text) = options.take("start") else { return Ok(START_US) };
    TimestampMicrosecondType::parse(&text).ok_or_else(|| {
        Error::Config(format!("option start = '{text}': expected a timestamp like 2024-01-01T00:00:00Z"))
    })
}

/// Microseconds of `5s`, `250ms`, `1.5h`; not negative.
pub(super) fn take_duration(options: &mut Options, key: &str) -> Result<Option<i64>> {
    let Some(text) = options.take(key) else { return Ok(None) };
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_us = match unit.trim() {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" | "min" => 6e7,
        "h" => 3.6e9,
        "d" => 8.64e10,
        _ => f64::NAN,
    };
    match number.parse::<f64>().map(|number| number * unit_us) {
        Ok(us) if us.is_finite() && us < 9e18 => Ok(Some(us.round() as i64)),
        _ => Err(Error::Config(format!("option {key} = '{text}': expected a length of time like 250ms, 5s or 1m"))),
    }
}

/// Numbers the rows of one split.
pub struct GeneratorSource {
    split: SplitId,
    first: u64,
    next: u64,
    end: u64,
    number: u64,
    /// Rows a second of this split.
    rate: Option<f64>,
    started_us: Option<i64>,
    now_us: Clock,
}

impl ChunkSource for GeneratorSource {
    fn name(&self) -> &str {
        "generator"
    }

    fn pull(&mut self, rows_max: usize) -> Result<Pull> {
        if self.next == self.end {
            return Ok(Pull::End);
        }
        let mut rows = (self.end - self.next).min(rows_max.clamp(1, u32::MAX as usize) as u64);
        if let Some(rate) = self.rate {
            let now = (self.now_us)();
            let started = *self.started_us.get_or_insert(now);
            let due = (now.saturating_sub(started).max(0) as f64 * rate / 1e6) as u64;
            rows = rows.min(due.saturating_sub(self.next - self.first));
            if rows == 0 {
                let next_due_us = (self.next - self.first + 1) as f64 / rate * 1e6;
                let wait_us = next_due_us - now.saturating_sub(started) as f64;
                return Ok(Pull::Pending((wait_us.max(1.0) * 1e3) as u64));
            }
        }
        let chunk = Chunk {
            sequence: Sequence::new(self.split, self.number),
            first_record: self.next - self.first + 1,
            records: rows as u32,
            payload: Payload::Generated { first: self.next, rows: rows as u32 },
        };
        self.next += rows;
        self.number += 1;
        Ok(Pull::Chunk(chunk))
    }

    fn recycle(&mut self, _chunk: Chunk) {}
}

/// Appends the rows of `arrays` to `into`, in slices of at most `rows_max`.
pub(super) fn slice(
    schema: &SchemaRef,
    arrays: Vec<ArrayRef>,
    rows: usize,
    rows_max: usize,
    into: &mut Decoded,
) -> Result<()> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(|error| Error::Data(error.to_string()))?;
    let (batch, rows_max) = (Arc::new(batch), rows_max.max(1));
    for offset in (0..rows).step_by(rows_max) {
        into.slices.push(Slice { batch: Arc::clone(&batch), offset, rows: rows_max.min(rows - offset) });
    }
    Ok(())
}
