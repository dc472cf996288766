import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import type { ParamValue, Queries, QueryParams } from "../../lib/query/mod.ts";
import { literalsOf } from "../../lib/query/params/literals.ts";
import { parametersOf, withMarks } from "../../lib/query/params/place-params.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { published, rowsOf } from "./published.ts";

let shop: Awaited<ReturnType<typeof published>>;
beforeAll(async () => {
  shop = await published();
});
afterAll(() => shop[Symbol.asyncDispose]());

const rows = (sql: string, params: QueryParams, options = {}) =>
  rowsOf(shop.session, sql, { params, ...options });
/** The rows of a query by way of JSON: Arrow's own reader drops a byte order mark. */
async function jsonRows(session: Queries, sql: string, params: QueryParams): Promise<unknown> {
  const { bytes } = await session.encodeQuery({ sql, params, format: "json" });
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString());
}
const failure = (sql: string, params: unknown) =>
  rows(sql, params as QueryParams).then(
    () => null,
    (error: { readonly code: string; readonly message: string; readonly hint: string }) => error,
  );

describe("the value of a parameter", () => {
  test.each([
    ["text", "it's", "VARCHAR", "it's"],
    ["empty text", "", "VARCHAR", ""],
    ["a null character", "a\0'b", "VARCHAR", "a\0'b"],
    ["an integer", 5, "INTEGER", "5"],
    ["a negative integer", -5, "INTEGER", "-5"],
    ["the greatest exact number", Number.MAX_SAFE_INTEGER, "BIGINT", "9007199254740991"],
    ["a fraction", 0.1, "DECIMAL(2,1)", "0.1"],
    ["a small fraction", 1e-7, "DOUBLE", "1e-07"],
    ["a bigint", 9007199254740993n, "BIGINT", "9007199254740993"],
    ["the greatest bigint", 2n ** 127n - 1n, "HUGEINT", String(2n ** 127n - 1n)],
    ["the least bigint", 1n - 2n ** 127n, "HUGEINT", String(1n - 2n ** 127n)],
    ["true", true, "BOOLEAN", "true"],
    ["null", null, '"NULL"', null],
    ["a Date", new Date(1_767_225_600_123), "TIMESTAMP WITH TIME ZONE", "2026-01-01 00:00:00.123+00"],
    ["a list", ["a", null, "it's"], "VARCHAR[]", "[a, NULL, 'it\\'s']"],
    ["an empty list", [], '"NULL"[]', "[]"],
  ] as [string, ParamValue, string, string | null][])("%s", async (_name, value, type, text) => {
    expect(await rows("SELECT typeof($v) AS type, $v::VARCHAR AS text", { v: value })).toEqual([
      { type, text },
    ]);
  });

  test("a text is compared as DuckDB compares literals", async () => {
    const sql = "SELECT count(*) AS n FROM orders WHERE id >= $id AND DATE '2026-03-04' = $day";
    expect(await rows(sql, { id: "9998", day: "2026-03-04" })).toEqual([{ n: 2n }]);
  });

  test("a minus before a negative number is no comment", async () => {
    expect(await rows("SELECT 7-$n AS n, -$n AS m", { n: -5 })).toEqual([{ n: 12, m: 5 }]);
  });

  test("a list is for IN", async () => {
    expect(await rows("SELECT id FROM orders WHERE id IN $ids ORDER BY id", { ids: [3, 1] })).toEqual([
      { id: 1n },
      { id: 3n },
    ]);
  });

  test.each([
    ["a number that is not exact", 2 ** 53],
    ["-0", -0],
    ["NaN", NaN],
    ["infinity", Infinity],
    ["a bigint beyond HUGEINT", 2n ** 127n],
    ["half of a surrogate pair", "secret\ud800"],
    ["an object", { secret: 1 }],
    ["undefined", undefined],
    ["a symbol", Symbol("secret")],
    ["an invalid date", new Date(NaN)],
    ["a date before year 1", new Date(-1e14)],
    ["a list of lists", [["secret"]]],
  ])("%s is rejected without its value", async (_name, value) => {
    const error = await failure("SELECT $v AS v", { v: value });
    expect(error).toMatchObject({ code: "parameters_invalid" });
    expect(error!.message + error!.hint).not.toContain("secret");
    expect(error!.message).toContain('"v" ');
  });
});

