import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { FakeTable } from "../fakes/bigquery/mod.ts";
import { bq, openHybridShop, PAGES, type HybridShop } from "./hybrid-shop.ts";

setDefaultTimeout(60_000);

const MEBIBYTE = 1024 ** 2;
const PAGES_TABLE: FakeTable = {
  dataset: "web",
  id: "pages",
  fields: ["id", "views"].map((name) => ({ name, type: "INTEGER" })),
  rows: Array.from({ length: 20 }, (_, id) => [String(id), String(id * 100)]),
  resource: { numBytes: String(10 * MEBIBYTE) },
};
const pages = bq(`SELECT id FROM ${PAGES}`);

/** A workspace whose table `pages` is read live from BigQuery. */
async function openShop(isolation: "process" | "none", dailyBytes?: number): Promise<HybridShop> {
  const bigquery = { storageRead: false, ...(dailyBytes === undefined ? {} : { dailyBytes }) };
  const shop = await openHybridShop({ isolation, bigquery, tables: [PAGES_TABLE] });
  const tables = await shop.agnes.tables();
  await tables.register({ source: "bq", sourceTable: "web.pages", name: "pages", queryMode: "remote" });
  await shop.agnes.sync({ only: ["bq"] });
  return shop;
}

const usersOf = ({ server }: HybridShop) =>
  server.inserted.map(({ configuration: { labels } }) => labels!["agnes_user"]);

describe.each(["none", "process"] as const)("the principal of a query, with isolation %s", (isolation) => {
  test("is the user of all its jobs and estimates", async () => {
    await using shop = await openShop(isolation);
    const { agnes, server } = shop;
    const queries: readonly (() => Promise<unknown>)[] = [
      () => agnes.rows("SELECT id, views FROM pages WHERE id < 3", { principal: "ann" }),
      () => agnes.rows("SELECT count(*) AS n FROM pages", { principal: "ann" }),
      () => agnes.rows("SELECT * FROM p", { principal: "ann", register: { p: pages } }),
      async () => {
        for await (const _ of (await agnes.sample("pages", 2, { principal: "ann" })).batches);
      },
    ];
    for (const query of queries) {
      const before = server.inserted.length;
      await query();
      const users = usersOf(shop).slice(before);
      expect(users.length).toBeGreaterThan(1);
      expect(new Set(users)).toEqual(new Set(["ann"]));
    }
    await agnes.rows("SELECT id, views FROM pages");
    expect(usersOf(shop).at(-1)).toBeUndefined();
  });

  test("has bytes per day of its own", async () => {
    await using shop = await openShop(isolation, 15 * MEBIBYTE);
    const { agnes } = shop;
    const live = (options: object) => agnes.rows("SELECT id FROM pages", options);
    const hybrid = (options: object) =>
      agnes.rows("SELECT id FROM p", { register: { p: pages }, ...options });
    const isUsed = { code: "bigquery/daily_bytes_used" };
    for (const options of [{ principal: "ann" }, { principal: "ben" }, {}]) {
      expect(await live(options)).toHaveLength(20);
      expect(await hybrid(options).catch((error: unknown) => error)).toMatchObject(isUsed);
      expect(await live(options).catch((error: unknown) => error)).toMatchObject(isUsed);
    }
  });
});
