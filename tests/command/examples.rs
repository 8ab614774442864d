//! Every example compiles, and runs over a few rows.

use std::path::{Path, PathBuf};

use super::rig::{Ran, Rig};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// At least so many SQL files of some directories.
fn examples(directories: &[&str], least: usize) -> Vec<PathBuf> {
    let entries = directories.iter().flat_map(|directory| std::fs::read_dir(root().join(directory)).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "sql")).collect();
    found.sort();
    assert!(found.len() >= least, "{found:?}");
    found
}

#[test]
fn every_example_passes_check_and_can_be_explained() {
    for path in examples(&["examples", "examples/scenarios", "examples/nexmark"], 30) {
        for verb in ["check", "explain"] {
            let mut command = Rig::new().command(&[verb, path.to_str().unwrap()]);
            let ran = Ran::new(&path.display().to_string(), command.current_dir(root()).output().unwrap());
            assert_eq!(ran.status, Some(0), "{}: {}", path.display(), ran.stderr);
            ran.quietly();
        }
    }
}

/// With fewer rows generated; counts of the report as in the file's head are looked at in the one that reads a file. The
/// queries of Nexmark have a test of their own.
#[test]
fn every_example_runs() {
    for path in examples(&["examples", "examples/scenarios"], 7) {
        let text = std::fs::read_to_string(&path).unwrap();
        let small = text.replace("'1000000'", "'10000'").replace("'2000000'", "'10000'");
        let rig = Rig::with("small.sql", small);
        let mut command = rig.command(&["run", rig.path("small.sql").to_str().unwrap()]);
        let ran = Ran::new(&path.display().to_string(), command.current_dir(root()).output().unwrap());
        assert_eq!(ran.status, Some(0), "{}: {}", path.display(), ran.stderr);
        let expected = if path.ends_with("flights.sql") { "27,004 records in " } else { "10,000 records in " };
        assert!(ran.stderr.starts_with(expected), "{}: {}", path.display(), ran.stderr);
        assert!(
            !ran.stderr.contains("late") && !ran.stderr.contains("could not"),
            "{}: {}",
            path.display(),
            ran.stderr
        );
        if path.ends_with("flights.sql") {
            ran.said("5,133 rows out");
        }
    }
}
