//! Functions OVER frames of any shape: what a plan says of them, and how frames are checked.

use super::bind::Binder;
use super::coerce::{Bound, Planned};
use super::expr::{Expr, ExprKind};
use super::query::{AggregateCall, AggregateFunction, RowsCall, RowsFunction};
use super::scope::{Scope, wrong};
use crate::error::{Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Value};

/// OVER (PARTITION BY … ORDER BY … frame). Output columns: the input's, then the calls; rows leave in the order in which they
/// came, or, where event time arranges them, in that order.
#[derive(Debug, Clone, PartialEq)]
pub struct FramesNode {
    /// Key; none means one partition of all rows.
    pub partition_by: Vec<Expr>,
    /// Order of rows within a key; none means that all rows are equal.
    pub order: Vec<FrameOrder>,
    /// How rows come into that order.
    pub arrangement: Arrangement,
    /// If event time says when no more rows can come that are equal under the order, or less: how far behind the watermark
    /// they may be, in microseconds. The order is one TIMESTAMP then.
    pub closes_behind_us: Option<i64>,
    /// Functions.
    pub calls: Vec<FramedCall>,
    /// A key whose rows are further apart in event time starts anew, in microseconds.
    pub expire_us: Option<i64>,
}

/// One key of ORDER BY inside OVER.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameOrder {
    /// What to order by.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST; the default is last for ASC and first for DESC.
    pub nulls_first: bool,
}

/// How rows come into the order of OVER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrangement {
    /// They come in it.
    AsTheyCome,
    /// By the scan's event time, ascending; ties as they arrive. Rows are released by the watermark.
    EventTime {
        /// Event-time column of the node's input.
        column: usize,
    },
    /// They are sorted when all are there, ties in the order of their other columns.
    Values {
        /// A bound of a window is part of the key, so that its rows are there when the window has closed. Else at the end of
        /// input.
        per_window: bool,
    },
}

/// A function over a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FramedCall {
    /// Which.
    pub function: FramedFunction,
    /// The frame; of functions that look at none, the current row.
    pub frame: FrameBounds,
    /// Type of the result.
    pub data_type: DataType,
}

/// Functions over frames, and over whole partitions.
#[derive(Debug, Clone, PartialEq)]
pub enum FramedFunction {
    /// An aggregate of the frame's rows.
    Aggregate(AggregateCall),
    /// FIRST_VALUE: of the first row of the frame.
    FirstValue(Expr),
    /// LAST_VALUE: of the last one.
    LastValue(Expr),
    /// NTH_VALUE: of the n-th one, from 1; NULL if there are fewer.
    NthValue(Expr, u64),
    /// LAG and LEAD: of the row so many rows behind (or, negative, before) the current one, or else the default.
    Shift {
        /// Of which the value is taken.
        arg: Expr,
        /// Rows.
        offset: i64,
        /// A constant of the result's type.
        default: Value,
    },
    /// ROW_NUMBER, from 1.
    RowNumber,
    /// RANK: 1 and the number of rows that are less.
    Rank,
    /// DENSE_RANK: 1 and the number of groups of equal rows that are less.
    DenseRank,
    /// PERCENT_RANK: (RANK − 1) / (rows − 1), 0 of a single row.
    PercentRank,
    /// CUME_DIST: the share of rows that are not greater.
    CumeDist,
    /// NTILE: the partition in so many buckets of equal size, the first ones greater by one.
    Ntile(u64),
}

/// The rows from `start` to `end`, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameBounds {
    /// The first row.
    pub start: FrameBound,
    /// The last row.
    pub end: FrameBound,
}

/// Where a frame begins or ends, seen from the current row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FrameBound {
    /// The first row of the partition.
    First,
    /// The last one.
    Last,
    /// So many rows behind it; before it, if negative.
    Rows(i64),
    /// The group of equal rows that is so many behind its own: the group's first row starts a frame, its last row ends one.
    Groups(i64),
    /// The first or the last row whose value of ORDER BY is not further than this behind its own, in the order's direction.
    Range(Distance),
}

/// A difference of values of ORDER BY.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// Of whole numbers; of DECIMAL in the last digit, of TIMESTAMP in microseconds, of DATE in days.
    Whole(i128),
    /// Of DOUBLE.
    Double(f64),
}

