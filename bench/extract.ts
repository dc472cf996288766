/**
 * The whole runtime against DuckDB alone: an asynchronous Arrow source of 8 columns, through `extractSource` to a
 * published extract, and DuckDB copying the same rows from memory to zstd Parquet with its defaults. The source's
 * batches are made beforehand. Then the peak memory of the runtime at 5M and at 20M rows, each in a process of its own.
 *
 *   npx bun bench/extract.ts [--rows 5000000] [--no-memory]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { openDatabase, openStream } from "../lib/duckdb/mod.ts";
import type { RecordBatch } from "apache-arrow";
import { freshBatches, orders, peakMemoryMb, pooledBatches } from "./extract-data.ts";
import { extractOne } from "./extract-one.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "5000000" },
    memory: { type: "boolean", default: true },
    child: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const rows = Number(values.rows);
const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
try {
  if (values.child) await child();
  else await parent();
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function parent(): Promise<void> {
  const batches = pooledBatches(rows);
  const runtime: number[] = [];
  const alone: number[] = [];
  await extractOne(join(directory, "warm"), orders, pooledBatches(200_000));
  for (let round = 0; round < 5; round++) {
    alone.push(await duckdbAlone(batches));
    const start = performance.now();
    const stats = await extractOne(join(directory, `run-${round}`), orders, batches);
    runtime.push((performance.now() - start) / 1000);
    if (stats.totalRows !== rows) throw new Error(`${stats.totalRows} rows were published`);
    if (round === 0) console.log(`${stats.tables[0]!.parts} parts, ${Math.round(stats.totalBytes / 1e6)} MB`);
    await rm(join(directory, `run-${round}`), { recursive: true });
  }
  const middle = (figures: readonly number[]) =>
    figures.toSorted((one, other) => one - other)[Math.floor(figures.length / 2)]!;
  const [a, b] = [middle(alone), middle(runtime)];
  // The speed of a machine changes from one round to the next, within a round hardly.
  const ratio = middle(alone.map((seconds, round) => seconds / runtime[round]!));
  const rate = (seconds: number) => `${(rows / seconds / 1e6).toFixed(2)}M rows/s`;
  console.log(`DuckDB alone, memory to Parquet, its defaults: ${a.toFixed(2)} s, ${rate(a)}`);
  console.log(`runtime, asynchronous Arrow to published extract: ${b.toFixed(2)} s, ${rate(b)}`);
  console.log(`ratio ${ratio.toFixed(2)} (at least 0.9)`);
  if (!values.memory) return;
  const [small, large] = [await memoryOf(rows), await memoryOf(rows * 4)];
  console.log(`peak memory: ${small} MB at ${rows} rows, ${large} MB at ${rows * 4} rows`);
  console.log(`ratio ${(large / small).toFixed(2)} (at most 1.15, and under 450 MB)`);
}

async function child(): Promise<void> {
  await extractOne(join(directory, "memory"), orders, () => freshBatches(rows));
  console.log(await peakMemoryMb());
}

async function memoryOf(count: number): Promise<number> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--child", "--rows", String(count)], {
    stdout: "pipe",
  });
  const [text, status] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (status !== 0) throw new Error(`the process with ${count} rows ended with ${status}`);
  return Number(text);
}

async function duckdbAlone(batches: () => AsyncGenerator<RecordBatch>): Promise<number> {
  await using database = await openDatabase({ settings: { preserve_insertion_order: "true" } });
  await using connection = await database.connect();
  const stream = openStream(database, { schema: orders.schema, open: batches });
  await connection.run(`CREATE TABLE t AS SELECT * FROM ${stream.relation}`);
  stream.close();
  const path = join(directory, "alone.parquet");
  const start = performance.now();
  await connection.run(`COPY t TO '${path}' (FORMAT parquet, COMPRESSION zstd)`);
  const seconds = (performance.now() - start) / 1000;
  // What it left to be written to the disk must not be paid for by the runtime, which syncs its files.
  await rm(path);
  return seconds;
}
