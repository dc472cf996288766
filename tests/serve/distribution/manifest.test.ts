import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "../../../lib/create-agnes.ts";
import { contentHash } from "../../../lib/serve/distribution/content-hash.ts";
import files from "../../../plugins/files/plugin.ts";
import { served, type Served } from "../harness.ts";

interface Table {
  readonly view_name: string | null;
  readonly generation: number | null;
  readonly hash: string | null;
  readonly rows: number | null;
  readonly unavailable: { readonly code: string } | null;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly layouts: readonly { readonly version: number }[];
  readonly parts: readonly { readonly path: string; readonly sha256: string; readonly layout: number }[];
}

interface Manifest {
  readonly version: number;
  readonly table_mode: string;
  readonly grace_seconds: number;
  readonly tables: Readonly<Record<string, Table>>;
}

let shop: Served;
let admin: string;
let analyst: string;
beforeAll(async () => {
  shop = await served();
  admin = await shop.token();
  const grants = { tables: ["shop.orders"], sources: [], folders: [] };
  analyst = await shop.token({ name: "ann", role: "analyst", grants });
});
afterAll(() => shop[Symbol.asyncDispose]());

async function manifestOf(from: Served, token: string): Promise<Manifest> {
  const response = await from.request("/api/sync/manifest", { token });
  expect(response.status).toBe(200);
  return (await response.json()) as Manifest;
}

