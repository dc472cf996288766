import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError } from "../../lib/base/mod.ts";
import { encodeResult } from "../../lib/duckdb/mod.ts";
import type { QueryRequest } from "../../lib/query/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { queryFailure } from "../../lib/query/failure.ts";
import { duckdbError } from "../../lib/duckdb/errors.ts";
import { published, rowsOf } from "./published.ts";

let shared: Awaited<ReturnType<typeof published>>;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = shared.session;
});
afterAll(() => shared[Symbol.asyncDispose]());

async function failureOf(sql: string, options: Omit<QueryRequest, "sql"> = {}): Promise<AgnesError> {
  try {
    await rowsOf(session, sql, { limits: { maxRows: 1, timeoutMs: 20_000 }, ...options });
  } catch (error) {
    if (error instanceof AgnesError) return error;
    throw error;
  }
  throw new Error(`${sql} gave rows`);
}

/** SQL that causes an internal error in DuckDB; the guard rejects it, so it must be trusted. */
const FATAL = { sql: "SELECT reservoir_quantile(1.5, [])", trusted: true };

describe("a query that causes an internal error in DuckDB", () => {
  test("fails without a native stack, and the next queries run", async () => {
    const error = await failureOf(FATAL.sql, FATAL);
    expect(error.code).toBe("sql_failed");
    expect(error.message).toStartWith(
      "the query failed: internal error in DuckDB: Attempted to access index 0",
    );
    const text = JSON.stringify(error) + String((error.cause as Error).stack) + Bun.inspect(error.cause);
    expect(text).not.toMatch(/Stack Trace|libduckdb|0x[0-9a-f]{6}|github\.com/);
    expect(await rowsOf(session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(await rowsOf(session, "SELECT count(*) AS n FROM orders")).toEqual([{ n: 10_000n }]);
    expect((await session.catalog()).length).toBe(4);
  });

  test("also if the next call is not a query", async () => {
    await failureOf(FATAL.sql, FATAL);
    expect((await session.describeTable("orders")).schema.length).toBe(3);
    await failureOf(FATAL.sql, FATAL);
    const sample = await session.sampleTable("orders", 2);
    await sample.close();
  });

  test("does not affect concurrent queries", async () => {
    const beside = await session.runQuery({
      sql: "SELECT range AS i FROM range(200000)",
      batchRows: 2048,
    });
    const batches = beside.batches[Symbol.asyncIterator]();
    let rows = (await batches.next()).value!.numRows;
    const started = Array.from({ length: 8 }, (_, n) => rowsOf(session, `SELECT ${n} AS n`));
    const failing = failureOf(FATAL.sql, FATAL);
    const queued = Array.from({ length: 8 }, (_, n) => rowsOf(session, `SELECT ${n} AS n FROM customers`));
    await failing;
    for (let next = await batches.next(); next.done !== true; next = await batches.next()) {
      rows += next.value.numRows;
    }
    expect(rows).toBe(200_000);
    for (const [n, result] of (await Promise.all(started)).entries()) expect(result).toEqual([{ n }]);
    for (const [n, rows] of (await Promise.all(queued)).entries()) expect(rows[0]).toEqual({ n });
  });

  test("fails later queries on the same instance with a separate error", () => {
    const text =
      "FATAL Error: Failed: database has been invalidated because of a previous fatal error. The database must be " +
      'restarted prior to being used again.\nOriginal error: "Could not read s3cret"';
    const scope = { dataDirectory: "/data", home: null, access: null, secrets: [] };
    const error = queryFailure(duckdbError(new Error(text), "SELECT 1"), scope) as AgnesError;
    expect([error.code, error.retry]).toEqual(["query_lost", "transient"]);
    expect(JSON.stringify(error)).not.toContain("s3cret");
  });
});

describe("runQuery() stops or rejects, and runs the next query, for", () => {
  test.each([
    ["SELECT reservoir_quantile(1.5, [])", "sql_not_allowed"],
    ["SELECT list_aggregate([1.5], 'reservoir_quantile', [])", "sql_not_allowed"],
    ["SELECT [1.5].list_aggr('reservoir_' || 'quantile', [])", "sql_not_allowed"],
    ["SELECT x.array_aggr('sum_no_overflow') FROM (SELECT ['a'] AS x)", "sql_not_allowed"],
    ["SELECT main.list_aggregate([1.5], 'reservoir_quantile', [])", "sql_not_allowed"],
    ["SELECT percentile_cont(NULL::DOUBLE[]) WITHIN GROUP (ORDER BY id) FROM orders", "sql_not_allowed"],
    [
      "SELECT percentile_disc(list_extract([[0.5]], 9)) WITHIN GROUP (ORDER BY id) FROM orders",
      "sql_not_allowed",
    ],
    ["SELECT quantile_cont(id, NULL::INT[] ORDER BY id DESC) FROM orders", "sql_not_allowed"],
    ["SELECT enum_range_boundary(NULL::ENUM('a'), NULL)", "sql_not_allowed"],
    ["SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))", "sql_failed"],
    ["SELECT editdist3(repeat(name, 100000), repeat('b', 100000)) FROM customers", "sql_failed"],
    ["SELECT damerau_levenshtein(repeat('a', 300000), repeat('b', 300000))", "sql_failed"],
    ["SELECT jaro_winkler_similarity(repeat('ab', 1000000), repeat('ba', 1000000), 0.5)", "sql_failed"],
    ["SELECT system.main.levenshtein('a', 'b')", "sql_not_allowed"],
    ["SELECT main.levenshtein('a', 'b')", "sql_not_allowed"],
    [`SELECT ${"repeat(".repeat(5)}'a'${", 2)".repeat(5)}`, "sql_not_allowed"],
    ["SELECT list_distinct(range(0, 100000000))", "sql_failed"],
    ["SELECT len(range(0, -100000000, -1))", "sql_failed"],
    [
      "SELECT len(generate_series(DATE '1900-01-01', DATE '2000-01-01', INTERVAL 1 MICROSECOND))",
      "sql_failed",
    ],
    ["SELECT len(repeat(repeat('a', 100000), 100000))", "sql_failed"],
    ["SELECT len(repeat([id], 1000000000)) FROM orders", "sql_failed"],
    ["SELECT len(lpad('', 2147483647, 'x'))", "sql_failed"],
    ["SELECT len(rpad(name, 2147483647, 'x')) FROM customers", "sql_failed"],
    ["SELECT len(bitstring('1', 2000000000))", "sql_failed"],
    ["SELECT len(list_resize([1], 1000000000))", "sql_failed"],
    ["SELECT json_each('/x')", "sql_not_allowed"],
    ["FROM json_each('/x')", "sql_failed"],
    ["SELECT error('Could not set lock on file \"/etc/passwd\"')", "sql_failed"],
    ["SELECT error('Cannot open file \"/etc/passwd\"')", "sql_failed"],
    ["SELECT error('No space left on device')", "sql_failed"],
  ])("%s", async (sql, code) => {
    expect(String((await failureOf(sql)).code)).toBe(code);
    expect(await rowsOf(session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("typical arguments of these functions", async () => {
    const sql = `SELECT levenshtein('kitten', 'sitting') AS l, repeat('ab', 3) AS r, repeat([1], 2) AS t, range(3) AS a, range(1, 3) AS b,
      range(9, 1, -4) AS c, len(generate_series(DATE '2024-01-01', DATE '2024-01-03', INTERVAL 1 DAY)) AS d,
      lpad('7', 3, '0') AS p, list_resize([1], 2) AS s, list_resize([1], 2, 0) AS z, bitstring('1', 3)::VARCHAR AS i,
      jaro_similarity('a', 'a', 0.5) AS j, levenshtein(NULL, 'a') AS n, repeat('\\x00'::BLOB, 2)::VARCHAR AS o,
      list_aggregate([1, 2], 'sum')::INT AS g, percentile_cont(0.5) WITHIN GROUP (ORDER BY id DESC) AS q`;
    const [row] = await rowsOf(session, `${sql} FROM customers`);
    expect(
      JSON.parse(
        JSON.stringify(row, (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value)),
      ),
    ).toEqual({
      l: 3,
      r: "ababab",
      t: [1, 1],
      a: [0, 1, 2],
      b: [1, 2],
      c: [9, 5],
      d: 3,
      p: "007",
      s: [1, null],
      z: [1, 0],
      i: "001",
      j: 1,
      n: null,
      o: "\\x00\\x00",
      g: 3,
      q: 3,
    });
  });

  test("rejected JSON functions, with a replacement in the hint", async () => {
    for (const name of "from_json from_json_strict json_contains json_group_structure json_merge_patch json_structure json_transform json_transform_strict".split(
      " ",
    )) {
      const error = await failureOf(`SELECT ${name}('{}', '{}')`);
      expect(error.message).toContain(`function "${name}" is not allowed: it crashes`);
      expect(error.hint).toMatch(/json_(?:extract|keys)/);
    }
  });
});

describe("maxBytes", () => {
  async function capped(sql: string, sizeBytes: number) {
    const result = await session.runQuery({ sql, limits: { maxBytes: sizeBytes } });
    let bytes = 0;
    for await (const piece of encodeResult(result, "ndjson")) bytes += piece.length;
    const { truncated, rows, sizeBytes: reported } = result.receipt();
    return { bytes, truncated, rows, reported };
  }

  test("counts the exact size of each row, not the mean of a batch", async () => {
    const uneven = "SELECT CASE WHEN i = 5 THEN repeat('x', 1000000) ELSE 'y' END AS v FROM range(2048) t(i)";
    expect(await capped(uneven, 100_000)).toEqual({ bytes: 50, truncated: true, rows: 5, reported: 50 });
    expect(await capped(uneven, 2_000_000)).toMatchObject({ truncated: false, rows: 2048 });
    expect(await capped("SELECT repeat(chr(1), 100) AS v FROM range(10)", 609 * 3)).toMatchObject({
      rows: 3,
      bytes: 609 * 3,
    });
    expect(await capped("SELECT repeat(chr(1), 100) AS v FROM range(10)", 609 * 3 - 1)).toMatchObject({
      rows: 2,
    });
    expect(await capped("SELECT id FROM orders", 30_000)).toMatchObject({ truncated: true });
  });

  test("is exact over many batches", async () => {
    const sql = "SELECT repeat('z', (i % 97)::INT) AS v FROM range(50000) t(i)";
    const whole = await capped(sql, Number.MAX_SAFE_INTEGER);
    expect(await capped(sql, whole.bytes)).toEqual(whole);
    expect(await capped(sql, whole.bytes - 1)).toMatchObject({ truncated: true, rows: whole.rows - 1 });
  });
});

describe("an error of a query", () => {
  const scope = { dataDirectory: "/home/ann/work/data", home: "/home/ann", secrets: [] };
  const messageOf = (thrown: string, access: ReadonlySet<string> | null = null) =>
    JSON.stringify(queryFailure(duckdbError(new Error(thrown), "SELECT 1"), { ...scope, access }));

  test("contains no local directories and no internal database names", () => {
    const part = "/home/ann/work/data/extracts/crm/data/orders/0a.parquet";
    for (const [thrown, expected] of [
      [`IO Error: Extension "/home/ann/.duckdb/extensions/httpfs" not found`, "~/.duckdb/extensions/httpfs"],
      [
        `Invalid Input Error: No magic bytes found at end of file '${part}'`,
        "extracts/crm/data/orders/0a.parquet",
      ],
      [`Conversion Error: In file "${part}" the column is wrong`, "extracts/crm/data/orders/0a.parquet"],
      [
        `Catalog Error: Table with name x does not exist!\nDid you mean "agnes:analytics.crm.secret"?`,
        "does not exist!",
      ],
      [`Binder Error: Cannot bind "agnes:extract:crm".main.orders`, "Cannot bind orders"],
    ] as const) {
      const text = messageOf(thrown);
      expect(text).toContain(expected);
      expect(text).not.toMatch(/\/home|agnes:|secret/);
    }
  });

  test("contains no file names if access is restricted", () => {
    const part = "/home/ann/work/data/extracts/crm/data/orders/0a.parquet";
    for (const thrown of [
      `Invalid Input Error: No magic bytes found at end of file '${part}'`,
      `IO Error: Cannot open file "${part}": No such file or directory`,
      `Conversion Error: In file "${part}" the column is wrong`,
    ]) {
      expect(messageOf(thrown, new Set(["crm.orders"]))).not.toMatch(/parquet|orders|home/);
    }
  });

  test("contains no suggestion of a table if access is restricted", () => {
    const thrown =
      'Catalog Error: Table with name gone does not exist!\nDid you mean "secret_pay"?\n\nLINE 1: x';
    expect(messageOf(thrown, new Set(["crm.orders"]))).not.toContain("secret_pay");
    expect(messageOf(thrown)).toContain("secret_pay");
  });

  test("contains the path of the damaged file, relative to the data folder", async () => {
    await using own = await published();
    await writeFile(join(own.data, "extracts", "crm", "data", "orders.parquet"), "nothing");
    const read = (granted: ReadonlySet<string> | null) =>
      rowsOf(own.session, "FROM orders", { access: granted }).catch((error: unknown) => error as AgnesError);
    expect(((await read(null)) as AgnesError).message).toContain('"extracts/crm/data/orders.parquet"');
    const restricted = (await read(new Set(["orders"]))) as AgnesError;
    expect(restricted.code).toBe("file_unreadable");
    expect(JSON.stringify(restricted)).not.toMatch(/parquet|extracts|tmp/);
  });
});
