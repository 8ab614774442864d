"""Runs four scenarios by Apache Flink and by corelane over the same CSV file, in turns, checks that they agree, and prints
markdown; see README.md.

Flink's time is the net run time that it reports for the job, without the start of the JVM and of the cluster, after one
round that is not counted; corelane's is that of the whole command. Both throw the rows away (`blackhole`).
"""

import argparse
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import time

COLUMNS = "trade_time {time}, symbol {text}, trader_id INT, price DOUBLE, quantity BIGINT"
GROUP = "COUNT(*) AS n, SUM(quantity) AS total, AVG(price) AS average, MIN(price) AS least, MAX(price) AS greatest"
FRAME = "(PARTITION BY symbol ORDER BY trade_time ROWS BETWEEN 99 PRECEDING AND CURRENT ROW)"
OVER = f"AVG(price) OVER {FRAME} AS average, MIN(price) OVER {FRAME} AS least, MAX(price) OVER {FRAME} AS greatest"
# Name: corelane's query, Flink's, and the modes in which Flink may run it: all are tried, the fastest is shown.
SCENARIOS = {
    "0 select": (
        "SELECT symbol, price, quantity FROM trades WHERE quantity > 500",
        "SELECT symbol, price, quantity FROM trades WHERE quantity > 500",
        ("streaming", "batch"),
    ),
    "1 rows window": (
        f"SELECT symbol, price, {OVER} FROM trades",
        f"SELECT symbol, price, {OVER} FROM trades",
        ("streaming", "batch"),
    ),
    # As a stream Flink gives a row for every change of a group; in batch mode, as corelane, the groups of the whole input.
    "2 group by": (
        f"SELECT symbol, {GROUP} FROM trades GROUP BY symbol",
        f"SELECT symbol, {GROUP} FROM trades GROUP BY symbol",
        ("batch",),
    ),
    "3a tumbling": (
        f"SELECT symbol, trader_id, {GROUP} FROM trades GROUP BY symbol, trader_id WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE)",
        f"SELECT symbol, trader_id, {GROUP} FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(trade_time), INTERVAL '1' MINUTES))"
        " GROUP BY window_start, window_end, symbol, trader_id",
        ("streaming", "batch"),
    ),
}
# Flink adds DOUBLEs in the order in which rows meet.
TOLERANCE = 1e-9
CHECKED_ROWS = 20_000


def corelane(binary, sql, cores, partitions):
    """Runs a job; seconds of the whole command."""
    command = ["taskset", "-c", cores, binary, "run", "--partitions", str(partitions), "--stats-json", os.devnull, "-"]
    started = time.monotonic()
    ran = subprocess.run(command, input=sql, text=True, capture_output=True)
    if ran.returncode != 0:
        sys.exit(f"corelane failed:\n{ran.stderr}")
    return time.monotonic() - started, ran.stdout


def corelane_sql(path, query, sink):
    columns = COLUMNS.format(time="TIMESTAMP", text="VARCHAR")
    source = (
        f"CREATE SOURCE trades ({columns}, WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND)"
        f" WITH (connector = 'file', path = '{path}', format = 'csv', header = 'false');"
    )
    if sink:
        return f"{source} CREATE SINK discarded WITH (connector = 'blackhole'); INSERT INTO discarded {query};"
    return f"{source} CREATE SINK out WITH (connector = 'stdout', format = 'csv'); INSERT INTO out {query};"


def environment(mode, parallelism, jars):
    from pyflink.common import Configuration
    from pyflink.table import EnvironmentSettings, TableEnvironment

    configuration = Configuration()
    configuration.set_string("parallelism.default", str(parallelism))
    # What Flink's own guides name for throughput.
    configuration.set_string("pipeline.object-reuse", "true")
    configuration.set_string("table.exec.mini-batch.enabled", "true")
    configuration.set_string("table.exec.mini-batch.allow-latency", "1 s")
    configuration.set_string("table.exec.mini-batch.size", "8192")
    configuration.set_string("table.optimizer.agg-phase-strategy", "AUTO")
    configuration.set_string("taskmanager.memory.process.size", "4g")
    if jars:
        configuration.set_string("pipeline.jars", jars)
    settings = EnvironmentSettings.new_instance().with_configuration(configuration)
    settings = (settings.in_batch_mode() if mode == "batch" else settings.in_streaming_mode()).build()
    return TableEnvironment.create(settings)


def declare(tables, path):
    columns = COLUMNS.format(time="TIMESTAMP(3)", text="STRING")
    tables.execute_sql("DROP TEMPORARY TABLE IF EXISTS trades")
    tables.execute_sql(
        f"CREATE TEMPORARY TABLE trades ({columns}, WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND)"
        f" WITH ('connector' = 'filesystem', 'path' = 'file://{path}', 'format' = 'csv')"
    )


def flink(tables, query, number):
    """Runs a job; seconds that Flink reports for it."""
    sink = f"discarded_{number}"
    schema = tables.sql_query(query).get_schema()
    fields = zip(schema.get_field_names(), schema.get_field_data_types())
    columns = ", ".join(f"`{name}` {sql_type(data_type)}" for name, data_type in fields)
    tables.execute_sql(f"CREATE TEMPORARY TABLE {sink} ({columns}) WITH ('connector' = 'blackhole')")
    result = tables.execute_sql(f"INSERT INTO {sink} {query}")
    result.wait()
    ran = result.get_job_client().get_job_execution_result().result()
    tables.execute_sql(f"DROP TEMPORARY TABLE {sink}")
    return ran.get_net_runtime() / 1000


