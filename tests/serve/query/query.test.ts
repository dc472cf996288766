import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";

import * as arrow from "apache-arrow";

import { served, type Served } from "../harness.ts";

let shop: Served;
let admin: string;
let analyst: string;
beforeAll(async () => {
  shop = await served();
  admin = await shop.token({ name: "admin" });
  analyst = await shop.token({
    name: "analyst",
    role: "analyst",
    grants: { tables: ["shop.customers"], sources: [], folders: [] },
  });
});
afterAll(() => shop[Symbol.asyncDispose]());

interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

interface Result {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly row_count: number;
  readonly truncated: boolean;
  readonly query_id: string;
  readonly receipt: Readonly<Record<string, unknown>>;
}

type Options = Parameters<Served["request"]>[1] & { readonly query?: string };

function post(json: unknown, { query = "", ...options }: Options = {}): Promise<Response> {
  return shop.request(`/api/query${query}`, { token: admin, json, ...options });
}

async function rowsOf(json: unknown, options: Options = {}): Promise<Result> {
  const response = await post(json, options);
  expect(response.status).toBe(200);
  return (await response.json()) as Result;
}

async function failure(response: Response) {
  const { error } = (await response.json()) as ErrorBody;
  return { status: response.status, code: error.code, text: `${error.message} ${error.hint}` };
}

