//! Aggregates of more than a few words, FILTER and DISTINCT: against plain folds over the rows of each group, and the same,
//! bit for bit, under every processor, number of partitions and batch size; against SQLite; the examples of the document.

#[path = "../harness/mod.rs"]
mod harness;

mod cases;
mod document;
mod rig;

use std::collections::BTreeMap;

use harness::{Cell, Row, options, run, sorted};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rusqlite::Connection;

use cases::{CALLS, Call, close};
use rig::{Record, engine, records, select, source};

/// Every way to run: processor, partitions, batch rows.
fn ways() -> impl Iterator<Item = [(&'static str, &'static str); 3]> {
    let many = ["1", "2", "5"].into_iter().flat_map(|n| [("partitioned", n), ("stp", n)]);
    let ways: Vec<_> = [("inline", "1"), ("simple", "1")].into_iter().chain(many).collect();
    ["1", "64", "8192"].into_iter().flat_map(move |rows| {
        ways.clone()
            .into_iter()
            .map(move |(processor, n)| [("processor", processor), ("partitions", n), ("batch_rows", rows)])
    })
}

/// The rows of `inline`, after every other way has given the same.
fn rows_of_all_ways(splits: &[Vec<Record>], sql: &str, settings: &[(&str, &str)]) -> Vec<Row> {
    let engine = engine(splits);
    let first = run(&engine, sql, &options(&[settings, &[("processor", "inline")]].concat())).1;
    for way in ways() {
        let rows = run(&engine, sql, &options(&[settings, &way].concat())).1;
        if way[0].1 == "stp" {
            same(&sorted(rows), &sorted(first.clone()), way);
        } else {
            same(&rows, &first, way);
        }
    }
    first
}

fn same(found: &[Row], first: &[Row], way: [(&str, &str); 3]) {
    assert_eq!(found.len(), first.len(), "{way:?}: number of rows");
    for (i, (found, first)) in found.iter().zip(first).enumerate() {
        for (column, (found, first)) in found.iter().zip(first).enumerate() {
            assert_eq!(found, first, "{way:?}: row {i}, column {column}");
        }
    }
}

