//! LIKE and ILIKE, compiled once.
//!
//! A pattern is cut at its `%` into segments of fixed length in characters. The first is anchored at the start of the text,
//! the last at its end, those between are found leftmost, which is right because a segment cannot stretch. Exact, prefix,
//! suffix and contains patterns are the cases with few or empty segments. Cost: linear for segments without `_`
//! (memmem), else at worst text times segment.
//!
//! ILIKE compares character by character after lower-casing each; `_` is one character of the text.

use memchr::memmem::Finder;

use crate::function::utf8;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    first: Segment,
    /// Between two `%`; none is empty.
    middle: Vec<Segment>,
    /// After the last `%`; `None` without a `%`.
    last: Option<Segment>,
}

#[derive(Debug)]
enum Segment {
    /// Plain text, matched by bytes.
    Bytes(Box<Finder<'static>>),
    /// Characters, `None` for `_`.
    Characters { elements: Vec<Option<char>>, case_insensitive: bool },
}

impl Pattern {
    /// Compiles a pattern. An escape character at the end stands for itself.
    pub fn new(pattern: &str, escape: Option<char>, case_insensitive: bool) -> Self {
        let mut segments = vec![vec![]];
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let segment = segments.last_mut().expect("there is always a segment");
            if Some(c) == escape {
                segment.push(Some(chars.next().unwrap_or(c)));
            } else if c == '%' {
                segments.push(vec![]);
            } else {
                segment.push(if c == '_' { None } else { Some(c) });
            }
        }
        let count = segments.len();
        let mut segments = segments.into_iter();
        let compile = |elements| Segment::new(elements, case_insensitive);
        let first = compile(segments.next().unwrap_or_default());
        let middle =
            segments.by_ref().take(count.saturating_sub(2)).filter(|elements| !elements.is_empty()).map(compile);
        let middle = middle.collect();
        Self { first, middle, last: segments.next().map(compile) }
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        let Some(taken) = self.first.at_start(text) else { return false };
        let rest = &text[taken..];
        let Some(last) = &self.last else { return rest.is_empty() };
        let Some(taken) = last.at_end(rest) else { return false };
        let mut rest = &rest[..rest.len() - taken];
        for segment in &self.middle {
            let Some(end) = segment.find(rest) else { return false };
            rest = &rest[end..];
        }
        true
    }
}

impl Segment {
    fn new(elements: Vec<Option<char>>, case_insensitive: bool) -> Self {
        if !case_insensitive && let Some(text) = elements.iter().copied().collect::<Option<String>>() {
            Self::Bytes(Box::new(Finder::new(text.as_bytes()).into_owned()))
        } else {
            Self::Characters { elements, case_insensitive }
        }
    }

    /// Bytes that this takes at the start of `text`.
    fn at_start(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Bytes(finder) => text.starts_with(finder.needle()).then_some(finder.needle().len()),
            Self::Characters { elements, case_insensitive } => {
                let text = utf8(text);
                let mut chars = text.chars();
                for element in elements {
                    let c = chars.next()?;
                    if !element.is_none_or(|wanted| equal(wanted, c, *case_insensitive)) {
                        return None;
                    }
                }
                Some(text.len() - chars.as_str().len())
            }
        }
    }

    /// Bytes that this takes at the end of `text`.
    fn at_end(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Bytes(finder) => text.ends_with(finder.needle()).then_some(finder.needle().len()),
            Self::Characters { elements, case_insensitive } => {
                let text = utf8(text);
                let mut chars = text.chars();
                for element in elements.iter().rev() {
                    let c = chars.next_back()?;
                    if !element.is_none_or(|wanted| equal(wanted, c, *case_insensitive)) {
                        return None;
                    }
                }
                Some(text.len() - chars.as_str().len())
            }
        }
    }

    /// End of the leftmost match in `text`.
    fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Bytes(finder) => finder.find(text).map(|start| start + finder.needle().len()),
            Self::Characters { .. } => utf8(text)
                .char_indices()
                .find_map(|(start, _)| self.at_start(&text[start..]).map(|taken| start + taken)),
        }
    }
}

fn equal(a: char, b: char, case_insensitive: bool) -> bool {
    a == b || case_insensitive && a.to_lowercase().eq(b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: each `%` tries every length.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|n| slow(rest, &text[n..])),
            Some((&c, rest)) => {
                text.split_first().is_some_and(|(&t, others)| (c == '_' || c == t) && slow(rest, others))
            }
        }
    }

    proptest! {
        /// The compiled pattern matches what the definition matches; ILIKE ignores case.
        #[test]
        fn compiled_patterns_match_the_definition(pattern in "[ab\u{e4}%_]{0,7}", text in "[ab\u{e4}]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = slow(&chars(&pattern), &chars(&text));
            prop_assert_eq!(Pattern::new(&pattern, None, false).matches(text.as_bytes()), expected);
            let shouted = text.to_uppercase();
            prop_assert_eq!(Pattern::new(&pattern, None, true).matches(shouted.as_bytes()), expected);
        }
    }

    #[test]
    fn escapes_take_the_next_character_literally() {
        let pattern = Pattern::new("100!%!_!!%", Some('!'), false);
        assert!(pattern.matches(b"100%_! and more"));
        assert!(!pattern.matches(b"1000_!"));
        assert!(Pattern::new("a!", Some('!'), false).matches(b"a!"));
        assert!(Pattern::new("", None, false).matches(b""));
        assert!(!Pattern::new("", None, false).matches(b"a"));
        assert!(Pattern::new("%%", None, false).matches(b""));
    }
}
