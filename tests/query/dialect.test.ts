import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import * as arrow from "apache-arrow";
import { parquetReadObjects } from "hyparquet";

import { AgnesError } from "../../lib/base/mod.ts";
import { parseSql, renderSql } from "../../lib/sql/mod.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { encodeResult, openDatabase } from "../../lib/duckdb/mod.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { temporaryData, writeExtract } from "../analytics/extract-files.ts";
import { published, rowsOf, testServices } from "./published.ts";

let shared: Awaited<ReturnType<typeof published>>;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = shared.session;
});
afterAll(() => shared[Symbol.asyncDispose]());

/** The rows as JSON, or the code of the error. */
async function outcomeOf(sql: string, own = session): Promise<string> {
  try {
    const rows = await rowsOf(own, sql, { limits: { maxRows: 3, timeoutMs: 20_000 } });
    return JSON.stringify(
      rows.map((row) => Object.values(row)),
      (_key, value: unknown) => {
        if (typeof value === "bigint") return Number(value);
        return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
      },
    );
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return error.code;
  }
}

describe("runQuery() returns the result of DuckDB:", () => {
  test.each([
    // Functions as methods of columns, of columns of tables, of lambda parameters, of other calls.
    ["SELECT label.upper() FROM orders LIMIT 1", '[["O0"]]'],
    ['SELECT "label".upper() FROM orders LIMIT 1', '[["O0"]]'],
    ["SELECT orders.label.upper() FROM orders LIMIT 1", '[["O0"]]'],
    ["SELECT o.label.replace('o', 'x ').string_split(' ').len() FROM orders o LIMIT 1", "[[2]]"],
    ["SELECT customer.max() FROM orders WHERE label.starts_with('o1')", "[[6]]"],
    [
      "SELECT customer, id.min() FROM orders GROUP BY ALL HAVING min(id) > 4 ORDER BY customer",
      "[[5,5],[6,6]]",
    ],
    ["WITH c AS (SELECT 'a b' AS t) SELECT t.upper(), c.t.string_split(' ').len() FROM c", '[["A B",2]]'],
    ["SELECT main.x.upper() FROM (SELECT 'a' AS x) main", '[["A"]]'],
    ["SELECT list_transform([' a '], lambda x: x.trim().upper()).to_json()", '[["[\\"A\\"]"]]'],
    ["SELECT list_transform([' a '], x -> x.trim()).to_json()", '[["[\\"a\\"]"]]'],
    ["SELECT [x.trim() FOR x IN [' a ', 'b'] IF x.len() > 1].to_json()", '[["[\\"a\\"]"]]'],
    ["SELECT list_reduce([1, 2, 3], lambda x, y: x.add(y))", "[[6]]"],
    ["SELECT COLUMNS(c -> c.starts_with('lab')) FROM orders LIMIT 1", '[["o0"]]'],
    ["SELECT * REPLACE (label.upper() AS label) FROM orders LIMIT 1", '[[0,0,"O0"]]'],
    ["SELECT s.struct_extract('a').abs() FROM (SELECT {a: -1} AS s)", "[[1]]"],
    // Types.
    ["SELECT can_cast_implicitly(1, 2::BIGINT), can_cast_implicitly('a', NULL::INT)", "[[true,false]]"],
    ["SELECT get_type(id), get_type(label) AS t, id FROM orders LIMIT 1", '[["BIGINT","VARCHAR",0]]'],
    ["SELECT get_type(1) AS a, get_type([1]) AS b, [a]", '[["INTEGER","INTEGER[]",["INTEGER"]]]'],
    ["SELECT id.get_type() FROM orders ORDER BY id LIMIT 1; -- end", '[["BIGINT"]]'],
    ["SELECT [get_type(1)]::VARCHAR, get_type({a: 1}) = get_type({a: 2})", '[["[INTEGER]",true]]'],
    ["SELECT {t: get_type(1)}", "sql_not_allowed"],
    ["SELECT typeof(replace_type({a: 1}, NULL::INTEGER, NULL::BIGINT))", '[["STRUCT(a BIGINT)"]]'],
    ["SELECT typeof(cast_to_type('1', id)) FROM orders LIMIT 1", '[["BIGINT"]]'],
    ["SELECT 1::VARIANT", '[["1"]]'],
    [
      "SELECT typeof({a: [1, id]}::VARIANT), variant_typeof(id::VARIANT) FROM orders LIMIT 1",
      '[["VARIANT","INT64"]]',
    ],
    ["SELECT CAST({a: 1}::VARIANT AS STRUCT(a INT)).a", "[[1]]"],
    [`SELECT ('{"a": [1]}'::JSON::VARIANT)::VARCHAR`, `[["{'a': [1]}"]]`],
    ["SELECT list_transform([1], lambda x: x::VARIANT)::VARCHAR", '[["[1]"]]'],
    // Numbers beyond double precision.
    ["SELECT 1e1000, -1e1000, [1e1000][1]", '[["Infinity","-Infinity","Infinity"]]'],
    ["SELECT isnan(1e1000 - 1e1000), isinf(1e1000)", "[[true,true]]"],
    [
      "SELECT 9007199254740993::VARCHAR, 170141183460469231731687303715884105727::VARCHAR",
      '[["9007199254740993","170141183460469231731687303715884105727"]]',
    ],
    // Relations.
    [
      "FROM (FROM orders LIMIT 2) o POSITIONAL JOIN customers c SELECT o.label, c.name LIMIT 1",
      '[["o0","c0"]]',
    ],
    ["FROM orders SELECT id LIMIT 1", "[[0]]"],
    [
      "UNPIVOT (SELECT id, customer FROM orders LIMIT 1) ON id, customer INTO NAME n VALUE v",
      '[["id",0],["customer",0]]',
    ],
    [
      "WITH a AS (FROM orders LIMIT 1) UNPIVOT a ON COLUMNS(* EXCLUDE label)",
      '[["o0","id",0],["o0","customer",0]]',
    ],
    ["SELECT count(*) FROM (UNPIVOT customers ON id)", "[[7]]"],
    // PIVOT whose columns depend on the data.
    [
      "PIVOT (FROM customers LIMIT 2) ON name USING max(id) GROUP BY id ORDER BY id",
      "[[0,0,null],[1,null,1]]",
    ],
    [
      "WITH a AS (FROM customers LIMIT 3) PIVOT a ON id % 2 USING count(*) AS n, max(id) ORDER BY name -- end",
      '[["c0",1,0,0,null],["c1",0,null,1,1],["c2",1,2,0,null]]',
    ],
    [
      "WITH a AS (FROM customers LIMIT 2) PIVOT a ON name, id IN (0, 1) USING list(id)::VARCHAR",
      '[["[0]",null,null,"[1]"]]',
    ],
    [
      "WITH p AS (PIVOT customers ON id > 3 USING count(*)) SELECT sum(COLUMNS(* EXCLUDE name))::INT FROM p",
      "[[4,3]]",
    ],
    [
      "SELECT 'PIVOT x ON y', (SELECT count(*) FROM (PIVOT customers ON name)) /* PIVOT */",
      '[["PIVOT x ON y",7]]',
    ],
    ["PIVOT (SELECT 'it''s' AS a, 1 AS b UNION ALL SELECT NULL, 2) ON a USING max(b)", "[[1]]"],
    [
      // A value that equals the placeholder of the next column.
      `PIVOT (SELECT '''' || 'agnes' || ' pivot 1''' AS a, ', getenv(''HOME'')) --' AS b) ON a, b USING count(*)`,
      "[[1]]",
    ],
    // Over no rows.
    ["PIVOT (FROM customers WHERE false) ON name", "[]"],
    ["PIVOT (SELECT NULL AS a, 1 AS b) ON a USING count(*)", "[[1]]"],
    ["PIVOT (SELECT id FROM customers WHERE false) ON id", "sql_failed"],
    // Nested PIVOT.
    ["SELECT count(*) FROM (PIVOT (PIVOT customers ON name) ON id)", "[[7]]"],
    [
      'WITH c AS (PIVOT (FROM customers LIMIT 2) ON id) PIVOT c ON name USING max("0") ORDER BY ALL',
      "[[0,1,null],[1,null,0]]",
    ],
    // Values from a subquery.
    ["PIVOT customers ON id IN (SELECT id FROM customers WHERE id > 4) USING max(name)", '[["c5","c6"]]'],
    [
      "PIVOT customers ON id IN (SELECT 3 WHERE false) USING count(*) GROUP BY name ORDER BY name LIMIT 1",
      '[["c0"]]',
    ],
    ["PIVOT customers ON id IN (WITH z AS (SELECT 4 AS k) FROM z -- )\n) USING max(name)", '[["c4"]]'],
    [
      "PIVOT customers ON id IN (SELECT max(id) FROM (PIVOT customers ON name USING max(id) GROUP BY id)) USING max(name)",
      '[["c6"]]',
    ],
    ["PIVOT customers ON id IN (SELECT 1), name IN (SELECT 'c1') USING count(*)", "[[1]]"],
    // The expression is not visible there, but the table is.
    [
      "WITH customers AS (SELECT 9 AS id) PIVOT orders ON id IN (SELECT min(id) FROM customers) USING max(label) GROUP BY customer ORDER BY 1 LIMIT 1",
      '[["o0",0]]',
    ],
    ["WITH z AS (SELECT 4 AS k) PIVOT customers ON id IN (FROM z) USING max(name)", "sql_not_allowed"],
    ["PIVOT customers ON id IN (SELECT 1, 2) USING count(*)", "sql_failed"],
    ["PIVOT customers ON (id, name) IN ((1, 'c1')) USING count(*)", "sql_failed"],
    ["FROM customers PIVOT (count(*) FOR (id, name) IN ((1, 'c1'), (2, 'x')))", "[[1,0]]"],
    [
      "WITH a AS (FROM customers) PIVOT a ON name IN ('c1', 'c2') USING max(id) GROUP BY id ORDER BY id",
      "[[0,null,null],[1,1,null],[2,null,2]]",
    ],
    ["WITH p AS (PIVOT customers ON id IN (1) USING count(*)) SELECT count(*) FROM p", "[[7]]"],
    [
      "WITH RECURSIVE t(a, b) USING KEY (a) AS (SELECT 1, 1 UNION SELECT t.a, t.b + 1 FROM t JOIN recurring.t r USING (a) WHERE r.b < 3) FROM t",
      "[[1,3]]",
    ],
    ["VALUES (1, 'a')", '[[1,"a"]]'],
    [
      "SELECT customer, count(*) > 9 FROM orders GROUP BY GROUPING SETS ((customer), ()) ORDER BY 1 LIMIT 1",
      "[[0,true]]",
    ],
    [
      "SELECT id FROM orders QUALIFY row_number() OVER (PARTITION BY customer ORDER BY id DESC) = 1 ORDER BY id LIMIT 1",
      "[[9993]]",
    ],
    ["SELECT max(COLUMNS(* EXCLUDE label)) FROM orders", "[[9999,6]]"],
    ["SELECT name FROM pg_timezone_names() WHERE name = 'Europe/Prague'", '[["Europe/Prague"]]'],
  ])("%s", async (sql, rows) => {
    expect(await outcomeOf(sql)).toBe(rows);
  });
});

