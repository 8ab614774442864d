//! The plan of one job: what is read, the steps in between, where it goes. Says nothing of partitions.

use std::sync::Arc;

use super::as_of::AsOfNode;
use super::branches::{Branch, BranchesNode};
use super::frames::{Arrangement, FramesNode};
use super::interval::IntervalJoinNode;
use super::tables::{LookupNode, TablePlan};
use super::top::FirstNode;
use super::windows::WindowsNode;
use super::{Expr, Timing};
use crate::error::{Error, Result};
use crate::time::Windows;
use crate::types::{DataType, Options, Schema};

/// A declared or inferred source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceDefinition {
    /// Name in SQL; the path for a file that was named in FROM.
    pub name: String,
    /// All columns.
    pub schema: Schema,
    /// Connector and format options, `connector` among them.
    pub options: Options,
    /// The column of the WATERMARK clause (index into `schema`) and its bound.
    pub watermark: Option<EventTimeColumn>,
    /// Columns by which the source is keyed: all records of a key are in one split (`keyed_by = 'symbol'`).
    pub keyed_by: Vec<usize>,
    /// The sources that this one puts together (UNION ALL), none for a source that is read itself. Its first columns are
    /// then [`SourceInput::NUMBER`] and [`SourceInput::EVENT_TIME`].
    pub inputs: Vec<SourceInput>,
}

/// One of the sources that are read as one.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceInput {
    /// The source.
    pub source: Arc<SourceDefinition>,
    /// Where its columns start among those of the whole; those of other inputs are NULL in its rows.
    pub start: usize,
}

impl SourceInput {
    /// The column that holds the number of a row's input. INT.
    pub const NUMBER: usize = 0;
    /// The column that holds the watermarked column of a row's input. TIMESTAMP.
    pub const EVENT_TIME: usize = 1;
}

/// An event-time column and how far behind its greatest value the watermark stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTimeColumn {
    /// Column index. TIMESTAMP.
    pub column: usize,
    /// Microseconds, not negative.
    pub bound_us: i64,
}

/// Where results go: `connector` among the options; `stdout` for a bare SELECT.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkDefinition {
    /// Name in SQL, `stdout` for a bare SELECT.
    pub name: String,
    /// Connector and format options.
    pub options: Options,
}

/// One INSERT or bare SELECT, checked and typed.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPlan {
    /// What is computed.
    pub plan: Plan,
    /// Where it goes.
    pub sink: SinkDefinition,
    /// SET options in force at the statement.
    pub settings: Options,
    /// Sinks declared so far: `late_sink` names one of them.
    pub sinks: Vec<SinkDefinition>,
}

/// What a job reads and computes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The source and the columns read from it.
    pub scan: Scan,
    /// Steps in order; each reads the schema of the one before (the first: `scan.schema()`).
    pub steps: Vec<Step>,
    /// How event time is treated.
    pub timing: Timing,
    /// What is read before the scan, in this order; steps name them by number.
    pub tables: Vec<TablePlan>,
}

/// What is read: the projection reaches the decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// The source.
    pub source: Arc<SourceDefinition>,
    /// Columns read, ascending indices into the source's schema.
    pub projection: Vec<usize>,
    /// The event time that the query depends on, as an index into the *projection*. `None` if it depends on none.
    pub event_time: Option<EventTimeColumn>,
}

impl Scan {
    /// Columns as read.
    pub fn schema(&self) -> Schema {
        self.source.schema.project(&self.projection)
    }
}

/// A node and the schema of its output.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What happens.
    pub node: Node,
    /// Columns that leave.
    pub schema: Schema,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Keeps the rows for which the BOOLEAN expression is true. Over the scan it counts `records_filtered`.
    Filter(Expr),
    /// Computes columns.
    Project(Vec<Expr>),
    /// Groups.
    Aggregate(AggregateNode),
    /// Appends columns computed over the last rows of each key.
    Rows(RowsNode),
    /// Appends columns computed over frames of any shape.
    Frames(FramesNode),
    /// Numbers the rows of each key in an order of their values.
    Rank(RankNode),
    /// Repeats rows for the windows that they belong to.
    Windows(WindowsNode),
    /// Drops rows whose key came before.
    First(FirstNode),
    /// Sends the rows of each input through steps of its own.
    Branches(BranchesNode),
    /// Joins two streams.
    IntervalJoin(IntervalJoinNode),
    /// Joins with the versions that held at the time of each row.
    AsOf(AsOfNode),
    /// Joins with a table.
    Lookup(LookupNode),
    /// Sorts the whole result at the end of input.
    Sort(Vec<SortKey>),
    /// Passes `limit` rows after skipping `offset`.
    Limit {
        /// Rows passed; `None` means all.
        limit: Option<u64>,
        /// Rows skipped.
        offset: u64,
    },
}

