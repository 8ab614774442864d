//! JOIN of rows that come one after another on both sides: what is the event time of each, and how both become one relation.
//!
//! Event time is what the condition compares: watermarked columns, or the bounds of windows over them. Sides of columns and
//! filters are read as one source; a side that groups or joins itself is a branch of it. Sides without event time must have an
//! end, and meet there.

use std::ops::Range;
use std::sync::Arc;

use super::branches::{Branch, BranchesNode, Piece, by_input, combined};
use super::expr::{ArithmeticOp, Expr, ExprKind};
use super::from::Relations;
use super::interval::{Bounds, IntervalJoinNode, compared};
use super::join::Condition;
use super::pace::Pace;
use super::prune;
use super::query::{Node, Plan, Scan, SourceDefinition, SourceInput, Step};
use super::relation::Relation;
use super::scope::wrong;
use super::timing::Timing;
use super::union::{Arm, filter_step, substituted};
use super::windows;
use crate::error::{Result, Span};
use crate::sql::ast;
use crate::types::{DataType, Field, Schema, Value};

/// What is the event time of each side, and how far apart those of a pair may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The column of the left side.
    left: (usize, Pace),
    /// The column of the right side.
    right: (usize, Pace),
    /// Of the right time less the left one.
    pub(super) bounds: Bounds,
}

/// The pair of columns whose times `condition` (or `filter`, conditions that follow an INNER JOIN) bounds best.
pub(super) fn times(left: &Relation, right: &Relation, condition: &Condition, filter: &[Expr]) -> Option<Times> {
    let width = left.schema().len();
    let pair = |(a, b): (usize, usize)| {
        let (a, b) = if a < width { (a, b) } else { (b, a) };
        Some((a, b.checked_sub(width).filter(|_| a < width)?))
    };
    let equal = |(left, right): &(Expr, Expr)| match (&left.kind, &right.kind) {
        (ExprKind::Column(a), ExprKind::Column(b)) if left.data_type == DataType::Timestamp => Some((*a, *b)),
        _ => None,
    };
    let rest = || condition.rest.iter().map(|(term, _)| term).chain(filter);
    let compared = rest().filter_map(|term| pair(compared(term)?));
    let pairs = condition.keys.iter().filter_map(equal).chain(compared);
    let known = pairs.filter_map(|(a, b)| {
        let same = condition.keys.iter().any(|key| equal(key) == Some((a, b)));
        let mut bounds = if same { Bounds::same() } else { Bounds::default() };
        rest().for_each(|term| {
            bounds.take(term, a, b + width);
        });
        let times = Times { left: (a, left.pace_of_source(a)?), right: (b, right.pace_of_source(b)?), bounds };
        bounds.is_some().then_some(times)
    });
    known.min_by_key(|times| (!times.bounds.are_both(), times.left.1.lag_us.saturating_add(times.right.1.lag_us)))
}

impl Times {
    /// The clocks of both sides, without bounds.
    pub(super) fn clocks(left: &Relation, right: &Relation) -> Option<Self> {
        Some(Self { left: left.clock()?, right: right.clock()?, bounds: Bounds::default() })
    }

    /// The column `left` of the left side, and the clock of the right one, each row at its own moment.
    pub(super) fn as_of(left: &Relation, column: usize, right: &Relation) -> Option<Self> {
        let exact = |(column, pace): (usize, Pace)| (column, Pace { at_bound: false, ..pace });
        let left = exact((column, left.pace_of_source(column)?));
        Some(Self { left, right: exact(right.clock()?), bounds: Bounds::default() })
    }

    /// Takes the conditions out that the bounds stand for.
    pub(super) fn claim(&self, condition: &mut Condition, width: usize) {
        condition.rest.retain(|(term, _)| !Bounds::default().take(term, self.left.0, self.right.0 + width));
    }
}

/// A side of a join.
struct Side {
    relation: Relation,
    time: Option<(usize, Pace)>,
    span: Span,
}

impl Side {
    /// The event time: rows that leave when the watermark reaches it are those of the moment before.
    fn time(&self) -> Expr {
        let Some((column, pace)) = self.time else { return Expr::literal(Value::Int64(0), DataType::Timestamp) };
        let column = Expr::column(column, DataType::Timestamp);
        match pace.at_bound {
            false => column,
            true => {
                let moment = Expr::literal(Value::Int64(1), DataType::Interval);
                let (left, right) = (Box::new(column), Box::new(moment));
                let kind = ExprKind::Arithmetic { op: ArithmeticOp::Subtract, left, right };
                Expr { kind, data_type: DataType::Timestamp }
            }
        }
    }

