import { expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { readJson, readKnown, separateRejected } from "./files-json-support.ts";
import { JsonText } from "../../lib/base/mod.ts";
import { rejection } from "./support.ts";

const lines = (...rows: readonly string[]) => rows.map((row) => `${row}\n`).join("");

test("inspectJson() reads fractions as doubles if configured", async () => {
  const { types } = await readJson({ "t.ndjson": '{"v":1.5}\n' }, { fractions: "double" });
  expect(types).toEqual({ v: "DOUBLE" });
});

test("inspectJson() decides the type of a column that is null in one file from the others", async () => {
  for (const names of [
    ["a", "b"],
    ["b", "a"],
  ] as const) {
    const { types, rows } = await readJson({
      [`${names[0]}.ndjson`]: '{"id":1,"v":null}\n',
      [`${names[1]}.ndjson`]: '{"id":2,"v":5}\n',
    });
    expect(types).toEqual({ id: "BIGINT", v: "BIGINT" });
    expect(rows).toEqual([
      { id: 1n, v: null },
      { id: 2n, v: 5n },
    ]);
  }
});

test("inspectJson() creates separate columns for keys that differ only by case and for the empty key", async () => {
  const rows = ['{"Name":"a","":1}', '{"name":"b","NAME":2}'];
  for (const content of [lines(...rows), lines(...rows.toReversed())]) {
    const { columns, texts } = await readJson({ "t.ndjson": content });
    expect(Object.fromEntries(columns.map(({ name, key }) => [name, key]))).toEqual({
      name: undefined,
      Name_1: "Name",
      NAME_2: "NAME",
      column_1: "",
    });
    const values = texts.map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(values).toContainEqual({ name: null, Name_1: "a", NAME_2: null, column_1: 1 });
    expect(values).toContainEqual({ name: "b", Name_1: null, NAME_2: 2, column_1: null });
  }
  expect((await readJson({ "t.ndjson": '{"":1}\n' })).rows).toEqual([{ column_1: 1n }]);
});

test("inspectJson() keeps known types and names if all values fit, and adds new columns after them", async () => {
  const known = {
    format: "ndjson" as const,
    columns: [
      { name: "v", type: "DOUBLE" },
      { name: "N_1", type: "VARCHAR", key: "n" },
    ],
  };
  const { columns } = await readJson({ "t.ndjson": '{"w":1,"n":2,"v":3}\n' }, { known });
  expect(columns).toEqual([...known.columns, { name: "w", type: "BIGINT" }]);
  const { types } = await readJson({ "t.ndjson": '{"v":"x"}\n' }, { known });
  expect(types).toEqual({ v: "VARCHAR", N_1: "VARCHAR" });
});

test("inspectJson() keeps configured types, and strings may contain numbers of these types", async () => {
  const types = { v: "DECIMAL(12,2)", b: "BOOLEAN", d: "DATE", u: "UUID" };
  const content = '{"v":"12.50","b":"true","d":"2024-01-05","u":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}\n';
  const read = await readJson({ "t.ndjson": content }, { types });
  expect(read.columns.every(({ isConfigured }) => isConfigured === true)).toBe(true);
  expect(read.texts).toEqual([
    '{"v":12.5,"b":true,"d":"2024-01-05","u":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}',
  ]);
  const error = await rejection(
    readJson({ "t.ndjson": '{"v":"1.234"}\n' }, { types: { v: "DECIMAL(12,2)" } }),
  );
  expect(error).toMatchObject({
    code: "file_value_invalid",
    details: { file: "t.ndjson", line: 1, column: "v", value: "1.234" },
  });
});

const BOM = "\ufeff";
const utf16 = (text: string, isBig: boolean) => {
  const bytes = Buffer.from(`${BOM}${text}`, "utf16le");
  return isBig ? bytes.swap16() : bytes;
};

test.each([
  ["a.json", '[{"id":1},\n {"id":2}]'],
  ["bom.json", `${BOM}[{"id":1},{"id":2}]`],
  ["pretty.json", '{\n"id":1\n}\n{\n"id":2\n}'],
  ["lines.json", '{"id":1}\n{"id":2}\n'],
  ["bom.ndjson", `${BOM}{"id":1}\n{"id":2}`],
  ["blank.ndjson", '\n{"id":1}\r\n\r\n \t\n{"id":2}\n\n'],
  ["le.ndjson", utf16('{"id":1}\n{"id":2}', false)],
  ["be.json", utf16('[{"id":1},{"id":2}]', true)],
  ["a.ndjson.gz", gzipSync('{"id":1}\n{"id":2}\n')],
  ["a.ndjson.zst", zstdCompressSync('{"id":1}\n{"id":2}\n')],
  ["bom.ndjson.gz", gzipSync(`${BOM}{"id":1}\n{"id":2}\n`)],
  ["be.json.gz", gzipSync(utf16('[{"id":1},{"id":2}]', true))],
] as const)("openJsonFile() reads the two rows of %s", async (name, content) => {
  const { rows, types } = await readJson({ [name]: content });
  expect(rows).toEqual([{ id: 1n }, { id: 2n }]);
  expect(types).toEqual({ id: "BIGINT" });
});

test.each(["", "\n\n", BOM, "[]", " [ ] \n"])("inspectJson() finds %j empty", async (content) => {
  const { empty, columns } = await readJson({ "t.json": content });
  expect({ empty, columns }).toEqual({ empty: ["t.json"], columns: [] });
});

const MALFORMED: readonly (readonly [name: string, content: string, line: number, reason: RegExp])[] = [
  ["a comma before }", '{"id":0}\n{"id":0,}\n', 2, /"}" instead of a key/],
  ["a comma before ]", '{"id":[1,]}\n', 1, /"]"/],
  ["NaN", '{"id":NaN}\n', 1, /"NaN"/],
  ["-Infinity", '{"id":-Infinity}\n', 1, /not a JSON number/],
  ["a leading zero", '{"id":01}\n', 1, /"01" is not a JSON number/],
  ["a hexadecimal number", '{"id":0x1}\n', 1, /not a JSON number/],
  ["1.", '{"id":1.}\n', 1, /not a JSON number/],
  ["two values on a line", '{"id":1}{"id":2}\n', 1, /second value/],
  ["an object over two lines", '{"id":1}\n{"id":\n2}\n', 2, /does not end on its line/],
  ["a truncated line", '{"id":1}\n{"id"', 2, /truncated/],
  ["a truncated string", '{"id":"a', 1, /truncated/],
  ["a truncated value instead of a row", '{"id":1}\n"7', 2, /truncated/],
  ["a list over two lines", '{"id":1}\n[1,\n2]\n', 2, /the value does not end on its line/],
  ["an unknown literal", '{"id":1}\nnope\n', 2, /"nope" instead of an object/],
  ["a number followed by letters", '{"id":1}\n42abc\n', 2, /"abc" instead of an object|not a JSON number/],
  ["an unclosed list", '{"id":1}\n[1}\n', 2, /unexpected "}"/],
  ["a duplicate key", '{"id":1}\n{"id":1,"id":2}\n', 2, /"id" occurs twice/],
  ["a duplicate nested key", '{"a":{"id":1,"id":2}}\n', 1, /"a.id" occurs twice/],
  ["single quotes", "{'id':1}\n", 1, /key in double quotes/],
  ["a bad escape", '{"id":"\\x"}\n', 1, /backslash/],
  ["half a surrogate pair", '{"id":"\\ud83d"}\n', 1, /surrogate/],
  ["a control character", '{"id":"a\u0001"}\n', 1, /control character/],
  ["a NUL in a key", '{"i\\u0000d":1}\n', 1, /NUL/],
  ["deep nesting", `{"id":${"[".repeat(100_000)}${"]".repeat(100_000)}}\n`, 1, /deeper than 1000/],
];

test.each(MALFORMED)("openJsonFile() names the line of %s", async (_title, content, line, reason) => {
  for (const error of [
    await rejection(readJson({ "t.ndjson": content })),
    await rejection(
      readKnown(content, [
        { name: "id", type: "JSON" },
        { name: "a", type: "STRUCT(id BIGINT)" },
      ]),
    ),
  ]) {
    expect(error.code).toBe("file_unreadable");
    expect(error.message).toMatch(new RegExp(`"t.ndjson": line ${line}: `));
    expect(error.message).toMatch(reason);
  }
});

test.each([
  ['[{"id":1},\n{"id":2},', 2, /truncated/],
  ['[{"id":1},{"id"', 1, /truncated/],
  ['[{"id":1},]', 1, /instead of an object/],
  ['[{"id":1}][{"id":2}]', 1, /follows the end/],
  ["[][]", 1, /follows the end/],
  ['[{"id":1}] {"id":2}', 1, /follows the end/],
  ['[{"id":1} {"id":2}]', 1, /a comma or \]/],
  ['{"id":1}{"id":2}', 1, /second value/],
  ["truth", 1, /instead of an object/],
] as const)("openJsonFile() rejects %s as a JSON file", async (content, line, reason) => {
  const error = await rejection(readJson({ "t.json": content }));
  expect(error.code).toBe("file_unreadable");
  expect(error.message).toMatch(new RegExp(`line ${line}: `));
  expect(error.message).toMatch(reason);
});

