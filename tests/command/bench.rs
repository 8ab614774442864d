//! `corelane bench` with `--quick`: every part runs, checks its rows, and says what it measured in the same words.

use serde_json::Value;

use super::rig::Rig;

/// The figures that a quick bench writes to standard output.
fn figures(arguments: &[&str]) -> Vec<Value> {
    let rig = Rig::new();
    let ran = rig.corelane(&[&["bench"], arguments, &["--quick", "--json"]].concat());
    assert_eq!(ran.status, Some(0), "{arguments:?}: {}", ran.stderr);
    let document: Value = serde_json::from_str(&ran.stdout).expect("standard output is one document");
    let figures = document.as_array().expect("figures are an array").clone();
    for figure in &figures {
        assert_eq!(figure["bench"], arguments[0], "{figure}");
        assert!(figure["case"].is_string() && figure["unit"].is_string(), "{figure}");
        assert!(figure["value"].as_f64().is_some_and(|value| value >= 0.0), "{figure}");
        assert_eq!(figure["rounds"].as_array().map(Vec::len), Some(1), "{figure}");
        assert_eq!(figure["baseline"].is_null(), figure["ratio"].is_null(), "{figure}");
        assert!(figure["machine"]["features"].is_array() && figure["machine"]["commit"].is_string(), "{figure}");
    }
    let mut cases: Vec<&str> = figures.iter().filter_map(|figure| figure["case"].as_str()).collect();
    cases.sort_unstable();
    assert!(cases.windows(2).all(|pair| pair[0] != pair[1]), "cases are told apart: {cases:?}");
    figures
}

fn find<'a>(figures: &'a [Value], case: &str) -> &'a Value {
    figures.iter().find(|figure| figure["case"] == case).unwrap_or_else(|| panic!("no {case} in {figures:?}"))
}

#[test]
fn scenarios_run_under_every_processor_from_memory_and_files() {
    let figures = figures(&["scenarios", "--partitions", "1,3", "--formats", "csv,parquet"]);
    assert_eq!(figures.len(), 5 * 3 * 6);
    let case = find(&figures, "parquet 3a tumbling stp 3");
    assert_eq!((&case["unit"], &case["baseline"]), (&"records/s".into(), &"parquet 3a tumbling simple 1".into()));
    assert_eq!(find(&figures, "memory 2 group by simple 1")["ratio"], 1.0);
}

#[test]
fn scenarios_are_chosen_by_name_and_shown_as_a_table() {
    let rig = Rig::new();
    let arguments = ["bench", "scenarios", "--quick", "--only", "2 group", "--formats", "none", "--json", "out.json"];
    let ran = rig.corelane(&arguments);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("million records/s") && ran.stdout.contains("\n2 group by "), "{}", ran.stdout);
    assert!(!ran.stdout.contains("0 select"), "{}", ran.stdout);
    let document: Value = serde_json::from_str(&rig.read("out.json")).unwrap();
    assert!(document.as_array().is_some_and(|figures| figures.len() >= 4), "{document}");
    assert_eq!(rig.names(), ["out.json"]);
    let refused = rig.corelane(&["bench", "scenarios", "--quick", "--only", "3a tumblin g"]);
    assert_eq!(refused.status, Some(2));
    assert!(refused.stderr.contains("did you mean '3a tumbling'?"), "{}", refused.stderr);
}

#[test]
fn rings_are_compared_with_the_standard_channel() {
    let figures = figures(&["rings"]);
    assert_eq!(figures.len(), 8);
    let base = "corelane backoff, round trip";
    assert_eq!(find(&figures, "std sync_channel, round trip")["baseline"], base);
    assert!(figures.iter().all(|figure| figure["unit"] == "ns" && figure["value"].as_f64() > Some(0.0)));
    let refused = Rig::new().corelane(&["bench", "rings", "--quick", "--cores", "0"]);
    assert_eq!(refused.status, Some(2));
    assert!(refused.stderr.contains("expected two, as in 2,3"), "{}", refused.stderr);
}

#[test]
fn latency_has_percentiles_of_each_load_and_the_platform_beside() {
    for partitions in ["1", "2"] {
        let figures = figures(&["latency", "--partitions", partitions, "--wait", "spin,park"]);
        find(&figures, "platform, longest gap");
        for who in ["spin", "park"] {
            let who = format!("partitioned {partitions} {who}");
            assert!(find(&figures, &format!("{who}, peak"))["value"].as_f64() > Some(0.0));
            for load in ["single records", "50 %"] {
                let us = |what: &str| find(&figures, &format!("{who}, {load}, {what}"))["value"].as_f64().unwrap();
                let rising = ["p50", "p90", "p99", "p99.9", "p99.99", "max"].map(us);
                assert!(rising[0] > 0.0 && rising.is_sorted(), "{who}, {load}: {rising:?}");
            }
        }
    }
}

#[test]
fn wrong_arguments_are_refused_with_what_would_do() {
    let refused = |arguments: &[&str], said: &str| {
        let ran = Rig::new().corelane(&[&["bench"], arguments].concat());
        assert_eq!(ran.status, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    };
    refused(&["ring"], "rings");
    refused(&["latency", "--wait", "spinn"], "spin");
    refused(&["latency", "--loads", "0"], "1..=1000");
    refused(&["scenarios", "--rows", "0"], "expected a number from 1 on");
    refused(&["scenarios", "--partitions", "1000"], "expected a number from 1 to 256");
    refused(&["rings", "--quick", "--values", "5"], "cannot be used with");
}
