//! One SELECT as a plan: Filter, then Aggregate or Rows, then Filter (HAVING), Project, Sort, Limit.

use super::arrange;
use super::bind::{Binder, Mode};
use super::coerce::Planned;
use super::expr::{Expr, ExprKind};
use super::grouping::{self, Grouping, OP, WINDOW_END, WINDOW_START};
use super::order;
use super::query::{AggregateNode, Emit, EventTimeColumn, Node, SortKey, Step, Window};
use super::relation::{Origin, Part, Relation};
use super::rows::RowsState;
use super::scope::{PlannedSubquery, Scope, wrong};
use super::top::{self, FirstNode};
use super::windows::push_filter;
use crate::error::{Span, SqlError};
use crate::limits;
use crate::sql::ast;
use crate::time::Windows;
use crate::types::{DataType, Field, Schema};

/// A column of the result, or one that only ORDER BY looks at.
pub(super) struct Output {
    pub(super) expr: Expr,
    pub(super) name: String,
    pub(super) span: Span,
    /// Dropped once the rows are in order.
    pub(super) is_hidden: bool,
}

/// Whether a query groups its rows.
pub(super) fn groups(query: &ast::Query) -> bool {
    !query.group_by.is_empty() || exprs(query).any(grouping::contains_aggregate)
}

/// The windows by which a query groups: WINDOW, a function in GROUP BY, or one in FROM, which gives windows to rows if it does not.
pub(super) fn window(query: &ast::Query) -> Planned<Option<&ast::Window>> {
    if !groups(query) {
        return Ok(query.window.as_ref());
    }
    let tables = std::iter::once(&query.from).chain(query.joins.iter().map(|join| &join.right));
    let tables: Vec<&ast::Window> = tables.filter_map(|from| from.window.as_ref()).collect();
    let help = match (tables.as_slice(), &query.window) {
        ([], _) | ([_], None) => return Ok(query.window.as_ref().or(tables.first().copied())),
        ([_], Some(_)) => "keep one: WINDOW, a function in GROUP BY or one in FROM mean the same",
        _ => "join the windows in a query in FROM, and group by their bounds in the query around it",
    };
    let second = query.window.as_ref().filter(|_| tables.len() == 1).unwrap_or(tables[tables.len() - 1]);
    Err(wrong(second.span, "the query has two windows", help))
}

/// Plans a query over what its FROM reads, grouped by `window` if there is one. The last step before ORDER BY and LIMIT is a Project.
pub(super) fn plan(
    query: &ast::Query,
    window: Option<&ast::Window>,
    input: Relation,
    subqueries: &[PlannedSubquery],
    drops_state: bool,
) -> Planned<Relation> {
    let schema = input.schema();
    let scope = Scope { schema: &schema, parts: &input.parts, subqueries };
    let planner = Planner { query, window, input: &input, scope: &scope, aliases: aliases(query), drops_state };
    let (steps, event_time) = planner.plan()?;
    let width = steps.last().map_or(0, |step| step.schema.len());
    let parts = vec![Part { name: None, columns: 0..width }];
    let mut relation = Relation { steps, parts, ..input };
    relation.scan.event_time = event_time;
    Ok(relation)
}

impl Output {
    fn shown(expr: Expr, name: String, span: Span) -> Self {
        Self { expr, name, span, is_hidden: false }
    }
}

pub(super) struct Planner<'a> {
    pub(super) query: &'a ast::Query,
    window: Option<&'a ast::Window>,
    input: &'a Relation,
    pub(super) scope: &'a Scope<'a>,
    pub(super) aliases: Vec<(&'a str, &'a ast::Expr)>,
    /// Whether state that nobody touches is dropped after a while.
    drops_state: bool,
}

fn aliases(query: &ast::Query) -> Vec<(&str, &ast::Expr)> {
    let alias = |item| match item {
        &ast::SelectItem::Expr { ref expr, alias: Some(ref alias) } => Some((alias.value.as_str(), expr)),
        _ => None,
    };
    query.items.iter().filter_map(alias).collect()
}

