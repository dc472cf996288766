import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { RegisteredQuery } from "agnes";
import { int64, permanent, toSchema, type QueryEstimate } from "agnes/kit";

import type { FakeTable } from "../fakes/bigquery/mod.ts";
import {
  bq,
  failure,
  jobs,
  openHybridShop,
  PAGES,
  rows,
  SPY,
  wh,
  withSpy,
  type Call,
  type HybridShop,
} from "./hybrid-shop.ts";
import { leaking } from "./leaking.ts";

setDefaultTimeout(60_000);

describe("estimates and limits of register", () => {
  test("no query runs if one exceeds a limit of its source, or if its estimate fails", async () => {
    const calls: Call[] = [];
    await using shop = await withSpy(calls, {}, { bigquery: { maxBytesPerQuery: 100 } });
    const sql = "SELECT * FROM p, q, r";
    const cheap = { q: SPY, r: bq("SELECT 1 AS a") };
    const large = await failure(shop, sql, { ...cheap, p: bq(`SELECT \`id\` FROM ${PAGES}`) });
    expect(large).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { limitBytes: 100, alias: "p" },
    });
    expect(large.message).toStartWith('alias "p" of source bq: ');
    const broken = await failure(shop, sql, { ...cheap, p: bq(`SELECT x FROM ${PAGES}`) });
    expect(broken.message).toStartWith('alias "p" of source bq: ');
    const other = await failure(shop, sql, { ...cheap, p: bq(`DELETE FROM ${PAGES} WHERE true`) });
    expect(other.message).toStartWith('alias "p" of source bq: ');
    expect([jobs(shop), calls]).toEqual([[], []]);
  });

  test("no query runs if the statement of one is no SELECT, or reads more than its maxScannedBytes", async () => {
    const calls: Call[] = [];
    let estimate: QueryEstimate = { statementType: "INSERT" };
    await using shop = await withSpy(calls, { estimate: async () => estimate });
    const register = { p: { ...SPY, limits: { maxScannedBytes: 10 } }, q: SPY };
    const sql = "SELECT * FROM p, q";
    expect(await failure(shop, sql, register)).toMatchObject({
      code: "alias_refused",
      message: expect.stringContaining("its SQL is a statement of the type INSERT"),
    });
    estimate = { scannedBytes: 11 };
    expect(await failure(shop, sql, register)).toMatchObject({
      code: "alias_limit_exceeded",
      details: { alias: "p", source: "spy", limit: "scanned bytes", max: 10 },
    });
    expect(calls).toEqual([]);
    estimate = { scannedBytes: 10 };
    expect(await rows(shop, sql, register)).toHaveLength(4);
  });

  test("the aliases of a source have its limit of bytes together", async () => {
    const mebibyte = 1024 ** 2;
    const own = (id: string, size: number): FakeTable => ({
      dataset: "web",
      id,
      fields: [{ name: "id", type: "INTEGER" }],
      rows: [["1"]],
      resource: { numBytes: String(size * mebibyte) },
    });
    await using shop = await openHybridShop({
      tables: [own("a", 20), own("b", 50), own("c", 31)],
      bigquery: { maxBytesPerQuery: 100 * mebibyte },
    });
    const select = (id: string, more: Partial<RegisteredQuery> = {}) =>
      bq(`SELECT id FROM \`shop-1\`.\`web\`.\`${id}\` WHERE id IN UNNEST(@keys)`, {
        keys: "SELECT 1",
        ...more,
      });
    const [a, b] = [select("a"), select("b")];
    expect(await failure(shop, "SELECT * FROM a, b, c", { a, b, c: select("c") })).toMatchObject({
      code: "alias_limit_exceeded",
      details: { alias: "b", source: "bq", limit: "scanned bytes together", max: 100 * mebibyte },
    });
    expect(jobs(shop)).toEqual([]);
    const none = select("c", { keys: "SELECT id FROM orders WHERE false" });
    const limited = { ...a, limits: { maxScannedBytes: 30 * mebibyte } };
    expect(
      await rows(shop, "SELECT a.id FROM a, b LEFT JOIN c ON true", { a: limited, b, c: none }),
    ).toHaveLength(1);
    const limits = jobs(shop).map(({ maximumBytesBilled }) => Number(maximumBytesBilled) / mebibyte);
    expect(limits.toSorted((one, other) => one - other)).toEqual([30, 65]);
  });

  test("the aliases of a source have what is left of its day together", async () => {
    const mebibyte = 1024 ** 2;
    const own = (id: string): FakeTable => ({
      dataset: "web",
      id,
      fields: [{ name: "id", type: "INTEGER" }],
      rows: [["1"]],
      resource: { numBytes: String(20 * mebibyte) },
    });
    await using shop = await openHybridShop({
      tables: ["a", "b", "c"].map(own),
      bigquery: { dailyBytes: 50 * mebibyte },
    });
    const select = (id: string) => bq(`SELECT \`id\` FROM \`shop-1\`.\`web\`.\`${id}\``);
    const [a, b, c] = [select("a"), select("b"), select("c")];
    expect(await failure(shop, "SELECT * FROM a, b, c", { a, b, c })).toMatchObject({
      code: "alias_limit_exceeded",
      details: { source: "bq", limit: "scanned bytes together", max: 50 * mebibyte },
    });
    expect(jobs(shop)).toEqual([]);
    expect(await rows(shop, "SELECT a.id FROM a, b", { a, b })).toHaveLength(1);
    const before = jobs(shop).length;
    // 10 MiB are left.
    expect(await failure(shop, "SELECT * FROM c", { c })).toMatchObject({
      code: "bigquery/daily_bytes_used",
      details: { alias: "c" },
    });
    expect(jobs(shop)).toHaveLength(before);
  });

  test("an alias above its limit of rows or bytes is an error, and never a shorter table", async () => {
    await using shop = await openHybridShop({ script: { pageRows: 3 } });
    const read = (limits: RegisteredQuery["limits"]) => ({
      p: bq(`SELECT \`id\` FROM ${PAGES}`, { limits: limits! }),
    });
    const count = "SELECT count(*)::INT AS n FROM p";
    expect(await rows(shop, count, read({ maxRows: 20 }))).toEqual([{ n: 20 }]);
    const error = await failure(shop, count, read({ maxRows: 19 }));
    expect(error).toMatchObject({
      code: "alias_limit_exceeded",
      message: 'the alias "p" of source bq has more rows than its limit of 19',
      details: { alias: "p", source: "bq", limit: "rows", max: 19 },
    });
    // A limit of the result does not shorten the tables that it is computed from.
    expect(await shop.agnes.rows(count, { register: read({}), limits: { maxRows: 1 } })).toEqual([{ n: 20 }]);
    expect(await failure(shop, count, read({ maxBytes: 50 }))).toMatchObject({
      code: "alias_limit_exceeded",
      details: { limit: "bytes", max: 50 },
    });
    expect(await failure(shop, "SELECT 1 FROM p LIMIT 1", read({ maxRows: 5 }))).toMatchObject({
      code: "alias_limit_exceeded",
    });
  });

  test("the default limit is 500,000 rows", async () => {
    await using shop = await openHybridShop();
    const read = (count: number) => ({ p: wh(`SELECT i AS id FROM range(${count}) t(i)`) });
    const sql = "SELECT count(*)::INT AS n FROM p";
    expect(await rows(shop, sql, read(500_000))).toEqual([{ n: 500_000 }]);
    expect(await failure(shop, sql, read(500_001))).toMatchObject({
      details: { limit: "rows", max: 500_000 },
    });
  });

  test("a timeout names the alias", async () => {
    await using shop = await openHybridShop({ script: { polls: Infinity } });
    // The first query also opens the session and the source, which takes some of the time on a busy machine.
    await shop.agnes.query("EXPLAIN SELECT * FROM p", { register: { p: bq(`SELECT \`id\` FROM ${PAGES}`) } });
    const p = bq(`SELECT \`id\` FROM ${PAGES}`, { limits: { timeoutMs: 300 } });
    expect(await failure(shop, "SELECT * FROM p", { p })).toMatchObject({
      code: "timed_out",
      message: expect.stringContaining('alias "p" of source bq'),
      details: { alias: "p", timeoutMs: 300 },
    });
    expect(shop.server.cancelled).toHaveLength(1);
  });
});

