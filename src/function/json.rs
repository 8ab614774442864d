//! Functions of JSON in text. A document is looked at once a call, from left to right, without building a tree.
//!
//! A member that stands twice in an object is the last one. A document that is no JSON fails the row, except where said.

use std::fmt;

use bumpalo::collections::Vec as ArenaVec;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::path::{Path, Step};
use super::prepared::{Literals, Prepared, RowFunction};
use super::rows::{Failure, Made, Rows};

const MALFORMED: Failure = Failure::Refused("the text is not JSON");
const WRONG_PATH: Failure = Failure::Refused("the path into JSON is not valid");

/// Looks for the value at the end of `steps`, and reads the rest of the document past it.
#[derive(Clone, Copy)]
struct Find<'s> {
    steps: &'s [Step],
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = Option<&'de str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.steps {
            [] => <&RawValue>::deserialize(deserializer).map(|raw| Some(raw.get())),
            [Step::Element(..0), ..] => {
                // How many elements there are is known only behind the last one.
                let raw = <&RawValue>::deserialize(deserializer)?;
                Ok(self.from_the_end(raw.get()))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl Find<'_> {
    fn from_the_end<'de>(self, text: &'de str) -> Option<&'de str> {
        let Some((Step::Element(index), rest)) = self.steps.split_first() else { return None };
        let length = i64::try_from(array_length(text)?).ok()?;
        let step = [Step::Element(length + index)];
        let element = (length + index >= 0).then(|| find(text, &step).ok().flatten())??;
        find(element, rest).ok()?
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let name = match self.steps.first() {
            Some(Step::Member(name)) => Some(name.as_str()),
            _ => None,
        };
        while let Some(is_wanted) = map.next_key_seed(Is(name))? {
            if is_wanted {
                found = map.next_value_seed(Find { steps: &self.steps[1..] })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        if let Some(Step::Element(index)) = self.steps.first() {
            for _ in 0..*index {
                if elements.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            let found = elements.next_element_seed(Find { steps: &self.steps[1..] })?;
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(found.flatten());
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a member has this name.
struct Is<'n>(Option<&'n str>);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        Ok(self.0 == Some(text))
    }
}

/// The value at the end of `steps`, as it is written; `None` if there is none.
fn find<'t>(text: &'t str, steps: &[Step]) -> Result<Option<&'t str>, Failure> {
    let mut document = serde_json::Deserializer::from_str(text);
    let found = Find { steps }.deserialize(&mut document).map_err(|_| MALFORMED)?;
    document.end().map_err(|_| MALFORMED)?;
    Ok(found)
}

/// Counts elements.
struct Length;

impl<'de> Visitor<'de> for Length {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

/// Elements of a value, if it is an array.
fn array_length(value: &str) -> Option<usize> {
    serde_json::Deserializer::from_str(value).deserialize_seq(Length).ok()
}

/// Four hexadecimal digits.
fn unit(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits.get(..4)?).ok()?, 16).ok()
}

/// What the text between the quotes of a JSON string says; half of a surrogate pair is a replacement character.
fn unescape(quoted: &str, out: &mut ArenaVec<'_, u8>) {
    let mut rest = quoted.as_bytes();
    loop {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice_copy(&rest[..plain]);
        let Some((escape, mut after)) = rest.get(plain + 1..).and_then(<[u8]>::split_first) else { return };
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let mut code = unit(after).unwrap_or(0xfffd);
                after = after.get(4..).unwrap_or(&[]);
                let low = after.strip_prefix(b"\\u").and_then(unit).filter(|low| (0xdc00..0xe000).contains(low));
                if let (0xd800..0xdc00, Some(low)) = (code, low) {
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    after = &after[6..];
                }
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice_copy(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(*other),
        }
        rest = after;
    }
}

/// A value as SQL text: a string without its quotes, NULL for null, all else as it is written.
fn put_text(value: &str, out: &mut ArenaVec<'_, u8>) -> Option<()> {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => unescape(quoted, out),
        None if value == "null" => return None,
        None => out.extend_from_slice_copy(value.as_bytes()),
    }
    Some(())
}

/// Hands `f` the document and the steps of each row.
macro_rules! with_path {
    ($rows:ident, $loop:ident, |$text:ident, $steps:ident $(, $out:ident)?| $body:expr) => {
        match $rows.prepared() {
            Prepared::Path(path) => {
                let $steps = path.steps.as_slice();
                $rows.$loop(|($text, _): (&str, &[u8]) $(, $out)?| $body);
            }
            _ => {
                let mut made = Made::new();
                $rows.$loop(|($text, path): (&str, &str) $(, $out)?| {
                    let path = made.get(path, |text| Path::read(text).ok()).as_ref().ok_or(WRONG_PATH)?;
                    let $steps = path.steps.as_slice();
                    $body
                });
            }
        }
    };
}

