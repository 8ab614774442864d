//! Arguments and results of a call, and the loop over the rows that count.

use std::collections::BTreeMap;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;

use super::prepared::Prepared;
use crate::types::{DataType, Physical};

/// The bytes as text. Columns hold UTF-8 by contract; bytes that do not are cut at the first defect.
pub fn utf8(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}

/// Why a row has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The result does not fit its type.
    Overflow,
    /// Text of one value or of one column of a batch would be too long.
    TooLong,
    /// An argument that the function is not defined for; what is wrong with it.
    Refused(&'static str),
}

/// Values of an argument: one a row, or the same for all rows.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a, T> {
    values: &'a [T],
    /// All ones, or zero for a constant: the row's index is masked with it.
    mask: usize,
}

impl<'a, T: Copy> Lane<'a, T> {
    /// One value a row.
    pub fn column(values: &'a [T]) -> Self {
        Self { values, mask: usize::MAX }
    }

    /// The one value for all rows.
    pub fn constant(value: &'a T) -> Self {
        Self { values: std::slice::from_ref(value), mask: 0 }
    }

    #[inline(always)]
    fn at(self, row: usize) -> T {
        self.values[row & self.mask]
    }
}

/// Text of an argument.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// Where each value ends, after where the first begins.
    pub offsets: &'a [i32],
    /// All values.
    pub bytes: &'a [u8],
    /// The value of each row; without codes the value of a row is the one of its number.
    pub codes: Option<Lane<'a, u32>>,
}

impl<'a> Texts<'a> {
    #[inline]
    fn at(self, row: usize) -> &'a [u8] {
        let index = self.codes.map_or(row, |codes| codes.at(row) as usize);
        // Offsets are never negative.
        &self.bytes[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }
}

