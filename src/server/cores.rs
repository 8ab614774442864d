//! Which job has which cores: jobs share the host by sets of CPUs.
//!
//! A job gets the CPUs that the fewest others have. One that asks for more than are free shares, with a note that says
//! with whom, or is refused, as configured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::config::Oversubscribe;
use super::refusal::{Outcome, Refusal};
use crate::engine::{ProcessorKind, RunOptions};
use crate::sys::{Topology, format_cpu_list};

/// All CPUs and who has them.
#[derive(Debug, Clone)]
pub(super) struct Cores {
    /// CPUs that jobs may have, best first.
    pool: Arc<Vec<usize>>,
    topology: Arc<Topology>,
    policy: Oversubscribe,
    /// Names of jobs by CPU.
    held: Arc<Mutex<BTreeMap<usize, Vec<String>>>>,
}

/// CPUs that a job has until this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    cores: Cores,
    job: String,
    /// The CPUs, one for each partition while they last; none for a processor that is not pinned.
    pub(super) cpus: Vec<usize>,
    /// What the user should know.
    pub(super) note: Option<String>,
}

impl Cores {
    /// Of the host, or of `pool` alone.
    pub(super) fn new(topology: Topology, pool: Option<&[usize]>, policy: Oversubscribe) -> crate::error::Result<Self> {
        let pool = match pool {
            // Refused here if the process may not use them.
            Some(cores) => topology.placement(cores.len(), Some(cores))?.cpus,
            None => topology.placement_order(),
        };
        Ok(Self { pool: Arc::new(pool), topology: Arc::new(topology), policy, held: Arc::default() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<String>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes CPUs for `job`.
    pub(super) fn reserve(&self, job: &str, options: &RunOptions) -> Outcome<Reservation> {
        // A reservation locks when it is dropped: it is made when nothing is locked any more.
        let reservation = |cpus, note| Reservation { cores: self.clone(), job: job.to_string(), cpus, note };
        if matches!(options.processor, ProcessorKind::Inline | ProcessorKind::Simple) {
            return Ok(reservation(Vec::new(), None));
        }
        if let Some(asked) = &options.cores {
            self.topology.placement(asked.len(), Some(asked))?;
        }
        let default = self.topology.physical_cores().min(self.pool.len());
        let wanted = options.partitions.or(options.cores.as_ref().map(Vec::len)).unwrap_or(default);
        let mut held = self.lock();
        let (cpus, note) = self.choose(&held, job, options.cores.as_deref(), wanted);
        if let (Some(found), Oversubscribe::Refuse) = (&note, self.policy) {
            return Err(Refusal::new(
                409,
                "cores_taken",
                format!(
                    "job {job} would oversubscribe the host: {found}; ask for fewer with the option partitions, stop a job, \
                     or configure runtime.oversubscribe: note"
                ),
            ));
        }
        for cpu in &cpus {
            held.entry(*cpu).or_default().push(job.to_string());
        }
        drop(held);
        Ok(reservation(cpus, note))
    }

    /// CPUs for `wanted` partitions, and what there is to note about them.
    fn choose(
        &self,
        held: &BTreeMap<usize, Vec<String>>,
        job: &str,
        asked: Option<&[usize]>,
        wanted: usize,
    ) -> (Vec<usize>, Option<String>) {
        // A job that replaces itself gives its CPUs to itself.
        let others = |cpu: &usize| held.get(cpu).into_iter().flatten().filter(|other| *other != job);
        let mut cpus = asked.unwrap_or(&self.pool).to_vec();
        if asked.is_none() {
            // Stable: among equals the best first.
            cpus.sort_by_key(|cpu| others(cpu).count());
        }
        cpus.truncate(wanted);
        let shared: Vec<usize> = cpus.iter().copied().filter(|cpu| others(cpu).next().is_some()).collect();
        let names: BTreeSet<&str> = shared.iter().flat_map(others).map(String::as_str).collect();
        let note = if !names.is_empty() {
            let names: Vec<&str> = names.into_iter().collect();
            Some(format!("CPU {} is shared with {}", format_cpu_list(&shared), names.join(", ")))
        } else if wanted > cpus.len() {
            Some(format!("{wanted} partitions for {} CPUs", cpus.len()))
        } else {
            None
        };
        (cpus, note)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.cores.lock();
        for cpu in &self.cpus {
            if let Some(jobs) = held.get_mut(cpu)
                && let Some(index) = jobs.iter().position(|job| *job == self.job)
            {
                jobs.swap_remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(partitions: Option<usize>) -> RunOptions {
        RunOptions { partitions, ..RunOptions::default() }
    }

    #[test]
    fn jobs_get_cpus_of_their_own_while_there_are_any() {
        let topology = Topology::read();
        let all = topology.placement_order();
        let cores = Cores::new(topology, None, Oversubscribe::Refuse).unwrap();
        let held: Vec<Reservation> =
            all.iter().map(|cpu| cores.reserve(&format!("a{cpu}"), &options(Some(1))).unwrap()).collect();
        let mut cpus: Vec<usize> = held.iter().flat_map(|held| held.cpus.clone()).collect();
        cpus.sort_unstable();
        let mut sorted = all.clone();
        sorted.sort_unstable();
        assert_eq!(cpus, sorted);
        let refused = cores.reserve("b", &options(Some(1))).unwrap_err();
        assert_eq!((refused.status, refused.code), (409, "cores_taken"));
        assert!(refused.message.contains(&format!("shared with a{}", all[0])), "{}", refused.message);
        let inline = RunOptions { processor: ProcessorKind::Inline, ..RunOptions::default() };
        assert!(cores.reserve("b", &inline).unwrap().cpus.is_empty());
        drop(held);
        assert_eq!(cores.reserve("b", &options(Some(all.len()))).unwrap().note, None);
    }

    #[test]
    fn sharing_is_noted() {
        let topology = Topology::read();
        let cpu = topology.placement_order()[0];
        let cores = Cores::new(topology, Some(&[cpu]), Oversubscribe::Note).unwrap();
        let first = cores.reserve("a", &options(None)).unwrap();
        assert_eq!((first.cpus.clone(), first.note.clone()), (vec![cpu], None));
        let second = cores.reserve("b", &options(None)).unwrap();
        assert_eq!(second.note.as_deref(), Some(format!("CPU {cpu} is shared with a").as_str()));
        drop((first, second));
        assert_eq!(cores.reserve("c", &options(Some(3))).unwrap().note.as_deref(), Some("3 partitions for 1 CPUs"));
        let asked = RunOptions { cores: Some(vec![1023]), ..RunOptions::default() };
        assert_eq!(cores.reserve("d", &asked).unwrap_err().code, "configuration");
    }
}
