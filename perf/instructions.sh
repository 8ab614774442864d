#!/usr/bin/env bash
# The regression gate: instructions per row of every kernel case and of a small run of every scenario, counted by callgrind
# and compared with what is recorded in perf/instructions.json. Ends with status 1 if one takes over 3 % more than recorded;
# one that takes over 3 % less is told of, to be recorded.
#
#   perf/instructions.sh             compares
#   perf/instructions.sh --update    records; the change of the file belongs into the commit that changed the counts
#
# Counts do not depend on the clock or on what else runs; between two runs of one binary they differ by less than 0.5 %
# (hashes are seeded anew in each process). They do depend on the compiler: with another one than the recorded the
# comparison is skipped. Kernels (wide: valgrind runs no AVX-512) are what a pass does over what making its input does;
# scenarios run under inline, over Arrow files and the first also over CSV and JSON, and are what a run over 2N rows does over
# one over N.
. "$(dirname "$0")/head.sh"

record=$root/perf/instructions.json
kernel_rows=131072
scenario_rows=65536
tolerance=0.03

need valgrind
build
strip_binary
compiler=$("$binary" --version | sed -n 's/^compiler: *//p')

# measure: `name instructions/row` lines.
measure() {
    local name format pass made
    for name in $(cases); do
        pass=$(instructions bench kernels --case "$name" --simd wide --rows $kernel_rows --single-pass)
        made=$(instructions bench kernels --case "$name" --simd wide --rows $kernel_rows --prepare-only)
        awk -v n="kernel $name" -v c=$((pass - made)) -v r=$kernel_rows 'BEGIN { printf "%s\t%.3f\n", n, c / r }'
    done
    for format in arrow csv json; do
        scenario_files $format $scenario_rows >/dev/null
        scenario_files $format $((2 * scenario_rows)) >/dev/null
        for name in "${scenarios[@]}"; do
            [[ $format == arrow || $name == "${scenarios[0]}" ]] || continue
            scenario "$name" $format $scenario_rows
            made=$(instructions run --processor inline --simd wide "$scratch/scenario.sql")
            scenario "$name" $format $((2 * scenario_rows))
            pass=$(instructions run --processor inline --simd wide "$scratch/scenario.sql")
            awk -v n="scenario $name $format" -v c=$((pass - made)) -v r=$scenario_rows \
                'BEGIN { printf "%s\t%.3f\n", n, c / r }'
        done
    done
}

# recorded KEY: a value of the record.
recorded() {
    sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$record"
}

if [[ ${1:-} == --update ]]; then
    measure >"$scratch/measured"
    {
        printf '{\n  "compiler": "%s",\n  "unit": "instructions per row",\n  "cases": {\n' "$compiler"
        awk -F '\t' '{ printf "%s    \"%s\": %s", (NR > 1 ? ",\n" : ""), $1, $2 } END { print "" }' "$scratch/measured"
        printf '  }\n}\n'
    } >"$record"
    cat "$record"
    exit 0
fi

[[ -e $record ]] || { echo "perf/instructions.sh: no $record: run perf/instructions.sh --update" >&2; exit 1; }
[[ $(recorded compiler) == "$compiler" ]] ||
    skip "recorded with $(recorded compiler), this is $compiler: run perf/instructions.sh --update"

measure >"$scratch/measured"
while IFS=$'\t' read -r name count; do
    printf '%s\t%s\t%s\n' "$name" "$count" "$(recorded "$name")"
done <"$scratch/measured" >"$scratch/compared"
# A case that is gone would not be missed otherwise.
sed -n 's/^    "\([^"]*\)": .*/\1/p' "$record" | while read -r name; do
    grep -q "^$name	" "$scratch/measured" || printf '%s\t\t%s\n' "$name" "$(recorded "$name")"
done >>"$scratch/compared"

awk -F '\t' -v tolerance=$tolerance '
    BEGIN { printf "%-36s %12s %12s %8s\n", "instructions/row", "recorded", "now", "change" }
    $3 == "" { printf "%-36s %12s %12.2f %8s  not recorded\n", $1, "-", $2, "-"; wrong++; next }
    $2 == "" { printf "%-36s %12.2f %12s %8s  gone\n", $1, $3, "-", "-"; wrong++; next }
    {
        change = ($2 - $3) / $3
        note = (change > tolerance) ? "  MORE" : (change < -tolerance) ? "  less: record it" : ""
        printf "%-36s %12.2f %12.2f %+7.2f%%%s\n", $1, $3, $2, 100 * change, note
        if (change > tolerance) wrong++
        if (change < -tolerance) better++
    }
    END {
        if (wrong) print "instructions differ from perf/instructions.json: find out why, or perf/instructions.sh --update"
        else if (better) print "fewer instructions than recorded: perf/instructions.sh --update"
        exit (wrong > 0)
    }' "$scratch/compared"
