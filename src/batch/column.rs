//! Borrowed columns and batches: what kernels and operators read.

use arrow_array::ArrayRef;

use crate::types::{OrderKey, Physical, Sequence, Value};

/// Text values: value `i` is `bytes[offsets[i]..offsets[i + 1]]`, valid UTF-8. `offsets` has one entry more than values.
#[derive(Debug, Clone, Copy)]
pub struct Strings<'a> {
    /// Ascending byte offsets.
    pub offsets: &'a [i32],
    /// All bytes.
    pub bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    /// Bytes of value `i`.
    pub fn get(&self, i: usize) -> &'a [u8] {
        &self.bytes[self.offsets[i] as usize..self.offsets[i + 1] as usize]
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The values of a column; what stands at a NULL row is any valid value of the layout and means nothing.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// BOOLEAN: bitmap words, zero past the end.
    Boolean(&'a [u64]),
    /// INT, DATE.
    Int32(&'a [i32]),
    /// BIGINT, TIMESTAMP, INTERVAL.
    Int64(&'a [i64]),
    /// DOUBLE.
    Float64(&'a [f64]),
    /// DECIMAL.
    Int128(&'a [i128]),
    /// VARCHAR.
    Utf8(Strings<'a>),
    /// VARCHAR as codes into a dictionary; a code at a valid row is below `values.len()`.
    Dictionary {
        /// One code a row.
        codes: &'a [u32],
        /// The distinct values (duplicates are allowed).
        values: Strings<'a>,
        /// The array that the values are, if it may outlive the batch: whoever holds it knows the dictionary again.
        source: Option<&'a ArrayRef>,
    },
}

/// One column of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// One value a row.
    pub values: Values<'a>,
    /// Set bits are valid rows; `None` means that no row is NULL. Zero past the end.
    pub validity: Option<&'a [u64]>,
}

impl<'a> Column<'a> {
    /// A column without NULLs.
    pub fn valid(values: Values<'a>) -> Self {
        Self { values, validity: None }
    }

    /// Whether row `i` holds a value.
    pub fn is_valid(&self, i: usize) -> bool {
        self.validity.is_none_or(|words| words[i / 64] >> (i % 64) & 1 == 1)
    }

    /// The layout of the values.
    pub fn physical(&self) -> Physical {
        match self.values {
            Values::Boolean(_) => Physical::Boolean,
            Values::Int32(_) => Physical::Int32,
            Values::Int64(_) => Physical::Int64,
            Values::Float64(_) => Physical::Float64,
            Values::Int128(_) => Physical::Int128,
            Values::Utf8(_) | Values::Dictionary { .. } => Physical::Utf8,
        }
    }

    /// BOOLEAN words; panics on another layout (the planner has checked types).
    pub fn booleans(&self) -> &'a [u64] {
        match self.values {
            Values::Boolean(words) => words,
            _ => panic!("expected a boolean column, found {:?}", self.physical()),
        }
    }

    /// 32-bit values; panics on another layout.
    pub fn int32(&self) -> &'a [i32] {
        match self.values {
            Values::Int32(values) => values,
            _ => panic!("expected a 32-bit column, found {:?}", self.physical()),
        }
    }

    /// 64-bit values; panics on another layout.
    pub fn int64(&self) -> &'a [i64] {
        match self.values {
            Values::Int64(values) => values,
            _ => panic!("expected a 64-bit column, found {:?}", self.physical()),
        }
    }

    /// DOUBLE values; panics on another layout.
    pub fn float64(&self) -> &'a [f64] {
        match self.values {
            Values::Float64(values) => values,
            _ => panic!("expected a double column, found {:?}", self.physical()),
        }
    }

    /// DECIMAL values; panics on another layout.
    pub fn int128(&self) -> &'a [i128] {
        match self.values {
            Values::Int128(values) => values,
            _ => panic!("expected a decimal column, found {:?}", self.physical()),
        }
    }

    /// The value of row `i`.
    pub fn value(&self, i: usize) -> Value {
        if !self.is_valid(i) {
            return Value::Null;
        }
        match self.values {
            Values::Boolean(words) => Value::Boolean(words[i / 64] >> (i % 64) & 1 == 1),
            Values::Int32(values) => Value::Int32(values[i]),
            Values::Int64(values) => Value::Int64(values[i]),
            Values::Float64(values) => Value::Float64(values[i]),
            Values::Int128(values) => Value::Int128(values[i]),
            Values::Utf8(_) | Values::Dictionary { .. } => Value::Utf8(String::from_utf8_lossy(self.text(i)).into()),
        }
    }

    /// Text of row `i`, through the dictionary if there is one; panics on another layout.
    pub fn text(&self, i: usize) -> &'a [u8] {
        match self.values {
            Values::Utf8(strings) => strings.get(i),
            Values::Dictionary { codes, values, .. } => values.get(codes[i] as usize),
            _ => panic!("expected a text column, found {:?}", self.physical()),
        }
    }
}

