//! No heap allocation per batch in steady state: a counting allocator watches partition, reader and writer while batches
//! pass. The input is in memory (decoders of text and Parquet go through Arrow, which allocates its arrays), the sink
//! discards (encoders have buffers of their own). One file, one test: the count is of the whole process.

mod harness;

use std::alloc::{GlobalAlloc, Layout as MemoryLayout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use corelane::batch::Decode;
use corelane::connector::{MemoryDecoder, memory_reader};
use corelane::engine::{Engine, Progress};
use corelane::error::Result;
use corelane::operator::OnError;
use corelane::partition::{Partition, Reader, RowSink, SourceSplit, Step, Wiring, Writer, wire};
use corelane::pipeline::Stages;
use corelane::plan::{Layout, LayoutRequest, ProcessorKind};
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

/// Allocations while `COUNTED_BATCHES` batches pass through the given number of partitions, after `WARM_BATCHES`.
fn allocations(query: &str, partitions: usize) -> u64 {
    let columns = "trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT,
                   WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND";
    let rows = (WARM_BATCHES + COUNTED_BATCHES + 50) * BATCH_ROWS as u64;
    let mut engine = Engine::new();
    let generated = format!(
        "CREATE SOURCE trades ({columns}) WITH (connector = 'generator', rows = '{rows}', keys = '20', spacing = '1ms');
         SELECT * FROM trades"
    );
    let job = engine.compile(&generated, &Options::new()).unwrap().remove(0);
    let batches = engine.collect(&job, &options(&[("processor", "inline")])).unwrap().1;
    engine.register("trades", batches.clone());
    let sql = format!("CREATE SOURCE trades ({columns}) WITH (connector = 'memory'); {query}");
    let job = engine.compile(&sql, &Options::new()).unwrap().remove(0);

    let request = LayoutRequest {
        processor: ProcessorKind::Partitioned,
        partitions,
        strategy: None,
        fan_in_target: 0,
        splits: 1,
    };
    let layout = Layout::new(&job.plan, request).unwrap();
    let scan = &job.plan.scan;
    let batches: Vec<_> = batches.into_iter().map(Arc::new).collect();
    let source = memory_reader(SplitId(0), &batches, &scan.source.schema, &scan.projection).unwrap();
    let hasher = KeyHasher::new(1);
    let progress = Progress::new();
    let wired = wire(Wiring {
        plan: &job.plan,
        layout: &layout,
        splits: vec![SourceSplit { id: SplitId(0), source: Box::new(source) }],
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
        for machine in &mut machines {
            while machine.step().unwrap() == Step::Worked {}
        }
        while writer.step().unwrap() == Step::Worked {}
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
    ];
    for (name, query) in queries {
        for partitions in [1, 3] {
            let count = allocations(query, partitions);
            assert_eq!(count, 0, "{name} at {partitions} partitions: {count} allocations in {COUNTED_BATCHES} batches");
        }
    }
}
