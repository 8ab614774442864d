//! By which key rows find the partition that owns them, where several steps keep state: what the keys of all have in common.
//!
//! The keys of the last such step are followed down to the first. A step lets through what is part of its own key: rows
//! that meet there are equal in it. So every step finds all rows of its keys where the first one put them, and what
//! is computed there is what one partition with all rows would compute.

use super::branches::{Branch, BranchesNode, by_input};
use super::explain::text;
use super::expr::{Expr, ExprKind};
use super::interval::{IntervalJoinNode, keys_of_sides};
use super::query::{Emit, Node, Plan, SourceInput, Step};
use super::union::substituted;
use crate::types::DataType;

impl Plan {
    /// The key whose rows must meet in one partition, over what the first step that keeps state reads. Empty if all rows
    /// must meet.
    pub fn owner_keys(&self) -> Vec<Expr> {
        let Some((first, _)) = self.keyed_step() else { return Vec::new() };
        // Numbered rows leave in an order of values, which no partition knows of all.
        let last = self.steps.iter().rev().find(|step| step.node.is_keyed());
        if matches!(last, Some(Step { node: Node::Rank(_), .. })) && !self.sorts() {
            return Vec::new();
        }
        // What a batch of results is would show how rows were dealt.
        let per_batch = |step: &Step| matches!(&step.node, Node::Aggregate(node) if node.emit == Emit::ChangesPerBatch);
        if self.is_chained() && self.steps.iter().any(per_batch) {
            return Vec::new();
        }
        followed(&self.steps[first..], None).unwrap_or_default()
    }
}

/// Which of `keys`, columns that rows behind the last of `steps` are to meet by, can be told from what the first reads; `None`
/// stands for those of the last step that keeps state.
fn followed(steps: &[Step], keys: Option<Vec<Expr>>) -> Option<Vec<Expr>> {
    let Some((step, before)) = steps.split_last() else { return keys };
    let kept = |own: &[Expr]| match &keys {
        None => own.to_vec(),
        Some(keys) => keys.iter().filter(|key| own.contains(key)).cloned().collect(),
    };
    let keys = match &step.node {
        Node::Filter(_) | Node::Sort(_) | Node::Limit { .. } => keys,
        Node::Project(exprs) => keys.map(|keys| keys.iter().map(|key| substituted(key, exprs)).collect()),
        Node::Lookup(_) | Node::Windows(_) => {
            let added = if let Node::Lookup(node) = &step.node { node.columns.len() } else { 2 };
            let columns = step.schema.len() - added;
            let is_own = |key: &Expr| column(key).is_some_and(|column| column < columns);
            keys.map(|keys| keys.into_iter().filter(is_own).collect())
        }
        Node::Aggregate(node) => Some(match keys {
            None => node.keys.clone(),
            Some(keys) => keys.iter().filter_map(|key| node.keys.get(column(key)?).cloned()).collect(),
        }),
        Node::Rows(node) => Some(kept(&node.partition_by)),
        Node::Frames(node) => Some(kept(&node.partition_by)),
        Node::First(node) => Some(kept(&node.keys)),
        Node::IntervalJoin(node) => {
            let keys = of_join(&node.keys, node.left_columns, [node.right_outer, node.left_outer], keys);
            return of_sides(before, keys);
        }
        Node::AsOf(node) => return of_sides(before, of_join(&node.keys, node.left_columns, [false, node.outer], keys)),
        Node::Rank(node) => {
            let column = |&column: &usize| Expr::column(column, step.schema.fields[column].data_type);
            // Steps that follow see rows in the order of all numbers.
            Some(if keys.is_none() { node.partition_by.iter().map(column).collect() } else { Vec::new() })
        }
        Node::Branches(_) => panic!("a join follows the branches of its sides"),
    };
    followed(before, keys)
}

/// The pairs of equal columns of a join that tell `keys`, columns of its result; `absent`: whether a row of the left side, and of
/// the right one, may be absent there, so that a column of it is NULL wherever the other row is.
fn of_join(
    pairs: &[(Expr, Expr)],
    left_columns: usize,
    absent: [bool; 2],
    keys: Option<Vec<Expr>>,
) -> Vec<(Expr, Expr)> {
    let Some(keys) = keys else { return pairs.to_vec() };
    let first = IntervalJoinNode::FIRST;
    let pair = |key: &Expr| {
        if let Some((of_left, of_right)) = either(key) {
            let is_told = |(left, right): &&(Expr, Expr)| {
                (column(left), column(right)) == (Some(first + of_left), Some(first + of_right))
            };
            return pairs.iter().find(is_told).cloned();
        }
        let key = column(key)?;
        let is_right = key >= left_columns;
        let is_told = |(left, right): &&(Expr, Expr)| column(if is_right { right } else { left }) == Some(first + key);
        pairs.iter().find(is_told).filter(|_| !absent[usize::from(is_right)]).cloned()
    };
    keys.iter().filter_map(pair).collect()
}