/// GROUP BY, with or without a time window. Output columns: keys, then calls, then (if windowed) `window_start` and
/// `window_end` (TIMESTAMP), then `op` (VARCHAR) if it is a changelog.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateNode {
    /// Grouping expressions; none means one group (which exists even without rows, unless windowed).
    pub keys: Vec<Expr>,
    /// Time window.
    pub window: Option<Window>,
    /// Aggregates.
    pub calls: Vec<AggregateCall>,
    /// When rows leave.
    pub emit: Emit,
    /// Whether a last column `op` (VARCHAR) says what a row does to the row of the same group before: `+I`, `-U`, `+U`, and
    /// `-D` where sessions become one.
    pub changelog: bool,
}

impl AggregateNode {
    /// Whether event time decides when results leave.
    pub fn is_timed(&self) -> bool {
        self.time_column().is_some()
    }

    /// The event-time column, if event time matters.
    pub fn time_column(&self) -> Option<usize> {
        match (self.window, self.emit) {
            (Some(window), _) => Some(window.column),
            (None, Emit::Every { column, .. }) => Some(column),
            _ => None,
        }
    }

    /// Whether windows are sessions.
    pub fn has_sessions(&self) -> bool {
        self.window.is_some_and(|window| matches!(window.windows, Windows::Session { .. }))
    }

    /// Number of columns behind keys and calls.
    pub fn added_columns(&self) -> usize {
        2 * usize::from(self.window.is_some()) + usize::from(self.changelog)
    }
}

/// Half-open windows aligned to the epoch, over the scan's event-time column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Event-time column of the node's input.
    pub column: usize,
    /// Kind and lengths.
    pub windows: Windows,
}

/// When the rows of a group leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// Once, when the window closes or at the end of input.
    Final,
    /// One row per input row: the changed group's running values.
    Changes,
    /// After each batch of the input one row per group that it changed.
    ChangesPerBatch,
    /// At all multiples of so much event time, and when a window closes: one row per group that changed.
    Every {
        /// Event-time column of the node's input.
        column: usize,
        /// Microseconds, positive.
        every_us: i64,
    },
}

impl Emit {
    /// Whether groups of several partitions may be merged before they leave: the order of rows within them does not show.
    pub fn merges(self) -> bool {
        matches!(self, Self::Final | Self::Every { .. })
    }
}

/// One aggregate over an optional argument.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateCall {
    /// Which.
    pub function: AggregateFunction,
    /// Argument; `None` for COUNT(*). INT arguments of SUM, AVG, VARIANCE and STDDEV have been cast to BIGINT, those of
    /// percentiles that are not discrete and of aggregates of two columns to DOUBLE, those of STRING_AGG to VARCHAR.
    pub arg: Option<Expr>,
    /// The key of MIN_BY and MAX_BY; x of CORR, COVAR and REGR (DOUBLE); a literal: the separator of STRING_AGG (VARCHAR), the
    /// fraction of a percentile (DOUBLE).
    pub second: Option<Expr>,
    /// ORDER BY of FIRST, LAST, STRING_AGG, before the order of the input; of a percentile its argument, which may descend.
    pub order: Vec<AggregateOrder>,
    /// Of equal arguments one is taken. The order of STRING_AGG is that of its argument then.
    pub distinct: bool,
    /// Type of the result: COUNT BIGINT; SUM(BIGINT) BIGINT (exact inside, an error if the result does not fit);
    /// SUM(DECIMAL(p,s)) DECIMAL(38,s); SUM(DOUBLE), AVG, VARIANCE, STDDEV DOUBLE; MIN, MAX, FIRST, LAST, MIN_BY, MAX_BY,
    /// PERCENTILE_DISC the argument's.
    pub data_type: DataType,
}

impl AggregateCall {
    /// MIN or MAX of `arg`.
    pub fn extreme(function: AggregateFunction, arg: Expr) -> Self {
        let data_type = arg.data_type;
        Self { function, arg: Some(arg), second: None, order: Vec::new(), distinct: false, data_type }
    }
}

