#!/usr/bin/env bash
# What scraping costs: one job of a server, over a bounded generator into nothing, with /metrics asked for ten times a second
# and without, in turns. Gives CPU time and throughput of each run, their medians, the median of the pairs' ratios, and the CPU
# time of one scrape by itself, asked for without pause while the job is paused.
#
#   perf/scrape.sh [ROWS]        rows of a run (default: 200000000)
#
# PAIRS=7 pairs of runs, PARTITIONS=2 partitions, RATE=10 scrapes a second.
. "$(dirname "$0")/head.sh"

need python3
build
python3 "$root/perf/scrape.py" "$binary" "$scratch" --rows "${1:-200000000}" --pairs "${PAIRS:-7}" \
    --partitions "${PARTITIONS:-2}" --rate "${RATE:-10}"
