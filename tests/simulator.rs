//! Random schedules over tiny rings: the same partitions as the threads drive, stepped in an order that a seed decides.
//! For every seed the rows, their order and the counts equal those of `inline`.

mod harness;

use arrow_array::RecordBatch;
use corelane::engine::Engine;
use corelane::plan::{Layout, LayoutRequest, ProcessorKind, Strategy};
use corelane::types::Options;

use harness::simulation::{Shape, simulated};
use harness::{options, rows_of, run, sorted};

const SOURCE: &str =
    "CREATE SOURCE trades (trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT,
    WATERMARK FOR trade_time AS trade_time - INTERVAL '2' SECOND) WITH (connector = '{}');";

const QUERIES: &[&str] = &[
    "SELECT trade_time, price FROM trades WHERE price > 300",
    "SELECT symbol, COUNT(*), SUM(price), MIN(trade_time) FROM trades WHERE quantity > 100 GROUP BY symbol",
    "SELECT COUNT(*), AVG(price) FROM trades",
    "SELECT trader_id, symbol, COUNT(*), AVG(price), SUM(price * quantity), window_start FROM trades
     GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '5' SECOND)",
    "SELECT trader_id, symbol, COUNT(*), MAX(price), window_start FROM trades
     GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '5' SECOND) EMIT CHANGES",
    "SELECT symbol, COUNT(*), SUM(price), window_start FROM trades GROUP BY symbol WINDOW SLIDING (trade_time, 5s, 2s)",
    "SELECT COUNT(*), AVG(price), window_end FROM CUMULATE(TABLE trades, DESCRIPTOR(trade_time), 2s, 8s) GROUP BY window_end",
    "SELECT symbol, COUNT(*), SUM(price), window_end FROM trades GROUP BY symbol, SESSION(trade_time, INTERVAL '700' MILLISECOND)",
    "SELECT COUNT(*), MIN(symbol), window_start, window_end FROM trades WINDOW SESSION (trade_time, 90ms)",
    "SELECT symbol, COUNT(*), SUM(price) FROM trades GROUP BY symbol EMIT EVERY INTERVAL '3' SECOND WITH CHANGELOG",
    "SELECT symbol, MAX(symbol), SUM(price) FROM trades GROUP BY symbol EMIT CHANGES WITH CHANGELOG",
    "SELECT symbol, trade_time, AVG(price) OVER (PARTITION BY symbol ORDER BY trade_time ROWS BETWEEN 4 PRECEDING AND CURRENT ROW),
        LAG(price) OVER (PARTITION BY symbol ORDER BY trade_time) FROM trades",
    "SELECT symbol, SUM(quantity) OVER (PARTITION BY symbol ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) FROM trades",
    "SELECT symbol, trade_time, SUM(quantity) OVER w, RANK() OVER w, COUNT(*) OVER (PARTITION BY symbol, trader_id ORDER BY trade_time
        RANGE BETWEEN INTERVAL '2' SECOND PRECEDING AND INTERVAL '1' SECOND FOLLOWING), LEAD(price) OVER (PARTITION BY trader_id, symbol)
     FROM trades WINDOW w AS (PARTITION BY symbol ORDER BY trade_time EXPIRE AFTER INTERVAL '1' SECOND)",
    "SELECT symbol, price, DENSE_RANK() OVER (PARTITION BY symbol ORDER BY quantity DESC), NTILE(3) OVER (PARTITION BY trader_id, symbol ORDER BY price),
        MEDIAN(price) OVER (PARTITION BY symbol ORDER BY trade_time ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING), COUNT(*) OVER (PARTITION BY symbol) FROM trades",
    "SELECT symbol, FIRST(price), LAST(quantity ORDER BY price), STRING_AGG(trader_id, ' '), MEDIAN(price), COUNT(DISTINCT trader_id),
        MAX_BY(trade_time, price), CORR(price, quantity), APPROX_COUNT_DISTINCT(quantity), SUM(price) FILTER (WHERE quantity > 500)
     FROM trades GROUP BY symbol WINDOW TUMBLING (trade_time, INTERVAL '5' SECOND)",
    "SELECT trader_id, LAST(symbol), STRING_AGG(DISTINCT symbol, ' '), SUM(DISTINCT price), PERCENTILE_DISC(quantity, 0.9), REGR_SLOPE(price, quantity)
     FROM trades GROUP BY trader_id EMIT CHANGES",
];

