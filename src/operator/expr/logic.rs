//! Three-valued logic and choice: NOT, IS NULL, AND, OR, CASE, COALESCE, NULLIF.
//!
//! Later operands and branches see only the rows that are still open, so that a row which never gets there cannot fail
//! there; when no row is open, they are not evaluated.

use bumpalo::collections::Vec as ArenaVec;

use super::compare;
use super::compile::Node;
use super::datum::{Datum, Mask, Scalar, Scope, with_lanes};
use super::failures::{FailureReason, RowFailures};
use super::text::strings;
use crate::batch::Values;
use crate::function::TextBuilder;
use crate::kernel::bitmap;
use crate::kernel::compare::Comparison;
use crate::kernel::lanes::{Lanes, blend};
use crate::types::{DataType, Physical};

/// NOT.
pub(super) fn not<'a>(scope: Scope<'_, 'a>, arg: Datum<'a>) -> Datum<'a> {
    match arg {
        Datum::Constant(Scalar::Boolean(value)) => Datum::Constant(Scalar::Boolean(!value)),
        Datum::Constant(Scalar::Null) => arg,
        _ => {
            let (values, validity) = scope.truth(arg);
            let words = scope.copy(Some(values));
            bitmap::not(words, scope.rows);
            Datum::column(Values::Boolean(words), validity)
        }
    }
}

/// IS NULL, or IS NOT NULL.
pub(super) fn is_null<'a>(scope: Scope<'_, 'a>, arg: Datum<'a>, negated: bool) -> Datum<'a> {
    match arg.validity() {
        None => Datum::Constant(Scalar::Boolean(arg.is_null() != negated)),
        Some(validity) => {
            let words = scope.copy(Some(validity));
            if !negated {
                bitmap::not(words, scope.rows);
            }
            Datum::column(Values::Boolean(words), None)
        }
    }
}

/// AND or OR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connective {
    And,
    Or,
}

/// AND or OR of all operands.
pub(super) fn connect<'a>(
    scope: Scope<'_, 'a>,
    connective: Connective,
    args: &[Node],
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let Some((first, rest)) = args.split_first() else {
        return Datum::Constant(Scalar::Boolean(connective == Connective::And));
    };
    let first = first.evaluate(scope, active, failures);
    if rest.is_empty() {
        return first;
    }
    let (values, first_validity) = scope.truth(first);
    let values = scope.copy(Some(values));
    let mut validity = first_validity.map(|words| scope.copy(Some(words)));
    for arg in rest {
        // Decided: FALSE for AND, TRUE for OR.
        let decided = scope.copy(Some(values));
        if connective == Connective::And {
            bitmap::not(decided, scope.rows);
        }
        if let Some(validity) = &validity {
            bitmap::and(decided, validity);
        }
        let open = scope.minus(active, decided);
        if bitmap::is_zero(open) {
            break;
        }
        let (with, with_validity) = scope.truth(arg.evaluate(scope, Some(open), failures));
        match (&mut validity, with_validity, connective) {
            (None, None, Connective::And) => bitmap::and(values, with),
            (None, None, Connective::Or) => bitmap::or(values, with),
            (validity, with_validity, connective) => {
                let validity = validity.get_or_insert_with(|| scope.ones());
                let three = match connective {
                    Connective::And => bitmap::and_three,
                    Connective::Or => bitmap::or_three,
                };
                three(values, validity, with, with_validity, scope.rows);
            }
        }
    }
    Datum::column(Values::Boolean(values), validity.map(|words| &*words))
}

/// A result and the rows that it stands for.
type Piece<'a> = (&'a [u64], Datum<'a>);

