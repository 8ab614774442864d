//! Records that cannot be used: counted, the first few shown with file, line and reason, and `on_error` obeyed.

use super::rig::Rig;

/// Bad records at the front, in the middle and at the end.
const CSV: &str = "a,b\nx,1\n2,2\n\n4,zz\n5,5,5\n6\n\"7\nz\",7\n8,8\ny,9";
const CSV_FAILURES: [(u64, &str, &str); 6] = [
    (2, "column \"a\": 'x' is not a BIGINT", "x,1"),
    (5, "column \"b\": 'zz' is not a BIGINT", "4,zz"),
    (6, "expected 2 fields, found 3", "5,5,5"),
    (7, "expected 2 fields, found 1", "6"),
    (8, "column \"a\": '7", "\"7\nz\",7"),
    (11, "column \"a\": 'y' is not a BIGINT", "y,9"),
];
const JSON: &str = "{bad\n{\"a\":1,\"b\":1}\n\n{\"a\":\"x\",\"b\":2}\n[1]\n{\"a\":2,\"b\":2}\n{\"a\":3";
const LAYOUTS: [&[&str]; 5] = [
    &["--processor", "inline"],
    &["--processor", "simple"],
    &["--processor", "partitioned", "--partitions", "3"],
    &["--processor", "stp", "--partitions", "4"],
    &["--processor", "partitioned", "--partitions", "2", "--batch-rows", "1"],
];

fn job(path: &str, more: &str) -> String {
    format!(
        "CREATE SOURCE s (a BIGINT, b BIGINT) WITH (connector = 'file', path = '{path}'{more});
         CREATE SINK o WITH (connector = 'file', path = 'out.csv'); INSERT INTO o SELECT a, b FROM s"
    )
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn skipped_records_are_shown_by_line_and_counted() {
    for layout in LAYOUTS {
        let rig = Rig::with("in.csv", CSV);
        let mut ran = rig.run(&job("in.csv", ""), &[layout, &["--stats-json", "stats.json"]].concat()).printed("");
        ran = ran.said("6 records could not be used\n").said("  and 1 more\n");
        for (line, reason, _) in &CSV_FAILURES[..5] {
            ran = ran.said(&format!("  in.csv:{line}: {reason}"));
        }
        assert_eq!(sorted_lines(&rig.read("out.csv")), ["2,2", "8,8", "a,b"], "{layout:?}");
        let stats: serde_json::Value = serde_json::from_str(&rig.read("stats.json")).unwrap();
        assert_eq!((&stats["records_read"], &stats["records_failed"]), (&8.into(), &6.into()), "{layout:?}");
        assert_eq!(stats["failures"][0]["record"], 2, "{layout:?}");
    }
}

/// JSON is cut into parts that do not know their first line; the lines shown are those of the file all the same.
#[test]
fn lines_of_json_are_right_in_every_layout() {
    for layout in LAYOUTS {
        let rig = Rig::with("in.jsonl", JSON);
        let more = ", on_error = 'dead_letter', dead_letter_path = 'bad.jsonl'";
        let mut ran = rig.run(&job("in.jsonl", more), layout).printed("").said("4 records could not be used\n");
        for failure in
            ["1: not valid JSON", "4: column \"a\": 'x' is not a BIGINT", "5: not a JSON object", "7: not valid"]
        {
            ran = ran.said(&format!("  in.jsonl:{failure}"));
        }
        let letters = rig.read("bad.jsonl");
        let mut lines: Vec<u64> = letters
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["record"].as_u64().unwrap())
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 4, 5, 7], "{layout:?}");
        assert_eq!(sorted_lines(&rig.read("out.csv")), ["1,1", "2,2", "a,b"]);
    }
}

#[test]
fn dead_letters_hold_source_line_reason_and_record() {
    for layout in LAYOUTS {
        let rig = Rig::with("in.csv", CSV);
        rig.run(&job("in.csv", ", on_error = 'dead_letter', dead_letter_path = 'bad.jsonl'"), layout).printed("");
        let letters = rig.read("bad.jsonl");
        let mut letters: Vec<serde_json::Value> =
            letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        letters.sort_by_key(|letter| letter["record"].as_u64());
        assert_eq!(letters.len(), CSV_FAILURES.len(), "{layout:?}");
        for (letter, (line, reason, raw)) in letters.iter().zip(CSV_FAILURES) {
            assert_eq!(letter["source"], "in.csv");
            assert_eq!(letter["record"], line, "{layout:?}");
            assert!(letter["reason"].as_str().unwrap().starts_with(reason), "{letter}");
            assert_eq!(letter["raw"].as_str().unwrap().trim_end(), raw, "{layout:?}");
        }
        assert_eq!(rig.names(), ["bad.jsonl", "in.csv", "job.sql", "out.csv"]);
    }
}

