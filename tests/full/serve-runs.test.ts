import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "../cmd/run-cli.ts";
import { startServer } from "../cmd/serve/start-server.ts";
import { isRunning, until } from "../query/workers/isolated.ts";
import { sourceProcesses } from "../sync/child/source-processes.ts";

const workspace = temporaryDirectory();
let token = "";

const source = (manner: string, settings = "") =>
  `{ plugin: unruly, options: { manner: ${manner} }${settings} }`;

/** A program with a child in its group, one in another session, and one whose parent has ended; each writes its id. */
const SCRIPT = `folder=$(dirname "$0")
wait_long() { sh -c 'echo $$ >>"$0/pids"; exec sleep 100' "$folder"; }
wait_long &
setsid sh -c 'echo $$ >>"$0/pids"; sleep 100; true' "$folder" &
(setsid sh -c 'echo $$ >>"$0/pids"; exec sleep 100' "$folder" &)
echo $PPID >"$folder/parent"
echo $$ >>"$folder/pids"
wait
`;

beforeAll(async () => {
  const { path } = workspace;
  mkdirSync(join(path, "exports"));
  mkdirSync(join(path, "plugins"));
  writeFileSync(join(path, "exports", "orders.csv"), "id\n1\n");
  writeFileSync(join(path, "script.sh"), SCRIPT);
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
  script: { plugin: program, options: { command: [sh, ./script.sh] } }
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

test("a program and all that it started end within a second of its killed server, and of the process of its source", async () => {
  const path = join(workspace.path, "pids");
  for (const isEndedToo of [false, true]) {
    rmSync(path, { force: true });
    await using server = await serve();
    await server.begin("script");
    const pids = () => (existsSync(path) ? readFileSync(path, "utf8") : "").trim().split("\n").map(Number);
    await until(() => pids().length === 4);
    const programs = pids();
    expect(programs.every(isRunning)).toBe(true);
    const parent = Number(readFileSync(join(workspace.path, "parent"), "utf8"));
    if (isEndedToo) process.kill(parent, "SIGKILL");
    server.child.kill("SIGKILL");
    await server.child.exited;
    await until(() => !programs.some(isRunning), 1000);
  }
}, 120_000);
