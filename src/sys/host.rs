//! How the host is set up for pinned threads: what an operator can change, as files under /sys and /proc tell it.

use std::fs;
use std::path::Path;

use super::parse_cpu_list;

/// Settings of the host. What it does not tell is `None`: virtual machines and containers hide much of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostSettings {
    /// Frequency governors of the CPUs, each once.
    pub governors: Option<Vec<String>>,
    /// Whether SMT is on.
    pub smt: Option<bool>,
    /// CPUs that the scheduler leaves alone.
    pub isolated: Option<Vec<usize>>,
    /// When memory is given in huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// Who may count hardware events: 2 and less, a process its own.
    pub perf_event_paranoid: Option<i32>,
    /// Whether the CPU's counters are there.
    pub counters: bool,
    /// Bytes that a process may lock into memory; `u64::MAX` is no limit.
    pub locked_bytes_max: Option<u64>,
    /// CPUs that interrupts of devices may come to.
    pub interrupt_cpus: Vec<usize>,
    /// NUMA nodes.
    pub numa_nodes: Option<usize>,
    /// Share of its time since it was started that the hypervisor gave to others.
    pub stolen: Option<f64>,
}

impl HostSettings {
    /// Those of this host.
    pub fn read() -> Self {
        Self::read_from(Path::new("/"))
    }

    /// Those of the host whose /sys and /proc are under `root`.
    pub fn read_from(root: &Path) -> Self {
        let text = |path: &str| fs::read_to_string(root.join(path)).ok().map(|text| text.trim().to_string());
        Self {
            governors: governors(&root.join("sys/devices/system/cpu")),
            smt: text("sys/devices/system/cpu/smt/active").map(|active| active == "1"),
            isolated: text("sys/devices/system/cpu/isolated").map(|list| parse_cpu_list(&list).unwrap_or_default()),
            huge_pages: text("sys/kernel/mm/transparent_hugepage/enabled").and_then(|modes| chosen(&modes)),
            perf_event_paranoid: perf_event_paranoid(root),
            counters: ["cpu", "cpu_core"]
                .iter()
                .any(|name| root.join("sys/bus/event_source/devices").join(name).exists()),
            locked_bytes_max: text("proc/self/limits").and_then(|limits| locked_bytes_max(&limits)),
            interrupt_cpus: interrupt_cpus(&root.join("proc/irq")),
            numa_nodes: text("sys/devices/system/node/online")
                .and_then(|list| parse_cpu_list(&list).ok())
                .map(|nodes| nodes.len()),
            stolen: text("proc/stat").and_then(|stat| stolen(&stat)),
        }
    }
}

/// The greatest level of `kernel.perf_event_paranoid` at which a process may count its own events.
pub const PARANOID_MAX: i32 = 2;

/// `kernel.perf_event_paranoid`: what the kernel lets processes count.
pub(super) fn perf_event_paranoid(root: &Path) -> Option<i32> {
    fs::read_to_string(root.join("proc/sys/kernel/perf_event_paranoid")).ok()?.trim().parse().ok()
}

/// The one in brackets: `always [madvise] never`.
fn chosen(modes: &str) -> Option<String> {
    let (_, rest) = modes.split_once('[')?;
    rest.split_once(']').map(|(mode, _)| mode.to_string())
}

fn governors(cpus: &Path) -> Option<Vec<String>> {
    let names = fs::read_dir(cpus).ok()?.flatten().filter_map(|entry| {
        fs::read_to_string(entry.path().join("cpufreq/scaling_governor")).ok().map(|name| name.trim().to_string())
    });
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then_some(names)
}

fn locked_bytes_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        bytes => bytes.parse().ok(),
    }
}

/// CPUs that any numbered interrupt may come to.
fn interrupt_cpus(irq: &Path) -> Vec<usize> {
    let Ok(entries) = fs::read_dir(irq) else { return Vec::new() };
    let lists = entries.flatten().filter_map(|entry| {
        let list = fs::read_to_string(entry.path().join("effective_affinity_list")).ok()?;
        parse_cpu_list(list.trim()).ok()
    });
    let mut cpus: Vec<usize> = lists.flatten().collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

/// The eighth figure of the first line of /proc/stat, as a share of the first eight.
fn stolen(stat: &str) -> Option<f64> {
    let figures = stat.lines().next()?.strip_prefix("cpu ")?;
    let figures: Vec<f64> = figures.split_whitespace().take(8).map_while(|figure| figure.parse().ok()).collect();
    let total: f64 = figures.iter().sum();
    (figures.len() == 8 && total > 0.0).then(|| figures[7] / total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> HostSettings {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        HostSettings::read_from(root.path())
    }

    #[test]
    fn what_is_not_told_is_absent() {
        assert_eq!(host(&[]), HostSettings::default());
    }

    #[test]
    fn files_are_understood() {
        let settings = host(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/smt/active", "1\n"),
            ("sys/devices/system/cpu/isolated", "2-3\n"),
            ("sys/devices/system/node/online", "0-1\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("sys/bus/event_source/devices/cpu/type", "4\n"),
            ("proc/sys/kernel/perf_event_paranoid", "3\n"),
            ("proc/self/limits", "Limit  Soft  Hard  Units\nMax locked memory         8388608    8388608    bytes\n"),
            ("proc/irq/24/effective_affinity_list", "1\n"),
            ("proc/irq/25/effective_affinity_list", "3\n"),
            ("proc/stat", "cpu  10 0 10 70 0 0 0 10 5 5\ncpu0 1 1 1 1 1 1 1 1 1 1\n"),
        ]);
        let expected = HostSettings {
            governors: Some(vec!["performance".into(), "powersave".into()]),
            smt: Some(true),
            isolated: Some(vec![2, 3]),
            huge_pages: Some("madvise".into()),
            perf_event_paranoid: Some(3),
            counters: true,
            locked_bytes_max: Some(8 << 20),
            interrupt_cpus: vec![1, 3],
            numa_nodes: Some(2),
            stolen: Some(0.1),
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn no_limit_is_the_greatest_number() {
        assert_eq!(locked_bytes_max("Max locked memory  unlimited  unlimited  bytes"), Some(u64::MAX));
    }
}