test("openJsonFile() rejects invalid UTF-8, also if a chunk ends in the middle of a character", async () => {
  const bad = Buffer.concat([Buffer.from('{"id":"a"}\n{"id":"'), Buffer.from([0xe9]), Buffer.from('"}\n')]);
  expect((await rejection(readJson({ "t.ndjson": bad }))).message).toMatch(
    /"t.ndjson": line 2, character 8: byte 0xe9 is not UTF-8; write it as UTF-8$/,
  );
  const long = "é".repeat(400_001);
  const { rows } = await readJson({ "t.ndjson": `{"i":"${long}"}\n` });
  expect(rows[0]!["i"]).toBe(long);
});

const MISFITS: readonly (readonly [type: string, value: string, shown: string, column?: string])[] = [
  ["BIGINT", "1.7", "1.7"],
  ["BIGINT", "1.0", "1.0"],
  ["BIGINT", "-0", "-0"],
  ["BIGINT", '"5"', "5"],
  ["BIGINT", "true", "true"],
  ["BIGINT", "9223372036854775808", "9223372036854775808"],
  ["BIGINT", "[1]", "[…]"],
  ["HUGEINT", "170141183460469231731687303715884105728", "170141183460469231731687303715884105728"],
  ["DECIMAL(18,2)", "1.234", "1.234"],
  ["DECIMAL(18,2)", "12345678901234.25", "12345678901234.25"],
  ["DECIMAL(18,2)", "1e2", "1e2"],
  ["DOUBLE", '"NaN"', "NaN"],
  ["DOUBLE", "1e999", "1e999"],
  ["DOUBLE", "9007199254740993", "9007199254740993"],
  ["DOUBLE", "-9223372036854775808", "-9223372036854775808"],
  ["DOUBLE", "0.10000000000000001", "0.10000000000000001"],
  ["BOOLEAN", "1", "1"],
  ["BOOLEAN", '"true"', "true"],
  ["VARCHAR", '{"x":1}', "{…}"],
  ["DATE", '"2024-02-30"', "2024-02-30"],
  ["DATE", '"2024-02-29T10:00:00"', "2024-02-29T10:00:00"],
  ["DATE", "5", "5"],
  ["TIMESTAMP", '"2024-02-29T10:00:00Z"', "2024-02-29T10:00:00Z"],
  ["TIMESTAMP WITH TIME ZONE", '"2024-02-29T10:00:00"', "2024-02-29T10:00:00"],
  ["STRUCT(x BIGINT)", '{"x":1.5}', "1.5", "v.x"],
  ["STRUCT(x BIGINT)[]", '[{"x":1},{"x":"a"}]', "a", "v.x"],
  ["BIGINT[]", "[1,2.5]", "2.5"],
  ["BIGINT[]", "7", "7"],
];

