//! `--stats-json`: the reports of a run as one JSON document.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::engine::JobReport;
use crate::error::{Error, Result};

/// Where the reports go.
#[derive(Debug)]
pub(super) enum StatsTarget {
    /// Nowhere.
    None,
    /// Standard output.
    Stdout,
    /// A file, open for writing.
    File(PathBuf, File),
}

impl StatsTarget {
    /// Opens `path` before the job starts: a run of hours should not end with a path that cannot be written, and the
    /// report of an earlier run should not pass for this one's.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        match path {
            None => Ok(Self::None),
            Some(path) if path == Path::new("-") => Ok(Self::Stdout),
            Some(path) => {
                let file = File::create(path).map_err(|error| Error::io("create", path, &error))?;
                Ok(Self::File(path.to_path_buf(), file))
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
        match self {
            Self::None => Ok(()),
            Self::Stdout => write_stdout(&text),
            Self::File(path, mut file) => {
                file.write_all(text.as_bytes()).map_err(|error| Error::io("write", path, &error))
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
        let error = StatsTarget::open(Some(Path::new("/nonexistent/stats.json"))).unwrap_err();
        assert_eq!(error.to_string(), "cannot create /nonexistent/stats.json: no such file or directory");
    }
}
