//! Text: predicates and functions, once per distinct value where a dictionary is smaller than the batch.
//!
//! Text is UTF-8 by the contract of columns; a character is a Unicode scalar value. Case conversion maps character by
//! character (no final-sigma rule). Rows that do not count are skipped and hold empty text.

use bumpalo::collections::Vec as ArenaVec;

use super::datum::{Datum, Mask, Scalar, Scope};
use super::failures::{FailureReason, RowFailures};
use crate::batch::{Column, Strings, Values};
use crate::function::{TextBuilder, utf8};
use crate::kernel::lanes;

/// The dictionary of a column, if looking at each distinct value is less work than looking at each row.
pub(super) fn small_dictionary<'a>(column: &Column<'a>, rows: usize) -> Option<(&'a [u32], Strings<'a>)> {
    match column.values {
        Values::Dictionary { codes, values, .. } if values.len() < rows => Some((&codes[..rows], values)),
        _ => None,
    }
}

/// The values of a builder.
pub(super) fn strings(builder: TextBuilder<'_>) -> Strings<'_> {
    let (offsets, bytes) = builder.finish();
    Strings { offsets, bytes }
}

/// A predicate of each text; NULL of NULL.
pub(super) fn test<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    active: Mask<'a>,
    predicate: impl Fn(&[u8]) -> bool,
) -> Datum<'a> {
    let column = match arg {
        Datum::Constant(Scalar::Null) => return arg,
        Datum::Constant(_) => return Datum::Constant(Scalar::Boolean(predicate(arg.text(0)))),
        Datum::Column(column) => column,
    };
    let out = scope.bitmap();
    if let Some((codes, values)) = small_dictionary(&column, scope.rows) {
        let passes = scope.arena.alloc_slice_fill_with(values.len(), |code| predicate(values.get(code)));
        lanes::test(codes, scope.rows, out, |code| passes.get(code as usize).copied().unwrap_or(false));
    } else {
        scope.for_each(scope.both(column.validity, active), |i| {
            out[i / 64] |= u64::from(predicate(column.text(i))) << (i % 64);
        });
    }
    Datum::column(Values::Boolean(out), column.validity)
}

/// A function from text to text, which appends its result; NULL of NULL.
pub(super) fn map<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
    function: impl Fn(&[u8], &mut ArenaVec<'_, u8>),
) -> Datum<'a> {
    if arg.is_null() {
        return arg;
    }
    if let Datum::Column(column) = arg
        && let Some((codes, values)) = small_dictionary(&column, scope.rows)
    {
        let mut builder = TextBuilder::new(scope.arena, values.len(), values.bytes.len());
        let fits = (0..values.len()).all(|code| {
            function(values.get(code), builder.bytes());
            builder.end()
        });
        // A dictionary too long for its offsets goes row by row, where single rows can fail.
        if fits {
            return Datum::column(
                Values::Dictionary { codes, values: strings(builder), source: None },
                column.validity,
            );
        }
    }
    build(scope, arg.validity(), active, failures, |i, bytes| function(arg.text(i), bytes))
}

/// Text of each row that is valid and counts, appended by `append`.
pub(super) fn build<'a>(
    scope: Scope<'_, 'a>,
    validity: Mask<'a>,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
    append: impl Fn(usize, &mut ArenaVec<'a, u8>),
) -> Datum<'a> {
    let mut builder = TextBuilder::new(scope.arena, scope.rows, 0);
    let wanted = scope.both(validity, active);
    let mut too_long: Option<&'a mut [u64]> = None;
    for i in 0..scope.rows {
        if wanted.is_none_or(|words| words[i / 64] >> (i % 64) & 1 == 1) {
            append(i, builder.bytes());
        }
        if !builder.end() {
            too_long.get_or_insert_with(|| scope.bitmap())[i / 64] |= 1 << (i % 64);
        }
    }
    let validity = match too_long {
        Some(words) => scope.settle(words, validity, active, failures, FailureReason::TextTooLong),
        None => validity,
    };
    Datum::column(Values::Utf8(strings(builder)), validity)
}

/// UPPER of one text.
pub(super) fn upper(text: &[u8], out: &mut ArenaVec<'_, u8>) {
    if text.is_ascii() {
        out.extend(text.iter().map(u8::to_ascii_uppercase));
    } else {
        append_chars(utf8(text).chars().flat_map(char::to_uppercase), out);
    }
}

/// LOWER of one text.
pub(super) fn lower(text: &[u8], out: &mut ArenaVec<'_, u8>) {
    if text.is_ascii() {
        out.extend(text.iter().map(u8::to_ascii_lowercase));
    } else {
        append_chars(utf8(text).chars().flat_map(char::to_lowercase), out);
    }
}

