import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { createLog, type LogEntry } from "../../lib/base/mod.ts";
import { served, type Served } from "./harness.ts";

let shop: Served;
beforeAll(async () => (shop = await served()));
afterAll(() => shop[Symbol.asyncDispose]());

async function errorOf(response: Response): Promise<{ readonly code: string; readonly hint: string }> {
  return ((await response.json()) as { readonly error: { readonly code: string; readonly hint: string } })
    .error;
}

test("close() lets requests end that are being handled", async () => {
  for (const path of ["/api/admin/registry", "/api/v2/catalog", "/api/health"]) {
    await using own = await served();
    const token = await own.token();
    const response = own.request(path, { token });
    await own.agnes.close();
    expect([path, (await response).status]).toEqual([path, 200]);
  }
});

describe("agnes.fetch", () => {
  test("GET /api/health needs no token and has the id of the request", async () => {
    const response = await shop.request("/api/health");
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-z]{24}$/);
  });

  test("the log has the path as it was sent, which forges neither a line nor a field", async () => {
    const entries: LogEntry[] = [];
    await using own = await served({ log: createLog((entry) => void entries.push(entry)) });
    const path = "/api/%0Ainfo%20%20request%20%20status=200%E2%80%A8x";
    await own.request(`${path}?secret=1`);
    const logged = entries.filter(({ message }) => message === "request");
    expect(logged.map(({ fields }) => fields["path"])).toEqual([path]);
  });

  test("a wrong method gets 405 with the methods of the path, an unknown path 404", async () => {
    const wrong = await shop.request("/api/health", { method: "DELETE" });
    expect([wrong.status, wrong.headers.get("allow"), (await errorOf(wrong)).code]).toEqual([
      405,
      "GET, HEAD",
      "method_not_allowed",
    ]);
    const token = await shop.token();
    const other = await shop.request("/api/admin/registry/rebuild", { method: "DELETE", token });
    expect([other.status, other.headers.get("allow")]).toEqual([405, "POST"]);
    const unknown = await shop.request("/api/nothing");
    expect([unknown.status, (await errorOf(unknown)).code]).toEqual([404, "route_unknown"]);
    expect(unknown.headers.get("x-request-id")).toMatch(/^[0-9a-z]{24}$/);
  });
});