/// Rows of `splits` splits, and an engine that holds them.
fn prepare(splits: usize) -> (Engine, Vec<Vec<RecordBatch>>) {
    let mut engine = Engine::new();
    let mut all = Vec::new();
    for split in 0..splits {
        let source = SOURCE.replace("'{}'", &format!(
            "'generator', rows = '300', seed = '{split}', keys = '6', spacing = '100ms', disorder = '0.4', disorder_by = '6s', nulls = '0.02'"
        ));
        let jobs = engine.compile(&format!("{source} SELECT * FROM trades"), &Options::new()).unwrap();
        all.push(engine.collect(&jobs[0], &options(&[("processor", "inline")])).unwrap().1);
    }
    engine.register_splits("trades", all.clone());
    (engine, all)
}

#[test]
fn two_hundred_schedules_of_every_query() {
    let (engine, splits) = prepare(3);
    for query in QUERIES {
        let sql = format!("{} {query}", SOURCE.replace("{}", "memory"));
        let job = &engine.compile(&sql, &Options::new()).unwrap()[0];
        let (report, expected) = run(&engine, &sql, &options(&[("processor", "inline")]));
        assert!(!expected.is_empty());
        for seed in 0..200 {
            let shape = Shape::of_seed(seed);
            let found = simulated(job, &splits, shape);
            let (filtered, late) = (found.sum(|p| p.filtered), found.sum(|p| p.late));
            let rows = found.rows;
            if found.ordered {
                assert_eq!(rows, expected, "{query} under {shape:?}");
            } else {
                assert_eq!(sorted(rows), sorted(expected.clone()), "{query} under {shape:?}");
            }
            assert_eq!((filtered, late), (report.records_filtered, report.records_late), "{query} under {shape:?}");
        }
    }
}

#[test]
fn every_strategy_that_is_not_refused_gives_the_same_rows() {
    let (engine, splits) = prepare(4);
    let strategies =
        [Strategy::AlwaysHash, Strategy::SmartRepartition, Strategy::Sticky, Strategy::RoundRobin, Strategy::FanIn];
    for query in QUERIES {
        let sql = format!("{} {query}", SOURCE.replace("{}", "memory"));
        let job = &engine.compile(&sql, &Options::new()).unwrap()[0];
        let expected = sorted(run(&engine, &sql, &options(&[("processor", "inline")])).1);
        let mut ran = 0;
        for strategy in strategies {
            let request = LayoutRequest {
                processor: ProcessorKind::Partitioned,
                partitions: 3,
                strategy: Some(strategy),
                fan_in_target: 0,
                splits: splits.len(),
            };
            if Layout::new(&job.plan, request).is_err() {
                continue;
            }
            ran += 1;
            for seed in 0..20 {
                let (processor, strategy) = (ProcessorKind::Partitioned, Some(strategy));
                let shape = Shape { processor, partitions: 3, strategy, batch_rows: 10, ring_slots: 1, seed };
                assert_eq!(sorted(simulated(job, &splits, shape).rows), expected, "{query} under {shape:?}");
            }
        }
        assert!(ran >= 2, "{query}: too many strategies are refused");
    }
}

