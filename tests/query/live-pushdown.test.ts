import { expect, test } from "bun:test";

import type { ReadOptions } from "agnes/kit";

import { temporaryFolder } from "../sync/workspace.ts";
import { liveShops, run } from "./live-calls.ts";
import { openLiveShop, type ConnectorCall } from "./live-shop.ts";

const { runLive, shopOf } = liveShops();

/** The pushed-down options of a call. */
function pushedOptions({ options }: ConnectorCall): Pick<ReadOptions, "columns" | "filter" | "limit"> {
  const { signal: _signal, batchRows: _rows, onJob: _onJob, ...rest } = options!;
  return rest;
}

test("the columns and simple conditions of a query are pushed down to a live table, and listed in the receipt", async () => {
  const { calls, receipt, pushed } = await runLive(
    "SELECT customer FROM b WHERE id BETWEEN 2 AND 5 AND 3 <> amount AND day IN (DATE '2026-01-01', '2026-01-02') " +
      "AND ok IS NULL AND customer IS NOT NULL AND lower(customer) < 'z' AND seen > '2026-01-01 01:00'",
  );
  expect(calls.map(pushedOptions)).toEqual([
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
  expect(calls[0]!.options!.filter).toHaveLength(7);
  expect(receipt.remotes[0]).toMatchObject({ id: "s.b", accessMode: "live" });
  expect(pushed[0]!.conditions).toContain('("id" >= 2)');
  expect(pushed[0]!.columns).toEqual(["id", "customer", "amount", "day", "seen", "ok"]);
  expect(pushed[0]!.rows).toBeLessThan(40);
});

test("the values of parameters are pushed down to a live table like literals", async () => {
  using folder = temporaryFolder();
  const calls: ConnectorCall[] = [];
  await using agnes = await openLiveShop(folder.path, { remote: ["b"], calls });
  const params = { from: 2, days: "2026-01-01", name: "c1" };
  const sql = "SELECT customer FROM b WHERE id >= $from AND day = $days AND customer = $name";
  await agnes.rows(sql, { params });
  expect(calls.map(pushedOptions)).toEqual([
    {
      columns: ["id", "customer", "day"],
      filter: expect.arrayContaining([
        { column: "id", operator: "ge", values: [2n] },
        { column: "day", operator: "eq", values: ["2026-01-01"] },
        { column: "customer", operator: "eq", values: ["c1"] },
      ]),
    },
  ]);
});

test("the keys of the other side of a join, filtered by its conditions, are pushed down to a live table", async () => {
  const { calls, pushed } = await runLive("SELECT b.amount FROM a JOIN b ON a.id = b.id WHERE a.kind = 1");
  expect(calls).toHaveLength(1);
  const { columns, filter } = pushedOptions(calls[0]!);
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
])("the keys are pushed down to a live table for a %s", async (_name, sql, values) => {
  const { calls } = await runLive(sql);
  expect(calls.map(({ options }) => options!.filter!.map((one) => one.values.length))).toEqual([[values]]);
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
    "a CTE that renames its columns",
    "WITH w(id, k) AS (SELECT kind, id FROM a) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  ],
  ["the preserved side of a CTE", "WITH w AS (FROM a) SELECT count(*) FROM b LEFT JOIN w ON w.id = b.id"],
  ["NOT IN", "SELECT count(*) FROM b WHERE id NOT IN (SELECT id FROM a)"],
  ["an anti join", "SELECT count(*) FROM b ANTI JOIN a USING (id)"],
  ["another type", "SELECT count(*) FROM b JOIN a ON b.customer = a.id::VARCHAR"],
])("no keys are pushed down to a live table for %s", async (_name, sql) => {
  const { calls } = await runLive(sql);
  expect(calls.map(({ options }) => options!.filter)).toEqual([undefined]);
});

test("the connector is not called if there are no keys", async () => {
  const { calls, pushed } = await runLive("SELECT count(*) FROM a JOIN b USING (id) WHERE a.kind = 99");
  expect(calls).toEqual([]);
  expect(pushed[0]).toMatchObject({ keys: [{ column: "id", values: 0 }], rows: 0 });
});

test("of two live tables, the one with conditions is read first, and its keys filter the other", async () => {
  const { calls } = await runLive("SELECT count(*) FROM b JOIN c ON b.id = c.id WHERE c.label = 'c1'", [
    "b",
    "c",
  ]);
  const filters = calls.map(({ table, options }) => [
    table,
    options!.filter!.map(({ column, values }) => [column, values.length]),
  ]);
  expect(filters).toEqual([
    ["c", [["label", 1]]],
    ["b", [["id", 1]]],
  ]);
});

test("a live table with two references is read once, with the demand of both", async () => {
  const { calls } = await runLive(
    "WITH w AS (SELECT id, amount FROM b WHERE ok = true) SELECT count(*) FROM w x JOIN w y USING (id), b WHERE b.ok = true",
  );
  expect(calls.map(pushedOptions)).toEqual([
    { columns: ["id", "amount", "ok"], filter: [{ column: "ok", operator: "eq", values: [true] }] },
  ]);
});

test.each([
  ["its own", "SELECT id FROM b LIMIT 3 OFFSET 1", undefined, 4],
  ["that of the result", "SELECT id FROM b", 5, 6],
  ["the smaller one", "SELECT id FROM b LIMIT 30", 5, 6],
  [
    "none with a condition, which a connector may ignore",
    "SELECT id FROM b WHERE id > 1 LIMIT 3",
    undefined,
    undefined,
  ],
  ["none for an aggregate", "SELECT count(*) FROM b LIMIT 3", 5, undefined],
  ["none below an order", "SELECT id FROM b ORDER BY id LIMIT 3", 5, undefined],
  ["none for distinct rows", "SELECT DISTINCT id FROM b LIMIT 3", 5, undefined],
  ["none for a union", "SELECT id FROM b UNION ALL SELECT id FROM a LIMIT 3", 5, undefined],
])("a limit is pushed down to a live table: %s", async (_name, sql, rows, limit) => {
  const { calls, pushed } = await runLive(sql, ["b"], "read", rows);
  expect(calls.map(({ options }) => options!.limit)).toEqual([limit]);
  expect(pushed[0]!.limit).toBe(limit ?? null);
});

test("a connector with `query` and no `read` serves a remote table in standard SQL", async () => {
  const { calls, pushed } = await runLive(
    "SELECT amount FROM b WHERE id >= 3 AND customer IN ('ann', 'it''s') AND customer < 'z' AND seen > '2026-01-01'",
    ["b"],
    "query",
  );
  expect(calls.map(({ sql }) => sql)).toEqual([
    expect.stringContaining('SELECT "id", "customer", "amount", "seen" FROM "shop"."main"."b" WHERE '),
  ]);
  const sql = calls[0]!.sql!;
  expect(sql).toContain(`("id" >= 3)`);
  expect(sql).toContain(`"customer" IN ('ann', 'it''s')`);
  // The order of strings and the meaning of timestamps differ between engines.
  expect(sql).not.toContain("'z'");
  expect(sql).not.toContain("2026");
  expect(pushed[0]!.conditions).toHaveLength(2);
});

test("a limit is pushed down to a source with SQL if the source applies all conditions", async () => {
  const limited = await runLive("SELECT id FROM b WHERE id > 3 LIMIT 2", ["b"], "query");
  expect(limited.calls[0]!.sql).toEndWith('WHERE ("id" > 3) LIMIT 2');
  // An engine that ignores case would find other rows as well, and stop at them.
  const texts = await runLive("SELECT id FROM b WHERE customer = 'ann' LIMIT 2", ["b"], "query");
  expect(texts.calls[0]!.sql).toEndWith(`WHERE "customer" IN ('ann')`);
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
])("%s does not call the connector of a live table", async (sql) => {
  for (const by of ["read", "query"] as const) {
    const { calls, pushed } = await runLive(sql, ["b"], by);
    expect(calls).toEqual([]);
    expect(pushed).toEqual([NOTHING]);
  }
});

test("DESCRIBE returns all columns of a live table, also in a query of some of its rows", async () => {
  const { agnes, calls } = await shopOf(["b"], "read");
  calls.length = 0;
  const described = await agnes.rows("DESCRIBE b");
  expect(described.map((row) => [row["column_name"], row["column_type"]])).toEqual([
    ["id", "BIGINT"],
    ["customer", "VARCHAR"],
    ["amount", "BIGINT"],
    ["day", "DATE"],
    ["seen", "TIMESTAMP"],
    ["ok", "BOOLEAN"],
  ]);
  expect(calls).toEqual([]);
  const sql = "SELECT count(*) AS n, count(DISTINCT b.amount) AS m FROM b, (DESCRIBE b) AS d WHERE b.id = 3";
  expect(await agnes.rows(sql)).toEqual([{ n: 18, m: 2 }]);
  expect(calls.map(({ options }) => options!.filter)).toEqual([
    [{ column: "id", operator: "eq", values: [3n] }],
  ]);
});

test("DESCRIBE of a common table expression reads no rows, other references do", async () => {
  const { agnes, calls } = await shopOf(["b"], "read");
  calls.length = 0;
  const sql = "WITH w AS (FROM b) SELECT (SELECT count(*) FROM w) AS n, count(*) AS m FROM (DESCRIBE w)";
  expect(await agnes.rows(sql)).toEqual([{ n: 40, m: 6 }]);
  const inner = "WITH b AS (FROM b) SELECT count(*) AS n FROM (WITH c AS (FROM b) FROM c)";
  expect(await agnes.rows(inner)).toEqual([{ n: 40 }]);
  const recursive =
    "WITH RECURSIVE w(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM w, b WHERE i < 1 AND b.id = 3) SELECT max(i) AS n FROM w";
  expect(await agnes.rows(recursive)).toEqual([{ n: 1 }]);
  expect(calls).toHaveLength(3);
});

test("Agnes.describe() reads no rows of a live table", async () => {
  const { agnes, calls } = await shopOf(["b"], "read");
  calls.length = 0;
  expect((await agnes.describe("b")).schema).toHaveLength(6);
  expect(calls).toEqual([]);
});

test("DESCRIBE of a PIVOT whose columns depend on a live table reads it once", async () => {
  const { agnes, calls } = await shopOf(["b"], "read");
  calls.length = 0;
  const rows = await agnes.rows("DESCRIBE PIVOT b ON ok USING sum(amount) GROUP BY customer");
  expect(rows.map((row) => row["column_name"])).toEqual(["customer", "false", "true"]);
  expect(calls).toHaveLength(1);
});

test("SUMMARIZE reads a live table once", async () => {
  const { calls } = await runLive("SUMMARIZE b");
  expect(calls).toHaveLength(1);
});

test.each([
  "EXPLAIN SELECT * FROM b",
  "EXPLAIN SELECT a.kind, count(*) FROM a JOIN b USING (id) WHERE b.amount > 2 GROUP BY ALL",
  "EXPLAIN SELECT count(*) FROM s.b WHERE id = 3 OR customer LIKE 'a%'",
  "EXPLAIN SELECT 1 FROM b x, s.b y",
  "EXPLAIN WITH w AS MATERIALIZED (FROM b) FROM w, w x",
  "EXPLAIN SUMMARIZE b",
  "EXPLAIN PIVOT b ON ok IN (true, false) USING sum(amount)",
])("%s contains the scan of a live table without internal names", async (sql) => {
  const { agnes } = await shopOf(["b"], "read");
  const [row] = await agnes.rows(sql);
  expect(row!["explain_value"]).toContain("LIVE_SCAN");
  expect(row!["explain_value"]).not.toMatch(/agnes|wait|sleep/i);
});

test("EXPLAIN rejects a PIVOT whose columns depend on a live table", async () => {
  const { agnes, calls } = await shopOf(["b"], "read");
  calls.length = 0;
  for (const sql of ["EXPLAIN PIVOT b ON ok", "EXPLAIN PIVOT (SELECT ok FROM b JOIN a USING (id)) ON ok"]) {
    const failure = await run(agnes, sql).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "sql_not_allowed",
      message: expect.stringContaining("s.b"),
    });
  }
  expect(calls).toEqual([]);
});

