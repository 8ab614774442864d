//! What the functions of OVER give for one row after another.
//!
//! Aggregates of frames that start with the partition go on from row to row; others are folded anew from all rows of the
//! frame, unless it starts where the one before did.

use bumpalo::Bump;

use crate::arena::PaneArena;
use crate::batch::{Column, ColumnBuffer};
use crate::error::Result;
use crate::kernel::Simd;
use crate::plan::{Expr, FrameBound, FrameBounds, FramedFunction, FramesNode};
use crate::state::{KeyHasher, StateBlock, StateLayout, States};
use crate::types::{DataType, Value};

use super::super::calls::Calls;
use super::bounds::Order;
use super::partition::Partition;

/// What a call gives.
#[derive(Debug)]
enum Kind {
    First(usize),
    Last(usize),
    Nth(usize, u64),
    Shift {
        column: usize,
        offset: i64,
        default: Value,
    },
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile(u64),
    /// One of the aggregates of a set.
    Folded {
        set: usize,
        member: usize,
    },
}

/// Aggregates over one frame.
struct Set {
    frame: FrameBounds,
    layout: StateLayout,
    /// Columns of the values that are its arguments.
    arguments: Vec<usize>,
    out: Vec<ColumnBuffer>,
    /// Of running aggregates one state a partition, else the state of one frame.
    states: States,
    arena: PaneArena,
    /// Partition, first row and end of the frame that the one state is of.
    last: Option<(u32, u64, u64)>,
}

impl Set {
    fn is_running(&self) -> bool {
        self.frame.start == FrameBound::First
    }
}

/// The functions of a node.
pub(super) struct Answers {
    calls: Vec<(Kind, FrameBounds, ColumnBuffer)>,
    sets: Vec<Set>,
    /// First rows of each partition that are looked at for ever.
    pub(super) head: usize,
    /// Up to where rows must have come before a row is answered.
    pub(super) needs: Vec<FrameBound>,
    slots: Vec<u32>,
    groups: Vec<u32>,
}

/// Values that are kept of each row, each once.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) exprs: Vec<Expr>,
    /// Whether the number of a row, two columns, comes behind them.
    pub(super) takes_places: bool,
}

impl Kept {
    pub(super) fn add(&mut self, expr: &Expr) -> usize {
        let known = self.exprs.iter().position(|known| known == expr);
        known.unwrap_or_else(|| {
            self.exprs.push(expr.clone());
            self.exprs.len() - 1
        })
    }
}

