//! Figures of `scenarios`, `rings` and `latency`: a line of a table for people, an object of an array for scripts.
//!
//! Every figure carries its rounds, so that a reader sees the spread, and the machine and build that it was taken with:
//! a figure without them cannot be compared with anything.

use std::path::Path;

use serde_json::{Value, json};

use super::super::stats::{StatsTarget, write_stdout};
use super::measure::Spread;
use crate::error::Result;
use crate::sys::{self, Topology};

/// One figure.
#[derive(Debug, Clone)]
pub struct Measurement {
    /// `scenarios`, `rings`, `latency`.
    pub bench: &'static str,
    /// What was measured: unique within the bench.
    pub case: String,
    /// Unit of the value and the rounds.
    pub unit: &'static str,
    /// The figure of each round, in order; not empty.
    pub rounds: Vec<f64>,
    /// The case of the same run that the ratio compares with.
    pub baseline: Option<String>,
    /// This value over that of the baseline.
    pub ratio: Option<f64>,
}

impl Measurement {
    /// A figure that is compared with nothing yet.
    pub fn new(bench: &'static str, case: impl Into<String>, unit: &'static str, rounds: Vec<f64>) -> Self {
        assert!(!rounds.is_empty(), "a figure has a round");
        Self { bench, case: case.into(), unit, rounds, baseline: None, ratio: None }
    }

    /// Compared with `baseline`.
    pub fn over(mut self, baseline: &Measurement) -> Self {
        self.ratio = Some(self.value() / baseline.value());
        self.baseline = Some(baseline.case.clone());
        self
    }

    /// The median of the rounds.
    pub fn value(&self) -> f64 {
        self.spread().median
    }

    pub(super) fn spread(&self) -> Spread {
        Spread::of(self.rounds.iter().copied())
    }
}

/// Where and with what build figures are taken.
pub fn machine() -> Value {
    let topology = Topology::read();
    json!({
        "model": sys::model_name(),
        "physical_cores": topology.physical_cores(),
        "cpus": topology.cpus.len(),
        "kernel": sys::kernel_release(),
        "features": sys::build_features().split(',').collect::<Vec<_>>(),
        "commit": env!("CORELANE_COMMIT"),
        "compiler": env!("CORELANE_RUSTC"),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
    })
}

/// The machine in one line.
pub(super) fn machine_line() -> String {
    let topology = Topology::read();
    let features = sys::build_features();
    format!(
        "{}, {} cores; Linux {}; build {}, commit {}, {}\n",
        sys::model_name().unwrap_or_else(|| "unknown CPU".into()),
        topology.physical_cores(),
        sys::kernel_release().unwrap_or_else(|| "unknown".into()),
        features.split(',').find(|name| name.starts_with("avx512")).unwrap_or("x86-64-v3"),
        env!("CORELANE_COMMIT"),
        if cfg!(debug_assertions) { "not optimised: figures mean nothing" } else { "release" },
    )
}

/// The array that `--json` writes.
pub fn document(measurements: &[Measurement]) -> Value {
    let machine = machine();
    let entry = |measurement: &Measurement| {
        let Spread { median, least, greatest } = measurement.spread();
        json!({
            "bench": measurement.bench,
            "case": measurement.case,
            "value": median,
            "unit": measurement.unit,
            "baseline": measurement.baseline,
            "ratio": measurement.ratio,
            "rounds": measurement.rounds,
            "least": least,
            "greatest": greatest,
            "machine": machine,
        })
    };
    measurements.iter().map(entry).collect()
}

/// Rows of text under a heading, columns aligned: the first to the left, the others to the right.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let cells = || std::iter::once(heading.iter().map(|text| text.to_string()).collect()).chain(rows.iter().cloned());
    let mut widths = vec![0; heading.len()];
    for row in cells() {
        let row: Vec<String> = row;
        assert_eq!(row.len(), widths.len(), "a cell for each column");
        row.iter().zip(&mut widths).for_each(|(cell, width)| *width = (*width).max(cell.chars().count()));
    }
    let mut out = String::new();
    for row in cells() {
        for (index, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            match index {
                0 => out.push_str(&format!("{cell:<width$}")),
                _ => out.push_str(&format!("  {cell:>width$}")),
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}

/// Where a bench's table and document go: with `--json` to standard output the table is left out.
pub(super) struct Outlet {
    document: StatsTarget,
}

impl Outlet {
    /// Opens the file, if one is named, before anything is measured.
    pub(super) fn open(json: Option<&Path>) -> Result<Self> {
        Ok(Self { document: StatsTarget::open(json)? })
    }

    /// Text for people.
    pub(super) fn say(&self, text: &str) -> Result<()> {
        match self.document {
            StatsTarget::Stdout => Ok(()),
            StatsTarget::None | StatsTarget::File(_) => write_stdout(text),
        }
    }

    /// Ends with the document.
    pub(super) fn finish(self, measurements: &[Measurement]) -> Result<()> {
        self.document.write_text(&format!("{:#}\n", document(measurements)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_an_array_of_figures_with_their_machine() {
        let base = Measurement::new("rings", "a", "ns", vec![4.0, 1.0, 2.0]);
        let other = Measurement::new("rings", "b", "ns", vec![6.0]).over(&base);
        let document = document(&[base, other]);
        assert_eq!((&document[0]["value"], &document[0]["baseline"]), (&2.0.into(), &Value::Null));
        assert_eq!((&document[1]["baseline"], &document[1]["ratio"]), (&"a".into(), &3.0.into()));
        assert_eq!(document[0]["rounds"].as_array().map(Vec::len), Some(3));
        assert!(document[1]["machine"]["commit"].is_string());
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [vec!["long name".to_string(), "1.0".into()], vec!["b".into(), "123.5".into()]];
        assert_eq!(table(&["case", "ns"], &rows), "case          ns\nlong name    1.0\nb          123.5\n");
    }
}