    fn early_us(&self) -> i64 {
        self.time.map_or(0, |(_, pace)| i64::from(pace.at_bound))
    }

    fn lag_us(&self) -> i64 {
        self.time.map_or(0, |(_, pace)| pace.lag_us)
    }

    /// Whether it is columns and filters over the source, its event time the source's own.
    fn is_plain(&self) -> bool {
        self.relation.is_plain()
            && match self.time {
                None => true,
                Some((column, _)) => self.relation.watermark().is_some_and(|watermark| watermark.column == column),
            }
    }
}

impl Relations<'_> {
    /// Both sides as one relation of `schema` whose last step tells the side and the event time of each row, and the node
    /// that joins them. `times`: the event times, none if both sides have an end and meet there.
    pub(super) fn sides(
        &self,
        [left, right]: [Relation; 2],
        condition: Condition,
        times: Option<Times>,
        schema: &Schema,
        join: &ast::Join,
    ) -> Result<(Relation, IntervalJoinNode)> {
        let (name, bounded) = (format!("{} and {}", left.name, right.name), left.bounded && right.bounded);
        let mut sides = [
            Side { relation: left, time: times.map(|times| times.left), span: join.span },
            Side { relation: right, time: times.map(|times| times.right), span: join.right.span },
        ];
        for side in &mut sides {
            self.make_readable(side)?;
        }
        let bounds = times.map_or_else(Bounds::default, |times| times.bounds);
        let apart_us = sides[0].early_us() - sides[1].early_us();
        let first = IntervalJoinNode::FIRST;
        let left_columns = sides[0].relation.schema().len();
        let keys = condition.keys.into_iter().map(|(mut a, mut b)| {
            a.map_columns(&mut |column| column + first);
            b.map_columns(&mut |column| column + first + left_columns);
            (a, b)
        });
        let node = IntervalJoinNode {
            keys: keys.collect(),
            left_columns,
            lower_us: bounds.lower_us.map_or(-IntervalJoinNode::FAR_US, |us| us.saturating_add(apart_us)),
            upper_us: bounds.upper_us.map_or(IntervalJoinNode::FAR_US, |us| us.saturating_add(apart_us)),
            left_outer: matches!(join.kind, ast::JoinKind::Left | ast::JoinKind::Full),
            right_outer: matches!(join.kind, ast::JoinKind::Right | ast::JoinKind::Full),
            is_open: (bounds.lower_us.is_none(), bounds.upper_us.is_none()),
            residual: None,
            delay_us: sides.iter().map(Side::lag_us).max().unwrap_or(0),
        };
        let mut fields = vec![Field::new("input", DataType::Int), Field::new("event_time", DataType::Timestamp)];
        fields.extend(schema.fields.iter().map(|field| Field { nullable: true, ..field.clone() }));
        let tagged = Schema::new(fields);
        let (source, steps) = match sides.iter().all(Side::is_plain) {
            true => plain(sides, tagged),
            false => branches(sides, tagged),
        };
        let event_time = source.watermark.filter(|_| times.is_some());
        let projection = (0..source.schema.len()).collect();
        let scan = Scan { source: Arc::new(source), projection, event_time };
        Ok((Relation { scan, steps, parts: Vec::new(), bounded, name }, node))
    }

    /// A side that cannot be read as it comes is read as a table first.
    fn make_readable(&self, side: &mut Side) -> Result<()> {
        if !side.relation.is_gathered() && (side.time.is_some() || !side.relation.is_keyed()) {
            return Ok(());
        }
        if !side.relation.bounded {
            let message = format!("what {} gives does not follow a watermark", side.relation.name);
            let help = "group it with a WINDOW over the WATERMARK column of its source";
            return Err(wrong(side.span, message, help).into());
        }
        let schema = side.relation.schema();
        let name = format!("query at {}:{}", side.span.line, side.span.column);
        let parts = std::mem::take(&mut side.relation.parts);
        let table = self.table(side.relation.clone(), name, side.span)?;
        side.relation = Relation { parts, ..self.read_table(table, schema) };
        Ok(())
    }
}