impl<'a> Planner<'a> {
    fn plan(&self) -> Planned<(Vec<Step>, Option<EventTimeColumn>)> {
        let query = self.query;
        self.check_bounds()?;
        let mut steps = self.input.steps.clone();
        let mut event_time = self.input.scan.event_time;
        if let Some(filter) = &query.filter {
            let mut binder = Binder::input(self.scope, "WHERE");
            binder.aliases = self.aliases.clone();
            let filter = binder.bind(filter)?.boolean("the condition of WHERE")?;
            top::keep(&self.input.scan, &mut steps, &filter, self.drops_state);
            push_filter(&mut steps, filter, self.scope.schema);
        }
        let has_over = exprs(query).any(grouping::contains_over);
        let grouped = groups(query);
        self.check_shape(grouped, has_over)?;
        let outputs = if grouped {
            self.aggregate(&mut steps, &mut event_time)?
        } else if has_over {
            self.rows(&mut steps, &mut event_time)?
        } else {
            let mut binder = Binder::input(self.scope, "the SELECT list");
            let mut outputs = self.outputs(&mut binder)?;
            let order = self.order(&mut binder, &mut outputs)?;
            match query.distinct {
                None => (outputs, order),
                Some(_) if self.forgets() => {
                    self.first(&outputs, &mut steps, &mut event_time);
                    (outputs, order)
                }
                Some(_) => self.distinct(outputs, order, &mut steps),
            }
        };
        let (outputs, order) = outputs;
        self.check_names(&outputs)?;
        let before = steps.last().map_or_else(|| self.input.scan.schema(), |step| step.schema.clone());
        let schema = Schema::new(outputs.iter().map(|output| field(&before, output)).collect());
        let width = outputs.iter().filter(|output| !output.is_hidden).count();
        let exprs = outputs.into_iter().map(|output| output.expr).collect();
        steps.push(Step { node: Node::Project(exprs), schema: schema.clone() });
        if let Some((order, (limit, span))) = self.cuts_windows().then_some(order.clone()).zip(query.limit) {
            steps.push(top::per_window(order, limit, &steps, &schema, span)?);
            steps.push(order::shown(&schema, width));
            return Ok((steps, event_time));
        }
        if !order.is_empty() {
            steps.push(Step { node: Node::Sort(order), schema: schema.clone() });
        }
        let limit = query.limit.map(|(limit, _)| limit);
        let offset = query.offset.map_or(0, |(offset, _)| offset);
        if limit.is_some() || offset > 0 {
            steps.push(Step { node: Node::Limit { limit, offset }, schema: schema.clone() });
        }
        if width < schema.len() {
            steps.push(order::shown(&schema, width));
        }
        Ok((steps, event_time))
    }

    /// Whether ORDER BY and LIMIT hold for each window by itself: over an input that does not end.
    fn cuts_windows(&self) -> bool {
        let query = self.query;
        !self.input.bounded
            && self.window.is_some()
            && query.order_by.is_some()
            && query.limit.is_some()
            && query.offset.is_none()
            && !matches!(query.emit, Some((ast::Emit::Changes, _)))
    }

    /// What needs the end of the input must have one.
    fn check_bounds(&self) -> Planned<()> {
        if self.input.bounded || self.cuts_windows() {
            return Ok(());
        }
        let never = |span, what: &str| {
            let message = format!("{what} needs the end of the input, and {} has none", self.input.name);
            wrong(
                span,
                message,
                "results of an unbounded source leave as they come; sort and cut them where they are read",
            )
        };
        if let Some((_, span)) = self.query.order_by {
            return Err(never(span, "ORDER BY"));
        }
        if let Some((_, span)) = self.query.limit {
            return Err(never(span, "LIMIT"));
        }
        if let Some((_, span)) = self.query.offset {
            return Err(never(span, "OFFSET"));
        }
        if let (Some(span), None, false) = (self.query.distinct, self.window, self.forgets()) {
            let message = format!("SELECT DISTINCT needs the end of the input, and {} has none", self.input.name);
            let help = "GROUP BY with WINDOW TUMBLING (column, INTERVAL '1' MINUTE) gives the distinct keys of each window; \
                 SET state_ttl = '1 hour' gives a row again only after that time, by the WATERMARK of the source";
            return Err(wrong(span, message, help));
        }
        Ok(())
    }

