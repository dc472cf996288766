import { expect, test } from "bun:test";

import { JsonText } from "../../lib/base/mod.ts";
import { rejection } from "./support.ts";
import { readParquet } from "./files-parquet-support.ts";

const MERGES: readonly (readonly [one: string, other: string, type: string, rows: readonly string[]])[] = [
  ["{'a': 1}", "{'b': 'x', 'a': 2}", "STRUCT(a INTEGER, b VARCHAR)", ['{"a":1,"b":null}', '{"a":2,"b":"x"}']],
  ["{'a': 1}", "{'b': 'x'}", "STRUCT(a INTEGER, b VARCHAR)", ['{"a":1,"b":null}', '{"a":null,"b":"x"}']],
  [
    "[{'a': 1}, NULL]",
    "[{'b': 2}]",
    "STRUCT(a INTEGER, b INTEGER)[]",
    ['[{"a":1,"b":null},null]', '[{"a":null,"b":2}]'],
  ],
  [
    "{'s': {'a': 1}}",
    "{'s': {'b': [1]}}",
    "STRUCT(s STRUCT(a INTEGER, b INTEGER[]))",
    ['{"s":{"a":1,"b":null}}', '{"s":{"a":null,"b":[1]}}'],
  ],
  [
    "MAP {'k': {'a': 1}}",
    "MAP {'l': {'b': 2}}",
    "MAP(VARCHAR, STRUCT(a INTEGER, b INTEGER))",
    ['{"k":{"a":1,"b":null}}', '{"l":{"a":null,"b":2}}'],
  ],
  ["{'a': 1::BIGINT}", "{'a': 1.5::DOUBLE}", "STRUCT(a DOUBLE)", ['{"a":1.0}', '{"a":1.5}']],
  ["1::TINYINT", "2::BIGINT", "BIGINT", ["1", "2"]],
  ["-1::INTEGER", "4294967295::UINTEGER", "BIGINT", ["-1", "4294967295"]],
  ["-1::BIGINT", "18446744073709551615::UBIGINT", "HUGEINT", ["-1", "18446744073709551615"]],
  ["1::INTEGER", "2.5::DOUBLE", "DOUBLE", ["1.0", "2.5"]],
  ["0.5::FLOAT", "2.5::DOUBLE", "DOUBLE", ["0.5", "2.5"]],
  ["1.25::DECIMAL(9,2)", "1.125::DECIMAL(18,3)", "DECIMAL(18,3)", ["1.250", "1.125"]],
  ["1.25::DECIMAL(9,2)", "9223372036854775807::BIGINT", "DECIMAL(21,2)", ["1.25", "9223372036854775807.00"]],
  ["1.25::DECIMAL(9,2)", "0.1::DOUBLE", "DOUBLE", ["1.25", "0.1"]],
  [
    "DATE '2024-01-02'",
    "TIMESTAMP '2024-01-02 03:04:05'",
    "TIMESTAMP",
    ['"2024-01-02 00:00:00"', '"2024-01-02 03:04:05"'],
  ],
  [
    "TIMESTAMP '2024-01-02'",
    "TIMESTAMP_NS '2024-01-02 00:00:00.123456789'",
    "TIMESTAMP_NS",
    ['"2024-01-02 00:00:00"', '"2024-01-02 00:00:00.123456789"'],
  ],
  ["'x'", "7", "VARCHAR", ['"x"', '"7"']],
];

test.each(MERGES)(
  "inspectParquet() finds a type for %s and %s in two files",
  async (one, other, type, rows) => {
    const read = await readParquet([`SELECT ${one} AS v`, `SELECT ${other} AS v`]);
    expect(read.types).toEqual({ v: type });
    expect(read.rows).toEqual(rows.map((row) => `{"v":${row}}`));
    const turned = await readParquet([`SELECT ${other} AS v`, `SELECT ${one} AS v`]);
    expect(turned.rows.map((row) => JSON.parse(row) as unknown)).toEqual(
      rows.toReversed().map((row) => JSON.parse(`{"v":${row}}`) as unknown),
    );
  },
);

test.each([
  ["TIMESTAMP '2024-01-02'", "TIMESTAMPTZ '2024-01-02 00:00:00+00'"],
  ["1", "[1]"],
  ["{'a': 1}", "'x'"],
  ["{'a': 1}", "MAP {'a': 1}"],
  ["{'a': 1}", "{'A': 1}"],
  ["true", "1"],
  ["'\\x00'::BLOB", "'x'"],
  ["1::DECIMAL(38,0)", "0.1::DECIMAL(38,38)"],
])("inspectParquet() names both files if no type holds %s and %s", async (one, other) => {
  const error = await rejection(readParquet([`SELECT ${one} AS v`, `SELECT ${other} AS v`]));
  expect(error.code).toBe("file_unreadable");
  expect(error.message).toMatch(/"1[.]parquet": its column "v" is .* in 0[.]parquet; no type holds both/);
});

