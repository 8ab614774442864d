//! Rounds of a case: yardstick, case, yardstick, ... on one pinned core, in one process.
//!
//! Guarantees: 1. before the clock starts, every level gives the result of the plain definition on a sample; 2. in every
//! round all levels (and the naive contender) give one sum; a difference voids the run; 3. every row is read once a round;
//! 4. a round before the first is not counted: there the state takes its memory, as a stream does in its first windows.
//! A case that would take long reads a part of its rows a round, the next part in the next round; the yardstick in
//! between reads the whole input, so that no part is found in the cache.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Barrier;

use super::cases::{Bar, Case, SCALING_LEAST, Shape};
use super::drive::{Look, Query, Sums};
use super::input::{BLOCK_ROWS, Input};
use super::oracle;
use super::whole::{self, Whole};
use crate::error::{Error, Result};
use crate::kernel::Simd;
use crate::sys;

/// How the cases are run.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Bytes of input, unless `rows` is given.
    pub(super) bytes: usize,
    pub(super) rows: Option<usize>,
    pub(super) rounds: usize,
    pub(super) seed: u64,
    /// Plainest first.
    pub(super) levels: Vec<Simd>,
    /// CPUs, the first for all that one core does.
    pub(super) cpus: Vec<usize>,
    /// A level of a case takes at most about so long in a round.
    pub(super) round_ns: u64,
}

/// One level (or the naive contender) in one round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) rows_per_s: f64,
    pub(super) cycles_per_row: f64,
    /// Bytes/s of the yardstick, the mean of those before and after.
    pub(super) bandwidth: f64,
    /// Share of that bandwidth which the case's reading is.
    pub(super) ratio: f64,
    /// Share of the time for which the thread had the CPU: less than 1 where others ran on it.
    pub(super) on_cpu: f64,
}

/// The rounds of one contender.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// A level, or `naive`.
    pub(super) name: String,
    pub(super) rounds: Vec<Round>,
}

/// Middle, least and greatest of the rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Spread {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (values[0], values[values.len() - 1]);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Self { median, least, greatest }
    }
}

impl Line {
    pub(super) fn spread(&self, of: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(of))
    }
}

/// What was measured of a case.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) case: Case,
    pub(super) input_rows: usize,
    pub(super) input_bytes: usize,
    /// Bytes of it that huge pages back.
    pub(super) huge_bytes: u64,
    pub(super) rows_per_round: usize,
    pub(super) bytes_per_row: f64,
    /// The levels, plainest first.
    pub(super) levels: Vec<Line>,
    pub(super) naive: Option<Line>,
    /// Two partitions over one, by round.
    pub(super) scaling: Option<Spread>,
    /// The same through the engine.
    pub(super) whole: Vec<Whole>,
}

impl Outcome {
    /// The widest level: the one that is held to the bar.
    pub(super) fn best(&self) -> &Line {
        self.levels.last().expect("at least one level is run")
    }

    /// How often the best level passes what the naive contender does.
    pub(super) fn over_naive(&self) -> Option<f64> {
        let naive = self.naive.as_ref()?;
        let pairs = self.best().rounds.iter().zip(&naive.rounds);
        Some(Spread::of(pairs.map(|(best, naive)| best.rows_per_s / naive.rows_per_s)).median)
    }

    /// Whether the bar of rows and ratios is reached.
    pub(super) fn reaches_bar(&self) -> bool {
        match self.case.bar {
            Bar::Bandwidth { least, .. } => self.best().spread(|round| round.ratio).median >= least,
            Bar::Rate { rows_per_s, over_naive } => {
                self.best().spread(|round| round.rows_per_s).median >= rows_per_s
                    && over_naive.is_none_or(|least| self.over_naive().is_some_and(|ratio| ratio >= least))
            }
        }
    }

    /// Whether two partitions do enough more than one; `None` where that was not measured.
    pub(super) fn reaches_scaling(&self) -> Option<bool> {
        self.scaling.map(|scaling| scaling.median >= SCALING_LEAST)
    }
}

/// Bytes/s of reading the whole input once, by plain sums in the vectors of the build's base: several are in flight and take
/// twice what memory gives, so that memory is the bound. (AVX-512 reads no faster.)
fn yardstick(input: &Input) -> f64 {
    let started = sys::monotonic_ns();
    black_box(black_box(input).checksum());
    input.size_bytes() as f64 * 1e9 / (sys::monotonic_ns() - started).max(1) as f64
}

/// What a run took and gave.
pub(super) struct Timed {
    pub(super) ns: u64,
    cycles: u64,
    cpu_ns: u64,
    pub(super) sums: Sums,
}

