import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { arrow } from "agnes/kit";

import { StorageUnusable } from "../../plugins/bigquery/storage/unusable.ts";
import { decoderOf } from "../../plugins/bigquery/storage/decode.ts";
import { schemaOf } from "../../plugins/bigquery/types.ts";
import type { FakeCell, FakeField } from "../fakes/bigquery/mod.ts";
import { arrowMessages } from "../fakes/bigquery/storage-arrow.ts";
import { rowsOf } from "./storage-support.ts";
import { rejection } from "./support.ts";

setDefaultTimeout(60_000);

/** The batch of a column that the plugin makes of Arrow as BigQuery sends it. */
const decoded = (field: Omit<FakeField, "name">, ...cells: FakeCell[]): arrow.RecordBatch =>
  decodedAs(field, field, ...cells);

/** The batch of a column that the service sends with another type than the table has. */
function decodedAs(
  sent: Omit<FakeField, "name">,
  field: Omit<FakeField, "name">,
  ...cells: FakeCell[]
): arrow.RecordBatch {
  const own = { name: "x", ...sent };
  const { schema, batches } = arrowMessages(
    [own],
    cells.map((cell) => [cell]),
    1000,
  );
  const declared = schemaOf([numbersOf({ name: "x", ...field }) as never], "shop.t");
  return decoderOf(schema, declared)(batches[0]!.message);
}

/** The field with numbers, as the schema of the plugin has them after parsing. */
function numbersOf({ precision, scale, timestampPrecision, ...field }: FakeField): object {
  return {
    ...field,
    ...(precision === undefined ? {} : { precision: Number(precision) }),
    ...(scale === undefined ? {} : { scale: Number(scale) }),
    ...(timestampPrecision === undefined ? {} : { timestampPrecision: Number(timestampPrecision) }),
  };
}

const valuesOf = (field: Omit<FakeField, "name">, ...cells: FakeCell[]): readonly unknown[] =>
  rowsOf(decoded(field, ...cells)).map((row) => row["x"]);

const wordsOf = (batch: arrow.RecordBatch): readonly string[] =>
  Array.from(batch.data.children[0]!.values as BigInt64Array, String);

const BIG = "578960446186580977117854925043439539266.34992332820282019728792003956564819967";
const NUMERIC_MAX = "99999999999999999999999999999.999999999";

