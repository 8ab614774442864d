//! What the CPU counts of one thread: cycles, instructions, misses of caches, branches and address translation.
//!
//! Guarantees: counts are of the thread that opened them, in user mode, from then on; where the CPU has fewer registers
//! than events the kernel takes turns, and counts are scaled up by the time they were not looked at. A counter that the
//! CPU does not have is absent, not 0. Where none can be had, the reason is a sentence that says what to set.
//!
//! Cost: opening takes a system call an event, reading one a group (two groups, about a microsecond): not for every batch.

use std::io;
use std::ops::{Add, AddAssign};
use std::path::Path;

use perf_event::events::{Cache, CacheId, CacheOp, CacheResult, Hardware, Software};
use perf_event::{Builder, Group};

use super::host::{PARANOID_MAX, perf_event_paranoid};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Cycles of the core, at whatever clock it runs.
    Cycles,
    /// Instructions retired.
    Instructions,
    /// Branches that were predicted wrongly.
    BranchMisses,
    /// Loads that missed the first level of data cache.
    L1Misses,
    /// Loads that missed the last level of cache.
    LlcMisses,
    /// Loads whose address was not in the translation buffer.
    DtlbMisses,
}

impl Counter {
    /// All, in the order of [`Counts`].
    pub const ALL: [Self; 6] =
        [Self::Cycles, Self::Instructions, Self::BranchMisses, Self::L1Misses, Self::LlcMisses, Self::DtlbMisses];
}

/// Counts of each [`Counter`], those that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([Option<u64>; Counter::ALL.len()]);

impl Counts {
    /// Of one counter; `None` if it is not there.
    pub fn get(&self, counter: Counter) -> Option<u64> {
        self.0[counter as usize]
    }

    /// What was counted since `earlier`. Scaled counts may seem to run backwards; that is 0.
    pub fn since(&self, earlier: &Self) -> Self {
        let difference = |(now, before): (&Option<u64>, &Option<u64>)| Some((*now)?.saturating_sub((*before)?));
        let mut differences = self.0.iter().zip(&earlier.0).map(difference);
        Self(std::array::from_fn(|_| differences.next().flatten()))
    }
}

impl Add for Counts {
    type Output = Self;

    /// A counter that one of the two lacks is that of the other.
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum = match (*sum, more) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
        }
    }
}

/// An event as the kernel names it.
#[derive(Debug, Clone, Copy)]
enum Event {
    Hardware(Hardware),
    LoadMisses(CacheId),
    /// Counted by the kernel itself, so that it is there on every machine: the tests count these.
    #[cfg_attr(not(test), expect(dead_code, reason = "stands in where a machine without counters runs the tests"))]
    Software(Software),
}

/// Events that the kernel counts at the same times. Two groups of three fit beside each other into the registers of most
/// CPUs; cycles, instructions and branches are of one, so that their ratios are exact.
const GROUPS: &[&[(Counter, Event)]] = &[
    &[
        (Counter::Cycles, Event::Hardware(Hardware::CPU_CYCLES)),
        (Counter::Instructions, Event::Hardware(Hardware::INSTRUCTIONS)),
        (Counter::BranchMisses, Event::Hardware(Hardware::BRANCH_MISSES)),
    ],
    &[
        (Counter::L1Misses, Event::LoadMisses(CacheId::L1D)),
        (Counter::LlcMisses, Event::LoadMisses(CacheId::LL)),
        (Counter::DtlbMisses, Event::LoadMisses(CacheId::DTLB)),
    ],
];

/// The open counters of one thread. Not to be sent: they count the thread that opened them.
pub struct ThreadCounters {
    groups: Vec<Counted>,
}

/// Counters that are read together.
struct Counted {
    group: Group,
    members: Vec<(Counter, perf_event::Counter)>,
}

impl ThreadCounters {
    /// Opens the counters of the calling thread, or says why there are none and what to set.
    pub fn open() -> Result<Self, String> {
        Self::open_groups(GROUPS).map_err(|error| refusal(&error, paranoid_level(), is_virtual()))
    }

    /// The same over events that the kernel counts itself: cycles are nanoseconds on a CPU, misses page faults. For tests.
    #[cfg(test)]
    pub(crate) fn open_software() -> io::Result<Self> {
        Self::open_groups(tests::SOFTWARE)
    }

