import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError } from "../../lib/base/mod.ts";
import type { QueryLimits } from "../../lib/kit/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { published, rowsOf } from "./published.ts";

const SECRET = "t0p-s3cret-value";

let shared: Awaited<ReturnType<typeof published>>;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = shared.session;
  await writeFile(join(shared.data, "secret.csv"), `a,b\n${SECRET},2\n`);
  await writeFile(join(shared.data, "extracts", "crm", "data", "orders.csv"), `a,b\n${SECRET},2\n`);
  process.env["AGNES_TEST_ATTACK"] = SECRET;
});
afterAll(async () => {
  delete process.env["AGNES_TEST_ATTACK"];
  await shared[Symbol.asyncDispose]();
});

/** The code of the error, or the rows as text. */
async function outcomeOf(text: string, limits: QueryLimits = {}): Promise<string> {
  const sql = text.replaceAll("{data}", shared.data).replaceAll("{variable}", "AGNES_TEST_ATTACK");
  try {
    const rows = await rowsOf(session, sql, { limits: { maxRows: 5, timeoutMs: 10_000, ...limits } });
    return JSON.stringify(rows, (_key, value: unknown) =>
      typeof value === "bigint" ? Number(value) : value,
    );
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    expect(error.message + (error.hint ?? "")).not.toContain(SECRET);
    return error.code;
  }
}

