//! JOIN: with a table, equalities become the key that rows are looked up by, the rest filters; streams are joined in
//! [`super::interval`].

use super::bind::Binder;
use super::expr::{CompareOp, Expr, ExprKind};
use super::from::{Names, Relations};
use super::interval;
use super::query::{Node, Step};
use super::relation::{Part, Relation};
use super::scope::{Scope, wrong};
use super::tables::LookupNode;
use crate::error::{Result, Span, SqlError};
use crate::sql::ast;
use crate::types::{DataType, Schema};

/// The condition of a join, taken apart.
#[derive(Default)]
struct Condition {
    /// What is equal: over the left columns, over the right columns.
    keys: Vec<(Expr, Expr)>,
    /// Conditions on right columns alone, over these.
    right: Vec<Expr>,
    /// Other conditions, over both, with their places.
    rest: Vec<(Expr, Span)>,
}

impl Relations<'_> {
    /// `left` joined with what `join` names.
    pub(super) fn join<'q>(&self, left: Relation, join: &'q ast::Join, names: &Names<'q>) -> Result<Relation> {
        let right = self.from(&join.right, names)?;
        let width = left.schema().len();
        let mut schema = left.schema();
        let mut parts = left.parts.clone();
        parts.extend(right.parts.iter().map(|part| Part {
            name: part.name.clone(),
            columns: part.columns.start + width..part.columns.end + width,
        }));
        check_names(&left.parts, &right.parts, join)?;
        let outer = matches!(join.kind, ast::JoinKind::Left | ast::JoinKind::Full);
        schema.fields.extend(right.schema().fields.into_iter().map(|mut field| {
            field.nullable |= outer;
            field
        }));
        if matches!(join.kind, ast::JoinKind::Right | ast::JoinKind::Full) {
            schema.fields[..width].iter_mut().for_each(|field| field.nullable = true);
        }
        let mut condition = self.condition(&schema, &parts, &left, width, join, names)?;
        if condition.keys.is_empty() {
            let help = "write ON a.key = b.key";
            return Err(wrong(join.span, "a JOIN needs columns that are equal on both sides", help).into());
        }
        if let (Some(from), Some(to)) = (left.watermark(), right.watermark()) {
            let mut bounds = interval::Bounds::default();
            condition.rest.retain(|(term, _)| !bounds.take(term, from.column, to.column + width));
            if bounds.is_some() {
                return self.streams(left, right, condition, &bounds, schema, parts, join);
            }
        }
        if matches!(join.kind, ast::JoinKind::Right | ast::JoinKind::Full) {
            let help = "write the table that is looked up on the right: stream LEFT JOIN table ON ...; streams are joined \
                        within an interval of their WATERMARK columns";
            return Err(wrong(join.span, "RIGHT and FULL JOIN with a table are not supported", help).into());
        }
        if let (true, Some((_, span))) = (outer, condition.rest.first()) {
            let message = "ON of a LEFT JOIN with a table takes equalities, and conditions on the table alone";
            return Err(wrong(*span, message, "a condition on the rows that come out stands in WHERE").into());
        }
        let mut joined = self.lookup(left, right, outer, condition, &schema, parts, join)?;
        if let ast::JoinCondition::Using(columns) = &join.condition {
            drop_right(&mut joined, width, columns);
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
                let conjuncts = match &on.kind {
                    ast::ExprKind::And(terms) => terms.as_slice(),
                    _ => std::slice::from_ref(on),
                };
                for term in conjuncts {
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

    /// A join of two streams within an interval of event time.
    #[expect(clippy::too_many_arguments, reason = "both sides, and what is known of them together")]
    fn streams(
        &self,
        left: Relation,
        mut right: Relation,
        condition: Condition,
        bounds: &interval::Bounds,
        schema: Schema,
        parts: Vec<Part>,
        join: &ast::Join,
    ) -> Result<Relation> {
        let inner = join.kind == ast::JoinKind::Inner;
        if let (false, Some((_, span))) = (inner, condition.rest.first()) {
            let message = "ON of an outer JOIN of streams takes equalities and bounds of event time";
            return Err(wrong(*span, message, "a condition on the rows that come out stands in WHERE").into());
        }
        let filter_right = !matches!(join.kind, ast::JoinKind::Right | ast::JoinKind::Full);
        if !filter_right && !condition.right.is_empty() {
            let message = "ON of a RIGHT or FULL JOIN of streams takes no condition on the right side alone";
            return Err(wrong(join.span, message, "filter it in a query in FROM").into());
        }
        for filter in condition.right {
            let schema = right.schema();
            right.steps.push(Step { node: Node::Filter(filter), schema });
        }
        let mut joined = interval::join(left, right, join, condition.keys, bounds, schema.clone())?;
        if let Some(all) = all_of(condition.rest.into_iter().map(|(term, _)| term).collect()) {
            joined.steps.push(Step { node: Node::Filter(all), schema });
        }
        joined.parts = parts;
        Ok(joined)
    }

    #[expect(clippy::too_many_arguments, reason = "both sides, and what is known of them together")]
    fn lookup(
        &self,
        left: Relation,
        mut right: Relation,
        outer: bool,
        condition: Condition,
        schema: &Schema,
        parts: Vec<Part>,
        join: &ast::Join,
    ) -> Result<Relation> {
        if !right.bounded {
            let message = format!("{} has no end, so it cannot be the table of a JOIN", right.name);
            let help = "the right side of a JOIN is read completely before the left side starts";
            return Err(wrong(join.right.span, message, help).into());
        }
        if right.is_gathered() {
            return Err(SqlError::new(join.right.span, "the table of a JOIN was sorted after it was read").into());
        }
        let table_width = right.schema().len();
        for filter in condition.right {
            let schema = right.schema();
            right.steps.push(Step { node: Node::Filter(filter), schema });
        }
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
        let node = LookupNode { table, outer, keys, columns, loaded: None };
        joined.steps.push(Step { node: Node::Lookup(node), schema: schema.clone() });
        if let Some(all) = all_of(condition.rest.into_iter().map(|(term, _)| term).collect()) {
            joined.steps.push(Step { node: Node::Filter(all), schema: schema.clone() });
        }
        joined.parts = parts;
        Ok(joined)
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

/// Leaves out the right columns of USING, which are equal to the left ones.
fn drop_right(joined: &mut Relation, width: usize, names: &[ast::Ident]) {
    let schema = joined.schema();
    let dropped =
        |i: usize| i >= width && names.iter().any(|name| name.value.eq_ignore_ascii_case(&schema.fields[i].name));
    let kept: Vec<usize> = (0..schema.len()).filter(|&i| !dropped(i)).collect();
    for part in &mut joined.parts {
        let before = |end: usize| kept.iter().filter(|&&i| i < end).count();
        part.columns = before(part.columns.start)..before(part.columns.end);
    }
    let exprs = kept.iter().map(|&i| Expr::column(i, schema.fields[i].data_type)).collect();
    joined.steps.push(Step { node: Node::Project(exprs), schema: schema.project(&kept) });
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
