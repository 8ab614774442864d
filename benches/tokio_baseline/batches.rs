//! *tokio-batches*: corelane's own reader, partitions and writer, each a tokio task, joined by `tokio::sync::mpsc`.
//!
//! Operators, batches and backpressure are those of `partitioned`; what differs is what is compared: tasks on a
//! work-stealing runtime instead of pinned threads, and tokio's channels instead of rings and bells. A machine pushes into
//! a ring of its own, from which its task sends; the task at the other end receives into a ring of that machine. A task
//! waits on its channels only; after each piece of work it gives way, so that whom it fed can run.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use corelane::batch::ChunkSource;
use corelane::cli::bench::{Drive, Machinery, laid_out};
use corelane::connector::memory_reader;
use corelane::engine::{Job, JobPlan, JobProcessor, JobReport, ProcessorKind};
use corelane::error::{Error, Result};
use corelane::partition::{End, Join, Partition, Reader, RowSink, Step, Writer};
use corelane::ring::{Consumer, Producer, Wakeup, ring};
use corelane::types::SplitId;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

/// Threads of the runtime: as many as `partitioned` has, with its reader and its writer.
pub fn runtime(partitions: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(partitions + 2).build().expect("the runtime starts")
}

/// What moving values did.
#[derive(PartialEq)]
enum Moved {
    Nothing,
    Some,
    /// One side is gone; so shall the other.
    Ended,
}

/// Moves values between a ring of a machine and a channel.
trait Pump: Send {
    fn pump(&mut self, context: &mut Context<'_>) -> Moved;
}

/// From the machine into the channel.
struct Outlet<T> {
    from: Consumer<T>,
    to: PollSender<T>,
}

impl<T: Send + 'static> Pump for Outlet<T> {
    fn pump(&mut self, context: &mut Context<'_>) -> Moved {
        let mut moved = Moved::Nothing;
        loop {
            if self.from.is_empty() {
                return if self.from.is_ended() { Moved::Ended } else { moved };
            }
            match self.to.poll_reserve(context) {
                Poll::Ready(Ok(())) => {
                    let value = self.from.pop().expect("it is not empty, and nobody else pops");
                    if self.to.send_item(value).is_err() {
                        return Moved::Ended;
                    }
                    moved = Moved::Some;
                }
                Poll::Ready(Err(_)) => return Moved::Ended,
                Poll::Pending => return moved,
            }
        }
    }
}

/// From the channel to the machine.
struct Inlet<T> {
    from: mpsc::Receiver<T>,
    to: Producer<T>,
}

impl<T: Send + 'static> Pump for Inlet<T> {
    fn pump(&mut self, context: &mut Context<'_>) -> Moved {
        let mut moved = Moved::Nothing;
        while self.to.has_room() {
            match self.from.poll_recv(context) {
                Poll::Ready(Some(value)) => {
                    let _ = self.to.push(value);
                    moved = Moved::Some;
                }
                Poll::Ready(None) => return Moved::Ended,
                Poll::Pending => return moved,
            }
        }
        moved
    }
}

/// Where pumps of one machine are collected.
#[derive(Default)]
struct Links {
    inlets: Vec<Box<dyn Pump>>,
    outlets: Vec<Box<dyn Pump>>,
}

/// Joins machines by channels.
#[derive(Default)]
struct Channels {
    links: BTreeMap<usize, Links>,
}

impl Channels {
    fn of(&mut self, end: End) -> &mut Links {
        let machine = match end {
            End::Reader => 0,
            End::Writer => 1,
            End::Partition(index) => 2 + index,
        };
        self.links.entry(machine).or_default()
    }

    fn take(&mut self, end: End) -> Links {
        std::mem::take(self.of(end))
    }
}

impl Join for Channels {
    fn join<T: Send + 'static>(&mut self, slots: usize, from: End, to: End) -> (Producer<T>, Consumer<T>) {
        let nobody = Wakeup::new();
        let (producer, outlet) = ring(slots, &nobody, &nobody);
        let (sender, receiver) = mpsc::channel(slots);
        // One to work on and one that waits: the channel is the queue.
        let (inlet, consumer) = ring(2, &nobody, &nobody);
        self.of(from).outlets.push(Box::new(Outlet { from: outlet, to: PollSender::new(sender) }));
        self.of(to).inlets.push(Box::new(Inlet { from: receiver, to: inlet }));
        (producer, consumer)
    }

    fn bell(&self, _of: End) -> Wakeup {
        Wakeup::new()
    }
}

/// One machine as a task: ends when the machine is done and all that it sent has left.
async fn drive(step: impl FnMut() -> Result<Step> + Send + 'static, links: Links) -> Result<()> {
    let Links { mut inlets, mut outlets } = links;
    let mut machine = Some(step);
    poll_fn(move |context| {
        loop {
            let mut moved = false;
            let mut pump = |link: &mut Box<dyn Pump>| {
                let did = link.pump(context);
                moved |= did != Moved::Nothing;
                did != Moved::Ended
            };
            inlets.retain_mut(&mut pump);
            let did = match &mut machine {
                Some(step) => match step() {
                    Ok(did) => did,
                    Err(error) => return Poll::Ready(Err(error)),
                },
                None => Step::Idle,
            };
            if did == Step::Done {
                machine = None;
                inlets.clear();
            }
            outlets.retain_mut(&mut pump);
            if machine.is_none() && outlets.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match did {
                // A source that says when it is due is asked again, as one that is polled: tokio's timer counts in
                // milliseconds.
                Step::Worked | Step::IdleFor(_) => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                _ if !moved => return Poll::Pending,
                _ => {}
            }
        }
    })
    .await
}

