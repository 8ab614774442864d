//! *tokio-rows*: how streaming engines on tokio start. A record is a map from names to values; a reader task sends records
//! one by one through `tokio::sync::mpsc` to engine tasks, whose state is behind an `Arc<Mutex>` that is taken for each
//! record; what they emit goes, as maps, through another channel to a writer task.
//!
//! V1 has one engine task. V2 has one for each partition, each with state of its own; the reader sends a record to the task
//! of its key's hash. Records are made before the clock starts and moved from there on; results are moved as well.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex as StdMutex};

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use corelane::engine::{Job, JobProcessor, JobReport};
use corelane::error::{Error, Result};
use tokio::sync::{Mutex, mpsc};

use crate::batches::runtime;
use crate::queries::{Query, State};

/// A value of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    /// INT, BIGINT, DATE (days) and TIMESTAMP (microseconds).
    Integer(i64),
    Float(f64),
    Text(String),
}

/// A record.
pub type Record = HashMap<String, Value>;

/// A record on its way to an engine task.
pub struct Message {
    pub record: Record,
    /// Its number in the input.
    pub number: u64,
    /// The watermark before it.
    pub watermark: i64,
}

/// Records of a channel at most.
const CHANNEL_RECORDS: usize = 1024;

/// The contender.
pub struct TokioRows {
    /// Engine tasks; 1 is V1.
    pub tasks: usize,
    /// Threads of the runtime are as many as `partitioned` has with so many partitions.
    pub partitions: usize,
    pub query: Query,
    /// Taken by the run.
    pub records: StdMutex<Vec<Record>>,
    /// Rows of the result, if they are kept.
    pub collected: Option<Arc<StdMutex<Vec<Record>>>>,
}

/// The task of a record.
fn task_of(query: Query, tasks: usize, message: &Message, hasher: &RandomState) -> usize {
    let keys = query.keys();
    if tasks == 1 || keys.is_empty() {
        return (message.number % tasks as u64) as usize;
    }
    let hash = keys.iter().fold(0_u64, |hash, key| {
        let key = match &message.record[*key] {
            Value::Text(text) => hasher.hash_one(text),
            Value::Integer(integer) => hasher.hash_one(integer),
            Value::Float(_) | Value::Null => 0,
        };
        hash.rotate_left(5) ^ key
    });
    (hash % tasks as u64) as usize
}

/// The reader task: sends each record to its engine task, with the watermark before it.
async fn read(records: Vec<Record>, query: Query, to: Vec<mpsc::Sender<Message>>) -> Result<()> {
    let hasher = RandomState::new();
    let mut greatest = i64::MIN;
    for (number, record) in (0_u64..).zip(records) {
        let (time, bound_us) = query.event_time(&record);
        let message = Message { number, watermark: greatest.saturating_sub(bound_us), record };
        greatest = greatest.max(time);
        let task = task_of(query, to.len(), &message, &hasher);
        let sent = to[task].send(message).await;
        sent.map_err(|_| Error::Execution("an engine task has ended".into()))?;
    }
    Ok(())
}

impl JobProcessor for TokioRows {
    fn process_job(&self, _job: &Job<'_>) -> Result<JobReport> {
        let records = std::mem::take(&mut *self.records.lock().expect("nobody panicked"));
        let records_read = records.len() as u64;
        let runtime = runtime(self.partitions);
        let collected = self.collected.clone();
        let records_emitted = runtime.block_on(async {
            let (to_writer, mut from_engines) = mpsc::channel::<Record>(CHANNEL_RECORDS);
            let mut inputs = Vec::new();
            for _ in 0..self.tasks {
                let (input, from_reader) = mpsc::channel(CHANNEL_RECORDS);
                let state = Arc::new(Mutex::new(State::new(self.query)));
                tokio::spawn(engine(from_reader, state, to_writer.clone()));
                inputs.push(input);
            }
            drop(to_writer);
            let writer = tokio::spawn(async move {
                let mut rows = 0;
                while let Some(record) = from_engines.recv().await {
                    rows += 1;
                    if let Some(collected) = &collected {
                        collected.lock().expect("nobody panicked").push(record);
                    }
                }
                rows
            });
            let failed = |error: tokio::task::JoinError| Error::Execution(error.to_string());
            tokio::spawn(read(records, self.query, inputs)).await.map_err(failed)??;
            writer.await.map_err(failed)
        })?;
        Ok(JobReport { processor: self.name(), records_read, records_emitted, ..JobReport::default() })
    }

    fn num_partitions(&self) -> usize {
        self.tasks
    }

    fn name(&self) -> String {
        "tokio-rows".into()
    }

    fn version(&self) -> &'static str {
        if self.tasks == 1 { "V1" } else { "V2" }
    }
}

/// An engine task: takes its state for each record.
async fn engine(mut input: mpsc::Receiver<Message>, state: Arc<Mutex<State>>, output: mpsc::Sender<Record>) {
    let mut emitted = Vec::new();
    while let Some(message) = input.recv().await {
        state.lock().await.process(message, &mut emitted);
        for record in emitted.drain(..) {
            if output.send(record).await.is_err() {
                return;
            }
        }
    }
    state.lock().await.finish(&mut emitted);
    for record in emitted {
        if output.send(record).await.is_err() {
            return;
        }
    }
}

/// The first `rows` rows as records.
pub fn records(batches: &[RecordBatch], rows: usize) -> Vec<Record> {
    let mut records = Vec::with_capacity(rows);
    for batch in batches {
        let schema = batch.schema();
        for row in 0..batch.num_rows().min(rows - records.len()) {
            let named = schema.fields().iter().zip(batch.columns());
            records.push(named.map(|(field, column)| (field.name().clone(), value(column, row))).collect());
        }
    }
    records
}

/// One value of a column.
pub fn value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int32 => Value::Integer(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Date32 => Value::Integer(column.as_primitive::<Date32Type>().value(row).into()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Value::Integer(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Float64 => Value::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(column.as_string::<i32>().value(row).into()),
        DataType::Utf8View => Value::Text(column.as_string_view().value(row).into()),
        other => panic!("the scenarios have no column of type {other}"),
    }
}
