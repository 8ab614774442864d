#!/usr/bin/env bash
# Instructions per row of each kernel case, counted by callgrind: the difference between a pass over 2N rows and one
# over N, so that start-up, planning and the making of a fixed part do not count. The making of the input grows with the
# rows, too: it is measured by itself (--prepare-only) and taken off.
#
#   perf/callgrind.sh [CASE] [LEVEL]     CASE: text in the case's name (default: all); LEVEL: scalar, wide (default: wide)
#
# Valgrind runs no AVX-512, so that level cannot be counted here. ROWS=N sets the smaller number of rows.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
case_filter=${1:-}
level=${2:-wide}
rows=${ROWS:-524288}

if ! command -v valgrind >/dev/null; then
    echo "perf/callgrind.sh: skipped, valgrind is not installed" >&2
    exit 0
fi
if [[ $level == avx512 ]]; then
    echo "perf/callgrind.sh: skipped, valgrind runs no AVX-512 code" >&2
    exit 0
fi

cargo build --quiet --release --manifest-path "$root/Cargo.toml"
binary=${CARGO_TARGET_DIR:-$root/target}/release/corelane
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# instructions CASE ROWS FLAG: instructions of one process.
instructions() {
    local log=$scratch/log
    if ! valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" bench kernels \
        --case "$1" --simd "$level" --rows "$2" "$3" >"$scratch/out" 2>"$log"; then
        cat "$log" >&2
        return 1
    fi
    awk '/Collected/ { print $NF }' "$log"
}

printf '%-16s %-8s %s\n' case level instructions/row
while read -r name _; do
    [[ $name == *"$case_filter"* ]] || continue
    passes=$(($(instructions "$name" $((2 * rows)) --single-pass) - $(instructions "$name" "$rows" --single-pass)))
    making=$(($(instructions "$name" $((2 * rows)) --prepare-only) - $(instructions "$name" "$rows" --prepare-only)))
    awk -v name="$name" -v level="$level" -v count=$((passes - making)) -v rows="$rows" \
        'BEGIN { printf "%-16s %-8s %.2f\n", name, level, count / rows }'
done < <("$binary" bench kernels --list)
