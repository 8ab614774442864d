//! Every documented example gives what is documented; the document is what the table says; every function has cases.

use std::path::Path;

use corelane::plan::{FunctionEntry, Group, functions};

use crate::rig::{constants, evaluate, over_columns};

fn is_scalar(entry: &FunctionEntry) -> bool {
    !matches!(entry.group, Group::Aggregate | Group::Window)
}

#[test]
fn examples_of_scalar_functions_give_what_they_say() {
    let entries: Vec<FunctionEntry> = functions().into_iter().filter(is_scalar).collect();
    let examples: Vec<(&str, &str)> = entries.iter().flat_map(|entry| entry.examples).copied().collect();
    let expressions: Vec<&str> = examples.iter().map(|(expression, _)| *expression).collect();
    let found = constants(&expressions).unwrap();
    let mut wrong = String::new();
    for ((expression, expected), found) in examples.iter().zip(&found) {
        if found != expected {
            wrong.push_str(&format!("{expression}: documented {expected}, found {found}\n"));
        }
        // What the types alone decide is the same over columns, which are never NULL by their type.
        if !expression.starts_with("TYPEOF") && !expression.starts_with("CASE 2") {
            let found = over_columns(expression).unwrap_or_else(|error| format!("error: {error}"));
            if found != *expected {
                wrong.push_str(&format!("{expression} over columns: documented {expected}, found {found}\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(examples.len() > 180);
}

#[test]
fn examples_of_aggregates_and_functions_over_give_what_they_say() {
    for entry in functions().iter().filter(|entry| !is_scalar(entry)) {
        for (expression, expected) in entry.examples {
            let rows = evaluate(&[expression], 4).unwrap_or_else(|error| panic!("{expression}: {error}"));
            assert_eq!(rows[0].join(", "), *expected, "{expression}");
        }
    }
}

/// Each function is listed once, with an example that calls it by name (operators and syntax: that shows it).
#[test]
fn every_function_is_listed_once_with_an_example() {
    let entries = functions();
    let mut names: Vec<&str> = Vec::new();
    for entry in &entries {
        names.extend(std::iter::once(&entry.name).chain(entry.aliases));
        assert!(!entry.examples.is_empty(), "{} has no example", entry.name);
        assert!(!entry.signatures.is_empty() && entry.about.ends_with('.'), "{}", entry.name);
        let shown = entry.examples.iter().any(|(expression, _)| {
            std::iter::once(&entry.name).chain(entry.aliases).any(|name| expression.contains(name))
        });
        assert!(shown || entry.name == "CAST", "no example of {} shows it", entry.name);
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name is listed twice");
    assert!(entries.iter().filter(|entry| is_scalar(entry)).count() >= 100);
}

/// A Markdown cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

/// The part of the document that comes from the table.
fn generated() -> String {
    let mut out = String::new();
    for group in Group::ALL {
        out.push_str(&format!("\n### {}\n\n", group.title()));
        if matches!(group, Group::Aggregate | Group::Window) {
            out.push_str("Examples are over four rows with x = 1, 2, 3, 4, in the order of their time t.\n\n");
        }
        out.push_str("| function | result | what it does | example |\n|---|---|---|---|\n");
        for entry in functions().iter().filter(|entry| entry.group == group) {
            let split: Vec<(&str, &str)> =
                entry.signatures.iter().map(|signature| signature.rsplit_once(" -> ").unwrap()).collect();
            let calls: Vec<String> = split.iter().map(|(call, _)| code(call)).collect();
            let mut results: Vec<&str> = split.iter().map(|(_, result)| *result).collect();
            results.dedup();
            let mut about = cell(entry.about);
            if !entry.aliases.is_empty() {
                about.push_str(&format!(" Also {}.", entry.aliases.join(", ")));
            }
            let examples: Vec<String> = entry
                .examples
                .iter()
                .map(|(expression, result)| format!("{} is {}", code(expression), code(result)))
                .collect();
            out.push_str(&format!(
                "| {} | {} | {about} | {} |\n",
                calls.join("<br>"),
                results.join(" or "),
                examples.join("<br>")
            ));
        }
    }
    out
}

const BEGIN: &str = "<!-- functions: written by the test, GOLDEN=write -->\n";
const END: &str = "<!-- end of functions -->\n";

/// `docs/sql.md` holds what the table says. With GOLDEN=write in the environment that part is written anew.
#[test]
fn the_document_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sql.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the document has a place for functions");
    let (found, after) = rest.split_once(END).expect("the place for functions ends");
    let expected = generated();
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert!(found == expected, "docs/sql.md is not what the table of functions says: run with GOLDEN=write");
    }
}
