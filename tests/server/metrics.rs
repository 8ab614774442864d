//! The metrics text: names, labels, values that agree with the API, and a format that scrapers take.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{Rig, Served, endless};

/// Samples by name with labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (name.to_string(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect()
}

fn scrape(server: &Served) -> BTreeMap<String, f64> {
    samples(&server.get("/metrics").body)
}

#[test]
fn every_partition_is_measured() {
    let rig = Rig::new();
    let server = rig.serve();
    let job =
        json!({"name": "ticks", "sql": endless(50_000), "options": {"processor": "partitioned", "partitions": 2}});
    server.post_job(&job).expect(201);
    // Rates are known after the first looks at the lanes.
    server.until("ticks", "has rates", |job| {
        job["lanes"][1]["records_per_s_history"].as_array().is_some_and(|h| h.len() > 1)
    });
    let found = scrape(&server);
    for partition in [0, 1] {
        let labels = format!("{{job=\"ticks\",partition=\"{partition}\"}}");
        for name in [
            "corelane_partition_records_total",
            "corelane_partition_throughput",
            "corelane_partition_queue_depth",
            "corelane_partition_queue_utilization",
            "corelane_partition_busy_ratio",
            "corelane_partition_hot",
            "corelane_partition_latency_seconds_sum",
            "corelane_partition_latency_seconds_count",
            "corelane_backpressure_state",
            "corelane_late_records_total",
            "corelane_dropped_records_total",
            "corelane_failed_records_total",
            "corelane_watermark_lag_seconds",
        ] {
            assert!(found.contains_key(&format!("{name}{labels}")), "{name}{labels} in {found:#?}");
        }
        let value = |name: &str| found[&format!("{name}{labels}")];
        assert!(value("corelane_partition_records_total") > 0.0);
        assert!(value("corelane_partition_latency_seconds_count") > 0.0);
        let busy = value("corelane_partition_busy_ratio");
        assert!(busy > 0.0 && busy <= 1.0, "{busy}");
        let events = format!(
            "corelane_backpressure_events_total{{job=\"ticks\",partition=\"{partition}\",state=\"saturated\"}}"
        );
        assert!(found.contains_key(&events), "{events}");
    }
    let throughput: f64 = [0, 1]
        .map(|p| found[&format!("corelane_partition_throughput{{job=\"ticks\",partition=\"{p}\"}}")])
        .iter()
        .sum();
    assert!((10_000.0..200_000.0).contains(&throughput), "50,000 records a second are read: {throughput}");
    assert!(found["process_cpu_seconds_total"] > 0.0 && found["process_resident_memory_bytes"] > 1e6);
    assert_eq!(found["corelane_job_state{job=\"ticks\",state=\"running\"}"], 1.0);
    // Counters only grow.
    let later = scrape(&server);
    for (name, value) in found.iter().filter(|(name, _)| name.split('{').next().unwrap().ends_with("_total")) {
        assert!(later[name] >= *value, "{name}");
    }
    server.delete("ticks").expect(200);
    assert!(!scrape(&server).keys().any(|name| name.contains("ticks")), "a job that is gone is not measured");
}