describe("POST /api/query", () => {
  test("returns columns, rows as arrays and the receipt", async () => {
    const result = await rowsOf({ sql: "SELECT id, id, price FROM orders ORDER BY id" });
    expect(result.columns).toEqual([
      { name: "id", type: "BIGINT" },
      { name: "id", type: "BIGINT" },
      { name: "price", type: expect.any(String) as unknown as string },
    ]);
    expect(result.rows).toEqual([
      [1, 1, 9.5],
      [2, 2, 3.25],
      [3, 3, 5],
    ]);
    expect([result.row_count, result.truncated]).toEqual([3, false]);
    expect(result.receipt).toMatchObject({ tables: ["shop.orders"], rows: 3, truncated: false });
    expect(Object.keys(result.receipt)).toContain("elapsed_ms");
    expect(result.receipt["extracts"]).toMatchObject([{ source: "shop", stale_reason: null }]);
  });

  test("returns an empty result with its columns", async () => {
    const result = await rowsOf({ sql: "SELECT id FROM orders WHERE id < 0" });
    expect([result.columns.length, result.rows, result.row_count]).toEqual([1, [], 0]);
  });

  test("writes numbers exactly, or all as numbers", async () => {
    const sql =
      "SELECT 9007199254740993 AS big, 1.5 AS small, 12345678901234567.89::DECIMAL(20,2) AS dec, 'nan'::DOUBLE AS n, [9007199254740993] AS list, {'a': 9007199254740993} AS s, uuid() IS NULL AS u, '1'::UHUGEINT AS uh, '12:00:00+01'::TIMETZ AS t";
    const exact = await rowsOf({ sql });
    const values: unknown[] = [
      "9007199254740993",
      1.5,
      "12345678901234567.89",
      "NaN",
      ["9007199254740993"],
      { a: "9007199254740993" },
      false,
      "1",
      "12:00:00+01",
    ];
    expect(exact.rows[0]).toEqual(values);
    expect(exact.columns.map(({ type }) => type)).toEqual([
      "BIGINT",
      "DECIMAL(2,1)",
      "DECIMAL(20,2)",
      "DOUBLE",
      "BIGINT[]",
      'STRUCT("a" BIGINT)',
      "BOOLEAN",
      "UHUGEINT",
      "TIME WITH TIME ZONE",
    ]);
    const body = await (await post({ sql }, { query: "?numbers=json" })).text();
    expect(body).toContain(
      '[9007199254740993,1.5,12345678901234567.89,"NaN",[9007199254740993],{"a":9007199254740993},',
    );
  });

  test("returns at most 1,000 rows by default, and shows that it cut them off", async () => {
    const sql = "SELECT range AS n FROM range(1500)";
    const cut = await rowsOf({ sql });
    expect([cut.row_count, cut.rows.length, cut.truncated]).toEqual([1000, 1000, true]);
    const whole = await rowsOf({ sql, limit: 1500 });
    expect([whole.row_count, whole.truncated]).toEqual([1500, false]);
    const bytes = await rowsOf({ sql, max_bytes: 100 });
    expect(bytes.truncated).toBeTrue();
    expect(bytes.row_count).toBeLessThan(20);
    const csv = await (await post({ sql }, { query: "?format=csv" })).text();
    expect(csv.split("\n")).toHaveLength(1502);
  });

  test.each([
    [{ limit: 1_000_001 }, "limit", "at most 1000000"],
    [{ limit: 0 }, "limit", "at least 1"],
    [{ limit: 1.5 }, "limit", "whole number"],
    [{ timeout_ms: 60_001 }, "timeout_ms", "at most 60000"],
    [{ max_bytes: 1_073_741_825 }, "max_bytes", "at most 1073741824"],
    [{ parameters: {} }, "the object", "unknown field"],
    [
      { register: { a: { source: "shop", sql: "SELECT 1", limits: { max_rows: 500_001 } } } },
      "max_rows",
      "500000",
    ],
    [{ sql: "" }, "sql", "not be empty"],
    [{ register: [] }, "register", "must be an object"],
  ])("rejects %j", async (fields, field, reason) => {
    const found = await failure(await post({ sql: "SELECT 1 AS one", ...fields }));
    expect([found.status, found.code]).toEqual([400, "request_invalid"]);
    expect(found.text).toContain(field);
    expect(found.text).toContain(reason);
  });

  test("a higher limit is possible for the other formats, up to that of the server", async () => {
    const sql = "SELECT 1 AS one";
    expect((await post({ sql, limit: 10_000_000 }, { query: "?format=csv" })).status).toBe(200);
    expect((await post({ sql, limit: 10_000_001 }, { query: "?format=csv" })).status).toBe(400);
  });

  test("stops at the timeout with the status 504", async () => {
    const sql = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";
    const found = await failure(await post({ sql, timeout_ms: 100 }));
    expect([found.status, found.code]).toEqual([504, "timed_out"]);
  });

  test("chooses the format by Accept and by the query string", async () => {
    const typeFor = async (accept: string, query = "") => {
      const response = await post({ sql: "SELECT 1 AS one" }, { headers: { accept }, query });
      await response.arrayBuffer();
      return response.status === 200 ? response.headers.get("content-type") : response.status;
    };
    expect(await typeFor("*/*")).toBe("application/json");
    expect(await typeFor("")).toBe("application/json");
    expect(await typeFor("text/csv")).toBe("text/csv; charset=utf-8");
    expect(await typeFor("text/*;q=0.5, Application/X-NDJSON")).toBe("application/x-ndjson");
    expect(await typeFor("application/json;q=0.1, text/csv;q=0.9")).toBe("text/csv; charset=utf-8");
    expect(await typeFor("application/vnd.apache.arrow.stream")).toBe("application/vnd.apache.arrow.stream");
    expect(await typeFor("application/vnd.apache.parquet")).toBe("application/vnd.apache.parquet");
    expect(await typeFor("application/json;q=0, */*;q=0.1")).toBe("application/vnd.apache.arrow.stream");
    expect(await typeFor("text/html")).toBe(406);
    expect(await typeFor("application/json;q=0")).toBe(406);
    expect(await typeFor("text/html", "?format=csv")).toBe("text/csv; charset=utf-8");
    expect(await typeFor("*/*", "?format=xml")).toBe(400);
  });

  test("writes Arrow, Parquet and NDJSON", async () => {
    const sql = "SELECT id, customer FROM orders ORDER BY id";
    const table = arrow.tableFromIPC(
      new Uint8Array(await (await post({ sql }, { query: "?format=arrow" })).arrayBuffer()),
    );
    expect(table.toArray().map((row) => [Number(row.id), Number(row.customer)])).toEqual([
      [1, 1],
      [2, 2],
      [3, 1],
    ]);
    const parquet = Buffer.from(await (await post({ sql }, { query: "?format=parquet" })).arrayBuffer());
    expect([parquet.subarray(0, 4).toString(), parquet.subarray(-4).toString()]).toEqual(["PAR1", "PAR1"]);
    const ndjson = await (await post({ sql }, { query: "?format=ndjson" })).text();
    expect(ndjson).toBe('{"id":1,"customer":1}\n{"id":2,"customer":2}\n{"id":3,"customer":1}\n');
    const lines = (await (await post({ sql }, { query: "?format=ndjson&receipt=1" })).text()).split("\n");
    expect(lines).toHaveLength(5);
    expect(JSON.parse(lines[3]!)).toMatchObject({ receipt: { rows: 3, tables: ["shop.orders"] } });
  });

  test("writes CSV with a byte order mark and escaped formulas on request", async () => {
    const sql = "SELECT '=1+1' AS \"@a\", -1 AS n, 'x' AS x, '' AS e, NULL::VARCHAR AS z, '\ty,' AS t";
    const plain = Buffer.from(await (await post({ sql }, { query: "?format=csv" })).arrayBuffer());
    expect(plain.toString()).toBe('@a,n,x,e,z,t\n=1+1,-1,x,"",,"\ty,"\n');
    const query = "?format=csv&bom=1&escape_formulas=1";
    const escaped = Buffer.from(await (await post({ sql }, { query })).arrayBuffer());
    expect(escaped.subarray(0, 3).toString("hex")).toBe("efbbbf");
    expect(escaped.subarray(3).toString()).toBe('\'@a,n,x,e,z,t\n\'=1+1,-1,x,"",,"\'\ty,"\n');
  });

  test.each([
    "?bom=1",
    "?escape_formulas=1",
    "?format=csv&numbers=json",
    "?receipt=1",
    "?format=ndjson&bom=1",
  ])("rejects the option of another format in %s", async (query) => {
    const found = await failure(await post({ sql: "SELECT 1 AS one" }, { query }));
    expect([found.status, found.code]).toEqual([400, "request_invalid"]);
  });

  test("takes the default of an option in each format", async () => {
    const query = "?format=csv&numbers=exact&receipt=0&bom=0";
    const found = await post({ sql: "SELECT 1 AS one" }, { query });
    expect([found.status, await found.text()]).toEqual([200, "one\n1\n"]);
  });

  test("does not name tables that are not granted", async () => {
    for (const sql of ["FROM orders", "FROM orderz", "FROM shop.orders", "SELECT price FROM customers"]) {
      const response = await post({ sql }, { token: analyst });
      const found = await failure(response);
      expect(found.status).toBeGreaterThanOrEqual(400);
      expect(found.text.replaceAll(sql, "").replaceAll(/orderz|"(?:shop\.)?orders"/g, "")).not.toContain(
        "orders",
      );
      expect(found.text).not.toContain("shop.orders,");
    }
    const unknown = await failure(await post({ sql: "FROM ordrs" }, { token: analyst }));
    expect([unknown.status, unknown.code]).toEqual([404, "table_unknown"]);
    expect(unknown.text).not.toContain("orders");
    const admins = await failure(await post({ sql: "FROM ordrs" }));
    expect(admins.text).toContain("orders");
    const granted = await rowsOf({ sql: "FROM customers ORDER BY id" }, { token: analyst });
    expect(granted.rows).toEqual([
      [1, "Ann"],
      [2, "Bo"],
    ]);
  });
});

