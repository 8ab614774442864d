//! Paths with wildcards: `*`, `?` and `[a-z]` within a name, `**` for any number of directories.
//!
//! Results are sorted by path, so that splits have the same numbers in every run. Names that start with a dot match only
//! a pattern that does too. Costs time linear in the directories looked at.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Whether the path has a wildcard.
pub(super) fn has_wildcard(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The part of a path before its first wildcard: every file that it can name is in there.
pub fn before_wildcards(path: &str) -> PathBuf {
    if Path::new(path).exists() {
        return PathBuf::from(path);
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    let plain = path.split('/').filter(|part| !part.is_empty()).take_while(|part| !has_wildcard(part));
    plain.fold(PathBuf::from(root), |directory, part| directory.join(part))
}

/// The files that match, sorted.
pub(super) fn expand(pattern: &str) -> Result<Vec<PathBuf>> {
    let root = if pattern.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let mut found = Vec::new();
    walk(&root, &parts, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(directory: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> Result<()> {
    let Some((part, rest)) = parts.split_first() else { return Ok(()) };
    if *part == "**" {
        walk(directory, rest, found)?;
        for (name, is_directory) in entries(directory)? {
            if is_directory && !name.starts_with('.') {
                walk(&directory.join(name), parts, found)?;
            }
        }
        return Ok(());
    }
    if !has_wildcard(part) {
        return visit(&directory.join(part), rest, found);
    }
    let pattern: Vec<char> = part.chars().collect();
    for (name, _) in entries(directory)? {
        let hidden = name.starts_with('.') && !part.starts_with('.');
        if !hidden && matches(&pattern, &name.chars().collect::<Vec<_>>()) {
            visit(&directory.join(name), rest, found)?;
        }
    }
    Ok(())
}

fn visit(path: &Path, rest: &[&str], found: &mut Vec<PathBuf>) -> Result<()> {
    if !rest.is_empty() {
        return if path.is_dir() { walk(path, rest, found) } else { Ok(()) };
    }
    if path.is_file() {
        found.push(path.to_path_buf());
    }
    Ok(())
}

/// Names in a directory and whether each is a directory. A directory that is not there has none.
pub(super) fn entries(directory: &Path) -> Result<Vec<(String, bool)>> {
    let listed = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let read = match std::fs::read_dir(listed) {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", listed, &error)),
    };
    let mut names = Vec::new();
    for entry in read {
        let entry = entry.map_err(|error| Error::io("list", listed, &error))?;
        // Links count as what they point at. Names that are not text cannot be written in a pattern.
        if let Ok(name) = entry.file_name().into_string() {
            names.push((name, entry.path().is_dir()));
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a name matches a pattern. On a mismatch it goes back to the last `*` only, so the time is at most the product of
/// the lengths.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(&pattern[p..], name[n]),
            Some(c) => (*c == name[n]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The length of the class at the front of `pattern` if `c` is in it. A class that is never closed is a plain bracket.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let first = if negated { 2 } else { 1 };
    // A bracket right after the opening one is a member.
    let Some(close) = (first + 1..pattern.len()).find(|&i| pattern[i] == ']') else {
        return (c == '[').then_some(1);
    };
    let members = &pattern[first..close];
    let mut found = false;
    let mut i = 0;
    while i < members.len() {
        if i + 2 < members.len() && members[i + 1] == '-' {
            found |= (members[i]..=members[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= members[i] == c;
            i += 1;
        }
    }
    (found != negated).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match() {
        let cases = [
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.gz", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("t?.csv", "t1.csv", true),
            ("t?.csv", "t12.csv", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[ab", "[ab", true),
            ("*", "", true),
            ("", "a", false),
        ];
        for (pattern, name, wanted) in cases {
            let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            assert_eq!(matches(&p, &n), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn files_come_sorted_and_hidden_ones_stay_hidden() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", ".c.csv", "sub/d.csv", "x.txt"] {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let names = |pattern: &str| {
            let full = format!("{}/{pattern}", directory.path().display());
            let found = expand(&full).unwrap();
            found.iter().map(|p| p.strip_prefix(directory.path()).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names("*.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names("**/*.csv"), ["a.csv", "b.csv", "sub/d.csv"]);
        assert_eq!(names("s*/?.csv"), ["sub/d.csv"]);
        assert_eq!(names("nowhere/*.csv"), Vec::<String>::new());
    }
}
