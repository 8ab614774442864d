#!/usr/bin/env bash
# A flame graph of a run: perf record samples the stacks, flame.py draws them.
#
#   perf/flame.sh OUT.svg ARGUMENT...     as in: perf/flame.sh perf/out/trades.svg run examples/trades.sql
#
# Without hardware counters the samples are by the clock. Stacks are unwound by frame pointers, for which the binary is
# built once more, beside the usual one; of a BINARY=FILE that is there already by its debug information, which takes longer.
# FREQUENCY=N sets the samples per second and thread (default: 997).
. "$(dirname "$0")/head.sh"

(($# > 1)) || { sed -n '2,8p' "$0" >&2; exit 2; }
svg=$1
shift
need perf linux-perf
need python3

unwind=dwarf
if [[ -z ${BINARY:-} ]]; then
    unwind=fp
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/flame
    export RUSTFLAGS="-C target-cpu=x86-64-v3 -C force-frame-pointers=yes"
fi
build

event=cycles:u
if (need_counters cycles:u) 2>&1 | grep -q skipped; then
    event=cpu-clock:u
fi
if ! perf record -q -e "$event" -F "${FREQUENCY:-997}" --call-graph $unwind -o "$scratch/perf.data" -- \
    "$binary" "$@" 2>"$scratch/log"; then
    cat "$scratch/log" >&2
    exit 1
fi
cat "$scratch/log" >&2
perf script -i "$scratch/perf.data" 2>"$scratch/log" |
    python3 "$root/perf/flame.py" --title "corelane $*" --unit "samples of $event" >"$scratch/flame.svg"
mkdir -p "$(dirname "$svg")"
mv "$scratch/flame.svg" "$svg"
echo "$svg"