describe("the id of a query", () => {
  const sql = "SELECT 1 AS one";

  test("is in each response, errors included", async () => {
    const ok = await post({ sql });
    expect(ok.headers.get("x-agnes-query-id")).toBe(((await ok.json()) as Result).query_id);
    for (const [json, options, status] of [
      [{ sql: "FROM nothing" }, {}, 404],
      [{ sql, unknown: 1 }, {}, 400],
      [{ sql }, { token: "agnes_x" }, 401],
      [{ sql }, { headers: { accept: "text/html" } }, 406],
    ] as const) {
      const response = await post(json, options);
      expect(response.status).toBe(status);
      expect(response.headers.get("x-agnes-query-id")).toMatch(/^[\w-]{8,64}$/);
    }
  });

  test("is that of the client", async () => {
    const headers = { "x-agnes-query-id": "my-query_1" };
    const first = await rowsOf({ sql }, { headers });
    expect(first.query_id).toBe("my-query_1");
    expect((await rowsOf({ sql }, { headers })).query_id).toBe("my-query_1");
    for (const id of ["short", "x".repeat(65), "with space"]) {
      const response = await post({ sql }, { headers: { "x-agnes-query-id": id } });
      expect(response.headers.get("x-agnes-query-id")).not.toBe(id);
      expect(await failure(response)).toMatchObject({ status: 400, code: "request_invalid" });
    }
  });

  test("is that of each token alone", async () => {
    const headers = { "x-agnes-query-id": "same-query" };
    const path = "/api/queries/same-query";
    const rows = async (token: string, search = "") => {
      const response = await shop.request(`${path}${search}`, { token });
      const { receipt, error } = (await response.json()) as Record<string, Record<string, unknown>>;
      return receipt?.["rows"] ?? error!["code"];
    };
    await rowsOf({ sql: "FROM range(7)" }, { headers, token: analyst });
    expect([await rows(admin), await rows(analyst)]).toEqual([7, 7]);
    await rowsOf({ sql: "FROM range(3)" }, { headers });
    expect([await rows(admin), await rows(analyst)]).toEqual([3, 7]);
    const other = await shop.token({ name: "other" });
    const idOf = async (token: string) =>
      ((await (await shop.request("/api/me", { token })).json()) as { readonly id: string }).id;
    const [ofAdmin, ofAnalyst] = [await idOf(admin), await idOf(analyst)];
    expect(await rows(other)).toBe("query_id_ambiguous");
    expect((await shop.request(path, { token: other, method: "DELETE" })).status).toBe(409);
    expect(await rows(other, `?principal=${ofAdmin}`)).toBe(3);
    expect(await rows(admin, `?principal=${ofAnalyst}`)).toBe(7);
    expect(await rows(analyst, `?principal=${ofAdmin}`)).toBe("query_unknown");
  });

  test("does not stop a query of another token with the same id", async () => {
    const headers = { "x-agnes-query-id": "both-running" };
    const slow = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";
    const path = "/api/queries/both-running";
    const running = [admin, analyst].map((token) => post({ sql: slow }, { headers, token }));
    const stateOf = async (token: string) =>
      ((await (await shop.request(path, { token })).json()) as { readonly state?: string }).state;
    for (const token of [admin, analyst]) while ((await stateOf(token)) !== "running") await Bun.sleep(5);
    const taken = await post({ sql }, { headers, token: analyst });
    expect(await failure(taken)).toMatchObject({ status: 409, code: "query_id_taken" });
    for (const [token, other, left] of [
      [analyst, admin, "running"],
      [admin, analyst, "cancelled"],
    ] as const) {
      expect((await shop.request(path, { token, method: "DELETE" })).status).toBe(204);
      while ((await stateOf(token)) === "running") await Bun.sleep(5);
      expect([await stateOf(token), await stateOf(other)]).toEqual(["cancelled", left]);
    }
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([499, 499]);
  });

  test("gives the receipt or error to the caller and administrators only", async () => {
    const stateFor = async (id: string, token: string) => {
      const response = await shop.request(`/api/queries/${id}`, { token });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const id = (await post({ sql: "FROM customers" }, { token: analyst, query: "?format=csv" })).headers.get(
      "x-agnes-query-id",
    )!;
    const own = await stateFor(id, analyst);
    expect(own.body).toMatchObject({ query_id: id, state: "done", error: null, receipt: { rows: 2 } });
    expect(own.body["progress"]).toEqual({ sent_bytes: "id,name\n1,Ann\n2,Bo\n".length });
    expect(await stateFor(id, admin)).toEqual(own);
    const stranger = await shop.token({ name: "stranger", role: "analyst" });
    const unknown = await stateFor("0000000000", stranger);
    expect(unknown.status).toBe(404);
    expect(await stateFor(id, stranger)).toEqual(unknown);
    const cancelled = await shop.request(`/api/queries/${id}`, { token: stranger, method: "DELETE" });
    expect(cancelled.status).toBe(404);
    const failed = (await post({ sql: "FROM nothing" })).headers.get("x-agnes-query-id")!;
    expect((await stateFor(failed, admin)).body).toMatchObject({
      state: "failed",
      receipt: null,
      error: { code: "table_unknown" },
    });
  });

  test("cancels a query that runs, and cannot be taken meanwhile", async () => {
    const headers = { "x-agnes-query-id": "long-query" };
    const slow = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";
    const running = post({ sql: slow }, { headers });
    const path = "/api/queries/long-query";
    const stateNow = async () =>
      ((await (await shop.request(path, { token: admin })).json()) as { readonly state?: string }).state;
    while ((await stateNow()) !== "running") await Bun.sleep(5);
    expect(await failure(await post({ sql }, { headers }))).toMatchObject({ status: 409 });
    expect((await shop.request(path, { token: admin, method: "DELETE" })).status).toBe(204);
    expect(await failure(await running)).toMatchObject({ status: 499, code: "aborted" });
    expect(await stateNow()).toBe("cancelled");
    expect((await shop.request(path, { token: admin, method: "DELETE" })).status).toBe(204);
  });
});

describe("GET /api/admin/queries", () => {
  test("lists who ran what, for administrators", async () => {
    const text = "SELECT 42 AS answer_of_log";
    await rowsOf({ sql: text }, { token: analyst });
    await post({ sql: "FROM nothing" }, { token: analyst });
    const response = await shop.request("/api/admin/queries?limit=2", { token: admin });
    const { queries } = (await response.json()) as { readonly queries: readonly Record<string, unknown>[] };
    expect(queries).toMatchObject([
      { outcome: "failed", error_code: "table_unknown", principal: { name: "analyst" } },
      {
        outcome: "done",
        error_code: null,
        rows: 1,
        sql: null,
        sql_hash: createHash("sha256").update(text).digest("hex"),
      },
    ]);
    expect((await shop.request("/api/admin/queries", { token: analyst })).status).toBe(403);
    expect((await shop.request("/api/admin/queries?limit=0", { token: admin })).status).toBe(400);
  });
});