fn append_chars(chars: impl Iterator<Item = char>, out: &mut ArenaVec<'_, u8>) {
    for c in chars {
        out.extend_from_slice_copy(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// TRIM of one text.
pub(super) fn trim(text: &[u8], out: &mut ArenaVec<'_, u8>) {
    let is_text = |byte: &u8| *byte != b' ';
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(start, |last| last + 1);
    out.extend_from_slice_copy(&text[start..end]);
}

/// Number of characters: bytes that do not continue one.
fn characters(text: &[u8]) -> i64 {
    text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as i64
}

/// LENGTH.
pub(super) fn length<'a>(scope: Scope<'_, 'a>, arg: Datum<'a>, active: Mask<'a>) -> Datum<'a> {
    let column = match arg {
        Datum::Constant(Scalar::Null) => return arg,
        Datum::Constant(_) => return Datum::Constant(Scalar::Int64(characters(arg.text(0)))),
        Datum::Column(column) => column,
    };
    let out = scope.fill(0);
    if let Some((codes, values)) = small_dictionary(&column, scope.rows) {
        let lengths = scope.arena.alloc_slice_fill_with(values.len(), |code| characters(values.get(code)));
        lanes::map(codes, out, |code| lengths.get(code as usize).copied().unwrap_or(0));
    } else {
        scope.for_each(scope.both(column.validity, active), |i| out[i] = characters(column.text(i)));
    }
    Datum::column(Values::Int64(out), column.validity)
}

/// SUBSTRING(arg, start, length).
pub(super) fn substring<'a>(
    scope: Scope<'_, 'a>,
    arg: Datum<'a>,
    start: Datum<'a>,
    length: Option<Datum<'a>>,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    if arg.is_null() || start.is_null() || length.is_some_and(|length| length.is_null()) {
        return Datum::Constant(Scalar::Null);
    }
    match (start, length) {
        (Datum::Constant(Scalar::Int64(start)), None) => {
            return map(scope, arg, active, failures, |text, out| append_part(text, start, None, out));
        }
        (Datum::Constant(Scalar::Int64(start)), Some(Datum::Constant(Scalar::Int64(length)))) if length >= 0 => {
            return map(scope, arg, active, failures, |text, out| append_part(text, start, Some(length), out));
        }
        _ => {}
    }
    let mut validity = scope.both(arg.validity(), start.validity());
    let start = start.int64(scope.rows);
    let length = match length {
        None => None,
        Some(length) => {
            validity = scope.both(validity, length.validity());
            let length = length.int64(scope.rows);
            let flags = scope.bitmap();
            super::datum::with_lanes!(length, |a| lanes::test(a, scope.rows, &mut *flags, |length| length < 0));
            validity = scope.settle(flags, validity, active, failures, FailureReason::NegativeLength);
            Some(length)
        }
    };
    build(scope, validity, active, failures, |i, out| {
        append_part(arg.text(i), start.at(i), length.map(|length| length.at(i)), out);
    })
}

/// Characters `start..start + length`, counted from 1; what lies before 1 counts towards the length. A negative length
/// takes nothing (its row has failed, or does not count).
fn append_part(text: &[u8], start: i64, length: Option<i64>, out: &mut ArenaVec<'_, u8>) {
    let end = length.map_or(i64::MAX, |length| start.saturating_add(length.max(0)));
    let skip = start.max(1) - 1;
    let take = end.saturating_sub(start.max(1)).max(0);
    let (skip, take) = (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(take).unwrap_or(usize::MAX));
    if text.is_ascii() {
        let from = skip.min(text.len());
        out.extend_from_slice_copy(&text[from..from.saturating_add(take).min(text.len())]);
        return;
    }
    let mut starts = text.iter().enumerate().filter(|(_, byte)| **byte & 0xC0 != 0x80).map(|(at, _)| at);
    let Some(from) = starts.nth(skip) else { return };
    let to = match take {
        0 => from,
        _ => starts.nth(take - 1).unwrap_or(text.len()),
    };
    out.extend_from_slice_copy(&text[from..to]);
}

/// CONCAT, or with `strict` the operator `||`, which is NULL if any part is.
pub(super) fn concat<'a>(
    scope: Scope<'_, 'a>,
    parts: &'a [Datum<'a>],
    strict: bool,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let mut validity = None;
    if strict {
        if parts.iter().any(Datum::is_null) {
            return Datum::Constant(Scalar::Null);
        }
        validity = parts.iter().fold(None, |validity, part| scope.both(validity, part.validity()));
    }
    build(scope, validity, active, failures, |i, out| {
        for part in parts.iter().filter(|part| part.is_valid(i)) {
            out.extend_from_slice_copy(part.text(i));
        }
    })
}

/// CONCAT_WS: the first part stands between the others.
pub(super) fn concat_with<'a>(
    scope: Scope<'_, 'a>,
    parts: &'a [Datum<'a>],
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let Some((separator, parts)) = parts.split_first().filter(|(separator, _)| !separator.is_null()) else {
        return Datum::Constant(Scalar::Null);
    };
    build(scope, separator.validity(), active, failures, |i, out| {
        for (n, part) in parts.iter().filter(|part| part.is_valid(i)).enumerate() {
            if n > 0 {
                out.extend_from_slice_copy(separator.text(i));
            }
            out.extend_from_slice_copy(part.text(i));
        }
    })
}
