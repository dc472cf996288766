import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";

import { seededRandom } from "../../../lib/testing/fakes/fake-host.ts";
import { served, type Served } from "../harness.ts";

let shop: Served;
let admin: string;
beforeAll(async () => {
  shop = await served();
  admin = await shop.token({ name: "admin" });
});
afterAll(() => shop[Symbol.asyncDispose]());

interface Body {
  readonly rows: readonly (readonly unknown[])[];
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

async function post(json: unknown): Promise<Body & { readonly status: number }> {
  const response = await shop.request("/api/query", { token: admin, json });
  return { status: response.status, ...((await response.json()) as Body) };
}

test("POST /api/query takes the values of parameters", async () => {
  const sql = "SELECT id, $note AS note FROM orders WHERE id IN $ids AND price > $price ORDER BY id";
  const params = { ids: [1, 3], price: 4.5, note: "it's" };
  expect((await post({ sql, params })).rows).toEqual([
    [1, "it's"],
    [3, "it's"],
  ]);
  expect((await post({ sql: "SELECT ?, ?, ?", params: ["a", true, null] })).rows).toEqual([
    ["a", true, null],
  ]);
  expect((await post({ sql: "SELECT $constructor", params: { constructor: "x" } })).rows).toEqual([["x"]]);
});

test.each([
  ["of a missing parameter", { sql: "SELECT $a, $b", params: { a: "secret" } }, "parameters_invalid"],
  ["of no parameter", { sql: "SELECT $a" }, "parameters_invalid"],
  ["without a parameter", { sql: "SELECT 1", params: { a: "secret" } }, "parameters_invalid"],
  ["that is not exact", { sql: "SELECT $1", params: [2 ** 53] }, "parameters_invalid"],
  ["of another type", { sql: "SELECT $1", params: [{ secret: 1 }] }, "request_invalid"],
  ["without a name", { sql: "SELECT $1", params: "secret" }, "request_invalid"],
])("POST /api/query rejects a value %s, without its text", async (_name, json, code) => {
  const { status, error } = await post(json);
  expect([status, error.code]).toEqual([400, code]);
  expect(`${error.message} ${error.hint}`).not.toMatch(/secret|900719/);
});

test.each([
  [{ x: { a: 1 } }, "params.x", "it must be text, a number, true, false, null, or a list of these"],
  [{ x: [1, { a: 1 }] }, "params.x.1", "it must be text, a number, true, false or null"],
  [["a", { a: 1 }], "params.1", "it must be text, a number, true, false, null, or a list of these"],
  ["a", "params", "it must be an object or a list"],
])("POST /api/query names the parameter that cannot be used: %j", async (params, field, reason) => {
  const { status, error } = await post({ sql: "SELECT $x", params });
  expect([status, error.code]).toEqual([400, "request_invalid"]);
  expect(error.message).toContain(field);
  expect(error.message).toEndWith(reason);
});

test("500 random texts are returned as they are, and the log has the SQL as written", async () => {
  const random = seededRandom(3);
  const parts = [
    "'",
    '"',
    "\\",
    "--",
    "/*",
    "*/",
    "$$",
    "$v",
    ";",
    "\0",
    "\u00a0",
    "\ufeff",
    "\n",
    " OR 1=1",
    "€",
  ];
  const text = () => Array.from({ length: 8 }, () => parts[Math.floor(random() * parts.length)]!).join("");
  const sql = "SELECT $v AS v, (SELECT count(*) FROM orders) AS n";
  const texts = Array.from({ length: 500 }, text);
  for (const v of texts) expect((await post({ sql, params: { v } })).rows).toEqual([[v, 3]]);
  const log = await shop.request("/api/admin/queries?limit=1", { token: admin });
  const { queries } = (await log.json()) as { queries: readonly { sql_hash: string }[] };
  expect(queries[0]!.sql_hash).toBe(createHash("sha256").update(sql).digest("hex"));
});
