#!/usr/bin/env bash
# Instructions per row of each kernel case, counted by callgrind: the difference between a pass over 2N rows and one
# over N, so that start-up, planning and the making of a fixed part do not count. The making of the input grows with the
# rows, too: it is measured by itself (--prepare-only) and taken off.
#
#   perf/callgrind.sh [CASE] [LEVEL]     CASE: text in the case's name (default: all); LEVEL: scalar, wide (default: wide)
#
# Valgrind runs no AVX-512, so that level cannot be counted here. ROWS=N sets the smaller number of rows.
. "$(dirname "$0")/head.sh"

level=${2:-wide}
rows=${ROWS:-524288}

need valgrind
[[ $level != avx512 ]] || skip "valgrind runs no AVX-512 code"
build
strip_binary

# count CASE ROWS FLAG: instructions of one process.
count() {
    instructions bench kernels --case "$1" --simd "$level" --rows "$2" "$3"
}

printf '%-16s %-8s %s\n' case level instructions/row
for name in $(cases "${1:-}"); do
    passes=$(($(count "$name" $((2 * rows)) --single-pass) - $(count "$name" "$rows" --single-pass)))
    making=$(($(count "$name" $((2 * rows)) --prepare-only) - $(count "$name" "$rows" --prepare-only)))
    awk -v name="$name" -v level="$level" -v count=$((passes - making)) -v rows="$rows" \
        'BEGIN { printf "%-16s %-8s %.2f\n", name, level, count / rows }'
done
