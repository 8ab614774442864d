//! The last rows of each key: functions over a frame that ends at the current row.
//!
//! Calls over the same argument and the same frame share one store: [`numbers`] of fixed size per value for what fits a
//! word, by the kernel [`crate::kernel::rows`]; [`general`] for DECIMAL and text. Stores take a whole batch and give
//! whole columns.
//!
//! Cost per row: O(1) for COUNT, SUM, AVG, MIN, MAX, FIRST_VALUE, LAG; O(frame) for VARIANCE and STDDEV of frames with
//! a bound. Results do not depend on how rows are cut into batches.

mod general;
mod numbers;

use bumpalo::Bump;

use crate::batch::{Column, Values, words_for};
use crate::error::Result;
use crate::types::{DataType, Value};

use super::AccumulatorKind;
use general::General;
use numbers::Numbers;

/// A function over the frame.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameFunction {
    /// An aggregate of the frame's values.
    Aggregate(AccumulatorKind),
    /// First value of the frame, NULL or not.
    FirstValue,
    /// The current row's value.
    LastValue,
    /// Number of the row within its key, from 1.
    RowNumber,
    /// Value `offset` rows before, or the default.
    Lag {
        /// Rows back.
        offset: u64,
        /// Value where there is no such row.
        default: Value,
    },
}

/// A call of a function over a frame.
#[derive(Debug, Clone)]
pub struct FrameCall {
    /// Which. VARIANCE and STDDEV of a DECIMAL are those of a DOUBLE: the caller casts.
    pub function: FrameFunction,
    /// Rows in the frame, the current one included; `None` for all rows of the key so far. Not looked at by LAG,
    /// LAST_VALUE and ROW_NUMBER.
    pub rows: Option<u64>,
    /// Column of the argument, and its type; `None` for COUNT(*) and ROW_NUMBER.
    pub argument: Option<(usize, DataType)>,
    /// Type of the result.
    pub result: DataType,
}

impl FrameCall {
    /// Rows that the store must keep.
    fn kept(&self) -> Option<u64> {
        match self.function {
            FrameFunction::Lag { offset, .. } => Some(offset.saturating_add(1)),
            _ => self.rows,
        }
    }
}

/// The frames of all keys, for all calls of a query.
#[derive(Debug)]
pub struct FrameStates {
    calls: Vec<FrameCall>,
    stores: Vec<Shared>,
    /// Rows of each key, if a call without an argument asks for them.
    seen: Vec<u64>,
}

/// A store, and which calls it serves.
#[derive(Debug)]
struct Shared {
    column: usize,
    calls: Vec<usize>,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Int(Numbers<i64>),
    Float(Numbers<f64>),
    Decimal(General<i128>),
    Text(General<Vec<u8>>),
}

impl FrameStates {
    /// No keys yet.
    pub fn new(calls: Vec<FrameCall>) -> Self {
        let mut groups: Vec<(usize, DataType, Option<u64>, Vec<usize>)> = Vec::new();
        for (index, call) in calls.iter().enumerate() {
            let Some((column, data_type)) = call.argument else { continue };
            if call.function == FrameFunction::LastValue {
                continue;
            }
            let kept = call.kept();
            match groups.iter_mut().find(|group| group.0 == column && group.2 == kept) {
                Some(group) => group.3.push(index),
                None => groups.push((column, data_type, kept, vec![index])),
            }
        }
        let stores = groups.into_iter().map(|(column, data_type, rows, members)| {
            let shared: Vec<FrameCall> = members.iter().map(|&index| calls[index].clone()).collect();
            let store = match data_type {
                DataType::Double => Store::Float(Numbers::new(rows, &shared)),
                DataType::Decimal { scale, .. } => Store::Decimal(General::new(rows, shared, scale)),
                DataType::Varchar => Store::Text(General::new(rows, shared, 0)),
                _ => Store::Int(Numbers::new(rows, &shared)),
            };
            Shared { column, calls: members, store }
        });
        Self { stores: stores.collect(), calls, seen: Vec::new() }
    }

