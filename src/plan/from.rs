//! FROM: sources, queries in parentheses, WITH and VALUES as relations; queries inside expressions as tables.
//!
//! A query in FROM is not run by itself: its steps come before those of the query around it. One with ORDER BY or LIMIT is
//! the exception: it is read as a table first.

use std::cell::RefCell;
use std::sync::Arc;

use super::bind::Binder;
use super::coerce::{Bound, common_of};
use super::expr::{Expr, ExprKind};
use super::grouping;
use super::prune;
use super::query::{Node, Plan, Scan, SourceDefinition, Step};
use super::relation::{Part, Relation};
use super::scope::{PlannedSubquery, Scope, wrong};
use super::script::ScriptPlanner;
use super::select;
use super::tables::{TableInput, TablePlan};
use super::windows;
use crate::batch::{BatchBuffer, arrow_schema};
use crate::error::{Error, Result, Span, SqlError};
use crate::sql::ast;
use crate::types::{Field, Options, Schema};

/// Plans one job.
pub(super) struct Relations<'p> {
    pub(super) script: &'p ScriptPlanner<'p>,
    tables: RefCell<Vec<TablePlan>>,
}

/// Names that WITH gave, each seeing those before it.
pub(super) type Names<'q> = [&'q ast::CommonTable];

impl<'p> Relations<'p> {
    /// Nothing planned yet.
    pub(super) fn new(script: &'p ScriptPlanner<'p>) -> Self {
        Self { script, tables: RefCell::default() }
    }

    /// The plan of a whole job.
    pub(super) fn plan(self, query: &ast::Query) -> Result<Plan> {
        let mut plan = self.query(query, &[])?.into_plan();
        prune::prune(&mut plan);
        plan.tables = self.tables.into_inner();
        Ok(plan)
    }

    /// What a query yields.
    pub(super) fn query<'q>(&self, query: &'q ast::Query, names: &Names<'q>) -> Result<Relation> {
        let names: Vec<&ast::CommonTable> = names.iter().copied().chain(&query.with).collect();
        let window = select::window(query)?;
        let groups = select::groups(query);
        let mut input = self.from(&query.from, groups, &names)?;
        for join in &query.joins {
            input = self.join(input, join, groups, query.filter.as_ref(), &names)?;
        }
        let selected = query.items.iter().filter_map(|item| match item {
            ast::SelectItem::Expr { expr, .. } => Some(expr),
            ast::SelectItem::Wildcard { .. } => None,
        });
        let ordered = query.order_by.iter().flat_map(|(items, _)| items.iter().map(|item| &item.expr));
        let exprs = selected.chain(&query.filter).chain(&query.group_by).chain(&query.having).chain(ordered);
        let subqueries = self.subqueries(exprs, &input, &names)?;
        Ok(select::plan(query, window, input, &subqueries, self.script.drops_state())?)
    }

    /// Plans the queries inside expressions, each as a table of the job.
    pub(super) fn subqueries<'q>(
        &self,
        exprs: impl Iterator<Item = &'q ast::Expr>,
        around: &Relation,
        names: &Names<'q>,
    ) -> Result<Vec<PlannedSubquery>> {
        let mut waiting: Vec<&ast::Expr> = exprs.collect();
        let mut planned: Vec<PlannedSubquery> = Vec::new();
        while let Some(expr) = waiting.pop() {
            waiting.extend(grouping::children(expr));
            let query = match &expr.kind {
                ast::ExprKind::Subquery(query)
                | ast::ExprKind::InSubquery { query, .. }
                | ast::ExprKind::Exists(query) => query,
                _ => continue,
            };
            if planned.iter().any(|known| known.span == expr.span) {
                continue;
            }
            let relation = self.query(query, names).map_err(|error| correlated(error, around))?;
            let name = format!("subquery at {}:{}", query.span.line, query.span.column);
            let schema = relation.schema();
            let table = self.table(relation, name, query.span)?;
            planned.push(PlannedSubquery { span: expr.span, table, schema });
        }
        Ok(planned)
    }

    /// Makes a relation a table of the job.
    pub(super) fn table(&self, relation: Relation, name: String, span: Span) -> Result<usize> {
        if !relation.bounded {
            let message = format!("{} has no end, so it cannot be read before the query starts", relation.name);
            let help = "a subquery, and the table side of a join, read a bounded source";
            return Err(wrong(span, message, help).into());
        }
        let mut plan = relation.into_plan();
        prune::prune(&mut plan);
        plan.validate()?;
        Ok(self.push(TablePlan { name, schema: plan.output(), input: TableInput::Query(Box::new(plan)) }))
    }

    fn push(&self, table: TablePlan) -> usize {
        let mut tables = self.tables.borrow_mut();
        tables.push(table);
        tables.len() - 1
    }

    /// One relation of FROM under its name. Rows get the windows of a table function unless the query `groups` by them.
    pub(super) fn from<'q>(&self, from: &'q ast::From, groups: bool, names: &Names<'q>) -> Result<Relation> {
        let common = match &from.source {
            ast::FromSource::Name(name) => {
                names.iter().rposition(|table| table.name.value.eq_ignore_ascii_case(&name.value))
            }
            _ => None,
        };
        let mut relation = match (&from.source, common) {
            (_, Some(index)) => {
                let table = names[index];
                let relation = self.query(&table.query, &names[..index])?;
                Relation { name: table.name.value.clone(), ..self.inner(relation, from.span)? }
            }
            (ast::FromSource::Query(query), _) => {
                let relation = self.query(query, names)?;
                self.inner(relation, from.span)?
            }
            (ast::FromSource::Union(arms), _) => self.union(arms, names)?,
            (ast::FromSource::Values(rows), _) => self.values(rows, from.span)?,
            _ => scanned(self.script.source_of(from, names)?),
        };
        if let Some(window) = from.window.as_ref().filter(|_| !groups) {
            windows::assign(&mut relation, window)?;
        }
        let width = relation.schema().len();
        let name = match (&from.alias, &from.source) {
            (Some(name), _) | (None, ast::FromSource::Name(name)) => Some(name.value.clone()),
            (None, ast::FromSource::File(_) | ast::FromSource::Read { .. }) => Some(relation.name.clone()),
            _ => None,
        };
        relation.parts = vec![Part { name, columns: 0..width }];
        rename(&mut relation, &from.columns)?;
        Ok(relation)
    }

    /// A query as the input of another.
    pub(super) fn inner(&self, mut relation: Relation, span: Span) -> Result<Relation> {
        if relation.is_gathered() {
            let name = format!("query at {}:{}", span.line, span.column);
            let (called, schema) = (relation.name.clone(), relation.schema());
            let table = self.table(relation, name, span)?;
            return Ok(Relation { name: called, ..self.read_table(table, schema) });
        }
        prune::drop_identity(&relation.scan, &mut relation.steps);
        Ok(relation)
    }

    /// Reads a table of the job as a source.
    pub(super) fn read_table(&self, table: usize, schema: Schema) -> Relation {
        let mut options = Options::new();
        options.set("connector", "memory");
        options.set("table", table_name(table));
        let name = self.tables.borrow()[table].name.clone();
        scanned((
            Arc::new(SourceDefinition {
                name,
                schema,
                options,
                watermark: None,
                keyed_by: Vec::new(),
                inputs: Vec::new(),
            }),
            true,
        ))
    }

    /// VALUES as a source.
    fn values(&self, rows: &[Vec<ast::Expr>], span: Span) -> Result<Relation> {
        let nothing = Schema::default();
        let scope = Scope { schema: &nothing, parts: &[], subqueries: &[] };
        let mut bound: Vec<Vec<Bound>> = Vec::with_capacity(rows.len());
        for row in rows {
            bound.push(row.iter().map(|cell| Binder::input(&scope, "VALUES").bind(cell)).collect::<Result<_, _>>()?);
        }
        let width = rows.first().map_or(0, Vec::len);
        let mut fields = Vec::with_capacity(width);
        for column in 0..width {
            let cells: Vec<&Bound> = bound.iter().map(|row| &row[column]).collect();
            fields.push(Field::new(format!("column{}", column + 1), common_of(&cells, "put into one column")?));
        }
        let schema = Schema::new(fields);
        let mut buffer = BatchBuffer::for_schema(&schema);
        let count = bound.len();
        for row in bound {
            for (column, cell) in row.into_iter().enumerate() {
                let place = cell.span;
                match cell.coerce(schema.fields[column].data_type)?.kind {
                    ExprKind::Literal(value) => buffer.columns[column].push(&value),
                    _ => {
                        return Err(wrong(place, "VALUES takes constants", "compute them in a SELECT around it").into());
                    }
                }
            }
        }
        buffer.rows_pushed(count);
        let batch = buffer.into_record_batch(&Arc::new(arrow_schema(&schema)));
        let name = format!("values at {}:{}", span.line, span.column);
        let table = self.push(TablePlan { name, schema: schema.clone(), input: TableInput::Rows(vec![batch]) });
        Ok(self.read_table(table, schema))
    }
}

