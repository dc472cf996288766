import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";

import { listen } from "../../cmd/serve/listen.ts";
import { silentLog } from "../../lib/base/mod.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import { startServer } from "../cmd/serve/start-server.ts";
import { runCli, temporaryDirectory } from "../cmd/run-cli.ts";
import { boardPlugin, delivery, KEY, signed } from "../serve/webhooks/board.ts";

const workspace = temporaryDirectory();
const CONFIG =
  "version: 1\nsources:\n  shop: { plugin: files, options: { path: ./exports } }\nserver: { queryTimeoutMs: 600000 }\n";
const QUERIES = 200;
const RELOADS = 5;
const tokens: string[] = [];

beforeAll(async () => {
  mkdirSync(join(workspace.path, "exports"));
  writeFileSync(join(workspace.path, "exports", "orders.csv"), "id\n1\n");
  writeFileSync(join(workspace.path, "agnes.yaml"), CONFIG);
  await runCli(["sync", "--quiet"], { cwd: workspace.path });
  await using agnes = await createAgnes({ plugins: [], workspace: workspace.path });
  const stored = await agnes.tokens();
  for (let at = 0; at < 20; at++)
    tokens.push((await stored.create({ name: `job${at}`, role: at === 0 ? "admin" : "analyst" })).token);
});
afterAll(() => workspace[Symbol.dispose]());

/** The processes that a process started. */
function childrenOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
}

