//! A machine that fails or panics ends its job, under every processor, with its own error and without a hang.

mod harness;

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use arrow_array::RecordBatch;
use corelane::batch::{Chunk, ChunkSource, Decode, Decoded, Pull};
use corelane::connector::{MemoryDecoder, memory_reader};
use corelane::engine::{Engine, PauseFlag, Progress, StopFlag};
use corelane::error::{Error, Result};
use corelane::operator::OnError;
use corelane::partition::{RowSink, SourceSplit, Wiring, wire};
use corelane::plan::{JobPlan, Layout, LayoutRequest, ProcessorKind};
use corelane::processor::{Machines, MachinesSetup, process};
use corelane::ring::WaitMode;
use corelane::state::KeyHasher;
use corelane::time::Clock;
use corelane::types::{Options, SplitId};

use harness::options;

/// Where and how a fault strikes: at the n-th call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    ReaderFails(u32),
    ReaderPanics(u32),
    DecoderFails(u32),
    DecoderPanics(u32),
    SinkFails(u32),
    SinkPanics(u32),
}

fn strike(countdown: &mut u32, panics: bool) -> Result<()> {
    *countdown = countdown.wrapping_sub(1);
    match (*countdown == 0, panics) {
        (false, _) => Ok(()),
        (true, false) => Err(Error::Data("struck".into())),
        (true, true) => panic!("struck"),
    }
}

struct FaultyReader(Box<dyn ChunkSource>, u32, bool);

impl ChunkSource for FaultyReader {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn pull(&mut self, rows_max: usize) -> Result<Pull> {
        strike(&mut self.1, self.2)?;
        self.0.pull(rows_max)
    }

    fn recycle(&mut self, chunk: Chunk) {
        self.0.recycle(chunk);
    }
}

struct FaultyDecoder(u32, bool);

impl Decode for FaultyDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        strike(&mut self.0, self.1)?;
        MemoryDecoder.decode(chunk, rows_max, into)
    }
}

struct FaultySink(u32, bool);

impl RowSink for FaultySink {
    fn write(&mut self, _: &RecordBatch) -> Result<()> {
        strike(&mut self.0, self.1)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

fn run_with_fault(
    job: &JobPlan,
    batches: &[RecordBatch],
    processor: ProcessorKind,
    wait: WaitMode,
    fault: Fault,
) -> Result<()> {
    let request = LayoutRequest { processor, partitions: 3, strategy: None, fan_in_target: 0, splits: 3 };
    let layout = Layout::new(&job.plan, request)?;
    let scan = &job.plan.scan;
    let batches: Vec<_> = batches.iter().cloned().map(Arc::new).collect();
    let splits = (0..3).map(|number| {
        let id = SplitId(number);
        let reader = memory_reader(id, &batches, &scan.source.schema, &scan.projection).unwrap();
        let source: Box<dyn ChunkSource> = match fault {
            Fault::ReaderFails(n) if number == 1 => Box::new(FaultyReader(Box::new(reader), n, false)),
            Fault::ReaderPanics(n) if number == 1 => Box::new(FaultyReader(Box::new(reader), n, true)),
            _ => Box::new(reader),
        };
        SourceSplit { id, source }
    });
    let decoders = (0..layout.partitions).map(|index| -> Box<dyn Decode + Send> {
        match fault {
            Fault::DecoderFails(n) if index == 0 => Box::new(FaultyDecoder(n, false)),
            Fault::DecoderPanics(n) if index == 0 => Box::new(FaultyDecoder(n, true)),
            _ => Box::new(MemoryDecoder),
        }
    });
    let sink = match fault {
        Fault::SinkFails(n) => FaultySink(n, false),
        Fault::SinkPanics(n) => FaultySink(n, true),
        _ => FaultySink(0, false),
    };
    let (hasher, progress, stop) = (KeyHasher::new(1), Progress::new(), StopFlag::new());
    let wired = wire(Wiring {
        plan: &job.plan,
        layout: &layout,
        splits: splits.collect(),
        decoders: decoders.collect(),
        batch_rows: 16,
        on_error: OnError::Skip,
        simd: corelane::kernel::Simd::detect(),
        hasher,
        progress: &progress,
        memory: None,
        bounded: true,
        clock: Clock::new(|| 0),
        ring_slots: 2,
    });
    let (pause, clock) = (PauseFlag::new(), Clock::new(|| 0));
    let setup = MachinesSetup {
        plan: &job.plan,
        layout: &layout,
        hasher,
        cores: &[],
        wait,
        batch_rows: 16,
        stop: &stop,
        is_measured: false,
        progress: &progress,
        pause: &pause,
        clock: &clock,
    };
    process(Machines { setup, wired, sink: Box::new(sink) }).map(|_| ())
}

#[test]
fn no_fault_hangs_a_job() {
    let columns = "trade_time TIMESTAMP, symbol VARCHAR, price DOUBLE, WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND";
    let mut engine = Engine::new();
    let generated = format!(
        "CREATE SOURCE t ({columns}) WITH (connector = 'generator', rows = '2000', keys = '9', spacing = '50ms'); SELECT * FROM t"
    );
    let job = engine.compile(&generated, &Options::new()).unwrap().remove(0);
    let batches = engine.collect(&job, &options(&[("processor", "inline")])).unwrap().1;
    engine.register("t", batches.clone());
    let queries = [
        "SELECT symbol, price FROM t",
        "SELECT symbol, COUNT(*) FROM t GROUP BY symbol WINDOW TUMBLING (trade_time, INTERVAL '5' SECOND)",
        "SELECT symbol, COUNT(*) FROM t GROUP BY symbol EMIT CHANGES",
    ];
    let faults = [
        Fault::ReaderFails(5),
        Fault::ReaderPanics(5),
        Fault::DecoderFails(4),
        Fault::DecoderPanics(4),
        Fault::DecoderPanics(1),
        Fault::SinkFails(1),
        Fault::SinkPanics(1),
    ];
    let batches = Arc::new(batches);
    for query in queries {
        let sql = format!("CREATE SOURCE t ({columns}) WITH (connector = 'memory'); {query}");
        let job = Arc::new(engine.compile(&sql, &Options::new()).unwrap().remove(0));
        for processor in [ProcessorKind::Inline, ProcessorKind::Simple, ProcessorKind::Partitioned, ProcessorKind::Stp]
        {
            for fault in faults {
                let panics = matches!(fault, Fault::ReaderPanics(_) | Fault::DecoderPanics(_) | Fault::SinkPanics(_));
                for wait in [WaitMode::Backoff, WaitMode::Park] {
                    let place = format!("{query} under {processor} with {fault:?} and {wait:?}");
                    let (sender, receiver) = channel();
                    let (job, batches) = (Arc::clone(&job), Arc::clone(&batches));
                    // A hang must fail the test, so the job runs on a thread of its own.
                    std::thread::spawn(move || {
                        let _ = sender.send(run_with_fault(&job, &batches, processor, wait, fault));
                    });
                    match receiver.recv_timeout(Duration::from_secs(20)) {
                        Ok(Ok(())) => panic!("{place}: the fault went unnoticed"),
                        Ok(Err(error)) => assert!(panics || error.to_string().contains("struck"), "{place}: {error}"),
                        // The panic went through the caller's own thread.
                        Err(RecvTimeoutError::Disconnected) => assert!(panics, "{place}"),
                        Err(RecvTimeoutError::Timeout) => panic!("{place}: the job hangs"),
                    }
                }
            }
        }
    }
}
