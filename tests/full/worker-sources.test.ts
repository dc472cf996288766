import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";

import { createAgnes, isAgnesError, type Agnes, type QueryOptions } from "agnes";
import { definePlugin, int64, table, toSchema } from "agnes/kit";
import * as v from "valibot";

import { temporaryFolder } from "../sync/workspace.ts";
import { bq, openHybridShop, PAGES, spy, SPY, wh, type Call, type Register } from "../query/hybrid-shop.ts";
import { openLiveShop, type ConnectorCall, type LiveBy } from "../query/live-shop.ts";
import { errorOf, LONG, until, workersOf } from "../query/workers/isolated.ts";
import { leaking } from "../query/leaking.ts";

setDefaultTimeout(60_000);

/** A time in a receipt. */
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;

const MODES = ["none", "process"] as const;

/** What the caller of a query sees, besides durations and the ids of jobs. */
async function outcomeOf(agnes: Agnes, sql: string, options: QueryOptions = {}): Promise<unknown> {
  try {
    const result = await agnes.query(sql, options);
    const rows: string[] = [];
    for await (const batch of result.batches) rows.push(...batch.toArray().map(String));
    const { registered, ...rest } = result.receipt();
    // Arrow pads the bytes that it sends.
    const known = registered.map((one) => ({ ...one, sizeBytes: Math.round(one.sizeBytes / 1000) }));
    const receipt = JSON.stringify({ ...rest, registered: known });
    return {
      schema: result.schema.toString(),
      rows,
      receipt: receipt
        .replaceAll(/"elapsedMs":\d+/g, "")
        .replaceAll(/agnes_[\w-]+/g, "job")
        .replaceAll(TIME, "time"),
    };
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    const { status, exitCode, retry } = error;
    return { ...error.toJSON().error, status, exitCode, retry };
  }
}

