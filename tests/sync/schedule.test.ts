import { expect, test } from "bun:test";

import type { Agnes, SyncReport } from "agnes";

import { failureOf, newShop, openShop, temporaryFolder, type Shop } from "./workspace.ts";

const HOUR_MS = 60 * 60 * 1000;

/** A shop in a workspace whose clock the test moves. */
async function openClocked(directory: string, shop: Shop, clock: { nowMs: number }): Promise<Agnes> {
  const host = { env: { SHOP_TOKEN: "t", USER: "tester" }, now: () => new Date(clock.nowMs) };
  return openShop(directory, shop, { host });
}

const tablesOf = ({ sources }: SyncReport) =>
  sources.flatMap(({ stats }) => (stats?.tables ?? []).map(({ name, status }) => `${name} ${status}`));

test("sync() with due syncs only tables that are due, also without new rows", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  const clock = { nowMs: Date.parse("2026-11-21T00:00:00Z") };
  await using agnes = await openClocked(folder.path, shop, clock);
  expect((await agnes.sync({ due: true })).sources).toEqual([]);
  const tables = await agnes.tables();
  const orders = { source: "shop", sourceTable: "orders", syncStrategy: "incremental" } as const;
  await tables.register({ ...orders, syncSchedule: "every 6h" });
  await tables.register({ source: "shop", sourceTable: "people" });
  const after = async (hours: number) => {
    clock.nowMs += hours * HOUR_MS;
    return tablesOf(await agnes.sync({ due: true }));
  };
  expect(await after(0)).toEqual(["orders extracted"]);
  expect(await after(5)).toEqual([]);
  expect(await after(1)).toEqual(["orders unchanged"]);
  expect(await after(5)).toEqual([]);
  expect(await after(24)).toEqual(["orders unchanged"]);
  expect(await after(0)).toEqual([]);
  clock.nowMs += 7 * HOUR_MS;
  await agnes.sync();
  expect(await after(0)).toEqual([]);
  await tables.update("shop.people", { syncSchedule: "daily 05:00" });
  expect(tablesOf(await agnes.sync({ due: true, only: ["shop.orders"] }))).toEqual([]);
  expect(await after(24)).toEqual(["orders unchanged", "people unchanged"]);
  const people = (await agnes.catalog()).find(({ id }) => id === "shop.people")!;
  expect(people.checkedAt).toBe(new Date(clock.nowMs).toISOString());
  expect(Date.parse(people.extractedAt!)).toBe(clock.nowMs - 24 * HOUR_MS);
  const unknown = await failureOf(agnes.sync({ due: true, only: ["shop.order"] }));
  expect(unknown).toMatchObject({ code: "table_not_registered", details: { nearest: "shop.orders" } });
});

test("sync() with due retries failed tables, and syncs tables registered again", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  const clock = { nowMs: Date.parse("2026-11-21T00:00:00Z") };
  const orders = { source: "shop", sourceTable: "orders", syncSchedule: "daily 05:00" };
  {
    await using agnes = await openClocked(folder.path, shop, clock);
    const tables = await agnes.tables();
    await tables.register(orders);
    shop.broken = "orders";
    expect(tablesOf(await agnes.sync({ due: true }))).toEqual(["orders failed"]);
    delete shop.broken;
    expect(tablesOf(await agnes.sync({ due: true }))).toEqual([]);
    clock.nowMs += HOUR_MS / 60;
    expect(tablesOf(await agnes.sync({ due: true }))).toEqual(["orders extracted"]);
  }
  await using agnes = await openClocked(folder.path, shop, clock);
  expect(tablesOf(await agnes.sync({ due: true }))).toEqual([]);
  clock.nowMs += HOUR_MS;
  const tables = await agnes.tables();
  await tables.unregister("shop.orders");
  await tables.register(orders);
  expect(tablesOf(await agnes.sync({ due: true }))).toEqual(["orders extracted"]);
});

test("sync() reads the rows and writes the partitions of the registry settings", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  shop.orders.push({ id: 3, person: "ann", changed: "2026-03-01" });
  await using agnes = await openShop(folder.path, shop, { register: "listed" });
  const tables = await agnes.tables();
  const whereFilters = [{ column: "city", operator: "eq" as const, values: ["Oslo"] }];
  await tables.register({ source: "shop", sourceTable: "people", whereFilters });
  await tables.register({
    source: "shop",
    sourceTable: "orders",
    primaryKey: ["id"],
    syncStrategy: "partitioned",
    partitionBy: "changed",
    partitionGranularity: "month",
  });
  const report = await agnes.sync();
  expect(await agnes.rows("SELECT name FROM people")).toEqual([{ name: "bob" }]);
  const written = report.sources[0]!.stats!.tables.find(({ name }) => name === "orders");
  expect(written).toMatchObject({ strategy: "partitioned", rows: 3, parts: 2 });
});
