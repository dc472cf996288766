import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError } from "../../lib/base/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { published, rowsOf } from "./published.ts";

let shared: Awaited<ReturnType<typeof published>>;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = shared.session;
  await writeFile(join(shared.data, "secret.csv"), "a,b\n1,2\n");
  await symlink(join(shared.data, "secret.csv"), join(shared.data, "extracts", "crm", "data", "link.csv"));
});
afterAll(() => shared[Symbol.asyncDispose]());

async function failureOf(sql: string): Promise<string> {
  try {
    const rows = await rowsOf(session, sql.replaceAll("{data}", shared.data), { trusted: true });
    return `gave ${rows.length} rows`;
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return error.code;
  }
}

// Without the guard: the locked instance itself must reject all functions that read files.
test.each([
  "FROM read_csv('{data}/secret.csv')",
  "FROM '{data}/secret.csv'",
  "FROM read_text('/etc/passwd')",
  "FROM read_blob('/proc/self/environ')",
  "FROM '/etc/passwd'",
  "FROM glob('/etc/*')",
  "FROM glob('{data}/*')",
  "FROM read_csv('{data}/extracts/crm/data/../../../secret.csv')",
  "FROM read_csv('{data}/extracts/crm/data/link.csv')",
  "FROM read_parquet('https://example.com/x.parquet')",
  "FROM read_parquet('s3://bucket/x.parquet')",
  "FROM sniff_csv('{data}/secret.csv')",
  "FROM query('FROM read_text(''/etc/passwd'')')",
  "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''/etc/passwd'')'))",
])("the sandbox without the guard rejects %s", async (sql) => {
  expect(["sql_failed", "file_unreadable"]).toContain(await failureOf(sql));
});

test.each([
  "COPY (SELECT 1) TO '{data}/extracts/crm/data/orders.parquet' (FORMAT parquet, USE_TMP_FILE false)",
  "EXPORT DATABASE '{data}/extracts/crm/data'",
  "ATTACH '{data}/extracts/crm/data/new.duckdb' AS x",
  "ATTACH ':memory:' AS x",
  "CREATE TABLE memory.main.x (i INT)",
  "DROP VIEW crm.orders",
  "INSTALL httpfs",
  "LOAD httpfs",
  "SET lock_configuration = false",
  "SET enable_external_access = true",
  "SELECT 1; COPY (SELECT 1) TO '{data}/x.csv'",
])("trusted SQL must also be one SELECT: %s", async (sql) => {
  const before = await readFile(join(shared.data, "extracts", "crm", "data", "orders.parquet"));
  expect(await failureOf(sql)).toBe("sql_not_allowed");
  expect(await readFile(join(shared.data, "extracts", "crm", "data", "orders.parquet"))).toEqual(before);
});

test("trusted SQL may call any function, describe tables and read its own state", async () => {
  expect(await failureOf("SHOW TABLES")).toBe("gave 4 rows");
  expect(await failureOf("DESCRIBE orders")).toBe("gave 3 rows");
  expect(await failureOf("SUMMARIZE crm.orders")).toBe("gave 3 rows");
  expect(await failureOf("SELECT current_setting('threads') FROM inside")).toBe("gave 1 rows");
  expect(await failureOf('FROM "_agnes".tables')).toBe("gave 4 rows");
  expect(await failureOf("SELECT * FROM query_table('orders')")).toBe("gave 10000 rows");
});

test("memory of a query is limited, and the next query is not affected", async () => {
  const huge = "SELECT len(list(range)) FROM range(1000000000)";
  const failure = await rowsOf(session, huge, { limits: { timeoutMs: 20_000 } }).catch(
    (error: unknown) => error,
  );
  expect(["duckdb_out_of_memory", "disk_full"]).toContain((failure as AgnesError).code);
  expect(await rowsOf(session, "SELECT 1 AS still")).toEqual([{ still: 1 }]);
});
