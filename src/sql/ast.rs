//! The syntax tree: what was written, with its place, before any name is looked up.
//!
//! Small on purpose: it holds only what the planner can run, so that the planner does not depend on `sqlparser` and
//! cannot meet a node it has no answer for.

use crate::error::Span;
use crate::types::DataType;

/// A name as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Ident {
    /// Without quotes.
    pub value: String,
    /// Whether it stood in double quotes.
    pub quoted: bool,
    /// Where.
    pub span: Span,
}

/// An expression and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What was written.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `name` or `table.name`.
    Column {
        /// Source name or alias in front of the dot.
        table: Option<Ident>,
        /// Column name.
        name: Ident,
    },
    /// A number as written: digits, at most one point, an optional exponent.
    Number(String),
    /// `'text'`.
    Text(String),
    /// TRUE or FALSE.
    Boolean(bool),
    /// NULL.
    Null,
    /// `DATE 'text'` or `TIMESTAMP 'text'`.
    Typed(DataType, String),
    /// `INTERVAL '1' MINUTE`, in microseconds.
    Interval(i64),
    /// NOT.
    Not(Box<Expr>),
    /// `-x`.
    Negate(Box<Expr>),
    /// AND of two or more terms.
    And(Vec<Expr>),
    /// OR of two or more terms.
    Or(Vec<Expr>),
    /// Arithmetic, comparison, `||`, `->`, `->>`, `&`, `|`, IS \[NOT\] DISTINCT FROM.
    Binary {
        /// Operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// IS \[NOT\] NULL.
    IsNull {
        /// Operand.
        arg: Box<Expr>,
        /// IS NOT NULL.
        negated: bool,
    },
    /// IS \[NOT\] TRUE or FALSE.
    IsBoolean {
        /// Operand.
        arg: Box<Expr>,
        /// TRUE or FALSE.
        value: bool,
        /// IS NOT.
        negated: bool,
    },
    /// \[NOT\] LIKE or ILIKE.
    Like {
        /// Operand.
        arg: Box<Expr>,
        /// Pattern.
        pattern: Box<Expr>,
        /// ESCAPE.
        escape: Option<char>,
        /// NOT LIKE.
        negated: bool,
        /// ILIKE.
        case_insensitive: bool,
    },
    /// \[NOT\] IN (…).
    InList {
        /// Operand.
        arg: Box<Expr>,
        /// The list.
        list: Vec<Expr>,
        /// NOT IN.
        negated: bool,
    },
    /// \[NOT\] BETWEEN low AND high.
    Between {
        /// Operand.
        arg: Box<Expr>,
        /// Lower bound, included.
        low: Box<Expr>,
        /// Upper bound, included.
        high: Box<Expr>,
        /// NOT BETWEEN.
        negated: bool,
    },
    /// CASE, simple (with an operand) or searched.
    Case {
        /// Operand of a simple CASE.
        operand: Option<Box<Expr>>,
        /// WHEN and THEN.
        branches: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// CAST(x AS type), `x::type`, or TRY_CAST(x AS type).
    Cast {
        /// Operand.
        arg: Box<Expr>,
        /// Target.
        data_type: DataType,
        /// TRY_CAST.
        or_null: bool,
    },
    /// `(SELECT …)` where a value stands: one column, at most one row.
    Subquery(Box<Query>),
    /// \[NOT\] IN (SELECT …).
    InSubquery {
        /// Operand.
        arg: Box<Expr>,
        /// One column.
        query: Box<Query>,
        /// NOT IN.
        negated: bool,
    },
    /// EXISTS (SELECT …).
    Exists(Box<Query>),
    /// EXTRACT(part FROM x).
    Extract {
        /// Name of the part, in lower case.
        part: String,
        /// Operand.
        arg: Box<Expr>,
    },
    /// A function call; `COUNT(*)` has `star` and no arguments.
    Call {
        /// Function name.
        name: Ident,
        /// Arguments.
        args: Vec<Expr>,
        /// `(*)`.
        star: bool,
        /// What goes with aggregates.
        clauses: Option<Box<Clauses>>,
        /// OVER.
        over: Option<Box<Over>>,
    },
}

/// A binary operator that is not AND or OR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Concat,
    JsonGet,
    JsonGetText,
    BitAnd,
    BitOr,
    Distinct,
    NotDistinct,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What may stand in and behind a call of an aggregate; at least one of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Clauses {
    /// DISTINCT in front of the arguments.
    pub distinct: bool,
    /// ORDER BY behind the arguments.
    pub order_by: Vec<OrderItem>,
    /// WITHIN GROUP (ORDER BY …).
    pub within_group: Vec<OrderItem>,
    /// FILTER (WHERE …).
    pub filter: Option<Expr>,
}

impl Clauses {
    /// The expressions in them.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.order_by.iter().chain(&self.within_group).map(|item| &item.expr).chain(&self.filter)
    }
}

