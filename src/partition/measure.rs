//! What a partition does beside its operators, as stages of its thread's meter. In the simulator nobody
//! measures, and every call is one branch.

use std::cell::Cell;
use std::rc::Rc;

use super::exchange::Exchanger;
use crate::metrics::{Meter, StageId, StageKind};

/// A stage of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Between the others: rings, watermarks.
    Schedule,
    /// Chunks to columns.
    Decode,
    /// Groups what this partition reads, before the groups move.
    GroupBy,
    /// Rows or groups to the owners of their keys.
    Exchange,
    /// The owner's merging of groups, and results from them.
    Merge,
    /// Rows into the buffers of the writer's ring.
    Output,
    /// No input.
    WaitInput,
    /// No room in the rings to the writer or to other partitions.
    WaitOutput,
}

impl At {
    const COUNT: usize = Self::WaitOutput as usize + 1;

    fn kind_and_name(self) -> (StageKind, &'static str) {
        match self {
            Self::Schedule => (StageKind::Schedule, "scheduling"),
            Self::Decode => (StageKind::Decode, "decode"),
            Self::GroupBy => (StageKind::Operator, "GROUP BY"),
            Self::Exchange => (StageKind::Exchange, "exchange"),
            Self::Merge => (StageKind::Operator, "GROUP BY: merging"),
            Self::Output => (StageKind::Write, "handing to the writer"),
            Self::WaitInput => (StageKind::WaitInput, "waiting for input"),
            Self::WaitOutput => (StageKind::WaitOutput, "waiting for room"),
        }
    }
}

/// The stages of a partition, if its thread is measured.
#[derive(Default)]
pub(super) struct PartitionMeter(Option<Box<Measured>>);

struct Measured {
    meter: Rc<Meter>,
    stages: [StageId; At::COUNT],
    /// Rows or groups that left the exchange, as far as they are counted.
    left: Cell<u64>,
}

impl PartitionMeter {
    /// Adds the stages that a partition with `exchanger` has, in the order of the data's way; `local` and `owner` add those
    /// of the operators at their place.
    pub(super) fn new(meter: &Rc<Meter>, exchanger: &Exchanger, local: impl FnOnce(), owner: impl FnOnce()) -> Self {
        let mut stages = [StageId::default(); At::COUNT];
        let mut add = |wanted: &[At]| {
            for &at in wanted {
                let (kind, name) = at.kind_and_name();
                stages[at as usize] = match at {
                    // An operator may have the same name, in a query over groups.
                    At::GroupBy => meter.add(kind, name),
                    _ => meter.stage(kind, name),
                };
            }
        };
        add(&[At::Schedule, At::Decode]);
        local();
        add(match exchanger {
            Exchanger::None => &[],
            Exchanger::Rows(_) => &[At::Exchange],
            Exchanger::Partials(_) => &[At::GroupBy, At::Exchange, At::Merge],
        });
        owner();
        add(&[At::Output, At::WaitInput, At::WaitOutput]);
        Self(Some(Box::new(Measured { meter: Rc::clone(meter), stages, left: Cell::new(0) })))
    }

    /// Turns to a stage; what is returned goes to [`Self::leave`].
    pub(super) fn enter(&self, at: At) -> StageId {
        self.0.as_ref().map_or_else(StageId::default, |m| m.meter.enter(m.stages[at as usize]))
    }

    /// The partition is stepped: what is not another stage's is scheduling, or waiting as long as nothing comes of it.
    pub(super) fn resume(&self) {
        if let Some(Measured { meter, stages, .. }) = self.0.as_deref()
            && ![At::WaitInput, At::WaitOutput].iter().any(|&at| stages[at as usize] == meter.current())
        {
            meter.enter(stages[At::Schedule as usize]);
        }
    }

    /// Turns back to what was done before.
    pub(super) fn leave(&self, before: StageId) {
        if let Some(measured) = &self.0 {
            measured.meter.enter(before);
        }
    }

    /// A chunk begins.
    pub(super) fn begin_batch(&self) {
        if let Some(measured) = &self.0 {
            measured.meter.begin_batch();
        }
    }

    /// Rows came to a stage; `bytes` is asked only if it is measured in detail.
    pub(super) fn count_in(&self, at: At, rows: usize, bytes: impl FnOnce() -> usize) {
        if let Some(measured) = &self.0 {
            measured.meter.count_in(measured.stages[at as usize], rows, bytes);
        }
    }

    /// Rows left a stage.
    pub(super) fn count_out(&self, at: At, rows: usize) {
        if let Some(measured) = &self.0 {
            measured.meter.count_out(measured.stages[at as usize], rows);
        }
    }

    /// Counts what left the exchange since the last time.
    pub(super) fn count_left(&self, exchanger: &Exchanger) {
        let Some(measured) = &self.0 else { return };
        let (stayed, moved) = exchanger.hits();
        let rows = (stayed + moved - measured.left.replace(stayed + moved)) as usize;
        if rows == 0 {
            return;
        }
        if let Exchanger::Partials(_) = exchanger {
            self.count_out(At::GroupBy, rows);
            self.count_in(At::Exchange, rows, || 0);
        }
        self.count_out(At::Exchange, rows);
    }

    /// A stage's state holds so many bytes.
    pub(super) fn hold(&self, at: At, bytes: usize) {
        if let Some(measured) = &self.0 {
            measured.meter.hold(measured.stages[at as usize], bytes as u64);
        }
    }

    /// Whether it is measured in detail.
    pub(super) fn is_detailed(&self) -> bool {
        self.0.as_ref().is_some_and(|measured| measured.meter.is_detailed())
    }
}
