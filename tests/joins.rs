//! Joins of all kinds: against SQLite, which compares every row with every other, and the same rows under every processor,
//! number of partitions and batch size.

mod harness;
#[path = "reference/joins.rs"]
mod reference;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, new_null_array};
use corelane::batch::arrow_schema;
use corelane::engine::Engine;
use corelane::plan::Scan;
use corelane::types::Options;
use harness::simulation::{Shape, simulated};
use harness::sqlite::{add_table, ask, assert_close, by_exact_cells, generated, sqlite};
use harness::{Cell, Row, everywhere, everywhere_with, options, run, sorted, ways};
use reference::Event;
use rusqlite::Connection;

/// Three streams with disorder within their bounds, NULL keys and repeated keys: their declarations, and the rows.
fn streams(seed: u32) -> (String, Connection) {
    let timed = |rows: Vec<Row>| rows.into_iter().filter(|row| row[0] != Cell::Null).collect::<Vec<Row>>();
    let with = |rows: u32, seed: u32, more: &str| {
        format!("rows = '{rows}', seed = '{seed}', nulls = '0.05', disorder = '0.2', disorder_by = '2s', {more}")
    };
    let (a, a_rows) = generated(
        "a (ts TIMESTAMP NOT NULL, k_id INT, id BIGINT, x BIGINT, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)",
        &with(240, seed, "keys = '9', spacing = '500ms'"),
    );
    let (b, b_rows) = generated(
        "b (at TIMESTAMP NOT NULL, k_id INT, name VARCHAR, y BIGINT, WATERMARK FOR at AS at - INTERVAL '4' SECOND)",
        &with(200, seed + 50, "keys = '9', spacing = '600ms', splits = '2'"),
    );
    let (c, c_rows) = generated(
        "c (cs TIMESTAMP NOT NULL, name VARCHAR, z BIGINT, WATERMARK FOR cs AS cs - INTERVAL '3' SECOND)",
        &with(80, seed + 90, "keys = '12', spacing = '1500ms'"),
    );
    let connection = sqlite("a", "ts, k_id, id, x", &timed(a_rows));
    add_table(&connection, "b", "at, k_id, name, y", &timed(b_rows));
    add_table(&connection, "c", "cs, name, z", &timed(c_rows));
    (format!("{a}\n{b}\n{c}\n"), connection)
}

/// `ours` and `theirs` give the same rows.
fn equal(seed: u32, ours: &str, theirs: &str) -> usize {
    let (declarations, connection) = streams(seed);
    let rows = everywhere(&format!("{declarations} {ours}"));
    let count = rows.len();
    assert_close(ours, &by_exact_cells(rows), &by_exact_cells(ask(&connection, theirs)));
    count
}

/// Asks both the same; intervals are microseconds to SQLite.
fn same(seed: u32, query: &str) -> usize {
    let mut theirs = String::new();
    let mut rest = query;
    while let Some((before, after)) = rest.split_once("INTERVAL '") {
        let (seconds, after) = after.split_once("' SECOND").unwrap();
        theirs.push_str(before);
        theirs.push_str(&format!("{}", seconds.parse::<i64>().unwrap() * 1_000_000));
        rest = after;
    }
    theirs.push_str(rest);
    equal(seed, query, &theirs)
}

const KINDS: [&str; 4] = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"];

#[test]
fn joins_without_bounds_of_time_equal_sqlite() {
    for (seed, kind) in (1..).zip(KINDS) {
        same(seed, &format!("SELECT a.ts, id, x, at, b.k_id AS bk, y FROM a {kind} b ON a.k_id = b.k_id"));
        // Conditions beside the key: on both sides, on the left one, on the right one; another column as bound.
        let residual = "a.k_id = b.k_id AND a.x < b.y AND a.id % 3 = 0 AND b.y % 2 = 0";
        same(seed, &format!("SELECT a.ts, id, x, at, b.k_id AS bk, y FROM a {kind} b ON {residual}"));
        let until = "a.k_id = b.k_id AND b.at BETWEEN a.ts AND a.ts + INTERVAL '1' SECOND * (a.x % 10)";
        let ours = format!("SELECT a.ts, id, x, at, y FROM a {kind} b ON {until}");
        equal(seed, &ours, &ours.replace("INTERVAL '1' SECOND", "1000000"));
    }
}

#[test]
fn residuals_of_interval_joins_equal_sqlite() {
    for (seed, kind) in (5..).zip(KINDS) {
        let on = "a.k_id = b.k_id AND b.at BETWEEN a.ts - INTERVAL '4' SECOND AND a.ts + INTERVAL '6' SECOND";
        let select = "SELECT a.ts, id, x, at, b.k_id AS bk, y FROM a";
        same(seed, &format!("{select} {kind} b ON {on} AND a.x < b.y"));
        same(seed, &format!("{select} {kind} b ON {on} AND (a.x + b.y) % 3 = 1 AND b.y % 2 = 0 AND a.id % 2 = 0"));
    }
}

