import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { createLog, type LogEntry } from "../../../lib/base/mod.ts";
import { SignIn } from "../../../lib/serve/auth/sign-in.ts";
import { ServerState, type RequestInfo } from "../../../lib/serve/mod.ts";
import { served, type Served } from "../harness.ts";
import { statusAndCode } from "./error-of.ts";

const entries: LogEntry[] = [];
const state = new ServerState();
const HOST = "127.0.0.1:8080";
let shop: Served;
beforeAll(async () => {
  shop = await served({ server: { state }, log: createLog((entry) => entries.push(entry)) });
});
afterAll(() => shop[Symbol.asyncDispose]());

/** Opens a login link. @returns the cookie */
async function logIn(): Promise<string> {
  const response = await shop.request(`/login?code=${state.createLoginCode()}`);
  return response.headers.get("set-cookie")!.split(";")[0]!;
}

function send(path: string, init: RequestInit, info: RequestInfo = {}): Promise<Response> {
  return shop.agnes.fetch(new Request(`http://${HOST}${path}`, init), info);
}

describe("GET /api/me", () => {
  test("GET /api/me returns what the token may do and see", async () => {
    const grants = { tables: ["shop.orders"], sources: [], folders: ["finance"] };
    const expiresAt = new Date("2090-01-01");
    const token = await shop.token({ name: "ann", role: "analyst", grants, expiresAt });
    expect(await (await shop.request("/api/me", { token })).json()).toEqual({
      id: token.split("_")[1],
      name: "ann",
      role: "analyst",
      grants,
      expires_at: "2090-01-01T00:00:00.000Z",
      permissions: ["read"],
    });
    const admin = await shop.request("/api/me", { token: await shop.token({ role: "admin" }) });
    expect(await admin.json()).toMatchObject({
      role: "admin",
      grants: null,
      expires_at: null,
      permissions: ["read", "manage"],
    });
  });

  test("a request without a valid token gets 401, after ten failures 429, but a valid token is accepted", async () => {
    const info = { address: "192.0.2.7" };
    const withToken = (token: string) =>
      send("/api/me", { headers: { authorization: `Bearer ${token}` } }, info);
    const missing = await send("/api/me", {}, info);
    expect(missing.headers.get("www-authenticate")).toBe("Bearer");
    expect(await statusAndCode(missing)).toEqual([401, "token_missing"]);
    for (let count = 0; count < 10; count += 1)
      expect(await statusAndCode(await withToken("agnes_x"))).toEqual([401, "token_invalid"]);
    const limited = await withToken("agnes_x");
    expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(50);
    expect(await statusAndCode(limited)).toEqual([429, "sign_in_limited"]);
    expect((await withToken(await shop.token())).status).toBe(200);
    expect((await send("/api/me", { headers: { authorization: "Bearer agnes_x" } })).status).toBe(401);
  });
});

test("the log has the token of a request that its role may not make", async () => {
  const token = await shop.token({ role: "analyst" });
  const me = (await (await shop.request("/api/me", { token })).json()) as { readonly id: string };
  const { status } = await shop.request("/api/admin/queries?limit=7", { token });
  const entry = entries.findLast(({ fields }) => fields["path"] === "/api/admin/queries");
  expect([status, entry?.fields]).toMatchObject([403, { status: 403, principal: me.id }]);
});

