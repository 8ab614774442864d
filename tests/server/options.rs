//! One set of names: every setting is taken by SET, by a flag, by the configuration and by a request, a mistyped one gets a
//! suggestion in each, and its default is the same wherever it is shown.

use corelane::engine::{SETTING_OPTIONS, option_groups};
use serde_json::{Value, json};

use crate::rig::{Rig, Served};

const JOB: &str = "CREATE SOURCE s (ts TIMESTAMP, id BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
       WITH (connector = 'generator', rows = '100');
     CREATE SINK late WITH (connector = 'blackhole');
     CREATE SINK o WITH (connector = 'blackhole');";
const INSERT: &str =
    "INSERT INTO o SELECT id, COUNT(*) AS n FROM s GROUP BY id WINDOW TUMBLING (ts, INTERVAL '1' SECOND)";

/// A value that a setting takes beside its default, with what it needs besides.
fn good(name: &str) -> (&'static str, Option<(&'static str, &'static str)>) {
    let value = match name {
        "processor" => "inline",
        "partitions" => "1",
        "cores" => "0",
        "batch_rows" => "100",
        "strategy" => "always_hash",
        "fan_in_partition" => "0",
        "wait" => "park",
        "simd" => "scalar",
        "late_records" => "process_all",
        "allowed_lateness" => "2s",
        "late_sink" => "late",
        "min_advance" => "1s",
        "idle_timeout" | "max_future" | "state_ttl" => "off",
        "memory_limit" => "1GB",
        other => panic!("there is no value for {other} in this test"),
    };
    (value, (name == "allowed_lateness").then_some(("late_records", "process_all")))
}

/// A value that it does not take.
fn bad(name: &str) -> &'static str {
    if name == "late_sink" { "nowhere" } else { "?" }
}

/// Each letter but the last, or one more.
fn mistyped(name: &str) -> String {
    if name == "simd" { "simdd".into() } else { name[..name.len() - 1].into() }
}

/// A way to give settings: true if they were taken, and what was said.
type Way<'a> = (&'a str, Box<dyn Fn(&[(&str, &str)]) -> (bool, String) + 'a>);

fn ways<'a>(rig: &'a Rig, server: &'a Served) -> Vec<Way<'a>> {
    let run = |arguments: &[&str]| {
        let output = rig.corelane(arguments);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(matches!(output.status.code(), Some(0 | 2)), "{arguments:?}: {said}");
        (output.status.code() == Some(0), said)
    };
    vec![
        (
            "SET",
            Box::new(move |settings| {
                let set: String = settings.iter().map(|(key, value)| format!("SET {key} = '{value}';\n")).collect();
                rig.write("job.sql", &format!("{JOB} {set} {INSERT}"));
                run(&["run", "job.sql"])
            }),
        ),
        (
            "flag",
            Box::new(move |settings| {
                rig.write("job.sql", &format!("{JOB} {INSERT}"));
                let flags = settings.iter().map(|(key, value)| format!("--{}={value}", key.replace('_', "-")));
                let flags: Vec<String> = flags.collect();
                run(&[&["run", "job.sql"][..], &flags.iter().map(String::as_str).collect::<Vec<_>>()].concat())
            }),
        ),
        (
            "runtime",
            Box::new(move |settings| {
                let lines = settings.iter().map(|(key, value)| format!("  {key}: '{value}'\n"));
                let sql = serde_json::to_string(&format!("{JOB} {INSERT}")).unwrap();
                let runtime = lines.collect::<String>();
                rig.write("c.yaml", &format!("runtime:\n{runtime}jobs:\n  - {{name: a, sql: {sql}}}\n"));
                run(&["config", "check", "c.yaml"])
            }),
        ),
        (
            "job's options",
            Box::new(move |settings| {
                let settings: Value = settings.iter().map(|(key, value)| (key.to_string(), json!(value))).collect();
                let sql = serde_json::to_string(&format!("{JOB} {INSERT}")).unwrap();
                rig.write("c.yaml", &format!("jobs:\n  - {{name: a, sql: {sql}, options: {settings}}}\n"));
                run(&["config", "check", "c.yaml"])
            }),
        ),
        (
            "request",
            Box::new(move |settings| {
                let options: Value = settings.iter().map(|(key, value)| (key.to_string(), json!(value))).collect();
                let body = json!({"name": "a", "sql": format!("{JOB} {INSERT}"), "options": options, "replace": true});
                let answer = server.post_job(&body);
                let error = answer.json()["error"].take();
                assert!(matches!(answer.status, 201 | 400), "{}", answer.body);
                let [message, help] =
                    ["message", "help"].map(|key| error[key].as_str().unwrap_or_default().to_string());
                (answer.status == 201, format!("{message} {help}"))
            }),
        ),
    ]
}