test("conditions are pushed down to a live table in a query that also lists tables", async () => {
  const { calls } = await runLive("SELECT b.id FROM b, (SHOW TABLES) AS t WHERE b.id = 3 AND t.name = 'b'");
  expect(calls.map(({ options }) => options!.filter)).toEqual([
    [{ column: "id", operator: "eq", values: [3n] }],
  ]);
});

test("only the conditions of a SEMI join are pushed down to a live table that it hides", async () => {
  const { calls } = await runLive(
    "WITH w AS (SELECT 3 AS k, 50 AS amount) " +
      "SELECT count(*) FROM a JOIN (w SEMI JOIN b ON k = b.id AND b.ok = true) ON amount = 50 AND a.id = amount",
  );
  expect(calls.map(({ options }) => options!.filter)).toEqual([
    [{ column: "ok", operator: "eq", values: [true] }],
  ]);
});

test("more than 10,000 keys are not pushed down", async () => {
  using folder = temporaryFolder();
  const calls: ConnectorCall[] = [];
  await using agnes = await openLiveShop(folder.path, { remote: ["b"], calls, more: 10_001 });
  await run(agnes, "SELECT count(*) FROM a JOIN b ON a.id = b.id");
  await run(agnes, "SELECT count(*) FROM a JOIN b ON a.id = b.id WHERE a.id <> 7");
  expect(calls.map(({ options }) => options!.filter?.map(({ values }) => values.length))).toEqual([
    undefined,
    [10_000],
  ]);
});
