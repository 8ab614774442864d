//! Tables of a job: read to their end, in order, before its stream starts.
//!
//! Promises: a table is read by one partition, so its rows are in the order of its input; there is one copy of it, whatever
//! the number of partitions. What operators meet are constants (IN, scalar subqueries), indexed tables (JOIN) and tables
//! in memory (FROM).

use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use bumpalo::Bump;

use super::job::{Control, Engine};
use super::options::RunOptions;
use crate::batch::{Column, KeyedTable, Selection, view};
use crate::error::{Error, Result};
use crate::kernel::Simd;
use crate::metrics::{JobReport, Progress};
use crate::operator::expr::{Evaluator, RowFailures};
use crate::plan::{
    Expr, ExprKind, JobPlan, Node, Plan, ProcessorKind, SinkDefinition, TableInput, TablePlan, in_values, table_name,
};
use crate::types::{DataType, Options, Value};

/// A table that was read.
struct Read {
    plan: TablePlan,
    rows: Vec<RecordBatch>,
}

impl Read {
    fn len(&self) -> usize {
        self.rows.iter().map(RecordBatch::num_rows).sum()
    }
}

/// What reading the tables gave.
pub(super) struct Tables {
    /// The engine, with the tables that FROM reads among those in memory.
    pub(super) engine: Engine,
    /// Bytes of those tables.
    pub(super) held_bytes: u64,
    /// Records that could not be used, for the report.
    reports: Vec<(String, JobReport)>,
}

impl Tables {
    /// Reads the tables of `job` and puts what they hold into its plan.
    pub(super) fn read(engine: &Engine, job: &mut JobPlan, options: &RunOptions, control: &Control) -> Result<Self> {
        let mut tables = Self { engine: engine.clone(), held_bytes: 0, reports: Vec::new() };
        let plans = std::mem::take(&mut job.plan.tables);
        let scanned = |plan: &Plan, number: usize| {
            let name = table_name(number);
            plan.scan.source.read().any(|source| source.options.get("table") == Some(name.as_str()))
        };
        let mut read: Vec<Read> = Vec::with_capacity(plans.len());
        for (number, mut plan) in plans.iter().cloned().enumerate() {
            let rows = match std::mem::replace(&mut plan.input, TableInput::Rows(Vec::new())) {
                TableInput::Rows(rows) => rows,
                TableInput::Query(query) => tables.run(*query, &plan.name, job, &read, options, control)?,
            };
            let later = plans[number + 1..].iter().any(|later| match &later.input {
                TableInput::Query(plan) => scanned(plan, number),
                TableInput::Rows(_) => false,
            });
            if later || scanned(&job.plan, number) {
                tables.held_bytes += rows.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() as u64;
                tables.engine.register(&table_name(number), rows.clone());
            }
            read.push(Read { plan, rows });
        }
        fill(&mut job.plan, &read)?;
        Ok(tables)
    }

    /// Runs the query of a table.
    fn run(
        &mut self,
        mut plan: Plan,
        name: &str,
        job: &JobPlan,
        read: &[Read],
        options: &RunOptions,
        control: &Control,
    ) -> Result<Vec<RecordBatch>> {
        fill(&mut plan, read)?;
        let sink = SinkDefinition { name: name.to_string(), options: Options::new() };
        let job = JobPlan { plan, sink, settings: job.settings.clone(), sinks: Vec::new() };
        let mut options = RunOptions {
            processor: ProcessorKind::Inline,
            partitions: Some(1),
            cores: None,
            strategy: None,
            ..options.clone()
        };
        options.timing.late_sink = None;
        let control = Control { progress: Arc::new(Progress::new()), ..control.clone() };
        let (report, rows) = self.engine.collect_with(&job, &options, &control)?;
        if report.records_failed + report.records_dropped > 0 {
            self.reports.push((name.to_string(), report));
        }
        Ok(rows)
    }

    /// Tells what was lost of tables.
    pub(super) fn report(self, report: &mut JobReport) {
        for (name, table) in self.reports {
            report.notes.push(format!(
                "of the {} records of {name}, {} could not be used and {} came too late",
                table.records_read, table.records_failed, table.records_dropped
            ));
            report.failures.extend(table.failures);
        }
    }
}

/// Puts what tables hold into a plan.
fn fill(plan: &mut Plan, read: &[Read]) -> Result<()> {
    plan.answer_tables(&mut |expr| answer(expr, read))?;
    plan.change_nodes(&mut |node| {
        if let Node::Lookup(node) = node
            && node.loaded.is_none()
        {
            let table = &read[node.table];
            let keys: Vec<usize> = node.keys.iter().map(|(_, column)| *column).collect();
            let loaded = KeyedTable::new(&table.plan.schema, &table.rows, &keys);
            let loaded = loaded.ok_or_else(|| {
                Error::Execution(format!("{} has {} rows, more than a JOIN can look up", table.plan.name, table.len()))
            })?;
            node.loaded = Some(Arc::new(loaded));
        }
        Ok(())
    })
}

/// The constant that an expression over a table has become.
fn answer(expr: &Expr, read: &[Read]) -> Result<Option<ExprKind>> {
    match &expr.kind {
        ExprKind::TableExists(table) => Ok(Some(ExprKind::Literal(Value::Boolean(read[*table].len() > 0)))),
        ExprKind::TableValue(table) => {
            let table = &read[*table];
            if table.len() > 1 {
                return Err(Error::Execution(format!(
                    "the {} gave {} rows where one value stands: add LIMIT 1, or take MAX(column)",
                    table.plan.name,
                    table.len()
                )));
            }
            let mut value = Value::Null;
            each_value(table, expr.data_type, &mut |found| value = found)?;
            Ok(Some(ExprKind::Literal(value)))
        }
        ExprKind::InTable { arg, table, negated } => {
            let (mut values, mut has_null) = (Vec::new(), false);
            each_value(&read[*table], arg.data_type, &mut |value| match value {
                Value::Null => has_null = true,
                value => values.push(value),
            })?;
            Ok(Some(in_values(arg, values, has_null, *negated)))
        }
        _ => Ok(None),
    }
}

/// Hands over the values of the first column, as `data_type`.
fn each_value(table: &Read, data_type: DataType, take: &mut dyn FnMut(Value)) -> Result<()> {
    let column = Expr::column(0, table.plan.schema.fields[0].data_type);
    let cast = match column.data_type == data_type {
        true => column,
        false => Expr { kind: ExprKind::Cast(Box::new(column)), data_type },
    };
    let evaluator = Evaluator::new(&cast);
    for batch in &table.rows {
        let (arena, rows) = (Bump::new(), batch.num_rows());
        let columns: Vec<Column<'_>> = vec![view(batch.column(0) as &dyn Array, 0, rows, &arena)];
        let mut failures = RowFailures::new(&arena, rows);
        let values = evaluator.evaluate(&columns, rows, Selection::All, &arena, &mut failures, Simd::WIDE);
        if let Some((_, reason)) = failures.iter().next() {
            return Err(Error::Execution(format!("{}: {reason}", table.plan.name)));
        }
        (0..rows).for_each(|row| take(values.value(row)));
    }
    Ok(())
}