/// Of sources that have no event time, or only one of them, rows meet at the end.
#[test]
fn tables_are_joined_on_either_side() {
    let (a, a_rows) =
        generated("a (k_id INT, id BIGINT, x BIGINT)", "rows = '150', seed = '3', keys = '40', nulls = '0.1'");
    let (b, b_rows) = generated(
        "b (k_id INT, at TIMESTAMP NOT NULL, y BIGINT, WATERMARK FOR at AS at - INTERVAL '1' SECOND)",
        "rows = '120', seed = '4', keys = '40', nulls = '0.1', splits = '3'",
    );
    let b_rows: Vec<Row> = b_rows.into_iter().filter(|row| row[1] != Cell::Null).collect();
    let connection = sqlite("a", "k_id, id, x", &a_rows);
    add_table(&connection, "b", "k_id, at, y", &b_rows);
    for kind in KINDS {
        for on in
            ["a.k_id = b.k_id", "a.k_id = b.k_id AND a.x < b.y", "a.k_id + 1 = b.k_id * 2 AND a.id % 2 = 0 AND y > 100"]
        {
            for (left, right) in [("a", "b"), ("b", "a")] {
                let query = format!("SELECT id, x, at, y FROM {left} {kind} {right} ON {on}");
                let ours = everywhere(&format!("{a} {b} {query}"));
                assert_close(&query, &by_exact_cells(ours), &by_exact_cells(ask(&connection, &query)));
            }
        }
        let query = format!("SELECT k_id, id, y FROM a {kind} b USING (k_id)");
        let ours = everywhere(&format!("{a} {b} {query}"));
        assert_close(&query, &by_exact_cells(ours), &by_exact_cells(ask(&connection, &query)));
        // A side that groups is read first.
        let query = format!(
            "SELECT g.k_id, n, id, x FROM (SELECT k_id, COUNT(*) AS n FROM b GROUP BY k_id) AS g {kind} a ON g.k_id = a.k_id"
        );
        let ours = everywhere(&format!("{a} {b} {query}"));
        assert_close(&query, &by_exact_cells(ours), &by_exact_cells(ask(&connection, &query)));
    }
}

/// Groups of a window of a stream, to both: `(ours, theirs)`.
fn windowed(name: &str, time: &str, key: &str, value: &str, slide: i64) -> (String, String) {
    let size = 10;
    let window = match slide {
        10 => format!("TUMBLING ({time}, 10s)"),
        _ => format!("SLIDING ({time}, 10s, {slide}s)"),
    };
    let ours = format!(
        "SELECT {key} AS k, COUNT(*) AS n, SUM({value}) AS total, window_start AS s, window_end AS e FROM {name} GROUP BY {key} WINDOW {window}"
    );
    // A row is in size / slide windows: the last one that starts at or before it, and those before.
    let steps: Vec<String> = (0..size / slide).map(|step| format!("SELECT {step} AS step")).collect();
    let start = format!("({time} / {slide}000000 - step) * {slide}000000");
    let theirs = format!(
        "SELECT {key} AS k, COUNT(*) AS n, SUM({value}) AS total, {start} AS s, {start} + 10000000 AS e
         FROM {name}, ({}) GROUP BY {key}, s",
        steps.join(" UNION ALL ")
    );
    (ours, theirs)
}

#[test]
fn joins_of_windows_equal_sqlite() {
    for (seed, (kind, slide)) in (10..).zip(KINDS.into_iter().flat_map(|kind| [(kind, 10), (kind, 2)])) {
        let (a, a_theirs) = windowed("a", "ts", "k_id", "x", slide);
        let (b, b_theirs) = windowed("b", "at", "k_id", "y", slide);
        let query = |a: &str, b: &str, on: &str| {
            format!(
                "SELECT l.k AS lk, l.n AS ln, l.total AS lt, l.s AS ls, r.k AS rk, r.n AS rn, r.s AS rs
                 FROM ({a}) AS l {kind} ({b}) AS r ON l.k = r.k AND {on}"
            )
        };
        for on in ["l.s = r.s AND l.e = r.e", "l.e = r.e AND l.n <= r.n", "l.s = r.s"] {
            equal(seed, &query(&a, &b, on), &query(&a_theirs, &b_theirs, on));
        }
    }
}

/// The groups of each window with the greatest count, and the rows that reach the greatest value of their window.
#[test]
fn windows_joined_with_what_they_hold_equal_sqlite() {
    let (counts, counts_theirs) = windowed("a", "ts", "k_id", "x", 2);
    let hot = |counts: &str| {
        format!(
            "SELECT c.k, c.n, c.s FROM ({counts}) AS c JOIN
             (SELECT MAX(n) AS most, s, e FROM ({counts}) AS i GROUP BY s, e) AS m
             ON c.s = m.s AND c.e = m.e AND c.n >= m.most"
        )
    };
    equal(30, &hot(&counts), &hot(&counts_theirs));
    let greatest = "SELECT MAX(x) AS most, window_end AS e FROM a GROUP BY 1 WINDOW TUMBLING (ts, 10s)";
    let greatest = greatest.replace(" GROUP BY 1", "");
    let greatest_theirs = "SELECT MAX(x) AS most, ts / 10000000 * 10000000 + 10000000 AS e FROM a GROUP BY e";
    let (join, bounds) = ("SELECT a.ts, a.id, m.e FROM a JOIN", "BETWEEN m.e - INTERVAL '10' SECOND AND m.e");
    for clause in [format!("AND a.ts {bounds}"), format!("WHERE a.ts {bounds}")] {
        let ours = format!("{join} ({greatest}) AS m ON a.x = m.most {clause}");
        let theirs = format!("{join} ({greatest_theirs}) AS m ON a.x = m.most {clause}");
        equal(31, &ours, &theirs.replace("INTERVAL '10' SECOND", "10000000"));
    }
}

