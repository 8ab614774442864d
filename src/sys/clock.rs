//! The clocks: monotonic nanoseconds for durations, wall-clock microseconds for people and for idle sources, and what a
//! thread has had of its CPU.
//!
//! Nothing below the drivers calls these, but the meter of a thread that is measured; state machines are handed the time. Cost: one vDSO call, about 20 ns.

/// Nanoseconds of the monotonic clock. The zero point is arbitrary; only differences mean anything.
pub fn monotonic_ns() -> u64 {
    let (seconds, nanoseconds) = read(libc::CLOCK_MONOTONIC);
    seconds.unsigned_abs() * 1_000_000_000 + nanoseconds.unsigned_abs()
}

/// Nanoseconds for which the calling thread has been on a CPU.
pub fn thread_cpu_ns() -> u64 {
    let (seconds, nanoseconds) = read(libc::CLOCK_THREAD_CPUTIME_ID);
    seconds.unsigned_abs() * 1_000_000_000 + nanoseconds.unsigned_abs()
}

/// Nanoseconds for which the threads of this process have been on a CPU.
pub fn process_cpu_ns() -> u64 {
    let (seconds, nanoseconds) = read(libc::CLOCK_PROCESS_CPUTIME_ID);
    seconds.unsigned_abs() * 1_000_000_000 + nanoseconds.unsigned_abs()
}

/// Microseconds since the Unix epoch, UTC. May step when the clock is set.
pub fn wall_us() -> i64 {
    let (seconds, nanoseconds) = read(libc::CLOCK_REALTIME);
    seconds * 1_000_000 + nanoseconds / 1_000
}

/// The CPU's cycle counter, which ticks at its nominal rate whatever the core's clock does; 0 where there is none.
pub fn cycle_counter() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 CPU has the counter, and Linux lets processes read it; it touches no memory.
        unsafe { std::arch::x86_64::_rdtsc() }
    }
    #[cfg(not(target_arch = "x86_64"))]
    0
}

fn read(clock: libc::clockid_t) -> (i64, i64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, exclusively borrowed timespec for the length of the call.
    let status = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(status, 0, "these clocks exist on every Linux");
    (time.tv_sec, time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_does_not_run_backwards() {
        let mut last = monotonic_ns();
        for _ in 0..1000 {
            let now = monotonic_ns();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn wall_time_agrees_with_the_standard_library() {
        let standard = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let difference_us = wall_us() - i64::try_from(standard.as_micros()).unwrap();
        assert!(difference_us.abs() < 5_000_000, "differs by {difference_us} us");
    }
}
