import { afterAll, beforeAll, expect, test } from "bun:test";

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

async function refusalOf(sql: string): Promise<string | null> {
  // DuckDB must not be called: parsing would take half a minute and cannot be stopped.
  const none = new Proxy(connection, {
    get(_, name) {
      throw new Error(`DuckDB was called: ${String(name)}`);
    },
  });
  const error = await guardQuery(none, sql).catch((thrown: unknown) => thrown);
  return error instanceof AgnesError ? `${error.code} ${error.message}` : null;
}

test.each([
  ["AND", `SELECT true${" AND true".repeat(60_000)}`],
  ["or in any case", `SELECT 1 FROM t WHERE ${"a=1oR(b=2)Or ".repeat(4_000)} true`],
  ["AND after a comment that a carriage return ends", `SELECT true --\r${" AND true".repeat(60_000)}`],
  ["both together", `SELECT true${" AND (true OR false)".repeat(3_000)}`],
])("guardQuery() rejects thousands of conditions without calling DuckDB: %s", async (_, sql) => {
  expect(await refusalOf(sql)).toStartWith(
    "sql_not_allowed this SQL is not allowed: it has more than 5,000 AND and OR",
  );
});

test.each([
  ["a list", `SELECT 1 IN (${"1,".repeat(200_000)}1)`],
  ["arguments", `SELECT concat(${"1,".repeat(200_000)}1)`],
  ["operators", `SELECT 1${"+1".repeat(200_000)}`],
])("guardQuery() rejects hundreds of thousands of values without calling DuckDB: %s", async (_, sql) => {
  expect(await refusalOf(sql)).toContain("it has more than 100,000 tokens");
});

test("guardQuery() accepts long lists, and keywords in strings, names and comments", async () => {
  const list = `SELECT 1 IN (${"1,".repeat(20_000)}1)`;
  const sql = `SELECT '${" and ".repeat(10_000)}' AS "${"or ".repeat(10)}" -- ${"or ".repeat(10_000)}`;
  expect((await guardQuery(connection, list)).tables).toEqual([]);
  expect((await guardQuery(connection, sql)).tables).toEqual([]);
});

test("Connection.stopWith() stops statements without their own signal", async () => {
  await using own = await database.connect();
  const stop = new AbortController();
  own.stopWith(stop.signal);
  const running = own.rows("SELECT count(*) FROM range(1000000) a, range(1000000) b");
  const failing = running.catch((error: unknown) => (error as AgnesError).code);
  stop.abort(new AgnesError("timed_out", { what: "the query", timeoutMs: 1 }));
  expect(await failing).toBe("timed_out");
});
