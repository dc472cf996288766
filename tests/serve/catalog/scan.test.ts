import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { tableFromIPC } from "apache-arrow";

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

async function scan(json: object, token = admin) {
  const response = await shop.request("/api/v2/scan", { token, json: { table_id: "orders", ...json } });
  const text = response.status === 200 ? "" : await response.clone().text();
  const rows =
    response.status === 200
      ? tableFromIPC(new Uint8Array(await response.arrayBuffer()))
          .toArray()
          .map((row) => Object.values(row.toJSON() as object).map(Number))
      : [];
  const error = text === "" ? null : (JSON.parse(text) as { error: { code: string; details: object } }).error;
  return { status: response.status, type: response.headers.get("content-type"), rows, error, text };
}

describe("POST /api/v2/scan", () => {
  test("returns an Arrow stream", async () => {
    const { status, type, rows } = await scan({ select: ["id", "customer"] });
    expect([status, type]).toEqual([200, "application/vnd.apache.arrow.stream"]);
    expect(rows).toEqual([
      [1, 1],
      [2, 2],
      [3, 1],
    ]);
  });

  test("selects, filters, orders and limits", async () => {
    const { rows } = await scan({
      select: ["ID", "customer"],
      where: "orders.price > 3.5 -- AND false",
      order_by: ["price desc", "id"],
      limit: 1,
    });
    expect(rows).toEqual([[1, 1]]);
    expect((await scan({ select: ["id"], order_by: ["price ASC"] })).rows).toEqual([[2], [3], [1]]);
  });

  test.each([
    ["id = 1 OR id = 2", 2],
    ["shop.orders.id IN (1, 3)", 2],
    ["[1, 2] = [1, id]", 1],
    ["id BETWEEN 2 AND 3 AND lower('A') = 'a'", 2],
    ["CASE WHEN id = 1 THEN true ELSE false END", 1],
    ["id::VARCHAR LIKE '1%'", 1],
    ["current_date > DATE '2020-01-01' AND price IS NOT NULL", 3],
  ])("where %s", async (where, count) => {
    const { rows, text } = await scan({ where });
    expect([text, rows.length]).toEqual(["", count]);
  });

  test.each([
    ["", "parse_error"],
    ["id =", "parse_error"],
    ["id = 1\0", "parse_error"],
    ["id = 1 /*", "parse_error"],
    ["id = 1) --", "parse_error"],
    ["true) OR (false", "parse_error"],
    ["id = 1) AND (id = 2", "parse_error"],
    ["id, customer", "parse_error"],
    ["true ORDER BY id", "parse_error"],
    ["id = 1; SELECT 1", "multi_statement"],
    ["id = 1;", "multi_statement"],
    ["DROP TABLE orders", "ddl_or_dml"],
    ["SELECT 1", "nested_select"],
    ["id IN (SELECT id FROM customers)", "nested_select"],
    ["EXISTS (FROM customers)", "nested_select"],
    ["true) UNION ALL SELECT * FROM customers WHERE (true", "nested_select"],
    ["true) GROUP BY ALL HAVING (true", "disallowed_node"],
    ["true) LIMIT (1", "disallowed_node"],
    ["customers.id = 1", "cross_table_reference"],
    ["main.customers.id = 1", "cross_table_reference"],
    ["orders.nothing = 1", "unknown_column"],
    ["nothing = 1", "unknown_column"],
    ["rowid = 1", "unknown_column"],
    ["getenv('HOME') = ''", "unknown_function"],
    ["system.main.getenv('HOME') = ''", "unknown_function"],
    ["read_text('/etc/passwd') = ''", "unknown_function"],
    ["sum(id) > 1", "disallowed_node"],
    ["count(*) > 1", "disallowed_node"],
    ["lower('a' ORDER BY id) = 'a'", "disallowed_node"],
    ["unnest([true])", "disallowed_node"],
    ["row_number() OVER () = 1", "disallowed_node"],
    ["id = $1", "disallowed_node"],
    ["id = ?", "disallowed_node"],
    ["COLUMNS(*) = 1", "disallowed_node"],
    ["#1 = 1", "disallowed_node"],
    ["list_filter([1], x -> x > 1) = []", "disallowed_node"],
    ["'x;' = 'x", "parse_error"],
  ])("rejects where %s", async (where, kind) => {
    const { status, error, text } = await scan({ where });
    expect([status, error]).toMatchObject([
      400,
      { code: "validator_rejected", details: { part: "where", kind } },
    ]);
    if (where.length > 5) expect(text).not.toContain(where);
  });

  test("rejects a text that DuckDB would change", async () => {
    const { status, error } = await scan({ where: "'a' <> /* it's */ 'a\u00a0b'" });
    expect([status, error?.code]).toEqual([400, "sql_not_allowed"]);
    expect(JSON.stringify(error)).toContain("at character 21");
  });

  test("rejects deep nesting", async () => {
    for (const where of ["NOT ".repeat(2400) + "true", `${"[".repeat(4000)}1${"]".repeat(4000)} = 1`])
      expect((await scan({ where })).error).toMatchObject({ details: { kind: "parse_error" } });
    // DuckDB parses this, but its planner rejects it.
    const cases = `${"CASE WHEN true THEN ".repeat(350)}true${" END".repeat(350)}`;
    expect((await scan({ where: cases })).status).toBe(400);
  });

  test("reports the place in characters", async () => {
    const { error } = await scan({ where: "'ž' = 'ž' AND nothing = 1" });
    expect(error!.details).toEqual({ part: "where", kind: "unknown_column", position: 14 });
  });

  test.each([
    [{ select: ["nothing"] }, "unknown_column"],
    [{ select: ["id", "ID"] }, "duplicate_column"],
    [{ select: ["id, price"] }, "unknown_column"],
    [{ order_by: ["id DESC NULLS LAST"] }, "unknown_column"],
    [{ order_by: ['id"; DROP TABLE orders'] }, "unknown_column"],
  ])("rejects %j", async (request, kind) => {
    const { error } = await scan(request);
    expect(error).toMatchObject({ code: "validator_rejected", details: { kind } });
  });

  test("rejects invalid requests", async () => {
    for (const request of [
      { limit: 0 },
      { limit: 1.5 },
      { from_query: "SELECT 1" },
      { where: "x".repeat(10_001) },
    ]) {
      const { status, error } = await scan(request);
      expect([status, error!.code]).toEqual([400, "request_invalid"]);
    }
  });

  test("other tables do not exist for the caller", async () => {
    expect((await scan({ table_id: "customers" }, analyst)).status).toBe(404);
    expect((await scan({ table_id: "ORDERS", where: "id = 1" }, analyst)).rows).toHaveLength(1);
  });
});

