//! JOIN: equalities become the key; the rest filters, or is what must be true of a pair. With a table, rows are looked up;
//! streams are joined as [`super::streams`] has it.

use super::bind::Binder;
use super::expr::{CompareOp, Expr, ExprKind};
use super::from::{Names, Relations};
use super::query::{Node, Step};
use super::relation::{Part, Relation};
use super::scope::{Scope, wrong};
use super::streams::{self, Times};
use super::tables::LookupNode;
use super::windows::push_filter;
use crate::error::{Result, Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Schema};

/// The condition of a join, taken apart.
#[derive(Default)]
pub(super) struct Condition {
    /// What is equal: over the left columns, over the right columns.
    pub(super) keys: Vec<(Expr, Expr)>,
    /// Conditions on right columns alone, over these.
    pub(super) right: Vec<Expr>,
    /// Other conditions, over both, with their places.
    pub(super) rest: Vec<(Expr, Span)>,
}

impl Relations<'_> {
    /// `left` joined with what `join` names. `filter` is the WHERE that follows.
    pub(super) fn join<'q>(
        &self,
        left: Relation,
        join: &'q ast::Join,
        groups: bool,
        filter: Option<&'q ast::Expr>,
        names: &Names<'q>,
    ) -> Result<Relation> {
        let right = self.from(&join.right, groups, names)?;
        let width = left.schema().len();
        let mut schema = left.schema();
        let mut parts = left.parts.clone();
        parts.extend(right.parts.iter().map(|part| Part {
            name: part.name.clone(),
            columns: part.columns.start + width..part.columns.end + width,
        }));
        check_names(&left.parts, &right.parts, join)?;
        schema.fields.extend(right.schema().fields);
        let condition = self.condition(&schema, &parts, &left, width, join, names)?;
        if condition.keys.is_empty() {
            let help = "write ON a.key = b.key";
            return Err(wrong(join.span, "a JOIN needs columns that are equal on both sides", help).into());
        }
        let filter = match join.kind {
            ast::JoinKind::Inner => filters(&schema, &parts, filter),
            _ => Vec::new(),
        };
        for (index, field) in schema.fields.iter_mut().enumerate() {
            field.nullable |= match join.kind {
                ast::JoinKind::Inner => false,
                ast::JoinKind::Left => index >= width,
                ast::JoinKind::Right => index < width,
                ast::JoinKind::Full => true,
            };
        }
        let mut joined = if let Some(moment) = &join.right.as_of {
            self.as_of([left, right], moment, condition, &schema, join)?
        } else {
            match Way::of(&left, &right, &condition, &filter, self.script.drops_state(), join)? {
                Way::LookUp => self.lookup(left, right, condition, &schema, join)?,
                Way::Meet(times) => self.streams([left, right], condition, times, &filter, &schema, join)?,
            }
        };
        joined.parts = parts;
        if let ast::JoinCondition::Using(columns) = &join.condition {
            drop_right(&mut joined, width, columns, join.kind);
        }
        Ok(joined)
    }

    /// ON or USING over the columns of both sides, of which `width` are left ones.
    fn condition<'q>(
        &self,
        schema: &Schema,
        parts: &[Part],
        left: &Relation,
        width: usize,
        join: &'q ast::Join,
        names: &Names<'q>,
    ) -> Result<Condition> {
        let mut terms: Vec<(Expr, Span)> = Vec::new();
        match &join.condition {
            ast::JoinCondition::On(on) => {
                let subqueries = self.subqueries(std::iter::once(on), left, names)?;
                let scope = Scope { schema, parts, subqueries: &subqueries };
                for term in conjuncts(on) {
                    let bound = Binder::input(&scope, "ON").bind(term)?.boolean("the condition of ON")?;
                    match bound.kind {
                        ExprKind::And(inner) => terms.extend(inner.into_iter().map(|inner| (inner, term.span))),
                        _ => terms.push((bound, term.span)),
                    }
                }
            }
            ast::JoinCondition::Using(columns) => {
                for column in columns {
                    terms.push((using(schema, parts, width, column)?, column.span));
                }
            }
        }
        let mut condition = Condition::default();
        for (term, span) in terms {
            match term {
                Expr { kind: ExprKind::Compare { op: CompareOp::Equal, left, right }, .. }
                    if side(&left, width) == Some(true) && side(&right, width) == Some(false) =>
                {
                    condition.keys.push((*left, moved(*right, width)));
                }
                Expr { kind: ExprKind::Compare { op: CompareOp::Equal, left, right }, .. }
                    if side(&left, width) == Some(false) && side(&right, width) == Some(true) =>
                {
                    condition.keys.push((*right, moved(*left, width)));
                }
                term if side(&term, width) == Some(false) => condition.right.push(moved(term, width)),
                term => condition.rest.push((term, span)),
            }
        }
        Ok(condition)
    }

    /// A join of rows that come one after another on both sides.
    fn streams(
        &self,
        [mut left, mut right]: [Relation; 2],
        mut condition: Condition,
        times: Option<Times>,
        filter: &[Expr],
        schema: &Schema,
        join: &ast::Join,
    ) -> Result<Relation> {
        let width = left.schema().len();
        if let Some(times) = &times {
            times.claim(&mut condition, width);
        }
        let of_right = std::mem::take(&mut condition.right);
        if matches!(join.kind, ast::JoinKind::Inner | ast::JoinKind::Left) {
            filtered(&mut right, of_right);
        } else {
            condition.rest.extend(of_right.into_iter().map(|mut term| {
                term.map_columns(&mut |column| column + width);
                (term, join.span)
            }));
        }
        // Rows that WHERE drops need not be kept.
        filtered(&mut left, filter.iter().filter(|term| side(term, width) == Some(true)).cloned());
        let of_right = filter.iter().filter(|term| side(term, width) == Some(false));
        filtered(&mut right, of_right.map(|term| moved(term.clone(), width)));
        let rest = all_of(std::mem::take(&mut condition.rest).into_iter().map(|(term, _)| term).collect());
        let (mut joined, mut node) = self.sides([left, right], condition, times, schema, join)?;
        let (residual, after) = match join.kind {
            ast::JoinKind::Inner => (None, rest),
            _ => (rest, None),
        };
        node.residual = residual;
        joined.steps.push(Step { node: Node::IntervalJoin(node), schema: schema.clone() });
        filtered(&mut joined, after);
        Ok(joined)
    }

    fn lookup(
        &self,
        left: Relation,
        mut right: Relation,
        condition: Condition,
        schema: &Schema,
        join: &ast::Join,
    ) -> Result<Relation> {
        let table_width = right.schema().len();
        filtered(&mut right, condition.right);
        // Keys that are no columns become some, behind those that are passed on.
        let mut fields = right.schema().fields;
        let mut exprs: Vec<Expr> = fields.iter().enumerate().map(|(i, f)| Expr::column(i, f.data_type)).collect();
        let mut keys = Vec::with_capacity(condition.keys.len());
        for (left, right) in condition.keys {
            let column = match right.kind {
                ExprKind::Column(column) => column,
                _ => {
                    fields.push(crate::types::Field::new(format!("key{}", exprs.len()), right.data_type));
                    exprs.push(right);
                    exprs.len() - 1
                }
            };
            keys.push((left, column));
        }
        if exprs.len() > table_width {
            right.steps.push(Step { node: Node::Project(exprs), schema: Schema::new(fields) });
        }
        let name = match right.parts.first().and_then(|part| part.name.clone()) {
            Some(name) => name,
            None => format!("query at {}:{}", join.right.span.line, join.right.span.column),
        };
        let table = self.table(right, name, join.right.span)?;
        let columns = (0..table_width).collect();
        let mut joined = left;
        let node = LookupNode { table, outer: join.kind == ast::JoinKind::Left, keys, columns, loaded: None };
        joined.steps.push(Step { node: Node::Lookup(node), schema: schema.clone() });
        filtered(&mut joined, all_of(condition.rest.into_iter().map(|(term, _)| term).collect()));
        Ok(joined)
    }
}

