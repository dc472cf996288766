import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createHost } from "../../../lib/base/mod.ts";
import { createAgnes } from "../../../lib/create-agnes.ts";
import { PublishedCatalog } from "../../../lib/serve/catalog/published-catalog.ts";
import type { ServeServices } from "../../../lib/serve/services.ts";
import files from "../../../plugins/files/plugin.ts";
import { served, type Served } from "../harness.ts";

let shop: Served;
let admin: string;
let analyst: string;
beforeAll(async () => {
  shop = await served();
  admin = await shop.token();
  const grants = { tables: ["shop.orders"], sources: [], folders: [] };
  analyst = await shop.token({ role: "analyst", grants });
});
afterAll(() => shop[Symbol.asyncDispose]());

async function get(path: string, token = admin) {
  const response = await shop.request(path, { token });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("GET /api/v2/catalog", () => {
  test("lists the tables with their sizes, without a vendor", async () => {
    const { status, body } = await get("/api/v2/catalog");
    expect(status).toBe(200);
    expect(body["tables"]).toMatchObject([
      { id: "shop.customers", name: "customers", source_type: "files", rows: 2, rough_size_hint: "small" },
      { id: "shop.orders", name: "orders", query_mode: "local", rows: 3, partition_by: null },
    ]);
    expect(Date.parse(String(body["server_time"]))).toBeGreaterThan(0);
  });

  test("names no file of the server as the reason of an earlier state, nor does any other response", async () => {
    await using own = await served();
    const admin = await own.token();
    await writeFile(join(own.directory, "data", "extracts", "shop", "extract.duckdb"), "damaged");
    const rebuilt = await own.request("/api/admin/registry/rebuild", { token: admin, method: "POST" });
    const grants = { tables: ["shop.orders"], sources: [], folders: [] };
    const token = await own.token({ role: "analyst", grants });
    const query = { token, json: { sql: "FROM orders" } };
    const id = { "x-agnes-query-id": "stale-query" };
    const responses = [
      await own.request("/api/v2/catalog", { token }),
      await own.request("/api/v2/schema/orders", { token }),
      await own.request("/api/query", { ...query, headers: id }),
      await own.request("/api/query?format=ndjson&receipt=1", query),
      await own.request("/api/queries/stale-query", { token }),
    ];
    const texts = await Promise.all([rebuilt, ...responses].map((response) => response.text()));
    expect(texts[0]).toContain("extract.duckdb");
    for (const text of texts.slice(1)) {
      expect(text).toContain('"stale_reason":"the last extract of its source could not be published');
      expect(text).not.toContain("extract.duckdb");
    }
    expect(texts.join("\n")).not.toContain(own.directory);
  });

  test("has the state of the syncs of each table, and is listed without it if it cannot be read", async () => {
    await using own = await served();
    const token = await own.token();
    const tables = await own.agnes.tables();
    await tables.update("shop.orders", { syncPaused: true });
    const statesOf = async ({ request }: Pick<Served, "request">) => {
      const response = await request("/api/v2/catalog", { token });
      const body = (await response.json()) as { tables: Record<string, unknown>[] };
      return body.tables.map(({ sync_status: word, attempted_at: at }) => [word, at]);
    };
    expect(await statesOf(own)).toEqual([
      ["on_time", expect.any(String)],
      ["paused", expect.any(String)],
    ]);
    await own.agnes.close();
    const runs = join(own.directory, "data", "state", "runs");
    for (const name of await readdir(runs, { recursive: true, withFileTypes: true }))
      if (name.isFile()) await writeFile(join(name.parentPath, name.name), "damaged");
    await using again = await createAgnes({
      plugins: [files],
      workspace: own.directory,
      config: { version: 1, sources: { shop: { plugin: "files", options: { path: "exports" } } } },
    });
    const request: Served["request"] = (path) =>
      again.fetch(new Request(`http://127.0.0.1${path}`, { headers: { authorization: `Bearer ${token}` } }));
    expect(await statesOf({ request })).toEqual([
      [null, null],
      [null, null],
    ]);
  });

  test("lists only accessible tables", async () => {
    const { body } = await get("/api/v2/catalog", analyst);
    expect((body["tables"] as { id: string }[]).map(({ id }) => id)).toEqual(["shop.orders"]);
  });

  test("shows a change of the registry at once", async () => {
    await using own = await served();
    const token = await own.token();
    const description = async () => {
      const response = await own.request("/api/v2/catalog", { token });
      return ((await response.json()) as { tables: { description: string }[] }).tables[1]!.description;
    };
    expect(await description()).toBe("");
    const change = { description: "All orders", partitionBy: "customer" };
    await (await own.agnes.tables()).update("shop.orders", change);
    expect(await description()).toBe("All orders");
    const schema = await own.request("/api/v2/schema/orders", { token });
    expect(await schema.json()).toMatchObject({ source_type: "files", partition_by: "customer" });
  });

  test("needs a token", async () => {
    expect((await shop.request("/api/v2/catalog")).status).toBe(401);
  });
});

describe("GET /api/v2/schema/:id", () => {
  test("describes a table by id or view name, in any case", async () => {
    for (const id of ["shop.orders", "SHOP.Orders", "orders", "ORDERS"]) {
      const { status, body } = await get(`/api/v2/schema/${id}`);
      expect([status, body["table_id"]]).toEqual([200, "shop.orders"]);
      expect(
        (body["columns"] as { name: string; type: string }[]).map(({ name, type }) => [name, type]),
      ).toEqual([
        ["id", "BIGINT"],
        ["customer", "BIGINT"],
        ["price", "DECIMAL(18,2)"],
      ]);
    }
  });

  test("a table that is not accessible is as unknown as one that does not exist", async () => {
    for (const id of ["customers", "nothing", "shop.customers", "..%2f..%2fetc"]) {
      const { status, body } = await get(`/api/v2/schema/${id}`, analyst);
      const error = body["error"] as { code: string; hint: string; details: { known: string[] } };
      expect([status, error.code, error.details.known]).toEqual([404, "table_unknown", ["orders"]]);
    }
  });

  test("a registered table without data has its own detail", async () => {
    await using own = await served();
    await (await own.agnes.tables()).register({ source: "shop", sourceTable: "refunds" });
    const response = await own.request("/api/v2/schema/shop.refunds", { token: await own.token() });
    const { error } = (await response.json()) as { error: { details: object } };
    expect([response.status, error.details]).toMatchObject([404, { registered: "shop.refunds" }]);
  });
});

describe("GET /api/v2/sample/:id", () => {
  test("returns the first rows", async () => {
    const { body } = await get("/api/v2/sample/orders?n=2");
    expect(body).toEqual({
      table_id: "shop.orders",
      source: "shop",
      rows: [
        { id: 1, customer: 1, price: 9.5 },
        { id: 2, customer: 2, price: 3.25 },
      ],
    });
    expect((await get("/api/v2/sample/orders")).body["rows"]).toHaveLength(3);
  });

  test("returns five rows by default", async () => {
    await using own = await served();
    await writeFile(join(own.directory, "exports", "orders.csv"), "id\n1\n2\n3\n4\n5\n6\n");
    await own.agnes.sync();
    const response = await own.request("/api/v2/sample/orders", { token: await own.token() });
    expect(((await response.json()) as { rows: unknown[] }).rows).toHaveLength(5);
  });

  test("rejects other numbers, unknown parameters and other tables", async () => {
    for (const query of ["n=0", "n=101", "n=x", "n=1&m=2"])
      expect((await get(`/api/v2/sample/orders?${query}`)).status).toBe(400);
    expect((await get("/api/v2/sample/customers", analyst)).status).toBe(404);
  });
});

describe("PublishedCatalog", () => {
  /** A catalog of the shop whose `checked_at` is set by hand. */
  function opened() {
    const { agnes } = shop;
    const now = { ms: Date.parse("2026-01-01T00:00:00Z"), checkedAt: "first", isFailing: false };
    const workspace = {
      workspace: agnes.workspace,
      tables: () => agnes.tables(),
      metadata: agnes.metadata,
      syncStatus: () => agnes.syncStatus(),
      async catalog() {
        if (now.isFailing) throw new Error("unreadable");
        return (await agnes.catalog()).map((entry) => ({ ...entry, checkedAt: now.checkedAt }));
      },
    };
    const host = createHost({ now: () => new Date(now.ms) });
    const services = { host, workspace } as unknown as ServeServices;
    const catalog = new PublishedCatalog();
    return { now, read: async () => (await catalog.read(services)).tables[0]!.entry.checkedAt };
  }

  test("read() returns the times of syncs without changes at the latest after a minute", async () => {
    const { now, read } = opened();
    expect(await read()).toBe("first");
    now.checkedAt = "second";
    now.ms += 9_999;
    expect(await read()).toBe("first");
    // It starts the reading, and does not wait for it.
    now.ms += 1;
    expect([await read(), await read()]).toEqual(["first", "second"]);
    now.checkedAt = "third";
    now.ms += 60_000;
    expect(await read()).toBe("third");
    now.checkedAt = "fourth";
    now.ms -= 3_600_000;
    expect(await read()).toBe("fourth");
  });

  test("read() does not keep a failure", async () => {
    const { now, read } = opened();
    now.isFailing = true;
    expect(await read().catch((error: unknown) => (error as Error).message)).toBe("unreadable");
    now.isFailing = false;
    expect(await read()).toBe("first");
  });
});
