//! One SQL value: literals in plans, constants in expressions.

use super::DataType;

/// One value of a [`DataType`], or NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL of any type.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// INT or DATE (days since the epoch), by the type beside it.
    Int32(i32),
    /// BIGINT, TIMESTAMP or INTERVAL (microseconds), by the type beside it.
    Int64(i64),
    /// DOUBLE.
    Float64(f64),
    /// DECIMAL, scaled by the type beside it.
    Int128(i128),
    /// VARCHAR.
    Utf8(Box<str>),
}

impl Value {
    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether this value lies in memory as `data_type` does; NULL fits every type.
    pub fn fits(&self, data_type: DataType) -> bool {
        use super::Physical;
        match self {
            Self::Null => true,
            Self::Boolean(_) => data_type.physical() == Physical::Boolean,
            Self::Int32(_) => data_type.physical() == Physical::Int32,
            Self::Int64(_) => data_type.physical() == Physical::Int64,
            Self::Float64(_) => data_type.physical() == Physical::Float64,
            Self::Int128(_) => data_type.physical() == Physical::Int128,
            Self::Utf8(_) => data_type.physical() == Physical::Utf8,
        }
    }
}