/// A sink that nobody empties: the queue fills, the state turns, and the counters agree with the API.
#[test]
fn a_jammed_job_is_seen_as_saturated() {
    let rig = Rig::new();
    let pipe = rig.path("files/pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let server = rig.serve();
    server.deploy(
        "jam",
        "CREATE SOURCE s (id BIGINT) WITH (connector = 'generator');
         CREATE SINK o WITH (connector = 'file', path = 'files/pipe', format = 'csv'); INSERT INTO o SELECT id FROM s",
    );
    let job = server.until("jam", "is saturated", |job| job["lanes"][0]["backpressure"] == "saturated");
    assert_eq!((&job["backpressure"], &job["lanes"][0]["queue_depth"]), (&json!("saturated"), &json!(8)));
    let found = scrape(&server);
    assert_eq!(found["corelane_backpressure_state{job=\"jam\",partition=\"0\"}"], 3.0);
    assert_eq!(found["corelane_partition_queue_utilization{job=\"jam\",partition=\"0\"}"], 1.0);
    assert!(found["corelane_backpressure_events_total{job=\"jam\",partition=\"0\",state=\"saturated\"}"] >= 1.0);
    drop(reader);
}

/// A job that keeps up is healthy all the time, however small its chunks are; one whose partition is slower than its source
/// is not, and is again when it has caught up in a pause.
#[test]
fn backpressure_tells_who_keeps_up() {
    let rig = Rig::new();
    let server = rig.serve();
    let job = json!({"name": "slow", "sql": endless(20_000), "options": {"processor": "partitioned", "partitions": 2}});
    server.post_job(&job).expect(201);
    let samples = |job: &Value| job["lanes"][0]["records_per_s_history"].as_array().map_or(0, Vec::len);
    server.until("slow", "is looked at", |job| samples(job) >= 1);
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(2_500) {
        let job = server.job("slow");
        assert_eq!((&job["backpressure"], &job["hot_partitions"]), (&json!("healthy"), &json!([])), "{job:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let events = server.job("slow")["lanes"][0]["backpressure_events"].take();
    assert_eq!(events, json!({"healthy": 0, "warning": 0, "critical": 0, "saturated": 0}), "it never left the state");
    server.delete("slow").expect(200);

    // As fast as can be: the reader only counts, the partition makes the rows.
    server.deploy(
        "fast",
        "CREATE SOURCE s (name VARCHAR, price DOUBLE) WITH (connector = 'generator');
         CREATE SINK o WITH (connector = 'blackhole');
         INSERT INTO o SELECT REGEXP_REPLACE(UPPER(name), '[0-9]+', 'x') AS name, SQRT(price) AS root FROM s",
    );
    let pressed = ["critical", "saturated"];
    let is_pressed = |job: &Value| pressed.contains(&job["backpressure"].as_str().unwrap());
    let job = server.until("fast", "is pressed", is_pressed);
    assert!(job["lanes"][0]["queue_utilization"].as_f64().unwrap() >= 0.85, "{job:#}");
    assert_eq!(job["hot_partitions"], json!([]), "there is one");
    server.post("/api/v1/jobs/fast/pause").expect(200);
    let job = server.until("fast", "is healthy", |job| job["backpressure"] == "healthy");
    assert_eq!(job["state"], "paused");
    server.post("/api/v1/jobs/fast/resume").expect(200);
    let job = server.until("fast", "is pressed again", is_pressed);
    let events = &job["lanes"][0]["backpressure_events"];
    let count = |state: &str| events[state].as_u64().unwrap();
    assert!(count("healthy") >= 1 && count("critical") + count("saturated") >= 2, "{events}");
}

/// The operators of a job have rows and time while it runs, and nothing is lost between them.
#[test]
fn operators_have_rows_and_time() {
    let rig = Rig::new();
    let server = rig.serve();
    for processor in ["inline", "simple", "partitioned"] {
        let sql =
            "CREATE SOURCE s (id BIGINT, price DOUBLE) WITH (connector = 'generator', rows = '300000', keys = '1000');
             CREATE SINK o WITH (connector = 'blackhole');
             INSERT INTO o SELECT id, SQRT(price) AS root FROM s WHERE id <= 500";
        let options = json!({"processor": processor, "partitions": if processor == "partitioned" { 2 } else { 1 }});
        server.post_job(&json!({"name": processor, "sql": sql, "options": options})).expect(201);
        let job = server.until_state(processor, "finished");
        let stages = job["stages"].as_array().unwrap();
        let stage = |name: &str| {
            let found = stages.iter().find(|stage| stage["stage"] == name);
            found.unwrap_or_else(|| panic!("{name} of {processor} in {stages:#?}"))
        };
        let rows = |name: &str| [&stage(name)["rows_in"], &stage(name)["rows_out"]].map(|rows| rows.as_u64().unwrap());
        let emitted = job["totals"]["records_emitted"].as_u64().unwrap();
        assert!(emitted > 100_000 && emitted < 200_000, "{emitted}");
        assert_eq!(rows("decode"), [300_000; 2], "{processor}");
        assert_eq!(rows("WHERE"), [300_000, emitted], "{processor}");
        assert_eq!(rows("SELECT"), [emitted; 2], "{processor}");
        assert_eq!(stage("WHERE")["kind"], "operator");
        let share: f64 = stages.iter().map(|stage| stage["share"].as_f64().unwrap()).sum();
        assert!((share - 1.0).abs() < 0.01, "{share}: {stages:#?}");
        assert!(stage("decode")["time_s"].as_f64().unwrap() > 0.0);
    }
    server.post_job(&json!({"name": "ticks", "sql": endless(50_000), "options": {"partitions": 2}})).expect(201);
    server.until("ticks", "shows its operators", |job| {
        let stages = job["stages"].as_array().unwrap();
        stages.iter().any(|stage| stage["stage"] == "GROUP BY" && stage["rows_in"].as_u64() > Some(10_000))
    });
}

#[test]
fn late_and_failed_records_are_counted() {
    let rig = Rig::new();
    rig.write("files/in.csv", "ts,v\n2025-01-01T00:00:00Z,1\n2025-01-01T00:10:00Z,2\n2025-01-01T00:00:01Z,3\nx,4\n");
    let server = rig.serve();
    server.deploy(
        "late",
        "CREATE SOURCE s (ts TIMESTAMP, v BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
           WITH (connector = 'file', path = 'files/in.csv', format = 'csv');
         CREATE SINK o WITH (connector = 'blackhole');
         INSERT INTO o SELECT v, COUNT(*) AS n FROM s GROUP BY v WINDOW TUMBLING (ts, INTERVAL '1' MINUTE)",
    );
    let job = server.until_state("late", "finished");
    let found = scrape(&server);
    let value = |name: &str| found[&format!("corelane_{name}_records_total{{job=\"late\",partition=\"0\"}}")];
    assert_eq!((value("late"), value("dropped"), value("failed")), (1.0, 1.0, 1.0));
    let lane = &job["lanes"][0];
    assert_eq!(
        (&lane["records_late"], &lane["records_dropped"], &lane["records_failed"]),
        (&json!(1), &json!(1), &json!(1))
    );
}

#[test]
fn scrapers_get_the_format_they_ask_for() {
    let rig = Rig::new();
    let server = rig.serve();
    server.deploy("ticks", &endless(1_000));
    server.until_state("ticks", "running");
    let open = server.request("GET", "/metrics", &["Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1"], "");
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", open.head);
    assert!(open.body.ends_with("# EOF\n"));
    let plain = server.get("/metrics");
    assert!(plain.head.contains("content-type: text/plain; version=0.0.4"), "{}", plain.head);
    // Every sample belongs to the family declared before it, and each family is declared once.
    let mut declared: Vec<String> = Vec::new();
    for line in plain.body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap().to_string();
            assert!(!declared.contains(&name), "{name} is declared twice");
            declared.push(name);
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = declared.last().unwrap();
            assert!(
                name == family
                    || name
                        .strip_prefix(family.as_str())
                        .is_some_and(|end| ["_sum", "_count", "_bucket"].contains(&end)),
                "{name}"
            );
        }
    }
    match Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(mut promtool) => {
            promtool.stdin.take().unwrap().write_all(plain.body.as_bytes()).unwrap();
            let output = promtool.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Err(_) => println!("not run: promtool is not installed (Debian package prometheus)"),
    }
}
