//! Who may change something, and which files a job may touch.

use serde_json::json;

use crate::rig::{Rig, endless};

#[test]
fn changes_need_the_token_where_there_is_one() {
    let rig = Rig::new();
    let server = rig.serve_with("token: s3cret\n");
    let body = json!({"name": "a", "sql": endless(10), "options": {"partitions": 1}}).to_string();
    let changes = [
        ("POST", "/api/v1/jobs", body.as_str()),
        ("POST", "/api/v1/jobs/a/pause", ""),
        ("POST", "/api/v1/jobs/a/resume", ""),
        ("DELETE", "/api/v1/jobs/a", ""),
    ];
    for (method, path, body) in changes {
        let json = "Content-Type: application/json";
        let without = server.request(method, path, &[json], body);
        assert_eq!((without.status, without.code().as_str()), (401, "token_required"), "{path}");
        assert!(without.head.contains("www-authenticate: Bearer"), "{}", without.head);
        for wrong in ["Bearer s3cres", "Bearer s3cret2", "Bearer", "Basic s3cret", "s3cret"] {
            assert_eq!(server.request(method, path, &[json, &format!("Authorization: {wrong}")], body).status, 401);
        }
    }
    for (method, path, body) in changes {
        let headers = ["Content-Type: application/json", "Authorization: Bearer s3cret"];
        assert!(server.request(method, path, &headers, body).status < 300, "{path}");
    }
    for open in ["/", "/health", "/ready", "/metrics", "/api/v1/jobs", "/api/v1/openapi.json"] {
        assert_eq!(server.get(open).status, 200, "{open}");
    }
    assert!(!server.log.lock().unwrap().contains("s3cret"));
}

#[test]
fn pages_of_other_sites_may_not_change_anything() {
    let rig = Rig::new();
    let server = rig.serve();
    server.deploy("a", &endless(10));
    let pause = |headers: &[&str]| server.request("POST", "/api/v1/jobs/a/pause", headers, "").status;
    assert_eq!(pause(&["Origin: http://evil.example"]), 403);
    assert_eq!(pause(&[&format!("Origin: http://{}", server.address)]), 200);
    // A name that somebody has pointed at this host.
    let bytes = "POST /api/v1/jobs/a/pause HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(crate::rig::exchange(server.address, bytes.as_bytes()).unwrap().code(), "foreign_host");
    // What a form can send is no deployment.
    let form = server.request("POST", "/api/v1/jobs", &["Content-Type: text/plain"], "{}");
    assert_eq!(form.code(), "not_json");
}

#[test]
fn files_outside_of_the_roots_are_out_of_reach() {
    let rig = Rig::new();
    rig.write("secret.csv", "a\nsecret-row\n");
    rig.write("files/in.csv", "a\n1\n");
    std::os::unix::fs::symlink(rig.path("secret.csv"), rig.path("files/link.csv")).unwrap();
    std::os::unix::fs::symlink(rig.directory.path(), rig.path("files/up")).unwrap();
    let server = rig.serve();
    let sink = "CREATE SINK o WITH (connector = 'blackhole');";
    let outside = |sql: &str| {
        let answer = server.post_job(&json!({"name": "a", "sql": sql, "options": {"partitions": 1}}));
        assert_eq!(answer.status, 400, "{sql}: {}", answer.body);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_string();
        assert!(message.contains("outside of the roots"), "{sql}: {message}");
        assert!(!answer.body.contains("secret-row"), "{sql}");
    };
    for path in [
        "secret.csv",
        "files/../secret.csv",
        "files/link.csv",
        "files/up/secret.csv",
        "files/up/*.csv",
        "*.csv",
        "files/l*.csv",
        "/etc/passwd.csv",
        "/no/such/file.csv",
    ] {
        outside(&format!("{sink} INSERT INTO o SELECT * FROM '{path}'"));
        outside(&format!("{sink} INSERT INTO o SELECT * FROM read_csv('{path}')"));
        outside(&format!(
            "{sink} CREATE SOURCE s (a VARCHAR) WITH (connector = 'file', path = '{path}', format = 'csv');
             INSERT INTO o SELECT COUNT(*) FROM s WHERE a IN (SELECT a FROM '{path}')"
        ));
    }
    for path in ["out.csv", "files/../out.csv", "files/up/out.csv", "files/link.csv", "/tmp/corelane-test-out.csv"] {
        outside(&format!(
            "CREATE SINK o WITH (connector = 'file', path = '{path}', format = 'csv'); INSERT INTO o SELECT a FROM 'files/in.csv'"
        ));
        outside(&format!(
            "{sink} CREATE SOURCE s (a BIGINT) WITH (connector = 'file', path = 'files/in.csv', format = 'csv',
               on_error = 'dead_letter', dead_letter_path = '{path}');
             INSERT INTO o SELECT a FROM s"
        ));
        outside(&format!(
            "{sink} CREATE SINK late WITH (connector = 'file', path = '{path}', format = 'csv'); SET late_sink = 'late';
             INSERT INTO o SELECT a FROM 'files/in.csv'"
        ));
    }
    for (sql, said) in [
        ("CREATE SOURCE s (a BIGINT) WITH (connector = 'generator', rows = '1'); SELECT a FROM s", "standard output"),
        (
            "CREATE SOURCE s (a BIGINT) WITH (connector = 'stdin', format = 'csv'); CREATE SINK o WITH (connector = 'blackhole');
             INSERT INTO o SELECT a FROM s",
            "standard input",
        ),
    ] {
        let answer = server.post_job(&json!({"name": "a", "sql": sql}));
        assert!(answer.status == 400 && answer.body.contains(said), "{sql}: {}", answer.body);
    }
    server.deploy("fine", &format!("{sink} INSERT INTO o SELECT a FROM 'files/up/files/in.csv'"));
    // An option names a sink only when the job runs.
    let late = format!(
        "{sink} CREATE SINK late WITH (connector = 'file', path = 'late.csv', format = 'csv'); INSERT INTO o SELECT a FROM 'files/in.csv'"
    );
    let options = json!({"partitions": 1, "late_sink": "late"});
    let answer = server.post_job(&json!({"name": "late", "sql": late, "options": options}));
    if answer.status == 201 {
        assert!(server.until_state("late", "failed")["last_error"].as_str().unwrap().contains("outside of the roots"));
    }
    assert!(!rig.path("late.csv").exists() && !rig.path("out.csv").exists());
}

#[test]
fn without_roots_no_file_may_be_used() {
    let rig = Rig::new();
    rig.write("files/in.csv", "a\n1\n");
    let server = rig.serve_with("");
    let sql = "CREATE SINK o WITH (connector = 'blackhole'); INSERT INTO o SELECT a FROM 'files/in.csv'";
    let answer = server.post_job(&json!({"name": "a", "sql": sql}));
    assert!(answer.body.contains("no roots are configured"), "{}", answer.body);
}
