//! What is for the prompt: `shell`, `head`, `gen`, `doctor`, `options`, `completions`, `man`.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::rig::{Ran, Rig};

const TRADES: &str =
    "at,symbol,price\n2024-01-01T00:00:00Z,a,1.5\n2024-01-01T00:00:01Z,b,2.5\n2024-01-01T00:00:02Z,a,3.5\n";

/// A command that reads `input`.
fn piped(rig: &Rig, arguments: &[&str], input: &str) -> Ran {
    let mut child = rig.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    // A command that has refused something reads no further.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Ran::new(&format!("{arguments:?} <<< {input}"), child.wait_with_output().unwrap())
}

fn shell(rig: &Rig, input: &str) -> Ran {
    piped(rig, &["shell"], input)
}

#[test]
fn declarations_of_the_shell_stay() {
    let rig = Rig::with("trades.csv", TRADES);
    let source = "CREATE SOURCE trades (at TIMESTAMP, symbol VARCHAR, price DOUBLE)\n  WITH (connector = 'file', path = 'trades.csv', format = 'csv');\n";
    let input = format!(
        "{source}.tables\n.mode csv\nSELECT symbol, COUNT(*) AS n\nFROM trades\nGROUP BY symbol;\nSELECT SUM(price) AS s FROM trades;\n"
    );
    shell(&rig, &input).printed("source  trades\nsymbol,n\na,2\nb,1\ns\n7.5\n").quietly();
    // The last statement needs no semicolon; rows are tables unless told otherwise.
    let ran = shell(&rig, &format!("{source}SELECT MAX(price) AS m FROM trades")).quietly();
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "   m\n-----\n 3.5\n(1 row)\n"));
    let ran =
        shell(&rig, &format!("{source}.mode json\nSELECT price FROM trades LIMIT 1;\n.show trades\n.reset\n.tables\n"));
    assert!(
        ran.stdout.starts_with("{\"price\":1.5}\nCREATE SOURCE trades ") && ran.stdout.ends_with(";\n"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("source  "), "all is forgotten: {}", ran.stdout);
}

/// What is said of a job goes to standard error: a pipe gets rows only.
#[test]
fn an_insert_in_the_shell_writes_its_sink() {
    let rig = Rig::with("trades.csv", TRADES);
    let input = "CREATE SINK out WITH (connector = 'file', path = 'out.csv', format = 'csv');\n\
                 INSERT INTO out SELECT symbol FROM 'trades.csv' WHERE price > 2;\n";
    shell(&rig, input).printed("").said("3 records in ");
    assert_eq!(rig.read("out.csv"), "symbol\nb\na\n");
}

#[test]
fn the_shell_ends_at_the_first_error_with_its_place() {
    let rig = Rig::with("trades.csv", TRADES);
    let ran = shell(
        &rig,
        ".mode csv\nSELECT 1 AS a FROM 'trades.csv' LIMIT 1;\nSELECT prise\nFROM 'trades.csv';\nSELECT 2 AS b;\n",
    );
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), "a\n1\n"), "{}", ran.stderr);
    let ran = ran.said("error: unknown column prise\n --> <query>:1:8").said("did you mean price?");
    assert_eq!(ran.stderr.matches("error: ").count(), 1);
    for (input, said) in [
        (".tabels\n", "unknown command .tabels: did you mean .tables?"),
        (".mode xml\n", "unknown mode xml: expected table, csv or json"),
        (".read nothing.sql\n", "nothing.sql"),
        ("SELECT", "error: "),
        ("SET partitons = 2;\n", "did you mean partitions?"),
    ] {
        let ran = shell(&rig, input).said(said);
        assert!(ran.status.is_some_and(|status| status != 0), "{input}");
        assert_eq!(ran.stdout, "", "{input}");
    }
}

#[test]
fn the_shell_reads_files_and_takes_flags() {
    let rig = Rig::with("trades.csv", TRADES);
    rig.write(
        "declare.sql",
        "CREATE SOURCE t (price DOUBLE) WITH (connector = 'file', path = 'trades.csv', format = 'csv');\n-- the end\n",
    );
    shell(&rig, ".mode csv\n.read declare.sql\nSELECT COUNT(*) AS n FROM t;\n.quit\nSELECT nothing;\n")
        .printed("n\n3\n")
        .quietly();
    rig.write("wrong.sql", "SELECT 1;\nSELEKT 2;\n");
    let ran = shell(&rig, ".read wrong.sql\n");
    assert_eq!(ran.status, Some(2), "{}", ran.stderr);
    let ran = piped(&rig, &["shell", "--processor", "inlin"], "");
    ran.failed(2, "inlin");
}

#[test]
fn what_head_prints_can_be_pasted() {
    let rig = Rig::with("trades.csv", TRADES);
    let ran = rig.corelane(&["head", "trades.csv", "-n", "2"]).quietly();
    assert_eq!(ran.status, Some(0));
    let (rows, declaration) = ran.stdout.split_once("\n\n").unwrap();
    assert!(rows.contains("2024-01-01T00:00:01Z | b") && rows.ends_with("(2 rows)"), "{rows}");
    let sql = format!(
        "{declaration}SELECT symbol, COUNT(*) AS n FROM trades GROUP BY symbol WINDOW TUMBLING (INTERVAL '1' MINUTE);"
    );
    let ran = rig.run(&sql, &[]);
    assert_eq!(ran.status, Some(0), "{sql}\n{}", ran.stderr);
    assert!(ran.stdout.contains("(2 rows)"), "{}", ran.stdout);
    rig.corelane(&["head", "nothing.csv"]).failed(1, "nothing.csv");
}

