//! Which vectors a kernel may use, decided once per job and passed down as a plain value.
//!
//! A kernel that has variants takes a [`Simd`] and does the same for each: every variant gives the bits of the scalar one.
//! The build's base is x86-64-v3, so `wide` code is compiled for AVX2 and FMA everywhere; AVX-512 code lies beside it and
//! runs only where the CPU has it. Most kernels are written once over arrays of lanes and compiled twice by [`Simd::run`];
//! only where the compiler does not find the good form are intrinsics spelled out.

use std::fmt;
use std::str::FromStr;

use crate::sys;

/// A level of kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Scalar,
    Wide,
    Avx512,
}

/// The level that the kernels of a job run at. One of AVX-512 exists only on a CPU that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Simd(Level);

impl Simd {
    /// The plain definition of each kernel, a row at a time.
    pub const SCALAR: Self = Self(Level::Scalar);
    /// Lanes in the vectors of the build's base.
    pub const WIDE: Self = Self(Level::Wide);

    /// The widest level that this CPU runs.
    pub fn detect() -> Self {
        Self::avx512().unwrap_or(Self::WIDE)
    }

    /// The AVX-512 level, if this CPU has it.
    pub fn avx512() -> Option<Self> {
        sys::has_avx512().then_some(Self(Level::Avx512))
    }

    /// All levels that this CPU runs, plainest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Some(Self::SCALAR), Some(Self::WIDE), Self::avx512()].into_iter().flatten()
    }

    /// Whether kernels are to be their plain definitions.
    #[inline]
    pub fn is_scalar(self) -> bool {
        self.0 == Level::Scalar
    }

    /// Whether the CPU has AVX-512 and its use is asked for: what the SAFETY of calling AVX-512 code rests on.
    #[inline]
    pub fn is_avx512(self) -> bool {
        self.0 == Level::Avx512
    }

    /// Runs `body` compiled for the level. `body` must be a closure that calls `#[inline(always)]` functions only: what is
    /// not inlined is compiled for the base.
    #[inline]
    pub fn run<R>(self, body: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        if self.is_avx512() {
            // SAFETY: this level exists only where the CPU has the features that the function is compiled with.
            return unsafe { run_avx512(body) };
        }
        body()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<R>(body: impl FnOnce() -> R) -> R {
    body()
}

impl fmt::Display for Simd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Level::Scalar => "scalar",
            Level::Wide => "wide",
            Level::Avx512 => "avx512",
        })
    }
}

impl FromStr for Simd {
    type Err = String;

    /// Reads `auto`, `scalar`, `wide` or `avx512`, in lower case.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::detect()),
            "scalar" => Ok(Self::SCALAR),
            "wide" => Ok(Self::WIDE),
            "avx512" => Self::avx512().ok_or_else(|| {
                "this CPU has no AVX-512 (foundation, byte/word, doubleword/quadword and vector-length parts): use auto"
                    .into()
            }),
            _ => Err(format!("unknown level '{text}': expected auto, scalar, wide or avx512")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_and_shown_alike() {
        for level in Simd::available() {
            assert_eq!(level.to_string().parse::<Simd>().unwrap(), level);
            assert_eq!(level.run(|| 7), 7);
        }
        assert_eq!("auto".parse::<Simd>().unwrap(), Simd::available().last().unwrap());
        assert!("sse".parse::<Simd>().unwrap_err().contains("expected auto"));
    }
}