#[test]
fn on_error_fail_ends_the_job_and_touches_no_file() {
    for layout in LAYOUTS {
        for present in [false, true] {
            let rig = Rig::with("in.csv", CSV);
            if present {
                rig.write("out.csv", "from before\n");
            }
            let ran = rig.run(&job("in.csv", ", on_error = 'fail'"), layout);
            ran.failed(1, "on_error = 'fail' ends the job at the first bad record");
            let expected: &[&str] = if present { &["in.csv", "job.sql", "out.csv"] } else { &["in.csv", "job.sql"] };
            assert_eq!(rig.names(), expected, "{layout:?}: no temporary file is left");
            if present {
                assert_eq!(rig.read("out.csv"), "from before\n");
            }
        }
    }
}

#[test]
fn on_error_fail_names_the_file() {
    for layout in LAYOUTS {
        let rig = Rig::new();
        rig.write("in.csv", "a,b\nx,1\n2,2\n");
        rig.run(&job("in.csv", ", on_error = 'fail'"), layout).failed(1, "in.csv:2: column \"a\": 'x' is not a BIGINT");
    }
}

#[test]
fn bytes_that_are_no_text_fail_their_record_only() {
    let rig = Rig::with("in.csv", b"a,b\n1,x\xff\n\xfe,y\n3,z\0\n4,ok\n");
    let sql = "CREATE SOURCE s (a BIGINT, b VARCHAR) WITH (connector = 'file', path = 'in.csv');
               CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o SELECT a, b FROM s";
    rig.run(sql, &[]).printed("a,b\n3,z\0\n4,ok\n").said("  in.csv:2: not valid UTF-8\n  in.csv:3: not valid UTF-8\n");
}

#[test]
fn quotes_gone_wrong_fail_their_record() {
    let rig = Rig::with("in.csv", "a,b\n1,\"x\"y\n2,ok\n3,\"open\n4,x\n");
    rig.query("SELECT a, b FROM 'in.csv'", &["--format", "csv"])
        .printed("a,b\n2,ok\n")
        .said("  in.csv:2: field 2: text after a closing quote")
        .said("  in.csv:4: field 2: a quote is opened but never closed");
}

/// A record whose event time is missing cannot be put into a window: it failed.
#[test]
fn records_without_event_time_fail_where_a_window_needs_it() {
    let rig = Rig::with("in.csv", "ts,v\n2025-01-01T00:00:00Z,1\n,2\nnever,3\n2025-01-01T00:01:00Z,4\n");
    let source = "CREATE SOURCE s (ts TIMESTAMP, v BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
                  WITH (connector = 'file', path = 'in.csv'); CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o ";
    for layout in LAYOUTS {
        let sql = format!("{source} SELECT window_start, SUM(v) AS s FROM s WINDOW TUMBLING (ts, INTERVAL '1' MINUTE)");
        rig.run(&sql, &[layout, &["--stats-json", "stats.json"]].concat())
            .printed("window_start,s\n2025-01-01T00:00:00Z,1\n2025-01-01T00:01:00Z,4\n")
            .said("  in.csv:3: the event time is NULL\n  in.csv:4: column \"ts\": 'never' is not a TIMESTAMP");
        let stats: serde_json::Value = serde_json::from_str(&rig.read("stats.json")).unwrap();
        assert_eq!((&stats["records_read"], &stats["records_failed"]), (&4.into(), &2.into()));
    }
}

/// Arithmetic on a row: dividing by zero is NULL, a result that does not fit fails the record.
#[test]
fn arithmetic_that_has_no_answer() {
    let rig = Rig::with("in.csv", "a,b\n1,0\n9223372036854775807,1\n");
    rig.query("SELECT a / b AS d, a % b AS m FROM 'in.csv'", &["--format", "csv"])
        .printed("d,m\n,\n9223372036854775807,0\n")
        .quietly();
    rig.query("SELECT a + 1 AS s FROM 'in.csv'", &["--format", "csv"])
        .printed("s\n2\n")
        .said("  in.csv:3: BIGINT overflow");
}
