//! What a job did: the `--stats-json` document and the lines that close a run.
//!
//! Field names are a contract that scripts rely on. Invariant of a finished job:
//! `records_read = records_filtered + records_dropped + records_failed + records_processed`.

use serde::Serialize;

use super::lateness::LatenessReport;
use super::perf::PerfReport;

/// The report of one job.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct JobReport {
    /// `inline`, `simple`, `partitioned` or `stp`.
    pub processor: String,
    /// How rows found their partition.
    pub strategy: String,
    /// Number of partitions.
    pub partitions: usize,
    /// Name of the sink; `stdout` for a bare SELECT.
    pub sink: String,
    /// Records framed from the input.
    pub records_read: u64,
    /// Records for which WHERE was not true.
    pub records_filtered: u64,
    /// Late records, dropped or not.
    pub records_late: u64,
    /// Late records that were not processed.
    pub records_dropped: u64,
    /// Records that could not be decoded.
    pub records_failed: u64,
    /// Records that reached the result or the state of the query.
    pub records_processed: u64,
    /// Rows written to the sink.
    pub records_emitted: u64,
    /// Rows that left the partitions to correct rows of windows that had closed, because of late records.
    pub records_corrected: u64,
    /// Rows (or groups of closing panes) that stayed in the partition that read them: all of them if nothing moves.
    pub routed_natural: u64,
    /// Rows (or groups) that moved to the partition that owns their key.
    pub routed_repartitioned: u64,
    /// Rows that `smart_repartition` hashed because the source is not keyed by the grouping key.
    pub routed_fallback: u64,
    /// Batches decoded.
    pub batches: u64,
    /// Wall time from the first read to the last write, seconds.
    pub elapsed_s: f64,
    /// `records_read / elapsed_s`.
    pub records_per_s: f64,
    /// Time spent reading and framing, seconds, summed over threads.
    pub read_s: f64,
    /// Time spent decoding and computing, seconds, summed over threads.
    pub process_s: f64,
    /// Time spent encoding and writing, seconds, summed over threads.
    pub write_s: f64,
    /// Greatest resident set of the process so far.
    pub peak_rss_bytes: u64,
    /// One entry per partition.
    pub per_partition: Vec<PartitionReport>,
    /// What the user should know about the run: shared cores, a fallback that was taken.
    pub notes: Vec<String>,
    /// The first records that failed.
    pub failures: Vec<FailureSample>,
    /// How late the late records were; `None` if there were none.
    pub lateness: Option<LatenessReport>,
    /// How far event time came; `None` if the query does not depend on it.
    pub watermark: Option<WatermarkReport>,
    /// Where the time went; only if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perf: Option<PerfReport>,
}

/// The least watermark over the splits when reading ended, and what kept it from being greater.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WatermarkReport {
    /// The watermark; `None` if some split had not had a record yet.
    pub event_time: Option<String>,
    /// The split whose watermark it is.
    pub held_back_by: String,
    /// The time of day since when it was that split.
    pub since: String,
}

/// What one partition did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PartitionReport {
    /// CPU it was pinned to; `None` if it was not.
    pub core: Option<usize>,
    /// Records it decoded.
    pub records: u64,
    /// Share of its life in which it worked, 0 to 1.
    pub busy_ratio: f64,
    /// Most descriptors that waited in its input ring.
    pub queue_high_water: u64,
}

/// A record that failed, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FailureSample {
    /// File or stream.
    pub source: String,
    /// Line of a text file, row of another source, from 1.
    pub record: u64,
    /// What was wrong with it.
    pub reason: String,
}

impl JobReport {
    /// Whether every record read is accounted for.
    pub fn records_balance(&self) -> bool {
        let accounted = [self.records_filtered, self.records_dropped, self.records_failed, self.records_processed]
            .iter()
            .try_fold(0_u64, |sum, count| sum.checked_add(*count));
        accounted == Some(self.records_read)
    }

