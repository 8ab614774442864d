#!/usr/bin/env bash
# Misses per row of each kernel case: of the first-level data cache, the last level, and the translation buffer. By the
# CPU's counters (perf/stat.sh with those events), or, where the machine has none, by valgrind's model of two cache levels.
#
#   perf/cachemiss.sh [CASE] [LEVEL]     CASE: text in the case's name (default: all); LEVEL: as for stat.sh (default: wide)
#
# ROWS=N sets the rows, CPU=N the CPU. The model knows no prefetch and no translation buffer: it tells which loads can miss,
# not what they cost. MODEL=1 asks for it in any case.
. "$(dirname "$0")/head.sh"

level=${2:-wide}
events=L1-dcache-loads:u,L1-dcache-load-misses:u,LLC-load-misses:u,dTLB-load-misses:u
if [[ -z ${MODEL:-} ]] && (need_counters "$events") 2>"$scratch/why"; then
    [[ -s $scratch/why ]] || EVENTS=$events exec "$root/perf/stat.sh" "${1:-}" "$level"
fi

need valgrind
[[ $level != avx512 ]] || skip "valgrind runs no AVX-512 code"
cat "$scratch/why" >&2 2>/dev/null || true
echo "perf/cachemiss.sh: misses are those of valgrind's cache model" >&2
rows=${ROWS:-262144}
build
strip_binary

# count CASE FLAG: data references, first-level and last-level misses of one process.
count() {
    if ! valgrind --tool=cachegrind --cache-sim=yes --cachegrind-out-file=/dev/null "$binary" bench kernels \
        --case "$1" --simd "$level" --rows "$rows" "$2" >"$scratch/out" 2>"$scratch/log"; then
        cat "$scratch/log" >&2
        return 1
    fi
    awk '/ D +refs:/ || / D1 +misses:/ || / LLd misses:/ { gsub(",", ""); for (i = 1; i <= NF; i++) if ($i ~ /:$/) { print $(i + 1); break } }' "$scratch/log"
}

printf '%-16s %-8s %16s %16s %16s\n' case level data-refs/row D1-misses/row LL-misses/row
for name in $(cases "${1:-}"); do
    mapfile -t pass < <(count "$name" --single-pass)
    mapfile -t made < <(count "$name" --prepare-only)
    printf '%-16s %-8s' "$name" "$level"
    for i in 0 1 2; do
        awk -v count=$((pass[i] - made[i])) -v rows="$rows" 'BEGIN { printf " %16.4f", count / rows }'
    done
    echo
done