#[test]
fn three_inputs_equal_sqlite() {
    for (seed, (first, second)) in (40..).zip([
        ("JOIN", "JOIN"),
        ("LEFT JOIN", "JOIN"),
        ("JOIN", "LEFT JOIN"),
        ("FULL JOIN", "LEFT JOIN"),
        ("RIGHT JOIN", "FULL JOIN"),
        ("LEFT JOIN", "RIGHT JOIN"),
    ]) {
        let select = "SELECT a.id, a.ts, b.at, b.y, c.cs, c.z FROM a";
        same(seed, &format!("{select} {first} b ON a.k_id = b.k_id {second} c ON b.name = c.name"));
        // Bounds of time between each two of them.
        if first == "JOIN" {
            same(
                seed,
                &format!(
                    "{select} {first} b ON a.k_id = b.k_id AND b.at BETWEEN a.ts - INTERVAL '3' SECOND AND a.ts + INTERVAL '5' SECOND
                     {second} c ON b.name = c.name AND c.cs BETWEEN b.at - INTERVAL '9' SECOND AND b.at + INTERVAL '2' SECOND"
                ),
            );
        }
    }
}

#[test]
fn what_follows_joins_equals_sqlite() {
    let join = "a JOIN b ON a.k_id = b.k_id AND b.at BETWEEN a.ts AND a.ts + INTERVAL '8' SECOND";
    // Groups of groups over a join.
    same(
        50,
        &format!(
            "SELECT q.k, SUM(q.most) AS total, COUNT(*) AS n FROM (SELECT MAX(b.y) AS most, a.k_id AS k, a.id AS id FROM {join} GROUP BY a.id, a.k_id) AS q GROUP BY q.k"
        ),
    );
    // The first of each key, and a window over the event time of one side.
    let numbered = format!(
        "SELECT a.id AS id, a.x AS x, b.y AS y, b.at AS at, ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.y DESC NULLS LAST, b.at, a.x NULLS LAST) AS n FROM {join}"
    );
    same(51, &format!("SELECT id, x, y, at FROM ({numbered}) AS t WHERE n = 1 AND id IS NOT NULL AND y IS NOT NULL"));
    for (column, seed) in [("ts", 52), ("at", 53)] {
        let ours = format!(
            "SELECT window_start AS s, k, COUNT(*) AS n, SUM(y) AS total FROM (SELECT ts, at, a.k_id AS k, y FROM {join}) AS j GROUP BY k WINDOW TUMBLING ({column}, 20s)"
        );
        let theirs = format!(
            "SELECT {column} / 20000000 * 20000000 AS s, k, COUNT(*) AS n, SUM(y) AS total FROM (SELECT ts, at, a.k_id AS k, y FROM {join}) AS j GROUP BY s, k"
        );
        equal(seed, &ours, &theirs.replace("INTERVAL '8' SECOND", "8000000"));
    }
    // Sources that are read as one on one side.
    let both = "(SELECT ts, k_id, x FROM a UNION ALL SELECT at, k_id, y FROM b)";
    same(
        54,
        &format!(
            "SELECT u.ts, u.x, c.z FROM {both} AS u JOIN c ON u.k_id = c.z % 9 AND c.cs BETWEEN u.ts - INTERVAL '5' SECOND AND u.ts"
        ),
    );
}