/// Searched CASE.
pub(super) fn case<'a>(
    scope: Scope<'_, 'a>,
    branches: &[(Node, Node)],
    otherwise: Option<&Node>,
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let mut pieces = ArenaVec::with_capacity_in(branches.len() + 1, scope.arena);
    let mut open = scope.copy(active);
    for (when, then) in branches {
        if bitmap::is_zero(open) {
            break;
        }
        let condition = when.evaluate(scope, Some(scope.copy(Some(open))), failures);
        let (values, validity) = scope.truth(condition);
        let hit = scope.copy(Some(values));
        if let Some(validity) = validity {
            bitmap::and(hit, validity);
        }
        bitmap::and(hit, open);
        if bitmap::is_zero(hit) {
            continue;
        }
        open = scope.copy(Some(open));
        bitmap::and_not(open, hit);
        let hit = &*hit;
        pieces.push((hit, then.evaluate(scope, Some(hit), failures)));
    }
    if let Some(otherwise) = otherwise
        && !bitmap::is_zero(open)
    {
        let hit = &*open;
        pieces.push((hit, otherwise.evaluate(scope, Some(hit), failures)));
    }
    merge(scope, &pieces, data_type, failures)
}

/// COALESCE.
pub(super) fn coalesce<'a>(
    scope: Scope<'_, 'a>,
    args: &[Node],
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let mut pieces = ArenaVec::with_capacity_in(args.len(), scope.arena);
    let mut open: Option<&'a [u64]> = None;
    for (i, arg) in args.iter().enumerate() {
        let rows = if i == 0 { active } else { open };
        let datum = arg.evaluate(scope, rows, failures);
        if i == 0 && !datum.is_null() && datum.validity().is_none() {
            return datum;
        }
        let hit = match datum {
            Datum::Constant(Scalar::Null) => scope.bitmap(),
            _ => scope.copy(scope.both(rows, datum.validity())),
        };
        let rest = scope.minus(rows, hit);
        pieces.push((&*hit, datum));
        open = Some(rest);
        if bitmap::is_zero(rest) {
            break;
        }
    }
    merge(scope, &pieces, data_type, failures)
}

/// GREATEST, or with [`Comparison::Less`] LEAST: NULLs are skipped.
pub(super) fn extreme<'a>(
    scope: Scope<'_, 'a>,
    args: &[Datum<'a>],
    better: Comparison,
    data_type: DataType,
    active: Mask<'a>,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let mut best = Datum::Constant(Scalar::Null);
    for &arg in args.iter().filter(|arg| !arg.is_null()) {
        if best.is_null() {
            best = arg;
            continue;
        }
        // Rows in which the new argument takes the place: it is better, or it is the first that is there.
        let (wins, both) = scope.truth(compare::compare(scope, better, arg, best, active));
        let taken = scope.copy(scope.both(Some(wins), both));
        if let Some(there) = best.validity() {
            bitmap::or(taken, scope.minus(arg.validity(), there));
        }
        let kept = scope.minus(None, taken);
        let pieces = scope.arena.alloc_slice_copy(&[(&*taken, arg), (kept, best)]);
        best = merge(scope, pieces, data_type, failures);
    }
    best
}

/// IS DISTINCT FROM.
pub(super) fn distinct<'a>(scope: Scope<'_, 'a>, left: Datum<'a>, right: Datum<'a>, active: Mask<'a>) -> Datum<'a> {
    match (left.is_null(), right.is_null()) {
        (true, true) => return Datum::Constant(Scalar::Boolean(false)),
        (true, false) => return is_null(scope, right, true),
        (false, true) => return is_null(scope, left, true),
        _ => {}
    }
    let (equal, both) = scope.truth(compare::compare(scope, Comparison::Equal, left, right, active));
    let same = scope.copy(scope.both(Some(equal), both));
    if let (Some(left), Some(right)) = (left.validity(), right.validity()) {
        // NULL on both sides.
        let none = scope.minus(Some(scope.minus(None, left)), right);
        bitmap::or(same, none);
    }
    bitmap::not(same, scope.rows);
    Datum::column(Values::Boolean(same), None)
}

/// NULLIF.
pub(super) fn null_if<'a>(
    scope: Scope<'_, 'a>,
    left: Datum<'a>,
    right: Datum<'a>,
    data_type: DataType,
    active: Mask<'a>,
) -> Datum<'a> {
    if left.is_null() || right.is_null() {
        return left;
    }
    let (equal, validity) = scope.truth(compare::compare(scope, Comparison::Equal, left, right, active));
    let equal = scope.both(Some(equal), validity).unwrap_or(equal);
    let column = scope.column(left, data_type.physical());
    Datum::column(column.values, Some(scope.minus(column.validity, equal)))
}

