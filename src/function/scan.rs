//! One walk over a JSON document (RFC 8259): is it one, and where is the value at a path. Nothing is taken from the heap.

use super::path::Step;

/// Deepest nesting of arrays and objects; a deeper document is taken for none (the walk recurses).
const DEPTH_MAX: usize = 128;

/// The value at the end of `steps`, as it is written. `Err` if the text is no JSON, `Ok(None)` if there is no such value.
pub(super) fn find<'t>(text: &'t str, steps: &[Step]) -> Result<Option<&'t str>, NoJson> {
    let mut scanner = Scanner { text, at: 0 };
    let found = scanner.value(Some(steps), 0)?;
    scanner.blanks();
    if scanner.at == text.len() { Ok(found) } else { Err(NoJson) }
}

/// Elements of a value, if it is an array. The text must be JSON.
pub(super) fn array_length(value: &str) -> Option<i64> {
    let mut scanner = Scanner { text: value, at: 0 };
    scanner.take(b'[').then(|| scanner.count(0).ok()).flatten()
}

/// The text is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoJson;

/// What the text between the quotes of a string says, piece by piece; half of a surrogate pair is a replacement character.
pub(super) fn unescape(quoted: &str, mut put: impl FnMut(&[u8])) {
    let mut rest = quoted.as_bytes();
    loop {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        put(&rest[..plain]);
        let Some((escape, mut after)) = rest.get(plain + 1..).and_then(<[u8]>::split_first) else { return };
        match escape {
            b'n' => put(b"\n"),
            b't' => put(b"\t"),
            b'r' => put(b"\r"),
            b'b' => put(b"\x08"),
            b'f' => put(b"\x0c"),
            b'u' => {
                let mut code = unit(after).unwrap_or(0xfffd);
                after = after.get(4..).unwrap_or(&[]);
                let low = after.strip_prefix(b"\\u").and_then(unit).filter(|low| (0xdc00..0xe000).contains(low));
                if let (0xd800..0xdc00, Some(low)) = (code, low) {
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    after = &after[6..];
                }
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                put(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => put(&[*other]),
        }
        rest = after;
    }
}

/// Four hexadecimal digits.
fn unit(digits: &[u8]) -> Option<u32> {
    let digits = digits.get(..4)?;
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

/// Whether a member's name, between its quotes, is this one.
fn is_named(quoted: &str, name: &str) -> bool {
    if !quoted.contains('\\') {
        return quoted == name;
    }
    let mut rest = Some(name.as_bytes());
    unescape(quoted, |piece| rest = rest.and_then(|rest| rest.strip_prefix(piece)));
    rest.is_some_and(<[u8]>::is_empty)
}

/// A position in a document.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

type Found<'t> = Result<Option<&'t str>, NoJson>;

impl<'t> Scanner<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), NoJson> {
        if self.take(byte) { Ok(()) } else { Err(NoJson) }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Reads one value with the blanks before it; with steps, the one that they lead to from here.
    fn value(&mut self, steps: Option<&[Step]>, depth: usize) -> Found<'t> {
        self.blanks();
        let start = self.at;
        let found = match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => return Err(NoJson),
            Some(b'{') => self.object(steps, depth + 1)?,
            Some(b'[') => self.array(steps, depth + 1)?,
            Some(b'"') => self.string().map(|_| None)?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            _ => self.number()?,
        };
        Ok(if steps == Some(&[]) { Some(&self.text[start..self.at]) } else { found })
    }

    fn object(&mut self, steps: Option<&[Step]>, depth: usize) -> Found<'t> {
        self.expect(b'{')?;
        self.blanks();
        let mut found = None;
        if self.take(b'}') {
            return Ok(found);
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.blanks();
            self.expect(b':')?;
            match steps {
                Some([Step::Member(wanted), rest @ ..]) if is_named(name, wanted) => {
                    found = self.value(Some(rest), depth)?;
                }
                _ => {
                    self.value(None, depth)?;
                }
            }
            self.blanks();
            if self.take(b'}') {
                return Ok(found);
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, steps: Option<&[Step]>, depth: usize) -> Found<'t> {
        self.expect(b'[')?;
        let (mut wanted, rest) = match steps {
            Some([Step::Element(index), rest @ ..]) => (*index, rest),
            _ => (-1, &[][..]),
        };
        if wanted < 0 && matches!(steps, Some([Step::Element(_), ..])) {
            // From the end: how many there are is known only behind the last one.
            let first = self.at;
            wanted += self.count(depth)?;
            self.at = first;
        }
        let mut found = None;
        let mut index = 0;
        self.elements(|scanner| {
            if index == wanted {
                found = scanner.value(Some(rest), depth)?;
            } else {
                scanner.value(None, depth)?;
            }
            index += 1;
            Ok(())
        })?;
        Ok(found)
    }

    /// Number of elements up to the end of the array, whose bracket has been read.
    fn count(&mut self, depth: usize) -> Result<i64, NoJson> {
        let mut count = 0;
        self.elements(|scanner| {
            count += 1;
            scanner.value(None, depth).map(|_| ())
        })?;
        Ok(count)
    }

    /// Reads elements by `element` up to the bracket that ends the array.
    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), NoJson>) -> Result<(), NoJson> {
        self.blanks();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            self.blanks();
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Reads a string; what stands between its quotes.
    fn string(&mut self) -> Result<&'t str, NoJson> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek().ok_or(NoJson)? {
                b'"' => break,
                0..0x20 => return Err(NoJson),
                b'\\' => {
                    self.at += 1;
                    match self.peek().ok_or(NoJson)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            unit(&self.text.as_bytes()[self.at + 1..]).ok_or(NoJson)?;
                            self.at += 5;
                        }
                        _ => return Err(NoJson),
                    }
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at - 1])
    }

    fn word(&mut self, word: &str) -> Found<'t> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(NoJson);
        }
        self.at += word.len();
        Ok(None)
    }

    fn digits(&mut self) -> Result<(), NoJson> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(NoJson) }
    }

    fn number(&mut self) -> Found<'t> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// The definition, by a tree.
    fn slow(text: &str, steps: &[Step]) -> Result<Option<Value>, ()> {
        let mut value = serde_json::from_str::<Value>(text).map_err(|_| ())?;
        for step in steps {
            let next = match (step, &value) {
                (Step::Member(name), Value::Object(members)) => members.get(name).cloned(),
                (Step::Element(index), Value::Array(elements)) => {
                    let from = if *index < 0 { elements.len() as i64 } else { 0 };
                    usize::try_from(from + index).ok().and_then(|index| elements.get(index).cloned())
                }
                _ => None,
            };
            let Some(next) = next else { return Ok(None) };
            value = next;
        }
        Ok(Some(value))
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof!["[ab\u{e9}]".prop_map(Step::Member), (-3..3_i64).prop_map(Step::Element),]
    }

    /// Documents, and texts that are nearly documents.
    fn document() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_string()),
            Just(" true".into()),
            "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?([eE][+-]?[0-9])?",
            "\"(a|\u{e9}|\\\\n|\\\\u00e9|\\\\\"| ){0,3}\"",
        ];
        let whole = leaf.prop_recursive(4, 24, 4, |inner| {
            let name = prop_oneof!["\"[ab\u{e9}]\"", Just("\"\\u0061\"".to_string())];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(" ,"))),
                prop::collection::vec((name, inner), 0..4).prop_map(|members| {
                    let members: Vec<String> = members.iter().map(|(name, value)| format!("{name} :{value}")).collect();
                    format!("{{ {} }}", members.join(", "))
                }),
            ]
        });
        (whole, any::<prop::sample::Index>(), 0..8, "[\\[\\]{}\",:0a\\\\ -]").prop_map(
            |(mut text, index, kind, sign)| {
                let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
                let at = if places.is_empty() { 0 } else { places[index.index(places.len())] };
                match kind {
                    0 => text.insert_str(at, &sign),
                    1 if !text.is_empty() => {
                        text.remove(at);
                    }
                    2 => text.truncate(at),
                    _ => {}
                }
                text
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        /// The walk finds what the tree has, and takes for JSON what serde_json does.
        #[test]
        fn the_walk_agrees_with_the_tree(text in document(), steps in prop::collection::vec(step(), 0..4)) {
            let found = find(&text, &steps).map(|value| value.map(|value| serde_json::from_str::<Value>(value).unwrap()));
            prop_assert_eq!(found.map_err(|_| ()), slow(&text, &steps), "{} {:?}", text, steps);
        }
    }

    #[test]
    fn deep_documents_end_the_walk_not_the_process() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(find(&nested(DEPTH_MAX), &[]).is_ok());
        assert_eq!(find(&nested(DEPTH_MAX + 1), &[]), Err(NoJson));
        assert_eq!(find(&"[".repeat(1_000_000), &[]), Err(NoJson));
    }

    #[test]
    fn lengths_are_counted() {
        assert_eq!(array_length("[1, [2, 3], {}]"), Some(3));
        assert_eq!(array_length("[ ]"), Some(0));
        assert_eq!(array_length("{}"), None);
        assert_eq!(array_length("5"), None);
    }
}
