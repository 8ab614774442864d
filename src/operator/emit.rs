//! Groups of a closed pane as batches: keys, results, window bounds, in the order of first appearance.

use bumpalo::Bump;

use crate::batch::BatchBuffer;
use crate::error::Result;
use crate::plan::AggregateNode;
use crate::state::Groups;
use crate::time::{Round, Span};
use crate::types::{EventTime, OrderKey, Schema};

use super::revisions::{Before, Revisions, shown_types};
use super::{Context, Next, Panes};

/// Turns groups into rows of the aggregate's output schema.
pub struct GroupEmitter {
    shape: GroupShape,
    timed: bool,
    /// What groups showed before, of those that are about to change, if that comes out.
    old: BatchBuffer,
    /// Those groups of the last window, ascending, with their rows.
    old_groups: Vec<(u32, u32)>,
    new: BatchBuffer,
    /// Rows that have not been passed on: place, window, number in `new` and in `old`.
    held: Vec<(OrderKey, Span, u32, Option<u32>)>,
    revisions: Revisions,
    order: Vec<u32>,
    scratch: Bump,
}

impl GroupEmitter {
    /// Groups in a batch. Any value is correct.
    const BATCH_GROUPS: usize = 4096;

    /// For a node of a plan whose output is `schema`.
    pub fn new(node: &AggregateNode, schema: &Schema) -> Self {
        let types = || shown_types(node, schema);
        Self {
            shape: GroupShape::new(node),
            timed: node.is_timed(),
            old: BatchBuffer::new(types()),
            old_groups: Vec::new(),
            new: BatchBuffer::new(types()),
            held: Vec::new(),
            revisions: Revisions::new(types(), node.changelog),
            order: Vec::new(),
            scratch: Bump::new(),
        }
    }

    /// Whether rows come out with what they take the place of.
    pub fn has_changelog(&self) -> bool {
        self.revisions.has_changelog()
    }

    /// Some groups of a window, which have left before, are about to change. With a changelog this must be called before
    /// those of each window leave.
    pub fn remember(&mut self, panes: &Panes, groups: &Groups, changing: &mut Vec<u32>, window: Span) -> Result<()> {
        changing.sort_unstable();
        changing.dedup();
        self.old_groups.clear();
        self.old_groups.extend(changing.iter().copied().zip(self.old.len() as u32..));
        self.shape.push(&mut self.old, panes, groups, changing, window)
    }

    /// Passes the groups in `only` (else all) to `next`, in a round of their window.
    pub fn emit(
        &mut self,
        panes: &Panes,
        groups: &Groups,
        only: Option<&[u32]>,
        round: Round,
        context: &mut Context<'_>,
        next: &mut Next<'_>,
    ) -> Result<()> {
        let mut order = std::mem::take(&mut self.order);
        groups.in_order(only, &mut order);
        for part in order.chunks(Self::BATCH_GROUPS) {
            self.hold(panes, groups, part, round)?;
            self.pass_held(context, next)?;
        }
        self.order = order;
        self.forget();
        Ok(())
    }

    /// Holds the rows of some groups in a round until [`Self::flush`]: those of other windows leave at the same time.
    pub fn hold(&mut self, panes: &Panes, groups: &Groups, numbers: &[u32], round: Round) -> Result<()> {
        let start = self.new.len() as u32;
        self.shape.push(&mut self.new, panes, groups, numbers, round.window)?;
        for (&group, new) in numbers.iter().zip(start..) {
            let (sequence, row) = groups.first(group);
            // Rows that leave at one time stand together, in the order in which groups appeared; without event time all do.
            let time = if self.timed { round.leaves } else { EventTime::MIN };
            let place = OrderKey { time, stage: round.stage, sequence, row };
            let old = self.old_groups.binary_search_by_key(&group, |&(group, _)| group);
            self.held.push((place, round.window, new, old.ok().map(|at| self.old_groups[at].1)));
        }
        Ok(())
    }

    /// Passes on all that is held.
    pub fn flush(&mut self, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        self.pass_held(context, next)?;
        self.forget();
        Ok(())
    }

    fn pass_held(&mut self, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let Self { old, new, held, revisions, scratch, .. } = self;
        held.sort_unstable();
        for &(place, _, row, old) in held.iter() {
            revisions.push(row, old.map(Before::Old), place);
        }
        if !held.is_empty() {
            let mut inner = context.with_arena(scratch);
            inner.rows_are_records = false;
            next(revisions.batch(old, new, scratch), &mut inner)?;
        }
        scratch.reset();
        held.clear();
        new.clear();
        revisions.clear();
        Ok(())
    }

    fn forget(&mut self) {
        self.old_groups.clear();
        self.old.clear();
    }
}

/// What the rows of groups are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupShape {
    keys: usize,
    calls: usize,
    windowed: bool,
}

impl GroupShape {
    /// For a node of a plan.
    pub(super) fn new(node: &AggregateNode) -> Self {
        Self { keys: node.keys.len(), calls: node.calls.len(), windowed: node.window.is_some() }
    }

    /// Appends the rows of some groups of a window.
    pub(super) fn push(
        self,
        into: &mut BatchBuffer,
        panes: &Panes,
        groups: &Groups,
        numbers: &[u32],
        window: Span,
    ) -> Result<()> {
        let (keys, rest) = into.columns.split_at_mut(self.keys);
        let (results, bounds) = rest.split_at_mut(self.calls);
        groups.push_keys(&panes.keyer, numbers, keys);
        groups.states.finish(&panes.layout, numbers, results)?;
        if self.windowed {
            bounds[0].extend_int64(std::iter::repeat_n(window.start, numbers.len()));
            bounds[1].extend_int64(std::iter::repeat_n(window.end.0, numbers.len()));
        }
        into.rows_pushed(numbers.len());
        Ok(())
    }
}
