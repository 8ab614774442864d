//! One file per operator: each takes batches in and passes batches on.
//!
//! Promises: an operator's output depends on the rows it was given and their order alone; it never reads a clock (where costs
//! are measured its chain does), never blocks, and takes scratch memory from the batch's arena only. Operators know nothing of threads, rings or files.
//!
//! ```text
//! scan's columns ─► [filter] ─► [late] ─► [lookup, windows] ─► aggregate | changes | rows | frames | join, first (after reorder) ─► [filter] ─► [project] ─► [rank] ─► out
//! ```

mod aggregate;
mod as_of;
mod blocks;
mod branches;
mod calls;
mod changes;
mod closing;
mod context;
mod delay;
mod emit;
mod expiry;
pub mod expr;
mod filter;
mod first;
mod frames;
mod gather;
mod group_by;
mod interval_join;
mod join_keys;
mod join_side;
mod late;
mod lookup;
mod overlapping;
mod per_batch;
mod project;
mod rank;
mod reorder;
mod residual;
mod revisions;
mod rows;
mod sessions;
mod sorter;
mod waiting;
mod windows;

pub use aggregate::{Aggregate, MergePanes};
pub use as_of::AsOf;
pub use branches::Branches;
pub use changes::Changes;
pub use context::{Context, Counts, OnError, RecordFailure};
pub use delay::Delay;
pub use emit::GroupEmitter;
pub use filter::Filter;
pub use first::First;
pub use frames::Frames;
pub use gather::Gather;
pub use group_by::{GroupBy, Keyed, Panes, Run};
pub use interval_join::IntervalJoin;
pub use late::{Late, LateRule};
pub use lookup::Lookup;
pub use per_batch::ChangesPerBatch;
pub use project::Project;
pub use rank::Rank;
pub use reorder::Reorder;
pub use rows::RowsOver;
pub use sessions::{SessionChanges, SessionsPerBatch};
pub use sorter::Sorter;
pub use windows::AssignWindows;

use std::rc::Rc;

use bumpalo::Bump;

use crate::batch::{Batch, Selection};
use crate::error::Result;
use crate::kernel::{Simd, selection};
use crate::metrics::{Meter, StageId, StageKind};
use crate::types::{EventTime, OrderKey};

/// Where an operator's output goes.
pub type Next<'n> = dyn FnMut(Batch<'_>, &mut Context<'_>) -> Result<()> + 'n;

/// What an operator is told between batches.
type Tell<'t> = dyn FnMut(&mut dyn Operator, &mut Context<'_>, &mut Next<'_>) -> Result<()> + 't;

/// One step of a chain.
pub trait Operator {
    /// What to call it where costs are shown: the clause that it stands for.
    fn name(&self) -> &'static str;

    /// Takes a batch; what comes of it goes to `next` before this returns, or stays as state.
    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()>;

    /// Whether [`Self::process`] takes batches whose selection is a mask; else they are listed before.
    fn takes_masks(&self) -> bool {
        false
    }

    /// If it keeps state, what to call it and how many bytes it holds.
    fn state(&self) -> Option<(&'static str, usize)> {
        None
    }

    /// The least place of the rows that wait here although the watermark has passed them: what follows is not told of
    /// more until they have left.
    fn oldest(&self) -> Option<OrderKey> {
        None
    }

    /// All rows of a batch of the input came, as far as they come here.
    fn end_batch(&mut self, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let _ = (context, next);
        Ok(())
    }

    /// No record that is not late will come from before `watermark`: releases what waited for it. Called with
    /// [`EventTime::MAX`] at the end of input.
    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let _ = (watermark, context, next);
        Ok(())
    }
}

/// Operators in a row.
#[derive(Default)]
pub struct Chain {
    operators: Vec<Box<dyn Operator>>,
    /// The meter of its thread, if it has one, and the stage of each operator.
    measured: Option<(Rc<Meter>, Vec<StageId>)>,
}

/// Who measures the operators that are left of a chain.
#[derive(Clone, Copy)]
struct Probe<'m> {
    meter: &'m Meter,
    stages: &'m [StageId],
    /// The operator whose rows come.
    from: Option<StageId>,
}

impl<'m> Probe<'m> {
    /// For the operators after the first, and the first.
    fn split(self) -> (StageId, Self) {
        (self.stages[0], Self { stages: &self.stages[1..], from: Some(self.stages[0]), ..self })
    }
}

impl Chain {
    /// Appends an operator.
    pub fn push(&mut self, operator: impl Operator + 'static) {
        self.operators.push(Box::new(operator));
    }

