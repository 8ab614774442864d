//! The compiled form of an expression: patterns and lists prepared, constant parts computed.

use bumpalo::Bump;

use super::datum::{Datum, Scalar, Scope};
use super::failures::RowFailures;
use super::in_list::ConstantSet;
use super::like::Pattern;
use crate::function::{Prepared, RowFunction};
use crate::kernel::Simd;
use crate::kernel::compare::Comparison;
use crate::plan::{ArithmeticOp, CompareOp, Expr, ExprKind, Function};
use crate::types::{DataType, Value};

/// An operation and its result type.
#[derive(Debug)]
pub(super) struct Node {
    pub op: Op,
    pub data_type: DataType,
}

/// What a node computes; see [`ExprKind`] for the meaning.
#[derive(Debug)]
pub(super) enum Op {
    Column(usize),
    Constant(Value),
    Not(Box<Node>),
    Negate(Box<Node>),
    IsNull { arg: Box<Node>, negated: bool },
    Arithmetic { op: ArithmeticOp, left: Box<Node>, right: Box<Node> },
    Compare { op: Comparison, left: Box<Node>, right: Box<Node> },
    And(Vec<Node>),
    Or(Vec<Node>),
    Case { branches: Vec<(Node, Node)>, otherwise: Option<Box<Node>> },
    Cast(Box<Node>),
    TryCast(Box<Node>),
    Like { arg: Box<Node>, pattern: Pattern, negated: bool },
    InList { arg: Box<Node>, set: ConstantSet, has_null: bool, negated: bool },
    Call { function: Function, args: Vec<Node> },
    Row { function: RowFunction, prepared: Prepared, args: Vec<Node>, types: Vec<DataType> },
}

impl Node {
    /// Compiles an expression and computes its constant parts, except those that fail: they must fail the rows that
    /// reach them, and no others.
    pub fn compile(expr: &Expr) -> Self {
        let boxed = |expr: &Expr| Box::new(Self::compile(expr));
        let all = |exprs: &[Expr]| exprs.iter().map(Self::compile).collect::<Vec<_>>();
        let op = match &expr.kind {
            ExprKind::Column(index) => Op::Column(*index),
            ExprKind::Literal(value) => {
                assert!(value.fits(expr.data_type), "the planner typed the literal {value:?} as {}", expr.data_type);
                Op::Constant(value.clone())
            }
            ExprKind::Not(arg) => Op::Not(boxed(arg)),
            ExprKind::Negate(arg) => Op::Negate(boxed(arg)),
            ExprKind::IsNull { arg, negated } => Op::IsNull { arg: boxed(arg), negated: *negated },
            ExprKind::Arithmetic { op, left, right } => {
                Op::Arithmetic { op: *op, left: boxed(left), right: boxed(right) }
            }
            ExprKind::Compare { op, left, right } => {
                Op::Compare { op: comparison(*op), left: boxed(left), right: boxed(right) }
            }
            ExprKind::And(args) => Op::And(all(args)),
            ExprKind::Or(args) => Op::Or(all(args)),
            ExprKind::Case { branches, otherwise } => Op::Case {
                branches: branches.iter().map(|(when, then)| (Self::compile(when), Self::compile(then))).collect(),
                otherwise: otherwise.as_deref().map(boxed),
            },
            ExprKind::Cast(arg) => Op::Cast(boxed(arg)),
            ExprKind::TryCast(arg) => Op::TryCast(boxed(arg)),
            ExprKind::Like { arg, pattern, negated, escape, case_insensitive } => Op::Like {
                arg: boxed(arg),
                pattern: Pattern::new(pattern, *escape, *case_insensitive),
                negated: *negated,
            },
            ExprKind::TableValue(_) | ExprKind::InTable { .. } | ExprKind::TableExists(_) => {
                panic!("tables are read, and become constants, before expressions are compiled")
            }
            ExprKind::InList { arg, list, has_null, negated } => Op::InList {
                set: ConstantSet::new(arg.data_type, list),
                arg: boxed(arg),
                has_null: *has_null,
                negated: *negated,
            },
            ExprKind::Call { function: Function::Row(function), args } => Self::row(*function, all(args)),
            ExprKind::Call { function, args } => Op::Call { function: *function, args: all(args) },
        };
        Self { op, data_type: expr.data_type }.fold()
    }

