import { expect, test } from "bun:test";
import { rename } from "node:fs/promises";
import { join } from "node:path";

import type { ServedWorkspace } from "../../../lib/serve/workspace.ts";
import { healthJob } from "../../../lib/serve/runs/health-job.ts";
import { definePlugin } from "../../../lib/kit/mod.ts";
import * as v from "valibot";
import files from "../../../plugins/files/plugin.ts";
import { served } from "../harness.ts";

const MINUTE_MS = 60_000;

/** A source whose health check fails with a path of the machine. */
const ill = definePlugin({
  name: "ill",
  version: "1.0.0",
  description: "Never ready",
  capabilities: ["discover", "read"],
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    discover: async () => [],
    async *read() {},
    health: async () => ({ ok: false, message: "no licence in /etc/ill/licence.key" }),
  }),
});

interface Status {
  readonly sources: readonly {
    readonly name: string;
    readonly health: { readonly state: string; readonly reason: string | null };
  }[];
}

test("the health of each source is in the detail, the status of syncs and the metrics", async () => {
  await using server = await served({ plugins: [files, ill], sources: { ill: { plugin: "ill" } } });
  const token = await server.token();
  const health = (await (await server.request("/api/health", { token })).json()) as Status;
  const status = (await (await server.request("/api/sync/status", { token })).json()) as Status;
  expect(health.sources.map((source) => [source.name, source.health.state])).toEqual([
    ["shop", "ok"],
    ["ill", "failed"],
  ]);
  expect(status.sources[1]!.health).toMatchObject({
    state: "failed",
    code: "source_unhealthy",
    reason: "no licence in …/licence.key",
    since: expect.any(String),
    checked_at: expect.any(String),
  });
  for (const body of [health, status]) {
    expect(JSON.stringify(body)).not.toContain("/etc/ill");
    expect(JSON.stringify(body)).not.toContain(server.directory);
  }
  const metrics = await (await server.request("/metrics", { token })).text();
  expect(metrics).toContain('agnes_source_healthy{source="shop"} 1\n');
  expect(metrics).toContain('agnes_source_healthy{source="ill"} 0\n');
});

test("an analyst sees the state of the sources of granted tables, without reasons", async () => {
  await using server = await served({ plugins: [files, ill], sources: { ill: { plugin: "ill" } } });
  const token = await server.token({
    role: "analyst",
    grants: { tables: ["shop.orders"], sources: [], folders: [] },
  });
  const status = (await (await server.request("/api/sync/status", { token })).json()) as Status;
  expect(status.sources.map(({ name, health }) => [name, health.state, health.reason])).toEqual([
    ["shop", "ok", null],
  ]);
});

test("a source whose folder was moved is failed, with the code of its error", async () => {
  await using server = await served();
  await rename(join(server.directory, "exports"), join(server.directory, "moved"));
  await server.agnes.sync();
  const token = await server.token();
  const text = await (await server.request("/metrics", { token })).text();
  expect(text).toContain('agnes_source_healthy{source="shop"} 0\n');
  expect(await server.agnes.sourceHealth()).toMatchObject([{ state: "failed", code: "source_path_empty" }]);
});

test("healthJob() checks at the start and every five minutes, also after the clock was set back", async () => {
  const checks: number[] = [];
  let nowMs = 0;
  const health = { check: async () => void checks.push(nowMs / MINUTE_MS) };
  const job = healthJob(health satisfies Pick<ServedWorkspace["health"], "check">);
  const { signal } = new AbortController();
  for (; nowMs <= 11 * MINUTE_MS; nowMs += MINUTE_MS / 2) await job.run(new Date(nowMs), signal);
  nowMs = 2 * MINUTE_MS;
  await job.run(new Date(nowMs), signal);
  expect(checks).toEqual([0, 5, 10, 2]);
});