/** Calls whose function must be rejected in every form. */
const HOSTILE_METHODS = [
  "read_csv()",
  "read_text()",
  "read_blob()",
  "read_parquet()",
  "glob()",
  "getenv()",
  "current_setting()",
  "getvariable()",
  "query()",
  "query_table()",
  "nextval()",
  "sleep_ms()",
  "pg_sleep()",
  "write_log()",
  "json_serialize_plan()",
  "json_execute_serialized_sql()",
  "setseed()",
  "stats()",
  "which_secret('s3')",
  "getenv().upper()",
  "upper().getenv()",
];

test("runQuery() rejects disallowed functions that are called as methods", async () => {
  const through: string[] = [];
  for (const method of HOSTILE_METHODS) {
    for (const sql of [
      `SELECT ('HOME').${method}`,
      `SELECT label.${method} FROM orders`,
      `SELECT orders.label.${method} FROM orders`,
      `SELECT "orders"."label".${method} FROM orders`,
      `SELECT system.main.${method}`,
      `SELECT main.${method}`,
      `SELECT id FROM orders WHERE label.${method} IS NULL`,
      `SELECT id FROM orders ORDER BY label.upper().${method}`,
      `SELECT list_transform(['HOME'], lambda x: x.${method})`,
      `SELECT list_transform(['HOME'], x -> x.${method})`,
      `SELECT [x.${method} FOR x IN ['HOME']]`,
      `SELECT [x FOR x IN ['HOME'] IF x.${method} IS NULL]`,
      `SELECT COLUMNS(c -> c.${method} IS NULL) FROM orders`,
      `SELECT label.${method} OVER () FROM orders`,
      `FROM ('x.csv').${method}`,
      `FROM orders, LATERAL (SELECT label.${method})`,
      `PIVOT orders ON label.${method} IN (1) USING count(*)`,
      `PIVOT orders ON label || label.${method} USING count(*)`,
      `PIVOT (SELECT label.${method} AS x FROM orders) ON x`,
      `PIVOT orders ON customer USING count(label.${method})`,
      `WITH c AS (SELECT label.${method} AS x FROM orders) PIVOT orders ON customer`,
    ]) {
      const result = await outcomeOf(sql);
      if (result !== "sql_not_allowed" && result !== "sql_malformed") through.push(`${sql} → ${result}`);
    }
  }
  expect(through).toEqual([]);
});

