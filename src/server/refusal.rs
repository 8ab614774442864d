//! Why a request was refused: an HTTP status, a code for programs, a message for people.

use serde_json::{Value, json};

use crate::error::{Error, SqlError};

/// Result with [`Refusal`].
pub(super) type Outcome<T> = std::result::Result<T, Refusal>;

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: u16,
    /// Names the kind of trouble; programs go by it.
    pub(super) code: &'static str,
    /// What is wrong.
    pub(super) message: String,
    /// Where in the SQL, and what would work.
    pub(super) sql: Option<SqlError>,
}

impl Refusal {
    /// A refusal without a place.
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), sql: None }
    }

    /// No job has that name.
    pub(super) fn no_job(name: &str, near: Option<&str>) -> Self {
        let hint = near.map_or_else(String::new, |near| format!(": did you mean {near}?"));
        Self::new(404, "no_such_job", format!("no job is called {name}{hint}"))
    }

    /// The JSON document.
    pub(super) fn document(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(sql) = &self.sql {
            if sql.span.line > 0 {
                error["line"] = sql.span.line.into();
                error["column"] = sql.span.column.into();
                error["end_line"] = sql.span.end_line.into();
                error["end_column"] = sql.span.end_column.into();
            }
            error["help"] = sql.help.clone().into();
        }
        json!({ "error": error })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (status, code) = match &error {
            Error::Sql(_) => (400, "sql"),
            Error::Config(_) => (400, "configuration"),
            Error::Io { .. } => (422, "io"),
            Error::Data(_) => (422, "data"),
            Error::Execution(_) => (422, "execution"),
        };
        match error {
            Error::Sql(sql) => Self { status, code, message: sql.message.clone(), sql: Some(sql) },
            error => Self::new(status, code, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Span;

    #[test]
    fn sql_errors_keep_their_place() {
        let span = Span { line: 2, column: 8, end_line: 2, end_column: 13 };
        let error = SqlError::new(span, "unknown column pirce").with_help("did you mean price?");
        let document = Refusal::from(Error::Sql(error)).document();
        assert_eq!(document["error"]["code"], "sql");
        assert_eq!((&document["error"]["line"], &document["error"]["column"]), (&json!(2), &json!(8)));
        assert_eq!(document["error"]["help"], "did you mean price?");
        assert_eq!(Refusal::no_job("a", Some("b")).message, "no job is called a: did you mean b?");
    }
}