/// Steps that keep state one after another run in all partitions if their keys have something in common, which EXPLAIN names, and
/// rows leave in one order then, too.
#[test]
fn steps_that_share_a_key_run_by_it() {
    let near = |left: &str, right: &str| {
        format!("{right} BETWEEN {left} - INTERVAL '3' SECOND AND {left} + INTERVAL '6' SECOND")
    };
    let (a, _) = windowed("a", "ts", "k_id", "x", 10);
    let (b, _) = windowed("b", "at", "k_id", "y", 10);
    let both = "(SELECT ts, k_id, x FROM a UNION ALL SELECT at, k_id, y FROM b) AS u";
    let (u, _) = windowed(both, "ts", "k_id", "x", 10);
    let ab = format!("a {{}} b ON a.k_id = b.k_id AND {}", near("a.ts", "b.at"));
    let ab = |kind: &str| ab.replace("{}", kind);
    let d = "(SELECT at AS dt, k_id, y AS w FROM b) AS d";
    let greatest =
        format!("SELECT k, n, e, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC, e) AS place FROM ({a}) AS w");
    let cases = [
        (format!("SELECT l.k, l.n, r.n AS rn, l.e FROM ({a}) AS l FULL JOIN ({b}) AS r ON l.k = r.k AND l.e = r.e"), "a.k_id = b.k_id"),
        (format!("SELECT l.k, l.n, r.n AS rn FROM ({u}) AS l JOIN ({a}) AS r ON l.k = r.k AND l.e = r.e"), "a.k_id = b.k_id"),
        (format!("SELECT id, y, w, dt FROM {} LEFT JOIN {d} ON d.k_id = a.k_id AND {}", ab("JOIN"), near("a.ts", "d.dt")), "a.k_id = b.k_id"),
        (format!("SELECT id, y, w FROM {} FULL JOIN {d} ON d.k_id = b.k_id AND {}", ab("LEFT JOIN"), near("a.ts", "d.dt")), "fan_in"),
        (format!("SELECT id, y, z FROM {} JOIN c ON b.name = c.name AND {}", ab("JOIN"), near("b.at", "c.cs")), "fan_in"),
        (format!("SELECT a.k_id, COUNT(*) AS n, SUM(y) AS total FROM {} GROUP BY a.k_id", ab("LEFT JOIN")), "k_id"),
        (format!("SELECT b.k_id, COUNT(*) AS n FROM {} GROUP BY b.k_id", ab("LEFT JOIN")), "fan_in"),
        ("SELECT k_id, COUNT(*) AS n, SUM(y) AS total FROM a FULL JOIN b USING (k_id) GROUP BY k_id".into(), "k_id"),
        (format!("SELECT b.k_id, COUNT(*) AS n FROM {} GROUP BY b.k_id, id EMIT CHANGES", ab("JOIN")), "k_id"),
        (format!("SELECT COUNT(*) AS n FROM {} GROUP BY a.k_id EMIT CHANGES PER BATCH", ab("JOIN")), "fan_in"),
        (format!("SELECT window_end, k_id, COUNT(*) AS n FROM (SELECT a.ts, a.k_id, y FROM {}) AS j GROUP BY k_id WINDOW TUMBLING (ts, 7s)", ab("JOIN")), "k_id"),
        ("SELECT k_id, MAX(n) AS most FROM (SELECT k_id, x % 3 AS m, COUNT(*) AS n FROM a GROUP BY k_id, m) AS g GROUP BY k_id".into(), "k_id"),
        ("SELECT m, MAX(n) AS most FROM (SELECT k_id, COUNT(*) AS n, MIN(x) % 3 AS m FROM a GROUP BY k_id) AS g GROUP BY m".into(), "fan_in"),
        (format!("SELECT k, e, n, SUM(n) OVER (PARTITION BY k ORDER BY e) AS so_far FROM ({a}) AS w"), "k_id"),
        (format!("SELECT k, n, RANK() OVER (PARTITION BY k, s ORDER BY n DESC) AS r FROM ({a}) AS w"), "k_id"),
        (format!("SELECT k, window_end, MAX(n) AS most FROM ({a}) AS w GROUP BY k WINDOW TUMBLING (s, 30s)"), "k_id"),
        (format!("SELECT window_end, MAX(n) AS most FROM ({a}) AS w GROUP BY n WINDOW TUMBLING (s, 30s)"), "fan_in"),
        (format!("SELECT k, n, e FROM ({greatest}) AS t WHERE place <= 2 ORDER BY e, n DESC, k"), "k_id"),
        (format!("SELECT k, n, e FROM ({greatest}) AS t WHERE place <= 2"), "fan_in"),
    ];
    for (seed, (query, key)) in (60..).zip(&cases) {
        let sql = format!("{} {query}", streams(seed).0);
        let job = &Engine::new().compile(&sql, &Options::new()).unwrap_or_else(|error| panic!("{error}: {query}"))[0];
        let plan = Engine::new().explain(job, &options(&[("processor", "partitioned"), ("partitions", "3")])).unwrap();
        let expected = match *key {
            "fan_in" => "strategy fan_in: rows of all keys must meet".to_string(),
            key => format!("strategy always_hash: all steps that keep state have this key in common: {key}\n"),
        };
        assert!(plan.contains(&expected), "{query}: {plan}");
        let (_, first) = run(&Engine::new(), &sql, &options(&[("processor", "inline")]));
        // What a batch is shows there.
        if query.contains("PER BATCH") {
            continue;
        }
        assert!(first.len() > 2, "{query}: shows little");
        assert_eq!(everywhere(&sql), sorted(first.clone()), "{query}");
        for (partitions, batch_rows) in [("2", "1"), ("2", "8192"), ("5", "7"), ("5", "64")] {
            let settings = [("processor", "partitioned"), ("partitions", partitions), ("batch_rows", batch_rows)];
            let (report, rows) = run(&Engine::new(), &sql, &options(&settings));
            assert_eq!(rows, first, "{settings:?}: {query}");
            assert_eq!(report.strategy, if *key == "fan_in" { "fan_in" } else { "always_hash" });
        }
    }
}

/// What cannot be joined says what would do.
#[test]
fn streams_without_end_need_bounds() {
    let declarations =
        "CREATE SOURCE a (ts TIMESTAMP, k BIGINT, WATERMARK FOR ts AS ts) WITH (connector = 'generator');
        CREATE SOURCE b (at TIMESTAMP, k BIGINT, WATERMARK FOR at AS at) WITH (connector = 'generator');
        CREATE SOURCE t (k BIGINT, v BIGINT) WITH (connector = 'generator', rows = '10');
        CREATE SOURCE u (k BIGINT, w BIGINT) WITH (connector = 'generator');";
    let error = |query: &str| {
        Engine::new().compile(&format!("{declarations} {query}"), &Options::new()).unwrap_err().to_string()
    };
    for (query, expected) in [
        ("SELECT at FROM a JOIN b ON a.k = b.k", "SET state_ttl"),
        ("SELECT at FROM a JOIN b ON a.k = b.k AND at > ts", "bounds event time from both sides"),
        ("SELECT w FROM a JOIN u ON a.k = u.k", "cannot be the table of a JOIN"),
        ("SELECT v FROM a RIGHT JOIN t ON a.k = t.k", "need the end of the input"),
        ("SELECT v FROM a LEFT JOIN t ON a.k = t.k AND a.k < t.v", "takes equalities"),
        ("SELECT v FROM t JOIN a ON a.k = t.k", "cannot be the table of a JOIN"),
    ] {
        let message = error(query);
        assert!(message.contains(expected) && message.contains("line 4"), "{query}: {message}");
    }
    let kept = "SET state_ttl = '1 minute'; SELECT at FROM a JOIN b ON a.k = b.k";
    Engine::new().compile(&format!("{declarations} {kept}"), &Options::new()).unwrap();
}

const EVENTS: [&str; 2] = [
    "a (ts TIMESTAMP, k_id BIGINT, id BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)",
    "b (at TIMESTAMP, k_id BIGINT, name_id BIGINT, WATERMARK FOR at AS at - INTERVAL '1' SECOND)",
];

