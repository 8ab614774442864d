//! Words that are wrong: status 2 before anything is read, with what was found and what would work.

use super::rig::Rig;

fn rig() -> Rig {
    Rig::with("in.csv", "a,b\n1,x\n2,y\n")
}

#[test]
fn queries_that_are_wrong_point_at_the_place() {
    let rig = rig();
    for (sql, said) in [
        ("SELECT aa FROM 'in.csv'", "unknown column aa"),
        ("SELECT SUM(b) FROM 'in.csv'", "SUM takes a number, this is VARCHAR"),
        ("SELECT a + b FROM 'in.csv'", "+ is not defined on BIGINT and VARCHAR"),
        ("SELECT a FROM 'in.csv' WHERE b > 3", "cannot compare VARCHAR with BIGINT"),
        ("SELECT a FROM 'in.csv' WHERE a = 'x'", "'x' is not a valid BIGINT"),
        ("SELECT a, b AS a FROM 'in.csv'", "two columns of the result are named a"),
        ("SELECT NOSUCH(a) FROM 'in.csv'", "unknown function NOSUCH"),
        ("SELECT a FROM nosuch", "unknown source nosuch"),
        ("SELECT a FROM 'in.txt'", "the format of 'in.txt' is not known by its name"),
        ("SELECT a FROM read_cvs('in.csv')", "did you mean read_csv?"),
        ("SELEC a FROM 'in.csv'", "did you mean SELECT?"),
        ("SELECT 'abc FROM 'in.csv'", "unterminated string literal"),
    ] {
        rig.query(sql, &[]).failed(2, said).said("--> <query>:1:");
        rig.write("job.sql", sql);
        for verb in ["run", "check", "explain"] {
            rig.corelane(&[verb, "job.sql"]).failed(2, said).said("--> job.sql:1:");
        }
    }
}

#[test]
fn a_text_without_jobs_is_refused() {
    for sql in [
        "",
        ";",
        " \n\t",
        "/* nothing */",
        "SET partitions = 2;",
        "CREATE SINK o WITH (connector = 'file', path = 'x.csv');",
    ] {
        rig().query(sql, &[]).failed(2, "nothing to do");
    }
    rig().run("-- only a comment\n", &[]).failed(2, "job.sql: nothing to do");
    rig().query("SELECT a FROM 'in.csv'; SELECT b FROM 'in.csv'", &[]).failed(2, "query takes one SELECT");
}

#[test]
fn options_that_are_wrong_get_a_suggestion() {
    for (with, said) in [
        ("connector = 'file', path = 'in.csv', delmi = ';'", "unknown option delmi"),
        ("connector = 'file', path = 'in.csv', delim = ';;'", "option delim = ';;': expected one ASCII character"),
        ("connector = 'file', path = 'in.csv', format = 'cvs'", "unknown format 'cvs': did you mean 'csv'?"),
        ("connector = 'fiel', path = 'in.csv'", "unknown source connector 'fiel': did you mean 'file'?"),
        (
            "connector = 'file', path = 'in.csv', on_error = 'skpi'",
            "unknown on_error 'skpi': expected skip, dead_letter or fail",
        ),
        (
            "connector = 'file', path = 'in.csv', on_error = 'dead_letter'",
            "dead_letter_path = '<file>' belong together",
        ),
        ("connector = 'stdin'", "no format given"),
        ("connector = 'file'", "needs a path"),
        ("format = 'csv'", "s has no connector"),
        ("connector = 'generator', rows = '-5'", "option rows = '-5': expected a whole number"),
        ("connector = 'generator', rowss = '5'", "did you mean rows?"),
        ("connector = 'generator', rows = '5', rate = '0'", "option rate"),
        ("connector = 'generator', rows = '5', spacing = '-1ms'", "option spacing = '-1ms'"),
    ] {
        let sql = format!("CREATE SOURCE s (a BIGINT, b VARCHAR) WITH ({with}); SELECT a, b FROM s");
        rig().run(&sql, &[]).failed(2, said);
    }
    let source = "CREATE SOURCE s (a BIGINT, b VARCHAR) WITH (connector = 'file', path = 'in.csv');";
    for (with, said) in [
        ("connector = 'file', path = 'out.csv', foo = '1'", "unknown option foo for sink o"),
        ("connector = 'stdotu'", "unknown sink connector 'stdotu': did you mean 'stdout'?"),
        ("connector = 'file', path = 'out'", "format"),
        ("connector = 'memory'", "Engine::collect"),
    ] {
        let sql = format!("{source} CREATE SINK o WITH ({with}); INSERT INTO o SELECT a FROM s");
        let rig = rig();
        rig.run(&sql, &[]).failed(2, said);
        assert_eq!(rig.names(), ["in.csv", "job.sql"]);
    }
}

#[test]
fn names_given_twice() {
    let source = "CREATE SOURCE s (a BIGINT) WITH (connector = 'file', path = 'in.csv');";
    let sink = "CREATE SINK o WITH (connector = 'file', path = 'out.csv');";
    let job = "INSERT INTO o SELECT a FROM s";
    rig()
        .run(&format!("{source} {} {sink} {job}", source.replace(" s ", " S ")), &[])
        .failed(2, "the source S is declared already");
    rig().run(&format!("{source} {sink} {sink} {job}"), &[]).failed(2, "the sink o is declared already");
    rig()
        .run(&format!("{source} {}", "CREATE SINK s WITH (connector = 'file', path = 'out.csv');"), &[])
        .failed(2, "declared already");
    rig()
        .run("CREATE SOURCE s (a BIGINT, A INT) WITH (connector = 'file', path = 'in.csv'); SELECT a FROM s", &[])
        .failed(2, "given twice");
}