    /// Clauses that do not go together.
    fn check_shape(&self, grouped: bool, has_over: bool) -> Planned<()> {
        let query = self.query;
        let later = |span, what: &str| Err(SqlError::new(span, format!("{what} is not supported yet")));
        if let Some(window) = self.window
            && !grouped
        {
            let what = if has_over { "WINDOW together with OVER" } else { "WINDOW without GROUP BY or an aggregate" };
            return Err(wrong(
                window.span,
                format!("{what} is not supported"),
                "a WINDOW cuts groups: add GROUP BY key or COUNT(*)",
            ));
        }
        if let Some(having) = &query.having
            && !grouped
        {
            return Err(wrong(
                having.span,
                "HAVING needs GROUP BY or an aggregate",
                "conditions on rows stand in WHERE",
            ));
        }
        let emit = query.emit.and_then(|(emit, span)| match emit {
            ast::Emit::Final if query.distinct.is_none() => Some(("EMIT FINAL", span)),
            ast::Emit::ChangesPerBatch => Some(("EMIT CHANGES PER BATCH", span)),
            ast::Emit::Every(_) => Some(("EMIT EVERY", span)),
            _ => query.changelog.map(|span| ("WITH CHANGELOG", span)),
        });
        if let Some((what, span)) = emit
            && !grouped
        {
            let help = "without GROUP BY every row leaves at once: leave EMIT out";
            return Err(wrong(span, format!("{what} needs GROUP BY or an aggregate"), help));
        }
        if let (Some(window), false) = (query.named_windows.first(), has_over) {
            let message = format!("no function stands with OVER {}", window.name.value);
            return Err(wrong(window.name.span, message, "write SUM(x) OVER name, or leave WINDOW out"));
        }
        if grouped && has_over {
            let over = exprs(query).find(|expr| grouping::contains_over(expr));
            return later(over.map_or(query.span, |expr| expr.span), "OVER together with GROUP BY or aggregates");
        }
        if let (Some(span), true) = (query.distinct, grouped || has_over) {
            return later(span, "SELECT DISTINCT together with GROUP BY, aggregates or OVER");
        }
        if let (Some(span), Some((ast::Emit::Changes, _))) = (query.distinct, query.emit) {
            return later(span, "SELECT DISTINCT with EMIT CHANGES");
        }
        Ok(())
    }

    /// GROUP BY, aggregates, HAVING.
    fn aggregate(
        &self,
        steps: &mut Vec<Step>,
        event_time: &mut Option<EventTimeColumn>,
    ) -> Planned<(Vec<Output>, Vec<SortKey>)> {
        let query = self.query;
        let mut keys: Vec<Expr> = Vec::new();
        let mut fields = Vec::new();
        for key in &query.group_by {
            let Some((expr, name)) = self.group_key(key)? else { continue };
            if !keys.contains(&expr) {
                fields.push(match expr.kind {
                    ExprKind::Column(index) => self.scope.field(index).clone(),
                    _ => Field::new(name, expr.data_type),
                });
                keys.push(expr);
            }
        }
        let window = match self.window {
            None => None,
            Some(window) => {
                let column = self.window_column(window)?;
                self.follow_time(column, window.span, event_time)?;
                Some(Window { column, windows: windows(window)? })
            }
        };
        let of_results = if window.is_none() { self.windows_of_results(&keys) } else { None };
        let emit = match of_results {
            Some(_) => Emit::Final,
            None => self.emit(window, event_time)?,
        };
        let grouping = Grouping { keys, calls: Vec::new(), names: Vec::new(), windowed: window.is_some() };
        let mut binder = Binder { scope: self.scope, mode: Mode::Grouped(grouping), aliases: Vec::new() };
        let mut outputs = self.outputs(&mut binder)?;
        if let Some(span) = query.changelog {
            outputs.push(Output::shown(Expr::column(OP, DataType::Varchar), "op".into(), span));
        }
        let order = self.order(&mut binder, &mut outputs)?;
        binder.aliases = self.aliases.clone();
        let having = match &query.having {
            None => None,
            Some(having) => Some(binder.bind(having)?.boolean("the condition of HAVING")?),
        };
        let Mode::Grouped(Grouping { keys, calls, names, .. }) = binder.mode else {
            return Err(SqlError::new(query.span, "the query lost its grouping"));
        };
        fields.extend(calls.iter().zip(names).map(|(call, name)| Field::new(name, call.data_type)));
        let width = keys.len() + calls.len();
        let window = window.or(of_results);
        if window.is_some() {
            fields.push(Field::new("window_start", DataType::Timestamp));
            fields.push(Field::new("window_end", DataType::Timestamp));
        }
        let changelog = query.changelog.is_some();
        let op = fields.len();
        if changelog {
            fields.push(Field::new("op", DataType::Varchar));
        }
        let mut place = |index: usize| match index {
            WINDOW_START => width,
            WINDOW_END => width + 1,
            OP => op,
            other => other,
        };
        for output in &mut outputs {
            output.expr.map_columns(&mut place);
        }
        let schema = Schema::new(fields);
        let node = Node::Aggregate(AggregateNode { keys, window, calls, emit, changelog });
        steps.push(Step { node, schema: schema.clone() });
        if let Some(mut having) = having {
            having.map_columns(&mut place);
            steps.push(Step { node: Node::Filter(having), schema });
        }
        Ok((outputs, order))
    }

