//! Queries with more than one relation: subqueries, WITH, VALUES, lookups and IN against SQLite over generated tables with
//! NULLs and repeated keys, and the same rows under every processor, number of partitions and batch size.

mod harness;

use corelane::engine::{Control, Engine};
use corelane::types::Options;
use harness::sqlite::{add_table, ask, assert_close, by_exact_cells, generated, sqlite};
use harness::{Row, everywhere, options};
use rusqlite::Connection;

/// Trades, and what is known of their symbols: some symbols are missing, some are there twice, some are NULL.
fn tables() -> (String, Connection) {
    let (trades, trade_rows) = generated(
        "trades (ts TIMESTAMP, id BIGINT, symbol VARCHAR, region INT, price DOUBLE, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)",
        "rows = '700', seed = '11', keys = '9', nulls = '0.06', spacing = '250ms'",
    );
    let (symbols, symbol_rows) = generated(
        "symbols (symbol VARCHAR, region INT, lot BIGINT)",
        "rows = '40', seed = '5', keys = '7', nulls = '0.1'",
    );
    let connection = sqlite("trades", "ts, id, symbol, region, price", &trade_rows);
    add_table(&connection, "symbols", "symbol, region, lot", &symbol_rows);
    (format!("{trades}\n{symbols}\n"), connection)
}

/// Asks both the same.
fn same(query: &str) {
    let (declarations, connection) = tables();
    let ours = everywhere(&format!("{declarations} {query}"));
    assert_close(query, &by_exact_cells(ours), &by_exact_cells(ask(&connection, query)));
}

#[test]
fn lookups_equal_sqlite() {
    same("SELECT t.id, t.symbol, s.lot FROM trades AS t JOIN symbols AS s ON t.symbol = s.symbol");
    same("SELECT t.id, s.symbol, s.region, lot FROM trades AS t LEFT JOIN symbols AS s ON t.symbol = s.symbol");
    // Several keys, a condition on the table alone, one on the stream alone and one on both.
    same("SELECT t.id, lot FROM trades AS t JOIN symbols AS s ON s.symbol = t.symbol AND t.region % 4 = s.region % 4");
    same("SELECT t.id, lot FROM trades AS t LEFT JOIN symbols AS s ON s.symbol = t.symbol AND s.lot > 500");
    same("SELECT t.id, lot FROM trades AS t JOIN symbols AS s ON s.symbol = t.symbol AND t.region > 3 AND lot > t.id");
    // Keys that are computed on either side, of two types.
    same(
        "SELECT t.id, lot FROM trades AS t JOIN symbols AS s ON t.region % 5 + 1 = s.region % 3 * 2 WHERE lot IS NOT NULL",
    );
}

#[test]
fn chains_of_lookups_and_what_follows_them_equal_sqlite() {
    same(
        "SELECT a.lot AS a_lot, b.lot AS b_lot, COUNT(*) AS n, SUM(t.id) AS ids FROM trades AS t
         JOIN symbols AS a ON t.symbol = a.symbol LEFT JOIN symbols AS b ON a.region = b.region AND b.lot < 100
         WHERE t.id % 3 = 0 GROUP BY a.lot, b.lot",
    );
    same(
        "SELECT s.symbol, COUNT(*) AS n FROM trades JOIN (SELECT symbol, MAX(lot) AS lot FROM symbols GROUP BY symbol) AS s
         ON trades.symbol = s.symbol WHERE lot > 10 GROUP BY s.symbol HAVING COUNT(*) > 2",
    );
    same(
        "SELECT n, lot FROM (SELECT region, COUNT(*) AS n FROM trades GROUP BY region) AS g
         JOIN symbols ON g.region = symbols.region",
    );
}

