//! The host's CPUs - cores, SMT siblings, caches, NUMA nodes - and which of them partitions get.
//!
//! Read from `/sys` once at start; the root is a parameter, so that tests bring trees of machines they do not have.
//! What `/sys` does not tell (containers hide parts of it) falls back: a CPU without topology is a core of its own on
//! socket 0 and NUMA node 0, with caches of unknown size.
//!
//! Placement, in this order: distinct physical cores, filled NUMA node by NUMA node; then their SMT siblings; then
//! sharing, which is said in a note. Only CPUs the process may run on are used (its affinity, and with it the cgroup's
//! cpuset). The result depends on the topology alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::pin;
use crate::error::{Error, Result};

/// One logical CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpu {
    /// The kernel's number.
    pub cpu: usize,
    /// Physical core, as the kernel numbers it; unique within a socket at best.
    pub core: usize,
    /// Socket.
    pub socket: usize,
    /// NUMA node.
    pub numa: usize,
    /// Logical CPUs of the same physical core, this one included, ascending.
    pub siblings: Vec<usize>,
    /// L1 data cache.
    pub l1_bytes: Option<u64>,
    /// L2 cache.
    pub l2_bytes: Option<u64>,
    /// L3 cache, shared with other cores.
    pub l3_bytes: Option<u64>,
    /// Whether this process may run here.
    pub allowed: bool,
    /// Whether the kernel keeps other work away (`isolcpus`).
    pub isolated: bool,
}

/// The online CPUs of the host, ascending by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// All online CPUs.
    pub cpus: Vec<Cpu>,
}

/// Which CPU each partition gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// CPU of partition 0, 1, 2, ...
    pub cpus: Vec<usize>,
    /// Said where partitions share a physical core or a CPU.
    pub note: Option<String>,
}

impl Topology {
    /// The topology of this host, as this process may use it.
    pub fn read() -> Self {
        Self::read_from(Path::new("/sys"), pin::allowed_cpus().as_deref())
    }

    /// The topology under `sys_root`; `allowed` are the CPUs the process may use, `None` if unknown (then all).
    pub fn read_from(sys_root: &Path, allowed: Option<&[usize]>) -> Self {
        let directory = sys_root.join("devices/system/cpu");
        let list = |path: &Path| read_text(path).and_then(|text| parse_kernel_list(&text));
        let online = list(&directory.join("online"))
            .filter(|cpus| !cpus.is_empty())
            .or_else(|| allowed.map(<[usize]>::to_vec))
            .unwrap_or_else(|| vec![0]);
        let isolated = list(&directory.join("isolated")).unwrap_or_default();
        let numa = numa_nodes(&sys_root.join("devices/system/node"));
        let cpus = online
            .iter()
            .map(|&cpu| {
                let base = directory.join(format!("cpu{cpu}"));
                let number = |name: &str| read_text(&base.join("topology").join(name))?.trim().parse().ok();
                let cache = caches(&base.join("cache"));
                Cpu {
                    cpu,
                    core: number("core_id").unwrap_or(cpu),
                    // -1 on hosts that do not number their sockets.
                    socket: number("physical_package_id").unwrap_or(0),
                    numa: numa.get(&cpu).copied().unwrap_or(0),
                    siblings: list(&base.join("topology/thread_siblings_list"))
                        .filter(|siblings| siblings.contains(&cpu))
                        .unwrap_or_else(|| vec![cpu]),
                    l1_bytes: cache[0],
                    l2_bytes: cache[1],
                    l3_bytes: cache[2],
                    allowed: allowed.is_none_or(|allowed| allowed.contains(&cpu)),
                    isolated: isolated.contains(&cpu),
                }
            })
            .collect();
        Self { cpus }
    }

    /// Distinct physical cores with at least one allowed CPU: the default number of partitions. At least 1.
    pub fn physical_cores(&self) -> usize {
        self.allowed_cores().len().max(1)
    }

    /// Allowed CPUs in the order partitions take them: one of each physical core, then the siblings.
    pub fn placement_order(&self) -> Vec<usize> {
        let cores = self.allowed_cores();
        let depth = cores.iter().map(Vec::len).max().unwrap_or(0);
        (0..depth).flat_map(|rank| cores.iter().filter_map(move |core| core.get(rank).copied())).collect()
    }

    /// A CPU for each of `partitions` partitions. With `cores` those CPUs in the order given; a CPU that does not
    /// exist or is not allowed is an error. Fewer CPUs than partitions is a note.
    pub fn placement(&self, partitions: usize, cores: Option<&[usize]>) -> Result<Placement> {
        let order = match cores {
            Some(cores) => {
                self.check(cores)?;
                cores.to_vec()
            }
            None => self.placement_order(),
        };
        assert!(!order.is_empty(), "a process runs on at least one CPU");
        let cpus: Vec<usize> = order.iter().copied().cycle().take(partitions).collect();
        let note = self.sharing_note(&cpus, order.len());
        Ok(Placement { cpus, note })
    }