/// A machine that moves between the threads of the runtime.
///
/// corelane's machines stay on the thread that made them, and count references to their arenas and meters without atomics.
struct Moving<M>(M);

// SAFETY: all references that a partition counts are its own: what leaves it goes through rings, whose values are `Send`, and
// it keeps nothing in thread-local variables. It is moved as a whole, and stepped by one thread at a time: by the task that
// owns it, whose polls the runtime puts in order.
unsafe impl Send for Moving<Partition> {}
// SAFETY: a writer counts references only to a meter, and here it is given none. It is moved and stepped as a partition is.
unsafe impl Send for Moving<Writer> {}

impl Moving<Partition> {
    fn step(&mut self) -> Result<Step> {
        self.0.step()
    }

    fn records(self) -> u64 {
        self.0.into_stats().records
    }
}

impl Moving<Writer> {
    fn step(&mut self) -> Result<Step> {
        self.0.step()
    }

    /// Ends the sink; returns how many rows came to it.
    fn finish(self) -> Result<u64> {
        let (stats, sink) = self.0.into_sink();
        sink.finish()?;
        Ok(stats.rows)
    }
}

/// Runs the machines of a job to the end.
fn run(
    runtime: &Runtime,
    machinery: &Machinery,
    source: Box<dyn ChunkSource>,
    sink: Box<dyn RowSink>,
) -> Result<(u64, u64)> {
    let mut channels = Channels::default();
    let wired = machinery.wire_through(source, &mut channels);
    let mut tasks = Vec::new();
    let (reader, _) = wired.reader.expect("one reader feeds all partitions");
    let mut reader = Reader::new(reader);
    tasks.push(runtime.spawn(drive(move || reader.step(false), channels.take(End::Reader))));
    let records = Arc::new(Mutex::new(0));
    for (index, lane) in wired.lanes.into_iter().enumerate() {
        let mut partition = Some(Moving(Partition::new(lane.partition, machinery.stages(index))));
        let records = Arc::clone(&records);
        let step = move || {
            let did = partition.as_mut().expect("a machine that is done is not stepped").step()?;
            if did == Step::Done {
                let partition = partition.take().expect("it was there");
                *records.lock().expect("nobody panicked") += partition.records();
            }
            Ok(did)
        };
        tasks.push(runtime.spawn(drive(step, channels.take(End::Partition(index)))));
    }
    let mut writer = Some(Moving(Writer::new(wired.writer.0, sink, machinery.batch_rows())));
    let emitted = Arc::new(Mutex::new(0));
    let rows = Arc::clone(&emitted);
    let step = move || {
        let did = writer.as_mut().expect("a machine that is done is not stepped").step()?;
        if did == Step::Done {
            let writer = writer.take().expect("it was there");
            *rows.lock().expect("nobody panicked") = writer.finish()?;
        }
        Ok(did)
    };
    tasks.push(runtime.spawn(drive(step, channels.take(End::Writer))));
    runtime.block_on(async {
        for task in tasks {
            task.await.map_err(|error| Error::Execution(error.to_string()))??;
        }
        Ok::<(), Error>(())
    })?;
    let (records, emitted) = (*records.lock().expect("nobody panicked"), *emitted.lock().expect("nobody panicked"));
    Ok((records, emitted))
}

/// The contender.
pub struct TokioBatches {
    pub partitions: usize,
    /// Rows of the source.
    pub batches: Vec<Arc<RecordBatch>>,
    /// Rows of the result, if they are kept.
    pub collected: Option<Arc<Mutex<Vec<RecordBatch>>>>,
}

impl TokioBatches {
    fn lay_out(&self, job: &JobPlan) -> Result<Machinery> {
        Machinery::new(job, laid_out(ProcessorKind::Partitioned, self.partitions))
    }
}

impl JobProcessor for TokioBatches {
    fn process_job(&self, job: &Job<'_>) -> Result<JobReport> {
        let machinery = self.lay_out(job.plan)?;
        let scan = &machinery.plan().scan;
        let source = memory_reader(SplitId(0), &self.batches, &scan.source.schema, &scan.projection)?;
        let sink = Kept(self.collected.clone());
        let runtime = runtime(self.partitions);
        let (records_read, records_emitted) = run(&runtime, &machinery, Box::new(source), Box::new(sink))?;
        Ok(JobReport { processor: JobProcessor::name(self), records_read, records_emitted, ..JobReport::default() })
    }

    fn num_partitions(&self) -> usize {
        self.partitions
    }

    fn name(&self) -> String {
        "tokio-batches".into()
    }

    fn version(&self) -> &'static str {
        "V2"
    }
}

impl Drive for TokioBatches {
    fn name(&self) -> String {
        format!("tokio-batches {}", self.partitions)
    }

    fn machinery(&self, job: &JobPlan) -> Result<Machinery> {
        self.lay_out(job)
    }

    fn run(&self, machinery: &Machinery, source: Box<dyn ChunkSource>, sink: Box<dyn RowSink>) -> Result<()> {
        run(&runtime(self.partitions), machinery, source, sink).map(|_| ())
    }
}

/// Keeps rows, or counts them as the engine's `blackhole` does.
struct Kept(Option<Arc<Mutex<Vec<RecordBatch>>>>);

impl RowSink for Kept {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if let Some(rows) = &self.0 {
            rows.lock().expect("nobody panicked").push(batch.clone());
        }
        Ok(())
    }

    fn discards(&self) -> bool {
        self.0.is_none()
    }

    fn keeps(&self) -> bool {
        self.0.is_some()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
