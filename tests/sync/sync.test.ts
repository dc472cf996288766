import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { createAgnes, type Agnes } from "agnes";
import { fileStorage } from "agnes/catalog";
import { definePlugin } from "agnes/kit";
import * as v from "valibot";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { SyncState } from "../../lib/sync/mod.ts";
import { endlessPlugin } from "./endless.ts";
import { wantedSources } from "../../lib/sync/sync.ts";
import { openTableRegistry } from "../../lib/tables/mod.ts";
import { failureOf, newShop, openShop, shopPlugin, temporaryFolder } from "./workspace.ts";

const JOINED = "SELECT id, city FROM orders JOIN people ON person = name ORDER BY id";

describe("sync", () => {
  test("sync() registers, reads, publishes and queries, and skips unchanged data in a second run", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    const report = await agnes.sync();
    expect(report.status).toBe("complete");
    expect(report.sources[0]!.registered).toEqual(["shop.orders", "shop.people"]);
    expect(await agnes.rows(JOINED)).toEqual([
      { id: 1, city: "Brno" },
      { id: 2, city: "Oslo" },
    ]);
    const again = await agnes.sync();
    expect(again.sources[0]!.registered).toEqual([]);
    expect(again.analytics.published).toEqual(report.analytics.published);
  });

  test("sync() keeps the published data of a failed table, and reports partial without a secret", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    await agnes.sync();
    shop.orders.push({ id: 3, person: "ann", changed: "2026-01-03" });
    shop.people.push({ name: "cat", city: "Rome" });
    shop.broken = "orders";
    const report = await agnes.sync();
    expect(report.status).toBe("partial");
    const [failed] = report.sources[0]!.stats!.errors;
    expect(failed).toMatchObject({ table: "orders", error: { code: "plugin_failed" } });
    expect(JSON.stringify(report) + failed!.error.message).not.toContain("s3cret-token");
    expect(await agnes.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 2 }]);
    expect(await agnes.rows("SELECT count(*) AS n FROM people")).toEqual([{ n: 3 }]);
  });

  test("sync() applies the settings of the registry", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    await agnes.sync();
    const tables = await agnes.tables();
    await tables.update("shop.orders", { syncStrategy: "incremental", viewName: "sales" });
    await tables.update("shop.people", { columns: ["name"] });
    await agnes.sync();
    shop.reads.length = 0;
    shop.orders = [{ id: 2, person: "ann", changed: "2026-02-01" }];
    await agnes.sync();
    const read = shop.reads.find((one) => one.table === "orders")!;
    expect(read.options.cursor).toEqual({
      column: "changed",
      value: "2026-01-02 00:00:00",
      inclusive: true,
    });
    expect(await agnes.rows("SELECT id, person FROM sales ORDER BY id")).toEqual([
      { id: 1, person: "ann" },
      { id: 2, person: "ann" },
    ]);
    expect((await agnes.describe("people")).schema.map(({ name }) => name)).toEqual(["name"]);
    expect((await failureOf(agnes.rows("SELECT * FROM orders"))).code).toBe("table_unknown");
  });

  test("sync() of one table does not change the others", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    await agnes.sync();
    shop.reads.length = 0;
    const report = await agnes.sync({ only: ["shop.people"], full: true });
    expect(shop.reads.map((read) => read.table)).toEqual(["people"]);
    expect(report.sources[0]!.stats!.tables.map((one) => one.name)).toEqual(["people"]);
    expect((await agnes.catalog()).map(({ name }) => name)).toEqual(["orders", "people"]);
  });

  test("sync() names the next command when nothing is registered", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop, { register: "listed" });
    const report = await agnes.sync();
    expect(report.sources[0]).toMatchObject({ status: "unregistered", registered: [] });
    expect(report.sources[0]!.notes[0]).toBe(
      "shop has 2 tables, none of them registered: " +
        "`agnes connector discover shop` lists them, and `agnes table register shop TABLE` registers one",
    );
    expect(shop.reads).toEqual([]);
  });

  test("sync() fails a table that the source no longer has, and keeps its rows", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    await agnes.sync();
    shop.gone = ["people"];
    const report = await agnes.sync();
    expect(report.status).toBe("partial");
    expect(report.sources[0]!.stats!.errors[0]).toMatchObject({
      table: "people",
      error: { code: "table_vanished" },
    });
    expect(await agnes.rows("SELECT count(*) AS n FROM people")).toEqual([{ n: 2 }]);
  });

  test("sync() runs the other sources when one cannot be reached, and names a missing secret without its value", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    const throwing = definePlugin({
      name: "down",
      version: "1.0.0",
      description: "Never there",
      capabilities: ["discover", "read"],
      options: v.strictObject({}),
      secrets: {},
      connect: () => ({
        discover: async () => {
          throw new Error("no route");
        },
        async *read() {},
      }),
    });
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [shopPlugin(shop), throwing],
      config: {
        version: 1,
        sources: {
          down: { plugin: "down" },
          locked: { plugin: "shop", secrets: { SHOP_TOKEN: "OTHER_TOKEN" } },
          shop: { plugin: "shop", register: "all" },
        },
      },
      host: { env: { SHOP_TOKEN: "s3cret-token" } },
    });
    const report = await agnes.sync();
    expect(report.status).toBe("partial");
    expect(report.sources.map(({ source, status }) => [source, status])).toEqual([
      ["down", "failed"],
      ["locked", "failed"],
      ["shop", "complete"],
    ]);
    expect(report.sources[0]!.error!.message).toContain("no route");
    expect(report.sources[1]!.error).toMatchObject({ code: "secret_missing" });
    expect(report.sources[1]!.error!.message).toContain("OTHER_TOKEN");
  });

  test("sync() stops a source that never ends, by its own limit and by the caller's signal", async () => {
    using folder = temporaryFolder();
    const open = (timeoutMs?: number) =>
      createAgnes({
        workspace: folder.path,
        plugins: [endlessPlugin()],
        config: {
          version: 1,
          sources: { e: { plugin: "endless", ...(timeoutMs === undefined ? {} : { timeoutMs }) } },
        },
      });
    {
      await using agnes = await open(300);
      const report = await agnes.sync();
      expect(report.sources[0]).toMatchObject({ status: "failed", error: { code: "timed_out" } });
      expect(report.analytics.published).toEqual([]);
    }
    await using agnes = await open();
    const startedMs = performance.now();
    const error = await failureOf(agnes.sync({ signal: AbortSignal.timeout(200) }));
    expect(error.code).toBe("aborted");
    expect(performance.now() - startedMs).toBeLessThan(3000);
  });

  test("sync() rejects unknown sources and tables with the nearest name", async () => {
    using folder = temporaryFolder();
    await using agnes = await openShop(folder.path, newShop());
    const error = await failureOf(agnes.sync({ only: ["shp"] }));
    expect(error).toMatchObject({ code: "source_unknown", exitCode: 2 });
    expect(error.hint).toContain('"shop"');
    await agnes.sync();
    const report = await agnes.sync({ only: ["shop.ordrs"] });
    expect(report.sources[0]!.error).toMatchObject({ code: "table_not_registered" });
  });

  test("sync() accepts view names of tables, ignoring case, and prefers a source to a view with the same name", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    await agnes.sync();
    const registry = await agnes.tables();
    await registry.renameView("shop.orders", "sales");
    shop.reads.length = 0;
    await agnes.sync({ only: ["Sales"] });
    expect(shop.reads.map(({ table }) => table)).toEqual(["orders"]);
    expect((await failureOf(agnes.sync({ only: ["sale"] }))).hint).toContain('"sales"');
    expect((await failureOf(agnes.sync({ only: ["orders"] }))).code).toBe("source_unknown");
    await registry.renameView("shop.people", "shop");
    shop.reads.length = 0;
    await agnes.sync({ only: ["shop"], full: true });
    expect(shop.reads.map(({ table }) => table).sort()).toEqual(["orders", "people"]);
  });

  test("sync() reads a table once that is named several times", async () => {
    using folder = temporaryFolder();
    await using agnes = await openShop(folder.path, newShop());
    await agnes.sync();
    const { sources } = await agnes.sync({ only: ["orders", "shop.orders", "shop.ORDERS"] });
    expect(sources[0]!.stats!.tables.map(({ name }) => name)).toEqual(["orders"]);
    expect(await agnes.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 2 }]);
  });

  test("wantedSources() keeps the order of agnes.yaml, and prefers a source to its tables", () => {
    expect([...wantedSources(["a", "b"], undefined)]).toEqual([
      ["a", null],
      ["b", null],
    ]);
    expect([...wantedSources(["a", "b"], ["b.x", "a", "b.y", "a.z", "b.x"])]).toEqual([
      ["a", null],
      ["b", ["x", "y"]],
    ]);
  });
});

