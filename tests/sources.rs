//! Sources of several files and splits: each file by its own header, cuts that keep keys together, LIMIT in input order.

mod harness;

use std::path::Path;

use corelane::engine::Engine;
use corelane::types::Options;
use harness::{Cell, Row, options, run, sorted};

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

fn everywhere(sql: &str, mut check: impl FnMut(&str, Vec<Row>)) {
    for processor in ["inline", "simple", "partitioned", "stp"] {
        for partitions in ["1", "2", "4"] {
            for batch_rows in ["1", "3", "1000"] {
                let settings = [("processor", processor), ("partitions", partitions), ("batch_rows", batch_rows)];
                check(&format!("{settings:?}"), run(&Engine::new(), sql, &options(&settings)).1);
            }
        }
    }
}

#[test]
fn each_file_is_read_by_its_own_header() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "a.csv", "id,price\n1,10.5\n2,20.5\n");
    write(directory.path(), "b.csv", "price,ignored,id\n30.5,x,3\n");
    write(directory.path(), "c.csv", "id,price\n");
    write(directory.path(), "d.csv", "PRICE,ID\n40.5,4\n");
    let path = directory.path().join("*.csv");
    let sql = format!(
        "CREATE SOURCE s (id BIGINT, price DOUBLE) WITH (connector = 'file', path = '{}'); SELECT id, price FROM s",
        path.display()
    );
    let row = |id: i128, price: f64| vec![Cell::Integer(id), Cell::Double(price.to_bits())];
    let expected = vec![row(1, 10.5), row(2, 20.5), row(3, 30.5), row(4, 40.5)];
    everywhere(&sql, |place, rows| assert_eq!(sorted(rows), expected, "{place}"));
}

/// One file that says it is keyed is not cut: a key would lie on both sides.
#[test]
fn a_keyed_file_gives_each_group_once() {
    let directory = tempfile::tempdir().unwrap();
    let lines: String = (0..500).map(|i| format!("s{},{i}\n", i % 7)).collect();
    write(directory.path(), "a.csv", &format!("symbol,n\n{lines}"));
    let source = format!(
        "CREATE SOURCE s (symbol VARCHAR, n BIGINT) WITH (connector = 'file', path = '{}', keyed_by = 'symbol');",
        directory.path().join("a.csv").display()
    );
    let group = format!("{source} SELECT symbol, COUNT(*), SUM(n) FROM s GROUP BY symbol");
    everywhere(&group, |place, rows| assert_eq!(rows.len(), 7, "{place}"));
    let numbered = format!("{source} SELECT symbol, n, ROW_NUMBER() OVER (PARTITION BY symbol) FROM s");
    everywhere(&numbered, |place, rows| {
        for row in &rows {
            let (Cell::Integer(n), Cell::Integer(number)) = (&row[1], &row[2]) else { panic!("{row:?}") };
            assert_eq!(n / 7 + 1, *number, "{place}: {row:?}");
        }
    });
}

#[test]
fn limit_takes_the_first_rows_of_the_input_under_every_strategy() {
    let directory = tempfile::tempdir().unwrap();
    for file in 0..4 {
        let lines: String = (0..100).map(|i| format!("k{file}_{},{i}\n", i % 5)).collect();
        write(directory.path(), &format!("{file}.csv"), &format!("symbol,n\n{lines}"));
    }
    let source = format!(
        "CREATE SOURCE s (symbol VARCHAR, n BIGINT) WITH (connector = 'file', path = '{}', keyed_by = 'symbol');",
        directory.path().join("*.csv").display()
    );
    for query in ["SELECT symbol, n FROM s LIMIT 7", "SELECT symbol, COUNT(*) FROM s GROUP BY symbol LIMIT 8 OFFSET 3"]
    {
        let sql = format!("{source} {query}");
        let expected = run(&Engine::new(), &sql, &options(&[("processor", "inline")])).1;
        everywhere(&sql, |place, rows| assert_eq!(rows, expected, "{query} under {place}"));
        for strategy in ["auto", "sticky", "smart_repartition", "round_robin", "always_hash", "fan_in"] {
            let engine = Engine::new();
            let job = &engine.compile(&sql, &Options::new()).unwrap()[0];
            let settings = options(&[("processor", "partitioned"), ("partitions", "3"), ("strategy", strategy)]);
            if let Ok((_, batches)) = engine.collect(job, &settings) {
                assert_eq!(harness::rows_of(&batches), expected, "{query} under {strategy}");
            }
        }
    }
}

