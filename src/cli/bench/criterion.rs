//! The cases in the form that `benches/kernels.rs` takes them: prepared once, run as often as its statistics ask for.

use super::cases::{CASES, Case};
use super::drive::{Look, Pipeline, Query, Sums};
use super::input::Input;
use super::{QUICK_BYTES, default_bytes, last_level_cache_bytes, oracle};
use crate::error::{Error, Result};
use crate::kernel::Simd;
use crate::sys::{self, Topology};

/// A case with its input, checked against the plain definition.
pub struct Prepared {
    case: &'static Case,
    query: Query,
    input: Input,
    seed: u64,
}

/// The names of all cases, and how to prepare each: `quick` takes a small input that shows only that they run, else the
/// input is eight times the last-level cache, at most half of free memory. Pins the calling thread.
pub fn prepare(
    quick: bool,
    seed: u64,
) -> Result<impl Iterator<Item = (&'static str, impl FnOnce() -> Result<Prepared>)>> {
    let topology = Topology::read();
    let cpu = topology.placement(1, None)?.cpus[0];
    sys::pin_current_thread(cpu)?;
    Ok(CASES.iter().map(move |case| {
        let cache_bytes = last_level_cache_bytes(&topology, cpu);
        let prepare = move || {
            let bytes = if quick { QUICK_BYTES } else { default_bytes(cache_bytes, sys::available_memory_bytes()) };
            Prepared::new(case, bytes, seed)
        };
        (case.name, prepare)
    }))
}

impl Prepared {
    fn new(case: &'static Case, bytes: usize, seed: u64) -> Result<Self> {
        let query = Query::compile(case)?;
        let wanted = query.wanted();
        let input = Input::new(wanted, bytes / wanted.row_bytes(), seed);
        let prepared = Self { case, query, input, seed };
        let sample = 0..prepared.input.blocks().min(16);
        let expected = oracle::expected(case, &prepared.input, sample.end);
        for level in Simd::available() {
            let found = prepared.pipeline(level).run(&prepared.input, sample.clone(), Look::Rows)?;
            if found != expected {
                return Err(Error::Execution(format!("case {} at level {level} gives wrong rows", prepared.case.name)));
            }
        }
        Ok(prepared)
    }

    fn pipeline(&self, level: Simd) -> Pipeline<'_> {
        self.query.pipeline(level, self.seed)
    }

    /// Rows of one pass.
    pub fn rows(&self) -> usize {
        self.input.rows
    }

    /// Bytes that a pass reads.
    pub fn size_bytes(&self) -> usize {
        self.input.size_bytes()
    }

    /// A closure that runs all rows through the operators of `level` and returns a sum over the result.
    pub fn passes(&self, level: Simd) -> impl FnMut() -> Result<u64> {
        let mut pipeline = self.pipeline(level);
        move || {
            let Sums { rows, sum } = pipeline.run(&self.input, 0..self.input.blocks(), Look::Columns)?;
            Ok(sum.wrapping_add(rows))
        }
    }
}
