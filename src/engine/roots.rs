//! The directories that jobs may read and write in, where others than the host's owner may say what runs.
//!
//! A path counts as what it leads to: `..` and links are resolved before it is compared. A path outside is refused in the
//! same words whether or not something is there. Not a sandbox: who may change links inside of a root while a job starts can
//! lead it elsewhere.

use std::path::{Component, Path, PathBuf};

use crate::connector::{SinkConnector, SourceConnector, before_wildcards};
use crate::error::{Error, Result};
use crate::plan::{JobPlan, SinkDefinition};
use crate::types::Options;

/// Directories, resolved. Without any, no file may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots(Vec<PathBuf>);

impl Roots {
    /// These directories, which must be there.
    pub fn new(directories: &[PathBuf]) -> Result<Self> {
        let resolve = |directory: &PathBuf| match std::fs::canonicalize(directory) {
            Ok(path) if path.is_dir() => Ok(path),
            Ok(_) => Err(Error::Config(format!("roots: {} is not a directory", directory.display()))),
            Err(error) => Err(Error::io("open", directory, &error)),
        };
        Ok(Self(directories.iter().map(resolve).collect::<Result<_>>()?))
    }

    /// Refuses a path that leads outside.
    pub(super) fn admit(&self, path: &Path) -> Result<()> {
        match resolve(path) {
            Some(resolved) if self.0.iter().any(|root| resolved.starts_with(root)) => Ok(()),
            _ => Err(self.outside(path)),
        }
    }

    fn outside(&self, path: &Path) -> Error {
        let allowed: Vec<String> = self.0.iter().map(|root| root.display().to_string()).collect();
        let allowed = match allowed.len() {
            0 => "no roots are configured, so jobs may use no files".into(),
            _ => format!("jobs may use files in {}", allowed.join(", ")),
        };
        Error::Config(format!("{} is outside of the roots: {allowed}", path.display()))
    }

    /// Refuses a source that leads outside. Files that a pattern finds are looked at one by one later.
    pub(super) fn admit_source(&self, connector: &SourceConnector, dead_letters: Option<&str>) -> Result<()> {
        match connector {
            SourceConnector::File { path } => self.admit(&before_wildcards(path))?,
            SourceConnector::Stdin => {
                return Err(Error::Config("a job here has no standard input: read a file or a generator".into()));
            }
            _ => {}
        }
        dead_letters.map_or(Ok(()), |path| self.admit(Path::new(path)))
    }

    /// Refuses a job with a sink that leads outside.
    pub(super) fn admit_sinks(&self, job: &JobPlan) -> Result<()> {
        self.admit_sink(&job.sink)?;
        let late = job
            .settings
            .get("late_sink")
            .and_then(|name| job.sinks.iter().find(|sink| sink.name.eq_ignore_ascii_case(name.trim())));
        late.map_or(Ok(()), |late| self.admit_sink(late))
    }

    /// Refuses a sink that leads outside.
    pub(super) fn admit_sink(&self, sink: &SinkDefinition) -> Result<()> {
        match connector_of(&sink.options)? {
            SinkConnector::File { path } => self.admit(Path::new(&path)),
            SinkConnector::Stdout => Err(Error::Config(format!(
                "sink {}: a job here has no standard output: use INSERT INTO a declared sink",
                sink.name
            ))),
            SinkConnector::Memory => Err(Error::Config(format!(
                "sink {}: connector 'memory' is for programs that embed the engine: use 'file' or 'blackhole'",
                sink.name
            ))),
            SinkConnector::Blackhole { .. } => Ok(()),
        }
    }
}

fn connector_of(options: &Options) -> Result<SinkConnector> {
    SinkConnector::take(&mut options.clone())
}

/// What a path leads to, or would if it were there. `None` if that cannot be said: a link to nowhere, `..` behind what is
/// not there.
fn resolve(path: &Path) -> Option<PathBuf> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    if let Ok(resolved) = std::fs::canonicalize(path) {
        return Some(resolved);
    }
    if std::fs::symlink_metadata(path).is_ok() {
        return None;
    }
    match path.components().next_back()? {
        Component::Normal(name) => Some(resolve(path.parent()?)?.join(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_as_what_they_lead_to() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path();
        std::fs::create_dir_all(base.join("root/inner")).unwrap();
        std::fs::create_dir(base.join("root-like")).unwrap();
        std::fs::write(base.join("secret.csv"), "a\n1\n").unwrap();
        std::os::unix::fs::symlink(base.join("secret.csv"), base.join("root/link.csv")).unwrap();
        std::os::unix::fs::symlink(base, base.join("root/up")).unwrap();
        std::os::unix::fs::symlink(base.join("nowhere"), base.join("root/dangling")).unwrap();
        let roots = Roots::new(&[base.join("root")]).unwrap();
        let admitted = |path: &str| roots.admit(&base.join(path)).is_ok();
        for inside in ["root", "root/a.csv", "root/inner/../b.csv", "root/new/deep/c.csv", "root/up/root/a.csv"] {
            assert!(admitted(inside), "{inside}");
        }
        for outside in [
            "secret.csv",
            "root/../secret.csv",
            "root/link.csv",
            "root/up/secret.csv",
            "root/dangling",
            "root/nothing/../../secret.csv",
            "root-like/a.csv",
        ] {
            assert!(!admitted(outside), "{outside}");
        }
        assert!(roots.admit(Path::new("/dev/stdin")).is_err());
        assert!(Roots::default().admit(&base.join("root")).unwrap_err().to_string().contains("no roots"));
        assert!(Roots::new(&[base.join("nowhere")]).is_err());
    }
}
