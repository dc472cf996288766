import { describe, expect, test } from "bun:test";

import {
  columnOfType,
  describedColumnType,
  nativeType,
  typeOfField,
  type ColumnType,
} from "../../plugins/keboola/tables/types.ts";
import { toSchema } from "agnes/kit";

describe("nativeType()", () => {
  const cases: readonly [string, string | number | undefined, ColumnType][] = [
    // INT of Snowflake is described as NUMBER(38,0).
    ["NUMBER", "38,0", "DECIMAL(38,0)"],
    ["NUMERIC", "18,0", "BIGINT"],
    ["NUMERIC", "19,0", "DECIMAL(19,0)"],
    ["NUMBER", 38, "DECIMAL(38,0)"],
    ["DECIMAL", "12, 2", "DECIMAL(12,2)"],
    ["NUMBER", "38,9", "DECIMAL(38,9)"],
    // A NUMERIC that Keboola makes by default.
    ["NUMERIC", undefined, "DECIMAL(38,9)"],
    ["NUMERIC(10,4)", undefined, "DECIMAL(10,4)"],
    ["INT", undefined, "DECIMAL(38,0)"],
    ["BIGNUMERIC", undefined, "VARCHAR"],
    ["NUMERIC", "76,38", "VARCHAR"],
    ["FLOAT", undefined, "DOUBLE"],
    ["boolean", undefined, "BOOLEAN"],
    ["DATE", undefined, "DATE"],
    ["TIME", 9, "TIME"],
    ["TIMESTAMP_NTZ", 9, "TIMESTAMP"],
    ["TIMESTAMP_LTZ", 9, "TIMESTAMP WITH TIME ZONE"],
    ["TIMESTAMP_TZ", 9, "TIMESTAMP WITH TIME ZONE"],
    ["VARCHAR", 16777216, "VARCHAR"],
    ["VARIANT", undefined, "VARCHAR"],
    ["BINARY", 8388608, "VARCHAR"],
    ["GEOGRAPHY", undefined, "VARCHAR"],
  ];
  for (const [type, length, expected] of cases) {
    test(`${type}${length === undefined ? "" : ` of length ${length}`} is ${expected}`, () => {
      expect(nativeType({ type, length }, "snowflake")).toBe(expected);
    });
  }

  test("INT64 and TIMESTAMP of BigQuery are what they are there", () => {
    expect(nativeType({ type: "INT64" }, "bigquery")).toBe("BIGINT");
    expect(nativeType({ type: "INTEGER" }, "bigquery")).toBe("BIGINT");
    expect(nativeType({ type: "TIMESTAMP" }, "bigquery")).toBe("TIMESTAMP WITH TIME ZONE");
    expect(nativeType({ type: "DATETIME" }, "bigquery")).toBe("TIMESTAMP");
  });
});

describe("describedColumnType()", () => {
  const cases: readonly [string, Parameters<typeof describedColumnType>[0], ColumnType][] = [
    ["keeps the digits of money", { basetype: "NUMERIC", length: "12,2" }, "DECIMAL(12,2)"],
    ["has nine digits after the point without a length", { basetype: "NUMERIC" }, "DECIMAL(38,9)"],
    ["takes the portable type first", { basetype: "INTEGER", type: "VARCHAR" }, "BIGINT"],
    // bigint(20) of MySQL: 20 characters wide, 64 bits.
    ["ignores widths of integers", { basetype: "INTEGER", type: "bigint", length: "20" }, "BIGINT"],
    ["takes the other type if there is no portable one", { type: "NUMBER", length: "10,3" }, "DECIMAL(10,3)"],
    ["sees zones", { basetype: "TIMESTAMP", type: "TIMESTAMP_TZ" }, "TIMESTAMP WITH TIME ZONE"],
    ["sees that there is no zone", { basetype: "TIMESTAMP", type: "TIMESTAMP_NTZ" }, "TIMESTAMP"],
    ["is text for unknown types", { basetype: "HYPERCUBE" }, "VARCHAR"],
    ["is text for STRING", { basetype: "STRING", type: "NUMBER" }, "VARCHAR"],
    ["is a double for FLOAT", { basetype: "FLOAT" }, "DOUBLE"],
  ];
  for (const [title, described, expected] of cases) {
    test(title, () => expect(describedColumnType(described)).toBe(expected));
  }
});

test("typeOfField() returns the type that columnOfType() was called with", () => {
  const types: readonly ColumnType[] = [
    "VARCHAR",
    "BIGINT",
    "DOUBLE",
    "BOOLEAN",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE",
    "DECIMAL(38,9)",
  ];
  const columns = types.map((type, at) => [`c${at}`, columnOfType(type, {})] as const);
  expect(toSchema(Object.fromEntries(columns)).fields.map(typeOfField)).toEqual([...types]);
});
