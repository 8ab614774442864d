//! Names of data types.
//!
//! Synonyms map to the nine types of corelane; lengths of VARCHAR and precisions of TIMESTAMP are read and not kept.

use sqlparser::ast as sp;

use super::convert::unsupported;
use super::reader::Read;
use crate::error::{Span, SqlError};
use crate::types::DataType;

/// A data type of `sqlparser` as ours.
pub(super) fn data_type(data_type: &sp::DataType, span: Span) -> Read<DataType> {
    use sp::DataType as T;
    Ok(match data_type {
        T::Bool | T::Boolean => DataType::Boolean,
        T::TinyInt(_)
        | T::SmallInt(_)
        | T::Int2(_)
        | T::MediumInt(_)
        | T::Int(_)
        | T::Integer(_)
        | T::Int4(_)
        | T::Int32 => DataType::Int,
        T::BigInt(_) | T::Int8(_) | T::Int64 => DataType::BigInt,
        T::Double(_) | T::DoublePrecision | T::Float(_) | T::Float4 | T::Float8 | T::Float32 | T::Float64 | T::Real => {
            DataType::Double
        }
        T::Decimal(info) | T::Numeric(info) | T::Dec(info) => decimal(info, span)?,
        T::Varchar(_)
        | T::Char(_)
        | T::Character(_)
        | T::CharacterVarying(_)
        | T::CharVarying(_)
        | T::Text
        | T::String(_) => DataType::Varchar,
        T::Date => DataType::Date,
        T::Timestamp(_, sp::TimezoneInfo::None | sp::TimezoneInfo::WithoutTimeZone) | T::Datetime(_) => {
            DataType::Timestamp
        }
        T::Timestamp(..) => {
            return Err(unsupported(span, format_args!("the type {data_type}"))
                .with_help("TIMESTAMP is in UTC; text with an offset is converted when it is read"));
        }
        T::Interval { .. } => DataType::Interval,
        other => {
            let known = [
                "BOOLEAN",
                "INT",
                "BIGINT",
                "DOUBLE",
                "DECIMAL",
                "VARCHAR",
                "DATE",
                "TIMESTAMP",
                "INTERVAL",
                "TEXT",
                "FLOAT",
            ];
            let name = other.to_string();
            let error = SqlError::new(span, format!("unknown type {name}"));
            return Err(match crate::error::nearest(&name, known) {
                Some(near) => error.with_help(format!("did you mean {near}?")),
                None => error.with_help(
                    "types are BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(p, s), VARCHAR, DATE, TIMESTAMP and INTERVAL",
                ),
            });
        }
    })
}

fn decimal(info: &sp::ExactNumberInfo, span: Span) -> Read<DataType> {
    let (precision, scale) = match info {
        sp::ExactNumberInfo::None => (38, 9),
        sp::ExactNumberInfo::Precision(precision) => (*precision, 0),
        sp::ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    let wrong = || {
        SqlError::new(span, format!("DECIMAL({precision}, {scale}) is out of range"))
            .with_help("a DECIMAL has 1 to 38 digits, 0 to all of them after the point")
    };
    let precision = u8::try_from(precision).ok().filter(|p| (1..=38).contains(p)).ok_or_else(wrong)?;
    let scale = u8::try_from(scale).ok().filter(|s| *s <= precision).ok_or_else(wrong)?;
    Ok(DataType::Decimal { precision, scale })
}
