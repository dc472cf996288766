import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { jobIds, openHybridShop, PAGES, type HybridShopOptions } from "./hybrid-shop.ts";

setDefaultTimeout(60_000);

/** A workspace whose table `pages` is read live from BigQuery, and `totals` is the result of a query there. */
async function openShop(options: HybridShopOptions = {}) {
  const shop = await openHybridShop(options);
  const tables = await shop.agnes.tables();
  const source = "bq";
  await tables.register({ source, sourceTable: "web.pages", name: "pages", queryMode: "remote" });
  const sourceQuery = `SELECT * FROM ${PAGES}`;
  await tables.register({ source, name: "totals", queryMode: "materialized", sourceQuery });
  return shop;
}

const DONE = {
  status: "done",
  processedBytes: 320,
  billedBytes: 10 * 1024 ** 2,
  isCached: false,
  slotMs: 12,
  price: { amount: 10, currency: "USD" },
};
const bigquery = { price: { perTebibyte: 1024 ** 2, currency: "USD" } };

describe("jobs of BigQuery", () => {
  test("are in the receipt of a query over a live table, and in the result of a sync", async () => {
    await using shop = await openShop({ bigquery });
    const { sources } = await shop.agnes.sync({ only: ["bq"] });
    const [synced] = jobIds(shop);
    const stats = sources[0]!.stats!.tables.find(({ name }) => name === "totals")!;
    expect(stats.jobs).toEqual([{ id: synced!, ...DONE } as never]);
    const result = await shop.agnes.query("SELECT id, views FROM pages");
    for await (const _ of result.batches);
    const { remotes } = result.receipt();
    expect(remotes).toMatchObject([{ id: "bq.pages", jobs: [{ id: jobIds(shop)[1]!, ...DONE }] }]);
    const described = await shop.agnes.query("DESCRIBE pages");
    for await (const _ of described.batches);
    expect(described.receipt().remotes[0]).not.toHaveProperty("jobs");
  });

  test("are named by the error of a query over a live table that is stopped", async () => {
    await using shop = await openShop();
    await shop.agnes.sync({ only: ["bq"] });
    shop.server.script.polls = Infinity;
    const controller = new AbortController();
    const before = jobIds(shop).length;
    const failing = shop.agnes
      .rows("SELECT sum(views) AS n FROM pages JOIN orders ON page = pages.id", { signal: controller.signal })
      .catch((error: unknown) => error);
    while (jobIds(shop).length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    const stoppedJobs = jobIds(shop).slice(before);
    expect(await failing).toMatchObject({
      code: "aborted",
      hint: expect.stringContaining(`may still be billed: ${stoppedJobs[0]}.`),
      details: { stoppedJobs },
    });
  });
});