describe("GET /login", () => {
  test("a login code signs an administrator in once, also after a HEAD request", async () => {
    const code = state.createLoginCode();
    const preview = await shop.request(`/login?code=${code}`, { method: "HEAD" });
    expect([preview.status, preview.headers.get("set-cookie")]).toEqual([200, null]);
    const response = await shop.request(`/login?code=${code}`);
    expect(response.status).toBe(200);
    const text = await response.text();
    const [, until] = /^You are signed in as administrator until (\S+Z), /.exec(text)!;
    const [cookie] = response.headers.get("set-cookie")!.split(";");
    const session = await shop.request("/api/me", { headers: { cookie: cookie! } });
    const { expires_at: expiresAt } = (await session.json()) as { readonly expires_at: string };
    expect(Math.abs(Date.parse(until!) - Date.parse(expiresAt))).toBeLessThan(5000);
    for (const [path] of text.matchAll(/^\/\S+/gm)) {
      const { status } = await shop.request(path, { headers: { cookie: cookie! } });
      expect([path, status]).toEqual([path, 200]);
    }
    expect(response.headers.get("set-cookie")).toMatch(
      /^agnes_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
    expect(await statusAndCode(await shop.request(`/login?code=${code}`))).toEqual([
      401,
      "login_code_invalid",
    ]);
    expect(await statusAndCode(await shop.request("/login"))).toEqual([400, "request_invalid"]);
  });

  test("the cookie is the administrator until its token is revoked or it logs out", async () => {
    const cookie = await logIn();
    const me = () => send("/api/me", { headers: { cookie } });
    const body = (await (await me()).json()) as { readonly id: string };
    expect(body).toMatchObject({ name: "login link", role: "admin", permissions: ["read", "manage"] });
    await (await shop.agnes.tokens()).revoke(body.id);
    expect(await statusAndCode(await me())).toEqual([401, "session_expired"]);

    const second = await logIn();
    const secondId = (
      (await (await send("/api/me", { headers: { cookie: second } })).json()) as { id: string }
    ).id;
    // A token has precedence over the cookie.
    const both = { cookie: second, authorization: `Bearer ${await shop.token({ name: "ann" })}` };
    expect(await (await send("/api/me", { headers: both })).json()).toMatchObject({ name: "ann" });
    const logOut = (headers: Record<string, string>) => send("/api/logout", { method: "POST", headers });
    expect(await statusAndCode(await logOut({ cookie: second }))).toEqual([403, "origin_not_allowed"]);
    const ended = await logOut({ cookie: second, origin: `http://${HOST}` });
    expect([ended.status, ended.headers.get("set-cookie")]).toEqual([
      204,
      "agnes_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
    ]);
    expect((await send("/api/me", { headers: { cookie: second } })).status).toBe(401);
    const sessions = (await (await shop.agnes.tokens()).list()).filter(({ kind }) => kind === "session");
    expect(sessions.map(({ id }) => id)).not.toContain(secondId);
  });

  test("wrong codes are limited like wrong tokens", async () => {
    const info = { address: "192.0.2.8" };
    const wrong = async () => (await send("/login?code=wrong", {}, info)).status;
    for (let count = 0; count < 10; count += 1) expect(await wrong()).toBe(401);
    expect(await wrong()).toBe(429);
    expect((await send(`/login?code=${state.createLoginCode()}`, {}, info)).status).toBe(200);
  });

  test("the cookie is Secure if the public URL is https", async () => {
    const config = { version: 1, server: { publicUrl: "https://agnes.example.com" } } as const;
    await using other = await served({ config, server: { state } });
    const response = await other.agnes.fetch(
      new Request(`http://agnes.example.com/login?code=${state.createLoginCode()}`, {
        headers: { host: "agnes.example.com" },
      }),
    );
    expect(response.headers.get("set-cookie")).toEndWith("; SameSite=Strict; Secure");
  });
});

describe("SignIn", () => {
  test("codes and sessions end by the monotonic clock, and the oldest are dropped beyond a number", () => {
    let nowMs = 0;
    const own = new SignIn({ monotonicMs: () => nowMs });
    const [late, dropped] = [own.createCode(), own.openSession("first")];
    const sessions = Array.from({ length: 1000 }, (_, at) => own.openSession(String(at)));
    expect([own.tokenOf(dropped), own.tokenOf(sessions[0]!), own.tokenOf(sessions[999]!)]).toEqual([
      null,
      "0",
      "999",
    ]);
    nowMs = 600_000;
    expect([own.takeCode(late), own.takeCode(own.createCode()), own.takeCode("")]).toEqual([
      false,
      true,
      false,
    ]);
    nowMs = 12 * 3_600_000 - 1;
    expect(own.tokenOf(sessions[0]!)).toBe("0");
    nowMs += 1;
    expect(own.tokenOf(sessions[0]!)).toBeNull();
  });
});

describe("the handler of requests", () => {
  test("a request that Host or Origin forbid gets 403 with a request id, one without a URL 400", async () => {
    const info = { hosts: [HOST] };
    const forged = await send("/api/health", { headers: { host: "evil.example" } }, info);
    expect(forged.headers.get("x-request-id")).toMatch(/^[0-9a-z]{24}$/);
    expect(await statusAndCode(forged)).toEqual([403, "host_not_allowed"]);
    const origin = { host: HOST, origin: "http://evil.example" };
    expect(await statusAndCode(await send("/api/health", { headers: origin }, info))).toEqual([
      403,
      "origin_not_allowed",
    ]);
    const noUrl = { url: "/x", method: "GET", headers: new Headers() } as Request;
    expect(await statusAndCode(await shop.agnes.fetch(noUrl))).toEqual([400, "url_malformed"]);
  });

  test("pages of corsOrigins may use a token, others may not", async () => {
    const config = { version: 1 as const, server: { corsOrigins: ["https://app.example"] } };
    await using other = await served({ config });
    const ask = (origin: string, method: string, headers: Record<string, string> = {}) =>
      other.agnes.fetch(
        new Request(`http://${HOST}/api/me`, { method, headers: { host: HOST, origin, ...headers } }),
        { hosts: [HOST] },
      );
    const preflight = await ask("https://app.example", "OPTIONS", { "access-control-request-method": "GET" });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://app.example",
    ]);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    const response = await ask("https://app.example", "GET", {
      authorization: `Bearer ${await other.token()}`,
    });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([
      200,
      "https://app.example",
    ]);
    expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    const evil = await ask("https://evil.example", "OPTIONS", { "access-control-request-method": "GET" });
    expect([evil.status, evil.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    // Without hosts, Origin is not checked, but such a page still cannot read the response.
    const open = await other.request("/api/health", { headers: { origin: "https://evil.example" } });
    expect([open.status, open.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  });

  test("trustProxy takes the address that the proxy appended", async () => {
    const config = { version: 1, server: { trustProxy: true } } as const;
    await using other = await served({ config });
    const fail = (forwarded: string) =>
      other.agnes.fetch(
        new Request(`http://${HOST}/api/me`, {
          headers: { authorization: "Bearer x", "x-forwarded-for": forwarded },
        }),
        { address: "127.0.0.1" },
      );
    for (let count = 0; count < 10; count += 1) await fail(`203.0.113.${count}, 192.0.2.1`);
    expect((await fail("203.0.113.99, 192.0.2.1")).status).toBe(429);
    expect((await fail("192.0.2.1, 192.0.2.2")).status).toBe(401);
  });

  test("onReady() is called for a signed-in request only", async () => {
    const calls: string[] = [];
    const token = await shop.token();
    for (const [path, method, authorization] of [
      ["/openapi.json", "GET", `Bearer ${token}`],
      ["/api/me", "GET", "Bearer x"],
      ["/api/logout", "POST", `Bearer ${token}`],
      ["/api/me", "GET", `Bearer ${token}`],
    ] as const)
      await send(path, { method, headers: { authorization } }, { onReady: () => calls.push(path) });
    expect(calls).toEqual(["/api/me"]);
  });

  test("each request is one log entry, without the query string", async () => {
    const code = state.createLoginCode();
    const response = await shop.request(`/login?code=${code}`);
    const requestId = response.headers.get("x-request-id");
    const logged = entries.filter(({ fields }) => fields["requestId"] === requestId);
    expect(logged).toEqual([
      {
        level: "info",
        message: "request",
        fields: {
          requestId,
          method: "GET",
          path: "/login",
          status: 200,
          ms: expect.any(Number),
          principal: null,
        },
      },
    ]);
    expect(JSON.stringify(entries)).not.toContain(code);
  });
});
