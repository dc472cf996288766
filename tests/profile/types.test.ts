import { expect, test } from "bun:test";

import { figuresOf } from "./figures-of.ts";

/** Two values of each type, as SQL, and the category of the type. */
const types: readonly (readonly [string, string, string])[] = [
  ["'true'::BOOLEAN", "'false'::BOOLEAN", "BOOLEAN"],
  ["1::UTINYINT", "255::UTINYINT", "NUMERIC"],
  ["0::UBIGINT", "18446744073709551615::UBIGINT", "NUMERIC"],
  [
    "'-170141183460469231731687303715884105728'::HUGEINT",
    "170141183460469231731687303715884105727::HUGEINT",
    "NUMERIC",
  ],
  ["0::UHUGEINT", "340282366920938463463374607431768211455::UHUGEINT", "NUMERIC"],
  ["repeat('9', 400)::BIGNUM", "1::BIGNUM", "NUMERIC"],
  ["'nan'::FLOAT", "'-0.0'::FLOAT", "NUMERIC"],
  ["99999999999999999999999999999999999999::DECIMAL(38,0)", "1::DECIMAL(38,0)", "NUMERIC"],
  ["'infinity'::DATE", "DATE '5881580-07-10'", "DATE"],
  ["TIMESTAMP '290309-12-22 (BC) 00:00:00'", "'-infinity'::TIMESTAMP", "TIMESTAMP"],
  ["TIMESTAMP_S '2020-01-01'", "TIMESTAMP_S '2020-01-02'", "TIMESTAMP"],
  ["TIMESTAMP_NS '2020-01-01'", "TIMESTAMP_NS '2020-01-01 00:00:00.000000001'", "TIMESTAMP"],
  ["TIMESTAMPTZ '2020-01-01 00:00:00+02'", "'infinity'::TIMESTAMPTZ", "TIMESTAMP"],
  ["'12:00'::TIME", "'24:00:00'::TIME", "STRING"],
  ["'12:00:00+02'::TIMETZ", "'12:00:00+01'::TIMETZ", "STRING"],
  ["INTERVAL 1 MONTH", "INTERVAL 31 DAY", "STRING"],
  ["''::BLOB", "'\\xFF\\x00'::BLOB", "STRING"],
  ["'0'::BIT", "'101'::BIT", "STRING"],
  ["'{\"a\": [1]}'::JSON", "'null'::JSON", "STRING"],
  ["'00000000-0000-0000-0000-000000000000'::UUID", "'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID", "STRING"],
  ["'x'::ENUM('x', 'y''z')", "'y''z'::ENUM('x', 'y''z')", "STRING"],
  ["[]::INTEGER[]", "[1, NULL]", "STRING"],
  ["[1, 2]::INTEGER[2]", "[NULL, 2]::INTEGER[2]", "STRING"],
  ['{a: 1, "b""c": NULL::VARCHAR}', '{a: NULL, "b""c": \'x\'}', "STRING"],
  ["MAP {'k': [1]}", "MAP {}::MAP(VARCHAR, INTEGER[])", "STRING"],
  [
    "union_value(n := 1)::UNION(n INTEGER, t VARCHAR)",
    "union_value(t := 'x')::UNION(n INTEGER, t VARCHAR)",
    "STRING",
  ],
  ["['nan'::DOUBLE]", "['-0.0'::DOUBLE]", "STRING"],
  ["1::VARIANT", "'a'::VARIANT", "STRING"],
];

test.each(types)("a column of %s and %s is profiled", async (first, second, category) => {
  const select = `SELECT 1 AS n, ${first} AS "value""" UNION ALL FROM (SELECT 2, ${second}) UNION ALL
    FROM (SELECT 2, ${second}) UNION ALL SELECT 3, NULL`;
  const { columns, duplicate_rows, row_count, sample_rows } = await figuresOf(select);
  expect(columns[1]).toMatchObject({
    name: 'value"',
    type_category: category,
    null_count: 1,
    unique_count: 2,
  });
  expect([row_count, duplicate_rows, sample_rows.length]).toEqual([4, 1, 4]);
  expect(JSON.parse(JSON.stringify(columns[1]))).toEqual(columns[1] as object);
});