/// Two streams with rows far behind their watermarks: the declarations, and the rows, whose ids are unique.
fn disordered(seed: u32) -> (String, [Vec<Event>; 2]) {
    let mut declarations = String::new();
    let events = [0, 1].map(|side| {
        let with = format!(
            "rows = '150', seed = '{}', keys = '4', nulls = '0.03', spacing = '{}ms', disorder = '0.3', disorder_by = '7s'",
            seed + 100 * side,
            400 + 150 * side
        );
        let (source, rows) = generated(EVENTS[side as usize], &with);
        declarations.push_str(&source);
        let number = |cell: &Cell| match cell {
            Cell::Integer(value) => i64::try_from(*value).ok(),
            _ => None,
        };
        // A row is known by its number, so that rows that look alike are told apart.
        let event = |(id, row): (usize, &Row)| Event { time: number(&row[0]), key: number(&row[1]), id: id as i64 };
        (0..).zip(&rows).map(|(id, row)| event((id, row))).collect()
    });
    (declarations, events)
}

/// Ids of the rows of `disordered` stand for their times: two rows of one time and key are one to both sides.
fn shown(pairs: &[[Option<i64>; 2]], events: &[Vec<Event>; 2]) -> Vec<Row> {
    let cell = |value: Option<i64>| value.map_or(Cell::Null, |value| Cell::Integer(value.into()));
    let row = |pair: &[Option<i64>; 2]| {
        let of = |side: usize| pair[side].map(|id| events[side][id as usize]);
        let cells =
            |event: Option<Event>| [cell(event.and_then(|event| event.time)), cell(event.and_then(|event| event.key))];
        [cells(of(0)), cells(of(1))].concat()
    };
    sorted(pairs.iter().map(row).collect())
}

const SHOWN: &str = "SELECT a.ts, a.k_id AS ak, b.at, b.k_id AS bk FROM a";
const SECOND: i64 = 1_000_000;

/// Late rows are dropped and counted, and rows wait no longer for a partner than state is kept.
#[test]
fn state_is_dropped_after_its_time() {
    for seed in 200..206 {
        let (declarations, events) = disordered(seed);
        let (left, left_late) = reference::on_time(&events[0], SECOND, |time| time + 1);
        let (right, right_late) = reference::on_time(&events[1], SECOND, |time| time + 1);
        assert!(left_late > 5 && right_late > 5);
        for (kind, outer) in KINDS.into_iter().zip([[false, false], [true, false], [false, true], [true, true]]) {
            let sql = format!("{declarations} {SHOWN} {kind} b ON a.k_id = b.k_id");
            for (ttl, apart) in [("3s", 3 * SECOND), ("20s", 20 * SECOND), ("off", i64::MAX)] {
                let expected = shown(&reference::paired(&left, &right, apart, outer), &events);
                if ttl == "off" && kind != "FULL JOIN" {
                    continue;
                }
                let kept = format!("SET state_ttl = '{ttl}'; {sql}");
                let found = everywhere_with(&kept, &[("state_ttl", ttl)]);
                assert_eq!(found, (left_late + right_late, expected), "{kept}");
            }
        }
    }
}

/// DISTINCT forgets a row after the time that state is kept; NULL is the same as NULL.
#[test]
fn distinct_rows_are_forgotten() {
    for seed in 240..244 {
        let (declarations, events) = disordered(seed);
        let (kept, late) = reference::on_time(&events[0], SECOND, |time| time + 1);
        for (ttl, forgets) in [("2s", 2 * SECOND), ("700ms", 700_000), ("1 hour", 3600 * SECOND)] {
            let expected = reference::distinct(&kept, forgets);
            let expected: Vec<Row> =
                expected.iter().map(|key| vec![key.map_or(Cell::Null, |key| Cell::Integer(key.into()))]).collect();
            // The first row of each key by event time is the same, and its number is 1 whenever it leaves.
            for query in [
                "SELECT DISTINCT k_id FROM a",
                "SELECT k_id FROM (SELECT k_id, ROW_NUMBER() OVER (PARTITION BY k_id ORDER BY ts) AS n FROM a) AS t WHERE n = 1",
                "SELECT k FROM (SELECT ts, k_id AS k, ROW_NUMBER() OVER (PARTITION BY k_id ORDER BY ts) AS n FROM a WHERE id > -1 OR id IS NULL) AS t
                 WHERE n < 2 AND ts IS NOT NULL AND n * 2 = 2",
            ] {
                let sql = format!("SET state_ttl = '{ttl}'; {declarations} {query}");
                for (processor, partitions, batch_rows) in ways() {
                    let settings = [
                        ("processor", processor),
                        ("partitions", partitions),
                        ("batch_rows", batch_rows),
                        ("state_ttl", ttl),
                    ];
                    let (report, rows) = run(&Engine::new(), &sql, &options(&settings));
                    assert_eq!(rows, expected, "{settings:?}: {sql}");
                    assert_eq!(report.records_late, late);
                }
            }
        }
    }
    let endless = "CREATE SOURCE a (ts TIMESTAMP, k BIGINT, WATERMARK FOR ts AS ts) WITH (connector = 'generator'); SELECT DISTINCT k FROM a";
    let error = Engine::new().compile(endless, &Options::new()).unwrap_err().to_string();
    assert!(error.contains("SET state_ttl"), "{error}");
    Engine::new().compile(&format!("SET state_ttl = '1m'; {endless}"), &Options::new()).unwrap();
    // The windows of rows go with the watermark, too.
    let (declarations, _) = disordered(250);
    let windows = "SELECT DISTINCT e FROM (SELECT window_end AS e FROM TUMBLE(TABLE a, DESCRIPTOR(ts), 10s) AS t) AS q";
    let sql = format!("SET state_ttl = '1 hour'; {declarations} {windows}");
    let job = &Engine::new().compile(&sql, &Options::new()).unwrap()[0];
    assert!(job.plan.scan.event_time.is_some());
    assert!(everywhere_with(&sql, &[("state_ttl", "1 hour")]).1.len() > 3);
}

