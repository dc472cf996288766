import { expect, test } from "bun:test";

import { isAgnesError } from "agnes";
import { permanent, transient } from "agnes/kit";
import { recordingLog } from "agnes/testing";

import { nodeFiles } from "../../lib/base/mod.ts";
import { faultyFiles } from "../fakes/faulty-files.ts";
import {
  closedGate,
  failureOf,
  newWarehouse,
  openWarehouse,
  registerRemote,
  SECRET,
  stateOf,
  until,
  withWarehouse,
} from "./warehouse.ts";

test("refresh() requests each remote table and returns the counts and the run", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders", "people", "visits", "events"]);
    await (await agnes.tables()).register({ source: "shop", sourceTable: "copied" });
    warehouse.responses.set("orders", {
      entityType: "table",
      rows: 12,
      sizeBytes: 340,
      partitionedBy: ["day"],
      clusteredBy: [],
      modifiedAt: new Date("2026-01-31T10:00:00Z"),
      columns: [
        { name: "id", type: "INT64" },
        { name: "day", type: "DATE" },
      ],
    });
    warehouse.responses.set("people", null);
    warehouse.responses.set("visits", permanent("403: access denied"));
    const report = await agnes.metadata.refresh();
    expect(report).toEqual({
      runId: expect.stringMatching(/^[0-9a-z]{12}$/) as string,
      startedAt: expect.stringMatching(/Z$/) as string,
      total: 4,
      succeeded: 2,
      noData: 1,
      failed: 1,
      durationMs: expect.any(Number) as number,
      failures: [
        {
          table: "shop.visits",
          code: "source_refused",
          message: expect.stringContaining("403: access denied") as string,
        },
      ],
    });
    expect(warehouse.calls).toEqual([["events"], ["orders"], ["people"], ["visits"]]);
    expect(warehouse.reads).toBe(0);
    const { tables, lastRun } = await agnes.metadata.status();
    expect(tables.map(({ table, freshness }) => [table, freshness])).toEqual([
      ["shop.events", "fresh"],
      ["shop.orders", "fresh"],
      ["shop.people", "no_data"],
      ["shop.visits", "error"],
    ]);
    expect(tables[1]!.metadata).toEqual({
      entityType: "table",
      rows: 12,
      sizeBytes: 340,
      partitionedBy: ["day"],
      clusteredBy: [],
      modifiedAt: "2026-01-31T10:00:00.000Z",
      columnCount: 2,
      columns: ["id", "day"],
    });
    expect(tables[0]!.metadata).toMatchObject({ rows: 1, sizeBytes: null, columns: null });
    const { failures: _failures, runId, startedAt, ...counts } = report;
    expect(lastRun).toEqual({
      runId,
      startedAt,
      counts,
      finishedAt: expect.stringMatching(/Z$/) as string,
    });
  });
});

test("refresh() keeps the last known metadata when a source fails after it succeeded, and when it has no data", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders"]);
    warehouse.responses.set("orders", { rows: 12 });
    await agnes.metadata.refresh();
    const good = await stateOf(agnes, "shop.orders");
    warehouse.responses.set("orders", permanent("the key TOKEN has expired"));
    expect(await agnes.metadata.refresh()).toMatchObject({ total: 1, succeeded: 0, failed: 1 });
    const failed = await stateOf(agnes, "shop.orders");
    expect(failed).toEqual({
      ...good!,
      lastError: {
        at: expect.any(String) as string,
        code: "plugin_failed",
        message: expect.stringContaining("has expired") as string,
      },
    });
    expect([failed!.freshness, failed!.metadata!.rows]).toEqual(["fresh", 12]);
    warehouse.responses.set("orders", null);
    expect(await agnes.metadata.refresh()).toMatchObject({ noData: 1, failed: 0 });
    expect(await stateOf(agnes, "shop.orders")).toEqual({ ...good!, noDataAt: expect.any(String) as string });
    warehouse.responses.set("orders", { rows: 13 });
    await agnes.metadata.refresh();
    expect(await stateOf(agnes, "shop.orders")).toMatchObject({
      noDataAt: null,
      lastError: null,
      metadata: { rows: 13 },
    });
  });
});

