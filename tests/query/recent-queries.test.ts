import { expect, test } from "bun:test";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { CheckedQueries } from "../../lib/query/checked-queries.ts";
import type { GuardedQuery } from "../../lib/query/guard.ts";
import { RecentQueries } from "../../lib/query/recent-queries.ts";
import { codeOf } from "./workers/isolated.ts";
import { published, rowsOf } from "./published.ts";

const query = (pivots: readonly unknown[] = []) => ({ pivots }) as unknown as GuardedQuery;

test("recent queries are kept by SQL and trust, the longest unused is dropped, and long SQL and PIVOTs are not kept", () => {
  const recent = new RecentQueries();
  const first = query();
  recent.add("SELECT 1", false, first);
  expect(recent.get("SELECT 1", false)).toBe(first);
  expect(recent.get("SELECT 1", true)).toBeUndefined();
  expect(recent.get("select 1", false)).toBeUndefined();
  recent.add("SELECT 2", false, query());
  for (let n = 0; n < 198; n++) recent.add(`FROM t${n}`, false, query());
  expect(recent.get("SELECT 1", false)).toBe(first);
  recent.add("SELECT 3", false, query());
  expect(recent.get("SELECT 1", false)).toBe(first);
  expect(recent.get("SELECT 2", false)).toBeUndefined();
  const long = `SELECT '${"x".repeat(4000)}'`;
  recent.add(long, false, query());
  expect(recent.get(long, false)).toBeUndefined();
  recent.add("PIVOT", false, query([{}]));
  expect(recent.get("PIVOT", false)).toBeUndefined();
});

test("the places of parameters are kept by SQL, but not those of long SQL", async () => {
  await using database = await openDatabase();
  await using connection = await database.connect();
  let parsed = 0;
  const checked = new CheckedQueries((work) => {
    parsed += 1;
    return work(connection);
  });
  const literals = new Map([["v", "1"]]);
  const place = (sql: string) => checked.withValues(sql, literals, new AbortController().signal);
  for (const [sql, count] of [
    ["SELECT $v", 1],
    [`SELECT $v, '${"x".repeat(4000)}'`, 3],
  ] as const) {
    parsed = 0;
    for (let run = 0; run < 3; run++) expect((await place(sql)).sql).toStartWith("SELECT  1 ");
    expect(parsed).toBe(count);
  }
});

test("a query that ran before is checked against the access of each caller", async () => {
  await using shared = await published();
  const { session } = shared;
  const sql = "SELECT count(*) AS n FROM orders";
  const access = (name: string) => ({ access: new Set([name]) });
  for (let round = 0; round < 2; round++) {
    expect(await rowsOf(session, sql)).toEqual([{ n: 10_000n }]);
    expect(await codeOf(rowsOf(session, sql, access("stock")))).toBe("table_unknown");
    expect(await rowsOf(session, sql, access("orders"))).toEqual([{ n: 10_000n }]);
    expect((await rowsOf(session, "SHOW TABLES", access("stock"))).length).toBe(1);
    expect((await rowsOf(session, "SHOW TABLES", access("nothing"))).length).toBe(0);
    const setting = "SELECT current_setting('threads') AS n";
    expect(await rowsOf(session, setting, { trusted: true })).toHaveLength(1);
    expect(await codeOf(rowsOf(session, setting))).toBe("sql_not_allowed");
    const bounded = "SELECT repeat('x', 200000000) AS text";
    expect(await codeOf(rowsOf(session, bounded))).toBe("sql_failed");
  }
});