const refused: Readonly<Record<string, readonly string[]>> = {
  "a file by a name that DuckDB would replace": [
    "FROM '{data}/extracts/crm/data/orders.parquet'",
    'FROM "{data}/extracts/crm/data/orders.parquet"',
    "FROM '{data}/extracts/crm/data/orders.csv'",
    "FROM '{data}/extracts/crm/extract.duckdb'",
    "FROM 'file://{data}/secret.csv'",
    "FROM '~/.ssh/id_rsa'",
    'FROM "secret.csv"',
    "FROM secret.csv",
    'FROM crm."orders.csv"',
    "FROM 'data/*.parquet'",
    "FROM orders SELECT (FROM '{data}/secret.csv')",
    "FROM orders SEMI JOIN '{data}/secret.csv' ON true",
    "WITH b AS (SELECT * FROM 'secret.csv'), \"secret.csv\" AS (SELECT 1) SELECT * FROM b",
    "SELECT * FROM (WITH \"secret.csv\" AS (SELECT 1) SELECT 1), 'secret.csv'",
  ],
  "a function that reads": [
    "FROM read_csv('{data}/secret.csv')",
    "FROM READ_CSV_AUTO('{data}/secret.csv')",
    "FROM read_json('{data}/secret.csv')",
    "FROM read_text('{data}/secret.csv')",
    "FROM \"read_blob\"('{data}/secret.csv')",
    "FROM read_duckdb('{data}/extracts/crm/extract.duckdb')",
    "FROM glob('{data}/*')",
    "FROM parquet_metadata('{data}/extracts/crm/data/orders.parquet')",
    "FROM parquet_kv_metadata('{data}/extracts/crm/data/orders.parquet')",
    "FROM sqlite_scan('{data}/x.db', 't')",
    "FROM postgres_scan('host=localhost', 'public', 't')",
    "FROM iceberg_scan('{data}')",
    "FROM delta_scan('{data}')",
    "FROM st_read('{data}/secret.csv')",
    "FROM read_xlsx('{data}/x.xlsx')",
    "SELECT * FROM unnest((SELECT list(content) FROM read_text('{data}/secret.csv')))",
    "FROM repeat((SELECT content FROM read_text('{data}/secret.csv')), 1)",
    "FROM json_each((SELECT content FROM read_text('{data}/secret.csv')))",
    "SELECT ARRAY(SELECT content FROM read_text('{data}/secret.csv'))",
    "FROM orders PIVOT (count(*) FOR customer IN (SELECT content FROM read_text('{data}/secret.csv')))",
    "FROM arrow_scan(1, 1, 1)",
    "FROM agnes_scan('1')",
  ],
  "SQL in a text": [
    "FROM query('FROM read_text(''{data}/secret.csv'')')",
    "FROM query_table('orders')",
    "FROM query_table(['orders', 'customers'])",
    "FROM query_table('{data}/secret.csv')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT json_deserialize_sql('{}')",
    "FROM sql_auto_complete('SELECT ')",
    "PRAGMA json_execute_serialized_sql('{}')",
  ],
  "the environment, settings or the server's own state": [
    "SELECT getenv('{variable}')",
    "SELECT '{variable}'.getenv()",
    "SELECT [getenv(x) FOR x IN ['{variable}']]",
    "SELECT [x FOR x IN ['a'] IF getenv('{variable}') IS NOT NULL]",
    "SELECT MAP {'a': getenv('{variable}')}",
    "SELECT error(getenv('{variable}'))",
    "SELECT getenv('{variable}') OVER ()",
    "SELECT sum(1) OVER w FROM orders WINDOW w AS (ORDER BY getenv('{variable}'))",
    "FROM range(3, x := getenv('{variable}'))",
    "FROM orders AT (TIMESTAMP => getenv('{variable}'))",
    "SELECT * FROM orders LIMIT getenv('{variable}')%",
    "SELECT 1::DECIMAL(getenv('{variable}')::INT, 1)",
    "SELECT current_setting('secret_directory')",
    "SELECT current_query()",
    "SELECT getvariable('x')",
    "FROM duckdb_secrets()",
    "FROM duckdb_databases()",
    "FROM duckdb_settings()",
    "FROM duckdb_views()",
    "FROM duckdb_views",
    "FROM duckdb_logs()",
    "FROM duckdb_temporary_files()",
    "FROM duckdb_external_file_cache()",
    "FROM pragma_database_list()",
    "FROM which_secret('s3://bucket', 's3')",
    "FROM pg_views",
    "FROM sqlite_master",
    "FROM information_schema.schemata",
    'FROM "_agnes".sources',
    "FROM (SHOW DATABASES)",
  ],
  "another catalog": [
    'FROM "agnes:analytics"."_agnes".sources',
    'FROM "agnes:extract:erp".main.inside',
    'FROM "agnes:session".crm.orders',
    "FROM system.main.duckdb_views",
    "FROM system.information_schema.tables",
    "FROM temp.main.orders",
    "FROM memory.orders",
    "FROM main.main.orders",
  ],
  "what is not one SELECT": [
    "COPY (SELECT 1) TO '{data}/written.csv'",
    "COPY orders FROM '{data}/secret.csv'",
    "ATTACH '{data}/secret.csv' AS x",
    "FORCE INSTALL httpfs",
    "LOAD '{data}/x.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "SET VARIABLE x = 1",
    "SET schema = 'crm'",
    "RESET ALL",
    "CREATE SECRET x (TYPE s3)",
    "CREATE OR REPLACE TEMP VIEW orders AS SELECT 1",
    "COMMENT ON VIEW orders IS 'x'",
    "MERGE INTO orders USING customers ON true WHEN MATCHED THEN DELETE",
    "WITH x AS (INSERT INTO orders VALUES (1) RETURNING *) FROM x",
    "WITH x AS (SELECT 1) DELETE FROM orders",
    "PREPARE p AS SELECT 1; EXECUTE p",
    "EXECUTE p('x')",
    "DEALLOCATE p",
    "SELECT 1;\u00a0SELECT 2",
    "SELECT 1;/* */SELECT 2",
    "SELECT 1;--\nSELECT 2",
    "SELECT $1",
    "SELECT $name",
    "FROM (EXPLAIN SELECT 1)",
    "FROM (CALL duckdb_settings())",
    "ANALYZE",
    "FORCE CHECKPOINT",
    ".read x",
  ],
};

