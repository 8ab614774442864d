//! Queries over an [`Input`], by the operators that a partition runs, without rings and threads.
//!
//! The one file of the bench that knows operators: SQL is planned as for a job, the chain of one partition is built, and
//! every block goes through it as one batch. What leaves is summed up, as a consumer that reads every value would.

use std::ops::Range;

use bumpalo::Bump;

use super::cases::Case;
use super::input::{BLOCK_ROWS, Input, KeyKind, Wanted};
use crate::batch::{Batch, Column, RowOrder, Selection, Values};
use crate::engine::Engine;
use crate::error::Result;
use crate::kernel::Simd;
use crate::operator::{Chain, Context, Counts, OnError};
use crate::pipeline::Stages;
use crate::plan::{JobPlan, Layout, LayoutRequest, Node, ProcessorKind, Step};
use crate::state::KeyHasher;
use crate::types::{EventTime, Options, Sequence, SplitId};

/// What a run gave: the number of rows, and a sum over them that does not depend on their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) rows: u64,
    pub(super) sum: u64,
}

impl Sums {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// How what leaves is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Columns one by one, text by its length: next to nothing beside the query.
    Columns,
    /// Rows, every byte of them: tells values that went to the wrong row.
    Rows,
}

/// A planned case.
pub(super) struct Query {
    job: JobPlan,
    layout: Layout,
    case: Case,
}

/// The query of a case over a source with those options.
fn script(case: &Case, source: &str) -> String {
    let key = if matches!(case.key, KeyKind::Integers(_)) { "BIGINT" } else { "VARCHAR" };
    format!(
        "CREATE SOURCE t (time TIMESTAMP, key {key}, quantity BIGINT, price DOUBLE,
         WATERMARK FOR time AS time - INTERVAL '1' SECOND) WITH ({source}); {}",
        case.sql
    )
}

impl Query {
    /// Plans the case's SQL.
    pub(super) fn compile(case: &Case) -> Result<Self> {
        let sql = script(case, "connector = 'generator', rows = '1'");
        let job = Engine::new().compile(&sql, &Options::new())?.remove(0);
        let request = LayoutRequest {
            processor: ProcessorKind::Inline,
            partitions: 1,
            strategy: None,
            fan_in_target: 0,
            splits: 1,
        };
        let layout = Layout::new(&job.plan, request)?;
        Ok(Self { job, layout, case: *case })
    }

    /// The case's SQL over a source with those options.
    pub(super) fn sql(&self, source: &str) -> String {
        script(&self.case, source)
    }

    /// The columns that are read.
    pub(super) fn wanted(&self) -> Wanted {
        let reads = |column| self.job.plan.scan.projection.contains(&column);
        let key = if reads(1) { self.case.key } else { KeyKind::None };
        Wanted { time: reads(0), key, quantity: reads(2), price: reads(3) }
    }

    /// The operators of one partition.
    pub(super) fn pipeline(&self, simd: Simd, seed: u64) -> Pipeline<'_> {
        Pipeline {
            query: self,
            chain: self.chain(seed),
            bound_us: self.job.plan.scan.event_time.map(|time| time.bound_us),
            arena: Bump::new(),
            counts: Counts::default(),
            simd,
            seed,
        }
    }

    fn chain(&self, seed: u64) -> Chain {
        Stages::new(&self.job.plan, &self.layout, 0, KeyHasher::new(seed)).local
    }

    /// Whether state is left when the input ends: the last rows of keys, which no pane frees.
    fn keeps_state(&self) -> bool {
        matches!(self.job.plan.keyed_step(), Some((_, Step { node: Node::Rows(_), .. })))
    }
}

/// The operators of one partition. A run begins without state; the memory of panes is kept.
pub(super) struct Pipeline<'q> {
    query: &'q Query,
    chain: Chain,
    /// Bound of the watermark, if the query depends on event time.
    bound_us: Option<i64>,
    arena: Bump,
    counts: Counts,
    simd: Simd,
    seed: u64,
}

