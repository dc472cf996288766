import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { nodeFiles } from "../../lib/base/mod.ts";
import { KnownRow } from "../../lib/duckdb/files/json/known-row.ts";
import { rowShape } from "../../lib/duckdb/files/json/row-shape.ts";
import { scanFile } from "../../lib/duckdb/files/json/scan-file.ts";
import { ShapeWalk } from "../../lib/duckdb/files/json/walk.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { isRight, TYPES, VALUES } from "./files-json-values.ts";
import { temporaryDirectory } from "./support.ts";

function isMatched(row: string, known: KnownRow): boolean {
  const bytes = Buffer.from(`${row}\n${" ".repeat(64)}`);
  return (
    known.match(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0) === Buffer.byteLength(row)
  );
}

test.each(TYPES)("KnownRow accepts only values that the scanner accepts for %s", async (type) => {
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

test("KnownRow accepts the usual values of each type", () => {
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

test("KnownRow leaves rows with other keys, duplicate keys or another order to the scanner", () => {
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

test("KnownRow accepts no text with one changed byte that the scanner rejects", async () => {
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

test("a scan has the same result for a file with known and unknown rows", async () => {
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
    const scanned = await scanFile(
      { files: nodeFiles(), path },
      true,
      new ShapeWalk(root, { columnsMax: 9, ...options }),
    );
    scans.push({ ...scanned, seen: root.order.map(({ object }) => object > 0) });
  }
  expect(scans[0]).toEqual(scans[1]!);
  expect(scans[0]).toMatchObject({
    layout: "lines",
    seen: [true, true, true, false],
    rows: rows.filter(Boolean).length,
  });
});