    /// If results of windows are grouped by their windows, when these groups are complete: at that moment of each.
    fn windows_of_results(&self, keys: &[Expr]) -> Option<Window> {
        if !matches!(self.query.emit, None | Some((ast::Emit::Final, _))) || self.query.changelog.is_some() {
            return None;
        }
        let bound = |key: &Expr| match key.kind {
            ExprKind::Column(column) => Some((column, self.input.origin(column))),
            _ => None,
        };
        let ends = |(_, origin): &(usize, Origin)| *origin == Origin::WindowEnd;
        let starts = |(_, origin): &(usize, Origin)| matches!(origin, Origin::WindowStart(_));
        let bounds = || keys.iter().filter_map(bound);
        let (column, _) = bounds().find(ends).or_else(|| bounds().find(starts))?;
        Some(Window { column, windows: Windows::Tumbling { size_us: 1 } })
    }

    /// A grouping key: an ordinal, a column, an alias or an expression. `None` for the window's own bounds, by which a
    /// windowed query is grouped anyhow.
    fn group_key(&self, key: &ast::Expr) -> Planned<Option<(Expr, String)>> {
        let mut binder = Binder::input(self.scope, "GROUP BY");
        match &key.kind {
            ast::ExprKind::Number(text) => {
                let index = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
                match index.and_then(|index| self.query.items.get(index)) {
                    Some(ast::SelectItem::Expr { expr, alias }) => {
                        let name = alias.as_ref().map_or_else(|| expr.to_string(), |alias| alias.value.clone());
                        Ok(Some((binder.bind(expr)?.expr, name)))
                    }
                    _ => {
                        let help = format!("the SELECT list has {} columns", self.query.items.len());
                        Err(wrong(key.span, format!("GROUP BY {text} names no column of the SELECT list"), help))
                    }
                }
            }
            ast::ExprKind::Column { table: None, name }
                if self.window.is_some() && grouping::pseudo_column(&name.value).is_some() =>
            {
                Ok(None)
            }
            _ => {
                binder.aliases = self.aliases.clone();
                let bound = binder.bind(key)?;
                if matches!(bound.expr.kind, ExprKind::Literal(_)) {
                    return Err(wrong(
                        key.span,
                        "GROUP BY takes columns and expressions of them",
                        "without GROUP BY all rows are one group",
                    ));
                }
                Ok(Some((bound.expr, key.to_string())))
            }
        }
    }

    /// The event-time column of WINDOW.
    fn window_column(&self, window: &ast::Window) -> Planned<usize> {
        let (column, span) = match (&window.column, self.input.watermark()) {
            (Some(name), _) => (self.scope.resolve(window.table.as_ref(), name)?, name.span),
            (None, Some(watermark)) => (watermark.column, window.span),
            (None, None) => {
                let help = "write WINDOW TUMBLING (column, INTERVAL '1' MINUTE), or declare a WATERMARK for the source";
                return Err(wrong(window.span, "the window has no event-time column", help));
            }
        };
        let field = self.scope.field(column);
        if field.data_type == DataType::Timestamp {
            return Ok(column);
        }
        let message = format!("the event time of a window is a TIMESTAMP, {} is {}", field.name, field.data_type);
        Err(wrong(
            span,
            message,
            "declare the column TIMESTAMP; timestamp_unit = 's', 'ms', 'us' or 'ns' reads whole numbers",
        ))
    }

    /// Makes the query depend on the event time that `column` holds.
    fn follow_time(&self, column: usize, span: Span, event_time: &mut Option<EventTimeColumn>) -> Planned<()> {
        let name = &self.scope.field(column).name;
        match self.input.origin(column) {
            Origin::Scan(scanned) if !self.input.is_keyed() => {
                *event_time = Some(self.input.event_time(scanned));
                Ok(())
            }
            // Results leave when their windows close, so their bounds follow the watermark.
            Origin::WindowStart(_) | Origin::WindowEnd => Ok(()),
            // Rows that were released in the order of this column, or in one that follows it.
            _ if event_time.is_some() && self.input.is_keyed() && self.input.pace(column).is_some() => Ok(()),
            Origin::Scan(_) => Err(wrong(
                span,
                format!("{name} does not follow the watermark here: the query in FROM gives rows in another order"),
                "a window over results takes window_start or window_end of the query in FROM",
            )),
            Origin::Other => Err(wrong(
                span,
                format!("the event time of a window is a column of the source as it is, {name} is computed"),
                "select the column itself in the query in FROM; a window over results takes window_start or window_end",
            )),
        }
    }