/// A row is late for a window that has closed, on either side of a join of windows.
#[test]
fn late_rows_are_not_in_windows_that_are_joined() {
    for seed in 210..216 {
        let (declarations, events) = disordered(seed);
        let size = 4 * SECOND;
        let closes = |time: i64| time.div_euclid(size) * size + size;
        let (left, left_late) = reference::on_time(&events[0], SECOND, closes);
        let (right, right_late) = reference::on_time(&events[1], SECOND, closes);
        assert!(left_late > 0 && right_late > 0);
        let (left, right) = (reference::counts(&left, size), reference::counts(&right, size));
        let number = |value: i64| Cell::Integer(value.into());
        let mut expected: Vec<Row> = Vec::new();
        for (&(start, key), &n) in &left {
            let partner = key.and_then(|_| right.get(&(start, key)));
            expected.push(vec![
                number(start),
                key.map_or(Cell::Null, number),
                number(n),
                partner.map_or(Cell::Null, |&n| number(n)),
            ]);
        }
        let side = |name: &str, time: &str| {
            format!(
                "(SELECT k_id, COUNT(*) AS n, window_start AS s, window_end AS e FROM {name} GROUP BY k_id WINDOW TUMBLING ({time}, 4s))"
            )
        };
        let sql = format!(
            "{declarations} SELECT l.s, l.k_id, l.n AS ln, r.n AS rn FROM {} AS l LEFT JOIN {} AS r ON l.k_id = r.k_id AND l.s = r.s AND l.e = r.e",
            side("a", "ts"),
            side("b", "at")
        );
        assert_eq!(everywhere_with(&sql, &[]), (left_late + right_late, sorted(expected)), "{sql}");
    }
}

/// Rows with the windows that hold them, to both: `(ours, theirs)`. A negative slide is the step of cumulating windows.
fn rows_of_windows(name: &str, time: &str, slide: i64) -> (String, String) {
    let size = 10;
    let ours = match slide {
        10 => format!("TUMBLE(TABLE {name}, DESCRIPTOR({time}), 10s)"),
        1.. => format!("HOP(TABLE {name}, DESCRIPTOR({time}), {slide}s, 10s)"),
        _ => format!("TABLE(CUMULATE(TABLE {name}, DESCRIPTOR({time}), {}s, 10s))", -slide),
    };
    let steps: Vec<String> =
        (0..(size + slide.abs() - 1) / slide.abs()).map(|step| format!("SELECT {step} AS step")).collect();
    let (start, end) = match slide {
        1.. => {
            let start = format!("({time} / {slide}000000 - step) * {slide}000000");
            (start.clone(), format!("{start} + 10000000"))
        }
        _ => (
            format!("{time} / 10000000 * 10000000"),
            format!("{time} / 10000000 * 10000000 + (step + 1) * {}000000", -slide),
        ),
    };
    let theirs = format!(
        "(SELECT {name}.*, {start} AS window_start, {end} AS window_end FROM {name}, ({}) WHERE {time} < {end})",
        steps.join(" UNION ALL ")
    );
    (ours, theirs)
}

/// Rows that are not grouped have their windows, by themselves and as sides of a join.
#[test]
fn rows_of_windows_equal_sqlite() {
    for (seed, slide) in [(60, 10), (61, 2), (62, 4), (63, -5)] {
        let ((a, a_theirs), (b, b_theirs)) = (rows_of_windows("a", "ts", slide), rows_of_windows("b", "at", slide));
        let equal = |query: &str| {
            let with = |a: &str, b: &str| query.replace("<a>", a).replace("<b>", b);
            equal(seed, &with(&a, &b), &with(&a_theirs, &b_theirs))
        };
        assert!(equal("SELECT id, ts, window_start, window_end FROM <a> AS t WHERE x % 2 = 0") > 20);
        equal("SELECT t.*, window_end - ts AS rest FROM <a> AS t WHERE window_start < ts AND id % 3 = 0");
        // What groups reads a query in FROM as any other.
        equal(
            "SELECT s, COUNT(*) AS n, SUM(x) AS total FROM (SELECT window_start AS s, x FROM <a> AS t) AS q GROUP BY s",
        );
        for (kind, on) in KINDS.into_iter().zip([
            "l.window_start = r.window_start AND l.window_end = r.window_end",
            "l.window_end = r.window_end",
            "l.window_start = r.window_start",
            "l.window_start = r.window_start AND l.window_end = r.window_end AND l.x < r.y",
        ]) {
            let shown = "SELECT l.ts, l.id, l.x, l.window_start AS s, r.at, r.y, r.window_end AS e FROM";
            equal(&format!("{shown} <a> AS l {kind} <b> AS r ON l.k_id = r.k_id AND {on}"));
            let left = "(SELECT ts, id, x, k_id, window_start, window_end FROM <a> AS t WHERE id % 4 <> 1)";
            equal(&format!("{shown} {left} AS l {kind} <b> AS r ON l.k_id = r.k_id AND {on}"));
        }
        // Groups of a window beside the rows that are in it, and groups of what was joined.
        if slide > 0 && 10 % slide == 0 {
            let (groups, groups_theirs) = windowed("b", "at", "k_id", "y", slide);
            let query = |rows: &str, groups: &str| {
                format!(
                    "SELECT l.id, l.ts, r.n, r.total, r.e FROM {rows} AS l JOIN ({groups}) AS r ON l.k_id = r.k AND l.window_end = r.e"
                )
            };
            self::equal(seed, &query(&a, &groups), &query(&a_theirs, &groups_theirs));
        }
        equal(
            "SELECT e, COUNT(*) AS n, SUM(y) AS total FROM (SELECT l.window_end AS e, r.y FROM <a> AS l JOIN <b> AS r
             ON l.k_id = r.k_id AND l.window_start = r.window_start AND l.window_end = r.window_end) AS j GROUP BY e",
        );
    }
}

