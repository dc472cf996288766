import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import { errorPosition } from "../../lib/duckdb/error-position.ts";
import { typedIndex } from "../../lib/query/place.ts";
import { published, rowsOf } from "./published.ts";

let shared: Awaited<ReturnType<typeof published>>;
beforeAll(async () => {
  shared = await published();
});
afterAll(() => shared[Symbol.asyncDispose]());

async function messageOf(sql: string): Promise<string> {
  try {
    await rowsOf(shared.session, sql);
  } catch (error) {
    if (error instanceof AgnesError) return error.message;
    throw error;
  }
  throw new Error("it did not fail");
}

describe("errors of SQL", () => {
  const wide = "1,".repeat(100);
  const cases: readonly (readonly [title: string, sql: string, place: string])[] = [
    ["an unknown column", "SELECT id,\n  nope\nFROM orders", "LINE 2:   nope\n          ^"],
    ["a syntax error", "SELECT id\r\nFRO orders WHERE", "LINE 2: FRO orders WHERE\n            ^"],
    [
      "a syntax error after wide characters",
      "SELECT '🙂日é' FRO x",
      "LINE 1: SELECT '🙂日é' FRO x\n                           ^",
    ],
    [
      "an unknown column after them",
      "SELECT '🙂日é', nope FROM orders",
      "LINE 1: SELECT '🙂日é', nope FROM orders\n                        ^",
    ],
    [
      "an unknown table after them",
      "SELECT '🙂日é' FROM ordrs",
      "LINE 1: SELECT '🙂日é' FROM ordrs\n                            ^",
    ],
    [
      "a tab before it",
      "SELECT\tid,\tnope FROM orders",
      "LINE 1: SELECT id, nope FROM orders\n                   ^",
    ],
    [
      "a value while rows are read",
      "SELECT id FROM orders\nWHERE label::INT = id",
      "LINE 2: WHERE label::INT = id\n                   ^",
    ],
    [
      "a text that DuckDB would change",
      "SELECT id /* it's */\nFROM orders WHERE label = 'a\u00a0b'",
      `LINE 2: FROM orders WHERE label = 'a\u00a0b'\n${" ".repeat(36)}^`,
    ],
    [
      "such a text in the subquery of a PIVOT",
      "PIVOT (FROM orders /* it's */ WHERE label <> '\u3000') ON customer USING count(*) /* it's */",
      `LINE 1: PIVOT (FROM orders /* it's */ WHERE label <> '\u3000') ON customer USING count(*) /* it's */\n${" ".repeat(54)}^`,
    ],
    [
      "a long line",
      `SELECT ${wide}nope${",1".repeat(100)} FROM orders`,
      `LINE 1: ...${"1,".repeat(25)}nope${",1".repeat(23)}...\n${" ".repeat(61)}^`,
    ],
  ];
  test.each(cases)("point to the place in the SQL as entered: %s", async (_title, sql, place) => {
    expect(await messageOf(sql)).toEndWith(`\n\n${place}`);
  });

  test.each([
    ["SELECT * FROM order", "order"],
    ["SELECT * FROM Semi", "Semi"],
    ["SELECT when FROM orders", "when"],
    ["SELECT id FROM orders ORDER BY FROM", "FROM"],
  ])("suggest double quotes for a keyword as a name: %s", async (sql, word) => {
    const error: unknown = await rowsOf(shared.session, sql).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "sql_malformed" });
    expect((error as AgnesError).hint).toBe(
      `Correct the SQL. ${word} is a keyword: as the name of a table or column it needs double quotes, "${word}".`,
    );
  });

  test("suggest no quotes if there is no keyword", async () => {
    const error: unknown = await rowsOf(shared.session, "SELEC id FROM orders").catch((one: unknown) => one);
    expect((error as AgnesError).hint).toBe("Correct the SQL; the dialect is DuckDB's.");
  });

  const pivots: readonly (readonly [title: string, sql: string, place: string])[] = [
    [
      "its column",
      "PIVOT orders ON nope USING sum(id)",
      "LINE 1: PIVOT orders ON nope USING sum(id)\n                        ^",
    ],
    ["its second column", "PIVOT orders ON customer,\n  nope", "LINE 2:   nope\n          ^"],
    [
      "what it adds up",
      "PIVOT orders ON 'é' || customer,\n customer USING sum(nope)",
      "LINE 2:  customer USING sum(nope)\n                            ^",
    ],
    [
      "a value of its source",
      "PIVOT (\nSELECT label::INT AS x FROM orders) ON x",
      "LINE 2: SELECT label::INT AS x FROM orders) ON x\n                    ^",
    ],
    [
      "a subquery",
      "PIVOT orders ON label, customer IN (\n SELECT nope FROM customers)",
      "LINE 2:  SELECT nope FROM customers)\n                ^",
    ],
    [
      "a PIVOT in a subquery",
      "PIVOT orders ON id IN (SELECT id FROM (PIVOT customers ON name,\nnope))",
      "LINE 2: nope))\n        ^",
    ],
    [
      "an unknown table after it",
      "SELECT * FROM (PIVOT orders ON label), ordrs",
      "LINE 1: SELECT * FROM (PIVOT orders ON label), ordrs\n                                               ^",
    ],
    [
      "an unknown table in a subquery",
      "PIVOT orders ON label IN (SELECT 'é' FROM ordrs)",
      "LINE 1: PIVOT orders ON label IN (SELECT 'é' FROM ordrs)\n                                                  ^",
    ],
    [
      "EXPLAIN of it",
      "/* é */ EXPLAIN PIVOT orders ON customer, nope",
      "LINE 1: /* é */ EXPLAIN PIVOT orders ON customer, nope\n                                                  ^",
    ],
    [
      "SQL in a subquery that is none",
      "PIVOT orders ON label IN (SELECT FROM)",
      "LINE 1: PIVOT orders ON label IN (SELECT FROM)\n                                             ^",
    ],
  ];
  test.each(pivots)("point to the place in a PIVOT: %s", async (_title, sql, place) => {
    expect(await messageOf(sql)).toEndWith(`\n\n${place}`);
  });

  const refused: readonly (readonly [title: string, sql: string, place: string])[] = [
    ["a function", "SELECT 'é',\n  getenv('x')", "LINE 2:   getenv('x')\n          ^"],
    ["a window function", "SELECT nope_of(1) OVER ()", "LINE 1: SELECT nope_of(1) OVER ()\n               ^"],
    [
      "a function that is refused by name",
      "SELECT json_structure(label) FROM orders",
      "LINE 1: SELECT json_structure(label) FROM orders\n               ^",
    ],
    ["a table function", "FROM orders,\nread_csv('x')", "LINE 2: read_csv('x')\n        ^"],
    ["a file", "SELECT * FROM\n 'x.csv'", "LINE 2:  'x.csv'\n         ^"],
    [
      "a database",
      "SELECT * FROM memory.main.orders",
      "LINE 1: SELECT * FROM memory.main.orders\n                      ^",
    ],
    ["a second statement", "SELECT 1;\n SELECT 2", "LINE 2:  SELECT 2\n         ^"],
    ["no SELECT", "-- x\n DROP TABLE orders", "LINE 2:  DROP TABLE orders\n         ^"],
    ["a parameter", "SELECT '$1',\n $1", "LINE 2:  $1\n         ^"],
    ["a list of databases", "FROM (SHOW DATABASES)", "LINE 1: FROM (SHOW DATABASES)\n              ^"],
    [
      "a bounded function of a schema",
      "SELECT main.repeat('x', 2)",
      "LINE 1: SELECT main.repeat('x', 2)\n               ^",
    ],
    [
      "an aggregate by name",
      "SELECT list_aggregate([1], 'nope')",
      "LINE 1: SELECT list_aggregate([1], 'nope')\n               ^",
    ],
    [
      "VARIANT",
      "SELECT json_array(1)::VARIANT",
      "LINE 1: SELECT json_array(1)::VARIANT\n                              ^",
    ],
    [
      "a function in a PIVOT",
      "PIVOT orders ON label, customer USING max(getenv('x'))",
      "LINE 1: PIVOT orders ON label, customer USING max(getenv('x'))\n                                                  ^",
    ],
    [
      "a function in a subquery of one",
      "PIVOT orders ON label, id IN (SELECT\n getenv('x'))",
      "LINE 2:  getenv('x'))\n         ^",
    ],
    [
      "a function behind EXPLAIN",
      "EXPLAIN SELECT getenv('x')",
      "LINE 1: EXPLAIN SELECT getenv('x')\n                       ^",
    ],
  ];
  test.each(refused)("point to what is not allowed: %s", async (_title, sql, place) => {
    const message = await messageOf(sql);
    expect(message).toMatch(/^(?:this SQL is not allowed|the parameters of the query cannot be used): /);
    expect(message).toEndWith(`\n\n${place}`);
  });

  test("have line and column in their details", async () => {
    try {
      await rowsOf(shared.session, "SELECT 1,\n getenv('x')");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ details: { place: { line: 2, column: 2 } } });
    }
  });

  test("contain no text other than the SQL as entered", async () => {
    expect(await messageOf("PIVOT (SHOW TABLES) ON nope USING count(*)")).not.toContain("LINE");
  });
});

