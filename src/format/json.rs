//! The JSON decoder: one object a line; walks each object once, checks all of it, keeps the fields that are read.
//!
//! Guarantees: accepts a line exactly if it is a JSON object (the test holds it to `serde_json`), whatever the query
//! reads. Unknown fields are ignored, missing ones are NULL, of fields given twice the last counts. Names match in any
//! case. Numbers and booleans may fill VARCHAR columns, and objects and arrays do so as their own text; numbers in quotes
//! fill numeric columns.
//!
//! The walk guesses that keys come in the order of the record before: one comparison a key then replaces search and
//! look-up. A library decoder of a line at a time reaches a third of its speed (LIBRARIES C3).

use std::sync::Arc;

use super::columns::Columns;
use super::field::{FieldRef, Kind, Records};
use super::options::FormatOptions;
use super::source::SourceFormat;
use crate::batch::{Chunk, Decode, Decoded, Payload};
use crate::error::{Error, Result};

/// Nesting of a line; deeper lines are bad records (the walk recurses). `serde_json` has the same bound.
const DEPTH_MAX: usize = 127;
/// Keys of a record that are guessed; later ones are looked up.
const GUESSES_MAX: usize = 256;
/// Marks a key that is not read.
const UNREAD: u32 = u32::MAX;

/// The walk stopped: the line is not a JSON object.
struct NotJson;

type Walk<T> = std::result::Result<T, NotJson>;

/// The key that stood at this place in the record before.
#[derive(Debug, Default)]
struct Guess {
    /// The key and its quotes, as written.
    text: Vec<u8>,
    slot: u32,
}

/// Finds the projected fields of JSON objects.
pub(super) struct Walker {
    names: Vec<String>,
    guesses: Vec<Guess>,
}

impl Walker {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self { names, guesses: Vec::new() }
    }

    /// Splits `bytes` into lines and walks each; blank ones are skipped.
    pub(super) fn split(&mut self, bytes: &[u8], records: &mut Records) {
        let is_utf8 = std::str::from_utf8(bytes).is_ok();
        let mut start = 0;
        while start < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |i| start + i + 1);
            let at = skip_blank(&bytes[..end], start);
            if at < end {
                let base = records.begin();
                if !is_utf8 && std::str::from_utf8(&bytes[start..end]).is_err() {
                    records.reject(base, start, end, "not valid UTF-8".into());
                } else if self.record(&bytes[..end], at, &mut records.fields[base..]).is_err() {
                    records.reject(base, start, end, explain(&bytes[start..end]));
                } else {
                    records.keep(start, end);
                }
            }
            start = end;
        }
    }

    fn record(&mut self, bytes: &[u8], at: usize, fields: &mut [FieldRef]) -> Walk<()> {
        let end = self.object(bytes, at, fields)?;
        if skip_blank(bytes, end) == bytes.len() { Ok(()) } else { Err(NotJson) }
    }

    fn object(&mut self, bytes: &[u8], at: usize, fields: &mut [FieldRef]) -> Walk<usize> {
        let mut at = skip_blank(bytes, expect(bytes, at, b'{')?);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        for ordinal in 0.. {
            let (slot, after_key) = self.key(bytes, at, ordinal)?;
            at = skip_blank(bytes, expect(bytes, skip_blank(bytes, after_key), b':')?);
            let (field, after_value) = value(bytes, at, 1)?;
            if slot != UNREAD {
                fields[slot as usize] = field;
            }
            at = skip_blank(bytes, after_value);
            match bytes.get(at) {
                Some(b',') => at = skip_blank(bytes, at + 1),
                Some(b'}') => return Ok(at + 1),
                _ => return Err(NotJson),
            }
        }
        Err(NotJson)
    }

    /// The slot of the key at `at`, and the position after it.
    #[inline]
    fn key(&mut self, bytes: &[u8], at: usize, ordinal: usize) -> Walk<(u32, usize)> {
        if let Some(guess) = self.guesses.get(ordinal)
            && bytes[at..].starts_with(&guess.text)
        {
            return Ok((guess.slot, at + guess.text.len()));
        }
        let (end, escaped) = string_end(bytes, expect(bytes, at, b'"')?)?;
        let raw = &bytes[at + 1..end - 1];
        let slot = if escaped {
            let mut key = Vec::new();
            match unescape_json(raw, &mut key) {
                Ok(()) => self.slot(&key),
                Err(_) => UNREAD,
            }
        } else {
            self.slot(raw)
        };
        if ordinal == self.guesses.len() && ordinal < GUESSES_MAX {
            self.guesses.push(Guess::default());
        }
        if let Some(guess) = self.guesses.get_mut(ordinal) {
            guess.text.clear();
            guess.text.extend_from_slice(&bytes[at..end]);
            guess.slot = slot;
        }
        Ok((slot, end))
    }

    fn slot(&self, key: &[u8]) -> u32 {
        let found = self.names.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(key));
        found.map_or(UNREAD, |slot| slot as u32)
    }
}

