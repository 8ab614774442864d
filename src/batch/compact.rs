//! Cutting a batch down to its surviving rows, in the arena.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use super::{Batch, Column, RowOrder, Selection, Strings, Values, words_for};

impl<'a> Batch<'a> {
    /// The same rows without a selection: columns and order cut down to the surviving rows. Free if all survive.
    #[must_use]
    pub fn compact(&self, arena: &'a Bump) -> Self {
        let Some(selection) = self.selection.list() else { return *self };
        let columns = arena.alloc_slice_fill_iter(self.columns.iter().map(|column| gather(column, selection, arena)));
        let order = match self.order {
            RowOrder::Chunk { sequence, first_row, places } => {
                let rows = arena.alloc_slice_fill_iter(selection.iter().map(|&i| (first_row + i) * places));
                RowOrder::Rows { sequence, rows }
            }
            RowOrder::Rows { sequence, rows } => {
                RowOrder::Rows { sequence, rows: gather_plain(rows, selection, arena) }
            }
            RowOrder::Keys(keys) => RowOrder::Keys(gather_plain(keys, selection, arena)),
        };
        Self { rows: selection.len(), columns, selection: Selection::All, order }
    }
}

fn gather_plain<'a, T: Copy>(values: &[T], selection: &[u32], arena: &'a Bump) -> &'a [T] {
    arena.alloc_slice_fill_iter(selection.iter().map(|&i| values[i as usize]))
}

fn gather_bits<'a>(words: &[u64], selection: &[u32], arena: &'a Bump) -> &'a [u64] {
    let gathered = arena.alloc_slice_fill_copy(words_for(selection.len()), 0_u64);
    for (j, &i) in selection.iter().enumerate() {
        gathered[j / 64] |= (words[i as usize / 64] >> (i % 64) & 1) << (j % 64);
    }
    gathered
}

/// The rows of a column at `selection`, in that order.
pub fn gather<'a>(column: &Column<'a>, selection: &[u32], arena: &'a Bump) -> Column<'a> {
    let values = match column.values {
        Values::Boolean(words) => Values::Boolean(gather_bits(words, selection, arena)),
        Values::Int32(values) => Values::Int32(gather_plain(values, selection, arena)),
        Values::Int64(values) => Values::Int64(gather_plain(values, selection, arena)),
        Values::Float64(values) => Values::Float64(gather_plain(values, selection, arena)),
        Values::Int128(values) => Values::Int128(gather_plain(values, selection, arena)),
        Values::Dictionary { codes, values, source } => {
            Values::Dictionary { codes: gather_plain(codes, selection, arena), values, source }
        }
        Values::Utf8(strings) => {
            let size = selection.iter().map(|&i| strings.get(i as usize).len()).sum();
            let mut bytes = BumpVec::with_capacity_in(size, arena);
            let mut offsets = BumpVec::with_capacity_in(selection.len() + 1, arena);
            offsets.push(0);
            for &i in selection {
                bytes.extend_from_slice_copy(strings.get(i as usize));
                offsets.push(bytes.len() as i32);
            }
            Values::Utf8(Strings { offsets: offsets.into_bump_slice(), bytes: bytes.into_bump_slice() })
        }
    };
    Column { values, validity: column.validity.map(|words| gather_bits(words, selection, arena)) }
}
