//! Every format in and out, and the ways to name input.

use super::rig::Rig;

const CSV: &str = "a,b,c,t,d,e\n1,x,1.5,2025-01-02T03:04:05Z,2025-01-02,true\n2,\"y,\"\"z\n\",,,,\n3,,-0.25,1969-12-31T23:59:59.999999Z,1970-01-01,false\n";

/// What is written in a format reads back to the same rows, types included.
#[test]
fn rows_survive_every_format() {
    for format in ["csv", "jsonl", "parquet", "arrow"] {
        let rig = Rig::with("in.csv", CSV);
        let file = format!("out.{format}");
        rig.query("SELECT * FROM 'in.csv'", &["-o", &file]).printed("").quietly();
        let back = rig.query(&format!("SELECT * FROM '{file}'"), &["--format", "csv"]);
        back.printed(CSV).quietly();
        rig.query(&format!("SELECT SUM(a) AS s, SUM(c) AS c FROM '{file}'"), &["--format", "csv"])
            .printed("s,c\n6,1.25\n");
        assert_eq!(rig.names(), ["in.csv", file.as_str()], "no temporary file is left");
    }
}

#[test]
fn binary_formats_go_to_a_pipe_too() {
    let rig = Rig::with("in.csv", "a\n1\n2\n");
    for format in ["parquet", "arrow"] {
        let output = rig.command(&["query", "SELECT a FROM 'in.csv'", "--format", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let file = format!("piped.{format}");
        rig.write(&file, output.stdout);
        rig.query(&format!("SELECT a FROM '{file}'"), &["--format", "csv"]).printed("a\n1\n2\n");
    }
}

#[test]
fn results_are_printed_in_the_format_asked_for() {
    let rig = Rig::with("in.csv", "a,b\n1,x\n2,\n");
    let query = |format| rig.query("SELECT a, b FROM 'in.csv'", &["--format", format]);
    query("table").printed(" a | b\n---+------\n 1 | x\n 2 | NULL\n(2 rows)\n").quietly();
    query("csv").printed("a,b\n1,x\n2,\n").quietly();
    query("json").printed("{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n").quietly();
}

/// Of a result without rows the columns remain.
#[test]
fn an_empty_result_is_a_valid_file_of_every_format() {
    let rig = Rig::with("in.csv", "a,b\n");
    rig.query("SELECT * FROM 'in.csv'", &[]).printed(" a | b\n---+---\n(0 rows)\n");
    rig.query("SELECT * FROM 'in.csv'", &["--format", "csv"]).printed("a,b\n");
    rig.query("SELECT * FROM 'in.csv'", &["--format", "json"]).printed("");
    for file in ["out.parquet", "out.arrow", "out.csv"] {
        rig.query("SELECT * FROM 'in.csv'", &["-o", file]).printed("").quietly();
        rig.query(&format!("SELECT * FROM '{file}'"), &["--format", "csv"]).printed("a,b\n").quietly();
    }
    rig.query("SELECT COUNT(*) AS n, SUM(a) AS s FROM read_csv('in.csv')", &["--format", "csv"])
        .failed(2, "SUM takes a number");
    rig.query("SELECT COUNT(*) AS n FROM 'in.csv'", &["--format", "csv"]).printed("n\n0\n");
}

#[test]
fn standard_input_to_standard_output() {
    let sql = "CREATE SOURCE s (a BIGINT, b VARCHAR) WITH (connector = 'stdin', format = 'csv');
               CREATE SINK o WITH (connector = 'stdout', format = 'jsonl');
               INSERT INTO o SELECT a, b FROM s WHERE a > 1";
    let ran = Rig::new().run_with_input(sql, &[], b"a,b\n1,x\n2,y\n3,z");
    ran.printed("{\"a\":2,\"b\":\"y\"}\n{\"a\":3,\"b\":\"z\"}\n").said("3 records in");
    let sql = "CREATE SOURCE s (a BIGINT) WITH (connector = 'file', path = '-', format = 'json'); CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv');
               INSERT INTO o SELECT a * 2 AS a FROM s";
    Rig::new().run_with_input(sql, &[], b"{\"a\":4}\n").printed("a\n8\n");
}

#[test]
fn patterns_and_directories_give_their_files_by_name() {
    let rig = Rig::new();
    for (name, text) in
        [("d/b.csv", "a,b\n2,y\n"), ("d/a.csv", "a,b\n1,x\n"), ("d/c.txt", "?"), ("d/e/f.csv", "a,b\n3,z")]
    {
        rig.write(name, text);
    }
    let columns = "CREATE SOURCE s (a BIGINT, b VARCHAR) WITH (connector = 'file', format = 'csv', path =";
    let sink = "CREATE SINK o WITH (connector = 'stdout', format = 'csv'); INSERT INTO o SELECT a, b FROM s";
    // Without it many files go to a pipeline each, whose rows come as they come.
    let ordered = ["--processor", "partitioned"];
    rig.run(&format!("{columns} 'd'); {sink}"), &ordered).printed("a,b\n1,x\n2,y\n");
    rig.run(&format!("{columns} 'd/*.csv'); {sink}"), &ordered).printed("a,b\n1,x\n2,y\n");
    rig.run(&format!("{columns} 'd/**/*.csv'); {sink}"), &ordered).printed("a,b\n1,x\n2,y\n3,z\n");
    rig.query("SELECT COUNT(*) AS n FROM 'd/*.csv'", &["--format", "csv"]).printed("n\n2\n");
    rig.query("SELECT COUNT(*) AS n FROM read_csv('d')", &["--format", "csv"]).printed("n\n2\n");
}

#[test]
fn sources_with_and_without_columns() {
    let rig = Rig::with("in.csv", "a,b\n1,x\n2,y\n");
    let sink = "CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o";
    rig.run(
        &format!("CREATE SOURCE s WITH (connector = 'file', path = 'in.csv'); {sink} SELECT b, a + 1 AS c FROM s"),
        &[],
    )
    .printed("b,c\nx,2\ny,3\n");
    // Columns are found by name, in any order and case; those not declared are not read.
    rig.run(
        &format!("CREATE SOURCE s (B VARCHAR) WITH (connector = 'file', path = 'in.csv'); {sink} SELECT b FROM s"),
        &[],
    )
    .printed("B\nx\ny\n");
}

#[test]
fn options_of_csv_are_obeyed() {
    let rig = Rig::with("in.csv", "a;b\n1;'x;''y'\nNA;z\n");
    let function = "read_csv('in.csv', delim = ';', quote = '''', nullstr = 'NA')";
    rig.query(&format!("SELECT a, b FROM {function}"), &["--format", "csv"]).printed("a,b\n1,x;'y\n,z\n");
    rig.write("bare.csv", "1,x\n2,y\n");
    rig.query("SELECT * FROM read_csv('bare.csv', header = false)", &["--format", "csv"])
        .printed("column1,column2\n1,x\n2,y\n");
    rig.write("unix.csv", "t\n1\n-1\n");
    let sql = "CREATE SOURCE s (t TIMESTAMP) WITH (connector = 'file', path = 'unix.csv', timestamp_unit = 'ms');
               CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o SELECT t FROM s";
    rig.run(sql, &[]).printed("t\n1970-01-01T00:00:00.001000Z\n1969-12-31T23:59:59.999000Z\n");
}

/// A column that the header gives no name goes by its number, as in the files that write their row numbers first.
#[test]
fn a_column_without_a_name_can_be_read() {
    let rig = Rig::with("in.csv", ",a,\n0,x,7\n1,y,8\n");
    rig.query("SELECT * FROM 'in.csv'", &["--format", "csv"]).printed("column1,a,column3\n0,x,7\n1,y,8\n").quietly();
}

/// The ways files differ that no reader should notice.
#[test]
fn line_ends_byte_order_marks_and_missing_newlines_do_not_matter() {
    for text in ["a,b\n1,x\n2,y", "a,b\r\n1,x\r\n2,y\r\n", "\u{feff}a,b\n1,x\n2,y\n", "\n\na,b\n\n1,x\n\n\n2,y\n\n"] {
        let rig = Rig::with("in.csv", text);
        rig.query("SELECT * FROM 'in.csv'", &["--format", "csv"]).printed("a,b\n1,x\n2,y\n").quietly();
    }
    for text in ["{\"a\":1}\n{\"a\":2}", "\u{feff}{\"a\":1}\r\n\n  \n{\"a\":2}\r\n"] {
        let rig = Rig::with("in.jsonl", text);
        rig.query("SELECT * FROM 'in.jsonl'", &["--format", "csv"]).printed("a\n1\n2\n").quietly();
    }
}

#[test]
fn names_may_be_of_any_script() {
    let rig = Rig::with("in.csv", "gr\u{f6}\u{df}e,\u{540d}\u{524d}\n1,\u{65e5}\u{672c}\n");
    rig.query("SELECT gr\u{f6}\u{df}e, \"\u{540d}\u{524d}\" FROM 'in.csv'", &["--format", "json"])
        .printed("{\"gr\u{f6}\u{df}e\":1,\"\u{540d}\u{524d}\":\"\u{65e5}\u{672c}\"}\n");
}

/// Only what can be read again is looked into for its columns: to look is to take records out of a pipe.
#[test]
fn the_columns_of_a_pipe_must_be_declared() {
    let rig = Rig::new();
    for path in ["-", "/dev/stdin"] {
        let sql = format!("SELECT * FROM read_csv('{path}')");
        rig.run_with_input(&sql, &[], b"a\n1\n").failed(2, "can be read only once: declare them");
    }
    rig.run_with_input("CREATE SOURCE s WITH (connector = 'stdin', format = 'csv'); SELECT * FROM s", &[], b"a\n1\n")
        .failed(2, "declare them: CREATE SOURCE s (column TYPE, ...)");
}

/// Each file of a source has a header of its own, by which its columns are found, whoever decodes it.
#[test]
fn files_may_have_their_columns_in_different_orders() {
    let rig = Rig::new();
    rig.write("d/a.csv", "a,b\n1,10\n");
    rig.write("d/b.csv", "b,a\n20,2\n");
    rig.write("d/c.csv", "z,b,a\n?,30,3\n");
    let sql = "CREATE SOURCE s (a BIGINT, b BIGINT) WITH (connector = 'file', path = 'd', format = 'csv');
               CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o SELECT a, b FROM s ORDER BY a";
    for processor in ["inline", "simple", "partitioned", "stp"] {
        rig.run(sql, &["--processor", processor, "--partitions", "2"]).printed("a,b\n1,10\n2,20\n3,30\n");
    }
}