/// OVER (PARTITION BY … ORDER BY … ROWS …), or a named window.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    /// The named window that this one is, or adds to.
    pub base: Option<Ident>,
    /// PARTITION BY.
    pub partition_by: Vec<Expr>,
    /// ORDER BY.
    pub order_by: Vec<OrderItem>,
    /// ROWS, RANGE or GROUPS.
    pub frame: Option<Frame>,
    /// EXPIRE AFTER, in microseconds, positive, and its place.
    pub expire: Option<(i64, Span)>,
}

/// `name AS (…)` of WINDOW.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedWindow {
    /// Name.
    pub name: Ident,
    /// What it stands for.
    pub over: Over,
}

/// A frame: which rows around the current one are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// What offsets count.
    pub units: FrameUnits,
    /// First row.
    pub start: FrameBound,
    /// Last row.
    pub end: FrameBound,
    /// Where.
    pub span: Span,
}

/// What the offsets of a frame count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameUnits {
    /// Rows.
    Rows,
    /// Differences of the ORDER BY value.
    Range,
    /// Groups of rows that are equal under ORDER BY.
    Groups,
}

/// Where a frame begins or ends.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameBound {
    /// UNBOUNDED PRECEDING.
    UnboundedPreceding,
    /// `n PRECEDING`.
    Preceding(Box<Expr>),
    /// CURRENT ROW.
    CurrentRow,
    /// `n FOLLOWING`.
    Following(Box<Expr>),
    /// UNBOUNDED FOLLOWING.
    UnboundedFollowing,
}

/// One key of an ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderItem {
    /// What to order by.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST or LAST, if written.
    pub nulls_first: Option<bool>,
}

/// SELECT.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The word SELECT.
    pub span: Span,
    /// WITH: names that FROM may use, each from where it stands on.
    pub with: Vec<CommonTable>,
    /// The word DISTINCT.
    pub distinct: Option<Span>,
    /// What is selected.
    pub items: Vec<SelectItem>,
    /// FROM.
    pub from: From,
    /// JOIN, in the order written.
    pub joins: Vec<Join>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// GROUP BY.
    pub group_by: Vec<Expr>,
    /// WINDOW, or a function in GROUP BY.
    pub window: Option<Window>,
    /// WINDOW name AS (…): windows of OVER.
    pub named_windows: Vec<NamedWindow>,
    /// HAVING.
    pub having: Option<Expr>,
    /// ORDER BY, with the place of the words.
    pub order_by: Option<(Vec<OrderItem>, Span)>,
    /// LIMIT.
    pub limit: Option<(u64, Span)>,
    /// OFFSET.
    pub offset: Option<(u64, Span)>,
    /// EMIT.
    pub emit: Option<(Emit, Span)>,
    /// WITH CHANGELOG, behind EMIT.
    pub changelog: Option<Span>,
}

/// `name AS (query)` of WITH.
#[derive(Debug, Clone, PartialEq)]
pub struct CommonTable {
    /// Name.
    pub name: Ident,
    /// What it stands for.
    pub query: Box<Query>,
}

/// JOIN.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Which rows come out.
    pub kind: JoinKind,
    /// The right side.
    pub right: From,
    /// ON or USING.
    pub condition: JoinCondition,
    /// The words.
    pub span: Span,
}

/// Which rows come out of a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and left rows without a partner.
    Left,
    /// Pairs, and right rows without a partner.
    Right,
    /// Pairs, and rows of both sides without a partner.
    Full,
}

/// Which rows of a join are pairs.
#[derive(Debug, Clone, PartialEq)]
pub enum JoinCondition {
    /// ON.
    On(Expr),
    /// USING: columns of both sides that are equal.
    Using(Vec<Ident>),
}