/// Late rows are left out of the windows that have closed, and of those alone, on either side of a join.
#[test]
fn late_rows_meet_in_the_windows_that_are_open() {
    for seed in 260..264 {
        let (declarations, events) = disordered(seed);
        for slide in [1, 2, 4] {
            let rows = [0, 1].map(|side| reference::in_windows(&events[side], SECOND, 4 * SECOND, slide * SECOND));
            let [(left, left_late), (right, right_late)] = &rows;
            assert!(*left_late > 5 && *right_late > 5);
            let cell = |value: Option<i64>| value.map_or(Cell::Null, |value| Cell::Integer(value.into()));
            let mut expected: Vec<Row> = Vec::new();
            for (end, event) in left {
                let alone = expected.len();
                let partners =
                    right.iter().filter(|(e, other)| e == end && event.key.is_some() && other.key == event.key);
                let row = |time| vec![cell(event.time), cell(event.key), cell(Some(*end)), cell(time)];
                expected.extend(partners.map(|(_, other)| row(other.time)));
                if expected.len() == alone {
                    expected.push(row(None));
                }
            }
            let side = |name: &str, time: &str| format!("HOP(TABLE {name}, DESCRIPTOR({time}), {slide}s, 4s)");
            let sql = format!(
                "{declarations} SELECT l.ts, l.k_id, l.window_end AS e, r.at FROM {} AS l LEFT JOIN {} AS r
                 ON l.k_id = r.k_id AND l.window_start = r.window_start AND l.window_end = r.window_end",
                side("a", "ts"),
                side("b", "at")
            );
            assert_eq!(everywhere_with(&sql, &[]), (left_late + right_late, sorted(expected)), "{sql}");
        }
    }
}

/// A correction of a window would be joined beside what it corrects.
#[test]
fn windows_that_are_joined_are_not_corrected() {
    let side = |name: &str, time: &str| {
        format!("(SELECT k_id, COUNT(*) AS n, window_end AS e FROM {name} GROUP BY k_id WINDOW TUMBLING ({time}, 4s))")
    };
    let (declarations, _) = disordered(250);
    let sql = format!(
        "{declarations} SELECT l.n FROM {} AS l JOIN {} AS r ON l.k_id = r.k_id AND l.e = r.e",
        side("a", "ts"),
        side("b", "at")
    );
    let job = &Engine::new().compile(&sql, &Options::new()).unwrap()[0];
    let error = Engine::new().collect(job, &options(&[("late_records", "process_all")])).unwrap_err().to_string();
    assert!(error.contains("late_records must be drop"), "{error}");
}

/// Versions by event time, late ones dropped.
#[test]
fn versions_are_those_that_held() {
    for seed in 220..226 {
        let (declarations, events) = disordered(seed);
        let (left, _) = reference::on_time(&events[0], SECOND, |time| time + 1);
        let (right, _) = reference::on_time(&events[1], SECOND, |time| time + 1);
        for (kind, outer, clause) in [
            ("JOIN", false, "b FOR SYSTEM_TIME AS OF a.ts"),
            ("LEFT JOIN", true, "b FOR SYSTEM_TIME AS OF a.ts AS b"),
            ("LEFT JOIN", true, "(SELECT at, k_id FROM b) FOR SYSTEM_TIME AS OF ts b"),
        ] {
            let expected = shown(&reference::as_of(&left, &right, outer), &events);
            let sql = format!("{declarations} {SHOWN} {kind} {clause} ON a.k_id = b.k_id");
            assert_eq!(everywhere(&sql), expected, "{sql}");
        }
    }
}

