//! `corelane shell`: SQL at a prompt.
//!
//! Statements end with a semicolon and may take several lines; what is declared stays for the statements that follow, and
//! a name that is declared again is replaced. Ctrl-C ends the statement that runs, and at the prompt drops what was
//! typed. Without a terminal it reads statements from standard input, and ends with the status of the first that failed.

mod input;
mod session;

use self::input::{Input, Line};
use self::session::{Session, Told};
use super::arguments::ShellArguments;
use super::failure::Failure;
use super::stats::write_stdout;
use crate::error::Result;
use crate::sys::{self, Stream};

/// Said at the start.
const GREETING: &str =
    concat!("corelane ", env!("CARGO_PKG_VERSION"), ". Statements end with ; and .help tells what else there is.\n",);

/// Reads and runs statements to the end of the input.
pub(super) fn run(arguments: &ShellArguments) -> Result<(), Failure> {
    let mut session = Session::new(arguments.job.settings()?);
    let mut input = Input::open()?;
    let is_live = input.is_terminal();
    if is_live {
        write_stdout(GREETING)?;
    }
    loop {
        let text = match input.next(session.is_in_statement())? {
            Line::Text(text) => text,
            Line::Interrupted => {
                session.forget();
                continue;
            }
            Line::End => break,
        };
        for told in session.feed(&text) {
            match told {
                Ok(Told::Text(text)) => write_stdout(&text)?,
                Ok(Told::End) => return Ok(()),
                Err(failure) if is_live => drop(failure.report()),
                Err(failure) => return Err(failure),
            }
        }
    }
    if is_live {
        write_stdout("\n")?;
    } else if let Err(failure) = session.finish() {
        return Err(failure);
    }
    Ok(())
}

/// Whether rows are read by a person.
fn shows_rows() -> bool {
    sys::is_terminal(Stream::Stdout)
}
