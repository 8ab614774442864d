#!/usr/bin/env bash
# Cycles, instructions, cache misses and branch misses per row of each kernel case, by perf stat on one pinned thread: the
# difference between a process that makes the input and passes over it once, and one that only makes it.
#
#   perf/stat.sh [CASE] [LEVEL]     CASE: text in the case's name (default: all); LEVEL: scalar, wide, avx512 (default: wide)
#
# Virtual machines often have no hardware counters; then this says so. ROWS=N sets the rows, CPU=N the CPU, EVENTS=LIST what
# is counted.
. "$(dirname "$0")/head.sh"

level=${2:-wide}
rows=${ROWS:-16777216}
cpu=${CPU:-0}
events=${EVENTS:-cycles:u,instructions:u,cache-misses:u,branch-misses:u}

need_counters "$events"
build

# count CASE FLAG: the counts of one process, in the order of $events.
count() {
    perf stat -x, -o "$scratch/counts" -e "$events" "$binary" bench kernels \
        --case "$1" --simd "$level" --rows "$rows" --cores "$cpu" "$2" >"$scratch/out"
    awk -F, '$1 ~ /^[0-9]+$/ { printf "%s ", $1 }' "$scratch/counts"
}

IFS=, read -ra names <<<"$events"
printf '%-16s %-8s' case level
printf ' %24s' "${names[@]/%/\/row}"
echo
for name in $(cases "${1:-}"); do
    read -ra pass <<<"$(count "$name" --single-pass)"
    read -ra made <<<"$(count "$name" --prepare-only)"
    printf '%-16s %-8s' "$name" "$level"
    for i in "${!names[@]}"; do
        awk -v count=$((pass[i] - made[i])) -v rows="$rows" 'BEGIN { printf " %24.4f", count / rows }'
    done
    echo
done