describe("register in worker processes", () => {
  const pages = bq(`SELECT * FROM ${PAGES} WHERE id < 5`);
  const keyed = bq(`SELECT * FROM ${PAGES} WHERE id IN UNNEST(@keys)`, { keys: "SELECT page FROM orders" });
  const wide = wh("SELECT i AS id, i::HUGEINT AS huge, [i] AS list, {'a': i} AS s FROM range(20000) t(i)");
  const access = new Set(["orders"]);
  const cases: readonly (readonly [string, string, Register, QueryOptions?])[] = [
    [
      "a join",
      "SELECT * FROM orders JOIN p ON p.id = page JOIN w ON w.id = page ORDER BY ALL",
      { p: pages, w: wide },
    ],
    ["keys", "SELECT * FROM p ORDER BY ALL", { p: keyed }],
    ["no keys", "SELECT * FROM p", { p: { ...keyed, keys: "SELECT page FROM orders WHERE false" } }],
    ["many rows", "SELECT sum(huge), count(*), max(list), min(s) FROM w", { w: wide }],
    ["EXPLAIN", "EXPLAIN SELECT * FROM p", { p: pages }],
    ["DESCRIBE", "DESCRIBE SELECT * FROM p", { p: pages }],
    ["too many rows", "SELECT * FROM p", { p: { ...pages, limits: { maxRows: 3 } } }],
    [
      "infinite limits",
      "SELECT * FROM p",
      { p: { ...pages, limits: { maxRows: Infinity, maxBytes: Infinity } } },
    ],
    ["an invalid limit", "SELECT * FROM p", { p: { ...pages, limits: { maxBytes: NaN } } }],
    ["an unused alias", "SELECT 1", { p: pages }],
    ["an unknown source", "SELECT * FROM p", { p: { source: "nope", sql: "SELECT 1" } }],
    ["a source without SQL", "SELECT * FROM p", { p: { source: "mute", sql: "SELECT 1" } }],
    ["SQL that fails", "SELECT * FROM p", { p: wh("SELECT nope FROM wh.pages") }],
    ["another statement", "SELECT * FROM p", { p: bq(`DELETE FROM ${PAGES} WHERE true`) }],
    ["a source that names no tables", "SELECT * FROM p", { p: wh("SELECT 1 AS id") }, { access }],
    ["tables of others", "SELECT * FROM p", { p: pages }, { access }],
    ["keys of others", "SELECT * FROM p", { p: { ...keyed, keys: "SELECT pin FROM secrets" } }, { access }],
    ["an unknown column", "SELECT nope FROM p", { p: pages }],
  ];

  test("has the same results, receipts and errors as in this process", async () => {
    const found: unknown[][] = [];
    for (const isolation of MODES) {
      await using shop = await openHybridShop({ isolation });
      const outcomes: unknown[] = [];
      for (const [name, sql, register, options] of cases)
        outcomes.push([name, await outcomeOf(shop.agnes, sql, { ...options, register })]);
      found.push(outcomes);
    }
    expect(found[1]).toEqual(found[0]!);
  });

  test("an error of a plugin keeps its code", async () => {
    await using shop = await openHybridShop({ isolation: "process", bigquery: { maxBytesPerQuery: 100 } });
    const error = await errorOf(
      shop.agnes.rows("SELECT * FROM p", { register: { p: bq(`SELECT \`id\` FROM ${PAGES}`) } }),
    );
    expect(error).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { alias: "p", limitBytes: 100 },
    });
  });

  test("an abort cancels the jobs and names them", async () => {
    await using shop = await openHybridShop({ isolation: "process", script: { polls: Infinity } });
    const controller = new AbortController();
    const register = { p: bq(`SELECT id FROM ${PAGES}`) };
    const failing = errorOf(shop.agnes.rows("SELECT * FROM p", { register, signal: controller.signal }));
    await until(() => shop.server.inserted.some(({ jobReference }) => jobReference.jobId !== undefined));
    controller.abort();
    const stoppedJobs = shop.server.inserted.flatMap(({ jobReference }) => jobReference.jobId ?? []);
    expect(await failing).toMatchObject({
      code: "aborted",
      message: expect.stringContaining("which waited for the alias p"),
      details: { stoppedJobs },
    });
    await until(() => shop.server.cancelled.length === 1, 2000);
  });

  test("a query of a source runs once, also if it waits for a process that it may keep", async () => {
    const calls: Call[] = [];
    await using shop = await openHybridShop({ isolation: "process", plugins: [spy(calls)] });
    const stop = new AbortController();
    const long = errorOf(shop.agnes.rows(LONG, { signal: stop.signal }));
    await Bun.sleep(600);
    const waiting = shop.agnes.rows("SELECT count(*)::INT AS n FROM p", { register: { p: SPY } });
    await Bun.sleep(300);
    expect(calls).toHaveLength(0);
    expect(await shop.agnes.rows("SELECT 1 AS n")).toEqual([{ n: 1 }]);
    stop.abort();
    expect(await waiting).toEqual([{ n: 2 }]);
    expect(calls).toHaveLength(1);
    await long;
  });

  test("no secret of a source is in a worker or in an error", async () => {
    const key = "s3cret-of-the-spy";
    await using shop = await openHybridShop({ isolation: "process", plugins: [leaking], env: { KEY: key } });
    const register = { p: { source: "leaking", sql: "SELECT 1" } };
    const error = (await errorOf(shop.agnes.rows("SELECT * FROM p", { register }))) as Error;
    expect(error.message).toContain("failed for");
    expect(JSON.stringify([error, error.message])).not.toContain(key);
    const workers = workersOf();
    expect(workers.length).toBeGreaterThan(0);
    for (const pid of workers) expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(key);
  });
});