/// One key of ORDER BY inside an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateOrder {
    /// What to order by.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST; the default is last for ASC and first for DESC.
    pub nulls_first: bool,
}

impl AggregateCall {
    /// Its expressions.
    pub(super) fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let order = self.order.iter_mut().map(|order| &mut order.expr);
        self.arg.iter_mut().chain(&mut self.second).chain(order)
    }
}

/// Aggregates. NULL arguments do not count; over no rows COUNT is 0 and the others NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// COUNT(*) (no argument) or COUNT(x).
    Count,
    /// SUM.
    Sum,
    /// AVG.
    Avg,
    /// MIN.
    Min,
    /// MAX.
    Max,
    /// VARIANCE: sample variance (n − 1); NULL for fewer than two values.
    Variance,
    /// STDDEV: square root of the sample variance.
    StdDev,
    /// VAR_POP: population variance (n).
    VariancePop,
    /// STDDEV_POP: its square root.
    StdDevPop,
    /// FIRST: of the first row, by ORDER BY, then by the order of the input.
    First,
    /// LAST.
    Last,
    /// MIN_BY: of the first row whose key is least.
    MinBy,
    /// MAX_BY: of the first row whose key is greatest.
    MaxBy,
    /// STRING_AGG: the texts one after another, by ORDER BY, then by the order of the input.
    StringAgg,
    /// PERCENTILE_CONT: between the two nearest values. MEDIAN is that of 0.5.
    PercentileCont,
    /// PERCENTILE_DISC: the first value at or above the fraction.
    PercentileDisc,
    /// APPROX_PERCENTILE: PERCENTILE_CONT, nearly.
    ApproxPercentile,
    /// APPROX_COUNT_DISTINCT.
    ApproxCountDistinct,
    /// CORR: correlation of y and x.
    Corr,
    /// COVAR_POP: covariance (n).
    CovarPop,
    /// COVAR_SAMP: covariance (n − 1); NULL for fewer than two pairs.
    CovarSamp,
    /// REGR_SLOPE: of the line of least squares.
    RegrSlope,
    /// REGR_INTERCEPT: where that line meets x = 0.
    RegrIntercept,
    /// REGR_R2: how well the line fits.
    RegrR2,
    /// REGR_COUNT: number of pairs.
    RegrCount,
}

/// OVER (PARTITION BY … ORDER BY … ROWS …). Output columns: the input's, then the calls.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsNode {
    /// Key; none means one sequence of all rows.
    pub partition_by: Vec<Expr>,
    /// In which order rows come.
    pub order: RowsOrder,
    /// Functions.
    pub calls: Vec<RowsCall>,
}

/// Order of rows within a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsOrder {
    /// As they arrive.
    Arrival,
    /// By the scan's event time, ascending; ties as they arrive. Rows are released by the watermark.
    EventTime {
        /// Event-time column of the node's input.
        column: usize,
    },
}

/// One function over a frame that ends at the current row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsCall {
    /// Which.
    pub function: RowsFunction,
    /// Argument; `None` for COUNT(*) and ROW_NUMBER.
    pub arg: Option<Expr>,
    /// Rows in the frame, the current one included; `None` means all from the first row of the key.
    /// Not looked at by LAG and ROW_NUMBER.
    pub frame_rows: Option<u64>,
    /// Type of the result.
    pub data_type: DataType,
}

/// Functions over the last rows of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum RowsFunction {
    /// COUNT, SUM, AVG, MIN, MAX, VARIANCE, STDDEV over the frame.
    Aggregate(AggregateFunction),
    /// First value of the frame (NULL counts as a value).
    FirstValue,
    /// Last value of the frame: the current row's.
    LastValue,
    /// Number of the row within its key, from 1.
    RowNumber,
    /// The argument `offset` rows before, or the default (a constant of the result's type) where there is none.
    Lag {
        /// Rows back, 0 is the current row.
        offset: u64,
        /// Default.
        default: crate::types::Value,
    },
}

/// ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) by values: a key's rows are numbered when all are there. Output columns:
/// the input's, then the number (BIGINT).
#[derive(Debug, Clone, PartialEq)]
pub struct RankNode {
    /// Columns whose values are the key.
    pub partition_by: Vec<usize>,
    /// The one of them that is a bound of a window: its rows are there when the window has closed. `None`: at the end of
    /// input.
    pub window: Option<usize>,
    /// The order.
    pub order: Vec<SortKey>,
    /// Rows with greater numbers are not wanted.
    pub keep: Option<u64>,
}

