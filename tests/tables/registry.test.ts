import { describe, expect, test } from "bun:test";

import { createHost } from "../../lib/base/mod.ts";
import { memoryStorage } from "../../lib/catalog/mod.ts";
import { checkSourceRules, openTableRegistry, tableDefaults } from "../../lib/tables/mod.ts";
import type { UnregisterEvent } from "../../lib/tables/cascade.ts";
import { errorOf, memoryRegistry, stillHost } from "./registry-setup.ts";

const orders = { source: "crm", sourceTable: "in.c-crm.orders", primaryKey: ["id"] } as const;
const change = { ...orders, primaryKey: ["id"] };

describe("TableRegistry.register()", () => {
  test("fills in names, bucket and every default", async () => {
    await using registry = await memoryRegistry();
    const { table, changed } = await registry.register(change);
    expect(table).toEqual({
      ...(tableDefaults as unknown as typeof table),
      id: "crm.orders",
      source: "crm",
      name: "orders",
      viewName: "orders",
      sourceTable: "in.c-crm.orders",
      bucket: "in.c-crm",
      primaryKey: ["id"],
      registeredBy: "ann",
      registeredAt: "2026-11-21T06:00:00.000Z",
      version: 1,
    });
    expect(changed).toEqual(["source", "name", "viewName", "sourceTable", "bucket", "primaryKey"]);
    expect(await registry.get("crm.orders")).toEqual(table);
  });

  test("removes a repeated bucket prefix", async () => {
    await using registry = await memoryRegistry();
    const twice = { source: "crm", bucket: "in.c-crm", sourceTable: "in.c-crm.in.c-crm.orders" };
    const { table } = await registry.register(twice);
    expect([table.id, table.sourceTable]).toEqual(["crm.orders", "in.c-crm.orders"]);
  });

  test("refuses an id or view name that is taken, in any case, and suggests a free one", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change);
    const same = await errorOf(() => registry.register(change));
    expect([same.code, same.status]).toEqual(["table_exists", 409]);
    const otherCase = await errorOf(() => registry.register({ ...change, source: "CRM", name: "ORDERS" }));
    expect(otherCase.code).toBe("table_exists");
    expect(otherCase.message).toContain("only in case");
    const view = await errorOf(() =>
      registry.register({ source: "erp", sourceTable: "Orders", name: "Orders" }),
    );
    expect([view.code, view.status]).toEqual(["table_view_taken", 409]);
    expect(view.message).toContain("crm.orders");
    expect(view.hint).toContain("--as erp_orders");
    expect(
      (await registry.register({ source: "erp", sourceTable: "Orders", viewName: "erp_orders" })).table
        .version,
    ).toBe(2);
  });

  test("assigns a view name to exactly one of many writers", async () => {
    const storage = memoryStorage();
    const registries = await Promise.all(Array.from({ length: 8 }, () => memoryRegistry(storage)));
    const results = await Promise.allSettled(
      registries.map((registry, index) =>
        registry.register({
          source: `s${index}`,
          sourceTable: "orders",
          viewName: index % 2 === 0 ? "Orders" : "orders",
        }),
      ),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await registries[0]!.list({ viewName: "ORDERS" })).toHaveLength(1);
    expect(await registries[0]!.version()).toBe(1);
  });

  test("changes nothing on a dry run, and still refuses", async () => {
    await using registry = await memoryRegistry();
    const { table, dryRun } = await registry.register(change, { dryRun: true });
    expect([table.id, dryRun]).toEqual(["crm.orders", true]);
    expect([await registry.version(), await registry.get("crm.orders")]).toEqual([0, null]);
    await registry.register(change);
    expect((await errorOf(() => registry.register(change, { dryRun: true }))).code).toBe("table_exists");
  });

  test("runs the additional check that it was opened with", async () => {
    const source = { plugin: "files", capabilities: ["discover", "read"] } as const;
    await using registry = await openTableRegistry({
      storage: memoryStorage(),
      host: stillHost(),
      checkTable: (table, id) => checkSourceRules(table, id, source),
    });
    const sql = { ...change, queryMode: "materialized", sourceQuery: "select 1" } as const;
    const error = await errorOf(() => registry.register(sql));
    expect(error.code).toBe("table_contradiction");
    expect(error.message).toContain("files does not run queries");
    await registry.register(change);
    const json = { queryMode: "materialized", sourceQuery: '{"limit": 5}' } as const;
    expect((await errorOf(() => registry.update("crm.orders", json))).code).toBe("table_contradiction");
  });
});

