import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { published, rowsOf } from "./published.ts";

let shared: Awaited<ReturnType<typeof published>>;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = shared.session;
});
afterAll(() => shared[Symbol.asyncDispose]());

const ORDERS = new Set(["crm.orders"]);

/** The values of all rows, or the code of the error. */
async function valuesOf(sql: string, granted: ReadonlySet<string> | null = null): Promise<unknown> {
  try {
    return (await rowsOf(session, sql, { access: granted })).map((row) => Object.values(row));
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return error.code;
  }
}

/** All text of a result. */
async function textOf(sql: string, granted: ReadonlySet<string> | null): Promise<string> {
  try {
    const rows = await rowsOf(session, sql, { access: granted });
    return JSON.stringify(rows, (_key, value: unknown) =>
      typeof value === "bigint" ? Number(value) : value,
    );
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return JSON.stringify(error);
  }
}

describe("runQuery() lists and describes", () => {
  test("all or the accessible tables, by their names in SQL", async () => {
    expect(await valuesOf("SHOW TABLES")).toEqual([["customers"], ["inside"], ["orders"], ["stock"]]);
    expect(await valuesOf("SHOW TABLES", ORDERS)).toEqual([["orders"]]);
    expect(await valuesOf("SHOW TABLES", new Set())).toEqual([]);
    expect(await valuesOf("SELECT y FROM (SHOW TABLES) AS x(y)", ORDERS)).toEqual([["orders"]]);
    expect(await valuesOf("SELECT database, schema, name FROM (SHOW ALL TABLES)", ORDERS)).toEqual([
      ["agnes", "main", "orders"],
    ]);
    expect(await valuesOf("SELECT name FROM (DESCRIBE)", ORDERS)).toEqual([["orders"]]);
  });

  test("columns of a table and of a SELECT", async () => {
    const columns = [
      ["id", "BIGINT"],
      ["customer", "BIGINT"],
      ["label", "VARCHAR"],
    ];
    for (const sql of ["DESCRIBE orders", "DESC crm.orders", "SHOW orders", "DESCRIBE FROM orders"]) {
      const rows = (await valuesOf(sql, ORDERS)) as readonly unknown[][];
      expect(rows.map((row) => row.slice(0, 2))).toEqual(columns);
    }
    const [id] = (await valuesOf("SELECT min, max, count FROM (SUMMARIZE orders)")) as unknown[][];
    expect(id).toEqual(["0", "9999", 10_000n]);
  });

  test("information_schema.tables and .columns of the accessible tables", async () => {
    const tables = "SELECT table_catalog, table_schema, table_name FROM information_schema.tables";
    expect(await valuesOf(tables, ORDERS)).toEqual([["agnes", "main", "orders"]]);
    expect(await valuesOf(`${tables} ORDER BY ALL`)).toHaveLength(4);
    const columns =
      "SELECT c.column_name, c.data_type FROM INFORMATION_SCHEMA.columns AS c ORDER BY ordinal_position";
    expect(await valuesOf(columns, ORDERS)).toEqual([
      ["id", "BIGINT"],
      ["customer", "BIGINT"],
      ["label", "VARCHAR"],
    ]);
    expect(await valuesOf("SELECT count(*) FROM information_schema.columns", new Set())).toEqual([[0n]]);
    expect(await valuesOf("SELECT tables.table_name FROM information_schema.tables", ORDERS)).toEqual([
      ["orders"],
    ]);
  });

  test("the plan of a SELECT", async () => {
    const [[key, plan]] = (await valuesOf(
      "EXPLAIN SELECT customer, count(*) FROM orders WHERE label LIKE 'o1%' GROUP BY ALL",
    )) as [[string, string]];
    expect(key).toBe("physical_plan");
    expect(plan).toContain("READ_PARQUET");
    expect(plan).toContain("Aggregates: count_star()");
    expect(await textOf("EXPLAIN PIVOT customers ON name", null)).toContain("physical_plan");
    expect(await valuesOf("EXPLAIN SELECT nosuch FROM orders")).toBe("sql_failed");
  });
});

