//! The evaluator's face, and the dispatch from nodes to the files that compute them.

use bumpalo::Bump;

use super::call::Call;
use super::compile::{Node, Op, first_value};
use super::datum::{Datum, Mask, Scalar, Scope};
use super::failures::RowFailures;
use super::{arithmetic, cast, compare, logic, moment, text};
use crate::batch::{Column, Selection};
use crate::kernel::compare::Comparison;
use crate::kernel::{Simd, bitmap, selection as selections};
use crate::plan::{Expr, Function};
use crate::types::{DataType, Value};

/// The compiled form of one expression, made once and run for every batch.
#[derive(Debug)]
pub struct Evaluator {
    root: Node,
}

impl Evaluator {
    /// One row of so many must pass for a mask to be better than a list. Any value is correct.
    const MASKED_SHARE: usize = 4;

    /// Compiles an expression. Panics on one that the planner must not build (a type that the operation does not take).
    pub fn new(expr: &Expr) -> Self {
        Self { root: Node::compile(expr) }
    }

    /// Whether the expression is a column or a constant: nothing is computed, nothing fails.
    pub fn is_plain(&self) -> bool {
        matches!(self.root.op, Op::Column(_) | Op::Constant(_))
    }

    /// Type of the result.
    pub fn data_type(&self) -> DataType {
        self.root.data_type
    }

    /// The expression's value in each of `rows` rows. Rows outside `selection` hold anything (of the right layout) and
    /// record no failure; rows that failed are recorded and NULL.
    pub fn evaluate<'a>(
        &self,
        columns: &[Column<'a>],
        rows: usize,
        selection: Selection<'_>,
        arena: &'a Bump,
        failures: &mut RowFailures<'_>,
        simd: Simd,
    ) -> Column<'a> {
        let scope = Scope { columns, rows, arena, simd };
        let datum = self.run(scope, selection, failures);
        scope.column(datum, self.root.data_type.physical())
    }

    /// The rows for which a BOOLEAN expression is TRUE, of those in `selection`: a mask if they are many, else a list.
    /// Rows that failed, here or before, are not among them.
    pub fn select<'a>(
        &self,
        columns: &[Column<'a>],
        rows: usize,
        selection: Selection<'a>,
        arena: &'a Bump,
        failures: &mut RowFailures<'_>,
        simd: Simd,
    ) -> Selection<'a> {
        let scope = Scope { columns, rows, arena, simd };
        let datum = self.run(scope, selection, failures);
        match datum {
            Datum::Constant(Scalar::Boolean(true)) if failures.is_empty() => return selection,
            Datum::Constant(Scalar::Boolean(false) | Scalar::Null) => return Selection::Rows(&[]),
            _ => {}
        }
        let (values, validity) = scope.truth(datum);
        let mut passing = values;
        if validity.is_some() || !failures.is_empty() {
            let words = scope.copy(scope.both(Some(values), validity));
            if let Some(failed) = failures.words() {
                bitmap::and_not(words, failed);
            }
            passing = words;
        }
        if let Selection::Rows(rows) = selection {
            let room = arena.alloc_slice_fill_copy(rows.len(), 0);
            let filled = selections::restrict(simd, passing, rows, room);
            return Selection::Rows(&room[..filled]);
        }
        if let Selection::Mask(words) = selection {
            let both = scope.copy(Some(passing));
            bitmap::and(both, words);
            passing = both;
        }
        let count = bitmap::count(passing);
        if count == rows {
            Selection::All
        } else if count * Self::MASKED_SHARE >= rows {
            Selection::Mask(passing)
        } else {
            let room = arena.alloc_slice_fill_copy(count, 0);
            selections::from_bitmap(simd, passing, room);
            Selection::Rows(room)
        }
    }

    fn run<'a>(&self, scope: Scope<'_, 'a>, selection: Selection<'_>, failures: &mut RowFailures<'_>) -> Datum<'a> {
        // A column needs no mask: nothing is computed.
        let active = match selection {
            _ if self.is_plain() => None,
            Selection::All => None,
            Selection::Rows(rows) => {
                let words = scope.bitmap();
                bitmap::from_selection(rows, words);
                Some(&*words)
            }
            Selection::Mask(words) => Some(&*scope.copy(Some(words))),
        };
        self.root.evaluate(scope, active, failures)
    }
}

/// The value of an expression without columns; the reason if it has none.
pub fn evaluate_constant(expr: &Expr) -> Result<Value, String> {
    let mut is_constant = true;
    expr.visit(&mut |part| is_constant &= !matches!(part.kind, crate::plan::ExprKind::Column(_)));
    if !is_constant {
        return Err("expected a constant, found a column".into());
    }
    let arena = Bump::new();
    let scope = Scope { columns: &[], rows: 1, arena: &arena, simd: Simd::WIDE };
    let mut failures = RowFailures::new(&arena, 1);
    let datum = Node::compile(expr).evaluate(scope, None, &mut failures);
    match failures.reason(0) {
        Some(reason) => Err(reason.to_string()),
        None => Ok(first_value(&datum)),
    }
}

