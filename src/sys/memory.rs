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

/// Resident set of this process now, in bytes; `None` if the host does not tell.
pub fn rss_bytes() -> Option<u64> {
    kibibytes_line(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
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

/// Bytes of `region` that are backed by huge pages, at most; 0 if the host does not tell. (The kernel tells of mappings, and
/// a mapping may hold more than the region.)
pub fn huge_page_bytes<T>(region: &[T]) -> u64 {
    let ends = region.as_ptr_range();
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    huge_page_bytes_between(&smaps, ends.start.addr() as u64, ends.end.addr() as u64)
}

/// The same from the text of `/proc/self/smaps` for the addresses from `start` up to `end`.
fn huge_page_bytes_between(smaps: &str, start: u64, end: u64) -> u64 {
    let mut inside = 0;
    let mut total = 0;
    for line in smaps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let address = |text| u64::from_str_radix(text, 16).ok();
        if let Some((first, last)) = range.and_then(|(first, last)| address(first).zip(address(last))) {
            inside = last.min(end).saturating_sub(first.max(start));
        } else if let Some(huge) = kibibytes_line(line, "AnonHugePages:") {
            total += huge.min(inside);
        }
    }
    total
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

/// Size and alignment of a huge page where they are used for [`Mapping`]s.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Memory straight from the kernel for large tables: zero at first, aligned to huge pages and asked to be made of them,
/// and able to grow without copying.
#[derive(Debug)]
pub struct Mapping {
    start: std::ptr::NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    /// Maps at least `bytes`, rounded up to whole huge pages; `None` if the kernel refuses.
    pub fn new(bytes: usize) -> Option<Self> {
        let bytes = bytes.max(1).checked_next_multiple_of(HUGE_PAGE_BYTES)?;
        // One huge page more is mapped than asked for, and what lies before and after the aligned part is given back.
        let mapped = bytes.checked_add(HUGE_PAGE_BYTES)?;
        // SAFETY: a new private mapping at an address that the kernel chooses touches no memory in use.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return None;
        }
        let skipped = address.align_offset(HUGE_PAGE_BYTES);
        if skipped > 0 {
            // SAFETY: the first `skipped` bytes lie inside the mapping made above and nobody uses them.
            unsafe { libc::munmap(address, skipped) };
        }
        let start = address.wrapping_byte_add(skipped);
        let left = mapped - skipped - bytes;
        if left > 0 {
            // SAFETY: the last `left` bytes lie inside the mapping made above and nobody uses them.
            unsafe { libc::munmap(start.wrapping_byte_add(bytes), left) };
        }
        let mapping = Self { start: std::ptr::NonNull::new(start.cast())?, bytes };
        mapping.ask_for_huge_pages();
        Some(mapping)
    }

    fn ask_for_huge_pages(&self) {
        // SAFETY: the range is exactly this mapping; the advice changes how it is backed, never what it holds. A kernel
        // without huge pages refuses, which costs speed only.
        unsafe { libc::madvise(self.start.as_ptr().cast(), self.bytes, libc::MADV_HUGEPAGE) };
    }

    /// First byte.
    pub fn start(&self) -> std::ptr::NonNull<u8> {
        self.start
    }

    /// Bytes, a multiple of [`HUGE_PAGE_BYTES`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes the mapping at least `bytes` long, keeping its contents; what is new is zero. The mapping may move. If the
    /// kernel refuses it is given back as it was.
    pub fn grow(self, bytes: usize) -> Result<Self, Self> {
        let Some(bytes) = bytes.checked_next_multiple_of(HUGE_PAGE_BYTES) else { return Err(self) };
        if bytes <= self.bytes {
            return Ok(self);
        }
        // The kernel moves page tables instead of bytes, but to an address that is aligned to small pages only; so it is
        // told where: over a fresh mapping that is aligned.
        let Some(target) = Self::new(bytes) else { return Err(self) };
        // SAFETY: both ranges are mappings of this process that only `self` and `target` name; the old one ends here and
        // the new one takes the place of `target`.
        let moved = unsafe {
            libc::mremap(
                self.start.as_ptr().cast(),
                self.bytes,
                self.bytes,
                libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED,
                target.start.as_ptr(),
            )
        };
        if moved == libc::MAP_FAILED {
            return Err(self);
        }
        std::mem::forget(self);
        target.ask_for_huge_pages();
        Ok(target)
    }

    /// Gives back what lies beyond the first `bytes`, rounded up to whole huge pages.
    pub fn truncate(&mut self, bytes: usize) {
        let bytes = bytes.max(1).next_multiple_of(HUGE_PAGE_BYTES);
        if bytes < self.bytes {
            // SAFETY: the range is the end of this mapping, which nobody uses any more.
            unsafe { libc::munmap(self.start.as_ptr().wrapping_add(bytes).cast(), self.bytes - bytes) };
            self.bytes = bytes;
        }
    }

    /// Gives up the handle; the memory stays until [`Self::from_raw`] takes it back.
    pub fn into_raw(self) -> (std::ptr::NonNull<u8>, usize) {
        let parts = (self.start, self.bytes);
        std::mem::forget(self);
        parts
    }

    /// # Safety
    /// `start` and `bytes` must come from one [`Self::into_raw`] that nobody has taken back yet.
    pub unsafe fn from_raw(start: std::ptr::NonNull<u8>, bytes: usize) -> Self {
        Self { start, bytes }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this handle is the only one to the range, which nobody uses any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
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
    fn huge_pages_are_counted_by_mapping() {
        let smaps = "1000-5000 rw-p 0 00:00 0\nSize: 16 kB\nAnonHugePages: 8 kB\n5000-9000 rw-p 0 00:00 0\nAnonHugePages: 16 kB\n";
        assert_eq!(huge_page_bytes_between(smaps, 0x1000, 0x9000), 24 << 10);
        assert_eq!(huge_page_bytes_between(smaps, 0x6000, 0x7000), 4 << 10);
        assert_eq!(huge_page_bytes_between(smaps, 0x9000, 0xa000), 0);
        assert!(huge_page_bytes(&[0_u8; 64]) <= 64);
    }

    #[test]
    fn some_memory_is_available() {
        assert!(available_memory_bytes().unwrap() > 1 << 20);
    }

    #[test]
    fn a_mapping_is_aligned_zero_and_keeps_its_contents_when_it_grows() {
        let mapping = Mapping::new(1).unwrap();
        assert_eq!((mapping.bytes(), mapping.start().addr().get() % HUGE_PAGE_BYTES), (HUGE_PAGE_BYTES, 0));
        // SAFETY: the mapping is that long and nobody else uses it.
        let bytes = unsafe { std::slice::from_raw_parts_mut(mapping.start().as_ptr(), mapping.bytes()) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes.fill(7);
        let mapping = mapping.grow(5 * HUGE_PAGE_BYTES - 1).unwrap();
        assert_eq!((mapping.bytes(), mapping.start().addr().get() % HUGE_PAGE_BYTES), (5 * HUGE_PAGE_BYTES, 0));
        // SAFETY: as above.
        let bytes = unsafe { std::slice::from_raw_parts(mapping.start().as_ptr(), mapping.bytes()) };
        let (old, new) = bytes.split_at(HUGE_PAGE_BYTES);
        assert!(old.iter().all(|byte| *byte == 7) && new.iter().all(|byte| *byte == 0));
        let mut mapping = mapping;
        mapping.truncate(HUGE_PAGE_BYTES + 1);
        assert_eq!(mapping.bytes(), 2 * HUGE_PAGE_BYTES);
        let (start, length) = mapping.into_raw();
        // SAFETY: just given up.
        drop(unsafe { Mapping::from_raw(start, length) });
        assert!(Mapping::new(usize::MAX).is_none());
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
