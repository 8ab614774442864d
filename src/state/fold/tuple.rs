//! Values of several columns as words whose order is that of the values: what folds compare, keep and send.
//!
//! A value is one word (DECIMAL two), unsigned, complemented if it descends. DOUBLE is normal: -0 is 0, every NaN the same and
//! the greatest. A field that may be NULL has a word before it that sorts NULLs. The word of a text says where in a heap it
//! stands; texts are compared there.

use std::cmp::Ordering;

use crate::batch::{Column, ColumnBuffer, Values};
use crate::kernel::compare::order_key;
use crate::types::{DataType, Physical};

use super::super::text;

/// What becomes of NULLs in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullRule {
    /// The row is passed over.
    Skip,
    /// They sort before all values.
    First,
    /// They sort after all values.
    Last,
}

/// One column of what a fold keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldField {
    /// Which of the arguments.
    pub argument: usize,
    /// Its type.
    pub data_type: DataType,
    /// Greater values sort first.
    pub descending: bool,
    /// What becomes of NULLs.
    pub nulls: NullRule,
}

/// A field and its place.
#[derive(Debug, Clone, Copy)]
struct Place {
    field: FoldField,
    physical: Physical,
    /// First word of the value.
    word: usize,
}

/// How fields lie in words.
#[derive(Debug)]
pub(super) struct TupleLayout {
    places: Vec<Place>,
    /// Words of a tuple.
    pub(super) width: usize,
    /// The word of each text, in order.
    pub(super) texts: Vec<usize>,
    /// The argument of each text.
    text_arguments: Vec<usize>,
}

/// Words and the heap that the words of texts refer to.
#[derive(Clone, Copy)]
pub(super) struct Tuple<'a> {
    pub(super) words: &'a [u64],
    pub(super) heap: &'a [u8],
}

const SIGN: u64 = 1 << 63;

impl TupleLayout {
    pub(super) fn new(fields: &[FoldField]) -> Self {
        let (mut width, mut texts, mut text_arguments) = (0, Vec::new(), Vec::new());
        let place = |field: &FoldField| {
            let physical = field.data_type.physical();
            let word = width + usize::from(field.nulls != NullRule::Skip);
            width = word + if physical == Physical::Int128 { 2 } else { 1 };
            if physical == Physical::Utf8 {
                texts.push(word);
                text_arguments.push(field.argument);
            }
            Place { field: *field, physical, word }
        };
        let places = fields.iter().map(place).collect();
        Self { places, width, texts, text_arguments }
    }

    /// Whether a tuple is one word that is no text.
    pub(super) fn is_one_number(&self) -> bool {
        self.width == 1 && self.texts.is_empty()
    }

    /// Writes row `i` to `words`; false if it is to be passed over. Words of texts become 0 (see [`Self::text_of`]).
    pub(super) fn encode(&self, arguments: &[Column<'_>], i: usize, words: &mut [u64]) -> bool {
        for Place { field, physical, word } in &self.places {
            let column = &arguments[field.argument];
            let valid = column.is_valid(i);
            match field.nulls {
                NullRule::Skip if !valid => return false,
                NullRule::Skip => {}
                NullRule::First => words[word - 1] = u64::from(valid),
                NullRule::Last => words[word - 1] = u64::from(!valid),
            }
            let mut value = [0; 2];
            if valid && *physical != Physical::Utf8 {
                value = encode(column, i);
                if field.descending {
                    value = value.map(|word| !word);
                }
            }
            words[*word] = value[0];
            if *physical == Physical::Int128 {
                words[word + 1] = value[1];
            }
        }
        true
    }

    /// The t-th text of row `i`; empty where NULL.
    pub(super) fn text_of<'a>(&self, arguments: &[Column<'a>], i: usize, t: usize) -> &'a [u8] {
        let column = &arguments[self.text_arguments[t]];
        if column.is_valid(i) { column.text(i) } else { &[] }
    }

    /// The order of a stored tuple and words whose t-th text is `text(t)`, by the first `fields` fields.
    pub(super) fn compare<'t>(
        &self,
        fields: usize,
        stored: Tuple<'_>,
        words: &[u64],
        text: impl Fn(usize) -> &'t [u8],
    ) -> Ordering {
        let mut t = 0;
        for Place { field, physical, word } in &self.places[..fields] {
            if field.nulls != NullRule::Skip && stored.words[word - 1] != words[word - 1] {
                return stored.words[word - 1].cmp(&words[word - 1]);
            }
            let order = match physical {
                Physical::Utf8 => {
                    let order = stored.text(*word).cmp(text(t));
                    t += 1;
                    if field.descending { order.reverse() } else { order }
                }
                Physical::Int128 => stored.words[*word..word + 2].cmp(&words[*word..word + 2]),
                _ => stored.words[*word].cmp(&words[*word]),
            };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }

    /// The order of two stored tuples, by all fields.
    pub(super) fn compare_stored(&self, a: Tuple<'_>, b: Tuple<'_>) -> Ordering {
        self.compare(self.places.len(), a, b.words, |t| b.text(self.texts[t]))
    }

    /// Appends the value of the last field.
    pub(super) fn push_last(&self, tuple: Tuple<'_>, out: &mut ColumnBuffer) {
        let Some(Place { field, physical, word }) = self.places.last() else { return };
        let low = tuple.words.get(word + 1).copied().unwrap_or(0);
        let [high, low] = [tuple.words[*word], low].map(|word| if field.descending { !word } else { word });
        let integer = (high ^ SIGN).cast_signed();
        match physical {
            Physical::Boolean => out.push_boolean(high & 1 == 1),
            Physical::Int32 => out.push_int32(integer as i32),
            Physical::Int64 => out.push_int64(integer),
            Physical::Float64 => out.push_float64(double_of(high)),
            Physical::Int128 => out.push_int128(i128::from(integer) << 64 | i128::from(low)),
            Physical::Utf8 => out.push_text(tuple.text(*word)),
        }
    }

    /// The DOUBLE that a tuple is, whose only field is one.
    pub(super) fn double(&self, word: u64) -> f64 {
        double_of(if self.places[0].field.descending { !word } else { word })
    }
}

impl<'a> Tuple<'a> {
    /// The text of a word.
    pub(super) fn text(self, word: usize) -> &'a [u8] {
        text::text_of(self.heap, self.words[word]).unwrap_or_default()
    }
}

/// A value that is no text, ascending; the second word is that of a DECIMAL.
pub(super) fn encode(column: &Column<'_>, i: usize) -> [u64; 2] {
    match column.values {
        Values::Boolean(words) => [words[i / 64] >> (i % 64) & 1, 0],
        Values::Int32(values) => [i64::from(values[i]).cast_unsigned() ^ SIGN, 0],
        Values::Int64(values) => [values[i].cast_unsigned() ^ SIGN, 0],
        Values::Float64(values) => [order_key(values[i]).cast_unsigned() ^ SIGN, 0],
        Values::Int128(values) => [((values[i] >> 64) as u64) ^ SIGN, values[i] as u64],
        Values::Utf8(_) | Values::Dictionary { .. } => [0; 2],
    }
}

/// The DOUBLE of an encoded word.
fn double_of(word: u64) -> f64 {
    let key = (word ^ SIGN).cast_signed();
    f64::from_bits((key ^ ((key >> 63).cast_unsigned() >> 1).cast_signed()).cast_unsigned())
}
