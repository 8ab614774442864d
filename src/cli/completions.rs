//! `corelane completions` and `corelane man`: for shells and manual readers, from the definition of the command line.

use clap::CommandFactory;

use super::arguments::{Arguments, CompletionsArguments, ManArguments};
use super::stats::write_stdout;
use crate::error::{Error, Result};

/// Prints the completions of a shell.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<()> {
    let mut bytes = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "corelane", &mut bytes);
    write_stdout(&String::from_utf8_lossy(&bytes))
}

/// Writes a page for the command and one for each verb.
pub(super) fn man(arguments: &ManArguments) -> Result<()> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, &error))?;
    clap_mangen::generate_to(Arguments::command(), directory).map_err(|error| Error::io("write to", directory, &error))
}
