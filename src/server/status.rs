//! A job as a JSON document: for the API, the dashboard, the terminal.

use serde_json::{Map, Value, json};

use super::job::{Job, Phase, State, Stop, moment};
use super::samples::LaneRate;
use crate::engine::{Control, LaneSnapshot, Pressure};
use crate::metrics::{LATENCY_BOUNDS_US, StageReport, stage_reports};
use crate::sys::wall_us;
use crate::types::text::print;

/// A lane and what it does now.
pub(super) type Lane = (LaneSnapshot, LaneRate);

/// What the job does, in a word.
pub(super) fn state_name(state: &State, paused: bool) -> &'static str {
    match state.phase {
        Phase::Finished => "finished",
        Phase::Failed => "failed",
        Phase::Stopped => "stopped",
        _ if state.stop == Some(Stop::Removed) || state.stop == Some(Stop::Closing) => "stopping",
        Phase::Restarting => "restarting",
        Phase::Starting => "starting",
        Phase::Running if paused => "paused",
        Phase::Running => "running",
    }
}

/// All words for what a job does.
pub(super) const STATES: [&str; 8] =
    ["starting", "running", "paused", "stopping", "restarting", "finished", "failed", "stopped"];

/// The lanes of a job's run, now.
pub(super) fn lanes(state: &State) -> Vec<Lane> {
    let Some(control) = &state.control else { return Vec::new() };
    let now = moment(control);
    let lanes = control.progress.lanes(now);
    let rates = match state.phase {
        Phase::Running => state.samples.rates(now.monotonic_ns, &lanes),
        _ => vec![LaneRate::default(); lanes.len()],
    };
    lanes.into_iter().zip(rates).collect()
}

/// What a list shows of a job.
pub(super) fn summary(job: &Job) -> Value {
    let state = job.lock();
    Value::Object(summary_of(job, &state, &lanes(&state)))
}

fn summary_of(job: &Job, state: &State, lanes: &[Lane]) -> Map<String, Value> {
    let totals = state.control.as_ref().map(|control| control.progress.totals()).unwrap_or_default();
    let worst = lanes.iter().map(|(_, rate)| rate.pressure.state).max().unwrap_or_default();
    let hot: Vec<usize> = (0..lanes.len()).filter(|&index| lanes[index].1.hot).collect();
    let document = json!({
        "name": job.definition.name,
        "state": state_name(state, job.pause.is_set()),
        "from_config": job.from_config,
        "deployed_at": time(Some(job.deployed_at_us)),
        "started_at": time(state.started_at_us),
        "ended_at": time(state.ended_at_us),
        "restarts_at": time(state.restarts_at_us),
        "runs": state.runs,
        "cores": state.cpus,
        "partitions": lanes.len(),
        "totals": {
            "records_read": totals.records_read,
            "records_per_s": rounded(lanes.iter().map(|(_, rate)| rate.records_per_s).sum()),
            "records_emitted": totals.records_emitted,
            "records_late": totals.records_late,
            "records_dropped": totals.records_dropped,
            "records_failed": totals.records_failed,
            "bytes_read": totals.bytes_read,
        },
        "backpressure": worst.name(),
        "hot_partitions": hot,
        "last_error": state.errors.back().map(|error| error.refusal.message.clone()),
    });
    match document {
        Value::Object(entries) => entries,
        _ => Map::new(),
    }
}

/// All there is to say of a job.
pub(super) fn document(job: &Job) -> Value {
    let state = job.lock();
    let lanes = lanes(&state);
    let mut document = summary_of(job, &state, &lanes);
    let failures = state.control.as_ref().map(|control| control.progress.failures()).unwrap_or_default();
    let failure = |failure: &crate::engine::LiveFailure| json!({"split": failure.split, "record": failure.record, "reason": failure.reason});
    let errors = state.errors.iter().rev().map(|error| {
        let mut entry = error.refusal.document()["error"].take();
        entry["at"] = time(Some(error.at_us));
        entry
    });
    let more = [
        ("sql", Value::from(job.definition.sql.clone())),
        ("options", job.definition.options_document()),
        ("reads_from", state.cause.document()),
        ("notes", state.notes.clone().into()),
        ("lanes", lanes.iter().enumerate().map(|(index, lane)| lane_document(index, lane)).collect()),
        ("stages", state.control.as_ref().map_or_else(|| json!([]), stages)),
        ("errors", errors.collect()),
        ("failures", failures.iter().map(failure).collect()),
        ("report", state.report.clone().unwrap_or_default()),
    ];
    document.extend(more.into_iter().map(|(key, value)| (key.to_string(), value)));
    Value::Object(document)
}

