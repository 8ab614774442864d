//! Rows that take the place of others: puts the row that goes before the row that comes, with what each does in the
//! column `op`, as Flink writes it.
//!
//! `+I` is a group's first row. Later a pair stands for it: `-U` with what it showed last, `+U` with what it shows now.
//! Groups do not vanish, but sessions do, when several become one: the others are taken back for good (`-D`) before the pair.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::batch::{Batch, BatchBuffer, ColumnBuffer, RowOrder, Run, Selection};
use crate::plan::AggregateNode;
use crate::types::{DataType, OrderKey, Schema};

/// A row of one of two buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// In the first: what the group showed before.
    Old(u32),
    /// In the second, among the new rows.
    New(u32),
}

/// Types of the columns of a group's row, without `op`; `schema` is the output of the node.
pub(super) fn shown_types<'s>(
    node: &AggregateNode,
    schema: &'s Schema,
) -> impl Iterator<Item = DataType> + Clone + use<'s> {
    let shown = &schema.fields[..schema.len() - usize::from(node.changelog)];
    shown.iter().map(|field| field.data_type)
}

/// Puts rows in order, of two buffers of the same columns, with the column `op` behind them if it is asked for.
pub(super) struct Revisions {
    rows: BatchBuffer,
    op: Option<ColumnBuffer>,
    runs: Vec<Run>,
    places: Vec<OrderKey>,
}

impl Revisions {
    /// For rows of these types; with `changelog` old rows come out, too.
    pub(super) fn new(types: impl IntoIterator<Item = DataType>, changelog: bool) -> Self {
        Self {
            rows: BatchBuffer::new(types),
            op: changelog.then(|| ColumnBuffer::new(DataType::Varchar)),
            runs: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Whether old rows come out.
    pub(super) fn has_changelog(&self) -> bool {
        self.op.is_some()
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.op.iter_mut().for_each(ColumnBuffer::clear);
        self.runs.clear();
        self.places.clear();
    }

    /// The next row: number `new` of the second buffer, and what it takes the place of: it is the first of them, changed, and
    /// the others are gone.
    pub(super) fn push(&mut self, new: u32, before: impl IntoIterator<Item = Before>, place: OrderKey) {
        let Self { op, runs, places, .. } = self;
        let changelog = op.is_some();
        let mut push = |row: Before, what: &[u8]| {
            let (source, row) = match row {
                Before::Old(row) => (0, row),
                Before::New(row) => (1, row),
            };
            match runs.last_mut() {
                Some(last) if last.source == source && last.end == row => last.end += 1,
                _ => runs.push(Run { source, start: row, end: row + 1 }),
            }
            places.push(place);
            if let Some(op) = op {
                op.push_text(what);
            }
        };
        let mut before = before.into_iter().filter(|_| changelog);
        match before.next() {
            None => push(Before::New(new), b"+I"),
            Some(first) => {
                before.for_each(|gone| push(gone, b"-D"));
                push(first, b"-U");
                push(Before::New(new), b"+U");
            }
        }
    }

    /// All rows that were pushed, from these buffers.
    pub(super) fn batch<'a>(&'a mut self, old: &BatchBuffer, new: &'a BatchBuffer, arena: &'a Bump) -> Batch<'a> {
        let all_new = Run { source: 1, start: 0, end: new.len() as u32 };
        let rows = if self.op.is_none() && self.runs == [all_new] {
            new
        } else {
            self.rows.append_runs(&[old, new], &self.runs, arena);
            &self.rows
        };
        let columns = rows.columns.iter().chain(&self.op).map(ColumnBuffer::column);
        let columns = BumpVec::from_iter_in(columns, arena).into_bump_slice();
        let order = RowOrder::Keys(&self.places);
        Batch { rows: rows.len(), columns, selection: Selection::All, order }
    }
}