describe("a scan is a query", () => {
  const stateOf = async (of: Served, id: string, token: string) =>
    (await (await of.request(`/api/queries/${id}`, { token })).json()) as Record<string, unknown>;

  test("it has an id, a receipt and an entry in the log", async () => {
    const headers = { "x-agnes-query-id": "scan-of-orders" };
    const json = { table_id: "orders", limit: 2 };
    const response = await shop.request("/api/v2/scan", { token: analyst, json, headers });
    expect(response.headers.get("x-agnes-query-id")).toBe("scan-of-orders");
    const sizeBytes = (await response.arrayBuffer()).byteLength;
    expect(await stateOf(shop, "scan-of-orders", analyst)).toMatchObject({
      state: "done",
      progress: { sent_bytes: sizeBytes },
      receipt: { rows: 2, tables: ["shop.orders"], truncated: false },
    });
    const log = await shop.request("/api/admin/queries?limit=1", { token: admin });
    expect(await log.json()).toMatchObject({
      queries: [{ query_id: "scan-of-orders", outcome: "done", rows: 2, sql: null }],
    });
    const other = await shop.request("/api/v2/scan", { token: admin, json, headers });
    expect([other.status, other.headers.get("x-agnes-query-id")]).toEqual([200, "scan-of-orders"]);
    await other.arrayBuffer();
    const rejected = await shop.request("/api/v2/scan", { token: admin, json: {} });
    expect(rejected.headers.get("x-agnes-query-id")).toMatch(/^[\w-]{8,64}$/);
    const short = { "x-agnes-query-id": "short" };
    expect((await shop.request("/api/v2/scan", { token: admin, json, headers: short })).status).toBe(400);
  });

  test("it stops at the timeout of queries, and above their number of rows", async () => {
    await using slow = await served({ settings: { queryTimeoutMs: 1 } });
    const json = { table_id: "orders" };
    const late = await slow.request("/api/v2/scan", { token: await slow.token(), json });
    expect([late.status, await late.json()]).toMatchObject([504, { error: { code: "timed_out" } }]);
    await using small = await served({ settings: { maxRows: 2 } });
    const token = await small.token();
    const cut = await small.request("/api/v2/scan", { token, json });
    expect([cut.status, await cut.json()]).toMatchObject([
      413,
      { error: { code: "scan_too_large", details: { max: 2, unit: "row" } } },
    ]);
    const whole = await small.request("/api/v2/scan", { token, json: { ...json, limit: 2 } });
    expect(whole.status).toBe(200);
  });

  test("it ends when its client takes no rows, or goes away", async () => {
    await using own = await served({ settings: { stalledMs: 200 } });
    const token = await own.token();
    const rows = Array.from({ length: 200_000 }, (_, id) => `${id},1,1`).join("\n");
    await writeFile(join(own.directory, "exports", "orders.csv"), `id,customer,price\n${rows}\n`);
    await own.agnes.sync();
    const start = (id: string) =>
      own.request("/api/v2/scan", {
        token,
        json: { table_id: "orders" },
        headers: { "x-agnes-query-id": id },
      });
    const stalled = await start("scan-stalled");
    const gone = await start("scan-gone");
    await gone.body!.cancel();
    expect(await stateOf(own, "scan-gone", token)).toMatchObject({ state: "cancelled" });
    await Bun.sleep(600);
    expect(await stateOf(own, "scan-stalled", token)).toMatchObject({
      state: "failed",
      error: { code: "rows_not_read" },
    });
    const outcome = await stalled.arrayBuffer().then(
      () => "whole",
      () => "broken",
    );
    expect(outcome).toBe("broken");
  });
});

