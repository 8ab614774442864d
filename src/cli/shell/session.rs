//! What a session knows: the statement that is being typed, what was declared, how rows are shown.

use std::time::Instant;

use super::shows_rows;
use crate::cli::arguments::Format;
use crate::cli::commands::{compile, is_printed, query_sink, send_to, write_stderr};
use crate::cli::failure::Failure;
use crate::cli::script::Script;
use crate::engine::{Control, Engine, JobReport, RunOptions, SETTINGS};
use crate::error::{Error, Result, SqlError, nearest};
use crate::sql::{self, ast};
use crate::sys::stop_on_interrupt;
use crate::types::Options;

const HELP: &str = "\
.help              this text
.tables            what is declared
.show NAME         how it was declared
.mode FORMAT       how rows are shown: table, csv, json
.timer on|off      whether the time of each statement is shown
.read FILE         run the statements of a file
.reset             forget all declarations and settings
.quit              end; so does Ctrl-D
Ctrl-C ends the statement that runs. corelane functions and corelane options list what SQL knows.
";

const COMMANDS: &[&str] = &[".help", ".tables", ".show", ".mode", ".timer", ".read", ".reset", ".quit"];

/// What came of a line.
pub(super) enum Told {
    /// Something to print.
    Text(String),
    /// The end of the session.
    End,
}

/// A statement that later ones build on.
struct Declaration {
    kind: &'static str,
    name: String,
    text: String,
}

/// The state of a session.
pub(super) struct Session {
    settings: Options,
    declarations: Vec<Declaration>,
    /// What was typed of a statement that has not ended.
    typed: String,
    mode: Format,
    timer: bool,
}

impl Session {
    /// Nothing declared; `settings` win over SET.
    pub(super) fn new(settings: Options) -> Self {
        Self { settings, declarations: Vec::new(), typed: String::new(), mode: Format::Table, timer: false }
    }

    /// Whether the next line goes on with a statement.
    pub(super) fn is_in_statement(&self) -> bool {
        !self.typed.trim().is_empty()
    }

    /// Drops what was typed.
    pub(super) fn forget(&mut self) {
        self.typed.clear();
    }

    /// Takes a line in and does what has become complete.
    pub(super) fn feed(&mut self, line: &str) -> Vec<Result<Told, Failure>> {
        if !self.is_in_statement() && line.trim_start().starts_with('.') {
            return self.command(line.trim());
        }
        self.typed.push_str(line.trim_end_matches(['\r', '\n']));
        self.typed.push('\n');
        let (statements, rest) = split(&std::mem::take(&mut self.typed));
        self.typed = if rest.trim().is_empty() { String::new() } else { rest };
        let mut told = Vec::new();
        for statement in statements {
            let outcome = self.statement(&statement).map(Told::Text);
            let failed = outcome.is_err();
            told.push(outcome);
            if failed {
                break;
            }
        }
        told
    }