/// Sides of columns and filters, as cases on the number of the input.
fn plain(sides: [Side; 2], tagged: Schema) -> (SourceDefinition, Vec<Step>) {
    let timed = sides[0].time.is_some();
    let arms = sides.map(|side| Arm::new(side.relation, side.span));
    let (source, pieces) = combined(&arms.each_ref().map(|arm| &arm.scan));
    let mut steps = Vec::from_iter(filter_step(&arms, &source, &pieces));
    let inputs: Vec<Range<usize>> = pieces.iter().map(|piece| piece.inputs.clone()).collect();
    let number = |number: i32| Expr::literal(Value::Int32(number), DataType::Int);
    let mut exprs = vec![match inputs.len() == source.inputs.len() {
        true => Expr::column(SourceInput::NUMBER, DataType::Int),
        false => by_input(vec![number(0), number(1)], &inputs, DataType::Int),
    }];
    exprs.push(match timed {
        true => Expr::column(SourceInput::EVENT_TIME, DataType::Timestamp),
        false => Expr::literal(Value::Int64(0), DataType::Timestamp),
    });
    for (arm, piece) in arms.iter().zip(&pieces) {
        exprs.extend(arm.exprs.iter().map(|expr| substituted(expr, &piece.columns)));
    }
    steps.push(Step { node: Node::Project(exprs), schema: tagged });
    (source, steps)
}

/// Sides as branches.
fn branches(sides: [Side; 2], tagged: Schema) -> (SourceDefinition, Vec<Step>) {
    let (source, pieces) = combined(&sides.each_ref().map(|side| &side.relation.scan));
    let widths = sides.each_ref().map(|side| side.relation.schema().len());
    let mut filters = Vec::with_capacity(2);
    let mut branches = Vec::with_capacity(2);
    for (number, (side, piece)) in sides.into_iter().zip(&pieces).enumerate() {
        let time = side.time();
        let Relation { scan, mut steps, .. } = side.relation;
        if let (Some((column, _)), Some(watermark)) = (side.time, scan.source.watermark) {
            windows::close_by(&mut steps, column, watermark.column);
        }
        // Conditions on records come first, so that a record is late only if the query wanted it.
        let is_filter = |step: &Step| matches!(step.node, Node::Filter(_));
        let leading = steps.iter().position(|step| !is_filter(step)).unwrap_or(steps.len());
        let mut terms: Vec<Expr> = Vec::with_capacity(leading);
        for step in steps.drain(..leading) {
            if let Node::Filter(filter) = step.node {
                terms.push(substituted(&filter, &piece.columns));
            }
        }
        filters.push(match terms.len() {
            0 => Expr::literal(Value::Boolean(true), DataType::Boolean),
            1 => terms.remove(0),
            _ => Expr { kind: ExprKind::And(terms), data_type: DataType::Boolean },
        });
        steps.push(tag(number, time, widths, &tagged));
        branches.push(branch(scan, steps, piece));
    }
    let inputs: Vec<Range<usize>> = pieces.iter().map(|piece| piece.inputs.clone()).collect();
    let mut steps = Vec::with_capacity(2);
    if filters.iter().any(|filter| !matches!(filter.kind, ExprKind::Literal(_))) {
        let filter = by_input(filters, &inputs, DataType::Boolean);
        steps.push(Step { node: Node::Filter(filter), schema: source.schema.clone() });
    }
    steps.push(Step { node: Node::Branches(BranchesNode { branches }), schema: tagged });
    (source, steps)
}

/// The rows of a side with its number and event time in front, and NULL for the columns of the other.
fn tag(number: usize, time: Expr, widths: [usize; 2], tagged: &Schema) -> Step {
    let own = match number {
        0 => 0..widths[0],
        _ => widths[0]..widths[0] + widths[1],
    };
    let mut exprs = vec![Expr::literal(Value::Int32(number as i32), DataType::Int), time];
    for (column, field) in tagged.fields[IntervalJoinNode::FIRST..].iter().enumerate() {
        exprs.push(match own.contains(&column) {
            true => Expr::column(column - own.start, field.data_type),
            false => Expr::literal(Value::Null, field.data_type),
        });
    }
    Step { node: Node::Project(exprs), schema: tagged.clone() }
}

/// Steps over a scan as a branch over its piece of the whole, reading the columns that they use.
fn branch(scan: Scan, steps: Vec<Step>, piece: &Piece) -> Branch {
    let mut plan = Plan { scan, steps, timing: Timing::default(), tables: Vec::new() };
    // The event time of the whole is looked at before.
    plan.scan.event_time = None;
    prune::prune(&mut plan);
    let exprs = plan.scan.projection.iter().map(|&column| piece.columns[column].clone()).collect();
    let mut steps = vec![Step { node: Node::Project(exprs), schema: plan.scan.schema() }];
    steps.extend(plan.steps);
    Branch { inputs: piece.inputs.clone(), steps }
}
