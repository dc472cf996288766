import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { served, type Served } from "./harness.ts";

/** Requests of a caller that may access `shop.orders` alone, in which nothing of `shop.customers` may be seen. */
const REQUESTS: Readonly<Record<string, readonly [path: string, json?: object]>> = {
  me: ["/api/me"],
  health: ["/api/health"],
  openapi: ["/openapi.json"],
  metrics: ["/metrics"],
  catalog: ["/api/v2/catalog"],
  schema: ["/api/v2/schema/orders"],
  "schema of another": ["/api/v2/schema/customers"],
  sample: ["/api/v2/sample/orders"],
  "sample of another": ["/api/v2/sample/shop.customers"],
  profile: ["/api/v2/profile/orders"],
  "profile of another": ["/api/v2/profile/customers"],
  scan: ["/api/v2/scan", { table_id: "orders" }],
  "scan of another": ["/api/v2/scan", { table_id: "customers" }],
  "scan with a subquery": ["/api/v2/scan", { table_id: "orders", where: "id IN (SELECT id FROM customers)" }],
  estimate: ["/api/v2/scan/estimate", { table_id: "orders" }],
  "estimate of another": ["/api/v2/scan/estimate", { table_id: "customers" }],
  query: ["/api/query", { sql: "SELECT * FROM orders ORDER BY id" }],
  "query with a receipt": ["/api/query?format=ndjson&receipt=1", { sql: "SELECT count(*) FROM orders" }],
  "query of another": ["/api/query", { sql: "FROM customers" }],
  "query with a typing error": ["/api/query", { sql: "FROM customer" }],
  "query of a source": [
    "/api/query",
    { sql: "FROM p", register: { p: { source: "shop", sql: "SELECT 1" } } },
  ],
  "query of no source": [
    "/api/query",
    { sql: "FROM p", register: { p: { source: "none", sql: "SELECT 1" } } },
  ],
  listing: ["/api/query", { sql: "SHOW ALL TABLES" }],
  timeline: ["/api/timeline"],
  "timeline of a table": ["/api/timeline?table=orders"],
  "timeline of another": ["/api/timeline?table=customers"],
  "timeline of the source": ["/api/timeline?source=shop"],
  "timeline of no source": ["/api/timeline?source=none"],
  status: ["/api/sync/status"],
  runs: ["/api/runs"],
  metadata: ["/api/v2/metadata-cache/status"],
  manifest: ["/api/sync/manifest"],
  subscriptions: ["/api/sync/table-subscriptions"],
  "subscription to another": ["/api/sync/table-subscriptions", { tables: { "shop.customers": true } }],
  settings: ["/api/sync/settings"],
  "webhooks of the source": ["/webhooks/shop/health"],
  download: ["/api/data/orders/download"],
  "download of another": ["/api/data/customers/download?part=x"],
  registry: ["/api/admin/registry"],
  "table of the registry": ["/api/admin/registry/shop.customers"],
  history: ["/api/admin/history"],
};

/** What differs between two equal requests. */
const CHANGING = /"(?:query_id|server_time|elapsed_ms|requestId)": ?(?:"[^"]*"|\d+)/g;

describe("a caller that may access some tables only", () => {
  let shop: Served;
  let token: string;
  beforeAll(async () => {
    shop = await served();
    // Tokens are in another catalog; the first use of one is written before the first request is compared.
    const grants = { tables: ["shop.orders"], sources: [], folders: [] };
    token = await shop.token({ role: "analyst", grants });
  });
  afterAll(() => shop[Symbol.asyncDispose]());

  const answerOf = async (from: Pick<Served, "request">, [path, json]: readonly [string, object?]) => {
    const response = await from.request(path, { token, ...(json !== undefined && { json }) });
    const headers = [...response.headers].filter(([name]) => !/^x-(?:request|agnes-query)-id$/.test(name));
    const text = (await response.text()).replace(CHANGING, '"…"');
    return JSON.stringify([response.status, headers, text]);
  };
  const answers = async (from: Pick<Served, "request"> = shop) => {
    const found: Record<string, string> = {};
    for (const [name, request] of Object.entries(REQUESTS)) found[name] = await answerOf(from, request);
    return found;
  };

  test("sees no name of another table at any door", async () => {
    const { openapi: _, ...found } = await answers();
    for (const [name, text] of Object.entries(found)) {
      // The name that the caller itself wrote is in the error.
      const shown = name.endsWith(" another") ? text.replaceAll(/(?:shop\.)?customers/g, "") : text;
      expect([name, shown]).toEqual([name, expect.not.stringMatching(/customers|Ann/)]);
    }
  });

  test("sees no difference after changes, runs, failures and queries of another table, nor in a new server", async () => {
    const before = await answers();
    const customers = join(shop.directory, "exports", "customers.csv");
    await writeFile(customers, "id,name,city\n1,Ann,Rome\n2,Bo,Oslo\n3,Cy,Bern\n");
    await shop.agnes.sync({ only: ["shop.customers"], full: true });
    const tables = await shop.agnes.tables();
    await tables.update("shop.customers", { description: "People", syncPaused: true });
    await tables.update("shop.customers", { syncPaused: false });
    await writeFile(customers, 'id,name\n1\n"');
    await shop.agnes.sync({ only: ["shop.customers"] });
    const admin = await shop.token({ name: "another" });
    await shop.request("/api/query", { token: admin, json: { sql: "FROM customers" } });
    expect(await answers()).toEqual(before);
    await tables.unregister("shop.customers");
    expect(await answers()).toEqual(before);
    await using later = await shop.reopened();
    const after = await answers(later);
    // Parts are downloaded by generation. Of those with the same parts, a new server knows only the current one.
    const withoutGeneration = (found: Record<string, string>) => ({
      ...found,
      manifest: found["manifest"]!.replace(/\\"generation\\":\d+/, ""),
    });
    expect(withoutGeneration(after)).toEqual(withoutGeneration(before));
  });
});
