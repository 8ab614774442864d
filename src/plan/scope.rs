//! Names of columns: which there are, and what was probably meant.

use crate::error::{Span, SqlError, nearest};
use crate::sql::ast::Ident;
use crate::types::{Field, Schema};

/// The columns of the source that a query reads.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    /// Columns.
    pub(super) schema: &'a Schema,
    /// The name in front of a dot: the alias, or else the source's name.
    pub(super) table: &'a str,
}

impl Scope<'_> {
    /// The index of a column.
    pub(super) fn resolve(&self, table: Option<&Ident>, name: &Ident) -> Result<usize, SqlError> {
        if let Some(table) = table {
            self.check_table(table)?;
        }
        self.schema.index_of(&name.value).ok_or_else(|| self.unknown(name))
    }

    /// The column itself.
    pub(super) fn field(&self, index: usize) -> &Field {
        &self.schema.fields[index]
    }

    /// Checks the name in front of a dot.
    pub(super) fn check_table(&self, table: &Ident) -> Result<(), SqlError> {
        if table.value.eq_ignore_ascii_case(self.table) {
            return Ok(());
        }
        Err(SqlError::new(table.span, format!("unknown source {}", table.value))
            .with_help(format!("the query reads {}", self.table)))
    }

    /// The error that there is no such column.
    pub(super) fn unknown(&self, name: &Ident) -> SqlError {
        let mut help = suggest(&name.value, self.schema.fields.iter().map(|field| field.name.as_str()), "columns are");
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
