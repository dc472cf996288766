import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";

import { run } from "./python.ts";
import {
  CANARY,
  makeShop,
  report,
  startServer,
  watchMemory,
  type RunningServer,
  type ServedShop,
} from "./serve-process.ts";

const LIMIT_BYTES = 1 << 30;

/** A group of processes that may use 1 GB together; only an administrator of the machine can make it. */
const isFirstVersion = existsSync("/sys/fs/cgroup/memory");
const GROUP = `/sys/fs/cgroup/${isFirstVersion ? "memory/" : ""}agnes-test-${process.pid}`;
const LIMIT = isFirstVersion ? "memory.limit_in_bytes" : "memory.max";
const PEAK = isFirstVersion ? "memory.max_usage_in_bytes" : "memory.peak";
const SUDO = process.getuid?.() === 0 ? [] : ["sudo", "-n"];

function asAdministrator(script: string): string {
  const [command, ...parameters] = [...SUDO, "sh", "-c", script];
  return run(command!, parameters);
}

let shop: ServedShop;
let server: RunningServer;
beforeAll(async () => {
  const controllers = isFirstVersion ? "" : "echo +memory > /sys/fs/cgroup/cgroup.subtree_control; ";
  asAdministrator(`${controllers}mkdir '${GROUP}' && echo ${LIMIT_BYTES} > '${GROUP}/${LIMIT}'`);
  shop = await makeShop();
  const enter = `${SUDO.join(" ")} sh -c "echo $$ > '${GROUP}/cgroup.procs'" && exec "$@"`;
  server = await startServer(shop.path, ["sh", "-c", enter, "sh"]);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  // The last processes may still be ending.
  asAdministrator(`for i in 1 2 3 4 5 6 7 8 9; do rmdir '${GROUP}' && exit; sleep 0.5; done; exit 1`);
});

test("six queries of 300 MB in a cgroup of 1 GB get an error each, and the server lives", async () => {
  const { ann, mallory } = shop.tokens;
  expect((await server.query(ann, { sql: "SELECT 1 AS one" })).status).toBe(200);
  // Two have room in it.
  expect(server.workers().length).toBeLessThan(4);
  const memory = watchMemory(server);
  const large = [
    "SELECT len(list(repeat('x', 1000) || range)) AS n FROM range(300000)",
    "SELECT len(string_agg(repeat('x', 1000), '')) AS n FROM range(300000)",
    "SELECT len(list(range)) AS n FROM range(40000000)",
    "SELECT len(list_transform(range(9000000), lambda x: repeat('y', 30))) AS n",
    "SELECT count(*) AS n FROM (SELECT list_sort(list(hash(range))) FROM range(40000000))",
    "SELECT len(json_group_array(repeat('z', 1000))) AS n FROM range(300000)",
  ];
  const outcomes = await Promise.all(
    large.map(async (sql, at) => {
      const response = await server.query(at % 2 === 0 ? ann : mallory, { sql, timeout_ms: 50_000 });
      const text = await response.text();
      expect(text).not.toMatch(CANARY);
      const { error } = JSON.parse(text) as {
        readonly error?: { readonly code: string; readonly hint: string };
      };
      return { status: response.status, code: error?.code ?? "", hasHint: (error?.hint ?? "x").length > 0 };
    }),
  );
  const peakBytes = Number(readFileSync(`${GROUP}/${PEAK}`, "utf8"));
  report(`${JSON.stringify(outcomes.map(({ status, code }) => [status, code]))}`);
  report(
    `the group used at most ${Math.round(peakBytes / 1e6)} MB; private memory ${JSON.stringify(memory.stop())}`,
  );
  for (const { status, code, hasHint } of outcomes) {
    expect([200, 400, 504, 507]).toContain(status);
    if (status !== 200) expect([code.length > 0, hasHint]).toEqual([true, true]);
  }
  expect(outcomes.filter(({ status }) => status === 507).length).toBeGreaterThan(3);
  expect(server.child.exitCode).toBeNull();
  const after = await server.query(mallory, { sql: "SELECT count(*) AS n FROM orders" });
  expect(await after.json()).toMatchObject({ rows: [[20_000]] });
});
