//! Deploy, watch, pause, resume, replace, stop; what goes wrong with a job, and what comes after.

use serde_json::{Value, json};

use crate::rig::{Rig, endless, eventually};

fn records(job: &Value) -> u64 {
    job["totals"]["records_read"].as_u64().unwrap()
}

#[test]
fn a_job_is_deployed_watched_paused_resumed_and_stopped() {
    let rig = Rig::new();
    let server = rig.serve();
    assert_eq!(server.get("/health").expect(200)["status"], "ok");
    assert_eq!(server.get("/ready").expect(200)["status"], "ready");
    assert_eq!(server.get("/api/v1/jobs").expect(200)["jobs"], json!([]));
    let deployed = server.deploy("ticks", &endless(20_000));
    assert_eq!(deployed["name"], "ticks");
    let job = server.until("ticks", "reads", |job| records(job) > 5_000);
    assert_eq!(job["state"], "running");
    assert_eq!(job["options"], json!({"partitions": "1"}));
    assert_eq!(job["reads_from"]["position"], "start");
    let lane = &job["lanes"][0];
    assert_eq!(lane["partition"], 0);
    assert!(lane["core"].is_u64() && lane["queue_capacity"] == 8, "{lane}");
    assert!(lane["watermark_lag_s"].as_f64().unwrap() > 0.0 && lane["watermark"].is_string(), "{lane}");
    assert!(lane["records_per_s"].as_f64().unwrap() > 0.0, "{lane}");
    assert!(lane["latency_p99_s"].as_f64().unwrap() > 0.0, "{lane}");
    assert!(lane["busy_ratio"].as_f64().unwrap() > 0.0, "{lane}");
    assert_eq!(server.get("/api/v1/jobs").expect(200)["jobs"][0]["name"], "ticks");
    let plan = server.get("/api/v1/jobs/ticks/plan").expect(200);
    assert!(plan["plan"].as_str().unwrap().contains("Layout: processor"), "{plan}");

    assert_eq!(server.post("/api/v1/jobs/ticks/pause").expect(200)["state"], "paused");
    // What was read before the pause is still worked off.
    let still = eventually("the pause", || {
        let before = records(&server.job("ticks"));
        std::thread::sleep(std::time::Duration::from_millis(200));
        (records(&server.job("ticks")) == before).then_some(before)
    });
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(records(&server.job("ticks")), still, "a paused job reads nothing");
    assert_eq!(server.post("/api/v1/jobs/ticks/resume").expect(200)["state"], "running");
    server.until("ticks", "goes on", |job| records(job) > still);

    let stopped = server.delete("ticks").expect(200);
    assert_eq!(stopped["state"], "stopped");
    let report = &stopped["report"];
    let count = |key: &str| report[key].as_u64().unwrap();
    assert!(count("records_read") > still && count("records_emitted") > 0, "{report}");
    assert_eq!(count("records_read"), count("records_processed"), "what was read was drained: {report}");
    assert_eq!(server.get("/api/v1/jobs/ticks").code(), "no_such_job");
}

/// A paused job keeps the state of its windows: its sums are those of all records before and after the pause.
#[test]
fn state_is_kept_over_a_pause_and_committed_by_a_stop() {
    let rig = Rig::new();
    let server = rig.serve();
    for processor in ["inline", "simple", "partitioned", "stp"] {
        let sql = format!(
            "CREATE SOURCE s (id BIGINT) WITH (connector = 'generator', rate = '50000', rows = '100000000');
             CREATE SINK o WITH (connector = 'file', path = 'files/{processor}.csv', format = 'csv');
             INSERT INTO o SELECT COUNT(*) AS n FROM s"
        );
        let options = json!({"processor": processor, "partitions": if processor == "stp" { 2 } else { 1 }});
        server.post_job(&json!({"name": processor, "sql": sql, "options": options})).expect(201);
        let before = records(&server.until(processor, "reads", |job| records(job) > 10_000));
        server.post(&format!("/api/v1/jobs/{processor}/pause")).expect(200);
        std::thread::sleep(std::time::Duration::from_millis(100));
        server.post(&format!("/api/v1/jobs/{processor}/resume")).expect(200);
        server.until(processor, "goes on", |job| records(job) > before + 1_000);
        server.post(&format!("/api/v1/jobs/{processor}/pause")).expect(200);
        assert!(!rig.path(&format!("files/{processor}.csv")).exists());
        // Stopping a paused job drains it too.
        let report = server.delete(processor).expect(200)["report"].take();
        let written = rig.read(&format!("files/{processor}.csv"));
        assert_eq!(written.trim(), format!("n\n{}", report["records_read"]), "{processor}");
    }
}

#[test]
fn a_bounded_job_finishes_and_can_be_replaced() {
    let rig = Rig::new();
    rig.write("files/in.csv", "a\n1\n2\n3\n");
    let server = rig.serve();
    let sql = |filter: &str| {
        format!(
            "CREATE SINK o WITH (connector = 'file', path = 'files/out.csv', format = 'csv');
             INSERT INTO o SELECT a FROM 'files/in.csv' {filter}"
        )
    };
    server.deploy("copy", &sql(""));
    let finished = server.until_state("copy", "finished");
    assert_eq!(finished["report"]["records_emitted"], 3);
    assert_eq!(rig.read("files/out.csv"), "a\n1\n2\n3\n");
    assert_eq!(server.post("/api/v1/jobs/copy/pause").code(), "not_running");
    let again = json!({"name": "copy", "sql": sql("WHERE a > 2"), "options": {"partitions": 1}});
    assert_eq!(server.post_job(&again).code(), "job_exists");
    let mut replacing = again.clone();
    replacing["replace"] = true.into();
    server.post_job(&replacing).expect(201);
    eventually("the new result", || (rig.read("files/out.csv") == "a\n3\n").then_some(()));
    // A replacement that is wrong leaves the job as it is.
    replacing["sql"] = "INSERT INTO nowhere SELECT 1".into();
    server.post_job(&replacing).expect(400);
    server.until_state("copy", "finished");
}

