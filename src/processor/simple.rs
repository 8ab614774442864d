//! `simple` (V1): reader → one locked queue → one worker with its state behind a mutex. The baseline that the other
//! processors are measured against: how such engines start.

use std::collections::VecDeque;
use std::sync::{Barrier, Condvar, Mutex, PoisonError};

use super::drive::{Finished, HaltOnPanic, Joint, Machines, MachinesSetup, Stopwatch};
use super::measure::ThreadMeter;
use super::threads::{drive, spawn};
use crate::error::{Error, Result};
use crate::limits::RING_SLOTS;
use crate::metrics::{LaneMeters, LatencyWriter};
use crate::partition::{Input, Partition, Reader, Step, Writer};
use crate::ring::{Waiter, Wakeup, ring};
use crate::sys::monotonic_ns;

/// The one queue.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    inputs: VecDeque<Input>,
    closed: bool,
    high_water: usize,
}

impl Queue {
    fn push(&self, input: Input, joint: &Joint) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.inputs.len() >= RING_SLOTS && !state.closed && !joint.is_halted() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.inputs.push_back(input);
        state.high_water = state.high_water.max(state.inputs.len());
        self.changed.notify_all();
    }

    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next chunk; `None` when the reader has closed the queue.
    fn pop(&self) -> Option<Input> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(input) = state.inputs.pop_front() {
                self.changed.notify_all();
                return Some(input);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Closes the queue when its end of the job goes, also by a panic: the other end must not wait for ever.
struct CloseOnDrop<'a>(&'a Queue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Runs a job with one locked queue and one worker, which also writes.
pub(super) fn run(machines: Machines<'_>) -> Result<Finished> {
    let Machines { setup, mut wired, sink } = machines;
    let joint = Joint::new(&wired);
    let (Some((reader_parts, reader_bell)), Some(mut lane)) = (wired.reader.take(), wired.lanes.pop()) else {
        return Err(Error::Execution("simple has one reader and one partition".into()));
    };
    let queue = Queue::default();
    let (setup, joint_ref, queue_ref) = (&setup, &joint, &queue);
    // The partition is fed by the worker's own thread from the locked queue.
    let nobody = Wakeup::new();
    let (mut feed, feed_end) = ring(1, &nobody, &nobody);
    let mut from_reader = std::mem::replace(&mut lane.partition.input, feed_end);
    let barrier = &Barrier::new(2);
    let finished = std::thread::scope(|scope| -> Result<Finished> {
        let reader = spawn(scope, "corelane-read".into(), move || {
            let _guard = HaltOnPanic(joint_ref);
            let _close = CloseOnDrop(queue_ref);
            let mut waiter = Waiter::claim(setup.wait, &reader_bell);
            barrier.wait();
            let mut watch = Stopwatch::start();
            let meter = ThreadMeter::start(setup, "reader", None);
            let mut reader = Reader::new(reader_parts);
            drive(joint_ref, &mut waiter, &mut watch, || {
                let step = meter.read(|| setup.read(&mut reader, joint_ref.is_enough()));
                while let Some(input) = from_reader.pop() {
                    meter.wait_for_room(|| queue_ref.push(input, joint_ref));
                }
                step
            });
            (reader.stats(), watch.stop().0, meter.finish())
        })?;
        let _guard = HaltOnPanic(joint_ref);
        let _close = CloseOnDrop(queue_ref);
        let _waiter = Waiter::claim(setup.wait, &lane.bell);
        barrier.wait();
        let LaneMeters { activity, latency } = lane.meters;
        let mut watch = Stopwatch::start_shown(activity, None);
        let meter = ThreadMeter::start(setup, "worker", None);
        let mut worker = Worker {
            setup,
            latency,
            partition: Mutex::new(meter.partition(Partition::new(lane.partition, setup.stages(0)))),
            writer: meter.writer(Writer::new(wired.writer.0, sink, setup.batch_rows)),
            process_ns: 0,
            write_ns: 0,
        };
        let mut result = Ok(());
        while result.is_ok()
            && !joint_ref.is_halted()
            && let Some(input) = {
                watch.idle();
                queue_ref.pop()
            }
        {
            watch.worked();
            // The feed is empty: the worker took the last chunk through before it came for this one.
            let _ = feed.push(input);
            result = worker.exhaust();
            meter.wait_for_input();
            if worker.writer.is_full() || worker.is_failing() {
                joint_ref.set_enough();
            }
        }
        drop(feed);
        watch.worked();
        if let Err(error) = result.and_then(|()| worker.exhaust()) {
            joint_ref.fail(error);
            // The reader may wait for room in the queue.
            queue_ref.close();
        }
        watch.stop();
        let Worker { partition, mut writer, process_ns, write_ns, .. } = worker;
        let stats = partition.into_inner().unwrap_or_else(PoisonError::into_inner).into_stats();
        // The partition is gone, so the writer sees the end of what it sent.
        while !joint_ref.is_halted() && writer.step()? != Step::Done {}
        let (writer, sink) = writer.into_sink();
        let profile = meter.finish();
        let (reader_stats, read_ns, reader_profile) =
            reader.join().map_err(|_| Error::Execution("the reader panicked".into()))?;
        let busy = process_ns as f64 / (process_ns + write_ns + read_ns).max(1) as f64;
        Ok(Finished {
            readers: vec![reader_stats],
            partitions: vec![(stats, None)],
            busy_ratios: vec![busy],
            writer,
            sink,
            read_ns,
            process_ns,
            write_ns,
            profiles: reader_profile.into_iter().chain(profile).collect(),
        })
    });
    joint.into_result()?;
    finished
}

/// The one worker: a partition behind a mutex, taken for every step, and the writer.
struct Worker<'a> {
    setup: &'a MachinesSetup<'a>,
    latency: LatencyWriter,
    partition: Mutex<Partition>,
    writer: Writer,
    process_ns: u64,
    write_ns: u64,
}

impl Worker<'_> {
    fn is_failing(&self) -> bool {
        self.partition.lock().unwrap_or_else(PoisonError::into_inner).is_failing()
    }

    /// Steps partition and writer until neither can do more.
    fn exhaust(&mut self) -> Result<()> {
        loop {
            let started = monotonic_ns();
            let mut partition = self.partition.lock().unwrap_or_else(PoisonError::into_inner);
            let step = self.setup.process(&mut partition, &mut self.latency)?;
            drop(partition);
            let stepped = monotonic_ns();
            let wrote = self.writer.step()?;
            self.process_ns += stepped - started;
            self.write_ns += monotonic_ns() - stepped;
            if step != Step::Worked && wrote != Step::Worked {
                return Ok(());
            }
        }
    }
}
