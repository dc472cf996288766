import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import type { ExtractStats } from "../../lib/extract/mod.ts";
import { makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

/** Syncs the folder. */
async function sync(options: Record<string, unknown> = { path: "data" }): Promise<ExtractStats> {
  return syncFolder(folder, options, { isKnown: false });
}

/** The published rows as sorted texts. */
async function published(table: string): Promise<readonly string[]> {
  await using database = await openDatabase({
    path: join(folder.path, "extract/extract.duckdb"),
    readOnly: true,
  });
  await using connection = await database.connect();
  const rows = await connection.rows<{ row: string }>(
    `SELECT CAST(t AS VARCHAR) AS row FROM ${table} t ORDER BY ALL`,
  );
  return rows.map(({ row }) => row);
}

const statusOf = (stats: ExtractStats) =>
  stats.tables.map(({ name, status, partsWritten }) => `${name} ${status} ${partsWritten}`);

describe("files: extract", () => {
  test("a second extract reads only changed files of a folder, and nothing if none changed", async () => {
    for (const name of ["a", "b", "c"])
      await folder.write(`data/events/${name}.csv`, `id,source\n1,${name}\n2,${name}\n`);
    await folder.write("data/orders.csv", "id\n1\n");
    expect(statusOf(await sync())).toEqual(["events extracted 3", "orders extracted 1"]);
    const again = await sync();
    expect(statusOf(again)).toEqual(["events unchanged 0", "orders unchanged 0"]);
    expect(again.published).toBe(false);
    await folder.write("data/events/b.csv", "id,source\n3,b\n");
    await rm(join(folder.path, "data/events/c.csv"));
    expect(statusOf(await sync())).toEqual(["events extracted 1", "orders unchanged 0"]);
    expect(await published("events")).toEqual([
      "{'id': 1, 'source': a}",
      "{'id': 2, 'source': a}",
      "{'id': 3, 'source': b}",
    ]);
  });

  test("an extract merges files with different columns and types", async () => {
    await folder.write("data/events/a.csv", "id,value\n1,2\n");
    await folder.write("data/events/b.csv", "value,id,extra\n2.5,x,y\n");
    await folder.sql(
      "COPY (SELECT 1::INTEGER AS n) TO '@/data/x1.parquet'; COPY (SELECT 3000000000 AS n, 'z' AS s) TO '@/data/x2.parquet'",
    );
    const stats = await sync({ path: "data/events", tables: { numbers: { path: "data/x*.parquet" } } });
    expect(stats.errors).toEqual([]);
    expect(await published("numbers")).toEqual(["{'n': 1, 's': NULL}", "{'n': 3000000000, 's': z}"]);
    await sync({ path: "data" });
    expect(await published("events")).toEqual([
      "{'id': 1, 'value': 2.0, 'extra': NULL}",
      "{'id': x, 'value': 2.5, 'extra': y}",
    ]);
  });

  test("an extract keeps the published rows of a table with a damaged file, and updates the others", async () => {
    await folder.sql("COPY (SELECT 1 AS id) TO '@/bad.parquet'");
    await folder.write("data/orders.csv", "id\n1\n");
    await folder.sql("COPY (FROM range(3)) TO '@/data/numbers.parquet'");
    await sync();
    await folder.write("data/numbers.parquet", "PAR1 and then nothing");
    await folder.write("data/orders.csv", "id\n1\n2\n");
    const stats = await sync();
    expect(statusOf(stats)).toEqual(["numbers failed 0", "orders extracted 1"]);
    expect(stats.errors[0]!.error.message).toContain("numbers.parquet");
    expect(await published("numbers")).toHaveLength(3);
    expect(await published("orders")).toHaveLength(2);
  });

  test("an extract publishes no rows of a file that becomes empty or has only its header", async () => {
    await folder.write("data/orders.csv", "id,name\n1,x\n");
    await sync();
    await folder.write("data/orders.csv", "id,name\n");
    await folder.write("data/fresh.csv", "id,name\n");
    const stats = await sync();
    expect(stats.tables.find(({ name }) => name === "fresh")).toMatchObject({ status: "extracted", rows: 0 });
    expect(await published("fresh")).toEqual([]);
    expect(stats.tables.find(({ name }) => name === "orders")).toMatchObject({
      status: "extracted",
      rows: 0,
    });
  });
});
