#!/usr/bin/env bash
# Compares corelane with Apache Flink over the same CSV file on this machine; README.md says how. Arguments go to flink.py:
#
#   perf/peers/flink.sh --rows 2000000 --threads 2
. "$(dirname "$0")/../head.sh"

need java default-jre-headless
need taskset util-linux
here=$root/perf/peers
venv=$here/.venv-flink
if ! [[ -e $venv/installed && ! $here/flink-requirements.txt -nt $venv/installed ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/flink-requirements.txt"
    touch "$venv/installed"
fi
build
"$venv/bin/python" "$here/flink.py" --corelane "$binary" --data "$scratch" "$@"
