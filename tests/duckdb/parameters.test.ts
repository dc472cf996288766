import { afterAll, describe, expect, test } from "bun:test";

import { open } from "./support.ts";

const session = await open();
afterAll(() => session[Symbol.asyncDispose]());

const rows = (sql: string, parameters: unknown) =>
  session.connection.rows(sql, { parameters: parameters as never });
const failureOf = (sql: string, parameters: unknown) =>
  rows(sql, parameters).then(
    (found) => found,
    (error: unknown) => error,
  );

describe("parameters of a statement", () => {
  test.each<[string, unknown, string]>([
    ["an invalid Date", new Date(Number.NaN), "it is an invalid Date"],
    ["an object", { a: 1 }, "it is of the type object, but should be text, a number"],
    ["a map", new Map(), "it is of the type object"],
    ["a list", [1], "it is a list, but should be text, a number"],
    ["a symbol", Symbol("x"), "it is of the type symbol"],
    ["a function", () => 1, "it is of the type function"],
    ["other bytes than a Uint8Array", new Uint16Array(2), "it is of the type object"],
    ["half a surrogate pair", "a\ud800b", "contains half of a surrogate pair"],
    ["an integer of more than 128 bits", 2n ** 127n, "does not fit into 128 bits"],
  ])("refuses %s by the name of the parameter", async (_name, value, reason) => {
    for (const [sql, parameters, name] of [
      ["SELECT $a AS a", { a: value }, '"a"'],
      ["SELECT $1 AS a, $2 AS b", [1, value], "$2"],
    ] as const) {
      const error = await failureOf(sql, parameters);
      expect(error).toMatchObject({ code: "invalid_input" });
      expect((error as Error).message).toStartWith(`the parameter ${name} is not valid: `);
      expect((error as Error).message).toContain(reason);
    }
  });

  test.each<[string, unknown, string]>([
    ["SELECT $a AS a", { a: 1, A: 2 }, 'the names "a" and "A" differ only in case'],
    ["SELECT $2 AS a", [1], "the statement has no parameter $1; number its parameters from $1"],
    ["SELECT $2 AS a", { 2: 1 }, "the statement has no parameter $1"],
    ["SELECT $1, $3", [1, 2, 3], "the statement has no parameter $2"],
    ["SELECT $1 AS a", 5, "it is 5, but should be an array or an object"],
    ["SELECT $1 AS a", "x", 'it is "x", but should be an array or an object'],
    ["SELECT $1 AS a", new Map([["1", 1]]), "but should be an array or an object"],
    ["SELECT $a AS a", { a: undefined }, 'the parameter "a" has no value'],
    ["SELECT $a AS a", { a: 1, b: undefined }, 'the statement has no parameter "b"'],
  ])("%s with %p is invalid_input", async (sql, parameters, reason) => {
    expect(await failureOf(sql, parameters)).toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining(reason),
    });
  });

  test("binds numbered parameters in any order, and the extreme values", async () => {
    expect(await rows("SELECT $2 AS a, $1 AS b", [1, 2])).toEqual([{ a: 2n, b: 1n }]);
    const [most, least] = [2n ** 127n - 1n, -(2n ** 127n)];
    expect(await rows("SELECT $a AS a, $b AS b, $c AS c", { a: most, b: least, c: "\u{1F600}" })).toEqual([
      { a: most, b: least, c: "\u{1F600}" },
    ]);
  });
});
