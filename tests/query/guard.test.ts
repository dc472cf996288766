import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";

import { AgnesError } from "../../lib/base/mod.ts";
import { openDatabase, type Connection, type Database } from "../../lib/duckdb/mod.ts";
import { guardQuery } from "../../lib/query/guard.ts";

let database: Database;
let connection: Connection;
beforeAll(async () => {
  database = await openDatabase();
  connection = await database.connect();
});
afterAll(() => database.close());

async function outcome(sql: string): Promise<string> {
  try {
    const { tables } = await guardQuery(connection, sql);
    return tables
      .map((t) => (t.schema === "" ? t.name : `${t.schema}.${t.name}`))
      .sort()
      .join(" ");
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return error.code;
  }
}

describe("guardQuery() accepts", () => {
  test.each([
    ["SELECT 1", ""],
    ["select 1;", ""],
    ["SELECT 1 -- ; drop table x", ""],
    ["/* copy */ SELECT 1 /* ; */ ;  -- end", ""],
    ["VALUES (1), (2)", ""],
    ["FROM orders", "orders"],
    ["TABLE orders", "orders"],
    ["SELECT * FROM crm.orders", "crm.orders"],
    ['SELECT * FROM "Crm"."Orders"', "Crm.Orders"],
    ["SELECT * FROM main.orders", "main.orders"],
    ["SELECT 'please call us; drop table x', 'last update /etc', \"read_csv\" FROM orders", "orders"],
    ["SELECT 'pragma', 'copy x to y' AS \"insert \" FROM orders WHERE note = '; attach ''/x'''", "orders"],
    ["WITH a AS (SELECT * FROM orders) SELECT * FROM a", "orders"],
    ["WITH A AS (SELECT 1) SELECT * FROM a", ""],
    ["WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b, a", ""],
    ["WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n", ""],
    ["SELECT (WITH a AS (SELECT 1) SELECT * FROM a)", ""],
    [
      "SELECT * FROM orders o, LATERAL (SELECT * FROM customers c WHERE c.id = o.customer) l",
      "customers orders",
    ],
    ["SELECT * FROM orders WHERE id IN (SELECT id FROM customers)", "customers orders"],
    ["SELECT EXISTS (SELECT 1 FROM customers) FROM orders", "customers orders"],
    ["SELECT count(*) FILTER (WHERE id > (SELECT min(id) FROM customers)) FROM orders", "customers orders"],
    ["SELECT id FROM orders ORDER BY (SELECT max(id) FROM customers) LIMIT (SELECT 3)", "customers orders"],
    [
      "SELECT id FROM orders GROUP BY id HAVING count(*) > (SELECT count(*) FROM customers)",
      "customers orders",
    ],
    ["SELECT rank() OVER (PARTITION BY customer ORDER BY id) r FROM orders QUALIFY r = 1", "orders"],
    ["SELECT 1 UNION ALL SELECT id FROM orders EXCEPT SELECT id FROM customers", "customers orders"],
    ["FROM orders PIVOT (count(*) FOR customer IN (1, 2))", "orders"],
    ["UNPIVOT orders ON id", "orders"],
    ["PIVOT orders ON customer USING count(*)", "orders"],
    ["PIVOT (PIVOT orders ON customer) ON label", "orders"],
    ["PIVOT orders ON customer IN (SELECT id FROM customers)", "customers orders"],
    ["FROM (PIVOT orders ON customer IN (1, 2) USING count(*))", "orders"],
    ["SELECT * FROM range(3), generate_series(1, 2), unnest([1, 2])", ""],
    [
      "SELECT list_transform([1], lambda x: x + 1), {a: 1}.a, [1, 2][1], COLUMNS(c -> c LIKE 'x%') FROM orders",
      "orders",
    ],
    [
      "SELECT CASE WHEN id = 1 THEN 'a' ELSE 'b' END, CAST(id AS VARCHAR), id::INT, TRY_CAST(id AS DATE) FROM orders",
      "orders",
    ],
    [
      "SELECT 'a' LIKE 'b', 'a' SIMILAR TO 'b', 'a' ~ 'b', NOT true, 1 IS NULL, 1 BETWEEN 0 AND 2, coalesce(1, 2)",
      "",
    ],
    [
      "SELECT strftime(now(), '%Y'), date_trunc('month', current_date), INTERVAL 1 DAY, TIMESTAMP '2026-01-01'",
      "",
    ],
    ["SELECT * FROM orders a ASOF JOIN orders b ON a.id >= b.id", "orders orders"],
    ["SELECT * FROM orders POSITIONAL JOIN customers", "customers orders"],
    ["SELECT * FROM orders TABLESAMPLE 10%", "orders"],
    [
      "SELECT sum(id), quantile_cont(id, 0.5), string_agg(label, ',' ORDER BY id), approx_count_distinct(id) FROM orders",
      "orders",
    ],
    ["SELECT json_extract('{}', '$.a'), '{}'->>'a' FROM json_each('[1]')", ""],
    ["SELECT a COLLATE nocase FROM (SELECT 'x' AS a)", ""],
    ["SELECT GROUPING(id) FROM orders GROUP BY ROLLUP (id)", "orders"],
    ["SELECT DISTINCT ON (customer) * FROM orders", "orders"],
    ["EXPLAIN SELECT id FROM orders", "orders"],
    ["/* x */ explain -- y\n (FROM orders)", "orders"],
    ["DESCRIBE orders", "orders"],
    ["SUMMARIZE crm.orders", "crm.orders"],
    ["SELECT * FROM (DESCRIBE orders)", "orders"],
    ["SELECT * FROM (SUMMARIZE FROM orders)", "orders"],
    ["SHOW TABLES", ""],
    ["SHOW ALL TABLES", ""],
    ["SELECT * FROM (SHOW TABLES)", ""],
    ["SELECT * FROM information_schema.tables, information_schema.columns", ""],
  ])("%s", async (sql, tables) => {
    expect(await outcome(sql)).toBe(tables);
  });
});