test.each([
  [
    ["[1]", "[1.5::DOUBLE]", "['x']", "'x'"],
    'its column "v" is VARCHAR, but INTEGER[] in 0.parquet; no type holds both',
  ],
  [
    ["1::DECIMAL(10,2)", "1::DECIMAL(25,5)", "[1]"],
    'its column "v" is INTEGER[], but DECIMAL(10,2) in 0.parquet; no type holds both',
  ],
  [["1", "'x'", "[1]"], 'its column "v" is INTEGER[], but INTEGER in 0.parquet; no type holds both'],
  [
    ["1::DECIMAL(30,2)", "1::DECIMAL(30,5)", "1::DECIMAL(38,3)"],
    'its column "v" is DECIMAL(38,3), but DECIMAL(30,5) in 1.parquet; no type holds both',
  ],
  [
    ["1::BIGINT", "1::UBIGINT", "1::DECIMAL(2,1)"],
    'its column "v" is DECIMAL(2,1), but BIGINT in 0.parquet and UBIGINT in 1.parquet; no type holds all',
  ],
])("inspectParquet() names two files with conflicting types: %s", async (values, problem) => {
  const error = await rejection(readParquet(values.map((value) => `SELECT ${value} AS v`)));
  expect(error.message).toContain(`"${values.length - 1}.parquet": ${problem}; set its type under types`);
});

test("openParquetFile() names a timestamp outside the range of nanoseconds", async () => {
  for (const [value, text] of [
    ["TIMESTAMP '9999-01-01'", "9999-01-01 00:00:00"],
    ["DATE '1500-01-01'", "1500-01-01"],
    ["[TIMESTAMP '9999-01-01']", "['9999-01-01 00:00:00']"],
  ] as const) {
    const nanoseconds = value.startsWith("[") ? "[TIMESTAMP_NS '2024-01-01']" : "TIMESTAMP_NS '2024-01-01'";
    const error = await rejection(readParquet([`SELECT ${value} AS v`, `SELECT ${nanoseconds} AS v`]));
    expect(error).toMatchObject({ code: "file_value_invalid", details: { column: "v", value: text } });
  }
});

test("openParquetFile() reads timestamps without a time zone as UTC if `types` sets such a type", async () => {
  const selects = ["SELECT TIMESTAMP '2024-01-02' AS v", "SELECT TIMESTAMPTZ '2024-01-02 01:00:00+01' AS v"];
  const { rows } = await readParquet(selects, { types: { v: "TIMESTAMP WITH TIME ZONE" } });
  expect(rows).toEqual(Array.from({ length: 2 }, () => '{"v":"2024-01-02 00:00:00+00"}'));
});

test.each([
  ["SELECT 9007199254740993 AS v", "SELECT 1.5::DOUBLE AS v", "0.parquet", "9007199254740993"],
  [
    "SELECT 1.5::DOUBLE AS v",
    "SELECT 12345678901234567.89::DECIMAL(19,2) AS v",
    "1.parquet",
    "12345678901234567.89",
  ],
  [
    "SELECT [{'x': 9007199254740993}] AS v",
    "SELECT [{'x': 1.5::DOUBLE}] AS v",
    "0.parquet",
    "[{'x': 9007199254740993}]",
  ],
])("openParquetFile() rejects values that a double cannot hold: %s", async (one, other, file, value) => {
  const error = await rejection(readParquet([one, other]));
  expect(error).toMatchObject({ code: "file_value_invalid", details: { file, column: "v", value } });
});

test("openParquetFile() reads a configured type only without loss, and rejects other rows", async () => {
  const select = "SELECT unnest(['1', '2.5', NULL, 'x']) AS v, unnest([1.5, 2, 3.25, 4]::DOUBLE[]) AS w";
  const types = { v: "BIGINT", w: "DECIMAL(9,1)" };
  const error = await rejection(readParquet([select], { types }));
  expect(error).toMatchObject({
    code: "file_value_invalid",
    details: { file: "0.parquet", column: "v", value: "2.5", type: "BIGINT" },
  });
  const { rows, rejected } = await readParquet([select], { types, sortsOut: true });
  expect(rows).toEqual(['{"v":1,"w":1.5}']);
  expect(rejected).toEqual([
    {
      row: 2,
      column: "v",
      value: "2.5",
      reason: "it is not BIGINT",
      record: new JsonText('{"v":"2.5","w":2.0}'),
    },
    {
      row: 3,
      column: "w",
      value: "3.25",
      reason: "it is not DECIMAL(9,1)",
      record: new JsonText('{"v":null,"w":3.25}'),
    },
    {
      row: 4,
      column: "v",
      value: "x",
      reason: "it is not BIGINT",
      record: new JsonText('{"v":"x","w":4.0}'),
    },
  ]);
});

