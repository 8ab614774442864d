//! Records what the binary was built from and for: compiler, target features, commit. `corelane --version` shows them,
//! and the start of `main` compares the features with the host's.
//!
//! It never fails a build: what cannot be found out is recorded as "unknown".

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    println!("cargo::rustc-env=CORELANE_TARGET_FEATURES={features}");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = first_line(Command::new(compiler).arg("--version"));
    println!("cargo::rustc-env=CORELANE_RUSTC={}", version.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=CORELANE_COMMIT={}", commit().as_deref().unwrap_or("unknown"));
}

/// The commit of the checkout this crate lies in. A crate unpacked inside another repository is not that repository's.
fn commit() -> Option<String> {
    let root = std::fs::canonicalize(std::env::var("CARGO_MANIFEST_DIR").ok()?).ok()?;
    let git = |arguments: &[&str]| first_line(Command::new("git").arg("-C").arg(&root).args(arguments));
    if std::fs::canonicalize(git(&["rev-parse", "--show-toplevel"])?).ok()? != root {
        return None;
    }
    // The log of HEAD grows with every commit, checkout and reset. Without it (a bare archive) nothing is watched:
    // a path that does not exist would rebuild the crate every time.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    let log = root.join(log);
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?.lines().next()?.trim().to_string();
    (!line.is_empty()).then_some(line)
}
