import { afterAll, beforeAll, expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { published, rowsOf } from "./published.ts";

let shared: Awaited<ReturnType<typeof published>>;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = shared.session;
});
afterAll(() => shared[Symbol.asyncDispose]());

/** Returns the error of a query. */
async function failureOf(sql: string, options: Parameters<typeof rowsOf>[2] = {}): Promise<AgnesError> {
  try {
    await rowsOf(session, sql, options);
  } catch (error) {
    if (error instanceof AgnesError) return error;
    throw error;
  }
  throw new Error(`it is answered: ${sql}`);
}

test("runQuery() returns the same columns and rows as DuckDB for a PIVOT without values", async () => {
  await using database = await openDatabase();
  const connection = await database.connect();
  const orders = "(SELECT range AS id, range % 7 AS customer, 'o' || range AS label FROM range(20)) AS o";
  for (const pivot of [
    "ON customer USING count(*) GROUP BY label",
    "ON customer * 9 USING max(id) AS m, min(label) GROUP BY id ORDER BY ALL",
    "ON customer > 3, label || 'x' USING count(*) GROUP BY id",
    "ON (customer, label) USING max(id) GROUP BY customer ORDER BY customer DESC LIMIT 3",
    "ON label, customer IN (1, 2) USING max(id)",
    "ON customer::DECIMAL(4, 2), DATE '2024-01-01' + customer::INT USING max(id)",
    "ON [customer % 2] USING max(id)",
    "ON label IN (SELECT 'o' || range FROM range(20) ORDER BY range % 3, range DESC) USING max(id) GROUP BY customer",
    "ON label IN (VALUES ('o7'), ('o3'), (NULL), ('o7'), ('none')), customer USING count(*)",
    "ON customer IN (SELECT DISTINCT range::DOUBLE / 2 FROM range(4) ORDER BY 1) USING max(id) GROUP BY label",
    "ON customer IN (SELECT 1 WHERE false) GROUP BY label",
  ]) {
    const expected = await connection.rows(`PIVOT ${orders} ${pivot}`);
    const rows = await rowsOf(session, `PIVOT (SELECT * FROM orders WHERE id < 20) AS o ${pivot}`);
    const shape = (all: readonly object[]) =>
      all
        .map((row) => JSON.stringify(Object.entries(row).map(([name, value]) => [name, String(value)])))
        .sort();
    expect([pivot, shape(rows)]).toEqual([pivot, shape(expected)]);
    expect(rows.length).toBeGreaterThan(0);
  }
});

test("runQuery() checks all parts of a PIVOT whose columns depend on the data", async () => {
  for (const sql of [
    "PIVOT (FROM read_csv('x')) ON name",
    "PIVOT 'x.csv' ON name",
    "PIVOT other.main.secrets ON name",
    "PIVOT (FROM duckdb_settings()) ON name USING first(value)",
    "PIVOT customers ON name || getenv('HOME')",
    "PIVOT customers ON name USING first(getenv('HOME'))",
    "PIVOT customers ON name; DROP VIEW customers",
    "PIVOT customers ON name; PIVOT customers ON id",
    "CREATE TABLE x AS PIVOT customers ON name",
    "COPY (PIVOT customers ON name) TO 'x'",
    "WITH c AS (SELECT getenv('HOME') AS x) PIVOT customers ON name",
    "PIVOT customers ON name IN (SELECT content FROM read_text('x'))",
    "PIVOT customers ON name IN (SELECT getenv('HOME'))",
    "PIVOT customers ON name IN (FROM (PIVOT customers ON id IN (SELECT getenv('HOME'))))",
    "PIVOT (PIVOT customers ON getenv(name)) ON id",
    "PIVOT customers ON name IN (SELECT levenshtein_of('x'))",
    "PIVOT customers ON name IN (SELECT 1) AS x); DROP VIEW customers; --",
    "PIVOT customers ON name IN (SELECT 1 UNION SELECT current_setting('home_directory'))",
    `PIVOT customers ON name IN ${"(".repeat(3)}SELECT 1${")".repeat(3)}`,
  ]) {
    const { code } = await failureOf(sql);
    expect([sql, ["sql_not_allowed", "sql_malformed"].includes(code)]).toEqual([sql, true]);
  }
  expect((await failureOf("PIVOT secrets ON name")).code).toBe("table_unknown");
  expect((await failureOf("PIVOT customers ON id IN (SELECT id FROM secrets)")).code).toBe("table_unknown");
  expect((await failureOf(`PIVOT customers ${"ON id, ".repeat(60)} ${"PIVOT ".repeat(101)}`)).code).toBe(
    "sql_malformed",
  );
});

