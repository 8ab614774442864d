//! What the jobs of a script may not do to each other: read one stream twice, or write one file twice.
//!
//! A file sink replaces its target as a whole, so of two jobs that write one file the first would have worked for nothing;
//! and of two that read standard input the second would find it at its end. Both are refused before anything runs.

use std::path::{Path, PathBuf};

use crate::connector::{SinkConnector, SourceConnector};
use crate::error::{Error, Result, nearest};
use crate::plan::{JobPlan, SinkDefinition, SourceDefinition};
use crate::types::{Options, Schema};

/// Refuses a script whose jobs would get in each other's way.
pub(super) fn check(jobs: &[JobPlan]) -> Result<()> {
    let mut targets: Vec<(PathBuf, String)> = Vec::new();
    let mut stdin_reader: Option<&str> = None;
    for job in jobs {
        for source in job.plan.sources().filter(|source| is_stdin(source)) {
            if let Some(first) = stdin_reader.replace(&source.name) {
                return Err(Error::Config(format!(
                    "standard input can be read once, and jobs read {first} and {} from it: write it to a file first",
                    source.name
                )));
            }
        }
        let sink = format!("sink {}", job.sink.name);
        let late = job.settings.get("late_sink").map(|name| declared_sink(job, name)).transpose()?;
        let late_name = late.map_or(String::new(), |late| format!("late_sink {}", late.name));
        let targets_of_job =
            [(sink_path(&job.sink.options), sink), (late.and_then(|late| sink_path(&late.options)), late_name)];
        let mut letters: Vec<(Option<String>, String)> = Vec::new();
        for source in job.plan.sources() {
            let letter = (letter_path(&source.options), format!("dead_letter_path of source {}", source.name));
            letters.push(letter);
        }
        for (path, what) in targets_of_job.into_iter().chain(letters) {
            let Some(target) = path.and_then(|path| replaceable(Path::new(&path))) else { continue };
            if let Some((_, other)) = targets.iter().find(|(path, _)| *path == target) {
                return Err(Error::Config(format!(
                    "{} is written twice, for {other} and for {what}: what comes last would replace the rest; \
                     give each job a path of its own",
                    target.display()
                )));
            }
            targets.push((target, what));
        }
    }
    Ok(())
}

/// The sink of that name, as the script declares it.
pub(super) fn declared_sink<'j>(job: &'j JobPlan, name: &str) -> Result<&'j SinkDefinition> {
    let found = job.sinks.iter().find(|sink| sink.name.eq_ignore_ascii_case(name.trim()));
    found.ok_or_else(|| {
        let hint = match nearest(name.trim(), job.sinks.iter().map(|sink| sink.name.as_str())) {
            Some(near) => format!("did you mean {near}?"),
            None => "declare it before the query: CREATE SINK name WITH (connector = 'file', path = 'late.csv')".into(),
        };
        Error::Config(format!("late_sink = '{name}': no sink of that name is declared; {hint}"))
    })
}

/// Whether the job reads standard input.
pub fn reads_stdin(job: &JobPlan) -> bool {
    job.plan.sources().any(is_stdin)
}

fn is_stdin(source: &SourceDefinition) -> bool {
    matches!(SourceConnector::take(&mut source.options.clone(), &Schema::default()), Ok(SourceConnector::Stdin))
}

fn sink_path(options: &Options) -> Option<String> {
    match SinkConnector::take(&mut options.clone()) {
        Ok(SinkConnector::File { path }) => Some(path),
        _ => None,
    }
}

fn letter_path(options: &Options) -> Option<String> {
    options.get("dead_letter_path").map(str::to_string)
}

/// One name for one file, links and relative paths resolved; `None` for devices and pipes, which take any number of
/// writers.
fn replaceable(path: &Path) -> Option<PathBuf> {
    if let Ok(metadata) = std::fs::metadata(path) {
        return if metadata.is_file() { std::fs::canonicalize(path).ok() } else { None };
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = std::fs::canonicalize(parent).ok()?;
    Some(parent.join(path.file_name()?))
}
