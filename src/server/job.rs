//! One deployed job: a thread of its own that runs it, and runs it again when it fails.
//!
//! Promises: a failure that may pass (a file that is not there yet, a full disk) is tried again, with waits that double, a
//! bounded number of times; one that cannot pass is not. A stop drains and commits, also while the job is paused. When a
//! job has ended, nothing of it runs or is reserved any more.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cores::{Cores, Reservation};
use super::definition::{Definition, Prepared};
use super::position::Cause;
use super::refusal::{Outcome, Refusal};
use super::registry::{Record, Recorded};
use super::samples::Samples;
use crate::engine::{Control, Engine, JobReport, Moment, PauseFlag, Progress};
use crate::limits::{JOB_ERRORS_KEPT, RESTART_RECOVERED_MS, RESTART_WAIT_MS, RESTART_WAIT_MS_MAX, RESTARTS_MAX};
use crate::sys::{self, monotonic_ns, wall_us};
use crate::types::Options;

/// What all jobs run on.
pub(super) struct Host {
    /// The engine, confined to the roots.
    pub(super) engine: Engine,
    /// Settings of jobs that say nothing themselves.
    pub(super) runtime: Options,
    /// The host's cores.
    pub(super) cores: Cores,
    /// Takes a line for the log.
    pub(super) log: Box<dyn Fn(&str) + Send + Sync>,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Being planned and started.
    Starting,
    /// Running, or paused.
    Running,
    /// Failed; to be started again.
    Restarting,
    /// Its input ended.
    Finished,
    /// Failed for good.
    Failed,
    /// Asked to stop, and done.
    Stopped,
}

/// Why a job is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It shall not run any more.
    Removed,
    /// The server ends; the job runs again when it starts.
    Closing,
}

/// An error of a job, and when it was.
#[derive(Debug, Clone)]
pub(super) struct JobError {
    pub(super) at_us: i64,
    pub(super) refusal: Refusal,
}

/// What changes in a job's life.
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) stop: Option<Stop>,
    /// Its thread is done.
    pub(super) ended: bool,
    /// Of the run that is, or was last.
    pub(super) control: Option<Control>,
    pub(super) cause: Cause,
    pub(super) runs: u32,
    pub(super) started_at_us: Option<i64>,
    pub(super) ended_at_us: Option<i64>,
    /// When it starts again.
    pub(super) restarts_at_us: Option<i64>,
    pub(super) cpus: Vec<usize>,
    pub(super) notes: Vec<String>,
    pub(super) plan: Option<String>,
    pub(super) report: Option<Value>,
    pub(super) errors: VecDeque<JobError>,
    pub(super) samples: Samples,
}

/// A deployed job.
pub(super) struct Job {
    pub(super) definition: Definition,
    pub(super) from_config: bool,
    pub(super) deployed_at_us: i64,
    pub(super) pause: PauseFlag,
    state: Mutex<State>,
    changed: Condvar,
}

/// A job that is planned and has its cores.
pub(super) type Ready = (Prepared, Reservation);

impl Host {
    /// Plans a job and reserves its cores.
    pub(super) fn prepare(&self, definition: &Definition) -> Outcome<Ready> {
        let mut prepared = definition.prepare(&self.engine, &self.runtime)?;
        let reservation = self.cores.reserve(&definition.name, &prepared.options)?;
        if !reservation.cpus.is_empty() {
            prepared.options.cores = Some(reservation.cpus.clone());
        }
        Ok((prepared, reservation))
    }
}