/// How two relations are joined.
enum Way {
    /// The right one is read first.
    LookUp,
    /// Rows of both meet, in the order of these times; without them at the end.
    Meet(Option<Times>),
}

impl Way {
    /// The way, or why there is none. `drops_state`: whether rows without bounds of time are dropped after a while.
    fn of(
        left: &Relation,
        right: &Relation,
        condition: &Condition,
        filter: &[Expr],
        drops_state: bool,
        join: &ast::Join,
    ) -> Result<Self> {
        let times = streams::times(left, right, condition, filter);
        if times.is_some_and(|times| times.bounds.are_both()) {
            return Ok(Self::Meet(times));
        }
        let clocks = Times::clocks(left, right);
        let keeps_left = matches!(join.kind, ast::JoinKind::Inner | ast::JoinKind::Left);
        let on_table = join.kind == ast::JoinKind::Inner || condition.rest.is_empty();
        let is_kept = drops_state && clocks.is_some();
        if times.is_none() && right.bounded && keeps_left && on_table && !is_kept && !right.is_gathered() {
            return Ok(Self::LookUp);
        }
        if is_kept || left.bounded && right.bounded {
            return Ok(Self::Meet(times.or(clocks)));
        }
        if times.is_some() {
            let message = "a JOIN of streams bounds event time from both sides";
            let help = "write b.ts BETWEEN a.ts - INTERVAL '1' MINUTE AND a.ts + INTERVAL '1' MINUTE, or SET state_ttl = \
                        '1 hour' to drop rows after that time";
            return Err(wrong(join.span, message, help).into());
        }
        if clocks.is_some() && !(right.bounded && keeps_left) {
            let endless = if left.bounded { right } else { left };
            let message = format!("{} has no end, so a JOIN would keep its rows for ever", endless.name);
            let help = "add b.ts BETWEEN a.ts - INTERVAL '1' MINUTE AND a.ts + INTERVAL '1' MINUTE to ON, join windows on \
                        their window_start and window_end, or SET state_ttl = '1 hour'";
            return Err(wrong(join.span, message, help).into());
        }
        if !right.bounded {
            let message = format!("{} has no end, so it cannot be the table of a JOIN", right.name);
            let help = "the right side of a JOIN is read completely before the left side starts; streams with a WATERMARK \
                        are joined within an interval or a window of event time";
            return Err(wrong(join.right.span, message, help).into());
        }
        if !keeps_left {
            let message = format!("RIGHT and FULL JOIN need the end of the input, and {} has none", left.name);
            let help = "write the table that is looked up on the right: stream LEFT JOIN table ON ...; streams are joined \
                        within an interval of their WATERMARK columns";
            return Err(wrong(join.span, message, help).into());
        }
        let span = condition.rest.first().map_or(join.span, |(_, span)| *span);
        let message = "ON of a LEFT JOIN with a table takes equalities, and conditions on the table alone";
        Err(wrong(span, message, "a condition on the rows that come out stands in WHERE").into())
    }
}

