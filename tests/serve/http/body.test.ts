import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { served, type Served } from "../harness.ts";

let shop: Served;
let token: string;
beforeAll(async () => {
  shop = await served();
  token = await shop.token();
});
afterAll(() => shop[Symbol.asyncDispose]());

async function send(body: string | Uint8Array<ArrayBuffer>, path = "/api/query") {
  const headers = { "content-type": "application/json" };
  const response = await shop.request(path, { method: "POST", token, headers, body });
  const text = await response.text();
  const { error } = JSON.parse(text) as { error?: { code: string; message: string } };
  return { status: response.status, text, error };
}

describe("a body of JSON", () => {
  test("that is not UTF-8 is an error, not another text", async () => {
    const body = new TextEncoder().encode(`{"sql": "SELECT 'x'"}`);
    body[body.indexOf("x".charCodeAt(0))] = 0xff;
    expect(await send(body)).toMatchObject({ status: 400, error: { code: "body_malformed" } });
  });

  test("with half of a surrogate pair is an error that does not repeat it", async () => {
    for (const [path, body] of [
      ["/api/query", String.raw`{"sql": "SELECT 'secret\ud800'"}`],
      ["/api/v2/scan", String.raw`{"table_id": "orders", "where": "id = 'secret\uDFFF'"}`],
    ] as const) {
      const { status, text, error } = await send(body, path);
      expect([status, error?.code]).toEqual([400, "request_invalid"]);
      expect(text).toContain("half of a surrogate pair");
      expect(text).not.toContain("secret");
    }
  });

  test.each(["1e999", "-1E+400", "9".repeat(400), "[1, 2e999]"])(
    "rejects the number %s, which is not one of JavaScript",
    async (value) => {
      const found = await send(`{"sql": "SELECT $v IS NULL AS n", "params": {"v": ${value}}}`);
      expect(found).toMatchObject({ status: 400, error: { code: "request_invalid" } });
      expect(found.text).toContain("beyond the range of a double");
    },
  );

  test("takes escaped pairs, escaped controls and a byte order mark", async () => {
    const { status, text } = await send('\uFEFF{"sql": "SELECT \'\\ud83d\\ude00\\u0009\' AS x"}');
    expect([status, text.includes("😀\\t")]).toEqual([200, true]);
  });

  test.each(["__proto__", String.raw`\u005f_proto__`])("rejects the key %s at any depth", async (key) => {
    const register = `{"${key}": {"source": "shop", "sql": "SELECT 1"}}`;
    const { status, error } = await send(`{"sql": "SELECT 1", "register": ${register}}`);
    expect([status, error?.code]).toEqual([400, "request_invalid"]);
    expect((await send(`{"sql": "SELECT '__proto__'"}`)).status).toBe(200);
  });
});

test.each([
  ["/api/query", "POST", []],
  ["/api/query", "POST", null],
  ["/api/v2/scan", "POST", "x"],
  ["/api/admin/registry/shop.orders", "PUT", []],
  ["/api/admin/registry/shop.orders/docs", "PATCH", []],
])("%s rejects a body that is not an object: %s %j", async (path, method, json) => {
  const response = await shop.request(path, { token, method, json });
  const { error } = (await response.json()) as { error: { message: string } };
  expect([response.status, error.message]).toEqual([
    400,
    "the request is invalid: the value in the body: it must be an object",
  ]);
});

test.each([
  [
    "/api/v2/scan",
    { table_id: "x".repeat(401) },
    "table_id in the body: it must have at most 400 characters",
  ],
  ["/api/v2/scan", { table_id: "orders", limit: 0 }, "limit in the body: it must be at least 1"],
  ["/api/v2/scan", { table_id: "orders", limit: 1.5 }, "limit in the body: it must be a whole number"],
  [
    "/api/v2/scan",
    { table_id: "orders", select: Array(2001).fill("id") },
    "select in the body: it must have at most 2000 entries",
  ],
  ["/api/admin/queries?limit=0", undefined, "limit in the query string: it must be from 1 to 1000"],
])("%s states what it expects in words", async (path, json, problem) => {
  const response = await shop.request(path, { token, json });
  const { error } = (await response.json()) as { error: { message: string } };
  expect(error.message).toBe(`the request is invalid: ${problem}`);
});

test("SQL with half of a surrogate pair is malformed in every door", async () => {
  const failed = await shop.agnes.query("SELECT '\ud800'").catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "sql_malformed" });
});

describe("each part of a body is checked", () => {
  test.each([
    ["/api/query", { sql: "SELECT 1", register: [] }, "register in the body: it must be an object"],
    ["/api/admin/folders", { folder_mapping: [] }, "folder_mapping in the body: it must be an object"],
    ["/api/admin/folders", { folder_mapping: ["a"] }, "folder_mapping in the body: it must be an object"],
    [
      "/api/query",
      { sql: "SELECT 1", register: { a: { source: "shop", sql: "SELECT 1", limits: [] } } },
      "register.a.limits in the body: it must be an object",
    ],
    ["/api/query", { sql: "SELECT 1", constructor: 1 }, "the object in the body: it has an unknown field"],
    [
      "/api/admin/register-table",
      { source: "shop", source_table: "x", documentation: [] },
      "documentation in the body: it must be an object",
    ],
    [
      "/api/query?constructor=1",
      { sql: "SELECT 1" },
      "the object in the query string: it has an unknown field",
    ],
  ])("%s rejects %j", async (path, json, message) => {
    const method = path.endsWith("folders") ? "PUT" : "POST";
    const response = await shop.request(path, { token, method, json });
    const { error } = (await response.json()) as { error?: { message: string } };
    expect([response.status, error?.message]).toEqual([400, `the request is invalid: ${message}`]);
  });
});
