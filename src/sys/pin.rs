//! Binding the current thread to a CPU, and naming it for `top -H` and `perf`.

use crate::error::{Error, Result};

/// Greatest CPU number the kernel's fixed-size set holds.
pub(super) const CPU_SET_BITS: usize = libc::CPU_SETSIZE as usize;

/// Binds the calling thread to `cpu`.
pub fn pin_current_thread(cpu: usize) -> Result<()> {
    pin_current_thread_to(&[cpu])
}

/// Lets the calling thread, and threads that it is going to start, run on `cpus` only.
pub fn pin_current_thread_to(cpus: &[usize]) -> Result<()> {
    let named = super::format_cpu_list(cpus);
    let refused = |reason: String| Error::Config(format!("cannot pin a thread to CPU {named}: {reason}"));
    let mut set = empty_cpu_set();
    for &cpu in cpus {
        if cpu >= CPU_SET_BITS {
            return Err(refused(format!("CPU numbers end at {}", CPU_SET_BITS - 1)));
        }
        // SAFETY: `cpu` is below CPU_SETSIZE (checked above), so the write stays inside `set`.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: 0 names the calling thread; the kernel reads size_of::<cpu_set_t>() bytes of a valid set.
    let status = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
    if status == 0 { Ok(()) } else { Err(refused(std::io::Error::last_os_error().to_string())) }
}

/// Names the calling thread; the kernel keeps the first 15 bytes. A name that holds a NUL ends there.
pub fn name_current_thread(name: &str) {
    let mut bytes = [0_u8; 16];
    let length = name.bytes().take(15).take_while(|byte| *byte != 0).count();
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    // SAFETY: PR_SET_NAME reads a NUL-terminated string of at most 16 bytes; byte 15 of `bytes` is always NUL.
    // The result is not looked at: it can fail only for a bad pointer, and a name is for people.
    unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr()) };
}

/// The CPUs the calling thread may run on, ascending: the process's affinity within its cgroup's cpuset.
/// `None` if the kernel will not say (more CPUs than a fixed-size set holds).
pub(super) fn allowed_cpus() -> Option<Vec<usize>> {
    let mut set = empty_cpu_set();
    // SAFETY: 0 names the calling thread; the kernel writes at most size_of::<cpu_set_t>() bytes into `set`.
    let status = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if status != 0 {
        return None;
    }
    let allowed = |cpu: &usize| {
        // SAFETY: the range below ends at CPU_SETSIZE, so the read stays inside `set`.
        unsafe { libc::CPU_ISSET(*cpu, &set) }
    };
    Some((0..CPU_SET_BITS).filter(allowed).collect())
}

fn empty_cpu_set() -> libc::cpu_set_t {
    // SAFETY: cpu_set_t is an array of integers, for which all bits zero is a valid value: the empty set.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_run_on_its_cpu_only() {
        let last = *allowed_cpus().unwrap().last().unwrap();
        let seen = std::thread::spawn(move || {
            pin_current_thread(last).unwrap();
            allowed_cpus().unwrap()
        });
        assert_eq!(seen.join().unwrap(), [last]);
    }

    #[test]
    fn a_cpu_that_does_not_exist_is_refused_by_name() {
        let error = pin_current_thread(CPU_SET_BITS).unwrap_err().to_string();
        assert!(error.contains("CPU 1024"), "{error}");
    }

    #[test]
    fn names_are_cut_at_fifteen_bytes() {
        let comm = std::thread::spawn(|| {
            name_current_thread("corelane-partition-17");
            std::fs::read_to_string("/proc/thread-self/comm").unwrap()
        });
        assert_eq!(comm.join().unwrap().trim_end(), "corelane-partit");
    }
}
