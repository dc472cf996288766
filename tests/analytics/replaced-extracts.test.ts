import { expect, test } from "bun:test";
import { renameSync, rmSync, symlinkSync } from "node:fs";
import { link, mkdir, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { analyticsPath, readAnalyticsState } from "../../lib/analytics/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { scanExtract } from "../../lib/analytics/extracts/scan-extract.ts";
import { createHost, isAgnesError, nodeFiles, silentLog } from "../../lib/base/mod.ts";
import { openDatabase, type Connection, type DuckDBLimits } from "../../lib/duckdb/mod.ts";
import { attachExtract } from "../../lib/query/attach-extract.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { temporaryData, writeRawExtract } from "./extract-files.ts";

const limits = { memoryMb: 512, threads: 2 };
const services = () => ({ host: createHost(), log: silentLog, limits });
const extractOf = (name: string) =>
  `CREATE TABLE _meta (table_name VARCHAR); INSERT INTO _meta VALUES ('t');
   CREATE TABLE t (name VARCHAR); INSERT INTO t VALUES ('${name}')`;

/** Limits that run a callback before DuckDB opens a file, after the check of that file. */
const limitsThat = (work: () => void): DuckDBLimits => ({
  threads: 2,
  get temporaryDirectory() {
    work();
    return tmpdir();
  },
});

/** An extract, and another one outside `extracts/`. */
async function twoExtracts() {
  const place = await temporaryData();
  const directory = await writeRawExtract(place.data, "odd", extractOf("odd"));
  const other = await writeRawExtract(join(place.data, "elsewhere"), "crm", extractOf("secret"));
  const path = join(directory, "extract.duckdb");
  return {
    ...place,
    directory,
    /** Replaces the file by a link to the other extract. */
    betray() {
      renameSync(path, join(directory, "kept"));
      symlinkSync(join(other, "extract.duckdb"), path);
    },
    restore() {
      rmSync(path);
      renameSync(join(directory, "kept"), path);
    },
  };
}

const scanOf = (data: string, limits: DuckDBLimits) =>
  scanExtract({
    files: nodeFiles(),
    root: join(data, "extracts"),
    source: "odd",
    limits,
    signal: new AbortController().signal,
  });

test("attachExtract() rejects a file that becomes a link between the check and the open", async () => {
  await using place = await twoExtracts();
  const report = await rebuildAnalytics(services(), { dataDirectory: place.data, owners: null });
  expect(report.published.map(({ id }) => id)).toEqual(["odd.t"]);
  await using shown = await openDatabase({ path: analyticsPath(place.data), readOnly: true });
  await using asked = await shown.connect();
  const state = (await readAnalyticsState(asked, "analytics"))!;
  const attach = async (betrayals: number) => {
    await using database = await openDatabase({ limits });
    await using connection = await database.connect();
    let left = betrayals;
    const run: Connection["run"] = (sql, options) => {
      if (sql.startsWith("ATTACH") && left-- > 0) place.betray();
      return connection.run(sql, options);
    };
    const betraying = new Proxy(connection, {
      get: (target, key) => (key === "run" ? run : Reflect.get(target, key).bind(target)),
    });
    await attachExtract(nodeFiles(), betraying, state, state.tables[0]!, new AbortController().signal);
    return await connection.rows(`SELECT name FROM "agnes:extract:odd".t`);
  };
  expect(await attach(0)).toEqual([{ name: "odd" }]);
  // The other file has the same definitions, so only the identity of the file differs.
  const error = await attach(1).catch((thrown: unknown) => thrown);
  expect(isAgnesError(error, "extract_changed")).toBe(true);
  place.restore();
  expect(await attach(0)).toEqual([{ name: "odd" }]);
});

test("scanExtract() reads an extract that a sync replaces meanwhile, and rejects one that is replaced each time", async () => {
  await using place = await twoExtracts();
  const path = join(place.directory, "extract.duckdb");
  const next = await writeRawExtract(join(place.data, "next"), "odd", extractOf("later"));
  let times = 0;
  const once = limitsThat(() => {
    times += 1;
    if (times === 1) renameSync(join(next, "extract.duckdb"), path);
  });
  expect((await scanOf(place.data, once)).tables.map(({ name }) => name)).toEqual(["t"]);
  expect(times).toBe(2);
  const copies = ["a", "b", "c"];
  for (const name of copies) await writeRawExtract(join(place.data, name), "odd", extractOf("later"));
  const always = limitsThat(() => {
    const copy = copies.pop();
    if (copy !== undefined) renameSync(join(place.data, copy, "extracts", "odd", "extract.duckdb"), path);
  });
  const error = await scanOf(place.data, always).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "extract_refused",
    message: expect.stringContaining("it was replaced while it was opened"),
  });
});

test("a rebuild publishes an extract whose files have hard links, such as backups", async () => {
  await using place = await twoExtracts();
  const sql = `CREATE TABLE _meta (table_name VARCHAR); INSERT INTO _meta VALUES ('part');
    COPY (SELECT 1 AS id) TO '{data}/part.parquet'; CREATE VIEW part AS SELECT * FROM '{data}/part.parquet'`;
  const directory = await writeRawExtract(place.data, "saved", sql);
  const backup = join(place.data, "backup");
  await mkdir(backup);
  await link(join(directory, "extract.duckdb"), join(backup, "extract.duckdb"));
  await link(join(directory, "data", "part.parquet"), join(backup, "part.parquet"));
  expect(await readdir(backup)).toHaveLength(2);
  const report = await rebuildAnalytics(services(), { dataDirectory: place.data, owners: null });
  expect(report.published.map(({ id }) => id)).toContain("saved.part");
  await using session = openQuerySession(services(), { dataDirectory: place.data });
  const result = await session.runQuery({
    sql: "SELECT * FROM saved.part",
    access: new Set(["saved.part"]),
  });
  const rows: unknown[] = [];
  for await (const batch of result.batches) rows.push(...batch.toArray().map((row) => row.toJSON()));
  expect(rows).toEqual([{ id: 1 }]);
});