test.each(MISFITS)(
  "openJsonFile() rejects for %s the value %s, with file, line, column and value",
  async (type, value, shown, column = "v") => {
    const rows = Array.from({ length: 3000 }, () => '{"v":null}');
    const error = await rejection(
      readKnown(lines(...rows, `{"v":${value}}`, '{"v":null}'), [{ name: "v", type }]),
    );
    expect(error).toMatchObject({
      code: "file_value_invalid",
      details: { file: "t.ndjson", line: 3001, column, value: shown },
    });
    expect(error.message).toStartWith(`"t.ndjson", line 3001, column ${column}: `);
  },
);

test.each([
  ["BIGINT", '{"v":1,"w":2}', "w"],
  ["STRUCT(x BIGINT)", '{"v":{"x":1,"y":1}}', "v.y"],
  ["STRUCT(x BIGINT)", '{"v":{"X":1}}', "v.X"],
  ["STRUCT(x STRUCT(z BIGINT)[])[]", '{"v":[{"x":[{"a":1}]}]}', "v.x.a"],
])("openJsonFile() requires another inspection if a reading of %s meets %s", async (type, row, path) => {
  const error = await rejection(readKnown(lines('{"v":null}', row), [{ name: "v", type }]));
  const reason = `line 2: it has a new key "${path}"`;
  expect(error).toMatchObject({ code: "file_reading_outdated", details: { file: "t.ndjson", reason } });
});

