//! What is shown besides results: the report, the plan, the check, the topology; and settings from the file and from flags.

use serde_json::Value;

use super::rig::Rig;

fn stats(rig: &Rig) -> Value {
    serde_json::from_str(&rig.read("stats.json")).unwrap()
}

const FIELDS: &[&str] = &[
    "processor",
    "strategy",
    "partitions",
    "records_read",
    "records_filtered",
    "records_late",
    "records_dropped",
    "records_failed",
    "records_emitted",
    "batches",
    "elapsed_s",
    "records_per_s",
    "read_s",
    "process_s",
    "write_s",
    "peak_rss_bytes",
    "per_partition",
];
const SOURCE: &str = "CREATE SOURCE g (ts TIMESTAMP, k VARCHAR, v BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
    WITH (connector = 'generator', rows = '20000', keys = '7', seed = '3', spacing = '1ms', disorder = '0.2',
          disorder_by = '3s'); CREATE SINK o WITH (connector = 'file', path = 'out.csv'); INSERT INTO o ";

#[test]
fn the_report_has_every_field_and_its_records_add_up() {
    let window = "SELECT k, COUNT(*) AS n FROM g WHERE v > 500 GROUP BY k WINDOW TUMBLING (ts, INTERVAL '1' SECOND)";
    for layout in ["inline", "simple", "partitioned", "stp"] {
        let rig = Rig::new();
        rig.run(&format!("{SOURCE} {window}"), &["--processor", layout, "--stats-json", "stats.json"]).printed("");
        let stats = stats(&rig);
        for field in FIELDS {
            assert!(!stats[field].is_null(), "{field} is missing: {stats}");
        }
        for field in ["records", "busy_ratio", "queue_high_water"] {
            assert!(!stats["per_partition"][0][field].is_null(), "{field} is missing: {stats}");
        }
        assert!(stats["per_partition"][0].as_object().unwrap().contains_key("core"));
        let count = |field: &str| stats[field].as_u64().unwrap();
        assert_eq!(stats["processor"], layout);
        assert_eq!(count("records_read"), 20_000);
        assert!(count("records_filtered") > 0 && count("records_late") > 0, "{stats}");
        let gone = count("records_filtered") + count("records_dropped") + count("records_failed");
        assert_eq!(count("records_read"), gone + count("records_processed"), "{stats}");
        let counted: u64 =
            rig.read("out.csv").lines().skip(1).map(|l| l.split_once(',').unwrap().1.parse::<u64>().unwrap()).sum();
        assert_eq!(counted, count("records_processed"), "each processed record is in one window");
        assert_eq!(rig.read("out.csv").lines().count() as u64, count("records_emitted") + 1);
        let partitions = stats["per_partition"].as_array().unwrap();
        assert_eq!(partitions.len() as u64, count("partitions"));
        assert_eq!(partitions.iter().map(|p| p["records"].as_u64().unwrap()).sum::<u64>(), 20_000);
    }
}

#[test]
fn the_report_goes_to_standard_output_when_asked() {
    let rig = Rig::with("in.csv", "a\n1\n2\n");
    let ran = rig.query("SELECT a FROM 'in.csv'", &["-o", "out.csv", "--stats-json", "-"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap()["records_read"], 2);
    // Several jobs are an array.
    rig.run("SELECT a FROM 'in.csv'; SELECT a + 1 AS b FROM 'in.csv'", &["--stats-json", "stats.json"]);
    assert_eq!(stats(&rig)[1]["records_read"], 2);
}

#[test]
fn set_is_obeyed_and_flags_win() {
    let rig = Rig::with("in.csv", "a\n1\n2\n");
    let sql = "SET partitions = 3; SET batch_rows = 1; SET processor = 'partitioned'; SELECT a FROM 'in.csv'";
    rig.run(sql, &["--stats-json", "stats.json"]).said("3 partitions");
    assert_eq!((&stats(&rig)["partitions"], &stats(&rig)["batches"]), (&3.into(), &2.into()));
    for flags in
        [&["--set", "partitions=2"][..], &["--partitions", "2"], &["--set", "partitions=4", "--partitions", "2"]]
    {
        rig.run(sql, &[flags, &["--stats-json", "stats.json"]].concat());
        assert_eq!(stats(&rig)["partitions"], 2, "{flags:?}");
    }
    rig.run(sql, &["--set", "processor=inline", "--stats-json", "stats.json"]);
    assert_eq!(stats(&rig)["processor"], "inline");
    // SET holds from where it stands.
    rig.run(
        "SET partitions = 2; SET processor = 'partitioned'; SELECT a FROM 'in.csv'; SET partitions = 3; SELECT a FROM 'in.csv'",
        &["--stats-json", "stats.json"],
    );
    assert_eq!((&stats(&rig)[0]["partitions"], &stats(&rig)[1]["partitions"]), (&2.into(), &3.into()));
}

#[test]
fn explain_shows_steps_layout_and_reasons() {
    let rig = Rig::with("in.csv", "a,b\n1,x\n");
    let sql = "SELECT b, COUNT(*) AS n FROM 'in.csv' WHERE a > 0 GROUP BY b";
    let ran = rig.corelane(&["explain", "-q", sql, "--partitions", "2", "--processor", "partitioned"]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("Layout: processor partitioned, strategy "), "{}", ran.stdout);
    assert!(ran.stdout.contains("2 partitions, batch_rows 8192\n  "), "a reason follows: {}", ran.stdout);
    assert!(ran.stdout.contains("in.csv"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn check_counts_jobs_and_runs_none() {
    let rig = Rig::new();
    rig.write("job.sql", format!("{SOURCE} SELECT k FROM g; SELECT v FROM g"));
    rig.corelane(&["check", "job.sql"]).printed("job.sql: 2 jobs, no errors\n").quietly();
    assert_eq!(rig.names(), ["job.sql"]);
}

#[test]
fn the_closing_line_goes_to_standard_error() {
    let rig = Rig::with("in.csv", "a\n1\n2\n");
    let ran = rig.run(
        "CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o SELECT a FROM 'in.csv'",
        &[],
    );
    ran.printed("a\n1\n2\n").said("2 records in ").said("2 rows out, processor ");
}

#[test]
fn a_limit_ends_a_large_input_early() {
    let source = SOURCE.replace("'20000'", "'50000000000'");
    for processor in ["inline", "simple", "partitioned", "stp"] {
        let rig = Rig::new();
        let arguments = ["--processor", processor, "--partitions", "2", "--stats-json", "stats.json"];
        rig.run(&format!("{source} SELECT v FROM g LIMIT 3"), &arguments).printed("");
        assert_eq!(rig.read("out.csv").lines().count(), 4);
        assert!(stats(&rig)["records_read"].as_u64().unwrap() < 50_000_000);
    }
}
