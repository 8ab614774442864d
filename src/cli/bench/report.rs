//! What was measured, as a table for people and as JSON.

use serde_json::{Value, json};

use super::CACHE_TIMES;
use super::cases::{Bar, Case, SCALING_LEAST};
use super::measure::{Line, Outcome, Settings};
use super::whole::{KEPT_LEAST, Whole};
use crate::sys;

/// A thread that has had less of its CPU has shared it with others, and its figures are said to be so.
const ON_CPU_LEAST: f64 = 0.98;

/// Where it ran.
pub(super) struct Host {
    /// CPU of what one core does.
    pub(super) cpu: usize,
    pub(super) model: Option<String>,
    pub(super) cache_bytes: Option<u64>,
}

/// Whether a case read memory or the cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Regime {
    /// The input is so many times the last-level cache, at least [`CACHE_TIMES`].
    Memory(f64),
    /// The input is smaller than that: part of it, or all, is read from the cache.
    Cache(f64),
    /// The host does not tell the size of its cache.
    Unknown,
}

impl Regime {
    pub(super) fn of(outcome: &Outcome, host: &Host) -> Self {
        let Some(cache_bytes) = host.cache_bytes else { return Self::Unknown };
        let times = outcome.input_bytes as f64 / cache_bytes as f64;
        // Inputs have whole blocks and keys a random length: a little less than asked for is as good.
        if times >= 0.97 * CACHE_TIMES as f64 { Self::Memory(times) } else { Self::Cache(times) }
    }

    fn text(self) -> String {
        match self {
            Self::Memory(times) => format!("from memory, {times:.1} x the cache"),
            Self::Cache(times) => format!("at {times:.2} x the cache, so in part from it: bars not judged"),
            Self::Unknown => "size of the cache unknown: bars not judged".into(),
        }
    }
}

/// The names and queries of cases.
pub(super) fn list(cases: &[Case]) -> String {
    let words = |sql: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    cases.iter().map(|case| format!("{:<14} {:<40} {}\n", case.name, bar_text(case.bar), words(case.sql))).collect()
}

/// Said before the first case.
pub(super) fn heading(host: &Host, settings: &Settings) -> String {
    let cache = host.cache_bytes.map_or("unknown".into(), |bytes| format!("{} MB", bytes >> 20));
    let rounds = settings.rounds;
    format!(
        "{}, CPU {}, last-level cache {cache}; build {}; seed {}; {rounds} round{}, median (least-greatest)\n\
         ratio: bytes of the input read per second over what a plain read of it does, measured before and after\n",
        host.model.as_deref().unwrap_or("unknown CPU"),
        host.cpu,
        sys::build_features().split(',').find(|name| name.starts_with("avx512")).unwrap_or("x86-64-v3"),
        settings.seed,
        if rounds == 1 { "" } else { "s" },
    )
}

fn bar_text(bar: Bar) -> String {
    match bar {
        Bar::Bandwidth { least, aim } if aim > least => format!("ratio at least {least:.2}, aim {aim:.2}"),
        Bar::Bandwidth { least, .. } => format!("ratio at least {least:.2}"),
        Bar::Rate { rows_per_s, over_naive: None } => format!("{:.0} M rows/s", rows_per_s / 1e6),
        Bar::Rate { rows_per_s, over_naive: Some(times) } => {
            format!("{:.0} M rows/s and {times:.0} x the naive rescan", rows_per_s / 1e6)
        }
    }
}

fn verdict(reached: bool, regime: Regime) -> &'static str {
    match (regime, reached) {
        (Regime::Cache(_) | Regime::Unknown, _) => "not judged",
        (Regime::Memory(_), true) => "reached",
        (Regime::Memory(_), false) => "missed",
    }
}

/// A case and its levels.
pub(super) fn lines(outcome: &Outcome, regime: Regime) -> String {
    let Outcome { case, input_rows, input_bytes, huge_bytes, rows_per_round, bytes_per_row, .. } = outcome;
    let mut out = format!(
        "\n{}: {:.1} M rows of {bytes_per_row:.1} B, {} MB ({:.0} % in huge pages), {}\n",
        case.name,
        *input_rows as f64 / 1e6,
        input_bytes >> 20,
        100.0 * (*huge_bytes as f64 / *input_bytes as f64).min(1.0),
        regime.text(),
    );
    if rows_per_round < input_rows {
        out.push_str(&format!("  {:.1} M rows a round, the next ones in each\n", *rows_per_round as f64 / 1e6));
    }
    let scalar = outcome.levels.first().filter(|line| line.name == "scalar");
    for line in outcome.levels.iter().chain(&outcome.naive) {
        out.push_str(&level_line(line, scalar));
    }
    out.push_str(&format!("  bar: {}: {}", bar_text(case.bar), verdict(outcome.reaches_bar(), regime)));
    if let Some(times) = outcome.over_naive() {
        out.push_str(&format!(" ({times:.1} x the naive rescan)"));
    }
    out.push('\n');
    if let (Some(scaling), Some(reached)) = (outcome.scaling, outcome.reaches_scaling()) {
        out.push_str(&format!(
            "  two partitions over one: {:.2} ({:.2}-{:.2}), bar {SCALING_LEAST}: {}\n",
            scaling.median,
            scaling.least,
            scaling.greatest,
            verdict(reached, regime)
        ));
    }
    for whole in &outcome.whole {
        let Whole { processor, partitions, rows_per_s, kept } = whole;
        out.push_str(&format!(
            "  whole query, {processor} {partitions}: {:.1} M rows/s ({:.1}-{:.1}), {:.2} of the kernels ({:.2}-{:.2}), bar \
             {KEPT_LEAST}: {}\n",
            rows_per_s.median / 1e6,
            rows_per_s.least / 1e6,
            rows_per_s.greatest / 1e6,
            kept.median,
            kept.least,
            kept.greatest,
            verdict(kept.median >= KEPT_LEAST, regime)
        ));
    }
    out
}