describe("TableRegistry.update()", () => {
  test("keeps missing fields, resets null ones, and reports the changed ones", async () => {
    await using registry = await memoryRegistry();
    await registry.register({
      ...change,
      description: "Orders",
      syncSchedule: "every 6h",
      documentation: { grain: "one order", history: "all" },
    });
    const first = await registry.update("crm.orders", {
      description: null,
      documentation: { grain: null, platforms: ["web"] },
    });
    expect(first.changed).toEqual(["description", "documentation"]);
    expect(first.table).toMatchObject({
      description: "",
      syncSchedule: "every 6h",
      documentation: { history: "all", platforms: ["web"] },
      version: 2,
    });
    expect(first.table.documentation).not.toHaveProperty("grain");
    const second = await registry.update("crm.orders", {
      syncSchedule: undefined,
      partitionGranularity: null,
      quarantineMaxPercent: null,
      documentation: null,
    });
    expect(second.table).toMatchObject({
      syncSchedule: "every 6h",
      quarantineMaxPercent: 5,
      documentation: {},
    });
  });

  test("writes nothing if no value changes", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change);
    const { changed, table } = await registry.update("crm.orders", { primaryKey: ["id"] });
    expect([changed, table.version, await registry.version()]).toEqual([[], 1, 1]);
  });

  test("updates a derived bucket with the source's name, and keeps an explicit one", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change);
    const moved = await registry.update("crm.orders", { sourceTable: "out.c-crm.orders" });
    expect(moved.table).toMatchObject({ id: "crm.orders", bucket: "out.c-crm" });
    await registry.update("crm.orders", { sourceTable: "orders", bucket: "sales" });
    expect((await registry.update("crm.orders", { sourceTable: "orders2" })).table.bucket).toBe("sales");
  });

  test("renames the view, not the id, and frees the old name", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change);
    await registry.register({ source: "erp", sourceTable: "invoices" });
    expect((await errorOf(() => registry.renameView("erp.invoices", "ORDERS"))).code).toBe(
      "table_view_taken",
    );
    await registry.renameView("crm.orders", "crm_orders");
    expect((await registry.renameView("erp.invoices", "orders")).table).toMatchObject({
      id: "erp.invoices",
      name: "invoices",
      viewName: "orders",
    });
    expect((await registry.find("crm_orders")).id).toBe("crm.orders");
    expect((await registry.update("crm.orders", { viewName: "CRM_orders" })).table.viewName).toBe(
      "CRM_orders",
    );
    expect((await registry.update("erp.invoices", { viewName: null })).table.viewName).toBe("invoices");
  });
});

describe("expectedVersion", () => {
  test("of a stale writer is refused with both versions and what changed since", async () => {
    await using registry = await memoryRegistry();
    const { table } = await registry.register(change);
    await registry.update("crm.orders", { description: "x" }, { actor: "bob" });
    await registry.update("crm.orders", { description: "y", syncSchedule: "every 6h" }, { actor: "cyd" });
    for (const work of [
      () => registry.update("crm.orders", { folder: "f" }, { expectedVersion: table.version }),
      () => registry.renameView("crm.orders", "z", { expectedVersion: table.version }),
      () => registry.unregister("crm.orders", { expectedVersion: table.version }),
    ]) {
      const error = await errorOf(work);
      expect([error.code, error.status]).toEqual(["table_version_stale", 412]);
      expect(error.message).toContain("is at version 3, but version 1 was expected");
      expect(error.message).toContain('version 2, update of "crm.orders" (description) by "bob"');
      expect(error.message).toContain(
        'version 3, update of "crm.orders" (sync_schedule, description) by "cyd"',
      );
    }
    expect((await registry.get("crm.orders"))!.version).toBe(3);
  });

  test("holds while only other tables change, and for a version of the registry that came after", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change);
    await registry.register({ source: "erp", sourceTable: "invoices" });
    expect(
      (await registry.update("crm.orders", { description: "x" }, { expectedVersion: 1 })).table.version,
    ).toBe(3);
    await registry.update("erp.invoices", { description: "x" }, { expectedVersion: 3 });
    const future = await errorOf(() =>
      registry.update("crm.orders", { description: "z" }, { expectedVersion: 99 }),
    );
    expect(future.message).toContain("the expected version 99 does not exist");
    expect(future.hint).toBe("Repeat with version 4.");
  });

  test("is that of the whole registry where a table or folder is new", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change, { expectedVersion: 0 });
    const error = await errorOf(() =>
      registry.register({ source: "erp", sourceTable: "x" }, { expectedVersion: 0 }),
    );
    expect(error.code).toBe("table_version_stale");
    expect(error.message).toContain('version 1, register of "crm.orders"');
    expect((await errorOf(() => registry.setFolder("b", "f", { expectedVersion: 0 }))).code).toBe(
      "table_version_stale",
    );
    await registry.setFolder("b", "f", { expectedVersion: 1 });
    expect(await registry.folders()).toEqual({ b: "f" });
  });
});

