//! What there is, for people: every function with its forms, what it does, and examples.

use super::{OTHERS, definitions};

/// What a function is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Text.
    Text,
    /// Numbers and bits.
    Number,
    /// Points in time and lengths of time.
    Time,
    /// Choice between values, types.
    Choice,
    /// JSON in text.
    Json,
    /// Regular expressions.
    Pattern,
    /// Aggregates.
    Aggregate,
    /// Functions that stand only with OVER.
    Window,
}

impl Group {
    /// All, in the order in which they are listed.
    pub const ALL: [Self; 8] =
        [Self::Text, Self::Number, Self::Time, Self::Choice, Self::Json, Self::Pattern, Self::Aggregate, Self::Window];

    /// Its name in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Time => "time",
            Self::Choice => "choice",
            Self::Json => "json",
            Self::Pattern => "pattern",
            Self::Aggregate => "aggregate",
            Self::Window => "window",
        }
    }

    /// The heading above its functions.
    pub fn title(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Number => "Numbers",
            Self::Time => "Time",
            Self::Choice => "Choice and types",
            Self::Json => "JSON",
            Self::Pattern => "Regular expressions",
            Self::Aggregate => "Aggregates",
            Self::Window => "Functions OVER",
        }
    }
}

/// A function that is planned elsewhere, as it is listed.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) group: Group,
    pub(super) form: &'static str,
    pub(super) result: &'static str,
    pub(super) about: &'static str,
    pub(super) examples: &'static [(&'static str, &'static str)],
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Name, in upper case.
    pub name: &'static str,
    /// Other names of the same function.
    pub aliases: &'static [&'static str],
    /// What it is about.
    pub group: Group,
    /// Ways to call it, with the types of arguments and result: `LEFT(text VARCHAR, n BIGINT) -> VARCHAR`.
    pub signatures: Vec<String>,
    /// What it does.
    pub about: &'static str,
    /// Expressions and the text of their values. Of aggregates and functions OVER: over four rows with x = 1, 2, 3, 4 in
    /// the order of their time t.
    pub examples: &'static [(&'static str, &'static str)],
}

/// All functions, by group.
pub fn functions() -> Vec<FunctionEntry> {
    let scalar = definitions().map(|definition| FunctionEntry {
        name: definition.name,
        aliases: definition.aliases,
        group: definition.group,
        signatures: definition.signatures(),
        about: definition.about,
        examples: definition.examples,
    });
    let others = OTHERS.iter().map(|entry| FunctionEntry {
        name: entry.name,
        aliases: entry.aliases,
        group: entry.group,
        signatures: vec![format!("{} -> {}", entry.form, entry.result)],
        about: entry.about,
        examples: entry.examples,
    });
    let mut all: Vec<FunctionEntry> = scalar.chain(others).collect();
    // Stable: within a group as they stand in the tables.
    all.sort_by_key(|entry| Group::ALL.iter().position(|group| *group == entry.group));
    all
}
