//! Typed expressions over the columns of one batch.

use crate::function::RowFunction;
use crate::types::{DataType, Value};

pub use crate::function::DatePart;

/// An expression with its result type.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What to compute.
    pub kind: ExprKind,
    /// Type of the result; an untyped NULL has become a NULL of a concrete type.
    pub data_type: DataType,
}

/// What an expression computes. NULL in, NULL out, unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// Column by index into the input's schema.
    Column(usize),
    /// A constant.
    Literal(Value),
    /// Logical NOT of a BOOLEAN.
    Not(Box<Expr>),
    /// `-x` of a BIGINT, DOUBLE, DECIMAL or INTERVAL; the least BIGINT overflows and fails the record.
    Negate(Box<Expr>),
    /// IS NULL, or with `negated` IS NOT NULL. Never NULL.
    IsNull {
        /// Operand, of any type.
        arg: Box<Expr>,
        /// IS NOT NULL.
        negated: bool,
    },
    /// Arithmetic; see [`ArithmeticOp`] for the operand types.
    Arithmetic {
        /// Operation.
        op: ArithmeticOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// Comparison of two operands of one type (INT and DATE included); BOOLEAN result.
    Compare {
        /// Operation.
        op: CompareOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// Three-valued AND of two or more BOOLEANs.
    And(Vec<Expr>),
    /// Three-valued OR of two or more BOOLEANs.
    Or(Vec<Expr>),
    /// Searched CASE; all results are of this expression's type. Without `otherwise` the rest is NULL. A result is
    /// evaluated only for the rows that reach it (so that a failing cast in another branch fails no record).
    Case {
        /// Condition (BOOLEAN) and result, first match wins.
        branches: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// Conversion to this expression's type. A value that has none (text that is no number, a number out of range)
    /// fails the record.
    Cast(Box<Expr>),
    /// The same, but such a value is NULL.
    TryCast(Box<Expr>),
    /// LIKE with `%` and `_`; `escape` takes the next pattern character literally.
    Like {
        /// VARCHAR operand.
        arg: Box<Expr>,
        /// Pattern.
        pattern: Box<str>,
        /// NOT LIKE.
        negated: bool,
        /// Escape character, if any.
        escape: Option<char>,
        /// ILIKE.
        case_insensitive: bool,
    },
    /// IN over constants of the operand's type, NULLs removed. `has_null`: the list held a NULL, so no match is NULL,
    /// not FALSE.
    InList {
        /// Operand.
        arg: Box<Expr>,
        /// Constants.
        list: Vec<Value>,
        /// Whether NULL was in the list.
        has_null: bool,
        /// NOT IN.
        negated: bool,
    },
    /// The one value of a table of the job; NULL if it has no row. Becomes a constant once the table has been read.
    TableValue(usize),
    /// IN over the first column of a table of the job. Becomes [`ExprKind::InList`] once the table has been read.
    InTable {
        /// Operand; the column is cast to its type.
        arg: Box<Expr>,
        /// The table.
        table: usize,
        /// NOT IN.
        negated: bool,
    },
    /// Whether a table of the job has rows. Becomes a constant once the table has been read.
    TableExists(usize),
    /// A scalar function.
    Call {
        /// Which.
        function: Function,
        /// Arguments, of the types that the function names.
        args: Vec<Expr>,
    },
}

/// Arithmetic on two operands of one type, which is the result's type except where noted. The planner casts INT to
/// BIGINT before arithmetic.
///
/// * BIGINT: overflow fails the record; `/` truncates toward zero.
/// * DOUBLE: IEEE 754; no failure.
/// * DECIMAL: `+ - %` on operands of the result's scale (the planner casts); `*`: operand scales add up to the result's;
///   `/` is planned as DOUBLE. Overflow of 38 digits fails the record.
/// * TIMESTAMP ± INTERVAL is TIMESTAMP; TIMESTAMP − TIMESTAMP is INTERVAL; INTERVAL ± INTERVAL; INTERVAL × BIGINT
///   (left is the interval).
///
/// x / 0 and x % 0 are NULL for every type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`: sign of the dividend.
    Modulo,
}

/// Comparison. DOUBLE compares by total order with NaN greatest and equal to itself, -0 equal to +0; VARCHAR by bytes;
/// FALSE < TRUE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Scalar functions. Argument types are exact: the planner has inserted casts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// First argument that is not NULL; all of the result's type. NULL if all are.
    Coalesce,
    /// NULL if both arguments (of one type) are equal, else the first.
    NullIf,
    /// Greatest argument (all of the result's type), NULLs skipped; NULL if all are.
    Greatest,
    /// Least argument, likewise.
    Least,
    /// Whether both arguments (of one type) differ, NULL being equal to NULL and to nothing else; BOOLEAN, never NULL.
    Distinct,
    /// Absolute value of BIGINT (least value fails the record), DOUBLE or DECIMAL.
    Abs,
    /// ROUND(DOUBLE or DECIMAL, BIGINT digits): half away from zero; negative digits round left of the point.
    /// BIGINT with digits likewise. A DECIMAL keeps its type.
    Round,
    /// Greatest whole number not above; DOUBLE to DOUBLE, DECIMAL keeps its type, BIGINT is itself.
    Floor,
    /// Least whole number not below; types as [`Function::Floor`].
    Ceil,
    /// Unicode upper case.
    Upper,
    /// Unicode lower case.
    Lower,
    /// Number of characters (not bytes); BIGINT.
    Length,
    /// SUBSTRING(VARCHAR, BIGINT start from 1, \[BIGINT length\]) by characters, as in PostgreSQL: a start below 1 eats
    /// into the length. A negative length fails the record.
    Substring,
    /// CONCAT(…): NULL arguments are skipped; never NULL. All VARCHAR.
    Concat,
    /// CONCAT_WS(separator, …): NULL arguments are skipped; NULL if the separator is. All VARCHAR.
    ConcatWs,
    /// `a || b`: NULL if either is. VARCHAR.
    ConcatOperator,
    /// TRIM of spaces at both ends.
    Trim,
    /// DATE_TRUNC to a part, UTC; weeks start on Monday. TIMESTAMP to TIMESTAMP.
    DateTrunc(DatePart),
    /// EXTRACT of a part from a TIMESTAMP, UTC; BIGINT (seconds are whole; day of week from 0 = Sunday; epoch in whole
    /// seconds).
    Extract(DatePart),
    /// A function of the values of a row; NULL if any argument is.
    Row(RowFunction),
}

