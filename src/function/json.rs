//! Functions of JSON in text. A document is looked at once a call, from left to right, without building a tree.
//!
//! A member that stands twice in an object is the last one. A document that is no JSON fails the row, except where said.

use bumpalo::collections::Vec as ArenaVec;

use super::path::{Path, Step};
use super::prepared::{Literals, Prepared, RowFunction};
use super::rows::{Failure, Made, Rows};
use super::scan;

const MALFORMED: Failure = Failure::Refused("the text is not JSON");
const WRONG_PATH: Failure = Failure::Refused("the path into JSON is not valid");

/// The value at the end of `steps`, as it is written; `None` if there is none.
fn find<'t>(text: &'t str, steps: &[Step]) -> Result<Option<&'t str>, Failure> {
    scan::find(text, steps).map_err(|_| MALFORMED)
}

/// A value as SQL text: a string without its quotes, NULL for null, all else as it is written.
fn put_text(value: &str, out: &mut ArenaVec<'_, u8>) -> Option<()> {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => scan::unescape(quoted, |piece| out.extend_from_slice_copy(piece)),
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
        Ok::<_, Failure>(find(text, steps)?.map(|value| scan::array_length(value).unwrap_or(0)))
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