/// The name under which a table of a job is read like a table in memory: one that no program can register.
pub fn table_name(table: usize) -> String {
    format!("\u{0}table {table}")
}

/// All columns of a source.
fn scanned((source, bounded): (Arc<SourceDefinition>, bool)) -> Relation {
    let name = source.name.clone();
    let projection = (0..source.schema.len()).collect();
    let scan = Scan { source, projection, event_time: None };
    Relation { scan, steps: Vec::new(), parts: Vec::new(), bounded, name }
}

/// Gives the columns the names of `AS t (a, b)`.
fn rename(relation: &mut Relation, names: &[ast::Ident]) -> Result<()> {
    let Some(first) = names.first() else { return Ok(()) };
    let mut schema = relation.schema();
    if names.len() != schema.len() {
        let message = format!("{} names are given to {} columns", names.len(), schema.len());
        return Err(SqlError::new(first.span, message).into());
    }
    let exprs = schema.fields.iter().enumerate().map(|(i, field)| Expr::column(i, field.data_type)).collect();
    for (field, name) in schema.fields.iter_mut().zip(names) {
        field.name.clone_from(&name.value);
    }
    relation.steps.push(Step { node: Node::Project(exprs), schema });
    Ok(())
}

/// An error of a query inside an expression; if it meant the query around it, that is said.
fn correlated(error: Error, around: &Relation) -> Error {
    let Error::Sql(error) = error else { return error };
    let name = error.message.strip_prefix("unknown column ").or_else(|| error.message.strip_prefix("unknown source "));
    let Some(name) = name.map(str::to_string) else { return error.into() };
    let schema = around.schema();
    let is_part = |part: &Part| part.name.as_ref().is_some_and(|part| part.eq_ignore_ascii_case(&name));
    if schema.index_of(&name).is_none() && !around.parts.iter().any(is_part) {
        return error.into();
    }
    let message = format!("{name} belongs to the query around this one; a subquery must stand by itself");
    wrong(error.span, message, "join the table instead: JOIN table ON a.key = b.key").into()
}
