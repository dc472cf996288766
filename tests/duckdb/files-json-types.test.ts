import { expect, test } from "bun:test";

import { readJson } from "./files-json-support.ts";

const lines = (...rows: readonly string[]) => rows.map((row) => `${row}\n`).join("");

/** The type that a column of these values gets, written one per line. */
async function typeOf(...values: readonly string[]): Promise<string> {
  const { types } = await readJson({ "t.ndjson": lines(...values.map((value) => `{"v":${value}}`)) });
  return types["v"]!;
}

const TYPES: readonly (readonly [values: readonly string[], type: string])[] = [
  [["1", "-9223372036854775808", "9223372036854775807"], "BIGINT"],
  [["9223372036854775808"], "HUGEINT"],
  [["-99999999999999999999999999999999999999"], "HUGEINT"],
  [["100000000000000000000000000000000000000"], "VARCHAR"],
  [["1", "1234567890123456789012345678901234567890"], "VARCHAR"],
  [["1", "2.5", "3.25"], "DECIMAL(18,2)"],
  [["1.50"], "DECIMAL(18,2)"],
  [["0.1234567"], "DOUBLE"],
  [["1234567890123.456"], "DOUBLE"],
  [["1", "1e2"], "DOUBLE"],
  [["-0", "1"], "VARCHAR"],
  [["-0.0", "1"], "DOUBLE"],
  [["9007199254740993", "1e2"], "VARCHAR"],
  [["-9223372036854775808", "1.5"], "VARCHAR"],
  [["36893488147419103232", "1.5"], "VARCHAR"],
  [["10000000000000000000000", "9007199254740991", "1.5"], "DOUBLE"],
  [[`1${"0".repeat(45)}`], "VARCHAR"],
  [[`1${"0".repeat(45)}`, "1.5"], "DOUBLE"],
  [["0.30000000000000004"], "DOUBLE"],
  [["0.10000000000000001"], "VARCHAR"],
  [["1.00000000000000001e5"], "VARCHAR"],
  [["1.23456e-322"], "VARCHAR"],
  [[`0.${"0".repeat(330)}1`], "VARCHAR"],
  [["1e999"], "VARCHAR"],
  [["true", "false", "null"], "BOOLEAN"],
  [["true", "1"], "VARCHAR"],
  [["null", "null"], "VARCHAR"],
  [['"1"', '"2"'], "VARCHAR"],
  [['"true"'], "VARCHAR"],
  [['"2024-02-29"', "null"], "DATE"],
  [['"2023-02-29"'], "VARCHAR"],
  [['"2024-02-29"', '"2024-02-29T10:00"'], "TIMESTAMP"],
  [['"2024-02-29T10:00:00.123456"'], "TIMESTAMP"],
  [['"2024-02-29T10:00:00.1234567"'], "VARCHAR"],
  [['"2024-02-29T10:00:00Z"', '"2024-02-29 10:00:00+02:00"'], "TIMESTAMP WITH TIME ZONE"],
  [['"2024-02-29T10:00:00Z"', '"2024-02-29T10:00:00"'], "VARCHAR"],
  [['"2024-02-29"', '"n/a"'], "VARCHAR"],
  [['{"x":1}', '{"y":"a"}'], "STRUCT(x BIGINT, y VARCHAR)"],
  [['{"x":{"y":[1.5]}}'], "STRUCT(x STRUCT(y DECIMAL(18,1)[]))"],
  [['{"x":1}', "2"], "JSON"],
  [['{"x":1}', "[2]"], "JSON"],
  [['"a"', "[2]"], "JSON"],
  [["{}"], "JSON"],
  [["[]"], "JSON"],
  [["[]", "[1]", "[null]"], "BIGINT[]"],
  [["[[1],[]]"], "BIGINT[][]"],
  [['{"x":1,"X":2}'], "JSON"],
  [['{"":1}'], "JSON"],
  [['{"x":1}', '{"x":[1]}'], "JSON"],
  [["[1]", '["a",{"x":1}]'], "JSON"],
  [['{"x":{}}'], "STRUCT(x JSON)"],
  [["[{}]"], "JSON"],
  [["1.5", "33.624208586962368233548892439773"], "VARCHAR"],
  [["0.00000000000000000012345678901234568", "1.00000000000000000000"], "DOUBLE"],
  [["1234e56"], "VARCHAR"],
  [['{"a\\u0000":1}'], "JSON"],
  [[`{${Array.from({ length: 201 }, (_, at) => `"k${at}":1`).join(",")}}`], "JSON"],
];

test.each(TYPES.map(([values, type]) => [values.join(" ").slice(0, 60), values, type] as const))(
  "inspectJson() finds the type of %s in both orders of rows",
  async (_title, values, type) => {
    expect(await typeOf(...values)).toBe(type);
    const turned = (await typeOf(...values.toReversed())).replace(
      "y VARCHAR, x BIGINT",
      "x BIGINT, y VARCHAR",
    );
    expect(turned).toBe(type);
  },
);
