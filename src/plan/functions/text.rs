//! Functions of text.

use super::signature::{Default, Returns, any, text, whole};
use super::{Definition, Form, Group, built, define, rewrite, row, variadic};
use crate::function::{bits, digest, text as rows};
use crate::plan::coerce::{Bound, Planned};
use crate::plan::expr::{Expr, ExprKind, Function};
use crate::types::DataType;

const VARCHAR: Returns = Returns::Type(DataType::Varchar);
const BIGINT: Returns = Returns::Type(DataType::BigInt);
const BOOLEAN: Returns = Returns::Type(DataType::Boolean);

/// The rewriting of a call whose arguments are all turned into text.
fn joined(function: Function) -> impl Fn(Vec<Bound>, crate::error::Span) -> Planned<Bound> {
    move |args, span| {
        let args = args.into_iter().map(super::as_varchar).collect::<Planned<Vec<_>>>()?;
        Ok(Bound::typed(Expr { kind: ExprKind::Call { function, args }, data_type: DataType::Varchar }, span))
    }
}

const SUBSTRING: &[Form] = &[
    built(&[text("text"), whole("start")], VARCHAR, Function::Substring),
    built(&[text("text"), whole("start"), whole("length")], VARCHAR, Function::Substring),
];

const STRPOS: &[Form] = &[row(&[text("text"), text("part")], BIGINT, rows::STRPOS)];

