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

test("SQL with half of a surrogate pair is malformed in every door", async () => {
  const failed = await shop.agnes.query("SELECT '\ud800'").catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: "sql_malformed" });
});
