//! How a job treats event time, beside the WATERMARK clause of its source.

use super::{AggregateNode, Emit, Node, Plan, Step};
use crate::limits;
use crate::time::{Lateness, Windows};
use crate::types::EventTime;

/// What to do with late records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LateRecords {
    /// Count and drop them: final means final.
    #[default]
    Drop,
    /// Correct results with them as long as the allowed lateness lasts, and warn.
    ProcessWithWarning,
    /// The same without a warning.
    ProcessAll,
}

/// How far ahead of the job's clock a record may be; one that is further ahead is a failed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaxFuture {
    /// As the source has it: a live one a day, others as far as they like.
    #[default]
    BySource,
    /// As far as it likes.
    Off,
    /// By so many microseconds at most.
    Within(i64),
}

impl MaxFuture {
    /// The latest event time of a record that was read when the clock stood at `now`.
    pub fn latest(self, now: EventTime) -> EventTime {
        match self {
            Self::BySource | Self::Off => EventTime::MAX,
            Self::Within(us) => EventTime(now.0.saturating_add(us)),
        }
    }
}

/// The settings of event time that a job runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// What to do with late records.
    pub late_records: LateRecords,
    /// How long after its end a window takes late records in, in microseconds; `None` means as long as the watermark's
    /// bound. Not looked at under [`LateRecords::Drop`].
    pub allowed_lateness_us: Option<i64>,
    /// The sink that late records are written to if they are dropped.
    pub late_sink: Option<String>,
    /// How far the watermark advances before operators are told again, in microseconds. The answer is the same for any.
    pub min_advance_us: i64,
    /// How long a split of an unbounded source may have no record before others stop to wait for it, in microseconds of the
    /// job's clock; `None` means for ever.
    pub idle_timeout_us: Option<i64>,
    /// How far a record may be ahead of the job's clock.
    pub max_future: MaxFuture,
    /// After how many microseconds of the job's clock a group that nobody touched starts anew; `None` means never. For
    /// running values without windows.
    pub state_ttl_us: Option<i64>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            late_records: LateRecords::Drop,
            allowed_lateness_us: None,
            late_sink: None,
            min_advance_us: limits::WATERMARK_MIN_ADVANCE_US,
            idle_timeout_us: Some(limits::IDLE_TIMEOUT_US),
            max_future: MaxFuture::BySource,
            state_ttl_us: None,
        }
    }
}

impl Plan {
    /// What becomes of late records, if the query has windows.
    pub fn lateness(&self) -> Option<Lateness> {
        let bound_us = self.scan.event_time?.bound_us;
        let allowed_us = match self.timing.late_records {
            LateRecords::Drop => 0,
            _ => self.timing.allowed_lateness_us.unwrap_or(bound_us),
        };
        lateness_of(&self.keyed_step()?.1.node, allowed_us)
    }

    /// The same for step `index`; over results of another step no row is late.
    pub fn lateness_at(&self, index: usize) -> Option<Lateness> {
        if self.keyed_step().is_none_or(|(keyed, _)| keyed == index) {
            return self.lateness();
        }
        lateness_of(&self.steps[index].node, 0)
    }

    /// Whether splits are to be read abreast: what a query holds of one waits for the event time of the others, and its rows
    /// leave by event time or by window, so that in which order they were read does not show.
    pub fn reads_abreast(&self) -> bool {
        self.scan.event_time.is_some() && orders_rows(&self.steps) == Some(true)
    }

    /// Whether rows are released in the order of event time, so that those behind the watermark come too late.
    pub fn releases_in_order(&self) -> bool {
        let keyed = self.keyed_step().map(|(_, step)| &step.node);
        keyed.is_some_and(Node::releases_rows)
    }
}

/// Whether the first step that keeps state puts rows in order by event time or by window; `None` if there is no such step.
fn orders_rows(steps: &[Step]) -> Option<bool> {
    let keyed = steps.iter().position(|step| step.node.is_keyed())?;
    Some(match &steps[keyed].node {
        Node::Aggregate(node) => node.emit.merges() && node.is_timed(),
        // Rows of branches without such a step are put in order where all meet.
        Node::Branches(node) => {
            node.branches.iter().all(|branch| orders_rows(&branch.steps) != Some(false))
                && orders_rows(&steps[keyed + 1..]) == Some(true)
        }
        node => node.releases_rows(),
    })
}

/// What becomes of late rows at a step, if it has windows.
fn lateness_of(node: &Node, allowed_us: i64) -> Option<Lateness> {
    let Node::Aggregate(AggregateNode { window, emit, .. }) = node else { return None };
    let every_us = if let Emit::Every { every_us, .. } = emit { Some(*every_us) } else { None };
    let windows = match (window, every_us) {
        (Some(window), _) => window.windows,
        (None, Some(_)) => Windows::All,
        (None, None) => return None,
    };
    Some(Lateness { windows, allowed_us, every_us, corrects: emit.merges() })
}
