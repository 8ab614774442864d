//! Rows of several buffers, one after another: what merging and releasing in order come to.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use super::{BatchBuffer, ColumnBuffer, Store, push_text};
use crate::batch::Strings;

/// Rows `start..end` of one of several buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Which buffer.
    pub source: u32,
    /// First row.
    pub start: u32,
    /// Past the last row.
    pub end: u32,
}

/// A row of one of several buffers.
#[derive(Clone, Copy)]
struct Place {
    source: u32,
    row: u32,
}

/// Rows to a run below which rows are copied one by one: beginning a run costs about what so many rows do. Any value is correct.
const RUN_ROWS: usize = 12;

impl Run {
    fn rows(&self) -> usize {
        (self.end - self.start) as usize
    }
}

impl BatchBuffer {
    /// Appends runs of rows of `sources`, buffers of the same types. `arena` lends room for lists of rows.
    pub fn append_runs(&mut self, sources: &[&Self], runs: &[Run], arena: &Bump) {
        let rows = runs.iter().map(Run::rows).sum::<usize>();
        if rows >= runs.len() * RUN_ROWS {
            for (index, column) in self.columns.iter_mut().enumerate() {
                for run in runs {
                    let from = &sources[run.source as usize].columns[index];
                    column.append_range(from, run.start as usize, run.end as usize);
                }
            }
        } else {
            let mut places = BumpVec::with_capacity_in(rows, arena);
            for &Run { source, start, end } in runs {
                (start..end).for_each(|row| places.push(Place { source, row }));
            }
            for (index, column) in self.columns.iter_mut().enumerate() {
                column.append_places(sources.iter().map(|source| &source.columns[index]), &places, arena);
            }
        }
        self.rows += rows;
    }
}

impl ColumnBuffer {
    /// Appends rows of `sources`, columns of the same type.
    fn append_places<'a>(
        &mut self,
        sources: impl ExactSizeIterator<Item = &'a Self> + Clone,
        places: &[Place],
        arena: &Bump,
    ) {
        macro_rules! append {
            ($into:expr, $kind:ident) => {{
                let values = sources.clone().map(|from| match &from.store {
                    Store::$kind(values) => values.as_slice(),
                    _ => panic!("cannot append {} to {}", from.data_type, self.data_type),
                });
                let values = &*arena.alloc_slice_fill_iter(values);
                $into.extend(places.iter().map(|place| values[place.source as usize][place.row as usize]));
            }};
        }
        match &mut self.store {
            Store::Int32(v) => append!(v, Int32),
            Store::Int64(v) => append!(v, Int64),
            Store::Float64(v) => append!(v, Float64),
            Store::Int128(v) => append!(v, Int128),
            Store::Boolean(bits) => {
                let sources = &*arena.alloc_slice_fill_iter(sources.clone());
                for place in places {
                    match &sources[place.source as usize].store {
                        Store::Boolean(values) => bits.push(values.get(place.row as usize)),
                        _ => panic!("cannot append {} to BOOLEAN", self.data_type),
                    }
                }
            }
            Store::Utf8 { offsets, bytes } => {
                let strings = sources.clone().map(|from| match &from.store {
                    Store::Utf8 { offsets, bytes } => Strings { offsets, bytes },
                    _ => panic!("cannot append {} to {}", from.data_type, self.data_type),
                });
                let strings = &*arena.alloc_slice_fill_iter(strings);
                for place in places {
                    push_text(offsets, bytes, &strings[place.source as usize], place.row as usize);
                }
            }
        }
        if sources.clone().all(|from| from.nulls == 0) {
            self.validity.push_many(true, places.len());
        } else {
            let sources = &*arena.alloc_slice_fill_iter(sources);
            for place in places {
                let valid = sources[place.source as usize].validity.get(place.row as usize);
                self.validity.push(valid);
                self.nulls += usize::from(!valid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{DataType, Value};

    /// However long the runs are, the rows are those that are appended one by one.
    #[test]
    fn runs_are_the_rows_that_they_name() {
        let types = [DataType::Boolean, DataType::Int, DataType::BigInt, DataType::Double, DataType::Varchar];
        let value = |data_type: DataType, row: u32| match data_type {
            _ if row % 7 == 3 => Value::Null,
            DataType::Boolean => Value::Boolean(row.is_multiple_of(3)),
            DataType::Int => Value::Int32(row as i32),
            DataType::BigInt => Value::Int64(i64::from(row) << 33),
            DataType::Double => Value::Float64(f64::from(row) / 4.0),
            _ => Value::Utf8("x".repeat(row as usize % 40).into()),
        };
        let source = |first: u32| {
            let mut buffer = BatchBuffer::new(types);
            for row in first..first + 200 {
                for (column, data_type) in buffer.columns.iter_mut().zip(types) {
                    column.push(&value(data_type, row));
                }
            }
            buffer.rows_pushed(200);
            buffer
        };
        let sources = [source(0), source(1_000), source(2_000)];
        let sources: Vec<&BatchBuffer> = sources.iter().collect();
        let arena = Bump::new();
        for length in [0, 1, 2, 5, RUN_ROWS as u32, 40] {
            let runs: Vec<Run> = (0..12).map(|i| Run { source: i % 3, start: i, end: i + length }).collect();
            let mut appended = BatchBuffer::new(types);
            appended.append_range(sources[1], 5, 6);
            let mut expected = appended.clone();
            appended.append_runs(&sources, &runs, &arena);
            for run in &runs {
                let from = sources[run.source as usize];
                (run.start..run.end).for_each(|row| expected.append_range(from, row as usize, row as usize + 1));
            }
            assert_eq!(appended.len(), 1 + 12 * length as usize);
            for (appended, expected) in appended.columns.iter().zip(&expected.columns) {
                assert_eq!(&appended.to_array(), &expected.to_array(), "runs of {length} rows");
            }
        }
    }
}
