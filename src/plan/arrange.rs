//! The OVER clauses of a query as steps, one after another, each in the order of rows that it needs.
//!
//! Clauses ordered by event time come first, so that rows are released once; those without ORDER BY take rows as they come
//! then; those ordered by values, which wait until all rows are there, come last.

use super::coerce::Planned;
use super::expr::{Expr, ExprKind};
use super::frames::{Arrangement, FramedCall, FramedFunction, FramesNode};
use super::query::{Node, RankNode, RowsNode, RowsOrder, SortKey, Step};
use super::relation::{Origin, Relation};
use super::rows::{Call, RowsState, Spec};
use super::scope::wrong;
use super::top;
use crate::error::Span;
use crate::types::{DataType, Field, Schema};

/// The steps over `input`, and the column that each call has become. `follow` makes the query depend on the event time of a
/// column, or says why it cannot.
pub(super) fn steps(
    state: RowsState,
    input: &Relation,
    follow: &mut dyn FnMut(usize, Span) -> Planned<()>,
) -> Planned<(Vec<Step>, Vec<usize>)> {
    let RowsState { specs, calls, .. } = state;
    let schema = input.schema();
    if let ([spec], [call]) = (specs.as_slice(), calls.as_slice())
        && let Some(node) = numbering(spec, call)
    {
        let node = top::at_windows(node, input, call.span)?;
        let mut schema = schema;
        schema.fields.push(Field { nullable: false, ..Field::new(call.name.clone(), DataType::BigInt) });
        let place = schema.len() - 1;
        return Ok((vec![Step { node: Node::Rank(node), schema }], vec![place]));
    }
    let mut arranged = Vec::with_capacity(specs.len());
    let mut timed = None;
    for (number, spec) in specs.into_iter().enumerate() {
        let own: Vec<usize> = (0..calls.len()).filter(|&call| calls[call].spec == number).collect();
        let (arrangement, closes) = arrangement(&spec, &calls[own[0]], input, &mut timed, follow)?;
        check_ends(&own, &calls, &spec, arrangement, input)?;
        let rank = match arrangement {
            Arrangement::EventTime { .. } => 0,
            Arrangement::AsTheyCome if closes.is_some() => 0,
            Arrangement::AsTheyCome => 1,
            Arrangement::Values { .. } => 2,
        };
        arranged.push((rank, number, spec, arrangement, closes, own));
    }
    arranged.sort_by_key(|(rank, number, ..)| (*rank, *number));
    let mut building = Building { steps: Vec::new(), schema, places: vec![0; calls.len()] };
    let mut held = input.is_keyed() && input.steps.iter().any(|step| matches!(step.node, Node::Frames(_)));
    for (_, _, spec, mut arrangement, closes, own) in arranged {
        // Released once is enough.
        let released = building.steps.iter().any(|step: &Step| {
            matches!(&step.node, Node::Rows(RowsNode { order: RowsOrder::EventTime { .. }, .. }))
                || matches!(&step.node, Node::Frames(node) if matches!(node.arrangement, Arrangement::EventTime { .. }))
        });
        if released && matches!(arrangement, Arrangement::EventTime { .. }) {
            arrangement = Arrangement::AsTheyCome;
        }
        let in_order = !matches!(arrangement, Arrangement::Values { .. }) && spec.expire_us.is_none();
        let (rows, framed): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|&call| in_order && calls[call].call.as_rows().is_some());
        if !rows.is_empty() {
            let order = match arrangement {
                Arrangement::EventTime { column } => RowsOrder::EventTime { column },
                _ => RowsOrder::Arrival,
            };
            let functions = rows.iter().filter_map(|&call| calls[call].call.as_rows()).collect();
            let node = RowsNode { partition_by: spec.partition_by.clone(), order, calls: functions };
            building.push(Node::Rows(node), &rows, &calls);
            if matches!(arrangement, Arrangement::EventTime { .. }) {
                arrangement = Arrangement::AsTheyCome;
            }
        }
        if framed.is_empty() {
            continue;
        }
        let node = FramesNode {
            partition_by: spec.partition_by,
            order: spec.order,
            arrangement,
            // Of results that an earlier step holds back it is not known when they are all there.
            closes_behind_us: closes.filter(|_| !held),
            calls: framed.iter().map(|&call| calls[call].call.clone()).collect(),
            expire_us: spec.expire_us,
        };
        building.push(Node::Frames(node), &framed, &calls);
        held |= input.is_keyed();
    }
    Ok((building.steps, building.places))
}

/// Steps so far.
struct Building {
    steps: Vec<Step>,
    schema: Schema,
    places: Vec<usize>,
}

impl Building {
    /// Adds a step that appends the columns of some calls.
    fn push(&mut self, node: Node, own: &[usize], calls: &[Call]) {
        for &call in own {
            self.places[call] = self.schema.len();
            self.schema.fields.push(Field::new(calls[call].name.clone(), calls[call].call.data_type));
        }
        self.steps.push(Step { node, schema: self.schema.clone() });
    }
}

