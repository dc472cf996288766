import { expect, test } from "bun:test";

import type { AgnesError } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { queryFailure } from "../../lib/query/failure.ts";
import { guardQuery } from "../../lib/query/guard.ts";

test("withoutSettings() removes DuckDB's advice to change settings", async () => {
  await using database = await openDatabase();
  await using connection = await database.connect();
  const deep = `SELECT ${"1 + ".repeat(2000)}1`;
  const malformed = await guardQuery(connection, deep).catch((error: unknown) => error);
  expect((malformed as AgnesError<"sql_malformed">).details.reason).toBe(
    "Max expression depth limit of 1000 exceeded.",
  );
  const scope = { dataDirectory: "/data", home: null, access: null, secrets: [] };
  const sql = "SELECT (SELECT range FROM range(2))";
  const seen = queryFailure(await connection.rows(sql).catch((error: unknown) => error), scope);
  expect((seen as AgnesError).message).toContain("scalar subqueries can only return a single row");
  expect((seen as AgnesError).message).not.toContain("SET ");
});