    /// When rows leave; `window` are the windows, if there are any.
    fn emit(&self, window: Option<Window>, event_time: &mut Option<EventTimeColumn>) -> Planned<Emit> {
        let windowed = window.is_some();
        match self.query.emit {
            Some((ast::Emit::Changes, _)) => Ok(Emit::Changes),
            Some((ast::Emit::ChangesPerBatch, _)) => Ok(Emit::ChangesPerBatch),
            Some((ast::Emit::Every(every_us), span)) => {
                let column = match (window, self.input.watermark()) {
                    (Some(window), _) => window.column,
                    (None, Some(watermark)) => watermark.column,
                    (None, None) => {
                        let message = format!("EMIT EVERY needs event time, and {} has none", self.input.name);
                        let help =
                            "declare a WATERMARK for the source, or add WINDOW TUMBLING (column, INTERVAL '1' MINUTE)";
                        return Err(wrong(span, message, help));
                    }
                };
                if window.is_none() {
                    self.follow_time(column, span, event_time)?;
                }
                let windows = window.map_or(Windows::All, |window| window.windows);
                check_slices(windows, Some(every_us), span)?;
                Ok(Emit::Every { column, every_us })
            }
            Some((ast::Emit::Final, span)) if !windowed && !self.input.bounded => {
                let message =
                    format!("EMIT FINAL without a window needs the end of the input, and {} has none", self.input.name);
                Err(wrong(span, message, "add WINDOW TUMBLING (column, INTERVAL '1' MINUTE), or write EMIT CHANGES"))
            }
            Some((ast::Emit::Final, _)) => Ok(Emit::Final),
            None if windowed || self.input.bounded => Ok(Emit::Final),
            None => Ok(Emit::Changes),
        }
    }

    /// Functions OVER.
    fn rows(
        &self,
        steps: &mut Vec<Step>,
        event_time: &mut Option<EventTimeColumn>,
    ) -> Planned<(Vec<Output>, Vec<SortKey>)> {
        let state = RowsState::new(&self.query.named_windows);
        let mut binder = Binder { scope: self.scope, mode: Mode::Rows(state), aliases: Vec::new() };
        let mut outputs = self.outputs(&mut binder)?;
        let order = self.order(&mut binder, &mut outputs)?;
        let Mode::Rows(state) = binder.mode else {
            return Err(SqlError::new(self.query.span, "the query lost its functions OVER"));
        };
        let mut follow = |column, span| self.follow_time(column, span, event_time);
        let (over, places) = arrange::steps(state, self.input, &mut follow)?;
        steps.extend(over);
        let width = self.scope.schema.len();
        for output in &mut outputs {
            output.expr.map_columns(&mut |index| if index < width { index } else { places[index - width] });
        }
        Ok((outputs, order))
    }

    /// SELECT DISTINCT: grouping by every column of the result.
    fn distinct(
        &self,
        outputs: Vec<Output>,
        order: Vec<SortKey>,
        steps: &mut Vec<Step>,
    ) -> (Vec<Output>, Vec<SortKey>) {
        let schema = Schema::new(outputs.iter().map(|output| field(self.scope.schema, output)).collect());
        let mut columns = Vec::with_capacity(outputs.len());
        let mut keys = Vec::with_capacity(outputs.len());
        for (index, output) in outputs.into_iter().enumerate() {
            columns.push(Output { expr: Expr::column(index, output.expr.data_type), ..output });
            keys.push(output.expr);
        }
        let node = AggregateNode { keys, window: None, calls: Vec::new(), emit: Emit::Final, changelog: false };
        steps.push(Step { node: Node::Aggregate(node), schema });
        (columns, order)
    }

    /// Whether rows of DISTINCT leave as event time goes on, to be forgotten after a while.
    fn forgets(&self) -> bool {
        self.drops_state && self.input.clock().is_some()
    }