impl Pipeline<'_> {
    /// Runs some blocks through, to the end of input.
    pub(super) fn run(&mut self, input: &Input, blocks: Range<usize>, look: Look) -> Result<Sums> {
        if self.query.keeps_state() {
            self.chain = self.query.chain(self.seed);
        }
        let Self { query, chain, bound_us, arena, counts, simd, .. } = self;
        let projection = &query.job.plan.scan.projection;
        let mut sums = Sums::default();
        let mut greatest_before = EventTime::MIN;
        macro_rules! context {
            () => {
                Context {
                    arena,
                    counts,
                    greatest_before,
                    latest: EventTime::MAX,
                    now: EventTime::MIN,
                    stage: 0,
                    rows_are_records: true,
                    on_error: OnError::Skip,
                    simd: *simd,
                }
            };
        }
        let mut out = |batch: Batch<'_>, _: &mut Context<'_>| {
            sums = sums.and(match look {
                Look::Columns => sum_columns(&batch),
                Look::Rows => sum_rows(&batch),
            });
            Ok(())
        };
        for block in blocks {
            arena.reset();
            let arena = &*arena;
            let columns = arena.alloc_slice_fill_iter(projection.iter().map(|&column| input.column(column, block)));
            let order = RowOrder::Chunk { sequence: Sequence::new(SplitId(0), block as u64), first_row: 0, places: 1 };
            let batch = Batch { rows: BLOCK_ROWS, columns, selection: Selection::All, order };
            chain.process(batch, &mut context!(), &mut out)?;
            if let Some(bound_us) = *bound_us {
                greatest_before = EventTime(input.greatest_time(block));
                chain.advance(greatest_before.minus(bound_us), &mut context!(), &mut out)?;
            }
        }
        arena.reset();
        chain.advance(EventTime::MAX, &mut context!(), &mut out)?;
        assert_eq!((counts.late, counts.failed), (0, 0), "every row of the input counts");
        Ok(sums)
    }
}

/// One value among those of its row; NULL is a value of its own.
pub(super) const NULL: u64 = 0x6e75_6c6c_6e75_6c6c;

/// The hash of a row from its values, first to last.
pub(super) fn row_hash(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, |hash: u64, value| (hash.rotate_left(23) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// A text as one value: FNV-1a.
pub(super) fn text_value(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn value(column: &Column<'_>, i: usize) -> u64 {
    if !column.is_valid(i) {
        return NULL;
    }
    match column.values {
        Values::Boolean(words) => words[i / 64] >> (i % 64) & 1,
        Values::Int32(values) => i64::from(values[i]).cast_unsigned(),
        Values::Int64(values) => values[i].cast_unsigned(),
        Values::Float64(values) => values[i].to_bits(),
        Values::Int128(values) => values[i] as u64 ^ (values[i] >> 64) as u64,
        Values::Utf8(_) | Values::Dictionary { .. } => text_value(column.text(i)),
    }
}

/// The sum of [`Look::Rows`].
pub(super) fn sum_rows(batch: &Batch<'_>) -> Sums {
    let mut sums = Sums::default();
    batch.for_each(|i| {
        let hash = row_hash(batch.columns.iter().map(|column| value(column, i)));
        sums = sums.and(Sums { rows: 1, sum: hash });
    });
    sums
}

/// Sums of columns, each weighted by an odd number of its own.
fn sum_columns(batch: &Batch<'_>) -> Sums {
    let mut sum = 0_u64;
    for (number, column) in (0_u64..).zip(batch.columns) {
        let total = match (batch.selection, column.validity, column.values) {
            (Selection::All, None, Values::Int64(values)) => sum_of(&values[..batch.rows], |v| v.cast_unsigned()),
            (Selection::All, None, Values::Float64(values)) => sum_of(&values[..batch.rows], f64::to_bits),
            (Selection::All, None, Values::Dictionary { codes, .. }) => sum_of(&codes[..batch.rows], u64::from),
            (Selection::All, None, Values::Utf8(strings)) => strings.bytes.len() as u64,
            _ => {
                let mut total = 0_u64;
                batch.for_each(|i| total = total.wrapping_add(value(column, i)));
                total
            }
        };
        sum = sum.wrapping_add(total.wrapping_mul(2 * number + 1));
    }
    Sums { rows: batch.selected() as u64, sum }
}

fn sum_of<T: Copy>(values: &[T], bits: impl Fn(T) -> u64) -> u64 {
    values.iter().fold(0, |sum, &value| sum.wrapping_add(bits(value)))
}

/// The sum that [`Look::Columns`] gives for columns of doubles.
pub(super) fn sum_doubles(columns: &[&[f64]]) -> Sums {
    let sums = (0_u64..).zip(columns).map(|(number, column)| sum_of(column, f64::to_bits).wrapping_mul(2 * number + 1));
    Sums { rows: columns[0].len() as u64, sum: sums.fold(0, u64::wrapping_add) }
}
