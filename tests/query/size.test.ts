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
  // Nothing reaches DuckDB, which could not be stopped: parsing takes it half a minute.
  const none = new Proxy(connection, {
    get(_, name) {
      throw new Error(`DuckDB was asked: ${String(name)}`);
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
])("guardQuery() refuses thousands of conditions before DuckDB sees them: %s", async (_, sql) => {
  expect(await refusalOf(sql)).toStartWith(
    "sql_not_allowed this SQL is not allowed: it has more than 5,000 AND and OR",
  );
});

test.each([
  ["a list", `SELECT 1 IN (${"1,".repeat(200_000)}1)`],
  ["arguments", `SELECT concat(${"1,".repeat(200_000)}1)`],
  ["signs", `SELECT 1${"+1".repeat(200_000)}`],
])("guardQuery() refuses hundreds of thousands of values before DuckDB sees them: %s", async (_, sql) => {
  expect(await refusalOf(sql)).toContain("it has more than 100,000 tokens");
});

test("guardQuery() lets long lists through, and words in texts, names and comments", async () => {
  const list = `SELECT 1 IN (${"1,".repeat(20_000)}1)`;
  const words = `SELECT '${" and ".repeat(10_000)}' AS "${"or ".repeat(10)}" -- ${"or ".repeat(10_000)}`;
  expect((await guardQuery(connection, list)).tables).toEqual([]);
  expect((await guardQuery(connection, words)).tables).toEqual([]);
});

test("Connection.stopWith() ends what is given no signal, so that it can count as lost", async () => {
  await using own = await database.connect();
  const stop = new AbortController();
  own.stopWith(stop.signal);
  const running = own.rows("SELECT count(*) FROM range(1000000) a, range(1000000) b");
  const failing = running.catch((error: unknown) => (error as AgnesError).code);
  stop.abort(new AgnesError("timed_out", { what: "the query", timeoutMs: 1 }));
  expect(await failing).toBe("timed_out");
});