describe("runQuery() refuses", () => {
  for (const [what, attempts] of Object.entries(refused)) {
    test(what, async () => {
      const through: string[] = [];
      for (const attempt of attempts) {
        const result = await outcomeOf(attempt);
        const refusals = ["sql_not_allowed", "sql_malformed", "table_unknown", "parameters_invalid"];
        if (!refusals.includes(result)) {
          through.push(`${attempt} → ${result}`);
        }
      }
      expect(through).toEqual([]);
      expect(await readdir(shared.data)).not.toContain("written.csv");
    });
  }

  test("SQL that would crash DuckDB", async () => {
    const deep = "(repeat('[', 300000) || repeat(']', 300000))";
    for (const call of [
      `json_structure(${deep})`,
      `json_group_structure(${deep})`,
      `json_contains(${deep}, '1')`,
      `json_merge_patch('{}', ${deep})`,
      `from_json('[]', ${deep})`,
      `json_transform_strict('[]', ${deep})`,
      `${deep}::JSON::VARIANT`,
      `TRY_CAST(${deep}::JSON AS VARIANT[])`,
      `CAST({'a': ${deep}::JSON} AS STRUCT(a VARIANT))`,
      "list_aggregate([1.5], 'reservoir_quantile', [])",
      "reservoir_quantile(1.5, [])",
      "enum_range_boundary(NULL::ENUM('a'), NULL)",
    ]) {
      expect([call, await outcomeOf(`SELECT ${call}`)]).toEqual([call, "sql_not_allowed"]);
    }
    // The others are not affected.
    for (const call of [
      `json_valid(${deep})`,
      `len(${deep}::JSON::VARCHAR)`,
      `json_type(${deep})`,
      `(SELECT count(*) FROM json_each(${deep}))`,
      `len(json_pretty(${deep}))`,
    ]) {
      expect([call, (await outcomeOf(`SELECT ${call}`, { maxRows: 0 })).slice(0, 3)]).not.toEqual([
        call,
        "sql",
      ]);
    }
  });
});

test("runQuery() accepts a name that looks like a file if the SQL defines it", async () => {
  expect(await outcomeOf('WITH "Secret.csv" AS (SELECT 1 AS a) FROM "secret.csv"')).toBe('[{"a":1}]');
  expect(await outcomeOf("SELECT $$; COPY x TO '/y' --$$ AS a;;")).toBe(`[{"a":"; COPY x TO '/y' --"}]`);
  expect(await readFile(join(shared.data, "secret.csv"), "utf8")).toContain(SECRET);
});

describe("runQuery() returns in time", () => {
  test("if nested expressions would take minutes to plan", async () => {
    for (const sql of [
      `SELECT 1${"+1".repeat(900)}`,
      `SELECT 'a'${"||'a'".repeat(900)}`,
      `SELECT ${"abs(".repeat(900)}1${")".repeat(900)}`,
      `SELECT ${"[".repeat(900)}${"]".repeat(900)}`,
    ]) {
      const started = performance.now();
      expect(await outcomeOf(sql)).toBe("sql_failed");
      expect(performance.now() - started).toBeLessThan(30_000);
    }
    expect(await outcomeOf(`SELECT 1${"+1".repeat(99)} AS n`)).toBe('[{"n":100}]');
  });

  test.each([
    ["parses", `SELECT concat(${"1,".repeat(40_000)}1), true${" AND true".repeat(4_900)} AS a`],
    ["plans", `SELECT ${Array.from({ length: 2 }, () => `'a'${"||'a'".repeat(240)}`).join(", ")}`],
  ])("while DuckDB %s and ignores interrupts, and also the next query", async (_what, sql) => {
    await using own = await published();
    const started = performance.now();
    const slow = rowsOf(own.session, sql, { limits: { timeoutMs: 20 } });
    const failure = await slow.catch((error: unknown) => error);
    expect((failure as AgnesError).code).toBe("timed_out");
    expect(performance.now() - started).toBeLessThan(1000);
    expect(await rowsOf(own.session, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});
