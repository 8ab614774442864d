//! `partitioned` and `stp`: a pinned thread per partition; a reader thread where partitions have none of their own; the
//! writer on the caller's thread.

use std::time::Duration;

use super::drive::{Finished, Gate, HaltOnPanic, Joint, Machines, MachinesSetup, Stopwatch};
use super::measure::ThreadMeter;
use crate::error::{Error, Result};
use crate::metrics::{LaneMeters, ThreadProfile};
use crate::partition::{Lane, Partition, PartitionStats, Reader, ReaderStats, Step, Writer};
use crate::ring::{WaitMode, Waiter};
use crate::sys;

/// Longest sleep of a reader whose source says that nothing is due: after that it looks whether it shall stop.
pub(super) const SLEEP_NS_MAX: u64 = 20_000_000;

/// What came of one partition's thread.
struct LaneFinished {
    stats: PartitionStats,
    core: Option<usize>,
    busy_ns: u64,
    busy_ratio: f64,
    reader: Option<ReaderStats>,
    profile: Option<ThreadProfile>,
}

/// Steps a machine until it is done or the job is halted; true if it is done.
pub(super) fn drive(
    joint: &Joint,
    waiter: &mut Waiter,
    watch: &mut Stopwatch,
    mut step: impl FnMut() -> Result<Step>,
) -> bool {
    loop {
        match step() {
            Ok(Step::Worked) => {
                waiter.worked();
                watch.worked();
            }
            Ok(Step::Done) => return true,
            Ok(Step::Idle) => {
                watch.idle();
                waiter.idle();
            }
            Ok(Step::IdleFor(ns)) => {
                watch.idle();
                waiter.sleep(Duration::from_nanos(ns.min(SLEEP_NS_MAX)));
            }
            Err(error) => joint.fail(error),
        }
        if joint.is_halted() {
            return false;
        }
    }
}

/// Runs a job on threads.
pub(super) fn run(machines: Machines<'_>) -> Result<Finished> {
    let Machines { setup, wired, sink } = machines;
    let joint = Joint::new(&wired);
    let (setup, joint_ref) = (&setup, &joint);
    let threads = wired.lanes.len() + usize::from(wired.reader.is_some());
    let ends = &Ends::new(setup.wait, setup.cores);
    let gate = &Gate::default();
    let finished = std::thread::scope(|scope| -> Result<Finished> {
        // A thread that cannot be started ends the job: those that were started must not wait for it.
        let _close = CloseOnDrop(gate);
        let mut handles = Vec::new();
        for (index, lane) in wired.lanes.into_iter().enumerate() {
            let name = format!("corelane-{index}");
            let core = setup.cores.get(index).copied();
            let body = move || run_lane(setup, joint_ref, gate, index, lane, core);
            handles.push(spawn(scope, name, body)?);
        }
        let reader = match wired.reader {
            None => None,
            Some((parts, bell)) => Some(spawn(scope, "corelane-read".into(), move || {
                let _guard = HaltOnPanic(joint_ref);
                let _place = ends.take_place();
                let mut waiter = Waiter::claim(ends.wait, &bell);
                let go = gate.wait();
                let mut watch = Stopwatch::start();
                let meter = ThreadMeter::start(setup, "reader", None);
                let mut reader = Reader::new(parts);
                if go {
                    drive(joint_ref, &mut waiter, &mut watch, || {
                        meter.read(|| setup.read(&mut reader, joint_ref.is_enough()))
                    });
                }
                (reader.stats(), watch.stop().0, meter.finish())
            })?),
        };
        let _guard = HaltOnPanic(joint_ref);
        let (parts, bell) = wired.writer;
        let _place = ends.take_place();
        let mut waiter = Waiter::claim(ends.wait, &bell);
        gate.open(threads);
        let mut watch = Stopwatch::start();
        let meter = ThreadMeter::start(setup, "writer", None);
        let mut writer = meter.writer(Writer::new(parts, sink, setup.batch_rows));
        drive(joint_ref, &mut waiter, &mut watch, || {
            let step = writer.step();
            if matches!(step, Ok(Step::Idle)) {
                meter.wait_for_input();
            }
            if writer.is_full() {
                joint_ref.set_enough();
            }
            step
        });
        let (write_ns, _) = watch.stop();
        let (writer, sink) = writer.into_sink();
        let mut finished = Finished {
            readers: Vec::new(),
            partitions: Vec::new(),
            busy_ratios: Vec::new(),
            writer,
            sink,
            read_ns: 0,
            process_ns: 0,
            write_ns,
            profiles: Vec::new(),
        };
        let writer_profile = meter.finish();
        for handle in handles {
            // A panic was noted by the thread's guard.
            let Ok(lane) = handle.join() else { continue };
            finished.process_ns += lane.busy_ns;
            finished.busy_ratios.push(lane.busy_ratio);
            finished.partitions.push((lane.stats, lane.core));
            finished.readers.extend(lane.reader);
            finished.profiles.extend(lane.profile);
        }
        if let Some(Ok((stats, busy_ns, profile))) = reader.map(|handle| handle.join()) {
            finished.readers.push(stats);
            finished.read_ns = busy_ns;
            finished.profiles.extend(profile);
            finished.profiles.rotate_right(usize::from(setup.is_measured));
        }
        finished.profiles.extend(writer_profile);
        Ok(finished)
    });
    joint.into_result()?;
    finished
}

