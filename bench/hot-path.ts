// How fast an asynchronous Arrow source becomes one Parquet file, beside DuckDB copying the same rows from its own
// memory with its defaults, and how memory grows with rows.
//
//   bun bench/hot-path.ts [--rows 5000000] [--rounds 3]
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { copyToParquet, openDatabase, openStream, type StreamSource } from "../lib/duckdb/mod.ts";
import { benchBatches, benchSchema, prepareBench } from "./generator.ts";

const { values } = parseArgs({
  options: { rows: { type: "string" }, rounds: { type: "string" }, memory: { type: "string" } },
});
const rows = Number(values.rows ?? 5_000_000);
const rounds = Number(values.rounds ?? 3);
/** Only with a cap do peaks compare: DuckDB takes what it is given. */
const limits = { memoryMb: 256 };

/** The highest resident memory of this process so far, in MB. */
async function peakMb(): Promise<number> {
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const [, peakKb] = /VmHWM:\s+(\d+)/.exec(status) ?? [];
  return peakKb === undefined ? process.resourceUsage().maxRSS / 1024 : Number(peakKb) / 1024;
}

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function sourceOf(count: number, spent?: { generatorMs: number }): StreamSource {
  return { schema: benchSchema, rows: count, open: () => benchBatches(count, spent) };
}

/** One process, one copy, its peak: the figures of `--memory`. */
async function measureMemory(count: number): Promise<void> {
  await inDirectory(async (directory) => {
    await using database = await openDatabase({ limits });
    await copyToParquet(database, { kind: "stream", source: sourceOf(count) }, join(directory, "a.parquet"));
  });
  console.log((await peakMb()).toFixed(0));
}

async function ours(directory: string): Promise<{ ms: number; generatorMs: number; sizeMb: number }> {
  await using database = await openDatabase();
  const path = join(directory, "ours.parquet");
  const spent = { generatorMs: 0 };
  const began = performance.now();
  const result = await copyToParquet(database, { kind: "stream", source: sourceOf(rows, spent) }, path);
  const ms = performance.now() - began;
  if (result.rows !== rows) throw new Error(`${result.rows} rows were written of ${rows}`);
  return { ms, generatorMs: spent.generatorMs, sizeMb: result.sizeBytes / 1e6 };
}

async function measureSpeed(): Promise<void> {
  prepareBench();
  await inDirectory(async (directory) => {
    await using database = await openDatabase({
      settings: { preserve_insertion_order: "true", external_threads: "1" },
    });
    await using connection = await database.connect();
    const table = openStream(database, sourceOf(rows));
    await connection.run(`CREATE TABLE bench AS SELECT * FROM ${table.relation}`);
    const best = {
      ours: Number.POSITIVE_INFINITY,
      net: Number.POSITIVE_INFINITY,
      duckdb: Number.POSITIVE_INFINITY,
    };
    for (let round = 1; round <= rounds; round++) {
      const path = join(directory, "duckdb.parquet");
      const began = performance.now();
      await connection.run(`COPY bench TO '${path}' (FORMAT parquet, COMPRESSION zstd)`);
      const duckdbMs = performance.now() - began;
      const duckdbMb = (await stat(path)).size / 1e6;
      const mine = await ours(directory);
      best.duckdb = Math.min(best.duckdb, duckdbMs);
      best.ours = Math.min(best.ours, mine.ms);
      best.net = Math.min(best.net, mine.ms - mine.generatorMs);
      console.log(
        `round ${round}: DuckDB from memory ${rate(duckdbMs)} (${duckdbMb.toFixed(0)} MB), ` +
          `source to Parquet ${rate(mine.ms)} (${mine.sizeMb.toFixed(0)} MB; ` +
          `${(mine.generatorMs / 1000).toFixed(2)} s of it spent making the rows)`,
      );
    }
    console.log(
      `ratio of the best: ${(best.duckdb / best.ours).toFixed(2)} with making the rows, ` +
        `${(best.duckdb / best.net).toFixed(2)} without`,
    );
  });
}

function rate(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s = ${(rows / ms / 1000).toFixed(2)} M rows/s`;
}

/** The median of three processes: when garbage is collected moves a single peak by a tenth. */
function memoryOf(count: number): number {
  const args = [process.argv[1]!, "--memory", String(count)];
  const peaks = [1, 2, 3].map(() =>
    Number(execFileSync(process.execPath, args, { encoding: "utf8" }).trim()),
  );
  return peaks.sort((left, right) => left - right)[1]!;
}

if (values.memory === undefined) {
  await measureSpeed();
  const [small, large] = [memoryOf(rows), memoryOf(rows * 4)];
  console.log(
    `peak memory: ${small} MB for ${rows} rows, ${large} MB for ${rows * 4} (${((large / small - 1) * 100).toFixed(0)} % more)`,
  );
} else await measureMemory(Number(values.memory));