#[test]
fn subqueries_in_expressions_equal_sqlite() {
    same("SELECT id FROM trades WHERE symbol IN (SELECT symbol FROM symbols WHERE lot > 300)");
    same(
        "SELECT id FROM trades WHERE symbol NOT IN (SELECT symbol FROM symbols WHERE symbol IS NOT NULL AND lot > 300)",
    );
    same("SELECT COUNT(*) AS n FROM trades WHERE symbol NOT IN (SELECT symbol FROM symbols)");
    same(
        "SELECT COUNT(*) AS n FROM trades WHERE symbol NOT IN (SELECT symbol FROM symbols WHERE lot IS NOT NULL AND lot <> lot)",
    );
    same("SELECT id, (SELECT MAX(lot) FROM symbols) AS most FROM trades WHERE id > (SELECT AVG(id) FROM trades)");
    same("SELECT id, (SELECT lot FROM symbols WHERE lot <> lot) AS none FROM trades WHERE region = 1");
    same("SELECT COUNT(*) AS n FROM trades WHERE EXISTS (SELECT lot FROM symbols WHERE lot <> lot)");
    same("SELECT COUNT(*) AS n FROM trades WHERE NOT EXISTS (SELECT lot FROM symbols WHERE lot <> lot)");
    same(
        "SELECT region, COUNT(*) AS n FROM trades GROUP BY region
         HAVING COUNT(*) > (SELECT COUNT(*) FROM trades) / 20",
    );
    // Inside of aggregates and their clauses.
    same("SELECT COUNT(*) FILTER (WHERE symbol IN (SELECT symbol FROM symbols WHERE lot > 300)) AS n FROM trades");
    same(
        "SELECT STRING_AGG(symbol, ',' ORDER BY -id * (SELECT MAX(lot) FROM symbols), id) AS names FROM trades WHERE symbol IS NOT NULL AND id IS NOT NULL",
    );
}

#[test]
fn queries_in_from_equal_sqlite() {
    same("SELECT id + 1 AS next FROM (SELECT id, region FROM trades WHERE region > 2) AS t WHERE id % 2 = 0");
    same(
        "SELECT MAX(n) AS most, COUNT(*) AS groups FROM (SELECT symbol, COUNT(*) AS n FROM trades GROUP BY symbol) AS g",
    );
    same(
        "WITH g AS (SELECT symbol, region, COUNT(*) AS n, SUM(price) AS total FROM trades GROUP BY symbol, region),
              h AS (SELECT symbol, MAX(n) AS n, SUM(total) AS total FROM g WHERE n > 1 GROUP BY symbol)
         SELECT n, COUNT(*) AS symbols, SUM(total) AS total FROM h GROUP BY n",
    );
    same("SELECT symbol, COUNT(*) AS n FROM (SELECT DISTINCT symbol, region FROM trades) AS d GROUP BY symbol");
    same(
        "SELECT region, COUNT(*) AS n FROM (SELECT region, price FROM trades ORDER BY price DESC NULLS LAST LIMIT 50) AS top GROUP BY region",
    );
    same("SELECT v.name, COUNT(*) AS n FROM trades JOIN (SELECT column1 AS region, column2 AS name
          FROM (VALUES (1, 'one'), (2, 'two'), (2, 'zwei'), (3, NULL))) AS v ON trades.region = v.region GROUP BY v.name");
}

#[test]
fn unions_equal_sqlite() {
    same("SELECT id, region FROM trades WHERE region > 4 UNION ALL SELECT lot, region FROM symbols");
    same(
        "SELECT name, COUNT(*) AS n, SUM(x) AS total FROM
         (SELECT symbol AS name, price AS x FROM trades UNION ALL SELECT symbol, lot + 1 FROM symbols WHERE region < 3
          UNION ALL SELECT symbol, price FROM trades WHERE price > 500) AS u GROUP BY name",
    );
    // Arms that keep state are read first.
    same(
        "SELECT region, SUM(n) AS n FROM (SELECT region, COUNT(*) AS n FROM trades GROUP BY region
         UNION ALL SELECT s.region, t.id FROM trades AS t JOIN symbols AS s ON t.symbol = s.symbol) AS u GROUP BY region",
    );
}