    fn check(&self, cores: &[usize]) -> Result<()> {
        let allowed: Vec<usize> = self.cpus.iter().filter(|cpu| cpu.allowed).map(|cpu| cpu.cpu).collect();
        if cores.is_empty() {
            return Err(Error::Config("cores: the list of CPUs is empty".into()));
        }
        match cores.iter().find(|core| !allowed.contains(core)) {
            None => Ok(()),
            Some(core) => {
                let online = self.cpus.iter().any(|cpu| cpu.cpu == *core);
                let reason = if online { "is not allowed for this process" } else { "is not online" };
                let allowed = format_cpu_list(&allowed);
                Err(Error::Config(format!("cores: CPU {core} {reason}; this process may use {allowed}")))
            }
        }
    }

    fn sharing_note(&self, cpus: &[usize], available: usize) -> Option<String> {
        let partitions = cpus.len();
        if partitions > available {
            let cpus = if available == 1 { "1 CPU".into() } else { format!("{available} CPUs") };
            return Some(format!("{partitions} partitions share {cpus}: more partitions than CPUs gain nothing"));
        }
        let cores = cpus.iter().map(|cpu| self.core_key(*cpu)).collect::<BTreeSet<_>>().len();
        let noun = if cores == 1 { "core" } else { "cores" };
        (cores < partitions).then(|| format!("{partitions} partitions run as SMT siblings on {cores} physical {noun}"))
    }

    /// Names the physical core of `cpu`: its first sibling. (`core_id` repeats between sockets and dies.)
    fn core_key(&self, cpu: usize) -> usize {
        let found = self.cpus.iter().find(|candidate| candidate.cpu == cpu);
        found.and_then(|cpu| cpu.siblings.first().copied()).unwrap_or(cpu)
    }

    /// The allowed CPUs of every physical core, cores ordered by NUMA node, socket and first CPU.
    fn allowed_cores(&self) -> Vec<Vec<usize>> {
        let mut cores: BTreeMap<(usize, usize, usize), Vec<usize>> = BTreeMap::new();
        for cpu in self.cpus.iter().filter(|cpu| cpu.allowed) {
            cores.entry((cpu.numa, cpu.socket, self.core_key(cpu.cpu))).or_default().push(cpu.cpu);
        }
        cores.into_values().collect()
    }
}

/// CPU numbers written as `2-9,12`, in the order written. A number twice is an error: it is a slip more often than a wish.
pub fn parse_cpu_list(text: &str) -> Result<Vec<usize>> {
    let wrong = |reason: &str| Error::Config(format!("cores = '{text}': {reason}; write CPU numbers as in 2-9,12"));
    let number = |part: &str| {
        let value: usize = part.trim().parse().map_err(|_| wrong(&format!("\"{}\" is not a number", part.trim())))?;
        if value < pin::CPU_SET_BITS { Ok(value) } else { Err(wrong(&format!("CPU {value} is beyond the greatest"))) }
    };
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(wrong(&format!("{first} is greater than {last}")));
        }
        for cpu in first..=last {
            if cpus.contains(&cpu) {
                return Err(wrong(&format!("CPU {cpu} is named twice")));
            }
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

/// CPU numbers as `0-3,8`: runs of ascending neighbours are joined, the order is kept.
pub fn format_cpu_list(cpus: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => runs.push((cpu, cpu)),
        }
    }
    let run = |(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

/// A list as the kernel writes it; an empty line is an empty list. Ascending without repeats.
fn parse_kernel_list(text: &str) -> Option<Vec<usize>> {
    if text.trim().is_empty() { Some(Vec::new()) } else { parse_cpu_list(text.trim()).ok() }
}

fn numa_nodes(directory: &Path) -> BTreeMap<usize, usize> {
    let mut nodes = BTreeMap::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(node) = name.to_str().and_then(|name| name.strip_prefix("node")?.parse().ok()) else { continue };
        let cpus = read_text(&entry.path().join("cpulist")).and_then(|text| parse_kernel_list(&text));
        nodes.extend(cpus.unwrap_or_default().into_iter().map(|cpu| (cpu, node)));
    }
    nodes
}

/// Sizes of the data (or unified) caches of levels 1, 2 and 3.
fn caches(directory: &Path) -> [Option<u64>; 3] {
    let mut sizes = [None; 3];
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let text = |name: &str| read_text(&entry.path().join(name));
        if text("type").is_none_or(|kind| kind.trim() == "Instruction") {
            continue;
        }
        let level: Option<usize> = text("level").and_then(|level| level.trim().parse().ok());
        if let Some(slot) = level.and_then(|level| sizes.get_mut(level.checked_sub(1)?)) {
            *slot = text("size").and_then(|size| parse_size_bytes(size.trim()));
        }
    }
    sizes
}

/// `48K`, `2048K`, `32M`.
fn parse_size_bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1 << 10),
        b'M' => (&text[..text.len() - 1], 1 << 20),
        b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn read_text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
#[path = "topology_tests.rs"]
mod tests;
