//! Where results go. Files appear whole or not at all.
//!
//! A file sink writes to `.name.tmp-<pid>` beside the target; [`Output::commit`] syncs it, renames it over the target and
//! syncs the directory. Dropping the sink without commit removes the temporary and leaves an existing target untouched. What
//! can be known to fail (no such directory, no permission, the target is a directory) fails at open, before input is read.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;

use super::source::unknown;
use crate::error::{Error, Result};
use crate::types::{OptionEntry, Options};

/// The sinks there are, by name.
const CONNECTORS: &[&str] = &["file", "stdout", "memory", "blackhole"];
/// Options of sinks, apart from the format's.
pub const SINK_OPTIONS: [OptionEntry; 2] = [
    OptionEntry::new("connector", "file, stdout, memory, blackhole", "file, if there is a path", "Where rows go."),
    OptionEntry::new(
        "path",
        "a file, or -",
        "none",
        "Connector file: what is written; it appears whole at the end, or not at all. - is standard output.",
    ),
];
/// Their names.
pub const SINK_KEYS: &[&str] = &OptionEntry::names(&SINK_OPTIONS);

/// A place for bytes, which counts only once it is committed. Dropping it without commit is an abort.
///
/// The stream is asked for apart from the output, because an encoder owns the stream while the output decides its fate.
pub trait Output: Send {
    /// What errors call it: the path, `stdout`.
    fn name(&self) -> &str;

    /// The stream to write to: unbuffered, so that bytes written are out of the process. Ask for it once.
    fn writer(&self) -> Result<Box<dyn Write + Send>>;

    /// Makes everything written visible and durable. The writer must have been flushed and dropped.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// What a job writes to.
pub enum Sink {
    /// Bytes: put an encoder before it.
    Bytes(Box<dyn Output>),
    /// Record batches, kept.
    Batches(MemorySink),
    /// Nothing is kept and nothing encoded.
    Blackhole,
}

/// Where results go, by option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkConnector {
    /// A file.
    File {
        /// As written.
        path: String,
    },
    /// Standard output.
    Stdout,
    /// Batches kept for the library's user.
    Memory,
    /// Nowhere.
    Blackhole {
        /// A format was named: encode, then count the bytes.
        encode: bool,
    },
}

impl SinkConnector {
    /// Takes the connector's keys out of `options`. Without `connector`, a `path` means a file.
    pub fn take(options: &mut Options) -> Result<Self> {
        let name = match options.take("connector") {
            Some(name) => name.to_ascii_lowercase(),
            None if options.get("path").is_some() => "file".into(),
            None => {
                return Err(Error::Config(format!(
                    "no connector given: valid connectors are {}",
                    CONNECTORS.join(", ")
                )));
            }
        };
        match name.as_str() {
            "file" => match options.take("path") {
                Some(path) if path == "-" => Ok(Self::Stdout),
                Some(path) if !path.is_empty() => Ok(Self::File { path }),
                _ => Err(Error::Config("connector 'file' needs a path".into())),
            },
            "stdout" => Ok(Self::Stdout),
            "memory" => Ok(Self::Memory),
            "blackhole" => Ok(Self::Blackhole { encode: options.get("format").is_some() }),
            _ => Err(unknown("sink", &name, CONNECTORS)),
        }
    }

    /// The path as written, for files: its extension may tell the format.
    pub fn path(&self) -> Option<&str> {
        if let Self::File { path } = self { Some(path) } else { None }
    }

    /// Whether records leave as bytes, so that a format is needed.
    pub fn needs_format(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Stdout | Self::Blackhole { encode: true })
    }

    /// Opens the sink. Call it before any input is read.
    pub fn open(&self) -> Result<Sink> {
        Ok(match self {
            Self::File { path } => Sink::Bytes(open_file(Path::new(path))?),
            Self::Stdout => Sink::Bytes(Box::new(Stdout)),
            Self::Memory => Sink::Batches(MemorySink::default()),
            Self::Blackhole { encode: true } => Sink::Bytes(Box::new(Blackhole)),
            Self::Blackhole { encode: false } => Sink::Blackhole,
        })
    }
}

/// Record batches, kept for the library's user.
#[derive(Debug, Default)]
pub struct MemorySink {
    batches: Vec<RecordBatch>,
}

impl MemorySink {
    /// Keeps a batch.
    pub fn push(&mut self, batch: RecordBatch) {
        self.batches.push(batch);
    }

    /// Everything that was kept, in order.
    pub fn into_batches(self) -> Vec<RecordBatch> {
        self.batches
    }
}

/// Bytes that go nowhere.
#[derive(Debug, Default, Clone, Copy)]
pub struct Blackhole;

impl Output for Blackhole {
    fn name(&self) -> &str {
        "blackhole"
    }