/// A window over the rows of two sources with watermarks of their own, and no row lost.
#[test]
fn windows_over_a_union_equal_sqlite() {
    let (declarations, connection) = tables();
    let (more, more_rows) = generated(
        "more (at TIMESTAMP, id BIGINT, region INT, WATERMARK FOR at AS at - INTERVAL '3' SECOND)",
        "rows = '500', seed = '12', spacing = '330ms', splits = '3'",
    );
    add_table(&connection, "more", "at, id, region", &more_rows);
    let both = "SELECT ts, id, region FROM trades UNION ALL SELECT at, id, region FROM more";
    let ours = everywhere(&format!(
        "{declarations} {more} SELECT window_start, COUNT(*) AS n, SUM(id) AS ids FROM ({both}) AS u GROUP BY region WINDOW TUMBLING (ts, 30s)"
    ));
    let asked = format!(
        "SELECT ts / 30000000 * 30000000, COUNT(*), SUM(id) FROM ({both}) WHERE ts IS NOT NULL GROUP BY 1, region"
    );
    assert_close("a window over a union", &by_exact_cells(ours), &by_exact_cells(ask(&connection, &asked)));
}

/// The first row of each key, by ROW_NUMBER over the order of event time.
#[test]
fn duplicates_are_dropped_by_row_number() {
    let (declarations, connection) = tables();
    let over = "ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY ts)";
    let query = format!("SELECT symbol, ts FROM (SELECT symbol, ts, {over} AS n FROM trades) AS t WHERE n = 1");
    let ours = everywhere(&format!("{declarations} {query}"));
    let asked = query.replace("FROM trades)", "FROM trades WHERE ts IS NOT NULL)");
    assert_close("first rows", &by_exact_cells(ours), &by_exact_cells(ask(&connection, &asked)));
}

/// Windows over the results of windows: each outer window holds the inner ones that start, or end, in it.
#[test]
fn windows_over_windows_are_what_windows_hold() {
    let (declarations, connection) = tables();
    let inner = "SELECT window_start AS s, window_end AS e, symbol, COUNT(*) AS n FROM trades GROUP BY symbol
                 WINDOW TUMBLING (10s)";
    for (column, shift) in [("s", 0_i64), ("e", 10_000_000)] {
        let outer = format!(
            "SELECT window_start, MAX(n) AS most, COUNT(*) AS groups FROM ({inner}) AS w WINDOW TUMBLING ({column}, 40s)"
        );
        let ours = everywhere(&format!("{declarations} {outer}"));
        let asked = format!(
            "SELECT (s + {shift}) / 40000000 * 40000000, MAX(n), COUNT(*) FROM (SELECT ts / 10000000 * 10000000 AS s, symbol,
             COUNT(*) AS n FROM trades WHERE ts IS NOT NULL GROUP BY 1, 2) GROUP BY 1"
        );
        assert_close(&outer, &by_exact_cells(ours), &by_exact_cells(ask(&connection, &asked)));
    }
}

/// A scalar subquery of several rows ends the job with an error that says so.
#[test]
fn a_scalar_subquery_gives_one_row() {
    let (declarations, _) = tables();
    let sql = format!("{declarations} SELECT id FROM trades WHERE id = (SELECT lot FROM symbols)");
    let jobs = Engine::new().compile(&sql, &Options::new()).unwrap();
    let error = Engine::new().collect(&jobs[0], &options(&[("processor", "inline")])).unwrap_err().to_string();
    assert!(error.contains("gave 40 rows where one value stands"), "{error}");
}

