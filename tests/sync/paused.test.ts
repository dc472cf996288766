import { expect, test } from "bun:test";

import { newShop, openShop, temporaryFolder } from "./workspace.ts";

const MINUTE_MS = 60_000;

test("sync() of all sources and sync --due leave a paused table, which is synced if it is named", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  await using agnes = await openShop(folder.path, shop);
  await agnes.sync();
  const tables = await agnes.tables();
  await tables.update("shop.orders", { syncPaused: true, syncSchedule: "every 1h" });
  const readBy = async (options: Parameters<typeof agnes.sync>[0]) => {
    shop.reads.length = 0;
    await agnes.sync(options);
    return shop.reads.map(({ table }) => table);
  };
  expect(await readBy({})).toEqual(["people"]);
  expect(await readBy({ only: ["shop"] })).toEqual(["people"]);
  expect(await readBy({ due: true })).toEqual([]);
  expect(await readBy({ only: ["shop.orders"], due: true })).toEqual([]);
  expect(await readBy({ only: ["shop.orders"] })).toEqual(["orders"]);
  expect(await agnes.rows("SELECT count(*)::INT AS n FROM orders")).toEqual([{ n: 2 }]);
  expect((await agnes.syncStatus()).map(({ status, dueAt }) => [status, dueAt])).toEqual([
    ["paused", null],
    ["on_time", null],
  ]);
});

test("sync() of a source whose tables are all paused says so, and keeps their data", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  await using agnes = await openShop(folder.path, shop);
  await agnes.sync();
  const tables = await agnes.tables();
  for (const id of ["shop.orders", "shop.people"]) await tables.update(id, { syncPaused: true });
  shop.reads.length = 0;
  const { sources, status } = await agnes.sync();
  expect([status, sources[0]!.status, sources[0]!.notes]).toEqual([
    "complete",
    "complete",
    ["all its tables are paused, so none was read"],
  ]);
  expect(shop.reads).toEqual([]);
  expect(await agnes.rows("SELECT count(*)::INT AS n FROM people")).toEqual([{ n: 2 }]);
});

test("an error of the whole source is none of its paused tables", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  {
    await using agnes = await openShop(folder.path, shop);
    await agnes.sync();
    await (await agnes.tables()).update("shop.orders", { syncPaused: true });
  }
  await using agnes = await openShop(folder.path, shop, { host: { env: { USER: "tester" } } });
  expect((await agnes.sync()).sources[0]!.error!.code).toBe("secret_missing");
  expect((await agnes.syncStatus()).map(({ status, failures }) => [status, failures])).toEqual([
    ["paused", 0],
    ["failed", 1],
  ]);
});

test("sync({ due: true }) waits after a failure, like the scheduler", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  let nowMs = Date.parse("2026-11-27T08:00:00Z");
  const host = { env: { SHOP_TOKEN: "t", USER: "tester" }, now: () => new Date(nowMs) };
  await using agnes = await openShop(folder.path, shop, { host, register: "listed" });
  await (await agnes.tables()).register({ source: "shop", sourceTable: "orders", syncSchedule: "every 1h" });
  const readsOfDue = async () => {
    shop.reads.length = 0;
    await agnes.sync({ due: true });
    return shop.reads.length;
  };
  shop.broken = "orders";
  expect(await readsOfDue()).toBe(1);
  nowMs += MINUTE_MS / 2;
  expect(await readsOfDue()).toBe(0);
  nowMs += MINUTE_MS / 2;
  expect(await readsOfDue()).toBe(1);
  nowMs += MINUTE_MS;
  expect(await readsOfDue()).toBe(0);
  nowMs += MINUTE_MS;
  expect(await readsOfDue()).toBe(1);
});