    /// Opens what there is of `groups`; fails if the very first event cannot be had.
    fn open_groups(groups: &[&[(Counter, Event)]]) -> io::Result<Self> {
        let mut opened = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            match Counted::open(group) {
                Ok(counted) => opened.push(counted),
                Err(error) if index == 0 => return Err(error),
                Err(_) => {}
            }
        }
        Ok(Self { groups: opened })
    }

    /// What was counted since they were opened.
    pub fn read(&mut self) -> Counts {
        let mut counts = Counts::default();
        for counted in &mut self.groups {
            counted.read(&mut counts);
        }
        counts
    }
}

impl Counted {
    /// Opens what the CPU has of `events`. Without cycles there is nothing to compare with, so that is a failure.
    fn open(events: &[(Counter, Event)]) -> io::Result<Self> {
        // Led by an event that counts nothing, so that it does not matter which of the others are there.
        let mut group = Group::new()?;
        let mut members = Vec::new();
        for &(counter, event) in events {
            let builder = match event {
                Event::Hardware(event) => Builder::new(event),
                Event::Software(event) => Builder::new(event),
                Event::LoadMisses(which) => {
                    Builder::new(Cache { which, operation: CacheOp::READ, result: CacheResult::MISS })
                }
            };
            match group.add(&builder) {
                Ok(member) => members.push((counter, member)),
                Err(error) if counter == Counter::Cycles => return Err(error),
                Err(_) => {}
            }
        }
        group.enable()?;
        Ok(Self { group, members })
    }

    /// A group that cannot be read is left out.
    fn read(&mut self, counts: &mut Counts) {
        let Ok(data) = self.group.read() else { return };
        let enabled_ns = data.time_enabled().map_or(0, |time| time.as_nanos());
        let running_ns = data.time_running().map_or(0, |time| time.as_nanos());
        for (counter, member) in &self.members {
            counts.0[*counter as usize] =
                data.get(member).and_then(|entry| scaled(entry.value(), enabled_ns, running_ns));
        }
    }
}

/// A count over the time that its group was looked at, as it would be over the whole; `None` if it never was.
fn scaled(count: u64, enabled_ns: u128, running_ns: u128) -> Option<u64> {
    match running_ns {
        0 => None,
        running_ns if running_ns >= enabled_ns => Some(count),
        running_ns => u64::try_from(u128::from(count) * enabled_ns / running_ns).ok(),
    }
}

/// What the kernel lets processes count on this host.
fn paranoid_level() -> Option<i32> {
    perf_event_paranoid(Path::new("/"))
}

/// Whether the CPU says that a hypervisor stands above it.
fn is_virtual() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| {
        let flags = text.lines().find(|line| line.starts_with("flags"));
        flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
    })
}