describe("remote tables in worker processes", () => {
  const queries = [
    "SELECT * FROM b ORDER BY ALL",
    "SELECT a.id, amount FROM a JOIN b ON b.id = a.id WHERE b.customer = 'x' OR amount > 3 ORDER BY ALL",
    "SELECT count(*) FROM b WHERE day >= DATE '2026-01-02' AND seen < TIMESTAMP '2026-01-04'",
    "SELECT id FROM b WHERE id IN (SELECT id FROM a WHERE kind = 1) ORDER BY ALL",
    "SELECT price, exact FROM d WHERE price > 1.5 ORDER BY ALL",
    "SELECT count(*) FROM b LIMIT 5",
    "DESCRIBE b",
    "SUMMARIZE c",
    "SELECT nope FROM b",
  ];

  test.each(["read", "selectSql", "query"] as readonly LiveBy[])(
    "by %s have the same results, receipts and requests as in this process",
    async (by) => {
      const found: unknown[] = [];
      for (const isolation of MODES) {
        using folder = temporaryFolder();
        const calls: ConnectorCall[] = [];
        await using agnes = await openLiveShop(folder.path, {
          remote: ["b", "c", "d"],
          calls,
          by,
          isolation,
        });
        const outcomes: unknown[] = [];
        for (const sql of queries) outcomes.push([sql, await outcomeOf(agnes, sql)]);
        const denied = await outcomeOf(agnes, "SELECT * FROM b", { access: new Set(["s.c"]) });
        const requests = calls.map(({ table: name, options, request }) => {
          const { columns, filter, limit } = { ...options, ...request };
          // DuckDB gives the keys of a join in any order.
          const sorted = filter?.map((one) => ({
            ...one,
            values: one.values.map(String).toSorted((a, b) => (a < b ? -1 : 1)),
          }));
          return { name, columns, filter: sorted, limit };
        });
        const described = { ...(await agnes.describe("b")), extractedAt: null };
        found.push({ outcomes, denied, requests, described });
      }
      expect(found[1]).toEqual(found[0]!);
    },
  );

  test.each(["worker", "caller"])("a read stops within a second of the end of its %s", async (who) => {
    let readStarted = false;
    let endedMs: number | null = null;
    const endless = definePlugin({
      name: "endless",
      version: "1.0.0",
      description: "Rows without an end",
      capabilities: ["discover", "read"],
      options: v.strictObject({}),
      secrets: {},
      connect: () => ({
        discover: async () => [table("rows", { id: int64() })],
        async *read(_info, { signal }) {
          try {
            for (let id = 0; ; id++) {
              readStarted = true;
              yield [{ id }];
              await Bun.sleep(5);
              if (signal.aborted) return;
            }
          } finally {
            endedMs = performance.now();
          }
        },
      }),
    });
    using folder = temporaryFolder();
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [endless],
      config: { version: 1, sources: { e: { plugin: "endless" } } },
      isolation: "process",
      workers: { count: 2 },
    });
    await (await agnes.tables()).register({ source: "e", sourceTable: "rows", queryMode: "remote" });
    await agnes.sync();
    const controller = new AbortController();
    const failing = errorOf(agnes.rows("SELECT sum(id) FROM e.rows", { signal: controller.signal }));
    await until(() => readStarted);
    await Bun.sleep(100);
    expect(endedMs).toBeNull();
    const stoppedMs = performance.now();
    if (who === "caller") controller.abort();
    else for (const pid of workersOf()) process.kill(pid, "SIGKILL");
    expect(await failing).toMatchObject({ code: who === "caller" ? "aborted" : "worker_lost" });
    await until(() => endedMs !== null, 5000);
    expect(endedMs! - stoppedMs).toBeLessThan(1000);
  });
});

test("an estimate without rows states its columns in a worker process", async () => {
  const calls: Call[] = [];
  const schema = toSchema({ id: int64() });
  await using shop = await openHybridShop({
    isolation: "process",
    plugins: [spy(calls, { estimate: async () => ({ schema }) })],
  });
  expect(await shop.agnes.rows("DESCRIBE SELECT * FROM p", { register: { p: SPY } })).toMatchObject([
    { column_name: "id", column_type: "BIGINT" },
  ]);
  expect(calls).toEqual([]);
});
