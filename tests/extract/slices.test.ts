import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import type { ExtractProgress, TablePlan } from "../../lib/extract/mod.ts";
import { table, utf8, int64, float64, type FileChunk, type FileReading } from "../../lib/kit/mod.ts";
import { openBench, planOf, type Bench } from "./harness.ts";

setDefaultTimeout(60_000);

const reading: FileReading = {
  format: "csv",
  csv: {
    delimiter: ",",
    quote: '"',
    escape: '"',
    header: false,
    names: ["id", "score", "name"],
    nullValues: [""],
    quotedNulls: false,
    encoding: "utf-8",
    decimalSeparator: ".",
    thousandsSeparator: "",
    skipLines: 0,
    comment: "",
    maxLineBytes: 8_000_000,
  },
  columns: [
    { name: "id", type: "BIGINT", isConfigured: true },
    { name: "score", type: "DOUBLE", isConfigured: true },
    { name: "name", type: "VARCHAR", isConfigured: true },
  ],
};
const info = table("t", { id: int64(), score: float64(), name: utf8() });

/** Extracts gzipped CSV slices and returns the published rows in their order. */
async function extract(
  bench: Bench,
  slices: readonly string[],
  plan: Partial<TablePlan> = {},
  onBytesRead: (bytes: number) => void = () => {},
): Promise<Awaited<ReturnType<Bench["run"]>>> {
  const chunks = await Promise.all(
    slices.map(async (text, at): Promise<FileChunk> => {
      const data = await write(bench, `${at}.csv.gz`, gzipSync(text, { level: 1 }));
      return { kind: "file", format: "csv", data, compression: "gzip", reading };
    }),
  );
  const onProgress = ({ bytesRead = 0 }: ExtractProgress) => onBytesRead(bytesRead);
  return bench.run([planOf(info, plan)], () => chunks, { onProgress });
}

async function write(bench: Bench, name: string, bytes: Uint8Array): Promise<string> {
  const folder = join(bench.directory, "reads/t");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), bytes);
  return join(folder, name);
}

const partsOf = (bench: Bench) => bench.rows("SELECT rows FROM _parts ORDER BY ordinal");

/** Rows whose size is more than that from which an automaton checks them. */
const largeSlice = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => `"${from + at}","0.5","${"x".repeat(180)}"\n`).join("");

test("extractSource() copies several slices in one query", async () => {
  await using bench = await openBench();
  const slices = Array.from(
    { length: 11 },
    (_, at) => `"${at * 2}","1.5","a\nb"\n"${at * 2 + 1}",,"0${at}"\n`,
  );
  const bytes: number[] = [];
  const stats = await extract(bench, slices, {}, (bytesRead) => bytes.push(bytesRead));
  expect(stats.errors).toEqual([]);
  expect(stats.tables[0]).toMatchObject({ rows: 22, rowsRead: 22 });
  expect(bytes.at(-1)).toBe(slices.reduce((sum, text) => sum + gzipSync(text, { level: 1 }).length, 0));
  expect(await partsOf(bench)).toEqual([{ rows: 16n }, { rows: 6n }]);
  const rows = await bench.rows<{ id: bigint; score: number | null; name: string }>("FROM t ORDER BY id");
  expect(rows.map(({ id }) => Number(id))).toEqual(Array.from({ length: 22 }, (_, at) => at));
  expect(rows[5]).toEqual({ id: 5n, score: null, name: "02" });
  expect(await readdir(join(bench.directory, "data/t"))).toHaveLength(2);
});

test("extractSource() keeps the last row of a key in the order of the slices", async () => {
  await using bench = await openBench();
  // The first slice takes longest, so without an order its rows come last.
  const rowsOf = (slice: number) =>
    Array.from(
      { length: 20_000 },
      (_, at) => `"${at}","${slice}.5","${"x".repeat(slice === 0 ? 1500 : 1)}"\n`,
    );
  const slices = Array.from({ length: 8 }, (_, slice) => rowsOf(slice).join(""));
  const stats = await extract(bench, slices, { strategy: "incremental", primaryKey: ["id"] });
  expect(stats.errors).toEqual([]);
  expect(await bench.rows("SELECT count(*) AS rows, min(score) AS low, max(score) AS high FROM t")).toEqual([
    { rows: 20_000n, low: 7.5, high: 7.5 },
  ]);
});

