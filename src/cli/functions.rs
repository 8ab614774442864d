//! `corelane functions`: the functions that SQL may call, from the planner's own table.

use serde_json::json;

use super::arguments::FunctionsArguments;
use super::list;
use super::stats::write_stdout;
use crate::error::{Error, Result, nearest};
use crate::plan::{FunctionEntry, Group, functions};

/// Prints the functions as a table or as JSON.
pub(super) fn show(arguments: &FunctionsArguments) -> Result<()> {
    let entries = chosen(arguments.pattern.as_deref().unwrap_or("*"))?;
    let text = if arguments.json { format!("{:#}\n", document(&entries)) } else { table(&entries) };
    write_stdout(&text)
}

/// The functions of that name; those whose names fit a pattern with `*`; those whose names hold the text; those of the
/// group.
fn chosen(pattern: &str) -> Result<Vec<FunctionEntry>> {
    let wanted = pattern.trim().to_uppercase();
    let all = functions();
    let names =
        |entry: &FunctionEntry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()).collect::<Vec<_>>();
    let found = list::choose(&all, &wanted, names, |entry| entry.group.name().to_uppercase());
    if !found.is_empty() {
        return Ok(found);
    }
    let help = match nearest(&wanted, all.iter().flat_map(names)) {
        Some(near) => format!("did you mean {near}?"),
        None => {
            let groups: Vec<&str> = Group::ALL.iter().map(|group| group.name()).collect();
            format!("give a name, a part of one, a pattern as in REGEXP_*, or a group: {}", groups.join(", "))
        }
    };
    Err(Error::Config(format!("no function fits {pattern}: {help}")))
}

fn document(entries: &[FunctionEntry]) -> serde_json::Value {
    let function = |entry: &FunctionEntry| {
        let example = |(expression, result): &(&str, &str)| json!({"expression": expression, "result": result});
        json!({
            "name": entry.name, "aliases": entry.aliases, "group": entry.group.name(),
            "signatures": entry.signatures, "description": entry.about,
            "examples": entry.examples.iter().map(example).collect::<Vec<_>>(),
        })
    };
    entries.iter().map(function).collect()
}

fn table(entries: &[FunctionEntry]) -> String {
    let cells = |entry: &FunctionEntry| {
        let mut about = entry.about.to_string();
        if !entry.aliases.is_empty() {
            about.push_str(&format!(" Also {}.", entry.aliases.join(", ")));
        }
        let examples = entry.examples.iter().map(|(expression, result)| format!("{expression} = {result}"));
        let signatures = entry.signatures.iter().map(|signature| signature.to_string());
        [signatures.collect(), vec![about], examples.collect()]
    };
    let noun = if entries.len() == 1 { "function" } else { "functions" };
    let columns = [("signature", 46), ("what it does", 60), ("example", 50)];
    format!("{}({} {noun})\n", list::table(columns, entries.iter().map(cells)), entries.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<&'static str> {
        chosen(pattern).unwrap().iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn a_name_a_pattern_a_group_or_a_part_chooses() {
        assert_eq!(names("left"), ["LEFT"]);
        assert_eq!(names("substr"), ["SUBSTRING"], "by its other name");
        assert_eq!(names("j*_type"), ["JSON_TYPE"]);
        assert!(names("regexp_*").len() >= 7);
        assert_eq!(names("->>"), ["->>"]);
        assert!(names("json").contains(&"->"), "a group");
        assert!(names("bucket").contains(&"DATE_BIN"), "a part of another name");
        assert_eq!(names("*").len(), functions().len());
    }

    #[test]
    fn a_name_that_fits_nothing_gets_a_suggestion() {
        assert_eq!(chosen("uper").unwrap_err().to_string(), "no function fits uper: did you mean UPPER?");
        let error = chosen("frobnicate").unwrap_err().to_string();
        assert!(error.ends_with("or a group: text, number, time, choice, json, pattern, aggregate, window"), "{error}");
    }

    #[test]
    fn the_table_wraps_and_the_document_holds_all() {
        let entries = chosen("LPAD").unwrap();
        let text = table(&entries);
        assert!(text.contains("LPAD(text VARCHAR, width BIGINT [, fill"), "{text}");
        assert!(text.contains("LPAD('7', 3, '0') = 007") && text.ends_with("(1 function)\n"), "{text}");
        assert!(table(&functions()).lines().all(|line| line.chars().count() < 190));
        let document = document(&entries);
        assert_eq!(document[0]["examples"][0]["result"], "007");
        assert_eq!(document[0]["group"], "text");
    }
}