test("runQuery() reads only accessible tables for the columns of a PIVOT", async () => {
  const granted = new Set(["customers"]);
  for (const sql of [
    "PIVOT customers ON id IN (SELECT id FROM orders)",
    "PIVOT (PIVOT orders ON id) ON customer",
    "PIVOT customers ON id IN (SELECT id FROM (PIVOT orders ON label))",
  ]) {
    expect((await failureOf(sql, { access: granted })).code).toBe("table_unknown");
  }
  const [row] = await rowsOf(
    session,
    "PIVOT (SELECT 1 AS customers) ON 'x' || customers IN (FROM (SELECT 'x' || name FROM (SHOW TABLES)))",
    {
      access: granted,
    },
  );
  expect(Object.keys(row!)).toEqual(["xcustomers"]);
  const named = await rowsOf(
    session,
    "PIVOT (SHOW TABLES) ON name IN (SELECT name FROM (SHOW TABLES)) USING count(*)",
    {
      access: granted,
    },
  );
  expect(named).toEqual([{ customers: 1n }]);
});

test("runQuery() never inserts the values of a PIVOT into SQL", async () => {
  const hostile = [
    `'"; DROP VIEW customers; --`,
    `a" FROM secrets --`,
    "x'', getenv('HOME')) --",
    `"`,
    "'",
    "\n\\",
    "agnes pivot 0",
  ];
  const list = hostile.map((text) => `('${text.replaceAll("'", "''")}')`).join(", ");
  for (const pivot of [
    `PIVOT (FROM (VALUES ${list}) t(k)) ON k USING count(*)`,
    `PIVOT (FROM (VALUES ${list}) t(k)) ON k IN (FROM (VALUES ${list})) USING count(*)`,
    `PIVOT (PIVOT (FROM (VALUES ${list}) t(k), range(2) r(n)) ON k USING count(*) GROUP BY n) ON n IN (SELECT 1) USING sum(n)`,
  ]) {
    const [row] = await rowsOf(session, pivot);
    for (const text of hostile) {
      expect([pivot, Object.entries(row!).filter(([name]) => name.includes(text)).length > 0]).toEqual([
        pivot,
        true,
      ]);
    }
  }
  expect(await rowsOf(session, "SELECT count(*) AS n FROM customers")).toEqual([{ n: 7n }]);
});

test("runQuery() reports unsupported PIVOTs with a replacement in the hint", async () => {
  for (const [sql, reason, advice] of [
    [
      "PIVOT customers ON (id, name) IN ((1, 'c1'))",
      "one list of values for several columns",
      "FOR (a, b) IN",
    ],
    ["PIVOT customers ON id IN (SELECT 1, 2)", "several columns instead of one", "Select one column"],
    ["PIVOT (SELECT id FROM customers WHERE false) ON id", "finds no values", "GROUP BY"],
    ["PIVOT customers ON id IN (1 + 1)", "contains (1 + 1)", "IN (SELECT …)"],
    ["PIVOT (SELECT range AS r FROM range(10001)) ON r", "column limit of 10000", "List fewer values"],
    [
      "WITH z AS (SELECT 1) PIVOT customers ON id IN (FROM z)",
      "is not visible there",
      "IN (WITH name AS (…)",
    ],
  ] as const) {
    const error = await failureOf(sql);
    expect(error.message).toContain(reason);
    expect(error.hint).toContain(advice);
  }
});

test("runQuery() rejects values of a PIVOT that cannot be column names", async () => {
  const failure = await failureOf("PIVOT (SELECT 'a' || chr(0) || range AS k FROM range(2)) ON k");
  expect(failure).toMatchObject({ code: "sql_not_allowed" });
  expect(failure.message).toContain("null character");
});
