//! `--stats-json`: the reports of a run as one JSON document.

use std::io::Write;
use std::path::Path;

use crate::connector::{Output, Sink, SinkConnector};
use crate::engine::JobReport;
use crate::error::{Error, Result};

/// Where the reports go.
pub(super) enum StatsTarget {
    /// Nowhere.
    None,
    /// Standard output.
    Stdout,
    /// A file that appears when the report is complete.
    File(Box<dyn Output>),
}

impl StatsTarget {
    /// Opens `path` before the job starts: a run of hours should not end with a path that cannot be written. A run that
    /// fails has no report and leaves the file of an earlier one alone.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        match path {
            None => Ok(Self::None),
            Some(path) if path == Path::new("-") => Ok(Self::Stdout),
            Some(path) => {
                let text = path.to_str();
                let text = text.ok_or_else(|| Error::Config(format!("{} is not a UTF-8 path", path.display())))?;
                match (SinkConnector::File { path: text.into() }).open()? {
                    Sink::Bytes(output) => Ok(Self::File(output)),
                    Sink::Batches(_) | Sink::Blackhole => Ok(Self::None),
                }
            }
        }
    }

    /// Writes one object for one job, an array for several.
    pub(super) fn write(self, reports: &[JobReport]) -> Result<()> {
        let text = match reports {
            [report] => serde_json::to_string_pretty(report),
            reports => serde_json::to_string_pretty(reports),
        };
        let mut text = text.expect("a report is numbers, strings and lists of them");
        text.push('\n');
        self.write_text(&text)
    }

    /// Writes a document that is text already.
    pub(super) fn write_text(self, text: &str) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Stdout => write_stdout(text),
            Self::File(output) => {
                let written = output.writer()?.write_all(text.as_bytes());
                written.map_err(|error| Error::io("write", output.name(), &error))?;
                output.commit()
            }
        }
    }
}

/// Writes `text` to standard output, all of it.
pub(super) fn write_stdout(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Error::io("write", "standard output", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reports: &[JobReport]) -> serde_json::Value {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stats.json");
        StatsTarget::open(Some(&path)).unwrap().write(reports).unwrap();
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
    }

    #[test]
    fn one_job_is_an_object_and_several_are_an_array() {
        let report = JobReport { records_read: 7, ..JobReport::default() };
        assert_eq!(written(std::slice::from_ref(&report))["records_read"], 7);
        assert_eq!(written(&[report.clone(), report])[1]["records_read"], 7);
    }

    #[test]
    fn a_path_that_cannot_be_written_fails_before_the_run() {
        let error = StatsTarget::open(Some(Path::new("/nonexistent/stats.json"))).err().unwrap();
        assert_eq!(error.to_string(), "cannot create /nonexistent/stats.json: no such file or directory");
    }
}
