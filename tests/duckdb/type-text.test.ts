import { expect, test } from "bun:test";

import { isTypeText } from "../../lib/duckdb/mod.ts";

test("isTypeText() accepts types of DuckDB, also nested ones with any names", () => {
  const types = [
    "INTEGER",
    "DECIMAL(18,3)",
    "DECIMAL(18, 3)",
    "TIMESTAMP WITH TIME ZONE",
    "VARCHAR[]",
    "INTEGER[3]",
    "MAP(VARCHAR, DOUBLE[])",
    'STRUCT(a INTEGER, "b); DROP TABLE x" VARCHAR)',
    'UNION(n INTEGER, t STRUCT("a ""b""" DATE))',
    "GEOMETRY('EPSG:4326')",
  ];
  expect(types.filter((type) => !isTypeText(type))).toEqual([]);
});

test("isTypeText() rejects what is more than a type, at any depth", () => {
  const texts = [
    "",
    "INTEGER; DROP TABLE x",
    "INTEGER) FROM x --",
    "INTEGER /* x */",
    'INTEGER, "b" INTEGER',
    "STRUCT(a INTEGER",
    "STRUCT(a INTEGER); SELECT 1",
    "STRUCT(a DECIMAL(x'))",
    "MAP(VARCHAR, INTEGER) AS x, (SELECT 1",
    "GEOMETRY('it''s')",
    "INTEGER(SELECT 1)",
    "INTEGER\u0000",
    "STRUCT(a ".repeat(5_000),
  ];
  expect(texts.filter((text) => isTypeText(text))).toEqual([]);
});
