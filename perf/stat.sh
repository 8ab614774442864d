#!/usr/bin/env bash
# Cycles, instructions, cache misses and branch misses per row of each kernel case, by perf stat: the difference between
# a process that makes the input and passes over it once, and one that only makes it.
#
#   perf/stat.sh [CASE] [LEVEL]     CASE: text in the case's name (default: all); LEVEL: scalar, wide, avx512 (default: wide)
#
# Virtual machines often have no hardware counters; then this says so. ROWS=N sets the rows, CPU=N the CPU.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
case_filter=${1:-}
level=${2:-wide}
rows=${ROWS:-16777216}
cpu=${CPU:-0}
events=cycles:u,instructions:u,cache-misses:u,branch-misses:u

if ! command -v perf >/dev/null; then
    echo "perf/stat.sh: skipped, perf is not installed" >&2
    exit 0
fi
if ! probe=$(perf stat -x, -e "$events" true 2>&1) || grep -q '<not supported>\|<not counted>' <<<"$probe"; then
    echo "perf/stat.sh: skipped, this machine shows no hardware counters (or kernel.perf_event_paranoid hides them)" >&2
    exit 0
fi

cargo build --quiet --release --manifest-path "$root/Cargo.toml"
binary=${CARGO_TARGET_DIR:-$root/target}/release/corelane
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# count CASE FLAG: the four counts of one process, in the order of $events.
count() {
    perf stat -x, -o "$scratch/counts" -e "$events" "$binary" bench kernels \
        --case "$1" --simd "$level" --rows "$rows" --cores "$cpu" "$2" >"$scratch/out"
    awk -F, '$1 ~ /^[0-9]+$/ { printf "%s ", $1 }' "$scratch/counts"
}

printf '%-16s %-8s %12s %16s %16s %16s\n' case level cycles/row instructions/row cache-misses/row branch-misses/row
while read -r name _; do
    [[ $name == *"$case_filter"* ]] || continue
    read -ra pass <<<"$(count "$name" --single-pass)"
    read -ra made <<<"$(count "$name" --prepare-only)"
    printf '%-16s %-8s' "$name" "$level"
    for i in 0 1 2 3; do
        awk -v count=$((pass[i] - made[i])) -v rows="$rows" 'BEGIN { printf " %16.4f", count / rows }'
    done
    echo
done < <("$binary" bench kernels --list)
