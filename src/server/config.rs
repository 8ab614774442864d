//! The configuration file of a server: YAML, checked key by key.
//!
//! Promises: an unknown key is an error with its place and the key that was meant; values are checked before anything is
//! started; the environment is asked through a function that is passed in. Relative paths start at the file's directory.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::definition::Definition;
use super::schema::{JOB_KEYS, KEYS, OVERSUBSCRIBE};
use super::substitute::{Environment, substitute};
use crate::engine::{RunOptions, SETTINGS};
use crate::error::{Error, Result, Span, SqlError, nearest};
use crate::sys::parse_cpu_list;
use crate::types::Options;

/// Where a server listens unless told otherwise: this host only.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:7070";

/// What to do with a job for which too few cores are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Oversubscribe {
    /// It shares cores, and says so.
    #[default]
    Note,
    /// It is refused.
    Refuse,
}

/// A server's configuration, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What who changes something must show.
    pub token: Option<String>,
    /// Where the registry is kept.
    pub data_directory: PathBuf,
    /// Directories that jobs may use files in.
    pub roots: Vec<PathBuf>,
    /// Settings of jobs that say nothing themselves.
    pub runtime: Options,
    /// CPUs that jobs may share among them; `None` for all that the process may use.
    pub cores: Option<Vec<usize>>,
    /// What to do with a job for which too few cores are free.
    pub oversubscribe: Oversubscribe,
    /// Jobs to deploy.
    pub jobs: Vec<Definition>,
}

/// A key and what it stands under, for errors.
struct At<'a> {
    text: &'a str,
    path: Vec<String>,
}

impl At<'_> {
    fn key(&self, key: &str) -> At<'_> {
        At { text: self.text, path: [&self.path[..], &[key.to_string()]].concat() }
    }

    fn error(&self, message: impl AsRef<str>) -> Error {
        let name = self.path.join(".");
        let separator = if name.is_empty() { "" } else { ": " };
        SqlError::new(self.span(), format!("{name}{separator}{}", message.as_ref())).into()
    }

    /// The place of the last key: the keys of the path stand in the file one after another.
    fn span(&self) -> Span {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut line = 0;
        let mut span = Span::default();
        for key in &self.path {
            // The number of an item of a list: go on from its dash.
            if let Ok(item) = key.parse::<usize>() {
                let dashes = lines.iter().enumerate().skip(line).filter(|(_, l)| l.trim_start().starts_with("- "));
                line = dashes.map(|(number, _)| number).nth(item).unwrap_or(line);
                continue;
            }
            let bare =
                |text: &str| text.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']).to_string();
            let starts = |text: &str| {
                let rest =
                    bare(text).strip_prefix(key.as_str()).map(|rest| rest.trim_start_matches(['"', '\'']).to_string());
                rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
            };
            let Some(found) = (line..lines.len()).find(|&number| starts(lines[number])) else { break };
            line = found;
            let start = lines[found].find(key.as_str()).unwrap_or(0);
            let column = lines[found][..start].chars().count() as u32 + 1;
            let number = found as u32 + 1;
            span = Span { line: number, column, end_line: number, end_column: column + key.chars().count() as u32 };
        }
        span
    }

    fn unknown(&self, key: &str, known: &[&str]) -> Error {
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("keys here are {}", known.join(", ")),
        };
        let under = if self.path.is_empty() { String::new() } else { format!(" in {}", self.path.join(".")) };
        SqlError::new(self.key(key).span(), format!("unknown key {key}{under}")).with_help(hint).into()
    }
}

