//! The registry of jobs on disk: what runs again after the server ends, whatever ended it.
//!
//! One JSON document, `jobs.json`, written to a temporary file, synced, and renamed over the last one: a crash at any
//! moment leaves the one or the other. It holds SQL and options, which may hold secrets, so only its owner may read it.
//! A lock keeps a second server out of the directory.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::definition::Definition;
use crate::error::{Error, Result};
use crate::types::Options;

const VERSION: u32 = 1;

/// How a job stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Recorded {
    Running,
    Paused,
    Finished,
    Failed,
}

/// What is kept of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) options: BTreeMap<String, String>,
    /// Whether the configuration file asks for it.
    pub(super) from_config: bool,
    pub(super) deployed_at_us: i64,
    pub(super) state: Recorded,
    /// Of a job that finished.
    pub(super) report: Option<Value>,
    /// Of a job that failed.
    pub(super) error: Option<String>,
}

impl Record {
    pub(super) fn definition(&self) -> Definition {
        let mut options = Options::new();
        self.options.iter().for_each(|(key, value)| options.set(key, value));
        Definition { name: self.name.clone(), sql: self.sql.clone(), options }
    }
}

/// All that is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Records {
    version: u32,
    /// Whether the server that wrote this ended in good order.
    pub(super) clean: bool,
    pub(super) jobs: Vec<Record>,
}

impl Records {
    pub(super) fn new(clean: bool, jobs: Vec<Record>) -> Self {
        Self { version: VERSION, clean, jobs }
    }
}

/// The directory of the registry, which this server has for itself.
#[derive(Debug)]
pub(super) struct Registry {
    directory: PathBuf,
    _lock: File,
}

impl Registry {
    /// Makes the directory if need be, and locks it.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory).map_err(|error| Error::io("make", directory, &error))?;
        let path = directory.join("lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = opened.map_err(|error| Error::io("open", &path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: directory.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Config(format!(
                "another server uses {}: give each its own data_directory",
                directory.display()
            ))),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path, &error)),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("jobs.json")
    }

    /// What was kept; nothing if nothing was.
    pub(super) fn load(&self) -> Result<Records> {
        let path = self.path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Records::new(true, Vec::new())),
            Err(error) => return Err(Error::io("read", &path, &error)),
        };
        let unusable = |reason: String| {
            let path = path.display();
            Error::Data(format!("{path} is no registry of jobs: {reason}; move it away to start without jobs"))
        };
        let records: Records = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
        match records.version {
            VERSION => Ok(records),
            other => Err(unusable(format!("it is of version {other}, this server knows version {VERSION}"))),
        }
    }

    /// Keeps `records` instead of what was kept. They are on the disk when this returns.
    pub(super) fn save(&self, records: &Records) -> Result<()> {
        let (path, temporary) = (self.path(), self.directory.join(".jobs.json.tmp"));
        let failed = |operation| {
            let temporary = temporary.clone();
            move |error: std::io::Error| Error::io(operation, temporary.clone(), &error)
        };
        let text = serde_json::to_vec_pretty(records).map_err(|error| Error::Data(error.to_string()))?;
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary);
        let mut file = opened.map_err(failed("open"))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed("write"))?;
        std::fs::rename(&temporary, &path).map_err(|error| Error::io("rename", &path, &error))?;
        let directory = File::open(&self.directory).and_then(|directory| directory.sync_all());
        directory.map_err(|error| Error::io("sync", &self.directory, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Record {
        Record {
            name: name.into(),
            sql: "SELECT 1".into(),
            options: [("partitions".to_string(), "1".to_string())].into(),
            from_config: false,
            deployed_at_us: 7,
            state: Recorded::Paused,
            report: None,
            error: None,
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::open(&directory.path().join("a/b")).unwrap();
        assert_eq!(registry.load().unwrap(), Records::new(true, Vec::new()));
        let records = Records::new(false, vec![record("a"), record("b")]);
        registry.save(&records).unwrap();
        assert_eq!(registry.load().unwrap(), records);
        assert_eq!(records.jobs[0].definition().options.get("partitions"), Some("1"));
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(registry.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn one_server_has_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let first = Registry::open(directory.path()).unwrap();
        assert!(Registry::open(directory.path()).unwrap_err().to_string().contains("another server"));
        drop(first);
        assert!(Registry::open(directory.path()).is_ok());
    }

    #[test]
    fn a_broken_registry_is_told_not_thrown_away() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::open(directory.path()).unwrap();
        for text in ["", "{", "[]", r#"{"version": 9, "clean": true, "jobs": []}"#] {
            std::fs::write(registry.path(), text).unwrap();
            assert!(registry.load().unwrap_err().to_string().contains("no registry of jobs"), "{text}");
        }
    }
}
