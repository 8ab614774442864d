//! `corelane options`: the settings, and the options of sources and sinks, from the tables that they are read by.

use serde_json::json;

use super::arguments::OptionsArguments;
use super::list;
use super::stats::write_stdout;
use crate::engine::option_groups;
use crate::error::{Error, Result, nearest};
use crate::types::OptionEntry;

/// An option and where it is written.
type Placed = (&'static str, OptionEntry);

/// Prints the options as a table or as JSON.
pub(super) fn show(arguments: &OptionsArguments) -> Result<()> {
    let entries = chosen(arguments.pattern.as_deref().unwrap_or("*"))?;
    let text = if arguments.json { format!("{:#}\n", document(&entries)) } else { table(&entries) };
    write_stdout(&text)
}

/// The options of that name; those whose names fit a pattern with `*`; those of the place; those whose names hold the text.
fn chosen(pattern: &str) -> Result<Vec<Placed>> {
    let wanted = pattern.trim().to_ascii_lowercase().replace('-', "_");
    let wanted = wanted.trim_start_matches('_');
    let all: Vec<Placed> = option_groups()
        .into_iter()
        .flat_map(|(place, entries)| entries.into_iter().map(move |entry| (place, entry)))
        .collect();
    let found = list::choose(&all, wanted, |(_, entry)| vec![entry.name], |(place, _)| place.to_string());
    if !found.is_empty() {
        return Ok(found);
    }
    let help = match nearest(wanted, all.iter().map(|(_, entry)| entry.name)) {
        Some(near) => format!("did you mean {near}?"),
        None => {
            let places = option_groups().map(|(place, _)| place).join(", ");
            format!("give a name, a part of one, a pattern as in *_lateness, or a place: {places}")
        }
    };
    Err(Error::Config(format!("no option fits {pattern}: {help}")))
}

fn document(entries: &[Placed]) -> serde_json::Value {
    let option = |(place, entry): &Placed| {
        let OptionEntry { name, values, default, about } = entry;
        json!({"name": name, "place": place, "values": values, "default": default, "description": about})
    };
    entries.iter().map(option).collect()
}

fn table(entries: &[Placed]) -> String {
    let cells = |(place, entry): &Placed| {
        [*place, entry.name, entry.values, entry.default, entry.about].map(|cell| vec![cell.to_string()])
    };
    let noun = if entries.len() == 1 { "option" } else { "options" };
    let columns = [("place", 9), ("name", 16), ("values", 34), ("default", 24), ("what it does", 60)];
    format!("{}({} {noun})\n", list::table(columns, entries.iter().map(cells)), entries.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> Vec<&'static str> {
        chosen(pattern).unwrap().iter().map(|(_, entry)| entry.name).collect()
    }

    #[test]
    fn a_name_a_pattern_a_place_or_a_part_chooses() {
        assert_eq!(names("skew"), ["skew"]);
        assert_eq!(names("rate"), ["rate", "rate"], "of both generators");
        assert_eq!(names("--batch-rows"), ["batch_rows"], "as a flag");
        assert_eq!(names("format"), ["format", "format"], "of sources and of sinks");
        assert_eq!(names("*_timeout"), ["idle_timeout"]);
        assert_eq!(names("late"), ["late_records", "allowed_lateness", "late_sink"]);
        assert!(names("sink").contains(&"path"));
        let error = chosen("partitons").unwrap_err().to_string();
        assert_eq!(error, "no option fits partitons: did you mean partitions?");
    }

    #[test]
    fn the_reference_has_every_option() {
        let reference = include_str!("../../docs/reference.md").to_string();
        for (place, entry) in chosen("*").unwrap() {
            let forms = [format!("`{}`", entry.name), format!("`{} = ", entry.name)];
            assert!(forms.iter().any(|form| reference.contains(form)), "{place} option {} is not in docs", entry.name);
            assert!(entry.about.ends_with('.'), "{}", entry.name);
            assert!(!entry.about.contains('`'), "{}: terminals show no markup", entry.name);
        }
        let reference = reference.replace('`', "");
        for (_, entry) in chosen("setting").unwrap() {
            let row = format!("| {} | {} |", entry.name, entry.default);
            assert!(reference.contains(&row), "docs do not say {row}");
        }
    }
}