impl Answers {
    /// For a node of a plan; what is kept of rows for it is added to `kept`.
    pub(super) fn new(node: &FramesNode, kept: &mut Kept, hasher: KeyHasher) -> Self {
        let mut frames: Vec<(FrameBounds, Vec<usize>)> = Vec::new();
        let mut needs = vec![FrameBound::Rows(0)];
        let mut head = 0;
        let mut calls = Vec::with_capacity(node.calls.len());
        for (index, call) in node.calls.iter().enumerate() {
            let mut need = call.frame.end;
            let kind = match &call.function {
                FramedFunction::Aggregate(_) => {
                    let known = frames.iter().position(|(frame, _)| *frame == call.frame);
                    let set = known.unwrap_or_else(|| {
                        frames.push((call.frame, Vec::new()));
                        frames.len() - 1
                    });
                    frames[set].1.push(index);
                    Kind::Folded { set, member: frames[set].1.len() - 1 }
                }
                FramedFunction::FirstValue(arg) => Kind::First(kept.add(arg)),
                FramedFunction::LastValue(arg) => Kind::Last(kept.add(arg)),
                FramedFunction::NthValue(arg, n) => Kind::Nth(kept.add(arg), *n),
                FramedFunction::Shift { arg, offset, default } => {
                    need = FrameBound::Rows(*offset);
                    Kind::Shift { column: kept.add(arg), offset: *offset, default: default.clone() }
                }
                FramedFunction::RowNumber => Kind::RowNumber,
                FramedFunction::Rank => Kind::Rank,
                FramedFunction::DenseRank => Kind::DenseRank,
                FramedFunction::PercentRank => Kind::PercentRank,
                FramedFunction::CumeDist => Kind::CumeDist,
                FramedFunction::Ntile(buckets) => Kind::Ntile(*buckets),
            };
            if matches!(kind, Kind::PercentRank | Kind::CumeDist | Kind::Ntile(_)) {
                need = FrameBound::Last;
            }
            if call.frame.start == FrameBound::First {
                head = match kind {
                    Kind::First(_) => head.max(1),
                    Kind::Nth(_, n) => head.max(usize::try_from(n).unwrap_or(usize::MAX)),
                    _ => head,
                };
            }
            if !needs.contains(&need) {
                needs.push(need);
            }
            calls.push((kind, call.frame, ColumnBuffer::new(call.data_type)));
        }
        let planned: Vec<(FrameBounds, Calls)> = frames
            .iter()
            .map(|(frame, members)| {
                let aggregates: Vec<_> = members
                    .iter()
                    .filter_map(|&call| match &node.calls[call].function {
                        FramedFunction::Aggregate(call) => Some(call.clone()),
                        _ => None,
                    })
                    .collect();
                (*frame, Calls::new(&aggregates, hasher))
            })
            .collect();
        for (_, planned) in &planned {
            planned.arguments.iter().for_each(|arg| {
                kept.add(arg);
            });
            kept.takes_places |= planned.takes_places;
        }
        let places = [kept.exprs.len(), kept.exprs.len() + 1];
        let sets = planned.into_iter().map(|(frame, planned)| {
            let own = planned.arguments.iter().map(|arg| kept.add(arg));
            let arguments = own.chain(places.into_iter().filter(|_| planned.takes_places)).collect();
            let arena = PaneArena::default();
            let out = planned.layout.accumulators.iter().map(|call| ColumnBuffer::new(call.result)).collect();
            let states = States::new(&planned.layout, 0, &arena);
            Set { frame, layout: planned.layout, arguments, out, states, arena, last: None }
        });
        let sets = sets.collect();
        Self { calls, sets, head, needs, slots: Vec::new(), groups: Vec::new() }
    }