test("runQuery() rejects functions of internal databases", async () => {
  for (const sql of [
    "SELECT \"agnes:extract:erp\".upper('x')",
    "SELECT \"agnes:extract:erp\".main.upper('x')",
    "SELECT \"AGNES:analytics\".main.upper('x')",
    'SELECT sum(1) FILTER ("agnes:session".crm.isnan(1))',
  ]) {
    expect([sql, await outcomeOf(sql)]).toEqual([sql, "sql_not_allowed"]);
  }
});

test("runQuery() returns numbers beyond double precision in all formats", async () => {
  const sql = "SELECT 1e1000 AS high, -1e1000 AS low, {a: [1e1000]} AS nested";
  const encoded = async (format: "json" | "ndjson" | "csv" | "arrow" | "parquet") => {
    const pieces: Uint8Array[] = [];
    for await (const bytes of encodeResult(await session.runQuery({ sql }), format)) pieces.push(bytes);
    return Buffer.concat(pieces);
  };
  const row = { high: "Infinity", low: "-Infinity", nested: { a: ["Infinity"] } };
  expect(JSON.parse(String(await encoded("json")))).toEqual([row]);
  expect(JSON.parse(String(await encoded("ndjson")))).toEqual(row);
  expect(String(await encoded("csv"))).toStartWith("high,low,nested\nInfinity,-Infinity,");
  const table = arrow.tableFromIPC(await encoded("arrow"));
  expect([table.get(0)!["high"], table.get(0)!["low"]]).toEqual([Infinity, -Infinity]);
  const parquet = await encoded("parquet");
  const file = parquet.buffer.slice(parquet.byteOffset, parquet.byteOffset + parquet.byteLength);
  const [first] = await parquetReadObjects({
    file,
    columns: ["high", "low"],
    compressors: { ZSTD: (input) => Bun.zstdDecompressSync(input) },
  });
  expect(first).toEqual({ high: Infinity, low: -Infinity });
});

