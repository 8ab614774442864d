//! Lines from a terminal, with editing and history, or from standard input.

use std::io::BufRead;
use std::path::PathBuf;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::error::{Error, Result};
use crate::sys::{self, Stream};

/// One line.
pub(super) enum Line {
    /// What was typed.
    Text(String),
    /// Ctrl-C.
    Interrupted,
    /// The end of the input.
    End,
}

/// Where lines come from.
pub(super) enum Input {
    /// A terminal.
    Terminal {
        editor: Box<DefaultEditor>,
        /// Where history is kept, if there is a home for it.
        history: Option<PathBuf>,
    },
    /// A file or a pipe.
    Plain,
}

impl Input {
    pub(super) fn open() -> Result<Self> {
        if !sys::is_terminal(Stream::Stdin) || !sys::is_terminal(Stream::Stdout) {
            return Ok(Self::Plain);
        }
        let mut editor = DefaultEditor::new().map_err(failed)?;
        let history = history_path();
        if let Some(path) = &history {
            // The first time there is none.
            let _ = editor.load_history(path);
        }
        Ok(Self::Terminal { editor: Box::new(editor), history })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    /// The next line; `continues` shows that it is not the first of its statement.
    pub(super) fn next(&mut self, continues: bool) -> Result<Line> {
        let Self::Terminal { editor, history } = self else { return plain_line() };
        match editor.readline(if continues { "     ...> " } else { "corelane> " }) {
            Ok(line) => {
                if !line.trim().is_empty() {
                    let _ = editor.add_history_entry(&line);
                    if let Some(path) = history {
                        // A home that cannot be written costs the history, not the session.
                        let _ = editor.append_history(path);
                    }
                }
                Ok(Line::Text(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(failed(error)),
        }
    }
}

fn plain_line() -> Result<Line> {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) => Ok(Line::End),
        Ok(_) => Ok(Line::Text(line)),
        Err(error) => Err(Error::io("read", "standard input", &error)),
    }
}

fn failed(error: ReadlineError) -> Error {
    match error {
        ReadlineError::Io(error) => Error::io("read", "the terminal", &error),
        error => Error::io("read", "the terminal", &std::io::Error::other(error.to_string())),
    }
}

/// By the XDG base directory specification, state that should outlive a session.
fn history_path() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    let directory = state.join("corelane");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}