/** Expressions that must not run, to insert at every place of an expression. */
const HOSTILE_EXPRESSIONS = [
  "getenv('HOME')",
  "current_setting('temp_directory')",
  "getvariable('x')",
  "nextval('s')",
  "sleep_ms(1000)",
  "json_serialize_plan('SELECT 1')",
  "\"getenv\"('HOME')",
  "system.main.getenv('HOME')",
  "'HOME'.getenv()",
  "(SELECT content FROM read_text('/etc/passwd'))",
  "(SELECT * FROM '/etc/passwd')",
  "(SELECT * FROM query('SELECT 1'))",
  "(SELECT count(*) FROM other.main.secrets)",
  "(SELECT count(*) FROM duckdb_settings())",
];

const PLACES = [
  "SELECT {}",
  "SELECT 1 FROM orders WHERE {} IS NULL",
  "SELECT 1 FROM orders GROUP BY {}",
  "SELECT 1 FROM orders GROUP BY ALL HAVING {} IS NULL",
  "SELECT 1 FROM orders ORDER BY {}",
  "SELECT 1 FROM orders LIMIT {}",
  "SELECT 1 FROM orders LIMIT 1 OFFSET {}",
  "SELECT 1 FROM orders QUALIFY {} IS NULL",
  "SELECT 1 FROM orders a JOIN orders b ON {} IS NULL",
  "SELECT sum(1) FILTER (WHERE {} IS NULL) FROM orders",
  "SELECT sum(1) OVER (PARTITION BY {}) FROM orders",
  "SELECT sum(1) OVER (ORDER BY {}) FROM orders",
  "SELECT lag(id, 1, {}) OVER () FROM orders",
  "SELECT sum(1) OVER (ORDER BY id ROWS BETWEEN {} PRECEDING AND CURRENT ROW) FROM orders",
  "SELECT string_agg(label, ',' ORDER BY {}) FROM orders",
  "SELECT CASE WHEN {} IS NULL THEN 1 ELSE 2 END",
  "SELECT CASE WHEN true THEN {} ELSE 2 END",
  "SELECT CAST({} AS VARCHAR)",
  "SELECT [1, {}]",
  "SELECT {'a': {}}",
  "SELECT list_transform([1], lambda x: {})",
  "SELECT COLUMNS(c -> {} IS NULL) FROM orders",
  "SELECT * REPLACE ({} AS id) FROM orders",
  "SELECT 1 IN ({})",
  "SELECT 1 BETWEEN {} AND 3",
  "SELECT {} IN (SELECT 1)",
  "SELECT coalesce(NULL, {})",
  "SELECT ({})::VARCHAR COLLATE nocase",
  "SELECT EXISTS (SELECT {})",
  "VALUES (1), ({})",
  "SELECT * FROM range({})",
  "SELECT * FROM (SELECT {}) s",
  "SELECT * FROM orders, LATERAL (SELECT {}) s",
  "WITH a AS (SELECT {}) SELECT 1",
  "WITH a AS MATERIALIZED (SELECT {}) SELECT * FROM a",
  "WITH RECURSIVE a AS (SELECT {} AS x UNION ALL SELECT x FROM a) SELECT * FROM a",
  "WITH RECURSIVE a AS (SELECT 1 AS x UNION ALL SELECT {} FROM a) SELECT * FROM a",
  "SELECT 1 UNION SELECT {}",
  "SELECT 1 EXCEPT (SELECT {})",
  "SELECT DISTINCT ON ({}) id FROM orders",
  "FROM orders PIVOT (sum(id + ({})) FOR customer IN (1))",
  "SELECT 1 FROM orders GROUP BY GROUPING SETS ((id), ({}))",
];