#[test]
fn the_one_partition_of_fan_in_must_exist() {
    let sql = "CREATE SOURCE s (n BIGINT) WITH (connector = 'generator', rows = '10');
               SELECT n, ROW_NUMBER() OVER () FROM s";
    let engine = Engine::new();
    let job = &engine.compile(sql, &Options::new()).unwrap()[0];
    let settings = options(&[("processor", "partitioned"), ("partitions", "4"), ("fan_in_partition", "7")]);
    let error = engine.collect(job, &settings).unwrap_err();
    assert_eq!(error.exit_status(), 2);
    assert!(error.to_string().contains("partition 7 is not below the number of partitions, 4"), "{error}");
}

/// Sums of 39 digits inside a frame are an error, not a wrong number; sums that come back are exact.
#[test]
fn decimal_frames_are_exact_or_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let big = "9".repeat(38);
    write(directory.path(), "a.csv", &format!("n\n{big}\n-{big}\n7\n8\n"));
    write(directory.path(), "b.csv", &format!("n\n{big}\n{big}\n"));
    let sql = |file: &str, query: &str| {
        let path = directory.path().join(file);
        format!("CREATE SOURCE s (n DECIMAL(38, 0)) WITH (connector = 'file', path = '{}'); {query}", path.display())
    };
    let frame = "SELECT SUM(n) OVER (ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM s";
    everywhere(&sql("a.csv", frame), |place, rows| {
        let sums: Vec<_> = rows.into_iter().map(|row| row[0].clone()).collect();
        let nines: i128 = big.parse().unwrap();
        assert_eq!(sums, [nines, 0, 7 - nines, 15].map(Cell::Integer), "{place}");
    });
    for query in [frame, "SELECT SUM(n) FROM s"] {
        let engine = Engine::new();
        let job = &engine.compile(&sql("b.csv", query), &Options::new()).unwrap()[0];
        let error = engine.collect(job, &options(&[("partitions", "2")])).unwrap_err();
        assert!(error.to_string().contains("does not fit 38 digits"), "{error}");
    }
    let huge = "SELECT MAX(n) OVER (ROWS BETWEEN 9223372036854775807 PRECEDING AND CURRENT ROW) FROM s";
    everywhere(&sql("a.csv", huge), |place, rows| {
        assert!(rows.iter().all(|row| row[0] != Cell::Null), "{place}");
    });
}

/// What the report says of routing: natural where rows stay, repartitioned where they move, fallback where a source
/// that is not keyed was hashed after all.
#[test]
fn strategies_count_their_hits() {
    let sql = |keyed: &str| {
        format!(
            "CREATE SOURCE s (symbol VARCHAR, n BIGINT) WITH (connector = 'generator', rows = '1000', keys = '50', splits = '4' {keyed});
             SELECT symbol, COUNT(*) FROM s GROUP BY symbol EMIT CHANGES"
        )
    };
    let hits = |sql: &str, strategy: &str| {
        let settings = options(&[("processor", "partitioned"), ("partitions", "3"), ("strategy", strategy)]);
        let report = run(&Engine::new(), sql, &settings).0;
        (report.routed_natural, report.routed_repartitioned, report.routed_fallback)
    };
    let (natural, moved, fallback) = hits(&sql(""), "always_hash");
    assert_eq!((natural + moved, fallback), (1000, 0));
    assert!(natural > 100 && moved > 300, "{natural} {moved}");
    assert_eq!(hits(&sql(""), "smart_repartition"), (0, 0, 1000));
    assert_eq!(hits(&sql(", keyed_by = 'symbol'"), "smart_repartition"), (1000, 0, 0));
    assert_eq!(hits(&sql(", keyed_by = 'symbol'"), "sticky"), (1000, 0, 0));
}

/// Under `on_error = 'fail'` the record that is named is the first in the input, whatever the scheduling, and its place is
/// given.
#[test]
fn the_first_bad_record_ends_the_job() {
    let directory = tempfile::tempdir().unwrap();
    let bad = |i: u32| if i == 700 || i == 703 || i == 1500 { "x".to_string() } else { i.to_string() };
    let lines: String = (0..3000).map(|i| format!("{}\n", bad(i))).collect();
    write(directory.path(), "a.csv", &format!("n\n{lines}"));
    let path = directory.path().join("a.csv");
    let sql = format!(
        "CREATE SOURCE s (n BIGINT) WITH (connector = 'file', path = '{}', on_error = 'fail'); SELECT n FROM s",
        path.display()
    );
    let engine = Engine::new();
    let job = &engine.compile(&sql, &Options::new()).unwrap()[0];
    for processor in ["inline", "simple", "partitioned"] {
        for partitions in ["1", "3"] {
            for batch_rows in ["1", "64", "8192"] {
                let settings = [("processor", processor), ("partitions", partitions), ("batch_rows", batch_rows)];
                let error = engine.collect(job, &options(&settings)).unwrap_err().to_string();
                assert!(error.contains(&format!("{}:702: column \"n\": 'x'", path.display())), "{settings:?}: {error}");
            }
        }
    }
}