/// What WHERE says of the columns of a join, as far as it can be told there.
fn filters(schema: &Schema, parts: &[Part], filter: Option<&ast::Expr>) -> Vec<Expr> {
    let scope = Scope { schema, parts, subqueries: &[] };
    let bind = |term: &ast::Expr| {
        let bound = Binder::input(&scope, "WHERE").bind(term).ok()?;
        bound.boolean("the condition of WHERE").ok()
    };
    let mut terms = Vec::new();
    for term in filter.map(conjuncts).unwrap_or_default() {
        match bind(term) {
            Some(Expr { kind: ExprKind::And(inner), .. }) => terms.extend(inner),
            Some(bound) => terms.push(bound),
            None => {}
        }
    }
    terms
}

/// The terms of AND.
fn conjuncts(expr: &ast::Expr) -> &[ast::Expr] {
    match &expr.kind {
        ast::ExprKind::And(terms) => terms,
        _ => std::slice::from_ref(expr),
    }
}

/// Adds filters.
fn filtered(relation: &mut Relation, filters: impl IntoIterator<Item = Expr>) {
    for filter in filters {
        let schema = relation.schema();
        push_filter(&mut relation.steps, filter, &schema);
    }
}

/// Two relations of one FROM need two names.
fn check_names(left: &[Part], right: &[Part], join: &ast::Join) -> Result<(), SqlError> {
    for name in right.iter().filter_map(|part| part.name.as_ref()) {
        if left.iter().filter_map(|part| part.name.as_ref()).any(|other| other.eq_ignore_ascii_case(name)) {
            let message = format!("two sources in FROM are named {name}");
            return Err(wrong(join.right.span, message, "give one of them another name: source AS name"));
        }
    }
    Ok(())
}

