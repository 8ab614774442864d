//! Every scenario under every processor, partition count and batch size gives the rows of `inline`: in the same order
//! under `simple` and `partitioned`, as the same set under `stp`. Sources: the generator with one split and with eight,
//! in order and disordered, with NULLs.

mod harness;

use corelane::engine::Engine;
use harness::{options, run, sorted};

/// The five scenarios over a source of each kind, as (name, SQL).
fn scenarios(generator: &str) -> Vec<(&'static str, String)> {
    let orders = format!(
        "CREATE SOURCE orders (order_id BIGINT, customer_id INT, order_date DATE, total_amount DOUBLE, note VARCHAR)
         WITH (connector = 'generator', {generator});"
    );
    let market_data = format!(
        "CREATE SOURCE market_data (symbol VARCHAR, price DOUBLE, quantity BIGINT, timestamp TIMESTAMP)
         WITH (connector = 'generator', {generator});"
    );
    let trades = format!(
        "CREATE SOURCE trades (trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT,
                               WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND)
         WITH (connector = 'generator', {generator});"
    );
    let tumbling = "SELECT trader_id, symbol, COUNT(*), AVG(price), SUM(quantity), SUM(price * quantity), window_end
                    FROM trades GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE)";
    vec![
        (
            "0 select",
            format!("{orders} SELECT order_id, customer_id, order_date, total_amount FROM orders WHERE total_amount > 100"),
        ),
        (
            "1 rows window",
            format!(
                "{market_data} SELECT symbol, timestamp, price,
                    AVG(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp),
                    MIN(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp),
                    MAX(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp)
                 FROM market_data"
            ),
        ),
        (
            "1 rows window, as they arrive",
            format!(
                "{market_data} SELECT symbol, SUM(quantity) OVER (PARTITION BY symbol ROWS BETWEEN 9 PRECEDING AND CURRENT ROW),
                    ROW_NUMBER() OVER (PARTITION BY symbol) , LAG(price, 2) OVER (PARTITION BY symbol)
                 FROM market_data WHERE quantity > 200"
            ),
        ),
        (
            "2 group by",
            format!(
                "{market_data} SELECT symbol, COUNT(*), AVG(price), MIN(price), MAX(price), SUM(quantity), STDDEV(price)
                 FROM market_data GROUP BY symbol"
            ),
        ),
        ("2 global", format!("{market_data} SELECT COUNT(*), SUM(price), MIN(symbol), MAX(timestamp) FROM market_data")),
        ("3a tumbling", format!("{trades} {tumbling}")),
        ("3b tumbling, changes", format!("{trades} {tumbling} EMIT CHANGES")),
        (
            "group by, changes",
            format!("{trades} SELECT symbol, COUNT(*), MAX(price) FROM trades GROUP BY symbol HAVING COUNT(*) > 3 EMIT CHANGES"),
        ),
    ]
}

fn check(generator: &str) {
    let engine = Engine::new();
    for (name, sql) in scenarios(generator) {
        let (reference, expected) = run(&engine, &sql, &options(&[("processor", "inline")]));
        assert!(!expected.is_empty(), "{name} shows nothing");
        for processor in ["inline", "simple", "partitioned", "stp"] {
            for partitions in ["1", "2", "3", "8"] {
                for batch_rows in ["1", "7", "1024", "8192"] {
                    let settings = [("processor", processor), ("partitions", partitions), ("batch_rows", batch_rows)];
                    let (report, rows) = run(&engine, &sql, &options(&settings));
                    let place = format!("{name} over ({generator}) under {settings:?}");
                    if processor == "stp" {
                        assert_eq!(sorted(rows), sorted(expected.clone()), "{place}");
                    } else {
                        assert_eq!(rows, expected, "{place}");
                    }
                    assert_eq!(
                        (report.records_read, report.records_filtered, report.records_late, report.records_emitted),
                        (
                            reference.records_read,
                            reference.records_filtered,
                            reference.records_late,
                            reference.records_emitted
                        ),
                        "{place}"
                    );
                }
            }
        }
    }
}

#[test]
fn one_split_in_order() {
    check("rows = '3000', seed = '1', keys = '11', spacing = '50ms'");
}

#[test]
fn one_split_disordered_with_late_records_and_nulls() {
    check(
        "rows = '3000', seed = '2', keys = '5', spacing = '100ms', disorder = '0.3', disorder_by = '90s', nulls = '0.05'",
    );
}

#[test]
fn eight_splits() {
    check("rows = '4000', seed = '3', keys = '20', skew = '1.1', spacing = '20ms', splits = '8'");
}

/// Groups that rarely meet their like are scattered row by row once a partition has seen that; a hot key is grouped first
/// all the same. The result does not show it.
#[test]
fn many_keys_with_a_hot_one() {
    let engine = Engine::new();
    let source = "CREATE SOURCE trades (trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT,
                                        WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND)
                  WITH (connector = 'generator', rows = '200000', seed = '4', keys = '250', skew = '0.4', spacing = '1ms',
                        nulls = '0.02');";
    for window in ["", "WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE)"] {
        let sql = format!(
            "{source} SELECT trader_id, symbol, COUNT(*), AVG(price), MAX(price), MIN(symbol), SUM(quantity), COUNT(price)
             FROM trades GROUP BY trader_id, symbol {window}"
        );
        let (_, expected) = run(&engine, &sql, &options(&[("processor", "inline")]));
        for partitions in ["2", "3"] {
            for batch_rows in ["1024", "8192"] {
                let settings = [("processor", "partitioned"), ("partitions", partitions), ("batch_rows", batch_rows)];
                let (report, rows) = run(&engine, &sql, &options(&settings));
                assert_eq!(rows, expected, "{window} {settings:?}");
                // Grouping alone would exchange each group at most once a partition.
                let exchanged = (report.routed_natural + report.routed_repartitioned) as usize;
                let shows = window.is_empty() && partitions == "2";
                assert!(!shows || exchanged > 2 * rows.len(), "{exchanged} exchanged for {} groups", rows.len());
            }
        }
    }
}
