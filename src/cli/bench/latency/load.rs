//! One load: rows that are due at intended times, put through the machines of a job, and how late they arrive at the sink.
//!
//! The loop is open: row i is due at `start + i * interval` whatever happened before, and its latency counts from then, so
//! that a stall shows in every row that was due meanwhile (no coordinated omission). A pull yields all rows that are due: one
//! when the pipeline keeps up, more when it does not. The first tenth warms up and is not counted; nothing else is left out.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use hdrhistogram::Histogram;

use super::super::machinery::Machinery;
use crate::batch::{Chunk, ChunkSource, Payload, Pull};
use crate::engine::{Engine, JobPlan};
use crate::error::{Error, Result};
use crate::partition::RowSink;
use crate::sys::monotonic_ns;
use crate::types::{Options, Sequence, SplitId};

/// A row for each record, with the running values of its key: the whole way through state, and no window to wait for.
const QUERY: &str = "CREATE SOURCE ticks (symbol BIGINT, price DOUBLE, sent BIGINT) WITH (connector = 'memory');
    SELECT symbol, COUNT(*), AVG(price), MAX(sent) FROM ticks GROUP BY symbol EMIT CHANGES";

/// The column of the result that holds when the row was due.
const SENT: usize = 3;

/// The job that loads run through.
pub fn job() -> Result<JobPlan> {
    Ok(Engine::new().compile(QUERY, &Options::new())?.remove(0))
}

/// Runs the machines of a job from a source to a sink, to the end of the source.
pub trait Drive {
    /// What figures call it.
    fn name(&self) -> String;
    /// Lays out the job.
    fn machinery(&self, job: &JobPlan) -> Result<Machinery>;
    /// Runs it.
    fn run(&self, machinery: &Machinery, source: Box<dyn ChunkSource>, sink: Box<dyn RowSink>) -> Result<()>;
}

/// Rows, and when they are due.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Number of rows.
    pub rows: u64,
    /// Distinct keys, drawn at random.
    pub keys: u64,
    /// Time between two rows in nanoseconds; 0 makes all due at once.
    pub interval_ns: f64,
}

/// What became of a load.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Latencies in nanoseconds.
    pub latencies: Histogram<u64>,
    /// Rows a second, from when the first row was due to when the last had arrived.
    pub rows_per_s: f64,
}

impl Load {
    /// `rows_per_s` for `seconds`, with at most `rows_max` rows.
    pub fn at(rows_per_s: f64, seconds: f64, rows_max: u64, keys: u64) -> Self {
        let rows = ((rows_per_s * seconds) as u64).clamp(10, rows_max.max(10));
        Self { rows, keys, interval_ns: 1e9 / rows_per_s.max(1e-3) }
    }

    /// Nanoseconds after the start at which row `index` is due.
    fn due_ns(&self, index: u64) -> u64 {
        (index as f64 * self.interval_ns) as u64
    }

    /// Puts the load through `job`.
    pub fn run(&self, drive: &dyn Drive, job: &JobPlan) -> Result<Outcome> {
        let machinery = drive.machinery(job)?;
        let start = Arc::new(OnceLock::new());
        let source = PacedSource::new(*self, &machinery.plan().scan.projection, Arc::clone(&start))?;
        let arrivals = Arc::new(Mutex::new(None));
        let sink = ArrivalSink {
            start: Arc::clone(&start),
            seen: Arrivals { latencies: new_histogram(), rows: 0, sent_sum: 0, last_ns: 0 },
            warm_ns: self.due_ns(self.rows / 10),
            finished: Arc::clone(&arrivals),
        };
        drive.run(&machinery, Box::new(source), Box::new(sink))?;
        let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(arrivals), Some(start_ns)) = (arrivals, start.get()) else {
            return Err(Error::Execution(format!("{}: no row arrived", drive.name())));
        };
        // MAX(sent) of a key grows with every row, so each row shows its own: their sum is that of all rows.
        let expected = (0..self.rows).map(|index| u128::from(self.due_ns(index))).sum::<u128>();
        if (arrivals.rows, arrivals.sent_sum) != (self.rows, expected) {
            return Err(Error::Execution(format!(
                "{}: {} of {} rows arrived, or others than were sent: the run is void",
                drive.name(),
                arrivals.rows,
                self.rows
            )));
        }
        let took_ns = arrivals.last_ns.saturating_sub(*start_ns).max(1);
        Ok(Outcome { latencies: arrivals.latencies, rows_per_s: self.rows as f64 * 1e9 / took_ns as f64 })
    }
}

/// Three digits, to ten minutes: what lasts longer counts as that.
pub(super) fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000_000, 3).expect("the bounds are valid")
}

/// Rows of a batch in memory, of which chunks are cut.
const BLOCK_ROWS: u64 = 1 << 16;

/// Yields rows once they are due. It never sleeps: it says how long there is nothing.
struct PacedSource {
    load: Load,
    blocks: Vec<Arc<RecordBatch>>,
    start: Arc<OnceLock<u64>>,
    /// Rows yielded.
    done: u64,
    number: u64,
}

