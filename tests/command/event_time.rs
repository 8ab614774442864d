//! Late records, their sink, records of the future, and what `explain --analyze` says of event time.

use crate::rig::Rig;

/// Windows of ten seconds, a bound of two: the last record of each of the first two windows is late.
const INPUT: &str = "t,k,v
2025-01-01T00:00:01Z,a,1
2025-01-01T00:00:13Z,a,2
2025-01-01T00:00:05Z,a,3
2025-01-01T00:00:25Z,b,4
2025-01-01T00:00:12Z,b,5
2025-01-01T00:01:00Z,a,6
2025-01-01T00:00:02Z,a,7
";

const SOURCE: &str =
    "CREATE SOURCE s (t TIMESTAMP, k VARCHAR, v BIGINT, note VARCHAR, WATERMARK FOR t AS t - INTERVAL '2' SECOND)
  WITH (connector = 'file', path = 'in.csv');
CREATE SINK late WITH (connector = 'file', path = 'late.csv');
CREATE SINK o WITH (connector = 'file', path = 'out.csv');
";
const QUERY: &str = "INSERT INTO o SELECT k, COUNT(*) AS n, SUM(v) AS total, window_start FROM s
  GROUP BY k WINDOW TUMBLING (t, INTERVAL '10' SECOND);";

fn rig() -> Rig {
    let with_notes: String = INPUT.lines().map(|line| format!("{line},{}\n", &line[..1].replace('2', "x"))).collect();
    Rig::with("in.csv", with_notes.replace("t,k,v,t", "t,k,v,note"))
}

#[test]
fn dropped_records_go_to_the_late_sink_whole() {
    for processor in ["inline", "simple", "partitioned", "stp"] {
        let rig = rig();
        let sql = format!("{SOURCE} SET late_sink = late; {QUERY}");
        rig.run(&sql, &["--processor", processor]).printed("").said("3 late records, dropped");
        assert_eq!(
            rig.read("late.csv"),
            "t,k,v,note\n2025-01-01T00:00:05Z,a,3,x\n2025-01-01T00:00:12Z,b,5,x\n2025-01-01T00:00:02Z,a,7,x\n"
        );
        assert_eq!(rig.read("out.csv").lines().count(), 5);
    }
}

#[test]
fn processed_records_correct_and_only_the_latest_reach_the_sink() {
    let rig = rig();
    let sql = format!(
        "{SOURCE} SET late_sink = 'late'; SET late_records = 'process_all'; SET allowed_lateness = '15s'; {QUERY}"
    );
    rig.run(&sql, &["--stats-json", "stats.json"]).said("3 late records, 1 of them dropped, 2 rows corrected");
    assert_eq!(rig.read("late.csv"), "t,k,v,note\n2025-01-01T00:00:02Z,a,7,x\n");
    assert_eq!(
        rig.read("out.csv"),
        "k,n,total,window_start
a,1,1,2025-01-01T00:00:00Z
a,1,2,2025-01-01T00:00:10Z
a,2,4,2025-01-01T00:00:00Z
b,1,4,2025-01-01T00:00:20Z
b,1,5,2025-01-01T00:00:10Z
a,1,6,2025-01-01T00:01:00Z
"
    );
    let stats: serde_json::Value = serde_json::from_str(&rig.read("stats.json")).unwrap();
    assert_eq!(stats["records_corrected"], 2);
    assert_eq!(stats["lateness"]["records"], 3);
    assert_eq!(stats["watermark"]["event_time"], "2025-01-01T00:00:58Z");
    assert!(stats["watermark"]["held_back_by"].as_str().unwrap().ends_with("in.csv"), "{stats}");
}

#[test]
fn a_late_sink_must_be_declared_and_have_a_path_of_its_own() {
    let rig = rig();
    rig.run(&format!("{SOURCE} SET late_sink = 'lat'; {QUERY}"), &[]).failed(2, "did you mean late?");
    rig.run(&format!("{SOURCE} SET late_sink = 'o'; {QUERY}"), &[]).failed(2, "is written twice");
}

#[test]
fn records_of_the_future_fail_and_do_not_move_the_watermark() {
    let source =
        "CREATE SOURCE s (t TIMESTAMP, k VARCHAR, WATERMARK FOR t AS t) WITH (connector = 'stdin', format = 'csv',
      on_error = 'dead_letter', dead_letter_path = 'dead.jsonl');
      SELECT k, COUNT(*) AS n FROM s GROUP BY k WINDOW TUMBLING (t, INTERVAL '10' SECOND);";
    let input = b"t,k\n2025-01-01T00:00:01Z,a\n9025-01-01T00:00:01Z,a\n2025-01-01T00:00:02Z,a\n";
    for processor in ["inline", "simple", "partitioned", "stp"] {
        let rig = Rig::new();
        let ran = rig.run_with_input(source, &["--processor", processor, "--partitions", "2"], input);
        ran.printed(" k | n\n---+---\n a | 2\n(1 row)\n").said("further ahead of the clock than max_future allows");
        let letter = rig.read("dead.jsonl");
        assert!(letter.contains("9025-01-01T00:00:01Z") && letter.lines().count() == 1, "{letter}");
        // Without the limit the second record closes the window of the third.
        let ran = rig.run_with_input(source, &["--processor", processor, "--set", "max_future=off"], input);
        ran.said("1 late record, dropped");
    }
}

#[test]
fn explain_analyze_runs_the_job_and_writes_nothing() {
    let rig = rig();
    rig.write("job.sql", format!("{SOURCE} {QUERY}"));
    let ran = rig.corelane(&["explain", "--analyze", "job.sql"]);
    for text in ["Aggregate keys=[k]", "7 records in", "3 late records", "held back by in.csv since 2", "lateness p50"]
    {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    assert_eq!(rig.names(), ["in.csv", "job.sql"]);
    let settings = ["--set", "late_records=process_all", "--set", "late_sink=late"];
    let ran = rig.corelane(&[&["explain", "job.sql"], &settings[..]].concat());
    assert!(ran.stdout.contains("allowed_lateness=2s late_sink=late"), "{}", ran.stdout);
}

/// ORDER BY what is not selected, for each window of an input that does not end.
#[test]
fn windows_are_cut_in_an_order_that_is_not_selected() {
    let source = "CREATE SOURCE s (t TIMESTAMP, k VARCHAR, v BIGINT, WATERMARK FOR t AS t) WITH (connector = 'stdin', format = 'csv');
      SELECT window_start, k FROM s GROUP BY k WINDOW TUMBLING (t, INTERVAL '10' SECOND) ORDER BY SUM(v) - 2 * COUNT(*) DESC, k LIMIT 2;";
    let at = |second: u32, rest: &str| format!("2025-01-01T00:00:{second:02}Z,{rest}\n");
    let rows = [(1, "a,1"), (2, "b,9"), (3, "c,3"), (4, "d,5"), (5, "a,9"), (12, "a,1"), (13, "d,1"), (14, "c,1")];
    let input = rows.iter().fold(String::from("t,k,v\n"), |text, (second, rest)| text + &at(*second, rest));
    let expected = " window_start         | k
----------------------+---
 2025-01-01T00:00:00Z | b
 2025-01-01T00:00:00Z | a
 2025-01-01T00:00:10Z | a
 2025-01-01T00:00:10Z | c
(4 rows)
";
    for processor in ["inline", "simple", "partitioned", "stp"] {
        let rig = Rig::new();
        rig.run_with_input(source, &["--processor", processor, "--partitions", "3"], input.as_bytes())
            .printed(expected);
    }
}