/// One argument.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// BOOLEAN: bitmap words, or one word of all ones or zeros.
    Boolean(Lane<'a, u64>),
    /// INT or DATE.
    Int32(Lane<'a, i32>),
    /// BIGINT, TIMESTAMP or INTERVAL.
    Int64(Lane<'a, i64>),
    /// DOUBLE.
    Float64(Lane<'a, f64>),
    /// DECIMAL.
    Int128(Lane<'a, i128>),
    /// VARCHAR.
    Text(Texts<'a>),
}

/// Text values as they are appended, in the arena.
#[derive(Debug)]
pub struct TextBuilder<'a> {
    offsets: &'a mut [i32],
    filled: usize,
    bytes: ArenaVec<'a, u8>,
}

impl<'a> TextBuilder<'a> {
    /// Room for `values` values; `capacity` bytes are expected.
    pub fn new(arena: &'a Bump, values: usize, capacity: usize) -> Self {
        let bytes = ArenaVec::with_capacity_in(capacity, arena);
        Self { offsets: arena.alloc_slice_fill_copy(values + 1, 0), filled: 0, bytes }
    }

    /// Where the next value is appended; [`Self::end`] ends it.
    pub fn bytes(&mut self) -> &mut ArenaVec<'a, u8> {
        &mut self.bytes
    }

    /// Ends a value. False if the text has become too long for 32-bit offsets; the value is then empty.
    #[must_use]
    pub fn end(&mut self) -> bool {
        let end = i32::try_from(self.bytes.len());
        let start = self.offsets[self.filled];
        if end.is_err() {
            self.bytes.truncate(start as usize);
        }
        self.filled += 1;
        self.offsets[self.filled] = end.unwrap_or(start);
        end.is_ok()
    }

    /// Appends a value; false if the text has become too long.
    pub fn push(&mut self, text: &[u8]) -> bool {
        self.bytes.extend_from_slice_copy(text);
        self.end()
    }

    /// Takes back what has been appended since the last end.
    fn drop_open(&mut self) {
        self.bytes.truncate(self.offsets[self.filled] as usize);
    }

    /// Values up to `row` that have not been appended are empty.
    fn skip_to(&mut self, row: usize) {
        let end = self.offsets[self.filled];
        self.offsets[self.filled + 1..=row].fill(end);
        self.filled = row;
    }

    /// Offsets and bytes. Values that have not been appended are empty.
    pub fn finish(mut self) -> (&'a [i32], &'a [u8]) {
        self.skip_to(self.offsets.len() - 1);
        (self.offsets, self.bytes.into_bump_slice())
    }
}

/// The result of a call; rows without one hold anything.
#[derive(Debug)]
pub enum Output<'a> {
    /// BOOLEAN.
    Boolean(&'a mut [u64]),
    /// INT or DATE.
    Int32(&'a mut [i32]),
    /// BIGINT, TIMESTAMP or INTERVAL.
    Int64(&'a mut [i64]),
    /// DOUBLE.
    Float64(&'a mut [f64]),
    /// DECIMAL.
    Int128(&'a mut [i128]),
    /// VARCHAR.
    Text(TextBuilder<'a>),
}

impl<'a> Output<'a> {
    fn new(arena: &'a Bump, physical: Physical, rows: usize) -> Self {
        match physical {
            Physical::Boolean => Self::Boolean(arena.alloc_slice_fill_copy(rows.div_ceil(64), 0)),
            Physical::Int32 => Self::Int32(arena.alloc_slice_fill_copy(rows, 0)),
            Physical::Int64 => Self::Int64(arena.alloc_slice_fill_copy(rows, 0)),
            Physical::Float64 => Self::Float64(arena.alloc_slice_fill_copy(rows, 0.0)),
            Physical::Int128 => Self::Int128(arena.alloc_slice_fill_copy(rows, 0)),
            Physical::Utf8 => Self::Text(TextBuilder::new(arena, rows, 0)),
        }
    }
}

/// Rows that have no value though their arguments are there.
#[derive(Debug)]
struct Gaps<'a> {
    arena: &'a Bump,
    rows: usize,
    nulls: Option<&'a mut [u64]>,
    failures: ArenaVec<'a, (usize, Failure)>,
}

impl Gaps<'_> {
    #[cold]
    fn null(&mut self, row: usize) {
        let (arena, words) = (self.arena, self.rows.div_ceil(64));
        let nulls = self.nulls.get_or_insert_with(|| arena.alloc_slice_fill_copy(words, 0));
        nulls[row / 64] |= 1 << (row % 64);
    }

    #[cold]
    fn fail(&mut self, row: usize, failure: Failure) {
        self.null(row);
        self.failures.push((row, failure));
    }
}

/// What is left of a call.
#[derive(Debug)]
pub struct Answered<'a> {
    /// Values.
    pub output: Output<'a>,
    /// Rows that are NULL, failed ones among them; of rows that count.
    pub nulls: Option<&'a [u64]>,
    /// Failed rows, ascending.
    pub failures: ArenaVec<'a, (usize, Failure)>,
}

/// The rows of one call.
#[derive(Debug)]
pub struct Rows<'r, 'a> {
    count: usize,
    arguments: &'r [Argument<'a>],
    types: &'r [DataType],
    /// Rows to compute; `None` means all.
    wanted: Option<&'r [u64]>,
    prepared: &'r Prepared,
    arena: &'a Bump,
    output: Output<'a>,
    gaps: Gaps<'a>,
}

impl<'r, 'a> Rows<'r, 'a> {
    /// A call over `count` rows, of which `wanted` count: all their arguments are there.
    pub fn new(
        count: usize,
        arguments: (&'r [Argument<'a>], &'r [DataType]),
        wanted: Option<&'r [u64]>,
        prepared: &'r Prepared,
        result: Physical,
        arena: &'a Bump,
    ) -> Self {
        let gaps = Gaps { arena, rows: count, nulls: None, failures: ArenaVec::new_in(arena) };
        let (arguments, types) = arguments;
        Self { count, arguments, types, wanted, prepared, arena, output: Output::new(arena, result, count), gaps }
    }

    /// The results.
    pub fn finish(self) -> Answered<'a> {
        let Gaps { nulls, failures, .. } = self.gaps;
        Answered { output: self.output, nulls: nulls.map(|words| &*words), failures }
    }

    /// What was made of literal arguments when the expression was compiled.
    pub fn prepared(&self) -> &'r Prepared {
        self.prepared
    }

    /// The batch's arena.
    pub fn arena(&self) -> &'a Bump {
        self.arena
    }

    /// Digits behind the point of argument `index`, a DECIMAL.
    pub fn scale(&self, index: usize) -> u8 {
        match self.types.get(index) {
            Some(DataType::Decimal { scale, .. }) => *scale,
            _ => 0,
        }
    }

    /// The result of each row is what `f` makes of its arguments: a value, an `Option` (NULL), or a `Result`.
    #[inline(always)]
    pub fn each<A: Arguments<'a>, R: Answer<Value: Slot>>(&mut self, mut f: impl FnMut(A) -> R) {
        let columns = A::columns(self.arguments);
        let slots = R::Value::slots(&mut self.output);
        let gaps = &mut self.gaps;
        for_each(self.wanted, self.count, |row| match f(A::at(columns, row)).outcome() {
            Ok(Some(value)) => value.put(slots, row),
            Ok(None) => gaps.null(row),
            Err(failure) => gaps.fail(row, failure),
        });
    }

    /// As [`Self::each`] for text: `f` appends the row's text.
    #[inline(always)]
    pub fn write<A: Arguments<'a>, R: Answer<Value = ()>>(&mut self, mut f: impl FnMut(A, &mut ArenaVec<'a, u8>) -> R) {
        let columns = A::columns(self.arguments);
        let Output::Text(builder) = &mut self.output else { panic!("the function gives text, {:?}", self.types) };
        let gaps = &mut self.gaps;
        for_each(self.wanted, self.count, |row| {
            builder.skip_to(row);
            let outcome = f(A::at(columns, row), builder.bytes()).outcome();
            if !matches!(outcome, Ok(Some(()))) {
                builder.drop_open();
            }
            match outcome {
                Ok(Some(())) if builder.end() => {}
                Ok(Some(())) => gaps.fail(row, Failure::TooLong),
                Ok(None) => gaps.null(row),
                Err(failure) => gaps.fail(row, failure),
            }
        });
    }
}

