import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { connectorContract } from "agnes/testing";

import { createLog, Secret, silentLog, type Host, type LogEntry } from "../../lib/base/mod.ts";
import type { ExtractProgress } from "../../lib/extract/mod.ts";
import { createHttp, type AnyConnector } from "../../lib/kit/mod.ts";
import { fakeHost } from "../../lib/testing/mod.ts";
import { openBench, planOf, type Bench } from "../extract/harness.ts";
import { fakeWarehouse, WAREHOUSE_TOKEN, warehouseOrders, type FakeWarehouse } from "../fakes/warehouse.ts";
import warehouse from "./plugins/warehouse.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

describe("warehouse: contract", () => {
  const config = { secrets: { WAREHOUSE_TOKEN }, server: fakeWarehouse() };
  for (const { name, run } of connectorContract(warehouse, config)) {
    // The fault cases are slow; tests/full runs them.
    if (!name.startsWith("an extract survives ")) test(name, run);
  }
});

/** The connector of the guide with a fake clock and the log of its HTTP client. */
async function connected(server: FakeWarehouse, overrides: Partial<Host> = {}) {
  const host = fakeHost({ fetch: server.fetch, ...overrides });
  const log: LogEntry[] = [];
  const context = {
    options: { url: "https://warehouse.example.com" },
    secrets: { WAREHOUSE_TOKEN: new Secret("WAREHOUSE_TOKEN", WAREHOUSE_TOKEN) },
    http: createHttp({ host, log: createLog((entry) => log.push(entry)) }),
    log: silentLog,
  };
  const connector = (await warehouse.connect(context as never)) as AnyConnector;
  const [info] = (await connector.discover!({ signal: new AbortController().signal })) as never[];
  return { connector, info: info!, log, sleeps: host.sleeps };
}

const published = (bench: Bench) =>
  bench.rows("SELECT count(*)::INT AS n, sum(amount)::VARCHAR AS total FROM orders");

describe("warehouse: extract", () => {
  const cents = warehouseOrders().reduce((sum, { amount }) => sum + Math.round(Number(amount) * 100), 0);
  const expected = [{ n: 100, total: (cents / 100).toFixed(2) }];

  test("the extract is complete after 429, expired links, a dropped connection and a rewritten slice", async () => {
    await using bench = await openBench();
    const server = fakeWarehouse(warehouseOrders(), {
      polls: [
        { status: "waiting" },
        () => new Response(null, { status: 429, headers: { "retry-after": "90" } }),
        { status: "running" },
      ],
      // A retry needs a new link.
      maxUses: 1,
      slice(n, name, slices) {
        if (n === 1) return { kind: "status", status: 429, retryAfter: "12" };
        if (n === 2) return { kind: "cut body", bytes: 500 };
        if (n === 5) slices.write(name);
        return undefined;
      },
    });
    const { connector, info, sleeps, log } = await connected(server);
    const seen: ExtractProgress[] = [];
    const onProgress = (progress: ExtractProgress) => void seen.push(progress);
    const stats = await bench.run([planOf(info)], connector, { onProgress });
    expect(stats.errors).toEqual([]);
    expect(await published(bench)).toEqual(expected);
    const exporting = seen.find(({ sourcePhase }) => sourcePhase === "exporting")!;
    expect(exporting).not.toHaveProperty("totalRows");
    // The job reports its rows once it is done, and the list of slices reports their bytes.
    const downloading = seen.find(({ sourcePhase }) => sourcePhase === "downloading 1 of 3")!;
    expect(downloading.totalRows).toBe(100);
    expect(seen.at(-1)!.bytesRead).toBe(downloading.totalBytes!);
    expect(
      sleeps.filter((ms) => ms >= 90_000 || (ms >= 12_000 && ms < 13_000)).length,
    ).toBeGreaterThanOrEqual(2);
    expect(server.slices.requests.map(({ status }) => status)).toContain(403);
    expect(JSON.stringify(log)).not.toContain("signature=");
    // The publish removes the downloads.
    expect(await readdir(join(bench.directory, "reads"))).toEqual([]);
  });

  test("a run that fails in the third slice keeps the others, and the next run downloads only the rest", async () => {
    await using bench = await openBench();
    let isLost = true;
    const server = fakeWarehouse(warehouseOrders(), {
      slice: (_n, name) => (isLost && name.endsWith("2.csv") ? { kind: "cut body", bytes: 300 } : undefined),
    });
    const first = await connected(server);
    const failed = await bench.run([planOf(first.info)], first.connector);
    expect(failed.errors).toHaveLength(1);
    expect(await readdir(join(bench.directory, "reads", "orders"))).toHaveLength(6);

    isLost = false;
    const before = server.slices.requests.length;
    const second = await connected(server);
    expect((await bench.run([planOf(second.info)], second.connector)).errors).toEqual([]);
    expect(await published(bench)).toEqual(expected);
    const fetched = server.slices.requests.slice(before);
    expect(fetched.map(({ name }) => name.split("/")[1])).toEqual(["2.csv"]);
    expect(fetched[0]!.range).toMatch(/^bytes=[1-9]/);
  });

  test("a storage without ranges is read from the start after a dropped connection", async () => {
    await using bench = await openBench();
    const server = fakeWarehouse(warehouseOrders(), {
      ranges: false,
      slice: (n) => (n === 1 ? { kind: "cut body", bytes: 500 } : undefined),
    });
    const { connector, info } = await connected(server);
    expect((await bench.run([planOf(info)], connector)).errors).toEqual([]);
    expect(await published(bench)).toEqual(expected);
  });

  test("a failed job is the error of the table, and a stopped read cancels its job", async () => {
    await using bench = await openBench();
    const failing = await connected(fakeWarehouse([], { failure: "no warehouse is running" }));
    const { errors } = await bench.run([planOf(failing.info)], failing.connector);
    expect(errors[0]!.error.message).toContain("the export of orders failed: no warehouse is running");

    const server = fakeWarehouse([], {
      polls: Array.from({ length: 100 }, () => ({ status: "running" })),
    });
    const { connector, info } = await connected(server);
    const stop = new AbortController();
    const read = connector.read!(info, { batchRows: 1, signal: stop.signal, onProgress: () => stop.abort() });
    const outcome = await (async () => {
      for await (const _ of read);
    })().catch((error: unknown) => error);
    expect(outcome).toMatchObject({ code: "aborted" });
    expect(server.job.cancelled).toEqual([1]);
  });
});