/// The memory of a table counts for the limit, once and not per partition.
#[test]
fn tables_count_for_the_memory_limit() {
    let sql = "CREATE SOURCE t (k BIGINT) WITH (connector = 'generator', rows = '1000');
               CREATE SOURCE d (k BIGINT, v BIGINT) WITH (connector = 'generator', rows = '100000', keys = '100000');
               SELECT v FROM t JOIN d ON t.k = d.k";
    let jobs = Engine::new().compile(sql, &Options::new()).unwrap();
    let collect = |limit| {
        let settings = [("processor", "partitioned"), ("partitions", "5"), ("memory_limit", limit)];
        Engine::new().collect(&jobs[0], &options(&settings)).map(|_| ()).map_err(|error| error.to_string())
    };
    let error = collect("1MB").unwrap_err();
    assert!(error.contains("the table of a JOIN"), "{error}");
    collect("20MB").unwrap();
}

#[test]
fn the_first_rows_of_each_key_equal_sqlite() {
    let numbered =
        |over: &str| format!("SELECT id, symbol, region, price, ROW_NUMBER() OVER ({over}) AS n FROM trades");
    // Ids are not unique, so ties are broken by what else is selected.
    let over = "PARTITION BY symbol ORDER BY price DESC NULLS LAST, id, region NULLS LAST";
    same(&format!("SELECT symbol, price, id, n FROM ({}) AS t WHERE n <= 3 AND price IS NOT NULL", numbered(over)));
    same(&format!("SELECT symbol, price, id FROM ({}) AS t WHERE n = 2 AND price IS NOT NULL", numbered(over)));
    same(&format!("SELECT COUNT(*) AS rows, SUM(n) AS numbers, MAX(n) AS most FROM ({}) AS t", numbered(over)));
    same(
        "SELECT region, total FROM (SELECT region, total, ROW_NUMBER() OVER (ORDER BY total DESC NULLS LAST, region NULLS LAST) AS n
         FROM (SELECT region, SUM(id) AS total FROM trades GROUP BY region) AS g) AS r WHERE n < 4",
    );
}

/// The groups with most rows of each window, the same for ROW_NUMBER and, over an input that does not end, ORDER BY and LIMIT.
#[test]
fn the_first_groups_of_each_window_equal_sqlite() {
    let (declarations, connection) = tables();
    let query = "SELECT start, symbol, n FROM (SELECT start, symbol, n,
         ROW_NUMBER() OVER (PARTITION BY start ORDER BY n DESC, symbol NULLS LAST) AS number FROM
         (SELECT window_start AS start, symbol, COUNT(*) AS n FROM trades GROUP BY symbol WINDOW TUMBLING (20s)) AS w) AS r
         WHERE number <= 2";
    let ours = everywhere(&format!("{declarations} {query}"));
    let inner = "SELECT ts / 20000000 * 20000000 AS start, symbol, COUNT(*) AS n FROM trades WHERE ts IS NOT NULL GROUP BY 1, 2";
    let asked = format!(
        "SELECT start, symbol, n FROM (SELECT start, symbol, n,
         ROW_NUMBER() OVER (PARTITION BY start ORDER BY n DESC, symbol NULLS LAST) AS number FROM ({inner})) WHERE number <= 2"
    );
    assert_close("top groups", &by_exact_cells(ours), &by_exact_cells(ask(&connection, &asked)));
}