impl Config {
    /// Reads `text`, a file in `directory`. Errors with a place point into `text`.
    pub fn parse(text: &str, directory: &Path, environment: Environment<'_>) -> Result<Self> {
        let at = At { text, path: Vec::new() };
        let mut root = match read(text)? {
            Value::Null => Value::Object(Map::new()),
            root => root,
        };
        replace_variables(&mut root, &at, environment)?;
        let root = object(&root, &at)?;
        known(root, KEYS, &at)?;
        let get = |key: &str| root.get(key).filter(|value| !value.is_null()).map(|value| (value, at.key(key)));
        let text_of = |key: &str| get(key).map(|(value, at)| text_value(value, &at)).transpose();
        let listen = listen_address(&text_of("listen")?.unwrap_or_else(|| LISTEN_DEFAULT.into()), &at.key("listen"))?;
        let token = text_of("token")?;
        if token.as_ref().is_some_and(|token| token.trim().is_empty() || token.contains(char::is_whitespace)) {
            return Err(at.key("token").error("expected text without spaces; leave the key out for no token"));
        }
        if token.is_none() && !listen.ip().is_loopback() {
            return Err(at.key("listen").error(format!(
                "{listen} can be reached from other hosts, so a token is needed: add token: ${{CORELANE_TOKEN}}, or listen \
                 on {LISTEN_DEFAULT}"
            )));
        }
        let data_directory = directory.join(text_of("data_directory")?.unwrap_or_else(|| "corelane-data".into()));
        let roots = match get("roots") {
            Some((value, at)) => list(value, &at)?
                .iter()
                .map(|root| text_value(root, &at).map(|root| directory.join(root)))
                .collect::<Result<_>>()?,
            None => Vec::new(),
        };
        let (mut runtime, oversubscribe) = match get("runtime") {
            Some((value, at)) => runtime(object(value, &at)?, &at)?,
            None => Default::default(),
        };
        let cores = runtime.take("cores").map(|list| parse_cpu_list(&list)).transpose();
        let cores = cores.map_err(|error| at.key("runtime").key("cores").error(error.to_string()))?;
        let mut jobs: Vec<Definition> = Vec::new();
        if let Some((value, at)) = get("jobs") {
            for (number, value) in list(value, &at)?.iter().enumerate() {
                let at = at.key(&number.to_string());
                let job = job(object(value, &at)?, &at, directory)?;
                if jobs.iter().any(|other| other.name == job.name) {
                    return Err(at.key("name").error(format!("two jobs are called {}", job.name)));
                }
                jobs.push(job);
            }
        }
        Ok(Self { listen, token, data_directory, roots, runtime, cores, oversubscribe, jobs })
    }
}

/// YAML as a tree.
fn read(text: &str) -> Result<Value> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str::<Value>(text).map_err(|error| {
        let span = error.location().map_or(Span::default(), |location| {
            let (line, column) = (location.line() as u32, location.column() as u32);
            Span { line, column, end_line: line, end_column: column + 1 }
        });
        let message = error.without_snippet().to_string();
        SqlError::new(span, format!("not YAML: {}", message.lines().next().unwrap_or_default())).into()
    })
}

