import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "../cmd/run-cli.ts";
import { startServer } from "../cmd/serve/start-server.ts";
import { isRunning, until } from "../query/workers/isolated.ts";
import { sourceProcesses } from "../sync/child/source-processes.ts";

const workspace = temporaryDirectory();
let token = "";

const source = (manner: string, settings = "") =>
  `{ plugin: unruly, options: { manner: ${manner} }${settings} }`;

beforeAll(async () => {
  const { path } = workspace;
  mkdirSync(join(path, "exports"));
  mkdirSync(join(path, "plugins"));
  writeFileSync(join(path, "exports", "orders.csv"), "id\n1\n");
  const unruly = join(import.meta.dir, "..", "sync", "child", "unruly.ts");
  copyFileSync(unruly, join(path, "plugins", "unruly.ts"));
  writeFileSync(
    join(path, "agnes.yaml"),
    `version: 1
sources:
  shop: { plugin: files, options: { path: ./exports } }
  trickle: ${source("trickle")}
  blocks: ${source("blocks", ", stalledMs: 8000")}
  endless: ${source("blocks")}
`,
  );
  await runCli(["sync", "shop", "--quiet"], { cwd: path });
  const created = await runCli(["token", "create", "job", "--role", "admin"], { cwd: path });
  token = created.stdout.trim();
});
afterAll(() => workspace[Symbol.dispose]());

async function serve() {
  const server = await startServer(workspace.path, [], { TMPDIR: workspace.path });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const request = (path: string, body?: object) =>
    fetch(`${server.url}${path}`, {
      headers,
      ...(body && { method: "POST", body: JSON.stringify(body) }),
    });
  const json = async (path: string, body?: object) =>
    (await (await request(path, body)).json()) as Record<string, never>;
  return Object.assign(server, {
    request,
    json,
    /** Begins a sync of a source, and returns its run. */
    begin: async (name: string) =>
      (await json(`/api/sync/trigger?source=${name}`, {}))["job_id"] as unknown as string,
    /** Waits for the processes of sources, and returns them. */
    async processes(count: number) {
      let found: readonly number[] = [];
      await until(() => (found = sourceProcesses(server.child.pid)).length === count);
      return found;
    },
  });
}

test("a connector that blocks stops neither lookups nor the progress of other runs, and its own run fails", async () => {
  await using server = await serve();
  const lookup = () => server.json("/api/query", { sql: "SELECT id FROM orders" });
  await lookup();
  const blocked = await server.begin("blocks");
  const running = await server.begin("trickle");
  let events = "";
  const streaming = (async () => {
    const response = await server.request(`/api/runs/${running}/events`);
    for await (const bytes of response.body!) events += new TextDecoder().decode(bytes as Uint8Array);
  })();
  let lookups = 0;
  while (!["failed", "complete"].includes((await server.json(`/api/runs/${blocked}`))["status"]!)) {
    expect((await lookup())["rows"]).toEqual([[1]] as never);
    lookups += 1;
  }
  expect(lookups).toBeGreaterThan(5);
  expect(await server.json(`/api/runs/${blocked}`)).toMatchObject({
    status: "failed",
    error: { code: "sync_stalled" },
  });
  await streaming;
  const seen = [...events.matchAll(/"rows":(\d+)/g)].map(([, rows]) => Number(rows));
  expect(new Set(seen).size).toBeGreaterThan(2);
  expect(events).toContain('"status":"complete"');
}, 120_000);

test("a server that drains stops the runs of connectors that block", async () => {
  await using server = await serve();
  await server.begin("endless");
  const processes = await server.processes(1);
  server.child.kill("SIGTERM");
  expect(await server.child.exited).toBe(0);
  expect(processes.some(isRunning)).toBe(false);
  const { stdout } = await runCli(["runs", "endless", "--json"], { cwd: workspace.path });
  expect((JSON.parse(stdout) as { runs: { status: string }[] }).runs[0]).toMatchObject({ status: "stopped" });
}, 120_000);

test("no process of a source outlives a killed server by a second, and the next server syncs the source", async () => {
  await using server = await serve();
  const endless = await server.begin("endless");
  const trickle = await server.begin("trickle");
  const processes = await server.processes(2);
  server.child.kill("SIGKILL");
  await server.child.exited;
  await until(() => !processes.some(isRunning), 1000);
  await using next = await serve();
  for (const id of [endless, trickle])
    expect(await next.json(`/api/runs/${id}`)).toMatchObject({ status: "lost" });
  const again = await next.begin("trickle");
  while ((await next.json(`/api/runs/${again}`))["status"] === ("running" as never)) await Bun.sleep(100);
  expect(await next.json(`/api/runs/${again}`)).toMatchObject({ status: "complete" });
}, 120_000);
