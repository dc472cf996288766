import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { isAgnesError } from "../../lib/base/mod.ts";
import { KnownRow } from "../../lib/duckdb/files/json/known-row.ts";
import { fitsColumns, rowShape } from "../../lib/duckdb/files/json/row-shape.ts";
import { scanFile } from "../../lib/duckdb/files/json/scan-file.ts";
import { ShapeWalk } from "../../lib/duckdb/files/json/walk.ts";
import type { FileColumn } from "../../lib/kit/mod.ts";
import { seededRandom } from "../../lib/testing/mod.ts";
import { temporaryDirectory } from "./support.ts";

const TYPES = [
  "TINYINT",
  "SMALLINT",
  "INTEGER",
  "BIGINT",
  "HUGEINT",
  "UTINYINT",
  "UINTEGER",
  "UBIGINT",
  "UHUGEINT",
  "DECIMAL(18,2)",
  "DECIMAL(18,0)",
  "DECIMAL(4,3)",
  "DECIMAL(38,10)",
  "DOUBLE",
  "FLOAT",
  "BOOLEAN",
  "VARCHAR",
  "UUID",
  "TIME",
  "DATE",
  "TIMESTAMP",
  "TIMESTAMP_NS",
  "TIMESTAMP WITH TIME ZONE",
  "JSON",
  "BIGINT[]",
  "STRUCT(x BIGINT, y VARCHAR)",
  "STRUCT(x BIGINT)[]",
  "MAP(VARCHAR, BIGINT)",
];

/** The row is left out: nothing but the value can be wrong. */
const VALUES = [
  "null",
  "nul",
  "nulls",
  "true",
  "false",
  "fals",
  "truee",
  "True",
  "",
  "-",
  "+1",
  ".5",
  "1.",
  "1.e1",
  "0",
  "-0",
  "00",
  "01",
  "-01",
  "7",
  "-7",
  "99",
  "100",
  "127",
  "128",
  "-128",
  "-129",
  "255",
  "256",
  "9999",
  "10000",
  "32768",
  "999999999",
  "2147483648",
  "-2147483649",
  "4294967296",
  "999999999999999999",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775809",
  "18446744073709551616",
  "9".repeat(38),
  "9".repeat(39),
  "9".repeat(40),
  "9007199254740993",
  "123456789012345",
  "1234567890123456",
  "0.0",
  "-0.0",
  "-0.5",
  "1.5",
  "-1.5",
  "1.25",
  "1.250",
  "1.234",
  "12345678901234.25",
  "1234567890123.25",
  "00.5",
  "1.0",
  "12345678901234567.5",
  "1234567890.1234567890",
  "0.12345678901234567",
  "0.10000000000000001",
  "-9223372036854775808",
  "0.1234567890123456789",
  "1e5",
  "1E5",
  "12e3",
  "1.5e300",
  "1e999",
  "1.5e",
  "1.5e+2",
  "0x1",
  "1_000",
  "NaN",
  "Infinity",
  "1 2",
  "1,2",
  '""',
  '"a"',
  '"abc"',
  '"abcd"',
  '"é😀"',
  '"a\\"b"',
  '"a\\\\"',
  '"\\u0041"',
  '"\\ud83d"',
  '"\\x"',
  '"a\tb"',
  '"a',
  '"abc\\"',
  '"5"',
  '"true"',
  "'a'",
  '"2024-01-31"',
  '"2024-02-29"',
  '"2023-02-29"',
  '"2024-13-01"',
  '"2024-00-01"',
  '"2024-01-00"',
  '"2024-1-01"',
  '"2024/01/01"',
  '"0000-01-01"',
  '"0999-01-01"',
  '"2024-01-01x"',
  '"2024-0:-01"',
  '"2024-01-1:"',
  '"2024-1:-01"',
  '"20240101"',
  '"2024-01-01 00:00:00"',
  '"2024-01-01T23:59:59"',
  '"2024-01-01 24:00:00"',
  '"2024-01-01 23:60:00"',
  '"2024-01-01 23:59:60"',
  '"2024-01-01 2:00:00"',
  '"2024-01-01 00-00:00"',
  '"2024-01-01 00:00-00"',
  '"2024-01-01x00:00:00"',
  '"2024-01-01 00:00:00."',
  '"2024-01-01 00:00:00.123456"',
  '"2024-01-01 00:00:00.1234567"',
  '"2024-01-01 00:00"',
  '"2024-01-01 1:2:3"',
  '"2024-01-01T00:00:00Z"',
  '"2024-01-01T00:00:00.5Z"',
  '"2024-01-01T00:00:00+02:00"',
  '"2024-01-01T00:00:00+99"',
  "[]",
  "[1]",
  "[1,2]",
  "[1, 2]",
  "[1,]",
  "[,1]",
  "[null]",
  "[1.5]",
  "[[1]]",
  "[1",
  '["a"]',
  "{}",
  '{"x":1}',
  '{"x":1,"y":"a"}',
  '{"y":"a"}',
  '{"y":"a","x":1}',
  '{"x":1,"x":2}',
  '{"x":1,}',
  '{"z":1}',
  '{"X":1}',
  '[{"x":1}]',
];

/** Whether the scanner takes the text and all values fit, without the short cut. */
async function isRight(text: string, columns: readonly FileColumn[]): Promise<boolean> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "t.ndjson");
  await writeFile(path, text);
  const root = rowShape(columns);
  // Who asks for the rows is told all of them piece by piece.
  const walk = new ShapeWalk(root, { columnsMax: 100, onRow: () => {} });
  expect(walk.knownRow).toBeNull();
  try {
    await scanFile({ path }, true, walk);
  } catch (error) {
    if (isAgnesError(error)) return false;
    throw error;
  }
  return fitsColumns(root) && !root.hasNumberTexts;
}

