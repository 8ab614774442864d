//! What a user says about a format: `format`, `header`, `delim`, `quote`, `escape`, `nullstr`, `timestamp_unit`.
//!
//! Guarantees: every option has a default that reads what our own encoders write; a value out of its domain is an
//! [`Error::Config`] that says what would be valid. Keys are taken out of the [`Options`], so that the caller can report
//! what nobody knew.

use crate::error::{Error, Result, nearest};
use crate::types::text::parse;
use crate::types::{OptionEntry, Options};

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Delimited text, RFC 4180 by default.
    Csv,
    /// One JSON object a line.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC, file or stream.
    Arrow,
    /// Aligned text for people; output only.
    Table,
}

impl Format {
    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Table => "table",
        }
    }

    /// File extensions that mean this format, without the dot.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Csv => &["csv", "tsv"],
            Self::Json => &["json", "jsonl", "ndjson"],
            Self::Parquet => &["parquet"],
            Self::Arrow => &["arrow", "arrows", "ipc", "feather"],
            Self::Table => &[],
        }
    }

    /// The format that a path's extension names, in any case.
    pub fn of_path(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        [Self::Csv, Self::Json, Self::Parquet, Self::Arrow]
            .into_iter()
            .find(|format| format.extensions().iter().any(|known| extension.eq_ignore_ascii_case(known)))
    }

    /// The format of that name.
    pub fn parse(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        Ok(match lower.as_str() {
            "csv" => Self::Csv,
            "json" | "jsonl" | "ndjson" => Self::Json,
            "parquet" => Self::Parquet,
            "arrow" | "ipc" | "feather" => Self::Arrow,
            "table" => Self::Table,
            _ => {
                let known = ["csv", "json", "jsonl", "parquet", "arrow", "table"];
                let hint = match nearest(&lower, known) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("valid formats are {}", known.join(", ")),
                };
                return Err(Error::Config(format!("unknown format '{name}': {hint}")));
            }
        })
    }
}

/// What an integer in a TIMESTAMP column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampUnit {
    /// Seconds since the epoch.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds, rounded down to microseconds.
    Nanosecond,
}

impl TimestampUnit {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "s" => Self::Second,
            "ms" => Self::Millisecond,
            "us" => Self::Microsecond,
            "ns" => Self::Nanosecond,
            _ => {
                return Err(Error::Config(format!(
                    "option timestamp_unit = '{text}': expected 's', 'ms', 'us' or 'ns'"
                )));
            }
        })
    }

    /// Microseconds of a number of units as text, which may have a fraction.
    pub(super) fn read(self, text: &[u8]) -> Option<i64> {
        if let Some(count) = parse::integer(text) {
            return self.to_us(count);
        }
        let scale = match self {
            Self::Second => 6,
            Self::Millisecond => 3,
            Self::Microsecond => 0,
            Self::Nanosecond => return None,
        };
        i64::try_from(parse::decimal(text, 37, scale)?).ok()
    }

    /// Microseconds of `count` units; `None` if they do not fit 64 bits.
    pub fn to_us(self, count: i64) -> Option<i64> {
        match self {
            Self::Second => count.checked_mul(1_000_000),
            Self::Millisecond => count.checked_mul(1_000),
            Self::Microsecond => Some(count),
            Self::Nanosecond => Some(count.div_euclid(1_000)),
        }
    }
}

/// Options that [`FormatOptions::take`] takes: the first two for any format, the others for CSV.
pub const FORMAT_OPTIONS: [OptionEntry; 7] = [
    OptionEntry::new(
        "format",
        "csv, json, parquet, arrow; for sinks also table",
        "by the name of the file",
        "Format of the bytes; json is one object a line.",
    ),
    OptionEntry::new("timestamp_unit", "s, ms, us, ns", "none", "What integers in columns declared TIMESTAMP count."),
    OptionEntry::new("header", "true, false", "true", "CSV: whether the first record of a file names the columns."),
    OptionEntry::new(
        "delim",
        "one character, or \\t",
        ",",
        "CSV: what stands between fields; a tab in files called .tsv.",
    ),
    OptionEntry::new(
        "quote",
        "one character",
        "\"",
        "CSV: what stands around fields that hold a delimiter or a line end.",
    ),
    OptionEntry::new("escape", "one character", "the quote", "CSV: what makes the next character literal in quotes."),
    OptionEntry::new(
        "nullstr",
        "a text",
        "none",
        "CSV: an unquoted field of this text is NULL, as an empty one is; NULL is written so.",
    ),
];
/// Every key that [`FormatOptions::take`] may take.
pub const FORMAT_KEYS: &[&str] = &OptionEntry::names(&FORMAT_OPTIONS);

/// A format and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatOptions {
    /// The format.
    pub format: Format,
    /// CSV: whether the first record of each file names the columns. Default true.
    pub header: bool,
    /// CSV: the byte between fields. Default comma (tab for `.tsv`).
    pub delim: u8,
    /// CSV: the byte around fields that hold a delimiter, a quote or a newline. Default `"`.
    pub quote: u8,
    /// CSV: the byte that makes the next one literal inside quotes. Default: the quote itself, doubled.
    pub escape: u8,
    /// CSV: an unquoted field of this text is NULL, on top of the empty unquoted field; it is also what NULL is written
    /// as. A quoted field is never NULL in a VARCHAR column; in others a quoted null text or empty field is NULL too.
    pub nullstr: Option<String>,
    /// What integers in TIMESTAMP columns count. Without it, integers there are an error, never a guess.
    pub timestamp_unit: Option<TimestampUnit>,
}

