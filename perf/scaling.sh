#!/usr/bin/env bash
# Throughput by the number of partitions, 1 to N, and the Universal Scalability Law fitted to it: predicted and measured.
#
#   perf/scaling.sh [SCENARIO] [N]     SCENARIO: part of a name under examples/scenarios/files (default: 2_group_by);
#                                      N: most partitions (default: physical cores)
#
# The input is a file in the page cache, made first (FORMAT=csv, json, arrow or parquet; ROWS=4000000); the numbers of
# partitions take turns in ROUNDS=5 rounds, of which the law is fitted to all. The chart goes to perf/out/scaling-NAME.svg.
# The throughput is the job's own: without starting the process and planning.
. "$(dirname "$0")/head.sh"

need python3
build
wanted=${1:-2_group_by}
format=${FORMAT:-csv}
rows=${ROWS:-4000000}
cores=$("$binary" topology --json | python3 -c 'import json, sys
print(len({(cpu["socket"], cpu["core"]) for cpu in json.load(sys.stdin)["cpus"] if cpu["allowed"]}))')
most=${2:-$cores}
name=
for known in "${scenarios[@]}"; do
    [[ $known == *"$wanted"* ]] && { name=$known; break; }
done
[[ -n $name ]] || { echo "perf/scaling.sh: no scenario like $wanted: there are ${scenarios[*]}" >&2; exit 2; }

scenario_files "$format" "$rows" >/dev/null
scenario "$name" "$format" "$rows"
for ((round = 0; round <= ${ROUNDS:-5}; round++)); do
    for ((n = 1; n <= most; n++)); do
        "$binary" run --processor partitioned --partitions "$n" --stats-json "$scratch/stats.json" --progress never \
            "$scratch/scenario.sql" 2>"$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
        # The first round only warms caches.
        ((round == 0)) || awk -v n="$n" -F '[:,]' '/"records_per_s"/ { print n, $2 / 1e6 }' "$scratch/stats.json"
    done
done >"$scratch/points"

echo "$name over $format, ${rows} rows, million records/s:"
python3 "$root/perf/usl.py" <"$scratch/points"
mkdir -p "$root/perf/out"
python3 "$root/perf/usl.py" --tsv <"$scratch/points" |
    python3 "$root/perf/chart.py" --title "$name over $format by partitions" --unit "million records/s" \
        >"$root/perf/out/scaling-$name.svg"
echo "perf/out/scaling-$name.svg"
