//! EXPLAIN: a plan as an indented tree, the last step first, with expressions as SQL.

use std::fmt::Write;

use arrow_array::RecordBatch;

use super::expr::{ArithmeticOp, CompareOp, Expr, ExprKind, Function};
use super::frames::{Arrangement, Distance, FrameBound, FramedCall, FramedFunction, FramesNode};
use super::literal;
use super::query::{
    AggregateCall, AggregateFunction, AggregateOrder, Emit, Node, Plan, RowsCall, RowsFunction, RowsOrder, Scan,
    SortKey, Window,
};
use super::tables::TableInput;
use super::timing::LateRecords;
use crate::time::Windows;
use crate::types::{DataType, Schema, Value};

impl Plan {
    /// The plan as text: one line per step, each indented under the step that reads it; ends with a line feed.
    pub fn explain(&self) -> String {
        let mut out = String::new();
        self.explain_steps(&mut out, 0);
        for (number, table) in self.tables.iter().enumerate() {
            match &table.input {
                TableInput::Query(plan) => {
                    push(&mut out, 0, &format!("Table {number}: {}", table.name));
                    plan.explain_steps(&mut out, 1);
                }
                TableInput::Rows(rows) => {
                    let rows: usize = rows.iter().map(RecordBatch::num_rows).sum();
                    push(&mut out, 0, &format!("Table {number}: {}, {rows} rows", table.name));
                }
            }
        }
        out
    }

    /// The steps; returns how deep what they read is indented.
    fn explain_chain(&self, out: &mut String, mut depth: usize) -> usize {
        for index in (0..self.steps.len()).rev() {
            let line = node(&self.steps[index].node, &self.input_of(index), &self.steps[index].schema);
            push(out, depth, &line);
            depth += 1;
            if let Node::Branches(node) = &self.steps[index].node {
                for branch in &node.branches {
                    push(out, depth, &format!("Branch of inputs {}..{}", branch.inputs.start, branch.inputs.end));
                    self.branch(index, branch).explain_chain(out, depth + 1);
                }
            }
        }
        depth
    }

    fn explain_steps(&self, out: &mut String, depth: usize) {
        let depth = self.explain_chain(out, depth);
        let mut line = scan(&self.scan);
        if let Some(lateness) = self.lateness().filter(|_| self.timing.late_records != LateRecords::Drop) {
            let _ = write!(line, " allowed_lateness={}", literal::duration_text(lateness.allowed_us));
        }
        if let Some(sink) = self.timing.late_sink.as_ref().filter(|_| self.scan.event_time.is_some()) {
            let _ = write!(line, " late_sink={sink}");
        }
        push(out, depth, &line);
    }
}

fn push(out: &mut String, depth: usize, line: &str) {
    out.push_str(&"  ".repeat(depth));
    out.push_str(line);
    out.push('\n');
}

fn scan(scan: &Scan) -> String {
    let schema = scan.schema();
    let mut line = format!("Scan {}", scan.source.name);
    for key in ["connector", "format"] {
        if let Some(value) = scan.source.options.get(key) {
            let _ = write!(line, " {key}={value}");
        }
    }
    let columns: Vec<String> =
        schema.fields.iter().map(|field| format!("{} {}", field.name, field.data_type)).collect();
    let _ = write!(line, " columns=[{}] of {}", columns.join(", "), scan.source.schema.len());
    if let Some(event_time) = scan.event_time {
        let bound = literal::duration_text(event_time.bound_us);
        let _ = write!(line, " watermark={} - {bound}", name(&schema, event_time.column));
    }
    if !scan.source.keyed_by.is_empty() {
        let keys: Vec<&str> = scan.source.keyed_by.iter().map(|&key| name(&scan.source.schema, key)).collect();
        let _ = write!(line, " keyed_by=[{}]", keys.join(", "));
    }
    line
}