#[inline]
fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(at) {
        at += 1;
    }
    at
}

#[inline]
fn expect(bytes: &[u8], at: usize, byte: u8) -> Walk<usize> {
    if bytes.get(at) == Some(&byte) { Ok(at + 1) } else { Err(NotJson) }
}

/// The value at `at` and the position after it.
fn value(bytes: &[u8], at: usize, depth: usize) -> Walk<(FieldRef, usize)> {
    match bytes.get(at) {
        Some(b'"') => {
            let (end, escaped) = string_end(bytes, at + 1)?;
            let kind = if escaped { Kind::Escaped } else { Kind::Quoted };
            Ok((FieldRef::new(at + 1, end - 1, kind), end))
        }
        Some(b'-' | b'0'..=b'9') => {
            let end = number_end(bytes, at)?;
            Ok((FieldRef::new(at, end, Kind::Plain), end))
        }
        Some(b'{' | b'[') => {
            let end = skip_nested(bytes, at, depth)?;
            Ok((FieldRef::new(at, end, Kind::Nested), end))
        }
        Some(b't') => word(bytes, at, b"true"),
        Some(b'f') => word(bytes, at, b"false"),
        Some(b'n') => word(bytes, at, b"null").map(|(_, end)| (FieldRef::NULL, end)),
        _ => Err(NotJson),
    }
}

fn word(bytes: &[u8], at: usize, word: &[u8]) -> Walk<(FieldRef, usize)> {
    let end = at + word.len();
    if bytes[at..].starts_with(word) { Ok((FieldRef::new(at, end, Kind::Plain), end)) } else { Err(NotJson) }
}

/// The position after an object or array.
fn skip_nested(bytes: &[u8], at: usize, depth: usize) -> Walk<usize> {
    if depth >= DEPTH_MAX {
        return Err(NotJson);
    }
    let (is_object, close) = if bytes[at] == b'{' { (true, b'}') } else { (false, b']') };
    let mut at = skip_blank(bytes, at + 1);
    if bytes.get(at) == Some(&close) {
        return Ok(at + 1);
    }
    loop {
        if is_object {
            let (end, _) = string_end(bytes, expect(bytes, at, b'"')?)?;
            at = skip_blank(bytes, expect(bytes, skip_blank(bytes, end), b':')?);
        }
        at = skip_blank(bytes, value(bytes, at, depth + 1)?.1);
        match bytes.get(at) {
            Some(b',') => at = skip_blank(bytes, at + 1),
            Some(byte) if *byte == close => return Ok(at + 1),
            _ => return Err(NotJson),
        }
    }
}

/// The position after the closing quote of the string whose text starts at `at`, and whether it has escapes.
#[inline]
fn string_end(bytes: &[u8], mut at: usize) -> Walk<(usize, bool)> {
    let mut escaped = false;
    loop {
        at = find_special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at + 1, escaped)),
            Some(b'\\') => {
                escaped = true;
                at += match bytes.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                    Some(b'u') if hex4(bytes, at + 2).is_some() => 6,
                    _ => return Err(NotJson),
                };
            }
            _ => return Err(NotJson),
        }
    }
}

/// First quote, backslash or control byte at or after `from`, else the length. Eight bytes a step.
#[inline]
fn find_special(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let (quote, slash) = (word ^ (ONES * u64::from(b'"')), word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        // A borrow can only make a false match above a true one, and the lowest match is the one that is used.
        let found = (control | (quote.wrapping_sub(ONES) & !quote) | (slash.wrapping_sub(ONES) & !slash)) & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && bytes[at] != b'"' && bytes[at] != b'\\' && bytes[at] >= 0x20 {
        at += 1;
    }
    at
}

/// The position after a number.
fn number_end(bytes: &[u8], at: usize) -> Walk<usize> {
    let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let start = at + usize::from(bytes[at] == b'-');
    let mut end = digits(start);
    if end == start || (bytes[start] == b'0' && end > start + 1) {
        return Err(NotJson);
    }
    if bytes.get(end) == Some(&b'.') {
        let fraction = end + 1;
        end = digits(fraction);
        if end == fraction {
            return Err(NotJson);
        }
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(exponent.min(bytes.len()));
        if end == exponent {
            return Err(NotJson);
        }
    }
    Ok(end)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let text = bytes.get(at..at + 4)?;
    text.iter().try_fold(0, |value, b| Some(value * 16 + char::from(*b).to_digit(16)?))
}

/// Takes the escapes out of a string that the walk has accepted. A lone half of a surrogate pair is no text.
pub(super) fn unescape_json(raw: &[u8], into: &mut Vec<u8>) -> std::result::Result<(), String> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        into.extend_from_slice(&rest[..at]);
        let Some(escape) = rest.get(at + 1) else { break };
        let mut length = 2;
        match escape {
            b'b' => into.push(8),
            b'f' => into.push(12),
            b'n' => into.push(b'\n'),
            b'r' => into.push(b'\r'),
            b't' => into.push(b'\t'),
            b'u' => {
                let unit = hex4(rest, at + 2).unwrap_or(0);
                let low = if rest.get(at + 6..at + 8) == Some(b"\\u") { hex4(rest, at + 8) } else { None };
                let (code, taken) = match (unit, low) {
                    (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                        (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), 12)
                    }
                    _ => (unit, 6),
                };
                let Some(character) = char::from_u32(code) else {
                    return Err(format!("not valid JSON: \\u{code:04x} is half of a surrogate pair"));
                };
                into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                length = taken;
            }
            literal => into.push(*literal),
        }
        rest = &rest[at + length..];
    }
    into.extend_from_slice(rest);
    Ok(())
}