impl Job {
    /// A job that is about to run.
    pub(super) fn new(definition: Definition, from_config: bool, cause: Cause) -> Self {
        let state = State {
            phase: Phase::Starting,
            stop: None,
            ended: false,
            control: None,
            cause,
            runs: 0,
            started_at_us: None,
            ended_at_us: None,
            restarts_at_us: None,
            cpus: Vec::new(),
            notes: Vec::new(),
            plan: None,
            report: None,
            errors: VecDeque::new(),
            samples: Samples::default(),
        };
        Self {
            definition,
            from_config,
            deployed_at_us: wall_us(),
            pause: PauseFlag::new(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// A job as it was recorded.
    pub(super) fn recorded(record: &Record, cause: Cause) -> Self {
        let job = Self::new(record.definition(), record.from_config, cause);
        job.pause.set(record.state == Recorded::Paused);
        let mut state = job.lock();
        if let Recorded::Finished | Recorded::Failed = record.state {
            state.phase = if record.state == Recorded::Finished { Phase::Finished } else { Phase::Failed };
            state.ended = true;
            state.report = record.report.clone();
            let error = record.error.clone().map(|message| Refusal::new(422, "failed", message));
            state.errors.extend(error.map(|refusal| JobError { at_us: record.deployed_at_us, refusal }));
        }
        drop(state);
        Self { deployed_at_us: record.deployed_at_us, ..job }
    }

    /// What is to be kept of it.
    pub(super) fn record(&self) -> Record {
        let state = self.lock();
        let recorded = match state.phase {
            Phase::Finished => Recorded::Finished,
            Phase::Failed => Recorded::Failed,
            _ if self.pause.is_set() => Recorded::Paused,
            _ => Recorded::Running,
        };
        let failed = state.errors.back().filter(|_| recorded == Recorded::Failed);
        Record {
            name: self.definition.name.clone(),
            sql: self.definition.sql.clone(),
            options: self.definition.options.iter().map(|(key, value)| (key.into(), value.into())).collect(),
            from_config: self.from_config,
            deployed_at_us: self.deployed_at_us,
            state: recorded,
            report: state.report.clone().filter(|_| recorded == Recorded::Finished),
            error: failed.map(|error| error.refusal.message.clone()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its thread is done.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Asks it to stop: drain, commit, end.
    pub(super) fn stop(&self, why: Stop) {
        let mut state = self.lock();
        state.stop = Some(why);
        if let Some(control) = &state.control {
            control.stop.set();
        }
        self.changed.notify_all();
    }

    /// Waits until it has ended; false if that took too long.
    pub(super) fn wait_ended(&self, patience: Option<Duration>) -> bool {
        let deadline = patience.map(|patience| Instant::now() + patience);
        let mut state = self.lock();
        while !state.ended {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            state = match left {
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }

    /// Looks at its lanes, once a second.
    pub(super) fn sample(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Running
            && let Some(control) = &state.control
        {
            let now = moment(control);
            let lanes = control.progress.lanes(now);
            state.samples.push(now, &lanes);
        }
    }

    /// The thread of a job. `ended` is called when it has ended, before others are told.
    pub(super) fn live(&self, host: &Host, ready: Option<Ready>, ended: impl FnOnce()) {
        let phase = self.run_and_restart(host, ready);
        let mut state = self.lock();
        state.phase = phase;
        state.ended_at_us = Some(wall_us());
        state.restarts_at_us = None;
        state.cpus.clear();
        drop(state);
        ended();
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn run_and_restart(&self, host: &Host, mut ready: Option<Ready>) -> Phase {
        let name = &self.definition.name;
        let mut failures_in_row = 0;
        loop {
            let started = Instant::now();
            let refusal = match self.run_once(host, ready.take()) {
                Ok(Some(report)) => {
                    (host.log)(&format!("job {name}: {}", report.closing_line().replace('\n', "; ")));
                    let mut state = self.lock();
                    state.report = serde_json::to_value(&report).ok();
                    return if state.stop.is_some() { Phase::Stopped } else { Phase::Finished };
                }
                Ok(None) => return Phase::Stopped,
                Err(refusal) => refusal,
            };
            (host.log)(&format!("job {name} failed: {}", refusal.message));
            let may_pass = refusal.status != 400;
            let mut state = self.lock();
            if state.errors.len() == JOB_ERRORS_KEPT {
                state.errors.pop_front();
            }
            state.errors.push_back(JobError { at_us: wall_us(), refusal });
            if started.elapsed() >= Duration::from_millis(RESTART_RECOVERED_MS) {
                failures_in_row = 0;
            }
            failures_in_row += 1;
            if state.stop.is_some() || !may_pass || failures_in_row > RESTARTS_MAX {
                return if state.stop.is_some() { Phase::Stopped } else { Phase::Failed };
            }
            let wait = Duration::from_millis(restart_wait_ms(failures_in_row));
            (host.log)(&format!("job {name} starts again in {} s", wait.as_secs_f64()));
            state.phase = Phase::Restarting;
            state.cause = Cause::Failed;
            state.restarts_at_us = Some(wall_us() + wait.as_micros() as i64);
            state.cpus.clear();
            let deadline = Instant::now() + wait;
            while state.stop.is_none() && Instant::now() < deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// One run to its end; `None` if the job was stopped before it began.
    fn run_once(&self, host: &Host, ready: Option<Ready>) -> Outcome<Option<JobReport>> {
        let (prepared, reservation) = match ready {
            Some(ready) => ready,
            None => host.prepare(&self.definition)?,
        };
        // A plan is for people; whatever is wrong shows when the job runs.
        let plan = host.engine.explain(&prepared.plan, &prepared.options).ok();
        let control = Control { pause: self.pause.clone(), progress: Arc::new(Progress::new()), ..Control::default() };
        let mut state = self.lock();
        if state.stop.is_some() {
            return Ok(None);
        }
        state.control = Some(control.clone());
        state.plan = plan;
        state.phase = Phase::Running;
        state.runs += 1;
        state.started_at_us = Some(wall_us());
        state.restarts_at_us = None;
        state.cpus.clone_from(&reservation.cpus);
        state.notes = reservation.note.iter().cloned().collect();
        state.samples = Samples::default();
        let note = state.cause.note();
        drop(state);
        sys::name_current_thread(&format!("job-{}", self.definition.name));
        let run = || host.engine.run(&prepared.plan, &prepared.options, &control);
        let mut report = match std::panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(ran) => ran?,
            Err(_) => return Err(Refusal::new(500, "panic", "the job panicked; this is a defect of corelane")),
        };
        report.notes.extend(note.map(str::to_string));
        Ok(Some(report))
    }
}

/// Now, on the clocks of a job.
pub(super) fn moment(control: &Control) -> Moment {
    Moment { monotonic_ns: monotonic_ns(), wall_us: control.clock.now().0 }
}

/// Wait before the next start after so many failures in a row.
fn restart_wait_ms(failures_in_row: u32) -> u64 {
    let doublings = failures_in_row.saturating_sub(1).min(30);
    (RESTART_WAIT_MS << doublings).min(RESTART_WAIT_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits: Vec<u64> = (1..=8).map(restart_wait_ms).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(restart_wait_ms(u32::MAX), RESTART_WAIT_MS_MAX);
    }
}