/// One key of ORDER BY over the final result.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    /// Column of the result.
    pub column: usize,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST; the default is last for ASC and first for DESC, as in PostgreSQL.
    pub nulls_first: bool,
}

impl Node {
    /// Whether it keeps state by key.
    pub fn is_keyed(&self) -> bool {
        matches!(
            self,
            Self::Aggregate(_)
                | Self::Rows(_)
                | Self::Frames(_)
                | Self::Rank(_)
                | Self::First(_)
                | Self::Branches(_)
                | Self::IntervalJoin(_)
                | Self::AsOf(_)
        )
    }

    /// Whether it releases rows in the order of event time.
    pub fn releases_rows(&self) -> bool {
        match self {
            Self::Rows(node) => matches!(node.order, RowsOrder::EventTime { .. }),
            Self::Frames(node) => matches!(node.arrangement, Arrangement::EventTime { .. }),
            Self::First(_) | Self::IntervalJoin(_) | Self::AsOf(_) => true,
            _ => false,
        }
    }
}

impl Plan {
    /// Columns of the result.
    pub fn output(&self) -> Schema {
        self.steps.last().map_or_else(|| self.scan.schema(), |step| step.schema.clone())
    }

    /// The schema that step `index` reads.
    pub fn input_of(&self, index: usize) -> Schema {
        if index == 0 { self.scan.schema() } else { self.steps[index - 1].schema.clone() }
    }

    /// The first step that keeps state by key, with its index.
    pub fn keyed_step(&self) -> Option<(usize, &Step)> {
        self.steps.iter().enumerate().find(|(_, step)| step.node.is_keyed())
    }

    /// Whether a step that keeps state reads what another one gave, or numbers rows.
    pub fn is_chained(&self) -> bool {
        let mut keyed = self.steps.iter().filter(|step| step.node.is_keyed());
        let one = keyed
            .next()
            .is_none_or(|first| !matches!(first.node, Node::Rank(_) | Node::Branches(_)) && keyed.next().is_none());
        !one
    }

    /// Whether the result is sorted as a whole: in which order partitions give its rows does not show.
    pub fn sorts(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.node, Node::Sort(_)))
    }

    /// Whether rows wait for others that come behind them although the watermark has passed both.
    pub fn holds_rows_back(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.node, Node::Frames(_)))
    }

    /// The step that gives rows the windows in which they meet others, by which they are late, if nothing before a join keeps state.
    pub fn joined_windows(&self) -> Option<&WindowsNode> {
        let windows = self.steps.iter().find_map(|step| match &step.node {
            Node::Windows(node) if node.closes => Some(node),
            _ => None,
        });
        windows.filter(|_| self.keyed_step().is_none())
    }

    /// Whether the rows that step `index` reads stand for records of the scan, one each.
    pub fn reads_records(&self, index: usize) -> bool {
        let repeats = |node: &Node| matches!(node, Node::Lookup(_) | Node::Windows(_));
        self.steps[..index].iter().all(|step| !step.node.is_keyed() && !repeats(&step.node))
    }

    /// Checks that every step's widths agree; a plan that fails is a defect of the planner.
    pub fn validate(&self) -> Result<()> {
        for (index, step) in self.steps.iter().enumerate() {
            let input = self.input_of(index).len();
            let width = match &step.node {
                Node::Filter(_) | Node::First(_) | Node::Sort(_) | Node::Limit { .. } => input,
                Node::Project(exprs) => exprs.len(),
                Node::Aggregate(node) => node.keys.len() + node.calls.len() + node.added_columns(),
                Node::Rows(node) => input + node.calls.len(),
                Node::Frames(node) => input + node.calls.len(),
                Node::Rank(_) => input + 1,
                Node::Branches(node) => {
                    node.branches.iter().try_for_each(|branch| self.branch(index, branch).validate())?;
                    let width = |branch: &Branch| branch.steps.last().map_or(0, |step| step.schema.len());
                    let agree = node.branches.iter().all(|branch| width(branch) == step.schema.len());
                    if agree { step.schema.len() } else { 0 }
                }
                // The side and the event time are left out.
                Node::IntervalJoin(_) | Node::AsOf(_) => input - 2,
                Node::Lookup(node) => input + node.columns.len(),
                Node::Windows(_) => input + 2,
            };
            if width != step.schema.len() {
                return Err(Error::Execution(format!(
                    "plan step {index} has {} columns, expected {width}",
                    step.schema.len()
                )));
            }
        }
        Ok(())
    }
}
