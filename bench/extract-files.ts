/**
 * File chunks through the whole runtime to a published extract, against DuckDB reading the same file into the same
 * Parquet by one bare COPY: CSV, NDJSON and Parquet.
 *
 *   bun bench/extract-files.ts [--rows 5000000]
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { openDatabase, openStream } from "../lib/duckdb/mod.ts";
import type { FileChunk } from "../lib/kit/mod.ts";
import { orders, pooledBatches } from "./extract-data.ts";
import { extractOne } from "./extract-one.ts";

const { values } = parseArgs({ options: { rows: { type: "string", default: "5000000" } } });
const rows = Number(values.rows);
const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
const formats = [
  { format: "csv", write: "FORMAT csv, HEADER", read: "read_csv" },
  { format: "ndjson", write: "FORMAT json", read: "read_json" },
  { format: "parquet", write: "FORMAT parquet, COMPRESSION zstd", read: "read_parquet" },
] as const;

try {
  await using database = await openDatabase();
  await using connection = await database.connect();
  const stream = openStream(database, { schema: orders.schema, open: pooledBatches(rows) });
  await connection.run(`CREATE TABLE t AS SELECT * FROM ${stream.relation}`);
  stream.close();
  for (const { format, write } of formats) {
    await connection.run(`COPY t TO '${join(directory, `rows.${format}`)}' (${write})`);
  }
  await connection.run("DROP TABLE t");
  for (const { format, read } of formats) {
    const path = join(directory, `rows.${format}`);
    const chunk: FileChunk = { kind: "file", format, data: path };
    const bare: number[] = [];
    const runtime: number[] = [];
    for (let round = 0; round < 3; round++) {
      let start = performance.now();
      await connection.run(
        `COPY (SELECT * FROM ${read}('${path}')) TO '${join(directory, "bare.parquet")}'
         (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v1)`,
      );
      bare.push((performance.now() - start) / 1000);
      start = performance.now();
      const stats = await extractOne(
        join(directory, `extract-${format}-${round}`),
        orders,
        async function* () {
          yield chunk;
        },
      );
      runtime.push((performance.now() - start) / 1000);
      if (stats.totalRows !== rows) throw stats.errors[0]?.error ?? new Error(`${stats.totalRows} rows`);
      await rm(join(directory, `extract-${format}-${round}`), { recursive: true });
    }
    const [a, b] = [Math.min(...bare), Math.min(...runtime)];
    const megabytes = Math.round((await stat(path)).size / 1e6);
    console.log(
      `${format}, ${megabytes} MB: bare ${a.toFixed(2)} s, runtime ${b.toFixed(2)} s, ratio ${(b / a).toFixed(2)} (at most 1.15)`,
    );
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
