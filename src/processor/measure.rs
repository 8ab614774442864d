//! The meter of a thread of a job, if the job is measured, and what its driver tells it: which machine is stepped.

use std::rc::Rc;

use crate::metrics::{Meter, StageId, StageKind, ThreadProfile};
use crate::partition::{Partition, Step, Writer};

/// The meter of one thread; nothing if the job is not measured.
#[derive(Default)]
pub(super) struct ThreadMeter(Option<Measured>);

struct Measured {
    meter: Rc<Meter>,
    read: StageId,
    wait_source: StageId,
    wait_input: StageId,
    wait_output: StageId,
}

impl ThreadMeter {
    /// Starts the meter of the calling thread.
    pub(super) fn start(is_measured: bool, name: &str, core: Option<usize>) -> Self {
        Self(is_measured.then(|| {
            let meter = Rc::new(Meter::start(name, core));
            Measured {
                read: meter.stage(StageKind::Read, "read"),
                wait_source: meter.stage(StageKind::WaitSource, "waiting for the source"),
                wait_input: meter.stage(StageKind::WaitInput, "waiting for input"),
                wait_output: meter.stage(StageKind::WaitOutput, "waiting for room"),
                meter,
            }
        }))
    }

    /// This thread steps a partition.
    pub(super) fn partition(&self, mut partition: Partition) -> Partition {
        if let Some(measured) = &self.0 {
            partition.measure(&measured.meter);
        }
        partition
    }

    /// This thread steps a writer.
    pub(super) fn writer(&self, mut writer: Writer) -> Writer {
        if let Some(measured) = &self.0 {
            writer.measure(&measured.meter);
        }
        writer
    }

    /// Steps a reader. What it waits for shows in what its step says, and is what the thread does until the next.
    pub(super) fn read<E>(&self, step: impl FnOnce() -> Result<Step, E>) -> Result<Step, E> {
        let Some(measured) = &self.0 else { return step() };
        let before = measured.meter.enter(measured.read);
        let step = step()?;
        measured.meter.enter(match step {
            Step::IdleFor(_) => measured.wait_source,
            Step::Idle => measured.wait_output,
            Step::Worked | Step::Done => before,
        });
        Ok(step)
    }

    /// The thread waits for input from other threads.
    pub(super) fn wait_for_input(&self) {
        if let Some(measured) = &self.0 {
            measured.meter.enter(measured.wait_input);
        }
    }

    /// The thread waits for the source.
    pub(super) fn wait_for_source(&self) {
        if let Some(measured) = &self.0 {
            measured.meter.enter(measured.wait_source);
        }
    }

    /// The thread waits for room in a queue while `push` runs.
    pub(super) fn wait_for_room(&self, push: impl FnOnce()) {
        let before = self.0.as_ref().map(|measured| measured.meter.enter(measured.wait_output));
        push();
        if let (Some(measured), Some(before)) = (&self.0, before) {
            measured.meter.enter(before);
        }
    }

    /// What the thread did.
    pub(super) fn finish(self) -> Option<ThreadProfile> {
        let mut profile = self.0?.meter.finish();
        // A thread without a reader has no stage for it.
        profile.stages.retain(|stage| stage.kind != StageKind::Read || stage.ticks > 0);
        Some(profile)
    }
}