test("extractSource() checks all rows of slices that are read by type", async () => {
  const large = largeSlice(0, 60_000);
  // The last slice has a line feed in a value and a number that only its text shows to be exact.
  for (const last of [`"60000","0.5","b"\n`, `"60000","5e-1","a\nb"\n`, `60000,+0.5,"b"\n`]) {
    await using bench = await openBench();
    const stats = await extract(bench, [large, largeSlice(30_000, 30_000), last]);
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]).toMatchObject({ rows: 90_001 });
    expect(await bench.rows("SELECT id, score FROM t WHERE id = 60000")).toEqual([
      { id: 60_000n, score: 0.5 },
    ]);
  }
  await using bench = await openBench();
  const stats = await extract(bench, [large, largeSlice(30_000, 30_000), `"60000.4","0.5","b"\n`]);
  expect(stats.errors[0]!.error).toMatchObject({ details: { column: "id", value: "60000.4", line: 1 } });
});

test("extractSource() reports the value of a slice that does not fit, sets it to null or rejects its row", async () => {
  const slices = [`"1","1.5","a"\n`, `"2","2.5","b"\n"3","x","c"\n`, `"4","4.5","d"\n`];
  await using failing = await openBench();
  const failed = await extract(failing, slices);
  expect(failed.errors[0]!.error).toMatchObject({
    code: "file_value_invalid",
    details: { column: "score", value: "x", line: 2 },
  });
  expect(await readdir(join(failing.directory, "data/t")).catch(() => [])).toEqual([]);

  await using nulled = await openBench();
  const stats = await extract(nulled, slices, { invalidValues: "set_null" });
  expect(stats.errors).toEqual([]);
  expect(await nulled.rows("SELECT id, score FROM t WHERE score IS NULL")).toEqual([{ id: 3n, score: null }]);

  await using rejecting = await openBench();
  const rejected = await extract(rejecting, slices, { quarantine: true, quarantineMaxPercent: 50 });
  expect(rejected.errors).toEqual([]);
  expect(await rejecting.rows("SELECT id FROM t ORDER BY id")).toEqual([{ id: 1n }, { id: 2n }, { id: 4n }]);
});

test("extractSource() reads slices one by one if one of them is damaged, empty or has another encoding", async () => {
  await using bench = await openBench();
  const damaged = await extract(bench, [`"1","1.5","a"\n`, `"2","2.5"\n`]);
  expect(damaged.errors[0]!.error).toMatchObject({ code: "file_unreadable" });
  const read = await extract(bench, [`"1","1.5","a"\n`, "", `\uFEFF"2","2.5","b"\r\n`]);
  expect(read.errors).toEqual([]);
  expect(await bench.rows("SELECT id, name FROM t ORDER BY id")).toEqual([
    { id: 1n, name: "a" },
    { id: 2n, name: "b" },
  ]);
});

test("extractSource() copies Parquet slices in one query, unless their columns differ", async () => {
  await using bench = await openBench();
  await using database = await openDatabase();
  await using connection = await database.connect();
  const parquet: FileReading = { format: "parquet", columns: reading.columns };
  const chunkOf = async (at: number, select: string): Promise<FileChunk> => {
    const data = await write(bench, `${at}.parquet`, new Uint8Array());
    await connection.run(`COPY (${select}) TO '${data}' (FORMAT parquet)`);
    return { kind: "file", format: "parquet", data, compression: "none", reading: parquet };
  };
  const textRows = (at: number) => `SELECT '${at}' AS id, '${at}.5' AS score, 'n' AS name`;
  const alikeChunks = () => Promise.all([0, 1, 2].map((at) => chunkOf(at, textRows(at))));
  const alike = await alikeChunks();
  const empty = await chunkOf(3, `${textRows(3)} WHERE false`);
  const stats = await bench.run([planOf(info)], () => [...alike, empty]);
  expect(stats.errors).toEqual([]);
  expect(await partsOf(bench)).toEqual([{ rows: 3n }]);
  expect(await bench.rows("SELECT id, score FROM t ORDER BY id")).toEqual([
    { id: 0n, score: 0.5 },
    { id: 1n, score: 1.5 },
    { id: 2n, score: 2.5 },
  ]);
  // The folder of a read is removed when its table is published.
  const again = await alikeChunks();
  const typed = await chunkOf(4, "SELECT 4::BIGINT AS id, 4.5::DOUBLE AS score, 'n' AS name");
  const mixed = await bench.run([planOf(info)], () => [...again, typed]);
  expect(mixed.errors).toEqual([]);
  expect(await partsOf(bench)).toHaveLength(4);
  expect(await bench.rows("SELECT sum(id) AS n FROM t")).toEqual([{ n: 7n }]);
  const bad = await chunkOf(5, "SELECT '5.5' AS id, '5.5' AS score, 'n' AS name");
  const others = await alikeChunks();
  const failed = await bench.run([planOf(info)], () => [...others, bad]);
  expect(failed.errors[0]!.error).toMatchObject({
    code: "file_value_invalid",
    details: { column: "id", value: "5.5" },
  });
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 4n }]);
});

