import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { SourceJob } from "agnes/kit";
import * as v from "valibot";

import { jobReport } from "../../plugins/bigquery/job-report.ts";
import { jobSchema } from "../../plugins/bigquery/schemas.ts";
import { fakeBigQuery, type FakeBigQuery, type FakeScript } from "../fakes/bigquery/mod.ts";
import { ordersTable } from "./sample.ts";
import { connectBoth, large } from "./storage-support.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const SQL = "SELECT `id` FROM `shop-1`.`shop`.`orders`";
const MINIMUM_BYTES = 10 * 1024 ** 2;
const price = { perTebibyte: 1024 ** 2, currency: "USD" };

const open = (script: Partial<FakeScript> = {}) => fakeBigQuery({ tables: [ordersTable(30)], script });

/** Collects all reports of jobs. */
function reports() {
  const all: SourceJob[] = [];
  return { all, onJob: (job: SourceJob) => void all.push(job) };
}

describe("bigquery: reports of jobs", () => {
  test("a query reports its job when it starts, and its figures when it has ended", async () => {
    await using server = open();
    const { query } = await connect(server, { price });
    const { all, onJob } = reports();
    await query(SQL, { onJob });
    const id = server.inserted[1]!.jobReference.jobId!;
    expect(all).toEqual([
      { id, status: "running" },
      {
        id,
        status: "done",
        processedBytes: 240,
        billedBytes: MINIMUM_BYTES,
        isCached: false,
        slotMs: 12,
        price: { amount: 10, currency: "USD" },
      },
    ]);
  });

  test("a result from the cache is billed with 0 bytes, and without a rate its price is unknown", async () => {
    await using server = open({ hasCache: true });
    const { query } = await connect(server);
    await query(SQL);
    const { all, onJob } = reports();
    await query(SQL, { onJob });
    expect(all.at(-1)).toMatchObject({ status: "done", processedBytes: 0, billedBytes: 0, isCached: true });
    expect(all.at(-1)).not.toHaveProperty("price");
  });

  test("bytes that a row access policy hides are unknown, not 0", async () => {
    await using server = open({ hasRowPolicy: true });
    const { query } = await connect(server, { price, allowUnknownEstimates: true });
    const { all, onJob } = reports();
    await query(SQL, { onJob });
    expect(Object.keys(all.at(-1)!).sort()).toEqual(["id", "isCached", "slotMs", "status"]);
  });

  test("bytes of a row access policy are unknown, also if BigQuery reports 0", () => {
    const statistics = { totalSlotMs: 5, query: { totalBytesProcessed: 0, totalBytesBilled: 0 } };
    const hidden = { ...statistics, rowLevelSecurityStatistics: { rowLevelSecurityApplied: true } };
    const reported = (own: object) => jobReport("a", v.parse(jobSchema, { statistics: own }), { price });
    expect(reported(hidden)).toEqual({ id: "a", status: "done", slotMs: 5 });
    expect(reported(statistics)).toMatchObject({ processedBytes: 0, billedBytes: 0, price: { amount: 0 } });
  });

  test("a job that failed in the service and the one that repeats it are both reported", async () => {
    await using server = open({ jobErrors: [{ reason: "backendError", message: "Retry" }] });
    const { query } = await connect(server);
    const { all, onJob } = reports();
    await query(SQL, { onJob });
    expect(all.map(({ status, billedBytes }) => [status, billedBytes])).toEqual([
      ["running", undefined],
      ["failed", MINIMUM_BYTES],
      ["running", undefined],
      ["done", MINIMUM_BYTES],
    ]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(2);
  });

  test("a job whose start is rejected has failed", async () => {
    await using server = open();
    const fetch = (url: string, init: RequestInit) => {
      if (url.endsWith("/jobs") && !(init.body as string).includes('"dryRun":true'))
        return Response.json({ error: { code: 403, message: "no", errors: [] } }, { status: 403 });
      return server.fetch(url, init);
    };
    const own = Object.defineProperties(
      {},
      { ...Object.getOwnPropertyDescriptors(server), fetch: { value: fetch } },
    );
    const { query } = await connect(own as FakeBigQuery);
    const { all, onJob } = reports();
    expect(await rejection(query(SQL, { onJob }))).toMatchObject({ code: "bigquery/access_denied" });
    expect(all.map(({ status }) => status)).toEqual(["running", "failed"]);
  });

  test("a job that is stopped is cancelled", async () => {
    await using server = open({ polls: Infinity });
    const { query } = await connect(server);
    const controller = new AbortController();
    const { all, onJob } = reports();
    const running = query(SQL, { signal: controller.signal, onJob });
    while (!server.requests.some(({ url }) => url.includes("/jobs/agnes_")))
      await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    expect(await rejection(running)).toMatchObject({ code: "aborted" });
    expect(all.map(({ status }) => status)).toEqual(["running", "cancelled"]);
    expect(all.map(({ id }) => id)).toEqual([server.cancelled[0]!, server.cancelled[0]!]);
  });

  test("a read reports its job, and that which lists the partitions", async () => {
    const day = "2026-01-02";
    const orders = {
      dataset: "shop",
      id: "events",
      fields: [{ name: "day", type: "DATE" }],
      rows: [[day]],
      partitions: [{ id: "20260102", modified: "1767225600000000" }],
      resource: { timePartitioning: { type: "DAY", field: "day" }, lastModifiedTime: "1767225600000" },
    };
    await using server = fakeBigQuery({ tables: [orders] });
    const { connector, tables } = await connect(server);
    const info = (await tables()).get("shop.events")!;
    const { signal } = new AbortController();
    const { all, onJob } = reports();
    for await (const _ of connector.read!(info, { batchRows: 9, byOrigin: true, signal, onJob }));
    expect(all.map(({ status }) => status)).toEqual(["running", "done", "running", "done"]);
    for (const { billedBytes = MINIMUM_BYTES } of all) expect(billedBytes).toBe(MINIMUM_BYTES);
  });

  test("a read session is reported with the bytes received; what it bills is unknown", async () => {
    await using both = await connectBoth([large(ordersTable(30))], {}, { price });
    const { all, onJob } = reports();
    await both.read("shop.orders", { onJob });
    const id = expect.stringContaining("/sessions/") as string;
    expect(all).toEqual([
      { id, status: "running" },
      { id, status: "done", processedBytes: expect.any(Number) as number },
    ]);
    expect(all[1]!.processedBytes).toBeGreaterThan(100);
  });

  test("a read session that is stopped after a limit is cancelled", async () => {
    await using both = await connectBoth([large(ordersTable(30))], { batchRows: 5 });
    const { all, onJob } = reports();
    await both.read("shop.orders", { limit: 3, onJob });
    expect(all.map(({ status }) => status)).toEqual(["running", "cancelled"]);
  });
});
