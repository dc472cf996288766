import { afterAll, beforeAll, expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import type { QuerySession } from "../../lib/query/session.ts";
import { published, rowsOf } from "./published.ts";

let shared: Awaited<ReturnType<typeof published>>;
let session: QuerySession;
beforeAll(async () => {
  shared = await published();
  session = shared.session;
});
afterAll(() => shared[Symbol.asyncDispose]());

async function codeOf(sql: string): Promise<string> {
  const error = await rowsOf(session, sql).catch((thrown: unknown) => thrown);
  return error instanceof AgnesError ? `${error.code} ${error.message}` : "answered";
}

test.each([
  "SELECT printf('%*d', 2147483647, 1)",
  "SELECT printf('%.*f', 2147483647, 1.0)",
  "SELECT printf('a%%%-020000000d', 1)",
  "SELECT printf('%.2000000000f', 1.0)",
  "SELECT PRINTF('%' || '*d', 2147483647, 1)",
  "SELECT format('{:2147483647}', 1)",
  "SELECT format('{:>2000000000}', 'x')",
  "SELECT format('{:.2000000000f}', 1.0)",
  "SELECT format('{{{:{}}', 1, 2000000000)",
  "SELECT format('{0:*^{1}}', 'x', 2000000000)",
  "SELECT ('{:2147483647}').format(1)",
  "SELECT f.format(1) FROM (SELECT '{:2147483647}' AS f)",
  "SELECT main.format('{}', 1)",
])("a width that would take gigabytes is rejected: %s", async (sql) => {
  expect(await codeOf(sql)).toStartWith("sql_not_allowed");
});

test("formats with ordinary widths are accepted", async () => {
  const sql = `SELECT printf('%5d|%-4s|%.2f|100%% 20261126', 1, 'a', 2.5) AS p,
    format('{:>5}|{:.2f}|{{20261126}} {}', 1, 2.5, 'x') AS f, ('{}!').format('m') AS m`;
  expect(await rowsOf(session, sql)).toEqual([
    { p: "    1|a   |2.50|100% 20261126", f: "    1|2.50|{20261126} x", m: "m!" },
  ]);
});

test("a PIVOT returns at most 10,000 columns", async () => {
  const pivot = (values: number) =>
    `SELECT count(*) AS n FROM (PIVOT (FROM range(${values}) t(r)) ON r USING count(*))`;
  expect(await codeOf(pivot(10_001))).toContain("10000");
  expect(await codeOf(pivot(500))).toBe("answered");
});
