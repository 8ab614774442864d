//! Top-N: rows numbered by values, of which a condition or a LIMIT keeps the first; DISTINCT over event time.

use super::coerce::Planned;
use super::expr::{CompareOp, Expr, ExprKind};
use super::pace::{Pace, pace};
use super::query::{Node, RankNode, RowsFunction, RowsNode, RowsOrder, Scan, SortKey, Step};
use super::relation::{Origin, Relation, origin};
use super::scope::wrong;
use crate::error::Span;
use crate::types::{DataType, Field, Physical, Schema, Value};

/// Passes the first row of each key on, by event time, and one that comes after the time that state is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstNode {
    /// Event-time column of the node's input.
    pub column: usize,
    /// The key. Never NULL.
    pub keys: Vec<Expr>,
    /// How far behind the watermark rows may come, in microseconds.
    pub delay_us: i64,
}

impl FirstNode {
    /// Over `input`, rows being the same if `values` are, NULL the same as NULL. `None` if the input has no event time.
    pub(super) fn of<'e>(values: impl Iterator<Item = &'e Expr>, input: &Relation) -> Option<Self> {
        let (column, pace) = input.clock()?;
        Some(Self::by(column, values, pace))
    }

    /// The same by the event time in `column`, which follows the watermark at this pace.
    fn by<'e>(column: usize, values: impl Iterator<Item = &'e Expr>, pace: Pace) -> Self {
        let key = |value: &Expr| {
            let kind = ExprKind::IsNull { arg: Box::new(value.clone()), negated: false };
            let is_null = Expr { kind, data_type: DataType::Boolean };
            let branches = vec![(is_null.clone(), Expr::literal(some(value.data_type), value.data_type))];
            let kind = ExprKind::Case { branches, otherwise: Some(Box::new(value.clone())) };
            [Expr { kind, data_type: value.data_type }, is_null]
        };
        Self { column, keys: values.flat_map(key).collect(), delay_us: pace.lag_us }
    }
}

/// Any value of a type.
fn some(data_type: DataType) -> Value {
    match data_type.physical() {
        Physical::Boolean => Value::Boolean(false),
        Physical::Int32 => Value::Int32(0),
        Physical::Int64 => Value::Int64(0),
        Physical::Float64 => Value::Float64(0.0),
        Physical::Int128 => Value::Int128(0),
        Physical::Utf8 => Value::Utf8("".into()),
    }
}

/// The node, told when all rows of a key are there.
pub(super) fn at_windows(mut node: RankNode, input: &Relation, span: Span) -> Planned<RankNode> {
    // A step before that holds rows back lets windows come in parts.
    let held = input.steps.iter().any(|step| matches!(step.node, Node::Frames(_)));
    node.window = node.partition_by.iter().copied().find(|&column| !held && is_bound(input.origin(column)));
    if node.window.is_none() && !input.bounded {
        let message = format!("ROW_NUMBER by values needs the end of the input, and {} has none", input.name);
        let help = "put window_start or window_end of a query in FROM into PARTITION BY, or order by event time";
        return Err(wrong(span, message, help));
    }
    Ok(node)
}

pub(super) fn is_bound(origin: Origin) -> bool {
    matches!(origin, Origin::WindowStart(_) | Origin::WindowEnd)
}

/// ORDER BY and LIMIT for each window: the step after the SELECT list. It appends the number of a row.
pub(super) fn per_window(
    order: Vec<SortKey>,
    limit: u64,
    steps: &[Step],
    schema: &Schema,
    span: Span,
) -> Planned<Step> {
    let bound = (0..schema.len()).find(|&column| is_bound(origin(steps, column)));
    let Some(window) = bound else {
        let help = "add window_start or window_end to the SELECT list";
        return Err(wrong(span, "LIMIT for each window needs the window among the columns of the result", help));
    };
    let node = RankNode { partition_by: vec![window], window: Some(window), order, keep: Some(limit) };
    let mut numbered = schema.clone();
    numbered.fields.push(Field { nullable: false, ..Field::new("number", DataType::BigInt) });
    Ok(Step { node: Node::Rank(node), schema: numbered })
}

/// If `filter`, over the last of `steps` on `scan`, lets only the first rows of each key pass, the step that numbers them need not
/// keep more; if it is one row, by event time, and state is dropped after a while (`forgets`), it need not number them.
pub(super) fn keep(scan: &Scan, steps: &mut Vec<Step>, filter: &Expr, forgets: bool) {
    let terms = match &filter.kind {
        ExprKind::And(terms) => terms.as_slice(),
        _ => std::slice::from_ref(filter),
    };
    for term in terms {
        let ExprKind::Compare { op, left, right } = &term.kind else { continue };
        let (ExprKind::Column(column), ExprKind::Literal(Value::Int64(number))) = (&left.kind, &right.kind) else {
            continue;
        };
        let most = match op {
            CompareOp::Equal | CompareOp::LessOrEqual => *number,
            CompareOp::Less => number.saturating_sub(1),
            _ => continue,
        };
        let (Some(index), Ok(most)) = (numbering(steps, *column), u64::try_from(most)) else { continue };
        match &mut steps[index].node {
            Node::Rank(node) => node.keep = Some(node.keep.map_or(most, |known| known.min(most))),
            _ if most == 1 && forgets => pass_first(scan, steps, index),
            _ => {}
        }
    }
}

/// Puts the first rows of each key, with number 1, in the place of the step that numbers all.
fn pass_first(scan: &Scan, steps: &mut Vec<Step>, index: usize) {
    let Node::Rows(RowsNode { partition_by, order: RowsOrder::EventTime { column }, .. }) = &steps[index].node else {
        return;
    };
    let Some(pace) = pace(scan, &steps[..index], *column).filter(|_| !partition_by.is_empty()) else { return };
    let node = FirstNode::by(*column, partition_by.iter(), pace);
    let schema = steps[index].schema.clone();
    let mut exprs: Vec<Expr> =
        schema.fields.iter().enumerate().map(|(index, field)| Expr::column(index, field.data_type)).collect();
    exprs.pop();
    let passed = Schema::new(schema.fields[..exprs.len()].to_vec());
    exprs.push(Expr::literal(Value::Int64(1), DataType::BigInt));
    let first = Step { node: Node::First(node), schema: passed };
    steps.splice(index..=index, [first, Step { node: Node::Project(exprs), schema }]);
}

/// The step that gave a column its numbers, and nothing else, if only filters and projections follow it.
fn numbering(steps: &[Step], mut column: usize) -> Option<usize> {
    for (index, step) in steps.iter().enumerate().rev() {
        match &step.node {
            Node::Filter(_) => {}
            Node::Project(exprs) => match exprs.get(column)?.kind {
                ExprKind::Column(below) => column = below,
                _ => return None,
            },
            Node::Rank(_) => return (column + 1 == step.schema.len()).then_some(index),
            Node::Rows(RowsNode { calls, .. }) => {
                let only = calls.len() == 1 && calls[0].function == RowsFunction::RowNumber;
                return (only && column + 1 == step.schema.len()).then_some(index);
            }
            _ => return None,
        }
    }
    None
}
