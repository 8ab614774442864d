//! Whole queries: what the runtime around the kernels costs.
//!
//! A case runs through the engine as a program that embeds it would run it: from the text of the query over a registered
//! table to the result in memory, threads started and joined each time. The same rows go through the operators of one
//! partition without the runtime in the same round, which is the figure of the kernels.

use std::ops::Range;

use bumpalo::Bump;

use super::cases::Case;
use super::drive::{Look, Query, Sums, sum_rows};
use super::input::{BLOCK_ROWS, Input};
use super::measure::{Settings, Spread, part_of, timed};
use crate::batch::{Batch, Column, RowOrder, Selection, view};
use crate::engine::{Engine, RunOptions};
use crate::error::{Error, Result};
use crate::kernel::Simd;
use crate::sys;
use crate::types::{Options, Sequence};

/// Of the figure of the kernels, a whole query keeps at least so much.
pub(super) const KEPT_LEAST: f64 = 0.8;

/// One way of running a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    pub(super) processor: &'static str,
    pub(super) partitions: usize,
    pub(super) rows_per_s: Spread,
    /// Of what as many partitions do without the runtime.
    pub(super) kept: Spread,
}

/// Runs the case through the engine, on one partition and, where there are two CPUs, on two. `scaling` is what two
/// partitions do over one without the runtime.
pub(super) fn measure(
    case: &Case,
    query: &Query,
    input: &Input,
    part: usize,
    scaling: Option<f64>,
    settings: &Settings,
) -> Result<Vec<Whole>> {
    let level = *settings.levels.last().expect("at least one level is run");
    let mut pipeline = query.pipeline(level, settings.seed);
    let mut ways = vec![("inline", 1, 1.0)];
    ways.extend(scaling.filter(|_| settings.cpus.len() > 1).map(|scaling| ("partitioned", 2, scaling)));
    let mut rounds = vec![Vec::new(); ways.len()];
    for number in 0..=settings.rounds {
        let blocks = part_of(input.blocks(), part, number);
        let rows = (blocks.len() * BLOCK_ROWS) as f64;
        let expected = pipeline.run(input, blocks.clone(), Look::Rows)?;
        let kernels = timed(|| pipeline.run(input, blocks.clone(), Look::Columns))?;
        for (&(processor, partitions, times), rounds) in ways.iter().zip(&mut rounds) {
            let (sums, ns) = run(query, input, blocks.clone(), processor, partitions, level, settings)?;
            if sums != expected {
                return Err(Error::Execution(format!(
                    "case {} as a whole query, {processor}, gives {} rows with sum {:016x}, its operators {} with {:016x}",
                    case.name, sums.rows, sums.sum, expected.rows, expected.sum
                )));
            }
            // The first round is not counted, as with the kernels.
            if number > 0 {
                let figure = rows * 1e9 / kernels.ns as f64 * times;
                let rows_per_s = rows * 1e9 / ns as f64;
                rounds.push((rows_per_s, rows_per_s / figure));
            }
        }
    }
    let whole = |((processor, partitions, _), rounds): ((_, _, _), Vec<(f64, f64)>)| Whole {
        processor,
        partitions,
        rows_per_s: Spread::of(rounds.iter().map(|round| round.0)),
        kept: Spread::of(rounds.iter().map(|round| round.1)),
    };
    Ok(ways.into_iter().zip(rounds).map(whole).collect())
}

/// The result's rows summed up, and the time from the query's text to them.
fn run(
    query: &Query,
    input: &Input,
    blocks: Range<usize>,
    processor: &str,
    partitions: usize,
    level: Simd,
    settings: &Settings,
) -> Result<(Sums, u64)> {
    let mut engine = Engine::new();
    engine.register("t", vec![input.table(blocks)]);
    let cpus = &settings.cpus[..partitions.min(settings.cpus.len())];
    let mut options = Options::new();
    options.set("processor", processor);
    options.set("partitions", partitions.to_string());
    options.set("simd", level.to_string());
    if partitions > 1 {
        options.set("cores", sys::format_cpu_list(cpus));
    }
    let options = RunOptions::from_settings(&mut options)?;
    let sql = query.sql("connector = 'memory'");
    if !cpus.is_empty() {
        // The reader and the writer have no CPU of their own: they run on any of those of the partitions.
        sys::pin_current_thread_to(cpus)?;
    }
    let started_ns = sys::monotonic_ns();
    let collected =
        engine.compile(&sql, &Options::new()).and_then(|mut jobs| engine.collect(&jobs.remove(0), &options));
    let ns = (sys::monotonic_ns() - started_ns).max(1);
    if let Some(&first) = cpus.first() {
        sys::pin_current_thread(first)?;
    }
    let (_, batches) = collected?;
    let sums = batches.iter().fold(Sums::default(), |sums, batch| {
        let arena = Bump::new();
        let columns: Vec<Column<'_>> =
            batch.columns().iter().map(|column| view(column, 0, batch.num_rows(), &arena)).collect();
        let order = RowOrder::Chunk { sequence: Sequence::default(), first_row: 0, places: 1 };
        let batch = Batch { rows: batch.num_rows(), columns: &columns, selection: Selection::All, order };
        sums.and(sum_rows(&batch))
    });
    Ok((sums, ns))
}
