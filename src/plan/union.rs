//! UNION ALL in FROM: several sources read as one.
//!
//! The sources of all arms become one ([`super::branches`]). What an arm selects is computed by cases on the number of the
//! input, so filters, windows and groups over a UNION ALL are those of any other source. An arm that keeps state, joins or
//! cuts is read as a table first.

use std::ops::Range;
use std::sync::Arc;

use super::branches::{Piece, by_input, combined};
use super::coerce::{Bound, common_of};
use super::expr::{Expr, ExprKind};
use super::from::{Names, Relations};
use super::query::{Node, Scan, SourceDefinition, SourceInput, Step};
use super::relation::Relation;
use super::scope::wrong;
use crate::error::{Result, Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Field, Schema, Value};

/// An arm as one filter and one projection over its source.
pub(super) struct Arm {
    pub(super) scan: Scan,
    pub(super) filter: Option<Expr>,
    pub(super) exprs: Vec<Expr>,
    schema: Schema,
    /// The column that holds the watermarked one of the source.
    watermark: Option<usize>,
    bounded: bool,
    span: Span,
}

impl Relations<'_> {
    /// The rows of all `arms`.
    pub(super) fn union<'q>(&self, arms: &'q [ast::Query], names: &Names<'q>) -> Result<Relation> {
        let arms = arms.iter().map(|arm| self.arm(arm, names)).collect::<Result<Vec<_>>>()?;
        let width = arms[0].schema.len();
        for arm in &arms[1..] {
            if arm.schema.len() != width {
                let message = format!("this SELECT has {} columns, the first has {width}", arm.schema.len());
                return Err(SqlError::new(arm.span, message)
                    .with_help("UNION ALL puts columns together by place")
                    .into());
            }
        }
        let (source, pieces) = combined(&arms.iter().map(|arm| &arm.scan).collect::<Vec<_>>());
        let mut steps = Vec::from_iter(filter_step(&arms, &source, &pieces));
        let inputs: Vec<Range<usize>> = pieces.iter().map(|piece| piece.inputs.clone()).collect();
        let mut exprs = Vec::with_capacity(width);
        let mut fields = Vec::with_capacity(width);
        for column in 0..width {
            let cell =
                |(arm, piece): (&Arm, &Piece)| Bound::typed(substituted(&arm.exprs[column], &piece.columns), arm.span);
            let cells: Vec<Bound> = arms.iter().zip(&pieces).map(cell).collect();
            let data_type = common_of(&cells.iter().collect::<Vec<_>>(), "put into one column")?;
            let name = arms[0].schema.fields[column].name.clone();
            fields.push(Field::new(name, data_type));
            if arms.iter().all(|arm| arm.watermark == Some(column)) {
                exprs.push(Expr::column(SourceInput::EVENT_TIME, DataType::Timestamp));
                continue;
            }
            let cells = cells.into_iter().map(|cell| cell.coerce(data_type)).collect::<Result<Vec<_>, _>>()?;
            exprs.push(by_input(cells, &inputs, data_type));
        }
        steps.push(Step { node: Node::Project(exprs), schema: Schema::new(fields) });
        let projection = (0..source.schema.len()).collect();
        let (bounded, name) = (arms.iter().all(|arm| arm.bounded), source.name.clone());
        let scan = Scan { source: Arc::new(source), projection, event_time: None };
        Ok(Relation { scan, steps, parts: Vec::new(), bounded, name })
    }

    fn arm<'q>(&self, query: &'q ast::Query, names: &Names<'q>) -> Result<Arm> {
        let mut relation = self.query(query, names)?;
        if !relation.is_plain() {
            if !relation.bounded {
                let message = "an arm of UNION ALL over an unbounded source takes columns and filters only";
                let help = "group, join or cut around the UNION ALL: SELECT ... FROM (... UNION ALL ...) AS u";
                return Err(wrong(query.span, message, help).into());
            }
            let (schema, name) = (relation.schema(), format!("query at {}:{}", query.span.line, query.span.column));
            let table = self.table(relation, name, query.span)?;
            relation = self.read_table(table, schema);
        }
        Ok(Arm::new(relation, query.span))
    }
}

impl Arm {
    /// From filters and projections over a source.
    pub(super) fn new(relation: Relation, span: Span) -> Self {
        let watermark = relation.watermark().map(|watermark| watermark.column);
        let schema = relation.schema();
        let (filter, exprs) = flattened(&relation);
        Self { scan: relation.scan, filter, exprs, schema, watermark, bounded: relation.bounded, span }
    }
}

/// One filter and one projection that do what the steps do, over the scan's columns.
fn flattened(relation: &Relation) -> (Option<Expr>, Vec<Expr>) {
    let fields = relation.scan.source.schema.fields.iter().enumerate();
    let mut exprs: Vec<Expr> = fields.map(|(index, field)| Expr::column(index, field.data_type)).collect();
    let mut filters = Vec::new();
    for step in &relation.steps {
        match &step.node {
            Node::Filter(filter) => filters.push(substituted(filter, &exprs)),
            Node::Project(computed) => exprs = computed.iter().map(|expr| substituted(expr, &exprs)).collect(),
            _ => {}
        }
    }
    let filter = match filters.len() {
        0 | 1 => filters.pop(),
        _ => Some(Expr { kind: ExprKind::And(filters), data_type: DataType::Boolean }),
    };
    (filter, exprs)
}

/// `expr` with `columns` in place of its columns.
pub(super) fn substituted(expr: &Expr, columns: &[Expr]) -> Expr {
    if let ExprKind::Column(index) = expr.kind {
        return columns[index].clone();
    }
    let mut expr = expr.clone();
    for child in expr.children_mut() {
        *child = substituted(child, columns);
    }
    expr
}

/// The filters of all arms as one step over their source, of which each is one of `pieces`; `None` if no arm has one.
pub(super) fn filter_step(arms: &[Arm], source: &SourceDefinition, pieces: &[Piece]) -> Option<Step> {
    if arms.iter().all(|arm| arm.filter.is_none()) {
        return None;
    }
    let passes = |(arm, piece): (&Arm, &Piece)| match &arm.filter {
        Some(filter) => substituted(filter, &piece.columns),
        None => Expr::literal(Value::Boolean(true), DataType::Boolean),
    };
    let inputs: Vec<Range<usize>> = pieces.iter().map(|piece| piece.inputs.clone()).collect();
    let filter = by_input(arms.iter().zip(pieces).map(passes).collect(), &inputs, DataType::Boolean);
    Some(Step { node: Node::Filter(filter), schema: source.schema.clone() })
}
