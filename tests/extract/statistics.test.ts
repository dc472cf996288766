import { join } from "node:path";

import { expect, spyOn, test } from "bun:test";

import { Connection } from "../../lib/duckdb/mod.ts";
import { readExtract, type TablePlan } from "../../lib/extract/mod.ts";
import { float64, int64, table, utf8, type Row, type TableInfo } from "../../lib/kit/mod.ts";
import { incremental, openBench, rowsOf, type Bench } from "./harness.ts";

const info = table(
  "events",
  { id: int64(), day: utf8({ nullable: false }), v: int64() },
  { primaryKey: ["id"], cursor: "v" },
);
const rows: readonly Row[] = [
  { id: 7, day: "2026-01-05", v: 30 },
  { id: 10, day: "2026-02-01", v: null },
  { id: 9, day: "2026-02-02", v: 4 },
];

/** Runs an extraction and returns the queries that measured bounds or null counts of Parquet files. */
async function measuring(bench: Bench, plan: TablePlan, yielded: readonly Row[]): Promise<readonly string[]> {
  using spied = spyOn(Connection.prototype, "rows");
  const stats = await bench.run([plan], () => [yielded]);
  expect(stats.errors).toEqual([]);
  const statements = spied.mock.calls.map(([sql]) => sql);
  return statements.filter((sql) => /read_parquet/.test(sql) && /\b(min|max)\(|IS NULL/.test(sql));
}

/** The stored bounds of each part, and those of the values in its file. */
async function bounds(bench: Bench, { name }: TableInfo, key: string, cursor: string) {
  const { parts } = (await readExtract(bench.services.host.files, bench.directory))!.tables.find(
    (one) => one.name === name,
  )!;
  const kept = parts.map(({ keyMin, keyMax, cursorMin, cursorMax }) => ({
    keyMin,
    keyMax,
    cursorMin,
    cursorMax,
  }));
  const text = (side: string, column: string, as: string) => `CAST(${side}(${column}) AS VARCHAR) AS "${as}"`;
  const list = [
    text("min", key, "keyMin"),
    text("max", key, "keyMax"),
    text("min", cursor, "cursorMin"),
    text("max", cursor, "cursorMax"),
  ];
  const held = await Promise.all(
    parts.map(async ({ path }) => {
      const sql = `SELECT ${list.join(", ")} FROM '${join(bench.directory, path)}'`;
      return (await rowsOf<(typeof kept)[number]>(bench.directory, sql))[0]!;
    }),
  );
  return { kept, held };
}

test.each(["full_refresh", "incremental", "partitioned"] as const)(
  "extractSource() reads no part again for its bounds, nulls or cursor: %s",
  async (strategy) => {
    await using bench = await openBench();
    const plan = incremental(info, { strategy, ...(strategy === "partitioned" && { partitionBy: "day" }) });
    expect(await measuring(bench, plan, rows)).toEqual([]);
    const first = await bounds(bench, info, "id", "v");
    expect(first.kept).toEqual(first.held);
    expect(first.kept.length).toBe(strategy === "partitioned" ? 2 : 1);
    expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.cursor).toEqual({
      column: "v",
      value: "30",
    });
    if (strategy === "full_refresh") return;
    await bench.run([plan], () => [[{ id: 11, day: "2026-02-03", v: 100 }]]);
    const second = await bounds(bench, info, "id", "v");
    expect(second.kept).toEqual(second.held);
    expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.cursor).toEqual({
      column: "v",
      value: "100",
    });
  },
);

test("extractSource() measures bounds that the COPY statistics lack", async () => {
  await using bench = await openBench();
  const other = table(
    "others",
    { key: utf8({ nullable: false }), v: float64() },
    { primaryKey: ["key"], cursor: "v" },
  );
  const yielded = [
    { key: `${"x".repeat(300)}b`, v: 2.5 },
    { key: `${"x".repeat(300)}a`, v: 10 },
  ];
  const found = await measuring(bench, incremental(other), yielded);
  expect(found.length).toBe(2);
  const { kept, held } = await bounds(bench, other, "key", "v");
  expect(kept).toEqual(held);
  expect(kept[0]).toMatchObject({ keyMin: yielded[1]!.key, cursorMax: "10.0" });
  expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.cursor).toEqual({
    column: "v",
    value: "10.0",
  });
});

test("extractSource() keeps the cursor if the new rows have no cursor value", async () => {
  await using bench = await openBench();
  await bench.run([incremental(info)], () => [rows]);
  const stats = await bench.run([incremental(info)], () => [[{ id: 20, day: "x", v: null }]]);
  expect(stats.errors).toEqual([]);
  expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.cursor).toEqual({
    column: "v",
    value: "30",
  });
});