/// Why there are no counters, and what to set.
fn refusal(error: &io::Error, paranoid: Option<i32>, is_virtual: bool) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV | libc::EINVAL) if is_virtual => {
            "this virtual machine is not shown the CPU's counters: have its host pass them on (KVM: -cpu host,pmu=on), or \
             measure on the bare machine"
                .into()
        }
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV | libc::EINVAL) => {
            "the kernel knows no counters of this CPU: look for a PMU driver in the kernel's log (dmesg | grep -i pmu)".into()
        }
        Some(libc::EACCES | libc::EPERM) => match paranoid {
            Some(level) if level > PARANOID_MAX => format!(
                "kernel.perf_event_paranoid is {level}: set it to {PARANOID_MAX} (sysctl kernel.perf_event_paranoid={PARANOID_MAX}), or \
                 give the process CAP_PERFMON"
            ),
            _ => "the process may not call perf_event_open, a seccomp filter forbids it: let the container have it (Docker: \
                  --cap-add PERFMON, or a seccomp profile that allows perf_event_open)"
                .into(),
        },
        Some(libc::ENOSYS) => {
            "this kernel has no perf_event_open, or a seccomp filter hides it: use a kernel with CONFIG_PERF_EVENTS, or a \
             container profile that allows perf_event_open"
                .into()
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            "too many files are open for a counter per event and thread: raise the limit (ulimit -n)".into()
        }
        _ => format!("perf_event_open failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events that the kernel counts stand in for those of the CPU.
    pub(super) const SOFTWARE: &[&[(Counter, Event)]] = &[
        &[(Counter::Cycles, Event::Software(Software::TASK_CLOCK))],
        &[
            (Counter::L1Misses, Event::Software(Software::PAGE_FAULTS)),
            // There is no such cache event: it must be left out, and the one after it counted.
            (Counter::LlcMisses, Event::LoadMisses(CacheId(200))),
            (Counter::DtlbMisses, Event::Software(Software::PAGE_FAULTS_MIN)),
        ],
    ];

    /// More than an allocator keeps for later: the system must give them.
    const FRESH_PAGES: usize = 16 << 10;

    fn touch_pages(pages: usize) {
        let mut memory = vec![0_u8; pages * 4096];
        memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
        std::hint::black_box(&memory);
    }

    #[test]
    fn what_a_thread_does_is_counted_for_that_thread() {
        let mut counters = match ThreadCounters::open_software() {
            Ok(counters) => counters,
            Err(error) => return println!("not run: {}", refusal(&error, paranoid_level(), is_virtual())),
        };
        let before = counters.read();
        touch_pages(FRESH_PAGES);
        let own = counters.read().since(&before);
        assert!(own.get(Counter::Cycles).unwrap() > 10_000, "64 MiB take more than 10 us: {own:?}");
        assert!(own.get(Counter::L1Misses).unwrap() > 0, "new memory has page faults: {own:?}");
        assert_eq!((own.get(Counter::LlcMisses), own.get(Counter::Instructions)), (None, None));
        assert!(own.get(Counter::DtlbMisses).unwrap() > 0, "{own:?}");
        let before = counters.read();
        std::thread::spawn(|| touch_pages(FRESH_PAGES)).join().unwrap();
        let other = counters.read().since(&before);
        assert!(other.get(Counter::DtlbMisses) < own.get(Counter::DtlbMisses), "{other:?} is another thread's");
    }

    #[test]
    fn the_counters_of_the_cpu_count_or_say_why_not() {
        match ThreadCounters::open() {
            Ok(mut counters) => {
                let before = counters.read();
                touch_pages(1024);
                let counts = counters.read().since(&before);
                assert!(counts.get(Counter::Cycles).unwrap() > 1000, "{counts:?}");
            }
            Err(reason) => {
                println!("not run: {reason}");
                assert!(reason.contains(':'), "names what to set: {reason}");
            }
        }
    }

    #[test]
    fn a_refusal_says_what_to_set() {
        let said = |errno, paranoid, is_virtual| refusal(&io::Error::from_raw_os_error(errno), paranoid, is_virtual);
        assert!(said(libc::ENOENT, Some(2), true).contains("pmu=on"));
        assert!(said(libc::ENOENT, Some(2), false).contains("PMU driver"));
        assert!(said(libc::EACCES, Some(4), true).starts_with("kernel.perf_event_paranoid is 4: set it to 2"));
        assert!(said(libc::EPERM, Some(2), false).contains("seccomp"));
        assert!(said(libc::EPERM, None, false).contains("seccomp"));
        assert!(said(libc::ENOSYS, None, false).contains("CONFIG_PERF_EVENTS"));
        assert!(said(libc::EMFILE, None, false).contains("ulimit"));
        assert!(said(libc::EIO, None, false).starts_with("perf_event_open failed"));
    }

    #[test]
    fn counts_are_scaled_by_the_time_they_were_not_looked_at() {
        assert_eq!(scaled(100, 10, 10), Some(100));
        assert_eq!(scaled(100, 30, 10), Some(300));
        assert_eq!(scaled(100, 30, 0), None);
        assert_eq!(scaled(u64::MAX, u128::MAX >> 64, 1), None);
    }

    #[test]
    fn counts_add_up_and_subtract() {
        let counts = |cycles, misses| Counts([cycles, None, None, misses, None, None]);
        assert_eq!(counts(Some(9), Some(4)).since(&counts(Some(5), None)), counts(Some(4), None));
        assert_eq!(counts(Some(5), None).since(&counts(Some(9), None)), counts(Some(0), None));
        assert_eq!(counts(Some(9), None) + counts(Some(1), Some(2)), counts(Some(10), Some(2)));
    }
}