    /// How far event time came, how late records were, as lines.
    pub fn event_time_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(WatermarkReport { event_time, held_back_by, since }) = &self.watermark {
            let at = event_time.as_deref().unwrap_or("at the beginning of time");
            lines.push(format!("watermark {at}, held back by {held_back_by} since {since}"));
        }
        if let Some(lateness) = &self.lateness {
            let seconds = |us: u64| format!("{} s", us as f64 / 1e6);
            lines.push(format!(
                "lateness p50 {}, p90 {}, p99 {}, max {}",
                seconds(lateness.p50_us),
                seconds(lateness.p90_us),
                seconds(lateness.p99_us),
                seconds(lateness.max_us)
            ));
        }
        lines
    }

    /// What a run ends with: the totals in one line, then a line for each thing that went less than well.
    pub fn closing_line(&self) -> String {
        let mut lines = vec![self.totals_line()];
        lines.extend(self.trouble_lines());
        lines.join("\n")
    }

    /// The totals: records, time, rate, rows, how the work was laid out.
    fn totals_line(&self) -> String {
        let partitions = counted(self.partitions as u64, "partition");
        let cores: Vec<String> =
            self.per_partition.iter().filter_map(|p| p.core).map(|core| core.to_string()).collect();
        let cores = match cores.len() {
            0 => String::new(),
            1 => format!(" on core {}", cores[0]),
            _ => format!(" on cores {}", cores.join(",")),
        };
        format!(
            "{} in {} ({}), {} out, processor {}, {partitions}{cores}",
            counted(self.records_read, "record"),
            seconds(self.elapsed_s),
            rate(self.records_per_s),
            counted(self.records_emitted, "row"),
            self.processor,
        )
    }

    /// Late and failed records with the first failures, and the notes. Empty for a run without any.
    pub fn trouble_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.records_late > 0 {
            let dropped = match self.records_dropped {
                0 => "all processed".to_string(),
                dropped if dropped == self.records_late => "dropped".to_string(),
                dropped => format!("{} of them dropped", group_digits(dropped)),
            };
            let corrected = match self.records_corrected {
                0 => String::new(),
                corrected => format!(", {} corrected", counted(corrected, "row")),
            };
            lines.push(format!("{}, {dropped}{corrected}", counted(self.records_late, "late record")));
        }
        if self.records_failed > 0 {
            lines.push(format!("{} could not be used", counted(self.records_failed, "record")));
            lines.extend(self.failures.iter().map(|f| format!("  {}:{}: {}", f.source, f.record, f.reason)));
            let more = self.records_failed.saturating_sub(self.failures.len() as u64);
            if more > 0 && !self.failures.is_empty() {
                lines.push(format!("  and {} more", group_digits(more)));
            }
        }
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines
    }
}

/// `1,234,567`.
pub fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", group_digits(number), if number == 1 { "" } else { "s" })
}

fn seconds(elapsed_s: f64) -> String {
    if elapsed_s < 0.01 { format!("{:.2} ms", elapsed_s * 1e3) } else { format!("{elapsed_s:.2} s") }
}

fn rate(per_s: f64) -> String {
    match per_s {
        rate if rate >= 1e9 => format!("{:.2} G records/s", rate / 1e9),
        rate if rate >= 1e6 => format!("{:.2} M records/s", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.2} k records/s", rate / 1e3),
        rate => format!("{rate:.0} records/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> JobReport {
        JobReport {
            processor: "partitioned".into(),
            strategy: "round_robin".into(),
            partitions: 2,
            sink: "stdout".into(),
            records_read: 1_000_000,
            records_processed: 1_000_000,
            records_emitted: 8_341,
            elapsed_s: 0.52,
            records_per_s: 1_923_076.9,
            per_partition: (0..2).map(|core| PartitionReport { core: Some(core), ..Default::default() }).collect(),
            ..JobReport::default()
        }
    }

    #[test]
    fn a_clean_run_closes_with_one_line() {
        let report = report();
        assert!(report.records_balance());
        assert_eq!(
            report.closing_line(),
            "1,000,000 records in 0.52 s (1.92 M records/s), 8,341 rows out, processor partitioned, 2 partitions on cores 0,1"
        );
    }

    #[test]
    fn trouble_follows_line_by_line() {
        let mut report = report();
        report.records_late = 1_200;
        report.records_dropped = 1_000;
        report.records_failed = 3;
        report.failures =
            vec![FailureSample { source: "t.csv".into(), record: 17, reason: "price \"abc\" is not a DOUBLE".into() }];
        report.notes.push("2 partitions share 1 CPU".into());
        assert!(!report.records_balance());
        report.records_processed -= 1_003;
        assert!(report.records_balance());
        assert_eq!(
            report.trouble_lines(),
            [
                "1,200 late records, 1,000 of them dropped",
                "3 records could not be used",
                "  t.csv:17: price \"abc\" is not a DOUBLE",
                "  and 2 more",
                "note: 2 partitions share 1 CPU",
            ]
        );
    }

    #[test]
    fn one_record_on_an_unpinned_partition() {
        let report = JobReport {
            processor: "inline".into(),
            partitions: 1,
            records_read: 1,
            records_emitted: 1,
            elapsed_s: 0.000_4,
            records_per_s: 2_500.0,
            per_partition: vec![PartitionReport::default()],
            ..JobReport::default()
        };
        assert_eq!(
            report.closing_line(),
            "1 record in 0.40 ms (2.50 k records/s), 1 row out, processor inline, 1 partition"
        );
    }

    #[test]
    fn the_document_has_the_promised_names() {
        let json = serde_json::to_value(report()).unwrap();
        let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        for name in "processor strategy partitions records_read records_filtered records_late records_dropped \
                     records_failed records_processed records_emitted batches elapsed_s records_per_s read_s process_s \
                     write_s peak_rss_bytes"
            .split_whitespace()
        {
            assert!(names.contains(&name), "{name}");
        }
        let partition = &json["per_partition"][1];
        assert_eq!(partition["core"], 1);
        for name in ["records", "busy_ratio", "queue_high_water"] {
            assert!(partition.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(group_digits(0), "0");
        assert_eq!(group_digits(999), "999");
        assert_eq!(group_digits(1_000), "1,000");
        assert_eq!(group_digits(u64::MAX), "18,446,744,073,709,551,615");
    }
}
