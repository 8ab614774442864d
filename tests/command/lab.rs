//! The scripts of `perf/` that compute and draw: the fit of the scalability law, the chart, the flame graph. They need
//! Python; without it the tests say so.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `perf/SCRIPT` prints for `input`; `None` without Python.
fn python(script: &str, arguments: &[&str], input: &str) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("perf").join(script);
    let mut command = Command::new("python3");
    command.arg(&script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("not run: python3: {error}");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Throughputs that follow the law exactly.
fn law(single: f64, sigma: f64, kappa: f64, numbers: &[u32]) -> String {
    let line = |n: &u32| {
        let n = f64::from(*n);
        format!("{n} {}\n", single * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0)))
    };
    numbers.iter().map(line).collect()
}

#[test]
fn the_fit_finds_the_law_that_made_the_points() {
    let numbers = [1, 2, 4, 8, 16];
    for (sigma, kappa) in [(0.05, 0.002), (0.2, 0.0), (0.0, 0.01), (0.0, 0.0)] {
        let Some(text) = python("usl.py", &[], &law(3.5, sigma, kappa, &numbers)) else { return };
        let first = format!("X1 = 3.5, sigma = {sigma:.4}, kappa = {kappa:.6}");
        assert_eq!(text.lines().next(), Some(first.as_str()), "{text}");
        assert_eq!(text.matches("+0.0%").count() + text.matches("-0.0%").count(), numbers.len(), "{text}");
    }
}

#[test]
fn the_fit_never_finds_negative_costs() {
    // Better than linear: no contention, no coherence.
    let Some(text) = python("usl.py", &[], "1 1.0\n2 2.2\n4 4.9\n") else { return };
    assert!(text.contains("sigma = 0.0000, kappa = 0.000000"), "{text}");
    assert!(text.contains("\n         4 "), "{text}");
}

#[test]
fn two_numbers_of_partitions_are_said_to_be_few() {
    let Some(text) = python("usl.py", &[], "1 10\n1 12\n2 18\n2 20\n") else { return };
    assert!(text.contains("two numbers of partitions: too few to tell"), "{text}");
    assert!(text.contains("kappa = 0.000000"), "{text}");
    let table = python("usl.py", &["--tsv"], "1 10\n1 12\n2 18\n2 20\n").unwrap();
    assert!(table.starts_with("partitions\tmeasured\tpredicted\n1\t11\t"), "the median of a number's rounds: {table}");
}

#[test]
fn a_table_of_names_is_drawn_as_bars_and_one_of_numbers_as_lines() {
    let markdown = "text\n\n| scenario | keys | A | B |\n|---|---|---|---|\n| x & y | 10 | **1,000** | - |\n| z | 20 | 3 (0.5) | 4 |\n\n| other | t |\n";
    let Some(bars) = python("chart.py", &["--title", "T", "--columns", "A,B"], markdown) else { return };
    assert!(bars.starts_with("<svg ") && bars.trim_end().ends_with("</svg>"), "{bars}");
    assert!(
        bars.contains("<title>x &amp; y 10, A: 1000</title>") && bars.contains("<title>z 20, A: 3</title>"),
        "{bars}"
    );
    assert_eq!(bars.matches("<title>").count(), 3, "a cell without a number is no bar: {bars}");
    let lines = python("chart.py", &[], "partitions\tmeasured\tpredicted\n1\t2\t2.5\n2\t4\t4.5\n").unwrap();
    assert_eq!((lines.matches("<polyline").count(), lines.matches("<circle").count()), (2, 4), "{lines}");
}

#[test]
fn stacks_become_boxes_as_wide_as_their_share() {
    let stacks = "\
corelane-0 12 3.4: 1 cpu-clock:u:\n\t 1f core::fold::h0123456789abcdef+0x1f (/bin/corelane)\n\t 2f main+0x2 (/bin/corelane)\n\n\
corelane-0 12 3.5: 1 cpu-clock:u:\n\t 2f main+0x2 (/bin/corelane)\n\n";
    let Some(svg) = python("flame.py", &["--title", "a < b"], stacks) else { return };
    for text in
        ["<title>all: 2 (100.0 %)", "<title>corelane-0: 2 (100.0 %)", "<title>core::fold: 1 (50.0 %)", "a &lt; b"]
    {
        assert!(svg.contains(text), "{text}: {svg}");
    }
    assert!(svg.contains("width=\"600.0\""), "half of the samples are half of the width: {svg}");
}
