//! The same rows whatever lays the work over threads: odd inputs through every processor.

use super::rig::Rig;

const LAYOUTS: [&[&str]; 10] = [
    &["--processor", "simple"],
    &["--processor", "partitioned", "--partitions", "1"],
    &["--processor", "partitioned", "--partitions", "3"],
    &["--processor", "partitioned", "--partitions", "8"],
    &["--processor", "stp", "--partitions", "1"],
    &["--processor", "stp", "--partitions", "3"],
    &["--processor", "stp", "--partitions", "8"],
    &["--processor", "inline", "--batch-rows", "1"],
    &["--processor", "partitioned", "--partitions", "3", "--batch-rows", "1"],
    &["--processor", "stp", "--partitions", "4", "--batch-rows", "3"],
];

/// Rows (as JSON lines, sorted) and the count of failed records are those of `inline` in every layout.
#[track_caller]
fn assert_same(rig: &Rig, what: &str, sql: &str) -> Vec<String> {
    let answer = |layout: &[&str]| {
        let ran = rig.run(sql, &[layout, &["--stats-json", "stats.json"]].concat());
        assert_eq!(ran.status, Some(0), "{what} {layout:?}: {}", ran.stderr);
        let stats: serde_json::Value = serde_json::from_str(&rig.read("stats.json")).unwrap();
        let counts = ["records_failed", "records_filtered", "records_late"].map(|field| stats[field].as_u64());
        let mut rows: Vec<String> = ran.stdout.lines().map(str::to_string).collect();
        rows.sort();
        (rows, counts)
    };
    let expected = answer(&["--processor", "inline"]);
    for layout in LAYOUTS {
        assert!(answer(layout) == expected, "{what}: {layout:?} differs from inline");
    }
    expected.0
}

fn over(source: &str, select: &str) -> String {
    format!("{source}; CREATE SINK o WITH (connector = 'stdout', format = 'jsonl'); INSERT INTO o {select}")
}

fn text_source(rig: &Rig, name: &str, bytes: impl AsRef<[u8]>) -> String {
    rig.write(name, bytes);
    format!("CREATE SOURCE s (a BIGINT, b VARCHAR) WITH (connector = 'file', path = '{name}')")
}

#[test]
fn text_that_is_hard_to_cut() {
    let rig = Rig::new();
    let quoted: String = (0..2000).map(|i| format!("{i},\"{}\"\n", "\r\n,\"\"x\n".repeat(i % 5))).collect();
    let long = format!("a,b\n1,{}\n2,y\n", "x".repeat(3_000_000));
    let json: String = (0..500).map(|i| format!("{{\"b\":\"{}\",\"a\":{i}}}\n", "\\n}{\\\"".repeat(i % 7))).collect();
    for (name, text, rows) in [
        ("quoted.csv", format!("a,b\n{quoted}"), 2000),
        ("long.csv", long, 2),
        ("hard.jsonl", json, 500),
        ("header.csv", "a,b\n".to_string(), 0),
        ("header2.csv", "a,b".to_string(), 0),
        ("empty.csv", String::new(), 0),
        ("empty.jsonl", String::new(), 0),
        ("crlf.csv", "a,b\r\n1,x\r\n\r\n2,\"y\r\n\"\r\n3,z".to_string(), 3),
    ] {
        let sql = over(&text_source(&rig, name, text), "SELECT a, b FROM s");
        assert_eq!(assert_same(&rig, name, &sql).len(), rows, "{name}");
    }
}

#[test]
fn many_small_files() {
    let rig = Rig::new();
    for i in 0..400 {
        rig.write(&format!("d/{i:04}.csv"), format!("a,b\n{i},x{}\n", i % 7));
    }
    let source = "CREATE SOURCE s (a BIGINT, b VARCHAR) WITH (connector = 'file', path = 'd', format = 'csv')";
    assert_same(&rig, "group", &over(source, "SELECT b, COUNT(*) AS n, SUM(a) AS s FROM s GROUP BY b"));
    let rows = assert_same(&rig, "count", &over(source, "SELECT COUNT(*) AS n, SUM(a) AS s FROM s"));
    assert_eq!(rows, ["{\"n\":400,\"s\":79800}"]);
}

#[test]
fn many_columns() {
    let rig = Rig::new();
    let names: Vec<String> = (0..3000).map(|i| format!("c{i}")).collect();
    let row: Vec<String> = (0..3000).map(|i| i.to_string()).collect();
    rig.write("wide.csv", format!("{}\n{}\n", names.join(","), row.join(",")));
    let sink = "CREATE SINK o WITH (connector = 'stdout', format = 'csv'); INSERT INTO o SELECT * FROM 'wide.csv'";
    assert_eq!(assert_same(&rig, "wide", sink).len(), 2);
}

const GENERATED: &str =
    "CREATE SOURCE g (ts TIMESTAMP, k VARCHAR, v BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
    WITH (connector = 'generator', rows = '5000', keys = '50', seed = '7', spacing = '1ms', disorder = '0.2',
          disorder_by = '4s')";

#[test]
fn disorder_beyond_the_bound_and_windows_of_a_microsecond() {
    let rig = Rig::new();
    for select in [
        "SELECT window_start, k, COUNT(*) AS n, SUM(v) AS s FROM g GROUP BY k WINDOW TUMBLING (ts, INTERVAL '1' SECOND)",
        "SELECT window_start, COUNT(*) AS n FROM g WINDOW TUMBLING (ts, 1us)",
        "SELECT k, COUNT(*) AS n FROM g GROUP BY k WINDOW TUMBLING (ts, INTERVAL '1' SECOND) EMIT CHANGES",
        "SELECT k, COUNT(*) AS n, SUM(v) AS s FROM g GROUP BY k HAVING COUNT(*) > 90",
        "SELECT ts, k, v FROM g WHERE v > 500 ORDER BY v DESC, ts, k LIMIT 20",
        "SELECT DISTINCT k FROM g",
        "SELECT k, v, AVG(v) OVER (ROWS WINDOW BUFFER 10 ROWS PARTITION BY k ORDER BY ts) AS m FROM g",
        "SELECT COUNT(*) AS n FROM g WHERE v < 0",
    ] {
        assert!(!assert_same(&rig, select, &over(GENERATED, select)).is_empty(), "{select}");
    }
}

#[test]
fn times_at_the_ends_of_their_range() {
    let rig = Rig::new();
    rig.write("ts.csv", "ts\n0\n9223372036854775806\n9223372036854775807\n-9223372036854775808\n");
    let source = "CREATE SOURCE s (ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
                  WITH (connector = 'file', path = 'ts.csv', timestamp_unit = 'us')";
    assert_same(&rig, "rows", &over(source, "SELECT ts FROM s"));
    let window = "SELECT window_start, window_end, COUNT(*) AS n FROM s WINDOW TUMBLING (ts, INTERVAL '1' HOUR)";
    assert_same(&rig, "windows", &over(source, window));
}

/// More partitions than anyone needs, and than there are CPUs.
#[test]
fn as_many_partitions_as_are_allowed() {
    let rig = Rig::new();
    let sql = over(GENERATED, "SELECT COUNT(*) AS n FROM g");
    rig.run(&sql, &["--partitions", "256", "--processor", "partitioned"]).printed("{\"n\":5000}\n");
}