/// What the stages of a job's run cost so far: the operators of its query, and what is between them.
fn stages(control: &Control) -> Value {
    let rounded = |seconds: f64| (seconds * 1e6).round() / 1e6;
    let stage = |stage: &StageReport| {
        json!({
            "stage": stage.stage,
            "kind": stage.kind,
            "rows_in": stage.rows_in,
            "rows_out": stage.rows_out,
            "batches": stage.batches,
            "time_s": rounded(stage.time_s),
            "share": (stage.share * 1e4).round() / 1e4,
        })
    };
    stage_reports(&control.progress.profiles(), "").iter().map(stage).collect()
}

fn lane_document(index: usize, (lane, rate): &Lane) -> Value {
    let events = Pressure::ALL.iter().zip(rate.pressure.events);
    let events: Map<String, Value> = events.map(|(state, count)| (state.name().to_string(), count.into())).collect();
    json!({
        "partition": index,
        "core": lane.core,
        "records": lane.records,
        "records_per_s": rounded(rate.records_per_s),
        "records_per_s_history": rate.history.iter().map(|rate| rounded(*rate)).collect::<Vec<_>>(),
        "queue_depth": lane.queue_depth,
        "queue_capacity": lane.queue_capacity,
        "queue_utilization": (rate.pressure.utilization * 1e3).round() / 1e3,
        "backpressure": rate.pressure.state.name(),
        "backpressure_events": events,
        "watermark": time(lane.watermark_us),
        "watermark_lag_s": watermark_lag_s(lane),
        "records_late": lane.late,
        "records_dropped": lane.dropped,
        "records_failed": lane.failed,
        "busy_ratio": (rate.busy_ratio * 1e3).round() / 1e3,
        "latency_p50_s": quantile_s(lane, 0.5),
        "latency_p99_s": quantile_s(lane, 0.99),
        "hot": rate.hot,
    })
}

/// How far the watermark of a lane is behind the clock, in seconds.
pub(super) fn watermark_lag_s(lane: &LaneSnapshot) -> Option<f64> {
    lane.watermark_us.map(|us| wall_us().saturating_sub(us) as f64 / 1e6)
}

/// An upper bound of the latency of that share of a lane's chunks, in seconds; `None` without any, or beyond the last bound.
fn quantile_s(lane: &LaneSnapshot, share: f64) -> Option<f64> {
    let buckets = &lane.latency.buckets;
    let total: u64 = buckets.iter().sum();
    let wanted = (total as f64 * share).ceil().max(1.0) as u64;
    let mut seen = 0;
    for (count, bound_us) in buckets.iter().zip(LATENCY_BOUNDS_US) {
        seen += count;
        if seen >= wanted {
            return Some(bound_us as f64 / 1e6);
        }
    }
    None
}

fn rounded(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

/// A moment as text.
fn time(us: Option<i64>) -> Value {
    let Some(us) = us else { return Value::Null };
    let mut text = Vec::new();
    print::timestamp(&mut text, us);
    String::from_utf8(text).map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::LatencyCounts;

    #[test]
    fn quantiles_are_upper_bounds() {
        let mut latency = LatencyCounts::default();
        (latency.buckets[0], latency.buckets[5], latency.buckets[18]) = (50, 49, 1);
        let lane = LaneSnapshot { latency, ..LaneSnapshot::default() };
        assert_eq!((quantile_s(&lane, 0.5), quantile_s(&lane, 0.99)), (Some(20e-6), Some(1e-3)));
        assert_eq!((quantile_s(&lane, 1.0), quantile_s(&LaneSnapshot::default(), 0.5)), (None, None));
    }

    #[test]
    fn moments_are_text() {
        assert_eq!((time(Some(0)), time(None)), (json!("1970-01-01T00:00:00Z"), Value::Null));
    }
}