pub(super) static TEXT: &[Definition] = &[
    define(
        "UPPER",
        &["UCASE"],
        Group::Text,
        "Upper case, character by character, by Unicode.",
        &[built(&[text("text")], VARCHAR, Function::Upper)],
        &[("UPPER('gr\u{fc}n')", "GR\u{dc}N")],
    ),
    define(
        "LOWER",
        &["LCASE"],
        Group::Text,
        "Lower case, character by character, by Unicode.",
        &[built(&[text("text")], VARCHAR, Function::Lower)],
        &[("LOWER('GR\u{dc}N')", "gr\u{fc}n")],
    ),
    define(
        "INITCAP",
        &[],
        Group::Text,
        "Each word with its first letter in upper case and the others in lower case; a word is a run of letters and digits.",
        &[row(&[text("text")], VARCHAR, rows::INITCAP)],
        &[("INITCAP('hello WORLD')", "Hello World")],
    ),
    define(
        "LENGTH",
        &["LEN", "CHAR_LENGTH", "CHARACTER_LENGTH"],
        Group::Text,
        "Number of characters.",
        &[built(&[text("text")], BIGINT, Function::Length)],
        &[("LENGTH('gr\u{fc}n')", "4")],
    ),
    define(
        "OCTET_LENGTH",
        &["STRLEN"],
        Group::Text,
        "Number of bytes of the text in UTF-8.",
        &[row(&[text("text")], BIGINT, rows::OCTET_LENGTH)],
        &[("OCTET_LENGTH('gr\u{fc}n')", "5")],
    ),
    define(
        "BIT_LENGTH",
        &[],
        Group::Text,
        "Number of bits of the text in UTF-8.",
        &[row(&[text("text")], BIGINT, rows::BIT_LENGTH)],
        &[("BIT_LENGTH('abc')", "24")],
    ),
    define(
        "SUBSTRING",
        &["SUBSTR"],
        Group::Text,
        "Characters from `start` on, which counts from 1; a start below 1 eats into the length, a negative length fails \
         the record. Also `SUBSTRING(text FROM start FOR length)`.",
        SUBSTRING,
        &[("SUBSTRING('corelane', 5)", "lane"), ("SUBSTRING('corelane' FROM 1 FOR 4)", "core")],
    ),
    define(
        "LEFT",
        &[],
        Group::Text,
        "The first `n` characters; with a negative `n` all but the last `-n`.",
        &[row(&[text("text"), whole("n")], VARCHAR, rows::LEFT)],
        &[("LEFT('corelane', 4)", "core"), ("LEFT('corelane', -1)", "corelan")],
    ),
    define(
        "RIGHT",
        &[],
        Group::Text,
        "The last `n` characters; with a negative `n` all but the first `-n`.",
        &[row(&[text("text"), whole("n")], VARCHAR, rows::RIGHT)],
        &[("RIGHT('corelane', 4)", "lane"), ("RIGHT('corelane', -1)", "orelane")],
    ),
    define(
        "TRIM",
        &["BTRIM"],
        Group::Text,
        "The text without the spaces at both ends, or without any of `characters` there. Also `TRIM(BOTH 'x' FROM text)`, \
         with LEADING or TRAILING for one end.",
        &[
            built(&[text("text")], VARCHAR, Function::Trim),
            row(&[text("text"), text("characters")], VARCHAR, rows::TRIM),
        ],
        &[("TRIM('  a b ')", "a b"), ("TRIM('--a-', '-')", "a"), ("TRIM(LEADING '0' FROM '007')", "7")],
    ),
    define(
        "LTRIM",
        &[],
        Group::Text,
        "The text without the spaces, or any of `characters`, at its start.",
        &[row(&[text("text"), text("characters").or(Default::Text(" "))], VARCHAR, rows::LTRIM)],
        &[("LTRIM('xyxa', 'xy')", "a")],
    ),
    define(
        "RTRIM",
        &[],
        Group::Text,
        "The text without the spaces, or any of `characters`, at its end.",
        &[row(&[text("text"), text("characters").or(Default::Text(" "))], VARCHAR, rows::RTRIM)],
        &[("RTRIM('1.500', '0')", "1.5")],
    ),
    define(
        "LPAD",
        &[],
        Group::Text,
        "Filled with `fill` (a space) at the left up to `width` characters; a longer text is cut at the right.",
        &[row(&[text("text"), whole("width"), text("fill").or(Default::Text(" "))], VARCHAR, rows::LPAD)],
        &[("LPAD('7', 3, '0')", "007"), ("LPAD('12345', 3, '0')", "123")],
    ),
    define(
        "RPAD",
        &[],
        Group::Text,
        "Filled with `fill` (a space) at the right up to `width` characters; a longer text is cut at the right.",
        &[row(&[text("text"), whole("width"), text("fill").or(Default::Text(" "))], VARCHAR, rows::RPAD)],
        &[("RPAD('ab', 5, '.-')", "ab.-.")],
    ),
    define(
        "REPEAT",
        &[],
        Group::Text,
        "The text `n` times; empty for `n` below 1.",
        &[row(&[text("text"), whole("n")], VARCHAR, rows::REPEAT)],
        &[("REPEAT('ab', 3)", "ababab")],
    ),
    define(
        "REPLACE",
        &[],
        Group::Text,
        "Every occurrence of `from` replaced by `to`; an empty `from` changes nothing.",
        &[row(&[text("text"), text("from"), text("to")], VARCHAR, rows::REPLACE)],
        &[("REPLACE('a.b.c', '.', '/')", "a/b/c")],
    ),
    define(
        "REVERSE",
        &[],
        Group::Text,
        "The characters backwards (by code point: combining marks change places with their letters).",
        &[row(&[text("text")], VARCHAR, rows::REVERSE)],
        &[("REVERSE('abc')", "cba")],
    ),
    define(
        "TRANSLATE",
        &[],
        Group::Text,
        "Each character of `from` becomes the one at its place in `to`, or goes if there is none.",
        &[row(&[text("text"), text("from"), text("to")], VARCHAR, rows::TRANSLATE)],
        &[("TRANSLATE('1,234.5', '.,', ',')", "1234,5")],
    ),
    define(
        "OVERLAY",
        &[],
        Group::Text,
        "`length` characters from `start` give way to `new`. Also `OVERLAY(text PLACING new FROM start FOR length)`, where \
         the length may be left out: it is that of `new`.",
        &[row(&[text("text"), text("new"), whole("start"), whole("length")], VARCHAR, rows::OVERLAY)],
        &[("OVERLAY('abcdef' PLACING 'XY' FROM 3)", "abXYef"), ("OVERLAY('abcdef', 'X', 2, 4)", "aXf")],
    ),
    define(
        "CONCAT",
        &[],
        Group::Text,
        "The arguments as text, one after another; NULL ones are skipped.",
        &[variadic(&[any("x")], VARCHAR, |args, span| joined(Function::Concat)(args, span))],
        &[("CONCAT('a', NULL, 1)", "a1")],
    ),
    define(
        "CONCAT_WS",
        &[],
        Group::Text,
        "The arguments as text with `separator` between them; NULL ones are skipped, a NULL separator gives NULL.",
        &[variadic(&[any("separator"), any("x")], VARCHAR, |args, span| joined(Function::ConcatWs)(args, span))],
        &[("CONCAT_WS('-', 2024, NULL, 'a')", "2024-a")],
    ),
    define(
        "||",
        &[],
        Group::Text,
        "Both sides as text, one after the other; NULL if either is.",
        &[super::syntax(&[any("x"), any("y")], VARCHAR)],
        &[("'a' || 1", "a1"), ("'a' || NULL", "NULL")],
    ),
    define(
        "STRPOS",
        &["INSTR", "POSITION"],
        Group::Text,
        "Where `part` first stands, in characters from 1; 0 if it does not. The standard writes `POSITION(part IN text)`.",
        STRPOS,
        &[("STRPOS('corelane', 'lane')", "5"), ("POSITION('x' IN 'corelane')", "0")],
    ),
    define(
        "STARTS_WITH",
        &["PREFIX"],
        Group::Text,
        "Whether the text starts with `part`.",
        &[row(&[text("text"), text("part")], BOOLEAN, rows::STARTS_WITH)],
        &[("STARTS_WITH('corelane', 'core')", "true")],
    ),
    define(
        "ENDS_WITH",
        &["SUFFIX"],
        Group::Text,
        "Whether the text ends with `part`.",
        &[row(&[text("text"), text("part")], BOOLEAN, rows::ENDS_WITH)],
        &[("ENDS_WITH('corelane', 'core')", "false")],
    ),
    define(
        "CONTAINS",
        &[],
        Group::Text,
        "Whether `part` stands in the text.",
        &[row(&[text("text"), text("part")], BOOLEAN, rows::CONTAINS)],
        &[("CONTAINS('corelane', 'rela')", "true")],
    ),
    define(
        "SPLIT_PART",
        &[],
        Group::Text,
        "The `n`-th part between `delimiter`s, from 1, or with a negative `n` from the last; empty if there is none.",
        &[row(&[text("text"), text("delimiter"), whole("n")], VARCHAR, rows::SPLIT_PART)],
        &[("SPLIT_PART('a/b/c', '/', 2)", "b"), ("SPLIT_PART('a/b/c', '/', -1)", "c")],
    ),
    define(
        "ASCII",
        &["UNICODE", "ORD"],
        Group::Text,
        "The Unicode code point of the first character; 0 of empty text.",
        &[row(&[text("text")], BIGINT, rows::ASCII)],
        &[("ASCII('A')", "65")],
    ),
    define(
        "CHR",
        &[],
        Group::Text,
        "The character of a Unicode code point; a number that is none, or 0, fails the record.",
        &[row(&[whole("code")], VARCHAR, rows::CHR)],
        &[("CHR(8364)", "\u{20ac}")],
    ),
    define(
        "HEX",
        &["TO_HEX"],
        Group::Text,
        "The bytes of a text, or a whole number (a negative one as its two's complement), in hexadecimal.",
        &[row(&[text("text")], VARCHAR, rows::HEX), row(&[whole("n")], VARCHAR, rows::HEX_NUMBER)],
        &[("HEX('Az')", "417A"), ("HEX(255)", "FF")],
    ),
    define(
        "UNHEX",
        &["FROM_HEX"],
        Group::Text,
        "The text whose bytes are written in hexadecimal; anything else, and bytes that are not UTF-8, fail the record.",
        &[row(&[text("text")], VARCHAR, rows::UNHEX)],
        &[("UNHEX('417A')", "Az")],
    ),
    define(
        "BIN",
        &["TO_BINARY"],
        Group::Text,
        "A whole number in binary digits, a negative one as its two's complement.",
        &[row(&[whole("n")], VARCHAR, rows::BIN)],
        &[("BIN(10)", "1010")],
    ),
    define(
        "MD5",
        &[],
        Group::Text,
        "The MD5 digest of the text, in hexadecimal.",
        &[row(&[text("text")], VARCHAR, digest::MD5)],
        &[("MD5('abc')", "900150983cd24fb0d6963f7d28e17f72")],
    ),
    define(
        "SHA256",
        &[],
        Group::Text,
        "The SHA-256 digest of the text, in hexadecimal.",
        &[row(&[text("text")], VARCHAR, digest::SHA256)],
        &[("SHA256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")],
    ),
    define(
        "HASH",
        &[],
        Group::Text,
        "A number of 64 bits that depends on the value's text alone and never changes: for sampling and buckets, not for \
         secrets. Other engines have other numbers.",
        &[rewrite(&[any("x")], BIGINT, |args, span| {
            let args = args.into_iter().map(super::as_varchar).collect::<Planned<Vec<_>>>()?;
            let kind = ExprKind::Call { function: Function::Row(digest::HASH), args };
            Ok(Bound::typed(Expr { kind, data_type: DataType::BigInt }, span))
        })],
        &[("HASH('abc') = HASH('abc')", "true"), ("HASH(1) = HASH('1')", "true")],
    ),
    define(
        "LEVENSHTEIN",
        &[],
        Group::Text,
        "Characters to insert, delete or exchange to make one text of the other.",
        &[row(&[text("a"), text("b")], BIGINT, rows::LEVENSHTEIN)],
        &[("LEVENSHTEIN('kitten', 'sitting')", "3")],
    ),
];

