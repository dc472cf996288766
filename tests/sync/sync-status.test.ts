import { expect, test } from "bun:test";
import { join } from "node:path";

import { createAgnes, type AgnesError } from "agnes";
import files from "agnes/plugins/files";

import { newShop, openShop, temporaryFolder } from "./workspace.ts";

const MINUTE_MS = 60_000;

test("syncStatus() says whether each table is new, queued, late, on time or failed, and when it is due", async () => {
  using folder = temporaryFolder();
  const shop = newShop();
  let nowMs = Date.parse("2026-11-27T08:00:00Z");
  const host = { env: { SHOP_TOKEN: "t", USER: "tester" }, now: () => new Date(nowMs) };
  await using agnes = await openShop(folder.path, shop, { host, register: "listed" });
  const tables = await agnes.tables();
  await tables.register({ source: "shop", sourceTable: "orders", syncSchedule: "every 1h" });
  await tables.register({ source: "shop", sourceTable: "people" });
  const words = async () => (await agnes.syncStatus()).map(({ status }) => status);
  const orders = async () => (await agnes.syncStatus())[0]!;
  expect(await words()).toEqual(["queued", "new"]);
  nowMs += 16 * MINUTE_MS;
  expect(await words()).toEqual(["late", "new"]);
  await agnes.sync({ due: true });
  expect(await words()).toEqual(["on_time", "new"]);
  expect(await orders()).toMatchObject({
    id: "shop.orders",
    viewName: "orders",
    schedule: "every 1h",
    dueAt: new Date("2026-11-27T09:16:00Z"),
    attemptedAt: new Date("2026-11-27T08:16:00Z"),
    succeededAt: new Date("2026-11-27T08:16:00Z"),
  });
  nowMs += 60 * MINUTE_MS;
  expect(await words()).toEqual(["queued", "new"]);
  shop.broken = "orders";
  for (const failures of [1, 2, 3]) {
    await agnes.sync({ only: ["shop.orders"] });
    // After one minute, then two, then four.
    expect(await orders()).toMatchObject({
      status: "failed",
      failures,
      error: { code: "plugin_failed" },
      dueAt: new Date(nowMs + 2 ** (failures - 1) * MINUTE_MS),
    });
  }
  delete shop.broken;
  await agnes.sync();
  expect(await words()).toEqual(["on_time", "on_time"]);
  const access = new Set(["shop.people"]);
  expect((await agnes.syncStatus({ access })).map(({ id }) => id)).toEqual(["shop.people"]);
  await tables.unregister("shop.orders");
  nowMs += MINUTE_MS;
  await tables.register({ source: "shop", sourceTable: "orders" });
  expect(await words()).toEqual(["new", "on_time"]);
  // An error of the request is none of the tables.
  const { sources } = await agnes.sync({ only: ["shop.none", "shop.people"] });
  expect(sources[0]!.error!.code).toBe("table_not_registered");
  expect(await words()).toEqual(["new", "on_time"]);
});

test("sync() reports a table that could never be read in each run, and its source as synced once it can be read", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "exports", "bad.csv");
  await Bun.write(file, "id,amount\n1,2\n1\n");
  const config = {
    version: 1,
    sources: { exports: { plugin: "files", options: { path: "./exports" } } },
  } as const;
  for (const run of ["first", "second"]) {
    await using agnes = await createAgnes({ workspace: folder.path, plugins: [files], config });
    const { sources } = await agnes.sync();
    expect({ run, code: (sources[0]!.stats!.errors[0]!.error as AgnesError).code }).toEqual({
      run,
      code: "file_row_invalid",
    });
    expect(await agnes.syncStatus()).toEqual([]);
  }
  await Bun.write(file, "id,amount\n1,2\n");
  await using agnes = await createAgnes({ workspace: folder.path, plugins: [files], config });
  expect((await agnes.sync()).status).toBe("complete");
});
