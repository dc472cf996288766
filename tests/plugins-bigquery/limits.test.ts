import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { createAgnes } from "agnes";

import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery, type FakeBigQuery, type FakeScript, type FakeTable } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { ordersTable } from "./sample.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const SQL = "SELECT `id` FROM `shop-1`.`shop`.`orders`";
const MEBIBYTE = 1024 ** 2;
const TEBIBYTE = 1024 ** 4;
const { signal } = new AbortController();

/** Orders that bill a number of bytes. */
const orders = (bytes: number): FakeTable => {
  const { resource, ...table } = ordersTable(5);
  return { ...table, resource: { ...resource, numBytes: String(bytes) } };
};

const open = (bytes: number, script: Partial<FakeScript> = {}) =>
  fakeBigQuery({ tables: [orders(bytes)], script: { polls: 0, ...script } });

const limitsOf = ({ inserted }: FakeBigQuery) =>
  inserted
    .filter(({ configuration }) => configuration.dryRun !== true)
    .map(({ configuration }) => Number(configuration.query.maximumBytesBilled));

describe("bigquery: limits of bytes", () => {
  test("a materialized table has its own limit", async () => {
    await using server = open(100 * MEBIBYTE);
    const { query, connector } = await connect(server, {
      maxBytesPerQuery: 50 * MEBIBYTE,
      maxBytesPerMaterialize: 200 * MEBIBYTE,
    });
    expect(await rejection(query(SQL))).toMatchObject({ code: "bigquery/scan_too_large" });
    await connector.query!(SQL, { signal, isMaterialized: true });
    expect(limitsOf(server)).toEqual([200 * MEBIBYTE]);
  });

  test("a sync reads materialized tables within that limit", async () => {
    await using server = open(100 * MEBIBYTE);
    using folder = temporaryFolder();
    const options = {
      project: server.project,
      maxBytesPerQuery: 50 * MEBIBYTE,
      maxBytesPerMaterialize: 200 * MEBIBYTE,
    };
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      host: { fetch: server.fetch, env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount } },
      config: { version: 1, sources: { bq: { plugin: "bigquery", options } } },
    });
    const tables = await agnes.tables();
    await tables.register({ source: "bq", sourceTable: "ids", queryMode: "materialized", sourceQuery: SQL });
    await agnes.sync();
    expect(await agnes.rows("SELECT count(*)::INT AS n FROM ids")).toEqual([{ n: 5 }]);
    expect(limitsOf(server)).toEqual([200 * MEBIBYTE]);
  });

  test("an option runs queries whose bytes are unknown, within the limit of BigQuery", async () => {
    await using server = open(20 * MEBIBYTE, { hasRowPolicy: true });
    const closed = await connect(server);
    expect(await rejection(closed.query(SQL))).toMatchObject({ code: "bigquery/estimate_unknown" });
    const opened = await connect(server, { allowUnknownEstimates: true, maxBytesPerQuery: 30 * MEBIBYTE });
    expect(await opened.query(SQL)).toHaveLength(5);
    expect(limitsOf(server)).toEqual([30 * MEBIBYTE]);
    const limited = await connect(server, { allowUnknownEstimates: true, maxBytesPerQuery: 15 * MEBIBYTE });
    expect(await rejection(limited.query(SQL))).toMatchObject({ code: "bigquery/scan_too_large" });
  });

  test("the price is that of the estimated bytes, if a rate is configured", async () => {
    await using server = open(TEBIBYTE / 4);
    const price = { perTebibyte: 6.25, currency: "EUR" };
    const { connector } = await connect(server, { price });
    expect(await connector.estimate!(SQL, { signal })).toMatchObject({
      scannedBytes: TEBIBYTE / 4,
      price: { amount: 1.5625, currency: "EUR" },
    });
    const { connector: other } = await connect(server);
    const unpriced = await other.estimate!(SQL, { signal });
    expect(unpriced.scannedBytes).toBe(TEBIBYTE / 4);
    expect(unpriced.price).toBeUndefined();
  });
});