def sql_type(data_type):
    name = type(data_type).__name__
    return {"VarCharType": "STRING", "DoubleType": "DOUBLE", "BigIntType": "BIGINT", "IntType": "INT"}[name]


def same(left, right):
    """Whether rows of text and numbers are the same, in any order."""
    left, right = (sorted(tuple(map(str, row)) for row in rows) for rows in (left, right))
    return len(left) == len(right) and all(
        a == b or abs(float(a) - float(b)) <= TOLERANCE * max(abs(float(a)), 1)
        for one, other in zip(left, right)
        for a, b in zip(one, other)
    )


def check(binary, environments, path, cores, partitions):
    """The rows of both, over a small file."""
    for name, (ours, theirs, modes) in SCENARIOS.items():
        _, text = corelane(binary, corelane_sql(path, ours, sink=False), cores, partitions)
        rows = [normal(row) for row in list(csv.reader(io.StringIO(text)))[1:]]
        for mode in modes:
            declare(environments[mode], path)
            with environments[mode].execute_sql(theirs).collect() as results:
                found = [normal(row) for row in results]
            if not same(rows, found):
                sys.exit(f"{name}: {mode} Flink gives {len(found)} other rows than corelane's {len(rows)}; first {found[:2]} and {rows[:2]}")


def normal(row):
    """Values as text, numbers all written alike, to ten digits: enough to sort by."""
    def text(value):
        try:
            return f"{float(value):.10g}"
        except (TypeError, ValueError):
            return str(value)

    return tuple(text(value) for value in row)


def write(binary, path, rows, keys):
    """Rows without a head, with times as SQL writes them, which both read."""
    columns = COLUMNS.format(time="TIMESTAMP", text="VARCHAR")
    sql = (
        f"CREATE SOURCE made ({columns}) WITH (connector = 'generator', rows = '{rows}', seed = '7', keys = '{keys}',"
        " start = '2025-01-02T14:30:00Z', spacing = '1ms');"
        f" CREATE SINK file WITH (connector = 'file', path = '{path}', format = 'csv', header = 'false');"
        " INSERT INTO file SELECT SUBSTRING(REPLACE(REPLACE(CAST(trade_time AS VARCHAR), 'T', ' '), 'Z', ''), 1, 23) AS trade_time,"
        " symbol, trader_id, price, quantity FROM made;"
    )
    ran = subprocess.run([binary, "run", "--processor", "inline", "-"], input=sql, text=True, capture_output=True)
    if ran.returncode != 0:
        sys.exit(f"cannot make {path}:\n{ran.stderr}")


def main():
    parser = argparse.ArgumentParser(description="Compares corelane with Apache Flink over the same CSV file.")
    parser.add_argument("--corelane", required=True, help="the release binary")
    parser.add_argument("--data", required=True, help="a directory for the files")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--keys", type=int, default=100, help="distinct symbols, and traders")
    parser.add_argument("--threads", type=int, default=1, help="parallelism and partitions, and CPUs to pin to")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="a file for every figure")
    arguments = parser.parse_args()
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[: arguments.threads]))
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    from pyflink.version import __version__ as version

    large, small = (os.path.join(arguments.data, name) for name in ("trades.csv", "few.csv"))
    write(arguments.corelane, large, arguments.rows, arguments.keys)
    write(arguments.corelane, small, CHECKED_ROWS, arguments.keys)
    environments = {mode: environment(mode, arguments.threads, None) for mode in ("streaming", "batch")}
    check(arguments.corelane, environments, small, cores, arguments.threads)
    for tables in environments.values():
        declare(tables, large)
    figures = []
    for name, (ours, theirs, modes) in SCENARIOS.items():
        rates = {"corelane": []} | {mode: [] for mode in modes}
        for number in range(arguments.rounds + 1):
            for mode in modes:
                rates[mode].append(arguments.rows / flink(environments[mode], theirs, number))
            seconds, _ = corelane(arguments.corelane, corelane_sql(large, ours, sink=True), cores, arguments.threads)
            rates["corelane"].append(arguments.rows / seconds)
        # The first round warms the JVM up and fills the page cache.
        middle = {contender: statistics.median(rates[1:]) for contender, rates in rates.items()}
        mode = max(modes, key=middle.get)
        figures.append({"scenario": name, "mode": mode, "flink": middle[mode], "corelane": middle["corelane"], "rounds": rates})
    print(f"Flink {version}, {arguments.rows} rows, {arguments.threads} thread(s) on CPU {cores}, median of {arguments.rounds} rounds; million rows/s\n")
    print("| scenario | Flink | mode | corelane | ÷ Flink |\n|---|---|---|---|---|")
    for figure in figures:
        ratio = figure["corelane"] / figure["flink"]
        print(f"| {figure['scenario']} | {figure['flink'] / 1e6:.3g} | {figure['mode']} | {figure['corelane'] / 1e6:.3g} | {ratio:.3g} |")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
