import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { getEventListeners } from "node:events";

import type * as arrow from "apache-arrow";

import { isAgnesError } from "../../../lib/base/mod.ts";
import { resultFormats } from "../../../lib/duckdb/mod.ts";
import type { Queries, QueryRequest } from "../../../lib/query/mod.ts";
import { published } from "../published.ts";
import { errorOf, isolated } from "./isolated.ts";

let shared: Awaited<ReturnType<typeof published>>;
let inWorkers: ReturnType<typeof isolated>;
let both: readonly Queries[];
beforeAll(async () => {
  shared = await published();
  inWorkers = isolated(shared.data, { count: 2 });
  both = [shared.session, inWorkers];
});
afterAll(async () => {
  await inWorkers.close();
  await shared[Symbol.asyncDispose]();
});

/** What the caller of a query can see of its result, or of its error, besides the duration. */
async function outcomeOf(session: Queries, request: QueryRequest): Promise<unknown> {
  try {
    const result = await session.runQuery(request);
    const batches: arrow.RecordBatch[] = [];
    for await (const batch of result.batches) batches.push(batch);
    return {
      names: result.names,
      schema: result.schema.toString(),
      sizes: batches.map((batch) => batch.numRows),
      rows: batches.flatMap((batch) => batch.toArray().map((row) => String(row))),
      receipt: { ...result.receipt(), elapsedMs: 0 },
    };
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    const { status, exitCode, retry, name } = error;
    return { ...error.toJSON().error, status, exitCode, retry, name };
  }
}

const TYPES = `SELECT 1::TINYINT AS a, 170141183460469231731687303715884105727::HUGEINT AS huge, '24:00:00'::TIME AS late,
  1.5::DECIMAL(18, 2) AS decimal, 'x'::ENUM('x', 'y') AS enum, [1, NULL] AS list, {'a': 1, 'b': ['c']} AS struct,
  MAP {'k': 1} AS map, NULL AS nothing, 'é'::BLOB AS bytes, DATE '2026-01-02' AS day, now()::TIMESTAMP < now() AS flag,
  INTERVAL 3 DAY AS pause, uuid() IS NULL AS id, '-0.0'::DOUBLE AS zero, 'nan'::FLOAT AS nan, 2 AS a, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS moment`;