describe("failures of register", () => {
  test("one failure stops the others at once, cancels their jobs, and names its alias", async () => {
    await using shop = await withSpy(
      [],
      {
        async query() {
          while (jobs(shop).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
          throw permanent("the spy failed");
        },
      },
      { script: { polls: Infinity } },
    );
    const startedMs = performance.now();
    const error = await failure(shop, "SELECT * FROM p, q", { p: bq(`SELECT \`id\` FROM ${PAGES}`), q: SPY });
    expect(error).toMatchObject({ code: "plugin_failed", details: { alias: "q" } });
    expect(error.message).toStartWith('alias "q" of source spy: ');
    expect(error.message).toContain("the spy failed");
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(shop.server.cancelled).toHaveLength(1);
  });

  test("a failure while rows are read names its alias, and leaves the session usable", async () => {
    await using shop = await withSpy([], {
      query: async () => ({
        schema: toSchema({ id: int64() }),
        batches: (async function* () {
          yield [{ id: 1 }];
          throw permanent("page 2 is gone");
        })(),
      }),
    });
    const error = await failure(shop, "SELECT * FROM p", { p: SPY });
    expect(error.message).toStartWith('alias "p" of source spy: ');
    expect(error.message).toContain("page 2 is gone");
    expect(
      await rows(shop, "SELECT count(*)::INT AS n FROM p", { p: bq(`SELECT \`id\` FROM ${PAGES}`) }),
    ).toEqual([{ n: 20 }]);
  });

  test.each(["estimate", "query", "batches"])(
    "an abort during %s ends the query within a second",
    async (phase) => {
      const entered = Promise.withResolvers<void>();
      const never = async <T>(): Promise<T> => {
        entered.resolve();
        return new Promise<T>(() => {});
      };
      await using shop = await withSpy([], {
        estimate: phase === "estimate" ? never : async () => ({}),
        query: async () =>
          phase === "query"
            ? never()
            : {
                schema: toSchema({ id: int64() }),
                batches: (async function* () {
                  yield [{ id: 1 }];
                  await never();
                })(),
              },
      });
      const controller = new AbortController();
      const failing = failure(shop, "SELECT * FROM p", { p: SPY }, { signal: controller.signal });
      await entered.promise;
      const startedMs = performance.now();
      controller.abort();
      expect(await failing).toMatchObject({ code: "aborted" });
      expect(performance.now() - startedMs).toBeLessThan(1000);
    },
  );

  test("an abort cancels the jobs, also if the workspace is closed meanwhile", async () => {
    const shop = await openHybridShop({
      script: { polls: Infinity },
      onRequest: async (url) => {
        if (url.includes("/cancel")) await new Promise((resolve) => setTimeout(resolve, 100));
      },
    });
    const controller = new AbortController();
    const failing = failure(
      shop,
      "SELECT * FROM p",
      { p: bq(`SELECT \`id\` FROM ${PAGES}`) },
      { signal: controller.signal },
    );
    while (jobs(shop).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    const stoppedJobs = shop.server.inserted.flatMap(({ jobReference }) => jobReference.jobId ?? []);
    expect(await failing).toMatchObject({
      code: "aborted",
      hint: `Run it again. Jobs that were stopped may still be billed: ${stoppedJobs[0]}.`,
      details: { stoppedJobs },
    });
    await shop[Symbol.asyncDispose]();
    expect(shop.server.cancelled).toHaveLength(1);
  });

  test("an error of one alias names the jobs of the others, which were stopped", async () => {
    const query = async (): Promise<never> => {
      while (shop.server.requests.every(({ url }) => !url.includes("/jobs/agnes_")))
        await new Promise((resolve) => setTimeout(resolve, 5));
      throw permanent("no");
    };
    await using shop: HybridShop = await withSpy([], { query }, { script: { polls: Infinity } });
    const register = { p: bq(`SELECT \`id\` FROM ${PAGES}`), q: SPY };
    const error = await failure(shop, "SELECT * FROM p JOIN q USING (id)", register);
    expect(error.details).toMatchObject({ alias: "q", stoppedJobs: [shop.server.cancelled[0]!] });
    expect(error.hint).toEndWith(`Jobs that were stopped may still be billed: ${shop.server.cancelled[0]}.`);
  });

  test("a timeout of the whole query names the aliases that it waited for", async () => {
    await using shop = await openHybridShop({ script: { polls: Infinity } });
    const register = { p: bq(`SELECT \`id\` FROM ${PAGES}`) };
    await shop.agnes.query("EXPLAIN SELECT * FROM p", { register });
    const failing = shop.agnes.rows("SELECT * FROM p", { register, limits: { timeoutMs: 500 } });
    expect(await failing.catch((error: unknown) => error)).toMatchObject({
      code: "timed_out",
      message: expect.stringContaining("which waited for the alias p"),
    });
  });

  test("no secret of a source is in an error", async () => {
    const key = "s3cret-of-the-spy";
    await using shop = await openHybridShop({ plugins: [leaking], env: { KEY: key } });
    const error = await failure(shop, "SELECT * FROM p", {
      p: { source: "leaking", sql: `SELECT '${key}'` },
    });
    expect(error.message).toContain("failed for");
    expect(JSON.stringify([error, error.message, error.stack, String(error.cause)])).not.toContain(key);
  });
});