fn replace_variables(value: &mut Value, at: &At<'_>, environment: Environment<'_>) -> Result<()> {
    match value {
        Value::String(text) => *text = substitute(text, environment).map_err(|reason| at.error(reason))?,
        Value::Array(items) => {
            for (number, item) in items.iter_mut().enumerate() {
                replace_variables(item, &at.key(&number.to_string()), environment)?;
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries.iter_mut() {
                replace_variables(value, &at.key(key), environment)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn known(entries: &Map<String, Value>, keys: &[&str], at: &At<'_>) -> Result<()> {
    match entries.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(at.unknown(key, keys)),
        None => Ok(()),
    }
}

fn object<'v>(value: &'v Value, at: &At<'_>) -> Result<&'v Map<String, Value>> {
    value.as_object().ok_or_else(|| at.error(format!("expected keys with values, found {}", kind(value))))
}

fn list<'v>(value: &'v Value, at: &At<'_>) -> Result<&'v Vec<Value>> {
    value.as_array().ok_or_else(|| at.error(format!("expected a list, found {}", kind(value))))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "keys with values",
    }
}

fn text_value(value: &Value, at: &At<'_>) -> Result<String> {
    scalar(value).ok_or_else(|| at.error(format!("expected text, found {}", kind(value))))
}

/// Text, a number or a truth value as text: settings are read from text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn listen_address(text: &str, at: &At<'_>) -> Result<SocketAddr> {
    let addresses = text.to_socket_addrs().map_err(|error| {
        at.error(format!("expected an address with a port, as in {LISTEN_DEFAULT}; found {text} ({error})"))
    });
    addresses?.next().ok_or_else(|| at.error(format!("{text} has no address")))
}

fn runtime(entries: &Map<String, Value>, at: &At<'_>) -> Result<(Options, Oversubscribe)> {
    known(entries, &[SETTINGS, &[OVERSUBSCRIBE]].concat(), at)?;
    let mut options = Options::new();
    let mut oversubscribe = Oversubscribe::default();
    for (key, value) in entries {
        let at = at.key(key);
        let value = text_value(value, &at)?;
        if key != OVERSUBSCRIBE {
            options.set(key, value);
            RunOptions::from_settings(&mut options.clone()).map_err(|error| at.error(error.to_string()))?;
            continue;
        }
        oversubscribe = match value.as_str() {
            "note" => Oversubscribe::Note,
            "refuse" => Oversubscribe::Refuse,
            other => return Err(at.error(format!("expected note or refuse, found {other}"))),
        };
    }
    Ok((options, oversubscribe))
}

fn job(entries: &Map<String, Value>, at: &At<'_>, directory: &Path) -> Result<Definition> {
    known(entries, JOB_KEYS, at)?;
    let text = |key: &str| {
        let value = entries.get(key).filter(|value| !value.is_null());
        value.map(|value| text_value(value, &at.key(key))).transpose()
    };
    let name = text("name")?.ok_or_else(|| at.error("a job needs a name"))?;
    let sql = match (text("sql")?, text("file")?) {
        (Some(sql), None) => sql,
        (None, Some(file)) => {
            let path = directory.join(file);
            std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?
        }
        _ => return Err(at.error(format!("job {name} needs either sql or file"))),
    };
    let mut options = Options::new();
    if let Some(value) = entries.get("options").filter(|value| !value.is_null()) {
        let at = at.key("options");
        for (key, value) in object(value, &at)? {
            if !SETTINGS.contains(&key.to_ascii_lowercase().as_str()) {
                return Err(at.unknown(key, SETTINGS));
            }
            options.set(key, text_value(value, &at.key(key))?);
        }
    }
    let definition = Definition { name, sql, options };
    definition.check().map_err(|error| at.key("name").error(error.to_string()))?;
    Ok(definition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("/etc/corelane"), &|name| (name == "SECRET").then(|| "s3cret".to_string()))
    }

    fn refused(text: &str) -> String {
        match parse(text).unwrap_err() {
            Error::Sql(error) => error.render("c.yaml", text),
            other => other.to_string(),
        }
    }

    #[test]
    fn an_empty_file_is_a_server_for_this_host() {
        let config = parse("# nothing\n").unwrap();
        assert_eq!(config.listen.to_string(), LISTEN_DEFAULT);
        assert_eq!((config.token, config.jobs.len(), config.roots.len()), (None, 0, 0));
        assert_eq!(config.data_directory, Path::new("/etc/corelane/corelane-data"));
    }

    #[test]
    fn every_key_is_taken() {
        let config = parse(
            "listen: 0.0.0.0:8080\ntoken: ${SECRET}\ndata_directory: /var/lib/corelane\nroots: [/data, out]\n\
             runtime:\n  partitions: 2\n  cores: 0-1\n  memory_limit: 1GB\n  oversubscribe: refuse\n\
             jobs:\n  - name: a\n    sql: SELECT 1\n    options: {batch_rows: 100}\n",
        )
        .unwrap();
        assert_eq!((config.listen.port(), config.token.as_deref()), (8080, Some("s3cret")));
        assert_eq!(config.roots, [Path::new("/data"), Path::new("/etc/corelane/out")]);
        assert_eq!(config.runtime.iter().collect::<Vec<_>>(), [("partitions", "2"), ("memory_limit", "1GB")]);
        assert_eq!((config.cores, config.oversubscribe), (Some(vec![0, 1]), Oversubscribe::Refuse));
        assert_eq!(config.jobs[0].options.get("batch_rows"), Some("100"));
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let error = refused("token: x\nlisen: 127.0.0.1:1\n");
        assert!(error.contains("unknown key lisen") && error.contains("did you mean listen?"), "{error}");
        assert!(error.contains("c.yaml:2:1") && error.contains("^^^^^"), "{error}");
        let error = refused("runtime:\n  partition: 4\n");
        assert!(error.contains("unknown key partition in runtime") && error.contains("c.yaml:2:3"), "{error}");
        let error = refused("jobs:\n  - name: a\n    sql: SELECT 1\n  - nam: b\n");
        assert!(error.contains("did you mean name?") && error.contains("c.yaml:4:5"), "{error}");
        let error = refused("jobs:\n  - name: a\n    sql: x\n    options: {batch_row: 1}\n");
        assert!(error.contains("did you mean batch_rows?") && error.contains("c.yaml:4"), "{error}");
        assert!(refused("runtime:\n  wait: sleep\n").contains("spin, backoff or park"));
        assert!(refused("listen: nowhere\n").contains("address with a port"));
        assert!(refused("roots: /data\n").contains("expected a list, found text"));
        assert!(refused("token: ${NONE}\n").contains("no NONE"));
        assert!(refused("token: ''\n").contains("without spaces"));
        assert!(refused("a: [1\n").contains("not YAML"));
        assert!(refused("- a\n").contains("expected keys with values, found a list"));
        assert!(refused("token: a\ntoken: b\n").contains("not YAML"), "a key that is there twice");
        assert!(refused("jobs: [{name: a}]\n").contains("either sql or file"));
        assert!(refused("jobs: [{name: a, sql: b}, {name: a, sql: c}]\n").contains("two jobs are called a"));
        assert!(refused("jobs: [{name: 'a/b', sql: b}]\n").contains("letters"));
    }

    #[test]
    fn other_hosts_need_a_token() {
        assert!(refused("listen: 0.0.0.0:7070\n").contains("a token is needed"));
        assert!(parse("listen: '[::1]:7070'\n").is_ok());
        assert!(parse("listen: 0.0.0.0:7070\ntoken: abc\n").is_ok());
    }
}
