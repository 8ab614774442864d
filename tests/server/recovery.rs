//! What outlives a server: its jobs, as they stood, whatever ended it.

use serde_json::json;

use crate::rig::{Rig, endless};

#[test]
fn after_a_crash_every_job_is_back() {
    let rig = Rig::new();
    rig.write("files/in.csv", "a\n1\n");
    let copy = "CREATE SINK o WITH (connector = 'file', path = 'files/out.csv', format = 'csv');
                INSERT INTO o SELECT a FROM 'files/in.csv'";
    {
        let server = rig.serve();
        server.deploy("one", &endless(1_000));
        server.deploy("two", &endless(1_000));
        server.post("/api/v1/jobs/two/pause").expect(200);
        server.deploy("copy", copy);
        server.until_state("copy", "finished");
        server.deploy("gone", &endless(1_000));
        server.delete("gone").expect(200);
        server.signal(libc::SIGKILL);
        server.end();
    }
    std::fs::remove_file(rig.path("files/out.csv")).unwrap();
    let server = rig.serve();
    let names = |jobs: &serde_json::Value| -> Vec<String> {
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(names(&server.get("/api/v1/jobs").expect(200)), ["copy", "one", "two"]);
    let one = server.until("one", "reads", |job| job["totals"]["records_read"].as_u64().unwrap() > 100);
    assert_eq!(one["reads_from"]["position"], "start");
    assert!(one["reads_from"]["reason"].as_str().unwrap().contains("without stopping"), "{one}");
    let two = server.until_state("two", "paused");
    assert_eq!(two["totals"]["records_read"], 0, "paused from its start on");
    // What had finished is not done again, and its report is still there.
    let copy = server.job("copy");
    assert_eq!((&copy["state"], &copy["report"]["records_emitted"]), (&json!("finished"), &json!(1)));
    assert!(!rig.path("files/out.csv").exists());
    let report = server.delete("one").expect(200)["report"].take();
    assert!(report["notes"].to_string().contains("without stopping the job: reads from the start"), "{report}");
}

#[test]
fn a_signal_drains_and_commits_all_jobs() {
    let rig = Rig::new();
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let server = rig.serve();
        let sql = "CREATE SOURCE s (id BIGINT) WITH (connector = 'generator', rate = '1000', rows = '100000000');
                   CREATE SINK o WITH (connector = 'file', path = 'files/out.csv', format = 'csv');
                   INSERT INTO o SELECT COUNT(*) AS n FROM s";
        if signal == libc::SIGTERM {
            server.deploy("count", sql);
        }
        server.until("count", "reads", |job| job["totals"]["records_read"].as_u64().unwrap() > 10);
        server.signal(signal);
        assert_eq!(server.end(), Some(0));
        assert!(rig.read("files/out.csv").starts_with("n\n"), "committed");
        std::fs::remove_file(rig.path("files/out.csv")).unwrap();
    }
    // It runs again: it was the server that was stopped, not the job.
    let server = rig.serve();
    let job = server.until_state("count", "running");
    assert!(job["reads_from"]["reason"].as_str().unwrap().contains("when the server started"), "{job}");
}

/// A job that cannot drain (its sink is a pipe that nobody reads) does not keep a second signal from ending the server.
#[test]
fn a_second_signal_ends_at_once() {
    let rig = Rig::new();
    let pipe = rig.path("files/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Somebody opens it and reads nothing.
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let server = rig.serve();
    let sql = "CREATE SOURCE s (id BIGINT) WITH (connector = 'generator');
               CREATE SINK o WITH (connector = 'file', path = 'files/pipe', format = 'csv');
               INSERT INTO o SELECT id FROM s";
    server.deploy("stuck", sql);
    server.until("stuck", "is stuck", |job| job["lanes"][0]["backpressure"] == "saturated");
    server.signal(libc::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(server.get("/ready").code(), "closing", "it still answers while it drains");
    assert_eq!(server.post_job(&json!({"name": "late", "sql": endless(1)})).code(), "closing");
    server.signal(libc::SIGTERM);
    assert_eq!(server.end(), Some(128 + libc::SIGTERM));
    drop(reader);
}

#[test]
fn jobs_of_the_configuration_come_and_go_with_it() {
    let rig = Rig::new();
    rig.write("files/b.sql", &endless(10));
    let configured = |names: &[&str], rate: u32| {
        let sql = endless(rate).replace('\n', " ");
        let jobs = names.iter().map(|name| match *name {
            "b" => "  - {name: b, file: files/b.sql}\n".to_string(),
            name => format!("  - name: {name}\n    sql: \"{sql}\"\n    options: {{partitions: 1}}\n"),
        });
        format!("roots: [files]\njobs:\n{}", jobs.collect::<String>())
    };
    {
        let server = rig.serve_with(&configured(&["a", "b"], 10));
        server.until_state("a", "running");
        assert_eq!(server.job("b")["from_config"], true);
        server.post("/api/v1/jobs/b/pause").expect(200);
        server.deploy("own", &endless(10));
        server.signal(libc::SIGTERM);
        assert_eq!(server.end(), Some(0));
    }
    {
        // Unchanged jobs stand as they stood; a changed one is deployed anew.
        let server = rig.serve_with(&configured(&["a", "b"], 20));
        server.until_state("b", "paused");
        let a = server.until_state("a", "running");
        assert!(a["sql"].as_str().unwrap().contains("'20'"), "{a}");
        server.until_state("own", "running");
        server.signal(libc::SIGTERM);
        assert_eq!(server.end(), Some(0));
    }
    let server = rig.serve_with(&configured(&["b"], 20));
    assert_eq!(server.get("/api/v1/jobs/a").status, 404);
    server.until_state("own", "running");
}