describe("the registry of a workspace", () => {
  test("unregister() removes the table from the extract and from analytics immediately", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    await agnes.sync();
    const outcome = await (await agnes.tables()).unregister("shop.people");
    expect(outcome.failures).toEqual([]);
    expect((await agnes.catalog()).map(({ name }) => name)).toEqual(["orders"]);
    const published = await readExtract(createHost().files, join(folder.path, "data", "extracts", "shop"));
    expect(published!.tables.map(({ name }) => name)).toEqual(["orders"]);
    const host = createHost();
    const storage = fileStorage({ directory: join(folder.path, "data", "state"), host });
    await using state = await SyncState.open({ storage, host, log: silentLog });
    expect([...(await state.succeeded("shop")).keys()]).toEqual(["orders"]);
    // The lines above cover every kind of resource of an unregistration.
    expect(outcome.resources.map(({ kind }) => kind)).toEqual(["extract_table", "view", "sync_state"]);
  });

  test("a sync removes only the tables that an interrupted unregistration left published", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    const names = async (agnes: Agnes) => (await agnes.catalog()).map(({ name }) => name);
    {
      await using agnes = await openShop(folder.path, shop);
      await agnes.sync();
    }
    {
      // Another process that stopped before the cleanup.
      const host = createHost();
      const storage = fileStorage({ directory: join(folder.path, "data", "state"), host });
      await using registry = await openTableRegistry({ storage, host });
      for (const id of ["shop.orders", "shop.people"]) await registry.unregister(id);
    }
    await using agnes = await openShop(folder.path, shop, { register: "listed" });
    expect(await names(agnes)).toEqual(["orders", "people"]);
    expect((await agnes.sync()).sources[0]).toMatchObject({ status: "unregistered" });
    expect(await names(agnes)).toEqual([]);

    await (await agnes.tables()).register({ source: "shop", sourceTable: "people" });
    await agnes.sync();
    rmSync(join(folder.path, "data", "state"), { recursive: true });
    await using lost = await openShop(folder.path, shop, { register: "listed" });
    await lost.sync();
    expect(await names(lost)).toEqual(["people"]);
  });

  test.each(["log/00000000", "log"])(
    "a registry whose %s is empty is lost, and is not treated as empty",
    async (place) => {
      using folder = temporaryFolder();
      const shop = newShop();
      {
        await using agnes = await openShop(folder.path, shop);
        await agnes.sync();
      }
      const registry = join(folder.path, "data", "state", "tables");
      for (const emptied of [place, "head"]) {
        rmSync(join(registry, emptied), { recursive: true });
        mkdirSync(join(registry, emptied));
      }
      await using agnes = await openShop(folder.path, shop, { register: "listed" });
      expect((await failureOf(agnes.sync())).code).toBe("catalog_corrupt");
    },
  );

  test("an unreadable registry stops the sync and is not treated as empty, and queries still work", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    {
      await using agnes = await openShop(folder.path, shop);
      await agnes.sync();
    }
    await Bun.write(`${folder.path}/data/state/tables/log/00000000/000000000001.json`, "{ torn");
    await using agnes = await openShop(folder.path, shop);
    expect((await failureOf(agnes.sync())).code).toBe("catalog_corrupt");
    expect(await agnes.rows("SELECT count(*) AS n FROM people")).toEqual([{ n: 2 }]);
  });

  test("a lost registry is an error with sync state, and a warning with extracts only", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    {
      await using agnes = await openShop(folder.path, shop);
      await agnes.sync();
    }
    const state = join(folder.path, "data", "state");
    for (const piece of ["tables/log/00000000", "tables/head/000000000001.json", "tables"]) {
      rmSync(join(state, piece), { recursive: true });
      if (piece.includes("log")) continue;
      await using agnes = await openShop(folder.path, shop);
      for (const work of [agnes.tables(), agnes.sync(), agnes.rebuild()]) {
        expect((await failureOf(work)).details).toMatchObject({ place: join(state, "tables") });
      }
    }
    rmSync(state, { recursive: true });
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
    for (let opened = 1; opened <= 2; opened++) {
      await using agnes = await openShop(folder.path, shop, { log });
      expect(await (await agnes.tables()).list()).toEqual([]);
      expect(warnings).toHaveLength(opened);
      expect(warnings.at(-1)).toContain("but shop was published here before");
    }
    await using agnes = await openShop(folder.path, shop, { log });
    await agnes.sync();
    await (await agnes.tables()).list();
    expect(warnings).toHaveLength(3);
  });

  test("a remote table is read through its connector when it cannot be attached", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    await (await agnes.tables()).register({ source: "shop", sourceTable: "people", queryMode: "remote" });
    await agnes.sync();
    shop.people.push({ name: "cat", city: "Rome" });
    expect(await agnes.rows("SELECT city FROM people WHERE name = 'cat'")).toEqual([{ city: "Rome" }]);
    const result = await agnes.query("SELECT name FROM people");
    for await (const batch of result.batches) expect(batch.numRows).toBe(3);
    expect(result.receipt().remotes).toMatchObject([{ id: "shop.people", accessMode: "live" }]);
  });
});

