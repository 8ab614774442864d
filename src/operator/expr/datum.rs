//! What a node yields (a column or one constant for all rows), and the arena-backed pieces that nodes are computed with.

use bumpalo::Bump;

use super::failures::{FailureReason, RowFailures};
use crate::batch::{Column, Strings, Values};
use crate::kernel::bitmap;
use crate::types::{Physical, Value};

/// Rows that count, as bitmap words; `None` means all. Also validity: rows that are not NULL.
pub(super) type Mask<'a> = Option<&'a [u64]>;

/// One value for all rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Float64(f64),
    Int128(i128),
    Utf8(&'a [u8]),
}

/// The result of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Datum<'a> {
    Column(Column<'a>),
    Constant(Scalar<'a>),
}

/// An operand of a kernel: a slice or a constant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operand<'a, T> {
    Column(&'a [T]),
    Constant(T),
}

/// Runs `$body` with `$a` bound to the lanes of one operand.
macro_rules! with_lanes {
    ($operand:expr, |$a:ident| $body:expr) => {
        match $operand {
            $crate::operator::expr::datum::Operand::Column($a) => $body,
            $crate::operator::expr::datum::Operand::Constant(value) => {
                let $a = $crate::kernel::lanes::Splat(value);
                $body
            }
        }
    };
    ($left:expr, $right:expr, |$a:ident, $b:ident| $body:expr) => {{
        let (left, right) = ($left, $right);
        with_lanes!(left, |$a| with_lanes!(right, |$b| $body))
    }};
}
pub(super) use with_lanes;

impl<'a> Datum<'a> {
    /// A column of values and validity.
    pub fn column(values: Values<'a>, validity: Mask<'a>) -> Self {
        Self::Column(Column { values, validity })
    }

    /// Whether this is the constant NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Constant(Scalar::Null))
    }

    /// Validity of a column; a constant that is not NULL is valid everywhere.
    pub fn validity(&self) -> Mask<'a> {
        match self {
            Self::Column(column) => column.validity,
            Self::Constant(_) => None,
        }
    }

    /// Layout of the values; the constant NULL has none.
    pub fn physical(&self) -> Option<Physical> {
        match self {
            Self::Column(column) => Some(column.physical()),
            Self::Constant(scalar) => scalar.physical(),
        }
    }

    /// 32-bit values of the first `rows` rows; panics on another layout, as the others do.
    pub fn int32(&self, rows: usize) -> Operand<'a, i32> {
        match *self {
            Self::Column(column) => Operand::Column(&column.int32()[..rows]),
            Self::Constant(Scalar::Int32(value)) => Operand::Constant(value),
            Self::Constant(other) => panic!("expected a 32-bit constant, found {other:?}"),
        }
    }

    /// 64-bit values.
    pub fn int64(&self, rows: usize) -> Operand<'a, i64> {
        match *self {
            Self::Column(column) => Operand::Column(&column.int64()[..rows]),
            Self::Constant(Scalar::Int64(value)) => Operand::Constant(value),
            Self::Constant(other) => panic!("expected a 64-bit constant, found {other:?}"),
        }
    }

    /// DOUBLE values.
    pub fn float64(&self, rows: usize) -> Operand<'a, f64> {
        match *self {
            Self::Column(column) => Operand::Column(&column.float64()[..rows]),
            Self::Constant(Scalar::Float64(value)) => Operand::Constant(value),
            Self::Constant(other) => panic!("expected a double constant, found {other:?}"),
        }
    }

    /// DECIMAL values.
    pub fn int128(&self, rows: usize) -> Operand<'a, i128> {
        match *self {
            Self::Column(column) => Operand::Column(&column.int128()[..rows]),
            Self::Constant(Scalar::Int128(value)) => Operand::Constant(value),
            Self::Constant(other) => panic!("expected a decimal constant, found {other:?}"),
        }
    }

    /// Text of row `i`; the row must be valid.
    pub fn text(&self, i: usize) -> &'a [u8] {
        match *self {
            Self::Column(column) => column.text(i),
            Self::Constant(Scalar::Utf8(text)) => text,
            Self::Constant(other) => panic!("expected a text constant, found {other:?}"),
        }
    }

    /// Whether row `i` is not NULL.
    pub fn is_valid(&self, i: usize) -> bool {
        match self {
            Self::Column(column) => column.is_valid(i),
            Self::Constant(scalar) => !matches!(scalar, Scalar::Null),
        }
    }
}

impl<T: Copy> Operand<'_, T> {
    /// Value of row `i`.
    pub fn at(&self, i: usize) -> T {
        match *self {
            Self::Column(values) => values[i],
            Self::Constant(value) => value,
        }
    }
}

impl<'a> Scalar<'a> {
    fn physical(&self) -> Option<Physical> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(_) => Physical::Boolean,
            Self::Int32(_) => Physical::Int32,
            Self::Int64(_) => Physical::Int64,
            Self::Float64(_) => Physical::Float64,
            Self::Int128(_) => Physical::Int128,
            Self::Utf8(_) => Physical::Utf8,
        })
    }
}

/// Columns and memory of one evaluation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'c, 'a> {
    /// Columns of the input.
    pub columns: &'c [Column<'a>],
    /// Rows of each.
    pub rows: usize,
    /// Where results live.
    pub arena: &'a Bump,
}

