"""The table that all engines read: random keys and prices, event time rising with a little disorder, fixed by a seed."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

START_US = 1_767_225_600 * 1_000_000  # 2026-01-01 00:00:00 UTC, where a window begins
DISORDER_US = 999_000  # below the second that corelane's watermark allows, so that no record is late
BATCH_ROWS = 1 << 17


def make(directory, rows, keys, seed, windows, window_s, sparse_ids):
    """The path of the Arrow file with this table, written unless it is there."""
    spread = "sparse" if sparse_ids else "dense"
    path = os.path.join(directory, f"t-{rows}-{keys}-{windows}x{window_s}s-{spread}-{seed}.arrow")
    if os.path.exists(path):
        return path
    os.makedirs(directory, exist_ok=True)
    random = np.random.default_rng([seed, rows, keys])
    # Distinct times, so that the order of rows by time is one and the same for all engines. Each row is then moved back
    # behind rows of the second that follows.
    span_us = windows * window_s * 1_000_000
    if span_us < rows:
        raise SystemExit(f"{rows} rows do not fit {span_us} us with distinct times: more windows or longer ones")
    slots = np.arange(rows, dtype=np.int64) * span_us // rows
    order = np.argsort(slots + random.integers(0, DISORDER_US, rows), kind="stable")
    time = pa.array(START_US + slots[order]).cast(pa.timestamp("us", "UTC"))
    numbers = random.integers(0, keys, rows, dtype=np.int32)
    digits = pc.utf8_lpad(pa.array(np.arange(keys)).cast(pa.string()), 7, "0")
    names = pc.binary_join_element_wise("S", digits, "")
    # An odd multiplier permutes 64 bits: distinct ids, far apart.
    ids = numbers.astype(np.int64)
    if sparse_ids:
        ids = ids * np.int64(0x1E3779B97F4A7C15)
    table = pa.table(
        {
            "trade_time": time,
            "symbol": names.take(pa.array(numbers)),
            "code": pa.DictionaryArray.from_arrays(pa.array(numbers), names),
            "id": ids,
            "price": random.uniform(0.0, 1000.0, rows),
            "quantity": random.integers(1, 1000, rows, dtype=np.int64),
        }
    )
    with pa.OSFile(path + ".part", "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)
    os.rename(path + ".part", path)
    return path