/// Runs once by the clock.
pub(super) fn timed(run: impl FnOnce() -> Result<Sums>) -> Result<Timed> {
    let started_cpu_ns = sys::thread_cpu_ns();
    let (started_ns, started_cycles) = (sys::monotonic_ns(), sys::cycle_counter());
    let sums = run()?;
    let cycles = sys::cycle_counter().wrapping_sub(started_cycles);
    let ns = (sys::monotonic_ns() - started_ns).max(1);
    Ok(Timed { ns, cycles, cpu_ns: sys::thread_cpu_ns() - started_cpu_ns, sums })
}

/// Rows of a group that a round has at least, however long it takes: with the most groups as many as a window has, so that
/// a round is a window from its first row to its result.
const ROWS_PER_GROUP_LEAST: usize = 12;

/// Blocks of the sample that is compared with the plain definition.
const SAMPLE_BLOCKS: usize = 64;

/// Measures `case` on the calling thread, which is pinned to the first CPU.
pub(super) fn measure(case: &Case, settings: &Settings) -> Result<Outcome> {
    let query = Query::compile(case)?;
    let wanted = query.wanted();
    let rows = settings.rows.unwrap_or(settings.bytes / wanted.row_bytes());
    let input = Input::new(wanted, rows, settings.seed);
    let huge_bytes = input.huge_page_bytes();

    let sample = 0..input.blocks().min(SAMPLE_BLOCKS);
    let expected = oracle::expected(case, &input, sample.end);
    let mut pipelines = Vec::new();
    let mut slowest_ns = 1;
    for &level in &settings.levels {
        let mut pipeline = query.pipeline(level, settings.seed);
        check(case, level, pipeline.run(&input, sample.clone(), Look::Rows)?, expected)?;
        let warm = timed(|| pipeline.run(&input, sample.clone(), Look::Columns))?;
        slowest_ns = slowest_ns.max(warm.ns);
        pipelines.push(pipeline);
    }
    let fitting = settings.round_ns as u128 * sample.len() as u128 / u128::from(slowest_ns);
    let least = (ROWS_PER_GROUP_LEAST * case.key.distinct()).div_ceil(BLOCK_ROWS).max(sample.len()).min(input.blocks());
    let part = usize::try_from(fitting).unwrap_or(usize::MAX).clamp(least, input.blocks());

    let bytes_per_row = input.size_bytes() as f64 / input.rows as f64;
    let mut levels: Vec<Line> =
        settings.levels.iter().map(|level| Line { name: level.to_string(), rounds: Vec::new() }).collect();
    let mut naive = match case.shape {
        Shape::Rows(frame_rows) => Some((Line { name: "naive".into(), rounds: Vec::new() }, frame_rows)),
        _ => None,
    };
    for number in 0..=settings.rounds {
        let blocks = part_of(input.blocks(), part, number);
        let mut before = yardstick(&input);
        let mut first: Option<Sums> = None;
        let mut round = |line: &mut Line, run: &mut dyn FnMut(Range<usize>) -> Result<Sums>| {
            let Timed { ns, cycles, cpu_ns, sums } = timed(|| run(blocks.clone()))?;
            check(case, &line.name, sums, *first.get_or_insert(sums))?;
            let after = yardstick(&input);
            let bandwidth = (before + after) / 2.0;
            before = after;
            let rows = (blocks.len() * BLOCK_ROWS) as f64;
            let rows_per_s = rows * 1e9 / ns as f64;
            let ratio = rows_per_s * bytes_per_row / bandwidth;
            let on_cpu = (cpu_ns as f64 / ns as f64).min(1.0);
            if number == 0 {
                return Ok(());
            }
            line.rounds.push(Round { rows_per_s, cycles_per_row: cycles as f64 / rows, bandwidth, ratio, on_cpu });
            Ok::<_, Error>(())
        };
        for (line, pipeline) in levels.iter_mut().zip(&mut pipelines) {
            round(line, &mut |blocks| pipeline.run(&input, blocks, Look::Columns))?;
        }
        if let Some((line, frame_rows)) = &mut naive {
            round(line, &mut |blocks| Ok(oracle::naive_rows(&input, blocks, *frame_rows)))?;
        }
    }
    drop(pipelines);
    let scaling = match settings.cpus.get(..2) {
        Some(cpus) if case.scales => Some(scaling(case, &query, &input, part, settings, cpus)?),
        _ => None,
    };
    let whole = match case.whole {
        true => whole::measure(case, &query, &input, part, scaling.map(|scaling| scaling.median), settings)?,
        false => Vec::new(),
    };
    Ok(Outcome {
        case: *case,
        input_rows: input.rows,
        input_bytes: input.size_bytes(),
        huge_bytes,
        rows_per_round: part * BLOCK_ROWS,
        bytes_per_row,
        levels,
        naive: naive.map(|(line, _)| line),
        scaling,
        whole,
    })
}

