//! Which instruction sets the host has, compared with the ones the binary was built for.
//!
//! The standard library's `is_x86_feature_detected!` answers `true` without looking for a feature the build was told
//! to assume, so the check at the start of `main` asks CPUID itself. That check runs in a program compiled with the very
//! features it tests for, so that a host without them reads a sentence instead of "illegal instruction". Hence its
//! style: one word at a time, in general registers, no copies of structs, no iterators, no formatting, no allocation -
//! all of these come out as AVX moves. The words pass through `black_box` so that they are not compared side by side in
//! a vector register, nor with BMI's and-not.

use std::hint::black_box;

/// The target features this binary was built for, separated by commas.
pub fn build_features() -> &'static str {
    env!("CORELANE_TARGET_FEATURES")
}

/// What the CPU calls itself, for reports.
pub fn model_name() -> Option<String> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'))?;
    Some(line.1.trim().to_string())
}

/// The release of the running kernel, for reports.
pub fn kernel_release() -> Option<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(release.trim().to_string()).filter(|release| !release.is_empty())
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

/// Says on stderr which of the features the binary was built for the host lacks, if any. `true` means the process must
/// end, with status 2.
pub fn refuse_unsupported_host() -> bool {
    if host::has_all() {
        return false;
    }
    write_stderr("error: this corelane was built for a newer CPU: the host lacks");
    for feature in FEATURES {
        if feature.built_for && !host::has(feature) {
            write_stderr(" ");
            write_stderr(feature.name);
        }
    }
    write_stderr("\n  help: build it on this host without the target-cpu line of .cargo/config.toml\n");
    true
}

fn write_stderr(text: &str) {
    // SAFETY: pointer and length name the bytes of a live string; descriptor 2 may be closed, which fails harmlessly.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

/// A CPUID word that names features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Leaf1Ecx,
    Leaf1Edx,
    Leaf7Ebx,
    ExtendedEcx,
}

/// A target feature and where CPUID tells of it.
struct Feature {
    name: &'static str,
    word: Word,
    /// A single bit. (A bit number would be shifted, which BMI2 has an instruction for.)
    mask: u32,
    /// Uses the 256-bit registers, which the operating system must save.
    needs_ymm: bool,
    /// Whether the compiler was allowed to use it.
    built_for: bool,
}

macro_rules! features {
    ($($name:tt $word:ident $bit:literal $needs_ymm:literal,)*) => {
        &[$(Feature {
            name: $name,
            word: Word::$word,
            mask: 1 << $bit,
            needs_ymm: $needs_ymm,
            built_for: cfg!(target_feature = $name),
        }),*]
    };
}

/// What a build may assume. A feature that is not in this table is not judged.
#[cfg(target_arch = "x86_64")]
const FEATURES: &[Feature] = features! {
    "sse3" Leaf1Ecx 0 false,
    "pclmulqdq" Leaf1Ecx 1 false,
    "ssse3" Leaf1Ecx 9 false,
    "fma" Leaf1Ecx 12 true,
    "cmpxchg16b" Leaf1Ecx 13 false,
    "sse4.1" Leaf1Ecx 19 false,
    "sse4.2" Leaf1Ecx 20 false,
    "movbe" Leaf1Ecx 22 false,
    "popcnt" Leaf1Ecx 23 false,
    "aes" Leaf1Ecx 25 false,
    "xsave" Leaf1Ecx 27 false,
    "avx" Leaf1Ecx 28 true,
    "f16c" Leaf1Ecx 29 true,
    "rdrand" Leaf1Ecx 30 false,
    "fxsr" Leaf1Edx 24 false,
    "sse" Leaf1Edx 25 false,
    "sse2" Leaf1Edx 26 false,
    "bmi1" Leaf7Ebx 3 false,
    "avx2" Leaf7Ebx 5 true,
    "bmi2" Leaf7Ebx 8 false,
    "avx512f" Leaf7Ebx 16 true,
    "avx512dq" Leaf7Ebx 17 true,
    "avx512cd" Leaf7Ebx 28 true,
    "avx512bw" Leaf7Ebx 30 true,
    "avx512vl" Leaf7Ebx 31 true,
    "lzcnt" ExtendedEcx 5 false,
};

/// Other architectures are built for their baseline, which every host has.
#[cfg(not(target_arch = "x86_64"))]
const FEATURES: &[Feature] = &[];

/// The bits of `word` that the build relies on; known when compiling.
const fn required_bits(word: Word) -> u32 {
    let mut bits = 0;
    let mut index = 0;
    while index < FEATURES.len() {
        if FEATURES[index].built_for && FEATURES[index].word as u32 == word as u32 {
            bits |= FEATURES[index].mask;
        }
        index += 1;
    }
    bits
}

