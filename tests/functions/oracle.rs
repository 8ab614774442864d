//! Against SQLite: the same expressions over the same random rows, NULLs among them.

use rusqlite::Connection;
use rusqlite::types::Value;

use corelane::engine::Engine;

use crate::harness::sqlite::ask;
use crate::harness::{Cell, options, run};

/// Ours, and SQLite's where it is written in another way.
const PAIRS: &[(&str, &str)] = &[
    // SQLite knows the case of ASCII only.
    ("upper(translate(s, '\u{e9}', 'e'))", "upper(replace(s, '\u{e9}', 'e'))"),
    ("lower(s)", ""),
    ("length(s)", ""),
    ("octet_length(s)", ""),
    (
        "substr(s, b, 2)",
        "CASE WHEN b > 0 THEN substr(s, b, 2) WHEN b = 0 THEN substr(s, 1, 1) WHEN b < 0 THEN substr(s, 1, 0) END",
    ),
    ("trim(s, 'abx')", ""),
    ("ltrim(s)", ""),
    ("ltrim(s, 'ab')", ""),
    ("rtrim(s, 'ab c')", ""),
    ("replace(s, 'a', p)", ""),
    ("replace(s, p, '-')", ""),
    ("instr(s, p)", ""),
    ("strpos(s, p) > 0", "instr(s, p) > 0"),
    ("contains(s, p)", "instr(s, p) > 0"),
    ("starts_with(s, p)", "substr(s, 1, length(p)) = p"),
    ("ends_with(s, p)", "length(p) <= length(s) AND substr(s, length(s) - length(p) + 1) = p"),
    ("left(s, 2)", "substr(s, 1, 2)"),
    ("right(s, 2)", "CASE WHEN length(s) <= 2 THEN s ELSE substr(s, -2) END"),
    ("hex(s)", "CASE WHEN s IS NOT NULL THEN hex(s) END"),
    ("unhex(hex(s))", "s"),
    ("ascii(s)", "CASE WHEN s = '' THEN 0 ELSE unicode(s) END"),
    ("concat_ws('-', s, a, p)", ""),
    ("concat(s, p)", ""),
    ("s || p", ""),
    ("nullif(s, p)", ""),
    ("ifnull(s, 'none')", ""),
    ("coalesce(s, p, 'x')", ""),
    ("if(a > b, s, p)", "iif(a > b, s, p)"),
    ("s IS DISTINCT FROM p", "s IS NOT p"),
    ("a IS NOT DISTINCT FROM b", "a IS b"),
    ("abs(a)", ""),
    ("sign(a)", ""),
    ("sign(d)", ""),
    ("mod(a, b)", "a % b"),
    ("div(a, b)", "a / b"),
    ("bitand(a, b)", "a & b"),
    ("a | b", ""),
    ("bitnot(a)", "~a"),
    ("bitxor(a, b)", "(a | b) - (a & b)"),
    ("bitshiftleft(a, 3)", "a << 3"),
    ("bitshiftright(a, 3)", "a >> 3"),
    ("greatest(a, b, 0)", "max(coalesce(a, b, 0), coalesce(b, a, 0), 0)"),
    ("least(a, b, 0)", "min(coalesce(a, b, 0), coalesce(b, a, 0), 0)"),
    // Zero without its sign: SQLite has no other.
    ("round(d) + 0", "round(d)"),
    ("trunc(d) + 0", "CAST(CAST(d AS INTEGER) AS REAL)"),
    ("epoch_us(to_timestamp(a)) / 1000000", "a"),
    ("year(to_timestamp(a * 86400))", "CAST(strftime('%Y', a * 86400, 'unixepoch') AS INTEGER)"),
    ("month(to_timestamp(a * 86400))", "CAST(strftime('%m', a * 86400, 'unixepoch') AS INTEGER)"),
    ("dayofyear(to_timestamp(a * 86400))", "CAST(strftime('%j', a * 86400, 'unixepoch') AS INTEGER)"),
    ("dayofweek(to_timestamp(a * 86400))", "CAST(strftime('%w', a * 86400, 'unixepoch') AS INTEGER)"),
    ("isodow(to_timestamp(a * 86400))", "CAST(strftime('%u', a * 86400, 'unixepoch') AS INTEGER)"),
    ("week(to_timestamp(a * 86400))", "CAST(strftime('%V', a * 86400, 'unixepoch') AS INTEGER)"),
    ("isoyear(to_timestamp(a * 86400))", "CAST(strftime('%G', a * 86400, 'unixepoch') AS INTEGER)"),
    ("strftime(to_timestamp(a * 5000), '%Y-%m-%d %H:%M:%S')", "datetime(a * 5000, 'unixepoch')"),
    (
        "strftime(date_trunc('month', to_timestamp(a * 5000)), '%Y-%m-%d')",
        "date(a * 5000, 'unixepoch', 'start of month')",
    ),
    (
        "strftime(last_day(to_timestamp(a * 5000)), '%Y-%m-%d')",
        "date(a * 5000, 'unixepoch', 'start of month', '+1 month', '-1 day')",
    ),
    (
        "strftime(date_add('year', b, date_trunc('year', to_timestamp(a * 5000))), '%Y-%m-%d')",
        "date(a * 5000, 'unixepoch', 'start of year', b || ' years')",
    ),
    ("json_quote(s)", "CASE WHEN s IS NOT NULL THEN json_quote(s) END"),
    // SQLite gives numbers as numbers.
    ("j ->> 'a'", "CAST(j ->> 'a' AS TEXT)"),
    ("j -> 'a'", ""),
    ("json_extract_string(j, '$.b[1]')", "CAST(j ->> '$.b[1]' AS TEXT)"),
    ("j ->> '$.b[#-1]'", "CAST(j ->> '$.b[#-1]' AS TEXT)"),
    ("j -> 'c' ->> 'd'", "CAST(j -> 'c' ->> 'd' AS TEXT)"),
    ("j ->> 'a' = 'x'", ""),
    ("json_array_length(j, '$.b')", ""),
    ("json_array_length(j)", ""),
    ("json_valid(j)", ""),
    ("json_valid(s)", ""),
    ("json_exists(j, '$.b')", "CASE WHEN j IS NULL THEN NULL ELSE json_type(j, '$.b') IS NOT NULL END"),
    ("json_value(j, '$.c.d')", "CAST(j ->> '$.c.d' AS TEXT)"),
];