test("openParquetFile() keeps the numbers of a rejected row as in the file, at any depth", async () => {
  const select = `SELECT 'x' AS v, {'big': 9007199254740993123, 'many': 1.12345678901234567890::DECIMAL(38,20)} AS s,
    {'n': 'nan'::DOUBLE, 'i': ['-inf'::DOUBLE], 't': 'NaN'} AS odd, '{"a": 12345678901234567890.5}'::JSON AS j`;
  const { rejected } = await readParquet([select], { types: { v: "BIGINT" }, sortsOut: true });
  expect(rejected.map(({ record }) => record)).toEqual([
    new JsonText(
      '{"v":"x","s":{"big":9007199254740993123,"many":1.12345678901234567890},' +
        '"odd":{"n":"NaN","i":["-Infinity"],"t":"NaN"},"j":"{\\"a\\": 12345678901234567890.5}"}',
    ),
  ]);
});

test("inspectParquet() keeps the known order, and files may lack columns", async () => {
  const known = {
    format: "parquet",
    columns: [
      { name: "b", type: "VARCHAR" },
      { name: "a", type: "VARCHAR" },
    ],
  } as const;
  const read = await readParquet(["SELECT 1 AS a, 2 AS b", "SELECT 3 AS a, 4 AS c"], { known });
  expect(read.types).toEqual({ b: "INTEGER", a: "INTEGER", c: "INTEGER" });
  expect(Object.keys(read.types)).toEqual(["b", "a", "c"]);
  expect(read.rows).toEqual(['{"a":1,"b":2}', '{"a":3,"c":4}']);
});

test("openParquetFile() creates columns from constants, not from a path", async () => {
  expect((await readParquet(["SELECT 1 AS v"])).types).toEqual({ v: "INTEGER" });
  const read = await readParquet(["SELECT 1 AS v"], { constants: { year: "2024", v: "7" } });
  expect(read.types).toEqual({ v: "INTEGER", year: "BIGINT" });
  expect(read.rows).toEqual(['{"v":1,"year":2024}']);
});

test("openParquetFile() requires another inspection if a file has unknown columns or types", async () => {
  const columns = [{ name: "v", type: "INTEGER" }];
  expect((await rejection(readParquet(["SELECT 1 AS v, 2 AS w"], { columns }))).message).toContain(
    'it has a new column "w"',
  );
  expect((await rejection(readParquet(["SELECT 1::BIGINT AS v"], { columns }))).message).toContain(
    'its column "v" is BIGINT, not INTEGER',
  );
  expect((await readParquet(["SELECT 1::TINYINT AS v"], { columns })).rows).toEqual(['{"v":1}']);
});

test("openParquetFile() keeps the order of 2,500 columns and of rows, and reads files without rows", async () => {
  const list = Array.from({ length: 2500 }, (_, at) => `i + ${at} AS c${at}`).join(", ");
  const { types, rows } = await readParquet([`SELECT ${list} FROM range(3) t(i)`]);
  expect(Object.keys(types)).toEqual(Array.from({ length: 2500 }, (_, at) => `c${at}`));
  expect(rows.map((row) => Object.values(JSON.parse(row) as object).slice(0, 2))).toEqual([
    [0, 1],
    [1, 2],
    [2, 3],
  ]);
  expect(await readParquet(["SELECT 1 AS v WHERE false"])).toMatchObject({
    types: { v: "INTEGER" },
    rows: [],
  });
  const many = await readParquet(["SELECT (i * 7919) % 200000 AS v FROM range(200000) t(i)"]);
  expect(many.rows.slice(0, 3)).toEqual(['{"v":0}', '{"v":7919}', '{"v":15838}']);
  expect(many.rows.at(-1)).toBe('{"v":192081}');
});

test("openParquetFile() reads geometries and variants", async () => {
  const select = "SELECT 'POINT (1 2)'::GEOMETRY AS g, {'a': 1, 'b': [1, 2]}::VARIANT AS v";
  const { types } = await readParquet([select]);
  expect(types["v"]).toBe("VARIANT");
  expect(types["g"]).toStartWith("GEOMETRY");
});

test.each([
  ["cut off", (bytes: Buffer) => bytes.subarray(0, bytes.length / 2), /magic bytes/],
  ["encrypted", (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -4), Buffer.from("PARE")]), /encrypted/],
  ["no Parquet file", () => Buffer.from("a,b\n1,2\n3,4\n"), /magic bytes/],
])("inspectParquet() names a file that is %s", async (_title, change, reason) => {
  const error = await rejection(readParquet(["SELECT range AS v FROM range(1000)"], { change }));
  expect(error.code).toBe("file_unreadable");
  expect(error.message).toContain('"0.parquet"');
  expect(error.message).toMatch(reason);
});

