import { describe, expect, test } from "bun:test";

import { ServerState } from "../../../lib/serve/mod.ts";
import { served } from "../harness.ts";

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** A workspace whose clocks are set by hand. */
async function clocked() {
  const clock = { wallMs: Date.parse("2026-01-01T00:00:00Z"), monotonicMs: 0 };
  const host = { now: () => new Date(clock.wallMs), monotonicMs: () => clock.monotonicMs };
  const state = new ServerState(host);
  const shop = await served({ host, server: { state } });
  return { clock, state, shop, [Symbol.asyncDispose]: () => shop[Symbol.asyncDispose]() };
}

describe("a wall clock that jumps", () => {
  test("back leaves sessions, codes and limits as they are", async () => {
    await using own = await clocked();
    const { clock, state, shop } = own;
    const response = await shop.request(`/login?code=${state.createLoginCode()}`);
    const cookie = response.headers.get("set-cookie")!.split(";")[0]!;
    const me = async () => (await shop.request("/api/me", { headers: { cookie } })).status;
    const fail = async () => (await shop.request("/api/me", { token: "agnes_x" })).status;
    for (let at = 0; at < 10; at++) await fail();
    const code = state.createLoginCode();
    clock.wallMs -= YEAR_MS;
    expect([await me(), await fail()]).toEqual([200, 429]);
    clock.monotonicMs = 60_000;
    expect([await me(), await fail()]).toEqual([200, 401]);
    expect((await shop.request(`/login?code=${code}`)).status).toBe(200);
    // The token of the session has more than a year left, its place in memory has not.
    clock.monotonicMs = 12 * HOUR_MS;
    expect(await me()).toBe(401);
  });

  test("forward ends sessions and tokens, but no limit and no state of a query", async () => {
    await using own = await clocked();
    const { clock, state, shop } = own;
    const login = await shop.request(`/login?code=${state.createLoginCode()}`);
    const cookie = login.headers.get("set-cookie")!.split(";")[0]!;
    const forever = await shop.token();
    const expiring = await shop.token({ expiresAt: new Date(clock.wallMs + HOUR_MS) });
    const headers = { "x-agnes-query-id": "before-the-jump" };
    await shop.request("/api/query", { token: forever, json: { sql: "SELECT 1 AS one" }, headers });
    const status = async (token: string) => (await shop.request("/api/me", { token })).status;
    for (let at = 0; at < 10; at++) await status("agnes_x");
    expect(await status(expiring)).toBe(200);
    clock.wallMs += YEAR_MS;
    expect(await status("agnes_x")).toBe(429);
    expect([await status(forever), await status(expiring)]).toEqual([200, 429]);
    const me = await shop.request("/api/me", { headers: { cookie } });
    expect([me.status, await me.json()]).toMatchObject([401, { error: { code: "session_expired" } }]);
    const query = () => shop.request("/api/queries/before-the-jump", { token: forever });
    expect((await query()).status).toBe(200);
    clock.monotonicMs = 600_001;
    expect((await query()).status).toBe(404);
    const sessions = async () =>
      (await (await shop.agnes.tokens()).list()).filter(({ kind }) => kind === "session").length;
    expect(await sessions()).toBe(1);
    await shop.request(`/login?code=${state.createLoginCode()}`);
    // The expired one was removed.
    expect(await sessions()).toBe(1);
    clock.wallMs -= YEAR_MS;
    expect(await status(expiring)).toBe(200);
  });
});