describe("bigquery: repeated jobs", () => {
  const failure = { reason: "backendError", message: "Error encountered during execution. Retrying." };

  test("bill at most the limit together", async () => {
    await using server = open(20 * MEBIBYTE, { jobErrors: [failure, failure, failure] });
    const { query } = await connect(server, { maxBytesPerQuery: 50 * MEBIBYTE });
    expect(await rejection(query(SQL))).toMatchObject({ code: "bigquery/unavailable" });
    expect(limitsOf(server)).toEqual([50 * MEBIBYTE, 30 * MEBIBYTE]);
  });

  test("are run if the failed ones leave enough bytes", async () => {
    await using server = open(20 * MEBIBYTE, { jobErrors: [failure] });
    const { query } = await connect(server, { maxBytesPerQuery: 40 * MEBIBYTE });
    expect(await query(SQL)).toHaveLength(5);
    expect(limitsOf(server)).toEqual([40 * MEBIBYTE, 20 * MEBIBYTE]);
  });
});

describe("bigquery: bytes per day", () => {
  /** The fake's jobs begin now; those of yesterday do not count. */
  const dailyBytes = 50 * MEBIBYTE;

  test("counts what BigQuery billed, over all pages, for other processes too", async () => {
    await using server = open(20 * MEBIBYTE, { listRows: 1 });
    for (const connection of [await connect(server, { dailyBytes }), await connect(server, { dailyBytes })])
      await connection.query(SQL);
    const { query } = await connect(server, { dailyBytes });
    expect(await rejection(query(SQL))).toMatchObject({
      code: "bigquery/daily_bytes_used",
      details: { dailyBytes, usedBytes: 40 * MEBIBYTE, neededBytes: 20 * MEBIBYTE },
    });
    expect(limitsOf(server)).toEqual([50 * MEBIBYTE, 30 * MEBIBYTE]);
  });

  test("each user has a count of its own, and the jobs without a user have one together", async () => {
    await using server = open(20 * MEBIBYTE);
    const first = await connect(server, { dailyBytes, labels: { agnes_user: "ben" } });
    const second = await connect(server, { dailyBytes });
    const users = [{ user: "ann" }, { user: "ben" }, { user: "Ben" }, {}];
    for (const options of users) {
      await first.query(SQL, options);
      expect(await second.query(SQL, options)).toHaveLength(5);
      for (const { query } of [first, second])
        expect(await rejection(query(SQL, options))).toMatchObject({
          code: "bigquery/daily_bytes_used",
          details: { usedBytes: 40 * MEBIBYTE },
        });
    }
    expect(limitsOf(server)).toEqual(users.flatMap(() => [50 * MEBIBYTE, 30 * MEBIBYTE]));
  });

  test("a read counts for its user", async () => {
    await using server = open(20 * MEBIBYTE);
    const { read } = await connect(server, { dailyBytes: 30 * MEBIBYTE });
    for (const user of ["ann", "ben"]) {
      expect(await read("shop.orders", { user })).toHaveLength(5);
      expect(await rejection(read("shop.orders", { user }))).toMatchObject({
        code: "bigquery/daily_bytes_used",
      });
    }
    expect(await read("shop.orders")).toHaveLength(5);
  });

  test("a read of tables by date counts for its user", async () => {
    const shard = { ...orders(1000), id: "orders_20260101" };
    await using server = fakeBigQuery({ tables: [shard], script: { polls: 0 } });
    const { read } = await connect(server);
    expect(await read("shop.orders_YYYYMMDD", { user: "ann" })).toHaveLength(5);
    expect(server.inserted.at(-1)!.configuration.labels).toMatchObject({ agnes_user: "ann" });
  });

  test("jobs of the day before and those of other programs do not count", async () => {
    await using server = open(20 * MEBIBYTE);
    const { query, connector } = await connect(server, { dailyBytes: 30 * MEBIBYTE });
    server.script.nowMs = Date.now() - 24 * 60 * 60_000;
    await query(SQL);
    delete server.script.nowMs;
    await query(SQL);
    expect(await rejection(query(SQL))).toMatchObject({ code: "bigquery/daily_bytes_used" });
    for (const { configuration } of server.inserted)
      Object.assign(configuration, { labels: { workload_type: "other" } });
    await connector.query!(SQL, { signal });
  });

  test("queries at the same time do not use the same bytes", async () => {
    await using server = open(20 * MEBIBYTE, { polls: 2 });
    const { query } = await connect(server, { dailyBytes });
    const other = await connect(server, { dailyBytes });
    const outcomes = await Promise.allSettled([query(SQL), other.query(SQL), query(SQL)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "fulfilled", "rejected"]);
    const users = ["ann", "ann", "ann", "ben"];
    const byUser = await Promise.allSettled(users.map((user) => query(SQL, { user })));
    expect(byUser.filter(({ status }) => status === "rejected")).toHaveLength(1);
    expect(byUser[3]!.status).toBe("fulfilled");
  });

  test("a job that ends while the list of jobs is on its way counts", async () => {
    await using server = open(30 * MEBIBYTE, { polls: 1 });
    const [isListed, isEnded] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let lists = 0;
    const fetch = async (url: string, init: RequestInit) => {
      // The job runs until the list is made.
      if (url.includes("/jobs/agnes_")) await isListed.promise;
      const response = await server.fetch(url, init);
      if (!url.includes("/jobs?minCreationTime=") || ++lists === 1) return response;
      isListed.resolve();
      await isEnded.promise;
      return response;
    };
    const slow = Object.defineProperties(
      {},
      { ...Object.getOwnPropertyDescriptors(server), fetch: { value: fetch } },
    );
    const { query } = await connect(slow as FakeBigQuery, { dailyBytes });
    const first = query(SQL);
    while (limitsOf(server).length === 0) await Bun.sleep(1);
    const second = rejection(query(SQL));
    await first;
    isEnded.resolve();
    expect(await second).toMatchObject({
      code: "bigquery/daily_bytes_used",
      details: { usedBytes: 30 * MEBIBYTE },
    });
  });

  test("the estimate has what is left as its limit, and is a problem above it", async () => {
    await using server = open(20 * MEBIBYTE);
    const { query, connector } = await connect(server, { dailyBytes });
    const estimate = (user?: string) =>
      connector.estimate!(SQL, { signal, ...(user === undefined ? {} : { user }) });
    const left: (number | undefined)[] = [];
    for (let count = 0; count < 2; count += 1) {
      left.push((await estimate()).maxScannedBytes);
      // An estimate reserves nothing.
      left.push((await estimate()).maxScannedBytes);
      await query(SQL);
    }
    expect(left).toEqual([50, 50, 30, 30].map((size) => size * MEBIBYTE));
    expect((await estimate()).problem).toMatchObject({
      code: "bigquery/daily_bytes_used",
      details: { dailyBytes, usedBytes: 40 * MEBIBYTE, neededBytes: 20 * MEBIBYTE },
    });
    expect(await estimate("ann")).toMatchObject({ maxScannedBytes: 50 * MEBIBYTE });
    const limited = await connect(server, { dailyBytes, maxBytesPerQuery: 25 * MEBIBYTE });
    expect(await limited.connector.estimate!(SQL, { signal, user: "ann" })).toMatchObject({
      maxScannedBytes: 25 * MEBIBYTE,
    });
  });

  test("an unreachable location is an error, because its jobs are unknown", async () => {
    await using server = open(1000, { unreachable: ["europe-west5"] });
    const { query } = await connect(server, { dailyBytes });
    expect(await rejection(query(SQL))).toMatchObject({ code: "bigquery/locations_unreachable" });
    expect(limitsOf(server)).toEqual([]);
  });
});

describe("bigquery: limits of the result", () => {
  test("more rows than the limit are an error before any is returned", async () => {
    await using server = open(1000);
    const { query, connector } = await connect(server);
    expect(await query(SQL, { limits: { maxRows: 5 } })).toHaveLength(5);
    const options = { limits: { maxRows: 4 }, signal };
    expect(await rejection(connector.query!(SQL, options))).toMatchObject({
      code: "bigquery/result_too_large",
      details: { unit: "rows", limit: 4 },
    });
  });

  test("more bytes than the limit are an error, and never a shorter result", async () => {
    await using server = open(1000);
    const { query } = await connect(server);
    // Five lines of {"id":"0"}.
    expect(await query(SQL, { limits: { maxBytes: 55 } })).toHaveLength(5);
    expect(await rejection(query(SQL, { limits: { maxBytes: 54 } }))).toMatchObject({
      code: "bigquery/result_too_large",
      details: { unit: "bytes", limit: 54 },
    });
  });
});
