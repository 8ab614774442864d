//! Every example of `docs/sql.md` gives the output that stands below it.

use std::path::Path;

use super::rig::{Ran, Rig};

const BEGIN: &str = "<!-- examples: their outputs are written by the test, GOLDEN=write -->\n";
const END: &str = "<!-- end of examples -->\n";

/// What the command prints for the statements.
fn output_of(statements: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rig = Rig::with("example.sql", statements);
    let path = rig.path("example.sql");
    let mut command = rig.command(&["run", path.to_str().unwrap()]);
    let ran = Ran::new(statements, command.current_dir(root).output().unwrap());
    assert_eq!(ran.status, Some(0), "{statements}\n{}", ran.stderr);
    // Lines are filled up with spaces, which editors take away.
    ran.stdout.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The first block of SQL declares the source, each of the others is run behind it. With GOLDEN=write in the environment the
/// outputs are written anew, to be looked at in the diff.
#[test]
fn examples_of_windows_and_emit_give_what_stands_below_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sql.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the document has examples");
    let (examples, after) = rest.split_once(END).expect("the examples end");
    let mut blocks = examples.split("```sql\n");
    let mut written = blocks.next().unwrap().to_string();
    let mut declarations = None;
    let mut count = 0;
    for block in blocks {
        let (sql, rest) = block.split_once("```\n").expect("a block of SQL ends");
        written.push_str(&format!("```sql\n{sql}```\n"));
        let Some(declarations) = declarations else {
            declarations = Some(sql);
            written.push_str(rest);
            continue;
        };
        let rest = match rest.strip_prefix("```text\n") {
            Some(found) => found.split_once("```\n").expect("an output ends").1,
            None => rest,
        };
        written.push_str(&format!("```text\n{}```\n{rest}", output_of(&format!("{declarations}{sql}"))));
        count += 1;
    }
    assert!(count >= 10, "{count} examples");
    let expected = format!("{before}{BEGIN}{written}{END}{after}");
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        std::fs::write(&path, expected).unwrap();
    } else {
        assert!(
            text == expected,
            "docs/sql.md differs from what the examples give: run with GOLDEN=write, look at the diff"
        );
    }
}