describe("guardQuery() rejects, at any place,", () => {
  for (const expression of HOSTILE_EXPRESSIONS) {
    test(expression, async () => {
      const through: string[] = [];
      for (const place of PLACES) {
        const sql = place.replace("{}", () => expression);
        const code = await outcome(sql);
        // Some pairs are not valid SQL; most must be, otherwise nothing is tested.
        if (code !== "sql_not_allowed" && code !== "sql_malformed") through.push(`${sql} → ${code}`);
      }
      expect(through).toEqual([]);
    });
  }

  test("and most pairs of place and expression are valid SQL", async () => {
    const codes = await Promise.all(
      PLACES.map((place) =>
        outcome(place.replace("{}", () => "(SELECT content FROM read_text('/etc/passwd'))")),
      ),
    );
    expect(codes.filter((code) => code === "sql_malformed").length).toBeLessThanOrEqual(2);
  });
});

describe("guardQuery() rejects", () => {
  const refused = [
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE orders",
    "DROP TABLE orders",
    "DELETE\tFROM orders",
    "INSERT INTO orders VALUES (1)",
    "UPDATE orders SET id = 1",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP MACRO m() AS 1",
    "ALTER TABLE orders ADD COLUMN x INT",
    "COPY orders TO '/tmp/x'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/x' AS x",
    "DETACH x",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 1",
    "RESET threads",
    "PRAGMA database_list",
    "CALL duckdb_settings()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN ANALYZE INSERT INTO orders VALUES (1)",
    "EXPLAIN ANALYZE SELECT 1",
    "EXPLAIN INSERT INTO orders VALUES (1)",
    "EXPLAIN SELECT 1; DROP TABLE orders",
    "EXPLAIN SELECT getenv('HOME')",
    "SHOW DATABASES",
    "SHOW SCHEMAS",
    "SHOW TABLES FROM crm",
    "SELECT * FROM (SHOW VARIABLES)",
    "DESCRIBE 'x.csv'",
    "SUMMARIZE 'x.csv'",
    "SUMMARIZE FROM read_csv('x.csv')",
    "DESCRIBE memory.main.orders",
    "SELECT * FROM system.information_schema.tables",
    "PIVOT orders ON customer IN (SELECT content FROM read_text('x'))",
    "PIVOT orders ON customer IN (SELECT getenv('HOME'))",
    "PIVOT orders ON customer IN (FROM 'x.csv')",
    "PIVOT orders ON customer IN (SELECT 1; DROP TABLE orders)",
    "PIVOT orders ON customer IN (PIVOT orders ON getenv('HOME') || label)",
    "PIVOT orders ON customer IN (EXPLAIN SELECT 1)",
    "SELECT * FROM 'file.parquet'",
    'SELECT * FROM "file.csv"',
    "SELECT * FROM 'https://example.com/x.parquet'",
    "SELECT * FROM 's3://bucket/x'",
    "SELECT * FROM read_parquet('x')",
    "SELECT * FROM \"read_parquet\"('x')",
    "SELECT * FROM main.read_csv('x')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM query_table('orders')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM pragma_table_info('orders')",
    "SELECT * FROM summary((SELECT 1))",
    "SELECT * FROM seq_scan('orders')",
    "SELECT * FROM histogram('orders', 'id')",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM agnes_scan('1')",
    "SELECT * FROM a.b.c",
    'SELECT * FROM "agnes:analytics".main.orders',
    "SELECT * FROM memory.main.orders",
  ];
  test.each(refused)("%s", async (sql) => {
    expect(["sql_not_allowed", "sql_malformed"]).toContain(await outcome(sql));
    expect(await outcome(`${sql};`)).not.toBe("");
    expect(["sql_not_allowed", "sql_malformed"]).toContain(await outcome(`/* x */ -- y\n ${sql} `));
  });

  test("invalid SQL, with place and reason", async () => {
    for (const sql of [
      "",
      ";",
      "-- nothing",
      "selec 1",
      "SELECT 1 FROM",
      "SELECT 'a",
      "\0",
      "SELECT 1\0; DROP TABLE x",
    ]) {
      expect(await outcome(sql)).toBe("sql_malformed");
    }
  });

  test("SQL that is too long or nested too deeply", async () => {
    expect(await outcome(`SELECT '${"x".repeat(1_000_000)}'`)).toBe("sql_too_long");
    expect(await outcome(`SELECT ${"(".repeat(20_000)}1${")".repeat(20_000)}`)).toBe("sql_malformed");
    expect(await outcome(`SELECT ${"1 + ".repeat(900)}1`)).toBe("");
  });

  test("with a hint that contains the next step", async () => {
    const advice = async (sql: string) => {
      try {
        await guardQuery(connection, sql);
        return "";
      } catch (error) {
        return (error as AgnesError).hint;
      }
    };
    expect(await advice("SHOW DATABASES")).toContain("SHOW TABLES");
    expect(await advice("EXPLAIN ANALYZE SELECT 1")).toContain("without ANALYZE");
    expect(await advice("PIVOT orders ON id; PIVOT orders ON id")).toContain("FROM table PIVOT");
    expect(await advice("FROM orders PIVOT (count(*) FOR id IN (SELECT 1))")).toContain(
      "PIVOT table ON column IN (SELECT …)",
    );
    expect(await advice("PIVOT orders ON id IN (1 + 1)")).toContain("List constants");
    expect(await advice("SELECT * FROM 'x.csv'")).toContain("`files` plugin");
    expect(await advice("SELECT uper('x')")).toContain('"upper"');
  });
});

