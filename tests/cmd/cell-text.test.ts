import { describe, expect, test } from "bun:test";

import { cellTexts, isNumeric } from "../../cmd/console/cell-text.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";

/** Every type a result can have: the text must be what DuckDB itself writes. */
const expressions: readonly string[] = [
  "true",
  "42::TINYINT",
  "(-9223372036854775808)::BIGINT",
  "18446744073709551615::UBIGINT",
  "(-170141183460469231731687303715884105)::HUGEINT",
  "1.5::FLOAT",
  "0.1::DOUBLE",
  "123.4500::DECIMAL(18,4)",
  "(-0.05)::DECIMAL(4,2)",
  "(-7)::DECIMAL(38,0)",
  "'日本 ''x'''",
  "DATE '1969-12-31'",
  "DATE '2026-11-21'",
  "TIME '23:59:59.123456'",
  "TIMESTAMP '2026-11-21 04:05:06.123456'",
  "TIMESTAMP '1900-01-01 00:00:00'",
  "TIMESTAMP_S '2026-11-21 04:05:06'",
  "TIMESTAMP_MS '2026-11-21 04:05:06.125'",
  "TIMESTAMP_NS '2026-11-21 04:05:06.123456789'",
  "TIMESTAMPTZ '2026-11-21 04:05:06.5+00'",
  "INTERVAL 3 DAYS",
  "UUID 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
  "'ab\\x00'::BLOB",
  "[1, NULL, 3]",
  "[DATE '2026-01-01']",
];

describe("cellTexts()", () => {
  test("cellTexts() writes what DuckDB writes when a value of each type comes", async () => {
    await using database = await openDatabase();
    await using connection = await database.connect();
    const columns = expressions.map((expression, index) => `${expression} AS c${index}`).join(", ");
    // Twice, with nulls between, so that a wrong index shows.
    const nulls = expressions.map(() => "NULL").join(", ");
    const sql = `SELECT ${columns} UNION ALL SELECT ${nulls} UNION ALL SELECT ${columns}`;
    const texts = expressions.map((_, index) => `c${index}::VARCHAR AS c${index}`).join(", ");
    const [expected] = await connection.rows<Record<string, string>>(`SELECT ${texts} FROM (${sql}) LIMIT 1`);
    const { batches } = await connection.stream(sql);
    const rows = [];
    for await (const batch of batches) rows.push(...cellTexts(batch));
    expect(rows).toHaveLength(3);
    expect(rows[0]).toEqual(Object.values(expected!));
    expect(rows[1]).toEqual(expressions.map(() => null));
    expect(rows[2]).toEqual(rows[0]!);
  });

  test("cellTexts() writes records and maps with their keys", async () => {
    await using database = await openDatabase();
    await using connection = await database.connect();
    const { batches } = await connection.stream(
      "SELECT * FROM (VALUES (MAP {'a': 1}, {'x': 1, 'y': NULL}), (MAP {'b': 2, 'c': NULL}, {'x': 2, 'y': 'z'}))",
    );
    const rows = [];
    for await (const batch of batches) rows.push(...cellTexts(batch));
    expect(rows).toEqual([
      ["{a: 1}", "{x: 1, y: NULL}"],
      ["{b: 2, c: NULL}", "{x: 2, y: z}"],
    ]);
  });

  test("isNumeric() tells numbers from text", async () => {
    await using database = await openDatabase();
    await using connection = await database.connect();
    const { schema, batches } = await connection.stream(
      "SELECT 1 AS a, 'x' AS b, 1.5 AS c, DATE '2026-01-01' AS d",
    );
    for await (const batch of batches) expect(batch.numRows).toBe(1);
    expect(schema.fields.map(isNumeric)).toEqual([true, false, true, false]);
  });
});
