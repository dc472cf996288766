import { describe, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "../../lib/create-agnes.ts";
import { createHost, silentLog } from "../../lib/base/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import type { RebuildReport } from "../../lib/analytics/mod.ts";
import type { RebuildRequest } from "../../lib/analytics/request.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import files from "../../plugins/files/plugin.ts";
import { readAlone, temporaryData, writeExtract, writeRawExtract } from "./extract-files.ts";

const services = () => ({ host: createHost(), log: silentLog, limits: { memoryMb: 512, threads: 2 } });

async function rebuild(data: string, request: Partial<RebuildRequest> = {}): Promise<RebuildReport> {
  return rebuildAnalytics(services(), { dataDirectory: data, owners: null, ...request });
}

const idsOf = (report: RebuildReport) => report.published.map(({ id, viewName }) => `${id} ${viewName}`);
const orders = (of: string) => ({ tables: [{ name: "orders", rows: `SELECT '${of}' AS s` }] });

async function writeGarbage(data: string, source: string): Promise<void> {
  await mkdir(join(data, "extracts", source), { recursive: true });
  await writeFile(join(data, "extracts", source, "extract.duckdb"), "garbage");
}

async function granted(data: string, sql: string, grant: string): Promise<unknown> {
  await using session = openQuerySession(services(), { dataDirectory: data });
  const result = await session.runQuery({ sql, access: new Set([grant]) });
  const rows: unknown[] = [];
  for await (const batch of result.batches) rows.push(...batch.toArray().map((row) => row.toJSON()));
  return rows;
}

describe("folders whose names differ only in case", () => {
  test("do not affect the tables and the access of the source that published first", async () => {
    await using place = await temporaryData();
    const { data } = place;
    await writeExtract(data, "shop", orders("genuine"));
    await rebuild(data);
    const forged =
      "CREATE TABLE _meta AS SELECT 'orders' AS table_name; CREATE TABLE orders AS SELECT 'forged' AS s";
    await writeRawExtract(data, "SHOP", forged);
    await writeGarbage(data, "Shop");
    for (const full of [false, true]) {
      const report = await rebuild(data, { full });
      expect(idsOf(report)).toEqual(["shop.orders orders"]);
      expect(report.skipped.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
        "SHOP: the source's name differs from shop only in case",
        "Shop: the source's name differs from shop only in case",
      ]);
      for (const name of ["orders", "shop.orders", "SHOP.orders"])
        expect(await granted(data, `FROM ${name}`, "shop.orders")).toEqual([{ s: "genuine" }]);
    }
    // The report contains the names that the database no longer has.
    await writeFile(join(data, "analytics", "analytics.duckdb"), "damaged");
    expect(idsOf(await rebuild(data))).toEqual(["shop.orders orders"]);
    // DuckDB has one schema for both names, so removing one source must not drop the schema of the other.
    await rm(join(data, "extracts", "Shop"), { recursive: true });
    await rebuild(data);
    expect(await readAlone<object>(data, "FROM shop.orders")).toEqual([{ s: "genuine" }]);
    await rm(join(data, "extracts", "shop"), { recursive: true });
    expect(idsOf(await rebuild(data))).toEqual(["SHOP.orders orders"]);
    await writeExtract(data, "shop", orders("late"));
    expect(idsOf(await rebuild(data))).toEqual(["SHOP.orders orders"]);
  });

  test("leave the name to the configured or registered source, even before it has a folder", async () => {
    await using place = await temporaryData();
    const { data } = place;
    await writeExtract(data, "shop", orders("foreign"));
    const request = { sources: ["Shop"], owners: [{ source: "CRM", name: "people", viewName: "people" }] };
    await writeExtract(data, "crm", orders("foreign"));
    expect(idsOf(await rebuild(data, request))).toEqual([]);
    await writeExtract(data, "Shop", orders("genuine"));
    await writeExtract(data, "CRM", { tables: [{ name: "people", rows: "SELECT 1 AS id" }] });
    expect(idsOf(await rebuild(data, request))).toEqual(["CRM.people people", "Shop.orders orders"]);
  });

  test("leave the name to a source of agnes.yaml that was never synced", async () => {
    await using place = await temporaryData();
    await writeExtract(join(place.data, "data"), "SHOP", orders("foreign"));
    const config = { version: 1 as const, sources: { shop: { plugin: "files", options: { path: "." } } } };
    const agnes = await createAgnes({ plugins: [files], workspace: place.data, config });
    try {
      expect(idsOf(await agnes.rebuild())).toEqual([]);
    } finally {
      await agnes.close();
    }
  });

  test("leave the name to the first one with a table if none is known", async () => {
    await using place = await temporaryData();
    const { data } = place;
    await writeGarbage(data, "shop");
    await writeRawExtract(data, "sHop", "CREATE TABLE _meta (table_name VARCHAR)");
    for (const source of ["Shop", "SHOP"]) await writeExtract(data, source, orders(source));
    const report = await rebuild(data);
    expect(idsOf(report)).toEqual(["Shop.orders orders"]);
    expect(report.errors.map(({ name }) => name)).toEqual(["shop"]);
    expect(report.skipped.map(({ name }) => name)).toEqual(["SHOP"]);
    await writeExtract(data, "shop", orders("shop"));
    expect(idsOf(await rebuild(data))).toEqual(["Shop.orders orders"]);
  });
});