const TEXTS: [&str; 12] =
    ["", "a", "b", "ab", "abc", " a b ", "ba\u{e9}", "\u{4e2d}\u{6587}a", "xaxbx", "A B", "\"q\\", "1"];

/// Without blanks, because SQLite writes what it extracts anew.
const DOCUMENTS: [&str; 8] = [
    "{\"a\":\"x\",\"b\":[1,2,3],\"c\":{\"d\":\"deep\"}}",
    "{\"a\":5}",
    "{\"b\":[]}",
    "{\"a\":null,\"b\":[\"y\"]}",
    "[1,2]",
    "{\"a\":{\"x\":1},\"c\":{\"d\":1.5}}",
    "{\"a\":\"\\u00e9\\n\",\"b\":[[1],{}]}",
    "7",
];

#[test]
fn functions_agree_with_sqlite() {
    let seed = 20_241_121_u64;
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut csv = String::from("s,p,a,b,d,j\n");
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE t (s TEXT, p TEXT, a INTEGER, b INTEGER, d REAL, j TEXT); BEGIN").unwrap();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    for _ in 0..600 {
        let mut cells: Vec<String> = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        for column in 0..6 {
            if random(6) == 0 {
                cells.push(String::new());
                values.push(Value::Null);
                continue;
            }
            match column {
                2 | 3 => {
                    let number = i64::try_from(random(40)).unwrap() * if column == 2 { 977 } else { 1 } - 20;
                    cells.push(number.to_string());
                    values.push(Value::Integer(number));
                }
                4 => {
                    let number = f64::from(u32::try_from(random(4000)).unwrap()) / 16.0 - 100.0;
                    cells.push(number.to_string());
                    values.push(Value::Real(number));
                }
                _ => {
                    let text = if column == 5 { DOCUMENTS[random(8)] } else { TEXTS[random(12)] };
                    cells.push(quoted(text));
                    values.push(Value::Text(text.into()));
                }
            }
        }
        csv.push_str(&cells.join(","));
        csv.push('\n');
        let sql = "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)";
        connection.execute(sql, rusqlite::params_from_iter(values)).unwrap();
    }
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), csv).unwrap();

    let mut wrong = String::new();
    for batch_rows in ["7", "8192"] {
        for (ours, theirs) in PAIRS {
            let theirs = if theirs.is_empty() { ours } else { theirs };
            let sql = format!(
                "CREATE SOURCE t (s VARCHAR, p VARCHAR, a BIGINT, b BIGINT, d DOUBLE, j VARCHAR)
                 WITH (connector = 'file', path = '{}', on_error = 'fail'); SELECT {ours} AS x FROM t",
                file.path().display()
            );
            let settings = [("processor", "inline"), ("batch_rows", batch_rows)];
            let found = run(&Engine::new(), &sql, &options(&settings)).1;
            let expected = ask(&connection, &format!("SELECT {theirs} FROM t ORDER BY rowid"));
            assert_eq!(found.len(), expected.len(), "{ours}");
            if let Some(row) = (0..found.len()).find(|&row| found[row] != expected[row]) {
                let (found, expected) = (&found[row], &expected[row]);
                wrong.push_str(&format!("{ours}: {found:?}\n{theirs}: {expected:?} (row {row})\n"));
            }
            assert!(found.iter().any(|row| row[0] != Cell::Null), "{ours} shows nothing");
        }
    }
    assert!(wrong.is_empty(), "seed {seed}\n{wrong}");
}