test("the metadata cache stores no secret of an error, and its text only in part", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders"]);
    warehouse.responses.set("orders", new Error(`refused with TOKEN ${"x".repeat(2000)}`));
    const { failures } = await agnes.metadata.refresh();
    const state = await stateOf(agnes, "shop.orders");
    expect(state!.lastError!.message.length).toBe(500);
    expect(JSON.stringify([failures, state])).toContain("refused with");
    expect(JSON.stringify([failures, state])).not.toContain(SECRET);
  });
});

test("a second refresh() fails with the run of the first, even in the same turn, and requests nothing", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    const open = closedGate(warehouse);
    const first = agnes.metadata.refresh();
    const atOnce = await failureOf(agnes.metadata.refresh());
    await until(() => warehouse.calls.length === 2);
    const later = await failureOf(agnes.metadata.refresh());
    open();
    const { runId, startedAt, succeeded } = await first;
    expect(succeeded).toBe(2);
    for (const error of [atOnce, later]) {
      expect([error.code, error.status]).toEqual(["already_running", 409]);
      expect(error.details).toMatchObject({ runId, startedAt });
    }
    expect(warehouse.calls).toHaveLength(2);
    const next = await agnes.metadata.refresh();
    expect(next.runId).not.toBe(runId);
  });
});

test("two workspaces in one process on one folder run one refresh at a time", async () => {
  await withWarehouse(async (agnes, warehouse, directory) => {
    await registerRemote(agnes, "shop", ["orders"]);
    const open = closedGate(warehouse);
    const first = agnes.metadata.refresh();
    await until(() => warehouse.calls.length === 1);
    const idle = newWarehouse();
    await using second = await openWarehouse(directory, idle);
    const error = await failureOf(second.metadata.refresh());
    const one = await failureOf(second.metadata.refreshTable("orders"));
    open();
    const { runId } = await first;
    for (const found of [error, one])
      expect(found).toMatchObject({ code: "already_running", details: { runId } });
    expect(idle.calls).toEqual([]);
    expect(await second.metadata.refresh()).toMatchObject({ succeeded: 1 });
  });
});

test("refreshTable() requests one table and returns what is cached", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    warehouse.responses.set("orders", { rows: 7 });
    expect(await agnes.metadata.refreshTable("ORDERS")).toEqual({
      table: "shop.orders",
      runId: expect.any(String) as string,
      status: "ok",
      error: null,
      metadata: expect.objectContaining({ rows: 7 }) as never,
      fetchMs: expect.any(Number) as number,
      totalMs: expect.any(Number) as number,
    });
    expect(warehouse.calls).toEqual([["orders"]]);
    warehouse.responses.set("orders", transient("the source is busy"));
    expect(await agnes.metadata.refreshTable("shop.orders")).toMatchObject({
      status: "error",
      error: { code: "source_unavailable", message: expect.stringContaining("the source is busy") as string },
      metadata: { rows: 7 },
    });
    warehouse.responses.set("people", null);
    expect(await agnes.metadata.refreshTable("people")).toMatchObject({ status: "no_data", metadata: null });
    expect((await stateOf(agnes, "shop.people"))!.freshness).toBe("no_data");
  });
});

