import { expect, test } from "bun:test";

import { permanent } from "agnes/kit";

import files from "../../../plugins/files/plugin.ts";
import {
  closedGate,
  newWarehouse,
  registerRemote,
  SECRET,
  until,
  warehousePlugins,
  type Warehouse,
} from "../../metadata/warehouse.ts";
import { served, type Served } from "../harness.ts";

const STATUS = "/api/v2/metadata-cache/status";
const ALIASES = ["/api/admin/metadata-refresh", "/api/admin/run-bq-metadata-refresh"];

/** A server over the warehouse `shop` with the remote tables `orders`, `people` and `visits`, and a local table. */
async function withServer(
  work: (server: Served, warehouse: Warehouse, admin: string) => Promise<void>,
): Promise<void> {
  const warehouse = newWarehouse();
  await using server = await served({
    plugins: [files, ...warehousePlugins(warehouse)],
    config: {
      version: 1,
      sources: { shop: { plugin: "warehouse" }, plain: { plugin: "plain" } },
    },
    host: { env: { WAREHOUSE_TOKEN: SECRET } },
  });
  await registerRemote(server.agnes, "shop", ["orders", "people", "visits"]);
  await registerRemote(server.agnes, "plain", ["events"]);
  await server.agnes.sync();
  await work(server, warehouse, await server.token());
}