impl PacedSource {
    /// Makes all rows.
    fn new(load: Load, projection: &[usize], start: Arc<OnceLock<u64>>) -> Result<Self> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut block = |first: u64| {
            let rows = first..(first + BLOCK_ROWS).min(load.rows);
            let keys: Int64Array = rows.clone().map(|_| Some((random() % load.keys) as i64)).collect();
            let prices: Float64Array = rows.clone().map(|_| Some((random() % 100_000) as f64 / 100.0)).collect();
            let sent: Int64Array = rows.map(|index| Some(load.due_ns(index) as i64)).collect();
            let columns: [(&str, ArrayRef); 3] =
                [("symbol", Arc::new(keys)), ("price", Arc::new(prices)), ("sent", Arc::new(sent))];
            let batch = RecordBatch::try_from_iter(columns).and_then(|batch| batch.project(projection));
            batch.map(Arc::new).map_err(|error| Error::Execution(error.to_string()))
        };
        let blocks = (0..load.rows).step_by(BLOCK_ROWS as usize).map(&mut block).collect::<Result<_>>()?;
        Ok(Self { load, blocks, start, done: 0, number: 0 })
    }
}

impl ChunkSource for PacedSource {
    fn name(&self) -> &str {
        "ticks"
    }

    fn pull(&mut self, rows_max: usize) -> Result<Pull> {
        if self.done == self.load.rows {
            return Ok(Pull::End);
        }
        let now_ns = monotonic_ns();
        let since_ns = now_ns - *self.start.get_or_init(|| now_ns);
        let due = match self.load.interval_ns {
            0.0 => self.load.rows,
            // By the same rule as `due_ns`, so that no row leaves before it is due.
            interval_ns => ((since_ns as f64 / interval_ns) as u64 + 1).min(self.load.rows),
        };
        if due <= self.done {
            return Ok(Pull::Pending(self.load.due_ns(self.done).saturating_sub(since_ns).max(1)));
        }
        let (block, offset) = (self.done / BLOCK_ROWS, self.done % BLOCK_ROWS);
        let rows = (due - self.done).min(rows_max as u64).min(BLOCK_ROWS - offset);
        let chunk = Chunk {
            sequence: Sequence::new(SplitId(0), self.number),
            first_record: self.done + 1,
            records: rows as u32,
            payload: Payload::Columns {
                batch: Arc::clone(&self.blocks[block as usize]),
                offset: offset as usize,
                rows: rows as usize,
            },
        };
        self.done += rows;
        self.number += 1;
        Ok(Pull::Chunk(chunk))
    }

    fn recycle(&mut self, _chunk: Chunk) {}
}

/// What a sink saw.
struct Arrivals {
    latencies: Histogram<u64>,
    rows: u64,
    sent_sum: u128,
    last_ns: u64,
}

/// Takes the time when rows arrive.
struct ArrivalSink {
    start: Arc<OnceLock<u64>>,
    seen: Arrivals,
    /// Rows due before this after the start are not counted.
    warm_ns: u64,
    finished: Arc<Mutex<Option<Arrivals>>>,
}

impl ArrivalSink {
    /// Hands over what was seen once the writer is done with it.
    fn hand_over(&mut self) {
        let empty = Arrivals { latencies: new_histogram(), rows: 0, sent_sum: 0, last_ns: 0 };
        let seen = std::mem::replace(&mut self.seen, empty);
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(seen);
    }
}

impl RowSink for ArrivalSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let now_ns = monotonic_ns();
        let since_ns = now_ns - self.start.get().copied().unwrap_or(now_ns);
        let sent = batch.column(SENT).as_primitive::<Int64Type>().values();
        for &sent in sent.iter() {
            let sent_ns = sent.unsigned_abs();
            self.seen.sent_sum += u128::from(sent_ns);
            if sent_ns >= self.warm_ns {
                self.seen.latencies.saturating_record(since_ns.saturating_sub(sent_ns).max(1));
            }
        }
        self.seen.rows += sent.len() as u64;
        self.seen.last_ns = now_ns;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Drop for ArrivalSink {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No row leaves before it is due, all leave, and a late pull yields all that were due meanwhile.
    #[test]
    fn rows_leave_when_they_are_due() {
        let load = Load { rows: 50, keys: 3, interval_ns: 200_000.0 };
        let start = Arc::new(OnceLock::new());
        let mut source = PacedSource::new(load, &[0, 1, 2], Arc::clone(&start)).unwrap();
        let (mut rows, mut most) = (0, 0);
        loop {
            match source.pull(7).unwrap() {
                Pull::Chunk(chunk) => {
                    rows += u64::from(chunk.records);
                    most = most.max(chunk.records);
                    let since_ns = monotonic_ns() - start.get().unwrap();
                    assert!(load.due_ns(rows - 1) <= since_ns, "row {rows} left too early");
                }
                Pull::Pending(ns) => {
                    assert!(ns <= 200_001, "{ns}");
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                Pull::End => break,
            }
        }
        assert_eq!((rows, most), (50, 7));
    }

    #[test]
    fn a_load_has_as_many_rows_as_its_time_holds() {
        assert_eq!(Load::at(1000.0, 0.5, 8_000_000, 7).rows, 500);
        assert_eq!(Load::at(1e9, 0.5, 8_000_000, 7).rows, 8_000_000);
        assert_eq!(Load::at(1.0, 0.5, 8_000_000, 7).rows, 10);
    }
}
