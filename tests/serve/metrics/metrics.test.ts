import { describe, expect, test } from "bun:test";

import { createHost, silentLog } from "../../../lib/base/mod.ts";
import { Metrics } from "../../../lib/serve/metrics/metrics.ts";
import type { ServedWorkspace } from "../../../lib/serve/mod.ts";
import { served } from "../harness.ts";

const lineOf = (text: string, name: string) =>
  text.split("\n").filter((line) => line.startsWith(name) && !line.startsWith("#"));

describe("GET /metrics", () => {
  test("it needs the token of an administrator, unless it is public", async () => {
    await using shop = await served();
    const token = await shop.token({ role: "analyst" });
    expect((await shop.request("/metrics")).status).toBe(401);
    expect((await shop.request("/metrics", { token })).status).toBe(403);
    expect((await shop.request("/metrics", { token: await shop.token() })).status).toBe(200);
    const config = { version: 1, sources: {}, server: { publicMetrics: true } } as const;
    await using open = await served({ config });
    expect((await open.request("/metrics")).status).toBe(200);
    expect((await open.request("/metrics", { token: "wrong" })).status).toBe(401);
  });

  test("it counts requests by the patterns of their routes, so that clients cannot add series", async () => {
    await using shop = await served();
    const token = await shop.token();
    for (let at = 0; at < 20; at++) {
      await shop.request(`/random/${at}`);
      await shop.request(`/webhooks/source${at}`, { method: "POST", body: "{}" });
    }
    await shop.request("/api/health", { method: "DELETE" });
    await shop.request("/api/health", { method: "PURGE" });
    const response = await shop.request("/metrics", { token });
    expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    const text = await response.text();
    expect(lineOf(text, "agnes_requests_total")).toEqual([
      'agnes_requests_total{route="unknown",method="GET",status="404"} 20',
      'agnes_requests_total{route="/webhooks/:source",method="POST",status="404"} 20',
      'agnes_requests_total{route="/api/health",method="DELETE",status="405"} 1',
      'agnes_requests_total{route="/api/health",method="other",status="405"} 1',
    ]);
    expect(text).toContain('agnes_request_duration_seconds_count{route="unknown",method="GET"} 20');
    expect(lineOf(text, "agnes_tables_published")).toEqual(["agnes_tables_published 2"]);
    expect(lineOf(text, "agnes_registry_version")[0]).toMatch(/ [1-9]\d*$/);
    expect(lineOf(text, "agnes_queries_waiting")).toEqual(["agnes_queries_waiting 0"]);
    expect(Number(lineOf(text, "agnes_resident_memory_bytes")[0]!.split(" ")[1])).toBeGreaterThan(1e7);
  });

  test("it counts queries by outcome, those that run, and their bytes", async () => {
    await using shop = await served();
    const { agnes } = shop;
    const encodeQuery: ServedWorkspace["encodeQuery"] = async ({ sql }) => {
      const result = await agnes.query(sql);
      const bytes = async function* () {
        for await (const _batch of result.batches) yield new Uint8Array(10);
      };
      return { bytes: bytes(), receipt: () => result.receipt(), close: () => result.close() };
    };
    const tables = () => agnes.tables();
    const health = { last: () => agnes.sourceHealth() };
    const workspace = { workspace: agnes.workspace, health, workers: () => null, tables, encodeQuery };
    const services = {
      host: createHost(),
      log: silentLog,
      workspace: workspace as unknown as ServedWorkspace,
    };
    const metrics = new Metrics();
    const metered = metrics.metered(services);
    const run: ServedWorkspace["encodeQuery"] = (request) => metered.encodeQuery(request);
    const read = async (sql: string) => {
      const { bytes } = await run({ sql, format: "json" });
      for await (const _piece of bytes);
    };
    await read("SELECT * FROM orders");
    await read("SELECT nothing FROM orders").catch(() => {});
    const stopped = await run({ sql: "SELECT * FROM customers", format: "json" });
    expect(await metrics.text()).toContain("agnes_queries_running 1\n");
    await stopped.close();
    const text = await metrics.text();
    expect(lineOf(text, "agnes_queries")).toEqual([
      'agnes_queries_total{outcome="ok"} 1',
      'agnes_queries_total{outcome="rejected"} 1',
      'agnes_queries_total{outcome="stopped"} 1',
      "agnes_queries_running 0",
      "agnes_queries_waiting 0",
    ]);
    expect(lineOf(text, "agnes_query_result_bytes_total")).toEqual(["agnes_query_result_bytes_total 10"]);
  });
});