test("trusted SQL may return types, and columns that depend on the data", async () => {
  const trusted = async (sql: string) => rowsOf(session, sql, { trusted: true });
  expect(await trusted("SELECT get_type(id) AS a, make_type('DATE') AS b FROM orders LIMIT 1")).toEqual([
    { a: "BIGINT", b: "DATE" },
  ]);
  expect(await trusted("PIVOT (SELECT 'x' AS k) ON k USING count(*)::INT")).toEqual([{ x: 1 }]);
});

test("runQuery() rejects VARIANT with unbounded nesting", async () => {
  const deep = "(repeat('[', 300000) || repeat(']', 300000))";
  for (const sql of [
    `SELECT (${deep}::JSON)::VARIANT`,
    `SELECT json_array(${deep})::VARIANT`,
    `SELECT (${deep}->'$')::VARIANT`,
    `SELECT ${deep}::"json"::VARIANT`,
    `SELECT x::VARIANT FROM (SELECT to_json(${deep}) AS x)`,
    `SELECT value::VARIANT FROM json_each(${deep})`,
    `SELECT json::VARIANT FROM json_tree(${deep})`,
    `SELECT '${"[".repeat(900)}${"]".repeat(900)}'::JSON::VARIANT`,
    `SELECT cast_to_type(${deep}::JSON, NULL::VARIANT)`,
    `SELECT replace_type({x: ${deep}::JSON}, NULL::JSON, NULL::VARIANT)`,
    "WITH RECURSIVE t AS (SELECT 0 i, 1::VARIANT v UNION ALL SELECT i + 1, [v]::VARIANT FROM t WHERE i < 20000) SELECT v::VARCHAR FROM t",
    `SELECT ${"[".repeat(30)}1${"]::VARIANT".repeat(30)}`,
    "SELECT list_reduce(range(30000)::VARIANT[], lambda a, x: [a]::VARIANT)",
  ]) {
    expect([sql, await outcomeOf(sql)]).toEqual([sql, "sql_not_allowed"]);
  }
});