    fn row(function: RowFunction, args: Vec<Self>) -> Op {
        let text = |node: &Self| match &node.op {
            Op::Constant(Value::Utf8(text)) => Some(text.clone()),
            _ => None,
        };
        let literals: Vec<Option<Box<str>>> = args.iter().map(text).collect();
        let literals: Vec<Option<&str>> = literals.iter().map(|text| text.as_deref()).collect();
        // The planner has refused wrong literals; a constant that was computed fails the rows that reach it.
        let prepared = function.prepare(&literals).unwrap_or(Prepared::None);
        let types = args.iter().map(|arg| arg.data_type).collect();
        Op::Row { function, prepared, args, types }
    }

    fn fold(self) -> Self {
        if matches!(self.op, Op::Column(_) | Op::Constant(_)) || !self.operands_are_constant() {
            return self;
        }
        let arena = Bump::new();
        match self.evaluate_once(&arena) {
            Some(value) => Self { op: Op::Constant(value), data_type: self.data_type },
            None => self,
        }
    }

    fn operands_are_constant(&self) -> bool {
        let constant = |node: &Self| matches!(node.op, Op::Constant(_));
        match &self.op {
            Op::Column(_) => false,
            Op::Constant(_) => true,
            Op::Not(arg) | Op::Negate(arg) | Op::Cast(arg) | Op::TryCast(arg) => constant(arg),
            Op::IsNull { arg, .. } | Op::Like { arg, .. } | Op::InList { arg, .. } => constant(arg),
            Op::Arithmetic { left, right, .. } | Op::Compare { left, right, .. } => constant(left) && constant(right),
            Op::And(args) | Op::Or(args) | Op::Call { args, .. } | Op::Row { args, .. } => args.iter().all(constant),
            Op::Case { branches, otherwise } => {
                branches.iter().all(|(when, then)| constant(when) && constant(then))
                    && otherwise.as_deref().is_none_or(constant)
            }
        }
    }

    /// The value of an expression without columns; `None` if it fails.
    fn evaluate_once(&self, arena: &Bump) -> Option<Value> {
        let scope = Scope { columns: &[], rows: 1, arena, simd: Simd::WIDE };
        let mut failures = RowFailures::new(arena, 1);
        let datum = self.evaluate(scope, None, &mut failures);
        failures.is_empty().then(|| first_value(&datum))
    }
}

/// The value of row 0.
pub(super) fn first_value(datum: &Datum<'_>) -> Value {
    match datum {
        Datum::Constant(Scalar::Null) => Value::Null,
        Datum::Constant(Scalar::Boolean(value)) => Value::Boolean(*value),
        Datum::Constant(Scalar::Int32(value)) => Value::Int32(*value),
        Datum::Constant(Scalar::Int64(value)) => Value::Int64(*value),
        Datum::Constant(Scalar::Float64(value)) => Value::Float64(*value),
        Datum::Constant(Scalar::Int128(value)) => Value::Int128(*value),
        Datum::Constant(Scalar::Utf8(value)) => Value::Utf8(String::from_utf8_lossy(value).into()),
        Datum::Column(column) => column.value(0),
    }
}

fn comparison(op: CompareOp) -> Comparison {
    match op {
        CompareOp::Equal => Comparison::Equal,
        CompareOp::NotEqual => Comparison::NotEqual,
        CompareOp::Less => Comparison::Less,
        CompareOp::LessOrEqual => Comparison::LessOrEqual,
        CompareOp::Greater => Comparison::Greater,
        CompareOp::GreaterOrEqual => Comparison::GreaterOrEqual,
    }
}