/// Compares what follows `skipped` columns of a row with the folds over `group`.
fn check(row: &Row, skipped: usize, calls: &[Call], group: &[&Record]) {
    for (found, (sql, expected)) in row[skipped..].iter().zip(calls) {
        let expected = expected(group);
        assert!(close(found, &expected), "{sql}: {found:?}, expected {expected:?} of {group:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// One row a group.
    #[test]
    fn final_results_are_plain_folds(splits in records(4, 120, 6)) {
        let sql = select("k", CALLS, "GROUP BY k");
        let rows = rows_of_all_ways(&splits, &sql, &[]);
        let mut groups: BTreeMap<i64, Vec<&Record>> = BTreeMap::new();
        splits.iter().flatten().for_each(|record| groups.entry(record.key).or_default().push(record));
        prop_assert_eq!(rows.len(), groups.len());
        for row in &rows {
            let Cell::Integer(key) = row[0] else { panic!("{row:?}") };
            check(row, 1, CALLS, &groups[&(key as i64)]);
        }
    }

    /// Many groups of few rows, most of which go to other partitions.
    #[test]
    fn many_groups_are_plain_folds(splits in records(3, 200, 5000)) {
        let sql = select("k", CALLS, "GROUP BY k");
        let rows = rows_of_all_ways(&splits, &sql, &[]);
        let mut groups: BTreeMap<i64, Vec<&Record>> = BTreeMap::new();
        splits.iter().flatten().for_each(|record| groups.entry(record.key).or_default().push(record));
        for row in &rows {
            let Cell::Integer(key) = row[0] else { panic!("{row:?}") };
            check(row, 1, CALLS, &groups[&(key as i64)]);
        }
    }

    /// One row, also of no rows.
    #[test]
    fn global_results_are_plain_folds(splits in records(3, 60, 3), all in any::<bool>()) {
        let sql = select("1", CALLS, if all { "" } else { "WHERE k > 100" });
        let rows = rows_of_all_ways(&splits, &sql, &[]);
        prop_assert_eq!(rows.len(), 1);
        let group: Vec<&Record> = splits.iter().flatten().filter(|_| all).collect();
        check(&rows[0], 1, CALLS, &group);
    }

    /// After each row, the folds over the rows of its group so far.
    #[test]
    fn running_results_are_plain_folds(splits in records(2, 40, 4)) {
        let sql = select("k", CALLS, "GROUP BY k EMIT CHANGES");
        let rows = rows_of_all_ways(&splits, &sql, &[]);
        let mut groups: BTreeMap<i64, Vec<&Record>> = BTreeMap::new();
        let records: Vec<&Record> = splits.iter().flatten().collect();
        prop_assert_eq!(rows.len(), records.len());
        for (row, record) in rows.iter().zip(records) {
            let group = groups.entry(record.key).or_default();
            group.push(record);
            prop_assert_eq!(&row[0], &Cell::Integer(record.key.into()));
            check(row, 1, CALLS, group);
        }
    }

    /// Windows whose late records correct them: what a group says last is the fold over all its rows.
    #[test]
    fn corrected_windows_are_plain_folds(splits in records(3, 60, 3)) {
        let sql = select("k, window_start", CALLS, "GROUP BY k WINDOW TUMBLING (t, INTERVAL '10' SECOND)");
        let settings = [("late_records", "process_all"), ("allowed_lateness", "1000 days")];
        let rows = rows_of_all_ways(&splits, &sql, &settings);
        let mut groups: BTreeMap<(i128, i128), Vec<&Record>> = BTreeMap::new();
        for record in splits.iter().flatten() {
            let start = record.time.div_euclid(10_000_000) * 10_000_000;
            groups.entry((record.key.into(), start.into())).or_default().push(record);
        }
        let mut last = BTreeMap::new();
        for row in &rows {
            let (Cell::Integer(key), Cell::Integer(start)) = (&row[0], &row[1]) else { panic!("{row:?}") };
            last.insert((*key, *start), row);
        }
        prop_assert_eq!(last.len(), groups.len());
        for (key, row) in last {
            check(row, 2, CALLS, &groups[&key]);
        }
    }
}

/// Sums of products of numbers of very different size do not show how rows were dealt.
#[test]
fn lines_through_wild_doubles_are_the_same_everywhere() {
    let record = |i: i64| Record {
        key: i % 3,
        n: Some(i * 7919 % 1000),
        d: Some(((i * 104_729 % 1999) as f64 - 999.0) * 1.000_000_1_f64.powi((i % 97) as i32)),
        s: None,
        b: None,
        time: i,
    };
    let records: Vec<Record> = (0..3000).map(record).collect();
    let splits: Vec<Vec<Record>> = records.chunks(701).map(<[Record]>::to_vec).collect();
    let list = "CORR(d, n), COVAR_POP(d, d * 0.1), COVAR_SAMP(d * 1000.0, n), REGR_SLOPE(n, d), REGR_INTERCEPT(d, n), REGR_R2(d, n),
        AVG(DISTINCT d), VARIANCE(DISTINCT d), MEDIAN(d)";
    rows_of_all_ways(&splits, &format!("{} SELECT k, {list} FROM records GROUP BY k", source()), &[]);
}

#[test]
fn distinct_filter_and_joined_texts_equal_sqlite() {
    let mut runner = TestRunner::deterministic();
    let splits = records(3, 300, 8).new_tree(&mut runner).unwrap().current();
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE records (k, n, s, b)").unwrap();
    for record in splits.iter().flatten() {
        let row = rusqlite::params![record.key, record.n, record.s, record.b];
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?)", row).unwrap();
    }
    let list = "k, COUNT(DISTINCT n), COUNT(DISTINCT s), SUM(DISTINCT n), COUNT(*) FILTER (WHERE b), COUNT(n) FILTER (WHERE s >= 'b'),
        SUM(n) FILTER (WHERE NOT b), COUNT(DISTINCT s) FILTER (WHERE n > 0), MIN(s) FILTER (WHERE n IS NULL),
        GROUP_CONCAT(s, '+' ORDER BY n, s), GROUP_CONCAT(n), GROUP_CONCAT(s) FILTER (WHERE b)";
    let query = format!("SELECT {list} FROM records GROUP BY k ORDER BY k");
    let ours = run(&engine(&splits), &format!("{} {query}", source()), &options(&[("partitions", "2")])).1;
    // SQLite orders NULLs first.
    let theirs = query.replace("ORDER BY n, s)", "ORDER BY n NULLS LAST, s)");
    let mut statement = connection.prepare(&theirs).unwrap();
    let cell = |row: &rusqlite::Row<'_>, i: usize| match row.get_ref(i).unwrap() {
        rusqlite::types::ValueRef::Null => Cell::Null,
        rusqlite::types::ValueRef::Integer(value) => Cell::Integer(value.into()),
        rusqlite::types::ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    };
    let rows = statement.query_map([], |row| Ok((0..12).map(|i| cell(row, i)).collect::<Row>())).unwrap();
    let theirs: Vec<Row> = rows.map(Result::unwrap).collect();
    assert!(theirs.len() > 4, "shows nothing");
    assert_eq!(ours, theirs);
}

