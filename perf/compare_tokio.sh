#!/usr/bin/env bash
# The five scenarios by the two tokio baselines and by corelane's processors, in one run; the outputs are compared row for
# row before anything is timed.
#
#   perf/compare_tokio.sh [ARGUMENT...]     arguments go to the bench: cargo bench --bench tokio_baseline -- --help
. "$(dirname "$0")/head.sh"

[[ -e $root/benches/tokio_baseline.rs ]] || skip "benches/tokio_baseline.rs is not there"
cargo bench --manifest-path "$root/Cargo.toml" --bench tokio_baseline -- "$@"
