import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { createRowBuilder, type arrow } from "agnes/kit";

import { duckdbTypeOf } from "../../lib/duckdb/mod.ts";
import { schemaOf, typeName } from "../../plugins/bigquery/types.ts";
import { fakeBigQuery, type FakeCell, type FakeField } from "../fakes/bigquery/mod.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const SQL = "SELECT values FROM a_registered_result";

async function valuesOf(field: Omit<FakeField, "name">, ...cells: FakeCell[]) {
  await using server = fakeBigQuery({ tables: [] });
  server.results.set(SQL, { fields: [{ name: "x", ...field }], rows: cells.map((cell) => [cell]) });
  const { connector } = await connect(server);
  const { signal } = new AbortController();
  const { schema, batches } = await connector.query!(SQL, { signal });
  const builder = createRowBuilder({ name: "result", schema });
  const built: arrow.RecordBatch[] = [];
  for await (const rows of batches!) built.push(...builder.append(rows as never));
  built.push(...builder.finish());
  const type = duckdbTypeOf(schema.fields[0]!);
  const values = built.flatMap((batch) =>
    Array.from({ length: batch.numRows }, (_, at) => batch.getChildAt(0)!.get(at) as unknown),
  );
  return { type, values, builder };
}

/** The microseconds since 1970 that a column holds, exactly. */
async function microsOf(cells: readonly string[], type = "TIMESTAMP") {
  await using server = fakeBigQuery({ tables: [] });
  server.results.set(SQL, { fields: [{ name: "x", type }], rows: cells.map((cell) => [cell]) });
  const { connector } = await connect(server);
  const { schema, batches } = await connector.query!(SQL, { signal: new AbortController().signal });
  const builder = createRowBuilder({ name: "result", schema });
  for await (const rows of batches!) builder.append(rows as never);
  const [batch] = builder.finish();
  return Array.from(batch!.getChildAt(0)!.data[0]!.values as BigInt64Array).map(String);
}

