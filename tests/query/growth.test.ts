import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import type { QuerySession } from "../../lib/query/mod.ts";
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

describe("texts as long as a product are refused before they are made", () => {
  test.each([
    "SELECT strlen(replace(repeat('a', 60000), 'a', repeat('b', 10000)))",
    "SELECT strlen(regexp_replace(repeat('a', 60000), 'a', repeat('b', 10000), 'g'))",
    "SELECT strlen(regexp_replace(repeat('a', 60000), 'A', repeat('b', 10000), 'gi'))",
    "SELECT strlen(regexp_replace(repeat('a', 10000), '(.*)', repeat('\\1', 60000)))",
    "SELECT max(strlen(replace(label, 'o', repeat('x', 1000000)))) FROM orders",
    "SELECT max(strlen(label.replace('o', repeat('x', 1000000)))) FROM orders",
    "SELECT max(strlen(regexp_replace(label, 'o', repeat('x', 1000000)))) FROM orders",
    "SELECT max(strlen(replace(x, 'a', x))) FROM (SELECT repeat('a', 60000) AS x) t, orders",
    "SELECT max(strlen(repeat(label, 100000))) FROM orders",
    "SELECT max(strlen(repeat('x', 1000000 + (random())::INT))) FROM orders",
    "SELECT max(strlen(lpad(label, 1000000, 'x'))) FROM orders",
    "SELECT max(strlen(rpad(label, 1000000, 'x'))) FROM orders",
  ])("%s", async (sql) => {
    expect(await failureOf(sql)).toMatch(/^sql_failed .*is limited to 100,000(?:,000)? bytes/s);
  });

  test.each([
    "SELECT system.main.replace(label, 'o', label) FROM orders",
    "SELECT main.regexp_replace(label, 'o', label) FROM orders",
    `SELECT ${"replace(".repeat(4)}label${", 'o', label)".repeat(4)}, repeat('x', 9) FROM orders`,
    `SELECT replace(label, 'o', ${"replace(".repeat(3)}label${", 'o', label)".repeat(3)}) FROM orders`,
  ])("a way round is refused: %s", async (sql) => {
    expect(await failureOf(sql)).toStartWith("sql_not_allowed");
  });
});

test("replace and its like give what DuckDB gives, whatever their arguments are", async () => {
  const sql = `SELECT replace(label, 'o', label) AS a, label.replace('o', label) AS b, replace(label, '', label) AS c,
      replace(NULL, 'a', label) AS d, replace(label, 'o', NULL) AS e, regexp_replace(label, '(o)(0)', '<\\2\\1' || label) AS f,
      regexp_replace(label, 'O', label, 'gi') AS g, list_transform([label], lambda s: replace(s, 'o', label)) AS h
    FROM orders WHERE id = 0`;
  const [row] = await rowsOf(session, sql);
  expect(JSON.parse(JSON.stringify(row))).toEqual({
    a: "o00",
    b: "o00",
    c: "o0",
    d: null,
    e: null,
    f: "<0oo0",
    g: "o00",
    h: ["o00"],
  });
  expect(await failureOf("SELECT regexp_replace(label, 'o', label, label) FROM orders")).toContain(
    "takes its options as plain text",
  );
});

test("nested replacements by longer texts are answered", async () => {
  const escaped = [
    ["&", "&amp;"],
    ["<", "&lt;"],
    [">", "&gt;"],
    ['"', "&quot;"],
    ["o", "&ouml;"],
    ["0", "zero"],
  ].reduce((inner, [from, to]) => `replace(${inner}, '${from}', '${to}')`, "label || '<'");
  expect(await rowsOf(session, `SELECT ${escaped} AS t FROM orders WHERE id = 0`)).toEqual([
    { t: "&ouml;zero&lt;" },
  ]);
});

test("long texts of constants, and of texts as long, are answered", async () => {
  const constants = `SELECT max(strlen(repeat('ab', 1000000)))::INT AS a,
    max(strlen(replace(repeat('a', 1000000), 'a', 'bbbbbbbbbb')))::INT AS b FROM orders`;
  expect(await rowsOf(session, constants)).toEqual([{ a: 2_000_000, b: 10_000_000 }]);
  const values = `SELECT max(strlen(replace(x, 'a', 'bbbb' || left(label, 1))))::INT AS c,
    max(strlen(repeat(x, 2 + id::INT % 2)))::INT AS d
    FROM (FROM orders LIMIT 3) o, (SELECT repeat('a', 100000) AS x) t`;
  expect(await rowsOf(session, values)).toEqual([{ c: 500_000, d: 300_000 }]);
});

test("a PIVOT of values that are too long for names of columns is refused", async () => {
  const of = (bytes: number) =>
    `PIVOT (SELECT repeat('a', ${bytes}) || id AS x FROM customers) ON x USING count(*)`;
  expect(await failureOf(of(10_000))).toContain("a value of its PIVOT has more than 1,000 bytes");
  expect(await failureOf(of(999))).toBe("answered");
});
