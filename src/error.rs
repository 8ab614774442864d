//! Public errors: one enum per kind of trouble a user can do something about.
//!
//! Guarantees: every variant names what was being done and to what; a SQL error carries the place in the
//! text, and [`SqlError::render`] draws the line with a caret. Messages are lower case and hold the actual value.

use std::fmt;
use std::path::PathBuf;

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that ends a command or a job.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not SQL that corelane can run. Exit status 2.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// An option, flag or setting is unknown or has a value out of its domain. Exit status 2.
    #[error("{0}")]
    Config(String),
    /// The operating system refused something. Exit status 1.
    #[error("cannot {operation} {path}: {reason}")]
    Io {
        /// What was attempted, as a verb: "open", "read", "write", "rename".
        operation: &'static str,
        /// The file or stream it was attempted on.
        path: String,
        /// The operating system's reason.
        reason: String,
        /// Whether the other end of a pipe went away; a command that prints to a closed pipe ends quietly.
        broken_pipe: bool,
    },
    /// The input cannot be used as declared: a broken file, a schema that does not fit, a record that failed
    /// under `on_error = 'fail'`. Exit status 1.
    #[error("{0}")]
    Data(String),
    /// The query met a value it has no answer for (an overflowing SUM, say). Exit status 1.
    #[error("{0}")]
    Execution(String),
}

impl Error {
    /// An [`Error::Io`] for `operation` on `path`.
    pub fn io(operation: &'static str, path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        Self::Io {
            operation,
            path: path.into().display().to_string(),
            reason: describe_io(error),
            broken_pipe: error.kind() == std::io::ErrorKind::BrokenPipe,
        }
    }

    /// The exit status of a command that ends with this error (DESIGN: 1 the job failed; 2 usage, SQL or configuration).
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Sql(_) | Self::Config(_) => 2,
            Self::Io { .. } | Self::Data(_) | Self::Execution(_) => 1,
        }
    }
}

fn describe_io(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::StorageFull => "no space left on device".into(),
        _ => error.to_string(),
    }
}

/// A place in SQL text. Lines and columns count from 1, columns in characters; line 0 means "no place known".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// First line, from 1.
    pub line: u32,
    /// First column, from 1.
    pub column: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
}

/// What is wrong with a SQL text, where, and what would work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// What was found.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What would be valid, if known.
    pub help: Option<String>,
}

impl SqlError {
    /// An error at `span`.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, help: None }
    }

    /// The same error with a suggestion.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error as a user reads it: message, `file:line:column`, the source line, a caret under the span, the help.
    pub fn render(&self, file: &str, text: &str) -> String {
        let mut out = format!("error: {}\n", self.message);
        if self.span.line == 0 {
            if let Some(help) = &self.help {
                out.push_str(&format!("  help: {help}\n"));
            }
            return out;
        }
        let line = text.lines().nth(self.span.line as usize - 1).unwrap_or("");
        let number = self.span.line.to_string();
        let gutter = " ".repeat(number.len());
        let column = self.span.column.max(1) as usize;
        // Tabs are kept in the indent so that the caret stands under the character on any tab width.
        let indent: String = line.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let width = if self.span.end_line == self.span.line && self.span.end_column > self.span.column {
            (self.span.end_column - self.span.column) as usize
        } else {
            line.chars().count().saturating_sub(column - 1).max(1)
        };
        out.push_str(&format!("{gutter}--> {file}:{number}:{column}\n"));
        let (line, indent, width) = around(line, &indent, width);
        out.push_str(&format!("{gutter} |\n{number} | {line}\n{gutter} | {indent}{}\n", "^".repeat(width)));
        if let Some(help) = &self.help {
            out.push_str(&format!("{gutter} = help: {help}\n"));
        }
        out
    }
}

/// Characters of a source line that are shown whole.
const LINE_SHOWN: usize = 160;
/// Characters kept on either side of the caret of a longer line.
const LINE_SIDE: usize = 60;

/// The part of a long line that surrounds the caret, with the indent and width that fit it. Short lines stay whole.
fn around(line: &str, indent: &str, width: usize) -> (String, String, usize) {
    let length = line.chars().count();
    if length <= LINE_SHOWN {
        return (line.to_string(), indent.to_string(), width);
    }
    let column = indent.chars().count();
    let start = column.saturating_sub(LINE_SIDE);
    let end = (column + LINE_SIDE).min(length);
    let cut: String = line.chars().skip(start).take(end - start).collect();
    let (before, after) = (if start > 0 { "..." } else { "" }, if end < length { "..." } else { "" });
    let indent = format!("{}{}", " ".repeat(before.len()), indent.chars().skip(start).collect::<String>());
    (format!("{before}{cut}{after}"), indent, width.min(end - column).max(1))
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.span.line > 0 {
            write!(f, "line {}, column {}: ", self.span.line, self.span.column)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SqlError {}

/// The candidate nearest to `word`, if one is near enough to be what a user meant (edit distance at most a third of
/// its length, or one is a prefix of the other). Case does not count.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let lower = candidate.to_lowercase();
            let prefix = word.len() >= 3 && (lower.starts_with(&word) || word.starts_with(&lower) && lower.len() >= 3);
            let distance = edit_distance(&word, &lower);
            // Of several that begin alike the one with the fewest letters more or less.
            ((if prefix { 1 } else { distance }, distance), candidate)
        })
        .filter(|((distance, _), candidate)| {
            *distance <= (candidate.chars().count().max(word.chars().count()) / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours count one each.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_typos_and_leaves_strangers() {
        assert_eq!(nearest("pirce", ["price", "quantity"]), Some("price"));
        assert_eq!(nearest("PRICE", ["price"]), Some("price"));
        assert_eq!(nearest("zebra", ["price", "quantity"]), None);
        assert_eq!(nearest("nullstrq", ["nulls", "nullstr"]), Some("nullstr"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("SELECT {} pirce FROM t", "1 + ".repeat(500));
        let column = text.find("pirce").unwrap() as u32 + 1;
        let span = Span { line: 1, column, end_line: 1, end_column: column + 5 };
        let shown = SqlError::new(span, "unknown column pirce").render("q.sql", &text);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().all(|line| line.len() < 160), "{shown}");
        assert_eq!(lines[3].find("pirce"), lines[4].find('^'), "{shown}");
        assert_eq!(lines[4].matches('^').count(), 5);
    }

    #[test]
    fn render_points_at_the_span() {
        let error = SqlError::new(Span { line: 1, column: 8, end_line: 1, end_column: 13 }, "no column \"pirce\"")
            .with_help("did you mean \"price\"?");
        let text = error.render("q.sql", "SELECT pirce FROM trades");
        assert_eq!(
            text,
            "error: no column \"pirce\"\n --> q.sql:1:8\n  |\n1 | SELECT pirce FROM trades\n  |        ^^^^^\n  = help: did you mean \"price\"?\n"
        );
    }
}
