import { expect, test } from "bun:test";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { guardQuery } from "../../lib/query/mod.ts";

test.each(["current_database()", "current_catalog()", "pg_catalog.current_database()"])(
  "guardQuery() refuses %s, which names a database of the session",
  async (call) => {
    await using database = await openDatabase();
    await using connection = await database.connect();
    const failing = guardQuery(connection, `SELECT ${call}`);
    expect(failing).rejects.toMatchObject({ code: "sql_not_allowed" });
    await failing.catch(() => {});
  },
);