/// One item of a SELECT list.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*` or `table.*`.
    Wildcard {
        /// Source name or alias in front of the dot.
        table: Option<Ident>,
        /// Where.
        span: Span,
    },
    /// An expression.
    Expr {
        /// What.
        expr: Expr,
        /// AS.
        alias: Option<Ident>,
    },
}

/// FROM: where rows come from, and an alias.
#[derive(Debug, Clone, PartialEq)]
pub struct From {
    /// What is read.
    pub source: FromSource,
    /// AS.
    pub alias: Option<Ident>,
    /// `AS name (column, …)`: names of the columns.
    pub columns: Vec<Ident>,
    /// `FOR SYSTEM_TIME AS OF moment`: rows are versions, of which the one that holds at a time is meant.
    pub as_of: Option<Expr>,
    /// The windows, if a table function gives them.
    pub window: Option<Window>,
    /// Where the source is named.
    pub span: Span,
}

/// What is read.
#[derive(Debug, Clone, PartialEq)]
pub enum FromSource {
    /// A declared source.
    Name(Ident),
    /// `'file.csv'`.
    File(String),
    /// `read_csv('file.csv', key = value, …)`.
    Read {
        /// `csv`, `json`, `parquet` or `arrow`.
        format: &'static str,
        /// The path.
        path: String,
        /// Options in the order written.
        options: Vec<OptionItem>,
    },
    /// `(SELECT …)`.
    Query(Box<Query>),
    /// `SELECT … UNION ALL SELECT …`: two or more.
    Union(Vec<Query>),
    /// `(VALUES (…), …)`: rows of one width, at least one.
    Values(Vec<Vec<Expr>>),
}

/// `key = value`, of WITH, SET and read functions.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionItem {
    /// Key, in lower case.
    pub key: String,
    /// Value as text.
    pub value: String,
    /// Place of the key.
    pub key_span: Span,
    /// Place of the value.
    pub value_span: Span,
}

/// The windows of a query (WINDOW, or a function in GROUP BY), or of what a function in FROM reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Source name or alias in front of the column's dot.
    pub table: Option<Ident>,
    /// Event-time column, if named.
    pub column: Option<Ident>,
    /// Kind and lengths.
    pub shape: WindowShape,
    /// The clause.
    pub span: Span,
}

/// Kind and lengths of windows, in microseconds and positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowShape {
    /// TUMBLING.
    Tumbling {
        /// Length of a window.
        size_us: i64,
    },
    /// SLIDING, HOPPING.
    Hopping {
        /// Length of a window.
        size_us: i64,
        /// From the start of a window to that of the next; not more than the size.
        slide_us: i64,
    },
    /// CUMULATE.
    Cumulating {
        /// How much longer each window is than the one before.
        step_us: i64,
        /// Length of the longest; a multiple of the step.
        max_us: i64,
    },
    /// SESSION.
    Session {
        /// Without rows for so long, a session is over.
        gap_us: i64,
    },
}

/// EMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// EMIT FINAL.
    Final,
    /// EMIT CHANGES.
    Changes,
    /// EMIT CHANGES PER BATCH.
    ChangesPerBatch,
    /// EMIT EVERY, in microseconds, positive.
    Every(i64),
}

/// A column of CREATE SOURCE.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    /// Name.
    pub name: Ident,
    /// Type.
    pub data_type: DataType,
    /// Whether NULL may occur.
    pub nullable: bool,
}

/// WATERMARK FOR column AS column - INTERVAL.
#[derive(Debug, Clone, PartialEq)]
pub struct Watermark {
    /// The column.
    pub column: Ident,
    /// Microseconds, not negative.
    pub bound_us: i64,
    /// The clause.
    pub span: Span,
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// CREATE SOURCE.
    CreateSource {
        /// Name.
        name: Ident,
        /// Columns; none means that the input itself says.
        columns: Vec<ColumnDefinition>,
        /// WATERMARK FOR.
        watermark: Option<Watermark>,
        /// WITH.
        options: Vec<OptionItem>,
    },
    /// CREATE SINK.
    CreateSink {
        /// Name.
        name: Ident,
        /// WITH.
        options: Vec<OptionItem>,
    },
    /// INSERT INTO sink SELECT ….
    Insert {
        /// The sink.
        sink: Ident,
        /// The query.
        query: Box<Query>,
    },
    /// A bare SELECT.
    Select(Box<Query>),
    /// SET key = value.
    Set(OptionItem),
}
