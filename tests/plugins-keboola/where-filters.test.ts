import { describe, expect, test } from "bun:test";

import type { Filter } from "agnes/kit";

import { whereFilters, type FilterColumns } from "../../plugins/keboola/export/where-filters.ts";
import type { ColumnType } from "../../plugins/keboola/tables/types.ts";

const types = new Map<string, ColumnType>([
  ["name", "VARCHAR"],
  ["id", "BIGINT"],
  ["amount", "DECIMAL(12,2)"],
  ["day", "DATE"],
  ["at", "TIMESTAMP"],
  ["paid", "BOOLEAN"],
]);
const untyped: FilterColumns = { types, unfilterable: new Set(), isTyped: false, backend: "snowflake" };
const one = (
  column: string,
  operator: Filter["operator"],
  ...values: Filter["values"]
): readonly Filter[] => [{ column, operator, values }];

describe("whereFilters()", () => {
  test("compares text as text", () => {
    expect(whereFilters(one("name", "eq", "a", "b"), untyped)).toEqual([
      { column: "name", operator: "eq", values: ["a", "b"] },
    ]);
    expect(whereFilters(one("name", "gt", "a", "b"), untyped)).toEqual([
      { column: "name", operator: "gt", values: ["a"] },
      { column: "name", operator: "gt", values: ["b"] },
    ]);
  });

  test("compares numbers that are stored as text as doubles, without losing equal ones", () => {
    expect(whereFilters(one("amount", "gt", 9.5), untyped)).toEqual([
      { column: "amount", operator: "ge", values: ["9.5"], dataType: "DOUBLE" },
    ]);
    expect(whereFilters(one("id", "lt", 10n), untyped)).toEqual([
      { column: "id", operator: "le", values: ["10"], dataType: "DOUBLE" },
    ]);
    expect(whereFilters(one("id", "eq", 1, 2), untyped)).toEqual([
      { column: "id", operator: "eq", values: ["1", "2"], dataType: "DOUBLE" },
    ]);
    // 2^53 and 2^53 + 1 are one double.
    expect(whereFilters(one("id", "ne", 9007199254740993n), untyped)).toEqual([]);
  });

  test("widens times, because the stack decides how it reads them", () => {
    expect(whereFilters(one("day", "ge", new Date("2026-01-10")), untyped)).toEqual([
      { column: "day", operator: "ge", values: ["2026-01-08 00:00:00"], type: "TIME_STRING" },
    ]);
    expect(whereFilters(one("at", "lt", "2026-01-10 10:30:00"), untyped)).toEqual([
      { column: "at", operator: "le", values: ["2026-01-12 10:30:00"], type: "TIME_STRING" },
    ]);
    expect(whereFilters(one("day", "eq", "2026-01-10"), untyped)).toEqual([]);
    expect(whereFilters(one("day", "ge", "soon"), untyped)).toEqual([]);
  });

  test("leaves out ranges for backends that do not have them", () => {
    const bigquery = { ...untyped, backend: "bigquery" } as const;
    expect(whereFilters(one("name", "ge", "a"), bigquery)).toEqual([]);
    expect(whereFilters(one("name", "ne", "a"), bigquery)).toHaveLength(1);
  });

  test("leaves out conditions whose meaning is not certain", () => {
    expect(whereFilters(one("paid", "eq", true), untyped)).toEqual([]);
    expect(whereFilters(one("name", "is_null"), untyped)).toEqual([]);
    expect(whereFilters(one("name", "eq"), untyped)).toEqual([]);
    expect(whereFilters(one("name", "eq", 1), untyped)).toEqual([]);
    expect(whereFilters(one("other", "eq", "a"), untyped)).toEqual([]);
    expect(whereFilters(one("amount", "eq", "1; DROP"), untyped)).toEqual([]);
    expect(whereFilters(one("amount", "eq", 1), { ...untyped, isTyped: true })).toEqual([]);
    expect(whereFilters(one("name", "eq", "a"), { ...untyped, unfilterable: new Set(["name"]) })).toEqual([]);
    const many = Array.from({ length: 1001 }, (_, at) => `v${at}`);
    expect(whereFilters(one("name", "eq", ...many), untyped)).toEqual([]);
  });
});
