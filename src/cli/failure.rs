//! How a command that failed says so, and with which exit status.

use std::io::Write;
use std::process::ExitCode;

use super::script::Script;
use crate::error::Error;

/// An error and the SQL text it may point into.
#[derive(Debug)]
pub(super) struct Failure {
    error: Error,
    script: Option<Box<Script>>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, script: None }
    }
}

impl Script {
    /// `error` with this text for its place to be shown in.
    pub(super) fn failure(&self, error: Error) -> Failure {
        Failure { error, script: Some(Box::new(self.clone())) }
    }
}

impl Failure {
    /// Says the error on stderr; a pipe whose reader has gone is no error.
    pub(super) fn report(&self) -> ExitCode {
        if matches!(self.error, Error::Io { broken_pipe: true, .. }) {
            return ExitCode::SUCCESS;
        }
        // Nothing is left to tell it to if stderr is closed too.
        let _ = std::io::stderr().write_all(self.render().as_bytes());
        ExitCode::from(self.error.exit_status())
    }

    /// The error alone.
    pub(super) fn into_error(self) -> Error {
        self.error
    }

    pub(super) fn render(&self) -> String {
        match (&self.error, &self.script) {
            (Error::Sql(error), Some(script)) => error.render(&script.name, &script.text),
            (error, _) => format!("error: {error}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Span, SqlError};

    #[test]
    fn sql_errors_point_into_the_text_they_came_from() {
        let script = Script::query("SELECT pirce".into());
        let span = Span { line: 1, column: 8, end_line: 1, end_column: 13 };
        let failure = script.failure(Error::Sql(SqlError::new(span, "no column \"pirce\"")));
        assert!(failure.render().contains("--> <query>:1:8"), "{}", failure.render());
        let failure = script.failure(Error::Config("unknown setting x".into()));
        assert_eq!(failure.render(), "error: unknown setting x\n");
    }

    #[test]
    fn a_closed_pipe_is_a_quiet_success() {
        let closed = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let failure = Failure::from(Error::io("write", "standard output", &closed));
        assert_eq!(format!("{:?}", failure.report()), format!("{:?}", ExitCode::SUCCESS));
    }
}