describe("bigquery: Arrow values", () => {
  test("integers are exact at their ends", () => {
    expect(wordsOf(decoded({ type: "INTEGER" }, "-9223372036854775808", "9223372036854775807"))).toEqual([
      "-9223372036854775808",
      "9223372036854775807",
    ]);
  });

  test("NUMERIC is DECIMAL(38,9), and one with own digits has them", () => {
    const wide = { type: "NUMERIC" };
    expect(valuesOf(wide, NUMERIC_MAX, `-${NUMERIC_MAX}`, null, "0.000000001")).toEqual([
      NUMERIC_MAX.replace(".", ""),
      `-${NUMERIC_MAX.replace(".", "")}`,
      null,
      "1",
    ]);
    const batch = decoded({ type: "NUMERIC", precision: "12", scale: "2" }, "10.25", null, "-0.01");
    expect(String(batch.schema.fields[0]!.type)).toBe("Decimal[12e+2]");
    expect(rowsOf(batch).map((row) => row["x"])).toEqual(["1025", null, "-1"]);
  });

  test("BIGNUMERIC is text as the REST API returns it, to 77 digits", () => {
    const cells = [BIG, `-${BIG}`, "0", "1.5", "-0.00000000000000000000000000000000000001", "100", null];
    expect(valuesOf({ type: "BIGNUMERIC" }, ...cells)).toEqual(cells);
  });

  const few = { type: "BIGNUMERIC", precision: "38", scale: "20" };

  test.each([few, { type: "BIGNUMERIC" }])("BIGNUMERIC with few digits, sent as %j, is a decimal", (sent) => {
    const batch = decodedAs(sent, few, "-1.5", null);
    expect(String(batch.schema.fields[0]!.type)).toBe("Decimal[38e+20]");
    expect(rowsOf(batch).map((row) => row["x"])).toEqual(["-150000000000000000000", null]);
  });

  test.each(["1000.5", "-1000", "1.25"])("%s does not fit DECIMAL(4,1)", async (value) => {
    const field = { type: "BIGNUMERIC", precision: "4", scale: "1" };
    const made = async () => decodedAs({ type: "BIGNUMERIC" }, field, "1.5", value);
    expect(await rejection(made())).toMatchObject({
      code: "bigquery/value_unreadable",
      details: { column: "x", value },
    });
  });

  test("timestamps and datetimes keep microseconds from year 1 to 9999", () => {
    const micros = ["-62135596800000000", "253402300799999999", "-1", "0", "1767225600000001"];
    const batch = decoded({ type: "TIMESTAMP" }, ...micros);
    expect([String(batch.schema.fields[0]!.type), wordsOf(batch)]).toEqual([
      "Timestamp<MICROSECOND, UTC>",
      micros,
    ]);
    const local = decoded({ type: "DATETIME" }, "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999");
    expect([String(local.schema.fields[0]!.type), wordsOf(local)]).toEqual([
      "Timestamp<MICROSECOND>",
      ["-62135596800000000", "253402300799999999"],
    ]);
  });

  test("dates and times are exact", () => {
    const days = decoded({ type: "DATE" }, "0001-01-01", "9999-12-31");
    expect(Array.from(days.data.children[0]!.values as Int32Array)).toEqual([-719162, 2932896]);
    expect(wordsOf(decoded({ type: "TIME" }, "00:00:00", "23:59:59.999999"))).toEqual(["0", "86399999999"]);
  });

  test("text, bytes, booleans and floats pass unchanged", () => {
    expect(valuesOf({ type: "STRING" }, "Čapek", "", null)).toEqual(["Čapek", "", null]);
    expect(valuesOf({ type: "JSON" }, '{"a":1}', "null", null)).toEqual(['{"a":1}', "null", null]);
    expect(valuesOf({ type: "GEOGRAPHY" }, "POINT(1 2)", null)).toEqual(["POINT(1 2)", null]);
    expect(valuesOf({ type: "BOOLEAN" }, "true", "false", null)).toEqual([true, false, null]);
    expect(valuesOf({ type: "BYTES" }, "AP8=", "", null)).toEqual([{ 0: 0, 1: 255 }, {}, null]);
    const floats = decoded({ type: "FLOAT" }, "NaN", "Infinity", "-Infinity", "-0.0", "5e-324");
    expect(Array.from(floats.data.children[0]!.values as Float64Array)).toEqual([
      NaN,
      Infinity,
      -Infinity,
      -0,
      5e-324,
    ]);
  });

  test("intervals are text as BigQuery prints them", () => {
    const cells = [
      "0 0 0",
      "14 3 14706789000000",
      "-14 -3 -14706000001000",
      "0 0 10000000",
      "0 -1 500000000",
    ];
    expect(valuesOf({ type: "INTERVAL" }, ...cells, null)).toEqual([
      "0-0 0 0:0:0",
      "1-2 3 4:5:6.789",
      "-1-2 -3 -4:5:6.000001",
      "0-0 0 0:0:0.010",
      "0-0 -1 0:0:0.500",
      null,
    ]);
  });

  test("lists and records keep their structure, also around values that are converted", () => {
    const field = {
      type: "RECORD",
      mode: "REPEATED",
      fields: [
        { name: "n", type: "INTEGER" },
        { name: "big", type: "BIGNUMERIC" },
        { name: "tags", type: "STRING", mode: "REPEATED" },
      ],
    };
    const record = { f: [{ v: "7" }, { v: "1.50" }, { v: [{ v: "a" }, { v: "" }] }] };
    const nulls = { f: [{ v: null }, { v: null }, { v: [] }] };
    expect(valuesOf(field, [{ v: record }, { v: nulls }], [])).toEqual([
      [
        { n: "7", big: "1.5", tags: ["a", ""] },
        { n: null, big: null, tags: [] },
      ],
      [],
    ]);
    expect(valuesOf({ ...field, mode: "NULLABLE" }, null, record)).toEqual([
      null,
      { n: "7", big: "1.5", tags: ["a", ""] },
    ]);
  });

  test.each([
    [{ type: "RANGE", rangeElementType: { type: "DATE" } }, "Struct"],
    [{ type: "TIMESTAMP", timestampPrecision: "12" }, "Timestamp"],
  ])("%j has no exact form in Arrow, so a job reads it", async (field, type) => {
    const error = await rejection((async () => decoded(field, null))());
    expect(error).toBeInstanceOf(StorageUnusable);
    expect(error.message).toContain(`column x is ${type}`);
  });

  test("columns are found by their names, in any order", () => {
    const fields = [
      { name: "a", type: "INTEGER" },
      { name: "b", type: "STRING" },
    ];
    const { schema, batches } = arrowMessages(fields, [["1", "x"]], 10);
    const wanted = schemaOf([fields[1]!, fields[0]!], "shop.t");
    const batch = decoderOf(schema, wanted)(batches[0]!.message);
    expect(batch.schema.fields.map(({ name }) => name)).toEqual(["b", "a"]);
    expect(rowsOf(batch)).toEqual([{ b: "x", a: "1" }]);
    expect(() => decoderOf(schema, schemaOf([{ name: "c", type: "STRING" }], "shop.t"))).toThrow(
      StorageUnusable,
    );
  });

  test("values at any position of a response are read", () => {
    const { schema, batches } = arrowMessages([{ name: "x", type: "INTEGER" }], [["7"], ["8"]], 10);
    const decode = decoderOf(schema, schemaOf([{ name: "x", type: "INTEGER" }], "shop.t"));
    const { message } = batches[0]!;
    for (let offset = 0; offset < 8; offset += 1) {
      const shifted = new Uint8Array(message.byteLength + 8).subarray(offset, offset + message.byteLength);
      shifted.set(message);
      expect(wordsOf(decode(shifted))).toEqual(["7", "8"]);
    }
  });

  test("the end of a stream after the schema, as emulators send it, is ignored", () => {
    const { schema, batches } = arrowMessages([{ name: "x", type: "INTEGER" }], [["7"]], 10);
    const ended = Uint8Array.from([...schema, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    const decode = decoderOf(ended, schemaOf([{ name: "x", type: "INTEGER" }], "shop.t"));
    expect(wordsOf(decode(batches[0]!.message))).toEqual(["7"]);
  });
});