/// The blocks of a round: parts follow one another, and begin anew when no whole part is left.
pub(super) fn part_of(blocks: usize, part: usize, round: usize) -> Range<usize> {
    let number = round % (blocks / part);
    number * part..(number + 1) * part
}

fn check(case: &Case, contender: impl std::fmt::Display, found: Sums, expected: Sums) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let name = case.name;
    Err(Error::Execution(format!(
        "case {name} at level {contender} gives {} rows with sum {:016x}, expected {} with {:016x}: the run is void",
        found.rows, found.sum, expected.rows, expected.sum
    )))
}

/// How much faster two pinned threads go over two halves, each with its own operators, than one of them over both.
fn scaling(
    case: &Case,
    query: &Query,
    input: &Input,
    part: usize,
    settings: &Settings,
    cpus: &[usize],
) -> Result<Spread> {
    let level = *settings.levels.last().expect("at least one level is run");
    let half = (part / 2).max(1);
    let halves = |round: usize| {
        let start = part_of(input.blocks(), part, round).start;
        [start..start + half, start + half..(start + 2 * half).min(input.blocks())]
    };
    let barrier = Barrier::new(2);
    // Errors are kept until the end: a thread that left early would leave the other at the barrier.
    let run = |index: usize| -> Result<Vec<[Timed; 2]>> {
        let pinned = sys::pin_current_thread(cpus[index]);
        let mut pipeline = query.pipeline(level, settings.seed);
        let mut pass = |blocks: Range<usize>| pipeline.run(input, blocks, Look::Columns);
        let mut rounds = Vec::new();
        for round in 0..=settings.rounds {
            let halves = halves(round);
            barrier.wait();
            let alone = timed(|| match index {
                0 => Ok(pass(halves[0].clone())?.and(pass(halves[1].clone())?)),
                _ => Ok(Sums::default()),
            });
            barrier.wait();
            let together = timed(|| {
                let sums = pass(halves[index].clone());
                barrier.wait();
                sums
            });
            rounds.push(alone.and_then(|alone| Ok([alone, together?])));
        }
        pinned?;
        // The first round is not counted: there the state takes its memory.
        rounds.into_iter().skip(1).collect()
    };
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(1));
        let first = scope.spawn(|| run(0)).join();
        (first, other.join())
    });
    let joined = |result: std::thread::Result<Result<_>>| {
        result.unwrap_or_else(|_| Err(Error::Execution(format!("a thread of case {} panicked", case.name))))
    };
    let (first, second) = (joined(first)?, joined(second)?);
    let mut ratios = Vec::new();
    for ([alone, together], [_, other]) in first.into_iter().zip(second) {
        check(case, "of two partitions", together.sums.and(other.sums), alone.sums)?;
        ratios.push(alone.ns as f64 / together.ns as f64);
    }
    Ok(Spread::of(ratios.into_iter()))
}

/// Runs the case once over all rows at one level, or over none of them, without a clock: for counting instructions and
/// events from outside.
pub(super) fn single_pass(case: &Case, settings: &Settings, prepare_only: bool) -> Result<Sums> {
    let query = Query::compile(case)?;
    let wanted = query.wanted();
    let rows = settings.rows.unwrap_or(settings.bytes / wanted.row_bytes());
    let input = Input::new(wanted, rows, settings.seed);
    let level = *settings.levels.last().expect("at least one level is run");
    let blocks = if prepare_only { 0 } else { input.blocks() };
    query.pipeline(level, settings.seed).run(&input, 0..blocks, Look::Columns)
}

#[cfg(test)]
mod tests {
    use super::super::cases::CASES;
    use super::*;

    fn settings() -> Settings {
        Settings {
            bytes: 0,
            rows: Some(40_000),
            rounds: 2,
            seed: 7,
            levels: Simd::available().collect(),
            cpus: Vec::new(),
            round_ns: 1_000_000,
        }
    }

    /// All cases at all levels give what the plain loops give, and the naive contender the same.
    #[test]
    fn every_case_gives_the_defined_rows() {
        for case in &CASES {
            let outcome = measure(case, &settings()).unwrap();
            assert_eq!(outcome.levels.len(), settings().levels.len());
            assert!(outcome.best().rounds.iter().all(|round| round.rows_per_s > 0.0 && round.bandwidth > 0.0));
            assert_eq!(outcome.naive.is_some(), matches!(case.shape, Shape::Rows(_)));
        }
    }

    #[test]
    fn parts_follow_one_another() {
        assert_eq!((part_of(10, 4, 0), part_of(10, 4, 1), part_of(10, 4, 2)), (0..4, 4..8, 0..4));
        assert_eq!(part_of(3, 3, 7), 0..3);
    }

    #[test]
    fn the_middle_of_an_even_number_is_between_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0].into_iter());
        assert_eq!((spread.median, spread.least, spread.greatest), (2.5, 1.0, 4.0));
    }
}