impl Node {
    /// Value of this node in every row; `active` are the rows that count.
    pub fn evaluate<'a>(&self, scope: Scope<'_, 'a>, active: Mask<'a>, failures: &mut RowFailures<'_>) -> Datum<'a> {
        let mut operand = |node: &Node| node.evaluate(scope, active, failures);
        match &self.op {
            Op::Column(index) => Datum::Column(scope.columns[*index]),
            Op::Constant(value) => Datum::Constant(scope.scalar(value)),
            Op::Not(arg) => logic::not(scope, operand(arg)),
            Op::Negate(arg) => {
                let arg = operand(arg);
                arithmetic::negate(scope, arg, self.data_type, active, failures)
            }
            Op::IsNull { arg, negated } => logic::is_null(scope, operand(arg), *negated),
            Op::Arithmetic { op, left, right } => {
                let (left, right) = (operand(left), operand(right));
                arithmetic::arithmetic(scope, *op, left, right, self.data_type, active, failures)
            }
            Op::Compare { op, left, right } => {
                let (left, right) = (operand(left), operand(right));
                compare::compare(scope, *op, left, right, active)
            }
            Op::And(args) => logic::connect(scope, logic::Connective::And, args, active, failures),
            Op::Or(args) => logic::connect(scope, logic::Connective::Or, args, active, failures),
            Op::Case { branches, otherwise } => {
                logic::case(scope, branches, otherwise.as_deref(), self.data_type, active, failures)
            }
            Op::Cast(arg) => {
                let value = operand(arg);
                cast::cast(scope, value, arg.data_type, self.data_type, active, failures)
            }
            Op::Like { arg, pattern, negated } => {
                let arg = operand(arg);
                text::test(scope, arg, active, |text| pattern.matches(text) != *negated)
            }
            Op::InList { arg, set, has_null, negated } => {
                let arg = operand(arg);
                set.test(scope, arg, *has_null, *negated, active)
            }
            Op::TryCast(arg) => {
                let value = operand(arg);
                // Rows that fail here are NULL in the result; that they failed is forgotten.
                let mut forgotten = RowFailures::new(scope.arena, scope.rows);
                cast::cast(scope, value, arg.data_type, self.data_type, active, &mut forgotten)
            }
            Op::Row { function, prepared, args, types } => {
                let datums = scope.arena.alloc_slice_fill_with(args.len(), |i| operand(&args[i]));
                let call = Call { function: *function, prepared, types, data_type: self.data_type };
                call.evaluate(scope, datums, active, failures)
            }
            Op::Call { function, args } => self.call(*function, args, scope, active, failures),
        }
    }

    fn call<'a>(
        &self,
        function: Function,
        args: &[Node],
        scope: Scope<'_, 'a>,
        active: Mask<'a>,
        failures: &mut RowFailures<'_>,
    ) -> Datum<'a> {
        let data_type = self.data_type;
        let mut operand = |i: usize| args[i].evaluate(scope, active, failures);
        match function {
            Function::Coalesce => logic::coalesce(scope, args, data_type, active, failures),
            Function::NullIf => {
                let (left, right) = (operand(0), operand(1));
                logic::null_if(scope, left, right, data_type, active)
            }
            Function::Greatest | Function::Least => {
                let better = if function == Function::Greatest { Comparison::Greater } else { Comparison::Less };
                let datums = scope.arena.alloc_slice_fill_with(args.len(), operand);
                logic::extreme(scope, datums, better, data_type, active, failures)
            }
            Function::Distinct => {
                let (left, right) = (operand(0), operand(1));
                logic::distinct(scope, left, right, active)
            }
            Function::ConcatWs => {
                let parts = scope.arena.alloc_slice_fill_with(args.len(), operand);
                text::concat_with(scope, parts, active, failures)
            }
            Function::Row(_) => panic!("a function of rows is compiled to a node of its own"),
            Function::Abs => {
                let arg = operand(0);
                arithmetic::abs(scope, arg, data_type, active, failures)
            }
            Function::Round => {
                let arg = operand(0);
                let digits = if args.len() > 1 { operand(1) } else { Datum::Constant(Scalar::Int64(0)) };
                arithmetic::round(scope, arg, digits, data_type, active, failures)
            }
            Function::Floor | Function::Ceil => {
                let arg = operand(0);
                arithmetic::whole(scope, arg, function == Function::Ceil, data_type, active, failures)
            }
            Function::Upper => {
                let arg = operand(0);
                text::map(scope, arg, active, failures, text::upper)
            }
            Function::Lower => {
                let arg = operand(0);
                text::map(scope, arg, active, failures, text::lower)
            }
            Function::Trim => {
                let arg = operand(0);
                text::map(scope, arg, active, failures, text::trim)
            }
            Function::Length => text::length(scope, operand(0), active),
            Function::Substring => {
                let (arg, start) = (operand(0), operand(1));
                let length = if args.len() > 2 { Some(operand(2)) } else { None };
                text::substring(scope, arg, start, length, active, failures)
            }
            Function::Concat | Function::ConcatOperator => {
                let parts = scope.arena.alloc_slice_fill_with(args.len(), operand);
                text::concat(scope, parts, function == Function::ConcatOperator, active, failures)
            }
            Function::DateTrunc(part) => {
                let arg = operand(0);
                moment::truncate(scope, arg, part, active, failures)
            }
            Function::Extract(part) => moment::extract(scope, operand(0), part),
        }
    }
}