    /// Operators that keep state, and the bytes that they hold.
    pub fn states(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.operators.iter().filter_map(|operator| operator.state())
    }

    /// From now on the operators are measured, each as a stage of its own.
    pub fn measure(&mut self, meter: &Rc<Meter>) {
        let stages = self.operators.iter().map(|operator| meter.add(StageKind::Operator, operator.name())).collect();
        self.measured = Some((Rc::clone(meter), stages));
    }

    /// Tells the meter, if there is one, what state holds now.
    pub fn measure_states(&self) {
        let Some((meter, stages)) = &self.measured else { return };
        for (operator, stage) in self.operators.iter().zip(stages) {
            if let Some((_, bytes)) = operator.state() {
                meter.hold(*stage, bytes as u64);
            }
        }
    }

    /// Whether the chain passes batches on as they are.
    pub fn is_empty(&self) -> bool {
        self.operators.is_empty()
    }

    /// Runs a batch through all operators; what leaves the last goes to `out`.
    pub fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, out: &mut Next<'_>) -> Result<()> {
        let probe = self.measured.as_ref().map(|(meter, stages)| Probe { meter, stages, from: None });
        process_all(&mut self.operators, probe, batch, context, out)
    }

    /// Tells every operator, first to last, that a batch of the input is through.
    pub fn end_batch(&mut self, context: &mut Context<'_>, out: &mut Next<'_>) -> Result<()> {
        self.tell(context, out, &mut |operator, context, next| operator.end_batch(context, next))
    }

    /// Tells every operator, first to last, that the watermark advanced; what one releases runs through the rest
    /// before those hear of it, and what one holds back keeps the rest from hearing of more.
    pub fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, out: &mut Next<'_>) -> Result<()> {
        let mut passed = watermark;
        self.tell(context, out, &mut |operator, context, next| {
            if passed > EventTime::MIN {
                operator.advance(passed, context, next)?;
            }
            passed = operator.oldest().map_or(passed, |oldest| passed.min(oldest.time));
            Ok(())
        })
    }

    /// The least place of rows that wait in an operator although the watermark has passed them.
    pub fn oldest(&self) -> Option<OrderKey> {
        self.operators.iter().filter_map(|operator| operator.oldest()).min()
    }

    fn tell(&mut self, context: &mut Context<'_>, out: &mut Next<'_>, what: &mut Tell<'_>) -> Result<()> {
        for i in 0..self.operators.len() {
            let (operator, rest) = self.operators[i..].split_first_mut().expect("i is below the length");
            let probe = self.measured.as_ref().map(|(meter, stages)| {
                let (stage, rest) = Probe { meter, stages: &stages[i..], from: None }.split();
                (meter.enter(stage), rest)
            });
            let after = probe.map(|(_, rest)| rest);
            what(operator.as_mut(), context, &mut |batch, context| process_all(rest, after, batch, context, out))?;
            if let Some((before, rest)) = probe {
                rest.meter.enter(before);
            }
        }
        Ok(())
    }
}

/// The same rows, a mask turned into a list of them in `arena`.
pub fn listed<'a>(batch: Batch<'a>, arena: &'a Bump, simd: Simd) -> Batch<'a> {
    let Selection::Mask(words) = batch.selection else { return batch };
    let rows = arena.alloc_slice_fill_copy(batch.selected(), 0);
    selection::from_bitmap(simd, words, rows);
    Batch { selection: Selection::Rows(rows), ..batch }
}

fn process_all(
    operators: &mut [Box<dyn Operator>],
    probe: Option<Probe<'_>>,
    batch: Batch<'_>,
    context: &mut Context<'_>,
    out: &mut Next<'_>,
) -> Result<()> {
    let selected = batch.selected();
    if selected == 0 {
        return Ok(());
    }
    if let Some(Probe { meter, from: Some(from), .. }) = probe {
        meter.count_out(from, selected);
    }
    let Some((first, rest)) = operators.split_first_mut() else { return out(batch, context) };
    let entered = probe.map(|probe| {
        let (stage, rest) = probe.split();
        let before = probe.meter.enter(stage);
        probe.meter.count_in(stage, selected, || batch.size_bytes(selected));
        (before, rest)
    });
    let after = entered.map(|(_, rest)| rest);
    let batch = if first.takes_masks() { batch } else { listed(batch, context.arena, context.simd) };
    first.process(batch, context, &mut |batch, context| process_all(rest, after, batch, context, out))?;
    if let Some((before, rest)) = entered {
        rest.meter.enter(before);
    }
    Ok(())
}
