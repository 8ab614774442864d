//! What the splits of a source are called, and where in the input their records stand.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::types::SplitId;

/// One split, as users know it.
#[derive(Debug, Default)]
struct SplitName {
    /// File or stream.
    name: String,
    /// For a part of a text file whose first line is not known: the file, and where the part starts.
    part: Option<(PathBuf, u64)>,
    /// Lines of the file before that part; counted when the first record of it is to be named.
    lines_before: OnceLock<u64>,
}

/// The splits of one source. Clones share what was counted.
#[derive(Debug, Clone, Default)]
pub(super) struct SplitNames(Arc<Vec<SplitName>>);

impl SplitNames {
    /// From the name of each split and, for a part of a file that does not know its first line, where it starts.
    pub(super) fn new(splits: impl Iterator<Item = (String, Option<(PathBuf, u64)>)>) -> Self {
        let named = |(name, part)| SplitName { name, part, lines_before: OnceLock::new() };
        Self(Arc::new(splits.map(named).collect()))
    }

    /// What to call a split among the others.
    pub(super) fn name(&self, split: SplitId) -> String {
        let Some(SplitName { name, .. }) = self.0.get(split.0 as usize) else { return String::new() };
        match self.0.iter().filter(|other| other.name == *name).count() {
            1 => name.clone(),
            splits => format!("{name}, split {} of {splits}", split.0 + 1),
        }
    }

    /// The file or stream of a record and its line there. The lines before a part are counted at the first record asked
    /// for, because most inputs have none that fails and reading is faster without the count.
    pub(super) fn place(&self, split: SplitId, record: u64) -> (&str, u64) {
        let Some(split) = self.0.get(split.0 as usize) else { return ("", record) };
        let before = match &split.part {
            None => 0,
            // A file that cannot be read again keeps the number within its part.
            Some((path, start)) => *split.lines_before.get_or_init(|| newlines(path, *start).unwrap_or(0)),
        };
        (&split.name, record + before)
    }
}

/// Newlines in the first `length` bytes of a file.
fn newlines(path: &Path, length: u64) -> std::io::Result<u64> {
    let mut file = File::open(path)?.take(length);
    let mut buffer = vec![0; 256 << 10];
    let mut count = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(count),
            bytes => count += memchr::memchr_iter(b'\n', &buffer[..bytes]).count() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_a_part_are_numbered_from_the_front_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.jsonl");
        std::fs::write(&path, "{}\n{}\n\n{}\n{}\n").unwrap();
        let parts = [("a".to_string(), None), ("b".to_string(), Some((path, 7)))];
        let names = SplitNames::new(parts.into_iter());
        assert_eq!(names.place(SplitId(0), 2), ("a", 2));
        assert_eq!(names.place(SplitId(1), 1), ("b", 4));
        assert_eq!(names.place(SplitId(2), 9), ("", 9));
    }
}