/// One column of the pieces' values, each in its rows; rows of no piece are NULL.
fn merge<'a>(
    scope: Scope<'_, 'a>,
    pieces: &[Piece<'a>],
    data_type: DataType,
    failures: &mut RowFailures<'_>,
) -> Datum<'a> {
    let valid = scope.bitmap();
    for (hit, datum) in pieces {
        if datum.is_null() {
            continue;
        }
        match datum.validity() {
            None => bitmap::or(valid, hit),
            Some(validity) => {
                for ((out, hit), validity) in valid.iter_mut().zip(*hit).zip(validity) {
                    *out |= hit & validity;
                }
            }
        }
    }
    let rows = scope.rows;
    let values = match data_type.physical() {
        Physical::Boolean => {
            let out = scope.bitmap();
            for &(hit, datum) in pieces {
                for ((out, hit), value) in out.iter_mut().zip(hit).zip(scope.truth(datum).0) {
                    *out |= hit & value;
                }
            }
            Values::Boolean(out)
        }
        Physical::Int32 => Values::Int32(place(scope, pieces, 0, |datum, hit, out| {
            with_lanes!(datum.int32(rows), |a| blend_into(hit, a, out));
        })),
        Physical::Int64 => Values::Int64(place(scope, pieces, 0, |datum, hit, out| {
            with_lanes!(datum.int64(rows), |a| blend_into(hit, a, out));
        })),
        Physical::Float64 => Values::Float64(place(scope, pieces, 0.0, |datum, hit, out| {
            with_lanes!(datum.float64(rows), |a| blend_into(hit, a, out));
        })),
        Physical::Int128 => Values::Int128(place(scope, pieces, 0, |datum, hit, out| {
            with_lanes!(datum.int128(rows), |a| blend_into(hit, a, out));
        })),
        Physical::Utf8 => merge_text(scope, pieces, valid, failures),
    };
    let validity = if bitmap::count(valid) == rows { None } else { Some(&*valid) };
    Datum::column(values, validity)
}

fn blend_into<T: Copy>(hit: &[u64], source: impl Lanes<T>, out: &mut [T]) {
    blend(hit, source, out);
}

fn place<'a, T: Copy>(
    scope: Scope<'_, 'a>,
    pieces: &[Piece<'a>],
    empty: T,
    put: impl Fn(Datum<'a>, &[u64], &mut [T]),
) -> &'a [T] {
    let out = scope.fill(empty);
    for &(hit, datum) in pieces {
        if !datum.is_null() {
            put(datum, hit, out);
        }
    }
    out
}

/// Text of each valid row from its piece: codes if all pieces are constants, else copied in row order.
fn merge_text<'a>(
    scope: Scope<'_, 'a>,
    pieces: &[Piece<'a>],
    valid: &mut [u64],
    failures: &mut RowFailures<'_>,
) -> Values<'a> {
    let owners = scope.fill(0u32);
    for (number, &(hit, _)) in (0u32..).zip(pieces) {
        bitmap::for_each_set(hit, |row| owners[row] = number);
    }
    let constants: usize = pieces.iter().filter(|(_, datum)| matches!(datum, Datum::Constant(_))).count();
    if constants == pieces.len() {
        let text = |datum: &Datum<'a>| match datum {
            Datum::Constant(Scalar::Utf8(text)) => *text,
            _ => &[],
        };
        let total = pieces.iter().map(|(_, datum)| text(datum).len()).sum();
        let mut builder = TextBuilder::new(scope.arena, pieces.len().max(1), total);
        for (_, datum) in pieces {
            builder.push(text(datum));
        }
        return Values::Dictionary { codes: owners, values: strings(builder), source: None };
    }
    let mut builder = TextBuilder::new(scope.arena, scope.rows, 0);
    for row in 0..scope.rows {
        let is_valid = valid[row / 64] >> (row % 64) & 1 == 1;
        let text: &[u8] = if is_valid { pieces[owners[row] as usize].1.text(row) } else { &[] };
        if !builder.push(text) {
            failures.record(row, FailureReason::TextTooLong);
            valid[row / 64] &= !(1 << (row % 64));
        }
    }
    Values::Utf8(strings(builder))
}