/// Why a line is no record. Only bad lines get here, so the second parse costs nothing that matters.
fn explain(line: &[u8]) -> String {
    match serde_json::from_slice::<serde_json::Value>(line) {
        Ok(serde_json::Value::Object(_)) => "not valid JSON".into(),
        Ok(_) => "not a JSON object".into(),
        Err(error) => {
            let text = error.to_string();
            format!("not valid JSON: {}", text.replace(" at line 1 column", " at column"))
        }
    }
}

/// Decodes chunks of JSON lines.
pub(super) struct JsonDecoder {
    width: usize,
    walker: Walker,
    records: Records,
    columns: Columns,
}

impl JsonDecoder {
    pub(super) fn new(format: &Arc<SourceFormat>, projection: &[usize]) -> Self {
        let projected = format.schema.project(projection);
        let names = projected.fields.iter().map(|field| field.name.clone()).collect();
        let unescape = |_: &FormatOptions, raw: &[u8], into: &mut Vec<u8>| unescape_json(raw, into);
        Self {
            width: projection.len(),
            walker: Walker::new(names),
            records: Records::default(),
            columns: Columns::new(&format.options, &projected, unescape),
        }
    }
}

impl Decode for JsonDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        let Payload::Bytes { block, start, end } = &chunk.payload else {
            return Err(Error::Data("a json decoder was given a chunk that is not text".into()));
        };
        let bytes = &block.bytes[*start..*end];
        self.records.clear(self.width);
        self.walker.split(bytes, &mut self.records);
        self.columns.emit(chunk, bytes, &mut self.records, rows_max, into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepts(line: &str) -> bool {
        let mut records = Records::default();
        records.clear(1);
        Walker::new(vec!["a".into()]).split(line.as_bytes(), &mut records);
        records.broken.is_empty()
    }

    fn is_object(line: &str) -> bool {
        serde_json::from_str::<std::collections::BTreeMap<String, serde::de::IgnoredAny>>(line).is_ok()
    }

    #[test]
    fn accepts_what_serde_accepts_by_hand() {
        for line in [
            r#"{"a":1}"#,
            r#"{ "a" : -0.5e+10 , "b":[1,{"c":null}] } "#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":"x\q"}"#,
            r#"{"a":"A"}"#,
            r#"{"a":"\u00"}"#,
            r#"{"a":tru}"#,
            r#"{"a":true,}"#,
            r#"{"a" 1}"#,
            r#"{"a":1} x"#,
            r#"[1]"#,
            r#"{}"#,
            r#"{"a":"#,
            r#"{"a":1"#,
            "{\"a\":\"\t\"}",
            r#"{"a":-}"#,
            r#"{"a":1e}"#,
            r#"{"a":[1,2,]}"#,
            r#"{"a":{"b"}}"#,
            r#""a""#,
            r#"{"a":"x"#,
            r#"{"a":"x\"#,
        ] {
            assert_eq!(accepts(line), is_object(line), "{line}");
        }
    }

    proptest! {
        #[test]
        fn accepts_what_serde_accepts(value in r#"[{}\[\]":,a01.eE+\-tnul \\]{0,9}"#, whole in any::<bool>()) {
            let line = if whole { format!("{{{value}") } else { format!("{{\"a\":{value}}}") };
            prop_assert_eq!(accepts(&line), is_object(&line), "{}", line);
        }

        #[test]
        fn mutated_objects_are_judged_like_serde(at in 0usize..60, byte in 32u8..127) {
            let mut line = br#"{"a":"x\n\u0041","b":[1.5e3,true,{"c":null}],"d":-0.25,"e":""}"#.to_vec();
            let at = at % line.len();
            line[at] = byte;
            let line = String::from_utf8(line).unwrap();
            prop_assert_eq!(accepts(&line), is_object(&line), "{}", line);
        }

        #[test]
        fn strings_come_out_as_serde_reads_them(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut out = Vec::new();
            unescape_json(&quoted.as_bytes()[1..quoted.len() - 1], &mut out).unwrap();
            prop_assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