#[inline(always)]
fn for_each(wanted: Option<&[u64]>, rows: usize, mut f: impl FnMut(usize)) {
    match wanted {
        None => (0..rows).for_each(f),
        Some(words) => {
            for (i, word) in words.iter().enumerate() {
                let mut rest = *word;
                while rest != 0 {
                    f(i * 64 + rest.trailing_zeros() as usize);
                    rest &= rest - 1;
                }
            }
        }
    }
}

/// A type of argument.
pub trait Input<'a>: Sized {
    /// Its values in all rows.
    type Column: Copy;
    /// The values of an argument, which must be of this type.
    fn column(argument: Argument<'a>) -> Self::Column;
    /// The value of a row.
    fn at(column: Self::Column, row: usize) -> Self;
}

macro_rules! input {
    ($type:ty, $variant:ident) => {
        impl<'a> Input<'a> for $type {
            type Column = Lane<'a, $type>;

            fn column(argument: Argument<'a>) -> Self::Column {
                match argument {
                    Argument::$variant(lane) => lane,
                    other => panic!("expected {}, found {other:?}", stringify!($variant)),
                }
            }

            #[inline(always)]
            fn at(column: Self::Column, row: usize) -> Self {
                column.at(row)
            }
        }
    };
}

input!(i32, Int32);
input!(i64, Int64);
input!(f64, Float64);
input!(i128, Int128);

impl<'a> Input<'a> for bool {
    type Column = Lane<'a, u64>;

    fn column(argument: Argument<'a>) -> Self::Column {
        match argument {
            Argument::Boolean(lane) => lane,
            other => panic!("expected Boolean, found {other:?}"),
        }
    }

    #[inline(always)]
    fn at(column: Self::Column, row: usize) -> Self {
        column.at(row / 64) >> (row % 64) & 1 == 1
    }
}

impl<'a> Input<'a> for &'a [u8] {
    type Column = Texts<'a>;

    fn column(argument: Argument<'a>) -> Self::Column {
        match argument {
            Argument::Text(texts) => texts,
            other => panic!("expected Text, found {other:?}"),
        }
    }

    #[inline(always)]
    fn at(column: Self::Column, row: usize) -> Self {
        column.at(row)
    }
}

impl<'a> Input<'a> for &'a str {
    type Column = Texts<'a>;

    fn column(argument: Argument<'a>) -> Self::Column {
        <&[u8]>::column(argument)
    }

    #[inline(always)]
    fn at(column: Self::Column, row: usize) -> Self {
        utf8(column.at(row))
    }
}

