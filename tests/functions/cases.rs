//! Hand-checked cases from `tests/golden/functions.txt`: `expression => value`, or `=> error: part of the message`.
//!
//! Each is evaluated twice: made of literals, when the expression is compiled; and over columns, row by row, where
//! patterns, paths and formats come from the data too.

use corelane::plan::{Group, functions};

use crate::rig::{constants, over_columns};

fn cases() -> Vec<(String, String)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/functions.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let case = |line: &str| {
        let (expression, expected) = line.rsplit_once(" =>").unwrap_or_else(|| panic!("no => in {line}"));
        (expression.trim().to_string(), expected.strip_prefix(' ').unwrap_or(expected).to_string())
    };
    lines.map(case).collect()
}

fn differs(found: &Result<String, String>, expected: &str) -> bool {
    match (found, expected.strip_prefix("error: ")) {
        (Ok(found), None) => found != expected,
        (Err(found), Some(part)) => !found.contains(part),
        _ => true,
    }
}

#[test]
fn cases_give_what_they_say() {
    let cases = cases();
    let mut wrong = String::new();
    for (expression, expected) in &cases {
        let only_literals = expression.strip_prefix("[literals] ");
        let expression = only_literals.unwrap_or(expression);
        let literal = constants(&[expression]).map(|values| values[0].clone());
        if differs(&literal, expected) {
            wrong.push_str(&format!("{expression}\n  expected     {expected}\n  literals     {literal:?}\n"));
        }
        if only_literals.is_some() {
            continue;
        }
        // What the planner refuses in literals has its own message where it comes from the data.
        let planned = matches!(&literal, Err(message) if message.starts_with("line "));
        let columns = over_columns(expression);
        if !planned && differs(&columns, expected) || planned && columns.is_ok() {
            wrong.push_str(&format!("{expression}\n  expected     {expected}\n  over columns {columns:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(cases.len() > 300, "{}", cases.len());
}

/// No function without a case of its own.
#[test]
fn every_function_has_cases() {
    let cases = cases();
    let called = |name: &str, word: &str| {
        cases.iter().any(|(expression, _)| {
            expression.to_uppercase().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|part| part == word)
                || expression.contains(name)
        })
    };
    let missing: Vec<&str> = functions()
        .iter()
        .filter(|entry| !matches!(entry.group, Group::Aggregate | Group::Window))
        .map(|entry| entry.name)
        .filter(|name| !called(name, name))
        .collect();
    assert!(missing.is_empty(), "functions without a case: {missing:?}");
}
