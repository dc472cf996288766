import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";

import type { Connection } from "../../lib/duckdb/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { Sandbox } from "../../lib/query/sandbox.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { published, rowsOf, testServices } from "./published.ts";

let shared: Awaited<ReturnType<typeof published>>;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = openQuerySession(testServices(), { dataDirectory: shared.data });
});
afterAll(async () => {
  await session.close();
  await shared[Symbol.asyncDispose]();
});

async function failureOf(connection: Connection, sql: string): Promise<string> {
  return connection.run(sql).then(() => "it ran", String);
}

async function withSandbox(work: (sandbox: Sandbox, threads: () => Promise<bigint>) => Promise<void>) {
  const sandbox = await Sandbox.open(testServices(), null);
  const observer = await sandbox.connect();
  try {
    await sandbox.lock();
    await sandbox.release(observer);
    await work(sandbox, async () => {
      const connection = await sandbox.connect();
      const sql = "SELECT current_setting('threads') AS count";
      const [row] = await connection.rows<{ count: bigint }>(sql);
      await sandbox.release(connection);
      return row!.count;
    });
  } finally {
    await sandbox.close();
  }
}

test("a locked instance can change its threads, and no other setting", () =>
  withSandbox(async (sandbox, threads) => {
    expect(await threads()).toBe(3n);
    await sandbox.useThreads(true);
    expect(await threads()).toBe(1n);
    await sandbox.useThreads(false);
    expect(await threads()).toBe(3n);
    const connection = await sandbox.connect();
    expect(await failureOf(connection, "SET memory_limit = '1GB'")).toContain("locked");
    expect(await failureOf(connection, "SET allowed_configs = ['memory_limit']")).toContain("locked");
    await sandbox.release(connection);
  }));

test("an instance keeps its threads while another query runs", () =>
  withSandbox(async (sandbox, threads) => {
    const running = await sandbox.connect();
    await sandbox.useThreads(true);
    expect(await threads()).toBe(3n);
    await sandbox.release(running);
    await sandbox.useThreads(true);
    expect(await threads()).toBe(1n);
  }));

test("an instance gets all threads back while small queries run", () =>
  withSandbox(async (sandbox, threads) => {
    await sandbox.useThreads(true);
    const running = await sandbox.connect();
    await sandbox.useThreads(false);
    expect(await threads()).toBe(3n);
    await sandbox.release(running);
  }));

test("an instance keeps its threads for a few small queries after another one", () =>
  withSandbox(async (sandbox, threads) => {
    await sandbox.useThreads(false);
    for (let n = 1; n < 8; n += 1) await sandbox.useThreads(true);
    expect(await threads()).toBe(3n);
    await sandbox.useThreads(true);
    expect(await threads()).toBe(1n);
  }));

test.each([
  ["SELECT label FROM orders WHERE id = 3", true],
  ["SELECT customer, count(*) FROM crm.orders GROUP BY ALL", true],
  ["SELECT label FROM orders JOIN customers ON customer = customers.id", false],
  ["SELECT count(*) FROM orders a, orders b WHERE a.id = b.id", false],
  ["WITH o AS (FROM orders) SELECT count(*) FROM o a JOIN o b USING (id)", false],
  ["SELECT count(*) FROM orders, range(3)", false],
  ["SELECT answer FROM inside", false],
  ["SELECT 42 AS answer", false],
])("%s is a small query: %p", async (sql, isSmall) => {
  const asked = spyOn(Sandbox.prototype, "useThreads");
  try {
    await rowsOf(session, sql);
    expect(asked.mock.calls.at(-1)).toEqual([isSmall]);
  } finally {
    asked.mockRestore();
  }
});