#[test]
fn sql_errors_have_their_place() {
    let rig = Rig::new();
    let server = rig.serve();
    let sql = "CREATE SOURCE s (price DOUBLE) WITH (connector = 'generator', rows = '1');\n\
               CREATE SINK o WITH (connector = 'blackhole');\nINSERT INTO o SELECT pirce FROM s";
    let error = server.post_job(&json!({"name": "a", "sql": sql})).expect(400)["error"].take();
    assert_eq!((&error["code"], &error["line"], &error["column"]), (&json!("sql"), &json!(3), &json!(22)));
    assert!(error["help"].as_str().unwrap().contains("price"), "{error}");
    for (body, code) in [
        (
            json!({"name": "a", "sql": "CREATE SOURCE s (a BIGINT) WITH (connector = 'generator', rows = '1'); SELECT a FROM s"}),
            "configuration",
        ),
        (json!({"name": "a b", "sql": endless(1)}), "configuration"),
        (json!({"name": "a", "sql": endless(1), "options": {"partition": 1}}), "configuration"),
        (json!({"name": "a", "sql": endless(1), "options": {"partitions": 0}}), "configuration"),
        (json!({"name": "a", "sql": endless(1), "option": {}}), "bad_request"),
        (json!({"name": "a"}), "bad_request"),
        (json!([]), "bad_request"),
    ] {
        let answer = server.post_job(&body);
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{body}: {}", answer.body);
    }
    assert_eq!(server.get("/api/v1/jobs").expect(200)["jobs"], json!([]));
}

/// A job whose file is not there yet is tried again until it is; one that can never run is left alone.
#[test]
fn a_failed_job_starts_again() {
    let rig = Rig::new();
    let server = rig.serve();
    let sql = "CREATE SOURCE s (a BIGINT) WITH (connector = 'file', path = 'files/later.csv', format = 'csv');
               CREATE SINK o WITH (connector = 'file', path = 'files/out.csv', format = 'csv');
               INSERT INTO o SELECT a FROM s";
    server.deploy("waits", sql);
    let job = server.until_state("waits", "restarting");
    assert_eq!(job["errors"][0]["code"], "io");
    assert!(job["restarts_at"].is_string() && job["last_error"].as_str().unwrap().contains("later.csv"), "{job}");
    rig.write("files/later.csv", "a\n5\n");
    let job = server.until_state("waits", "finished");
    assert!(job["runs"].as_u64().unwrap() >= 2, "{job}");
    assert!(job["report"]["notes"].to_string().contains("after a failure"), "{job}");
    assert_eq!(rig.read("files/out.csv"), "a\n5\n");
    // One that waits for its next start stops at once.
    std::fs::remove_file(rig.path("files/later.csv")).unwrap();
    server.delete("waits").expect(200);
    server.deploy("waits", sql);
    server.until_state("waits", "restarting");
    server.delete("waits").expect(200);
}

#[test]
fn bad_records_are_shown_while_the_job_runs() {
    let rig = Rig::new();
    rig.write("files/in.csv", "a\n1\nx\n3\n");
    let server = rig.serve();
    let sql = "CREATE SOURCE s (a BIGINT) WITH (connector = 'file', path = 'files/in.csv', format = 'csv');
               CREATE SINK o WITH (connector = 'blackhole'); INSERT INTO o SELECT a FROM s";
    server.deploy("bad", sql);
    let job = server.until_state("bad", "finished");
    assert_eq!((&job["totals"]["records_failed"], &job["failures"][0]["record"]), (&json!(1), &json!(3)));
    assert!(job["failures"][0]["reason"].as_str().unwrap().contains('x'), "{job}");
}

#[test]
fn cores_are_shared_with_a_note_or_refused() {
    let rig = Rig::new();
    let job = |name: &str| json!({"name": name, "sql": endless(10), "options": {"processor": "partitioned", "partitions": 1}});
    {
        let server = rig.serve_with("runtime: {cores: '0'}\n");
        server.post_job(&job("a")).expect(201);
        server.post_job(&job("b")).expect(201);
        let noted = server.until_state("b", "running");
        assert_eq!(noted["notes"], json!(["CPU 0 is shared with a"]));
        assert_eq!(noted["cores"], json!([0]));
        server.delete("a").expect(200);
        server.delete("b").expect(200);
    }
    let server = rig.serve_with("runtime: {cores: '0', oversubscribe: refuse}\n");
    server.post_job(&job("a")).expect(201);
    let refused = server.post_job(&job("b"));
    assert_eq!((refused.status, refused.code().as_str()), (409, "cores_taken"));
    // A job may replace itself, and what is stopped frees its cores.
    let mut replacing = job("a");
    replacing["replace"] = true.into();
    server.post_job(&replacing).expect(201);
    server.delete("a").expect(200);
    server.post_job(&job("b")).expect(201);
}
