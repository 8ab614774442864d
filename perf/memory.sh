#!/usr/bin/env bash
# Whether memory stays flat while rows pass: runs a tumbling, a sliding (60:1), a session and an interval-join query over
# generated rows into a sink that counts them, samples the resident memory, and compares the peak of the second half of each run
# with that of the first. Exits with 1 if one is more than 1.1 times as high, or if a query fails.
#
#   perf/memory.sh [ROWS]        1,000,000,000 unless said otherwise; a join reads half of them on each side
#
# CORELANE names another binary than the release build. QUERIES names some of the queries.
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${1:-1000000000}
if [[ ! $rows =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: perf/memory.sh [ROWS]" >&2
    exit 2
fi
if [[ -z ${CORELANE:-} ]]; then
    cargo build --release --quiet
    CORELANE=target/release/corelane
fi
folder=$(mktemp -d)
running=
trap '[[ -z $running ]] || kill "$running" 2>/dev/null || true; rm -rf "$folder"' EXIT

# A source of so many rows, 50,000 a second of event time, one in twenty of them up to a tenth of a second behind: NAME ROWS SEED KEYS.
source_of() {
    echo "CREATE SOURCE $1 (ts TIMESTAMP, id BIGINT, price DOUBLE, WATERMARK FOR ts AS ts - INTERVAL '200' MILLISECOND)
          WITH (connector = 'generator', rows = '$2', seed = '$3', keys = '$4', spacing = '20us',
                disorder = '0.05', disorder_by = '100ms');"
}

query_of() {
    case $1 in
    tumbling)
        source_of s "$rows" 1 1000
        echo "INSERT INTO o SELECT id, COUNT(*), AVG(price), MAX(price), window_end FROM s
              GROUP BY id WINDOW TUMBLING (ts, INTERVAL '1' MINUTE);" ;;
    sliding)
        source_of s "$rows" 1 1000
        echo "INSERT INTO o SELECT id, COUNT(*), AVG(price), MAX(price), window_end FROM s
              GROUP BY id WINDOW SLIDING (ts, INTERVAL '60' SECOND, INTERVAL '1' SECOND);" ;;
    session)
        source_of s "$rows" 1 1000
        echo "INSERT INTO o SELECT id, COUNT(*), AVG(price), MAX(price), window_end FROM s
              GROUP BY id, SESSION(ts, INTERVAL '100' MILLISECOND);" ;;
    join)
        source_of a $((rows / 2)) 1 1000
        source_of b $((rows / 2)) 2 1000
        echo "INSERT INTO o SELECT a.ts, a.id, a.price, b.price AS other FROM a
              JOIN b ON a.id = b.id AND b.ts BETWEEN a.ts - INTERVAL '10' MILLISECOND AND a.ts + INTERVAL '10' MILLISECOND;" ;;
    *)
        echo "unknown query $1: expected tumbling, sliding, session or join" >&2
        exit 2 ;;
    esac
}

echo "| query | rows | seconds | M rows/s | peak of the first half, MiB | of the second, MiB | ratio | at most 1.1 |"
echo "|---|---|---|---|---|---|---|---|"
status=0
for name in ${QUERIES:-tumbling sliding session join}; do
    { echo "CREATE SINK o WITH (connector = 'blackhole');"; query_of "$name"; } > "$folder/query.sql"
    : > "$folder/samples"
    "$CORELANE" run "$folder/query.sql" --progress never --stats-json "$folder/stats.json" 2> "$folder/errors" &
    running=$!
    while resident=$(awk '/^VmRSS:/ { print $2 }' "/proc/$running/status" 2>/dev/null) && [[ -n $resident ]]; do
        echo "$resident" >> "$folder/samples"
        sleep 0.05
    done
    if ! wait "$running"; then
        running=
        cat "$folder/errors" >&2
        exit 1
    fi
    running=
    stat_of() { sed -n "s/^ *\"$1\": \([0-9.]*\),*$/\1/p" "$folder/stats.json" | head -n 1; }
    expected=$rows
    [[ $name != join ]] || expected=$((rows / 2 * 2))
    if [[ $(stat_of records_read) != "$expected" ]]; then
        echo "$name: read $(stat_of records_read) rows, not $expected" >&2
        exit 1
    fi
    awk -v name="$name" -v read="$(stat_of records_read)" -v seconds="$(stat_of elapsed_s)" '
        { sample[NR] = $1 }
        END {
            if (NR < 8) { print name ": the run was too short for " NR " samples; give more rows" > "/dev/stderr"; exit 1 }
            for (i = 1; i <= NR; i++) { half = i > NR / 2; if (sample[i] > peak[half]) peak[half] = sample[i] }
            ratio = peak[1] / peak[0]
            flat = ratio <= 1.1
            printf "| %s | %d | %.1f | %.1f | %.1f | %.1f | %.3f | %s |\n", name, read, seconds, read / seconds / 1e6,
                peak[0] / 1024, peak[1] / 1024, ratio, flat ? "yes" : "**no**"
            exit !flat
        }' "$folder/samples" || status=1
done
exit $status
