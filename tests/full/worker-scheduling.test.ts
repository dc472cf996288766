import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { published } from "../query/published.ts";
import { codeOf, errorOf, isolated, LONG, rowsIn, until } from "../query/workers/isolated.ts";

let shared: Awaited<ReturnType<typeof published>>;
beforeAll(async () => {
  shared = await published();
});
afterAll(() => shared[Symbol.asyncDispose]());

/** Starts queries that run for minutes, and a function that stops them. */
function long(session: ReturnType<typeof isolated>, principal: string, count: number) {
  const controller = new AbortController();
  const codes = Array.from({ length: count }, () =>
    codeOf(rowsIn(session, LONG, { principal, signal: controller.signal })),
  );
  return {
    codes,
    async stop() {
      controller.abort();
      return Promise.all(codes);
    },
  };
}

const lookup = (session: ReturnType<typeof isolated>, principal: string) =>
  rowsIn(session, "SELECT name FROM customers WHERE id = 3", { principal });

/** The time of a lookup in milliseconds. */
async function lookupMs(session: ReturnType<typeof isolated>, principal: string): Promise<number> {
  const startMs = performance.now();
  expect(await lookup(session, principal)).toEqual([{ name: "c3" }]);
  return performance.now() - startMs;
}

describe("the worker processes", () => {
  test("leave one to young queries, regardless of the others", async () => {
    await using session = isolated(shared.data, { count: 3 });
    const slow = ["ann", "bob", "cid"].map((principal) => long(session, principal, 2));
    // Every principal has had its turn on the last worker, and waits for one that it may keep.
    await lookup(session, "dan");
    await Bun.sleep(2000);
    for (let round = 0; round < 10; round++) expect(await lookupMs(session, "dan")).toBeLessThan(2000);
    expect((await Promise.all(slow.map((one) => one.stop()))).flat()).toEqual(Array(6).fill("aborted"));
  });

  test("run a query that had to leave the last worker again, whose caller notices nothing", async () => {
    await using session = isolated(shared.data, { count: 2 });
    await lookup(session, "bob");
    const slow = long(session, "ann", 1);
    await Bun.sleep(100);
    // It sends rows at once, and runs for longer than a query may keep the last worker.
    const sql = `SELECT 0 AS n UNION ALL (SELECT count(*) FROM range(30000) a, range(12000) b WHERE a.range * b.range = 7)`;
    const running = rowsIn(session, sql, { principal: "bob", batchRows: 1 });
    await Bun.sleep(1000);
    expect(await lookup(session, "dan")).toEqual([{ name: "c3" }]);
    await slow.stop();
    expect(await running).toEqual([{ n: 0n }, { n: 2n }]);
  });

  test("run at most half of the queries of one principal at once, and let only some of them wait", async () => {
    await using session = isolated(shared.data, { count: 4, waitingMax: 2 });
    await lookup(session, "bob");
    const slow = long(session, "ann", 4);
    const error = await rowsIn(session, LONG, { principal: "ann" }).catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: "queries_waiting",
      status: 429,
      retry: "transient",
      details: { waiting: 2 },
    });
    expect((error as { details: { retryAfterMs: number } }).details.retryAfterMs).toBeGreaterThan(0);
    expect(await lookup(session, "bob")).toEqual([{ name: "c3" }]);
    const codes = await slow.stop();
    expect(codes.filter((code) => code === "aborted").length).toBeGreaterThanOrEqual(3);
    expect(await lookup(session, "ann")).toEqual([{ name: "c3" }]);
  });

  test("do not give the last one again to who had a query stopped there", async () => {
    await using session = isolated(shared.data, { count: 2 });
    await lookup(session, "bob");
    const slow = long(session, "ann", 1);
    await until(() => session.workers().busy === 1);
    const first = long(session, "bob", 1);
    await until(() => session.workers().busy === 2);
    await lookup(session, "dan");
    expect(await first.stop()).toEqual(["aborted"]);
    await until(() => session.workers().busy === 1);
    const second = long(session, "bob", 1);
    expect(session.workers()).toMatchObject({ busy: 1, waiting: 1 });
    expect(await lookupMs(session, "dan")).toBeLessThan(2000);
    await slow.stop();
    await until(() => session.workers().busy === 1 && session.workers().waiting === 0);
    await second.stop();
  });

  test("count the time in which a query waits", async () => {
    await using session = isolated(shared.data, { count: 2 });
    await lookup(session, "bob");
    const slow = long(session, "ann", 1);
    const limits = { timeoutMs: 400 };
    const waiting = await codeOf(rowsIn(session, LONG, { principal: "ann", limits }));
    expect(waiting).toBe("timed_out");
    await slow.stop();
  });
});

describe("slow readers", () => {
  const MANY = "SELECT range AS n, repeat('x', 100) AS text FROM range(200000)";
  const COUNT = 4;

  test("hold no worker while their rows fit into the buffers, and get all rows later", async () => {
    await using session = isolated(shared.data, { count: COUNT, bufferMb: 1 });
    await lookup(session, "bob");
    const results = await Promise.all(
      Array.from({ length: COUNT }, () => session.runQuery({ sql: MANY, principal: "ann" })),
    );
    await until(() => results.every((result) => result.receipt().rows === 200_000));
    for (let round = 0; round < 10; round++) expect(await lookupMs(session, "bob")).toBeLessThan(2000);
    const read = async (result: (typeof results)[number]) => {
      let [rows, sum] = [0, 0n];
      for await (const batch of result.batches) {
        rows += batch.numRows;
        for (const value of batch.getChild("n")!) sum += value as bigint;
      }
      return { rows, sum };
    };
    const expected = { rows: 200_000, sum: (200_000n * 199_999n) / 2n };
    expect(await Promise.all(results.map(read))).toEqual(Array(COUNT).fill(expected));
  });

  test("hold their workers when the files are full, but not those of others", async () => {
    await using session = isolated(shared.data, { count: COUNT, bufferMb: 1, filesMb: 1 });
    await lookup(session, "bob");
    const run = () => session.runQuery({ sql: MANY, principal: "ann" });
    const results = await Promise.all([run(), run()]);
    await Bun.sleep(300);
    expect(results.map((result) => result.receipt().rows)).not.toContain(200_000);
    expect(await lookupMs(session, "bob")).toBeLessThan(2000);
    let rows = 0;
    for (const { batches } of results) for await (const batch of batches) rows += batch.numRows;
    expect(rows).toBe(400_000);
  });

  test("lose their query when they take no bytes", async () => {
    await using session = isolated(shared.data, { count: COUNT, bufferMb: 1, filesMb: 1, stalledMs: 300 });
    const result = await session.runQuery({ sql: MANY });
    const reader = result.batches[Symbol.asyncIterator]();
    expect((await reader.next()).done).toBe(false);
    await Bun.sleep(1000);
    const read = async () => {
      while ((await reader.next()).done !== true);
    };
    expect(await errorOf(read())).toMatchObject({ code: "rows_not_read", details: { stalledMs: 300 } });
    expect(await lookup(session, "bob")).toEqual([{ name: "c3" }]);
  });
});
