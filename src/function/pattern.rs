//! Regular expressions: those of the `regex` crate, which match in time linear in the text.
//!
//! A pattern is found anywhere in the text unless it is anchored. Flags: `i` ignore case, `m` lines (`^` and `$` at each),
//! `s` the point is also a line feed, `x` blanks in the pattern mean nothing; of REGEXP_REPLACE also `g`, every match.

use std::collections::BTreeMap;

use bumpalo::collections::Vec as ArenaVec;
use regex::{CaptureLocations, Regex, RegexBuilder};

use super::prepared::{Literals, Prepared, RowFunction};
use super::rows::{Failure, Made, Rows};
use crate::limits::{FUNCTION_TEXT_BYTES_MAX, PATTERN_BYTES_MAX};

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    /// Every match, not only the first.
    global: bool,
}

/// Refuses flags that mean nothing.
pub(super) fn check_flags(flags: &str) -> Result<(), String> {
    match flags.chars().find(|flag| !"imsxgc".contains(*flag)) {
        Some(flag) => Err(format!("unknown flag {flag} of a regular expression: flags are i, m, s, x and g")),
        None => Ok(()),
    }
}

impl Pattern {
    /// Compiles a pattern that must match the whole text.
    pub fn whole(pattern: &str, flags: &str) -> Result<Self, String> {
        // By itself first: what is closed too often must not close the parenthesis around it.
        Self::new(pattern, flags)?;
        // Under flag x a comment may stand at the end; a line feed ends it.
        let end = if flags.contains('x') { "\n" } else { "" };
        Self::new(&format!(r"\A(?:{pattern}{end})\z"), flags)
    }

    /// Compiles a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str, flags: &str) -> Result<Self, String> {
        check_flags(flags)?;
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(PATTERN_BYTES_MAX);
        // Of `c` (case counts) and `i` the last one holds.
        for flag in flags.chars() {
            match flag {
                'i' => builder.case_insensitive(true),
                'c' => builder.case_insensitive(false),
                'm' => builder.multi_line(true),
                's' => builder.dot_matches_new_line(true),
                'x' => builder.ignore_whitespace(true),
                _ => &mut builder,
            };
        }
        match builder.build() {
            Ok(regex) => Ok(Self { regex, global: flags.contains('g') }),
            Err(regex::Error::CompiledTooBig(limit)) => {
                Err(format!("the regular expression needs more than {limit} bytes"))
            }
            Err(error) => {
                // The last line of the crate's message says what is wrong, those before it draw where.
                let message = error.to_string();
                let reason = message.lines().last().unwrap_or("").trim().trim_start_matches("error: ");
                Err(format!("not a regular expression: {reason}"))
            }
        }
    }
}

const WRONG: Failure = Failure::Refused("the pattern is no regular expression");

/// Compiles the patterns that come from the data.
struct Patterns<'a> {
    make: fn(&str, &str) -> Result<Pattern, String>,
    by_flags: BTreeMap<&'a str, Made<'a, Option<Pattern>>>,
}

impl<'a> Patterns<'a> {
    fn new(make: fn(&str, &str) -> Result<Pattern, String>) -> Self {
        Self { make, by_flags: BTreeMap::new() }
    }

    fn get(&mut self, text: &'a str, flags: &'a str) -> Result<&Pattern, Failure> {
        // Longer than all there are; and so that flags from the data cannot pile up.
        if flags.len() > 8 || check_flags(flags).is_err() {
            return Err(Failure::Refused("unknown flag of a regular expression"));
        }
        let made = self.by_flags.entry(flags).or_insert_with(Made::new);
        made.get(text, |text| (self.make)(text, flags).ok()).as_ref().ok_or(WRONG)
    }
}

/// A function of text, pattern and flags that gives a value of fixed size.
macro_rules! find {
    ($rows:ident, $make:expr, |$pattern:ident, $text:ident| $body:expr) => {
        match $rows.prepared() {
            Prepared::Pattern($pattern) => $rows.each(|($text, _, _): (&str, &[u8], &[u8])| $body),
            _ => {
                let mut patterns = Patterns::new($make);
                $rows.each(|($text, pattern, flags): (&str, &str, &str)| {
                    let $pattern = patterns.get(pattern, flags)?;
                    Ok::<_, Failure>($body)
                });
            }
        }
    };
}

/// REGEXP_LIKE(text, pattern, flags).
pub const REGEXP_LIKE: RowFunction = RowFunction::with("REGEXP_LIKE", Literals::Pattern(2), |rows| {
    find!(rows, Pattern::new, |pattern, text| pattern.regex.is_match(text));
});

/// REGEXP_FULL_MATCH(text, pattern, flags).
pub const REGEXP_FULL_MATCH: RowFunction = RowFunction::with("REGEXP_FULL_MATCH", Literals::WholePattern, |rows| {
    find!(rows, Pattern::whole, |pattern, text| pattern.regex.is_match(text));
});

/// REGEXP_COUNT(text, pattern, flags).
pub const REGEXP_COUNT: RowFunction = RowFunction::with("REGEXP_COUNT", Literals::Pattern(2), |rows| {
    find!(rows, Pattern::new, |pattern, text| pattern.regex.find_iter(text).count() as i64);
});

