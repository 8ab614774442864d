#!/bin/sh
# Compares corelane with DuckDB, Polars, DataFusion and ClickHouse on this machine; README.md says how. Arguments go to
# compare.py: `perf/peers/run.sh --help`.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
venv=$here/.venv
if ! [ -e "$venv/installed" ] || [ "$here/requirements.txt" -nt "$venv/installed" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    touch "$venv/installed"
fi
cd "$here/../.."
corelane=$(cargo build --release --bench peers --message-format=json-render-diagnostics |
    "$venv/bin/python" -c '
import json, sys
messages = map(json.loads, sys.stdin)
print([m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "peers"][-1])')
RUN_ARGUMENTS="$*" exec "$venv/bin/python" "$here/compare.py" --corelane "$corelane" "$@"
