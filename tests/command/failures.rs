//! Jobs that cannot be done: one clear error, status 1, nothing on standard output, no half-written file.

use std::fs::File;
use std::process::Stdio;

use super::rig::{Ran, Rig};

#[test]
fn input_that_is_not_there() {
    let rig = Rig::new();
    std::fs::create_dir(rig.path("empty")).unwrap();
    let query = |from: &str| rig.query(&format!("SELECT * FROM {from}"), &[]);
    query("'none.csv'").failed(1, "cannot open none.csv: no such file or directory");
    query("'none*.csv'").failed(1, "no file matches none*.csv");
    query("read_csv('empty')").failed(1, "directory empty has no file that ends in .csv");
    let declared = |path| {
        format!(
            "CREATE SOURCE s (a BIGINT) WITH (connector = 'file', path = '{path}', format = 'csv'); SELECT a FROM s"
        )
    };
    rig.run(&declared("none.csv"), &[]).failed(1, "cannot open none.csv: no such file or directory");
    rig.run(&declared("none*.csv"), &[]).failed(1, "no file matches none*.csv");
    rig.run(&declared("empty"), &[]).failed(1, "directory empty has no file");
}

#[test]
fn files_that_are_not_what_they_say() {
    let rig = Rig::with("in.csv", "a,b\n1,x\n");
    for (name, bytes) in [("empty.csv", ""), ("empty.jsonl", "")] {
        rig.write(name, bytes);
        rig.query(&format!("SELECT * FROM '{name}'"), &[]).failed(1, "is empty: nothing to infer columns from");
    }
    for format in ["parquet", "arrow"] {
        let name = format!("whole.{format}");
        rig.query("SELECT * FROM 'in.csv'", &["-o", &name]).printed("");
        let bytes = std::fs::read(rig.path(&name)).unwrap();
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let cut = format!("cut.{format}");
            rig.write(&cut, &bytes[..length]);
            let expected = format!("{cut} is not a readable {format} file");
            rig.query(&format!("SELECT * FROM '{cut}'"), &[]).failed(1, &expected);
        }
    }
    rig.query("SELECT * FROM read_parquet('in.csv')", &[]).failed(1, "in.csv is not a readable parquet file");
    rig.write("twice.csv", "a,A\n1,2\n");
    rig.query("SELECT * FROM 'twice.csv'", &[]).failed(1, "two columns are called \"A\"");
}

#[test]
fn a_file_without_a_declared_column() {
    let rig = Rig::with("in.csv", "price,b\n1,x\n");
    rig.query("SELECT * FROM 'in.csv'", &["-o", "in.parquet"]).printed("");
    for file in ["in.csv", "in.parquet"] {
        let sql =
            format!("CREATE SOURCE s (prize BIGINT) WITH (connector = 'file', path = '{file}'); SELECT prize FROM s");
        rig.run(&sql, &[]).failed(1, "did you mean \"price\"?").said(file);
    }
    let sql =
        "CREATE SOURCE s (price BIGINT, b BIGINT) WITH (connector = 'file', path = 'in.parquet'); SELECT b FROM s";
    rig.run(sql, &[]).failed(1, "column \"b\" cannot be read as BIGINT");
}

#[test]
fn sinks_that_cannot_be_written() {
    let rig = Rig::with("in.csv", "a\n1\n");
    std::fs::create_dir(rig.path("directory.csv")).unwrap();
    for (path, said) in [
        ("none/out.csv", "cannot create none/out.csv: no such file or directory"),
        ("directory.csv", "cannot write directory.csv: is a directory"),
        ("/proc/out.csv", "cannot create /proc/out.csv"),
        ("in.csv/out.csv", "in.csv/out.csv: "),
    ] {
        rig.query("SELECT a FROM 'in.csv'", &["-o", path]).failed(1, said);
    }
    rig.query("SELECT a FROM 'in.csv'", &["-o", "/dev/full", "--format", "csv"])
        .failed(1, "cannot write /dev/full: no space left on device");
    let sql =
        "CREATE SOURCE s (a VARCHAR) WITH (connector = 'file', path = 'in.csv', on_error = 'dead_letter', dead_letter_path = 'none/x');
               SELECT a FROM s";
    rig.run(sql, &[]).failed(1, "cannot create none/x: no such file or directory");
    rig.query("SELECT a FROM 'in.csv'", &["--stats-json", "none/x"]).failed(1, "cannot create none/x");
}

/// Standard output that is full, for every format and for the commands that print.
#[test]
fn a_full_standard_output() {
    let rig = Rig::with("in.csv", "a\n1\n");
    rig.write("job.sql", "SELECT a FROM 'in.csv'");
    let query = |format| vec!["query", "SELECT a FROM 'in.csv'", "--format", format];
    let verbs = [vec!["explain", "job.sql"], vec!["check", "job.sql"], vec!["topology"], vec!["run", "job.sql"]];
    for arguments in ["table", "csv", "json", "parquet", "arrow"].map(query).into_iter().chain(verbs) {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = rig.command(&arguments).stdout(Stdio::from(full)).output().unwrap();
        Ran::new(&format!("{arguments:?}"), output).failed(1, "no space left on device");
    }
}

#[test]
fn a_sum_that_overflows_names_its_cure_and_writes_nothing() {
    let rig = Rig::with("in.csv", "a\n9223372036854775807\n1\n");
    for layout in [&["--processor", "inline"][..], &["--processor", "partitioned", "--partitions", "3"]] {
        rig.query("SELECT SUM(a) AS s FROM 'in.csv'", &[layout, &["-o", "out.csv"]].concat())
            .failed(1, "SUM overflows BIGINT (the sum is 9223372036854775808)")
            .said("DECIMAL(38, 0)");
        assert_eq!(rig.names(), ["in.csv"]);
    }
    rig.query("SELECT SUM(CAST(a AS DECIMAL(38, 0))) AS s FROM 'in.csv'", &["--format", "csv"])
        .printed("s\n9223372036854775808\n");
}

/// A job that replaces its own input reads all of it before.
#[test]
fn a_file_may_be_replaced_by_what_is_made_of_it() {
    let rig = Rig::with("in.csv", "a\n1\n2\n");
    rig.query("SELECT a + 1 AS a FROM 'in.csv'", &["-o", "in.csv"]).printed("");
    assert_eq!(rig.read("in.csv"), "a\n2\n3\n");
    std::os::unix::fs::symlink("in.csv", rig.path("link.csv")).unwrap();
    rig.query("SELECT a FROM 'in.csv' WHERE a > 2", &["-o", "link.csv"]).printed("");
    assert_eq!(rig.read("in.csv"), "a\n3\n", "the file is replaced, not the link");
    assert_eq!(rig.names(), ["in.csv", "link.csv"]);
}