/// REGEXP_INSTR(text, pattern, flags): where the first match begins, in characters from 1; 0 without one.
pub const REGEXP_INSTR: RowFunction = RowFunction::with("REGEXP_INSTR", Literals::Pattern(2), |rows| {
    find!(rows, Pattern::new, |pattern, text| match pattern.regex.find(text) {
        Some(found) => text[..found.start()].chars().count() as i64 + 1,
        None => 0,
    });
});

/// REGEXP_EXTRACT(text, pattern, group, flags): empty text without a match.
pub const REGEXP_EXTRACT: RowFunction = RowFunction::with("REGEXP_EXTRACT", Literals::Pattern(3), |rows| {
    extract(rows, Some(()));
});

/// REGEXP_SUBSTR(text, pattern, group, flags): NULL without a match.
pub const REGEXP_SUBSTR: RowFunction = RowFunction::with("REGEXP_SUBSTR", Literals::Pattern(3), |rows| {
    extract(rows, None);
});

fn extract(rows: &mut Rows<'_, '_>, missing: Option<()>) {
    let group =
        |pattern: &Pattern, places: &mut CaptureLocations, text: &str, group: i64, out: &mut ArenaVec<'_, u8>| {
            let index = usize::try_from(group).ok().filter(|index| *index < pattern.regex.captures_len());
            let index = index.ok_or(Failure::Refused("the pattern has no such group"))?;
            let found = pattern.regex.captures_read(places, text).and_then(|_| places.get(index));
            let Some((start, end)) = found else { return Ok(missing) };
            out.extend_from_slice_copy(&text.as_bytes()[start..end]);
            Ok(Some(()))
        };
    match rows.prepared() {
        Prepared::Pattern(pattern) => {
            let mut places = pattern.regex.capture_locations();
            rows.write(|(text, _, number, _): (&str, &[u8], i64, &[u8]), out| {
                group(pattern, &mut places, text, number, out)
            });
        }
        _ => {
            let mut patterns = Patterns::new(Pattern::new);
            rows.write(|(text, pattern, number, flags): (&str, &str, i64, &str), out| {
                let pattern = patterns.get(pattern, flags)?;
                group(pattern, &mut pattern.regex.capture_locations(), text, number, out)
            });
        }
    }
}

/// REGEXP_REPLACE(text, pattern, replacement, flags).
pub const REGEXP_REPLACE: RowFunction =
    RowFunction::with("REGEXP_REPLACE", Literals::Pattern(3), |rows| match rows.prepared() {
        Prepared::Pattern(pattern) => {
            let mut places = pattern.regex.capture_locations();
            rows.write(|(text, _, new, _): (&str, &[u8], &str, &[u8]), out| {
                replace(pattern, &mut places, text, new, out)
            });
        }
        _ => {
            let mut patterns = Patterns::new(Pattern::new);
            rows.write(|(text, pattern, new, flags): (&str, &str, &str, &str), out| {
                let pattern = patterns.get(pattern, flags)?;
                replace(pattern, &mut pattern.regex.capture_locations(), text, new, out)
            });
        }
    });

/// Replaces the first match, or with flag `g` all. In `new`, `\1` to `\9` stand for groups, `\0` and `\&` for the match,
/// `\\` for a backslash.
fn replace(
    pattern: &Pattern,
    places: &mut CaptureLocations,
    text: &str,
    new: &str,
    out: &mut ArenaVec<'_, u8>,
) -> Result<(), Failure> {
    let (begin, bytes) = (out.len(), text.as_bytes());
    // From where the search goes on, and up to where the text has been written.
    let (mut at, mut written) = (0, 0);
    while at <= text.len()
        && let Some(found) = pattern.regex.captures_read_at(places, text, at)
    {
        // An empty match right behind another one is none, as in other engines.
        let repeated = found.is_empty() && found.start() == written && written > 0;
        if !repeated {
            out.extend_from_slice_copy(&bytes[written..found.start()]);
            append_replacement(new, places, text, out);
            written = found.end();
        }
        if !pattern.global {
            break;
        }
        if out.len() - begin > FUNCTION_TEXT_BYTES_MAX {
            return Err(Failure::TooLong);
        }
        at = match found.is_empty() {
            true => found.end() + text[found.end()..].chars().next().map_or(1, char::len_utf8),
            false => found.end(),
        };
    }
    out.extend_from_slice_copy(&bytes[written..]);
    Ok(())
}

fn append_replacement(new: &str, places: &CaptureLocations, text: &str, out: &mut ArenaVec<'_, u8>) {
    let mut rest = new.as_bytes();
    loop {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice_copy(&rest[..plain]);
        rest = &rest[plain..];
        match rest {
            [] => return,
            [_, digit @ (b'0'..=b'9' | b'&'), after @ ..] => {
                let group = if *digit == b'&' { 0 } else { usize::from(digit - b'0') };
                // A group that the pattern has not, or that took no part, is empty.
                if let Some((start, end)) = places.get(group) {
                    out.extend_from_slice_copy(&text.as_bytes()[start..end]);
                }
                rest = after;
            }
            [_, b'\\', after @ ..] => {
                out.push(b'\\');
                rest = after;
            }
            [_, after @ ..] => {
                out.push(b'\\');
                rest = after;
            }
        }
    }
}
