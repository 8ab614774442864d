//! Evaluates expressions over a small table, and writes values as documentation does.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::DataType;
use corelane::engine::Engine;
use corelane::types::Options;
use corelane::types::text::print;

use crate::harness::options;

/// Rows of the table: more than there are distinct texts, so that dictionaries are looked at by code.
const ROWS: usize = 70;

/// Columns that are NULL in every row, of each type that literals have, and what examples of aggregates use.
const COLUMNS: &str = "x BIGINT, t TIMESTAMP, ns VARCHAR, nb BIGINT, nd DOUBLE, nt TIMESTAMP, nday DATE,
    WATERMARK FOR t AS t - INTERVAL '0' SECOND";

fn table(rows: usize) -> RecordBatch {
    let count = i64::try_from(rows).unwrap();
    let nulls = |data_type: &DataType| arrow_array::new_null_array(data_type, rows);
    let moment = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into()));
    let times = TimestampMicrosecondArray::from_iter_values((1..=count).map(|n| n * 1_000_000));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", Arc::new(Int64Array::from_iter_values(1..=count))),
        ("t", Arc::new(times.with_timezone("UTC"))),
        ("ns", Arc::new(StringArray::from(vec![None::<&str>; rows]))),
        ("nb", nulls(&DataType::Int64)),
        ("nd", nulls(&DataType::Float64)),
        ("nt", nulls(&moment)),
        ("nday", nulls(&DataType::Date32)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Every row of every expression over `rows` rows, as text; the error if the statement or a record fails.
pub fn evaluate(expressions: &[&str], rows: usize) -> Result<Vec<Vec<String>>, String> {
    let mut engine = Engine::new();
    engine.register("one", vec![table(rows)]);
    let list: Vec<String> = expressions.iter().enumerate().map(|(i, e)| format!("{e} AS c{i}")).collect();
    let sql = format!(
        "CREATE SOURCE one ({COLUMNS}) WITH (connector = 'memory', on_error = 'fail'); SELECT {} FROM one",
        list.join(", ")
    );
    let jobs = engine.compile(&sql, &Options::new()).map_err(|error| error.to_string())?;
    let options = options(&[("processor", "inline")]);
    let (report, batches) = engine.collect(&jobs[0], &options).map_err(|error| error.to_string())?;
    assert!(report.records_balance(), "{report:?}");
    let mut columns = vec![Vec::new(); expressions.len()];
    for batch in &batches {
        for (column, array) in columns.iter_mut().zip(batch.columns()) {
            column.extend((0..array.len()).map(|i| text(array.as_ref(), i)));
        }
    }
    Ok(columns)
}

/// The one value of each expression that is made of literals.
pub fn constants(expressions: &[&str]) -> Result<Vec<String>, String> {
    let columns = evaluate(expressions, 1)?;
    Ok(columns.into_iter().map(|column| column.into_iter().next().unwrap()).collect())
}

/// The value of an expression over columns: the same in all rows.
pub fn over_columns(expression: &str) -> Result<String, String> {
    let expression = with_columns(expression);
    let column = evaluate(&[&expression], ROWS)?.remove(0);
    assert_eq!(column.len(), ROWS, "{expression}");
    assert!(column.iter().all(|value| *value == column[0]), "{expression}: {column:?}");
    Ok(column[0].clone())
}

/// Value `i` as documentation writes it.
fn text(array: &dyn Array, i: usize) -> String {
    if array.is_null(i) {
        return "NULL".into();
    }
    let mut out = Vec::new();
    match array.data_type() {
        DataType::Boolean => print::boolean(&mut out, array.as_boolean().value(i)),
        DataType::Int32 => print::integer(&mut out, array.as_primitive::<Int32Type>().value(i).into()),
        DataType::Int64 => print::integer(&mut out, array.as_primitive::<Int64Type>().value(i)),
        DataType::Float64 => print::double(&mut out, array.as_primitive::<Float64Type>().value(i)),
        DataType::Date32 => print::date(&mut out, array.as_primitive::<Date32Type>().value(i)),
        DataType::Timestamp(..) => {
            print::timestamp(&mut out, array.as_primitive::<TimestampMicrosecondType>().value(i))
        }
        DataType::Duration(_) => print::interval(&mut out, array.as_primitive::<DurationMicrosecondType>().value(i)),
        DataType::Decimal128(_, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(i);
            print::decimal(&mut out, value, u8::try_from(*scale).unwrap());
        }
        DataType::Utf8 => out.extend_from_slice(array.as_string::<i32>().value(i).as_bytes()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let code = usize::try_from(dictionary.keys().value(i)).unwrap();
            out.extend_from_slice(dictionary.values().as_string::<i32>().value(code).as_bytes());
        }
        other => panic!("no text for {other}"),
    }
    String::from_utf8(out).unwrap()
}

/// Functions whose first argument is a literal always.
const OF_PARTS: [&str; 9] =
    ["DATE_ADD", "DATEADD", "DATE_DIFF", "DATEDIFF", "DATE_SUB", "DATESUB", "DATE_TRUNC", "DATETRUNC", "DATE_PART"];

/// The expression with each literal behind a column that is NULL: `COALESCE(ns, 'text')` is no constant, so nothing is
/// computed before the run, and patterns come from the data.
pub fn with_columns(expression: &str) -> String {
    let mut out = String::new();
    let mut rest = expression;
    // What was written last: a word, or the sign before it.
    let mut words: Vec<String> = Vec::new();
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            let end = literal_end(rest);
            let literal = &rest[..end];
            rest = &rest[end..];
            let behind = words.iter().rev().map(String::as_str).collect::<Vec<_>>();
            match behind.as_slice() {
                [kind @ ("TIMESTAMP" | "DATE"), ..] => {
                    out.truncate(out.trim_end().len() - kind.len());
                    let column = if *kind == "DATE" { "nday" } else { "nt" };
                    out.push_str(&format!("COALESCE({column}, {kind} {literal})"));
                }
                ["INTERVAL", ..] => out.push_str(literal),
                ["(", function, ..] if OF_PARTS.contains(function) => out.push_str(literal),
                _ => out.push_str(&format!("COALESCE(ns, {literal})")),
            }
            words.push("literal".into());
        } else if c.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = &rest[..end];
            rest = &rest[end..];
            // Precision and scale of a type are no values.
            let in_type = words.iter().rev().take(6).any(|word| word == "DECIMAL");
            let column = if number.contains('.') { "nd" } else { "nb" };
            out.push_str(&if in_type { number.into() } else { format!("COALESCE({column}, {number})") });
            words.push("literal".into());
        } else if c.is_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.push(rest[..end].to_uppercase());
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            if !c.is_whitespace() {
                words.push(c.into());
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The end of the text in quotes at the start; two quotes in it stand for one.
fn literal_end(text: &str) -> usize {
    let mut end = 1;
    loop {
        end += text[end..].find('\'').expect("the literal ends") + 1;
        if !text[end..].starts_with('\'') {
            return end;
        }
        end += 1;
    }
}

#[test]
fn literals_go_behind_columns() {
    for (written, expected) in [
        ("LEFT('it''s', 2)", "LEFT(COALESCE(ns, 'it''s'), COALESCE(nb, 2))"),
        (
            "DATE_ADD('day', 1, DATE '2024-01-31')",
            "DATE_ADD('day', COALESCE(nb, 1), COALESCE(nday, DATE '2024-01-31'))",
        ),
        ("CAST(1.5 AS DECIMAL(5, 3))", "CAST(COALESCE(nd, 1.5) AS DECIMAL(5, 3))"),
        ("LOG10(2)", "LOG10(COALESCE(nb, 2))"),
    ] {
        assert_eq!(with_columns(written), expected);
    }
}
