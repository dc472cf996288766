import { expect, setDefaultTimeout, test } from "bun:test";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createHost } from "../../lib/base/mod.ts";
import { openDatabase, openFile } from "../../lib/duckdb/mod.ts";
import { countBytes } from "../../lib/extract/write/count-bytes.ts";
import { extractSource, type ExtractProgress } from "../../lib/extract/mod.ts";
import { int64, table, utf8, type FileChunk, type FileReading, type ReadOptions } from "../../lib/kit/mod.ts";
import { openBench, planOf, sourceOf } from "./harness.ts";

setDefaultTimeout(120_000);

const columns = { id: int64(), name: utf8() };
const ROWS = 1_500_000;

/** A clock that advances far between two calls, so that no report is omitted. */
const slowClock = () => {
  let ms = 0;
  return { monotonicMs: () => (ms += 1_000) };
};

const FORMATS = [
  ["csv", "(FORMAT csv, HEADER)"],
  ["ndjson", "(FORMAT json)"],
  ["parquet", "(FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 20480)"],
] as const;

for (const [format, options] of FORMATS) {
  test(`extractSource() reports the bytes of a large ${format} file while it is copied`, async () => {
    await using bench = await openBench(slowClock());
    const path = join(bench.root, `large.${format}`);
    {
      await using database = await openDatabase();
      await using connection = await database.connect();
      const sql = `SELECT i AS id, 'the name of ' || (i * 7919 % 1000003) AS name FROM range(${ROWS}) r(i)`;
      await connection.run(`COPY (${sql}) TO '${path}' ${options}`);
    }
    const totalBytes = (await stat(path)).size;
    const info = table("t", columns, { estimatedBytes: totalBytes });
    const chunk: FileChunk = {
      kind: "file",
      format,
      data: path,
      origin: `large.${format}`,
    };
    const seen: ExtractProgress[] = [];
    const stats = await bench.run([planOf(info)], () => [chunk], { onProgress: (one) => seen.push(one) });
    expect(stats.errors).toEqual([]);
    expect(stats.totalRows).toBe(ROWS);
    const bytes = seen.flatMap(({ bytesRead }) => bytesRead ?? []);
    expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
    const underway = new Set(bytes.filter((one) => one < totalBytes));
    expect(underway.size).toBeGreaterThanOrEqual(2);
    expect(seen.at(-1)).toMatchObject({ phase: "done", bytesRead: totalBytes, totalBytes });
  });
}

test("extractSource() adds up the bytes of files, and omits a total that was exceeded", async () => {
  await using bench = await openBench(slowClock());
  const chunks = await Promise.all(
    ["a", "b"].map(async (name): Promise<FileChunk> => {
      const data = join(bench.root, `${name}.csv`);
      await writeFile(data, `id,name\n1,${name}\n`);
      return { kind: "file", format: "csv", data, origin: name };
    }),
  );
  const run = async (estimatedBytes: number) => {
    const seen: ExtractProgress[] = [];
    const info = table("t", columns, { estimatedBytes });
    await bench.run([planOf(info)], () => chunks, { onProgress: (one) => seen.push(one), full: true });
    return seen.at(-1)!;
  };
  expect(await run(24)).toMatchObject({ bytesRead: 24, totalBytes: 24 });
  const passed = await run(12);
  expect(passed.bytesRead).toBe(24);
  expect(passed).not.toHaveProperty("totalBytes");
});

test("extractSource() reports phases and totals as the source reports them, without secrets", async () => {
  await using bench = await openBench(slowClock());
  const seen: ExtractProgress[] = [];
  const info = table("t", columns, { estimatedRows: 7 });
  const connector = {
    async *read(_info: unknown, { onProgress }: ReadOptions) {
      onProgress!({ phase: "exporting for t0ken-value" });
      onProgress!({ totalRows: 3 });
      onProgress!({ phase: "downloading 1 of 1", totalRows: Number.NaN, totalBytes: -1 });
      yield [{ id: 1, name: "a" }];
    },
  };
  const source = { ...sourceOf(connector), secrets: ["t0ken-value"] };
  const request = { directory: bench.directory, source, tables: [planOf(info)] };
  await extractSource(bench.services, { ...request, onProgress: (one) => seen.push(one) });
  const phases = seen.map(({ sourcePhase, totalRows }) => `${sourcePhase} ${totalRows}`);
  expect(phases[0]).toBe("undefined 7");
  expect(phases).toContain("exporting for [redacted] 7");
  expect(phases).toContain("exporting for [redacted] 3");
  expect(phases).toContain("downloading 1 of 1 3");
  expect(phases.at(-1)).toBe("undefined 3");
  expect(seen.every((one) => !("totalBytes" in one))).toBe(true);
});

test("bytes scanned before the copy of a JSON file count half", async () => {
  await using bench = await openBench();
  const data = join(bench.root, "t.json");
  const content = JSON.stringify(Array.from({ length: 100_000 }, (_, id) => ({ id, name: `name ${id}` })));
  await writeFile(data, content);
  await using database = await openDatabase();
  await using connection = await database.connect();
  const reading: FileReading = {
    format: "json",
    columns: [
      { name: "id", type: "BIGINT" },
      { name: "name", type: "VARCHAR" },
    ],
  };
  const scanned: number[] = [];
  const chunk = { kind: "file", format: "json", data, reading } as const;
  await using _ = await openFile(chunk, { connection, onBytesScanned: (bytes) => scanned.push(bytes) });
  expect(scanned.length).toBeGreaterThan(1);
  expect(scanned.reduce((sum, bytes) => sum + bytes)).toBe(content.length);
  const reported: number[] = [];
  const services = { host: createHost() };
  const job = { run: { services }, progress: { readBytes: (bytes: number) => reported.push(bytes) } };
  await countBytes(job as never, connection, data, async (onBytesScanned) => {
    onBytesScanned(1_000);
    onBytesScanned(500);
    onBytesScanned(content.length);
    expect(reported).toEqual([500, 250, Math.floor(content.length / 2) - 750]);
  });
  expect(reported.reduce((sum, bytes) => sum + bytes)).toBe(content.length);
});

test("watchProgress() grows while a statement runs, prints nothing and stops when it is disposed", async () => {
  await using database = await openDatabase();
  await using connection = await database.connect();
  const shares: number[] = [];
  {
    using _ = await connection.watchProgress((share) => shares.push(share), 1);
    await connection.run(`CREATE TABLE t AS SELECT i, hash(i) AS h FROM range(8000000) r(i)`);
    await connection.run("SELECT sum(h), count(DISTINCT h) FROM t");
    const [printed] = await connection.rows("SELECT current_setting('enable_progress_bar_print') AS it");
    expect(printed).toEqual({ it: false });
  }
  expect(shares.length).toBeGreaterThan(1);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  expect(shares.at(0)).toBeGreaterThan(0);
  expect(shares.at(-1)).toBeLessThanOrEqual(1);
});
