import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { isRunning } from "../query/workers/isolated.ts";
import {
  headersOf,
  listening,
  makeShop,
  report,
  spawnServer,
  startServer,
  type ServedShop,
} from "./serve-process.ts";

const SERVER_SEEDS = 30;
const WORKER_SEEDS = 70;

let shop: ServedShop;
beforeAll(async () => {
  shop = await makeShop();
});
afterAll(() => shop[Symbol.asyncDispose]());

/** Queries of all kinds: short and long, with few rows and many, that end or do not. */
const QUERIES = [
  "SELECT id, label FROM orders ORDER BY id LIMIT 20",
  "SELECT customer, count(*) FROM orders GROUP BY ALL",
  "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b",
  "SELECT range AS n, repeat('x', 200) AS text FROM range(3000000)",
  "SELECT list(range) FROM range(10000000)",
  "SELECT * FROM range(20000000) ORDER BY hash(range)",
  "SELECT getenv('HOME')",
] as const;

/** Sends some queries, and reads some of their rows. Never throws. */
function load(url: string, random: () => number): Promise<unknown> {
  const ask = async (sql: string, isRead: boolean) => {
    const body = JSON.stringify({ sql, timeout_ms: 3000 });
    const headers = headersOf(shop.tokens.mallory);
    const response = await fetch(`${url}/api/query?format=csv`, { method: "POST", headers, body });
    if (isRead) await response.arrayBuffer();
    else await response.body?.getReader().read();
    return response.status;
  };
  const count = 1 + Math.floor(random() * 5);
  const asked = Array.from({ length: count }, () => {
    const sql = QUERIES[Math.floor(random() * QUERIES.length)]!;
    return ask(sql, random() < 0.7).catch(() => null);
  });
  return Promise.all(asked);
}

/** Waits until no process of these runs. Returns how long that took, in milliseconds. */
async function goneMs(pids: readonly number[]): Promise<number> {
  const startMs = performance.now();
  while (pids.some(isRunning)) {
    if (performance.now() - startMs > 5000) break;
    await Bun.sleep(10);
  }
  return performance.now() - startMs;
}

/** The processes that run in a folder below this one, as each worker does in a folder of its own. */
function workersIn(folder: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`) && isRunning(pid);
      } catch {
        return false;
      }
    });
}

/** Kills a process; false if one that was killed before has ended since it was listed. */
function wasKilled(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    return false;
  }
}

const folders = () => readdirSync(join(shop.path, "tmp")).filter((name) => name.startsWith("agnes-workers-"));

test(`no worker outlives a server that is killed, and the next start needs no help: ${SERVER_SEEDS} seeds`, async () => {
  const before = shop.hashes();
  let [slowestMs, seen] = [0, 0];
  for (let seed = 1; seed <= SERVER_SEEDS; seed++) {
    const random = seededRandom(seed);
    const child = spawnServer(shop.path);
    const isEarly = random() < 0.3;
    // Killed while it starts, or under load.
    if (isEarly) await Bun.sleep(random() * 1500);
    else {
      const { url } = await listening(child);
      const loading = load(url, random);
      await Bun.sleep(random() * 1000);
      void loading;
    }
    child.kill("SIGKILL");
    await child.exited;
    const workers = workersIn(join(shop.path, "tmp"));
    seen += workers.length;
    const ms = await goneMs(workers);
    slowestMs = Math.max(slowestMs, ms);
    expect([seed, ms < 1000]).toEqual([seed, true]);
  }
  report(
    `${seen} workers were alive when their server had ended; they ended at most ${Math.round(slowestMs)} ms after it`,
  );
  await using server = await startServer(shop.path);
  const response = await server.query(shop.tokens.ann, { sql: "SELECT count(*) AS n FROM orders" });
  expect(await response.json()).toMatchObject({ rows: [[20_000]] });
  // It removed the files of all servers before it.
  expect(folders().filter((name) => !name.includes(`-${server.child.pid}-`))).toEqual([]);
  expect(shop.hashes()).toEqual(before);
}, 300_000);

test(`a killed worker costs its own query only, and is replaced: ${WORKER_SEEDS} seeds`, async () => {
  await using server = await startServer(shop.path);
  await server.query(shop.tokens.ann, { sql: "SELECT 1" });
  const count = server.workers().length;
  let kills = 0;
  for (let seed = 1; seed <= WORKER_SEEDS; seed++) {
    const random = seededRandom(1000 + seed);
    const loading = load(server.url, random);
    await Bun.sleep(random() * 300);
    const workers = server.workers();
    const killed = workers.filter((pid, at) => (at === 0 || random() < 0.3) && wasKilled(pid));
    kills += killed.length;
    void loading;
    if (seed % 5 !== 0) continue;
    await goneMs(killed);
    const check = async () => {
      const response = await server.query(shop.tokens.ann, { sql: "SELECT count(*) AS n FROM orders" });
      return (await response.json()) as { readonly error?: { readonly code: string } };
    };
    let result = await check();
    // A kill that the server had not noticed, or one of a process that was still starting, costs one query at most.
    for (; result.error?.code === "worker_lost" && kills > 0; kills--) result = await check();
    expect([seed, result]).toMatchObject([seed, { rows: [[20_000]] }]);
    kills = 0;
  }
  while (server.workers().length < count) await Bun.sleep(50);
  expect(server.workers()).toHaveLength(count);
  expect(server.child.exitCode).toBeNull();
}, 300_000);