/// Closes the gate for those who come after the caller gave up; an open gate stays open.
struct CloseOnDrop<'a>(&'a Gate);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn run_lane(
    setup: &MachinesSetup<'_>,
    joint: &Joint,
    gate: &Gate,
    index: usize,
    lane: Lane,
    core: Option<usize>,
) -> LaneFinished {
    let _guard = HaltOnPanic(joint);
    // Pinned before anything is allocated: memory is first touched by its owner.
    let core = core.filter(|&core| sys::pin_current_thread(core).is_ok());
    let mut waiter = Waiter::claim(setup.wait, &lane.bell);
    let go = gate.wait();
    let LaneMeters { activity, mut latency } = lane.meters;
    let mut watch = Stopwatch::start_shown(activity, core);
    let mut reader = lane.reader.map(Reader::new);
    let mut reader_stats = None;
    let meter = ThreadMeter::start(setup, &format!("partition {index}"), core);
    let mut partition = meter.partition(Partition::new(lane.partition, setup.stages(index)));
    let mut step = || {
        let mut read = Step::Idle;
        if let Some(machine) = &mut reader {
            read = meter.read(|| setup.read(machine, joint.is_enough()))?;
            if read == Step::Done {
                reader_stats = reader.take().map(|reader| reader.stats());
                read = Step::Worked;
            }
        }
        let stepped = setup.process(&mut partition, &mut latency)?;
        if partition.is_failing() {
            joint.set_enough();
        }
        Ok(match (stepped, read) {
            (Step::Idle, read) => {
                if let Step::IdleFor(_) = read {
                    meter.wait_for_source();
                }
                read
            }
            (step, _) => step,
        })
    };
    if go {
        drive(joint, &mut waiter, &mut watch, &mut step);
    }
    let (busy_ns, busy_ratio) = watch.stop();
    let stats = partition.into_stats();
    LaneFinished { stats, core, busy_ns, busy_ratio, reader: reader_stats, profile: meter.finish() }
}

/// How reader and writer wait, and where they run.
///
/// They wait for disks and pipes, and do not burn a core that a partition may need: under `spin` they sleep where partitions
/// have all CPUs. Where some are left they poll there, in turn, and nowhere else: next to a partition that spins a thread
/// that gives way would wait until the kernel takes the CPU from the partition, some milliseconds.
struct Ends {
    wait: WaitMode,
    /// CPUs to poll on.
    left: Vec<usize>,
    /// CPUs that the caller may run on.
    all: Vec<usize>,
}

impl Ends {
    fn new(wait: WaitMode, cores: &[usize]) -> Self {
        if wait != WaitMode::Spin {
            return Self { wait, left: Vec::new(), all: Vec::new() };
        }
        let all = sys::Topology::read().placement_order();
        let left: Vec<usize> = all.iter().copied().filter(|cpu| !cores.contains(cpu)).collect();
        let wait = if left.is_empty() { WaitMode::Backoff } else { WaitMode::Yield };
        Self { wait, left, all }
    }

    /// Moves the calling thread to where it polls, until the place is dropped.
    fn take_place(&self) -> Option<Place<'_>> {
        let moved = !self.left.is_empty() && sys::pin_current_thread_to(&self.left).is_ok();
        moved.then_some(Place(&self.all))
    }
}

/// A thread's place on CPUs that it leaves when this is dropped.
struct Place<'a>(&'a [usize]);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // These were allowed before, so it cannot fail but for a cpuset that was changed meanwhile; that one is obeyed.
        let _ = sys::pin_current_thread_to(self.0);
    }
}

/// Spawns a named thread.
pub(super) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    name: String,
    body: impl FnOnce() -> T + Send + 'scope,
) -> Result<std::thread::ScopedJoinHandle<'scope, T>> {
    std::thread::Builder::new()
        .name(name)
        .spawn_scoped(scope, body)
        .map_err(|error| Error::Execution(format!("cannot start a thread: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Vec<usize> {
        let mut cpus = sys::Topology::read().placement_order();
        cpus.sort_unstable();
        cpus
    }

    /// Under `spin` reader and writer poll on what partitions leave, and the caller's thread gets its CPUs back.
    #[test]
    fn reader_and_writer_poll_on_cpus_that_are_left() {
        let all = allowed();
        for partitions in 0..=all.len() {
            let (taken, left) = all.split_at(partitions);
            let ends = Ends::new(WaitMode::Spin, taken);
            let expected = if left.is_empty() { WaitMode::Backoff } else { WaitMode::Yield };
            assert_eq!(ends.wait, expected, "{partitions} of {} CPUs taken", all.len());
            let place = ends.take_place();
            let expected: &[usize] = if left.is_empty() { &all } else { left };
            assert_eq!(allowed(), expected);
            drop(place);
            assert_eq!(allowed(), all);
        }
        for wait in [WaitMode::Backoff, WaitMode::Park] {
            let ends = Ends::new(wait, &all[..1]);
            assert_eq!((ends.wait, ends.take_place().is_none()), (wait, true));
        }
    }
}