/// A tuple of arguments.
pub trait Arguments<'a>: Sized {
    /// Their values in all rows.
    type Columns: Copy;
    /// The values of the arguments, which must be of these types.
    fn columns(arguments: &[Argument<'a>]) -> Self::Columns;
    /// The values of a row.
    fn at(columns: Self::Columns, row: usize) -> Self;
}

macro_rules! arguments {
    ($($type:ident $column:ident $index:literal),+) => {
        impl<'a, $($type: Input<'a>),+> Arguments<'a> for ($($type,)+) {
            type Columns = ($($type::Column,)+);

            fn columns(arguments: &[Argument<'a>]) -> Self::Columns {
                ($($type::column(arguments[$index]),)+)
            }

            #[inline(always)]
            fn at(($($column,)+): Self::Columns, row: usize) -> Self {
                ($($type::at($column, row),)+)
            }
        }
    };
}

arguments!(A a 0);
arguments!(A a 0, B b 1);
arguments!(A a 0, B b 1, C c 2);
arguments!(A a 0, B b 1, C c 2, D d 3);
arguments!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5);

/// What a row function gives: a value, an `Option` of one, a `Result` of either.
pub trait Answer {
    /// The value.
    type Value;
    /// Value, NULL or failure.
    fn outcome(self) -> Result<Option<Self::Value>, Failure>;
}

macro_rules! answer {
    ($($type:ty),+) => {
        $(
            impl Answer for $type {
                type Value = $type;
                #[inline(always)]
                fn outcome(self) -> Result<Option<$type>, Failure> {
                    Ok(Some(self))
                }
            }

            impl Answer for Option<$type> {
                type Value = $type;
                #[inline(always)]
                fn outcome(self) -> Result<Option<$type>, Failure> {
                    Ok(self)
                }
            }
        )+
    };
}

answer!((), bool, i32, i64, f64, i128);

impl<R: Answer> Answer for Result<R, Failure> {
    type Value = R::Value;

    #[inline(always)]
    fn outcome(self) -> Result<Option<R::Value>, Failure> {
        self.and_then(R::outcome)
    }
}

/// A type of result that has a place of fixed size in each row.
pub trait Slot: Sized {
    /// The places.
    type Item;
    /// The places of all rows.
    fn slots<'s>(output: &'s mut Output<'_>) -> &'s mut [Self::Item];
    /// Puts the value of a row.
    fn put(self, slots: &mut [Self::Item], row: usize);
}

macro_rules! slot {
    ($type:ty, $variant:ident) => {
        impl Slot for $type {
            type Item = $type;

            fn slots<'s>(output: &'s mut Output<'_>) -> &'s mut [$type] {
                match output {
                    Output::$variant(slots) => slots,
                    other => panic!("expected {}, found {other:?}", stringify!($variant)),
                }
            }

            #[inline(always)]
            fn put(self, slots: &mut [$type], row: usize) {
                slots[row] = self;
            }
        }
    };
}

slot!(i32, Int32);
slot!(i64, Int64);
slot!(f64, Float64);
slot!(i128, Int128);

impl Slot for bool {
    type Item = u64;

    fn slots<'s>(output: &'s mut Output<'_>) -> &'s mut [u64] {
        match output {
            Output::Boolean(words) => words,
            other => panic!("expected Boolean, found {other:?}"),
        }
    }

    #[inline(always)]
    fn put(self, slots: &mut [u64], row: usize) {
        slots[row / 64] |= u64::from(self) << (row % 64);
    }
}

/// What was made of texts that come from the data, by text; for one batch.
pub(super) struct Made<'a, T> {
    made: BTreeMap<&'a str, T>,
}

impl<'a, T> Made<'a, T> {
    /// More distinct texts than this in one batch are made again.
    const KEPT_MAX: usize = 64;

    pub(super) fn new() -> Self {
        Self { made: BTreeMap::new() }
    }

    /// What `make` makes of `text`.
    pub(super) fn get(&mut self, text: &'a str, make: impl FnOnce(&str) -> T) -> &T {
        if self.made.len() >= Self::KEPT_MAX && !self.made.contains_key(text) {
            self.made.clear();
        }
        self.made.entry(text).or_insert_with(|| make(text))
    }
}