/// Functions of bits.
pub(super) static BITS: &[Definition] = &[
    define(
        "BITAND",
        &[],
        Group::Number,
        "Bits that both have; also `a & b`.",
        &[row(&[whole("a"), whole("b")], BIGINT, bits::BITAND)],
        &[("BITAND(12, 10)", "8"), ("12 & 10", "8")],
    ),
    define(
        "BITOR",
        &[],
        Group::Number,
        "Bits that either has; also `a | b`.",
        &[row(&[whole("a"), whole("b")], BIGINT, bits::BITOR)],
        &[("BITOR(12, 10)", "14"), ("12 | 10", "14")],
    ),
    define(
        "BITXOR",
        &["XOR"],
        Group::Number,
        "Bits that one has and the other has not.",
        &[row(&[whole("a"), whole("b")], BIGINT, bits::BITXOR)],
        &[("BITXOR(12, 10)", "6")],
    ),
    define(
        "BITNOT",
        &[],
        Group::Number,
        "All bits turned over.",
        &[row(&[whole("a")], BIGINT, bits::BITNOT)],
        &[("BITNOT(0)", "-1")],
    ),
    define(
        "BITSHIFTLEFT",
        &[],
        Group::Number,
        "Bits moved `n` places to the left, 0 to 63; what leaves is lost.",
        &[row(&[whole("a"), whole("n")], BIGINT, bits::BITSHIFTLEFT)],
        &[("BITSHIFTLEFT(1, 10)", "1024")],
    ),
    define(
        "BITSHIFTRIGHT",
        &[],
        Group::Number,
        "Bits moved `n` places to the right, 0 to 63; the sign stays.",
        &[row(&[whole("a"), whole("n")], BIGINT, bits::BITSHIFTRIGHT)],
        &[("BITSHIFTRIGHT(-1024, 10)", "-1")],
    ),
    define(
        "BIT_COUNT",
        &[],
        Group::Number,
        "Number of bits that are set.",
        &[row(&[whole("a")], BIGINT, bits::BIT_COUNT)],
        &[("BIT_COUNT(255)", "8")],
    ),
];
