"""Writes TPC-H as CSV and as Parquet, and its queries with their answers. Usage: generate.py DIRECTORY SCALE"""

import importlib.metadata
import json
import os
import sys

import duckdb

directory, scale = sys.argv[1], float(sys.argv[2])
package = importlib.metadata.distribution("duckdb-extension-tpch")
extension = next(file.locate() for file in package.files if file.name == "tpch.duckdb_extension")

connection = duckdb.connect()
connection.execute(f"LOAD '{extension}'")
connection.execute(f"CALL dbgen(sf = {scale})")
for kind, options in (("csv", "FORMAT csv, HEADER"), ("parquet", "FORMAT parquet")):
    os.makedirs(os.path.join(directory, kind))
    for (table,) in connection.execute("SHOW TABLES").fetchall():
        path = os.path.join(directory, kind, f"{table}.{kind}")
        connection.execute(f"COPY {table} TO '{path}' ({options})")

queries = []
for number, sql in connection.execute("SELECT query_nr, query FROM tpch_queries() ORDER BY 1").fetchall():
    answer = connection.execute(
        "SELECT answer FROM tpch_answers() WHERE query_nr = ? AND scale_factor = ?", [number, scale]
    ).fetchone()[0]
    types = [str(column[1]) for column in connection.execute(sql).description]
    queries.append({"number": number, "sql": sql, "answer": answer, "types": types})
with open(os.path.join(directory, "queries.json"), "w") as file:
    json.dump(queries, file)
