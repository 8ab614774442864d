//! The meter of a thread of a job, and what its driver tells it: which machine is stepped.

use std::rc::Rc;

use super::drive::MachinesSetup;
use crate::metrics::{Meter, StageId, StageKind, ThreadProfile};
use crate::partition::{Partition, Step, Writer};

/// The meter of one thread, and the stages of what drivers do.
pub(super) struct ThreadMeter {
    meter: Rc<Meter>,
    read: StageId,
    wait_source: StageId,
    wait_input: StageId,
    wait_output: StageId,
}

impl ThreadMeter {
    /// Starts the meter of the calling thread.
    pub(super) fn start(setup: &MachinesSetup<'_>, name: &str, core: Option<usize>) -> Self {
        let meter = Rc::new(Meter::start(name, core, setup.is_measured));
        setup.progress.show(meter.shown());
        Self {
            read: meter.stage(StageKind::Read, "read"),
            wait_source: meter.stage(StageKind::WaitSource, "waiting for the source"),
            wait_input: meter.stage(StageKind::WaitInput, "waiting for input"),
            wait_output: meter.stage(StageKind::WaitOutput, "waiting for room"),
            meter,
        }
    }

    /// This thread steps a partition.
    pub(super) fn partition(&self, mut partition: Partition) -> Partition {
        partition.measure(&self.meter);
        partition
    }

    /// This thread steps a writer.
    pub(super) fn writer(&self, mut writer: Writer) -> Writer {
        writer.measure(&self.meter);
        writer
    }

    /// Steps a reader. What it waits for shows in what its step says, and is what the thread does until the next.
    pub(super) fn read<E>(&self, step: impl FnOnce() -> Result<Step, E>) -> Result<Step, E> {
        let before = self.meter.enter(self.read);
        let step = step()?;
        self.meter.enter(match step {
            Step::IdleFor(_) => self.wait_source,
            Step::Idle => self.wait_output,
            Step::Worked | Step::Done => before,
        });
        Ok(step)
    }

    /// The thread waits for input from other threads.
    pub(super) fn wait_for_input(&self) {
        self.meter.enter(self.wait_input);
    }

    /// The thread waits for the source.
    pub(super) fn wait_for_source(&self) {
        self.meter.enter(self.wait_source);
    }

    /// The thread waits for room in a queue while `push` runs.
    pub(super) fn wait_for_room(&self, push: impl FnOnce()) {
        let before = self.meter.enter(self.wait_output);
        push();
        self.meter.enter(before);
    }

    /// What the thread did, if that is measured in detail.
    pub(super) fn finish(self) -> Option<ThreadProfile> {
        let mut profile = self.meter.finish();
        if !self.meter.is_detailed() {
            return None;
        }
        // A thread without a reader has no stage for it.
        profile.stages.retain(|stage| stage.kind != StageKind::Read || stage.ticks > 0);
        Some(profile)
    }
}