test("refreshTable() fails while the table or all tables are refreshed; other tables are not affected", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    const open = closedGate(warehouse);
    const one = agnes.metadata.refreshTable("orders");
    await until(() => warehouse.calls.length === 1);
    const same = await failureOf(agnes.metadata.refreshTable("shop.orders"));
    const another = agnes.metadata.refreshTable("people");
    await until(() => warehouse.calls.length === 2);
    open();
    expect(same).toMatchObject({ code: "already_running", details: { runId: (await one).runId } });
    expect(await another).toMatchObject({ status: "ok" });

    const openAll = closedGate(warehouse);
    const all = agnes.metadata.refresh();
    await until(() => warehouse.calls.length === 4);
    const during = await failureOf(agnes.metadata.refreshTable("orders"));
    openAll();
    expect(during).toMatchObject({ code: "already_running", details: { runId: (await all).runId } });
    expect(await agnes.metadata.refreshTable("orders")).toMatchObject({ status: "ok" });
  });
});

test("two calls of refreshTable() in the same turn request the table once", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders"]);
    const results = await Promise.allSettled([1, 2, 3].map(() => agnes.metadata.refreshTable("orders")));
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(warehouse.calls).toHaveLength(1);
  });
});

test("refresh() uses the result of a table that is being refreshed", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    const open = closedGate(warehouse);
    const one = agnes.metadata.refreshTable("orders");
    await until(() => warehouse.calls.length === 1);
    const all = agnes.metadata.refresh();
    await until(() => warehouse.calls.length === 2);
    open();
    expect(await one).toMatchObject({ status: "ok" });
    expect(await all).toMatchObject({ total: 2, succeeded: 2 });
    expect(warehouse.calls).toEqual([["orders"], ["people"]]);
  });
});

test("refresh() requests at most as many tables at once as the environment states", async () => {
  const env = { AGNES_BQ_METADATA_REFRESH_CONCURRENCY: "3" };
  for (const [options, expected] of [
    [{ env }, 3],
    [{}, 4],
  ] as const)
    await withWarehouse(async (agnes, warehouse) => {
      await registerRemote(
        agnes,
        "shop",
        Array.from({ length: 12 }, (_, at) => `t${at}`),
      );
      warehouse.gate = Bun.sleep(30);
      expect(await agnes.metadata.refresh()).toMatchObject({ succeeded: 12 });
      expect(warehouse.maxInFlight).toBe(expected);
    }, options);
});

test("refresh() requests no more tables of a source after five transient failures in a row", async () => {
  const env = { AGNES_BQ_METADATA_REFRESH_CONCURRENCY: "1" };
  await withWarehouse(
    async (agnes, warehouse) => {
      const names = Array.from({ length: 9 }, (_, at) => `t${at}`);
      await registerRemote(agnes, "other", names);
      await registerRemote(agnes, "shop", ["orders"]);
      for (const name of names) warehouse.responses.set(name, transient("the source is down"));
      const down = await agnes.metadata.refresh();
      expect(down).toMatchObject({ total: 10, succeeded: 1, failed: 9 });
      expect(warehouse.calls).toHaveLength(6);
      expect(down.failures.at(-1)!.message).toContain("failed 5 times in a row");
      // A missing permission is that of one table.
      for (const name of names) warehouse.responses.set(name, permanent("access denied"));
      expect(await agnes.metadata.refresh()).toMatchObject({ failed: 9 });
      expect(warehouse.calls).toHaveLength(16);
    },
    { env },
  );
});

test("a source that cannot be opened fails its own tables only, without a warning about closing it", async () => {
  const log = recordingLog();
  await withWarehouse(
    async (agnes) => {
      await registerRemote(agnes, "other", ["orders", "people"]);
      await registerRemote(agnes, "shop", ["orders"]);
      const { failures, succeeded } = await agnes.metadata.refresh();
      expect(succeeded).toBe(1);
      expect(failures.map(({ table, code }) => [table, code])).toEqual([
        ["other.orders", "secret_missing"],
        ["other.people", "secret_missing"],
      ]);
      expect(log.entries.filter(({ level }) => level === "warn")).toEqual([]);
    },
    { host: { env: { WAREHOUSE_TOKEN: SECRET } }, log },
  );
});

