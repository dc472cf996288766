"""Reads the result of a query as Arrow record batches, which DuckDB converts itself, and prints what that took as JSON.

arrow-scan.py VIEWS QUERY THREADS    THREADS 0: DuckDB's default
"""

import json
import sys
import time

import duckdb

BATCH_ROWS = 16_384

views, query, threads = sys.argv[1:]
connection = duckdb.connect()
if threads != "0":
    connection.execute(f"SET threads = {threads}")
connection.execute(views)


def scan():
    rows = 0
    start, cpu_start = time.perf_counter(), time.process_time()
    for batch in connection.execute(query).to_arrow_reader(BATCH_ROWS):
        rows += batch.num_rows
    return (time.perf_counter() - start) * 1000, (time.process_time() - cpu_start) * 1000, rows


# The first scan reads the file into the cache of the system.
scan()
ms, cpu_ms, rows = scan()
print(json.dumps({"ms": ms, "cpuMs": cpu_ms, "rows": rows}))