/// Joins of streams within an interval equal those of SQLite, which compares every row with every other: over seeds, disorder
/// within the bound, several splits, NULL keys, bounds on either side of zero, and all kinds of joins.
#[test]
fn joins_of_streams_equal_sqlite() {
    let mut checked = 0;
    for (seed, (kind, from, to)) in (20..).zip([
        ("JOIN", "- INTERVAL '2' SECOND", "+ INTERVAL '3' SECOND"),
        ("LEFT JOIN", "- INTERVAL '1' SECOND", "+ INTERVAL '0' SECOND"),
        ("RIGHT JOIN", "+ INTERVAL '1' SECOND", "+ INTERVAL '4' SECOND"),
        ("FULL JOIN", "- INTERVAL '5' SECOND", "- INTERVAL '2' SECOND"),
        ("FULL OUTER JOIN", "- INTERVAL '1' SECOND", "+ INTERVAL '1' SECOND"),
        ("LEFT JOIN", "- INTERVAL '0' SECOND", "+ INTERVAL '0' SECOND"),
    ]) {
        let (a, a_rows) = generated(
            "a (ts TIMESTAMP NOT NULL, k_id INT, id BIGINT, x DOUBLE, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)",
            &format!(
                "rows = '400', seed = '{seed}', keys = '5', nulls = '0.05', disorder = '0.2', disorder_by = '2s', spacing = '200ms'"
            ),
        );
        let (b, b_rows) = generated(
            "b (at TIMESTAMP NOT NULL, k_id INT, name VARCHAR, WATERMARK FOR at AS at - INTERVAL '4' SECOND)",
            &format!(
                "rows = '300', seed = '{}', keys = '5', nulls = '0.05', disorder = '0.1', disorder_by = '1s', spacing = '300ms', splits = '2'",
                seed + 50
            ),
        );
        let stream =
            |rows: Vec<Row>| rows.into_iter().filter(|row| row[0] != harness::Cell::Null).collect::<Vec<Row>>();
        let connection = sqlite("a", "ts, k_id, id, x", &stream(a_rows));
        add_table(&connection, "b", "at, k_id, name", &stream(b_rows));
        let select = "SELECT a.ts, a.k_id AS ak, id, x, b.at, b.k_id AS bk, name FROM a";
        let ours = everywhere(&format!(
            "{a} {b} {select} {kind} b ON a.k_id = b.k_id AND b.at BETWEEN a.ts {from} AND a.ts {to}"
        ));
        let us = |text: &str| {
            let digits: i64 = text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
            if text.starts_with('-') {
                format!("- {}", digits * 1_000_000)
            } else {
                format!("+ {}", digits * 1_000_000)
            }
        };
        let asked =
            format!("{select} {kind} b ON a.k_id = b.k_id AND b.at BETWEEN a.ts {} AND a.ts {}", us(from), us(to));
        checked += ours.iter().filter(|row| row[1] != harness::Cell::Null && row[5] != harness::Cell::Null).count();
        assert_close(&asked, &by_exact_cells(ours), &by_exact_cells(ask(&connection, &asked)));
    }
    assert!(checked > 2000, "{checked} pairs");
}

/// Filters on each side, computed keys and columns, a condition on both, and groups over the join.
#[test]
fn what_stands_around_joins_of_streams_equals_sqlite() {
    let (declarations, connection) = tables();
    let join = "SELECT l.region, COUNT(*) AS n, SUM(r.id) AS ids FROM
        (SELECT ts, symbol, region % 3 AS region, id FROM trades WHERE id % 2 = 0) AS l JOIN
        (SELECT ts, symbol, id FROM trades WHERE price > 100) AS r
        ON l.symbol = r.symbol AND l.id <> r.id AND r.ts >= l.ts AND r.ts < l.ts + ";
    let ours = everywhere(&format!("{declarations} {join} INTERVAL '20' SECOND GROUP BY l.region"));
    let asked = format!("{join} 20000000 GROUP BY l.region");
    assert_close("groups over a join", &by_exact_cells(ours), &by_exact_cells(ask(&connection, &asked)));
}

/// The first `count` lines that the query writes. If it reads streams without end, it is stopped once it has written as many.
fn first_lines(sources: &str, query: &str, count: usize, settings: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let sink = format!("CREATE SINK o WITH (connector = 'file', path = '{}', format = 'csv');", path.display());
    let engine = Engine::new();
    let jobs = engine.compile(&format!("{sources} {sink} INSERT INTO o {query}"), &Options::new());
    let jobs = jobs.unwrap_or_else(|error| panic!("{error}\n{query}"));
    let control = Control::default();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| engine.run(&jobs[0], &options(settings), &control).unwrap());
        while !run.is_finished() && control.progress.totals().records_emitted < count as u64 + 1 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        if !sources.contains("rows =") {
            control.stop.set();
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<String> = text.lines().take(count).map(String::from).collect();
    assert_eq!(lines.len(), count, "{query}");
    lines
}