describe("the forms of parameters", () => {
  test.each<[string, string, QueryParams, unknown]>([
    ["$name", "SELECT $a || $b || $a AS v", { a: "x", b: "y" }, "xyx"],
    ["$1", "SELECT $2 || $1 AS v", ["x", "y"], "yx"],
    ["?", "SELECT ? || ? AS v", ["x", "y"], "xy"],
    ["$1 by name", "SELECT $1 AS v", { 1: "x" }, "x"],
    ["without parameters", "SELECT 'x' AS v", {}, "x"],
    ["a keyword as name", "SELECT $select AS v", { select: "x" }, "x"],
    ["a name with other letters", "SELECT $größe AS v", { größe: "x" }, "x"],
    ["the name of a prototype's property", "SELECT $constructor AS v", { constructor: "x" } as never, "x"],
    ["a cast", "SELECT $1::DATE::VARCHAR AS v", ["2026-03-04"], "2026-03-04"],
    ["in a text", "SELECT '$1' || $1 AS v", ["x"], "$1x"],
    ["in an E-string", "SELECT E'\\'$1' || $1 AS v", ["x"], "'$1x"],
    ["in a dollar-quoted text", "SELECT $$ $1 ? $$ || $a1$ $1 $a1$ || $1 AS v", ["x"], " $1 ?  $1 x"],
    ["in a name", 'SELECT "$1" || $1 AS v FROM (SELECT 7 AS "$1")', ["x"], "7x"],
    ["in a name with a dollar", "SELECT a$1 || $1 AS v FROM (SELECT 7 AS a$1)", ["x"], "7x"],
    ["in comments", "SELECT /* $1 /* ? */ $2 */ $1 -- $3\n AS v", ["x"], "x"],
    ["as a bound", "SELECT ('abcdef')[$1:$2] AS v", [2, 3], "bc"],
    ["in a struct", "SELECT {'a': ?}.a AS v", ["x"], "x"],
    ["without spaces", "SELECT 1 AS v WHERE 'x'=?", ["x"], 1],
    ["as LIMIT", "SELECT range AS v FROM range($1) LIMIT $2", [9, 1], 0n],
    [
      "in an interval",
      "SELECT (DATE '2026-03-04' + INTERVAL $1 DAY)::VARCHAR AS v",
      [1],
      "2026-03-05 00:00:00",
    ],
    ["in CASE", "SELECT CASE $x WHEN 1 THEN 'a' WHEN 2 THEN 'b' END AS v", { x: 2 }, "b"],
    [
      "in PIVOT",
      "SELECT x AS v FROM (PIVOT (SELECT 'x' AS k, 3 AS n) ON k IN ($1) USING first(n))",
      ["x"],
      3,
    ],
    ["in PIVOT without values", "PIVOT (SELECT 'v' AS k, $1 AS n) ON k USING first(n)", [3], 3],
  ])("%s", async (_name, sql, params, value) => {
    expect(await rows(sql, params)).toEqual([{ v: value }]);
    // The second time, the places are known.
    expect(await rows(sql, params)).toEqual([{ v: value }]);
  });

  test("EXPLAIN, DESCRIBE and trusted SQL have parameters too", async () => {
    const plan = await rows("EXPLAIN SELECT label || $1 FROM orders", ["needle"]);
    expect(String(plan[0]!["explain_value"])).toContain("needle");
    expect(await rows("DESCRIBE SELECT $1 AS v", ["x"])).toMatchObject([{ column_type: "VARCHAR" }]);
    expect(await rows("SELECT $1 AS v", ["x"], { trusted: true })).toEqual([{ v: "x" }]);
  });

  test.each<[string, string, unknown, string]>([
    ["a missing value", "SELECT $a, $b", { a: "secret" }, '"b" of the SQL has no value'],
    ["a missing value of a list", "SELECT ?, ?", ["secret"], '"2" of the SQL has no value'],
    ["an unused value", "SELECT $a", { a: 1, b: "secret" }, '"b" is not in the SQL'],
    ["an unused value of a list", "SELECT $2", ["secret", 1], '"1" is not in the SQL'],
    ["a name in another case", "SELECT $A", { a: "secret" }, '"A" of the SQL has no value'],
    ["a name of a prototype", "SELECT $constructor", {}, "has no value"],
    ["both kinds", "SELECT $a, ?", { a: "secret" }, "mixes parameters of the forms $name and ?"],
    ["two kinds of positions", "SELECT $1, ?", ["secret"], "mixes parameters of the forms $1 and ?"],
    ["a text instead", "SELECT $1", "secret", "neither an object nor a list"],
    ["null instead", "SELECT $1", null, "neither an object nor a list"],
  ])("%s is rejected without values", async (_name, sql, params, reason) => {
    const error = await failure(sql, params);
    expect(error).toMatchObject({ code: "parameters_invalid" });
    expect(error!.message).toContain(reason);
    expect(error!.message + error!.hint).not.toContain("secret");
  });

  test("a place that is not that of a value is rejected", async () => {
    const sql = "SELECT $a AS v";
    const marked = withMarks(sql, parametersOf(sql), "mark.");
    expect(() => marked.check([{ value: "mark.0." }])).not.toThrow();
    expect(() => marked.check([{ alias: "mark.0." }])).toThrow("at a place that cannot have a value");
    expect(await failure("SELECT 1 AS $a", { a: "secret" })).toMatchObject({ code: "sql_malformed" });
    expect(await failure("SELECT 1 AS x\u{1f600}$a", { a: "secret" })).toMatchObject({
      code: "sql_malformed",
    });
  });

  test("too many values are rejected", async () => {
    expect(await failure("SELECT $1", [Array.from({ length: 10_001 }, () => 1)])).toMatchObject({
      code: "parameters_invalid",
    });
    expect(await failure("SELECT $1", ["x".repeat(1_000_001)])).toMatchObject({ code: "sql_too_long" });
  });

  test("a parameter without `params` is rejected", async () => {
    const error = await rowsOf(shop.session, "SELECT $a").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "parameters_invalid",
      message: expect.stringContaining('"a" of the SQL has no value'),
      hint: expect.stringContaining("--param"),
    });
  });

  test("an error has its place in the SQL as entered", async () => {
    const error = await failure("SELECT $a, $a, getenv('x') FROM orders WHERE $b", { a: "secret", b: true });
    expect(error).toMatchObject({
      code: "sql_not_allowed",
      details: {
        place: { line: 1, column: 16, before: "SELECT $a, $a, ", after: "getenv('x') FROM orders WHERE $b" },
      },
    });
    expect(await failure("SELECT $a,, $a", { a: "secret" })).toMatchObject({
      code: "sql_malformed",
      details: { place: { column: 11, before: "SELECT $a," } },
    });
  });

  test("the same SQL with other values is another query", async () => {
    for (const v of ["a", "b", "a"]) expect(await rows("SELECT $v AS v", { v })).toEqual([{ v }]);
    const sql = "SELECT count(*) AS n FROM orders WHERE customer = ?";
    const counts = await Promise.all([0, 1, 6].map((customer) => rows(sql, [customer])));
    expect(counts.flat()).toEqual([{ n: 1429n }, { n: 1429n }, { n: 1428n }]);
  });
});

