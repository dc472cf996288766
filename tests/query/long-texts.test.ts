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

async function failureOf(sql: string): Promise<string> {
  const error = await rowsOf(session, sql).catch((thrown: unknown) => thrown);
  return error instanceof AgnesError ? `${error.code} ${error.message}` : "answered";
}

test.each([
  "SELECT strlen(replace(repeat('a', 600000), 'a', repeat('b', 10000)))",
  "SELECT max(strlen(replace(label, 'o', repeat('x', 1000000)))) FROM orders",
  "SELECT max(strlen(label.replace('o', repeat('x', 1000000)))) FROM orders",
  "SELECT max(strlen(regexp_replace(label, 'o', lpad('x', 1000000, 'x')))) FROM orders",
  "SELECT max(strlen(repeat(label, 100000))) FROM orders",
  "SELECT max(strlen(repeat('x', 1000000 + (random())::INT))) FROM orders",
  "SELECT max(strlen(lpad(label, 1000000, 'x'))) FROM orders",
  "SELECT max(strlen(rpad(label, 1000000, 'x'))) FROM orders",
])("strings per row, which DuckDB does not count as memory, are limited: %s", async (sql) => {
  expect(await failureOf(sql)).toMatch(/^sql_failed .*is limited to 100,000 bytes/s);
});

test("a long string from constants is accepted", async () => {
  const sql = "SELECT max(strlen(repeat('ab', 1000000)))::INT AS a FROM orders";
  expect(await rowsOf(session, sql)).toEqual([{ a: 2_000_000 }]);
});

/** Escapes HTML with six nested calls. */
const escaped = (text: string): string =>
  [
    ["&", "&amp;"],
    ["<", "&lt;"],
    [">", "&gt;"],
    ['"', "&quot;"],
    ["'", "&#39;"],
    ["/", "&#47;"],
  ].reduce((inner, [from, to]) => `replace(${inner}, '${from!.replace("'", "''")}', '${to}')`, text);

test.each([
  [`WITH s AS (SELECT 'A' AS a, '<b>' AS html) SELECT ${escaped("html")} AS z FROM s`, "&lt;b&gt;"],
  [`SELECT ${escaped("a")} AS z, lpad('7', 3, '0') AS n FROM (SELECT '<' AS a) s`, "&lt;"],
  [`SELECT list_transform(['<b>'], lambda s: ${escaped("s")})[1] AS z`, "&lt;b&gt;"],
  [`SELECT z FROM (SELECT '<' AS a) q, LATERAL (SELECT ${escaped("q.a")} AS z)`, "&lt;"],
  ["SELECT replace('a', 'a', (SELECT max(label) FROM orders WHERE id = 0)) AS z", "o0"],
  ["SELECT replace(label, label, label || 'x').replace('x', 'y') AS z FROM orders WHERE id = 0", "o0y"],
  ["SELECT regexp_replace(label, '(o)(0)', '<\\2\\1', lower('G')) AS z FROM orders WHERE id = 0", "<0o"],
])("replacements equal those of DuckDB: %s", async (sql, z) => {
  const [row] = await rowsOf(session, sql);
  expect(row).toMatchObject({ z });
});

test("a PIVOT of values that are too long for column names is rejected", async () => {
  const of = (bytes: number) =>
    `PIVOT (SELECT repeat('a', ${bytes}) || id AS x FROM customers) ON x USING count(*)`;
  expect(await failureOf(of(10_000))).toContain("a value of its PIVOT has more than 1,000 bytes");
  expect(await failureOf(of(999))).toBe("answered");
});

test.each(["SELECT error(repeat('x', 20000000))", "SELECT ('x' || repeat('y', 20000000))::INT"])(
  "the message of an error has at most 10,000 characters of a value: %s",
  async (sql) => {
    const message = await failureOf(sql);
    expect(message).toStartWith("sql_failed ");
    expect(message.length).toBeLessThan(11_000);
  },
);
