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
    pub(super) lanes: Vec<Lane>,
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

    /// Asks the server. A job that was chosen by name and is not there yet stays chosen while nothing else is.
    pub(super) fn look(&mut self, client: &Client) -> Result<()> {
        self.list = client.get("/api/v1/jobs")?;
        if self.chosen.is_none() {
            self.chosen = self.list.jobs.first().map(|job| job.name.clone());
        }
        let known = self.index().is_some();
        self.lanes = match &self.chosen {
            Some(name) if known => client.get::<Details>(&format!("/api/v1/jobs/{name}"))?.lanes,
            _ => Vec::new(),
        };
        Ok(())
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
        self.chosen = self.list.jobs.get(index).map(|job| job.name.clone());
        (self.first_lane, self.refused) = (0, None);
    }

    /// Other lanes.
    pub(super) fn scroll(&mut self, step: Step) {
        self.first_lane = step.from(self.first_lane, self.lanes.len());
    }

    /// Has something done to the chosen job.
    pub(super) fn steer(&mut self, client: &Client, verb: &str) {
        let Some(index) = self.index() else { return };
        let asked = client.post(&format!("/api/v1/jobs/{}/{verb}", self.list.jobs[index].name));
        self.refused = asked.err().map(|error| error.to_string());
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
    fn a_job_that_is_not_there_is_said() {
        let shown = Shown { chosen: Some("tick".into()), ..with(&["ticks"]) };
        assert_eq!(shown.require_chosen().unwrap_err().to_string(), "no job is called tick: did you mean ticks?");
        assert!(with(&[]).require_chosen().is_ok());
    }
}