fn window_text(windows: Windows, column: &str) -> String {
    let (kind, lengths) = match windows {
        Windows::All => ("ALL", Vec::new()),
        Windows::Tumbling { size_us } => ("TUMBLING", vec![size_us]),
        Windows::Hopping { size_us, slide_us } => ("SLIDING", vec![size_us, slide_us]),
        Windows::Cumulating { step_us, max_us } => ("CUMULATE", vec![step_us, max_us]),
        Windows::Session { gap_us } => ("SESSION", vec![gap_us]),
    };
    let lengths: Vec<String> = lengths.into_iter().map(literal::duration_text).collect();
    format!("{kind}({column}, {})", lengths.join(", "))
}

fn node(node: &Node, input: &Schema, output: &Schema) -> String {
    match node {
        Node::Filter(condition) => format!("Filter {}", text(condition, input)),
        Node::Project(exprs) => {
            let column = |(index, expr): (usize, &Expr)| {
                let (text, name) = (text(expr, input), name(output, index));
                if text == name { text } else { format!("{text} AS {}", quoted(name)) }
            };
            format!("Project [{}]", exprs.iter().enumerate().map(column).collect::<Vec<_>>().join(", "))
        }
        Node::Aggregate(node) => {
            let mut line = format!("Aggregate keys=[{}]", list(&node.keys, input));
            if let Some(Window { column, windows }) = node.window {
                let _ = write!(line, " window={}", window_text(windows, name(input, column)));
            }
            let calls: Vec<String> = node.calls.iter().map(|call| aggregate(call, input)).collect();
            let emit = match node.emit {
                Emit::Final => "FINAL".into(),
                Emit::Changes => "CHANGES".into(),
                Emit::ChangesPerBatch => "CHANGES PER BATCH".into(),
                Emit::Every { every_us, .. } => format!("EVERY {}", literal::duration_text(every_us)),
            };
            let changelog = if node.changelog { " WITH CHANGELOG" } else { "" };
            let _ = write!(line, " calls=[{}] emit={emit}{changelog}", calls.join(", "));
            line
        }
        Node::Rows(node) => {
            let order = match node.order {
                RowsOrder::Arrival => "arrival",
                RowsOrder::EventTime { column } => name(input, column),
            };
            let calls: Vec<String> = node.calls.iter().map(|call| rows_call(call, input)).collect();
            format!(
                "Rows partition_by=[{}] order={order} calls=[{}]",
                list(&node.partition_by, input),
                calls.join(", ")
            )
        }
        Node::Frames(node) => frames(node, input),
        Node::Rank(node) => {
            let columns: Vec<&str> = node.partition_by.iter().map(|&column| name(input, column)).collect();
            let order: Vec<String> = node.order.iter().map(|key| sort_key(key, input)).collect();
            let mut line = format!("Rank partition_by=[{}] order=[{}]", columns.join(", "), order.join(", "));
            if let Some(keep) = node.keep {
                let _ = write!(line, " keep={keep}");
            }
            let at = node.window.map_or("end of input".into(), |column| format!("close of {}", name(input, column)));
            let _ = write!(line, " at={}", at.replace(' ', "_"));
            line
        }
        Node::Windows(node) => format!("Windows {}", window_text(node.windows, name(input, node.column))),
        Node::First(node) => format!("First of [{}] by {}", list(&node.keys, input), name(input, node.column)),
        Node::Branches(_) => "Branches".into(),
        Node::IntervalJoin(node) => {
            let kind = match (node.left_outer, node.right_outer) {
                (false, false) => "INNER",
                (true, false) => "LEFT",
                (false, true) => "RIGHT",
                (true, true) => "FULL",
            };
            let key = |(left, right): &(Expr, Expr)| format!("{} = {}", text(left, input), text(right, input));
            let keys: Vec<String> = node.keys.iter().map(key).collect();
            let us = |us: i64| match us {
                0.. => literal::duration_text(us),
                _ => format!("-{}", literal::duration_text(us.saturating_neg())),
            };
            let bound = |is_open: bool, bound_us: i64| if is_open { "any".to_string() } else { us(bound_us) };
            let (lower, upper) = (bound(node.is_open.0, node.lower_us), bound(node.is_open.1, node.upper_us));
            let mut line = format!("Join {kind} on [{}] within [{lower}, {upper}]", keys.join(", "));
            if let Some(residual) = &node.residual {
                let _ = write!(line, " where {}", text(residual, output));
            }
            line
        }
        Node::AsOf(node) => {
            let kind = if node.outer { "LEFT" } else { "INNER" };
            let key = |(left, right): &(Expr, Expr)| format!("{} = {}", text(left, input), text(right, input));
            let keys: Vec<String> = node.keys.iter().map(key).collect();
            format!("AsOf {kind} on [{}]", keys.join(", "))
        }
        Node::Lookup(node) => {
            let kind = if node.outer { "LEFT" } else { "INNER" };
            let added = output.len() - node.columns.len();
            let key = |(key, column): &(Expr, usize)| {
                let of_table = node.columns.iter().position(|passed| passed == column);
                let right = of_table.map_or_else(|| format!("key {column}"), |at| name(output, added + at).to_string());
                format!("{} = {right}", text(key, input))
            };
            let keys: Vec<String> = node.keys.iter().map(key).collect();
            format!("Lookup {kind} table {} on [{}]", node.table, keys.join(", "))
        }
        Node::Sort(keys) => {
            let keys: Vec<String> = keys.iter().map(|key| sort_key(key, input)).collect();
            format!("Sort [{}]", keys.join(", "))
        }
        Node::Limit { limit, offset } => {
            let limit = limit.map_or("all".to_string(), |limit| limit.to_string());
            if *offset > 0 { format!("Limit {limit} offset {offset}") } else { format!("Limit {limit}") }
        }
    }
}

