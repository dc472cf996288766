import { expect, test } from "bun:test";

import { batchTexts } from "../../lib/duckdb/mod.ts";
import { open } from "./support.ts";

test.each([
  ["true", "true"],
  ["(-9223372036854775808)::BIGINT", "-9223372036854775808"],
  ["18446744073709551615::UBIGINT", "18446744073709551615"],
  ["(-170141183460469231731687303715884105)::HUGEINT", "-170141183460469231731687303715884105"],
  ["0.1::DOUBLE", "0.1"],
  ["123.4500::DECIMAL(18,4)", "123.4500"],
  ["(-7)::DECIMAL(38,0)", "-7"],
  ["'日本 ''x'', \"y\"'", "日本 'x', \"y\""],
  ["''", ""],
  ["chr(65279) || 'x'", "\uFEFFx"],
  ["DATE '1969-12-31'", "1969-12-31"],
  ["TIME '23:59:59.123456'", "23:59:59.123456"],
  ["TIMESTAMP '1900-01-01 00:00:00'", "1900-01-01T00:00:00"],
  ["TIMESTAMP_NS '2026-11-21 04:05:06.123456789'", "2026-11-21T04:05:06.123456789"],
  ["TIMESTAMPTZ '2026-11-21 04:05:06.5+00'", "2026-11-21T04:05:06.500Z"],
  ["INTERVAL 3 DAYS", "3 days"],
  ["UUID 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["'\\x00\\xFF'::BLOB", "AP8="],
  ["[1, NULL, 3]", "[1,null,3]"],
  ["{'x': 1, 'y': 'z'}", '{"x":1,"y":"z"}'],
  ["NULL", null],
])("batchTexts() returns %s without quotes, and null for a null", async (expression, expected) => {
  await using session = await open();
  // Twice, with a null between, to detect a wrong index.
  const sql = `SELECT ${expression} AS v UNION ALL SELECT NULL UNION ALL SELECT ${expression}`;
  const rows = [];
  for await (const batch of (await session.connection.stream(sql)).batches) rows.push(...batchTexts(batch));
  expect(rows).toEqual([[expected], [null], [expected]]);
});