#[test]
fn every_setting_is_taken_everywhere_and_a_mistyped_one_gets_a_suggestion() {
    let rig = Rig::new();
    let server = rig.serve();
    for (way, give) in ways(&rig, &server) {
        for entry in SETTING_OPTIONS {
            let name = entry.name;
            let (value, more) = good(name);
            let settings: Vec<_> = more.into_iter().chain([(name, value)]).collect();
            let (taken, said) = give(&settings);
            assert!(taken, "{way}: {settings:?}: {said}");
            let (taken, said) = give(&[(name, bad(name))]);
            assert!(!taken && said.contains(bad(name)), "{way}: {name}: {said}");
            let wrong = mistyped(name);
            let (taken, said) = give(&[(&wrong, value)]);
            // Of flags the parser of the command line says it.
            let suggested = [format!("did you mean {name}"), format!("'--{}'", name.replace('_', "-"))];
            assert!(!taken && suggested.iter().any(|text| said.contains(text)), "{way}: {wrong}: {said}");
        }
    }
}

#[test]
fn defaults_are_the_same_wherever_they_are_shown() {
    let rig = Rig::new();
    let json = |arguments: &[&str]| -> Value { serde_json::from_slice(&rig.corelane(arguments).stdout).unwrap() };
    let (listed, schema) = (json(&["options", "--json"]), json(&["config", "schema"]));
    let help = rig.corelane(&["run", "--help"]).stdout;
    // Lines are broken where they are full.
    let help = String::from_utf8(help).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let runtime = &schema["properties"]["runtime"]["properties"];
    let options = &schema["properties"]["jobs"]["items"]["properties"]["options"]["properties"];
    let reference = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md")).unwrap();
    for entry in SETTING_OPTIONS {
        let (name, default) = (entry.name, entry.default);
        let found = listed.as_array().unwrap().iter().find(|o| o["name"] == name && o["place"] == "setting");
        assert_eq!(found.unwrap_or_else(|| panic!("{name} is not listed"))["default"], default);
        let flag = format!("--{} <", name.replace('_', "-"));
        let from = help.find(&flag).unwrap_or_else(|| panic!("{flag} in {help}"));
        let shown = help[from..].split("[default: ").nth(1).and_then(|rest| rest.split(']').next());
        assert_eq!(shown, Some(default), "--help of {name}");
        for place in [runtime, options] {
            let described = place[name]["description"].as_str().unwrap();
            assert!(described.starts_with(entry.about) && described.ends_with(&format!("Default: {default}.")));
            assert!(place[name]["default"].is_null() || place[name]["default"] == default, "{name}");
        }
        assert!(reference.contains(&format!("| `{name}` |")), "{name} is not in docs/reference.md");
    }
}

/// Options of WITH: what nobody takes is pointed at, in sources, sinks and the functions that read files.
#[test]
fn a_mistyped_option_of_with_is_pointed_at() {
    let rig = Rig::new();
    rig.write("in.csv", "id\n1\n");
    let check = |sql: &str| {
        rig.write("job.sql", sql);
        let output = rig.corelane(&["check", "job.sql"]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (group, entries) in option_groups().into_iter().filter(|(group, _)| *group != "setting") {
        for entry in entries.iter().filter(|entry| entry.name.len() > 2) {
            let wrong = format!("{}q", entry.name);
            let sql = match group {
                "sink" => format!(
                    "CREATE SOURCE s (id BIGINT) WITH (connector = 'generator', rows = '1');\n\
                     CREATE SINK o WITH ({wrong} = '1'); INSERT INTO o SELECT id FROM s"
                ),
                _ => format!("CREATE SOURCE s (id BIGINT)\n WITH ({wrong} = '1'); SELECT id FROM s"),
            };
            let (status, said) = check(&sql);
            assert_eq!(status, Some(2), "{sql}: {said}");
            let place = format!("--> job.sql:2:{}", sql.lines().nth(1).unwrap().find(&wrong).unwrap() + 1);
            let expected = [format!("unknown option {wrong}"), format!("did you mean {}?", entry.name), place];
            assert!(expected.iter().all(|text| said.contains(text.as_str())), "{expected:?}\n{said}");
        }
    }
    let (_, said) = check("SELECT id FROM read_csv('in.csv', delm = ';')");
    assert!(said.contains("unknown option delm") && said.contains("did you mean delim?"), "{said}");
    // One that another connector has, and a value that is wrong, are pointed at, too.
    for (with, at, message) in [
        ("connector = 'stdin', format = 'csv', rows = '1'", "rows", "unknown option rows for this source"),
        ("connector = 'generator', rows = 'x'", "'x'", "option rows = 'x': expected a whole number"),
    ] {
        let sql = format!("CREATE SOURCE s (id BIGINT) WITH ({with}); SELECT id FROM s");
        let (_, said) = check(&sql);
        let place = format!("--> job.sql:1:{}\n", sql.find(at).unwrap() + 1);
        assert!(said.contains(message) && said.contains(&place), "{place}{said}");
    }
    // A sink is looked at without being opened.
    let (status, said) = check(
        "CREATE SOURCE s (id BIGINT) WITH (connector = 'generator', rows = '1');
         CREATE SINK o WITH (connector = 'file', path = 'out.csv', format = 'cvs'); INSERT INTO o SELECT id FROM s",
    );
    assert!(status == Some(2) && said.contains("did you mean 'csv'?"), "{said}");
    assert!(!rig.path("out.csv").exists());
}