    /// The arguments of each set among the `columns` of values.
    pub(super) fn views<'a>(&self, columns: &[Column<'a>], arena: &'a Bump) -> &'a [&'a [Column<'a>]] {
        let of = |set: &Set| &*arena.alloc_slice_fill_iter(set.arguments.iter().map(|&argument| columns[argument]));
        arena.alloc_slice_fill_iter(self.sets.iter().map(of))
    }

    /// Drops what was given, keeps the state.
    pub(super) fn clear_results(&mut self) {
        self.calls.iter_mut().for_each(|(_, _, out)| out.clear());
        self.sets.iter_mut().flat_map(|set| &mut set.out).for_each(ColumnBuffer::clear);
    }

    /// Appends what was given, a column for each call, rows up to `rows`.
    pub(super) fn append_results(&self, rows: usize, columns: &mut [ColumnBuffer]) {
        for ((kind, _, out), column) in self.calls.iter().zip(columns) {
            let from = match kind {
                Kind::Folded { set, member } => &self.sets[*set].out[*member],
                _ => out,
            };
            column.append_range(from, 0, rows);
        }
    }

    /// Makes ready for partition `number`.
    pub(super) fn begin(&mut self, number: u32, partition: &mut Partition) {
        partition.folded.clear();
        partition.folded.resize(self.sets.len(), 0);
        for set in self.sets.iter_mut().filter(|set| set.is_running()) {
            set.states.grow(&set.layout, number as usize + 1);
        }
    }

    /// Partition `number` is over.
    pub(super) fn end(&mut self, number: u32) {
        for set in &mut self.sets {
            if set.is_running() {
                set.states.reset(&set.layout, number);
            }
            set.last = None;
        }
    }

    /// All partitions are over.
    pub(super) fn clear(&mut self) {
        for set in &mut self.sets {
            set.states.clear();
            set.last = None;
        }
    }

    /// Gives back the memory of all of so many partitions but `live`.
    pub(super) fn shrink(&mut self, live: &[u32], partitions: usize) {
        for set in self.sets.iter_mut().filter(|set| set.is_running()) {
            let mut block = StateBlock::default();
            set.states.export(&set.layout, live, &mut block);
            let arena = PaneArena::default();
            let mut states = States::new(&set.layout, 0, &arena);
            states.grow(&set.layout, partitions);
            states.merge(&set.layout, live, &block);
            (set.states, set.arena) = (states, arena);
        }
    }

    /// Bytes that states hold.
    pub(super) fn held_bytes(&self) -> usize {
        self.sets.iter().map(|set| set.arena.held_bytes()).sum()
    }

    /// Answers the next row of partition `number`, and says from which row on the partition is still looked at. `columns` are the
    /// values, `arguments` those of the sets.
    pub(super) fn answer(
        &mut self,
        number: u32,
        partition: &mut Partition,
        order: &Order<'_>,
        columns: &[Column<'_>],
        arguments: &[&[Column<'_>]],
        simd: Simd,
    ) -> Result<u64> {
        let row = partition.next;
        let current = *partition.entry(row);
        let total = partition.total();
        let mut keep = row;
        for (kind, bounds, out) in &mut self.calls {
            let value = |at: Option<u64>, column: usize, out: &mut ColumnBuffer| match at {
                Some(at) => out.append(&columns[column], 0, Some(&[partition.slot(at)])),
                None => out.push_null(),
            };
            match kind {
                Kind::First(_) | Kind::Last(_) | Kind::Nth(..) => {
                    let (start, end) = order.frame(partition, row, *bounds);
                    let from_head = bounds.start == FrameBound::First;
                    match *kind {
                        Kind::First(column) => value((start < end).then_some(start), column, out),
                        Kind::Nth(column, n) => {
                            let at = start.saturating_add(n - 1);
                            value((at < end).then_some(at), column, out);
                        }
                        Kind::Last(column) => value((start < end).then(|| end - 1), column, out),
                        _ => {}
                    }
                    keep = keep.min(if from_head { end.saturating_sub(1) } else { start });
                }
                Kind::Shift { column, offset, default } => {
                    match row.checked_add_signed(*offset).filter(|&at| at < total) {
                        Some(at) => value(Some(at), *column, out),
                        None => out.push(default),
                    }
                    keep = keep.min(row.saturating_add_signed(*offset));
                }
                Kind::RowNumber => out.push_int64(row as i64 + 1),
                Kind::Rank => out.push_int64(current.first as i64 + 1),
                Kind::DenseRank => out.push_int64(current.group as i64 + 1),
                Kind::PercentRank => {
                    let share = if total > 1 { current.first as f64 / (total - 1) as f64 } else { 0.0 };
                    out.push_float64(share);
                }
                Kind::CumeDist => {
                    let end = partition.find(|entry| entry.group <= current.group);
                    out.push_float64(end as f64 / total as f64);
                }
                Kind::Ntile(buckets) => out.push_int64(bucket(row, total, *buckets) as i64 + 1),
                Kind::Folded { .. } => {}
            }
        }
        for (index, (set, arguments)) in self.sets.iter_mut().zip(arguments).enumerate() {
            let (start, end) = order.frame(partition, row, set.frame);
            let (group, from) = if set.is_running() {
                let from = std::mem::replace(&mut partition.folded[index], end);
                keep = keep.min(end);
                (number, from)
            } else {
                keep = keep.min(start);
                let from = match set.last {
                    Some((of, first, to)) if of == number && first == start && to <= end => to,
                    _ => {
                        set.states.clear();
                        set.states.grow(&set.layout, 1);
                        start
                    }
                };
                set.last = Some((number, start, end));
                (0, from)
            };
            if from < end {
                self.slots.clear();
                self.slots.extend(partition.slots(from, end));
                self.groups.clear();
                self.groups.resize(self.slots.len(), group);
                set.states.update(simd, &set.layout, &self.groups, Some(&self.slots), arguments);
            }
            set.states.finish(&set.layout, &[group], &mut set.out)?;
        }
        partition.next += 1;
        Ok(keep)
    }
}

/// The bucket, from 0, of row `row` of `total` in `buckets` of equal size, the first ones greater by one.
fn bucket(row: u64, total: u64, buckets: u64) -> u64 {
    let (size, greater) = (total / buckets, total % buckets);
    let in_greater = greater * (size + 1);
    if row < in_greater { row / (size + 1) } else { greater + (row - in_greater) / size }
}

/// The types of the places of rows.
pub(super) const PLACES: [DataType; 2] = [DataType::BigInt, DataType::BigInt];
