import { expect, test } from "bun:test";

import { served } from "../harness.ts";

const SLOW = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";

test("too many waiting queries of one token have the status 429 with Retry-After, and others still run", async () => {
  await using shop = await served({ isolation: "process", workers: { count: 2, waitingMax: 1 } });
  const [ann, bo] = [await shop.token({ name: "ann" }), await shop.token({ name: "bo" })];
  const controller = new AbortController();
  const { signal } = controller;
  const ask = (token: string, sql: string) => shop.request("/api/query", { token, json: { sql }, signal });
  const responses = Array.from({ length: 4 }, () => ask(ann, SLOW));
  const rejected = await Promise.race(responses);
  expect([rejected.status, Number(rejected.headers.get("retry-after")) >= 1]).toEqual([429, true]);
  expect(await rejected.json()).toMatchObject({ error: { code: "queries_waiting" } });
  expect((await ask(bo, "SELECT 1 AS one")).status).toBe(200);
  controller.abort();
  await Promise.all(responses.map((response) => response.catch(() => null)));
});

test("a query that waits for the access of its caller can be stopped", async () => {
  const decision = Promise.withResolvers<boolean>();
  await using shop = await served({ server: { authorize: () => decision.promise } });
  const token = await shop.token();
  const path = "/api/queries/query-that-waits";
  const response = shop.request("/api/query", {
    token,
    json: { sql: "SELECT 1 AS one" },
    headers: { "x-agnes-query-id": "query-that-waits" },
  });
  while ((await shop.request(path, { token })).status !== 200) await Bun.sleep(5);
  expect((await shop.request(path, { token, method: "DELETE" })).status).toBe(204);
  expect((await response).status).toBe(499);
  expect(await (await shop.request(path, { token })).json()).toMatchObject({ state: "cancelled" });
  decision.resolve(true);
});
