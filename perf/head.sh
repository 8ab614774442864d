# The head of the scripts beside this file, which source it: where things are, what is missing, the release binary, a
# directory for scratch. Not to be run.
#
# A script that cannot do its work on this machine says why on standard error and ends with status 0: it is no failure
# of the code that it looks at.

set -euo pipefail

# Numbers are written with a point.
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# skip REASON: ends the script, because the machine lacks something.
skip() {
    echo "perf/$(basename "$0"): skipped, $1" >&2
    exit 0
}

# need TOOL [PACKAGE]: skips without it.
need() {
    command -v "$1" >/dev/null || skip "$1 is not installed${2:+ (package $2)}"
}

# need_counters EVENTS: skips where perf cannot count them.
need_counters() {
    local probe
    need perf linux-perf
    if ! probe=$(perf stat -x, -e "$1" true 2>&1) || grep -q '<not supported>\|<not counted>' <<<"$probe"; then
        skip "this machine shows no hardware counters: a virtual machine without them, or kernel.perf_event_paranoid is above 2"
    fi
}

# build: makes the release binary and sets $binary; BINARY=FILE is one that is there already.
build() {
    binary=${BINARY:-}
    [[ -z $binary ]] || return 0
    cargo build --quiet --release --manifest-path "$root/Cargo.toml"
    binary=${CARGO_TARGET_DIR:-$root/target}/release/corelane
}

# strip_binary: lets $binary be a copy without debug information, which valgrind would read at every start.
strip_binary() {
    ! command -v strip >/dev/null || { strip -o "$scratch/corelane" "$binary" && binary=$scratch/corelane; }
}

# cases [TEXT]: the names of the kernel cases that hold TEXT.
cases() {
    "$binary" bench kernels --list | awk -v text="${1:-}" 'index($1, text) { print $1 }'
}

# instructions ARGUMENT...: instructions of one process of corelane, by callgrind.
instructions() {
    if ! valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$@" >"$scratch/out" 2>"$scratch/log"; then
        cat "$scratch/log" >&2
        return 1
    fi
    awk '/Collected/ { print $NF }' "$scratch/log"
}

# scenario_files FORMAT ROWS: writes the inputs of examples/scenarios/files to $scratch/FORMAT-ROWS, with so many rows each.
scenario_files() {
    local into=$scratch/$1-$2
    mkdir -p "$into"
    sed -e "s/'1000000'/'$2'/; s|'target/\([a-z_]*\)\.csv', format = 'csv'|'$into/\1.$1', format = '$1'|" \
        "$root/examples/scenarios/files/make_data.sql" >"$into/make.sql"
    "$binary" run --processor inline "$into/make.sql" 2>"$scratch/log" || { cat "$scratch/log" >&2; return 1; }
}

# scenario NAME FORMAT ROWS: writes the scenario over those files to $scratch/scenario.sql; its result is discarded.
scenario() {
    sed -e "s|'target/\([a-z_]*\)\.csv', format = 'csv'|'$scratch/$2-$3/\1.$2', format = '$2'|" \
        "$root/examples/scenarios/files/$1.sql" >"$scratch/scenario.sql"
    grep -q blackhole "$scratch/scenario.sql" || {
        sed -i 's/^SELECT/INSERT INTO discarded SELECT/' "$scratch/scenario.sql"
        sed -i "1i CREATE SINK discarded WITH (connector = 'blackhole');" "$scratch/scenario.sql"
    }
}

# The five scenarios, in order.
scenarios=(0_select 1_rows_window 2_group_by 3a_tumbling 3b_tumbling_changes)