/// Equality of a column of both sides.
fn using(schema: &Schema, parts: &[Part], width: usize, column: &ast::Ident) -> Result<Expr, SqlError> {
    let index = |range: std::ops::Range<usize>| {
        let part = Schema::new(schema.fields[range.clone()].to_vec());
        let own: Vec<Part> = parts
            .iter()
            .filter(|part| range.contains(&part.columns.start) || part.columns.is_empty())
            .map(|part| Part {
                columns: part.columns.start - range.start..part.columns.end - range.start,
                ..part.clone()
            })
            .collect();
        let scope = Scope { schema: &part, parts: &own, subqueries: &[] };
        scope.resolve(None, column).map(|index| index + range.start)
    };
    let (left, right) = (index(0..width)?, index(width..schema.len())?);
    let bound =
        |index: usize| super::coerce::Bound::typed(Expr::column(index, schema.fields[index].data_type), column.span);
    let (left, right) = super::coerce::unify(bound(left), bound(right), "compare")?;
    let kind = ExprKind::Compare { op: CompareOp::Equal, left: Box::new(left), right: Box::new(right) };
    Ok(Expr { kind, data_type: DataType::Boolean })
}

/// Leaves out the right columns of USING, which are equal to the left ones, or take their place where there is no left row.
fn drop_right(joined: &mut Relation, width: usize, names: &[ast::Ident], kind: ast::JoinKind) {
    let schema = joined.schema();
    let dropped =
        |i: usize| i >= width && names.iter().any(|name| name.value.eq_ignore_ascii_case(&schema.fields[i].name));
    let kept: Vec<usize> = (0..schema.len()).filter(|&i| !dropped(i)).collect();
    for part in &mut joined.parts {
        let before = |end: usize| kept.iter().filter(|&&i| i < end).count();
        part.columns = before(part.columns.start)..before(part.columns.end);
    }
    let column = |i: usize| Expr::column(i, schema.fields[i].data_type);
    let dropped: Vec<usize> = (width..schema.len()).filter(|&i| dropped(i)).collect();
    let expr = |&i: &usize| {
        let same = |right: &&usize| schema.fields[**right].name.eq_ignore_ascii_case(&schema.fields[i].name);
        let keeps_right = matches!(kind, ast::JoinKind::Right | ast::JoinKind::Full);
        let Some(&right) = dropped.iter().find(same).filter(|_| keeps_right && i < width) else { return column(i) };
        let right = cast(column(right), schema.fields[i].data_type);
        let is_null = ExprKind::IsNull { arg: Box::new(column(i)), negated: false };
        let branches = vec![(Expr { kind: is_null, data_type: DataType::Boolean }, right)];
        let kind = ExprKind::Case { branches, otherwise: Some(Box::new(column(i))) };
        Expr { kind, data_type: schema.fields[i].data_type }
    };
    let exprs = kept.iter().map(expr).collect();
    joined.steps.push(Step { node: Node::Project(exprs), schema: schema.project(&kept) });
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    match expr.data_type == data_type {
        true => expr,
        false => Expr { kind: ExprKind::Cast(Box::new(expr)), data_type },
    }
}

/// Whether all columns of an expression are left ones (`true`) or right ones; `None` for both and for none.
fn side(expr: &Expr, width: usize) -> Option<bool> {
    let (mut left, mut right) = (false, false);
    expr.visit(&mut |part| {
        if let ExprKind::Column(index) = part.kind {
            left |= index < width;
            right |= index >= width;
        }
    });
    (left != right).then_some(left)
}

/// An expression over right columns, as the right side numbers them.
fn moved(mut expr: Expr, width: usize) -> Expr {
    expr.map_columns(&mut |index| index - width);
    expr
}

/// All of these conditions.
fn all_of(mut terms: Vec<Expr>) -> Option<Expr> {
    match terms.len() {
        0 | 1 => terms.pop(),
        _ => Some(Expr { kind: ExprKind::And(terms), data_type: DataType::Boolean }),
    }
}