impl<'a> Scope<'_, 'a> {
    /// A bitmap of zeros.
    pub fn bitmap(&self) -> &'a mut [u64] {
        self.arena.alloc_slice_fill_copy(self.rows.div_ceil(64), 0)
    }

    /// A bitmap of ones, zero past the last row.
    pub fn ones(&self) -> &'a mut [u64] {
        let words = self.bitmap();
        bitmap::fill(words, self.rows);
        words
    }

    /// A copy of a mask that may be written to.
    pub fn copy(&self, mask: Mask<'_>) -> &'a mut [u64] {
        match mask {
            Some(words) => self.arena.alloc_slice_copy(&words[..self.rows.div_ceil(64)]),
            None => self.ones(),
        }
    }

    /// A column of one value, to be written over.
    pub fn fill<T: Copy>(&self, value: T) -> &'a mut [T] {
        self.arena.alloc_slice_fill_copy(self.rows, value)
    }

    /// Rows in both masks.
    pub fn both(&self, a: Mask<'a>, b: Mask<'a>) -> Mask<'a> {
        match (a, b) {
            (None, other) | (other, None) => other,
            (Some(_), Some(with)) => {
                let words = self.copy(a);
                bitmap::and(words, &with[..words.len()]);
                Some(words)
            }
        }
    }

    /// Rows in `mask` but not in `without`.
    pub fn minus(&self, mask: Mask<'_>, without: &[u64]) -> &'a [u64] {
        let words = self.copy(mask);
        bitmap::and_not(words, without);
        words
    }

    /// Calls `f` with every row of a mask, ascending.
    #[inline]
    pub fn for_each(&self, mask: Mask<'_>, f: impl FnMut(usize)) {
        match mask {
            None => (0..self.rows).for_each(f),
            Some(words) => bitmap::for_each_set(words, f),
        }
    }

    /// Records the flagged rows that are valid and count as failed; they become NULL in the returned validity.
    pub fn settle(
        &self,
        flags: &mut [u64],
        validity: Mask<'a>,
        active: Mask<'a>,
        failures: &mut RowFailures<'_>,
        reason: FailureReason,
    ) -> Mask<'a> {
        for mask in [validity, active].into_iter().flatten() {
            bitmap::and(flags, &mask[..flags.len()]);
        }
        if bitmap::is_zero(flags) {
            return validity;
        }
        failures.record_words(flags, reason);
        Some(self.minus(validity, flags))
    }

    /// A constant of a plan.
    pub fn scalar(&self, value: &Value) -> Scalar<'a> {
        match value {
            Value::Null => Scalar::Null,
            Value::Boolean(value) => Scalar::Boolean(*value),
            Value::Int32(value) => Scalar::Int32(*value),
            Value::Int64(value) => Scalar::Int64(*value),
            Value::Float64(value) => Scalar::Float64(*value),
            Value::Int128(value) => Scalar::Int128(*value),
            Value::Utf8(value) => Scalar::Utf8(self.arena.alloc_str(value).as_bytes()),
        }
    }

    /// TRUE bits and validity of a BOOLEAN datum.
    pub fn truth(&self, datum: Datum<'a>) -> (&'a [u64], Mask<'a>) {
        let words = self.rows.div_ceil(64);
        match datum {
            Datum::Column(column) => (&column.booleans()[..words], column.validity.map(|mask| &mask[..words])),
            Datum::Constant(Scalar::Boolean(true)) => (self.ones(), None),
            Datum::Constant(Scalar::Boolean(false)) => (self.bitmap(), None),
            Datum::Constant(Scalar::Null) => (self.bitmap(), Some(self.bitmap())),
            Datum::Constant(other) => panic!("expected a boolean constant, found {other:?}"),
        }
    }

    /// The datum as a column; a constant is repeated (text as a dictionary of one value). `physical` lays out NULL.
    pub fn column(&self, datum: Datum<'a>, physical: Physical) -> Column<'a> {
        let scalar = match datum {
            Datum::Column(column) => return column,
            Datum::Constant(scalar) => scalar,
        };
        let values = match scalar {
            Scalar::Null => {
                let values = match physical {
                    Physical::Boolean => Values::Boolean(self.bitmap()),
                    Physical::Int32 => Values::Int32(self.fill(0)),
                    Physical::Int64 => Values::Int64(self.fill(0)),
                    Physical::Float64 => Values::Float64(self.fill(0.0)),
                    Physical::Int128 => Values::Int128(self.fill(0)),
                    Physical::Utf8 => self.repeated(b""),
                };
                return Column { values, validity: Some(self.bitmap()) };
            }
            Scalar::Boolean(true) => Values::Boolean(self.ones()),
            Scalar::Boolean(false) => Values::Boolean(self.bitmap()),
            Scalar::Int32(value) => Values::Int32(self.fill(value)),
            Scalar::Int64(value) => Values::Int64(self.fill(value)),
            Scalar::Float64(value) => Values::Float64(self.fill(value)),
            Scalar::Int128(value) => Values::Int128(self.fill(value)),
            Scalar::Utf8(value) => self.repeated(value),
        };
        Column::valid(values)
    }

    fn repeated(&self, text: &'a [u8]) -> Values<'a> {
        let offsets = self.arena.alloc_slice_copy(&[0, text.len() as i32]);
        Values::Dictionary { codes: self.fill(0), values: Strings { offsets, bytes: text }, source: None }
    }
}
