//! Metrics as text: OpenMetrics for scrapers that ask for it, the Prometheus text format for all others.
//!
//! Everything is read at the scrape, from counters that partitions keep anyway; a scrape takes no lock that a partition
//! takes.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::job::Job;
use super::status::{self, Lane, STATES};
use crate::engine::Pressure;
use crate::metrics::LATENCY_BOUNDS_US;
use crate::sys;

/// Of the OpenMetrics text.
pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Of the Prometheus text.
pub(super) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One job at the moment of a scrape.
#[derive(Debug)]
struct Scraped {
    name: String,
    state: &'static str,
    runs: u32,
    emitted: u64,
    lanes: Vec<Lane>,
}

/// All jobs at the moment of a scrape.
#[derive(Debug)]
struct Scrape(Vec<Scraped>);

/// The metrics of `jobs` as OpenMetrics text.
pub(super) fn open_metrics(jobs: &[Arc<Job>]) -> Result<String, std::fmt::Error> {
    let scraped = jobs.iter().map(|job| {
        let state = job.lock();
        Scraped {
            name: job.definition.name.clone(),
            state: status::state_name(&state, job.pause.is_set()),
            runs: state.runs,
            emitted: state.control.as_ref().map_or(0, |control| control.progress.totals().records_emitted),
            lanes: status::lanes(&state),
        }
    });
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(scraped.collect())));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// The same in the older format, in which a counter is declared under the name of its samples and there are no units.
pub(super) fn prometheus(open_metrics: &str) -> String {
    let counters: Vec<&str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut out = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let declared = ["# HELP ", "# TYPE "].iter().find_map(|kind| Some((*kind, line.strip_prefix(kind)?)));
        match declared.and_then(|(kind, rest)| Some((kind, rest.split_once(' ')?))) {
            Some((kind, (name, rest))) if counters.contains(&name) => {
                out.push_str(&format!("{kind}{name}_total {rest}"));
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// A value of a partition.
enum Sampled {
    Counter(u64),
    Gauge(f64),
}

/// A metric that every partition has.
struct LaneMetric {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    kind: MetricType,
    value: fn(&Lane) -> Option<Sampled>,
}

const LANE_METRICS: &[LaneMetric] = &[
    LaneMetric {
        name: "corelane_partition_records",
        help: "Records decoded",
        unit: None,
        kind: MetricType::Counter,
        value: |(lane, _)| Some(Sampled::Counter(lane.records)),
    },
    LaneMetric {
        name: "corelane_partition_throughput",
        help: "Records per second over the last seconds",
        unit: None,
        kind: MetricType::Gauge,
        value: |(_, rate)| Some(Sampled::Gauge(rate.records_per_s)),
    },
    LaneMetric {
        name: "corelane_partition_queue_depth",
        help: "Chunks that wait in the input ring",
        unit: None,
        kind: MetricType::Gauge,
        value: |(lane, _)| Some(Sampled::Gauge(lane.queue_depth as f64)),
    },
    LaneMetric {
        name: "corelane_partition_queue_utilization",
        help: "Chunks under way to and in the partition over the last second, as a share of the input ring, from 0 to 1",
        unit: None,
        kind: MetricType::Gauge,
        value: |(_, rate)| Some(Sampled::Gauge(rate.pressure.utilization)),
    },
    LaneMetric {
        name: "corelane_partition_busy_ratio",
        help: "Share of the last seconds in which the thread worked, from 0 to 1",
        unit: None,
        kind: MetricType::Gauge,
        value: |(_, rate)| Some(Sampled::Gauge(rate.busy_ratio)),
    },
    LaneMetric {
        name: "corelane_partition_hot",
        help: "1 if this partition holds the others of its job up",
        unit: None,
        kind: MetricType::Gauge,
        value: |(_, rate)| Some(Sampled::Gauge(f64::from(u8::from(rate.hot)))),
    },
    LaneMetric {
        name: "corelane_backpressure_state",
        help: "State of the partition by its queue's utilization: 0 healthy, 1 warning, 2 critical, 3 saturated",
        unit: None,
        kind: MetricType::Gauge,
        value: |(_, rate)| Some(Sampled::Gauge(f64::from(rate.pressure.state as u8))),
    },
    LaneMetric {
        name: "corelane_late_records",
        help: "Late records, dropped or not",
        unit: None,
        kind: MetricType::Counter,
        value: |(lane, _)| Some(Sampled::Counter(lane.late)),
    },
    LaneMetric {
        name: "corelane_dropped_records",
        help: "Late records that were dropped",
        unit: None,
        kind: MetricType::Counter,
        value: |(lane, _)| Some(Sampled::Counter(lane.dropped)),
    },
    LaneMetric {
        name: "corelane_failed_records",
        help: "Records that could not be decoded or computed",
        unit: None,
        kind: MetricType::Counter,
        value: |(lane, _)| Some(Sampled::Counter(lane.failed)),
    },
    LaneMetric {
        name: "corelane_watermark_lag",
        help: "How far the watermark is behind the clock",
        unit: Some(Unit::Seconds),
        kind: MetricType::Gauge,
        value: |(lane, _)| status::watermark_lag_s(lane).map(Sampled::Gauge),
    },
];

/// Reads a counter of a job.
type JobCount = fn(&Scraped) -> u64;
type Encoded = Result<(), std::fmt::Error>;

impl Scrape {
    /// Every lane with its labels.
    fn lanes(&self) -> impl Iterator<Item = ([(&'static str, String); 2], &Lane)> {
        self.0.iter().flat_map(|job| {
            let labels = |index: usize| [("job", job.name.clone()), ("partition", index.to_string())];
            job.lanes.iter().enumerate().map(move |(index, lane)| (labels(index), lane))
        })
    }

    fn encode_lanes(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        for metric in LANE_METRICS {
            let mut family = encoder.encode_descriptor(metric.name, metric.help, metric.unit.as_ref(), metric.kind)?;
            for (labels, lane) in self.lanes() {
                match (metric.value)(lane) {
                    Some(Sampled::Counter(count)) => {
                        family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
                    }
                    Some(Sampled::Gauge(value)) => family.encode_family(&labels)?.encode_gauge(&value)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    fn encode_events(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        let help = "How often the partition came into a state";
        let mut family = encoder.encode_descriptor("corelane_backpressure_events", help, None, MetricType::Counter)?;
        for ([job, partition], (_, rate)) in self.lanes() {
            for (state, count) in Pressure::ALL.iter().zip(rate.pressure.events) {
                let labels = [job.clone(), partition.clone(), ("state", state.name().to_string())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
            }
        }
        Ok(())
    }

    fn encode_latency(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        let help = "From a chunk being read to its being through its partition";
        let kind = MetricType::Histogram;
        let unit = Unit::Seconds;
        let mut family = encoder.encode_descriptor("corelane_partition_latency", help, Some(&unit), kind)?;
        for (labels, (lane, _)) in self.lanes() {
            let bounds = LATENCY_BOUNDS_US.iter().map(|&us| us as f64 / 1e6).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(lane.latency.buckets).collect();
            let count = lane.latency.buckets.iter().sum();
            let sum = lane.latency.sum_us as f64 / 1e6;
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    fn encode_jobs(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        let help = "1 for the state that the job is in";
        let mut family = encoder.encode_descriptor("corelane_job_state", help, None, MetricType::Gauge)?;
        for job in &self.0 {
            for state in STATES {
                let labels = [("job", job.name.as_str()), ("state", state)];
                family.encode_family(&labels)?.encode_gauge(&i64::from(job.state == state))?;
            }
        }
        let counters: [(&str, &str, JobCount); 2] = [
            ("corelane_job_emitted_rows", "Rows that left the job", |job| job.emitted),
            ("corelane_job_restarts", "How often the job was started again after a failure", |job| {
                u64::from(job.runs.saturating_sub(1))
            }),
        ];
        for (name, help, value) in counters {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for job in &self.0 {
                let labels = [("job", job.name.as_str())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&value(job), None)?;
            }
        }
        Ok(())
    }

    fn encode_process(encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        let (help, unit) = ("CPU time of this process", Unit::Seconds);
        let seconds = sys::process_cpu_ns() as f64 / 1e9;
        let mut metric = encoder.encode_descriptor("process_cpu", help, Some(&unit), MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&seconds, None)?;
        if let Some(bytes) = sys::rss_bytes() {
            let (help, unit) = ("Resident set of this process", Unit::Bytes);
            let mut metric =
                encoder.encode_descriptor("process_resident_memory", help, Some(&unit), MetricType::Gauge)?;
            metric.encode_gauge(&bytes)?;
        }
        Ok(())
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Encoded {
        self.encode_lanes(&mut encoder)?;
        self.encode_events(&mut encoder)?;
        self.encode_latency(&mut encoder)?;
        self.encode_jobs(&mut encoder)?;
        Self::encode_process(&mut encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::LaneSnapshot;
    use crate::server::samples::{LanePressure, LaneRate};

    fn text() -> String {
        let mut lane = LaneSnapshot { records: 7, queue_depth: 8, queue_capacity: 8, ..LaneSnapshot::default() };
        lane.latency.buckets[0] = 3;
        lane.latency.buckets[18] = 1;
        let pressure = LanePressure { utilization: 0.96, state: Pressure::Saturated, events: [0, 0, 0, 2] };
        let job = Scraped {
            name: "a".into(),
            state: "running",
            runs: 3,
            emitted: 5,
            lanes: vec![(lane, LaneRate { records_per_s: 1.5, pressure, ..LaneRate::default() })],
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape(vec![job])));
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn samples_have_the_promised_names() {
        let text = text();
        for line in [
            "# TYPE corelane_partition_records counter",
            "corelane_partition_records_total{job=\"a\",partition=\"0\"} 7",
            "corelane_partition_throughput{job=\"a\",partition=\"0\"} 1.5",
            "corelane_backpressure_state{job=\"a\",partition=\"0\"} 3.0",
            "corelane_backpressure_events_total{job=\"a\",partition=\"0\",state=\"saturated\"} 2",
            "corelane_partition_queue_utilization{job=\"a\",partition=\"0\"} 0.96",
            "corelane_partition_latency_seconds_count{job=\"a\",partition=\"0\"} 4",
            "corelane_partition_latency_seconds_bucket{le=\"+Inf\",job=\"a\",partition=\"0\"} 4",
            "corelane_job_state{job=\"a\",state=\"running\"} 1",
            "corelane_job_restarts_total{job=\"a\"} 2",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("corelane_watermark_lag_seconds{"), "no watermark, no lag");
    }

    #[test]
    fn the_older_format_declares_counters_as_they_are_sampled() {
        let text = prometheus(&text());
        assert!(text.contains("# TYPE corelane_partition_records_total counter\n"), "{text}");
        assert!(text.contains("# HELP process_cpu_seconds_total "), "{text}");
        assert!(text.contains("# TYPE corelane_partition_latency_seconds histogram\n"), "{text}");
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    }
}
