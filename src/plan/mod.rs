//! Syntax tree to a checked, typed plan; layout over partitions; EXPLAIN.
//!
//! Promises: a plan is data, built, checked and printed; it does nothing. Every name is resolved to a column index,
//! every expression typed, every type conversion explicit. Knows nothing of files (schemas are asked for through
//! [`SchemaProvider`]) or threads.

mod aggregates;
mod bind;
mod coerce;
mod explain;
mod expr;
mod functions;
mod grouping;
mod layout;
mod literal;
mod prune;
mod query;
mod rows;
mod scope;
mod script;
mod select;
mod timing;

pub use expr::{ArithmeticOp, CompareOp, DatePart, Expr, ExprKind, Function};
pub use functions::{FunctionEntry, Group, functions};
pub use layout::{Deal, Exchange, Layout, LayoutRequest, ProcessorKind, Strategy};
pub use query::{
    AggregateCall, AggregateFunction, AggregateNode, AggregateOrder, Emit, EventTimeColumn, JobPlan, Node, Plan,
    RowsCall, RowsFunction, RowsNode, RowsOrder, Scan, SinkDefinition, SortKey, SourceDefinition, Step, Window,
};
pub use script::{SchemaProvider, Script, SourceFacts, plan_script};
pub use timing::{LateRecords, MaxFuture, Timing};
