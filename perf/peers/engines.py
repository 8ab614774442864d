"""One engine in a process of its own, for compare.py: commands and answers are JSON, one a line.

Each engine offers forms: ways to hold the table and to say the query. `load` brings the table into memory in every form,
outside the clock; `run` runs one query in one form once. The clock stops when all rows of the result lie in memory in Arrow's
layout. Nothing is kept from run to run but the table.
"""

import argparse
import json
import os
import sys
import time


def read(path):
    import pyarrow as pa

    with pa.OSFile(path) as file:  # into memory of our own: a mapped file would be paged in under the clock
        return pa.ipc.open_file(file).read_all()


# With more values than this a column of codes is offered as text only, except to Polars: to make a DuckDB ENUM of millions of
# values, to write out a ClickHouse LowCardinality of them, or to hand their dictionary to DataFusion batch by batch takes minutes.
CODED_VALUES_MAX = 100_000

AS_TEXT = ", as text"

AGGREGATES = "COUNT(*) AS n, SUM(quantity) AS s, AVG(price) AS a, MIN(price) AS lo, MAX(price) AS hi"


def sql(query, key, table, bucket, above, aggregates=AGGREGATES):
    """The query in the SQL that DuckDB, DataFusion and ClickHouse share; `bucket` is the start of the row's window."""
    over = f"OVER (PARTITION BY {key} ORDER BY trade_time ROWS BETWEEN 99 PRECEDING AND CURRENT ROW)"
    return {
        "group_by": f"SELECT {key} AS k, {aggregates} FROM {table} GROUP BY {key}",
        "tumbling": f"SELECT {bucket} AS w, {key} AS k, {aggregates} FROM {table} GROUP BY w, k",
        "rows": f"SELECT {key} AS k, price AS p, AVG(price) {over} AS a, MIN(price) {over} AS lo, MAX(price) {over} AS hi "
        f"FROM {table}",
        "filter_sum": f"SELECT SUM(price) AS a FROM {table} WHERE price > {above}",
    }[query]


class DuckDB:
    def __init__(self, options):
        import duckdb

        self.options = options
        self.connection = duckdb.connect()
        self.connection.execute(f"SET threads = {options.threads}")
        self.connection.execute("SET preserve_insertion_order = false")
        self.connection.execute("SET enable_progress_bar = false")
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("ATTACH ':memory:' AS packed (COMPRESS)")
        self.version = duckdb.__version__

    def load(self, path):
        for name in ("plain", "packed.packed"):
            self.connection.execute(f"DROP TABLE IF EXISTS {name}")
        self.connection.execute("DROP TYPE IF EXISTS code")
        import pyarrow as pa

        # TIMESTAMP instead of TIMESTAMPTZ: finding its window needs no calendar.
        table = read(path)
        table = table.set_column(0, "trade_time", table["trade_time"].cast(pa.timestamp("us")))
        self.connection.register("arrow", table)
        names = table["code"].chunk(0).dictionary
        self.is_coded = len(names) <= CODED_VALUES_MAX
        columns = "trade_time, symbol, id, price, quantity"
        coded = ""
        if self.is_coded:
            self.connection.register("names", pa.table({"name": names}))
            self.connection.execute("CREATE TYPE code AS ENUM (SELECT name FROM names)")
            coded = ", code::code AS code"
        self.connection.execute(f"CREATE TABLE plain AS SELECT {columns}{coded} FROM arrow")
        self.connection.execute(f"CREATE TABLE packed.packed AS SELECT {columns} FROM arrow")
        self.connection.execute("CHECKPOINT packed")
        return table.num_rows

    def forms(self, query, key):
        forms = ["table", "packed table", "arrow"]
        if key == "code":
            # The packed table keeps text by dictionary anyhow.
            forms = ["table"] if self.is_coded else []
        return forms + [f"{form}, integer bucket" for form in forms if form != "arrow"] if query == "tumbling" else forms

    def run(self, query, key, form):
        step = f"{self.options.window_s} seconds"
        bucket = f"time_bucket(INTERVAL '{step}', trade_time)"
        if "integer" in form:
            bucket = f"epoch_us(trade_time) // {self.options.window_s * 1_000_000}"
        table = {"table": "plain", "packed table": "packed.packed", "arrow": "arrow"}[form.split(",")[0]]
        text = sql(query, key, table, bucket, self.options.above)
        started = time.perf_counter()
        result = self.connection.sql(text).to_arrow_table()
        return time.perf_counter() - started, result