describe("GET /api/sync/manifest", () => {
  test("lists the tables with their columns, layouts and parts", async () => {
    const { tables, ...rest } = await manifestOf(shop, admin);
    expect(rest).toMatchObject({ version: 1, table_mode: "all", grace_seconds: 3600 });
    expect(Object.keys(tables)).toEqual(["shop.customers", "shop.orders"]);
    const orders = tables["shop.orders"]!;
    expect(orders).toMatchObject({
      view_name: "orders",
      source: "shop",
      name: "orders",
      source_type: "files",
      folder: null,
      primary_key: [],
      query_mode: "local",
      server_only: false,
      generation: 1,
      rows: 3,
      unavailable: null,
    });
    expect(orders.columns.map(({ name }) => name)).toEqual(["id", "customer", "price"]);
    expect(orders.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(orders.parts).toMatchObject([
      { path: `data/orders/${orders.parts[0]!.sha256.slice(0, 32)}.parquet`, rows: 3, partition: null },
    ]);
    expect(orders.layouts.map(({ version }) => version)).toEqual([orders.parts[0]!.layout]);
  });

  test("lists only accessible tables, and nothing of others", async () => {
    const response = await shop.request("/api/sync/manifest", { token: analyst });
    const text = await response.text();
    expect(Object.keys((JSON.parse(text) as Manifest).tables)).toEqual(["shop.orders"]);
    expect(text).not.toContain("customers");
  });

  test("returns 304 for its ETag, which depends on the caller", async () => {
    const first = await shop.request("/api/sync/manifest", { token: admin });
    const etag = first.headers.get("etag")!;
    const headers = { "if-none-match": `"other", ${etag}` };
    const second = await shop.request("/api/sync/manifest", { token: admin, headers });
    expect([second.status, second.headers.get("etag"), await second.text()]).toEqual([304, etag, ""]);
    const other = await shop.request("/api/sync/manifest", { token: analyst, headers });
    expect(other.status).toBe(200);
  });

  test("does not change with tables that it does not list, also after a restart", async () => {
    await using own = await served();
    const grants = { tables: ["shop.customers"], sources: [], folders: [] };
    const token = await own.token({ name: "bo", role: "analyst", grants });
    const get = () => own.request("/api/sync/manifest", { token });
    const first = await get();
    const etag = first.headers.get("etag");
    const { tables } = (await first.json()) as Manifest;
    for (const row of ["4,2,1\n", "5,2,1\n"]) {
      await appendFile(join(own.directory, "exports", "orders.csv"), row);
      await own.agnes.sync();
      const next = await get();
      expect([next.headers.get("etag"), ((await next.json()) as Manifest).tables]).toEqual([etag, tables]);
    }
    const { generation, parts } = tables["shop.customers"]!;
    const search = `generation=${generation}`;
    for (const query of [search, `${search}&part=${parts[0]!.path}`])
      expect((await own.request(`/api/data/customers/download?${query}`, { token })).status).toBe(200);
    await using again = await createAgnes({
      plugins: [files],
      workspace: own.directory,
      config: own.agnes.workspace.config,
    });
    const headers = { authorization: `Bearer ${token}`, "if-none-match": etag! };
    const request = new Request("http://127.0.0.1/api/sync/manifest", { headers });
    expect((await again.fetch(request)).status).toBe(304);
    await appendFile(join(own.directory, "exports", "customers.csv"), "3,Cy\n");
    await own.agnes.sync();
    const changed = await get();
    expect(changed.headers.get("etag")).not.toBe(etag);
    expect(((await changed.json()) as Manifest).tables["shop.customers"]).toMatchObject({ generation: 4 });
  });

  test("keeps the hash of a full refresh that changed nothing, and changes it with a row", async () => {
    await using own = await served();
    const token = await own.token();
    const before = (await manifestOf(own, token)).tables;
    await own.agnes.sync({ full: true });
    const same = (await manifestOf(own, token)).tables;
    expect(same["shop.orders"]!.hash).toBe(before["shop.orders"]!.hash!);
    await appendFile(join(own.directory, "exports", "orders.csv"), "4,2,1\n");
    await own.agnes.sync();
    const after = (await manifestOf(own, token)).tables;
    expect(after["shop.orders"]).toMatchObject({ generation: 2, rows: 4 });
    expect(after["shop.orders"]!.hash).not.toBe(before["shop.orders"]!.hash!);
    expect(after["shop.customers"]!.hash).toBe(before["shop.customers"]!.hash!);
  });

  test("shows a change of the registry at once", async () => {
    await using own = await served();
    const token = await own.token();
    await manifestOf(own, token);
    const tables = await own.agnes.tables();
    await tables.update("shop.orders", { serverOnly: true, folder: "eu/sales", description: "All orders" });
    const orders = (await manifestOf(own, token)).tables["shop.orders"]!;
    expect(orders).toMatchObject({
      folder: "eu/sales",
      description: "All orders",
      server_only: true,
      hash: null,
      rows: 3,
      unavailable: { code: "server_only" },
      parts: [],
      layouts: [],
    });
    await tables.unregister("shop.customers");
    expect(Object.keys((await manifestOf(own, token)).tables)).toEqual(["shop.orders"]);
  });

  test("lists a registered table that is not published, and one whose extract cannot be read", async () => {
    await using own = await served();
    const token = await own.token();
    await writeFile(join(own.directory, "exports", "refunds.csv"), "id\n1\n");
    await (await own.agnes.tables()).register({ source: "shop", sourceTable: "refunds" });
    const codes = async () => {
      const { tables } = await manifestOf(own, token);
      return Object.fromEntries(
        Object.entries(tables).map(([id, { unavailable }]) => [id, unavailable?.code ?? null]),
      );
    };
    expect(await codes()).toEqual({
      "shop.customers": null,
      "shop.orders": null,
      "shop.refunds": "not_published",
    });
    const path = join(own.agnes.workspace.dataDirectory, "extracts", "shop", "extract.duckdb");
    await rm(path);
    await writeFile(path, "not a database");
    expect(await codes()).toEqual({
      "shop.customers": "unreadable",
      "shop.orders": "unreadable",
      "shop.refunds": "unreadable",
    });
  });
});

describe("contentHash()", () => {
  const columns = [{ name: "id", type: "BIGINT", nullable: true }];
  const schema = {
    version: 1,
    generation: 1,
    changedAt: new Date(0),
    columns,
    sourceColumns: columns,
    changes: [],
  };
  const part = { path: "data/t/a.parquet", sha256: "a1", schemaVersion: 1 } as never;
  const table = { columns, schemas: [schema], parts: [part] };

  test("does not depend on numbers of layouts, but on columns and the order of parts", () => {
    const renumbered = {
      ...table,
      schemas: [{ ...schema, version: 7 }],
      parts: [{ ...(part as object), schemaVersion: 7 }],
    };
    expect(contentHash(renumbered as never)).toBe(contentHash(table));
    const other = { ...(part as object), sha256: "b2" } as never;
    const hashes = [
      table,
      { ...table, parts: [part, other] },
      { ...table, parts: [other, part] },
      { ...table, columns: [{ ...columns[0]!, type: "INTEGER" }] },
      { ...table, schemas: [{ ...schema, columns: [{ ...columns[0]!, type: "INTEGER" }] }] },
    ].map(contentHash);
    expect(new Set(hashes).size).toBe(5);
  });
});