const post = async (server: Served, path: string, token: string) => {
  const response = await server.request(path, { method: "POST", token });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const get = async (server: Served, path: string, token: string) => {
  const response = await server.request(path, { token });
  expect(response.status).toBe(200);
  return (await response.json()) as { readonly tables: readonly Record<string, unknown>[] };
};

test("POST /api/admin/metadata-refresh refreshes all remote tables, also by its earlier path", async () => {
  await withServer(async (server, warehouse, admin) => {
    warehouse.responses.set("people", null);
    warehouse.responses.set("visits", permanent("403"));
    for (const path of ALIASES) {
      const { status, body } = await post(server, path, admin);
      expect([status, body]).toEqual([
        200,
        {
          run_id: expect.any(String) as string,
          started_at: expect.any(String) as string,
          total: 3,
          succeeded: 1,
          no_data: 1,
          failed: 1,
          duration_ms: expect.any(Number) as number,
        },
      ]);
    }
    expect(warehouse.calls).toHaveLength(6);
  });
});

test("a second refresh over HTTP is 409 with the run of the first, and requests nothing", async () => {
  await withServer(async (server, warehouse, admin) => {
    const open = closedGate(warehouse);
    const first = post(server, ALIASES[0]!, admin);
    await until(() => warehouse.calls.length === 3);
    const others = await Promise.all([
      ...ALIASES.map((path) => post(server, path, admin)),
      post(server, "/api/v2/metadata-cache/refresh?table=orders", admin),
    ]);
    open();
    const { body } = await first;
    for (const other of others)
      expect(other).toEqual({
        status: 409,
        body: {
          error: expect.objectContaining({ code: "already_running" }) as never,
          reason: "already_running",
          run_id: body["run_id"],
          started_at: body["started_at"],
          hint: expect.stringContaining("Wait") as string,
        },
      });
    expect(warehouse.calls).toHaveLength(3);
  });
});

test("POST /api/v2/metadata-cache/refresh refreshes one table and returns its figures", async () => {
  await withServer(async (server, warehouse, admin) => {
    const refresh = (table: string) => post(server, `/api/v2/metadata-cache/refresh?table=${table}`, admin);
    warehouse.responses.set("orders", {
      entityType: "table",
      rows: 12,
      sizeBytes: 340,
      partitionedBy: ["day"],
      clusteredBy: ["id"],
      columns: [{ name: "id", type: "INT64" }],
    });
    const figures = {
      rows: 12,
      size_bytes: 340,
      partition_by: "day",
      clustered_by: ["id"],
      entity_type: "table",
      known_columns: ["id"],
      columns: 1,
      modified_at: null,
    };
    const times = {
      table_id: "shop.orders",
      run_id: expect.any(String) as string,
      fetch_ms: expect.any(Number) as number,
      total_ms: expect.any(Number) as number,
    };
    expect(await refresh("Orders")).toEqual({
      status: 200,
      body: { ...times, status: "ok", error: null, error_code: null, ...figures },
    });
    warehouse.responses.set("orders", new Error(`refused TOKEN in ${server.directory}/data/x.json`));
    const failed = await refresh("shop.orders");
    expect(failed).toMatchObject({
      status: 200,
      body: { status: "error", error_code: "plugin_failed", ...figures },
    });
    expect(String(failed.body["error"])).toContain("refused");
    expect(JSON.stringify(failed)).not.toContain(server.directory);
    expect(JSON.stringify(failed)).not.toContain(SECRET);
    warehouse.responses.set("people", null);
    expect((await refresh("people")).body).toMatchObject({
      status: "no_data",
      rows: null,
      known_columns: [],
    });
    const errors = await Promise.all(["nothing", "plain.events", ""].map(refresh));
    expect(
      errors.map(({ status, body }) => [status, (body["error"] as { readonly code: string }).code]),
    ).toEqual([
      [404, "table_not_registered"],
      [400, "metadata_not_cached"],
      [404, "table_not_registered"],
    ]);
    const missing = await post(server, "/api/v2/metadata-cache/refresh", admin);
    expect(missing.status).toBe(400);
  });
});

test("GET /api/v2/metadata-cache/status lists the granted remote tables to any user, also never fetched ones", async () => {
  await withServer(async (server, warehouse, admin) => {
    warehouse.responses.set("people", permanent("403: access denied"));
    await post(server, "/api/v2/metadata-cache/refresh?table=orders", admin);
    await post(server, "/api/v2/metadata-cache/refresh?table=people", admin);
    const calls = warehouse.calls.length;
    const all = await get(server, STATUS, admin);
    expect(all).toMatchObject({ scheduler_interval_seconds: 14_400, fresh_threshold_seconds: 28_800 });
    expect(
      all.tables.map(({ table_id, freshness, can_refresh }) => [table_id, freshness, can_refresh]),
    ).toEqual([
      ["plain.events", "never_fetched", false],
      ["shop.orders", "fresh", true],
      ["shop.people", "error", true],
      ["shop.visits", "never_fetched", true],
    ]);
    expect(all.tables[1]).toMatchObject({ name: "orders", rows: 1, error_at: null, error_msg: null });
    expect(all.tables[2]).toMatchObject({
      refreshed_at: null,
      rows: null,
      error_at: expect.any(String) as string,
      error_code: "source_refused",
      error_msg: expect.stringContaining("403") as string,
    });
    const grants = { tables: ["shop.orders"], sources: [], folders: [] };
    const analyst = await server.token({ role: "analyst", grants });
    const granted = await get(server, STATUS, analyst);
    expect(granted.tables).toEqual([all.tables[1]!]);
    // The text of a source may name other tables.
    const failing = { tables: ["shop.people"], sources: [], folders: [] };
    const limited = await get(server, STATUS, await server.token({ role: "analyst", grants: failing }));
    expect(limited.tables).toEqual([{ ...all.tables[2]!, error_msg: "the last refresh failed" }]);
    expect((await server.request(STATUS)).status).toBe(401);
    for (const path of [...ALIASES, "/api/v2/metadata-cache/refresh?table=orders"])
      expect((await post(server, path, analyst)).status).toBe(403);
    expect(warehouse.calls).toHaveLength(calls);
  });
});

test("GET /api/v2/catalog shows the cached figures at once, and calls no source", async () => {
  await withServer(async (server, warehouse, admin) => {
    const { reads } = warehouse;
    const orders = async () =>
      (await get(server, "/api/v2/catalog", admin)).tables.find(({ id }) => id === "shop.orders");
    expect(await orders()).toMatchObject({
      rows: null,
      size_bytes: null,
      rough_size_hint: null,
      freshness: "never_fetched",
      metadata_refreshed_at: null,
    });
    warehouse.responses.set("orders", { rows: 12, sizeBytes: 2 ** 28 });
    await post(server, ALIASES[0]!, admin);
    const calls = warehouse.calls.length;
    expect(await orders()).toMatchObject({
      rows: 12,
      size_bytes: 2 ** 28,
      rough_size_hint: "medium",
      freshness: "fresh",
      metadata_refreshed_at: expect.any(String) as string,
    });
    expect([warehouse.calls.length, warehouse.reads]).toEqual([calls, reads]);
  });
});

test("a refresh of metadata is not stopped by the timeout for slow clients, nor by a client that leaves", async () => {
  await withServer(async (server, warehouse, admin) => {
    const open = closedGate(warehouse);
    const controller = new AbortController();
    const ready: string[] = [];
    const headers = { authorization: `Bearer ${admin}` };
    const request = new Request(`http://127.0.0.1${ALIASES[0]}`, {
      method: "POST",
      headers,
      signal: controller.signal,
    });
    const response = server.agnes.fetch(request, { onReady: () => ready.push("ready") });
    await until(() => warehouse.calls.length === 3);
    controller.abort();
    open();
    await response.catch(() => undefined);
    expect(ready).toEqual(["ready"]);
    expect((await server.agnes.metadata.status()).lastRun).toMatchObject({ counts: { succeeded: 3 } });
  });
});