fn frames(node: &FramesNode, input: &Schema) -> String {
    let order: Vec<String> =
        node.order.iter().map(|key| ordered(&key.expr, key.descending, key.nulls_first, input)).collect();
    let calls: Vec<String> = node.calls.iter().map(|call| framed_call(call, input)).collect();
    let mut line = format!("Frames partition_by=[{}] order=[{}]", list(&node.partition_by, input), order.join(", "));
    match node.arrangement {
        Arrangement::AsTheyCome => {}
        Arrangement::EventTime { column } => {
            let _ = write!(line, " released_by={}", name(input, column));
        }
        Arrangement::Values { per_window: true } => line.push_str(" at=close_of_window"),
        Arrangement::Values { per_window: false } => line.push_str(" at=end_of_input"),
    }
    if let Some(us) = node.expire_us {
        let _ = write!(line, " expire_after={}", literal::duration_text(us));
    }
    let _ = write!(line, " calls=[{}]", calls.join(", "));
    line
}

fn framed_call(call: &FramedCall, input: &Schema) -> String {
    let framed = |text: String| format!("{text} over {} to {}", bound(call.frame.start), bound(call.frame.end));
    match &call.function {
        FramedFunction::Aggregate(call) => framed(aggregate(call, input)),
        FramedFunction::FirstValue(arg) => framed(format!("FIRST_VALUE({})", text(arg, input))),
        FramedFunction::LastValue(arg) => framed(format!("LAST_VALUE({})", text(arg, input))),
        FramedFunction::NthValue(arg, n) => framed(format!("NTH_VALUE({}, {n})", text(arg, input))),
        FramedFunction::Shift { arg, offset, default } => {
            let function = if *offset > 0 { "LEAD" } else { "LAG" };
            shifted(function, &text(arg, input), offset.unsigned_abs(), default, call.data_type)
        }
        FramedFunction::RowNumber => "ROW_NUMBER()".into(),
        FramedFunction::Rank => "RANK()".into(),
        FramedFunction::DenseRank => "DENSE_RANK()".into(),
        FramedFunction::PercentRank => "PERCENT_RANK()".into(),
        FramedFunction::CumeDist => "CUME_DIST()".into(),
        FramedFunction::Ntile(buckets) => format!("NTILE({buckets})"),
    }
}