function isMatched(row: string, known: KnownRow): boolean {
  const bytes = Buffer.from(`${row}\n${" ".repeat(64)}`);
  return (
    known.match(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0) === Buffer.byteLength(row)
  );
}

test.each(TYPES)("KnownRow takes only values that the scanner takes for %s", async (type) => {
  const columns = [
    { name: "value", type },
    { name: "z", type: "BIGINT" },
  ];
  const known = new KnownRow(rowShape(columns));
  const wrong: string[] = [];
  for (const value of VALUES) {
    const row = `{"value":${value},"z":1}`;
    if (isMatched(row, known) && !(await isRight(`${row}\n`, columns))) wrong.push(value);
  }
  expect(wrong).toEqual([]);
});

test("KnownRow takes what is usual for each type", () => {
  const usual: Readonly<Record<string, readonly string[]>> = {
    BIGINT: ["0", "-7", "999999999999999999", "null"],
    INTEGER: ["123456789", "null"],
    UBIGINT: ["1234567890"],
    "DECIMAL(18,2)": ["0", "0.0", "0.25", "-1.5", "1234567890123.25"],
    DOUBLE: ["0", "-0.0", "1.5", "-12345.678", "123456789012345", "0.30000000000000004"],
    BOOLEAN: ["true", "false", "null"],
    VARCHAR: ['""', '"a"', '"é😀 and more"', '"a\\"b\\\\"', "null"],
    DATE: ['"2024-01-31"', '"2024-02-28"'],
    TIMESTAMP: ['"2024-01-31 23:59:59"', '"2024-02-28T00:00:00.123"', '"2024-02-28"'],
    "TIMESTAMP WITH TIME ZONE": [
      '"2024-01-31T23:59:59Z"',
      '"2024-01-01T00:00:00.5Z"',
      '"2024-01-01T00:00:00+02:00"',
    ],
    "STRUCT(x BIGINT, y VARCHAR)": ["{}", '{"x":1}', '{"y":"a"}', '{"x": 1, "y": "a"}'],
    "BIGINT[]": ["[]", "[1,2]", "[1, null]"],
  };
  const left = Object.entries(usual).flatMap(([type, values]) => {
    const known = new KnownRow(
      rowShape([
        { name: "a", type },
        { name: "longer name", type: "BIGINT" },
      ]),
    );
    const rows = values.flatMap((value) => [
      `{"a":${value}}`,
      `{"a": ${value}, "longer name": 5}`,
      `{"longer name":5}`,
    ]);
    return rows.filter((row) => !isMatched(row, known)).map((row) => `${type}: ${row}`);
  });
  expect(left).toEqual([]);
});

test("KnownRow leaves rows with other keys, twice the same key or another order to the scanner", () => {
  const known = new KnownRow(
    rowShape([
      { name: "id", type: "BIGINT" },
      { name: "name", type: "BIGINT" },
    ]),
  );
  for (const row of [
    '{"id":1,"id":2}',
    '{"name":1,"id":2}',
    '{"id":1,"nam":2}',
    '{"id":1,"names":2}',
    '{"id":1,"x":2}',
    '{"id":1,}',
    '{"id":1',
    '{"id" :1}',
    '{,"id":1}',
    '{"i\\u0064":1}',
  ])
    expect([row, isMatched(row, known)]).toEqual([row, false]);
});

test("KnownRow takes no text with one byte changed that the scanner refuses", async () => {
  const columns = [
    { name: "id", type: "BIGINT" },
    { name: "price", type: "DECIMAL(18,2)" },
    { name: "text", type: "VARCHAR" },
    { name: "at", type: "TIMESTAMP" },
    { name: "ok", type: "BOOLEAN" },
    { name: "tags", type: "STRUCT(a DOUBLE)[]" },
  ];
  const row =
    '{"id":12345,"price":-12.5,"text":"one two","at":"2024-11-28T12:34:56.5","ok":true,"tags":[{"a":1.5},{}]}';
  const next = seededRandom(7);
  const bytes = Buffer.from('{}[]",:\\-+.0123456789eEnuta \t\u0001:/;<=>?@');
  let matched = 0;
  for (let run = 0; run < 3000; run++) {
    const changed = Buffer.from(row);
    changed[1 + Math.floor(next() * (changed.length - 1))] = bytes[Math.floor(next() * bytes.length)]!;
    const text = changed.toString("latin1");
    if (!isMatched(text, new KnownRow(rowShape(columns)))) continue;
    matched += 1;
    expect([text, await isRight(`${text}\n`, columns)]).toEqual([text, true]);
  }
  expect(matched).toBeGreaterThan(100);
});

test("a scan says the same of a file whether its rows are known or not", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "t.ndjson");
  const rows = Array.from({ length: 20_000 }, (_, at) =>
    at % 7 === 3
      ? `{"name":"row ${at}","id":${at}}`
      : at % 5 === 2
        ? ""
        : `{"id":${at},${at < 5000 ? '"early":null,' : ""}"name":"řádek ${at}"}`,
  );
  await writeFile(path, rows.join("\n"));
  const columns = ["id", "early", "name", "other"].map((name) => ({
    name,
    type: name === "id" ? "BIGINT" : "VARCHAR",
  }));
  const scans = [];
  for (const options of [{}, { onRow: () => {} }]) {
    const root = rowShape(columns);
    const scanned = await scanFile({ path }, true, new ShapeWalk(root, { columnsMax: 9, ...options }));
    scans.push({ ...scanned, seen: root.order.map(({ object }) => object > 0) });
  }
  expect(scans[0]).toEqual(scans[1]!);
  expect(scans[0]).toMatchObject({
    layout: "lines",
    seen: [true, true, true, false],
    rows: rows.filter(Boolean).length,
  });
});
