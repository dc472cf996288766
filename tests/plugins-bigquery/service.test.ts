import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { fakeBigQuery, type FakeBigQuery, type FakeScript, type FakeTable } from "../fakes/bigquery/mod.ts";
import { ordersTable } from "./sample.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const SQL = "SELECT `id` FROM `shop-1`.`shop`.`orders`";
const MEBIBYTE = 1024 ** 2;
const { signal } = new AbortController();

const open = (script: Partial<FakeScript> = {}, table: Partial<FakeTable> = {}) => {
  const { resource, ...orders } = ordersTable(10);
  const sized = { ...orders, resource: { ...resource, numBytes: String(20 * MEBIBYTE) } };
  return fakeBigQuery({ tables: [{ ...sized, ...table }], script: { polls: 0, ...script } });
};

const runs = ({ inserted }: FakeBigQuery) =>
  inserted.filter(({ configuration }) => configuration.dryRun !== true);

describe("bigquery: results from the cache", () => {
  test("bill nothing, also of the bytes per day", async () => {
    await using server = open({ hasCache: true });
    const { query, log, connector } = await connect(server, { dailyBytes: 30 * MEBIBYTE });
    for (let at = 0; at < 3; at += 1) expect(await query(SQL)).toHaveLength(10);
    const done = log.entries.filter(({ message }) => message.endsWith("is done"));
    expect(done.map(({ fields }) => [fields!["cacheHit"], fields!["bytesBilled"]])).toEqual([
      [false, 20 * MEBIBYTE],
      [true, 0],
      [true, 0],
    ]);
    expect(await connector.estimate!(SQL, { signal })).toMatchObject({ scannedBytes: 0 });
    expect(await rejection(query(`${SQL} `))).toMatchObject({ code: "bigquery/daily_bytes_used" });
  });

  test("have the same text and parameters at each read of an unchanged table", async () => {
    await using server = open({ hasCache: true });
    const { read, log } = await connect(server);
    const cursor = { column: "changed_at", value: "2026-01-01 00:00:05.000005+00", inclusive: true };
    const rows = await read("shop.orders", { cursor });
    expect(await read("shop.orders", { cursor })).toEqual(rows);
    const done = log.entries.filter(({ message }) => message.endsWith("is done"));
    expect(done.map(({ fields }) => fields!["cacheHit"])).toEqual([false, true]);
  });
});

describe("bigquery: row access policies", () => {
  const policy = { rowPolicy: '"id" < 3' };

  test("the hidden bytes are unknown, so nothing is run", async () => {
    await using server = open({}, policy);
    const { query, read } = await connect(server);
    for (const work of [query(SQL), read("shop.orders")])
      expect(await rejection(work)).toMatchObject({ code: "bigquery/estimate_unknown" });
    expect(runs(server)).toEqual([]);
  });

  test.each([
    ['"id" < 3', 3],
    ["false", 0],
  ])("the rows that match %s are read if the options allow it", async (rowPolicy, count) => {
    await using server = open({}, { rowPolicy });
    const { query, read } = await connect(server, { allowUnknownEstimates: true });
    expect(await query(SQL)).toHaveLength(count);
    expect(await read("shop.orders")).toHaveLength(count);
  });

  test("a job whose bytes are hidden counts with its limit", async () => {
    await using server = open({}, policy);
    const options = {
      allowUnknownEstimates: true,
      maxBytesPerQuery: 50 * MEBIBYTE,
      dailyBytes: 90 * MEBIBYTE,
    };
    const { query } = await connect(server, options);
    await query(SQL);
    await query(SQL);
    expect(runs(server).map(({ configuration }) => configuration.query.maximumBytesBilled)).toEqual(
      [50, 40].map((size) => String(size * MEBIBYTE)),
    );
    expect(await rejection(query(SQL))).toMatchObject({
      code: "bigquery/daily_bytes_used",
      details: { usedBytes: 90 * MEBIBYTE },
    });
  });
});

