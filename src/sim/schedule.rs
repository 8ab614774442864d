//! Random schedules.

use crate::error::{Error, Result};
use crate::partition::{Partition, PartitionStats, Reader, RowSink, Step, Wired, Writer, WriterStats};
use crate::pipeline::Stages;

/// What a simulated job did.
pub struct Simulated {
    /// Partitions, by number.
    pub partitions: Vec<PartitionStats>,
    /// The writer.
    pub writer: WriterStats,
    /// The sink.
    pub sink: Box<dyn RowSink>,
    /// Steps taken.
    pub steps: u64,
}

/// One machine of the job.
enum Machine {
    Reader(Box<Reader>),
    Partition(usize, Box<Partition>),
    Writer(Box<Writer>),
}

/// Pseudo-random numbers (splitmix64, Steele et al. 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// Waits for a source in a row after which nothing is expected of it any more.
const WAITS_MAX: u32 = 100_000;

/// Runs a wired job under the schedule of `seed`; `stages` makes the stages of a partition.
pub fn simulate(
    wired: Wired,
    stages: impl Fn(usize) -> Stages,
    sink: Box<dyn RowSink>,
    batch_rows: usize,
    seed: u64,
) -> Result<Simulated> {
    let mut random = Random(seed);
    let mut machines: Vec<Machine> = Vec::new();
    machines.extend(wired.reader.map(|(parts, _)| Machine::Reader(Box::new(Reader::new(parts)))));
    let mut partitions = Vec::new();
    for (index, lane) in wired.lanes.into_iter().enumerate() {
        partitions.push(PartitionStats::default());
        machines.extend(lane.reader.map(|parts| Machine::Reader(Box::new(Reader::new(parts)))));
        machines.push(Machine::Partition(index, Box::new(Partition::new(lane.partition, stages(index)))));
    }
    machines.push(Machine::Writer(Box::new(Writer::new(wired.writer.0, sink, batch_rows))));
    let mut outcome = None;
    let (mut steps, mut waits) = (0, 0);
    // Machines that were idle since the last one that worked: when all are, none ever will work again.
    let mut idle: Vec<bool> = vec![false; machines.len()];
    // Some schedules let one machine run far ahead of the others.
    let burst_max = 1 + random.below(12);
    while !machines.is_empty() {
        let index = random.below(machines.len());
        for _ in 0..=random.below(burst_max) {
            steps += 1;
            let step = match &mut machines[index] {
                Machine::Reader(reader) => reader.step(false)?,
                Machine::Partition(_, partition) => partition.step()?,
                Machine::Writer(writer) => writer.step()?,
            };
            match step {
                Step::Worked => {
                    idle.fill(false);
                    waits = 0;
                }
                // Its source may have something once the clock has gone on.
                Step::IdleFor(_) if waits < WAITS_MAX => {
                    waits += 1;
                    break;
                }
                Step::Idle | Step::IdleFor(_) => {
                    idle[index] = true;
                    break;
                }
                Step::Done => {
                    match machines.swap_remove(index) {
                        Machine::Reader(_) => {}
                        Machine::Partition(number, partition) => partitions[number] = partition.into_stats(),
                        Machine::Writer(writer) => outcome = Some(writer.into_sink()),
                    }
                    idle = vec![false; machines.len()];
                    break;
                }
            }
        }
        if !machines.is_empty() && idle.iter().all(|&idle| idle) {
            return Err(Error::Execution(format!("no machine can go on after {steps} steps under seed {seed}")));
        }
    }
    let (writer, sink) = outcome.ok_or_else(|| Error::Execution("the writer never finished".into()))?;
    Ok(Simulated { partitions, writer, sink, steps })
}