/// ROW_NUMBER alone in an order of values of columns: only so many rows of a key need to be kept.
fn numbering(spec: &Spec, call: &Call) -> Option<RankNode> {
    let column = |expr: &Expr| if let ExprKind::Column(column) = expr.kind { Some(column) } else { None };
    let by_values = spec.order.len() > 1 || spec.order.iter().any(|key| key.descending || !is_time(&key.expr));
    if !by_values || spec.expire_us.is_some() || call.call.function != FramedFunction::RowNumber {
        return None;
    }
    let partition_by = spec.partition_by.iter().map(column).collect::<Option<Vec<_>>>()?;
    let keys = spec.order.iter().map(|key| {
        let &super::frames::FrameOrder { descending, nulls_first, .. } = key;
        Some(SortKey { column: column(&key.expr)?, descending, nulls_first })
    });
    Some(RankNode { partition_by, window: None, order: keys.collect::<Option<Vec<_>>>()?, keep: None })
}

fn is_time(expr: &Expr) -> bool {
    expr.data_type == DataType::Timestamp
}

/// How rows come into the order of a clause, and how far behind the watermark they may be if that closes groups of equal
/// rows.
fn arrangement(
    spec: &Spec,
    call: &Call,
    input: &Relation,
    timed: &mut Option<usize>,
    follow: &mut dyn FnMut(usize, Span) -> Planned<()>,
) -> Planned<(Arrangement, Option<i64>)> {
    let by_time = match spec.order.as_slice() {
        [] => {
            if spec.expire_us.is_some() {
                let help = "write OVER (PARTITION BY key ORDER BY time EXPIRE AFTER INTERVAL '1' HOUR)";
                return Err(wrong(call.order_span, "EXPIRE AFTER needs ORDER BY event time", help));
            }
            return Ok((Arrangement::AsTheyCome, None));
        }
        [key] if !key.descending && is_time(&key.expr) => match (&key.expr.kind, *timed) {
            (ExprKind::Column(column), Some(known)) if known != *column => Some(Err(wrong(
                call.order_span,
                "two OVER clauses of one query order by different times",
                "put one of them into a query in FROM",
            ))),
            (ExprKind::Column(column), _) => Some(follow(*column, call.order_span).map(|()| *column)),
            _ => None,
        },
        _ => None,
    };
    match by_time {
        Some(Ok(column)) => {
            *timed = Some(column);
            let behind_us = if let Origin::WindowStart(longest_us) = input.origin(column) { longest_us } else { 0 };
            let arrangement =
                if input.is_keyed() { Arrangement::AsTheyCome } else { Arrangement::EventTime { column } };
            return Ok((arrangement, Some(behind_us)));
        }
        Some(Err(error)) if !input.bounded => return Err(error),
        _ => {}
    }
    if spec.expire_us.is_some() {
        let help = "order by the event time of the source, ascending";
        return Err(wrong(call.order_span, "EXPIRE AFTER needs ORDER BY event time", help));
    }
    let bound = |expr: &Expr| matches!(expr.kind, ExprKind::Column(column) if top::is_bound(input.origin(column)));
    let per_window = spec.partition_by.iter().any(bound);
    if !per_window && !input.bounded {
        let message = format!("ORDER BY values inside OVER needs the end of the input, and {} has none", input.name);
        let help =
            "order by event time, ascending, or put window_start or window_end of a query in FROM into PARTITION BY";
        return Err(wrong(call.order_span, message, help));
    }
    Ok((Arrangement::Values { per_window }, None))
}

/// What needs the end of a partition must have one.
fn check_ends(own: &[usize], calls: &[Call], spec: &Spec, arrangement: Arrangement, input: &Relation) -> Planned<()> {
    if input.bounded || arrangement == (Arrangement::Values { per_window: true }) {
        return Ok(());
    }
    let needs_end = |call: &&usize| calls[**call].call.needs_end(!spec.order.is_empty());
    let Some(&call) = own.iter().find(needs_end) else { return Ok(()) };
    let Call { call: FramedCall { function, .. }, span, .. } = &calls[call];
    let ranks = "ROW_NUMBER, RANK and DENSE_RANK do not wait for it";
    let (what, help) = match function {
        FramedFunction::PercentRank => ("PERCENT_RANK", ranks),
        FramedFunction::CumeDist => ("CUME_DIST", ranks),
        FramedFunction::Ntile(_) => ("NTILE", ranks),
        _ if spec.order.is_empty() => (
            "a frame without ORDER BY and ROWS is the whole partition: it",
            "add ORDER BY event time, or ROWS BETWEEN n PRECEDING AND CURRENT ROW",
        ),
        _ => ("a frame up to UNBOUNDED FOLLOWING", "write ROWS BETWEEN n PRECEDING AND n FOLLOWING"),
    };
    let message = format!("{what} needs the end of the input, and {} has none", input.name);
    Err(wrong(*span, message, help))
}
