//! `corelane serve` and `corelane config`: a server by its configuration file.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc;

use super::arguments::{ConfigCommand, ServeArguments};
use super::failure::Failure;
use super::script::Script;
use super::stats::write_stdout;
use crate::engine::{Engine, Roots};
use crate::server::{Config, Server, config_schema};
use crate::sys;

/// Runs a server until a signal ends it.
pub(super) fn serve(arguments: &ServeArguments) -> Result<(), Failure> {
    let config = read(&arguments.config)?;
    // Before anything runs, so that no signal goes by.
    let (tell, told) = mpsc::channel();
    sys::call_on_signals(move || {
        // Nobody listens any more if the server could not be started.
        let _ = tell.send(());
    })?;
    let guarded = config.token.is_some();
    let server = Server::start(config, log)?;
    let token = if guarded { "changes need the token" } else { "no token is needed from this host" };
    log(&format!("listening on http://{}, {token}", server.address()));
    // The sender lives as long as the thread that waits for signals.
    let _ = told.recv();
    log("stopping: jobs drain and commit; a second signal ends at once");
    server.stop();
    log("stopped");
    Ok(())
}

/// What is asked of configuration files.
pub(super) fn config(command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(arguments) => check(&arguments.file),
        ConfigCommand::Schema => Ok(write_stdout(&format!("{:#}\n", config_schema()))?),
    }
}

/// Checks a file without starting anything: its keys and values, that the roots are there, the SQL of its jobs.
fn check(file: &Path) -> Result<(), Failure> {
    let config = read(file)?;
    let mut engine = Engine::new();
    engine.confine(Roots::new(&config.roots)?);
    for job in &config.jobs {
        let script = Script { name: format!("job {}", job.name), text: job.sql.clone() };
        job.check_sql(&engine, &config.runtime).map_err(|error| script.failure(error))?;
    }
    let jobs = config.jobs.len();
    let noun = if jobs == 1 { "job" } else { "jobs" };
    write_stdout(&format!("{}: listens on {}, {jobs} {noun}, no errors\n", file.display(), config.listen))?;
    Ok(())
}

fn read(file: &Path) -> Result<Config, Failure> {
    let script = Script::read(file)?;
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Config::parse(&script.text, directory, &|name| std::env::var(name).ok()).map_err(|error| script.failure(error))
}

/// A line on stderr. A stderr that is closed is no reason to end.
fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
