//! From what the machines did to the report of a job.

use super::split::SplitNames;
use crate::limits::FAILURE_SAMPLES;
use crate::metrics::{FailureSample, JobReport, LatenessHistogram, PartitionReport};
use crate::plan::{Exchange, JobPlan, Layout, Strategy};
use crate::processor::Finished;
use crate::sys::Placement;

/// The report, but for the times that are known only after the commit.
pub(super) fn report(
    job: &JobPlan,
    layout: &Layout,
    placement: &Placement,
    finished: &Finished,
    split_names: &SplitNames,
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