test("runQuery() rejects VARIANT if a table has JSON columns", async () => {
  await using folder = await temporaryData();
  await writeExtract(folder.data, "crm", {
    tables: [
      { name: "notes", rows: "SELECT 1 AS id, ['{}'::JSON] AS body" },
      { name: "plain", rows: `SELECT 1 AS id, {"JSON": 1} AS body` },
    ],
  });
  await rebuildAnalytics(testServices(), { dataDirectory: folder.data, owners: null });
  await using own = openQuerySession(testServices(), { dataDirectory: folder.data });
  for (const [sql, result] of [
    ["SELECT body::VARIANT FROM notes", "sql_not_allowed"],
    ["SELECT id::VARIANT FROM notes", "sql_not_allowed"],
    ["SELECT id FROM notes", "[[1]]"],
    ["SELECT typeof(body::VARIANT) FROM plain", '[["VARIANT"]]'],
    ["SELECT typeof(replace_type(body, NULL::INTEGER, NULL::BIGINT)) FROM notes", '[["JSON[]"]]'],
  ] as const) {
    expect([sql, await outcomeOf(sql, own)]).toEqual([sql, result]);
  }
});

test("renderSql() preserves numbers beyond double precision", async () => {
  await using database = await openDatabase();
  const connection = await database.connect();
  const sql =
    "SELECT 1e1000, 9007199254740993, 170141183460469231731687303715884105727, 123456789012345678901234567890.5, 1e22, " +
    "0.30000000000000004e0, '\"n\":9007199254740993, Infinity'";
  const parsed = await parseSql(connection, sql);
  if (parsed.kind !== "select") throw new Error(parsed.kind);
  const rendered = await renderSql(connection, parsed.tree);
  const columns = "SELECT list_transform([COLUMNS(*)::VARCHAR], lambda x: x) FROM";
  expect(await connection.rows(`SELECT a FROM (${columns} (${rendered}) AS t(a, b, c, d, e, f, g))`)).toEqual(
    await connection.rows(`SELECT a FROM (${columns} (${sql}) AS t(a, b, c, d, e, f, g))`),
  );
});