describe("the size of a scan", () => {
  test("above the maximum it fails, and is never cut off", async () => {
    await using own = await served({ settings: { maxScanBytes: 1024 } });
    const token = await own.token();
    const rows = Array.from({ length: 5000 }, (_, id) => `${id},1,1`).join("\n");
    await writeFile(join(own.directory, "exports", "orders.csv"), `id,customer,price\n${rows}\n`);
    await own.agnes.sync();
    const scanned = own.request("/api/v2/scan", { token, json: { table_id: "orders" } });
    const reading = scanned.then(async (response) => {
      const body = await response.arrayBuffer();
      return [response.status, body.byteLength];
    });
    const outcome = await reading.catch((error: unknown) => (error as { code: string }).code);
    expect(["scan_too_large", 413]).toContain(Array.isArray(outcome) ? outcome[0]! : outcome);
  });
});

describe("POST /api/v2/scan/estimate", () => {
  test("estimates without running", async () => {
    const json = { table_id: "orders", select: ["id"], limit: 2 };
    const response = await shop.request("/api/v2/scan/estimate", { token: admin, json });
    const body = (await response.json()) as Record<string, unknown>;
    expect([response.status, body]).toMatchObject([
      200,
      { table_id: "shop.orders", engine: "duckdb", estimated_result_rows: 2, bq_cost_estimate_usd: null },
    ]);
    expect(body["estimated_scan_bytes"]).toBeGreaterThan(0);
    const all = { table_id: "orders" };
    const whole = await shop.request("/api/v2/scan/estimate", { token: admin, json: all });
    const { estimated_scan_bytes: wholeBytes } = (await whole.json()) as { estimated_scan_bytes: number };
    expect(body["estimated_scan_bytes"]).toBeWithin(wholeBytes / 3, wholeBytes / 3 + 2);
    const bad = await shop.request("/api/v2/scan/estimate", { token: admin, json: { ...json, where: "1=" } });
    expect(bad.status).toBe(400);
  });
});
