//! Random schedules over tiny rings: the same partitions as the threads drive, stepped in an order that a seed decides.
//! For every seed the rows, their order and the counts equal those of `inline`.

mod harness;

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use corelane::batch::Decode;
use corelane::connector::{MemoryDecoder, memory_reader};
use corelane::engine::{Engine, Progress};
use corelane::error::Result;
use corelane::kernel::Simd;
use corelane::operator::OnError;
use corelane::partition::{RowSink, SourceSplit, Wiring, wire};
use corelane::pipeline::Stages;
use corelane::plan::{JobPlan, Layout, LayoutRequest, ProcessorKind, Strategy};
use corelane::sim::simulate;
use corelane::state::KeyHasher;
use corelane::types::{Options, SplitId};

use harness::{Row, options, rows_of, run, sorted};

#[derive(Default)]
struct Keep(Arc<Mutex<Vec<RecordBatch>>>);

impl RowSink for Keep {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.lock().unwrap().push(batch.clone());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// How a simulated job is laid out.
#[derive(Debug, Clone, Copy)]
struct Shape {
    processor: ProcessorKind,
    partitions: usize,
    strategy: Option<Strategy>,
    batch_rows: usize,
    ring_slots: usize,
    seed: u64,
}

/// Rows, and the numbers of filtered and late records.
fn simulated(job: &JobPlan, splits: &[Vec<RecordBatch>], shape: Shape) -> (Vec<Row>, u64, u64, bool) {
    let request = LayoutRequest {
        processor: shape.processor,
        partitions: shape.partitions,
        strategy: shape.strategy,
        fan_in_target: 0,
        splits: splits.len(),
    };
    let layout = Layout::new(&job.plan, request).unwrap_or_else(|error| panic!("{shape:?}: {error}"));
    let scan = &job.plan.scan;
    let sources = splits.iter().enumerate().map(|(number, batches)| {
        let id = SplitId(number as u32);
        let batches: Vec<_> = batches.iter().cloned().map(Arc::new).collect();
        let source = memory_reader(id, &batches, &scan.source.schema, &scan.projection).unwrap();
        SourceSplit { id, source: Box::new(source) }
    });
    let hasher = KeyHasher::new(shape.seed);
    let progress = Progress::new();
    let wired = wire(Wiring {
        plan: &job.plan,
        layout: &layout,
        splits: sources.collect(),
        decoders: (0..layout.partitions).map(|_| Box::new(MemoryDecoder) as Box<dyn Decode + Send>).collect(),
        batch_rows: shape.batch_rows,
        on_error: OnError::Skip,
        simd: Simd::detect(),
        hasher,
        progress: &progress,
        ring_slots: shape.ring_slots,
    });
    let kept = Keep::default();
    let batches = Arc::clone(&kept.0);
    let stages = |index| Stages::new(&job.plan, &layout, index, hasher);
    let finished = simulate(wired, stages, Box::new(kept), shape.batch_rows, shape.seed)
        .unwrap_or_else(|error| panic!("{shape:?}: {error}"));
    let sum = |of: fn(&corelane::partition::PartitionStats) -> u64| finished.partitions.iter().map(of).sum();
    let rows = rows_of(&batches.lock().unwrap());
    (rows, sum(|p| p.filtered), sum(|p| p.late), layout.ordered || layout.partitions == 1)
}

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
    "SELECT symbol, trade_time, AVG(price) OVER (PARTITION BY symbol ORDER BY trade_time ROWS BETWEEN 4 PRECEDING AND CURRENT ROW),
        LAG(price) OVER (PARTITION BY symbol ORDER BY trade_time) FROM trades",
    "SELECT symbol, SUM(quantity) OVER (PARTITION BY symbol ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) FROM trades",
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
            let (rows, filtered, late, ordered) = simulated(job, &splits, shape);
            if ordered {
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
                assert_eq!(sorted(simulated(job, &splits, shape).0), expected, "{query} under {shape:?}");
            }
        }
        assert!(ran >= 2, "{query}: too many strategies are refused");
    }
}
