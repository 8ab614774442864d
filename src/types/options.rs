//! The key-value options of WITH, SET and function calls, kept in the order written.

use crate::error::{Error, Result, nearest};

/// One option as users see it: who reads options declares theirs in tables of these, from which the messages, the help
/// and `corelane options` are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionEntry {
    /// Name, in lower case.
    pub name: &'static str,
    /// The values it takes.
    pub values: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
}

impl OptionEntry {
    /// An entry.
    pub const fn new(name: &'static str, values: &'static str, default: &'static str, about: &'static str) -> Self {
        Self { name, values, default, about }
    }

    /// The names of a table's entries.
    pub const fn names<const N: usize>(entries: &[Self; N]) -> [&'static str; N] {
        let mut names = [""; N];
        let mut i = 0;
        while i < N {
            names[i] = entries[i].name;
            i += 1;
        }
        names
    }
}

/// Options as written: keys in lower case, values as text. The reader of an option takes it out; what is left over at
/// the end is unknown, and [`Options::finish`] says so with a suggestion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    entries: Vec<(String, String)>,
}

impl Options {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key`, replacing an earlier value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        let key = key.to_ascii_lowercase();
        match self.entries.iter_mut().find(|(k, _)| *k == key) {
            Some((_, v)) => *v = value.into(),
            None => self.entries.push((key, value.into())),
        }
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Takes the value of `key` out.
    pub fn take(&mut self, key: &str) -> Option<String> {
        let index = self.entries.iter().position(|(k, _)| k == key)?;
        Some(self.entries.remove(index).1)
    }

    /// Takes `key` out and parses it; `wanted` says in an error what would be valid ("a whole number of rows").
    pub fn take_parsed<T: std::str::FromStr>(&mut self, key: &str, wanted: &str) -> Result<Option<T>> {
        let Some(text) = self.take(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Error::Config(format!("option {key} = '{text}': expected {wanted}")))
    }

    /// Takes a boolean option out: true/false, on/off, yes/no, 1/0.
    pub fn take_bool(&mut self, key: &str) -> Result<Option<bool>> {
        let Some(text) = self.take(key) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Ok(Some(true)),
            "false" | "off" | "no" | "0" => Ok(Some(false)),
            _ => Err(Error::Config(format!("option {key} = '{text}': expected true or false"))),
        }
    }

    /// All entries, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Errors if an option is left that nobody took; `owner` names whose options they are, `known` lists the valid ones.
    pub fn finish(self, owner: &str, known: &[&str]) -> Result<()> {
        let Some((key, _)) = self.entries.first() else { return Ok(()) };
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("valid options are {}", known.join(", ")),
        };
        Err(Error::Config(format!("unknown option {key} for {owner}: {hint}")))
    }
}

/// The number of bytes, from 1, that `text` names: `512MB`, `1.5 GiB`, `4G`; units are powers of 1024.
pub fn size_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1_u64,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    let number = number.trim();
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(scale)?,
        Err(_) => (number.parse::<f64>().ok()? * scale as f64) as u64,
    };
    (bytes > 0 && bytes < u64::MAX).then_some(bytes)
}
