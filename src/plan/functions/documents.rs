//! Functions of JSON in text and of regular expressions.

use super::signature::{Default, Returns, text, whole};
use super::{Definition, Form, Group, define, row, syntax};
use crate::function::{json, pattern};
use crate::types::DataType;

const BIGINT: Returns = Returns::Type(DataType::BigInt);
const BOOLEAN: Returns = Returns::Type(DataType::Boolean);
const VARCHAR: Returns = Returns::Type(DataType::Varchar);

/// JSON_EXTRACT and `->`.
pub(super) const EXTRACT: &[Form] = &[
    row(&[text("json"), text("path")], VARCHAR, json::EXTRACT),
    row(&[text("json"), whole("index")], VARCHAR, json::ELEMENT),
];

/// JSON_EXTRACT_STRING and `->>`.
pub(super) const EXTRACT_TEXT: &[Form] = &[
    row(&[text("json"), text("path")], VARCHAR, json::EXTRACT_TEXT),
    row(&[text("json"), whole("index")], VARCHAR, json::ELEMENT_TEXT),
];

pub(super) static JSON: &[Definition] = &[
    define(
        "JSON_VALUE",
        &[],
        Group::Json,
        "The scalar at a path as text, a string without its quotes; NULL where there is none, for null, objects and arrays, \
         and where the text is no JSON (the standard's NULL ON ERROR).",
        &[row(&[text("json"), text("path")], VARCHAR, json::VALUE)],
        &[
            ("JSON_VALUE('{\"user\": {\"name\": \"Ada\"}}', '$.user.name')", "Ada"),
            ("JSON_VALUE('not json', '$.a')", "NULL"),
        ],
    ),
    define(
        "JSON_EXTRACT",
        &["JSON_QUERY"],
        Group::Json,
        "The value at a path as JSON, as it is written there; NULL if there is none. A path is `$.member[0].\"other \
         member\"[-1]`; text that does not begin with `$` is the name of one member, a number the index of an element, \
         negative ones from the end.",
        EXTRACT,
        &[("JSON_EXTRACT('{\"a\": [1, {\"b\": \"x\"}]}', '$.a[1]')", "{\"b\": \"x\"}")],
    ),
    define(
        "JSON_EXTRACT_STRING",
        &["JSON_EXTRACT_PATH_TEXT"],
        Group::Json,
        "As JSON_EXTRACT, but a string without its quotes, and NULL for null.",
        EXTRACT_TEXT,
        &[("JSON_EXTRACT_STRING('{\"a\": \"x\\ny\"}', '$.a') = CONCAT('x', CHR(10), 'y')", "true")],
    ),
    define(
        "->",
        &[],
        Group::Json,
        "JSON_EXTRACT. Binds more tightly than arithmetic and comparison.",
        &[syntax(&[text("json"), text("path")], VARCHAR)],
        &[("'{\"a\": {\"b\": 1}}' -> 'a' -> 'b'", "1"), ("'[10, 20, 30]' -> -1", "30")],
    ),
    define(
        "->>",
        &[],
        Group::Json,
        "JSON_EXTRACT_STRING.",
        &[syntax(&[text("json"), text("path")], VARCHAR)],
        &[("'{\"a\": \"x\"}' ->> 'a' = 'x'", "true"), ("'{\"a\": [1, 2]}' ->> '$.a[1]'", "2")],
    ),
    define(
        "JSON_EXISTS",
        &[],
        Group::Json,
        "Whether there is a value at a path, null included; FALSE where the text is no JSON.",
        &[row(&[text("json"), text("path")], BOOLEAN, json::EXISTS)],
        &[("JSON_EXISTS('{\"a\": null}', '$.a')", "true"), ("JSON_EXISTS('{\"a\": 1}', '$.b')", "false")],
    ),
    define(
        "JSON_TYPE",
        &["JSON_TYPEOF"],
        Group::Json,
        "`object`, `array`, `string`, `number`, `boolean` or `null`, of the document or of the value at a path.",
        &[row(&[text("json"), text("path").or(Default::Text("$"))], VARCHAR, json::TYPE)],
        &[("JSON_TYPE('[1, 2]')", "array"), ("JSON_TYPE('{\"a\": 1.5}', '$.a')", "number")],
    ),
    define(
        "JSON_ARRAY_LENGTH",
        &[],
        Group::Json,
        "Number of elements of the document or of the value at a path; 0 of what is no array.",
        &[row(&[text("json"), text("path").or(Default::Text("$"))], BIGINT, json::ARRAY_LENGTH)],
        &[("JSON_ARRAY_LENGTH('[1, [2, 3]]')", "2"), ("JSON_ARRAY_LENGTH('{\"a\": [1]}', '$.a')", "1")],
    ),
    define(
        "JSON_VALID",
        &[],
        Group::Json,
        "Whether the text is JSON.",
        &[row(&[text("text")], BOOLEAN, json::VALID)],
        &[("JSON_VALID('{\"a\": 1}')", "true"), ("JSON_VALID('{a: 1}')", "false")],
    ),
    define(
        "JSON_QUOTE",
        &[],
        Group::Json,
        "The text as a JSON string, in quotes.",
        &[row(&[text("text")], VARCHAR, json::QUOTE)],
        &[("JSON_QUOTE('say \"x\"')", "\"say \\\"x\\\"\"")],
    ),
];

