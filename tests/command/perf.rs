//! Where the time went: `--perf`, `explain --analyze`, `perf` in the report. Their shape and what must add up; no figure of a
//! machine.

use serde_json::Value;

use super::rig::{Ran, Rig};

const SOURCE: &str = "CREATE SOURCE g (ts TIMESTAMP, k VARCHAR, v BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
    WITH (connector = 'generator', rows = '50000', keys = '70', seed = '3', spacing = '1ms');
    CREATE SINK o WITH (connector = 'blackhole'); INSERT INTO o ";
const TUMBLING: &str = "SELECT k, COUNT(*) AS n FROM g WHERE v > 500 GROUP BY k HAVING COUNT(*) > 1 WINDOW TUMBLING (ts, INTERVAL '1' SECOND)";

fn measured(sql: &str, processor: &str) -> (Ran, Value) {
    let rig = Rig::new();
    let arguments = ["--perf", "--processor", processor, "--partitions", "2", "--stats-json", "stats.json"];
    let ran = rig.run(sql, &arguments).printed("");
    let stats: Value = serde_json::from_str(&rig.read("stats.json")).unwrap();
    (ran, stats)
}

/// The stages of a list, without those that wait.
fn stages(of: &Value) -> Vec<&Value> {
    of["stages"].as_array().unwrap().iter().filter(|stage| stage["kind"] != "wait").collect()
}

fn stage<'v>(of: &'v Value, name: &str) -> &'v Value {
    let found = of["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == name);
    found.unwrap_or_else(|| panic!("no stage {name}: {of}"))
}

#[test]
fn every_processor_tells_where_the_time_went() {
    for processor in ["inline", "simple", "partitioned", "stp"] {
        let (ran, stats) = measured(&format!("{SOURCE} {TUMBLING}"), processor);
        let perf = &stats["perf"];
        let verdict = perf["verdict"].as_str().unwrap();
        assert!(ran.stderr.contains(&format!("Perf: {verdict}\n")), "{}", ran.stderr);
        for header in ["  stage ", " rows in ", " cycles/row ", "  thread ", " no input "] {
            assert!(ran.stderr.contains(header), "{header}: {}", ran.stderr);
        }
        // Rows come and go as the report counts them.
        let decode = stage(perf, "decode generated rows");
        assert_eq!((&decode["rows_in"], &decode["rows_out"]), (&50_000.into(), &50_000.into()), "{processor}");
        let filter = stage(perf, "WHERE");
        let filtered = filter["rows_in"].as_u64().unwrap() - filter["rows_out"].as_u64().unwrap();
        assert_eq!(Some(filtered), stats["records_filtered"].as_u64(), "{processor}");
        assert_eq!(stage(perf, "writing")["rows_in"], stats["records_emitted"], "{processor}");
        assert_eq!(stage(perf, "GROUP BY")["rows_in"], filter["rows_out"], "{processor}");
        assert!(stage(perf, "GROUP BY")["state_bytes"].as_u64().unwrap() > 0, "{processor}");
        assert!(stage(perf, "HAVING")["rows_in"].as_u64() >= stage(perf, "HAVING")["rows_out"].as_u64());
        // The times of a thread's stages are its life, those of the partitions' records the job's.
        let threads = perf["threads"].as_array().unwrap();
        for thread in threads {
            let all: f64 =
                thread["stages"].as_array().unwrap().iter().map(|stage| stage["time_s"].as_f64().unwrap()).sum();
            let life = thread["elapsed_s"].as_f64().unwrap();
            assert!((all / life - 1.0).abs() < 0.01, "{processor}: {all} of {life}: {thread}");
        }
        let records: u64 = threads.iter().map(|thread| thread["records"].as_u64().unwrap()).sum();
        assert_eq!(records, 50_000);
        let share: f64 = stages(perf).iter().map(|stage| stage["share"].as_f64().unwrap()).sum();
        assert!((share - 1.0).abs() < 1e-6, "{share}");
        let names: Vec<&str> = threads.iter().map(|thread| thread["thread"].as_str().unwrap()).collect();
        let expected: &[&str] = match processor {
            "inline" => &["one"],
            "simple" => &["reader", "worker"],
            "partitioned" => &["reader", "partition 0", "partition 1", "writer"],
            // One split, one pipeline, which reads by itself.
            _ => &["partition 0", "writer"],
        };
        assert_eq!(names, expected);
        assert!(perf["skew_records"].as_f64().unwrap() >= 1.0);
    }
}