describe("TableRegistry.unregister()", () => {
  test("lists the table's resources and calls all listeners even if one fails", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change);
    const events: UnregisterEvent[] = [];
    registry.onUnregister(() => {
      throw new Error("no permission");
    });
    registry.onUnregister((event) => void events.push(event));
    const off = registry.onUnregister(() => expect.unreachable());
    off();
    const { resources, failures, table } = await registry.unregister("CRM.orders");
    expect(resources.map(({ kind }) => kind).sort()).toEqual(["extract_table", "sync_state", "view"]);
    expect(failures.map(({ message }) => message)).toEqual(["no permission"]);
    expect(events).toEqual([{ table, version: 2, resources }]);
    expect(await registry.list()).toEqual([]);
    expect((await errorOf(() => registry.unregister("crm.orders"))).code).toBe("table_not_registered");
    expect((await registry.register(change)).table.version).toBe(3);
  });

  test("calls no listener on a dry run", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change);
    registry.onUnregister(() => expect.unreachable());
    expect((await registry.unregister("crm.orders", { dryRun: true })).resources).toHaveLength(3);
    expect(await registry.list()).toHaveLength(1);
  });
});

describe("TableRegistry.list()", () => {
  test("returns the tables that match all filters, ordered by id", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ source: "erp", sourceTable: "invoices", description: "Sent to Customers" });
    await registry.register(change);
    await registry.register({
      source: "crm",
      sourceTable: "in.c-crm.people",
      queryMode: "remote",
      viewName: "Persons",
    });
    await registry.setFolder("in.c-crm", "crm");
    const ids = async (filter: Parameters<typeof registry.list>[0]) =>
      (await registry.list(filter)).map(({ id }) => id);
    expect(await ids({})).toEqual(["crm.orders", "crm.people", "erp.invoices"]);
    expect(await ids({ source: "crm" })).toEqual(["crm.orders", "crm.people"]);
    expect(await ids({ bucket: "in.c-crm", queryMode: "remote" })).toEqual(["crm.people"]);
    expect(await ids({ viewName: "PERSONS" })).toEqual(["crm.people"]);
    expect(await ids({ text: "customers" })).toEqual(["erp.invoices"]);
    expect(await ids({ source: "crm", text: "PERS" })).toEqual(["crm.people"]);
    expect(await ids({ source: "none" })).toEqual([]);
  });
});

describe("TableRegistry.history()", () => {
  test("returns actor, time and states of changes, of one table and of all", async () => {
    await using registry = await memoryRegistry();
    await registry.register(change);
    await registry.setFolder("in.c-crm", "crm", { actor: "bob" });
    await registry.update("crm.orders", { description: "x" }, { actor: "cyd" });
    await registry.setFolder("in.c-crm", null);
    await registry.unregister("crm.orders");
    const all = await registry.history();
    expect(
      all.map(({ version, actor, action, id, changed }) => [version, actor, action, id, changed]),
    ).toEqual([
      [
        1,
        "ann",
        "register",
        "crm.orders",
        ["source", "name", "viewName", "sourceTable", "bucket", "primaryKey"],
      ],
      [2, "bob", "set_folder", "in.c-crm", ["folder"]],
      [3, "cyd", "update", "crm.orders", ["description"]],
      [4, "ann", "clear_folder", "in.c-crm", ["folder"]],
      [5, "ann", "unregister", "crm.orders", []],
    ]);
    const one = await registry.history({ id: "CRM.orders" });
    expect(one.map(({ version }) => version)).toEqual([1, 3, 5]);
    expect(one[1]).toMatchObject({ before: { description: "" }, after: { description: "x" } });
    expect(one[2]).toMatchObject({ before: { description: "x" }, after: null });
    expect((await registry.history({ first: "newest", limit: 1 })).map(({ version }) => version)).toEqual([
      5,
    ]);
    expect(await registry.history({ id: "crm.none" })).toEqual([]);
  });

  test("uses the user of the environment by default", async () => {
    const host = createHost({ env: { USER: "dana" } });
    await using registry = await openTableRegistry({ storage: memoryStorage(), host });
    expect((await registry.register(change)).table.registeredBy).toBe("dana");
    expect((await registry.history())[0]!.actor).toBe("dana");
  });
});
