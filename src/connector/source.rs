//! What a source's options say: which connector, and which splits it has.

use std::path::{Path, PathBuf};

use super::generator::Generator;
use super::glob;
use super::nexmark::Nexmark;
use super::shares::Shares;
use crate::batch::Decode;
use crate::error::{Error, Result, nearest};
use crate::types::{OptionEntry, Options, Schema};

/// The sources there are, by name.
const CONNECTORS: &[&str] = &["file", "stdin", "generator", "nexmark", "memory", "blackhole"];
/// Options of sources, apart from the generators', the format's, and those of what is done with records.
pub const SOURCE_OPTIONS: [OptionEntry; 3] = [
    OptionEntry::new(
        "connector",
        "file, stdin, generator, nexmark, memory, blackhole",
        "file, if there is a path",
        "Where records come from.",
    ),
    OptionEntry::new(
        "path",
        "a file, a pattern (*, ?, [a-z]), a directory, or -",
        "none",
        "Connector file: what is read, files in the order of their names; - is standard input.",
    ),
    OptionEntry::new(
        "table",
        "a name",
        "the name of the source",
        "Connector memory: what a program registered with Engine::register.",
    ),
];
/// Their names.
pub const SOURCE_KEYS: &[&str] = &OptionEntry::names(&SOURCE_OPTIONS);

/// Where records come from.
#[derive(Debug, Clone)]
pub enum SourceConnector {
    /// The files of a path, a pattern, or a directory.
    File {
        /// As written.
        path: String,
    },
    /// Standard input.
    Stdin,
    /// Made up, by rule.
    Generator(Box<Generator>),
    /// The events of the Nexmark benchmark.
    Nexmark(Box<Nexmark>),
    /// Record batches given by the library's user, registered under the source's name.
    Memory,
    /// Nothing, ever: an empty source.
    Blackhole,
}

/// Where the bytes of one split are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl SourceConnector {
    /// Takes the connector's keys out of `options`; `schema` is what a generator fills. Without `connector`, a `path`
    /// means files.
    pub fn take(options: &mut Options, schema: &Schema) -> Result<Self> {
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
                // `-` is what people write for standard input.
                Some(path) if path == "-" => Ok(Self::Stdin),
                Some(path) if !path.is_empty() => Ok(Self::File { path }),
                _ => Err(Error::Config("connector 'file' needs a path".into())),
            },
            "stdin" => Ok(Self::Stdin),
            "generator" => Ok(Self::Generator(Box::new(Generator::take(options, schema)?))),
            "nexmark" => Ok(Self::Nexmark(Box::new(Nexmark::take(options, schema)?))),
            "memory" => Ok(Self::Memory),
            "blackhole" => Ok(Self::Blackhole),
            _ => Err(unknown("source", &name, CONNECTORS)),
        }
    }

    /// The name in options.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Stdin => "stdin",
            Self::Generator(_) => "generator",
            Self::Nexmark(_) => "nexmark",
            Self::Memory => "memory",
            Self::Blackhole => "blackhole",
        }
    }

    /// The path as written, for files: its extension may tell the format.
    pub fn path(&self) -> Option<&str> {
        if let Self::File { path } = self { Some(path) } else { None }
    }

    /// Whether the input ends by itself.
    pub fn is_bounded(&self) -> bool {
        match self {
            Self::File { .. } | Self::Memory | Self::Blackhole => true,
            Self::Stdin => false,
            Self::Generator(_) | Self::Nexmark(_) => self.shares().is_some_and(|shares| shares.rows().is_some()),
        }
    }

    /// How many rows are made up, and in how many splits, for a connector that does so.
    pub fn shares(&self) -> Option<Shares> {
        match self {
            Self::Generator(generator) => Some(generator.shares()),
            Self::Nexmark(nexmark) => Some(nexmark.shares()),
            _ => None,
        }
    }

    /// A decoder of the columns at `projection`, for a connector that makes its rows up.
    pub fn maker(&self, projection: &[usize]) -> Option<Box<dyn Decode + Send>> {
        match self {
            Self::Generator(generator) => Some(Box::new(generator.decoder(projection))),
            Self::Nexmark(nexmark) => Some(Box::new(nexmark.decoder(projection))),
            _ => None,
        }
    }

    /// The places to read bytes from, in split order: files by name. `extensions` select the files of a directory; with
    /// none of them there, or with a pattern that matches nothing, this is an error. Empty for connectors without bytes.
    pub fn splits(&self, extensions: &[&str]) -> Result<Vec<Location>> {
        match self {
            Self::File { path } => Ok(files(path, extensions)?.into_iter().map(Location::File).collect()),
            Self::Stdin => Ok(vec![Location::Stdin]),
            Self::Generator(_) | Self::Nexmark(_) | Self::Memory | Self::Blackhole => Ok(Vec::new()),
        }
    }
}

/// The error for a connector that does not exist.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("valid connectors are {}", known.join(", ")),
    };
    Error::Config(format!("unknown {what} connector '{name}': {hint}"))
}

fn files(path: &str, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let plain = Path::new(path);
    // A file that is there under this very name wins over the pattern it could also be.
    if glob::has_wildcard(path) && !plain.exists() {
        let found = glob::expand(path)?;
        return if found.is_empty() { Err(Error::Data(format!("no file matches {path}"))) } else { Ok(found) };
    }
    let metadata = std::fs::metadata(plain).map_err(|error| Error::io("open", plain, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![plain.to_path_buf()]);
    }
    let is_wanted = |name: &str| {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        !name.starts_with('.') && extensions.iter().any(|known| known.eq_ignore_ascii_case(extension))
    };
    let entries = glob::entries(plain)?.into_iter();
    let found: Vec<PathBuf> = entries
        .filter(|(name, is_directory)| !is_directory && is_wanted(name))
        .map(|(name, _)| plain.join(name))
        .collect();
    if found.is_empty() {
        return Err(Error::Data(format!("directory {path} has no file that ends in .{}", extensions.join(", ."))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(pairs: &[(&str, &str)]) -> Result<SourceConnector> {
        let mut options = Options::new();
        for (key, value) in pairs {
            options.set(key, *value);
        }
        SourceConnector::take(&mut options, &Schema::default())
    }

    #[test]
    fn unknown_connectors_get_a_suggestion() {
        let error = take(&[("connector", "fiel")]).unwrap_err().to_string();
        assert!(error.contains("did you mean 'file'?"), "{error}");
        assert!(take(&[("connector", "file")]).unwrap_err().to_string().contains("needs a path"));
        assert_eq!(take(&[("path", "x.csv")]).unwrap().name(), "file");
    }

    #[test]
    fn a_directory_gives_its_files_by_name() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.CSV", "c.json"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let path = directory.path().display().to_string();
        let source = take(&[("path", &path)]).unwrap();
        let names: Vec<_> = source.splits(&["csv", "tsv"]).unwrap();
        let wanted = ["a.CSV", "b.csv"].map(|name| Location::File(directory.path().join(name)));
        assert_eq!(names, wanted);
        assert!(source.splits(&["parquet"]).is_err());
        assert!(take(&[("path", &format!("{path}/*.parquet"))]).unwrap().splits(&[]).is_err());
        let missing = take(&[("path", &format!("{path}/zzz.csv"))]).unwrap().splits(&[]).unwrap_err();
        assert!(matches!(missing, Error::Io { operation: "open", .. }), "{missing}");
    }
}
