//! A table that rows are looked up in by key: its columns, read-only, and which rows have which key.
//!
//! Guarantees: rows of one key are found in table order; a key with a NULL in it is found by none; DOUBLE keys match as
//! they compare (NaN equals itself, -0 equals +0). Costs 4 bytes a row beside the columns, and about 5 a key.

use std::hash::BuildHasher;

use arrow_array::{Array, RecordBatch};
use bumpalo::Bump;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::{BatchBuffer, Column, Values, view};
use crate::types::Schema;

/// For each key the rows that have it, as chains: the row put in last comes first.
#[derive(Debug)]
pub struct KeyChains {
    /// The row put in last of each key.
    heads: HashTable<u32>,
    /// For each row the one of its key that was put in before; [`Self::END`] for the first.
    next: Vec<u32>,
    hasher: DefaultHashBuilder,
}

impl KeyChains {
    /// No further row.
    pub const END: u32 = u32::MAX;

    /// For so many rows, none put in yet.
    pub fn new(rows: usize) -> Self {
        Self { heads: HashTable::new(), next: vec![Self::END; rows], hasher: DefaultHashBuilder::default() }
    }

    /// Makes room for rows up to `rows` in all.
    pub fn grow(&mut self, rows: usize) {
        self.next.resize(rows, Self::END);
    }

    /// Puts a row in. `columns` hold the keys of all rows that are in; a key with a NULL goes nowhere.
    pub fn insert(&mut self, columns: &[Column<'_>], row: usize) {
        let Self { heads, next, hasher } = self;
        let Some(hash) = hash(hasher, columns, row) else { return };
        match heads.find_mut(hash, |&other| keys_equal(columns, row, columns, other as usize)) {
            Some(head) => {
                next[row] = *head;
                *head = row as u32;
            }
            None => {
                let rehash = |&row: &u32| self::hash(hasher, columns, row as usize).unwrap_or_default();
                heads.insert_unique(hash, row as u32, rehash);
            }
        }
    }

    /// The row put in last whose key (in `own`) is that of row `row` of `wanted`, or [`Self::END`].
    pub fn find(&self, own: &[Column<'_>], wanted: &[Column<'_>], row: usize) -> u32 {
        let Some(hash) = hash(&self.hasher, wanted, row) else { return Self::END };
        let same = |&other: &u32| keys_equal(wanted, row, own, other as usize);
        self.heads.find(hash, same).copied().unwrap_or(Self::END)
    }

    /// The row of the same key that was put in before, or [`Self::END`].
    pub fn next(&self, row: u32) -> u32 {
        self.next[row as usize]
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        self.next.capacity() * 4 + self.heads.allocation_size()
    }
}

/// Columns and their index, shared by all partitions.
#[derive(Debug)]
pub struct KeyedTable {
    /// The columns, with one row more that is all NULL: the partner of rows that have none.
    rows: BatchBuffer,
    keys: Vec<usize>,
    chains: KeyChains,
    count: usize,
    /// Rows of the key that has most.
    most: u32,
}

/// Two are the same only if they are one.
impl PartialEq for KeyedTable {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl KeyedTable {
    /// No further row.
    pub const END: u32 = KeyChains::END;

    /// A table of `schema` with the rows of `batches`, to be looked up by the columns `keys`. `None` if there are more rows
    /// than can be numbered.
    pub fn new(schema: &Schema, batches: &[RecordBatch], keys: &[usize]) -> Option<Self> {
        let count = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        u32::try_from(count).ok().filter(|&count| count < Self::END - 1)?;
        let mut rows = BatchBuffer::for_schema(schema);
        let mut arena = Bump::new();
        for batch in batches {
            let views = batch.columns().iter().map(|array| view(array as &dyn Array, 0, batch.num_rows(), &arena));
            let views: Vec<Column<'_>> = views.collect();
            rows.append(&views, batch.num_rows(), None);
            arena.reset();
        }
        rows.columns.iter_mut().for_each(super::ColumnBuffer::push_null);
        rows.rows_pushed(1);
        let mut chains = KeyChains::new(count);
        let columns: Vec<Column<'_>> = keys.iter().map(|&key| rows.columns[key].column()).collect();
        // From the last row to the first, so that each row that comes leads the others of its key.
        (0..count).rev().for_each(|row| chains.insert(&columns, row));
        let mut ranks = vec![1_u32; count];
        for row in (0..count).rev() {
            if let Some(&rank) = ranks.get(chains.next(row as u32) as usize) {
                ranks[row] = rank + 1;
            }
        }
        let most = ranks.into_iter().max().unwrap_or(1);
        Some(Self { rows, keys: keys.to_vec(), chains, count, most })
    }