fn level_line(line: &Line, scalar: Option<&Line>) -> String {
    let rate = line.spread(|round| round.rows_per_s / 1e6);
    let cycles = line.spread(|round| round.cycles_per_row);
    let ratio = line.spread(|round| round.ratio);
    let bandwidth = line.spread(|round| round.bandwidth / 1e9);
    let on_cpu = line.spread(|round| round.on_cpu).median;
    let shared =
        if on_cpu < ON_CPU_LEAST { format!(", on its CPU {:.0} % of the time", on_cpu * 100.0) } else { String::new() };
    let over = scalar.filter(|scalar| scalar.name != line.name).map_or(String::new(), |scalar| {
        format!(", {:.2} x scalar", rate.median / scalar.spread(|round| round.rows_per_s / 1e6).median)
    });
    format!(
        "  {:<7} {:8.1} M rows/s ({:.1}-{:.1})  {:7.2} cycles/row  ratio {:.3} ({:.3}-{:.3}) of {:.1} GB/s{over}{shared}\n",
        line.name,
        rate.median,
        rate.least,
        rate.greatest,
        cycles.median,
        ratio.median,
        ratio.least,
        ratio.greatest,
        bandwidth.median,
    )
}

/// Everything, with the figures of each round.
pub(super) fn document(host: &Host, settings: &Settings, outcomes: &[Outcome]) -> Value {
    let line = |line: &Line| {
        json!({
            "name": line.name,
            "rows_per_s": line.spread(|round| round.rows_per_s).median,
            "cycles_per_row": line.spread(|round| round.cycles_per_row).median,
            "ratio": line.spread(|round| round.ratio).median,
            "rounds": line.rounds.iter().map(|round| json!({
                "rows_per_s": round.rows_per_s,
                "cycles_per_row": round.cycles_per_row,
                "read_bytes_per_s": round.bandwidth,
                "ratio": round.ratio,
                "on_cpu": round.on_cpu,
            })).collect::<Vec<_>>(),
        })
    };
    let bar = |bar: Bar| match bar {
        Bar::Bandwidth { least, aim } => json!({"ratio": least, "aim": aim}),
        Bar::Rate { rows_per_s, over_naive } => json!({"rows_per_s": rows_per_s, "over_naive": over_naive}),
    };
    let case = |outcome: &Outcome| {
        let regime = Regime::of(outcome, host);
        json!({
            "case": outcome.case.name,
            "regime": match regime {
                Regime::Memory(_) => "memory",
                Regime::Cache(_) => "cache",
                Regime::Unknown => "unknown",
            },
            "input_rows": outcome.input_rows,
            "input_bytes": outcome.input_bytes,
            "huge_page_bytes": outcome.huge_bytes,
            "rows_per_round": outcome.rows_per_round,
            "bytes_per_row": outcome.bytes_per_row,
            "levels": outcome.levels.iter().map(line).collect::<Vec<_>>(),
            "naive": outcome.naive.as_ref().map(line),
            "over_naive": outcome.over_naive(),
            "bar": bar(outcome.case.bar),
            "verdict": verdict(outcome.reaches_bar(), regime),
            "two_partitions_over_one": outcome.scaling.map(|scaling| json!({
                "median": scaling.median, "least": scaling.least, "greatest": scaling.greatest, "bar": SCALING_LEAST,
            })),
            "whole_queries": outcome.whole.iter().map(|whole| json!({
                "processor": whole.processor,
                "partitions": whole.partitions,
                "rows_per_s": whole.rows_per_s.median,
                "of_kernels": whole.kept.median,
                "bar": KEPT_LEAST,
            })).collect::<Vec<_>>(),
        })
    };
    json!({
        "bench": "kernels",
        "cpu": host.cpu,
        "model": host.model,
        "last_level_cache_bytes": host.cache_bytes,
        "build_features": sys::build_features().split(',').collect::<Vec<_>>(),
        "seed": settings.seed,
        "cases": outcomes.iter().map(case).collect::<Vec<_>>(),
    })
}
