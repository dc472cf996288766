import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { QueryLimits } from "../../lib/kit/mod.ts";
import { AgnesError } from "../../lib/base/mod.ts";
import { analyticsPath } from "../../lib/analytics/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { temporaryData, writeExtract } from "../analytics/extract-files.ts";
import { published, rowsOf, testServices } from "./published.ts";

type Published = Awaited<ReturnType<typeof published>>;
let shared: Published;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = shared.session;
});
afterAll(() => shared[Symbol.asyncDispose]());

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "";
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return error.code;
  }
}

describe("runQuery()", () => {
  test("supports view names, qualified names and tables in extracts of other programs", async () => {
    expect(
      await rowsOf(
        session,
        `SELECT c.name, count(*) AS n, max(i.answer) AS answer FROM orders o JOIN crm.customers c ON c.id = o.customer
         CROSS JOIN inside i WHERE c.id = 3 GROUP BY ALL`,
      ),
    ).toEqual([{ name: "c3", n: 1429n, answer: 42 }]);
  });

  test("opens nothing for SQL that reads no table", async () => {
    await using empty = await temporaryData();
    await using alone = openQuerySession(testServices(), { dataDirectory: join(empty.data, "nothing") });
    expect(await rowsOf(alone, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(await codeOf(alone.runQuery({ sql: "FROM orders" }))).toBe("table_unknown");
    expect(await alone.catalog()).toEqual([]);
  });

  test("suggests the nearest accessible tables for an unknown one", async () => {
    const hint = async (granted: ReadonlySet<string> | null) => {
      try {
        await session.runQuery({ sql: "SELECT * FROM ordrs", access: granted });
        return "";
      } catch (error) {
        return (error as AgnesError).hint;
      }
    };
    expect(await hint(null)).toContain("orders");
    expect(await hint(new Set(["stock"]))).not.toContain("orders");
  });

  test("reads `access` once for each call, so that a later change has no effect", async () => {
    let reads = 0;
    class CountedSet extends Set<string> {
      override [Symbol.iterator]() {
        reads += 1;
        return super[Symbol.iterator]();
      }
    }
    const access = new CountedSet(["crm.customers"]);
    reads = 0;
    const running = session.runQuery({ sql: "FROM orders", access });
    access.add("crm.orders");
    expect(await codeOf(running)).toBe("table_unknown");
    expect(reads).toBe(1);
    for (const call of [
      () => session.runQuery({ sql: "FROM customers", access }),
      () => session.describeTable("customers", { access }),
      () => session.sampleTable("customers", 1, { access }),
      () => session.catalog({ access }),
    ]) {
      reads = 0;
      const result = await call();
      if ("batches" in result) for await (const _ of result.batches) continue;
      expect(reads).toBe(1);
    }
  });

  test("treats an inaccessible table as unknown, also in a common table expression", async () => {
    const granted = new Set(["crm.customers"]);
    expect(await rowsOf(session, "SELECT count(*) AS n FROM customers", { access: granted })).toEqual([
      { n: 7n },
    ]);
    for (const sql of [
      "FROM orders",
      "FROM crm.orders",
      "FROM main.orders",
      'FROM "ORDERS"',
      "WITH orders AS (SELECT * FROM orders) FROM orders",
      "WITH orders AS (SELECT 1) SELECT * FROM main.orders",
      "SELECT (SELECT max(id) FROM orders) FROM customers",
      'FROM "_agnes".tables',
      "FROM duckdb_tables",
      "FROM sqlite_master",
      "FROM information_schema.views",
      "DESCRIBE orders",
      "SUMMARIZE orders",
      "EXPLAIN FROM orders",
      "WITH customers AS (SELECT 1) FROM (DESCRIBE orders)",
      "FROM pg_catalog.pg_class",
    ]) {
      expect([sql, await codeOf(session.runQuery({ sql, access: granted }))]).toEqual([sql, "table_unknown"]);
    }
  });

  test("reports the binder error of DuckDB", async () => {
    expect(await codeOf(session.runQuery({ sql: "SELECT nosuch FROM orders" }))).toBe("sql_failed");
    expect(await codeOf(rowsOf(session, "SELECT error('boom') FROM orders"))).toBe("sql_failed");
    expect(await rowsOf(session, "SELECT 1 AS still")).toEqual([{ still: 1 }]);
  });

  test("applies the limits of rows and bytes exactly and reports truncation", async () => {
    const measure = async (sql: string, limits: QueryLimits) => {
      const limited = await session.runQuery({ sql, limits });
      let rows = 0;
      for await (const batch of limited.batches) rows += batch.numRows;
      const receipt = limited.receipt();
      expect(receipt.rows).toBe(rows);
      return { rows, truncated: receipt.truncated, sizeBytes: receipt.sizeBytes };
    };
    expect(await measure("SELECT id FROM orders", { maxRows: 3000 })).toMatchObject({
      rows: 3000,
      truncated: true,
    });
    expect(await measure("SELECT id FROM orders", { maxRows: 10_000 })).toMatchObject({
      rows: 10_000,
      truncated: false,
    });
    expect(await measure("SELECT id FROM orders", { maxRows: 0 })).toMatchObject({
      rows: 0,
      truncated: true,
    });
    expect(await measure("SELECT id FROM orders WHERE false", { maxRows: 0 })).toMatchObject({
      rows: 0,
      truncated: false,
    });
    const capped = await measure("SELECT * FROM orders", { maxBytes: 20_000 });
    expect(capped.truncated).toBe(true);
    expect(capped.rows).toBeGreaterThan(100);
    expect(capped.sizeBytes).toBeLessThanOrEqual(20_000);
    expect(await measure("SELECT repeat('x', 100000) FROM range(100)", { maxBytes: 1000 })).toMatchObject({
      rows: 0,
      truncated: true,
    });
  });

  test.each([
    "SELECT count(*) FROM range(100000000000)",
    "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = -1",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT * FROM n",
    "SELECT * FROM range(100000000000)",
  ])("stops %s at its deadline", async (sql) => {
    const started = performance.now();
    const failure = await rowsOf(session, sql, { limits: { timeoutMs: 150 } }).catch(
      (error: unknown) => error,
    );
    expect((failure as AgnesError).code).toBe("timed_out");
    expect(performance.now() - started).toBeLessThan(3000);
    expect(await rowsOf(session, "SELECT 1 AS still")).toEqual([{ still: 1 }]);
  });

  test("stops by signal, by leaving the loop and by close", async () => {
    const controller = new AbortController();
    const running = rowsOf(session, "SELECT count(*) FROM range(100000000000)", {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 50);
    expect(await codeOf(running)).toBe("aborted");
    const left = await session.runQuery({ sql: "SELECT * FROM range(100000000000)" });
    for await (const _batch of left.batches) break;
    const never = await session.runQuery({ sql: "SELECT * FROM range(100000000000)" });
    await never.close();
    await never.close();
    expect(await rowsOf(session, "SELECT 1 AS still")).toEqual([{ still: 1 }]);
  });

  test("releases its connection if the rows are not read in time", async () => {
    const found = await session.runQuery({
      sql: "SELECT * FROM range(100000000)",
      limits: { timeoutMs: 50 },
    });
    await Bun.sleep(120);
    const read = async () => {
      for await (const _batch of found.batches) break;
    };
    expect(await codeOf(read())).toBe("timed_out");
  });

  test("runs many queries concurrently", async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        rowsOf(session, `SELECT ${n} AS n, count(*) AS c FROM orders WHERE id >= ${n}`),
      ),
    );
    expect(results.map(([row]) => row)).toEqual(
      Array.from({ length: 20 }, (_, n) => ({ n, c: BigInt(10_000 - n) })),
    );
  });

  test("returns a receipt with tables, extracts and generations", async () => {
    const selected = await session.runQuery({ sql: "SELECT * FROM orders o, stock" });
    for await (const _batch of selected.batches);
    expect(selected.receipt()).toMatchObject({
      generation: 1,
      extracts: [
        { source: "erp", generation: null, extractedAt: "2026-03-01T10:00:00.000Z", staleReason: null },
        { source: "crm", generation: null, extractedAt: "2026-03-01T10:00:00.000Z", staleReason: null },
      ],
      tables: ["erp.stock", "crm.orders"],
      rows: 10_000,
      truncated: false,
    });
  });

  test("rejects queries after close", async () => {
    await using own = await published();
    const running = rowsOf(own.session, "SELECT count(*) FROM range(100000000000)");
    running.catch(() => {});
    await Bun.sleep(100);
    await own.session.close();
    expect(await codeOf(running)).not.toBe("");
    expect(await codeOf(own.session.runQuery({ sql: "SELECT 1" }))).toBe("aborted");
  });
});

