//! The cases of `corelane bench kernels` with criterion's statistics: every level, all rows a pass.
//!
//! ```text
//! cargo bench --bench kernels -- [FILTER] [--save-baseline NAME] [--baseline NAME]
//! ```
//! The input is eight times the last-level cache (at most half of free memory), made anew for each case with the seed
//! of `CORELANE_SEED`; rows are checked against plain definitions before any time counts. Under `cargo test --benches` and
//! with `--test` a small input shows that everything runs.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};

use corelane::cli::bench;
use corelane::kernel::Simd;

/// The command's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let quick = given("--test") || !given("--bench");
    let seed = std::env::var("CORELANE_SEED").map_or(1, |seed| seed.parse().expect("CORELANE_SEED is a number"));
    let filter = arguments.iter().find(|argument| !argument.starts_with("--")).map_or("", String::as_str);
    let mut criterion = Criterion::default().configure_from_args();
    for (name, prepare) in bench::prepare(quick, seed).expect("the thread can be pinned") {
        // Making the input takes seconds: only for cases that are run.
        if !name.contains(filter) && !filter.contains(name) {
            continue;
        }
        let prepared = prepare().expect("the case gives the defined rows");
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).sampling_mode(SamplingMode::Flat).warm_up_time(Duration::from_millis(500));
        group.throughput(Throughput::Elements(prepared.rows() as u64));
        for level in Simd::available() {
            let mut pass = prepared.passes(level);
            group.bench_function(level.to_string(), |bencher| bencher.iter(|| black_box(pass().expect("it runs"))));
        }
        group.finish();
    }
    criterion.final_summary();
}