/** Fragments that end or begin literals, comments and statements. */
const FRAGMENTS = [
  ...Array.from("'\"$?;-/*\\()[]{}:,. \n\r\t\0aE1é€😀\u00a0\u2028\ufeff"),
  ..."'' -- /* */ $$ $a$ $v $1 \\' E' x' U&' COPY NULL".split(" "),
  "' OR 1=1 --",
  "'; DROP TABLE orders; --",
  "(SELECT 1)",
];

test("1,000 random texts are returned as they are, and change nothing else", async () => {
  const random = seededRandom(7);
  const below = (count: number) => Math.floor(random() * count);
  const text = () => Array.from({ length: below(12) }, () => FRAGMENTS[below(FRAGMENTS.length)]).join("");
  const texts = Array.from({ length: 1_000 }, text);
  const sql =
    "SELECT $a /* $b */ AS a, $b AS b, '$a' AS fixed, 7 -$c AS n, /* ' */ $a=$a AS same, E'\\'' || $a AS quoted -- $a";
  for (let at = 0; at < texts.length; at += 250) {
    const part = texts.slice(at, at + 250);
    const found = await Promise.all(
      part.map((a, next) => jsonRows(shop.session, sql, { a, b: part.at(-1 - next)!, c: -1 })),
    );
    expect(found.flat()).toEqual(
      part.map((a, next) => ({ a, b: part.at(-1 - next)!, fixed: "$a", n: 8, same: true, quoted: `'${a}` })),
    );
  }
}, 120_000);

test("parametersOf() and literalsOf() read SQL and values alone", () => {
  expect(parametersOf("SELECT $a, '$b', $a").map(({ name }) => name)).toEqual(["a", "a"]);
  expect([...literalsOf(["a'b", -1])!]).toEqual([
    ["1", "('a''b')"],
    ["2", "(-1)"],
  ]);
});