impl FramesNode {
    /// Whether a row leaves when the watermark has passed it: no function looks at rows that come behind it and those that are
    /// equal to it under the order.
    pub fn leaves_at_once(&self) -> bool {
        let looks_ahead = |call: &FramedCall| match call.function {
            FramedFunction::Shift { offset, .. } => offset > 0,
            FramedFunction::PercentRank | FramedFunction::CumeDist | FramedFunction::Ntile(_) => true,
            FramedFunction::RowNumber | FramedFunction::Rank | FramedFunction::DenseRank => false,
            FramedFunction::Aggregate(_)
            | FramedFunction::FirstValue(_)
            | FramedFunction::LastValue(_)
            | FramedFunction::NthValue(..) => match call.frame.end {
                FrameBound::First => false,
                FrameBound::Last => true,
                FrameBound::Rows(rows) | FrameBound::Groups(rows) => rows > 0,
                FrameBound::Range(Distance::Whole(distance)) => distance > 0,
                FrameBound::Range(Distance::Double(distance)) => distance > 0.0,
            },
        };
        matches!(self.arrangement, Arrangement::EventTime { .. }) && !self.calls.iter().any(looks_ahead)
    }
}

impl FrameBounds {
    /// The current row.
    pub const CURRENT: Self = Self { start: FrameBound::Rows(0), end: FrameBound::Rows(0) };
}

impl FramesNode {
    /// Its expressions.
    pub(super) fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let order = self.order.iter_mut().map(|key| &mut key.expr);
        self.partition_by.iter_mut().chain(order).chain(self.calls.iter_mut().flat_map(FramedCall::exprs_mut))
    }
}

impl FramedCall {
    /// Whether the end of the partition must be known.
    pub fn needs_end(&self, ordered: bool) -> bool {
        match &self.function {
            FramedFunction::PercentRank | FramedFunction::CumeDist | FramedFunction::Ntile(_) => true,
            _ => match self.frame.end {
                FrameBound::Last => true,
                FrameBound::Groups(_) => !ordered,
                _ => false,
            },
        }
    }

    fn exprs_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.function {
            FramedFunction::Aggregate(call) => call.exprs_mut().collect(),
            FramedFunction::FirstValue(arg) | FramedFunction::LastValue(arg) | FramedFunction::NthValue(arg, _) => {
                vec![arg]
            }
            FramedFunction::Shift { arg, .. } => vec![arg],
            _ => Vec::new(),
        }
    }

    /// The same as a function over the last rows, if it is one.
    pub(super) fn as_rows(&self) -> Option<RowsCall> {
        let FrameBounds { start, end } = self.frame;
        let frame_rows = match start {
            FrameBound::First => None,
            FrameBound::Rows(rows @ ..=0) => Some(rows.unsigned_abs() + 1),
            _ => return None,
        };
        let ends_here = end == FrameBound::Rows(0);
        let holds_current = matches!(end, FrameBound::Rows(0..) | FrameBound::Groups(0..) | FrameBound::Last);
        let (function, arg) = match &self.function {
            FramedFunction::RowNumber => (RowsFunction::RowNumber, None),
            FramedFunction::Shift { arg, offset: offset @ ..=0, default } => {
                let function = RowsFunction::Lag { offset: offset.unsigned_abs(), default: default.clone() };
                return Some(RowsCall {
                    function,
                    arg: Some(arg.clone()),
                    frame_rows: None,
                    data_type: self.data_type,
                });
            }
            FramedFunction::FirstValue(arg) if holds_current => (RowsFunction::FirstValue, Some(arg.clone())),
            FramedFunction::LastValue(arg) if ends_here => (RowsFunction::LastValue, Some(arg.clone())),
            FramedFunction::Aggregate(call) if ends_here && is_simple(call) => {
                (RowsFunction::Aggregate(call.function), call.arg.clone())
            }
            _ => return None,
        };
        let frame_rows = frame_rows.filter(|_| function != RowsFunction::RowNumber);
        Some(RowsCall { function, arg, frame_rows, data_type: self.data_type })
    }
}

/// Whether the aggregate is one that has a store for the last rows.
fn is_simple(call: &AggregateCall) -> bool {
    use AggregateFunction as F;
    let simple = matches!(
        call.function,
        F::Count | F::Sum | F::Avg | F::Min | F::Max | F::Variance | F::StdDev | F::VariancePop | F::StdDevPop
    );
    simple && !call.distinct
}

