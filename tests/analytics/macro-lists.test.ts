import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { Connection } from "../../lib/duckdb/mod.ts";
import { temporaryData, writeExtract, writeRawExtract } from "./extract-files.ts";

const services = { host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } };
const META = "CREATE TABLE _meta AS SELECT 't' AS table_name; CREATE VIEW t AS SELECT upper('a') AS a;";

let place: Awaited<ReturnType<typeof temporaryData>>;
beforeEach(async () => void (place = await temporaryData()));
afterEach(() => place[Symbol.asyncDispose]());

/** Rebuilds, and counts the listings of all functions of an instance. */
async function rebuild() {
  const rows = spyOn(Connection.prototype, "rows");
  try {
    const report = await rebuildAnalytics(services, { dataDirectory: place.data, owners: null });
    const lists = rows.mock.calls.filter(([sql]) => sql.includes("duckdb_functions()")).length;
    const published = report.published.map(({ id }) => id);
    return { lists, published, errors: report.errors };
  } finally {
    rows.mockRestore();
  }
}

test("rebuildAnalytics() lists macros once for many extracts, and rejects an extract with an unsafe macro", async () => {
  for (const source of ["a", "b", "c", "d"]) {
    const macro = source === "c" ? "CREATE MACRO upper(x) AS 'stolen';" : "CREATE MACRO mine(x) AS x;";
    await writeRawExtract(place.data, source, `${macro} ${META}`);
  }
  const { errors, lists, published } = await rebuild();
  expect(lists).toBe(1);
  expect(published).toEqual(["a.t", "b.t", "d.t"]);
  expect(errors).toMatchObject([{ name: "c", code: "extract_refused" }]);
});

test("rebuildAnalytics() lists macros even if one of the extracts is not a database", async () => {
  for (const source of ["a", "c"]) await writeRawExtract(place.data, source, META);
  await writeRawExtract(place.data, "d", `CREATE MACRO upper(x) AS 'stolen'; ${META}`);
  await mkdir(join(place.data, "extracts", "b"), { recursive: true });
  await writeFile(join(place.data, "extracts", "b", "extract.duckdb"), "not a database".repeat(1000));
  const { errors, lists, published } = await rebuild();
  expect(lists).toBe(1);
  expect(published).toEqual(["a.t", "c.t"]);
  expect(errors.map(({ name }) => name)).toEqual(["b", "d"]);
});

test("rebuildAnalytics() lists the macros of a single changed extract separately", async () => {
  await writeExtract(place.data, "a", { tables: [{ name: "t", rows: "SELECT 1 AS a" }] });
  await writeRawExtract(place.data, "b", META);
  await rebuild();
  await writeRawExtract(place.data, "b", `CREATE MACRO upper(x) AS 'stolen'; ${META}`);
  const { errors, published } = await rebuild();
  expect(errors).toMatchObject([{ name: "b", code: "extract_refused" }]);
  expect(published).toContain("a.t");
});