#[test]
fn what_gen_makes_is_read_by_run() {
    let rig = Rig::new();
    let jobs = [
        ("trades", "symbol VARCHAR, price DOUBLE", "symbol"),
        ("iot", "sensor_id INT, temperature DOUBLE", "sensor_id"),
        ("logs", "service VARCHAR, status INT", "service"),
    ];
    for (kind, columns, key) in jobs {
        let ran = rig.corelane(&["gen", kind, "--rows", "500", "--keys", "4", "--seed", "7"]).quietly();
        assert_eq!((ran.status, ran.stdout.lines().count()), (Some(0), 501), "{kind}");
        let again = rig.corelane(&["gen", kind, "--rows", "500", "--keys", "4", "--seed", "7"]);
        assert_eq!(ran.stdout, again.stdout, "the same seed makes the same rows");
        let other = rig.corelane(&["gen", kind, "--rows", "500", "--keys", "4", "--seed", "8"]);
        assert_ne!(ran.stdout, other.stdout);
        let sql = format!(
            "CREATE SOURCE s ({columns}) WITH (connector = 'stdin', format = 'csv');
             CREATE SINK o WITH (connector = 'stdout', format = 'csv');
             INSERT INTO o SELECT {key} FROM s;"
        );
        let read = rig.run_with_input(&sql, &[], ran.stdout.as_bytes());
        assert_eq!(read.status, Some(0), "{kind}: {}", read.stderr);
        let keys: Vec<&str> = read.stdout.lines().skip(1).collect();
        let distinct: BTreeSet<&&str> = keys.iter().collect();
        assert_eq!((keys.len(), distinct.len()), (500, 4), "{kind}: {distinct:?}");
    }
    rig.corelane(&["gen", "logs", "--rows", "10", "-o", "logs.parquet"]).printed("");
    rig.query("SELECT COUNT(*) AS n FROM 'logs.parquet'", &["--format", "csv"]).printed("n\n10\n");
    rig.corelane(&["gen", "trades", "--disorder", "2"]).failed(2, "disorder");
}

fn document(rig: &Rig, arguments: &[&str]) -> Value {
    let ran = rig.corelane(arguments).quietly();
    assert_eq!(ran.status, Some(0), "{arguments:?}");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", ran.stdout))
}

/// Entries of a list that stands alone or under one key.
fn entries(document: &Value) -> &Vec<Value> {
    document.as_array().or_else(|| document.as_object()?.values().find_map(Value::as_array)).expect("a list")
}

#[test]
fn doctor_and_options_have_documents() {
    let rig = Rig::new();
    let doctor = document(&rig, &["doctor", "--json"]);
    let checks = entries(&doctor);
    assert!(checks.len() >= 10, "{doctor}");
    for check in checks {
        for key in ["check", "verdict", "state", "wanted", "reason", "command"] {
            assert!(check[key].is_string(), "{key} in {check}");
        }
    }
    let table = rig.corelane(&["doctor"]).quietly();
    assert!(checks.iter().all(|check| table.stdout.contains(check["check"].as_str().unwrap())), "{}", table.stdout);

    let options = document(&rig, &["options", "--json"]);
    let named = |name: &str| entries(&options).iter().find(|option| option["name"] == name).expect(name).clone();
    assert_eq!((&named("batch_rows")["place"], &named("batch_rows")["default"]), (&"setting".into(), &"8192".into()));
    assert_eq!(document(&rig, &["options", "late_sink", "--json"]).as_array().map(Vec::len), Some(1));
    rig.corelane(&["options", "partitons"]).failed(2, "did you mean partitions?");
}

#[test]
fn completions_and_manuals_know_every_verb() {
    let rig = Rig::new();
    let completions = rig.corelane(&["completions", "bash"]).quietly();
    rig.corelane(&["man", "made/man1"]).printed("").quietly();
    let verbs = [
        "run",
        "query",
        "explain",
        "check",
        "topology",
        "serve",
        "top",
        "config",
        "functions",
        "shell",
        "head",
        "gen",
        "doctor",
        "completions",
        "man",
        "options",
        "bench",
    ];
    for verb in verbs {
        assert!(completions.stdout.contains(&format!("corelane,{verb})")), "{verb}");
        let page = rig.read(&format!("made/man1/corelane-{verb}.1"));
        assert!(page.contains(".SH SYNOPSIS") && page.contains(verb), "{verb}");
    }
    // The shell itself takes them.
    rig.write("completions.bash", &completions.stdout);
    let script = "source completions.bash && COMP_WORDS=(corelane he) COMP_CWORD=1 && _corelane corelane he corelane && echo ${COMPREPLY[@]}";
    let completed = Command::new("bash").args(["-c", script]).current_dir(rig.path("")).output();
    match completed {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "head help\n", "{output:?}"),
        Err(_) => println!("not run: bash is not installed"),
    }
    for shell in ["zsh", "fish"] {
        assert!(rig.corelane(&["completions", shell]).quietly().stdout.contains("doctor"), "{shell}");
    }
    let ran = rig.corelane(&["completions", "csh"]);
    assert_eq!(ran.status, Some(2));
}