    /// SELECT DISTINCT of rows that are forgotten after a while.
    fn first(&self, outputs: &[Output], steps: &mut Vec<Step>, event_time: &mut Option<EventTimeColumn>) {
        let Some(node) = FirstNode::of(outputs.iter().map(|output| &output.expr), self.input) else { return };
        if !self.input.is_keyed() {
            *event_time = match self.input.origin(node.column) {
                Origin::Scan(scanned) => Some(self.input.event_time(scanned)),
                // A bound of the windows of single rows.
                _ => self.input.scan.source.watermark,
            };
        }
        steps.push(Step { node: Node::First(node), schema: self.scope.schema.clone() });
    }

    /// The SELECT list.
    fn outputs(&self, binder: &mut Binder<'_>) -> Planned<Vec<Output>> {
        let mut outputs = Vec::new();
        for item in &self.query.items {
            match item {
                ast::SelectItem::Wildcard { table, span } => {
                    let columns = match table {
                        Some(table) => self.scope.check_table(table)?,
                        None => 0..self.scope.schema.len(),
                    };
                    if matches!(binder.mode, Mode::Grouped(_)) {
                        let help = "list the grouping columns and the aggregates";
                        return Err(wrong(*span, "* cannot stand in a query with GROUP BY or aggregates", help));
                    }
                    outputs.extend(columns.map(|index| {
                        let field = self.scope.field(index);
                        Output::shown(Expr::column(index, field.data_type), field.name.clone(), *span)
                    }));
                }
                ast::SelectItem::Expr { expr, alias } => {
                    let name = match (alias, &expr.kind) {
                        (Some(alias), _) => alias.value.clone(),
                        (None, ast::ExprKind::Column { name, .. }) => match self.scope.schema.index_of(&name.value) {
                            Some(index) => self.scope.field(index).name.clone(),
                            None => name.value.to_lowercase(),
                        },
                        (None, _) => expr.to_string(),
                    };
                    outputs.push(Output::shown(binder.bind(expr)?.expr, name, expr.span));
                }
            }
        }
        Ok(outputs)
    }

    /// Every column of a result has a name of its own: sinks write columns by name.
    fn check_names(&self, outputs: &[Output]) -> Planned<()> {
        let mut seen = std::collections::HashSet::new();
        for output in outputs.iter().filter(|output| !output.is_hidden) {
            if !seen.insert(output.name.to_ascii_lowercase()) {
                let message = format!("two columns of the result are named {}", output.name);
                return Err(wrong(output.span, message, "give one of them another name: x AS name"));
            }
        }
        Ok(())
    }
}

/// Expressions of the SELECT list, of HAVING and of ORDER BY.
fn exprs(query: &ast::Query) -> impl Iterator<Item = &ast::Expr> {
    let selected = query.items.iter().filter_map(|item| match item {
        ast::SelectItem::Expr { expr, .. } => Some(expr),
        ast::SelectItem::Wildcard { .. } => None,
    });
    let ordered = query.order_by.iter().flat_map(|(items, _)| items.iter().map(|item| &item.expr));
    selected.chain(&query.having).chain(ordered)
}

/// The windows of a clause; they must not be cut into too many slices.
pub(super) fn windows(window: &ast::Window) -> Planned<Windows> {
    let windows = match window.shape {
        ast::WindowShape::Tumbling { size_us } => Windows::Tumbling { size_us },
        ast::WindowShape::Hopping { size_us, slide_us } => Windows::Hopping { size_us, slide_us },
        ast::WindowShape::Cumulating { step_us, max_us } => Windows::Cumulating { step_us, max_us },
        ast::WindowShape::Session { gap_us } => Windows::Session { gap_us },
    };
    check_slices(windows, None, window.span)?;
    Ok(windows)
}

/// No window may be cut into too many slices, be it that its results leave `every` so many microseconds.
fn check_slices(windows: Windows, every: Option<i64>, span: Span) -> Planned<()> {
    let slices = windows.slices_per_window(every);
    if slices <= limits::WINDOW_SLICES_MAX {
        return Ok(());
    }
    let message = format!("a window is made of {slices} slices of time, {} are allowed", limits::WINDOW_SLICES_MAX);
    let help =
        "slices are as long as the greatest common divisor of the lengths: choose lengths that divide each other";
    Err(wrong(span, message, help))
}

/// The field of a column of the result: a column passed through keeps whether it may be NULL.
fn field(input: &Schema, output: &Output) -> Field {
    let nullable = match output.expr.kind {
        ExprKind::Column(index) => input.fields.get(index).is_none_or(|field| field.nullable),
        _ => true,
    };
    Field { name: output.name.clone(), data_type: output.expr.data_type, nullable }
}