#[test]
fn counters_are_there_or_refused_with_what_to_set() {
    let (ran, stats) = measured(&format!("{SOURCE} {TUMBLING}"), "partitioned");
    let perf = &stats["perf"];
    match perf["counters_refused"].as_str() {
        Some(reason) => {
            assert_eq!(perf["cycles"], "tsc");
            ran.said(&format!("cycles are ticks of the CPU's clock (TSC), no counters: {reason}"));
            assert!(stage(perf, "WHERE")["cycles_per_row"].as_f64().unwrap() > 0.0, "ticks stand in: {perf}");
            assert!(stage(perf, "WHERE")["instructions_per_row"].is_null());
        }
        None => {
            assert_eq!(perf["cycles"], "core");
            ran.said(" IPC ");
            for thread in perf["threads"].as_array().unwrap() {
                assert!(thread["cycles"].as_u64().unwrap() > 0, "{thread}");
            }
        }
    }
}

#[test]
fn rows_that_move_are_counted_at_the_exchange_and_at_the_owner() {
    let over = "SELECT k, SUM(v) OVER (PARTITION BY k ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS s FROM g";
    let (_, stats) = measured(&format!("{SOURCE} {over}"), "partitioned");
    for name in ["exchange", "OVER", "handing to the writer"] {
        let stage = stage(&stats["perf"], name);
        assert_eq!((&stage["rows_in"], &stage["rows_out"]), (&50_000.into(), &50_000.into()), "{stage}");
        assert!(stage["bytes"].as_u64().unwrap() >= 50_000 * 8, "{stage}");
    }
}

#[test]
fn what_is_not_measured_is_not_in_the_report() {
    let rig = Rig::new();
    let ran = rig.run(&format!("{SOURCE} {TUMBLING}"), &["--stats-json", "stats.json"]);
    assert!(!ran.stderr.contains("Perf:"), "{}", ran.stderr);
    assert!(!rig.read("stats.json").contains("\"perf\""));
}

#[test]
fn a_query_tells_it_on_standard_error() {
    let rig = Rig::with("in.csv", "a\n1\n2\n");
    let ran = rig.query("SELECT a + 1 AS b FROM 'in.csv'", &["--perf", "--format", "csv"]);
    ran.printed("b\n2\n3\n").said("Perf: ").said("decode CSV ").said("SELECT ");
}

#[test]
fn explain_analyze_adds_it_to_the_plan() {
    let rig = Rig::with("in.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
    let ran = rig.corelane(&["explain", "--analyze", "-q", "SELECT a FROM 'in.jsonl' WHERE a > 1"]);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let order = ["Filter a > 1", "Run: 2 records in", "Perf: ", "  stage ", "decode JSON ", "WHERE ", "  thread "];
    let places: Vec<usize> =
        order.iter().map(|text| ran.stdout.find(text).unwrap_or_else(|| panic!("{text}: {}", ran.stdout))).collect();
    assert!(places.is_sorted(), "{}", ran.stdout);
}

#[test]
fn a_source_that_has_nothing_is_what_is_waited_for() {
    let rig = Rig::new();
    let sql = "CREATE SOURCE s (a BIGINT) WITH (connector = 'generator', rows = '40', rate = '100'); SELECT a FROM s";
    for processor in ["inline", "partitioned"] {
        let ran = rig.run(sql, &["--perf", "--processor", processor]);
        ran.said("Perf: waiting for the source: it had nothing for ");
    }
}
