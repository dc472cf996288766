import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, rmSync } from "node:fs";
import { join } from "node:path";

import * as arrow from "apache-arrow";

import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { attachGateOf } from "../../lib/analytics/remote/attach-with-timeout.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import type { LiveResolver } from "../../lib/sources/mod.ts";
import { temporaryData, writeExtract } from "../analytics/extract-files.ts";
import { rowsOf, testServices } from "./published.ts";

/**
 * A remote table in a DuckDB file that `block` replaces by a named pipe: opening it waits for a writer, like a connection
 * to an unresponsive host, and cannot be interrupted.
 */
async function withBlocked() {
  const folder = await temporaryData();
  const { data } = folder;
  const url = join(data, "outside.duckdb");
  {
    await using database = await openDatabase({ path: url });
    await using connection = await database.connect();
    await connection.run("CREATE TABLE visits AS SELECT range AS id FROM range(5)");
  }
  const declared = { alias: "shop", extension: "duckdb", url, tokenEnv: "" };
  await writeExtract(data, "shop", {
    remote: declared,
    before: `ATTACH '${url}' AS shop (READ_ONLY)`,
    tables: [{ name: "visits", object: "VIEW visits AS SELECT * FROM shop.main.visits", mode: "remote" }],
  });
  await writeExtract(data, "crm", { tables: [{ name: "people", rows: "SELECT 1 AS id" }] });
  const request = { dataDirectory: data, owners: null, declaredRemote: async () => declared };
  const block = () => {
    rmSync(url);
    execFileSync("mkfifo", [url]);
  };
  return {
    data,
    block,
    request,
    rebuild: () => rebuildAnalytics(testServices(), request),
    async [Symbol.asyncDispose]() {
      // Readers that wait for a writer get one, and then the end of the file.
      closeSync(openSync(url, constants.O_RDWR));
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("a query ends at its deadline while DuckDB attaches, and its error contains the table", async () => {
  await using place = await withBlocked();
  await place.rebuild();
  place.block();
  await using session = openQuerySession(testServices(), { dataDirectory: place.data });
  const failure = await session
    .runQuery({ sql: "SELECT * FROM people, visits", limits: { timeoutMs: 200 } })
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: "timed_out",
    message: "the query, which waited for the remote table shop.visits, did not finish within 200 ms",
  });
  expect(await rowsOf(session, "FROM people")).toEqual([{ id: 1 }]);
});

test("other tables can be queried while DuckDB attaches", async () => {
  await using place = await withBlocked();
  await place.rebuild();
  place.block();
  await using session = openQuerySession(testServices(), { dataDirectory: place.data });
  const stop = new AbortController();
  let ended = false;
  const waiting = session
    .runQuery({ sql: "FROM visits", signal: stop.signal })
    .catch((error: unknown) => error)
    .finally(() => (ended = true));
  expect(await rowsOf(session, "FROM people")).toEqual([{ id: 1 }]);
  expect((await session.catalog()).map(({ id }) => id)).toEqual(["crm.people", "shop.visits"]);
  // Nothing shows from outside that DuckDB waits for the pipe.
  await Bun.sleep(1000);
  expect(ended).toBe(false);
  stop.abort();
  expect(await waiting).toMatchObject({ code: "aborted", message: expect.stringContaining("shop.visits") });
});

test("other tables can be queried while the connector of a live table connects", async () => {
  await using place = await withBlocked();
  await rebuildAnalytics(testServices(), { ...place.request, declaredRemote: async () => null });
  const connecting = Promise.withResolvers<void>();
  const live: LiveResolver = () => {
    connecting.resolve();
    return new Promise(() => {});
  };
  await using session = openQuerySession(testServices(), { dataDirectory: place.data, live });
  const stop = new AbortController();
  const waiting = session
    .runQuery({ sql: "FROM visits", signal: stop.signal })
    .catch((error: unknown) => error);
  expect(await rowsOf(session, "FROM people")).toEqual([{ id: 1 }]);
  await connecting.promise;
  stop.abort();
  expect(await waiting).toMatchObject({ code: "aborted", message: expect.stringContaining("shop.visits") });
});

test("a rebuild waits a limited time for a database, reports its tables, and publishes the others", async () => {
  await using place = await withBlocked();
  place.block();
  const report = await rebuildAnalytics(testServices(), { ...place.request, attachTimeoutMs: 200 });
  expect(report.remotes).toEqual([
    {
      id: "shop.visits",
      accessMode: "live",
      reason: "attaching the database of source shop did not finish within 200 ms",
    },
  ]);
  await using session = openQuerySession(testServices(), { dataDirectory: place.data });
  expect(await rowsOf(session, "FROM people")).toEqual([{ id: 1 }]);
});

test("a rebuild stops at its signal while DuckDB attaches", async () => {
  await using place = await withBlocked();
  place.block();
  const stop = new AbortController();
  const declaredRemote = async () => {
    setTimeout(() => stop.abort(), 100);
    return place.request.declaredRemote();
  };
  const failure = await rebuildAnalytics(testServices(), {
    ...place.request,
    declaredRemote,
    signal: stop.signal,
  }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "aborted" });
});

test("attachGateOf() enforces its capacity, and no one waits for a stuck attach", async () => {
  const gate = attachGateOf(1, 0);
  const enter = async (name: string, signal?: AbortSignal) => {
    const place = gate.place(name);
    await place.acquire(signal);
    return place;
  };
  const first = await enter("a");
  const order: string[] = [];
  const second = enter("b").then((place) => {
    order.push("b");
    return place;
  });
  order.push("released");
  first.release();
  (await second).release();
  expect(order).toEqual(["released", "b"]);
  const stuck = new AbortController();
  const third = await enter("c", stuck.signal);
  const fourth = enter("d").catch((error: unknown) => error);
  stuck.abort();
  expect(String(await fourth)).toContain("does not respond");
  expect(String(await enter("e").catch((error: unknown) => error))).toContain("does not respond");
  third.release();
  await enter("f");
  const stop = new AbortController();
  const fifth = enter("g", stop.signal).catch((error: unknown) => error);
  stop.abort();
  expect(await fifth).toMatchObject({ code: "aborted" });
});

test("a table is read live if attaching times out, and its instance is abandoned while DuckDB still attaches", async () => {
  await using place = await withBlocked();
  await place.rebuild();
  place.block();
  const live: LiveResolver = async () => ({
    schema: new arrow.Schema([new arrow.Field("id", new arrow.Int64())]),
    narrow: (request) => request,
    async *open() {
      yield arrow.tableFromArrays({ id: new BigInt64Array([7n]) }).batches[0]!;
    },
  });
  const options = { dataDirectory: place.data, live, attachTimeoutMs: 200 };
  await using session = openQuerySession(testServices(), options);
  const result = await session.runQuery({ sql: "SELECT id FROM visits" });
  await rebuildAnalytics(testServices(), { ...place.request, declaredRemote: async () => null, full: true });
  // The query still uses the instance that the next one replaces.
  expect(await rowsOf(session, "FROM people")).toEqual([{ id: 1 }]);
  for await (const batch of result.batches) expect(batch.get(0)!["id"]).toBe(7n);
  expect(result.receipt().remotes).toMatchObject([{ id: "shop.visits", accessMode: "live" }]);
});