test("runQuery() reveals no inaccessible tables, files and internal databases", async () => {
  const leaks: string[] = [];
  for (const sql of [
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE",
    "DESCRIBE orders",
    "SUMMARIZE orders",
    "EXPLAIN FROM orders",
    "EXPLAIN SELECT count(*) FROM orders, information_schema.tables",
    "EXPLAIN FROM customers",
    "DESCRIBE customers",
    "SUMMARIZE stock",
    "FROM information_schema.tables",
    "FROM information_schema.columns",
    "FROM information_schema.tables t JOIN information_schema.columns c USING (table_name)",
    "WITH t AS (FROM information_schema.tables) FROM t, (SHOW TABLES)",
    "SELECT (SELECT list(table_name) FROM information_schema.tables) FROM orders LIMIT 1",
    "PIVOT (SHOW TABLES) ON name USING count(*)",
    "PIVOT (SELECT table_name FROM information_schema.columns) ON table_name USING count(*)",
    "SELECT * FROM information_schema.tables UNION ALL FROM information_schema.tables",
    "SELECT nosuch FROM orders",
    "SELECT * FROM orders WHERE custmers.id = 1",
    "SELECT customers.id FROM orders",
    "FROM ordrs",
    "FROM custmers",
    "FROM (DESCRIBE custmers)",
    "SELECT error('agnes:analytics.main.x')",
  ]) {
    const text = await textOf(sql, ORDERS);
    // Names that are in the statement itself are not leaks.
    const news = text.replaceAll(/custmers|"customers"|\\"customers\\"|\\"stock\\"/g, "").replaceAll(sql, "");
    if (/agnes:|\.parquet|extracts|name"?\W+(?:customers|stock|inside)|pieces|answer|erp/.test(news)) {
      leaks.push(`${sql} → ${text}`);
    }
  }
  expect(leaks).toEqual([]);
  const [[, plan]] = (await valuesOf("EXPLAIN SELECT label FROM orders", ORDERS)) as [[string, string]];
  expect(plan).not.toContain("label");
});

test("runQuery() takes the columns of a PIVOT from accessible tables only", async () => {
  for (const from of ["SHOW TABLES", "SELECT table_name AS name FROM information_schema.tables"]) {
    const sql = `PIVOT (${from}) ON name USING count(*)`;
    expect([sql, await rowsOf(session, sql, { access: ORDERS })]).toEqual([sql, [{ orders: 1n }]]);
  }
});

test("runQuery() supports common SQL of PostgreSQL and DuckDB", async () => {
  for (const [sql, rows] of [
    ["FROM regexp_split_to_table('a b', ' ')", [["a"], ["b"]]],
    ["SELECT regexp_split_to_table('a b', ' ')", [["a"], ["b"]]],
    [
      "SELECT word FROM (SELECT 'x y' AS t), regexp_split_to_table(t, ' ') AS w(word) ORDER BY 1",
      [["x"], ["y"]],
    ],
    ["SELECT r FROM Regexp_Split_To_Table('a', ' ') AS r", [["a"]]],
    ["SELECT damerau_levenshtein('ab', 'ba'), levenshtein('ab', 'ba')", [[1n, 2n]]],
    ["SELECT damerau_levenshtein(name, 'c1') FROM customers WHERE id = 1", [[0n]]],
    ["SELECT c.name.levenshtein('c22') FROM customers c WHERE id = 2", [[1n]]],
    [
      "WITH RECURSIVE t(a, b) USING KEY (a) AS (SELECT 1, 3 UNION SELECT a + 1, b FROM t WHERE a < 3) FROM t ORDER BY a",
      [
        [1, 3],
        [2, 3],
        [3, 3],
      ],
    ],
    [
      `WITH RECURSIVE t(a, b) USING KEY (a) AS (SELECT 1, 3 UNION SELECT t.a + 1, t.b FROM t
       WHERE t.a < 3 AND NOT EXISTS (FROM recurring.t r WHERE r.a = t.a + 1)) SELECT count(*) FROM t`,
      [[3n]],
    ],
  ] as const) {
    expect([sql, await valuesOf(sql)]).toEqual([sql, rows]);
  }
});