describe("a query in a worker process", () => {
  const requests: Readonly<Record<string, QueryRequest>> = {
    "of several tables": {
      sql: "SELECT c.name, count(*) AS n FROM orders o JOIN crm.customers c ON c.id = o.customer GROUP BY ALL ORDER BY 1",
    },
    "of an extract of another program": { sql: "SELECT * FROM inside" },
    "with parameters": {
      sql: "SELECT *, $text AS t, $big AS b, $at AS d FROM orders WHERE id IN $ids",
      params: { ids: [1, 3], text: "it's\0\u00a0", big: 9007199254740993n, at: new Date(0) },
    },
    "with a parameter that is missing": { sql: "SELECT $1, $2", params: ["secret"] },
    "with a parameter at no value": { sql: "SELECT 1 AS $1", params: ["secret"] },
    "with a parameter that is not exact": { sql: "SELECT $1", params: [2 ** 53] },
    "with many batches": { sql: "FROM orders", batchRows: 1000 },
    "with one row too many": { sql: "FROM orders ORDER BY id", limits: { maxRows: 9999 } },
    "with too many bytes": { sql: "FROM orders ORDER BY id", limits: { maxBytes: 1000 } },
    "with limits that are infinite": {
      sql: "FROM customers",
      limits: { maxRows: Infinity, maxBytes: Infinity },
    },
    "with all types": { sql: TYPES },
    "without rows": { sql: "SELECT id FROM orders WHERE id < 0" },
    "that lists tables": { sql: "SHOW TABLES" },
    "that lists accessible tables": { sql: "SHOW TABLES", access: new Set(["stock"]) },
    "that explains": { sql: "EXPLAIN SELECT count(*) FROM orders" },
    "that pivots": {
      sql: "PIVOT (SELECT customer FROM orders) ON customer USING count(*)",
    },
    "with an unknown table": { sql: "SELECT *\nFROM ordrs" },
    "with a table of others": { sql: "FROM orders", access: new Set(["stock"]) },
    "that is too long": { sql: `SELECT 1 -- ${"x".repeat(70_000_000)}` },
    "that is malformed": { sql: "SELECT FROM WHERE" },
    "that is not allowed": { sql: "SELECT * FROM read_csv('/etc/passwd')" },
    "that fails in its last row": {
      sql: "SELECT CASE WHEN id = 9999 THEN error('boom') ELSE id END FROM orders",
    },
    "that is trusted": { sql: "SELECT current_setting('memory_limit') IS NULL AS n", trusted: true },
    "that is trusted with access": { sql: "SELECT 1", trusted: true, access: new Set<string>() },
  };
  test.each(Object.entries(requests))("%s has the same result or error", async (_name, request) => {
    const [expected, found] = await Promise.all(both.map((session) => outcomeOf(session, request)));
    expect(found).toEqual(expected);
  });

  test.each([...resultFormats])("has the same bytes in the format %s", async (format) => {
    const sql = "SELECT id, label, id / 3 AS third, [id] AS list FROM orders ORDER BY id";
    const [expected, found] = await Promise.all(
      both.map(async (session) => {
        const result = await session.encodeQuery({ sql, format });
        const pieces: Uint8Array[] = [];
        for await (const piece of result.bytes) pieces.push(piece);
        return { bytes: Buffer.concat(pieces), rows: result.receipt().rows };
      }),
    );
    expect(found).toEqual(expected!);
    expect(found!.rows).toBe(10_000);
  });

  test("describes and samples tables as in this process", async () => {
    const describeBoth = (table: string, access: ReadonlySet<string> | null = null) =>
      Promise.all(
        both.map((session) =>
          session.describeTable(table, { access }).catch((error: Error) => ({ failed: error.message })),
        ),
      );
    for (const table of ["orders", "crm.customers", "inside", "nothing"]) {
      const [expected, found] = await describeBoth(table);
      expect(found).toEqual(expected!);
    }
    const [expected, found] = await describeBoth("orders", new Set(["stock"]));
    expect(found).toEqual(expected!);
    expect(found).toHaveProperty("failed");
    const [first, second] = await Promise.all(
      both.map(async (session) => {
        const result = await session.sampleTable("orders", 3);
        const rows: unknown[] = [];
        for await (const batch of result.batches) rows.push(...batch.toArray().map(String));
        return { rows, receipt: { ...result.receipt(), elapsedMs: 0 } };
      }),
    );
    expect(second).toEqual(first!);
    expect(second!.rows).toHaveLength(3);
    const random = await inWorkers.sampleTable("orders", 5, { random: true });
    let rows = 0;
    for await (const batch of random.batches) rows += batch.numRows;
    expect(rows).toBe(5);
    expect(await inWorkers.catalog()).toEqual(await shared.session.catalog());
  });

  test("checks conditions as in this process", async () => {
    const condition = {
      sql: "SELECT id FROM crm.orders WHERE true",
      columns: ["id"],
      qualifiers: [["orders"]],
    };
    const outcomes = (where: string) =>
      Promise.all(
        both.map((session) =>
          session
            .withCondition({ ...condition, where })
            .catch((error: unknown) => isAgnesError(error, "validator_rejected") && error.toJSON()),
        ),
      );
    for (const where of ["orders.id = 3 -- x", "id IN (SELECT 1)", "1) OR (1", "getenv('HOME') IS NULL"]) {
      const [here, there] = await outcomes(where);
      expect(there).toEqual(here!);
      expect(here).not.toBe(false);
    }
    expect((await outcomes("orders.id = 3"))[1]).toMatch(/WHERE \(id = 3\)$/);
    const closed = isolated(shared.data, { count: 2 });
    await closed.close();
    expect(await errorOf(closed.withCondition({ ...condition, where: "true" }))).toMatchObject({
      code: "aborted",
    });
  });

  test("can be read once, and fails when it is closed before its end", async () => {
    const result = await inWorkers.runQuery({ sql: "FROM orders", batchRows: 100 });
    const reader = result.batches[Symbol.asyncIterator]();
    expect((await reader.next()).value?.numRows).toBeGreaterThan(0);
    expect(await errorOf(result.batches[Symbol.asyncIterator]().next())).toMatchObject({
      code: "invalid_input",
    });
    await result.close();
    expect(await errorOf(reader.next())).toMatchObject({ code: "aborted" });
  });
});

test("a signal keeps nothing of a description that has ended", async () => {
  const { signal } = new AbortController();
  await inWorkers.describeTable("orders", { signal });
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