describe("errorPosition()", () => {
  test("finds the place in a long line that DuckDB truncates, unless it is ambiguous", () => {
    const sql = `SELECT ${"1,".repeat(100)}nope${",2".repeat(100)} FROM t`;
    const part = `LINE 1: ...${"1,".repeat(30)}nope${",2".repeat(20)}...`;
    const caret = (text: string) => " ".repeat(text.indexOf("nope"));
    expect(errorPosition(`x\n\n${part}\n${caret(part)}^`, sql)).toBe(sql.indexOf("nope"));
    expect(errorPosition(`x\n\n${part}\n${caret(part)}^`, `${sql} ${sql}`)).toBeNull();
    expect(errorPosition(`x\n\n${part}\n${caret(part)}^`, "SELECT 1")).toBeNull();
    expect(errorPosition("x", sql)).toBeNull();
  });
});

describe("typedIndex()", () => {
  test("ignores text that was added around the SQL or inserted into it", () => {
    expect(typedIndex("SELECT x", "DESCRIBE (SELECT x)", 17)).toBe(7);
    expect(typedIndex("SELECT x", "DESCRIBE (SELECT x)", 2)).toBeNull();
    const [typed, ran] = ["SELECT a PIVOT y", "SELECT a PIVOT (IN 'v') y"];
    expect(typedIndex(typed, ran, 7)).toBe(7);
    expect(typedIndex(typed, ran, 24)).toBe(15);
    expect(typedIndex(typed, ran, 18)).toBeNull();
  });
});