/// A sink replaces its file as a whole, so two jobs cannot share one.
#[test]
fn a_file_is_written_by_one_job_only() {
    let source = "CREATE SOURCE s (a BIGINT, b VARCHAR) WITH (connector = 'file', path = 'in.csv');";
    let two = "INSERT INTO o SELECT a FROM s; INSERT INTO p SELECT b FROM s";
    for (first, second) in [("out.csv", "out.csv"), ("out.csv", "./out.csv"), ("in.csv", "./in.csv")] {
        let sinks = format!(
            "CREATE SINK o WITH (connector = 'file', path = '{first}'); CREATE SINK p WITH (connector = 'file', path = '{second}');"
        );
        let rig = rig();
        rig.run(&format!("{source} {sinks} {two}"), &[]).failed(2, "is written twice, for sink o and for sink p");
        assert_eq!(rig.read("in.csv"), "a,b\n1,x\n2,y\n");
    }
    let rig = rig();
    let sink = "CREATE SINK o WITH (connector = 'file', path = 'out.csv');";
    rig.run(&format!("{source} {sink} {}", two.replace(" p ", " o ")), &[]).failed(2, "is written twice");
    let letters = "CREATE SOURCE s (a BIGINT) WITH (connector = 'file', path = 'in.csv', on_error = 'dead_letter', dead_letter_path = 'out.csv');";
    rig.run(&format!("{letters} {sink} INSERT INTO o SELECT a FROM s"), &[]).failed(2, "is written twice");
    let read = "SELECT a FROM read_csv('in.csv', on_error = 'dead_letter', dead_letter_path = 'out.csv')";
    rig.query(read, &["-o", "out.csv"]).failed(2, "is written twice");
    // A device takes what it is given.
    let device = "CREATE SINK o WITH (connector = 'file', path = '/dev/null', format = 'csv');";
    rig.run(&format!("{source} {device} {}", two.replace(" p ", " o ")), &[]).printed("");
}

/// The second reader of standard input would find nothing there.
#[test]
fn standard_input_is_read_by_one_job_only() {
    let source = "CREATE SOURCE s (a BIGINT) WITH (connector = 'stdin', format = 'csv');";
    let rig = rig();
    rig.run_with_input(&format!("{source} SELECT a FROM s; SELECT a + 1 AS b FROM s"), &[], b"a\n1\n")
        .failed(2, "standard input can be read once");
    let input = std::fs::File::open(rig.path("job.sql")).unwrap();
    rig.write("job.sql", format!("{source} SELECT a FROM s"));
    let output = rig.command(&["run", "-"]).stdin(input).output().unwrap();
    super::rig::Ran::new("run -", output).failed(2, "source s reads standard input, which the SQL came from");
}

#[test]
fn settings_that_are_wrong() {
    let rig = rig();
    for (arguments, said) in [
        (&["--partitions", "0"][..], "option partitions = '0': expected a whole number from 1 to 256"),
        (&["--partitions", "-1"], "option partitions = '-1': expected a whole number from 1 to 256"),
        (&["--partitions", "257"], "option partitions = '257'"),
        (&["--batch-rows", "-8"], "option batch_rows = '-8'"),
        (&["--batch-rows", "99999999999999999999"], "option batch_rows"),
        (&["--cores", "1023"], "this process may use"),
        (&["--cores", "0,0"], "CPU 0 is named twice"),
        (&["--strategy", "fna_in"], "did you mean fan_in?"),
        (&["--set", "simd=sse"], "expected one of auto, scalar, wide, avx512"),
        (&["--set", "partition=2"], "did you mean partitions?"),
        (&["--late-records", "process_some"], "did you mean process_all?"),
        (&["--set", "allowed_lateness=1m"], "add late_records = 'process_with_warning'"),
        (&["--set", "memory_limit=lots"], "expected a size"),
        (&["--set", "min_advance=-1s"], "expected a length of time"),
    ] {
        rig.query("SELECT a FROM 'in.csv'", arguments).failed(2, said);
    }
    rig.run("SET partition = 3; SELECT a FROM 'in.csv'", &[]).failed(2, "did you mean partitions?");
    rig.run("SET batch_rows = -3; SELECT a FROM 'in.csv'", &[]).failed(2, "option batch_rows = '-3'");
    for (arguments, said) in [
        (&["--processor", "partitoned"][..], "partitioned"),
        (&["--fromat", "csv"], "--format"),
        (&["--format", "xml"], "parquet"),
        (&["-o", "out"], "add --format"),
    ] {
        rig.query("SELECT a FROM 'in.csv'", arguments).failed(2, said);
    }
}

#[test]
fn strategies_that_would_be_wrong_are_refused_with_the_cure() {
    for (select, strategy, said) in [
        ("SELECT a FROM 'in.csv'", "always_hash", "no grouping key (use round_robin or fan_in)"),
        ("SELECT a FROM 'in.csv'", "smart_repartition", "no grouping key"),
        ("SELECT b, COUNT(*) AS n FROM 'in.csv' GROUP BY b", "sticky", "results would be wrong (use always_hash"),
        ("SELECT b, COUNT(*) AS n FROM 'in.csv' GROUP BY b EMIT CHANGES", "round_robin", "(use always_hash or fan_in)"),
    ] {
        let arguments = ["--strategy", strategy, "--partitions", "2"];
        let expected = format!("strategy {strategy} is refused: ");
        rig().query(select, &arguments).failed(2, &expected).said(said);
        rig().corelane(&[&["explain", "-q", select], &arguments[..]].concat()).failed(2, &expected);
    }
    let fan_in = ["--strategy", "fan_in", "--fan-in-partition", "2", "--partitions", "2"];
    rig()
        .query("SELECT COUNT(*) AS n FROM 'in.csv'", &fan_in)
        .failed(2, "partition 2 is not below the number of partitions, 2");
}