describe("bigquery: pages", () => {
  test("end at 10 MB, and one larger row is a page of its own", async () => {
    const sizes = [4, 4, 4, 12, 1].map((size) => size * 1_000_000);
    const fields = [{ name: "note", type: "STRING" }];
    const rows = sizes.map((size, at) => [String(at).repeat(size)]);
    await using server = fakeBigQuery({ tables: [{ dataset: "shop", id: "notes", fields, rows }] });
    const { read } = await connect(server);
    const found = await read("shop.notes");
    expect(found.map(({ note }) => (note as string).length)).toEqual(sizes);
    const pages = server.requests.filter(
      ({ url }) => url.includes("/queries/") && !url.includes("maxResults=0"),
    );
    expect(pages).toHaveLength(4);
  });
});

describe("bigquery: jobs that end otherwise", () => {
  test("a job that failed after it ran is billed, and so is its repetition", async () => {
    const jobErrors = [{ reason: "backendError", message: "Error encountered during execution. Retrying." }];
    await using server = open({ polls: 3, jobErrors });
    const { query } = await connect(server, { dailyBytes: 50 * MEBIBYTE });
    expect(await query(SQL)).toHaveLength(10);
    const ids = runs(server).map(({ jobReference }) => jobReference.jobId);
    expect(new Set(ids).size).toBe(2);
    expect(await rejection(query(SQL))).toMatchObject({
      code: "bigquery/daily_bytes_used",
      details: { usedBytes: 40 * MEBIBYTE },
    });
  });

  test("a job that BigQuery starts after the caller stopped is cancelled", async () => {
    await using server = open({ polls: 100 });
    const controller = new AbortController();
    const fetch = async (url: string, init: RequestInit) => {
      const isStart = url.endsWith("/jobs") && !(init.body as string).includes('"dryRun":true');
      if (!isStart) return server.fetch(url, init);
      const started = Bun.sleep(100).then(() => server.fetch(url, { ...init, signal: null }));
      const cut = new Promise<never>((_, reject) => {
        init.signal?.addEventListener("abort", () => reject(init.signal!.reason as Error));
      });
      controller.abort(new Error("stopped"));
      return Promise.race([started, cut]);
    };
    const slow = Object.defineProperties(
      {},
      { ...Object.getOwnPropertyDescriptors(server), fetch: { value: fetch } },
    );
    const { query } = await connect(slow as FakeBigQuery);
    await rejection(query(SQL, { signal: controller.signal }));
    await Bun.sleep(150);
    expect(server.cancelled).toEqual(runs(server).map(({ jobReference }) => jobReference.jobId!));
    expect(server.cancelled).toHaveLength(1);
  });

  test("a job that someone cancels in BigQuery is an error and is not run again", async () => {
    await using server = open({ polls: 5 });
    let polls = 0;
    const fetch = async (url: string, init: RequestInit) => {
      const job = /^(.*\/jobs\/agnes_[^/?]+)(\?.*)$/.exec(url);
      if (job !== null && ++polls === 3)
        await server.fetch(`${job[1]}/cancel${job[2]}`, { ...init, method: "POST" });
      return server.fetch(url, init);
    };
    const own = Object.defineProperties(
      {},
      { ...Object.getOwnPropertyDescriptors(server), fetch: { value: fetch } },
    ) as FakeBigQuery;
    const { query } = await connect(own);
    const error = await rejection(query(SQL));
    expect(error).toMatchObject({ code: "bigquery/job_failed" });
    expect(error.message).toContain("User requested cancellation");
    expect(runs(server)).toHaveLength(1);
  });
});

describe("bigquery: tokens that expire", () => {
  test("are renewed while a job runs and between pages, without a second job", async () => {
    await using server = open({ polls: 6, pageRows: 2, tokenUses: 4 });
    const { query } = await connect(server);
    const ids = (await query(SQL)).map(({ id }) => Number(id));
    expect(ids).toEqual(Array.from({ length: 10 }, (_, id) => id));
    expect(server.signIn.issued).toBeGreaterThan(2);
    expect(new Set(runs(server).map(({ jobReference }) => jobReference.jobId)).size).toBe(1);
  });
});
