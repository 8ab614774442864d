//! What the process has used of the host's memory, and advice about regions.

/// Greatest resident set of this process so far, in bytes; 0 if the host does not tell.
///
/// `/proc` comes first because `getrusage` also counts what the process was before `exec` (a large shell, say).
pub fn peak_rss_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| kibibytes_line(&status, "VmHWM:"))
        .or_else(resource_usage_bytes)
        .unwrap_or(0)
}

/// Bytes of the line of a file under `/proc` that starts with `name` and counts in kB.
fn kibibytes_line(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn resource_usage_bytes() -> Option<u64> {
    // SAFETY: rusage is made of integers, for which all bits zero is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid, exclusively borrowed rusage for the length of the call.
    let status = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    (status == 0).then(|| usage.ru_maxrss.unsigned_abs() * 1024)
}

/// Bytes that this process may still take without pushing others out: what the kernel calls available, or what is left
/// under the limit of its control group if that is less. `None` if the host does not tell.
pub fn available_memory_bytes() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let available = kibibytes_line(&meminfo, "MemAvailable:")?;
    Some(group_memory_left_bytes().map_or(available, |left| left.min(available)))
}

/// What the control group allows beyond what its processes hold; its page cache gives way and does not count. `None`
/// without a limit.
fn group_memory_left_bytes() -> Option<u64> {
    let limit: u64 = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?.trim().parse().ok()?;
    let stat = std::fs::read_to_string("/sys/fs/cgroup/memory.stat").ok()?;
    let held: u64 = stat.lines().find_map(|line| line.strip_prefix("anon "))?.trim().parse().ok()?;
    Some(limit.saturating_sub(held))
}

/// Bytes of this process that are backed by huge pages; 0 if the host does not tell.
pub fn huge_page_bytes() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    kibibytes_line(&rollup, "AnonHugePages:").unwrap_or(0)
}

/// Asks the kernel to back `region` with huge pages where it can. Worth it for tables of several megabytes that are
/// probed at random. Only whole pages inside the region are named; returns whether the kernel took the advice.
pub fn advise_huge_pages<T>(region: &[T]) -> bool {
    let address = region.as_ptr().cast::<u8>();
    // SAFETY: sysconf reads a constant of the process and touches no memory of ours.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(page_bytes) = usize::try_from(page_bytes).ok().filter(|bytes| bytes.is_power_of_two()) else {
        return false;
    };
    let offset = address.align_offset(page_bytes);
    let length = size_of_val(region).saturating_sub(offset) & !(page_bytes - 1);
    if length == 0 {
        return false;
    }
    let inside = address.wrapping_add(offset);
    // SAFETY: the range is page-aligned and lies inside a live allocation; MADV_HUGEPAGE changes how the range is
    // backed, never what it holds, so a shared borrow is enough.
    let status = unsafe { libc::madvise(inside.cast_mut().cast(), length, libc::MADV_HUGEPAGE) };
    status == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_in_kibibytes() {
        assert_eq!(kibibytes_line("Name:\tx\nVmHWM:\t    5120 kB\nVmRSS:\t 1 kB\n", "VmHWM:"), Some(5120 * 1024));
        assert_eq!(kibibytes_line("Name:\tx\n", "VmHWM:"), None);
    }

    #[test]
    fn some_memory_is_available() {
        assert!(available_memory_bytes().unwrap() > 1 << 20);
    }

    #[test]
    fn this_process_uses_some_memory() {
        assert!(peak_rss_bytes() > 100_000);
        assert!(resource_usage_bytes().unwrap() > 100_000);
    }

    #[test]
    fn advice_for_less_than_a_page_is_not_given_and_contents_stay() {
        assert!(!advise_huge_pages(&[0_u8; 16]));
        let region = vec![7_u8; 8 << 20];
        advise_huge_pages(&region);
        assert!(region.iter().all(|byte| *byte == 7));
    }
}
