//! Several sources read as one, of which some take steps of their own before they meet the others.
//!
//! The splits of all sources become splits of one: each row says which input it is of, carries the event time of its source,
//! and the columns of every input, NULL but for its own. Sources that are read as one already stay so, their inputs among
//! those of the whole. A side of a join that groups or joins itself is a branch: a chain of steps for the rows of its inputs.

use std::ops::Range;
use std::sync::Arc;

use super::expr::{CompareOp, Expr, ExprKind};
use super::query::{EventTimeColumn, Node, Plan, Scan, SourceDefinition, SourceInput, Step};
use crate::error::Result;
use crate::types::{DataType, Field, Options, Schema, Value};

/// Sends the rows of each input through the steps of its branch. What leaves a branch is of the node's schema. Its first
/// input column is [`SourceInput::NUMBER`].
#[derive(Debug, Clone, PartialEq)]
pub struct BranchesNode {
    /// In the order of their inputs; each input is one branch's.
    pub branches: Vec<Branch>,
}

/// Steps for the rows of some inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Numbers of its inputs.
    pub inputs: Range<usize>,
    /// The steps; the first reads what the node does.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of a branch of step `index`, over the rows that reach that step.
    pub fn branch(&self, index: usize, branch: &Branch) -> Self {
        let schema = self.input_of(index);
        let projection = (0..schema.len()).collect();
        let source = SourceDefinition {
            name: self.scan.source.name.clone(),
            schema,
            options: Options::new(),
            watermark: None,
            keyed_by: Vec::new(),
            inputs: Vec::new(),
        };
        let scan = Scan { source: Arc::new(source), projection, event_time: self.scan.event_time };
        Self { scan, steps: branch.steps.clone(), timing: self.timing.clone(), tables: Vec::new() }
    }

    /// Whether windows over records close, here or in a branch.
    pub fn closes_windows(&self) -> bool {
        let Some((index, Step { node: Node::Branches(node), .. })) = self.keyed_step() else {
            return self.lateness().is_some();
        };
        node.branches.iter().any(|branch| self.branch(index, branch).closes_windows())
    }

    /// Lets `f` change every node, those of branches included.
    pub fn change_nodes<E>(&mut self, f: &mut impl FnMut(&mut Node) -> Result<(), E>) -> Result<(), E> {
        change_nodes(&mut self.steps, f)
    }
}

fn change_nodes<E>(steps: &mut [Step], f: &mut impl FnMut(&mut Node) -> Result<(), E>) -> Result<(), E> {
    for step in steps {
        f(&mut step.node)?;
        if let Node::Branches(node) = &mut step.node {
            for branch in &mut node.branches {
                change_nodes(&mut branch.steps, f)?;
            }
        }
    }
    Ok(())
}

/// What a scan has become among others.
pub(super) struct Piece {
    /// Numbers of its inputs.
    pub(super) inputs: Range<usize>,
    /// Each of its columns, over the columns of the whole.
    pub(super) columns: Vec<Expr>,
}

/// The sources of all scans as one, and what has become of each.
pub(super) fn combined(scans: &[&Scan]) -> (SourceDefinition, Vec<Piece>) {
    let mut fields = vec![Field::new("input", DataType::Int), Field::new("event_time", DataType::Timestamp)];
    let mut inputs: Vec<SourceInput> = Vec::with_capacity(scans.len());
    let mut pieces = Vec::with_capacity(scans.len());
    for scan in scans {
        let (first, start) = (inputs.len(), fields.len());
        let mut place = |source: &Arc<SourceDefinition>| {
            inputs.push(SourceInput { source: Arc::clone(source), start: fields.len() });
            fields.extend(source.schema.fields.iter().map(|field| Field::new(&field.name, field.data_type)));
        };
        if scan.source.inputs.is_empty() {
            place(&scan.source);
        } else {
            scan.source.inputs.iter().for_each(|input| place(&input.source));
        }
        let within = |(column, field): (usize, &Field)| match column {
            SourceInput::NUMBER if !scan.source.inputs.is_empty() => renumbered(first..inputs.len()),
            SourceInput::EVENT_TIME if !scan.source.inputs.is_empty() => Expr::column(column, field.data_type),
            _ if scan.source.inputs.is_empty() => Expr::column(start + column, field.data_type),
            // The columns of inputs follow each other in both.
            _ => Expr::column(start + column - (SourceInput::EVENT_TIME + 1), field.data_type),
        };
        let columns = scan.source.schema.fields.iter().enumerate().map(within).collect();
        pieces.push(Piece { inputs: first..inputs.len(), columns });
    }
    // The watermark of every input stays as far behind as the one that stays behind most.
    let bounds: Option<Vec<i64>> = scans.iter().map(|scan| Some(scan.source.watermark?.bound_us)).collect();
    let watermark = bounds
        .and_then(|bounds| bounds.into_iter().max())
        .map(|bound_us| EventTimeColumn { column: SourceInput::EVENT_TIME, bound_us });
    let names: Vec<&str> = scans.iter().map(|scan| scan.source.name.as_str()).collect();
    let name = names.join(" + ");
    let schema = Schema::new(fields);
    (SourceDefinition { name, schema, options: Options::new(), watermark, keyed_by: Vec::new(), inputs }, pieces)
}

/// The number of a row's input, counted from the first of `inputs`.
fn renumbered(inputs: Range<usize>) -> Expr {
    let number = |number: usize| Expr::literal(Value::Int32(number as i32), DataType::Int);
    if inputs.start == 0 {
        return Expr::column(SourceInput::NUMBER, DataType::Int);
    }
    let is = |input: usize| {
        let left = Box::new(Expr::column(SourceInput::NUMBER, DataType::Int));
        let kind = ExprKind::Compare { op: CompareOp::Equal, left, right: Box::new(number(input)) };
        (Expr { kind, data_type: DataType::Boolean }, number(input - inputs.start))
    };
    let branches = inputs.clone().map(is).collect();
    Expr { kind: ExprKind::Case { branches, otherwise: None }, data_type: DataType::Int }
}

/// The value that stands for the row's input: one for each of `inputs`, which follow each other.
pub(super) fn by_input(values: Vec<Expr>, inputs: &[Range<usize>], data_type: DataType) -> Expr {
    let mut values: Vec<(Expr, &Range<usize>)> = values.into_iter().zip(inputs).collect();
    let otherwise = values.pop().map(|(last, _)| Box::new(last));
    let within = |(then, inputs): (Expr, &Range<usize>)| {
        let (op, number) = match inputs.len() {
            1 => (CompareOp::Equal, inputs.start),
            _ => (CompareOp::Less, inputs.end),
        };
        let left = Box::new(Expr::column(SourceInput::NUMBER, DataType::Int));
        let right = Box::new(Expr::literal(Value::Int32(number as i32), DataType::Int));
        (Expr { kind: ExprKind::Compare { op, left, right }, data_type: DataType::Boolean }, then)
    };
    let branches: Vec<_> = values.into_iter().map(within).collect();
    Expr { kind: ExprKind::Case { branches, otherwise }, data_type }
}