test("openJsonFile() rejects the rows that do not fit, in lines, arrays and UTF-16", async () => {
  const columns = [
    { name: "v", type: "BIGINT" },
    { name: "s", type: "STRUCT(x BIGINT)[]" },
  ];
  const rows = [
    '{"v":1}',
    '{"v":"x","s":[{"x":1}]}',
    '{"v":2,"s":[{"x":7}]}',
    '{"s":[{"x":1.5},{"x":"y"}],"v":3}',
    '{"v":4}',
  ];
  for (const [name, content] of [
    ["t.ndjson", lines(...rows)],
    ["t.json", `[${rows.join(",\n")}]`],
    ["utf16.json", utf16(`[${rows.join(",")}]`, true)],
  ] as const) {
    const { good, rejected } = await separateRejected(name, content, columns);
    expect(good).toEqual(['{"v":1,"s":null}', '{"v":2,"s":[{"x":7}]}', '{"v":4,"s":null}']);
    expect(rejected).toEqual([
      {
        row: 2,
        column: "v",
        value: "x",
        reason: "it is not BIGINT",
        record: new JsonText('{"v":"x","s":[{"x":1}]}'),
      },
      {
        row: 4,
        column: "s.x",
        value: "1.5",
        reason: "it is not BIGINT",
        record: new JsonText('{"s":[{"x":1.5},{"x":"y"}],"v":3}'),
        widerThan: "BIGINT",
      },
    ]);
  }
});

test("openJsonFile() keeps the numbers of a rejected row as written, at any depth", async () => {
  const columns = [
    { name: "v", type: "BIGINT" },
    { name: "s", type: "STRUCT(a STRUCT(big HUGEINT, many DECIMAL(38,20))[])" },
  ];
  const row =
    '{ "v" : "x\\u0041", "s": {"a": [ {"big": 9007199254740993123, "many": 0.12345678901234567890} ]} }';
  for (const name of ["t.ndjson", "t.json"]) {
    const { rejected } = await separateRejected(
      name,
      name === "t.json" ? `[${row.replaceAll(", ", ",\n")}]` : row,
      columns,
    );
    expect(rejected.map(({ record }) => record)).toEqual([
      new JsonText('{"v":"x\\u0041","s":{"a":[{"big":9007199254740993123,"many":0.12345678901234567890}]}}'),
    ]);
  }
});

