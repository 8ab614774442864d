//! Names of columns: which there are, and what was probably meant.

use super::relation::Part;
use crate::error::{Span, SqlError, nearest};
use crate::sql::ast::Ident;
use crate::types::{Field, Schema};

/// The columns that a query reads.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// Columns.
    pub(super) schema: &'a Schema,
    /// The names in front of a dot, each with its columns.
    pub(super) parts: &'a [Part],
    /// Queries inside the expressions of the query, planned.
    pub(super) subqueries: &'a [PlannedSubquery],
}

/// A query inside an expression.
#[derive(Debug)]
pub(super) struct PlannedSubquery {
    /// Where the expression stands.
    pub(super) span: Span,
    /// The table of the job that it has become.
    pub(super) table: usize,
    /// Its columns.
    pub(super) schema: Schema,
}

impl Scope<'_> {
    /// The index of a column.
    pub(super) fn resolve(&self, table: Option<&Ident>, name: &Ident) -> Result<usize, SqlError> {
        let same = |index: &usize| self.schema.fields[*index].name.eq_ignore_ascii_case(&name.value);
        let mut found = match table {
            Some(table) => self.check_table(table)?,
            None => 0..self.schema.len(),
        }
        .filter(same);
        let first = found.next().ok_or_else(|| self.unknown(table, name))?;
        let Some(second) = found.next() else { return Ok(first) };
        let of =
            |index: usize| self.parts.iter().find(|part| part.columns.contains(&index)).and_then(|p| p.name.as_deref());
        let help = match (of(first), of(second)) {
            (Some(a), Some(b)) if a != b => format!("write {a}.{0} or {b}.{0}", name.value),
            _ => "give one of them another name where it is selected: x AS name".into(),
        };
        Err(wrong(name.span, format!("column {} is ambiguous", name.value), help))
    }

    /// The column itself.
    pub(super) fn field(&self, index: usize) -> &Field {
        &self.schema.fields[index]
    }

    /// The columns of the name in front of a dot.
    pub(super) fn check_table(&self, table: &Ident) -> Result<std::ops::Range<usize>, SqlError> {
        let is_named = |part: &&Part| part.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&table.value));
        if let Some(part) = self.parts.iter().find(is_named) {
            return Ok(part.columns.clone());
        }
        let names: Vec<&str> = self.parts.iter().filter_map(|part| part.name.as_deref()).collect();
        let help = if names.is_empty() {
            "the query in FROM has no name: (SELECT ...) AS name gives it one".into()
        } else {
            format!("the query reads {}", names.join(", "))
        };
        Err(SqlError::new(table.span, format!("unknown source {}", table.value)).with_help(help))
    }

    /// The query that stands at `span`.
    pub(super) fn subquery(&self, span: Span) -> Result<&PlannedSubquery, SqlError> {
        self.subqueries.iter().find(|subquery| subquery.span == span).ok_or_else(|| {
            let help = "it stands in the SELECT list, WHERE, GROUP BY, HAVING and ORDER BY";
            wrong(span, "a subquery cannot stand here", help)
        })
    }

    /// The error that there is no such column.
    fn unknown(&self, table: Option<&Ident>, name: &Ident) -> SqlError {
        let columns = table.and_then(|table| self.check_table(table).ok()).unwrap_or(0..self.schema.len());
        let names = self.schema.fields[columns].iter().map(|field| field.name.as_str());
        let mut help = suggest(&name.value, names, "columns are");
        if name.quoted && !help.starts_with("did you mean") {
            help = format!("double quotes are for names, text stands in single quotes: '{}'", name.value);
        }
        SqlError::new(name.span, format!("unknown column {}", name.value)).with_help(help)
    }
}

/// "did you mean x?", or the list of what there is (the first dozen).
pub(super) fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone, list: &str) -> String {
    const SHOWN: usize = 12;
    // A name of one or two letters is near to every other.
    if word.chars().count() > 2
        && let Some(near) = nearest(word, known.clone())
    {
        return format!("did you mean {near}?");
    }
    let count = known.clone().count();
    let mut names: Vec<&str> = known.take(SHOWN).collect();
    if names.is_empty() {
        return "there are none".into();
    }
    if count > SHOWN {
        names.push("...");
    }
    format!("{list} {}", names.join(", "))
}

/// The error that `what` does not fit where it stands.
pub(super) fn wrong(span: Span, message: impl Into<String>, help: impl Into<String>) -> SqlError {
    SqlError::new(span, message).with_help(help)
}