/// LAG or LEAD.
fn shifted(function: &str, arg: &str, offset: u64, default: &Value, data_type: DataType) -> String {
    let default = match default {
        Value::Null => String::new(),
        value => format!(", {}", literal::display(value, data_type)),
    };
    format!("{function}({arg}, {offset}{default})")
}

fn bound(bound: FrameBound) -> String {
    let (negative, text) = match bound {
        FrameBound::First => return "first row".into(),
        FrameBound::Last => return "last row".into(),
        FrameBound::Rows(0) => return "current row".into(),
        FrameBound::Groups(0) => return "equal rows".into(),
        FrameBound::Rows(rows) => (rows < 0, format!("{} rows", rows.unsigned_abs())),
        FrameBound::Groups(groups) => (groups < 0, format!("{} groups", groups.unsigned_abs())),
        FrameBound::Range(Distance::Whole(distance)) => (distance < 0, distance.unsigned_abs().to_string()),
        FrameBound::Range(Distance::Double(distance)) => (distance < 0.0, distance.abs().to_string()),
    };
    format!("{text} {}", if negative { "before" } else { "behind" })
}

fn sort_key(key: &SortKey, input: &Schema) -> String {
    let order = if key.descending { " DESC" } else { "" };
    let nulls = match (key.descending, key.nulls_first) {
        (false, true) => " NULLS FIRST",
        (true, false) => " NULLS LAST",
        _ => "",
    };
    format!("{}{order}{nulls}", name(input, key.column))
}

fn function(function: AggregateFunction) -> &'static str {
    match function {
        AggregateFunction::Count => "COUNT",
        AggregateFunction::Sum => "SUM",
        AggregateFunction::Avg => "AVG",
        AggregateFunction::Min => "MIN",
        AggregateFunction::Max => "MAX",
        AggregateFunction::Variance => "VARIANCE",
        AggregateFunction::StdDev => "STDDEV",
        AggregateFunction::VariancePop => "VAR_POP",
        AggregateFunction::StdDevPop => "STDDEV_POP",
        AggregateFunction::First => "FIRST",
        AggregateFunction::Last => "LAST",
        AggregateFunction::MinBy => "MIN_BY",
        AggregateFunction::MaxBy => "MAX_BY",
        AggregateFunction::StringAgg => "STRING_AGG",
        AggregateFunction::PercentileCont => "PERCENTILE_CONT",
        AggregateFunction::PercentileDisc => "PERCENTILE_DISC",
        AggregateFunction::ApproxPercentile => "APPROX_PERCENTILE",
        AggregateFunction::ApproxCountDistinct => "APPROX_COUNT_DISTINCT",
        AggregateFunction::Corr => "CORR",
        AggregateFunction::CovarPop => "COVAR_POP",
        AggregateFunction::CovarSamp => "COVAR_SAMP",
        AggregateFunction::RegrSlope => "REGR_SLOPE",
        AggregateFunction::RegrIntercept => "REGR_INTERCEPT",
        AggregateFunction::RegrR2 => "REGR_R2",
        AggregateFunction::RegrCount => "REGR_COUNT",
    }
}

fn aggregate(call: &AggregateCall, input: &Schema) -> String {
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    let mut inside = call.arg.as_ref().map_or("*".into(), |arg| format!("{distinct}{}", text(arg, input)));
    if let Some(second) = &call.second {
        let _ = write!(inside, ", {}", text(second, input));
    }
    let order: Vec<String> = call.order.iter().map(|order| aggregate_order(order, input)).collect();
    if !order.is_empty() {
        let _ = write!(inside, " ORDER BY {}", order.join(", "));
    }
    format!("{}({inside})", function(call.function))
}