describe("guardQuery() resolves common table expressions in their scope only:", () => {
  test.each([
    [
      "after the expression in the list, not before",
      "WITH b AS (SELECT * FROM c), c AS (SELECT 1) SELECT * FROM b",
      "c",
    ],
    [
      "not inside itself unless it is recursive",
      "WITH orders AS (SELECT * FROM orders) SELECT * FROM orders",
      "orders",
    ],
    [
      "not in the first half of a recursion",
      "WITH RECURSIVE a AS (SELECT 1 FROM a UNION ALL SELECT 1 FROM a) SELECT * FROM a",
      "a",
    ],
    [
      "not outside the subquery that has it",
      "SELECT * FROM (WITH c AS (SELECT 1) SELECT * FROM c) s, c",
      "c",
    ],
    [
      "not beside the scalar that has it",
      "SELECT (WITH c AS (SELECT 1) FROM c), (SELECT max(x) FROM c)",
      "c",
    ],
    ["not if it is qualified", "WITH c AS (SELECT 1) SELECT * FROM main.c", "main.c"],
    [
      "not as `recurring` of another",
      "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 1 FROM a) SELECT * FROM recurring.a",
      "recurring.a",
    ],
    [
      "not if the names are equal only in JavaScript's case folding",
      'WITH "\u212A" AS (SELECT 1) SELECT * FROM k',
      "k",
    ],
    [
      "not in the other arm of a union",
      "(WITH c AS (SELECT 1) SELECT * FROM c) UNION ALL SELECT * FROM c",
      "c",
    ],
  ])("%s", async (_title, sql, tables) => {
    expect(await outcome(sql)).toBe(tables);
  });
});

/** SQL injection strings, if a copy of them is available. */
const ATTACKS = process.env["AGNES_TEST_SQLI"] ?? "";

test("guardQuery() returns an error or a SELECT of tables only for attack strings", async () => {
  const lines = existsSync(ATTACKS)
    ? readdirSync(ATTACKS).flatMap((name) => readFileSync(`${ATTACKS}/${name}`, "utf8").split("\n"))
    : [
        "1' OR '1'='1",
        "'; DROP TABLE users; --",
        "1 UNION SELECT * FROM read_text('/etc/passwd')",
        "x' AND SLEEP(5)#",
      ];
  const odd: string[] = [];
  for (const line of lines) {
    for (const sql of [
      line,
      `SELECT * FROM orders WHERE id = ${line}`,
      `SELECT * FROM orders WHERE label = '${line}'`,
    ]) {
      const code = await outcome(sql).catch((error: unknown) => `threw ${String(error)}`);
      if (code.startsWith("threw")) odd.push(`${sql} → ${code}`);
    }
  }
  expect(odd).toEqual([]);
});
