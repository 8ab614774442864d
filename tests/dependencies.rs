//! The engine has no async runtime: none may enter through its normal or build dependencies. (The baselines that the
//! benches compare with may use one; they are development dependencies.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

const FORBIDDEN: &[&str] = &["tokio", "async-std", "smol", "async-executor", "async-io", "async-global-executor"];

#[test]
fn no_async_runtime_among_normal_and_build_dependencies() {
    let packages = cargo_tree(&["--offline"]).or_else(|| cargo_tree(&[])).unwrap_or_else(lock_closure);
    assert!(packages.contains("sqlparser"), "the list of dependencies was not read: {packages:?}");
    let found: Vec<_> = FORBIDDEN.iter().filter(|name| packages.contains(**name)).collect();
    assert!(found.is_empty(), "async runtimes among the dependencies: {found:?}");
}

/// Names from `cargo tree`; `None` if cargo is missing or cannot resolve (offline with an empty cache, say).
fn cargo_tree(extra: &[&str]) -> Option<BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["tree", "--locked", "--all-features", "-e", "normal,build", "--prefix", "none", "--format", "{p}"]);
    let output = command.args(extra).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().filter_map(|line| line.split_whitespace().next()).map(String::from).collect())
}

/// Names reachable in Cargo.lock from the crate's dependencies without its development dependencies. Wider than the
/// tree: the lock also names what other targets and features would need.
fn lock_closure() -> BTreeSet<String> {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let packages = lock_packages(&read("Cargo.lock"));
    let development = development_only(&read("Cargo.toml"));
    let mut reached = BTreeSet::new();
    let root = packages.get("corelane").cloned().unwrap_or_default();
    let mut waiting: Vec<String> = root.into_iter().filter(|name| !development.contains(name)).collect();
    while let Some(name) = waiting.pop() {
        if reached.insert(name.clone()) {
            waiting.extend(packages.get(&name).into_iter().flatten().cloned());
        }
    }
    reached
}

/// Package names of a lock file with the names of what they need; versions of one name are taken together.
fn lock_packages(lock: &str) -> BTreeMap<String, Vec<String>> {
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for block in lock.split("[[package]]").skip(1) {
        let Some(name) = block.lines().find_map(|line| line.strip_prefix("name = ")) else { continue };
        let needs = packages.entry(name.trim_matches('"').to_string()).or_default();
        if let Some((_, list)) = block.split_once("dependencies = [") {
            let list = list.split(']').next().unwrap_or("");
            let names = list.lines().map(|line| line.trim().trim_matches(['"', ',']));
            needs.extend(names.filter_map(|line| line.split_whitespace().next()).map(String::from));
        }
    }
    packages
}

/// Names under `[dev-dependencies]` that stand under no other table of dependencies.
fn development_only(manifest: &str) -> BTreeSet<String> {
    let mut table = "";
    let (mut development, mut others) = (BTreeSet::new(), BTreeSet::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            table = line.trim();
        } else if let Some((name, _)) = line.split_once('=')
            && table.ends_with("dependencies]")
        {
            let names = if table.ends_with("dev-dependencies]") { &mut development } else { &mut others };
            names.insert(name.trim().to_string());
        }
    }
    development.difference(&others).cloned().collect()
}

#[test]
fn the_lock_file_is_read_when_cargo_cannot_answer() {
    let packages = lock_closure();
    assert!(packages.contains("sqlparser") && packages.contains("arrow-buffer"), "{packages:?}");
    assert!(!packages.contains("rusqlite"), "development dependencies are not followed");
    let lock = "[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\n \"b\",\n \"c 2.0.0\",\n]\n\n[[package]]\nname = \"b\"\n";
    let packages = lock_packages(lock);
    assert_eq!(packages["a"], ["b", "c"]);
    assert!(packages["b"].is_empty());
    let manifest = "[dependencies]\nx = \"1\"\n[dev-dependencies]\nx = \"1\"\ny = \"1\"\n[lints.rust]\nz = \"warn\"\n";
    assert_eq!(development_only(manifest).into_iter().collect::<Vec<_>>(), ["y"]);
}
