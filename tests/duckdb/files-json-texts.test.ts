import { expect, test } from "bun:test";

import type { FileColumn } from "../../lib/kit/mod.ts";
import { readJson, readKnown, separateRejected } from "./files-json-support.ts";

const lines = (...rows: readonly string[]) => rows.map((row) => `${row}\n`).join("");

/** Numbers, some of which DuckDB's reader would reformat. */
const NUMBERS = [
  "1.10",
  "100.0",
  "1e2",
  "1E+2",
  "1e400",
  "-0",
  "-0.0",
  "0.1",
  "-2.50",
  "12345678901234567890",
  "123456789012345678901234567890.5",
  "0.10000000000000001",
  "7",
];

/** The texts of one JSON column. */
async function textsOf(name: string, content: string | Uint8Array): Promise<readonly unknown[]> {
  const { rows, types } = await readJson({ [name]: content });
  expect(types["v"]).toBe("JSON");
  return rows.map((row) => row["v"]);
}

test("openJsonFile() keeps the digits of each number in JSON text, alone and in combination", async () => {
  for (const number of NUMBERS) {
    const values = [`{"x":${number},"X":[${number}]}`, number, `[${number}]`, '"a \\"b\\" 1.10"', "true"];
    const rows = lines(...values.map((value) => `{"v":${value}}`), '{"v":null}', "{}");
    expect(await textsOf("t.ndjson", rows)).toEqual([...values, null, null]);
    expect(await textsOf("t.json", `[${values.map((value) => `{"v":${value}}`).join(",\n")}]`)).toEqual(
      values,
    );
  }
  const all = `{"x":[${NUMBERS.join(",")}],"X":"\u00e9\\n\\u0000"}`;
  const content = lines(`{"v":${all}}`);
  expect(await textsOf("t.ndjson", content)).toEqual([all]);
  expect(await textsOf("t.ndjson", Buffer.from(`\ufeff${content}`, "utf16le"))).toEqual([all]);
});

test("openJsonFile() writes JSON text without spaces, whether it keeps numbers or not", async () => {
  const value = (number: string) => `{ "x" : ${number},\t"X": "\\u0041\\/ b" }`;
  const content = lines(`{"v":${value("1")}}`, `{"v":${value("2")}}`);
  expect(await textsOf("t.ndjson", content)).toEqual(['{"x":1,"X":"A/ b"}', '{"x":2,"X":"A/ b"}']);
  const kept = lines(`{"v":${value("1")}}`, `{"v":${value("2.0e0")}}`);
  expect(await textsOf("t.ndjson", kept)).toEqual(['{"x":1,"X":"A/ b"}', '{"x":2.0e0,"X":"A/ b"}']);
});

test("openJsonFile() keeps the numbers of JSON text inside structs, lists and maps", async () => {
  const rows = [
    '{"v":{"k":{"a":1.10,"A":1},"n":1.5},"w":[{"j":{}},{"j":{"b":1e2,"B":0}}]}',
    '{"v":null,"w":[]}',
  ];
  const { types, rows: read } = await readJson({ "t.ndjson": lines(...rows) });
  expect(types).toEqual({ v: "STRUCT(k JSON, n DECIMAL(18,1))", w: "STRUCT(j JSON)[]" });
  expect(JSON.stringify(read)).toContain(JSON.stringify('{"a":1.10,"A":1}'));
  expect(JSON.stringify(read)).toContain(JSON.stringify('{"b":1e2,"B":0}'));
  expect(read[1]).toMatchObject({ v: null });
  const map: FileColumn = { name: "m", type: "MAP(VARCHAR, JSON)", isConfigured: true };
  const [row] = await readKnown('{"m":{"a":{"x":1.10},"b":2}}\n', [map]);
  expect(JSON.stringify(row!["m"])).toContain(JSON.stringify('{"x":1.10}'));
});

test("openJsonFile() keeps numbers if keys differ only by case, and in objects configured as text", async () => {
  const clash = '{"a":{"x":1.10,"X":[]},"A":"t","":{"y":2e0,"Y":1}}';
  const { rows, columns } = await readJson({ "t.ndjson": lines(clash) });
  expect(columns.map(({ name, type }) => [name, type, rows[0]![name]])).toEqual([
    ["a", "JSON", '{"x":1.10,"X":[]}'],
    ["A_1", "VARCHAR", "t"],
    ["column_1", "JSON", '{"y":2e0,"Y":1}'],
  ]);
  for (const type of ["VARCHAR", "JSON"]) {
    const configured: FileColumn = { name: "a", type, isConfigured: true };
    const known = [configured, { name: "A_1", type: "BIGINT", key: "A" }];
    expect(await readKnown('{"a":{"x":1.10},"A":1}\n', known)).toEqual([{ a: '{"x":1.10}', A_1: 1n }]);
    expect(await readKnown('{"a":{"x":1.10}}\n', [configured])).toEqual([{ a: '{"x":1.10}' }]);
  }
});

test("openJsonFile() keeps the numbers of the remaining rows if others are rejected", async () => {
  const columns = [
    { name: "n", type: "BIGINT" },
    { name: "v", type: "JSON" },
  ];
  const content = lines('{"n":1,"v":{"x":1.10}}', '{"n":"two","v":{"x":2.20}}', '{"n":3,"v":"1.10"}');
  const { values, rejected } = await separateRejected("t.ndjson", content, columns);
  expect(values.map(({ v }) => v)).toEqual(['{"x":1.10}', '"1.10"']);
  expect(rejected.map(({ row }) => row)).toEqual([2]);
});