const NO_FLAGS: Default = Default::Text("");
const FLAGS: super::Parameter = text("flags").or(NO_FLAGS);

pub(super) static PATTERNS: &[Definition] = &[
    define(
        "REGEXP_LIKE",
        &["REGEXP_MATCHES"],
        Group::Pattern,
        "Whether the pattern is found anywhere in the text. Flags: `i` ignore case, `m` ^ and $ at each line, `s` . is also \
         a line feed, `x` blanks in the pattern mean nothing.",
        &[row(&[text("text"), text("pattern"), FLAGS], BOOLEAN, pattern::REGEXP_LIKE)],
        &[("REGEXP_LIKE('order 66', '[0-9]+')", "true"), ("REGEXP_LIKE('ABC', '^abc$', 'i')", "true")],
    ),
    define(
        "REGEXP_FULL_MATCH",
        &[],
        Group::Pattern,
        "Whether the pattern matches the whole text.",
        &[row(&[text("text"), text("pattern"), FLAGS], BOOLEAN, pattern::REGEXP_FULL_MATCH)],
        &[("REGEXP_FULL_MATCH('order 66', '[0-9]+')", "false")],
    ),
    define(
        "REGEXP_REPLACE",
        &[],
        Group::Pattern,
        "The first match replaced, with flag `g` every one. In `new`, `\\1` to `\\9` stand for groups, `\\0` for the match.",
        &[row(&[text("text"), text("pattern"), text("new"), FLAGS], VARCHAR, pattern::REGEXP_REPLACE)],
        &[
            ("REGEXP_REPLACE('a1b22', '[0-9]+', '#', 'g')", "a#b#"),
            ("REGEXP_REPLACE('Doe, Jane', '(\\w+), (\\w+)', '\\2 \\1')", "Jane Doe"),
        ],
    ),
    define(
        "REGEXP_EXTRACT",
        &[],
        Group::Pattern,
        "The first match, or the group of that number in it; empty text without a match.",
        &[row(
            &[text("text"), text("pattern"), whole("group").or(Default::Whole(0)), FLAGS],
            VARCHAR,
            pattern::REGEXP_EXTRACT,
        )],
        &[("REGEXP_EXTRACT('id=42;', 'id=([0-9]+)', 1)", "42")],
    ),
    define(
        "REGEXP_SUBSTR",
        &[],
        Group::Pattern,
        "As REGEXP_EXTRACT, but NULL without a match.",
        &[row(
            &[text("text"), text("pattern"), whole("group").or(Default::Whole(0)), FLAGS],
            VARCHAR,
            pattern::REGEXP_SUBSTR,
        )],
        &[("REGEXP_SUBSTR('none', '[0-9]+')", "NULL")],
    ),
    define(
        "REGEXP_COUNT",
        &[],
        Group::Pattern,
        "Number of matches that do not overlap.",
        &[row(&[text("text"), text("pattern"), FLAGS], BIGINT, pattern::REGEXP_COUNT)],
        &[("REGEXP_COUNT('a1b22', '[0-9]')", "3")],
    ),
    define(
        "REGEXP_INSTR",
        &[],
        Group::Pattern,
        "Where the first match begins, in characters from 1; 0 without one.",
        &[row(&[text("text"), text("pattern"), FLAGS], BIGINT, pattern::REGEXP_INSTR)],
        &[("REGEXP_INSTR('gr\u{fc}n 7', '[0-9]')", "6")],
    ),
];
