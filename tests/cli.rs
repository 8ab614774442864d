//! The command as scripts see it: what it prints where, and its exit status.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn corelane(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_corelane")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The command ends with status 2 and says `said`, with nothing on stdout.
fn assert_refused(arguments: &[&str], said: &str) {
    let output = corelane(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    assert_eq!(stdout(&output), "", "{arguments:?}");
}

#[test]
fn the_version_names_commit_compiler_and_features() {
    let output = corelane(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.starts_with(concat!("corelane ", env!("CARGO_PKG_VERSION"), "\n")), "{text}");
    for line in ["commit: ", "compiler: rustc ", "target features: "] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn help_lists_the_verbs() {
    let output = corelane(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let verbs =
        ["run", "query", "explain", "check", "serve", "config", "top", "shell", "head", "gen", "doctor", "completions"];
    for verb in verbs.iter().chain(&["man", "options", "functions", "topology", "bench"]) {
        assert!(stdout(&output).contains(&format!("  {verb} ")), "{verb}");
    }
}

#[test]
fn usage_errors_have_status_2() {
    assert_refused(&[], "Usage");
    assert_refused(&["runn", "a.sql"], "run");
    assert_refused(&["run"], "FILE.sql");
    assert_refused(&["run", "a.sql", "--processor", "partitoned"], "partitioned");
    assert_refused(&["run", "a.sql", "--set", "partitions"], "expected K=V");
    assert_refused(&["query", "SELECT 1", "--format", "xml"], "parquet");
    assert_refused(&["explain"], "FILE.sql");
}

#[test]
fn configuration_errors_have_status_2() {
    assert_refused(&["run", "a.sql", "--set", "batch_row=10"], "unknown setting batch_row: did you mean batch_rows?");
    assert_refused(&["run", "a.sql", "--checkpoint-dir", "state"], "not available yet");
    assert_refused(&["query", "SELECT 1", "-o", "result"], "add --format");
    assert_refused(&["topology", "--cores", "3-1"], "3 is greater than 1");
    assert_refused(&["topology", "--cores", "1023"], "this process may use");
}

#[test]
fn a_file_that_is_not_there_has_status_1() {
    for verb in ["run", "check", "explain"] {
        let output = corelane(&[verb, "/nonexistent.sql"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stderr(&output), "error: cannot read /nonexistent.sql: no such file or directory\n");
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_by_place() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"SELECT \xff").unwrap();
    assert_refused(&["check", file.path().to_str().unwrap()], "byte 7 is not UTF-8");
}

#[test]
fn topology_prints_a_table_or_json_and_places_partitions() {
    let output = corelane(&["topology"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("  cpu  core  socket"), "{}", stdout(&output));
    let output = corelane(&["topology", "--json", "--partitions", "3"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["placement"]["partitions"], 3);
    assert!(document["cpus"].as_array().is_some_and(|cpus| !cpus.is_empty()));
}

/// A cpuset or affinity mask narrows what partitions get.
#[test]
fn topology_respects_the_affinity_it_was_started_with() {
    let allowed = corelane::sys::Topology::read().placement_order();
    let last = allowed.last().unwrap().to_string();
    let binary = env!("CARGO_BIN_EXE_corelane");
    let Ok(output) = Command::new("taskset").args(["-c", &last, binary, "topology", "--json"]).output() else {
        return eprintln!("not run: taskset is not installed");
    };
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["placement"]["cpus"].to_string(), format!("[{last}]"));
}

/// `corelane topology | head -1` ends quietly: the reader has what it wanted.
#[test]
fn a_closed_stdout_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
    let child = command.arg("topology").stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stderr(&output), "");
}

#[test]
fn functions_are_listed_as_a_table_and_as_json() {
    let output = corelane(&["functions", "regexp_l*"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("signature ") && text.ends_with("(1 function)\n"), "{text}");
    assert!(text.contains("REGEXP_LIKE('order 66', '[0-9]+') = true"), "{text}");
    let output = corelane(&["functions", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let names: Vec<&str> = document.as_array().unwrap().iter().filter_map(|entry| entry["name"].as_str()).collect();
    assert!(names.len() > 120 && names.contains(&"LPAD") && names.contains(&"SUM") && names.contains(&"LAG"));
    assert_refused(&["functions", "uper"], "did you mean UPPER?");
}