    /// The end of the input: what was typed must be whole.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        let rest = std::mem::take(&mut self.typed);
        if sql::parse(&rest).is_ok_and(|statements| statements.is_empty()) {
            return Ok(());
        }
        self.statement(&rest).map(drop)
    }

    fn command(&mut self, line: &str) -> Vec<Result<Told, Failure>> {
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim().trim_end_matches(';');
        let text = |text: String| vec![Ok(Told::Text(text))];
        match name {
            ".help" => text(HELP.into()),
            ".quit" | ".exit" => vec![Ok(Told::End)],
            ".tables" => {
                text(self.declarations.iter().map(|known| format!("{:<7} {}\n", known.kind, known.name)).collect())
            }
            ".reset" => {
                self.declarations.clear();
                Vec::new()
            }
            ".show" => match self.declarations.iter().find(|known| known.name.eq_ignore_ascii_case(argument)) {
                Some(known) => text(format!("{}\n", known.text.trim())),
                None => refused(suggested(
                    format!("nothing is declared as {argument}"),
                    argument,
                    self.declarations.iter().map(|known| known.name.as_str()),
                )),
            },
            ".mode" => match argument {
                "table" => self.show_as(Format::Table),
                "csv" => self.show_as(Format::Csv),
                "json" => self.show_as(Format::Json),
                _ => refused(format!("unknown mode {argument}: expected table, csv or json")),
            },
            ".timer" => match argument {
                "on" | "off" => {
                    self.timer = argument == "on";
                    Vec::new()
                }
                _ => refused(format!("unknown timer {argument}: expected on or off")),
            },
            ".read" => match Script::read(argument.as_ref()) {
                Ok(script) => {
                    let mut told = self.feed(&script.text);
                    if told.iter().all(Result::is_ok) {
                        told.extend(self.finish().err().map(Err));
                    }
                    told
                }
                Err(error) => vec![Err(error.into())],
            },
            _ => refused(suggested(format!("unknown command {name}"), name, COMMANDS.iter().copied())),
        }
    }

    fn show_as(&mut self, mode: Format) -> Vec<Result<Told, Failure>> {
        self.mode = mode;
        Vec::new()
    }

    /// Runs or remembers one statement.
    fn statement(&mut self, text: &str) -> Result<String, Failure> {
        let script = Script::query(text.to_string());
        let parsed = sql::parse(text).map_err(|error| script.failure(error.into()))?;
        let Some(statement) = parsed.first() else { return Ok(String::new()) };
        let (kind, name) = match statement {
            ast::Statement::CreateSource { name, .. } => ("source", name.value.clone()),
            ast::Statement::CreateSink { name, .. } => ("sink", name.value.clone()),
            ast::Statement::Set(option) => {
                checked(option).map_err(|error| script.failure(error))?;
                ("set", option.key.clone())
            }
            ast::Statement::Insert { .. } | ast::Statement::Select(_) => return self.job(&script),
        };
        let is_same =
            |known: &Declaration| known.name.eq_ignore_ascii_case(&name) && (known.kind == "set") == (kind == "set");
        let before: String =
            self.declarations.iter().filter(|known| !is_same(known)).map(|known| known.text.as_str()).collect();
        let compiled = Engine::new().compile(&format!("{before}{text}"), &self.settings);
        compiled.map_err(|error| script.failure(behind(error, &before)))?;
        self.declarations.retain(|known| !is_same(known));
        self.declarations.push(Declaration { kind, name, text: ended(text) });
        Ok(String::new())
    }

    fn job(&self, script: &Script) -> Result<String, Failure> {
        let before: String = self.declarations.iter().map(|known| known.text.as_str()).collect();
        let whole = Script::query(format!("{before}{}", script.text));
        let started = Instant::now();
        let failed = |error: Error| script.failure(behind(error, &before));
        let compiled = compile(&whole, &self.settings).map_err(|failure| failed(failure.into_error()))?;
        let mut said = String::new();
        for (mut job, options) in compiled {
            let prints = is_printed(&job);
            if prints {
                send_to(&mut job, &query_sink(None, Some(self.mode))?);
            }
            let control = Control::default();
            let guard = stop_on_interrupt(&control.stop)?;
            let report = Engine::new().run(&job, &options, &control).map_err(&failed)?;
            drop(guard);
            let closing = self.closing(&report, prints, started);
            // In a pipe, rows and what is said of them must not mix.
            if shows_rows() {
                closing.iter().for_each(|line| said.push_str(&format!("{line}\n")));
            } else {
                closing.iter().for_each(|line| write_stderr(line));
            }
        }
        Ok(said)
    }

    /// What is said after the rows.
    fn closing(&self, report: &JobReport, prints: bool, started: Instant) -> Vec<String> {
        let mut lines = report.trouble_lines();
        if !prints {
            lines.push(report.closing_line());
        } else if self.timer && shows_rows() {
            lines.push(format!(
                "{:.3} s, {:.2} M records/s",
                started.elapsed().as_secs_f64(),
                report.records_per_s / 1e6
            ));
        }
        lines
    }
}

fn refused(message: String) -> Vec<Result<Told, Failure>> {
    vec![Err(Error::Config(message).into())]
}

fn suggested<'n>(message: String, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("{message}: did you mean {near}?"),
        None => message,
    }
}

/// A setting is looked at by jobs only: a wrong one would stay, and every statement after it would fail.
fn checked(option: &ast::OptionItem) -> Result<()> {
    let mut options = Options::new();
    options.set(&option.key, option.value.clone());
    let outcome = RunOptions::from_settings(&mut options).and_then(|_| options.finish("this session", SETTINGS));
    let span = if SETTINGS.contains(&option.key.as_str()) { option.value_span } else { option.key_span };
    outcome.map_err(|error| match error {
        Error::Config(message) => Error::Sql(SqlError::new(span, message)),
        error => error,
    })
}

