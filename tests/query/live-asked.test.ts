import { expect, test } from "bun:test";

import type { ReadOptions } from "agnes/kit";

import { temporaryFolder } from "../sync/workspace.ts";
import { liveShops, run } from "./live-asking.ts";
import { openLiveShop, type Ask } from "./live-shop.ts";

const { asked, shopOf } = liveShops();

/** What a read was asked for beside how. */
function wanted({ options }: Ask): Pick<ReadOptions, "columns" | "filter" | "limit"> {
  const { signal: _signal, batchRows: _rows, ...rest } = options!;
  return rest;
}

test("a live table is asked for the columns and the simple conditions of the query, and the receipt says so", async () => {
  const { asks, receipt, pushed } = await asked(
    "SELECT customer FROM b WHERE id BETWEEN 2 AND 5 AND 3 <> amount AND day IN (DATE '2026-01-01', '2026-01-02') " +
      "AND ok IS NULL AND customer IS NOT NULL AND lower(customer) < 'z' AND seen > '2026-01-01 01:00'",
  );
  expect(asks.map(wanted)).toEqual([
    {
      columns: ["id", "customer", "amount", "day", "seen", "ok"],
      filter: expect.arrayContaining([
        { column: "id", operator: "ge", values: [2n] },
        { column: "id", operator: "le", values: [5n] },
        { column: "amount", operator: "ne", values: [3n] },
        { column: "day", operator: "eq", values: ["2026-01-01", "2026-01-02"] },
        { column: "ok", operator: "is_null", values: [] },
        { column: "customer", operator: "is_not_null", values: [] },
        { column: "seen", operator: "gt", values: ["2026-01-01 01:00:00"] },
      ]),
    },
  ]);
  expect(asks[0]!.options!.filter).toHaveLength(7);
  expect(receipt.remotes[0]).toMatchObject({ id: "s.b", accessMode: "live" });
  expect(pushed[0]!.conditions).toContain('("id" >= 2)');
  expect(pushed[0]!.columns).toEqual(["id", "customer", "amount", "day", "seen", "ok"]);
  expect(pushed[0]!.rows).toBeLessThan(40);
});

test("a live table that is joined is asked for the keys of the other side, reduced by its conditions", async () => {
  const { asks, pushed } = await asked("SELECT b.amount FROM a JOIN b ON a.id = b.id WHERE a.kind = 1");
  expect(asks).toHaveLength(1);
  const { columns, filter } = wanted(asks[0]!);
  expect(columns).toEqual(["id", "amount"]);
  expect(filter).toHaveLength(1);
  expect(filter![0]!.values.map(String).sort()).toEqual(["0", "1", "4", "7"]);
  expect(pushed).toEqual([
    { columns: ["id", "amount"], conditions: [], keys: [{ column: "id", values: 4 }], limit: null, rows: 12 },
  ]);
});

test.each([
  ["USING", "SELECT count(*) FROM a JOIN b USING (id)", 11],
  ["comma", "SELECT count(*) FROM a, b WHERE a.customer = b.customer", 6],
  ["LEFT JOIN", "SELECT count(b.amount) FROM a LEFT JOIN b ON a.id = b.id", 11],
  ["IN", "SELECT count(*) FROM b WHERE id IN (SELECT id FROM a WHERE kind = 0)", 4],
  ["semi join", "SELECT count(*) FROM b SEMI JOIN a USING (id)", 11],
  ["CTE", "WITH w AS (SELECT id FROM a WHERE kind = 1) SELECT count(*) FROM w JOIN b ON b.id = w.id", 4],
  ["CTE of all columns", "WITH w AS (FROM a WHERE kind = 1) SELECT count(*) FROM w JOIN b USING (id)", 4],
  [
    "CTE of a CTE",
    "WITH w AS (FROM a), x AS (SELECT w.id AS k FROM w) SELECT 1 FROM x, b WHERE k = b.id AND x.k = b.id",
    11,
  ],
  [
    "CTE that groups",
    "WITH w AS (SELECT id, count(*) AS n FROM a GROUP BY id) SELECT n FROM b JOIN w ON w.id = b.id",
    11,
  ],
  ["derived table", "SELECT count(*) FROM (SELECT kind AS id FROM a) x JOIN b ON x.id = b.id", 3],
  [
    "derived table in IN",
    "SELECT count(*) FROM b WHERE id IN (SELECT x.id FROM (SELECT id, kind FROM a WHERE kind = 2) x)",
    4,
  ],
  [
    "join in IN",
    "SELECT count(*) FROM b WHERE id IN (SELECT a.id FROM a JOIN c ON a.kind = c.id WHERE a.kind = 1)",
    4,
  ],
  [
    "CTE in IN",
    "WITH w AS (SELECT id FROM a WHERE kind = 0) SELECT count(*) FROM b WHERE id IN (SELECT id FROM w)",
    4,
  ],
  ["EXISTS", "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.id = b.id AND kind = 1)", 4],
  [
    "EXISTS over a join",
    "SELECT count(*) FROM b WHERE EXISTS (FROM a JOIN c ON a.kind = c.id WHERE b.id = a.id)",
    11,
  ],
])("a live table gets the keys of a %s", async (_name, sql, values) => {
  const { asks } = await asked(sql);
  expect(asks.map(({ options }) => options!.filter!.map((one) => one.values.length))).toEqual([[values]]);
});

