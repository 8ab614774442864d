//! The examples of `docs/sql.md` under "Clauses of aggregates": every statement in a block of SQL gives the table behind it.

use std::path::Path;

use corelane::engine::Engine;

use crate::harness::{Cell, options, run};

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".into(),
        Cell::Integer(value) => value.to_string(),
        Cell::Double(_) => format!("{:?}", cell.double()),
        Cell::Text(text) => text.clone(),
    }
}

#[test]
fn examples_of_the_document_give_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/sql.md")).unwrap();
    let (_, section) = text.split_once("\n## Clauses of aggregates\n").expect("the section is there");
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let mut blocks = section.split("\n```");
    let mut examples = 0;
    while let Some(block) = blocks.next() {
        let Some(sql) = block.strip_prefix("sql\n") else { continue };
        // Past the end of the block the result follows in one of its own.
        let result = blocks.nth(1).and_then(|block| block.strip_prefix("text\n")).expect("a result follows");
        let sql = sql.replace("'examples/", &format!("'{}/examples/", root.display()));
        let rows = run(&Engine::new(), &sql, &options(&[("partitions", "2")])).1;
        let found: Vec<String> = rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" | ")).collect();
        assert_eq!(found.join("\n"), result.trim_end(), "{sql}");
        examples += 1;
    }
    assert!(examples >= 4, "{examples} examples");
}