/// Whether the build relies on the 256-bit registers; known when compiling.
const fn requires_ymm() -> bool {
    let mut index = 0;
    while index < FEATURES.len() {
        if FEATURES[index].built_for && FEATURES[index].needs_ymm {
            return true;
        }
        index += 1;
    }
    false
}

/// Whether all of `bits` are set in `word`.
fn contains(word: u32, bits: u32) -> bool {
    black_box(word & bits) == bits
}

#[cfg(target_arch = "x86_64")]
mod host {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    use super::{Feature, Word, contains, required_bits, requires_ymm};

    /// Whether the host has everything the binary was built for.
    pub(super) fn has_all() -> bool {
        const LEAF1_ECX: u32 = required_bits(Word::Leaf1Ecx);
        const LEAF1_EDX: u32 = required_bits(Word::Leaf1Edx);
        const LEAF7_EBX: u32 = required_bits(Word::Leaf7Ebx);
        const EXTENDED_ECX: u32 = required_bits(Word::ExtendedEcx);
        contains(word(Word::Leaf1Ecx), LEAF1_ECX)
            && contains(word(Word::Leaf1Edx), LEAF1_EDX)
            && contains(word(Word::Leaf7Ebx), LEAF7_EBX)
            && contains(word(Word::ExtendedEcx), EXTENDED_ECX)
            && (!const { requires_ymm() } || saves_ymm())
    }

    /// Whether the host has `feature` and the operating system supports it.
    pub(super) fn has(feature: &Feature) -> bool {
        contains(word(feature.word), feature.mask) && (!feature.needs_ymm || saves_ymm())
    }

    /// A CPUID word, zero where this CPU does not have the leaf.
    fn word(word: Word) -> u32 {
        match word {
            Word::Leaf1Ecx => __cpuid(1).ecx,
            Word::Leaf1Edx => __cpuid(1).edx,
            Word::Leaf7Ebx if __cpuid(0).eax >= 7 => __cpuid_count(7, 0).ebx,
            Word::ExtendedEcx if __cpuid(0x8000_0000).eax > 0x8000_0000 => __cpuid(0x8000_0001).ecx,
            Word::Leaf7Ebx | Word::ExtendedEcx => 0,
        }
    }

    /// Whether the operating system saves the 256-bit registers; without that AVX instructions fault.
    fn saves_ymm() -> bool {
        const OSXSAVE: u32 = 1 << 27;
        // SAFETY: OSXSAVE says that the CPU has XSAVE and that the operating system has enabled it.
        contains(word(Word::Leaf1Ecx), OSXSAVE) && unsafe { xmm_and_ymm_enabled() }
    }

    #[target_feature(enable = "xsave")]
    fn xmm_and_ymm_enabled() -> bool {
        // SAFETY: the caller has XSAVE enabled by the operating system; register 0 always exists then.
        let enabled = unsafe { _xgetbv(0) };
        enabled & 0b110 == 0b110
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod host {
    pub(super) fn has_all() -> bool {
        true
    }

    pub(super) fn has(_: &super::Feature) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_runs_this_has_what_it_was_built_for() {
        assert!(!refuse_unsupported_host());
        for feature in FEATURES.iter().filter(|feature| feature.built_for) {
            assert!(host::has(feature), "{}", feature.name);
        }
    }

    #[test]
    fn every_feature_of_the_build_is_in_the_table() {
        for name in build_features().split(',') {
            assert!(FEATURES.iter().any(|feature| feature.name == name && feature.built_for), "{name}");
        }
        let required: u32 = [Word::Leaf1Ecx, Word::Leaf1Edx, Word::Leaf7Ebx, Word::ExtendedEcx]
            .map(|word| required_bits(word).count_ones())
            .iter()
            .sum();
        assert_eq!(required as usize, build_features().split(',').count());
    }

    /// The table's bits against the kernel's reading of the same CPU: an independent list of names.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_table_agrees_with_the_kernel() {
        let Ok(cpuinfo) = std::fs::read_to_string("/proc/cpuinfo") else { return };
        let Some(flags) = cpuinfo.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':')) else { return };
        let flags: Vec<&str> = flags.1.split_whitespace().collect();
        for feature in FEATURES {
            let name = match feature.name {
                "sse3" => "pni",
                "cmpxchg16b" => "cx16",
                "lzcnt" => "abm",
                "sse4.1" => "sse4_1",
                "sse4.2" => "sse4_2",
                name => name,
            };
            assert_eq!(host::has(feature), flags.contains(&name), "{}", feature.name);
        }
    }

    #[test]
    fn all_bits_count() {
        assert!(contains(0b111, 0b101) && contains(0, 0));
        assert!(!contains(0b011, 0b101));
    }
}