describe("bigquery: types", () => {
  test.each([
    [{ type: "INTEGER" }, "BIGINT", "INT64"],
    [{ type: "INT64" }, "BIGINT", "INT64"],
    [{ type: "FLOAT" }, "DOUBLE", "FLOAT64"],
    [{ type: "BOOLEAN" }, "BOOLEAN", "BOOL"],
    [{ type: "NUMERIC" }, "DECIMAL(38,9)", "NUMERIC"],
    [{ type: "NUMERIC", precision: "12", scale: "2" }, "DECIMAL(12,2)", "NUMERIC(12,2)"],
    [{ type: "NUMERIC", precision: "12" }, "DECIMAL(12,0)", "NUMERIC(12)"],
    [{ type: "BIGNUMERIC" }, "VARCHAR", "BIGNUMERIC"],
    [{ type: "BIGNUMERIC", precision: "38", scale: "20" }, "DECIMAL(38,20)", "BIGNUMERIC(38,20)"],
    [{ type: "BIGNUMERIC", precision: "40", scale: "20" }, "VARCHAR", "BIGNUMERIC(40,20)"],
    [{ type: "STRING" }, "VARCHAR", "STRING"],
    [{ type: "BYTES" }, "BLOB", "BYTES"],
    [{ type: "DATE" }, "DATE", "DATE"],
    [{ type: "TIME" }, "TIME", "TIME"],
    [{ type: "DATETIME" }, "TIMESTAMP", "DATETIME"],
    [{ type: "TIMESTAMP" }, "TIMESTAMP WITH TIME ZONE", "TIMESTAMP"],
    [{ type: "TIMESTAMP", timestampPrecision: "12" }, "VARCHAR", "TIMESTAMP(12)"],
    [{ type: "GEOGRAPHY" }, "VARCHAR", "GEOGRAPHY"],
    [{ type: "INTERVAL" }, "VARCHAR", "INTERVAL"],
    [{ type: "RANGE", rangeElementType: { type: "DATE" } }, "VARCHAR", "RANGE<DATE>"],
    [{ type: "INTEGER", mode: "REPEATED" }, "BIGINT[]", "ARRAY<INT64>"],
  ] as const)("%j is %s", async (field, type, name) => {
    expect((await valuesOf(field, null)).type).toBe(type);
    const own = {
      name: "x",
      ...field,
      ...("precision" in field ? { precision: Number(field.precision) } : {}),
    };
    const numbers = {
      ...own,
      ...("scale" in field ? { scale: Number(field.scale) } : {}),
      ...("timestampPrecision" in field ? { timestampPrecision: 12 } : {}),
    };
    expect(typeName(numbers as never)).toBe(name);
  });

  test.each<[string, readonly FakeCell[], string]>([
    ["a row without its last value", ["1"], "b"],
    ["a record with a further value", ["1", { f: [{ v: "2" }, { v: "3" }] }], "b.c"],
    ["a record without its value", ["1", { f: [] }], "b.c"],
  ])("%s is an error and not null", async (_what, row, column) => {
    await using server = fakeBigQuery({ tables: [] });
    const record = { name: "b", type: "RECORD", fields: [{ name: "c", type: "INTEGER" }] };
    server.results.set(SQL, { fields: [{ name: "a", type: "INTEGER" }, record], rows: [row] });
    const { query } = await connect(server);
    expect(await rejection(query(SQL))).toMatchObject({
      code: "bigquery/value_unreadable",
      details: { column },
    });
  });

  test("JSON is text, and a null in it is not NULL", async () => {
    expect(await valuesOf({ type: "JSON" }, '{"a":1}', "null", null)).toMatchObject({
      values: ['{"a":1}', "null", null],
    });
  });

  test("a record with a list of records keeps its structure", async () => {
    const field = {
      type: "RECORD",
      fields: [
        { name: "n", type: "INTEGER" },
        { name: "tags", type: "STRING", mode: "REPEATED" },
      ],
    };
    const cell = { f: [{ v: "9007199254740993" }, { v: [{ v: "a" }, { v: "" }] }] };
    const { type, values } = await valuesOf(field, cell, null);
    expect(type).toBe('STRUCT("n" BIGINT, "tags" VARCHAR[])');
    expect(
      JSON.parse(JSON.stringify(values, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one))),
    ).toEqual([{ n: "9007199254740993", tags: ["a", ""] }, null]);
  });

  test("timestamps keep microseconds from year 1 to 9999", async () => {
    const micros = [
      "-62135596800000000",
      "253402300799999999",
      "-19954556198377106",
      "-1",
      "0",
      "1767225600000001",
    ];
    expect(await microsOf(micros)).toEqual(micros);
  });

  test("a datetime is not shifted", async () => {
    expect(await microsOf(["0001-01-01T00:00:00", "2026-01-31T10:00:00.123456"], "DATETIME")).toEqual([
      "-62135596800000000",
      "1769853600123456",
    ]);
  });

  test("timestamps of picoseconds keep all digits as text", async () => {
    const text = "2026-01-31T10:00:00.123456789012Z";
    expect((await valuesOf({ type: "TIMESTAMP", timestampPrecision: "12" }, text)).values).toEqual([text]);
  });

  test("floats keep NaN and the infinities", async () => {
    const { values } = await valuesOf(
      { type: "FLOAT" },
      "NaN",
      "Infinity",
      "-Infinity",
      "1.7976931348623157e+308",
      "-0.0",
    );
    expect(values).toEqual([NaN, Infinity, -Infinity, 1.7976931348623157e308, -0]);
  });

  test("extreme numbers are exact", async () => {
    const big = "578960446186580977117854925043439539266.34992332820282019728792003956564819967";
    expect((await valuesOf({ type: "BIGNUMERIC" }, big, `-${big}`)).values).toEqual([big, `-${big}`]);
    const numeric = "99999999999999999999999999999.999999999";
    const { values } = await valuesOf({ type: "NUMERIC" }, numeric, `-${numeric}`);
    expect(values.map((value) => String(value))).toEqual([
      "99999999999999999999999999999999999999",
      "-99999999999999999999999999999999999999",
    ]);
    expect((await valuesOf({ type: "INTEGER" }, "-9223372036854775808")).values).toEqual([-(2n ** 63n)]);
  });

  test("bytes are decoded", async () => {
    const [value] = (await valuesOf({ type: "BYTES" }, "AP8=")).values;
    expect(Array.from(value as Uint8Array)).toEqual([0, 255]);
  });

  test.each([
    [{ type: "BYTES" }, "no base64", "it is not base64"],
    [{ type: "FLOAT" }, "one", "it is not a number"],
    [{ type: "STRING", mode: "REPEATED" }, "a", "it is not a list"],
    [{ type: "RECORD", fields: [{ name: "a", type: "STRING" }] }, "a", "it is not a record"],
    [{ type: "TIMESTAMP" }, "99999999999999999999", "its year is outside 1 to 9999"],
  ] as const)("%j does not accept %s", async (field, cell, reason) => {
    const error = await rejection(valuesOf(field, cell));
    expect(error).toMatchObject({
      code: "bigquery/value_unreadable",
      details: { table: "the query", column: "x", reason },
    });
    expect(error.message).toContain(cell);
  });

  test.each([
    [{ name: "x", type: "HYPERCUBE" }, "x", "HYPERCUBE"],
    [{ name: "__proto__", type: "STRING" }, "__proto__", "STRING"],
    [
      {
        name: "r",
        type: "RECORD",
        fields: [
          { name: "a", type: "STRING" },
          { name: "A", type: "STRING" },
        ],
      },
      "r",
      "STRUCT<a STRING, A STRING>",
    ],
    [{ name: "r", type: "RECORD", fields: [{ name: "y", type: "FOREIGN" }] }, "r.y", "FOREIGN"],
  ])("%j is an error that names the column", async (field, column, type) => {
    const made = async () => schemaOf([field], "table shop.x");
    expect(await rejection(made())).toMatchObject({
      code: "bigquery/type_unsupported",
      details: { table: "table shop.x", column, type },
    });
  });
});