test("tables whose plugin reports no metadata are listed and not requested", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "plain", ["orders"]);
    await (await agnes.tables()).register({ source: "shop", sourceTable: "copied" });
    expect(await agnes.metadata.refresh()).toMatchObject({ total: 0, failed: 0 });
    expect((await agnes.metadata.status()).tables).toMatchObject([
      { table: "plain.orders", canRefresh: false, freshness: "never_fetched" },
    ]);
    const codes = ["plain.orders", "shop.copied", "nothing"].map(async (table) => {
      const error = await failureOf(agnes.metadata.refreshTable(table));
      return [error.code, error.status];
    });
    expect(await Promise.all(codes)).toEqual([
      ["metadata_not_cached", 400],
      ["metadata_not_cached", 400],
      ["table_not_registered", 404],
    ]);
    expect(warehouse.calls).toEqual([]);
  });
});

test("a table registered by its bucket is requested by its name with the bucket first", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    const tables = await agnes.tables();
    const register = (name: string, bucket: string) =>
      tables.register({ source: "shop", sourceTable: name, bucket, queryMode: "remote" });
    await register("orders", "web");
    await register("web.people", "web");
    warehouse.responses.set("web.orders", null);
    warehouse.responses.set("orders", { rows: 3 });
    await agnes.metadata.refreshTable("shop.orders");
    expect(warehouse.calls).toEqual([["web.orders"], ["orders"]]);
    expect((await stateOf(agnes, "shop.orders"))!.metadata!.rows).toBe(3);
    const people = (await tables.list()).find(({ sourceTable }) => sourceTable === "web.people")!;
    await agnes.metadata.refreshTable(people.id);
    expect(warehouse.calls.at(-1)).toEqual(["web.people"]);
  });
});

test("refresh() stops at its signal and when the workspace is closed, and the next one runs", async () => {
  await withWarehouse(async (agnes, warehouse, directory) => {
    await registerRemote(agnes, "shop", ["orders"]);
    closedGate(warehouse);
    const controller = new AbortController();
    const stopped = agnes.metadata.refresh({ signal: controller.signal });
    await until(() => warehouse.calls.length === 1);
    controller.abort();
    expect((await failureOf(stopped)).code).toBe("aborted");
    const { lastRun, tables } = await agnes.metadata.status();
    expect(lastRun).toMatchObject({ counts: null, finishedAt: expect.any(String) as string });
    expect(tables[0]!.freshness).toBe("never_fetched");

    for (const options of [{}, { signal: new AbortController().signal }]) {
      const own = newWarehouse();
      closedGate(own);
      const closing = await openWarehouse(directory, own);
      const error = failureOf(closing.metadata.refresh(options));
      await until(() => own.calls.length === 1);
      await closing.close();
      expect((await error).code).toBe("aborted");
      expect(isAgnesError(await failureOf(closing.metadata.refresh()), "aborted")).toBe(true);
    }
    warehouse.gate = Promise.resolve();
    expect(await agnes.metadata.refresh()).toMatchObject({ succeeded: 1 });
  });
});

test("a full disk fails refresh() and refreshTable(), and what was known stays", async () => {
  await withWarehouse(async (agnes, warehouse, directory) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    warehouse.responses.set("orders", { rows: 5 });
    await agnes.metadata.refresh();
    const before = (await agnes.metadata.status()).tables;
    const own = newWarehouse();
    // The first write records the run; the later ones are those of the results.
    const host = { files: faultyFiles(nodeFiles(), { at: 2, operations: ["write"], stays: true }) };
    await using full = await openWarehouse(directory, own, { host });
    expect((await failureOf(full.metadata.refresh())).code).toBe("disk_full");
    expect((await failureOf(full.metadata.refreshTable("orders"))).code).toBe("disk_full");
    expect((await agnes.metadata.status()).tables).toEqual(before);
    expect(await agnes.metadata.refresh()).toMatchObject({ succeeded: 2 });
  });
});