fn aggregate_order(order: &AggregateOrder, input: &Schema) -> String {
    ordered(&order.expr, order.descending, order.nulls_first, input)
}

fn ordered(expr: &Expr, descending: bool, nulls_first: bool, input: &Schema) -> String {
    let mut line = text(expr, input);
    if descending {
        line.push_str(" DESC");
    }
    if nulls_first != descending {
        line.push_str(if nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
    }
    line
}

fn rows_call(call: &RowsCall, input: &Schema) -> String {
    let arg = call.arg.as_ref().map(|arg| text(arg, input));
    let framed = |name: &str| {
        let frame = call.frame_rows.map_or("all rows".into(), |rows| format!("{rows} rows"));
        format!("{name}({}) over {frame}", arg.as_deref().unwrap_or("*"))
    };
    match &call.function {
        RowsFunction::Aggregate(aggregate) => framed(function(*aggregate)),
        RowsFunction::FirstValue => framed("FIRST_VALUE"),
        RowsFunction::LastValue => framed("LAST_VALUE"),
        RowsFunction::RowNumber => "ROW_NUMBER()".into(),
        RowsFunction::Lag { offset, default } => {
            shifted("LAG", arg.as_deref().unwrap_or("*"), *offset, default, call.data_type)
        }
    }
}

fn name(schema: &Schema, index: usize) -> &str {
    schema.fields.get(index).map_or("?", |field| field.name.as_str())
}

/// A name as SQL takes it.
fn quoted(name: &str) -> String {
    let mut chars = name.chars();
    let plain =
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_');
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn list(exprs: &[Expr], input: &Schema) -> String {
    exprs.iter().map(|expr| text(expr, input)).collect::<Vec<_>>().join(", ")
}

/// How tightly an expression binds.
fn strength(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::Or(_) => 1,
        ExprKind::And(_) => 2,
        ExprKind::Not(_) => 3,
        ExprKind::IsNull { .. } => 4,
        ExprKind::Compare { .. } | ExprKind::Like { .. } | ExprKind::InList { .. } | ExprKind::InTable { .. } => 5,
        ExprKind::Call { function: Function::Distinct, .. } => 5,
        ExprKind::Call { function: Function::ConcatOperator, .. } => 7,
        ExprKind::Arithmetic { op: ArithmeticOp::Add | ArithmeticOp::Subtract, .. } => 8,
        ExprKind::Arithmetic { .. } => 9,
        ExprKind::Negate(_) => 10,
        _ => 11,
    }
}

/// An operand, in parentheses if it binds less tightly than `least`.
fn operand(expr: &Expr, input: &Schema, least: u8) -> String {
    let text = text(expr, input);
    if strength(expr) < least { format!("({text})") } else { text }
}

/// An expression as SQL over the columns of `input`.
pub(super) fn text(expr: &Expr, input: &Schema) -> String {
    let own = strength(expr);
    let join = |args: &[Expr], separator: &str| {
        args.iter().map(|arg| operand(arg, input, own + 1)).collect::<Vec<_>>().join(separator)
    };
    let not = |negated: bool| if negated { "NOT " } else { "" };
    match &expr.kind {
        ExprKind::Column(index) => name(input, *index).to_string(),
        ExprKind::Literal(value) => literal::display(value, expr.data_type),
        ExprKind::Not(arg) => format!("NOT {}", operand(arg, input, own)),
        ExprKind::Negate(arg) => format!("-{}", operand(arg, input, own + 1)),
        ExprKind::IsNull { arg, negated } => format!("{} IS {}NULL", operand(arg, input, own), not(*negated)),
        ExprKind::Arithmetic { op, left, right } => {
            let sign = match op {
                ArithmeticOp::Add => "+",
                ArithmeticOp::Subtract => "-",
                ArithmeticOp::Multiply => "*",
                ArithmeticOp::Divide => "/",
                ArithmeticOp::Modulo => "%",
            };
            format!("{} {sign} {}", operand(left, input, own), operand(right, input, own + 1))
        }
        ExprKind::Compare { op, left, right } => {
            let sign = match op {
                CompareOp::Equal => "=",
                CompareOp::NotEqual => "<>",
                CompareOp::Less => "<",
                CompareOp::LessOrEqual => "<=",
                CompareOp::Greater => ">",
                CompareOp::GreaterOrEqual => ">=",
            };
            format!("{} {sign} {}", operand(left, input, own + 1), operand(right, input, own + 1))
        }
        ExprKind::And(terms) => join(terms, " AND "),
        ExprKind::Or(terms) => join(terms, " OR "),
        ExprKind::Case { branches, otherwise } => {
            let mut out = String::from("CASE");
            for (when, then) in branches {
                let _ = write!(out, " WHEN {} THEN {}", text(when, input), text(then, input));
            }
            if let Some(otherwise) = otherwise {
                let _ = write!(out, " ELSE {}", text(otherwise, input));
            }
            out + " END"
        }
        ExprKind::Cast(arg) => format!("CAST({} AS {})", text(arg, input), expr.data_type),
        ExprKind::TryCast(arg) => format!("TRY_CAST({} AS {})", text(arg, input), expr.data_type),
        ExprKind::Like { arg, pattern, negated, escape, case_insensitive } => {
            let word = if *case_insensitive { "ILIKE" } else { "LIKE" };
            let escape = escape.map_or(String::new(), |c| format!(" ESCAPE '{c}'"));
            format!(
                "{} {}{word} '{}'{escape}",
                operand(arg, input, own + 1),
                not(*negated),
                pattern.replace('\'', "''")
            )
        }
        ExprKind::InList { arg, list, has_null, negated } => {
            let mut values: Vec<String> = list.iter().map(|value| literal::display(value, arg.data_type)).collect();
            values.extend(has_null.then(|| "NULL".to_string()));
            format!("{} {}IN ({})", operand(arg, input, own + 1), not(*negated), values.join(", "))
        }
        ExprKind::TableValue(table) => format!("(table {table})"),
        ExprKind::TableExists(table) => format!("EXISTS (table {table})"),
        ExprKind::InTable { arg, table, negated } => {
            format!("{} {}IN (table {table})", operand(arg, input, own + 1), not(*negated))
        }
        ExprKind::Call { function, args } => call(*function, args, input, own),
    }
}

fn call(function: Function, args: &[Expr], input: &Schema, own: u8) -> String {
    let list = || list(args, input);
    let name = match function {
        Function::ConcatOperator => {
            return args.iter().map(|arg| operand(arg, input, own)).collect::<Vec<_>>().join(" || ");
        }
        Function::Distinct => {
            return args.iter().map(|arg| operand(arg, input, own + 1)).collect::<Vec<_>>().join(" IS DISTINCT FROM ");
        }
        Function::DateTrunc(part) => return format!("DATE_TRUNC('{}', {})", part.name(), list()),
        Function::Extract(part) => return format!("EXTRACT({} FROM {})", part.name().to_uppercase(), list()),
        Function::Row(function) => function.name,
        Function::Greatest => "GREATEST",
        Function::Least => "LEAST",
        Function::ConcatWs => "CONCAT_WS",
        Function::Coalesce => "COALESCE",
        Function::NullIf => "NULLIF",
        Function::Abs => "ABS",
        Function::Round => "ROUND",
        Function::Floor => "FLOOR",
        Function::Ceil => "CEIL",
        Function::Upper => "UPPER",
        Function::Lower => "LOWER",
        Function::Length => "LENGTH",
        Function::Substring => "SUBSTRING",
        Function::Concat => "CONCAT",
        Function::Trim => "TRIM",
    };
    format!("{name}({})", list())
}
