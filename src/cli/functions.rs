//! `corelane functions`: the functions that SQL may call, from the planner's own table.

use serde_json::json;

use super::arguments::FunctionsArguments;
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
    let by_name = |test: &dyn Fn(&str) -> bool| {
        let fits = |entry: &&FunctionEntry| test(entry.name) || entry.aliases.iter().any(|alias| test(alias));
        all.iter().filter(fits).cloned().collect::<Vec<_>>()
    };
    let tries: [&dyn Fn() -> Vec<FunctionEntry>; 3] = [
        &|| by_name(&|name| fits(&wanted, name)),
        &|| all.iter().filter(|entry| entry.group.name().eq_ignore_ascii_case(&wanted)).cloned().collect(),
        &|| if wanted.is_empty() { Vec::new() } else { by_name(&|name| name.contains(&wanted)) },
    ];
    if let Some(found) = tries.iter().map(|find| find()).find(|found| !found.is_empty()) {
        return Ok(found);
    }
    let names = all.iter().flat_map(|entry| std::iter::once(&entry.name).chain(entry.aliases)).copied();
    let help = match nearest(&wanted, names) {
        Some(near) => format!("did you mean {near}?"),
        None => {
            let groups: Vec<&str> = Group::ALL.iter().map(|group| group.name()).collect();
            format!("give a name, a part of one, a pattern as in REGEXP_*, or a group: {}", groups.join(", "))
        }
    };
    Err(Error::Config(format!("no function fits {pattern}: {help}")))
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or("");
    for piece in pieces {
        let Some(at) = name.find(piece) else { return false };
        name = &name[at + piece.len()..];
    }
    name.ends_with(last)
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

/// Characters of a cell's line in each column; words do not break, so longer ones stand out.
const WIDTHS: [usize; 3] = [46, 60, 50];

fn table(entries: &[FunctionEntry]) -> String {
    let mut lines = vec![["signature", "what it does", "example"].map(String::from)];
    for entry in entries {
        let mut about = entry.about.to_string();
        if !entry.aliases.is_empty() {
            about.push_str(&format!(" Also {}.", entry.aliases.join(", ")));
        }
        let examples = entry.examples.iter().map(|(expression, result)| format!("{expression} = {result}"));
        let cells = [
            entry.signatures.iter().flat_map(|signature| wrap(signature, WIDTHS[0])).collect(),
            wrap(&about, WIDTHS[1]),
            examples.flat_map(|example| wrap(&example, WIDTHS[2])).collect::<Vec<_>>(),
        ];
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        lines.extend((0..height).map(|i| [0, 1, 2].map(|column| cells[column].get(i).cloned().unwrap_or_default())));
        lines.push([const { String::new() }; 3]);
    }
    lines.pop();
    let widths = [0, 1].map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0));
    let mut out = String::new();
    for [signature, about, example] in &lines {
        let line = format!("{signature:<0$}  {about:<1$}  {example}", widths[0], widths[1]);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    let noun = if entries.len() == 1 { "function" } else { "functions" };
    out + &format!("({} {noun})\n", entries.len())
}

/// Lines of at most `width` characters, broken at blanks; all but the first are indented.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.into()),
        }
    }
    lines
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
    fn patterns_fit_whole_names() {
        for (pattern, name, expected) in [
            ("A*", "ABS", true),
            ("*S", "ABS", true),
            ("A*B*S", "ABS", true),
            ("ABS*", "ABS", true),
            ("B*", "ABS", false),
            ("A*BS*S", "ABS", false),
            ("AB", "ABS", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
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
