//! From what the machines did to the report of a job.

use super::split::SplitNames;
use crate::limits::FAILURE_SAMPLES;
use crate::metrics::{FailureSample, JobReport, LatenessHistogram, PartitionReport, PerfReport, WatermarkReport};
use crate::plan::{Deal, Exchange, JobPlan, Layout, Strategy};
use crate::processor::Finished;
use crate::sys::Placement;
use crate::time::WatermarkState;
use crate::types::EventTime;
use crate::types::text::print;

/// The report, but for the times that are known only after the commit.
pub(super) fn report(
    job: &JobPlan,
    layout: &Layout,
    placement: &Placement,
    finished: &Finished,
    split_names: &SplitNames,
    decoded: &str,
) -> JobReport {
    let high_water: Vec<usize> = finished.readers.iter().flat_map(|r| r.queue_high_water.iter().copied()).collect();
    let mut report = JobReport {
        processor: layout.processor.to_string(),
        strategy: layout.strategy.to_string(),
        partitions: layout.partitions,
        sink: job.sink.name.clone(),
        records_emitted: finished.writer.rows,
        read_s: finished.read_ns as f64 / 1e9,
        process_s: finished.process_ns as f64 / 1e9,
        write_s: finished.write_ns as f64 / 1e9,
        notes: placement.note.iter().cloned().collect(),
        ..JobReport::default()
    };
    report.notes.extend(layout.reasons.iter().filter(|reason| reason.starts_with("stp runs")).cloned());
    let mut lateness = LatenessHistogram::default();
    for (index, (stats, core)) in finished.partitions.iter().enumerate() {
        report.records_read += stats.records;
        report.records_filtered += stats.filtered;
        report.records_late += stats.late;
        report.records_dropped += stats.dropped;
        report.records_corrected += stats.corrected;
        lateness.add(&stats.lateness);
        report.records_failed += stats.failed;
        report.batches += stats.batches;
        report.routed_natural += stats.natural;
        report.routed_repartitioned += stats.repartitioned;
        report.per_partition.push(PartitionReport {
            core: *core,
            records: stats.records,
            busy_ratio: finished.busy_ratios.get(index).copied().unwrap_or(0.0),
            queue_high_water: high_water.get(index).copied().unwrap_or(0) as u64,
        });
        for letter in &stats.failures {
            let (source, record) = split_names.place(letter.split, letter.failure.record);
            let reason = letter.failure.reason.clone();
            report.failures.push(FailureSample { source: source.to_string(), record, reason });
        }
    }
    report.failures.sort_by(|a, b| (&a.source, a.record).cmp(&(&b.source, b.record)));
    report.failures.truncate(FAILURE_SAMPLES);
    report.lateness = lateness.report();
    if !finished.profiles.is_empty() {
        report.perf = Some(PerfReport::new(&finished.profiles, decoded));
    }
    report.watermark = watermark(layout, finished).map(|state| WatermarkReport {
        event_time: (state.watermark > EventTime::MIN).then(|| text(state.watermark)),
        held_back_by: split_names.name(state.held_by),
        since: text(state.since),
    });
    let gone = report.records_filtered + report.records_dropped + report.records_failed;
    report.records_processed = report.records_read.saturating_sub(gone);
    match (layout.exchange, layout.strategy) {
        (Exchange::None, _) => report.routed_natural = report.records_processed,
        (Exchange::RowsByKey, Strategy::SmartRepartition) => {
            report.routed_fallback = report.routed_natural + report.routed_repartitioned;
            (report.routed_natural, report.routed_repartitioned) = (0, 0);
        }
        _ => {}
    }
    report
}

/// How far event time came over all partitions.
fn watermark(layout: &Layout, finished: &Finished) -> Option<WatermarkState> {
    let states = finished.partitions.iter().filter_map(|(stats, _)| stats.watermark);
    match layout.deal {
        // Partitions that share turns see the same, some of them not to the end.
        Deal::RoundRobin => states.max_by_key(|(turns, _)| *turns).map(|(_, state)| state),
        Deal::BySplit | Deal::Own => {
            states.map(|(_, state)| state).min_by_key(|state| (state.watermark, state.held_by))
        }
    }
}

fn text(time: EventTime) -> String {
    let mut text = Vec::new();
    print::timestamp(&mut text, time.0);
    String::from_utf8_lossy(&text).into_owned()
}