    /// The row that is all NULL.
    pub fn null_row(&self) -> u32 {
        self.count as u32
    }

    /// How many rows a key has at most, and 1 at least.
    pub fn most(&self) -> u32 {
        self.most
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A column, the NULL row at its end.
    pub fn column(&self, index: usize) -> Column<'_> {
        self.rows.columns[index].column()
    }

    /// Views of the key columns, to find rows with.
    pub fn key_columns<'a>(&'a self, arena: &'a Bump) -> &'a [Column<'a>] {
        arena.alloc_slice_fill_iter(self.keys.iter().map(|&key| self.column(key)))
    }

    /// The first row whose key is that of row `row` of `wanted`, or [`Self::END`]. `own` is [`Self::key_columns`].
    pub fn find(&self, own: &[Column<'_>], wanted: &[Column<'_>], row: usize) -> u32 {
        self.chains.find(own, wanted, row)
    }

    /// The next row of the same key, or [`Self::END`].
    pub fn next(&self, row: u32) -> u32 {
        self.chains.next(row)
    }

    /// Bytes held.
    pub fn size_bytes(&self) -> usize {
        self.rows.size_bytes() + self.chains.size_bytes()
    }
}

/// The bits of a DOUBLE, those of equal numbers alike.
pub fn canonical_bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

/// The hash of a key; `None` if a part of it is NULL.
fn hash(hasher: &DefaultHashBuilder, columns: &[Column<'_>], row: usize) -> Option<u64> {
    let mut hash = 0_u64;
    for column in columns {
        if !column.is_valid(row) {
            return None;
        }
        let part = match column.values {
            Values::Boolean(words) => hasher.hash_one(words[row / 64] >> (row % 64) & 1),
            Values::Int32(values) => hasher.hash_one(values[row]),
            Values::Int64(values) => hasher.hash_one(values[row]),
            Values::Float64(values) => hasher.hash_one(canonical_bits(values[row])),
            Values::Int128(values) => hasher.hash_one(values[row]),
            Values::Utf8(_) | Values::Dictionary { .. } => hasher.hash_one(column.text(row)),
        };
        hash = hash.rotate_left(23) ^ part;
    }
    Some(hash)
}

/// Whether rows `i` and `j` are equal in all columns, NULL being equal to NULL.
pub fn same_rows(columns: &[Column<'_>], i: usize, j: usize) -> bool {
    columns.iter().all(|column| match (column.is_valid(i), column.is_valid(j)) {
        (true, true) => keys_equal(std::slice::from_ref(column), i, std::slice::from_ref(column), j),
        (valid, other) => valid == other,
    })
}

/// Whether two keys without NULL are equal.
pub fn keys_equal(a: &[Column<'_>], i: usize, b: &[Column<'_>], j: usize) -> bool {
    a.iter().zip(b).all(|(a, b)| match (a.values, b.values) {
        (Values::Boolean(x), Values::Boolean(y)) => x[i / 64] >> (i % 64) & 1 == y[j / 64] >> (j % 64) & 1,
        (Values::Int32(x), Values::Int32(y)) => x[i] == y[j],
        (Values::Int64(x), Values::Int64(y)) => x[i] == y[j],
        (Values::Float64(x), Values::Float64(y)) => canonical_bits(x[i]) == canonical_bits(y[j]),
        (Values::Int128(x), Values::Int128(y)) => x[i] == y[j],
        _ => a.text(i) == b.text(j),
    })
}