impl FormatOptions {
    /// The defaults of a format.
    pub fn new(format: Format) -> Self {
        Self { format, header: true, delim: b',', quote: b'"', escape: b'"', nullstr: None, timestamp_unit: None }
    }

    /// Takes the format's keys out of `options`. Without `format`, the extension of `path` decides.
    ///
    /// Only the keys that the format has are taken: `delim` for Parquet stays, and is reported as unknown by the caller
    /// (against [`FormatOptions::keys`]).
    pub fn take(options: &mut Options, path: Option<&str>) -> Result<Self> {
        let format = match (options.take("format"), path) {
            (Some(name), _) => Format::parse(&name)?,
            (None, Some(path)) => Format::of_path(path).ok_or_else(|| {
                Error::Config(format!(
                    "cannot tell the format of {path} by its name: set format = 'csv', 'json', 'parquet' or 'arrow'"
                ))
            })?,
            (None, None) => {
                return Err(Error::Config("no format given: set format = 'csv', 'json', 'parquet' or 'arrow'".into()));
            }
        };
        let mut parsed = Self::new(format);
        parsed.timestamp_unit = options.take("timestamp_unit").map(|text| TimestampUnit::parse(&text)).transpose()?;
        if format == Format::Csv {
            parsed.take_csv(options, path)?;
        }
        Ok(parsed)
    }

    fn take_csv(&mut self, options: &mut Options, path: Option<&str>) -> Result<()> {
        if path.is_some_and(|path| path.to_ascii_lowercase().ends_with(".tsv")) {
            self.delim = b'\t';
        }
        if let Some(header) = options.take_bool("header")? {
            self.header = header;
        }
        if let Some(delim) = take_byte(options, "delim")? {
            self.delim = delim;
        }
        if let Some(quote) = take_byte(options, "quote")? {
            self.quote = quote;
            self.escape = quote;
        }
        if let Some(escape) = take_byte(options, "escape")? {
            self.escape = escape;
        }
        self.nullstr = options.take("nullstr").filter(|text| !text.is_empty());
        for (key, byte) in [("delim", self.delim), ("quote", self.quote), ("escape", self.escape)] {
            if byte == b'\n' || byte == b'\r' {
                return Err(Error::Config(format!("option {key}: a line end cannot be the {key}")));
            }
        }
        if self.delim == self.quote || self.delim == self.escape {
            return Err(Error::Config("options delim, quote and escape: delim must differ from the others".into()));
        }
        if self.nullstr.as_ref().is_some_and(|text| text.bytes().any(|b| b == self.delim || b == b'\n' || b == b'\r')) {
            return Err(Error::Config("option nullstr: must not hold the delimiter or a line end".into()));
        }
        Ok(())
    }

    /// The keys that this format takes.
    pub fn keys(&self) -> &'static [&'static str] {
        if self.format == Format::Csv { FORMAT_KEYS } else { &FORMAT_KEYS[..2] }
    }

    /// Whether the first record of a file names the columns.
    pub fn has_header(&self) -> bool {
        self.format == Format::Csv && self.header
    }

    /// Whether an unquoted CSV field means NULL.
    pub(super) fn is_null_text(&self, text: &[u8]) -> bool {
        text.is_empty() || self.nullstr.as_ref().is_some_and(|null| null.as_bytes() == text)
    }
}

fn take_byte(options: &mut Options, key: &str) -> Result<Option<u8>> {
    let Some(text) = options.take(key) else { return Ok(None) };
    match text.as_bytes() {
        b"\\t" => Ok(Some(b'\t')),
        [byte] if byte.is_ascii() => Ok(Some(*byte)),
        _ => Err(Error::Config(format!("option {key} = '{text}': expected one ASCII character, or \\t"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        let mut options = Options::new();
        for (key, value) in pairs {
            options.set(key, *value);
        }
        options
    }

    #[test]
    fn epochs() {
        assert_eq!(TimestampUnit::Second.read(b"1357034400"), Some(1_357_034_400_000_000));
        assert_eq!(TimestampUnit::Second.read(b"1357034400.25"), Some(1_357_034_400_250_000));
        assert_eq!(TimestampUnit::Nanosecond.read(b"-1"), Some(-1));
        assert_eq!(TimestampUnit::Second.read(b"9223372036854775807"), None);
    }

    #[test]
    fn takes_its_keys_and_leaves_the_rest() {
        let mut given = options(&[("format", "csv"), ("delim", "\\t"), ("header", "false"), ("path", "x")]);
        let parsed = FormatOptions::take(&mut given, None).unwrap();
        assert_eq!((parsed.delim, parsed.header, parsed.quote), (b'\t', false, b'"'));
        assert_eq!(given.iter().collect::<Vec<_>>(), [("path", "x")]);
    }

    #[test]
    fn extension_decides_without_format() {
        assert_eq!(FormatOptions::take(&mut Options::new(), Some("a/B.JSONL")).unwrap().format, Format::Json);
        assert_eq!(FormatOptions::take(&mut Options::new(), Some("x.tsv")).unwrap().delim, b'\t');
        assert!(FormatOptions::take(&mut Options::new(), Some("x.dat")).is_err());
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for pairs in [
            [("format", "csb"), ("header", "true")],
            [("format", "csv"), ("delim", ";;")],
            [("format", "csv"), ("delim", "\"")],
            [("format", "json"), ("timestamp_unit", "h")],
        ] {
            assert!(FormatOptions::take(&mut options(&pairs), None).is_err(), "{pairs:?}");
        }
        let error = FormatOptions::take(&mut options(&[("format", "parqet")]), None).unwrap_err().to_string();
        assert!(error.contains("did you mean 'parquet'"), "{error}");
    }
}