class Polars:
    def __init__(self, options):
        os.environ["POLARS_MAX_THREADS"] = str(options.threads)
        import polars

        self.polars = polars
        self.options = options
        assert polars.thread_pool_size() == options.threads
        self.version = polars.__version__

    def load(self, path):
        self.frame = None
        self.frame = self.polars.from_arrow(read(path), rechunk=True)
        return self.frame.height

    def forms(self, query, key):
        forms = ["in-memory", "streaming"]
        return [*forms, "streaming, integer bucket"] if query == "tumbling" else forms

    def run(self, query, key, form):
        pl, options = self.polars, self.options
        price = pl.col("price")
        aggregates = [
            pl.len().alias("n"),
            pl.col("quantity").sum().alias("s"),
            price.mean().alias("a"),
            price.min().alias("lo"),
            price.max().alias("hi"),
        ]
        frame = self.frame.lazy()
        if query == "group_by":
            frame = frame.group_by(pl.col(key).alias("k")).agg(aggregates)
        elif query == "tumbling":
            bucket = pl.col("trade_time").dt.truncate(f"{options.window_s}s").alias("w")
            if "integer" in form:
                bucket = (pl.col("trade_time").to_physical() // (options.window_s * 1_000_000)).alias("w")
            frame = frame.group_by(bucket, pl.col(key).alias("k")).agg(aggregates)
        elif query == "rows":
            rolling = [
                price.rolling_mean(100, min_samples=1).alias("a"),
                price.rolling_min(100, min_samples=1).alias("lo"),
                price.rolling_max(100, min_samples=1).alias("hi"),
            ]
            frame = frame.select(
                pl.col(key).alias("k"), price.alias("p"), *(r.over(key, order_by="trade_time") for r in rolling)
            )
        else:
            frame = frame.filter(price > options.above).select(price.sum().alias("a"))
        started = time.perf_counter()
        result = frame.collect(engine=form.split(",")[0])
        # No copy: the newest level keeps text and categories as they lie in memory.
        result = result.to_arrow(compat_level=pl.CompatLevel.newest())
        return time.perf_counter() - started, result


class DataFusion:
    def __init__(self, options):
        import datafusion

        self.datafusion = datafusion
        self.options = options
        self.version = datafusion.__version__

    def load(self, path):
        import pyarrow as pa

        self.contexts = {}
        table = read(path)
        self.is_coded = len(table["code"].chunk(0).dictionary) <= CODED_VALUES_MAX
        if not self.is_coded:
            table = table.drop_columns("code")
        view = table.set_column(1, "symbol", table["symbol"].cast(pa.string_view()))
        for form, source, size in [
            ("text", table, 8192),
            ("views", view, 8192),
            ("views, batches of 65536", view, 65536),
        ]:
            config = self.datafusion.SessionConfig().with_target_partitions(self.options.threads).with_batch_size(size)
            context = self.datafusion.SessionContext(config)
            batches = source.to_batches(max_chunksize=size)
            # One partition of the table for each thread.
            share = -(-len(batches) // self.options.threads)
            context.register_record_batches("t", [batches[i : i + share] for i in range(0, len(batches), share)])
            self.contexts[form] = context
        return table.num_rows

    def forms(self, query, key):
        if key == "code" and not self.is_coded:
            return []
        forms = list(self.contexts)
        return [*forms, "views, integer bucket"] if query == "tumbling" else forms

    def run(self, query, key, form):
        import pyarrow as pa

        bucket = f"date_bin(INTERVAL '{self.options.window_s} seconds', trade_time)"
        context = self.contexts[form.removesuffix(", integer bucket")]
        if "integer" in form:
            bucket = f"CAST(trade_time AS BIGINT) / {self.options.window_s * 1_000_000}"
        text = sql(query, key, "t", bucket, self.options.above)
        started = time.perf_counter()
        batches = context.sql(text).collect()
        return time.perf_counter() - started, pa.Table.from_batches(batches)


class ClickHouse:
    def __init__(self, options):
        import chdb

        self.options = options
        self.connection = chdb.connect(":memory:")
        self.query(f"SET max_threads = {options.threads}")
        # Compiled aggregates are for queries that come again, which these do.
        self.query("SET min_count_to_compile_aggregate_expression = 0")
        self.query("SET min_count_to_compile_expression = 0")
        self.version = f"{chdb.__version__} (ClickHouse {chdb.engine_version})"

    def query(self, text, form="CSV"):
        return self.connection.query(text, form)

    def load(self, path):
        import pyarrow as pa

        with pa.memory_map(path) as file:
            self.is_coded = len(pa.ipc.open_file(file).get_batch(0)["code"].dictionary) <= CODED_VALUES_MAX
        columns = "trade_time DateTime64(6, 'UTC'), symbol String, id Int64, price Float64, quantity Int64"
        columns += ", code LowCardinality(String)" if self.is_coded else ""
        self.query("DROP TABLE IF EXISTS memory")
        self.query(f"CREATE TABLE memory ({columns}) ENGINE = Memory")
        # Codes are made from the text: read as codes, the whole dictionary would be taken in anew for every batch.
        code = ", symbol AS code" if self.is_coded else ""
        source = f"SELECT trade_time, symbol, id, price, quantity{code} FROM file('{path}', Arrow)"
        self.query(f"INSERT INTO memory {source}")
        return int(self.query("SELECT count() FROM memory").bytes())

    def forms(self, query, key):
        if key == "code" and not self.is_coded:
            return []
        return ["memory"] + (["memory, integer bucket"] if query == "tumbling" else [])

    def run(self, query, key, form):
        import pyarrow as pa

        bucket = f"toStartOfInterval(trade_time, INTERVAL {self.options.window_s} SECOND)"
        if "integer" in form:
            bucket = f"intDiv(toUnixTimestamp64Micro(trade_time), {self.options.window_s * 1_000_000})"
        text = sql(query, key, form.split(",")[0], bucket, self.options.above)
        text += " SETTINGS output_format_arrow_string_as_string = 1, output_format_arrow_compression_method = 'none'"
        text += ", output_format_arrow_low_cardinality_as_dictionary = 1"
        started = time.perf_counter()
        result = self.query(text, "Arrow").bytes()
        result = pa.ipc.open_file(pa.BufferReader(result)).read_all()
        return time.perf_counter() - started, result


def sums(table, window_s):
    """The sums that benches/peers.rs takes over corelane's results."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    def plain(column):
        if pa.types.is_dictionary(column.type):
            text = pa.large_string()
            column = pa.chunked_array([c.dictionary.cast(text).take(c.indices) for c in column.chunks], text)
        return column

    table = pa.table({name: plain(table[name]) for name in table.column_names})
    weights = table["n"].to_numpy().astype(np.float64) if "n" in table.column_names else 1.0
    found = {}
    for name in table.column_names:
        column = table[name]
        if column.null_count:
            raise SystemExit(f"column {name} has {column.null_count} NULLs")
        if name == "k":
            if not pa.types.is_integer(column.type):
                text = column.cast(pa.large_string())
                column = pc.utf8_slice_codeunits(text, 1).cast(pa.int64())
            found[name] = float(np.sum(column.to_numpy().astype(np.float64) * weights))
        elif name == "w":
            if pa.types.is_uint32(column.type):  # ClickHouse's DateTime
                seconds = column.to_numpy().astype(np.int64)
            elif pa.types.is_integer(column.type):
                seconds = column.to_numpy() * window_s
            else:
                seconds = column.to_numpy().astype("datetime64[s]").astype(np.int64)
            found[name] = float(np.sum(seconds % 86_400 * weights))
        else:
            found[name] = float(np.sum(column.to_numpy().astype(np.float64)))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--window-s", type=int, default=60)
    parser.add_argument("--above", type=float, default=500.0)
    options = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    engine = {"duckdb": DuckDB, "polars": Polars, "datafusion": DataFusion, "clickhouse": ClickHouse}[options.engine](options)
    print(json.dumps({"version": engine.version}), file=answers, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "load":
            answer = {"rows": engine.load(command["path"])}
        elif command["do"] == "forms":
            forms = engine.forms(command["query"], command["key"])
            if command["key"] == "code":
                # An engine may be faster on the text than on its codes: its best form is what counts.
                forms += [form + AS_TEXT for form in engine.forms(command["query"], "symbol")]
            answer = {"forms": forms}
        else:
            form = command["form"].removesuffix(AS_TEXT)
            key = command["key"] if form == command["form"] else "symbol"
            cpu_s = time.process_time()
            seconds, result = engine.run(command["query"], key, form)
            answer = {"seconds": seconds, "cpu_seconds": time.process_time() - cpu_s, "rows": result.num_rows}
            if command["check"]:
                answer["sums"] = sums(result, options.window_s)
            del result
        print(json.dumps(answer), file=answers, flush=True)


main()
