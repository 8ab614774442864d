//! Regular expressions: those of the `regex` crate (by its engine), which match in time linear in the text.
//!
//! A pattern is found anywhere in the text unless it is anchored. Flags: `i` ignore case, `m` lines (`^` and `$` at each),
//! `s` the point is also a line feed, `x` blanks in the pattern mean nothing; of REGEXP_REPLACE also `g`, every match.

use std::collections::BTreeMap;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use regex_automata::Input;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;

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
        let mut syntax = syntax::Config::new();
        // Of `c` (case counts) and `i` the last one holds.
        for flag in flags.chars() {
            syntax = match flag {
                'i' => syntax.case_insensitive(true),
                'c' => syntax.case_insensitive(false),
                'm' => syntax.multi_line(true),
                's' => syntax.dot_matches_new_line(true),
                'x' => syntax.ignore_whitespace(true),
                _ => syntax,
            };
        }
        let limits = Config::new().nfa_size_limit(Some(PATTERN_BYTES_MAX)).onepass_size_limit(Some(PATTERN_BYTES_MAX));
        let built = Regex::builder().configure(limits).syntax(syntax).build(pattern);
        let regex = built.map_err(|error| match (error.size_limit(), error.syntax_error()) {
            (Some(limit), _) => format!("the regular expression needs more than {limit} bytes"),
            (None, None) => format!("not a regular expression: {error}"),
            (None, Some(error)) => {
                // The last line of the message says what is wrong, those before it draw where.
                let message = error.to_string();
                let reason = message.lines().last().unwrap_or("").trim().trim_start_matches("error: ");
                format!("not a regular expression: {reason}")
            }
        })?;
        Ok(Self { regex, global: flags.contains('g') })
    }

    /// Room for where groups begin and end.
    fn slots<'a>(&self, arena: &'a Bump) -> Slots<'a> {
        Slots { ends: arena.alloc_slice_fill_copy(self.regex.group_info().slot_len(), None) }
    }
}

/// Where the groups of a match begin and end.
struct Slots<'a> {
    ends: &'a mut [Option<NonMaxUsize>],
}

impl Slots<'_> {
    /// Looks for the first match from byte `at` on; where it begins and ends.
    fn search(&mut self, pattern: &Pattern, text: &str, at: usize) -> Option<(usize, usize)> {
        pattern.regex.search_slots(&Input::new(text).range(at..), self.ends)?;
        self.group(0)
    }

    /// Where a group begins and ends; `None` if it took no part, or there is none.
    fn group(&self, index: usize) -> Option<(usize, usize)> {
        let end = |slot: usize| self.ends.get(slot).copied().flatten().map(|end| end.get());
        end(index * 2).zip(end(index * 2 + 1))
    }

    /// Number of groups, that of the whole match among them.
    fn groups(&self) -> usize {
        self.ends.len() / 2
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
    let arena = rows.arena();
    let group = |pattern: &Pattern, slots: &mut Slots<'_>, text: &str, group: i64, out: &mut ArenaVec<'_, u8>| {
        let index = usize::try_from(group).ok().filter(|index| *index < slots.groups());
        let index = index.ok_or(Failure::Refused("the pattern has no such group"))?;
        let found = slots.search(pattern, text, 0).and_then(|_| slots.group(index));
        let Some((start, end)) = found else { return Ok(missing) };
        out.extend_from_slice_copy(&text.as_bytes()[start..end]);
        Ok(Some(()))
    };
    match rows.prepared() {
        Prepared::Pattern(pattern) => {
            let mut slots = pattern.slots(arena);
            rows.write(|(text, _, number, _): (&str, &[u8], i64, &[u8]), out| {
                group(pattern, &mut slots, text, number, out)
            });
        }
        _ => {
            let mut patterns = Patterns::new(Pattern::new);
            rows.write(|(text, pattern, number, flags): (&str, &str, i64, &str), out| {
                let pattern = patterns.get(pattern, flags)?;
                group(pattern, &mut pattern.slots(arena), text, number, out)
            });
        }
    }
}

/// REGEXP_REPLACE(text, pattern, replacement, flags).
pub const REGEXP_REPLACE: RowFunction = RowFunction::with("REGEXP_REPLACE", Literals::Pattern(3), |rows| {
    let arena = rows.arena();
    match rows.prepared() {
        Prepared::Pattern(pattern) => {
            let mut slots = pattern.slots(arena);
            rows.write(|(text, _, new, _): (&str, &[u8], &str, &[u8]), out| {
                replace(pattern, &mut slots, text, new, out)
            });
        }
        _ => {
            let mut patterns = Patterns::new(Pattern::new);
            rows.write(|(text, pattern, new, flags): (&str, &str, &str, &str), out| {
                let pattern = patterns.get(pattern, flags)?;
                replace(pattern, &mut pattern.slots(arena), text, new, out)
            });
        }
    }
});

/// Replaces the first match, or with flag `g` all. In `new`, `\1` to `\9` stand for groups, `\0` and `\&` for the match,
/// `\\` for a backslash.
fn replace(
    pattern: &Pattern,
    slots: &mut Slots<'_>,
    text: &str,
    new: &str,
    out: &mut ArenaVec<'_, u8>,
) -> Result<(), Failure> {
    let (begin, bytes) = (out.len(), text.as_bytes());
    // From where the search goes on, and up to where the text has been written.
    let (mut at, mut written) = (0, 0);
    while at <= text.len()
        && let Some((start, end)) = slots.search(pattern, text, at)
    {
        // An empty match right behind another one is none, as in other engines.
        let repeated = start == end && start == written && written > 0;
        if !repeated {
            out.extend_from_slice_copy(&bytes[written..start]);
            append_replacement(new, slots, text, out);
            written = end;
        }
        if !pattern.global {
            break;
        }
        if out.len() - begin > FUNCTION_TEXT_BYTES_MAX {
            return Err(Failure::TooLong);
        }
        at = match start == end {
            true => end + text[end..].chars().next().map_or(1, char::len_utf8),
            false => end,
        };
    }
    out.extend_from_slice_copy(&bytes[written..]);
    Ok(())
}

fn append_replacement(new: &str, slots: &Slots<'_>, text: &str, out: &mut ArenaVec<'_, u8>) {
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
                if let Some((start, end)) = slots.group(group) {
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