/// The frame of OVER; without one, as standard SQL has it: all rows up to the last that equals the current one.
pub(super) fn bounds(scope: &Scope<'_>, over: &ast::Over, order: &[FrameOrder]) -> Planned<FrameBounds> {
    let Some(frame) = &over.frame else {
        let end = if order.is_empty() { FrameBound::Last } else { FrameBound::Groups(0) };
        return Ok(FrameBounds { start: FrameBound::First, end });
    };
    if frame.units == ast::FrameUnits::Groups && order.is_empty() {
        return Err(wrong(
            frame.span,
            "GROUPS counts groups of equal rows: it needs ORDER BY",
            "write ROWS, or ORDER BY",
        ));
    }
    let bound = |bound: &ast::FrameBound| {
        Ok(match (bound, frame.units) {
            (ast::FrameBound::UnboundedPreceding, _) => FrameBound::First,
            (ast::FrameBound::UnboundedFollowing, _) => FrameBound::Last,
            (ast::FrameBound::CurrentRow, ast::FrameUnits::Rows) => FrameBound::Rows(0),
            (ast::FrameBound::CurrentRow, _) => FrameBound::Groups(0),
            (ast::FrameBound::Preceding(offset), units) => offset_bound(scope, offset, units, order, frame, true)?,
            (ast::FrameBound::Following(offset), units) => offset_bound(scope, offset, units, order, frame, false)?,
        })
    };
    Ok(FrameBounds { start: bound(&frame.start)?, end: bound(&frame.end)? })
}

fn offset_bound(
    scope: &Scope<'_>,
    offset: &ast::Expr,
    units: ast::FrameUnits,
    order: &[FrameOrder],
    frame: &ast::Frame,
    preceding: bool,
) -> Planned<FrameBound> {
    let word = if preceding { "PRECEDING" } else { "FOLLOWING" };
    let bound = Binder::input(scope, "a frame").bind(offset)?;
    if units == ast::FrameUnits::Range {
        let distance = distance(bound, order, frame.span, word)?;
        return Ok(FrameBound::Range(match (distance, preceding) {
            (Distance::Whole(whole), true) => Distance::Whole(-whole),
            (Distance::Double(double), true) => Distance::Double(-double),
            (distance, false) => distance,
        }));
    }
    let what = if units == ast::FrameUnits::Rows { "rows" } else { "groups" };
    let count = match bound.expr.kind {
        // No partition has so many rows that one less would show.
        ExprKind::Literal(Value::Int64(count)) if count >= 0 => count.min(i64::MAX - 1),
        _ => return Err(SqlError::new(bound.span, format!("{word} takes a whole number of {what}"))),
    };
    let count = if preceding { -count } else { count };
    Ok(if units == ast::FrameUnits::Rows { FrameBound::Rows(count) } else { FrameBound::Groups(count) })
}

/// The offset of RANGE, not negative.
fn distance(bound: Bound, order: &[FrameOrder], span: Span, word: &str) -> Planned<Distance> {
    let [key] = order else {
        let message = "RANGE with an offset needs ORDER BY of one column";
        return Err(wrong(span, message, "write ROWS or GROUPS, or order by one number or time"));
    };
    let (place, given, wanted) = (bound.span, bound.data_type(), key.expr.data_type);
    let error = |takes: &str, help: &str| {
        wrong(place, format!("{word} over a {wanted} takes {takes}, this is {given}"), help.to_string())
    };
    let interval = "write RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW";
    let literal = |expr: Expr| match expr.kind {
        ExprKind::Literal(value) => Ok(value),
        _ => Err(SqlError::new(place, format!("{word} takes a constant"))),
    };
    let distance = match wanted {
        DataType::Timestamp | DataType::Interval | DataType::Date => {
            if given != DataType::Interval {
                return Err(error("an INTERVAL", interval));
            }
            let Value::Int64(us) = literal(bound.expr)? else { return Err(error("an INTERVAL", interval)) };
            const DAY_US: i64 = 86_400_000_000;
            match wanted {
                DataType::Date if us % DAY_US != 0 => {
                    return Err(error("whole days", "write RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW"));
                }
                DataType::Date => Distance::Whole((us / DAY_US).into()),
                _ => Distance::Whole(us.into()),
            }
        }
        _ if wanted.is_numeric() => {
            if !given.is_numeric() {
                return Err(error("a number", "write RANGE BETWEEN 10 PRECEDING AND CURRENT ROW"));
            }
            let target = match wanted {
                DataType::Int => DataType::BigInt,
                DataType::Decimal { scale, .. } => DataType::Decimal { precision: 38, scale },
                other => other,
            };
            match literal(bound.coerce(target)?)? {
                Value::Int64(whole) => Distance::Whole(whole.into()),
                Value::Int128(whole) => Distance::Whole(whole),
                Value::Float64(double) => Distance::Double(double),
                _ => return Err(error("a number", "write RANGE BETWEEN 10 PRECEDING AND CURRENT ROW")),
            }
        }
        _ => {
            let message = format!("RANGE with an offset needs a number or a time in ORDER BY, this is {wanted}");
            return Err(wrong(span, message, "write ROWS or GROUPS"));
        }
    };
    match distance {
        Distance::Whole(0..) => Ok(distance),
        Distance::Double(double) if double >= 0.0 => Ok(distance),
        _ => Err(SqlError::new(place, format!("the offset of {word} must not be negative"))),
    }
}
