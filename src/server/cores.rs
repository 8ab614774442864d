//! Which job has which cores: jobs share the host by sets of CPUs.
//!
//! A job gets the CPUs that the fewest others have. One that asks for more than are free shares, with a note that says
//! with whom, or is refused, as configured.

use std::collections::BTreeMap;
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
        let nothing = |cpus| Reservation { cores: self.clone(), job: job.to_string(), cpus, note: None };
        if matches!(options.processor, ProcessorKind::Inline | ProcessorKind::Simple) {
            return Ok(nothing(Vec::new()));
        }
        if let Some(asked) = &options.cores {
            self.topology.placement(asked.len(), Some(asked))?;
        }
        let default = self.topology.physical_cores().min(self.pool.len());
        let wanted = options.partitions.or(options.cores.as_ref().map(Vec::len)).unwrap_or(default);
        let mut held = self.lock();
        // A job that replaces itself gives its CPUs to itself.
        let users = |cpu: &usize| held.get(cpu).map_or(0, |jobs| jobs.iter().filter(|other| *other != job).count());
        let mut order = options.cores.clone().unwrap_or_else(|| self.pool.to_vec());
        if options.cores.is_none() {
            // Stable: among equals the best first.
            order.sort_by_key(users);
        }
        order.truncate(wanted);
        let shared: Vec<usize> = order.iter().copied().filter(|cpu| users(cpu) > 0).collect();
        let mut others: Vec<String> = shared.iter().filter_map(|cpu| held.get(cpu)).flatten().cloned().collect();
        others.retain(|other| other != job);
        others.sort();
        others.dedup();
        let mut reservation = nothing(Vec::new());
        if !shared.is_empty() || wanted > order.len() {
            let found = match others.len() {
                0 => format!("{wanted} partitions for {} CPUs", order.len()),
                _ => format!("CPU {} is shared with {}", format_cpu_list(&shared), others.join(", ")),
            };
            if self.policy == Oversubscribe::Refuse {
                return Err(Refusal::new(
                    409,
                    "cores_taken",
                    format!(
                        "job {job} would oversubscribe the host: {found}; ask for fewer with the option partitions, stop a \
                         job, or configure runtime.oversubscribe: note"
                    ),
                ));
            }
            reservation.note = Some(found);
        }
        for cpu in &order {
            held.entry(*cpu).or_default().push(job.to_string());
        }
        reservation.cpus = order;
        Ok(reservation)
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