/// JSON_EXTRACT(json, path) and `->`.
pub const EXTRACT: RowFunction = RowFunction::with("JSON_EXTRACT", Literals::Path, |rows| {
    with_path!(rows, write, |text, steps, out| {
        Ok::<_, Failure>(find(text, steps)?.map(|value| out.extend_from_slice_copy(value.as_bytes())))
    });
});

/// JSON_EXTRACT_STRING(json, path) and `->>`.
pub const EXTRACT_TEXT: RowFunction = RowFunction::with("JSON_EXTRACT_STRING", Literals::Path, |rows| {
    with_path!(rows, write, |text, steps, out| Ok::<_, Failure>(
        find(text, steps)?.and_then(|value| put_text(value, out))
    ));
});

/// JSON_EXTRACT(json, index) and `->`.
pub const ELEMENT: RowFunction = RowFunction::new("JSON_EXTRACT", |rows| {
    rows.write(|(text, index): (&str, i64), out| {
        let found = find(text, &[Step::Element(index)])?;
        Ok(found.map(|value| out.extend_from_slice_copy(value.as_bytes())))
    });
});

/// JSON_EXTRACT_STRING(json, index) and `->>`.
pub const ELEMENT_TEXT: RowFunction = RowFunction::new("JSON_EXTRACT_STRING", |rows| {
    rows.write(|(text, index): (&str, i64), out| {
        Ok(find(text, &[Step::Element(index)])?.and_then(|value| put_text(value, out)))
    });
});

/// JSON_VALUE(json, path): NULL where there is no JSON, and of an object or an array.
pub const VALUE: RowFunction = RowFunction::with("JSON_VALUE", Literals::Path, |rows| {
    with_path!(rows, write, |text, steps, out| {
        let found = find(text, steps).unwrap_or(None).filter(|value| !value.starts_with(['{', '[']));
        Ok::<_, Failure>(found.and_then(|value| put_text(value, out)))
    });
});

/// JSON_EXISTS(json, path): FALSE where there is no JSON.
pub const EXISTS: RowFunction = RowFunction::with("JSON_EXISTS", Literals::Path, |rows| {
    with_path!(rows, each, |text, steps| Ok::<_, Failure>(matches!(find(text, steps), Ok(Some(_)))));
});

/// JSON_TYPE(json, path).
pub const TYPE: RowFunction = RowFunction::with("JSON_TYPE", Literals::Path, |rows| {
    with_path!(rows, write, |text, steps, out| {
        let kind = find(text, steps)?.map(|value| match value.as_bytes().first() {
            Some(b'{') => "object",
            Some(b'[') => "array",
            Some(b'"') => "string",
            Some(b't' | b'f') => "boolean",
            Some(b'n') => "null",
            _ => "number",
        });
        Ok::<_, Failure>(kind.map(|kind| out.extend_from_slice_copy(kind.as_bytes())))
    });
});

/// JSON_ARRAY_LENGTH(json, path): 0 of what is no array.
pub const ARRAY_LENGTH: RowFunction = RowFunction::with("JSON_ARRAY_LENGTH", Literals::Path, |rows| {
    with_path!(rows, each, |text, steps| {
        Ok::<_, Failure>(find(text, steps)?.map(|value| array_length(value).unwrap_or(0) as i64))
    });
});

/// JSON_VALID(text).
pub const VALID: RowFunction =
    RowFunction::new("JSON_VALID", |rows: &mut Rows<'_, '_>| rows.each(|(text,): (&str,)| find(text, &[]).is_ok()));

/// JSON_QUOTE(text): a JSON string.
pub const QUOTE: RowFunction = RowFunction::new("JSON_QUOTE", |rows| {
    rows.write(|(text,): (&[u8],), out| {
        out.push(b'"');
        for byte in text {
            match byte {
                b'"' | b'\\' => out.extend_from_slice_copy(&[b'\\', *byte]),
                b'\n' => out.extend_from_slice_copy(b"\\n"),
                b'\r' => out.extend_from_slice_copy(b"\\r"),
                b'\t' => out.extend_from_slice_copy(b"\\t"),
                8 => out.extend_from_slice_copy(b"\\b"),
                12 => out.extend_from_slice_copy(b"\\f"),
                0..0x20 => {
                    out.extend_from_slice_copy(b"\\u00");
                    super::digest::put_byte(out, *byte, b'a');
                }
                _ => out.push(*byte),
            }
        }
        out.push(b'"');
    });
});