/// An error in a text that stands behind another one.
fn behind(error: Error, before: &str) -> Error {
    let Error::Sql(SqlError { message, mut span, help }) = error else { return error };
    let lines = before.matches('\n').count() as u32;
    span.line = span.line.saturating_sub(lines);
    span.end_line = span.end_line.saturating_sub(lines);
    Error::Sql(SqlError { message, span, help })
}

/// A statement that another one may follow, on lines of its own.
fn ended(text: &str) -> String {
    format!("{}\n;\n", text.trim().trim_end_matches(';'))
}

/// Statements that have ended, and the rest.
fn split(text: &str) -> (Vec<String>, String) {
    let mut statements = Vec::new();
    let (mut start, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let rest = &text[at..];
        let skip = |open: &str, close: &str| {
            rest.starts_with(open)
                .then(|| rest[open.len()..].find(close).map_or(rest.len(), |end| open.len() + end + close.len()))
        };
        let quoted =
            skip("'", "'").or_else(|| skip("\"", "\"")).or_else(|| skip("--", "\n")).or_else(|| skip("/*", "*/"));
        match quoted {
            Some(length) => at += length,
            None if bytes[at] == b';' => {
                statements.push(text[start..=at].trim_start_matches('\n').to_string());
                (start, at) = (at + 1, at + 1);
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    (statements, text[start..].to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new(Options::new())
    }

    fn fails(session: &mut Session, line: &str) -> String {
        let told = session.feed(line);
        told.into_iter().find_map(Result::err).map(|failure| failure.render()).unwrap_or_default()
    }

    #[test]
    fn statements_end_with_a_semicolon_outside_of_quotes_and_comments() {
        let (done, rest) = split("SELECT ';' -- not ;\n, \";\" /* ; */ ; SELECT 'it''s;' ;\nSELECT");
        assert_eq!(done.len(), 2, "{done:?}");
        assert_eq!(done[1].trim(), "SELECT 'it''s;' ;");
        assert_eq!(rest, "\nSELECT");
        assert_eq!(split("SELECT '; \n").0.len(), 0, "an open quote goes on");
    }

    #[test]
    fn declarations_stay_and_are_replaced() {
        let mut session = session();
        assert_eq!(fails(&mut session, "CREATE SOURCE s (id BIGINT)"), "");
        assert!(session.is_in_statement());
        assert_eq!(
            fails(&mut session, "WITH (connector = 'generator', rows = '5'); SET partitions = 1; SET partitions = 2;"),
            ""
        );
        assert_eq!(session.declarations.iter().map(|known| known.kind).collect::<Vec<_>>(), ["source", "set"]);
        assert_eq!(fails(&mut session, "CREATE SOURCE S (id INT) WITH (connector = 'generator', rows = '5');"), "");
        assert_eq!(session.declarations.len(), 2);
        assert_eq!(
            fails(&mut session, "CREATE SINK out WITH (connector = 'blackhole');\nINSERT INTO out SELECT id FROM s;"),
            ""
        );
    }

    #[test]
    fn errors_point_into_the_statement_that_was_typed() {
        let mut session = session();
        fails(&mut session, "CREATE SOURCE s (id BIGINT)\nWITH (connector = 'generator', rows = '5');");
        let said = fails(&mut session, "SELECT idd\nFROM s;");
        assert!(said.contains("<query>:1:8") && said.contains("did you mean id?"), "{said}");
        let said = fails(&mut session, "SET partitons = 2;");
        assert!(said.contains("<query>:1:5") && said.contains("did you mean partitions?"), "{said}");
        assert!(fails(&mut session, "SET partitions = 'many';").contains("<query>:1:18"));
        assert!(fails(&mut session, "CREATE SOURCE t (id NOTATYPE) WITH (connector = 'stdin');").contains(":1:"));
        assert_eq!(session.declarations.len(), 1, "what fails is not remembered");
        session.forget();
    }

    #[test]
    fn commands_are_suggested() {
        let mut session = session();
        assert!(fails(&mut session, ".tabels").contains("did you mean .tables?"));
        assert!(fails(&mut session, ".mode xml").contains("expected table, csv or json"));
        assert!(fails(&mut session, ".show s").contains("nothing is declared as s"));
        assert!(matches!(session.feed(".quit").pop(), Some(Ok(Told::End))));
    }
}
