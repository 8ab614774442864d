//! Random schedules over tiny rings: the same partitions as the threads drive, stepped in an order that a seed decides.
//! For every seed the rows, their order and the counts equal those of `inline`.

mod harness;

use arrow_array::RecordBatch;
use corelane::engine::Engine;
use corelane::plan::{Layout, LayoutRequest, ProcessorKind, Strategy};
use corelane::types::Options;

use harness::simulation::{Shape, simulated};
use harness::{options, run, sorted};

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
            let shape = Shape {
                processor: if seed % 4 == 3 { ProcessorKind::Stp } else { ProcessorKind::Partitioned },
                partitions: 1 + seed as usize % 5,
                strategy: None,
                batch_rows: [1, 3, 16, 100][seed as usize / 4 % 4],
                ring_slots: 1 + seed as usize / 7 % 3,
                seed,
            };
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
