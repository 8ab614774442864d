//! The page of the job server in a headless browser, by `tests/browser/dashboard.mjs`; `tests/browser/README.md` says what
//! that needs. Where it is not there, the test says so and is not run.

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_page_deploys_shows_and_stops_jobs() {
    let Some(browser) = std::env::var_os("CORELANE_BROWSER").filter(|path| Path::new(path).exists()) else {
        println!("not run: CORELANE_BROWSER does not name a Chromium");
        return;
    };
    let library = Command::new("node").args(["-e", "require('playwright-core')"]).stderr(Stdio::null()).status();
    if !library.is_ok_and(|status| status.success()) {
        println!("not run: node or playwright-core is not installed, or NODE_PATH does not name its directory");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/dashboard.mjs");
    let mut command = Command::new("node");
    command.arg(script).env("CORELANE", env!("CARGO_BIN_EXE_corelane")).env("CORELANE_BROWSER", browser);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("the page works"), "{said}");
}
