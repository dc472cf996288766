import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { fakeBigQuery, type FakeBigQuery, type FakeScript, type FakeTable } from "../fakes/bigquery/mod.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const { signal } = new AbortController();
const table = (id: string, resource: Readonly<Record<string, unknown>> = {}, rows = 3): FakeTable => ({
  dataset: "shop",
  id,
  fields: [
    { name: "id", type: "INTEGER" },
    { name: "day", type: "DATE" },
  ],
  rows: Array.from({ length: rows }, (_, at) => [String(at), "2026-01-01"]),
  resource,
});
/** A query that reads no column, so that it bills nothing, as `count(*)`. */
const ones = (id: string, where = "") => `SELECT 1 AS one FROM \`shop-1\`.\`shop\`.\`${id}\`${where}`;
const ZERO = { totalBytesProcessed: "0" };

const open = (tables: readonly FakeTable[], script: Partial<FakeScript> = {}) =>
  fakeBigQuery({ tables, script: { polls: 0, ...script } });
const runs = ({ inserted }: FakeBigQuery) =>
  inserted.filter(({ configuration }) => configuration.dryRun !== true);
const unknown = (reason: string) => ({
  code: "bigquery/estimate_unknown",
  details: { reason: expect.stringContaining(reason) },
});
const reference = (tableId: string) => ({ projectId: "shop-1", datasetId: "shop", tableId });

describe("bigquery: an estimate of 0 bytes", () => {
  test("of constants is right, and needs no further request", async () => {
    await using server = open([table("orders")]);
    const { query } = await connect(server);
    expect(await query("SELECT 1 AS one")).toEqual([{ one: "1" }]);
    expect(server.requests.filter(({ url }) => url.includes("/tables/"))).toEqual([]);
    expect(server.inserted).toHaveLength(2);
  });

  test.each<[string, FakeTable, string, number]>([
    ["of no column", table("orders"), ones("orders"), 3],
    ["of an empty table", table("orders", {}, 0), "SELECT `id` FROM `shop-1`.`shop`.`orders`", 0],
    ["of strings", table("orders"), ones("orders", " WHERE 'it\\'s ai. \\x41' != ''"), 3],
    [
      "of a table that requires a condition",
      table("orders", { requirePartitionFilter: true, timePartitioning: { type: "DAY", field: "day" } }),
      ones("orders", " WHERE day >= DATE '2026-01-01'"),
      3,
    ],
  ])("%s is right, because all rows of the table are not hidden", async (_, one, sql, count) => {
    await using server = open([one]);
    const { query, connector } = await connect(server);
    expect(await query(sql)).toHaveLength(count);
    const estimate = await connector.estimate!(sql, { signal });
    expect(estimate).toMatchObject({ scannedBytes: 0 });
    expect(estimate.problem).toBeUndefined();
  });

  test("of all rows of a table is hidden, so nothing is run", async () => {
    await using server = open([table("orders")], { dryRun: ZERO });
    const { query, read, connector } = await connect(server);
    for (const work of [query(ones("orders")), read("shop.orders")])
      expect(await rejection(work)).toMatchObject(unknown("which a row access policy may hide"));
    const estimate = await connector.estimate!(ones("orders"), { signal });
    expect(estimate).not.toHaveProperty("scannedBytes");
    expect(estimate.problem).toMatchObject(unknown("table shop.orders"));
    expect(runs(server)).toEqual([]);
    const opened = await connect(server, { allowUnknownEstimates: true });
    expect(await opened.query(ones("orders"))).toHaveLength(3);
  });

  test.each<[string, FakeTable[], Readonly<Record<string, unknown>>, string]>([
    ["external data", [table("orders", { type: "EXTERNAL" })], {}, "are external"],
    [
      "a view whose tables are not listed",
      [table("orders", { type: "VIEW" })],
      {},
      "lists no table that the view reads",
    ],
    [
      "a view over external data",
      [table("orders", { type: "VIEW" }), table("files", { type: "EXTERNAL" })],
      { referencedTables: [reference("orders"), reference("files")] },
      "the bytes of table shop.files are external",
    ],
    [
      "a table that is gone or not accessible",
      [table("orders")],
      { referencedTables: [reference("orders"), reference("gone")] },
      "table shop.gone",
    ],
    ["functions", [table("orders")], { referencedRoutines: [{}] }, "may not list all tables"],
  ])("of %s is unknown", async (_, tables, dryRun, reason) => {
    await using server = open(tables, { dryRun });
    const { query } = await connect(server);
    expect(await rejection(query(ones("orders")))).toMatchObject(unknown(reason));
    expect(runs(server)).toEqual([]);
  });

  test("of a result in the cache is right", async () => {
    const dryRun = { referencedRoutines: [{}] };
    await using server = open([table("orders")], { dryRun, hasCache: true });
    const { query } = await connect(server);
    const sql = "SELECT `id` FROM `shop-1`.`shop`.`orders`";
    for (let at = 0; at < 2; at += 1) expect(await query(sql)).toHaveLength(3);
  });

  test("of a view over stored tables is right", async () => {
    const dryRun = { referencedTables: [reference("orders"), reference("items")] };
    await using server = open([table("orders", { type: "VIEW" }), table("items")], { dryRun });
    const { query } = await connect(server);
    expect(await query(ones("orders"))).toHaveLength(3);
  });

  test.each(["EXTERNAL_QUERY('c', 'SELECT 1')", "`shop-1`.shop.INFORMATION_SCHEMA.TABLES"])(
    "of %s is unknown, because it is not listed",
    async (from) => {
      await using server = open([]);
      const sql = `SELECT 1 AS one FROM ${from}`;
      server.results.set(sql, { fields: [{ name: "one", type: "INTEGER" }], rows: [["1"]] });
      const { query } = await connect(server);
      expect(await rejection(query(sql))).toMatchObject(unknown("may not list all tables"));
    },
  );
});