test("SIGHUP under load fails no query and keeps all receipts", async () => {
  await using server = await startServer(workspace.path);
  const { child, url } = server;
  const call = (path: string, token: string, init: RequestInit = {}, headers: object = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${token}`, ...headers } });
  const query = (id: string, token: string, sql: string, format: string) =>
    call(
      `/api/query?format=${format}`,
      token,
      { method: "POST", body: JSON.stringify({ sql, limit: 1_000_000 }) },
      { "content-type": "application/json", "x-agnes-query-id": id },
    );
  // Its rows are read slowly, so it runs through all reloads.
  const open = await query(
    "open-query",
    tokens[1]!,
    "SELECT range AS n, repeat('x', 40) AS text FROM range(1000000)",
    "csv",
  );
  const reader = open.body!.getReader();
  let openLines = 0;
  const readSome = async () => {
    const { done, value } = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
    openLines +=
      Buffer.from(value ?? [])
        .toString()
        .split("\n").length - 1;
    return done;
  };
  const slowly = setInterval(() => void readSome(), 2000);
  const finished = Promise.all(
    Array.from({ length: QUERIES }, async (_, at) => {
      const isLarge = at % 10 === 0;
      const sql = isLarge ? "SELECT range AS n FROM range(100000)" : "SELECT count(*) AS n FROM orders";
      const response = await query(`reloaded-${at}`, tokens[at % tokens.length]!, sql, "ndjson");
      const text = (await response.text()).trim();
      const lines = text.split("\n").length;
      return lines === (isLarge ? 100_000 : 1) && response.status === 200 ? "whole" : text.slice(0, 500);
    }),
  );
  for (let at = 1; at <= RELOADS; at++) {
    child.kill("SIGHUP");
    await server.logged("reloaded agnes.yaml", at);
  }
  expect(await finished).toEqual(Array.from({ length: QUERIES }, () => "whole"));
  const state = async (id: string, token: string) =>
    ((await (await call(`/api/queries/${id}`, token)).json()) as { readonly state?: string }).state;
  const states = await Promise.all(
    Array.from({ length: QUERIES }, (_, at) => state(`reloaded-${at}`, tokens[at % tokens.length]!)),
  );
  expect(new Set(states)).toEqual(new Set(["done"]));
  expect(await state("open-query", tokens[1]!)).toBe("running");
  expect(await (await call("/metrics", tokens[0]!)).text()).toContain(
    `agnes_queries_total{outcome="ok"} ${QUERIES}\n`,
  );
  const before = childrenOf(child.pid).length;
  clearInterval(slowly);
  while (!(await readSome()));
  expect(openLines).toBe(1_000_001);
  // The worker processes of the first configuration end with its last query.
  while (childrenOf(child.pid).length >= before) await Bun.sleep(50);
}, 300_000);

const CONNECTIONS = 2000;

test("thousands of slow connections leave a lookup fast", async () => {
  await using server = await startServer(workspace.path);
  const head = `POST /api/query HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 100\r\n`;
  const sockets: Socket[] = [];
  try {
    for (let at = 0; at < CONNECTIONS; at++) {
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      await new Promise((resolve) => socket.once("connect", resolve));
      // A part of the headers, or of the body.
      socket.write(at % 2 === 0 ? head : `${head}Authorization: Bearer ${tokens[0]}\r\n\r\n{`);
      sockets.push(socket);
    }
    const lookup = async () => {
      const startMs = performance.now();
      const headers = { authorization: `Bearer ${tokens[0]}` };
      const response = await fetch(`${server.url}/api/v2/schema/orders`, { headers });
      await response.text();
      return { status: response.status, ms: performance.now() - startMs };
    };
    await lookup();
    expect(sockets.filter(({ destroyed }) => !destroyed).length).toBeGreaterThan(CONNECTIONS / 2);
    const { status, ms } = await lookup();
    expect(status).toBe(200);
    expect(ms).toBeLessThan(3000);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}, 120_000);

/** Sends a part of a request every second, and returns how long the connection lives, in seconds. */
function lifeOf(port: number, start: string, drip: string): Promise<number> {
  const startMs = performance.now();
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(start));
    const timer = setInterval(() => drip !== "" && socket.write(drip), 1000);
    socket.on("data", () => {});
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      resolve((performance.now() - startMs) / 1000);
    });
  });
}

test("connections without progress end: idle, slow headers, a slow body", async () => {
  await using agnes = await createAgnes({ plugins: [], workspace: workspace.path });
  const server = listen({
    host: "127.0.0.1",
    port: 0,
    maxBodyBytes: 1_048_576,
    log: silentLog,
    handle: (request, info) => agnes.fetch(request, info),
    idleSeconds: 4,
    drainMs: 100,
  });
  const host = `Host: 127.0.0.1:${server.port}\r\n`;
  const authorization = `Authorization: Bearer ${tokens[0]}\r\nContent-Type: application/json\r\n`;
  const post = `POST /api/query HTTP/1.1\r\n${host}${authorization}`;
  const lives = await Promise.all([
    lifeOf(server.port, "", ""),
    lifeOf(server.port, `GET /api/health HTTP/1.1\r\n${host}\r\n`, ""),
    lifeOf(server.port, `GET /api/health HTTP/1.1\r\n${host}`, "x"),
    lifeOf(server.port, `${post}Content-Length: 1000\r\n\r\n{`, ""),
    lifeOf(server.port, `${post}Content-Length: 1000\r\n\r\n{`, " "),
    lifeOf(server.port, `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`, ""),
  ]);
  for (const seconds of lives) expect(seconds).toBeLessThan(30);
  await server.drain();
}, 120_000);

/** A folder with a file system of 256 kB; null: this system does not allow it. */
function smallDisk(): (Disposable & { readonly path: string }) | null {
  const folder = temporaryDirectory();
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "agnes-test", folder.path]);
  const dispose = () => {
    if (status === 0) spawnSync("umount", [folder.path]);
    folder[Symbol.dispose]();
  };
  if (status === 0) return { path: folder.path, [Symbol.dispose]: dispose };
  dispose();
  return null;
}

test("a webhook on a full disk is 507, and accepted again when there is space", async () => {
  using disk = smallDisk();
  if (disk === null) return;
  await using agnes = await createAgnes({
    plugins: [boardPlugin().plugin],
    workspace: disk.path,
    config: { version: 1, sources: { board: { plugin: "board" } } },
    host: { env: { BOARD_KEY: KEY } },
  });
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => agnes.fetch(request) });
  const send = async (issue: number) => {
    const response = await fetch(new URL("/webhooks/board", server.url), signed(delivery(issue)));
    return [response.status, await response.json()] as const;
  };
  expect(await send(1)).toEqual([202, { accepted: 1 }]);
  const filler = join(disk.path, "filler");
  spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=1k"]);
  const [status, body] = await send(2);
  expect([status, body]).toMatchObject([507, { error: { code: "webhook_not_stored" } }]);
  expect(JSON.stringify(body)).not.toContain(disk.path);
  writeFileSync(filler, "");
  expect(await send(3)).toEqual([202, { accepted: 1 }]);
  await server.stop(true);
}, 60_000);