test.each([
  ["the preserved side of an outer join", "SELECT count(*) FROM b LEFT JOIN a ON a.id = b.id"],
  ["NOT EXISTS", "SELECT count(*) FROM b WHERE NOT EXISTS (SELECT 1 FROM a WHERE a.id = b.id)"],
  ["EXISTS of an aggregate", "SELECT count(*) FROM b WHERE EXISTS (SELECT max(id) FROM a WHERE a.id = b.id)"],
  [
    "EXISTS whose table hides it",
    "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a AS b WHERE b.id = b.kind)",
  ],
  [
    "a computed column",
    "WITH w AS (SELECT id + 1 AS id FROM a) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  ],
  [
    "a union",
    "WITH w AS (SELECT id FROM a UNION SELECT id FROM c) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  ],
  [
    "a CTE with names of its own",
    "WITH w(id, k) AS (SELECT kind, id FROM a) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  ],
  ["the preserved side of a CTE", "WITH w AS (FROM a) SELECT count(*) FROM b LEFT JOIN w ON w.id = b.id"],
  ["NOT IN", "SELECT count(*) FROM b WHERE id NOT IN (SELECT id FROM a)"],
  ["an anti join", "SELECT count(*) FROM b ANTI JOIN a USING (id)"],
  ["another type", "SELECT count(*) FROM b JOIN a ON b.customer = a.id::VARCHAR"],
])("a live table gets no keys of %s", async (_name, sql) => {
  const { asks } = await asked(sql);
  expect(asks.map(({ options }) => options!.filter)).toEqual([undefined]);
});

test("a live table without any wanted key is not asked at all", async () => {
  const { asks, pushed } = await asked("SELECT count(*) FROM a JOIN b USING (id) WHERE a.kind = 99");
  expect(asks).toEqual([]);
  expect(pushed[0]).toMatchObject({ keys: [{ column: "id", values: 0 }], rows: 0 });
});

test("of two live tables, the one with conditions is read first, and its keys limit the other", async () => {
  const { asks } = await asked("SELECT count(*) FROM b JOIN c ON b.id = c.id WHERE c.label = 'c1'", [
    "b",
    "c",
  ]);
  const filters = asks.map(({ table, options }) => [
    table,
    options!.filter!.map(({ column, values }) => [column, values.length]),
  ]);
  expect(filters).toEqual([
    ["c", [["label", 1]]],
    ["b", [["id", 1]]],
  ]);
});

test("a live table that a query names twice is asked once, for what both places want", async () => {
  const { asks } = await asked(
    "WITH w AS (SELECT id, amount FROM b WHERE ok = true) SELECT count(*) FROM w x JOIN w y USING (id), b WHERE b.ok = true",
  );
  expect(asks.map(wanted)).toEqual([
    { columns: ["id", "amount", "ok"], filter: [{ column: "ok", operator: "eq", values: [true] }] },
  ]);
});

test.each([
  ["its own", "SELECT id FROM b LIMIT 3 OFFSET 1", undefined, 4],
  ["that of the answer", "SELECT id FROM b", 5, 6],
  ["the smaller one", "SELECT id FROM b LIMIT 30", 5, 6],
  [
    "none beside a condition, which a connector may leave to us",
    "SELECT id FROM b WHERE id > 1 LIMIT 3",
    undefined,
    undefined,
  ],
  ["none for an aggregate", "SELECT count(*) FROM b LIMIT 3", 5, undefined],
  ["none below an order", "SELECT id FROM b ORDER BY id LIMIT 3", 5, undefined],
  ["none for distinct rows", "SELECT DISTINCT id FROM b LIMIT 3", 5, undefined],
  ["none for a union", "SELECT id FROM b UNION ALL SELECT id FROM a LIMIT 3", 5, undefined],
])("a live table is given a limit: %s", async (_name, sql, rows, limit) => {
  const { asks, pushed } = await asked(sql, ["b"], "read", rows);
  expect(asks.map(({ options }) => options!.limit)).toEqual([limit]);
  expect(pushed[0]!.limit).toBe(limit ?? null);
});

test("a connector with `query` and no `read` serves a remote table in standard SQL", async () => {
  const { asks, pushed } = await asked(
    "SELECT amount FROM b WHERE id >= 3 AND customer IN ('ann', 'it''s') AND customer < 'z' AND seen > '2026-01-01'",
    ["b"],
    "query",
  );
  expect(asks.map(({ sql }) => sql)).toEqual([
    expect.stringContaining('SELECT "id", "customer", "amount", "seen" FROM "shop"."main"."b" WHERE '),
  ]);
  const sql = asks[0]!.sql!;
  expect(sql).toContain(`("id" >= 3)`);
  expect(sql).toContain(`"customer" IN ('ann', 'it''s')`);
  // Engines order texts in different ways, and mean different moments.
  expect(sql).not.toContain("'z'");
  expect(sql).not.toContain("2026");
  expect(pushed[0]!.conditions).toHaveLength(2);
});

test("a source that answers SQL is given the limit when it counts the rows that the query wants", async () => {
  const limited = await asked("SELECT id FROM b WHERE id > 3 LIMIT 2", ["b"], "query");
  expect(limited.asks[0]!.sql).toEndWith('WHERE ("id" > 3) LIMIT 2');
  // Where case does not count it would find other rows as well, and stop at them.
  const texts = await asked("SELECT id FROM b WHERE customer = 'ann' LIMIT 2", ["b"], "query");
  expect(texts.asks[0]!.sql).toEndWith(`WHERE "customer" IN ('ann')`);
});

const NOTHING = { columns: [], conditions: [], keys: [], limit: 0, rows: 0 };

test.each([
  "DESCRIBE b",
  "SHOW b",
  "DESCRIBE s.b",
  "DESCRIBE SELECT a.id, b.* FROM a JOIN b USING (id) WHERE b.amount > 2",
  "SELECT x.column_name FROM (DESCRIBE b) x JOIN (DESCRIBE b) y USING (column_name)",
  "SELECT count(*) FROM (DESCRIBE b), (SHOW TABLES)",
  "WITH w AS (FROM b) SELECT count(*) FROM (DESCRIBE w)",
  "WITH w AS (FROM b), x AS (SELECT id FROM w) SELECT * FROM (DESCRIBE x)",
  "WITH w AS (FROM b) SELECT count(*) FROM (DESCRIBE WITH x AS (FROM w) FROM x)",
  "WITH w AS (FROM b) SELECT 1",
  "WITH RECURSIVE b AS (SELECT id FROM b UNION SELECT id + 1 FROM b WHERE id < 9) SELECT 1",
  "DESCRIBE PIVOT b ON ok IN (true, false) USING count(*)",
  "DESCRIBE SELECT * FROM (PIVOT b ON ok IN (true, false) USING count(*))",
  "EXPLAIN SELECT * FROM b",
  "EXPLAIN SELECT * FROM a JOIN b USING (id) WHERE b.amount > 2",
  "EXPLAIN DESCRIBE b",
  "EXPLAIN SUMMARIZE b",
  "EXPLAIN PIVOT b ON ok IN (true, false) USING sum(amount)",
])("%s asks the connector of a live table for nothing", async (sql) => {
  for (const by of ["read", "query"] as const) {
    const { asks, pushed } = await asked(sql, ["b"], by);
    expect(asks).toEqual([]);
    expect(pushed).toEqual([NOTHING]);
  }
});

test("DESCRIBE shows all columns of a live table, also beside a query of some rows of it", async () => {
  const { agnes, asks } = await shopOf(["b"], "read");
  asks.length = 0;
  const described = await agnes.rows("DESCRIBE b");
  expect(described.map((row) => [row["column_name"], row["column_type"]])).toEqual([
    ["id", "BIGINT"],
    ["customer", "VARCHAR"],
    ["amount", "BIGINT"],
    ["day", "DATE"],
    ["seen", "TIMESTAMP"],
    ["ok", "BOOLEAN"],
  ]);
  expect(asks).toEqual([]);
  const sql = "SELECT count(*) AS n, count(DISTINCT b.amount) AS m FROM b, (DESCRIBE b) AS d WHERE b.id = 3";
  expect(await agnes.rows(sql)).toEqual([{ n: 18, m: 2 }]);
  expect(asks.map(({ options }) => options!.filter)).toEqual([
    [{ column: "id", operator: "eq", values: [3n] }],
  ]);
});

test("DESCRIBE of a common table expression reads nothing, and who reads it reads all the same", async () => {
  const { agnes, asks } = await shopOf(["b"], "read");
  asks.length = 0;
  const sql = "WITH w AS (FROM b) SELECT (SELECT count(*) FROM w) AS n, count(*) AS m FROM (DESCRIBE w)";
  expect(await agnes.rows(sql)).toEqual([{ n: 40, m: 6 }]);
  const inner = "WITH b AS (FROM b) SELECT count(*) AS n FROM (WITH c AS (FROM b) FROM c)";
  expect(await agnes.rows(inner)).toEqual([{ n: 40 }]);
  const recursive =
    "WITH RECURSIVE w(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM w, b WHERE i < 1 AND b.id = 3) SELECT max(i) AS n FROM w";
  expect(await agnes.rows(recursive)).toEqual([{ n: 1 }]);
  expect(asks).toHaveLength(3);
});

test("Agnes.describe() asks the connector of a live table for no rows", async () => {
  const { agnes, asks } = await shopOf(["b"], "read");
  asks.length = 0;
  expect((await agnes.describe("b")).schema).toHaveLength(6);
  expect(asks).toEqual([]);
});

test("DESCRIBE of a PIVOT whose columns only the rows of a live table tell reads it once", async () => {
  const { agnes, asks } = await shopOf(["b"], "read");
  asks.length = 0;
  const rows = await agnes.rows("DESCRIBE PIVOT b ON ok USING sum(amount) GROUP BY customer");
  expect(rows.map((row) => row["column_name"])).toEqual(["customer", "false", "true"]);
  expect(asks).toHaveLength(1);
});

test("SUMMARIZE reads a live table once", async () => {
  const { asks } = await asked("SUMMARIZE b");
  expect(asks).toHaveLength(1);
});

test.each([
  "EXPLAIN SELECT * FROM b",
  "EXPLAIN SELECT a.kind, count(*) FROM a JOIN b USING (id) WHERE b.amount > 2 GROUP BY ALL",
  "EXPLAIN SELECT count(*) FROM s.b WHERE id = 3 OR customer LIKE 'a%'",
  "EXPLAIN SELECT 1 FROM b x, s.b y",
  "EXPLAIN WITH w AS MATERIALIZED (FROM b) FROM w, w x",
  "EXPLAIN SUMMARIZE b",
  "EXPLAIN PIVOT b ON ok IN (true, false) USING sum(amount)",
])("%s shows the scan of a live table, and nothing of how Agnes reads it", async (sql) => {
  const { agnes } = await shopOf(["b"], "read");
  const [row] = await agnes.rows(sql);
  expect(row!["explain_value"]).toContain("LIVE_SCAN");
  expect(row!["explain_value"]).not.toMatch(/agnes|wait|sleep/i);
});

test("EXPLAIN refuses a PIVOT of a live table whose columns only its rows tell", async () => {
  const { agnes, asks } = await shopOf(["b"], "read");
  asks.length = 0;
  for (const sql of ["EXPLAIN PIVOT b ON ok", "EXPLAIN PIVOT (SELECT ok FROM b JOIN a USING (id)) ON ok"]) {
    const failure = await run(agnes, sql).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "sql_not_allowed",
      message: expect.stringContaining("s.b"),
    });
  }
  expect(asks).toEqual([]);
});

test("a live table beside a list of tables is asked for the rows that the query wants", async () => {
  const { asks } = await asked("SELECT b.id FROM b, (SHOW TABLES) AS t WHERE b.id = 3 AND t.name = 'b'");
  expect(asks.map(({ options }) => options!.filter)).toEqual([
    [{ column: "id", operator: "eq", values: [3n] }],
  ]);
});

test("a live table that a SEMI join hides is asked for the conditions of that join, and of none outside it", async () => {
  const { asks } = await asked(
    "WITH w AS (SELECT 3 AS k, 50 AS amount) " +
      "SELECT count(*) FROM a JOIN (w SEMI JOIN b ON k = b.id AND b.ok = true) ON amount = 50 AND a.id = amount",
  );
  expect(asks.map(({ options }) => options!.filter)).toEqual([
    [{ column: "ok", operator: "eq", values: [true] }],
  ]);
});

test("more than 10,000 keys are not passed on", async () => {
  using folder = temporaryFolder();
  const asks: Ask[] = [];
  await using agnes = await openLiveShop(folder.path, { remote: ["b"], asks, more: 10_001 });
  await run(agnes, "SELECT count(*) FROM a JOIN b ON a.id = b.id");
  await run(agnes, "SELECT count(*) FROM a JOIN b ON a.id = b.id WHERE a.id <> 7");
  expect(asks.map(({ options }) => options!.filter?.map(({ values }) => values.length))).toEqual([
    undefined,
    [10_000],
  ]);
});