/// Joins and unions of streams that never end run, and give what the same streams give that end later.
#[test]
fn endless_streams_are_joined_and_united() {
    let sources = |rows: &str| {
        let source = |name: &str, seed: u32, start: &str| {
            format!(
                "CREATE SOURCE {name} (ts TIMESTAMP, k_id INT, x BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
                 WITH (connector = 'generator', {rows} seed = '{seed}', keys = '50', spacing = '10ms', start = '{start}',
                       disorder = '0.1', disorder_by = '500ms');"
            )
        };
        // No two rows have one event time, so that the order of the result is the same however the inputs are read.
        source("a", 1, "2024-01-01T00:00:00Z") + &source("b", 2, "2024-01-01T00:00:00.0005Z")
    };
    let queries = [
        "SELECT a.ts, a.k_id AS k, a.x, b.ts AS bt, b.x AS bx FROM a JOIN b ON a.k_id = b.k_id
         AND b.ts BETWEEN a.ts - INTERVAL '300' MILLISECOND AND a.ts + INTERVAL '200' MILLISECOND",
        "SELECT a.ts, a.k_id AS k, b.ts AS bt, b.x AS bx FROM a FULL JOIN b ON a.k_id = b.k_id
         AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '100' MILLISECOND",
        "SELECT COUNT(*) AS n, SUM(x) AS total, window_end FROM (SELECT ts, x FROM a UNION ALL SELECT ts, x FROM b) AS u
         WINDOW TUMBLING (ts, INTERVAL '100' MILLISECOND)",
        "SELECT k_id, x, SUM(x) OVER (PARTITION BY k_id ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS total
         FROM (SELECT ts, k_id, x FROM a UNION ALL SELECT ts, k_id, x FROM b) AS u",
    ];
    const LINES: usize = 1500;
    for query in queries {
        let expected = first_lines(&sources("rows = '20000',"), query, LINES, &[("processor", "inline")]);
        for (processor, partitions) in [("inline", "1"), ("simple", "1"), ("partitioned", "1"), ("partitioned", "3")] {
            let settings = [("processor", processor), ("partitions", partitions), ("batch_rows", "64")];
            let found = first_lines(&sources(""), query, LINES, &settings);
            assert_eq!(found, expected, "{query} by {processor} with {partitions}");
        }
    }
    // Rows as they come: there is no order between inputs but that of reading.
    let query = "SELECT x, k_id FROM (SELECT x, k_id FROM a UNION ALL SELECT x, k_id FROM b) AS u";
    first_lines(&sources(""), query, LINES, &[("partitions", "2")]);
}

/// The examples of the documentation print what stands below them. With GOLDEN=write they are written anew.
#[test]
fn the_documentation_tells_what_is_printed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/sql.md")).unwrap();
    let (before, section) = text.split_once("\n## Several sources\n").expect("the section is there");
    let mut written = format!("{before}\n## Several sources\n");
    let mut examples = 0;
    let mut rest = section;
    while let Some((start, query)) = rest.split_once("```sql\n") {
        let (query, after) = query.split_once("```\n```text\n").expect("rows stand below a query");
        let (told, after) = after.split_once("```\n").unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_corelane"));
        let piped = std::process::Stdio::piped;
        command
            .args(["run", "--progress", "never", "-"])
            .current_dir(root)
            .stdin(piped())
            .stdout(piped())
            .stderr(piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), query.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let printed: String = printed.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        assert!(output.status.success(), "{query}\n{}", String::from_utf8_lossy(&output.stderr));
        written.push_str(&format!("{start}```sql\n{query}```\n```text\n{printed}```\n"));
        if std::env::var("GOLDEN").as_deref() != Ok("write") {
            assert_eq!(told, printed, "{query}");
        }
        (examples, rest) = (examples + 1, after);
    }
    assert!(examples >= 6, "{examples} examples");
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        std::fs::write(root.join("docs/sql.md"), written + rest).unwrap();
    }
}
