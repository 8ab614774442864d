//! Syntax tree to a checked, typed plan; layout over partitions; EXPLAIN.
//!
//! Promises: a plan is data, built, checked and printed; it does nothing. Every name is resolved to a column index,
//! every expression typed, every type conversion explicit. Knows nothing of files (schemas are asked for through
//! [`SchemaProvider`]) or threads.

mod aggregates;
mod arrange;
mod as_of;
mod bind;
mod branches;
mod coerce;
mod explain;
mod expr;
mod frames;
mod from;
mod functions;
mod grouping;
mod interval;
mod join;
mod layout;
mod literal;
mod order;
mod owners;
mod pace;
mod prune;
mod query;
mod relation;
mod rows;
mod scope;
mod script;
mod select;
mod streams;
mod tables;
mod timing;
mod top;
mod union;
mod windows;

pub use as_of::AsOfNode;
pub use branches::{Branch, BranchesNode};
pub use expr::{ArithmeticOp, CompareOp, DatePart, Expr, ExprKind, Function};
pub use frames::{Arrangement, Distance, FrameBound, FrameBounds, FrameOrder, FramedCall, FramedFunction, FramesNode};
pub use from::table_name;
pub use functions::{FunctionEntry, Group, functions};
pub use interval::IntervalJoinNode;
pub use layout::{Deal, Exchange, Layout, LayoutRequest, ProcessorKind, Strategy};
pub use query::{
    AggregateCall, AggregateFunction, AggregateNode, AggregateOrder, Emit, EventTimeColumn, JobPlan, Node, Plan,
    RankNode, RowsCall, RowsFunction, RowsNode, RowsOrder, Scan, SinkDefinition, SortKey, SourceDefinition,
    SourceInput, Step, Window,
};
pub use script::{OptionPlace, SchemaProvider, Script, SourceFacts, plan_script};
pub use tables::{LookupNode, TableInput, TablePlan, in_values, places_of_row};
pub use timing::{LateRecords, MaxFuture, Timing};
pub use top::FirstNode;
pub use windows::WindowsNode;
