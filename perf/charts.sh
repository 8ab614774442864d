#!/usr/bin/env bash
# Draws the tables of perf/README.md, one chart each, to perf/out.
#
#   perf/charts.sh
. "$(dirname "$0")/head.sh"

need python3
readme=$root/perf/README.md
mkdir -p "$root/perf/out"

# draw NAME AFTER TITLE UNIT COLUMNS [FLAG...]: the first table after a line that holds AFTER.
draw() {
    local name=$1 after=$2 title=$3 unit=$4 columns=$5
    shift 5
    python3 "$root/perf/chart.py" --after "$after" --title "$title" --unit "$unit" --columns "$columns" "$@" "$readme" \
        >"$root/perf/out/$name.svg"
    echo "perf/out/$name.svg"
}

draw kernels '## Kernels on one core' 'Kernels on one core' 'million rows/s' scalar,wide,avx512 --log
draw whole-queries 'The same queries through the engine' 'Whole queries' 'million rows/s' 'M rows/s'
draw families '## Families of kernels' 'Families of kernels' 'cycles per row' scalar,wide,avx512 --log
draw scenarios '## Scenarios' 'Scenarios' 'million records/s' \
    'inline 1,simple 1,partitioned 1,partitioned 2,stp 1,stp 2' --log
draw peers '## Peers' 'One thread, 20 million rows' 'million rows/s' duckdb,polars,datafusion,clickhouse,corelane --log
draw peers-keys 'Few and very many keys' 'Few and very many keys, by CPU time' 'million rows/s' \
    duckdb,polars,datafusion,clickhouse,corelane --log