/// Two streams of two splits each that know nothing of each other's event times, and a table.
const STREAMS: &str = "
    CREATE SOURCE a (ts TIMESTAMP, symbol VARCHAR, k_id INT, price DOUBLE, quantity BIGINT,
        WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
        WITH (connector = 'generator', rows = '200', splits = '2', seed = '1', keys = '6', spacing = '100ms', disorder = '0.3',
              disorder_by = '4s', nulls = '0.03');
    CREATE SOURCE b (ts TIMESTAMP, symbol VARCHAR, k_id INT, cost DOUBLE, quantity BIGINT,
        WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
        WITH (connector = 'generator', rows = '150', splits = '2', seed = '2', keys = '6', spacing = '130ms', disorder = '0.3',
              disorder_by = '3s', nulls = '0.03');
    CREATE SOURCE t (k_id INT, name VARCHAR, lot BIGINT)
        WITH (connector = 'generator', rows = '8', seed = '3', keys = '6', nulls = '0.1');";

/// What is read of several inputs.
const COMBINED: &[&str] = &[
    "SELECT a.ts, a.k_id AS ak, price, b.ts AS bt, b.k_id AS bk, cost FROM a JOIN b ON a.k_id = b.k_id
     AND b.ts BETWEEN a.ts - INTERVAL '2' SECOND AND a.ts + INTERVAL '1' SECOND",
    "SELECT a.ts, a.symbol, price, b.ts AS bt, b.symbol AS bs, cost FROM a LEFT JOIN b ON a.symbol = b.symbol
     AND b.ts BETWEEN a.ts + INTERVAL '1' SECOND AND a.ts + INTERVAL '2' SECOND",
    "SELECT a.ts, a.quantity, b.ts AS bt, cost FROM a RIGHT JOIN b ON a.symbol = b.symbol AND a.k_id = b.k_id % 3
     AND b.ts >= a.ts - INTERVAL '9' SECOND AND b.ts < a.ts + INTERVAL '9' SECOND",
    "SELECT a.ts, a.k_id AS ak, b.ts AS bt, b.k_id AS bk, b.symbol FROM a FULL JOIN b ON a.k_id = b.k_id
     AND b.ts BETWEEN a.ts - INTERVAL '1' SECOND AND a.ts WHERE a.quantity > 100 OR b.quantity > 100",
    "SELECT symbol, COUNT(*), SUM(cost) FROM (SELECT a.symbol, cost FROM a JOIN b ON a.k_id = b.k_id
     AND b.ts BETWEEN a.ts - INTERVAL '1' SECOND AND a.ts + INTERVAL '1' SECOND) AS j GROUP BY symbol",
    "SELECT ts, price FROM (SELECT ts, price FROM a WHERE quantity > 300 UNION ALL SELECT ts, cost FROM b) AS u",
    "SELECT k_id, COUNT(*), SUM(price), FIRST(price), LAST(price), STRING_AGG(symbol, ' '), window_start
     FROM (SELECT ts, symbol, k_id, price FROM a UNION ALL SELECT ts, symbol, k_id, cost FROM b) AS u
     GROUP BY k_id WINDOW TUMBLING (ts, INTERVAL '3' SECOND)",
    "SELECT COUNT(*), MAX(price), window_end
     FROM (SELECT ts, price FROM a UNION ALL SELECT ts, cost FROM b) AS u WINDOW SLIDING (ts, 5s, 2s)",
    "SELECT k_id, COUNT(*), SUM(price), window_start, window_end
     FROM (SELECT ts, k_id, price FROM a UNION ALL SELECT ts, k_id, cost FROM b) AS u GROUP BY k_id, SESSION(ts, INTERVAL '600' MILLISECOND)",
    "SELECT k_id, COUNT(*), SUM(price) FROM (SELECT k_id, price FROM a UNION ALL SELECT k_id, cost FROM b) AS u
     GROUP BY k_id EMIT CHANGES",
    "SELECT ts, symbol, SUM(price) OVER (PARTITION BY symbol ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)
     FROM (SELECT ts, symbol, price FROM a UNION ALL SELECT ts, symbol, cost FROM b) AS u",
    "SELECT a.ts, name, lot FROM a JOIN t ON a.k_id = t.k_id AND lot > 100",
    "SELECT symbol, COUNT(*), SUM(price), SUM(lot), window_start FROM a LEFT JOIN t ON a.k_id = t.k_id
     GROUP BY symbol WINDOW TUMBLING (ts, INTERVAL '4' SECOND)",
    "SELECT t.name, COUNT(*), SUM(price), window_start FROM a LEFT JOIN t ON a.k_id = t.k_id
     GROUP BY t.name WINDOW TUMBLING (ts, INTERVAL '4' SECOND)",
    "SELECT name, lot, SUM(price) OVER (PARTITION BY name ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM a JOIN t ON a.k_id = t.k_id",
    "SELECT a.ts, price, b.ts AS bt, cost FROM a FULL JOIN b ON a.k_id = b.k_id AND price < cost AND b.ts >= a.ts - INTERVAL '1' SECOND",
    "SELECT price, cost FROM a LEFT JOIN b ON a.k_id = b.k_id AND a.quantity < b.quantity",
    "SELECT a.ts, a.k_id AS ak, price, cost FROM a LEFT JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.k_id = b.k_id",
    "SELECT DISTINCT symbol, k_id FROM (SELECT ts, symbol, k_id FROM a UNION ALL SELECT ts, symbol, k_id FROM b) AS u",
    "SELECT l.e, l.k_id, l.n, r.n AS rn
     FROM (SELECT k_id, COUNT(*) AS n, window_end AS e FROM a GROUP BY k_id WINDOW TUMBLING (ts, INTERVAL '2' SECOND)) AS l
     FULL JOIN (SELECT k_id, COUNT(*) AS n, window_end AS e FROM b GROUP BY k_id WINDOW SLIDING (ts, 4s, 2s)) AS r
     ON l.k_id = r.k_id AND l.e = r.e AND l.n <> r.n",
    "SELECT j.k_id, price, j.cost, c.cost AS other FROM (SELECT a.ts AS at, a.k_id, price, cost FROM a LEFT JOIN b ON a.k_id = b.k_id AND price > cost
     AND b.ts BETWEEN a.ts - INTERVAL '1' SECOND AND a.ts) AS j LEFT JOIN (SELECT ts, k_id, cost FROM b WHERE quantity > 100) AS c
     ON j.k_id = c.k_id AND c.ts BETWEEN j.at AND j.at + INTERVAL '1' SECOND",
    "SELECT ts, price FROM a WHERE k_id IN (SELECT k_id FROM t WHERE lot > 200) AND quantity > (SELECT MIN(lot) FROM t)",
    "SELECT n, COUNT(*) FROM (SELECT k_id, COUNT(*) AS n, window_start FROM a GROUP BY k_id WINDOW TUMBLING (ts, INTERVAL '2' SECOND))
     AS w GROUP BY n",
    "SELECT v.k_id, total, name FROM (SELECT k_id, SUM(cost) AS total FROM b GROUP BY k_id) AS v JOIN t ON v.k_id = t.k_id",
];

