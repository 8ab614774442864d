//! `corelane doctor`: whether this host is set up for pinned threads, and what to do where it is not.

use serde_json::json;

use super::arguments::DoctorArguments;
use super::list;
use super::stats::write_stdout;
use crate::error::Result;
use crate::sys::{HostSettings, PARANOID_MAX, Topology, format_cpu_list, has_avx512};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works, but slower or less steadily than it could.
    Better,
    /// The host does not tell.
    Untold,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Better => "improve",
            Self::Untold => "not told",
        }
    }
}

/// One line of the table.
struct Check {
    name: &'static str,
    verdict: Verdict,
    state: String,
    wanted: &'static str,
    reason: &'static str,
    command: &'static str,
}

/// Prints the checks as a table or as JSON.
pub(super) fn show(arguments: &DoctorArguments) -> Result<()> {
    let topology = Topology::read();
    let checks = checks(&topology, &HostSettings::read(), has_avx512());
    write_stdout(&if arguments.json { format!("{:#}\n", document(&checks)) } else { table(&checks) })
}

/// A check of something that the host may not tell.
fn told<T>(
    name: &'static str,
    told: Option<T>,
    state: impl Fn(&T) -> String,
    is_good: impl Fn(&T) -> bool,
    [wanted, reason, command]: [&'static str; 3],
) -> Check {
    let verdict = match &told {
        None => Verdict::Untold,
        Some(value) if is_good(value) => Verdict::Good,
        Some(_) => Verdict::Better,
    };
    let state = told.as_ref().map_or_else(|| "-".into(), state);
    Check { name, verdict, state, wanted, reason, command }
}

fn checks(topology: &Topology, host: &HostSettings, avx512: bool) -> Vec<Check> {
    let allowed: Vec<usize> = topology.cpus.iter().filter(|cpu| cpu.allowed).map(|cpu| cpu.cpu).collect();
    let (online, may) = (topology.cpus.len(), allowed.len());
    let partitions = topology.placement_order();
    let lanes = &partitions[..partitions.len().min(topology.physical_cores())];
    let disturbed: Vec<usize> = host.interrupt_cpus.iter().copied().filter(|cpu| lanes.contains(cpu)).collect();
    let on_off = |on: &bool| if *on { "on" } else { "off" }.to_string();
    let mebibytes = |bytes: &u64| match *bytes {
        u64::MAX => "no limit".into(),
        bytes => format!("{} MB", bytes >> 20),
    };
    vec![
        told(
            "cores",
            Some(topology.physical_cores()),
            |cores| format!("{cores} physical"),
            |cores| *cores > 1,
            ["2 or more", "A partition is a thread on a physical core of its own.", ""],
        ),
        told(
            "cpuset",
            Some((may, online)),
            |(may, online)| format!("{may} of {online} CPUs"),
            |(may, online)| may == online,
            [
                "all, or those set apart for it",
                "A cgroup or taskset narrows the CPUs that partitions may get.",
                "systemctl set-property corelane.service AllowedCPUs=",
            ],
        ),
        told(
            "avx512",
            Some(avx512),
            on_off,
            |on| *on,
            ["on", "Kernels run on AVX2 without it; hashing, filters and grouping are slower.", ""],
        ),
        told(
            "governor",
            host.governors.as_ref(),
            |names| names.join(", "),
            |names| **names == ["performance"],
            [
                "performance",
                "Other governors let the clock drop between batches.",
                "cpupower frequency-set -g performance",
            ],
        ),
        told(
            "smt",
            host.smt,
            on_off,
            |on| !on,
            [
                "off, or one partition per core",
                "Partitions get distinct physical cores first; other work on a sibling takes half of one.",
                "echo off > /sys/devices/system/cpu/smt/control",
            ],
        ),
        told(
            "isolcpus",
            host.isolated.as_ref(),
            |cpus| cpu_list(cpus),
            |cpus| !cpus.is_empty(),
            [
                "the CPUs of the partitions",
                "The scheduler puts other threads on CPUs that are not isolated.",
                "kernel parameter isolcpus=, nohz_full= and rcu_nocbs= with the CPUs, then --cores",
            ],
        ),
        told(
            "huge pages",
            host.huge_pages.as_deref(),
            |mode| mode.to_string(),
            |mode| *mode != "never",
            [
                "madvise or always",
                "Large tables of groups ask for huge pages; without them look-ups miss the TLB.",
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
            ],
        ),
        told(
            "interrupts",
            Some(disturbed),
            |cpus| cpu_list(cpus),
            |cpus| cpus.is_empty(),
            [
                "on none of the partitions' CPUs",
                "Interrupts of devices hold up the partition of their CPU.",
                "systemctl stop irqbalance; echo CPUS > /proc/irq/N/smp_affinity_list",
            ],
        ),
        told(
            "perf events",
            host.perf_event_paranoid,
            |level| format!("level {level}"),
            |level| *level <= PARANOID_MAX,
            [
                "level 2 or less",
                "Above 2 a process may not count its own cycles and cache misses.",
                "sysctl kernel.perf_event_paranoid=1",
            ],
        ),
        told(
            "counters",
            Some(host.counters),
            on_off,
            |on| *on,
            [
                "on",
                "Without the CPU's counters only time and the cycle counter are shown: most virtual machines hide them.",
                "pass the PMU through to the virtual machine",
            ],
        ),
        told(
            "memlock",
            host.locked_bytes_max,
            mebibytes,
            |bytes| *bytes >= 64 << 20,
            [
                "64 MB or more",
                "Buffers of the kernel for counters count against it.",
                "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit",
            ],
        ),
        told(
            "numa",
            host.numa_nodes,
            |nodes| format!("{nodes} nodes"),
            |nodes| *nodes == 1,
            [
                "partitions on one node, or a job for each",
                "Memory of another node is slower; partitions touch their own first.",
                "--cores with the CPUs of one node (corelane topology)",
            ],
        ),
        told(
            "steal time",
            host.stolen,
            |share| format!("{:.1} %", share * 100.0),
            |share| *share < 0.01,
            [
                "below 1 %",
                "The hypervisor gave that share of the time since boot to other machines.",
                "a dedicated host, or dedicated cores",
            ],
        ),
    ]
}

fn cpu_list(cpus: &[usize]) -> String {
    if cpus.is_empty() { "none".into() } else { format!("CPU {}", format_cpu_list(cpus)) }
}

fn document(checks: &[Check]) -> serde_json::Value {
    let check = |check: &Check| {
        let Check { name, verdict, state, wanted, reason, command } = check;
        json!({"check": name, "verdict": verdict.word(), "state": state, "wanted": wanted, "reason": reason, "command": command})
    };
    checks.iter().map(check).collect()
}

fn table(checks: &[Check]) -> String {
    let cells = |check: &Check| {
        // What is as it should be needs no advice.
        let command = if check.verdict == Verdict::Good { "" } else { check.command };
        [check.name, check.verdict.word(), &check.state, check.wanted, check.reason, command]
            .map(|cell| vec![cell.to_string()])
    };
    let columns = [("check", 12), ("verdict", 8), ("state", 18), ("wanted", 24), ("reason", 48), ("command", 44)];
    let open = checks.iter().filter(|check| check.verdict == Verdict::Better).count();
    let end = match open {
        0 => "nothing to improve".to_string(),
        1 => "1 thing to improve".into(),
        open => format!("{open} things to improve"),
    };
    format!("{}({end})\n", list::table(columns, checks.iter().map(cells)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(host: &HostSettings, name: &str) -> Verdict {
        let checks = checks(&Topology { cpus: Vec::new() }, host, true);
        checks.iter().find(|check| check.name == name).unwrap().verdict
    }

    #[test]
    fn what_the_host_hides_is_not_judged() {
        let host = HostSettings::default();
        for name in ["governor", "smt", "huge pages", "perf events", "memlock", "numa", "steal time"] {
            assert_eq!(verdict(&host, name), Verdict::Untold, "{name}");
        }
    }

    #[test]
    fn settings_are_judged() {
        let good = HostSettings {
            governors: Some(vec!["performance".into()]),
            huge_pages: Some("madvise".into()),
            perf_event_paranoid: Some(1),
            locked_bytes_max: Some(u64::MAX),
            ..HostSettings::default()
        };
        let bad = HostSettings {
            governors: Some(vec!["performance".into(), "powersave".into()]),
            huge_pages: Some("never".into()),
            perf_event_paranoid: Some(4),
            locked_bytes_max: Some(64 << 10),
            ..HostSettings::default()
        };
        for name in ["governor", "huge pages", "perf events", "memlock"] {
            assert_eq!((verdict(&good, name), verdict(&bad, name)), (Verdict::Good, Verdict::Better), "{name}");
        }
    }

    #[test]
    fn advice_stands_only_where_something_is_to_be_done() {
        let host =
            HostSettings { huge_pages: Some("never".into()), perf_event_paranoid: Some(1), ..HostSettings::default() };
        let text = table(&checks(&Topology { cpus: Vec::new() }, &host, true));
        assert!(text.contains("echo madvise >") && !text.contains("sysctl kernel.perf_event_paranoid"), "{text}");
    }
}