test("openJsonFile() reads numbers in a text column as written", async () => {
  const values = ["1.50", "-0", "1e2", "33.624208586962368233548892439773", '"x\\n"', "7", "true", "null"];
  const rows = values.map((value) => `{"v":${value},"l":[{"w":${value}},{"w":"y"}]}`);
  for (const [name, content] of [
    ["t.ndjson", lines(...rows)],
    ["t.json", `[${rows.join(" , ")}]`],
  ] as const) {
    const read = await readJson({ [name]: content });
    expect(read.types).toEqual({ v: "VARCHAR", l: "STRUCT(w VARCHAR)[]" });
    const texts = values.map((value) => (value === "null" ? null : value.startsWith('"') ? "x\n" : value));
    expect(read.texts.map((text) => JSON.parse(text) as unknown)).toEqual(
      texts.map((v) => ({ v, l: [{ w: v }, { w: "y" }] })),
    );
  }
});

test("openJsonFile() adds columns that only the path has, and keeps those of the file", async () => {
  const constants = { year: "2024", v: "9" };
  const { types, texts } = await readJson({ "t.ndjson": lines('{"v":1}', '{"v":2}') }, {}, constants);
  expect(types).toEqual({ v: "BIGINT", year: "BIGINT" });
  expect(texts).toEqual(['{"v":1,"year":2024}', '{"v":2,"year":2024}']);
});

test("inspectJson() returns the columns of each file, and reads no file if only these are requested", async () => {
  const { perFile } = await readJson({
    "a.ndjson": '{"v":1}\n',
    "b.ndjson": '{"W":1,"w":2}\n',
    "c.ndjson": "\n",
  });
  expect(perFile).toEqual({ "a.ndjson": ["v"], "b.ndjson": ["W_1", "w"], "c.ndjson": [] });
});

test("openJsonFile() reads keys with escapes, and keeps a NUL in a value", async () => {
  const content = lines(
    '{"př\\"í":"a\\u0000b","x":{"č":1}}',
    '{"p\\u0159\\u0022\\u00ed":"c","\\u0078":{"\\u010d":2}}',
  );
  const { texts } = await readJson({ "t.ndjson": content });
  expect(texts.map((text) => JSON.parse(text) as unknown)).toEqual([
    { 'př"í': "a\0b", x: { č: 1 } },
    { 'př"í': "c", x: { č: 2 } },
  ]);
});

test("openJsonFile() reads 2,500 columns in order, and rows longer than DuckDB's default limit", async () => {
  const record = Object.fromEntries(Array.from({ length: 2500 }, (_, at) => [`c${at}`, at]));
  const wide = await readJson({ "t.ndjson": lines(JSON.stringify(record)) });
  expect(wide.columns.map(({ name }) => name)).toEqual(Object.keys(record));
  expect(wide.texts).toEqual([JSON.stringify(record)]);
  const long = "x".repeat(17 * 1024 * 1024);
  const { rows } = await readJson({ "t.ndjson": lines(JSON.stringify({ long })) });
  expect(rows[0]!["long"] === long).toBe(true);
});

test("inspectJson() inspects only the start of large files, and the read finds late values", async () => {
  const rows = Array.from({ length: 100_000 }, (_, id) => JSON.stringify({ id, text: "x".repeat(150) }));
  const content = lines(...rows, '{"id":"late","text":"y"}');
  const error = await rejection(readJson({ "t.ndjson": content }));
  expect(error).toMatchObject({
    code: "file_value_invalid",
    details: { line: 100_001, column: "id", value: "late" },
  });
  const { types } = await readJson(
    { "t.ndjson": content.slice(-20_000).replace(/^[^\n]*\n/, "") },
    { look: "whole" },
  );
  expect(types["id"]).toBe("VARCHAR");
});
