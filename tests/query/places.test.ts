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
      "a long line",
      `SELECT ${wide}nope${",1".repeat(100)} FROM orders`,
      `LINE 1: ...${"1,".repeat(25)}nope${",1".repeat(23)}...\n${" ".repeat(61)}^`,
    ],
  ];
  test.each(cases)("point to the place, as it was typed: %s", async (_title, sql, place) => {
    expect(await messageOf(sql)).toEndWith(`\n\n${place}`);
  });

  test("show no other text than what was typed", async () => {
    expect(await messageOf("PIVOT orders ON nope USING sum(id)")).not.toContain("LINE");
  });
});

describe("errorPosition()", () => {
  test("finds the place in a long line of which DuckDB shows a part, unless the part is there twice", () => {
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
  test("goes back through what was put around the SQL or into it", () => {
    expect(typedIndex("SELECT x", "DESCRIBE (SELECT x)", 17)).toBe(7);
    expect(typedIndex("SELECT x", "DESCRIBE (SELECT x)", 2)).toBeNull();
    const [typed, ran] = ["SELECT a PIVOT y", "SELECT a PIVOT (IN 'v') y"];
    expect(typedIndex(typed, ran, 7)).toBe(7);
    expect(typedIndex(typed, ran, 24)).toBe(15);
    expect(typedIndex(typed, ran, 18)).toBeNull();
  });
});