/// Estimates of many values are near, and the same however rows are dealt.
#[test]
fn estimates_are_near_and_the_same_everywhere() {
    let record = |i: i64| Record {
        key: i % 2,
        n: Some(i * 2_654_435_761 % 5003),
        d: None,
        s: Some(format!("value {}", i % 2003)),
        b: None,
        time: i,
    };
    let splits: Vec<Vec<Record>> =
        (0..4).map(|split| (split * 5000..(split + 1) * 5000).map(record).collect()).collect();
    let sql = format!(
        "{} SELECT k, APPROX_COUNT_DISTINCT(n), COUNT(DISTINCT n), APPROX_COUNT_DISTINCT(s), COUNT(DISTINCT s),
          APPROX_PERCENTILE(n * n, 0.5), PERCENTILE_CONT(n * n, 0.5), APPROX_PERCENTILE(n, 0.99), PERCENTILE_CONT(n, 0.99)
        FROM records GROUP BY k",
        source()
    );
    let rows = rows_of_all_ways(&splits, &sql, &[]);
    assert_eq!(rows.len(), 2);
    for row in rows {
        for pair in row[1..].chunks(2) {
            let (near, exact) = (pair[0].double(), pair[1].double());
            assert!(exact > 1000.0 && (near - exact).abs() < 0.05 * exact, "{near} for {exact}");
        }
    }
}

/// So many groups that their rows go to the owners at once, each as a group of its own.
#[test]
fn scattered_rows_give_plain_folds() {
    let record = |i: i64| Record {
        key: if i % 5 == 0 { i % 50 } else { i * 7 % 30_011 },
        n: (i % 11 > 0).then_some(i % 13),
        d: (i % 7 > 0).then_some((i % 17) as f64 / 4.0),
        s: (i % 3 > 0).then(|| format!("{}", i % 19)),
        b: Some(i % 2 == 0),
        time: i,
    };
    let splits: Vec<Vec<Record>> =
        (0..2).map(|split| (split * 30_000..(split + 1) * 30_000).map(record).collect()).collect();
    let engine = engine(&splits);
    let sql = select("k", CALLS, "GROUP BY k");
    let first = run(&engine, &sql, &options(&[("processor", "inline")])).1;
    for n in ["2", "5"] {
        let way = [("processor", "partitioned"), ("partitions", n), ("strategy", "round_robin")];
        same(&run(&engine, &sql, &options(&way)).1, &first, way);
    }
    let mut groups: BTreeMap<i64, Vec<&Record>> = BTreeMap::new();
    splits.iter().flatten().for_each(|record| groups.entry(record.key).or_default().push(record));
    assert!(first.len() == groups.len() && first.len() > 20_000, "{} groups", first.len());
    for row in &first {
        let Cell::Integer(key) = row[0] else { panic!("{row:?}") };
        check(row, 1, CALLS, &groups[&(key as i64)]);
    }
}

/// What aggregates keep beside their rows counts as state.
#[test]
fn values_that_are_kept_count_against_the_limit() {
    let declare =
        "CREATE SOURCE g (k BIGINT, v BIGINT) WITH (connector = 'generator', rows = '3000000', keys = '3000000');";
    for call in [
        "MEDIAN(v + k)",
        "COUNT(DISTINCT v * 1000 + k)",
        "STRING_AGG(k)",
        "APPROX_PERCENTILE(EXP((v * 1000 + k) % 1000000 / 750.0 - 700), 0.5)",
    ] {
        let sql = format!("{declare} SELECT {call} FROM g");
        let jobs = corelane::engine::Engine::new().compile(&sql, &Default::default()).unwrap();
        let options = options(&[("processor", "inline"), ("memory_limit", "8MB")]);
        let error = corelane::engine::Engine::new().collect(&jobs[0], &options).expect_err(call).to_string();
        assert!(error.contains("memory_limit") && error.contains("GROUP BY"), "{call}: {error}");
    }
}
