//! No heap allocation per batch in steady state: a counting allocator watches partition, reader and writer while batches
//! pass. The input is in memory (decoders of text and Parquet go through Arrow, which allocates its arrays), the sink
//! discards (encoders have buffers of their own). One file, one test: the count is of the whole process.

mod harness;

use std::alloc::{GlobalAlloc, Layout as MemoryLayout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, Int32Array, RecordBatch, new_null_array};
use corelane::batch::{Decode, KeyedTable, arrow_type};
use corelane::connector::{MemoryDecoder, memory_reader};
use corelane::engine::{Engine, Progress};
use corelane::error::Result;
use corelane::operator::OnError;
use corelane::partition::{Partition, Reader, RowSink, SourceSplit, Step, Wiring, Writer, wire};
use corelane::pipeline::Stages;
use corelane::plan::{Layout, LayoutRequest, Node, Plan, ProcessorKind, Scan, SourceInput};
use corelane::state::KeyHasher;
use corelane::time::Clock;
use corelane::types::{Options, SplitId};

use harness::options;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: MemoryLayout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: MemoryLayout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: MemoryLayout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Discard;

impl RowSink for Discard {
    fn write(&mut self, _: &RecordBatch) -> Result<()> {
        Ok(())
    }

    fn discards(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

const BATCH_ROWS: usize = 512;
const WARM_BATCHES: u64 = 1500;
const COUNTED_BATCHES: u64 = 400;

const COLUMNS: &str = "trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT,
    WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND";

/// Batches of generated rows, a millisecond apart.
fn generated(rows: u64, seed: u32) -> Vec<RecordBatch> {
    let sql = format!(
        "CREATE SOURCE trades ({COLUMNS}) WITH (connector = 'generator', rows = '{rows}', keys = '20', spacing = '1ms', seed = '{seed}');
         SELECT * FROM trades"
    );
    let engine = Engine::new();
    let job = engine.compile(&sql, &Options::new()).unwrap().remove(0);
    engine.collect(&job, &options(&[("processor", "inline")])).unwrap().1
}

/// A batch of one input as the columns of all of them.
fn widened(scan: &Scan, input: usize, batch: &RecordBatch) -> RecordBatch {
    let start = scan.source.inputs[input].start;
    let column = |index: usize| match index {
        SourceInput::NUMBER => Arc::new(Int32Array::from(vec![input as i32; batch.num_rows()])) as ArrayRef,
        SourceInput::EVENT_TIME => Arc::clone(batch.column(0)),
        index if (start..start + batch.num_columns()).contains(&index) => Arc::clone(batch.column(index - start)),
        index => new_null_array(&arrow_type(scan.source.schema.fields[index].data_type), batch.num_rows()),
    };
    let columns = (0..scan.source.schema.len()).map(|index| (format!("c{index}"), column(index), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Puts the rows of the one table, if a lookup wants it, into the plan.
fn load_table(plan: &mut Plan) {
    for step in &mut plan.steps {
        if let Node::Lookup(node) = &mut step.node {
            let schema = &plan.tables[node.table].schema;
            let keys: Vec<usize> = node.keys.iter().map(|(_, column)| *column).collect();
            let rows = generated(40, 9).into_iter().map(|batch| {
                let column = |name: &str| batch.schema().index_of(name).unwrap();
                let read: Vec<usize> = schema.fields.iter().map(|field| column(&field.name)).collect();
                batch.project(&read).unwrap()
            });
            node.loaded = KeyedTable::new(schema, &rows.collect::<Vec<_>>(), &keys).map(Arc::new);
        }
    }
}

/// Allocations while `COUNTED_BATCHES` batches pass through the given number of partitions, after `WARM_BATCHES`. The query is
/// over `trades`, or `trades` and `quotes`.
fn allocations(query: &str, partitions: usize) -> u64 {
    let sources =
        ["trades", "quotes"].map(|name| format!("CREATE SOURCE {name} ({COLUMNS}) WITH (connector = 'memory');"));
    let table =
        "CREATE SOURCE traders (trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT)
                 WITH (connector = 'memory');";
    let engine = Engine::new();
    let sql = format!("{}{table}{query}", sources.concat());
    let mut job = engine.compile(&sql, &Options::new()).unwrap().remove(0);
    load_table(&mut job.plan);
    let scan = &job.plan.scan;
    let inputs = scan.source.inputs.len().max(1);
    let rows = ((WARM_BATCHES + COUNTED_BATCHES) / inputs as u64 + 50) * BATCH_ROWS as u64;
    // Columns of several inputs may have one name.
    let mut schema = scan.source.schema.clone();
    if inputs > 1 {
        (0..).zip(&mut schema.fields).for_each(|(index, field)| field.name = format!("c{index}"));
    }
    let splits = (0..inputs as u32).map(|input| {
        let batches = generated(rows, input).into_iter();
        let batches = batches.map(|batch| match scan.source.inputs.is_empty() {
            true => batch,
            false => widened(scan, input as usize, &batch),
        });
        let batches: Vec<_> = batches.map(Arc::new).collect();
        let source = memory_reader(SplitId(input), &batches, &schema, &scan.projection).unwrap();
        SourceSplit { id: SplitId(input), source: Box::new(source) }
    });
    let splits: Vec<SourceSplit> = splits.collect();
    let request = LayoutRequest {
        processor: ProcessorKind::Partitioned,
        partitions,
        strategy: None,
        fan_in_target: 0,
        splits: inputs,
    };
    let layout = Layout::new(&job.plan, request).unwrap();
    let hasher = KeyHasher::new(1);
    let progress = Progress::new();
    let wired = wire(Wiring {
        plan: &job.plan,
        layout: &layout,
        splits,
        decoders: (0..partitions).map(|_| Box::new(MemoryDecoder) as Box<dyn Decode + Send>).collect(),
        batch_rows: BATCH_ROWS,
        on_error: OnError::Skip,
        simd: corelane::kernel::Simd::detect(),
        hasher,
        progress: &progress,
        memory: None,
        bounded: true,
        clock: Clock::new(|| 0),
        ring_slots: Wiring::SLOTS,
    });
    let mut reader = Reader::new(wired.reader.unwrap().0);
    let mut machines: Vec<Partition> = wired
        .lanes
        .into_iter()
        .enumerate()
        .map(|(index, lane)| Partition::new(lane.partition, Stages::new(&job.plan, &layout, index, hasher)))
        .collect();
    let mut writer = Writer::new(wired.writer.0, Box::new(Discard), BATCH_ROWS);
    let mut round = || {
        assert_eq!(reader.step(false).unwrap(), Step::Worked);
        // Partitions send each other rows and groups: all of them go on until none can.
        let mut worked = true;
        while worked {
            worked = false;
            for machine in &mut machines {
                while machine.step().unwrap() == Step::Worked {
                    worked = true;
                }
            }
            while writer.step().unwrap() == Step::Worked {
                worked = true;
            }
        }
    };
    (0..WARM_BATCHES).for_each(|_| round());
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..COUNTED_BATCHES).for_each(|_| round());
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

#[test]
fn no_allocation_per_batch_in_steady_state() {
    let queries = [
        ("select", "SELECT trade_time, trader_id, price * quantity FROM trades WHERE price > 300"),
        (
            "group by",
            "SELECT symbol, COUNT(*), AVG(price), MIN(price), MAX(price), SUM(quantity) FROM trades GROUP BY symbol",
        ),
        (
            "tumbling",
            "SELECT trader_id, symbol, COUNT(*), AVG(price), SUM(quantity), SUM(price * quantity) FROM trades
             GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '1' HOUR)",
        ),
        (
            "changes",
            "SELECT trader_id, symbol, COUNT(*), AVG(price) FROM trades
             GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '1' HOUR) EMIT CHANGES",
        ),
        (
            "rows",
            "SELECT symbol, AVG(price) OVER (PARTITION BY symbol ROWS BETWEEN 99 PRECEDING AND CURRENT ROW) FROM trades",
        ),
        (
            "changes per batch",
            "SELECT trader_id, symbol, COUNT(*), AVG(price) FROM trades
             GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '1' HOUR) EMIT CHANGES PER BATCH",
        ),
        (
            "lookup",
            "SELECT t.trade_time, t.price, u.quantity FROM trades AS t JOIN traders AS u ON t.trader_id = u.trader_id",
        ),
        (
            "interval join",
            "SELECT t.trade_time, t.price, q.price AS quoted FROM trades AS t LEFT JOIN quotes AS q ON t.trader_id = q.trader_id
             AND q.trade_time BETWEEN t.trade_time - INTERVAL '5' MILLISECOND AND t.trade_time + INTERVAL '10' MILLISECOND",
        ),
        (
            "interval join by text",
            "SELECT t.trade_time, t.symbol, q.symbol AS quoted FROM trades AS t JOIN quotes AS q ON t.symbol = q.symbol
             AND q.trade_time BETWEEN t.trade_time AND t.trade_time + INTERVAL '20' MILLISECOND",
        ),
    ];
    for (name, query) in queries {
        for partitions in [1, 3] {
            let count = allocations(query, partitions);
            assert_eq!(count, 0, "{name} at {partitions} partitions: {count} allocations in {COUNTED_BATCHES} batches");
        }
    }
    // Windows come and go there: four allocations for each that slides, and nothing for rows.
    let milliseconds = COUNTED_BATCHES * BATCH_ROWS as u64;
    let windows = [
        (
            "sliding",
            "SELECT trader_id, COUNT(*), AVG(price), MAX(price), window_end FROM trades
             GROUP BY trader_id WINDOW SLIDING (trade_time, INTERVAL '60' SECOND, INTERVAL '1' SECOND)",
            4 * milliseconds / 1000,
        ),
        (
            "session",
            "SELECT trader_id, COUNT(*), AVG(price), MAX(price), window_end FROM trades
             GROUP BY trader_id, SESSION(trade_time, INTERVAL '60' MILLISECOND)",
            0,
        ),
        (
            "early sessions",
            "SELECT trader_id, COUNT(*), AVG(price), MAX(price), window_end FROM trades
             GROUP BY trader_id, SESSION(trade_time, INTERVAL '60' MILLISECOND) EMIT EVERY INTERVAL '40' MILLISECOND WITH CHANGELOG",
            0,
        ),
        (
            "changes of sessions",
            "SELECT trader_id, COUNT(*), AVG(price), MAX(price), window_end FROM trades
             GROUP BY trader_id, SESSION(trade_time, INTERVAL '60' MILLISECOND) EMIT CHANGES WITH CHANGELOG",
            0,
        ),
        (
            "sessions per batch",
            "SELECT trader_id, COUNT(*), AVG(price), MAX(price), window_end FROM trades
             GROUP BY trader_id, SESSION(trade_time, INTERVAL '60' MILLISECOND) EMIT CHANGES PER BATCH WITH CHANGELOG",
            0,
        ),
        (
            "changes of sliding",
            "SELECT trader_id, COUNT(*), AVG(price), MAX(price), window_end FROM trades
             GROUP BY trader_id WINDOW SLIDING (trade_time, INTERVAL '60' SECOND, INTERVAL '20' SECOND) EMIT CHANGES",
            0,
        ),
    ];
    let mut counts = Vec::new();
    for (name, query, most) in windows {
        for partitions in [1, 3] {
            let count = allocations(query, partitions);
            // Now and then one of several partitions has more at once than it ever had.
            let outgrown = COUNTED_BATCHES / 8 * (partitions as u64 - 1) / 2;
            counts.push((name, partitions, count, most * partitions as u64 + outgrown));
        }
    }
    assert!(counts.iter().all(|(_, _, count, most)| count <= most), "{counts:?}");
}
