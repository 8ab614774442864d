//! What is shown: the jobs as the API tells of them, which one is chosen, what went wrong.

use serde::Deserialize;

use super::client::Client;
use crate::error::{Error, Result, nearest};

/// All jobs.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Jobs {
    pub(super) version: String,
    pub(super) jobs: Vec<Job>,
}

/// A job, as the list has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) backpressure: String,
    pub(super) partitions: u64,
    pub(super) totals: Totals,
    pub(super) last_error: Option<String>,
}

/// Its counts.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Totals {
    pub(super) records_read: u64,
    pub(super) records_per_s: f64,
}

/// What there is besides of the chosen job.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Details {
    pub(super) lanes: Vec<Lane>,
    pub(super) stages: Vec<Stage>,
}

/// An operator of the query, or what is between them.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Stage {
    pub(super) stage: String,
    pub(super) rows_in: u64,
    pub(super) rows_out: u64,
    pub(super) batches: u64,
    pub(super) time_s: f64,
    pub(super) share: f64,
}

/// What the server said at one look.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    list: Jobs,
    /// The job that is looked at closely, and what there is of it.
    chosen: Option<String>,
    details: Details,
}

impl Look {
    /// Asks the server for the jobs and the details of one, the first if none is chosen. One that was chosen by name and is
    /// not there has none.
    pub(super) fn ask(client: &Client, chosen: Option<String>) -> Result<Self> {
        let list: Jobs = client.get("/api/v1/jobs")?;
        let chosen = chosen.or_else(|| list.jobs.first().map(|job| job.name.clone()));
        let details = match &chosen {
            Some(name) if list.jobs.iter().any(|job| job.name == *name) => {
                client.get(&format!("/api/v1/jobs/{name}"))?
            }
            _ => Details::default(),
        };
        Ok(Self { list, chosen, details })
    }
}

/// A partition at work.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Lane {
    pub(super) partition: u64,
    pub(super) core: Option<u64>,
    pub(super) backpressure: String,
    pub(super) queue_depth: u64,
    pub(super) queue_capacity: u64,
    pub(super) queue_utilization: f64,
    pub(super) records_per_s: f64,
    pub(super) records_per_s_history: Vec<f64>,
    pub(super) busy_ratio: f64,
    pub(super) latency_p99_s: Option<f64>,
    pub(super) watermark_lag_s: Option<f64>,
    pub(super) records_late: u64,
    pub(super) records_failed: u64,
    pub(super) hot: bool,
}

/// One on or one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Back,
    On,
}

impl Step {
    /// From an index to the next one of `count`.
    fn from(self, index: usize, count: usize) -> usize {
        match self {
            Self::Back => index.saturating_sub(1),
            Self::On => (index + 1).min(count.saturating_sub(1)),
        }
    }
}

/// All that is on the screen.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) url: String,
    pub(super) list: Jobs,
    /// The name of the job whose lanes are shown.
    pub(super) chosen: Option<String>,
    pub(super) details: Details,
    /// The first lane on the screen.
    pub(super) first_lane: usize,
    /// Why what is shown may be old.
    pub(super) trouble: Option<String>,
    /// Why the last key did nothing.
    pub(super) refused: Option<String>,
}

impl Shown {
    /// Nothing yet.
    pub(super) fn new(url: String, chosen: Option<String>) -> Self {
        Self { url, chosen, ..Self::default() }
    }

    /// Shows what the server said. Another job may have been chosen meanwhile: it is looked at next.
    pub(super) fn take(&mut self, look: Look) {
        self.list = look.list;
        if self.chosen.is_none() {
            self.chosen.clone_from(&look.chosen);
        }
        if self.chosen == look.chosen {
            self.details = look.details;
        }
    }

    /// Where the chosen job stands in the list.
    pub(super) fn index(&self) -> Option<usize> {
        let chosen = self.chosen.as_ref()?;
        self.list.jobs.iter().position(|job| job.name == *chosen)
    }

    /// A job that was asked for by name must be there.
    pub(super) fn require_chosen(&self) -> Result<()> {
        match &self.chosen {
            Some(name) if self.index().is_none() => {
                let near = nearest(name, self.list.jobs.iter().map(|job| job.name.as_str()));
                let hint = near.map_or_else(String::new, |near| format!(": did you mean {near}?"));
                Err(Error::Config(format!("no job is called {name}{hint}")))
            }
            _ => Ok(()),
        }
    }

    /// Another job.
    pub(super) fn choose(&mut self, step: Step) {
        let index = self.index().map_or(0, |index| step.from(index, self.list.jobs.len()));
        let chosen = self.list.jobs.get(index).map(|job| job.name.clone());
        if chosen != self.chosen {
            self.details = Details::default();
        }
        self.chosen = chosen;
        (self.first_lane, self.refused) = (0, None);
    }

    /// Other lanes.
    pub(super) fn scroll(&mut self, step: Step) {
        self.first_lane = step.from(self.first_lane, self.details.lanes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(names: &[&str]) -> Shown {
        let jobs = names.iter().map(|name| Job { name: (*name).into(), ..Job::default() }).collect();
        Shown { list: Jobs { jobs, ..Jobs::default() }, ..Shown::default() }
    }

    #[test]
    fn steps_stay_within_the_list() {
        let mut shown = with(&["a", "b"]);
        let mut choose = |step| {
            shown.choose(step);
            shown.chosen.clone().unwrap()
        };
        assert_eq!([Step::On, Step::On, Step::On, Step::Back, Step::Back].map(&mut choose), ["a", "b", "b", "a", "a"]);
        let mut nothing = with(&[]);
        nothing.choose(Step::On);
        nothing.scroll(Step::On);
        assert_eq!((nothing.chosen, nothing.first_lane), (None, 0));
    }

    #[test]
    fn what_was_asked_of_another_job_is_not_shown() {
        let mut shown = with(&["a", "b"]);
        let look = |name: &str| Look {
            list: with(&["a", "b"]).list,
            chosen: Some(name.into()),
            details: Details { lanes: vec![Lane::default()], ..Details::default() },
        };
        shown.take(look("a"));
        assert_eq!((shown.chosen.as_deref(), shown.details.lanes.len()), (Some("a"), 1), "the first is chosen");
        shown.choose(Step::On);
        assert_eq!((shown.chosen.as_deref(), shown.details.lanes.len()), (Some("b"), 0));
        shown.take(look("a"));
        assert_eq!(shown.details.lanes.len(), 0, "that was asked for before");
        shown.take(look("b"));
        assert_eq!(shown.details.lanes.len(), 1);
    }

    #[test]
    fn a_job_that_is_not_there_is_said() {
        let shown = Shown { chosen: Some("tick".into()), ..with(&["ticks"]) };
        assert_eq!(shown.require_chosen().unwrap_err().to_string(), "no job is called tick: did you mean ticks?");
        assert!(with(&[]).require_chosen().is_ok());
    }
}