impl Expr {
    /// A column reference.
    pub fn column(index: usize, data_type: DataType) -> Self {
        Self { kind: ExprKind::Column(index), data_type }
    }

    /// A constant.
    pub fn literal(value: Value, data_type: DataType) -> Self {
        debug_assert!(value.fits(data_type));
        Self { kind: ExprKind::Literal(value), data_type }
    }

    /// Calls `f` on this expression and all below it, parents first.
    pub fn visit(&self, f: &mut impl FnMut(&Expr)) {
        f(self);
        for child in self.children() {
            child.visit(f);
        }
    }

    /// Replaces every column index by `f(index)`.
    pub fn map_columns(&mut self, f: &mut impl FnMut(usize) -> usize) {
        if let ExprKind::Column(index) = &mut self.kind {
            *index = f(*index);
        }
        for child in self.children_mut() {
            child.map_columns(f);
        }
    }

    /// Direct operands.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) | ExprKind::TableValue(_) | ExprKind::TableExists(_) => vec![],
            ExprKind::Not(arg) | ExprKind::Negate(arg) | ExprKind::Cast(arg) | ExprKind::TryCast(arg) => vec![arg],
            ExprKind::IsNull { arg, .. } | ExprKind::Like { arg, .. } => vec![arg],
            ExprKind::InList { arg, .. } | ExprKind::InTable { arg, .. } => vec![arg],
            ExprKind::Arithmetic { left, right, .. } | ExprKind::Compare { left, right, .. } => vec![left, right],
            ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Call { args, .. } => args.iter().collect(),
            ExprKind::Case { branches, otherwise } => {
                branches.iter().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref()).collect()
            }
        }
    }

    pub(super) fn children_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) | ExprKind::TableValue(_) | ExprKind::TableExists(_) => vec![],
            ExprKind::Not(arg) | ExprKind::Negate(arg) | ExprKind::Cast(arg) | ExprKind::TryCast(arg) => vec![arg],
            ExprKind::IsNull { arg, .. } | ExprKind::Like { arg, .. } => vec![arg],
            ExprKind::InList { arg, .. } | ExprKind::InTable { arg, .. } => vec![arg],
            ExprKind::Arithmetic { left, right, .. } | ExprKind::Compare { left, right, .. } => vec![left, right],
            ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Call { args, .. } => args.iter_mut().collect(),
            ExprKind::Case { branches, otherwise } => {
                branches.iter_mut().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref_mut()).collect()
            }
        }
    }
}
