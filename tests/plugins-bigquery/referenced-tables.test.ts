import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { bq, failure, jobs, openHybridShop } from "../query/hybrid-shop.ts";
import { fakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { connect } from "./support.ts";

setDefaultTimeout(60_000);

const table = (id: string, more: Partial<FakeTable> = {}): FakeTable => ({
  dataset: "web",
  id,
  fields: [{ name: "id", type: "INTEGER" }],
  rows: [["1"]],
  ...more,
});
const EVENTS = [table("events_20240101"), table("events_20240102")];
const INTRADAY = table("events_intraday_20240103");
const { signal } = new AbortController();

/** The referenced tables of an estimate whose dry run lists these. */
async function referenced(
  tables: readonly FakeTable[],
  ids: readonly string[],
  options: Readonly<Record<string, unknown>> = {},
  project = "shop-1",
) {
  const referencedTables = ids.map((tableId) => ({ projectId: project, datasetId: "web", tableId }));
  await using server = fakeBigQuery({ tables, script: { dryRun: { referencedTables } } });
  const { connector } = await connect(server, options);
  const estimate = await connector.estimate!("SELECT 1 AS one", { signal });
  const lists = server.requests.filter(({ url }) => /\/tables\?/.test(url)).length;
  return { names: estimate.referencedTables, lists };
}

describe("bigquery: the tables that a query reads", () => {
  test.each<[string, readonly FakeTable[], readonly string[], readonly string[]]>([
    ["shards by date", EVENTS, ["events_20240101", "events_20240102"], ["web.events_YYYYMMDD"]],
    ["a wildcard", EVENTS, ["events_*"], ["web.events_YYYYMMDD"]],
    ["a wildcard of some days", EVENTS, ["events_202401*"], ["web.events_YYYYMMDD"]],
    [
      "a wildcard that also matches other tables",
      [...EVENTS, INTRADAY, table("events_old")],
      ["events_*"],
      ["web.events_YYYYMMDD", "web.events_intraday_YYYYMMDD", "web.events_old"],
    ],
    ["a wildcard of years", [...EVENTS, INTRADAY], ["events_2*"], ["web.events_YYYYMMDD"]],
    ["a wildcard without tables", EVENTS, ["other_*"], ["web.other_*"]],
    [
      "shards of two groups",
      [...EVENTS, INTRADAY],
      ["events_intraday_20240103"],
      ["web.events_intraday_YYYYMMDD"],
    ],
    [
      "a view with a date",
      [...EVENTS, table("events_20240103", { resource: { type: "VIEW" } })],
      ["events_20240103"],
      ["web.events_20240103"],
    ],
    [
      "an external table with a date",
      [...EVENTS, table("events_20240103", { resource: { type: "EXTERNAL" } })],
      ["events_20240103"],
      ["web.events_20240103"],
    ],
    ["a shard that is not listed", EVENTS, ["events_20240104"], ["web.events_20240104"]],
    ["no date", EVENTS, ["events_20240230"], ["web.events_20240230"]],
  ])("of %s are those that discover() lists", async (_, tables, ids, names) => {
    expect((await referenced(tables, ids)).names?.toSorted()).toEqual([...names]);
  });

  test("are listed once for each dataset, and only if one may be a shard", async () => {
    expect((await referenced([table("pages")], ["pages", "pages"])).lists).toBe(0);
    expect((await referenced(EVENTS, ["events_20240101", "events_20240102", "events_*"])).lists).toBe(1);
  });

  test("keep the name of a shard that the option `tables` lists as a table", async () => {
    const options = { tables: ["shop-1.web.events_20240101"] };
    expect((await referenced(EVENTS, ["events_20240101"], options)).names).toEqual(["web.events_20240101"]);
    expect((await referenced(EVENTS, ["events_20240102"], options)).names).toEqual(["web.events_YYYYMMDD"]);
  });

  test("of another project are those of its datasets", async () => {
    const other = EVENTS.map((one) => ({ ...one, project: "other-1" }));
    expect((await referenced(other, ["events_20240101"], {}, "other-1")).names).toEqual([
      "other-1.web.events_YYYYMMDD",
    ]);
  });

  test("have the names of the dry run if the dataset cannot be listed", async () => {
    const referencedTables = [{ projectId: "shop-1", datasetId: "web", tableId: "events_20240101" }];
    const dryRun = { referencedTables, totalBytesProcessed: "8" };
    await using server = fakeBigQuery({ tables: EVENTS, script: { dryRun } });
    server.script.rejections.push({
      path: "/datasets/web/tables",
      error: { reason: "accessDenied", message: "no", status: 403 },
    });
    const { connector } = await connect(server);
    const estimate = await connector.estimate!("SELECT 1 AS one", { signal });
    expect(estimate.referencedTables).toEqual(["web.events_20240101"]);
  });
});

describe("register with access to a table by date", () => {
  const access = new Set(["local.orders", "events"]);
  const open = async (tables: readonly FakeTable[]) => {
    const shop = await openHybridShop({ tables });
    await (
      await shop.agnes.tables()
    ).register({ source: "bq", sourceTable: "web.events_YYYYMMDD", name: "events", queryMode: "remote" });
    return shop;
  };
  const sql = "SELECT count(*)::INT AS n FROM e";
  const one = bq("SELECT * FROM `shop-1`.`web`.`events_20240101`");
  const all = bq("SELECT `id` FROM `shop-1`.`web`.`events_*`");

  test("reads its shards, by name and by wildcard", async () => {
    await using shop = await open(EVENTS);
    expect(await shop.agnes.rows(sql, { register: { e: one }, access })).toEqual([{ n: 1 }]);
    expect(await shop.agnes.rows(sql, { register: { e: all }, access })).toEqual([{ n: 2 }]);
  });

  test("does not read another table with its prefix", async () => {
    await using shop = await open([...EVENTS, INTRADAY]);
    const intraday = bq("SELECT * FROM `shop-1`.`web`.`events_intraday_20240103`");
    for (const e of [intraday, all])
      expect(await failure(shop, sql, { e }, { access })).toMatchObject({ code: "alias_access_denied" });
    expect(jobs(shop)).toEqual([]);
    expect(await shop.agnes.rows(sql, { register: { e: one }, access })).toEqual([{ n: 1 }]);
    const hidden = { e: one };
    expect(await failure(shop, sql, hidden, { access: new Set(["local.orders"]) })).toMatchObject({
      code: "alias_access_denied",
    });
  });
});