/// The key of a row of either side, over what the first of `steps` reads, whose last one tells sides apart.
fn of_sides(steps: &[Step], pairs: Vec<(Expr, Expr)>) -> Option<Vec<Expr>> {
    let Some((Step { node: Node::Branches(BranchesNode { branches }), .. }, before)) = steps.split_last() else {
        return followed(steps, Some(keys_of_sides(&pairs)));
    };
    let inputs: Vec<_> = branches.iter().map(|branch| branch.inputs.clone()).collect();
    let key = |(left, right): (Expr, Expr)| {
        let data_type = left.data_type;
        let of_branch = |(branch, key): (&Branch, Expr)| {
            let key = followed(&branch.steps, Some(vec![key]))?.pop()?;
            match key.data_type == data_type {
                true => Some(key),
                false if widens(&key, data_type) => Some(Expr { kind: ExprKind::Cast(Box::new(key)), data_type }),
                false => None,
            }
        };
        let sides: Option<Vec<Expr>> = branches.iter().zip([left, right]).map(of_branch).collect();
        // A row that a filter of the branch drops must not fail before.
        Some(by_input(sides?, &inputs, data_type)).filter(cannot_fail)
    };
    followed(before, Some(pairs.into_iter().filter_map(key).collect()))
}

/// The column that an expression is; a whole number may have been made a wider one, which is equal where it is.
fn column(expr: &Expr) -> Option<usize> {
    match &expr.kind {
        ExprKind::Column(column) => Some(*column),
        ExprKind::Cast(inner) if widens(inner, expr.data_type) => column(inner),
        _ => None,
    }
}

/// The two columns of which the second stands in for the first where that is NULL: one of USING.
fn either(expr: &Expr) -> Option<(usize, usize)> {
    let ExprKind::Case { branches, otherwise: Some(otherwise) } = &expr.kind else { return None };
    let [(Expr { kind: ExprKind::IsNull { arg, negated: false }, .. }, then)] = branches.as_slice() else {
        return None;
    };
    (arg == otherwise).then_some((column(otherwise)?, column(then)?))
}

fn widens(expr: &Expr, data_type: DataType) -> bool {
    expr.data_type == DataType::Int && data_type == DataType::BigInt
}

fn cannot_fail(expr: &Expr) -> bool {
    let own = match &expr.kind {
        ExprKind::Column(_) | ExprKind::Literal(_) | ExprKind::Compare { .. } | ExprKind::IsNull { .. } => true,
        ExprKind::Case { .. } => true,
        ExprKind::Cast(inner) => widens(inner, expr.data_type) || expr.data_type == DataType::Varchar,
        _ => false,
    };
    own && expr.children().into_iter().all(cannot_fail)
}

impl Plan {
    /// What a key of [`Self::owner_keys`] is called: columns of the sources, one of each.
    pub(super) fn owner_name(&self, key: &Expr) -> String {
        let first = self.keyed_step().map_or(0, |(first, _)| first);
        let (schema, inputs) = (self.input_of(first), &self.scan.source.inputs);
        let of_scan = !self.steps[..first].iter().any(|step| matches!(step.node, Node::Project(_)));
        let mut names: Vec<String> = Vec::new();
        leaves(key, !inputs.is_empty(), &mut |leaf| {
            let of_source = column(leaf).filter(|_| of_scan).and_then(|column| {
                let column = *self.scan.projection.get(column)?;
                let input = inputs.iter().rfind(|input| input.start <= column)?;
                Some(format!("{}.{}", input.source.name, self.scan.source.schema.fields[column].name))
            });
            let name = of_source.unwrap_or_else(|| text(leaf, &schema));
            if !names.contains(&name) {
                names.push(name);
            }
        });
        names.join(" = ")
    }
}

/// What cases on the number of the input, if there is one, choose between.
fn leaves(expr: &Expr, by_input: bool, found: &mut impl FnMut(&Expr)) {
    let is_number = |when: &Expr| match &when.kind {
        ExprKind::Compare { left, .. } => by_input && matches!(left.kind, ExprKind::Column(SourceInput::NUMBER)),
        _ => false,
    };
    match &expr.kind {
        ExprKind::Case { branches, otherwise: Some(otherwise) } if branches.iter().all(|(when, _)| is_number(when)) => {
            branches.iter().for_each(|(_, then)| leaves(then, by_input, found));
            leaves(otherwise, by_input, found);
        }
        _ => found(expr),
    }
}
