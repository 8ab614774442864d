//! SQLite as an oracle: the same rows in one of its tables, the same question to both.

use corelane::engine::Engine;
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::{Cell, Row, options, run};

/// Rows of a generated source, as `SELECT *` gives them, and the CREATE SOURCE that made them.
pub fn generated(declaration: &str, with: &str) -> (String, Vec<Row>) {
    let source = format!("CREATE SOURCE {declaration} WITH (connector = 'generator', {with});");
    let name = declaration.split_whitespace().next().unwrap();
    let rows = run(&Engine::new(), &format!("{source} SELECT * FROM {name}"), &options(&[("processor", "inline")])).1;
    (source, rows)
}

/// A table with these rows.
pub fn sqlite(table: &str, columns: &str, rows: &[Row]) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    add_table(&connection, table, columns, rows);
    connection
}

pub fn ask(connection: &Connection, sql: &str) -> Vec<Row> {
    query(connection, sql).unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// The rows of a query, or what SQLite has against it.
pub fn query(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let cell = |value: ValueRef<'_>| match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value.into()),
        ValueRef::Real(value) => Cell::Double(value.to_bits()),
        ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).unwrap()),
        ValueRef::Blob(_) => panic!("no blobs here"),
    };
    let rows = statement.query_map([], |row| (0..columns).map(|i| Ok(cell(row.get_ref(i)?))).collect())?;
    rows.collect()
}

pub fn close(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Double(_), Cell::Double(_)) => {
            let (a, b) = (a.double(), b.double());
            a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6)
        }
        _ => a == b,
    }
}

pub fn assert_close(what: &str, ours: &[Row], theirs: &[Row]) {
    assert_eq!(ours.len(), theirs.len(), "{what}: number of rows");
    assert!(!ours.is_empty(), "{what}: shows nothing");
    for (a, b) in ours.iter().zip(theirs) {
        assert!(
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b)),
            "{what}:\n ours   {a:?}\n oracle {b:?}"
        );
    }
}

/// Rows put in the order of everything but doubles, which must tell them apart.
pub fn by_exact_cells(mut rows: Vec<Row>) -> Vec<Row> {
    let exact = |row: &Row| row.iter().filter(|cell| !matches!(cell, Cell::Double(_))).cloned().collect::<Row>();
    rows.sort_by_key(exact);
    rows
}

pub fn against_sqlite(what: &str, source: &str, connection: &Connection, ours: &str, theirs: &str) {
    let rows = run(&Engine::new(), &format!("{source} {ours}"), &options(&[("processor", "inline")])).1;
    assert_close(what, &by_exact_cells(rows), &by_exact_cells(ask(connection, theirs)));
}

/// Puts rows into a further table of `connection`.
pub fn add_table(connection: &Connection, table: &str, columns: &str, rows: &[Row]) {
    connection.execute_batch(&format!("CREATE TABLE {table} ({columns})")).unwrap();
    insert(connection, table, columns, rows);
}

fn insert(connection: &Connection, table: &str, columns: &str, rows: &[Row]) {
    let marks = vec!["?"; columns.split(',').count()].join(", ");
    let mut insert = connection.prepare(&format!("INSERT INTO {table} VALUES ({marks})")).unwrap();
    for row in rows {
        let values = row.iter().map(|cell| match cell {
            Cell::Null => Value::Null,
            Cell::Integer(value) => Value::Integer(i64::try_from(*value).unwrap()),
            Cell::Double(bits) => Value::Real(f64::from_bits(*bits)),
            Cell::Text(text) => Value::Text(text.clone()),
        });
        insert.execute(rusqlite::params_from_iter(values)).unwrap();
    }
}