/// Joins of streams, unions, lookups and subqueries, from their sources on: each under 200 schedules.
#[test]
fn two_hundred_schedules_of_several_inputs() {
    let engine = Engine::new();
    for query in COMBINED {
        let sql = format!("{STREAMS} {query}");
        let job = &engine.compile(&sql, &Options::new()).unwrap()[0];
        let (report, expected) = run(&engine, &sql, &options(&[("processor", "inline")]));
        assert!(expected.len() > 4, "{query}: {} rows", expected.len());
        for seed in 0..200_usize {
            let processor = if seed % 4 == 3 { "stp" } else { "partitioned" };
            let partitions = (1 + seed % 5).to_string();
            let batch_rows = ["1", "3", "16", "100"][seed / 4 % 4];
            let slots = 1 + seed / 7 % 3;
            let run_options =
                options(&[("processor", processor), ("partitions", &partitions), ("batch_rows", batch_rows)]);
            let shape = format!("{processor}, {partitions} partitions, {batch_rows} rows, {slots} slots, seed {seed}");
            let found = engine.simulate(job, &run_options, slots, seed as u64);
            let found = found.unwrap_or_else(|error| panic!("{query} under {shape}: {error}"));
            let sum =
                |of: fn(&corelane::partition::PartitionStats) -> u64| found.partitions.iter().map(of).sum::<u64>();
            let counts = [sum(|p| p.records), sum(|p| p.filtered), sum(|p| p.late), sum(|p| p.dropped)];
            let rows = rows_of(&found.rows);
            if found.ordered {
                assert_eq!(rows, expected, "{query} under {shape}");
            } else {
                assert_eq!(sorted(rows), sorted(expected.clone()), "{query} under {shape}");
            }
            let wanted = [report.records_read, report.records_filtered, report.records_late, report.records_dropped];
            assert_eq!(counts, wanted, "{query} under {shape}");
        }
    }
}
