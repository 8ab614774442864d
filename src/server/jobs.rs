//! All jobs of a server: deploy, pause, resume, stop, and their registry.
//!
//! Promises: what the registry says is on the disk before a request is answered; a job is in it exactly as long as it is in
//! the list. No lock is held while a job is planned, drains, or is waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::definition::Definition;
use super::job::{Host, Job, Phase, Ready, Stop};
use super::position::Cause;
use super::refusal::{Outcome, Refusal};
use super::registry::{Recorded, Records, Registry};
use crate::error::{Error, Result, nearest};
use crate::limits::{JOB_DRAIN_WAIT_MS, JOBS_MAX, PLANNER_STACK_BYTES};

/// The jobs.
pub(super) struct Jobs {
    host: Host,
    registry: Registry,
    list: Mutex<List>,
    /// Held while the registry is written, so that the newest is written last.
    saving: Mutex<()>,
}

#[derive(Default)]
struct List {
    jobs: BTreeMap<String, Arc<Job>>,
    /// The server ends: nothing may change any more.
    closing: bool,
}

impl Jobs {
    /// Deploys what the registry has, and what the configuration asks for. A job of the configuration that is no longer in it
    /// goes; one whose definition has changed is deployed anew.
    pub(super) fn start(host: Host, registry: Registry, wanted: Vec<Definition>) -> Result<Arc<Self>> {
        let records = registry.load()?;
        let jobs = Arc::new(Self { host, registry, list: Mutex::default(), saving: Mutex::new(()) });
        let cause = if records.clean { Cause::ServerStarted } else { Cause::ServerCrashed };
        let mut list = jobs.lock();
        for record in &records.jobs {
            let same = wanted.iter().any(|definition| *definition == record.definition());
            if record.from_config && !same {
                jobs.log(&format!("job {} is not in the configuration any more as it was", record.name));
            } else if !wanted.iter().any(|definition| definition.name == record.name && !same) {
                list.jobs.insert(record.name.clone(), Arc::new(Job::recorded(record, cause)));
            }
        }
        for definition in wanted {
            let name = definition.name.clone();
            list.jobs.entry(name).or_insert_with(|| Arc::new(Job::new(definition, true, Cause::Deployed)));
        }
        let all: Vec<Arc<Job>> = list.jobs.values().cloned().collect();
        drop(list);
        jobs.save()?;
        for job in all.into_iter().filter(|job| !job.has_ended()) {
            let recorded = job.record().state == Recorded::Paused;
            jobs.log(&format!("job {}: deployed{}", job.definition.name, if recorded { ", paused" } else { "" }));
            jobs.spawn(&job, None)?;
        }
        Ok(jobs)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, line: &str) {
        (self.host.log)(line);
    }

    /// Whether the server ends.
    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// All jobs by name.
    pub(super) fn all(&self) -> Vec<Arc<Job>> {
        self.lock().jobs.values().cloned().collect()
    }

    /// The job of that name.
    pub(super) fn get(&self, name: &str) -> Outcome<Arc<Job>> {
        let list = self.lock();
        match list.jobs.get(name) {
            Some(job) => Ok(Arc::clone(job)),
            None => Err(Refusal::no_job(name, nearest(name, list.jobs.keys().map(String::as_str)))),
        }
    }

    /// Deploys a job. With `replace` one of that name is stopped first, once the new one is known to be good.
    pub(super) fn deploy(self: &Arc<Self>, definition: Definition, replace: bool) -> Outcome<Arc<Job>> {
        self.refuse_if_closing()?;
        let name = definition.name.clone();
        let old = self.lock().jobs.get(&name).cloned();
        if old.is_some() && !replace {
            return Err(Refusal::new(
                409,
                "job_exists",
                format!("a job is called {name} already: stop it first, or post \"replace\": true"),
            ));
        }
        let ready = self.host.prepare(&definition)?;
        if let Some(old) = old {
            self.stop_and_wait(&old)?;
        }
        let job = Arc::new(Job::new(definition, false, Cause::Deployed));
        {
            let mut list = self.lock();
            if list.closing {
                return Err(closing());
            }
            if list.jobs.contains_key(&name) {
                return Err(Refusal::new(409, "job_exists", format!("a job called {name} was deployed meanwhile")));
            }
            if list.jobs.len() >= JOBS_MAX {
                return Err(Refusal::new(409, "too_many_jobs", format!("a server has {JOBS_MAX} jobs at most")));
            }
            list.jobs.insert(name.clone(), Arc::clone(&job));
        }
        let started = self.save().and_then(|()| self.spawn(&job, Some(ready)));
        if let Err(error) = started {
            self.lock().jobs.remove(&name);
            return Err(Refusal { status: 500, ..Refusal::from(error) });
        }
        self.log(&format!("job {name}: deployed"));
        Ok(job)
    }