describe("a session", () => {
  test("uses a new generation for the next query, and the running query keeps its own", async () => {
    await using own = await published();
    const running = await own.session.runQuery({ sql: "SELECT id FROM orders", batchRows: 2048 });
    const batches = running.batches[Symbol.asyncIterator]();
    let seen = (await batches.next()).value!.numRows;
    await writeExtract(own.data, "crm", { tables: [{ name: "tickets", rows: "SELECT 1 AS id" }] });
    await rebuildAnalytics(testServices(), { dataDirectory: own.data, owners: null });
    expect(await rowsOf(own.session, "SELECT count(*) AS n FROM tickets")).toEqual([{ n: 1n }]);
    expect(await codeOf(own.session.runQuery({ sql: "FROM customers" }))).toBe("table_unknown");
    for (let next = await batches.next(); next.done !== true; next = await batches.next())
      seen += next.value.numRows;
    expect(seen).toBe(10_000);
    expect(running.receipt().generation).toBe(1);
  });

  test("reports an unreadable analytics.duckdb, and works again when it is readable", async () => {
    await using own = await published();
    const path = analyticsPath(own.data);
    const good = await readFile(path);
    for (const bad of [good.subarray(0, 5000), Buffer.from("not a database")]) {
      await writeFile(path, bad);
      expect(await codeOf(own.session.runQuery({ sql: "FROM orders" }))).toBe("analytics_unreadable");
      expect(await rowsOf(own.session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    }
    await writeFile(path, good);
    expect(await rowsOf(own.session, "SELECT count(*) AS n FROM orders")).toEqual([{ n: 10_000n }]);
  });

  test("reports the path of a damaged part", async () => {
    await using own = await published();
    const part = join(own.data, "extracts", "crm", "data", "orders.parquet");
    await writeFile(part, (await readFile(part)).subarray(0, 500));
    expect(await codeOf(rowsOf(own.session, "SELECT sum(id) FROM orders"))).toBe("file_unreadable");
    expect(await rowsOf(own.session, "SELECT count(*) AS n FROM customers")).toEqual([{ n: 7n }]);
  });

  test("reads a data folder through a symbolic link", async () => {
    await using own = await published();
    const link = `${own.data}-link`;
    await symlink(own.data, link);
    try {
      await rebuildAnalytics(testServices(), { dataDirectory: link, owners: null });
      await using linked = openQuerySession(testServices(), { dataDirectory: link });
      expect(await rowsOf(linked, "SELECT count(*) AS n FROM orders, inside")).toEqual([{ n: 10_000n }]);
    } finally {
      await rm(link);
    }
  });

  test("leaves no temporary directory behind", async () => {
    await using folder = await temporaryData();
    const temporaryDirectory = join(folder.data, "tmp");
    await mkdir(temporaryDirectory);
    const services = { ...testServices(), limits: { temporaryDirectory } };
    await using own = openQuerySession(services, { dataDirectory: folder.data });
    await rowsOf(own, "SELECT 1");
    expect((await readdir(temporaryDirectory)).length).toBe(1);
    await own.close();
    expect(await readdir(temporaryDirectory)).toEqual([]);
    await rm(temporaryDirectory, { recursive: true });
  });
});

describe("catalog(), describeTable() and sampleTable()", () => {
  test("catalog() lists accessible tables by their names in SQL", async () => {
    const entries = await session.catalog();
    expect(entries.map(({ name }) => name)).toEqual(["customers", "inside", "orders", "stock"]);
    expect(entries[2]).toMatchObject({
      id: "crm.orders",
      source: "crm",
      mode: "local",
      rows: 3,
      sizeBytes: 100,
      columns: 3,
    });
    expect((await session.catalog({ access: new Set(["stock"]) })).map(({ id }) => id)).toEqual([
      "erp.stock",
    ]);
  });

  test("describeTable() returns the columns of a table by any of its names", async () => {
    for (const name of ["orders", "ORDERS", "crm.orders"]) {
      expect((await session.describeTable(name)).schema.map((c) => `${c.name} ${c.type}`)).toEqual([
        "id BIGINT",
        "customer BIGINT",
        "label VARCHAR",
      ]);
    }
    expect((await session.describeTable("inside")).schema.map((c) => c.type)).toEqual(["INTEGER"]);
    expect(await codeOf(session.describeTable("orders; drop"))).toBe("table_unknown");
  });

  test("sampleTable() returns the first rows, or random rows", async () => {
    const idsOf = async (random: boolean) => {
      const result = await session.sampleTable("orders", 5, { random });
      const ids: bigint[] = [];
      for await (const batch of result.batches) for (const row of batch) ids.push(row["id"] as bigint);
      return ids;
    };
    expect(await idsOf(false)).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect((await idsOf(true)).length).toBe(5);
    expect(await codeOf(session.sampleTable("orders", -1))).toBe("invalid_input");
    expect(await codeOf(session.sampleTable("nosuch", 1))).toBe("table_unknown");
  });
});
