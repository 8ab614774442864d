//! Tables of a job: queries over bounded sources that are read completely before its stream starts.
//!
//! A plan names them by number, in expressions ([`ExprKind::TableValue`] and its like) and in [`LookupNode`]; whoever runs the
//! job reads them in order and puts what they held into the plan, so that operators meet constants and indexed tables only.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::expr::{Expr, ExprKind};
use super::query::{AggregateCall, Node, Plan, SourceDefinition, Step};
use crate::batch::KeyedTable;
use crate::types::{Schema, Value};

/// A query whose rows are read before the job starts.
#[derive(Debug, Clone, PartialEq)]
pub struct TablePlan {
    /// What errors and EXPLAIN call it.
    pub name: String,
    /// Columns.
    pub schema: Schema,
    /// Where its rows are.
    pub input: TableInput,
}

/// Where the rows of a table are.
#[derive(Debug, Clone, PartialEq)]
pub enum TableInput {
    /// To be computed. The plan may name tables before this one.
    Query(Box<Plan>),
    /// VALUES, or what was computed.
    Rows(Vec<RecordBatch>),
}

/// Joins each row with the rows of a table that have its key. Output columns: the input's, then `columns` of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupNode {
    /// The table.
    pub table: usize,
    /// LEFT JOIN: rows without a partner stay, with NULLs for the table's columns.
    pub outer: bool,
    /// What is equal: an expression over the input and a column of the table, of one type. NULL equals nothing.
    pub keys: Vec<(Expr, usize)>,
    /// Columns of the table that are passed on.
    pub columns: Vec<usize>,
    /// The table, once it has been read.
    pub loaded: Option<Arc<KeyedTable>>,
}

/// How many rows may come of each that goes into `steps`, whose tables have been read: that many places it has in the result.
pub fn places_of_row(steps: &[Step]) -> u32 {
    let places = steps.iter().map(|step| match &step.node {
        Node::Lookup(node) => node.loaded.as_ref().map_or(1, |table| table.most()),
        Node::Windows(node) => node.most(),
        Node::Branches(node) => node.branches.iter().map(|branch| places_of_row(&branch.steps)).max().unwrap_or(1),
        _ => 1,
    });
    places.fold(1, u32::saturating_mul)
}

impl Node {
    /// The expressions of this step.
    pub fn exprs_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Self::Filter(expr) => vec![expr],
            Self::Project(exprs) => exprs.iter_mut().collect(),
            Self::Aggregate(node) => {
                let inside = node.calls.iter_mut().flat_map(AggregateCall::exprs_mut);
                node.keys.iter_mut().chain(inside).collect()
            }
            Self::Rows(node) => {
                let args = node.calls.iter_mut().filter_map(|call| call.arg.as_mut());
                node.partition_by.iter_mut().chain(args).collect()
            }
            Self::Frames(node) => node.exprs_mut().collect(),
            Self::Lookup(node) => node.keys.iter_mut().map(|(key, _)| key).collect(),
            Self::IntervalJoin(node) => {
                let keys = node.keys.iter_mut().flat_map(|(left, right)| [left, right]);
                keys.chain(&mut node.residual).collect()
            }
            Self::AsOf(node) => node.keys.iter_mut().flat_map(|(left, right)| [left, right]).collect(),
            Self::First(node) => node.keys.iter_mut().collect(),
            // Steps of branches are nodes of their own.
            Self::Branches(_) | Self::Windows(_) | Self::Rank(_) | Self::Sort(_) | Self::Limit { .. } => Vec::new(),
        }
    }
}

impl SourceDefinition {
    /// The sources that are read: its inputs, or itself.
    pub fn read(&self) -> impl Iterator<Item = &Self> {
        let own = self.inputs.is_empty().then_some(self);
        self.inputs.iter().map(|input| &*input.source).chain(own)
    }
}

impl Plan {
    /// All sources that the job reads: those of its tables, then the scan's.
    pub fn sources(&self) -> impl Iterator<Item = &SourceDefinition> {
        let tables = self.tables.iter().filter_map(|table| match &table.input {
            TableInput::Query(plan) => Some(&*plan.scan.source),
            TableInput::Rows(_) => None,
        });
        tables.chain([&*self.scan.source]).flat_map(SourceDefinition::read)
    }

    /// Puts what tables held into the expressions: `answer` gives the constant that an expression over a table has become.
    pub fn answer_tables<E>(&mut self, answer: &mut impl FnMut(&Expr) -> Result<Option<ExprKind>, E>) -> Result<(), E> {
        self.change_nodes(&mut |node| node.exprs_mut().into_iter().try_for_each(|expr| expr.replace(answer)))
    }
}

impl Expr {
    /// Replaces, parents first, what `with` has an answer for.
    fn replace<E>(&mut self, with: &mut impl FnMut(&Expr) -> Result<Option<ExprKind>, E>) -> Result<(), E> {
        if let Some(kind) = with(self)? {
            self.kind = kind;
        }
        for child in self.children_mut() {
            child.replace(with)?;
        }
        Ok(())
    }
}

/// `arg IN (values)` as three-valued logic has it: over no values it is FALSE, whatever the operand.
pub fn in_values(arg: &Expr, values: Vec<Value>, has_null: bool, negated: bool) -> ExprKind {
    if values.is_empty() && !has_null {
        return ExprKind::Literal(Value::Boolean(negated));
    }
    ExprKind::InList { arg: Box::new(arg.clone()), list: values, has_null, negated }
}
