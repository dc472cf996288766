import { expect, test } from "bun:test";

import { readExtract, type TablePlan } from "../../lib/extract/mod.ts";
import { int64, table, utf8, type Row } from "../../lib/kit/mod.ts";
import { sorted, incremental, openBench, type Bench } from "./harness.ts";

const info = table(
  "events",
  { id: int64({ nullable: false }), day: utf8(), v: int64() },
  { primaryKey: ["id"], cursor: "v" },
);
const plan = (overrides: Partial<TablePlan> = {}) =>
  incremental(info, { strategy: "partitioned", partitionBy: "day", ...overrides });
const parts = async (bench: Bench) =>
  (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts.map(
    (part) => [part.partition, part.rows, part.path] as const,
  );

const first: Row[] = [
  { id: 1, day: "2026-01-05", v: 1 },
  { id: 2, day: "2026-01-31T23:59:59Z", v: 1 },
  { id: 3, day: "2026-02-01 00:00:00", v: 1 },
  { id: 4, day: "2026-02-01T01:00:00+02:00", v: 1 },
  { id: 5, day: "not a day", v: 1 },
  { id: 6, day: null, v: 1 },
  { id: 7, day: "2025-12-31", v: 1 },
];

test("extractSource() partitions a table by month, with unreadable values in a separate partition", async () => {
  await using bench = await openBench();
  await bench.run([plan()], () => [first]);
  expect(sorted((await parts(bench)).map(([label, rows]) => [label, rows]))).toEqual([
    ["2025-12", 1],
    ["2026-01", 3],
    ["2026-02", 1],
    ["unknown", 2],
  ]);
  expect(await bench.rows("SELECT count(*) AS n FROM events")).toEqual([{ n: 7n }]);
});

test("extractSource() moves a row to its new partition and rewrites only the two", async () => {
  await using bench = await openBench();
  await bench.run([plan()], () => [first]);
  const before = await parts(bench);
  const stats = await bench.run([plan()], () => [
    [
      { id: 1, day: "2026-02-20", v: 2 },
      { id: 8, day: "2026-02-21", v: 2 },
    ],
  ]);
  const after = await parts(bench);
  expect(stats.tables[0]!.partsWritten).toBe(2);
  expect(sorted(after.map(([label, rows]) => [label, rows]))).toEqual([
    ["2025-12", 1],
    ["2026-01", 2],
    ["2026-02", 3],
    ["unknown", 2],
  ]);
  const kept = after.filter(([, , path]) => before.some(([, , old]) => old === path));
  expect(sorted(kept.map(([label]) => label))).toEqual(["2025-12", "unknown"]);
  expect(await bench.rows("SELECT day FROM events WHERE id = 1")).toEqual([{ day: "2026-02-20" }]);
  expect(await bench.rows("SELECT count(*) AS n, count(DISTINCT id) AS d FROM events")).toEqual([
    { n: 8n, d: 8n },
  ]);
});

test("extractSource() keeps the last row of a key in a partitioned table", async () => {
  await using bench = await openBench();
  await bench.run([plan({ partitionGranularity: "year" })], () => [
    [...first, { id: 1, day: "2024-01-01", v: 9 }],
  ]);
  expect(sorted((await parts(bench)).map(([label, rows]) => [label, rows]))).toEqual([
    ["2024", 1],
    ["2025", 1],
    ["2026", 3],
    ["unknown", 2],
  ]);
});

test("extractSource() rewrites a partitioned table when its granularity changes", async () => {
  await using bench = await openBench();
  await bench.run([plan()], () => [first]);
  await bench.run([plan({ partitionGranularity: "day" })], () => [first]);
  expect(sorted((await parts(bench)).map(([label]) => label))).toEqual([
    "2025-12-31",
    "2026-01-05",
    "2026-01-31",
    "2026-02-01",
    "unknown",
  ]);
});

test("extractSource() publishes an empty partitioned table", async () => {
  await using bench = await openBench();
  await bench.run([plan()], () => []);
  expect(await bench.rows("SELECT * FROM events")).toEqual([]);
  await bench.run([plan()], () => [first]);
  expect(await bench.rows("SELECT count(*) AS n FROM events")).toEqual([{ n: 7n }]);
});
