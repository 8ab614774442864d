//! Which instruction sets the host has, compared with the ones the binary was built for.
//!
//! The standard library's `is_x86_feature_detected!` answers `true` without looking for a feature the build was told
//! to assume, so the check at the start of `main` asks CPUID itself. That check runs in a program compiled with the very
//! features it tests for: it is plain integer work and one `write`, no formatting and no allocation, so that a host
//! without them reads a sentence instead of "illegal instruction".

/// The target features this binary was built for, separated by commas.
pub fn build_features() -> &'static str {
    env!("CORELANE_TARGET_FEATURES")
}

/// Whether the host runs the AVX-512 kernels: foundation, byte/word, doubleword/quadword and vector-length parts.
pub fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Features the binary was built for and the host lacks. Empty on a host that can run it.
pub fn missing_build_features() -> impl Iterator<Item = &'static str> {
    let host = host::read();
    build_features().split(',').filter(move |feature| host::lacks(&host, feature))
}

/// Says on stderr what the host lacks, if anything. `true` means the process must end, with status 2.
pub fn refuse_unsupported_host() -> bool {
    let mut missing = missing_build_features().peekable();
    if missing.peek().is_none() {
        return false;
    }
    write_stderr("error: this corelane was built for a newer CPU: the host lacks");
    for feature in missing {
        write_stderr(" ");
        write_stderr(feature);
    }
    write_stderr("\n  help: build it on this host without the target-cpu line of .cargo/config.toml\n");
    true
}

fn write_stderr(text: &str) {
    // SAFETY: pointer and length name the bytes of a live string; descriptor 2 may be closed, which fails harmlessly.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

#[cfg(target_arch = "x86_64")]
mod host {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    /// The CPUID words that name the features below.
    #[derive(Debug, Clone, Copy, Default)]
    pub(super) struct Words {
        leaf1_ecx: u32,
        leaf1_edx: u32,
        leaf7_ebx: u32,
        extended_ecx: u32,
        /// Whether the operating system saves the 256-bit registers; without it AVX instructions fault.
        saves_ymm: bool,
    }

    pub(super) fn read() -> Words {
        let leaf1 = __cpuid(1);
        let mut words = Words { leaf1_ecx: leaf1.ecx, leaf1_edx: leaf1.edx, ..Words::default() };
        if __cpuid(0).eax >= 7 {
            words.leaf7_ebx = __cpuid_count(7, 0).ebx;
        }
        if __cpuid(0x8000_0000).eax >= 0x8000_0001 {
            words.extended_ecx = __cpuid(0x8000_0001).ecx;
        }
        let os_uses_xsave = leaf1.ecx & 1 << 27 != 0;
        // SAFETY: OSXSAVE says that the CPU has XSAVE and that the operating system has enabled it.
        words.saves_ymm = os_uses_xsave && unsafe { saves_ymm() };
        words
    }

    #[target_feature(enable = "xsave")]
    fn saves_ymm() -> bool {
        // SAFETY: the caller has XSAVE enabled by the operating system; register 0 always exists then.
        let enabled = unsafe { _xgetbv(0) };
        enabled & 0b110 == 0b110
    }

    /// Whether `feature` is known here and absent from the host. A feature this table does not know is not judged.
    pub(super) fn lacks(words: &Words, feature: &str) -> bool {
        let (word, bit) = match feature {
            "sse3" => (words.leaf1_ecx, 0),
            "pclmulqdq" => (words.leaf1_ecx, 1),
            "ssse3" => (words.leaf1_ecx, 9),
            "fma" => (words.leaf1_ecx, 12),
            "cmpxchg16b" => (words.leaf1_ecx, 13),
            "sse4.1" => (words.leaf1_ecx, 19),
            "sse4.2" => (words.leaf1_ecx, 20),
            "movbe" => (words.leaf1_ecx, 22),
            "popcnt" => (words.leaf1_ecx, 23),
            "aes" => (words.leaf1_ecx, 25),
            "xsave" => (words.leaf1_ecx, 27),
            "avx" => (words.leaf1_ecx, 28),
            "f16c" => (words.leaf1_ecx, 29),
            "rdrand" => (words.leaf1_ecx, 30),
            "fxsr" => (words.leaf1_edx, 24),
            "sse" => (words.leaf1_edx, 25),
            "sse2" => (words.leaf1_edx, 26),
            "bmi1" => (words.leaf7_ebx, 3),
            "avx2" => (words.leaf7_ebx, 5),
            "bmi2" => (words.leaf7_ebx, 8),
            "avx512f" => (words.leaf7_ebx, 16),
            "avx512dq" => (words.leaf7_ebx, 17),
            "avx512cd" => (words.leaf7_ebx, 28),
            "avx512bw" => (words.leaf7_ebx, 30),
            "avx512vl" => (words.leaf7_ebx, 31),
            "lzcnt" => (words.extended_ecx, 5),
            _ => return false,
        };
        let needs_ymm = matches!(feature, "avx" | "avx2" | "fma" | "f16c") || feature.starts_with("avx512");
        word & 1 << bit == 0 || needs_ymm && !words.saves_ymm
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_cpu_without_anything_lacks_the_whole_base() {
            let none = Words::default();
            for feature in super::super::build_features().split(',') {
                assert!(lacks(&none, feature), "{feature} is not in the table");
            }
        }

        #[test]
        fn avx_needs_the_operating_system_too() {
            let all = Words { leaf1_ecx: !0, leaf1_edx: !0, leaf7_ebx: !0, extended_ecx: !0, saves_ymm: false };
            assert!(lacks(&all, "avx2"));
            assert!(!lacks(&all, "bmi2"));
            assert!(!lacks(&Words { saves_ymm: true, ..all }, "avx2"));
        }
    }
}

/// Other architectures are built for their baseline, which every host has.
#[cfg(not(target_arch = "x86_64"))]
mod host {
    pub(super) struct Words;

    pub(super) fn read() -> Words {
        Words
    }

    pub(super) fn lacks(_: &Words, _: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_runs_this_has_what_it_was_built_for() {
        assert_eq!(missing_build_features().collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(!refuse_unsupported_host());
    }
}