    /// Takes rows in, in order, and gives a column for each call; `groups[j]` is the key of row `j` of `columns`.
    pub fn push<'a>(&'a mut self, groups: &[u32], columns: &[Column<'a>], arena: &'a Bump) -> Result<&'a [Column<'a>]> {
        let results = arena.alloc_slice_fill_copy(self.calls.len(), Column::valid(Values::Int64(&[])));
        self.count_rows(groups, results, arena);
        for (call, result) in self.calls.iter().zip(results.iter_mut()) {
            if let (FrameFunction::LastValue, Some((column, _))) = (&call.function, call.argument) {
                *result = columns[column];
            }
        }
        for Shared { column, calls, store } in &mut self.stores {
            let argument = &columns[*column];
            let members = calls.iter().map(|&index| &self.calls[index]);
            let put = |results: &mut [Column<'a>], number: usize, column| results[calls[number]] = column;
            match store {
                Store::Float(store) => {
                    let values = argument.float64();
                    let found = store.push(groups, values, argument.validity, arena);
                    for (number, call) in members.enumerate() {
                        put(results, number, found.double_column(call, arena));
                    }
                }
                Store::Int(store) => {
                    let found = store.push(groups, integers(argument, groups.len(), arena), argument.validity, arena);
                    for (number, call) in members.enumerate() {
                        put(results, number, found.integer_column(call, arena)?);
                    }
                }
                Store::Decimal(store) => {
                    for (number, column) in store.push(groups, argument)?.enumerate() {
                        put(results, number, column);
                    }
                }
                Store::Text(store) => {
                    for (number, column) in store.push(groups, argument)?.enumerate() {
                        put(results, number, column);
                    }
                }
            }
        }
        Ok(results)
    }

    /// Bytes that they hold.
    pub fn held_bytes(&self) -> usize {
        let stores = self.stores.iter().map(|shared| match &shared.store {
            Store::Int(store) => store.held_bytes(),
            Store::Float(store) => store.held_bytes(),
            Store::Decimal(store) => store.held_bytes(),
            Store::Text(store) => store.held_bytes(),
        });
        stores.sum::<usize>() + self.seen.capacity() * size_of::<u64>()
    }

    /// COUNT(*) and ROW_NUMBER.
    fn count_rows<'a>(&mut self, groups: &[u32], results: &mut [Column<'a>], arena: &'a Bump) {
        if self.calls.iter().all(|call| call.argument.is_some()) {
            return;
        }
        let keys = groups.iter().fold(self.seen.len(), |keys, &group| keys.max(group as usize + 1));
        self.seen.resize(keys, 0);
        let numbers = &*arena.alloc_slice_fill_iter(groups.iter().map(|&group| {
            let seen = &mut self.seen[group as usize];
            *seen += 1;
            *seen as i64
        }));
        for (call, result) in self.calls.iter().zip(results) {
            let rows = match call.function {
                _ if call.argument.is_some() => continue,
                FrameFunction::RowNumber => None,
                _ => call.rows,
            };
            let most = rows.map_or(i64::MAX, |rows| i64::try_from(rows).unwrap_or(i64::MAX));
            let counts = arena.alloc_slice_fill_iter(numbers.iter().map(|&number| number.min(most)));
            *result = Column::valid(Values::Int64(counts));
        }
    }
}

/// The first `rows` values of a column of integers, dates, times or booleans.
fn integers<'a>(column: &Column<'a>, rows: usize, arena: &'a Bump) -> &'a [i64] {
    match column.values {
        Values::Int32(values) => arena.alloc_slice_fill_iter(values[..rows].iter().map(|&value| i64::from(value))),
        Values::Boolean(words) => arena.alloc_slice_fill_with(rows, |i| (words[i / 64] >> (i % 64) & 1) as i64),
        _ => &column.int64()[..rows],
    }
}

/// A bitmap of `rows` bits in `arena`; `None` if all are set.
fn bitmap(rows: usize, arena: &Bump, bit: impl Fn(usize) -> bool) -> Option<&[u64]> {
    let words = arena.alloc_slice_fill_copy(words_for(rows), 0_u64);
    let mut set = 0;
    for (w, word) in words.iter_mut().enumerate() {
        for i in 0..64.min(rows - w * 64) {
            *word |= u64::from(bit(w * 64 + i)) << i;
        }
        set += word.count_ones() as usize;
    }
    (set < rows).then_some(&*words)
}

#[cfg(test)]
mod tests;
