//! `corelane config`, and configurations that do not start a server.

use crate::rig::Rig;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn mistakes_are_pointed_at_and_nothing_starts() {
    let rig = Rig::new();
    for (yaml, said) in [
        ("lisen: 127.0.0.1:1\n", "unknown key lisen"),
        ("listen: 0.0.0.0:0\n", "a token is needed"),
        ("listen: 0.0.0.0:0\ntoken: ${CORELANE_TEST_NO_SUCH}\n", "the environment has no CORELANE_TEST_NO_SUCH"),
        ("runtime: {processor: partitoned}\n", "did you mean partitioned?"),
        ("roots: [nowhere]\n", "nowhere"),
        ("a: {\n", "not YAML"),
        ("jobs: [{name: a, file: none.sql}]\n", "none.sql"),
    ] {
        rig.write("c.yaml", yaml);
        for arguments in [&["config", "check", "c.yaml"][..], &["serve", "--config", "c.yaml"]] {
            let output = rig.corelane(arguments);
            let stderr = text(&output.stderr);
            assert!(stderr.starts_with("error: ") && stderr.contains(said), "{yaml}: {stderr}");
            assert!(matches!(output.status.code(), Some(1 | 2)), "{yaml}: {:?}", output.status);
            assert!(!rig.path("corelane-data/jobs.json").exists());
        }
    }
    rig.write("c.yaml", "token: a\nlisen: 127.0.0.1:1\n");
    let stderr = text(&rig.corelane(&["config", "check", "c.yaml"]).stderr);
    assert!(stderr.contains("--> c.yaml:2:1") && stderr.contains("did you mean listen?"), "{stderr}");
    rig.write("c.yaml", "jobs: [{name: a, sql: SELEC 1}]\n");
    let output = rig.corelane(&["config", "check", "c.yaml"]);
    assert!(text(&output.stderr).contains("--> job a:1:1"), "{}", text(&output.stderr));
}

#[test]
fn a_good_file_is_said_to_be_good() {
    let rig = Rig::new();
    rig.write(
        "c.yaml",
        "listen: 127.0.0.1:7071\ntoken: ${TOKEN_OF_TEST:-x}\nroots: [files]\nruntime: {partitions: 2}\n",
    );
    let output = rig.corelane(&["config", "check", "c.yaml"]);
    assert_eq!(
        text(&output.stdout),
        "c.yaml: listens on 127.0.0.1:7071, 0 jobs, no errors\n",
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_schema_is_json() {
    let rig = Rig::new();
    let schema: serde_json::Value = serde_json::from_slice(&rig.corelane(&["config", "schema"]).stdout).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["runtime"]["properties"]["memory_limit"].is_object());
}

#[test]
fn a_data_directory_has_one_server() {
    let rig = Rig::new();
    let _first = rig.serve();
    let output = rig.corelane(&["serve", "--config", "server.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("another server uses"), "{}", text(&output.stderr));
}

#[test]
fn a_port_that_is_taken_is_told() {
    let rig = Rig::new();
    let first = rig.serve();
    rig.write("second.yaml", &format!("listen: {}\ndata_directory: other\n", first.address));
    let output = rig.corelane(&["serve", "--config", "second.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot listen on"), "{}", text(&output.stderr));
}
