//! What the process has used of the host's memory, and advice about regions.

/// Greatest resident set of this process so far, in bytes; 0 if the host does not tell.
///
/// `/proc` comes first because `getrusage` also counts what the process was before `exec` (a large shell, say).
pub fn peak_rss_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| high_water_bytes(&status))
        .or_else(resource_usage_bytes)
        .unwrap_or(0)
}

/// The `VmHWM` line of `/proc/self/status`.
fn high_water_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
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

/// Asks the kernel to back `region` with huge pages where it can. Worth it for tables of several megabytes that are
/// probed at random. Only whole pages inside the region are named; returns whether the kernel took the advice.
pub fn advise_huge_pages(region: &[u8]) -> bool {
    // SAFETY: sysconf reads a constant of the process and touches no memory of ours.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(page_bytes) = usize::try_from(page_bytes).ok().filter(|bytes| bytes.is_power_of_two()) else {
        return false;
    };
    let offset = region.as_ptr().align_offset(page_bytes);
    let Some(inside) = region.get(offset..) else { return false };
    let length = inside.len() & !(page_bytes - 1);
    if length == 0 {
        return false;
    }
    // SAFETY: the range is page-aligned and lies inside a live allocation; MADV_HUGEPAGE changes how the range is
    // backed, never what it holds, so a shared borrow is enough.
    let status = unsafe { libc::madvise(inside.as_ptr().cast_mut().cast(), length, libc::MADV_HUGEPAGE) };
    status == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_line_is_read_in_kibibytes() {
        assert_eq!(high_water_bytes("Name:\tx\nVmHWM:\t    5120 kB\nVmRSS:\t 1 kB\n"), Some(5120 * 1024));
        assert_eq!(high_water_bytes("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_uses_some_memory() {
        assert!(peak_rss_bytes() > 100_000);
        assert!(resource_usage_bytes().unwrap() > 100_000);
    }

    #[test]
    fn advice_for_less_than_a_page_is_not_given_and_contents_stay() {
        assert!(!advise_huge_pages(&[0; 16]));
        let region = vec![7_u8; 8 << 20];
        advise_huge_pages(&region);
        assert!(region.iter().all(|byte| *byte == 7));
    }
}
