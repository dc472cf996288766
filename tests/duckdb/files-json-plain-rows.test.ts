import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { nodeFiles } from "../../lib/base/mod.ts";
import { hasPlainRows, plainRows } from "../../lib/duckdb/files/json/plain-rows.ts";
import type { FileColumn } from "../../lib/kit/mod.ts";
import { isRight, TYPES, VALUES } from "./files-json-values.ts";
import { temporaryDirectory } from "./support.ts";

/** Whether one of the automata accepts a text. */
async function isPlain(columns: readonly FileColumn[]): Promise<(text: string) => boolean> {
  const rows = await plainRows(columns);
  return (text) =>
    rows.some(({ automaton, start, isEnd }) =>
      isEnd(Buffer.from(text).reduce((state, byte) => automaton.step(state, byte), start)),
    );
}

test.each(TYPES)("plainRows() accepts only values that the scanner accepts for %s", async (type) => {
  const columns = [
    { name: "value", type },
    { name: "z", type: "BIGINT" },
  ];
  const takes = await isPlain(columns);
  const wrong: string[] = [];
  for (const value of VALUES) {
    const row = `{"value":${value},"z":1}\n`;
    if (takes(row) && !(await isRight(row, columns))) wrong.push(value);
  }
  expect(wrong).toEqual([]);
});

const PLAIN = {
  BIGINT: ["0", "-7", "999999999999999999", "null"],
  "DECIMAL(18,2)": ["1.5", "-1.25", "0.0", "9999999999999999"],
  DOUBLE: ["0.123456789012345", "12345678901234.5", "-0.5", "1e5", "1.5E+2", "123456789012345"],
  BOOLEAN: ["true", "false"],
  VARCHAR: ['"é😀"', '"a\\"b"', '"\\u0041\\n"', '""'],
  DATE: ['"2024-02-29"', '"0999-12-31"', '"2000-02-29"'],
  TIMESTAMP: ['"2024-01-01"', '"2024-01-01T23:59:59"', '"2024-01-01 00:00:00.123456"'],
  "TIMESTAMP WITH TIME ZONE": ['"2024-01-01T00:00:00.5Z"', '"2024-01-01T00:00:00+02:00"'],
  "BIGINT[]": ["[]", "[1, 2,null]"],
  "STRUCT(x BIGINT, y VARCHAR)[]": ["[{}]", '[{"x":1},{"y":"a"}]', '[{"x": 1, "y": "a"}, null]'],
};

test.each(Object.entries(PLAIN))("plainRows() accepts plain values for %s", async (type, values) => {
  const takes = await isPlain([
    { name: "a", type: "BIGINT" },
    { name: "ab", type },
    { name: "č", type: "VARCHAR" },
  ]);
  for (const value of values) {
    expect([value, takes(`{"a":1,"ab":${value},"č":"x"}\n{"ab": ${value}}\r\n{}`)]).toEqual([value, true]);
  }
});

test.each([
  '{"a":1,"ab":"2023-02-29"}',
  '{"a":1,"a":1}',
  '{"ab":"2023-01-01","a":1}',
  '{"a":1,}',
  '{"a":1}{"a":1}',
  '{"a":1} ',
  '{"a":1',
  '[{"a":1}]',
  '{"A":1}',
  '{"b":1}',
  '{"č":"\\ud83d"}',
  '{"č":"\\u0000"}',
  '{"č":"\\x"}',
  '{"č":"\u0001"}',
])("plainRows() does not accept %s", async (text) => {
  const takes = await isPlain([
    { name: "a", type: "BIGINT" },
    { name: "ab", type: "DATE" },
    { name: "č", type: "VARCHAR" },
  ]);
  expect(takes(text)).toBe(false);
});

test("hasPlainRows() checks the whole file, and that it is UTF-8", async () => {
  await using directory = await temporaryDirectory();
  const columns = [
    { name: "a", type: "BIGINT" },
    { name: "b", type: "VARCHAR" },
  ];
  const row = '{"a":1,"b":"čečen"}\n';
  const good = Buffer.from(row.repeat(150_000));
  const holds = async (text: Buffer) => {
    const path = join(directory.path, "t.ndjson");
    await writeFile(path, text);
    return hasPlainRows({ files: nodeFiles(), path }, columns, undefined);
  };
  expect(good.length).toBeGreaterThan(3 * 1024 * 1024);
  expect(await holds(good)).toBe(true);
  expect(await holds(good.subarray(0, good.length - 1))).toBe(true);
  expect(await holds(good.subarray(0, good.length - 2))).toBe(false);
  const late = Buffer.from(good);
  late[late.length - 4] = 0xff;
  expect(await holds(late)).toBe(false);
  late.set(good);
  late.set(Buffer.from("x"), row.length * 140_000 + 6);
  expect(await holds(late)).toBe(false);
});
