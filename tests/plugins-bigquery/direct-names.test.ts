import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Agnes } from "agnes";

import { fakeBigQuery, type FakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { openShippedShop, shippedTables } from "./shipped-shop.ts";
import { rejection } from "./support.ts";

setDefaultTimeout(60_000);

const OTHER: FakeTable = {
  project: "other-1",
  dataset: "shared",
  id: "rates",
  fields: [{ name: "rate", type: "INTEGER" }],
  rows: [["3"]],
};

describe("bigquery: names of tables in their source", () => {
  const folder = temporaryFolder();
  let server: FakeBigQuery;
  let agnes: Agnes;
  beforeAll(async () => {
    server = fakeBigQuery({ tables: [...shippedTables(10), OTHER], script: { polls: 0 } });
    agnes = await openShippedShop(folder.path, {
      fetch: server.fetch,
      serviceAccount: server.signIn.serviceAccount,
      options: { project: server.project, tables: ["other-1.shared.rates"] },
      tables: ["sales", "countries"],
    });
    const registry = await agnes.tables();
    const remote = { source: "r", queryMode: "remote" } as const;
    await registry.register({ ...remote, sourceTable: "other-1.shared.rates", name: "foreign_rates" });
    await registry.register({ ...remote, sourceTable: "shop.nothing", name: "empty_sales" });
    await agnes.sync();
  });
  afterAll(async () => {
    await agnes.close();
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test.each([
    ["SELECT count(*) AS n FROM r.shop.sales", 10n],
    ['SELECT count(*) AS n FROM "r"."shop"."sales" s WHERE s.id >= 0', 10n],
    ["SELECT count(*) AS n FROM `r.shop.sales` WHERE sales.id >= 0", 10n],
    [
      "SELECT count(*) AS n FROM `r`.shop.`sales` AS x JOIN r.shop.countries ON x.small = countries.small",
      9n,
    ],
    [`SELECT count(*) AS n FROM \`shop-1.shop.sales\``, 10n],
    [`SELECT count(sales.id) AS n FROM \`shop-1\`.shop.sales`, 10n],
    [`SELECT count(*) AS n FROM "shop-1".shop.nothing`, 0n],
    ["SELECT rate AS n FROM `other-1.shared.rates`", 3n],
    ['SELECT rates.rate AS n FROM "other-1"."shared"."rates"', 3n],
    ["SELECT rates.rate AS n FROM r.`other-1`.shared.rates WHERE true", 3n],
    ["SELECT count(*) AS n FROM r.shop.nothing WHERE nothing.id = 1", 0n],
    ["SELECT count(*) AS n FROM `r`.`sales`", 10n],
    ["SELECT count(*) AS n FROM `sales` -- `r.shop.other`", 10n],
    ["SELECT max('from r.shop.x') AS n FROM r.sales", "from r.shop.x"],
    ["SELECT count(extract(year FROM r.sales.day)) AS n FROM r.sales", 8n],
  ])("%s", async (sql, expected) => {
    const [row] = await agnes.rows<{ n: unknown }>(sql);
    expect(String(row!.n)).toBe(String(expected));
  });

  test.each([
    "SELECT * FROM r.shop.other",
    "SELECT * FROM `r.shop.other`",
    "SELECT * FROM `shop-1.shop.orders`",
    `SELECT * FROM \`shop-1.shared.rates\``,
    "SELECT * FROM `other-1.shop.sales`",
    "SELECT * FROM l.shop.sales",
    "SELECT * FROM `other`",
    "SELECT * FROM `shop`.`sales`",
  ])("an unknown table: %s", async (sql) => {
    expect(await rejection(agnes.rows(sql))).toMatchObject({ code: "table_unknown" });
  });

  test("a table that is not accessible is unknown, and the error names only accessible tables", async () => {
    const access = new Set(["r.countries"]);
    expect(await agnes.rows("SELECT count(*)::INT AS n FROM r.shop.countries", { access })).toEqual([
      { n: 5 },
    ]);
    for (const sql of ["SELECT * FROM r.shop.nothing", "SELECT * FROM `r.shop.nothing`"]) {
      const error = await rejection(agnes.rows(sql, { access }));
      expect(error).toMatchObject({ code: "table_unknown", details: { known: ["countries"] } });
      expect(JSON.stringify(error)).not.toContain("empty_sales");
    }
    const unknown = await rejection(agnes.rows("SELECT * FROM r.shop.nowhere", { access }));
    expect(unknown).toMatchObject({ code: "table_unknown", details: { known: ["countries"] } });
  });

  test("another database is rejected as before", async () => {
    const error = await rejection(agnes.rows("SELECT * FROM system.main.duckdb_tables"));
    expect(error).toMatchObject({ code: "sql_not_allowed" });
  });
});