/// How the rows of a batch stand in the order of the input.
#[derive(Debug, Clone, Copy)]
pub enum RowOrder<'a> {
    /// Row `i` is row `first_row + i` of one chunk, in the first of the places of that row.
    Chunk {
        /// The chunk.
        sequence: Sequence,
        /// The chunk's row that is row 0 here.
        first_row: u32,
        /// Places of a row: as many as rows may come of it.
        places: u32,
    },
    /// Row `i` has the place `rows[i]` in one chunk.
    Rows {
        /// The chunk.
        sequence: Sequence,
        /// Ascending.
        rows: &'a [u32],
    },
    /// Row `i` has key `keys[i]`, ascending.
    Keys(&'a [OrderKey]),
}

/// The rows of a batch that survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// All.
    All,
    /// These indices, ascending and distinct: good for few.
    Rows(&'a [u32]),
    /// Those whose bit is set (zero past the end): good for many, where each is looked at once. Only operators that say so
    /// are given it.
    Mask(&'a [u64]),
}

impl<'a> Selection<'a> {
    /// The indices; `None` means all. Panics on a mask.
    pub fn list(self) -> Option<&'a [u32]> {
        match self {
            Self::All => None,
            Self::Rows(rows) => Some(rows),
            Self::Mask(_) => panic!("a mask reached an operator that does not take one"),
        }
    }
}

/// Columns of up to `rows` rows, of which `selection` survives.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Rows in each column.
    pub rows: usize,
    /// One view a column.
    pub columns: &'a [Column<'a>],
    /// Surviving rows.
    pub selection: Selection<'a>,
    /// Place of each row (of all rows, selected or not) in the input.
    pub order: RowOrder<'a>,
}

impl<'a> Batch<'a> {
    /// Number of surviving rows.
    pub fn selected(&self) -> usize {
        match self.selection {
            Selection::All => self.rows,
            Selection::Rows(rows) => rows.len(),
            Selection::Mask(words) => words.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }

    /// About the bytes that the `selected` rows have in their columns: text by the mean length, codes without their
    /// dictionary, validity left out.
    pub fn size_bytes(&self, selected: usize) -> usize {
        let of_column = |column: &Column<'_>| match column.values {
            Values::Boolean(_) => selected.div_ceil(8),
            Values::Int32(_) | Values::Dictionary { .. } => 4 * selected,
            Values::Int64(_) | Values::Float64(_) => 8 * selected,
            Values::Int128(_) => 16 * selected,
            Values::Utf8(strings) => {
                let (first, last) = (strings.offsets.first(), strings.offsets.last());
                let text = first.zip(last).map_or(0, |(first, last)| (last - first) as usize);
                4 * selected + text * selected / strings.len().max(1)
            }
        };
        self.columns.iter().map(of_column).sum()
    }

    /// The first surviving row.
    pub fn first(&self) -> Option<usize> {
        match self.selection {
            Selection::All => (self.rows > 0).then_some(0),
            Selection::Rows(rows) => rows.first().map(|&row| row as usize),
            Selection::Mask(words) => {
                let index = words.iter().position(|&word| word != 0)?;
                Some(index * 64 + words[index].trailing_zeros() as usize)
            }
        }
    }

    /// Order key of row `i`.
    pub fn key(&self, i: usize) -> OrderKey {
        match self.order {
            RowOrder::Chunk { sequence, first_row, places } => {
                OrderKey { sequence, row: (first_row + i as u32) * places, ..OrderKey::MIN }
            }
            RowOrder::Rows { sequence, rows } => OrderKey { sequence, row: rows[i], ..OrderKey::MIN },
            RowOrder::Keys(keys) => keys[i],
        }
    }

    /// Calls `f` with every surviving row index, ascending.
    pub fn for_each(&self, mut f: impl FnMut(usize)) {
        match self.selection {
            Selection::All => (0..self.rows).for_each(f),
            Selection::Rows(rows) => rows.iter().for_each(|&i| f(i as usize)),
            Selection::Mask(words) => {
                for (index, &word) in words.iter().enumerate() {
                    let mut left = word;
                    while left != 0 {
                        f(index * 64 + left.trailing_zeros() as usize);
                        left &= left - 1;
                    }
                }
            }
        }
    }
}
