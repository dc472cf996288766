import { describe, expect, test } from "bun:test";

import { arrow, type QueryArray } from "agnes/kit";

import { openDatabase } from "../../lib/duckdb/mod.ts";

async function listOf(keys: QueryArray): Promise<readonly unknown[]> {
  await using database = await openDatabase();
  await using connection = await database.connect();
  return await connection.rows("SELECT $keys AS list, typeof($keys) AS type", { parameters: { keys } });
}

describe("listValue()", () => {
  test.each([
    [new arrow.Int32(), [5n, -1], [5n, -1n], "BIGINT[]"],
    [new arrow.Uint64(), [2n ** 64n - 1n], [2n ** 64n - 1n], "UBIGINT[]"],
    [new arrow.Float32(), [0.5, Number.NaN], [0.5, Number.NaN], "DOUBLE[]"],
    [new arrow.Decimal(2, 38, 128), ["-0.50", "1", 2n], ["-0.50", "1.00", "2.00"], "DECIMAL(38,2)[]"],
    [new arrow.Utf8(), ["", "it's"], ["", "it's"], "VARCHAR[]"],
    [new arrow.TimestampSecond(), ["2026-01-31"], ["2026-01-31 00:00:00"], "TIMESTAMP[]"],
    [new arrow.DateDay(), [], [], "DATE[]"],
  ])("binds %s with %p", async (type, values, list, name) => {
    expect(await listOf({ type, values })).toEqual([{ list, type: name }]);
  });

  test.each([
    [new arrow.Int64(), [2n ** 63n], "9223372036854775808 is not a BIGINT"],
    [new arrow.Int64(), [0.5], "0.5 is not a BIGINT"],
    [new arrow.Int64(), ["5"], '"5" is not a BIGINT'],
    [new arrow.Uint32(), [-1n], "-1 is not a UBIGINT"],
    [new arrow.Bool(), ["true"], '"true" is not a BOOLEAN'],
    [new arrow.Float64(), ["1"], '"1" is not a DOUBLE'],
    [new arrow.Utf8(), [5], "5 is not a VARCHAR"],
    [new arrow.Utf8(), ["\uD800"], "is not a VARCHAR"],
    [new arrow.Decimal(2, 5, 128), ["1.005"], '"1.005" is not a DECIMAL(5,2)'],
    [new arrow.Decimal(2, 5, 128), ["1000"], '"1000" is not a DECIMAL(5,2)'],
    [new arrow.Decimal(2, 5, 128), ["1e2"], '"1e2" is not a DECIMAL(5,2)'],
    [new arrow.DateDay(), ["2026-02-30"], '"2026-02-30" is not a DATE'],
    [new arrow.DateDay(), ["2026-02-03 10:00"], "is not a DATE"],
    [new arrow.TimestampMicrosecond(), ["2026-01-31 10:00:00.0000001"], "is not a TIMESTAMP"],
    [new arrow.TimestampMicrosecond(), ["infinity"], '"infinity" is not a TIMESTAMP'],
    [new arrow.List(new arrow.Field("item", new arrow.Int8())), [], "cannot have items of the type"],
  ] as const)("rejects %s with %p", async (type, values, message) => {
    const binding = listOf({ type, values }).catch((error: unknown) => error);
    expect(await binding).toMatchObject({ code: "invalid_input", message: expect.stringContaining(message) });
  });
});
