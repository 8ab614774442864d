//! Functions of text. A character is a Unicode scalar value; positions count characters from 1.

use bumpalo::collections::Vec as ArenaVec;

use super::prepared::RowFunction;
use super::rows::{Failure, Rows};
use crate::limits::FUNCTION_TEXT_BYTES_MAX;

type Out<'a> = ArenaVec<'a, u8>;

fn put(out: &mut Out<'_>, text: &str) {
    out.extend_from_slice_copy(text.as_bytes());
}

fn put_char(out: &mut Out<'_>, c: char) {
    out.extend_from_slice_copy(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

/// The byte at which character `index` (from 0) begins, or the end of the text.
fn byte_of(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(at, _)| at)
}

fn count(n: i64) -> usize {
    usize::try_from(n).unwrap_or(if n < 0 { 0 } else { usize::MAX })
}

/// How many characters a signed length takes: a negative one is what to leave.
fn taken(text: &str, n: i64) -> usize {
    if n >= 0 { count(n) } else { characters(text).saturating_sub(count(n.saturating_neg())) }
}

/// LEFT(text, n).
pub const LEFT: RowFunction = RowFunction::new("LEFT", |rows| {
    rows.write(|(text, n): (&str, i64), out| put(out, &text[..byte_of(text, taken(text, n))]));
});

/// RIGHT(text, n).
pub const RIGHT: RowFunction = RowFunction::new("RIGHT", |rows| {
    rows.write(|(text, n): (&str, i64), out| {
        let skipped = if n >= 0 { characters(text).saturating_sub(count(n)) } else { count(n.saturating_neg()) };
        put(out, &text[byte_of(text, skipped)..]);
    });
});

/// OCTET_LENGTH(text).
pub const OCTET_LENGTH: RowFunction =
    RowFunction::new("OCTET_LENGTH", |rows| rows.each(|(text,): (&[u8],)| text.len() as i64));

/// BIT_LENGTH(text).
pub const BIT_LENGTH: RowFunction =
    RowFunction::new("BIT_LENGTH", |rows| rows.each(|(text,): (&[u8],)| text.len() as i64 * 8));

/// INITCAP(text): a word is a run of letters and digits.
pub const INITCAP: RowFunction = RowFunction::new("INITCAP", |rows| {
    rows.write(|(text,): (&str,), out| {
        let mut inside = false;
        for c in text.chars() {
            if inside {
                c.to_lowercase().for_each(|c| put_char(out, c));
            } else {
                c.to_uppercase().for_each(|c| put_char(out, c));
            }
            inside = c.is_alphanumeric();
        }
    });
});

/// TRIM(text, characters).
pub const TRIM: RowFunction = RowFunction::new("TRIM", |rows| {
    rows.write(|(text, set): (&str, &str), out| put(out, text.trim_matches(|c| set.contains(c))));
});

/// LTRIM(text, characters).
pub const LTRIM: RowFunction = RowFunction::new("LTRIM", |rows| {
    rows.write(|(text, set): (&str, &str), out| put(out, text.trim_start_matches(|c| set.contains(c))));
});

/// RTRIM(text, characters).
pub const RTRIM: RowFunction = RowFunction::new("RTRIM", |rows| {
    rows.write(|(text, set): (&str, &str), out| put(out, text.trim_end_matches(|c| set.contains(c))));
});

/// Fills up to `width` characters with `fill`, over and over, before (`left`) or after the text.
fn pad(rows: &mut Rows<'_, '_>, left: bool) {
    rows.write(|(text, width, fill): (&str, i64, &str), out| {
        let width = count(width);
        let missing = width.saturating_sub(characters(text));
        if missing == 0 || fill.is_empty() {
            put(out, &text[..byte_of(text, width)]);
            return Ok(());
        }
        // At least one byte a character, so this bounds the loop as well as the text.
        if missing > FUNCTION_TEXT_BYTES_MAX {
            return Err(Failure::TooLong);
        }
        let filling = |out: &mut Out<'_>| fill.chars().cycle().take(missing).for_each(|c| put_char(out, c));
        if left {
            filling(out);
            put(out, text);
        } else {
            put(out, text);
            filling(out);
        }
        Ok(())
    });
}

/// LPAD(text, width, fill).
pub const LPAD: RowFunction = RowFunction::new("LPAD", |rows| pad(rows, true));

/// RPAD(text, width, fill).
pub const RPAD: RowFunction = RowFunction::new("RPAD", |rows| pad(rows, false));

/// REPEAT(text, n).
pub const REPEAT: RowFunction = RowFunction::new("REPEAT", |rows| {
    rows.write(|(text, n): (&[u8], i64), out| {
        let times = if text.is_empty() { 0 } else { count(n) };
        if times.saturating_mul(text.len()) > FUNCTION_TEXT_BYTES_MAX {
            return Err(Failure::TooLong);
        }
        (0..times).for_each(|_| out.extend_from_slice_copy(text));
        Ok(())
    });
});

/// REPLACE(text, from, to): every occurrence; of empty text there is none.
pub const REPLACE: RowFunction = RowFunction::new("REPLACE", |rows| {
    rows.write(|(text, from, to): (&[u8], &[u8], &[u8]), out| {
        if from.is_empty() {
            out.extend_from_slice_copy(text);
            return Ok(());
        }
        let (start, mut rest) = (out.len(), text);
        while let Some(at) = memchr::memmem::find(rest, from) {
            out.extend_from_slice_copy(&rest[..at]);
            out.extend_from_slice_copy(to);
            rest = &rest[at + from.len()..];
            if out.len() - start > FUNCTION_TEXT_BYTES_MAX {
                return Err(Failure::TooLong);
            }
        }
        out.extend_from_slice_copy(rest);
        Ok(())
    });
});

/// REVERSE(text).
pub const REVERSE: RowFunction = RowFunction::new("REVERSE", |rows| {
    rows.write(|(text,): (&str,), out| text.chars().rev().for_each(|c| put_char(out, c)));
});

/// TRANSLATE(text, from, to): each character of `from` becomes the one at its place in `to`, or goes if there is none.
pub const TRANSLATE: RowFunction = RowFunction::new("TRANSLATE", |rows| {
    rows.write(|(text, from, to): (&str, &str, &str), out| {
        for c in text.chars() {
            match from.chars().position(|other| other == c) {
                None => put_char(out, c),
                Some(index) => {
                    if let Some(c) = to.chars().nth(index) {
                        put_char(out, c);
                    }
                }
            }
        }
    });
});

/// OVERLAY(text, new, start, length): `length` characters from `start` give way to `new`.
pub const OVERLAY: RowFunction = RowFunction::new("OVERLAY", |rows| {
    rows.write(|(text, new, start, length): (&str, &str, i64, i64), out| {
        if start < 1 {
            return Err(Failure::Refused("the start is below 1"));
        }
        let from = byte_of(text, count(start - 1));
        let to = byte_of(text, count((start - 1).saturating_add(length)));
        put(out, &text[..from]);
        put(out, new);
        put(out, &text[to..]);
        Ok(())
    });
});

/// The number of the character at which `part` first stands, from 1; 0 if it does not.
fn position(text: &str, part: &str) -> i64 {
    text.find(part).map_or(0, |at| characters(&text[..at]) as i64 + 1)
}

/// STRPOS(text, part).
pub const STRPOS: RowFunction =
    RowFunction::new("STRPOS", |rows| rows.each(|(text, part): (&str, &str)| position(text, part)));

/// STARTS_WITH(text, part).
pub const STARTS_WITH: RowFunction =
    RowFunction::new("STARTS_WITH", |rows| rows.each(|(text, part): (&[u8], &[u8])| text.starts_with(part)));

/// ENDS_WITH(text, part).
pub const ENDS_WITH: RowFunction =
    RowFunction::new("ENDS_WITH", |rows| rows.each(|(text, part): (&[u8], &[u8])| text.ends_with(part)));

/// CONTAINS(text, part).
pub const CONTAINS: RowFunction = RowFunction::new("CONTAINS", |rows| {
    rows.each(|(text, part): (&[u8], &[u8])| memchr::memmem::find(text, part).is_some());
});

/// SPLIT_PART(text, delimiter, n): the n-th part, from 1, or from the last backwards with -1; empty if there is none.
pub const SPLIT_PART: RowFunction = RowFunction::new("SPLIT_PART", |rows| {
    rows.write(|(text, delimiter, n): (&str, &str, i64), out| {
        let index = match n {
            0 => return Err(Failure::Refused("parts count from 1")),
            1.. => count(n - 1),
            _ => count(-(n + 1)),
        };
        // Without a delimiter the text is one part.
        let part = if delimiter.is_empty() {
            (index == 0).then_some(text)
        } else if n > 0 {
            text.split(delimiter).nth(index)
        } else {
            text.rsplit(delimiter).nth(index)
        };
        put(out, part.unwrap_or(""));
        Ok(())
    });
});

/// ASCII(text): the code point of the first character, 0 of empty text.
pub const ASCII: RowFunction = RowFunction::new("ASCII", |rows| {
    rows.each(|(text,): (&str,)| text.chars().next().map_or(0, |c| i64::from(u32::from(c))));
});

/// CHR(code point).
pub const CHR: RowFunction = RowFunction::new("CHR", |rows| {
    rows.write(|(code,): (i64,), out| {
        let c = u32::try_from(code).ok().filter(|code| *code > 0).and_then(char::from_u32);
        let c = c.ok_or(Failure::Refused("the number is no character"))?;
        put_char(out, c);
        Ok(())
    });
});

/// HEX(text): its bytes.
pub const HEX: RowFunction = RowFunction::new("HEX", |rows| {
    rows.write(|(text,): (&[u8],), out| text.iter().for_each(|byte| super::digest::put_byte(out, *byte, b'A')));
});

/// HEX(number): without leading zeros, a negative one as its two's complement.
pub const HEX_NUMBER: RowFunction = RowFunction::new("HEX", |rows| radix(rows, 4));

/// BIN(number): as HEX of a number.
pub const BIN: RowFunction = RowFunction::new("BIN", |rows| radix(rows, 1));

/// The digits of a number, `bits` bits each.
fn radix(rows: &mut Rows<'_, '_>, bits: u32) {
    rows.write(|(number,): (i64,), out| {
        let number = number as u64;
        let digits = (64 - number.leading_zeros()).div_ceil(bits).max(1);
        for digit in (0..digits).rev() {
            out.push(b"0123456789ABCDEF"[(number >> (digit * bits) & ((1 << bits) - 1)) as usize]);
        }
    });
}

/// UNHEX(text): the text whose bytes are written.
pub const UNHEX: RowFunction = RowFunction::new("UNHEX", |rows| {
    rows.write(|(text,): (&[u8],), out| {
        let start = out.len();
        let (pairs, odd) = text.as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(Failure::Refused("the text is not hexadecimal"));
        if !odd.is_empty() {
            return Err(Failure::Refused("the text is not hexadecimal"));
        }
        for [high, low] in pairs {
            // Two digits are less than 256.
            out.push((digit(*high)? * 16 + digit(*low)?) as u8);
        }
        match std::str::from_utf8(&out[start..]) {
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::Refused("the bytes are not UTF-8")),
        }
    });
});

/// LEVENSHTEIN(a, b): characters to insert, delete or exchange.
pub const LEVENSHTEIN: RowFunction = RowFunction::new("LEVENSHTEIN", |rows| {
    let arena = rows.arena();
    let mut previous: ArenaVec<'_, i64> = ArenaVec::new_in(arena);
    rows.each(|(a, b): (&str, &str)| {
        // The work is the product of the lengths.
        if a.len().saturating_mul(b.len()) > LEVENSHTEIN_WORK_MAX {
            return Err(Failure::TooLong);
        }
        previous.clear();
        previous.extend(0..=characters(b) as i64);
        for (i, x) in (1..).zip(a.chars()) {
            let mut diagonal = i - 1;
            previous[0] = i;
            for (j, y) in b.chars().enumerate() {
                let exchanged = diagonal + i64::from(x != y);
                diagonal = previous[j + 1];
                previous[j + 1] = exchanged.min(diagonal + 1).min(previous[j] + 1);
            }
        }
        Ok(previous[previous.len() - 1])
    });
});

/// Steps that LEVENSHTEIN takes for one row: two texts of 16 KiB.
const LEVENSHTEIN_WORK_MAX: usize = 1 << 28;
