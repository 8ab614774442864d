//! `inline`: reader, one partition and writer stepped in turn on the caller's thread.

use super::drive::{Finished, Machines};
use super::measure::ThreadMeter;
use crate::error::Result;
use crate::metrics::LaneMeters;
use crate::partition::{Partition, Reader, Step, Writer};
use crate::sys::monotonic_ns;

/// Runs a job on the caller's thread, which it does not pin.
pub(super) fn run(machines: Machines<'_>) -> Result<Finished> {
    let Machines { setup, wired, sink } = machines;
    let meter = ThreadMeter::start(&setup, "one", None);
    let mut reader = wired.reader.map(|(parts, _)| Reader::new(parts));
    let mut partitions: Vec<Option<Partition>> = Vec::new();
    let mut meters: Vec<LaneMeters> = Vec::new();
    for (index, lane) in wired.lanes.into_iter().enumerate() {
        reader = reader.or(lane.reader.map(Reader::new));
        meters.push(lane.meters);
        partitions.push(Some(meter.partition(Partition::new(lane.partition, setup.stages(index)))));
    }
    let mut writer = meter.writer(Writer::new(wired.writer.0, sink, setup.batch_rows));
    let mut finished_readers = Vec::new();
    let mut finished_partitions = Vec::new();
    let (mut read_ns, mut process_ns, mut write_ns) = (0, 0, 0);
    let mut mark = monotonic_ns();
    meters.iter_mut().for_each(|meters| meters.activity.started(None, mark));
    let mut lap = |total: &mut u64| {
        let now = monotonic_ns();
        *total += now - mark;
        mark = now;
    };
    loop {
        let mut worked = false;
        let mut sleep_ns = None;
        if let Some(machine) = &mut reader {
            let failing = partitions.iter().flatten().any(Partition::is_failing);
            let step = meter.read(|| setup.read(machine, writer.is_full() || failing))?;
            worked |= step == Step::Worked;
            if let Step::IdleFor(ns) = step {
                sleep_ns = Some(ns);
            }
            if step == Step::Done {
                worked = true;
                finished_readers.extend(reader.take().map(|reader| reader.stats()));
            }
            lap(&mut read_ns);
        }
        for (slot, meters) in partitions.iter_mut().zip(&mut meters) {
            // A chunk is taken through before the next is read, so that a record's way is as short as can be.
            while let Some(machine) = slot {
                let step = setup.process(machine, &mut meters.latency)?;
                worked |= matches!(step, Step::Worked | Step::Done);
                if step == Step::Done {
                    finished_partitions.extend(slot.take().map(|partition| (partition.into_stats(), None)));
                }
                if step != Step::Worked {
                    break;
                }
            }
        }
        lap(&mut process_ns);
        while writer.step()? == Step::Worked {
            worked = true;
        }
        lap(&mut write_ns);
        meters.iter_mut().for_each(|meters| meters.activity.worked(read_ns + write_ns));
        if reader.is_none() && partitions.iter().all(Option::is_none) && !worked {
            break;
        }
        if let Some(ns) = sleep_ns
            && !worked
        {
            meter.wait_for_source();
            std::thread::park_timeout(std::time::Duration::from_nanos(ns.min(super::threads::SLEEP_NS_MAX)));
        }
    }
    while writer.step()? != Step::Done {}
    lap(&mut write_ns);
    meters.iter_mut().for_each(|meters| meters.activity.ended(monotonic_ns()));
    let (writer, sink) = writer.into_sink();
    let busy_ratio = process_ns as f64 / (read_ns + process_ns + write_ns).max(1) as f64;
    Ok(Finished {
        readers: finished_readers,
        busy_ratios: vec![busy_ratio; finished_partitions.len()],
        partitions: finished_partitions,
        writer,
        sink,
        read_ns,
        process_ns,
        write_ns,
        profiles: meter.finish().into_iter().collect(),
    })
}