test("extractSource() copies files one by one if the connector may remove each after the next", async () => {
  await using bench = await openBench();
  const chunks = async function* (): AsyncGenerator<FileChunk> {
    for (const at of [0, 1, 2]) {
      const data = join(bench.root, `${at}.csv.gz`);
      await writeFile(data, gzipSync(`"${at}","1.5","a"\n`));
      yield { kind: "file", format: "csv", data, compression: "gzip", reading };
      await rm(data);
    }
  };
  const stats = await bench.run([planOf(info)], chunks);
  expect(stats.errors).toEqual([]);
  expect(await partsOf(bench)).toEqual([{ rows: 1n }, { rows: 1n }, { rows: 1n }]);
});

test("extractSource() leaves no part if one of many slices is invalid, and stops reading", async () => {
  await using bench = await openBench();
  let yielded = 0;
  const chunks = async function* (): AsyncGenerator<FileChunk> {
    for (let at = 0; at < 400; at += 1) {
      const text = `"${at}","${at === 20 ? "x" : "1.5"}","a"\n`;
      const data = await write(bench, `${at}.csv.gz`, gzipSync(text, { level: 1 }));
      yielded += 1;
      yield { kind: "file", format: "csv", data, compression: "gzip", reading };
    }
  };
  const stats = await bench.run([planOf(info)], chunks);
  expect(stats.errors[0]!.error).toMatchObject({ code: "file_value_invalid", details: { value: "x" } });
  expect(await readdir(join(bench.directory, "data/t")).catch(() => [])).toEqual([]);
  expect(yielded).toBeLessThan(400);
});

test("extractSource() names a file in errors by its label, and never by the path of a temporary file", async () => {
  await using bench = await openBench();
  const data = await write(bench, "s.csv", Buffer.from(`"1","x","a"\n`));
  const bytes = async function* () {
    yield Buffer.from(`"1","y","a"\n`);
  };
  for (const [chunk, file] of [
    [{ data, label: "slice 1 of 1" }, "slice 1 of 1"],
    [{ data: bytes() }, "a yielded file"],
  ] as const) {
    const stats = await bench.run([planOf(info)], () => [{ kind: "file", format: "csv", reading, ...chunk }]);
    expect(stats.errors[0]!.error).toMatchObject({ code: "file_value_invalid", details: { file } });
    expect(stats.errors[0]!.error.message).not.toContain(bench.root);
  }
});

test("extractSource() reads slices with lines longer than the buffers of slices that are read together", async () => {
  await using bench = await openBench();
  const long = "y".repeat(3_000_000);
  const stats = await extract(bench, [`"1","1.5","a"\n`, `"2","2.5","${long}"\n`, `"3","3.5","c"\n`]);
  expect(stats.errors).toEqual([]);
  expect(await partsOf(bench)).toEqual([{ rows: 1n }, { rows: 1n }, { rows: 1n }]);
  expect(await bench.rows("SELECT id, length(name) AS length FROM t")).toEqual([
    { id: 1n, length: 1n },
    { id: 2n, length: 3_000_000n },
    { id: 3n, length: 1n },
  ]);
});
