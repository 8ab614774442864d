//! SQL data types and schemas, and how a type is held in memory.

use std::fmt;

/// A SQL data type (DESIGN section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// TRUE, FALSE or NULL.
    Boolean,
    /// 32-bit signed integer.
    Int,
    /// 64-bit signed integer.
    BigInt,
    /// IEEE 754 binary64. NaN equals itself and is greater than every number; -0 equals +0.
    Double,
    /// Exact decimal: `precision` digits in all (1 to 38), `scale` of them after the point.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, 0 to `precision`.
        scale: u8,
    },
    /// UTF-8 text, compared by bytes.
    Varchar,
    /// Days since the Unix epoch.
    Date,
    /// Microseconds since the Unix epoch, UTC.
    Timestamp,
    /// A length of time in microseconds (day-time interval).
    Interval,
}

/// How the values of a type lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Physical {
    /// One bit a row, in 64-bit words.
    Boolean,
    /// INT, DATE.
    Int32,
    /// BIGINT, TIMESTAMP, INTERVAL.
    Int64,
    /// DOUBLE.
    Float64,
    /// DECIMAL, scaled.
    Int128,
    /// VARCHAR: offsets and bytes, or codes into a dictionary.
    Utf8,
}

impl DataType {
    /// The memory layout of this type.
    pub fn physical(self) -> Physical {
        match self {
            Self::Boolean => Physical::Boolean,
            Self::Int | Self::Date => Physical::Int32,
            Self::BigInt | Self::Timestamp | Self::Interval => Physical::Int64,
            Self::Double => Physical::Float64,
            Self::Decimal { .. } => Physical::Int128,
            Self::Varchar => Physical::Utf8,
        }
    }

    /// Whether arithmetic is defined on it.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Int | Self::BigInt | Self::Double | Self::Decimal { .. })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "BOOLEAN",
            Self::Int => "INT",
            Self::BigInt => "BIGINT",
            Self::Double => "DOUBLE",
            Self::Decimal { precision, scale } => return write!(f, "DECIMAL({precision}, {scale})"),
            Self::Varchar => "VARCHAR",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
            Self::Interval => "INTERVAL",
        })
    }
}

/// A named, typed column. Every column may hold NULL unless `nullable` is false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name as written by the user; look-ups ignore case.
    pub name: String,
    /// Type.
    pub data_type: DataType,
    /// Whether NULL may occur.
    pub nullable: bool,
}

impl Field {
    /// A nullable field.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, nullable: true }
    }
}

/// The columns of a source, an operator's output or a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// Columns, in order.
    pub fields: Vec<Field>,
}

impl Schema {
    /// A schema of these fields.
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields }
    }

    /// Index of the column of that name, ignoring ASCII case.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no column.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The schema of the columns at `indices`, in that order.
    #[must_use]
    pub fn project(&self, indices: &[usize]) -> Self {
        Self { fields: indices.iter().map(|&i| self.fields[i].clone()).collect() }
    }
}