/// A batch of an input as the rows of all inputs.
fn widened(scan: &Scan, input: usize, batch: &RecordBatch) -> RecordBatch {
    let schema = Arc::new(arrow_schema(&scan.source.schema));
    let own = &scan.source.inputs[input];
    let columns = schema.fields().iter().enumerate().map(|(column, field)| -> ArrayRef {
        match column {
            0 => Arc::new(Int32Array::from(vec![input as i32; batch.num_rows()])),
            1 => Arc::clone(batch.column(own.source.watermark.unwrap().column)),
            _ if (own.start..own.start + batch.num_columns()).contains(&column) => {
                Arc::clone(batch.column(column - own.start))
            }
            _ => new_null_array(field.data_type(), batch.num_rows()),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// The same rows and counts under schedules that a seed decides.
#[test]
fn two_hundred_schedules_of_joins() {
    // Columns in memory are found by their names.
    let declarations = disordered(230).0.replace("at TIMESTAMP, k_id", "at TIMESTAMP, other_id")
        + "CREATE SOURCE c (c_at TIMESTAMP, c_id BIGINT, WATERMARK FOR c_at AS c_at - INTERVAL '1' SECOND) WITH (connector = 'generator',
             rows = '90', seed = '8', keys = '4', nulls = '0.03', spacing = '700ms', disorder = '0.3', disorder_by = '7s');";
    let side = |name: &str, time: &str, key: &str| {
        format!(
            "(SELECT {key}, COUNT(*) AS n, window_end AS e FROM {name} GROUP BY {key} WINDOW SLIDING ({time}, 4s, 2s))"
        )
    };
    let shown = "SELECT a.ts, k_id, b.at, other_id FROM a";
    for query in [
        format!("{shown} FULL JOIN b ON k_id = other_id AND a.ts <> b.at"),
        format!("{shown} JOIN b FOR SYSTEM_TIME AS OF a.ts ON k_id = other_id"),
        format!(
            "SELECT l.e, l.k_id, l.n, r.n AS rn FROM {} AS l FULL JOIN {} AS r ON l.k_id = r.other_id AND l.e = r.e",
            side("a", "ts", "k_id"),
            side("b", "at", "other_id")
        ),
        // Steps that share a key: two joins, groups over a join, functions OVER groups.
        format!(
            "SELECT a.ts, k_id, b.at, n FROM a LEFT JOIN b ON k_id = other_id AND b.at BETWEEN a.ts - INTERVAL '2' SECOND AND a.ts + INTERVAL '3' SECOND
             LEFT JOIN {} AS r ON k_id = c_id AND r.e BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND",
            side("c", "c_at", "c_id")
        ),
        "SELECT window_end, k_id, COUNT(*) AS n FROM (SELECT a.ts, k_id FROM a JOIN b ON k_id = other_id
           AND b.at BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND) AS j GROUP BY k_id WINDOW TUMBLING (ts, 3s)"
            .into(),
        "SELECT l.window_end AS e, l.k_id, l.ts, r.at FROM HOP(TABLE a, DESCRIPTOR(ts), 2s, 4s) AS l
         FULL JOIN HOP(TABLE b, DESCRIPTOR(at), 2s, 4s) AS r ON l.k_id = r.other_id AND l.window_end = r.window_end"
            .into(),
        format!("SET state_ttl = '3s'; {shown} LEFT JOIN b ON k_id = other_id"),
    ] {
        let sql = format!("{declarations} {query}");
        let mut job = Engine::new().compile(&sql, &Options::new()).unwrap().remove(0);
        let ttl = if query.starts_with("SET state_ttl") { "3s" } else { "off" };
        let settings = options(&[("processor", "inline"), ("state_ttl", ttl)]);
        job.plan.timing = settings.timing.clone();
        let (report, in_order) = run(&Engine::new(), &sql, &settings);
        let expected = sorted(in_order.clone());
        assert!(expected.len() > 20);
        let inputs: Vec<Vec<RecordBatch>> = (0..)
            .zip(&job.plan.scan.source.inputs)
            .map(|(input, source)| {
                let name = &source.source.name;
                let all =
                    Engine::new().compile(&format!("{declarations} SELECT * FROM {name}"), &Options::new()).unwrap();
                let batches = Engine::new().collect(&all[0], &options(&[("processor", "inline")])).unwrap().1;
                batches.iter().map(|batch| widened(&job.plan.scan, input, batch)).collect()
            })
            .collect();
        for seed in 0..200 {
            let shape = Shape::of_seed(seed);
            let found = simulated(&job, &inputs, shape);
            assert_eq!(found.sum(|p| p.late), report.records_late, "{query} under {shape:?}");
            if found.ordered {
                assert_eq!(found.rows, in_order, "{query} under {shape:?}");
            }
            assert_eq!(sorted(found.rows), expected, "{query} under {shape:?}");
        }
    }
}

/// Over sources without end rows leave as event time goes on.
#[test]
fn sources_without_end_are_joined() {
    let declarations = "CREATE SOURCE a (ts TIMESTAMP, k_id BIGINT, WATERMARK FOR ts AS ts) WITH (connector = 'generator', keys = '3', spacing = '1s');
        CREATE SOURCE b (at TIMESTAMP, k_id BIGINT, WATERMARK FOR at AS at) WITH (connector = 'generator', keys = '3', spacing = '1s', seed = '9');";
    let side = |name: &str, time: &str| {
        format!("(SELECT k_id, COUNT(*) AS n, window_end AS e FROM {name} GROUP BY k_id WINDOW TUMBLING ({time}, 10s))")
    };
    for query in [
        format!("SET state_ttl = '5s'; {SHOWN} JOIN b ON a.k_id = b.k_id"),
        format!("{SHOWN} LEFT JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k_id = b.k_id"),
        format!(
            "SELECT l.e, l.n, r.n AS rn FROM {} AS l FULL JOIN {} AS r ON l.k_id = r.k_id AND l.e = r.e",
            side("a", "ts"),
            side("b", "at")
        ),
        format!(
            "WITH c AS {} SELECT c.e, c.k_id, c.n FROM c JOIN (SELECT MAX(n) AS most, e FROM c GROUP BY e) AS m ON c.e = m.e AND c.n = m.most",
            side("a", "ts")
        ),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_corelane"));
        command.args(["run", "--progress", "never", "-"]).stdin(std::process::Stdio::piped());
        let mut child =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{declarations} {query}").as_bytes())
            .unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap())).take(50).count();
        let _ = child.kill();
        child.wait().unwrap();
        assert_eq!(lines, 50, "{query}");
    }
}
