//! Functions of the values of a row in the random expressions: which there are, and the definition of one row.
//!
//! The definition calls the function for that row alone, its arguments constants that no plan has prepared. What each
//! function means is held to hand-checked cases elsewhere; here NULLs, selections, dictionaries, batches and failures are.

use bumpalo::Bump;

use super::slow::Failed;
use crate::function::{
    Argument, Lane, Literals, Output, Prepared, RowFunction, Rows, Texts, bits, digest, format, json, moment, number,
    pattern, text,
};
use crate::types::DataType::{self, BigInt, Boolean, Date, Double, Interval, Timestamp, Varchar};
use crate::types::Value;

/// Functions with the types of their arguments and of their result.
pub const FUNCTIONS: &[(RowFunction, &[DataType], DataType)] = &[
    (text::LEFT, &[Varchar, BigInt], Varchar),
    (text::RIGHT, &[Varchar, BigInt], Varchar),
    (text::OCTET_LENGTH, &[Varchar], BigInt),
    (text::INITCAP, &[Varchar], Varchar),
    (text::TRIM, &[Varchar, Varchar], Varchar),
    (text::LPAD, &[Varchar, BigInt, Varchar], Varchar),
    (text::REPEAT, &[Varchar, BigInt], Varchar),
    (text::REPLACE, &[Varchar, Varchar, Varchar], Varchar),
    (text::REVERSE, &[Varchar], Varchar),
    (text::OVERLAY, &[Varchar, Varchar, BigInt, BigInt], Varchar),
    (text::STRPOS, &[Varchar, Varchar], BigInt),
    (text::STARTS_WITH, &[Varchar, Varchar], Boolean),
    (text::CONTAINS, &[Varchar, Varchar], Boolean),
    (text::SPLIT_PART, &[Varchar, Varchar, BigInt], Varchar),
    (text::ASCII, &[Varchar], BigInt),
    (text::CHR, &[BigInt], Varchar),
    (text::UNHEX, &[Varchar], Varchar),
    (text::HEX_NUMBER, &[BigInt], Varchar),
    (text::LEVENSHTEIN, &[Varchar, Varchar], BigInt),
    (digest::MD5, &[Varchar], Varchar),
    (digest::HASH, &[Varchar], BigInt),
    (number::SQRT, &[Double], Double),
    (number::LN, &[Double], Double),
    (number::SIN, &[Double], Double),
    (number::SIGN, &[Double], BigInt),
    (number::ISNAN, &[Double], Boolean),
    (number::POWER, &[Double, Double], Double),
    (number::GCD, &[BigInt, BigInt], BigInt),
    (number::LCM, &[BigInt, BigInt], BigInt),
    (number::FACTORIAL, &[BigInt], BigInt),
    (number::WIDTH_BUCKET, &[Double, Double, Double, BigInt], BigInt),
    (number::TRUNC_WHOLE, &[BigInt, BigInt], BigInt),
    (number::TRUNC_DECIMAL, &[super::generate::DECIMAL, BigInt], super::generate::DECIMAL),
    (number::TRUNC_DECIMAL, &[super::generate::WIDE, BigInt], super::generate::WIDE),
    (number::SIGN_DECIMAL, &[super::generate::WIDE], BigInt),
    (bits::BITXOR, &[BigInt, BigInt], BigInt),
    (bits::BITSHIFTRIGHT, &[BigInt, BigInt], BigInt),
    (moment::DATE_ADD, &[Varchar, BigInt, Timestamp], Timestamp),
    (moment::DATE_DIFF, &[Varchar, Timestamp, Timestamp], BigInt),
    (moment::DATE_SUB, &[Varchar, Timestamp, Timestamp], BigInt),
    (moment::DATE_BIN, &[Interval, Timestamp, Timestamp], Timestamp),
    (moment::MAKE_DATE, &[BigInt, BigInt, BigInt], Date),
    (moment::TO_TIMESTAMP, &[Double], Timestamp),
    (moment::EPOCH, &[Timestamp], Double),
    (moment::LAST_DAY, &[Timestamp], Date),
    (moment::DAYNAME, &[Timestamp], Varchar),
    (format::STRFTIME, &[Timestamp, Varchar], Varchar),
    (format::STRPTIME, &[Varchar, Varchar], Timestamp),
    (format::TRY_STRPTIME, &[Varchar, Varchar], Timestamp),
    (json::EXTRACT, &[Varchar, Varchar], Varchar),
    (json::EXTRACT_TEXT, &[Varchar, Varchar], Varchar),
    (json::ELEMENT, &[Varchar, BigInt], Varchar),
    (json::VALUE, &[Varchar, Varchar], Varchar),
    (json::TYPE, &[Varchar, Varchar], Varchar),
    (json::EXISTS, &[Varchar, Varchar], Boolean),
    (json::VALID, &[Varchar], Boolean),
    (json::QUOTE, &[Varchar], Varchar),
    (pattern::REGEXP_LIKE, &[Varchar, Varchar, Varchar], Boolean),
    (pattern::REGEXP_FULL_MATCH, &[Varchar, Varchar, Varchar], Boolean),
    (pattern::REGEXP_COUNT, &[Varchar, Varchar, Varchar], BigInt),
    (pattern::REGEXP_REPLACE, &[Varchar, Varchar, Varchar, Varchar], Varchar),
    (pattern::REGEXP_SUBSTR, &[Varchar, Varchar, BigInt, Varchar], Varchar),
];

/// The function of one row, whose arguments are not NULL.
pub fn one(function: RowFunction, args: &[Value], types: &[DataType], result: DataType) -> Result<Value, Failed> {
    let arena = Bump::new();
    let argument = |value: &Value| match value {
        Value::Boolean(value) => Argument::Boolean(Lane::constant(arena.alloc(u64::from(*value)))),
        Value::Int32(value) => Argument::Int32(Lane::constant(arena.alloc(*value))),
        Value::Int64(value) => Argument::Int64(Lane::constant(arena.alloc(*value))),
        Value::Float64(value) => Argument::Float64(Lane::constant(arena.alloc(*value))),
        Value::Int128(value) => Argument::Int128(Lane::constant(arena.alloc(*value))),
        Value::Utf8(text) => Argument::Text(Texts {
            offsets: arena.alloc_slice_copy(&[0, text.len() as i32]),
            bytes: arena.alloc_str(text).as_bytes(),
            codes: None,
        }),
        Value::Null => panic!("a call with a NULL argument is NULL"),
    };
    let arguments: Vec<Argument<'_>> = args.iter().map(argument).collect();
    let prepared = match (function.literals, &args[0]) {
        (Literals::Part, Value::Utf8(part)) => function.prepare(&[Some(part)]).expect("parts are right"),
        _ => Prepared::None,
    };
    let mut rows = Rows::new(1, (&arguments, types), None, &prepared, result.physical(), &arena);
    (function.run)(&mut rows);
    let answered = rows.finish();
    if !answered.failures.is_empty() {
        return Err(Failed);
    }
    if answered.nulls.is_some_and(|words| words[0] & 1 == 1) {
        return Ok(Value::Null);
    }
    Ok(match answered.output {
        Output::Boolean(words) => Value::Boolean(words[0] & 1 == 1),
        Output::Int32(values) => Value::Int32(values[0]),
        Output::Int64(values) => Value::Int64(values[0]),
        Output::Float64(values) => Value::Float64(values[0]),
        Output::Int128(values) => Value::Int128(values[0]),
        Output::Text(text) => {
            Value::Utf8(String::from_utf8(text.finish().1.to_vec()).expect("functions give UTF-8").into())
        }
    })
}