    /// Pauses a job or lets it go on. Its state stays.
    pub(super) fn pause(&self, name: &str, paused: bool) -> Outcome<Arc<Job>> {
        self.refuse_if_closing()?;
        let job = self.get(name)?;
        let phase = job.lock().phase;
        if let Phase::Finished | Phase::Failed | Phase::Stopped = phase {
            return Err(Refusal::new(409, "not_running", format!("job {name} does not run")));
        }
        job.pause.set(paused);
        self.save().map_err(|error| Refusal { status: 500, ..Refusal::from(error) })?;
        self.log(&format!("job {name}: {}", if paused { "paused" } else { "resumed" }));
        Ok(job)
    }

    /// Stops a job and forgets it. True if it has drained; else it still does, and goes when it has.
    pub(super) fn stop(&self, name: &str) -> Outcome<(Arc<Job>, bool)> {
        self.refuse_if_closing()?;
        let job = self.get(name)?;
        let drained = self.stop_and_wait(&job).is_ok();
        Ok((job, drained))
    }

    fn stop_and_wait(&self, job: &Arc<Job>) -> Outcome<()> {
        job.stop(Stop::Removed);
        if !job.wait_ended(Some(Duration::from_millis(JOB_DRAIN_WAIT_MS))) {
            let name = &job.definition.name;
            return Err(Refusal::new(409, "draining", format!("job {name} still drains: try again later")));
        }
        // One whose thread is done had nobody to do this for it.
        self.forget(job);
        Ok(())
    }

    /// Takes an ended job from the list.
    fn forget(&self, job: &Arc<Job>) {
        let mut list = self.lock();
        let name = &job.definition.name;
        if list.jobs.get(name).is_some_and(|listed| Arc::ptr_eq(listed, job)) {
            list.jobs.remove(name);
            drop(list);
            self.log(&format!("job {name}: stopped"));
            self.save_or_log();
        }
    }

    /// Stops all jobs, which run again when the server starts again, and waits until they have drained.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        let jobs = self.all();
        jobs.iter().filter(|job| !job.has_ended()).for_each(|job| job.stop(Stop::Closing));
        for job in jobs {
            job.wait_ended(None);
        }
        self.save_or_log();
    }

    fn refuse_if_closing(&self) -> Outcome<()> {
        if self.is_closing() { Err(closing()) } else { Ok(()) }
    }

    fn spawn(self: &Arc<Self>, job: &Arc<Job>, ready: Option<Ready>) -> Result<()> {
        let (jobs, job) = (Arc::clone(self), Arc::clone(job));
        let body = move || job.live(&jobs.host, ready, || jobs.ended(&job));
        let spawned =
            std::thread::Builder::new().name("corelane-job".into()).stack_size(PLANNER_STACK_BYTES).spawn(body);
        spawned.map(|_| ()).map_err(|error| Error::Execution(format!("cannot start a thread: {error}")))
    }

    /// A job's thread is about to end.
    fn ended(&self, job: &Arc<Job>) {
        if job.lock().stop == Some(Stop::Removed) {
            self.forget(job);
        } else {
            self.save_or_log();
        }
    }

    /// Writes the registry: `clean` once the server ends and all jobs have.
    fn save(&self) -> Result<()> {
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = self.all();
        let clean = self.is_closing() && jobs.iter().all(|job| job.has_ended());
        self.registry.save(&Records::new(clean, jobs.iter().map(|job| job.record()).collect()))
    }

    fn save_or_log(&self) {
        if let Err(error) = self.save() {
            self.log(&format!("the registry of jobs is not up to date: {error}"));
        }
    }
}

fn closing() -> Refusal {
    Refusal::new(503, "closing", "the server is stopping")
}