    fn writer(&self) -> Result<Box<dyn Write + Send>> {
        Ok(Box::new(std::io::sink()))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Standard output. There is nothing to commit: what is written is gone.
struct Stdout;

impl Output for Stdout {
    fn name(&self) -> &str {
        "stdout"
    }

    fn writer(&self) -> Result<Box<dyn Write + Send>> {
        // A descriptor of our own: the standard library's handle would look for line ends in every buffer.
        let descriptor = std::io::stdout().as_fd().try_clone_to_owned();
        Ok(Box::new(File::from(descriptor.map_err(|error| Error::io("open", "stdout", &error))?)))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Opens a file to be written; devices and pipes, which cannot be replaced, are written to directly.
pub(super) fn open_file(path: &Path) -> Result<Box<dyn Output>> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io("open", path, &error)),
    };
    if let Some(metadata) = &metadata {
        if metadata.is_dir() {
            return Err(Error::io("write", path, &std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        }
        let existing = OpenOptions::new().write(true).open(path).map_err(|error| Error::io("open", path, &error))?;
        if !metadata.is_file() {
            return Ok(Box::new(Device { file: existing, name: path.display().to_string() }));
        }
    }
    Ok(Box::new(NewFile::create(path, metadata.map(|metadata| metadata.permissions()))?))
}

/// A device or named pipe.
struct Device {
    file: File,
    name: String,
}

impl Output for Device {
    fn name(&self) -> &str {
        &self.name
    }

    fn writer(&self) -> Result<Box<dyn Write + Send>> {
        Ok(Box::new(self.file.try_clone().map_err(|error| Error::io("open", &self.name, &error))?))
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// A file that becomes visible at commit.
struct NewFile {
    name: String,
    /// The target, links resolved: renaming must replace the file, not the link to it.
    target: PathBuf,
    directory: PathBuf,
    temporary: PathBuf,
    file: File,
    committed: bool,
}

impl NewFile {
    fn create(path: &Path, permissions: Option<std::fs::Permissions>) -> Result<Self> {
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let Some(file_name) = target.file_name() else {
            return Err(Error::io("write", path, &std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        };
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(file_name);
        hidden.push(format!(".tmp-{}", std::process::id()));
        let temporary = directory.join(hidden);
        // Truncated, not "must be new": a crashed run with the same process id may have left one.
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary);
        // The user knows the target, not the temporary.
        let file = file.map_err(|error| Error::io("create", path, &error))?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions).map_err(|error| Error::io("create", path, &error))?;
        }
        Ok(Self { name: path.display().to_string(), target, directory, temporary, file, committed: false })
    }
}

impl Output for NewFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn writer(&self) -> Result<Box<dyn Write + Send>> {
        Ok(Box::new(self.file.try_clone().map_err(|error| Error::io("open", &self.name, &error))?))
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.file.sync_all().map_err(|error| Error::io("sync", &self.name, &error))?;
        std::fs::rename(&self.temporary, &self.target).map_err(|error| Error::io("rename", &self.name, &error))?;
        self.committed = true;
        // The rename itself is durable once the directory is.
        let directory = File::open(&self.directory).and_then(|directory| directory.sync_all());
        directory.map_err(|error| Error::io("sync", &self.directory, &error))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing more can be done about a temporary that cannot be removed.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Until commit the old file stands; after it the new one; an abort leaves no trace.
    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        std::fs::write(&path, "old").unwrap();
        for commit in [false, true] {
            let output = open_file(&path).unwrap();
            let mut writer = output.writer().unwrap();
            writer.write_all(b"new").unwrap();
            drop(writer);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
            assert_eq!(names(directory.path()).len(), 2);
            if commit {
                output.commit().unwrap()
            } else {
                drop(output)
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), if commit { "new" } else { "old" });
            assert_eq!(names(directory.path()), ["out.csv"]);
        }
    }

    #[test]
    fn what_cannot_work_fails_at_open() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path().join("no/such/out.csv"), directory.path().to_path_buf()] {
            let error = open_file(&path).err().unwrap();
            assert!(matches!(error, Error::Io { .. }), "{error}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn devices_are_written_in_place_and_links_are_followed() {
        open_file(Path::new("/dev/null")).unwrap().commit().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let output = open_file(&link).unwrap();
        output.writer().unwrap().write_all(b"new").unwrap();
        output.commit().unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
    }

    #[test]
    fn full_disks_and_unknown_names_are_told() {
        let output = open_file(Path::new("/dev/full")).unwrap();
        let error = output.writer().unwrap().write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        let mut options = Options::new();
        options.set("connector", "stdot");
        let error = SinkConnector::take(&mut options).unwrap_err().to_string();
        assert!(error.contains("did you mean 'stdout'?"), "{error}");
    }
}