describe("rollback", () => {
  test("rollback() publishes an earlier generation again, and the next sync reads the later rows", async () => {
    using folder = temporaryFolder();
    const shop = newShop();
    await using agnes = await openShop(folder.path, shop);
    await agnes.sync();
    shop.people.push({ name: "cat", city: "Rome" });
    await agnes.sync();
    expect(await agnes.rows("SELECT count(*) AS n FROM people")).toEqual([{ n: 3 }]);
    expect(await agnes.rollback("shop", 1)).toBe(3);
    expect(await agnes.rows("SELECT count(*) AS n FROM people")).toEqual([{ n: 2 }]);
    await agnes.sync();
    expect(await agnes.rows("SELECT count(*) AS n FROM people")).toEqual([{ n: 3 }]);
    expect((await failureOf(agnes.rollback("shop", 99))).code).toBe("generation_unknown");
    const { generation } = (await agnes.sync()).sources[0]!.stats!;
    const already = await failureOf(agnes.rollback("shop", generation!));
    expect(already.message).toContain(`generation ${generation} is the current one`);
    expect((await failureOf(agnes.rollback("shp", 1))).code).toBe("source_unknown");
  });
});

describe("the rules of a source", () => {
  test("register() rejects settings that the plugin of the source does not support", async () => {
    using folder = temporaryFolder();
    await using agnes = await openShop(folder.path, newShop());
    const tables = await agnes.tables();
    const error = await failureOf(
      tables.register({ source: "shop", name: "top", queryMode: "materialized", sourceQuery: "SELECT 1" }),
    );
    expect(error.code).toBe("table_contradiction");
    expect(error.message).toContain("shop does not run queries");
  });
});