test("inspectParquet() treats a file of zero bytes as empty", async () => {
  const read = await readParquet(["SELECT 1 AS v"], { change: () => Buffer.alloc(0) });
  expect(read).toMatchObject({ types: {}, rows: [] });
});

/** A file written by pyarrow with one row, whose only column `v` has the type null. */
const NULLS =
  "UEFSMRUAFQwVDCwVAhUAFQYVBhwAAAACAAAAAgAVBBksNQAYBnNjaGVtYRUCABUCJQIYAXZsvAAAABYCGRwZHCYAHBUCGSUGABkYAXYVABYCFjIWMiYISRwVABUAFQIAPCkGGSYCAAAAABYyFgImCBYyACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZHBwAAAB+AAAAUEFSMQ==";

test("inspectParquet() decides the type of a column that is only null in one file from the others", async () => {
  let at = 0;
  const change = (bytes: Buffer) => (at++ === 0 ? Buffer.from(NULLS, "base64") : bytes);
  const read = await readParquet(["SELECT 1 AS v", "SELECT 'x' AS v"], { change });
  expect(read).toMatchObject({ types: { v: "VARCHAR" }, rows: ['{"v":null}', '{"v":"x"}'] });
});

/** Changes timestamps in nanoseconds to times, because DuckDB can write only the former. */
function toTimes(isUtc: boolean): (bytes: Buffer) => Buffer {
  const nanoseconds = Buffer.from([0x8c, 0x12, 0x1c, 0x3c, 0, 0, 0, 0]);
  return (bytes) => {
    for (let at = bytes.indexOf(nanoseconds); at !== -1; at = bytes.indexOf(nanoseconds, at)) {
      bytes.set([0x7c, isUtc ? 0x11 : 0x12], at);
    }
    return bytes;
  };
}

const ns = (clock: string) => `TIMESTAMP_NS '1970-01-01 ${clock}'`;

test("openParquetFile() reads times with nanoseconds as text, at any depth, and others as times", async () => {
  const [last, micro] = [ns("23:59:59.999999999"), ns("00:00:00.000001")];
  const select = `SELECT * FROM (VALUES
    (1, ${last}, ${micro}, {'a': ${last}, 'b': TIME '01:00:00'}, [${last}, NULL], MAP {'k': ${micro}, 'l': ${last}}),
    (2, ${ns("10:00:00")}, NULL, NULL, [], NULL)) t(id, v, micro, s, l, m)`;
  const read = await readParquet([select], { change: toTimes(false) });
  expect(read.types).toEqual({
    id: "INTEGER",
    v: "VARCHAR",
    micro: "TIME",
    s: "STRUCT(a VARCHAR, b TIME)",
    l: "VARCHAR[]",
    m: "MAP(VARCHAR, VARCHAR)",
  });
  const text = "23:59:59.999999999";
  expect(read.rows.map((row) => JSON.parse(row) as unknown)).toEqual([
    {
      id: 1,
      v: text,
      micro: "00:00:00.000001",
      s: { a: text, b: "01:00:00" },
      l: [text, null],
      m: { k: "00:00:00.000001", l: text },
    },
    { id: 2, v: "10:00:00", micro: null, s: null, l: [], m: null },
  ]);
});

test("inspectParquet() merges times with nanoseconds with times and text, also under `types`", async () => {
  const selects = [`SELECT ${ns("00:00:00.000001001")} AS v`, "SELECT TIME '10:00:00' AS v"];
  const rows = ['{"v":"00:00:00.000001001"}', '{"v":"10:00:00"}'];
  expect(await readParquet(selects, { change: toTimes(false) })).toMatchObject({
    types: { v: "VARCHAR" },
    rows,
  });
  const configured = await readParquet(selects, { change: toTimes(false), types: { v: "VARCHAR" } });
  expect(configured.rows).toEqual(rows);
  const time = { change: toTimes(false), types: { v: "TIME" } };
  expect((await rejection(readParquet(selects, time))).message).toBe(
    '"0.parquet", column v: "00:00:00.000001001" is not TIME',
  );
  const columns = [{ name: "v", type: "TIME" }];
  expect((await rejection(readParquet(selects, { change: toTimes(false), columns }))).code).toBe(
    "file_reading_outdated",
  );
});

test.each([
  ["in UTC", ns("00:00:00.000000001"), true],
  ["outside a day", "TIMESTAMP_NS '1970-01-02 00:00:00.000000001'", false],
])("inspectParquet() rejects times with nanoseconds %s", async (what, value, isUtc) => {
  const error = await rejection(readParquet([`SELECT [${value}] AS v`], { change: toTimes(isUtc) }));
  expect(error.code).toBe("file_unreadable");
  expect(error.message).toContain(`"0.parquet": its column "v" contains times ${what} with nanoseconds`);
});
